/* SPDX-License-Identifier: Apache-2.0 */
/* Events and tasks in ActiveSync's answers, as tables of documents and what is understood of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/eas_event_kit.h"

struct example {
    unsigned version; /* 141 and so on; of a task: + 1000 */
    const char *doc, *expected;
};

static void check(const struct example *x)
{
    struct eas_sync_options options = eas_kit_options(x->version % 1000, x->version > 1000);
    struct eas_sync_page *page = eas_sync_page_new(&options);
    struct buf doc = BUF_INIT(0);

    eas_kit_document(&doc, x->doc);
    for (size_t step = 1; step <= doc.n; step += step < 8 ? 1 : doc.n) {
        struct buf got = BUF_INIT(0);
        struct eas_answer a;
        struct err err = {0};

        eas_sync_page_reset(page);
        eas_answer_init(&a, eas_sync_event_rules, page);
        if (!eas_kit_feed(&a, buf_view(&doc), step, &err))
            fail_msg("%s: %s", x->doc, err.text);
        eas_kit_say_page(&got, page);
        if (strcmp(buf_z(&got), x->expected) != 0)
            fail_msg("%u: %s\ngives    %s\nand not  %s", x->version, x->doc, buf_z(&got), x->expected);
        eas_answer_done(&a);
        buf_done(&got);
    }
    buf_done(&doc);
    eas_sync_page_free(&page);
}

static void check_all(const struct example *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&list[i]);
}
#define CHECK_ALL(list) check_all(list, sizeof(list) / sizeof((list)[0]))

/* --- single events ----------------------------------------------------------------------------------------------- */

static const struct example singles[] = {
    {141, ADD(TIMES BERLIN), "[" AT_9 "]"},
    {141, ADD(BERLIN TIMES "c:Subject='A <b>' c:Location=Here c:BusyStatus=0 c:Sensitivity=2 c:Reminder=15"),
     "[" AT_9 " 'A <b>' at'Here' busy=0 private=2 alarm=15]"},
    /* the zone: by its name, by nothing, by rules that say nothing */
    {141, ADD(TIMES "c:Timezone=$America/New_York"),
     "[u 2026-01-05T08:00:00Z - 2026-01-05T09:00:00Z America/New_York]"},
    {161, ADD(TIMES "c:Timezone=$UTC"), "[u 2026-01-05T08:00:00Z - 2026-01-05T09:00:00Z UTC]"},
    {141, ADD(TIMES), "[" AT_9 "]"},
    {141, ADD(TIMES "c:Timezone=$nothing"), "[" AT_9 "]"},
    {141, ADD(TIMES "c:Timezone=rubbish"), "[" AT_9 "]"},
    {141, ADD(TIMES "c:Timezone=xP///w=="), "[" AT_9 "]"},
    /* times in other forms, a missing end, an end before the start */
    {141, ADD("c:UID=u c:StartTime=2026-01-05T08:00:00.000Z c:EndTime=2026-01-05T09:00:00Z"), "[" AT_9 "]"},
    {141, ADD("c:UID=u c:StartTime=20260105T080000Z"), "[u 2026-01-05T08:00:00Z - 2026-01-05T08:00:00Z Europe/Berlin]"},
    {141, ADD("c:UID=u c:StartTime=20260105T080000Z c:EndTime=20250105T080000Z"),
     "[u 2026-01-05T08:00:00Z - 2026-01-05T08:00:00Z Europe/Berlin]"},
    {141, ADD("c:UID=u c:StartTime=20260105T080000Z c:EndTime=never"),
     "[u 2026-01-05T08:00:00Z - 2026-01-05T08:00:00Z Europe/Berlin]"},
    /* whole days: midnight in the item's zone up to 14.1, the date itself from 16.0 on, and where servers mix that up
     */
    {141, ADD(DAYS("20260104T230000Z", "20260106T230000Z") BERLIN),
     "[u 2026-01-05T00:00:00Z - 2026-01-07T00:00:00Z day]"},
    {141, ADD(DAYS("20260105T050000Z", "20260106T050000Z") "c:Timezone=$America/New_York"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {141, ADD(DAYS("20260104T110000Z", "20260105T110000Z") "c:Timezone=$Pacific/Auckland"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {141, ADD(DAYS("20260105T000000Z", "20260106T000000Z") BERLIN),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {141, ADD(DAYS("20260104T230000Z", "20260105T230000Z") "c:Timezone=$nothing"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {161, ADD(DAYS("20260105T000000Z", "20260106T000000Z")), "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {161, ADD(DAYS("20260105T103000Z", "20260106T000000Z")), "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {161, ADD(DAYS("20260105T000000Z", "20260105T000000Z")), "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {141, ADD(DAYS("20260104T230000Z", "20260105T225900Z") BERLIN),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day]"},
    {141, ADD(DAYS("20260105T103000Z", "20260105T113000Z") BERLIN),
     "[u 2026-01-05T10:30:00Z - 2026-01-05T11:30:00Z Europe/Berlin]"},
    /* texts: bytes that are none, control characters, one line where one line belongs */
    {141, ADD(TIMES "c:Subject='a\xFF\x01z\nb'"), "[" AT_9 " 'a\xEF\xBF\xBDz|b']"},
    {141, ADD(TIMES "b:Body(Type=1 Data='one\r\ntwo \r\n\r\n') b:NativeBodyType=1"), "[" AT_9 " text'one|two']"},
    {141, ADD(TIMES "b:Body(Type=1 Data=one) b:NativeBodyType=2"), "[html " AT_9 " text'one']"},
    {141, ADD(TIMES "b:Body(Type=1 Data=one) b:NativeBodyType=3"), "[html " AT_9 " text'one']"},
    {141, ADD(TIMES "b:Body(Type=1) b:NativeBodyType=2"), "[" AT_9 "]"},
    {141, ADD(TIMES "b:Body(Type=2 Data='<p>x') b:NativeBodyType=2"), "[" AT_9 " html'<p>x']"},
    {141, ADD(TIMES "b:Body(Type=3 Data=rtf)"), "[" AT_9 "]"},
    {141, ADD(TIMES "c:Categories(Category=Red Category Category='A  b')"), "[" AT_9 " #'Red' #'A  b']"},
    /* values out of their range are as if they had not been sent */
    {141, ADD(TIMES "c:BusyStatus=9 c:Sensitivity=-1 c:Reminder c:MeetingStatus=400 c:ResponseType=77"), "[" AT_9 "]"},
    {161, ADD(TIMES "c:BusyStatus=4 c:Reminder=0"), "[" AT_9 " busy=4 alarm=0]"},
    /* a place with parts (16.x) */
    {161, ADD(TIMES "b:Location(DisplayName='Room 1' City=Berlin)"), "[" AT_9 " at'Room 1']"},
    {161, ADD(TIMES "b:Location(Street='A St 1' City=Berlin PostalCode=10115 Country=Germany)"),
     "[" AT_9 " at'A St 1, 10115, Berlin, Germany']"},
    {161, ADD(TIMES "b:Location"), "[" AT_9 "]"},
    {161,
     ADD(TIMES "b:Attachments(Attachment(DisplayName=a.txt FileReference=r%1 Method=1 EstimatedDataSize=12) "
               "Attachment(DisplayName=none) Attachment(FileReference=r2 EstimatedDataSize=x IsInline=1))"),
     "[" AT_9 " file=r%1|a.txt|12 file=r2||0|inline]"},
    {141, ADD(TIMES "c:OnlineMeetingExternalLink=https://x/"), "[" AT_9 " join'https://x/']"},
    /* no UID: one of its own, the same every time */
    {141, ADD("c:StartTime=20260105T080000Z c:EndTime=20260105T090000Z"),
     "[item-a5886f21fcb5f028@exchange 2026-01-05T08:00:00Z - 2026-01-05T09:00:00Z Europe/Berlin]"},
    /* what is no whole event is fetched; and a deletion */
    {141, ADD("c:Subject=x"), "[fetch 5:1]"},
    {141, ADD(""), "[fetch 5:1]"},
    {141, ADD("Email:Read=1 t:Subject=y"), "[fetch 5:1]"},
    {141, PAGE("Delete(ServerId=5:1)"), "[gone 5:1]"},
};

static void test_singles(void **state)
{
    (void)state;
    CHECK_ALL(singles);
}

/* --- people ------------------------------------------------------------------------------------------------------ */

#define BOB  "Attendee(Email=bob@example.com Name=Bob AttendeeStatus=3 AttendeeType=1)"
#define ANN  "Attendee(Email=ann@example.com Name=Ann AttendeeStatus=4 AttendeeType=2)"
#define ROOM "Attendee(Email=room@example.com Name=Room AttendeeStatus=5 AttendeeType=3)"
#define ME   "Attendee(Email=ME@example.com Name=Me AttendeeStatus=2 AttendeeType=1)"
#define MINE "c:OrganizerEmail=me@example.com c:OrganizerName=Me "
#define BOBS "c:OrganizerEmail=bob@example.com c:OrganizerName=Bob "

static const struct example people[] = {
    {141,
     ADD(TIMES MINE "c:MeetingStatus=1 c:Attendees(" BOB " " ANN " " ROOM ") c:ResponseType=1 c:ResponseRequested=1"),
     "[" AT_9 " Ra<bob@example.com|Bob> Od<ann@example.com|Ann> X?<room@example.com|Room> "
     "meeting of <me@example.com|Me> rsvp]"},
    /* nobody is invited: the organiser says nothing */
    {141, ADD(TIMES MINE "c:MeetingStatus=0 c:ResponseType=0"), "[" AT_9 "]"},
    /* somebody else's, answered or not, called off */
    {141,
     ADD(TIMES BOBS "c:MeetingStatus=3 c:Attendees(" ME ") c:ResponseType=3 c:AppointmentReplyTime=20260101T000000Z"),
     "[" AT_9 " Rt<ME@example.com|Me> mine=a replied=2026-01-01T00:00:00Z meeting of <bob@example.com|Bob>]"},
    {141, ADD(TIMES BOBS "c:MeetingStatus=3 c:ResponseType=5"), "[" AT_9 " mine=? meeting of <bob@example.com|Bob>]"},
    {161, ADD(TIMES BOBS "c:MeetingStatus=7 c:ResponseType=2"),
     "[" AT_9 " cancelled mine=t meeting of <bob@example.com|Bob>]"},
    {141, ADD(TIMES BOBS "c:MeetingStatus=15 c:ResponseType=4"),
     "[" AT_9 " cancelled mine=d meeting of <bob@example.com|Bob>]"},
    /* up to 12.1 the own answer stands in the list, or shows in the time that is kept free */
    {121, ADD(TIMES BOBS "c:MeetingStatus=3 c:BusyStatus=1"),
     "[" AT_9 " busy=1 mine=? meeting of <bob@example.com|Bob> rsvp]"},
    {121, ADD(TIMES BOBS "c:MeetingStatus=3 c:BusyStatus=2"),
     "[" AT_9 " mine=a meeting of <bob@example.com|Bob> rsvp]"},
    {140, ADD(TIMES BOBS "c:MeetingStatus=3 c:BusyStatus=2"), "[" AT_9 " mine=? meeting of <bob@example.com|Bob>]"},
    {121, ADD(TIMES BOBS "c:MeetingStatus=3 c:Attendees(" ME ")"),
     "[" AT_9 " Rt<ME@example.com|Me> mine=t meeting of <bob@example.com|Bob> rsvp]"},
    /* the organiser among the attendees, as such or although the server says "received" */
    {141, ADD(TIMES BOBS "c:MeetingStatus=3 c:ResponseType=3 c:Attendees(" BOB " " ME ")"),
     "[" AT_9 " Rt<ME@example.com|Me> mine=a meeting of <bob@example.com|Bob>]"},
    {141, ADD(TIMES MINE "c:MeetingStatus=3 c:ResponseType=3 c:Attendees(" ME " " BOB ")"),
     "[" AT_9 " Ra<bob@example.com|Bob> meeting of <me@example.com|Me>]"},
    /* attendees without a status of the meeting, odd addresses */
    {141, ADD(TIMES MINE "c:Attendees(" BOB ")"), "[" AT_9 " Ra<bob@example.com|Bob> meeting of <me@example.com|Me>]"},
    {141,
     ADD(TIMES MINE "c:MeetingStatus=1 c:Attendees(Attendee(Email='Bob <bob@example.com>') Attendee(Email=/o=X/cn=y) "
                    "Attendee(Name=Nobody))"),
     "[" AT_9 " R?<bob@example.com|> meeting of <me@example.com|Me>]"},
};

static void test_people(void **state)
{
    (void)state;
    CHECK_ALL(people);
}

/* --- series ------------------------------------------------------------------------------------------------------ */

#define RULE(inside)    ADD(TIMES BERLIN "c:Recurrence(" inside ")")
#define CHANGED(inside) ADD(TIMES BERLIN "c:Subject=S c:Recurrence(Type=0 Occurrences=9) c:Exceptions(" inside ")")
#define SERIES          AT_9 " 'S' every 1 daily count=9"

static const struct example series[] = {
    {141, RULE("Type=0 Interval=3 Occurrences=5"), "[" AT_9 " every 3 daily count=5]"},
    {141, RULE("Type=0 Interval=1 DayOfWeek=62"), "[" AT_9 " every 1 weekly days=62]"},
    {141, RULE("Type=1 Interval=2 DayOfWeek=34 FirstDayOfWeek=0"), "[" AT_9 " every 2 weekly days=34 from=0]"},
    {141, RULE("Type=1"), "[" AT_9 " every 1 weekly days=2]"}, /* 5 January 2026 is a Monday */
    {141, RULE("Type=2 Interval=1 DayOfMonth=31"), "[" AT_9 " every 1 monthly day=31]"},
    {141, RULE("Type=2 Interval=24 DayOfMonth=5"), "[" AT_9 " every 2 yearly day=5 month=1]"},
    {141, RULE("Type=3 DayOfWeek=127 WeekOfMonth=5"), "[" AT_9 " every 1 monthly-nth days=127 week=5]"},
    {141, RULE("Type=3"), "[" AT_9 " every 1 monthly-nth days=2 week=1]"},
    {141, RULE("Type=5 DayOfMonth=29 MonthOfYear=2"), "[" AT_9 " every 1 yearly day=29 month=2]"},
    {141, RULE("Type=6 DayOfWeek=1 WeekOfMonth=1 MonthOfYear=12"),
     "[" AT_9 " every 1 yearly-nth days=1 week=1 month=12]"},
    {141, RULE("Type=5 DayOfMonth=1 MonthOfYear=1 CalendarType=8 IsLeapMonth=1"),
     "[" AT_9 " every 1 yearly day=1 month=1 calendar=8/1]"},
    /* the last moment: at the start, at the end of that day, before the time of day, and a count that wins */
    {141, RULE("Type=0 Until=20260201T080000Z"), "[" AT_9 " every 1 daily until=2026-02-01T00:00:00Z]"},
    {141, RULE("Type=0 Until=20260201T225959Z"), "[" AT_9 " every 1 daily until=2026-02-01T00:00:00Z]"},
    {141, RULE("Type=0 Until=20260201T075959Z"), "[" AT_9 " every 1 daily until=2026-01-31T00:00:00Z]"},
    {141, RULE("Type=0 Until=20260201T080000Z Occurrences=3"), "[" AT_9 " every 1 daily count=3]"},
    {141, RULE("Type=0 Until=never"), "[" AT_9 " every 1 daily]"},
    {161, ADD(DAYS("20260105T000000Z", "20260106T000000Z") "c:Recurrence(Type=0 Until=20260110T000000Z)"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day every 1 daily until=2026-01-10T00:00:00Z]"},
    {141, ADD(DAYS("20260104T230000Z", "20260105T230000Z") BERLIN "c:Recurrence(Type=0 Until=20260109T230000Z)"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day every 1 daily until=2026-01-10T00:00:00Z]"},
    /* 16.x: a series of one is how a single event is written that was a series */
    {161, RULE("Type=0 Interval=1 Occurrences=1"), "[" AT_9 "]"},
    {141, RULE("Type=0 Interval=1 Occurrences=1"), "[" AT_9 " every 1 daily count=1]"},
    {161, RULE("Type=0 Interval=2 Occurrences=1"), "[" AT_9 " every 2 daily count=1]"},
    /* what is no pattern: the first occurrence is what can be shown */
    {141, RULE("Type=4"), "[" AT_9 "]"},
    {141, RULE("Interval=1"), "[" AT_9 "]"},
    {141, RULE("Type=1 Interval=0 DayOfWeek=200 Occurrences=5000"), "[" AT_9 " every 1 weekly days=2]"},
    /* exceptions: what they do not tell is the series' */
    {141, CHANGED("Exception(Deleted=1 ExceptionStartTime=20260107T080000Z)"),
     "[" SERIES " {2026-01-07T08:00:00Z deleted}]"},
    {141, CHANGED("Exception(ExceptionStartTime=20260107T080000Z Subject=T)"),
     "[" SERIES " {2026-01-07T08:00:00Z 2026-01-07T08:00:00Z - 2026-01-07T09:00:00Z Europe/Berlin 'T'}]"},
    {141, CHANGED("Exception(StartTime=20260107T100000Z EndTime=20260107T120000Z ExceptionStartTime=20260107T080000Z)"),
     "[" SERIES " {2026-01-07T08:00:00Z 2026-01-07T10:00:00Z - 2026-01-07T12:00:00Z Europe/Berlin 'S'}]"},
    {161, CHANGED("Exception(b:InstanceId=20260107T080000Z ExceptionStartTime=20000107T080000Z Subject)"),
     "[" SERIES " {2026-01-07T08:00:00Z 2026-01-07T08:00:00Z - 2026-01-07T09:00:00Z Europe/Berlin}]"},
    {161, CHANGED("Exception(ExceptionStartTime=20000107T080000Z b:InstanceId=20260107T080000Z b:Body(Type=1 Data=x))"),
     "[" SERIES " {2026-01-07T08:00:00Z 2026-01-07T08:00:00Z - 2026-01-07T09:00:00Z Europe/Berlin 'S' text'x'}]"},
    {161,
     CHANGED("Exception(b:InstanceId=20260107T080000Z b:Attachments(Attachment(DisplayName=a.txt FileReference=r1 "
             "Method=1 EstimatedDataSize=5)))"),
     "[" SERIES
     " {2026-01-07T08:00:00Z 2026-01-07T08:00:00Z - 2026-01-07T09:00:00Z Europe/Berlin 'S' file=r1|a.txt|5}]"},
    /* in order, each once, a deletion before a change; without a beginning there is none */
    {141,
     CHANGED("Exception(ExceptionStartTime=20260108T080000Z Subject=T) Exception(Deleted=1 "
             "ExceptionStartTime=20260108T080000Z) Exception(Deleted=1 ExceptionStartTime=20260106T080000Z) "
             "Exception(Deleted=1) Exception(Deleted=1 ExceptionStartTime=x)"),
     "[" SERIES " {2026-01-06T08:00:00Z deleted} {2026-01-08T08:00:00Z deleted}]"},
    /* whole days: of the series, or of one occurrence */
    {161,
     ADD(DAYS("20260105T000000Z", "20260106T000000Z") "c:Recurrence(Type=0) c:Exceptions(Exception(b:InstanceId="
                                                      "20260107T000000Z StartTime=20260108T000000Z "
                                                      "EndTime=20260110T000000Z))"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day every 1 daily {2026-01-07T00:00:00Z 2026-01-08T00:00:00Z - "
     "2026-01-10T00:00:00Z day}]"},
    {141,
     ADD(DAYS("20260104T230000Z", "20260105T230000Z") BERLIN
         "c:Recurrence(Type=0) c:Exceptions(Exception(ExceptionStartTime=20260106T230000Z AllDayEvent=0 "
         "StartTime=20260107T100000Z EndTime=20260107T110000Z) Exception(Deleted=1 "
         "ExceptionStartTime=20260708T220000Z))"),
     "[u 2026-01-05T00:00:00Z - 2026-01-06T00:00:00Z day every 1 daily {2026-01-07T00:00:00Z 2026-01-07T10:00:00Z - "
     "2026-01-07T11:00:00Z Europe/Berlin} {2026-07-09T00:00:00Z deleted}]"},
    {141, CHANGED("Exception(ExceptionStartTime=20260107T080000Z AllDayEvent=1)"),
     "[" SERIES " {2026-01-07T08:00:00Z 2026-01-07T00:00:00Z - 2026-01-08T00:00:00Z day 'S'}]"},
    /* everything of its own, and taken away from it */
    {141,
     ADD(TIMES BERLIN MINE
         "c:Reminder=15 c:Location=Here c:Categories(Category=Red) c:MeetingStatus=1 c:Attendees(" BOB
         ") b:Body(Type=1 Data=all) b:NativeBodyType=1 c:Recurrence(Type=0) c:Exceptions(Exception(ExceptionStartTime="
         "20260107T080000Z c:Reminder c:Location c:Categories c:Attendees(" ANN
         ") b:Body(Type=1) c:MeetingStatus=5 c:BusyStatus=0 c:Sensitivity=2 c:AppointmentReplyTime=20260101T000000Z))"),
     "[" AT_9
     " at'Here' text'all' alarm=15 #'Red' Ra<bob@example.com|Bob> meeting of <me@example.com|Me> every 1 daily "
     "{2026-01-07T08:00:00Z 2026-01-07T08:00:00Z - 2026-01-07T09:00:00Z Europe/Berlin busy=0 private=2 "
     "Od<ann@example.com|Ann> cancelled replied=2026-01-01T00:00:00Z}]"},
    {141,
     ADD(TIMES BERLIN BOBS "c:MeetingStatus=3 c:ResponseType=3 c:Recurrence(Type=0) c:Exceptions(Exception("
                           "ExceptionStartTime=20260107T080000Z ResponseType=4))"),
     "[" AT_9 " mine=a meeting of <bob@example.com|Bob> every 1 daily {2026-01-07T08:00:00Z 2026-01-07T08:00:00Z - "
     "2026-01-07T09:00:00Z Europe/Berlin mine=d}]"},
    /* without a rule there is nothing that an exception could be of */
    {141, ADD(TIMES "c:Exceptions(Exception(Deleted=1 ExceptionStartTime=20260107T080000Z))"), "[" AT_9 "]"},
    /* an occurrence told alone (16.x), in the middle of others */
    {161,
     PAGE("Change(ServerId=5:1 b:InstanceId=20260107T080000Z ApplicationData(c:Subject=T)) "
          "Delete(ServerId=5:2 b:InstanceId=20260107T080000Z) Change(ServerId=5:3 ApplicationData(" TIMES ")) "
          "Delete(ServerId=5:4)"),
     "[fetch 5:1][fetch 5:2][" AT_9 "][gone 5:4]"},
};

static void test_series(void **state)
{
    (void)state;
    CHECK_ALL(series);
}

/* --- tasks ------------------------------------------------------------------------------------------------------- */

#define TASK "task item-a5886f21fcb5f028@exchange "

static const struct example tasks[] = {
    {1141, ADD("t:Subject=T t:Complete=0 t:Importance=1 t:Sensitivity=0 t:ReminderSet=0"),
     "[" TASK "none - none day 'T' busy=0 mine=?]"},
    {1141,
     ADD("t:Subject=T t:Importance=2 t:Sensitivity=2 t:Categories(Category=Red) b:Body(Type=1 Data=x) "
         "t:UtcStartDate=2026-01-04T23:00:00.000Z t:StartDate=2026-01-05T00:00:00.000Z "
         "t:UtcDueDate=2026-01-09T23:00:00.000Z t:DueDate=2026-01-10T00:00:00.000Z "
         "t:ReminderSet=1 t:ReminderTime=2026-01-09T08:00:00.000Z"),
     "[" TASK
     "2026-01-05T00:00:00Z - 2026-01-10T00:00:00Z day 'T' text'x' busy=0 private=2 importance=2 alarm=0 #'Red' "
     "mine=? alarm 2026-01-09T08:00:00Z]"},
    /* the UTC form alone; the local one with a time of day */
    {1141, ADD("t:Subject=T t:UtcDueDate=2026-01-09T23:00:00.000Z"),
     "[" TASK "none - 2026-01-10T00:00:00Z day 'T' busy=0 mine=?]"},
    {1141, ADD("t:Subject=T t:UtcDueDate=2026-01-10T00:00:00.000Z"),
     "[" TASK "none - 2026-01-10T00:00:00Z day 'T' busy=0 mine=?]"},
    {1141, ADD("t:Subject=T t:DueDate=20260110T173000Z"),
     "[" TASK "none - 2026-01-10T00:00:00Z day 'T' busy=0 mine=?]"},
    {1141, ADD("t:Subject=T t:Complete=1 t:DateCompleted=2026-01-09T23:30:00.000Z"),
     "[" TASK "none - none day 'T' busy=0 mine=? done 2026-01-10T00:00:00Z]"},
    {1141, ADD("t:Subject=T t:Complete=1"), "[" TASK "none - none day 'T' busy=0 mine=? done none]"},
    {1141, ADD("t:Subject=T t:Complete=0 t:DateCompleted=2026-01-09T23:30:00.000Z"),
     "[" TASK "none - none day 'T' busy=0 mine=?]"},
    {1141, ADD("t:Subject=T t:ReminderSet=1"), "[" TASK "none - none day 'T' busy=0 mine=?]"},
    {1141, ADD("t:Subject=T t:ReminderSet=0 t:ReminderTime=2026-01-09T08:00:00.000Z"),
     "[" TASK "none - none day 'T' busy=0 mine=?]"},
    /* series: the anchor, the last day, made anew when done, and one that has come to its end */
    {1141,
     ADD("t:Subject=T t:DueDate=2026-01-05T00:00:00.000Z t:StartDate=2026-01-05T00:00:00.000Z t:Recurrence(Type=1 "
         "Start=2026-01-05T00:00:00.000Z Until=2026-02-05T00:00:00.000Z Interval=2 DayOfWeek=2 FirstDayOfWeek=1)"),
     "[" TASK "2026-01-05T00:00:00Z - 2026-01-05T00:00:00Z day 'T' busy=0 mine=? every 2 weekly days=2 "
     "until=2026-02-05T00:00:00Z]"},
    {1141, ADD("t:Subject=T t:Recurrence(Type=0 Start=2026-01-05T00:00:00.000Z Regenerate=1 Interval=3)"),
     "[" TASK "2026-01-05T00:00:00Z - none day 'T' busy=0 mine=? every 3 daily regenerates]"},
    {1141, ADD("t:Subject=T t:Recurrence(Type=0 Start=2026-01-04T23:00:00.000Z)"),
     "[" TASK "2026-01-05T00:00:00Z - none day 'T' busy=0 mine=? every 1 daily]"},
    {1141, ADD("t:Subject=T t:DueDate=20260110T000000Z t:Recurrence(Type=5 DayOfMonth=10 MonthOfYear=1)"),
     "[" TASK "none - 2026-01-10T00:00:00Z day 'T' busy=0 mine=? every 1 yearly day=10 month=1]"},
    {1141, ADD("t:Subject=T t:Recurrence(Type=0)"), "[" TASK "none - none day 'T' busy=0 mine=?]"},
    {1141, ADD("t:Subject=T t:StartDate=20260105T000000Z t:Recurrence(Type=0 DeadOccur=1)"),
     "[" TASK "2026-01-05T00:00:00Z - none day 'T' busy=0 mine=?]"},
    {1161, ADD("t:Complete=0"), "[" TASK "none - none day busy=0 mine=?]"},
    {1161, ADD("Email:Read=1"), "[fetch 5:1]"},
};

static void test_tasks(void **state)
{
    (void)state;
    CHECK_ALL(tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_singles),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
