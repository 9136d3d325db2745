/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/store_private.h"

bool store_cursor(struct store *s, int64_t folder_pk, struct buf *out)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT cursor FROM folder WHERE pk = ?1", NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        buf_str(out, db_bytes(q, 0));
    db_reset(q);
    return found && !out->failed;
}

bool store_cursor_by_id(struct store *s, struct str server_id, struct buf *out)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT cursor FROM folder WHERE server_id = ?1 AND resync = 0 AND cursor <> x'' AND mailbox = 1",
        NULL);
    if (!q)
        return false;
    db_bind_blob(q, 1, server_id);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        buf_str(out, db_bytes(q, 0));
    db_reset(q);
    return found && !out->failed;
}

uint32_t store_item_count(struct store *s, int64_t folder_pk)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "SELECT count(*) FROM item, folder WHERE folder.pk = ?1 AND item.folder = ?1"
                                        " AND item.generation = folder.generation + folder.resync",
                                        NULL);
    if (!q)
        return 0;
    db_bind_int(q, 1, folder_pk);
    uint32_t n = db_step(&s->db, q, NULL) == 1 ? (uint32_t)db_int(q, 0) : 0;
    db_reset(q);
    return n;
}

bool store_rows(struct store *s, int64_t folder_pk, uint64_t modseq, store_row_cb *cb, void *ud, struct err *err)
{
    struct sqlite3_stmt *q =
        modseq == 0
            ? db_prepare(&s->db,
                         "SELECT pk, uid, modseq, flags, categories, received, saved, size, size_state FROM item"
                         " WHERE folder = ?1 AND uid IS NOT NULL ORDER BY uid",
                         err)
            : db_prepare(&s->db,
                         "SELECT pk, uid, modseq, flags, categories, received, saved, size, size_state FROM item"
                         " WHERE folder = ?1 AND modseq > ?2 AND uid IS NOT NULL ORDER BY uid",
                         err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    if (modseq)
        db_bind_int(q, 2, (int64_t)modseq);
    int rc;
    while ((rc = db_step(&s->db, q, err)) > 0) {
        struct store_row row = {
            .pk = db_int(q, 0),
            .uid = (uint32_t)db_int(q, 1),
            .modseq = (uint64_t)db_int(q, 2),
            .flags = (unsigned)db_int(q, 3),
            .categories = db_bytes(q, 4),
            .received_ms = db_int(q, 5),
            .saved_s = (uint32_t)db_int(q, 6),
            .size = (uint32_t)db_int(q, 7),
            .size_state = (int)db_int(q, 8),
        };
        cb(ud, &row);
    }
    db_reset(q);
    return rc == 0;
}

static int64_t log_from(struct store *s, int64_t folder_pk)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT log_from FROM folder WHERE pk = ?1", NULL);
    if (!q)
        return INT64_MAX;
    db_bind_int(q, 1, folder_pk);
    int64_t from = db_step(&s->db, q, NULL) == 1 ? db_int(q, 0) : INT64_MAX;
    db_reset(q);
    return from;
}

bool store_expunged(struct store *s, int64_t folder_pk, uint64_t modseq, struct arena *arena, uint32_t **ret_uids,
                    size_t *ret_count, bool *ret_complete, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT DISTINCT uid FROM expunged WHERE folder = ?1 AND modseq > ?2 ORDER BY uid", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, modseq > INT64_MAX ? INT64_MAX : (int64_t)modseq);
    size_t n = 0, size = 0;
    uint32_t *uids = NULL;
    int rc;
    while ((rc = db_step(&s->db, q, err)) > 0) {
        if (n == size) {
            uint32_t *more = arena_array(arena, size = size ? size * 2 : 64, sizeof(*more));
            if (n)
                memcpy(more, uids, n * sizeof(*more));
            uids = more;
        }
        uids[n++] = (uint32_t)db_int(q, 0);
    }
    db_reset(q);
    *ret_uids = uids;
    *ret_count = n;
    *ret_complete = (int64_t)modseq >= log_from(s, folder_pk);
    return rc == 0;
}

bool store_counts(struct store *s, int64_t folder_pk, struct store_counts *ret, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "SELECT count(i.uid), coalesce(sum(i.flags & 1 = 0), 0),"
                   " coalesce(sum(i.flags & 32 <> 0), 0), coalesce(sum(i.uid >= f.recent_from), 0),"
                   " f.uidnext, f.uidvalidity, f.modseq, coalesce(sum(i.size), 0), f.recent_from,"
                   " coalesce(sum(CASE WHEN i.flags & 32 THEN i.size ELSE 0 END), 0)"
                   " FROM folder AS f LEFT JOIN item AS i ON i.folder = f.pk AND i.uid IS NOT NULL"
                   " WHERE f.pk = ?1 GROUP BY f.pk",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    int rc = db_step(&s->db, q, err);
    if (rc == 1)
        *ret = (struct store_counts){
            .messages = (uint32_t)db_int(q, 0),
            .unseen = (uint32_t)db_int(q, 1),
            .deleted = (uint32_t)db_int(q, 2),
            .recent = (uint32_t)db_int(q, 3),
            .uidnext = (uint32_t)db_int(q, 4),
            .uidvalidity = (uint32_t)db_int(q, 5),
            .modseq = (uint64_t)db_int(q, 6),
            .size = (uint64_t)db_int(q, 7),
            .recent_from = (uint32_t)db_int(q, 8),
            .deleted_size = (uint64_t)db_int(q, 9),
        };
    db_reset(q);
    return rc == 1 || (rc == 0 && err_set(err, ERR_NOT_FOUND, "the folder is gone"));
}

bool store_recent_taken(struct store *s, int64_t folder_pk, uint32_t up_to, struct err *err)
{
    return store_run2(s, "UPDATE folder SET recent_from = ?2 WHERE pk = ?1 AND recent_from < ?2", folder_pk, up_to,
                      err);
}

bool store_item_id(struct store *s, int64_t item_pk, struct arena *arena, struct str *ret_id, uint64_t *ret_estimate)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT server_id, estimate FROM item WHERE pk = ?1", NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, item_pk);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found) {
        *ret_id = arena_str(arena, db_bytes(q, 0));
        *ret_estimate = (uint64_t)db_int(q, 1);
    }
    db_reset(q);
    return found;
}

uint32_t store_item_uid(struct store *s, int64_t item_pk)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT uid FROM item WHERE pk = ?1", NULL);
    if (!q)
        return 0;
    db_bind_int(q, 1, item_pk);
    uint32_t uid = db_step(&s->db, q, NULL) == 1 ? (uint32_t)db_int(q, 0) : 0;
    db_reset(q);
    return uid;
}

int64_t store_item_by_id(struct store *s, int64_t folder_pk, struct str server_id)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT pk FROM item WHERE folder = ?1 AND server_id = ?2 ORDER BY generation DESC LIMIT 1", NULL);
    if (!q)
        return 0;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, server_id);
    int64_t pk = db_step(&s->db, q, NULL) == 1 ? db_int(q, 0) : 0;
    db_reset(q);
    return pk;
}

bool store_sizes_told(struct store *s, int64_t folder_pk, const uint32_t *uids, size_t count, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!store_run2(s, "UPDATE item SET size_state = 1 WHERE folder = ?1 AND uid = ?2 AND size_state = 0",
                        folder_pk, uids[i], err)) {
            db_rollback(&s->db);
            return false;
        }
    return db_commit(&s->db, err);
}

bool store_sizes_exact(struct store *s, const struct item_size *sizes, size_t count, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!store_run2(s, "UPDATE item SET size = ?2, size_state = 2 WHERE pk = ?1 AND size_state = 0",
                        sizes[i].item_pk, sizes[i].size, err)) {
            db_rollback(&s->db);
            return false;
        }
    return db_commit(&s->db, err);
}

size_t store_dropped(struct store *s, int64_t *pks, size_t max)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT pk FROM dropped LIMIT ?1", NULL);
    if (!q)
        return 0;
    db_bind_int(q, 1, (int64_t)max);
    size_t n = 0;
    while (n < max && db_step(&s->db, q, NULL) > 0)
        pks[n++] = db_int(q, 0);
    db_reset(q);
    return n;
}

bool store_dropped_done(struct store *s, const int64_t *pks, size_t count, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!store_run1(s, "DELETE FROM dropped WHERE pk = ?1", pks[i], err)) {
            db_rollback(&s->db);
            return false;
        }
    return db_commit(&s->db, err);
}
