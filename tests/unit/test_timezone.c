/* SPDX-License-Identifier: Apache-2.0 */
/* Zones against two others who know them: the C library (offsets) and libical (what VTIMEZONE says). */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <libical/ical.h>

#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/timezone.h"
#include "bridge/formats/timezone_private.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static int64_t at(const char *iso)
{
    int64_t ms;
    assert_true(time_parse_iso(str_from(iso), &ms));
    return ms / 1000;
}

static const struct tz *zone(const char *name)
{
    const struct tz *z = tz_by_name(str_from(name));
    if (!z)
        fail_msg("no zone %s", name);
    return z;
}

/* --- offsets --------------------------------------------------------------------------------------------------------
 */

static int libc_offset(int64_t instant)
{
    time_t t = (time_t)instant;
    struct tm tm;
    localtime_r(&t, &tm);
    return (int)tm.tm_gmtoff;
}

/* Every zone, 1970 to 2100: each change to the second, and every three weeks in between. */
static void every_offset(void **state)
{
    (void)state;
    const struct tz *z;
    size_t zones = 0;
    for (size_t i = 0; (z = tz_candidate(i)); i++) {
        if (!z->type_count || tz_is_utc(z))
            continue;
        setenv("TZ", tz_name(z).p, 1);
        tzset();
        zones++;
        for (int64_t t = 0; t < at("2100-01-01T00:00:00Z"); t += 21 * 86400 - 17)
            if (tz_offset(z, t) != libc_offset(t))
                fail_msg("%s at %lld: %d, the C library says %d", tz_name(z).p, (long long)t, tz_offset(z, t),
                         libc_offset(t));
        int64_t t = 0;
        int offset;
        while (tz_next_change(z, t, &t, &offset) && t < at("2100-01-01T00:00:00Z")) {
            assert_int_equal(libc_offset(t), offset);
            assert_int_equal(libc_offset(t - 1), tz_offset(z, t - 1));
            assert_int_not_equal(libc_offset(t - 1), offset);
        }
    }
    unsetenv("TZ");
    assert_true(zones > 550);
}

static const struct {
    const char *zone, *local, *utc, *why;
} walls[] = {
    {"Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T10:00:00Z", "summer"},
    {"Europe/Berlin", "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z", "before the gap"},
    {"Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z", "in the gap: offset before it"},
    {"Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z", "after the gap"},
    {"Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z", "twice: the first"},
    {"Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z", "after the fold"},
    {"Europe/Berlin", "2085-07-01T12:00:00Z", "2085-07-01T10:00:00Z", "by the rule"},
    {"America/New_York", "2026-03-08T02:30:00Z", "2026-03-08T07:30:00Z", "RFC 5545 3.3.5"},
    {"America/New_York", "2026-11-01T01:30:00Z", "2026-11-01T05:30:00Z", "RFC 5545 3.3.5"},
    {"America/St_Johns", "2026-01-15T12:00:00Z", "2026-01-15T15:30:00Z", "half an hour"},
    {"Australia/Lord_Howe", "2026-10-04T02:15:00Z", "2026-10-03T15:45:00Z", "a gap of half an hour"},
    {"Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z", "a fold of half an hour"},
    {"Africa/Casablanca", "2026-02-20T12:00:00Z", "2026-02-20T12:00:00Z", "Ramadan"},
    {"Africa/Casablanca", "2026-06-01T12:00:00Z", "2026-06-01T11:00:00Z", "the other months"},
    {"Europe/Dublin", "2026-07-01T12:00:00Z", "2026-07-01T11:00:00Z", "negative daylight time"},
    {"Asia/Jerusalem", "2026-03-27T02:30:00Z", "2026-03-27T00:30:00Z", "a Friday"},
    {"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T22:00:00Z", "a day that was not"},
    {"Pacific/Apia", "2011-12-31T00:00:00Z", "2011-12-30T10:00:00Z", "the day after it"},
    {"Asia/Kathmandu", "2026-01-01T00:00:00Z", "2025-12-31T18:15:00Z", "5:45"},
    {"America/Nuuk", "2026-03-28T23:30:00Z", "2026-03-29T01:30:00Z", "a gap over midnight"},
    {"", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z", "UTC"},
    {"Custom/+0100+0200-M3.5.0.0200-M10.5.0.0300", "2026-07-01T12:00:00Z", "2026-07-01T10:00:00Z", "custom"},
    {"Custom/+0100+0200-M3.5.0.0200-M10.5.0.0300", "2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z", "custom gap"},
    {"Custom/-0330", "2026-07-01T12:00:00Z", "2026-07-01T15:30:00Z", "custom, fixed"},
};

static void walls_and_instants(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(walls); i++) {
        int64_t utc = tz_to_utc(zone(walls[i].zone), at(walls[i].local));
        if (utc != at(walls[i].utc))
            fail_msg("%s %s (%s): %lld, not %lld", walls[i].zone, walls[i].local, walls[i].why, (long long)utc,
                     (long long)at(walls[i].utc));
    }
}

/* Every instant comes back from its wall time, but in the second half of a fold. */
static void there_and_back(void **state)
{
    (void)state;
    const struct tz *z;
    for (size_t i = 0; (z = tz_candidate(i)); i += 3) {
        for (int64_t t = 0; z->type_count && t < 4000000000; t += 86400 * 5 + 1237) {
            int64_t back = tz_to_utc(z, tz_to_local(z, t));
            if (back != t && !(back < t && tz_to_local(z, back) == tz_to_local(z, t)))
                fail_msg("%s %lld came back as %lld", tz_name(z).p, (long long)t, (long long)back);
        }
    }
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, -62135596800, 253402300799, INT64_MAX};
    for (size_t i = 0; i < COUNT(far); i++) { /* no overflow */
        tz_to_utc(zone("Europe/Berlin"), far[i]);
        tz_to_local(zone("America/Caracas"), far[i]);
    }
}

/* --- names ----------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *given, *prefer, *name; /* NULL: none */
} names[] = {
    {"Europe/Berlin", NULL, "Europe/Berlin"},
    {"europe/berlin", NULL, "Europe/Berlin"},
    {"UTC", NULL, ""},
    {"Etc/GMT", NULL, ""},
    {"W. Europe Standard Time", NULL, "Europe/Berlin"},
    {"W. Europe Standard Time", "Europe/Vienna", "Europe/Vienna"},
    {"W. Europe Standard Time", "Europe/Paris", "Europe/Berlin"},
    {"  W. Europe Standard Time \n", NULL, "Europe/Berlin"},
    {"W. Europe Daylight Time", NULL, "Europe/Berlin"},
    {"India Standard Time", NULL, "Asia/Kolkata"},
    {"FLE Standard Time", NULL, "Europe/Kyiv"},
    {"Kamchatka Standard Time", NULL, "Asia/Kamchatka"},
    {"Mid-Atlantic Standard Time", NULL, "Etc/GMT+2"},
    {"UTC-11", NULL, "Etc/GMT+11"},
    {"\"Europe/Paris\"", NULL, "Europe/Paris"},
    {"/mozilla.org/20070129_1/Europe/Berlin", NULL, "Europe/Berlin"},
    {"/freeassociation.sourceforge.net/Tzfile/America/Argentina/Ushuaia", NULL, "America/Argentina/Ushuaia"},
    {"/citadel.org/20210210_1/Asia/Tokyo", NULL, "Asia/Tokyo"},
    {"tzone://Microsoft/Utc", NULL, ""},
    {"tzone://Microsoft/Custom", NULL, NULL},
    {"Customized Time Zone", NULL, NULL},
    {"GMT+0", NULL, ""},
    {"UTC+05:30", NULL, "Asia/Kolkata"},
    {"GMT-3", NULL, "Etc/GMT+3"},
    {"UTC+13:37", NULL, "Custom/+1337"},
    {"Asia/Calcutta", NULL, "Asia/Calcutta"},
    {"US/Eastern", NULL, "US/Eastern"},
    {"EST", NULL, "EST"},
    {"../../../etc/passwd", NULL, NULL},
    {"/etc/passwd", NULL, NULL},
    {"right/Europe/Berlin", NULL, "Europe/Berlin"},
    {"posixrules", NULL, NULL},
    {"Europe", NULL, NULL},
    {"Europe/", NULL, NULL},
    {"", NULL, NULL},
    {"Custom/", NULL, NULL},
    {"Custom/+0100+0100-M3.5.0.0200-M10.5.0.0300", NULL, NULL},
    {"Custom/+0100+0200-M13.5.0.0200-M10.5.0.0300", NULL, NULL},
    {"Custom/+9900", NULL, NULL},
};

static void every_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct tz *prefer = names[i].prefer ? zone(names[i].prefer) : NULL;
        const struct tz *z = tz_find(str_from(names[i].given), prefer);
        if (!z != !names[i].name || (z && !str_is(tz_name(z), names[i].name)))
            fail_msg("%s: %s", names[i].given, z ? tz_name(z).p : "(none)");
    }
    assert_null(tz_by_name(STR("right/Europe/Berlin")));
    assert_null(tz_by_name(STR("Europe/Berlin\0x")));
    assert_ptr_equal(zone("EUROPE/BERLIN"), zone("Europe/Berlin"));
}

static void windows_ids(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"Europe/Vienna", "W. Europe Standard Time"},
        {"Asia/Kolkata", "India Standard Time"},
        {"America/Ciudad_Juarez", "Mountain Standard Time"},
        {"", "UTC"},
        {"CET", "W. Europe Standard Time"},
        {"Africa/Casablanca", "Morocco Standard Time"},
        {"Custom/+0100+0200-M3.5.0.0200-M10.5.0.0300", "W. Europe Standard Time"},
        {"Custom/+1337", ""},
        {"Asia/Jerusalem", "Israel Standard Time"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (!str_is(tz_windows(zone(pairs[i][0])), pairs[i][1]))
            fail_msg("%s: %.*s", pairs[i][0], STR_ARG(tz_windows(zone(pairs[i][0]))));
}

static void same_zones(void **state)
{
    (void)state;
    assert_true(tz_same(STR("Europe/Vienna"), STR("Europe/Berlin")));
    assert_true(tz_same(STR("Asia/Calcutta"), STR("Asia/Kolkata")));
    assert_true(tz_same(STR(""), STR("Etc/UTC")));
    assert_true(tz_same(STR("No/Where"), STR("No/Where")));
    assert_false(tz_same(STR("Europe/Paris"), STR("Europe/Berlin")));
    assert_false(tz_same(STR("Europe/London"), STR("")));
    assert_false(tz_same(STR("No/Where"), STR("Europe/Berlin")));
}

/* --- rules ----------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *zone;
    int year;
    struct tz_rules rules;
} rules[] = {
    {"Europe/Berlin", 2026, {-60, 0, -60, {0, 10, 0, 5, 3, 0, 0}, {0, 3, 0, 5, 2, 0, 0}}},
    {"America/New_York", 2026, {300, 0, -60, {0, 11, 0, 1, 2, 0, 0}, {0, 3, 0, 2, 2, 0, 0}}},
    {"America/New_York", 2005, {300, 0, -60, {0, 10, 0, 5, 2, 0, 0}, {0, 4, 0, 1, 2, 0, 0}}},
    {"Australia/Lord_Howe", 2026, {-630, 0, -30, {0, 4, 0, 1, 2, 0, 0}, {0, 10, 0, 1, 2, 0, 0}}},
    {"America/St_Johns", 2026, {210, 0, -60, {0, 11, 0, 1, 2, 0, 0}, {0, 3, 0, 2, 2, 0, 0}}},
    {"Europe/Dublin", 2026, {0, 0, -60, {0, 10, 0, 5, 2, 0, 0}, {0, 3, 0, 5, 1, 0, 0}}},
    {"Asia/Kolkata", 2026, {-330, 0, 0, {0}, {0}}},
    {"Asia/Jerusalem", 2026, {-120, 0, -60, {0, 10, 0, 5, 2, 0, 0}, {0, 3, 5, 4, 2, 0, 0}}},
    {"Africa/Casablanca", 2026, {0, 0, -60, {0, 2, 0, 3, 3, 0, 0}, {0, 3, 0, 4, 2, 0, 0}}},
    {"Europe/Moscow", 2014, {-180, 0, -60, {0, 10, 0, 5, 2, 0, 0}, {0, 1, 3, 1, 0, 0, 0}}},
    {"", 2026, {0, 0, 0, {0}, {0}}},
};

static void rules_of_years(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct tz_rules r;
        tz_rules(zone(rules[i].zone), rules[i].year, &r);
        if (memcmp(&r, &rules[i].rules, sizeof(r)) != 0)
            fail_msg("%s %d: %d %d %d std %u.%u.%u %u:%u dst %u.%u.%u %u:%u", rules[i].zone, rules[i].year, r.bias,
                     r.standard_bias, r.daylight_bias, r.standard.month, r.standard.day, r.standard.weekday,
                     r.standard.hour, r.standard.minute, r.daylight.month, r.daylight.day, r.daylight.weekday,
                     r.daylight.hour, r.daylight.minute);
    }
}

/* The rules of a zone in a year find that zone again, when it is preferred, and one that is the same in any case. */
static void rules_and_back(void **state)
{
    (void)state;
    static const int years[] = {1975, 1999, 2011, 2024, 2026, 2030, 2060};
    const struct tz *z;
    size_t odd = 0;
    for (size_t i = 0; (z = tz_candidate(i)); i++) {
        for (size_t k = 0; z->type_count && k < COUNT(years); k++) {
            struct tz_rules r;
            struct tz_change c[TZ_CHANGES_MAX];
            if (tz_changes(z, years[k], c) > 2 || tz_offset(z, tz_year_start(years[k])) % 60) {
                odd++;
                continue;
            }
            tz_rules(z, years[k], &r);
            const struct tz *back = tz_by_rules(&r, years[k], z);
            if (back != z && years[k] >= 2024)
                fail_msg("%s in %d became %s", tz_name(z).p, years[k], back ? tz_name(back).p : "nothing");
            const struct tz *custom = tz_custom(&r);
            if (years[k] >= 2024 && !tz_same_years(z, custom, years[k], years[k]))
                fail_msg("%s in %d is not %s", tz_name(z).p, years[k], tz_name(custom).p);
        }
    }
    assert_true(odd < 150);
}

static void blobs(void **state)
{
    (void)state;
    /* What Exchange Online sends for Berlin. */
    static const char sample[] =
        "xP///1cALgAgAEUAdQByAG8AcABlACAAUwB0AGEAbgBkAGEAcgBkACAAVABpAG0AZQAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAAAAFAAMAAAAA"
        "AAAAAAAAACgAVQBUAEMAKwAwADEAOgAwADAAKQAgAEEAbQBzAHQAZQByAGQAYQBtACwAIABCAGUAcgBsAGkAbgAsACAAQgAAAAMAAAAFAAIA"
        "AAAAAAAAxP///w==";
    struct buf b = BUF_INIT(0);
    const struct tz *z, *vienna = zone("Europe/Vienna");
    assert_true(text_base64_decode(&b, str_from(sample)));
    assert_int_equal(b.n, TZ_BLOB_SIZE);
    assert_true(tz_blob_read(buf_view(&b), 2026, NULL, &z));
    assert_string_equal(tz_name(z).p, "Europe/Berlin");
    assert_true(tz_blob_read(buf_view(&b), 2026, vienna, &z));
    assert_ptr_equal(z, vienna);
    memset(b.p + 4, 0, 64); /* without its name: by the rules */
    assert_true(tz_blob_read(buf_view(&b), 2026, NULL, &z));
    assert_string_equal(tz_name(z).p, "Europe/Berlin");
    b.p[0] = -59; /* 59 minutes east: nobody has that */
    assert_true(tz_blob_read(buf_view(&b), 2026, NULL, &z));
    assert_string_equal(tz_name(z).p, "Custom/+0059+0159-M3.5.0.0200-M10.5.0.0300");
    b.p[70] = 77; /* month */
    assert_false(tz_blob_read(buf_view(&b), 2026, NULL, &z));
    memset(b.p, 0, b.n);
    assert_true(tz_blob_read(buf_view(&b), 2026, vienna, &z));
    assert_null(z);
    for (size_t n = 0; n < TZ_BLOB_SIZE; n++)
        assert_false(tz_blob_read(str_of(b.p, n), 2026, NULL, &z));
    buf_done(&b);
    for (size_t i = 0; (z = tz_candidate(i)); i++) {
        unsigned char blob[TZ_BLOB_SIZE];
        const struct tz *back;
        if (!z->type_count)
            continue;
        tz_blob_write(z, 2026, blob);
        assert_true(tz_blob_read(str_of(blob, sizeof(blob)), 2026, z, &back));
        if (back && back != z)
            fail_msg("%s became %s", tz_name(z).p, tz_name(back).p);
        assert_true(back || tz_is_utc(z));
    }
}

/* --- VTIMEZONE ------------------------------------------------------------------------------------------------------
 */

static int libical_offset(icaltimezone *iz, int64_t instant)
{
    struct icaltimetype t = icaltime_from_timet_with_zone((time_t)instant, 0, icaltimezone_get_utc_timezone());
    int is_daylight;
    return icaltimezone_get_utc_offset_of_utc_time(iz, &t, &is_daylight);
}

static void compare_with_libical(const struct tz *z, struct str text, int64_t from, int64_t to)
{
    char *copy = str_dup(text);
    icalcomponent *c = icalparser_parse_string(copy);
    assert_non_null(c);
    icaltimezone *iz = icaltimezone_new();
    assert_true(icaltimezone_set_component(iz, c));
    for (int64_t t = from; t < to; t += 86400 * 3 + 3601)
        if (libical_offset(iz, t) != tz_offset(z, t))
            fail_msg("%s at %lld: libical reads %d, not %d, in\n%s", tz_name(z).p, (long long)t, libical_offset(iz, t),
                     tz_offset(z, t), copy);
    int64_t t = from;
    int offset;
    while (tz_next_change(z, t, &t, &offset) && t < to) {
        assert_int_equal(libical_offset(iz, t), offset);
        assert_int_equal(libical_offset(iz, t - 1), tz_offset(z, t - 1));
    }
    icaltimezone_free(iz, 1);
    free(copy);
}

/* Without its name, so that it has to be found by what it says. */
static struct str anonymous(struct str text, struct buf *out)
{
    size_t tzid = str_find(text, STR("TZID:")), end = tzid + str_find(str_skip(text, tzid), STR("\r\n"));
    buf_reset(out);
    buf_str(out, str_sub(text, 0, tzid));
    buf_lit(out, "TZID:Customized Time Zone");
    buf_str(out, str_skip(text, end));
    return buf_view(out);
}

static void vtimezone_of_every_zone(void **state)
{
    (void)state;
    static const int years[][2] = {{2026, INT_MAX}, {1996, 2012}, {2026, 2026}, {1972, INT_MAX}};
    const struct tz *z, *back;
    const char *why;
    struct buf b = BUF_INIT(0), nameless = BUF_INIT(0);
    for (size_t i = 0; (z = tz_candidate(i)); i++) {
        for (size_t k = i % 4; z->type_count && k < COUNT(years); k += 4) {
            int64_t to =
                years[k][1] == INT_MAX ? at("2050-01-01T00:00:00Z") : tz_year_start(years[k][1] + 1) - 2 * 86400;
            buf_reset(&b);
            tz_write_vtimezone(z, years[k][0], years[k][1], &b);
            if (tz_is_utc(z)) {
                assert_int_equal(b.n, 0);
                continue;
            }
            compare_with_libical(z, buf_view(&b), tz_year_start(years[k][0]) + 86400, to);
            assert_true(tz_read_vtimezone(buf_view(&b), years[k][0], years[k][1], NULL, &back, &why));
            assert_ptr_equal(back, z);
            if (!tz_read_vtimezone(anonymous(buf_view(&b), &nameless), years[k][0], years[k][1], z, &back, &why) ||
                back != z)
                fail_msg("%s %d: %s, %s", tz_name(z).p, years[k][0], back ? tz_name(back).p : "not found", why);
        }
    }
    buf_done(&b);
    buf_done(&nameless);
}

static void vtimezone_is_short(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    tz_write_vtimezone(zone("Europe/Berlin"), 2026, INT_MAX, &b);
    assert_string_equal(buf_z(&b), "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n"
                                   "BEGIN:DAYLIGHT\r\nDTSTART:19970330T020000\r\nTZOFFSETFROM:+0100\r\n"
                                   "TZOFFSETTO:+0200\r\nTZNAME:CEST\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"
                                   "END:DAYLIGHT\r\n"
                                   "BEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nTZOFFSETFROM:+0200\r\n"
                                   "TZOFFSETTO:+0100\r\nTZNAME:CET\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n"
                                   "END:STANDARD\r\nEND:VTIMEZONE\r\n");
    buf_reset(&b);
    tz_write_vtimezone(zone("Asia/Kolkata"), 2026, 2026, &b);
    assert_int_not_equal(str_find(buf_view(&b), STR("+0530")), (size_t)-1);
    assert_true(b.n < 250);
    buf_reset(&b);
    tz_write_vtimezone(zone("Asia/Jerusalem"), 2026, INT_MAX, &b);
    assert_int_not_equal(str_find(buf_view(&b), STR("BYMONTHDAY=23,24,25,26,27,28,29;BYDAY=FR")), (size_t)-1);
    buf_done(&b);
}

static const struct {
    const char *what, *text, *name; /* NULL: refused */
} foreign[] = {
    {"Outlook",
     "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\n"
     "TZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\n"
     "DTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n"
     "END:DAYLIGHT\nEND:VTIMEZONE\n",
     "Europe/Berlin"},
    {"a fixed offset",
     "BEGIN:VTIMEZONE\nTZID:mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0545\nTZOFFSETTO:+0545\n"
     "END:STANDARD\nEND:VTIMEZONE\n",
     "Asia/Kathmandu"},
    {"an offset nobody has",
     "BEGIN:VTIMEZONE\nTZID:mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0507\nTZOFFSETTO:+0507\n"
     "END:STANDARD\nEND:VTIMEZONE\n",
     "Custom/+0507"},
    {"a rule nobody has",
     "BEGIN:VTIMEZONE\nTZID:mine\nBEGIN:STANDARD\nDTSTART:19701004T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
     "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=9\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19700503T020000\n"
     "TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=5\nEND:DAYLIGHT\nEND:VTIMEZONE\n",
     "Custom/+0100+0200-M5.2.0.0200-M9.1.0.0300"},
    {"X-LIC-LOCATION", "BEGIN:VTIMEZONE\nTZID:whatever\nX-LIC-LOCATION:Asia/Tokyo\nEND:VTIMEZONE\n", "Asia/Tokyo"},
    {"a name in quotes", "BEGIN:VTIMEZONE\nTZID:\"Pacific Standard Time\"\nEND:VTIMEZONE\n", "America/Los_Angeles"},
    {"nothing", "BEGIN:VTIMEZONE\nTZID:whatever\nEND:VTIMEZONE\n", NULL},
    {"no zone", "BEGIN:VEVENT\nTZID:Asia/Tokyo\nEND:VEVENT\n", NULL},
    {"rubbish", "rubbish", NULL},
    {"a bad offset",
     "BEGIN:VTIMEZONE\nTZID:mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+9999\nTZOFFSETTO:+0507\n"
     "END:STANDARD\nEND:VTIMEZONE\n",
     NULL},
};

static void foreign_vtimezones(void **state)
{
    (void)state;
    const struct tz *z;
    const char *why;
    for (size_t i = 0; i < COUNT(foreign); i++) {
        bool ok = tz_read_vtimezone(str_from(foreign[i].text), 2026, INT_MAX, NULL, &z, &why);
        if (ok != (foreign[i].name != NULL) || (ok && !str_is(tz_name(z), foreign[i].name)))
            fail_msg("%s: %s", foreign[i].what, ok ? tz_name(z).p : why);
        for (size_t n = 0; n < strlen(foreign[i].text); n++) /* cut anywhere */
            tz_read_vtimezone(str_of(foreign[i].text, n), 2026, 2027, NULL, &z, &why);
    }
}

/* --- files ----------------------------------------------------------------------------------------------------------
 */

static void files_cut_and_changed(void **state)
{
    (void)state;
    static const char *const paths[] = {"/usr/share/zoneinfo/Europe/Berlin", "/usr/share/zoneinfo/Africa/Casablanca",
                                        "/usr/share/zoneinfo/UTC"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        char bytes[8192];
        const char *why;
        FILE *f = fopen(paths[i], "rb");
        assert_non_null(f);
        size_t n = fread(bytes, 1, sizeof(bytes), f);
        fclose(f);
        for (size_t cut = 0; cut <= n; cut++) {
            struct tz z = {0};
            assert_int_equal(tz_file_read(str_of(bytes, cut), &z, &why), cut == n);
            tz_unload(&z);
        }
        for (size_t k = 0; k < n; k += 7) {
            struct tz z = {0};
            bytes[k] = (char)(bytes[k] ^ 0x5A);
            if (tz_file_read(str_of(bytes, n), &z, &why))
                tz_to_utc(&z, tz_to_local(&z, 1700000000));
            tz_unload(&z);
            bytes[k] = (char)(bytes[k] ^ 0x5A);
        }
    }
}

static const struct {
    const char *text;
    bool ok;
} posix[] = {
    {"UTC0", true},
    {"CET-1CEST,M3.5.0,M10.5.0/3", true},
    {"<+0330>-3:30", true},
    {"IST-2IDT,M3.4.4/26,M10.5.0", true},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true},
    {"EST5EDT,J60,300/2:30:15", true},
    {"", false},
    {"CET", false},
    {"CET-1CEST", false},
    {"CET-1CEST,M3.5.0", false},
    {"CET-1CEST,M13.5.0,M10.5.0", false},
    {"CET-1CEST,M3.6.0,M10.5.0", false},
    {"CET-1CEST,M3.5.7,M10.5.0", false},
    {"CET-25", false},
    {"<+0330-3:30", false},
    {"CET-1CEST,J0,J1", false},
    {"CET-1CEST,M3.5.0,M10.5.0/3x", false},
    {"AB1", false},
};

static void posix_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(posix); i++) {
        struct tz_posix p;
        if (tz_posix_read(str_from(posix[i].text), &p) != posix[i].ok)
            fail_msg("%s", posix[i].text);
    }
}

static void without_tzdata(void **state)
{
    (void)state;
    struct str why;
    assert_true(tz_available(&why));
    tz_set_directory("/nonexistent");
    assert_false(tz_available(&why));
    assert_int_not_equal(str_find(why, STR("/nonexistent/Europe/Berlin")), (size_t)-1);
    assert_null(tz_by_name(STR("Antarctica/Troll")));
    tz_set_directory("/usr/share/zoneinfo");
    assert_non_null(tz_by_name(STR("Antarctica/Troll")));
}

/* However many zones somebody invents, those of tzdata can still be had. */
static void inventions_are_bounded(void **state)
{
    (void)state;
    size_t made = 0;
    for (int i = 0; i < 3000; i++) {
        struct tz_rules r = {.bias = i % 1000, .daylight_bias = -30 - i / 1000};
        r.standard = (struct tz_date){.month = 5, .day = 1, .hour = 3};
        r.daylight = (struct tz_date){.month = 6, .day = 1, .hour = 3};
        made += tz_custom(&r) != NULL;
    }
    assert_true(made > 500 && made < 3000);
    assert_non_null(tz_by_name(STR("Antarctica/Vostok")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_tzdata),
        cmocka_unit_test(every_offset),
        cmocka_unit_test(walls_and_instants),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_name),
        cmocka_unit_test(windows_ids),
        cmocka_unit_test(same_zones),
        cmocka_unit_test(rules_of_years),
        cmocka_unit_test(rules_and_back),
        cmocka_unit_test(blobs),
        cmocka_unit_test(vtimezone_of_every_zone),
        cmocka_unit_test(vtimezone_is_short),
        cmocka_unit_test(foreign_vtimezones),
        cmocka_unit_test(files_cut_and_changed),
        cmocka_unit_test(posix_strings),
        cmocka_unit_test(inventions_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
