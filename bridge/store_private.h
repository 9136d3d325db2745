/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_STORE_PRIVATE_H
#define BRIDGE_STORE_PRIVATE_H
/* Shared by the store_*.c files only. */
#include "bridge/db.h"
#include "bridge/store.h"

struct store {
    struct db db;
    char *dir;
    int lock_fd;
    uint32_t uidvalidity_high;
    char epoch[9];
};

/* A UIDVALIDITY above all given before; durable in the mirror file when this returns true. */
bool store_new_uidvalidity(struct store *s, uint32_t *ret_value, struct err *err);
bool store_meta_get(struct store *s, const char *key, struct buf *out);
bool store_meta_put(struct store *s, const char *key, struct str value, struct err *err);
/* One statement with one integer parameter. */
bool store_run1(struct store *s, const char *sql, int64_t a, struct err *err);
bool store_run2(struct store *s, const char *sql, int64_t a, int64_t b, struct err *err);
/* The first column of every row of q, in arena; resets q. */
bool store_names(struct store *s, struct sqlite3_stmt *q, struct arena *arena, struct str **ret_names,
                 size_t *ret_count, struct err *err);

#define IDENTITY_SIZE 16
/* Hash of Message-ID and subject; empty when the server told neither. */
struct str store_identity(const struct item_info *item, char to[IDENTITY_SIZE]);
/* Hash of the Message-ID alone (with or without <>); empty without one. */
struct str store_message_id(struct str message_id, char to[IDENTITY_SIZE]);

struct folder_state {
    int64_t generation;
    uint64_t modseq;
    uint32_t uidnext;
    bool synced, shown, resync;
};
bool store_folder_state(struct store *s, int64_t folder_pk, struct folder_state *ret, struct err *err);
bool store_folder_state_put(struct store *s, int64_t folder_pk, const struct folder_state *st, struct err *err);
/* Remember a vanished UID, if it was one, and delete the row; nothing where the item is in another folder by now. */
bool store_expunge_item(struct store *s, int64_t folder_pk, int64_t item_pk, uint64_t modseq, struct err *err);
/* Inside a transaction: the new generation takes over (store_match.c). */
bool store_match(struct store *s, int64_t folder_pk, struct folder_state *st, struct err *err);
/* Inside a transaction (store_made.c). */
bool store_made_add(struct store *s, int64_t folder_pk, int64_t item_pk, struct err *err);
bool store_made_told(struct store *s, int64_t folder_pk, const struct store_page *page, struct err *err);
bool store_made_missing(struct store *s, int64_t folder_pk, uint64_t modseq, bool *ret_any, struct err *err);
/* Inside a transaction: a new item has what was known of it in another folder (store_marks.c). */
bool store_marks_follow(struct store *s, int64_t item_pk, struct err *err);
bool store_assign_uids(struct store *s, int64_t folder_pk, struct folder_state *st, unsigned *ret_count,
                       struct err *err);

#endif
