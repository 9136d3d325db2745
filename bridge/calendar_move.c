/* SPDX-License-Identifier: Apache-2.0 */
/* MOVE. */
#include "bridge/base/crash.h"
#include "bridge/calendar_write_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

static bool moved_down(struct calendar_write *w, struct str id, struct err *err)
{
    struct account *a = w->account;
    struct store_event row = {.ical_uid = w->known.ical_uid,
                              .name = w->replaces ? w->name : w->to_name, /* taken: another one is made */
                              .digest = w->known.digest,
                              .served = w->known.served,
                              .kind = w->known.kind,
                              .from = w->known.from,
                              .to = w->known.to,
                              .size = w->known.size,
                              .extra = w->known.extra,
                              .told_again = account_caps(a) & CAP_TELLS_OWN};
    struct store_resource now = {0};
    struct str canonical, served;
    bool cached = !calendar_has_attachments(&w->base) && /* they have other addresses from now on */
                  calendar_rendering(a, w->known.pk, CALENDAR_R_CANONICAL, &w->arena, &canonical) &&
                  calendar_rendering(a, w->known.pk, CALENDAR_R_SERVED, &w->arena, &served);
    if (!store_begin(a->store, err))
        return false;
    /* Without a ChangeKey: what was moved may be newer than what is known of it here. */
    bool ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, err) &&
              (id.n == 0 || store_event_put(a->store, w->to_pk, id, STR_NULL, w->base.uid, &row, &now, err));
    if (!store_end(a->store, ok, err))
        return false;
    if (cached && now.pk)
        calendar_keep(a, now.pk, &(struct calendar_item){.canonical = canonical, .served = served});
    w->made_pk = now.pk;
    w->done.revision = now.modseq;
    return true;
}

static void on_moved(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_moved.answered");
    if (err.code == ERR_NONE && reply->items_done.each && reply->items_done.count)
        err = reply->items_done.each[0];
    struct str id = reply->items_done.new_ids && reply->items_done.count ? reply->items_done.new_ids[0] : STR_NULL;
    if (err.code != ERR_NONE || !moved_down(w, id, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    crash_point("event_moved.stored");
    if (id.n == 0) /* the sync will tell */
        sync_want(w->account->sync, w->to_pk, 0);
    w->done.name = w->to_name;
    w->done.created = true;
    if (w->replaces)
        calendar_write_take_place(w);
    else
        calendar_write_end(w);
}

void calendar_write_move(struct calendar_write *w)
{
    struct str ids[1] = {w->known.server_id};
    if (w->to_pk != w->folder_pk) {
        w->op = backend_move(w->account->backend, w->folder.server_id, w->to_folder.server_id, ids, 1, on_moved, w);
        return;
    }
    w->made_pk = w->known.pk; /* the name is ours alone, the server is not asked */
    calendar_write_take_place(w);
}
