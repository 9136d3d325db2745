/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REPORT: calendar-query, calendar-multiget, free-busy-query (RFC 4791 7.8 to 7.10), sync-collection (RFC 6578). First
 * the resources in question are gathered from the store, then texts that the cache lost are fetched, then the answer is
 * written.
 */
#include <stdlib.h>
#include <string.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "protocols/caldav/dav_session.h"

#define XML_TYPE   "application/xml; charset=utf-8"
#define ANSWER_MAX ((size_t)512 << 20)
#define BUSY_MAX   20000 /* spans in one free-busy answer */

struct report {
    struct buf out;
    struct resource *found; /* names in the session's arena */
    size_t count, room;
    bool truncated, fetched;
    int64_t *missing;
    size_t missing_count;
    void (*write)(struct dav_session *s, struct report *r);
    struct ical_busy_list busy;
    struct str zone;
};

static void refuse(struct dav_session *s, struct report *r, int status, const char *precondition, const char *text)
{
    buf_done(&r->out);
    dav_answer_error(s, status, precondition, NULL, text);
}

static void answer(struct dav_session *s, struct report *r)
{
    dav_multistatus_end(&r->out);
    if (r->out.failed)
        dav_answer_error(s, 507, "D:number-of-matches-within-limits", NULL, "the answer is too large");
    else
        dav_answer(s, 207, NULL, XML_TYPE, buf_view(&r->out));
    buf_done(&r->out);
}

/* --- gathering
 * ----------------------------------------------------------------------------------------------------------------------
 */

static bool gather(void *ud, const struct resource *found)
{
    struct dav_session *s = ud;
    struct report *r = s->state;
    size_t max = dav_server_of(s)->limits.results;
    if (s->body.limit && s->body.limit < max)
        max = (size_t)s->body.limit;
    if (r->count == max) {
        r->truncated = true;
        return false;
    }
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct resource *more = arena_array(&s->arena, room, sizeof(*more));
        if (r->count)
            memcpy(more, r->found, r->count * sizeof(*more));
        r->found = more;
        r->room = room;
    }
    r->found[r->count] = *found;
    r->found[r->count].name = arena_str(&s->arena, found->name);
    r->found[r->count++].uid = STR_NULL;
    return true;
}

/* --- texts
 * ---------------------------------------------------------------------------------------------------------------------------
 */

static void with_texts(struct dav_session *s);

static void on_texts(void *ud, const struct err *err)
{
    struct dav_session *s = ud;
    struct report *r = s->state;
    s->work.get = NULL;
    r->fetched = true; /* once: what still is not there has gone, or is told as missing */
    if (err->code != ERR_NONE) {
        buf_done(&r->out);
        dav_answer_err(s, err);
    } else {
        with_texts(s);
    }
}

static void with_texts(struct dav_session *s)
{
    struct report *r = s->state;
    r->missing = arena_array(&s->arena, r->count + 1, sizeof(*r->missing));
    r->missing_count = 0;
    for (size_t i = 0; !r->fetched && i < r->count; i++)
        if (!calendar_text(s->client.account, r->found[i].pk, NULL, NULL))
            r->missing[r->missing_count++] = r->found[i].pk;
    if (r->missing_count)
        s->work.get = calendar_get(s->client.account, s->calendar.pk, r->missing, r->missing_count, on_texts, s);
    else
        r->write(s, r);
}

/* --- one object
 * -----------------------------------------------------------------------------------------------------------------------
 */

static bool is_shaped(const struct dav_body *b)
{
    return b->shape.select || b->shape.expand || b->shape.limit || b->shape.limit_busy;
}

static bool recurs(struct str text)
{
    return str_find(text, STR("\nRRULE")) != (size_t)-1 || str_find(text, STR("\nRECURRENCE-ID")) != (size_t)-1;
}

static bool read_event(struct dav_session *s, struct str text, struct arena *scratch, struct event *ret)
{
    struct str me[1] = {str_from(account_email(s->client.account))}, extras;
    struct ical_options options = {.zone = calendar_zone(), .me = me, .me_count = 1};
    struct ical_problem problem;
    return ical_read(text, &options, scratch, ret, &extras, &problem);
}

/* The response of one object, when the filter (if any) lets it through. `e` is read when it is needed. */
static bool add_object(struct dav_session *s, struct report *r, const struct resource *found, bool filtered)
{
    struct arena scratch = {0};
    struct buf shaped = BUF_INIT(ANSWER_MAX);
    struct event e;
    struct str text = STR_NULL;
    struct dav_item item = {.path = {DAV_AT_RESOURCE, s->path.account, s->calendar.segment, found->name, 0},
                            .calendar = &s->calendar,
                            .resource = found};
    bool match = true, ok = true;
    if (filtered || s->body.wants_data) {
        if (!calendar_text(s->client.account, found->pk, &scratch, &text)) {
            arena_done(&scratch);
            return true; /* gone meanwhile */
        }
    }
    bool needs_event = filtered || (s->body.wants_data && is_shaped(&s->body));
    if (needs_event && !read_event(s, text, &scratch, &e))
        match = false;
    else if (filtered)
        match = ical_match(text, &e, s->body.filter, r->zone, &scratch);
    if (match && s->body.wants_data && is_shaped(&s->body)) {
        ok = ical_shape(&shaped, text, &e, &s->body.shape, r->zone, EVENT_WALK_MAX, &scratch);
        item.data = buf_view(&shaped);
    } else if (s->body.wants_data) {
        item.data = text;
    }
    if (match && ok)
        dav_add_response(s, &r->out, &item, &s->body);
    buf_done(&shaped);
    arena_done(&scratch);
    return ok;
}

/* --- calendar-query
 * ------------------------------------------------------------------------------------------------------------------ */

/* The index has answered all of it: one component of this collection's kind, at most with a time-range, and the object
 * happens once, so that its span says when. */
static bool is_plain(const struct ical_comp_filter *f, const char *component)
{
    const struct ical_comp_filter *c = f->comps;
    return f->prop_count == 0 && !f->range && !f->is_not_defined && f->comp_count == 1 && c->prop_count == 0 &&
           c->comp_count == 0 && !c->is_not_defined && str_case_is(c->name, component);
}

static void write_query(struct dav_session *s, struct report *r)
{
    const char *component = s->calendar.kind == FOLDER_TASKS ? "VTODO" : "VEVENT";
    bool plain = is_plain(s->body.filter, component);
    for (size_t i = 0; i < r->count; i++) {
        bool filtered = !plain;
        if (plain && s->body.filter->comps->range) { /* exact times of what recurs, of days and of points in time */
            struct arena scratch = {0};
            struct str text = STR_NULL;
            filtered = !calendar_text(s->client.account, r->found[i].pk, &scratch, &text) || recurs(text) ||
                       str_find(text, STR("VALUE=DATE")) != (size_t)-1 || r->found[i].from == r->found[i].to ||
                       s->calendar.kind == FOLDER_TASKS;
            arena_done(&scratch);
        }
        if (!add_object(s, r, &r->found[i], filtered)) {
            refuse(s, r, 507, "C:max-instances", "too many instances");
            return;
        }
    }
    answer(s, r);
}

static void query(struct dav_session *s)
{
    struct report *r = s->state;
    const struct ical_comp_filter *f = s->body.filter;
    struct err err = {0};
    int64_t from = INT64_MIN, to = INT64_MAX;
    if (f->comp_count == 1 && f->comps->range && !f->comps->is_not_defined) {
        /* Days are where the asker's zone has them: a day more on both sides. */
        from = f->comps->range->from > INT64_MIN + 86400 * 2 ? f->comps->range->from - 86400 : INT64_MIN;
        to = f->comps->range->to < INT64_MAX - 86400 * 2 ? f->comps->range->to + 86400 : INT64_MAX;
    }
    r->write = write_query;
    dav_multistatus_begin(&r->out);
    if (!calendar_resources(s->client.account, s->calendar.pk, 0, from, to, gather, s, &err)) {
        buf_done(&r->out);
        dav_answer_err(s, &err);
    } else if (r->truncated && !s->body.limit) {
        refuse(s, r, 507, "D:number-of-matches-within-limits", "too many objects: ask for a shorter time");
    } else {
        with_texts(s);
    }
}

/* --- calendar-multiget
 * ---------------------------------------------------------------------------------------------------------------- */

static void write_multiget(struct dav_session *s, struct report *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (!add_object(s, r, &r->found[i], false)) {
            refuse(s, r, 507, "C:max-instances", "too many instances");
            return;
        }
    answer(s, r);
}

static void multiget(struct dav_session *s)
{
    struct report *r = s->state;
    struct str host = dav_header_get(s->request, "Host");
    r->write = write_multiget;
    r->room = s->body.href_count;
    r->found = arena_array(&s->arena, r->room + 1, sizeof(*r->found));
    dav_multistatus_begin(&r->out);
    for (size_t i = 0; i < s->body.href_count; i++) {
        struct dav_path p;
        bool ours = dav_path_parse(s->body.hrefs[i], host, &s->arena, &p) && p.place == DAV_AT_RESOURCE &&
                    str_eq(p.account, s->path.account) && str_eq(p.segment, s->calendar.segment);
        if (ours && calendar_resource(s->client.account, s->calendar.pk, p.name, &s->arena, &r->found[r->count])) {
            r->count++;
        } else if (ours) {
            dav_add_status_response(&r->out, &p, 404, NULL);
        } else { /* as the client wrote it, so that it recognises it */
            buf_lit(&r->out, "<D:response><D:href>");
            xml_add_escaped(&r->out, s->body.hrefs[i]);
            buf_lit(&r->out, "</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n");
        }
    }
    with_texts(s);
}

/* --- sync-collection
 * --------------------------------------------------------------------------------------------------------------------
 */

static int by_revision(const void *a, const void *b)
{
    const struct resource *x = a, *y = b;
    return x->revision < y->revision ? -1 : x->revision > y->revision;
}

/* With a limit (RFC 6578 3.6): the oldest changes, and a token of the last one of them. */
static void cut_to_limit(struct dav_session *s, struct report *r)
{
    size_t n = (size_t)s->body.limit;
    if (!s->body.limit || r->count <= n)
        return;
    qsort(r->found, r->count, sizeof(*r->found), by_revision);
    uint64_t last = r->found[n - 1].revision;
    while (n < r->count && r->found[n].revision == last) /* changes of one moment cannot be told apart by a token */
        n++;
    if (n == r->count)
        return;
    r->count = n;
    r->truncated = true;
    s->calendar.revision = last;
}

static void write_sync(struct dav_session *s, struct report *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (!add_object(s, r, &r->found[i], false)) {
            refuse(s, r, 507, "C:max-instances", "too many instances");
            return;
        }
    if (r->truncated)
        dav_add_status_response(&r->out, &s->path, 507, "D:number-of-matches-within-limits");
    buf_lit(&r->out, "<D:sync-token>");
    dav_add_sync_token(&r->out, &s->calendar);
    buf_lit(&r->out, "</D:sync-token>");
    answer(s, r);
}

static void sync_collection(struct dav_session *s)
{
    struct report *r = s->state;
    struct str *gone = NULL;
    size_t gone_count = 0;
    uint64_t since, limit = s->body.limit;
    bool complete = true;
    struct err err = {0};
    r->write = write_sync;
    if (!dav_read_sync_token(s->body.sync_token, &s->calendar, &since)) {
        refuse(s, r, 403, "D:valid-sync-token", "the token is none of this calendar");
        return;
    }
    s->body.limit = 0; /* gather() takes all: which ones come first is decided below */
    bool ok = (since == 0 || calendar_gone_since(s->client.account, s->calendar.pk, since, &s->arena, &gone,
                                                 &gone_count, &complete, &err)) &&
              calendar_resources(s->client.account, s->calendar.pk, since, INT64_MIN, INT64_MAX, gather, s, &err);
    s->body.limit = limit;
    if (!ok) {
        buf_done(&r->out);
        dav_answer_err(s, &err);
    } else if (!complete) {
        refuse(s, r, 403, "D:valid-sync-token", "the changes are not known any more: begin anew");
    } else if (r->truncated) {
        refuse(s, r, 507, "D:number-of-matches-within-limits", "too many objects: ask with a limit");
    } else {
        dav_multistatus_begin(&r->out);
        cut_to_limit(s, r);
        for (size_t i = 0; i < gone_count; i++) {
            struct dav_path p = {DAV_AT_RESOURCE, s->path.account, s->calendar.segment, gone[i], 0};
            dav_add_status_response(&r->out, &p, 404, NULL);
        }
        if (s->body.wants_data)
            with_texts(s);
        else
            write_sync(s, r);
    }
}

/* --- free-busy-query
 * ----------------------------------------------------------------------------------------------------------------------
 */

static void write_busy(struct dav_session *s, struct report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct str text;
        struct event e;
        if (!calendar_text(s->client.account, r->found[i].pk, &s->arena, &text) || !read_event(s, text, &s->arena, &e))
            continue;
        if (!ical_busy_of(&e, &s->body.range, r->zone, BUSY_MAX, &s->arena, &r->busy)) {
            refuse(s, r, 507, "D:number-of-matches-within-limits", "too many busy times: ask for a shorter time");
            return;
        }
    }
    ical_write_busy(&r->out, &r->busy, &s->body.range, time_wall_s(), STR_NULL, STR_NULL, STR_NULL, NULL);
    dav_answer(s, 200, NULL, "text/calendar; charset=utf-8", buf_view(&r->out));
    buf_done(&r->out);
}

static void free_busy(struct dav_session *s)
{
    struct report *r = s->state;
    struct err err = {0};
    int64_t from = s->body.range.from > INT64_MIN + 86400 * 2 ? s->body.range.from - 86400 : INT64_MIN;
    int64_t to = s->body.range.to < INT64_MAX - 86400 * 2 ? s->body.range.to + 86400 : INT64_MAX;
    r->write = write_busy;
    if (!s->body.has_range || s->body.range.from == INT64_MIN || s->body.range.to == INT64_MAX)
        refuse(s, r, 400, NULL, "a free-busy-query has a time-range with both ends");
    else if (!calendar_resources(s->client.account, s->calendar.pk, 0, from, to, gather, s, &err))
        dav_answer_err(s, &err);
    else
        with_texts(s);
}

/* --- which
 * ----------------------------------------------------------------------------------------------------------------------------------
 */

static void nobody(struct dav_session *s)
{
    struct report *r = s->state;
    dav_multistatus_begin(&r->out);
    answer(s, r);
}

static void search_properties(struct dav_session *s)
{
    struct report *r = s->state;
    buf_lit(&r->out,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:principal-search-property-set xmlns:D=\"DAV:\"/>\n");
    dav_answer(s, 200, NULL, XML_TYPE, buf_view(&r->out));
    buf_done(&r->out);
}

void dav_report(struct dav_session *s)
{
    static const struct {
        enum dav_id id;
        unsigned places;
        void (*fn)(struct dav_session *s);
    } reports[] = {
        {DAV_ID_CALENDAR_QUERY, 1u << DAV_AT_COLLECTION | 1u << DAV_AT_RESOURCE, query},
        {DAV_ID_CALENDAR_MULTIGET, 1u << DAV_AT_COLLECTION, multiget},
        {DAV_ID_SYNC_COLLECTION, 1u << DAV_AT_COLLECTION, sync_collection},
        {DAV_ID_FREE_BUSY_QUERY, 1u << DAV_AT_COLLECTION, free_busy},
        {DAV_ID_PRINCIPAL_SEARCH, 1u << DAV_AT_TOP | 1u << DAV_AT_PRINCIPAL | 1u << DAV_AT_HOME, nobody},
        {DAV_ID_PRINCIPAL_SEARCH_SET, 1u << DAV_AT_TOP | 1u << DAV_AT_PRINCIPAL, search_properties},
    };
    if (!dav_read_body(s))
        return;
    struct report *r = arena_alloc(&s->arena, sizeof(*r));
    buf_init(&r->out, ANSWER_MAX);
    r->zone = s->body.zone.n ? s->body.zone : calendar_zone();
    s->state = r;
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        if (s->body.root != reports[i].id || !(reports[i].places >> s->path.place & 1))
            continue;
        if (s->body.root == DAV_ID_CALENDAR_QUERY && !s->body.filter)
            dav_answer_error(s, 403, "C:valid-filter", NULL, "a calendar-query has a filter");
        else if (s->path.place == DAV_AT_COLLECTION || s->path.place == DAV_AT_RESOURCE)
            dav_with_calendar(s, reports[i].fn);
        else
            reports[i].fn(s);
        return;
    }
    if (s->body.root == DAV_ID_NONE && !s->body.unknown)
        dav_answer_error(s, 400, NULL, NULL, "a REPORT has a body");
    else
        dav_answer_error(s, 403, "D:supported-report", NULL, "there is no such report here");
}
