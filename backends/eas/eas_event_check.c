/* SPDX-License-Identifier: Apache-2.0 */
/* What ActiveSync cannot say of an event: better refused than stored as something else. */
#include "backends/eas/eas_event_write.h"

#include <string.h>

#include "backends/eas/eas_item.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/timezone.h"

#define YEAR_S       ((int64_t)366 * 86400)
#define SERIES_YEARS 10
#define CHANGES_MAX  200  /* of a zone's offset that are compared */
#define HOURS_MAX    4000 /* occurrences that are compared: ten years of every day */

static bool no(struct err *err, const char *why)
{
    return err_set(err, ERR_UNSUPPORTED, "ActiveSync cannot hold this: %s", why);
}

/* --- zones ------------------------------------------------------------------------------------------------------- */

static int64_t next_change(const struct tz *z, int64_t at)
{
    int64_t next;
    int offset;

    return tz_next_change(z, at, &next, &offset) ? next : INT64_MAX;
}

static bool same_clock(const struct tz *a, const struct tz *b, int64_t from, int64_t to)
{
    int64_t at = from;

    for (int n = 0; n < CHANGES_MAX && at <= to; n++) {
        int64_t next_a = next_change(a, at), next_b = next_change(b, at);

        if (tz_offset(a, at) != tz_offset(b, at))
            return false;
        at = next_a < next_b ? next_a : next_b;
    }
    return true;
}

/* An item's zone travels as the rules of one year with a name that only Windows' zones have: does what is read from
 * that show the same clock as long as the event goes on? */
static bool zone_travels(const struct event *e, struct str name)
{
    const struct tz *z = tz_by_name(name), *back = NULL;
    unsigned char blob[TZ_BLOB_SIZE];
    struct time_parts t;
    int64_t from, to;

    if (!z)
        z = tz_utc();
    time_to_parts(tz_to_local(z, e->fields.start), 0, &t);
    tz_blob_write(z, t.year, blob);
    if (!tz_blob_read(str_of((const char *)blob, sizeof(blob)), t.year, NULL, &back) || !back)
        return tz_is_utc(z);
    event_span(e, &from, &to);
    if (e->has_recurrence && (to == INT64_MAX || to - from > SERIES_YEARS * YEAR_S))
        to = from + SERIES_YEARS * YEAR_S;
    return same_clock(z, back, from, to);
}

static bool check_zones(const struct event *e, const struct eas_event_writing *o, struct err *err)
{
    const struct event_fields *f = &e->fields;
    struct str zone = f->all_day ? o->zone : f->start_zone;

    if (!f->all_day && f->end_zone.n > 0 && !tz_same(f->start_zone, f->end_zone))
        return no(err, "it begins in one time zone and ends in another");
    for (size_t i = 0; i < e->exception_count; i++) {
        const struct event_fields *x = &e->exceptions[i].fields;

        if (e->exceptions[i].deleted || x->all_day)
            continue;
        /* An instant in UTC is in no zone but that of who reads it. */
        if ((x->start_zone.n > 0 && !tz_same(x->start_zone, zone)) ||
            (x->end_zone.n > 0 && !tz_same(x->end_zone, zone)))
            return no(err, "an occurrence is in another time zone than its series");
    }
    return f->all_day || zone_travels(e, zone) ||
           no(err, "the rules of its time zone change in that time, and cannot be told to the server");
}

static const char no_files[] = "an attachment of an event (from version 16.0 on it can)";

/* --- single properties ------------------------------------------------------------------------------------------- */

static bool has_category(const struct event_fields *f, struct str name)
{
    for (size_t i = 0; f && i < f->category_count; i++)
        if (str_eq(f->categories[i], name))
            return true;
    return false;
}

/* What the server has already it may have back. */
static bool check_categories(const struct event_fields *f, const struct event_fields *was, struct err *err)
{
    for (size_t i = 0; i < f->category_count; i++) {
        struct str rest = f->categories[i];
        size_t n = 0;

        while (rest.n > 0 && n <= EAS_CATEGORY_CHARS) {
            text_utf8_next(&rest);
            n++;
        }
        if (n > EAS_CATEGORY_CHARS && !has_category(was, f->categories[i]))
            return no(err, "a category of more than 255 characters");
    }
    return true;
}

static bool check_fields(const struct event *e, const struct event_fields *f, const struct event_fields *was,
                         unsigned version, struct err *err)
{
    if (f->busy == EVENT_ELSEWHERE && (version < EAS_EVENTS_APART || !was || was->busy != EVENT_ELSEWHERE))
        return no(err, "\"working elsewhere\" is for the server to say");
    if (f->has_reminder && e->kind == EVENT_APPOINTMENT && f->reminder_minutes < 0)
        return no(err, "a reminder after the event has begun");
    for (size_t i = 0; i < f->attendee_count; i++)
        if (str_find_byte(f->attendees[i].email, '@') == f->attendees[i].email.n)
            return no(err, "a guest without a mail address");
    return check_categories(f, was, err);
}

static bool check_attachments(const struct event_fields *f, const char *why, struct err *err)
{
    for (size_t i = 0; i < f->attachment_count; i++)
        if (eas_event_is_new_attachment(&f->attachments[i]))
            return no(err, why);
    return true;
}

static bool has_file(const struct event_fields *f, const struct event_attachment *a)
{
    for (size_t i = 0; i < f->attachment_count; i++)
        if (str_eq(f->attachments[i].name, a->name))
            return true;
    return false;
}

/* 16.x: with its exceptions the server forgets their attachments, which are nowhere else (MS-ASCAL 2.2.2.22). Copies of
 * what the series has come again. */
static bool check_files_stay(const struct event *e, const struct event *base, struct err *err)
{
    if (!eas_event_moves(e, base) && !eas_event_takes_back(e, base))
        return true;
    for (size_t i = 0; i < base->exception_count; i++) {
        const struct event_exception *was = &base->exceptions[i], *now = event_exception(e, was->original);

        for (size_t k = 0; !was->deleted && now && !now->deleted && k < was->fields.attachment_count; k++)
            if (!has_file(&base->fields, &was->fields.attachments[k]) &&
                has_file(&now->fields, &was->fields.attachments[k]))
                return no(err, "other times or another rule of a series of which one occurrence has an attachment of "
                               "its own: the server would delete that; take it away first, or make a new series");
    }
    return true;
}

/* --- series ------------------------------------------------------------------------------------------------------ */

static unsigned bits(unsigned n)
{
    unsigned count = 0;

    for (; n; n &= n - 1)
        count++;
    return count;
}

static bool check_rule(const struct event *e, const struct eas_event_writing *o, struct err *err)
{
    const struct event_recurrence *p = &e->recurrence;

    if (!e->has_recurrence)
        return true;
    if (p->calendar > 1 && o->version < 140)
        return no(err, "a rule of another calendar");
    /* Which weeks are meant depends on what their first day is, and the server takes its own. */
    if (o->version < 141 && p->pattern == EVENT_WEEKLY && p->interval > 1 && bits(p->days) > 1)
        return no(err, "several days of every second (third, ...) week");
    return true;
}

/* Where we are the ones who write to the guests, they hear of the series as a whole (bridge/calendar_mail.c). */
static bool changes_guests(const struct event *e, const struct event_exception *x, const struct event_exception *was)
{
    const struct event_fields *known = was && !was->deleted ? &was->fields : &e->fields;

    return e->is_meeting && e->fields.mine == EVENT_ORGANIZER &&
           event_fields_differ(known, &x->fields) & event_fields_differ(&e->fields, &x->fields) & EVENT_PART_ATTENDEES;
}

static bool check_exception(const struct event *e, const struct event_exception *x, const struct eas_event_writing *o,
                            struct err *err)
{
    const struct event_exception *was = o->base ? event_exception(o->base, x->original) : NULL;
    unsigned parts;

    if (x->deleted)
        return true;
    parts = eas_event_occurrence_parts(e, x, NULL);
    if (o->version < 140 && parts & EVENT_PART_ATTENDEES)
        return no(err, "guests of one occurrence");
    if (o->version < EAS_EVENTS_APART && changes_guests(e, x, was))
        return no(err, "other guests of one occurrence than of its series: nobody would tell them");
    if (o->version < 141 && parts & EVENT_PART_REMINDER && !x->fields.has_reminder)
        return no(err, "an occurrence without the reminder of its series");
    if (o->version < EAS_EVENTS_APART && !check_attachments(&x->fields, no_files, err))
        return false;
    return check_fields(e, &x->fields, was && !was->deleted ? &was->fields : &e->fields, o->version, err);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static bool check_task(const struct event *e, struct err *err)
{
    if (e->task.status != EVENT_NOT_STARTED && e->task.status != EVENT_COMPLETED)
        return no(err, "a task is done or not, and nothing between");
    if (e->task.status == EVENT_NOT_STARTED && e->task.percent > 0)
        return no(err, "a task is done or not, and no part of it");
    if (e->fields.has_reminder && e->task.reminder_at == TIME_NONE)
        return no(err, "a reminder without a time");
    return !e->has_recurrence || e->fields.start != TIME_NONE || e->fields.end != TIME_NONE ||
           no(err, "a task that recurs and has no date");
}

bool eas_event_check(const struct event *e, const struct eas_event_writing *o, struct err *err)
{
    const struct event_fields *f = &e->fields, *was = o->base ? &o->base->fields : NULL;

    if (e->uid.n > EAS_UID_MAX && e->kind == EVENT_APPOINTMENT)
        return no(err, "a UID of more than 300 characters");
    if (o->base && o->base->is_meeting && was->mine != EVENT_ORGANIZER)
        return no(err, "somebody else's meeting, which only he may change");
    if (!check_rule(e, o, err))
        return false;
    if (e->kind == EVENT_TASK)
        return check_attachments(f, "an attachment of a task", err) && check_categories(f, was, err) &&
               check_task(e, err);
    if (o->version < EAS_EVENTS_APART && !check_attachments(f, no_files, err))
        return false;
    if (o->version >= EAS_EVENTS_APART && o->base && !check_files_stay(e, o->base, err))
        return false;
    if (!check_fields(e, f, was, o->version, err) || !check_zones(e, o, err))
        return false;
    for (size_t i = 0; i < e->exception_count; i++)
        if (!check_exception(e, &e->exceptions[i], o, err))
            return false;
    return true;
}

/* --- what a server made of a series ------------------------------------------------------------------------------ */

struct hours {
    int64_t list[HOURS_MAX];
    size_t count;
};

static bool note_hour(void *ud, const struct event_occurrence *o)
{
    struct hours *h = ud;

    h->list[h->count++] = o->start;
    return h->count < HOURS_MAX;
}

bool eas_event_keeps_hours(const struct event *wanted, const struct event *got)
{
    const struct event *both[2] = {wanted, got};
    struct hours *h;
    bool same;

    if (!wanted->has_recurrence || wanted->fields.all_day || got->fields.all_day ||
        str_eq(wanted->fields.start_zone, got->fields.start_zone))
        return true;
    h = mem_array(2, sizeof(*h));
    for (int i = 0; i < 2; i++) {
        h[i].count = 0;
        event_each(both[i], wanted->fields.start, wanted->fields.start + SERIES_YEARS * YEAR_S, STR_NULL, note_hour,
                   &h[i]);
    }
    same = h[0].count == h[1].count && memcmp(h[0].list, h[1].list, h[0].count * sizeof(h->list[0])) == 0;
    mem_free(h);
    return same;
}
