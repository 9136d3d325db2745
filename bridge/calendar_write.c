/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients change: PUT, DELETE, COPY, MOVE. One at a time in a collection, because each is decided upon what the
 * one before left behind: conditions, UIDs, the item's base.
 *
 *   begin -> [fetch the base] -> decide -> the server's requests, one after the other -> confirmed -> store -> the
 * answer
 */
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/calendar_write_private.h"
#include "bridge/sync.h"

#define FRESH_MS (60 * 1000) /* so long a change waits for a collection that is read anew */

/* --- life
 * ----------------------------------------------------------------------------------------------------------------- */

static void write_free(struct calendar_write *w)
{
    list_remove(&w->link);
    loop_defer_cancel(&w->later);
    op_detach(&w->op);
    calendar_get_cancel(&w->get);
    sync_wait_cancel(&w->fresh);
    timer_free(&w->patience);
    arena_done(&w->arena);
    mem_free(w);
}

static void on_end(void *ud)
{
    struct calendar_write *w = ud;
    struct account *a = w->account;
    list_remove(&w->link);
    if (!w->detached) {
        w->cb(w->ud, &w->done);
        calendar_write_heard(w);
    } else if (w->done.err.code != ERR_NONE) {
        log_warn("calendar", account_name(a), "%s (the client did not wait for it)", w->done.err.text);
    }
    int64_t touched[] = {w->folder_pk, w->to_pk};
    write_free(w);
    calendar_write_next(a);
    for (int i = 0; i < 2; i++) /* what had to wait (calendar_write_under_way) */
        sync_want(a->sync, touched[i], UINT64_MAX);
}

void calendar_write_end(struct calendar_write *w)
{
    deferred_init(&w->later, on_end, w);
    loop_defer(w->account->loop, &w->later);
}

void calendar_write_stored(struct calendar_write *w)
{
    if (w->then)
        w->then(w);
    else
        calendar_write_end(w);
}

void calendar_write_fail(struct calendar_write *w, const struct err *err)
{
    w->done.err = *err;
    sync_disk_failed(w->account->sync, err);
    calendar_write_end(w);
}

void calendar_write_refuse(struct calendar_write *w, enum calendar_refusal refusal, enum err_code code,
                           const char *text)
{
    w->done.refusal = refusal;
    err_set(&w->done.err, code, "%s", text);
    calendar_write_end(w);
}

void calendar_write_explain(struct calendar_write *w, struct err *err)
{
    if (err->code != ERR_UNSUPPORTED && err->code != ERR_INVALID)
        return;
    w->done.refusal = CALENDAR_BAD_OBJECT;
    err->code = ERR_INVALID;
}

static void on_turn(void *ud)
{
    struct calendar_write *w = ud;
    if (w->account->wiped)
        calendar_write_fail(w, account_health(w->account));
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

bool calendar_write_under_way(const struct account *a, int64_t pk)
{
    LIST_EACH (&a->calendar_writes, l) {
        const struct calendar_write *w = LIST_ITEM(l, struct calendar_write, link);
        if (w->op && touches(w, pk))
            return true;
    }
    return false;
}

void calendar_write_next(struct account *a)
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

struct calendar_write *calendar_write_new(struct account *a, int64_t pk, struct str name,
                                          const struct calendar_condition *condition, bool schedule,
                                          calendar_done_cb *cb, void *ud)
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

bool calendar_write_look(struct calendar_write *w)
{
    struct err err = {0};
    const struct calendar_condition *c = &w->condition;
    if (!calendar_folder(w->account, w->folder_pk, &w->arena, &w->folder)) {
        err_set(&err, ERR_NOT_FOUND, "there is no such calendar");
        calendar_write_fail(w, &err);
        return false;
    }
    w->exists = store_resource_by_name(w->account->store, w->folder_pk, w->name, &w->arena, &w->known);
    if (w->exists && w->text.n)
        calendar_write_adopt(w);
    if ((c->must_exist && !w->exists) || (c->must_not_exist && w->exists) ||
        (c->has_revision && (!w->exists || (!w->refreshed && w->known.modseq != c->revision)))) {
        err_set(&err, ERR_CONFLICT, "the object is not what the client knows");
        calendar_write_fail(w, &err);
        return false;
    }
    if (!w->refreshed) { /* later `unseen` tells what the revision cannot: what is there may be our own change */
        w->first_digest = w->known.digest;
        w->first_schedule = w->known.schedule;
    }
    bool other = w->exists && w->refreshed && !str_eq(w->known.digest, w->first_digest);
    /* What guests have answered is not for the client to overwrite, and so nothing that it has to see before. */
    bool answers = other && w->first_schedule.n && str_eq(w->known.schedule, w->first_schedule);
    w->unseen = other && !answers;
    w->condition.despite_answers = w->condition.despite_answers || answers;
    w->has_base = w->exists && calendar_base(w->account, w->known.pk, &w->arena, &w->base);
    return true;
}

static void on_base(void *ud, const struct err *err)
{
    struct calendar_write *w = ud;
    w->get = NULL;
    if (err->code != ERR_NONE)
        calendar_write_fail(w, err);
    else
        w->decide(w);
}

/* True: the base is on its way (or cannot be had), and decide() is called again. */
bool calendar_write_fetch_base(struct calendar_write *w)
{
    struct err err = {0};
    if (!w->exists || w->has_base)
        return false;
    if (w->base_asked) {
        err_set(&err, ERR_CONFLICT, "the object vanished from the server");
        calendar_write_fail(w, &err);
        return true;
    }
    w->base_asked = true;
    cache_drop(w->account->cache, w->known.pk); /* half of it may be there */
    w->get = calendar_get(w->account, w->folder_pk, &w->known.pk, 1, on_base, w);
    return true;
}

/* --- confirmed: written down
 * -------------------------------------------------------------------------------------------------- */

bool calendar_write_down(struct calendar_write *w, struct str id, struct str change, const struct event *got,
                         struct err *err)
{
    struct account *a = w->account;
    struct calendar_item made;
    struct store_resource as = w->exists ? w->known : (struct store_resource){0}, now;
    unsigned differ = got == &w->wanted ? 0 : event_differ(&w->wanted, got) & ~(unsigned)CALENDAR_NOT_OURS;
    bool faithful = differ == 0;
    if (differ)
        log_debug("calendar", account_name(a), "the server has it otherwise (parts 0x%x)", differ);
    as.digest = STR_NULL;
    as.ical_uid = w->wanted.uid;
    as.extra = calendar_seal(a, w->extras, &w->arena);
    calendar_prepare(a, got, &as, &w->arena, &made);
    if (w->outdated)
        made.row.digest = STR("");
    made.row.extra = as.extra;
    made.row.name = w->name;
    made.row.told_again = account_caps(a) & CAP_TELLS_OWN;
    bool told_wrong = w->condition.despite_answers && event_differ(&w->wanted, got) & EVENT_PART_RESPONSES;
    if (faithful && w->verbatim && !w->yielded && !told_wrong) {
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
    ok = ok && calendar_held_confirmed(a, &w->held, err);
    ok = ok && (!w->journal_pk || store_journal_set(a->store, w->journal_pk, JOURNAL_SENT, err));
    if (!store_end(a->store, ok, err))
        return false;
    calendar_keep(a, now.pk, &made);
    w->done.created = !w->exists || w->adopted;
    w->done.revision = made.served.p == w->text.p ? now.modseq : 0;
    return true;
}

void calendar_write_keep_extras(struct calendar_write *w)
{
    struct err err = {0};
    struct store_resource now;
    w->outdated = store_resource_by_pk(w->account->store, w->known.pk, &w->arena, &now) && now.digest.n == 0;
    if (calendar_write_down(w, w->known.server_id, STR_NULL, &w->base, &err))
        calendar_write_stored(w);
    else
        calendar_write_fail(w, &err);
}

/* --- what kinds of changes ask
 * ---------------------------------------------------------------------------------------- */

bool calendar_is_organizer(const struct event *e)
{
    return e->is_meeting && e->fields.mine == EVENT_ORGANIZER;
}

bool calendar_server_schedules(const struct calendar_write *w)
{
    return (account_caps(w->account) & CAP_SCHEDULING) != 0;
}

bool calendar_write_is_current(void *ud)
{
    struct calendar_write *w = ud;
    struct store_resource now;
    w->overtaken = !store_resource_by_name(w->account->store, w->folder_pk, w->name, &w->arena, &now) ||
                   now.pk != w->known.pk || now.modseq != w->known.modseq || !str_eq(now.digest, w->known.digest);
    return !w->overtaken;
}

static void on_fresh(void *ud, const struct err *err)
{
    struct calendar_write *w = ud;
    w->fresh = NULL;
    timer_free(&w->patience);
    if (err->code != ERR_NONE)
        calendar_write_fail(w, err);
    else
        w->decide(w);
}

static void on_not_fresh(void *ud)
{
    struct calendar_write *w = ud;
    struct err err = {0};
    sync_wait_cancel(&w->fresh);
    timer_free(&w->patience);
    err_set(&err, ERR_STALE, "the calendar is still being read anew");
    calendar_write_fail(w, &err);
}

void calendar_write_conflict(struct calendar_write *w)
{
    struct err err = {0};
    err_set(&err, ERR_CONFLICT, "the object was changed on the server meanwhile");
    calendar_write_fail(w, &err);
}

static void on_refreshed(void *ud, const struct err *err)
{
    struct calendar_write *w = ud;
    struct store_resource now;
    bool same = store_resource_by_pk(w->account->store, w->known.pk, &w->arena, &now) &&
                str_eq(now.change, w->known.change) && str_eq(now.digest, w->known.digest);
    w->get = NULL;
    if (err->code != ERR_NONE || same) { /* what it says instead, only the sync can tell */
        sync_want(w->account->sync, w->folder_pk, 0);
        calendar_write_conflict(w);
    } else {
        w->decide(w);
    }
}

static bool refresh(struct calendar_write *w)
{
    if (!w->exists || ++w->rounds > ROUNDS_MAX)
        return false;
    w->refreshed = true;
    w->base_asked = false;
    w->get = calendar_get_again(w->account, w->folder_pk, w->known.pk, on_refreshed, w);
    return true;
}

bool calendar_write_await(struct calendar_write *w, int64_t folder_pk)
{
    if (++w->rounds > ROUNDS_MAX || !(w->fresh = sync_wait(w->account->sync, folder_pk, on_fresh, w)))
        return false;
    w->patience = timer_new(w->account->loop, on_not_fresh, w);
    timer_start(w->patience, FRESH_MS);
    return true;
}

bool calendar_write_again(struct calendar_write *w, const struct err *err)
{
    if (err->code == ERR_CONFLICT && !w->overtaken)
        return refresh(w);
    if (err->code == ERR_STALE) {
        w->overtaken = w->base_asked = false;
        return calendar_write_await(w, w->folder_pk);
    }
    if (!w->overtaken || ++w->rounds > ROUNDS_MAX)
        return false;
    w->overtaken = w->base_asked = false;
    w->decide(w);
    return true;
}

bool calendar_writes_mail(const struct calendar_write *w)
{
    return w->schedule && !calendar_server_schedules(w);
}
