/* SPDX-License-Identifier: Apache-2.0 */
/* The store over a disk or a memory that fails at every moment there is, one after the other: what it says is true,
 * what it says no to has changed nothing, and what is sound is not taken for damaged. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "bridge/store_private.h"
#include "bridge/store_write.h"
#include "tests/unit/faulty_sqlite.h"
#include "tests/unit/temp_dir.h"

static const struct {
    enum faulty what;
    bool on;
} ways[] = {{FAULTY_DISK, false}, {FAULTY_DISK, true},    {FAULTY_FULL, false},
            {FAULTY_FULL, true},  {FAULTY_MEMORY, false}, {FAULTY_MEMORY, true}};

#define EACH_WAY(w) for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)

static struct item_info item(const char *id, int64_t received)
{
    return (struct item_info){
        .id = str_from(id), .received_ms = received, .flags_known = ITEM_SEEN, .size_estimate = 1000};
}

static bool put_page(struct store *s, const struct item_info *items, size_t n, const char *cursor, struct err *err)
{
    struct store_applied done;
    struct store_page page = {items, n, str_from(cursor), false, NULL};
    return store_apply_page(s, 1, &page, false, &done, err);
}

static struct store *open_or_fail(const char *dir)
{
    struct err err = {0};
    bool rebuilt = false;
    struct store *s = store_open(dir, &rebuilt, &err);
    if (!s)
        fail_msg("%s", err.text);
    assert_false(rebuilt);
    return s;
}

static struct store *new_store(const char *dir)
{
    struct err err = {0};
    struct store *s = open_or_fail(dir);
    struct folder_info inbox = {.id = STR("f1"), .name = STR("Inbox"), .use = USE_INBOX};
    struct item_info items[] = {item("a", 100), item("b", 200), item("c", 300)};
    if (!store_apply_folders(s, &inbox, 1, true, STR("h1"), &err) || !put_page(s, items, 3, "k1", &err))
        fail_msg("%s", err.text);
    return s;
}

static void on_row(void *ud, const struct store_row *row)
{
    buf_printf(ud, "%u:%lld ", row->uid, (long long)row->received_ms);
}

/* The folder's messages, and the sync state they belong to. */
static void look(struct store *s, struct buf *out)
{
    struct err err = {0};
    buf_reset(out);
    if (!store_rows(s, 1, 0, on_row, out, &err))
        fail_msg("%s", err.text);
    assert_true(store_cursor(s, 1, out));
}

static bool has_damaged(const char *dir)
{
    DIR *d = opendir(dir);
    bool found = false;
    for (struct dirent *e; (e = readdir(d));)
        found |= strstr(e->d_name, "damaged") != NULL;
    closedir(d);
    return found;
}

static void copy(const char *from_dir, const char *to_dir, const char *name)
{
    char path[300], block[65536];
    snprintf(path, sizeof(path), "%s/%s", from_dir, name);
    int from = open(path, O_RDONLY);
    snprintf(path, sizeof(path), "%s/%s", to_dir, name);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(from >= 0 && to >= 0);
    for (ssize_t n; (n = read(from, block, sizeof(block))) > 0;)
        assert_int_equal(write(to, block, (size_t)n), n);
    close(from);
    close(to);
}

static long size_of(const char *dir)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof(path), "%s/state.db", dir);
    assert_int_equal(stat(path, &st), 0);
    return (long)st.st_size;
}

/* Much has been deleted: the file is more than 4 MiB, of little use. */
static void fill_and_empty(struct store *s)
{
    enum { MANY = 30000 };
    struct item_info *all = calloc(MANY, sizeof(*all));
    char(*ids)[8] = calloc(MANY, sizeof(*ids));
    struct err err = {0};
    struct folder_info folder = {.id = STR("f2"), .name = STR("Many")};
    struct store_applied done;
    for (int i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof(ids[i]), "i%d", i);
        all[i] = item(ids[i], 100 + i);
        all[i].message_id = str_from(ids[i]);
    }
    struct store_page page = {all, MANY, STR("k"), false, NULL};
    if (!store_apply_folders(s, &folder, 1, false, STR("h1"), &err) ||
        !store_apply_page(s, 2, &page, false, &done, &err))
        fail_msg("%s", err.text);
    folder.gone = true;
    if (!store_apply_folders(s, &folder, 1, false, STR("h1"), &err))
        fail_msg("%s", err.text);
    free(ids);
    free(all);
}

/* Opened at once after a kill -9, when much is still in the journal. */
static void opening_after_a_kill(bool emptied)
{
    char *killed = temp_dir_in_memory(), *dir = temp_dir_in_memory();
    struct store *s = new_store(killed);
    struct buf seen = {0};
    if (emptied)
        fill_and_empty(s);
    EACH_WAY(w)
    {
        bool failed = true;
        for (unsigned n = 1; failed; n += emptied ? 1999 : 1) {
            struct err err = {0};
            bool rebuilt = false;
            copy(killed, dir, "state.db");
            copy(killed, dir, "state.db-wal");
            faulty_sqlite_arm(ways[w].what, n, ways[w].on);
            struct store *opened = store_open(dir, &rebuilt, &err);
            failed = faulty_sqlite_disarm();
            if (rebuilt || has_damaged(dir))
                fail_msg("way %zu, call %u: moved aside: %s", w, n, err.text);
            assert_true(opened || failed);
            if (!opened)
                opened = open_or_fail(dir);
            look(opened, &seen);
            assert_string_equal(buf_z(&seen), "1:100 2:200 3:300 k1");
            store_close(&opened);
        }
    }
    if (emptied)
        assert_in_range(size_of(dir), 1, 2 << 20);
    buf_done(&seen);
    store_close(&s);
    temp_dir_done(&killed);
    temp_dir_done(&dir);
}

static void opening(void **state)
{
    (void)state;
    opening_after_a_kill(false);
}

/* ... and while it is made small again. */
static void opening_what_was_emptied(void **state)
{
    (void)state;
    opening_after_a_kill(true);
}

/* A message comes, another goes: both and the sync state, or nothing. */
static void pages(void **state)
{
    (void)state;
    struct buf before = {0}, after = {0}, again = {0};
    EACH_WAY(w)
    {
        if (ways[w].what == FAULTY_MEMORY && ways[w].on)
            continue; /* the program ends by itself, perhaps with the commit done */
        char *dir = temp_dir_in_memory();
        struct store *s = new_store(dir);
        bool failed = true;
        for (unsigned n = 1; failed; n++) {
            struct err err = {0};
            char id[16], last[16], cursor[16];
            snprintf(id, sizeof(id), "n%u", n);
            snprintf(last, sizeof(last), n == 1 ? "b" : "n%u", n - 1);
            snprintf(cursor, sizeof(cursor), "k%u", n + 1);
            struct item_info items[] = {item(id, 1000 + n), {.id = str_from(last), .gone = true}};
            look(s, &before);
            faulty_sqlite_arm(ways[w].what, n, ways[w].on);
            bool ok = put_page(s, items, 2, cursor, &err);
            failed = faulty_sqlite_disarm();
            assert_true(ok || failed);
            look(s, &after);
            bool is_new = strstr(buf_z(&after), cursor) != NULL;
            if (is_new != ok || (!ok && strcmp(buf_z(&before), buf_z(&after)) != 0))
                fail_msg("way %zu, call %u: %s, but %s -> %s", w, n, ok ? "yes" : err.text, buf_z(&before),
                         buf_z(&after));
            if (!ok && !put_page(s, items, 2, cursor, &err)) /* the store goes on */
                fail_msg("way %zu, call %u: %s", w, n, err.text);
            look(s, &after);
            store_close(&s);
            s = open_or_fail(dir);
            look(s, &again);
            assert_string_equal(buf_z(&again), buf_z(&after));
        }
        store_close(&s);
        temp_dir_done(&dir);
    }
    buf_done(&before);
    buf_done(&after);
    buf_done(&again);
}

static void look_folders(struct store *s, struct buf *out)
{
    struct arena arena = {0};
    struct err err = {0};
    struct store_folder *list;
    size_t count;
    buf_reset(out);
    if (!store_folders(s, &arena, &list, &count, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%.*s=%.*s ", STR_ARG(list[i].server_id), STR_ARG(list[i].label));
    assert_true(store_hierarchy_cursor(s, out));
    arena_done(&arena);
}

/* A folder comes, one is renamed, one goes: all and the list's cursor, or nothing. */
static void folder_lists(void **state)
{
    (void)state;
    struct buf before = {0}, after = {0};
    EACH_WAY(w)
    {
        char *dir = temp_dir_in_memory();
        struct store *s = new_store(dir);
        bool failed = true;
        for (unsigned n = 1; failed; n++) {
            struct err err = {0};
            struct folder_info first[] = {{.id = STR("old"), .name = STR("Old")},
                                          {.id = STR("x"), .name = STR("Before")}};
            if (!store_apply_folders(s, first, 2, false, STR("h1"), &err))
                fail_msg("%s", err.text);
            struct folder_info next[] = {{.id = STR("old"), .gone = true},
                                         {.id = STR("x"), .name = STR("After")},
                                         {.id = STR("new"), .name = STR("New")}};
            look_folders(s, &before);
            faulty_sqlite_arm(ways[w].what, n, ways[w].on);
            bool ok = store_apply_folders(s, next, 3, false, STR("h2"), &err);
            failed = faulty_sqlite_disarm();
            look_folders(s, &after);
            if (strcmp(buf_z(&after), ok ? "f1=INBOX x=After new=New h2" : buf_z(&before)) != 0)
                fail_msg("way %zu, call %u: %s, but %s -> %s", w, n, ok ? "yes" : err.text, buf_z(&before),
                         buf_z(&after));
            struct folder_info gone = {.id = STR("new"), .gone = true};
            if (!store_apply_folders(s, &gone, 1, false, STR("h0"), &err))
                fail_msg("%s", err.text);
        }
        store_close(&s);
        temp_dir_done(&dir);
    }
    buf_done(&before);
    buf_done(&after);
}

/* --- what was begun -------------------------------------------------------------------------------- */

static struct str message_id; /* its hash */

static bool anybody(void *ud, int64_t pk, int64_t batch)
{
    (void)ud;
    return pk && batch;
}

static bool find_journal(struct store *s, bool *ret_there, struct err *err)
{
    struct journal_key key = {STR("content"), STR("identity"), STR("id")};
    struct journal_row row;
    bool ok = store_journal_find(s, &key, &row, err);
    *ret_there = row.pk != 0;
    return ok;
}

static bool find_sent(struct store *s, bool *ret_there, struct err *err)
{
    return store_journal_was_sent(s, STR("id"), ret_there, err);
}

static bool find_append(struct store *s, bool *ret_there, struct err *err)
{
    struct append_key key = {STR("content"), STR("identity")};
    struct append_row row = {0};
    struct arena arena = {0};
    bool ok = store_append_find(s, 1, &key, anybody, NULL, &arena, &row, err);
    arena_done(&arena);
    *ret_there = row.pk != 0;
    return ok;
}

static bool find_appended(struct store *s, bool *ret_there, struct err *err)
{
    struct sent_found found = {0};
    struct arena arena = {0};
    bool ok = store_append_seen(s, 1, &arena, &found, err);
    arena_done(&arena);
    *ret_there = found.pk != 0;
    return ok;
}

static bool find_copy(struct store *s, bool *ret_there, struct err *err)
{
    struct sent_found found = {0};
    struct arena arena = {0};
    bool ok = store_sent_find(s, 1, message_id, 0, 0, &arena, &found, err);
    arena_done(&arena);
    *ret_there = found.pk != 0;
    return ok;
}

static void begin_all(struct store *s)
{
    struct err err = {0};
    struct journal_key key = {STR("content"), STR("identity"), STR("id")};
    struct append_new append = {.key = {STR("content"), STR("identity")}, .message_id_hash = message_id};
    struct item_info stored = item("d", 400);
    int64_t pk, batch;
    stored.message_id = STR("<d@x>");
    if (!store_journal_add(s, &key, STR("evidence"), &pk, &err) || !store_journal_set(s, pk, JOURNAL_UNKNOWN, &err) ||
        !store_append_add(s, 1, &append, 1, &batch, &err) || !put_page(s, &stored, 1, "k2", &err))
        fail_msg("%s", err.text);
    assert_int_equal(append.pk, 1);
}

/* It is found, or nobody knows: it is never taken for something new, which would be done a second time. */
static void what_was_begun(void **state)
{
    static bool (*const finds[])(struct store * s, bool *ret_there,
                                 struct err *err) = {find_journal, find_sent, find_append, find_appended, find_copy};
    (void)state;
    char *dir = temp_dir_in_memory(), hash[IDENTITY_SIZE];
    struct store *s = new_store(dir);
    message_id = store_message_id(STR("d@x"), hash);
    begin_all(s);
    for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
        EACH_WAY(w)
        {
            bool failed = true;
            for (unsigned n = 1; failed; n++) {
                struct err err = {0};
                bool there = false;
                store_close(&s);
                s = open_or_fail(dir); /* nothing is read yet */
                faulty_sqlite_arm(ways[w].what, n, ways[w].on);
                bool ok = finds[i](s, &there, &err);
                failed = faulty_sqlite_disarm();
                if (ok ? !there : !failed || err.code == ERR_NONE)
                    fail_msg("%zu, way %zu, call %u: %s", i, w, n, ok ? "begun anew" : err.text);
            }
        }
    }
    store_close(&s);
    temp_dir_done(&dir);
}

int main(void)
{
    faulty_sqlite_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),      cmocka_unit_test(opening_what_was_emptied), cmocka_unit_test(pages),
        cmocka_unit_test(folder_lists), cmocka_unit_test(what_was_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
