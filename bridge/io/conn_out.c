/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output, from the session to the socket:
 *
 *   conn_write -> segments (bytes, or a range of a blob) -> [TLS] -> wire -> socket
 *
 * `wire` holds one piece at a time; the rest waits in the segments, where a blob costs nothing.
 */
#include <assert.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/io/blob.h"
#include "bridge/io/conn_private.h"

#define SEGMENT_SIZE ((size_t)64 * 1024)   /* of queued output, and of the pieces a blob is read in */
#define TURN_BYTES   ((size_t)1024 * 1024) /* written for one connection before the others get their turn */

struct segment {
    struct list link;
    struct buf bytes;  /* when blob is NULL */
    struct blob *blob; /* [offset, offset + left) */
    uint64_t offset, left;
};

static void drop_segment(struct segment *s)
{
    list_remove(&s->link);
    buf_done(&s->bytes);
    blob_unref(&s->blob);
    mem_free(s);
}

void conn_drop_output(struct conn *c)
{
    while (!list_empty(&c->segments))
        drop_segment(LIST_ITEM(c->segments.next, struct segment, link));
    c->queued = 0;
}

/* --- to the socket ------------------------------------------------------------------------------- */

uint64_t conn_waiting(const struct conn *c)
{
    return c->queued + (c->wire.n - c->wire_sent);
}

static bool to_wire(struct conn *c, struct str bytes)
{
    if (!c->tls)
        return buf_str(&c->wire, bytes);
    struct err err;
    if (tls_write(c->tls, bytes, &err))
        return true;
    conn_gone(c, err.text);
    return false;
}

static bool blob_to_wire(struct conn *c, struct segment *s)
{
    size_t n = s->left < SEGMENT_SIZE ? (size_t)s->left : SEGMENT_SIZE;
    struct err err;
    char *room = c->tls ? loop_scratch(c->loop) : buf_room(&c->wire, n);
    if (!room || !blob_read(s->blob, s->offset, room, n, &err)) {
        /* The peer was promised so many bytes: there is no way to go on. */
        log_error(c->listener->name, NULL, "connection %llu: %s", (unsigned long long)c->id,
                  room ? err.text : "no room");
        conn_gone(c, "reading a stored message failed");
        return false;
    }
    if (c->tls) {
        if (!to_wire(c, str_of(room, n)))
            return false;
    } else {
        c->wire.n += n;
    }
    s->offset += n;
    s->left -= n;
    c->queued -= n;
    return true;
}

/* Move the next piece to the empty wire. False: nothing to send, or the connection failed. */
static bool fill_wire(struct conn *c)
{
    c->wire.n = 0;
    c->wire_sent = 0;
    struct buf *cipher = c->tls ? tls_output(c->tls) : NULL;
    while (!list_empty(&c->segments) && c->wire.n < SEGMENT_SIZE && !(cipher && cipher->n >= SEGMENT_SIZE)) {
        struct segment *s = LIST_ITEM(c->segments.next, struct segment, link);
        if (s->blob) {
            if (!blob_to_wire(c, s))
                return false;
        } else {
            c->queued -= s->bytes.n;
            s->left = 0;
            if (!c->tls && c->wire.n == 0) { /* the common case copies nothing */
                struct buf empty = c->wire;
                c->wire = s->bytes;
                s->bytes = empty;
            } else if (!to_wire(c, buf_view(&s->bytes))) {
                return false;
            }
        }
        if (s->left == 0)
            drop_segment(s);
    }
    if (cipher) {
        struct buf empty = c->wire;
        c->wire = *cipher;
        *cipher = empty;
    }
    return c->wire.n > 0;
}

static void on_written(uv_write_t *write, int status)
{
    struct conn *c = write->data;
    c->writing = false;
    if (c->stage == STAGE_GONE)
        return;
    if (status != 0) {
        conn_gone(c, uv_strerror(status));
        return;
    }
    c->wire_sent = c->wire.n;
    timer_stop(c->stall);
    conn_pump(c);
}

static bool send_wire(struct conn *c)
{
    uv_buf_t piece = uv_buf_init(c->wire.p + c->wire_sent, (unsigned)(c->wire.n - c->wire_sent));
    int n = uv_try_write((uv_stream_t *)&c->tcp, &piece, 1);
    if (n >= 0) {
        c->wire_sent += (size_t)n;
        if (c->wire_sent == c->wire.n)
            return true;
        piece = uv_buf_init(c->wire.p + c->wire_sent, (unsigned)(c->wire.n - c->wire_sent));
    } else if (n != UV_EAGAIN) {
        conn_gone(c, uv_strerror(n));
        return false;
    }
    c->write.data = c;
    n = uv_write(&c->write, (uv_stream_t *)&c->tcp, &piece, 1, on_written);
    if (n != 0) {
        conn_gone(c, uv_strerror(n));
        return false;
    }
    c->writing = true;
    timer_start(c->stall, CONN_STALL_MS);
    return true;
}

void conn_pump(struct conn *c)
{
    size_t sent = 0;
    while (c->stage != STAGE_GONE && c->stage != STAGE_LINGERING && !c->writing) {
        if (c->wire_sent == c->wire.n && !fill_wire(c))
            break;
        if (sent > TURN_BYTES) {
            loop_defer(c->loop, &c->deferred);
            return;
        }
        sent += c->wire.n - c->wire_sent;
        if (!send_wire(c))
            return;
    }
    if (c->stage == STAGE_GONE)
        return;
    if (c->was_full && conn_waiting(c) < CONN_OUTPUT_LOW)
        loop_defer(c->loop, &c->deferred);
    if (c->stage != STAGE_CLOSING || c->writing)
        return;
    if (c->tls && !c->close_notified) {
        c->close_notified = true;
        tls_shutdown(c->tls);
        loop_defer(c->loop, &c->deferred);
    } else {
        conn_linger(c);
    }
}

void conn_on_stall(void *ud)
{
    conn_gone(ud, "the peer took no output for too long");
}

/* --- what sessions write ------------------------------------------------------------------------- */

/* Output is sent from the loop, so that many small writes are one. */
static void queued_more(struct conn *c, uint64_t n)
{
    c->queued += n;
    if (conn_waiting(c) > CONN_OUTPUT_HIGH)
        c->was_full = true;
    loop_defer(c->loop, &c->deferred);
}

static struct segment *segment_new(struct conn *c)
{
    struct segment *s = MEM_NEW(struct segment);
    list_append(&c->segments, &s->link);
    return s;
}

bool conn_write(struct conn *c, struct str bytes)
{
    if (c->stage != STAGE_OPEN)
        return false;
    if (bytes.n == 0)
        return true;
    struct segment *s = list_empty(&c->segments) ? NULL : LIST_ITEM(c->segments.prev, struct segment, link);
    if (!s || s->blob || s->bytes.n >= SEGMENT_SIZE)
        s = segment_new(c);
    s->bytes.limit = SIZE_MAX / 4; /* bounded by conn_full(), which sessions obey */
    buf_str(&s->bytes, bytes);
    queued_more(c, bytes.n);
    return true;
}

bool conn_write_blob(struct conn *c, struct blob *blob, uint64_t offset, uint64_t n)
{
    if (c->stage != STAGE_OPEN)
        return false;
    assert(offset <= blob_size(blob) && n <= blob_size(blob) - offset);
    if (n == 0)
        return true;
    struct str view;
    if (n <= SEGMENT_SIZE / 4 && blob_view(blob, &view))
        return conn_write(c, str_sub(view, (size_t)offset, (size_t)n));
    struct segment *s = segment_new(c);
    s->blob = blob_ref(blob);
    s->offset = offset;
    s->left = n;
    queued_more(c, n);
    return true;
}

bool conn_full(const struct conn *c)
{
    return conn_waiting(c) > CONN_OUTPUT_HIGH;
}
