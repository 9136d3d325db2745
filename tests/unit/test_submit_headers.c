/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
