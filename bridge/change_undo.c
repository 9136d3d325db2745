/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What appends leave to do (store_write.h: UNDO, and DONE with something to replace): half a MULTIAPPEND goes from the
 * server again, the message that a REPLACE was about when the process died is removed. At every start, after a failure,
 * and every minute as long as the server cannot be reached.
 */
#include "bridge/base/log.h"
#include "bridge/change_private.h"

#define AGAIN_MS 60000

static void pending_step(struct change *c);

static void on_again(void *ud)
{
    append_pending(ud);
}

static void later(struct change *c, const struct err *err)
{
    struct account *a = c->account;
    log_warn("append", account_name(a), "finishing an earlier append: %s", err->text);
    if (!a->again)
        a->again = timer_new(a->loop, on_again, a);
    timer_start(a->again, AGAIN_MS);
    a->pending = NULL;
    change_end(c, NULL);
}

/* The row's work is done. */
static void settled(struct change *c, bool ok, const struct err *err)
{
    if (ok)
        pending_step(c);
    else
        later(c, err);
}

static bool is_settled(const struct err *err)
{
    switch (err->code) {
    case ERR_NONE:
    case ERR_NOT_FOUND:
    case ERR_INVALID:
    case ERR_UNSUPPORTED: /* the server gives no evidence, or there is no way: nothing more can be done */
        return true;
    case ERR_AUTH:
    case ERR_DENIED:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_TOO_BIG:
    case ERR_QUOTA:
    case ERR_THROTTLED:
    case ERR_OFFLINE:
    case ERR_PROTOCOL:
    case ERR_STALE:
    case ERR_POLICY:
    case ERR_DISK:
    case ERR_INTERNAL:
    case ERR_MAX:
        break;
    }
    return false;
}

/* --- an item goes ----------------------------------------------------------------------------- */

static void on_removed(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct append_row *row = c->undo;
    struct err item = change_item_err(reply, 0), err = {0};
    bool undo = row->state == APPEND_UNDO;
    int64_t pk = undo ? row->item_pk : row->replaces_pk, folder = undo ? row->folder_pk : row->replaces_folder;
    c->op = NULL;
    if (!is_settled(&item)) {
        later(c, &item);
        return;
    }
    if (undo && pk == 0 && row->server_id.n) /* a page has told of it meanwhile, perhaps */
        pk = store_item_by_id(c->account->store, folder, row->server_id);
    bool ok = pk == 0 || store_items_gone(c->account->store, folder, &pk, 1, &err);
    ok = ok && (undo ? store_append_forget_row(c->account->store, row->pk, &err)
                     : store_append_replaced(c->account->store, row->pk, &err));
    change_refresh(c->account, folder);
    settled(c, ok, &err);
}

static void remove_item(struct change *c, int64_t folder_pk, struct str id, bool permanent)
{
    const struct folder *f = account_folder_by_pk(c->account, folder_pk);
    struct str *ids = arena_array(&c->arena, 1, sizeof(*ids));
    ids[0] = id;
    c->op = backend_remove(c->account->backend, f ? f->server_id : STR_NULL, ids, 1, permanent, on_removed, c);
}

/* --- was it stored? --------------------------------------------------------------------------- */

static void on_found(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err err = reply->err;
    c->op = NULL;
    if (err.code == ERR_NONE)
        remove_item(c, c->undo->folder_pk, arena_str(&c->arena, reply->created.id), true);
    else if (is_settled(&err))
        settled(c, store_append_forget_row(c->account->store, c->undo->pk, &err), &err);
    else
        later(c, &err);
}

/* The server keeps no evidence, but the folder does. */
static void on_looked(void *ud, const struct err *err)
{
    struct change *c = ud;
    struct append_row *row = c->undo;
    struct sent_found found;
    struct err failed = *err;
    c->wait = NULL;
    if (!is_settled(&failed)) {
        later(c, &failed);
    } else if (!store_append_seen(c->account->store, row->pk, &c->arena, &found, &failed)) {
        later(c, &failed);
    } else if (found.pk) {
        row->item_pk = found.pk;
        remove_item(c, row->folder_pk, found.server_id, true);
    } else {
        settled(c, store_append_forget_row(c->account->store, row->pk, &failed), &failed);
    }
}

static void find_item(struct change *c)
{
    const struct folder *f = account_folder_by_pk(c->account, c->undo->folder_pk);
    struct err err = {0};
    if (f && !c->account->backend->ops->find_appended) {
        c->wait = sync_wait(c->account->sync, f->pk, on_looked, c);
        if (!c->wait) {
            err_set(&err, ERR_OFFLINE, "the folder cannot be looked at");
            later(c, &err);
        }
        return;
    }
    c->op = backend_find_appended(c->account->backend, f ? f->server_id : STR_NULL, str_from(c->undo->evidence),
                                  on_found, c);
}

/* --- row by row ------------------------------------------------------------------------------- */

/* A command that is still under way does its own work. */
static bool is_orphan(void *ud, int64_t pk, int64_t batch)
{
    const struct account *a = ud;
    (void)pk;
    LIST_EACH (&a->changes, link) {
        const struct change *c = LIST_ITEM(link, struct change, link);
        if (c->appending && c->appending->batch == batch && c->appending->failed.code == ERR_NONE)
            return false;
    }
    return true;
}

static void pending_step(struct change *c)
{
    struct account *a = c->account;
    struct append_row *row = c->undo = ARENA_NEW(&c->arena, struct append_row);
    struct err err = {0};
    if (!store_append_pending(a->store, is_orphan, a, &c->arena, row)) {
        a->pending = NULL;
        change_end(c, NULL);
    } else if (row->state == APPEND_UNDO && row->server_id.n) {
        remove_item(c, row->folder_pk, row->server_id, true);
    } else if (row->state == APPEND_UNDO) {
        find_item(c);
    } else if (row->replaces_folder) {
        remove_item(c, row->replaces_folder, row->replaces_id, a->opts.expunge_permanent);
    } else {
        settled(c, store_append_replaced(a->store, row->pk, &err), &err);
    }
}

struct change *append_pending(struct account *a)
{
    struct arena arena = {0};
    struct append_row row;
    bool any = store_append_pending(a->store, is_orphan, a, &arena, &row);
    arena_done(&arena);
    if (any && !a->pending && !a->wiped) {
        a->pending = change_new(a, NULL, NULL, NULL);
        a->pending->detached = true;
        change_begin(a->pending, pending_step);
    }
    return a->pending;
}
