/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CALENDAR_RANDOM_H
#define TESTS_UNIT_CALENDAR_RANDOM_H
/* Random events of every kind that Exchange can hold; the same seed gives the same event. */
#include "bridge/base/arena.h"
#include "bridge/formats/event.h"

struct random {
    uint64_t state;
};
unsigned random_below(struct random *r, unsigned limit);
bool random_pattern(struct random *r, struct event_recurrence *ret); /* valid, without an end */
void random_event(struct random *r, struct arena *a, struct event *ret);
/* Are they the same to the last byte? Else what differs first. */
const char *events_unequal(const struct event *a, const struct event *b);

#endif
