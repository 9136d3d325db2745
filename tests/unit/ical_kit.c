/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ical_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/time.h"

static const struct str me[] = {{"me@example.com", 14}, {"alias@example.com", 17}};
const struct ical_options ical_kit_options = {
    .zone = {"Europe/Berlin", 13}, .me = me, .me_count = 2, .own_urls = {"https://localhost:1443/", 23}};

int64_t ical_kit_at(const char *iso)
{
    int64_t ms;
    assert_true(time_parse_iso(str_from(iso), &ms));
    return ms / 1000;
}

struct str ical_kit_object(struct arena *a, const char *component, const char *lines)
{
    bool dated = strstr(lines, "DTSTART") || !strcmp(component, "VTODO");
    return arena_printf(a,
                        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:%s\nUID:1\nDTSTAMP:20260101T000000Z\n"
                        "%s%sEND:%s\nEND:VCALENDAR\n",
                        component, dated ? "" : "DTSTART;TZID=Europe/Berlin:20260105T100000\nDURATION:PT1H\n", lines,
                        component);
}

void ical_kit_read(struct arena *a, const char *component, const char *lines, struct event *e, struct str *extras)
{
    struct ical_problem problem;
    if (!ical_read(ical_kit_object(a, component, lines), &ical_kit_options, a, e, extras, &problem))
        fail_msg("%s: %s", lines, problem.text);
}
