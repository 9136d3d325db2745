/* SPDX-License-Identifier: Apache-2.0 */
/* A struct event from what eas_event_read.c has collected of an item. */
#include "backends/eas/eas_event_read.h"
#include "backends/eas/eas_item.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/io/crypto.h"

#define DAY       86400
#define MEETING   1u /* bits of MeetingStatus (MS-ASCAL 2.2.2.29) */
#define RECEIVED  2u
#define CANCELLED 4u

/* --- times ------------------------------------------------------------------------------------------------------- */

static int64_t day_floor(int64_t at)
{
    return at - ((at % DAY) + DAY) % DAY;
}

static bool is_midnight(int64_t at)
{
    return at == day_floor(at);
}

/* The item's zone, by the 172 bytes that it came with. */
static const struct tz *zone_of(const struct eas_event *r)
{
    struct buf blob = BUF_INIT(1024);
    const struct tz *zone = NULL;
    struct time_parts parts;
    int64_t at = r->item.fields.start;

    time_to_parts(at == TIME_NONE ? time_wall_s() : at, 0, &parts);
    if (r->zone_blob.n == 0 || !text_base64_decode(&blob, r->zone_blob) ||
        !tz_blob_read(buf_view(&blob), parts.year, r->options.zone, &zone) || !zone)
        zone = r->options.zone;
    buf_done(&blob);
    return zone;
}

/*
 * The date that a limit of an all-day event means. From 16.0 on, and in some servers before, it is the date itself, as
 * midnight without a zone (MS-ASCAL 2.2.2.1); else midnight in the zone of the item. False: it is neither.
 */
static bool date_of(const struct eas_event *r, int64_t at, const struct tz *zone, int64_t *ret)
{
    int64_t local = tz_to_local(zone, at), users = tz_to_local(r->options.zone, at);

    if (is_midnight(at))
        *ret = at;
    else if (is_midnight(local))
        *ret = local;
    else if (is_midnight(users))
        *ret = users;
    else if (r->options.version >= 160)
        *ret = day_floor(at);
    else
        return false;
    return true;
}

/* start and end of `f` as instants, or as dates where it lasts all day: an event of whole days that does not begin at
 * midnight anywhere is better shown at its time than on another day. */
static void finish_times(const struct eas_event *r, const struct tz *zone, struct event_fields *f)
{
    int64_t start, end;

    if (f->all_day && date_of(r, f->start, zone, &start)) {
        if (!date_of(r, f->end, zone, &end))
            end = day_floor(tz_to_local(zone, f->end)) + DAY;
        f->start = start;
        f->end = end > start ? end : start + DAY;
        return;
    }
    f->all_day = false;
    f->end = f->end > f->start ? f->end : f->start;
    f->start_zone = tz_name(zone);
}

/* --- what an item and its exceptions have in common -------------------------------------------------------------- */

static struct str joined(struct arena *arena, struct str a, struct str b)
{
    return a.n == 0 ? b : b.n == 0 ? a : arena_printf(arena, "%.*s, %.*s", STR_ARG(a), STR_ARG(b));
}

/* From 16.0 on a place has parts (MS-ASAIRS 2.2.2.28); what people call it stands in DisplayName. */
static struct str location_of(const struct eas_event *r, const struct eas_event_part *p)
{
    struct str all = p->fields.location;

    if (all.n > 0)
        return all;
    all = joined(r->arena, p->annotation, p->street);
    all = joined(r->arena, all, p->postal_code);
    all = joined(r->arena, all, p->city);
    all = joined(r->arena, all, p->state);
    return joined(r->arena, all, p->country);
}

/* ResponseType (MS-ASCAL 2.2.2.42). */
static const enum event_response responses[] = {EVENT_NO_RESPONSE, EVENT_ORGANIZER, EVENT_TENTATIVELY_ACCEPTED,
                                                EVENT_ACCEPTED,    EVENT_DECLINED,  EVENT_NO_RESPONSE};

#define ANSWER_TOLD 140 /* from here on by ResponseType */

/* The user's answer; up to 12.1 it is not told, and the list of attendees has to serve, or that a meeting which was put
 * into the calendar tentatively is not tentative any more. */
static enum event_response mine_of(const struct eas_event *r, const struct eas_event_part *p)
{
    bool firm = p->told & EAS_TOLD_BUSY && (p->fields.busy == EVENT_BUSY || p->fields.busy == EVENT_OOF);
    enum event_response unsaid = r->options.version < ANSWER_TOLD && firm ? EVENT_ACCEPTED : EVENT_NO_RESPONSE;

    if (str_case_eq(r->e.organizer_email, r->options.me))
        return EVENT_ORGANIZER; /* some servers say "received" of what an organiser attends himself */
    if (p->told & EAS_TOLD_RESPONSE && p->response > 0)
        return responses[p->response];
    if (!(p->meeting & RECEIVED))
        return EVENT_ORGANIZER;
    for (size_t i = 0; i < p->fields.attendee_count; i++)
        if (str_case_eq(p->fields.attendees[i].email, r->options.me) && p->fields.attendees[i].response)
            return p->fields.attendees[i].response;
    return unsaid;
}

static void drop_organizer(const struct eas_event *r, const struct eas_event_part *p, struct event_fields *f)
{
    f->attendees = p->attendees;
    f->attendee_count = event_drop_attendee(p->attendees, p->fields.attendee_count, r->e.organizer_email);
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

/* What an exception does not tell is as it is in the series. Times are settled when the rest is. */
static void inherit(const struct eas_event *r, const struct eas_event_part *p, const struct event_fields *master,
                    struct event_fields *f)
{
    const struct event_fields *own = &p->fields;

    *f = *master;
    if (p->told & EAS_TOLD_SUBJECT)
        f->subject = own->subject;
    if (p->told & EAS_TOLD_LOCATION)
        f->location = location_of(r, p);
    if (p->told & EAS_TOLD_BODY) {
        f->text = own->text;
        f->html = own->html;
    }
    if (p->told & EAS_TOLD_BUSY)
        f->busy = own->busy;
    if (p->told & EAS_TOLD_SENSITIVITY)
        f->sensitivity = own->sensitivity;
    if (p->told & EAS_TOLD_REMINDER) {
        f->has_reminder = own->has_reminder;
        f->reminder_minutes = own->reminder_minutes;
    }
    if (p->told & EAS_TOLD_CATEGORIES) {
        f->categories = own->categories;
        f->category_count = own->category_count;
    }
    if (p->told & EAS_TOLD_ATTENDEES)
        drop_organizer(r, p, f);
    if (p->told & EAS_TOLD_ATTACHMENTS) {
        f->attachments = own->attachments;
        f->attachment_count = own->attachment_count;
    }
    if (p->told & EAS_TOLD_MEETING)
        f->cancelled = p->meeting & CANCELLED;
    if (p->told & EAS_TOLD_RESPONSE && p->response > 0 && master->mine != EVENT_ORGANIZER)
        f->mine = responses[p->response];
    if (p->told & EAS_TOLD_REPLIED)
        f->replied = own->replied;
}

/* `original` as the rule counts it. */
static int64_t original_of(const struct eas_event *r, const struct eas_event_part *p, const struct tz *zone)
{
    int64_t date;

    if (!r->e.fields.all_day)
        return p->original;
    return date_of(r, p->original, zone, &date) ? date : day_floor(tz_to_local(zone, p->original));
}

static void make_exception(const struct eas_event *r, const struct eas_event_part *p, const struct tz *zone,
                           struct event_exception *to)
{
    const struct event_fields *master = &r->e.fields;
    struct event_fields *f = &to->fields;
    bool all_day = p->told & EAS_TOLD_ALL_DAY ? p->fields.all_day : master->all_day;

    to->original = original_of(r, p, zone);
    to->deleted = p->deleted;
    if (p->deleted)
        return;
    inherit(r, p, master, f);
    f->all_day = all_day;
    if (p->told & EAS_TOLD_START)
        f->start = p->fields.start;
    else if (all_day && !master->all_day)
        f->start = day_floor(tz_to_local(zone, to->original));
    else
        f->start = to->original;
    f->end = p->told & EAS_TOLD_END ? p->fields.end : f->start + (master->end - master->start);
    finish_times(r, zone, f);
}

static void make_exceptions(struct eas_event *r, const struct tz *zone)
{
    struct event_exception *list = arena_array(r->arena, r->exception_count + 1, sizeof(*list));

    for (size_t i = 0; i < r->exception_count; i++)
        make_exception(r, &r->exceptions[i], zone, &list[i]);
    r->e.exceptions = list;
    r->e.exception_count = event_order_exceptions(list, r->exception_count);
}

/* --- rules ------------------------------------------------------------------------------------------------------- */

/* MS-ASCAL 2.2.2.45; false: there is no such pattern, and the first occurrence is all that can be shown. */
static bool take_type(struct event_recurrence *p, unsigned type)
{
    switch (type) {
    case 0: /* with days it is a weekly one: every Tuesday, every weekday */
        p->pattern = p->days ? EVENT_WEEKLY : EVENT_DAILY;
        return true;
    case 1:
        p->pattern = EVENT_WEEKLY;
        return true;
    case 2:
        p->pattern = EVENT_MONTHLY;
        return true;
    case 3:
        p->pattern = EVENT_MONTHLY_RELATIVE;
        return true;
    case 5:
        p->pattern = EVENT_YEARLY;
        return true;
    case 6:
        p->pattern = EVENT_YEARLY_RELATIVE;
        return true;
    default:
        return false;
    }
}

/* What a server leaves out is what the first occurrence says. */
static void fill_rule(struct event_recurrence *p, int64_t local_start)
{
    struct time_parts first;

    time_to_parts(local_start, 0, &first);
    if (p->days == 0)
        p->days = 1u << first.weekday;
    if (p->day_of_month == 0)
        p->day_of_month = (unsigned)first.day;
    if (p->month == 0)
        p->month = (unsigned)first.month;
    if (p->week == 0)
        p->week = (unsigned)(first.day - 1) / 7 + 1;
}

static void drop_foreign_qualifiers(struct event_recurrence *p)
{
    bool relative = p->pattern == EVENT_MONTHLY_RELATIVE || p->pattern == EVENT_YEARLY_RELATIVE;
    bool yearly = p->pattern == EVENT_YEARLY || p->pattern == EVENT_YEARLY_RELATIVE;

    if (!relative && p->pattern != EVENT_WEEKLY)
        p->days = 0;
    if (p->pattern != EVENT_WEEKLY)
        p->first_day = 0;
    if (!relative)
        p->week = 0;
    if (p->pattern != EVENT_MONTHLY && p->pattern != EVENT_YEARLY)
        p->day_of_month = 0;
    if (!yearly)
        p->month = 0;
}

/* The last day of the rule: until is the last moment at which an occurrence may begin. */
static int64_t last_day(int64_t until, int64_t local_start, const struct tz *zone)
{
    int64_t local = zone ? tz_to_local(zone, until) : until, day = day_floor(local);

    return zone && local - day < local_start - day_floor(local_start) ? day - DAY : day;
}

/* local_start: on the wall. zone NULL: dates have none. */
static void finish_rule(struct eas_event *r, int64_t local_start, const struct tz *zone)
{
    struct event_recurrence *p = &r->e.recurrence;

    r->e.has_recurrence = r->e.has_recurrence && take_type(p, r->rule_type);
    if (!r->e.has_recurrence)
        return;
    fill_rule(p, local_start);
    drop_foreign_qualifiers(p);
    if (p->count == 0 && r->until != TIME_NONE) {
        p->has_until = true;
        p->until = last_day(r->until, local_start, zone);
    }
    event_months_to_years(&r->e, local_start);
}

/* How eas_event_write.c makes a single event of a series (16.x). */
static bool is_once(const struct eas_event *r)
{
    const struct event_recurrence *p = &r->e.recurrence;

    return r->options.version >= 160 && p->pattern == EVENT_DAILY && p->interval == 1 && p->count == 1 &&
           r->exception_count == 0;
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static void make_event(struct eas_event *r)
{
    struct event *e = &r->e;
    struct event_fields *f = &e->fields;
    const struct tz *zone = zone_of(r);

    if (!(r->item.told & EAS_TOLD_END))
        f->end = f->start;
    finish_times(r, zone, f);
    f->location = location_of(r, &r->item);
    e->is_meeting = r->item.meeting & MEETING || f->attendee_count > 0;
    f->cancelled = r->item.meeting & CANCELLED;
    f->mine = mine_of(r, &r->item);
    drop_organizer(r, &r->item, f);
    if (!e->is_meeting) {
        e->organizer_email = e->organizer_name = STR_NULL;
        e->response_requested = false;
        f->mine = EVENT_ORGANIZER;
    } else if (r->options.version < 140) { /* not told there, and so by default */
        e->response_requested = true;
    }
    if (f->all_day && r->until != TIME_NONE && !date_of(r, r->until, zone, &r->until))
        r->until = tz_to_local(zone, r->until);
    finish_rule(r, f->all_day ? f->start : tz_to_local(zone, f->start), f->all_day ? NULL : zone);
    e->has_recurrence = e->has_recurrence && !is_once(r);
    if (e->has_recurrence)
        make_exceptions(r, zone);
}

/* --- tasks ------------------------------------------------------------------------------------------------------- */

/* Dates come as local time that is said to be UTC, and as UTC (MS-ASTASK 2.2.2.9, 2.2.2.28). */
static int64_t task_date(const struct eas_event *r, int64_t local, int64_t utc)
{
    if (local != TIME_NONE)
        return day_floor(local);
    if (utc == TIME_NONE || is_midnight(utc))
        return utc;
    return day_floor(tz_to_local(r->options.zone, utc));
}

static void make_task(struct eas_event *r)
{
    struct event *e = &r->e;
    struct event_fields *f = &e->fields;

    e->kind = EVENT_TASK;
    f->all_day = true;
    f->busy = EVENT_FREE; /* a task takes no time */
    f->mine = EVENT_NO_RESPONSE;
    f->start = task_date(r, r->local_start, r->utc_start);
    f->end = task_date(r, r->local_due, r->utc_due);
    e->task.completed = e->task.status == EVENT_COMPLETED ? task_date(r, TIME_NONE, e->task.completed) : TIME_NONE;
    e->task.percent = e->task.status == EVENT_COMPLETED ? 100 : 0;
    f->has_reminder = f->has_reminder && e->task.reminder_at != TIME_NONE;
    if (!f->has_reminder)
        e->task.reminder_at = TIME_NONE;
    e->has_recurrence = e->has_recurrence && !r->dead; /* one that was done, and is no series any more */
    if (e->has_recurrence && f->start == TIME_NONE)
        f->start = task_date(r, TIME_NONE, r->rule_start);
    if (f->end != TIME_NONE && f->start > f->end)
        f->start = f->end;
    if (f->start == TIME_NONE && f->end == TIME_NONE)
        e->has_recurrence = false;
    r->until = task_date(r, TIME_NONE, r->until);
    finish_rule(r, f->start != TIME_NONE ? f->start : f->end, NULL);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static struct str made_uid(struct arena *arena, struct str server_id)
{
    struct crypto_hash h = crypto_sha256(server_id);

    return arena_printf(arena, "item-%02x%02x%02x%02x%02x%02x%02x%02x@exchange", h.b[0], h.b[1], h.b[2], h.b[3], h.b[4],
                        h.b[5], h.b[6], h.b[7]);
}

/* The page of HTML that servers make of no text says nothing. */
static void drop_empty_html(struct event_fields *f)
{
    if (f->text.n == 0 && str_case_find(f->html, STR("<img")) == (size_t)-1)
        f->html = STR_NULL;
}

enum eas_event_made eas_event_make(struct eas_event *r, struct str server_id, struct event *ret)
{
    bool whole = r->options.task ? r->item.told != 0 || r->completes : (r->item.told & EAS_TOLD_START) != 0;

    if (!whole)
        return EAS_EVENT_PARTIAL;
    r->e.fields = r->item.fields;
    if (r->options.task)
        make_task(r);
    else
        make_event(r);
    if (r->e.uid.n == 0)
        r->e.uid = made_uid(r->arena, server_id);
    *ret = r->e;
    return EAS_EVENT_WHOLE;
}

bool eas_event_wants_html(const struct eas_event *r)
{
    bool text = r->item.fields.text.n > 0;

    for (size_t i = 0; i < r->exception_count; i++)
        text = text || r->exceptions[i].fields.text.n > 0;
    return text && (r->native_type == EAS_BODY_HTML || r->native_type == EAS_BODY_RTF);
}

void eas_event_add_html(struct event *to, const struct event *html)
{
    struct event_exception *list = (struct event_exception *)to->exceptions; /* made in make_exceptions() */

    to->fields.html = html->fields.html;
    drop_empty_html(&to->fields);
    for (size_t i = 0; i < to->exception_count; i++) {
        const struct event_exception *x = event_exception(html, list[i].original);

        if (x && !x->deleted) {
            list[i].fields.html = x->fields.html;
            drop_empty_html(&list[i].fields);
        }
    }
}
