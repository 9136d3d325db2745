/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/formats/date.h"

static const struct {
    const char *text;
    bool ok;
    int64_t wall_s;
    int zone;
} dates[] = {
    {"Mon, 23 Nov 2026 14:05:11 +0100", true, 1795439111, 60},
    {"23 Nov 2026 14:05:11 +0100", true, 1795439111, 60},
    {" Mon,23 nov 2026 14:05:11 +01:00 (CET)", true, 1795439111, 60},
    {"Mon (x), 23 (y) Nov 2026 (z) 14 : 05 : 11 +0100", true, 1795439111, 60},
    {"Fri, 23 November 2026 14:05:11 +0100", true, 1795439111, 60},
    {"23-Nov-2026 14:05:11 +0100", true, 1795439111, 60},
    {"Mon, 23 Nov 2026 13:05:11 GMT", true, 1795439111, 0},
    {"Mon, 23 Nov 2026 08:05:11 EST", true, 1795439111, -300},
    {"Mon, 23 Nov 2026 13:05:11 A", true, 1795439111, 0},
    {"Mon, 23 Nov 2026 13:05:11 -0000", true, 1795439111, 0},
    {"Mon, 23 Nov 2026 13:05:11", true, 1795439111, 0},
    {"Mon, 23 Nov 2026 13:05:11.250 +0000", true, 1795439111, 0},
    {"Mon, 23 Nov 2026 13:05 +0000", true, 1795439100, 0},
    {"Mon, 23 Nov 2026 13.05.11 +0000", true, 1795439111, 0},
    {"Mon, 23 Nov 26 13:05:11 +0000", true, 1795439111, 0},
    {"Tue, 1 Jan 80 00:00:00 +0000", true, 315532800, 0},
    {"1 Jan 103 00:00:00 +0000", true, 1041379200, 0},
    {"Mon Nov 23 13:05:11 2026", true, 1795439111, 0},
    {"Mon Nov 23 14:05:11 CET 2026", true, 1795439111, 60},
    {"Mon, 23 Nov 2026", true, 1795392000, 0},
    {"Sat, 31 Dec 2016 23:59:60 +0000", true, 1483228799, 0},
    {"1 Jan 1970 00:00:00 +0000", true, 0, 0},
    {"31 Dec 1969 23:59:59 +0000", true, -1, 0},
    {"29 Feb 2024 00:00:00 +0000", true, 1709164800, 0},
    {"Mon, 23 Nov 2026 13:05:11 +9999999", true, 1795439111, 0},
    {"29 Feb 2023 00:00:00 +0000", false, 0, 0},
    {"31 Apr 2026 00:00:00 +0000", false, 0, 0},
    {"0 Jan 2026", false, 0, 0},
    {"23 Foo 2026", false, 0, 0},
    {"23 Nov 2026 25:00", false, 0, 0},
    {"23 Nov 2026 10:61", false, 0, 0},
    {"23 Nov 99999 10:00", false, 0, 0},
    {"", false, 0, 0},
    {"yesterday", false, 0, 0},
    {"(((((", false, 0, 0},
    {"2026-11-23T13:05:11Z", false, 0, 0},
};

static void rfc5322(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        int64_t wall_s = 42;
        int zone = 42;
        bool ok = date_parse(str_from(dates[i].text), &wall_s, &zone);
        if (ok != dates[i].ok || (ok && (wall_s != dates[i].wall_s || zone != dates[i].zone)))
            print_error("%s: %d %lld %d\n", dates[i].text, ok, (long long)wall_s, zone);
        assert_int_equal(ok, dates[i].ok);
        assert_int_equal(wall_s, ok ? dates[i].wall_s : 42);
        assert_int_equal(zone, ok ? dates[i].zone : 42);
    }
}

static void round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    for (int64_t t = -2000000000; t < 5000000000; t += 86399 * 371) {
        for (int zone = -720; zone <= 840; zone += 195) {
            int64_t wall_s;
            int back;
            buf_reset(&b);
            date_add_rfc5322(&b, t, zone);
            assert_true(date_parse(buf_view(&b), &wall_s, &back));
            assert_int_equal(wall_s, t);
            assert_int_equal(back, zone);
            buf_reset(&b);
            date_add_imap(&b, t, zone);
            assert_int_equal(b.n, 26);
            assert_true(date_parse_imap(buf_view(&b), &wall_s, &back));
            assert_int_equal(wall_s, t);
            assert_int_equal(back, zone);
        }
    }
    buf_reset(&b);
    date_add_rfc5322(&b, 1795439111, 60);
    assert_string_equal(buf_z(&b), "Mon, 23 Nov 2026 14:05:11 +0100");
    buf_reset(&b);
    date_add_imap(&b, 1793530800, -90);
    assert_string_equal(buf_z(&b), " 1-Nov-2026 09:30:00 -0130");
    buf_done(&b);
}

static void imap(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " 01-Nov-2026 14:05:11 +0100",
                                      "-Nov-2026 14:05:11 +0100",
                                      "1",
                                      "  1-Nov-2026 14:05:11 +0100",
                                      "01-Nov-2026 14:05:11",
                                      "01-Nov-2026 14:05:11 +0160",
                                      "01-Nov-2026 24:05:11 +0100",
                                      "32-Nov-2026 14:05:11 +0100",
                                      "01-Nove-2026 14:05:11 +0100",
                                      "01-Nov-2026 14:05:11 +0100 ",
                                      "01-Nov-2026 14:05:11 GMT",
                                      "00-Nov-2026 14:05:11 +0100",
                                      "01-Nov-0000 14:05:11 +0100"};
    int64_t wall_s, day;
    int zone;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(date_parse_imap(str_from(bad[i]), &wall_s, &zone));
    assert_true(date_parse_imap(STR("01-nov-2026 14:05:11 +0100"), &wall_s, &zone));
    assert_true(date_parse_imap(STR("1-Nov-2026 14:05:11 +0100"), &day, &zone));
    assert_int_equal(day, wall_s);
    assert_true(date_parse_imap_day(STR("1-Jan-1970"), &day));
    assert_int_equal(day, 0);
    assert_true(date_parse_imap_day(STR("31-dec-1969"), &day));
    assert_int_equal(day, -1);
    assert_true(date_parse_imap_day(STR("01-Mar-2024"), &day));
    assert_int_equal(day, 19783);
    assert_false(date_parse_imap_day(STR("001-Mar-2024"), &day));
    assert_false(date_parse_imap_day(STR("30-Feb-2024"), &day));
    assert_false(date_parse_imap_day(STR("1-Mar-24"), &day));
    assert_false(date_parse_imap_day(STR("1-Mar-2024 "), &day));
    assert_int_equal(date_day(0, 0), 0);
    assert_int_equal(date_day(0, -1), -1);
    assert_int_equal(date_day(-86400, 0), -1);
    assert_int_equal(date_day(-86401, 0), -2);
    assert_int_equal(date_day(86399, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5322),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(imap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
