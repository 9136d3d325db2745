/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/run/run.h"

static bool is_loopback(const char *address)
{
    return strcmp(address, "::1") == 0 || strncmp(address, "127.", 4) == 0;
}

/* What the configuration says about the listeners of a protocol. */
struct listening {
    const char *area;
    struct server *server;
    uint64_t port;
    struct tls_server *tls;
};
#define PROTOCOLS 3

static void list_protocols(const struct program *p, const struct config_server *v, struct listening *ret)
{
    ret[0] = (struct listening){"imap", p->imap, v->imap, v->tls ? p->imap_tls : NULL};
    ret[1] = (struct listening){"smtp", p->smtp, v->smtp, v->tls ? p->smtp_tls : NULL};
    ret[2] = (struct listening){"caldav", p->dav, v->dav, v->tls ? p->dav_tls : NULL};
}

/* --- sockets that the service manager holds for us ---------------------------------------------------------- */

static bool names(int fd, char *ret_address, socklen_t size, unsigned *ret_port)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    int type;
    socklen_t type_size = sizeof(type);
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_STREAM)
        return false;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a;
    if (a.ss_family == AF_INET) {
        *ret_port = ntohs(v4->sin_port);
        return inet_ntop(AF_INET, &v4->sin_addr, ret_address, size) != NULL;
    }
    *ret_port = a.ss_family == AF_INET6 ? ntohs(v6->sin6_port) : 0;
    return a.ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, ret_address, size) != NULL;
}

/* A copy of the socket for this address; -1: we have to make it ourselves. */
static int handed_over(const struct program *p, const char *address, uint64_t port)
{
    for (int i = 0; i < p->socket_count; i++) {
        char name[INET6_ADDRSTRLEN];
        unsigned n;
        if (names(p->sockets[i], name, sizeof(name), &n) && n == port && strcmp(name, address) == 0)
            return fcntl(p->sockets[i], F_DUPFD_CLOEXEC, 3);
    }
    return -1;
}

/* Such a socket takes connections that nobody answers: say so. */
static void warn_of_unused(const struct program *p)
{
    const struct config_server *v = &p->config->server;
    for (int i = 0; i < p->socket_count; i++) {
        char name[INET6_ADDRSTRLEN] = "?";
        unsigned n = 0;
        bool used = false;
        if (names(p->sockets[i], name, sizeof(name), &n) && (n == v->imap || n == v->smtp || n == v->dav))
            for (size_t a = 0; a < v->address_count; a++)
                used |= strcmp(name, v->addresses[a]) == 0;
        if (!used)
            log_warn("run", NULL,
                     "the socket of %s port %u that the service manager holds is in no line of the configuration; put "
                     "right exbridge.socket or [server]",
                     name, n);
    }
}

/* --- listening --------------------------------------------------------------------------------------------- */

static bool listen_at(struct program *p, const struct listening *l, const char *address, struct err *err)
{
    bool same_user = p->config->server.allow_uids == ALLOW_SELF && is_loopback(address);
    int fd = handed_over(p, address, l->port);
    if (fd >= 0)
        return server_listen_fd(l->server, fd, l->tls, same_user, err);
    return server_listen(l->server, address, (unsigned)l->port, l->tls, same_user, err);
}

static bool listen_everywhere(struct program *p, const struct listening *l, struct err *err)
{
    const struct config_server *v = &p->config->server;
    for (size_t i = 0; i < v->address_count; i++) {
        const char *address = v->addresses[i];
        if (listen_at(p, l, address, err))
            continue;
        /* "localhost" means both, but a machine may have no IPv6. */
        if (strcmp(address, "::1") != 0 || err->code == ERR_EXISTS || v->address_count == 1)
            return false;
        log_warn(l->area, NULL, "%s", err->text);
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
        .tmp_dir = p->tmp_dir,
        .limits = {.idle_timeout_s = (unsigned)n->imap_idle_timeout_s,
                   .line_preauth = (size_t)n->imap_line_preauth,
                   .line = (size_t)n->imap_line,
                   .literal = (size_t)n->imap_literal,
                   .args = (size_t)n->imap_args},
    });
    p->smtp = smtp_server_new(&(struct smtp_server_opts){
        .all = p->servers,
        .tmp_dir = p->tmp_dir,
        .limits = {.idle_timeout_s = (unsigned)n->smtp_idle_timeout_s,
                   .line = (size_t)n->smtp_line,
                   .recipients = (size_t)n->smtp_recipients,
                   .message = n->message_size},
    });
    p->dav = caldav_server_new(&(struct caldav_server_opts){
        .all = p->servers,
        .tls = p->config->server.tls,
        .port = (unsigned)p->config->server.dav,
        .limits = {.request_line = (size_t)n->http_request_line,
                   .headers = (size_t)n->http_headers,
                   .header_count = (size_t)n->http_header_count,
                   .body = (size_t)n->http_body,
                   .header_s = (unsigned)n->http_header_timeout_s,
                   .keepalive_s = (unsigned)n->http_keepalive_s,
                   .hrefs = (size_t)n->dav_hrefs,
                   .results = (size_t)n->dav_results},
    });
}

static bool listen_all(struct program *p, struct err *err)
{
    struct listening list[PROTOCOLS];
    list_protocols(p, &p->config->server, list);
    for (size_t i = 0; i < PROTOCOLS; i++)
        if (list[i].port && !listen_everywhere(p, &list[i], err))
            return false;
    warn_of_unused(p);
    return true;
}

bool run_start_servers(struct program *p, struct err *err)
{
    p->tmp_dir = mem_strdup(p->config->server.cache_dir);
    make_servers(p);
    return listen_all(p, err);
}

static bool same_places(const struct config_server *a, const struct config_server *b)
{
    bool same = a->address_count == b->address_count && a->imap == b->imap && a->smtp == b->smtp && a->dav == b->dav &&
                a->tls == b->tls && a->allow_uids == b->allow_uids;
    for (size_t i = 0; same && i < a->address_count; i++)
        same = strcmp(a->addresses[i], b->addresses[i]) == 0;
    return same;
}

static void keep_places(struct config *c, const struct config_server *before)
{
    c->server.imap = before->imap;
    c->server.smtp = before->smtp;
    c->server.dav = before->dav;
    c->server.tls = before->tls;
    c->server.allow_uids = before->allow_uids;
    c->server.address_count = before->address_count;
    for (size_t i = 0; i < before->address_count; i++)
        c->server.addresses[i] = arena_strdup(&c->arena, str_from(before->addresses[i]));
}

static void unlisten_all(struct program *p)
{
    server_unlisten(p->imap);
    server_unlisten(p->smtp);
    server_unlisten(p->dav);
}

bool run_change_servers(struct program *p, const struct config_server *before, struct err *err)
{
    struct err again;
    if (same_places(before, &p->config->server))
        return true;
    unlisten_all(p);
    if (listen_all(p, err))
        return true;
    unlisten_all(p);
    keep_places(p->config, before);
    if (!listen_all(p, &again))
        log_error("run", NULL, "%s", again.text);
    return false;
}

void run_shut_servers(struct program *p)
{
    servers_shutdown(p->servers);
}

void run_close_servers(struct program *p)
{
    server_free(&p->imap);
    server_free(&p->smtp);
    server_free(&p->dav);
    servers_free(&p->servers);
}
