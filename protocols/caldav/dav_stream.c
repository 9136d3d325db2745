/* SPDX-License-Identifier: Apache-2.0 */
/* A multistatus as it is written: in slices, so that neither its size nor a slow reader costs memory or others' time.
 */
#include <string.h>

#include "protocols/caldav/dav_session.h"

#define PIECE        ((size_t)64 << 10) /* bytes of a chunk; a shorter answer goes out whole */
#define RESPONSE_MAX ((size_t)64 << 20) /* of one response, that is, of one object */

static bool gather(void *ud, const struct resource *r)
{
    struct dav_found *f = ud;
    if (f->count == f->max) {
        f->truncated = true;
        return false;
    }
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 64;
        struct resource *more = arena_array(f->arena, room, sizeof(*more));
        if (f->count)
            memcpy(more, f->list, f->count * sizeof(*more));
        f->list = more;
        f->room = room;
    }
    f->list[f->count] = *r;
    f->list[f->count].name = arena_str(f->arena, r->name);
    f->list[f->count++].uid = STR_NULL;
    return true;
}

bool dav_gather(struct dav_session *s, uint64_t since, int64_t from, int64_t to, size_t max, struct dav_found *ret,
                struct err *err)
{
    *ret = (struct dav_found){.arena = &s->arena, .max = max ? max : dav_server_of(s)->limits.results};
    return calendar_resources(s->client.account, s->calendar.pk, since, from, to, gather, ret, err);
}

struct buf *dav_stream_begin(struct dav_session *s)
{
    buf_done(&s->stream.out);
    buf_init(&s->stream.out, RESPONSE_MAX);
    s->stream.begun = false;
    buf_lit(&s->stream.out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\""
                            " xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:CS=\"http://calendarserver.org/ns/\""
                            " xmlns:A=\"http://apple.com/ns/ical/\">\n");
    return &s->stream.out;
}

void dav_stream_drop(struct dav_session *s)
{
    buf_done(&s->stream.out);
    s->stream = (struct dav_stream){.step = NULL};
}

static void send_chunk(struct dav_session *s)
{
    struct client *c = &s->client;
    if (!s->stream.begun)
        dav_answer_chunked(s, 207, DAV_XML_TYPE);
    s->stream.begun = true;
    buf_printf(&c->out, "%zx\r\n", s->stream.out.n);
    client_flush(c);
    conn_write(c->conn, buf_view(&s->stream.out));
    buf_lit(&c->out, "\r\n");
    buf_reset(&s->stream.out);
}

static void finish(struct dav_session *s)
{
    buf_lit(&s->stream.out, "</D:multistatus>\n");
    if (s->stream.begun) {
        send_chunk(s);
        buf_lit(&s->client.out, "0\r\n\r\n");
        dav_request_over(s);
    } else {
        dav_answer(s, 207, NULL, DAV_XML_TYPE, buf_view(&s->stream.out));
    }
    dav_stream_drop(s);
}

static void run(struct dav_session *s)
{
    for (;;) {
        if (!client_has_room(&s->client)) {
            client_yield(&s->client);
            return;
        }
        bool more = s->stream.step(s);
        if (s->stream.out.failed) { /* one object of 64 MiB: what has been said cannot be ended well */
            bool begun = s->stream.begun;
            dav_stream_drop(s);
            if (begun)
                client_close(&s->client, "an answer is too large");
            else
                dav_answer_status(s, 507);
            return;
        }
        if (!more)
            break;
        if (s->stream.out.n >= PIECE)
            send_chunk(s);
    }
    finish(s);
}

void dav_stream_run(struct dav_session *s, bool (*step)(struct dav_session *s))
{
    s->stream.step = step;
    s->waiting = true; /* nothing else is read meanwhile, also where it is answered in read() */
    client_begin_slice(&s->client);
    run(s);
}

static bool nothing_more(struct dav_session *s)
{
    (void)s;
    return false;
}

void dav_stream_end(struct dav_session *s)
{
    dav_stream_run(s, nothing_more);
}

void dav_stream_turn(struct client *c)
{
    struct dav_session *s = (struct dav_session *)c;
    if (s->stream.step)
        run(s);
}
