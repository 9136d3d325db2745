/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "bridge/base/time.h"
#include "bridge/store_write.h"
#include "tests/unit/temp_dir.h"

struct fixture {
    char *dir;
    struct store *store;
    int64_t inbox;
};

static void reopen(struct fixture *f, bool expect_rebuilt)
{
    struct err err = {0};
    bool rebuilt = false;
    store_close(&f->store);
    f->store = store_open(f->dir, &rebuilt, &err);
    if (!f->store)
        fail_msg("%s", err.text);
    assert_int_equal(rebuilt, expect_rebuilt);
}

static const struct folder_info inbox_info = {.id = {"f1", 2}, .name = {"Inbox", 5}, .use = USE_INBOX};

static void add_folders(struct fixture *f, const struct folder_info *list, size_t n, bool full)
{
    struct err err = {0};
    if (!store_apply_folders(f->store, list, n, full, STR("h1"), &err))
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.dir = temp_dir_new()};
    reopen(&f, false);
    add_folders(&f, &inbox_info, 1, true);
    f.inbox = 1;
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

static struct item_info item(const char *id, int64_t received, const char *message_id)
{
    return (struct item_info){
        .id = str_from(id),
        .received_ms = received,
        .flags_known = ITEM_SEEN | ITEM_FLAGGED,
        .size_estimate = 1000,
        .message_id = str_from(message_id),
    };
}

static struct store_applied page(struct fixture *f, const struct item_info *items, size_t n, const char *cursor,
                                 bool more)
{
    struct store_applied done = {0};
    struct err err = {0};
    struct store_page p = {items, n, str_from(cursor), more, NULL};
    if (!store_apply_page(f->store, f->inbox, &p, false, &done, &err))
        fail_msg("%s", err.text);
    return done;
}

static void on_row(void *ud, const struct store_row *row)
{
    buf_printf(ud, "%u:%lld%s ", row->uid, (long long)row->received_ms, row->flags & ITEM_SEEN ? "s" : "");
}

/* "uid:received" of every announced message. */
static void expect(struct fixture *f, uint64_t modseq, const char *rows)
{
    struct buf out = {0};
    struct err err = {0};
    assert_true(store_rows(f->store, f->inbox, modseq, on_row, &out, &err));
    assert_string_equal(buf_z(&out), rows);
    buf_done(&out);
}

static struct store_counts counts(struct fixture *f)
{
    struct store_counts c = {0};
    struct err err = {0};
    assert_true(store_counts(f->store, f->inbox, &c, &err));
    return c;
}

static void expect_cursor(struct fixture *f, const char *cursor)
{
    struct buf out = {0};
    assert_true(store_cursor(f->store, f->inbox, &out));
    assert_string_equal(buf_z(&out), cursor);
    buf_done(&out);
}

static void first_sync_gives_uids_in_received_order(void **state)
{
    struct fixture *f = *state;
    struct item_info one[] = {item("c", 300, "c"), item("b", 200, "b")}, two[] = {item("a", 100, "a")};
    page(f, one, 2, "k1", true);
    expect(f, 0, "");
    reopen(f, false); /* kill -9 here resumes at the last page */
    expect_cursor(f, "k1");
    page(f, two, 1, "k2", false);
    expect(f, 0, "1:100 2:200 3:300 ");
    reopen(f, false);
    expect(f, 0, "1:100 2:200 3:300 ");
    assert_int_equal(counts(f).uidnext, 4);
}

static void announced_early_the_rest_gets_higher_uids(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one[] = {item("c", 300, "c")}, two[] = {item("a", 100, "a")};
    page(f, one, 1, "k1", true);
    assert_true(store_announce(f->store, f->inbox, &err));
    expect(f, 0, "1:300 ");
    page(f, two, 1, "k2", false);
    expect(f, 0, "1:300 2:100 ");
}

static void changes_and_echoes(void **state)
{
    struct fixture *f = *state;
    struct item_info one[] = {item("a", 100, "a"), item("b", 200, "b")};
    page(f, one, 2, "k1", false);
    uint64_t before = counts(f).modseq;
    struct item_info seen = {.id = STR("a"), .received_ms = TIME_NONE, .flags = ITEM_SEEN, .flags_known = ITEM_SEEN};
    assert_true(page(f, &seen, 1, "k2", false).shown);
    expect(f, before, "1:100s ");
    uint64_t after = counts(f).modseq;
    assert_true(after > before);
    assert_false(page(f, &seen, 1, "k3", false).shown); /* an echo is no change */
    assert_int_equal(counts(f).modseq, after);
    struct item_info strange = {
        .id = STR("zz"), .received_ms = TIME_NONE, .flags = ITEM_SEEN, .flags_known = ITEM_SEEN};
    assert_int_equal(page(f, &strange, 1, "k4", false).strange, 1);
    expect(f, 0, "1:100s 2:200 ");
}

static void vanished_are_logged_and_uids_never_reused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct arena arena = {0};
    struct item_info one[] = {item("a", 100, "a"), item("b", 200, "b")};
    page(f, one, 2, "k1", false);
    uint64_t before = counts(f).modseq;
    struct item_info gone = {.id = STR("b"), .gone = true}, c = item("c", 300, "c");
    page(f, &gone, 1, "k2", false);
    reopen(f, false);
    page(f, &c, 1, "k3", false);
    expect(f, 0, "1:100 3:300 ");
    uint32_t *uids;
    size_t n;
    bool complete;
    assert_true(store_expunged(f->store, f->inbox, before, &arena, &uids, &n, &complete, &err));
    assert_int_equal(n, 1);
    assert_int_equal(uids[0], 2);
    assert_true(complete);
    arena_done(&arena);
}

static void edited_draft_gets_a_new_uid(void **state)
{
    struct fixture *f = *state;
    struct item_info one = item("a", 100, "a");
    page(f, &one, 1, "k1", false);
    one.content_changed = true;
    one.received_ms = 150;
    page(f, &one, 1, "k2", false);
    expect(f, 0, "2:150 ");
    int64_t pks[4];
    assert_int_equal(store_dropped(f->store, pks, 4), 1); /* the old content goes */
}

/* A flag of a draft set by us comes back as an update of the draft, with the change key we were told. */
static void own_change_of_a_draft_is_no_edit(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one = item("a", 100, "a");
    page(f, &one, 1, "k1", false);
    struct store_flags done = {.pk = 1, .flags = ITEM_SEEN, .change = STR("v2")};
    assert_true(store_flags_done(f->store, f->inbox, &done, 1, &err));
    one.change = STR("v2");
    one.content_changed = true;
    one.flags = ITEM_SEEN;
    assert_false(page(f, &one, 1, "k2", false).shown);
    expect(f, 0, "1:100s ");
    one.change = STR("v3");
    page(f, &one, 1, "k3", false);
    expect(f, 0, "2:100s ");
}

static void resync(struct fixture *f)
{
    struct err err = {0};
    assert_true(store_resync(f->store, f->inbox, &err));
    expect_cursor(f, "");
}

static void resync_keeps_uids_by_id(void **state)
{
    struct fixture *f = *state;
    struct item_info one[] = {item("a", 100, "a"), item("b", 200, "b"), item("c", 300, "")};
    page(f, one, 3, "k1", false);
    resync(f);
    expect(f, 0, "1:100 2:200 3:300 "); /* the old list is served meanwhile */
    struct item_info two[] = {item("c", 300, ""), item("a", 100, "a")}, three[] = {item("d", 400, "d")};
    two[1].flags = ITEM_SEEN;
    page(f, two, 2, "n1", true);
    reopen(f, false);
    expect(f, 0, "1:100 2:200 3:300 ");
    page(f, three, 1, "n2", false);
    expect(f, 0, "1:100s 3:300 4:400 ");
}

/* What a change may be based on: not on what a resync is about to replace. */
static void expect_cursor_of(struct fixture *f, const char *id, const char *cursor)
{
    struct buf out = {0};
    assert_int_equal(store_cursor_by_id(f->store, str_from(id), &out), cursor != NULL);
    assert_string_equal(buf_z(&out), cursor ? cursor : "");
    buf_done(&out);
}

static void cursor_by_server_id(void **state)
{
    struct fixture *f = *state;
    struct item_info one = item("a", 100, "m1");
    expect_cursor_of(f, "f1", NULL);
    page(f, &one, 1, "k1", true);
    expect_cursor_of(f, "f1", "k1");
    expect_cursor_of(f, "f2", NULL);
    page(f, NULL, 0, "k2", false);
    expect_cursor_of(f, "f1", "k2");
    resync(f);
    expect_cursor_of(f, "f1", NULL);
    page(f, &one, 1, "k3", true);
    expect_cursor_of(f, "f1", NULL);
    page(f, NULL, 0, "k4", false);
    expect_cursor_of(f, "f1", "k4");
}

static void resync_with_minted_ids(void **state)
{
    struct fixture *f = *state;
    struct item_info one[] = {item("1", 100, "a"), item("2", 200, "b"), item("3", 300, "twin"), item("4", 300, "twin")};
    page(f, one, 4, "k1", false);
    resync(f);
    /* New ids; "1" now means another message; twins cannot be told apart. */
    struct item_info two[] = {item("1", 200, "b"), item("9", 100, "a"), item("7", 300, "twin"), item("8", 300, "twin")};
    page(f, two, 4, "n1", false);
    expect(f, 0, "1:100 2:200 5:300 6:300 ");
    struct err err = {0};
    struct arena arena = {0};
    struct str id;
    uint64_t estimate;
    assert_true(store_item_id(f->store, 1, &arena, &id, &estimate));
    assert_true(str_is(id, "9"));
    arena_done(&arena);
    resync(f);
    resync(f); /* interrupted and begun anew */
    page(f, two, 4, "n1", false);
    expect(f, 0, "1:100 2:200 5:300 6:300 ");
    (void)err;
}

static uint32_t uidvalidity(struct fixture *f)
{
    return counts(f).uidvalidity;
}

static void make(struct fixture *f, const char *id, int64_t received)
{
    struct err err = {0};
    struct store_created one = {.server_id = str_from(id), .received_ms = received, .size = 10, .told_again = true};
    assert_true(store_created(f->store, f->inbox, &one, 1, &err));
    assert_true(one.new_uid);
}

static void begin_sync(struct fixture *f)
{
    struct err err = {0};
    assert_true(store_sync_begins(f->store, f->inbox, &err));
}

/* Taken away by somebody else before a sync told of it: no sync ever will. */
static void what_we_made_is_there_or_gone_after_a_whole_sync(void **state)
{
    struct fixture *f = *state;
    struct item_info first[] = {item("a", 100, "a")}, told[] = {item("kept", 200, "kept")};
    page(f, first, 1, "k1", false);
    make(f, "kept", 200);
    make(f, "gone", 300);
    page(f, NULL, 0, "k2", false); /* asked for before they were made */
    expect(f, 0, "1:100 2:200 3:300 ");
    begin_sync(f);
    make(f, "late", 400);
    page(f, told, 1, "k3", true);
    expect(f, 0, "1:100 2:200 3:300 4:400 ");
    reopen(f, false); /* kill -9: what was asked for stays asked for */
    uint64_t before = counts(f).modseq;
    page(f, NULL, 0, "k4", false);
    expect(f, 0, "1:100 2:200 4:400 ");
    assert_true(counts(f).modseq > before);
    struct item_info late[] = {item("late", 400, "late")};
    begin_sync(f);
    page(f, late, 1, "k5", false);
    begin_sync(f);
    page(f, NULL, 0, "k6", false);
    expect(f, 0, "1:100 2:200 4:400 ");
}

static void what_we_made_survives_a_resync(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info first[] = {item("a", 100, "a")}, told[] = {item("a", 100, "a"), item("kept", 200, "")};
    page(f, first, 1, "k1", false);
    make(f, "kept", 200);
    make(f, "gone", 300);
    assert_true(store_resync(f->store, f->inbox, &err));
    begin_sync(f);
    make(f, "late", 400);
    page(f, told, 2, "k2", false);
    expect(f, 0, "1:100 2:200 4:400 ");
    begin_sync(f);
    page(f, NULL, 0, "k3", false);
    expect(f, 0, "1:100 2:200 ");
}

/* An appended message has our clock's time here until it is listed anew. */
static void a_resync_knows_what_we_made_by_its_version(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_created one = {
        .server_id = STR("x"), .change = STR("v1"), .received_ms = 100, .size = 10, .told_again = true};
    struct item_info told[] = {item("x", 101, "x"), item("y", 200, "y")};
    page(f, NULL, 0, "k1", false);
    assert_true(store_created(f->store, f->inbox, &one, 1, &err));
    told[0].change = STR("v1");
    told[1].change = STR_NULL;
    begin_sync(f);
    page(f, told, 2, "k2", false);
    expect(f, 0, "1:100 2:200 ");
    for (int i = 0; i < 2; i++) {
        resync(f);
        begin_sync(f);
        page(f, told, 2, "n", false);
        expect(f, 0, "1:100 2:200 ");
    }
    told[1].received_ms = 201; /* no version: not the same */
    resync(f);
    page(f, told, 2, "n", false);
    expect(f, 0, "1:100 3:201 ");
}

/* The same where servers tell no versions (ActiveSync): by what the message says of itself, which we have. */
static void a_resync_knows_what_we_made_by_itself(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_created one = {
        .server_id = STR("x"), .received_ms = 100, .size = 10, .size_exact = true, .message_id = STR("m")};
    struct item_info told = item("x", 101, "m"), other = item("x", 102, "another");
    page(f, NULL, 0, "k1", false);
    assert_true(store_created(f->store, f->inbox, &one, 1, &err));
    resync(f);
    page(f, &told, 1, "n", false);
    expect(f, 0, "1:100 ");
    resync(f);
    page(f, &other, 1, "n", false);
    expect(f, 0, "2:102 ");
}

/* --- two at one item -------------------------------------------------------------------------- */

static int64_t add_target(struct fixture *f)
{
    struct folder_info target = {.id = STR("f2"), .name = STR("Target")};
    struct store_page p = {NULL, 0, STR("t1"), false, NULL};
    struct store_applied done;
    struct err err = {0};
    add_folders(f, &target, 1, false);
    assert_true(store_apply_page(f->store, 2, &p, false, &done, &err));
    return 2;
}

static void expect_in(struct fixture *f, int64_t folder_pk, const char *rows)
{
    int64_t inbox = f->inbox;
    f->inbox = folder_pk;
    expect(f, 0, rows);
    f->inbox = inbox;
}

/* It was asked for under its old id while it was moved. */
static void moved_is_not_gone(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one[] = {item("a", 100, "a"), item("b", 200, "b")};
    page(f, one, 2, "k1", false);
    int64_t target = add_target(f);
    struct store_moved moved = {.pk = 1, .new_id = STR("a2")};
    assert_true(store_moved(f->store, f->inbox, target, &moved, 1, &err));
    assert_int_equal(moved.new_uid, 1);
    assert_true(store_item_gone(f->store, f->inbox, 1, STR("a"), &err));
    assert_true(store_items_gone(f->store, f->inbox, (int64_t[]){1}, 1, &err));
    expect_in(f, target, "1:100 ");
    /* and flags that were set in the old place are no change in the new one's numbers */
    struct store_flags flags = {.pk = 1, .flags = ITEM_SEEN};
    assert_true(store_flags_done(f->store, f->inbox, &flags, 1, &err));
    expect_in(f, target, "1:100 ");
    assert_true(store_item_gone(f->store, target, 1, STR("a2"), &err));
    expect_in(f, target, "");
    expect(f, 0, "2:200 ");
}

/* It got another id meanwhile: the folder was collected anew. */
static void another_id_is_not_gone(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one = item("a", 100, "a"), again = item("z", 100, "a");
    page(f, &one, 1, "k1", false);
    resync(f);
    page(f, &again, 1, "n", false);
    uint64_t before = counts(f).modseq;
    assert_true(store_item_gone(f->store, f->inbox, 1, STR("a"), &err));
    expect(f, 0, "1:100 ");
    assert_int_equal(counts(f).modseq, before);
}

/* The first folder's sync told that it is gone before the answer to the move came: no UID is told that nothing has. */
static void a_move_that_a_sync_overtook(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one = item("a", 100, "a"), gone = {.id = STR("a"), .gone = true}, there = item("a2", 100, "a");
    page(f, &one, 1, "k1", false);
    int64_t target = add_target(f);
    page(f, &gone, 1, "k2", false);
    struct store_moved moved = {.pk = 1, .new_id = STR("a2")};
    assert_true(store_moved(f->store, f->inbox, target, &moved, 1, &err));
    assert_int_equal(moved.new_uid, 0);
    struct store_page p = {&there, 1, STR("t2"), false, NULL};
    struct store_applied done;
    assert_true(store_sync_begins(f->store, target, &err));
    assert_true(store_apply_page(f->store, target, &p, false, &done, &err));
    expect_in(f, target, "1:100 ");
}

/* Decided from the same flags, confirmed one after the other. */
static void flags_of_two(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one = item("a", 100, "a");
    struct arena arena = {0};
    struct store_item row;
    one.flags = ITEM_FLAGGED;
    page(f, &one, 1, "k1", false);
    struct store_flags seen = {.pk = 1, .was = ITEM_FLAGGED, .flags = ITEM_FLAGGED | ITEM_SEEN},
                       deleted = {.pk = 1, .was = ITEM_FLAGGED, .flags = ITEM_DELETED};
    assert_true(store_flags_done(f->store, f->inbox, &deleted, 1, &err));
    assert_true(store_flags_done(f->store, f->inbox, &seen, 1, &err));
    assert_true(store_item_by_uid(f->store, f->inbox, 1, &arena, &row));
    assert_int_equal(row.flags, ITEM_SEEN | ITEM_DELETED);
    arena_done(&arena);
}

/* More than the log keeps: whoever has the folder open hears of all of them first. */
static void many_vanish_at_once(void **state)
{
    enum { MANY = 20500 };
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info *all = calloc(MANY, sizeof(*all));
    char(*ids)[8] = calloc(MANY, sizeof(*ids));
    for (int i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof(ids[i]), "i%d", i);
        all[i] = item(ids[i], 100 + i, ids[i]);
    }
    page(f, all, MANY, "k1", false);
    uint64_t before = counts(f).modseq;
    resync(f);
    page(f, all, 1, "n1", false);
    struct arena arena = {0};
    uint32_t *uids;
    size_t n;
    bool complete;
    assert_true(store_expunged(f->store, f->inbox, before, &arena, &uids, &n, &complete, &err));
    assert_true(complete);
    assert_int_equal(n, MANY - 1);
    /* What the journal has grown to is given back. */
    struct stat wal;
    char path[256];
    snprintf(path, sizeof(path), "%s/state.db-wal", f->dir);
    assert_true(stat(path, &wal) == 0 && wal.st_size > 5 << 20);
    page(f, all, 0, "n2", false);
    page(f, all, 0, "n3", false);
    assert_true(stat(path, &wal) == 0 && wal.st_size <= 4 << 20);
    page(f, all, 0, "n4", false); /* and the log is trimmed */
    assert_true(store_expunged(f->store, f->inbox, before, &arena, &uids, &n, &complete, &err));
    assert_false(complete);
    arena_done(&arena);
    free(ids);
    free(all);
}

static void uidvalidity_grows(void **state)
{
    struct fixture *f = *state;
    uint32_t first = uidvalidity(f);
    assert_true(first > 1700000000);
    /* deleted and made anew under the same id */
    struct folder_info gone = {.id = STR("f1"), .gone = true};
    add_folders(f, &gone, 1, false);
    add_folders(f, &inbox_info, 1, false);
    f->inbox = 2;
    uint32_t second = uidvalidity(f);
    assert_true(second > first);
    /* a rename keeps it */
    struct folder_info renamed = inbox_info;
    renamed.name = STR("Posteingang");
    add_folders(f, &renamed, 1, false);
    assert_int_equal(uidvalidity(f), second);
    /* state.db lost */
    char path[256];
    store_close(&f->store);
    snprintf(path, sizeof(path), "%s/state.db", f->dir);
    assert_int_equal(unlink(path), 0);
    reopen(f, false);
    add_folders(f, &inbox_info, 1, true);
    f->inbox = 1;
    assert_true(uidvalidity(f) > second);
}

static void uidvalidity_mirror_beats_the_clock(void **state)
{
    struct fixture *f = *state;
    char path[256];
    store_close(&f->store);
    snprintf(path, sizeof(path), "%s/state.db", f->dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/uidvalidity", f->dir);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "4000000000\n", 11), 11);
    close(fd);
    reopen(f, false);
    add_folders(f, &inbox_info, 1, true);
    assert_int_equal(uidvalidity(f), 4000000001u);
}

static void damaged_state_is_kept_aside(void **state)
{
    struct fixture *f = *state;
    uint32_t before = uidvalidity(f);
    char path[256], garbage[8192];
    memset(garbage, 'x', sizeof(garbage));
    store_close(&f->store);
    snprintf(path, sizeof(path), "%s/state.db", f->dir);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, garbage, sizeof(garbage)), (ssize_t)sizeof(garbage));
    close(fd);
    snprintf(path, sizeof(path), "%s/state.db-wal", f->dir);
    unlink(path);
    reopen(f, true);
    add_folders(f, &inbox_info, 1, true);
    assert_true(uidvalidity(f) > before);
}

static void second_process_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    bool rebuilt;
    assert_null(store_open(f->dir, &rebuilt, &err));
    assert_int_equal(err.code, ERR_EXISTS);
}

static void folder_labels(void **state)
{
    struct fixture *f = *state;
    struct folder_info list[] = {
        inbox_info,
        {.id = STR("x"), .name = STR("inbox")},
        {.id = STR("y"), .name = STR("Twin")},
        {.id = STR("z"), .name = STR("twin")},
    };
    add_folders(f, list, 4, true);
    add_folders(f, list + 3, 1, false);
    struct arena arena = {0};
    struct store_folder *rows;
    size_t n;
    struct err err = {0};
    assert_true(store_folders(f->store, &arena, &rows, &n, &err));
    assert_int_equal(n, 4);
    assert_true(str_is(rows[0].label, "INBOX"));
    assert_true(str_is(rows[1].label, "inbox (2)"));
    assert_true(str_is(rows[2].label, "Twin"));
    assert_true(str_is(rows[3].label, "twin (2)"));
    /* the first twin goes: the other keeps its name */
    struct folder_info left[] = {list[0], list[1], list[3]};
    add_folders(f, left, 3, true);
    assert_true(store_folders(f->store, &arena, &rows, &n, &err));
    assert_int_equal(n, 3);
    assert_true(str_is(rows[2].label, "twin (2)"));
    arena_done(&arena);
}

static void sizes_once_told_stay(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct item_info one[] = {item("a", 100, "a"), item("b", 200, "b")};
    page(f, one, 2, "k1", false);
    uint64_t padded = 2 * (uint64_t)store_pad_size(1000);
    assert_int_equal(counts(f).size, padded);
    uint32_t told = 1;
    assert_true(store_sizes_told(f->store, f->inbox, &told, 1, &err));
    struct item_size exact[] = {{f->inbox, 1, 7}, {f->inbox, 2, 8}, {f->inbox, 2, 9}}; /* the first is final */
    assert_true(store_sizes_exact(f->store, exact, 3, &err));
    assert_int_equal(counts(f).size, store_pad_size(1000) + 8);
}

static void persist_and_subscriptions(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct buf out = {0};
    assert_true(store_persist_put(f->store, STR("k"), STR("v\0w"), &err));
    reopen(f, false);
    assert_true(store_persist_get(f->store, STR("k"), &out));
    assert_true(str_eq(buf_view(&out), STR("v\0w")));
    assert_true(store_persist_put(f->store, STR("k"), STR_NULL, &err));
    assert_false(store_persist_get(f->store, STR("k"), &out));
    buf_done(&out);
    struct arena arena = {0};
    struct str *names;
    size_t n;
    assert_true(store_subscribe(f->store, STR("A"), true, &err));
    assert_true(store_subscribe(f->store, STR("B"), true, &err));
    assert_true(store_subscribe(f->store, STR("A"), false, &err));
    assert_true(store_subscriptions(f->store, true, &arena, &names, &n, &err));
    assert_int_equal(n, 1);
    assert_true(str_is(names[0], "B"));
    assert_true(store_subscriptions(f->store, false, &arena, &names, &n, &err));
    assert_int_equal(n, 1);
    arena_done(&arena);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_sync_gives_uids_in_received_order),
        TEST(announced_early_the_rest_gets_higher_uids),
        TEST(changes_and_echoes),
        TEST(vanished_are_logged_and_uids_never_reused),
        TEST(edited_draft_gets_a_new_uid),
        TEST(own_change_of_a_draft_is_no_edit),
        TEST(resync_keeps_uids_by_id),
        TEST(cursor_by_server_id),
        TEST(resync_with_minted_ids),
        TEST(what_we_made_is_there_or_gone_after_a_whole_sync),
        TEST(what_we_made_survives_a_resync),
        TEST(a_resync_knows_what_we_made_by_its_version),
        TEST(a_resync_knows_what_we_made_by_itself),
        TEST(moved_is_not_gone),
        TEST(another_id_is_not_gone),
        TEST(a_move_that_a_sync_overtook),
        TEST(flags_of_two),
        TEST(many_vanish_at_once),
        TEST(uidvalidity_grows),
        TEST(uidvalidity_mirror_beats_the_clock),
        TEST(damaged_state_is_kept_aside),
        TEST(second_process_is_refused),
        TEST(folder_labels),
        TEST(sizes_once_told_stay),
        TEST(persist_and_subscriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
