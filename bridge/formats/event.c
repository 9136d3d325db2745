/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what differs between two, and copies. */
#include "bridge/formats/event.h"

#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/formats/timezone.h"

/* --- texts ----------------------------------------------------------------------------------------------------------
 */

static struct str without_blanks_behind(struct str s)
{
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
        s.n--;
    return s;
}

/* As people see it: line by line, without what is invisible at the end of a line or of the text. */
static bool same_text(struct str a, struct str b)
{
    a = without_blanks_behind(a);
    b = without_blanks_behind(b);
    for (;;) {
        struct str x = STR_NULL, y = STR_NULL;
        bool more = str_cut(&a, '\n', &x), more_b = str_cut(&b, '\n', &y);
        if (!str_eq(without_blanks_behind(x), without_blanks_behind(y)))
            return false;
        if (!more && !more_b)
            return true;
    }
}

/* --- parts ----------------------------------------------------------------------------------------------------------
 */

static struct str end_zone(const struct event_fields *f)
{
    return f->end_zone.n ? f->end_zone : f->start_zone;
}

static bool same_time(const struct event_fields *a, const struct event_fields *b)
{
    if (a->start != b->start || a->end != b->end || a->all_day != b->all_day)
        return false;
    return a->all_day || (tz_same(a->start_zone, b->start_zone) && tz_same(end_zone(a), end_zone(b)));
}

static bool same_categories(const struct event_fields *a, const struct event_fields *b)
{
    if (a->category_count != b->category_count)
        return false;
    for (size_t i = 0; i < a->category_count; i++) {
        size_t k = 0;
        while (k < b->category_count && !str_eq(a->categories[i], b->categories[k]))
            k++;
        if (k == b->category_count)
            return false;
    }
    return true;
}

static bool same_attachment(const struct event_attachment *a, const struct event_attachment *b)
{
    if (a->id.n && b->id.n)
        return str_eq(a->id, b->id);
    if (a->url.n || b->url.n)
        return str_eq(a->url, b->url);
    return str_eq(a->name, b->name) && str_eq(a->data, b->data);
}

static bool same_attachments(const struct event_fields *a, const struct event_fields *b)
{
    if (a->attachment_count != b->attachment_count)
        return false;
    for (size_t i = 0; i < a->attachment_count; i++) {
        size_t k = 0;
        while (k < b->attachment_count && !same_attachment(&a->attachments[i], &b->attachments[k]))
            k++;
        if (k == b->attachment_count)
            return false;
    }
    return true;
}

static int by_email(const void *a, const void *b)
{
    return str_case_cmp((*(const struct event_attendee *const *)a)->email,
                        (*(const struct event_attendee *const *)b)->email);
}

static const struct event_attendee **sorted(const struct event_fields *f)
{
    const struct event_attendee **list = mem_array(f->attendee_count + 1, sizeof(*list));
    for (size_t i = 0; i < f->attendee_count; i++)
        list[i] = &f->attendees[i];
    qsort(list, f->attendee_count, sizeof(*list), by_email);
    return list;
}

/* Names are left out: a directory has its own for the same address. */
static unsigned attendees_differ(const struct event_fields *a, const struct event_fields *b)
{
    if (a->attendee_count != b->attendee_count)
        return EVENT_PART_ATTENDEES | EVENT_PART_RESPONSES;
    unsigned differ = 0;
    const struct event_attendee **x = sorted(a), **y = sorted(b);
    for (size_t i = 0; i < a->attendee_count; i++) {
        if (!str_case_eq(x[i]->email, y[i]->email) || x[i]->role != y[i]->role)
            differ |= EVENT_PART_ATTENDEES;
        if (!str_case_eq(x[i]->email, y[i]->email) || x[i]->response != y[i]->response)
            differ |= EVENT_PART_RESPONSES;
    }
    mem_free(x);
    mem_free(y);
    return differ;
}

unsigned event_fields_differ(const struct event_fields *a, const struct event_fields *b)
{
    bool reminder =
        a->has_reminder != b->has_reminder || (a->has_reminder && a->reminder_minutes != b->reminder_minutes);
    unsigned differ = attendees_differ(a, b);
    differ |= same_time(a, b) ? 0 : EVENT_PART_TIME;
    differ |= same_text(a->subject, b->subject) ? 0 : EVENT_PART_SUBJECT;
    differ |= same_text(a->location, b->location) ? 0 : EVENT_PART_LOCATION;
    differ |= same_text(a->text, b->text) && same_text(a->html, b->html) ? 0 : EVENT_PART_BODY;
    differ |= a->busy == b->busy ? 0 : EVENT_PART_BUSY;
    differ |= a->sensitivity == b->sensitivity ? 0 : EVENT_PART_SENSITIVITY;
    differ |= a->importance == b->importance ? 0 : EVENT_PART_IMPORTANCE;
    differ |= reminder ? EVENT_PART_REMINDER : 0;
    differ |= same_categories(a, b) ? 0 : EVENT_PART_CATEGORIES;
    differ |= same_attachments(a, b) ? 0 : EVENT_PART_ATTACHMENTS;
    differ |= a->mine == b->mine ? 0 : EVENT_PART_MINE;
    differ |= a->cancelled == b->cancelled ? 0 : EVENT_PART_CANCELLED;
    return differ;
}

/* --- events ---------------------------------------------------------------------------------------------------------
 */

static bool is_every_day(const struct event_recurrence *r)
{
    return r->interval == 1 &&
           (r->pattern == EVENT_DAILY || (r->pattern == EVENT_WEEKLY && r->days == EVENT_EVERY_DAY));
}

static bool same_pattern(const struct event_recurrence *a, const struct event_recurrence *b)
{
    if (is_every_day(a) && is_every_day(b))
        return true;
    if (a->pattern != b->pattern || a->interval != b->interval)
        return false;
    switch (a->pattern) {
    case EVENT_DAILY:
        return true;
    case EVENT_WEEKLY: /* where weeks begin says nothing when every week counts, or one day of it */
        return a->days == b->days &&
               (a->interval == 1 || (a->days & (a->days - 1)) == 0 || a->first_day == b->first_day);
    case EVENT_MONTHLY:
        return a->day_of_month == b->day_of_month;
    case EVENT_MONTHLY_RELATIVE:
        return a->days == b->days && a->week == b->week;
    case EVENT_YEARLY:
        return a->day_of_month == b->day_of_month && a->month == b->month;
    case EVENT_YEARLY_RELATIVE:
        return a->days == b->days && a->week == b->week && a->month == b->month;
    }
    return false;
}

static bool is_gregorian(const struct event_recurrence *r)
{
    return r->calendar <= 1;
}

static bool same_recurrence(const struct event *a, const struct event *b)
{
    const struct event_recurrence *x = &a->recurrence, *y = &b->recurrence;
    if (a->has_recurrence != b->has_recurrence || !a->has_recurrence)
        return a->has_recurrence == b->has_recurrence;
    bool x_until = x->has_until && !x->count, y_until = y->has_until && !y->count;
    return same_pattern(x, y) && x->count == y->count && x_until == y_until && (!x_until || x->until == y->until) &&
           x->regenerates == y->regenerates && x->leap_month == y->leap_month &&
           (x->calendar == y->calendar || (is_gregorian(x) && is_gregorian(y)));
}

/* Answers are their own parts wherever they stand. */
static unsigned exceptions_differ(const struct event *a, const struct event *b)
{
    const unsigned answers = EVENT_PART_MINE | EVENT_PART_RESPONSES;
    unsigned differ = 0;
    if (a->exception_count != b->exception_count)
        return EVENT_PART_EXCEPTIONS;
    for (size_t i = 0; i < a->exception_count; i++) {
        const struct event_exception *x = &a->exceptions[i], *y = &b->exceptions[i];
        if (x->original != y->original || x->deleted != y->deleted)
            return EVENT_PART_EXCEPTIONS;
        unsigned parts = x->deleted ? 0 : event_fields_differ(&x->fields, &y->fields);
        differ |= parts & answers;
        if (parts & ~answers)
            differ |= EVENT_PART_EXCEPTIONS;
    }
    return differ;
}

static bool same_task(const struct event *a, const struct event *b)
{
    const struct event_task *x = &a->task, *y = &b->task;
    return x->status == y->status && x->percent == y->percent && x->completed == y->completed;
}

unsigned event_differ(const struct event *a, const struct event *b)
{
    unsigned differ = event_fields_differ(&a->fields, &b->fields);
    if (!same_recurrence(a, b))
        differ |= EVENT_PART_RECURRENCE;
    differ |= exceptions_differ(a, b);
    if (!str_case_eq(a->organizer_email, b->organizer_email) || a->is_meeting != b->is_meeting ||
        a->response_requested != b->response_requested)
        differ |= EVENT_PART_ATTENDEES;
    if (a->kind != EVENT_TASK)
        return differ;
    if (!same_task(a, b))
        differ |= EVENT_PART_TASK;
    bool reminder = a->fields.has_reminder != b->fields.has_reminder ||
                    (a->fields.has_reminder && a->task.reminder_at != b->task.reminder_at);
    return (differ & ~(unsigned)EVENT_PART_REMINDER) | (reminder ? EVENT_PART_REMINDER : 0);
}

const struct event_exception *event_exception(const struct event *e, int64_t original)
{
    size_t low = 0, high = e->exception_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e->exceptions[middle].original < original)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->exception_count && e->exceptions[low].original == original ? &e->exceptions[low] : NULL;
}

/* --- copies ---------------------------------------------------------------------------------------------------------
 */

static void copy_str(struct arena *a, struct str *s)
{
    *s = arena_str(a, *s);
}

static void copy_fields(struct event_fields *f, struct arena *a)
{
    struct str *texts[] = {&f->subject, &f->location, &f->text, &f->html, &f->start_zone, &f->end_zone};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        copy_str(a, texts[i]);
    struct str *categories = arena_array(a, f->category_count, sizeof(*categories));
    for (size_t i = 0; i < f->category_count; i++)
        categories[i] = arena_str(a, f->categories[i]);
    f->categories = categories;
    struct event_attendee *attendees = arena_array(a, f->attendee_count, sizeof(*attendees));
    for (size_t i = 0; i < f->attendee_count; i++) {
        attendees[i] = f->attendees[i];
        copy_str(a, &attendees[i].email);
        copy_str(a, &attendees[i].name);
    }
    f->attendees = attendees;
    struct event_attachment *attachments = arena_array(a, f->attachment_count, sizeof(*attachments));
    for (size_t i = 0; i < f->attachment_count; i++) {
        struct event_attachment *t = &attachments[i];
        *t = f->attachments[i];
        struct str *strings[] = {&t->id, &t->name, &t->content_type, &t->url, &t->data};
        for (size_t k = 0; k < sizeof(strings) / sizeof(*strings); k++)
            copy_str(a, strings[k]);
    }
    f->attachments = attachments;
}

void event_copy(struct event *to, const struct event *from, struct arena *arena)
{
    *to = *from;
    copy_fields(&to->fields, arena);
    struct str *texts[] = {&to->uid, &to->organizer_email, &to->organizer_name, &to->join_url};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        copy_str(arena, texts[i]);
    struct event_exception *list = arena_array(arena, from->exception_count, sizeof(*list));
    for (size_t i = 0; i < from->exception_count; i++) {
        list[i] = from->exceptions[i];
        copy_str(arena, &list[i].id);
        copy_fields(&list[i].fields, arena);
    }
    to->exceptions = list;
}
