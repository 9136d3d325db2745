/* SPDX-License-Identifier: Apache-2.0 */
/* Writing VTIMEZONE (RFC 5545 3.6.5). */
#include <limits.h>
#include <stdio.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical_tree.h"
#include "bridge/formats/timezone_private.h"

static void add_offset(struct ical_writer *w, const char *name, int offset)
{
    char text[16];
    int s = offset < 0 ? -offset : offset;
    int n = snprintf(text, sizeof(text), "%c%02d%02d", offset < 0 ? '-' : '+', s / 3600, s / 60 % 60);
    if (s % 60)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%02d", s % 60);
    ical_name(w, name);
    ical_value(w, str_of(text, (size_t)n));
}

/* Where tzdata has winter as daylight time that takes an hour off (Dublin, Morocco), the names follow the offsets, as
 * readers expect. */
static const char *part_name(const struct tz_type *t, const struct tz_type *before)
{
    return t->daylight != before->daylight && t->offset > before->offset ? "DAYLIGHT" : "STANDARD";
}

static void begin_part(struct ical_writer *w, const struct tz_type *t, const struct tz_type *before, int64_t local)
{
    ical_begin(w, part_name(t, before));
    ical_name(w, "DTSTART");
    ical_when_add(w, local, ICAL_WHEN_LOCAL);
    add_offset(w, "TZOFFSETFROM", before->offset);
    add_offset(w, "TZOFFSETTO", t->offset);
    if (t->abbreviation[0]) {
        ical_name(w, "TZNAME");
        ical_text(w, str_from(t->abbreviation));
    }
}

static void end_part(struct ical_writer *w, const struct tz_type *t, const struct tz_type *before)
{
    ical_end(w, part_name(t, before));
}

/* --- single changes -------------------------------------------------------------------------------------------------
 */

struct explicit_change { /* of the zone's list */
    int64_t at;
    const struct tz_type *type, *before;
};

static bool same_kind(const struct explicit_change *a, const struct explicit_change *b)
{
    return a->before == b->before && a->type == b->type;
}

/* One component for all changes of a kind: the first is DTSTART, the others RDATE (one a line: some readers look at the
 * first value only). */
static void write_singles(struct ical_writer *w, const struct explicit_change *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool written = false;
        for (size_t k = 0; k < i; k++)
            written = written || same_kind(&list[k], &list[i]);
        if (written)
            continue;
        begin_part(w, list[i].type, list[i].before, list[i].at + list[i].before->offset);
        for (size_t k = i + 1; k < count; k++) {
            if (!same_kind(&list[k], &list[i]))
                continue;
            ical_name(w, "RDATE");
            ical_when_add(w, list[k].at + list[k].before->offset, ICAL_WHEN_LOCAL);
        }
        end_part(w, list[i].type, list[i].before);
    }
}

/* --- the rule -------------------------------------------------------------------------------------------------------
 */

static const char *const day_names[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

/* An onset whose time of day lies outside of its day (Israel: the fourth Thursday, 26:00) as a weekday within seven
 * days of the month; false where these cross its end. */
static bool rule_text(const struct tz_onset *o, char *out, size_t size)
{
    int shift = o->seconds >= 0 ? o->seconds / TZ_DAY_S : -((-o->seconds + TZ_DAY_S - 1) / TZ_DAY_S);
    if (o->form != 'M')
        return false;
    if (!shift && o->week == 5) {
        snprintf(out, size, "FREQ=YEARLY;BYMONTH=%u;BYDAY=-1%s", o->month, day_names[o->day]);
        return true;
    }
    if (!shift) {
        snprintf(out, size, "FREQ=YEARLY;BYMONTH=%u;BYDAY=%u%s", o->month, o->week, day_names[o->day]);
        return true;
    }
    int length = tz_month_days(2001, (int)o->month);
    int first = (o->week == 5 ? length - 6 : (int)(o->week - 1) * 7 + 1) + shift;
    if (first < 1 || first + 6 > length || (o->week == 5 && o->month == 2))
        return false;
    int weekday = (((int)o->day + shift) % 7 + 7) % 7;
    snprintf(out, size, "FREQ=YEARLY;BYMONTH=%u;BYMONTHDAY=%d,%d,%d,%d,%d,%d,%d;BYDAY=%s", o->month, first, first + 1,
             first + 2, first + 3, first + 4, first + 5, first + 6, day_names[weekday]);
    return true;
}

/* How long a rule that RRULE cannot say is written out. */
#define WRITTEN_OUT_YEARS 50

/* The changes of one kind from `after` on. */
static void write_rule_part(struct ical_writer *w, const struct tz_onset *o, const struct tz_type *t,
                            const struct tz_type *before, int64_t after)
{
    char rule[120];
    int year = tz_year_of(after + before->offset);
    int64_t local = tz_onset_local(o, year);
    if (local - before->offset <= after)
        local = tz_onset_local(o, ++year);
    begin_part(w, t, before, local);
    if (rule_text(o, rule, sizeof(rule))) {
        ical_name(w, "RRULE");
        ical_value(w, str_from(rule));
    } else {
        for (int y = year + 1; y < year + WRITTEN_OUT_YEARS; y++) {
            ical_name(w, "RDATE");
            ical_when_add(w, tz_onset_local(o, y), ICAL_WHEN_LOCAL);
        }
    }
    end_part(w, t, before);
}

/* --- all of it ------------------------------------------------------------------------------------------------------
 */

#define EPOCH_OF_RULES     1970 /* a zone without changes, or a custom one, begins here, unless something is earlier */
#define EARLIEST_YEAR      1601
#define SINGLE_CHANGES_MAX 1000

/* The change in force when from_year begins, and those after it up to to_year. */
static size_t list_changes(const struct tz *z, int from_year, int to_year, struct explicit_change *list)
{
    int64_t from = tz_to_utc(z, tz_year_start(from_year));
    int64_t to = to_year < 9999 ? tz_to_utc(z, tz_year_start(to_year + 1)) : INT64_MAX;
    size_t n = 0;
    for (size_t i = 0; i < z->count && z->at[i] <= to && n < SINGLE_CHANGES_MAX; i++) {
        if (i + 1 < z->count && z->at[i + 1] <= from)
            continue;
        const struct tz_type *before = i ? &z->types[z->type_of[i - 1]] : &z->types[0];
        list[n++] = (struct explicit_change){z->at[i], &z->types[z->type_of[i]], before};
    }
    return n;
}

static void write_constant(struct ical_writer *w, const struct tz_type *t, int from_year)
{
    begin_part(w, t, t, tz_year_start(from_year));
    end_part(w, t, t);
}

static void write_rule(struct ical_writer *w, const struct tz_posix *rule, int64_t after)
{
    write_rule_part(w, &rule->begin, &rule->daylight, &rule->standard, after);
    write_rule_part(w, &rule->end, &rule->standard, &rule->daylight, after);
}

/* A zone without single changes: custom ones, fixed offsets. */
static void write_plain(struct ical_writer *w, const struct tz *z, int from_year)
{
    int year = from_year <= EPOCH_OF_RULES ? EARLIEST_YEAR : EPOCH_OF_RULES;
    if (z->has_rule && z->rule.has_daylight)
        write_rule(w, &z->rule, tz_year_start(year));
    else
        write_constant(w, z->has_rule ? &z->rule.standard : &z->types[0], year);
}

static void write_parts(struct ical_writer *w, const struct tz *z, int from_year, int to_year)
{
    struct explicit_change list[SINGLE_CHANGES_MAX];
    if (!z->count) {
        write_plain(w, z, from_year);
        return;
    }
    int64_t last = z->at[z->count - 1];
    bool rule = z->has_rule && z->rule.has_daylight;
    if (z->at[0] > tz_to_utc(z, tz_year_start(from_year)))
        write_constant(w, &z->types[0], EARLIEST_YEAR);
    /* Where both halves of the rule have been in force before, what came earlier says nothing any more. */
    if (!rule || last > tz_year_start(from_year) - 367 * (int64_t)TZ_DAY_S)
        write_singles(w, list, list_changes(z, from_year, to_year, list));
    if (rule && (to_year >= 9999 || last < tz_year_start(to_year + 1) + TZ_DAY_S))
        write_rule(w, &z->rule, last);
}

void tz_write_vtimezone(const struct tz *z, int from_year, int to_year, struct buf *out)
{
    struct ical_writer w = {.out = out};
    if (tz_is_utc(z))
        return;
    ical_begin(&w, "VTIMEZONE");
    ical_name(&w, "TZID");
    ical_text(&w, tz_name(z));
    write_parts(&w, z, from_year < 1 ? 1 : from_year, to_year);
    ical_end(&w, "VTIMEZONE");
}
