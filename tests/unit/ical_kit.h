/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_ICAL_KIT_H
#define TESTS_UNIT_ICAL_KIT_H
/* iCalendar objects of a few lines, for the tests of what is read from them and written. */
#include "bridge/base/arena.h"
#include "bridge/formats/ical.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define TODO       "VTODO"
#define EVENT      "VEVENT"
#define ALARM(...) "BEGIN:VALARM\n" __VA_ARGS__ "END:VALARM\n"

/* A user in Berlin, me@example.com. */
extern const struct ical_options ical_kit_options;

int64_t ical_kit_at(const char *iso); /* an instant, in s */
/* An event of these lines, with what every event has. */
struct str ical_kit_object(struct arena *a, const char *component, const char *lines);
/* Such an object, read; the test fails when it is refused. */
void ical_kit_read(struct arena *a, const char *component, const char *lines, struct event *e, struct str *extras);

#endif
