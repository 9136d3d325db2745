/* SPDX-License-Identifier: Apache-2.0 */
/* Items of calendars that are on the server and cannot be read: see store_calendar.h. */
#include "bridge/base/time.h"
#include "bridge/store_calendar.h"
#include "bridge/store_private.h"

bool store_unread_add(struct store *s, int64_t folder_pk, struct str server_id, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "INSERT OR REPLACE INTO unread (folder, server_id, created) VALUES (?1, ?2, ?3)", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, server_id);
    db_bind_int(q, 3, time_wall_s());
    return db_run(&s->db, q, err);
}

bool store_unread_done(struct store *s, int64_t folder_pk, struct str server_id, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "DELETE FROM unread WHERE folder = ?1 AND server_id = ?2", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, server_id);
    return db_run(&s->db, q, err);
}

bool store_unread_forget(struct store *s, int64_t folder_pk, struct err *err)
{
    return store_run1(s, "DELETE FROM unread WHERE folder = ?1", folder_pk, err);
}

size_t store_unread(struct store *s, int64_t folder_pk, struct str server_id, int64_t since_s)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "SELECT count(*) FROM unread WHERE (?1 = 0 OR folder = ?1) AND"
                                        " (?2 = x'' OR server_id = ?2) AND created >= ?3",
                                        NULL);
    if (!q)
        return 0;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, server_id);
    db_bind_int(q, 3, since_s);
    size_t n = db_step(&s->db, q, NULL) == 1 ? (size_t)db_int(q, 0) : 0;
    db_reset(q);
    return n;
}

size_t store_unread_ids(struct store *s, int64_t folder_pk, size_t max, struct arena *arena, struct str **ret_ids)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT server_id FROM unread WHERE folder = ?1 ORDER BY random() LIMIT ?2", NULL);
    size_t n = 0;
    *ret_ids = arena_array(arena, max, sizeof(**ret_ids));
    if (!q)
        return 0;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, (int64_t)max);
    while (n < max && db_step(&s->db, q, NULL) == 1)
        (*ret_ids)[n++] = arena_str(arena, db_bytes(q, 0));
    db_reset(q);
    return n;
}
