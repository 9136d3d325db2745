/* SPDX-License-Identifier: Apache-2.0 */
/* Move, copy and expunge: batches of ids, each answer written down before the next batch goes out. */
#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/time.h"
#include "bridge/change_private.h"

static struct str folder_id(const struct account *a, int64_t pk)
{
    const struct folder *f = account_folder_by_pk(a, pk);
    return f ? f->server_id : STR_NULL;
}

static void batch_done(struct change *c, const struct reply *reply, bool ok, const struct err *err)
{
    c->next += c->batch;
    mailbox_refresh(c->mailbox);
    if (c->to_pk)
        change_refresh(c->account, c->to_pk);
    if (!ok)
        change_end(c, err);
    else if (reply->err.code != ERR_NONE)
        change_end(c, &reply->err);
    else
        c->step(c);
}

static bool nothing_left(struct change *c)
{
    if (c->next < c->todo_count)
        return false;
    change_end(c, NULL);
    return true;
}

/* --- move ------------------------------------------------------------------------------------- */

static void on_moved(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err err = {0};
    c->op = NULL;
    if (change_after_resync(c, reply))
        return;
    crash_point("move.answered");
    struct store_moved *done = arena_array(&c->arena, c->batch + 1, sizeof(*done));
    size_t *index = arena_array(&c->arena, c->batch + 1, sizeof(*index)), n = 0;
    for (size_t i = 0; i < c->batch; i++) {
        struct change_todo *t = &c->todo[c->next + i];
        struct err item = change_item_err(reply, i);
        c->items[t->index].err = item;
        if (item.code != ERR_NONE)
            continue;
        index[n] = t->index;
        done[n++] = (struct store_moved){
            .pk = t->row.pk,
            .new_id = reply->items_done.new_ids ? reply->items_done.new_ids[i] : STR_NULL,
            .change = reply->items_done.changes ? reply->items_done.changes[i] : STR_NULL,
        };
    }
    bool ok = n == 0 || store_moved(c->account->store, mailbox_folder_pk(c->mailbox), c->to_pk, done, n, &err);
    crash_point("move.stored");
    for (size_t i = 0; ok && i < n; i++)
        c->items[index[i]].new_uid = done[i].new_uid;
    if (n) /* items without a new id are found by a look at the target */
        sync_want(c->account->sync, c->to_pk, 0);
    batch_done(c, reply, ok, &err);
}

static void move_step(struct change *c)
{
    if (nothing_left(c))
        return;
    struct str *ids = change_batch(c);
    c->op = backend_move(c->account->backend, folder_id(c->account, mailbox_folder_pk(c->mailbox)),
                         folder_id(c->account, c->to_pk), ids, c->batch, on_moved, c);
}

/* --- copy ------------------------------------------------------------------------------------- */

static void copy_content(struct account *a, int64_t from, int64_t to)
{
    struct blob *message = cache_message(a->cache, from);
    struct arena arena = {0};
    struct str header, structure;
    if (message && cache_header(a->cache, from, &arena, &header) == CACHE_HEADER_EXACT &&
        cache_structure(a->cache, from, &arena, &structure))
        cache_put_message(a->cache, to, message, header, structure, NULL);
    arena_done(&arena);
    blob_unref(&message);
}

/* The copy of an item that came into the target since the request, and that is not another one's already. */
static bool find_copy(struct change *c, int64_t from_pk, const int64_t *taken, size_t count, struct sent_found *ret)
{
    bool used = true;
    for (int64_t after = c->after_pk; used; after = ret->pk) {
        if (!store_copy_seen(c->account->store, from_pk, c->to_pk, after, &c->arena, ret))
            return false;
        used = false;
        for (size_t i = 0; i < count; i++)
            used |= taken[i] == ret->pk;
    }
    return true;
}

/* The target as it is now: are the copies there? What somebody else has copied there at the same time passes for ours:
 * the message is there, and was to be. */
static void on_copy_looked(void *ud, const struct err *err)
{
    struct change *c = ud;
    int64_t *taken = arena_array(&c->arena, c->batch + 1, sizeof(*taken));
    struct sent_found found;
    size_t n = 0;
    c->wait = NULL;
    for (size_t i = 0; i < c->batch; i++) {
        const struct change_todo *t = &c->todo[c->next + i];
        struct change_item *item = &c->items[t->index];
        item->err = c->lost;
        if (err->code != ERR_NONE || !find_copy(c, t->row.pk, taken, n, &found))
            continue;
        item->err = (struct err){0};
        item->new_uid = found.uid;
        taken[n++] = found.pk;
        copy_content(c->account, t->row.pk, found.pk);
    }
    change_refresh(c->account, c->to_pk);
    bool all = n == c->batch;
    c->next += c->batch;
    if (all)
        c->step(c);
    else
        change_end(c, &c->lost);
}

/* Done or not, nobody knows; the client's next attempt would copy a second time. A look at the target tells, where a
 * sync tells of what we have made ourselves. */
static bool look_for_copies(struct change *c, const struct reply *reply)
{
    bool unknown = reply->err.code == ERR_OFFLINE || reply->err.code == ERR_PROTOCOL;
    if (!unknown || !(account_caps(c->account) & CAP_TELLS_OWN))
        return false;
    c->lost = reply->err;
    c->wait = sync_wait(c->account->sync, c->to_pk, on_copy_looked, c);
    return c->wait != NULL;
}

static void on_copied(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err err = {0};
    c->op = NULL;
    if (change_after_resync(c, reply) || look_for_copies(c, reply))
        return;
    crash_point("copy.answered");
    struct store_created *made = arena_array(&c->arena, c->batch + 1, sizeof(*made));
    const struct change_todo **of = arena_array(&c->arena, c->batch + 1, sizeof(*of));
    size_t n = 0;
    for (size_t i = 0; i < c->batch; i++) {
        struct change_todo *t = &c->todo[c->next + i];
        struct err item = change_item_err(reply, i);
        c->items[t->index].err = item;
        if (item.code != ERR_NONE || !reply->items_done.new_ids || reply->items_done.new_ids[i].n == 0)
            continue;
        const struct message *msg = mailbox_find(c->mailbox, t->row.uid);
        of[n] = t;
        made[n++] = (struct store_created){
            .server_id = reply->items_done.new_ids[i],
            .change = reply->items_done.changes ? reply->items_done.changes[i] : STR_NULL,
            .flags = t->row.flags & ~(unsigned)ITEM_DELETED,
            .flags_known = t->row.flags,
            .categories = t->row.categories,
            .received_ms = t->row.received_ms,
            .size = msg ? msg->size : 0,
            .size_exact = msg && msg->size_exact,
            .told_again = account_caps(c->account) & CAP_TELLS_OWN,
        };
    }
    bool ok = n == 0 || store_created(c->account->store, c->to_pk, made, n, &err);
    crash_point("copy.stored");
    for (size_t i = 0; ok && i < n; i++) {
        c->items[of[i]->index].new_uid = made[i].new_uid;
        copy_content(c->account, of[i]->row.pk, made[i].pk);
    }
    sync_want(c->account->sync, c->to_pk, 0);
    batch_done(c, reply, ok, &err);
}

static void copy_step(struct change *c)
{
    if (nothing_left(c))
        return;
    struct str *ids = change_batch(c);
    c->after_pk = store_newest_item(c->account->store);
    c->op = backend_copy(c->account->backend, folder_id(c->account, mailbox_folder_pk(c->mailbox)),
                         folder_id(c->account, c->to_pk), ids, c->batch, on_copied, c);
}

/* --- expunge ---------------------------------------------------------------------------------- */

static void on_removed(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err err = {0};
    c->op = NULL;
    if (change_after_resync(c, reply))
        return;
    crash_point("expunge.answered");
    int64_t *pks = arena_array(&c->arena, c->batch + 1, sizeof(*pks));
    size_t n = 0;
    for (size_t i = 0; i < c->batch; i++) {
        struct change_todo *t = &c->todo[c->next + i];
        struct err item = change_item_err(reply, i);
        if (item.code == ERR_NOT_FOUND) /* gone is what was wanted */
            item = (struct err){0};
        c->items[t->index].err = item;
        if (item.code == ERR_NONE)
            pks[n++] = t->row.pk;
    }
    bool ok = n == 0 || store_items_gone(c->account->store, mailbox_folder_pk(c->mailbox), pks, n, &err);
    crash_point("expunge.stored");
    batch_done(c, reply, ok, &err);
}

static void expunge_step(struct change *c)
{
    if (nothing_left(c))
        return;
    struct str *ids = change_batch(c);
    c->op = backend_remove(c->account->backend, folder_id(c->account, mailbox_folder_pk(c->mailbox)), ids, c->batch,
                           c->account->opts.expunge_permanent, on_removed, c);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void move_begin(struct change *c)
{
    change_with_shown_target(c, c->to_pk, move_step);
}

static void copy_begin(struct change *c)
{
    change_with_shown_target(c, c->to_pk, copy_step);
}

static struct change *start(struct mailbox *m, const uint32_t *uids, size_t count, int64_t to,
                            void (*step)(struct change *c), change_cb *cb, void *ud)
{
    struct change *c = change_new(mailbox_account(m), m, cb, ud);
    const struct folder *f = to ? account_folder_by_pk(c->account, to) : NULL;
    c->to_pk = to;
    c->result.uidvalidity = f ? f->uidvalidity : 0;
    change_find(c, uids, count);
    change_begin(c, step);
    return c;
}

struct change *change_move(struct mailbox *m, const uint32_t *uids, size_t count, int64_t to_folder_pk, change_cb *cb,
                           void *ud)
{
    return start(m, uids, count, to_folder_pk, move_begin, cb, ud);
}

struct change *change_copy(struct mailbox *m, const uint32_t *uids, size_t count, int64_t to_folder_pk, change_cb *cb,
                           void *ud)
{
    return start(m, uids, count, to_folder_pk, copy_begin, cb, ud);
}

struct change *change_expunge(struct mailbox *m, const uint32_t *uids, size_t count, change_cb *cb, void *ud)
{
    return start(m, uids, count, 0, expunge_step, cb, ud);
}
