/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients change: PUT, DELETE, COPY, MOVE. One at a time in a collection, because each is decided upon what the
 * one before left behind: conditions, UIDs, the item's base.
 *
 *   begin -> [fetch the base] -> decide -> the server's requests, one after the other -> confirmed -> store -> the
 * answer
 */
#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/calendar_private.h"
#include "bridge/io/crypto.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

#define ROUNDS_MAX 8 /* changes of the server's item that one change of a client gives way to */

struct calendar_write {
    struct list link; /* account->calendar_writes, in the order asked */
    struct account *account;
    struct arena arena;
    calendar_done_cb *cb;
    void *ud;
    bool detached, running, base_asked;
    bool overtaken; /* the item changed here while the request waited for its turn: nothing was sent */
    unsigned rounds;
    void (*decide)(struct calendar_write *w); /* when its turn has come, and again when the base has been fetched */
    int64_t folder_pk, to_pk;
    struct str name, to_name, text;
    struct calendar_condition condition;
    bool schedule, move;

    struct store_folder folder;
    bool exists, has_base;
    struct store_resource known;
    struct event wanted, base;
    struct str extras;
    bool verbatim; /* the client's own bytes are what it gets back, if the server keeps what they say */
    size_t next_instance;
    bool answered;                 /* the user's answer for the whole series has gone out */
    struct calendar_answer answer; /* the one that is under way */

    int64_t journal_pk;
    struct op *op;
    struct calendar_get *get;
    struct deferred later;
    struct calendar_done done;
};

/* --- life
 * ----------------------------------------------------------------------------------------------------------------- */

static void start_next(struct account *a);

static void write_free(struct calendar_write *w)
{
    list_remove(&w->link);
    loop_defer_cancel(&w->later);
    op_detach(&w->op);
    calendar_get_cancel(&w->get);
    arena_done(&w->arena);
    mem_free(w);
}

static void on_end(void *ud)
{
    struct calendar_write *w = ud;
    struct account *a = w->account;
    list_remove(&w->link);
    if (!w->detached)
        w->cb(w->ud, &w->done);
    else if (w->done.err.code != ERR_NONE)
        log_warn("calendar", account_name(a), "%s (the client did not wait for it)", w->done.err.text);
    write_free(w);
    start_next(a);
}

/* The callback comes from the loop. */
static void end(struct calendar_write *w)
{
    deferred_init(&w->later, on_end, w);
    loop_defer(w->account->loop, &w->later);
}

static void fail(struct calendar_write *w, const struct err *err)
{
    w->done.err = *err;
    sync_disk_failed(w->account->sync, err);
    end(w);
}

static void refuse(struct calendar_write *w, enum calendar_refusal refusal, enum err_code code, const char *text)
{
    w->done.refusal = refusal;
    err_set(&w->done.err, code, "%s", text);
    end(w);
}

static void on_turn(void *ud)
{
    struct calendar_write *w = ud;
    if (w->account->wiped)
        fail(w, account_health(w->account));
    else
        w->decide(w);
}

static bool touches(const struct calendar_write *w, int64_t pk)
{
    return w->folder_pk == pk || (w->to_pk && w->to_pk == pk);
}

static bool is_blocked(struct account *a, const struct calendar_write *w)
{
    LIST_EACH (&a->calendar_writes, l) {
        const struct calendar_write *earlier = LIST_ITEM(l, struct calendar_write, link);
        if (earlier == w)
            return false;
        if (touches(earlier, w->folder_pk) || (w->to_pk && touches(earlier, w->to_pk)))
            return true;
    }
    return false;
}

static void start_next(struct account *a)
{
    LIST_EACH (&a->calendar_writes, l) {
        struct calendar_write *w = LIST_ITEM(l, struct calendar_write, link);
        if (w->running || is_blocked(a, w))
            continue;
        w->running = true;
        deferred_init(&w->later, on_turn, w);
        loop_defer(a->loop, &w->later);
    }
}

static struct calendar_write *write_new(struct account *a, int64_t pk, struct str name,
                                        const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                        void *ud)
{
    struct calendar_write *w = MEM_NEW(struct calendar_write);
    w->account = a;
    w->cb = cb;
    w->ud = ud;
    w->folder_pk = pk;
    w->name = arena_str(&w->arena, name);
    w->done.name = w->name;
    if (condition)
        w->condition = *condition;
    w->schedule = schedule;
    list_init(&w->link);
    list_append(&a->calendar_writes, &w->link);
    deferred_init(&w->later, on_turn, w);
    return w;
}

void calendar_detach(struct calendar_write **w)
{
    if (*w)
        (*w)->detached = true;
    *w = NULL;
}

void calendar_writes_done(struct account *a)
{
    while (!list_empty(&a->calendar_writes))
        write_free(LIST_ITEM(a->calendar_writes.next, struct calendar_write, link));
}

/* --- what is there now
 * ------------------------------------------------------------------------------------------------------ */

static bool look(struct calendar_write *w)
{
    struct err err = {0};
    const struct calendar_condition *c = &w->condition;
    if (!calendar_folder(w->account, w->folder_pk, &w->arena, &w->folder)) {
        err_set(&err, ERR_NOT_FOUND, "there is no such calendar");
        fail(w, &err);
        return false;
    }
    w->exists = store_resource_by_name(w->account->store, w->folder_pk, w->name, &w->arena, &w->known);
    if ((c->must_exist && !w->exists) || (c->must_not_exist && w->exists) ||
        (c->has_revision && (!w->exists || w->known.modseq != c->revision))) {
        err_set(&err, ERR_CONFLICT, "the object is not what the client knows");
        fail(w, &err);
        return false;
    }
    w->has_base = w->exists && calendar_base(w->account, w->known.pk, &w->arena, &w->base);
    return true;
}

static void on_base(void *ud, const struct err *err)
{
    struct calendar_write *w = ud;
    w->get = NULL;
    if (err->code != ERR_NONE)
        fail(w, err);
    else
        w->decide(w);
}

/* True: the base is on its way (or cannot be had), and decide() is called again. */
static bool fetch_base(struct calendar_write *w)
{
    struct err err = {0};
    if (!w->exists || w->has_base)
        return false;
    if (w->base_asked) {
        err_set(&err, ERR_CONFLICT, "the object vanished from the server");
        fail(w, &err);
        return true;
    }
    w->base_asked = true;
    cache_drop(w->account->cache, w->known.pk); /* half of it may be there */
    w->get = calendar_get(w->account, w->folder_pk, &w->known.pk, 1, on_base, w);
    return true;
}

/* --- confirmed: written down
 * -------------------------------------------------------------------------------------------------- */

/* Differences that a client does not see as its own change undone. */
#define NOT_OURS (EVENT_PART_RESPONSES | EVENT_PART_MINE | EVENT_PART_CANCELLED)

static bool write_down(struct calendar_write *w, struct str id, struct str change, const struct event *got,
                       const struct event *owed_before, const struct event *owed_after, struct err *err)
{
    struct account *a = w->account;
    struct calendar_item made;
    struct store_resource as = w->exists ? w->known : (struct store_resource){0}, now;
    unsigned differ = got == &w->wanted ? 0 : event_differ(&w->wanted, got) & ~(unsigned)NOT_OURS;
    bool faithful = differ == 0;
    if (differ)
        log_debug("calendar", account_name(a), "the server has it otherwise (parts 0x%x)", differ);
    as.digest = STR_NULL;
    as.ical_uid = w->wanted.uid;
    as.extra = calendar_seal(a, w->extras, &w->arena);
    calendar_prepare(a, got, &as, &w->arena, &made);
    made.row.extra = as.extra;
    made.row.name = w->name;
    if (faithful && w->verbatim) {
        char digest[STORE_DIGEST_SIZE];
        calendar_digest(w->text, digest);
        made.served = w->text;
        made.row.served = arena_str(&w->arena, str_of(digest, sizeof(digest)));
        made.row.size = w->text.n;
    }
    if (!store_begin(a->store, err))
        return false;
    bool ok = store_event_put(a->store, w->folder_pk, id, change, got == &w->wanted && !w->exists ? STR_NULL : got->uid,
                              &made.row, &now, err);
    ok = ok && (!owed_after || calendar_owe(a, owed_before, owed_after, err));
    ok = ok && (!w->journal_pk || store_journal_set(a->store, w->journal_pk, JOURNAL_SENT, err));
    if (!store_end(a->store, ok, err))
        return false;
    calendar_keep(a, now.pk, &made);
    w->done.created = !w->exists;
    w->done.revision = made.served.p == w->text.p ? now.modseq : 0;
    return true;
}

/* Nothing was asked of the server: only what it has no place for may have changed. */
static void keep_extras(struct calendar_write *w)
{
    struct err err = {0};
    if (write_down(w, w->known.server_id, STR_NULL, &w->base, NULL, NULL, &err))
        end(w);
    else
        fail(w, &err);
}

/* --- putting
 * ----------------------------------------------------------------------------------------------------------------------
 */

static bool is_organizer(const struct event *e)
{
    return e->is_meeting && e->fields.mine == EVENT_ORGANIZER;
}

static bool server_schedules(const struct calendar_write *w)
{
    return (account_caps(w->account) & CAP_SCHEDULING) != 0;
}

/* Is the item here still what the change was made from? */
static bool is_current(void *ud)
{
    struct calendar_write *w = ud;
    struct store_resource now;
    w->overtaken = !store_resource_by_name(w->account->store, w->folder_pk, w->name, &w->arena, &now) ||
                   now.pk != w->known.pk || now.modseq != w->known.modseq || !str_eq(now.digest, w->known.digest);
    return !w->overtaken;
}

/* Once more from the beginning, conditions included, upon what is here now. False: nothing came between, or the item
 * does not come to rest. */
static bool decide_again(struct calendar_write *w)
{
    if (!w->overtaken || ++w->rounds > ROUNDS_MAX)
        return false;
    w->overtaken = w->base_asked = false;
    w->decide(w);
    return true;
}

static void on_put(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    if (decide_again(w))
        return;
    crash_point("event.answered");
    if (err.code != ERR_NONE) {
        enum journal_state state = err.code == ERR_OFFLINE || err.code == ERR_PROTOCOL || err.code == ERR_INTERNAL
                                       ? JOURNAL_UNKNOWN
                                       : JOURNAL_REFUSED;
        struct err ignored;
        if (w->journal_pk && state == JOURNAL_REFUSED)
            store_journal_set(w->account->store, w->journal_pk, state, &ignored);
        if (err.code == ERR_UNSUPPORTED || err.code == ERR_INVALID) {
            w->done.refusal = CALENDAR_BAD_OBJECT;
            err.code = ERR_INVALID;
        }
        if (err.code == ERR_CONFLICT)
            sync_want(w->account->sync, w->folder_pk, 0);
        fail(w, &err);
        return;
    }
    const struct event *got = reply->event_done.event ? reply->event_done.event : &w->wanted;
    bool mail = w->schedule && !server_schedules(w) && is_organizer(&w->wanted);
    struct str id = reply->event_done.id.n ? reply->event_done.id : w->known.server_id;
    if (w->exists && !str_eq(id, w->known.server_id) &&
        !store_event_renamed(w->account->store, w->known.pk, id, reply->event_done.change, &err))
        fail(w, &err);
    else if (write_down(w, id, reply->event_done.change, got, mail && w->exists ? &w->base : NULL,
                        mail ? &w->wanted : NULL, &err))
        end(w);
    else
        fail(w, &err);
    crash_point("event.stored");
    calendar_mail_kick(w->account);
}

/* A row before the request goes out: when its outcome stays unknown, the client's next attempt looks before it makes
 * the item a second time. */
static bool journal(struct calendar_write *w, struct journal_row *row, struct err *err)
{
    struct buf b = {0}, token = {0};
    buf_printf(&b, "event %lld\n", (long long)w->folder_pk);
    buf_str(&b, w->wanted.uid);
    struct crypto_hash h = crypto_sha256(buf_view(&b));
    buf_done(&b);
    struct journal_key key = {str_of(h.b, sizeof(h.b)), STR(""), STR("")};
    bool ok = store_journal_find(w->account->store, &key, row) && row->state == JOURNAL_UNKNOWN;
    if (!ok) {
        *row = (struct journal_row){0};
        rand_add_hex(&token, 16);
        memcpy(row->evidence, buf_z(&token), token.n + 1);
        ok = store_journal_add(w->account->store, &key, buf_view(&token), &row->pk, err) &&
             store_journal_set(w->account->store, row->pk, JOURNAL_UNKNOWN, err);
        buf_done(&token);
    }
    w->journal_pk = row->pk;
    return ok;
}

static void put(struct calendar_write *w)
{
    struct journal_row row = {0};
    struct err err = {0};
    if (!w->exists && !journal(w, &row, &err)) {
        fail(w, &err);
        return;
    }
    crash_point("event.journaled");
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
        .is_current = is_current,
    };
    w->op = backend_event_put(w->account->backend, &request, on_put, w);
}

/* --- somebody else's meeting (RFC 6638 3.2.2)
 * ------------------------------------------------------------------------------------ */

/* What an attendee may not change (3.2.2.1). What he may, and the server keeps to itself, stays with the client. */
#define ORGANIZERS (EVENT_PART_TIME | EVENT_PART_RECURRENCE | EVENT_PART_ATTENDEES)

static const struct event_exception *base_exception(const struct calendar_write *w, const struct event_exception *x)
{
    return event_exception(&w->base, x->original);
}

static bool attendee_oversteps(const struct calendar_write *w)
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

static void answer_step(struct calendar_write *w);

/* We are the ones who write to people, and are to. */
static bool writes_mail(const struct calendar_write *w)
{
    return w->schedule && !server_schedules(w);
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
    ok = ok && (!writes_mail(w) || calendar_held_confirmed(w->account, w->known.ical_uid, &w->answer, err));
    return store_end(s, ok, err);
}

/* ERR_OFFLINE and the like: nobody knows; the mail waits until the sync tells. */
static bool is_refusal(enum err_code code)
{
    return code != ERR_NONE && code != ERR_OFFLINE && code != ERR_PROTOCOL && code != ERR_INTERNAL;
}

static void on_answered(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err, ignored = {0};
    w->op = NULL;
    if (is_refusal(err.code) && writes_mail(w))
        calendar_held_failed(w->account, w->known.ical_uid, &w->answer, &ignored);
    if (err.code != ERR_NONE && !is_refusal(err.code)) /* nobody knows: look */
        sync_want(w->account->sync, w->folder_pk, 0);
    struct str id = reply->event_done.id;
    if (err.code != ERR_NONE || !note_answer(w, id, reply->event_done.change, &err)) {
        fail(w, &err);
        return;
    }
    if (id.n == 0) {
        end(w);
        return;
    }
    if (!str_eq(id, w->known.server_id) || reply->event_done.change.n) {
        w->known.server_id = arena_str(&w->arena, id);
        w->known.change = arena_str(&w->arena, reply->event_done.change);
    }
    answer_step(w);
}

static void respond(struct calendar_write *w, const struct event_exception *x, enum event_response answer)
{
    struct event_reply request = {
        .folder_id = w->folder.server_id,
        .id = w->known.server_id,
        .change = w->known.change,
        .has_instance = x != NULL,
        .instance = x ? x->original : 0,
        .event = &w->base,
        .response = answer,
        .notify = w->schedule,
    };
    struct err err = {0};
    w->answer = (struct calendar_answer){request.has_instance, request.instance, answer};
    if (writes_mail(w) && !calendar_hold_reply(w->account, w->known.ical_uid, &w->base, &w->answer, &err)) {
        fail(w, &err);
        return;
    }
    w->op = backend_event_respond(w->account->backend, &request, on_answered, w);
}

static void answer_step(struct calendar_write *w)
{
    enum event_response answer = w->wanted.fields.mine;
    if (!w->answered) {
        w->answered = true;
        if (answer != w->base.fields.mine && answer != EVENT_NO_RESPONSE) {
            respond(w, NULL, answer);
            return;
        }
    }
    const struct event_exception *x = next_answer(w, &answer);
    if (x) {
        respond(w, x, answer);
        return;
    }
    /* What the server has now is what it had, with our answers in it: the sync brings its own view. */
    keep_extras(w);
    sync_want(w->account->sync, w->folder_pk, 0);
}

/* --- PUT
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static enum calendar_refusal refusal_of(enum ical_fault fault)
{
    switch (fault) {
    case ICAL_VALID_DATA:
        return CALENDAR_BAD_DATA;
    case ICAL_COMPONENT:
        return CALENDAR_BAD_COMPONENT;
    case ICAL_SIZE:
    case ICAL_INSTANCES:
    case ICAL_ATTENDEES:
        return CALENDAR_TOO_BIG;
    case ICAL_VALID_OBJECT:
    case ICAL_DATE_MIN:
    case ICAL_DATE_MAX:
        break;
    }
    return CALENDAR_BAD_OBJECT;
}

static bool read_text(struct calendar_write *w)
{
    struct str me[1];
    struct ical_options options = calendar_options(w->account, me);
    struct ical_problem problem = {0};
    if (ical_read(w->text, &options, &w->arena, &w->wanted, &w->extras, &problem))
        return true;
    refuse(w, refusal_of(ical_reason_fault(problem.reason)), ERR_INVALID, problem.text);
    return false;
}

static bool uid_fits(struct calendar_write *w)
{
    struct store_resource other;
    if (w->exists && !str_eq(w->known.ical_uid, w->wanted.uid)) {
        refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "an object keeps its UID (RFC 4791 5.3.2)");
        return false;
    }
    if (!w->exists && store_resource_by_uid(w->account->store, w->folder_pk, w->wanted.uid, &w->arena, &other)) {
        w->done.name = other.name;
        refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "another object of this calendar has the UID");
        return false;
    }
    return true;
}

/* Data that is big because of attachments is not kept a second time. */
static bool keeps_verbatim(const struct calendar_write *w)
{
    for (size_t i = 0; i < w->wanted.fields.attachment_count; i++)
        if (w->wanted.fields.attachments[i].data.n)
            return false;
    return w->text.n <= CALENDAR_VERBATIM_MAX;
}

/* Somebody else's invitation that the server does not know: it stays an appointment here. Sent as a meeting it would
 * make the user its organiser, and everybody would be invited again. */
static void disinvite(struct event *e)
{
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
static void mark_elsewhere(struct calendar_write *w)
{
    struct str me[1], text, extras;
    struct ical_options options = calendar_options(w->account, me);
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
static bool agents_fit(struct calendar_write *w, const struct event *e)
{
    size_t n = is_organizer(e) ? count_elsewhere(e) : 0;
    if (n == 0) {
        if (e->organizer_elsewhere && !is_organizer(e))
            w->schedule = false;
        return true;
    }
    if (n == e->fields.attendee_count)
        w->schedule = false;
    else if (server_schedules(w)) {
        refuse(w, CALENDAR_BAD_OBJECT, ERR_INVALID, "the server invites all guests or none (SCHEDULE-AGENT)");
        return false;
    }
    return true;
}

static void decide_put(struct calendar_write *w)
{
    if (!look(w) || !read_text(w))
        return;
    if ((w->wanted.kind == EVENT_TASK) != (w->folder.kind == FOLDER_TASKS)) {
        refuse(w, CALENDAR_BAD_COMPONENT, ERR_INVALID,
               w->folder.kind == FOLDER_TASKS ? "this is a list of tasks (VTODO)" : "this is a calendar (VEVENT)");
        return;
    }
    if (!uid_fits(w) || fetch_base(w))
        return;
    w->verbatim = keeps_verbatim(w);
    if (!agents_fit(w, &w->wanted))
        return;
    if (!w->exists) {
        if (w->wanted.is_meeting && !is_organizer(&w->wanted))
            disinvite(&w->wanted);
        put(w);
        return;
    }
    ical_settle(&w->wanted, &w->base, &w->arena);
    mark_elsewhere(w);
    if (w->base.is_meeting && !is_organizer(&w->base)) {
        if (attendee_oversteps(w))
            refuse(w, CALENDAR_NOT_ORGANIZER, ERR_INVALID, "only the organizer may change this meeting");
        else
            answer_step(w);
    } else if (event_differ(&w->base, &w->wanted) & ~(unsigned)NOT_OURS) {
        put(w);
    } else {
        keep_extras(w);
    }
}

struct calendar_write *calendar_put(struct account *a, int64_t pk, struct str name, struct str text,
                                    const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                    void *ud)
{
    struct calendar_write *w = write_new(a, pk, name, condition, schedule, cb, ud);
    w->text = arena_str(&w->arena, text);
    w->decide = decide_put;
    start_next(a);
    return w;
}

/* --- DELETE
 * ---------------------------------------------------------------------------------------------------------------------------
 */

static bool tells_removal(const struct calendar_write *w)
{
    return writes_mail(w) && w->has_base && w->base.is_meeting;
}

static void on_removed(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_gone.answered");
    if (err.code == ERR_NONE && reply->items_done.each && reply->items_done.count)
        err = reply->items_done.each[0];
    if (err.code == ERR_NOT_FOUND)
        err = (struct err){0};
    struct account *a = w->account;
    struct err ignored = {0};
    if (is_refusal(err.code) && tells_removal(w))
        calendar_held_failed(a, w->known.ical_uid, NULL, &ignored);
    if (decide_again(w))
        return;
    if (err.code != ERR_NONE && !is_refusal(err.code))
        sync_want(a->sync, w->folder_pk, 0);
    if (err.code != ERR_NONE) {
        fail(w, &err);
        return;
    }
    bool ok = store_begin(a->store, &err);
    if (ok) {
        ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, &err) &&
             (!tells_removal(w) || calendar_held_confirmed(a, w->known.ical_uid, NULL, &err));
        ok = store_end(a->store, ok, &err);
    }
    crash_point("event_gone.stored");
    if (ok)
        end(w);
    else
        fail(w, &err);
}

static void decide_delete(struct calendar_write *w)
{
    struct err err = {0};
    if (!look(w))
        return;
    if (!w->exists) {
        err_set(&err, ERR_NOT_FOUND, "there is no such object");
        fail(w, &err);
        return;
    }
    if (w->folder.kind == FOLDER_CALENDAR && w->schedule && fetch_base(w)) /* whom to tell */
        return;
    if (w->has_base) {
        mark_elsewhere(w);
        if (!agents_fit(w, &w->base))
            return;
    }
    if (w->has_base && w->base.is_meeting && !is_organizer(&w->base) && !w->base.fields.cancelled && w->schedule &&
        server_schedules(w)) { /* RFC 6638 3.2.2.3: who deletes somebody else's meeting declines it */
        w->wanted = w->base;
        w->wanted.fields.mine = EVENT_DECLINED;
        w->answered = true;
        respond(w, NULL, EVENT_DECLINED);
        return;
    }
    if (tells_removal(w) && !calendar_hold_removal(w->account, w->known.ical_uid, &w->base, &err)) {
        fail(w, &err);
        return;
    }
    w->op = backend_event_remove(w->account->backend, w->folder.server_id, w->folder.kind, w->known.server_id,
                                 w->known.change, w->schedule, is_current, on_removed, w);
}

struct calendar_write *calendar_delete(struct account *a, int64_t pk, struct str name,
                                       const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                       void *ud)
{
    struct calendar_write *w = write_new(a, pk, name, condition, schedule, cb, ud);
    w->decide = decide_delete;
    start_next(a);
    return w;
}

/* --- COPY and MOVE
 * ------------------------------------------------------------------------------------------------------------------ */

static void on_moved(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct account *a = w->account;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_moved.answered");
    if (err.code == ERR_NONE && reply->items_done.each && reply->items_done.count)
        err = reply->items_done.each[0];
    if (err.code != ERR_NONE) {
        fail(w, &err);
        return;
    }
    struct str id = reply->items_done.new_ids && reply->items_done.count ? reply->items_done.new_ids[0] : STR_NULL;
    struct store_event row = {.ical_uid = w->known.ical_uid,
                              .name = w->to_name,
                              .digest = w->known.digest,
                              .served = w->known.served,
                              .kind = w->known.kind,
                              .from = w->known.from,
                              .to = w->known.to,
                              .size = w->known.size,
                              .extra = w->known.extra};
    struct store_resource now = {0};
    struct str canonical, served;
    bool cached = cache_rendering(a->cache, w->known.pk, CALENDAR_R_CANONICAL, &w->arena, &canonical) &&
                  cache_rendering(a->cache, w->known.pk, CALENDAR_R_SERVED, &w->arena, &served);
    bool ok = store_begin(a->store, &err);
    if (ok) {
        ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, &err) &&
             (id.n == 0 || store_event_put(a->store, w->to_pk, id, STR_NULL, w->base.uid, &row, &now, &err));
        ok = store_end(a->store, ok, &err);
    }
    if (!ok) {
        fail(w, &err);
        return;
    }
    crash_point("event_moved.stored");
    if (cached && now.pk)
        calendar_keep(a, now.pk, &(struct calendar_item){.canonical = canonical, .served = served});
    if (id.n == 0) /* the sync will tell */
        sync_want(a->sync, w->to_pk, 0);
    w->done.name = w->to_name;
    w->done.created = true;
    w->done.revision = now.modseq;
    end(w);
}

static void move(struct calendar_write *w, const struct store_folder *to)
{
    struct str ids[1] = {w->known.server_id};
    w->op = backend_move(w->account->backend, w->folder.server_id, to->server_id, ids, 1, on_moved, w);
}

/* A copy is a new item with what the old one says: put under the other name. */
static void copy(struct calendar_write *w, const struct store_folder *to)
{
    struct str me[1], extras;
    struct ical_options options = calendar_options(w->account, me);
    struct buf b = {0};
    extras = calendar_unseal(w->account, w->known.extra, &w->arena);
    w->wanted = w->base;
    w->wanted.uid = w->known.ical_uid;
    disinvite(&w->wanted); /* the guests have their invitation already */
    w->extras = extras;
    ical_write(&b, &w->wanted, &options, extras);
    w->text = arena_str(&w->arena, buf_view(&b));
    buf_done(&b);
    w->folder_pk = w->to_pk;
    w->folder = *to;
    w->name = w->done.name = w->to_name;
    w->exists = false;
    w->schedule = false;
    put(w);
}

/* Within one collection: the name is ours alone, the server is not asked. */
static void rename_here(struct calendar_write *w)
{
    struct err err = {0};
    if (!store_resource_rename(w->account->store, w->folder_pk, w->known.pk, w->to_name, &w->done.revision, &err)) {
        fail(w, &err);
        return;
    }
    w->done.name = w->to_name;
    w->done.created = true;
    end(w);
}

static void decide_copy(struct calendar_write *w)
{
    struct err err = {0};
    struct store_folder to;
    struct store_resource there;
    if (!look(w))
        return;
    if (!w->exists || !calendar_folder(w->account, w->to_pk, &w->arena, &to)) {
        err_set(&err, ERR_NOT_FOUND, "there is no such object, or no such calendar");
        fail(w, &err);
    } else if (to.kind != w->folder.kind) {
        refuse(w, CALENDAR_BAD_COMPONENT, ERR_INVALID, "events and tasks do not go into one collection");
    } else if (store_resource_by_name(w->account->store, w->to_pk, w->to_name, &w->arena, &there)) {
        err_set(&err, ERR_CONFLICT, "there is an object of that name already");
        fail(w, &err);
    } else if (w->to_pk == w->folder_pk && w->move) {
        rename_here(w);
    } else if (store_resource_by_uid(w->account->store, w->to_pk, w->known.ical_uid, &w->arena, &there)) {
        w->done.name = there.name;
        refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "another object of that calendar has the UID");
    } else if (!fetch_base(w)) {
        (w->move ? move : copy)(w, &to);
    }
}

struct calendar_write *calendar_copy(struct account *a, int64_t pk, struct str name, int64_t to_pk, struct str to_name,
                                     bool do_move, const struct calendar_condition *condition, calendar_done_cb *cb,
                                     void *ud)
{
    struct calendar_write *w = write_new(a, pk, name, condition, false, cb, ud);
    w->to_pk = to_pk;
    w->to_name = arena_str(&w->arena, to_name);
    w->move = do_move;
    w->decide = decide_copy;
    start_next(a);
    return w;
}
