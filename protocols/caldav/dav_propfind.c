/* SPDX-License-Identifier: Apache-2.0 */
/* PROPFIND, PROPPATCH, MKCALENDAR and extended MKCOL. */
#include <string.h>

#include "protocols/caldav/dav_session.h"

/* --- PROPFIND
 * ----------------------------------------------------------------------------------------------------------------------
 */

struct listing {
    int depth;
    struct dav_found found;
};

static void add_collection(struct dav_session *s, const struct calendar *c)
{
    struct calendar_prop *dead = NULL;
    size_t n = 0;
    calendar_props(s->client.account, c->pk, &s->arena, &dead, &n, NULL);
    struct dav_item item = {
        .path = {.place = DAV_AT_COLLECTION, .account = s->path.account, .segment = c->segment},
        .calendar = c,
        .dead = dead,
        .dead_count = n,
    };
    dav_add_response(s, &s->stream.out, &item, &s->body);
}

static void add_place(struct dav_session *s, enum dav_place place)
{
    struct calendar_prop *dead = NULL;
    size_t n = 0;
    struct dav_item item = {.path = {.place = place, .account = s->path.account}};
    if (place == DAV_AT_PRINCIPAL)
        item.path.account = str_from(account_name(s->client.account));
    if (place == DAV_AT_HOME)
        calendar_props(s->client.account, 0, &s->arena, &dead, &n, NULL);
    item.dead = dead;
    item.dead_count = n;
    dav_add_response(s, &s->stream.out, &item, &s->body);
}

static void add_resource(struct dav_session *s, const struct resource *r)
{
    struct dav_item item = {
        .path = {DAV_AT_RESOURCE, s->path.account, s->path.segment, r->name}, .calendar = &s->calendar, .resource = r};
    dav_add_response(s, &s->stream.out, &item, &s->body);
}

static bool next_resource(struct dav_session *s)
{
    struct dav_found *f = &((struct listing *)s->state)->found;
    if (f->next == f->count)
        return false;
    add_resource(s, &f->list[f->next++]);
    return true;
}

/* The collection and, depth 1, all that is in it. */
static void list_collection(struct dav_session *s, struct listing *l)
{
    struct err err = {0};
    add_collection(s, &s->calendar);
    if (l->depth == 1 && !dav_gather(s, 0, INT64_MIN, INT64_MAX, 0, &l->found, &err))
        dav_answer_err(s, &err);
    else if (l->found.truncated) /* a part of it would be taken for all of it */
        dav_answer_error(s, 507, "D:number-of-matches-within-limits", NULL, "too many objects: use sync-collection");
    else
        dav_stream_run(s, next_resource);
}

static void add_home(struct dav_session *s, struct listing *l)
{
    struct calendar *list;
    size_t n;
    add_place(s, DAV_AT_HOME);
    if (l->depth == 0 || !calendar_list(s->client.account, &s->arena, &list, &n, NULL))
        return;
    for (size_t i = 0; i < n; i++) /* ordinary calendars first: some clients take the first thing they see */
        if (list[i].kind == FOLDER_CALENDAR)
            add_collection(s, &list[i]);
    for (size_t i = 0; i < n; i++)
        if (list[i].kind == FOLDER_TASKS)
            add_collection(s, &list[i]);
}

static void list(struct dav_session *s)
{
    struct listing *l = s->state;
    struct resource r;
    dav_stream_begin(s);
    switch (s->path.place) {
    case DAV_AT_HOME:
        add_home(s, l);
        break;
    case DAV_AT_COLLECTION:
        list_collection(s, l);
        return;
    case DAV_AT_RESOURCE:
        if (!calendar_resource(s->client.account, s->calendar.pk, s->path.name, &s->arena, &r)) {
            dav_answer_status(s, 404);
            return;
        }
        add_resource(s, &r);
        break;
    default:
        add_place(s, s->path.place);
        if (l->depth == 1 && s->path.place == DAV_AT_TOP)
            add_place(s, DAV_AT_PRINCIPAL);
        if (l->depth == 1 && s->path.place == DAV_AT_PRINCIPAL)
            add_place(s, DAV_AT_HOME);
        break;
    }
    dav_stream_end(s);
}

/* Nothing is below what is in it: all of it is no more than the next level. */
static bool is_shallow(enum dav_place place)
{
    return place == DAV_AT_COLLECTION || place == DAV_AT_RESOURCE || place == DAV_AT_INBOX || place == DAV_AT_OUTBOX;
}

void dav_propfind(struct dav_session *s)
{
    int depth;
    if (!dav_depth(s, -1, &depth) || !dav_read_body(s))
        return;
    if (depth < 0 && is_shallow(s->path.place))
        depth = 1;
    if (depth < 0) {
        dav_answer_error(s, 403, "D:propfind-finite-depth", NULL, "Depth: infinity is not served");
        return;
    }
    if (s->body.unknown || (s->body.root != DAV_ID_NONE && s->body.root != DAV_ID_PROPFIND)) {
        dav_answer_error(s, 422, NULL, NULL, "the body is no propfind");
        return;
    }
    struct listing *l = arena_alloc(&s->arena, sizeof(*l));
    l->depth = depth;
    s->state = l;
    if (s->path.place == DAV_AT_INBOX_ITEM)
        dav_answer_status(s, 404);
    else if (s->path.place == DAV_AT_HOME || s->path.place == DAV_AT_COLLECTION || s->path.place == DAV_AT_RESOURCE ||
             s->path.place == DAV_AT_INBOX)
        dav_with_calendar(s, list);
    else
        dav_when_it_holds(s, list);
}

/* --- PROPPATCH: all or nothing (RFC 4918 9.2)
 * ---------------------------------------------------------------------------------- */

static bool is_about_type(const struct dav_update *u)
{
    return u->prop.id == DAV_ID_RESOURCETYPE || u->prop.id == DAV_ID_SUPPORTED_COMPONENTS;
}

/* Why it cannot be stored; NULL: it can. Objects, principals, inbox and outbox have none that clients may set. */
static const char *refusal_of(const struct dav_session *s, const struct dav_update *u)
{
    bool made = s->body.root == DAV_ID_MKCALENDAR || s->body.root == DAV_ID_MKCOL;
    bool has_own = s->path.place == DAV_AT_COLLECTION || s->path.place == DAV_AT_HOME;
    if (made && is_about_type(u))
        return NULL;
    if (has_own && u->prop.id == DAV_ID_CALENDAR_TIMEZONE && !u->remove && !dav_has_zone(u->text))
        return "C:valid-calendar-data"; /* RFC 4791 5.3.1.1 */
    return !has_own || dav_is_protected(&u->prop) ? "D:cannot-modify-protected-property" : NULL;
}

static bool is_any_refused(const struct dav_session *s)
{
    for (size_t i = 0; i < s->body.update_count; i++)
        if (refusal_of(s, &s->body.updates[i]))
            return true;
    return false;
}

static void add_update(struct buf *out, const struct dav_update *u, int status, const char *why)
{
    buf_printf(out, "<D:propstat><D:prop><%.*s xmlns=\"", STR_ARG(u->prop.local));
    xml_add_escaped(out, u->prop.ns);
    buf_printf(out, "\"/></D:prop><D:status>HTTP/1.1 %d %s</D:status>", status, dav_reason(status));
    if (why)
        buf_printf(out, "<D:error><%s/></D:error>", why);
    buf_lit(out, "</D:propstat>");
}

static bool store_updates(struct dav_session *s, int64_t pk, struct err *err)
{
    struct calendar_prop *list = arena_array(&s->arena, s->body.update_count + 1, sizeof(*list));
    for (size_t i = 0; i < s->body.update_count; i++) {
        const struct dav_update *u = &s->body.updates[i];
        struct buf name = {0};
        dav_dead_name(&name, &u->prop);
        list[i] = (struct calendar_prop){arena_str(&s->arena, buf_view(&name)), u->remove ? STR_NULL : u->value};
        if (u->prop.id == DAV_ID_DISPLAYNAME && !u->remove) /* the core shows it as the calendar's name */
            list[i].value = u->text.n ? u->text : STR_NULL;
        buf_done(&name);
    }
    return calendar_set_props(s->client.account, pk, list, s->body.update_count, err);
}

/* What became of each: all stored, or those that cannot be and the others with them. */
static void add_updates(struct dav_session *s, struct buf *out, bool stored)
{
    bool refused = is_any_refused(s);
    for (size_t i = 0; i < s->body.update_count; i++) {
        const char *why = refusal_of(s, &s->body.updates[i]);
        add_update(out, &s->body.updates[i], stored ? 200 : why ? 403 : refused ? 424 : 507, why);
    }
}

static void answer_updates(struct dav_session *s, bool stored)
{
    struct buf *out = dav_stream_begin(s);
    buf_lit(out, "<D:response>");
    dav_add_href(out, &s->path);
    add_updates(s, out, stored);
    buf_lit(out, "</D:response>\n");
    dav_stream_end(s);
}

static void patch(struct dav_session *s)
{
    struct err err = {0};
    struct resource r;
    if (s->path.place == DAV_AT_RESOURCE &&
        !calendar_resource(s->client.account, s->calendar.pk, s->path.name, &s->arena, &r)) {
        dav_answer_status(s, 404);
        return;
    }
    bool stored = !is_any_refused(s) && store_updates(s, s->calendar.pk, &err);
    if (err.code != ERR_NONE && err.code != ERR_TOO_BIG)
        dav_answer_err(s, &err);
    else if (stored && dav_wants_minimal(s))
        dav_answer_status(s, 200);
    else
        answer_updates(s, stored);
}

void dav_proppatch(struct dav_session *s)
{
    if (!dav_read_body(s))
        return;
    if (s->body.root != DAV_ID_PROPERTYUPDATE)
        dav_answer_error(s, 400, NULL, NULL, "the body is no propertyupdate");
    else if (s->path.place == DAV_AT_COLLECTION || s->path.place == DAV_AT_HOME || s->path.place == DAV_AT_RESOURCE)
        dav_with_calendar(s, patch);
    else
        dav_when_it_holds(s, patch);
}

/* --- MKCALENDAR, MKCOL
 * ------------------------------------------------------------------------------------------------------------ */

/* The collection is there: the rest of the properties is stored beside it. */
static void on_made(void *ud, const struct change_result *result)
{
    struct dav_session *s = ud;
    struct err err = {0};
    s->work.change = NULL;
    if (result->err.code != ERR_NONE) {
        dav_answer_err(s, &result->err);
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->body.update_count; i++)
        if (!is_about_type(&s->body.updates[i]))
            s->body.updates[kept++] = s->body.updates[i];
    s->body.update_count = kept;
    if (kept && !store_updates(s, result->folder_pk, &err))
        dav_answer_err(s, &err);
    else
        dav_answer(s, 201, NULL, NULL, STR_NULL);
}

static void make(struct dav_session *s)
{
    struct calendar there;
    struct str name = s->path.segment;
    const struct dav_body *b = &s->body;
    for (size_t i = 0; i < b->update_count; i++)
        if (b->updates[i].prop.id == DAV_ID_DISPLAYNAME && str_trim(b->updates[i].text).n)
            name = str_trim(b->updates[i].text);
    if (calendar_find(s->client.account, s->path.segment, &s->arena, &there)) {
        dav_answer_error(s, 405, "D:resource-must-be-null", NULL, "there is a collection of that name already");
        return;
    }
    if (b->has_comps && b->comp_event == b->comp_task) {
        dav_answer_error(s, 403, "C:supported-calendar-component", NULL,
                         "Exchange has calendars (VEVENT) and task lists (VTODO), nothing for both");
        return;
    }
    enum folder_kind kind = b->has_comps && b->comp_task ? FOLDER_TASKS : FOLDER_CALENDAR;
    s->work.change = calendar_create(s->client.account, s->path.segment, name, kind, on_made, s);
}

/* All or nothing: RFC 4791 5.3.1.1, RFC 5689 3. */
static void refuse_properties(struct dav_session *s)
{
    struct buf out = {0};
    if (s->request->method == DAV_MKCALENDAR) {
        answer_updates(s, false);
        return;
    }
    buf_lit(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:mkcol-response xmlns:D=\"DAV:\""
                  " xmlns:C=\"urn:ietf:params:xml:ns:caldav\">\n");
    add_updates(s, &out, false);
    buf_lit(&out, "</D:mkcol-response>\n");
    dav_answer(s, 424, NULL, DAV_XML_TYPE, buf_view(&out));
    buf_done(&out);
}

static void on_home(struct dav_session *s)
{
    s->path.place = DAV_AT_COLLECTION;
    if (is_any_refused(s))
        refuse_properties(s);
    else
        make(s);
}

static void refuse_place(struct dav_session *s)
{
    struct resource r;
    if (s->path.place == DAV_AT_RESOURCE &&
        calendar_resource(s->client.account, s->calendar.pk, s->path.name, &s->arena, &r))
        dav_answer_error(s, 405, "D:resource-must-be-null", NULL, "there is an object of that name already");
    else
        dav_answer_error(s, 403, "C:calendar-collection-location-ok", NULL, "calendars are made in the calendar home");
}

/* RFC 4918 9.3: what a body of another type wants is not known. */
static bool has_xml(const struct dav_request *r)
{
    struct str type = dav_header_get(r, "Content-Type");
    return !r->has_body || !type.p || str_case_find(type, STR("xml")) != (size_t)-1;
}

void dav_make(struct dav_session *s)
{
    if (!has_xml(s->request)) {
        dav_answer_error(s, 415, NULL, NULL, "the body is no XML");
        return;
    }
    if (!dav_read_body(s))
        return;
    const struct dav_body *b = &s->body;
    bool calendar = s->request->method == DAV_MKCALENDAR;
    for (size_t i = 0; i < b->update_count; i++)
        calendar |= b->updates[i].prop.id == DAV_ID_RESOURCETYPE &&
                    str_find(b->updates[i].value, STR("calendar")) != (size_t)-1;
    if (s->path.place == DAV_AT_RESOURCE) {
        dav_with_calendar(s, refuse_place);
    } else if (s->path.place != DAV_AT_COLLECTION) {
        refuse_place(s);
    } else if (b->unknown || (b->root != DAV_ID_NONE &&
                              b->root != (s->request->method == DAV_MKCALENDAR ? DAV_ID_MKCALENDAR : DAV_ID_MKCOL))) {
        dav_answer_error(s, 415, NULL, NULL, "the body does not fit the method");
    } else if (!calendar) {
        dav_answer_error(s, 403, "D:valid-resourcetype", NULL, "only calendars can be made here");
    } else {
        s->path.place = DAV_AT_HOME; /* the collection is not there yet: only the list has to be known */
        dav_with_calendar(s, on_home);
    }
}
