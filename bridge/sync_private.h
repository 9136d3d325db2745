/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SYNC_PRIVATE_H
#define BRIDGE_SYNC_PRIVATE_H
/* The sync engine's state, shared by sync.c (the engine), sync_watch.c (push and the safety poll) and sync_ask.c (what
 * the rest of the core asks). */
#include "bridge/account_private.h"
#include "bridge/base/list.h"
#include "bridge/io/loop.h"
#include "bridge/sync.h"

struct sync_folder {
    struct list link;
    int64_t pk;
    struct str server_id; /* owned */
    enum folder_kind kind;
    enum folder_use use;
    bool synced;   /* complete once */
    bool dirty;    /* the server may know more */
    bool again;    /* became dirty while being synced */
    bool announce; /* give UIDs with the next page */
    bool hinted;   /* a client wants it although nobody waits (NOOP) */
    unsigned stale, failures;
    uint64_t asked_ms;  /* when the last page was asked for; monotonic, as the others here */
    uint64_t synced_ms; /* 0 = never in this process */
    uint64_t unread_ms; /* when what cannot be read was last asked for again */
    uint64_t not_before_ms;
    struct list waits;
};

struct sync_wait {
    struct list link;
    sync_wait_cb *cb;
    void *ud;
};

struct sync {
    struct account *account;
    struct list folders;
    struct list listing_waits; /* for a listing that begins after they asked */
    struct list listed_waits;  /* for the one under way */
    struct op *folders_op, *page_op, *watch_op;
    struct sync_folder *current; /* of page_op */
    int64_t suspect_pk;          /* the folder that failed last over something unheard-of; 0 = one has worked since */
    struct timer *timer;         /* back-off and safety poll */
    bool hierarchy_dirty, hierarchy_known, stopped;
    bool hierarchy_stale;
    unsigned failures, watch_failures;
    uint64_t not_before_ms, watch_not_before_ms, failed_ms;
    struct err disk_err; /* to be told with the next turn; code ERR_NONE = none */
    uint64_t listed_ms;  /* the folder list, as synced_ms of a folder */
    uint64_t listing_asked_ms;
    uint64_t watched_ms; /* when the running watch began */
    bool pushed;         /* what was synced is covered by a push of everything */
    size_t watched;      /* folders in the running watch */
    struct deferred turn;
};

/* --- sync.c */
struct sync_folder *sync_find(struct sync *s, int64_t pk);
/* Have the engine look what is to be done, soon and never from inside. */
void sync_schedule(struct sync *s);
/* Milliseconds until the next attempt after so many failures in a row, of which `err` is the last. */
uint64_t sync_back_off_ms(unsigned failures, const struct err *err);

/* --- sync_watch.c: the engine's turn calls these in this order; *wake_ms becomes the earliest moment to look again. */
bool sync_pushes_all(const struct sync *s);
void sync_mark_all(struct sync *s); /* every folder dirty */
void sync_mark_due(struct sync *s, uint64_t now, uint64_t *wake_ms);
void sync_start_watch(struct sync *s, uint64_t now, uint64_t *wake_ms);
void sync_follow_push(struct sync *s, uint64_t now, uint64_t *wake_ms);

#endif
