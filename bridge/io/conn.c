/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: its beginning, what the loop brings, its end. Output is conn_out.c, input conn_in.c. */
#include "bridge/io/conn.h"

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/io/conn_private.h"

#define LINGER_MS 1000 /* for the peer to read our last words and close; see conn_linger() */

uv_tcp_t *conn_tcp(struct conn *c)
{
    return &c->tcp;
}

void conn_end_handshakes(struct conn_listener *l)
{
    while (!list_empty(&l->handshakes))
        conn_gone(LIST_ITEM(l->handshakes.next, struct conn, handshake), "the listener is gone");
}

/* --- the end ------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (c->cb)
        c->cb(c->ud, c, CONN_CLOSED);
    loop_defer_cancel(&c->deferred);
    timer_free(&c->timer);
    timer_free(&c->stall);
    conn_drop_output(c);
    tls_free(&c->tls);
    buf_wipe(&c->in); /* may hold a password */
    buf_done(&c->wire);
    c->listener->connections--;
    listener_unref(c->listener);
    mem_free(c);
}

void conn_gone(struct conn *c, const char *reason)
{
    if (c->stage == STAGE_GONE)
        return;
    log_debug(c->listener->name, NULL, "connection %llu closed: %s", (unsigned long long)c->id,
              c->reason ? c->reason : reason);
    c->stage = STAGE_GONE;
    list_remove(&c->handshake);
    timer_stop(c->timer);
    timer_stop(c->stall);
    conn_drop_output(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed); /* cancels a write under way */
}

/* Closing a socket with unread input resets the connection, and the peer may lose our last words (a BYE, an error
 * answer). So: end our direction, then read and drop until the peer ends his. */
static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct conn *c = shutdown->data;
    if (status != 0 && c->stage == STAGE_LINGERING)
        conn_gone(c, uv_strerror(status));
}

void conn_linger(struct conn *c)
{
    if (c->peer_ended) {
        conn_gone(c, "closed");
        return;
    }
    c->stage = STAGE_LINGERING;
    c->shutdown.data = c;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) {
        conn_gone(c, "shutdown failed");
        return;
    }
    conn_start_reading(c);
    timer_start(c->timer, LINGER_MS);
}

void conn_tell(struct conn *c, enum conn_event event)
{
    if (c->cb && c->stage == STAGE_OPEN)
        c->cb(c->ud, c, event);
}

void conn_established(struct conn *c)
{
    c->stage = STAGE_OPEN;
    list_remove(&c->handshake);
    timer_stop(c->timer);
    c->listener->cb(c->listener->ud, c);
}

/* --- events from the loop ------------------------------------------------------------------------ */

static void on_deferred(void *ud)
{
    struct conn *c = ud;
    conn_pump(c);
    if (c->was_full && conn_waiting(c) < CONN_OUTPUT_LOW && c->stage == STAGE_OPEN) {
        c->was_full = false;
        conn_tell(c, CONN_DRAINED);
    }
    if (c->stage == STAGE_OPEN && (c->kicked || c->tls_full))
        conn_take_input(c);
    if (c->stage == STAGE_OPEN && !c->peer_ended && !c->tls_full && conn_input_size(c) < c->listener->input_limit)
        conn_start_reading(c);
}

static void on_timer(void *ud)
{
    struct conn *c = ud;
    switch (c->stage) {
    case STAGE_HANDSHAKE:
        conn_gone(c, "TLS handshake took too long");
        break;
    case STAGE_OPEN:
        conn_tell(c, CONN_TIMEOUT);
        break;
    case STAGE_LINGERING:
        conn_gone(c, "closed");
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
    c->stall = timer_new(l->loop, conn_on_stall, c);
    uv_tcp_init(&l->loop->uv, &c->tcp);
    c->tcp.data = c;
    if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0) {
        conn_gone(c, "accept failed");
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
            conn_gone(c, "no certificate is loaded");
            return;
        }
        list_append(&l->handshakes, &c->handshake);
        timer_start(c->timer, l->handshake_timeout_ms);
    } else {
        conn_established(c);
    }
    if (c->stage != STAGE_GONE)
        conn_start_reading(c);
}

void conn_set_handler(struct conn *c, conn_cb *cb, void *ud)
{
    c->cb = cb;
    c->ud = ud;
}

/* --- what sessions call -------------------------------------------------------------------------- */

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
    conn_start_reading(c); /* see conn_linger(); and a peer that is gone must be noticed */
    loop_defer(c->loop, &c->deferred);
}

void conn_abort(struct conn *c, const char *reason)
{
    if (c->stage != STAGE_CLOSING && c->stage != STAGE_LINGERING)
        c->reason = reason;
    conn_gone(c, reason);
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
