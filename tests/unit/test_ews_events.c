/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backends/ews/ews_event_read.h"
#include "backends/ews/ews_event_write.h"
#include "bridge/base/time.h"

#define BERLIN STR("Europe/Berlin")
#define HEAD                                                                                                           \
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                               \
    "xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" "                                        \
    "xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/"                                                   \
    "types\"><s:Body><m:GetItemResponse><m:ResponseMessages>"
#define MESSAGE "<m:GetItemResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode><m:Items>"
#define END     "</m:Items></m:GetItemResponseMessage>"
#define TAIL    "</m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>"

static bool read_answer(struct ews_event_reading *r, struct arena *arena, struct str xml, size_t step, struct err *err)
{
    ews_event_reading_init(r, arena, 8, tz_by_name(BERLIN));
    struct ews_answer *a = ews_answer_new(&ews_event_reader, r);
    bool ok = true;
    while (ok && xml.n) {
        ok = ews_answer_feed(a, str_sub(xml, 0, step), err);
        xml = str_skip(xml, step);
    }
    ok = ok && ews_answer_finish(a, err);
    ews_answer_free(a);
    for (size_t i = 0; i < r->count; i++)
        ews_event_complete(&r->list[i]);
    return ok;
}

/* --- what is written is what is read ---------------------------------------------------------- */

static const struct str categories[] = {{"Red", 3}, {"A & B", 5}};
static const struct event_attendee guests[] = {
    {.email = {"bob@example.com", 15}, .name = {"Bob", 3}},
    {.email = {"eve@example.com", 15}, .role = EVENT_OPTIONAL},
    {.email = {"room@example.com", 16}, .role = EVENT_RESOURCE},
};
#define TIMED                                                                                                          \
    .fields = {.start = 1790000000,                                                                                    \
               .end = 1790003600,                                                                                      \
               .subject = STR("S"),                                                                                    \
               .busy = EVENT_BUSY,                                                                                     \
               .importance = EVENT_MEDIUM,                                                                             \
               .start_zone = BERLIN,                                                                                   \
               .mine = EVENT_ORGANIZER}
#define DAYS                                                                                                           \
    .fields = {.start = 1790035200,                                                                                    \
               .end = 1790121600,                                                                                      \
               .all_day = true,                                                                                        \
               .subject = STR("D"),                                                                                    \
               .busy = EVENT_FREE,                                                                                     \
               .importance = EVENT_MEDIUM,                                                                             \
               .mine = EVENT_ORGANIZER}
#define SERIES(...) TIMED, .has_recurrence = true, .recurrence = {__VA_ARGS__}

static struct event events[] = {
    {TIMED, .uid = STR("u1")},
    {DAYS, .uid = STR("u2")},
    {.uid = STR("u3"),
     .fields = {.start = 1790000000,
                .end = 1790000000,
                .subject = STR("<&>\xc3\xbc"),
                .location = STR("here"),
                .text = STR("line\nline"),
                .busy = EVENT_OOF,
                .sensitivity = EVENT_PRIVATE,
                .importance = EVENT_HIGH,
                .has_reminder = true,
                .reminder_minutes = 15,
                .categories = categories,
                .category_count = 2,
                .start_zone = STR("America/New_York"),
                .end_zone = BERLIN,
                .mine = EVENT_ORGANIZER}},
    {SERIES(.pattern = EVENT_DAILY, .interval = 3, .count = 5), .uid = STR("u4")},
    {SERIES(.pattern = EVENT_WEEKLY, .interval = 2, .days = EVENT_MONDAY | EVENT_FRIDAY, .first_day = 1),
     .uid = STR("u5")},
    {SERIES(.pattern = EVENT_MONTHLY, .interval = 1, .day_of_month = 31, .has_until = true,
            .until = 1800000000 / 86400 * 86400),
     .uid = STR("u6")},
    {SERIES(.pattern = EVENT_MONTHLY_RELATIVE, .interval = 1, .days = EVENT_WEEKDAYS, .week = EVENT_LAST_WEEK),
     .uid = STR("u7")},
    {SERIES(.pattern = EVENT_YEARLY, .interval = 1, .day_of_month = 29, .month = 2), .uid = STR("u8")},
    {SERIES(.pattern = EVENT_YEARLY_RELATIVE, .interval = 1, .days = EVENT_SUNDAY, .week = 1, .month = 12),
     .uid = STR("u9")},
    {SERIES(.pattern = EVENT_YEARLY, .interval = 4, .day_of_month = 21, .month = 9), .uid = STR("u10")},
    {.uid = STR("u11"),
     .fields = {.start = 1790000000,
                .end = 1790003600,
                .subject = STR("Lord Howe"),
                .busy = EVENT_BUSY,
                .importance = EVENT_MEDIUM,
                .start_zone = STR("Australia/Lord_Howe"),
                .mine = EVENT_ORGANIZER}},
    {.kind = EVENT_TASK,
     .uid = STR("t1"),
     .fields = {.start = TIME_NONE,
                .end = 1790035200,
                .all_day = true,
                .subject = STR("T"),
                .busy = EVENT_FREE,
                .importance = EVENT_LOW},
     .task = {.status = EVENT_IN_PROGRESS, .percent = 50, .completed = TIME_NONE, .reminder_at = TIME_NONE}},
    {.kind = EVENT_TASK,
     .uid = STR("t2"),
     .fields = {.start = 1790035200,
                .end = 1790035200,
                .all_day = true,
                .subject = STR("T"),
                .busy = EVENT_FREE,
                .importance = EVENT_MEDIUM,
                .has_reminder = true},
     .task = {.status = EVENT_COMPLETED, .percent = 100, .completed = 1790035200, .reminder_at = 1790030000}},
    {.kind = EVENT_TASK,
     .uid = STR("t3"),
     .fields = {.start = 1790035200,
                .end = 1790035200,
                .all_day = true,
                .subject = STR("T"),
                .busy = EVENT_FREE,
                .importance = EVENT_MEDIUM},
     .has_recurrence = true,
     .recurrence = {.pattern = EVENT_WEEKLY, .interval = 1, .regenerates = true},
     .task = {.status = EVENT_NOT_STARTED, .completed = TIME_NONE, .reminder_at = TIME_NONE}},
};

static void as_answer(struct buf *out, const struct event *e)
{
    struct xml_writer w;
    struct buf item = {0};
    xml_writer_init(&w, &item);
    ews_event_write_item(&w, e, BERLIN, STR("token"));
    struct str whole = buf_view(&item);
    size_t first = str_find_byte(whole, '>') + 1;
    buf_lit(out, HEAD MESSAGE);
    buf_str(out, str_sub(whole, 0, first));
    buf_printf(out, "<t:ItemId Id=\"I\" ChangeKey=\"K\"/><t:ItemClass>%s</t:ItemClass>",
               e->kind == EVENT_TASK ? "IPM.Task" : "IPM.Appointment");
    whole = str_skip(whole, first);
    size_t end = str_find(whole, STR("</t:Task>"));
    bool dated = end != (size_t)-1 && str_find(whole, STR("CompleteDate")) != (size_t)-1;
    buf_str(out, str_sub(whole, 0, dated ? end : whole.n));
    if (dated) /* what the date means to the server */
        buf_lit(out, "<t:PercentComplete>100</t:PercentComplete><t:Status>Completed</t:Status></t:Task>");
    buf_lit(out, END TAIL);
    buf_done(&item);
}

static void round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        for (size_t step = 1; step < 100000; step *= 41) {
            struct arena arena = {0};
            struct buf xml = {0};
            struct ews_event_reading r;
            struct err err = {0};
            as_answer(&xml, &events[i]);
            if (!read_answer(&r, &arena, buf_view(&xml), step, &err))
                fail_msg("%s: %s", err.text, buf_z(&xml));
            assert_int_equal(r.count, 1);
            assert_true(r.list[0].is_event);
            assert_string_equal(arena_strdup(&arena, r.list[0].e.uid), arena_strdup(&arena, events[i].uid));
            unsigned differ = event_differ(&events[i], &r.list[0].e);
            if (differ)
                fail_msg("event %zu: parts 0x%x differ: %s", i, differ, buf_z(&xml));
            buf_done(&xml);
            arena_done(&arena);
        }
}

static void meetings(void **state)
{
    struct event e = {TIMED, .uid = STR("m"), .is_meeting = true, .organizer_email = STR("me@example.com")};
    struct arena arena = {0};
    struct buf xml = {0};
    struct ews_event_reading r;
    struct err err = {0};
    (void)state;
    e.fields.attendees = guests;
    e.fields.attendee_count = 3;
    as_answer(&xml, &e);
    size_t at = str_find(buf_view(&xml), STR("</t:CalendarItem>"));
    struct buf whole = {0};
    buf_str(&whole, str_sub(buf_view(&xml), 0, at));
    buf_lit(&whole,
            "<t:IsMeeting>true</t:IsMeeting><t:MyResponseType>Organizer</t:MyResponseType><t:Organizer><t:Mailbox>"
            "<t:Name>Me</t:Name><t:EmailAddress>me@example.com</t:EmailAddress></t:Mailbox></t:Organizer>");
    buf_str(&whole, str_skip(buf_view(&xml), at));
    assert_true(read_answer(&r, &arena, buf_view(&whole), 7, &err));
    assert_int_equal(event_differ(&e, &r.list[0].e), 0);
    assert_string_equal(arena_strdup(&arena, r.list[0].e.organizer_email), "me@example.com");
    buf_done(&xml);
    buf_done(&whole);
    arena_done(&arena);
}

/* Midnight of UTC, midnight and other hours in Berlin. */
static void days_of_completion(void **state)
{
    static const char *const words[] = {"2026-01-09T00:00:00Z", "2026-01-08T23:00:00Z", "2026-01-09T00:00:00+01:00",
                                        "2026-01-09T22:59:59Z", "2026-01-08T23:30:00Z"};
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct arena arena = {0};
        struct buf xml = {0};
        struct ews_event_reading r;
        struct err err = {0};
        buf_printf(&xml,
                   HEAD MESSAGE "<t:Task><t:ItemId Id=\"I\"/><t:ItemClass>IPM.Task</t:ItemClass><t:CompleteDate>%s"
                                "</t:CompleteDate><t:Status>Completed</t:Status></t:Task>" END TAIL,
                   words[i]);
        assert_true(read_answer(&r, &arena, buf_view(&xml), 50, &err));
        assert_int_equal(r.list[0].e.task.completed, 1767916800); /* 9 January */
        buf_done(&xml);
        arena_done(&arena);
    }
}

/* --- what only servers write ------------------------------------------------------------------ */

#define CUSTOM                                                                                                         \
    "<t:StartTimeZone Id=\"Customized Time Zone\" Name=\"x\"><t:Periods><t:Period Bias=\"-PT1H\" Name=\"Standard\" "   \
    "Id=\"s\"/>"                                                                                                       \
    "<t:Period Bias=\"-PT2H\" Name=\"Daylight\" Id=\"d\"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup "       \
    "Id=\"0\">"                                                                                                        \
    "<t:RecurringDayTransition><t:To Kind=\"Period\">d</t:To><t:TimeOffset>PT2H</t:TimeOffset><t:Month>3</t:Month>"    \
    "<t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence></t:RecurringDayTransition>"                      \
    "<t:RecurringDayTransition><t:To Kind=\"Period\">s</t:To><t:TimeOffset>PT3H</t:TimeOffset><t:Month>10</t:Month>"   \
    "<t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence></t:RecurringDayTransition></t:TransitionsGroup>" \
    "</t:TransitionsGroups></t:StartTimeZone>"

static const char series[] = HEAD MESSAGE
    "<t:CalendarItem><t:ItemId Id=\"M\" "
    "ChangeKey=\"1\"/><t:ItemClass>IPM.Appointment</t:ItemClass><t:Subject>x</t:Subject>"
    "<t:Body BodyType=\"HTML\">&lt;p&gt;a&lt;/p&gt;</t:Body><t:TextBody BodyType=\"Text\">a\r\n\r\n</t:TextBody>"
    "<t:Attachments><t:FileAttachment><t:AttachmentId Id=\"A\"/><t:Name>n</t:Name><t:Size>7</t:Size></t:FileAttachment>"
    "</t:Attachments><t:UID>u</t:UID><t:Start>2026-03-02T09:00:00Z</t:Start><t:End>2026-03-02T10:00:00Z</t:End>"
    "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>/o=x</t:EmailAddress><t:RoutingType>EX</t:RoutingType>"
    "</t:Mailbox></t:Attendee></t:RequiredAttendees>"
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek></"
    "t:WeeklyRecurrence>"
    "<t:NoEndRecurrence><t:StartDate>2026-03-02+01:00</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    "<t:ModifiedOccurrences><t:Occurrence><t:ItemId Id=\"O\" ChangeKey=\"2\"/><t:Start>2026-03-09T12:00:00Z</t:Start>"
    "<t:End>2026-03-09T13:00:00Z</t:End><t:OriginalStart>2026-03-09T09:00:00Z</t:OriginalStart></t:Occurrence>"
    "</t:ModifiedOccurrences><t:DeletedOccurrences><t:DeletedOccurrence><t:Start>2026-03-30T08:00:00Z</t:Start>"
    "</t:DeletedOccurrence></t:DeletedOccurrences>" CUSTOM "</t:CalendarItem>" END "<m:GetItemResponseMessage "
    "ResponseClass=\"Error\"><m:MessageText>gone</m:MessageText><m:ResponseCode>ErrorItemNotFound"
    "</m:ResponseCode><m:Items/></m:GetItemResponseMessage>" MESSAGE
    "<t:Message><t:ItemId Id=\"X\"/><t:ItemClass>IPM.Note</t:ItemClass><t:Subject>mail</t:Subject></t:Message>" END
        TAIL;

static void what_servers_say(void **state)
{
    struct arena arena = {0};
    struct ews_event_reading r;
    struct err err = {0};
    (void)state;
    assert_true(read_answer(&r, &arena, str_from(series), 11, &err));
    assert_int_equal(r.count, 3);
    const struct ews_got *g = &r.list[0];
    assert_true(g->is_event);
    assert_string_equal(arena_strdup(&arena, g->e.fields.start_zone), "Europe/Berlin"); /* by its rules */
    assert_string_equal(arena_strdup(&arena, g->e.fields.text), "a");
    assert_string_equal(arena_strdup(&arena, g->e.fields.html), "<p>a</p>");
    assert_int_equal(g->e.fields.attachment_count, 1);
    assert_int_equal(g->e.fields.attendee_count, 0);
    assert_int_equal(g->occurrence_count, 1);
    assert_string_equal(arena_strdup(&arena, g->occurrences[0].id), "O");
    assert_int_equal(g->e.exception_count, 1);
    assert_true(g->e.exceptions[0].deleted);
    assert_int_equal(g->e.recurrence.days, EVENT_MONDAY);
    assert_int_equal(r.list[1].err.code, ERR_NOT_FOUND);
    assert_false(r.list[2].is_event);
    arena_done(&arena);
}

static void cut_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(series); n += 3) {
        struct arena arena = {0};
        struct ews_event_reading r;
        struct err err = {0};
        assert_false(read_answer(&r, &arena, str_of(series, n), 64, &err));
        arena_done(&arena);
    }
}

static void days_are_days_in_any_zone(void **state)
{
    static const struct {
        const char *zone, *start, *end;
    } t[] = {{"W. Europe Standard Time", "2026-06-30T22:00:00Z", "2026-07-01T22:00:00Z"},
             {"Pacific Standard Time", "2026-07-01T07:00:00Z", "2026-07-02T07:00:00Z"},
             {"Tokyo Standard Time", "2026-06-30T15:00:00Z", "2026-07-01T15:00:00Z"},
             {"UTC", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"},
             {"Newfoundland Standard Time", "2026-07-01T02:30:00Z", "2026-07-02T02:30:00Z"}};
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena arena = {0};
        struct buf xml = {0};
        struct ews_event_reading r;
        struct err err = {0};
        buf_printf(&xml,
                   HEAD MESSAGE
                   "<t:CalendarItem><t:ItemId Id=\"M\"/><t:Start>%s</t:Start><t:End>%s</t:End><t:IsAllDayEvent>"
                   "true</t:IsAllDayEvent><t:StartTimeZone Id=\"%s\"/></t:CalendarItem>" END TAIL,
                   t[i].start, t[i].end, t[i].zone);
        assert_true(read_answer(&r, &arena, buf_view(&xml), 1000, &err));
        if (r.list[0].e.fields.start != 1782864000 || r.list[0].e.fields.end != 1782950400)
            fail_msg("%s: %lld", t[i].zone, (long long)r.list[0].e.fields.start);
        buf_done(&xml);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(days_of_completion),
        cmocka_unit_test(meetings),     cmocka_unit_test(what_servers_say),
        cmocka_unit_test(cut_anywhere), cmocka_unit_test(days_are_days_in_any_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
