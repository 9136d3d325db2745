/* SPDX-License-Identifier: Apache-2.0 */
/* iCalendar objects: nothing of a client's is lost on the way; messages about meetings; objects that end too soon. */
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
        ical_kit_read(&a, EVENT, clients[i], &e, &extras);
        ical_write(&out, &e, &ical_kit_options, extras);
        for (size_t k = 0; k < out.n; k++) {
            if (out.p[k] == '\r')
                k += k + 2 < out.n && out.p[k + 2] == ' ' ? 2 : 0;
            if (out.p[k] != '\r' && !(k >= 2 && out.p[k - 1] == '\n' && out.p[k] == ' '))
                buf_byte(&unfolded, out.p[k]);
        }
        while (str_cut(&rest, '\n', &line))
            if (line.n && str_find(buf_view(&unfolded), line) == (size_t)-1)
                fail_msg("lost: %.*s in\n%s", STR_ARG(line), buf_z(&unfolded));
        assert_true(ical_read(buf_view(&out), &ical_kit_options, &a, &back, &again, &problem));
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
    ical_kit_read(&a, EVENT, "DTSTART;VALUE=DATE:20260105\nDURATION:PT0S\n", &e, &extras);
    assert_int_equal(e.fields.end, ical_kit_at("2026-01-06"));
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
    ical_kit_read(&a, EVENT,
                  "SUMMARY;LANGUAGE=de:old\nPRIORITY:3\nRRULE:FREQ=DAILY;WKST=SU\nX-KEEP:1\n" ALARM(
                      "ACTION:DISPLAY\nTRIGGER:-PT15M\nX-OLD:1\n") ALARM("ACTION:DISPLAY\nTRIGGER:-PT30M\n"),
                  &e, &extras);
    e.fields.subject = STR("new");
    e.fields.importance = EVENT_LOW;
    e.fields.has_reminder = false;
    e.recurrence.interval = 2;
    ical_write(&out, &e, &ical_kit_options, extras);
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
        ical_kit_read(&a, e.kind == EVENT_TASK ? TODO : EVENT, clients[random_below(&r, COUNT(clients))], &client,
                      &extras);
        ical_write(&out, &e, &ical_kit_options, extras);
        if (!ical_read(buf_view(&out), &ical_kit_options, &a, &back, &once, &problem))
            fail_msg("event %d: %s\n%s", i, problem.text, buf_z(&out));
        unsigned differ = event_differ(&e, &back);
        if (differ)
            fail_msg("event %d: %x\n%.1500s", i, differ, buf_z(&out));
        ical_write(&again, &back, &ical_kit_options, once);
        assert_true(ical_read(buf_view(&again), &ical_kit_options, &a, &back, &twice, &problem));
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
    ical_kit_read(&a, TODO, "DTSTART;TZID=Europe/Berlin:20260105T230000\nDURATION:PT2H\n", &e, &extras);
    assert_int_equal(e.fields.end, ical_kit_at("2026-01-06"));
    ical_write(&out, &e, &ical_kit_options, extras);
    assert_int_not_equal(str_find(buf_view(&out), STR("DTSTART;TZID=Europe/Berlin:20260105T230000\r\n"
                                                      "DUE;TZID=Europe/Berlin:20260106T010000\r\n")),
                         (size_t)-1);
    assert_true(ical_read(buf_view(&out), &ical_kit_options, &a, &back, &again, &problem));
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
    ical_kit_read(&a, TODO,
                  "DTSTART;TZID=America/New_York:20260105T230000\nDUE;TZID=America/New_York:20260106T010000\n"
                  "COMPLETED:20260105T233000Z\nSTATUS:COMPLETED\n" ALARM("ACTION:DISPLAY\nTRIGGER;RELATED=END:-PT1H\n"),
                  &e, &extras);
    assert_int_equal(e.fields.start, ical_kit_at("2026-01-05"));
    assert_int_equal(e.fields.end, ical_kit_at("2026-01-06"));
    assert_int_equal(e.task.completed, ical_kit_at("2026-01-06")); /* in Berlin it was half past midnight */
    assert_int_equal(e.task.percent, 100);
    assert_int_equal(e.task.reminder_at, ical_kit_at("2026-01-05T22:00:00Z"));
    ical_write(&out, &e, &ical_kit_options, extras);
    static const char *const there[] = {"DUE;TZID=America/New_York:20260106T010000\r\n",
                                        "COMPLETED:20260105T233000Z\r\n", "TZID:America/New_York\r\n",
                                        "TRIGGER;RELATED=END:-PT1H\r\n"};
    for (size_t i = 0; i < COUNT(there); i++)
        assert_int_not_equal(str_find(buf_view(&out), str_from(there[i])), (size_t)-1);
    e.fields.end = ical_kit_at("2026-01-09"); /* the server has another due date: hours are gone from both */
    buf_reset(&out);
    ical_write(&out, &e, &ical_kit_options, extras);
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
    ical_kit_read(
        &a, EVENT,
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
    ical_kit_read(
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
    struct ical_message m = {.method = ICAL_REQUEST, .to = to, .to_count = 2, .stamped = ical_kit_at("2026-01-01")};
    struct ical_invitation got;
    struct ical_problem problem;
    struct err err;
    struct buf out = BUF_INIT(0);
    assert_true(ical_write_message(&out, &e, &m, &ical_kit_options, &err));
    static const char *const gone[] = {"VALARM", "CATEGORIES", "X-EXBRIDGE"};
    for (size_t i = 0; i < COUNT(gone); i++)
        assert_int_equal(str_find(buf_view(&out), str_from(gone[i])), (size_t)-1);
    assert_true(ical_read_message(buf_view(&out), &ical_kit_options, &a, &got, &problem));
    assert_int_equal(got.method, ICAL_REQUEST);
    assert_true(got.event.has_recurrence && got.event.sequence == 2 && got.event.response_requested);
    assert_int_equal(got.event.fields.attendee_count, 2);
    /* One occurrence is called off. */
    m = (struct ical_message){.method = ICAL_CANCEL,
                              .to = to,
                              .to_count = 2,
                              .has_instance = true,
                              .instance = ical_kit_at("2026-01-12T09:00:00Z")};
    buf_reset(&out);
    assert_true(ical_write_message(&out, &e, &m, &ical_kit_options, &err));
    assert_true(ical_read_message(buf_view(&out), &ical_kit_options, &a, &got, &problem));
    assert_true(got.method == ICAL_CANCEL && got.has_instance && got.instance == m.instance);
    assert_true(got.event.fields.cancelled && got.event.fields.start == m.instance);
    m.instance++;
    assert_false(ical_write_message(&out, &e, &m, &ical_kit_options, &err));
    /* Somebody is uninvited: the meeting itself is not called off. */
    m = (struct ical_message){.method = ICAL_CANCEL, .to = to, .to_count = 1};
    buf_reset(&out);
    assert_true(ical_write_message(&out, &e, &m, &ical_kit_options, &err));
    assert_int_equal(str_find(buf_view(&out), STR("STATUS:CANCELLED")), (size_t)-1);
    assert_int_equal(str_find(buf_view(&out), STR("b@example.com")), (size_t)-1);
    /* An answer. */
    m = (struct ical_message){.method = ICAL_REPLY,
                              .from_email = STR("a@example.com"),
                              .response = EVENT_DECLINED,
                              .comment = STR("no, thanks")};
    buf_reset(&out);
    assert_true(ical_write_message(&out, &e, &m, &ical_kit_options, &err));
    assert_true(ical_read_message(buf_view(&out), &ical_kit_options, &a, &got, &problem));
    assert_true(got.method == ICAL_REPLY && got.response == EVENT_DECLINED && str_is(got.comment, "no, thanks"));
    assert_true(str_is(got.from_email, "a@example.com") && str_is(got.event.organizer_email, "me@example.com"));
    m.response = EVENT_NO_RESPONSE;
    assert_false(ical_write_message(&out, &e, &m, &ical_kit_options, &err));
    /* Outlook's answers have no times. */
    assert_true(ical_read_message(STR("BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\nATTENDEE;PARTSTAT=ACCEPTED:"
                                      "mailto:a@example.com\nEND:VEVENT\nEND:VCALENDAR\n"),
                                  &ical_kit_options, &a, &got, &problem));
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
    struct str text = ical_kit_object(&a, EVENT,
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
        assert_int_equal(ical_read(str_of(copy, n), &ical_kit_options, &scratch, &e, &extras, &problem),
                         n == text.n - 1);
        ical_read_message(str_of(copy, n), &ical_kit_options, &scratch, &got, &problem);
        free(copy);
        arena_done(&scratch);
    }
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
