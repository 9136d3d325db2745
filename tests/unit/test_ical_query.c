/* SPDX-License-Identifier: Apache-2.0 */
/* What CalDAV reports ask of an object: filters, parts of it, expansion, free/busy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/ical_query.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define BERLIN   STR("Europe/Berlin")

static const struct ical_options options = {.zone = {"Europe/Berlin", 13}};

/* Mondays at ten in Berlin; the second one is moved to Tuesday, the third one deleted. */
static const char series[] =
    "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n"
    "DTSTART;TZID=Europe/Berlin:20260105T100000\nDTEND;TZID=Europe/Berlin:20260105T110000\n"
    "RRULE:FREQ=WEEKLY;COUNT=5\nEXDATE;TZID=Europe/Berlin:20260119T100000\nSUMMARY;LANGUAGE=de:Gr\xC3\xBC\xC3\x9F"
    "e\nCATEGORIES:Red,Blue\nX-WHEN;TZID=Europe/Berlin:20260105T090000\n"
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:d\nEND:VALARM\nEND:VEVENT\n"
    "BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20260112T100000\n"
    "DTSTART;TZID=Europe/Berlin:20260113T100000\nDTEND;TZID=Europe/Berlin:20260113T110000\nSUMMARY:moved\nEND:VEVENT\n"
    "END:VCALENDAR\n";

static int64_t at(const char *iso)
{
    int64_t ms;
    if (!iso)
        return INT64_MIN;
    assert_true(time_parse_iso(str_from(iso), &ms));
    return ms / 1000;
}

static struct ical_range range(const char *from, const char *to)
{
    return (struct ical_range){at(from), to ? at(to) : INT64_MAX};
}

static void read_object(const char *text, struct arena *a, struct event *e, struct buf *stored)
{
    struct str extras;
    struct ical_problem problem;
    if (!ical_read(str_from(text), &options, a, e, &extras, &problem))
        fail_msg("%s", problem.text);
    buf_reset(stored);
    ical_write(stored, e, &options, extras);
}

static bool matches(struct str text, const struct event *e, const struct ical_comp_filter *inner)
{
    struct arena a = {0};
    struct ical_comp_filter calendar = {.name = STR("VCALENDAR"), .comps = inner, .comp_count = inner ? 1 : 0};
    bool ok = ical_match(text, e, &calendar, BERLIN, &a);
    arena_done(&a);
    return ok;
}

/* --- time ranges ------------------------------------------------------------------------------ */

static const struct {
    const char *from, *to;
    bool event, alarm;
} windows[] = {
    {"2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z", true, false}, /* the first one */
    {"2026-01-05T08:45:00Z", "2026-01-05T08:46:00Z", false, true}, /* its alarm */
    {"2026-01-05T10:00:00Z", "2026-01-12T08:00:00Z", false, false},
    {"2026-01-12T08:00:00Z", "2026-01-12T12:00:00Z", false, false}, /* moved away */
    {"2026-01-13T09:30:00Z", "2026-01-13T09:31:00Z", true, false},  /* to here; it has no alarm */
    {"2026-01-19T00:00:00Z", "2026-01-20T00:00:00Z", false, false}, /* deleted */
    {"2026-02-02T09:59:59Z", NULL, true, false},
    {"2026-02-02T10:00:00Z", NULL, false, false},
    {NULL, "2026-01-05T09:00:00Z", false, true},
    {NULL, NULL, true, true},
};

static void time_ranges(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf stored = BUF_INIT(0);
    struct event e;
    read_object(series, &a, &e, &stored);
    for (size_t i = 0; i < COUNT(windows); i++) {
        struct ical_range r = range(windows[i].from, windows[i].to);
        struct ical_comp_filter alarm = {.name = STR("VALARM"), .range = &r};
        struct ical_comp_filter event = {.name = STR("VEVENT"), .range = &r};
        struct ical_comp_filter outer = {.name = STR("VEVENT"), .comps = &alarm, .comp_count = 1};
        if (matches(buf_view(&stored), &e, &event) != windows[i].event ||
            ical_in_range(&e, &r, BERLIN) != windows[i].event ||
            matches(buf_view(&stored), &e, &outer) != windows[i].alarm)
            fail_msg("%s to %s", windows[i].from, windows[i].to);
    }
    buf_done(&stored);
    arena_done(&a);
}

/* The table of RFC 4791 9.9 for VTODO, against the day of 10 January. */
static const struct {
    const char *lines;
    bool in;
} todos[] = {
    {"", true},
    {"DTSTART:20260110T100000Z\nDUE:20260110T110000Z\n", true},
    {"DTSTART:20260109T100000Z\nDUE:20260109T110000Z\n", false},
    {"DTSTART:20260109T100000Z\nDUE:20260111T110000Z\n", true},
    {"DTSTART:20260111T100000Z\n", false},
    {"DTSTART:20260110T100000Z\n", true},
    {"DTSTART:20260109T230000Z\nDURATION:PT2H\n", true},
    {"DUE:20260110T000000Z\n", false},
    {"DUE:20260110T000001Z\n", true},
    {"DUE:20260111T000000Z\n", true},
    {"COMPLETED:20260110T120000Z\n", true},
    {"COMPLETED:20260112T120000Z\n", false},
    {"COMPLETED:20260112T120000Z\nCREATED:20260101T120000Z\n", true},
    {"CREATED:20260112T120000Z\n", false},
    {"CREATED:20260101T120000Z\n", true},
};

static void tasks(void **state)
{
    (void)state;
    struct ical_range r = range("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z");
    struct ical_comp_filter todo = {.name = STR("VTODO"), .range = &r};
    for (size_t i = 0; i < COUNT(todos); i++) {
        struct arena a = {0};
        struct buf stored = BUF_INIT(0);
        struct event e;
        char text[1000];
        snprintf(text, sizeof(text), "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTODO\nUID:1\n%sEND:VTODO\nEND:VCALENDAR\n",
                 todos[i].lines);
        read_object(text, &a, &e, &stored);
        if (matches(buf_view(&stored), &e, &todo) != todos[i].in)
            fail_msg("%s", todos[i].lines);
        buf_done(&stored);
        arena_done(&a);
    }
}

/* --- properties ------------------------------------------------------------------------------- */

static void properties(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf stored = BUF_INIT(0);
    struct event e;
    read_object(series, &a, &e, &stored);
    struct ical_text_match ascii = {.text = STR("OVED")}, octet = {.text = STR("OVED"), .collation = ICAL_OCTET},
                           fold = {.text = STR("GR\xC3\x9C\xC3\x9F"), .collation = ICAL_UNICODE_CASEMAP},
                           blue = {.text = STR("blue")}, no_blue = {.text = STR("blue"), .negate = true},
                           de = {.text = STR("DE")};
    struct ical_param_filter language = {.name = STR("language"), .match = &de},
                             no_language = {.name = STR("LANGUAGE"), .is_not_defined = true};
    struct ical_range january = range("2026-01-05T07:00:00Z", "2026-01-05T08:30:00Z");
    struct {
        struct ical_prop_filter f;
        bool expected;
    } rows[] = {
        {{.name = STR("summary"), .match = &ascii}, true},
        {{.name = STR("SUMMARY"), .match = &octet}, false},
        {{.name = STR("SUMMARY"), .match = &fold}, true},
        {{.name = STR("CATEGORIES"), .match = &blue}, true},
        {{.name = STR("CATEGORIES"), .match = &no_blue}, false},
        {{.name = STR("LOCATION"), .match = &no_blue}, false}, /* not there */
        {{.name = STR("LOCATION"), .is_not_defined = true}, true},
        {{.name = STR("SUMMARY"), .is_not_defined = true}, false},
        {{.name = STR("SUMMARY"), .params = &language, .param_count = 1}, true},
        {{.name = STR("SUMMARY"), .params = &no_language, .param_count = 1}, true}, /* of the moved one */
        {{.name = STR("X-WHEN"), .range = &january}, true},
        {{.name = STR("DTSTART"), .range = &january}, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ical_comp_filter event = {.name = STR("VEVENT"), .props = &rows[i].f, .prop_count = 1};
        if (matches(buf_view(&stored), &e, &event) != rows[i].expected)
            fail_msg("row %zu", i);
    }
    struct ical_comp_filter none = {.name = STR("VTODO"), .is_not_defined = true}, some = {.name = STR("VTODO")};
    assert_true(matches(buf_view(&stored), &e, &none));
    assert_false(matches(buf_view(&stored), &e, &some));
    assert_true(matches(buf_view(&stored), &e, NULL));
    buf_done(&stored);
    arena_done(&a);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void has(const struct buf *b, const char *text, bool expected)
{
    if ((str_find(buf_view(b), str_from(text)) != (size_t)-1) != expected)
        fail_msg("%s %s:\n%.*s", text, expected ? "is missing" : "is there", (int)b->n, b->p);
}

static void shape(const struct event *e, struct str text, const struct ical_shape *s, struct buf *out)
{
    struct arena a = {0};
    buf_reset(out);
    assert_true(ical_shape(out, text, e, s, BERLIN, 0, &a));
    arena_done(&a);
}

static void parts(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf stored = BUF_INIT(0), out = BUF_INIT(0);
    struct event e;
    read_object(series, &a, &e, &stored);
    shape(&e, buf_view(&stored), &(struct ical_shape){0}, &out);
    assert_true(str_eq(buf_view(&out), buf_view(&stored))); /* everything is everything */
    struct ical_select_prop version = {STR("VERSION"), false}, props[] = {{STR("UID"), false}, {STR("SUMMARY"), true}};
    struct ical_select event = {.name = STR("VEVENT"), .props = props, .prop_count = 2};
    struct ical_select calendar = {
        .name = STR("VCALENDAR"), .props = &version, .prop_count = 1, .comps = &event, .comp_count = 1};
    shape(&e, buf_view(&stored), &(struct ical_shape){.select = &calendar}, &out);
    has(&out, "UID:1\r\n", true);
    has(&out, "SUMMARY;LANGUAGE=de:\r\n", true);
    has(&out, "VTIMEZONE", false);
    has(&out, "VALARM", false);
    has(&out, "DTSTART", false);
    has(&out, "PRODID", false);
    /* The moved one matters where it was, and where it is. */
    struct ical_range before = range("2026-01-12T09:00:00Z", "2026-01-12T09:30:00Z"),
                      now = range("2026-01-13T09:00:00Z", "2026-01-13T09:30:00Z"),
                      other = range("2026-01-20T09:00:00Z", "2026-01-21T09:30:00Z");
    shape(&e, buf_view(&stored), &(struct ical_shape){.limit = &before}, &out);
    has(&out, "SUMMARY:moved", true);
    shape(&e, buf_view(&stored), &(struct ical_shape){.limit = &now}, &out);
    has(&out, "SUMMARY:moved", true);
    shape(&e, buf_view(&stored), &(struct ical_shape){.limit = &other}, &out);
    has(&out, "SUMMARY:moved", false);
    has(&out, "RRULE", true);
    buf_done(&stored);
    buf_done(&out);
    arena_done(&a);
}

static void expansion(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf stored = BUF_INIT(0), out = BUF_INIT(0);
    struct event e;
    struct ical_range january = range("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    read_object(series, &a, &e, &stored);
    shape(&e, buf_view(&stored), &(struct ical_shape){.expand = &january}, &out);
    static const char *const gone[] = {"RRULE", "EXDATE", "VTIMEZONE", "TZID", "20260119", "20260202"};
    static const char *const there[] = {
        "RECURRENCE-ID:20260105T090000Z\r\nDTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\n",
        "RECURRENCE-ID:20260112T090000Z\r\nDTSTART:20260113T090000Z\r\n", "DTSTART:20260126T090000Z\r\n",
        "X-WHEN:20260105T080000Z\r\n", "BEGIN:VALARM"};
    for (size_t i = 0; i < COUNT(gone); i++)
        has(&out, gone[i], false);
    for (size_t i = 0; i < COUNT(there); i++)
        has(&out, there[i], true);
    buf_reset(&out);
    assert_false(ical_shape(&out, buf_view(&stored), &e, &(struct ical_shape){.expand = &january}, BERLIN, 2, &a));
    read_object("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260110\nEND:VEVENT\nEND:VCALENDAR\n", &a,
                &e, &stored);
    shape(&e, buf_view(&stored), &(struct ical_shape){.expand = &january}, &out);
    has(&out, "DTSTART;VALUE=DATE:20260110\r\n", true);
    has(&out, "RECURRENCE-ID", false);
    buf_done(&stored);
    buf_done(&out);
    arena_done(&a);
}

/* --- free/busy -------------------------------------------------------------------------------- */

static void busy_of_events(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf stored = BUF_INIT(0);
    struct event e;
    struct ical_range r = range("2026-01-05T09:30:00Z", "2026-01-20T00:00:00Z");
    struct ical_busy_list l = {0};
    read_object(series, &a, &e, &stored);
    assert_true(ical_busy_of(&e, &r, BERLIN, 10, &a, &l));
    assert_int_equal(l.count, 2);
    assert_int_equal(l.spans[0].from, r.from); /* cut at the edge */
    assert_int_equal(l.spans[1].from, at("2026-01-13T09:00:00Z"));
    assert_false(ical_busy_of(&e, &r, BERLIN, 3, &a, &l));
    static const enum event_busy none[] = {EVENT_FREE, EVENT_ELSEWHERE};
    for (size_t i = 0; i < COUNT(none); i++) {
        struct ical_busy_list free_time = {0};
        struct event f = e;
        f.exception_count = 0;
        f.fields.busy = none[i];
        ical_busy_of(&f, &r, BERLIN, 10, &a, &free_time);
        f.fields.busy = EVENT_BUSY;
        f.fields.mine = EVENT_DECLINED;
        ical_busy_of(&f, &r, BERLIN, 10, &a, &free_time);
        f.fields.mine = EVENT_ACCEPTED;
        f.fields.cancelled = true;
        ical_busy_of(&f, &r, BERLIN, 10, &a, &free_time);
        assert_int_equal(free_time.count, 0);
    }
    buf_done(&stored);
    arena_done(&a);
}

static void busy_written(void **state)
{
    (void)state;
    struct ical_busy spans[] = {{4000, 5000, EVENT_BUSY}, {1000, 9000, EVENT_TENTATIVE}, {4500, 6000, EVENT_BUSY},
                                {5500, 5600, EVENT_OOF},  {9000, 9500, EVENT_TENTATIVE}, {100, 200, EVENT_FREE},
                                {300, 300, EVENT_BUSY},   {20000, 20060, EVENT_BUSY},    {1, 2, EVENT_ELSEWHERE}};
    struct ical_busy_list l = {spans, COUNT(spans), COUNT(spans)};
    struct ical_range r = {0, 86400};
    struct buf out = BUF_INIT(0);
    ical_write_busy(&out, &l, &r, 1767225600, STR("u"), STR("boss@example.com"), STR("a@example.com"), "REPLY");
    has(&out, "METHOD:REPLY\r\n", true);
    has(&out, "ATTENDEE:mailto:a@example.com\r\n", true);
    has(&out,
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:19700101T001640Z/19700101T010640Z\r\n"
        "FREEBUSY;FBTYPE=BUSY:19700101T010640Z/19700101T013140Z\r\n"
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:19700101T013140Z/19700101T013320Z\r\n"
        "FREEBUSY;FBTYPE=BUSY:19700101T013320Z/19700101T014000Z\r\n"
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:19700101T014000Z/19700101T023820Z\r\n"
        "FREEBUSY;FBTYPE=BUSY:19700101T053320Z/19700101T053420Z\r\nEND:VFREEBUSY",
        true);
    buf_done(&out);
}

static void busy_asked(void **state)
{
    (void)state;
    struct arena a = {0};
    struct ical_busy_request q;
    const char *why;
    static const char good[] = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VFREEBUSY\nUID:u\nDTSTART:20260105T000000Z\n"
                               "DTEND:20260106T000000Z\nORGANIZER:mailto:boss@example.com\n"
                               "ATTENDEE:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VFREEBUSY\n"
                               "END:VCALENDAR\n";
    assert_true(ical_read_busy_request(str_from(good), &a, &q, &why));
    assert_int_equal(q.attendee_count, 2);
    assert_true(str_is(q.attendees[1], "b@example.com") && str_is(q.uid, "u"));
    assert_int_equal(q.range.to, at("2026-01-06"));
    for (size_t n = 0; n + 1 < strlen(good); n++)
        assert_false(ical_read_busy_request(str_of(good, n), &a, &q, &why));
    assert_false(ical_read_busy_request(STR("BEGIN:VCALENDAR\nEND:VCALENDAR\n"), &a, &q, &why));
    assert_false(ical_read_busy_request(STR_NULL, &a, &q, &why)); /* no body at all */
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_ranges),  cmocka_unit_test(tasks),      cmocka_unit_test(properties),
        cmocka_unit_test(parts),        cmocka_unit_test(expansion),  cmocka_unit_test(busy_of_events),
        cmocka_unit_test(busy_written), cmocka_unit_test(busy_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
