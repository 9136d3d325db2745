/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of calendar_retry.c: what an object that is made once more may do to what its first attempt has left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/account_private.h"
#include "bridge/calendar_write_private.h"
#include "tests/unit/ical_kit.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test_loop.h"

#define CAL 1

struct fixture {
    char *dir;
    struct loop *loop;
    struct account account;
};

static int setup(void **state)
{
    static struct fixture f;
    static const struct folder_info folder = {.id = {"cal", 3}, .name = {"Calendar", 8}, .kind = FOLDER_CALENDAR};
    struct err err = {0};
    bool rebuilt = false;
    f = (struct fixture){.dir = temp_dir_new(), .loop = loop_new()};
    f.account.loop = f.loop;
    f.account.opts = (struct account_opts){.name = "work", .email = "me@example.com"};
    f.account.store = store_open(f.dir, &rebuilt, &err);
    f.account.cache = cache_open(f.loop, f.dir, "epoch", NULL, 0, &err);
    if (!f.account.store || !f.account.cache || !store_apply_folders(f.account.store, &folder, 1, true, STR("h"), &err))
        fail_msg("%s", err.text);
    f.account.calendar_own = calendar_own_new(&f.account);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    calendar_own_free(&f->account.calendar_own);
    cache_close(&f->account.cache);
    store_close(&f->account.store);
    loop_free(f->loop);
    temp_dir_done(&f->dir);
    return 0;
}

#define SERIES            "DTSTART:20260105T100000Z\nRRULE:FREQ=DAILY;COUNT=9\n"
#define NO_ANSWER         "ORGANIZER:mailto:me@example.com\nATTENDEE:mailto:a@example.com\n"
#define ACCEPTED          "ORGANIZER:mailto:me@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com\n"
#define FILE_A            "ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.txt:YQ==\n"
#define ALARM_AT(minutes) ALARM("ACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT" minutes "M\n")

static const struct retry {
    const char *what;
    const char *asked; /* by the first attempt; NULL: nobody knows */
    const char *there, *wanted;
    bool named; /* the client names the version that it changes */
    bool overtaken, yielded;
} retries[] = {
    {"the same", "SUMMARY:a\n", "SUMMARY:a\n", "SUMMARY:a\n", .overtaken = false},
    {"the client has changed its mind", "SUMMARY:a\n", "SUMMARY:a\n", "SUMMARY:b\n", .overtaken = false},
    {"somebody has changed what it says", "SUMMARY:a\n", "SUMMARY:c\n", "SUMMARY:a\n", .overtaken = true},
    {"... and where", "LOCATION:a\n", "LOCATION:c\n", "LOCATION:b\n", .overtaken = true},
    {"... to what is wanted now", "SUMMARY:a\n", "SUMMARY:b\n", "SUMMARY:b\n", .overtaken = false},
    {"... which the client knows", "SUMMARY:a\n", "SUMMARY:c\n", "SUMMARY:a\n", .named = true, .overtaken = false},
    {"asked for what nobody knows any more", NULL, "SUMMARY:a\n", "SUMMARY:a\n", .overtaken = false},
    {"asked for something else, perhaps", NULL, "SUMMARY:c\n", "SUMMARY:a\n", .overtaken = true},
    {"exceptions are still missing", SERIES "EXDATE:20260107T100000Z\n", SERIES, SERIES "EXDATE:20260107T100000Z\n",
     .overtaken = false},
    {"an exception of somebody else's", SERIES, SERIES "EXDATE:20260107T100000Z\n", SERIES, .overtaken = true},
    {"an attachment is still missing", FILE_A, "SUMMARY:a\n", FILE_A, .overtaken = true}, /* the summary differs */
    {"only an attachment is still missing", FILE_A, "", FILE_A, .overtaken = false},
    {"an attachment of somebody else's", "", FILE_A, "", .overtaken = true},
    {"a guest has answered", NO_ANSWER, ACCEPTED, NO_ANSWER, .overtaken = false},
    {"a reminder that the server fills in", "", ALARM_AT("15"), "", .overtaken = false, .yielded = true},
    {"... beside a change of the client's", "SUMMARY:a\n", "SUMMARY:a\n" ALARM_AT("15"), "SUMMARY:b\n",
     .overtaken = false, .yielded = true},
    {"... beside a change of somebody's", "SUMMARY:a\n", "SUMMARY:c\n" ALARM_AT("15"), "SUMMARY:a\n", .overtaken = true,
     .yielded = true},
    {"... where the client wants another one now", "", ALARM_AT("15"), ALARM_AT("5"), .overtaken = true},
    {"a text that the server writes in its own way", "DESCRIPTION:a\n", "DESCRIPTION:a \n b\n", "DESCRIPTION:a\n",
     .overtaken = false, .yielded = true},
};

static void read_lines(struct arena *a, const char *lines, struct event *ret)
{
    struct str extras;
    ical_kit_read(a, EVENT, lines, ret, &extras);
}

static void judge(struct fixture *f, const struct retry *r)
{
    struct arena arena = {0};
    struct err err = {0};
    struct journal_row row = {0};
    struct calendar_write first = {.account = &f->account, .folder_pk = CAL}, again = first;
    read_lines(&arena, r->asked ? r->asked : r->wanted, &first.wanted);
    if (r->asked && !calendar_write_journal(&first, &row, &err))
        fail_msg("%s: %s", r->what, err.text);
    read_lines(&arena, r->wanted, &again.wanted);
    read_lines(&arena, r->there, &again.base);
    again.exists = again.has_base = true;
    again.known.ical_uid = again.wanted.uid;
    again.condition = (struct calendar_condition){.must_not_exist = !r->named, .must_exist = r->named};
    calendar_write_adopt(&again);
    if (!r->asked) /* the row is of another version of the program */
        again.adopted = again.must_be_equal = true;
    assert_int_equal(again.adopted, !r->named);
    if (again.adopted)
        calendar_write_meet(&again);
    assert_int_equal(again.has_asked, r->asked && !r->named);
    if (calendar_write_is_overtaken(&again) != r->overtaken || again.yielded != r->yielded)
        fail_msg("%s: %s, %s", r->what, r->overtaken ? "not overtaken" : "overtaken",
                 again.yielded ? "yielded" : "not yielded");
    if (r->yielded && !r->overtaken)
        assert_int_equal(event_differ(&again.base, &again.wanted) & (EVENT_PART_REMINDER | EVENT_PART_BODY), 0);
    if (first.journal_pk)
        assert_true(store_journal_set(f->account.store, first.journal_pk, JOURNAL_SENT, &err));
    arena_done(&first.arena);
    arena_done(&again.arena);
    arena_done(&arena);
}

static void every_retry(void **state)
{
    for (size_t i = 0; i < COUNT(retries); i++)
        judge(*state, &retries[i]);
}

/* The evidence is the first attempt's as long as its outcome is unknown, and anew afterwards. */
static void evidence(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct journal_row rows[3] = {{0}}, none;
    struct arena arena = {0};
    struct calendar_write w[3];
    for (size_t i = 0; i < 3; i++) {
        w[i] = (struct calendar_write){.account = &f->account, .folder_pk = CAL};
        read_lines(&arena, "", &w[i].wanted);
        assert_int_equal(calendar_write_was_begun(&w[i], CAL, w[i].wanted.uid, &rows[i]), i == 1);
        assert_true(calendar_write_journal(&w[i], &rows[i], &err));
        assert_false(calendar_write_was_begun(&w[i], CAL + 1, w[i].wanted.uid, &none));
        if (i == 1)
            assert_true(store_journal_set(f->account.store, w[i].journal_pk, JOURNAL_SENT, &err));
    }
    assert_true(w[0].journal_pk == w[1].journal_pk && w[1].journal_pk != w[2].journal_pk);
    assert_string_equal(rows[0].evidence, rows[1].evidence);
    assert_string_not_equal(rows[1].evidence, rows[2].evidence);
    for (size_t i = 0; i < 3; i++)
        arena_done(&w[i].arena);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(evidence, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
