/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a lost sync state: the old generation (with UIDs) meets the new one (what the server has now). An old row that
 * is recognised keeps its UID, pk and with it its cached content, and takes over server id, change key and flags; its
 * new row goes. Rules, in order:
 *   1. same server id, same received time, and identities that do not contradict each other (EAS may mint an id anew
 * for another message after SyncKey 0); or same server id and same version (ChangeKey), or identity where we have the
 * message itself: the server may have made another received time of what was appended than we have;
 *   2. same identity (Message-ID, subject), received time and estimate, the only one of that kind on both sides;
 *   3. same identity and received time, the only one on both sides (servers estimate sizes anew);
 *   4. same received time and estimate where neither side has an identity, the only one on both sides.
 * Whatever is left ties or is new: it gets a new UID; an old row without a partner vanishes. All set operations of
 * SQLite over indexes: 100,000 items take about a second.
 */
#include "bridge/store_calendar.h"
#include "bridge/store_private.h"

static const char *const pair_by[] = {
    "INSERT OR IGNORE INTO temp.pairs (old, new) SELECT o.pk, n.pk FROM item AS o JOIN item AS n ON n.folder = ?1 AND"
    " n.generation = ?2 + 1 AND n.server_id = o.server_id WHERE o.folder = ?1 AND o.generation = ?2 AND"
    " ((o.received = n.received AND (o.identity = n.identity OR o.identity = x'' OR n.identity = x''))"
    " OR (o.change = n.change AND o.change <> x'')"
    " OR (o.identity = n.identity AND o.identity <> x'' AND o.size_state = 2))",

    "INSERT OR IGNORE INTO temp.pairs (old, new) SELECT max(o), max(n) FROM"
    " (SELECT CASE WHEN generation = ?2 THEN pk END AS o, CASE WHEN generation > ?2 THEN pk END AS n, identity, "
    "received,"
    "  estimate FROM item WHERE folder = ?1 AND identity <> x'' AND pk NOT IN (SELECT old FROM temp.pairs UNION ALL "
    "SELECT new"
    "  FROM temp.pairs)) GROUP BY identity, received, estimate HAVING count(o) = 1 AND count(n) = 1",

    "INSERT OR IGNORE INTO temp.pairs (old, new) SELECT max(o), max(n) FROM"
    " (SELECT CASE WHEN generation = ?2 THEN pk END AS o, CASE WHEN generation > ?2 THEN pk END AS n, identity, "
    "received"
    "  FROM item WHERE folder = ?1 AND identity <> x'' AND pk NOT IN (SELECT old FROM temp.pairs UNION ALL SELECT new"
    "  FROM temp.pairs)) GROUP BY identity, received HAVING count(o) = 1 AND count(n) = 1",

    "INSERT OR IGNORE INTO temp.pairs (old, new) SELECT max(o), max(n) FROM"
    " (SELECT CASE WHEN generation = ?2 THEN pk END AS o, CASE WHEN generation > ?2 THEN pk END AS n, received, "
    "estimate"
    "  FROM item WHERE folder = ?1 AND identity = x'' AND pk NOT IN (SELECT old FROM temp.pairs UNION ALL SELECT new"
    "  FROM temp.pairs)) GROUP BY received, estimate HAVING count(o) = 1 AND count(n) = 1",
};

/* Take over from the partners. The new rows go first: (folder, generation, server_id) is unique. */
static const char *const take_over[] = {
    "CREATE TEMP TABLE IF NOT EXISTS partner (old INTEGER PRIMARY KEY, server_id BLOB, change BLOB, flags INTEGER, "
    "known INTEGER,"
    " categories TEXT, identity BLOB, estimate INTEGER)",
    "DELETE FROM temp.partner",
    "INSERT INTO temp.partner SELECT p.old, n.server_id, n.change, n.flags, n.known, n.categories, n.identity, "
    "n.estimate"
    " FROM temp.pairs AS p JOIN item AS n ON n.pk = p.new",
    "DELETE FROM item WHERE pk IN (SELECT new FROM temp.pairs)",
};

static bool exec_all(struct store *s, const char *const *sql, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!db_exec(&s->db, sql[i], err))
            return false;
    return true;
}

static bool run3(struct store *s, const char *sql, int64_t a, int64_t b, int64_t c, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, sql, err);
    if (!q)
        return false;
    db_bind_int(q, 1, a);
    db_bind_int(q, 2, b);
    db_bind_int(q, 3, c);
    return db_run(&s->db, q, err);
}

static bool find_pairs(struct store *s, int64_t folder_pk, int64_t generation, struct err *err)
{
    if (!db_exec(&s->db, "CREATE TEMP TABLE IF NOT EXISTS pairs (old INTEGER PRIMARY KEY, new INTEGER UNIQUE)", err) ||
        !db_exec(&s->db, "DELETE FROM temp.pairs", err))
        return false;
    for (size_t i = 0; i < sizeof(pair_by) / sizeof(pair_by[0]); i++)
        if (!store_run2(s, pair_by[i], folder_pk, generation, err))
            return false;
    return true;
}

bool store_match(struct store *s, int64_t folder_pk, struct folder_state *st, struct err *err)
{
    int64_t old = st->generation, modseq = (int64_t)st->modseq;
    if (!find_pairs(s, folder_pk, old, err))
        return false;
    /* What we made after the last page was asked for is not in it; what cannot be read now is, and says nothing. */
    if (!store_run2(s,
                    "UPDATE item SET generation = ?2 + 1 WHERE folder = ?1 AND generation = ?2 AND pk NOT IN"
                    " (SELECT old FROM temp.pairs) AND (pk IN (SELECT pk FROM made WHERE folder = ?1 AND asked = 0)"
                    " OR server_id IN (SELECT server_id FROM unread WHERE folder = ?1))",
                    folder_pk, old, err))
        return false;
    /* Old rows without a partner vanish. */
    if (!run3(s,
              "INSERT OR IGNORE INTO expunged (folder, modseq, uid) SELECT ?1, ?3, uid FROM item WHERE folder = ?1 AND"
              " generation = ?2 AND uid IS NOT NULL AND pk NOT IN (SELECT old FROM temp.pairs)",
              folder_pk, old, modseq, err) ||
        !store_run2(s,
                    "DELETE FROM item WHERE folder = ?1 AND generation = ?2 AND pk NOT IN (SELECT old FROM temp.pairs)",
                    folder_pk, old, err))
        return false;
    if (!store_match_events(s, folder_pk, st->modseq, err))
        return false;
    if (!exec_all(s, take_over, sizeof(take_over) / sizeof(take_over[0]), err))
        return false;
    if (!run3(s,
              "UPDATE item SET modseq = CASE WHEN item.flags & p.known <> p.flags OR item.categories <> p.categories "
              "THEN ?3 ELSE"
              " modseq END, server_id = p.server_id, change = p.change, flags = p.flags | (item.flags & ~p.known), "
              "known ="
              " item.known | p.known, categories = p.categories, estimate ="
              " p.estimate, identity = CASE WHEN p.identity = x'' THEN item.identity ELSE p.identity END, generation = "
              "?2 + 1"
              " FROM temp.partner AS p WHERE item.pk = p.old AND item.folder = ?1",
              folder_pk, old, modseq, err))
        return false;
    st->generation = old + 1;
    st->resync = false;
    if (!store_reveal_events(s, folder_pk, err))
        return false;
    return db_exec(&s->db, "DELETE FROM temp.pairs; DELETE FROM temp.partner", err);
}
