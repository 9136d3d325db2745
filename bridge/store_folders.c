/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/names.h"
#include "bridge/store_calendar.h"
#include "bridge/store_private.h"

bool store_folders(struct store *s, struct arena *arena, struct store_folder **ret_list, size_t *ret_count,
                   struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT count(*) FROM folder", err);
    if (!q || db_step(&s->db, q, err) < 0)
        return false;
    size_t max = (size_t)db_int(q, 0), n = 0;
    db_reset(q);
    struct store_folder *list = arena_array(arena, max + 1, sizeof(*list));
    q = db_prepare(&s->db,
                   "SELECT pk, server_id, parent_id, name, label, kind, use, hidden, uidvalidity, synced, shown, resync"
                   " FROM folder ORDER BY pk",
                   err);
    if (!q)
        return false;
    int rc = 0;
    while (n < max && (rc = db_step(&s->db, q, err)) > 0) {
        list[n++] = (struct store_folder){
            .pk = db_int(q, 0),
            .server_id = arena_str(arena, db_bytes(q, 1)),
            .parent_id = arena_str(arena, db_bytes(q, 2)),
            .name = arena_str(arena, db_bytes(q, 3)),
            .label = arena_str(arena, db_bytes(q, 4)),
            .kind = (enum folder_kind)db_int(q, 5),
            .use = (enum folder_use)db_int(q, 6),
            .hidden = db_int(q, 7) != 0,
            .uidvalidity = (uint32_t)db_int(q, 8),
            .synced = db_int(q, 9) != 0,
            .shown = db_int(q, 10) != 0,
            .resync = db_int(q, 11) != 0,
        };
    }
    db_reset(q);
    *ret_list = list;
    *ret_count = n;
    return rc >= 0;
}

/* --- applying a hierarchy page ---------------------------------------------------------------- */

/* 1, 0, -1. */
static int label_taken(struct store *s, struct str parent_id, struct str label, int64_t except_pk, struct err *err)
{
    /* Labels differ in more than case: some clients keep folders as files. */
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "SELECT 1 FROM folder WHERE mailbox = 1 AND parent_id = ?1 AND pk <> ?2"
                                        " AND label = ?3 COLLATE NOCASE LIMIT 1",
                                        err);
    if (!q)
        return -1;
    db_bind_blob(q, 1, parent_id);
    db_bind_int(q, 2, except_pk);
    db_bind_text(q, 3, label);
    int rc = db_step(&s->db, q, err);
    db_reset(q);
    return rc;
}

static bool choose_label(struct store *s, const struct folder_info *f, int64_t pk, struct buf *out, struct err *err)
{
    if (f->use == USE_INBOX)
        return buf_lit(out, "INBOX");
    struct buf base = {0};
    int taken = 1;
    names_label(&base, f->name);
    bool is_inbox_name = f->parent_id.n == 0 && str_case_is(buf_view(&base), "INBOX");
    for (unsigned i = is_inbox_name ? 2 : 1; taken > 0 && i < 10000; i++) {
        buf_reset(out);
        buf_str(out, buf_view(&base));
        if (i > 1)
            buf_printf(out, " (%u)", i);
        taken = label_taken(s, f->parent_id, buf_view(out), pk, err);
    }
    buf_done(&base);
    return taken >= 0;
}

struct known {
    int64_t pk;
    bool same_place; /* name and parent as before: the label stays */
    int64_t kind;
};

/* 1, 0: there is none, -1. */
static int find_folder(struct store *s, const struct folder_info *f, struct known *ret, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT pk, parent_id, name, kind, use FROM folder WHERE mailbox = 1 AND server_id = ?1", err);
    if (!q)
        return -1;
    db_bind_blob(q, 1, f->id);
    int rc = db_step(&s->db, q, err);
    if (rc == 1)
        *ret = (struct known){
            .pk = db_int(q, 0),
            .same_place = str_eq(db_bytes(q, 1), f->parent_id) && str_eq(db_bytes(q, 2), f->name) &&
                          (db_int(q, 4) == USE_INBOX) == (f->use == USE_INBOX),
            .kind = db_int(q, 3),
        };
    db_reset(q);
    return rc;
}

static bool delete_folder(struct store *s, int64_t pk, struct err *err)
{
    return store_run1(s, "DELETE FROM item WHERE folder = ?1", pk, err) &&
           store_run1(s, "DELETE FROM expunged WHERE folder = ?1", pk, err) &&
           store_run1(s, "DELETE FROM resource_gone WHERE folder = ?1", pk, err) &&
           store_run1(s, "DELETE FROM collection WHERE folder = ?1", pk, err) &&
           store_run1(s, "DELETE FROM property WHERE folder = ?1", pk, err) && store_unread_forget(s, pk, err) &&
           store_run1(s, "DELETE FROM folder WHERE pk = ?1", pk, err);
}

static bool insert_folder(struct store *s, const struct folder_info *f, struct str label, struct err *err)
{
    uint32_t uidvalidity = 0;
    if (!store_new_uidvalidity(s, &uidvalidity, err))
        return false;
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT INTO folder (mailbox, server_id, parent_id, name, label, kind, use, hidden,"
                   " uidvalidity) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                   err);
    if (!q)
        return false;
    db_bind_blob(q, 1, f->id);
    db_bind_blob(q, 2, f->parent_id);
    db_bind_text(q, 3, f->name);
    db_bind_text(q, 4, label);
    db_bind_int(q, 5, f->kind);
    db_bind_int(q, 6, f->use);
    db_bind_int(q, 7, f->hidden);
    db_bind_int(q, 8, uidvalidity);
    return db_run(&s->db, q, err);
}

static bool update_folder(struct store *s, const struct folder_info *f, int64_t pk, struct str label, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "UPDATE folder SET parent_id = ?2, name = ?3, label = coalesce(nullif(?4, ''), label), kind = ?5, use = ?6,"
        " hidden = ?7 WHERE pk = ?1",
        err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_blob(q, 2, f->parent_id);
    db_bind_text(q, 3, f->name);
    db_bind_text(q, 4, label);
    db_bind_int(q, 5, f->kind);
    db_bind_int(q, 6, f->use);
    db_bind_int(q, 7, f->hidden);
    return db_run(&s->db, q, err);
}

static bool apply_one(struct store *s, const struct folder_info *f, struct err *err)
{
    struct known known = {0};
    int rc = find_folder(s, f, &known, err);
    bool found = rc == 1;
    if (rc < 0)
        return false;
    if (f->gone)
        return !found || delete_folder(s, known.pk, err);
    /* A folder that changes its class is another thing: its items mean something else. */
    if (found && known.kind != (int64_t)f->kind) {
        if (!delete_folder(s, known.pk, err))
            return false;
        found = false;
    }
    struct buf label = {0};
    bool ok = (found && known.same_place) || choose_label(s, f, found ? known.pk : 0, &label, err);
    ok = ok &&
         (found ? update_folder(s, f, known.pk, buf_view(&label), err) : insert_folder(s, f, buf_view(&label), err));
    buf_done(&label);
    return ok;
}

static bool listed(const struct folder_info *list, size_t count, struct str id)
{
    for (size_t i = 0; i < count; i++)
        if (!list[i].gone && str_eq(list[i].id, id))
            return true;
    return false;
}

static bool delete_unlisted(struct store *s, const struct folder_info *list, size_t count, struct err *err)
{
    struct arena arena = {0};
    struct store_folder *known;
    size_t n;
    bool ok = store_folders(s, &arena, &known, &n, err);
    for (size_t i = 0; ok && i < n; i++)
        if (!listed(list, count, known[i].server_id))
            ok = delete_folder(s, known[i].pk, err);
    arena_done(&arena);
    return ok;
}

bool store_apply_folders(struct store *s, const struct folder_info *list, size_t count, bool full, struct str cursor,
                         struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    bool ok = !full || delete_unlisted(s, list, count, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = apply_one(s, &list[i], err);
    if (ok && store_meta_put(s, "hierarchy", cursor, err))
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

bool store_hierarchy_cursor(struct store *s, struct buf *out)
{
    return store_meta_get(s, "hierarchy", out);
}

bool store_forget_hierarchy(struct store *s, struct err *err)
{
    return store_meta_put(s, "hierarchy", STR_NULL, err);
}

/* --- subscriptions ---------------------------------------------------------------------------- */

static bool name_run(struct store *s, const char *sql, struct str name, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, sql, err);
    if (!q)
        return false;
    db_bind_text(q, 1, name);
    return db_run(&s->db, q, err);
}

bool store_subscribe(struct store *s, struct str name, bool subscribed, struct err *err)
{
    if (!db_begin(&s->db, err))
        return false;
    bool ok = subscribed ? name_run(s, "INSERT OR IGNORE INTO subscription (name) VALUES (?1)", name, err) &&
                               name_run(s, "DELETE FROM unsubscription WHERE name = ?1", name, err)
                         : name_run(s, "INSERT OR IGNORE INTO unsubscription (name) VALUES (?1)", name, err) &&
                               name_run(s, "DELETE FROM subscription WHERE name = ?1", name, err);
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

bool store_subscriptions(struct store *s, bool subscribed, struct arena *arena, struct str **ret_names,
                         size_t *ret_count, struct err *err)
{
    struct sqlite3_stmt *q = subscribed ? db_prepare(&s->db, "SELECT name FROM subscription ORDER BY name", err)
                                        : db_prepare(&s->db, "SELECT name FROM unsubscription ORDER BY name", err);
    if (!q)
        return false;
    return store_names(s, q, arena, ret_names, ret_count, err);
}
