/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_ANSWER_H
#define BACKENDS_EAS_ANSWER_H
/*
 * Reading an answer by rules: which element inside which parent means what. An element without a rule is skipped with
 * all that is in it, so unknown tags and whole unknown pages do no harm, and a command's code sees only what it asked
 * for.
 *
 * A rule with `text` is a leaf: its whole text (at most EAS_TEXT_MAX bytes) comes when it closes. A rule with `data`
 * gets the text in pieces as it arrives (message bodies); `close` says that it ended. Other rules are containers. Text
 * is what the server sent: not checked for UTF-8, may contain any byte but never more than the limit.
 */
#include <stdbool.h>
#include <stddef.h>

#include "backends/eas/eas_wbxml.h"

#define EAS_SYNC_KEY_MAX 512               /* bytes; MS-ASCMD 2.2.3.181.4 says 64 */
#define EAS_TEXT_MAX     ((size_t)1 << 20) /* bytes of one property that is not streamed */

struct eas_rule {
    enum eas_tag parent, tag; /* parent EAS_NO_TAG: the root */
    bool (*open)(void *ud, struct err *err);
    bool (*text)(void *ud, struct str text, struct err *err);
    bool (*data)(void *ud, struct str piece, struct err *err);
    bool (*close)(void *ud, struct err *err);
};

#define EAS_CONTAINER(p, t)                                                                                            \
    {                                                                                                                  \
        .parent = (p), .tag = (t)                                                                                      \
    }

struct eas_rules {
    const struct eas_rule *list;
    size_t count;
};

struct eas_answer {
    struct eas_wbxml wbxml;
    struct eas_rules rules;
    void *ud;
    unsigned depth, skipped;
    const struct eas_rule *stack[EAS_WBXML_DEPTH];
    enum eas_tag root;
    bool in_status; /* the element that is open is the root's own Status */
    struct buf text;
    int status; /* the root's own Status (Sync/Status, Ping/Status, ...); 0 = none seen */
};

void eas_answer_init(struct eas_answer *a, struct eas_rules rules, void *ud);
bool eas_answer_feed(struct eas_answer *a, struct str bytes, struct err *err);
bool eas_answer_end(struct eas_answer *a, struct err *err);
void eas_answer_done(struct eas_answer *a);

/* May this be a key that is sent back to the server? Not with control characters or bytes that are no UTF-8 in it:
 * those come from a broken answer, which is better asked for again. */
bool eas_key_valid(struct str text, size_t max);
/* A status or small number; -1 when the text is none (never taken for success). */
int eas_number(struct str text);

#endif
