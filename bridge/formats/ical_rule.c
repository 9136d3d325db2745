/* SPDX-License-Identifier: Apache-2.0 */
/* RRULE, EXDATE and RECURRENCE-ID of components. */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/formats/ical_private.h"

static int64_t floor_day(int64_t s)
{
    return s / ICAL_DAY_S - (s % ICAL_DAY_S < 0);
}

/* The first occurrence on the wall; start TIME_NONE: a task without dates. */
struct base {
    const struct tz *zone; /* NULL: dates */
    int64_t start, day, clock;
};

static struct base base_of(const struct event_fields *f)
{
    struct base b = {.start = f->start == TIME_NONE ? f->end : f->start};
    if (b.start == TIME_NONE)
        return b;
    if (!f->all_day) {
        b.zone = tz_by_name(f->start_zone);
        b.zone = b.zone ? b.zone : tz_utc();
    }
    if (b.start == TIME_NONE) /* a task without any date: it has no rule */
        return b;
    int64_t local = b.zone ? tz_to_local(b.zone, b.start) : b.start;
    b.day = floor_day(local);
    b.clock = local - b.day * ICAL_DAY_S;
    return b;
}

/* --- RRULE, read ----------------------------------------------------------------------------------------------------
 */

/* The last day on which an occurrence can begin. Of an all-day series the date of UNTIL counts, whatever its type. */
static int64_t until_day(const struct recur *rule, const struct base *b)
{
    if (!rule->has_until || rule->until_kind == ICAL_WHEN_DATE || !b->zone)
        return floor_day(rule->until);
    int64_t local = rule->until_kind == ICAL_WHEN_UTC ? tz_to_local(b->zone, rule->until) : rule->until;
    int64_t day = floor_day(local);
    return local - day * ICAL_DAY_S < b->clock ? day - 1 : day;
}

/* Hours in a rule of days are not looked at (3.3.10). */
static bool keeps_clock(const struct recur *rule, const struct base *b)
{
    return !b->zone || recur_keeps_clock(rule, b->clock);
}

static bool parse_rule(struct str text, const struct event_fields *f, struct event_recurrence *ret,
                       enum ical_reason *reason)
{
    struct recur rule;
    struct base b = base_of(f);
    *reason = ICAL_RULE_SYNTAX;
    if (!recur_parse(text, &rule, reason))
        return false;
    *reason = ICAL_RULE_PART;
    return keeps_clock(&rule, &b) && recur_to_event(&rule, b.day, until_day(&rule, &b), ret, reason);
}

/* ErrorOccurrenceTimeSpanTooBig: the shortest way from one occurrence to the next, over the first few years. */
static bool overlaps(const struct event *e)
{
    struct base b = base_of(&e->fields);
    int64_t end = b.zone ? tz_to_local(b.zone, e->fields.end) : e->fields.end;
    int64_t length = e->fields.end == TIME_NONE ? 0 : end - b.day * ICAL_DAY_S - b.clock;
    int64_t before = b.day, count = pattern_count(&e->recurrence, b.day);
    if (length <= ICAL_DAY_S)
        return false;
    for (int64_t n = 1; n < count && n < 60; n++) {
        int64_t day = pattern_day(&e->recurrence, b.day, n);
        if (day != INT64_MAX && (day - before) * ICAL_DAY_S < length)
            return true;
        before = day;
    }
    return false;
}

/* --- X-EXBRIDGE-RECURRENCE -------------------------------------------------------------------- */

/* What RRULE cannot say is written beside it: all of the pattern, which counts as long as RRULE (and RDATE) are still
 * those that belong to it. */
static const struct mark {
    const char *name;
    size_t at;
} marks[] = {
    {"INTERVAL", offsetof(struct event_recurrence, interval)},
    {"DAYS", offsetof(struct event_recurrence, days)},
    {"WEEK", offsetof(struct event_recurrence, week)},
    {"DAY", offsetof(struct event_recurrence, day_of_month)},
    {"MONTH", offsetof(struct event_recurrence, month)},
    {"FIRST", offsetof(struct event_recurrence, first_day)},
    {"COUNT", offsetof(struct event_recurrence, count)},
    {"CALENDAR", offsetof(struct event_recurrence, calendar)},
};
#define MARKS (sizeof(marks) / sizeof(*marks))

static void put_mark(struct ical_maker *m, const struct event_recurrence *p)
{
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "PATTERN=%d", (int)p->pattern);
    for (size_t i = 0; i < MARKS; i++) {
        unsigned v = *(const unsigned *)(const void *)((const char *)p + marks[i].at);
        if (marks[i].at == offsetof(struct event_recurrence, first_day) && p->pattern != EVENT_WEEKLY)
            continue; /* it says nothing there, and servers tell it or do not */
        if (v)
            buf_printf(&b, ";%s=%u", marks[i].name, v);
    }
    if (p->has_until) {
        struct time_parts t;
        time_to_parts(p->until, 0, &t);
        buf_printf(&b, ";UNTIL=%04d%02d%02d", t.year, t.month, t.day);
    }
    if (p->regenerates)
        buf_lit(&b, ";REGENERATES=1");
    if (p->leap_month)
        buf_lit(&b, ";LEAP=1");
    ical_name(&m->w, "X-EXBRIDGE-RECURRENCE");
    ical_value(&m->w, buf_view(&b));
    buf_done(&b);
}

static bool read_mark(struct str text, struct event_recurrence *ret)
{
    struct str piece, name;
    struct event_recurrence p = {0};
    while (str_cut(&text, ';', &piece)) {
        uint32_t v;
        enum ical_when kind;
        if (!str_cut(&piece, '=', &name) || !str_to_u32(piece, &v))
            return false;
        for (size_t i = 0; i < MARKS; i++)
            if (str_is(name, marks[i].name))
                *(unsigned *)(void *)((char *)&p + marks[i].at) = v;
        if (str_is(name, "PATTERN") && v <= EVENT_YEARLY_RELATIVE)
            p.pattern = (enum event_pattern)v;
        p.regenerates = p.regenerates || str_is(name, "REGENERATES");
        p.leap_month = p.leap_month || str_is(name, "LEAP");
        if (str_is(name, "UNTIL"))
            p.has_until = ical_when(piece, &p.until, &kind);
    }
    *ret = p;
    return pattern_valid(&p) || pattern_is_foreign(&p);
}

/* A pattern that clients are not shown as a series: they could not count it. */
static bool is_hidden(const struct event_recurrence *p)
{
    return p->regenerates || pattern_is_foreign(p);
}

/* --- RRULE, written --------------------------------------------------------------------------- */

/* Days added to a series that a client would leave out: as far as series last. */
#define ADDED_YEARS 30

struct written { /* what an event's pattern looks like */
    char text[200];
    bool clamps; /* RDATE for each day of a short month */
    bool marked;
};

static void add_end(struct buf *out, const struct event_recurrence *p, const struct base *b, bool clamps, bool floating)
{
    struct time_parts t;
    int64_t day = floor_day(p->until);
    if (p->count && !clamps) {
        buf_printf(out, ";COUNT=%u", p->count);
        return;
    }
    if (p->count)
        day = pattern_day(p, b->day, (int64_t)p->count - 1);
    else if (!p->has_until)
        return;
    if (!b->zone) {
        time_to_parts(day * ICAL_DAY_S, 0, &t);
        buf_printf(out, ";UNTIL=%04d%02d%02d", t.year, t.month, t.day);
        return;
    }
    int64_t local = day * ICAL_DAY_S + b->clock;
    time_to_parts(floating ? local : tz_to_utc(b->zone, local), 0, &t);
    buf_printf(out, ";UNTIL=%04d%02d%02dT%02d%02d%02d%s", t.year, t.month, t.day, t.hour, t.minute, t.second,
               floating ? "" : "Z");
}

static void rule_text(const struct event_recurrence *p, const struct base *b, bool floating, struct written *ret)
{
    struct buf out = BUF_INIT(sizeof(ret->text) - 1);
    recur_from_event(p, b->day, &out, &ret->clamps);
    bool plain = str_find(buf_view(&out), STR("BYMONTHDAY=-1")) == (size_t)-1 && !ret->clamps &&
                 str_find(buf_view(&out), STR("BYMONTHDAY=28,")) == (size_t)-1;
    bool absolute = p->pattern == EVENT_MONTHLY || p->pattern == EVENT_YEARLY;
    ret->marked = p->calendar || p->leap_month || (absolute && !plain);
    add_end(&out, p, b, ret->clamps, floating);
    memcpy(ret->text, out.p, out.n);
    ret->text[out.n] = 0;
    buf_done(&out);
}

/* The n-th day added, as an instant or date; false: there are no more. *at is the place in the series. */
static bool next_added(const struct event_recurrence *p, const struct base *b, int64_t *at, int64_t *ret)
{
    int64_t count = pattern_count(p, b->day);
    struct time_parts t;
    for (; *at < count; (*at)++) {
        int64_t day = pattern_day(p, b->day, *at);
        if (day > b->day + ADDED_YEARS * 366)
            return false;
        time_to_parts(day * ICAL_DAY_S, 0, &t);
        if ((unsigned)t.day == p->day_of_month)
            continue;
        (*at)++;
        int64_t local = day * ICAL_DAY_S + b->clock;
        *ret = b->zone ? tz_to_utc(b->zone, local) : local;
        return true;
    }
    return false;
}

/* UNTIL has to be of the type that DTSTART has (3.3.10). */
static bool ends_as_it_begins(struct str text, const struct event_fields *f, bool floating)
{
    struct recur rule;
    enum ical_reason reason;
    enum ical_when wanted = f->all_day ? ICAL_WHEN_DATE : floating ? ICAL_WHEN_LOCAL : ICAL_WHEN_UTC;
    return recur_parse(text, &rule, &reason) && (!rule.has_until || rule.until_kind == wanted);
}

static const struct ical_prop *spelled_rule(const struct ical_view *v)
{
    const struct ical_prop *p = v->extra ? ical_prop(v->extra, "RRULE") : NULL;
    struct event spelled = {.has_recurrence = true}, own = {.has_recurrence = true, .recurrence = v->e->recurrence};
    enum ical_reason reason;
    if (!p || !ends_as_it_begins(p->value, v->f, v->floating) ||
        !parse_rule(p->value, v->f, &spelled.recurrence, &reason))
        return NULL;
    return event_differ(&spelled, &own) & EVENT_PART_RECURRENCE ? NULL : p;
}

static void rule_write(struct ical_maker *m, const struct ical_view *v)
{
    const struct event_recurrence *p = &v->e->recurrence;
    struct base b = base_of(v->f);
    struct written w;
    if (v->x || !v->e->has_recurrence || b.start == TIME_NONE)
        return;
    if (is_hidden(p)) {
        put_mark(m, p);
        return;
    }
    if (!pattern_valid(p))
        return;
    const struct ical_prop *spelled = spelled_rule(v);
    rule_text(p, &b, v->floating, &w);
    if (spelled) {
        ical_line(&m->w, spelled);
        return;
    }
    ical_name(&m->w, "RRULE");
    ical_value(&m->w, str_from(w.text));
    int64_t at = 0, t;
    while (w.clamps && next_added(p, &b, &at, &t))
        ical_put_moment(m, "RDATE", t, b.zone, v->floating);
    if (w.marked)
        put_mark(m, p);
}

/* --- the marked pattern, read ----------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Do the RDATEs say exactly what we would add? */
static bool added_days_are(struct ical_reader *r, const struct ical_comp *c, const struct event_recurrence *p,
                           const struct base *b, bool clamps)
{
    int64_t have[ADDED_YEARS * 13], at = 0, t;
    size_t n = 0, k = 0;
    struct ical_problem problem, *keep = r->problem;
    bool ok = true;
    r->problem = &problem; /* whatever is wrong with them is told when they are refused */
    for (const struct ical_prop *d = ical_prop(c, "RDATE"); d && ok; d = ical_prop_next(d, "RDATE")) {
        struct str rest = d->value, item;
        struct ical_moment moment;
        while (ok && ical_list_next(&rest, &item)) {
            ok = n < sizeof(have) / sizeof(*have) && ical_moment(r, d, item, &moment);
            if (ok)
                have[n++] = moment.instant;
        }
    }
    r->problem = keep;
    qsort(have, n, sizeof(*have), by_value);
    while (ok && clamps && next_added(p, b, &at, &t))
        ok = k < n && have[k++] == t;
    return ok && k == n;
}

static bool same_set(const int *a, unsigned n, const int *b, unsigned m)
{
    bool same = n == m;
    for (unsigned i = 0; i < n && same; i++) {
        unsigned k = 0;
        while (k < m && a[i] != b[k])
            k++;
        same = k < m;
    }
    return same;
}

static bool same_rule(const struct recur *a, const struct recur *b, const struct base *base)
{
    return a->frequency == b->frequency && a->interval == b->interval && a->count == b->count &&
           a->has_until == b->has_until && (!a->has_until || until_day(a, base) == until_day(b, base)) &&
           a->months == b->months && !a->day_count && !b->day_count && !a->year_day_count && !b->year_day_count &&
           same_set(a->month_days, a->month_day_count, b->month_days, b->month_day_count) &&
           same_set(a->positions, a->position_count, b->positions, b->position_count);
}

/* Only rules of days of the month are marked, besides hidden ones, which have no RRULE. */
static bool mark_holds(struct ical_reader *r, const struct ical_comp *c, const struct ical_prop *rule,
                       const struct event_fields *f, struct event_recurrence *ret)
{
    const struct ical_prop *mark = ical_prop(c, "X-EXBRIDGE-RECURRENCE");
    struct event_recurrence p;
    struct base b = base_of(f);
    struct written w;
    struct recur have, want;
    enum ical_reason reason;
    if (!mark || !read_mark(mark->value, &p) || b.start == TIME_NONE)
        return false;
    if (is_hidden(&p)) {
        *ret = p;
        return !rule && !ical_prop(c, "RDATE");
    }
    if (!rule)
        return false;
    rule_text(&p, &b, false, &w);
    if (!recur_parse(rule->value, &have, &reason) || !recur_parse(str_from(w.text), &want, &reason) ||
        !same_rule(&have, &want, &b) || !keeps_clock(&have, &b) || !added_days_are(r, c, &p, &b, w.clamps))
        return false;
    *ret = p;
    return true;
}

/* A day added that the series (or DTSTART) has anyway, and for as long: it counts once (3.8.5.2). */
static bool says_again(struct ical_reader *r, const struct event *e, const struct ical_prop *p, struct str value)
{
    struct base b = base_of(&e->fields);
    struct ical_moment at, end;
    bool period = str_find_byte(value, '/') != (size_t)-1;
    if (!(period ? ical_period(r, p, value, &at, &end) : ical_moment(r, p, value, &at)) || !at.zone != !b.zone)
        return false;
    if (period && end.instant - at.instant != e->fields.end - e->fields.start)
        return false;
    return e->has_recurrence ? event_index_of(e, at.instant) != 0 : at.instant == b.start;
}

static bool check_added(struct ical_reader *r, const struct event *e, const struct ical_comp *c)
{
    for (const struct ical_prop *p = ical_prop(c, "RDATE"); p; p = ical_prop_next(p, "RDATE")) {
        struct str rest = p->value, item;
        while (ical_list_next(&rest, &item))
            if (!says_again(r, e, p, item))
                return ical_refuse(r, ICAL_RDATE, p->line, NULL);
    }
    return true;
}

/* More than one rule; the same one twice is one. */
static const struct ical_prop *second_rule(const struct ical_comp *c, const struct ical_prop *rule)
{
    const struct ical_prop *more = rule;
    while (more && str_case_eq(str_trim(more->value), str_trim(rule->value)))
        more = ical_prop_next(more, "RRULE");
    return more ? more : ical_prop(c, "EXRULE");
}

static bool rule_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct event *e = it->e;
    const struct ical_prop *rule = ical_prop(c, "RRULE"), *more;
    enum ical_reason reason;
    if (it->x) /* an occurrence has no series of its own; some servers repeat the rule in it */
        return true;
    more = second_rule(c, rule);
    if (more)
        return ical_refuse(r, ICAL_RULE_TWO, more->line, NULL);
    e->has_recurrence = mark_holds(r, c, rule, it->f, &e->recurrence);
    if (e->has_recurrence)
        return true;
    if (!rule)
        return check_added(r, e, c);
    if (base_of(it->f).start == TIME_NONE)
        return ical_refuse(r, ICAL_NO_START, rule->line, "RRULE");
    if (!parse_rule(rule->value, it->f, &e->recurrence, &reason))
        return ical_refuse(r, reason, rule->line, NULL);
    e->has_recurrence = true;
    if (e->kind != EVENT_TASK && overlaps(e))
        return ical_refuse(r, ICAL_RULE_OVERLAPS, rule->line, NULL);
    return check_added(r, e, c);
}

/* A rule in other words. */
static void rule_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                      const struct ical_item *it)
{
    const struct ical_prop *p = ical_prop(c, "RRULE");
    struct base b = base_of(it->f);
    struct written w;
    if (it->x || !p || !it->e->has_recurrence || is_hidden(&it->e->recurrence))
        return;
    bool floating = ical_is_floating(r->a, c);
    rule_text(&it->e->recurrence, &b, floating, &w);
    if (!w.marked && !str_is(str_trim(p->value), w.text) && ends_as_it_begins(p->value, it->f, floating))
        ical_line(&m->w, p);
}

const struct ical_group ical_group_rule = {
    .names = (const char *const[]){"RRULE", "RDATE", "EXRULE", "X-EXBRIDGE-RECURRENCE", NULL},
    .events = true,
    .tasks = true,
    .spelling = ICAL_SPELL_SELF,
    .read = rule_read,
    .write = rule_write,
    .keep = rule_keep};

/* --- occurrences ------------------------------------------------------------------------------ */

/* Which occurrence a time means. Dates in a series that has hours stand for the occurrence of that day, and times in an
 * all-day series for their date: both are common mistakes that cannot be misunderstood. */
static bool find_original(const struct event *e, const struct ical_moment *t, int64_t *ret)
{
    struct base b = base_of(&e->fields);
    int64_t original = t->instant;
    if (!e->has_recurrence || b.start == TIME_NONE)
        return false;
    if (!b.zone && t->zone) {
        original = floor_day(tz_to_local(t->zone, t->instant)) * ICAL_DAY_S;
    } else if (b.zone && !t->zone) {
        int64_t n = pattern_find(&e->recurrence, b.day, floor_day(t->instant));
        if (!event_original_at(e, (unsigned)n + 1, &original) ||
            floor_day(tz_to_local(b.zone, original)) != floor_day(t->instant))
            return false;
    }
    *ret = original;
    return event_index_of(e, original) != 0;
}

bool ical_original(struct ical_reader *r, const struct event *e, const struct ical_prop *p, int64_t *ret)
{
    struct ical_moment t;
    if (!ical_moment(r, p, p->value, &t))
        return false;
    return find_original(e, &t, ret) || ical_refuse(r, ICAL_NOT_AN_OCCURRENCE, p->line, NULL);
}

#define EXDATES_MAX (4 * EVENT_EXCEPTIONS_MAX) /* some clients keep what their series has outlived */

static size_t count_values(const struct ical_comp *c)
{
    size_t n = 0;
    for (const struct ical_prop *p = ical_prop(c, "EXDATE"); p; p = ical_prop_next(p, "EXDATE")) {
        struct str rest = p->value, item;
        while (ical_list_next(&rest, &item))
            n++;
    }
    return n;
}

/* Exceptions are gathered in a list that has room for the overrides, too; see ical_read_event(). */
static bool exdates_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct event *e = it->e;
    if (it->x)
        return true;
    size_t n = count_values(c);
    if (n > EXDATES_MAX)
        return ical_refuse(r, ICAL_TOO_MANY_EXCEPTIONS, ical_prop(c, "EXDATE")->line, "EXDATE");
    struct event_exception *list = arena_array(r->a, n, sizeof(*list));
    n = 0;
    for (const struct ical_prop *p = ical_prop(c, "EXDATE"); p; p = ical_prop_next(p, "EXDATE")) {
        struct str rest = p->value, item;
        while (ical_list_next(&rest, &item)) {
            struct ical_moment t;
            if (!str_trim(item).n)
                continue;
            if (!ical_moment(r, p, item, &t))
                return false;
            list[n].deleted = true;
            if (find_original(e, &t, &list[n].original))
                n++;
        }
    }
    if (n && e->kind == EVENT_TASK)
        return ical_refuse(r, ICAL_TASK_OCCURRENCE, ical_prop(c, "EXDATE")->line, "EXDATE");
    e->exceptions = list;
    e->exception_count = n;
    return true;
}

/* Those that say nothing of the series as it is. */
static void put_idle_exdates(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                             const struct event *e)
{
    for (const struct ical_prop *p = ical_prop(c, "EXDATE"); p; p = ical_prop_next(p, "EXDATE")) {
        struct str rest = p->value, item;
        while (ical_list_next(&rest, &item)) {
            struct ical_moment t;
            int64_t original;
            if (str_trim(item).n && ical_moment(r, p, item, &t) && !find_original(e, &t, &original))
                ical_put_moment(m, "EXDATE", t.instant, t.zone, t.floating);
        }
    }
}

static void exdates_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                         const struct ical_item *it)
{
    if (!it->x)
        put_idle_exdates(r, m, c, it->e);
}

static void exdates_write(struct ical_maker *m, const struct ical_view *v)
{
    struct ical_problem problem;
    struct ical_reader r = {.a = m->a, .options = m->options, .problem = &problem, .zone = m->zone};
    struct base b = base_of(v->f);
    if (v->x)
        return;
    for (size_t i = 0; i < v->e->exception_count; i++)
        if (v->e->exceptions[i].deleted)
            ical_put_moment(m, "EXDATE", v->e->exceptions[i].original, b.zone, v->floating);
    if (v->extra)
        put_idle_exdates(&r, m, v->extra, v->e);
}

const struct ical_group ical_group_exdates = {.names = (const char *const[]){"EXDATE", NULL},
                                              .events = true,
                                              .tasks = true,
                                              .spelling = ICAL_SPELL_SELF,
                                              .read = exdates_read,
                                              .write = exdates_write,
                                              .keep = exdates_keep};
