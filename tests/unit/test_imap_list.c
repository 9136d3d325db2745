/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "protocols/imap/imap_list.h"

static const struct {
    const char *name, *pattern;
    bool matches;
} cases[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "A", false},
    {"a", "", false},
    {"", "", true},
    {"", "*", true},
    {"", "%", true},
    {"a", "*", true},
    {"a/b", "*", true},
    {"a/b", "%", false},
    {"a/b", "%/%", true},
    {"a/b", "a%", false},
    {"a/b", "a*", true},
    {"a/b/c", "a/%", false},
    {"a/b/c", "a/*c", true},
    {"a/b/c", "%/c", false},
    {"a/b/c", "*/c", true},
    {"a/b/c", "*%c", true},
    {"a/b/c", "%*c", true},
    {"abcabd", "*abd", true},
    {"abcabd", "%abd", true},
    {"abc/abd", "%abd", false},
    {"xaybz", "%a%b%", true},
    {"x/ay/bz", "*a%b%", false},
    {"x/ay/bz", "*a%/b%", true},
    {"aaaaab", "%a%a%b", true},
    {"a/", "a/%", true},
    {"INBOX", "inbox", true},
    {"INBOX", "iN%", true},
    {"INBOX", "*x", true},
    {"INBOX/a", "inbox/a", true},
    {"INBOX/a", "inbox/A", false},
    {"INBOXES", "inboxes", false},
    {"Inbox stuff", "inbox stuff", false},
    {"a*b", "a*b", true},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (imap_list_match(str_from(cases[i].name), str_from(cases[i].pattern)) != cases[i].matches)
            fail_msg("%s against %s", cases[i].name, cases[i].pattern);
}

/* The definition, word by word. */
static bool slow_match(struct str name, struct str pattern)
{
    if (pattern.n == 0)
        return name.n == 0;
    char c = pattern.p[0];
    if (c != '*' && c != '%')
        return name.n > 0 && name.p[0] == c && slow_match(str_skip(name, 1), str_skip(pattern, 1));
    for (size_t i = 0;; i++) {
        if (slow_match(str_skip(name, i), str_skip(pattern, 1)))
            return true;
        if (i == name.n || (c == '%' && name.p[i] == '/'))
            return false;
    }
}

static void test_against_the_definition(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 300000; round++) {
        char name[8], pattern[7];
        size_t n = (size_t)rand() % sizeof(name), p = (size_t)rand() % sizeof(pattern);
        for (size_t i = 0; i < n; i++)
            name[i] = "ab/"[rand() % 3];
        for (size_t i = 0; i < p; i++)
            pattern[i] = "ab/*%"[rand() % 5];
        if (imap_list_match((struct str){name, n}, (struct str){pattern, p}) !=
            slow_match((struct str){name, n}, (struct str){pattern, p}))
            fail_msg("%.*s against %.*s", (int)n, name, (int)p, pattern);
    }
}

/* A pattern made to be slow. */
static void test_no_blow_up(void **state)
{
    (void)state;
    char name[1001], pattern[1001];
    memset(name, 'a', 1000);
    name[1000] = 'b';
    for (size_t i = 0; i < 1000; i++)
        pattern[i] = i % 2 ? 'a' : (i % 4 ? '*' : '%');
    uint64_t begun = time_mono_ms();
    for (int i = 0; i < 20; i++)
        assert_false(imap_list_match((struct str){name, 1000}, (struct str){pattern, 1000 - 1}) &&
                     imap_list_match(STR("b"), (struct str){pattern, 999}));
    assert_true(time_mono_ms() - begun < 60000); /* not for ever */
}

static void test_sets(void **state)
{
    (void)state;
    struct str items[] = {STR_NULL, STR("x*"), STR("y")};
    struct imap_strs patterns = {items, 3};
    assert_true(imap_list_match_any(STR("xa"), &patterns));
    assert_true(imap_list_match_any(STR("y"), &patterns));
    assert_false(imap_list_match_any(STR("z"), &patterns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_against_the_definition),
                                       cmocka_unit_test(test_no_blow_up), cmocka_unit_test(test_sets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
