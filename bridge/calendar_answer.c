/* SPDX-License-Identifier: Apache-2.0 */
/* A PUT of somebody else's meeting: the answer to its organiser. */
#include "bridge/base/crash.h"
#include "bridge/calendar_write_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

/* --- somebody else's meeting (RFC 6638 3.2.2)
 * ------------------------------------------------------------------------------------ */

/* What an attendee may not change (3.2.2.1). What he may, and the server keeps to itself, stays with the client. */
#define ORGANIZERS (EVENT_PART_TIME | EVENT_PART_RECURRENCE | EVENT_PART_ATTENDEES)

static const struct event_exception *base_exception(const struct calendar_write *w, const struct event_exception *x)
{
    return event_exception(&w->base, x->original);
}

bool calendar_attendee_oversteps(const struct calendar_write *w)
{
    if (event_differ(&w->base, &w->wanted) & ORGANIZERS)
        return true;
    for (size_t i = 0; i < w->wanted.exception_count; i++) {
        const struct event_exception *x = &w->wanted.exceptions[i], *was = base_exception(w, x);
        const struct event_fields *fields = was && !was->deleted ? &was->fields : &w->base.fields;
        unsigned parts = x->deleted ? 0 : event_fields_differ(fields, &x->fields);
        if (!was || was->deleted) /* the occurrence by the rule: its time differs from the master's anyway */
            parts &= ~(unsigned)EVENT_PART_TIME;
        if (parts & ORGANIZERS)
            return true;
    }
    return false;
}

/* The next occurrence with an answer of its own: a PARTSTAT that is not the series', or an EXDATE, which declines. */
static const struct event_exception *next_answer(struct calendar_write *w, enum event_response *ret_answer)
{
    while (w->next_instance < w->wanted.exception_count) {
        const struct event_exception *x = &w->wanted.exceptions[w->next_instance++], *was = base_exception(w, x);
        enum event_response before = was && !was->deleted ? was->fields.mine : w->base.fields.mine;
        *ret_answer = x->deleted ? EVENT_DECLINED : x->fields.mine;
        if (x->deleted ? !(was && was->deleted) : *ret_answer != before && *ret_answer != EVENT_NO_RESPONSE)
            return x;
    }
    return NULL;
}

/* The outcome, and in the same step the mail that is due now. */
static bool note_answer(struct calendar_write *w, struct str id, struct str change, struct err *err)
{
    struct store *s = w->account->store;
    bool ok = true;
    if (!store_begin(s, err))
        return false;
    if (id.n == 0) /* declined: Exchange takes it out of the calendar */
        ok = store_items_gone(s, w->folder_pk, &w->known.pk, 1, err);
    else if (!str_eq(id, w->known.server_id) || change.n)
        ok = store_event_renamed(s, w->known.pk, id, change, err);
    ok = ok && calendar_held_confirmed(w->account, &w->held, err);
    return store_end(s, ok, err);
}

static void on_answered(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_reply.answered");
    if (err.code != ERR_NONE)
        calendar_held_ends(w->account, &w->held, err.code);
    if (err.code != ERR_NONE && !calendar_is_final(err.code)) /* nobody knows: look */
        sync_want(w->account->sync, w->folder_pk, 0);
    struct str id = reply->event_done.id;
    if (err.code != ERR_NONE || !note_answer(w, id, reply->event_done.change, &err)) {
        calendar_held_ends(w->account, &w->held, ERR_INTERNAL);
        calendar_write_explain(w, &err);
        calendar_write_fail(w, &err);
        return;
    }
    crash_point("event_reply.stored");
    calendar_held_ends(w->account, &w->held, ERR_NONE);
    if (id.n == 0) {
        calendar_write_end(w);
        return;
    }
    if (!str_eq(id, w->known.server_id) || reply->event_done.change.n) {
        w->known.server_id = arena_str(&w->arena, id);
        w->known.change = arena_str(&w->arena, reply->event_done.change);
    }
    calendar_write_answer(w);
}

/* Up to ActiveSync 14.0 it is the invitation there that is answered. */
static struct str inbox_of(const struct account *a)
{
    size_t n;
    const struct folder *const *folders = account_folders(a, &n);
    for (size_t i = 0; i < n; i++)
        if (folders[i]->use == USE_INBOX)
            return folders[i]->server_id;
    return STR_NULL;
}

void calendar_write_respond(struct calendar_write *w, const struct event_exception *x, enum event_response answer)
{
    struct event_reply request = {
        .folder_id = w->folder.server_id,
        .id = w->known.server_id,
        .change = w->known.change,
        .inbox_id = inbox_of(w->account),
        .has_instance = x != NULL,
        .instance = x ? x->original : 0,
        .event = &w->base,
        .response = answer,
        .notify = w->schedule,
    };
    struct err err = {0};
    w->answer = (struct calendar_answer){request.has_instance, request.instance, answer};
    if (calendar_writes_mail(w) &&
        !calendar_hold_reply(w->account, w->folder_pk, w->known.ical_uid, &w->base, &w->answer, &w->held, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    w->op = backend_event_respond(w->account->backend, &request, on_answered, w);
}

void calendar_write_answer(struct calendar_write *w)
{
    enum event_response answer = w->wanted.fields.mine;
    if (!w->answered) {
        w->answered = true;
        if (answer != w->base.fields.mine && answer != EVENT_NO_RESPONSE) {
            calendar_write_respond(w, NULL, answer);
            return;
        }
    }
    const struct event_exception *x = next_answer(w, &answer);
    if (x) {
        calendar_write_respond(w, x, answer);
        return;
    }
    /* What the server has now is what it had, with our answers in it: the sync brings its own view. */
    calendar_write_keep_extras(w);
    sync_want(w->account->sync, w->folder_pk, 0);
}
