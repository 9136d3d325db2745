/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES 100

static bool can_listen(int family, unsigned port)
{
    struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int one = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return family == AF_INET6; /* a machine without IPv6 */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool bound = family == AF_INET6 ? bind(fd, (struct sockaddr *)&six, sizeof(six)) == 0
                                    : bind(fd, (struct sockaddr *)&four, sizeof(four)) == 0;
    bool no_six = !bound && family == AF_INET6 && errno == EADDRNOTAVAIL;
    bool ok = no_six || (bound && listen(fd, 1) == 0);
    close(fd);
    return ok;
}

bool port_is_free(unsigned port)
{
    return can_listen(AF_INET, port) && can_listen(AF_INET6, port);
}

unsigned port_find_free(unsigned wanted)
{
    for (unsigned port = wanted; port < wanted + TRIES; port++)
        if (port_is_free(port))
            return port;
    return wanted;
}
