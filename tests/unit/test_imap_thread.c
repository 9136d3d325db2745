/* SPDX-License-Identifier: Apache-2.0 */
/* SORT and THREAD (RFC 5256): its own examples, the cases of its steps, and mailboxes that would hurt a naive
 * implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "protocols/imap/imap_sort.h"
#include "protocols/imap/imap_thread.h"

struct mail {
    const char *id, *references, *subject; /* subject: "Re: x" is a reply to x */
};

static char *thread(enum imap_thread_by by, const struct mail *mails, size_t n, const int64_t *dates)
{
    struct imap_thread_entry *entries = mem_array(n, sizeof(*entries));
    for (size_t i = 0; i < n; i++) {
        struct str subject = str_from(mails[i].subject);
        bool reply = str_starts(subject, STR("Re: "));
        entries[i] = (struct imap_thread_entry){.seq = (uint32_t)i + 1,
                                                .id = (uint32_t)i + 1,
                                                .date_s = dates ? dates[i] : (int64_t)i,
                                                .is_reply = reply,
                                                .base_subject = reply ? str_skip(subject, 4) : subject,
                                                .message_id = str_from(mails[i].id),
                                                .references = str_from(mails[i].references)};
    }
    struct buf out = BUF_INIT(0);
    imap_thread_run(&out, by, entries, n);
    char *z = mem_strdup(buf_z(&out));
    buf_done(&out);
    mem_free(entries);
    return z;
}

#define CHECK(by, mails, dates, expected)                                                                              \
    do {                                                                                                               \
        char *got = thread(by, mails, sizeof(mails) / sizeof((mails)[0]), dates);                                      \
        assert_string_equal(got, expected);                                                                            \
        mem_free(got);                                                                                                 \
    } while (0)

static void test_shapes(void **state)
{
    (void)state;
    /* The form of RFC 5256 4: (3 6 (4 23)(44 7 96)), with other numbers. */
    static const struct mail tree[] = {{"a", "", "x"},          {"b", "a", "x"},    {"c", "a\nb", "x"},
                                       {"d", "a\nb\nc", "x"},   {"e", "a\nb", "x"}, {"f", "a\nb\ne", "x"},
                                       {"g", "a\nb\ne\nf", "x"}};
    CHECK(IMAP_THREAD_REFERENCES, tree, NULL, "(1 2 (3 4)(5 6 7))");
    static const struct mail alone[] = {{"a", "", "x"}, {"b", "", "y"}, {"", "", ""}, {"", "", ""}};
    CHECK(IMAP_THREAD_REFERENCES, alone, NULL, "(1)(2)(3)(4)");
    CHECK(IMAP_THREAD_ORDEREDSUBJECT, alone, NULL, "(1)(2)(3 4)");
    char *none = thread(IMAP_THREAD_REFERENCES, alone, 0, NULL);
    assert_string_equal(none, "");
    mem_free(none);
}

static void test_dummies(void **state)
{
    (void)state;
    /* Two replies to a message that is not here are siblings below a dummy; one is a root of its own. */
    static const struct mail siblings[] = {{"a", "gone", "Re: x"}, {"b", "gone", "Re: x"}, {"c", "other", "Re: y"}};
    CHECK(IMAP_THREAD_REFERENCES, siblings, NULL, "((1)(2))(3)");
    CHECK(IMAP_THREAD_REFS, siblings, NULL, "((1)(2))(3)");
    /* Dummies in the middle go, however many. */
    static const struct mail middle[] = {{"a", "", "x"}, {"b", "a\ng1\ng2\ng3", "x"}, {"c", "a\ng1\ng2", "x"}};
    CHECK(IMAP_THREAD_REFERENCES, middle, NULL, "(1 (2)(3))");
    static const struct mail deep[] = {{"b", "g0\ng1\ng2", "x"}, {"c", "g0\ng1\ng3", "x"}, {"d", "g0", "x"}};
    CHECK(IMAP_THREAD_REFERENCES, deep, NULL, "((1)(2)(3))");
}

static void test_wrong_references(void **state)
{
    (void)state;
    static const struct mail self[] = {{"a", "a", "x"}, {"b", "a\nb", "y"}};
    CHECK(IMAP_THREAD_REFERENCES, self, NULL, "(1)(2)");
    static const struct mail loop[] = {{"a", "b", "x"}, {"b", "a", "y"}};
    CHECK(IMAP_THREAD_REFERENCES, loop, NULL, "(2 1)");
    static const struct mail twins[] = {{"a", "", "x"}, {"a", "", "y"}, {"b", "a", "z"}};
    CHECK(IMAP_THREAD_REFERENCES, twins, NULL, "(1 3)(2)");
    /* A message's own References say more than what others claim about it. */
    static const struct mail truncated[] = {{"c", "a\nb", "x"}, {"b", "z", "y"}, {"a", "", "w"}, {"z", "", "v"}};
    CHECK(IMAP_THREAD_REFERENCES, truncated, NULL, "(3)(4 2 1)");
}

/* RFC 5256 3, REFERENCES step 5 */
static void test_subjects(void **state)
{
    (void)state;
    static const struct mail reply[] = {{"a", "", "x"}, {"b", "", "Re: x"}};
    CHECK(IMAP_THREAD_REFERENCES, reply, NULL, "(1 2)");
    CHECK(IMAP_THREAD_REFS, reply, NULL, "(1)(2)");
    static const struct mail reply_first[] = {{"a", "", "Re: x"}, {"b", "", "x"}};
    CHECK(IMAP_THREAD_REFERENCES, reply_first, NULL, "(2 1)");
    static const struct mail equals[] = {{"a", "", "x"}, {"b", "", "x"}, {"c", "", "x"}};
    CHECK(IMAP_THREAD_REFERENCES, equals, NULL, "((1)(2)(3))");
    static const struct mail replies[] = {{"a", "", "Re: x"}, {"b", "", "Re: x"}};
    CHECK(IMAP_THREAD_REFERENCES, replies, NULL, "((1)(2))");
    static const struct mail both_dummies[] = {
        {"a", "g", "Re: x"}, {"b", "g", "Re: y"}, {"c", "h", "Re: x"}, {"d", "h", "Re: z"}};
    CHECK(IMAP_THREAD_REFERENCES, both_dummies, NULL, "((1)(2)(3)(4))");
    static const struct mail one_dummy[] = {{"a", "", "x"}, {"b", "g", "Re: x"}, {"c", "g", "Re: x"}};
    CHECK(IMAP_THREAD_REFERENCES, one_dummy, NULL, "((1)(2)(3))");
    static const struct mail no_subject[] = {{"a", "", ""}, {"b", "", ""}};
    CHECK(IMAP_THREAD_REFERENCES, no_subject, NULL, "(1)(2)");
}

static void test_order(void **state)
{
    (void)state;
    static const struct mail mails[] = {
        {"a", "", "x"}, {"b", "a", "x"}, {"c", "a", "x"}, {"d", "", "y"}, {"e", "d", "y"}};
    static const int64_t dates[] = {50, 70, 60, 10, 90};
    CHECK(IMAP_THREAD_REFERENCES, mails, dates, "(4 5)(1 (3)(2))");
    CHECK(IMAP_THREAD_REFS, mails, dates, "(1 (3)(2))(4 5)"); /* the thread with the newest message comes last */
    CHECK(IMAP_THREAD_ORDEREDSUBJECT, mails, dates, "(4 5)(1 (3)(2))");
    static const int64_t same[] = {5, 5, 5, 5, 5};
    CHECK(IMAP_THREAD_REFERENCES, mails, same, "(1 (2)(3))(4 5)");
}

/* --- large ------------------------------------------------------------------------------------ */

#define LARGE 100000u

static struct imap_thread_entry *make_chain(struct arena *a, uint32_t n, uint32_t (*position)(uint32_t))
{
    struct imap_thread_entry *entries = arena_array(a, n, sizeof(*entries));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = position(i);
        entries[i] =
            (struct imap_thread_entry){.seq = i + 1, .id = k, .date_s = k, .message_id = arena_printf(a, "%u@x", k)};
        if (k > 0)
            entries[i].references = arena_printf(a, "%u@x", k - 1);
    }
    return entries;
}

static uint32_t forwards(uint32_t i)
{
    return i;
}

static uint32_t backwards(uint32_t i)
{
    return LARGE - 1 - i;
}

static uint32_t shuffled(uint32_t i) /* 100,000 and 61,803 have no common divisor */
{
    return (uint32_t)((uint64_t)i * 61803u % LARGE);
}

/* Of the processor: others on a busy machine do not count. What is asked here takes a tenth of a second, sanitizers
 * included; with the square of LARGE it would be far more than this. */
#define SQUARE_S 10

static double work_s(clock_t began)
{
    return (double)(clock() - began) / CLOCKS_PER_SEC;
}

static void test_long_chains(void **state)
{
    (void)state;
    uint32_t (*const positions[])(uint32_t) = {forwards, backwards, shuffled};
    for (size_t p = 0; p < 3; p++) {
        struct arena a = {0};
        struct buf out = BUF_INIT(0), expected = BUF_INIT(0);
        struct imap_thread_entry *entries = make_chain(&a, LARGE, positions[p]);
        clock_t began = clock();
        imap_thread_run(&out, IMAP_THREAD_REFERENCES, entries, LARGE);
        assert_true(work_s(began) < SQUARE_S);
        for (uint32_t i = 0; i < LARGE; i++)
            buf_printf(&expected, i ? " %u" : "(%u", i);
        buf_byte(&expected, ')');
        assert_true(str_eq(buf_view(&out), buf_view(&expected)));
        buf_done(&out);
        buf_done(&expected);
        arena_done(&a);
    }
}

static void test_wide(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct imap_thread_entry *entries = arena_array(&a, LARGE, sizeof(*entries));
    for (uint32_t i = 0; i < LARGE; i++) /* all of one subject and all answers to one missing message */
        entries[i] = (struct imap_thread_entry){.seq = i + 1,
                                                .id = i,
                                                .is_reply = true,
                                                .message_id = arena_printf(&a, "%u@x", i),
                                                .references = STR("gone"),
                                                .base_subject = STR("x")};
    clock_t began = clock();
    imap_thread_run(&out, IMAP_THREAD_REFERENCES, entries, LARGE);
    assert_true(str_starts(buf_view(&out), STR("((0)(1)(2)")));
    for (uint32_t i = 0; i < LARGE; i++)
        entries[i].references = STR_NULL; /* a hundred thousand roots of one subject */
    buf_reset(&out);
    imap_thread_run(&out, IMAP_THREAD_REFERENCES, entries, LARGE);
    assert_true(str_starts(buf_view(&out), STR("((0)(1)(2)")));
    assert_true(work_s(began) < SQUARE_S);
    buf_done(&out);
    arena_done(&a);
}

/* --- SORT ------------------------------------------------------------------------------------- */

static void check_sort(const struct imap_sort_entry *original, size_t count, const struct imap_sort_by *by, size_t n,
                       const char *expected)
{
    struct imap_sort_entry *entries = mem_dup(original, count * sizeof(*entries));
    struct buf out = BUF_INIT(0);
    imap_sort_run(entries, count, by, n);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, i ? " %u" : "%u", entries[i].id);
    assert_string_equal(buf_z(&out), expected);
    buf_done(&out);
    mem_free(entries);
}

static void test_sort(void **state)
{
    (void)state;
    static const struct imap_sort_entry e[] = {
        {.seq = 1,
         .id = 10,
         .arrival_s = 5,
         .date_s = 9,
         .size = 100,
         .from = {"B", 1},
         .subject = {"X", 1},
         .to = {"Q", 1}},
        {.seq = 2,
         .id = 20,
         .arrival_s = 4,
         .date_s = 8,
         .size = 100,
         .from = {"A", 1},
         .subject = {"X", 1},
         .cc = {"C", 1}},
        {.seq = 3,
         .id = 30,
         .arrival_s = 6,
         .date_s = 9,
         .size = 50,
         .from = {"AB", 2},
         .subject = {"", 0},
         .display_to = {"Z", 1}},
    };
    static const struct {
        struct imap_sort_by by[3];
        size_t n;
        const char *expected;
    } rows[] = {
        {{{IMAP_SORT_ARRIVAL, false}}, 1, "20 10 30"},
        {{{IMAP_SORT_ARRIVAL, true}}, 1, "30 10 20"},
        {{{IMAP_SORT_DATE, false}}, 1, "20 10 30"},
        {{{IMAP_SORT_DATE, true}}, 1, "10 30 20"}, /* equal ones stay in the mailbox's order */
        {{{IMAP_SORT_SIZE, false}}, 1, "30 10 20"},
        {{{IMAP_SORT_SIZE, true}, {IMAP_SORT_FROM, false}}, 2, "20 10 30"},
        {{{IMAP_SORT_FROM, false}}, 1, "20 30 10"},
        {{{IMAP_SORT_SUBJECT, false}, {IMAP_SORT_DATE, true}}, 2, "30 10 20"},
        {{{IMAP_SORT_SUBJECT, false}, {IMAP_SORT_DATE, false}}, 2, "30 20 10"},
        {{{IMAP_SORT_TO, false}}, 1, "20 30 10"},
        {{{IMAP_SORT_CC, true}}, 1, "20 10 30"},
        {{{IMAP_SORT_DISPLAYTO, true}, {IMAP_SORT_DISPLAYFROM, false}, {IMAP_SORT_ARRIVAL, false}}, 3, "30 20 10"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_sort(e, 3, rows[i].by, rows[i].n, rows[i].expected);
    struct imap_sort_by arrival = {IMAP_SORT_ARRIVAL, false}, subject = {IMAP_SORT_SUBJECT, false};
    assert_false(imap_sort_needs_digest(&arrival, 1));
    assert_true(imap_sort_needs_digest(&subject, 1));
}

static void test_fill(void **state)
{
    (void)state;
    struct arena a = {0};
    static const struct imap_sort_by by[] = {{IMAP_SORT_SUBJECT, false}, {IMAP_SORT_DATE, false}};
    struct imap_digest d = {.has_date = true,
                            .date_s = 7,
                            .base_subject = STR("S"),
                            .from_box = STR("F"),
                            .is_reply = true,
                            .message_id = STR("m"),
                            .references = STR("r")};
    struct imap_sort_entry e = {.arrival_s = 9};
    imap_sort_fill(&a, by, 2, &d, &e);
    assert_true(e.date_s == 7 && str_is(e.subject, "S") && e.from.n == 0);
    d.has_date = false;
    imap_sort_fill(&a, by, 2, &d, &e);
    assert_true(e.date_s == 9); /* RFC 5256 2.2: without a date the arrival counts */
    struct imap_thread_entry t = {0};
    imap_thread_fill(&a, IMAP_THREAD_REFERENCES, &d, 11, &t);
    assert_true(t.date_s == 11 && t.is_reply && str_is(t.message_id, "m") && str_is(t.references, "r"));
    t = (struct imap_thread_entry){0};
    imap_thread_fill(&a, IMAP_THREAD_ORDEREDSUBJECT, NULL, 11, &t);
    assert_true(t.date_s == 11 && t.base_subject.n == 0);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),   cmocka_unit_test(test_dummies), cmocka_unit_test(test_wrong_references),
        cmocka_unit_test(test_subjects), cmocka_unit_test(test_order),   cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_wide),     cmocka_unit_test(test_sort),    cmocka_unit_test(test_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
