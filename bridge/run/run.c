/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/run/run.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cli/commands.h"
#include "bridge/op.h"

#define DRAIN_MS 3000 /* for clients to read their BYE, after SIGTERM */
#define WRITE_MS 7000 /* and then for what is on its way to a server */

static void on_last_write(void *ud)
{
    struct program *p = ud;
    if (p->clients_gone)
        loop_stop(p->loop);
}

/* Nobody is there to be answered, but changes that clients asked for may still be under way. */
void run_clients_gone(void *program)
{
    struct program *p = program;
    if (p->clients_gone || op_write_count() == 0) {
        loop_stop(p->loop);
        return;
    }
    p->clients_gone = true;
    log_info("run", NULL, "waiting for %zu changes that are on their way to a server", op_write_count());
    timer_start(p->drain_timer, WRITE_MS);
}

static void on_stop_signal(void *ud)
{
    struct program *p = ud;
    if (p->stopping) { /* asked twice: somebody is in a hurry */
        loop_stop(p->loop);
        return;
    }
    p->stopping = true;
    log_info("run", NULL, "stopping");
    daemon_notify("STOPPING=1");
    timer_start(p->drain_timer, DRAIN_MS);
    run_shut_servers(p);
}

static void on_reload_signal(void *ud)
{
    struct run_changes changes;
    run_reload(ud, &changes);
    run_changes_done(&changes);
}

static void on_network(void *ud, enum netwatch_event event, uint64_t slept_s)
{
    struct program *p = ud;
    if (p->stopping)
        return;
    if (event == NETWATCH_NO_NETWORK) {
        log_info("net", NULL, "the network is gone");
        return;
    }
    if (event == NETWATCH_SLEPT)
        log_info("net", NULL, "slept for %llu s; connecting anew", (unsigned long long)slept_s);
    else
        log_info("net", NULL, "this machine has other addresses now; connecting anew");
    run_reconnect_accounts(p);
}

static void say_ready(struct program *p)
{
    const struct config_server *v = &p->config->server;
    struct buf where = BUF_INIT(0), what = BUF_INIT(0);
    for (size_t i = 0; i < v->address_count; i++)
        buf_printf(&where, strchr(v->addresses[i], ':') ? "%s[%s]" : "%s%s", i ? ", " : "", v->addresses[i]);
    if (v->imap)
        buf_printf(&what, "IMAP on port %u", (unsigned)v->imap);
    if (v->smtp)
        buf_printf(&what, "%sSMTP on port %u", what.n ? ", " : "", (unsigned)v->smtp);
    if (v->dav)
        buf_printf(&what, "%sCalDAV on port %u", what.n ? ", " : "", (unsigned)v->dav);
    if (what.n)
        log_info("run", NULL, "ready: %s of %s, %s; %zu of %zu accounts", buf_z(&what), buf_z(&where),
                 v->tls ? "TLS" : "without TLS", run_accounts_open(p), p->config->account_count);
    else
        log_info("run", NULL, "ready: no server is turned on; %zu of %zu accounts", run_accounts_open(p),
                 p->config->account_count);
    buf_done(&what);
    buf_done(&where);
    daemon_notify("READY=1");
}

static void start_loop_things(struct program *p)
{
    p->drain_timer = timer_new(p->loop, run_clients_gone, p);
    p->closing_timer = timer_new(p->loop, run_look_at_closing, p);
    op_on_last_write(on_last_write, p);
    p->certs_timer = timer_new(p->loop, run_check_certs, p);
    timer_start(p->certs_timer, CERTS_CHECK_MS);
    p->on_term = loop_signal_new(p->loop, SIGTERM, on_stop_signal, p);
    p->on_int = loop_signal_new(p->loop, SIGINT, on_stop_signal, p);
    p->on_hup = loop_signal_new(p->loop, SIGHUP, on_reload_signal, p);
    p->watchdog = daemon_watchdog_new(p->loop);
    p->netwatch = netwatch_new(p->loop, on_network, p);
}

static void close_all(struct program *p)
{
    control_free(&p->control);
    run_close_servers(p);
    run_close_accounts(p);
    tls_server_free(&p->imap_tls);
    tls_server_free(&p->smtp_tls);
    tls_server_free(&p->dav_tls);
    timer_free(&p->drain_timer);
    timer_free(&p->closing_timer);
    timer_free(&p->certs_timer);
    loop_signal_free(&p->on_term);
    loop_signal_free(&p->on_int);
    loop_signal_free(&p->on_hup);
    daemon_watchdog_free(&p->watchdog);
    netwatch_free(&p->netwatch);
    loop_free(p->loop);
    mem_free(p->certs_dir);
    mem_free(p->tmp_dir);
    for (int i = 0; i < p->socket_count; i++)
        close(p->sockets[i]);
    while (p->config_count)
        config_free(&p->configs[--p->config_count]);
    mem_free(p->configs);
    if (p->lock >= 0)
        close(p->lock);
}

static bool prepare(struct program *p, struct err *err)
{
    const struct config_server *v = &p->config->server;
    struct buf dir = BUF_INIT(0);
    buf_printf(&dir, "%s/certs", v->state_dir);
    p->certs_dir = mem_strdup(buf_z(&dir));
    buf_done(&dir);
    if (!daemon_make_dir(v->state_dir, err) || !daemon_make_dir(v->cache_dir, err) ||
        !daemon_lock(v->state_dir, &p->lock, err))
        return false;
    p->loop = loop_new();
    if (!run_load_certs(p, err))
        return false;
    start_loop_things(p);
    run_open_accounts(p);
    run_start_control(p);
    return run_start_servers(p, err);
}

/* exbridge.socket, if somebody has enabled it. */
static bool take_sockets(struct program *p, struct err *err)
{
    int n = daemon_sockets(p->sockets, RUN_SOCKETS_MAX);
    if (n < 0)
        return err_set(err, ERR_INVALID,
                       "the service manager hands over more than %d sockets, or not those that it counts (LISTEN_FDS)",
                       RUN_SOCKETS_MAX);
    p->socket_count = n;
    return true;
}

static int run(struct cli *c)
{
    struct program p = {.config = cli_config(c), .lock = -1};
    struct err err;
    int code = EX_OK;
    if (!p.config)
        return EX_CONFIG;
    p.configs = mem_dup(&p.config, sizeof(struct config *));
    p.config_count = 1;
    c->config = NULL; /* ours now */
    list_init(&p.slots);
    list_init(&p.logins);
    list_init(&p.login_jobs);
    list_init(&p.trace_jobs);
    p.started_s = time_wall_s();
    daemon_harden();
    log_set_level(p.config->server.log_level);
    if (!take_sockets(&p, &err) || !prepare(&p, &err)) {
        log_error("run", NULL, "%s", err.text);
        code = cli_exit_code(err.code);
    } else if (run_accounts_open(&p) == 0 && !run_accounts_wait(&p)) {
        log_error("run", NULL, "no account could be opened");
        code = EX_UNAVAILABLE;
    } else {
        say_ready(&p);
        loop_run(p.loop);
    }
    if (op_write_count() > 0) {
        /* They cannot be called back, and what was asked for is written down: no different from a crash. */
        log_warn("run", NULL, "ended before %zu changes were answered; the next start looks what became of them",
                 op_write_count());
        _exit(code);
    }
    op_on_last_write(NULL, NULL);
    close_all(&p);
    return code;
}

const struct cli_command cli_run = {
    .name = "run",
    .summary = "serve, until SIGTERM or SIGINT; SIGHUP is `exbridge reload`",
    .fn = run,
};
