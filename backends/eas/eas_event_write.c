/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_event_write.h"

#include "bridge/base/buf.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/timezone.h"

#define BODY_TEXT 1
#define BODY_HTML 2

enum meeting_status { MEETING = 1, MEETING_CANCELLED = 4 }; /* MS-ASCAL 2.2.2.28 */

/* What a field is written from. */
struct item {
    const struct event *event;
    const struct event_fields *fields;
    const struct eas_event_writing *o;
    bool occurrence;
    unsigned parts; /* what is to be written; 0 and EVERYTHING as names say */
};
#define EVERYTHING (~0u)

static bool apart(const struct item *i)
{
    return i->o->version >= EAS_EVENTS_APART;
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static const struct tz *zone_by(struct str name)
{
    const struct tz *z = tz_by_name(name);

    return z ? z : tz_utc();
}

/* The one zone that an item has: that of the series for its occurrences, the user's for days. */
static const struct tz *zone_of(const struct event *e, const struct eas_event_writing *o)
{
    return zone_by(e->fields.all_day ? o->zone : e->fields.start_zone);
}

static void add_compact(struct buf *b, int64_t at)
{
    struct time_parts t;

    time_to_parts(at, 0, &t);
    buf_printf(b, "%04d%02d%02dT%02d%02d%02dZ", t.year, t.month, t.day, t.hour, t.minute, t.second);
}

/* MS-ASDTYPE 2.7.2, without punctuation */
static void write_compact(struct eas_writer *w, enum eas_tag tag, int64_t at)
{
    struct buf b = BUF_INIT(64);

    add_compact(&b, at);
    eas_write_text(w, tag, buf_view(&b));
    buf_done(&b);
}

/* Dates: from 16.0 on as they are (MS-ASCAL 2.2.2.1); before, the midnight of the item's zone. */
static int64_t moment(const struct event *e, bool all_day, int64_t at, const struct eas_event_writing *o)
{
    return all_day && o->version < EAS_EVENTS_APART ? tz_to_utc(zone_of(e, o), at) : at;
}

static void write_zone(struct eas_writer *w, const struct item *i)
{
    unsigned char blob[TZ_BLOB_SIZE];
    const struct tz *z = zone_of(i->event, i->o);
    struct time_parts t;
    struct buf b = BUF_INIT(1024);

    if (i->fields->all_day && apart(i))
        return;
    time_to_parts(tz_to_local(z, i->fields->start), 0, &t);
    tz_blob_write(z, t.year, blob);
    text_base64_add(&b, str_of((const char *)blob, sizeof(blob)));
    eas_write_text(w, Calendar_Timezone, buf_view(&b));
    buf_done(&b);
}

static void write_times(struct eas_writer *w, const struct item *i)
{
    const struct event_fields *f = i->fields;

    if (!i->occurrence)
        write_zone(w, i);
    if (!i->occurrence || f->all_day != i->event->fields.all_day)
        eas_write_uint(w, Calendar_AllDayEvent, f->all_day);
    write_compact(w, Calendar_StartTime, moment(i->event, f->all_day, f->start, i->o));
    write_compact(w, Calendar_EndTime, moment(i->event, f->all_day, f->end, i->o));
}

/* --- recurrence -------------------------------------------------------------------------------------------------- */

/* The two classes have the same elements under names of their own. */
struct recurrence_tags {
    enum eas_tag recurrence, type, until, occurrences, interval, days, day, week, month, calendar, leap, first_day;
};
static const struct recurrence_tags event_tags = {Calendar_Recurrence,   Calendar_Type,        Calendar_Until,
                                                  Calendar_Occurrences,  Calendar_Interval,    Calendar_DayOfWeek,
                                                  Calendar_DayOfMonth,   Calendar_WeekOfMonth, Calendar_MonthOfYear,
                                                  Calendar_CalendarType, Calendar_IsLeapMonth, Calendar_FirstDayOfWeek};
static const struct recurrence_tags task_tags = {Tasks_Recurrence,   Tasks_Type,        Tasks_Until,
                                                 Tasks_Occurrences,  Tasks_Interval,    Tasks_DayOfWeek,
                                                 Tasks_DayOfMonth,   Tasks_WeekOfMonth, Tasks_MonthOfYear,
                                                 Tasks_CalendarType, Tasks_IsLeapMonth, Tasks_FirstDayOfWeek};

/* MS-ASCAL 2.2.2.45. Years are counted as months: no server agrees with another on what an interval of years is. */
static void write_pattern(struct eas_writer *w, const struct event_recurrence *p, const struct recurrence_tags *t)
{
    static const unsigned types[] = {
        [EVENT_DAILY] = 0,  [EVENT_WEEKLY] = 1,         [EVENT_MONTHLY] = 2, [EVENT_MONTHLY_RELATIVE] = 3,
        [EVENT_YEARLY] = 5, [EVENT_YEARLY_RELATIVE] = 6};
    bool yearly = p->pattern == EVENT_YEARLY || p->pattern == EVENT_YEARLY_RELATIVE;
    bool as_months = yearly && p->interval > 1;
    bool relative = p->pattern == EVENT_MONTHLY_RELATIVE || p->pattern == EVENT_YEARLY_RELATIVE;
    unsigned interval = p->interval ? p->interval : 1;

    eas_write_uint(w, t->interval, as_months ? interval * 12 : interval);
    eas_write_uint(w, t->type, as_months ? (relative ? 3 : 2) : types[p->pattern]);
    if (p->regenerates)
        return;
    if (p->pattern == EVENT_WEEKLY || relative)
        eas_write_uint(w, t->days, p->days);
    if (p->pattern == EVENT_MONTHLY || p->pattern == EVENT_YEARLY)
        eas_write_uint(w, t->day, p->day_of_month);
    if (relative)
        eas_write_uint(w, t->week, p->week);
    if (yearly && !as_months)
        eas_write_uint(w, t->month, p->month);
}

/* CalendarType 14.0, FirstDayOfWeek 14.1 */
static void write_more_of_pattern(struct eas_writer *w, const struct event_recurrence *p,
                                  const struct recurrence_tags *t, unsigned version)
{
    if (version >= 140 && p->calendar) {
        eas_write_uint(w, t->calendar, p->calendar);
        eas_write_uint(w, t->leap, p->leap_month);
    }
    if (version >= 141 && p->pattern == EVENT_WEEKLY && !p->regenerates)
        eas_write_uint(w, t->first_day, p->first_day % 7);
}

/* The last start: the date of the rule's end at the time of day at which the series begins. */
static int64_t until(const struct event *e, const struct eas_event_writing *o)
{
    const struct tz *z = zone_of(e, o);
    int64_t local = tz_to_local(z, e->fields.start);

    if (e->fields.all_day)
        return moment(e, true, e->recurrence.until, o);
    return tz_to_utc(z, e->recurrence.until + ((local % 86400) + 86400) % 86400);
}

static void write_recurrence(struct eas_writer *w, const struct item *i)
{
    const struct event_recurrence *p = &i->event->recurrence;

    eas_write_open(w, Calendar_Recurrence);
    write_pattern(w, p, &event_tags);
    if (p->count)
        eas_write_uint(w, Calendar_Occurrences, p->count);
    else if (p->has_until)
        write_compact(w, Calendar_Until, until(i->event, i->o));
    write_more_of_pattern(w, p, &event_tags, i->o->version);
    eas_write_close(w);
}

/*
 * 16.x: a series that is to be a single event. What a Change leaves out stays (MS-ASCAL 3.1.5.3), and a Recurrence
 * without a Type is none (2.2.2.37), so a rule cannot be taken away. To delete the item and add another would call the
 * meeting off and invite to a new one, and lose the answers. A rule of one occurrence says the same as none: one
 * change, which the guests hear of once. eas_event_make.c reads it as a single event.
 */
static void write_once(struct eas_writer *w)
{
    static const struct event_recurrence once = {.pattern = EVENT_DAILY, .interval = 1, .count = 1};

    eas_write_open(w, Calendar_Recurrence);
    write_pattern(w, &once, &event_tags);
    eas_write_uint(w, Calendar_Occurrences, once.count);
    eas_write_close(w);
}

/* --- texts, people ----------------------------------------------------------------------------------------------- */

static void write_crlf(struct eas_writer *w, enum eas_tag tag, struct str text)
{
    struct buf b = BUF_INIT(BUF_DEFAULT_LIMIT);

    for (size_t n = 0; n < text.n; n++) {
        if (text.p[n] == '\n' && (n == 0 || text.p[n - 1] != '\r'))
            buf_byte(&b, '\r');
        buf_byte(&b, text.p[n]);
    }
    w->out->failed |= b.failed;
    eas_write_text(w, tag, buf_view(&b));
    buf_done(&b);
}

static void write_body(struct eas_writer *w, const struct event_fields *f)
{
    bool html = f->html.n > 0;

    eas_write_open(w, AirSyncBase_Body);
    eas_write_uint(w, AirSyncBase_Type, html ? BODY_HTML : BODY_TEXT);
    write_crlf(w, AirSyncBase_Data, html ? f->html : f->text);
    eas_write_close(w);
}

static bool has_body(const struct event_fields *f)
{
    return f->text.n > 0 || f->html.n > 0;
}

static void write_location(struct eas_writer *w, const struct item *i)
{
    if (!apart(i)) {
        eas_write_text(w, Calendar_Location, i->fields->location);
        return;
    }
    if (i->fields->location.n == 0) {
        eas_write_empty(w, AirSyncBase_Location);
        return;
    }
    eas_write_open(w, AirSyncBase_Location);
    eas_write_text(w, AirSyncBase_DisplayName, i->fields->location);
    eas_write_close(w);
}

static void write_categories(struct eas_writer *w, enum eas_tag list, enum eas_tag one, const struct event_fields *f)
{
    if (f->category_count == 0) {
        eas_write_empty(w, list);
        return;
    }
    eas_write_open(w, list);
    for (size_t n = 0; n < f->category_count; n++)
        eas_write_text(w, one, f->categories[n]);
    eas_write_close(w);
}

/* What the server knows of somebody's answer is its own: said back as it is, or it would be lost (up to 14.1). */
static unsigned status_of(const struct event *base, struct str email)
{
    static const unsigned codes[] = {[EVENT_NO_RESPONSE] = 0,
                                     [EVENT_ORGANIZER] = 0,
                                     [EVENT_ACCEPTED] = 3,
                                     [EVENT_TENTATIVELY_ACCEPTED] = 2,
                                     [EVENT_DECLINED] = 4};

    for (size_t n = 0; base && n < base->fields.attendee_count; n++)
        if (str_case_eq(base->fields.attendees[n].email, email))
            return codes[base->fields.attendees[n].response];
    return 0;
}

static void write_attendees(struct eas_writer *w, const struct item *i)
{
    static const unsigned types[] = {[EVENT_REQUIRED] = 1, [EVENT_OPTIONAL] = 2, [EVENT_RESOURCE] = 3};

    if (i->fields->attendee_count == 0) {
        eas_write_empty(w, Calendar_Attendees);
        return;
    }
    eas_write_open(w, Calendar_Attendees);
    for (size_t n = 0; n < i->fields->attendee_count; n++) {
        const struct event_attendee *a = &i->fields->attendees[n];

        eas_write_open(w, Calendar_Attendee);
        eas_write_text(w, Calendar_Email, a->email);
        eas_write_text(w, Calendar_Name, a->name.n ? a->name : a->email);
        if (!apart(i))
            eas_write_uint(w, Calendar_AttendeeStatus, status_of(i->o->base, a->email));
        eas_write_uint(w, Calendar_AttendeeType, types[a->role]);
        eas_write_close(w);
    }
    eas_write_close(w);
}

/* Is there anybody to be taken away? Of an occurrence they are written only when they differ from what it has. */
static bool had_attendees(const struct item *i)
{
    return i->occurrence || (i->o->base && i->o->base->fields.attendee_count > 0);
}

static void write_meeting_status(struct eas_writer *w, const struct item *i)
{
    unsigned status = i->event->is_meeting ? MEETING | (i->fields->cancelled ? MEETING_CANCELLED : 0) : 0;

    eas_write_uint(w, Calendar_MeetingStatus, status);
}

static void write_organizer(struct eas_writer *w, const struct item *i)
{
    struct str email = i->event->organizer_email.n ? i->event->organizer_email : i->o->email;

    if (!i->event->is_meeting || email.n == 0)
        return;
    eas_write_text(w, Calendar_OrganizerName, i->event->organizer_name.n ? i->event->organizer_name : email);
    eas_write_text(w, Calendar_OrganizerEmail, email);
}

static void write_reminder(struct eas_writer *w, const struct event_fields *f)
{
    if (f->has_reminder)
        eas_write_uint(w, Calendar_Reminder, (uint64_t)f->reminder_minutes);
    else
        eas_write_empty(w, Calendar_Reminder);
}

/* --- occurrences ------------------------------------------------------------------------------------------------- */

static struct event_fields by_rule(const struct event *e, int64_t original)
{
    struct event_fields f = e->fields;

    f.end = original + (f.end - f.start);
    f.start = original;
    return f;
}

#define NOT_SENT (EVENT_PART_MINE | EVENT_PART_RESPONSES | EVENT_PART_CANCELLED | EVENT_PART_IMPORTANCE)

unsigned eas_event_occurrence_parts(const struct event *e, const struct event_exception *x, const struct event *base)
{
    const struct event_exception *was = base ? event_exception(base, x->original) : NULL;
    struct eas_event_files files = eas_event_files_of(e, x, base);
    struct event_fields rule = by_rule(e, x->original);
    unsigned parts = event_fields_differ(was && !was->deleted ? &was->fields : &rule, &x->fields) & ~(unsigned)NOT_SENT;

    /* Servers give an occurrence copies of the series' attachments, under ids of their own: no change of ours. */
    if (!eas_event_files_change(&files))
        parts &= ~(unsigned)EVENT_PART_ATTACHMENTS;
    return parts;
}

const struct event_exception *eas_event_exception_at(const struct event *e, size_t n)
{
    for (int changed = 0; changed < 2; changed++)
        for (size_t k = 0; k < e->exception_count; k++)
            if (e->exceptions[k].deleted == !changed && n-- == 0)
                return &e->exceptions[k];
    return NULL;
}

/* Up to 14.1 an occurrence that stands in the item keeps what is left out: all that is not as the rule has it, and what
 * the server has had of its own. */
static unsigned exception_parts(const struct event *e, const struct event_exception *x, const struct event *base)
{
    return eas_event_occurrence_parts(e, x, NULL) | eas_event_occurrence_parts(e, x, base);
}

static void write_fields(struct eas_writer *w, const struct item *i);

static void write_exception(struct eas_writer *w, const struct item *series, const struct event_exception *x)
{
    struct item i = {.event = series->event, .fields = &x->fields, .o = series->o, .occurrence = true};

    eas_write_open(w, Calendar_Exception);
    if (x->deleted)
        eas_write_uint(w, Calendar_Deleted, 1);
    write_compact(w, Calendar_ExceptionStartTime, moment(i.event, i.event->fields.all_day, x->original, series->o));
    if (!x->deleted) {
        i.parts = exception_parts(i.event, x, series->o->base) | EVENT_PART_TIME;
        write_fields(w, &i);
    }
    eas_write_close(w);
}

static void write_exceptions(struct eas_writer *w, const struct item *i)
{
    const struct event *e = i->event;

    if (e->exception_count == 0)
        return;
    eas_write_open(w, Calendar_Exceptions);
    for (size_t n = 0; n < e->exception_count; n++)
        write_exception(w, i, eas_event_exception_at(e, n));
    eas_write_close(w);
}

void eas_event_write_occurrence(struct eas_writer *w, const struct event *e, const struct event_exception *x,
                                const struct eas_event_writing *o, unsigned parts)
{
    struct eas_event_files files = eas_event_files_of(e, x, o->base);

    write_fields(w, &(struct item){.event = e, .fields = &x->fields, .o = o, .occurrence = true, .parts = parts});
    if (parts & EVENT_PART_ATTACHMENTS)
        eas_event_write_files(w, &files);
}

struct str eas_event_instance_id(const struct event *e, int64_t original, const struct eas_event_writing *o,
                                 struct arena *arena)
{
    struct buf b = BUF_INIT(64);
    struct str text;

    add_compact(&b, moment(e, e->fields.all_day, original, o));
    text = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return text;
}

/* MeetingResponse wants an instant, whatever the version. */
struct str eas_event_instance_extended(const struct event *e, int64_t original, const struct eas_event_writing *o,
                                       struct arena *arena)
{
    int64_t at = e->fields.all_day ? tz_to_utc(zone_of(e, o), original) : original;
    struct buf b = BUF_INIT(64);
    struct str text;

    time_add_iso_ms(&b, at * 1000);
    text = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return text;
}

/* --- an event ---------------------------------------------------------------------------------------------------- */

/* What an item and an occurrence have in common, in the order of the schema. */
static void write_fields(struct eas_writer *w, const struct item *i)
{
    const struct event_fields *f = i->fields;
    unsigned parts = i->parts;

    if (parts & EVENT_PART_TIME)
        write_times(w, i);
    if (!apart(i))
        write_compact(w, Calendar_DtStamp, i->o->stamped);
    if (parts & EVENT_PART_SUBJECT)
        eas_write_text(w, Calendar_Subject, f->subject);
    if (parts & EVENT_PART_LOCATION)
        write_location(w, i);
    if (parts & EVENT_PART_BODY)
        write_body(w, f);
    if (parts & EVENT_PART_REMINDER)
        write_reminder(w, f);
    if (parts & EVENT_PART_BUSY)
        eas_write_uint(w, Calendar_BusyStatus, f->busy);
    if (parts & EVENT_PART_SENSITIVITY)
        eas_write_uint(w, Calendar_Sensitivity, f->sensitivity);
    if (parts & EVENT_PART_ATTENDEES) {
        write_meeting_status(w, i);
        if (!apart(i) || f->attendee_count > 0 || had_attendees(i))
            write_attendees(w, i);
    }
    if (!i->occurrence && !apart(i))
        write_organizer(w, i);
    if (parts & EVENT_PART_CATEGORIES)
        write_categories(w, Calendar_Categories, Calendar_Category, f);
}

/* Up to 14.1 all of it; what an Add has nothing to say of is left out, and so is what the version does not let be
 * empty. */
static unsigned whole(const struct event *e, const struct eas_event_writing *o)
{
    const struct event_fields *f = &e->fields;
    bool add = !o->base, apart = o->version >= EAS_EVENTS_APART;
    unsigned parts = EVERYTHING;

    if (!has_body(f) && (add || !has_body(&o->base->fields)))
        parts &= ~(unsigned)EVENT_PART_BODY;
    if (!f->has_reminder && (add || o->version < 141))
        parts &= ~(unsigned)EVENT_PART_REMINDER;
    if (add && f->location.n == 0)
        parts &= ~(unsigned)EVENT_PART_LOCATION;
    if (add && f->category_count == 0)
        parts &= ~(unsigned)EVENT_PART_CATEGORIES;
    if (add && apart && f->subject.n == 0)
        parts &= ~(unsigned)EVENT_PART_SUBJECT;
    return parts;
}

static void write_event(struct eas_writer *w, const struct event *e, const struct eas_event_writing *o)
{
    bool apart = o->version >= EAS_EVENTS_APART;
    struct item i = {.event = e, .fields = &e->fields, .o = o, .parts = apart && o->base ? o->parts : whole(e, o)};

    write_fields(w, &i);
    if (e->uid.n > 0 && (!apart || !o->base))
        eas_write_text(w, apart ? Calendar_ClientUid : Calendar_UID, e->uid);
    if (e->has_recurrence && i.parts & EVENT_PART_RECURRENCE)
        write_recurrence(w, &i);
    else if (apart && o->base && o->base->has_recurrence && i.parts & EVENT_PART_RECURRENCE)
        write_once(w);
    if (!apart && e->has_recurrence && o->with_exceptions)
        write_exceptions(w, &i);
    if (o->version >= 140 && e->is_meeting && i.parts & EVENT_PART_ATTENDEES)
        eas_write_uint(w, Calendar_ResponseRequested, e->response_requested);
    if (apart && i.parts & EVENT_PART_ATTACHMENTS)
        eas_event_write_files(w,
                              &(struct eas_event_files){.wanted = i.fields, .was = o->base ? &o->base->fields : NULL});
}

/* --- a task ------------------------------------------------------------------------------------------------------ */

static void write_extended(struct eas_writer *w, enum eas_tag tag, int64_t at)
{
    struct buf b = BUF_INIT(64);

    time_add_iso_ms(&b, at * 1000);
    eas_write_text(w, tag, buf_view(&b));
    buf_done(&b);
}

/* Each date twice: its midnight at the user's, and the same said to be UTC (MS-ASTASK 2.2.2.7). */
static void write_date(struct eas_writer *w, enum eas_tag utc, enum eas_tag local, int64_t date, struct str zone)
{
    if (date == TIME_NONE)
        return;
    write_extended(w, utc, tz_to_utc(zone_by(zone), date));
    write_extended(w, local, date);
}

static int64_t task_start(const struct event *e)
{
    return e->fields.start != TIME_NONE ? e->fields.start : e->fields.end;
}

static void write_task_recurrence(struct eas_writer *w, const struct event *e, const struct eas_event_writing *o)
{
    const struct event_recurrence *p = &e->recurrence;

    eas_write_open(w, Tasks_Recurrence);
    write_pattern(w, p, &task_tags);
    write_extended(w, Tasks_Start, task_start(e));
    if (p->count)
        eas_write_uint(w, Tasks_Occurrences, p->count);
    else if (p->has_until)
        write_extended(w, Tasks_Until, p->until);
    eas_write_uint(w, Tasks_Regenerate, p->regenerates);
    eas_write_uint(w, Tasks_DeadOccur, 0);
    write_more_of_pattern(w, p, &task_tags, o->version);
    eas_write_close(w);
}

static void write_task(struct eas_writer *w, const struct event *e, const struct eas_event_writing *o)
{
    const struct event_fields *f = &e->fields;
    bool done = e->task.status == EVENT_COMPLETED, empty = o->version < EAS_EVENTS_APART;

    if (has_body(f) || (o->base && has_body(&o->base->fields)))
        write_body(w, f);
    if (f->subject.n > 0 || empty)
        eas_write_text(w, Tasks_Subject, f->subject);
    eas_write_uint(w, Tasks_Importance, f->importance);
    write_date(w, Tasks_UtcStartDate, Tasks_StartDate, f->start, o->zone);
    write_date(w, Tasks_UtcDueDate, Tasks_DueDate, f->end, o->zone);
    if (f->category_count > 0 || (empty && o->base))
        write_categories(w, Tasks_Categories, Tasks_Category, f);
    if (e->has_recurrence)
        write_task_recurrence(w, e, o);
    eas_write_uint(w, Tasks_Complete, done);
    if (done)
        write_extended(w, Tasks_DateCompleted,
                       tz_to_utc(zone_by(o->zone), e->task.completed != TIME_NONE ? e->task.completed : o->stamped));
    eas_write_uint(w, Tasks_Sensitivity, f->sensitivity);
    eas_write_uint(w, Tasks_ReminderSet, f->has_reminder);
    if (f->has_reminder)
        write_extended(w, Tasks_ReminderTime, e->task.reminder_at);
}

void eas_event_write(struct eas_writer *w, const struct event *e, const struct eas_event_writing *o)
{
    if (e->kind == EVENT_TASK)
        write_task(w, e, o);
    else
        write_event(w, e, o);
}
