/* SPDX-License-Identifier: Apache-2.0 */
/* login_abandon(): what becomes of a request that went ahead with an unproven password when its owner leaves. */
#include "backends/common/login.h"
#include "tests/unit/http_kit.h"

#include <stdio.h>

/* A request with its pass, as a backend has it. */
struct asker {
    struct fixture *f;
    struct login *login;
    const char *path;
    struct login_pass *pass;
    struct http_request *request;
    struct err err;
    int told, heard;
    bool reads; /* the body is drawn */
};

static bool on_head(void *ud, struct http_request *req, int status)
{
    struct asker *a = ud;
    (void)req;
    (void)status;
    a->heard++;
    return true;
}

static void on_done(void *ud, struct http_request *req, const struct err *err)
{
    struct asker *a = ud;
    (void)err;
    login_result(a->pass, http_status(req) == 401 ? LOGIN_REFUSED : LOGIN_ACCEPTED);
    login_end(&a->pass);
    a->request = NULL;
    a->heard++;
}

static size_t read_body(void *ud, char *to, size_t n)
{
    (void)ud;
    memset(to, 'x', n);
    return n;
}

static void on_pass(void *ud, const struct err *err, const char *secret)
{
    struct asker *a = ud;
    static const struct http_events events = {.on_head = on_head, .on_done = on_done};
    char url[256];
    a->told++;
    a->err = *err;
    if (err->code != ERR_NONE)
        return;
    snprintf(url, sizeof(url), "%s%s", a->f->url, a->path);
    struct http_request_opts opts = {
        .method = "POST", .url = url, .auth = HTTP_AUTH_BASIC, .user = "alice", .secret = secret};
    if (a->reads) {
        opts.body_size = 1000;
        opts.read = read_body;
    } else {
        opts.body = STR("hello");
    }
    a->request = http_start(a->f->client, &opts, &events, a);
}

static struct login *make(struct fixture *f, enum http_auth auth)
{
    return login_new(
        f->loop,
        &(struct login_opts){
            .name = "work", .user = "alice", .auth = auth, .source = LOGIN_COMMAND, .command_or_file = "echo wrong"});
}

static void ask(struct asker *a, const char *path)
{
    a->path = path;
    a->told = a->heard = 0;
    a->pass = login_ask(a->login, &(struct login_ask){.patience_s = 1}, on_pass, a);
}

/* Asks, and leaves when the server has the request. */
static void ask_and_leave(struct asker *a, const char *path)
{
    ask(a, path);
    TURN_UNTIL(a->f->loop, a->f->server.parked);
    login_abandon(&a->pass, &a->request);
    assert_null(a->pass);
    assert_null(a->request);
}

static void say(struct fixture *f, const char *answer)
{
    conn_write(f->server.parked, str_from(answer));
    f->server.parked = NULL;
}

#define REFUSAL "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"

/* The one who waits hears of the refusal, and so do all after him: the password went out once. */
static void refusal_counts(void **state)
{
    struct fixture *f = *state;
    struct login *l = make(f, HTTP_AUTH_BASIC);
    struct asker gone = {.f = f, .login = l}, next = {.f = f, .login = l};
    ask_and_leave(&gone, "/silent");
    ask(&next, "/echo");
    TURN_FOR(f->loop, 50);
    assert_int_equal(next.told, 0);
    assert_non_null(f->server.parked);
    say(f, REFUSAL);
    TURN_UNTIL(f->loop, next.told);
    assert_int_equal(next.err.code, ERR_AUTH);
    login_end(&next.pass);
    ask(&next, "/echo");
    TURN_UNTIL(f->loop, next.told);
    assert_int_equal(next.err.code, ERR_AUTH);
    login_end(&next.pass);
    assert_int_equal(f->server.requests, 1);
    assert_int_equal(gone.heard, 0);
    login_free(&l);
}

/* Any other status says nothing of the password, and its body, which may never end, is not waited for. */
static void another_status(void **state)
{
    struct fixture *f = *state;
    struct login *l = make(f, HTTP_AUTH_BASIC);
    struct asker gone = {.f = f, .login = l}, next = {.f = f, .login = l};
    ask_and_leave(&gone, "/silent");
    ask(&next, "/echo");
    say(f, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nand no more");
    TURN_UNTIL(f->loop, next.heard == 2);
    assert_int_equal(next.err.code, ERR_NONE);
    assert_int_equal(gone.heard, 0);
    login_free(&l);
}

/* No answer: the others are told after LOGIN_SILENCE_MS that there is none, and the next one goes ahead. */
static void silence(void **state)
{
    struct fixture *f = *state;
    struct login *l = make(f, HTTP_AUTH_BASIC);
    struct asker gone = {.f = f, .login = l}, waits = {.f = f, .login = l}, next = {.f = f, .login = l};
    ask_and_leave(&gone, "/silent");
    ask(&waits, "/echo");
    TURN_UNTIL(f->loop, waits.told);
    assert_int_equal(waits.err.code, ERR_OFFLINE);
    login_end(&waits.pass);
    TURN_UNTIL(f->loop, !f->server.parked); /* it is given up */
    ask(&next, "/echo");
    TURN_UNTIL(f->loop, next.heard == 2);
    login_free(&l);
}

/* The connections of the account, or the whole login, end first. */
static void ends_first(void **state)
{
    struct fixture *f = *state;
    struct login *l = make(f, HTTP_AUTH_BASIC);
    struct asker gone = {.f = f, .login = l}, next = {.f = f, .login = l};
    ask_and_leave(&gone, "/silent");
    ask(&next, "/echo");
    http_client_free(&f->client);
    f->client = http_client_new(f->loop, &(struct http_client_opts){.max_connections = 4});
    TURN_UNTIL(f->loop, next.heard == 2);
    login_free(&l);
    l = make(f, HTTP_AUTH_BASIC);
    gone.login = l;
    ask_and_leave(&gone, "/silent");
    login_free(&l);
    TURN_UNTIL(f->loop, f->server.open == 0 || !f->server.parked);
    assert_int_equal(gone.heard, 0);
}

/* Nothing is left behind where nothing is to be learnt: a proven password, a scheme without one, a request that has not
 * gone out, one whose body is the owner's. */
static void nothing_to_learn(void **state)
{
    struct fixture *f = *state;
    struct login *l = make(f, HTTP_AUTH_BASIC), *token = make(f, HTTP_AUTH_BEARER);
    struct asker first = {.f = f, .login = l}, a = {.f = f, .login = l}, b = {.f = f, .login = token};
    ask(&a, "/silent");
    TURN_UNTIL(f->loop, a.request);
    login_abandon(&a.pass, &a.request);
    a.reads = true;
    ask_and_leave(&a, "/silent");
    TURN_UNTIL(f->loop, !f->server.parked);
    a.reads = false;
    ask(&first, "/echo");
    TURN_UNTIL(f->loop, first.heard == 2);
    ask_and_leave(&a, "/silent");
    TURN_UNTIL(f->loop, !f->server.parked);
    ask_and_leave(&b, "/silent");
    TURN_UNTIL(f->loop, !f->server.parked);
    assert_int_equal(f->server.requests, 4);
    ask(&a, "/echo");
    login_abandon(&a.pass, &a.request); /* still waiting */
    login_abandon(&a.pass, &a.request);
    login_free(&l);
    login_free(&token);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_kit_set_up, http_kit_tear_down)
    const struct CMUnitTest tests[] = {
        T(refusal_counts), T(another_status), T(silence), T(ends_first), T(nothing_to_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
