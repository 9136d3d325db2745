/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_TEST_LOOP_H
#define TESTS_UNIT_TEST_LOOP_H
/* cmocka and a loop: turn it until a condition holds, or fail after a minute: on a busy machine ten seconds are
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "bridge/base/time.h"
#include "bridge/io/loop.h"

#define TEST_DEADLINE_MS (60 * 1000)

static inline void test_tick(void *ud)
{
    (void)ud; /* it only ends the wait of loop_turn() */
}

#define TURN_UNTIL(loop, condition)                                                                                    \
    do {                                                                                                               \
        uint64_t give_up_ms = time_mono_ms() + TEST_DEADLINE_MS;                                                       \
        struct timer *tick = timer_new((loop), test_tick, NULL);                                                       \
        while (!(condition) && time_mono_ms() < give_up_ms) {                                                          \
            timer_start(tick, 100);                                                                                    \
            loop_turn(loop);                                                                                           \
        }                                                                                                              \
        timer_free(&tick);                                                                                             \
        if (!(condition))                                                                                              \
            fail_msg("not reached: %s", #condition);                                                                   \
    } while (0)

/* Turn for a while: for what must not happen. */
#define TURN_FOR(loop, ms)                                                                                             \
    do {                                                                                                               \
        uint64_t over_ms = time_mono_ms() + (ms);                                                                      \
        struct timer *tick = timer_new((loop), test_tick, NULL);                                                       \
        while (time_mono_ms() < over_ms) {                                                                             \
            timer_start(tick, 5);                                                                                      \
            loop_turn(loop);                                                                                           \
        }                                                                                                              \
        timer_free(&tick);                                                                                             \
    } while (0)

/* A process that is gone, or that only waits for whoever inherited it to ask for its status. */
static inline bool test_has_ended(int pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    bool read = f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
    if (f)
        fclose(f);
    return !read || state == 'Z';
}

#endif
