/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_session.h"

#include <string.h>

#include "bridge/base/rand.h"
#include "bridge/base/text.h"
#include "protocols/caldav/dav_guard.h"

#define REALM "WWW-Authenticate: Basic realm=\"exbridge\", charset=\"UTF-8\"\r\n"

/* --- life ------------------------------------------------------------------------------------- */

static void on_later(void *ud);
static void on_slow_head(void *ud);

void dav_session_start(struct client *c)
{
    struct dav_session *s = (struct dav_session *)c;
    const struct caldav_limits *l = &dav_server_of(s)->limits;
    s->http = dav_http_new(&(struct dav_http_limits){
        .request_line = l->request_line, .headers = l->headers, .header_count = l->header_count, .body = l->body});
    rand_bytes(s->salt, sizeof(s->salt));
    deferred_init(&s->later, on_later, s);
    s->head_timer = timer_new(c->loop, on_slow_head, s);
}

void dav_session_stop(struct client *c)
{
    struct dav_session *s = (struct dav_session *)c;
    waiter_cancel(&s->work.folders);
    calendar_wait_cancel(&s->work.calendar);
    calendar_get_cancel(&s->work.get);
    calendar_detach(&s->work.write);
    change_detach(&s->work.change);
    op_cancel(&s->work.op);
    loop_defer_cancel(&s->later);
    timer_stop(s->head_timer);
    s->waiting = false;
}

void dav_session_free(struct client *c)
{
    struct dav_session *s = (struct dav_session *)c;
    dav_http_free(&s->http);
    timer_free(&s->head_timer);
    dav_stream_drop(s);
    arena_done(&s->arena);
}

bool dav_session_busy(const struct client *c)
{
    const struct dav_session *s = (const struct dav_session *)c;
    return s->waiting;
}

void dav_session_goodbye(struct client *c, enum goodbye why, const char *text)
{
    struct dav_session *s = (struct dav_session *)c;
    struct buf *out = &c->out;
    /* Between requests a connection is closed without a word (RFC 9112 9.5). */
    if (s->stream.begun) /* half of an answer has gone out: nothing can be said any more */
        return;
    if (dav_http_is_idle(s->http) && (why == GOODBYE_IDLE || why == GOODBYE_SHUTDOWN || why == GOODBYE_SIGN_IN))
        return;
    int status = why == GOODBYE_FAILURES ? 403 : why == GOODBYE_BAD ? 400 : 503;
    buf_printf(out,
               "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
               "%zu\r\n\r\n%s\n",
               status, dav_reason(status), strlen(text) + 1, text);
}

/* --- from request to request ------------------------------------------------------------------ */

static void forget_request(struct dav_session *s)
{
    dav_stream_drop(s);
    arena_done(&s->arena);
    s->path = (struct dav_path){.place = DAV_AT_NOWHERE};
    s->body = (struct dav_body){.root = DAV_ID_NONE};
    s->calendar = (struct calendar){0};
    s->then = NULL;
    s->state = NULL;
    s->refused = s->answered = s->over = false;
    s->request = NULL;
    dav_http_next(s->http);
}

/* Methods use what is theirs after they have answered: the request goes when the next one is looked for. */
void dav_request_over(struct dav_session *s)
{
    bool keep = s->request && s->request->keep_alive && !s->closing;
    bool was_waiting = s->waiting;
    s->waiting = false;
    s->over = !s->refused;
    if (!keep)
        client_close(&s->client, "the last request");
    else if (was_waiting)
        loop_defer(s->client.loop, &s->later);
}

static void on_later(void *ud)
{
    struct dav_session *s = ud;
    client_go_on(&s->client);
}

/* Refused before its body was read: the body goes nowhere. A client that waits for a word before it sends the body may
 * never send it after this one: then the connection ends. */
static void refuse(struct dav_session *s, int status, const char *headers)
{
    const struct dav_request *r = s->request;
    dav_http_drop_body(s->http);
    s->refused = true;
    s->closing = r->has_body && r->expects_continue;
    dav_answer(s, status, headers, NULL, STR_NULL);
}

/* --- signing in ------------------------------------------------------------------------------- */

static struct crypto_hash salted(const struct dav_session *s, struct str authorization)
{
    return crypto_hmac_sha256(str_of(s->salt, sizeof(s->salt)), authorization);
}

static bool needs_no_account(const struct dav_session *s)
{
    return s->path.place == DAV_AT_WELL_KNOWN || (s->path.place == DAV_AT_ROOT && s->request->method == DAV_OPTIONS);
}

static void begin_body(struct dav_session *s)
{
    if (s->request->expects_continue)
        buf_lit(&s->client.out, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void on_signed_in(struct dav_session *s);

static void on_login(struct client *c, enum client_login_status status, const struct err *err)
{
    struct dav_session *s = (struct dav_session *)c;
    s->waiting = false;
    if (status == CLIENT_LOGIN_DONE) {
        s->accepted = salted(s, dav_header_get(s->request, "Authorization"));
        s->has_accepted = true;
        on_signed_in(s);
    } else if (status == CLIENT_LOGIN_WRONG) {
        refuse(s, 401, REALM);
    } else if (status == CLIENT_LOGIN_MANY) {
        refuse(s, 503, "Retry-After: 10\r\n");
    } else {
        refuse(s, 503, err->code == ERR_THROTTLED ? "Retry-After: 60\r\n" : "Retry-After: 30\r\n");
    }
    client_go_on(c);
}

static bool split_basic(struct str authorization, struct buf *plain, struct str *ret_user, struct str *ret_password)
{
    if (!str_case_starts(authorization, STR("Basic ")) ||
        !text_base64_decode(plain, str_trim(str_skip(authorization, 6))))
        return false;
    size_t colon = str_find_byte(buf_view(plain), ':');
    if (colon == (size_t)-1)
        return false;
    *ret_user = str_sub(buf_view(plain), 0, colon);
    *ret_password = str_skip(buf_view(plain), colon + 1);
    return true;
}

/* True: go on with the body. */
static bool authenticate(struct dav_session *s)
{
    struct str authorization = dav_header_get(s->request, "Authorization"), user, password;
    struct buf plain = BUF_INIT(8192);
    if (needs_no_account(s))
        return true;
    if (!authorization.p) {
        refuse(s, 401, REALM);
        return false;
    }
    if (s->has_accepted) {
        struct crypto_hash now = salted(s, authorization);
        if (crypto_equal(str_of(now.b, sizeof(now.b)), str_of(s->accepted.b, sizeof(s->accepted.b))))
            return true;
    }
    if (!split_basic(authorization, &plain, &user, &password)) {
        buf_wipe(&plain);
        client_login_failed(&s->client);
        if (!s->client.ending)
            refuse(s, 401, REALM);
        return false;
    }
    s->waiting = true;
    client_sign_in(&s->client, user, password, on_login);
    buf_wipe(&plain);
    return false;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void on_head(struct dav_session *s)
{
    const struct caldav_server_opts *o = dav_server_of(s);
    struct dav_guard guard = {o->tls, o->port, o->host_name};
    s->request = dav_http_request(s->http);
    int status = dav_guard_check(&guard, s->request);
    if (!status && !dav_path_parse(s->request->target, dav_header_get(s->request, "Host"), &s->arena, &s->path) &&
        !str_is(s->request->target, "*"))
        status = 400;
    if (status)
        refuse(s, status, NULL);
    else if (authenticate(s))
        begin_body(s);
}

/* Who sends a head in drops would hold a connection for as long as they like. */
static void on_slow_head(void *ud)
{
    struct dav_session *s = ud;
    buf_lit(&s->client.out, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    client_close(&s->client, "the head of a request did not come in time");
}

static void on_bad(struct dav_session *s, int status)
{
    struct buf *out = &s->client.out;
    buf_printf(out, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status, dav_reason(status));
    client_close(&s->client, "not HTTP/1.1, or over a limit");
}

/* Takes what there is up to a whole request. The end of one without a body takes no byte: it has to be looked for even
 * when *in is empty. False: nothing more can be taken now. */
static bool pump(struct dav_session *s, struct str *in)
{
    int status = 0;
    if (s->over)
        forget_request(s);
    while (!s->waiting && !s->client.ending) {
        switch (dav_http_read(s->http, in, &status)) {
        case DAV_HTTP_MORE:
            if (!s->request && !s->refused && !s->has_head_begun && !dav_http_is_idle(s->http)) {
                s->has_head_begun = true;
                timer_start(s->head_timer, (uint64_t)dav_server_of(s)->limits.header_s * 1000);
            }
            return false;
        case DAV_HTTP_HEAD:
            s->has_head_begun = false;
            timer_stop(s->head_timer);
            on_head(s);
            break;
        case DAV_HTTP_DONE:
            if (s->refused)
                forget_request(s);
            else
                dav_dispatch(s);
            return true;
        case DAV_HTTP_BAD:
            on_bad(s, status);
            return false;
        }
    }
    return false;
}

static void on_signed_in(struct dav_session *s)
{
    struct str none = STR("");
    begin_body(s);
    pump(s, &none);
}

bool dav_session_read(struct client *c, struct str *in)
{
    return pump((struct dav_session *)c, in);
}
