/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_QUEUE_H
#define BACKENDS_EAS_QUEUE_H
/*
 * One at a time: Syncs of an account (servers answer 16 or 133 to two at once, and a SyncKey has one successor only),
 * and commands on its folder list. Who waits gets his turn from the loop, never from inside the call that freed it: the
 * core has committed the answer of the one before by then, and its sync state can be looked up.
 *
 *   eas_turn_wait() -> go() -> ... -> eas_turn_end()
 */
#include <stdbool.h>

#include "bridge/base/list.h"
#include "bridge/io/loop.h"

struct eas_queue {
    struct list waiting; /* eas_turn.link */
    struct loop *loop;
    struct deferred next;
    bool busy;
};
struct eas_turn {
    struct list link;
    struct eas_queue *queue;
    void (*go)(void *ud);
    void *ud;
    bool urgent, running;
};

void eas_queue_init(struct eas_queue *q, struct loop *loop);
void eas_queue_done(struct eas_queue *q);
/* urgent: somebody waits for it, unlike for the next page of a long first synchronisation. */
void eas_turn_wait(struct eas_turn *t, struct eas_queue *q, bool urgent, void (*go)(void *ud), void *ud);
void eas_turn_end(struct eas_turn *t); /* of one that waits, runs, or never did (zeroed) */

#endif
