/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_SERVER_H
#define PROTOCOLS_IMAP_IMAP_SERVER_H
/*
 * The IMAP side of the bridge: listeners, and one session for each connection (imap_session.h).
 *
 *     imap_server_new -> imap_server_listen (once an address) -> ... -> imap_server_shutdown -> [on_empty] ->
 * imap_server_free
 *
 * shutdown closes the listeners and says "* BYE" to every client; sessions end as their output drains. free drops what
 * is left at once: no callback comes after it, and every read that a session had under way is cancelled.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/err.h"
#include "bridge/io/loop.h"
#include "bridge/io/tls.h"

struct imap_server;

/* Limits; 0 means the default in parentheses. Names are those of the [limits] section. */
struct imap_server_limits {
    unsigned connections;         /* over all listeners (256) */
    unsigned unauthenticated;     /* connections not signed in (16): the oldest of them is closed for a new one */
    unsigned per_account;         /* sessions of one account (64): LOGIN answers NO [LIMIT] */
    unsigned handshake_timeout_s; /* TLS (10) */
    unsigned preauth_timeout_s;   /* from greeting to signing in (60) */
    unsigned idle_timeout_s;      /* no command, or no end of IDLE (1800; RFC 9051 5.4 asks for 30 minutes) */
    unsigned bad_preauth, bad_authenticated; /* BAD answers before BYE (3; 20) */
    size_t line_preauth, line;               /* bytes of a command line (8 KiB; 64 KiB) */
    size_t literal;                          /* bytes of one literal (128 KiB) */
    size_t args;                             /* bytes of all arguments of a command (1 MiB) */
};

struct imap_server_opts {
    struct loop *loop;
    struct accounts *accounts;
    const char *version; /* of the program, for ID; "1.0" */
    const char *tmp_dir; /* for decoded parts of large messages; NULL = /tmp */
    struct imap_server_limits limits;
    void (*on_empty)(void *ud); /* after imap_server_shutdown(), when the last session is gone; may be NULL */
    void *ud;
};

/* opts is copied; strings must outlive the server. Never fails. */
struct imap_server *imap_server_new(const struct imap_server_opts *opts);

/* `address` is numeric ("127.0.0.1", "::1"); port 0 = any free one. `tls` NULL = plain. ERR_EXISTS: the port is taken.
 */
bool imap_server_listen(struct imap_server *s, const char *address, unsigned port, struct tls_server *tls,
                        bool same_user, struct err *err);
/* The same on a descriptor from socket activation; takes the descriptor. */
bool imap_server_listen_fd(struct imap_server *s, int fd, struct tls_server *tls, bool same_user, struct err *err);
unsigned imap_server_port(const struct imap_server *s); /* of the first listener; 0 if there is none */
size_t imap_server_sessions(const struct imap_server *s);

void imap_server_shutdown(struct imap_server *s);
void imap_server_free(struct imap_server **s);

#endif
