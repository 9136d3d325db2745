/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_CONN_PRIVATE_H
#define BRIDGE_IO_CONN_PRIVATE_H
/* Between conn.c (a connection) and listener.c (where they come from). For bridge/io only. */
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

#endif
