/* SPDX-License-Identifier: Apache-2.0 */
/* thread and eol */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/formats/eol.h"
#include "bridge/formats/thread.h"

static void base_subject(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *base;
        bool reply;
    } cases[] = {
        {"Hello", "Hello", false},
        {"Re: Hello", "Hello", true},
        {"RE : Re: fwd:  Hello  world ", "Hello world", true},
        {"Re[2]: Hello", "Hello", true},
        {"[list] Re: [list] Hello", "Hello", true},
        {"[list] Hello", "Hello", false},
        {"[a][b] Hello", "Hello", false},
        {"[list]", "[list]", false},
        {"[a] [b]", "[b]", false},
        {"Hello (fwd)", "Hello", true},
        {"Hello (FWD) (fwd) ", "Hello", true},
        {"[Fwd: Hello]", "Hello", true},
        {"[fwd: Re: [x] Hello (fwd)]", "Hello", true},
        {"Fw: x", "x", true},
        {"Reply: x", "Reply: x", false},
        {"Re", "Re", false},
        {"Re:", "", true},
        {"", "", false},
        {"re:re:re:a", "a", true},
        {"[unclosed Re: x", "[unclosed Re: x", false},
        {"a\r\n\t b", "a b", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = BUF_INIT(0);
        bool reply = !cases[i].reply;
        thread_base_subject(&out, str_from(cases[i].subject), &reply);
        assert_string_equal(buf_z(&out), cases[i].base);
        assert_int_equal(reply, cases[i].reply);
        buf_done(&out);
    }
    /* linear in what people may send */
    static const char *const pieces[] = {"[a]", "[", "Re:", "(fwd)", "[fwd:", "re[a]", " "};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct buf b = BUF_INIT(0), out = BUF_INIT(0);
        while (b.n < 1000000)
            buf_lit(&b, pieces[i]);
        buf_lit(&b, "x");
        for (int j = 0; j < 200000 && i == 4; j++)
            buf_byte(&b, ']');
        thread_base_subject(&out, buf_view(&b), NULL);
        assert_true(out.n <= b.n);
        buf_done(&b);
        buf_done(&out);
    }
}

static void message_ids(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"<a@b>", "a@b|"},
        {"<a@b><c@d>\r\n\t<e@f> ", "a@b|c@d|e@f|"},
        {"In message <a@b> of Monday", "a@b|"},
        {"< a @ b >", "a@b|"},
        {"<\"a\"@b> <\"x\\\"y\"@z>", "a@b|x\"y@z|"},
        {"<> <a@b", ""},
        {"<a <b@c>", "b@c|"},
        {"<noat>", "noat|"},
        {"nothing", ""},
        {"", ""},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = BUF_INIT(0);
        struct str rest = str_from(cases[i].in), id;
        while (thread_next_id(&a, &rest, &id)) {
            buf_str(&out, id);
            buf_byte(&out, '|');
        }
        assert_string_equal(buf_z(&out), cases[i].want);
        buf_done(&out);
    }
    struct buf b = BUF_INIT(0);
    buf_fill(&b, '<', 1000000);
    struct str rest = buf_view(&b), id;
    assert_false(thread_next_id(&a, &rest, &id));
    buf_done(&b);
    arena_done(&a);
}

static void line_ends(void **state)
{
    (void)state;
    static const struct {
        bool message;
        struct str in;
        const char *want;
    } cases[] = {
        {false, STR("a\nb\r\nc\rd\r\r\ne"), "a\r\nb\r\nc\rd\r\r\ne"},
        {false, STR("\n\r\n\ra\r"), "\r\n\r\n\ra\r"},
        {false, STR(""), ""},
        {true, STR("\r\n\n\r\nA: b\n\nbody"), "A: b\r\n\r\nbody\r\n"},
        {true, STR("A: b\r\n\r\n"), "A: b\r\n\r\n"},
        {true, STR("A: b\r"), "A: b\r\r\n"},
        {true, STR("\r\n"), ""},
        {true, STR(""), ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= cases[i].in.n + 1; step++) {
            struct eol_crlf e = {.message = cases[i].message};
            struct buf out = BUF_INIT(0);
            for (struct str in = cases[i].in; in.n; in = str_skip(in, step))
                assert_true(eol_crlf_feed(&e, str_sub(in, 0, step), &out));
            assert_true(eol_crlf_finish(&e, &out));
            assert_string_equal(buf_z(&out), cases[i].want);
            buf_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_subject),
        cmocka_unit_test(message_ids),
        cmocka_unit_test(line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
