/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_event_fields.h"

#include <string.h>

#include "bridge/base/time.h"
#include "bridge/io/crypto.h"

#define DAY 86400

/* Room for one more at the end of a list in the arena. */
static void *grown(struct arena *arena, void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 4;
    void *more = arena_array(arena, *room, size);
    if (count)
        memcpy(more, list, count * size);
    return more;
}

void ews_event_reading_init(struct ews_event_reading *r, struct arena *arena, size_t max, const struct tz *zone)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena;
    r->zone = zone;
    r->max = max;
    r->list = arena_array(arena, max + 1, sizeof(*r->list));
}

/* --- items ------------------------------------------------------------------------------------ */

static void item_begin(struct ews_event_reading *r)
{
    struct ews_got *g = r->count < r->max ? &r->list[r->count] : &r->list[r->max];
    memset(g, 0, sizeof(*g));
    g->e.fields.mine = EVENT_NO_RESPONSE;
    g->e.fields.importance = EVENT_MEDIUM;
    g->e.fields.busy = EVENT_BUSY;
    g->e.task.completed = g->e.task.reminder_at = TIME_NONE;
    g->e.created = g->e.modified = g->e.stamped = g->e.fields.replied = TIME_NONE;
    r->item = g;
    r->attendees = NULL;
    r->attachments = NULL;
    r->categories = NULL;
    r->attendee_room = r->attachment_room = r->category_room = 0;
    r->body_type = r->body = r->text_body = r->item_class = STR_NULL;
    r->at = r->to = r->original = r->reminder_due = TIME_NONE;
    r->has_start = r->in_uid_property = false;
    r->start_zone = r->end_zone = NULL;
}

static void take_ids(struct ews_event_reading *r, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    struct str id = xml_attr_get(attrs, n, "Id"), change = xml_attr_get(attrs, n, "ChangeKey");
    int parent = xml_parent(x, 1);
    if (id.n > BACKEND_ID_MAX || change.n > BACKEND_ID_MAX) {
        xml_fail(x, ERR_PROTOCOL, "an item id of %zu bytes", id.n > change.n ? id.n : change.n);
    } else if (parent == EL_ITEM || parent == EL_ITEM_OTHER) {
        r->item->id = arena_str(r->arena, id);
        r->item->change = arena_str(r->arena, change);
    } else if (parent == EL_CAL_OCCURRENCE) {
        r->occurrence_id = arena_str(r->arena, id);
    }
}

static void begin_pattern(struct ews_event_reading *r, enum event_pattern pattern, unsigned interval, bool regenerates)
{
    struct event *e = &r->item->e;
    e->has_recurrence = true;
    e->recurrence.pattern = pattern;
    e->recurrence.interval = interval;
    e->recurrence.regenerates = regenerates;
    e->recurrence.first_day = 0;
}

static bool start_pattern(struct ews_event_reading *r, enum ews_el el)
{
    static const struct {
        enum ews_el el;
        enum event_pattern pattern;
        bool again;
    } patterns[] = {
        {EL_REC_DAILY, EVENT_DAILY, false},          {EL_REC_WEEKLY, EVENT_WEEKLY, false},
        {EL_REC_MONTHLY, EVENT_MONTHLY, false},      {EL_REC_MONTHLY_RELATIVE, EVENT_MONTHLY_RELATIVE, false},
        {EL_REC_YEARLY, EVENT_YEARLY, false},        {EL_REC_YEARLY_RELATIVE, EVENT_YEARLY_RELATIVE, false},
        {EL_REC_DAILY_AGAIN, EVENT_DAILY, true},     {EL_REC_WEEKLY_AGAIN, EVENT_WEEKLY, true},
        {EL_REC_MONTHLY_AGAIN, EVENT_MONTHLY, true}, {EL_REC_YEARLY_AGAIN, EVENT_YEARLY, true},
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (patterns[i].el == el) {
            begin_pattern(r, patterns[i].pattern, 1, patterns[i].again);
            return true;
        }
    return false;
}

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_event_reading *r = ud;
    if (el == EL_RESPONSE_MESSAGE) {
        item_begin(r);
        return XML_COLLECT;
    }
    if (start_pattern(r, el))
        return XML_COLLECT;
    switch (el) {
    case EL_MIME_CONTENT:
        return XML_SKIP;
    case EL_ITEM_ID:
        take_ids(r, x, attrs, n);
        break;
    case EL_ITEM_BODY:
        r->body_type = arena_str(r->arena, xml_attr_get(attrs, n, "BodyType"));
        break;
    case EL_CAL_ATTENDEE:
    case EL_CAL_ORGANIZER:
        memset(&r->person, 0, sizeof(r->person));
        r->routing = STR_NULL;
        break;
    case EL_CAL_OCCURRENCE:
    case EL_CAL_DELETED:
        r->occurrence_id = STR_NULL;
        r->original = TIME_NONE;
        break;
    case EL_FILE_ATTACHMENT:
    case EL_ITEM_ATTACHMENT:
    case EL_REFERENCE_ATTACHMENT:
        memset(&r->attachment, 0, sizeof(r->attachment));
        break;
    case EL_ATTACHMENT_ID:
        r->attachment.id = arena_str(r->arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
        break;
    case EL_CAL_START_ZONE:
    case EL_CAL_END_ZONE:
        ews_event_zone_begin(r, attrs, n);
        break;
    case EL_ZONE_PERIOD:
        ews_event_zone_period(r, attrs, n);
        break;
    case EL_EXTENDED:
        r->in_uid_property = false;
        break;
    case EL_EXTENDED_URI:
        r->in_uid_property = str_is(xml_attr_get(attrs, n, "PropertyName"), EWS_TASK_UID);
        break;
    default:
        break;
    }
    return XML_COLLECT;
}

static void end_attendee(struct ews_event_reading *r, struct xml *x)
{
    struct event_fields *f = &r->item->e.fields;
    int parent = xml_parent(x, 1);
    bool smtp = r->routing.n == 0 || str_case_is(r->routing, "SMTP");
    if (!smtp || str_find_byte(r->person.email, '@') == (size_t)-1 || f->attendee_count == EVENT_ATTENDEES_MAX)
        return; /* an address of the directory that nobody outside understands */
    r->person.role = parent == EL_CAL_OPTIONAL    ? EVENT_OPTIONAL
                     : parent == EL_CAL_RESOURCES ? EVENT_RESOURCE
                                                  : EVENT_REQUIRED;
    r->attendees = grown(r->arena, r->attendees, f->attendee_count, &r->attendee_room, sizeof(*r->attendees));
    r->attendees[f->attendee_count++] = r->person;
    f->attendees = r->attendees;
}

static void end_attachment(struct ews_event_reading *r)
{
    struct event_fields *f = &r->item->e.fields;
    if (f->attachment_count == EVENT_ATTACHMENTS_MAX || (r->attachment.id.n == 0 && r->attachment.url.n == 0))
        return;
    r->attachments = grown(r->arena, r->attachments, f->attachment_count, &r->attachment_room, sizeof(*r->attachments));
    r->attachments[f->attachment_count++] = r->attachment;
    f->attachments = r->attachments;
}

static void end_category(struct ews_event_reading *r, struct str text)
{
    struct event_fields *f = &r->item->e.fields;
    if (f->category_count == EVENT_CATEGORIES_MAX || str_trim(text).n == 0)
        return;
    r->categories = grown(r->arena, r->categories, f->category_count, &r->category_room, sizeof(*r->categories));
    r->categories[f->category_count++] = arena_str(r->arena, str_trim(text));
    f->categories = r->categories;
}

static void end_occurrence(struct ews_event_reading *r, bool deleted)
{
    struct ews_got *g = r->item;
    if (r->original == TIME_NONE || g->exception_count + g->occurrence_count >= EVENT_EXCEPTIONS_MAX)
        return;
    if (deleted) {
        g->exceptions = grown(r->arena, g->exceptions, g->exception_count, &g->exception_room, sizeof(*g->exceptions));
        g->exceptions[g->exception_count++] = (struct event_exception){.original = r->original, .deleted = true};
    } else if (r->occurrence_id.n) {
        g->occurrences =
            grown(r->arena, g->occurrences, g->occurrence_count, &g->occurrence_room, sizeof(*g->occurrences));
        g->occurrences[g->occurrence_count++] = (struct ews_occurrence){r->occurrence_id, r->original};
    }
}

static bool is_attachment(int el)
{
    return el == EL_FILE_ATTACHMENT || el == EL_ITEM_ATTACHMENT || el == EL_REFERENCE_ATTACHMENT;
}

static bool end_list_item(struct ews_event_reading *r, struct xml *x, enum ews_el el, struct str text)
{
    struct event *e = &r->item->e;
    int parent = xml_parent(x, 1);
    if (el == EL_CAL_ATTENDEE)
        end_attendee(r, x);
    else if (el == EL_CAL_ORGANIZER && str_find_byte(r->person.email, '@') != (size_t)-1) {
        e->organizer_email = r->person.email;
        e->organizer_name = r->person.name;
    } else if (is_attachment((int)el))
        end_attachment(r);
    else if (el == EL_STRING && parent == EL_CATEGORIES)
        end_category(r, text);
    else if (el == EL_CAL_OCCURRENCE && parent == EL_CAL_MODIFIED_LIST)
        end_occurrence(r, false);
    else if (el == EL_CAL_DELETED && parent == EL_CAL_DELETED_LIST)
        end_occurrence(r, true);
    else if (el == EL_CAL_START_ZONE)
        r->start_zone = ews_event_zone_end(r);
    else if (el == EL_CAL_END_ZONE)
        r->end_zone = ews_event_zone_end(r);
    else
        return false;
    return true;
}

static void on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_event_reading *r = ud;
    int parent = xml_parent(x, 1);
    if (end_list_item(r, x, el, text))
        return;
    if (xml_inside(x, EL_CAL_START_ZONE) || xml_inside(x, EL_CAL_END_ZONE))
        ews_event_zone_field(r, x, el, text);
    else if (xml_inside(x, EL_CAL_RECURRENCE))
        ews_event_recurrence_field(&r->item->e.recurrence, el, text);
    else if (parent == EL_MAILBOX)
        ews_event_mailbox_field(r, el, text);
    else if (parent == EL_CAL_ATTENDEE)
        ews_event_attendee_field(r, el, text);
    else if ((parent == EL_CAL_OCCURRENCE && el == EL_CAL_ORIGINAL) || (parent == EL_CAL_DELETED && el == EL_CAL_START))
        r->original = ews_event_instant(text);
    else if (parent == EL_EXTENDED && el == EL_VALUE && r->in_uid_property)
        r->item->e.uid = arena_str(r->arena, str_trim(text));
    else if (is_attachment(parent))
        ews_event_attachment_field(r, el, text);
    else if (parent == EL_ITEM || parent == EL_ITEM_OTHER)
        ews_event_item_field(r, el, text);
}

/* --- an item is complete ---------------------------------------------------------------------- */

static void finish_body(struct ews_event_reading *r)
{
    struct event_fields *f = &r->item->e.fields;
    bool html = str_case_is(r->body_type, "HTML");
    if (html && r->text_body.p) {
        f->html = r->body;
        f->text = event_lines(r->arena, r->text_body);
    } else {
        f->text = event_lines(r->arena, html ? STR_NULL : r->body);
        f->html = html ? r->body : STR_NULL;
    }
    if (f->html.n && f->text.n == 0 && str_find(f->html, STR("<img")) == (size_t)-1)
        f->html = STR_NULL; /* the empty page that Exchange makes of nothing */
}

static void finish_times(struct ews_event_reading *r)
{
    struct event *e = &r->item->e;
    struct event_fields *f = &e->fields;
    const struct tz *from = r->start_zone ? r->start_zone : r->zone, *to = r->end_zone ? r->end_zone : from;
    if (r->to == TIME_NONE || r->to < r->at)
        r->to = r->at;
    f->start = r->at;
    f->end = r->to;
    if (f->all_day) {
        f->start = ews_event_day(r->at, from);
        f->end = ews_event_day(r->to, from);
        if (f->end <= f->start)
            f->end = f->start + DAY;
    } else {
        f->start_zone = tz_name(from);
        if (to != from)
            f->end_zone = tz_name(to);
    }
    event_months_to_years(e, f->all_day ? f->start : tz_to_local(from, f->start));
    for (size_t i = 0; f->all_day && i < r->item->exception_count; i++)
        r->item->exceptions[i].original = ews_event_day(r->item->exceptions[i].original, from);
    for (size_t i = 0; f->all_day && i < r->item->occurrence_count; i++)
        r->item->occurrences[i].original = ews_event_day(r->item->occurrences[i].original, from);
}

static void finish_task(struct ews_event_reading *r)
{
    struct event *e = &r->item->e;
    e->kind = EVENT_TASK;
    e->fields.all_day = true;
    e->fields.busy = EVENT_FREE; /* a task takes no time */
    e->fields.start = r->at;
    e->fields.end = r->to;
    e->fields.mine = EVENT_NO_RESPONSE;
    event_months_to_years(e, r->at);
    if (e->fields.has_reminder)
        e->task.reminder_at = r->reminder_due;
    if (e->uid.n == 0) { /* tasks have none of their own */
        struct crypto_hash h = crypto_sha256(r->item->id);
        e->uid = arena_printf(r->arena, "task-%02x%02x%02x%02x%02x%02x%02x%02x@exchange", h.b[0], h.b[1], h.b[2],
                              h.b[3], h.b[4], h.b[5], h.b[6], h.b[7]);
    }
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_event_reading *r = ud;
    struct ews_got *g = r->item;
    (void)x;
    (void)index;
    if (!g)
        return;
    if (status->code->err != ERR_NONE) {
        ews_status_err(status, "GetItem", &g->err);
    } else {
        bool task = str_starts(r->item_class, STR("IPM.Task"));
        g->is_event = task || r->has_start;
        finish_body(r);
        if (task)
            finish_task(r);
        else if (r->has_start)
            finish_times(r);
        g->e.fields.attendee_count =
            event_drop_attendee(r->attendees, g->e.fields.attendee_count, g->e.organizer_email);
        if (!g->e.is_meeting) {
            g->e.organizer_email = g->e.organizer_name = STR_NULL;
            g->e.response_requested = false;
            if (!task)
                g->e.fields.mine = EVENT_ORGANIZER;
        }
    }
    if (r->count < r->max)
        r->count++;
}

const struct ews_reader ews_event_reader = {
    .on_start = on_start, .on_end = on_end, .on_message = on_message, .max_bytes = 64 << 20, .max_elements = 2000000};

/* --- series ----------------------------------------------------------------------------------- */

void ews_event_adopt(struct ews_event_reading *masters, struct ews_got *master, const struct ews_occurrence *o,
                     const struct ews_got *changed)
{
    if (!changed->is_event || changed->err.code != ERR_NONE)
        return;
    master->exceptions = grown(masters->arena, master->exceptions, master->exception_count, &master->exception_room,
                               sizeof(*master->exceptions));
    master->exceptions[master->exception_count++] =
        (struct event_exception){.original = o->original, .id = changed->id, .fields = changed->e.fields};
}

void ews_event_complete(struct ews_got *master)
{
    master->exception_count = event_order_exceptions(master->exceptions, master->exception_count);
    master->e.exceptions = master->exceptions;
    master->e.exception_count = master->exception_count;
}

void ews_event_write_task_uid(struct xml_writer *w)
{
    xml_open(w, "t:ExtendedFieldURI");
    xml_attr_lit(w, "DistinguishedPropertySetId", "PublicStrings");
    xml_attr_lit(w, "PropertyName", EWS_TASK_UID);
    xml_attr_lit(w, "PropertyType", "String");
    xml_close(w);
}

/* --- what is asked for ------------------------------------------------------------------------ */

void ews_event_write_shape(struct xml_writer *w, bool task, bool is_15)
{
    static const char *const all[] = {
        "item:ItemClass",   "item:Subject",       "item:Body",        "item:Categories",      "item:Importance",
        "item:Sensitivity", "item:ReminderIsSet", "item:Attachments", "item:DateTimeCreated", "item:LastModifiedTime"};
    static const char *const events[] = {"item:ReminderMinutesBeforeStart",
                                         "calendar:UID",
                                         "calendar:DateTimeStamp",
                                         "calendar:Start",
                                         "calendar:End",
                                         "calendar:IsAllDayEvent",
                                         "calendar:LegacyFreeBusyStatus",
                                         "calendar:Location",
                                         "calendar:IsMeeting",
                                         "calendar:IsCancelled",
                                         "calendar:IsResponseRequested",
                                         "calendar:MyResponseType",
                                         "calendar:Organizer",
                                         "calendar:RequiredAttendees",
                                         "calendar:OptionalAttendees",
                                         "calendar:Resources",
                                         "calendar:AppointmentReplyTime",
                                         "calendar:AppointmentSequenceNumber",
                                         "calendar:Recurrence",
                                         "calendar:ModifiedOccurrences",
                                         "calendar:DeletedOccurrences",
                                         "calendar:StartTimeZone",
                                         "calendar:EndTimeZone"};
    static const char *const tasks[] = {"item:ReminderDueBy", "task:StartDate", "task:DueDate",
                                        "task:CompleteDate",  "task:Status",    "task:PercentComplete",
                                        "task:Recurrence"};
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_leaf_lit(w, "t:BodyType", "Best");
    xml_open(w, "t:AdditionalProperties");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        ews_write_field(w, all[i]);
    if (is_15)
        ews_write_field(w, "item:TextBody");
    for (size_t i = 0; !task && i < sizeof(events) / sizeof(events[0]); i++)
        ews_write_field(w, events[i]);
    for (size_t i = 0; task && i < sizeof(tasks) / sizeof(tasks[0]); i++)
        ews_write_field(w, tasks[i]);
    if (task)
        ews_event_write_task_uid(w);
    xml_close(w);
    xml_close(w);
}
