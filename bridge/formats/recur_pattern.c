/* SPDX-License-Identifier: Apache-2.0 */
/* The days of Exchange's patterns, by arithmetic. */
#include "bridge/base/time.h"
#include "bridge/formats/recur.h"

#define DAY_S    86400
#define LAST_DAY 2932896 /* 9999-12-31 */

static int days_of_month(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0) ? 29 : days[month - 1];
}

static int weekday_of(int64_t day)
{
    return (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

static int64_t month_of(int64_t day) /* months since year 0 */
{
    struct time_parts p;
    time_to_parts(day * DAY_S, 0, &p);
    return (int64_t)p.year * 12 + p.month - 1;
}

/* --- weeks ----------------------------------------------------------------------------------------------------------
 */

static unsigned bits(unsigned v)
{
    unsigned n = 0;
    for (; v; v &= v - 1)
        n++;
    return n;
}

/* Bit i: the i-th day of a week that begins with first_day. */
static unsigned days_from(unsigned days, unsigned first_day)
{
    return (days >> first_day | days << (7 - first_day)) & 127;
}

struct week_pattern {
    unsigned days, per_week;
    int64_t week0;  /* the day with which the first week begins */
    int64_t before; /* days of the pattern in that week before the start */
};

static struct week_pattern week_pattern(const struct event_recurrence *p, int64_t start)
{
    unsigned days = p->days & 127 ? p->days & 127 : 1u << weekday_of(start);
    int at = (weekday_of(start) - (int)p->first_day + 7) % 7;
    days = days_from(days, p->first_day % 7);
    return (struct week_pattern){days, bits(days), start - at, bits(days & ((1u << at) - 1))};
}

static int64_t week_day(const struct event_recurrence *p, int64_t start, int64_t n)
{
    struct week_pattern w = week_pattern(p, start);
    int64_t number = n + w.before, week = number / w.per_week, of_week = number % w.per_week;
    int at = 0;
    for (unsigned days = w.days; of_week || !(days & 1); days >>= 1, at++)
        of_week -= days & 1;
    return w.week0 + week * 7 * p->interval + at;
}

static int64_t week_find(const struct event_recurrence *p, int64_t start, int64_t day)
{
    struct week_pattern w = week_pattern(p, start);
    int64_t week = (day - w.week0) / 7, at = (day - w.week0) % 7, turn = week / p->interval;
    if (week % p->interval)
        return (turn + 1) * w.per_week - w.before;
    return turn * w.per_week + bits(w.days & ((1u << at) - 1)) - w.before;
}

/* --- months ---------------------------------------------------------------------------------------------------------
 */

static int relative_day(const struct event_recurrence *p, int64_t first, int length)
{
    int weekday = weekday_of(first);
    unsigned days = p->days & 127 ? p->days & 127 : 127;
    if (p->week >= EVENT_LAST_WEEK) {
        int at = length;
        while (!(days >> (weekday + at - 1) % 7 & 1))
            at--;
        return at;
    }
    unsigned left = p->week ? p->week : 1;
    for (int at = 1;; at++)
        if ((days >> (weekday + at - 1) % 7 & 1) && --left == 0)
            return at;
}

static int64_t day_in_month(const struct event_recurrence *p, int64_t month)
{
    int year = (int)(month / 12), of_year = (int)(month % 12) + 1, length = days_of_month(year, of_year);
    int64_t first = time_from_parts(&(struct time_parts){.year = year, .month = of_year, .day = 1}) / DAY_S;
    if (p->pattern == EVENT_MONTHLY_RELATIVE || p->pattern == EVENT_YEARLY_RELATIVE)
        return first + relative_day(p, first, length) - 1;
    int day = (int)p->day_of_month;
    return first + (day > length ? length : day < 1 ? 1 : day) - 1;
}

/* The first month of the pattern and how many months lie between two. */
static void months_of(const struct event_recurrence *p, int64_t start, int64_t *ret_first, int64_t *ret_step)
{
    bool yearly = p->pattern == EVENT_YEARLY || p->pattern == EVENT_YEARLY_RELATIVE;
    int64_t month = month_of(start);
    *ret_step = (int64_t)p->interval * (yearly ? 12 : 1);
    if (yearly)
        month = month - month % 12 + (p->month >= 1 && p->month <= 12 ? p->month - 1 : 0);
    if (day_in_month(p, month) < start)
        month += *ret_step;
    *ret_first = month;
}

static int64_t month_day(const struct event_recurrence *p, int64_t start, int64_t n)
{
    int64_t first, step;
    months_of(p, start, &first, &step);
    if (n > (9999 * 12 + 11 - first) / step)
        return INT64_MAX;
    return day_in_month(p, first + n * step);
}

static int64_t month_find(const struct event_recurrence *p, int64_t start, int64_t day)
{
    int64_t first, step, n;
    months_of(p, start, &first, &step);
    n = (month_of(day) - first) / step;
    if (n < 0)
        n = 0;
    if (first + n * step > 9999 * 12 + 11)
        return n;
    return n + (day_in_month(p, first + n * step) < day);
}

/* --- all ------------------------------------------------------------------------------------------------------------
 */

int64_t pattern_day(const struct event_recurrence *p, int64_t start, int64_t n)
{
    int64_t day;
    if (n < 0 || n > LAST_DAY * 2)
        return INT64_MAX;
    if (p->pattern == EVENT_DAILY)
        day = start + n * p->interval;
    else if (p->pattern == EVENT_WEEKLY)
        day = week_day(p, start, n);
    else
        day = month_day(p, start, n);
    return day > LAST_DAY ? INT64_MAX : day;
}

int64_t pattern_find(const struct event_recurrence *p, int64_t start, int64_t day)
{
    if (day <= start)
        return 0;
    if (day > LAST_DAY)
        day = LAST_DAY + 1;
    if (p->pattern == EVENT_DAILY)
        return (day - start + p->interval - 1) / p->interval;
    return p->pattern == EVENT_WEEKLY ? week_find(p, start, day) : month_find(p, start, day);
}

int64_t pattern_count(const struct event_recurrence *p, int64_t start)
{
    if (p->count)
        return p->count;
    if (!p->has_until)
        return INT64_MAX;
    int64_t day = p->until / DAY_S - (p->until % DAY_S < 0);
    return day < start ? 0 : pattern_find(p, start, day + 1);
}

static bool days_valid(const struct event_recurrence *p)
{
    unsigned d = p->days;
    return d && d <= EVENT_EVERY_DAY &&
           (bits(d) == 1 || d == EVENT_WEEKDAYS || d == EVENT_WEEKEND || d == EVENT_EVERY_DAY);
}

bool pattern_valid(const struct event_recurrence *p)
{
    unsigned limit = p->pattern == EVENT_DAILY ? EVENT_INTERVAL_MAX : 99;
    bool relative = p->pattern == EVENT_MONTHLY_RELATIVE || p->pattern == EVENT_YEARLY_RELATIVE;
    bool absolute = p->pattern == EVENT_MONTHLY || p->pattern == EVENT_YEARLY;
    if (p->pattern == EVENT_YEARLY || p->pattern == EVENT_YEARLY_RELATIVE) {
        limit = RECUR_YEARS_MAX;
        if (p->month < 1 || p->month > 12)
            return false;
    }
    if (p->interval < 1 || p->interval > limit || p->count > EVENT_COUNT_MAX || p->first_day > 6)
        return false;
    if (absolute)
        return p->day_of_month >= 1 && p->day_of_month <= 31;
    if (relative)
        return days_valid(p) && p->week >= 1 && p->week <= EVENT_LAST_WEEK;
    return p->pattern == EVENT_DAILY || (p->days && p->days <= EVENT_EVERY_DAY);
}

bool pattern_is_foreign(const struct event_recurrence *p)
{
    /* Gregorian months under other names and eras: MS-ASCAL 2.2.2.10 */
    static const unsigned char gregorian[] = {0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12};
    for (size_t i = 0; i < sizeof(gregorian); i++)
        if (p->calendar == gregorian[i])
            return p->leap_month;
    return true;
}
