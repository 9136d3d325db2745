/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_http.h"

#include <string.h>

#include <llhttp.h>

#include "bridge/base/mem.h"

enum state { STATE_HEAD, STATE_BODY, STATE_DONE, STATE_BAD };

struct dav_http {
    llhttp_t parser;
    llhttp_settings_t settings;
    struct dav_http_limits limits;
    enum state state;
    bool begun;
    int status; /* why BAD */
    bool told_head, head_ended, message_ended;
    struct buf target, name, value, body;
    size_t header_bytes;
    bool in_value, dropping;
    struct arena arena;
    struct dav_header *headers;
    size_t header_room;
    struct dav_request request;
};

/* --- what llhttp calls ------------------------------------------------------------------------ */

static int bad(struct dav_http *h, int status)
{
    h->status = status;
    return -1;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    struct dav_http *h = p->data;
    return h->target.n + n > h->limits.request_line ? bad(h, 414) : buf_add(&h->target, at, n) ? 0 : bad(h, 414);
}

static int take_header(struct dav_http *h)
{
    struct dav_request *r = &h->request;
    if (r->header_count == h->limits.header_count)
        return bad(h, 431);
    if (r->header_count == h->header_room) {
        size_t room = h->header_room ? h->header_room * 2 : 16;
        struct dav_header *more = arena_array(&h->arena, room, sizeof(*more));
        if (r->header_count)
            memcpy(more, h->headers, r->header_count * sizeof(*more));
        h->headers = more;
        h->header_room = room;
    }
    h->headers[r->header_count++] = (struct dav_header){arena_str(&h->arena, buf_view(&h->name)),
                                                        arena_str(&h->arena, str_trim(buf_view(&h->value)))};
    r->headers = h->headers;
    buf_reset(&h->name);
    buf_reset(&h->value);
    h->in_value = false;
    return 0;
}

static int add_header_bytes(struct dav_http *h, struct buf *to, const char *at, size_t n)
{
    h->header_bytes += n;
    return h->header_bytes > h->limits.headers || !buf_add(to, at, n) ? bad(h, 431) : 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct dav_http *h = p->data;
    if (h->head_ended) /* trailers: nothing we want is in there */
        return 0;
    if (h->in_value && take_header(h) != 0)
        return -1;
    return add_header_bytes(h, &h->name, at, n);
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct dav_http *h = p->data;
    if (h->head_ended)
        return 0;
    h->in_value = true;
    return add_header_bytes(h, &h->value, at, n);
}

static int on_value_complete(llhttp_t *p)
{
    struct dav_http *h = p->data;
    h->in_value = !h->head_ended; /* an empty value has no on_value() */
    return 0;
}

static enum dav_method method_of(unsigned method)
{
    static const struct {
        llhttp_method_t theirs;
        enum dav_method ours;
    } table[] = {
        {HTTP_OPTIONS, DAV_OPTIONS},
        {HTTP_GET, DAV_GET},
        {HTTP_HEAD, DAV_HEAD},
        {HTTP_PUT, DAV_PUT},
        {HTTP_DELETE, DAV_DELETE},
        {HTTP_POST, DAV_POST},
        {HTTP_PROPFIND, DAV_PROPFIND},
        {HTTP_PROPPATCH, DAV_PROPPATCH},
        {HTTP_REPORT, DAV_REPORT},
        {HTTP_MKCOL, DAV_MKCOL},
        {HTTP_MKCALENDAR, DAV_MKCALENDAR},
        {HTTP_COPY, DAV_COPY},
        {HTTP_MOVE, DAV_MOVE},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if ((unsigned)table[i].theirs == method)
            return table[i].ours;
    return DAV_OTHER;
}

static size_t count(const struct dav_request *r, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < r->header_count; i++)
        n += str_case_is(r->headers[i].name, name);
    return n;
}

/* What llhttp 8 lets pass and RFC 9112 does not (2.3, 3.2, 6.1, 6.3). */
static int status_of_head(const struct dav_request *r, const llhttp_t *p)
{
    struct str coding = dav_header_get(r, "Transfer-Encoding"), expect = dav_header_get(r, "Expect");
    if (p->http_major != 1 || p->http_minor != 1)
        return 505;
    if (count(r, "Host") != 1 || count(r, "Content-Length") > 1 || count(r, "Transfer-Encoding") > 1 ||
        count(r, "Authorization") > 1)
        return 400;
    if (coding.p && dav_header_get(r, "Content-Length").p)
        return 400;
    if (coding.p && !str_case_is(coding, "chunked")) /* RFC 9112 6.1: its end is known, what is in it is not */
        return str_ends(coding, STR("chunked")) ? 501 : 400;
    if (expect.p && !str_case_is(expect, "100-continue"))
        return 417;
    if (r->target.n == 0 || memchr(r->target.p, '\0', r->target.n))
        return 400;
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    struct dav_http *h = p->data;
    struct dav_request *r = &h->request;
    if (h->in_value && take_header(h) != 0)
        return -1;
    h->head_ended = true;
    r->method = method_of(p->method);
    r->method_name = llhttp_method_name((llhttp_method_t)p->method);
    r->target = arena_str(&h->arena, buf_view(&h->target));
    int status = status_of_head(r, p);
    if (status)
        return bad(h, status);
    r->keep_alive = llhttp_should_keep_alive(p);
    r->expects_continue = dav_header_get(r, "Expect").p != NULL;
    bool chunked = dav_header_get(r, "Transfer-Encoding").p != NULL;
    r->content_length = chunked ? 0 : p->content_length;
    r->has_body = chunked || r->content_length > 0;
    if (r->content_length > h->limits.body)
        return bad(h, 413);
    return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct dav_http *h = p->data;
    if (h->body.n + n > h->limits.body)
        return bad(h, 413);
    return h->dropping || buf_add(&h->body, at, n) ? 0 : bad(h, 413);
}

static int on_message_complete(llhttp_t *p)
{
    struct dav_http *h = p->data;
    h->message_ended = true;
    return HPE_PAUSED;
}

/* --- life ------------------------------------------------------------------------------------- */

struct dav_http *dav_http_new(const struct dav_http_limits *limits)
{
    struct dav_http *h = MEM_NEW(struct dav_http);
    h->limits = *limits;
    llhttp_settings_init(&h->settings);
    h->settings.on_url = on_url;
    h->settings.on_header_field = on_field;
    h->settings.on_header_value = on_value;
    h->settings.on_header_value_complete = on_value_complete;
    h->settings.on_headers_complete = on_headers_complete;
    h->settings.on_body = on_body;
    h->settings.on_message_complete = on_message_complete;
    llhttp_init(&h->parser, HTTP_REQUEST, &h->settings);
    h->parser.data = h;
    buf_init(&h->target, limits->request_line + 1);
    buf_init(&h->name, limits->headers + 1);
    buf_init(&h->value, limits->headers + 1);
    buf_init(&h->body, limits->body + 1);
    return h;
}

static void clear(struct dav_http *h)
{
    buf_reset(&h->target);
    buf_reset(&h->name);
    buf_reset(&h->value);
    buf_reset(&h->body);
    arena_done(&h->arena);
    h->headers = NULL;
    h->header_room = h->header_bytes = 0;
    h->request = (struct dav_request){.method = DAV_OTHER};
    h->begun = h->told_head = h->head_ended = h->message_ended = h->in_value = h->dropping = false;
    h->state = STATE_HEAD;
}

void dav_http_free(struct dav_http **hp)
{
    struct dav_http *h = *hp;
    if (!h)
        return;
    buf_done(&h->target);
    buf_done(&h->name);
    buf_wipe(&h->value); /* Authorization went through it */
    buf_done(&h->body);
    arena_done(&h->arena);
    mem_free(h);
    *hp = NULL;
}

void dav_http_next(struct dav_http *h)
{
    if (h->state != STATE_DONE)
        return;
    clear(h);
    /* Whether the connection goes on is the session's business: the parser starts anew. */
    llhttp_init(&h->parser, HTTP_REQUEST, &h->settings);
    h->parser.data = h;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_token(char c) /* RFC 9110 5.6.2 */
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void feed(struct dav_http *h, struct str *in)
{
    llhttp_resume(&h->parser);
    llhttp_errno_t rc = llhttp_execute(&h->parser, in->p, in->n);
    if (rc == HPE_OK) {
        *in = str_skip(*in, in->n);
        return;
    }
    const char *at = llhttp_get_error_pos(&h->parser);
    if (at >= in->p && at <= in->p + in->n)
        *in = str_skip(*in, (size_t)(at - in->p));
    if (rc == HPE_PAUSED)
        return;
    h->state = STATE_BAD;
    bool no_method = rc == HPE_INVALID_METHOD && in->n && is_token(in->p[0]); /* RFC 9110 15.6.2 */
    if (!h->status)
        h->status = rc == HPE_INVALID_VERSION ? 505 : no_method ? 501 : 400;
}

enum dav_http_event dav_http_read(struct dav_http *h, struct str *in, int *ret_status)
{
    while (h->state != STATE_BAD && h->state != STATE_DONE) {
        if (h->head_ended && !h->told_head) {
            h->told_head = true;
            h->state = STATE_BODY;
            return DAV_HTTP_HEAD;
        }
        if (h->message_ended) {
            h->state = STATE_DONE;
            return DAV_HTTP_DONE;
        }
        if (h->state == STATE_HEAD && !h->begun) { /* a robust server ignores empty lines here (RFC 9112 2.2) */
            while (in->n && (in->p[0] == '\r' || in->p[0] == '\n'))
                *in = str_skip(*in, 1);
            h->begun = in->n > 0;
        }
        /* The end of a request without a body takes no byte: llhttp says so when it goes on. */
        if (in->n == 0 && !(h->told_head && !h->request.has_body))
            return DAV_HTTP_MORE;
        size_t before = in->n;
        feed(h, in);
        if (before == 0 && !h->message_ended && h->state != STATE_BAD)
            return DAV_HTTP_MORE;
    }
    *ret_status = h->status;
    return h->state == STATE_BAD ? DAV_HTTP_BAD : DAV_HTTP_MORE;
}

const struct dav_request *dav_http_request(const struct dav_http *h)
{
    return &h->request;
}

struct str dav_http_body(const struct dav_http *h)
{
    return buf_view(&h->body);
}

void dav_http_drop_body(struct dav_http *h)
{
    h->dropping = true;
}

bool dav_http_is_idle(const struct dav_http *h)
{
    return !h->begun;
}

struct str dav_header_get(const struct dav_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_case_is(r->headers[i].name, name))
            return r->headers[i].value;
    return STR_NULL;
}
