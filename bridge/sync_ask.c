/* SPDX-License-Identifier: Apache-2.0 */
/* What the rest of the core asks of the sync engine. */
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/sync_private.h"

#define SYNC_RETRY_ASKED_MS 5000 /* least time between attempts that clients cause */

bool sync_is_down(const struct sync *s)
{
    return s->stopped || s->failures > 0;
}

bool sync_retry(struct sync *s)
{
    if (!sync_is_down(s))
        return true;
    uint64_t now = time_mono_ms();
    const struct err *health = &s->account->health;
    bool passes = err_is_transient(health->code) || (health->code == ERR_AUTH && health->retry_after_s);
    if (s->stopped || !passes || health->code == ERR_THROTTLED || now - s->failed_ms < SYNC_RETRY_ASKED_MS)
        return false;
    s->not_before_ms = 0;
    s->hierarchy_dirty |= !s->hierarchy_known;
    sync_schedule(s);
    return true;
}

bool sync_is_clean(struct sync *s, int64_t folder_pk, uint64_t max_age_ms)
{
    struct sync_folder *f = sync_find(s, folder_pk);
    if (!f || f->dirty || !f->synced_ms)
        return false;
    return (s->watch_op && sync_pushes_all(s)) || time_mono_ms() - f->synced_ms < max_age_ms;
}

void sync_want(struct sync *s, int64_t folder_pk, uint64_t max_age_ms)
{
    struct sync_folder *f = sync_find(s, folder_pk);
    if (!f || s->stopped || sync_is_clean(s, folder_pk, max_age_ms))
        return;
    f->hinted = true;
    if (s->current != f)
        f->dirty = true;
    sync_schedule(s);
}

void sync_want_folders(struct sync *s, uint64_t max_age_ms)
{
    if (s->stopped || !s->hierarchy_known || s->folders_op || (s->watch_op && sync_pushes_all(s)) ||
        time_mono_ms() - s->listed_ms <= max_age_ms)
        return;
    s->hierarchy_dirty = true;
    sync_schedule(s);
}

struct sync_wait *sync_wait(struct sync *s, int64_t folder_pk, sync_wait_cb *cb, void *ud)
{
    struct sync_folder *f = sync_find(s, folder_pk);
    if (!f || s->stopped)
        return NULL;
    struct sync_wait *w = MEM_NEW(struct sync_wait);
    w->cb = cb;
    w->ud = ud;
    list_init(&w->link);
    list_append(&f->waits, &w->link);
    if (s->current != f)
        f->dirty = true;
    f->not_before_ms = 0; /* a person waits: one more attempt */
    sync_schedule(s);
    return w;
}

struct sync_wait *sync_folders_again(struct sync *s, sync_wait_cb *cb, void *ud)
{
    if (s->stopped)
        return NULL;
    struct sync_wait *w = MEM_NEW(struct sync_wait);
    w->cb = cb;
    w->ud = ud;
    list_init(&w->link);
    list_append(&s->listing_waits, &w->link);
    s->hierarchy_dirty = true;
    sync_schedule(s);
    return w;
}

void sync_wait_cancel(struct sync_wait **w)
{
    if (!*w)
        return;
    list_remove(&(*w)->link);
    mem_free(*w);
    *w = NULL;
}

bool sync_announce(struct sync *s, int64_t folder_pk, struct err *err)
{
    struct sync_folder *f = sync_find(s, folder_pk);
    if (f)
        f->announce = true;
    if (!store_announce(s->account->store, folder_pk, err))
        return false;
    struct mailbox *m = mailbox_loaded(s->account, folder_pk);
    if (m)
        mailbox_refresh(m);
    return true;
}

uint32_t sync_progress(struct sync *s, int64_t folder_pk)
{
    return store_item_count(s->account->store, folder_pk);
}

void sync_reconnect(struct sync *s)
{
    if (s->stopped)
        return;
    op_cancel(&s->folders_op);
    op_cancel(&s->page_op);
    op_cancel(&s->watch_op);
    s->current = NULL;
    s->hierarchy_dirty = true;
    sync_mark_all(s);
    LIST_EACH (&s->folders, l)
        LIST_ITEM(l, struct sync_folder, link)->not_before_ms = 0;
    sync_kick(s);
}

bool sync_resync(struct sync *s, int64_t folder_pk, struct err *err)
{
    struct sync_folder *f = sync_find(s, folder_pk);
    if (!f || s->stopped)
        return err_set(err, ERR_NOT_FOUND, "the folder is not synchronised");
    if (s->current == f) { /* a page that continues from the old sync state must not be applied any more */
        op_cancel(&s->page_op);
        s->current = NULL;
    }
    if (!store_resync(s->account->store, folder_pk, err))
        return false;
    f->dirty = f->hinted = true;
    f->stale = f->failures = 0;
    f->not_before_ms = 0;
    sync_kick(s);
    return true;
}

void sync_look(struct sync *s, struct sync_look *ret)
{
    uint64_t now = time_mono_ms(), latest = s->listed_ms;
    *ret = (struct sync_look){.current = s->current ? s->current->pk : 0,
                              .listed = s->hierarchy_known,
                              .watching = s->watch_op != NULL,
                              .pushes_all = sync_pushes_all(s),
                              .watched = s->watch_op ? s->watched : 0,
                              .failures = s->failures,
                              .looked_ago_ms = UINT64_MAX};
    LIST_EACH (&s->folders, l) {
        const struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        ret->folders++;
        ret->complete += f->synced;
        ret->dirty += f->dirty;
        latest = f->synced_ms > latest ? f->synced_ms : latest;
    }
    if (latest)
        ret->looked_ago_ms = now - latest;
    if (s->failures && s->not_before_ms > now)
        ret->retry_in_ms = s->not_before_ms - now;
}
