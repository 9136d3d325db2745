/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/smtp/smtp_data.h"

#define S(lit)                                                                                                         \
    {                                                                                                                  \
        (lit), sizeof(lit) - 1                                                                                         \
    }

static const struct {
    struct str in, out;
    size_t left; /* bytes behind the end; NOT_OVER */
} cases[] = {
#define NOT_OVER ((size_t)-1)
    {S("a\r\n.\r\n"), S("a\r\n"), 0},
    {S(".\r\n"), S(""), 0},
    {S("\r\n.\r\n"), S("\r\n"), 0},
    {S("a\r\n.\r\nRSET\r\n"), S("a\r\n"), 6},
    {S("a\r\n.\r\n.\r\n"), S("a\r\n"), 3},
    {S("a\r\n..\r\n.\r\n"), S("a\r\n.\r\n"), 0},
    {S("a\r\n..b\r\n.\r\n"), S("a\r\n.b\r\n"), 0},
    {S("a\r\n.b\r\n.\r\n"), S("a\r\nb\r\n"), 0},
    {S("..a\r\n.\r\n"), S(".a\r\n"), 0},
    {S("a.\r\n.\r\n"), S("a.\r\n"), 0},
    /* What others have taken for the end (SMTP smuggling, 2023). */
    {S("a\n.\nMAIL FROM:<x@y>\r\n"), S("a\r\n.\r\nMAIL FROM:<x@y>\r\n"), NOT_OVER},
    {S("a\n.\r\nb\r\n"), S("a\r\n.\r\nb\r\n"), NOT_OVER},
    {S("a\r\n.\nb\r\n"), S("a\r\n\r\nb\r\n"), NOT_OVER},
    {S("a\r\n.\rb\r\n"), S("a\r\n\r\nb\r\n"), NOT_OVER},
    {S("a\r.\rb\r\n"), S("a\r\n.\r\nb\r\n"), NOT_OVER},
    {S("a\r.\r\nb\r\n"), S("a\r\n.\r\nb\r\n"), NOT_OVER},
    {S("a\r\n\0.\r\nb\r\n"), S("a\r\n\0.\r\nb\r\n"), NOT_OVER},
    {S("a\r\n.\0\r\nb\r\n"), S("a\r\n\0\r\nb\r\n"), NOT_OVER},
    {S("a\r\n.\r\r\nb\r\n"), S("a\r\n\r\n\r\nb\r\n"), NOT_OVER},
    {S("a\r\r\n.\r\n"), S("a\r\n\r\n"), 0},
    {S("a\n\r\n.\r\n"), S("a\r\n\r\n"), 0},
    {S("a\r\n .\r\nb\r\n"), S("a\r\n .\r\nb\r\n"), NOT_OVER},
    /* Line ends of all kinds. */
    {S("a\nb\rc\r\nd\r\n.\r\n"), S("a\r\nb\r\nc\r\nd\r\n"), 0},
    {S("a\n\nb\r\r\n.\r\n"), S("a\r\n\r\nb\r\n\r\n"), 0},
    {S("\xc3\xa4\xff\x80\r\n.\r\n"), S("\xc3\xa4\xff\x80\r\n"), 0},
    {S("no end\r\n."), S("no end\r\n"), NOT_OVER},
    {S("no end\r\n.\r"), S("no end\r\n"), NOT_OVER},
};

static void run(size_t i, bool dots, size_t a, size_t b, struct buf *out, size_t *left)
{
    struct smtp_data d;
    struct str in = cases[i].in;
    size_t ends[] = {a, b, in.n}, from = 0;
    bool over = false;
    smtp_data_init(&d, dots);
    buf_reset(out);
    *left = NOT_OVER;
    for (size_t k = 0; k < 3 && !over; k++) {
        struct str piece = str_sub(in, from, ends[k] - from);
        size_t before = out->n, n = piece.n;
        from = ends[k];
        over = smtp_data_feed(&d, &piece, out);
        assert_true(out->n - before <= 2 * n + 2);
        if (over)
            *left = in.n - ends[k] + piece.n;
        else
            assert_int_equal(piece.n, 0);
    }
    if (!dots)
        smtp_data_finish(&d, out);
}

static void test_all_cuts(void **state)
{
    (void)state;
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t a = 0; a <= cases[i].in.n; a++)
            for (size_t b = a; b <= cases[i].in.n; b++) {
                size_t left;
                run(i, true, a, b, &out, &left);
                if (left != cases[i].left || !str_eq(buf_view(&out), cases[i].out))
                    fail_msg("case %zu, cut at %zu and %zu: %.*s", i, a, b, STR_ARG(buf_view(&out)));
            }
    buf_done(&out);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct smtp_data d;
        struct buf out = {0};
        bool over = false;
        size_t at = 0;
        smtp_data_init(&d, true);
        for (; at < cases[i].in.n && !over; at++) {
            struct str in = {cases[i].in.p + at, 1};
            over = smtp_data_feed(&d, &in, &out);
        }
        assert_int_equal(over ? cases[i].in.n - at : NOT_OVER, cases[i].left);
        assert_true(str_eq(buf_view(&out), cases[i].out));
        buf_done(&out);
    }
}

/* A chunk has no end mark and no stuffed dots; its lines are made the same way, and the count is the session's. */
static void test_chunks(void **state)
{
    (void)state;
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t a = 0; a <= cases[i].in.n; a++) {
            size_t left, lines = 0, want = 0;
            struct str in = cases[i].in;
            run(i, false, a, a, &out, &left);
            assert_int_equal(left, NOT_OVER);
            for (size_t k = 0; k < out.n; k++) {
                assert_true(out.p[k] != '\n' || (k && out.p[k - 1] == '\r'));
                assert_true(out.p[k] != '\r' || (k + 1 < out.n && out.p[k + 1] == '\n'));
                lines += out.p[k] == '\n';
            }
            for (size_t k = 0; k < in.n; k++)
                want += in.p[k] == '\n' ? !k || in.p[k - 1] != '\r' : in.p[k] == '\r';
            assert_int_equal(lines, want);
            for (size_t k = 0; k < in.n; k++)
                if (in.p[k] == '.')
                    assert_non_null(memchr(out.p, '.', out.n));
        }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_cuts),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
