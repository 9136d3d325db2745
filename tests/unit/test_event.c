/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over occurrences against one that looks at every day; comparing and copying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/time.h"
#include "bridge/formats/event.h"
#include "bridge/formats/recur.h"
#include "bridge/formats/timezone.h"
#include "tests/unit/calendar_random.h"

#define DAY_S 86400

static int64_t at(const char *iso)
{
    int64_t ms;
    assert_true(time_parse_iso(str_from(iso), &ms));
    return ms / 1000;
}

/* --- patterns, day by day
 * -----------------------------------------------------------------------------------------------
 */

static struct time_parts parts_of(int64_t day)
{
    struct time_parts p;
    time_to_parts(day * DAY_S, 0, &p);
    return p;
}

static int days_in_month(struct time_parts p)
{
    struct time_parts next = {.year = p.year + p.month / 12, .month = p.month % 12 + 1, .day = 1};
    struct time_parts first = {.year = p.year, .month = p.month, .day = 1};
    return (int)((time_from_parts(&next) - time_from_parts(&first)) / DAY_S);
}

static bool is_the_week(const struct event_recurrence *r, int64_t day)
{
    struct time_parts p = parts_of(day);
    int length = days_in_month(p), n = 0, last = 0, nth = 0;
    for (int i = 1; i <= length; i++) {
        if (!(r->days >> parts_of(day - p.day + i).weekday & 1))
            continue;
        last = i;
        if (++n == (int)r->week && r->week != EVENT_LAST_WEEK)
            nth = i;
    }
    return p.day == (r->week == EVENT_LAST_WEEK ? last : nth);
}

/* In one of the months or weeks that count, whatever the day in it. `first` is the first month with an occurrence. */
static bool is_on(const struct event_recurrence *r, int64_t start, int64_t first_month, int64_t day)
{
    struct time_parts p = parts_of(day);
    int64_t month = (int64_t)p.year * 12 + p.month - 1;
    unsigned step = r->interval * (r->pattern >= EVENT_YEARLY ? 12 : 1);
    int64_t week = (day - (p.weekday - (int)r->first_day + 7) % 7) -
                   (start - (parts_of(start).weekday - (int)r->first_day + 7) % 7);
    bool in_month = month >= first_month && (month - first_month) % step == 0;
    switch (r->pattern) {
    case EVENT_DAILY:
        return (day - start) % r->interval == 0;
    case EVENT_WEEKLY:
        return week / 7 % r->interval == 0 && (r->days >> p.weekday & 1);
    case EVENT_MONTHLY:
    case EVENT_YEARLY:
        return in_month && p.day == ((int)r->day_of_month > days_in_month(p) ? days_in_month(p) : (int)r->day_of_month);
    case EVENT_MONTHLY_RELATIVE:
    case EVENT_YEARLY_RELATIVE:
        return in_month && is_the_week(r, day);
    }
    return false;
}

/* The first month that has a day of the pattern on or after the start: counting begins there. */
static int64_t find_first_month(const struct event_recurrence *r, int64_t start)
{
    struct time_parts p = parts_of(start);
    int64_t month = (int64_t)p.year * 12 + p.month - 1, own = month;
    struct event_recurrence every = *r;
    every.interval = 1;
    if (r->pattern >= EVENT_YEARLY)
        month = (int64_t)p.year * 12 + r->month - 1;
    for (int64_t day = start; day < start + 31; day++)
        if (month == own && parts_of(day).month == p.month && is_on(&every, start, month, day))
            return month;
    if (month > own)
        return month;
    return month + r->interval * (r->pattern >= EVENT_YEARLY ? 12 : 1);
}

static void patterns_day_by_day(void **state)
{
    (void)state;
    struct random r = {1};
    for (int i = 0; i < 3000; i++) {
        struct event_recurrence p;
        assert_true(random_pattern(&r, &p));
        int64_t start = random_below(&r, 40000), n = 0, month = find_first_month(&p, start);
        for (int64_t day = start; day < start + 1200; day++) {
            bool on = is_on(&p, start, month, day);
            if (pattern_find(&p, start, day) != n || (on && pattern_day(&p, start, n) != day))
                fail_msg(
                    "pattern %d every %u, days %u week %u day %u month %u first %u from %lld: on %lld number %lld, "
                    "found %lld, whose day is %lld",
                    (int)p.pattern, p.interval, p.days, p.week, p.day_of_month, p.month, p.first_day, (long long)start,
                    (long long)day, (long long)n, (long long)pattern_find(&p, start, day),
                    (long long)pattern_day(&p, start, n));
            n += on;
        }
    }
}

static void patterns_far_away(void **state)
{
    (void)state;
    struct random r = {2};
    for (int i = 0; i < 2000; i++) {
        struct event_recurrence p;
        assert_true(random_pattern(&r, &p));
        int64_t n = pattern_find(&p, 20000, INT64_MAX);
        assert_int_equal(pattern_day(&p, 20000, n + 1), INT64_MAX);
        assert_true(pattern_day(&p, 20000, n - 1) < INT64_MAX);
        assert_int_equal(pattern_day(&p, 20000, INT64_MAX), INT64_MAX);
        assert_int_equal(pattern_day(&p, 20000, -1), INT64_MAX);
    }
}

/* --- occurrences
 * ----------------------------------------------------------------------------------------------------------
 */

struct list {
    struct event_occurrence o[64];
    size_t n;
};

static bool collect(void *ud, const struct event_occurrence *o)
{
    struct list *l = ud;
    assert_true(l->n < 64);
    l->o[l->n++] = *o;
    return l->n < 64;
}

static struct event berlin(const char *start, const char *end)
{
    return (struct event){.fields = {.start = at(start), .end = at(end), .start_zone = STR("Europe/Berlin")}};
}

static void single_events(void **state)
{
    (void)state;
    struct event e = berlin("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
    struct {
        const char *from, *to;
        size_t n;
    } rows[] = {
        {"2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z", 1}, {"2026-06-01T09:00:00Z", "2026-06-01T10:00:00Z", 0},
        {"2026-06-01T07:00:00Z", "2026-06-01T08:00:00Z", 0}, {"2026-06-01T08:59:59Z", "2026-06-01T20:00:00Z", 1},
        {"2026-06-01T07:00:00Z", "2026-06-01T08:00:01Z", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct list l = {.n = 0};
        assert_true(event_each(&e, at(rows[i].from), at(rows[i].to), STR(""), collect, &l));
        assert_int_equal(l.n, rows[i].n);
    }
    e.fields.end = e.fields.start; /* no length: the moment it begins (RFC 4791 9.9) */
    struct list l = {.n = 0};
    event_each(&e, e.fields.start, e.fields.start + 1, STR(""), collect, &l);
    event_each(&e, e.fields.start - 1, e.fields.start, STR(""), collect, &l);
    event_each(&e, e.fields.start + 1, 0, STR(""), collect, &l);
    assert_int_equal(l.n, 1);
}

/* A daily meeting at 9 keeps its hour when the clocks change, and its end does, too. */
static void over_daylight_saving(void **state)
{
    (void)state;
    struct event e = berlin("2026-03-27T08:00:00Z", "2026-03-27T09:30:00Z");
    struct list l = {.n = 0};
    e.has_recurrence = true;
    e.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1, .count = 4};
    assert_true(event_each(&e, INT64_MIN, 0, STR(""), collect, &l));
    assert_int_equal(l.n, 4);
    assert_int_equal(l.o[1].start, at("2026-03-28T08:00:00Z"));
    assert_int_equal(l.o[2].start, at("2026-03-29T07:00:00Z"));
    assert_int_equal(l.o[2].end, at("2026-03-29T08:30:00Z"));
    /* At half past two: that night the hour is not there, and comes with the offset before it. */
    e = berlin("2026-03-27T01:30:00Z", "2026-03-27T02:30:00Z");
    e.has_recurrence = true;
    e.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1, .count = 4};
    l.n = 0;
    event_each(&e, INT64_MIN, 0, STR(""), collect, &l);
    assert_int_equal(l.o[2].start, at("2026-03-29T01:30:00Z"));
    assert_int_equal(event_index_of(&e, l.o[2].start), 3);
    assert_int_equal(l.o[3].start, at("2026-03-30T00:30:00Z"));
    /* 02:50 to 03:05: on 29 March it begins at 03:50, and cannot end before */
    e = berlin("2026-03-27T01:50:00Z", "2026-03-27T02:05:00Z");
    e.has_recurrence = true;
    e.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1, .count = 3};
    l.n = 0;
    event_each(&e, INT64_MIN, 0, STR(""), collect, &l);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.o[2].start, at("2026-03-29T01:50:00Z"));
    assert_int_equal(l.o[2].end, at("2026-03-29T02:05:00Z"));
}

static void all_day_series(void **state)
{
    (void)state;
    struct event e = {.fields = {.start = at("2026-03-28"), .end = at("2026-03-29"), .all_day = true},
                      .has_recurrence = true};
    struct list l = {.n = 0};
    e.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1};
    /* 29 March in Berlin: 23 hours from 23:00Z to 22:00Z. */
    event_each(&e, at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"), STR("Europe/Berlin"), collect, &l);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.o[0].start, at("2026-03-29"));
    l.n = 0;
    event_each(&e, at("2026-03-28T22:59:59Z"), at("2026-03-29T22:00:01Z"), STR("Europe/Berlin"), collect, &l);
    assert_int_equal(l.n, 3);
}

static void exceptions(void **state)
{
    (void)state;
    struct event e = berlin("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
    struct event_exception list[] = {
        {.original = at("2026-06-02T08:00:00Z"), .deleted = true},
        {.original = at("2026-06-04T08:00:00Z"), /* moved to July */
         .fields = {.start = at("2026-07-01T08:00:00Z"), .end = at("2026-07-01T09:00:00Z")}},
        {.original = at("2026-06-05T11:00:00Z"), /* where the rule has nothing: a server says so */
         .fields = {.start = at("2026-06-05T11:00:00Z"), .end = at("2026-06-05T12:00:00Z")}},
    };
    struct list l = {.n = 0};
    int64_t from, to, original;
    e.has_recurrence = true;
    e.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1, .count = 5};
    e.exceptions = list;
    e.exception_count = 3;
    event_each(&e, INT64_MIN, 0, STR(""), collect, &l);
    assert_int_equal(l.n, 5);
    static const unsigned indexes[] = {1, 3, 4, 5, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(l.o[i].index, indexes[i]);
    assert_ptr_equal(l.o[2].changed, &list[1]);
    l.n = 0;
    event_each(&e, at("2026-07-01"), at("2026-07-02"), STR(""), collect, &l);
    assert_int_equal(l.n, 1);
    l.n = 0;
    event_each(&e, at("2026-06-04"), at("2026-06-05"), STR(""), collect, &l);
    assert_int_equal(l.n, 0);
    event_span(&e, &from, &to);
    assert_int_equal(from, at("2026-06-01T08:00:00Z"));
    assert_int_equal(to, at("2026-07-01T09:00:00Z"));
    assert_int_equal(event_index_of(&e, at("2026-06-02T08:00:00Z")), 2);
    assert_int_equal(event_index_of(&e, at("2026-06-02T08:00:01Z")), 0);
    assert_int_equal(event_index_of(&e, at("2026-06-06T08:00:00Z")), 0);
    assert_true(event_original_at(&e, 5, &original));
    assert_int_equal(original, at("2026-06-05T08:00:00Z"));
    assert_false(event_original_at(&e, 6, &original));
    assert_false(event_original_at(&e, 0, &original));
    assert_ptr_equal(event_exception(&e, list[1].original), &list[1]);
    assert_null(event_exception(&e, list[1].original + 1));
}

/* Any window shows what is in it of the whole walk, in the same order. */
static bool note(void *ud, const struct event_occurrence *o)
{
    struct list *l = ud;
    if (l->n < 64)
        l->o[l->n++] = *o;
    return l->n < 64;
}

static void windows(void **state)
{
    (void)state;
    struct arena a = {0};
    struct random r = {3};
    for (int i = 0; i < 4000; i++) {
        struct event e;
        struct list whole = {.n = 0}, part = {.n = 0};
        random_event(&r, &a, &e);
        event_each(&e, INT64_MIN, 0, STR("Europe/Berlin"), note, &whole);
        if (e.kind != EVENT_TASK && whole.n) {
            size_t k = random_below(&r, (unsigned)whole.n), n = 0;
            int64_t from = whole.o[k].start - (int64_t)random_below(&r, 100000),
                    to = from + 1 + (int64_t)random_below(&r, 400000);
            int64_t shown_until = whole.n < 64 ? INT64_MAX : whole.o[63].original;
            event_each(&e, from, to, STR("Europe/Berlin"), note, &part);
            for (size_t m = 0; m < whole.n; m++) {
                struct event_fields f = {.start = whole.o[m].start, .end = whole.o[m].end, .all_day = e.fields.all_day};
                if (!event_fields_within(&f, from, to, STR("Europe/Berlin")))
                    continue;
                assert_true(n < part.n);
                assert_int_equal(part.o[n].original, whole.o[m].original);
                assert_int_equal(part.o[n].index, whole.o[m].index);
                n++;
            }
            if (n != part.n && part.o[n].original <= shown_until)
                fail_msg("event %d: %zu of %zu", i, n, part.n);
        }
        arena_done(&a);
    }
}

static void spans(void **state)
{
    (void)state;
    struct event e = berlin("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
    int64_t from, to;
    e.has_recurrence = true;
    e.recurrence = (struct event_recurrence){.pattern = EVENT_WEEKLY, .interval = 1, .days = EVENT_MONDAY};
    event_span(&e, &from, &to);
    assert_int_equal(to, INT64_MAX);
    e.recurrence.has_until = true;
    e.recurrence.until = at("2026-06-21"); /* a Sunday: the last one is the 15th */
    event_span(&e, &from, &to);
    assert_int_equal(to, at("2026-06-15T09:00:00Z"));
    e.recurrence.until = at("2026-05-01");
    event_span(&e, &from, &to);
    assert_int_equal(from, at("2026-06-01T08:00:00Z"));
    assert_int_equal(to, at("2026-06-01T09:00:00Z"));
    e = (struct event){.kind = EVENT_TASK, .fields = {.start = TIME_NONE, .end = TIME_NONE, .all_day = true}};
    event_span(&e, &from, &to);
    assert_int_equal(from, INT64_MIN);
    assert_int_equal(to, INT64_MAX);
    e.fields.end = at("2026-06-01");
    event_span(&e, &from, &to);
    assert_int_equal(from, at("2026-06-01"));
    assert_int_equal(to, at("2026-06-01"));
}

/* Patterns that cannot be counted here are their first occurrence. */
static void uncounted(void **state)
{
    (void)state;
    struct event_recurrence rows[] = {
        {.pattern = EVENT_DAILY, .interval = 1, .regenerates = true},
        {.pattern = EVENT_YEARLY, .interval = 1, .day_of_month = 1, .month = 1, .calendar = 15},
        {.pattern = EVENT_YEARLY, .interval = 1, .day_of_month = 1, .month = 1, .leap_month = true},
        {.pattern = EVENT_DAILY, .interval = 0},
        {.pattern = EVENT_MONTHLY_RELATIVE, .interval = 1, .days = 3, .week = 1},
        {.pattern = EVENT_YEARLY, .interval = 9, .day_of_month = 1, .month = 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct event e = berlin("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
        struct list l = {.n = 0};
        e.has_recurrence = true;
        e.recurrence = rows[i];
        assert_true(event_each(&e, INT64_MIN, 0, STR(""), collect, &l));
        assert_int_equal(l.n, 1);
    }
}

static bool never(void *ud, const struct event_occurrence *o)
{
    (void)o;
    return ++*(size_t *)ud < SIZE_MAX;
}

static void walks_are_bounded(void **state)
{
    (void)state;
    struct event e = berlin("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
    size_t n = 0;
    e.has_recurrence = true;
    e.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1};
    assert_false(event_each(&e, INT64_MIN, 0, STR(""), never, &n));
    assert_int_equal(n, EVENT_WALK_MAX);
    n = 0; /* far away is no longer */
    assert_true(event_each(&e, at("2400-01-01"), at("2400-01-02"), STR(""), never, &n));
    assert_int_equal(n, 1);
}

/* --- differences
 * ------------------------------------------------------------------------------------------------------------
 */

static void copies_are_equal(void **state)
{
    (void)state;
    struct random r = {4};
    for (int i = 0; i < 1000; i++) {
        struct arena a = {0}, b = {0};
        struct event e, copy;
        random_event(&r, &a, &e);
        event_copy(&copy, &e, &b);
        assert_null(events_unequal(&e, &copy));
        assert_int_equal(event_differ(&e, &copy), 0);
        arena_done(&a); /* nothing of it is used */
        assert_int_equal(event_differ(&copy, &copy), 0);
        arena_done(&b);
    }
}

static void parts(void **state)
{
    (void)state;
    struct event a = berlin("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z"), b = a;
    struct event_attendee one[] = {{.email = STR("a@example.com")}, {.email = STR("b@example.com")}},
                          two[] = {{.email = STR("B@example.com"), .name = STR("Bea")},
                                   {.email = STR("a@EXAMPLE.com")}};
    a.fields.attendees = one;
    b.fields.attendees = two;
    a.fields.attendee_count = b.fields.attendee_count = 2;
    assert_int_equal(event_differ(&a, &b), 0);
    two[0].response = EVENT_ACCEPTED;
    assert_int_equal(event_differ(&a, &b), EVENT_PART_RESPONSES);
    two[0].response = EVENT_NO_RESPONSE;
    two[0].role = EVENT_OPTIONAL;
    assert_int_equal(event_differ(&a, &b), EVENT_PART_ATTENDEES);
    two[0].role = EVENT_REQUIRED;
    b.fields.start_zone = STR("Europe/Vienna");
    b.fields.end_zone = STR("Europe/Berlin");
    assert_int_equal(event_differ(&a, &b), 0);
    b.fields.end_zone = STR("Europe/Paris");
    assert_int_equal(event_differ(&a, &b), EVENT_PART_TIME);
    b.fields.end_zone = STR("");
    a.fields.text = STR("x  \r\ny\r\n\r\n");
    b.fields.text = STR("x\ny");
    assert_int_equal(event_differ(&a, &b), 0);
    b.fields.text = STR("x\n\ny");
    assert_int_equal(event_differ(&a, &b), EVENT_PART_BODY);
    b.fields.text = a.fields.text;
    a.has_recurrence = b.has_recurrence = true;
    a.recurrence = b.recurrence = (struct event_recurrence){.pattern = EVENT_WEEKLY, .interval = 1, .days = 2};
    b.recurrence.first_day = 1; /* says nothing when every week counts */
    assert_int_equal(event_differ(&a, &b), 0);
    a.recurrence.interval = b.recurrence.interval = 2; /* or one day of it */
    assert_int_equal(event_differ(&a, &b), 0);
    a.recurrence.days = b.recurrence.days = 10;
    assert_int_equal(event_differ(&a, &b), EVENT_PART_RECURRENCE);
    a.recurrence = (struct event_recurrence){.pattern = EVENT_WEEKLY, .interval = 1, .days = EVENT_EVERY_DAY};
    b.recurrence = (struct event_recurrence){.pattern = EVENT_DAILY, .interval = 1};
    assert_int_equal(event_differ(&a, &b), 0);
    a.recurrence.interval = b.recurrence.interval = 2;
    assert_int_equal(event_differ(&a, &b), EVENT_PART_RECURRENCE);
    a.recurrence = b.recurrence = (struct event_recurrence){.pattern = EVENT_MONTHLY, .interval = 1, .day_of_month = 5};
    b.recurrence.calendar = 1; /* the default one, by its name */
    assert_int_equal(event_differ(&a, &b), 0);
    b.recurrence.calendar = 2;
    assert_int_equal(event_differ(&a, &b), EVENT_PART_RECURRENCE);
    b.recurrence.calendar = 0;
    struct event_exception x = {.original = 1, .deleted = true};
    b.recurrence.first_day = 0;
    b.exceptions = &x;
    b.exception_count = 1;
    assert_int_equal(event_differ(&a, &b), EVENT_PART_EXCEPTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_day_by_day),
        cmocka_unit_test(patterns_far_away),
        cmocka_unit_test(single_events),
        cmocka_unit_test(over_daylight_saving),
        cmocka_unit_test(all_day_series),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(windows),
        cmocka_unit_test(spans),
        cmocka_unit_test(uncounted),
        cmocka_unit_test(walks_are_bounded),
        cmocka_unit_test(copies_are_equal),
        cmocka_unit_test(parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
