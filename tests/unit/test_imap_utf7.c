/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "protocols/imap/imap_utf7.h"

static const struct {
    const char *wire, *name; /* the same name in both forms */
} pairs[] = {
    {"", ""},
    {"INBOX", "INBOX"},
    {"Entw&APw-rfe", "Entw\xc3\xbcrfe"},
    {"Tom &- Jerry", "Tom & Jerry"},
    {"&-&-", "&&"},
    {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
     "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"}, /* RFC 3501 */
    {"&2D3eAA-", "\xf0\x9f\x98\x80"},
    {"&2D3eANg93gA-x", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80x"},
    {"a&AAk-b", "a\tb"},
    {"&,,8-", "\xef\xbf\xbf"},
    {"&AOQ-&-", "\xc3\xa4&"},
};
/* Not modified UTF-7: RFC 3501 5.1.3 allows one form only. */
static const char *const wrong[] = {
    "&",
    "&AOQ",
    "&AOQ x",
    "&AGE-" /* "a" */,
    "&AOQ-&APY-" /* two shifts */,
    "&AOR-" /* padding bits */,
    "&A-",
    "&AO-",
    "&AOQA-",
    "&2D0-" /* lone high surrogate */,
    "&3gA-" /* lone low */,
    "&2D0AYQ-" /* high and something else */,
    "\xc3\xa4",
    "a\x01",
    "a\x7f",
    "&AOQ=-",
    "&AC8-" /* "/" */,
    "&//-",
};

static void test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out = BUF_INIT(0);
        assert_true(imap_utf7_decode(&out, str_from(pairs[i].wire)));
        assert_string_equal(buf_z(&out), pairs[i].name);
        buf_reset(&out);
        assert_true(imap_utf7_encode(&out, str_from(pairs[i].name)));
        assert_string_equal(buf_z(&out), pairs[i].wire);
        buf_done(&out);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf out = BUF_INIT(0);
        buf_lit(&out, "kept");
        if (imap_utf7_decode(&out, str_from(wrong[i])))
            print_error("taken: %s\n", wrong[i]);
        assert_string_equal(buf_z(&out), "kept");
        buf_done(&out);
    }
    struct buf out = BUF_INIT(0);
    assert_false(imap_utf7_encode(&out, STR("\xff")));
    assert_false(imap_utf7_encode(&out, STR("\xed\xa0\x80"))); /* a surrogate in UTF-8 */
    buf_done(&out);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        bool utf8;
        const char *name;
    } rows[] = {
        {"inbox", false, "INBOX"},
        {"InBoX/sub", false, "INBOX/sub"},
        {"inboxes", false, "inboxes"},
        {"sub/inbox", false, "sub/inbox"},
        {"Entw&APw-rfe", false, "Entw\xc3\xbcrfe"},
        {"Entwu&Awg-rfe", false, "Entw\xc3\xbcrfe"}, /* combining diaeresis: NFC */
        {"Entw\xc3\xbcrfe", true, "Entw\xc3\xbcrfe"},
        {"a&b", true, "a&b"},
        {"a&b", false, NULL},
        {"a&AAA-b", false, NULL}, /* NUL */
        {"a&AAo-b", false, NULL}, /* LF */
        {"\xff", true, NULL},
        {"", false, ""},
        {"%/*", false, "%/*"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct str name = imap_name_decode(&a, str_from(rows[i].wire), rows[i].utf8);
        if (rows[i].name == NULL) {
            assert_null(name.p);
        } else {
            assert_non_null(name.p);
            if (!str_is(name, rows[i].name))
                print_error("%s\n", rows[i].wire);
            assert_true(str_is(name, rows[i].name));
        }
        arena_done(&a);
    }
}

static void test_name_limits(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf in = BUF_INIT(0);
    buf_fill(&in, 'x', IMAP_NAME_MAX);
    assert_non_null(imap_name_decode(&a, buf_view(&in), false).p);
    assert_null(imap_name_check(buf_view(&in)));
    buf_byte(&in, 'x');
    assert_null(imap_name_decode(&a, buf_view(&in), false).p);
    assert_non_null(imap_name_check(buf_view(&in)));
    buf_reset(&in);
    for (int i = 0; i < IMAP_NAME_DEPTH; i++)
        buf_lit(&in, i ? "/x" : "x");
    assert_non_null(imap_name_decode(&a, buf_view(&in), false).p);
    assert_null(imap_name_check(buf_view(&in)));
    buf_lit(&in, "/x");
    assert_null(imap_name_decode(&a, buf_view(&in), false).p);
    assert_non_null(imap_name_check(buf_view(&in)));
    buf_done(&in);
    arena_done(&a);
}

static void test_check(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "INBOX/x", "a b", ".a", "...", "\xc3\xa4", "a&b", "a\"b\\c", "a%", "a*b"};
    static const char *const bad[] = {"",    "/",    "/a",   "a/",       "a//b",         ".",   "..", "a/../b",
                                      "a/.", "a\nb", "\x7f", "\xc2\x85", "\xe2\x80\xa8", "\xff"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(imap_name_check(str_from(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(imap_name_check(str_from(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),   cmocka_unit_test(test_wrong), cmocka_unit_test(test_names),
        cmocka_unit_test(test_name_limits), cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
