/* SPDX-License-Identifier: Apache-2.0 */
/* Appends under way, and the one copy of what was sent: see store_write.h. */
#include <stdio.h>

#include "bridge/base/time.h"
#include "bridge/store_private.h"
#include "bridge/store_write.h"

#define RETRY_WINDOW_S (24 * 3600)
#define KEPT_S         (7 * 24 * 3600)

#define ROW                                                                                                            \
    "SELECT a.pk, a.batch, a.folder, a.state, a.evidence, a.server_id, ifnull(i.pk, 0), a.replaces, ifnull(i.uid, 0)," \
    " ifnull(r.folder, 0), ifnull(r.server_id, x'') FROM append AS a LEFT JOIN item AS i ON i.pk = a.item AND"         \
    " i.folder = a.folder LEFT JOIN item AS r ON r.pk = a.replaces "

static struct append_row read_row(struct sqlite3_stmt *q, struct arena *arena)
{
    struct append_row row = {
        .pk = db_int(q, 0),
        .batch = db_int(q, 1),
        .folder_pk = db_int(q, 2),
        .state = (enum append_state)db_int(q, 3),
        .server_id = arena_str(arena, db_bytes(q, 5)),
        .item_pk = db_int(q, 6),
        .replaces_pk = db_int(q, 7),
        .uid = (uint32_t)db_int(q, 8),
        .replaces_folder = db_int(q, 9),
        .replaces_id = arena_str(arena, db_bytes(q, 10)),
    };
    struct str evidence = db_bytes(q, 4);
    snprintf(row.evidence, sizeof(row.evidence), "%.*s", STR_ARG(evidence));
    return row;
}

static struct sent_found read_found(struct sqlite3_stmt *q, struct arena *arena)
{
    return (struct sent_found){db_int(q, 0), (uint32_t)db_int(q, 1), arena_str(arena, db_bytes(q, 2))};
}

/* The first row that `usable` lets through, or one of pk 0; resets q. */
static bool first_usable(struct store *s, struct sqlite3_stmt *q, bool (*usable)(void *ud, int64_t pk, int64_t batch),
                         void *ud, struct arena *arena, struct append_row *ret_row, struct err *err)
{
    int rc = 1;
    *ret_row = (struct append_row){0};
    while (ret_row->pk == 0 && (rc = db_step(&s->db, q, err)) == 1)
        if (usable(ud, db_int(q, 0), db_int(q, 1)))
            *ret_row = read_row(q, arena);
    db_reset(q);
    return rc >= 0;
}

/* The one row of q, or one of pk 0; resets q. */
static bool found_or_none(struct store *s, struct sqlite3_stmt *q, struct arena *arena, struct sent_found *ret,
                          struct err *err)
{
    int rc = db_step(&s->db, q, err);
    *ret = rc == 1 ? read_found(q, arena) : (struct sent_found){0};
    db_reset(q);
    return rc >= 0;
}

bool store_append_find(struct store *s, int64_t folder_pk, const struct append_key *key,
                       bool (*usable)(void *ud, int64_t pk, int64_t batch), void *ud, struct arena *arena,
                       struct append_row *ret_row, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        ROW "WHERE a.folder = ?1 AND a.created > ?2 AND a.state <> 3 AND"
                                            " (a.content = ?3 OR (?4 <> x'' AND a.identity = ?4)) ORDER BY a.pk DESC",
                                        err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, time_wall_s() - RETRY_WINDOW_S);
    db_bind_blob(q, 3, key->content);
    db_bind_blob(q, 4, key->identity);
    return first_usable(s, q, usable, ud, arena, ret_row, err);
}

static bool add_row(struct store *s, int64_t folder_pk, struct append_new *row, int64_t *batch, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT INTO append (batch, folder, content, identity, evidence, state, server_id, item, replaces,"
                   " created, message_id, after) VALUES (?1, ?2, ?3, ?4, ?5, 0, x'', 0, ?6, ?7, ?8,"
                   " (SELECT ifnull(max(pk), 0) FROM item))",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, *batch);
    db_bind_int(q, 2, folder_pk);
    db_bind_blob(q, 3, row->key.content);
    db_bind_blob(q, 4, row->key.identity);
    db_bind_text(q, 5, row->evidence);
    db_bind_int(q, 6, row->replaces_pk);
    db_bind_int(q, 7, time_wall_s());
    db_bind_blob(q, 8, row->message_id_hash);
    if (!db_run(&s->db, q, err))
        return false;
    row->pk = db_last_rowid(&s->db);
    if (*batch)
        return true;
    *batch = row->pk;
    return store_run1(s, "UPDATE append SET batch = pk WHERE pk = ?1", row->pk, err);
}

static bool end(struct store *s, bool ok, struct err *err)
{
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

bool store_append_add(struct store *s, int64_t folder_pk, struct append_new *rows, size_t count, int64_t *ret_batch,
                      struct err *err)
{
    *ret_batch = 0;
    if (!db_begin(&s->db, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_row(s, folder_pk, &rows[i], ret_batch, err);
    return end(s, ok, err);
}

static bool settle(struct store *s, int64_t pk, enum append_state state, struct str server_id, int64_t item_pk,
                   struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "UPDATE append SET state = ?2, server_id = ?3, item = ?4 WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_int(q, 2, state);
    db_bind_blob(q, 3, server_id);
    db_bind_int(q, 4, item_pk);
    return db_run(&s->db, q, err);
}

bool store_append_taken(struct store *s, int64_t pk, struct str server_id, struct err *err)
{
    return settle(s, pk, APPEND_TAKEN, server_id, 0, err);
}

bool store_append_done(struct store *s, int64_t pk, struct str server_id, int64_t item_pk, struct err *err)
{
    return pk == 0 || settle(s, pk, APPEND_DONE, server_id, item_pk, err);
}

bool store_append_replaced(struct store *s, int64_t pk, struct err *err)
{
    return store_run1(s, "UPDATE append SET replaces = 0 WHERE pk = ?1", pk, err);
}

/* An earlier attempt that is still to be taken back must not find what a later one has made: only what is newer. */
bool store_append_forget(struct store *s, int64_t batch, struct err *err)
{
    return store_run1(s,
                      "UPDATE append SET after = max(after, (SELECT max(d.item) FROM append AS d WHERE d.batch = ?1 AND"
                      " d.folder = append.folder AND d.message_id = append.message_id)) WHERE state = 3 AND"
                      " message_id <> x'' AND EXISTS (SELECT 1 FROM append AS d WHERE d.batch = ?1 AND d.state = 2 AND"
                      " d.folder = append.folder AND d.message_id = append.message_id)",
                      batch, err) &&
           store_run1(s, "DELETE FROM append WHERE batch = ?1", batch, err);
}

bool store_append_forget_row(struct store *s, int64_t pk, struct err *err)
{
    return store_run1(s, "DELETE FROM append WHERE pk = ?1", pk, err);
}

bool store_append_undo(struct store *s, int64_t batch, struct err *err)
{
    return store_run1(s, "UPDATE append SET state = 3 WHERE batch = ?1", batch, err);
}

bool store_append_pending(struct store *s, bool (*usable)(void *ud, int64_t pk, int64_t batch), void *ud,
                          struct arena *arena, struct append_row *ret_row)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, ROW "WHERE a.state = 3 OR (a.state = 2 AND a.replaces <> 0) ORDER BY a.pk", NULL);
    return q && first_usable(s, q, usable, ud, arena, ret_row, NULL) && ret_row->pk;
}

bool store_append_recover(struct store *s, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_run1(s, "DELETE FROM append WHERE created < ?1 AND state <> 3", time_wall_s() - KEPT_S, err) &&
              store_run1(s, "DELETE FROM sent_copy WHERE created < ?1", time_wall_s() - RETRY_WINDOW_S, err) &&
              db_exec(&s->db,
                      "UPDATE append SET state = 3 WHERE state < 2 AND batch IN"
                      " (SELECT batch FROM append GROUP BY batch HAVING count(*) > 1)",
                      err);
    return end(s, ok, err);
}

bool store_append_seen(struct store *s, int64_t pk, struct arena *arena, struct sent_found *ret, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "SELECT i.pk, ifnull(i.uid, 0), i.server_id FROM append AS a JOIN item AS i ON i.folder = a.folder AND"
        " i.message_id = a.message_id AND i.message_id <> x'' AND i.pk > a.after JOIN folder AS f ON f.pk = i.folder"
        " AND f.generation = i.generation WHERE a.pk = ?1 AND NOT EXISTS (SELECT 1 FROM append AS o WHERE o.item ="
        " i.pk AND o.pk <> a.pk) ORDER BY i.pk LIMIT 1",
        err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    return found_or_none(s, q, arena, ret, err);
}

int64_t store_newest_item(struct store *s)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT ifnull(max(pk), 0) FROM item", NULL);
    int64_t pk = q && db_step(&s->db, q, NULL) == 1 ? db_int(q, 0) : INT64_MAX; /* unknown: nothing comes after it */
    if (q)
        db_reset(q);
    return pk;
}

bool store_copy_seen(struct store *s, int64_t from_pk, int64_t folder_pk, int64_t after_pk, struct arena *arena,
                     struct sent_found *ret)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "SELECT i.pk, ifnull(i.uid, 0), i.server_id FROM item AS o JOIN item AS i ON i.identity = o.identity"
        " AND i.identity <> x'' AND (i.received = o.received OR i.estimate = o.estimate) JOIN folder AS f ON f.pk ="
        " i.folder AND f.generation = i.generation WHERE o.pk = ?1 AND i.folder = ?2 AND i.pk > ?3 ORDER BY i.pk LIMIT "
        "1",
        NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, from_pk);
    db_bind_int(q, 2, folder_pk);
    db_bind_int(q, 3, after_pk);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        *ret = read_found(q, arena);
    db_reset(q);
    return found;
}

/* --- one copy of what was sent ---------------------------------------------------------------- */

bool store_sent_find(struct store *s, int64_t folder_pk, struct str message_id_hash, int64_t except_pk, int64_t since_s,
                     struct arena *arena, struct sent_found *ret, struct err *err)
{
    *ret = (struct sent_found){0};
    if (message_id_hash.n == 0)
        return true;
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "SELECT i.pk, ifnull(i.uid, 0), i.server_id FROM item AS i JOIN folder AS f ON f.pk = i.folder AND"
                   " f.generation = i.generation WHERE i.folder = ?1 AND i.message_id = ?2 AND i.message_id <> x'' AND"
                   " i.pk <> ?3 AND i.saved >= ?4 ORDER BY i.pk DESC LIMIT 1",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, message_id_hash);
    db_bind_int(q, 3, except_pk);
    db_bind_int(q, 4, since_s);
    return found_or_none(s, q, arena, ret, err);
}

bool store_sent_keep(struct store *s, int64_t folder_pk, int64_t item_pk, struct str message_id_hash, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "INSERT OR IGNORE INTO sent_copy (item, folder, message_id, created) VALUES (?1, ?2, ?3, ?4)", err);
    if (!q)
        return false;
    db_bind_int(q, 1, item_pk);
    db_bind_int(q, 2, folder_pk);
    db_bind_blob(q, 3, message_id_hash);
    db_bind_int(q, 4, time_wall_s());
    return db_run(&s->db, q, err);
}

bool store_sent_kept(struct store *s, int64_t item_pk, struct err *err)
{
    return store_run1(s, "DELETE FROM sent_copy WHERE item = ?1", item_pk, err);
}

bool store_sent_pair(struct store *s, int64_t folder_pk, struct arena *arena, int64_t *ret_kept,
                     struct sent_found *ret_other, bool *ret_waiting)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "SELECT o.pk, ifnull(o.uid, 0), o.server_id, c.item FROM sent_copy AS c JOIN item AS k ON k.pk ="
                   " c.item AND k.folder = c.folder LEFT JOIN item AS o ON o.folder = c.folder AND o.generation ="
                   " k.generation AND o.message_id = c.message_id AND o.message_id <> x'' AND o.pk <> c.item WHERE"
                   " c.folder = ?1 AND"
                   " c.created > ?2 ORDER BY o.pk IS NULL LIMIT 1",
                   NULL);
    *ret_waiting = false;
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, time_wall_s() - RETRY_WINDOW_S);
    bool found = false;
    if (db_step(&s->db, q, NULL) == 1) {
        *ret_waiting = true;
        *ret_other = read_found(q, arena);
        *ret_kept = db_int(q, 3);
        found = ret_other->pk != 0;
    }
    db_reset(q);
    return found;
}
