/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_WRITE_H
#define EWS_WRITE_H
/* What the writing operations share: an answer that is a row of response messages, each about one item or folder. */
#include "backends/ews/ews_answer.h"
#include "backends/ews/ews_xml.h"
#include "bridge/base/arena.h"

struct ews_done {
    struct err err;
    struct str id, change; /* of what there is now; empty: the server did not say */
};
/* Fill one of these before each attempt (answered = 0) and give it to ews_done_reader as ud. */
struct ews_done_list {
    const char *operation; /* for error texts */
    struct arena *arena;
    struct ews_done *list; /* of `count` */
    size_t count, answered;
    struct str id, change; /* of the message that is being read */
};
extern const struct ews_reader ews_done_reader;
/* The operation's own error: too few answers, or the only one failed. */
bool ews_done_check(const struct ews_done_list *d, struct err *err);

#endif
