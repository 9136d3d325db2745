/* SPDX-License-Identifier: Apache-2.0 */
/* blob.h and crypto.h. */
#include "bridge/io/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/io/crypto.h"
#include "tests/unit/test_loop.h"

static char byte_at(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static struct blob *make(size_t size, size_t step)
{
    struct blob *b = blob_new("/tmp", size);
    char *piece = mem_alloc(step);
    struct err err;
    for (size_t at = 0; at < size;) {
        size_t n = size - at < step ? size - at : step;
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(at + i);
        if (!blob_add(b, str_of(piece, n), &err))
            fail_msg("%s", err.text);
        at += n;
    }
    assert_false(blob_read(b, 0, piece, 0, &err)); /* not finished */
    assert_true(blob_finish(b, &err));
    assert_true(blob_finish(b, &err));
    mem_free(piece);
    return b;
}

struct sum {
    size_t n;
    size_t stop_at;
};

static bool check_piece(void *ud, struct str piece)
{
    struct sum *s = ud;
    assert_in_range(piece.n, 1, 65536);
    for (size_t i = 0; i < piece.n; i++)
        if (piece.p[i] != byte_at(s->n + i))
            fail_msg("byte %zu", s->n + i);
    s->n += piece.n;
    return s->n < s->stop_at;
}

static void sizes(void **state)
{
    (void)state;
    static const size_t table[] = {
        0, 1, 1000, BLOB_MEMORY_LIMIT - 1, BLOB_MEMORY_LIMIT, BLOB_MEMORY_LIMIT + 1, 200000, 999999, 5000000};
    static const size_t steps[] = {997, 65536, 131072, 400000};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t j = 0; j < 4; j++) {
            struct blob *b = make(table[i], steps[j]);
            struct sum s = {.stop_at = SIZE_MAX};
            struct err err;
            struct str view;
            char c;
            assert_int_equal(blob_size(b), table[i]);
            assert_true(blob_each(b, check_piece, &s, &err));
            assert_int_equal(s.n, table[i]);
            assert_int_equal(blob_view(b, &view), table[i] <= BLOB_MEMORY_LIMIT);
            if (table[i]) {
                assert_true(blob_read(b, table[i] - 1, &c, 1, &err));
                assert_int_equal(c, byte_at(table[i] - 1));
            }
            assert_false(blob_read(b, table[i], &c, 1, &err));
            assert_int_equal(err.code, ERR_INTERNAL);
            assert_false(blob_read(b, UINT64_MAX, &c, 1, &err));
            blob_unref(&b);
            assert_null(b);
        }
    }
}

static void limits_and_refs(void **state)
{
    (void)state;
    struct err err;
    struct blob *b = blob_new("/tmp", 10);
    assert_true(blob_add(b, STR("12345"), &err));
    assert_false(blob_add(b, STR("123456"), &err));
    assert_int_equal(err.code, ERR_TOO_BIG);
    assert_true(blob_add(b, STR("67890"), &err));
    assert_true(blob_finish(b, &err));
    struct blob *same = blob_ref(b);
    blob_unref(&b);
    struct str view;
    assert_true(blob_view(same, &view));
    assert_true(str_is(view, "1234567890"));
    blob_unref(&same);
    blob_unref(&same);
    char *much = mem_alloc(200000), dir[64];
    snprintf(dir, sizeof(dir), "/tmp/exbridge-test-blob-dir-%d", (int)getpid());
    b = blob_new(dir, 1 << 20); /* a cache that was deleted */
    assert_true(blob_add(b, str_of(much, 200000), &err));
    blob_unref(&b);
    assert_int_equal(rmdir(dir), 0);
    b = blob_new("/proc/nonexistent/x", 1 << 20);
    assert_false(blob_add(b, str_of(much, 200000), &err));
    assert_int_equal(err.code, ERR_DISK);
    assert_false(blob_add(b, STR("x"), &err));
    assert_false(blob_finish(b, &err));
    blob_unref(&b);
    mem_free(much);
    b = blob_from_str(STR_NULL);
    assert_true(blob_view(b, &view));
    assert_int_equal(view.n, 0);
    blob_unref(&b);
}

static void files(void **state)
{
    (void)state;
    char path[64], tmp[80];
    struct err err;
    struct stat st;
    snprintf(path, sizeof(path), "/tmp/exbridge-test-blob-%d", (int)getpid());
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    for (size_t size = 1000; size <= 1000000; size *= 1000) {
        struct blob *b = make(size, 5000);
        assert_true(blob_save(b, path, &err));
        blob_unref(&b);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, size);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(access(tmp, F_OK), -1);
        b = blob_from_fd(open(path, O_RDONLY | O_CLOEXEC), 10, size - 20);
        char piece[16];
        assert_true(blob_read(b, 5, piece, 16, &err));
        for (size_t i = 0; i < 16; i++)
            assert_int_equal(piece[i], byte_at(15 + i));
        assert_false(blob_read(b, size - 20, piece, 1, &err));
        assert_int_equal(truncate(path, 100), 0); /* somebody meddles with the cache */
        assert_false(blob_read(b, size - 40, piece, 16, &err));
        assert_int_equal(err.code, ERR_DISK);
        blob_unref(&b);
    }
    struct blob *b = make(10, 10);
    assert_false(blob_save(b, "/nonexistent/x", &err));
    assert_int_equal(err.code, ERR_DISK);
    blob_unref(&b);
    unlink(path);
}

/* --- crypto ----------------------------------------------------------------------------------- */

static void expect_hex(struct str s, const char *hex)
{
    struct buf b = BUF_INIT(0);
    text_hex_add(&b, s);
    assert_string_equal(buf_z(&b), hex);
    buf_done(&b);
}

static void hashes(void **state)
{
    (void)state;
    struct crypto_hash h = crypto_sha256(STR("abc")); /* FIPS 180-4 */
    expect_hex(str_of(h.b, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = crypto_sha256(STR_NULL);
    expect_hex(str_of(h.b, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct crypto_sha256 *inc = crypto_sha256_new();
    crypto_sha256_add(inc, STR("a"));
    crypto_sha256_add(inc, STR_NULL);
    crypto_sha256_add(inc, STR("bc"));
    crypto_sha256_done(&inc, &h);
    assert_null(inc);
    expect_hex(str_of(h.b, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = crypto_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?")); /* RFC 4231 4.3 */
    expect_hex(str_of(h.b, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_true(crypto_equal(STR("abc"), STR("abc")));
    assert_true(crypto_equal(STR_NULL, STR("")));
    assert_false(crypto_equal(STR("abc"), STR("abd")));
    assert_false(crypto_equal(STR("abc"), STR("abcd")));
}

static void sealing(void **state)
{
    (void)state;
    unsigned char key[CRYPTO_KEY_SIZE] = {1, 2, 3}, other[CRYPTO_KEY_SIZE] = {1, 2, 4};
    struct buf sealed = BUF_INIT(0), again = BUF_INIT(0), out = BUF_INIT(0);
    for (size_t size = 0; size < 70000; size = size * 3 + 1) {
        struct buf plain = BUF_INIT(0);
        buf_fill(&plain, 'x', size);
        buf_reset(&sealed);
        buf_reset(&again);
        buf_reset(&out);
        crypto_seal(&sealed, key, STR("blob 1"), buf_view(&plain));
        crypto_seal(&again, key, STR("blob 1"), buf_view(&plain));
        assert_int_equal(sealed.n, size + CRYPTO_SEAL_EXTRA);
        assert_false(str_eq(buf_view(&sealed), buf_view(&again)));
        assert_true(crypto_open(&out, key, STR("blob 1"), buf_view(&sealed)));
        assert_true(str_eq(buf_view(&out), buf_view(&plain)));
        size_t had = out.n;
        assert_false(crypto_open(&out, other, STR("blob 1"), buf_view(&sealed)));
        assert_false(crypto_open(&out, key, STR("blob 2"), buf_view(&sealed)));
        for (size_t i = 0; i < sealed.n; i += sealed.n / 7 + 1) {
            sealed.p[i] ^= 1;
            assert_false(crypto_open(&out, key, STR("blob 1"), buf_view(&sealed)));
            sealed.p[i] ^= 1;
        }
        for (size_t n = 0; n < sealed.n && n < 40; n++)
            assert_false(crypto_open(&out, key, STR("blob 1"), str_sub(buf_view(&sealed), 0, n)));
        assert_int_equal(out.n, had);
        buf_done(&plain);
    }
    buf_done(&sealed);
    buf_done(&again);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),  cmocka_unit_test(limits_and_refs), cmocka_unit_test(files),
        cmocka_unit_test(hashes), cmocka_unit_test(sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
