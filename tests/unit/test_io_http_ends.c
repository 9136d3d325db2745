/* SPDX-License-Identifier: Apache-2.0 */
/* http.h: requests that end otherwise than with an answer, limits, and what goes on beside them. */
#include "tests/unit/http_kit.h"

#include <stdio.h>

static void give_up(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f, .refuse_head = true}, b = {.f = f, .refuse_body = true};
    http_kit_start(&a, "POST", "/echo", STR("x"));
    http_kit_start(&b, "POST", "/echo", STR("x"));
    TURN_UNTIL(f->loop, a.dones && b.dones);
    assert_int_equal(a.err.code, ERR_PROTOCOL);
    assert_int_equal(b.err.code, ERR_PROTOCOL);
    assert_int_equal(a.body.n, 0);
    buf_done(&b.body);
}

/* Abort at every moment, from inside and from outside callbacks. */
static void abort_anywhere(void **state)
{
    struct fixture *f = *state;
    for (enum on_what when = ON_HEAD; when <= ON_DONE; when++) {
        struct answer a = {.f = f, .abort_when = when}, last = {.f = f};
        http_kit_start(&a, "POST", "/echo", STR("x"));
        http_kit_start(&last, "POST", "/echo", STR("y"));
        TURN_UNTIL(f->loop, last.dones);
        TURN_FOR(f->loop, 20);
        assert_int_equal(a.dones, when == ON_DONE ? 1 : 0);
        buf_done(&a.body);
        buf_done(&last.body);
    }
    for (enum on_what when = ON_HEAD; when <= ON_DONE; when++) {
        struct answer parked = {.f = f}, a = {.f = f, .abort_when = when, .abort_also = &parked}, n = {.f = f};
        http_kit_start(&parked, "GET", "/park", STR_NULL);
        TURN_UNTIL(f->loop, parked.body.n);
        a.start_when = when;
        a.start_also = &n;
        http_kit_start(&a, "POST", "/echo", STR("x"));
        TURN_UNTIL(f->loop, a.dones && n.dones);
        assert_int_equal(parked.dones, 0);
        assert_null(parked.req);
        buf_done(&parked.body);
        buf_done(&a.body);
        buf_done(&n.body);
    }
    struct answer early = {.f = f};
    http_kit_start(&early, "GET", "/", STR_NULL);
    http_abort(&early.req); /* before it began */
    http_abort(&early.req);
    http_kit_start(&early, "GET", "/silent", STR_NULL);
    TURN_UNTIL(f->loop, f->server.parked);
    http_abort(&early.req);
    TURN_UNTIL(f->loop, !f->server.parked); /* the connection is closed, not reused */
    assert_int_equal(early.dones, 0);
}

static void free_client_anywhere(void **state)
{
    struct fixture *f = *state;
    for (enum on_what when = NEVER; when <= ON_DONE; when++) {
        struct answer a = {.f = f, .free_client_when = when}, parked = {.f = f};
        http_kit_start(&parked, "GET", "/park", STR_NULL);
        TURN_UNTIL(f->loop, parked.body.n);
        http_kit_start(&a, "POST", "/echo", STR("x"));
        if (when == NEVER)
            http_client_free(&f->client);
        TURN_UNTIL(f->loop, !f->client);
        TURN_UNTIL(f->loop, f->server.open == 0);
        assert_int_equal(parked.dones, 0);
        assert_int_equal(a.dones, when == ON_DONE ? 1 : 0);
        f->client = http_client_new(f->loop, &(struct http_client_opts){.max_connections = 4});
        buf_done(&a.body);
        buf_done(&parked.body);
    }
}

static void silence_ends(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f}, b = {.f = f};
    struct http_request_opts opts = {.method = "GET", .stall_s = 1};
    http_kit_start_with(&a, &opts, "/silent");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_OFFLINE);
    assert_true(a.sent);
    opts = (struct http_request_opts){.method = "GET", .timeout_s = 1};
    http_kit_start_with(&b, &opts, "/park");
    TURN_UNTIL(f->loop, b.dones);
    assert_int_equal(b.err.code, ERR_OFFLINE);
    buf_done(&b.body);
}

static void limits(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f};
    struct buf big = BUF_INIT(0);
    buf_fill(&big, 'x', 300000);
    struct http_request_opts opts = {.method = "POST", .body = buf_view(&big), .max_answer = 299999};
    http_kit_start_with(&a, &opts, "/echo");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_TOO_BIG);
    opts.max_answer = 300000;
    buf_done(&a.body);
    a = (struct answer){.f = f};
    http_kit_start_with(&a, &opts, "/echo");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_int_equal(a.body.n, 300000);
    buf_done(&a.body);
    buf_done(&big);
}

/* 200 MB of zeroes in 200 KB. */
static void gzip_bomb(void **state)
{
    struct fixture *f = *state;
    FILE *p = popen("head -c 200000000 /dev/zero | gzip -1 2>/dev/null", "r");
    assert_non_null(p);
    f->server.big = blob_new("/tmp", 10 << 20);
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof(piece), p)) > 0;)
        assert_true(blob_add(f->server.big, str_of(piece, n), NULL));
    pclose(p);
    assert_true(blob_finish(f->server.big, NULL));
    struct answer a = {.f = f};
    http_kit_start(&a, "GET", "/bomb", STR_NULL);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_TOO_BIG);
    buf_done(&a.body);
}

/* libcurl repeats a request when a kept connection was dead. Never so for one that must not be carried out twice. */
static void sent_once(void **state)
{
    struct fixture *f = *state;
    struct answer first = {.f = f}, read = {.f = f}, again = {.f = f}, write = {.f = f}, reset = {.f = f};
    http_kit_start(&first, "GET", "/", STR_NULL);
    TURN_UNTIL(f->loop, first.dones);
    http_kit_start(&read, "POST", "/dead", STR("read"));
    TURN_UNTIL(f->loop, read.dones);
    assert_int_equal(read.err.code, ERR_NONE);
    assert_int_equal(f->server.requests, 3);
    http_kit_start(&again, "GET", "/", STR_NULL);
    TURN_UNTIL(f->loop, again.dones);
    unsigned connections = f->server.connections;
    struct http_request_opts opts = {.method = "POST", .body = STR("write"), .once = true};
    http_kit_start_with(&write, &opts, "/dead");
    TURN_UNTIL(f->loop, write.dones);
    assert_int_equal(write.err.code, ERR_NONE);
    assert_int_equal(f->server.requests, 5);
    assert_int_equal(f->server.connections, connections + 1);
    http_kit_start_with(&reset, &opts, "/reset");
    TURN_UNTIL(f->loop, reset.dones);
    assert_int_equal(reset.err.code, ERR_OFFLINE);
    assert_true(reset.sent); /* the outcome is unknown */
    assert_int_equal(f->server.requests, 6);
    buf_done(&first.body);
    buf_done(&read.body);
    buf_done(&again.body);
    buf_done(&write.body);
}

/* A parked answer holds one connection; others go on beside it, up to the limit. */
static void parked_stream(void **state)
{
    struct fixture *f = *state;
    struct answer parked = {.f = f}, others[6];
    struct http_request_opts opts = {.method = "POST", .body = STR("subscribe"), .no_compression = true};
    http_kit_start_with(&parked, &opts, "/park");
    TURN_UNTIL(f->loop, parked.body.n == 5);
    assert_int_equal(str_case_find(buf_view(&f->server.head), STR("accept-encoding")), (size_t)-1);
    for (size_t i = 0; i < 6; i++) {
        others[i] = (struct answer){.f = f};
        http_kit_start(&others[i], "GET", "/method", STR_NULL);
    }
    for (size_t i = 0; i < 6; i++) {
        TURN_UNTIL(f->loop, others[i].dones);
        assert_int_equal(others[i].err.code, ERR_NONE);
        buf_done(&others[i].body);
    }
    assert_true(f->server.connections <= 4);
    conn_write(f->server.parked, STR("3\r\nmor\r\n"));
    TURN_UNTIL(f->loop, parked.body.n == 8);
    assert_int_equal(parked.dones, 0);
    conn_close(f->server.parked, "cut");
    TURN_UNTIL(f->loop, parked.dones);
    assert_int_not_equal(parked.err.code, ERR_NONE);
    buf_done(&parked.body);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_kit_set_up, http_kit_tear_down)
    const struct CMUnitTest tests[] = {
        T(give_up),   T(abort_anywhere), T(silence_ends), T(limits),
        T(gzip_bomb), T(parked_stream),  T(sent_once),    T(free_client_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
