/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/sent_copy.h"

#include "bridge/account_private.h"
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/time.h"
#include "bridge/change_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

#define RECENT_S (24 * 3600) /* an older message of the same Message-ID is another matter */

const struct folder *sent_copy_folder(const struct account *a)
{
    size_t n;
    const struct folder *const *folders = account_folders(a, &n);
    for (size_t i = 0; i < n; i++)
        if (folders[i]->use == USE_SENT)
            return folders[i];
    return NULL;
}

void sent_copy_keep(struct account *a, int64_t folder_pk, int64_t item_pk, struct str message_id_hash)
{
    struct err err = {0};
    if (store_sent_keep(a->store, folder_pk, item_pk, message_id_hash, &err))
        a->merging = true;
    else
        log_warn("append", account_name(a), "two copies of a sent message may stay: %s", err.text);
}

void sent_copy_before_sending(struct account *a, struct str message_id_hash)
{
    const struct folder *f = sent_copy_folder(a);
    struct arena arena = {0};
    struct sent_found found;
    if (f && store_sent_find(a->store, f->pk, message_id_hash, 0, time_wall_s() - RECENT_S, &arena, &found, NULL) &&
        found.pk)
        sent_copy_keep(a, f->pk, found.pk, message_id_hash);
    arena_done(&arena);
}

/* --- the other one goes ----------------------------------------------------------------------- */

static void merged(struct change *c)
{
    struct account *a = c->account;
    a->merge = NULL;
    change_end(c, NULL);
}

static void on_removed(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct account *a = c->account;
    struct err item = change_item_err(reply, 0), err = {0};
    c->op = NULL;
    if (item.code != ERR_NONE && item.code != ERR_NOT_FOUND) {
        log_warn("append", account_name(a), "the second copy of a sent message: %s", item.text);
        merged(c); /* the next look tries again */
        return;
    }
    crash_point("merge.answered");
    bool ok = store_items_gone(a->store, c->folder_pk, &c->merge_other, 1, &err) &&
              store_sent_kept(a->store, c->merge_kept, &err);
    change_refresh(a, c->folder_pk);
    merged(c);
    if (ok)
        sent_copy_look(a);
    else
        log_warn("append", account_name(a), "%s", err.text);
}

static void merge_step(struct change *c)
{
    struct account *a = c->account;
    const struct folder *f = sent_copy_folder(a);
    struct sent_found other;
    if (!f || !store_sent_pair(a->store, f->pk, &c->arena, &c->merge_kept, &other, &a->merging)) {
        merged(c);
        return;
    }
    struct str *ids = arena_array(&c->arena, 1, sizeof(*ids));
    ids[0] = other.server_id;
    c->folder_pk = f->pk;
    c->merge_other = other.pk;
    c->op = backend_remove(a->backend, f->server_id, ids, 1, true, on_removed, c);
}

void sent_copy_look(struct account *a)
{
    if (!a->merging || a->merge || a->wiped)
        return;
    a->merge = change_new(a, NULL, NULL, NULL);
    a->merge->detached = true;
    change_begin(a->merge, merge_step);
}
