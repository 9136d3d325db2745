/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/guard.h"
#include "protocols/smtp/smtp_parse.h"

static unsigned parse(struct str line, struct arena *arena, struct smtp_command *c)
{
    const struct smtp_reply *r = smtp_parse(line, arena, c);
    return r ? r->code : 0;
}

/* --- lines */

#define MORE (-1)
struct line_case {
    struct str in;
    struct {
        int status;
        const char *line;
    } want[4]; /* up to the first without line */
};
static const struct line_case line_cases[] = {
    {{"NOOP\r\n", 6}, {{SMTP_LINE_DONE, "NOOP"}}},
    {{"\r\n", 2}, {{SMTP_LINE_DONE, ""}}},
    {{"A\r\nB\r\n", 6}, {{SMTP_LINE_DONE, "A"}, {SMTP_LINE_DONE, "B"}}},
    {{"A\r\nB", 4}, {{SMTP_LINE_DONE, "A"}}},
    {{"A\rB\r\n", 5}, {{SMTP_LINE_DONE, "A\rB"}}},
    {{"A\r\r\n", 4}, {{SMTP_LINE_DONE, "A\r"}}},
    {{"NOOP\n", 5}, {{SMTP_LINE_BARE_LF, "NOOP"}}},
    {{"NOOP\r", 5}, {{MORE, NULL}}},
    {{"0123456789\r\nX\r\n", 15}, {{SMTP_LINE_DONE, "0123456789"}, {SMTP_LINE_DONE, "X"}}},
    {{"0123456789a\r\nX\r\n", 16}, {{SMTP_LINE_TOO_LONG, "0123456789"}, {SMTP_LINE_DONE, "X"}}},
    {{"0123456789\r\r\nX\r\n", 16}, {{SMTP_LINE_TOO_LONG, "0123456789"}, {SMTP_LINE_DONE, "X"}}},
};

static void feed_lines(const struct line_case *c, size_t cut_a, size_t cut_b)
{
    struct smtp_lines l;
    size_t found = 0, cuts[] = {cut_a, cut_b, c->in.n}, from = 0;
    smtp_lines_init(&l, 10);
    for (size_t i = 0; i < 3; i++) {
        struct str in = str_sub(c->in, from, cuts[i] - from), line;
        from = cuts[i];
        enum smtp_line_status status;
        while ((status = smtp_lines_feed(&l, &in, &line)) != SMTP_LINE_MORE) {
            assert_true(found < 4 && c->want[found].line);
            assert_int_equal(status, c->want[found].status);
            assert_int_equal(line.n, strlen(c->want[found].line));
            assert_memory_equal(line.p ? line.p : "", c->want[found].line, line.n);
            found++;
        }
        assert_int_equal(in.n, 0);
    }
    assert_true(found == 4 || !c->want[found].line);
    smtp_lines_done(&l);
}

static void test_lines_all_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(line_cases) / sizeof(line_cases[0]); i++)
        for (size_t a = 0; a <= line_cases[i].in.n; a++)
            for (size_t b = a; b <= line_cases[i].in.n; b++)
                feed_lines(&line_cases[i], a, b);
}

static void test_lines_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = "EHLO a\r\nMAIL FROM:<>\r\nQUIT\r\n";
    struct smtp_lines l;
    struct buf got = {0};
    smtp_lines_init(&l, 100);
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        struct str in = {text + i, 1}, line;
        if (smtp_lines_feed(&l, &in, &line) == SMTP_LINE_DONE) {
            buf_str(&got, line);
            buf_lit(&got, "\r\n");
        }
    }
    assert_string_equal(buf_z(&got), text);
    buf_done(&got);
    smtp_lines_done(&l);
}

static void test_endless_line(void **state)
{
    (void)state;
    struct smtp_lines l;
    char piece[4096];
    size_t fed = 0;
    enum smtp_line_status status = SMTP_LINE_MORE;
    memset(piece, 'x', sizeof(piece));
    smtp_lines_init(&l, 512);
    while (status == SMTP_LINE_MORE && fed < 4 * SMTP_LINE_SKIP) {
        struct str in = {piece, sizeof(piece)}, line;
        status = smtp_lines_feed(&l, &in, &line);
        fed += sizeof(piece);
    }
    assert_int_equal(status, SMTP_LINE_ENDLESS);
    assert_true(l.line.size < 4096);
    smtp_lines_done(&l);
}

/* --- commands */

static const struct {
    const char *line;
    unsigned code; /* 0 = fine */
    enum smtp_verb verb;
} verb_cases[] = {
    {"EHLO client.test", 0, SMTP_EHLO},
    {"ehlo [127.0.0.1]", 0, SMTP_EHLO},
    {"EHLO", 501, SMTP_EHLO},
    {"HELO x", 0, SMTP_HELO},
    {"NOOP", 0, SMTP_NOOP},
    {"NOOP whatever there is", 0, SMTP_NOOP},
    {"RSET", 0, SMTP_RSET},
    {"RSET ", 0, SMTP_RSET},
    {"RSET now", 501, SMTP_RSET},
    {"QUIT", 0, SMTP_QUIT},
    {"DATA", 0, SMTP_DATA},
    {"DATA 1", 501, SMTP_DATA},
    {"VRFY bob", 0, SMTP_VRFY},
    {"VRFY", 501, SMTP_VRFY},
    {"EXPN list", 0, SMTP_EXPN},
    {"HELP", 0, SMTP_HELP},
    {"HELP MAIL", 0, SMTP_HELP},
    {"STARTTLS", 0, SMTP_STARTTLS},
    {"TURN", 500, SMTP_VERB_MAX},
    {"", 500, SMTP_VERB_MAX},
    {" NOOP", 500, SMTP_VERB_MAX},
    {"NOOPE", 500, SMTP_VERB_MAX},
    {"NOOP\rX", 500, SMTP_VERB_MAX},
    {"NOOP \x01", 500, SMTP_NOOP},
    {"AUTH", 501, SMTP_AUTH},
    {"AUTH PLAIN", 0, SMTP_AUTH},
    {"AUTH PLAIN =", 0, SMTP_AUTH},
    {"AUTH PLAIN a b", 501, SMTP_AUTH},
    {"BDAT 0", 0, SMTP_BDAT},
    {"BDAT 86 LAST", 0, SMTP_BDAT},
    {"BDAT 86 last", 0, SMTP_BDAT},
    {"BDAT", 501, SMTP_BDAT},
    {"BDAT -1", 501, SMTP_BDAT},
    {"BDAT 0x10", 501, SMTP_BDAT},
    {"BDAT 10 FIRST", 501, SMTP_BDAT},
    {"BDAT 99999999999999999999", 501, SMTP_BDAT},
};

static void test_verbs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(verb_cases) / sizeof(verb_cases[0]); i++) {
        struct arena arena = {0};
        struct smtp_command c;
        unsigned code = parse(str_from(verb_cases[i].line), &arena, &c);
        if (code != verb_cases[i].code || c.verb != verb_cases[i].verb)
            fail_msg("%s: %u, %s", verb_cases[i].line, code, smtp_verb_name(c.verb));
        arena_done(&arena);
    }
    struct arena arena = {0};
    struct smtp_command c;
    assert_int_equal(parse((struct str){"NOOP \0", 6}, &arena, &c), 500);
    assert_int_equal(parse(STR("AUTH LOGIN dXNlcg=="), &arena, &c), 0);
    assert_true(str_is(c.argument, "LOGIN") && c.has_initial && str_is(c.initial, "dXNlcg=="));
    assert_int_equal(parse(STR("BDAT 86 LAST"), &arena, &c), 0);
    assert_true(c.size == 86 && c.last);
    arena_done(&arena);
}

static const struct {
    const char *line;
    unsigned code;
    const char *address;
} address_cases[] = {
    {"MAIL FROM:<alice@example.com>", 0, "alice@example.com"},
    {"mail from:<alice@example.com>", 0, "alice@example.com"},
    {"MAIL FROM: <alice@example.com>", 0, "alice@example.com"}, /* Outlook and others */
    {"MAIL FROM:<>", 0, ""},
    {"MAIL FROM:<> SIZE=100", 0, ""},
    {"RCPT TO:<>", 501, NULL},
    {"RCPT TO:<bob@example.com>", 0, "bob@example.com"},
    {"RCPT TO:<\"bob\"@example.com>", 0, "bob@example.com"},
    {"RCPT TO:<\"b o b\"@example.com>", 0, "\"b o b\"@example.com"},
    {"RCPT TO:<\"b>o<b\"@example.com>", 0, "\"b>o<b\"@example.com"},
    {"RCPT TO:<\"b\\\"ob\"@example.com>", 0, "\"b\\\"ob\"@example.com"},
    {"RCPT TO:<\"b\\ob\"@example.com>", 0, "bob@example.com"},
    {"RCPT TO:<\"bob@example.com>", 501, NULL},
    {"RCPT TO:<\"\"@example.com>", 501, NULL},
    {"RCPT TO:<a.b+c=d@example.com>", 0, "a.b+c=d@example.com"},
    {"RCPT TO:<a..b@example.com>", 0, "\"a..b\"@example.com"},
    {"RCPT TO:<@one.test,@two.test:bob@example.com>", 0, "bob@example.com"},
    {"RCPT TO:<@one.test>", 501, NULL},
    {"RCPT TO:<bob@[127.0.0.1]>", 0, "bob@[127.0.0.1]"},
    {"RCPT TO:<bob@[IPv6:::1]>", 0, "bob@[IPv6:::1]"},
    {"RCPT TO:<bob@[]>", 501, NULL},
    {"RCPT TO:<bob@[1>", 501, NULL},
    {"RCPT TO:<bob>", 553, NULL},
    {"RCPT TO:<bob@>", 501, NULL},
    {"RCPT TO:<@>", 501, NULL},
    {"RCPT TO:<bob@a..b>", 501, NULL},
    {"RCPT TO:<bob@.a>", 501, NULL},
    {"RCPT TO:<bob@exa mple.com>", 501, NULL},
    {"RCPT TO:<bob smith@example.com>", 501, NULL},
    {"RCPT TO:<bob@example.com>x", 501, NULL},
    {"RCPT TO:bob@example.com", 501, NULL},
    {"RCPT TO:<bob@example.com", 501, NULL},
    {"RCPT FROM:<bob@example.com>", 501, NULL},
    {"RCPT TO <bob@example.com>", 501, NULL},
    {"RCPT", 501, NULL},
    {"RCPT TO:<bob@example.com> NOTIFY=NEVER", 555, NULL},
    {"RCPT TO:<bob@example.com> SIZE=1", 555, NULL},
    {"RCPT TO:<j\xc3\xb6rg@example.com>", 0, "j\xc3\xb6rg@example.com"},
    {"RCPT TO:<joerg@b\xc3\xbc"
     "cher.example>",
     0,
     "joerg@b\xc3\xbc"
     "cher.example"},
    {"RCPT TO:<j\xf6rg@example.com>", 501, NULL},
    {"MAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8 SIZE=35000000", 0, "a@b.example"},
    {"MAIL FROM:<a@b.example>  SIZE=1 ", 0, "a@b.example"},
    {"MAIL FROM:<a@b.example> AUTH=<>", 0, "a@b.example"},
    {"MAIL FROM:<a@b.example> SIZE=1 SIZE=2", 501, NULL},
    {"MAIL FROM:<a@b.example> SIZE=", 501, NULL},
    {"MAIL FROM:<a@b.example> SIZE", 501, NULL},
    {"MAIL FROM:<a@b.example> SIZE=1x", 501, NULL},
    {"MAIL FROM:<a@b.example> BODY=BINARYMIME", 555, NULL},
    {"MAIL FROM:<a@b.example> SMTPUTF8=1", 501, NULL},
    {"MAIL FROM:<a@b.example> RET=HDRS", 555, NULL},
    {"MAIL FROM:<a@b.example> =1", 501, NULL},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(address_cases) / sizeof(address_cases[0]); i++) {
        struct arena arena = {0};
        struct smtp_command c;
        unsigned code = parse(str_from(address_cases[i].line), &arena, &c);
        if (code != address_cases[i].code)
            fail_msg("%s: %u", address_cases[i].line, code);
        if (!code && !str_is(c.address, address_cases[i].address))
            fail_msg("%s: %.*s", address_cases[i].line, STR_ARG(c.address));
        arena_done(&arena);
    }
}

static void test_parameters(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct smtp_command c;
    assert_int_equal(parse(STR("MAIL FROM:<j\xc3\xb6@b.example> body=8bitmime SMTPUTF8 SIZE=35000000"), &arena, &c), 0);
    assert_true(c.utf8 && c.address_utf8 && c.has_size && c.body == SMTP_BODY_8BITMIME);
    assert_int_equal(c.size, 35000000);
    assert_int_equal(parse(STR("MAIL FROM:<a@b.example> SIZE=99999999999999999999"), &arena, &c), 0);
    assert_true(c.size == UINT64_MAX && !c.utf8 && !c.address_utf8);
    arena_done(&arena);
}

static void test_long_address(void **state)
{
    (void)state;
    static const size_t locals[] = {64, 400, 490, 600, 3000};
    for (size_t i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
        struct arena arena = {0};
        struct smtp_command c;
        struct buf b = {0};
        buf_lit(&b, "RCPT TO:<");
        buf_fill(&b, 'a', locals[i]);
        buf_lit(&b, "@example.com>");
        assert_int_equal(parse(buf_view(&b), &arena, &c), locals[i] < 500 ? 0 : 553);
        buf_done(&b);
        arena_done(&arena);
    }
}

static void test_foreign(void **state)
{
    (void)state;
    static const char *const foreign[] = {"GET / HTTP/1.1", "POST /x HTTP/1.1", "Host: localhost", "X-A: b"},
                             *const ours[] = {"EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<a@b>", "AUTH PLAIN AHg=",
                                              "",       "GET / HTTP",      "EHLO"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_true(guard_is_foreign(str_from(foreign[i])));
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert_false(guard_is_foreign(str_from(ours[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_all_cuts), cmocka_unit_test(test_lines_byte_by_byte),
        cmocka_unit_test(test_endless_line),   cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_long_address),   cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
