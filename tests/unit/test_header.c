/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/formats/charset.h"
#include "bridge/formats/header.h"

static const char block[] = "Received: a\r\n\tb\r\nSubject:  hello\r\n  world \r\nno colon\r\nX-Empty:\r\nSUBJECT: "
                            "second\nTo : x@y\n\r\nBody: no\r\n";

static void iterate(void **state)
{
    (void)state;
    static const char *const want[][3] = {
        {"Received", "a\r\n\tb", "Received: a\r\n\tb\r\n"},
        {"Subject", "hello\r\n  world ", "Subject:  hello\r\n  world \r\n"},
        {"", "no colon", "no colon\r\n"},
        {"X-Empty", "", "X-Empty:\r\n"},
        {"SUBJECT", "second", "SUBJECT: second\n"},
        {"To", "x@y", "To : x@y\n"},
    };
    struct header_iter it;
    struct header_field f;
    size_t n = 0;
    header_iter_init(&it, STR(block));
    for (; header_next(&it, &f); n++) {
        assert_true(n < sizeof(want) / sizeof(*want));
        assert_true(str_is(f.name, want[n][0]) && str_is(f.value, want[n][1]) && str_is(f.raw, want[n][2]));
    }
    assert_int_equal(n, sizeof(want) / sizeof(*want));
    struct str value;
    assert_true(header_find(STR(block), "subject", &value));
    assert_true(str_is(value, "hello\r\n  world "));
    assert_false(header_find(STR(block), "Body", &value));
    assert_false(header_find(STR(block), "", &value));
    assert_int_equal(header_block_size(STR(block)), sizeof(block) - 1 - 10);
    assert_int_equal(header_block_size(STR("a: b")), 4);
    assert_int_equal(header_block_size(STR("\nx")), 1);
    assert_int_equal(header_block_size(STR("\r\nx")), 2);
    assert_int_equal(header_block_size(STR("")), 0);
}

static void unfold(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *want;
    } cases[] = {
        {STR("plain"), "plain"},
        {STR("a\r\n b\n\tc"), "a b\tc"},
        {STR("a\rb\0c"), "a b\xef\xbf\xbd"
                         "c"},
        {STR(""), ""},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_true(str_is(header_unfold(&a, cases[i].in), cases[i].want));
    struct charset_cache *cs = charset_cache_new();
    struct str text = header_text(&a, cs, STR(" =?utf-8?q?a=0A=C3=A4?=\r\n =?utf-8?b?w7w=?= \xfc\x01 "));
    assert_true(str_is(text, "a \xc3\xa4\xc3\xbc \xc3\xbc"));
    charset_cache_free(cs);
    arena_done(&a);
}

static void expect_fields(const char *const *names, size_t n, bool wanted, const char *want)
{
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct str list[8];
    for (size_t i = 0; i < n; i++)
        list[i] = str_from(names[i]);
    const struct header_names *set = header_names_new(&a, list, n);
    assert_true(header_add_fields(&out, STR(block), set, wanted));
    assert_string_equal(buf_z(&out), want);
    buf_done(&out);
    arena_done(&a);
}

static void subsets(void **state)
{
    (void)state;
    static const char *const two[] = {"TO", "sUBJECT", "subject", "missing"};
    static const char *const odd[] = {"", "no colon", "a:b", "x\ny", "Body"};
    expect_fields(two, 4, true, "Subject:  hello\r\n  world \r\nSUBJECT: second\r\nTo : x@y\r\n\r\n");
    expect_fields(two, 4, false, "Received: a\r\n\tb\r\nno colon\r\nX-Empty:\r\n\r\n");
    expect_fields(odd, 5, true, "\r\n");
    expect_fields(odd, 5, false,
                  "Received: a\r\n\tb\r\nSubject:  hello\r\n  world \r\nno colon\r\nX-Empty:\r\nSUBJECT: second\r\nTo "
                  ": x@y\r\n\r\n");
    expect_fields(NULL, 0, true, "\r\n");
}

static void many_names(void **state)
{
    (void)state;
    struct arena a = {0};
    struct str names[500];
    for (int i = 0; i < 500; i++)
        names[i] = arena_printf(&a, "X-Name-%d", i);
    const struct header_names *set = header_names_new(&a, names, 500);
    for (int i = 0; i < 500; i++)
        assert_true(header_names_has(set, arena_printf(&a, "x-nAmE-%d", i)));
    assert_false(header_names_has(set, STR("X-Name-500")));
    assert_false(header_names_has(set, STR("X-Name-")));
    assert_false(header_names_has(set, STR("")));
    /* only letters have another case */
    names[0] = STR("a@b[");
    set = header_names_new(&a, names, 1);
    assert_true(header_names_has(set, STR("A@B[")));
    assert_false(header_names_has(set, STR("a`b[")));
    assert_false(header_names_has(set, STR("a@b{")));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iterate),
        cmocka_unit_test(unfold),
        cmocka_unit_test(subsets),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
