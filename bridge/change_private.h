/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CHANGE_PRIVATE_H
#define BRIDGE_CHANGE_PRIVATE_H
/* Shared by the change*.c files only. */
#include "bridge/account_private.h"
#include "bridge/backend.h"
#include "bridge/change.h"
#include "bridge/message_id.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

#define CONFLICT_ROUNDS 3 /* re-read and try again so many times when somebody else changes the same items */

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
    bool doubted; /* change_doubt() */
    unsigned rounds;

    struct change_flags flags; /* flags */
    struct str name, level;    /* folders, in the arena: the path; as much of it as was made last */
    int64_t folder_pk, target_pk;
    struct appending *appending;     /* append: in the arena */
    int64_t merge_kept, merge_other; /* one copy of what was sent: items */
    struct append_row *undo;         /* pending work: the row at hand */
    struct change *follows;          /* step() again when that one is over */
    int64_t after_pk;                /* copy: the newest item before the request */
    struct err lost;                 /* ... and why its answer is not known */
    /* collections (calendar.c): as the client names it, and what the server made of it */
    struct str segment, made_id;
    enum folder_kind kind;
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
/* ERR_STALE: the ids of the batch belong to a sync state that is gone. Waits for the folder to be collected anew, finds
 * the rows of all that is left to do again, and calls step(). False: another error, or that did not help. */
bool change_after_resync(struct change *c, const struct reply *reply);
/* The error of item i of the batch as the reply has it. */
struct err change_item_err(const struct reply *reply, size_t i);
void change_refresh(struct account *a, int64_t folder_pk);
/* Names of categories as the store keeps them. */
struct str change_join(struct arena *arena, const struct str *categories, size_t count);
void change_free(struct change *c);

/* --- append: change_append.c, change_sent.c, change_undo.c ------------------------------------ */

enum append_fate {
    APPEND_OPEN,  /* nothing known yet */
    APPEND_STORE, /* it has a row in the store's `append`; `retry`: its evidence may be there */
    APPEND_HELD,  /* on the server, not in the store yet */
    APPEND_KNOWN  /* its UID is what it is: stored before, or the server's copy of what was sent */
};
struct append_message {
    struct blob *message;
    unsigned flags;
    struct str *categories;
    size_t category_count;
    int64_t received_ms;
    struct message_identity who;
    struct append_key key;
    enum append_fate fate;
    bool retry, merge; /* merge: the server's copy may still come */
    bool looked;       /* what became of the attempt before is known */
    int64_t row_pk, row_batch, replaces_pk;
    char evidence[48];
    struct str server_id, version; /* once held */
    uint32_t uid;
};
struct appending {
    struct append_message *messages;
    size_t count, at;
    int64_t batch; /* of the rows written by this change; 0: none */
    struct mailbox *replaces_in;
    uint32_t replaces_uid;
    unsigned looks; /* for the server's copy */
    struct err failed;
};

void append_next(struct change *c); /* the message at hand is settled, or to be stored */
void append_fail(struct change *c, const struct err *err);
void append_not_known(struct change *c, const struct err *why);
void append_done(struct change *c); /* frees what the arena does not */
/* The message at hand was sent: find the server's copy, then append_next(). */
void append_find_sent(struct change *c);
/* Work through what the store says is pending: half commands go, replaced messages too. The change under way that does
 * it; NULL: there is nothing to do. */
struct change *append_pending(struct account *a);
/* Somebody is about to hear of it, until change_heard() or change_unheard(). */
void change_hold(struct account *a, int64_t receipt);
void append_receipts_done(struct account *a);

#endif
