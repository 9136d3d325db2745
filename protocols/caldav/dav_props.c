/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties: a table of the live ones (RFC 4918 15, 4791, 6638, 5397, 6578, calendarserver-ctag), each with the places
 * that have it and the function that writes its content; and the dead ones that clients stored.
 */
#include <inttypes.h>
#include <string.h>

#include "bridge/base/time.h"
#include "protocols/caldav/dav_session.h"

struct view { /* of one property */
    struct dav_session *s;
    const struct dav_item *item;
    struct buf *out;
};

#define AT(place)   (1u << DAV_AT_##place)
#define CALENDARS   AT(COLLECTION)
#define COLLECTIONS (AT(ROOT) | AT(TOP) | AT(PRINCIPAL) | AT(HOME) | AT(COLLECTION) | AT(INBOX) | AT(OUTBOX))
#define EVERYTHING  (COLLECTIONS | AT(RESOURCE))

/* --- parts of answers ------------------------------------------------------------------------- */

void dav_add_href(struct buf *out, const struct dav_path *path)
{
    struct buf b = {0};
    dav_path_write(&b, path);
    buf_lit(out, "<D:href>");
    xml_add_escaped(out, buf_view(&b));
    buf_lit(out, "</D:href>");
    buf_done(&b);
}

static void add_place(struct view *v, enum dav_place place, struct str segment)
{
    struct dav_path p = {.place = place, .account = str_from(account_name(v->s->client.account)), .segment = segment};
    dav_add_href(v->out, &p);
}

static void add_name(struct buf *out, const struct dav_prop *p, bool close, bool empty)
{
    const char *prefix = dav_prefix_of(p->ns);
    buf_lit(out, close ? "</" : "<");
    if (p->id)
        buf_lit(out, dav_written(p->id));
    else
        buf_printf(out, prefix ? "%s:%.*s" : "%s%.*s", prefix ? prefix : "", STR_ARG(p->local));
    if (!p->id && !prefix && !close) {
        buf_lit(out, " xmlns=\"");
        xml_add_escaped(out, p->ns);
        buf_byte(out, '"');
    }
    buf_lit(out, empty ? "/>" : ">");
}

/* --- the live ones ---------------------------------------------------------------------------- */

static bool resourcetype(struct view *v)
{
    static const char *const types[] = {
        [DAV_AT_ROOT] = "<D:collection/>",
        [DAV_AT_TOP] = "<D:collection/>",
        [DAV_AT_PRINCIPAL] = "<D:collection/><D:principal/>",
        [DAV_AT_HOME] = "<D:collection/>",
        [DAV_AT_COLLECTION] = "<D:collection/><C:calendar/>",
        [DAV_AT_RESOURCE] = "",
        [DAV_AT_INBOX] = "<D:collection/><C:schedule-inbox/>",
        [DAV_AT_INBOX_ITEM] = "",
        [DAV_AT_OUTBOX] = "<D:collection/><C:schedule-outbox/>",
    };
    buf_lit(v->out, types[v->item->path.place]);
    return true;
}

static bool displayname(struct view *v)
{
    if (v->item->calendar)
        xml_add_escaped(v->out, v->item->calendar->name);
    else
        xml_add_escaped(v->out, str_from(account_email(v->s->client.account)));
    return true;
}

static bool getetag(struct view *v)
{
    dav_add_etag(v->out, v->item->calendar, v->item->resource->revision);
    return true;
}

static bool schedule_tag(struct view *v)
{
    dav_add_schedule_tag(v->out, v->item->calendar, v->item->resource);
    return true;
}

static bool getcontenttype(struct view *v)
{
    buf_printf(v->out, "text/calendar; charset=utf-8; component=%s",
               v->item->resource->kind == EVENT_TASK ? "vtodo" : "vevent");
    return true;
}

static bool getcontentlength(struct view *v)
{
    return v->item->resource->size && buf_u64(v->out, v->item->resource->size);
}

/* When the object says that it was changed last: LAST-MODIFIED, else DTSTAMP; the newest of its components. */
static int64_t changed_at(struct str text)
{
    static const char *const names[] = {"\nLAST-MODIFIED", "\nDTSTAMP"};
    int64_t newest = TIME_NONE, ms;
    for (size_t i = 0; newest == TIME_NONE && i < sizeof(names) / sizeof(names[0]); i++)
        for (struct str rest = text;;) {
            size_t at = str_find(rest, str_from(names[i]));
            if (at == (size_t)-1)
                break;
            rest = str_skip(rest, at + strlen(names[i]));
            size_t colon = str_find_byte(rest, ':'), end = str_find_byte(rest, '\n');
            if (colon < end && time_parse_iso(str_trim(str_sub(rest, colon + 1, end - colon - 1)), &ms) && ms > newest)
                newest = ms;
        }
    return newest;
}

/* For people who look with a WebDAV client (cadaver takes what has none for broken). Nobody else asks. */
static bool getlastmodified(struct view *v)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct arena scratch = {0};
    struct str text = v->item->data;
    struct time_parts p;
    int64_t ms = TIME_NONE;
    if (text.p || calendar_text(v->s->client.account, v->item->resource->pk, &scratch, &text))
        ms = changed_at(text);
    arena_done(&scratch);
    if (ms == TIME_NONE)
        return false;
    time_to_parts(ms / 1000, 0, &p);
    return buf_printf(v->out, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + (size_t)3 * (size_t)p.weekday, p.day,
                      months + (size_t)3 * (size_t)(p.month - 1), p.year, p.hour, p.minute, p.second);
}

static bool principal(struct view *v)
{
    add_place(v, DAV_AT_PRINCIPAL, STR_NULL);
    return true;
}

static bool principal_collections(struct view *v)
{
    add_place(v, DAV_AT_TOP, STR_NULL);
    return true;
}

static bool privileges(struct view *v)
{
    static const char *const reading[] = {"read", "read-current-user-privilege-set", NULL};
    static const char *const writing[] = {"write", "write-content", "write-properties", "bind", "unbind", NULL};
    bool may_write = !v->item->calendar || !v->item->calendar->read_only;
    for (const char *const *p = reading; *p; p++)
        buf_printf(v->out, "<D:privilege><D:%s/></D:privilege>", *p);
    for (const char *const *p = writing; may_write && *p; p++)
        buf_printf(v->out, "<D:privilege><D:%s/></D:privilege>", *p);
    if (v->item->path.place == DAV_AT_OUTBOX)
        buf_lit(v->out, "<D:privilege><C:schedule-send/></D:privilege><D:privilege><C:schedule-send-freebusy/>"
                        "</D:privilege>");
    if (v->item->path.place == DAV_AT_COLLECTION)
        buf_lit(v->out, "<D:privilege><C:read-free-busy/></D:privilege>");
    return true;
}

static bool reports(struct view *v)
{
    dav_add_reports(v->out, v->item->path.place);
    return true;
}

static bool sync_token(struct view *v)
{
    struct dav_known now = dav_known_now(v->item->calendar);
    dav_add_sync_token(v->out, v->item->calendar, &now);
    return true;
}

static bool getctag(struct view *v)
{
    dav_add_etag(v->out, v->item->calendar, v->item->calendar->revision);
    return true;
}

static bool home(struct view *v)
{
    add_place(v, DAV_AT_HOME, STR_NULL);
    return true;
}

static bool addresses(struct view *v)
{
    const struct str *list;
    size_t n = account_addresses(v->s->client.account, &list);
    for (size_t i = 0; i < n; i++) {
        buf_lit(v->out, "<D:href>mailto:");
        xml_add_escaped(v->out, list[i]);
        buf_lit(v->out, "</D:href>");
    }
    principal(v);
    return true;
}

static bool user_type(struct view *v)
{
    return buf_lit(v->out, "INDIVIDUAL");
}

static bool inbox(struct view *v)
{
    add_place(v, DAV_AT_INBOX, STR_NULL);
    return true;
}

static bool outbox(struct view *v)
{
    add_place(v, DAV_AT_OUTBOX, STR_NULL);
    return true;
}

static bool default_calendar(struct view *v)
{
    struct calendar *list;
    size_t n;
    if (!calendar_list(v->s->client.account, &v->s->arena, &list, &n, NULL))
        return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].is_default && list[i].kind == FOLDER_CALENDAR) {
            add_place(v, DAV_AT_COLLECTION, list[i].segment);
            return true;
        }
    return false;
}

static bool calendar_data(struct view *v)
{
    if (!v->item->data.p)
        return false;
    xml_add_escaped(v->out, v->item->data);
    return true;
}

static bool components(struct view *v)
{
    return buf_printf(v->out, "<C:comp name=\"%s\"/>", v->item->calendar->kind == FOLDER_TASKS ? "VTODO" : "VEVENT");
}

static bool supported_data(struct view *v)
{
    return buf_lit(v->out, "<C:calendar-data content-type=\"text/calendar\" version=\"2.0\"/>");
}

static bool collations(struct view *v)
{
    return buf_lit(v->out, "<C:supported-collation>i;ascii-casemap</C:supported-collation>"
                           "<C:supported-collation>i;octet</C:supported-collation>"
                           "<C:supported-collation>i;unicode-casemap</C:supported-collation>");
}

static bool max_size(struct view *v)
{
    return buf_u64(v->out, dav_server_of(v->s)->limits.body);
}

static bool max_instances(struct view *v)
{
    return buf_u64(v->out, EVENT_WALK_MAX);
}

static bool max_attendees(struct view *v)
{
    return buf_u64(v->out, EVENT_ATTENDEES_MAX);
}

static bool min_date(struct view *v)
{
    return buf_lit(v->out, "19000101T000000Z");
}

static bool max_date(struct view *v)
{
    return buf_lit(v->out, "45000831T235959Z");
}

static const struct live {
    enum dav_id id;
    unsigned places;
    bool in_allprop, may_set; /* may_set: what a client stores shows instead */
    bool (*write)(struct view *v);
} lives[] = {
    {DAV_ID_RESOURCETYPE, EVERYTHING, true, false, resourcetype},
    {DAV_ID_DISPLAYNAME, AT(PRINCIPAL) | AT(HOME) | CALENDARS, true, true, displayname},
    {DAV_ID_GETETAG, AT(RESOURCE), true, false, getetag},
    {DAV_ID_GETCONTENTTYPE, AT(RESOURCE), true, false, getcontenttype},
    {DAV_ID_GETCONTENTLENGTH, AT(RESOURCE), true, false, getcontentlength},
    {DAV_ID_GETLASTMODIFIED, AT(RESOURCE), false, false, getlastmodified},
    {DAV_ID_CURRENT_USER_PRINCIPAL, EVERYTHING, false, false, principal},
    {DAV_ID_PRINCIPAL_URL, AT(PRINCIPAL), false, false, principal},
    {DAV_ID_PRINCIPAL_COLLECTION_SET, COLLECTIONS, false, false, principal_collections},
    {DAV_ID_OWNER, EVERYTHING & ~AT(ROOT) & ~AT(TOP), false, false, principal},
    {DAV_ID_CURRENT_USER_PRIVILEGE_SET, EVERYTHING, false, false, privileges},
    {DAV_ID_SUPPORTED_REPORT_SET, EVERYTHING, false, false, reports},
    {DAV_ID_SYNC_TOKEN, CALENDARS, false, false, sync_token},
    {DAV_ID_GETCTAG, CALENDARS, false, false, getctag},
    {DAV_ID_CALENDAR_HOME_SET, AT(PRINCIPAL), false, false, home},
    {DAV_ID_CALENDAR_USER_ADDRESS_SET, AT(PRINCIPAL), false, false, addresses},
    {DAV_ID_CALENDAR_USER_TYPE, AT(PRINCIPAL), false, false, user_type},
    {DAV_ID_SCHEDULE_INBOX_URL, AT(PRINCIPAL), false, false, inbox},
    {DAV_ID_SCHEDULE_OUTBOX_URL, AT(PRINCIPAL), false, false, outbox},
    {DAV_ID_SCHEDULE_DEFAULT_URL, AT(INBOX), false, false, default_calendar},
    {DAV_ID_SCHEDULE_TAG, AT(RESOURCE), false, false, schedule_tag},
    {DAV_ID_CALENDAR_DATA, AT(RESOURCE), false, false, calendar_data},
    {DAV_ID_SUPPORTED_COMPONENTS, CALENDARS, false, false, components},
    {DAV_ID_SUPPORTED_DATA, CALENDARS, false, false, supported_data},
    {DAV_ID_SUPPORTED_COLLATIONS, CALENDARS, false, false, collations},
    {DAV_ID_MAX_RESOURCE_SIZE, CALENDARS, false, false, max_size},
    {DAV_ID_MAX_INSTANCES, CALENDARS, false, false, max_instances},
    {DAV_ID_MAX_ATTENDEES, CALENDARS, false, false, max_attendees},
    {DAV_ID_MIN_DATE_TIME, CALENDARS, false, false, min_date},
    {DAV_ID_MAX_DATE_TIME, CALENDARS, false, false, max_date},
};

static const struct live *live_of(enum dav_id id)
{
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++)
        if (lives[i].id == id)
            return &lives[i];
    return NULL;
}

bool dav_is_protected(const struct dav_prop *p)
{
    const struct live *l = live_of(p->id);
    return l && !l->may_set;
}

/* --- the dead ones ---------------------------------------------------------------------------- */

void dav_dead_name(struct buf *out, const struct dav_prop *p)
{
    buf_printf(out, "{%.*s}%.*s", STR_ARG(p->ns), STR_ARG(p->local));
}

static const struct calendar_prop *dead_of(const struct dav_item *item, const struct dav_prop *p)
{
    struct buf name = {0};
    const struct calendar_prop *found = NULL;
    if (item->dead_count == 0)
        return NULL;
    dav_dead_name(&name, p);
    for (size_t i = 0; !found && i < item->dead_count; i++)
        if (str_eq(item->dead[i].name, buf_view(&name)))
            found = &item->dead[i];
    buf_done(&name);
    return found;
}

/* --- a response ------------------------------------------------------------------------------- */

static bool add_value(struct view *v, const struct dav_prop *p)
{
    const struct calendar_prop *dead = dead_of(v->item, p);
    const struct live *l = live_of(p->id);
    if (dead && !l) {                 /* what is live shows what was stored by itself: displayname */
        buf_str(v->out, dead->value); /* as its client wrote it: well-formed, with its namespaces */
        return true;
    }
    return l && (l->places >> v->item->path.place & 1) && l->write(v);
}

struct missing {
    struct dav_prop list[DAV_PROPS_MAX];
    size_t count;
};

static void add_one(struct view *v, const struct dav_prop *p, bool name_only, struct missing *missing)
{
    size_t before = v->out->n;
    if (name_only) {
        add_name(v->out, p, false, true);
        return;
    }
    add_name(v->out, p, false, false);
    if (add_value(v, p)) {
        add_name(v->out, p, true, false);
        return;
    }
    v->out->n = before;
    if (missing && missing->count < DAV_PROPS_MAX)
        missing->list[missing->count++] = *p;
}

static void add_all(struct view *v, bool name_only)
{
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        struct dav_prop p = {.id = lives[i].id};
        bool there = lives[i].places >> v->item->path.place & 1;
        if (there && (lives[i].in_allprop || name_only) && lives[i].id != DAV_ID_CALENDAR_DATA)
            add_one(v, &p, name_only, NULL);
    }
    for (size_t i = 0; i < v->item->dead_count; i++) {
        struct str name = v->item->dead[i].name;
        size_t end = str_find_byte(name, '}');
        struct dav_prop p = {.ns = str_sub(name, 1, end - 1), .local = str_skip(name, end + 1)};
        if (end != (size_t)-1 && !str_is(name, "{DAV:}displayname"))
            add_one(v, &p, name_only, NULL);
    }
}

void dav_add_response(struct dav_session *s, struct buf *out, const struct dav_item *item, const struct dav_body *asked)
{
    struct view v = {s, item, out};
    struct missing missing;
    missing.count = 0;
    bool minimal = dav_wants_minimal(s);
    buf_lit(out, "<D:response>");
    dav_add_href(out, &item->path);
    size_t begin = out->n;
    buf_lit(out, "<D:propstat><D:prop>");
    size_t before = out->n;
    if (asked->names || asked->all || (asked->root == DAV_ID_NONE && !asked->prop_count))
        add_all(&v, asked->names);
    for (size_t i = 0; i < asked->prop_count; i++)
        add_one(&v, &asked->props[i], false, &missing);
    if (out->n == before && missing.count && !minimal)
        out->n = begin;
    else
        buf_lit(out, "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
    if (missing.count && !minimal) {
        buf_lit(out, "<D:propstat><D:prop>");
        for (size_t i = 0; i < missing.count; i++)
            add_name(out, &missing.list[i], false, true);
        buf_lit(out, "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>");
    }
    buf_lit(out, "</D:response>\n");
}

void dav_add_status_response(struct buf *out, const struct dav_path *path, int status, const char *precondition)
{
    buf_lit(out, "<D:response>");
    dav_add_href(out, path);
    buf_printf(out, "<D:status>HTTP/1.1 %d %s</D:status>", status, dav_reason(status));
    if (precondition)
        buf_printf(out, "<D:error><%s/></D:error>", precondition);
    buf_lit(out, "</D:response>\n");
}
