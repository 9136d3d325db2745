/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/store_calendar.h"

#include <ctype.h>
#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/io/crypto.h"
#include "bridge/store_private.h"

/* A resource of a resync that is still collecting: its name is not one that a client could ask for. */
#define HIDDEN '\x01'

#define COLUMNS                                                                                                        \
    "r.pk, r.name, r.ical_uid, r.digest, r.served, r.extra, i.server_id, i.change, i.modseq, r.kind, r.from_s, "       \
    "r.to_s,"                                                                                                          \
    " r.size, r.schedule FROM resource AS r JOIN item AS i ON i.pk = r.pk "

static struct str keep(struct arena *arena, struct str s)
{
    return arena ? arena_str(arena, s) : s;
}

static void read_row(struct sqlite3_stmt *q, struct arena *arena, struct store_resource *ret)
{
    *ret = (struct store_resource){
        .pk = db_int(q, 0),
        .name = keep(arena, db_bytes(q, 1)),
        .ical_uid = keep(arena, db_bytes(q, 2)),
        .digest = keep(arena, db_bytes(q, 3)),
        .served = keep(arena, db_bytes(q, 4)),
        .extra = keep(arena, db_bytes(q, 5)),
        .server_id = keep(arena, db_bytes(q, 6)),
        .change = keep(arena, db_bytes(q, 7)),
        .modseq = (uint64_t)db_int(q, 8),
        .kind = (enum event_kind)db_int(q, 9),
        .from = db_int(q, 10),
        .to = db_int(q, 11),
        .size = (uint64_t)db_int(q, 12),
        .schedule = keep(arena, db_bytes(q, 13)),
    };
}

static bool one(struct store *s, struct sqlite3_stmt *q, struct arena *arena, struct store_resource *ret)
{
    struct arena none = {0};
    bool found = q && db_step(&s->db, q, NULL) == 1;
    if (found)
        read_row(q, arena ? arena : &none, ret);
    if (!arena) { /* not wanted, and they would not outlive the statement */
        arena_done(&none);
        ret->name = ret->ical_uid = ret->digest = ret->served = ret->schedule = ret->extra = STR_NULL;
        ret->server_id = ret->change = STR_NULL;
    }
    if (q)
        db_reset(q);
    return found;
}

bool store_resource_by_name(struct store *s, int64_t folder_pk, struct str name, struct arena *arena,
                            struct store_resource *ret)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT " COLUMNS "WHERE r.folder = ?1 AND r.name = ?2 AND i.uid IS NOT NULL", NULL);
    if (q) {
        db_bind_int(q, 1, folder_pk);
        db_bind_text(q, 2, name);
    }
    return one(s, q, arena, ret);
}

bool store_resource_by_uid(struct store *s, int64_t folder_pk, struct str ical_uid, struct arena *arena,
                           struct store_resource *ret)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT " COLUMNS "WHERE r.folder = ?1 AND r.ical_uid = ?2 AND i.uid IS NOT NULL ORDER BY r.pk LIMIT 1",
        NULL);
    if (q) {
        db_bind_int(q, 1, folder_pk);
        db_bind_text(q, 2, ical_uid);
    }
    return one(s, q, arena, ret);
}

bool store_resource_by_pk(struct store *s, int64_t pk, struct arena *arena, struct store_resource *ret)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT " COLUMNS "WHERE r.pk = ?1", NULL);
    if (q)
        db_bind_int(q, 1, pk);
    return one(s, q, arena, ret);
}

bool store_resource_of(struct store *s, int64_t folder_pk, struct str server_id, struct str ical_uid,
                       struct arena *arena, struct store_resource *ret)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT " COLUMNS "WHERE r.folder = ?1 AND i.server_id = ?2 ORDER BY i.generation LIMIT 1", NULL);
    if (q) {
        db_bind_int(q, 1, folder_pk);
        db_bind_blob(q, 2, server_id);
    }
    return one(s, q, arena, ret) || (ical_uid.n && store_resource_by_uid(s, folder_pk, ical_uid, arena, ret));
}

bool store_resources(struct store *s, int64_t folder_pk, uint64_t modseq, int64_t from, int64_t to,
                     store_resource_cb *cb, void *ud, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "SELECT " COLUMNS "WHERE r.folder = ?1 AND i.folder = ?1 AND i.modseq > ?2 AND"
                                        " i.uid IS NOT NULL AND r.from_s < ?4 AND r.to_s > ?3 ORDER BY r.pk",
                                        err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, (int64_t)modseq);
    db_bind_int(q, 3, from);
    db_bind_int(q, 4, to);
    int rc;
    while ((rc = db_step(&s->db, q, err)) > 0) {
        struct store_resource r;
        read_row(q, NULL, &r);
        if (!cb(ud, &r)) {
            rc = 0;
            break;
        }
    }
    db_reset(q);
    return rc == 0;
}

bool store_resources_gone(struct store *s, int64_t folder_pk, uint64_t modseq, struct arena *arena,
                          struct str **ret_names, size_t *ret_count, bool *ret_complete, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT log_from, modseq FROM folder WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    *ret_complete =
        db_step(&s->db, q, err) == 1 && (uint64_t)db_int(q, 0) <= modseq && (uint64_t)db_int(q, 1) >= modseq;
    db_reset(q);
    *ret_count = 0;
    *ret_names = NULL;
    if (!*ret_complete)
        return true;
    q = db_prepare(&s->db,
                   "SELECT DISTINCT g.name FROM resource_gone AS g WHERE g.folder = ?1 AND g.modseq > ?2 AND NOT EXISTS"
                   " (SELECT 1 FROM resource AS r JOIN item AS i ON i.pk = r.pk WHERE r.folder = ?1 AND r.name = g.name"
                   " AND i.uid IS NOT NULL) ORDER BY g.name",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, (int64_t)modseq);
    return store_names(s, q, arena, ret_names, ret_count, err);
}

/* --- names ------------------------------------------------------------------------------------ */

/* The UID where it can stand in a URL as it is, as most clients would name it themselves; else a hash of it. */
static void name_from_uid(struct buf *out, struct str uid)
{
    bool plain = uid.n > 0 && uid.n <= 128 && uid.p[0] != '.';
    for (size_t i = 0; plain && i < uid.n; i++)
        plain = isalnum((unsigned char)uid.p[i]) || strchr("-_.@", uid.p[i]);
    if (plain) {
        buf_str(out, uid);
    } else {
        struct crypto_hash h = crypto_sha256(uid);
        text_hex_add(out, str_of(h.b, STORE_DIGEST_SIZE));
    }
    buf_lit(out, ".ics");
}

static bool name_taken(struct store *s, int64_t folder_pk, struct str name)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT 1 FROM resource WHERE folder = ?1 AND name = ?2", NULL);
    if (!q)
        return true;
    db_bind_int(q, 1, folder_pk);
    db_bind_text(q, 2, name);
    bool taken = db_step(&s->db, q, NULL) == 1;
    db_reset(q);
    return taken;
}

static void choose_name(struct store *s, int64_t folder_pk, int64_t item_pk, struct str wished, struct str uid,
                        struct buf *out)
{
    buf_reset(out);
    if (wished.n)
        buf_str(out, wished);
    else
        name_from_uid(out, uid);
    if (!name_taken(s, folder_pk, buf_view(out)))
        return;
    buf_reset(out); /* several items may have one UID: orphaned occurrences (MS-ASCAL 2.2.2.46) */
    buf_printf(out, "%lld-", (long long)item_pk);
    name_from_uid(out, uid);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void bind_event(struct sqlite3_stmt *q, int64_t item_pk, const struct store_event *e)
{
    db_bind_int(q, 1, item_pk);
    db_bind_blob(q, 2, e->digest);
    db_bind_blob(q, 3, e->served);
    db_bind_int(q, 4, e->kind);
    db_bind_int(q, 5, e->from);
    db_bind_int(q, 6, e->to);
    db_bind_int(q, 7, (int64_t)e->size);
    db_bind_blob(q, 8, e->extra.p ? e->extra : STR(""));
    db_bind_blob(q, 9, e->schedule.p ? e->schedule : STR(""));
}

bool store_event_insert(struct store *s, int64_t folder_pk, int64_t item_pk, bool hidden,
                        const struct store_event *event, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT INTO resource (pk, digest, served, kind, from_s, to_s, size, extra, schedule, folder, name,"
                   " ical_uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                   err);
    if (!q)
        return false;
    struct buf name = {0};
    if (hidden)
        buf_printf(&name, "%c%lld", HIDDEN, (long long)item_pk);
    else
        choose_name(s, folder_pk, item_pk, event->name, event->ical_uid, &name);
    bind_event(q, item_pk, event);
    db_bind_int(q, 10, folder_pk);
    db_bind_text(q, 11, buf_view(&name));
    db_bind_text(q, 12, event->ical_uid);
    bool ok = db_run(&s->db, q, err);
    buf_done(&name);
    return ok;
}

bool store_event_update(struct store *s, int64_t folder_pk, int64_t item_pk, uint64_t modseq,
                        const struct store_event *event, bool *ret_changed, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "UPDATE item SET modseq = ?2 WHERE pk = ?1 AND EXISTS (SELECT 1 FROM resource AS r WHERE r.pk = ?1"
                   " AND r.served <> ?3)",
                   err);
    (void)folder_pk;
    if (!q)
        return false;
    db_bind_int(q, 1, item_pk);
    db_bind_int(q, 2, (int64_t)modseq);
    db_bind_blob(q, 3, event->served);
    if (!db_run(&s->db, q, err))
        return false;
    *ret_changed = db_changes(&s->db) > 0;
    q = db_prepare(&s->db,
                   "UPDATE resource SET digest = ?2, served = ?3, kind = ?4, from_s = ?5, to_s = ?6, size = ?7,"
                   " schedule = ?9, extra = CASE WHEN ?10 THEN ?8 ELSE extra END WHERE pk = ?1",
                   err);
    if (!q)
        return false;
    bind_event(q, item_pk, event);
    db_bind_int(q, 10, event->extra.p != NULL);
    return db_run(&s->db, q, err);
}

/* --- after a resync --------------------------------------------------------------------------- */

bool store_match_events(struct store *s, int64_t folder_pk, uint64_t modseq, struct err *err)
{
    return store_run2(
               s,
               "UPDATE item SET modseq = ?2 FROM temp.pairs AS p JOIN resource AS o ON o.pk = p.old JOIN resource AS n"
               " ON n.pk = p.new WHERE item.pk = p.old AND item.folder = ?1 AND o.served <> n.served",
               folder_pk, (int64_t)modseq, err) &&
           store_run1(
               s,
               "UPDATE resource SET digest = n.digest, served = n.served, kind = n.kind, from_s = n.from_s, to_s ="
               " n.to_s, size = n.size, schedule = n.schedule FROM temp.pairs AS p JOIN resource AS n ON n.pk = p.new "
               "WHERE resource.pk ="
               " p.old AND resource.folder = ?1",
               folder_pk, err);
}

bool store_reveal_events(struct store *s, int64_t folder_pk, struct err *err)
{
    struct buf name = {0};
    bool ok = true;
    while (ok) {
        struct sqlite3_stmt *q = db_prepare(
            &s->db,
            "SELECT pk, ical_uid FROM resource WHERE folder = ?1 AND name >= char(1) AND name < char(2) LIMIT 1", err);
        if (!q) {
            ok = false;
            break;
        }
        db_bind_int(q, 1, folder_pk);
        int rc = db_step(&s->db, q, err);
        int64_t pk = rc == 1 ? db_int(q, 0) : 0;
        if (rc == 1)
            choose_name(s, folder_pk, pk, STR_NULL, db_bytes(q, 1), &name);
        db_reset(q);
        if (rc != 1) {
            ok = rc == 0;
            break;
        }
        q = db_prepare(&s->db, "UPDATE resource SET name = ?2 WHERE pk = ?1", err);
        if (q) {
            db_bind_int(q, 1, pk);
            db_bind_text(q, 2, buf_view(&name));
        }
        ok = q && db_run(&s->db, q, err);
    }
    buf_done(&name);
    return ok;
}

/* --- put
 * ------------------------------------------------------------------------------------------------------------------------
 */

static bool insert_item(struct store *s, int64_t folder_pk, struct folder_state *st, struct str server_id,
                        struct str change, struct str identity_uid, int64_t *ret_pk, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "INSERT INTO item (folder, generation, server_id, change, uid, modseq, flags, known, categories,"
        " received, saved, size, size_state, estimate, identity) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, '', 0,"
        " ?7, 0, 0, 0, ?8)",
        err);
    if (!q)
        return false;
    char hash[IDENTITY_SIZE];
    struct item_info who = {.message_id = identity_uid};
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, st->generation);
    db_bind_blob(q, 3, server_id);
    db_bind_blob(q, 4, change);
    db_bind_int(q, 5, st->uidnext++);
    db_bind_int(q, 6, (int64_t)st->modseq);
    db_bind_int(q, 7, time_wall_s());
    db_bind_blob(q, 8, store_identity(&who, hash));
    if (!db_run(&s->db, q, err))
        return false;
    *ret_pk = db_last_rowid(&s->db);
    return true;
}

static bool set_change(struct store *s, int64_t pk, struct str change, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "UPDATE item SET change = ?2 WHERE pk = ?1 AND ?2 <> x''", err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_blob(q, 2, change);
    return db_run(&s->db, q, err);
}

/* The item's row in the generation that counts; 0: none. */
static int64_t item_pk_of(struct store *s, int64_t folder_pk, int64_t generation, struct str server_id, bool *ret_shown)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT pk, uid FROM item WHERE folder = ?1 AND generation = ?2 AND server_id = ?3", NULL);
    if (!q)
        return 0;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, generation);
    db_bind_blob(q, 3, server_id);
    int64_t pk = db_step(&s->db, q, NULL) == 1 ? db_int(q, 0) : 0;
    *ret_shown = pk && db_int(q, 1) != 0;
    db_reset(q);
    return pk;
}

static bool rename_resource(struct store *s, int64_t folder_pk, int64_t pk, uint64_t modseq, struct str name,
                            struct err *err)
{
    if (name_taken(s, folder_pk, name))
        return err_set(err, ERR_EXISTS, "the resource's name is taken");
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT OR IGNORE INTO resource_gone (folder, modseq, name) SELECT folder, ?2, name FROM resource"
                   " WHERE pk = ?1",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_int(q, 2, (int64_t)modseq);
    if (!db_run(&s->db, q, err) ||
        !store_run2(s, "UPDATE item SET modseq = ?2 WHERE pk = ?1", pk, (int64_t)modseq, err) ||
        !(q = db_prepare(&s->db, "UPDATE resource SET name = ?2 WHERE pk = ?1", err)))
        return false;
    db_bind_int(q, 1, pk);
    db_bind_text(q, 2, name);
    return db_run(&s->db, q, err);
}

static bool set_uid(struct store *s, int64_t pk, struct str uid, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "UPDATE resource SET ical_uid = ?2 WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_text(q, 2, uid);
    return db_run(&s->db, q, err);
}

/* A sync may have been faster and have made the row of a new item: it gets the client's name then. */
static bool put_row(struct store *s, int64_t folder_pk, struct folder_state *st, struct str server_id,
                    struct str change, struct str identity_uid, const struct store_event *event, int64_t *ret_pk,
                    bool *ret_seen, struct err *err)
{
    bool shown = false, changed = false, ok;
    *ret_seen = true;
    int64_t pk = item_pk_of(s, folder_pk, st->generation, server_id, &shown);
    *ret_pk = pk;
    if (!pk)
        return insert_item(s, folder_pk, st, server_id, change, identity_uid, ret_pk, err) &&
               store_event_insert(s, folder_pk, *ret_pk, false, event, err) &&
               (!event->told_again || store_made_add(s, folder_pk, *ret_pk, err));
    struct arena arena = {0};
    struct store_resource now;
    bool named = event->name.n == 0 || (store_resource_by_pk(s, pk, &arena, &now) && str_eq(now.name, event->name));
    arena_done(&arena);
    ok = (named || rename_resource(s, folder_pk, pk, st->modseq, event->name, err)) &&
         set_uid(s, pk, event->ical_uid, err) && set_change(s, pk, change, err) &&
         store_event_update(s, folder_pk, pk, st->modseq, event, &changed, err);
    *ret_seen = !named || changed;
    return ok;
}

bool store_resource_rename(struct store *s, int64_t folder_pk, int64_t item_pk, struct str name, uint64_t *ret_modseq,
                           struct err *err)
{
    struct folder_state st;
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_folder_state(s, folder_pk, &st, err);
    if (ok) {
        st.modseq++;
        *ret_modseq = st.modseq;
        ok = rename_resource(s, folder_pk, item_pk, st.modseq, name, err) &&
             store_folder_state_put(s, folder_pk, &st, err);
    }
    return store_end(s, ok, err);
}

bool store_event_put(struct store *s, int64_t folder_pk, struct str server_id, struct str change,
                     struct str identity_uid, const struct store_event *event, struct store_resource *ret,
                     struct err *err)
{
    struct folder_state st;
    int64_t pk = 0;
    bool seen = false;
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_folder_state(s, folder_pk, &st, err);
    if (ok) {
        st.modseq++;
        ok = put_row(s, folder_pk, &st, server_id, change, identity_uid, event, &pk, &seen, err) &&
             store_unread_done(s, folder_pk, server_id, err);
        if (!seen) /* nothing a client could see: the tags stand still */
            st.modseq--;
        ok = ok && store_folder_state_put(s, folder_pk, &st, err);
    }
    if (!store_end(s, ok, err))
        return false;
    return store_resource_by_pk(s, pk, NULL, ret) || err_set(err, ERR_INTERNAL, "the resource is not there");
}

bool store_event_is_version(struct store *s, int64_t folder_pk, struct str server_id, struct str change)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "SELECT 1 FROM folder AS f JOIN item AS i ON i.folder = f.pk AND i.generation = f.generation + f.resync"
        " JOIN resource AS r ON r.pk = i.pk WHERE f.pk = ?1 AND i.server_id = ?2 AND i.change = ?3 AND r.digest <> x''",
        NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, server_id);
    db_bind_blob(q, 3, change);
    bool found = db_step(&s->db, q, NULL) == 1;
    db_reset(q);
    return found;
}

bool store_event_renamed(struct store *s, int64_t item_pk, struct str server_id, struct str change, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "UPDATE item SET server_id = ?2, change = CASE WHEN ?3 = x'' THEN change ELSE ?3 END WHERE pk = ?1",
        err);
    if (!q)
        return false;
    db_bind_int(q, 1, item_pk);
    db_bind_blob(q, 2, server_id);
    db_bind_blob(q, 3, change);
    return db_run(&s->db, q, err) && store_run1(s, "UPDATE resource SET digest = x'' WHERE pk = ?1", item_pk, err);
}

/* --- collections ------------------------------------------------------------------------------ */

bool store_collection_segment(struct store *s, int64_t folder_pk, struct arena *arena, struct str *ret_segment)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT segment FROM collection WHERE folder = ?1", NULL);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        *ret_segment = arena_str(arena, db_bytes(q, 0));
    db_reset(q);
    return found;
}

bool store_collection_set(struct store *s, int64_t folder_pk, struct str segment, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "INSERT OR REPLACE INTO collection (folder, segment) VALUES (?1, ?2)", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_text(q, 2, segment);
    return db_run(&s->db, q, err);
}

bool store_properties(struct store *s, int64_t folder_pk, store_property_cb *cb, void *ud, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT name, value FROM property WHERE folder = ?1 ORDER BY name", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    int rc;
    while ((rc = db_step(&s->db, q, err)) > 0)
        cb(ud, db_bytes(q, 0), db_bytes(q, 1));
    db_reset(q);
    return rc == 0;
}

bool store_property_put(struct store *s, int64_t folder_pk, struct str name, struct str value, struct err *err)
{
    struct sqlite3_stmt *q =
        value.p ? db_prepare(&s->db, "INSERT OR REPLACE INTO property (folder, name, value) VALUES (?1, ?2, ?3)", err)
                : db_prepare(&s->db, "DELETE FROM property WHERE folder = ?1 AND name = ?2", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_text(q, 2, name);
    if (value.p)
        db_bind_text(q, 3, value);
    return db_run(&s->db, q, err);
}

bool store_begin(struct store *s, struct err *err)
{
    return db_begin(&s->db, err);
}

bool store_end(struct store *s, bool ok, struct err *err)
{
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

/* --- the user's addresses --------------------------------------------------------------------- */

#define OWN "own"

void store_own_addresses(struct store *s, struct buf *out)
{
    store_meta_get(s, OWN, out);
}

bool store_set_own_addresses(struct store *s, struct str lines, struct err *err)
{
    return store_meta_put(s, OWN, lines, err);
}
