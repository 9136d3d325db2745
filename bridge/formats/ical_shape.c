/* SPDX-License-Identifier: Apache-2.0 */
/* What of a calendar object is wanted (RFC 4791 9.6): selected properties, occurrences by themselves, fewer overrides.
 */
#include <stdio.h>

#include "bridge/formats/ical_private.h"
#include "bridge/formats/ical_query.h"

struct shaper {
    struct ical_reader r;
    struct ical_problem problem;
    struct ical_maker m;
    const struct event *e;
    const struct ical_shape *shape;
    struct str zone;
    const struct ical_comp *master;
    struct override {
        const struct ical_comp *c;
        const struct event_exception *x; /* NULL: none of the event's */
    } * overrides;
    size_t override_count;
    size_t left; /* occurrences that may still come */
    bool too_many;
};

/* --- selection
 * ----------------------------------------------------------------------------------------------------------
 */

static const struct ical_select_prop *wanted_prop(const struct ical_select *s, struct str name)
{
    for (size_t i = 0; i < s->prop_count; i++)
        if (str_case_eq(s->props[i].name, name))
            return &s->props[i];
    return NULL;
}

/* False: the component is not wanted; *ret NULL: all of it is. */
static bool wanted_comp(const struct ical_select *parent, struct str name, const struct ical_select **ret)
{
    *ret = NULL;
    if (!parent)
        return true;
    for (size_t i = 0; i < parent->comp_count; i++) {
        if (!str_case_eq(parent->comps[i].name, name))
            continue;
        *ret = &parent->comps[i];
        return true;
    }
    return parent->all_comps;
}

static void put_prop(struct shaper *s, const struct ical_prop *p, const struct ical_select *select)
{
    const struct ical_select_prop *wanted = select ? wanted_prop(select, p->name) : NULL;
    struct ical_prop bare = *p;
    if (select && !wanted && !select->all_props)
        return;
    if (wanted && wanted->no_value)
        bare.value = STR_NULL;
    ical_line(&s->m.w, &bare);
}

/* --- FREEBUSY (9.6.7)
 * ---------------------------------------------------------------------------------------------------
 */

static bool period_overlaps(struct shaper *s, const struct ical_prop *p, struct str period,
                            const struct ical_range *range)
{
    struct ical_moment from, to;
    return !ical_period(&s->r, p, period, &from, &to) || (from.instant < range->to && to.instant > range->from);
}

static bool is_out_of_busy_range(struct shaper *s, const struct ical_prop *p)
{
    struct str rest = p->value, item;
    if (!s->shape->limit_busy || !str_case_is(p->name, "FREEBUSY"))
        return false;
    while (ical_list_next(&rest, &item))
        if (period_overlaps(s, p, item, s->shape->limit_busy))
            return false;
    return true;
}

/* --- the object as it is
 * -------------------------------------------------------------------------------------------------
 */

static const struct event_exception *exception_of(const struct shaper *s, const struct ical_comp *c)
{
    for (size_t i = 0; i < s->override_count; i++)
        if (s->overrides[i].c == c)
            return s->overrides[i].x;
    return NULL;
}

/* Does an override matter in the range: does it happen there, or would its occurrence have (9.6.6)? */
static bool matters(const struct shaper *s, const struct ical_comp *c)
{
    const struct ical_range *range = s->shape->limit;
    if (!range || !ical_prop(c, "RECURRENCE-ID"))
        return true;
    const struct event_exception *x = exception_of(s, c);
    struct event plain = *s->e;
    struct event_occurrence o;
    if (!x)
        return false;
    plain.exception_count = 0;
    if (event_fields_within(&x->fields, range->from, range->to, s->zone))
        return true;
    if (!event_occurrence_at(&plain, event_index_of(&plain, x->original), &o))
        return false;
    plain.fields.start = o.start;
    plain.fields.end = o.end;
    return event_fields_within(&plain.fields, range->from, range->to, s->zone);
}

static void put_comp(struct shaper *s, const struct ical_comp *c, const struct ical_select *select)
{
    const struct ical_select *inner;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", STR_ARG(c->name));
    ical_begin(&s->m.w, name);
    for (const struct ical_prop *p = c->props; p; p = p->next)
        if (!is_out_of_busy_range(s, p))
            put_prop(s, p, select);
    for (const struct ical_comp *at = c->comps; at; at = at->next)
        if (wanted_comp(select, at->name, &inner) && matters(s, at))
            put_comp(s, at, inner);
    ical_end(&s->m.w, name);
}

/* --- every occurrence by itself (9.6.5)
 * -----------------------------------------------------------------------------------
 */

static bool is_replaced(struct str name)
{
    static const char *const names[] = {"RECURRENCE-ID", "DTSTART", "DTEND",  "DUE",    "DURATION",
                                        "RRULE",         "RDATE",   "EXRULE", "EXDATE", "X-EXBRIDGE-RECURRENCE"};
    return str_case_among(name, names, sizeof(names) / sizeof(*names));
}

/* Any other time with a zone, in UTC: zones are not told. */
static void put_in_utc(struct shaper *s, const struct ical_prop *p, const struct ical_select *select)
{
    struct ical_moment t;
    char text[32];
    struct time_parts parts;
    if (!ical_param(s->r.a, p, "TZID").n || !ical_moment(&s->r, p, p->value, &t)) {
        put_prop(s, p, select);
        return;
    }
    time_to_parts(t.instant, 0, &parts);
    int n = snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", parts.year, parts.month, parts.day, parts.hour,
                     parts.minute, parts.second);
    struct ical_prop utc = {.name = p->name, .value = str_of(text, (size_t)n)};
    put_prop(s, &utc, select);
}

static void put_time(struct shaper *s, const struct ical_select *select, const char *name, int64_t t, bool all_day)
{
    const struct ical_select_prop *wanted = select ? wanted_prop(select, str_from(name)) : NULL;
    if (t == TIME_NONE || (select && !wanted && !select->all_props))
        return;
    ical_put_moment(&s->m, name, t, all_day ? NULL : tz_utc(), false);
}

/* The component that an occurrence is written in: its override, or the master. */
static const struct ical_comp *comp_of(const struct shaper *s, const struct event_occurrence *o)
{
    if (!o->changed)
        return s->master;
    for (size_t i = 0; i < s->override_count; i++)
        if (s->overrides[i].x == o->changed)
            return s->overrides[i].c;
    return NULL;
}

static bool put_occurrence(void *ud, const struct event_occurrence *o)
{
    struct shaper *s = ud;
    const struct ical_comp *c = comp_of(s, o);
    const struct ical_select *select, *inner;
    bool task = s->e->kind == EVENT_TASK, all_day = s->e->fields.all_day, series = s->e->has_recurrence;
    if (s->left-- == 0) {
        s->too_many = true;
        return false;
    }
    if (!c || !wanted_comp(s->shape->select, c->name, &select))
        return true;
    ical_begin(&s->m.w, task ? "VTODO" : "VEVENT");
    if (series) {
        put_time(s, select, "RECURRENCE-ID", o->original, all_day);
        put_time(s, select, "DTSTART", o->start, all_day);
        if (o->end != o->start)
            put_time(s, select, task ? "DUE" : "DTEND", o->end, all_day);
    }
    for (const struct ical_prop *p = c->props; p; p = p->next)
        if (!series || !is_replaced(p->name))
            put_in_utc(s, p, select);
    for (const struct ical_comp *at = c->comps; at; at = at->next)
        if (wanted_comp(select, at->name, &inner))
            put_comp(s, at, inner);
    ical_end(&s->m.w, task ? "VTODO" : "VEVENT");
    return true;
}

static void put_expanded(struct shaper *s)
{
    const struct ical_select *inner;
    ical_begin(&s->m.w, "VCALENDAR");
    for (const struct ical_prop *p = s->r.calendar->props; p; p = p->next)
        put_prop(s, p, s->shape->select);
    event_each(s->e, s->shape->expand->from, s->shape->expand->to, s->zone, put_occurrence, s);
    for (const struct ical_comp *c = s->r.calendar->comps; c; c = c->next)
        if (!str_case_is(c->name, "VEVENT") && !str_case_is(c->name, "VTODO") && !str_case_is(c->name, "VTIMEZONE") &&
            wanted_comp(s->shape->select, c->name, &inner))
            put_comp(s, c, inner);
    ical_end(&s->m.w, "VCALENDAR");
}

static void find_overrides(struct shaper *s)
{
    size_t n = 0;
    for (const struct ical_comp *c = s->r.calendar->comps; c; c = c->next)
        n++;
    s->overrides = arena_array(s->r.a, n, sizeof(*s->overrides));
    for (const struct ical_comp *c = s->r.calendar->comps; c; c = c->next) {
        const struct ical_prop *id = ical_prop(c, "RECURRENCE-ID");
        int64_t original;
        if (!str_case_is(c->name, "VEVENT") && !str_case_is(c->name, "VTODO"))
            continue;
        if (!id)
            s->master = c;
        else
            s->overrides[s->override_count++] = (struct override){
                c, ical_original(&s->r, s->e, id, &original) ? event_exception(s->e, original) : NULL};
    }
}

bool ical_shape(struct buf *out, struct str text, const struct event *e, const struct ical_shape *shape,
                struct str zone, size_t instances_max, struct arena *scratch)
{
    struct ical_options options = {.zone = zone};
    struct shaper s = {.e = e, .shape = shape, .zone = zone, .left = instances_max ? instances_max : (size_t)-1};
    s.r = (struct ical_reader){.a = scratch, .options = &options, .problem = &s.problem};
    s.m = (struct ical_maker){.w = {.out = out}, .options = &options, .a = scratch};
    if (!ical_open(&s.r, text)) { /* stored by us, so it can be read; if not, the client may see why */
        buf_str(out, text);
        return true;
    }
    find_overrides(&s);
    if (shape->expand)
        put_expanded(&s);
    else
        put_comp(&s, s.r.calendar, shape->select);
    return !s.too_many;
}
