/* SPDX-License-Identifier: Apache-2.0 */
/* A client's object into an event. */
#include <limits.h>
#include <stdlib.h>

#include "bridge/formats/ical_private.h"

#define UID_MAX 300 /* MS-ASCAL 2.2.2.46 */

static int64_t floor_day(int64_t s)
{
    return s / ICAL_DAY_S - (s % ICAL_DAY_S < 0);
}

/* --- the calendar ---------------------------------------------------------------------------------------------------
 */

static bool is_item(const struct ical_comp *c)
{
    return str_case_is(c->name, "VEVENT") || str_case_is(c->name, "VTODO");
}

/* Between which years the object's zones have to be right. */
static void find_years(struct ical_reader *r)
{
    static const char *const names[] = {"DTSTART", "DTEND", "DUE"};
    r->from_year = INT_MAX;
    r->to_year = INT_MIN;
    for (const struct ical_comp *c = r->calendar->comps; c; c = c->next) {
        if (!is_item(c))
            continue;
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
            const struct ical_prop *p = ical_prop(c, names[i]);
            int64_t t;
            enum ical_when kind;
            struct time_parts parts;
            if (!p || !ical_when(p->value, &t, &kind))
                continue;
            time_to_parts(t, 0, &parts);
            r->from_year = parts.year < r->from_year ? parts.year : r->from_year;
            r->to_year = parts.year > r->to_year ? parts.year : r->to_year;
        }
        if (ical_prop(c, "RRULE"))
            r->to_year = INT_MAX;
    }
    if (r->from_year > r->to_year)
        r->from_year = r->to_year = 2026; /* no dates: no zones */
}

bool ical_open(struct ical_reader *r, struct str text)
{
    struct ical_comp *root;
    const char *why;
    unsigned line;
    r->zone = tz_by_name(r->options->zone);
    if (!r->zone)
        r->zone = tz_utc();
    if (text.n > ICAL_TEXT_MAX)
        return ical_refuse(r, ICAL_TOO_BIG, 0, NULL);
    if (!ical_parse(text, r->a, &root, &why, &line))
        return ical_refuse(r, ICAL_SYNTAX, line, why);
    const struct ical_prop *version = ical_prop(root, "VERSION");
    if (!str_case_is(root->name, "VCALENDAR") || (version && !str_is(str_trim(version->value), "2.0")))
        return ical_refuse(r, ICAL_NO_CALENDAR, 0, NULL);
    r->calendar = root;
    find_years(r);
    return true;
}

/* --- one component
 * ----------------------------------------------------------------------------------------------------
 */

bool ical_read_component(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    if (!ical_group_people.read(r, c, it)) /* first: whether it is a meeting decides what others mean */
        return false;
    for (const struct ical_group *const *g = ical_groups; *g; g++)
        if (*g != &ical_group_people && (it->e->kind == EVENT_TASK ? (*g)->tasks : (*g)->events) &&
            !(*g)->read(r, c, it))
            return false;
    return ical_alarm_read(r, c, it);
}

/* --- changed occurrences
 * ----------------------------------------------------------------------------------------------
 */

static bool read_override(struct ical_reader *r, const struct ical_comp *c, struct event *e, struct event_exception *x)
{
    const struct ical_prop *id = ical_prop(c, "RECURRENCE-ID");
    struct ical_item it = {e, &x->fields, x};
    *x = (struct event_exception){0};
    if (e->kind == EVENT_TASK)
        return ical_refuse(r, ICAL_TASK_OCCURRENCE, id->line, NULL);
    if (ical_param(r->a, id, "RANGE").n)
        return ical_refuse(r, ICAL_THIS_AND_FUTURE, id->line, NULL);
    if (!ical_original(r, e, id, &x->original) || !ical_read_component(r, c, &it))
        return false;
    return x->fields.all_day == e->fields.all_day || ical_refuse(r, ICAL_OCCURRENCE_KIND, c->line, NULL);
}

static int by_original(const void *a, const void *b)
{
    const struct event_exception *x = a, *y = b;
    return (x->original > y->original) - (x->original < y->original);
}

/* In order, each once. */
static bool settle_exceptions(struct ical_reader *r, struct event_exception *list, size_t *count)
{
    size_t n = 0;
    qsort(list, *count, sizeof(*list), by_original);
    for (size_t i = 0; i < *count; i++) {
        if (n && list[n - 1].original == list[i].original) {
            if (list[i].deleted && list[n - 1].deleted)
                continue;
            return ical_refuse(r, ICAL_OCCURRENCE_TWICE, 0, NULL);
        }
        list[n++] = list[i];
    }
    *count = n;
    return n <= EVENT_EXCEPTIONS_MAX || ical_refuse(r, ICAL_TOO_MANY_EXCEPTIONS, 0, NULL);
}

/* The nearest occurrence on that side (step -1 or 1) that is not deleted. */
static bool neighbour(const struct event *e, unsigned index, int step, struct event_occurrence *o)
{
    do {
        index += (unsigned)step;
        if (!event_occurrence_at(e, index, o))
            return false;
    } while (o->changed && o->changed->deleted);
    return true;
}

/* Exchange's condition: on a day of its own between its neighbours, and not into them (MS-OXOCAL 3.1.4.7.2). */
static bool keeps_its_place(const struct event *e, const struct event_exception *x)
{
    struct event_occurrence o, before, after;
    const struct tz *zone = e->fields.all_day ? NULL : tz_by_name(e->fields.start_zone);
    unsigned index = event_index_of(e, x->original);
    struct event plain = *e;
    plain.exception_count = 0;
    if (!event_occurrence_at(&plain, index, &o) || (o.start == x->fields.start && o.end == x->fields.end))
        return true;
#define DAY_OF(t) floor_day(zone ? tz_to_local(zone, (t)) : (t))
    if (neighbour(e, index, -1, &before) &&
        (DAY_OF(x->fields.start) <= DAY_OF(before.start) || x->fields.start < before.end))
        return false;
    return !neighbour(e, index, 1, &after) ||
           (DAY_OF(x->fields.start) < DAY_OF(after.start) && x->fields.end <= after.start);
#undef DAY_OF
}

static bool check_series(struct ical_reader *r, const struct event *e)
{
    size_t deleted = 0;
    int64_t original;
    for (size_t i = 0; i < e->exception_count; i++) {
        deleted += e->exceptions[i].deleted;
        if (!e->exceptions[i].deleted && !keeps_its_place(e, &e->exceptions[i]))
            return ical_refuse(r, ICAL_OCCURRENCE_CROSSES, 0, NULL);
    }
    if (deleted && !event_original_at(e, (unsigned)deleted + 1, &original))
        return ical_refuse(r, ICAL_ALL_DELETED, 0, NULL);
    return true;
}

/* Without the backslashes, of which a writer may need more than another. */
static struct str uid_of(struct ical_reader *r, const struct ical_comp *c)
{
    const struct ical_prop *p = ical_prop(c, "UID");
    return p ? str_trim(ical_unescape(r->a, p->value)) : STR_NULL;
}

bool ical_read_event(struct ical_reader *r, const struct ical_parts *parts, struct event *ret)
{
    struct ical_item it = {ret, &ret->fields, NULL};
    bool task = str_case_is(parts->master->name, "VTODO");
    *ret = (struct event){.kind = task ? EVENT_TASK : EVENT_APPOINTMENT};
    ret->uid = uid_of(r, parts->master);
    ret->task.completed = TIME_NONE;
    if (!ical_read_component(r, parts->master, &it))
        return false;
    if (parts->override_count > EVENT_EXCEPTIONS_MAX)
        return ical_refuse(r, ICAL_TOO_MANY_EXCEPTIONS, 0, NULL);
    size_t n = ret->exception_count;
    struct event_exception *list = arena_array(r->a, n + parts->override_count, sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = ret->exceptions[i];
    for (size_t i = 0; i < parts->override_count; i++)
        if (!read_override(r, parts->overrides[i], ret, &list[n++]))
            return false;
    if (!settle_exceptions(r, list, &n))
        return false;
    ret->exceptions = list;
    ret->exception_count = n;
    return check_series(r, ret);
}

/* --- one object
 * -------------------------------------------------------------------------------------------------------
 */

static bool is_refused_component(const struct ical_comp *c)
{
    static const char *const names[] = {"VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"};
    return str_case_among(c->name, names, sizeof(names) / sizeof(*names));
}

static bool check_uid(struct ical_reader *r, const struct ical_comp *c, const struct ical_comp *first)
{
    struct str value = uid_of(r, c);
    if (!value.n || value.n > UID_MAX)
        return ical_refuse(r, ICAL_NO_UID, c->line, NULL);
    if (!str_case_eq(c->name, first->name) || !str_eq(value, uid_of(r, first)))
        return ical_refuse(r, ICAL_MIXED, c->line, NULL);
    return true;
}

/* RFC 4791 4.1 */
bool ical_find_parts(struct ical_reader *r, struct ical_parts *parts)
{
    const struct ical_comp *first = NULL, *refused = NULL;
    size_t n = 0;
    for (const struct ical_comp *c = r->calendar->comps; c; c = c->next)
        n += is_item(c);
    *parts = (struct ical_parts){.overrides = arena_array(r->a, n, sizeof(*parts->overrides))};
    for (const struct ical_comp *c = r->calendar->comps; c; c = c->next) {
        if (is_refused_component(c))
            refused = c;
        if (!is_item(c))
            continue;
        first = first ? first : c;
        if (!check_uid(r, c, first))
            return false;
        if (ical_prop(c, "RECURRENCE-ID"))
            parts->overrides[parts->override_count++] = c;
        else if (parts->master)
            return ical_refuse(r, ICAL_TWO_MASTERS, c->line, NULL);
        else
            parts->master = c;
    }
    if (refused)
        return ical_refuse(r, ICAL_WRONG_COMPONENT, refused->line, NULL);
    return first || ical_refuse(r, ICAL_NO_COMPONENT, 0, NULL);
}

bool ical_read(struct str text, const struct ical_options *options, struct arena *a, struct event *ret,
               struct str *ret_extras, struct ical_problem *ret_problem)
{
    struct ical_reader r = {.a = a, .options = options, .problem = ret_problem};
    struct ical_parts parts;
    *ret_problem = (struct ical_problem){.reason = ICAL_NO_REASON};
    if (!ical_open(&r, text))
        return false;
    const struct ical_prop *method = ical_prop(r.calendar, "METHOD");
    if (method)
        return ical_refuse(&r, ICAL_METHOD_PRESENT, method->line, NULL);
    if (!ical_find_parts(&r, &parts))
        return false;
    if (!parts.master)
        return ical_refuse(&r, ICAL_NO_MASTER, parts.overrides[0]->line, NULL);
    if (!ical_read_event(&r, &parts, ret))
        return false;
    if (ret_extras)
        *ret_extras = ical_keep(&r, &parts, ret);
    return true;
}
