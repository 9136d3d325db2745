/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/smtp/smtp_answers.h"

/* Every error: one line of at most 200 characters that names the account, and never what the server said. */
static void test_all(void **state)
{
    (void)state;
    for (int code = ERR_NONE + 1; code < ERR_MAX; code++) {
        struct err err = {0};
        char text[256], anonymous[256];
        err_set(&err, (enum err_code)code, "secret detail");
        smtp_answer_text(&err, "work", text, sizeof(text));
        smtp_answer_text(&err, "", anonymous, sizeof(anonymous));
        const struct smtp_reply *r = smtp_answer_of((enum err_code)code);
        assert_true(r->code >= 400 && r->code < 600);
        assert_int_equal(r->enhanced[0], '0' + (int)(r->code / 100));
        /* What may work later by itself is never refused for good. */
        assert_true(!err_is_transient((enum err_code)code) || r->code < 500);
        assert_true(strlen(text) <= 200 && strlen(anonymous) <= 200);
        assert_non_null(strstr(text, "account work"));
        assert_non_null(strstr(anonymous, "this account"));
        assert_null(strstr(text, "secret"));
        assert_null(strpbrk(text, "\r\n%"));
    }
}

static void test_long_name(void **state)
{
    (void)state;
    struct err err = {.code = ERR_AUTH};
    char name[400], text[256];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    smtp_answer_text(&err, name, text, sizeof(text));
    assert_true(strlen(text) <= 200);
    assert_int_equal(smtp_answer_of(ERR_AUTH)->code, 454);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_long_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
