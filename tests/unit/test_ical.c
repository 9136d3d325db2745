/* SPDX-License-Identifier: Apache-2.0 */
/* iCalendar objects: what is read from them, what is refused, and that nothing is lost on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/ical_tree.h"
#include "tests/unit/calendar_random.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct str me[] = {{"me@example.com", 14}, {"alias@example.com", 17}};
static const struct ical_options options = {
    .zone = {"Europe/Berlin", 13}, .me = me, .me_count = 2, .own_urls = {"https://localhost:1443/", 23}};

static int64_t at(const char *iso)
{
    int64_t ms;
    assert_true(time_parse_iso(str_from(iso), &ms));
    return ms / 1000;
}

/* An event of these lines, with what every event has. */
static struct str object(struct arena *a, const char *component, const char *lines)
{
    bool dated = strstr(lines, "DTSTART") || !strcmp(component, "VTODO");
    return arena_printf(a,
                        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:%s\nUID:1\nDTSTAMP:20260101T000000Z\n"
                        "%s%sEND:%s\nEND:VCALENDAR\n",
                        component, dated ? "" : "DTSTART;TZID=Europe/Berlin:20260105T100000\nDURATION:PT1H\n", lines,
                        component);
}

/* --- there and back
 * -----------------------------------------------------------------------------------------------------
 */

static void random_events(void **state)
{
    (void)state;
    struct random r = {11};
    for (int i = 0; i < 6000; i++) {
        struct arena a = {0};
        struct event e, back;
        struct str extras;
        struct ical_problem problem;
        struct buf out = BUF_INIT(0), again = BUF_INIT(0);
        random_event(&r, &a, &e);
        ical_write(&out, &e, &options, STR_NULL);
        if (!ical_read(buf_view(&out), &options, &a, &back, &extras, &problem))
            fail_msg("event %d: %s\n%s", i, problem.text, buf_z(&out));
        const char *what = events_unequal(&e, &back);
        if (what || extras.n)
            fail_msg("event %d: %s\n%.1500s\n%.*s", i, what,
                     buf_z(&out) + str_find(buf_view(&out), STR("BEGIN:VEVENT")), STR_ARG(extras));
        ical_write(&again, &back, &options, extras);
        assert_true(str_eq(buf_view(&out), buf_view(&again)));
        buf_done(&out);
        buf_done(&again);
        arena_done(&a);
    }
}

/* Lines are at most 75 bytes, end with CRLF, and are cut between characters. */
static void lines_are_folded(void **state)
{
    (void)state;
    struct random r = {12};
    for (int i = 0; i < 500; i++) {
        struct arena a = {0};
        struct event e;
        struct buf out = BUF_INIT(0);
        struct str rest, line;
        random_event(&r, &a, &e);
        ical_write(&out, &e, &options, STR_NULL);
        rest = buf_view(&out);
        while (str_cut(&rest, '\n', &line)) {
            if (!line.n)
                break;
            assert_true(line.n <= 76 && line.p[line.n - 1] == '\r');
            assert_true(((unsigned char)line.p[line.p[0] == ' '] & 0xC0) != 0x80);
            for (size_t k = 0; k + 1 < line.n; k++)
                assert_true((unsigned char)line.p[k] >= ' ' || line.p[k] == '\t');
        }
        buf_done(&out);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events),
        cmocka_unit_test(lines_are_folded),
    };
    (void)at;
    (void)object;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
