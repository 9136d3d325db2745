/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_body.h"

#include <stdio.h>
#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/ical_tree.h"
#include "bridge/formats/timezone.h"

#define DEPTH 24 /* of filters and comps */

/* A node of filters or of comps while its children come; arrays grow in the arena and are final when it closes. */
struct node {
    enum dav_id id;
    struct ical_comp_filter comp;
    struct ical_prop_filter prop;
    struct ical_param_filter param;
    struct ical_select select;
    size_t comp_room, prop_room, param_room;
    void *comps, *props, *params;
    struct ical_text_match match;
    bool has_match;
};

struct reader {
    struct arena *arena;
    struct dav_body *body;
    struct dav_body_problem *problem;
    size_t hrefs_max, href_room, prop_room, update_room, nodes;
    struct node stack[DEPTH];
    size_t depth;
    bool in_updates, removing;
    size_t value_depth; /* xml depth of the property whose value is being written */
    struct buf value, value_text;
};

static void fail(struct reader *r, struct xml *x, int status, const char *precondition, const char *text)
{
    if (r->problem->status)
        return;
    r->problem->status = status;
    r->problem->precondition = precondition;
    snprintf(r->problem->text, sizeof(r->problem->text), "%s", text);
    xml_fail(x, ERR_INVALID, "%s", text);
}

/* Make room for one more at the end of an array in the arena. */
static void *grow(struct reader *r, void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 8;
    void *more = arena_array(r->arena, *room, size);
    if (count)
        memcpy(more, list, count * size);
    return more;
}

/* --- values of properties, as XML ------------------------------------------------------------- */

static void value_open(struct reader *r, const struct xml_name *name, const struct xml_attr *attrs, size_t n)
{
    buf_printf(&r->value, "<%.*s xmlns=\"", STR_ARG(name->local));
    xml_add_escaped(&r->value, name->uri);
    buf_byte(&r->value, '"');
    for (size_t i = 0; i < n; i++) {
        if (attrs[i].ns != 0)
            continue;
        buf_printf(&r->value, " %.*s=\"", STR_ARG(attrs[i].name));
        for (struct str v = attrs[i].value; v.n; v = str_skip(v, 1))
            if (v.p[0] == '"')
                buf_lit(&r->value, "&quot;");
            else
                xml_add_escaped(&r->value, str_sub(v, 0, 1));
        buf_byte(&r->value, '"');
    }
    buf_byte(&r->value, '>');
}

static void begin_update(struct reader *r, struct xml *x, const struct xml_name *name)
{
    struct dav_body *b = r->body;
    if (b->update_count == DAV_PROPS_MAX) {
        fail(r, x, 413, NULL, "too many properties");
        return;
    }
    b->updates = grow(r, b->updates, b->update_count, &r->update_room, sizeof(*b->updates));
    b->updates[b->update_count++] = (struct dav_update){
        .prop = {(enum dav_id)name->id, arena_str(r->arena, name->uri), arena_str(r->arena, name->local)},
        .remove = r->removing};
    r->value_depth = xml_depth(x);
    buf_reset(&r->value);
    buf_reset(&r->value_text);
}

static void end_update(struct reader *r)
{
    struct dav_update *u = &r->body->updates[r->body->update_count - 1];
    u->value = arena_str(r->arena, buf_view(&r->value));
    u->text = arena_str(r->arena, buf_view(&r->value_text));
    r->value_depth = 0;
}

static void note_component(struct dav_body *b, struct str name)
{
    b->has_comps = true;
    b->comp_event |= str_case_is(name, "VEVENT");
    b->comp_task |= str_case_is(name, "VTODO");
}

/* --- filters and shapes ----------------------------------------------------------------------- */

static struct node *top(struct reader *r)
{
    return r->depth ? &r->stack[r->depth - 1] : NULL;
}

static struct node *push(struct reader *r, struct xml *x, enum dav_id id)
{
    if (r->depth == DEPTH || ++r->nodes > DAV_FILTERS_MAX) {
        fail(r, x, 403, "C:valid-filter", "the filter is too deep or too large");
        return NULL;
    }
    struct node *n = &r->stack[r->depth++];
    *n = (struct node){.id = id};
    return n;
}

static bool read_moment(struct str s, int64_t open, int64_t *ret)
{
    int64_t ms;
    *ret = open;
    if (!s.p)
        return true;
    if (s.n != 16 || s.p[15] != 'Z' || !time_parse_iso(s, &ms)) /* RFC 4791 9.9: UTC */
        return false;
    *ret = ms / 1000;
    return true;
}

static struct ical_range *read_range(struct reader *r, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    struct ical_range *range = arena_alloc(r->arena, sizeof(*range));
    struct str from = xml_attr_get(attrs, n, "start"), to = xml_attr_get(attrs, n, "end");
    if (!read_moment(from, INT64_MIN, &range->from) || !read_moment(to, INT64_MAX, &range->to) || (!from.p && !to.p) ||
        range->from >= range->to)
        fail(r, x, r->depth ? 403 : 400, r->depth ? "C:valid-filter" : NULL, "a time-range is not one (RFC 4791 9.9)");
    return range;
}

static void on_range(struct reader *r, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    const struct ical_range *range = read_range(r, x, attrs, n);
    struct node *t = top(r);
    if (t && t->id == DAV_ID_COMP_FILTER)
        t->comp.range = range;
    else if (t && t->id == DAV_ID_PROP_FILTER)
        t->prop.range = range;
    else if (r->body->root == DAV_ID_FREE_BUSY_QUERY) {
        r->body->range = *range;
        r->body->has_range = true;
    }
}

static void on_text_match_start(struct reader *r, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    static const struct {
        const char *name;
        enum ical_collation collation;
    } collations[] = {
        {"i;ascii-casemap", ICAL_ASCII_CASEMAP}, {"i;octet", ICAL_OCTET}, {"i;unicode-casemap", ICAL_UNICODE_CASEMAP}};
    struct str collation = xml_attr_get(attrs, n, "collation");
    struct node *t = top(r);
    if (!t)
        return;
    t->match = (struct ical_text_match){.negate = str_is(xml_attr_get(attrs, n, "negate-condition"), "yes")};
    size_t i = 0, count = sizeof(collations) / sizeof(collations[0]);
    while (collation.n && i < count && !str_is(collation, collations[i].name))
        i++;
    if (i == count)
        fail(r, x, 403, "C:supported-collation", "the collation is not known here");
    else
        t->match.collation = collations[i].collation;
}

static void on_text_match_end(struct reader *r, struct str text)
{
    struct node *t = top(r);
    if (!t)
        return;
    struct ical_text_match *m = arena_alloc(r->arena, sizeof(*m));
    *m = t->match;
    m->text = arena_str(r->arena, text);
    if (t->id == DAV_ID_PROP_FILTER)
        t->prop.match = m;
    else if (t->id == DAV_ID_PARAM_FILTER)
        t->param.match = m;
}

static void start_node(struct reader *r, struct xml *x, enum dav_id id, const struct xml_attr *attrs, size_t n)
{
    struct str name = arena_str(r->arena, xml_attr_get(attrs, n, "name"));
    struct node *t = push(r, x, id);
    if (!t)
        return;
    if (name.n == 0) {
        fail(r, x, 403, id == DAV_ID_COMP ? "C:supported-calendar-data" : "C:valid-filter", "an element needs a name");
        return;
    }
    t->comp.name = t->prop.name = t->param.name = t->select.name = name;
}

#define ADD(parent, list, count, room, value)                                                                          \
    do {                                                                                                               \
        (parent)->list = grow(r, (parent)->list, (parent)->count, &(parent)->room, sizeof(value));                     \
        memcpy((char *)(parent)->list + (parent)->count * sizeof(value), &(value), sizeof(value));                     \
        (parent)->count++;                                                                                             \
    } while (0)

/* The node is complete: into its parent, or it is the whole filter. */
static void end_node(struct reader *r, struct xml *x)
{
    struct node n = r->stack[--r->depth], *up = top(r);
    n.comp.comps = n.comps;
    n.comp.props = n.props;
    n.prop.params = n.params;
    n.select.comps = n.comps;
    n.select.props = n.props;
    if (n.id == DAV_ID_COMP_FILTER && up && up->id == DAV_ID_COMP_FILTER) {
        ADD(up, comps, comp.comp_count, comp_room, n.comp);
    } else if (n.id == DAV_ID_PROP_FILTER && up && up->id == DAV_ID_COMP_FILTER) {
        ADD(up, props, comp.prop_count, prop_room, n.prop);
    } else if (n.id == DAV_ID_PARAM_FILTER && up && up->id == DAV_ID_PROP_FILTER) {
        ADD(up, params, prop.param_count, param_room, n.param);
    } else if (n.id == DAV_ID_COMP && up && up->id == DAV_ID_COMP) {
        ADD(up, comps, select.comp_count, comp_room, n.select);
    } else if (n.id == DAV_ID_COMP && !up) {
        struct ical_select *whole = arena_alloc(r->arena, sizeof(*whole));
        *whole = n.select;
        r->body->shape.select = whole;
    } else if (n.id == DAV_ID_COMP_FILTER && !up && !r->body->filter) {
        struct ical_comp_filter *whole = arena_alloc(r->arena, sizeof(*whole));
        *whole = n.comp;
        r->body->filter = whole;
        if (!str_case_is(whole->name, "VCALENDAR"))
            fail(r, x, 403, "C:valid-filter", "the outermost comp-filter is that of VCALENDAR");
    } else {
        fail(r, x, 403, "C:valid-filter", "a filter stands where it cannot");
    }
}

static void on_calprop(struct reader *r, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    struct node *t = top(r);
    struct ical_select_prop p = {arena_str(r->arena, xml_attr_get(attrs, n, "name")),
                                 str_is(xml_attr_get(attrs, n, "novalue"), "yes")};
    if (!t || t->id != DAV_ID_COMP || ++r->nodes > DAV_FILTERS_MAX)
        fail(r, x, 403, "C:supported-calendar-data", "a property stands outside of its component");
    else
        ADD(t, props, select.prop_count, prop_room, p);
}

/* --- events of the parser --------------------------------------------------------------------- */

/* RFC 4791 9.6: the attributes of calendar-data; there is one type here. */
static bool is_our_type(const struct xml_attr *attrs, size_t n)
{
    struct str type = xml_attr_get(attrs, n, "content-type"), version = xml_attr_get(attrs, n, "version");
    return (!type.n || str_case_is(type, "text/calendar")) && (!version.n || str_is(version, "2.0"));
}

static void add_prop(struct reader *r, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                     size_t n)
{
    struct dav_body *b = r->body;
    if (name->id == DAV_ID_CALENDAR_DATA && !is_our_type(attrs, n)) {
        fail(r, x, 403, "C:supported-calendar-data", "calendar data is text/calendar, version 2.0");
        return;
    }
    if (b->prop_count == DAV_PROPS_MAX) {
        fail(r, x, 413, NULL, "too many properties");
        return;
    }
    b->props = grow(r, b->props, b->prop_count, &r->prop_room, sizeof(*b->props));
    b->props[b->prop_count++] =
        (struct dav_prop){(enum dav_id)name->id, arena_str(r->arena, name->uri), arena_str(r->arena, name->local)};
    b->wants_data |= name->id == DAV_ID_CALENDAR_DATA;
}

static void on_root(struct reader *r, struct xml *x, const struct xml_name *name)
{
    static const enum dav_id roots[] = {
        DAV_ID_PROPFIND,         DAV_ID_PROPERTYUPDATE,       DAV_ID_MKCOL,           DAV_ID_MKCALENDAR,
        DAV_ID_CALENDAR_QUERY,   DAV_ID_CALENDAR_MULTIGET,    DAV_ID_FREE_BUSY_QUERY, DAV_ID_SYNC_COLLECTION,
        DAV_ID_PRINCIPAL_SEARCH, DAV_ID_PRINCIPAL_SEARCH_SET, DAV_ID_EXPAND_PROPERTY};
    (void)x;
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
        if (name->id == (int)roots[i])
            r->body->root = roots[i];
    r->body->unknown = r->body->root == DAV_ID_NONE;
}

static bool is_update(const struct dav_body *b)
{
    return b->root == DAV_ID_PROPERTYUPDATE || b->root == DAV_ID_MKCOL || b->root == DAV_ID_MKCALENDAR;
}

static void on_known(struct reader *r, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                     size_t n)
{
    struct dav_body *b = r->body;
    switch (name->id) {
    case DAV_ID_ALLPROP:
        b->all |= b->root == DAV_ID_PROPFIND || xml_depth(x) == 2;
        break;
    case DAV_ID_PROPNAME:
        b->names = true;
        break;
    case DAV_ID_COMP_FILTER:
    case DAV_ID_PROP_FILTER:
    case DAV_ID_PARAM_FILTER:
    case DAV_ID_COMP:
        start_node(r, x, (enum dav_id)name->id, attrs, n);
        break;
    case DAV_ID_CALPROP:
        on_calprop(r, x, attrs, n);
        break;
    case DAV_ID_ALLCOMP:
    case DAV_ID_CALALLPROP:
        if (top(r) && top(r)->id == DAV_ID_COMP) {
            top(r)->select.all_comps |= name->id == DAV_ID_ALLCOMP;
            top(r)->select.all_props |= name->id == DAV_ID_CALALLPROP;
        }
        break;
    case DAV_ID_IS_NOT_DEFINED:
        if (top(r))
            top(r)->comp.is_not_defined = top(r)->prop.is_not_defined = top(r)->param.is_not_defined = true;
        break;
    case DAV_ID_TIME_RANGE:
        on_range(r, x, attrs, n);
        break;
    case DAV_ID_TEXT_MATCH:
        on_text_match_start(r, x, attrs, n);
        break;
    case DAV_ID_EXPAND:
        b->shape.expand = read_range(r, x, attrs, n);
        break;
    case DAV_ID_LIMIT_RECURRENCE:
        b->shape.limit = read_range(r, x, attrs, n);
        break;
    case DAV_ID_LIMIT_FREEBUSY:
        b->shape.limit_busy = read_range(r, x, attrs, n);
        break;
    default:
        break;
    }
}

static enum xml_want on_start(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n)
{
    struct reader *r = ctx;
    size_t depth = xml_depth(x);
    if (depth == 1) {
        on_root(r, x, name);
        return r->body->unknown ? XML_SKIP : XML_COLLECT;
    }
    if (r->value_depth) {
        value_open(r, name, attrs, n);
        if (name->id == DAV_ID_COMP)
            note_component(r->body, xml_attr_get(attrs, n, "name"));
        return XML_STREAM;
    }
    if (is_update(r->body)) {
        if (depth == 2)
            r->removing = name->id == DAV_ID_REMOVE;
        if (depth == 4 && xml_parent(x, 1) == DAV_ID_PROP) {
            begin_update(r, x, name);
            return XML_STREAM;
        }
        return depth == 2 && name->id != DAV_ID_SET && name->id != DAV_ID_REMOVE ? XML_SKIP : XML_COLLECT;
    }
    if (depth == 3 && (xml_parent(x, 1) == DAV_ID_PROP || xml_parent(x, 1) == DAV_ID_INCLUDE))
        add_prop(r, x, name, attrs, n);
    if (name->id == 0 && depth == 2)
        return XML_SKIP;
    on_known(r, x, name, attrs, n);
    return XML_COLLECT;
}

static void on_text(void *ctx, struct xml *x, struct str piece)
{
    struct reader *r = ctx;
    if (!r->value_depth)
        return;
    xml_add_escaped(&r->value, piece);
    if (xml_depth(x) == r->value_depth)
        buf_str(&r->value_text, piece);
}

static void take_href(struct reader *r, struct xml *x, struct str text)
{
    struct dav_body *b = r->body;
    if (b->href_count == r->hrefs_max) {
        fail(r, x, 403, "D:number-of-matches-within-limits", "too many objects are asked for at once");
        return;
    }
    b->hrefs = grow(r, b->hrefs, b->href_count, &r->href_room, sizeof(*b->hrefs));
    b->hrefs[b->href_count++] = arena_str(r->arena, str_trim(text));
}

/* The VTIMEZONE in it; p NULL: there is none. */
static struct str find_zone(struct str text)
{
    size_t at = str_case_find(text, STR("BEGIN:VTIMEZONE")), end = str_case_find(text, STR("END:VTIMEZONE"));
    bool has = at != (size_t)-1 && end != (size_t)-1 && end > at;
    return has ? str_sub(text, at, end + strlen("END:VTIMEZONE") - at) : STR_NULL;
}

bool dav_has_zone(struct str text)
{
    return find_zone(text).p != NULL;
}

/* A zone is taken by its name, or by what its rules are like; one that cannot be told leaves it to the next in line. */
static void take_zone(struct reader *r, struct xml *x, struct str text, bool is_id)
{
    const struct tz *zone = NULL;
    const char *why;
    if (is_id)
        zone = tz_find(str_trim(text), NULL);
    else if (!dav_has_zone(text))
        fail(r, x, 403, "C:valid-calendar-data", "a timezone is an iCalendar object with a VTIMEZONE");
    else
        tz_read_vtimezone(find_zone(text), 2000, 2037, NULL, &zone, &why);
    if (zone)
        r->body->zone = tz_is_utc(zone) ? STR("UTC") : tz_name(zone);
}

static void on_end(void *ctx, struct xml *x, const struct xml_name *name, struct str text)
{
    struct reader *r = ctx;
    struct dav_body *b = r->body;
    if (r->value_depth) {
        if (xml_depth(x) == r->value_depth)
            end_update(r);
        else
            buf_printf(&r->value, "</%.*s>", STR_ARG(name->local));
        return;
    }
    switch (name->id) {
    case DAV_ID_HREF:
        if (xml_depth(x) == 2)
            take_href(r, x, text);
        break;
    case DAV_ID_SYNC_TOKEN:
        if (xml_depth(x) == 2) {
            b->sync_token = arena_str(r->arena, str_trim(text));
            b->has_sync_token = true;
        }
        break;
    case DAV_ID_SYNC_LEVEL:
        b->sync_level = arena_str(r->arena, str_trim(text));
        break;
    case DAV_ID_NRESULTS:
        if (!str_to_u64(str_trim(text), &b->limit) || b->limit == 0)
            fail(r, x, 400, NULL, "nresults is a number from 1");
        break;
    case DAV_ID_COMP_FILTER:
    case DAV_ID_PROP_FILTER:
    case DAV_ID_PARAM_FILTER:
    case DAV_ID_COMP:
        if (r->depth)
            end_node(r, x);
        break;
    case DAV_ID_TEXT_MATCH:
        on_text_match_end(r, text);
        break;
    case DAV_ID_TIMEZONE:
    case DAV_ID_TIMEZONE_ID:
        take_zone(r, x, text, name->id == DAV_ID_TIMEZONE_ID);
        break;
    default:
        break;
    }
}

bool dav_body_read(struct str body, size_t hrefs_max, struct arena *arena, struct dav_body *ret,
                   struct dav_body_problem *problem)
{
    static const struct xml_spec spec = {
        .namespaces = dav_namespaces,
        .namespace_count = 4,
        .tags = dav_tags,
        .tag_count = DAV_ID_MAX - 1,
        .mode = XML_STRICT,
        .max_depth = 32,
        .on_start = on_start,
        .on_text = on_text,
        .on_end = on_end,
    };
    struct err err = {0};
    *ret = (struct dav_body){.root = DAV_ID_NONE};
    *problem = (struct dav_body_problem){0};
    if (str_trim(body).n == 0)
        return true;
    struct reader *r = arena_alloc(arena, sizeof(*r));
    r->arena = arena;
    r->body = ret;
    r->problem = problem;
    r->hrefs_max = hrefs_max;
    buf_init(&r->value, 1u << 20);
    buf_init(&r->value_text, 1u << 20);
    struct xml *x = xml_new(&spec, r);
    bool ok = xml_feed(x, body, &err) && xml_finish(x, &err);
    xml_free(x);
    if (r->value.failed || r->value_text.failed) {
        ok = false;
        err.code = ERR_TOO_BIG;
    }
    buf_done(&r->value);
    buf_done(&r->value_text);
    if (!ok && !problem->status) {
        problem->status = err.code == ERR_TOO_BIG ? 413 : 400;
        snprintf(problem->text, sizeof(problem->text), "%.150s", err.text);
    }
    return ok;
}

/* As if a request had brought it. */
struct str dav_zone_of(struct str value, struct arena *arena)
{
    struct buf b = {0};
    struct dav_body body;
    struct dav_body_problem problem;
    buf_lit(&b, "<calendar-query xmlns=\"urn:ietf:params:xml:ns:caldav\"><timezone>");
    buf_str(&b, value);
    buf_lit(&b, "</timezone></calendar-query>");
    bool ok = dav_body_read(buf_view(&b), 0, arena, &body, &problem);
    buf_done(&b);
    return ok ? body.zone : STR_NULL;
}
