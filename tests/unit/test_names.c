/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/names.h"

static void check(void (*fn)(struct buf *, struct str), const char *in, const char *expected)
{
    struct buf out = {0};
    fn(&out, str_from(in));
    assert_string_equal(buf_z(&out), expected);
    buf_done(&out);
}

static void labels(void **state)
{
    (void)state;
    static const struct {
        const char *name, *label;
    } rows[] = {
        {"Inbox", "Inbox"},
        {"A/B", "A_x002F_B"},
        {"R\xc3\xbc"
         "ck",
         "R\xc3\xbc"
         "ck"},
        {"Ru\xcc\x88"
         "ck",
         "R\xc3\xbc"
         "ck"}, /* NFC */
        {"a\tb", "a_x0009_b"},
        {"_x002F_", "_x005F_x002F_"},
        {"_x", "_x"},
        {"", "_x0000_"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(names_label, rows[i].name, rows[i].label);
}

static void labels_go_back(void **state)
{
    (void)state;
    static const char *const names[] = {"plain",     "A/B//C",    "_x002F_",
                                        "_x_x0041_", "tab\there", "\xf0\x9f\x93\xa7 mail/2"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf label = {0};
        names_label(&label, str_from(names[i]));
        check(names_display, buf_z(&label), names[i]);
        buf_done(&label);
    }
}

static void keywords(void **state)
{
    (void)state;
    check(names_keyword, "Important", "$label1");
    check(names_keyword, "To Do", "$label4");
    check(names_keyword, "Red Category", "Red_x0020_Category");
    check(names_keyword, "Gr\xc3\xbcn", "Gr_x00FC_n");
    check(names_keyword, "a(b)", "a_x0028_b_x0029_");
    check(names_category, "$LABEL1", "Important");
    check(names_category, "Red_x0020_Category", "Red Category");
    check(names_category, "Gr_x00FC_n", "Gr\xc3\xbcn");
    check(names_category, "_xD83D__xDCE7_", "\xf0\x9f\x93\xa7");
    check(names_category, "_xD83D_", "");
}

static void below(void **state)
{
    (void)state;
    assert_true(names_is_below(STR("a/b"), STR("a")));
    assert_false(names_is_below(STR("a"), STR("a")));
    assert_false(names_is_below(STR("ab"), STR("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),
        cmocka_unit_test(labels_go_back),
        cmocka_unit_test(keywords),
        cmocka_unit_test(below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
