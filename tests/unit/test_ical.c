/* SPDX-License-Identifier: Apache-2.0 */
/* iCalendar objects: there and back, what is refused, what is read from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical_tree.h"
#include "tests/unit/calendar_random.h"
#include "tests/unit/ical_kit.h"

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
        ical_write(&out, &e, &ical_kit_options, STR_NULL);
        if (!ical_read(buf_view(&out), &ical_kit_options, &a, &back, &extras, &problem))
            fail_msg("event %d: %s\n%s", i, problem.text, buf_z(&out));
        const char *what = events_unequal(&e, &back);
        if (what || extras.n)
            fail_msg("event %d: %s\n%.1500s\n%.*s", i, what,
                     buf_z(&out) + str_find(buf_view(&out), STR("BEGIN:VEVENT")), STR_ARG(extras));
        ical_write(&again, &back, &ical_kit_options, extras);
        assert_true(str_eq(buf_view(&out), buf_view(&again)));
        buf_done(&out);
        buf_done(&again);
        arena_done(&a);
    }
}

/* RFC 5545 3.1: some fold between the bytes of a character. */
static void folds_inside_of_characters(void **state)
{
    static const char *const texts[] = {"SUMMARY:gr\xC3\r\n \xBCn", "SUMMARY:gr\xC3\n\t\xBCn"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena a = {0};
        struct ical_comp *c;
        const char *why;
        unsigned line;
        struct buf b = BUF_INIT(0);
        buf_printf(&b, "BEGIN:VEVENT\r\n%s\r\nEND:VEVENT\r\n", texts[i]);
        assert_true(ical_parse(buf_view(&b), &a, &c, &why, &line));
        assert_true(str_is(ical_prop(c, "SUMMARY")->value, "gr\xC3\xBCn"));
        buf_add(&b, "\xC3", 1);
        assert_false(ical_parse(buf_view(&b), &a, &c, &why, &line));
        buf_done(&b);
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
        ical_write(&out, &e, &ical_kit_options, STR_NULL);
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
    {"rule-part", EVENT, "RRULE:FREQ=YEARLY;BYYEARDAY=5,10\n"},
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
        bool ok = ical_read(ical_kit_object(&a, refused[i].component, refused[i].lines), &ical_kit_options, &a, &e,
                            &extras, &problem);
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
        bool ok = ical_read(str_from(objects[i].text), &ical_kit_options, &a, &e, NULL, &problem);
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
    assert_false(ical_read(buf_view(&b), &ical_kit_options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_TOO_BIG);
    buf_reset(&b);
    for (int i = 0; i < 200000; i++) /* deeper than any stack */
        buf_lit(&b, "BEGIN:VEVENT\n");
    assert_false(ical_read(buf_view(&b), &ical_kit_options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_SYNTAX);
    buf_reset(&b);
    buf_lit(&b, HEAD "BEGIN:VEVENT\nUID:1\nDTSTART:20260105T100000Z\n");
    for (int i = 0; i <= EVENT_ATTENDEES_MAX; i++)
        buf_printf(&b, "ATTENDEE:mailto:p%d@example.com\n", i);
    buf_lit(&b, "END:VEVENT\n" TAIL);
    assert_false(ical_read(buf_view(&b), &ical_kit_options, &a, &e, NULL, &problem));
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
    assert_false(ical_read(buf_view(&b), &ical_kit_options, &a, &e, NULL, &problem));
    assert_int_equal(problem.reason, ICAL_TOO_MANY_EXCEPTIONS);
    buf_done(&b);
    arena_done(&a);
}

/* --- what is read
 * -----------------------------------------------------------------------------------------------------------
 */

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
        ical_kit_read(&a, EVENT, busy[i].lines, &e, &extras);
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
        ical_kit_read(&a, EVENT, alarms[i].lines, &e, &extras);
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
        ical_kit_read(&a, EVENT, rows[i].lines, &e, &extras);
        if (e.fields.start != ical_kit_at(rows[i].start) || e.fields.end != ical_kit_at(rows[i].end) ||
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
    ical_kit_read(&a, EVENT,
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
    ical_kit_read(&a, EVENT,
                  "ATTENDEE;PARTSTAT=DECLINED:mailto:a@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:A@example.com\n",
                  &e, &extras);
    assert_int_equal(e.fields.attendee_count, 1); /* the same twice */
    assert_int_equal(e.fields.attendees[0].response, EVENT_DECLINED);
    assert_int_equal(str_find(extras, STR("A@example.com")), (size_t)-1);
    ical_kit_read(&a, EVENT, "ORGANIZER:mailto:me@example.com\nATTENDEE:mailto:a@example.com\n", &e, &extras);
    assert_int_equal(e.fields.mine, EVENT_ORGANIZER);
    ical_kit_read(&a, EVENT, "ORGANIZER:mailto:me@example.com\n", &e, &extras);
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
    ical_kit_read(&a, EVENT,
                  "RRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260106\nEXDATE:20260107T090000Z,20260107T090000Z\n"
                  "EXDATE;TZID=Europe/Berlin:20260108T110000\nEXDATE:20260109T100000\n",
                  &e, &extras);
    assert_int_equal(e.exception_count, 3);
    assert_int_equal(e.exceptions[0].original, ical_kit_at("2026-01-06T09:00:00Z"));
    assert_int_equal(e.exceptions[2].original, ical_kit_at("2026-01-09T09:00:00Z"));
    assert_int_not_equal(str_find(extras, STR("EXDATE;TZID=Europe/Berlin:20260108T110000")), (size_t)-1);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events),
        cmocka_unit_test(lines_are_folded),
        cmocka_unit_test(folds_inside_of_characters),
        cmocka_unit_test(every_refusal),
        cmocka_unit_test(every_bad_object),
        cmocka_unit_test(limits),
        cmocka_unit_test(busy_times),
        cmocka_unit_test(reminders),
        cmocka_unit_test(times),
        cmocka_unit_test(people),
        cmocka_unit_test(deleted_occurrences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
