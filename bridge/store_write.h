/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_STORE_WRITE_H
#define BRIDGE_STORE_WRITE_H
/*
 * The store's side of changes that clients make: what the server confirmed is written down here, one transaction a
 * call, before the client is told. The same rules as in store.h.
 */
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

struct store_flags {
    int64_t pk;
    unsigned flags;
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
/* The items leave one folder and are in the other: row, content and object id go along. */
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
    int64_t pk;       /* out */
    uint32_t new_uid; /* out: 0 when the folder was never shown */
};
/* A new item of ours (append, copy). When a sync has brought it already, that row is the one. */
bool store_created(struct store *s, int64_t folder_pk, struct store_created *items, size_t count, struct err *err);

/* UID of the newest announced message with this identity (message_id.h); 0: none. */
uint32_t store_uid_by_identity(struct store *s, int64_t folder_pk, struct str identity);

/* --- the journal ----------------------------------------------------------------------------------------------------
 */

enum journal_state { JOURNAL_NEW, JOURNAL_UNKNOWN, JOURNAL_SENT, JOURNAL_REFUSED };
struct journal_key {
    struct str content, identity, message_id; /* hashes */
};
struct journal_row {
    int64_t pk;
    enum journal_state state;
    int64_t created_s;
    char evidence[48];
};
/* The newest row of the last 24 hours with this content or this identity. */
bool store_journal_find(struct store *s, const struct journal_key *key, struct journal_row *ret_row);
bool store_journal_add(struct store *s, const struct journal_key *key, struct str evidence, int64_t *ret_pk,
                       struct err *err);
bool store_journal_set(struct store *s, int64_t pk, enum journal_state state, struct err *err);
/* Was a message of this Message-ID sent in the last 24 hours? */
bool store_journal_was_sent(struct store *s, struct str message_id_hash);

#endif
