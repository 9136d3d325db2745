/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_STORE_WRITE_H
#define BRIDGE_STORE_WRITE_H
/*
 * The store's side of changes that clients make: what the server confirmed is written down here, one transaction a
 * call, before the client is told. The same rules as in store.h.
 */
#include "bridge/io/crypto.h"
#include "bridge/store.h"

/* What is needed to ask the server for a change. Strings in the arena. */
struct store_item {
    int64_t pk;
    uint32_t uid;
    struct str server_id, change, categories; /* categories: each followed by LF */
    unsigned flags;
    uint64_t modseq;
    int64_t received_ms;
};
/* One announced message; false: there is none of that UID. */
bool store_item_by_uid(struct store *s, int64_t folder_pk, uint32_t uid, struct arena *arena,
                       struct store_item *ret_item);

/* The difference between `was`, which the change was decided from, and `flags` is what is written: another session may
 * have been faster with another flag. Items that are in another folder by now are left to its next sync. */
struct store_flags {
    int64_t pk;
    unsigned was, flags;
    struct str categories; /* p NULL: unchanged */
    struct str change;     /* the new one; empty: unknown */
};
bool store_flags_done(struct store *s, int64_t folder_pk, const struct store_flags *items, size_t count,
                      struct err *err);
bool store_items_gone(struct store *s, int64_t folder_pk, const int64_t *pks, size_t count, struct err *err);

struct store_moved {
    int64_t pk;
    struct str new_id; /* empty: unknown; the item then comes to the target as a new one */
    struct str change;
    uint32_t new_uid; /* out: 0 when unknown or the target was never shown */
};
/* The items leave one folder and are in the other: row, content and object id go along. The target's next sync tells of
 * them; see store_sync_begins(). */
bool store_moved(struct store *s, int64_t from_pk, int64_t to_pk, struct store_moved *items, size_t count,
                 struct err *err);

struct store_created {
    struct str server_id, change;
    unsigned flags, flags_known;
    struct str categories;
    int64_t received_ms;
    uint32_t size;
    bool size_exact;
    struct str message_id, subject;
    int64_t append_pk; /* row of `append` that is done with it; 0: none */
    bool told_again;   /* the next sync tells of it, as of everybody's; see store_sync_begins() */
    int64_t pk;        /* out */
    uint32_t new_uid;  /* out: 0 when the folder was never shown */
};
/* A new item of ours (append, copy). When a sync has brought it already, that row is the one. */
bool store_created(struct store *s, int64_t folder_pk, struct store_created *items, size_t count, struct err *err);

/* --- the journal ------------------------------------------------------------------------------ */

enum journal_state { JOURNAL_NEW, JOURNAL_UNKNOWN, JOURNAL_SENT, JOURNAL_REFUSED };
struct journal_key {
    struct str content, identity, message_id; /* hashes; of an event message_id is that of its name */
};
struct journal_row {
    int64_t pk;
    enum journal_state state;
    int64_t created_s;
    char evidence[48];
    struct crypto_hash message_id; /* of the key; zeros: it had none */
};
/* The newest row of the last 24 hours with this content or this identity; pk 0: there is none. False: nobody knows, and
 * what may have been begun must not be begun anew. */
bool store_journal_find(struct store *s, const struct journal_key *key, struct journal_row *ret_row, struct err *err);
bool store_journal_add(struct store *s, const struct journal_key *key, struct str evidence, int64_t *ret_pk,
                       struct err *err);
/* SENT and REFUSED end it: what it asked for is forgotten. */
bool store_journal_set(struct store *s, int64_t pk, enum journal_state state, struct err *err);
bool store_journal_rename(struct store *s, int64_t pk, struct str message_id, struct err *err);
/* What the attempt asked for, as the caller words it; empty: not told. In the arena. */
bool store_journal_ask(struct store *s, int64_t pk, struct str asked, struct err *err);
bool store_journal_asked(struct store *s, int64_t pk, struct arena *arena, struct str *ret_asked);
/* Was a message of this Message-ID sent in the last 24 hours? */
bool store_journal_was_sent(struct store *s, struct str message_id_hash, bool *ret_sent, struct err *err);

/* --- appends (store_append.c) ----------------------------------------------------------------- */
/*
 * A row a message, from before the request until the client is known to have heard the answer:
 *
 *     ASKED -> TAKEN -> DONE -> (forgotten)          TAKEN is written only where several messages belong together
 *         \-------\------\-> UNDO -> (forgotten)
 */
enum append_state {
    APPEND_ASKED, /* the request may have gone out */
    APPEND_TAKEN, /* it is on the server, but not all of its command are */
    APPEND_DONE,  /* it is in `item` */
    APPEND_UNDO   /* it has to go from the server: half a MULTIAPPEND, or a REPLACE that failed */
};
struct append_key {
    struct str content;  /* hash of the message */
    struct str identity; /* hash of what a retry of some clients leaves unchanged; empty: none */
};
struct append_row {
    int64_t pk, batch, folder_pk;
    enum append_state state;
    char evidence[48];
    struct str server_id;    /* empty: unknown */
    int64_t item_pk;         /* 0: none */
    uint32_t uid;            /* of the item; 0: it is gone, or has none */
    int64_t replaces_pk;     /* 0: nothing */
    int64_t replaces_folder; /* where that is, and its id; 0: it is gone */
    struct str replaces_id;
};
/* The newest row of the last 24 hours of this message that is not to be undone and that `usable` lets through; pk 0:
 * none. False: nobody knows. Strings in the arena. */
bool store_append_find(struct store *s, int64_t folder_pk, const struct append_key *key,
                       bool (*usable)(void *ud, int64_t pk, int64_t batch), void *ud, struct arena *arena,
                       struct append_row *ret_row, struct err *err);
struct append_new {
    struct append_key key;
    struct str evidence;
    struct str message_id_hash; /* empty: it has none */
    int64_t replaces_pk;        /* 0: nothing */
    int64_t pk;                 /* out */
};
/* The messages of one command, as ASKED. *ret_batch names them. */
bool store_append_add(struct store *s, int64_t folder_pk, struct append_new *rows, size_t count, int64_t *ret_batch,
                      struct err *err);
bool store_append_taken(struct store *s, int64_t pk, struct str server_id, struct err *err);
/* Part of store_created(): pk 0 does nothing. */
bool store_append_done(struct store *s, int64_t pk, struct str server_id, int64_t item_pk, struct err *err);
/* What REPLACE had to remove is removed. */
bool store_append_replaced(struct store *s, int64_t pk, struct err *err);
bool store_append_forget(struct store *s, int64_t batch, struct err *err); /* all of the command */
bool store_append_forget_row(struct store *s, int64_t pk, struct err *err);
bool store_append_undo(struct store *s, int64_t batch, struct err *err);
/* The oldest row with something left to do by itself: UNDO, or DONE with something to replace, that `usable` lets
 * through. False: none that is known of now. Strings in the arena. */
bool store_append_pending(struct store *s, bool (*usable)(void *ud, int64_t pk, int64_t batch), void *ud,
                          struct arena *arena, struct append_row *ret_row);
struct sent_found {
    int64_t pk;
    uint32_t uid; /* 0: not announced */
    struct str server_id;
};
/* The item that a sync has brought since the row was written, with the Message-ID of its message, and that is not of
 * another append: what became of a request whose answer was lost. pk 0: none; false: nobody knows. In the
 * arena. */
bool store_append_seen(struct store *s, int64_t pk, struct arena *arena, struct sent_found *ret, struct err *err);
/* Of a copy whose answer was lost: the newest item there is before the request; and the first one that a sync has
 * brought into `folder_pk` since, and after `after_pk`, and that is the same message as the item `from_pk`. In the
 * arena. */
int64_t store_newest_item(struct store *s);
bool store_copy_seen(struct store *s, int64_t from_pk, int64_t folder_pk, int64_t after_pk, struct arena *arena,
                     struct sent_found *ret);
/* After a start: commands of several messages that did not come to their end are to be undone; old rows go. */
bool store_append_recover(struct store *s, struct err *err);

/* --- one copy of what was sent ---------------------------------------------------------------- */

/* The newest message of a folder with this Message-ID (its hash) that is not `except_pk`; `since_s`: that came after.
 * pk 0: none; false: nobody knows. Strings in the arena. */
bool store_sent_find(struct store *s, int64_t folder_pk, struct str message_id_hash, int64_t except_pk, int64_t since_s,
                     struct arena *arena, struct sent_found *ret, struct err *err);
/* This item is the copy to keep: another one that comes within a day is the server's. Writing it twice is once. */
bool store_sent_keep(struct store *s, int64_t folder_pk, int64_t item_pk, struct str message_id_hash, struct err *err);
bool store_sent_kept(struct store *s, int64_t item_pk, struct err *err); /* settled: forget it */
/* One pair to merge, whose kept item still exists; false: none now. *ret_waiting: some wait for their second copy. */
bool store_sent_pair(struct store *s, int64_t folder_pk, struct arena *arena, int64_t *ret_kept,
                     struct sent_found *ret_other, bool *ret_waiting);

#endif
