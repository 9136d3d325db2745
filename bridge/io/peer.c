/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_US 200000
#define STATE_LISTEN      0x0a /* as in /proc/net/tcp */

/* An address as both sources show it: 4 or 16 bytes in network order, and a port. */
struct end {
    unsigned char address[16];
    size_t size;
    in_port_t port; /* network order */
};

static bool end_from(const struct sockaddr *sa, struct end *ret_end)
{
    struct end e = {.size = 0};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        memcpy(e.address, &in->sin_addr, 4);
        e.size = 4;
        e.port = in->sin_port;
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)sa;
        memcpy(e.address, &in6->sin6_addr, 16);
        e.size = 16;
        e.port = in6->sin6_port;
    }
    *ret_end = e;
    return e.size != 0;
}

/* --- netlink ------------------------------------------------------------------------------------- */

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 diag;
};

static bool open_netlink(int *netlink)
{
    if (*netlink >= 0)
        return true;
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return false;
    struct timeval patience = {.tv_usec = ANSWER_TIMEOUT_US};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    *netlink = fd;
    return true;
}

static enum peer_answer read_answer(int fd, unsigned sequence, uid_t *ret_uid)
{
    _Alignas(struct nlmsghdr) char answer[4096];
    for (;;) {
        ssize_t n = recv(fd, answer, sizeof(answer), 0);
        if (n < 0 && errno == EINTR)
            continue;
        const struct nlmsghdr *head = (const void *)answer;
        if (n < (ssize_t)sizeof(*head) || head->nlmsg_len > (size_t)n)
            return PEER_UNKNOWN;
        if (head->nlmsg_seq != sequence)
            continue; /* an answer that came after its time-out */
        if (head->nlmsg_type == NLMSG_ERROR && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
            const struct nlmsgerr *e = NLMSG_DATA(head);
            return e->error == -ENOENT ? PEER_GONE : PEER_UNKNOWN;
        }
        if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || head->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            return PEER_UNKNOWN;
        const struct inet_diag_msg *msg = NLMSG_DATA(head);
        *ret_uid = msg->idiag_uid;
        return PEER_FOUND;
    }
}

static enum peer_answer ask_netlink(int *netlink, int family, const struct end *from, const struct end *to,
                                    uid_t *ret_uid)
{
    if (!open_netlink(netlink))
        return PEER_UNKNOWN;
    struct request r = {
        .head = {.nlmsg_len = sizeof(r),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST,
                 .nlmsg_seq = ntohs(from->port)},
        .diag = {.sdiag_family = (unsigned char)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u},
    };
    memcpy(r.diag.id.idiag_src, from->address, from->size);
    memcpy(r.diag.id.idiag_dst, to->address, to->size);
    r.diag.id.idiag_sport = from->port;
    r.diag.id.idiag_dport = to->port;
    r.diag.id.idiag_cookie[0] = r.diag.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(*netlink, &r, sizeof(r), 0, (struct sockaddr *)&kernel, sizeof(kernel)) != sizeof(r))
        return PEER_UNKNOWN;
    return read_answer(*netlink, r.head.nlmsg_seq, ret_uid);
}

/* --- /proc/net/tcp ------------------------------------------------------------------------------- */

/* "0100007F:07C9": 32-bit words in host order as hexadecimal numbers, then the port. */
static void proc_form(const struct end *e, char *to, size_t size)
{
    int n = 0;
    for (size_t i = 0; i < e->size; i += 4) {
        uint32_t word;
        memcpy(&word, e->address + i, 4);
        n += snprintf(to + n, size - (size_t)n, "%08X", word);
    }
    snprintf(to + n, size - (size_t)n, ":%04X", ntohs(e->port));
}

/* `remote` NULL: any, and only a listening socket. */
static enum peer_answer read_proc(int family, const char *local, const char *remote, uid_t *ret_uid)
{
    FILE *f = fopen(family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", "re");
    if (!f)
        return PEER_UNKNOWN;
    char line[512];
    enum peer_answer answer = PEER_GONE;
    while (answer == PEER_GONE && fgets(line, sizeof(line), f)) {
        char from[64], to[64];
        unsigned state, uid;
        if (sscanf(line, " %*d: %63s %63s %x %*s %*s %*s %u", from, to, &state, &uid) != 4)
            continue;
        if (strcmp(from, local) == 0 && (remote ? strcmp(to, remote) == 0 : state == STATE_LISTEN)) {
            *ret_uid = uid;
            answer = PEER_FOUND;
        }
    }
    fclose(f);
    return answer;
}

enum peer_answer peer_uid_from_proc(const struct sockaddr *peer, const struct sockaddr *local, uid_t *ret_uid)
{
    struct end from, to;
    if (!end_from(peer, &from) || !end_from(local, &to))
        return PEER_UNKNOWN;
    char from_text[64], to_text[64];
    proc_form(&from, from_text, sizeof(from_text));
    proc_form(&to, to_text, sizeof(to_text));
    return read_proc(peer->sa_family, from_text, to_text, ret_uid);
}

enum peer_answer peer_uid(int *netlink, const struct sockaddr *peer, const struct sockaddr *local, uid_t *ret_uid)
{
    struct end from, to;
    if (!end_from(peer, &from) || !end_from(local, &to))
        return PEER_UNKNOWN;
    enum peer_answer answer = ask_netlink(netlink, peer->sa_family, &from, &to, ret_uid);
    return answer == PEER_UNKNOWN ? peer_uid_from_proc(peer, local, ret_uid) : answer;
}

bool peer_listener_uid(const struct sockaddr *local, uid_t *ret_uid)
{
    struct end e;
    if (!end_from(local, &e))
        return false;
    char text[64];
    proc_form(&e, text, sizeof(text));
    if (read_proc(local->sa_family, text, NULL, ret_uid) == PEER_FOUND)
        return true;
    memset(e.address, 0, sizeof(e.address)); /* listening on all addresses takes the port too */
    proc_form(&e, text, sizeof(text));
    return read_proc(local->sa_family, text, NULL, ret_uid) == PEER_FOUND;
}
