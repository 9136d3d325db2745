/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that a page has named and that could not be read then (store_unread_*). No page names them again unless
 * somebody changes them, so they are asked for now and then: what a server could not do in a bad hour is not left out
 * for ever.
 */
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/calendar_private.h"

#define BATCH 50 /* items in one attempt */

struct calendar_unread {
    struct account *account;
    struct arena arena;
    int64_t folder_pk;
    struct str *ids;
    size_t count;
    struct op *op;
};

static bool is_wanted(const struct calendar_unread *u, struct str id)
{
    return store_unread(u->account->store, u->folder_pk, id, 0) > 0; /* else a page, or a change of ours, was faster */
}

static bool take(struct calendar_unread *u, struct str id, const struct item_info *item, struct err *err)
{
    struct account *a = u->account;
    struct store_resource known, now;
    struct calendar_item made;
    calendar_own_learn(a, item->event);
    bool is_known = store_resource_of(a->store, u->folder_pk, id, item->event->uid, &u->arena, &known);
    calendar_prepare(a, item->event, is_known ? &known : NULL, &u->arena, &made);
    if (!store_event_put(a->store, u->folder_pk, id, item->change, item->event->uid, &made.row, &now, err))
        return false;
    calendar_keep(a, now.pk, &made);
    log_info("calendar", account_name(a), "folder %lld: an item that could not be read is here now",
             (long long)u->folder_pk);
    return true;
}

static void on_fetched(void *ud, const struct reply *reply)
{
    struct calendar_unread *u = ud;
    struct account *a = u->account;
    struct err err = reply->err;
    u->op = NULL;
    for (size_t i = 0; err.code == ERR_NONE && i < u->count && i < reply->events.count; i++) {
        const struct item_info *item = &reply->events.list[i];
        enum err_code code = reply->events.each[i].code;
        if (!is_wanted(u, u->ids[i]))
            continue;
        if (code == ERR_NOT_FOUND)
            store_unread_done(a->store, u->folder_pk, u->ids[i], &err);
        else if (code == ERR_NONE && item->event)
            take(u, u->ids[i], item, &err);
    }
    if (err.code != ERR_NONE)
        log_debug("calendar", account_name(a), "folder %lld: what could not be read: %s", (long long)u->folder_pk,
                  err.text);
    else
        calendar_settle_held(a, u->folder_pk, true);
    calendar_unread_free(&a->calendar_unread);
}

bool calendar_read_unread(struct account *a, int64_t folder_pk)
{
    struct store_folder folder;
    if (a->calendar_unread || calendar_write_under_way(a, folder_pk))
        return false;
    if (store_unread(a->store, folder_pk, STR_NULL, 0) == 0)
        return true;
    struct calendar_unread *u = MEM_NEW(struct calendar_unread);
    a->calendar_unread = u;
    u->account = a;
    u->folder_pk = folder_pk;
    u->count = store_unread_ids(a->store, folder_pk, BATCH, &u->arena, &u->ids);
    if (u->count && calendar_folder(a, folder_pk, &u->arena, &folder))
        u->op = backend_event_fetch(a->backend, folder.server_id, folder.kind, u->ids, u->count, on_fetched, u);
    else
        calendar_unread_free(&a->calendar_unread);
    return true;
}

void calendar_unread_free(struct calendar_unread **u)
{
    if (!*u)
        return;
    op_cancel(&(*u)->op);
    arena_done(&(*u)->arena);
    mem_free(*u);
    *u = NULL;
}
