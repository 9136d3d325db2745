/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/netwatch.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test_loop.h"

/* --- which addresses count ----------------------------------------------------------------------------- */

struct made {
    struct ifaddrs list[8];
    struct sockaddr_storage addresses[8];
    unsigned n;
};

static void add(struct made *m, const char *address, unsigned flags)
{
    struct ifaddrs *a = &m->list[m->n];
    struct sockaddr_storage *s = &m->addresses[m->n];
    memset(s, 0, sizeof(*s));
    if (inet_pton(AF_INET, address, &((struct sockaddr_in *)s)->sin_addr) == 1)
        s->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &((struct sockaddr_in6 *)s)->sin6_addr) == 1)
        s->ss_family = AF_INET6;
    *a = (struct ifaddrs){.ifa_flags = flags, .ifa_addr = address[0] ? (struct sockaddr *)s : NULL};
    if (m->n)
        m->list[m->n - 1].ifa_next = a;
    m->n++;
}

static bool same(const struct crypto_hash *a, const struct crypto_hash *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static void test_addresses(void **state)
{
    (void)state;
    struct made a = {0}, b = {0}, c = {0};
    unsigned n;
    add(&a, "192.0.2.7", IFF_UP);
    add(&a, "2001:db8::7", IFF_UP);
    struct crypto_hash base = netwatch_addresses(a.list, false, &n);
    assert_int_equal(n, 2);
    /* Another order, and what does not count. */
    add(&b, "127.0.0.1", IFF_UP | IFF_LOOPBACK);
    add(&b, "2001:db8::7", IFF_UP);
    add(&b, "fe80::1", IFF_UP);
    add(&b, "169.254.3.4", IFF_UP);
    add(&b, "", IFF_UP);
    add(&b, "192.0.2.9", 0); /* down */
    add(&b, "192.0.2.7", IFF_UP);
    struct crypto_hash other = netwatch_addresses(b.list, false, &n);
    assert_int_equal(n, 2);
    assert_true(same(&base, &other));
    other = netwatch_addresses(b.list, true, &n);
    assert_int_equal(n, 3);
    assert_false(same(&base, &other));
    add(&c, "192.0.2.8", IFF_UP);
    add(&c, "2001:db8::7", IFF_UP);
    other = netwatch_addresses(c.list, false, &n);
    assert_false(same(&base, &other));
    netwatch_addresses(NULL, false, &n);
    assert_int_equal(n, 0);
}

static void test_sleep(void **state)
{
    (void)state;
    assert_int_equal(netwatch_slept_ms(1000, 500, 31000, 30500), 0);
    assert_int_equal(netwatch_slept_ms(1000, 500, 31000, 21500), 0);     /* nine seconds */
    assert_int_equal(netwatch_slept_ms(1000, 500, 31000, 20500), 10000); /* ten */
    assert_int_equal(netwatch_slept_ms(1000, 500, 8 * 3600000 + 1000, 1500), 8 * 3600000 - 1000);
    assert_int_equal(netwatch_slept_ms(1000, 500, 1000, 700), 0); /* the clocks are not read at the same moment */
}

/* --- a real kernel, in a network of our own --------------------------------------------------------------- */

struct seen {
    unsigned changed, none;
};

static void on_event(void *ud, enum netwatch_event event, uint64_t slept_s)
{
    struct seen *seen = ud;
    (void)slept_s;
    seen->changed += event == NETWATCH_CHANGED;
    seen->none += event == NETWATCH_NO_NETWORK;
}

static void set_lo(bool up)
{
    struct ifreq r = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &r), 0);
    r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &r), 0);
    close(fd);
}

static void watch_lo(void)
{
    struct loop *loop = loop_new();
    struct seen seen = {0};
    struct netwatch *w = netwatch_new(loop, on_event, &seen);
    netwatch_count_loopback(w);
    set_lo(true);
    TURN_UNTIL(loop, seen.changed == 1);
    set_lo(false);
    TURN_UNTIL(loop, seen.none == 1);
    set_lo(true); /* and back before it is quiet: nothing has changed */
    set_lo(false);
    TURN_FOR(loop, NETWATCH_QUIET_MS + 500);
    assert_true(seen.changed == 1 && seen.none == 1);
    netwatch_free(&w);
    loop_free(loop);
}

static void test_kernel(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            _exit(77); /* not allowed here: what a watch says about this network's own silence is left */
        watch_lo();
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 77)
        assert_int_equal(WEXITSTATUS(status), 0);
    struct loop *loop = loop_new();
    struct seen seen = {0};
    struct netwatch *w = netwatch_new(loop, on_event, &seen);
    TURN_FOR(loop, 100);
    assert_true(seen.changed == 0 && seen.none == 0);
    netwatch_free(&w);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_sleep),
                                       cmocka_unit_test(test_kernel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
