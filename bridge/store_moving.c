/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar objects that clients move: see store_calendar.h. */
#include "bridge/base/time.h"
#include "bridge/store_calendar.h"
#include "bridge/store_private.h"

#define KEPT_S      (7 * 86400)
#define DONE_KEPT_S 86400
#define OPEN_MAX    100

#define COLUMNS                                                                                                        \
    "SELECT pk, folder, to_folder, name, to_name, state, item, place, replaces, digest, ical_uid, server_uid, extra"   \
    " FROM moving "

static struct moving read_row(struct sqlite3_stmt *q, struct arena *arena)
{
    return (struct moving){
        .pk = db_int(q, 0),
        .folder_pk = db_int(q, 1),
        .to_pk = db_int(q, 2),
        .name = arena_str(arena, db_bytes(q, 3)),
        .to_name = arena_str(arena, db_bytes(q, 4)),
        .state = (enum moving_state)db_int(q, 5),
        .item_pk = db_int(q, 6),
        .place = arena_str(arena, db_bytes(q, 7)),
        .replaces_pk = db_int(q, 8),
        .digest = arena_str(arena, db_bytes(q, 9)),
        .ical_uid = arena_str(arena, db_bytes(q, 10)),
        .server_uid = arena_str(arena, db_bytes(q, 11)),
        .extra = arena_str(arena, db_bytes(q, 12)),
    };
}

static void bind_names(struct sqlite3_stmt *q, int64_t folder_pk, struct str name, int64_t to_pk, struct str to_name)
{
    db_bind_int(q, 1, folder_pk);
    db_bind_text(q, 2, name);
    db_bind_int(q, 3, to_pk);
    db_bind_text(q, 4, to_name);
}

static bool forget_earlier(struct store *s, const struct moving *m, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "DELETE FROM moving WHERE (folder = ?1 AND name = ?2 AND to_folder = ?3 AND"
                                        " to_name = ?4) OR created < ?5",
                                        err);
    if (!q)
        return false;
    bind_names(q, m->folder_pk, m->name, m->to_pk, m->to_name);
    db_bind_int(q, 5, time_wall_s() - KEPT_S);
    return db_run(&s->db, q, err);
}

static bool insert(struct store *s, struct moving *m, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT INTO moving (folder, name, to_folder, to_name, state, item, place, replaces, digest, after,"
                   " ical_uid, server_uid, extra, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', ?7, ?8,"
                   " (SELECT ifnull(max(pk), 0) FROM item), ?9, ?10, ?11, ?12)",
                   err);
    if (!q)
        return false;
    bind_names(q, m->folder_pk, m->name, m->to_pk, m->to_name);
    db_bind_int(q, 5, m->state);
    db_bind_int(q, 6, m->item_pk);
    db_bind_int(q, 7, m->replaces_pk);
    db_bind_blob(q, 8, m->digest);
    db_bind_text(q, 9, m->ical_uid);
    db_bind_text(q, 10, m->server_uid);
    db_bind_blob(q, 11, m->extra);
    db_bind_int(q, 12, time_wall_s());
    if (!db_run(&s->db, q, err))
        return false;
    m->pk = db_last_rowid(&s->db);
    return true;
}

bool store_moving_add(struct store *s, struct moving *m, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    return store_end(s, forget_earlier(s, m, err) && insert(s, m, err), err);
}

bool store_moving_set(struct store *s, const struct moving *m, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "UPDATE moving SET state = ?2, item = ?3, place = ?4 WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, m->pk);
    db_bind_int(q, 2, m->state);
    db_bind_int(q, 3, m->item_pk);
    db_bind_text(q, 4, m->place);
    return db_run(&s->db, q, err);
}

bool store_moving_forget(struct store *s, int64_t pk, struct err *err)
{
    return store_run1(s, "DELETE FROM moving WHERE pk = ?1", pk, err);
}

bool store_moving_find(struct store *s, int64_t folder_pk, struct str name, int64_t to_pk, struct str to_name,
                       struct arena *arena, struct moving *ret)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        COLUMNS "WHERE folder = ?1 AND name = ?2 AND to_folder = ?3 AND to_name = ?4 AND created > CASE state"
                " WHEN 3 THEN ?5 ELSE ?6 END",
        NULL);
    if (!q)
        return false;
    bind_names(q, folder_pk, name, to_pk, to_name);
    db_bind_int(q, 5, time_wall_s() - DONE_KEPT_S);
    db_bind_int(q, 6, time_wall_s() - KEPT_S);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        *ret = read_row(q, arena);
    db_reset(q);
    return found;
}

size_t store_moving_open(struct store *s, int64_t to_pk, struct arena *arena, struct moving **ret)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, COLUMNS "WHERE state < 2 AND (?1 = 0 OR to_folder = ?1) AND created > ?2 ORDER BY pk LIMIT 100", NULL);
    size_t n = 0;
    *ret = NULL;
    if (!q)
        return 0;
    db_bind_int(q, 1, to_pk);
    db_bind_int(q, 2, time_wall_s() - KEPT_S);
    while (n < OPEN_MAX && db_step(&s->db, q, NULL) == 1) {
        if (n == 0)
            *ret = arena_array(arena, OPEN_MAX, sizeof(**ret));
        (*ret)[n++] = read_row(q, arena);
    }
    db_reset(q);
    return n;
}

bool store_moving_arrived(struct store *s, const struct moving *m, struct arena *arena, struct store_resource *ret)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "SELECT r.pk FROM moving AS m JOIN resource AS r ON r.folder = m.to_folder AND r.ical_uid IN (m.ical_uid,"
        " m.server_uid) JOIN item AS i ON i.pk = r.pk WHERE m.pk = ?1 AND r.pk > m.after AND i.uid IS NOT NULL"
        " ORDER BY r.pk LIMIT 1",
        NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, m->pk);
    int64_t pk = db_step(&s->db, q, NULL) == 1 ? db_int(q, 0) : 0;
    db_reset(q);
    return pk && store_resource_by_pk(s, pk, arena, ret);
}
