/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/time.h"

#include <time.h>

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t time_mono_ms(void)
{
    return (uint64_t)clock_ms(CLOCK_MONOTONIC);
}

int64_t time_wall_s(void)
{
    return (int64_t)time(NULL);
}

int64_t time_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

#define DAY_S            86400
#define DAYS_BEFORE_1970 719468 /* from 0000-03-01, the start of the shifted calendar below */
#define DAYS_400_YEARS   146097
#define FIRST_SECOND     (-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND      253402300799   /* 9999-12-31T23:59:59Z */

/* Years that begin in March put the leap day last, so that month lengths follow one formula. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * DAYS_400_YEARS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_BEFORE_1970;
}

static void date_from_days(int64_t days, struct time_parts *to)
{
    days += DAYS_BEFORE_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_400_YEARS - 1)) / DAYS_400_YEARS;
    int64_t day_of_era = days - era * DAYS_400_YEARS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */
    to->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    to->month = (int)(month < 10 ? month + 3 : month - 9);
    to->year = (int)(year_of_era + era * 400 + (to->month <= 2));
}

static int64_t clamp_s(int64_t s)
{
    return s < FIRST_SECOND ? FIRST_SECOND : s > LAST_SECOND ? LAST_SECOND : s;
}

void time_to_parts(int64_t wall_s, int zone_minutes, struct time_parts *ret_parts)
{
    int64_t local = clamp_s(clamp_s(wall_s) + (int64_t)zone_minutes * 60);
    int64_t days = local / DAY_S, rest = local % DAY_S;
    if (rest < 0) {
        days--;
        rest += DAY_S;
    }
    struct time_parts p = {.zone_minutes = zone_minutes};
    date_from_days(days, &p);
    p.hour = (int)(rest / 3600);
    p.minute = (int)(rest / 60 % 60);
    p.second = (int)(rest % 60);
    p.weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    *ret_parts = p;
}

int64_t time_from_parts(const struct time_parts *p)
{
    return days_from_date(p->year, p->month, p->day) * DAY_S + (int64_t)p->hour * 3600 + (int64_t)p->minute * 60 +
           p->second - (int64_t)p->zone_minutes * 60;
}

static bool take_digits(struct str *s, unsigned count, int *ret_value)
{
    int v = 0;
    if (s->n < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned digit = (unsigned)((unsigned char)s->p[i] - '0');
        if (digit > 9)
            return false;
        v = v * 10 + (int)digit;
    }
    *s = str_skip(*s, count);
    *ret_value = v;
    return true;
}

static bool take_byte(struct str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

/* ".123456": any number of digits, milliseconds kept. */
static bool take_fraction(struct str *s, int *ret_ms)
{
    int ms = 0, scale = 100, digits = 0, digit;
    while (take_digits(s, 1, &digit)) {
        ms += digit * scale;
        scale /= 10;
        digits++;
    }
    *ret_ms = ms;
    return digits > 0;
}

static bool take_zone(struct str *s, int *ret_minutes)
{
    *ret_minutes = 0;
    if (s->n == 0 || take_byte(s, 'Z') || take_byte(s, 'z'))
        return true;
    int sign = take_byte(s, '-') ? -1 : take_byte(s, '+') ? 1 : 0, hours, minutes = 0;
    if (!sign || !take_digits(s, 2, &hours))
        return false;
    if (s->n) {
        take_byte(s, ':');
        if (!take_digits(s, 2, &minutes))
            return false;
    }
    if (hours > 14 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static int month_length(int year, int month)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : lengths[month - 1];
}

static bool parts_in_range(const struct time_parts *p)
{
    return p->year >= 1 && p->month >= 1 && p->month <= 12 && p->day >= 1 &&
           p->day <= month_length(p->year, p->month) && p->hour <= 24 && p->minute <= 59 && p->second <= 60 &&
           (p->hour < 24 || (p->minute == 0 && p->second == 0)); /* xs:dateTime allows 24:00:00 */
}

bool time_parse_iso(struct str s, int64_t *ret_wall_ms)
{
    s = str_trim(s);
    struct time_parts p = {0};
    int ms = 0;
    if (!take_digits(&s, 4, &p.year))
        return false;
    bool extended = take_byte(&s, '-');
    if (!take_digits(&s, 2, &p.month) || (extended && !take_byte(&s, '-')) || !take_digits(&s, 2, &p.day))
        return false;
    if (s.n && (take_byte(&s, 'T') || take_byte(&s, 't'))) {
        if (!take_digits(&s, 2, &p.hour))
            return false;
        bool colons = take_byte(&s, ':');
        if (!take_digits(&s, 2, &p.minute) || (colons && !take_byte(&s, ':')) || !take_digits(&s, 2, &p.second))
            return false;
        if (take_byte(&s, '.') && !take_fraction(&s, &ms))
            return false;
    }
    if (!take_zone(&s, &p.zone_minutes) || s.n || !parts_in_range(&p))
        return false;
    *ret_wall_ms = time_from_parts(&p) * 1000 + ms;
    return true;
}

static void add_iso(struct buf *out, int64_t wall_s, int ms)
{
    struct time_parts p;
    time_to_parts(wall_s, 0, &p);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", p.year, p.month, p.day, p.hour, p.minute, p.second);
    if (ms >= 0)
        buf_printf(out, ".%03d", ms);
    buf_byte(out, 'Z');
}

void time_add_iso(struct buf *out, int64_t wall_s)
{
    add_iso(out, wall_s, -1);
}

void time_add_iso_ms(struct buf *out, int64_t wall_ms)
{
    int64_t s = wall_ms / 1000, ms = wall_ms % 1000;
    if (ms < 0) {
        ms += 1000;
        s--;
    }
    add_iso(out, s, (int)ms);
}
