/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/formats/address.h"
#include "bridge/formats/charset.h"

static void show(struct buf *out, struct str s)
{
    if (!s.p)
        buf_lit(out, "-");
    buf_str(out, s);
}

static void expect(struct str value, const char *want)
{
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct address_list list;
    address_parse(&a, value, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.items[i];
        if (x->kind == ADDRESS_GROUP_START) {
            buf_byte(&out, '{');
            show(&out, x->mailbox);
            assert_null(x->host.p);
        } else if (x->kind == ADDRESS_GROUP_END) {
            buf_byte(&out, '}');
            assert_null(x->mailbox.p);
        } else {
            buf_byte(&out, '[');
            show(&out, x->name);
            buf_byte(&out, '|');
            show(&out, x->route);
            buf_byte(&out, '|');
            show(&out, x->mailbox);
            buf_byte(&out, '|');
            show(&out, x->host);
            buf_byte(&out, ']');
        }
    }
    assert_string_equal(buf_z(&out), want);
    buf_done(&out);
    arena_done(&a);
}

#define MM "MISSING_MAILBOX"
#define MD "MISSING_DOMAIN"

/* What Dovecot 2.3.19 answers in ENVELOPE. */
static const struct {
    struct str value;
    const char *want;
} cases[] = {
    {STR(""), ""},
    {STR("  (c) "), ""},
    {STR("a@b"), "[-|-|a|b]"},
    {STR("Joe (x) Doe <j.d@e.f>, x@y (N M)"), "[Joe Doe|-|j.d|e.f][N M|-|x|y]"},
    {STR("\"Q, \\\"u\" <a@b>,\r\n\t=?utf-8?q?x?= y <c@d>"), "[Q, \"u|-|a|b][=?utf-8?q?x?= y|-|c|d]"},
    {STR("J. D. <a@b>"), "[J. D.|-|a|b]"},
    {STR("<@r1,@r2:u@h>"), "[-|@r1,@r2|u|h]"},
    {STR("<@r u@h>"), "[-|INVALID_ROUTE|u|h]"},
    {STR("u@[1.2.3.4]"), "[-|-|u|[1.2.3.4]]"},
    {STR("\"x y\"@z"), "[-|-|x y|z]"},
    {STR("\xc3\xa4@\xc3\xb6.de, \xe4 <a@b>"), "[-|-|\xc3\xa4|\xc3\xb6.de][\xe4|-|a|b]"},
    {STR("g: a@b, X <c@d>;, e@f"), "{g[-|-|a|b][X|-|c|d]}[-|-|e|f]"},
    {STR("undisclosed-recipients:;"), "{undisclosed-recipients}"},
    {STR(":;"), "{}"},
    {STR("g:"), "{g}"},
    {STR("g: a@b,;"), "{g[-|-|a|b][-|-|" MM "|" MD "]}"},
    {STR("joe"), "[-|-|joe|" MD "]"},
    {STR("joe doe, x"), "[joe doe|-|" MM "|" MD "][-|-|x|" MD "]"},
    {STR("\"joe\""), "[joe|-|" MM "|" MD "]"},
    {STR("@b"), "[-|-|" MM "|b]"},
    {STR("a@, b@c"), "[-|-|a|" MD "][-|-|b|c]"},
    {STR("a@b,,c@d"), "[-|-|a|b][-|-|" MM "|" MD "][-|-|c|d]"},
    {STR(","), "[-|-|" MM "|" MD "]"},
    {STR("<>"), "[-|-|" MM "|" MD "]"},
    {STR("<"), "[-|-|" MM "|SYNTAX_ERROR]"},
    {STR("x <a b@c>"), "[x|-|a|SYNTAX_ERROR]"},
    {STR("a..b.@c, .a@b"), "[-|-|a..b.|c][-|-|.a|b]"},
    {STR("a . b@c . d"), "[a. b|-|" MM "|" MD "]"},
    {STR("a@c . d"), "[-|-|a|c.d]"},
    {STR("x@y (a(b)c\\))"), "[a(b)c)|-|x|y]"},
    {STR("x@y (a"), "[-|-|x|" MD "]"},
    {STR("a;b@c"), "[-|-|a|" MD "]"},
    {STR("a@b.c."), "[-|-|a|" MD "]"},
    {STR("\"un,\na@b,\r\n c@d,\n,\nx@y,"), "[-|-|" MM "|" MD "][-|-|a|b][-|-|c|d][-|-|x|y]"},
    {STR("\"un"), "[-|-|" MM "|" MD "]"},
};

static void parsing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect(cases[i].value, cases[i].want);
}

static void limits(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf b = BUF_INIT(0);
    struct address_list list;
    for (int i = 0; i < ADDRESS_MAX; i++)
        buf_lit(&b, "a@b,");
    b.n--;
    address_parse(&a, buf_view(&b), &list);
    assert_int_equal(list.n, ADDRESS_MAX);
    assert_false(list.truncated);
    buf_lit(&b, ",g:x@y,z@z;");
    address_parse(&a, buf_view(&b), &list);
    assert_int_equal(list.n, ADDRESS_MAX);
    assert_true(list.truncated);
    /* long and odd, in linear time: the test's time limit would see the square of it */
    static const char *const pieces[] = {"(",     "<",  "\"",   "a ", "@a,", "a.",     "\\",
                                         "((a))", "g:", "<@a,", "[",  "(\\", "\"a\" ", "a:;"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        buf_reset(&b);
        while (b.n < 1000000)
            buf_lit(&b, pieces[i]);
        address_parse(&a, buf_view(&b), &list);
        assert_true(list.n <= ADDRESS_MAX);
        arena_done(&a);
    }
    buf_done(&b);
    arena_done(&a);
}

static void writing(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct charset_cache *cs = charset_cache_new();
    struct address_list list;
    address_parse(
        &a,
        STR("=?iso-8859-1?q?J=FCrgen?= <j@x>, g:\"a b\"@c, \"d\\\"e\"@f;, \xe4@b, Only Name, @host, nobody, \"\"@x"),
        &list);
    address_list_add_display(&out, cs, &list);
    assert_string_equal(buf_z(&out),
                        "J\xc3\xbcrgen <j@x>, \"a b\"@c, \"d\\\"e\"@f, \xc3\xa4@b, Only Name, @host, nobody, \"\"@x");
    buf_reset(&out);
    address_add_header(&out, STR("A B"), STR("a@b\r\nX: y"));
    buf_lit(&out, " / ");
    address_add_header(&out, STR("A, \"B\""), STR("a@b"));
    buf_lit(&out, " / ");
    address_add_header(&out, STR("\xc3\xa4"), STR("a@b"));
    buf_lit(&out, " / ");
    address_add_header(&out, STR("a\r\nb"), STR("a@b"));
    buf_lit(&out, " / ");
    address_add_header(&out, STR(""), STR("a@b"));
    assert_string_equal(buf_z(&out),
                        "A B <a@bX:y> / \"A, \\\"B\\\"\" <a@b> / =?utf-8?b?w6Q=?= <a@b> / \"a  b\" <a@b> / <a@b>");
    buf_done(&out);
    charset_cache_free(cs);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing),
        cmocka_unit_test(limits),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
