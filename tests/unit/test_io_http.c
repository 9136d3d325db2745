/* SPDX-License-Identifier: Apache-2.0 */
/* http.h against a small server made of conn.h on the same loop. */
#include "bridge/io/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/io/conn.h"
#include "bridge/io/tls.h"
#include "certs/certs.h"
#include "tests/unit/test_loop.h"

/* --- the server: answers by path ----------------------------------------------------------------- */

struct server {
    struct loop *loop;
    struct conn_listener *listener;
    unsigned requests, connections, open;
    size_t body_bytes; /* of the last request */
    struct buf head;   /* of the last request */
    struct blob *big;
    struct conn *parked;
    void *now; /* struct served */
};

struct served {
    struct server *server;
    unsigned requests;
};

static const char gzip_hello[] =
    "1f8b08000000000000030bc9485528cb4c2d5748ad482c4a4dcc51c84d2d2e4e4c0700dc46410217000000";

static void answer(struct conn *c, const char *status, const char *headers, struct str body)
{
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, body.n);
    buf_str(&b, body);
    conn_write(c, buf_view(&b));
    buf_done(&b);
}

static void answer_bomb(struct server *s, struct conn *c)
{
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %llu\r\n\r\n",
               (unsigned long long)blob_size(s->big));
    conn_write(c, buf_view(&b));
    conn_write_blob(c, s->big, 0, blob_size(s->big));
    buf_done(&b);
}

static bool answer_odd(struct server *s, struct conn *c, struct str path)
{
    if (str_is(path, "/cut")) {
        conn_write(c, STR("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"));
        conn_close(c, "cut");
    } else if (str_is(path, "/reset")) {
        conn_abort(c, "reset");
    } else if (str_is(path, "/dead") && ((struct served *)s->now)->requests > 1) {
        conn_abort(c, "dead"); /* a kept connection that the server has closed meanwhile */
    } else if (str_is(path, "/garbage")) {
        conn_write(c, STR("220 mail.example.com ESMTP\r\n"));
        conn_close(c, "garbage");
    } else if (str_is(path, "/park")) {
        conn_write(c, STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
        s->parked = c;
    } else if (str_is(path, "/silent")) {
        s->parked = c;
    } else if (str_is(path, "/bomb")) {
        answer_bomb(s, c);
    } else if (str_is(path, "/headers")) {
        conn_write(c, STR("HTTP/1.1 200 OK\r\n"));
        for (int i = 0; i < 300; i++) {
            struct buf b = BUF_INIT(0);
            buf_printf(&b, "X-%d: ", i);
            buf_fill(&b, 'x', 1000);
            buf_lit(&b, "\r\n");
            conn_write(c, buf_view(&b));
            buf_done(&b);
        }
        conn_write(c, STR("Content-Length: 0\r\n\r\n"));
    } else {
        return false;
    }
    return true;
}

static void answer_request(struct server *s, struct conn *c, struct str method, struct str path, struct str body)
{
    struct buf b = BUF_INIT(0);
    if (answer_odd(s, c, path)) {
        return;
    } else if (str_is(path, "/echo")) {
        answer(c, "200 OK", "Content-Type: text/plain\r\nX-Many: one\r\nX-Many: two\r\n", body);
    } else if (str_is(path, "/gzip")) {
        text_hex_decode(&b, str_from(gzip_hello));
        answer(c, "200 OK", "Content-Encoding: gzip\r\n", buf_view(&b));
    } else if (str_is(path, "/redirect")) {
        answer(c, "302 Found", "Location: /echo\r\n", STR("go away"));
    } else if (str_is(path, "/busy")) {
        answer(c, "503 Service Unavailable", "Retry-After: 7\r\n", STR_NULL);
    } else if (str_is(path, "/cookie")) {
        answer(c, "200 OK", "Set-Cookie: X-BackEndCookie=abc; path=/; HttpOnly\r\n", STR("set"));
    } else if (str_is(path, "/ntlm")) {
        answer(c, "401 Unauthorized", "WWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate\r\n", STR("who are you?"));
    } else if (str_is(path, "/unzip")) {
        answer(c, "200 OK", "Content-Encoding: gzip\r\n", STR("this is no gzip"));
    } else {
        answer(c, "200 OK", "", method);
    }
    buf_done(&b);
}

/* One request from the input, if it is complete. */
static bool serve_one(struct server *s, struct conn *c)
{
    struct str in = conn_input(c);
    size_t end = str_find(in, STR("\r\n\r\n"));
    if (end == (size_t)-1)
        return false;
    struct str head = str_sub(in, 0, end + 2), line = head, method, path;
    uint64_t length = 0;
    size_t at = str_case_find(head, STR("\r\ncontent-length:"));
    if (at != (size_t)-1) {
        struct str value = str_skip(head, at + 17);
        str_to_u64(str_trim(str_sub(value, 0, str_find_byte(value, '\r'))), &length);
    }
    if (in.n - (end + 4) < length)
        return false;
    s->requests++;
    ((struct served *)s->now)->requests++;
    s->body_bytes = (size_t)length;
    buf_reset(&s->head);
    buf_str(&s->head, head);
    str_cut(&line, ' ', &method);
    str_cut(&line, ' ', &path);
    answer_request(s, c, method, path, str_sub(in, end + 4, (size_t)length));
    conn_consume(c, end + 4 + (size_t)length);
    return true;
}

static void on_conn(void *ud, struct conn *c, enum conn_event event)
{
    struct served *v = ud;
    v->server->now = v;
    if (event == CONN_DATA)
        while (!conn_closing(c) && serve_one(v->server, c))
            ;
    if (event == CONN_ENDED)
        conn_close(c, "ended");
    if (event == CONN_CLOSED) {
        if (v->server->parked == c)
            v->server->parked = NULL;
        v->server->open--;
        mem_free(v);
    }
}

static void on_accept(void *ud, struct conn *c)
{
    struct served *v = MEM_NEW(struct served);
    v->server = ud;
    v->server->connections++;
    v->server->open++;
    conn_set_handler(c, on_conn, v);
}

/* --- the client side ----------------------------------------------------------------------------- */

struct fixture {
    struct loop *loop;
    struct server server;
    struct http_client *client;
    char url[128];
};

enum on_what { NEVER, ON_HEAD, ON_BODY, ON_DONE };

struct answer {
    struct fixture *f;
    struct http_request *req;
    struct buf body;
    int status, heads, dones;
    unsigned retry_after_s;
    enum http_failure failure;
    bool sent, refuse_head, refuse_body, in_start;
    char header[64];
    struct err err;
    enum on_what abort_when, free_client_when, start_when;
    struct answer *abort_also, *start_also;
    size_t cut_at;
};

static void start(struct answer *a, const char *method, const char *path, struct str body);

static void misbehave(struct answer *a, enum on_what when)
{
    assert_false(a->in_start);
    if (a->abort_also && a->abort_when == when)
        http_abort(&a->abort_also->req);
    else if (a->abort_when == when)
        http_abort(&a->req);
    if (a->start_when == when && a->start_also) {
        struct answer *other = a->start_also;
        a->start_also = NULL;
        start(other, "GET", "/other", STR_NULL);
    }
    if (a->free_client_when == when)
        http_client_free(&a->f->client);
}

static bool on_head(void *ud, struct http_request *req, int status)
{
    struct answer *a = ud;
    a->heads++;
    a->status = status;
    const char *many = http_header(req, "x-many");
    if (many)
        snprintf(a->header, sizeof(a->header), "%s/%s", many, http_header_nth(req, "X-Many", 0));
    misbehave(a, ON_HEAD);
    return !a->refuse_head;
}

static bool on_body(void *ud, struct http_request *req, struct str bytes)
{
    struct answer *a = ud;
    (void)req;
    assert_int_equal(a->heads, 1);
    if (a->body.n < 1000000)
        buf_str(&a->body, bytes);
    misbehave(a, ON_BODY);
    return !a->refuse_body;
}

static void on_done(void *ud, struct http_request *req, const struct err *err)
{
    struct answer *a = ud;
    a->dones++;
    a->err = *err;
    a->status = http_status(req);
    a->sent = http_request_was_sent(req);
    a->retry_after_s = http_retry_after_s(req);
    a->failure = http_failure(req);
    misbehave(a, ON_DONE);
    a->req = NULL;
}

static const struct http_events events = {on_head, on_body, on_done};

static void start_with(struct answer *a, struct http_request_opts *opts, const char *path)
{
    char url[256];
    snprintf(url, sizeof(url), "%s%s", a->f->url, path);
    opts->url = url;
    a->in_start = true;
    a->req = http_start(a->f->client, opts, &events, a);
    a->in_start = false;
}

static void start(struct answer *a, const char *method, const char *path, struct str body)
{
    struct http_request_opts opts = {.method = method, .body = body};
    start_with(a, &opts, path);
}

static int set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct err err;
    f->loop = loop_new();
    f->server.loop = f->loop;
    f->server.listener = conn_listen(
        f->loop,
        &(struct conn_listen_opts){
            .name = "stub", .address = "127.0.0.1", .max_connections = 100, .same_user = true, .input_limit = 80 << 20},
        on_accept, &f->server, &err);
    assert_non_null(f->server.listener);
    f->client =
        http_client_new(f->loop, &(struct http_client_opts){.user_agent = "exbridge-test", .max_connections = 4});
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", conn_listener_port(f->server.listener));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_client_free(&f->client);
    conn_listener_free(&f->server.listener);
    TURN_UNTIL(f->loop, f->server.open == 0);
    loop_free(f->loop);
    buf_done(&f->server.head);
    blob_unref(&f->server.big);
    mem_free(f);
    return 0;
}

static void expect_head(struct fixture *f, const char *text)
{
    if (str_case_find(buf_view(&f->server.head), str_from(text)) == (size_t)-1)
        fail_msg("%s is not in:\n%s", text, buf_z(&f->server.head));
}

/* --- tests
 * ----------------------------------------------------------------------------------------------------------------------
 */

static void get_and_reuse(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct answer a = {.f = f};
        start(&a, "POST", "/echo", STR("hello"));
        assert_int_equal(a.dones, 0);
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, ERR_NONE);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.heads, 1);
        assert_true(a.sent);
        assert_string_equal(buf_z(&a.body), "hello");
        assert_string_equal(a.header, "two/one");
        buf_done(&a.body);
    }
    assert_int_equal(f->server.connections, 1);
    expect_head(f, "user-agent: exbridge-test\r\n");
    expect_head(f, "accept-encoding: gzip, deflate\r\n");
    assert_int_equal(str_case_find(buf_view(&f->server.head), STR("content-type")), (size_t)-1);
    assert_int_equal(str_case_find(buf_view(&f->server.head), STR("expect")), (size_t)-1);
}

static void forget_connections(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct answer a = {.f = f};
        start(&a, "GET", "/", STR_NULL);
        TURN_UNTIL(f->loop, a.dones);
        buf_done(&a.body);
        http_client_forget_connections(f->client);
    }
    assert_int_equal(f->server.connections, 2);
    struct answer parked = {.f = f}, other = {.f = f};
    start(&parked, "GET", "/park", STR_NULL);
    TURN_UNTIL(f->loop, parked.body.n == 5);
    http_client_forget_connections(f->client); /* what is under way goes on */
    start(&other, "GET", "/", STR_NULL);
    TURN_UNTIL(f->loop, other.dones);
    conn_write(f->server.parked, STR("1\r\n!\r\n0\r\n\r\n"));
    TURN_UNTIL(f->loop, parked.dones);
    assert_int_equal(parked.err.code, ERR_NONE);
    assert_string_equal(buf_z(&parked.body), "hello!");
    buf_done(&parked.body);
    buf_done(&other.body);
}

static void methods(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"GET", "OPTIONS", "POST"};
    for (size_t i = 0; i < 3; i++) {
        struct answer a = {.f = f};
        start(&a, names[i], "/method", STR_NULL);
        TURN_UNTIL(f->loop, a.dones);
        assert_string_equal(buf_z(&a.body), names[i]);
        assert_true(a.sent);
        buf_done(&a.body);
    }
}

static void odd_answers(void **state)
{
    static const struct {
        const char *path;
        enum err_code code;
        int status;
        unsigned retry_after_s;
    } table[] = {
        {"/cut", ERR_PROTOCOL, 200, 0},   {"/reset", ERR_OFFLINE, 0, 0}, {"/garbage", ERR_INVALID, 0, 0},
        {"/redirect", ERR_NONE, 302, 0},  {"/busy", ERR_NONE, 503, 7},   {"/headers", ERR_TOO_BIG, 200, 0},
        {"/unzip", ERR_PROTOCOL, 200, 0}, {"/ntlm", ERR_NONE, 401, 0},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        start(&a, "GET", table[i].path, STR_NULL);
        TURN_UNTIL(f->loop, a.dones);
        if (strcmp(table[i].path, "/garbage") == 0) /* HTTP/0.9 and the like */
            assert_true(a.err.code == ERR_PROTOCOL || a.err.code == ERR_INVALID);
        else if (a.err.code != table[i].code || a.status != table[i].status)
            fail_msg("%s: %s %d %s", table[i].path, err_name(a.err.code), a.status, a.err.text);
        assert_int_equal(a.retry_after_s, table[i].retry_after_s);
        assert_int_equal(a.dones, 1);
        buf_done(&a.body);
    }
    assert_int_equal(f->server.requests, sizeof(table) / sizeof(table[0])); /* nothing followed, nothing sent twice */
}

/* A mere look over http:// is allowed to any host, but nothing may go along. */
static void plain_look(void **state)
{
    struct fixture *f = *state;
    const struct http_request_opts table[] = {
        {.method = "GET", .plain = true},
        {.method = "GET"},
        {.method = "POST", .plain = true},
        {.method = "GET", .plain = true, .body = STR("x")},
        {.method = "GET", .plain = true, .auth = HTTP_AUTH_BASIC, .user = "u", .secret = "p"},
        {.method = "GET", .plain = true, .auth = HTTP_AUTH_BEARER, .secret = "t"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        struct http_request_opts opts = table[i];
        opts.url = "http://[::ffff:127.0.0.1]:1/"; /* this machine by a name that does not count as such; no server */
        a.req = http_start(f->client, &opts, &events, &a);
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, i == 0 ? ERR_OFFLINE : ERR_INVALID);
        if (i == 0)
            assert_int_equal(a.failure, HTTP_FAILED_CONNECT);
    }
}

static void refused_before_sending(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *url, *header;
    } table[] = {
        {"http://example.com/", "x"},
        {"ftp://127.0.0.1/", "x"},
        {"not a url at all", "x"},
        {"http://127.0.0.1.example.com/", "x"},
        {"http://127.0.0.1/", "x\r\nEvil: yes"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        struct http_header h = {"X-Test", table[i].header};
        struct http_request_opts opts = {.method = "GET", .url = table[i].url, .headers = &h, .header_count = 1};
        a.req = http_start(f->client, &opts, &events, &a);
        assert_int_equal(a.dones, 0);
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, ERR_INVALID);
        assert_false(a.sent);
    }
    struct answer a = {.f = f};
    struct http_request_opts opts = {.method = "GET", .url = "http://127.0.0.1:1/"};
    a.req = http_start(f->client, &opts, &events, &a);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_OFFLINE);
    assert_non_null(strstr(a.err.text, "127.0.0.1: "));
}

static void compressed(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f};
    start(&a, "GET", "/gzip", STR_NULL);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_string_equal(buf_z(&a.body), "The view exareal messag");
    buf_done(&a.body);
}

static void authentication(void **state)
{
    static const struct {
        enum http_auth auth;
        const char *expected;
        int status;
    } table[] = {
        {HTTP_AUTH_BASIC, "authorization: Basic RVhBTVBMRVxhbGljZTpwOnc=\r\n", 200},
        {HTTP_AUTH_BEARER, "authorization: Bearer p:w\r\n", 200},
        {HTTP_AUTH_NONE, "GET /method HTTP/1.1\r\n", 200},
        {HTTP_AUTH_NTLM, "authorization: NTLM TlRMTVNTUA", 200},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        struct http_request_opts opts = {
            .method = "GET", .auth = table[i].auth, .user = "EXAMPLE\\alice", .secret = "p:w"};
        start_with(&a, &opts, "/method");
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, ERR_NONE);
        expect_head(f, table[i].expected);
        if (table[i].auth == HTTP_AUTH_NONE)
            assert_int_equal(str_case_find(buf_view(&f->server.head), STR("authorization")), (size_t)-1);
        buf_done(&a.body);
    }
    /* Never a scheme that was not chosen, whatever the server offers. */
    struct answer a = {.f = f};
    struct http_request_opts opts = {.method = "GET", .auth = HTTP_AUTH_BASIC, .user = "alice", .secret = "pw"};
    unsigned before = f->server.requests;
    start_with(&a, &opts, "/ntlm");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_int_equal(a.status, 401);
    assert_int_equal(a.heads, 1);
    assert_int_equal(f->server.requests, before + 1);
    assert_string_equal(buf_z(&a.body), "who are you?");
    buf_done(&a.body);
}

static void cookies(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f}, b = {.f = f}, c = {.f = f};
    start(&a, "GET", "/cookie", STR_NULL);
    TURN_UNTIL(f->loop, a.dones);
    start(&b, "GET", "/method", STR_NULL);
    TURN_UNTIL(f->loop, b.dones);
    expect_head(f, "cookie: X-BackEndCookie=abc\r\n");
    http_client_forget_cookies(f->client);
    http_client_add_cookie(f->client, "exchangecookie=1; domain=127.0.0.1; path=/");
    start(&c, "GET", "/method", STR_NULL);
    TURN_UNTIL(f->loop, c.dones);
    expect_head(f, "cookie: exchangecookie=1\r\n");
    buf_done(&a.body);
    buf_done(&b.body);
    buf_done(&c.body);
}

static void give_up(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f, .refuse_head = true}, b = {.f = f, .refuse_body = true};
    start(&a, "POST", "/echo", STR("x"));
    start(&b, "POST", "/echo", STR("x"));
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
        start(&a, "POST", "/echo", STR("x"));
        start(&last, "POST", "/echo", STR("y"));
        TURN_UNTIL(f->loop, last.dones);
        TURN_FOR(f->loop, 20);
        assert_int_equal(a.dones, when == ON_DONE ? 1 : 0);
        buf_done(&a.body);
        buf_done(&last.body);
    }
    for (enum on_what when = ON_HEAD; when <= ON_DONE; when++) {
        struct answer parked = {.f = f}, a = {.f = f, .abort_when = when, .abort_also = &parked}, n = {.f = f};
        start(&parked, "GET", "/park", STR_NULL);
        TURN_UNTIL(f->loop, parked.body.n);
        a.start_when = when;
        a.start_also = &n;
        start(&a, "POST", "/echo", STR("x"));
        TURN_UNTIL(f->loop, a.dones && n.dones);
        assert_int_equal(parked.dones, 0);
        assert_null(parked.req);
        buf_done(&parked.body);
        buf_done(&a.body);
        buf_done(&n.body);
    }
    struct answer early = {.f = f};
    start(&early, "GET", "/", STR_NULL);
    http_abort(&early.req); /* before it began */
    http_abort(&early.req);
    start(&early, "GET", "/silent", STR_NULL);
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
        start(&parked, "GET", "/park", STR_NULL);
        TURN_UNTIL(f->loop, parked.body.n);
        start(&a, "POST", "/echo", STR("x"));
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
    start_with(&a, &opts, "/silent");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_OFFLINE);
    assert_true(a.sent);
    opts = (struct http_request_opts){.method = "GET", .timeout_s = 1};
    start_with(&b, &opts, "/park");
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
    start_with(&a, &opts, "/echo");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_TOO_BIG);
    opts.max_answer = 300000;
    buf_done(&a.body);
    a = (struct answer){.f = f};
    start_with(&a, &opts, "/echo");
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
    start(&a, "GET", "/bomb", STR_NULL);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_TOO_BIG);
    buf_done(&a.body);
}

static size_t read_body(void *ud, char *to, size_t n)
{
    struct answer *a = ud;
    if (n > 10000)
        n = 10000;
    if (a->cut_at && a->cut_at < n)
        n = 0;
    memset(to, 'r', n);
    if (a->cut_at)
        a->cut_at -= n;
    return n;
}

static void uploads(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new("/tmp", 20 << 20);
    char piece[10000];
    memset(piece, 'b', sizeof(piece));
    for (int i = 0; i < 500; i++)
        assert_true(blob_add(blob, str_of(piece, sizeof(piece)), NULL));
    assert_true(blob_finish(blob, NULL));
    struct answer a = {.f = f}, b = {.f = f}, c = {.f = f, .cut_at = 45000};
    struct http_request_opts opts = {.method = "POST", .body_blob = blob};
    start_with(&a, &opts, "/method");
    blob_unref(&blob);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_true(a.sent);
    assert_int_equal(f->server.body_bytes, 5000000);
    opts = (struct http_request_opts){.method = "POST", .read = read_body, .body_size = 123456};
    start_with(&b, &opts, "/method");
    TURN_UNTIL(f->loop, b.dones);
    assert_int_equal(b.err.code, ERR_NONE);
    assert_int_equal(f->server.body_bytes, 123456);
    start_with(&c, &opts, "/method");
    TURN_UNTIL(f->loop, c.dones);
    assert_int_equal(c.err.code, ERR_INTERNAL);
    assert_false(c.sent);
    buf_done(&a.body);
    buf_done(&b.body);
}

/* libcurl repeats a request when a kept connection was dead. Never so for one that must not be carried out twice. */
static void sent_once(void **state)
{
    struct fixture *f = *state;
    struct answer first = {.f = f}, read = {.f = f}, again = {.f = f}, write = {.f = f}, reset = {.f = f};
    start(&first, "GET", "/", STR_NULL);
    TURN_UNTIL(f->loop, first.dones);
    start(&read, "POST", "/dead", STR("read"));
    TURN_UNTIL(f->loop, read.dones);
    assert_int_equal(read.err.code, ERR_NONE);
    assert_int_equal(f->server.requests, 3);
    start(&again, "GET", "/", STR_NULL);
    TURN_UNTIL(f->loop, again.dones);
    unsigned connections = f->server.connections;
    struct http_request_opts opts = {.method = "POST", .body = STR("write"), .once = true};
    start_with(&write, &opts, "/dead");
    TURN_UNTIL(f->loop, write.dones);
    assert_int_equal(write.err.code, ERR_NONE);
    assert_int_equal(f->server.requests, 5);
    assert_int_equal(f->server.connections, connections + 1);
    start_with(&reset, &opts, "/reset");
    TURN_UNTIL(f->loop, reset.dones);
    assert_int_equal(reset.err.code, ERR_OFFLINE);
    assert_true(reset.sent); /* the outcome is unknown */
    assert_int_equal(f->server.requests, 6);
    buf_done(&first.body);
    buf_done(&read.body);
    buf_done(&again.body);
    buf_done(&write.body);
}

/* Certificates are always checked, names too. */
static void https(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/exbridge-test-https-XXXXXX", command[64];
    struct certs certs;
    struct err err;
    assert_non_null(mkdtemp(dir));
    assert_true(certs_ensure(dir, &certs, &err));
    struct tls_server *tls = tls_server_new("http/1.1");
    assert_true(tls_server_load(tls, certs.chain_file, certs.key_file, &err));
    struct conn_listen_opts o = {
        .name = "stub", .address = "127.0.0.1", .max_connections = 9, .tls = tls, .input_limit = 1 << 20};
    struct conn_listener *l = conn_listen(f->loop, &o, on_accept, &f->server, &err);
    assert_non_null(l);
    const struct {
        const char *host, *ca;
        unsigned tls_min;
        enum err_code code;
    } table[] = {
        {"localhost", certs.ca_file, 0x0303, ERR_NONE}, {"127.0.0.1", certs.ca_file, 0x0304, ERR_NONE},
        {"localhost", NULL, 0x0303, ERR_OFFLINE},       {"127.0.0.2", certs.ca_file, 0x0303, ERR_OFFLINE},
        {"localhost", "/nonexistent", 0, ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        char url[100];
        http_client_free(&f->client);
        f->client = http_client_new(
            f->loop, &(struct http_client_opts){
                         .ca_file = table[i].ca, .tls_min = table[i].tls_min, .max_connections = 2, .proxy = ""});
        snprintf(url, sizeof(url), "https://%s:%u/method", table[i].host, conn_listener_port(l));
        struct http_request_opts opts = {
            .method = "GET", .url = url, .auth = HTTP_AUTH_BASIC, .user = "u", .secret = "p"};
        a.req = http_start(f->client, &opts, &events, &a);
        TURN_UNTIL(f->loop, a.dones);
        /* 127.0.0.2: nobody listens there, or the name is not in the certificate. */
        if (a.err.code != table[i].code)
            fail_msg("row %zu: %s %s", i, err_name(a.err.code), a.err.text);
        if (i == 2)
            assert_int_equal(a.failure, HTTP_FAILED_CERTIFICATE);
        if (i == 2)
            assert_non_null(strstr(a.err.text, "not trusted (see ca-file)"));
        assert_int_equal(a.sent, a.err.code == ERR_NONE);
        buf_done(&a.body);
    }
    conn_listener_free(&l);
    tls_server_free(&tls);
    certs_done(&certs);
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* A parked answer holds one connection; others go on beside it, up to the limit. */
static void parked_stream(void **state)
{
    struct fixture *f = *state;
    struct answer parked = {.f = f}, others[6];
    struct http_request_opts opts = {.method = "POST", .body = STR("subscribe"), .no_compression = true};
    start_with(&parked, &opts, "/park");
    TURN_UNTIL(f->loop, parked.body.n == 5);
    assert_int_equal(str_case_find(buf_view(&f->server.head), STR("accept-encoding")), (size_t)-1);
    for (size_t i = 0; i < 6; i++) {
        others[i] = (struct answer){.f = f};
        start(&others[i], "GET", "/method", STR_NULL);
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
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(get_and_reuse),
        T(forget_connections),
        T(methods),
        T(odd_answers),
        T(plain_look),
        T(refused_before_sending),
        T(compressed),
        T(authentication),
        T(cookies),
        T(give_up),
        T(abort_anywhere),
        T(silence_ends),
        T(limits),
        T(gzip_bomb),
        T(uploads),
        T(parked_stream),
        T(sent_once),
        T(https),
        T(free_client_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
