/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_queue.h"

static void on_next(void *ud)
{
    struct eas_queue *q = ud;
    struct eas_turn *t;

    if (q->busy || list_empty(&q->waiting))
        return;
    t = LIST_ITEM(q->waiting.next, struct eas_turn, link);
    list_remove(&t->link);
    q->busy = true;
    t->running = true;
    t->go(t->ud);
}

void eas_queue_init(struct eas_queue *q, struct loop *loop)
{
    *q = (struct eas_queue){.loop = loop};
    list_init(&q->waiting);
    deferred_init(&q->next, on_next, q);
}

void eas_queue_done(struct eas_queue *q)
{
    loop_defer_cancel(&q->next);
}

void eas_turn_wait(struct eas_turn *t, struct eas_queue *q, bool urgent, void (*go)(void *ud), void *ud)
{
    struct list *before = &q->waiting;

    *t = (struct eas_turn){.queue = q, .go = go, .ud = ud, .urgent = urgent};
    list_init(&t->link);
    if (urgent) { /* behind the other urgent ones */
        before = q->waiting.next;
        while (before != &q->waiting && LIST_ITEM(before, struct eas_turn, link)->urgent)
            before = before->next;
    }
    list_append(before, &t->link);
    loop_defer(q->loop, &q->next);
}

void eas_turn_end(struct eas_turn *t)
{
    struct eas_queue *q = t->queue;

    if (!q)
        return;
    t->queue = NULL;
    list_remove(&t->link);
    if (!t->running)
        return;
    t->running = false;
    q->busy = false;
    loop_defer(q->loop, &q->next);
}
