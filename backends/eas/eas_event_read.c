/* SPDX-License-Identifier: Apache-2.0 */
/* The elements of events and tasks, as they come; eas_event_make.c makes the event of them. */
#include "backends/eas/eas_event_read.h"

#include "backends/eas/eas_item.h"
#include "bridge/backend.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"

#define REMINDER_MAX ((unsigned)10 * 366 * 24 * 60) /* minutes: ten years */
#define FIRST_DAY    1 /* of the week, where it is not told (before 14.1; SOGo): Monday, as in iCalendar */

/* --- values ------------------------------------------------------------------------------------------------------ */

/* Room for one more at the end of a list in the arena. */
static void *grown(struct arena *arena, void *list, size_t count, size_t *room, size_t size)
{
    void *more;

    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 4;
    more = arena_array(arena, *room, size);
    if (count > 0)
        memcpy(more, list, count * size);
    return more;
}

/* One line of text: valid UTF-8 without control characters. */
static struct str keep(struct arena *arena, struct str text, size_t max)
{
    struct str valid = text_utf8_repair(arena, str_sub(text, 0, max));
    char *to = arena_alloc(arena, valid.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < valid.n; i++)
        if ((unsigned char)valid.p[i] >= ' ' && valid.p[i] != '\x7F')
            to[n++] = valid.p[i];
        else if (valid.p[i] == '\t' || valid.p[i] == '\n')
            to[n++] = ' ';
    return str_trim(str_of(to, n));
}

/* The same of what may have several lines, and blanks that mean something: a place's address. */
static struct str keep_lines(struct arena *arena, struct str text)
{
    struct str lines = event_lines(arena, text_utf8_repair(arena, str_sub(text, 0, EAS_EVENT_TEXT_MAX)));
    char *to = arena_alloc(arena, lines.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < lines.n; i++)
        if (((unsigned char)lines.p[i] >= ' ' && lines.p[i] != '\x7F') || lines.p[i] == '\t' || lines.p[i] == '\n')
            to[n++] = lines.p[i];
    return str_of(to, n);
}

/* Compact and ISO 8601 forms come from all servers (MS-ASDTYPE 2.7.2); fractions do not count. */
static int64_t instant(struct str text)
{
    int64_t ms;

    return time_parse_iso(str_trim(text), &ms) ? ms / 1000 : TIME_NONE;
}

/* A number within the range; else `otherwise`. */
static unsigned number(struct str text, unsigned low, unsigned high, unsigned otherwise)
{
    int n = eas_number(text);

    return n >= 0 && (unsigned)n >= low && (unsigned)n <= high ? (unsigned)n : otherwise;
}

static bool is_true(struct str text)
{
    return eas_number(text) == 1;
}

/* --- leaves ------------------------------------------------------------------------------------------------------ */

#define LEAF(function, ...)                                                                                            \
    bool function(void *ud, struct str text, struct err *err)                                                          \
    {                                                                                                                  \
        struct eas_event *r = ud;                                                                                      \
                                                                                                                       \
        (void)err;                                                                                                     \
        __VA_ARGS__;                                                                                                   \
        return true;                                                                                                   \
    }

static void tell(struct eas_event *r, enum eas_told what)
{
    r->now->told |= what;
}

static void take_instant(struct eas_event *r, enum eas_told what, int64_t *to, struct str text)
{
    int64_t at = instant(text);

    if (at == TIME_NONE)
        return;
    *to = at;
    tell(r, what);
}

LEAF(eas_event_start, take_instant(r, EAS_TOLD_START, &r->now->fields.start, text))
LEAF(eas_event_end, take_instant(r, EAS_TOLD_END, &r->now->fields.end, text))
LEAF(eas_event_replied, take_instant(r, EAS_TOLD_REPLIED, &r->now->fields.replied, text))
LEAF(eas_event_all_day, tell(r, EAS_TOLD_ALL_DAY); r->now->fields.all_day = is_true(text))
LEAF(eas_event_subject, tell(r, EAS_TOLD_SUBJECT); r->now->fields.subject = keep_lines(r->arena, text))
LEAF(eas_event_location, tell(r, EAS_TOLD_LOCATION); r->now->fields.location = keep_lines(r->arena, text))
LEAF(eas_event_busy, tell(r, EAS_TOLD_BUSY);
     r->now->fields.busy = (enum event_busy)number(text, EVENT_FREE, EVENT_ELSEWHERE, EVENT_BUSY))
LEAF(eas_event_sensitivity, tell(r, EAS_TOLD_SENSITIVITY);
     r->now->fields.sensitivity = (enum event_sensitivity)number(text, EVENT_NORMAL, EVENT_CONFIDENTIAL, EVENT_NORMAL))
LEAF(eas_event_meeting, tell(r, EAS_TOLD_MEETING); r->now->meeting = number(text, 0, 15, 0))
LEAF(eas_event_response, tell(r, EAS_TOLD_RESPONSE); r->now->response = number(text, 0, 5, 0))
LEAF(eas_event_original, if (r->now->original == TIME_NONE) r->now->original = instant(text))
LEAF(eas_event_instance, r->now->original = instant(text))
LEAF(eas_event_deleted, r->now->deleted = is_true(text))
LEAF(eas_event_zone, r->zone_blob = arena_str(r->arena, str_sub(str_trim(text), 0, TEXT_BASE64_SIZE(TZ_BLOB_SIZE) + 8)))
LEAF(eas_event_uid, r->e.uid = keep(r->arena, text, EAS_EVENT_UID_MAX))
LEAF(eas_event_stamp, r->e.stamped = instant(text))
LEAF(eas_event_organizer_name, r->e.organizer_name = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_organizer_email, r->e.organizer_email = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_response_requested, r->e.response_requested = is_true(text))
LEAF(eas_event_native_type, r->native_type = eas_number(text))
LEAF(eas_event_join_url, if (r->e.join_url.n == 0) r->e.join_url = keep(r->arena, text, EAS_EVENT_TEXT_MAX))

/* The empty element takes the reminder away (MS-ASCAL 2.2.2.38). */
LEAF(eas_event_reminder, tell(r, EAS_TOLD_REMINDER); unsigned minutes = number(text, 0, REMINDER_MAX, REMINDER_MAX + 1);
     r->now->fields.has_reminder = minutes <= REMINDER_MAX;
     r->now->fields.reminder_minutes = minutes <= REMINDER_MAX ? (int)minutes : 0)

LEAF(eas_event_street, r->now->street = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_city, r->now->city = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_state, r->now->state = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_country, r->now->country = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_postal_code, r->now->postal_code = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_annotation, r->now->annotation = keep(r->arena, text, EAS_EVENT_TEXT_MAX))

LEAF(eas_event_rule_type, r->rule_type = number(text, 0, 6, EAS_RULE_UNKNOWN))
LEAF(eas_event_rule_interval, r->e.recurrence.interval = number(text, 1, EVENT_INTERVAL_MAX, 1))
LEAF(eas_event_rule_days, r->e.recurrence.days = number(text, 1, EVENT_EVERY_DAY, 0))
LEAF(eas_event_rule_day, r->e.recurrence.day_of_month = number(text, 1, 31, 0))
LEAF(eas_event_rule_week, r->e.recurrence.week = number(text, 1, EVENT_LAST_WEEK, 0))
LEAF(eas_event_rule_month, r->e.recurrence.month = number(text, 1, 12, 0))
LEAF(eas_event_rule_count, r->e.recurrence.count = number(text, 1, EVENT_COUNT_MAX, 0))
LEAF(eas_event_rule_until, r->until = instant(text))
LEAF(eas_event_rule_first_day, r->e.recurrence.first_day = number(text, 0, 6, FIRST_DAY))
LEAF(eas_event_rule_calendar, r->e.recurrence.calendar = number(text, 0, 255, 0))
LEAF(eas_event_rule_leap_month, r->e.recurrence.leap_month = is_true(text))
LEAF(eas_event_rule_start, r->rule_start = instant(text))
LEAF(eas_event_rule_regenerates, r->e.recurrence.regenerates = is_true(text))
LEAF(eas_event_rule_dead, r->dead = is_true(text))

LEAF(eas_event_task_complete, r->completes = true;
     r->e.task.status = is_true(text) ? EVENT_COMPLETED : EVENT_NOT_STARTED)
LEAF(eas_event_task_completed, r->e.task.completed = instant(text))
LEAF(eas_event_task_start, r->local_start = instant(text))
LEAF(eas_event_task_utc_start, r->utc_start = instant(text))
LEAF(eas_event_task_due, r->local_due = instant(text))
LEAF(eas_event_task_utc_due, r->utc_due = instant(text))
LEAF(eas_event_task_reminder_set, r->item.fields.has_reminder = is_true(text))
LEAF(eas_event_task_reminder, r->e.task.reminder_at = instant(text))
LEAF(eas_event_importance,
     r->item.fields.importance = (enum event_importance)number(text, EVENT_LOW, EVENT_HIGH, EVENT_MEDIUM))

/* --- lists ------------------------------------------------------------------------------------------------------- */

bool eas_event_location_open(void *ud, struct err *err)
{
    (void)err;
    tell(ud, EAS_TOLD_LOCATION);
    return true;
}

bool eas_event_rule_open(void *ud, struct err *err)
{
    struct eas_event *r = ud;

    (void)err;
    r->e.has_recurrence = true;
    r->e.recurrence = (struct event_recurrence){.interval = 1, .first_day = FIRST_DAY};
    r->rule_type = EAS_RULE_UNKNOWN;
    return true;
}

bool eas_event_categories_open(void *ud, struct err *err)
{
    (void)err;
    tell(ud, EAS_TOLD_CATEGORIES);
    return true;
}

bool eas_event_category(void *ud, struct str text, struct err *err)
{
    struct eas_event *r = ud;
    struct event_fields *f = &r->now->fields;
    struct str name = keep(r->arena, text, EAS_CATEGORY_MAX);

    (void)err;
    if (name.n == 0 || f->category_count == EVENT_CATEGORIES_MAX)
        return true;
    r->now->categories =
        grown(r->arena, r->now->categories, f->category_count, &r->now->category_room, sizeof(struct str));
    r->now->categories[f->category_count++] = name;
    f->categories = r->now->categories;
    return true;
}

bool eas_event_attendees_open(void *ud, struct err *err)
{
    (void)err;
    tell(ud, EAS_TOLD_ATTENDEES);
    return true;
}

bool eas_event_attendee_open(void *ud, struct err *err)
{
    (void)err;
    ((struct eas_event *)ud)->attendee = (struct event_attendee){0};
    return true;
}

/* MS-ASCAL 2.2.2.4. */
bool eas_event_attendee_status(void *ud, struct str text, struct err *err)
{
    static const enum event_response responses[] = {
        [2] = EVENT_TENTATIVELY_ACCEPTED, [3] = EVENT_ACCEPTED, [4] = EVENT_DECLINED, [5] = EVENT_NO_RESPONSE};

    (void)err;
    ((struct eas_event *)ud)->attendee.response = responses[number(text, 2, 5, 5)];
    return true;
}

/* MS-ASCAL 2.2.2.5. */
bool eas_event_attendee_type(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_event *)ud)->attendee.role = (enum event_role)(number(text, 1, 3, 1) - 1);
    return true;
}

LEAF(eas_event_attendee_name, r->attendee.name = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_attendee_email, r->attendee.email = keep(r->arena, text, EAS_EVENT_TEXT_MAX))

/* "Somebody <a@example.com>", as some servers have it: the address alone. */
static struct str bare_address(struct str email)
{
    size_t from = str_find_byte(email, '<'), to = str_find_byte(email, '>');

    return from != (size_t)-1 && to != (size_t)-1 && from < to ? str_sub(email, from + 1, to - from - 1) : email;
}

bool eas_event_attendee_close(void *ud, struct err *err)
{
    struct eas_event *r = ud;
    struct event_fields *f = &r->now->fields;

    (void)err;
    r->attendee.email = bare_address(r->attendee.email);
    if (str_find_byte(r->attendee.email, '@') == (size_t)-1 || f->attendee_count == EVENT_ATTENDEES_MAX)
        return true; /* an address of the directory that nobody outside understands */
    r->now->attendees =
        grown(r->arena, r->now->attendees, f->attendee_count, &r->now->attendee_room, sizeof(*r->now->attendees));
    r->now->attendees[f->attendee_count++] = r->attendee;
    f->attendees = r->now->attendees;
    return true;
}

bool eas_event_attachments_open(void *ud, struct err *err)
{
    (void)err;
    tell(ud, EAS_TOLD_ATTACHMENTS);
    return true;
}

bool eas_event_attachment_open(void *ud, struct err *err)
{
    (void)err;
    ((struct eas_event *)ud)->attachment = (struct event_attachment){0};
    return true;
}

LEAF(eas_event_attachment_name, r->attachment.name = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_attachment_type, r->attachment.content_type = keep(r->arena, text, EAS_EVENT_TEXT_MAX))
LEAF(eas_event_attachment_reference, if (text.n <= BACKEND_ID_MAX) r->attachment.id = arena_str(r->arena, text))
LEAF(eas_event_attachment_inline, r->attachment.is_inline = is_true(text))
LEAF(eas_event_attachment_size, if (!str_to_u64(str_trim(text), &r->attachment.size)) r->attachment.size = 0)

bool eas_event_attachment_close(void *ud, struct err *err)
{
    struct eas_event *r = ud;
    struct event_fields *f = &r->now->fields;

    (void)err;
    if (r->attachment.id.n == 0 || f->attachment_count == EVENT_ATTACHMENTS_MAX)
        return true;
    r->now->attachments = grown(r->arena, r->now->attachments, f->attachment_count, &r->now->attachment_room,
                                sizeof(*r->now->attachments));
    r->now->attachments[f->attachment_count++] = r->attachment;
    f->attachments = r->now->attachments;
    return true;
}

/* --- bodies ------------------------------------------------------------------------------------------------------ */

bool eas_event_body_open(void *ud, struct err *err)
{
    struct eas_event *r = ud;

    (void)err;
    tell(r, EAS_TOLD_BODY);
    r->now->body_type = EAS_BODY_NONE;
    r->now->truncated = false;
    buf_reset(&r->body);
    return true;
}

LEAF(eas_event_body_type, r->now->body_type = eas_number(text))
LEAF(eas_event_body_truncated, r->now->truncated = is_true(text))

bool eas_event_body_data(void *ud, struct str piece, struct err *err)
{
    struct eas_event *r = ud;
    size_t room = r->body.limit - r->body.n;

    (void)err;
    if (piece.n > room) { /* the rest is cut off */
        r->now->truncated = true;
        piece.n = room;
    }
    buf_str(&r->body, piece);
    return true;
}

bool eas_event_body_close(void *ud, struct err *err)
{
    struct eas_event *r = ud;
    struct str data = text_utf8_repair(r->arena, arena_str(r->arena, buf_view(&r->body)));

    (void)err;
    r->now->fields.text = r->now->fields.html = STR_NULL;
    if (r->now->body_type == EAS_BODY_HTML)
        r->now->fields.html = data;
    else if (r->now->body_type == EAS_BODY_TEXT || r->now->body_type == EAS_BODY_NONE)
        r->now->fields.text = event_lines(r->arena, data);
    buf_reset(&r->body);
    return true;
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

static struct eas_event_part fresh_part(void)
{
    return (struct eas_event_part){.original = TIME_NONE,
                                   .fields = {.start = TIME_NONE,
                                              .end = TIME_NONE,
                                              .replied = TIME_NONE,
                                              .busy = EVENT_BUSY,
                                              .importance = EVENT_MEDIUM}};
}

bool eas_event_exception_open(void *ud, struct err *err)
{
    struct eas_event *r = ud;

    (void)err;
    r->exception = fresh_part();
    r->now = &r->exception;
    return true;
}

bool eas_event_exception_close(void *ud, struct err *err)
{
    struct eas_event *r = ud;

    (void)err;
    r->now = &r->item;
    if (r->exception.original == TIME_NONE || r->exception_count == EVENT_EXCEPTIONS_MAX)
        return true;
    r->exceptions = grown(r->arena, r->exceptions, r->exception_count, &r->exception_room, sizeof(*r->exceptions));
    r->exceptions[r->exception_count++] = r->exception;
    return true;
}

void eas_event_begin(struct eas_event *r)
{
    struct eas_event fresh = {.arena = r->arena, .options = r->options};

    buf_done(&r->body);
    fresh.item = fresh_part();
    fresh.body = BUF_INIT(EAS_EVENT_BODY_MAX);
    fresh.until = fresh.rule_start = fresh.utc_start = fresh.utc_due = fresh.local_start = fresh.local_due = TIME_NONE;
    fresh.e.created = fresh.e.modified = fresh.e.stamped = TIME_NONE;
    fresh.e.task.completed = fresh.e.task.reminder_at = TIME_NONE;
    *r = fresh;
    r->now = &r->item;
}

void eas_event_done(struct eas_event *r)
{
    buf_done(&r->body);
}
