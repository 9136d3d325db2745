/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/netwatch.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"

#define FAR_FUTURE_S (10ll * 365 * 86400)
#define ADDRESSES    256 /* more are not told apart */

struct netwatch {
    struct loop *loop;
    netwatch_cb *cb;
    void *ud;
    int route_fd, clock_fd;
    struct loop_fd *route, *clock;
    struct timer *quiet, *tick;
    struct crypto_hash addresses;
    uint64_t boot_ms, mono_ms;
    bool loopback;
};

/* --- addresses ------------------------------------------------------------------------------------ */

/* 16 bytes that stand for it; false: it does not count. */
static bool usable(const struct ifaddrs *a, bool loopback, unsigned char key[16])
{
    memset(key, 0, 16);
    if (!a->ifa_addr || !(a->ifa_flags & IFF_UP) || ((a->ifa_flags & IFF_LOOPBACK) && !loopback))
        return false;
    if (a->ifa_addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a->ifa_addr;
        memcpy(key, &v4->sin_addr, 4);
        return (ntohl(v4->sin_addr.s_addr) >> 16) != 0xA9FE; /* RFC 3927: 169.254/16 */
    }
    if (a->ifa_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a->ifa_addr;
        memcpy(key, &v6->sin6_addr, 16);
        return !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

struct crypto_hash netwatch_addresses(const struct ifaddrs *list, bool loopback, unsigned *ret_count)
{
    unsigned char(*keys)[16] = mem_array(ADDRESSES, 16);
    unsigned n = 0;
    for (const struct ifaddrs *a = list; a && n < ADDRESSES; a = a->ifa_next)
        n += usable(a, loopback, keys[n]);
    qsort(keys, n, 16, compare);
    struct crypto_hash hash = crypto_sha256(str_of(keys, (size_t)n * 16));
    mem_free(keys);
    *ret_count = n;
    return hash;
}

static struct crypto_hash addresses_now(const struct netwatch *w, unsigned *ret_count)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0)
        list = NULL;
    struct crypto_hash hash = netwatch_addresses(list, w->loopback, ret_count);
    freeifaddrs(list);
    return hash;
}

static void on_quiet(void *ud)
{
    struct netwatch *w = ud;
    unsigned count;
    struct crypto_hash now = addresses_now(w, &count);
    if (memcmp(now.b, w->addresses.b, sizeof(now.b)) == 0)
        return;
    w->addresses = now;
    w->cb(w->ud, count ? NETWATCH_CHANGED : NETWATCH_NO_NETWORK, 0);
}

static void on_route(void *ud)
{
    struct netwatch *w = ud;
    char bytes[8192];
    /* What it says does not matter, nor that some of it was lost (ENOBUFS): we look for ourselves. */
    while (recv(w->route_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
        continue;
    timer_start(w->quiet, NETWATCH_QUIET_MS);
}

static int open_route(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* --- sleep ------------------------------------------------------------------------------------------ */

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t netwatch_slept_ms(uint64_t boot_before, uint64_t mono_before, uint64_t boot_now, uint64_t mono_now)
{
    uint64_t passed = boot_now - boot_before, awake = mono_now - mono_before;
    return passed > awake && passed - awake >= NETWATCH_SLEPT_MS ? passed - awake : 0;
}

static void look_at_clocks(struct netwatch *w)
{
    uint64_t boot = clock_ms(CLOCK_BOOTTIME), mono = clock_ms(CLOCK_MONOTONIC);
    uint64_t slept = netwatch_slept_ms(w->boot_ms, w->mono_ms, boot, mono);
    w->boot_ms = boot;
    w->mono_ms = mono;
    timer_start(w->tick, NETWATCH_TICK_MS);
    if (slept)
        w->cb(w->ud, NETWATCH_SLEPT, slept / 1000);
}

static void on_tick(void *ud)
{
    look_at_clocks(ud);
}

static bool arm_clock(int fd)
{
    struct itimerspec far = {.it_value.tv_sec = time(NULL) + FAR_FUTURE_S};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) == 0;
}

/* The clock was set: by a person, a time service, or at resume. */
static void on_clock(void *ud)
{
    struct netwatch *w = ud;
    uint64_t expirations;
    ssize_t ignored = read(w->clock_fd, &expirations, sizeof(expirations)); /* ECANCELED */
    (void)ignored;
    arm_clock(w->clock_fd);
    look_at_clocks(w);
}

static int open_clock(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd >= 0 && !arm_clock(fd)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* --- life -------------------------------------------------------------------------------------------- */

struct netwatch *netwatch_new(struct loop *loop, netwatch_cb *cb, void *ud)
{
    struct netwatch *w = MEM_NEW(struct netwatch);
    unsigned count;
    w->loop = loop;
    w->cb = cb;
    w->ud = ud;
    w->quiet = timer_new(loop, on_quiet, w);
    w->tick = timer_new(loop, on_tick, w);
    w->route_fd = open_route();
    w->clock_fd = open_clock();
    if (w->route_fd >= 0)
        w->route = loop_fd_new(loop, w->route_fd, on_route, w);
    else
        log_warn("net", NULL, "the kernel does not tell about changes of the network; they are noticed by errors");
    if (w->clock_fd >= 0)
        w->clock = loop_fd_new(loop, w->clock_fd, on_clock, w);
    w->addresses = addresses_now(w, &count);
    w->boot_ms = clock_ms(CLOCK_BOOTTIME);
    w->mono_ms = clock_ms(CLOCK_MONOTONIC);
    timer_start(w->tick, NETWATCH_TICK_MS);
    return w;
}

void netwatch_count_loopback(struct netwatch *w)
{
    unsigned count;
    w->loopback = true;
    w->addresses = addresses_now(w, &count);
}

void netwatch_free(struct netwatch **watch)
{
    struct netwatch *w = *watch;
    *watch = NULL;
    if (!w)
        return;
    loop_fd_free(&w->route);
    loop_fd_free(&w->clock);
    timer_free(&w->quiet);
    timer_free(&w->tick);
    if (w->route_fd >= 0)
        close(w->route_fd);
    if (w->clock_fd >= 0)
        close(w->clock_fd);
    mem_free(w);
}
