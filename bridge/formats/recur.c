/* SPDX-License-Identifier: Apache-2.0 */
/* RRULE: grammar and days. */
#include "bridge/formats/recur.h"

#include "bridge/base/time.h"

#define DAY_S 86400

/* --- grammar --------------------------------------------------------------------------------------------------------
 */

static bool take_int(struct str s, int min, int max, int *ret)
{
    bool minus = s.n && s.p[0] == '-';
    uint32_t v;
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_skip(s, 1);
    if (!str_to_u32(s, &v) || v > 100000)
        return false;
    *ret = minus ? -(int)v : (int)v;
    return *ret >= min && *ret <= max;
}

static bool take_weekday(struct str s, unsigned *ret)
{
    static const char *const names[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
    for (unsigned i = 0; i < 7; i++) {
        if (str_case_is(s, names[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool take_ints(struct str s, int limit, int *list, unsigned *count)
{
    struct str item;
    while (str_cut(&s, ',', &item)) {
        int v;
        if (*count == RECUR_LIST_MAX || !take_int(str_trim(item), -limit, limit, &v) || !v)
            return false;
        list[(*count)++] = v;
    }
    return *count > 0;
}

static bool part_frequency(struct recur *r, struct str value, enum ical_reason *reason)
{
    static const char *const names[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    for (unsigned i = 0; i < 4; i++) {
        if (str_case_is(value, names[i])) {
            r->frequency = (enum recur_frequency)i;
            return true;
        }
    }
    if (str_case_is(value, "HOURLY") || str_case_is(value, "MINUTELY") || str_case_is(value, "SECONDLY"))
        *reason = ICAL_RULE_FREQUENCY;
    return false;
}

static bool part_interval(struct recur *r, struct str value, enum ical_reason *reason)
{
    int v;
    (void)reason;
    if (!take_int(value, 1, 100000, &v))
        return false;
    r->interval = (unsigned)v;
    return true;
}

static bool part_count(struct recur *r, struct str value, enum ical_reason *reason)
{
    int v;
    (void)reason;
    if (!take_int(value, 1, 100000, &v))
        return false;
    r->count = (unsigned)v;
    return true;
}

static bool part_until(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    r->has_until = ical_when(value, &r->until, &r->until_kind);
    return r->has_until;
}

static bool part_week_start(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_weekday(value, &r->week_start);
}

static bool part_days(struct recur *r, struct str value, enum ical_reason *reason)
{
    struct str item;
    (void)reason;
    while (str_cut(&value, ',', &item)) {
        item = str_trim(item);
        struct recur_day *d = &r->days[r->day_count];
        struct str number = str_sub(item, 0, item.n < 2 ? 0 : item.n - 2);
        if (r->day_count == RECUR_LIST_MAX || !take_weekday(str_skip(item, number.n), &d->weekday))
            return false;
        d->n = 0;
        if (number.n && (!take_int(number, -53, 53, &d->n) || !d->n))
            return false;
        r->day_count++;
    }
    return r->day_count > 0;
}

static bool part_month_days(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_ints(value, 31, r->month_days, &r->month_day_count);
}

static bool part_year_days(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_ints(value, 366, r->year_days, &r->year_day_count);
}

static bool take_bits(struct str s, int max, uint64_t *bits)
{
    struct str item;
    while (str_cut(&s, ',', &item)) {
        int v;
        if (!take_int(str_trim(item), 0, max, &v))
            return false;
        *bits |= (uint64_t)1 << v;
    }
    return *bits != 0;
}

static bool part_hours(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_bits(value, 23, &r->hours);
}

static bool part_minutes(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_bits(value, 59, &r->minutes);
}

static bool part_seconds(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_bits(value, 60, &r->seconds);
}

static bool part_positions(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)reason;
    return take_ints(value, 366, r->positions, &r->position_count);
}

static bool part_months(struct recur *r, struct str value, enum ical_reason *reason)
{
    struct str item;
    (void)reason;
    while (str_cut(&value, ',', &item)) {
        int v;
        if (!take_int(str_trim(item), 1, 12, &v)) /* "5L" is a leap month of another calendar */
            return false;
        r->months |= 1u << v;
    }
    return r->months != 0;
}

static bool part_scale(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)r;
    if (str_case_is(value, "GREGORIAN"))
        return true;
    *reason = ICAL_RULE_SCALE;
    return false;
}

static bool part_skip(struct recur *r, struct str value, enum ical_reason *reason)
{
    r->skip_backward = str_case_is(value, "BACKWARD");
    if (r->skip_backward || str_case_is(value, "OMIT"))
        return true;
    *reason = ICAL_RULE_PART;
    return false;
}

static bool part_none(struct recur *r, struct str value, enum ical_reason *reason)
{
    (void)r;
    (void)value;
    *reason = ICAL_RULE_PART;
    return false;
}

static const struct part {
    const char *name;
    bool (*read)(struct recur *r, struct str value, enum ical_reason *reason);
} parts[] = {
    {"FREQ", part_frequency},        {"INTERVAL", part_interval},  {"COUNT", part_count},
    {"UNTIL", part_until},           {"WKST", part_week_start},    {"BYDAY", part_days},
    {"BYMONTHDAY", part_month_days}, {"BYSETPOS", part_positions}, {"BYMONTH", part_months},
    {"RSCALE", part_scale},          {"SKIP", part_skip},          {"BYWEEKNO", part_none},
    {"BYYEARDAY", part_year_days},   {"BYHOUR", part_hours},       {"BYMINUTE", part_minutes},
    {"BYSECOND", part_seconds},
};

/* Which part it is; each may be there once. */
static bool read_part(struct recur *r, struct str name, struct str value, unsigned *seen, enum ical_reason *reason)
{
    for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (!str_case_is(name, parts[i].name))
            continue;
        if (*seen & 1u << i)
            return false;
        *seen |= 1u << i;
        return parts[i].read(r, value, reason);
    }
    return false;
}

static bool has_ordinals(const struct recur *r)
{
    for (unsigned i = 0; i < r->day_count; i++)
        if (r->days[i].n)
            return true;
    return false;
}

/* What 3.3.10 forbids. */
static bool makes_sense(const struct recur *r)
{
    if (r->count && r->has_until)
        return false;
    if (r->frequency < RECUR_MONTHLY && has_ordinals(r))
        return false;
    if (r->frequency == RECUR_WEEKLY && r->month_day_count)
        return false;
    if (r->frequency != RECUR_YEARLY && r->year_day_count)
        return false;
    bool any = r->day_count || r->month_day_count || r->year_day_count || r->months || r->hours || r->minutes;
    return !r->position_count || any || r->seconds;
}

bool recur_parse(struct str text, struct recur *ret, enum ical_reason *ret_reason)
{
    struct str piece, name;
    unsigned seen = 0;
    *ret = (struct recur){.interval = 1, .week_start = 1};
    *ret_reason = ICAL_RULE_SYNTAX;
    text = str_trim(text);
    while (str_cut(&text, ';', &piece)) {
        if (!str_trim(piece).n && !text.n) /* a ';' at the end: seen in the wild, and harmless */
            continue;
        if (!str_cut(&piece, '=', &name) || !read_part(ret, str_trim(name), str_trim(piece), &seen, ret_reason))
            return false;
    }
    return (seen & 1) && makes_sense(ret);
}

static bool only_bit(uint64_t bits, int64_t n)
{
    return !bits || bits == (uint64_t)1 << n;
}

bool recur_keeps_clock(const struct recur *r, int64_t clock)
{
    return only_bit(r->hours, clock / 3600) && only_bit(r->minutes, clock / 60 % 60) &&
           only_bit(r->seconds, clock % 60);
}

/* --- days -----------------------------------------------------------------------------------------------------------
 */

struct date {
    int year, month, day, weekday;
    int month_days; /* of its month */
};

static int days_of_month(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0) ? 29 : days[month - 1];
}

static int64_t day_of(int year, int month, int day)
{
    return time_from_parts(&(struct time_parts){.year = year, .month = month, .day = day}) / DAY_S;
}

static struct date date_of(int64_t day)
{
    struct time_parts p;
    time_to_parts(day * DAY_S, 0, &p);
    return (struct date){p.year, p.month, p.day, p.weekday, days_of_month(p.year, p.month)};
}

static bool month_day_fits(const struct recur *r, int wanted, const struct date *d)
{
    if (wanted < 0)
        return d->day == d->month_days + 1 + wanted;
    return d->day == wanted || (r->skip_backward && wanted > d->month_days && d->day == d->month_days);
}

/* The first or n-th (or from the end) of its weekday in a span of `length` days, it being the `at`-th of them (from 1).
 */
static bool ordinal_fits(int n, int at, int length)
{
    return n > 0 ? (at - 1) / 7 + 1 == n : (length - at) / 7 + 1 == -n;
}

static int days_of_year(int year)
{
    return days_of_month(year, 2) == 29 ? 366 : 365;
}

/* Its number in its year, from 1. */
static int year_day(const struct date *d)
{
    return (int)(day_of(d->year, d->month, d->day) - day_of(d->year, 1, 1)) + 1;
}

static bool year_day_fits(const struct recur *r, const struct date *d)
{
    int at = year_day(d);
    for (unsigned i = 0; i < r->year_day_count; i++)
        if (at == (r->year_days[i] > 0 ? r->year_days[i] : days_of_year(d->year) + 1 + r->year_days[i]))
            return true;
    return false;
}

static bool weekday_fits(const struct recur *r, const struct date *d)
{
    bool in_year = r->frequency == RECUR_YEARLY && !r->months;
    int at = in_year ? year_day(d) : d->day;
    int length = in_year ? days_of_year(d->year) : d->month_days;
    for (unsigned i = 0; i < r->day_count; i++)
        if ((int)r->days[i].weekday == d->weekday && (!r->days[i].n || ordinal_fits(r->days[i].n, at, length)))
            return true;
    return false;
}

/* Does the date belong to the set of its period? `start` fills in what the rule does not say. */
static bool fits(const struct recur *r, const struct date *d, const struct date *start)
{
    bool by_day = r->day_count, by_month_day = r->month_day_count, found = false;
    if (r->months && !(r->months & 1u << d->month))
        return false;
    for (unsigned i = 0; i < r->month_day_count && !found; i++)
        found = month_day_fits(r, r->month_days[i], d);
    if ((by_month_day && !found) || (by_day && !weekday_fits(r, d)) || (r->year_day_count && !year_day_fits(r, d)))
        return false;
    if (by_day || by_month_day || r->year_day_count || r->frequency == RECUR_DAILY)
        return true;
    if (r->frequency == RECUR_WEEKLY)
        return d->weekday == start->weekday;
    if (r->frequency == RECUR_YEARLY && !r->months && d->month != start->month)
        return false;
    return month_day_fits(r, start->day, d);
}

/* First day and length of the period of that number; false: beyond the calendar. */
static bool period_of(const struct recur_walk *w, const struct date *start, int64_t number, int64_t *ret_first,
                      int64_t *ret_length)
{
    const struct recur *r = w->rule;
    int64_t step = number * r->interval;
    int64_t month =
        r->frequency == RECUR_YEARLY ? (start->year + step) * 12 : (int64_t)start->year * 12 + start->month - 1 + step;
    switch (r->frequency) {
    case RECUR_DAILY:
        *ret_first = w->start + step;
        *ret_length = 1;
        return *ret_first < day_of(9999, 1, 1);
    case RECUR_WEEKLY:
        *ret_first = w->start - (start->weekday - (int)r->week_start + 7) % 7 + step * 7;
        *ret_length = 7;
        return *ret_first < day_of(9999, 1, 1);
    case RECUR_MONTHLY:
    case RECUR_YEARLY:
        break;
    }
    int year = (int)(month / 12), of_year = (int)(month % 12) + 1;
    if (month / 12 > 9998)
        return false;
    *ret_first = day_of(year, of_year, 1);
    *ret_length = r->frequency == RECUR_YEARLY ? day_of(year + 1, 1, 1) - *ret_first : days_of_month(year, of_year);
    return true;
}

static void keep_positions(struct recur_walk *w)
{
    const struct recur *r = w->rule;
    unsigned kept = 0;
    if (!r->position_count)
        return;
    for (unsigned i = 0; i < w->n; i++) {
        bool wanted = false;
        for (unsigned k = 0; k < r->position_count; k++) {
            int p = r->positions[k];
            wanted = wanted || (p > 0 ? (int)i + 1 == p : (int)w->n - (int)i == -p);
        }
        if (wanted)
            w->days[kept++] = w->days[i];
    }
    w->n = kept;
}

/* Fill days with the set of the next period. */
static bool next_period(struct recur_walk *w)
{
    struct date start = date_of(w->start);
    int64_t first, length;
    w->at = w->n = 0;
    if (!period_of(w, &start, w->period++, &first, &length))
        return false;
    struct date d = date_of(first);
    for (int64_t i = 0; i < length; i++) {
        if (fits(w->rule, &d, &start))
            w->days[w->n++] = first + i;
        d.weekday = (d.weekday + 1) % 7;
        if (++d.day > d.month_days) {
            d.day = 1;
            d.year += d.month == 12;
            d.month = d.month % 12 + 1;
            d.month_days = days_of_month(d.year, d.month);
        }
    }
    keep_positions(w);
    return true;
}

void recur_begin(struct recur_walk *w, const struct recur *rule, int64_t start_day)
{
    w->rule = rule;
    w->start = start_day;
    w->period = 0;
    w->at = w->n = w->empty = 0;
}

bool recur_next(struct recur_walk *w, int64_t *ret_day)
{
    for (;;) {
        while (w->at < w->n) {
            *ret_day = w->days[w->at++];
            w->empty = 0;
            if (*ret_day >= w->start)
                return true;
        }
        if (++w->empty > RECUR_EMPTY_MAX || !next_period(w))
            return false;
    }
}
