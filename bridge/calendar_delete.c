/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE. */
#include "bridge/base/crash.h"
#include "bridge/calendar_write_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

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
    if (err.code != ERR_NONE && !calendar_is_final(err.code))
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
