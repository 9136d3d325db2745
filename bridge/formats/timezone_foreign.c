/* SPDX-License-Identifier: Apache-2.0 */
/* Which zone a client's VTIMEZONE means. */
#include <stdlib.h>

#include "bridge/formats/ical_tree.h"
#include "bridge/formats/recur.h"
#include "bridge/formats/timezone_private.h"

#define PARTS_MAX   500
#define CHANGES_MAX 4000
/* A zone without end is compared as far as this: longer than any law lasts. */
#define YEARS_MAX 30

struct onset_list {
    struct tz_change list[CHANGES_MAX];
    size_t n;
    int64_t from, to; /* local times of interest */
};

static bool add_onset(struct onset_list *l, int64_t local, int before, int after)
{
    if (local > l->to)
        return true;
    if (l->n == CHANGES_MAX)
        return false;
    l->list[l->n++] = (struct tz_change){local - before, before, after};
    return true;
}

/* +0100, -0330, +013045 */
static bool read_offset(const struct ical_comp *c, const char *name, int *ret)
{
    const struct ical_prop *p = ical_prop(c, name);
    struct str s = p ? str_trim(p->value) : STR_NULL;
    uint32_t v;
    if (s.n < 5 || (s.p[0] != '+' && s.p[0] != '-') || (s.n != 5 && s.n != 7) || !str_to_u32(str_skip(s, 1), &v))
        return false;
    unsigned seconds = s.n == 7 ? v % 100 : 0, minutes = s.n == 7 ? v / 100 : v;
    int offset = (int)(minutes / 100 * 3600 + minutes % 100 * 60 + seconds);
    *ret = s.p[0] == '-' ? -offset : offset;
    return offset <= 18 * 3600;
}

static bool read_rule(const struct ical_prop *p, struct onset_list *l, int64_t start, int before, int after)
{
    struct recur rule;
    struct recur_walk walk;
    enum ical_reason reason;
    int64_t day, clock = ((start % TZ_DAY_S) + TZ_DAY_S) % TZ_DAY_S;
    unsigned n = 0;
    if (!recur_parse(p->value, &rule, &reason) || rule.frequency != RECUR_YEARLY || !recur_keeps_clock(&rule, clock))
        return false;
    recur_begin(&walk, &rule, (start - clock) / TZ_DAY_S);
    while ((!rule.count || n++ < rule.count) && recur_next(&walk, &day)) {
        int64_t local = day * TZ_DAY_S + clock;
        int64_t compared = rule.until_kind == ICAL_WHEN_UTC ? local - before : local;
        if (local > l->to || (rule.has_until && compared > rule.until))
            return true;
        /* Of those before the time of interest the last one counts; two are always among the last two years. */
        if (local >= l->from - 3 * 366 * (int64_t)TZ_DAY_S && !add_onset(l, local, before, after))
            return false;
    }
    return true;
}

static bool read_dates(const struct ical_prop *p, struct onset_list *l, int before, int after)
{
    struct str rest = p->value, item;
    while (ical_list_next(&rest, &item)) {
        int64_t local;
        enum ical_when kind;
        if (!ical_when(item, &local, &kind) || !add_onset(l, local, before, after))
            return false;
    }
    return true;
}

static bool read_part(const struct ical_comp *c, struct onset_list *l)
{
    const struct ical_prop *start = ical_prop(c, "DTSTART"), *p;
    int before, after;
    int64_t local;
    enum ical_when kind;
    if (!start || !ical_when(start->value, &local, &kind) || !read_offset(c, "TZOFFSETFROM", &before) ||
        !read_offset(c, "TZOFFSETTO", &after))
        return false;
    bool ok = add_onset(l, local, before, after);
    for (p = ical_prop(c, "RDATE"); ok && p; p = ical_prop_next(p, "RDATE"))
        ok = read_dates(p, l, before, after);
    for (p = ical_prop(c, "RRULE"); ok && p; p = ical_prop_next(p, "RRULE"))
        ok = read_rule(p, l, local, before, after);
    return ok;
}

static int by_time(const void *a, const void *b)
{
    const struct tz_change *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* The component as a zone of single changes, all of them in the caller's arrays. */
struct described {
    struct onset_list onsets;
    struct tz_type types[CHANGES_MAX];
    int64_t at[CHANGES_MAX];
    unsigned char type_of[CHANGES_MAX];
    struct tz zone;
};

static size_t type_of_offset(struct described *d, int offset)
{
    size_t i = 0;
    while (i < d->zone.type_count && d->types[i].offset != offset)
        i++;
    if (i == d->zone.type_count)
        d->types[d->zone.type_count++].offset = offset;
    return i;
}

static bool describe(struct described *d)
{
    struct onset_list *l = &d->onsets;
    qsort(l->list, l->n, sizeof(*l->list), by_time);
    d->zone.types = d->types;
    d->zone.at = d->at;
    d->zone.type_of = d->type_of;
    type_of_offset(d, l->n ? l->list[0].before : 0);
    for (size_t i = 0; i < l->n; i++) {
        if (i && l->list[i].at == l->list[i - 1].at) /* said twice */
            continue;
        size_t type = type_of_offset(d, l->list[i].after);
        if (type > 255)
            return false;
        d->at[d->zone.count] = l->list[i].at;
        d->type_of[d->zone.count++] = (unsigned char)type;
    }
    return l->n > 0;
}

/* A rule that does what is described: that of the first year. */
static const struct tz *custom_for(const struct described *d, int from_year, int to_year)
{
    struct tz_change c[TZ_CHANGES_MAX];
    struct tz_rules rules;
    if (tz_changes(&d->zone, from_year, c) > 2)
        return NULL;
    tz_rules(&d->zone, from_year, &rules);
    const struct tz *z = tz_custom(&rules);
    return z && tz_same_years(&d->zone, z, from_year, to_year) ? z : NULL;
}

static bool read_parts(const struct ical_comp *c, struct onset_list *l)
{
    size_t n = 0;
    for (const struct ical_comp *part = c->comps; part; part = part->next) {
        if (!str_case_is(part->name, "STANDARD") && !str_case_is(part->name, "DAYLIGHT"))
            continue;
        if (++n > PARTS_MAX || !read_part(part, l))
            return false;
    }
    return n > 0;
}

static const struct tz *by_name(const struct ical_comp *c, struct arena *a, const struct tz *prefer)
{
    const struct ical_prop *id = ical_prop(c, "TZID"), *location = ical_prop(c, "X-LIC-LOCATION");
    const struct tz *z = id ? tz_find(ical_unescape(a, id->value), prefer) : NULL;
    return z || !location ? z : tz_find(ical_unescape(a, location->value), prefer);
}

static const struct tz *by_parts(const struct ical_comp *c, int from_year, int to_year, const struct tz *prefer,
                                 struct arena *a, const char **ret_why)
{
    struct described *d = ARENA_NEW(a, struct described);
    if (to_year > from_year + YEARS_MAX)
        to_year = from_year + YEARS_MAX;
    d->onsets.from = tz_year_start(from_year);
    d->onsets.to = tz_year_start(to_year + 1) + 3 * TZ_DAY_S;
    *ret_why = "VTIMEZONE that cannot be read";
    if (!read_parts(c, &d->onsets) || !describe(d))
        return NULL;
    *ret_why = "VTIMEZONE whose changes fit no zone and no rule";
    const struct tz *z = tz_like(&d->zone, from_year, to_year, prefer);
    return z ? z : custom_for(d, from_year, to_year);
}

bool tz_read_vtimezone(struct str text, int from_year, int to_year, const struct tz *prefer, const struct tz **ret_zone,
                       const char **ret_why)
{
    struct arena a = {0};
    struct ical_comp *c;
    unsigned line;
    *ret_zone = NULL;
    *ret_why = "VTIMEZONE that cannot be read";
    if (ical_parse(text, &a, &c, ret_why, &line) && str_case_is(c->name, "VTIMEZONE")) {
        *ret_zone = by_name(c, &a, prefer);
        if (!*ret_zone)
            *ret_zone = by_parts(c, from_year, to_year, prefer, &a, ret_why);
    }
    arena_done(&a);
    return *ret_zone != NULL;
}
