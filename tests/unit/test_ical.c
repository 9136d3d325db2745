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

/* --- what is refused
 * --------------------------------------------------------------------------------------------------------
 */

#define TODO  "VTODO"
#define EVENT "VEVENT"
#define TENTH "DTSTART;TZID=Europe/Berlin:20260110T100000\nDURATION:PT1H\n"

static const struct {
    const char *reason, *component, *lines;
} refused[] = {
    {"bad-value", EVENT, "DTSTART:2026\n"},
    {"bad-value", EVENT, "DTSTART:20260230T100000Z\n"},
    {"bad-value", EVENT, "DTSTART:20260105T100000Z\nDTEND:20260105T110000Z\nDURATION:PT1H\n"},
    {"bad-value", EVENT, "DTSTART:20260105T100000Z\nDTEND;VALUE=DATE:20260106\n"},
    {"bad-value", EVENT, "DTSTART:20260105T100000Z\nDURATION:1H\n"},
    {"bad-value", EVENT, "DTSTART:20260105T100000Z\nDTSTART:20260105T110000Z\n"},
    {"bad-value", EVENT, "DTSTART;VALUE=DATE:20260105\nDURATION:PT1H\n"},
    {"bad-value", EVENT, "SUMMARY:a\nSUMMARY:b\n"},
    {"bad-value", EVENT, "PRIORITY:high\n"},
    {"bad-value", TODO, "PERCENT-COMPLETE:101\n"},
    {"end-before-start", EVENT, "DTSTART:20260105T100000Z\nDTEND:20260105T095959Z\n"},
    {"end-before-start", EVENT, "DTSTART:20260105T100000Z\nDURATION:-PT1H\n"},
    {"end-before-start", TODO, "DTSTART;VALUE=DATE:20260105\nDUE;VALUE=DATE:20260104\n"},
    {"too-early", EVENT, "DTSTART:18991231T235959Z\n"},
    {"too-late", EVENT, "DTSTART:45010101T000000Z\n"},
    {"bad-zone", EVENT, "DTSTART;TZID=Nowhere:20260105T100000\n"},
    {"rule-syntax", EVENT, "RRULE:often\n"},
    {"rule-syntax", EVENT, "RRULE:COUNT=3\n"},
    {"rule-syntax", EVENT, "RRULE:FREQ=WEEKLY;COUNT=3;UNTIL=20270101\n"},
    {"rule-syntax", EVENT, "RRULE:FREQ=WEEKLY;FREQ=DAILY\n"},
    {"rule-syntax", EVENT, "RRULE:FREQ=WEEKLY;BYDAY=2MO\n"},
    {"rule-syntax", EVENT, "RRULE:FREQ=WEEKLY;INTERVAL=0\n"},
    {"rule-syntax", EVENT, "RRULE:FREQ=WEEKLY;X-OTHER=1\n"},
    {"rule-two", EVENT, "RRULE:FREQ=WEEKLY\nRRULE:FREQ=DAILY\n"},
    {"rule-two", EVENT, "RRULE:FREQ=WEEKLY\nEXRULE:FREQ=WEEKLY;INTERVAL=2\n"},
    {"rule-part", EVENT, "RRULE:FREQ=YEARLY;BYWEEKNO=2\n"},
    {"rule-part", EVENT, "RRULE:FREQ=YEARLY;BYYEARDAY=5\n"},
    {"rule-part", EVENT, "RRULE:FREQ=DAILY;BYHOUR=10,12\n"},
    {"rule-part", EVENT, "RRULE:FREQ=MONTHLY;BYMONTHDAY=5,20\n"},
    {"rule-part", EVENT, "RRULE:FREQ=MONTHLY;BYDAY=1MO,-1MO\n"},
    {"rule-part", EVENT, "RRULE:FREQ=DAILY;BYMONTH=1\n"},
    {"rule-frequency", EVENT, "RRULE:FREQ=HOURLY\n"},
    {"rule-interval", EVENT, "RRULE:FREQ=DAILY;INTERVAL=1000\n"},
    {"rule-interval", EVENT, "RRULE:FREQ=MONTHLY;INTERVAL=100\n"},
    {"rule-interval", EVENT, "RRULE:FREQ=YEARLY;INTERVAL=9\n"},
    {"rule-count", EVENT, "RRULE:FREQ=DAILY;COUNT=50000\n"},
    {"rule-skips", EVENT, "DTSTART:20260131T100000Z\nRRULE:FREQ=MONTHLY\n"},
    {"rule-skips", EVENT, "DTSTART:20260130T100000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=30\n"},
    {"rule-skips", EVENT, "DTSTART:20280229T100000Z\nRRULE:FREQ=YEARLY\n"},
    {"rule-skips", EVENT, "DTSTART:20260131T100000Z\nRRULE:FREQ=MONTHLY;BYDAY=5SA\n"},
    {"rule-start", EVENT, TENTH "RRULE:FREQ=WEEKLY;BYDAY=MO\n"},
    {"rule-until", EVENT, "RRULE:FREQ=DAILY;UNTIL=20260104T000000Z\n"},
    {"rule-scale", EVENT, "RRULE:RSCALE=HEBREW;FREQ=YEARLY\n"},
    {"rule-overlaps", EVENT, "DTSTART:20260105T100000Z\nDURATION:PT25H\nRRULE:FREQ=DAILY\n"},
    {"rdate", EVENT, "RDATE:20260107T100000Z\n"},
    {"rdate", EVENT, "RRULE:FREQ=WEEKLY\nRDATE:20260107T100000Z\n"},
    {"no-start", TODO, "RRULE:FREQ=WEEKLY\n"},
    {"task-occurrence", TODO, "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260106\n"},
    {"all-deleted", EVENT, "RRULE:FREQ=DAILY;COUNT=1\nEXDATE;TZID=Europe/Berlin:20260105T100000\n"},
    {"bad-attachment", EVENT, "ATTACH;ENCODING=BASE64;VALUE=BINARY:a*b\n"},
};

static void every_refusal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct arena a = {0};
        struct event e;
        struct str extras;
        struct ical_problem problem;
        bool ok = ical_read(object(&a, refused[i].component, refused[i].lines), &options, &a, &e, &extras, &problem);
        const char *name = ok ? "read" : ical_reason_name(problem.reason);
        if (strcmp(name, refused[i].reason) != 0)
            fail_msg("%s: %s, not %s (%s)", refused[i].lines, name, refused[i].reason, ok ? "" : problem.text);
        assert_true(problem.text[0] != 0);
        arena_done(&a);
    }
}

#define HEAD                "BEGIN:VCALENDAR\nVERSION:2.0\n"
#define TAIL                "END:VCALENDAR\n"
#define ONE                 "BEGIN:VEVENT\nUID:1\nDTSTART:20260105T100000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n"
#define OVERRIDE(id, start) "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID" id "\nDTSTART:" start "\nDURATION:PT1H\nEND:VEVENT\n"

static const struct {
    const char *reason, *text;
    enum ical_fault fault;
} objects[] = {
    {"syntax", "", ICAL_VALID_DATA},
    {"syntax", "hello", ICAL_VALID_DATA},
    {"syntax", HEAD ONE, ICAL_VALID_DATA},
    {"syntax", HEAD "BEGIN:VEVENT\nEND:VTODO\n" TAIL, ICAL_VALID_DATA},
    {"syntax", HEAD "SUMMARY\n" TAIL, ICAL_VALID_DATA},
    {"syntax", HEAD "X-A;B:1\n" TAIL, ICAL_VALID_DATA},
    {"syntax", HEAD "X-A;B=\"c:1\n" TAIL, ICAL_VALID_DATA},
    {"syntax", HEAD "X-A:\xff\n" TAIL, ICAL_VALID_DATA},
    {"syntax", HEAD TAIL HEAD TAIL, ICAL_VALID_DATA},
    {"no-calendar", "BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n", ICAL_VALID_DATA},
    {"no-calendar", "BEGIN:VCALENDAR\nVERSION:1.0\n" ONE TAIL, ICAL_VALID_DATA},
    {"method", HEAD "METHOD:REQUEST\n" ONE TAIL, ICAL_VALID_OBJECT},
    {"no-component", HEAD TAIL, ICAL_VALID_OBJECT},
    {"wrong-component", HEAD "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL\n" TAIL, ICAL_COMPONENT},
    {"wrong-component", HEAD ONE "BEGIN:VFREEBUSY\nUID:1\nEND:VFREEBUSY\n" TAIL, ICAL_COMPONENT},
    {"mixed", HEAD ONE "BEGIN:VTODO\nUID:1\nEND:VTODO\n" TAIL, ICAL_VALID_OBJECT},
    {"mixed", HEAD ONE "BEGIN:VEVENT\nUID:2\nDTSTART:20260105T100000Z\nEND:VEVENT\n" TAIL, ICAL_VALID_OBJECT},
    {"no-uid", HEAD "BEGIN:VEVENT\nDTSTART:20260105T100000Z\nEND:VEVENT\n" TAIL, ICAL_VALID_OBJECT},
    {"two-masters", HEAD ONE ONE TAIL, ICAL_VALID_OBJECT},
    {"no-master", HEAD OVERRIDE(":20260106T100000Z", "20260106T110000Z") TAIL, ICAL_VALID_OBJECT},
    {"no-start", HEAD "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n" TAIL, ICAL_VALID_DATA},
    {"not-an-occurrence", HEAD ONE OVERRIDE(":20260106T110000Z", "20260106T110000Z") TAIL, ICAL_VALID_OBJECT},
    {"this-and-future", HEAD ONE OVERRIDE(";RANGE=THISANDFUTURE:20260106T100000Z", "20260106T110000Z") TAIL,
     ICAL_VALID_OBJECT},
    {"occurrence-twice",
     HEAD ONE OVERRIDE(":20260106T100000Z", "20260106T110000Z") OVERRIDE(":20260106T100000Z", "20260106T120000Z") TAIL,
     ICAL_VALID_OBJECT},
    {"occurrence-crosses", HEAD ONE OVERRIDE(":20260106T100000Z", "20260107T120000Z") TAIL, ICAL_VALID_OBJECT},
    {"occurrence-crosses", HEAD ONE OVERRIDE(":20260106T100000Z", "20260105T090000Z") TAIL, ICAL_VALID_OBJECT},
    {"occurrence-kind",
     HEAD ONE "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260106T100000Z\nDTSTART;VALUE=DATE:20260106\nEND:VEVENT\n" TAIL,
     ICAL_VALID_OBJECT},
};

static void every_bad_object(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(objects); i++) {
        struct arena a = {0};
        struct event e;
        struct ical_problem problem;
        bool ok = ical_read(str_from(objects[i].text), &options, &a, &e, NULL, &problem);
        const char *name = ok ? "read" : ical_reason_name(problem.reason);
        if (strcmp(name, objects[i].reason) != 0)
            fail_msg("%s: %s, not %s (%s)", objects[i].text, name, objects[i].reason, ok ? "" : problem.text);
        assert_int_equal(ical_reason_fault(problem.reason), objects[i].fault);
        arena_done(&a);
    }
}

static void limits(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e;
    struct ical_problem problem;
    struct buf b = BUF_INIT(64u << 20);
    buf_fill(&b, 'x', ICAL_TEXT_MAX + 1);
    assert_false(ical_read(buf_view(&b), &options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_TOO_BIG);
    buf_reset(&b);
    for (int i = 0; i < 200000; i++) /* deeper than any stack */
        buf_lit(&b, "BEGIN:VEVENT\n");
    assert_false(ical_read(buf_view(&b), &options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_SYNTAX);
    buf_reset(&b);
    buf_lit(&b, HEAD "BEGIN:VEVENT\nUID:1\nDTSTART:20260105T100000Z\n");
    for (int i = 0; i <= EVENT_ATTENDEES_MAX; i++)
        buf_printf(&b, "ATTENDEE:mailto:p%d@example.com\n", i);
    buf_lit(&b, "END:VEVENT\n" TAIL);
    assert_false(ical_read(buf_view(&b), &options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_TOO_MANY_ATTENDEES);
    buf_reset(&b);
    buf_lit(&b, HEAD "BEGIN:VEVENT\nUID:1\nDTSTART:20260105T100000Z\nRRULE:FREQ=DAILY\n");
    for (int i = 0; i < 5; i++) {
        buf_lit(&b, "EXDATE:20260106T100000Z");
        for (int k = 0; k < 1000; k++)
            buf_lit(&b, ",20260106T100000Z");
        buf_byte(&b, '\n');
    }
    buf_lit(&b, "END:VEVENT\n" TAIL);
    assert_false(ical_read(buf_view(&b), &options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_TOO_MANY_EXCEPTIONS);
    buf_done(&b);
    arena_done(&a);
}

/* --- what is read
 * -----------------------------------------------------------------------------------------------------------
 */

static void read_lines(struct arena *a, const char *component, const char *lines, struct event *e, struct str *extras)
{
    struct ical_problem problem;
    if (!ical_read(object(a, component, lines), &options, a, e, extras, &problem))
        fail_msg("%s: %s", lines, problem.text);
}

static const struct {
    const char *lines;
    enum event_busy busy;
    bool cancelled;
} busy[] = {
    {"", EVENT_BUSY, false},
    {"TRANSP:OPAQUE\n", EVENT_BUSY, false},
    {"TRANSP:TRANSPARENT\n", EVENT_FREE, false},
    {"STATUS:TENTATIVE\n", EVENT_TENTATIVE, false},
    {"STATUS:CANCELLED\n", EVENT_BUSY, true},
    {"X-MICROSOFT-CDO-BUSYSTATUS:OOF\n", EVENT_OOF, false},
    {"X-MICROSOFT-CDO-BUSYSTATUS:OOF\nTRANSP:TRANSPARENT\n", EVENT_FREE, false},
    {"X-MICROSOFT-CDO-BUSYSTATUS:FREE\nTRANSP:OPAQUE\n", EVENT_BUSY, false},
    {"X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nSTATUS:CONFIRMED\n", EVENT_BUSY, false},
    {"X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\nTRANSP:TRANSPARENT\n", EVENT_ELSEWHERE, false},
};

static void busy_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(busy); i++) {
        struct arena a = {0};
        struct event e;
        struct str extras;
        read_lines(&a, EVENT, busy[i].lines, &e, &extras);
        if (e.fields.busy != busy[i].busy || e.fields.cancelled != busy[i].cancelled)
            fail_msg("%s: %d %d", busy[i].lines, (int)e.fields.busy, e.fields.cancelled);
        arena_done(&a);
    }
}

static const struct {
    const char *lines;
    bool has;
    int minutes;
} alarms[] = {
#define ALARM(...) "BEGIN:VALARM\n" __VA_ARGS__ "END:VALARM\n"
    {ALARM("ACTION:DISPLAY\nTRIGGER:-PT15M\n"), true, 15},
    {ALARM("ACTION:DISPLAY\nTRIGGER;VALUE=DURATION;RELATED=START:-P1DT2H\n"), true, 1560},
    {ALARM("ACTION:DISPLAY\nTRIGGER:PT0S\n"), true, 0},
    {ALARM("ACTION:AUDIO\nTRIGGER:-PT5M\n"), true, 5},
    {ALARM("ACTION:AUDIO\nTRIGGER:-PT5M\n") ALARM("ACTION:DISPLAY\nTRIGGER:-PT10M\n"), true, 10},
    {ALARM("ACTION:DISPLAY\nTRIGGER:PT5M\n"), false, 0},
    {ALARM("ACTION:DISPLAY\nTRIGGER;RELATED=END:-PT5M\n"), false, 0},
    {ALARM("ACTION:DISPLAY\nTRIGGER;VALUE=DATE-TIME:20260105T080000Z\n"), false, 0},
    {ALARM("ACTION:EMAIL\nTRIGGER:-PT5M\n"), false, 0},
    {ALARM("ACTION:DISPLAY\nTRIGGER:-PT90S\n"), false, 0},
    {ALARM("ACTION:DISPLAY\n"), false, 0},
};

static void reminders(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(alarms); i++) {
        struct arena a = {0};
        struct event e;
        struct str extras;
        read_lines(&a, EVENT, alarms[i].lines, &e, &extras);
        if (e.fields.has_reminder != alarms[i].has || e.fields.reminder_minutes != alarms[i].minutes)
            fail_msg("%s: %d %d", alarms[i].lines, e.fields.has_reminder, e.fields.reminder_minutes);
        arena_done(&a);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *start, *end, *start_zone, *end_zone;
        bool all_day;
    } rows[] = {
        {"DTSTART:20260105T100000Z\n", "2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z", "", "", false},
        {"DTSTART:20260105T100000\nDTEND:20260105T110000\n", "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z",
         "Europe/Berlin", "", false},
        {"DTSTART;TZID=America/New_York:20260105T100000\nDTEND;TZID=Asia/Tokyo:20260106T010000\n",
         "2026-01-05T15:00:00Z", "2026-01-05T16:00:00Z", "America/New_York", "Asia/Tokyo", false},
        {"DTSTART;TZID=\"W. Europe Standard Time\":20260105T100000\nDURATION:P1D\n", "2026-01-05T09:00:00Z",
         "2026-01-06T09:00:00Z", "Europe/Berlin", "", false},
        {"DTSTART;TZID=Europe/Berlin:20260328T100000\nDURATION:P1D\n", "2026-03-28T09:00:00Z", "2026-03-29T08:00:00Z",
         "Europe/Berlin", "", false},
        {"DTSTART;TZID=Europe/Berlin:20260328T100000\nDURATION:PT24H\n", "2026-03-28T09:00:00Z", "2026-03-29T09:00:00Z",
         "Europe/Berlin", "", false},
        {"DTSTART:20260105T100000Z\nDTEND;TZID=Asia/Tokyo:20260105T190000\n", "2026-01-05T10:00:00Z",
         "2026-01-05T10:00:00Z", "", "", false}, /* no time in it: no other zone */
        {"DTSTART;VALUE=DATE:20260105\n", "2026-01-05", "2026-01-06", "", "", true},
        {"DTSTART:20260105\nDTEND:20260105\n", "2026-01-05", "2026-01-06", "", "", true},
        {"DTSTART;VALUE=DATE:20260105\nDURATION:P2D\n", "2026-01-05", "2026-01-07", "", "", true},
        {"DTSTART;TZID=Europe/Berlin:20260105T000000\nDTEND;TZID=Europe/Berlin:20260107T000000\n"
         "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\n",
         "2026-01-05", "2026-01-07", "", "", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a = {0};
        struct event e;
        struct str extras;
        read_lines(&a, EVENT, rows[i].lines, &e, &extras);
        if (e.fields.start != at(rows[i].start) || e.fields.end != at(rows[i].end) ||
            !str_is(e.fields.start_zone, rows[i].start_zone) || !str_is(e.fields.end_zone, rows[i].end_zone) ||
            e.fields.all_day != rows[i].all_day)
            fail_msg("%s: %lld %lld %.*s", rows[i].lines, (long long)e.fields.start, (long long)e.fields.end,
                     STR_ARG(e.fields.start_zone));
        arena_done(&a);
    }
}

static void people(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e;
    struct str extras;
    read_lines(&a, EVENT,
               "ORGANIZER;CN=Boss:MAILTO:boss@example.com\n"
               "ATTENDEE;PARTSTAT=ACCEPTED:mailto:boss@example.com\n"
               "ATTENDEE;CN=\"Me, too\";RSVP=TRUE;PARTSTAT=TENTATIVE:mailto:alias@example.com\n"
               "ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:room@example.com\n"
               "ATTENDEE;ROLE=OPT-PARTICIPANT:urn:uuid:1\n",
               &e, &extras);
    assert_true(e.is_meeting && e.response_requested);
    assert_true(str_is(e.organizer_name, "Boss"));
    assert_int_equal(e.fields.attendee_count, 2);
    assert_true(str_is(e.fields.attendees[0].name, "Me, too"));
    assert_int_equal(e.fields.attendees[1].role, EVENT_RESOURCE);
    assert_int_equal(e.fields.attendees[1].response, EVENT_DECLINED);
    assert_int_equal(e.fields.mine, EVENT_TENTATIVELY_ACCEPTED);
    assert_int_not_equal(str_find(extras, STR("urn:uuid:1")), (size_t)-1);
    read_lines(&a, EVENT,
               "ATTENDEE;PARTSTAT=DECLINED:mailto:a@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:A@example.com\n", &e,
               &extras);
    assert_int_equal(e.fields.attendee_count, 1); /* the same twice */
    assert_int_equal(e.fields.attendees[0].response, EVENT_DECLINED);
    assert_int_equal(str_find(extras, STR("A@example.com")), (size_t)-1);
    read_lines(&a, EVENT, "ORGANIZER:mailto:me@example.com\nATTENDEE:mailto:a@example.com\n", &e, &extras);
    assert_int_equal(e.fields.mine, EVENT_ORGANIZER);
    read_lines(&a, EVENT, "ORGANIZER:mailto:me@example.com\n", &e, &extras);
    assert_false(e.is_meeting);
    assert_int_equal(e.fields.mine, EVENT_NO_RESPONSE);
    arena_done(&a);
}

/* EXDATE by date, in another zone, twice, and where the rule has nothing. */
static void deleted_occurrences(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e;
    struct str extras;
    read_lines(&a, EVENT,
               "RRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260106\nEXDATE:20260107T090000Z,20260107T090000Z\n"
               "EXDATE;TZID=Europe/Berlin:20260108T110000\nEXDATE:20260109T100000\n",
               &e, &extras);
    assert_int_equal(e.exception_count, 3);
    assert_int_equal(e.exceptions[0].original, at("2026-01-06T09:00:00Z"));
    assert_int_equal(e.exceptions[2].original, at("2026-01-09T09:00:00Z"));
    assert_int_not_equal(str_find(extras, STR("EXDATE;TZID=Europe/Berlin:20260108T110000")), (size_t)-1);
    arena_done(&a);
}

/* --- what is kept
 * -------------------------------------------------------------------------------------------------------------
 */

/* Every line of a client's object comes back, with its own spelling, and both texts stay what they are. */
static const char *const clients[] = {
    "SUMMARY;LANGUAGE=de:x\nLOCATION;ALTREP=\"http://x/"
    "\":y\nTRANSP:OPAQUE\nCLASS:PUBLIC\nPRIORITY:3\nSTATUS:CONFIRMED\n",
    "CATEGORIES:a\nCATEGORIES:b,c\nGEO:1.5;2.5\nURL:http://x/\nCOMMENT:a\\, b\nRELATED-TO:2\nCOLOR:red\nX-EMPTY:\n",
    "X-MOZ-LASTACK:20260101T000000Z\nX-MOZ-GENERATION:3\nATTACH:https://x/y.pdf\nREQUEST-STATUS:2.0;ok\n",
    "DTSTART:20260105T100000\nDTEND:20260105T110000\nRRULE:FREQ=WEEKLY;UNTIL=20260301T100000\n",
    "DTSTART:20260105T100000Z\nDURATION:PT90M\nRRULE:FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;WKST=SU\n",
    "DESCRIPTION;LANGUAGE=de:x\nCONTACT:y\nRESOURCES:z\nX-A;TZID=America/New_York:20260101T000000\n",
    "ORGANIZER;SENT-BY=\"mailto:s@x.y\":mailto:boss@example.com\nATTENDEE;SCHEDULE-AGENT=CLIENT;X-NUM-GUESTS=0;CN=a:"
    "mailto:a@example.com\nATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:b@x.y\":mailto:me@example.com\n",
    ALARM("ACTION:DISPLAY\nDESCRIPTION:Default Mozilla Description\nTRIGGER;VALUE=DURATION:-PT15M\n"
          "X-MOZ-LASTACK:20260101T000000Z\n") ALARM("ACTION:DISPLAY\nTRIGGER:-PT30M\n")
        ALARM("ACTION:EMAIL\nTRIGGER:-P1D\nSUMMARY:s\nDESCRIPTION:d\nATTENDEE:mailto:a@b.c\n"),
    "ORGANIZER;CN=Boss;X-A=1:urn:uuid:2\nATTENDEE:mailto:a@example.com\n",
    "ORGANIZER;X-A=1:urn:uuid:2\n",
    "ATTENDEE;X-A=1:mailto:a@example.com\n", /* nobody's meeting: no organiser is made up */
    "BEGIN:VLOCATION\nUID:2\nNAME:x\nBEGIN:X-DEEP\nX-Y:1\nEND:X-DEEP\nEND:VLOCATION\n",
};

static void spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(clients); i++) {
        struct arena a = {0};
        struct event e, back;
        struct str extras, again, rest = str_from(clients[i]), line;
        struct ical_problem problem;
        struct buf out = BUF_INIT(0), unfolded = BUF_INIT(0);
        read_lines(&a, EVENT, clients[i], &e, &extras);
        ical_write(&out, &e, &options, extras);
        for (size_t k = 0; k < out.n; k++) {
            if (out.p[k] == '\r')
                k += k + 2 < out.n && out.p[k + 2] == ' ' ? 2 : 0;
            if (out.p[k] != '\r' && !(k >= 2 && out.p[k - 1] == '\n' && out.p[k] == ' '))
                buf_byte(&unfolded, out.p[k]);
        }
        while (str_cut(&rest, '\n', &line))
            if (line.n && str_find(buf_view(&unfolded), line) == (size_t)-1)
                fail_msg("lost: %.*s in\n%s", STR_ARG(line), buf_z(&unfolded));
        assert_true(ical_read(buf_view(&out), &options, &a, &back, &again, &problem));
        assert_null(events_unequal(&e, &back));
        if (!str_eq(extras, again))
            fail_msg("extras became\n%.*s\nfrom\n%.*s", STR_ARG(again), STR_ARG(extras));
        buf_done(&out);
        buf_done(&unfolded);
        arena_done(&a);
    }
}

/* No time at all on a whole day is that day, and not written again. */
static void day_without_duration(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e;
    struct str extras;
    read_lines(&a, EVENT, "DTSTART;VALUE=DATE:20260105\nDURATION:PT0S\n", &e, &extras);
    assert_int_equal(e.fields.end, at("2026-01-06"));
    assert_int_equal(extras.n, 0);
    arena_done(&a);
}

/* A spelling of what the server has changed meanwhile is not written any more. */
static void stale_spellings(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e;
    struct str extras;
    struct buf out = BUF_INIT(0);
    read_lines(&a, EVENT,
               "SUMMARY;LANGUAGE=de:old\nPRIORITY:3\nRRULE:FREQ=DAILY;WKST=SU\nX-KEEP:1\n" ALARM(
                   "ACTION:DISPLAY\nTRIGGER:-PT15M\nX-OLD:1\n") ALARM("ACTION:DISPLAY\nTRIGGER:-PT30M\n"),
               &e, &extras);
    e.fields.subject = STR("new");
    e.fields.importance = EVENT_LOW;
    e.fields.has_reminder = false;
    e.recurrence.interval = 2;
    ical_write(&out, &e, &options, extras);
    static const char *const gone[] = {"LANGUAGE", "PRIORITY:3", "WKST", "VALARM", "X-OLD"};
    static const char *const there[] = {"SUMMARY:new\r\n", "PRIORITY:9\r\n", "FREQ=DAILY;INTERVAL=2\r\n",
                                        "X-KEEP:1\r\n"};
    for (size_t i = 0; i < COUNT(gone); i++)
        assert_int_equal(str_find(buf_view(&out), str_from(gone[i])), (size_t)-1);
    for (size_t i = 0; i < COUNT(there); i++)
        assert_int_not_equal(str_find(buf_view(&out), str_from(there[i])), (size_t)-1);
    buf_done(&out);
    arena_done(&a);
}

/* Random events with a client's lines besides: both come back. */
static void random_events_with_extras(void **state)
{
    (void)state;
    struct random r = {13};
    for (int i = 0; i < 1500; i++) {
        struct arena a = {0};
        struct event e, client, back;
        struct str extras, once, twice;
        struct ical_problem problem;
        struct buf out = BUF_INIT(0), again = BUF_INIT(0);
        random_event(&r, &a, &e);
        read_lines(&a, e.kind == EVENT_TASK ? TODO : EVENT, clients[random_below(&r, COUNT(clients))], &client,
                   &extras);
        ical_write(&out, &e, &options, extras);
        if (!ical_read(buf_view(&out), &options, &a, &back, &once, &problem))
            fail_msg("event %d: %s\n%s", i, problem.text, buf_z(&out));
        unsigned differ = event_differ(&e, &back);
        if (differ)
            fail_msg("event %d: %x\n%.1500s", i, differ, buf_z(&out));
        ical_write(&again, &back, &options, once);
        assert_true(ical_read(buf_view(&again), &options, &a, &back, &twice, &problem));
        if (!str_eq(buf_view(&out), buf_view(&again)) || !str_eq(once, twice))
            fail_msg("event %d: extras\n%.*s\nbecame\n%.*s", i, STR_ARG(once), STR_ARG(twice));
        buf_done(&out);
        buf_done(&again);
        arena_done(&a);
    }
}

/* A task that lasts some hours: its client's times come back, and the extras stay what they are. */
static void tasks_with_duration(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e, back;
    struct str extras, again;
    struct ical_problem problem;
    struct buf out = BUF_INIT(0);
    read_lines(&a, TODO, "DTSTART;TZID=Europe/Berlin:20260105T230000\nDURATION:PT2H\n", &e, &extras);
    assert_int_equal(e.fields.end, at("2026-01-06"));
    ical_write(&out, &e, &options, extras);
    assert_int_not_equal(str_find(buf_view(&out), STR("DTSTART;TZID=Europe/Berlin:20260105T230000\r\n"
                                                      "DUE;TZID=Europe/Berlin:20260106T010000\r\n")),
                         (size_t)-1);
    assert_true(ical_read(buf_view(&out), &options, &a, &back, &again, &problem));
    assert_null(events_unequal(&e, &back));
    assert_true(str_eq(extras, again));
    buf_done(&out);
    arena_done(&a);
}

static void tasks(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e;
    struct str extras;
    struct buf out = BUF_INIT(0);
    read_lines(&a, TODO,
               "DTSTART;TZID=America/New_York:20260105T230000\nDUE;TZID=America/New_York:20260106T010000\n"
               "COMPLETED:20260105T233000Z\nSTATUS:COMPLETED\n" ALARM("ACTION:DISPLAY\nTRIGGER;RELATED=END:-PT1H\n"),
               &e, &extras);
    assert_int_equal(e.fields.start, at("2026-01-05"));
    assert_int_equal(e.fields.end, at("2026-01-06"));
    assert_int_equal(e.task.completed, at("2026-01-06")); /* in Berlin it was half past midnight */
    assert_int_equal(e.task.percent, 100);
    assert_int_equal(e.task.reminder_at, at("2026-01-05T22:00:00Z"));
    ical_write(&out, &e, &options, extras);
    static const char *const there[] = {"DUE;TZID=America/New_York:20260106T010000\r\n",
                                        "COMPLETED:20260105T233000Z\r\n", "TZID:America/New_York\r\n",
                                        "TRIGGER;RELATED=END:-PT1H\r\n"};
    for (size_t i = 0; i < COUNT(there); i++)
        assert_int_not_equal(str_find(buf_view(&out), str_from(there[i])), (size_t)-1);
    e.fields.end = at("2026-01-09"); /* the server has another due date: hours are gone from both */
    buf_reset(&out);
    ical_write(&out, &e, &options, extras);
    assert_int_not_equal(str_find(buf_view(&out), STR("DTSTART;VALUE=DATE:20260105\r\nDUE;VALUE=DATE:20260109\r\n")),
                         (size_t)-1);
    buf_done(&out);
    arena_done(&a);
}

static void attachments(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e, base;
    struct str extras;
    read_lines(&a, EVENT,
               "ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.txt;FMTTYPE=text/plain:SGVs\n bG8=\n"
               "ATTACH;MANAGED-ID=77:https://localhost:1443/77\nATTACH:https://localhost:1443/78\nATTACH:https://x/\n",
               &e, &extras);
    assert_int_equal(e.fields.attachment_count, 3);
    assert_true(str_is(e.fields.attachments[0].data, "Hello") && str_is(e.fields.attachments[0].name, "a.txt"));
    assert_true(str_is(e.fields.attachments[1].id, "77"));
    assert_true(str_is(e.fields.attachments[2].url, "https://localhost:1443/78"));
    assert_int_not_equal(str_find(extras, STR("ATTACH:https://x/")), (size_t)-1);
    assert_int_equal(str_find(extras, STR("SGVs")), (size_t)-1);
    struct event_attachment known[] = {
        {.id = STR("77"), .name = STR("b.txt"), .size = 9, .url = STR("https://localhost:1443/77")},
        {.id = STR("78"), .name = STR("c.txt"), .size = 8, .url = STR("https://localhost:1443/78")}};
    base = e;
    base.fields.attachments = known;
    base.fields.attachment_count = 2;
    base.fields.text = STR("old");
    base.fields.html = e.fields.html = STR("<p>old</p>");
    e.fields.text = STR("new");
    ical_settle(&e, &base, &a);
    assert_int_equal(e.fields.html.n, 0);
    assert_true(str_is(e.fields.attachments[1].name, "b.txt") && str_is(e.fields.attachments[2].id, "78"));
    assert_true(str_is(e.fields.attachments[0].data, "Hello"));
    arena_done(&a);
}

/* --- messages
 * -----------------------------------------------------------------------------------------------------------------
 */

static struct event weekly_meeting(struct arena *a)
{
    struct event e;
    struct str extras;
    read_lines(
        a, EVENT,
        "SUMMARY:m\nRRULE:FREQ=WEEKLY\nSEQUENCE:2\nORGANIZER:mailto:me@example.com\nCATEGORIES:private\n"
        "ATTENDEE:mailto:a@example.com\nATTENDEE:mailto:b@example.com\n" ALARM("ACTION:DISPLAY\nTRIGGER:-PT15M\n"),
        &e, &extras);
    return e;
}

static void messages(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event e = weekly_meeting(&a);
    struct str to[] = {STR("a@example.com"), STR("b@example.com")};
    struct ical_message m = {.method = ICAL_REQUEST, .to = to, .to_count = 2, .stamped = at("2026-01-01")};
    struct ical_invitation got;
    struct ical_problem problem;
    struct err err;
    struct buf out = BUF_INIT(0);
    assert_true(ical_write_message(&out, &e, &m, &options, &err));
    static const char *const gone[] = {"VALARM", "CATEGORIES", "X-EXBRIDGE"};
    for (size_t i = 0; i < COUNT(gone); i++)
        assert_int_equal(str_find(buf_view(&out), str_from(gone[i])), (size_t)-1);
    assert_true(ical_read_message(buf_view(&out), &options, &a, &got, &problem));
    assert_int_equal(got.method, ICAL_REQUEST);
    assert_true(got.event.has_recurrence && got.event.sequence == 2 && got.event.response_requested);
    assert_int_equal(got.event.fields.attendee_count, 2);
    /* One occurrence is called off. */
    m = (struct ical_message){
        .method = ICAL_CANCEL, .to = to, .to_count = 2, .has_instance = true, .instance = at("2026-01-12T09:00:00Z")};
    buf_reset(&out);
    assert_true(ical_write_message(&out, &e, &m, &options, &err));
    assert_true(ical_read_message(buf_view(&out), &options, &a, &got, &problem));
    assert_true(got.method == ICAL_CANCEL && got.has_instance && got.instance == m.instance);
    assert_true(got.event.fields.cancelled && got.event.fields.start == m.instance);
    m.instance++;
    assert_false(ical_write_message(&out, &e, &m, &options, &err));
    /* Somebody is uninvited: the meeting itself is not called off. */
    m = (struct ical_message){.method = ICAL_CANCEL, .to = to, .to_count = 1};
    buf_reset(&out);
    assert_true(ical_write_message(&out, &e, &m, &options, &err));
    assert_int_equal(str_find(buf_view(&out), STR("STATUS:CANCELLED")), (size_t)-1);
    assert_int_equal(str_find(buf_view(&out), STR("b@example.com")), (size_t)-1);
    /* An answer. */
    m = (struct ical_message){.method = ICAL_REPLY,
                              .from_email = STR("a@example.com"),
                              .response = EVENT_DECLINED,
                              .comment = STR("no, thanks")};
    buf_reset(&out);
    assert_true(ical_write_message(&out, &e, &m, &options, &err));
    assert_true(ical_read_message(buf_view(&out), &options, &a, &got, &problem));
    assert_true(got.method == ICAL_REPLY && got.response == EVENT_DECLINED && str_is(got.comment, "no, thanks"));
    assert_true(str_is(got.from_email, "a@example.com") && str_is(got.event.organizer_email, "me@example.com"));
    m.response = EVENT_NO_RESPONSE;
    assert_false(ical_write_message(&out, &e, &m, &options, &err));
    /* Outlook's answers have no times. */
    assert_true(ical_read_message(STR("BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\nATTENDEE;PARTSTAT=ACCEPTED:"
                                      "mailto:a@example.com\nEND:VEVENT\nEND:VCALENDAR\n"),
                                  &options, &a, &got, &problem));
    assert_int_equal(got.response, EVENT_ACCEPTED);
    buf_done(&out);
    arena_done(&a);
}

/* --- cut and changed
 * ------------------------------------------------------------------------------------------------------------
 */

static void cut_anywhere(void **state)
{
    (void)state;
    struct arena a = {0};
    struct str text = object(&a, EVENT,
                             "SUMMARY:a\\, b\nRRULE:FREQ=WEEKLY;COUNT=5\nEXDATE;VALUE=DATE:20260112\n"
                             "ATTENDEE;CN=\"x\":mailto:a@b.c\n" ALARM("ACTION:DISPLAY\nTRIGGER:-PT15M\n"));
    for (size_t n = 0; n < text.n; n++) {
        struct arena scratch = {0};
        struct event e;
        struct str extras;
        struct ical_problem problem;
        struct ical_invitation got;
        char *copy = malloc(n + 1);
        memcpy(copy, text.p, n);
        assert_int_equal(ical_read(str_of(copy, n), &options, &scratch, &e, &extras, &problem), n == text.n - 1);
        ical_read_message(str_of(copy, n), &options, &scratch, &got, &problem);
        free(copy);
        arena_done(&scratch);
    }
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events),
        cmocka_unit_test(lines_are_folded),
        cmocka_unit_test(every_refusal),
        cmocka_unit_test(every_bad_object),
        cmocka_unit_test(limits),
        cmocka_unit_test(busy_times),
        cmocka_unit_test(reminders),
        cmocka_unit_test(times),
        cmocka_unit_test(people),
        cmocka_unit_test(deleted_occurrences),
        cmocka_unit_test(spellings),
        cmocka_unit_test(stale_spellings),
        cmocka_unit_test(day_without_duration),
        cmocka_unit_test(random_events_with_extras),
        cmocka_unit_test(tasks),
        cmocka_unit_test(tasks_with_duration),
        cmocka_unit_test(attachments),
        cmocka_unit_test(messages),
        cmocka_unit_test(cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
