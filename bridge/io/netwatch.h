/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_NETWATCH_H
#define BRIDGE_IO_NETWATCH_H
/*
 * Notices that connections made earlier are dead although nobody has closed them: the machine has slept, or has other
 * addresses than before (another network, a VPN that came or went).
 *
 * Addresses: rtnetlink(7) says that something happened; what counts is whether the set of usable addresses is another
 * one once it has been quiet for NETWATCH_QUIET_MS (routers announce the same addresses every few minutes). Sleep:
 * CLOCK_BOOTTIME runs on while CLOCK_MONOTONIC stands still; a timerfd that is cancelled when the kernel sets the clock
 * at resume makes us look at once, a slow tick looks where that does not work.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/io/crypto.h"
#include "bridge/io/loop.h"

#define NETWATCH_QUIET_MS 2000
#define NETWATCH_TICK_MS  (30 * 1000)
#define NETWATCH_SLEPT_MS (10 * 1000) /* less is not worth a new connection */

enum netwatch_event {
    NETWATCH_SLEPT,     /* it is a good moment to connect anew */
    NETWATCH_CHANGED,   /* other addresses: the same */
    NETWATCH_NO_NETWORK /* no address is left but that of the machine itself */
};
typedef void netwatch_cb(void *ud, enum netwatch_event event, uint64_t slept_s);

struct netwatch;
/* Where the kernel has no such sockets it notices less; that is logged once. Never fails. */
struct netwatch *netwatch_new(struct loop *loop, netwatch_cb *cb, void *ud);
void netwatch_free(struct netwatch **w);

/* --- for tests --- */
struct ifaddrs;
/* Of what getifaddrs(3) tells: addresses of interfaces that are up, in any order; neither loopback (but with
 * `loopback`) nor link-local ones. *ret_count: how many. */
struct crypto_hash netwatch_addresses(const struct ifaddrs *list, bool loopback, unsigned *ret_count);
/* The milliseconds slept between two looks; 0 when they are too few to count. */
uint64_t netwatch_slept_ms(uint64_t boot_before, uint64_t mono_before, uint64_t boot_now, uint64_t mono_now);
void netwatch_count_loopback(struct netwatch *w);

#endif
