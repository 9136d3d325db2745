/* SPDX-License-Identifier: Apache-2.0 */
/* Events as iCalendar objects, and what a client's object has besides. */
#include <limits.h>

#include "bridge/formats/ical_private.h"

#define PRODID "-//exbridge//exbridge//EN"

/* --- spellings
 * --------------------------------------------------------------------------------------------------------
 */

static bool is_of_group(const struct ical_group *g, struct str name)
{
    for (const char *const *n = g->names; *n; n++)
        if (str_case_is(name, *n))
            return true;
    return false;
}

static bool put_lines(struct ical_writer *w, const struct ical_comp *c, const struct ical_group *g)
{
    bool any = false;
    for (const struct ical_prop *p = c ? c->props : NULL; p; p = p->next) {
        if (!is_of_group(g, p->name))
            continue;
        if (w)
            ical_line(w, p);
        any = true;
    }
    return any;
}

/* Do the extra's lines of the group still mean what the event says? */
static bool means_the_same(struct ical_maker *m, const struct ical_view *v, const struct ical_group *g)
{
    struct ical_problem problem;
    struct ical_reader r = {.a = m->a, .options = m->options, .problem = &problem, .zone = m->zone};
    struct event spelled = *v->e, own = *v->e;
    struct event_exception x = {0};
    spelled.fields = own.fields = *v->f;
    struct ical_item it = {&spelled, &spelled.fields, v->x ? &x : NULL};
    return g->read(&r, v->extra, &it) && !(event_differ(&spelled, &own) & g->parts);
}

static void put_group(struct ical_maker *m, const struct ical_view *v, const struct ical_group *g)
{
    if (g->spelling == ICAL_SPELL_GROUP && put_lines(NULL, v->extra, g) && means_the_same(m, v, g))
        put_lines(&m->w, v->extra, g);
    else
        g->write(m, v);
}

/* --- components
 * -------------------------------------------------------------------------------------------------------
 */

static bool is_key(struct str name)
{
    return str_case_is(name, "UID") || str_case_is(name, "RECURRENCE-ID") || str_case_is(name, ICAL_SAID);
}

static void put_unknown_lines(struct ical_writer *w, const struct ical_comp *c, enum event_kind kind)
{
    for (const struct ical_prop *p = c->props; p; p = p->next)
        if (!is_key(p->name) && !ical_group_of(p->name, kind))
            ical_line(w, p);
}

static void put_unknown_comps(struct ical_writer *w, const struct ical_comp *c)
{
    for (const struct ical_comp *at = c->comps; at; at = at->next)
        if (!str_case_is(at->name, "VALARM"))
            ical_tree(w, at);
}

static const char *name_of(enum event_kind kind)
{
    return kind == EVENT_TASK ? "VTODO" : "VEVENT";
}

static const struct tz *zone_of(const struct event_fields *f)
{
    const struct tz *z = f->all_day ? NULL : tz_by_name(f->start_zone);
    return z || f->all_day ? z : tz_utc();
}

static bool is_floating(const struct ical_maker *m, const struct event_fields *f, const struct ical_comp *extra)
{
    return extra && !f->all_day && !f->end_zone.n && ical_prop(extra, "X-EXBRIDGE-FLOATING") && zone_of(f) == m->zone;
}

void ical_write_component(struct ical_maker *m, const struct ical_view *v, void (*more)(struct ical_maker *m, void *ud),
                          void *ud)
{
    const struct event *e = v->e;
    ical_begin(&m->w, name_of(e->kind));
    ical_name(&m->w, "UID");
    ical_text(&m->w, e->uid);
    if (v->x)
        ical_put_moment(m, "RECURRENCE-ID", v->x->original, zone_of(&e->fields), v->floating_series);
    for (const struct ical_group *const *g = ical_groups; *g; g++)
        if (e->kind == EVENT_TASK ? (*g)->tasks : (*g)->events)
            put_group(m, v, *g);
    if (more)
        more(m, ud);
    if (v->extra)
        put_unknown_lines(&m->w, v->extra, e->kind);
    ical_alarm_write(m, v);
    if (v->extra)
        put_unknown_comps(&m->w, v->extra);
    ical_end(&m->w, name_of(e->kind));
}

/* --- extras
 * -----------------------------------------------------------------------------------------------------------
 */

/* What names an occurrence in the extras: its original start in UTC, or its date. */
static void put_key(struct ical_writer *w, const struct event *e, int64_t original)
{
    ical_name(w, "RECURRENCE-ID");
    ical_when_add(w, original, e->fields.all_day ? ICAL_WHEN_DATE : ICAL_WHEN_UTC);
}

/* The extras of the master (x is NULL) or of an occurrence. */
static const struct ical_comp *extra_of(const struct ical_comp *root, const struct event *e,
                                        const struct event_exception *x)
{
    for (const struct ical_comp *c = root ? root->comps : NULL; c; c = c->next) {
        const struct ical_prop *key = ical_prop(c, "RECURRENCE-ID");
        int64_t t;
        enum ical_when kind;
        if (!str_case_is(c->name, name_of(e->kind)) || !x != !key)
            continue;
        if (!x ||
            (ical_when(key->value, &t, &kind) && t == x->original && (kind == ICAL_WHEN_DATE) == e->fields.all_day))
            return c;
    }
    return NULL;
}

static void keep_component(struct ical_reader *r, struct buf *out, const struct ical_comp *c, struct event *e,
                           struct event_exception *x)
{
    struct ical_item it = {e, x ? &x->fields : &e->fields, x};
    const struct ical_view v = {.e = e, .f = it.f, .x = x};
    struct buf own = BUF_INIT(0), theirs = BUF_INIT(0), kept = BUF_INIT(0);
    struct ical_maker m = {.w = {.out = &kept}, .options = r->options, .a = r->a, .zone = r->zone};
    for (const struct ical_group *const *g = ical_groups; *g; g++) {
        if (!(e->kind == EVENT_TASK ? (*g)->tasks : (*g)->events) || (*g)->spelling == ICAL_SPELL_NEVER)
            continue;
        if ((*g)->spelling == ICAL_SPELL_SELF) {
            (*g)->keep(r, &m, c, &it);
            continue;
        }
        struct ical_maker o = {.w = {.out = &own}, .options = r->options, .a = r->a, .zone = r->zone};
        struct ical_writer t = {.out = &theirs};
        buf_reset(&own);
        buf_reset(&theirs);
        (*g)->write(&o, &v);
        put_lines(&t, c, *g);
        if (theirs.n && !str_eq(buf_view(&own), buf_view(&theirs)))
            buf_str(&kept, buf_view(&theirs));
    }
    put_unknown_lines(&m.w, c, e->kind);
    ical_alarm_keep(r, &m, c, &it);
    put_unknown_comps(&m.w, c);
    if (kept.n) {
        struct ical_writer w = {.out = out};
        ical_begin(&w, name_of(e->kind));
        if (x)
            put_key(&w, e, x->original);
        buf_str(out, buf_view(&kept));
        ical_end(&w, name_of(e->kind));
    }
    buf_done(&own);
    buf_done(&theirs);
    buf_done(&kept);
}

static bool is_of_head(struct str name)
{
    static const char *const names[] = {"VERSION", "PRODID", "CALSCALE", "METHOD"};
    return str_case_among(name, names, sizeof(names) / sizeof(*names));
}

static bool is_own_comp(const struct ical_comp *c)
{
    return str_case_is(c->name, "VEVENT") || str_case_is(c->name, "VTODO") || str_case_is(c->name, "VTIMEZONE");
}

/* Lines and components of the calendar itself that are not ours to write. */
static void put_calendar_lines(struct ical_writer *w, const struct ical_comp *calendar)
{
    for (const struct ical_prop *p = calendar->props; p; p = p->next)
        if (!is_of_head(p->name))
            ical_line(w, p);
}

static void put_calendar_comps(struct ical_writer *w, const struct ical_comp *calendar)
{
    for (const struct ical_comp *c = calendar->comps; c; c = c->next)
        if (!is_own_comp(c))
            ical_tree(w, c);
}

struct str ical_keep(struct ical_reader *r, const struct ical_parts *parts, const struct event *e)
{
    struct buf inside = BUF_INIT(ICAL_TEXT_MAX * 2), all = BUF_INIT(ICAL_TEXT_MAX * 2);
    struct ical_writer w = {.out = &inside};
    struct event copy = *e;
    struct str result = STR_NULL;
    put_calendar_lines(&w, r->calendar);
    keep_component(r, &inside, parts->master, &copy, NULL);
    int64_t *originals = arena_array(r->a, parts->override_count, sizeof(*originals));
    for (size_t k = 0; k < parts->override_count; k++)
        ical_original(r, e, ical_prop(parts->overrides[k], "RECURRENCE-ID"), &originals[k]);
    for (size_t i = 0; i < e->exception_count; i++) {
        struct event_exception x = e->exceptions[i];
        for (size_t k = 0; !x.deleted && k < parts->override_count; k++)
            if (originals[k] == x.original)
                keep_component(r, &inside, parts->overrides[k], &copy, &x);
    }
    put_calendar_comps(&w, r->calendar);
    if (inside.n) {
        w.out = &all;
        ical_begin(&w, "VCALENDAR");
        buf_str(&all, buf_view(&inside));
        ical_end(&w, "VCALENDAR");
        result = arena_str(r->a, buf_view(&all));
    }
    buf_done(&inside);
    buf_done(&all);
    return result;
}

/* --- zones
 * ------------------------------------------------------------------------------------------------------------
 */

#define ZONES_MAX 50

struct zones {
    const struct tz *list[ZONES_MAX];
    size_t n;
    int from_year, to_year;
};

static void add_zone(struct zones *z, const struct tz *zone)
{
    for (size_t i = 0; i < z->n; i++)
        if (z->list[i] == zone)
            return;
    if (zone && z->n < ZONES_MAX)
        z->list[z->n++] = zone;
}

static void add_year(struct zones *z, const struct tz *zone, int64_t t)
{
    struct time_parts p;
    if (t == TIME_NONE)
        return;
    time_to_parts(zone ? tz_to_local(zone, t) : t, 0, &p);
    z->from_year = p.year < z->from_year ? p.year : z->from_year;
    z->to_year = p.year > z->to_year ? p.year : z->to_year;
}

static void add_fields(struct zones *z, const struct event_fields *f, bool floating)
{
    const struct tz *zone = zone_of(f);
    add_year(z, zone, f->start);
    add_year(z, zone, f->end);
    if (f->all_day || floating)
        return;
    add_zone(z, zone);
    if (f->end_zone.n)
        add_zone(z, tz_by_name(f->end_zone));
}

/* Times that only the client knows, with the names of zones that we know. */
static void add_extras(struct zones *z, struct arena *a, const struct ical_comp *c)
{
    for (const struct ical_prop *p = c->props; p; p = p->next) {
        struct str id = p->params ? ical_param(a, p, "TZID") : STR_NULL;
        int64_t t;
        enum ical_when kind;
        if (!id.n)
            continue;
        add_zone(z, tz_by_name(id));
        if (ical_when(p->value, &t, &kind))
            add_year(z, NULL, t);
    }
    for (const struct ical_comp *at = c->comps; at; at = at->next)
        add_extras(z, a, at);
}

void ical_write_zones(struct ical_maker *m, const struct event *e, const struct ical_comp *extras)
{
    struct zones z = {.from_year = INT_MAX, .to_year = INT_MIN};
    bool floating = is_floating(m, &e->fields, extra_of(extras, e, NULL));
    add_fields(&z, &e->fields, floating);
    for (size_t i = 0; i < e->exception_count; i++)
        if (!e->exceptions[i].deleted)
            add_fields(&z, &e->exceptions[i].fields,
                       floating && is_floating(m, &e->exceptions[i].fields, extra_of(extras, e, &e->exceptions[i])));
    if (extras)
        add_extras(&z, m->a, extras);
    for (size_t i = 0; i < z.n; i++)
        tz_write_vtimezone(z.list[i], z.from_year, e->has_recurrence ? INT_MAX : z.to_year, m->w.out);
}

/* --- objects
 * ----------------------------------------------------------------------------------------------------------
 */

void ical_write_head(struct ical_maker *m, const char *method)
{
    ical_begin(&m->w, "VCALENDAR");
    ical_put_word(m, "VERSION", "2.0");
    ical_put_word(m, "PRODID", PRODID);
    if (*method)
        ical_put_word(m, "METHOD", method);
}

/* A series begins with its first occurrence: clients take DTSTART for one, whatever the rule says. */
static void begin_with_an_occurrence(struct event *e)
{
    struct event_occurrence o;
    struct event plain = *e;
    plain.exception_count = 0;
    if (!e->has_recurrence || !event_occurrence_at(&plain, 1, &o) || o.start == e->fields.start)
        return;
    e->fields.start = o.start;
    e->fields.end = o.end;
}

void ical_write(struct buf *out, const struct event *e, const struct ical_options *options, struct str extras)
{
    struct arena a = {0};
    struct ical_maker m = {.w = {.out = out}, .options = options, .a = &a, .zone = tz_by_name(options->zone)};
    struct ical_comp *root = NULL;
    const char *why;
    unsigned line;
    struct event copy = *e;
    if (!m.zone)
        m.zone = tz_utc();
    if (extras.n && !ical_parse(extras, &a, &root, &why, &line))
        root = NULL;
    begin_with_an_occurrence(&copy);
    ical_write_head(&m, "");
    if (root)
        put_calendar_lines(&m.w, root);
    ical_write_zones(&m, &copy, root);
    struct ical_view v = {.e = &copy, .f = &copy.fields, .extra = extra_of(root, &copy, NULL)};
    v.floating = v.floating_series = is_floating(&m, v.f, v.extra);
    ical_write_component(&m, &v, NULL, NULL);
    for (size_t i = 0; i < copy.exception_count; i++) {
        v.x = &copy.exceptions[i];
        v.f = &v.x->fields;
        v.extra = extra_of(root, &copy, v.x);
        v.floating = is_floating(&m, v.f, v.extra);
        if (!v.x->deleted)
            ical_write_component(&m, &v, NULL, NULL);
    }
    if (root)
        put_calendar_comps(&m.w, root);
    ical_end(&m.w, "VCALENDAR");
    arena_done(&a);
}
