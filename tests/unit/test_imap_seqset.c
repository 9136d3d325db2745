/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "protocols/imap/imap_seqset.h"

struct row {
    const char *input;
    uint32_t max;
    const char *resolved; /* NULL: syntax error */
};
static const struct row rows[] = {
    {"1", 10, "1"},
    {"1:3", 10, "1:3"},
    {"3:1", 10, "1:3"},
    {"*", 10, "10"},
    {"*", 0, ""},
    {"1:*", 0, ""},
    {"1,1:*", 0, "1"},
    {"1:*", 10, "1:10"},
    {"*:5", 10, "5:10"},
    {"12:*", 10, "10:12"},
    {"1,2,3,5,7:9,8:12", 20, "1:3,5,7:12"},
    {"9,7,5:6,1", 10, "1,5:7,9"},
    {"4294967295", 10, "4294967295"},
    {"1:4294967295,4294967295", 10, "1:4294967295"},
    {"4294967294,4294967295", 1, "4294967294:4294967295"},
    {"007", 10, "7"},
    {"$", 10, ""},
    {"", 1, NULL},
    {"0", 1, NULL},
    {"0:1", 1, NULL},
    {"1:0", 1, NULL},
    {"4294967296", 1, NULL},
    {"99999999999999999999", 1, NULL},
    {"1,", 1, NULL},
    {",1", 1, NULL},
    {"1,,2", 1, NULL},
    {"1:", 1, NULL},
    {":1", 1, NULL},
    {"1:2:3", 1, NULL},
    {"-1", 1, NULL},
    {"+1", 1, NULL},
    {"1 ", 1, NULL},
    {"**", 1, NULL},
    {"$,1", 1, NULL},
    {"$$", 1, NULL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct imap_seqset set, resolved;
        bool ok = imap_seqset_parse(&a, str_from(rows[i].input), &set);
        if (ok != (rows[i].resolved != NULL))
            print_error("input: %s\n", rows[i].input);
        assert_int_equal(ok, rows[i].resolved != NULL);
        if (ok) {
            struct buf out = BUF_INIT(0);
            imap_seqset_resolve(&a, &set, rows[i].max, &resolved);
            imap_seqset_add(&out, &resolved);
            assert_string_equal(buf_z(&out), rows[i].resolved);
            buf_done(&out);
        }
        arena_done(&a);
    }
}

static struct imap_seqset make(struct arena *a, const char *text)
{
    struct imap_seqset set, resolved;
    assert_true(imap_seqset_parse(a, str_from(text), &set));
    imap_seqset_resolve(a, &set, 1000, &resolved);
    return resolved;
}

static void test_questions(void **state)
{
    (void)state;
    struct arena a = {0};
    struct imap_seqset set = make(&a, "2:4,9,20:30");
    static const uint32_t in[] = {2, 3, 4, 9, 20, 25, 30}, out[] = {0, 1, 5, 8, 10, 19, 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        assert_true(imap_seqset_has(&set, in[i]));
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        assert_false(imap_seqset_has(&set, out[i]));
    assert_int_equal(imap_seqset_count(&set), 15);
    assert_int_equal(imap_seqset_last(&set), 30);
    struct imap_seqset all = make(&a, "1:4294967295");
    assert_true(imap_seqset_count(&all) == 4294967295u);
    struct imap_seqset none = {0};
    assert_false(imap_seqset_has(&none, 1));
    assert_int_equal(imap_seqset_last(&none), 0);
    arena_done(&a);
}

static void test_iteration(void **state)
{
    (void)state;
    struct arena a = {0};
    struct imap_seqset set = make(&a, "2:4,9,20:30,4294967295");
    struct imap_seqset_iter it;
    uint32_t n = 0, seen[20];
    size_t count = 0;
    imap_seqset_iter_init(&it, &set);
    while (imap_seqset_iter_next(&it, &n))
        seen[count++] = n;
    assert_int_equal(count, 16);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[3], 9);
    assert_true(seen[15] == UINT32_MAX);
    assert_false(imap_seqset_iter_next(&it, &n));

    imap_seqset_iter_init(&it, &set);
    imap_seqset_iter_seek(&it, 3);
    assert_true(imap_seqset_iter_next(&it, &n) && n == 3);
    imap_seqset_iter_seek(&it, 1); /* never back */
    assert_true(imap_seqset_iter_next(&it, &n) && n == 4);
    imap_seqset_iter_seek(&it, 10);
    assert_true(imap_seqset_iter_next(&it, &n) && n == 20);
    imap_seqset_iter_seek(&it, 31);
    assert_true(imap_seqset_iter_next(&it, &n) && n == UINT32_MAX);
    assert_false(imap_seqset_iter_next(&it, &n));
    arena_done(&a);
}

static void test_sorted(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1, 2, 3, 7, 9, 10, 4294967294u, 4294967295u};
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct imap_seqset set;
    imap_seqset_add_sorted(&out, numbers, 8);
    assert_string_equal(buf_z(&out), "1:3,7,9:10,4294967294:4294967295");
    imap_seqset_from_sorted(&a, numbers, 8, &set);
    buf_reset(&out);
    imap_seqset_add(&out, &set);
    assert_string_equal(buf_z(&out), "1:3,7,9:10,4294967294:4294967295");
    buf_reset(&out);
    static const uint32_t doubled[] = {5, 5, 6, 6, 8};
    imap_seqset_add_sorted(&out, doubled, 5);
    assert_string_equal(buf_z(&out), "5:6,8");
    buf_reset(&out);
    imap_seqset_add_sorted(&out, NULL, 0);
    assert_string_equal(buf_z(&out), "");
    imap_seqset_from_sorted(&a, NULL, 0, &set);
    assert_int_equal(set.n, 0);
    buf_done(&out);
    arena_done(&a);
}

static void test_limit(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf in = BUF_INIT(0);
    struct imap_seqset set;
    for (int i = 0; i < IMAP_SEQSET_MAX; i++)
        buf_lit(&in, i ? ",1" : "1");
    assert_true(imap_seqset_parse(&a, buf_view(&in), &set));
    buf_lit(&in, ",1");
    assert_false(imap_seqset_parse(&a, buf_view(&in), &set));
    buf_done(&in);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_questions), cmocka_unit_test(test_iteration),
        cmocka_unit_test(test_sorted), cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
