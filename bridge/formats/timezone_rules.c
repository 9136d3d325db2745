/* SPDX-License-Identifier: Apache-2.0 */
/* Zones as rules: of a year, back to a zone, custom zones. */
#include <stdio.h>

#include "bridge/base/time.h"
#include "bridge/formats/timezone_private.h"

#define OFFSET_MAX (18 * 3600)

/* --- the changes of a zone ------------------------------------------------------------------------------------------
 */

size_t tz_changes(const struct tz *z, int year, struct tz_change ret[TZ_CHANGES_MAX])
{
    int64_t at = tz_to_utc(z, tz_year_start(year)), end = tz_to_utc(z, tz_year_start(year + 1));
    size_t n = 0;
    int before = tz_offset(z, at), after;
    while (n < TZ_CHANGES_MAX && tz_next_change(z, at, &at, &after) && at <= end) {
        ret[n++] = (struct tz_change){at, before, after};
        before = after;
    }
    return n;
}

/* What lies within a day and a half of the new year is left out: there rules of a single year have the change back from
 * what the year ended with. */
#define NEW_YEAR_S (36 * 3600)

bool tz_same_years(const struct tz *a, const struct tz *b, int from_year, int to_year)
{
    if (!a->type_count || !b->type_count)
        return false;
    int64_t from = tz_year_start(from_year) + NEW_YEAR_S, to = tz_year_start(to_year + 1) - NEW_YEAR_S;
    if (tz_offset(a, from) != tz_offset(b, from))
        return false;
    for (;;) {
        int64_t at = INT64_MAX, other = INT64_MAX;
        int offset = 0, other_offset = 0;
        if (!tz_next_change(a, from, &at, &offset) || at > to)
            at = INT64_MAX;
        if (!tz_next_change(b, from, &other, &other_offset) || other > to)
            other = INT64_MAX;
        if (at != other || (at != INT64_MAX && offset != other_offset))
            return false;
        if (at == INT64_MAX)
            return true;
        from = at;
    }
}

static bool changes_at(const struct tz *z, int64_t instant)
{
    return tz_offset(z, instant) != tz_offset(z, instant - 1);
}

unsigned tz_week_of(const struct tz *z, int64_t local, int before)
{
    struct time_parts p;
    time_to_parts(local, 0, &p);
    unsigned week = (unsigned)(p.day - 1) / 7 + 1;
    if (week != 4 || p.day + 7 <= tz_month_days(p.year, p.month))
        return week;
    int votes = 0; /* for the fourth one, against the last */
    struct tz_onset o = {.form = 'M',
                         .month = (unsigned)p.month,
                         .day = (unsigned)p.weekday,
                         .seconds = p.hour * 3600 + p.minute * 60 + p.second};
    for (int year = p.year + 1; year <= p.year + 10; year++) {
        o.week = 4;
        votes += changes_at(z, tz_onset_local(&o, year) - before);
        o.week = 5;
        votes -= changes_at(z, tz_onset_local(&o, year) - before);
    }
    return votes > 0 ? 4 : 5;
}

/* --- to rules -------------------------------------------------------------------------------------------------------
 */

static struct tz_date date_of(const struct tz *z, int64_t at, int before)
{
    struct time_parts p;
    time_to_parts(at + before, 0, &p);
    return (struct tz_date){.month = (unsigned)p.month,
                            .weekday = (unsigned)p.weekday,
                            .day = tz_week_of(z, at + before, before),
                            .hour = (unsigned)p.hour,
                            .minute = (unsigned)p.minute,
                            .second = (unsigned)p.second};
}

void tz_rules(const struct tz *z, int year, struct tz_rules *ret)
{
    struct tz_change c[TZ_CHANGES_MAX];
    size_t n = tz_changes(z, year, c);
    *ret = (struct tz_rules){0};
    if (!n) {
        ret->bias = -tz_offset(z, tz_year_start(year) + NEW_YEAR_S) / 60;
        return;
    }
    struct tz_change last = c[n - 1];
    /* One change alone: the year began, as if by a change, with what was before. */
    int64_t first_at = n > 1 ? c[n - 2].at : tz_year_start(year) - last.after;
    struct tz_date last_date = date_of(z, last.at, last.before), first_date = date_of(z, first_at, last.after);
    bool ends_in_standard = last.after < last.before;
    int standard = ends_in_standard ? last.after : last.before, daylight = ends_in_standard ? last.before : last.after;
    ret->bias = -standard / 60;
    ret->daylight_bias = -(daylight - standard) / 60;
    ret->standard = ends_in_standard ? last_date : first_date;
    ret->daylight = ends_in_standard ? first_date : last_date;
}

/* --- from rules -----------------------------------------------------------------------------------------------------
 */

static bool onset_of(const struct tz_date *d, struct tz_onset *o)
{
    if (d->month < 1 || d->month > 12 || d->day < 1 || d->day > 31 || d->weekday > 6 || d->hour > 23 ||
        d->minute > 59 || d->second > 59 || d->year > 9999)
        return false;
    *o = (struct tz_onset){.form = 'M', .month = d->month, .week = d->day, .day = d->weekday};
    o->seconds = (int)(d->hour * 3600 + d->minute * 60);
    if (d->hour == 23 && d->minute == 59 && d->second == 59) /* Windows' way to say 24:00 */
        o->seconds = TZ_DAY_S;
    if (d->year) {
        int64_t day =
            time_from_parts(&(struct time_parts){.year = (int)d->year, .month = (int)d->month, .day = (int)d->day});
        o->week = (d->day - 1) / 7 + 1;
        o->day = (unsigned)tz_weekday(day);
    }
    return o->week <= 5;
}

static bool posix_of(const struct tz_rules *r, struct tz_posix *ret)
{
    *ret = (struct tz_posix){0};
    if (r->bias < -OFFSET_MAX / 60 || r->bias > OFFSET_MAX / 60 || r->standard_bias < -1440 ||
        r->standard_bias > 1440 || r->daylight_bias < -1440 || r->daylight_bias > 1440)
        return false;
    ret->standard.offset = -(r->bias + r->standard_bias) * 60;
    ret->daylight.offset = -(r->bias + r->daylight_bias) * 60;
    ret->daylight.daylight = true;
    if (ret->standard.offset < -OFFSET_MAX || ret->standard.offset > OFFSET_MAX || ret->daylight.offset < -OFFSET_MAX ||
        ret->daylight.offset > OFFSET_MAX)
        return false;
    if (!r->standard.month || !r->daylight.month)
        return true;
    ret->has_daylight = ret->standard.offset != ret->daylight.offset;
    return onset_of(&r->daylight, &ret->begin) && onset_of(&r->standard, &ret->end);
}

const struct tz *tz_like(const struct tz *like, int from_year, int to_year, const struct tz *prefer)
{
    if (prefer && tz_same_years(like, prefer, from_year, to_year))
        return prefer;
    const struct tz *z;
    for (size_t i = 0; (z = tz_candidate(i)); i++)
        if (tz_same_years(like, z, from_year, to_year))
            return z;
    return NULL;
}

const struct tz *tz_by_rules(const struct tz_rules *rules, int year, const struct tz *prefer)
{
    struct tz_posix rule;
    if (!posix_of(rules, &rule))
        return NULL;
    struct tz like = {.has_rule = true, .rule = rule, .types = &rule.standard, .type_count = 1};
    return tz_like(&like, year, year, prefer);
}

/* --- custom zones ---------------------------------------------------------------------------------------------------
 */

static int add_offset(char *out, size_t size, int offset)
{
    int minutes = (offset < 0 ? -offset : offset) / 60;
    return snprintf(out, size, "%c%02d%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static int add_onset(char *out, size_t size, const struct tz_onset *o)
{
    return snprintf(out, size, "-M%u.%u.%u.%02d%02d", o->month, o->week, o->day, o->seconds / 3600,
                    o->seconds / 60 % 60);
}

const struct tz *tz_custom_rule(const struct tz_posix *rule)
{
    char name[TZ_NAME_MAX] = "Custom/";
    size_t n = 7;
    n += (size_t)add_offset(name + n, sizeof(name) - n, rule->standard.offset);
    if (rule->has_daylight) {
        n += (size_t)add_offset(name + n, sizeof(name) - n, rule->daylight.offset);
        n += (size_t)add_onset(name + n, sizeof(name) - n, &rule->begin);
        n += (size_t)add_onset(name + n, sizeof(name) - n, &rule->end);
    }
    return tz_custom_zone(rule, str_of(name, n));
}

const struct tz *tz_custom(const struct tz_rules *rules)
{
    struct tz_posix rule;
    return posix_of(rules, &rule) ? tz_custom_rule(&rule) : NULL;
}

static bool take_number(struct str *s, unsigned digits, unsigned max, unsigned *ret)
{
    uint32_t v;
    if (s->n < digits || !str_to_u32(str_sub(*s, 0, digits), &v) || v > max)
        return false;
    *s = str_skip(*s, digits);
    *ret = v;
    return true;
}

static bool take_literal(struct str *s, const char *z)
{
    struct str literal = str_from(z);
    if (!str_case_starts(*s, literal))
        return false;
    *s = str_skip(*s, literal.n);
    return true;
}

static bool take_offset(struct str *s, int *ret)
{
    unsigned hours, minutes;
    int sign = s->n && s->p[0] == '-' ? -1 : 1;
    if (!s->n || (s->p[0] != '-' && s->p[0] != '+'))
        return false;
    *s = str_skip(*s, 1);
    if (!take_number(s, 2, OFFSET_MAX / 3600, &hours) || !take_number(s, 2, 59, &minutes))
        return false;
    *ret = sign * (int)(hours * 3600 + minutes * 60);
    return true;
}

static bool take_onset(struct str *s, struct tz_onset *o)
{
    unsigned hours, minutes;
    if (!take_literal(s, "-M") || !take_number(s, s->n > 1 && s->p[1] != '.' ? 2 : 1, 12, &o->month) ||
        !take_literal(s, ".") || !take_number(s, 1, 5, &o->week) || !take_literal(s, ".") ||
        !take_number(s, 1, 6, &o->day) || !take_literal(s, ".") || !take_number(s, 2, 24, &hours) ||
        !take_number(s, 2, 59, &minutes) || !o->month || !o->week)
        return false;
    o->form = 'M';
    o->seconds = (int)(hours * 3600 + minutes * 60);
    return o->seconds <= TZ_DAY_S;
}

const struct tz *tz_custom_by_name(struct str name)
{
    struct tz_posix rule = {.daylight = {.daylight = true}};
    struct str s = name;
    if (!take_literal(&s, "Custom/") || !take_offset(&s, &rule.standard.offset))
        return NULL;
    if (s.n) {
        rule.has_daylight = true;
        if (!take_offset(&s, &rule.daylight.offset) || !take_onset(&s, &rule.begin) || !take_onset(&s, &rule.end) ||
            s.n || rule.daylight.offset == rule.standard.offset)
            return NULL;
    }
    return tz_custom_rule(&rule); /* by its name as we write it */
}
