/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/store_write.h"

#include <stdio.h>
#include <string.h>

#include "bridge/base/time.h"
#include "bridge/store_private.h"

bool store_item_by_uid(struct store *s, int64_t folder_pk, uint32_t uid, struct arena *arena, struct store_item *ret)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "SELECT pk, server_id, change, categories, flags, modseq, received FROM item"
                                        " WHERE folder = ?1 AND uid = ?2",
                                        NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, uid);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        *ret = (struct store_item){
            .pk = db_int(q, 0),
            .uid = uid,
            .server_id = arena_str(arena, db_bytes(q, 1)),
            .change = arena_str(arena, db_bytes(q, 2)),
            .categories = arena_str(arena, db_bytes(q, 3)),
            .flags = (unsigned)db_int(q, 4),
            .modseq = (uint64_t)db_int(q, 5),
            .received_ms = db_int(q, 6),
        };
    db_reset(q);
    return found;
}

/* Begin a transaction in which the folder's MODSEQ goes up by one. */
static bool begin(struct store *s, int64_t folder_pk, struct folder_state *st, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    if (!store_folder_state(s, folder_pk, st, err)) {
        db_rollback(&s->db);
        return false;
    }
    st->modseq++;
    return true;
}

static bool end(struct store *s, bool ok, struct err *err)
{
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

static bool put_flags(struct store *s, int64_t folder_pk, const struct store_flags *item, uint64_t modseq,
                      struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "UPDATE item SET flags = (flags & ~?7) | ?2, modseq = ?3, categories = CASE WHEN ?4 THEN ?5 ELSE"
                   " categories END, change = CASE WHEN ?6 = x'' THEN change ELSE ?6 END WHERE pk = ?1 AND folder = ?8",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, item->pk);
    db_bind_int(q, 2, item->flags & ~item->was);
    db_bind_int(q, 3, (int64_t)modseq);
    db_bind_int(q, 4, item->categories.p != NULL);
    db_bind_text(q, 5, item->categories);
    db_bind_blob(q, 6, item->change);
    db_bind_int(q, 7, item->was & ~item->flags);
    db_bind_int(q, 8, folder_pk);
    return db_run(&s->db, q, err);
}

bool store_flags_done(struct store *s, int64_t folder_pk, const struct store_flags *items, size_t count,
                      struct err *err)
{
    struct folder_state st;
    if (!begin(s, folder_pk, &st, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = put_flags(s, folder_pk, &items[i], st.modseq, err);
    return end(s, ok && store_folder_state_put(s, folder_pk, &st, err), err);
}

bool store_items_gone(struct store *s, int64_t folder_pk, const int64_t *pks, size_t count, struct err *err)
{
    struct folder_state st;
    if (!begin(s, folder_pk, &st, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = store_expunge_item(s, folder_pk, pks[i], st.modseq, err);
    return end(s, ok && store_folder_state_put(s, folder_pk, &st, err), err);
}

/* --- moving ----------------------------------------------------------------------------------- */

struct place {
    int64_t pk;
    uint32_t uid; /* 0: not announced */
};

static int find_place(struct store *s, int64_t folder_pk, int64_t generation, struct str id, struct place *ret,
                      struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT pk, uid FROM item WHERE folder = ?1 AND generation = ?2 AND server_id = ?3", err);
    if (!q)
        return -1;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, generation);
    db_bind_blob(q, 3, id);
    int rc = db_step(&s->db, q, err);
    if (rc == 1)
        *ret = (struct place){db_int(q, 0), (uint32_t)db_int(q, 1)};
    db_reset(q);
    return rc;
}

static bool log_uid(struct store *s, int64_t folder_pk, int64_t pk, uint64_t modseq, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT OR IGNORE INTO expunged (folder, modseq, uid) SELECT ?1, ?3, uid FROM item"
                   " WHERE pk = ?2 AND folder = ?1 AND uid IS NOT NULL",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, pk);
    db_bind_int(q, 3, (int64_t)modseq);
    return db_run(&s->db, q, err);
}

/* A sync of the first folder may have been faster: then there is no row any more, and the second one's brings a new
 * one. */
static bool rehome(struct store *s, int64_t from_pk, int64_t to_pk, struct folder_state *to, struct store_moved *m,
                   struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "UPDATE item SET folder = ?2, generation = ?3, server_id = ?4, change = CASE WHEN ?5 ="
                   " x'' THEN change ELSE ?5 END, uid = nullif(?6, 0), modseq = ?7, saved = ?8 WHERE pk = ?1 AND"
                   " folder = ?9",
                   err);
    if (!q)
        return false;
    uint32_t uid = to->shown ? to->uidnext : 0;
    db_bind_int(q, 1, m->pk);
    db_bind_int(q, 2, to_pk);
    db_bind_int(q, 3, to->generation);
    db_bind_blob(q, 4, m->new_id);
    db_bind_blob(q, 5, m->change);
    db_bind_int(q, 6, uid);
    db_bind_int(q, 7, (int64_t)to->modseq);
    db_bind_int(q, 8, time_wall_s());
    db_bind_int(q, 9, from_pk);
    m->new_uid = 0;
    if (!db_run(&s->db, q, err))
        return false;
    if (db_changes(&s->db) == 0)
        return true;
    to->uidnext += to->shown;
    m->new_uid = uid;
    return store_made_add(s, to_pk, m->pk, err);
}

static bool move_one(struct store *s, int64_t from_pk, struct folder_state *from, int64_t to_pk,
                     struct folder_state *to, struct store_moved *m, struct err *err)
{
    struct place there = {0};
    if (m->new_id.n == 0)
        return store_expunge_item(s, from_pk, m->pk, from->modseq, err);
    int rc = find_place(s, to_pk, to->generation, m->new_id, &there, err);
    if (rc < 0)
        return false;
    if (rc == 1) { /* a sync of the target was faster */
        m->new_uid = there.uid;
        return store_expunge_item(s, from_pk, m->pk, from->modseq, err);
    }
    return log_uid(s, from_pk, m->pk, from->modseq, err) && rehome(s, from_pk, to_pk, to, m, err);
}

bool store_moved(struct store *s, int64_t from_pk, int64_t to_pk, struct store_moved *items, size_t count,
                 struct err *err)
{
    struct folder_state from, to;
    if (!begin(s, from_pk, &from, err))
        return false;
    bool ok = store_folder_state(s, to_pk, &to, err);
    if (ok)
        to.modseq++;
    for (size_t i = 0; ok && i < count; i++)
        ok = move_one(s, from_pk, &from, to_pk, &to, &items[i], err);
    return end(s, ok && store_folder_state_put(s, from_pk, &from, err) && store_folder_state_put(s, to_pk, &to, err),
               err);
}

/* --- new items -------------------------------------------------------------------------------- */

static bool insert(struct store *s, int64_t folder_pk, struct folder_state *st, struct store_created *c,
                   struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "INSERT INTO item (folder, generation, server_id, change, uid, modseq, flags, known, categories, received,"
        " saved, size, size_state, estimate, identity, message_id) VALUES (?1, ?2, ?3, ?4, nullif(?5, 0), ?6, ?7, ?8,"
        " ?9, ?10, ?11, ?12, ?13, ?12, ?14, ?15)",
        err);
    if (!q)
        return false;
    char hash[IDENTITY_SIZE], id_hash[IDENTITY_SIZE];
    struct item_info who = {.message_id = c->message_id, .subject = c->subject};
    c->new_uid = st->shown ? st->uidnext++ : 0;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, st->generation);
    db_bind_blob(q, 3, c->server_id);
    db_bind_blob(q, 4, c->change);
    db_bind_int(q, 5, c->new_uid);
    db_bind_int(q, 6, (int64_t)st->modseq);
    db_bind_int(q, 7, c->flags);
    db_bind_int(q, 8, c->flags_known);
    db_bind_text(q, 9, c->categories);
    db_bind_int(q, 10, c->received_ms);
    db_bind_int(q, 11, time_wall_s());
    db_bind_int(q, 12, c->size);
    db_bind_int(q, 13, c->size_exact ? 2 : 0);
    db_bind_blob(q, 14, store_identity(&who, hash));
    db_bind_blob(q, 15, store_message_id(c->message_id, id_hash));
    if (!db_run(&s->db, q, err))
        return false;
    c->pk = db_last_rowid(&s->db);
    return !c->told_again || store_made_add(s, folder_pk, c->pk, err);
}

bool store_created(struct store *s, int64_t folder_pk, struct store_created *items, size_t count, struct err *err)
{
    struct folder_state st;
    if (!begin(s, folder_pk, &st, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        struct place there = {0};
        int rc = find_place(s, folder_pk, st.generation, items[i].server_id, &there, err);
        if (rc == 1) {
            items[i].pk = there.pk;
            items[i].new_uid = there.uid;
        }
        ok = (rc == 1 || (rc == 0 && insert(s, folder_pk, &st, &items[i], err))) &&
             store_append_done(s, items[i].append_pk, items[i].server_id, items[i].pk, err);
    }
    return end(s, ok && store_folder_state_put(s, folder_pk, &st, err), err);
}

/* --- the journal ------------------------------------------------------------------------------ */

#define JOURNAL_WINDOW_S (24 * 3600)
#define JOURNAL_KEPT_S   (7 * 24 * 3600)

bool store_journal_find(struct store *s, const struct journal_key *key, struct journal_row *ret, struct err *err)
{
    *ret = (struct journal_row){0};
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "SELECT pk, state, created, evidence, message_id FROM journal WHERE created > ?1 AND state <> 3 AND"
                   " (content = ?2 OR (?3 <> x'' AND identity = ?3)) ORDER BY pk DESC LIMIT 1",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, time_wall_s() - JOURNAL_WINDOW_S);
    db_bind_blob(q, 2, key->content);
    db_bind_blob(q, 3, key->identity);
    int rc = db_step(&s->db, q, err);
    if (rc == 1) {
        struct str evidence = db_bytes(q, 3), message_id = db_bytes(q, 4);
        *ret = (struct journal_row){
            .pk = db_int(q, 0), .state = (enum journal_state)db_int(q, 1), .created_s = db_int(q, 2)};
        snprintf(ret->evidence, sizeof(ret->evidence), "%.*s", STR_ARG(evidence));
        if (message_id.n == sizeof(ret->message_id.b))
            memcpy(ret->message_id.b, message_id.p, message_id.n);
    }
    db_reset(q);
    return rc >= 0;
}

bool store_journal_add(struct store *s, const struct journal_key *key, struct str evidence, int64_t *ret_pk,
                       struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_run1(s, "DELETE FROM journal WHERE created < ?1", time_wall_s() - JOURNAL_KEPT_S, err);
    struct sqlite3_stmt *q =
        ok ? db_prepare(&s->db,
                        "INSERT INTO journal (content, identity, message_id, evidence, state, created)"
                        " VALUES (?1, ?2, ?3, ?4, 0, ?5)",
                        err)
           : NULL;
    if (q) {
        db_bind_blob(q, 1, key->content);
        db_bind_blob(q, 2, key->identity);
        db_bind_blob(q, 3, key->message_id);
        db_bind_text(q, 4, evidence);
        db_bind_int(q, 5, time_wall_s());
    }
    ok = q && db_run(&s->db, q, err);
    int64_t pk = ok ? db_last_rowid(&s->db) : 0;
    if (!end(s, ok, err))
        return false;
    *ret_pk = pk;
    return true;
}

bool store_journal_set(struct store *s, int64_t pk, enum journal_state state, struct err *err)
{
    return store_run2(s,
                      "UPDATE journal SET state = ?2, asked = CASE WHEN ?2 < 2 THEN asked ELSE x'' END WHERE pk = ?1",
                      pk, state, err);
}

bool store_journal_rename(struct store *s, int64_t pk, struct str message_id, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "UPDATE journal SET message_id = ?2 WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_blob(q, 2, message_id);
    return db_run(&s->db, q, err);
}

bool store_journal_ask(struct store *s, int64_t pk, struct str asked, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "UPDATE journal SET asked = ?2 WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_blob(q, 2, asked);
    return db_run(&s->db, q, err);
}

bool store_journal_asked(struct store *s, int64_t pk, struct arena *arena, struct str *ret_asked)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT asked FROM journal WHERE pk = ?1", NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        *ret_asked = arena_str(arena, db_bytes(q, 0));
    db_reset(q);
    return found;
}

bool store_journal_was_sent(struct store *s, struct str message_id_hash, bool *ret_sent, struct err *err)
{
    *ret_sent = false;
    if (message_id_hash.n == 0)
        return true;
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT 1 FROM journal WHERE message_id = ?1 AND created > ?2 AND state IN (1, 2) LIMIT 1", err);
    if (!q)
        return false;
    db_bind_blob(q, 1, message_id_hash);
    db_bind_int(q, 2, time_wall_s() - JOURNAL_WINDOW_S);
    int rc = db_step(&s->db, q, err);
    db_reset(q);
    *ret_sent = rc == 1;
    return rc >= 0;
}
