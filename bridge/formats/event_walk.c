/* SPDX-License-Identifier: Apache-2.0 */
/* The occurrences of an event. */
#include "bridge/base/time.h"
#include "bridge/formats/event.h"
#include "bridge/formats/recur.h"
#include "bridge/formats/timezone.h"

#define DAY_S 86400

static int64_t floor_day(int64_t s)
{
    return s / DAY_S - (s % DAY_S < 0);
}

/* What does not change from one occurrence to the next. */
struct series {
    const struct event *e;
    const struct event_recurrence *rule; /* NULL: one occurrence */
    const struct tz *zone;               /* NULL: dates */
    int64_t day, clock;                  /* of the first, on the wall */
    int64_t length;                      /* on the wall */
    int64_t base;                        /* start; of a task without one, its due date */
    int64_t count;
};

static const struct tz *zone_or_utc(struct str name)
{
    const struct tz *z = tz_by_name(name);
    return z ? z : tz_utc();
}

static void series_of(const struct event *e, struct series *s)
{
    const struct event_fields *f = &e->fields;
    *s = (struct series){.e = e, .base = f->start == TIME_NONE ? f->end : f->start, .count = 1};
    s->zone = f->all_day ? NULL : zone_or_utc(f->start_zone);
    bool dated = s->base != TIME_NONE && f->end != TIME_NONE;
    int64_t local = s->base == TIME_NONE ? 0 : s->zone ? tz_to_local(s->zone, s->base) : s->base;
    s->day = floor_day(local);
    s->clock = local - s->day * DAY_S;
    s->length = !dated ? 0 : (s->zone ? tz_to_local(s->zone, f->end) : f->end) - local;
    if (e->has_recurrence && s->base != TIME_NONE && !e->recurrence.regenerates &&
        !pattern_is_foreign(&e->recurrence) && pattern_valid(&e->recurrence)) {
        s->rule = &e->recurrence;
        s->count = pattern_count(s->rule, s->day);
    }
}

/* The n-th occurrence (from 0), not knowing of exceptions. False: there is none. */
static bool by_rule(const struct series *s, int64_t n, struct event_occurrence *o)
{
    const struct event_fields *f = &s->e->fields;
    *o = (struct event_occurrence){.original = s->base, .start = f->start, .end = f->end, .index = (unsigned)n + 1};
    if (n < 0 || n >= s->count)
        return false;
    if (!s->rule)
        return true;
    int64_t day = pattern_day(s->rule, s->day, n);
    if (day == INT64_MAX)
        return false;
    int64_t local = day * DAY_S + s->clock;
    o->original = s->zone ? tz_to_utc(s->zone, local) : local;
    o->start = f->start == TIME_NONE ? TIME_NONE : o->original;
    o->end = f->end == TIME_NONE ? TIME_NONE : s->zone ? tz_to_utc(s->zone, local + s->length) : local + s->length;
    if (o->end != TIME_NONE && o->end < o->start) /* it begins in the hour that clocks leave out: its length counts */
        o->end = o->start + (f->end > f->start ? f->end - f->start : 0);
    return true;
}

/* The number of the first occurrence whose day is not before that of a time (which counts as one of the series). */
static int64_t find(const struct series *s, int64_t time)
{
    if (!s->rule)
        return 0;
    return pattern_find(s->rule, s->day, floor_day(s->zone ? tz_to_local(s->zone, time) : time));
}

bool event_original_at(const struct event *e, unsigned index, int64_t *ret_original)
{
    struct series s;
    struct event_occurrence o;
    series_of(e, &s);
    if (!index || !by_rule(&s, (int64_t)index - 1, &o))
        return false;
    *ret_original = o.original;
    return true;
}

bool event_occurrence_at(const struct event *e, unsigned index, struct event_occurrence *ret)
{
    struct series s;
    series_of(e, &s);
    if (!index || !by_rule(&s, (int64_t)index - 1, ret))
        return false;
    ret->changed = event_exception(e, ret->original);
    if (ret->changed && !ret->changed->deleted) {
        ret->start = ret->changed->fields.start;
        ret->end = ret->changed->fields.end;
    }
    return true;
}

static unsigned index_in(const struct series *s, int64_t original)
{
    struct event_occurrence o;
    int64_t n = find(s, original);
    for (int64_t i = n > 0 ? n - 1 : 0; i <= n; i++) /* a time moved out of a gap can be on the day after */
        if (by_rule(s, i, &o) && o.original == original)
            return o.index;
    return 0;
}

unsigned event_index_of(const struct event *e, int64_t original)
{
    struct series s;
    series_of(e, &s);
    return index_in(&s, original);
}

/* --- walking --------------------------------------------------------------------------------------------------------
 */

struct walk {
    struct series s;
    int64_t from, to;
    const struct tz *dates; /* where dates are */
    bool (*fn)(void *ud, const struct event_occurrence *o);
    void *ud;
    size_t at; /* next exception */
    bool stopped;
};

static int64_t instant(const struct walk *w, int64_t t, bool all_day)
{
    return all_day && t != TIME_NONE ? tz_to_utc(w->dates, t) : t;
}

/* A time without length belongs to the moment it begins (RFC 4791 9.9); without any time, to all of them. */
static bool is_within(const struct walk *w, int64_t start, int64_t end, bool all_day)
{
    int64_t from = start == TIME_NONE ? end : start, to = end == TIME_NONE ? start : end;
    if (from == TIME_NONE)
        return true;
    from = instant(w, from, all_day);
    to = instant(w, to, all_day);
    return from < w->to && (to > from ? to > w->from : from >= w->from);
}

static void give(struct walk *w, const struct event_occurrence *o)
{
    bool all_day = o->changed ? o->changed->fields.all_day : w->s.zone == NULL;
    if (is_within(w, o->start, o->end, all_day) && !w->fn(w->ud, o))
        w->stopped = true;
}

bool event_fields_within(const struct event_fields *f, int64_t from, int64_t to, struct str zone)
{
    struct walk w = {.from = from, .to = to ? to : INT64_MAX, .dates = zone_or_utc(zone)};
    return is_within(&w, f->start, f->end, f->all_day);
}

static void give_exception(struct walk *w, const struct event_exception *x, unsigned index)
{
    if (!x->deleted)
        give(w, &(struct event_occurrence){x->original, x->fields.start, x->fields.end, x, index});
}

/* The exceptions before `original`. What a server has changed it shows, even where its rule has nothing (index 0). */
static void give_exceptions_before(struct walk *w, int64_t original)
{
    const struct event *e = w->s.e;
    while (!w->stopped && w->at < e->exception_count && e->exceptions[w->at].original < original) {
        const struct event_exception *x = &e->exceptions[w->at++];
        if (!x->deleted)
            give_exception(w, x, index_in(&w->s, x->original));
    }
}

/* Where the walk can begin: nothing before it reaches `from` by the rule. */
static int64_t first_number(const struct walk *w)
{
    int64_t margin = (w->s.length > 0 ? w->s.length : 0) + 3 * DAY_S;
    if (!w->s.rule || w->from < w->s.base)
        return 0;
    return find(&w->s, w->from - margin);
}

bool event_each(const struct event *e, int64_t from, int64_t to, struct str zone,
                bool (*fn)(void *ud, const struct event_occurrence *o), void *ud)
{
    struct walk w = {.from = from, .to = to ? to : INT64_MAX, .fn = fn, .ud = ud, .dates = zone_or_utc(zone)};
    struct event_occurrence o;
    bool cut = false;
    series_of(e, &w.s);
    int64_t n = first_number(&w);
    for (int64_t steps = 0; !w.stopped && by_rule(&w.s, n, &o); n++, steps++) {
        cut = steps == EVENT_WALK_MAX;
        if (cut || (w.s.rule && instant(&w, o.original, w.s.zone == NULL) >= w.to))
            break;
        give_exceptions_before(&w, o.original);
        if (w.stopped)
            break;
        if (w.at < e->exception_count && e->exceptions[w.at].original == o.original)
            give_exception(&w, &e->exceptions[w.at++], o.index);
        else
            give(&w, &o);
    }
    give_exceptions_before(&w, INT64_MAX);
    return !cut;
}

/* --- the whole of it -------------------------------------------------------------------------- */

static void widen(int64_t start, int64_t end, int64_t *from, int64_t *to)
{
    int64_t first = start == TIME_NONE ? end : start, last = end == TIME_NONE || end < start ? start : end;
    if (first < *from)
        *from = first;
    if (last > *to)
        *to = last;
}

void event_span(const struct event *e, int64_t *ret_from, int64_t *ret_to)
{
    struct series s;
    struct event_occurrence o;
    series_of(e, &s);
    *ret_from = INT64_MAX;
    *ret_to = INT64_MIN;
    if (s.base == TIME_NONE) {
        *ret_from = INT64_MIN;
        *ret_to = INT64_MAX;
        return;
    }
    if (by_rule(&s, 0, &o))
        widen(o.start, o.end, ret_from, ret_to);
    if (s.count == INT64_MAX)
        *ret_to = INT64_MAX;
    else if (by_rule(&s, s.count - 1, &o))
        widen(o.start, o.end, ret_from, ret_to);
    for (size_t i = 0; i < e->exception_count; i++)
        if (!e->exceptions[i].deleted)
            widen(e->exceptions[i].fields.start, e->exceptions[i].fields.end, ret_from, ret_to);
    if (*ret_from == INT64_MAX) /* a rule without a single day */
        widen(s.base, e->fields.end, ret_from, ret_to);
}
