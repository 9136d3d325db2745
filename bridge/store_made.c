/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that changes of ours have put into a folder, until a sync tells of them. The server's sync state does not count
 * them as known to us before that: when somebody takes such an item away first, no sync will ever say that it is gone.
 * So what a whole sync, asked for after the item was made, does not mention is not there.
 */
#include "bridge/store_private.h"

bool store_made_add(struct store *s, int64_t folder_pk, int64_t item_pk, struct err *err)
{
    return store_run2(s, "INSERT OR REPLACE INTO made (pk, folder, asked) VALUES (?2, ?1, 0)", folder_pk, item_pk, err);
}

bool store_sync_begins(struct store *s, int64_t folder_pk, struct err *err)
{
    return store_run1(s, "UPDATE made SET asked = 1 WHERE folder = ?1 AND asked = 0", folder_pk, err);
}

static bool any(struct store *s, int64_t folder_pk)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT 1 FROM made WHERE folder = ?1 LIMIT 1", NULL);
    if (!q)
        return true;
    db_bind_int(q, 1, folder_pk);
    bool found = db_step(&s->db, q, NULL) != 0;
    db_reset(q);
    return found;
}

/* By server id: a resync tells of it under a row of its own. */
static bool told(struct store *s, int64_t folder_pk, struct str server_id, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "DELETE FROM made WHERE folder = ?1 AND pk IN (SELECT pk FROM item WHERE folder = ?1 AND server_id = ?2)", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, server_id);
    return db_run(&s->db, q, err);
}

bool store_made_told(struct store *s, int64_t folder_pk, const struct store_page *page, struct err *err)
{
    if (page->count == 0 || !any(s, folder_pk))
        return true;
    for (size_t i = 0; i < page->count; i++)
        if (!told(s, folder_pk, page->items[i].id, err))
            return false;
    return true;
}

bool store_sync_told(struct store *s, int64_t folder_pk, struct str server_id, struct err *err)
{
    return !any(s, folder_pk) || told(s, folder_pk, server_id, err);
}

bool store_made_missing(struct store *s, int64_t folder_pk, uint64_t modseq, bool *ret_any, struct err *err)
{
    for (;;) {
        struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT pk FROM made WHERE folder = ?1 AND asked = 1 LIMIT 1", err);
        if (!q)
            return false;
        db_bind_int(q, 1, folder_pk);
        int rc = db_step(&s->db, q, err);
        int64_t pk = rc == 1 ? db_int(q, 0) : 0;
        db_reset(q);
        if (rc <= 0)
            return rc == 0;
        /* The trigger of item takes the row of made along, and so does the second one where there is no item. */
        if (!store_expunge_item(s, folder_pk, pk, modseq, err) ||
            !store_run1(s, "DELETE FROM made WHERE pk = ?1", pk, err))
            return false;
        *ret_any = true;
    }
}
