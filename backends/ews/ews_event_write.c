/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_event_write.h"

#include <stdio.h>
#include <string.h>

#include "backends/ews/ews_event_read.h"
#include "backends/ews/ews_event_times.h"
#include "backends/ews/ews_find.h"
#include "bridge/base/buf.h"
#include "bridge/base/time.h"

/* What a field is written from. */
struct item {
    const struct event *event;
    const struct event_fields *fields;
    struct str zone, evidence;
};

static struct str zone_name(const struct item *i)
{
    return i->fields->all_day ? i->zone : i->fields->start_zone;
}

/* --- values ----------------------------------------------------------------------------------- */

static void write_time(struct xml_writer *w, const char *name, int64_t at)
{
    struct buf b = {0};
    time_add_iso(&b, at);
    xml_leaf(w, name, buf_view(&b));
    buf_done(&b);
}

static void write_bool(struct xml_writer *w, const char *name, bool on)
{
    xml_leaf_lit(w, name, on ? "true" : "false");
}

/* All-day events are midnights of the user's zone: their dates are the same for everybody there. */
static int64_t instant_of(const struct item *i, int64_t at)
{
    return i->fields->all_day ? tz_to_utc(ews_zone_of(i->zone), at) : at;
}

static int64_t local_date(const struct item *i, int64_t at)
{
    int64_t local = i->fields->all_day ? at : tz_to_local(ews_zone_of(i->fields->start_zone), at);
    return local - ((local % 86400) + 86400) % 86400;
}

static void write_recurrence(struct xml_writer *w, const struct item *i)
{
    bool by_due = i->event->kind == EVENT_TASK && i->fields->start == TIME_NONE;
    ews_write_recurrence(w, &i->event->recurrence, local_date(i, by_due ? i->fields->end : i->fields->start));
}

/* --- people, attachments ---------------------------------------------------------------------- */

static bool has_role(const struct item *i, enum event_role role)
{
    for (size_t k = 0; k < i->fields->attendee_count; k++)
        if (i->fields->attendees[k].role == role)
            return true;
    return false;
}

static void write_people(struct xml_writer *w, const struct item *i, const char *element, enum event_role role)
{
    xml_open(w, element);
    for (size_t k = 0; k < i->fields->attendee_count; k++) {
        const struct event_attendee *a = &i->fields->attendees[k];
        if (a->role != role)
            continue;
        xml_open(w, "t:Attendee");
        xml_open(w, "t:Mailbox");
        if (a->name.n)
            xml_leaf(w, "t:Name", a->name);
        xml_leaf(w, "t:EmailAddress", a->email);
        xml_close(w);
        xml_close(w);
    }
    xml_close(w);
}

static bool has_new_attachments(const struct item *i)
{
    for (size_t k = 0; k < i->fields->attachment_count; k++)
        if (i->fields->attachments[k].id.n == 0 && i->fields->attachments[k].data.n)
            return true;
    return false;
}

void ews_event_write_attachment(struct xml_writer *w, const struct event_attachment *a)
{
    struct xml_base64 st = {.n = 0};
    xml_open(w, "t:FileAttachment");
    xml_leaf(w, "t:Name", a->name.n ? a->name : STR("attachment"));
    if (a->content_type.n)
        xml_leaf(w, "t:ContentType", a->content_type);
    xml_open(w, "t:Content");
    xml_base64(w, &st, a->data);
    xml_base64_end(w, &st);
    xml_close(w);
    xml_close(w);
}

/* --- the fields, in the order of the schema --------------------------------------------------- */

static void subject(struct xml_writer *w, const struct item *i)
{
    xml_leaf(w, "t:Subject", i->fields->subject);
}

static void sensitivity(struct xml_writer *w, const struct item *i)
{
    static const char *const words[] = {"Normal", "Personal", "Private", "Confidential"};
    xml_leaf_lit(w, "t:Sensitivity", words[i->fields->sensitivity]);
}

static void body(struct xml_writer *w, const struct item *i)
{
    bool html = i->fields->html.n > 0;
    xml_open(w, "t:Body");
    xml_attr_lit(w, "BodyType", html ? "HTML" : "Text");
    xml_text(w, html ? i->fields->html : i->fields->text);
    xml_close(w);
}

static void attachments(struct xml_writer *w, const struct item *i)
{
    xml_open(w, "t:Attachments");
    for (size_t k = 0; k < i->fields->attachment_count; k++)
        if (i->fields->attachments[k].id.n == 0 && i->fields->attachments[k].data.n)
            ews_event_write_attachment(w, &i->fields->attachments[k]);
    xml_close(w);
}

static bool has_categories(const struct item *i)
{
    return i->fields->category_count > 0;
}

static void categories(struct xml_writer *w, const struct item *i)
{
    xml_open(w, "t:Categories");
    for (size_t k = 0; k < i->fields->category_count; k++)
        xml_leaf(w, "t:String", i->fields->categories[k]);
    xml_close(w);
}

static void importance(struct xml_writer *w, const struct item *i)
{
    static const char *const words[] = {"Low", "Normal", "High"};
    xml_leaf_lit(w, "t:Importance", words[i->fields->importance]);
}

static bool has_due_reminder(const struct item *i)
{
    return i->fields->has_reminder && i->event->kind == EVENT_TASK && i->event->task.reminder_at != TIME_NONE;
}

static void reminder_due(struct xml_writer *w, const struct item *i)
{
    write_time(w, "t:ReminderDueBy", i->event->task.reminder_at);
}

static void reminder_set(struct xml_writer *w, const struct item *i)
{
    write_bool(w, "t:ReminderIsSet", i->fields->has_reminder);
}

static bool has_minutes(const struct item *i)
{
    return i->fields->has_reminder && i->event->kind != EVENT_TASK;
}

static void reminder_minutes(struct xml_writer *w, const struct item *i)
{
    xml_leaf_u64(w, "t:ReminderMinutesBeforeStart",
                 i->fields->reminder_minutes > 0 ? (uint64_t)i->fields->reminder_minutes : 0);
}

static bool has_evidence(const struct item *i)
{
    return i->evidence.n > 0;
}

static void evidence(struct xml_writer *w, const struct item *i)
{
    xml_open(w, "t:ExtendedProperty");
    ews_write_journal_field(w);
    xml_leaf(w, "t:Value", i->evidence);
    xml_close(w);
}

static void task_uid(struct xml_writer *w, const struct item *i)
{
    xml_open(w, "t:ExtendedProperty");
    ews_event_write_task_uid(w);
    xml_leaf(w, "t:Value", i->event->uid);
    xml_close(w);
}

static void uid(struct xml_writer *w, const struct item *i)
{
    xml_leaf(w, "t:UID", i->event->uid);
}

static void start(struct xml_writer *w, const struct item *i)
{
    write_time(w, "t:Start", instant_of(i, i->fields->start));
}

static void finish(struct xml_writer *w, const struct item *i)
{
    write_time(w, "t:End", instant_of(i, i->fields->end));
}

static void all_day(struct xml_writer *w, const struct item *i)
{
    write_bool(w, "t:IsAllDayEvent", i->fields->all_day);
}

static void busy(struct xml_writer *w, const struct item *i)
{
    static const char *const words[] = {"Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"};
    xml_leaf_lit(w, "t:LegacyFreeBusyStatus", words[i->fields->busy]);
}

static bool has_location(const struct item *i)
{
    return i->fields->location.n > 0;
}

static void location(struct xml_writer *w, const struct item *i)
{
    xml_leaf(w, "t:Location", i->fields->location);
}

static bool is_meeting(const struct item *i)
{
    return i->event->is_meeting;
}

static void answers_wanted(struct xml_writer *w, const struct item *i)
{
    write_bool(w, "t:IsResponseRequested", i->event->response_requested);
}

static bool has_required(const struct item *i)
{
    return has_role(i, EVENT_REQUIRED);
}

static void required(struct xml_writer *w, const struct item *i)
{
    write_people(w, i, "t:RequiredAttendees", EVENT_REQUIRED);
}

static bool has_optional(const struct item *i)
{
    return has_role(i, EVENT_OPTIONAL);
}

static void optional(struct xml_writer *w, const struct item *i)
{
    write_people(w, i, "t:OptionalAttendees", EVENT_OPTIONAL);
}

static bool has_resources(const struct item *i)
{
    return has_role(i, EVENT_RESOURCE);
}

static void resources(struct xml_writer *w, const struct item *i)
{
    write_people(w, i, "t:Resources", EVENT_RESOURCE);
}

static bool recurs(const struct item *i)
{
    return i->event->has_recurrence;
}

static void start_zone(struct xml_writer *w, const struct item *i)
{
    ews_write_zone(w, "t:StartTimeZone", zone_name(i), i->fields->start);
}

static void end_zone(struct xml_writer *w, const struct item *i)
{
    bool own = i->fields->end_zone.n && !i->fields->all_day;
    ews_write_zone(w, "t:EndTimeZone", own ? i->fields->end_zone : zone_name(i), i->fields->end);
}

static bool has_due(const struct item *i)
{
    return i->fields->end != TIME_NONE;
}

static void due(struct xml_writer *w, const struct item *i)
{
    write_time(w, "t:DueDate", i->fields->end);
}

static bool has_task_start(const struct item *i)
{
    return i->fields->start != TIME_NONE;
}

static void task_start(struct xml_writer *w, const struct item *i)
{
    write_time(w, "t:StartDate", i->fields->start);
}

/* To set CompleteDate is to set PercentComplete to 100 and Status to Completed; of what is set the last one decides,
 * and the two others mean today (MS-OXWSTASK, t:TaskType). */
static bool is_complete(const struct item *i)
{
    return i->event->task.status == EVENT_COMPLETED && i->event->task.completed != TIME_NONE;
}

static bool is_not_dated(const struct item *i)
{
    return !is_complete(i);
}

static void completed(struct xml_writer *w, const struct item *i)
{
    write_time(w, "t:CompleteDate", i->event->task.completed);
}

static void percent(struct xml_writer *w, const struct item *i)
{
    const struct event_task *t = &i->event->task; /* 100 is completed and nothing else is, 0 is not started */
    unsigned n = t->status == EVENT_COMPLETED     ? 100
                 : t->status == EVENT_NOT_STARTED ? 0
                 : t->percent > 99                ? 99
                                                  : t->percent;
    xml_leaf_u64(w, "t:PercentComplete", n);
}

static void status(struct xml_writer *w, const struct item *i)
{
    static const char *const words[] = {"NotStarted", "InProgress", "Completed", "WaitingOnOthers", "Deferred"};
    xml_leaf_lit(w, "t:Status", words[i->event->task.status]);
}

enum { EVENTS = 1, TASKS = 2, BOTH = 3, ONCE = 4 /* when it is made, never again */, NOT_OF_ONE = 8 /* occurrence */ };
static const struct field {
    const char *uri; /* NULL: written on creation only */
    unsigned where, part;
    bool (*present)(const struct item *i); /* NULL: always */
    void (*write)(struct xml_writer *w, const struct item *i);
} fields[] = {
    {"item:Subject", BOTH, EVENT_PART_SUBJECT, NULL, subject},
    {"item:Sensitivity", BOTH | NOT_OF_ONE, EVENT_PART_SENSITIVITY, NULL, sensitivity},
    {"item:Body", BOTH, EVENT_PART_BODY, NULL, body},
    {NULL, BOTH | ONCE, 0, has_new_attachments, attachments},
    {"item:Categories", BOTH, EVENT_PART_CATEGORIES, has_categories, categories},
    {"item:Importance", BOTH, EVENT_PART_IMPORTANCE, NULL, importance},
    {"item:ReminderDueBy", TASKS, EVENT_PART_REMINDER | EVENT_PART_TASK, has_due_reminder, reminder_due},
    {"item:ReminderIsSet", BOTH, EVENT_PART_REMINDER, NULL, reminder_set},
    {"item:ReminderMinutesBeforeStart", EVENTS, EVENT_PART_REMINDER, has_minutes, reminder_minutes},
    {NULL, BOTH | ONCE, 0, has_evidence, evidence},
    {NULL, TASKS | ONCE, 0, NULL, task_uid},
    {NULL, EVENTS | ONCE, 0, NULL, uid},
    {"calendar:Start", EVENTS, EVENT_PART_TIME, NULL, start},
    {"calendar:End", EVENTS, EVENT_PART_TIME, NULL, finish},
    {"calendar:IsAllDayEvent", EVENTS, EVENT_PART_TIME, NULL, all_day},
    {"calendar:LegacyFreeBusyStatus", EVENTS, EVENT_PART_BUSY, NULL, busy},
    {"calendar:Location", EVENTS, EVENT_PART_LOCATION, has_location, location},
    {NULL, EVENTS | ONCE, 0, is_meeting, answers_wanted},
    {"calendar:RequiredAttendees", EVENTS, EVENT_PART_ATTENDEES, has_required, required},
    {"calendar:OptionalAttendees", EVENTS, EVENT_PART_ATTENDEES, has_optional, optional},
    {"calendar:Resources", EVENTS, EVENT_PART_ATTENDEES, has_resources, resources},
    {"calendar:Recurrence", EVENTS | NOT_OF_ONE, EVENT_PART_RECURRENCE, recurs, write_recurrence},
    {"calendar:StartTimeZone", EVENTS | NOT_OF_ONE, EVENT_PART_TIME, NULL, start_zone},
    {"calendar:EndTimeZone", EVENTS | NOT_OF_ONE, EVENT_PART_TIME, NULL, end_zone},
    {"task:CompleteDate", TASKS, EVENT_PART_TASK, is_complete, completed},
    {"task:DueDate", TASKS, EVENT_PART_TIME, has_due, due},
    {"task:PercentComplete", TASKS, EVENT_PART_TASK, is_not_dated, percent},
    {"task:Recurrence", TASKS, EVENT_PART_RECURRENCE, recurs, write_recurrence},
    {"task:StartDate", TASKS, EVENT_PART_TIME, has_task_start, task_start},
    {"task:Status", TASKS, EVENT_PART_TASK, is_not_dated, status},
};

void ews_event_write_item(struct xml_writer *w, const struct event *e, struct str zone, struct str token)
{
    struct item i = {e, &e->fields, zone, token};
    unsigned kind = e->kind == EVENT_TASK ? TASKS : EVENTS;
    xml_open(w, e->kind == EVENT_TASK ? "t:Task" : "t:CalendarItem");
    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
        if (fields[k].where & kind && (!fields[k].present || fields[k].present(&i)))
            fields[k].write(w, &i);
    xml_close(w);
}

static void write_update(struct xml_writer *w, const struct field *f, const struct item *i)
{
    bool there = !f->present || f->present(i);
    xml_open(w, there ? "t:SetItemField" : "t:DeleteItemField");
    ews_write_field(w, f->uri);
    if (there) {
        xml_open(w, i->event->kind == EVENT_TASK ? "t:Task" : "t:CalendarItem");
        f->write(w, i);
        xml_close(w);
    }
    xml_close(w);
}

void ews_event_write_updates(struct xml_writer *w, const struct event *e, const struct event_fields *of,
                             struct str zone, unsigned parts, bool occurrence, size_t *ret_count)
{
    struct item i = {e, of, zone, STR_NULL};
    unsigned kind = e->kind == EVENT_TASK ? TASKS : EVENTS;
    *ret_count = 0;
    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
        const struct field *f = &fields[k];
        bool absent_and_no_matter = f->present && !f->present(&i) &&
                                    (f->write == reminder_minutes || f->write == reminder_due ||
                                     f->write == completed || f->present == is_not_dated);
        if (!f->uri || !(f->where & kind) || !(f->part & parts) || (occurrence && f->where & NOT_OF_ONE) ||
            absent_and_no_matter)
            continue;
        write_update(w, f, &i);
        ++*ret_count;
    }
}

void ews_event_write_occurrence_id(struct xml_writer *w, struct str master, unsigned index)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", index);
    xml_open(w, "t:OccurrenceItemId");
    xml_attr(w, "RecurringMasterId", master);
    xml_attr_lit(w, "InstanceIndex", number);
    xml_close(w);
}
