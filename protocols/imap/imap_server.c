/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_server.h"

#include "bridge/base/mem.h"
#include "bridge/formats/charset.h"
#include "bridge/io/conn.h"
#include "protocols/guard.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_session.h"

#define LISTENERS_MAX 8
#define INPUT_LIMIT   (64 * 1024) /* bytes of a client held unread while a command runs */

struct imap_server {
    struct imap_server_opts opts;
    struct imap_limits preauth, authenticated;
    struct charset_cache *charsets;
    struct conn_listener *listeners[LISTENERS_MAX];
    size_t listener_n;
    struct list sessions; /* oldest first */
    size_t session_n;
    bool closing;
    struct deferred empty;
    struct guard_log foreign;
};

static void set_default(unsigned *value, unsigned otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_default_size(size_t *value, size_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_limits(struct imap_server *server)
{
    struct imap_server_limits *l = &server->opts.limits;
    set_default(&l->connections, 256);
    set_default(&l->unauthenticated, 16);
    set_default(&l->per_account, 64);
    set_default(&l->preauth_timeout_s, 60);
    set_default(&l->handshake_timeout_s, 10);
    set_default(&l->idle_timeout_s, 1800);
    set_default(&l->bad_preauth, 3);
    set_default(&l->bad_authenticated, 20);
    server->preauth = imap_limits_preauth;
    server->authenticated = imap_limits_auth;
    set_default_size(&l->line_preauth, server->preauth.line);
    set_default_size(&l->line, server->authenticated.line);
    set_default_size(&l->literal, server->authenticated.literal);
    set_default_size(&l->args, server->authenticated.arguments);
    server->preauth.line = l->line_preauth;
    server->authenticated.line = l->line;
    server->authenticated.literal = l->literal;
    server->authenticated.arguments = l->args;
}

static void on_empty(void *ud)
{
    struct imap_server *server = ud;
    if (server->opts.on_empty)
        server->opts.on_empty(server->opts.ud);
}

struct imap_server *imap_server_new(const struct imap_server_opts *opts)
{
    struct imap_server *server = MEM_NEW(struct imap_server);
    server->opts = *opts;
    if (!server->opts.tmp_dir)
        server->opts.tmp_dir = "/tmp";
    set_limits(server);
    server->charsets = charset_cache_new();
    list_init(&server->sessions);
    deferred_init(&server->empty, on_empty, server);
    return server;
}

const struct imap_server_opts *imap_server_options(const struct imap_server *server)
{
    return &server->opts;
}

struct charset_cache *imap_server_charsets(const struct imap_server *server)
{
    return server->charsets;
}

const struct imap_limits *imap_server_parse_limits(const struct imap_server *server, bool authenticated)
{
    return authenticated ? &server->authenticated : &server->preauth;
}

/* --- connections
 * ------------------------------------------------------------------------------------------------------ */

/* Strangers cannot keep the owner out: the oldest connection that has not signed in makes room for a new one. */
static void drop_oldest_stranger(struct imap_server *server)
{
    unsigned n = 0;
    struct imap_session *oldest = NULL;
    LIST_EACH (&server->sessions, link) {
        struct imap_session *s = LIST_ITEM(link, struct imap_session, link);
        if (s->state != IMAP_STATE_NOT_AUTHENTICATED || s->ending)
            continue;
        n++;
        if (!oldest)
            oldest = s;
    }
    if (oldest && n >= server->opts.limits.unauthenticated)
        imap_bye(oldest, NULL, "Too many connections that have not signed in.", "too many strangers");
}

static void on_accept(void *ud, struct conn *conn)
{
    struct imap_server *server = ud;
    drop_oldest_stranger(server);
    struct imap_session *s = imap_session_new(server, conn);
    list_append(&server->sessions, &s->link);
    if (++server->session_n > server->opts.limits.connections)
        imap_bye(s, "LIMIT", "Too many connections.", "too many connections");
}

static struct conn_listen_opts listen_opts(const struct imap_server *server, struct tls_server *tls, bool same_user)
{
    return (struct conn_listen_opts){.name = "imap",
                                     .tls = tls,
                                     .same_user = same_user,
                                     .max_connections = server->opts.limits.connections,
                                     .handshake_timeout_ms = server->opts.limits.handshake_timeout_s * 1000,
                                     .input_limit = INPUT_LIMIT};
}

static bool add_listener(struct imap_server *server, struct conn_listener *l)
{
    if (l)
        server->listeners[server->listener_n++] = l;
    return l != NULL;
}

bool imap_server_listen(struct imap_server *server, const char *address, unsigned port, struct tls_server *tls,
                        bool same_user, struct err *err)
{
    if (server->listener_n == LISTENERS_MAX)
        return err_set(err, ERR_INVALID, "imap: more than %d addresses to listen on", LISTENERS_MAX);
    struct conn_listen_opts opts = listen_opts(server, tls, same_user);
    opts.address = address;
    opts.port = port;
    return add_listener(server, conn_listen(server->opts.loop, &opts, on_accept, server, err));
}

bool imap_server_listen_fd(struct imap_server *server, int fd, struct tls_server *tls, bool same_user, struct err *err)
{
    if (server->listener_n == LISTENERS_MAX)
        return err_set(err, ERR_INVALID, "imap: more than %d addresses to listen on", LISTENERS_MAX);
    struct conn_listen_opts opts = listen_opts(server, tls, same_user);
    return add_listener(server, conn_listen_fd(server->opts.loop, fd, &opts, on_accept, server, err));
}

unsigned imap_server_port(const struct imap_server *server)
{
    return server->listener_n ? conn_listener_port(server->listeners[0]) : 0;
}

size_t imap_server_sessions(const struct imap_server *server)
{
    return server->session_n;
}

size_t imap_server_account_sessions(const struct imap_server *server, const struct account *account)
{
    size_t n = 0;
    LIST_EACH (&server->sessions, link) {
        const struct imap_session *s = LIST_ITEM(link, struct imap_session, link);
        n += s->account == account && !s->ending;
    }
    return n;
}

void imap_server_log_foreign(struct imap_server *server, const struct imap_session *s)
{
    guard_log_foreign(&server->foreign, "imap", "IMAP", conn_id(s->conn));
}

/* --- the end
 * ---------------------------------------------------------------------------------------------------------- */

void imap_server_session_gone(struct imap_server *server, struct imap_session *s)
{
    (void)s;
    server->session_n--;
    if (server->closing && server->session_n == 0)
        loop_defer(server->opts.loop, &server->empty);
}

static void close_listeners(struct imap_server *server)
{
    while (server->listener_n > 0)
        conn_listener_free(&server->listeners[--server->listener_n]);
}

void imap_server_shutdown(struct imap_server *server)
{
    close_listeners(server);
    server->closing = true;
    if (server->session_n == 0)
        loop_defer(server->opts.loop, &server->empty);
    LIST_EACH (&server->sessions, link)
        imap_bye(LIST_ITEM(link, struct imap_session, link), NULL, "exbridge is shutting down.", "shutdown");
}

void imap_server_free(struct imap_server **s)
{
    struct imap_server *server = *s;
    if (!server)
        return;
    *s = NULL;
    close_listeners(server);
    server->closing = false;
    LIST_EACH (&server->sessions, link)
        imap_session_drop(LIST_ITEM(link, struct imap_session, link));
    loop_defer_cancel(&server->empty);
    charset_cache_free(server->charsets);
    mem_free(server);
}
