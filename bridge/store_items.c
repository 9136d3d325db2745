/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/base/time.h"
#include "bridge/io/crypto.h"
#include "bridge/store_calendar.h"
#include "bridge/store_private.h"

#define EXPUNGED_KEPT 20000 /* vanished UIDs remembered a folder */

uint32_t store_pad_size(uint64_t estimate)
{
    uint64_t padded = estimate + estimate * 2 / 5 + 4096;
    return padded > UINT32_MAX ? UINT32_MAX : (uint32_t)padded;
}

static struct str without_angles(struct str id)
{
    id = str_trim(id);
    return id.n > 1 && id.p[0] == '<' && id.p[id.n - 1] == '>' ? str_sub(id, 1, id.n - 2) : id;
}

struct str store_message_id(struct str message_id, char to[IDENTITY_SIZE])
{
    struct str id = without_angles(message_id);
    if (id.n == 0)
        return STR_NULL;
    struct crypto_hash h = crypto_sha256(id);
    memcpy(to, h.b, IDENTITY_SIZE);
    return str_of(to, IDENTITY_SIZE);
}

struct str store_identity(const struct item_info *item, char to[IDENTITY_SIZE])
{
    if (item->message_id.n == 0 && item->subject.n == 0)
        return STR_NULL;
    struct buf b = {0};
    buf_str(&b, without_angles(item->message_id));
    buf_byte(&b, '\n');
    buf_str(&b, str_trim(item->subject));
    struct crypto_hash h = crypto_sha256(buf_view(&b));
    buf_done(&b);
    memcpy(to, h.b, IDENTITY_SIZE);
    return str_of(to, IDENTITY_SIZE);
}

bool store_folder_state(struct store *s, int64_t folder_pk, struct folder_state *ret, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT generation, modseq, uidnext, synced, shown, resync FROM folder WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    int rc = db_step(&s->db, q, err);
    if (rc == 1)
        *ret = (struct folder_state){
            .generation = db_int(q, 0),
            .modseq = (uint64_t)db_int(q, 1),
            .uidnext = (uint32_t)db_int(q, 2),
            .synced = db_int(q, 3) != 0,
            .shown = db_int(q, 4) != 0,
            .resync = db_int(q, 5) != 0,
        };
    db_reset(q);
    return rc == 1 || (rc == 0 && err_set(err, ERR_NOT_FOUND, "the folder is gone"));
}

bool store_folder_state_put(struct store *s, int64_t folder_pk, const struct folder_state *st, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "UPDATE folder SET generation = ?2, modseq = ?3, uidnext = ?4, synced = ?5,"
                                        " shown = ?6, resync = ?7 WHERE pk = ?1",
                                        err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, st->generation);
    db_bind_int(q, 3, (int64_t)st->modseq);
    db_bind_int(q, 4, st->uidnext);
    db_bind_int(q, 5, st->synced);
    db_bind_int(q, 6, st->shown);
    db_bind_int(q, 7, st->resync);
    return db_run(&s->db, q, err);
}

/* --- one change ------------------------------------------------------------------------------- */

struct known_item {
    int64_t pk;
    bool announced;
    unsigned flags;
    bool same_version; /* the change key is the one we have: an echo of our own change */
    bool same_text;    /* other categories, and to all appearances the same message */
};

static void join_categories(const struct item_info *item, struct buf *out)
{
    for (size_t i = 0; i < item->category_count; i++) {
        struct str c = str_trim(item->categories[i]);
        if (c.n == 0 || c.n > 1024 || str_find_byte(c, '\n') != (size_t)-1)
            continue;
        buf_str(out, c);
        buf_byte(out, '\n');
    }
}

/* A draft may have been edited, or only sorted by somebody: a new UID for each category would make clients fetch it
 * again and again. Other categories explain the change when size, subject and Message-ID are what they were. */
static bool only_categories(const struct item_info *item, int64_t estimate, struct str identity, struct str categories)
{
    char hash[IDENTITY_SIZE];
    struct buf now = {0};
    if (!item->content_changed || !item->categories_known || item->size_estimate == 0 ||
        (int64_t)item->size_estimate != estimate ||
        (item->message_id.n && !str_eq(store_identity(item, hash), identity)))
        return false;
    join_categories(item, &now);
    bool differ = !str_eq(buf_view(&now), categories);
    buf_done(&now);
    return differ;
}

static int find_item(struct store *s, int64_t folder_pk, int64_t generation, const struct item_info *item,
                     struct known_item *ret, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "SELECT pk, uid, flags, change, estimate, identity, categories FROM item"
                                        " WHERE folder = ?1 AND generation = ?2 AND server_id = ?3",
                                        err);
    if (!q)
        return -1;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, generation);
    db_bind_blob(q, 3, item->id);
    int rc = db_step(&s->db, q, err);
    if (rc == 1)
        *ret = (struct known_item){
            .pk = db_int(q, 0),
            .announced = db_int(q, 1) != 0,
            .flags = (unsigned)db_int(q, 2),
            .same_version = item->change.n && str_eq(item->change, db_bytes(q, 3)),
            .same_text = only_categories(item, db_int(q, 4), db_bytes(q, 5), db_bytes(q, 6)),
        };
    db_reset(q);
    return rc;
}

bool store_expunge_item(struct store *s, int64_t folder_pk, int64_t item_pk, uint64_t modseq, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db,
                   "INSERT OR IGNORE INTO expunged (folder, modseq, uid)"
                   " SELECT ?1, ?3, uid FROM item WHERE pk = ?2 AND folder = ?1 AND uid IS NOT NULL",
                   err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, item_pk);
    db_bind_int(q, 3, (int64_t)modseq);
    return db_run(&s->db, q, err) &&
           store_run2(s, "DELETE FROM item WHERE pk = ?2 AND folder = ?1", folder_pk, item_pk, err);
}

static bool insert_item(struct store *s, int64_t folder_pk, int64_t generation, uint64_t modseq,
                        const struct item_info *item, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db,
        "INSERT INTO item (folder, generation, server_id, change, modseq, flags, categories, received, saved, size,"
        " size_state, estimate, identity, known, message_id)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        err);
    if (!q)
        return false;
    char hash[IDENTITY_SIZE], id_hash[IDENTITY_SIZE];
    struct buf categories = {0};
    join_categories(item, &categories);
    int64_t now = time_wall_s();
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, generation);
    db_bind_blob(q, 3, item->id);
    db_bind_blob(q, 4, item->change);
    db_bind_int(q, 5, (int64_t)modseq);
    db_bind_int(q, 6, item->flags & item->flags_known);
    db_bind_text(q, 7, buf_view(&categories));
    db_bind_int(q, 8, item->received_ms == TIME_NONE ? now * 1000 : item->received_ms);
    db_bind_int(q, 9, now);
    db_bind_int(q, 10, item->size_exact ? (int64_t)item->size_estimate : (int64_t)store_pad_size(item->size_estimate));
    db_bind_int(q, 11, item->size_exact ? 2 : 0);
    db_bind_int(q, 12, (int64_t)item->size_estimate);
    db_bind_blob(q, 13, store_identity(item, hash));
    db_bind_int(q, 14, item->flags_known);
    db_bind_blob(q, 15, store_message_id(item->message_id, id_hash));
    bool ok = db_run(&s->db, q, err);
    buf_done(&categories);
    return ok;
}

/* Only what the server told changes; nothing told that differs means no new MODSEQ (servers echo changes of ours). */
static bool update_item(struct store *s, const struct known_item *known, uint64_t modseq, const struct item_info *item,
                        bool *ret_changed, struct err *err)
{
    unsigned flags = (known->flags & ~item->flags_known) | (item->flags & item->flags_known);
    struct buf categories = {0};
    join_categories(item, &categories);
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "UPDATE item SET modseq = ?2, flags = ?3, known = known | ?6,"
                                        " categories = CASE WHEN ?4 THEN ?5 ELSE categories END"
                                        " WHERE pk = ?1 AND (flags <> ?3 OR (?4 AND categories <> ?5))",
                                        err);
    bool ok = q != NULL;
    if (ok) {
        db_bind_int(q, 1, known->pk);
        db_bind_int(q, 2, (int64_t)modseq);
        db_bind_int(q, 3, flags);
        db_bind_int(q, 4, item->categories_known);
        db_bind_text(q, 5, buf_view(&categories));
        db_bind_int(q, 6, item->flags_known);
        ok = db_run(&s->db, q, err);
        *ret_changed = ok && db_changes(&s->db) > 0;
    }
    buf_done(&categories);
    if (!ok || item->change.n == 0)
        return ok;
    q = db_prepare(&s->db, "UPDATE item SET change = ?2 WHERE pk = ?1 AND change <> ?2", err);
    if (!q)
        return false;
    db_bind_int(q, 1, known->pk);
    db_bind_blob(q, 2, item->change);
    return db_run(&s->db, q, err);
}

/* What we stored ourselves has our size: the server's own is known from its echo, and is what its later ones compare
 * to. */
static bool take_estimate(struct store *s, const struct known_item *known, const struct item_info *item,
                          struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "UPDATE item SET estimate = ?2 WHERE pk = ?1 AND estimate <> ?2", err);
    if (!q)
        return false;
    db_bind_int(q, 1, known->pk);
    db_bind_int(q, 2, (int64_t)item->size_estimate);
    return db_run(&s->db, q, err);
}

/* A partial change of an item we never saw must not make half an item. */
static bool is_whole(const struct item_info *item)
{
    return item->received_ms != TIME_NONE || item->header || item->message || item->content_changed;
}

/* An event keeps its row whatever changes in it: its resource says what it is. */
static bool apply_event(struct store *s, int64_t folder_pk, int64_t generation, bool hidden, uint64_t modseq,
                        const struct item_info *item, const struct store_event *event, struct known_item *known,
                        struct store_applied *done, struct err *err)
{
    bool changed = false, seen = false;
    if (known->pk) {
        if (!update_item(s, known, modseq, item, &changed, err) ||
            !store_event_update(s, folder_pk, known->pk, modseq, event, &seen, err))
            return false;
        done->changed += changed || seen;
        done->shown |= (changed || seen) && known->announced;
        return true;
    }
    done->added++;
    return insert_item(s, folder_pk, generation, modseq, item, err) &&
           store_event_insert(s, folder_pk, db_last_rowid(&s->db), hidden, event, err);
}

static bool apply_item(struct store *s, int64_t folder_pk, int64_t generation, uint64_t modseq,
                       const struct item_info *item, const struct store_event *event, bool hidden,
                       struct store_applied *done, struct err *err)
{
    struct known_item known = {0};
    int rc = find_item(s, folder_pk, generation, item, &known, err);
    if (rc < 0)
        return false;
    if (item->gone || item->left_window) {
        done->gone += rc == 1;
        done->shown |= rc == 1 && known.announced;
        return rc == 0 || store_expunge_item(s, folder_pk, known.pk, modseq, err);
    }
    if (event)
        return apply_event(s, folder_pk, generation, hidden, modseq, item, event, &known, done, err);
    if (rc == 1 && (!item->content_changed || known.same_version || known.same_text)) {
        bool changed = false;
        if (!update_item(s, &known, modseq, item, &changed, err) ||
            (known.same_version && item->flags & ITEM_DRAFT && item->size_estimate &&
             !take_estimate(s, &known, item, err)))
            return false;
        done->changed += changed;
        done->shown |= changed && known.announced;
        return true;
    }
    if (rc == 0 && !is_whole(item)) {
        done->strange++;
        return true;
    }
    /* RFC 9051 2.3.1.1: a UID means the same bytes for ever, so new bytes are a new message. */
    if (rc == 1 && !store_expunge_item(s, folder_pk, known.pk, modseq, err))
        return false;
    done->shown |= rc == 1 && known.announced;
    done->added++;
    /* A folder that is collected anew has what it knew itself: store_match(). */
    return insert_item(s, folder_pk, generation, modseq, item, err) &&
           (hidden || store_marks_follow(s, db_last_rowid(&s->db), err));
}

/* --- UIDs ------------------------------------------------------------------------------------- */

bool store_assign_uids(struct store *s, int64_t folder_pk, struct folder_state *st, unsigned *ret_count,
                       struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db,
                                        "UPDATE item SET modseq = ?3, uid = ?4 + n.rank FROM"
                                        " (SELECT pk, row_number() OVER (ORDER BY received, pk) - 1 AS rank FROM item"
                                        "  WHERE folder = ?1 AND generation = ?2 AND uid IS NULL) AS n"
                                        " WHERE item.pk = n.pk",
                                        err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, st->generation);
    db_bind_int(q, 3, (int64_t)st->modseq);
    db_bind_int(q, 4, st->uidnext);
    if (!db_run(&s->db, q, err))
        return false;
    int n = db_changes(&s->db);
    if ((uint64_t)st->uidnext + (uint64_t)n >= UINT32_MAX)
        return err_set(err, ERR_INTERNAL, "the folder has run out of UIDs");
    st->uidnext += (uint32_t)n;
    *ret_count = (unsigned)n;
    return true;
}

/* What has vanished just now stays until the next time: nobody has been told of it. */
static bool trim_log(struct store *s, int64_t folder_pk, uint64_t now, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(
        &s->db, "SELECT min(modseq, ?3 - 1) FROM expunged WHERE folder = ?1 ORDER BY modseq DESC LIMIT 1 OFFSET ?2",
        err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_int(q, 2, EXPUNGED_KEPT);
    db_bind_int(q, 3, (int64_t)now);
    int rc = db_step(&s->db, q, err);
    int64_t modseq = rc == 1 ? db_int(q, 0) : 0;
    db_reset(q);
    if (rc <= 0)
        return rc == 0;
    return store_run2(s, "DELETE FROM expunged WHERE folder = ?1 AND modseq <= ?2", folder_pk, modseq, err) &&
           store_run2(s, "DELETE FROM resource_gone WHERE folder = ?1 AND modseq <= ?2", folder_pk, modseq, err) &&
           store_run2(s, "UPDATE folder SET log_from = ?2 WHERE pk = ?1", folder_pk, modseq, err);
}

static bool put_cursor(struct store *s, int64_t folder_pk, struct str cursor, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "UPDATE folder SET cursor = ?2 WHERE pk = ?1", err);
    if (!q)
        return false;
    db_bind_int(q, 1, folder_pk);
    db_bind_blob(q, 2, cursor);
    return db_run(&s->db, q, err);
}

/* UIDs where they are due, and the end of a first sync or resync. */
static bool settle(struct store *s, int64_t folder_pk, struct folder_state *st, bool last, bool announce,
                   struct store_applied *done, struct err *err)
{
    unsigned announced = 0;
    if (st->resync && !last)
        return true;
    if (st->resync) {
        if (!store_match(s, folder_pk, st, err))
            return false;
        done->shown = true;
    }
    if (last && !store_made_missing(s, folder_pk, st->modseq, &done->shown, err))
        return false;
    if (last)
        st->synced = true;
    if (last || announce || st->shown) {
        st->shown = true;
        if (!store_assign_uids(s, folder_pk, st, &announced, err))
            return false;
        done->shown |= announced > 0;
    }
    return !last || trim_log(s, folder_pk, st->modseq, err);
}

bool store_apply_page(struct store *s, int64_t folder_pk, const struct store_page *page, bool announce,
                      struct store_applied *ret_applied, struct err *err)
{
    struct store_applied done = {0};
    struct folder_state st;
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_folder_state(s, folder_pk, &st, err);
    if (ok)
        st.modseq++;
    int64_t generation = ok && st.resync ? st.generation + 1 : st.generation;
    for (size_t i = 0; ok && i < page->count; i++)
        ok = apply_item(s, folder_pk, generation, st.modseq, &page->items[i], page->events ? &page->events[i] : NULL,
                        st.resync, &done, err);
    ok = ok && store_made_told(s, folder_pk, page, err) && settle(s, folder_pk, &st, !page->more, announce, &done, err);
    if (ok && !done.shown) /* nothing a client could see: HIGHESTMODSEQ stays */
        st.modseq--;
    ok = ok && store_folder_state_put(s, folder_pk, &st, err) && put_cursor(s, folder_pk, page->cursor, err);
    if (!ok) {
        db_rollback(&s->db);
        return false;
    }
    if (!db_commit(&s->db, err))
        return false;
    *ret_applied = done;
    return true;
}

bool store_is_shown(struct store *s, int64_t folder_pk)
{
    struct folder_state st;
    return store_folder_state(s, folder_pk, &st, NULL) && st.shown;
}

bool store_announce(struct store *s, int64_t folder_pk, struct err *err)
{
    struct folder_state st;
    unsigned n;
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_folder_state(s, folder_pk, &st, err);
    if (ok) {
        st.modseq++;
        st.shown = true;
        ok = store_assign_uids(s, folder_pk, &st, &n, err) && store_folder_state_put(s, folder_pk, &st, err);
    }
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

bool store_resync(struct store *s, int64_t folder_pk, struct err *err)
{
    struct folder_state st;
    if (!db_begin(&s->db, err))
        return false;
    bool ok = store_folder_state(s, folder_pk, &st, err) &&
              store_run2(s, "DELETE FROM item WHERE folder = ?1 AND generation > ?2", folder_pk, st.generation, err) &&
              put_cursor(s, folder_pk, STR_NULL, err);
    if (ok) {
        st.resync = true;
        ok = store_folder_state_put(s, folder_pk, &st, err);
    }
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}

/* 1, 0, -1. */
static int has_id(struct store *s, int64_t folder_pk, int64_t item_pk, struct str server_id, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&s->db, "SELECT 1 FROM item WHERE pk = ?1 AND folder = ?2 AND server_id = ?3", err);
    if (!q)
        return -1;
    db_bind_int(q, 1, item_pk);
    db_bind_int(q, 2, folder_pk);
    db_bind_blob(q, 3, server_id);
    int rc = db_step(&s->db, q, err);
    db_reset(q);
    return rc;
}

bool store_item_gone(struct store *s, int64_t folder_pk, int64_t item_pk, struct str server_id, struct err *err)
{
    struct folder_state st;
    if (!db_begin(&s->db, err))
        return false;
    int rc = has_id(s, folder_pk, item_pk, server_id, err);
    bool ok = rc >= 0;
    if (rc == 1) {
        ok = store_folder_state(s, folder_pk, &st, err);
        st.modseq++;
        ok = ok && store_expunge_item(s, folder_pk, item_pk, st.modseq, err) &&
             store_folder_state_put(s, folder_pk, &st, err);
    }
    if (ok)
        return db_commit(&s->db, err);
    db_rollback(&s->db);
    return false;
}
