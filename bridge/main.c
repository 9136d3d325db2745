/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program: command line, and `run`, which puts configuration, accounts, backends and servers together. The one file
 * that names both protocols and backends.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "backends/common/login.h"
#include "backends/eas/eas.h"
#include "backends/ews/ews.h"
#include "bridge/account.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/config.h"
#include "bridge/daemon.h"
#include "bridge/io/loop.h"
#include "bridge/io/tls.h"
#include "certs/certs.h"
#include "protocols/imap/imap_server.h"
#include "protocols/smtp/smtp_server.h"

#define DRAIN_MS       3000                   /* for clients to read their BYE, after SIGTERM */
#define CERTS_CHECK_MS (24 * 3600 * 1000)     /* is a new leaf due? */
#define LOGIN_PARALLEL 8                      /* requests at once in one name */
#define CERT_WARN_S    ((int64_t)365 * 86400) /* before the CA ends */

struct program {
    struct config *config;
    struct loop *loop;
    int lock;
    char *certs_dir;
    struct tls_server *imap_tls, *smtp_tls; /* one certificate; they differ in the name they agree on */
    struct timer *certs_timer, *drain_timer;
    struct loop_signal *on_term, *on_int, *on_hup;
    struct daemon_watchdog *watchdog;
    struct login **logins; /* of [login] sections, by index; then one for each account that has its own */
    size_t login_count;
    struct accounts *accounts;
    size_t opened;
    struct servers *servers;
    struct server *imap, *smtp;
    bool stopping;
};

/* --- certificates ---------------------------------------------------------------------------- */

static bool publish(struct program *p, const struct certs *c, struct err *err)
{
    const char *slash = strrchr(p->config->path, '/');
    struct str dir = slash ? str_of(p->config->path, (size_t)(slash - p->config->path) + 1) : STR("");
    struct buf path = BUF_INIT(0);
    buf_str(&path, dir);
    buf_lit(&path, "ca.pem");
    bool ok = certs_publish(c, buf_z(&path), err);
    if (ok && c->made_ca)
        log_info("certs", NULL, "made a certification authority for localhost; clients find it in %s", buf_z(&path));
    buf_done(&path);
    return ok;
}

static bool load_pair(struct program *p, const char *chain_file, const char *key_file, struct err *err)
{
    return tls_server_load(p->imap_tls, chain_file, key_file, err) &&
           tls_server_load(p->smtp_tls, chain_file, key_file, err);
}

static bool load_own_certs(struct program *p, struct err *err)
{
    struct certs c;
    struct err publish_err;
    if (!certs_ensure(p->certs_dir, &c, err))
        return false;
    if (c.made_leaf)
        log_info("certs", NULL, "made a certificate for localhost");
    if (c.ca_expires_s - time_wall_s() < CERT_WARN_S)
        log_warn("certs", NULL, "the local CA ends within a year");
    if (!publish(p, &c, &publish_err))
        log_warn("certs", NULL, "%s; clients find the CA in %s", publish_err.text, c.ca_file);
    bool ok = load_pair(p, c.chain_file, c.key_file, err);
    certs_done(&c);
    return ok;
}

static bool load_certs(struct program *p, struct err *err)
{
    const struct config_server *v = &p->config->server;
    if (!p->imap_tls)
        return true;
    return v->cert ? load_pair(p, v->cert, v->key, err) : load_own_certs(p, err);
}

/* Once a day, and on SIGHUP. What is loaded already goes on being used when something is wrong. */
static void check_certs(void *ud)
{
    struct program *p = ud;
    struct err err;
    if (!load_certs(p, &err))
        log_error("certs", NULL, "%s", err.text);
    timer_start(p->certs_timer, CERTS_CHECK_MS);
}

/* --- accounts ---------------------------------------------------------------------------------- */

static struct login *make_login(struct program *p, const struct config_login *l, bool passthrough)
{
    static const enum http_auth schemes[] = {
        [AUTH_UNSET] = HTTP_AUTH_NONE,           [AUTH_BASIC] = HTTP_AUTH_BASIC,  [AUTH_NTLM] = HTTP_AUTH_NTLM,
        [AUTH_KERBEROS] = HTTP_AUTH_NEGOTIATE,   [AUTH_OAUTH] = HTTP_AUTH_BEARER, [AUTH_CERT] = HTTP_AUTH_NONE,
        [AUTH_TOKEN_COMMAND] = HTTP_AUTH_BEARER,
    };
    _Static_assert(sizeof(schemes) / sizeof(schemes[0]) == AUTH_MAX, "every scheme has an HTTP side");
    struct login_opts o = {.name = l->name, .user = l->user, .auth = schemes[l->auth], .max_requests = LOGIN_PARALLEL};
    if (passthrough) {
        o.source = LOGIN_PASSTHROUGH;
    } else if (l->password_file) {
        o.source = LOGIN_FILE;
        o.command_or_file = l->password_file;
    } else if (l->password_command || l->token_command) {
        o.source = LOGIN_COMMAND;
        o.command_or_file = l->password_command ? l->password_command : l->token_command;
    } else {
        o.source = LOGIN_NO_SECRET;
    }
    return login_new(p->loop, &o);
}

static void make_logins(struct program *p)
{
    const struct config *c = p->config;
    p->login_count = c->login_count + c->account_count;
    p->logins = mem_array(p->login_count, sizeof(*p->logins));
    for (size_t i = 0; i < c->login_count; i++)
        p->logins[i] = make_login(p, &c->logins[i], false);
    for (size_t i = 0; i < c->account_count; i++)
        if (c->accounts[i].login == &c->accounts[i].own)
            p->logins[c->login_count + i] =
                make_login(p, &c->accounts[i].own, c->accounts[i].local_auth == CONFIG_LOCAL_PASSTHROUGH);
}

static struct login *login_of(struct program *p, size_t account)
{
    const struct config *c = p->config;
    const struct config_account *a = &c->accounts[account];
    return p->logins[a->login == &a->own ? c->login_count + account : (size_t)(a->login - c->logins)];
}

static struct backend_config backend_config_of(struct program *p, size_t account)
{
    static const unsigned tls_versions[] = {
        [TLS_MIN_1_2] = 0x0303, [TLS_MIN_1_0] = 0x0301, [TLS_MIN_1_1] = 0x0302, [TLS_MIN_1_3] = 0x0304};
    static const enum provision_answer provisions[] = {[CONFIG_PROVISION_ASK] = PROVISION_ASK,
                                                       [CONFIG_PROVISION_ACCEPT] = PROVISION_ACCEPT,
                                                       [CONFIG_PROVISION_REFUSE] = PROVISION_REFUSE};
    const struct config_account *a = &p->config->accounts[account];
    return (struct backend_config){
        .name = a->name,
        .email = a->email,
        .url = a->url,
        .login = login_of(p, account),
        .mailbox = a->mailbox,
        .impersonate = a->access == ACCESS_IMPERSONATION,
        .user_agent = "exbridge", /* without version: ActiveSync servers know a device by it */
        .ca_file = a->ca_file,
        .proxy = a->proxy,
        .client_cert = a->login->client_cert,
        .client_key = a->login->client_key,
        .tls_min = tls_versions[a->tls_min],
        .tmp_dir = p->config->server.cache_dir,
        .provision = provisions[a->provision],
        .message_limit = p->config->limits.message_size,
        .junk_name = a->junk,
        .archive_name = a->archive,
        .loop = p->loop,
    };
}

static char *account_dir(const char *top, const char *name)
{
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "%s/accounts/%s", top, name);
    char *path = mem_strdup(buf_z(&b));
    buf_done(&b);
    return path;
}

static bool open_account(struct program *p, size_t account, struct err *err)
{
    static const enum account_prefetch prefetches[] = {[CONFIG_PREFETCH_NONE] = PREFETCH_NONE,
                                                       [CONFIG_PREFETCH_HEADERS] = PREFETCH_HEADERS,
                                                       [CONFIG_PREFETCH_RECENT] = PREFETCH_RECENT,
                                                       [CONFIG_PREFETCH_ALL] = PREFETCH_ALL};
    const struct config_account *a = &p->config->accounts[account];
    char *state_dir = account_dir(p->config->server.state_dir, a->name);
    char *cache_dir = account_dir(p->config->server.cache_dir, a->name);
    struct account_opts o = {
        .name = a->name,
        .email = a->email,
        .state_dir = arena_strdup(&p->config->arena, str_from(state_dir)),
        .cache_dir = arena_strdup(&p->config->arena, str_from(cache_dir)),
        .local_auth = a->local_auth == CONFIG_LOCAL_PASSTHROUGH ? LOCAL_AUTH_PASSTHROUGH : LOCAL_AUTH_PASSWORD,
        .local_password_command = a->local_password_command,
        .local_password_file = a->local_password_file,
        .prefetch = prefetches[a->prefetch],
        .cache_limit = a->cache_limit,
        .exact_size = a->exact_size,
        .encrypt = a->encrypt,
        .expunge_permanent = a->expunge == EXPUNGE_PERMANENT,
        .backend = a->backend == BACKEND_EWS ? &ews_ops : &eas_backend_ops,
        .backend_config = backend_config_of(p, account),
    };
    bool ok = daemon_make_dir(state_dir, err) && daemon_make_dir(cache_dir, err) &&
              account_open(p->accounts, &o, err) != NULL;
    mem_free(state_dir);
    mem_free(cache_dir);
    return ok;
}

/* One bad account does not keep the others from being served. */
static void open_accounts(struct program *p)
{
    make_logins(p);
    p->accounts = accounts_new(p->loop);
    for (size_t i = 0; i < p->config->account_count; i++) {
        struct err err;
        if (open_account(p, i, &err))
            p->opened++;
        else
            log_error("account", p->config->accounts[i].name, "%s", err.text);
    }
}

/* --- servers ------------------------------------------------------------------------------------- */

static bool is_loopback(const char *address)
{
    return strcmp(address, "::1") == 0 || strncmp(address, "127.", 4) == 0;
}

static bool listen_everywhere(struct program *p, struct server *server, uint64_t port, struct tls_server *tls,
                              const char *area, struct err *err)
{
    const struct config_server *v = &p->config->server;
    for (size_t i = 0; i < v->address_count; i++) {
        const char *address = v->addresses[i];
        bool same_user = v->allow_uids == ALLOW_SELF && is_loopback(address);
        if (server_listen(server, address, (unsigned)port, tls, same_user, err))
            continue;
        /* "localhost" means both, but a machine may have no IPv6. */
        if (strcmp(address, "::1") != 0 || err->code == ERR_EXISTS || v->address_count == 1)
            return false;
        log_warn(area, NULL, "%s", err->text);
    }
    return true;
}

static void stop_now(void *ud)
{
    struct program *p = ud;
    loop_stop(p->loop);
}

static void make_servers(struct program *p)
{
    const struct config_limits *n = &p->config->limits;
    p->servers = servers_new(&(struct servers_opts){
        .loop = p->loop,
        .accounts = p->accounts,
        .limits = {.connections = (unsigned)n->connections,
                   .unauthenticated = (unsigned)n->connections_unauthenticated,
                   .per_account = (unsigned)n->connections_per_account,
                   .handshake_timeout_s = (unsigned)n->handshake_timeout_s,
                   .preauth_timeout_s = (unsigned)n->preauth_timeout_s},
        .on_empty = stop_now,
        .ud = p,
    });
    p->imap = imap_server_new(&(struct imap_server_opts){
        .all = p->servers,
        .version = EXBRIDGE_VERSION,
        .tmp_dir = p->config->server.cache_dir,
        .limits = {.idle_timeout_s = (unsigned)n->imap_idle_timeout_s,
                   .line_preauth = (size_t)n->imap_line_preauth,
                   .line = (size_t)n->imap_line,
                   .literal = (size_t)n->imap_literal,
                   .args = (size_t)n->imap_args},
    });
    p->smtp = smtp_server_new(&(struct smtp_server_opts){
        .all = p->servers,
        .tmp_dir = p->config->server.cache_dir,
        .limits = {.idle_timeout_s = (unsigned)n->smtp_idle_timeout_s,
                   .line = (size_t)n->smtp_line,
                   .recipients = (size_t)n->smtp_recipients,
                   .message = n->message_size},
    });
}

static bool start_servers(struct program *p, struct err *err)
{
    const struct config_server *v = &p->config->server;
    make_servers(p);
    return (!v->imap || listen_everywhere(p, p->imap, v->imap, p->imap_tls, "imap", err)) &&
           (!v->smtp || listen_everywhere(p, p->smtp, v->smtp, p->smtp_tls, "smtp", err));
}

/* --- running ---------------------------------------------------------------------------------------- */

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
    servers_shutdown(p->servers);
}

static void on_reload_signal(void *ud)
{
    struct program *p = ud;
    log_info("run", NULL, "reading certificates and passwords again");
    check_certs(p);
    for (size_t i = 0; i < p->login_count; i++)
        if (p->logins[i])
            login_reset(p->logins[i]);
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
    if (what.n)
        log_info("run", NULL, "ready: %s of %s, %s; %zu of %zu accounts", buf_z(&what), buf_z(&where),
                 v->tls ? "TLS" : "without TLS", p->opened, p->config->account_count);
    else
        log_info("run", NULL, "ready: no server is turned on; %zu of %zu accounts", p->opened,
                 p->config->account_count);
    buf_done(&what);
    buf_done(&where);
    if (v->dav)
        log_info("run", NULL, "CalDAV is not served yet by this version");
    daemon_notify("READY=1");
}

static void start_loop_things(struct program *p)
{
    p->drain_timer = timer_new(p->loop, stop_now, p);
    p->certs_timer = timer_new(p->loop, check_certs, p);
    timer_start(p->certs_timer, CERTS_CHECK_MS);
    p->on_term = loop_signal_new(p->loop, SIGTERM, on_stop_signal, p);
    p->on_int = loop_signal_new(p->loop, SIGINT, on_stop_signal, p);
    p->on_hup = loop_signal_new(p->loop, SIGHUP, on_reload_signal, p);
    p->watchdog = daemon_watchdog_new(p->loop);
}

static void close_all(struct program *p)
{
    server_free(&p->imap);
    server_free(&p->smtp);
    servers_free(&p->servers);
    accounts_free(&p->accounts);
    for (size_t i = 0; i < p->login_count; i++)
        login_free(&p->logins[i]);
    mem_free(p->logins);
    tls_server_free(&p->imap_tls);
    tls_server_free(&p->smtp_tls);
    timer_free(&p->drain_timer);
    timer_free(&p->certs_timer);
    loop_signal_free(&p->on_term);
    loop_signal_free(&p->on_int);
    loop_signal_free(&p->on_hup);
    daemon_watchdog_free(&p->watchdog);
    loop_free(p->loop);
    mem_free(p->certs_dir);
    if (p->lock >= 0)
        close(p->lock);
}

static int exit_code(const struct err *err)
{
    static const struct {
        enum err_code code;
        int exit;
    } table[] = {{ERR_EXISTS, EX_TEMPFAIL} /* a lock, or a port */, {ERR_DISK, EX_IOERR}, {ERR_INVALID, EX_CONFIG}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].code == err->code)
            return table[i].exit;
    return EX_SOFTWARE;
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
    if (v->tls) {
        p->imap_tls = tls_server_new("imap");
        p->smtp_tls = tls_server_new(NULL); /* no name is registered */
    }
    if (!load_certs(p, err))
        return false;
    start_loop_things(p);
    open_accounts(p);
    return start_servers(p, err);
}

static int run(struct config *config)
{
    struct program p = {.config = config, .lock = -1};
    struct err err;
    int code = EX_OK;
    daemon_harden();
    log_set_level(config->server.log_level);
    if (!prepare(&p, &err)) {
        log_error("run", NULL, "%s", err.text);
        code = exit_code(&err);
    } else if (p.opened == 0) {
        log_error("run", NULL, "no account could be opened");
        code = EX_UNAVAILABLE;
    } else {
        say_ready(&p);
        loop_run(p.loop);
    }
    close_all(&p);
    return code;
}

/* --- the command line ----------------------------------------------------------------------------------- */

static const char help[] =
    "usage: exbridge COMMAND [-c FILE]\n"
    "\n"
    "A local bridge from IMAP and SMTP to Microsoft Exchange (EWS and ActiveSync).\n"
    "\n"
    "  run            serve, until SIGTERM or SIGINT; SIGHUP reads certificates and passwords again\n"
    "  check-config   read the configuration file and say what is wrong with it\n"
    "  --help         this text\n"
    "  --version      the version\n"
    "\n"
    "  -c FILE        the configuration; default $XDG_CONFIG_HOME/exbridge/exbridge.conf\n"
    "\n"
    "exit status: 0 fine, 64 wrong usage, 69 no account could be opened, 74 disk trouble,\n"
    "             75 running already or port taken, 78 wrong configuration\n";

/* The file's own syntax and sense are config.c's business; this is what no code is there for yet. */
static bool is_supported(const struct config *c)
{
    bool ok = true;
    for (size_t i = 0; i < c->account_count; i++) {
        const struct config_account *a = &c->accounts[i];
        if (a->login->auth == AUTH_OAUTH) {
            fprintf(
                stderr,
                "%s:%u: \"%s\": auth = oauth is not there yet; a program that prints a token can be named with auth = "
                "token-command\n",
                c->path, a->login->line, a->login->name);
            ok = false;
        }
    }
    return ok;
}

static struct config *load(const char *path)
{
    struct buf name = BUF_INIT(0), problems = BUF_INIT(0);
    struct err err;
    struct config *c = NULL;
    if (path)
        buf_lit(&name, path);
    else if (!config_default_path(&name, &err))
        fprintf(stderr, "exbridge: %s\n", err.text);
    if (name.n)
        c = config_load(buf_z(&name), &problems);
    fwrite(problems.p ? problems.p : "", 1, problems.n, stderr);
    buf_done(&name);
    buf_done(&problems);
    if (c && !is_supported(c))
        config_free(&c);
    return c;
}

static int check_config(struct config *c)
{
    printf("%s: fine, %zu account%s\n", c->path, c->account_count, c->account_count == 1 ? "" : "s");
    return EX_OK;
}

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "exbridge: %s%s; see exbridge --help\n", what, which);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*fn)(struct config *c);
    } commands[] = {{"run", run}, {"check-config", check_config}};
    const char *command = argc > 1 ? argv[1] : NULL, *file = NULL;
    if (!command)
        return usage("a command is missing", "");
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        fputs(help, stdout);
        return EX_OK;
    }
    if (strcmp(command, "--version") == 0) {
        puts("exbridge " EXBRIDGE_VERSION);
        return EX_OK;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-c") != 0 || i + 1 == argc || file)
            return usage("unexpected: ", argv[i]);
        file = argv[++i];
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(command, commands[i].name) != 0)
            continue;
        struct config *c = load(file);
        int code = c ? commands[i].fn(c) : EX_CONFIG;
        config_free(&c);
        return code;
    }
    return usage("there is no command ", command);
}
