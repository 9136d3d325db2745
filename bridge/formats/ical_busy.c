/* SPDX-License-Identifier: Apache-2.0 */
/* Free/busy: RFC 4791 7.10, RFC 6638 3.3 and the VFREEBUSY of both. */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/formats/ical_private.h"
#include "bridge/formats/ical_query.h"

/* --- gathering -------------------------------------------------------------------------------- */

struct gatherer {
    const struct event *e;
    const struct ical_range *range;
    const struct tz *zone;
    size_t max;
    struct arena *a;
    struct ical_busy_list *list;
    bool full;
};

static void add(struct gatherer *g, int64_t from, int64_t to, enum event_busy busy)
{
    struct ical_busy_list *l = g->list;
    if (l->count == l->size) {
        size_t size = l->size ? l->size * 2 : 64;
        struct ical_busy *more = arena_array(g->a, size, sizeof(*more));
        for (size_t i = 0; i < l->count; i++)
            more[i] = l->spans[i];
        l->spans = more;
        l->size = size;
    }
    l->spans[l->count++] = (struct ical_busy){from, to, busy};
}

static bool takes_time(const struct event_fields *f)
{
    return f->busy != EVENT_FREE && f->busy != EVENT_ELSEWHERE && !f->cancelled && f->mine != EVENT_DECLINED;
}

static bool gather(void *ud, const struct event_occurrence *o)
{
    struct gatherer *g = ud;
    const struct event_fields *f = o->changed ? &o->changed->fields : &g->e->fields;
    int64_t from = f->all_day ? tz_to_utc(g->zone, o->start) : o->start;
    int64_t to = f->all_day ? tz_to_utc(g->zone, o->end) : o->end;
    if (!takes_time(f))
        return true;
    from = from < g->range->from ? g->range->from : from;
    to = to > g->range->to ? g->range->to : to;
    if (from >= to)
        return true;
    if (g->list->count >= g->max) {
        g->full = true;
        return false;
    }
    add(g, from, to, f->busy);
    return true;
}

bool ical_busy_of(const struct event *e, const struct ical_range *range, struct str zone, size_t max, struct arena *a,
                  struct ical_busy_list *list)
{
    struct gatherer g = {.e = e, .range = range, .zone = tz_by_name(zone), .max = max, .a = a, .list = list};
    if (!g.zone)
        g.zone = tz_utc();
    if (e->kind != EVENT_TASK)
        event_each(e, range->from, range->to, zone, gather, &g);
    return !g.full;
}

/* --- joining ---------------------------------------------------------------------------------- */

/* Where the number of spans of a kind changes. */
struct edge {
    int64_t at;
    int kind, step; /* step: 1 begins, -1 ends */
};
enum { TENTATIVE, BUSY, AWAY, KINDS }; /* the later one wins */

static int by_time(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* -1: takes no time. */
static int kind_of(enum event_busy b)
{
    return b == EVENT_TENTATIVE ? TENTATIVE : b == EVENT_BUSY ? BUSY : b == EVENT_OOF ? AWAY : -1;
}

static void put_span(struct ical_maker *m, int64_t from, int64_t to, int kind)
{
    static const char *const names[KINDS] = {"BUSY-TENTATIVE", "BUSY", "BUSY-UNAVAILABLE"};
    struct time_parts a, b;
    char text[80];
    time_to_parts(from, 0, &a);
    time_to_parts(to, 0, &b);
    int n = snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ/%04d%02d%02dT%02d%02d%02dZ", a.year, a.month,
                     a.day, a.hour, a.minute, a.second, b.year, b.month, b.day, b.hour, b.minute, b.second);
    ical_name(&m->w, "FREEBUSY");
    ical_param_add(&m->w, "FBTYPE", str_from(names[kind]));
    ical_value(&m->w, str_of(text, (size_t)n));
}

/* One span for as long as what is busiest stays the same. */
static void put_spans(struct ical_maker *m, const struct ical_busy_list *l)
{
    struct edge *edges = mem_array(l->count * 2 + 1, sizeof(*edges));
    size_t n = 0, open[KINDS] = {0};
    int64_t from = 0;
    int shown = -1;
    for (size_t i = 0; i < l->count; i++) {
        const struct ical_busy *s = &l->spans[i];
        int kind = kind_of(s->busy);
        if (kind < 0 || s->from >= s->to)
            continue;
        edges[n++] = (struct edge){s->from, kind, 1};
        edges[n++] = (struct edge){s->to, kind, -1};
    }
    qsort(edges, n, sizeof(*edges), by_time);
    for (size_t i = 0; i < n; i++) {
        open[edges[i].kind] += (size_t)edges[i].step;
        if (i + 1 < n && edges[i + 1].at == edges[i].at)
            continue;
        int kind = open[AWAY] ? AWAY : open[BUSY] ? BUSY : open[TENTATIVE] ? TENTATIVE : -1;
        if (kind == shown)
            continue;
        if (shown >= 0)
            put_span(m, from, edges[i].at, shown);
        shown = kind;
        from = edges[i].at;
    }
    mem_free(edges);
}

static void put_person(struct ical_maker *m, const char *name, struct str address)
{
    if (!address.n)
        return;
    ical_name(&m->w, name);
    ical_put_address(m, address);
}

void ical_write_busy(struct buf *out, const struct ical_busy_list *list, const struct ical_range *range,
                     int64_t stamped, struct str uid, struct str organizer, struct str attendee, const char *method)
{
    struct ical_maker m = {.w = {.out = out}};
    ical_write_head(&m, method ? method : "");
    ical_begin(&m.w, "VFREEBUSY");
    ical_put_text(&m, "UID", uid);
    ical_put_utc(&m, "DTSTAMP", stamped);
    ical_put_utc(&m, "DTSTART", range->from);
    ical_put_utc(&m, "DTEND", range->to);
    put_person(&m, "ORGANIZER", organizer);
    put_person(&m, "ATTENDEE", attendee);
    put_spans(&m, list);
    ical_end(&m.w, "VFREEBUSY");
    ical_end(&m.w, "VCALENDAR");
}

/* --- asking ----------------------------------------------------------------------------------- */

#define ASKED_MAX 100

static bool read_time(const struct ical_comp *c, const char *name, int64_t *ret)
{
    const struct ical_prop *p = ical_prop(c, name);
    enum ical_when kind;
    return p && ical_when(p->value, ret, &kind) && kind == ICAL_WHEN_UTC; /* RFC 5545 3.6.4 */
}

static bool read_people(const struct ical_comp *c, struct arena *a, struct ical_busy_request *ret)
{
    struct str *list = arena_array(a, ASKED_MAX, sizeof(*list));
    const struct ical_prop *organizer = ical_prop(c, "ORGANIZER");
    if (organizer)
        ical_address(a, organizer, &ret->organizer);
    for (const struct ical_prop *p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE")) {
        struct str email = STR_NULL;
        if (!ical_address(a, p, &email) || !email.n || ret->attendee_count == ASKED_MAX)
            return false;
        list[ret->attendee_count++] = email;
    }
    ret->attendees = list;
    return ret->attendee_count > 0;
}

bool ical_read_busy_request(struct str text, struct arena *a, struct ical_busy_request *ret, const char **ret_why)
{
    struct ical_comp *root;
    unsigned line;
    *ret = (struct ical_busy_request){0};
    if (!ical_parse(text, a, &root, ret_why, &line))
        return false;
    const struct ical_prop *method = ical_prop(root, "METHOD");
    const struct ical_comp *c = ical_comp(root, "VFREEBUSY");
    *ret_why = "not a VFREEBUSY request";
    if (!c || !method || !str_case_is(str_trim(method->value), "REQUEST"))
        return false;
    const struct ical_prop *uid = ical_prop(c, "UID");
    ret->uid = uid ? str_trim(ical_unescape(a, uid->value)) : STR_NULL;
    *ret_why = "DTSTART and DTEND have to be times in UTC, in this order";
    if (!read_time(c, "DTSTART", &ret->range.from) || !read_time(c, "DTEND", &ret->range.to) ||
        ret->range.from >= ret->range.to)
        return false;
    *ret_why = "no ATTENDEE with a mail address, or too many";
    return read_people(c, a, ret);
}
