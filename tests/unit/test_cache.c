/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cache.h"
#include "bridge/cache_file.h"
#include "tests/unit/faulty_sqlite.h"
#include "tests/unit/temp_dir.h"

#define BIG ((size_t)(BLOB_MEMORY_LIMIT * 3))

static const unsigned char key[32] = "0123456789abcdef0123456789abcdef";

struct fixture {
    char *top, dir[256];
    struct loop *loop;
    struct cache *cache;
    const unsigned char *key;
    uint64_t limit;
};

static void reopen(struct fixture *f, const char *epoch)
{
    struct err err = {0};
    cache_close(&f->cache);
    f->cache = cache_open(f->loop, f->dir, epoch, f->key, f->limit, &err);
    if (!f->cache)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.top = temp_dir_in_memory(), .loop = loop_new()};
    snprintf(f.dir, sizeof(f.dir), "%s/cache", f.top);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    snprintf(f.dir, sizeof(f.dir), "%s/cache/work", f.top);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    reopen(&f, "epoch001");
    *state = &f;
    return 0;
}

static int setup_sealed(void **state)
{
    setup(state);
    struct fixture *f = *state;
    f->key = key;
    reopen(f, "epoch002");
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cache_close(&f->cache);
    loop_free(f->loop);
    temp_dir_done(&f->top);
    return 0;
}

/* The end of a turn of the loop, in which the cache commits. */
static void turn(struct fixture *f)
{
    loop_turn(f->loop);
}

static struct blob *message(size_t size, char fill)
{
    char *bytes = mem_alloc(size);
    memset(bytes, fill, size);
    struct blob *b = blob_from_str(str_of(bytes, size));
    mem_free(bytes);
    return b;
}

static bool put(struct fixture *f, int64_t pk, size_t size, char fill)
{
    struct err err = {0};
    struct blob *b = message(size, fill);
    bool ok = cache_put_message(f->cache, pk, b, STR("Subject: x\r\n\r\n"), STR("structure"), &err);
    blob_unref(&b);
    return ok;
}

static void expect(struct fixture *f, int64_t pk, size_t size, char fill)
{
    struct blob *b = cache_message(f->cache, pk);
    char first = 0, last = 0;
    assert_non_null(b);
    assert_int_equal(blob_size(b), size);
    assert_true(blob_read(b, 0, &first, 1, NULL) && blob_read(b, size - 1, &last, 1, NULL));
    assert_true(first == fill && last == fill);
    blob_unref(&b);
}

static void kept(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct str header, packed, rendering;
    assert_true(put(f, 1, 1000, 'a') && put(f, 2, BIG, 'b'));
    cache_put_rendering(f->cache, 1, 3, STR("envelope"));
    for (int round = 0; round < 2; round++) {
        expect(f, 1, 1000, 'a');
        expect(f, 2, BIG, 'b');
        assert_int_equal(cache_header(f->cache, 1, &arena, &header), CACHE_HEADER_EXACT);
        assert_true(str_is(header, "Subject: x\r\n\r\n"));
        assert_true(cache_structure(f->cache, 1, &arena, &packed) && str_is(packed, "structure"));
        assert_true(cache_rendering(f->cache, 1, 3, &arena, &rendering) && str_is(rendering, "envelope"));
        reopen(f, f->key ? "epoch002" : "epoch001");
    }
    /* of another state.db: pks mean something else */
    reopen(f, "epoch003");
    assert_null(cache_message(f->cache, 1));
    assert_int_equal(cache_header(f->cache, 1, NULL, NULL), CACHE_NO_HEADER);
    arena_done(&arena);
}

/* Anybody may delete everything, at any time, up to the directory that all accounts' caches lie in. */
static void deleted_while_running(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_true(put(f, 1, 1000, 'a') && put(f, 2, BIG, 'b'));
    turn(f);
    struct blob *streamed = cache_message(f->cache, 2);
    assert_non_null(streamed);
    char above[300];
    snprintf(above, sizeof(above), "%s/cache", f->top);
    cache_file_remove_tree(above);
    assert_null(cache_message(f->cache, 1));
    char byte = 0; /* who has begun to read it goes on */
    assert_true(blob_read(streamed, BIG - 1, &byte, 1, &err) && byte == 'b');
    blob_unref(&streamed);
    /* on its way in */
    struct blob *incoming = blob_new(cache_tmp_dir(f->cache), BIG);
    struct blob *bytes = message(BIG, 'c');
    struct buf room = {0};
    assert_true(blob_read(bytes, 0, buf_room(&room, BIG), BIG, &err));
    if (!blob_add(incoming, str_of(room.p, BIG), &err))
        fail_msg("%s", err.text);
    buf_done(&room);
    blob_unref(&bytes);
    blob_unref(&incoming);
    cache_file_remove_tree(above);
    /* and kept again */
    assert_true(put(f, 3, 1000, 'd'));
    expect(f, 3, 1000, 'd');
    turn(f);
    turn(f);
    assert_true(put(f, 4, 2000, 'e'));
    turn(f);
    reopen(f, f->key ? "epoch002" : "epoch001");
    expect(f, 4, 2000, 'e'); /* over a restart, too */
}

/* In the middle of it, where opening does not look. */
static void spoil(struct fixture *f)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof(path), "%s/cache.db", f->dir);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 4 * 4096);
    char garbage[4096];
    memset(garbage, 'x', sizeof(garbage));
    for (off_t at = 2 * 4096; at < st.st_size; at += (off_t)sizeof(garbage))
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), (ssize_t)sizeof(garbage));
    close(fd);
}

static void damaged(void **state)
{
    struct fixture *f = *state;
    for (int64_t pk = 1; pk <= 500; pk++)
        assert_true(put(f, pk, 1000, 'a'));
    cache_close(&f->cache);
    spoil(f);
    reopen(f, "epoch001");
    assert_null(cache_message(f->cache, 1));
    put(f, 2, 1000, 'b'); /* perhaps refused */
    turn(f);
    turn(f);
    assert_true(put(f, 3, 1000, 'c'));
    turn(f);
    reopen(f, "epoch001");
    expect(f, 3, 1000, 'c');
}

static void a_file_that_is_another(void **state)
{
    struct fixture *f = *state;
    char path[300];
    assert_true(put(f, 1, 1000, 'a') && put(f, 2, 1000, 'a') && put(f, 3, BIG, 'a'));
    snprintf(path, sizeof(path), "%s/messages/01/1", f->dir);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "b", 1, 500), 1); /* rot */
    close(fd);
    snprintf(path, sizeof(path), "%s/messages/02/2", f->dir);
    assert_int_equal(truncate(path, 0), 0); /* a power failure: the name was there before the bytes */
    snprintf(path, sizeof(path), "%s/messages/03/3", f->dir);
    assert_int_equal(truncate(path, (off_t)BIG - 1), 0);
    for (int64_t pk = 1; pk <= 3; pk++) {
        assert_null(cache_message(f->cache, pk));
        assert_false(cache_has_message(f->cache, pk));
        assert_true(put(f, pk, 2000, 'c'));
        expect(f, pk, 2000, 'c');
    }
}

/* The least recently used go; who reads one that goes reads on. */
static void evicted_while_streamed(void **state)
{
    struct fixture *f = *state;
    f->limit = 4 * BIG;
    reopen(f, "epoch001");
    assert_true(put(f, 1, BIG, 'a'));
    struct blob *streamed = cache_message(f->cache, 1);
    for (int64_t pk = 2; pk <= 9; pk++)
        assert_true(put(f, pk, BIG, 'b'));
    assert_true(cache_bytes(f->cache) <= f->limit);
    assert_null(cache_message(f->cache, 1));
    expect(f, 9, BIG, 'b');
    char byte = 0;
    assert_true(blob_read(streamed, BIG - 1, &byte, 1, NULL) && byte == 'a');
    blob_unref(&streamed);
}

static void change_db(struct fixture *f, const char *sql)
{
    char path[300];
    sqlite3 *db;
    cache_close(&f->cache);
    snprintf(path, sizeof(path), "%s/cache.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    reopen(f, "epoch001");
}

static void used_at(struct fixture *f, int64_t pk, int64_t when)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "UPDATE message SET used = %lld WHERE pk = %lld", (long long)when, (long long)pk);
    change_db(f, sql);
}

/* What was used while the clock was years ahead is not what is kept for years. */
static void a_clock_that_was_ahead(void **state)
{
    struct fixture *f = *state;
    f->limit = 4 * BIG;
    reopen(f, "epoch001");
    for (int64_t pk = 1; pk <= 3; pk++) {
        assert_true(put(f, pk, BIG, 'a'));
        used_at(f, pk, time_wall_s() + 10LL * 365 * 86400);
    }
    for (int64_t pk = 4; pk <= 8; pk++) {
        assert_true(put(f, pk, BIG, 'b'));
        used_at(f, pk, time_wall_s() - 10 + pk);
        expect(f, pk, BIG, 'b'); /* what has just come is not what goes first */
    }
    assert_false(cache_has_message(f->cache, 1));
}

/* What cannot be forgotten is no reason to try for ever. */
static void eviction_that_fails(void **state)
{
    struct fixture *f = *state;
    f->limit = 4 * BIG;
    reopen(f, "epoch001");
    change_db(f, "CREATE TRIGGER kept BEFORE DELETE ON message BEGIN SELECT raise(FAIL, 'no'); END");
    for (int64_t pk = 1; pk <= 6; pk++)
        assert_true(put(f, pk, BIG, 'a'));
    expect(f, 6, BIG, 'a');
    change_db(f, "DROP TRIGGER kept");
    assert_true(put(f, 7, BIG, 'b'));
    expect(f, 7, BIG, 'b');
    assert_true(cache_bytes(f->cache) <= f->limit);
}

/* A disk that fails at any moment: what is served is right. */
static void a_disk_that_fails(void **state)
{
    struct fixture *f = *state;
    f->limit = 4 * BIG;
    reopen(f, "epoch001");
    bool failed = true;
    for (int64_t pk = 1; failed; pk++) {
        char fill = (char)('a' + pk % 26);
        faulty_sqlite_arm(pk % 2 ? FAULTY_FULL : FAULTY_DISK, (unsigned)(pk + 1) / 2, true);
        put(f, pk, 1000, fill);
        turn(f);
        struct blob *b = cache_message(f->cache, pk);
        failed = faulty_sqlite_disarm();
        turn(f);
        blob_unref(&b);
        if (cache_has_message(f->cache, pk))
            expect(f, pk, 1000, fill);
        else
            assert_true(put(f, pk, 1000, fill));
        expect(f, pk, 1000, fill);
    }
}

int main(void)
{
    faulty_sqlite_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept, setup, teardown),
        cmocka_unit_test_setup_teardown(kept, setup_sealed, teardown),
        cmocka_unit_test_setup_teardown(deleted_while_running, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_another, setup, teardown),
        cmocka_unit_test_setup_teardown(evicted_while_streamed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_was_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(eviction_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
