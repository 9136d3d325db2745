/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_ACCOUNT_PRIVATE_H
#define BRIDGE_ACCOUNT_PRIVATE_H
/* The inside of an account, for the core's own files (account*, mailbox, view, content*, sync*): protocols and backends
 * never see it. */
#include "bridge/account.h"
#include "bridge/base/arena.h"
#include "bridge/cache.h"
#include "bridge/content.h"
#include "bridge/io/crypto.h"
#include "bridge/mailbox.h"
#include "bridge/store.h"

struct calendar_mail;
struct calendar_own;
struct calendar_unread;
struct sync;
struct content_engine;

struct account {
    struct accounts *all;
    struct account_opts opts;
    struct loop *loop;
    struct store *store;
    struct cache *cache;
    struct backend *backend;
    struct sync *sync;
    struct content_engine *content;
    struct err health;
    struct err trouble; /* the latest health that was not well */
    int64_t trouble_s;
    bool wiped;
    bool shut; /* account_shut() */

    /* account_folders.c */
    struct arena folder_arena; /* of the current list */
    struct folder **folders;
    size_t folder_count;
    size_t adrift; /* of them, whose parents lead nowhere: it is logged when there are more */
    bool folders_known;
    struct str *lost;
    size_t lost_count;
    struct list waiters; /* struct waiter: for the first folder list */

    struct list mailboxes;  /* struct mailbox, loaded ones */
    struct list changes;    /* struct change, under way */
    struct list receipts;   /* appends whose client has not gone on yet (change_append.c) */
    struct change *pending; /* what earlier appends left to do, under way (change_undo.c) */
    struct timer *again;    /* ... and when it failed */
    bool merging;           /* some messages in Sent may be joined by the server's copy (sent_copy.c) */
    struct change *merge;
    struct list submits;                     /* struct submit, under way */
    struct timer *sweep;                     /* drops unused mailboxes, empties the store's list of dropped content */
    int64_t move_heard;                      /* row of the MOVE whose answer was given last (calendar_move.c) */
    bool held_unreadable;                    /* a mail waits for an item that cannot be read: it was said */
    struct list calendar_writes;             /* struct calendar_write, waiting and under way */
    struct calendar_mail *calendar_mail;     /* invitations that we owe */
    struct calendar_own *calendar_own;       /* the user's addresses; NULL: no calendars */
    struct calendar_unread *calendar_unread; /* asked for again; NULL: nothing is */
    struct account_quota quota;              /* account_quota.c: as of quota_ms; 0 = never */
    uint64_t quota_ms;
    struct op *quota_op;
    struct list quota_waits;
    struct op *limit_op; /* account_quota.c: how large a message may be, asked for in the background */
    uint64_t limit_next_ms;

    /* account_login.c: hashes of passwords, salted for this process */
    struct crypto_hash local_hash;
    bool local_known;
    struct child *local_command;
    struct list logins;               /* struct account_login waiting for the local password */
    size_t login_count;               /* all that are under way */
    struct crypto_hash accepted_hash; /* passthrough: the last one the server accepted */
    bool accepted_known;
};

struct accounts {
    struct loop *loop;
    struct account **list;
    size_t count;
    accounts_closed_fn *closed;
    void *closed_ud;
    unsigned char salt[32];
    uint64_t failures_from_ms; /* window of the failure counter */
    unsigned failures;
};

/* account_folders.c */
bool account_reload_folders(struct account *a, struct err *err); /* from the store */
void account_folders_done(struct account *a);
void account_wake_waiters(struct account *a, const struct err *err);
void account_set_health(struct account *a, const struct err *err);

/* change.c */
void submits_done(struct account *a);
void changes_start(struct account *a); /* finishes what an earlier process left half done */
void changes_done(struct account *a);  /* the account goes away: those under way are forgotten without callbacks */

/* account_quota.c */
void account_ask_limit(struct account *a);  /* the server answers: ask it how large a message may be, now and then */
void account_quota_done(struct account *a); /* the account goes away */

/* account_login.c */
void account_login_done(struct account *a); /* the account goes away */

/* mailbox.c */
struct mailbox *mailbox_loaded(struct account *a, int64_t folder_pk); /* without a reference; NULL */
/* The store has changed: follow it and tell the views. */
void mailbox_refresh(struct mailbox *m);
void mailbox_folder_gone(struct mailbox *m);
void mailbox_size_known(struct mailbox *m, uint32_t uid, uint32_t size);
void mailbox_sweep(struct account *a, bool all);
/* Referenced; loads it if need be. */
struct mailbox *mailbox_load(struct account *a, int64_t folder_pk, struct err *err);
struct mailbox *mailbox_ref(struct mailbox *m);

struct mailbox *mailbox_of_link(struct list *l);

/* view.c */
struct list *mailbox_views(struct mailbox *m);
uint64_t mailbox_modseq(const struct mailbox *m);
uint64_t mailbox_removals(const struct mailbox *m);    /* counts removals: views compare */
uint32_t mailbox_recent_from(const struct mailbox *m); /* no session has been told of UIDs from here on */
uint32_t mailbox_uidnext(const struct mailbox *m);
void mailbox_recent_taken(struct mailbox *m); /* up to now */
void view_notify_all(struct mailbox *m);

#endif
