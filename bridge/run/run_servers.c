/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/run/run.h"

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
        .on_empty = run_clients_gone,
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

bool run_start_servers(struct program *p, struct err *err)
{
    const struct config_server *v = &p->config->server;
    make_servers(p);
    return (!v->imap || listen_everywhere(p, p->imap, v->imap, p->imap_tls, "imap", err)) &&
           (!v->smtp || listen_everywhere(p, p->smtp, v->smtp, p->smtp_tls, "smtp", err));
}

void run_shut_servers(struct program *p)
{
    servers_shutdown(p->servers);
}

void run_close_servers(struct program *p)
{
    server_free(&p->imap);
    server_free(&p->smtp);
    servers_free(&p->servers);
}
