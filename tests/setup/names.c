/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests, preloaded into a program (LD_PRELOAD): a small Internet on loopback. The program is the real one; only the
 * C library tells it other addresses.
 *
 * $TEST_NAMES is a file of lines "HOST PORT TARGET": HOST has an address, and its PORT is TARGET of 127.0.0.1 (0:
 * nobody listens). "dns 53 TARGET": the name server, whatever its address is. Every other name does not exist, and no
 * other address than loopback can be reached.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NET      0x7f4d0000u /* 127.77.0.0: host n of the file is 127.77.0.n */
#define NET_MASK 0xffff0000u

static FILE *open_table(void)
{
    const char *path = getenv("TEST_NAMES");
    return path ? fopen(path, "re") : NULL;
}

/* The next line; its host's number counts from 1, the same for equal names. */
static int next_line(FILE *f, char *host, unsigned *port, unsigned *target, char seen[][64], unsigned *count)
{
    if (fscanf(f, "%63s %u %u", host, port, target) != 3)
        return 0;
    for (unsigned i = 0; i < *count; i++)
        if (strcasecmp(seen[i], host) == 0)
            return (int)i + 1;
    strcpy(seen[*count], host);
    return (int)++*count;
}

static int number_of(const char *name)
{
    char seen[64][64], host[64];
    unsigned port, target, count = 0;
    int n, found = 0;
    FILE *f = open_table();
    if (!f)
        return 0;
    while (!found && count < 63 && (n = next_line(f, host, &port, &target, seen, &count)) > 0)
        if (strcasecmp(host, name) == 0 && strcmp(host, "dns") != 0)
            found = n;
    fclose(f);
    return found;
}

/* The port of 127.0.0.1 that stands for a host's port; 0: nobody listens there. */
static unsigned target_of(int number, const char *name, unsigned wanted)
{
    char seen[64][64], host[64];
    unsigned port, target, count = 0, found = 0;
    int n;
    FILE *f = open_table();
    if (!f)
        return 0;
    while (!found && count < 63 && (n = next_line(f, host, &port, &target, seen, &count)) > 0)
        if (port == wanted && (name ? strcmp(host, name) == 0 : n == number))
            found = target;
    fclose(f);
    return found;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    unsigned char parsed[16];
    char address[32];
    real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT,
                                                                                                   "getaddrinfo");
    if (!node || strcmp(node, "localhost") == 0 || inet_pton(AF_INET, node, parsed) == 1 ||
        inet_pton(AF_INET6, node, parsed) == 1)
        return real(node, service, hints, ret);
    int number = number_of(node);
    if (!number || (hints && hints->ai_family == AF_INET6))
        return EAI_NONAME;
    snprintf(address, sizeof(address), "127.77.0.%d", number);
    return real(address, service, hints, ret);
}

int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (to->sa_family == AF_INET6 &&
        !IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)to)->sin6_addr)) {
        errno = ENETUNREACH;
        return -1;
    }
    if (to->sa_family != AF_INET)
        return real(fd, to, size);
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;
    unsigned address = ntohl(in->sin_addr.s_addr), port = ntohs(in->sin_port);
    if (port != 53 && (address & NET_MASK) != NET) {
        if (address >> 24 == 127)
            return real(fd, to, size);
        errno = ENETUNREACH;
        return -1;
    }
    unsigned target = port == 53 ? target_of(0, "dns", 53) : target_of((int)(address & 0xffff), NULL, port);
    other.sin_port = htons((unsigned short)(target ? target : 1));
    return real(fd, (const struct sockaddr *)&other, sizeof(other));
}
