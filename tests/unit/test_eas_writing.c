/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of changing things over ActiveSync: records of batches, what the answers say, who has his turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_move_read.h"
#include "backends/eas/eas_queue.h"
#include "backends/eas/eas_record.h"
#include "tests/unit/eas_doc.h"

/* --- records ----------------------------------------------------------------------------------------------------- */

static void same(struct str got, const char *wanted)
{
    if (!str_is(got, wanted))
        fail_msg("'%.*s' is not '%s'", STR_ARG(got), wanted);
}

static void record_comes_back(void **state)
{
    size_t failed[] = {0, 7, 31};
    struct eas_record r = {.from = STR("1 16.1 2 0 key with blanks"),
                           .key = STR("{guid}17"),
                           .wire = true,
                           .request = STR("\x03\x01\x6A\x00\n\n\0bytes"),
                           .failed = failed,
                           .failed_count = 3,
                           .client_id = STR("c0ffee"),
                           .added_id = STR("5:77 and more"),
                           .added_flags = ITEM_SEEN | ITEM_DRAFT};
    struct arena arena = {0};
    struct buf out = BUF_INIT(0);
    struct eas_record got;

    (void)state;
    eas_record_write(&r, &out);
    assert_false(out.failed);
    assert_true(eas_record_read(&got, buf_view(&out), &arena));
    assert_true(str_eq(got.from, r.from) && str_eq(got.key, r.key) && str_eq(got.request, r.request));
    assert_true(got.wire);
    assert_int_equal(got.failed_count, 3);
    assert_memory_equal(got.failed, failed, sizeof(failed));
    same(got.client_id, "c0ffee");
    same(got.added_id, "5:77 and more");
    assert_int_equal(got.added_flags, ITEM_SEEN | ITEM_DRAFT);
    for (size_t n = 0; n < out.n; n++) { /* cut anywhere: no record, or one with a shorter request */
        struct arena small = {0};

        if (eas_record_read(&got, str_sub(buf_view(&out), 0, n), &small) && got.request.n >= r.request.n)
            fail_msg("cut at %zu", n);
        arena_done(&small);
    }
    buf_done(&out);
    arena_done(&arena);
}

/* Of events the items are named, each once, the latest word counting; of very many the newest. */
static void record_of_events(void **state)
{
    struct eas_record r = {.from = STR("1 16.1 2 0 key"), .key = STR("17"), .event = true, .request = STR("bytes")};
    struct arena arena = {0};
    struct buf out = BUF_INIT(0);
    struct eas_record got;
    struct item_info *list;
    size_t n;

    (void)state;
    eas_record_touch(&r, STR("5:1"), false, &arena);
    eas_record_touch(&r, STR("5:2"), false, &arena);
    eas_record_touch(&r, STR("5:1"), true, &arena);
    eas_record_write(&r, &out);
    assert_true(eas_record_read(&got, buf_view(&out), &arena));
    assert_true(got.event);
    list = eas_record_effects(&got, 161, &arena, &n);
    assert_int_equal(n, 2);
    same(list[0].id, "5:2");
    assert_false(list[0].gone);
    same(list[1].id, "5:1");
    assert_true(list[1].gone);
    got.wire = true;
    eas_record_effects(&got, 161, &arena, &n);
    assert_int_equal(n, 0);
    for (unsigned i = 0; i < EAS_BATCH_MAX + 7; i++)
        eas_record_touch(&r, arena_printf(&arena, "6:%u", i), false, &arena);
    assert_int_equal(r.touched_count, EAS_BATCH_MAX);
    same(r.touched[0].id, "6:7");
    buf_done(&out);
    arena_done(&arena);
}

static void record_that_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "batch 1",
        "batch 2\nfrom a\nkey b\nwire 0\n\n",
        "batch 1\nfrom a\nkey b\nwire 0\n",
        "batch 1\nfrom a\nwire 0\n\n",
        "batch 1\nkey a\nwire 0\n\n",
        "batch 1\nfrom a\nkey b\nnonsense 0\n\n",
        "batch 1\nfrom a\nkey b\nfailed 1 x\n\n",
        "batch 1\nfrom a\nkey b\nfailed 2 1\n\n",
        "batch 1\nfrom a\nkey b\nfailed 1\nfailed 2\n\n",
        "batch 1\nfrom a\nkey b\nadded x y\n\n",
        "batch 1\nfrom a\001\nkey b\n\n",
        "batch 1\nfrom\nkey b\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena = {0};
        struct eas_record r;

        if (eas_record_read(&r, str_from(bad[i]), &arena))
            fail_msg("record %zu is taken", i);
        arena_done(&arena);
    }
}

static void describe(struct buf *out, const struct item_info *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%.*s%s %u/%u", STR_ARG(list[i].id), list[i].gone ? " gone" : "", list[i].flags,
                   list[i].flags_known);
        for (size_t c = 0; list[i].categories_known && c < list[i].category_count; c++)
            buf_printf(out, " #%.*s", STR_ARG(list[i].categories[c]));
        buf_lit(out, list[i].categories_known && list[i].category_count == 0 ? " #; " : "; ");
    }
}

static void describe_effects(struct buf *out, const struct eas_record *r, struct arena *arena)
{
    size_t count;
    const struct item_info *list = eas_record_effects(r, 161, arena, &count);

    describe(out, list, count);
}

static void effects_of_a_batch(void **state)
{
    static const char request[] =
        "Sync(Collections(Collection(SyncKey=k CollectionId=5 GetChanges=0 Options(FilterType=0) Commands("
        "Change(ServerId=5:1 ApplicationData(Email:Read=1))"
        "Change(ServerId=5:2 ApplicationData(Email:Flag(Email:Status=2 Email:FlagType=x)"
        " Email:Categories(Category=Red)))"
        "Change(ServerId=5:3 ApplicationData(Email:Flag Email:Categories))"
        "Delete(ServerId=5:4)))))";
    size_t failed[] = {1};
    struct arena arena = {0};
    struct buf doc = BUF_INIT(0), got = BUF_INIT(0);
    struct eas_record r = {0};
    size_t n;

    (void)state;
    eas_doc(&doc, "AirSync", request);
    r.request = buf_view(&doc);
    describe_effects(&got, &r, &arena);
    assert_string_equal(buf_z(&got), "5:1 1/1; 5:2 2/2 #Red; 5:3 0/2 #; 5:4 gone 0/0; ");
    buf_reset(&got);
    r.failed = failed;
    r.failed_count = 1;
    describe_effects(&got, &r, &arena);
    assert_string_equal(buf_z(&got), "5:1 1/1; 5:3 0/2 #; 5:4 gone 0/0; ");
    r.wire = true; /* not answered: nothing is known */
    eas_record_effects(&r, 161, &arena, &n);
    assert_int_equal(n, 0);
    r = (struct eas_record){.client_id = STR("c"), .added_id = STR("5:9"), .added_flags = ITEM_SEEN};
    buf_reset(&got);
    describe_effects(&got, &r, &arena);
    assert_string_equal(buf_z(&got), "5:9 17/19; ");
    r = (struct eas_record){.request = STR("\x03\x01\x6A\x00\x45")};
    eas_record_effects(&r, 161, &arena, &n);
    assert_int_equal(n, 0);
    buf_done(&doc);
    buf_done(&got);
    arena_done(&arena);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static bool read_doc(const char *space, const char *text, struct eas_rules rules, void *ud)
{
    struct buf doc = BUF_INIT(0);
    struct eas_answer a;
    bool ok = true;

    eas_doc(&doc, space, text);
    eas_answer_init(&a, rules, ud);
    for (size_t i = 0; ok && i < doc.n; i++)
        ok = eas_answer_feed(&a, str_sub(buf_view(&doc), i, 1), NULL);
    ok = ok && eas_answer_end(&a, NULL);
    eas_answer_done(&a);
    buf_done(&doc);
    return ok;
}

static void responses_to_commands(void **state)
{
    static const struct eas_sync_options options = {.tmp_dir = "/tmp", .message_limit = 1000, .version = 161};
    struct eas_sync_page *page = eas_sync_page_new(&options);

    (void)state;
    assert_true(
        read_doc("AirSync",
                 "Sync(Collections(Collection(SyncKey=k2 CollectionId=5 Status=1 Responses("
                 "Change(ServerId=5:1 Status=7) Change(Status=6 ServerId=5:2 ApplicationData(Email:Read=1))"
                 "Delete(ServerId=5:3 Status=8) Add(ClientId=c1 ServerId=5:9 Status=1) Add(ClientId=c2 Status=x)"
                 "Fetch(ServerId=5:4 Status=1)) Commands(Change(ServerId=5:7 ApplicationData(Email:Read=0))))))",
                 eas_sync_rules, page));
    assert_int_equal(page->response_count, 5);
    assert_int_equal(page->responses[0].status, 7);
    same(page->responses[1].id, "5:2");
    assert_int_equal(page->responses[1].status, 6);
    assert_int_equal(page->responses[2].command, AirSync_Delete);
    same(page->responses[3].client_id, "c1");
    same(page->responses[3].id, "5:9");
    assert_int_equal(page->responses[4].status, -1);
    assert_int_equal(page->count, 1); /* responses are no commands */
    same(page->items[0].id, "5:7");
    eas_sync_page_free(&page);
}

static void answers_to_moves(void **state)
{
    static const struct str ids[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"a", 1}};
    struct arena arena = {0};
    struct eas_move_answer m = {.arena = &arena};

    (void)state;
    eas_move_answer_begin(&m, ids, 4);
    assert_true(read_doc("Move",
                         "MoveItems(Response(SrcMsgId=b Status=3 DstMsgId=9:2) Response(Status=1 SrcMsgId=a)"
                         " Response(SrcMsgId=z Status=3 DstMsgId=9:9) Response(Status=3 DstMsgId=9:8)"
                         " Response(SrcMsgId=a Status=5))",
                         eas_move_rules, &m));
    assert_int_equal(m.list[0].status, 1);
    assert_int_equal(m.list[1].status, EAS_MOVE_OK);
    same(m.list[1].new_id, "9:2");
    assert_int_equal(m.list[2].status, 0); /* nothing was said about it */
    assert_int_equal(m.list[3].status, 5);
    arena_done(&arena);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void frames_around_content(void **state)
{
    static const char content[] = "From: a\r\n\r\nb";
    struct buf whole = BUF_INIT(0), framed = BUF_INIT(0);
    struct eas_writer w;

    (void)state;
    eas_writer_init(&w, &whole);
    eas_write_opaque(&w, ComposeMail_Mime, STR(content));
    eas_write_text(&w, AirSyncBase_Data, STR(content));
    eas_writer_init(&w, &framed);
    eas_write_opaque_begin(&w, ComposeMail_Mime, sizeof(content) - 1);
    buf_lit(&framed, content);
    eas_write_opaque_end(&w);
    eas_write_text_begin(&w, AirSyncBase_Data);
    buf_lit(&framed, content);
    eas_write_text_end(&w);
    assert_true(str_eq(buf_view(&whole), buf_view(&framed)));
    eas_write_opaque_begin(&w, ComposeMail_Mime, (uint64_t)1 << 32);
    assert_true(framed.failed);
    buf_done(&whole);
    buf_done(&framed);
}

/* --- turns ------------------------------------------------------------------------------------------------------- */

struct guest {
    struct eas_turn turn;
    struct buf *log;
    char name;
    bool stays;
};

static void on_turn(void *ud)
{
    struct guest *g = ud;

    buf_byte(g->log, g->name);
    if (!g->stays)
        eas_turn_end(&g->turn);
}

static void turns(void **state)
{
    struct loop *loop = loop_new();
    struct buf log = BUF_INIT(0);
    struct guest a = {.log = &log, .name = 'a', .stays = true}, b = {.log = &log, .name = 'b'},
                 c = {.log = &log, .name = 'c'}, d = {.log = &log, .name = 'd'}, e = {.log = &log, .name = 'e'};
    struct eas_queue q;

    (void)state;
    eas_queue_init(&q, loop);
    eas_turn_wait(&a.turn, &q, false, on_turn, &a);
    assert_int_equal(log.n, 0); /* not from inside */
    loop_turn(loop);
    eas_turn_wait(&b.turn, &q, false, on_turn, &b);
    eas_turn_wait(&c.turn, &q, true, on_turn, &c);
    eas_turn_wait(&d.turn, &q, true, on_turn, &d);
    eas_turn_wait(&e.turn, &q, false, on_turn, &e);
    eas_turn_end(&e.turn); /* had enough of waiting */
    for (int i = 0; i < 3; i++)
        loop_turn(loop);
    assert_string_equal(buf_z(&log), "a");
    eas_turn_end(&a.turn);
    assert_int_equal(log.n, 1);
    for (int i = 0; i < 10 && log.n < 4; i++)
        loop_turn(loop);
    assert_string_equal(buf_z(&log), "acdb");
    eas_turn_end(&a.turn);
    eas_queue_done(&q);
    loop_free(loop);
    buf_done(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_comes_back),     cmocka_unit_test(record_of_events),
        cmocka_unit_test(record_that_is_none),   cmocka_unit_test(effects_of_a_batch),
        cmocka_unit_test(responses_to_commands), cmocka_unit_test(answers_to_moves),
        cmocka_unit_test(frames_around_content), cmocka_unit_test(turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
