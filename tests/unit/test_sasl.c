/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "protocols/sasl.h"

/* One exchange: steps are raw bytes, encoded by the test; "*raw:" takes the rest as it is. */
struct exchange {
    const char *mechanism;
    bool initial;
    struct str steps[3];
    enum sasl_result result;
    const char *user, *password;
};

#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static const struct exchange exchanges[] = {
    {"PLAIN", true, {STR("\0bob\0pw")}, SASL_COMPLETE, "bob", "pw"},
    {"plain", false, {STR("\0bob\0pw")}, SASL_COMPLETE, "bob", "pw"},
    {"PLAIN", true, {STR("bob\0bob\0pw")}, SASL_COMPLETE, "bob", "pw"},
    {"PLAIN", true, {STR("BOB\0bob\0pw")}, SASL_COMPLETE, "bob", "pw"},
    {"PLAIN", true, {STR("eve\0bob\0pw")}, SASL_REFUSED, NULL, NULL},
    {"PLAIN", true, {STR("\0bob\0")}, SASL_COMPLETE, "bob", ""},
    {"PLAIN", true, {STR("\0\0pw")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", true, {STR("\0bob")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", true, {STR("bob")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", true, {STR("")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", true, {STR("\0bob\0pw\0x")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", true, {STR("\0b\xff\0pw")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", true, {STR("\0j\xc3\xb6rg\0p\xc3\xa4ss")}, SASL_COMPLETE, "j\xc3\xb6rg", "p\xc3\xa4ss"},
    {"PLAIN", true, {STR("\0" LONG_NAME LONG_NAME LONG_NAME LONG_NAME "\0pw")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", false, {STR("*raw:*")}, SASL_ABORTED, NULL, NULL},
    {"PLAIN", false, {STR("*raw:A")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", false, {STR("*raw:AGJvYgBwdw")}, SASL_BROKEN, NULL, NULL},
    {"PLAIN", false, {STR("*raw:AGJvYgBwdw==")}, SASL_COMPLETE, "bob", "pw"},
    {"PLAIN", true, {STR("*raw:=")}, SASL_BROKEN, NULL, NULL},
    {"LOGIN", false, {STR("bob"), STR("pw")}, SASL_COMPLETE, "bob", "pw"},
    {"LOGIN", true, {STR("bob"), STR("pw")}, SASL_COMPLETE, "bob", "pw"},
    {"LOGIN", false, {STR("bob"), STR("*raw:")}, SASL_COMPLETE, "bob", ""},
    {"LOGIN", false, {STR("*raw:")}, SASL_BROKEN, NULL, NULL},
    {"LOGIN", false, {STR("bob"), STR("*raw:*")}, SASL_ABORTED, NULL, NULL},
    {"LOGIN", false, {STR("bo\0b"), STR("pw")}, SASL_BROKEN, NULL, NULL},
};

static struct str encoded(struct buf *b, struct str step)
{
    buf_reset(b);
    if (str_starts(step, STR("*raw:")))
        return str_skip(step, 5).n ? str_skip(step, 5) : STR("");
    text_base64_add(b, step);
    return b->n ? buf_view(b) : STR("");
}

static void test_exchanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        const struct exchange *x = &exchanges[i];
        struct sasl s;
        struct str challenge = STR_NULL;
        struct buf b = BUF_INIT(10000);
        size_t step = 0;
        assert_true(sasl_begin(&s, str_from(x->mechanism)));
        enum sasl_result result =
            sasl_initial(&s, x->initial, x->initial ? encoded(&b, x->steps[step++]) : STR_NULL, &challenge);
        while (result == SASL_CONTINUE && step < 3 && x->steps[step].p)
            result = sasl_feed(&s, encoded(&b, x->steps[step++]), &challenge);
        if (result != x->result)
            fail_msg("exchange %zu: %d, not %d", i, (int)result, (int)x->result);
        if (x->user) {
            assert_true(str_is(buf_view(&s.user), x->user));
            assert_true(str_is(buf_view(&s.password), x->password));
        }
        sasl_done(&s);
        assert_int_equal(s.user.n + s.password.n, 0);
        buf_done(&b);
    }
}

static void test_challenges(void **state)
{
    (void)state;
    struct sasl s;
    struct str challenge = STR_NULL;
    assert_true(sasl_begin(&s, STR("LOGIN")));
    assert_int_equal(sasl_initial(&s, false, STR_NULL, &challenge), SASL_CONTINUE);
    assert_true(str_is(challenge, "VXNlcm5hbWU6"));
    assert_int_equal(sasl_feed(&s, STR("Ym9i"), &challenge), SASL_CONTINUE);
    assert_true(str_is(challenge, "UGFzc3dvcmQ6"));
    sasl_done(&s);
    assert_true(sasl_begin(&s, STR("PLAIN")));
    assert_int_equal(sasl_initial(&s, false, STR_NULL, &challenge), SASL_CONTINUE);
    assert_true(str_is(challenge, ""));
    sasl_done(&s);
    assert_false(sasl_begin(&s, STR("CRAM-MD5")));
    assert_false(sasl_begin(&s, STR("")));
}

static void test_limits(void **state)
{
    (void)state;
    struct sasl s;
    struct str challenge;
    char *line = mem_alloc(SASL_LINE_MAX + 8);
    memset(line, 'A', SASL_LINE_MAX + 4);
    assert_true(sasl_begin(&s, STR("LOGIN")));
    assert_int_equal(sasl_initial(&s, true, (struct str){line, SASL_LINE_MAX + 4}, &challenge), SASL_BROKEN);
    sasl_done(&s);
    sasl_done(&s);
    mem_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exchanges), cmocka_unit_test(test_challenges),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
