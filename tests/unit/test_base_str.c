/* SPDX-License-Identifier: Apache-2.0 */
/* str.h, buf.h, arena.h, list.h, err.h, rand.h, log.h */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/list.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "tests/unit/test_loop.h"

#define NONE ((size_t)-1)

static void compare(void **state)
{
    (void)state;
    assert_true(str_eq(STR("abc"), STR("abc")) && str_eq(STR_NULL, STR("")));
    assert_false(str_eq(STR("abc"), STR("abd")) || str_eq(STR("abc"), STR("ab")));
    assert_true(str_case_eq(STR("aBc[Z"), STR("AbC[z")));
    assert_false(str_case_eq(STR("a@"), STR("a`"))); /* only letters fold */
    assert_false(str_case_eq(STR("\xc4"), STR("\xe4")));
    assert_true(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("ab"), STR("a")) > 0 && str_cmp(STR_NULL, STR("")) == 0);
    assert_true(str_cmp(STR("\x80"), STR("a")) > 0);
    assert_true(str_case_cmp(STR("ABC"), STR("abd")) < 0 && str_case_cmp(STR("B"), STR("a")) > 0);
    assert_true(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), STR_NULL));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_case_starts(STR("ABC"), STR("aB")) && str_ends(STR("abc"), STR("bc")));
    assert_false(str_ends(STR("c"), STR("bc")));
}

static size_t naive(struct str hay, struct str needle, bool fold)
{
    for (size_t i = 0; i + needle.n <= hay.n; i++) {
        size_t j = 0;
        while (j < needle.n && (hay.p[i + j] == needle.p[j] ||
                                (fold && tolower((unsigned char)hay.p[i + j]) == tolower((unsigned char)needle.p[j]))))
            j++;
        if (j == needle.n)
            return i;
    }
    return NONE;
}

/* Against the obvious way, on texts with many near misses, both below and above the length where the search changes. */
static void search(void **state)
{
    (void)state;
    static const char letters[] = "abAB@`[{\xe4z";
    for (int round = 0; round < 20000; round++) {
        char hay[600], needle[300];
        size_t hn = rand_below(round % 2 ? 600 : 60), nn = rand_below(round % 5 ? 6 : 300);
        size_t kinds = 1 + rand_below(sizeof(letters) - 1);
        for (size_t i = 0; i < hn; i++)
            hay[i] = letters[rand_below(kinds)];
        for (size_t i = 0; i < nn; i++)
            needle[i] = letters[rand_below(kinds)];
        struct str h = str_of(hay, hn), n = str_of(needle, nn);
        if (round % 3 == 0 && hn > nn) { /* one that is there */
            size_t at = rand_below(hn - nn);
            memcpy(needle, hay + at, nn);
        }
        if (str_find(h, n) != naive(h, n, false) || str_case_find(h, n) != naive(h, n, true))
            fail_msg("'%.*s' in '%.*s'", STR_ARG(n), STR_ARG(h));
    }
    assert_int_equal(str_find_byte(STR("abc"), 'c'), 2);
    assert_int_equal(str_find_byte(STR_NULL, 'c'), NONE);
    assert_int_equal(str_case_find(STR("x"), STR_NULL), 0);
}

static void distances(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } table[] = {{"", "", 0},    {"status", "status", 0}, {"stauts", "status", 2},
                 {"", "abc", 3}, {"run", "rn", 1},        {"cat", "bats", 2}};
    char length[STR_DISTANCE_MAX + 1] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(str_distance(str_from(table[i].a), str_from(table[i].b)), table[i].distance);
        assert_int_equal(str_distance(str_from(table[i].b), str_from(table[i].a)), table[i].distance);
    }
    assert_int_equal(str_distance(str_of(length, STR_DISTANCE_MAX - 1), STR("x")), STR_DISTANCE_MAX - 1);
    assert_int_equal(str_distance(str_of(length, STR_DISTANCE_MAX), STR("x")), STR_DISTANCE_MAX);
}

static void pieces(void **state)
{
    (void)state;
    struct str s = STR("a,,b"), p;
    assert_true(str_cut(&s, ',', &p) && str_is(p, "a"));
    assert_true(str_cut(&s, ',', &p) && str_is(p, "") && p.p);
    assert_true(str_cut(&s, ',', &p) && str_is(p, "b"));
    assert_false(str_cut(&s, ',', &p));
    s = STR("a,");
    assert_true(str_cut(&s, ',', &p) && str_cut(&s, ',', &p) && p.n == 0);
    assert_false(str_cut(&s, ',', &p));
    assert_true(str_is(str_trim(STR(" \t\r\n a b \n")), "a b") && str_trim(STR("  ")).n == 0);
    assert_true(str_is(str_sub(STR("abc"), 1, 1), "b") && str_is(str_sub(STR("abc"), 1, 99), "bc"));
    assert_int_equal(str_sub(STR("abc"), 99, 1).n, 0);
    assert_int_equal(str_sub(STR("abc"), 1, NONE).n, 2);
    assert_int_equal(str_skip(STR("abc"), 99).n, 0);
    char *z = str_dup(STR("a\0b"));
    assert_memory_equal(z, "a\0b", 4);
    mem_free(z);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok64, ok32;
        uint64_t value;
    } table[] = {
        {"0", true, true, 0},
        {"007", true, true, 7},
        {"4294967295", true, true, UINT32_MAX},
        {"4294967296", true, false, 4294967296},
        {"18446744073709551615", true, false, UINT64_MAX},
        {"18446744073709551616", false, false, 0},
        {"99999999999999999999", false, false, 0},
        {"", false, false, 0},
        {"-1", false, false, 0},
        {"+1", false, false, 0},
        {" 1", false, false, 0},
        {"1 ", false, false, 0},
        {"1a", false, false, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t v = 42;
        uint32_t w = 42;
        assert_int_equal(str_to_u64(str_from(table[i].text), &v), table[i].ok64);
        assert_int_equal(str_to_u32(str_from(table[i].text), &w), table[i].ok32);
        assert_int_equal(v, table[i].ok64 ? table[i].value : 42);
        assert_int_equal(w, table[i].ok32 ? (uint32_t)table[i].value : 42);
        struct buf b = BUF_INIT(0);
        char expected[32];
        buf_u64(&b, v);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)v);
        assert_string_equal(buf_z(&b), expected);
        buf_done(&b);
    }
    struct buf b = BUF_INIT(0);
    for (uint64_t v = 1; v; v = v * 10 > v ? v * 10 : 0) {
        char expected[64];
        buf_reset(&b);
        buf_u64(&b, v - 1);
        buf_u64(&b, v);
        snprintf(expected, sizeof(expected), "%llu%llu", (unsigned long long)v - 1, (unsigned long long)v);
        assert_string_equal(buf_z(&b), expected);
    }
    buf_done(&b);
}

static void buffers(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1000);
    assert_string_equal(buf_z(&b), "");
    assert_true(buf_lit(&b, "ab") && buf_byte(&b, 'c') && buf_fill(&b, 'd', 3) && buf_printf(&b, "-%d", 42));
    assert_string_equal(buf_z(&b), "abcddd-42");
    buf_consume(&b, 3);
    assert_string_equal(buf_z(&b), "ddd-42");
    buf_consume(&b, 99);
    assert_int_equal(b.n, 0);
    assert_true(buf_fill(&b, 'x', 1000));
    assert_int_equal(strlen(buf_z(&b)), 1000);
    assert_false(buf_byte(&b, 'y'));
    assert_true(b.failed);
    assert_false(buf_add(&b, "", 0)); /* sticky */
    assert_int_equal(b.n, 1000);
    assert_string_equal(buf_z(&b), "");
    buf_reset(&b);
    assert_false(b.failed);
    char *room = buf_room(&b, 1000);
    assert_non_null(room);
    assert_null(buf_room(&b, 1001));
    buf_done(&b);
    assert_int_equal(b.limit, 1000);
    for (size_t n = 240; n < 270; n++) { /* around the size of the inner buffer of printf */
        char text[300];
        memset(text, 'p', n);
        text[n] = '\0';
        buf_reset(&b);
        assert_true(buf_printf(&b, "%s!", text));
        assert_int_equal(b.n, n + 1);
        assert_int_equal(b.p[n], '!');
    }
    assert_false(buf_printf(&b, "%2000d", 1));
    buf_done(&b);
    assert_false(buf_add(&b, "x", SIZE_MAX));
    buf_wipe(&b);
    assert_true(buf_lit(&b, "again"));
    buf_wipe(&b);
}

static void arenas(void **state)
{
    (void)state;
    struct arena a = {0};
    for (int round = 0; round < 2; round++) {
        char *seen[3000];
        for (size_t i = 0; i < 3000; i++) {
            size_t n = rand_below(100) == 0 ? 1 + rand_below(100000) : 1 + rand_below(300);
            seen[i] = arena_alloc(&a, n);
            assert_int_equal((uintptr_t)seen[i] % _Alignof(max_align_t), 0);
            for (size_t j = 0; j < n; j += 97)
                assert_int_equal(seen[i][j], 0);
            memset(seen[i], (int)i, n);
            struct str s = arena_str(&a, str_of(seen[i], n > 5 ? 5 : n)); /* unaligned ones between */
            assert_int_equal(s.p[s.n], '\0');
        }
        for (size_t i = 0; i < 3000; i++)
            assert_int_equal(seen[i][0], (char)i);
        arena_done(&a);
        assert_int_equal(a.total, 0);
    }
    struct str s = arena_printf(&a, "%s-%d", "x", 5);
    assert_true(str_is(s, "x-5"));
    s = arena_printf(&a, "%3000d", 5);
    assert_int_equal(s.n, 3000);
    assert_int_equal(s.p[2999], '5');
    assert_string_equal(arena_strdup(&a, STR_NULL), "");
    int *list = arena_array(&a, 10, sizeof(int));
    assert_int_equal(list[9], 0);
    arena_done(&a);
}

struct thing {
    int n;
    struct list link;
};

static void lists(void **state)
{
    (void)state;
    struct list head;
    struct thing t[5];
    list_init(&head);
    for (int i = 0; i < 5; i++) {
        t[i].n = i;
        list_init(&t[i].link);
        list_remove(&t[i].link); /* harmless */
        if (i % 2)
            list_prepend(&head, &t[i].link);
        else
            list_append(&head, &t[i].link);
    }
    char order[8] = "";
    LIST_EACH (&head, link) {
        struct thing *x = LIST_ITEM(link, struct thing, link);
        char digit = (char)('0' + x->n);
        strncat(order, &digit, 1);
        list_remove(link);
    }
    assert_string_equal(order, "31024");
    assert_true(list_empty(&head));
}

static void errors(void **state)
{
    (void)state;
    struct err e = {.code = ERR_NONE};
    assert_false(err_set(&e, ERR_PROTOCOL, "a\r\nb\x7f %d", 5));
    assert_string_equal(e.text, "a??b? 5");
    assert_int_equal(e.code, ERR_PROTOCOL);
    err_set(&e, ERR_AUTH, "again: %s", e.text); /* may use itself */
    assert_string_equal(e.text, "again: a??b? 5");
    err_prefix(&e, "state.db: ");
    assert_string_equal(e.text, "state.db: again: a??b? 5");
    assert_int_equal(e.code, ERR_AUTH);
    err_set_errno(&e, ERR_OFFLINE, ENOSPC, "write");
    assert_int_equal(e.code, ERR_DISK);
    err_set_errno(&e, ERR_OFFLINE, ECONNREFUSED, "connect");
    assert_int_equal(e.code, ERR_OFFLINE);
    assert_string_equal(e.text, "connect: Connection refused");
    char path[3000];
    memset(path, '\x80', sizeof(path));
    strcpy(path + sizeof(path) - sizeof("/state"), "/state");
    err_set_errno(&e, ERR_OFFLINE, ENAMETOOLONG, path); /* of a long path its end, in whole characters */
    assert_string_equal(e.text, ".../state: File name too long");
    assert_false(err_set(NULL, ERR_AUTH, "nobody wants to know"));
    err_prefix(NULL, "x");
    for (size_t pad = 250; pad < 258; pad++) { /* cut in the middle of a character: the half is dropped */
        char text[300];
        memset(text, 'x', pad);
        strcpy(text + pad, "\xe2\x82\xac\xe2\x82\xac");
        err_set(&e, ERR_AUTH, "%s", text);
        size_t n = strlen(e.text);
        assert_in_range(n, 250, 255);
        assert_true(n <= pad || (n - pad) % 3 == 0);
    }
    for (enum err_code c = ERR_NONE; c < ERR_MAX; c++)
        assert_true(strlen(err_name(c)) > 2);
    assert_string_equal(err_name(ERR_MAX), "unknown");
    assert_true(err_is_transient(ERR_OFFLINE) && !err_is_transient(ERR_AUTH));
}

static void random_bytes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++)
        seen[rand_below(7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 700, 1300);
    assert_int_equal(rand_below(1), 0);
    rand_add_hex(&b, 100);
    assert_int_equal(b.n, 200);
    buf_reset(&b);
    rand_add_guid(&b);
    assert_int_equal(b.n, 36);
    assert_int_equal(b.p[14], '4');
    assert_non_null(strchr("89ab", b.p[19]));
    assert_true(b.p[8] == '-' && b.p[13] == '-' && b.p[18] == '-' && b.p[23] == '-');
    buf_done(&b);
}

static void logging(void **state)
{
    (void)state;
    char path[] = "/tmp/exbridge-test-log-XXXXXX", text[5000] = "";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    enum log_level level;
    assert_true(log_level_from_name("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_from_name("Debug", &level));
    log_info("imap", "work", "hello %d\r\nforged line \x1b[31m", 5);
    log_debug("imap", NULL, "not shown");
    log_warn("run", "", "%5000d", 1);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("imap", NULL, "shown");
    log_set_level(LOG_LEVEL_INFO);
    dup2(saved, STDERR_FILENO);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    close(fd);
    close(saved);
    unlink(path);
    assert_non_null(strstr(text, "Z info  imap[work]: hello 5??forged line ?[31m\n"));
    assert_null(strstr(text, "not shown"));
    assert_non_null(strstr(text, "Z warn  run:   "));
    assert_non_null(strstr(text, "debug imap: shown\n"));
    assert_true(strlen(text) < 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare),      cmocka_unit_test(search),    cmocka_unit_test(pieces),
        cmocka_unit_test(numbers),      cmocka_unit_test(distances), cmocka_unit_test(buffers),
        cmocka_unit_test(arenas),       cmocka_unit_test(lists),     cmocka_unit_test(errors),
        cmocka_unit_test(random_bytes), cmocka_unit_test(logging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
