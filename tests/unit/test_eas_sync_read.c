/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to Sync and ItemOperations, as tables of documents and what is understood of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/eas/eas_items_read.h"
#include "backends/eas/eas_multipart.h"
#include "backends/eas/eas_sync_read.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "tests/unit/eas_doc.h"

static const struct eas_sync_options options = {
    .tmp_dir = "/tmp", .message_limit = 100000, .truncation = 40, .version = 161};

static void describe_blob(struct buf *out, const char *what, const struct blob *blob)
{
    struct str view;

    if (!blob)
        return;
    assert_true(blob_view(blob, &view));
    buf_printf(out, " %s=", what);
    for (size_t i = 0; i < view.n; i++)
        buf_byte(out, view.p[i] == '\r' ? '/' : view.p[i] == '\n' ? '|' : view.p[i]);
}

static void describe_item(struct buf *out, const struct item_info *i)
{
    static const char letters[] = "SFARD";

    buf_printf(out, "[%.*s", STR_ARG(i->id));
    if (i->gone)
        buf_lit(out, " gone");
    if (i->left_window)
        buf_lit(out, " left");
    if (i->content_changed)
        buf_lit(out, " new-content");
    if (i->flags_known)
        buf_byte(out, ' ');
    for (unsigned bit = 0; bit < 5; bit++)
        if (i->flags_known & 1u << bit)
            buf_printf(out, "%c%c", i->flags & 1u << bit ? '+' : '-', letters[bit]);
    for (size_t c = 0; i->categories_known && c < i->category_count; c++)
        buf_printf(out, " #%.*s", STR_ARG(i->categories[c]));
    if (i->categories_known && i->category_count == 0)
        buf_lit(out, " #");
    if (i->received_ms != TIME_NONE && i->received_ms < time_wall_ms() - 3600000) /* else it is "now" */
        buf_printf(out, " at=%lld", (long long)i->received_ms);
    if (i->size_estimate)
        buf_printf(out, " size%s%llu", i->size_exact ? "=" : "~", (unsigned long long)i->size_estimate);
    if (i->subject.n)
        buf_printf(out, " '%.*s'", STR_ARG(i->subject));
    describe_blob(out, "header", i->header);
    describe_blob(out, "message", i->message);
    buf_byte(out, ']');
}

static void describe_page(struct buf *out, const struct eas_sync_page *page)
{
    buf_printf(out, "key=%.*s status=%d%s ", STR_ARG(page->key), page->status, page->more ? " more" : "");
    for (size_t i = 0; i < page->count; i++)
        describe_item(out, &page->items[i]);
    for (size_t i = 0; i < page->invitation_count; i++)
        buf_printf(out, " %.*s invites to %.*s", STR_ARG(page->invitations[i].id), STR_ARG(page->invitations[i].uid));
}

struct example {
    const char *doc, *expected;
};

#define PAGE(inside) "Sync(Collections(Collection(SyncKey=k2 CollectionId=5 Status=1 " inside ")))"
#define ADD(data)    PAGE("Commands(Add(ServerId=5:1 ApplicationData(" data ")))")
#define CHANGE(data) PAGE("Commands(Change(ServerId=5:1 ApplicationData(" data ")))")
#define GOT(item)    "key=k2 status=1 " item

/* An invitation's class, and the beginning of its GlobalObjId: up to the length of what follows. */
#define REQUEST "Email:MessageClass=IPM.Schedule.Meeting.Request "
#define GOID    "BAAAAIIA4AB0xbcQGoLgCAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct example examples[] = {
    {PAGE(""), GOT("")},
    {PAGE("MoreAvailable"), "key=k2 status=1 more "},
    {PAGE("Commands(Delete(ServerId=5:1)) MoreAvailable"), "key=k2 status=1 more [5:1 gone]"},
    {"Sync(Status=1 Collections(Collection(Status=3 SyncKey=0)))", "key=0 status=3 "},
    {"Sync(Collections(Collection(Status=12)))", "key= status=12 "},
    {"Sync(Collections(Collection(Status=x SyncKey=1)))", "key=1 status=-1 "},
    {"Sync", "key= status=0 "},
    {ADD("Email:Read=1 Email:Subject=Hi Email:DateReceived=2026-01-05T08:00:00.500Z"),
     GOT("[5:1 +S-F-D # at=1767600000500 'Hi']")},
    {ADD(""), GOT("[5:1 -S-F-D #]")},
    {ADD("Email:DateReceived=never"), GOT("[5:1 -S-F-D #]")},
    {CHANGE("Email:Read=0"), GOT("[5:1 -S]")},
    {CHANGE("Email:Read=1"), GOT("[5:1 +S]")},
    {CHANGE("Email:Flag(Email:Status=2 Email:FlagType=x)"), GOT("[5:1 +F]")},
    {CHANGE("Email:Flag(Email:Status=1)"), GOT("[5:1 -F]")},
    {CHANGE("Email:Flag"), GOT("[5:1 -F]")},
    {CHANGE("Email:Flag()"), GOT("[5:1 -F]")},
    {CHANGE("Email:Categories"), GOT("[5:1 #]")},
    {CHANGE("Email:Categories(Category=Red Category='Dark blue' Category)"), GOT("[5:1 #Red #Dark blue]")},
    {CHANGE("Email2:LastVerbExecuted=1"), GOT("[5:1 +A]")},
    {CHANGE("Email2:LastVerbExecuted=2"), GOT("[5:1 +A]")},
    {CHANGE("Email2:LastVerbExecuted=3"), GOT("[5:1 +R]")},
    {CHANGE("Email2:LastVerbExecuted=0"), GOT("[5:1 -A-R]")},
    {CHANGE("Email2:IsDraft=1 AirSyncBase:Body(Type=4 Data='A: b\r\n\r\nc')"),
     GOT("[5:1 new-content +D size=9 message=A: b/|/|c]")},
    {CHANGE("Email:Read=1 AirSyncBase:Body(Type=4 Data='A: b\r\n\r\nc')"), GOT("[5:1 +S size=9 message=A: b/|/|c]")},
    {PAGE("Commands(SoftDelete(ServerId=5:1))"), GOT("[5:1 left]")},
    {ADD("AirSyncBase:Body(Type=4 EstimatedDataSize=5000 Truncated=1 Data='A: b\r\nC: d\r\n\r\nxyz')"),
     GOT("[5:1 -S-F-D # size~5000 header=A: b/|C: d/|/|]")},
    /* the order of the elements does not matter */
    {ADD("AirSyncBase:Body(Data='A: b\r\n\r\nxyz' Truncated=1 EstimatedDataSize=5000 Type=4)"),
     GOT("[5:1 -S-F-D # size~5000 header=A: b/|/|]")},
    /* the header is longer than what came */
    {ADD("AirSyncBase:Body(Type=4 EstimatedDataSize=5000 Truncated=1 Data='A: b\r\nC: d')"),
     GOT("[5:1 -S-F-D # size~5000]")},
    /* cut without a word: exactly as long as was asked for (40) */
    {ADD("AirSyncBase:Body(Type=4 EstimatedDataSize=5000 Data='A: b\r\n\r\n89012345678901234567890123456789')"),
     GOT("[5:1 -S-F-D # size~5000 header=A: b/|/|]")},
    {ADD("AirSyncBase:Body(Type=4 EstimatedDataSize=40 Data='A: b\r\n\r\n89012345678901234567890123456789')"),
     GOT("[5:1 -S-F-D # size=40 message=A: b/|/|89012345678901234567890123456789]")},
    /* the estimate is of the piece, not of the message */
    {ADD("AirSyncBase:Body(Type=4 EstimatedDataSize=44 Truncated=1 Data='A: b\r\n\r\nxyz')"),
     GOT("[5:1 -S-F-D # header=A: b/|/|]")},
    /* no MIME: nothing to serve from */
    {ADD("AirSyncBase:Body(Type=1 EstimatedDataSize=5 Data=hello)"), GOT("[5:1 -S-F-D #]")},
    {ADD("AirSyncBase:Body(Type=4 EstimatedDataSize=5)"), GOT("[5:1 -S-F-D # size~5]")},
    /* local line ends, converted on the way; CRLF with a stray LF, kept */
    {ADD("AirSyncBase:Body(Type=4 Data='A: b\nC: d\n\nx\n')"), GOT("[5:1 -S-F-D # size=17 message=A: b/|C: d/|/|x/|]")},
    {ADD("AirSyncBase:Body(Type=4 Data='A: b\r\n\r\nx\ny\r\n')"), GOT("[5:1 -S-F-D # size=13 message=A: b/|/|x|y/|]")},
    /* invitations: of a client's making, of Exchange's (the date is of an occurrence), to an occurrence, broken ones */
    {ADD(REQUEST "Email:MeetingRequest(InstanceType=1 GlobalObjId='" GOID "EgAAAHZDYWwtVWlkAQAAAHUtMUB4AA==')"),
     GOT("[5:1 -S-F-D #] 5:1 invites to u-1@x")},
    {ADD("Email:MeetingRequest(GlobalObjId='"
         "BAAAAIIA4AB0xbcQGoLgCAfqDAEAAAAAAAAAAAAAAAAAAAAAEAAAAAABAgMEBQYHCAkKCwwNDg8=') " REQUEST),
     GOT("[5:1 -S-F-D #] 5:1 invites to "
         "040000008200e00074c5b7101a82e008000000000000000000000000000000000000000010000000000102030405060708090a0b0c0d0"
         "e0f")},
    {ADD(REQUEST "Email:MeetingRequest(GlobalObjId='" GOID "9AEAAHZDYWwtVWlkAQAAAGFiYwA=')"),
     GOT("[5:1 -S-F-D #] 5:1 invites to "
         "040000008200e00074c5b7101a82e0080000000000000000000000000000000000000000f40100007643616c2d5569640100000061626"
         "300")},
    {ADD(REQUEST "Email:MeetingRequest(InstanceType=3 GlobalObjId='" GOID "EgAAAHZDYWwtVWlkAQAAAHUtMUB4AA==')"),
     GOT("[5:1 -S-F-D #]")},
    {ADD("Email:MessageClass=IPM.Schedule.Meeting.Canceled Email:MeetingRequest(GlobalObjId='" GOID
         "EgAAAHZDYWwtVWlkAQAAAHUtMUB4AA==')"),
     GOT("[5:1 -S-F-D #]")},
    {ADD(REQUEST "Email:MeetingRequest(GlobalObjId=AAAA)"), GOT("[5:1 -S-F-D #]")},
    {ADD(REQUEST "Email:MeetingRequest(GlobalObjId='no base64')"), GOT("[5:1 -S-F-D #]")},
    {ADD(REQUEST "Email:MeetingRequest(GlobalObjId='" GOID "')"), GOT("[5:1 -S-F-D #]")},
    /* unknown elements, a command without an id, and one more after it */
    {PAGE("Class=Email Responses(Change(ServerId=9:9 Status=1)) Commands(Add(ApplicationData(Email:Read=1)) "
          "Add(ServerId=5:2 ApplicationData(Calendar:Subject=no Email:Read=1 Tasks:Subject=no)))"),
     GOT("[5:2 +S-F-D #]")},
};

static bool feed(struct eas_answer *a, struct str doc, size_t step, struct err *err)
{
    for (size_t at = 0; at < doc.n; at += step)
        if (!eas_answer_feed(a, str_sub(doc, at, step), err))
            return false;
    return eas_answer_end(a, err);
}

static void test_pages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct eas_sync_page *page = eas_sync_page_new(&options);
        struct buf doc = BUF_INIT(0);

        eas_doc(&doc, "AirSync", examples[i].doc);
        for (size_t step = 1; step <= doc.n; step += step < 8 ? 1 : doc.n) {
            struct buf got = BUF_INIT(0);
            struct eas_answer a;
            struct err err = {0};

            eas_sync_page_reset(page);
            eas_answer_init(&a, eas_sync_rules, page);
            if (!feed(&a, buf_view(&doc), step, &err))
                fail_msg("%s: %s", examples[i].doc, err.text);
            describe_page(&got, page);
            if (strcmp(buf_z(&got), examples[i].expected) != 0)
                fail_msg("%s\ngives    %s\nand not  %s", examples[i].doc, buf_z(&got), examples[i].expected);
            eas_answer_done(&a);
            buf_done(&got);
        }
        buf_done(&doc);
        eas_sync_page_free(&page);
    }
}

static const struct example refused[] = {
    {"Sync(Collections(Collection(SyncKey=1) Collection(SyncKey=2)))", "more collections"},
    {"FolderHierarchy:FolderSync(Status=1)", "another command"},
    {"Sync(Collections(Collection(SyncKey='a\x01z')))", "SyncKey"},
    {"Sync(Collections(Collection(SyncKey='a\xFF')))", "SyncKey"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct eas_sync_page *page = eas_sync_page_new(&options);
        struct buf doc = BUF_INIT(0);
        struct eas_answer a;
        struct err err = {0};

        eas_doc(&doc, "AirSync", refused[i].doc);
        eas_answer_init(&a, eas_sync_rules, page);
        assert_false(feed(&a, buf_view(&doc), doc.n, &err));
        assert_int_equal(err.code, ERR_PROTOCOL);
        assert_non_null(strstr(err.text, refused[i].expected));
        eas_answer_done(&a);
        buf_done(&doc);
        eas_sync_page_free(&page);
    }
}

/* An answer that breaks within an item: what came before it counts, and the item is known by its id. */
static void test_quarantine(void **state)
{
    struct eas_sync_page *page = eas_sync_page_new(&options);
    struct buf doc = BUF_INIT(0), got = BUF_INIT(0);
    struct eas_answer a;
    struct err err = {0};
    size_t half;

    (void)state;
    eas_doc(&doc, "AirSync", ADD("Email:Read=1 AirSyncBase:Body(Type=4 Data='A: b\r\n\r\nxyz')"));
    half = str_find(buf_view(&doc), STR("xyz")) + 1;
    eas_answer_init(&a, eas_sync_rules, page);
    assert_true(eas_answer_feed(&a, str_sub(buf_view(&doc), 0, half), &err));
    assert_false(eas_answer_end(&a, &err));
    assert_true(eas_sync_page_quarantine(page));
    describe_page(&got, page);
    assert_string_equal(buf_z(&got), GOT("[5:1 +S-F-D #]"));
    assert_false(eas_sync_page_quarantine(page)); /* once */
    eas_answer_done(&a);

    eas_sync_page_reset(page); /* broken before any item: nothing to blame */
    eas_answer_init(&a, eas_sync_rules, page);
    assert_true(eas_answer_feed(&a, str_sub(buf_view(&doc), 0, 10), &err));
    assert_false(eas_sync_page_quarantine(page));
    eas_answer_done(&a);
    buf_done(&doc);
    buf_done(&got);
    eas_sync_page_free(&page);
}

static void test_body_over_the_limit(void **state)
{
    struct eas_sync_options small = options;
    struct eas_sync_page *page;
    struct buf doc = BUF_INIT(0), got = BUF_INIT(0);
    struct eas_answer a;
    struct err err = {0};

    (void)state;
    small.message_limit = 10;
    page = eas_sync_page_new(&small);
    eas_doc(&doc, "AirSync", ADD("Email:Read=1 AirSyncBase:Body(Type=4 EstimatedDataSize=11 Data='A: b\r\n\r\nxyz')"));
    eas_answer_init(&a, eas_sync_rules, page);
    assert_true(feed(&a, buf_view(&doc), 3, &err));
    describe_page(&got, page);
    assert_string_equal(buf_z(&got), GOT("[5:1 +S-F-D # size~11]"));
    eas_answer_done(&a);
    buf_done(&doc);
    buf_done(&got);
    eas_sync_page_free(&page);
}

static void test_header_size(void **state)
{
    static const struct {
        const char *mime;
        size_t size;
    } cases[] = {
        {"", 0},          {"A: b", 0},  {"A: b\r\n", 0}, {"A: b\r\n\r", 0}, {"A: b\r\n\r\n", 8},
        {"A: b\n\nx", 6}, {"\r\nx", 2}, {"\nx", 1},      {"A\r\n\nx", 4},   {"A\r\rB\r\n\r\n", 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(eas_header_size(str_from(cases[i].mime)), cases[i].size);
}

/* --- ItemOperations -------------------------------------------------------------------------------------------- */

static void describe_fetched(struct buf *out, struct eas_fetched *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct blob *blob = eas_body_finish(&list[i].body);

        buf_printf(out, "[%d/%d/%d%s", list[i].answered ? list[i].status : -1, list[i].type, list[i].part,
                   list[i].truncated ? " cut" : "");
        describe_blob(out, "body", blob);
        buf_byte(out, ']');
        blob_unref(&blob);
    }
}

#define FETCH(inside) "ItemOperations(Status=1 Response(" inside "))"
#define ONE(status, id, body)                                                                                          \
    "Fetch(Status=" status " AirSync:CollectionId=5 AirSync:ServerId=" id " Properties(" body "))"
#define BODY(data) "AirSyncBase:Body(Type=4 Data='" data "')"

static const struct example fetches[] = {
    {FETCH(ONE("1", "a", BODY("A: 1\r\n\r\n")) ONE("1", "b", BODY("B: 2\r\n\r\n"))),
     "[1/4/0 body=A: 1/|/|][1/4/0 body=B: 2/|/|]"},
    {FETCH(ONE("1", "b", BODY("B: 2\r\n\r\n")) ONE("1", "a", BODY("A: 1\r\n\r\n"))),
     "[1/4/0 body=A: 1/|/|][1/4/0 body=B: 2/|/|]"},
    {FETCH("Fetch(Status=6 AirSync:ServerId=b) " ONE("1", "a", BODY("x"))), "[1/4/0 body=x][6/0/0]"},
    {FETCH(ONE("1", "b", BODY("x"))), "[-1/0/0][1/4/0 body=x]"},
    /* no ids: by position; ids of others are left alone */
    {FETCH("Fetch(Status=6) Fetch(Status=1 Properties(" BODY("x") "))"), "[6/0/0][1/4/0 body=x]"},
    {FETCH(ONE("1", "stranger", BODY("x")) ONE("1", "a", BODY("y"))), "[1/4/0 body=y][-1/0/0]"},
    {FETCH(ONE("1", "a", BODY("x")) ONE("1", "a", BODY("y"))), "[1/4/0 body=x][-1/0/0]"},
    {FETCH(ONE("1", "a", "AirSyncBase:Body(Type=2 Truncated=1 Data=x)")), "[1/2/0 cut body=x][-1/0/0]"},
    {FETCH(ONE("1", "a", "AirSyncBase:Body(Type=4 ItemOperations:Part=2)")
               ONE("1", "b", "AirSyncBase:Body(Type=4 ItemOperations:Part=1)")),
     "[1/4/2 body=two][1/4/1 body=one]"},
    {"ItemOperations(Status=2)", "[-1/0/0][-1/0/0]"},
};

static void test_fetches(void **state)
{
    static const struct str ids[] = {{"a", 1}, {"b", 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++) {
        struct eas_fetched list[2];
        struct arena arena = {0};
        struct eas_fetch_answer answer = {.arena = &arena, .tmp_dir = "/tmp", .message_limit = 1000, .list = list};
        struct buf doc = BUF_INIT(0), got = BUF_INIT(0);
        struct eas_answer a;
        struct err err = {0};

        eas_doc(&doc, "ItemOperations", fetches[i].doc);
        eas_fetch_answer_begin(&answer, ids, 2);
        eas_answer_init(&a, eas_fetch_rules, &answer);
        assert_true(feed(&a, buf_view(&doc), 5, &err));
        eas_fetch_answer_part(&answer, 1, STR("one"));
        eas_fetch_answer_part(&answer, 2, STR("t"));
        eas_fetch_answer_part(&answer, 2, STR("wo"));
        eas_fetch_answer_part(&answer, 3, STR("nobody's"));
        describe_fetched(&got, list, 2);
        if (strcmp(buf_z(&got), fetches[i].expected) != 0)
            fail_msg("%s\ngives    %s\nand not  %s", fetches[i].doc, buf_z(&got), fetches[i].expected);
        eas_answer_done(&a);
        eas_fetch_answer_done(&answer);
        arena_done(&arena);
        buf_done(&doc);
        buf_done(&got);
    }
}

static void test_fetch_statuses(void **state)
{
    static const struct {
        int status;
        enum err_code code;
    } cases[] = {{2, ERR_PROTOCOL},  {3, ERR_OFFLINE}, {5, ERR_DENIED},      {6, ERR_NOT_FOUND}, {11, ERR_TOO_BIG},
                 {14, ERR_PROTOCOL}, {16, ERR_DENIED}, {150, ERR_NOT_FOUND}, {113, ERR_QUOTA},   {99, ERR_PROTOCOL}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};

        assert_false(eas_fetch_status_err(cases[i].status, &err));
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.status, cases[i].status);
    }
}

/* --- multipart -------------------------------------------------------------------------------------------------- */

static bool on_part(void *ud, unsigned part, struct str piece, bool last, struct err *err)
{
    struct buf *out = ud;

    (void)err;
    if (piece.n > 0)
        buf_printf(out, "%u:%.*s ", part, STR_ARG(piece));
    if (last)
        buf_printf(out, "%u. ", part);
    return true;
}

#define N(n) n "\0\0\0"

static const struct {
    struct str bytes;
    const char *expected;
} multiparts[] = {
    {STR(N("\x01") N("\x0C") N("\x03") "abc"), "0:abc 0. "},
    {STR(N("\x02") N("\x14") N("\x03") N("\x17") N("\x02") "abcde"), "0:abc 0. 1:de 1. "},
    {STR(N("\x02") N("\x14") N("\x00") N("\x14") N("\x02") "de"), "0. 1:de 1. "},
    {STR(N("\x02") N("\x14") N("\x02") N("\x16") N("\x00") "de"), "0:de 0. 1. "},
    {STR(N("\x01") N("\x0E") N("\x01") "??a"), "0:a 0. "},
    {STR(N("\x01") N("\x0C") N("\x00")), "0. "},
    {STR(""), NULL},
    {STR(N("\x00")), NULL},
    {STR("\xFF\xFF\xFF\xFF"), NULL},
    {STR(N("\x01") N("\x0C") N("\x03") "ab"), NULL},
    {STR(N("\x01") N("\x0C") N("\x03") "abcd"), NULL},
    {STR(N("\x01") N("\x08") N("\x03") "abc"), NULL},
    {STR(N("\x02") N("\x14") N("\x03") N("\x15") N("\x02") "abcde"), NULL},
    {STR(N("\x01") N("\x0C") "\xFF\xFF\xFF\xFF"
                             "abc"),
     NULL},
    {STR(N("\x02") N("\x14")), NULL},
};

static void test_multipart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(multiparts) / sizeof(multiparts[0]); i++)
        for (size_t step = 1; step <= multiparts[i].bytes.n + 1;
             step += multiparts[i].bytes.n ? multiparts[i].bytes.n : 1) {
            struct buf got = BUF_INIT(0);
            struct eas_multipart m;
            struct err err = {0};
            bool ok = true;

            eas_multipart_init(&m, on_part, &got);
            for (size_t at = 0; ok && at < multiparts[i].bytes.n; at += step)
                ok = eas_multipart_feed(&m, str_sub(multiparts[i].bytes, at, step), &err);
            ok = ok && eas_multipart_end(&m, &err);
            if (ok != (multiparts[i].expected != NULL))
                fail_msg("example %zu: %s", i, ok ? "taken" : err.text);
            if (ok && step > 1)
                assert_string_equal(buf_z(&got), multiparts[i].expected);
            buf_done(&got);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_quarantine),     cmocka_unit_test(test_body_over_the_limit),
        cmocka_unit_test(test_header_size),    cmocka_unit_test(test_fetches),
        cmocka_unit_test(test_fetch_statuses), cmocka_unit_test(test_multipart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
