/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_MAILBOX_H
#define BRIDGE_MAILBOX_H
/*
 * A mail folder in memory, shared by all sessions that have it selected, and each session's own view of it.
 *
 * The mailbox holds one small record a message, sorted by UID; it follows the store (a record is here only after its
 * UID was committed). A view is what one client has been told: its sequence numbers. The two drift apart until
 * view_update() tells the client what changed, at a moment when IMAP allows it (RFC 9051 5.5, 7.5.1: no EXPUNGE during
 * FETCH, STORE, SEARCH).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

struct mailbox;
struct view;

/* One message. Pointers to it are valid until control returns to the loop, or any mailbox changes. */
struct message {
    uint32_t uid;
    uint32_t size; /* RFC822.SIZE in bytes; see size_exact, mailbox_tell_sizes() */
    uint64_t modseq;
    int64_t pk;           /* of the store and the cache: stable for the life of the message */
    int64_t received_s;   /* INTERNALDATE */
    uint32_t saved_s;     /* SAVEDATE: when it came into this folder as far as we know; 0 = unknown */
    uint32_t keyword_set; /* see mailbox_keywords() */
    uint16_t flags;       /* enum item_flag bits */
    bool size_exact : 1;  /* `size` is the length of the bytes that BODY[] gives */
    bool size_told : 1;
};

struct mailbox_status {
    uint32_t messages, unseen, deleted, recent; /* recent: that no session has been told of */
    uint32_t uidnext, uidvalidity;
    uint64_t highestmodseq;
    uint64_t size, deleted_size; /* sums of RFC822.SIZE: of all, and of those marked \Deleted */
};

/* --- opening ---------------------------------------------------------------------------------- */
/*
 * Open a folder: wait for its first sync (progress texts every 10 s; after 60 s what is there is sorted, committed and
 * shown), or, when it was synced before, for one look at the server (bounded to a few seconds, and left out while a
 * watch covers the folder). When the server cannot be reached and the folder has been synced once, it opens at once
 * from the store. Errors: ERR_NOT_FOUND (no such folder), else why the first sync failed. One callback, or none after
 * mailbox_open_cancel(). The mailbox handed over is referenced: mailbox_unref() when done.
 */
struct mailbox_open;
struct mailbox_open_events {
    void (*on_progress)(void *ud, unsigned done, unsigned total); /* messages so far; total 0 = unknown */
    void (*on_done)(void *ud, struct mailbox *mailbox, const struct err *err);
};
struct mailbox_open *mailbox_open(struct account *a, int64_t folder_pk, const struct mailbox_open_events *ev, void *ud);
void mailbox_open_cancel(struct mailbox_open **o);
void mailbox_unref(struct mailbox **m);
/* STATUS without loading: from the store, after at least one sync of the folder (waits for it as mailbox_open does). */
typedef void mailbox_status_cb(void *ud, const struct mailbox_status *status, const struct err *err);
struct mailbox_open *mailbox_get_status(struct account *a, int64_t folder_pk, mailbox_status_cb *cb, void *ud);

/* --- reading ---------------------------------------------------------------------------------- */

struct account *mailbox_account(const struct mailbox *m);
int64_t mailbox_folder_pk(const struct mailbox *m);
bool mailbox_gone(
    const struct mailbox *m); /* the folder was deleted on the server: sessions should say BYE or close it */
void mailbox_get_counts(const struct mailbox *m, struct mailbox_status *ret_status);
size_t mailbox_count(const struct mailbox *m);
const struct message *mailbox_at(const struct mailbox *m, size_t i);       /* in UID order */
const struct message *mailbox_find(const struct mailbox *m, uint32_t uid); /* NULL: expunged */
/* First index with uid >= the given one (binary search). */
size_t mailbox_lower_bound(const struct mailbox *m, uint32_t uid);
/* Keywords of a message: IMAP atoms as clients see them (from the server's categories: $label1.., escaped). */
const struct str *mailbox_keywords(const struct mailbox *m, const struct message *msg, size_t *ret_count);
/* Every keyword that some message of the mailbox has: for FLAGS. */
const struct str *mailbox_all_keywords(const struct mailbox *m, size_t *ret_count);
/* Stable object id of a message (RFC 8474 EMAILID): 1 to 64 characters of [A-Za-z0-9_-]. */
struct str mailbox_email_id(const struct mailbox *m, const struct message *msg, struct arena *arena);
struct str mailbox_mailbox_id(const struct mailbox *m, struct arena *arena); /* MAILBOXID */
struct str folder_mailbox_id(const struct account *a, const struct folder *f, struct arena *arena);
/* UIDs expunged since a MODSEQ (RFC 7162 VANISHED (EARLIER)), ascending, at most those <= uid_max. *ret_complete is
 * false when the log does not reach back so far: the caller then has to treat every UID that is not there as vanished.
 */
bool mailbox_vanished_since(const struct mailbox *m, uint64_t modseq, struct arena *arena, uint32_t **ret_uids,
                            size_t *ret_count, bool *ret_complete, struct err *err);
/* Before RFC822.SIZE is told for these UIDs: what is told is written down and stays the same ever after. */
bool mailbox_tell_sizes(struct mailbox *m, const uint32_t *uids, size_t count, struct err *err);
/* The client asked (NOOP, CHECK, IDLE start): look at the server if nothing else watches and the last look is 30 s old.
 */
void mailbox_poke(struct mailbox *m);

/* --- views ------------------------------------------------------------------------------------ */

/* `on_change` comes from the loop (never from inside a call) when view_update() would have something to say; once until
 * the next view_update(). `examine`: the messages it is the first to be told of stay \Recent for the next one
 * (RFC 3501 6.3.2). */
struct view *view_new(struct mailbox *m, bool examine, void (*on_change)(void *ud), void *ud);
void view_free(struct view **v);
struct mailbox *view_mailbox(const struct view *v);
uint32_t view_count(const struct view *v);
uint32_t view_uid(const struct view *v, uint32_t seq); /* seq from 1 to view_count() */
uint32_t view_seq(const struct view *v, uint32_t uid); /* 0: not in this view */
/* Last seq with uid <= the given one; 0 if none: for UID ranges. */
uint32_t view_seq_le(const struct view *v, uint32_t uid);
bool view_pending(const struct view *v);
/* \Recent (RFC 3501 2.3.2): was this view the first that was told of the message? */
bool view_recent(const struct view *v, uint32_t uid);
uint32_t view_recent_count(const struct view *v);

/* Bring the view up to date. Calls in this order: vanished (descending sequence numbers as they are at that moment when
 * `expunges` is allowed), exists (once, if the count changed upwards or anything vanished), flags for each message
 * whose flags or keywords changed. When expunges is false, removed messages stay in the view (with their numbers) until
 * a later call. */
struct view_events {
    void (*on_expunge)(void *ud, uint32_t seq, uint32_t uid);
    void (*on_exists)(void *ud, uint32_t count);
    void (*on_flags)(void *ud, uint32_t seq, const struct message *msg);
};
void view_update(struct view *v, bool expunges, const struct view_events *ev, void *ud);
/* The session has just told (or was told .SILENT) the flags of this message as they are now: no echo in view_update().
 */
void view_told(struct view *v, uint32_t uid, uint64_t modseq);

#endif
