/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SERVER_H
#define PROTOCOLS_SERVER_H
/*
 * What every protocol towards clients needs and none should write again: listeners, connections and their limits (over
 * all protocols together), signing in, the two time limits, fair shares of the loop, and the orderly end.
 *
 *     struct servers    one a program: limits, every connected client
 *     struct server     one a protocol: its listeners
 *     struct client     one a connection: the first member of the protocol's session
 *
 *     servers_new -> server_new (once a protocol) -> server_listen (once an address) -> ... -> servers_shutdown ->
 *     [on_empty] -> server_free (each) -> servers_free
 *
 * To write a protocol:
 *   1. struct http_session { struct client client; ... }; and a static const struct server_protocol with its
 *      session_size and functions, see below. A session is made, zeroed, by the server; start() fills in the rest and
 *      may greet.
 *   2. read() takes bytes from *in: one command, one line, one piece of a body at a time. It answers into client->out
 *      (client_flush() is called for it), or leaves something running: busy() is then true, nothing is read, and the
 *      bytes that came wait in the connection, up to its limit. The callback of what runs answers and calls
 *      client_go_on() last.
 *   3. Long answers: between two pieces ask client_has_room(); when it is false call client_yield() and return. turn()
 *      is called when there is room and time again. Large bodies go out with conn_write_blob() after client_flush().
 *   4. Signing in: client_sign_in(). Until it has succeeded the client is a stranger: few of them, for a short time.
 *      Its callback never comes from inside the call.
 *   5. goodbye() says why in the protocol's own words; the connection is closed for it once that is sent.
 *   6. stop() cancels or detaches everything that could still call back. It comes before goodbye(), and once more
 *      before free(), so it has to be harmless when there is nothing to stop. free() gives back what start() made;
 *      the session itself is not its business.
 * bridge/run/run_servers.c makes the server (imap_server_new() is the pattern: options in, struct server * out) and
 * listens.
 *
 * A session lives until its connection has gone, which is told from the loop: it stays valid through any function of
 * its own. All of this runs on the loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/list.h"
#include "bridge/base/str.h"
#include "bridge/io/conn.h"
#include "bridge/io/loop.h"
#include "bridge/io/tls.h"

struct servers;
struct server;
struct client;

/* --- the program's part ---------------------------------------------------------------------------------------------
 */

/* 0 means the default in parentheses. Names are those of the [limits] section. All count over all protocols. */
struct server_limits {
    unsigned connections;         /* (256) */
    unsigned unauthenticated;     /* connections not signed in (64): the oldest of them is closed for a new one */
    unsigned per_account;         /* connections of one account (64) */
    unsigned handshake_timeout_s; /* TLS (10) */
    unsigned preauth_timeout_s;   /* from the connection to signing in (60) */
    unsigned bad_preauth;         /* commands that make no sense before goodbye, before (3) */
    unsigned bad_authenticated;   /* and after (20) signing in */
};

struct servers_opts {
    struct loop *loop;
    struct accounts *accounts;
    struct server_limits limits;
    void (*on_empty)(void *ud); /* once after servers_shutdown(), when the last client is gone; may be NULL */
    void *ud;
};

/* opts is copied; never fails. */
struct servers *servers_new(const struct servers_opts *opts);
const struct accounts *servers_accounts(const struct servers *all);
size_t servers_clients(const struct servers *all);
size_t servers_account_clients(const struct servers *all, const struct account *account); /* signed in */
/* Says goodbye to the clients of an account, as at the shutdown; `now`: drops them. True: there is none any more, not
 * even one that is on its way out. */
bool servers_leave_account(struct servers *all, const struct account *account, bool now);
/* Closes the listeners and says goodbye to every client; one that answer_first() names is answered first. */
void servers_shutdown(struct servers *all);
/* After the last server_free(). */
void servers_free(struct servers **all);

/* `address` is numeric ("127.0.0.1", "::1"); port 0 = any free one. `tls` NULL = plain. ERR_EXISTS: the port is taken.
 */
bool server_listen(struct server *s, const char *address, unsigned port, struct tls_server *tls, bool same_user,
                   struct err *err);
/* The same on a descriptor from socket activation; takes the descriptor. */
bool server_listen_fd(struct server *s, int fd, struct tls_server *tls, bool same_user, struct err *err);
void server_unlisten(struct server *s);       /* closes the listeners; clients stay */
unsigned server_port(const struct server *s); /* of the first listener; 0 if there is none */
/* Drops what is left at once: no callback comes after it. */
void server_free(struct server **s);

/* --- a protocol's part ----------------------------------------------------------------------------------------------
 */

enum goodbye {
    GOODBYE_STRANGERS, /* too many have not signed in, and this one has waited longest */
    GOODBYE_CROWDED,   /* too many connections */
    GOODBYE_SIGN_IN,   /* it has not signed in in time */
    GOODBYE_FAILURES,  /* too many failed attempts to sign in */
    GOODBYE_IDLE,
    GOODBYE_BAD, /* too many commands that make no sense */
    GOODBYE_SHUTDOWN,
    GOODBYE_CHANGED, /* the account's configuration has changed */
    GOODBYE_MAX
};

struct server_protocol {
    const char *area; /* "imap": in logs */
    const char *name; /* "IMAP": in texts */
    size_t session_size;
    void (*start)(struct client *c);
    /* Take something from *in. False: it is not enough to go on with (or the session waits for something else). */
    bool (*read)(struct client *c, struct str *in);
    /* Something runs that has to end before more is read. The idle timeout does not count then. */
    bool (*busy)(const struct client *c);
    void (*turn)(struct client *c);                                        /* after client_yield(); may be NULL */
    void (*goodbye)(struct client *c, enum goodbye why, const char *text); /* into client->out */
    bool (*answer_first)(const struct client *c);                          /* see servers_shutdown(); may be NULL */
    void (*ended)(struct client *c); /* while it is busy: the client ends its direction; may be NULL */
    void (*stop)(struct client *c);
    void (*free)(struct client *c);
    void (*done)(void *ud); /* of server_free(): the options' `ud` is not needed any more; may be NULL */
};

struct server_opts {
    struct servers *all;
    const struct server_protocol *protocol;
    unsigned idle_timeout_s; /* no byte from a client that has signed in */
    void *ud;                /* the protocol's own: server_ud() */
};
struct server *server_new(const struct server_opts *opts);
void *server_ud(const struct server *s);

#define CLIENT_LOGIN_FAILURES_MAX 3 /* wrong passwords on one connection */

enum client_login_status {
    CLIENT_LOGIN_DONE,  /* client->account is set */
    CLIENT_LOGIN_WRONG, /* name or password, nobody says which */
    CLIENT_LOGIN_AWAY,  /* the password could not be compared: err says why */
    CLIENT_LOGIN_MANY   /* too many connections of this account */
};
typedef void client_login_cb(struct client *c, enum client_login_status status, const struct err *err);

struct client {
    struct list link; /* in `all`, oldest first */
    struct servers *all;
    struct server *server;
    const struct server_protocol *protocol;
    struct conn *conn;
    struct loop *loop;
    struct account *account; /* NULL: a stranger */
    struct buf out;          /* answers on their way to the connection */
    bool ended;              /* the client has ended its direction: what it has said is answered, then it is closed */
    bool ending;             /* goodbye has been said, or the connection is closed */
    bool leaving;            /* it is to be said as soon as what runs is answered */
    bool running;            /* in read() or turn() */
    bool yielded;
    struct deferred next; /* more to read, or the next turn */
    uint64_t slice_ms;    /* when this slice of work began */
    uint64_t flushed_ms;  /* when the client was last sent something */
    unsigned slice_n;     /* pieces in it; the clock is looked at every 32 (|= 31: at the next) */
    unsigned bad_count, login_failures;
    struct account_login *login;
    client_login_cb *on_login;
};

/* "work" for logs; NULL before signing in. */
const char *client_account_name(const struct client *c);

/* Hand client->out to the connection. */
void client_flush(struct client *c);
/* Is there room and time for another piece of a long answer? Flushes when enough is there. */
bool client_has_room(struct client *c);
/* A callback of the core goes on with a long answer: it has a share of the loop of its own. */
void client_begin_slice(struct client *c);
/* Go on in turn(), when the output has drained and others had theirs. */
void client_yield(struct client *c);
/* What made the client busy is over, and answered: read on. Harmless in read(), which goes on by itself. */
void client_go_on(struct client *c);

/* Ask account_login(). A failure is counted, logged, and when it was the last one allowed, followed by goodbye(). A
 * client that has signed in as the same account is not counted twice. One callback, or none after stop(). */
void client_sign_in(struct client *c, struct str name, struct str password, client_login_cb *cb);
void client_sign_in_cancel(struct client *c);
/* A refusal without asking (authorization for somebody else): counted like a wrong password. */
void client_login_failed(struct client *c);
/* A command that makes no sense. One that made sense: client->bad_count = 0. */
void client_bad(struct client *c);

/* Stop what runs, say goodbye in the protocol's words, close. */
void client_goodbye(struct client *c, enum goodbye why);
/* The same with words already written to client->out (QUIT, LOGOUT, out of step). `reason` (static) is for the log. */
void client_close(struct client *c, const char *reason);
/* HTTP or a mail header on a port of another protocol (guard.h): dropped without an answer, logged now and then. */
void client_foreign(struct client *c);

#endif
