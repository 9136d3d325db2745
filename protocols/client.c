/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a client: bytes to read(), answers out, time limits, signing in, the end. */
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "protocols/server_private.h"

#define OUT_CHUNK (32 * 1024) /* answers are handed to the connection in pieces of about this size */
#define SLICE_MS  6           /* work for one client in one turn of the loop */

const char *client_account_name(const struct client *c)
{
    return c->account ? account_name(c->account) : NULL;
}

/* --- the end --------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *text, *reason;
} goodbyes[] = {
    [GOODBYE_STRANGERS] = {"Too many connections that have not signed in.", "too many strangers"},
    [GOODBYE_CROWDED] = {"Too many connections.", "too many connections"},
    [GOODBYE_SIGN_IN] = {"Signing in took too long.", "not signed in in time"},
    [GOODBYE_FAILURES] = {"Too many failed attempts to sign in.", "too many failed sign-ins"},
    [GOODBYE_IDLE] = {"Nothing heard for too long.", "idle"},
    [GOODBYE_BAD] = {"Too many bad commands.", "too many bad commands"},
    [GOODBYE_SHUTDOWN] = {"exbridge is shutting down.", "shutdown"},
    [GOODBYE_CHANGED] = {"The account's configuration has changed; please connect again.", "configuration changed"},
};
_Static_assert(sizeof(goodbyes) / sizeof(goodbyes[0]) == GOODBYE_MAX, "every goodbye has its words");

static void stop(struct client *c)
{
    client_sign_in_cancel(c);
    c->protocol->stop(c);
    c->yielded = false;
}

void client_close(struct client *c, const char *reason)
{
    if (c->ending)
        return;
    c->ending = true;
    stop(c);
    client_flush(c);
    conn_close(c->conn, reason);
}

void client_goodbye(struct client *c, enum goodbye why)
{
    if (c->ending)
        return;
    c->ending = true;
    stop(c);
    c->protocol->goodbye(c, why, goodbyes[why].text);
    client_flush(c);
    conn_close(c->conn, goodbyes[why].reason);
}

void client_foreign(struct client *c)
{
    guard_log_foreign(&c->server->foreign, c->protocol->area, c->protocol->name, conn_id(c->conn));
    c->ending = true;
    stop(c);
    conn_abort(c->conn, "another protocol");
}

void client_bad(struct client *c)
{
    const struct server_limits *limits = &c->all->opts.limits;
    if (++c->bad_count >= (c->account ? limits->bad_authenticated : limits->bad_preauth))
        client_goodbye(c, GOODBYE_BAD);
}

static void client_free(struct client *c)
{
    struct servers *all = c->all;
    c->ending = true;
    stop(c);
    c->protocol->free(c);
    loop_defer_cancel(&c->next);
    buf_done(&c->out);
    list_remove(&c->link);
    mem_free(c);
    servers_client_gone(all);
}

/* --- time limits ----------------------------------------------------------------------------------------------------
 */

/* Before sign-in one time is for everything. */
static void restart_timeout(struct client *c)
{
    if (c->account && !c->ending)
        conn_set_timeout(c->conn, (uint64_t)c->server->opts.idle_timeout_s * 1000);
}

static void on_timeout(struct client *c)
{
    if (c->ending)
        return;
    if (!c->account)
        client_goodbye(c, GOODBYE_SIGN_IN);
    else if (c->protocol->busy(c))
        restart_timeout(c);
    else
        client_goodbye(c, GOODBYE_IDLE);
}

/* --- output ---------------------------------------------------------------------------------------------------------
 */

void client_flush(struct client *c)
{
    if (c->out.n == 0 && !c->out.failed)
        return;
    if (c->out.failed) { /* an answer over 64 MiB that does not stream: half of it would be worse than none */
        log_error(c->protocol->area, client_account_name(c), "conn %llu: an answer is too large",
                  (unsigned long long)conn_id(c->conn));
        conn_abort(c->conn, "answer too large");
    } else {
        conn_write(c->conn, buf_view(&c->out));
        c->flushed_ms = time_mono_ms();
    }
    buf_reset(&c->out);
}

void client_begin_slice(struct client *c)
{
    c->slice_ms = time_mono_ms();
    c->slice_n = 0;
}

bool client_has_room(struct client *c)
{
    if (c->out.n >= OUT_CHUNK)
        client_flush(c);
    if ((++c->slice_n & 31) == 0 && time_mono_ms() - c->slice_ms >= SLICE_MS)
        return false;
    return !conn_full(c->conn);
}

void client_yield(struct client *c)
{
    client_flush(c);
    c->yielded = true;
    if (!conn_full(c->conn))
        loop_defer(c->loop, &c->next);
}

/* --- input ----------------------------------------------------------------------------------------------------------
 */

static bool may_read(const struct client *c)
{
    return !c->ending && !c->protocol->busy(c) && !conn_full(c->conn);
}

static bool read_some(struct client *c)
{
    struct str in = conn_input(c->conn);
    size_t before = in.n;
    if (before == 0)
        return false;
    client_begin_slice(c);
    bool more = c->protocol->read(c, &in);
    if (conn_closing(c->conn))
        return false;
    conn_consume(c->conn, before - in.n);
    return more;
}

/* The client says no more, and everything that it has said is answered. */
static bool is_over(const struct client *c)
{
    return c->ended && !c->yielded && may_read(c);
}

static void run(struct client *c)
{
    if (c->running || !may_read(c))
        return;
    c->running = true;
    while (may_read(c) && read_some(c))
        ;
    c->running = false;
    if (is_over(c)) {
        client_close(c, "ended by the client");
    } else if (!c->ending) {
        client_flush(c);
        restart_timeout(c);
    }
}

static void turn(struct client *c)
{
    c->yielded = false;
    client_begin_slice(c);
    c->protocol->turn(c);
}

static void on_next(void *ud)
{
    struct client *c = ud;
    if (c->ending)
        return;
    if (!c->yielded)
        run(c);
    else if (!conn_full(c->conn))
        turn(c);
}

void client_go_on(struct client *c)
{
    if (c->running || c->ending)
        return;
    client_flush(c);
    restart_timeout(c);
    if (c->all->closing)
        client_goodbye(c, GOODBYE_SHUTDOWN);
    else if (c->leaving)
        client_goodbye(c, GOODBYE_CHANGED);
    else
        loop_defer(c->loop, &c->next);
}

/* --- signing in -----------------------------------------------------------------------------------------------------
 */

void client_login_failed(struct client *c)
{
    if (++c->login_failures >= CLIENT_LOGIN_FAILURES_MAX)
        client_goodbye(c, GOODBYE_FAILURES);
}

static void signed_in(struct client *c, struct account *account)
{
    if (c->account != account)
        log_info(c->protocol->area, account_name(account), "conn %llu: signed in",
                 (unsigned long long)conn_id(c->conn));
    c->account = account;
    c->bad_count = 0;
    restart_timeout(c);
}

static void on_login(void *ud, struct account *account, const struct err *err)
{
    struct client *c = ud;
    client_login_cb *cb = c->on_login;
    c->login = NULL;
    if (err && err->code != ERR_NONE) {
        log_warn(c->protocol->area, account ? account_name(account) : NULL, "conn %llu: sign-in failed: %s: %s",
                 (unsigned long long)conn_id(c->conn), err_name(err->code), err->text);
        cb(c, err->code == ERR_AUTH ? CLIENT_LOGIN_WRONG : CLIENT_LOGIN_AWAY, err);
        if (err->code == ERR_AUTH)
            client_login_failed(c);
    } else if (c->account != account && servers_account_clients(c->all, account) >= c->all->opts.limits.per_account) {
        cb(c, CLIENT_LOGIN_MANY, NULL);
    } else {
        signed_in(c, account);
        cb(c, CLIENT_LOGIN_DONE, NULL);
    }
}

void client_sign_in(struct client *c, struct str name, struct str password, client_login_cb *cb)
{
    c->on_login = cb;
    c->login = account_login(c->all->opts.accounts, name, password, on_login, c);
}

void client_sign_in_cancel(struct client *c)
{
    account_login_cancel(&c->login);
}

/* --- the connection -------------------------------------------------------------------------------------------------
 */

static void on_conn(void *ud, struct conn *conn, enum conn_event event)
{
    struct client *c = ud;
    (void)conn;
    switch (event) {
    case CONN_DATA:
        run(c);
        break;
    case CONN_DRAINED:
        on_next(c);
        break;
    case CONN_TIMEOUT:
        on_timeout(c);
        break;
    case CONN_ENDED:
        c->ended = true;
        if (c->protocol->ended && !c->ending && c->protocol->busy(c))
            c->protocol->ended(c);
        run(c);
        break;
    case CONN_CLOSED:
        client_free(c);
        break;
    }
}

void client_new(struct server *s, struct conn *conn)
{
    struct servers *all = s->opts.all;
    struct client *c = mem_alloc(s->opts.protocol->session_size);
    c->all = all;
    c->server = s;
    c->protocol = s->opts.protocol;
    c->conn = conn;
    c->loop = conn_loop(conn);
    buf_init(&c->out, 0);
    list_init(&c->link);
    list_append(&all->clients, &c->link);
    deferred_init(&c->next, on_next, c);
    conn_set_handler(conn, on_conn, c);
    conn_set_timeout(conn, (uint64_t)all->opts.limits.preauth_timeout_s * 1000);
    c->protocol->start(c);
    if (all->client_n > all->opts.limits.connections)
        client_goodbye(c, GOODBYE_CROWDED);
    else
        client_flush(c);
}

static void on_dropped(void *ud, struct conn *conn, enum conn_event event)
{
    (void)ud;
    (void)conn;
    (void)event;
}

void client_drop(struct client *c)
{
    struct conn *conn = c->conn;
    client_free(c);
    conn_set_handler(conn, on_dropped, NULL);
    conn_abort(conn, "shutdown");
}
