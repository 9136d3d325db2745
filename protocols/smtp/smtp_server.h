/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SMTP_SMTP_SERVER_H
#define PROTOCOLS_SMTP_SMTP_SERVER_H
/*
 * Message submission (RFC 6409): listeners, and one session for each connection (smtp_session.h).
 *
 *     smtp_server_new -> smtp_server_listen (once an address) -> ... -> smtp_server_shutdown -> [on_empty] ->
 * smtp_server_free
 *
 * shutdown closes the listeners and says 421 to every client; one whose message is on its way to Exchange is answered
 * first. free drops what is left at once: no callback comes after it, and an attempt to send under way goes on without
 * the client (bridge/submit.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/err.h"
#include "bridge/io/loop.h"
#include "bridge/io/tls.h"

struct smtp_server;

/* Limits; 0 means the default in parentheses. Names are those of the [limits] section. */
struct smtp_server_limits {
    unsigned connections;         /* over all listeners (256) */
    unsigned unauthenticated;     /* connections not signed in (16): the oldest of them is closed for a new one */
    unsigned per_account;         /* sessions of one account (64) */
    unsigned handshake_timeout_s; /* TLS (10) */
    unsigned preauth_timeout_s;   /* from the connection to signing in (60) */
    unsigned idle_timeout_s;      /* no byte from the client (600; RFC 5321 4.5.3.2.7 asks for 5 minutes) */
    unsigned bad_preauth, bad_authenticated; /* commands that make no sense before 421 (3; 20) */
    size_t line;                             /* bytes of a command line (4096) */
    size_t recipients;                       /* of one message (1000) */
    uint64_t message;                        /* bytes of a message, where the server says nothing else (150 MiB) */
};

struct smtp_server_opts {
    struct loop *loop;
    struct accounts *accounts;
    const char *tmp_dir; /* for messages on their way; NULL = /tmp */
    struct smtp_server_limits limits;
    void (*on_empty)(void *ud); /* after smtp_server_shutdown(), when the last session is gone; may be NULL */
    void *ud;
};

/* opts is copied; strings must outlive the server. Never fails. */
struct smtp_server *smtp_server_new(const struct smtp_server_opts *opts);

/* `address` is numeric ("127.0.0.1", "::1"); port 0 = any free one. `tls` NULL = plain. ERR_EXISTS: the port is taken.
 */
bool smtp_server_listen(struct smtp_server *s, const char *address, unsigned port, struct tls_server *tls,
                        bool same_user, struct err *err);
unsigned smtp_server_port(const struct smtp_server *s); /* of the first listener; 0 if there is none */
size_t smtp_server_sessions(const struct smtp_server *s);

void smtp_server_shutdown(struct smtp_server *s);
void smtp_server_free(struct smtp_server **s);

#endif
