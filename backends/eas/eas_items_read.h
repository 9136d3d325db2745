/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_ITEMS_READ_H
#define BACKENDS_EAS_ITEMS_READ_H
/* The answer to an ItemOperations command with Fetch elements (MS-ASCMD 2.2.1.10), multipart or inline. */
#include <stdbool.h>
#include <stddef.h>

#include "backends/eas/eas_answer.h"
#include "backends/eas/eas_item.h"
#include "bridge/base/arena.h"

/* One Fetch as the server answered it. */
struct eas_fetched {
    bool answered;
    int status;     /* 1 ok; 0 = not told */
    int type, part; /* of the body; part: where it is in a multipart answer, 0 = inline or none */
    bool truncated, has_body;
    uint64_t estimated;
    struct eas_body_writer body;
};

struct eas_fetch_answer {
    struct eas_item item; /* first: the rules of eas_item work on it; with `all` set for synthesis */
    struct arena *arena;
    const char *tmp_dir;
    uint64_t message_limit;
    /* what was asked: answers are matched by id, and by position only where there is none */
    const struct str *ids;
    size_t count;
    struct eas_fetched *list; /* one for each id */
    /* the Fetch that is open */
    size_t position;
    int status;
    struct str id;
};
extern const struct eas_rules eas_fetch_rules; /* ud is the answer */

/* Before each attempt. `list` has room for `count`. */
void eas_fetch_answer_begin(struct eas_fetch_answer *a, const struct str *ids, size_t count);
/* A piece of part n of a multipart answer. */
void eas_fetch_answer_part(struct eas_fetch_answer *a, unsigned part, struct str piece);
void eas_fetch_answer_done(struct eas_fetch_answer *a);

/* ItemOperations' own statuses (MS-ASCMD 2.2.3.177.8) as errors. False always. */
bool eas_fetch_status_err(int status, struct err *err);
#define EAS_FETCH_OK         1
#define EAS_FETCH_CONVERSION 14 /* the server cannot make MIME of it */

#endif
