/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in, and the end of all. One connection is client.c's. */
#include "protocols/server.h"

#include "bridge/base/mem.h"
#include "protocols/server_private.h"

#define INPUT_LIMIT (64 * 1024) /* bytes of a client held unread while it waits for an answer */

/* --- all protocols --------------------------------------------------------------------------------------------------
 */

static void on_empty(void *ud)
{
    struct servers *all = ud;
    if (all->opts.on_empty)
        all->opts.on_empty(all->opts.ud);
}

static void set_limits(struct server_limits *l)
{
#define OR(field, otherwise) l->field = l->field ? l->field : (otherwise)
    OR(connections, 256);
    OR(unauthenticated, 64);
    OR(per_account, 64);
    OR(handshake_timeout_s, 10);
    OR(preauth_timeout_s, 60);
    OR(bad_preauth, 3);
    OR(bad_authenticated, 20);
#undef OR
}

const struct accounts *servers_accounts(const struct servers *s)
{
    return s->opts.accounts;
}

struct servers *servers_new(const struct servers_opts *opts)
{
    struct servers *all = MEM_NEW(struct servers);
    all->opts = *opts;
    set_limits(&all->opts.limits);
    list_init(&all->clients);
    list_init(&all->servers);
    deferred_init(&all->empty, on_empty, all);
    return all;
}

size_t servers_clients(const struct servers *all)
{
    return all->client_n;
}

size_t servers_account_clients(const struct servers *all, const struct account *account)
{
    size_t n = 0;
    LIST_EACH (&all->clients, link) {
        const struct client *c = LIST_ITEM(link, struct client, link);
        n += c->account == account && !c->ending;
    }
    return n;
}

static void close_listeners(struct server *s)
{
    while (s->listener_n > 0)
        conn_listener_free(&s->listeners[--s->listener_n]);
}

static void say_empty_if_so(struct servers *all)
{
    if (all->closing && all->client_n == 0)
        loop_defer(all->opts.loop, &all->empty);
}

void servers_client_gone(struct servers *all)
{
    all->client_n--;
    say_empty_if_so(all);
}

void servers_shutdown(struct servers *all)
{
    all->closing = true;
    LIST_EACH (&all->servers, link)
        close_listeners(LIST_ITEM(link, struct server, link));
    LIST_EACH (&all->clients, link) {
        struct client *c = LIST_ITEM(link, struct client, link);
        if (!c->protocol->answer_first || !c->protocol->answer_first(c)) /* else client_go_on() says it */
            client_goodbye(c, GOODBYE_SHUTDOWN);
    }
    say_empty_if_so(all);
}

bool servers_leave_account(struct servers *all, const struct account *account, bool now)
{
    bool none = true;
    LIST_EACH (&all->clients, link) {
        struct client *c = LIST_ITEM(link, struct client, link);
        if (c->account != account)
            continue;
        if (now) {
            client_drop(c);
            continue;
        }
        none = false;
        c->leaving = true;
        if (!c->protocol->answer_first || !c->protocol->answer_first(c)) /* else client_go_on() says it */
            client_goodbye(c, GOODBYE_CHANGED);
    }
    return none;
}

void servers_free(struct servers **all)
{
    if (!*all)
        return;
    loop_defer_cancel(&(*all)->empty);
    mem_free(*all);
    *all = NULL;
}

/* --- one protocol ---------------------------------------------------------------------------------------------------
 */

struct server *server_new(const struct server_opts *opts)
{
    struct server *s = MEM_NEW(struct server);
    s->opts = *opts;
    list_init(&s->link);
    list_append(&opts->all->servers, &s->link);
    return s;
}

void *server_ud(const struct server *s)
{
    return s->opts.ud;
}

/* Strangers cannot keep the owner out: the oldest connection that has not signed in makes room for a new one. */
static void drop_oldest_stranger(struct servers *all)
{
    unsigned n = 0;
    struct client *oldest = NULL;
    LIST_EACH (&all->clients, link) {
        struct client *c = LIST_ITEM(link, struct client, link);
        if (c->account || c->ending)
            continue;
        n++;
        if (!oldest)
            oldest = c;
    }
    if (oldest && n >= all->opts.limits.unauthenticated)
        client_goodbye(oldest, GOODBYE_STRANGERS);
}

static void on_accept(void *ud, struct conn *conn)
{
    struct server *s = ud;
    struct servers *all = s->opts.all;
    drop_oldest_stranger(all);
    all->client_n++;
    client_new(s, conn);
}

static bool room_for_listener(const struct server *s, struct err *err)
{
    return s->listener_n < SERVER_LISTENERS_MAX || err_set(err, ERR_INVALID, "%s: more than %d addresses to listen on",
                                                           s->opts.protocol->area, SERVER_LISTENERS_MAX);
}

static struct conn_listen_opts listen_opts(const struct server *s, struct tls_server *tls, bool same_user)
{
    const struct server_limits *limits = &s->opts.all->opts.limits;
    return (struct conn_listen_opts){.name = s->opts.protocol->area,
                                     .tls = tls,
                                     .same_user = same_user,
                                     .max_connections = limits->connections,
                                     .handshake_timeout_ms = limits->handshake_timeout_s * 1000,
                                     .input_limit = INPUT_LIMIT};
}

static bool add_listener(struct server *s, struct conn_listener *l)
{
    if (l)
        s->listeners[s->listener_n++] = l;
    return l != NULL;
}

bool server_listen(struct server *s, const char *address, unsigned port, struct tls_server *tls, bool same_user,
                   struct err *err)
{
    if (!room_for_listener(s, err))
        return false;
    struct conn_listen_opts opts = listen_opts(s, tls, same_user);
    opts.address = address;
    opts.port = port;
    return add_listener(s, conn_listen(s->opts.all->opts.loop, &opts, on_accept, s, err));
}

bool server_listen_fd(struct server *s, int fd, struct tls_server *tls, bool same_user, struct err *err)
{
    if (!room_for_listener(s, err))
        return false;
    struct conn_listen_opts opts = listen_opts(s, tls, same_user);
    return add_listener(s, conn_listen_fd(s->opts.all->opts.loop, fd, &opts, on_accept, s, err));
}

void server_unlisten(struct server *s)
{
    close_listeners(s);
}

unsigned server_port(const struct server *s)
{
    return s->listener_n ? conn_listener_port(s->listeners[0]) : 0;
}

void server_free(struct server **ret_s)
{
    struct server *s = *ret_s;
    if (!s)
        return;
    *ret_s = NULL;
    close_listeners(s);
    LIST_EACH (&s->opts.all->clients, link) {
        struct client *c = LIST_ITEM(link, struct client, link);
        if (c->server == s)
            client_drop(c);
    }
    list_remove(&s->link);
    if (s->opts.protocol->done)
        s->opts.protocol->done(s->opts.ud);
    mem_free(s);
}
