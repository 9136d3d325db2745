/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE, COPY and MOVE. */
#include "bridge/base/crash.h"
#include "bridge/calendar_write_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

/* --- DELETE
 * ---------------------------------------------------------------------------------------------------------------------------
 */

static bool tells_removal(const struct calendar_write *w)
{
    return calendar_writes_mail(w) && w->has_base && w->base.is_meeting;
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
    if (err.code != ERR_NONE)
        calendar_held_ends(a, &w->held, err.code);
    if (calendar_write_again(w, &err))
        return;
    if (err.code != ERR_NONE && !calendar_is_refusal(err.code))
        sync_want(a->sync, w->folder_pk, 0);
    if (err.code != ERR_NONE) {
        calendar_write_fail(w, &err);
        return;
    }
    bool ok = store_begin(a->store, &err);
    if (ok) {
        ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, &err) &&
             calendar_held_confirmed(a, &w->held, &err);
        ok = store_end(a->store, ok, &err);
    }
    crash_point("event_gone.stored");
    calendar_held_ends(a, &w->held, ok ? ERR_NONE : ERR_INTERNAL);
    if (ok)
        calendar_write_end(w);
    else
        calendar_write_fail(w, &err);
}

static void decide_delete(struct calendar_write *w)
{
    struct err err = {0};
    if (!calendar_write_look(w))
        return;
    if (!w->exists) {
        err_set(&err, ERR_NOT_FOUND, "there is no such object");
        calendar_write_fail(w, &err);
        return;
    }
    if (w->unseen) {
        calendar_write_conflict(w);
        return;
    }
    if (w->folder.kind == FOLDER_CALENDAR && w->schedule && calendar_write_fetch_base(w)) /* whom to tell */
        return;
    if (w->has_base) {
        calendar_write_mark_elsewhere(w);
        if (!calendar_write_agents_fit(w, &w->base))
            return;
    }
    if (w->has_base && w->base.is_meeting && !calendar_is_organizer(&w->base) && !w->base.fields.cancelled &&
        w->schedule &&
        calendar_server_schedules(w)) { /* RFC 6638 3.2.2.3: who deletes somebody else's meeting declines it */
        w->wanted = w->base;
        w->wanted.fields.mine = EVENT_DECLINED;
        w->answered = true;
        calendar_write_respond(w, NULL, EVENT_DECLINED);
        return;
    }
    if (tells_removal(w) &&
        !calendar_hold_removal(w->account, w->folder_pk, w->known.ical_uid, &w->base, &w->held, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    w->op = backend_event_remove(w->account->backend, w->folder.server_id, w->folder.kind, w->known.server_id,
                                 w->known.change, w->schedule, calendar_write_is_current, on_removed, w);
}

struct calendar_write *calendar_delete(struct account *a, int64_t pk, struct str name,
                                       const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                       void *ud)
{
    struct calendar_write *w = calendar_write_new(a, pk, name, condition, schedule, cb, ud);
    w->decide = decide_delete;
    calendar_write_next(a);
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
        calendar_write_fail(w, &err);
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
    bool cached = calendar_rendering(a, w->known.pk, CALENDAR_R_CANONICAL, &w->arena, &canonical) &&
                  calendar_rendering(a, w->known.pk, CALENDAR_R_SERVED, &w->arena, &served);
    bool ok = store_begin(a->store, &err);
    if (ok) {
        ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, &err) &&
             (id.n == 0 || store_event_put(a->store, w->to_pk, id, STR_NULL, w->base.uid, &row, &now, &err));
        ok = store_end(a->store, ok, &err);
    }
    if (!ok) {
        calendar_write_fail(w, &err);
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
    calendar_write_end(w);
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
    calendar_disinvite(&w->wanted); /* the guests have their invitation already */
    w->extras = extras;
    ical_write(&b, &w->wanted, &options, extras);
    w->text = arena_str(&w->arena, buf_view(&b));
    buf_done(&b);
    w->folder_pk = w->to_pk;
    w->folder = *to;
    w->name = w->done.name = w->to_name;
    w->exists = false;
    w->schedule = false;
    calendar_write_put(w);
}

/* Within one collection: the name is ours alone, the server is not asked. */
static void rename_here(struct calendar_write *w)
{
    struct err err = {0};
    if (!store_resource_rename(w->account->store, w->folder_pk, w->known.pk, w->to_name, &w->done.revision, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    w->done.name = w->to_name;
    w->done.created = true;
    calendar_write_end(w);
}

static void decide_copy(struct calendar_write *w)
{
    struct err err = {0};
    struct store_folder to;
    struct store_resource there;
    if (!calendar_write_look(w))
        return;
    if (!w->exists || !calendar_folder(w->account, w->to_pk, &w->arena, &to)) {
        err_set(&err, ERR_NOT_FOUND, "there is no such object, or no such calendar");
        calendar_write_fail(w, &err);
    } else if (to.kind != w->folder.kind) {
        calendar_write_refuse(w, CALENDAR_BAD_COMPONENT, ERR_INVALID, "events and tasks do not go into one collection");
    } else if (store_resource_by_name(w->account->store, w->to_pk, w->to_name, &w->arena, &there)) {
        err_set(&err, ERR_CONFLICT, "there is an object of that name already");
        calendar_write_fail(w, &err);
    } else if (w->to_pk == w->folder_pk && w->move) {
        rename_here(w);
    } else if (store_resource_by_uid(w->account->store, w->to_pk, w->known.ical_uid, &w->arena, &there)) {
        w->done.name = there.name;
        calendar_write_refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "another object of that calendar has the UID");
    } else if (!calendar_write_fetch_base(w)) {
        (w->move ? move : copy)(w, &to);
    }
}

struct calendar_write *calendar_copy(struct account *a, int64_t pk, struct str name, int64_t to_pk, struct str to_name,
                                     bool do_move, const struct calendar_condition *condition, calendar_done_cb *cb,
                                     void *ud)
{
    struct calendar_write *w = calendar_write_new(a, pk, name, condition, false, cb, ud);
    w->to_pk = to_pk;
    w->to_name = arena_str(&w->arena, to_name);
    w->move = do_move;
    w->decide = decide_copy;
    calendar_write_next(a);
    return w;
}
