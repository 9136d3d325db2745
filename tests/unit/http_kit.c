/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_kit.h"

#include <stdio.h>
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"

/* --- the server: answers by path ----------------------------------------------------------------- */

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

void http_kit_on_accept(void *ud, struct conn *c)
{
    struct served *v = MEM_NEW(struct served);
    v->server = ud;
    v->server->connections++;
    v->server->open++;
    conn_set_handler(c, on_conn, v);
}

/* --- the client side ----------------------------------------------------------------------------- */

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
        http_kit_start(other, "GET", "/other", STR_NULL);
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

const struct http_events http_kit_events = {on_head, on_body, on_done};

void http_kit_start_with(struct answer *a, struct http_request_opts *opts, const char *path)
{
    char url[256];
    snprintf(url, sizeof(url), "%s%s", a->f->url, path);
    opts->url = url;
    a->in_start = true;
    a->req = http_start(a->f->client, opts, &http_kit_events, a);
    a->in_start = false;
}

void http_kit_start(struct answer *a, const char *method, const char *path, struct str body)
{
    struct http_request_opts opts = {.method = method, .body = body};
    http_kit_start_with(a, &opts, path);
}

int http_kit_set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct err err;
    f->loop = loop_new();
    f->server.loop = f->loop;
    f->server.listener = conn_listen(
        f->loop,
        &(struct conn_listen_opts){
            .name = "stub", .address = "127.0.0.1", .max_connections = 100, .same_user = true, .input_limit = 80 << 20},
        http_kit_on_accept, &f->server, &err);
    assert_non_null(f->server.listener);
    f->client =
        http_client_new(f->loop, &(struct http_client_opts){.user_agent = "exbridge-test", .max_connections = 4});
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", conn_listener_port(f->server.listener));
    *state = f;
    return 0;
}

int http_kit_tear_down(void **state)
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

void http_kit_expect_head(struct fixture *f, const char *text)
{
    if (str_case_find(buf_view(&f->server.head), str_from(text)) == (size_t)-1)
        fail_msg("%s is not in:\n%s", text, buf_z(&f->server.head));
}
