/* SPDX-License-Identifier: Apache-2.0 */
/* PUT: a client's object becomes an item of the server. */
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/text.h"
#include "bridge/calendar_write_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

/* --- putting
 * ----------------------------------------------------------------------------------------------------------------------
 */

/* Nothing was done: an earlier attempt had made the item, and that one's mail is judged by the calendar. */
static void take_found(struct calendar_write *w, const struct reply *reply)
{
    struct err err = {0};
    calendar_held_ends(w->account, &w->held, ERR_CONFLICT);
    if (calendar_write_found(w, reply, &err))
        w->decide(w);
    else
        calendar_write_fail(w, &err);
}

static void on_put(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    if (err.code != ERR_NONE)
        calendar_held_ends(w->account, &w->held, err.code);
    if (calendar_write_again(w, &err))
        return;
    crash_point("event.answered");
    if (err.code == ERR_NONE && reply->event_done.found) {
        take_found(w, reply);
        return;
    }
    if (err.code != ERR_NONE) {
        struct err ignored;
        bool nothing_there = !w->exists && reply->event_done.id.n == 0;
        if (w->journal_pk && nothing_there && calendar_is_final(err.code)) /* else its outcome stays unknown */
            store_journal_set(w->account->store, w->journal_pk, JOURNAL_REFUSED, &ignored);
        calendar_write_explain(w, &err);
        if (err.code == ERR_CONFLICT)
            sync_want(w->account->sync, w->folder_pk, 0);
        calendar_write_fail(w, &err);
        return;
    }
    const struct event *got = reply->event_done.event ? reply->event_done.event : &w->wanted;
    if (reply->event_done.event)
        calendar_own_learn(w->account, got);
    struct str id = reply->event_done.id.n ? reply->event_done.id : w->known.server_id;
    if (w->exists && !str_eq(id, w->known.server_id) &&
        !store_event_renamed(w->account->store, w->known.pk, id, reply->event_done.change, &err))
        calendar_write_fail(w, &err);
    else if (calendar_write_down(w, id, reply->event_done.change, got, &err))
        calendar_write_stored(w);
    else
        calendar_write_fail(w, &err);
    crash_point("event.stored");
    calendar_held_ends(w->account, &w->held, err.code == ERR_NONE ? ERR_NONE : ERR_INTERNAL);
}

/* Guests hear of it from us when the server has taken it. */
static bool hold(struct calendar_write *w, struct err *err)
{
    bool was = w->exists && calendar_is_organizer(&w->base);
    return !calendar_writes_mail(w) || (!was && !calendar_is_organizer(&w->wanted)) ||
           calendar_hold_put(w->account, w->folder_pk, was ? &w->base : NULL, &w->wanted, &w->held, err);
}

void calendar_write_put(struct calendar_write *w)
{
    struct journal_row row = {0};
    struct err err = {0};
    if (!w->exists && !calendar_write_journal(w, &row, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    crash_point("event.journaled");
    if (!hold(w, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    struct event_put request = {
        .folder_id = w->folder.server_id,
        .kind = w->folder.kind,
        .id = w->exists ? w->known.server_id : STR_NULL,
        .change = w->exists ? w->known.change : STR_NULL,
        .wanted = &w->wanted,
        .base = w->exists ? &w->base : NULL,
        .notify = w->schedule,
        .evidence = str_from(row.evidence),
        .retry = row.state == JOURNAL_UNKNOWN,
        .is_current = calendar_write_is_current,
    };
    w->op = backend_event_put(w->account->backend, &request, on_put, w);
}

/* --- PUT
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static enum calendar_refusal refusal_of(enum ical_fault fault)
{
    static const enum calendar_refusal refusals[] = {
        [ICAL_VALID_DATA] = CALENDAR_BAD_DATA,          [ICAL_VALID_OBJECT] = CALENDAR_BAD_OBJECT,
        [ICAL_COMPONENT] = CALENDAR_BAD_COMPONENT,      [ICAL_SIZE] = CALENDAR_TOO_BIG,
        [ICAL_DATE_MIN] = CALENDAR_TOO_EARLY,           [ICAL_DATE_MAX] = CALENDAR_TOO_LATE,
        [ICAL_INSTANCES] = CALENDAR_TOO_MANY_INSTANCES, [ICAL_ATTENDEES] = CALENDAR_TOO_MANY_ATTENDEES,
    };
    return refusals[fault];
}

static bool read_text(struct calendar_write *w, bool uninvited)
{
    struct ical_options options = calendar_options(w->account);
    options.uninvited = uninvited;
    struct ical_problem problem = {0};
    if (ical_read(w->text, &options, &w->arena, &w->wanted, &w->extras, &problem))
        return true;
    calendar_write_refuse(w, refusal_of(ical_reason_fault(problem.reason)), ERR_INVALID, problem.text);
    return false;
}

static bool uid_fits(struct calendar_write *w)
{
    struct store_resource other;
    if (w->exists && !str_eq(w->known.ical_uid, w->wanted.uid)) {
        calendar_write_refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "an object keeps its UID (RFC 4791 5.3.2)");
        return false;
    }
    if (w->exists || !store_resource_by_uid(w->account->store, w->folder_pk, w->wanted.uid, &w->arena, &other))
        return true;
    if (calendar_write_take_name(w, &other))
        return calendar_write_look(w);
    w->done.name = other.name;
    calendar_write_refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "another object of this calendar has the UID");
    return false;
}

/* Data that is big because of attachments is not kept a second time; and a line folded inside of a character (RFC 5545
 * 3.1) can be read, but not be served in XML. */
static bool keeps_verbatim(const struct calendar_write *w)
{
    if (!text_utf8_valid(w->text))
        return false;
    for (size_t i = 0; i < w->wanted.fields.attachment_count; i++)
        if (w->wanted.fields.attachments[i].data.n)
            return false;
    return w->text.n <= CALENDAR_VERBATIM_MAX;
}

/* Somebody else's invitation that the server does not know: it stays an appointment here (as read_text() has it, too).
 * Sent as a meeting it would make the user its organiser, and everybody would be invited again. */
void calendar_disinvite(struct event *e, struct arena *a)
{
    struct event_exception *list = arena_array(a, e->exception_count, sizeof(*list));
    for (size_t i = 0; i < e->exception_count; i++) {
        list[i] = e->exceptions[i];
        list[i].fields.attendees = NULL;
        list[i].fields.attendee_count = 0;
    }
    e->exceptions = list;
    e->is_meeting = e->response_requested = false;
    e->fields.attendees = NULL;
    e->fields.attendee_count = 0;
    e->organizer_email = e->organizer_name = STR_NULL;
}

/* --- SCHEDULE-AGENT (RFC 6638 7.1) */

static size_t count_elsewhere(const struct event *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->fields.attendee_count; i++)
        n += e->fields.attendees[i].elsewhere;
    return n;
}

/* What the client's own text says of those whom the server's item names. */
void calendar_write_mark_elsewhere(struct calendar_write *w)
{
    struct str text, extras;
    struct ical_options options = calendar_options(w->account);
    struct ical_problem problem;
    struct event shown;
    if (!w->base.is_meeting || !calendar_text(w->account, w->known.pk, &w->arena, &text) ||
        !ical_read(text, &options, &w->arena, &shown, &extras, &problem))
        return;
    struct event_attendee *list = arena_array(&w->arena, w->base.fields.attendee_count + 1, sizeof(*list));
    for (size_t i = 0; i < w->base.fields.attendee_count; i++) {
        list[i] = w->base.fields.attendees[i];
        for (size_t k = 0; k < shown.fields.attendee_count; k++)
            if (str_case_eq(shown.fields.attendees[k].email, list[i].email))
                list[i].elsewhere = shown.fields.attendees[k].elsewhere;
    }
    w->base.fields.attendees = list;
    w->base.organizer_elsewhere = shown.organizer_elsewhere;
}

/* The client sends the invitations itself: to all guests, or (where we are the ones who would) to some. */
bool calendar_write_agents_fit(struct calendar_write *w, const struct event *e)
{
    size_t n = calendar_is_organizer(e) ? count_elsewhere(e) : 0;
    if (n == 0) {
        if (e->organizer_elsewhere && !calendar_is_organizer(e))
            w->schedule = false;
        return true;
    }
    if (n == e->fields.attendee_count)
        w->schedule = false;
    else if (calendar_server_schedules(w)) {
        calendar_write_refuse(w, CALENDAR_BAD_OBJECT, ERR_INVALID,
                              "the server invites all guests or none (SCHEDULE-AGENT)");
        return false;
    }
    return true;
}

/* --- what an organiser may not do */

static const struct event_fields *known_before(const struct calendar_write *w, const struct event_exception *x)
{
    static const struct event_fields none;
    const struct event_exception *was = event_exception(&w->base, x->original);
    return was && !was->deleted ? &was->fields : &none;
}

/* STATUS:CANCELLED: no server takes that from a client, and the guests would not hear of it. */
static bool calls_off(const struct calendar_write *w)
{
    const struct event *e = &w->wanted;
    if (e->fields.cancelled)
        return !w->base.fields.cancelled;
    for (size_t i = 0; i < e->exception_count; i++)
        if (!e->exceptions[i].deleted && e->exceptions[i].fields.cancelled &&
            !known_before(w, &e->exceptions[i])->cancelled)
            return true;
    return false;
}

/* Guests of an occurrence whose series has none: they would be written down, and never be told. */
static bool invites_to_one(const struct calendar_write *w)
{
    const struct event *e = &w->wanted;
    for (size_t i = 0; !e->is_meeting && i < e->exception_count; i++)
        if (!e->exceptions[i].deleted && e->exceptions[i].fields.attendee_count &&
            !known_before(w, &e->exceptions[i])->attendee_count)
            return true;
    return false;
}

/* The server's organiser stays who he is. His address may be another of the user's than the one that we know. */
static bool hands_over(const struct calendar_write *w)
{
    return calendar_is_organizer(&w->base) && w->wanted.is_meeting && !calendar_is_organizer(&w->wanted) &&
           w->wanted.organizer_email.n && !str_case_eq(w->wanted.organizer_email, w->base.organizer_email);
}

static bool organizer_may(struct calendar_write *w)
{
    if (hands_over(w))
        calendar_write_refuse(w, CALENDAR_OTHER_ORGANIZER, ERR_INVALID,
                              "Exchange does not give a meeting to another organizer");
    else if ((calendar_is_organizer(&w->wanted) || calendar_is_organizer(&w->base)) && calls_off(w))
        calendar_write_refuse(w, CALENDAR_BAD_OBJECT, ERR_INVALID,
                              "Exchange calls a meeting off by its deletion: delete the event or the occurrence, and "
                              "the guests are told (STATUS:CANCELLED)");
    else if (invites_to_one(w))
        calendar_write_refuse(w, CALENDAR_BAD_OBJECT, ERR_INVALID,
                              "Exchange invites to a whole series, not to one occurrence of a series without guests");
    else
        return true;
    return false;
}

/* Who thinks that there is nothing is told that there is; its next attempt finds that by itself. */
static void refuse_overtaken(struct calendar_write *w)
{
    struct err err = {0};
    if (store_journal_set(w->account->store, w->journal_pk, JOURNAL_SENT, &err))
        calendar_write_refuse(w, CALENDAR_FINE, ERR_CONFLICT, "the object is there already, and has been changed");
    else
        calendar_write_fail(w, &err);
}

/* By whichever of the user's addresses the client names the organiser: the server's name for the same person stays. */
static void keep_organizer(struct calendar_write *w)
{
    if (calendar_is_organizer(&w->base) && calendar_is_organizer(&w->wanted) && w->base.organizer_email.n)
        w->wanted.organizer_email = w->base.organizer_email;
}

/* What there is becomes what is wanted. */
static void decide_change(struct calendar_write *w)
{
    keep_organizer(w);
    if (w->adopted)
        calendar_write_meet(w);
    ical_settle(&w->wanted, &w->base, &w->arena);
    calendar_write_mark_elsewhere(w);
    bool differ = event_differ(&w->base, &w->wanted) & ~(unsigned)CALENDAR_NOT_OURS;
    /* Unless it is what the client wants anyway: its own change, whose confirmation got lost (RFC 9110 13.1.1). */
    if (w->unseen && differ) {
        calendar_write_conflict(w);
    } else if (w->base.is_meeting && !calendar_is_organizer(&w->base)) {
        if (calendar_attendee_oversteps(w))
            calendar_write_refuse(w, CALENDAR_NOT_ORGANIZER, ERR_INVALID, "only the organizer may change this meeting");
        else
            calendar_write_answer(w);
    } else if (!differ) {
        calendar_write_keep_extras(w);
    } else if (calendar_write_is_overtaken(w)) {
        refuse_overtaken(w);
    } else {
        calendar_write_put(w);
    }
}

static void decide_put(struct calendar_write *w)
{
    if (!calendar_write_look(w) || !read_text(w, false))
        return;
    if ((w->wanted.kind == EVENT_TASK) != (w->folder.kind == FOLDER_TASKS)) {
        calendar_write_refuse(w, CALENDAR_BAD_COMPONENT, ERR_INVALID,
                              w->folder.kind == FOLDER_TASKS ? "this is a list of tasks (VTODO)"
                                                             : "this is a calendar (VEVENT)");
        return;
    }
    if (!uid_fits(w) || calendar_write_fetch_base(w))
        return;
    w->verbatim = keeps_verbatim(w);
    if (!calendar_write_agents_fit(w, &w->wanted))
        return;
    bool known_meeting = w->exists && w->base.is_meeting;
    bool invites = calendar_is_organizer(&w->wanted) && !w->wanted.fields.cancelled && w->folder.kind != FOLDER_TASKS;
    if (w->wanted.is_meeting && !known_meeting && !invites && !read_text(w, true))
        return;
    if (!organizer_may(w))
        return;
    if (w->exists)
        decide_change(w);
    else
        calendar_write_put(w);
}

struct calendar_write *calendar_put(struct account *a, int64_t pk, struct str name, struct str text,
                                    const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                    void *ud)
{
    struct calendar_write *w = calendar_write_new(a, pk, name, condition, schedule, cb, ud);
    w->text = arena_str(&w->arena, text);
    w->decide = decide_put;
    calendar_write_next(a);
    return w;
}
