/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_CONN_H
#define BRIDGE_IO_CONN_H
/*
 * Listeners and accepted connections, plain or TLS, with back-pressure and limits. After OpenSMTPD's ioev.
 *
 *   accept -> on_accept(conn) -> conn_set_handler -> CONN_DATA ... CONN_DRAINED ... [CONN_ENDED] ... -> CONN_CLOSED
 * (the last event; free there)
 *
 * Input: bytes pile up in conn_input() until consumed; above `input_limit` the socket is not read until something is
 * consumed, so a session that has a command running simply does not consume. Output: conn_write() copies and never
 * blocks; when conn_full() a writer stops and goes on at CONN_DRAINED. A handler may call any function of this header;
 * the conn stays valid until CONN_CLOSED has returned. Events never come from inside conn_write() or other calls.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/loop.h"
#include "bridge/io/tls.h"

struct blob;
struct conn;
struct conn_listener;

enum conn_event {
    CONN_DATA,    /* conn_input() has grown */
    CONN_DRAINED, /* output fell under the low-water mark after conn_full() was true */
    CONN_TIMEOUT, /* conn_set_timeout() ran out; the connection stays open */
    CONN_ENDED,   /* the peer sends no more, but may still read: all it has sent is in conn_input(). Once; what is left
                     to do is done, then conn_close(). A peer that has gone altogether shows when it is written to. */
    CONN_CLOSED   /* gone: the peer, by an error, or our own close is done. Last event. */
};
typedef void conn_cb(void *ud, struct conn *conn, enum conn_event event);
typedef void conn_accept_cb(void *ud, struct conn *conn);

#define CONN_OUTPUT_HIGH (256 * 1024) /* conn_full() above this many waiting bytes */
#define CONN_OUTPUT_LOW  (64 * 1024)
#define CONN_STALL_MS    (5 * 60 * 1000) /* no output progress for so long: closed */

struct conn_listen_opts {
    const char *name;              /* "imap": for logs */
    const char *address;           /* numeric: "127.0.0.1", "::1" (v6 only) */
    unsigned port;                 /* 0 = any free one (tests); see conn_listener_port() */
    struct tls_server *tls;        /* NULL = plain */
    bool same_user;                /* only peers of our own uid (NETLINK_SOCK_DIAG, else /proc/net/tcp) */
    unsigned max_connections;      /* over it: accepted and closed at once, logged at most once a minute */
    unsigned handshake_timeout_ms; /* TLS; 10 s */
    size_t input_limit;            /* bytes held unconsumed */
};
/* ERR_EXISTS when the port is taken; the text says by which uid where that can be found out. */
struct conn_listener *conn_listen(struct loop *loop, const struct conn_listen_opts *opts, conn_accept_cb *cb, void *ud,
                                  struct err *err);
/* The same on a descriptor handed to us (socket activation); takes the descriptor. */
struct conn_listener *conn_listen_fd(struct loop *loop, int fd, const struct conn_listen_opts *opts, conn_accept_cb *cb,
                                     void *ud, struct err *err);
unsigned conn_listener_port(const struct conn_listener *l);
void conn_listener_free(struct conn_listener **l); /* accepted connections live on */

/* Must be called in on_accept. For TLS listeners on_accept comes after the handshake. */
void conn_set_handler(struct conn *c, conn_cb *cb, void *ud);
struct str conn_input(const struct conn *c); /* valid until consume, or the next event */
void conn_consume(struct conn *c, size_t n);
/* Deliver CONN_DATA again from the loop if there is input: after a command ended that left bytes unread. */
void conn_kick(struct conn *c);
bool conn_write(struct conn *c, struct str bytes); /* false: closed or failed already; bytes are dropped */
/* Queue a range of a blob; it is read piece by piece as output drains, so a 50 MB body costs a few hundred KB. Keeps a
 * reference. Writes after it keep their order. */
bool conn_write_blob(struct conn *c, struct blob *blob, uint64_t offset, uint64_t n);
bool conn_full(const struct conn *c);
void conn_set_timeout(struct conn *c,
                      uint64_t ms); /* from now, once; 0 = none. Any input restarts nothing: the session does */
/* Send what is queued, then close. `reason` (static text) goes to the debug log. */
void conn_close(struct conn *c, const char *reason);
void conn_abort(struct conn *c, const char *reason); /* drop what is queued */
bool conn_closing(const struct conn *c);
bool conn_is_tls(const struct conn *c);
struct loop *conn_loop(const struct conn *c);
uint64_t conn_id(const struct conn *c); /* for logs */

#endif
