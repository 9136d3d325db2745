/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/submit_headers.h"

static const struct {
    const char *header, *recipients[4], *expected;
} rows[] = {
    /* everybody is named: nothing changes */
    {"From: a@x\r\nTo: B <b@x>,\r\n c@x\r\nSubject: s\r\n\r\n",
     {"b@x", "C@X"},
     "From: a@x\r\nTo: B <b@x>,\r\n c@x\r\nSubject: s\r\n\r\n"},
    /* the envelope has more: Bcc */
    {"To: b@x\r\n\r\n", {"b@x", "d@x", "e@x", "d@x"}, "To: b@x\r\nBcc: d@x, e@x\r\n\r\n"},
    /* the client's Bcc is what the envelope says, not what it wrote */
    {"To: b@x\r\nBcc: d@x, z@x\r\n\r\n", {"b@x", "d@x"}, "To: b@x\r\nBcc: d@x\r\n\r\n"},
    /* the sender excluded somebody */
    {"To: \"Bee, B\" <b@x>, C <c@x>\r\nCc: =?utf-8?q?D=C3=A9?= <d@x>, e@x\r\n\r\n",
     {"b@x", "d@x"},
     "To: \"Bee, B\" <b@x>\r\nCc: =?utf-8?q?D=C3=A9?= <d@x>\r\n\r\n"},
    /* a bounce to somebody else: nobody of the old header gets it */
    {"To: b@x\r\nCc: c@x\r\nSubject: s\r\n\r\n",
     {"z@x"},
     "Subject: s\r\nBcc: z@x\r\nTo: undisclosed-recipients:;\r\n\r\n"},
    /* groups and garbage */
    {"To: team: b@x, c@x;\r\nReturn-Path: <a@x>\r\n\r\n", {"b@x", "c@x"}, "To: team: b@x, c@x;\r\n\r\n"},
    {"To: undisclosed-recipients:;\r\n\r\n", {"b@x"}, "Bcc: b@x\r\nTo: undisclosed-recipients:;\r\n\r\n"},
    {"From a Mon Jan  5\r\nTo: b@x\r\n\r\n", {"b@x"}, "To: b@x\r\n\r\n"},
    {"Subject: no header recipients\r\n\r\n",
     {"b@x"},
     "Subject: no header recipients\r\nBcc: b@x\r\nTo: undisclosed-recipients:;\r\n\r\n"},
};

static void tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str recipients[4];
        size_t n = 0;
        while (n < 4 && rows[i].recipients[n]) {
            recipients[n] = str_from(rows[i].recipients[n]);
            n++;
        }
        struct buf out = {0};
        assert_true(submit_headers_rewrite(&out, str_from(rows[i].header), recipients, n));
        assert_string_equal(buf_z(&out), rows[i].expected);
        buf_done(&out);
    }
}

/* Of a message: what its header is, and its text. */
static const struct {
    const char *message, *header, *text;
} blocks[] = {
    {"To: b@x\r\nSubject: s\r\n t\r\n\r\ntext\r\n", "To: b@x\r\nSubject: s\r\n t\r\n", "text\r\n"},
    {"To: b@x\n\ntext\n", "To: b@x\n", "text\n"},
    {"To: b@x\r\n", "To: b@x\r\n", ""},
    {"To: b@x\r\n\r\n", "To: b@x\r\n", ""},
    {"Subject : obsolete\r\n\r\nx", "Subject : obsolete\r\n", "x"},
    {"", "", ""},
    {"\r\ntext: x\r\n", "", "text: x\r\n"},
    /* a text without a header, or right below one */
    {"hello\r\n", "", "hello\r\n"},
    {"hello\r\n\r\nTo: b@x\r\n", "", "hello\r\n\r\nTo: b@x\r\n"},
    {" hello: world\r\n", "", " hello: world\r\n"},
    {"Dear Bob: hello\r\n", "", "Dear Bob: hello\r\n"},
    {": x\r\n", "", ": x\r\n"},
    {"gr\xc3\xbc\xc3\x9f: x\r\n", "", "gr\xc3\xbc\xc3\x9f: x\r\n"},
    {"From: a@x\r\nDate: d\r\nhello\r\nTo: b@x\r\n", "From: a@x\r\nDate: d\r\n", "hello\r\nTo: b@x\r\n"},
    /* a message out of a mailbox */
    {"From alice Mon Jan  5 10:00:00 2026\r\nTo: b@x\r\n\r\ntext\r\n",
     "From alice Mon Jan  5 10:00:00 2026\r\nTo: b@x\r\n", "text\r\n"},
    {"Date: d\r\nFrom 012 Mon\r\nTo: b@x\r\n\r\nx", "Date: d\r\nFrom 012 Mon\r\nTo: b@x\r\n", "x"},
    {"From here on it is text.\r\nReally.\r\n", "", "From here on it is text.\r\nReally.\r\n"},
    {"Date: d\r\nFrom here\r\n\r\nhello\r\n", "Date: d\r\n", "From here\r\n\r\nhello\r\n"},
    {"From alice\r\nFrom bob\r\nTo: b@x\r\n", "", "From alice\r\nFrom bob\r\nTo: b@x\r\n"},
};

static void texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct str message = str_from(blocks[i].message);
        size_t text;
        struct str header = submit_headers_block(message, &text);
        assert_int_equal(header.n, strlen(blocks[i].header));
        assert_memory_equal(header.p, blocks[i].header, header.n);
        assert_string_equal(message.p + text, blocks[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
