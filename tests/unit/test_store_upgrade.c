/* SPDX-License-Identifier: Apache-2.0 */
/* A state.db of every version that there has been (state_db.sql), with data, as this program opens it. */
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "bridge/base/time.h"
#include "bridge/store_calendar.h"
#include "bridge/store_write.h"
#include "tests/unit/temp_dir.h"

#define VERSIONS 11 /* a new one: its part at the end of state_db.sql, and a look at its data here */

static struct buf frozen;

static int read_frozen(void **state)
{
    (void)state;
    int fd = open(TEST_SOURCE_DIR "/tests/unit/state_db.sql", O_RDONLY);
    buf_init(&frozen, 1 << 20);
    for (char block[4096]; fd >= 0;) {
        ssize_t n = read(fd, block, sizeof(block));
        if (n <= 0)
            break;
        buf_str(&frozen, str_of(block, (size_t)n));
    }
    close(fd);
    return frozen.n ? 0 : -1;
}

static int drop_frozen(void **state)
{
    (void)state;
    buf_done(&frozen);
    return 0;
}

static sqlite3 *open_db(const char *dir)
{
    char path[256];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/state.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

/* As version `version` left it. */
static void make_old(const char *dir, int version)
{
    struct buf sql = {0};
    char mark[32];
    snprintf(mark, sizeof(mark), "\n-- version %d\n", version + 1);
    const char *all = buf_z(&frozen), *end = strstr(all, mark);
    assert_true(end || version == VERSIONS);
    buf_str(&sql, end ? str_of(all, (size_t)(end - all)) : str_from(all));
    buf_printf(&sql, "\nPRAGMA user_version = %d;", version);
    sqlite3 *db = open_db(dir);
    char *text = NULL;
    if (sqlite3_exec(db, "PRAGMA journal_mode = WAL; BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, buf_z(&sql), NULL, NULL, &text) != SQLITE_OK ||
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("version %d: %s", version, text);
    sqlite3_close(db);
    buf_done(&sql);
}

static struct store *open_store(const char *dir)
{
    struct err err = {0};
    bool rebuilt = true;
    struct store *s = store_open(dir, &rebuilt, &err);
    if (!s)
        fail_msg("%s", err.text);
    assert_false(rebuilt);
    return s;
}

/* --- what version 1 has --------------------------------------------------------------------------- */

static void on_row(void *ud, const struct store_row *row)
{
    buf_printf(ud, "%u:%llu:%u:%u:%.*s ", row->uid, (unsigned long long)row->modseq, row->flags, row->size,
               STR_ARG(row->categories));
}

static void look_mail(struct store *s)
{
    struct err err = {0};
    struct buf out = {0};
    struct arena arena = {0};
    struct store_folder *folders;
    struct store_counts counts;
    size_t n;
    assert_true(store_folders(s, &arena, &folders, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(folders[0].uidvalidity, 4000000001u);
    assert_true(folders[0].synced && folders[0].use == USE_INBOX && folders[1].kind == FOLDER_CALENDAR);
    assert_true(store_rows(s, 1, 0, on_row, &out, &err));
    assert_string_equal(buf_z(&out), "7:12:1:5000:Rot\n 9:20:2:6000: ");
    assert_true(store_counts(s, 1, &counts, &err));
    assert_true(counts.uidnext == 10 && counts.modseq == 20 && counts.recent == 1);
    buf_reset(&out);
    assert_true(store_cursor(s, 1, &out) && store_hierarchy_cursor(s, &out) &&
                store_persist_get(s, STR("device-id"), &out));
    assert_string_equal(buf_z(&out), "k9h7ABCD");
    uint32_t *uids;
    bool complete;
    assert_true(store_expunged(s, 1, 14, &arena, &uids, &n, &complete, &err));
    assert_true(n == 1 && uids[0] == 8 && complete);
    int64_t dropped[2];
    assert_true(store_dropped(s, dropped, 2) == 1 && dropped[0] == 10);
    struct str *names;
    assert_true(store_subscriptions(s, true, &arena, &names, &n, &err) && n == 1 && str_is(names[0], "Projekt"));
    assert_true(store_subscriptions(s, false, &arena, &names, &n, &err) && n == 1 && str_is(names[0], "Alt"));
    buf_done(&out);
    arena_done(&arena);
}

static void look_journal(struct store *s, int version)
{
    struct journal_row row;
    struct err err = {0};
    struct journal_key key = {STR("\xaa\x01"), STR("\xaa\x02"), STR("\xaa\x03")};
    assert_true(store_journal_find(s, &key, &row, &err) && row.pk);
    assert_true(row.state == JOURNAL_UNKNOWN && strcmp(row.evidence, "mail-1") == 0);
    bool sent;
    assert_true(store_journal_was_sent(s, key.message_id, &sent, &err) && sent);
    struct arena arena = {0};
    struct str asked;
    assert_true(store_journal_asked(s, row.pk, &arena, &asked));
    assert_true(version >= 9 ? str_is(asked, "\xa5") : asked.n == 0);
    arena_done(&arena);
}

/* --- what came later ------------------------------------------------------------------------------- */

static void look_calendar(struct store *s, int version)
{
    struct err err = {0};
    struct arena arena = {0};
    struct store_resource r;
    struct str text, *names;
    size_t n;
    int64_t pk;
    bool complete;
    assert_true(store_resource_by_name(s, 2, STR("besuch.ics"), &arena, &r));
    assert_true(r.pk == 13 && str_is(r.ical_uid, "besuch@example") && str_is(r.extra, "\xe1") && r.modseq == 3);
    assert_true(version >= 10 ? str_is(r.schedule, "\xd3") : r.schedule.n == 0);
    assert_true(store_resources_gone(s, 2, 1, &arena, &names, &n, &complete, &err));
    assert_true(n == 1 && str_is(names[0], "weg.ics"));
    assert_true(store_collection_segment(s, 2, &arena, &text) && str_is(text, "kalender"));
    assert_true(store_owed(s, 0, &arena, &pk, &text) && str_is(text, "m1"));
    if (version >= 6) {
        struct store_held *held;
        assert_true(store_held(s, STR("held put"), &arena, &held) == 1 && str_is(held[0].promise, "p1"));
    }
    if (version >= 7) {
        struct moving m;
        assert_true(store_moving_find(s, 2, STR("a.ics"), 2, STR("b.ics"), &arena, &m));
        assert_true(m.state == MOVING_ASKED && m.item_pk == 13);
    }
    assert_int_equal(store_unread(s, 2, STR("e9"), 0), version >= 8);
    arena_done(&arena);
}

static bool any(void *ud, int64_t pk, int64_t batch)
{
    (void)ud;
    (void)pk;
    (void)batch;
    return true;
}

static void look_appends(struct store *s)
{
    struct arena arena = {0};
    struct append_row row;
    struct sent_found found;
    assert_true(store_append_pending(s, any, NULL, &arena, &row));
    assert_true(row.state == APPEND_UNDO && str_is(row.server_id, "a9") && strcmp(row.evidence, "append-1") == 0);
    assert_true(store_sent_find(s, 1, STR("\xbb\x01"), 0, 0, &arena, &found, NULL) && found.uid == 7);
    arena_done(&arena);
}

/* A day's work after the upgrade: nothing that was given before is given again. */
static void work_on(struct store *s, int version)
{
    struct err err = {0};
    struct store_applied done;
    struct buf out = {0};
    struct item_info items[] = {
        {.id = STR("a3"), .received_ms = 50, .message_id = STR("new@example"), .size_estimate = 10},
        {.id = STR("a2"), .received_ms = TIME_NONE, .flags = ITEM_SEEN, .flags_known = ITEM_SEEN},
    };
    struct store_page page = {items, 2, STR("k10"), false, NULL};
    assert_true(store_sync_begins(s, 1, &err));
    if (!store_apply_page(s, 1, &page, false, &done, &err))
        fail_msg("version %d: %s", version, err.text);
    assert_true(store_rows(s, 1, 20, on_row, &out, &err));
    assert_string_equal(buf_z(&out), version >= 11 ? "9:21:3:6000: 10:21:64:4110: " : "9:21:3:6000: 10:21:0:4110: ");
    struct folder_info folder = {.id = STR("f3"), .name = STR("Neu")};
    assert_true(store_apply_folders(s, &folder, 1, false, STR("h8"), &err));
    struct arena arena = {0};
    struct store_folder *folders;
    size_t n;
    assert_true(store_folders(s, &arena, &folders, &n, &err) && n == 3);
    assert_true(folders[2].pk == 3 && folders[2].uidvalidity > 4000000002u);
    arena_done(&arena);
    buf_done(&out);
}

static void every_version(void **state)
{
    (void)state;
    for (int version = 1; version <= VERSIONS; version++) {
        char *dir = temp_dir_new();
        make_old(dir, version);
        struct store *s = open_store(dir);
        for (int round = 0; round < 2; round++) { /* and when it is opened again */
            assert_string_equal(store_epoch(s), "cafe0123");
            look_mail(s);
            look_journal(s, version);
            if (version >= 2)
                look_calendar(s, version);
            if (version >= 3)
                look_appends(s);
            store_close(&s);
            s = open_store(dir);
        }
        work_on(s, version);
        store_close(&s);
        temp_dir_done(&dir);
    }
}

/* --- the schema ------------------------------------------------------------------------------------ */

static int on_object(void *ud, int n, char **values, char **names)
{
    (void)n;
    (void)names;
    /* As SQLite keeps it, without comments and spaces. */
    for (const char *p = values[0]; p && *p; p++) {
        if (p[0] == '-' && p[1] == '-')
            while (p[1] && p[1] != '\n')
                p++;
        else if (*p != ' ' && *p != '\n')
            buf_byte(ud, *p);
    }
    buf_byte(ud, '\n');
    return 0;
}

static void dump_schema(const char *dir, struct buf *out)
{
    sqlite3 *db = open_db(dir);
    buf_reset(out);
    assert_int_equal(sqlite3_exec(db, "SELECT sql FROM sqlite_master ORDER BY type, name; PRAGMA user_version",
                                  on_object, out, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

/* What has once been given out is never edited: an upgraded file is the same as a new one. */
static void upgraded_is_as_new(void **state)
{
    (void)state;
    struct buf fresh = {0}, upgraded = {0};
    char *dir = temp_dir_new();
    struct store *s = open_store(dir);
    store_close(&s);
    dump_schema(dir, &fresh);
    temp_dir_done(&dir);
    for (int version = 1; version <= VERSIONS; version++) {
        dir = temp_dir_new();
        make_old(dir, version);
        s = open_store(dir);
        store_close(&s);
        dump_schema(dir, &upgraded);
        if (!str_eq(buf_view(&fresh), buf_view(&upgraded)))
            fail_msg("from version %d:\n%s\nnew:\n%s", version, buf_z(&upgraded), buf_z(&fresh));
        temp_dir_done(&dir);
    }
    buf_done(&fresh);
    buf_done(&upgraded);
}

static void a_newer_one_is_left_alone(void **state)
{
    (void)state;
    struct err err = {0};
    bool rebuilt = false;
    char *dir = temp_dir_new();
    make_old(dir, VERSIONS);
    sqlite3 *db = open_db(dir);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_null(store_open(dir, &rebuilt, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "newer"));
    db = open_db(dir);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 11", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct store *s = open_store(dir);
    look_mail(s);
    store_close(&s);
    temp_dir_done(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version),
        cmocka_unit_test(upgraded_is_as_new),
        cmocka_unit_test(a_newer_one_is_left_alone),
    };
    return cmocka_run_group_tests(tests, read_frozen, drop_frozen);
}
