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

#define SHAPED_MAX ((size_t)32 << 20) /* bytes of one object, expanded */
#define BUSY_MAX   20000              /* spans in one free-busy answer */

struct report {
    struct dav_found found;
    bool fetched;
    int64_t *missing;
    size_t missing_count;
    void (*write)(struct dav_session *s); /* when the texts are there */
    struct ical_busy_list busy;
    void (*fn)(struct dav_session *s); /* of `reports` */
    struct str zone;                   /* where dates and floating times are */
    struct dav_known known;            /* sync-collection: with this answer */
    bool plain;                        /* calendar-query: see is_plain() */
    bool asked_each;                   /* multiget, sync-collection: what has gone since it was gathered is told */
};

static void refuse(struct dav_session *s, int status, const char *precondition, const char *text)
{
    dav_answer_error(s, status, precondition, NULL, text);
}

/* --- texts ------------------------------------------------------------------------------------ */

static void with_texts(struct dav_session *s);

static void on_texts(void *ud, const struct err *err)
{
    struct dav_session *s = ud;
    struct report *r = s->state;
    s->work.get = NULL;
    r->fetched = true; /* once: what still is not there has gone, or is told as missing */
    if (err->code != ERR_NONE)
        dav_answer_err(s, err);
    else
        with_texts(s);
}

static void with_texts(struct dav_session *s)
{
    struct report *r = s->state;
    const struct dav_found *f = &r->found;
    r->missing = arena_array(&s->arena, f->count + 1, sizeof(*r->missing));
    r->missing_count = 0;
    for (size_t i = 0; !r->fetched && i < f->count; i++)
        if (!calendar_text(s->client.account, f->list[i].pk, NULL, NULL))
            r->missing[r->missing_count++] = f->list[i].pk;
    if (r->missing_count)
        s->work.get = calendar_get(s->client.account, s->calendar.pk, r->missing, r->missing_count, on_texts, s);
    else
        r->write(s);
}

/* --- one object ------------------------------------------------------------------------------- */

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
    const struct report *r = s->state;
    struct str extras;
    struct ical_options options = {.zone = r->zone};
    struct ical_problem problem;
    options.me_count = account_addresses(s->client.account, &options.me);
    return ical_read(text, &options, scratch, ret, &extras, &problem);
}

/* The response of one object, when the filter (if any) lets it through. `e` is read when it is needed. */
static void add_object(struct dav_session *s, const struct resource *found, bool filtered)
{
    const struct report *r = s->state;
    struct arena scratch = {0};
    struct buf shaped = BUF_INIT(SHAPED_MAX);
    struct event e;
    struct str text = STR_NULL;
    struct dav_item item = {.path = {DAV_AT_RESOURCE, s->path.account, s->calendar.segment, found->name},
                            .calendar = &s->calendar,
                            .resource = found};
    bool match = true, ok = true, needs_text = filtered || s->body.wants_data;
    bool needs_event = filtered || (s->body.wants_data && is_shaped(&s->body));
    if (needs_text && !calendar_text(s->client.account, found->pk, &scratch, &text)) {
        match = false;
        if (r->asked_each)
            dav_add_status_response(&s->stream.out, &item.path, 404, NULL);
    } else if (needs_event && !read_event(s, text, &scratch, &e)) {
        match = false;
    } else if (filtered) {
        match = ical_match(text, &e, s->body.filter, r->zone, &scratch);
    }
    if (match && s->body.wants_data && is_shaped(&s->body)) {
        ok = ical_shape(&shaped, text, &e, &s->body.shape, r->zone, EVENT_WALK_MAX, &scratch);
        item.data = buf_view(&shaped);
    } else if (s->body.wants_data) {
        item.data = text;
    }
    if (match && ok)
        dav_add_response(s, &s->stream.out, &item, &s->body);
    else if (match) /* it happens too often for what was asked: this one, not all the others */
        dav_add_status_response(&s->stream.out, &item.path, 507, "D:number-of-matches-within-limits");
    buf_done(&shaped);
    arena_done(&scratch);
}

/* --- calendar-query --------------------------------------------------------------------------- */

/* The index has answered all of it: one component of this collection's kind, at most with a time-range, and the object
 * happens once, so that its span says when. */
static bool is_plain(const struct ical_comp_filter *f, const char *component)
{
    const struct ical_comp_filter *c = f->comps;
    return f->prop_count == 0 && !f->range && !f->is_not_defined && f->comp_count == 1 && c->prop_count == 0 &&
           c->comp_count == 0 && !c->is_not_defined && str_case_is(c->name, component);
}

/* Does the event begin at a date or a floating time? (Times in a VTIMEZONE are not the event's.) */
static bool floats(struct str text)
{
    size_t at = str_find(text, STR("\nBEGIN:VEVENT"));
    struct str line = at == (size_t)-1 ? STR_NULL : str_skip(text, at);
    at = str_find(line, STR("\nDTSTART"));
    if (at == (size_t)-1)
        return true;
    line = str_skip(line, at + 1);
    line = str_trim(str_sub(line, 0, str_find_byte(line, '\n')));
    return str_find(line, STR("TZID=")) == (size_t)-1 && (line.n == 0 || line.p[line.n - 1] != 'Z');
}

/* What the index cannot say for certain: exact times of what recurs, of days, floating times and points in time. */
static bool needs_look(struct dav_session *s, const struct resource *found)
{
    struct arena scratch = {0};
    struct str text = STR_NULL;
    bool needs = s->calendar.kind == FOLDER_TASKS || found->from == found->to ||
                 !calendar_text(s->client.account, found->pk, &scratch, &text) || recurs(text) || floats(text);
    arena_done(&scratch);
    return needs;
}

static bool next_match(struct dav_session *s)
{
    struct report *r = s->state;
    if (r->found.next == r->found.count)
        return false;
    const struct resource *found = &r->found.list[r->found.next++];
    const struct ical_range *range = s->body.filter->comp_count == 1 ? s->body.filter->comps->range : NULL;
    if (!r->plain)
        add_object(s, found, true);
    else if (!range)
        add_object(s, found, false);
    else if (needs_look(s, found))
        add_object(s, found, true);
    else if (found->from < range->to && found->to > range->from)
        add_object(s, found, false);
    return true;
}

static void write_query(struct dav_session *s)
{
    struct report *r = s->state;
    r->plain = is_plain(s->body.filter, s->calendar.kind == FOLDER_TASKS ? "VTODO" : "VEVENT");
    dav_stream_begin(s);
    dav_stream_run(s, next_match);
}

/* The object that was asked, and no other (RFC 4791 7.8). */
static void gather_one(struct dav_session *s, struct dav_found *found)
{
    found->list = arena_alloc(&s->arena, sizeof(*found->list));
    found->count = calendar_resource(s->client.account, s->calendar.pk, s->path.name, &s->arena, found->list);
    if (found->count)
        with_texts(s);
    else
        dav_answer_status(s, 404);
}

/* The index has days and floating times where this machine's zone has them; the asker's may be 26 hours away. */
static void widen(const struct ical_range *range, int64_t *ret_from, int64_t *ret_to)
{
    const int64_t zones = 26 * 3600;
    *ret_from = range->from > INT64_MIN + zones ? range->from - zones : INT64_MIN;
    *ret_to = range->to < INT64_MAX - zones ? range->to + zones : INT64_MAX;
}

static void query(struct dav_session *s)
{
    struct report *r = s->state;
    const struct ical_comp_filter *f = s->body.filter;
    struct err err = {0};
    int64_t from = INT64_MIN, to = INT64_MAX;
    if (f->comp_count == 1 && f->comps->range && !f->comps->is_not_defined)
        widen(f->comps->range, &from, &to);
    r->write = write_query;
    if (s->path.place == DAV_AT_RESOURCE)
        gather_one(s, &r->found);
    else if (!dav_gather(s, 0, from, to, 0, &r->found, &err))
        dav_answer_err(s, &err);
    else if (r->found.truncated)
        refuse(s, 507, "D:number-of-matches-within-limits", "too many objects: ask for a shorter time");
    else
        with_texts(s);
}

/* --- calendar-multiget ------------------------------------------------------------------------ */

static bool next_object(struct dav_session *s)
{
    struct dav_found *f = &((struct report *)s->state)->found;
    if (f->next == f->count)
        return false;
    add_object(s, &f->list[f->next++], false);
    return true;
}

static void write_multiget(struct dav_session *s)
{
    dav_stream_run(s, next_object);
}

static void multiget(struct dav_session *s)
{
    struct report *r = s->state;
    struct str host = dav_header_get(s->request, "Host");
    r->write = write_multiget;
    r->asked_each = true;
    r->found.list = arena_array(&s->arena, s->body.href_count + 1, sizeof(*r->found.list));
    struct buf *out = dav_stream_begin(s);
    for (size_t i = 0; i < s->body.href_count; i++) {
        struct dav_path p;
        bool ours = dav_path_parse(s->body.hrefs[i], host, &s->arena, &p) && p.place == DAV_AT_RESOURCE &&
                    str_eq(p.account, s->path.account) && str_eq(p.segment, s->calendar.segment);
        if (ours &&
            calendar_resource(s->client.account, s->calendar.pk, p.name, &s->arena, &r->found.list[r->found.count])) {
            r->found.count++;
        } else if (ours) {
            dav_add_status_response(out, &p, 404, NULL);
        } else { /* as the client wrote it, so that it recognises it */
            buf_lit(out, "<D:response><D:href>");
            xml_add_escaped(out, s->body.hrefs[i]);
            buf_lit(out, "</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n");
        }
    }
    with_texts(s);
}

/* --- sync-collection -------------------------------------------------------------------------- */

static int by_revision(const void *a, const void *b)
{
    const struct resource *x = a, *y = b;
    if (x->revision != y->revision)
        return x->revision < y->revision ? -1 : 1;
    return x->pk < y->pk ? -1 : x->pk > y->pk;
}

/* What an answer that was cut in the middle of one revision has told already. */
static void leave_out_known(struct dav_found *f, const struct dav_known *known)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].revision > known->revision + 1 || f->list[i].pk > known->pk)
            f->list[kept++] = f->list[i];
    f->count = kept;
}

/* With a limit, the client's or ours (RFC 6578 3.6): all that has gone, and the oldest changes. The token says how far
 * it came; many objects may have one revision. */
static void cut_to_limit(struct dav_session *s, struct report *r, size_t gone)
{
    struct dav_found *f = &r->found;
    size_t limit = dav_server_of(s)->limits.results;
    if (s->body.limit && s->body.limit < limit)
        limit = (size_t)s->body.limit;
    size_t n = limit > gone ? limit - gone : 0;
    struct dav_known now = dav_known_now(&s->calendar);
    if (f->count <= n) {
        r->known = now;
        return;
    }
    qsort(f->list, f->count, sizeof(*f->list), by_revision);
    r->known.gone = now.gone;
    if (n) {
        r->known.revision = f->list[n - 1].revision - 1;
        r->known.pk = f->list[n - 1].pk;
    }
    f->count = n;
    f->truncated = true;
}

static bool next_change(struct dav_session *s)
{
    const struct report *r = s->state;
    struct buf *out = &s->stream.out;
    if (next_object(s))
        return true;
    if (r->found.truncated)
        dav_add_status_response(out, &s->path, 507, "D:number-of-matches-within-limits");
    buf_lit(out, "<D:sync-token>");
    dav_add_sync_token(out, &s->calendar, &r->known);
    buf_lit(out, "</D:sync-token>");
    return false;
}

static void write_sync(struct dav_session *s)
{
    dav_stream_run(s, next_change);
}

static void sync_collection(struct dav_session *s)
{
    struct report *r = s->state;
    struct str *gone = NULL;
    size_t gone_count = 0;
    bool complete = true;
    struct err err = {0};
    r->write = write_sync;
    r->asked_each = true;
    if (!dav_read_sync_token(s->body.sync_token, &s->calendar, &r->known)) {
        refuse(s, 403, "D:valid-sync-token", "the token is none of this calendar");
        return;
    }
    /* All of them: which ones come first is decided below. */
    bool ok = (r->known.gone == 0 || calendar_gone_since(s->client.account, s->calendar.pk, r->known.gone, &s->arena,
                                                         &gone, &gone_count, &complete, &err)) &&
              dav_gather(s, r->known.revision, INT64_MIN, INT64_MAX, SIZE_MAX, &r->found, &err);
    if (!ok) {
        dav_answer_err(s, &err);
    } else if (!complete) {
        refuse(s, 403, "D:valid-sync-token", "the changes are not known any more: begin anew");
    } else {
        struct buf *out = dav_stream_begin(s);
        leave_out_known(&r->found, &r->known);
        cut_to_limit(s, r, gone_count);
        for (size_t i = 0; i < gone_count; i++) {
            struct dav_path p = {DAV_AT_RESOURCE, s->path.account, s->calendar.segment, gone[i]};
            dav_add_status_response(out, &p, 404, NULL);
        }
        if (s->body.wants_data)
            with_texts(s);
        else
            write_sync(s);
    }
}

/* --- free-busy-query -------------------------------------------------------------------------- */

static void write_busy(struct dav_session *s)
{
    struct report *r = s->state;
    struct buf out = {0};
    for (size_t i = 0; i < r->found.count; i++) {
        struct str text;
        struct event e;
        if (!calendar_text(s->client.account, r->found.list[i].pk, &s->arena, &text) ||
            !read_event(s, text, &s->arena, &e))
            continue;
        if (!ical_busy_of(&e, &s->body.range, r->zone, BUSY_MAX, &s->arena, &r->busy)) {
            refuse(s, 507, "D:number-of-matches-within-limits", "too many busy times: ask for a shorter time");
            return;
        }
    }
    ical_write_busy(&out, &r->busy, &s->body.range, time_wall_s(), STR_NULL, STR_NULL, STR_NULL, NULL);
    dav_answer(s, 200, NULL, "text/calendar; charset=utf-8", buf_view(&out));
    buf_done(&out);
}

static void free_busy(struct dav_session *s)
{
    struct report *r = s->state;
    struct err err = {0};
    int64_t from, to;
    widen(&s->body.range, &from, &to);
    r->write = write_busy;
    if (!s->body.has_range || s->body.range.from == INT64_MIN || s->body.range.to == INT64_MAX)
        refuse(s, 400, NULL, "a free-busy-query has a time-range with both ends");
    else if (!dav_gather(s, 0, from, to, 0, &r->found, &err))
        dav_answer_err(s, &err);
    else if (r->found.truncated)
        refuse(s, 507, "D:number-of-matches-within-limits", "too many objects: ask for a shorter time");
    else
        with_texts(s);
}

/* --- which ------------------------------------------------------------------------------------ */

static void nobody(struct dav_session *s)
{
    dav_stream_begin(s);
    dav_stream_end(s);
}

static void search_properties(struct dav_session *s)
{
    dav_answer(
        s, 200, NULL, DAV_XML_TYPE,
        STR("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:principal-search-property-set xmlns:D=\"DAV:\"/>\n"));
}

#define AT(place) (1u << DAV_AT_##place)
static const struct {
    enum dav_id id;
    unsigned places;
    void (*fn)(struct dav_session *s);
} reports[] = {
    {DAV_ID_CALENDAR_QUERY, AT(COLLECTION) | AT(RESOURCE), query},
    {DAV_ID_CALENDAR_QUERY, AT(INBOX), nobody}, /* RFC 6638 2.2; nothing ever stays there */
    {DAV_ID_CALENDAR_MULTIGET, AT(COLLECTION) | AT(RESOURCE) | AT(INBOX), multiget},
    {DAV_ID_SYNC_COLLECTION, AT(COLLECTION), sync_collection},
    {DAV_ID_FREE_BUSY_QUERY, AT(COLLECTION), free_busy},
    {DAV_ID_PRINCIPAL_SEARCH, AT(TOP) | AT(PRINCIPAL) | AT(HOME), nobody},
    {DAV_ID_PRINCIPAL_SEARCH_SET, AT(TOP) | AT(PRINCIPAL), search_properties},
};

void dav_add_reports(struct buf *out, enum dav_place place)
{
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (reports[i].places >> place & 1)
            buf_printf(out, "<D:supported-report><D:report><%s/></D:report></D:supported-report>",
                       dav_written(reports[i].id));
}

/* RFC 4791 5.2.2, 9.8: what the request says, else the calendar, else this machine. */
static struct str zone_of(struct dav_session *s)
{
    struct calendar_prop *list = NULL;
    size_t n = 0;
    struct str zone = s->body.zone;
    if (!zone.p)
        calendar_props(s->client.account, s->calendar.pk, &s->arena, &list, &n, NULL);
    for (size_t i = 0; i < n; i++)
        if (str_is(list[i].name, "{urn:ietf:params:xml:ns:caldav}calendar-timezone"))
            zone = dav_zone_of(list[i].value, &s->arena);
    return zone.p ? zone : calendar_zone();
}

static void of_calendar(struct dav_session *s)
{
    struct report *r = s->state;
    r->zone = zone_of(s);
    r->fn(s);
}

void dav_report(struct dav_session *s)
{
    if (!dav_read_body(s))
        return;
    struct report *r = arena_alloc(&s->arena, sizeof(*r));
    s->state = r;
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        if (s->body.root != reports[i].id || !(reports[i].places >> s->path.place & 1))
            continue;
        r->fn = reports[i].fn;
        if (s->body.root == DAV_ID_CALENDAR_QUERY && !s->body.filter)
            dav_answer_error(s, 403, "C:valid-filter", NULL, "a calendar-query has a filter");
        else if (s->path.place == DAV_AT_COLLECTION || s->path.place == DAV_AT_RESOURCE)
            dav_with_calendar(s, of_calendar);
        else
            dav_when_it_holds(s, reports[i].fn);
        return;
    }
    if (s->body.root == DAV_ID_NONE && !s->body.unknown)
        dav_answer_error(s, 400, NULL, NULL, "a REPORT has a body");
    else
        dav_answer_error(s, 403, "D:supported-report", NULL, "there is no such report here");
}
