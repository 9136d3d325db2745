/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of messages here alone, when another program moves them (bridge/store_marks.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "bridge/store_write.h"
#include "tests/unit/temp_dir.h"

#define JUNK ITEM_MARK_FIRST

enum { INBOX = 1, OTHER = 2 };

struct fixture {
    char *dir;
    struct store *store;
};

static void page(struct fixture *f, int64_t folder, const struct item_info *items, size_t n)
{
    struct store_page p = {items, n, STR("k"), false, NULL};
    struct store_applied done;
    struct err err = {0};
    if (!store_apply_page(f->store, folder, &p, false, &done, &err))
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    static struct fixture f;
    static const struct folder_info folders[] = {{.id = {"f1", 2}, .name = {"Inbox", 5}, .use = USE_INBOX},
                                                 {.id = {"f2", 2}, .name = {"Other", 5}}};
    struct err err = {0};
    bool rebuilt;
    f = (struct fixture){.dir = temp_dir_new()};
    f.store = store_open(f.dir, &rebuilt, &err);
    if (!f.store || !store_apply_folders(f.store, folders, 2, true, STR("h"), &err))
        fail_msg("%s", err.text);
    page(&f, INBOX, NULL, 0);
    page(&f, OTHER, NULL, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    temp_dir_done(&f->dir);
    return 0;
}

static struct item_info item(const char *id, int64_t received, const char *message_id, unsigned known)
{
    return (struct item_info){.id = str_from(id),
                              .received_ms = received,
                              .flags_known = known,
                              .size_estimate = 10,
                              .message_id = str_from(message_id)};
}

static struct item_info gone(const char *id)
{
    return (struct item_info){.id = str_from(id), .gone = true};
}

static void put(struct fixture *f, int64_t folder, struct item_info what)
{
    page(f, folder, &what, 1);
}

static void set(struct fixture *f, int64_t folder, uint32_t uid, unsigned flags)
{
    struct arena arena = {0};
    struct store_item old;
    struct err err = {0};
    assert_true(store_item_by_uid(f->store, folder, uid, &arena, &old));
    struct store_flags now = {.pk = old.pk, .was = old.flags, .flags = flags};
    assert_true(store_flags_done(f->store, folder, &now, 1, &err));
    arena_done(&arena);
}

static unsigned flags_of(struct fixture *f, int64_t folder, uint32_t uid)
{
    struct arena arena = {0};
    struct store_item found;
    assert_true(store_item_by_uid(f->store, folder, uid, &arena, &found));
    arena_done(&arena);
    return found.flags;
}

static void moved_by_another_program(void **state)
{
    struct fixture *f = *state;
    for (uint32_t leaves_first = 0; leaves_first < 2; leaves_first++) {
        char from[8], to[8];
        uint32_t uid = leaves_first + 1;
        snprintf(from, sizeof(from), "a%u", leaves_first);
        snprintf(to, sizeof(to), "b%u", leaves_first);
        put(f, INBOX, item(from, 100 + leaves_first, "m", ITEM_SEEN | ITEM_ANSWERED));
        set(f, INBOX, uid, JUNK | ITEM_DELETED | ITEM_ANSWERED);
        if (leaves_first)
            put(f, INBOX, gone(from));
        put(f, OTHER, item(to, 100 + leaves_first, "m", ITEM_SEEN | ITEM_ANSWERED));
        assert_int_equal(flags_of(f, OTHER, uid), JUNK); /* the rest is the server's to say, or not about the message */
        if (!leaves_first)
            put(f, INBOX, gone(from));
        assert_int_equal(flags_of(f, OTHER, uid), JUNK);
    }
}

/* ActiveSync has no place for them. */
static void answered_where_the_server_does_not_know(void **state)
{
    struct fixture *f = *state;
    put(f, INBOX, item("a", 100, "m", ITEM_SEEN));
    set(f, INBOX, 1, ITEM_ANSWERED | ITEM_FORWARDED);
    put(f, INBOX, gone("a"));
    put(f, OTHER, item("b", 100, "m", ITEM_SEEN));
    assert_int_equal(flags_of(f, OTHER, 1), ITEM_ANSWERED | ITEM_FORWARDED);
}

static void another_message(void **state)
{
    struct fixture *f = *state;
    put(f, INBOX, item("a", 100, "m", ITEM_SEEN));
    put(f, INBOX, item("nameless", 100, "", ITEM_SEEN));
    set(f, INBOX, 1, JUNK);
    set(f, INBOX, 2, JUNK);
    put(f, INBOX, gone("nameless"));
    put(f, OTHER, item("b", 101, "m", ITEM_SEEN));
    put(f, OTHER, item("c", 100, "n", ITEM_SEEN));
    put(f, OTHER, item("d", 100, "", ITEM_SEEN));
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_int_equal(flags_of(f, OTHER, uid), 0);
}

/* The last word counts: also that there is nothing to be remembered any more. */
static void there_and_back(void **state)
{
    struct fixture *f = *state;
    put(f, INBOX, item("a", 100, "m", ITEM_SEEN));
    set(f, INBOX, 1, JUNK);
    put(f, INBOX, gone("a"));
    put(f, OTHER, item("b", 100, "m", ITEM_SEEN));
    set(f, OTHER, 1, JUNK << 1);
    put(f, OTHER, gone("b"));
    put(f, INBOX, item("c", 100, "m", ITEM_SEEN));
    assert_int_equal(flags_of(f, INBOX, 2), JUNK << 1);
    set(f, INBOX, 2, 0);
    put(f, INBOX, gone("c"));
    put(f, OTHER, item("d", 100, "m", ITEM_SEEN));
    assert_int_equal(flags_of(f, OTHER, 2), 0);
    set(f, OTHER, 2, JUNK);
    put(f, INBOX, item("e", 100, "m", ITEM_SEEN)); /* is told of first */
    put(f, OTHER, gone("d"));
    set(f, INBOX, 3, 0);
    put(f, OTHER, item("f", 100, "m", ITEM_SEEN));
    assert_int_equal(flags_of(f, OTHER, 3), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(moved_by_another_program), T(answered_where_the_server_does_not_know),
                                       T(another_message), T(there_and_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
