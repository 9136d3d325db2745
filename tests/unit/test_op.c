/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/op.h"

#include <string.h>

#include "bridge/backend.h"
#include "tests/unit/test_loop.h"

struct slow_op {
    struct op op;
    struct timer *timer;
    int *aborted;
};

struct asker {
    struct op *op;
    int told;
    struct err err;
    struct str user;
};

static void on_timer(void *ud)
{
    struct slow_op *s = ud;
    timer_free(&s->timer);
    s->op.reply->login.user = arena_str(&s->op.arena, STR("alice"));
    op_finish(&s->op);
}

static void slow_start(struct op *op)
{
    struct slow_op *s = (struct slow_op *)op;
    s->timer = timer_new(op->loop, on_timer, s);
    timer_start(s->timer, 10);
}

static void slow_abort(struct op *op)
{
    struct slow_op *s = (struct slow_op *)op;
    timer_free(&s->timer);
    if (s->aborted)
        (*s->aborted)++;
}

static const struct op_class reading = {"test.read", sizeof(struct slow_op), slow_start, slow_abort};
static const struct op_class writing = {"test.write", sizeof(struct slow_op), slow_start, NULL};

static void on_reply(void *ud, const struct reply *reply)
{
    struct asker *a = ud;
    a->op = NULL;
    a->told++;
    a->err = reply->err;
}

static int set_up(void **state)
{
    *state = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    loop_free(*state);
    assert_int_equal(op_live_count(), 0);
    return 0;
}

static void answered_once(void **state)
{
    struct asker a = {.told = 0};
    a.op = op_new(*state, &reading, on_reply, &a);
    assert_false(a.op->started);
    assert_int_equal(op_live_count(), 1);
    TURN_UNTIL(*state, a.told);
    TURN_FOR(*state, 20);
    assert_int_equal(a.told, 1);
    assert_int_equal(a.err.code, ERR_NONE);
    op_cancel(&a.op); /* NULL by now */
}

static void failed_at_once(void **state)
{
    struct asker a = {.told = 0};
    struct err err;
    err_set(&err, ERR_THROTTLED, "later");
    err.retry_after_s = 7;
    a.op = op_fail(*state, &err, on_reply, &a);
    assert_int_equal(a.told, 0);
    TURN_UNTIL(*state, a.told);
    assert_int_equal(a.err.code, ERR_THROTTLED);
    assert_int_equal(a.err.retry_after_s, 7);
    a.op = op_fail(*state, &err, on_reply, &a);
    op_cancel(&a.op);
    TURN_FOR(*state, 10);
    assert_int_equal(a.told, 1);
}

static void cancelled(void **state)
{
    struct asker a = {.told = 0};
    int aborted = 0;
    a.op = op_new(*state, &reading, on_reply, &a);
    op_cancel(&a.op); /* before it began: nothing to abort */
    assert_null(a.op);
    a.op = op_new(*state, &reading, on_reply, &a);
    ((struct slow_op *)a.op)->aborted = &aborted;
    TURN_UNTIL(*state, a.op->started);
    op_cancel(&a.op);
    assert_int_equal(aborted, 1);
    TURN_FOR(*state, 30);
    assert_int_equal(a.told, 0);
    assert_int_equal(op_live_count(), 0);
}

/* Writes go on to their end; nobody is told. */
static void detached(void **state)
{
    struct asker a = {.told = 0};
    for (int i = 0; i < 3; i++) {
        a.op = op_new(*state, &writing, on_reply, &a);
        if (i == 1)
            TURN_UNTIL(*state, a.op->started);
        if (i == 2)
            op_detach(&a.op);
        else
            op_cancel(&a.op);
        assert_null(a.op);
        assert_int_equal(op_live_count(), 1);
        TURN_UNTIL(*state, op_live_count() == 0);
    }
    TURN_FOR(*state, 20);
    assert_int_equal(a.told, 0);
}

static void on_last(void *ud)
{
    ++*(int *)ud;
}

/* What the program waits for before it ends. */
static void writes_are_counted(void **state)
{
    struct asker a[3];
    int told = 0;
    memset(a, 0, sizeof(a));
    op_on_last_write(on_last, &told);
    a[0].op = op_new(*state, &reading, on_reply, &a[0]);
    assert_int_equal(op_write_count(), 0);
    a[1].op = op_new(*state, &writing, on_reply, &a[1]);
    a[2].op = op_new(*state, &writing, on_reply, &a[2]);
    op_detach(&a[1].op);
    assert_int_equal(op_write_count(), 2);
    op_mark_write(a[0].op);
    op_mark_write(a[2].op); /* it is one already */
    assert_int_equal(op_write_count(), 3);
    TURN_UNTIL(*state, op_live_count() == 0);
    assert_int_equal(op_write_count(), 0);
    assert_int_equal(told, 1);
    op_on_last_write(NULL, NULL);
}

static const struct backend_ops bare = {.name = "bare"};

static void unsupported(void **state)
{
    struct backend b = {.ops = &bare, .loop = *state};
    struct asker a[5];
    memset(a, 0, sizeof(a));
    struct fetch_request request = {.count = 0};
    a[0].op = backend_login(&b, STR("x"), on_reply, &a[0]);
    a[1].op = backend_folders(&b, STR(""), on_reply, &a[1]);
    a[2].op = backend_sync(&b, STR("f"), STR(""), on_reply, &a[2]);
    a[3].op = backend_fetch(&b, &request, on_reply, &a[3]);
    a[4].op = backend_watch(&b, NULL, 0, on_reply, &a[4]);
    for (int i = 0; i < 5; i++) {
        TURN_UNTIL(*state, a[i].told);
        assert_int_equal(a[i].err.code, ERR_UNSUPPORTED);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(answered_once), T(failed_at_once),     T(cancelled),
                                       T(detached),      T(writes_are_counted), T(unsupported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
