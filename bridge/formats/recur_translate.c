/* SPDX-License-Identifier: Apache-2.0 */
/* RRULE to a pattern of Exchange, and back. */
#include "bridge/base/time.h"
#include "bridge/formats/recur.h"

#define DAY_S 86400
/* The Gregorian calendar repeats after 400 years; rules of weeks after a week. */
#define CYCLE_DAYS     146097
#define COMPARED_MAX   5000
#define WEEKS_COMPARED 100 /* occurrences: at least fourteen weeks of seven days */

/* --- comparing ------------------------------------------------------------------------------------------------------
 */

/* Are the days of the rule those of the pattern, from the start day up to the rule's end or until both repeat? */
static bool same_days(const struct recur *rule, int64_t start, int64_t until, const struct event_recurrence *p)
{
    struct recur_walk walk;
    int64_t day;
    recur_begin(&walk, rule, start);
    /* Without months in it a rule repeats after some weeks. */
    bool of_weeks = rule->frequency <= RECUR_WEEKLY && !rule->months && !rule->month_day_count;
    for (int64_t n = 0; n < (of_weeks ? WEEKS_COMPARED : COMPARED_MAX); n++) {
        if (rule->count && n == rule->count)
            return true;
        bool more = recur_next(&walk, &day);
        int64_t other = pattern_day(p, start, n);
        if (!more || (rule->has_until && day > until))
            return rule->has_until && other > until;
        if (day != other || (n == 0 && day != start))
            return false;
        if (day - start > CYCLE_DAYS)
            return true;
    }
    return true;
}

/* --- saying the same in the same words -------------------------------------------------------- */

static bool same_ints(const int *a, unsigned n, const int *b, unsigned m)
{
    bool same = n == m;
    for (unsigned i = 0; i < n && same; i++)
        same = a[i] == b[i];
    return same;
}

static bool same_weekdays(const struct recur *a, const struct recur *b)
{
    bool same = a->day_count == b->day_count;
    for (unsigned i = 0; i < a->day_count && same; i++)
        same = a->days[i].n == b->days[i].n && a->days[i].weekday == b->days[i].weekday;
    return same;
}

/* The rule with what it takes from its start written out. */
static struct recur explicit_rule(const struct recur *rule, const struct time_parts *start)
{
    struct recur r = *rule;
    if (r.day_count || r.month_day_count || r.year_day_count || r.position_count || r.frequency == RECUR_DAILY)
        return r;
    if (r.frequency == RECUR_WEEKLY) {
        r.days[r.day_count++] = (struct recur_day){0, (unsigned)start->weekday};
        return r;
    }
    r.month_days[r.month_day_count++] = start->day;
    if (r.frequency == RECUR_YEARLY && !r.months)
        r.months = 1u << start->month;
    return r;
}

/* Is it the rule that we would write for the pattern? Then there is nothing to compare; most rules are. Without an end,
 * so that a day which a month does not have is never missed. */
static bool is_written_so(const struct recur *rule, int64_t start_day, const struct time_parts *start,
                          const struct event_recurrence *p)
{
    struct recur own, said = explicit_rule(rule, start);
    enum ical_reason reason;
    struct buf text = BUF_INIT(256);
    bool clamps;
    recur_from_event(p, start_day, &text, &clamps);
    bool same = !clamps && recur_parse(buf_view(&text), &own, &reason) && !said.skip_backward && !said.year_day_count &&
                own.frequency == said.frequency && own.interval == said.interval && own.months == said.months &&
                same_weekdays(&own, &said) &&
                same_ints(own.month_days, own.month_day_count, said.month_days, said.month_day_count) &&
                same_ints(own.positions, own.position_count, said.positions, said.position_count);
    buf_done(&text);
    return same && pattern_day(p, start_day, 0) == start_day;
}

/* --- what a rule could mean ------------------------------------------------------------------- */

#define CANDIDATES_MAX 24

struct candidates {
    struct event_recurrence list[CANDIDATES_MAX];
    size_t n;
};

static void add(struct candidates *c, struct event_recurrence p)
{
    if (c->n < CANDIDATES_MAX && pattern_valid(&p))
        c->list[c->n++] = p;
}

static unsigned day_mask(const struct recur *r)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < r->day_count; i++)
        mask |= 1u << r->days[i].weekday;
    return mask;
}

static bool counts_from_end(const struct recur *r)
{
    bool from_end = false;
    for (unsigned i = 0; i < r->day_count; i++)
        from_end = from_end || r->days[i].n < 0;
    for (unsigned i = 0; i < r->position_count; i++)
        from_end = from_end || r->positions[i] < 0;
    for (unsigned i = 0; i < r->month_day_count; i++)
        from_end = from_end || r->month_days[i] < 0;
    return from_end;
}

struct start {
    int64_t day;
    struct time_parts p;
};

/* Which of the days of its month the start is, counting those in the mask; from 1. */
static unsigned week_of(const struct start *s, unsigned mask)
{
    unsigned n = 0;
    for (int i = 0; i < s->p.day; i++)
        n += mask >> (s->p.weekday - i % 7 + 7) % 7 & 1;
    return n;
}

/* The relative patterns that the start fits, of these kind, interval, and days. */
static void add_relative_days(struct candidates *c, struct event_recurrence p, const struct start *s, unsigned mask,
                              bool last_first)
{
    p.days = mask;
    unsigned week = week_of(s, mask);
    for (int i = 0; i < 2; i++) {
        bool last = (i == 0) == last_first;
        p.week = last ? EVENT_LAST_WEEK : week <= 4 ? week : 0;
        add(c, p);
    }
}

static void add_relative(struct candidates *c, struct event_recurrence p, const struct start *s, const struct recur *r)
{
    unsigned mask = day_mask(r), day = 1u << s->p.weekday;
    bool last = counts_from_end(r);
    if (!mask && last) /* BYMONTHDAY=-1 */
        mask = EVENT_EVERY_DAY;
    if (mask)
        add_relative_days(c, p, s, mask, last); /* as the rule has them, where Exchange has such a set */
    if (mask != day)
        add_relative_days(c, p, s, day, last);
}

/* The day of the month, and those that the start can only stand for because its month is too short. */
static void add_absolute(struct candidates *c, struct event_recurrence p, const struct start *s)
{
    static const unsigned char lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    p.day_of_month = (unsigned)s->p.day;
    add(c, p);
    if (s->p.day < 28 || (s->p.month != 2 && s->p.day < lengths[s->p.month - 1]))
        return;
    for (p.day_of_month++; p.day_of_month <= 31; p.day_of_month++)
        add(c, p);
}

static void add_months(struct candidates *c, struct event_recurrence p, enum event_pattern absolute,
                       enum event_pattern relative, const struct start *s, const struct recur *r)
{
    bool relative_first = r->day_count || counts_from_end(r);
    for (int i = 0; i < 2; i++) {
        bool now = (i == 0) == relative_first;
        p.pattern = now ? relative : absolute;
        if (now)
            add_relative(c, p, s, r);
        else
            add_absolute(c, p, s);
    }
}

static unsigned month_count(const struct recur *r)
{
    unsigned n = 0;
    for (unsigned m = 1; m <= 12; m++)
        n += r->months >> m & 1;
    return n;
}

static void add_yearly(struct candidates *c, struct event_recurrence p, const struct start *s, const struct recur *r)
{
    p.month = (unsigned)s->p.month;
    add_months(c, p, EVENT_YEARLY, EVENT_YEARLY_RELATIVE, s, r);
}

/* Every k months, said as a list of months (or as every month, without one). */
static void add_listed_months(struct candidates *c, struct event_recurrence p, const struct start *s,
                              const struct recur *r)
{
    unsigned months = r->months ? month_count(r) : 12;
    if (r->interval != 1 || 12 % months)
        return;
    p.interval = 12 / months;
    add_months(c, p, EVENT_MONTHLY, EVENT_MONTHLY_RELATIVE, s, r);
}

static void add_weeks(struct candidates *c, struct event_recurrence p, const struct start *s, const struct recur *r)
{
    p.pattern = EVENT_WEEKLY;
    p.days = r->day_count ? day_mask(r) : 1u << s->p.weekday;
    p.first_day = r->week_start;
    add(c, p);
}

static void collect(struct candidates *c, const struct start *s, const struct recur *r)
{
    struct event_recurrence p = {.interval = r->interval};
    switch (r->frequency) {
    case RECUR_DAILY:
        if (!r->day_count) {
            p.pattern = EVENT_DAILY;
            add(c, p);
        }
        if (r->interval != 1)
            break;
        if (r->day_count)
            add_weeks(c, p, s, r);
        if (r->months || r->month_day_count) {
            add_listed_months(c, p, s, r);
            add_yearly(c, p, s, r);
        }
        break;
    case RECUR_WEEKLY:
        add_weeks(c, p, s, r);
        p.pattern = EVENT_DAILY;
        p.interval = r->interval * 7;
        add(c, p);
        break;
    case RECUR_MONTHLY:
        add_months(c, p, EVENT_MONTHLY, EVENT_MONTHLY_RELATIVE, s, r);
        if (r->months) {
            add_listed_months(c, p, s, r);
            add_yearly(c, p, s, r);
        }
        break;
    case RECUR_YEARLY:
        add_yearly(c, p, s, r);
        add_listed_months(c, p, s, r);
        break;
    }
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Would it do if it were not for days that a month does not have? */
static bool skips(const struct recur *rule, int64_t start, int64_t until, const struct candidates *c)
{
    struct recur clamped = *rule;
    clamped.skip_backward = true;
    for (size_t i = 0; i < c->n; i++)
        if (same_days(&clamped, start, until, &c->list[i]))
            return true;
    for (unsigned i = 0; i < rule->day_count; i++)
        if (rule->days[i].n == 5)
            return true;
    return rule->position_count == 1 && rule->positions[0] == 5;
}

static enum ical_reason why_not(const struct recur *rule, int64_t start, int64_t until, const struct candidates *c)
{
    struct recur_walk walk;
    int64_t first;
    recur_begin(&walk, rule, start);
    if (!recur_next(&walk, &first) || first != start)
        return ICAL_RULE_START;
    unsigned limit = rule->frequency == RECUR_DAILY    ? EVENT_INTERVAL_MAX
                     : rule->frequency == RECUR_YEARLY ? RECUR_YEARS_MAX
                                                       : 99;
    if (rule->interval > limit)
        return ICAL_RULE_INTERVAL;
    return skips(rule, start, until, c) ? ICAL_RULE_SKIPS : ICAL_RULE_PART;
}

/* A count over Exchange's limit says the same as the day of its last occurrence. */
static bool end_by_count(const struct recur *rule, int64_t start, struct event_recurrence *p, enum ical_reason *reason)
{
    p->count = rule->count;
    if (rule->count <= EVENT_COUNT_MAX)
        return true;
    int64_t last = pattern_day(p, start, (int64_t)rule->count - 1);
    *reason = ICAL_RULE_COUNT;
    if (rule->count > EVENT_WALK_MAX || last == INT64_MAX)
        return false;
    p->count = 0;
    p->has_until = true;
    p->until = last * DAY_S;
    return true;
}

bool recur_to_event(const struct recur *rule, int64_t start_day, int64_t until_day, struct event_recurrence *ret,
                    enum ical_reason *ret_reason)
{
    struct candidates c = {.n = 0};
    struct start s = {.day = start_day};
    time_to_parts(start_day * DAY_S, 0, &s.p);
    if (rule->has_until && until_day < start_day) {
        *ret_reason = ICAL_RULE_UNTIL;
        return false;
    }
    collect(&c, &s, rule);
    for (size_t i = 0; i < c.n; i++) {
        if (!is_written_so(rule, start_day, &s.p, &c.list[i]) && !same_days(rule, start_day, until_day, &c.list[i]))
            continue;
        *ret = c.list[i];
        ret->has_until = rule->has_until;
        ret->until = rule->has_until ? until_day * DAY_S : 0;
        return end_by_count(rule, start_day, ret, ret_reason);
    }
    *ret_reason = why_not(rule, start_day, until_day, &c);
    return false;
}

/* --- and back --------------------------------------------------------------------------------- */

static const char *const day_names[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

static void add_days(struct buf *out, unsigned days, unsigned first_day)
{
    const char *before = ";BYDAY=";
    for (unsigned i = 0; i < 7; i++) {
        unsigned day = (first_day + i) % 7;
        if (!(days >> day & 1))
            continue;
        buf_printf(out, "%s%s", before, day_names[day]);
        before = ",";
    }
}

static void add_week(struct buf *out, const struct event_recurrence *p)
{
    int n = p->week == EVENT_LAST_WEEK ? -1 : (int)p->week;
    for (unsigned i = 0; i < 7; i++) {
        if (p->days == 1u << i) {
            buf_printf(out, ";BYDAY=%d%s", n, day_names[i]);
            return;
        }
    }
    if (p->days == EVENT_EVERY_DAY && n == -1) {
        buf_lit(out, ";BYMONTHDAY=-1");
        return;
    }
    add_days(out, p->days, 1);
    buf_printf(out, ";BYSETPOS=%d", n);
}

/* Does the series ever come to a month that is too short? */
static bool ever_short(const struct event_recurrence *p, int64_t start)
{
    int64_t count = pattern_count(p, start);
    struct time_parts parts;
    for (int64_t n = 0; n < count && n < COMPARED_MAX; n++) {
        int64_t day = pattern_day(p, start, n);
        if (day - start > CYCLE_DAYS)
            return false;
        time_to_parts(day * DAY_S, 0, &parts);
        if ((unsigned)parts.day != p->day_of_month)
            return true;
    }
    return false;
}

static void add_month_day(struct buf *out, const struct event_recurrence *p, int64_t start, bool *ret_clamps)
{
    struct time_parts parts;
    time_to_parts(start * DAY_S, 0, &parts);
    unsigned day = p->day_of_month;
    if (day <= 28 || !ever_short(p, start)) {
        buf_printf(out, ";BYMONTHDAY=%u", day);
    } else if (day == 31 || p->pattern == EVENT_YEARLY) { /* always the last day of its month */
        buf_lit(out, ";BYMONTHDAY=-1");
    } else if ((unsigned)parts.day != day) { /* begins in February: exact, if not understood by every client */
        buf_printf(out, ";BYMONTHDAY=28,%s;BYSETPOS=-1", day == 29 ? "29" : "29,30");
    } else {
        buf_printf(out, ";BYMONTHDAY=%u", day);
        *ret_clamps = true;
    }
}

void recur_from_event(const struct event_recurrence *p, int64_t start_day, struct buf *out, bool *ret_clamps)
{
    static const char *const names[] = {"DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY"};
    *ret_clamps = false;
    buf_printf(out, "FREQ=%s", names[p->pattern]);
    if (p->interval > 1)
        buf_printf(out, ";INTERVAL=%u", p->interval);
    if (p->pattern == EVENT_YEARLY || p->pattern == EVENT_YEARLY_RELATIVE)
        buf_printf(out, ";BYMONTH=%u", p->month);
    switch (p->pattern) {
    case EVENT_DAILY:
        break;
    case EVENT_WEEKLY:
        add_days(out, p->days, 1);
        if (p->first_day != 1)
            buf_printf(out, ";WKST=%s", day_names[p->first_day % 7]);
        break;
    case EVENT_MONTHLY:
    case EVENT_YEARLY:
        add_month_day(out, p, start_day, ret_clamps);
        break;
    case EVENT_MONTHLY_RELATIVE:
    case EVENT_YEARLY_RELATIVE:
        add_week(out, p);
        break;
    }
}
