/* SPDX-License-Identifier: Apache-2.0 */
/* text.h and time.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge/base/rand.h"
#include "bridge/base/text.h"
#include "tests/unit/test_loop.h"

/* --- base64 ---------------------------------------------------------------------------------- */

static const struct {
    const char *plain, *coded;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}}; /* RFC 4648 10 */

static void base64(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct buf b = BUF_INIT(0);
        assert_true(text_base64_add(&b, str_from(vectors[i].plain)));
        assert_string_equal(buf_z(&b), vectors[i].coded);
        assert_int_equal(b.n, TEXT_BASE64_SIZE(strlen(vectors[i].plain)));
        buf_reset(&b);
        assert_true(text_base64_decode(&b, str_from(vectors[i].coded)));
        assert_string_equal(buf_z(&b), vectors[i].plain);
        buf_done(&b);
    }
    static const char *const wrong[] = {"Z",        "Zg",   "Zg=",  "Z===", "====", "Zg==Zg==",    "Zm9v\n", "Zm-v",
                                        "Zm9v ===", "Zh==", "Zm9=", "=Zg=", "Zm=v", "Zm9vY\xe4==", "Zg==\0x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf b = BUF_INIT(0);
        if (i + 1 < sizeof(wrong) / sizeof(wrong[0]) && text_base64_decode(&b, str_from(wrong[i])))
            fail_msg("'%s' was taken", wrong[i]);
        buf_done(&b);
    }
}

static void base64url(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } pairs[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"\xfb\xff\xfe", "-__-"}, {"\xff", "_w"}};
    static const char *const wrong[] = {"Zg==", "+//+", "Z", "Zh", "Z g", "Zm9v\n"};
    struct buf b = BUF_INIT(64);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(text_base64url_add(&b, str_from(pairs[i].plain)));
        assert_string_equal(buf_z(&b), pairs[i].coded);
        buf_reset(&b);
        assert_true(text_base64url_decode(&b, str_from(pairs[i].coded)));
        assert_string_equal(buf_z(&b), pairs[i].plain);
        buf_reset(&b);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (text_base64url_decode(&b, str_from(wrong[i])) && b.n)
            fail_msg("%s was taken", wrong[i]);
    buf_done(&b);
}

static void base64_fed(void **state)
{
    (void)state;
    static const struct {
        const char *coded, *plain;
        bool bad, ended;
    } table[] = {
        {"Zm9v\r\nYmFy\r\n", "foobar", false, false},
        {"Z m\t9 v Y g = =\n", "foob", false, true},
        {"Zm9vYg", "foob", false, false},
        {"Zm9vYmE", "fooba", false, false},
        {"Zm9v*YmFy", "foobar", true, false},
        {"Zm9vYg==Zm9v", "foob", true, true},
        {"====", "", true, true},
        {"Zm9v=", "foo", true, true},
        {"Zm9vY===", "foo", true, true},
        {"", "", false, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t step = 1; step < 20; step++) {
            struct text_base64 d = {0};
            struct buf b = BUF_INIT(0);
            struct str in = str_from(table[i].coded);
            while (in.n) {
                assert_true(text_base64_feed(&d, &b, str_sub(in, 0, step)));
                in = str_skip(in, step);
            }
            if (strcmp(buf_z(&b), table[i].plain) != 0 || d.bad != table[i].bad || d.ended != table[i].ended)
                fail_msg("'%s' step %zu: '%s' bad %d ended %d", table[i].coded, step, buf_z(&b), d.bad, d.ended);
            buf_done(&b);
        }
    }
    for (int round = 0; round < 300; round++) { /* there and back, with line breaks anywhere */
        char plain[500], broken[2000];
        size_t n = rand_below(500), m = 0;
        rand_bytes(plain, n);
        struct buf coded = BUF_INIT(0), b = BUF_INIT(0);
        struct text_base64 d = {0};
        text_base64_add(&coded, str_of(plain, n));
        for (size_t i = 0; i < coded.n; i++) {
            if (rand_below(5) == 0)
                broken[m++] = '\n';
            broken[m++] = coded.p[i];
        }
        assert_true(text_base64_feed(&d, &b, str_of(broken, m)));
        assert_true(str_eq(buf_view(&b), str_of(plain, n)) && !d.bad);
        buf_done(&coded);
        buf_done(&b);
    }
    struct text_base64 d = {0};
    struct buf small = BUF_INIT(2);
    assert_false(text_base64_feed(&d, &small, STR("Zm9v")));
    buf_done(&small);
}

/* --- hexadecimal, percent ---------------------------------------------------------------------- */

static void hex_and_percent(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    text_hex_add(&b, STR("\x00\xff\x1a"));
    assert_string_equal(buf_z(&b), "00ff1a");
    buf_reset(&b);
    assert_true(text_hex_decode(&b, STR("00fF1A")));
    assert_true(str_eq(buf_view(&b), STR("\x00\xff\x1a")));
    assert_false(text_hex_decode(&b, STR("0")) || text_hex_decode(&b, STR("0g")));
    assert_int_equal(b.n, 3);
    buf_reset(&b);
    text_percent_add(&b, STR("a/b c\xe4~_.-%\0"), NULL);
    assert_string_equal(buf_z(&b), "a%2Fb%20c%E4~_.-%25%00");
    buf_reset(&b);
    text_percent_add(&b, STR("a/b@c d"), "/@");
    assert_string_equal(buf_z(&b), "a/b@c%20d");
    buf_reset(&b);
    assert_true(text_percent_decode(&b, STR("a%2fb+%00%E4")));
    assert_true(str_eq(buf_view(&b), STR("a/b+\0\xe4")));
    buf_reset(&b);
    assert_true(text_percent_decode(&b, STR("%41")));
    assert_string_equal(buf_z(&b), "A");
    static const char *const wrong[] = {"%", "%4", "%zz", "a%4", "%4%", "%%41"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (text_percent_decode(&b, str_from(wrong[i])))
            fail_msg("%s", wrong[i]);
    buf_done(&b);
}

/* --- UTF-8 ---------------------------------------------------------------------------------------- */

static void utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *repaired; /* NULL: valid */
    } table[] = {
        {"", NULL},
        {"plain ascii that is longer than eight bytes", NULL},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", NULL},
        {"12345678\xff", "12345678\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                                   /* overlong */
        {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                   /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                   /* surrogate */
        {"\xf4\x90\x80\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"}, /* beyond U+10FFFF */
        {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe4u\xdf", "\xef\xbf\xbdu\xef\xbf\xbd"},
        {"\x80", "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena a = {0};
        struct str s = str_from(table[i].text), fixed = text_utf8_repair(&a, s);
        assert_int_equal(text_utf8_valid(s), table[i].repaired == NULL);
        assert_true(text_utf8_valid(fixed));
        if (table[i].repaired)
            assert_true(str_is(fixed, table[i].repaired));
        else
            assert_ptr_equal(fixed.p, s.p);
        struct buf b = BUF_INIT(0); /* the same, code point by code point */
        while (s.n)
            text_utf8_add(&b, text_utf8_next(&s));
        assert_true(str_eq(buf_view(&b), fixed));
        buf_done(&b);
        arena_done(&a);
    }
    assert_true(text_utf8_valid(STR("a\0b")));
    for (uint32_t c = 0; c <= 0x110010; c += 17) {
        struct buf b = BUF_INIT(0);
        assert_true(text_utf8_add(&b, c));
        struct str s = buf_view(&b);
        bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        assert_int_equal(text_utf8_next(&s), valid ? c : 0xfffd);
        assert_int_equal(s.n, 0);
        buf_done(&b);
    }
    struct buf b = BUF_INIT(0);
    text_add_printable(&b, STR("a\tb\r\n\x7f\0\xc3\xa4"));
    assert_string_equal(buf_z(&b), "a?b????\xc3\xa4");
    buf_done(&b);
}

/* --- time ------------------------------------------------------------------------------------------ */

static void parts(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        int zone;
        struct time_parts p;
    } table[] = {
        {0, 0, {1970, 1, 1, 0, 0, 0, 4, 0}},
        {-1, 0, {1969, 12, 31, 23, 59, 59, 3, 0}},
        {951782400, 0, {2000, 2, 29, 0, 0, 0, 2, 0}},
        {1795443911, 0, {2026, 11, 23, 14, 25, 11, 1, 0}},
        {1795443911, 330, {2026, 11, 23, 19, 55, 11, 1, 330}},
        {1795443911, -720, {2026, 11, 23, 2, 25, 11, 1, -720}},
        {-62135596800, 0, {1, 1, 1, 0, 0, 0, 1, 0}},
        {253402300799, 0, {9999, 12, 31, 23, 59, 59, 5, 0}},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct time_parts p;
        time_to_parts(table[i].s, table[i].zone, &p);
        assert_memory_equal(&p, &table[i].p, sizeof(p));
        assert_int_equal(time_from_parts(&p), table[i].s);
    }
    for (int i = 0; i < 50000; i++) { /* the C library agrees */
        int64_t s = (int64_t)rand_below(315537897600) - 62135596800;
        struct time_parts p;
        struct tm tm;
        time_t t = (time_t)s;
        time_to_parts(s, 0, &p);
        gmtime_r(&t, &tm);
        if (p.year != tm.tm_year + 1900 || p.month != tm.tm_mon + 1 || p.day != tm.tm_mday || p.hour != tm.tm_hour ||
            p.minute != tm.tm_min || p.second != tm.tm_sec || p.weekday != tm.tm_wday || time_from_parts(&p) != s)
            fail_msg("%lld", (long long)s);
    }
    struct time_parts p;
    time_to_parts(INT64_MAX, 0, &p);
    assert_int_equal(p.year, 9999);
    time_to_parts(TIME_NONE, -60, &p);
    assert_int_equal(p.year, 1);
}

static void iso(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } table[] = {
        {"2026-11-23T14:25:11Z", true, 1795443911000},
        {"2026-11-23T14:25:11.1Z", true, 1795443911100},
        {"2026-11-23T14:25:11.1239999Z", true, 1795443911123},
        {"2026-11-23T15:25:11+01:00", true, 1795443911000},
        {"2026-11-23T09:55:11.000-0430", true, 1795443911000},
        {" 2026-11-23T14:25:11\n", true, 1795443911000},
        {"20261123T142511Z", true, 1795443911000},
        {"2026-11-23", true, 1795392000000},
        {"2026-11-23Z", true, 1795392000000},
        {"2026-11-22T24:00:00Z", true, 1795392000000},
        {"2016-12-31T23:59:60Z", true, 1483228800000},
        {"2024-02-29T00:00:00Z", true, 1709164800000},
        {"2026-02-29T00:00:00Z", false, 0},
        {"2026-13-01T00:00:00Z", false, 0},
        {"2026-00-01T00:00:00Z", false, 0},
        {"2026-11-31T00:00:00Z", false, 0},
        {"0000-01-01T00:00:00Z", false, 0},
        {"2026-11-23T24:00:01Z", false, 0},
        {"2026-11-23T14:60:00Z", false, 0},
        {"2026-11-23T14:25:11.Z", false, 0},
        {"2026-11-23T14:25Z", false, 0},
        {"2026-11-23T14:25:11ZZ", false, 0},
        {"2026-11-23T14:25:11+15:00", false, 0},
        {"2026-1123T14:25:11Z", false, 0},
        {"26-11-23", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t ms = 42;
        if (time_parse_iso(str_from(table[i].text), &ms) != table[i].ok || ms != (table[i].ok ? table[i].ms : 42))
            fail_msg("%s: %lld", table[i].text, (long long)ms);
    }
    struct buf b = BUF_INIT(0);
    time_add_iso(&b, 1795443911);
    buf_byte(&b, ' ');
    time_add_iso_ms(&b, 1795443911007);
    buf_byte(&b, ' ');
    time_add_iso_ms(&b, -1);
    assert_string_equal(buf_z(&b), "2026-11-23T14:25:11Z 2026-11-23T14:25:11.007Z 1969-12-31T23:59:59.999Z");
    buf_done(&b);
    assert_true(time_wall_s() > 1700000000 && time_wall_ms() / 1000 >= time_wall_s() - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),     cmocka_unit_test(base64url),
        cmocka_unit_test(base64_fed), cmocka_unit_test(hex_and_percent),
        cmocka_unit_test(utf8),       cmocka_unit_test(parts),
        cmocka_unit_test(iso),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
