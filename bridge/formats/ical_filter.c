/* SPDX-License-Identifier: Apache-2.0 */
/* Does a calendar object match a filter (RFC 4791 9.7 to 9.9)? */
#include "bridge/formats/ical_private.h"
#include "bridge/formats/ical_query.h"
#include "bridge/formats/unicode.h"

struct matcher {
    struct ical_reader r; /* for the values of properties */
    struct ical_problem problem;
    const struct event *e;
    struct str zone;
    struct buf folded, hay; /* of text matches */
};

/* --- text ------------------------------------------------------------------------------------- */

static bool contains(struct matcher *m, struct str value, const struct ical_text_match *t)
{
    if (t->collation == ICAL_OCTET)
        return str_find(value, t->text) != (size_t)-1;
    if (t->collation == ICAL_ASCII_CASEMAP)
        return str_case_find(value, t->text) != (size_t)-1;
    buf_reset(&m->folded);
    unicode_fold_add(&m->folded, t->text);
    return unicode_contains(value, buf_view(&m->folded), &m->hay);
}

static bool text_matches(struct matcher *m, struct str value, const struct ical_text_match *t)
{
    return contains(m, value, t) != t->negate;
}

/* --- properties ------------------------------------------------------------------------------- */

static bool has_param(const struct ical_prop *p, struct str name)
{
    const struct ical_param *at = p->params;
    while (at && !str_case_eq(at->name, name))
        at = at->next;
    return at != NULL;
}

static bool param_matches(struct matcher *m, const struct ical_prop *p, const struct ical_param_filter *f)
{
    char name[64];
    if (has_param(p, f->name) == f->is_not_defined || f->name.n >= sizeof(name))
        return false;
    memcpy(name, f->name.p, f->name.n);
    name[f->name.n] = 0;
    return f->is_not_defined || !f->match || text_matches(m, ical_param(m->r.a, p, name), f->match);
}

/* A date is its midnight in the zone that was asked for. */
static int64_t instant_of(struct matcher *m, const struct ical_moment *t)
{
    return t->zone ? t->instant : tz_to_utc(m->r.zone, t->instant);
}

static bool is_in(const struct ical_range *range, int64_t t)
{
    return t >= range->from && t < range->to;
}

static bool value_in_range(struct matcher *m, const struct ical_prop *p, const struct ical_range *range)
{
    struct str rest = p->value, item;
    while (ical_list_next(&rest, &item)) {
        struct ical_moment t;
        size_t slash = str_find_byte(item, '/'); /* a period: its start */
        if (ical_moment(&m->r, p, str_sub(item, 0, slash), &t) && is_in(range, instant_of(m, &t)))
            return true;
    }
    return false;
}

static bool one_prop_matches(struct matcher *m, const struct ical_prop *p, const struct ical_prop_filter *f)
{
    if (f->range && !value_in_range(m, p, f->range))
        return false;
    if (f->match && !text_matches(m, ical_unescape(m->r.a, p->value), f->match))
        return false;
    for (size_t i = 0; i < f->param_count; i++)
        if (!param_matches(m, p, &f->params[i]))
            return false;
    return true;
}

static bool prop_matches(struct matcher *m, const struct ical_comp *c, const struct ical_prop_filter *f)
{
    bool defined = false;
    for (const struct ical_prop *p = c->props; p; p = p->next) {
        if (!str_case_eq(p->name, f->name))
            continue;
        defined = true;
        if (!f->is_not_defined && one_prop_matches(m, p, f))
            return true;
    }
    return f->is_not_defined && !defined;
}

/* --- time of events and tasks ----------------------------------------------------------------- */

struct occurrence_search {
    bool by_rule_only, found;
};

static bool note_occurrence(void *ud, const struct event_occurrence *o)
{
    struct occurrence_search *s = ud;
    s->found = !s->by_rule_only || !o->changed;
    return !s->found;
}

static bool any_occurrence(const struct event *e, const struct ical_range *range, struct str zone, bool by_rule_only)
{
    struct occurrence_search s = {.by_rule_only = by_rule_only};
    event_each(e, range->from, range->to, zone, note_occurrence, &s);
    return s.found;
}

struct todo { /* instants; TIME_NONE: not there */
    int64_t start, due, completed, created;
};

/* The table of RFC 4791 9.9. */
static bool todo_in_range(const struct todo *t, const struct ical_range *r)
{
    int64_t from = r->from, to = r->to;
    if (t->start != TIME_NONE && t->due != TIME_NONE)
        return (from < t->due || from <= t->start) && (to > t->start || to >= t->due);
    if (t->start != TIME_NONE)
        return from <= t->start && to > t->start;
    if (t->due != TIME_NONE)
        return from < t->due && to >= t->due;
    if (t->completed != TIME_NONE && t->created != TIME_NONE)
        return (from <= t->created || from <= t->completed) && (to >= t->created || to >= t->completed);
    if (t->completed != TIME_NONE)
        return from <= t->completed && to >= t->completed;
    return t->created == TIME_NONE || to > t->created;
}

static int64_t date_instant(const struct tz *zone, int64_t date)
{
    return date == TIME_NONE ? TIME_NONE : tz_to_utc(zone, date);
}

bool ical_in_range(const struct event *e, const struct ical_range *range, struct str zone)
{
    const struct tz *z = tz_by_name(zone);
    if (!z)
        z = tz_utc();
    if (e->kind == EVENT_TASK && !e->has_recurrence) {
        struct todo t = {.start = date_instant(z, e->fields.start),
                         .due = date_instant(z, e->fields.end),
                         .completed = date_instant(z, e->task.completed),
                         .created = e->created ? e->created : TIME_NONE};
        return todo_in_range(&t, range);
    }
    return any_occurrence(e, range, zone, false);
}

static int64_t time_of(struct matcher *m, const struct ical_comp *c, const char *name)
{
    const struct ical_prop *p = ical_prop(c, name);
    struct ical_moment t;
    return p && ical_moment(&m->r, p, p->value, &t) ? instant_of(m, &t) : TIME_NONE;
}

/* A task as its client sees it, with hours where it wrote some. */
static bool task_matches(struct matcher *m, const struct ical_comp *c, const struct ical_range *range)
{
    int64_t days, seconds;
    const struct ical_prop *duration = ical_prop(c, "DURATION");
    struct todo t = {.start = time_of(m, c, "DTSTART"),
                     .due = time_of(m, c, "DUE"),
                     .completed = time_of(m, c, "COMPLETED"),
                     .created = time_of(m, c, "CREATED")};
    if (m->e->has_recurrence)
        return ical_in_range(m->e, range, m->zone);
    if (t.start != TIME_NONE && duration && ical_duration(duration->value, &days, &seconds))
        t.due = t.start + days * ICAL_DAY_S + seconds;
    return todo_in_range(&t, range);
}

/* The exception that an override component is; false: it is none of the event's. */
static bool exception_of(struct matcher *m, const struct ical_comp *c, const struct event_exception **ret)
{
    const struct ical_prop *id = ical_prop(c, "RECURRENCE-ID");
    int64_t original;
    *ret = NULL;
    if (!id)
        return true;
    *ret = ical_original(&m->r, m->e, id, &original) ? event_exception(m->e, original) : NULL;
    return *ret != NULL;
}

static bool event_matches(struct matcher *m, const struct ical_comp *c, const struct ical_range *range)
{
    const struct event_exception *x;
    if (!exception_of(m, c, &x))
        return false;
    return x ? event_fields_within(&x->fields, range->from, range->to, m->zone)
             : any_occurrence(m->e, range, m->zone, true);
}

/* --- alarms ----------------------------------------------------------------------------------- */

#define REPEATS_MAX 100

struct alarm_search {
    const struct tz *zone;
    const struct event *e;
    const struct ical_range *range;
    bool from_end, found;
    int64_t days, seconds; /* from start or end */
    uint32_t repeats;
    int64_t gap;
};

static bool goes_off(const struct alarm_search *s, int64_t at)
{
    for (uint32_t i = 0; i <= s->repeats; i++)
        if (is_in(s->range, at + (int64_t)i * s->gap))
            return true;
    return false;
}

static bool goes_off_at(const struct alarm_search *s, const struct event_fields *f, int64_t start, int64_t end)
{
    int64_t base = s->from_end ? end : start;
    if (base == TIME_NONE)
        return false;
    const struct tz *zone = f->all_day ? s->zone : tz_by_name(f->start_zone);
    if (!zone)
        zone = tz_utc();
    int64_t local = f->all_day ? base : tz_to_local(zone, base);
    return goes_off(s, tz_to_utc(zone, local + s->days * ICAL_DAY_S) + s->seconds);
}

static bool note_alarm(void *ud, const struct event_occurrence *o)
{
    struct alarm_search *s = ud;
    s->found = !o->changed && goes_off_at(s, &s->e->fields, o->start, o->end);
    return !s->found;
}

static bool alarm_matches(struct matcher *m, const struct ical_comp *alarm, const struct ical_range *range)
{
    const struct ical_prop *trigger = ical_prop(alarm, "TRIGGER"), *repeat = ical_prop(alarm, "REPEAT"),
                           *duration = ical_prop(alarm, "DURATION");
    struct alarm_search s = {.zone = m->r.zone, .e = m->e, .range = range};
    struct ical_moment t;
    int64_t days, seconds;
    if (!trigger || !alarm->parent)
        return false;
    if (repeat && duration && str_to_u32(str_trim(repeat->value), &s.repeats) &&
        ical_duration(duration->value, &days, &seconds))
        s.gap = days * ICAL_DAY_S + seconds;
    s.repeats = s.gap > 0 && s.repeats < REPEATS_MAX ? s.repeats : 0;
    if (!ical_duration(trigger->value, &s.days, &s.seconds))
        return ical_moment(&m->r, trigger, trigger->value, &t) && goes_off(&s, instant_of(m, &t));
    const struct event_exception *x;
    if (!exception_of(m, alarm->parent, &x))
        return false;
    s.from_end = str_case_is(ical_param(m->r.a, trigger, "RELATED"), "END");
    if (x)
        return goes_off_at(&s, &x->fields, x->fields.start, x->fields.end);
    /* Occurrences from which the alarm can reach the range. */
    int64_t offset = s.days * ICAL_DAY_S + s.seconds, reach = (int64_t)s.repeats * s.gap + 2 * ICAL_DAY_S;
    int64_t from = range->from == INT64_MIN ? INT64_MIN : range->from - offset - reach;
    int64_t to = range->to == INT64_MAX ? INT64_MAX : range->to - offset + 2 * ICAL_DAY_S;
    event_each(m->e, from, to, m->zone, note_alarm, &s);
    return s.found;
}

/* --- components ------------------------------------------------------------------------------- */

static bool range_matches(struct matcher *m, const struct ical_comp *c, const struct ical_range *range)
{
    if (str_case_is(c->name, "VEVENT"))
        return event_matches(m, c, range);
    if (str_case_is(c->name, "VTODO"))
        return task_matches(m, c, range);
    return str_case_is(c->name, "VALARM") && alarm_matches(m, c, range);
}

static bool comp_matches(struct matcher *m, const struct ical_comp *list, const struct ical_comp_filter *f);

static bool one_comp_matches(struct matcher *m, const struct ical_comp *c, const struct ical_comp_filter *f)
{
    for (size_t i = 0; i < f->prop_count; i++)
        if (!prop_matches(m, c, &f->props[i]))
            return false;
    for (size_t i = 0; i < f->comp_count; i++)
        if (!comp_matches(m, c->comps, &f->comps[i]))
            return false;
    return !f->range || range_matches(m, c, f->range);
}

/* Depth is that of the object at most. */
static bool comp_matches(struct matcher *m, const struct ical_comp *list, const struct ical_comp_filter *f)
{
    bool defined = false;
    for (const struct ical_comp *c = list; c; c = c->next) {
        if (!str_case_eq(c->name, f->name))
            continue;
        defined = true;
        if (!f->is_not_defined && one_comp_matches(m, c, f))
            return true;
    }
    return f->is_not_defined && !defined;
}

bool ical_match(struct str text, const struct event *e, const struct ical_comp_filter *filter, struct str zone,
                struct arena *scratch)
{
    struct ical_options options = {.zone = zone};
    struct matcher m = {.e = e, .zone = zone};
    m.r = (struct ical_reader){.a = scratch, .options = &options, .problem = &m.problem};
    bool ok = ical_open(&m.r, text) && comp_matches(&m, m.r.calendar, filter);
    buf_done(&m.folded);
    buf_done(&m.hay);
    return ok;
}
