/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/op.h"

#include <assert.h>

#include "bridge/backend.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

/* The program is single-threaded. */
static size_t live_count, write_count;
static void (*last_write_cb)(void *ud);
static void *last_write_ud;

static void op_free(struct op *op)
{
    loop_defer_cancel(&op->deferred);
    bool write = op->write;
    arena_done(&op->arena);
    mem_free(op);
    live_count--;
    write_count -= write;
    if (write && write_count == 0 && last_write_cb)
        last_write_cb(last_write_ud);
}

static void on_start(void *ud)
{
    struct op *op = ud;
    op->started = true;
    op->class->start(op);
}

void op_mark_write(struct op *op)
{
    write_count += !op->write;
    op->write = true;
}

struct op *op_new(struct loop *loop, const struct op_class *class, op_cb *cb, void *ud)
{
    assert(class->size >= sizeof(struct op));
    struct op *op = mem_alloc(class->size);
    op->class = class;
    op->loop = loop;
    op->cb = cb;
    op->ud = ud;
    op->born_ms = time_mono_ms();
    op->reply = ARENA_NEW(&op->arena, struct reply);
    deferred_init(&op->deferred, on_start, op);
    loop_defer(loop, &op->deferred);
    live_count++;
    if (!class->abort)
        op_mark_write(op);
    return op;
}

struct op_failed {
    struct op op;
    struct err err;
};

static void failed_start(struct op *op)
{
    op_finish_err(op, &((struct op_failed *)op)->err);
}

static void failed_abort(struct op *op)
{
    (void)op; /* nothing is under way */
}

static const struct op_class failed_class = {"op.failed", sizeof(struct op_failed), failed_start, failed_abort};

struct op *op_fail(struct loop *loop, const struct err *err, op_cb *cb, void *ud)
{
    struct op_failed *f = (struct op_failed *)op_new(loop, &failed_class, cb, ud);
    f->err = *err;
    return &f->op;
}

void op_finish(struct op *op)
{
    assert(op->started);
    if (op->cb && !op->detached)
        op->cb(op->ud, op->reply);
    op_free(op);
}

void op_finish_err(struct op *op, const struct err *err)
{
    op->reply->err = *err;
    op_finish(op);
}

void op_cancel(struct op **op)
{
    struct op *o = *op;
    if (!o)
        return;
    if (!o->class->abort) {
        op_detach(op);
        return;
    }
    *op = NULL;
    if (o->started)
        o->class->abort(o);
    op_free(o);
}

void op_detach(struct op **op)
{
    if (*op)
        (*op)->detached = true;
    *op = NULL;
}

uint64_t op_age_ms(const struct op *op)
{
    return time_mono_ms() - op->born_ms;
}

size_t op_live_count(void)
{
    return live_count;
}

size_t op_write_count(void)
{
    return write_count;
}

void op_on_last_write(void (*cb)(void *ud), void *ud)
{
    last_write_cb = cb;
    last_write_ud = ud;
}
