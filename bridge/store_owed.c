/* SPDX-License-Identifier: Apache-2.0 */
/* Mail that is owed (store_calendar.h): what is due, and what waits for the server's word. */
#include "bridge/base/time.h"
#include "bridge/store_calendar.h"
#include "bridge/store_private.h"

bool store_owed(struct store *s, int64_t after_pk, struct arena *arena, int64_t *ret_pk, struct str *ret_message)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "SELECT pk, message FROM owed WHERE pk > ?1 AND evidence NOT LIKE '" STORE_HELD "%' ORDER BY pk LIMIT 1", NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, after_pk);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found) {
        *ret_pk = db_int(q, 0);
        *ret_message = arena_str(arena, db_bytes(q, 1));
    }
    db_reset(q);
    return found;
}

bool store_owed_done(struct store *s, int64_t pk, struct err *err)
{
    return store_run1(s, "DELETE FROM owed WHERE pk = ?1", pk, err);
}

/* The first text behind all that begin with `begins`: marks are ASCII. */
static struct str after_all(struct str begins, struct arena *arena)
{
    return arena_printf(arena, "%.*s\x7f", STR_ARG(begins));
}

bool store_owe_held(struct store *s, struct str mark, struct str message, struct str promise, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "INSERT INTO owed (evidence, message, created, promise) VALUES (?1, ?2, ?3, ?4)", err);
    if (!q)
        return false;
    db_bind_text(q, 1, mark);
    db_bind_blob(q, 2, message);
    db_bind_int(q, 3, time_wall_s());
    db_bind_blob(q, 4, promise);
    return db_run(&s->db, q, err);
}

bool store_held_drop(struct store *s, struct str mark_begins, struct err *err)
{
    struct arena arena = {0};
    struct sqlite3_stmt *q = db_prepare(&s->db, "DELETE FROM owed WHERE evidence >= ?1 AND evidence < ?2", err);
    if (q) {
        db_bind_text(q, 1, mark_begins);
        db_bind_text(q, 2, after_all(mark_begins, &arena));
    }
    bool ok = q && db_run(&s->db, q, err);
    arena_done(&arena);
    return ok;
}

bool store_held_release(struct store *s, struct str mark_begins, struct err *err)
{
    struct arena arena = {0};
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "UPDATE owed SET evidence = lower(hex(randomblob(16))), promise = x'' "
                                        "WHERE evidence >= ?1 AND evidence < ?2",
                                        err);
    if (q) {
        db_bind_text(q, 1, mark_begins);
        db_bind_text(q, 2, after_all(mark_begins, &arena));
    }
    bool ok = q && db_run(&s->db, q, err);
    arena_done(&arena);
    return ok;
}

size_t store_held(struct store *s, struct str mark_begins, struct arena *arena, struct store_held **ret)
{
    enum { MARKS_MAX = 1000 };
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "SELECT evidence, promise, created FROM owed WHERE evidence >= ?1 AND evidence < ?2 "
                   "ORDER BY pk LIMIT 1000",
                   NULL);
    size_t n = 0;
    *ret = NULL;
    if (!q)
        return 0;
    db_bind_text(q, 1, mark_begins);
    db_bind_text(q, 2, after_all(mark_begins, arena));
    while (n < MARKS_MAX && db_step(&s->db, q, NULL) == 1) {
        if (n == 0)
            *ret = arena_array(arena, MARKS_MAX, sizeof(**ret));
        (*ret)[n++] =
            (struct store_held){arena_str(arena, db_bytes(q, 0)), arena_str(arena, db_bytes(q, 1)), db_int(q, 2)};
    }
    db_reset(q);
    return n;
}
