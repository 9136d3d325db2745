/* SPDX-License-Identifier: Apache-2.0 */
/* ENVELOPE, BODYSTRUCTURE, sections, PREVIEW. What they look like in general is compared with Dovecot
 * (tests/imap/test_dovecot_oracle.py); here are the forms themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_render.h"

static void check_envelope(struct str header, const char *expected)
{
    struct buf out = BUF_INIT(0), again = BUF_INIT(0);
    struct arena a = {0};
    imap_render_envelope_of(&out, header);
    assert_string_equal(buf_z(&out), expected);
    imap_render_envelope(&again, mime_parse(&a, header)->envelope);
    assert_string_equal(buf_z(&again), expected);
    buf_done(&out);
    buf_done(&again);
    arena_done(&a);
}

static void test_envelope(void **state)
{
    (void)state;
    check_envelope(STR("\r\n"), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(
        STR("Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\n"
            "Subject: afternoon meeting\r\nTo: mooch@owatagu.siam.edu\r\n"
            "Message-Id: <B27397-0100000@Blurdybloop.COM>\r\n\r\n"),
        "(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"afternoon meeting\" "
        "((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) ((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) "
        "((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) ((NIL NIL \"mooch\" \"owatagu.siam.edu\")) NIL NIL NIL "
        "\"<B27397-0100000@Blurdybloop.COM>\")"); /* RFC 3501 8 */
    check_envelope(
        STR("From: a@b\r\nSender: c@d\r\nReply-To: \r\nTo: g: x@y, z@y;\r\nSubject: =?utf-8?q?=C3=BC?=\r\n\r\n"),
        "(NIL \"=?utf-8?q?=C3=BC?=\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) "
        "((NIL NIL \"g\" NIL)(NIL NIL \"x\" \"y\")(NIL NIL \"z\" \"y\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
}

static void test_strings(void **state)
{
    (void)state;
    check_envelope(STR("Subject: gr\xc3\xbc\xc3\x9f"
                       "e\r\n\r\n"),
                   "(NIL {7}\r\ngr\xc3\xbc\xc3\x9f"
                   "e NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(STR("Subject: a \"b\" \\c\r\n\r\n"), "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(STR("Subject: \"\"\"\"\"\r\n\r\n"), "(NIL {5}\r\n\"\"\"\"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(STR("Subject:   a \tb\r\n  c  \r\n\r\n"), "(NIL \"a b c\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(STR("Subject:\r\nMessage-ID: NIL\r\n\r\n"), "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL \"NIL\")");
}

static void check_body(struct str message, bool extended, const char *expected)
{
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    imap_render_body(&out, mime_parse(&a, message), extended);
    assert_string_equal(buf_z(&out), expected);
    buf_done(&out);
    arena_done(&a);
}

#define MIME "MIME-Version: 1.0\r\n"

static void test_body(void **state)
{
    (void)state;
    check_body(STR("\r\nx\r\ny\r\n"), false, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 2)");
    check_body(STR(MIME
                   "Content-Type: TEXT/HTML; Charset=x; a=\"b c\"\r\nContent-ID: <i>\r\nContent-Description: d\r\n"
                   "Content-Transfer-Encoding: BASE64\r\nContent-MD5: m\r\nContent-Disposition: inline; filename=f\r\n"
                   "Content-Language: en, de\r\nContent-Location: l\r\n\r\n"),
               true,
               "(\"TEXT\" \"HTML\" (\"Charset\" \"x\" \"a\" \"b c\") \"<i>\" \"d\" \"BASE64\" 0 0 \"m\" (\"inline\" "
               "(\"filename\" \"f\")) "
               "(\"en\" \"de\") \"l\")");
    check_body(
        STR(MIME "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x\r\nContent-Type: "
                 "image/png\r\n\r\nbc\r\n--x--\r\n"),
        true,
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL)"
        "(\"image\" \"png\" NIL NIL NIL \"7bit\" 2 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)");
    check_body(STR(MIME "Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing\r\n"), true,
               "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) \"mixed\" "
               "(\"boundary\" \"x\") NIL NIL NIL)");
    check_body(STR(MIME "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n"), false,
               "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
               "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1) 3)");
    check_body(STR(MIME "Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nx\r\n"), false,
               "(\"message\" \"global\" NIL NIL NIL \"7bit\" 18)");
}

static void test_deep(void **state)
{
    (void)state;
    struct buf m = BUF_INIT(0), out = BUF_INIT(0);
    struct arena a = {0};
    for (int i = 0; i < 300; i++)
        buf_printf(&m, MIME "Content-Type: multipart/mixed; boundary=b%d.\r\n\r\n--b%d.\r\n", i, i);
    imap_render_body(&out, mime_parse(&a, buf_view(&m)), true);
    size_t open = 0, close = 0;
    for (size_t i = 0; i < out.n; i++) {
        open += out.p[i] == '(';
        close += out.p[i] == ')';
    }
    assert_true(open > MIME_MAX_DEPTH);
    assert_int_equal(open, close);
    buf_done(&m);
    buf_done(&out);
    arena_done(&a);
}

static void test_partial(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, count, at, end;
    } rows[] = {{0, 5, 10, 15},        {3, 5, 13, 18},  {8, 5, 18, 20},
                {10, 5, 20, 20},       {11, 5, 20, 20}, {INT64_MAX, INT64_MAX, 20, 20},
                {0, INT64_MAX, 10, 20}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct imap_fetch_item item = {.partial = true, .offset = rows[i].offset, .count = rows[i].count};
        struct mime_range r = {10, 20};
        imap_render_partial(&item, &r);
        assert_true(r.at == rows[i].at && r.end == rows[i].end);
    }
    struct imap_fetch_item whole = {0};
    struct mime_range r = {10, 20};
    imap_render_partial(&whole, &r);
    assert_true(r.at == 10 && r.end == 20);
}

static bool read_bytes(void *ud, uint64_t at, size_t n, struct buf *out)
{
    return buf_str(out, str_sub(*(struct str *)ud, (size_t)at, n));
}

static bool read_nothing(void *ud, uint64_t at, size_t n, struct buf *out)
{
    (void)ud, (void)at, (void)n, (void)out;
    return false;
}

static void check_preview(struct str message, const char *expected)
{
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct charset_cache *cs = charset_cache_new();
    struct imap_reader reader = {&message, read_bytes};
    assert_true(imap_render_preview(&out, cs, mime_parse(&a, message), &reader));
    assert_string_equal(buf_z(&out), expected);
    charset_cache_free(cs);
    buf_done(&out);
    arena_done(&a);
}

static void test_preview(void **state)
{
    (void)state;
    check_preview(STR("\r\n  Hello,\r\n\r\n\tworld \r\n"), "Hello, world");
    check_preview(STR("\r\n"), "");
    check_preview(STR(MIME "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
                           "quoted-printable\r\n\r\nGr=FC=DFe =\r\nhier\r\n"),
                  "Gr\xc3\xbc\xc3\x9f"
                  "e hier");
    check_preview(STR(MIME "Content-Type: text/html\r\n\r\n<html><head><title>no</title><style>p{}</style></head><body>"
                           "<!-- no --><p>Fish &amp; chips</p>&lt;b&gt;&nbsp;&#252;&#x20ac;<br>x&unknown;</body>"),
                  "Fish & chips <b> \xc3\xbc\xe2\x82\xac x&unknown;");
    check_preview(STR(MIME "Content-Type: text/html\r\n\r\nhi<script>no"), "hi");
    check_preview(
        STR(MIME "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Disposition: attachment\r\n\r\nno\r\n"
                 "--x\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--x\r\n\r\nplain\r\n--x--\r\n"),
        "plain");
    check_preview(STR(MIME "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: "
                           "text/html\r\n\r\n<b>html</b>\r\n--x--\r\n"),
                  "html");
    check_preview(STR(MIME "Content-Type: image/png\r\n\r\nno\r\n"), "");
    struct buf many = BUF_INIT(0), expected = BUF_INIT(0);
    buf_lit(&many, "\r\n");
    for (int i = 0; i < 300; i++)
        buf_lit(&many, "\xc3\xbc");
    for (int i = 0; i < 200; i++) /* RFC 8970 3.1: at most 200 characters */
        buf_lit(&expected, "\xc3\xbc");
    check_preview(buf_view(&many), buf_z(&expected));
    buf_done(&many);
    buf_done(&expected);
}

static void test_preview_unreadable(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct charset_cache *cs = charset_cache_new();
    struct imap_reader reader = {NULL, read_nothing};
    assert_false(imap_render_preview(&out, cs, mime_parse(&a, STR("\r\nx")), &reader));
    charset_cache_free(cs);
    buf_done(&out);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_preview),
        cmocka_unit_test(test_preview_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
