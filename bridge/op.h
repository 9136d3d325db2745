/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_OP_H
#define BRIDGE_OP_H
/*
 * An operation in flight: answered once, or cancelled, exactly one of the two.
 *
 *   op_new() -- start() runs later, from the loop -- ... -- op_finish() -> cb(ud, reply), then the op and its arena are
 * gone
 *        \-- op_cancel(): abort(), no callback ever, gone            (reads: nobody wants the answer any more)
 *        \-- op_detach(): the holder forgets it, the op runs to its end and its callback with ud = NULL is not called
 *                                                                      (writes: the outcome belongs to the account)
 *
 * Rules
 * 1. Who asked holds the one pointer, clears it first thing in the callback, and cancels it when he dies. Nobody else
 * may.
 * 2. No callback from inside the call that asked: op_new() defers start().
 * 3. A reply is valid during the callback; copy what you keep (blobs: blob_ref). Arguments of a backend call are
 * borrowed for the call only; the op copies what it needs into its arena.
 * 4. An implementation embeds struct op as the first member, allocates what it needs from op->arena, and ends in
 * op_finish(). After op_finish() or abort() it must have no timer, request or callback left that points to it.
 * 5. Ops of a class without abort cannot be cancelled half-way: op_cancel() on them is op_detach().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/err.h"
#include "bridge/base/list.h"
#include "bridge/io/loop.h"

struct op;
struct reply; /* bridge/backend.h */

typedef void op_cb(void *ud, const struct reply *reply);

struct op_class {
    const char *name; /* "ews.sync": for logs and status */
    size_t size;      /* of the embedding struct */
    void (*start)(struct op *op);
    void (*abort)(struct op *op); /* stop what is under way; NULL: not abortable */
};

struct op {
    const struct op_class *class;
    struct arena arena;
    struct reply *reply; /* lives in the arena; filled before op_finish() */
    /* private */
    struct loop *loop;
    struct deferred deferred;
    op_cb *cb;
    void *ud;
    bool started, detached, write;
    uint64_t born_ms;
};

/* Allocates class->size zeroed bytes; never fails. */
struct op *op_new(struct loop *loop, const struct op_class *class, op_cb *cb, void *ud);
/* The same for an answer known at once (an unsupported call, a cached result): finishes from the loop with that error.
 */
struct op *op_fail(struct loop *loop, const struct err *err, op_cb *cb, void *ud);
void op_finish(struct op *op);
/* op->reply->err = *err, then op_finish(). */
void op_finish_err(struct op *op, const struct err *err);
void op_cancel(struct op **op); /* NULL inside is fine; clears the pointer */
void op_detach(struct op **op);
uint64_t op_age_ms(const struct op *op);
/* Number of ops alive in the process: tests check that it returns to zero. */
size_t op_live_count(void);
/* Writes under way, those included whose holder has gone: ops that cannot be aborted, and those marked. Before its end
 * the program waits until there is none; a backend must not be closed while one is left that cannot be aborted. */
size_t op_write_count(void);
void op_mark_write(struct op *op);
/* cb each time the last of them has ended; it comes from within the loop's work: note it, do the rest later. */
void op_on_last_write(void (*cb)(void *ud), void *ud);

#endif
