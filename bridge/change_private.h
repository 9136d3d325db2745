/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CHANGE_PRIVATE_H
#define BRIDGE_CHANGE_PRIVATE_H
/* Shared by the change*.c files only. */
#include "bridge/account_private.h"
#include "bridge/backend.h"
#include "bridge/change.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

/*
 * One change under way. `todo` is what the server must be asked for, in order; step() sends the next batch and is
 * called again when its answer has been written down, until todo is done. Lives on account->changes; freed after its
 * callback (or silently when detached).
 */
struct change_todo {
    size_t index; /* into items */
    struct store_item row;
    unsigned flags; /* wanted */
    struct str *categories;
    size_t category_count;
    bool categories_changed;
};

struct change {
    struct list link;
    struct account *account;
    struct arena arena;
    change_cb *cb;
    void *ud;
    struct mailbox *mailbox; /* referenced; NULL for append and folders */
    int64_t to_pk;
    struct change_item *items;
    size_t count;
    struct change_todo *todo;
    size_t todo_count, next, batch; /* batch: how many are on the wire */
    struct op *op;
    struct sync_wait *wait;
    struct timer *timer;
    struct deferred finish;
    struct change_result result;
    void (*step)(struct change *c);
    bool detached;
    unsigned rounds;

    struct change_flags flags;    /* flags */
    struct str name, parent_name; /* folders: borrowed from the arena */
    int64_t folder_pk, target_pk;
    struct change_append append;
    struct str identity;
    int64_t journal_pk;
    int64_t told_journal_pk; /* to be settled when the client has been told */
};

struct change *change_new(struct account *a, struct mailbox *m, change_cb *cb, void *ud);
void change_end(struct change *c, const struct err *err); /* the callback comes from the loop */
void change_begin(struct change *c,
                  void (*step)(struct change *c)); /* step() from the loop, unless the account is unusable */
/* Rows of the UIDs asked for; those that are gone get ERR_NOT_FOUND. Fills todo. */
void change_find(struct change *c, const uint32_t *uids, size_t count);
/* A folder that no client has seen yet gets UIDs first (bounded wait for its first sync), so that new messages in it
 * can be named. */
void change_with_shown_target(struct change *c, int64_t folder_pk, void (*step)(struct change *c));
/* Server ids of the next batch, in the arena. */
struct str *change_batch(struct change *c);
/* The error of item i of the batch as the reply has it. */
struct err change_item_err(const struct reply *reply, size_t i);
void change_refresh(struct account *a, int64_t folder_pk);
/* Names of categories as the store keeps them. */
struct str change_join(struct arena *arena, const struct str *categories, size_t count);
void change_free(struct change *c);

#endif
