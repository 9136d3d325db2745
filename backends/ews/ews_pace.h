/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_PACE_H
#define EWS_PACE_H
/*
 * How many things to ask for at once. A server, or a gateway in front of it, that cuts off what takes too long would
 * cut off the same request for ever: after each time half of it is asked for, and for a while no more than that by
 * others.
 */
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/time.h"

#define EWS_PACE_MS (10 * 60 * 1000)

struct ews_pace {
    size_t most; /* 0: as many as one likes */
    uint64_t since_ms;
};

static inline size_t ews_pace_most(const struct ews_pace *p, size_t wanted)
{
    return p->most && p->most < wanted && time_mono_ms() - p->since_ms < EWS_PACE_MS ? p->most : wanted;
}

/* So many were too many. How many to ask for now. */
static inline size_t ews_pace_slow(struct ews_pace *p, size_t asked)
{
    *p = (struct ews_pace){asked > 1 ? asked / 2 : 1, time_mono_ms()};
    return p->most;
}

#endif
