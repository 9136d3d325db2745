/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes to make a server's event what is wanted: which parts go, and what the server forgets on the way. */
#include "backends/eas/eas_event_write.h"

#include "bridge/base/time.h"

/* --- what is taken away ------------------------------------------------------------------------------------------ */

static const char *fields_taken(const struct event_fields *was, const struct event_fields *now,
                                const struct event_fields *got)
{
    if (was->subject.n > 0 && now->subject.n == 0 && (!got || got->subject.n > 0))
        return "the subject";
    if (was->category_count > 0 && now->category_count == 0 && (!got || got->category_count > 0))
        return "the last category";
    if (was->attendee_count > 0 && now->attendee_count == 0 && (!got || got->attendee_count > 0))
        return "the last guest";
    return NULL;
}

static const struct event_fields *fields_at(const struct event *e, int64_t original)
{
    const struct event_exception *x = event_exception(e, original);

    return x && !x->deleted ? &x->fields : &e->fields;
}

static bool is_due(const struct event *e)
{
    return e->kind == EVENT_TASK && e->fields.end != TIME_NONE;
}

const char *eas_event_taken_away(const struct event *base, const struct event *wanted, const struct event *got)
{
    const char *taken = fields_taken(&base->fields, &wanted->fields, got ? &got->fields : NULL);

    if (!taken && is_due(base) && !is_due(wanted) && (!got || is_due(got)))
        taken = "the day that it is due on";
    for (size_t i = 0; !taken && i < wanted->exception_count; i++) {
        const struct event_exception *x = &wanted->exceptions[i];

        if (!x->deleted)
            taken = fields_taken(fields_at(base, x->original), &x->fields, got ? fields_at(got, x->original) : NULL);
    }
    return taken;
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

bool eas_event_takes_back(const struct event *wanted, const struct event *base)
{
    for (size_t i = 0; wanted->has_recurrence && i < base->exception_count; i++) {
        const struct event_exception *was = &base->exceptions[i], *now = event_exception(wanted, was->original);

        if (!now || (was->deleted && !now->deleted))
            return true;
    }
    return false;
}

bool eas_event_moves(const struct event *wanted, const struct event *base)
{
    return base->has_recurrence && event_differ(base, wanted) & (EVENT_PART_RECURRENCE | EVENT_PART_TIME);
}

static bool one_day(unsigned days)
{
    return (days & (days - 1)) == 0;
}

bool eas_event_reword(const struct event_recurrence *r, struct event_recurrence *ret)
{
    *ret = *r;
    switch (r->pattern) {
    case EVENT_DAILY: /* as each day of every week */
        ret->pattern = EVENT_WEEKLY;
        ret->days = EVENT_EVERY_DAY;
        return r->interval == 1;
    case EVENT_WEEKLY: /* where weeks begin says nothing */
        ret->first_day = (r->first_day + 1) % 7;
        return r->interval == 1 || one_day(r->days);
    case EVENT_MONTHLY:
    case EVENT_MONTHLY_RELATIVE:
    case EVENT_YEARLY:
    case EVENT_YEARLY_RELATIVE: /* the default calendar, or the same by its name (MS-ASCAL 2.2.2.10) */
        ret->calendar = r->calendar == 0;
        return r->calendar <= 1;
    }
    return false;
}
