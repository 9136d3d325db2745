/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h: deferred calls, timers, signals, descriptors, children. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test_loop.h"

static int set_up(void **state)
{
    *state = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    loop_free(*state);
    return 0;
}

/* --- deferred ------------------------------------------------------------------------------- */

struct again {
    struct loop *loop;
    struct deferred d, *cancel;
    int count, limit;
    char *order, name;
};

static void on_again(void *ud)
{
    struct again *a = ud;
    a->count++;
    if (a->order)
        strncat(a->order, &a->name, 1);
    if (a->cancel)
        loop_defer_cancel(a->cancel);
    if (a->count < a->limit)
        loop_defer(a->loop, &a->d);
}

static void deferred_in_order(void **state)
{
    char order[16] = "";
    struct again a[3];
    for (int i = 0; i < 3; i++) {
        a[i] = (struct again){.loop = *state, .order = order, .name = (char)('a' + i), .limit = 1};
        deferred_init(&a[i].d, on_again, &a[i]);
        loop_defer(*state, &a[i].d);
        loop_defer(*state, &a[i].d); /* twice is once */
    }
    a[0].cancel = &a[1].d; /* from inside, while it waits behind */
    assert_string_equal(order, "");
    loop_run(*state); /* ends by itself */
    assert_string_equal(order, "ac");
    loop_defer_cancel(&a[2].d);
}

/* Something that defers itself for ever does not keep a timer waiting. */
static void deferred_is_fair(void **state)
{
    struct again a = {.loop = *state, .limit = 1000000000};
    struct again t = {.limit = 0};
    deferred_init(&a.d, on_again, &a);
    loop_defer(*state, &a.d);
    struct timer *timer = timer_new(*state, on_again, &t);
    timer_start(timer, 20);
    while (!t.count)
        loop_turn(*state);
    assert_true(a.count > 1);
    loop_defer_cancel(&a.d);
    timer_free(&timer);
}

/* --- timers ------------------------------------------------------------------------------------ */

struct self_freeing {
    struct timer *timer;
    int count;
};

static void on_free_self(void *ud)
{
    struct self_freeing *s = ud;
    s->count++;
    timer_free(&s->timer);
}

static void timers(void **state)
{
    struct again a = {.limit = 0}, b = {.limit = 0};
    struct timer *ta = timer_new(*state, on_again, &a), *tb = timer_new(*state, on_again, &b), *none = NULL;
    uint64_t from = time_mono_ms();
    timer_start(ta, 5);
    timer_start(ta, 40); /* replaces */
    timer_start(tb, 10);
    assert_true(timer_active(ta));
    timer_stop(tb);
    assert_false(timer_active(tb));
    loop_run(*state);
    assert_int_equal(a.count, 1);
    assert_int_equal(b.count, 0);
    assert_in_range(time_mono_ms() - from, 39, 60000);
    timer_start(tb, 0);
    timer_free(&tb);
    assert_null(tb);
    timer_free(&ta);
    timer_free(&none);
    struct self_freeing s = {.count = 0};
    s.timer = timer_new(*state, on_free_self, &s);
    timer_start(s.timer, 0);
    loop_run(*state);
    assert_int_equal(s.count, 1);
}

static void on_stop(void *ud)
{
    loop_stop(ud);
}

static void signals_and_descriptors(void **state)
{
    struct loop_signal *s = loop_signal_new(*state, SIGUSR1, on_stop, *state);
    struct timer *keep = timer_new(*state, test_tick, NULL);
    timer_start(keep, 100000);
    kill(getpid(), SIGUSR1);
    uint64_t from = time_mono_ms();
    loop_run(*state);
    assert_true(time_mono_ms() - from < 60000);
    loop_signal_free(&s);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct loop_fd *f = loop_fd_new(*state, ends[0], on_stop, *state);
    assert_non_null(f);
    assert_int_equal(write(ends[1], "x", 1), 1);
    from = time_mono_ms();
    loop_run(*state);
    assert_true(time_mono_ms() - from < 60000);
    loop_fd_free(&f);
    close(ends[0]);
    close(ends[1]);
    timer_free(&keep);
    raise(SIGPIPE); /* ignored */
}

/* --- children ------------------------------------------------------------------------------------ */

struct told {
    int count;
    struct err err;
    char output[200];
    size_t n;
};

static void on_child(void *ud, const struct err *err, struct str output)
{
    struct told *t = ud;
    t->count++;
    t->err = *err;
    t->n = output.n;
    snprintf(t->output, sizeof(t->output), "%.*s", STR_ARG(output));
}

static void children(void **state)
{
    static const struct {
        const char *command, *input, *output;
        size_t limit;
        uint64_t timeout_ms;
        enum err_code code;
        const char *text;
    } table[] = {
        {"echo hello", "", "hello\n", 100, 5000, ERR_NONE, ""},
        {"cat", "some input", "some input", 100, 5000, ERR_NONE, ""},
        {"cat", "", "", 100, 5000, ERR_NONE, ""}, /* stdin is /dev/null */
        {"printf 1234567890", "", "1234567890", 10, 5000, ERR_NONE, ""},
        {"printf 12345678901", "", "", 10, 5000, ERR_TOO_BIG, "too long"},
        {"echo x; exit 3", "", "", 100, 5000, ERR_INVALID, "status 3"},
        {"/nonexistent/x 2>/dev/null", "", "", 100, 5000, ERR_INVALID, "not found"},
        {"kill -9 $$", "", "", 100, 5000, ERR_INVALID, "signal 9"},
        {"sleep 30; echo late", "", "", 100, 50, ERR_OFFLINE, "too long"},
        {"(sleep 30)& exec sleep 30", "", "", 100, 50, ERR_OFFLINE, "too long"},
        {"exec 0</dev/null; echo no input wanted", "xxxxxxxx", "no input wanted\n", 100, 5000, ERR_NONE, ""},
        {"ps -o sid= -p $$ | grep -q $$ && echo own session", "", "own session\n", 100, 5000, ERR_NONE, ""},
    };
    struct loop *loop = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct told t = {.count = 0};
        struct child *c = child_run(loop, table[i].command, str_from(table[i].input), table[i].limit,
                                    table[i].timeout_ms, on_child, &t);
        assert_non_null(c);
        assert_int_equal(t.count, 0);
        TURN_UNTIL(loop, t.count);
        if (t.err.code != table[i].code || !strstr(t.err.text, table[i].text) || strcmp(t.output, table[i].output) != 0)
            fail_msg("%s: %s '%s' '%s'", table[i].command, err_name(t.err.code), t.err.text, t.output);
        TURN_FOR(loop, 5);
        assert_int_equal(t.count, 1);
    }
}

/* A daemon that the command leaves behind may hold the pipe; the answer does not wait for it. */
static void child_leaves_a_daemon(void **state)
{
    struct loop *loop = *state;
    struct told t = {.count = 0};
    uint64_t from = time_mono_ms();
    child_run(loop, "echo pw; setsid sleep 30 &", STR_NULL, 100, 30000, on_child, &t);
    TURN_UNTIL(loop, t.count);
    assert_string_equal(t.output, "pw\n");
    assert_true(time_mono_ms() - from < 25000);
}

/* What takes too long is asked to end, with all that it has started; who does not listen is killed. */
static void child_takes_too_long(void **state)
{
    static const struct {
        const char *script;
        size_t children;
        bool cleans;
    } rows[] = {
        {"sleep 600", 0, false},
        {"sleep 600 & echo $! >>pids; wait", 1, false},
        {"(sleep 600 & echo $! >>pids; wait) & echo $! >>pids; wait", 2, false},
        {"trap 'echo x >cleaned; exit' TERM; sleep 600 & echo $! >>pids; wait", 1, true},
        {"trap '' TERM; sleep 600 & echo $! >>pids; echo $$ >>pids; while :; do wait; done", 2, false},
        {"sh -c \"trap '' TERM; sleep 600 & wait\" & echo $! >>pids; wait", 1, false},
        {"trap '' TERM; sleep 600 & echo $! >>pids; trap - TERM; yes", 1, false}, /* too much output, not too long */
    };
    struct loop *loop = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *dir = temp_dir_new(), command[600], path[300];
        struct told t = {.count = 0};
        int pids[4];
        size_t n = 0;
        snprintf(command, sizeof(command), "cd %s; %s", dir, rows[i].script);
        child_run(loop, command, STR_NULL, 100, 700, on_child, &t);
        TURN_UNTIL(loop, t.count);
        bool flood = strstr(rows[i].script, "yes") != NULL;
        assert_int_equal(t.err.code, flood ? ERR_TOO_BIG : ERR_OFFLINE);
        snprintf(path, sizeof(path), "%s/pids", dir);
        FILE *f = fopen(path, "r");
        while (f && n < 4 && fscanf(f, "%d", &pids[n]) == 1)
            n++;
        if (f)
            fclose(f);
        assert_int_equal(n, rows[i].children);
        for (size_t k = 0; k < n; k++)
            TURN_UNTIL(loop, test_has_ended(pids[k]));
        snprintf(path, sizeof(path), "%s/cleaned", dir);
        assert_int_equal(access(path, F_OK) == 0, rows[i].cleans);
        temp_dir_done(&dir);
    }
}

static void child_abandoned(void **state)
{
    struct loop *loop = *state;
    struct told t = {.count = 0};
    for (int i = 0; i < 3; i++) {
        struct child *c = child_run(loop, "echo x; sleep 300", STR_NULL, 100, 30000, on_child, &t);
        if (i)
            TURN_FOR(loop, i * 20);
        child_free(&c);
        assert_null(c);
        child_free(&c);
    }
    uint64_t from = time_mono_ms();
    loop_run(loop); /* until the children are buried */
    assert_true(time_mono_ms() - from < 60000);
    assert_int_equal(t.count, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombies */
}

struct freer {
    struct child *child;
    int count;
};

static void on_child_free(void *ud, const struct err *err, struct str output)
{
    struct freer *f = ud;
    (void)err;
    (void)output;
    f->count++;
    child_free(&f->child); /* allowed, and nothing */
}

static void child_freed_from_inside(void **state)
{
    struct loop *loop = *state;
    struct freer f = {.count = 0};
    f.child = child_run(loop, "echo x", STR_NULL, 100, 30000, on_child_free, &f);
    TURN_UNTIL(loop, f.count);
    TURN_FOR(loop, 20);
    assert_int_equal(f.count, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(deferred_in_order),     T(deferred_is_fair),     T(timers),          T(signals_and_descriptors), T(children),
        T(child_leaves_a_daemon), T(child_takes_too_long), T(child_abandoned), T(child_freed_from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
