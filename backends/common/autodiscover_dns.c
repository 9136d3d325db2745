/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/autodiscover_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/rand.h"

#define RESOLV_CONF     "/etc/resolv.conf"
#define RESOLV_CONF_MAX 16384
#define DNS_PORT        53
#define ROUNDS          2
#define STRAY_MAX       32 /* packets that answer something else, before a server is given up */

struct dns_query {
    struct loop *loop;
    char *name;
    enum dns_type type;
    dns_query_cb *cb;
    void *ud;
    struct dns_servers servers;
    unsigned attempt, strays;
    uint16_t id;
    int fd;
    struct loop_fd *watch;
    struct timer *timer;
    struct deferred start;
    struct err err; /* of the last attempt */
    struct arena arena;
};

static void read_servers(struct dns_servers *to)
{
    char text[RESOLV_CONF_MAX];
    ssize_t n = 0;
    int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof(text));
        close(fd);
    }
    dns_read_servers(str_of(text, n > 0 ? (size_t)n : 0), to);
}

static void hang_up(struct dns_query *q)
{
    loop_fd_free(&q->watch);
    if (q->fd >= 0)
        close(q->fd);
    q->fd = -1;
}

static void finish(struct dns_query *q, const struct err *err, const struct dns_answer *answer)
{
    struct err e = *err;
    dns_query_cb *cb = q->cb;
    void *ud = q->ud;
    struct arena arena = q->arena; /* the answer's names */
    q->arena = (struct arena){0};
    dns_query_free(&q);
    cb(ud, &e, answer);
    arena_done(&arena);
}

static void attempt(void *ud);

/* At once, from the loop: the caller may be in a callback of the descriptor that is closed. */
static void next(struct dns_query *q)
{
    hang_up(q);
    q->attempt++;
    timer_start(q->timer, 0);
}

static void on_packet(void *ud)
{
    struct dns_query *q = ud;
    char packet[65536];
    struct dns_answer answer;
    ssize_t n = recv(q->fd, packet, sizeof(packet), 0);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return;
        err_set_errno(&q->err, ERR_OFFLINE, errno, "name server"); /* nobody listens there */
        next(q);
        return;
    }
    if (dns_read_answer(str_of(packet, (size_t)n), q->id, str_from(q->name), q->type, &q->arena, &answer, &q->err)) {
        finish(q, &(struct err){.code = ERR_NONE}, &answer);
    } else if (q->err.code == ERR_NOT_FOUND) {
        finish(q, &q->err, &answer);
    } else if (q->err.code != ERR_PROTOCOL || ++q->strays > STRAY_MAX) {
        next(q);
    }
}

static bool dial(struct dns_query *q, const char *server)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
    bool is_six = inet_pton(AF_INET6, server, &six.sin6_addr) == 1;
    if (!is_six && inet_pton(AF_INET, server, &four.sin_addr) != 1)
        return err_set(&q->err, ERR_OFFLINE, "%s is no address of a name server", server);
    q->fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (q->fd < 0 || connect(q->fd, is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four,
                             is_six ? sizeof(six) : sizeof(four)) != 0)
        return err_set_errno(&q->err, ERR_OFFLINE, errno, "name server");
    return true;
}

static bool ask(struct dns_query *q, const char *server)
{
    struct buf packet = BUF_INIT(DNS_ANSWER_MAX);
    bool ok = dial(q, server);
    rand_bytes(&q->id, sizeof(q->id));
    q->strays = 0;
    if (ok && !dns_write_query(&packet, q->id, str_from(q->name), q->type))
        ok = err_set(&q->err, ERR_NOT_FOUND, "%.200s is no name the DNS could know", q->name);
    else if (ok && send(q->fd, packet.p, packet.n, MSG_NOSIGNAL) != (ssize_t)packet.n)
        ok = err_set_errno(&q->err, ERR_OFFLINE, errno, "name server");
    buf_done(&packet);
    return ok;
}

static void attempt(void *ud)
{
    struct dns_query *q = ud;
    if (q->fd >= 0) { /* the time is up */
        err_set(&q->err, ERR_OFFLINE, "no answer from the name server %s",
                q->servers.addresses[q->attempt % q->servers.count]);
        hang_up(q);
        q->attempt++;
    }
    if (q->attempt >= ROUNDS * q->servers.count || q->err.code == ERR_NOT_FOUND) {
        finish(q, &q->err, &(struct dns_answer){.count = 0});
        return;
    }
    if (!ask(q, q->servers.addresses[q->attempt % q->servers.count])) {
        next(q);
        return;
    }
    q->watch = loop_fd_new(q->loop, q->fd, on_packet, q);
    timer_start(q->timer, AUTODISCOVER_DNS_WAIT_MS);
}

struct dns_query *dns_query_start(struct loop *loop, const char *name, enum dns_type type, dns_query_cb *cb, void *ud)
{
    struct dns_query *q = MEM_NEW(struct dns_query);
    q->loop = loop;
    q->name = mem_strdup(name);
    q->type = type;
    q->cb = cb;
    q->ud = ud;
    q->fd = -1;
    read_servers(&q->servers);
    q->timer = timer_new(loop, attempt, q);
    deferred_init(&q->start, attempt, q);
    loop_defer(loop, &q->start);
    return q;
}

void dns_query_free(struct dns_query **query)
{
    struct dns_query *q = *query;
    *query = NULL;
    if (!q)
        return;
    hang_up(q);
    loop_defer_cancel(&q->start);
    timer_free(&q->timer);
    arena_done(&q->arena);
    mem_free(q->name);
    mem_free(q);
}
