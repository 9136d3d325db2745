/* SPDX-License-Identifier: Apache-2.0 */
/* What the clock on the wall shows, and when that was. */
#include "bridge/base/time.h"
#include "bridge/formats/timezone_private.h"

/* --- calendar -------------------------------------------------------------------------------------------------------
 */

int tz_year_of(int64_t local)
{
    struct time_parts p;
    time_to_parts(local, 0, &p);
    return p.year;
}

int64_t tz_year_start(int year)
{
    return time_from_parts(&(struct time_parts){.year = year, .month = 1, .day = 1});
}

int tz_month_days(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0) ? 29 : days[month - 1];
}

int tz_weekday(int64_t local)
{
    int64_t days = local / TZ_DAY_S - (local % TZ_DAY_S < 0);
    return (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

int64_t tz_onset_local(const struct tz_onset *o, int year)
{
    if (o->form != 'M') { /* Jn does not count 29 February */
        int64_t day = (int64_t)o->day - (o->form == 'J');
        if (o->form == 'J' && o->day > 59 && tz_month_days(year, 2) == 29)
            day++;
        return tz_year_start(year) + day * TZ_DAY_S + o->seconds;
    }
    int64_t first = time_from_parts(&(struct time_parts){.year = year, .month = (int)o->month, .day = 1});
    int day = 1 + ((int)o->day - tz_weekday(first) + 7) % 7 + ((int)o->week - 1) * 7;
    if (day > tz_month_days(year, (int)o->month))
        day -= 7;
    return first + (int64_t)(day - 1) * TZ_DAY_S + o->seconds;
}

void tz_posix_year(const struct tz_posix *rule, int year, int64_t *ret_begin, int64_t *ret_end)
{
    *ret_begin = tz_onset_local(&rule->begin, year) - rule->standard.offset;
    *ret_end = tz_onset_local(&rule->end, year) - rule->daylight.offset;
}

/* --- offsets --------------------------------------------------------------------------------------------------------
 */

static const struct tz_type *type_by_rule(const struct tz_posix *rule, int64_t instant)
{
    if (!rule->has_daylight)
        return &rule->standard;
    int64_t begin, end;
    tz_posix_year(rule, tz_year_of(instant + rule->standard.offset), &begin, &end);
    bool daylight = begin < end ? instant >= begin && instant < end : instant < end || instant >= begin;
    return daylight ? &rule->daylight : &rule->standard;
}

/* How many changes are not after the instant. */
static size_t changes_until(const struct tz *z, int64_t instant)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->at[middle] <= instant)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct tz_type *tz_type_at(const struct tz *z, int64_t instant)
{
    size_t n = changes_until(z, instant);
    if (n == z->count && z->has_rule)
        return type_by_rule(&z->rule, instant);
    return n ? &z->types[z->type_of[n - 1]] : &z->types[0];
}

/* Nothing that a date can be lies outside, and no sum overflows inside. */
static int64_t sane(int64_t t)
{
    const int64_t limit = (int64_t)400000000000;
    return t < -limit ? -limit : t > limit ? limit : t;
}

int tz_offset(const struct tz *z, int64_t instant)
{
    instant = sane(instant);
    return tz_type_at(z, instant)->offset;
}

static bool next_by_rule(const struct tz_posix *rule, int64_t instant, int64_t *ret_at, int *ret_offset)
{
    if (!rule->has_daylight || rule->standard.offset == rule->daylight.offset)
        return false;
    int year = tz_year_of(instant + rule->standard.offset);
    int64_t best = INT64_MAX;
    for (int y = year > 1 ? year - 1 : 1; y <= year + 1; y++) {
        int64_t begin, end, begin_next, end_next;
        tz_posix_year(rule, y, &begin, &end);
        tz_posix_year(rule, y + 1, &begin_next, &end_next);
        if (end == begin_next) /* daylight time all the year round: no changes */
            return false;
        if (begin > instant && begin < best) {
            best = begin;
            *ret_offset = rule->daylight.offset;
        }
        if (end > instant && end < best) {
            best = end;
            *ret_offset = rule->standard.offset;
        }
    }
    *ret_at = best;
    return best != INT64_MAX;
}

bool tz_next_change(const struct tz *z, int64_t instant, int64_t *ret_at, int *ret_offset)
{
    instant = sane(instant);
    int now = tz_offset(z, instant);
    for (size_t n = changes_until(z, instant); n < z->count; n++) {
        int then = tz_offset(z, z->at[n]);
        if (then == now)
            continue;
        *ret_at = z->at[n];
        *ret_offset = then;
        return true;
    }
    if (!z->has_rule)
        return false;
    int64_t from = z->count && instant < z->at[z->count - 1] ? z->at[z->count - 1] : instant;
    return next_by_rule(&z->rule, from, ret_at, ret_offset);
}

int64_t tz_to_local(const struct tz *z, int64_t instant)
{
    instant = sane(instant);
    return instant + tz_offset(z, instant);
}

int64_t tz_to_utc(const struct tz *z, int64_t local)
{
    local = sane(local);
    int64_t from = local - 2 * TZ_DAY_S, at;
    int offset = tz_offset(z, from), next;
    while (tz_next_change(z, from, &at, &next) && at <= local + 2 * TZ_DAY_S) {
        /* Before the change with its offset: the first of two. After it, but before what the new offset begins with: a
         * gap, with the offset before it, too. */
        if (local - offset < at || local - next < at)
            return local - offset;
        offset = next;
        from = at;
    }
    return local - offset;
}
