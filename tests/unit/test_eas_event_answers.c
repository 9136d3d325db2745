/* SPDX-License-Identifier: Apache-2.0 */
/* Events in ActiveSync's answers: asked for by id, too big, cut off, and what a change of ours is answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/eas_event_kit.h"

/* --- answers to what was asked for by id ---------------------------------------------------------------------------
 */

#define ITEMS(inside)  "ItemOperations:ItemOperations(Status=1 Response(" inside "))"
#define ITEM(id, more) "Fetch(Status=1 AirSync:ServerId=" id " Properties(" TIMES more "))"

static const struct {
    const char *doc,
        *expected; /* of "a", an item, and "b", whose HTML is missing; a second answer where it begins anew */
} fetches[] = {
    {ITEMS(ITEM("b", "b:Body(Type=2 Data='<p>x')") " " ITEM("a", "")), "a: " AT_9 "; b: B html'<p>x'; "},
    {ITEMS(ITEM("a", "b:Body(Type=1 Data=t) b:NativeBodyType=2")), "a: html " AT_9 " text't'; b: html B; "},
    {ITEMS("Fetch(Status=6 AirSync:ServerId=a) Fetch(Status=6 AirSync:ServerId=b)"), "a: not-found; b: not-found; "},
    {ITEMS("Fetch(Status=14 AirSync:ServerId=a) Fetch(Status=14 AirSync:ServerId=b)"), "a: protocol; b: B; "},
    {ITEMS("Fetch(Status=1 AirSync:ServerId=a Properties(c:Subject=x)) " ITEM("c", "")), "a: protocol; b: html B; "},
    {ITEMS("Fetch(Status=1 Properties(" TIMES "))"), "a: " AT_9 "; b: html B; "}, /* without an id: in their order */
    {ITEMS("Fetch(Status=3 AirSync:ServerId=a) " ITEM("a", "") " " ITEM("b", "b:Body(Type=2)")), "a: offline; b: B; "},
    {"Sync(Collections(Collection(SyncKey=2 Status=1 Responses(Fetch(ServerId=a Status=1 ApplicationData(" TIMES ")) "
     "Fetch(ServerId=b Status=8)))))",
     "a: " AT_9 "; b: not-found; "},
};

static void say_got(struct buf *out, const struct eas_got *got)
{
    buf_printf(out, "%.*s: ", STR_ARG(got->id));
    if (got->err.code != ERR_NONE)
        buf_lit(out, err_name(got->err.code));
    else if (got->need == EAS_NEED_ITEM)
        buf_lit(out, "nothing");
    else {
        buf_lit(out, got->need == EAS_NEED_HTML ? "html " : "");
        if (str_is(got->id, "b"))
            buf_lit(out, "B");
        else
            eas_kit_say_event(out, got->event);
        if (str_is(got->id, "b"))
            eas_kit_say_text(out, "html", got->event->fields.html);
    }
    buf_lit(out, "; ");
}

static void test_fetches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++) {
        struct eas_sync_options options = eas_kit_options(141, false);
        struct buf doc = BUF_INIT(0);
        bool sync = strncmp(fetches[i].doc, "Sync", 4) == 0;

        eas_kit_document(&doc, fetches[i].doc);
        for (size_t step = 1; step <= doc.n; step += step < 8 ? 1 : doc.n) {
            struct arena arena = {0};
            struct event known = {.fields = {.text = STR("text")}};
            struct eas_got a = {.id = STR("a"), .need = EAS_NEED_ITEM},
                           b = {.id = STR("b"), .need = EAS_NEED_HTML, .event = &known}, *asked[] = {&a, &b};
            struct eas_event_answer answer = {0};
            struct eas_answer reading;
            struct buf got = BUF_INIT(0);
            struct err err = {0};

            eas_event_answer_begin(&answer, &arena, &options, asked, 2);
            eas_answer_init(&reading, sync ? eas_event_fetch_rules : eas_event_items_rules, &answer);
            if (!eas_kit_feed(&reading, buf_view(&doc), step, &err))
                fail_msg("%s: %s", fetches[i].doc, err.text);
            say_got(&got, &a);
            say_got(&got, &b);
            if (strcmp(buf_z(&got), fetches[i].expected) != 0)
                fail_msg("%s\ngives    %s\nand not  %s", fetches[i].doc, buf_z(&got), fetches[i].expected);
            eas_answer_done(&reading);
            eas_event_answer_done(&answer);
            arena_done(&arena);
            buf_done(&got);
        }
        buf_done(&doc);
    }
}

/* --- bounds ------------------------------------------------------------------------------------------------------ */

static void test_bounds(void **state)
{
    static const enum eas_tag around[] = {AirSync_Sync, AirSync_Collections, AirSync_Collection, AirSync_Commands,
                                          AirSync_Add};
    struct eas_sync_options options = eas_kit_options(141, false);
    struct eas_sync_page *page = eas_sync_page_new(&options);
    struct buf doc = BUF_INIT(0), text = BUF_INIT(0);
    const struct event *e;
    struct eas_writer w;
    struct eas_answer a;
    struct err err = {0};

    (void)state;
    buf_fill(&text, 'x', EAS_EVENT_BODY_MAX + 10);
    eas_writer_init(&w, &doc);
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
        eas_write_open(&w, around[i]);
    eas_write_text(&w, AirSync_ServerId, STR("5:1"));
    eas_write_open(&w, AirSync_ApplicationData);
    eas_write_text(&w, Calendar_StartTime, STR("20260105T080000Z"));
    eas_write_text(&w, Calendar_Subject, str_sub(buf_view(&text), 0, EAS_EVENT_TEXT_MAX + 10));
    eas_write_open(&w, AirSyncBase_Body);
    eas_write_uint(&w, AirSyncBase_Type, 1);
    eas_write_text(&w, AirSyncBase_Data, buf_view(&text));
    eas_write_close(&w);
    eas_write_open(&w, Calendar_Attendees);
    for (int i = 0; i < EVENT_ATTENDEES_MAX + 5; i++) {
        eas_write_open(&w, Calendar_Attendee);
        eas_write_text(&w, Calendar_Email, STR("a@b"));
        eas_write_close(&w);
    }
    eas_write_close(&w);
    eas_write_open(&w, Calendar_Recurrence);
    eas_write_uint(&w, Calendar_Type, 0);
    eas_write_close(&w);
    eas_write_open(&w, Calendar_Exceptions);
    for (int i = 0; i < EVENT_EXCEPTIONS_MAX + 5; i++) {
        char original[32];

        snprintf(original, sizeof(original), "2026010%dT0%d%02d%02dZ", i / 3000 + 5, i / 600 % 6, i / 60 % 60, i % 60);
        eas_write_open(&w, Calendar_Exception);
        eas_write_uint(&w, Calendar_Deleted, 1);
        eas_write_text(&w, Calendar_ExceptionStartTime, str_from(original));
        eas_write_close(&w);
    }
    while (w.depth > 0)
        eas_write_close(&w);
    assert_false(doc.failed);
    eas_answer_init(&a, eas_sync_event_rules, page);
    assert_true(eas_kit_feed(&a, buf_view(&doc), 4096, &err));
    assert_int_equal(page->count, 1);
    e = page->items[0].event;
    assert_int_equal(e->fields.text.n, EAS_EVENT_BODY_MAX);
    assert_int_equal(e->fields.subject.n, EAS_EVENT_TEXT_MAX);
    assert_int_equal(e->fields.attendee_count, EVENT_ATTENDEES_MAX);
    assert_int_equal(e->exception_count, EVENT_EXCEPTIONS_MAX);
    eas_answer_done(&a);
    buf_done(&doc);
    buf_done(&text);
    eas_sync_page_free(&page);
}

/* An answer that breaks within an event: the item is known by its id, and is to be fetched. */
static void test_quarantine(void **state)
{
    struct eas_sync_options options = eas_kit_options(141, false);
    struct eas_sync_page *page = eas_sync_page_new(&options);
    struct buf doc = BUF_INIT(0), got = BUF_INIT(0);
    struct eas_answer a;
    struct err err = {0};

    (void)state;
    eas_kit_document(&doc, PAGE("Add(ServerId=5:0 ApplicationData(" TIMES ")) Add(ServerId=5:1 ApplicationData(" TIMES
                                "b:Body(Type=1 Data=xyz)))"));
    eas_answer_init(&a, eas_sync_event_rules, page);
    assert_true(eas_answer_feed(&a, str_sub(buf_view(&doc), 0, str_find(buf_view(&doc), STR("xyz"))), &err));
    assert_false(eas_answer_end(&a, &err));
    assert_true(eas_sync_page_quarantine(page));
    eas_kit_say_page(&got, page);
    assert_string_equal(buf_z(&got), "[" AT_9 "][fetch 5:1]");
    eas_answer_done(&a);
    buf_done(&doc);
    buf_done(&got);
    eas_sync_page_free(&page);
}

/* The answer to an Add of ours (16.x), and to a change of one occurrence. */
static void test_responses(void **state)
{
    struct eas_sync_options options = eas_kit_options(161, false);
    struct eas_sync_page *page = eas_sync_page_new(&options);
    struct buf doc = BUF_INIT(0);
    struct eas_answer a;
    struct err err = {0};

    (void)state;
    eas_kit_document(&doc,
                     "Sync(Collections(Collection(SyncKey=3 Status=1 Responses(Add(ClientId=c ServerId=5:9 Status=1 "
                     "ApplicationData(c:UID=made)) Change(ServerId=5:1 b:InstanceId=20260107T080000Z Status=6)))))");
    eas_answer_init(&a, eas_sync_event_rules, page);
    assert_true(eas_kit_feed(&a, buf_view(&doc), 1, &err));
    assert_int_equal(page->response_count, 2);
    assert_true(str_is(page->responses[0].uid, "made"));
    assert_true(str_is(page->responses[0].id, "5:9"));
    assert_int_equal(page->responses[1].status, 6);
    assert_true(str_is(page->responses[1].instance, "20260107T080000Z"));
    assert_int_equal(page->responses[1].uid.n, 0);
    eas_answer_done(&a);
    buf_done(&doc);
    eas_sync_page_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetches),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
