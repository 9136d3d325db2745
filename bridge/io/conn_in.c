/* SPDX-License-Identifier: Apache-2.0 */
/* Input, from the socket to the session: decrypted where TLS is spoken, and not read while the session takes none. */
#include <assert.h>

#include "bridge/io/conn_private.h"

size_t conn_input_size(const struct conn *c)
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
    if (!c->tls && c->stage == STAGE_OPEN && c->listener->input_limit - conn_input_size(c) < n)
        n = c->listener->input_limit - conn_input_size(c);
    *ret_buf = uv_buf_init(loop_scratch(c->loop), (unsigned)n);
}

static void stop_reading(struct conn *c)
{
    uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
}

/* The peer has ended its direction in good order: it may wait for the answers to what it said. */
static void input_ended(struct conn *c)
{
    c->peer_ended = true;
    stop_reading(c);
    conn_tell(c, CONN_ENDED);
}

/* Decrypt what the engine holds, as far as the input limit allows. False: the connection ended. */
static bool decrypt(struct conn *c)
{
    struct err err;
    compact(c);
    enum tls_status status = tls_read(c->tls, &c->in, &err);
    c->tls_full = status == TLS_OK;
    if (c->stage == STAGE_HANDSHAKE && tls_established(c->tls))
        conn_established(c);
    bool ended = status == TLS_CLOSED || status == TLS_FAILED;
    conn_pump(c); /* handshake messages, an alert */
    if (!ended)
        return c->stage != STAGE_GONE;
    if (status == TLS_FAILED || c->stage != STAGE_OPEN)
        conn_gone(c, status == TLS_CLOSED ? "closed by the peer" : err.text);
    else if (conn_input_size(c))
        conn_tell(c, CONN_DATA);
    if (c->stage == STAGE_OPEN)
        input_ended(c);
    return false;
}

void conn_take_input(struct conn *c)
{
    size_t before = conn_input_size(c);
    if (c->tls && !c->peer_ended && !decrypt(c))
        return;
    if (conn_input_size(c) > before || c->kicked) {
        c->kicked = false;
        if (conn_input_size(c))
            conn_tell(c, CONN_DATA);
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
            conn_pump(c); /* answers already made */
        conn_gone(c, n == UV_EOF ? "closed by the peer" : uv_strerror((int)n));
        return;
    }
    if (c->stage == STAGE_CLOSING || c->stage == STAGE_LINGERING)
        return; /* read and dropped */
    struct str bytes = str_of(buf->base, (size_t)n);
    struct err err;
    if (c->tls) {
        if (!tls_feed(c->tls, bytes, &err)) {
            conn_gone(c, err.text);
            return;
        }
        conn_take_input(c);
    } else {
        compact(c);
        buf_str(&c->in, bytes);
        conn_tell(c, CONN_DATA);
    }
    if (c->stage == STAGE_OPEN && (conn_input_size(c) >= c->listener->input_limit || c->tls_full))
        stop_reading(c);
}

void conn_start_reading(struct conn *c)
{
    if (!c->reading && uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        conn_gone(c, "cannot read");
    else
        c->reading = true;
}

/* --- what sessions read -------------------------------------------------------------------------- */

struct str conn_input(const struct conn *c)
{
    return str_skip(buf_view(&c->in), c->in_taken);
}

void conn_consume(struct conn *c, size_t n)
{
    assert(n <= conn_input_size(c));
    c->in_taken += n;
    if (c->stage == STAGE_OPEN && (!c->reading || c->tls_full))
        loop_defer(c->loop, &c->deferred);
}

void conn_kick(struct conn *c)
{
    c->kicked = true;
    loop_defer(c->loop, &c->deferred);
}
