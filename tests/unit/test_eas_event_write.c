/* SPDX-License-Identifier: Apache-2.0 */
/* Events and tasks as ActiveSync clients send them, and what is refused: from iCalendar, by version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/eas/eas_event_write.h"
#include "backends/eas/eas_wbxml.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/timezone.h"

#define STAMPED 1767225600 /* 2026-01-01T00:00:00Z */
#define HOME    STR("Europe/Berlin")

/* --- a document as text ------------------------------------------------------------------------------------------ */

struct shown {
    struct buf text;
    unsigned space, tag[EAS_WBXML_DEPTH];
    unsigned depth;
    bool leaf;
};

static bool on_open(void *ud, unsigned tag, struct err *err)
{
    struct shown *s = ud;

    (void)err;
    if (s->depth > 0 && s->leaf)
        buf_byte(&s->text, '(');
    else if (s->text.n > 0)
        buf_byte(&s->text, ' ');
    buf_lit(&s->text, eas_tag_name(tag));
    s->tag[s->depth++] = tag;
    s->leaf = true;
    return true;
}

/* Blobs of zones are shown as what they mean, line ends as what they are. */
static bool on_text(void *ud, struct str piece, struct err *err)
{
    struct shown *s = ud;

    (void)err;
    buf_byte(&s->text, '=');
    if (s->tag[s->depth - 1] == Calendar_Timezone) {
        struct buf blob = BUF_INIT(TZ_BLOB_SIZE * 2);
        const struct tz *z = NULL;

        assert_true(text_base64_decode(&blob, piece));
        assert_true(tz_blob_read(buf_view(&blob), 2026, NULL, &z));
        buf_str(&s->text, z ? tz_name(z) : STR("-"));
        if (z && tz_is_utc(z))
            buf_lit(&s->text, "UTC");
        buf_done(&blob);
        return true;
    }
    for (size_t i = 0; i < piece.n; i++)
        if (piece.p[i] == '\r')
            buf_lit(&s->text, "<");
        else if (piece.p[i] == '\n')
            buf_lit(&s->text, ">");
        else
            buf_byte(&s->text, piece.p[i]);
    return true;
}

static bool on_close(void *ud, struct err *err)
{
    struct shown *s = ud;

    (void)err;
    s->depth--;
    if (!s->leaf)
        buf_byte(&s->text, ')');
    s->leaf = false;
    return true;
}

static void show(struct buf *doc, struct buf *out)
{
    static const struct eas_wbxml_events events = {.on_open = on_open, .on_text = on_text, .on_close = on_close};
    struct shown s = {.text = BUF_INIT(1 << 20)};
    struct eas_wbxml d;

    eas_wbxml_init(&d, &events, &s);
    assert_true(eas_wbxml_feed(&d, buf_view(doc), NULL));
    assert_true(eas_wbxml_end(&d, NULL));
    buf_str(out, buf_view(&s.text));
    buf_done(&s.text);
}

/* --- events from iCalendar --------------------------------------------------------------------------------------- */

#define EVENT(...) "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u1\r\n" __VA_ARGS__ "END:VEVENT\r\nEND:VCALENDAR\r\n"
#define TASK(...)  "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:u1\r\n" __VA_ARGS__ "END:VTODO\r\nEND:VCALENDAR\r\n"
#define NINE       "DTSTART;TZID=Europe/Berlin:20260105T090000\r\nDTEND;TZID=Europe/Berlin:20260105T100000\r\n"
#define TALK       NINE "SUMMARY:Talk\r\n"
#define DAYS       "DTSTART;VALUE=DATE:20260105\r\nDTEND;VALUE=DATE:20260107\r\nSUMMARY:Days\r\n"
#define GUESTS                                                                                                         \
    "ORGANIZER:mailto:me@example.com\r\nATTENDEE;CN=Bob;RSVP=TRUE:mailto:bob@example.com\r\n"                          \
    "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:eve@example.com\r\n"
#define MOVED(more)                                                                                                    \
    "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260106T090000\r\n"                     \
    "DTSTART;TZID=Europe/Berlin:20260106T110000\r\nDTEND;TZID=Europe/Berlin:20260106T120000\r\n" more
#define DAILY           TALK "RRULE:FREQ=DAILY;COUNT=5\r\n"
#define RULE_7          "RRULE:FREQ=DAILY;COUNT=7\r\n"
#define OFF_7           "EXDATE;TZID=Europe/Berlin:20260107T090000\r\n"
#define ATTACHED_AS(id) "ATTACH;FILENAME=a.txt;MANAGED-ID=" id ":https://example.com/" id "\r\n"
#define NEW_FILE        "ATTACH;FILENAME=a.txt;VALUE=BINARY;ENCODING=BASE64:aGk=\r\n"

static void read_event(const char *text, struct arena *arena, struct event *ret)
{
    struct str me[] = {STR("me@example.com")}, extras;
    struct ical_options options = {.zone = HOME, .me = me, .me_count = 1};
    struct ical_problem problem = {0};

    if (!ical_read(str_from(text), &options, arena, ret, &extras, &problem))
        fail_msg("%s", problem.text);
}

static struct eas_event_writing writing(unsigned version, const struct event *base, const struct event *e)
{
    return (struct eas_event_writing){.version = version,
                                      .zone = HOME,
                                      .stamped = STAMPED,
                                      .email = STR("me@example.com"),
                                      .with_exceptions = true,
                                      .base = base,
                                      .parts = base ? event_differ(base, e) : 0};
}

/* --- what is written --------------------------------------------------------------------------------------------- */

#define HEAD_14                                                                                                        \
    "Timezone=Europe/Berlin AllDayEvent=0 StartTime=20260105T080000Z EndTime=20260105T090000Z "                        \
    "DtStamp=20260101T000000Z Subject=Talk "
#define PLAIN    "BusyStatus=2 Sensitivity=0 MeetingStatus=0 Attendees "
#define HEAD_16  "Timezone=Europe/Berlin AllDayEvent=0 StartTime=20260105T080000Z EndTime=20260105T090000Z Subject=Talk "
#define PLAIN_16 "BusyStatus=2 Sensitivity=0 MeetingStatus=0 "

static const struct {
    const char *base, *text;
    unsigned version;
    const char *wanted;
} written[] = {
    {NULL, EVENT(TALK), 141, HEAD_14 PLAIN "UID=u1"},
    {NULL, EVENT(TALK), 121, HEAD_14 PLAIN "UID=u1"},
    {NULL, EVENT(TALK), 161, HEAD_16 PLAIN_16 "ClientUid=u1"},
    {NULL,
     EVENT(TALK "LOCATION:Room\r\nDESCRIPTION:a\\nb\r\nCATEGORIES:X,Y\r\nCLASS:PRIVATE\r\nTRANSP:TRANSPARENT\r\n"), 141,
     HEAD_14 "Location=Room Body(Type=1 Data=a<>b) BusyStatus=0 Sensitivity=2 MeetingStatus=0 Attendees "
             "Categories(Category=X Category=Y) UID=u1"},
    {NULL, EVENT(TALK "LOCATION:Room\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"), 161,
     HEAD_16 "Location(DisplayName=Room) Reminder=15 " PLAIN_16 "ClientUid=u1"},
    /* whole days: the user's midnights, or the days as they are */
    {NULL, EVENT(DAYS), 141,
     "Timezone=Europe/Berlin AllDayEvent=1 StartTime=20260104T230000Z EndTime=20260106T230000Z "
     "DtStamp=20260101T000000Z Subject=Days " PLAIN "UID=u1"},
    {NULL, EVENT(DAYS), 161,
     "AllDayEvent=1 StartTime=20260105T000000Z EndTime=20260107T000000Z Subject=Days " PLAIN_16 "ClientUid=u1"},
    {NULL, EVENT("DTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\nSUMMARY:Z\r\n"), 141,
     "Timezone=UTC AllDayEvent=0 StartTime=20260105T090000Z EndTime=20260105T100000Z DtStamp=20260101T000000Z "
     "Subject=Z " PLAIN "UID=u1"},
    /* meetings */
    {NULL, EVENT(TALK GUESTS), 141,
     HEAD_14 "BusyStatus=2 Sensitivity=0 MeetingStatus=1 Attendees(Attendee(Email=bob@example.com Name=Bob "
             "AttendeeStatus=0 AttendeeType=1) Attendee(Email=eve@example.com Name=eve@example.com AttendeeStatus=0 "
             "AttendeeType=2)) OrganizerName=me@example.com OrganizerEmail=me@example.com UID=u1 ResponseRequested=1"},
    {NULL, EVENT(TALK GUESTS), 161,
     HEAD_16 "BusyStatus=2 Sensitivity=0 MeetingStatus=1 Attendees(Attendee(Email=bob@example.com Name=Bob "
             "AttendeeType=1) Attendee(Email=eve@example.com Name=eve@example.com AttendeeType=2)) ClientUid=u1 "
             "ResponseRequested=1"},
    /* rules */
    {NULL, EVENT(TALK "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=MO;UNTIL=20260301T080000Z\r\n"), 141,
     HEAD_14 PLAIN "UID=u1 Recurrence(Interval=2 Type=1 DayOfWeek=10 Until=20260301T080000Z FirstDayOfWeek=1)"},
    {NULL, EVENT(TALK "RRULE:FREQ=WEEKLY;BYDAY=MO\r\n"), 140,
     HEAD_14 PLAIN "UID=u1 Recurrence(Interval=1 Type=1 DayOfWeek=2)"},
    {NULL, EVENT(TALK "RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=7\r\n"), 161,
     HEAD_16 PLAIN_16 "ClientUid=u1 Recurrence(Interval=1 Type=3 DayOfWeek=2 WeekOfMonth=1 Occurrences=7)"},
    {NULL, EVENT(TALK "RRULE:FREQ=YEARLY\r\n"), 161,
     HEAD_16 PLAIN_16 "ClientUid=u1 Recurrence(Interval=1 Type=5 DayOfMonth=5 MonthOfYear=1)"},
    {NULL, EVENT(TALK "RRULE:FREQ=YEARLY;INTERVAL=2\r\n"), 161,
     HEAD_16 PLAIN_16 "ClientUid=u1 Recurrence(Interval=24 Type=2 DayOfMonth=5)"},
    {NULL, EVENT(DAYS "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20260201\r\n"), 161,
     "AllDayEvent=1 StartTime=20260105T000000Z EndTime=20260107T000000Z Subject=Days " PLAIN_16
     "ClientUid=u1 Recurrence(Interval=3 Type=0 Until=20260201T000000Z)"},
    /* exceptions: inside, or not at all */
    {NULL, EVENT(DAILY "EXDATE;TZID=Europe/Berlin:20260107T090000\r\n" MOVED("SUMMARY:Talk\r\n")), 141,
     HEAD_14 PLAIN "UID=u1 Recurrence(Interval=1 Type=0 Occurrences=5) Exceptions(Exception(Deleted=1 "
                   "ExceptionStartTime=20260107T080000Z) Exception(ExceptionStartTime=20260106T080000Z "
                   "StartTime=20260106T100000Z EndTime=20260106T110000Z DtStamp=20260101T000000Z))"},
    {NULL, EVENT(DAILY MOVED("SUMMARY:Other\r\n")), 161,
     HEAD_16 PLAIN_16 "ClientUid=u1 Recurrence(Interval=1 Type=0 Occurrences=5)"},
    /* changes: the whole, or what differs */
    {EVENT(TALK "LOCATION:Room\r\nCATEGORIES:X\r\n"), EVENT(TALK), 141,
     HEAD_14 "Location Reminder " PLAIN "Categories UID=u1"},
    {EVENT(TALK "LOCATION:Room\r\n"), EVENT(NINE "SUMMARY:New\r\n"), 161, "Subject=New Location"},
    {EVENT(TALK), EVENT(TALK "DESCRIPTION:now\r\n"), 161, "Body(Type=1 Data=now)"},
    {EVENT(TALK "DESCRIPTION:then\r\n"), EVENT(TALK), 161, "Body(Type=1 Data)"},
    {EVENT(TALK "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"), EVENT(TALK), 161, "Reminder"},
    {EVENT(TALK), EVENT(DAYS), 161, "AllDayEvent=1 StartTime=20260105T000000Z EndTime=20260107T000000Z Subject=Days"},
    {EVENT(TALK), EVENT(TALK "ATTACH;FILENAME=a.txt;FMTTYPE=text/plain;VALUE=BINARY;ENCODING=BASE64:aGk=\r\n"), 161,
     "Attachments(Add(ClientId=a0 Content=hi DisplayName=a.txt Method=1 ContentType=text/plain))"},
    /* what is taken away: nothing of it is left (up to 14.1), or its element is empty */
    {EVENT(NINE "SUMMARY:Talk\r\nCATEGORIES:X\r\n" GUESTS), EVENT(NINE), 161,
     "Subject MeetingStatus=0 Attendees Categories"},
    {EVENT(DAILY), EVENT(TALK), 141, HEAD_14 "Location Reminder " PLAIN "Categories UID=u1"},
    {EVENT(DAILY), EVENT(TALK), 161, "Recurrence(Interval=1 Type=0 Occurrences=1)"},
    {EVENT(TALK), EVENT(DAILY), 161, "Recurrence(Interval=1 Type=0 Occurrences=5)"},
    /* tasks */
    {NULL, TASK("SUMMARY:Do\r\nDUE;VALUE=DATE:20260110\r\nPRIORITY:1\r\n"), 161,
     "Subject=Do Importance=2 UtcDueDate=2026-01-09T23:00:00.000Z DueDate=2026-01-10T00:00:00.000Z Complete=0 "
     "Sensitivity=0 ReminderSet=0"},
    {NULL, TASK("SUMMARY:Do\r\nSTATUS:COMPLETED\r\nCOMPLETED:20260110T120000Z\r\nPERCENT-COMPLETE:100\r\n"), 141,
     "Subject=Do Importance=1 Complete=1 DateCompleted=2026-01-09T23:00:00.000Z Sensitivity=0 ReminderSet=0"},
    {NULL,
     TASK("SUMMARY:Do\r\nDTSTART;VALUE=DATE:20260105\r\nDUE;VALUE=DATE:20260105\r\n"
          "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3\r\n"),
     141,
     "Subject=Do Importance=1 UtcStartDate=2026-01-04T23:00:00.000Z StartDate=2026-01-05T00:00:00.000Z "
     "UtcDueDate=2026-01-04T23:00:00.000Z DueDate=2026-01-05T00:00:00.000Z Recurrence(Interval=1 Type=1 DayOfWeek=2 "
     "Start=2026-01-05T00:00:00.000Z Occurrences=3 Regenerate=0 DeadOccur=0 FirstDayOfWeek=1) Complete=0 "
     "Sensitivity=0 ReminderSet=0"},
};

static void events_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        struct arena arena = {0};
        struct buf doc = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), wanted = BUF_INIT(1 << 20);
        struct event e, base;
        struct eas_event_writing o;
        struct eas_writer w;
        struct err err = {0};

        read_event(written[i].text, &arena, &e);
        if (written[i].base)
            read_event(written[i].base, &arena, &base);
        o = writing(written[i].version, written[i].base ? &base : NULL, &e);
        if (!eas_event_check(&e, &o, &err))
            fail_msg("row %zu: %s", i, err.text);
        eas_writer_init(&w, &doc);
        eas_write_open(&w, AirSync_ApplicationData);
        eas_event_write(&w, &e, &o);
        eas_write_close(&w);
        assert_false(doc.failed);
        show(&doc, &got);
        buf_printf(&wanted, "ApplicationData(%s)", written[i].wanted);
        if (!str_eq(buf_view(&got), buf_view(&wanted)))
            fail_msg("row %zu:\n  %s\nis not\n  %s", i, buf_z(&got), buf_z(&wanted));
        buf_done(&doc);
        buf_done(&got);
        buf_done(&wanted);
        arena_done(&arena);
    }
}

/* --- occurrences of 16.x ----------------------------------------------------------------------------------------- */

static const struct {
    const char *base, *text, *instance, *wanted; /* of the first exception; "": there is nothing to say */
} occurrences[] = {
    {NULL, EVENT(DAILY MOVED("SUMMARY:Talk\r\n")), "20260106T080000Z",
     "StartTime=20260106T100000Z EndTime=20260106T110000Z"},
    {EVENT(DAILY MOVED("SUMMARY:Talk\r\n")), EVENT(DAILY MOVED("SUMMARY:Other\r\n")), "20260106T080000Z",
     "Subject=Other"},
    {EVENT(DAILY MOVED("SUMMARY:Other\r\n")), EVENT(DAILY MOVED("SUMMARY:Other\r\n")), "20260106T080000Z", ""},
    /* taken away from the occurrence alone */
    {EVENT(TALK GUESTS "CATEGORIES:X\r\nRRULE:FREQ=DAILY;COUNT=5\r\n"),
     EVENT(TALK GUESTS "CATEGORIES:X\r\nRRULE:FREQ=DAILY;COUNT=5\r\n" MOVED("")), "20260106T080000Z",
     "StartTime=20260106T100000Z EndTime=20260106T110000Z Subject MeetingStatus=1 Attendees Categories"},
    /* attachments: one more, one gone; what it has from its series cannot be named */
    {NULL, EVENT(DAILY MOVED("SUMMARY:Talk\r\n" NEW_FILE)), "20260106T080000Z",
     "StartTime=20260106T100000Z EndTime=20260106T110000Z Attachments(Add(ClientId=a0 Content=hi DisplayName=a.txt "
     "Method=1))"},
    {EVENT(DAILY MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1") ATTACHED_AS("r2"))),
     EVENT(DAILY MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r2") NEW_FILE)), "20260106T080000Z",
     "Attachments(Delete(FileReference=r1) Add(ClientId=a1 Content=hi DisplayName=a.txt Method=1))"},
    {EVENT(TALK ATTACHED_AS("r1") "RRULE:FREQ=DAILY;COUNT=5\r\n" MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1"))),
     EVENT(TALK ATTACHED_AS("r1") "RRULE:FREQ=DAILY;COUNT=5\r\n" MOVED("SUMMARY:Talk\r\n")), "20260106T080000Z", ""},
    {NULL,
     EVENT(DAYS "RRULE:FREQ=WEEKLY;COUNT=3\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID;VALUE=DATE:"
                "20260112\r\nDTSTART;VALUE=DATE:20260113\r\nDTEND;VALUE=DATE:20260114\r\nSUMMARY:Days\r\n"),
     "20260112T000000Z", "StartTime=20260113T000000Z EndTime=20260114T000000Z"},
};

static void occurrences_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(occurrences) / sizeof(occurrences[0]); i++) {
        struct arena arena = {0};
        struct buf doc = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), wanted = BUF_INIT(1 << 20);
        struct event e, base;
        struct eas_event_writing o;
        struct eas_writer w;
        unsigned parts;

        read_event(occurrences[i].text, &arena, &e);
        if (occurrences[i].base)
            read_event(occurrences[i].base, &arena, &base);
        o = writing(161, occurrences[i].base ? &base : NULL, &e);
        assert_int_equal(e.exception_count, 1);
        parts = eas_event_occurrence_parts(&e, &e.exceptions[0], o.base);
        assert_int_equal(parts == 0, occurrences[i].wanted[0] == '\0');
        assert_true(str_is(eas_event_instance_id(&e, e.exceptions[0].original, &o, &arena), occurrences[i].instance));
        assert_int_equal(eas_event_instance_extended(&e, e.exceptions[0].original, &o, &arena).n, 24);
        if (parts) {
            eas_writer_init(&w, &doc);
            eas_write_open(&w, AirSync_ApplicationData);
            eas_event_write_occurrence(&w, &e, &e.exceptions[0], &o, parts);
            eas_write_close(&w);
            show(&doc, &got);
            buf_printf(&wanted, "ApplicationData(%s)", occurrences[i].wanted);
            if (!str_eq(buf_view(&got), buf_view(&wanted)))
                fail_msg("row %zu:\n  %s\nis not\n  %s", i, buf_z(&got), buf_z(&wanted));
        }
        buf_done(&doc);
        buf_done(&got);
        buf_done(&wanted);
        arena_done(&arena);
    }
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

#define ATTACHED "ATTACH;VALUE=BINARY;ENCODING=BASE64:aGk=\r\n"
#define TEN(x)   x x x x x x x x x x
#define LONG     "CATEGORIES:" TEN(TEN("xx")) TEN("\xC3\xA4xxxx") "xxxxxx\r\n" /* 256 characters */
#define FITTING  "CATEGORIES:" TEN(TEN("xx")) TEN("\xC3\xA4xxxx") "xxxxx\r\n"
static const struct {
    const char *base, *text;
    unsigned version;
    const char *reason; /* part of it; NULL: it is fine */
} refused[] = {
    {NULL, EVENT(TALK ATTACHED), 141, "attachment"},
    {NULL, EVENT(TALK ATTACHED), 160, NULL},
    {NULL, EVENT("DTSTART;TZID=Europe/Berlin:20260105T090000\r\nDTEND;TZID=America/New_York:20260105T090000\r\n"), 161,
     "ends in another"},
    {NULL, EVENT("DTSTART;TZID=Europe/Berlin:20260105T090000\r\nDTEND;TZID=Europe/Vienna:20260105T100000\r\n"), 161,
     NULL},
    {NULL, EVENT(TALK "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\r\n"), 161, "elsewhere"},
    {EVENT(TALK "CATEGORIES:X\r\n"), EVENT(TALK), 161, NULL},
    {NULL, EVENT(TALK LONG), 161, "a category of more than 255 characters"},
    {NULL, EVENT(TALK FITTING), 161, NULL},
    {EVENT(TALK LONG), EVENT(NINE LONG), 161, NULL}, /* the server's own */
    {NULL, TASK("SUMMARY:Do\r\n" LONG), 161, "a category of more than 255 characters"},
    {EVENT(TALK), EVENT(NINE), 160, NULL},
    {EVENT(TALK GUESTS), EVENT(TALK), 161, NULL},
    {EVENT(DAILY), EVENT(TALK), 161, NULL},
    {NULL, EVENT(DAILY MOVED("SUMMARY:Talk\r\n" NEW_FILE)), 141, "attachment"},
    {NULL, EVENT(DAILY MOVED("SUMMARY:Talk\r\n" NEW_FILE)), 160, NULL},
    /* with its exceptions the server would forget their attachments; copies of the series' come again */
    {EVENT(DAILY MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1"))),
     EVENT(TALK RULE_7 MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1"))), 161, "would delete"},
    {EVENT(DAILY OFF_7 MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1"))),
     EVENT(DAILY MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1"))), 161, "would delete"},
    {EVENT(DAILY MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r1"))), EVENT(TALK RULE_7 MOVED("SUMMARY:Talk\r\n")), 161, NULL},
    {EVENT(TALK ATTACHED_AS("r1") RULE_7 MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r2"))),
     EVENT(DAILY MOVED("SUMMARY:Talk\r\n" ATTACHED_AS("r2"))), 161, NULL},
    {NULL, EVENT(TALK "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE\r\n"), 140, "week"},
    {NULL, EVENT(TALK "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO\r\n"), 140, NULL},
    {NULL, EVENT(TALK GUESTS "RRULE:FREQ=DAILY;COUNT=5\r\n" MOVED("SUMMARY:Talk\r\n")), 121, "guests of one"},
    {NULL,
     EVENT(DAILY "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260106T090000\r\n"
                 "DTSTART;TZID=Asia/Tokyo:20260106T180000\r\nDTEND;TZID=Asia/Tokyo:20260106T190000\r\nSUMMARY:x\r\n"),
     141, "another time zone than its series"},
    {EVENT(TALK "ORGANIZER:mailto:bob@example.com\r\nATTENDEE:mailto:me@example.com\r\n"),
     EVENT(NINE "SUMMARY:Mine\r\n"), 141, "somebody else"},
    {NULL, TASK("SUMMARY:Do\r\nSTATUS:IN-PROCESS\r\n"), 161, "nothing between"},
    {NULL, TASK("SUMMARY:Do\r\nPERCENT-COMPLETE:40\r\n"), 161, "nothing between"},
};

static void what_cannot_be_held_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct arena arena = {0};
        struct event e, base;
        struct eas_event_writing o;
        struct err err = {0};
        bool fine;

        read_event(refused[i].text, &arena, &e);
        if (refused[i].base)
            read_event(refused[i].base, &arena, &base);
        o = writing(refused[i].version, refused[i].base ? &base : NULL, &e);
        fine = eas_event_check(&e, &o, &err);
        if (fine != !refused[i].reason || (!fine && !strstr(err.text, refused[i].reason)))
            fail_msg("row %zu: %s", i, fine ? "it is fine" : err.text);
        if (!fine)
            assert_int_equal(err.code, ERR_UNSUPPORTED);
        arena_done(&arena);
    }
}

/* --- the same rule in other words -------------------------------------------------------------------------------- */

static void rules_are_reworded(void **state)
{
    static const struct {
        struct event_recurrence rule;
        bool can;
    } rows[] = {
        {{.pattern = EVENT_DAILY, .interval = 1, .count = 5}, true},
        {{.pattern = EVENT_DAILY, .interval = 2}, false},
        {{.pattern = EVENT_WEEKLY, .interval = 1, .days = 10, .first_day = 6}, true},
        {{.pattern = EVENT_WEEKLY, .interval = 3, .days = 8}, true},
        {{.pattern = EVENT_WEEKLY, .interval = 3, .days = 10}, false},
        {{.pattern = EVENT_WEEKLY, .interval = 1, .days = EVENT_EVERY_DAY}, true},
        {{.pattern = EVENT_MONTHLY, .interval = 1, .day_of_month = 31}, true},
        {{.pattern = EVENT_MONTHLY_RELATIVE, .interval = 2, .days = 2, .week = 5, .calendar = 1}, true},
        {{.pattern = EVENT_YEARLY, .interval = 1, .day_of_month = 1, .month = 2, .has_until = true, .until = 86400},
         true},
        {{.pattern = EVENT_YEARLY_RELATIVE, .interval = 1, .days = 2, .week = 1, .month = 2, .calendar = 4}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct event a = {.has_recurrence = true, .recurrence = rows[i].rule}, b = a;

        assert_int_equal(eas_event_reword(&a.recurrence, &b.recurrence), rows[i].can);
        if (!rows[i].can)
            continue;
        assert_int_equal(event_differ(&a, &b), 0);
        assert_memory_not_equal(&a.recurrence, &b.recurrence, sizeof(a.recurrence));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_written),
        cmocka_unit_test(occurrences_are_written),
        cmocka_unit_test(what_cannot_be_held_is_refused),
        cmocka_unit_test(rules_are_reworded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
