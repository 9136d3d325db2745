/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_CONN_PRIVATE_H
#define BRIDGE_IO_CONN_PRIVATE_H
/*
 * A connection's inside, shared by conn.c (its life), conn_out.c and conn_in.c (its two directions), and what
 * listener.c (where connections come from) needs of it. For bridge/io only.
 */
#include "bridge/base/buf.h"
#include "bridge/base/list.h"
#include "bridge/io/conn.h"
#include "bridge/io/loop_private.h"

/* Something that others can make happen as often as they like, and that is logged at most once a minute. */
struct rare {
    uint64_t logged_ms;
    unsigned unlogged;
};

struct conn_listener {
    unsigned refs; /* its owner, its uv handle, and each of its connections */
    struct loop *loop;
    uv_tcp_t tcp;
    char *name;
    struct tls_server *tls;
    bool same_user, warned_no_peer;
    unsigned max_connections, connections, handshake_timeout_ms;
    size_t input_limit;
    int netlink; /* see peer.h */
    struct rare full, stranger, failed;
    struct list handshakes; /* connections that nobody was told of yet: they go with the listener */
    conn_accept_cb *cb;
    void *ud;
};
void listener_unref(struct conn_listener *l);

/* Accept what waits on the listener. The connection owns itself until CONN_CLOSED; NULL when the peer has gone already.
 */
struct conn *conn_accept(struct conn_listener *l);
uv_tcp_t *conn_tcp(struct conn *c);
/* Tell the listener's owner, or begin the TLS handshake that has to come first. */
void conn_begin(struct conn *c);
void conn_end_handshakes(struct conn_listener *l);

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

/* --- conn.c */
/* Over, now; harmless when it is already. CONN_CLOSED comes from the loop. */
void conn_gone(struct conn *c, const char *reason);
/* All is sent: wait a moment for the peer's end. */
void conn_linger(struct conn *c);
/* The handshake is done (or there is none): the listener's owner hears of the connection. */
void conn_established(struct conn *c);
/* An event for the session, as long as the connection is open. */
void conn_tell(struct conn *c, enum conn_event event);

/* --- conn_out.c */
/* Send until the socket is full, nothing is left, or the others should have a turn. Events follow from the loop. */
void conn_pump(struct conn *c);
uint64_t conn_waiting(const struct conn *c); /* bytes not sent yet */
void conn_drop_output(struct conn *c);
void conn_on_stall(void *ud);

/* --- conn_in.c */
size_t conn_input_size(const struct conn *c);
void conn_start_reading(struct conn *c);
/* Decrypt what may wait in the engine, and tell the session of what is new, or what it has kicked for. */
void conn_take_input(struct conn *c);

#endif
