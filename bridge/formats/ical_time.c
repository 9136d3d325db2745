/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and times of components: DTSTART, DTEND, DURATION, DUE, COMPLETED, and the zones they are in. */
#include <stdio.h>

#include "bridge/formats/ical_private.h"

#define EARLIEST (-2208988800) /* 1900-01-01 */
#define LATEST   79870665600   /* 4501-01-01: MS-OXOCAL's end of time */

static bool refuse_prop(struct ical_reader *r, enum ical_reason reason, const struct ical_prop *p)
{
    char name[64];
    snprintf(name, sizeof(name), "%.*s", STR_ARG(p->name));
    return ical_refuse(r, reason, p->line, name);
}

static int64_t floor_day(int64_t s)
{
    return s / ICAL_DAY_S - (s % ICAL_DAY_S < 0);
}

/* --- zones ----------------------------------------------------------------------------------------------------------
 */

struct ical_zone_memo {
    struct ical_zone_memo *next;
    struct str id;
    const struct tz *zone;
};

/* What the object itself says about a TZID; NULL with a reason. */
static const struct tz *described(struct ical_reader *r, struct str id, const char **ret_why)
{
    const struct tz *z = NULL;
    for (const struct ical_comp *c = r->calendar ? r->calendar->comps : NULL; c && !z; c = c->next) {
        const struct ical_prop *p = str_case_is(c->name, "VTIMEZONE") ? ical_prop(c, "TZID") : NULL;
        if (p && str_eq(str_trim(ical_unescape(r->a, p->value)), id))
            tz_read_vtimezone(c->text, r->from_year, r->to_year, r->zone, &z, ret_why);
    }
    return z;
}

static const struct tz *zone_of(struct ical_reader *r, const struct ical_prop *p, struct str id)
{
    const char *why = "no VTIMEZONE for its TZID";
    for (struct ical_zone_memo *m = r->zones; m; m = m->next)
        if (str_eq(m->id, id))
            return m->zone;
    const struct tz *z = tz_find(id, r->zone);
    if (!z)
        z = described(r, id, &why);
    if (!z) {
        ical_refuse(r, ICAL_BAD_ZONE, p->line, why);
        return NULL;
    }
    struct ical_zone_memo *m = ARENA_NEW(r->a, struct ical_zone_memo);
    *m = (struct ical_zone_memo){r->zones, id, z};
    r->zones = m;
    return z;
}

bool ical_moment(struct ical_reader *r, const struct ical_prop *p, struct str value, struct ical_moment *ret)
{
    struct ical_moment m = {0};
    if (!ical_when(value, &m.seconds, &m.kind))
        return refuse_prop(r, ICAL_BAD_VALUE, p);
    if (m.seconds < EARLIEST)
        return refuse_prop(r, ICAL_TOO_EARLY, p);
    if (m.seconds >= LATEST)
        return refuse_prop(r, ICAL_TOO_LATE, p);
    m.instant = m.seconds;
    if (m.kind == ICAL_WHEN_UTC) {
        /* See ical_put_moment(). */
        m.zone = tz_by_name(ical_param(r->a, p, "X-EXBRIDGE-ZONE"));
        m.zone = m.zone ? m.zone : tz_utc();
    } else if (m.kind == ICAL_WHEN_LOCAL) {
        struct str id = str_trim(ical_param(r->a, p, "TZID"));
        m.floating = !id.n;
        m.zone = m.floating ? r->zone : zone_of(r, p, id);
        if (!m.zone)
            return false;
        m.instant = tz_to_utc(m.zone, m.seconds);
    }
    *ret = m;
    return true;
}

bool ical_period(struct ical_reader *r, const struct ical_prop *p, struct str value, struct ical_moment *ret_from,
                 struct ical_moment *ret_to)
{
    struct str start;
    int64_t days, seconds;
    if (!str_cut(&value, '/', &start) || !ical_moment(r, p, start, ret_from))
        return false;
    if (!ical_duration(value, &days, &seconds))
        return ical_moment(r, p, value, ret_to);
    *ret_to = *ret_from;
    ret_to->instant += days * ICAL_DAY_S + seconds;
    return true;
}

void ical_put_moment(struct ical_maker *m, const char *name, int64_t t, const struct tz *zone, bool floating)
{
    ical_name(&m->w, name);
    if (!zone) {
        ical_param_add(&m->w, "VALUE", STR("DATE"));
        ical_when_add(&m->w, t, ICAL_WHEN_DATE);
        return;
    }
    int64_t local = tz_to_local(zone, t);
    if (tz_is_utc(zone) || tz_to_utc(zone, local) != t) {
        /* The second of two equal hours of an autumn night has no local time of its own (RFC 5545 3.3.5). */
        if (!tz_is_utc(zone))
            ical_param_add(&m->w, "X-EXBRIDGE-ZONE", tz_name(zone));
        ical_when_add(&m->w, t, ICAL_WHEN_UTC);
        return;
    }
    if (!floating)
        ical_param_add(&m->w, "TZID", tz_name(zone));
    ical_when_add(&m->w, local, ICAL_WHEN_LOCAL);
}

/* --- events ---------------------------------------------------------------------------------------------------------
 */

/* The end that a DURATION gives: days on the wall, then seconds (RFC 5545 3.3.6). */
static bool end_by_duration(struct str value, int64_t start, const struct tz *zone, int64_t *ret)
{
    int64_t days, seconds;
    if (!ical_duration(value, &days, &seconds))
        return false;
    if (zone)
        *ret = tz_to_utc(zone, tz_to_local(zone, start) + days * ICAL_DAY_S) + seconds;
    else
        *ret = start + days * ICAL_DAY_S + seconds;
    return true;
}

static bool is_midnight(const struct ical_moment *m)
{
    return m->zone && tz_to_local(m->zone, m->instant) % ICAL_DAY_S == 0;
}

/* Outlook's way to say that a timed event from midnight to midnight is meant as whole days. */
static void find_whole_days(const struct ical_comp *c, struct ical_moment *start, struct ical_moment *end)
{
    const struct ical_prop *p = ical_prop(c, "X-MICROSOFT-CDO-ALLDAYEVENT");
    if (!p || !str_case_is(str_trim(p->value), "TRUE") || !is_midnight(start) || !is_midnight(end))
        return;
    *start = (struct ical_moment){.instant = tz_to_local(start->zone, start->instant)};
    *end = (struct ical_moment){.instant = tz_to_local(end->zone, end->instant)};
}

static bool read_end(struct ical_reader *r, const struct ical_comp *c, const struct ical_moment *start,
                     struct ical_moment *end)
{
    const struct ical_prop *p, *duration;
    if (!ical_once(r, c, "DTEND", &p) || !ical_once(r, c, "DURATION", &duration))
        return false;
    *end = *start;
    if (p && duration)
        return ical_refuse(r, ICAL_BAD_VALUE, duration->line, "DTEND and DURATION");
    if (p && !ical_moment(r, p, p->value, end))
        return false;
    if (p && (end->zone == NULL) != (start->zone == NULL))
        return ical_refuse(r, ICAL_BAD_VALUE, p->line, "DTEND of another type than DTSTART");
    if (duration && !end_by_duration(duration->value, start->instant, start->zone, &end->instant))
        return refuse_prop(r, ICAL_BAD_VALUE, duration);
    if (end->instant < start->instant)
        return refuse_prop(r, ICAL_END_BEFORE_START, p ? p : duration);
    return true;
}

static bool event_time_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct event_fields *f = it->f;
    const struct ical_prop *p;
    struct ical_moment start, end;
    if (!ical_once(r, c, "DTSTART", &p))
        return false;
    if (!p && r->times_may_be_missing) {
        f->start = f->end = TIME_NONE;
        return true;
    }
    if (!p)
        return ical_refuse(r, ICAL_NO_START, c->line, NULL);
    if (!ical_moment(r, p, p->value, &start) || !read_end(r, c, &start, &end))
        return false;
    find_whole_days(c, &start, &end);
    f->all_day = !start.zone;
    f->start = start.instant;
    f->end = end.instant;
    f->start_zone = f->end_zone = STR_NULL;
    if (f->all_day) {
        if (f->end % ICAL_DAY_S)
            return ical_refuse(r, ICAL_BAD_VALUE, p->line, "DURATION of an all-day event");
        if (f->end == f->start) /* 3.6.1: DTSTART alone is that day */
            f->end += ICAL_DAY_S;
        return true;
    }
    f->start_zone = tz_name(start.zone);
    if (end.zone != start.zone && !tz_is_utc(end.zone) && f->end != f->start)
        f->end_zone = tz_name(end.zone);
    return true;
}

static const struct tz *start_zone(const struct event_fields *f)
{
    const struct tz *z = f->all_day ? NULL : tz_by_name(f->start_zone);
    return z || f->all_day ? z : tz_utc();
}

static const struct tz *end_zone(const struct event_fields *f)
{
    const struct tz *z = f->end_zone.n && !f->all_day ? tz_by_name(f->end_zone) : NULL;
    return z ? z : start_zone(f);
}

static void event_time_write(struct ical_maker *m, const struct ical_view *v)
{
    const struct event_fields *f = v->f;
    const struct tz *zone = start_zone(f);
    int64_t end;
    if (f->start == TIME_NONE)
        return;
    ical_put_moment(m, "DTSTART", f->start, zone, v->floating);
    const struct ical_prop *p = v->extra ? ical_prop(v->extra, "DURATION") : NULL;
    if (p && !f->end_zone.n && end_by_duration(p->value, f->start, zone, &end) && end == f->end)
        ical_line(&m->w, p);
    else if (f->end != f->start)
        ical_put_moment(m, "DTEND", f->end, end_zone(f), v->floating);
}

bool ical_is_floating(struct arena *a, const struct ical_comp *c)
{
    const struct ical_prop *p = ical_prop(c, "DTSTART");
    int64_t t;
    enum ical_when kind;
    return p && ical_when(p->value, &t, &kind) && kind == ICAL_WHEN_LOCAL && !ical_param(a, p, "TZID").n;
}

static void event_time_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                            const struct ical_item *it)
{
    const struct ical_prop *p = ical_prop(c, "DURATION");
    int64_t end;
    if (!it->f->all_day && ical_is_floating(r->a, c))
        ical_put_word(m, "X-EXBRIDGE-FLOATING", "TRUE");
    if (p && end_by_duration(p->value, it->f->start, start_zone(it->f), &end) && end == it->f->end)
        ical_line(&m->w, p);
}

/* --- tasks ----------------------------------------------------------------------------------------------------------
 */

/* The date of a moment on the wall of its zone. */
static int64_t date_of(const struct ical_reader *r, const struct ical_moment *m)
{
    const struct tz *zone = m->zone && m->kind == ICAL_WHEN_UTC ? r->zone : m->zone; /* UTC is nobody's calendar */
    return zone ? floor_day(tz_to_local(zone, m->instant)) * ICAL_DAY_S : m->instant;
}

/* TIME_NONE without the property. */
static bool read_date(struct ical_reader *r, const struct ical_comp *c, const char *name, int64_t *ret)
{
    const struct ical_prop *p;
    struct ical_moment m;
    *ret = TIME_NONE;
    if (!ical_once(r, c, name, &p))
        return false;
    if (!p)
        return true;
    if (!ical_moment(r, p, p->value, &m))
        return false;
    *ret = date_of(r, &m);
    return true;
}

/* The due time that a DURATION gives instead of DUE; *ret_has false: it gives none. */
static bool due_by_duration(struct ical_reader *r, const struct ical_comp *c, struct ical_moment *ret, bool *ret_has)
{
    const struct ical_prop *start = ical_prop(c, "DTSTART"), *duration;
    if (!ical_once(r, c, "DURATION", &duration))
        return false;
    *ret_has = start && duration && !ical_prop(c, "DUE");
    if (!*ret_has)
        return true;
    if (!ical_moment(r, start, start->value, ret))
        return false;
    if (!end_by_duration(duration->value, ret->instant, ret->zone, &ret->instant))
        return refuse_prop(r, ICAL_BAD_VALUE, duration);
    return true;
}

static bool task_time_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct event_fields *f = it->f;
    struct ical_moment due;
    bool has;
    if (!read_date(r, c, "DTSTART", &f->start) || !read_date(r, c, "DUE", &f->end) ||
        !read_date(r, c, "COMPLETED", &it->e->task.completed) || !due_by_duration(r, c, &due, &has))
        return false;
    f->all_day = true;
    if (has)
        f->end = floor_day(date_of(r, &due)) * ICAL_DAY_S;
    if (f->start != TIME_NONE && f->end != TIME_NONE && f->end < f->start)
        return ical_refuse(r, ICAL_END_BEFORE_START, c->line, NULL);
    return true;
}

/* The extra that says the same date with a time of day; NULL: none. */
static const struct ical_prop *spelled_date(struct ical_maker *m, const struct ical_comp *extra, const char *name,
                                            int64_t date)
{
    struct ical_problem problem;
    struct ical_reader r = {.a = m->a, .options = m->options, .problem = &problem, .zone = m->zone};
    int64_t t;
    const struct ical_prop *p = extra ? ical_prop(extra, name) : NULL;
    return p && read_date(&r, extra, name, &t) && t == date ? p : NULL;
}

static void put_date(struct ical_maker *m, const char *name, const struct ical_prop *spelled, int64_t date)
{
    if (spelled)
        ical_line(&m->w, spelled);
    else if (date != TIME_NONE)
        ical_put_moment(m, name, date, NULL, false);
}

/* One date of a task whose other one has an hour: both have one type (3.8.2.3), so it is at that hour. */
static void put_date_as(struct ical_reader *r, struct ical_maker *m, const char *name, int64_t date,
                        const struct ical_prop *other)
{
    struct ical_moment t;
    if (!ical_moment(r, other, other->value, &t) || !t.zone)
        return;
    const struct tz *wall = t.kind == ICAL_WHEN_UTC ? r->zone : t.zone; /* as date_of() */
    int64_t local = tz_to_local(wall, t.instant), clock = local - floor_day(local) * ICAL_DAY_S;
    ical_put_moment(m, name, tz_to_utc(wall, date + clock), t.zone, t.floating);
}

static void task_time_write(struct ical_maker *m, const struct ical_view *v)
{
    const struct event_fields *f = v->f;
    struct ical_problem problem;
    struct ical_reader r = {.a = m->a, .options = m->options, .problem = &problem, .zone = m->zone};
    int64_t completed = v->e->task.completed;
    const struct ical_prop *start = spelled_date(m, v->extra, "DTSTART", f->start);
    const struct ical_prop *due = spelled_date(m, v->extra, "DUE", f->end);
    /* What the client did not know of, the server has added; what it knew otherwise has been changed there. */
    bool start_is_new = f->start != TIME_NONE && due && !ical_prop(v->extra, "DTSTART");
    bool due_is_new = f->end != TIME_NONE && start && !ical_prop(v->extra, "DUE");
    if ((f->start != TIME_NONE && !start && !start_is_new) || (f->end != TIME_NONE && !due && !due_is_new))
        start = due = NULL;
    if (start_is_new && due)
        put_date_as(&r, m, "DTSTART", f->start, due);
    else
        put_date(m, "DTSTART", start, f->start);
    if (due_is_new && start)
        put_date_as(&r, m, "DUE", f->end, start);
    else
        put_date(m, "DUE", due, f->end);
    const struct ical_prop *p = spelled_date(m, v->extra, "COMPLETED", completed);
    if (p)
        ical_line(&m->w, p);
    else if (completed != TIME_NONE) /* noon is that day wherever the zone is read */
        ical_put_utc(m, "COMPLETED", tz_to_utc(m->zone, completed + ICAL_DAY_S / 2));
}

static bool has_hour(struct ical_reader *r, const struct ical_prop *p, struct ical_moment *ret)
{
    return p && ical_moment(r, p, p->value, ret) && ret->zone;
}

/* Times of day, with their zone by its own name. */
static void task_time_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                           const struct ical_item *it)
{
    const struct ical_prop *start = ical_prop(c, "DTSTART"), *due = ical_prop(c, "DUE");
    const struct ical_prop *completed = ical_prop(c, "COMPLETED");
    const struct event_fields *f = it->f;
    struct ical_moment t, end, done;
    bool starts = has_hour(r, start, &t), ends = has_hour(r, due, &end), by_duration;
    if (starts)
        ical_put_moment(m, "DTSTART", t.instant, t.zone, t.floating);
    else if (ends && start)
        put_date_as(r, m, "DTSTART", f->start, due);
    if (starts && due_by_duration(r, c, &end, &by_duration) && by_duration)
        ends = true;
    if (ends)
        ical_put_moment(m, "DUE", end.instant, end.zone, end.floating);
    else if (starts && due)
        put_date_as(r, m, "DUE", f->end, start);
    if (has_hour(r, completed, &done) && done.instant != tz_to_utc(r->zone, it->e->task.completed + ICAL_DAY_S / 2))
        ical_put_moment(m, "COMPLETED", done.instant, done.zone, done.floating); /* else as we write it */
}

/* --- the groups -----------------------------------------------------------------------------------------------------
 */

const struct ical_group ical_group_time = {.names = (const char *const[]){"DTSTART", "DTEND", "DURATION",
                                                                          "X-MICROSOFT-CDO-ALLDAYEVENT",
                                                                          "X-EXBRIDGE-FLOATING", NULL},
                                           .events = true,
                                           .spelling = ICAL_SPELL_SELF,
                                           .read = event_time_read,
                                           .write = event_time_write,
                                           .keep = event_time_keep};

const struct ical_group ical_group_task_time = {
    .names = (const char *const[]){"DTSTART", "DUE", "DURATION", "COMPLETED", NULL},
    .tasks = true,
    .spelling = ICAL_SPELL_SELF,
    .read = task_time_read,
    .write = task_time_write,
    .keep = task_time_keep};
