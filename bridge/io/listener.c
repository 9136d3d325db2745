/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/io/conn_private.h"
#include "bridge/io/peer.h"

#define BACKLOG     128
#define RARE_LOG_MS 60000
#define FDS_KEPT    32 /* file descriptors that clients do not get: state, cache and server need some */

void listener_unref(struct conn_listener *l)
{
    if (--l->refs)
        return;
    if (l->netlink >= 0)
        close(l->netlink);
    mem_free(l->name);
    mem_free(l);
}

static void on_listener_closed(uv_handle_t *handle)
{
    listener_unref(handle->data);
}

/* Is it time to log it? How often it happened since the last time, this one included. */
static bool is_due(struct rare *r, unsigned *ret_count)
{
    uint64_t now = time_mono_ms();
    r->unlogged++;
    if (r->logged_ms && now - r->logged_ms < RARE_LOG_MS)
        return false;
    *ret_count = r->unlogged;
    r->logged_ms = now;
    r->unlogged = 0;
    return true;
}

/* Other people's processes may not even see the greeting. */
static bool peer_is_welcome(struct conn_listener *l, struct conn *c)
{
    if (!l->same_user)
        return true;
    struct sockaddr_storage peer, local;
    int peer_size = sizeof(peer), local_size = sizeof(local);
    uid_t uid;
    unsigned count;
    if (uv_tcp_getpeername(conn_tcp(c), (struct sockaddr *)&peer, &peer_size) != 0 ||
        uv_tcp_getsockname(conn_tcp(c), (struct sockaddr *)&local, &local_size) != 0)
        return false;
    switch (peer_uid(&l->netlink, (struct sockaddr *)&peer, (struct sockaddr *)&local, &uid)) {
    case PEER_FOUND:
        if (uid == geteuid())
            return true;
        if (is_due(&l->stranger, &count))
            log_warn(l->name, NULL, "refused a connection from a process of uid %u (%u since the last such line)",
                     (unsigned)uid, count);
        return false;
    case PEER_GONE:
        log_debug(l->name, NULL, "a peer was gone before it was accepted");
        return false;
    case PEER_UNKNOWN:
        if (!l->warned_no_peer)
            log_warn(l->name, NULL,
                     "this kernel does not tell whose process connects; only passwords protect the port");
        l->warned_no_peer = true;
        return true;
    }
    return false;
}

static void on_accept_overflow_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

/* Over the limit: take it off the queue and close it, or it would wait there for ever. */
static void turn_away(struct conn_listener *l)
{
    uv_tcp_t *tcp = MEM_NEW(uv_tcp_t);
    uv_tcp_init(&l->loop->uv, tcp);
    uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, on_accept_overflow_closed);
    unsigned count;
    if (is_due(&l->full, &count))
        log_warn(l->name, NULL, "all %u connections are in use; turned away %u", l->max_connections, count);
}

/* New descriptors are the lowest that are free. When there is none at all libuv takes connections and closes them, and
 * nobody hears of it. */
static bool fds_run_out(struct conn *c)
{
    uv_os_fd_t fd;
    struct rlimit most;
    return uv_fileno((uv_handle_t *)conn_tcp(c), &fd) == 0 && getrlimit(RLIMIT_NOFILE, &most) == 0 &&
           most.rlim_cur != RLIM_INFINITY && (rlim_t)fd + FDS_KEPT >= most.rlim_cur;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct conn_listener *l = server->data;
    unsigned count;
    if (status != 0) {
        if (is_due(&l->failed, &count))
            log_warn(l->name, NULL, "cannot accept: %s (%u times)", uv_strerror(status), count);
        return;
    }
    if (l->connections >= l->max_connections) {
        turn_away(l);
        return;
    }
    struct conn *c = conn_accept(l);
    if (!c)
        return;
    if (fds_run_out(c)) {
        if (is_due(&l->failed, &count))
            log_warn(l->name, NULL, "file descriptors run out (ulimit -n); turned away %u", count);
        conn_abort(c, "no descriptors");
    } else if (peer_is_welcome(l, c)) {
        conn_begin(c);
    } else {
        conn_abort(c, "not our user");
    }
}

static struct conn_listener *listener_new(struct loop *loop, const struct conn_listen_opts *opts, conn_accept_cb *cb,
                                          void *ud)
{
    struct conn_listener *l = MEM_NEW(struct conn_listener);
    list_init(&l->handshakes);
    l->refs = 2;
    l->loop = loop;
    l->name = mem_strdup(opts->name);
    l->tls = opts->tls;
    l->same_user = opts->same_user;
    l->max_connections = opts->max_connections;
    l->handshake_timeout_ms = opts->handshake_timeout_ms ? opts->handshake_timeout_ms : 10000;
    l->input_limit = opts->input_limit;
    l->netlink = -1;
    l->cb = cb;
    l->ud = ud;
    uv_tcp_init(&loop->uv, &l->tcp);
    l->tcp.data = l;
    return l;
}

static bool fail(struct conn_listener **l, struct err *err, int rc, const struct conn_listen_opts *opts,
                 const struct sockaddr *address)
{
    conn_listener_free(l);
    if (rc != UV_EADDRINUSE)
        return err_set(err, ERR_INVALID, "%s: cannot listen on %s port %u: %s", opts->name, opts->address, opts->port,
                       uv_strerror(rc));
    uid_t uid;
    if (address && peer_listener_uid(address, &uid))
        return err_set(err, ERR_EXISTS, "%s: port %u on %s is taken by a process of uid %u", opts->name, opts->port,
                       opts->address, (unsigned)uid);
    return err_set(err, ERR_EXISTS, "%s: port %u on %s is taken", opts->name, opts->port, opts->address);
}

struct conn_listener *conn_listen(struct loop *loop, const struct conn_listen_opts *opts, conn_accept_cb *cb, void *ud,
                                  struct err *err)
{
    struct sockaddr_storage address = {0};
    bool v6 = strchr(opts->address, ':') != NULL;
    int rc = v6 ? uv_ip6_addr(opts->address, (int)opts->port, (struct sockaddr_in6 *)&address)
                : uv_ip4_addr(opts->address, (int)opts->port, (struct sockaddr_in *)&address);
    if (rc != 0 || opts->port > 65535) {
        err_set(err, ERR_INVALID, "%s: not an address to listen on: %s port %u", opts->name, opts->address, opts->port);
        return NULL;
    }
    struct conn_listener *l = listener_new(loop, opts, cb, ud);
    rc = uv_tcp_bind(&l->tcp, (struct sockaddr *)&address, v6 ? UV_TCP_IPV6ONLY : 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (rc != 0)
        fail(&l, err, rc, opts, (struct sockaddr *)&address);
    return l;
}

struct conn_listener *conn_listen_fd(struct loop *loop, int fd, const struct conn_listen_opts *opts, conn_accept_cb *cb,
                                     void *ud, struct err *err)
{
    struct conn_listener *l = listener_new(loop, opts, cb, ud);
    int rc = uv_tcp_open(&l->tcp, fd);
    if (rc != 0)
        close(fd);
    else
        rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (rc != 0)
        fail(&l, err, rc, opts, NULL);
    return l;
}

unsigned conn_listener_port(const struct conn_listener *l)
{
    struct sockaddr_storage address;
    int size = sizeof(address);
    if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

void conn_listener_free(struct conn_listener **listener)
{
    struct conn_listener *l = *listener;
    *listener = NULL;
    if (!l)
        return;
    conn_end_handshakes(l);
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
    listener_unref(l);
}
