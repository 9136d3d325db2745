/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/conn.h"

#include <assert.h>

#include "bridge/base/buf.h"
#include "bridge/base/list.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/io/blob.h"
#include "bridge/io/conn_private.h"

#define SEGMENT_SIZE ((size_t)64 * 1024)   /* of queued output, and of the pieces a blob is read in */
#define TURN_BYTES   ((size_t)1024 * 1024) /* written for one connection before the others get their turn */
#define LINGER_MS    1000                  /* for the peer to read our last words and close; see linger() */

/* Output, from the session to the socket:
 *
 *   conn_write -> segments (bytes, or a range of a blob) -> [TLS] -> wire -> socket
 *
 * `wire` holds one piece at a time; the rest waits in the segments, where a blob costs nothing. */
struct segment {
    struct list link;
    struct buf bytes;  /* when blob is NULL */
    struct blob *blob; /* [offset, offset + left) */
    uint64_t offset, left;
};

enum stage {
    STAGE_HANDSHAKE, /* TLS; nobody knows of the connection yet */
    STAGE_OPEN,
    STAGE_CLOSING,   /* conn_close(): sends what is queued */
    STAGE_LINGERING, /* all is sent; waits for the peer's end */
    STAGE_GONE       /* the socket is being closed; CONN_CLOSED comes from there */
};

struct conn {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct loop *loop;
    struct conn_listener *listener;
    struct list handshake; /* in listener->handshakes */
    struct tls *tls;
    uint64_t id;
    enum stage stage;
    conn_cb *cb;
    void *ud;
    const char *reason;

    struct buf in;
    size_t in_taken; /* consumed bytes at the front of `in` */
    bool reading, tls_full /* decrypted bytes may wait in the engine */;

    struct list segments;
    struct buf wire;
    size_t wire_sent;
    uint64_t queued; /* bytes the session has written that are not in `wire` yet */
    bool writing;    /* uv_write under way */
    bool was_full;
    bool close_notified; /* TLS close_notify is queued */
    bool peer_ended;     /* its direction */

    struct timer *timer; /* handshake, the session's, linger */
    struct timer *stall;
    struct deferred deferred;
    bool kicked;
};

static void pump(struct conn *c);
static void gone(struct conn *c, const char *reason);
static void take_input(struct conn *c);

uv_tcp_t *conn_tcp(struct conn *c)
{
    return &c->tcp;
}

void conn_end_handshakes(struct conn_listener *l)
{
    while (!list_empty(&l->handshakes))
        gone(LIST_ITEM(l->handshakes.next, struct conn, handshake), "the listener is gone");
}

/* --- the end ------------------------------------------------------------------------------------- */

static void drop_segment(struct segment *s)
{
    list_remove(&s->link);
    buf_done(&s->bytes);
    blob_unref(&s->blob);
    mem_free(s);
}

static void drop_output(struct conn *c)
{
    while (!list_empty(&c->segments))
        drop_segment(LIST_ITEM(c->segments.next, struct segment, link));
    c->queued = 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (c->cb)
        c->cb(c->ud, c, CONN_CLOSED);
    loop_defer_cancel(&c->deferred);
    timer_free(&c->timer);
    timer_free(&c->stall);
    drop_output(c);
    tls_free(&c->tls);
    buf_wipe(&c->in); /* may hold a password */
    buf_done(&c->wire);
    c->listener->connections--;
    listener_unref(c->listener);
    mem_free(c);
}

static void gone(struct conn *c, const char *reason)
{
    if (c->stage == STAGE_GONE)
        return;
    log_debug(c->listener->name, NULL, "connection %llu closed: %s", (unsigned long long)c->id,
              c->reason ? c->reason : reason);
    c->stage = STAGE_GONE;
    list_remove(&c->handshake);
    timer_stop(c->timer);
    timer_stop(c->stall);
    drop_output(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed); /* cancels a write under way */
}

/* Closing a socket with unread input resets the connection, and the peer may lose our last words (a BYE, an error
 * answer). So: end our direction, then read and drop until the peer ends his. */
static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct conn *c = shutdown->data;
    if (status != 0 && c->stage == STAGE_LINGERING)
        gone(c, uv_strerror(status));
}

static void start_reading(struct conn *c);

static void linger(struct conn *c)
{
    if (c->peer_ended) {
        gone(c, "closed");
        return;
    }
    c->stage = STAGE_LINGERING;
    c->shutdown.data = c;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) {
        gone(c, "shutdown failed");
        return;
    }
    start_reading(c);
    timer_start(c->timer, LINGER_MS);
}

/* --- output -------------------------------------------------------------------------------------- */

static uint64_t waiting(const struct conn *c)
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
    gone(c, err.text);
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
        gone(c, "reading a stored message failed");
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
        gone(c, uv_strerror(status));
        return;
    }
    c->wire_sent = c->wire.n;
    timer_stop(c->stall);
    pump(c);
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
        gone(c, uv_strerror(n));
        return false;
    }
    c->write.data = c;
    n = uv_write(&c->write, (uv_stream_t *)&c->tcp, &piece, 1, on_written);
    if (n != 0) {
        gone(c, uv_strerror(n));
        return false;
    }
    c->writing = true;
    timer_start(c->stall, CONN_STALL_MS);
    return true;
}

/* Send until the socket is full, nothing is left, or the others should have a turn. Events follow from the loop. */
static void pump(struct conn *c)
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
    if (c->was_full && waiting(c) < CONN_OUTPUT_LOW)
        loop_defer(c->loop, &c->deferred);
    if (c->stage != STAGE_CLOSING || c->writing)
        return;
    if (c->tls && !c->close_notified) {
        c->close_notified = true;
        tls_shutdown(c->tls);
        loop_defer(c->loop, &c->deferred);
    } else {
        linger(c);
    }
}

static void on_stall(void *ud)
{
    gone(ud, "the peer took no output for too long");
}

/* --- input --------------------------------------------------------------------------------------- */

static size_t input_size(const struct conn *c)
{
    return c->in.n - c->in_taken;
}

static void compact(struct conn *c)
{
    buf_consume(&c->in, c->in_taken);
    c->in_taken = 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct conn *c = handle->data;
    size_t n = LOOP_SCRATCH_SIZE;
    if (!c->tls && c->stage == STAGE_OPEN && c->listener->input_limit - input_size(c) < n)
        n = c->listener->input_limit - input_size(c);
    *ret_buf = uv_buf_init(loop_scratch(c->loop), (unsigned)n);
}

static void stop_reading(struct conn *c)
{
    uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
}

static void tell(struct conn *c, enum conn_event event)
{
    if (c->cb && c->stage == STAGE_OPEN)
        c->cb(c->ud, c, event);
}

static void established(struct conn *c)
{
    c->stage = STAGE_OPEN;
    list_remove(&c->handshake);
    timer_stop(c->timer);
    c->listener->cb(c->listener->ud, c);
}

/* The peer has ended its direction in good order: it may wait for the answers to what it said. */
static void input_ended(struct conn *c)
{
    c->peer_ended = true;
    stop_reading(c);
    tell(c, CONN_ENDED);
}

/* Decrypt what the engine holds, as far as the input limit allows. False: the connection ended. */
static bool decrypt(struct conn *c)
{
    struct err err;
    compact(c);
    enum tls_status status = tls_read(c->tls, &c->in, &err);
    c->tls_full = status == TLS_OK;
    if (c->stage == STAGE_HANDSHAKE && tls_established(c->tls))
        established(c);
    bool ended = status == TLS_CLOSED || status == TLS_FAILED;
    pump(c); /* handshake messages, an alert */
    if (!ended)
        return c->stage != STAGE_GONE;
    if (status == TLS_FAILED || c->stage != STAGE_OPEN)
        gone(c, status == TLS_CLOSED ? "closed by the peer" : err.text);
    else if (input_size(c))
        tell(c, CONN_DATA);
    if (c->stage == STAGE_OPEN)
        input_ended(c);
    return false;
}

static void take_input(struct conn *c)
{
    size_t before = input_size(c);
    if (c->tls && !c->peer_ended && !decrypt(c))
        return;
    if (input_size(c) > before || c->kicked) {
        c->kicked = false;
        if (input_size(c))
            tell(c, CONN_DATA);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (n == 0 || c->stage == STAGE_GONE)
        return;
    if (n == UV_EOF && (c->stage == STAGE_CLOSING || (c->stage == STAGE_OPEN && !c->tls))) {
        input_ended(c); /* without TLS's own words for it an end is an accident */
        return;
    }
    if (n < 0) {
        if (c->stage == STAGE_OPEN)
            pump(c); /* answers already made */
        gone(c, n == UV_EOF ? "closed by the peer" : uv_strerror((int)n));
        return;
    }
    if (c->stage == STAGE_CLOSING || c->stage == STAGE_LINGERING)
        return; /* read and dropped */
    struct str bytes = str_of(buf->base, (size_t)n);
    struct err err;
    if (c->tls) {
        if (!tls_feed(c->tls, bytes, &err)) {
            gone(c, err.text);
            return;
        }
        take_input(c);
    } else {
        compact(c);
        buf_str(&c->in, bytes);
        tell(c, CONN_DATA);
    }
    if (c->stage == STAGE_OPEN && (input_size(c) >= c->listener->input_limit || c->tls_full))
        stop_reading(c);
}

static void start_reading(struct conn *c)
{
    if (!c->reading && uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        gone(c, "cannot read");
    else
        c->reading = true;
}

/* --- events from the loop ------------------------------------------------------------------------ */

static void on_deferred(void *ud)
{
    struct conn *c = ud;
    pump(c);
    if (c->was_full && waiting(c) < CONN_OUTPUT_LOW && c->stage == STAGE_OPEN) {
        c->was_full = false;
        tell(c, CONN_DRAINED);
    }
    if (c->stage == STAGE_OPEN && (c->kicked || c->tls_full))
        take_input(c);
    if (c->stage == STAGE_OPEN && !c->peer_ended && !c->tls_full && input_size(c) < c->listener->input_limit)
        start_reading(c);
}

static void on_timer(void *ud)
{
    struct conn *c = ud;
    switch (c->stage) {
    case STAGE_HANDSHAKE:
        gone(c, "TLS handshake took too long");
        break;
    case STAGE_OPEN:
        tell(c, CONN_TIMEOUT);
        break;
    case STAGE_LINGERING:
        gone(c, "closed");
        break;
    case STAGE_CLOSING:
    case STAGE_GONE:
        break;
    }
}

/* --- beginning ----------------------------------------------------------------------------------- */

struct conn *conn_accept(struct conn_listener *l)
{
    struct conn *c = MEM_NEW(struct conn);
    c->loop = l->loop;
    c->listener = l;
    l->refs++;
    l->connections++;
    c->id = loop_next_id(l->loop);
    c->stage = l->tls ? STAGE_HANDSHAKE : STAGE_OPEN;
    buf_init(&c->in, l->input_limit);
    list_init(&c->segments);
    list_init(&c->handshake);
    deferred_init(&c->deferred, on_deferred, c);
    c->timer = timer_new(l->loop, on_timer, c);
    c->stall = timer_new(l->loop, on_stall, c);
    uv_tcp_init(&l->loop->uv, &c->tcp);
    c->tcp.data = c;
    if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0) {
        gone(c, "accept failed");
        return NULL;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    return c;
}

void conn_begin(struct conn *c)
{
    struct conn_listener *l = c->listener;
    if (l->tls) {
        c->tls = tls_new(l->tls);
        if (!c->tls) {
            gone(c, "no certificate is loaded");
            return;
        }
        list_append(&l->handshakes, &c->handshake);
        timer_start(c->timer, l->handshake_timeout_ms);
    } else {
        established(c);
    }
    if (c->stage != STAGE_GONE)
        start_reading(c);
}

void conn_set_handler(struct conn *c, conn_cb *cb, void *ud)
{
    c->cb = cb;
    c->ud = ud;
}

/* --- what sessions call -------------------------------------------------------------------------- */

struct str conn_input(const struct conn *c)
{
    return str_skip(buf_view(&c->in), c->in_taken);
}

void conn_consume(struct conn *c, size_t n)
{
    assert(n <= input_size(c));
    c->in_taken += n;
    if (c->stage == STAGE_OPEN && (!c->reading || c->tls_full))
        loop_defer(c->loop, &c->deferred);
}

void conn_kick(struct conn *c)
{
    c->kicked = true;
    loop_defer(c->loop, &c->deferred);
}

/* Output is sent from the loop, so that many small writes are one. */
static void queued_more(struct conn *c, uint64_t n)
{
    c->queued += n;
    if (waiting(c) > CONN_OUTPUT_HIGH)
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
    return waiting(c) > CONN_OUTPUT_HIGH;
}

void conn_set_timeout(struct conn *c, uint64_t ms)
{
    if (c->stage != STAGE_OPEN)
        return;
    if (ms)
        timer_start(c->timer, ms);
    else
        timer_stop(c->timer);
}

void conn_close(struct conn *c, const char *reason)
{
    if (c->stage == STAGE_HANDSHAKE) {
        conn_abort(c, reason);
        return;
    }
    if (c->stage != STAGE_OPEN)
        return;
    c->stage = STAGE_CLOSING;
    c->reason = reason;
    timer_stop(c->timer);
    start_reading(c); /* see linger(); and a peer that is gone must be noticed */
    loop_defer(c->loop, &c->deferred);
}

void conn_abort(struct conn *c, const char *reason)
{
    if (c->stage != STAGE_CLOSING && c->stage != STAGE_LINGERING)
        c->reason = reason;
    gone(c, reason);
}

bool conn_closing(const struct conn *c)
{
    return c->stage == STAGE_CLOSING || c->stage == STAGE_LINGERING || c->stage == STAGE_GONE;
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls != NULL;
}

struct loop *conn_loop(const struct conn *c)
{
    return c->loop;
}

uint64_t conn_id(const struct conn *c)
{
    return c->id;
}
