/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PUT, DELETE, COPY and MOVE of objects. */
#include <string.h>

#include "bridge/base/text.h"
#include "bridge/io/blob.h"
#include "protocols/caldav/dav_session.h"

/* --- GET
 * ------------------------------------------------------------------------------------------------------------------------
 */

static void add_schedule_tag(struct buf *headers, const struct dav_session *s, const struct resource *r)
{
    buf_lit(headers, "Schedule-Tag: ");
    dav_add_schedule_tag(headers, &s->calendar, r);
    buf_lit(headers, "\r\n");
}

static void add_etag(struct buf *headers, const struct dav_session *s, uint64_t revision)
{
    buf_lit(headers, "ETag: ");
    dav_add_etag(headers, &s->calendar, revision);
    buf_lit(headers, "\r\n");
}

static void send_text(struct dav_session *s);

static void on_got(void *ud, const struct err *err)
{
    struct dav_session *s = ud;
    s->work.get = NULL;
    if (err->code != ERR_NONE)
        dav_answer_err(s, err);
    else
        send_text(s);
}

static void send_text(struct dav_session *s)
{
    struct resource r;
    struct str text;
    struct buf headers = {0};
    struct calendar_condition condition;
    if (!calendar_resource(s->client.account, s->calendar.pk, s->path.name, &s->arena, &r)) {
        dav_answer_status(s, 404);
        return;
    }
    if (!calendar_text(s->client.account, r.pk, &s->arena, &text)) {
        s->work.get = calendar_get(s->client.account, s->calendar.pk, &r.pk, 1, on_got, s);
        return;
    }
    add_etag(&headers, s, r.revision);
    add_schedule_tag(&headers, s, &r);
    if (!dav_condition(s, &condition) || condition.must_not_exist) {
        bool missed = dav_header_get(s->request, "If-Match").p || !dav_if_holds(s);
        dav_answer(s, missed ? 412 : 304, buf_z(&headers), NULL, STR_NULL);
    } else {
        buf_lit(&headers, "Content-Disposition: attachment\r\n");
        dav_answer(s, 200, buf_z(&headers),
                   r.kind == EVENT_TASK ? "text/calendar; charset=utf-8; component=vtodo"
                                        : "text/calendar; charset=utf-8; component=vevent",
                   text);
    }
    buf_done(&headers);
}

static bool add_piece(void *ud, struct str piece)
{
    return buf_str(ud, piece);
}

static void on_attachment(void *ud, const struct reply *reply)
{
    struct dav_session *s = ud;
    struct err err = reply->err;
    struct buf b = {0};
    s->work.op = NULL;
    if (err.code != ERR_NONE || !blob_each(reply->content, add_piece, &b, &err))
        dav_answer_err(s, &err);
    else
        dav_answer(s, 200, "Content-Disposition: attachment\r\n", "application/octet-stream", buf_view(&b));
    buf_done(&b);
}

static void get_attachment(struct dav_session *s)
{
    struct buf id = {0};
    if (!text_hex_decode(&id, s->path.name)) {
        dav_answer_status(s, 404);
    } else {
        s->waiting = true;
        s->work.op = calendar_attachment(s->client.account, buf_view(&id), on_attachment, s);
    }
    buf_done(&id);
}

static void say_hello(struct dav_session *s)
{
    dav_answer(s, 200, NULL, "text/plain; charset=utf-8",
               STR("exbridge serves calendars here, to calendar programs (CalDAV).\n"));
}

void dav_get(struct dav_session *s)
{
    if (s->path.place == DAV_AT_RESOURCE)
        dav_with_calendar(s, send_text);
    else if (s->path.place == DAV_AT_ATTACHMENT)
        dav_when_it_holds(s, get_attachment);
    else if (s->path.place == DAV_AT_ROOT)
        dav_when_it_holds(s, say_hello);
    else
        dav_answer_error(s, 403, NULL, NULL, "a calendar is read by PROPFIND and REPORT");
}

struct relocation {
    struct dav_path to;
    struct calendar target;
};

/* --- PUT and what is like it
 * ---------------------------------------------------------------------------------------------------- */

static void answer_refusal(struct dav_session *s, const struct calendar_done *done)
{
    static const char *const preconditions[] = {
        [CALENDAR_FINE] = NULL,
        [CALENDAR_BAD_DATA] = "C:valid-calendar-data",
        [CALENDAR_BAD_OBJECT] = "C:valid-calendar-object-resource",
        [CALENDAR_BAD_COMPONENT] = "C:supported-calendar-component",
        [CALENDAR_UID_CONFLICT] = "C:no-uid-conflict",
        [CALENDAR_TOO_BIG] = "C:max-resource-size",
        [CALENDAR_TOO_EARLY] = "C:min-date-time",
        [CALENDAR_TOO_LATE] = "C:max-date-time",
        [CALENDAR_TOO_MANY_INSTANCES] = "C:max-instances",
        [CALENDAR_TOO_MANY_ATTENDEES] = "C:max-attendees-per-instance",
        [CALENDAR_NOT_ORGANIZER] = "C:allowed-attendee-scheduling-object-change",
        [CALENDAR_OTHER_ORGANIZER] = "C:allowed-organizer-scheduling-object-change",
    };
    _Static_assert(sizeof(preconditions) / sizeof(preconditions[0]) == CALENDAR_REFUSAL_MAX, "each has a name");
    struct buf content = {0};
    if (done->refusal == CALENDAR_UID_CONFLICT) {
        struct dav_path other = s->path;
        const struct relocation *r = s->state; /* COPY and MOVE: in the collection they go to */
        if (s->request->method == DAV_COPY || s->request->method == DAV_MOVE)
            other.segment = r->to.segment;
        other.name = done->name;
        dav_add_href(&content, &other);
    }
    dav_answer_error(s, 403, preconditions[done->refusal], content.n ? buf_z(&content) : NULL, done->err.text);
    buf_done(&content);
}

static void on_written(void *ud, const struct calendar_done *done)
{
    struct dav_session *s = ud;
    struct buf headers = {0};
    s->work.write = NULL;
    if (done->refusal != CALENDAR_FINE) {
        answer_refusal(s, done);
        return;
    }
    if (done->err.code != ERR_NONE) {
        dav_answer_err(s, &done->err);
        return;
    }
    if (done->revision && s->request->method == DAV_PUT)
        add_etag(&headers, s, done->revision);
    /* Also when the object has to be read again: what it is about is what was asked for (RFC 6638 3.2.10). */
    struct resource now;
    if (s->request->method == DAV_PUT &&
        calendar_resource(s->client.account, s->calendar.pk, s->path.name, &s->arena, &now))
        add_schedule_tag(&headers, s, &now);
    dav_answer(s, done->created ? 201 : 204, buf_z(&headers), NULL, STR_NULL);
    buf_done(&headers);
}

static bool wants_schedule(const struct dav_session *s)
{
    return !str_case_is(dav_header_get(s->request, "Schedule-Reply"), "F"); /* RFC 6638 8.1 */
}

static void put(struct dav_session *s)
{
    struct calendar_condition condition;
    if (s->calendar.read_only)
        dav_answer_error(s, 403, "D:need-privileges", NULL, "this calendar can only be read");
    else if (!dav_condition(s, &condition))
        dav_answer_status(s, 412);
    else
        s->work.write = calendar_put(s->client.account, s->calendar.pk, s->path.name, dav_http_body(s->http),
                                     &condition, wants_schedule(s), on_written, s);
}

void dav_put(struct dav_session *s)
{
    if (dav_header_get(s->request, "Content-Range").p) /* RFC 9110 14.5: half an object is none */
        dav_answer_status(s, 400);
    else
        dav_with_calendar(s, put);
}

/* --- DELETE
 * ----------------------------------------------------------------------------------------------------------------------
 */

static void on_collection_gone(void *ud, const struct change_result *result)
{
    struct dav_session *s = ud;
    s->work.change = NULL;
    if (result->err.code != ERR_NONE)
        dav_answer_err(s, &result->err);
    else
        dav_answer_status(s, 204);
}

static void delete (struct dav_session *s)
{
    struct calendar_condition condition;
    if (s->path.place == DAV_AT_COLLECTION) {
        s->work.change = calendar_remove(s->client.account, s->calendar.pk, on_collection_gone, s);
        return;
    }
    if (s->calendar.read_only)
        dav_answer_error(s, 403, "D:need-privileges", NULL, "this calendar can only be read");
    else if (!dav_condition(s, &condition))
        dav_answer_status(s, 412);
    else
        s->work.write = calendar_delete(s->client.account, s->calendar.pk, s->path.name, &condition, wants_schedule(s),
                                        on_written, s);
}

void dav_delete(struct dav_session *s)
{
    int depth;
    if (!dav_depth(s, -1, &depth))
        return;
    if (s->path.place == DAV_AT_COLLECTION && depth != -1) { /* RFC 4918 9.6.1 */
        dav_answer_error(s, 400, NULL, NULL, "a collection goes with all that is in it");
        return;
    }
    dav_with_calendar(s, delete);
}

/* --- COPY and MOVE
 * ---------------------------------------------------------------------------------------------------------------- */

/* An object that is not there may be one that this very request has moved: the core knows (RFC 9110 13.1.1). */
static bool may_have_moved(const struct dav_session *s)
{
    struct arena arena = {0};
    struct resource r;
    bool exists = calendar_resource(s->client.account, s->calendar.pk, s->path.name, &arena, &r);
    arena_done(&arena);
    return s->request->method == DAV_MOVE && !exists;
}

static void begin_relocation(struct dav_session *s)
{
    struct relocation *r = s->state;
    struct calendar_condition condition;
    bool overwrite = !str_case_is(dav_header_get(s->request, "Overwrite"), "F"), move = s->request->method == DAV_MOVE;
    if (!calendar_find(s->client.account, r->to.segment, &s->arena, &r->target))
        dav_answer_status(s, 409); /* RFC 4918 9.8.5: the parent is missing */
    else if (s->calendar.read_only || r->target.read_only)
        dav_answer_error(s, 403, "D:need-privileges", NULL, "this calendar can only be read");
    else if (r->target.pk == s->calendar.pk && str_eq(r->to.name, s->path.name))
        dav_answer_status(s, 403);
    else if (!dav_condition(s, &condition) && !may_have_moved(s))
        dav_answer_status(s, 412);
    else
        s->work.write = calendar_copy(s->client.account, s->calendar.pk, s->path.name, r->target.pk, r->to.name, move,
                                      overwrite, &condition, on_written, s);
}

void dav_copy_or_move(struct dav_session *s)
{
    struct relocation *r = arena_alloc(&s->arena, sizeof(*r));
    struct str to = dav_header_get(s->request, "Destination");
    s->state = r;
    if (dav_path_is_elsewhere(to, dav_header_get(s->request, "Host"))) /* RFC 4918 9.8.5 */
        dav_answer_error(s, 502, NULL, NULL, "Destination is an address of another server");
    else if (!to.p || !dav_path_parse(to, dav_header_get(s->request, "Host"), &s->arena, &r->to))
        dav_answer_error(s, 400, NULL, NULL, "Destination is an address of this server");
    else if (r->to.place != DAV_AT_RESOURCE || !str_eq(r->to.account, s->path.account))
        dav_answer_status(s, 403);
    else
        dav_with_calendar(s, begin_relocation);
}
