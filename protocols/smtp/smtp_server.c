/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_server.h"

#include "bridge/base/mem.h"
#include "bridge/io/conn.h"
#include "protocols/guard.h"
#include "protocols/smtp/smtp_session.h"

#define LISTENERS_MAX 8
#define INPUT_LIMIT   (64 * 1024) /* bytes of a client held unread while it waits for an answer */

struct smtp_server {
    struct smtp_server_opts opts;
    struct conn_listener *listeners[LISTENERS_MAX];
    size_t listener_n;
    struct list sessions; /* oldest first */
    size_t session_n;
    bool closing;
    struct deferred empty;
    struct guard_log foreign;
};

static void on_empty(void *ud)
{
    struct smtp_server *server = ud;
    if (server->opts.on_empty)
        server->opts.on_empty(server->opts.ud);
}

static void set_limits(struct smtp_server_limits *l)
{
#define OR(field, otherwise) l->field = l->field ? l->field : (otherwise)
    OR(connections, 256);
    OR(unauthenticated, 16);
    OR(per_account, 64);
    OR(handshake_timeout_s, 10);
    OR(preauth_timeout_s, 60);
    OR(idle_timeout_s, 600);
    OR(bad_preauth, 3);
    OR(bad_authenticated, 20);
    OR(line, SMTP_LINE_DEFAULT);
    OR(recipients, 1000);
    OR(message, (uint64_t)150 << 20);
#undef OR
}

struct smtp_server *smtp_server_new(const struct smtp_server_opts *opts)
{
    struct smtp_server *server = MEM_NEW(struct smtp_server);
    server->opts = *opts;
    if (!server->opts.tmp_dir)
        server->opts.tmp_dir = "/tmp";
    set_limits(&server->opts.limits);
    list_init(&server->sessions);
    deferred_init(&server->empty, on_empty, server);
    return server;
}

const struct smtp_server_opts *smtp_server_options(const struct smtp_server *server)
{
    return &server->opts;
}

/* --- connections
 * ----------------------------------------------------------------------------------------------------------- */

/* Strangers cannot keep the owner out: the oldest connection that has not signed in makes room for a new one. */
static void drop_oldest_stranger(struct smtp_server *server)
{
    unsigned n = 0;
    struct smtp_session *oldest = NULL;
    LIST_EACH (&server->sessions, link) {
        struct smtp_session *s = LIST_ITEM(link, struct smtp_session, link);
        if (s->account || s->ending)
            continue;
        n++;
        if (!oldest)
            oldest = s;
    }
    if (oldest && n >= server->opts.limits.unauthenticated)
        smtp_end(oldest, "4.3.2", "Too many connections that have not signed in.", "too many strangers");
}

static void on_accept(void *ud, struct conn *conn)
{
    struct smtp_server *server = ud;
    drop_oldest_stranger(server);
    struct smtp_session *s = smtp_session_new(server, conn);
    list_append(&server->sessions, &s->link);
    if (++server->session_n > server->opts.limits.connections)
        smtp_end(s, "4.3.2", "Too many connections.", "too many connections");
}

bool smtp_server_listen(struct smtp_server *server, const char *address, unsigned port, struct tls_server *tls,
                        bool same_user, struct err *err)
{
    if (server->listener_n == LISTENERS_MAX)
        return err_set(err, ERR_INVALID, "smtp: more than %d addresses to listen on", LISTENERS_MAX);
    struct conn_listen_opts opts = {.name = "smtp",
                                    .address = address,
                                    .port = port,
                                    .tls = tls,
                                    .same_user = same_user,
                                    .max_connections = server->opts.limits.connections,
                                    .handshake_timeout_ms = server->opts.limits.handshake_timeout_s * 1000,
                                    .input_limit = INPUT_LIMIT};
    struct conn_listener *l = conn_listen(server->opts.loop, &opts, on_accept, server, err);
    if (l)
        server->listeners[server->listener_n++] = l;
    return l != NULL;
}

unsigned smtp_server_port(const struct smtp_server *server)
{
    return server->listener_n ? conn_listener_port(server->listeners[0]) : 0;
}

size_t smtp_server_sessions(const struct smtp_server *server)
{
    return server->session_n;
}

size_t smtp_server_account_sessions(const struct smtp_server *server, const struct account *account)
{
    size_t n = 0;
    LIST_EACH (&server->sessions, link) {
        const struct smtp_session *s = LIST_ITEM(link, struct smtp_session, link);
        n += s->account == account && !s->ending;
    }
    return n;
}

void smtp_server_log_foreign(struct smtp_server *server, const struct smtp_session *s)
{
    guard_log_foreign(&server->foreign, "smtp", "SMTP", conn_id(s->conn));
}

/* --- the end
 * --------------------------------------------------------------------------------------------------------------- */

void smtp_server_session_gone(struct smtp_server *server)
{
    server->session_n--;
    if (server->closing && server->session_n == 0)
        loop_defer(server->opts.loop, &server->empty);
}

bool smtp_server_closing(const struct smtp_server *server)
{
    return server->closing;
}

static void close_listeners(struct smtp_server *server)
{
    while (server->listener_n > 0)
        conn_listener_free(&server->listeners[--server->listener_n]);
}

void smtp_server_shutdown(struct smtp_server *server)
{
    close_listeners(server);
    server->closing = true;
    if (server->session_n == 0)
        loop_defer(server->opts.loop, &server->empty);
    LIST_EACH (&server->sessions, link) {
        struct smtp_session *s = LIST_ITEM(link, struct smtp_session, link);
        if (!s->submit) /* else it is answered first */
            smtp_shutting_down(s);
    }
}

void smtp_server_free(struct smtp_server **s)
{
    struct smtp_server *server = *s;
    if (!server)
        return;
    *s = NULL;
    close_listeners(server);
    server->closing = false;
    LIST_EACH (&server->sessions, link)
        smtp_session_drop(LIST_ITEM(link, struct smtp_session, link));
    loop_defer_cancel(&server->empty);
    mem_free(server);
}
