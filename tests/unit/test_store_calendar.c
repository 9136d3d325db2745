/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "bridge/base/time.h"
#include "bridge/store_calendar.h"
#include "bridge/store_write.h"
#include "tests/unit/temp_dir.h"

struct fixture {
    char *dir;
    struct store *store;
    struct arena arena;
};

static const struct folder_info folders[] = {
    {.id = {"cal", 3}, .name = {"Calendar", 8}, .kind = FOLDER_CALENDAR},
    {.id = {"todo", 4}, .name = {"Tasks", 5}, .kind = FOLDER_TASKS},
};
#define CAL 1

static void reopen(struct fixture *f)
{
    struct err err = {0};
    bool rebuilt = false;
    store_close(&f->store);
    f->store = store_open(f->dir, &rebuilt, &err);
    if (!f->store)
        fail_msg("%s", err.text);
    assert_false(rebuilt);
}

static int setup(void **state)
{
    static struct fixture f;
    struct err err = {0};
    f = (struct fixture){.dir = temp_dir_new()};
    reopen(&f);
    if (!store_apply_folders(f.store, folders, 2, true, STR("h"), &err))
        fail_msg("%s", err.text);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    temp_dir_done(&f->dir);
    arena_done(&f->arena);
    return 0;
}

/* "id uid digest", or "id" for one that is gone. */
static void page(struct fixture *f, const char *const *lines, bool more, const char *cursor)
{
    struct item_info items[16] = {0};
    struct store_event events[16] = {0};
    struct store_applied done;
    struct err err = {0};
    size_t n = 0;
    for (; lines[n]; n++) {
        struct str line = str_from(lines[n]), id = STR_NULL, uid = STR_NULL, digest = STR_NULL;
        str_cut(&line, ' ', &id);
        str_cut(&line, ' ', &uid);
        str_cut(&line, ' ', &digest);
        items[n] = (struct item_info){.id = id, .gone = uid.n == 0, .received_ms = 0, .message_id = uid};
        events[n] = (struct store_event){.ical_uid = uid, .digest = digest, .served = digest, .from = 10, .to = 20};
    }
    struct store_page p = {items, n, str_from(cursor), more, events};
    if (!store_apply_page(f->store, CAL, &p, false, &done, &err))
        fail_msg("%s", err.text);
}
#define PAGE(more, cursor, ...) page(f, (const char *const[]){__VA_ARGS__, NULL}, more, cursor)

static bool add_name(void *ud, const struct store_resource *r)
{
    buf_printf(ud, "%.*s=%.*s ", STR_ARG(r->name), STR_ARG(r->digest));
    return true;
}

static void assert_resources(struct fixture *f, uint64_t since, const char *expected)
{
    struct buf b = {0};
    struct err err = {0};
    assert_true(store_resources(f->store, CAL, since, INT64_MIN, INT64_MAX, add_name, &b, &err));
    assert_string_equal(buf_z(&b), expected);
    buf_done(&b);
}

static void assert_gone(struct fixture *f, uint64_t since, const char *expected)
{
    struct buf b = {0};
    struct err err = {0};
    struct str *names;
    size_t n;
    bool complete;
    assert_true(store_resources_gone(f->store, CAL, since, &f->arena, &names, &n, &complete, &err));
    if (!complete)
        buf_lit(&b, "incomplete");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%.*s ", STR_ARG(names[i]));
    assert_string_equal(buf_z(&b), expected);
    buf_done(&b);
}

static uint64_t modseq(struct fixture *f)
{
    struct store_counts c;
    struct err err = {0};
    assert_true(store_counts(f->store, CAL, &c, &err));
    return c.modseq;
}

static struct store_resource by_name(struct fixture *f, const char *name)
{
    struct store_resource r = {0};
    if (!store_resource_by_name(f->store, CAL, str_from(name), &f->arena, &r))
        fail_msg("%s is not there", name);
    return r;
}

static void pages_make_resources(void **state)
{
    struct fixture *f = *state;
    PAGE(true, "c1", "a uid-a A1", "b uid-b B1");
    assert_resources(f, 0, ""); /* the first sync is not complete: nothing is announced */
    PAGE(false, "c2", "c uid/with<strange>characters C1");
    assert_resources(f, 0, "uid-a.ics=A1 uid-b.ics=B1 aaf0f20ebc2e6299430a7da7217e7ba5.ics=C1 ");
}

static void only_what_changed_gets_a_revision(void **state)
{
    struct fixture *f = *state;
    PAGE(false, "c1", "a uid-a A1", "b uid-b B1");
    uint64_t before = modseq(f);
    PAGE(false, "c2", "a uid-a A1");
    assert_int_equal(modseq(f), before);
    assert_resources(f, before, "");
    PAGE(false, "c3", "b uid-b B2");
    assert_true(modseq(f) > before);
    assert_resources(f, before, "uid-b.ics=B2 ");
    assert_int_equal(by_name(f, "uid-b.ics").modseq, modseq(f));
    assert_true(by_name(f, "uid-a.ics").modseq <= before);
}

static void vanished_names_are_told(void **state)
{
    struct fixture *f = *state;
    PAGE(false, "c1", "a uid-a A1", "b uid-b B1", "c uid-c C1");
    uint64_t before = modseq(f);
    PAGE(false, "c2", "a");
    uint64_t between = modseq(f);
    PAGE(false, "c3", "c");
    assert_gone(f, before, "uid-a.ics uid-c.ics ");
    assert_gone(f, between, "uid-c.ics ");
    assert_gone(f, modseq(f), "");
    assert_gone(f, modseq(f) + 1, "incomplete"); /* a number that was never given */
    PAGE(false, "c4", "a2 uid-a A9");            /* it came back under its old name */
    assert_gone(f, before, "uid-c.ics ");
    reopen(f);
    assert_gone(f, before, "uid-c.ics ");
}

static void equal_uids_get_names_of_their_own(void **state)
{
    struct fixture *f = *state;
    PAGE(false, "c1", "a uid A1", "b uid B1");
    struct buf b = {0};
    struct err err = {0};
    assert_true(store_resources(f->store, CAL, 0, INT64_MIN, INT64_MAX, add_name, &b, &err));
    assert_string_equal(buf_z(&b), "uid.ics=A1 2-uid.ics=B1 ");
    buf_done(&b);
}

static void a_resync_keeps_names_and_revisions(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_resource put;
    struct store_event mine = {.ical_uid = STR("uid-b"),
                               .name = STR("my own.ics"),
                               .digest = STR("B1"),
                               .served = STR("B1"),
                               .extra = STR("X-KEPT:1")};
    PAGE(false, "c1", "a uid-a A1", "c uid-c C1");
    assert_true(store_event_put(f->store, CAL, STR("b"), STR("k1"), STR("uid-b"), &mine, &put, &err));
    uint64_t before = modseq(f), revision = by_name(f, "my own.ics").modseq;
    assert_true(store_resync(f->store, CAL, &err));
    PAGE(true, "d1", "b-new uid-b B1", "a-new uid-a A2");
    assert_resources(f, 0, "uid-a.ics=A1 uid-c.ics=C1 my own.ics=B1 "); /* the old list is served meanwhile */
    PAGE(false, "d2", "e uid-e E1");
    assert_resources(f, before, "uid-a.ics=A2 uid-e.ics=E1 ");
    assert_gone(f, before, "uid-c.ics ");
    struct store_resource r = by_name(f, "my own.ics");
    assert_int_equal(r.modseq, revision);
    assert_string_equal(arena_strdup(&f->arena, r.extra), "X-KEPT:1");
    assert_string_equal(arena_strdup(&f->arena, r.server_id), "b-new");
}

static void a_put_names_what_a_sync_brought(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_resource r;
    struct store_event e = {.ical_uid = STR("uid-a"),
                            .name = STR("client.ics"),
                            .digest = STR("A1"),
                            .served = STR("S1"),
                            .extra = STR("")};
    PAGE(false, "c1", "a uid-a A1", "b uid-b B1");
    uint64_t before = modseq(f);
    assert_true(store_event_put(f->store, CAL, STR("a"), STR("k"), STR("uid-a"), &e, &r, &err));
    assert_resources(f, before, "client.ics=A1 ");
    e.name = STR("uid-b.ics");
    assert_false(store_event_put(f->store, CAL, STR("a"), STR("k"), STR("uid-a"), &e, &r, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    PAGE(false, "c2", "a uid-a A1"); /* the echo */
    assert_resources(f, modseq(f), "");
}

static bool never(void *ud, const struct store_resource *r)
{
    (void)r;
    *(int *)ud += 1;
    return true;
}

static void ranges(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int found = 0;
    PAGE(false, "c1", "a uid-a A1"); /* from 10 to 20 */
    static const struct {
        int64_t from, to;
        int count;
    } t[] = {{0, 10, 0}, {0, 11, 1}, {19, 100, 1}, {20, 100, 0}, {12, 13, 1}, {INT64_MIN, INT64_MAX, 1}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        found = 0;
        assert_true(store_resources(f->store, CAL, 0, t[i].from, t[i].to, never, &found, &err));
        assert_int_equal(found, t[i].count);
    }
}

static void a_folder_takes_everything_along(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct str segment;
    PAGE(false, "c1", "a uid-a A1");
    assert_true(store_collection_set(f->store, CAL, STR("work"), &err));
    assert_true(store_collection_set(f->store, 2, STR("work"), &err));
    assert_false(store_collection_segment(f->store, CAL, &f->arena, &segment));
    assert_true(store_collection_set(f->store, CAL, STR("work"), &err));
    assert_true(store_collection_segment(f->store, CAL, &f->arena, &segment));
    assert_true(store_property_put(f->store, CAL, STR("{x}color"), STR("#fff"), &err));
    assert_true(store_apply_folders(f->store, &folders[1], 1, true, STR("h2"), &err));
    assert_false(store_collection_segment(f->store, CAL, &f->arena, &segment));
    assert_true(store_collection_set(f->store, 2, STR("work"), &err));
    assert_resources(f, 0, "");
}

/* A mail that waits for the server's word is not among those that go out. */
static void what_is_held_waits(void **state)
{
    struct fixture *f = *state;
    struct str message;
    struct store_held *held;
    struct err err = {0};
    int64_t pk;

    assert_true(store_owe_held(f->store, STR("held 5 a"), STR("yes"), STR("if"), &err));
    assert_true(store_owe_held(f->store, STR("held 5 b"), STR("not that day"), STR(""), &err));
    assert_true(store_owe_held(f->store, STR("held 5 b"), STR("nor that"), STR(""), &err));
    assert_true(store_owe_held(f->store, STR("held 55 a"), STR("another"), STR(""), &err));
    assert_false(store_owed(f->store, 0, &f->arena, &pk, &message));
    assert_int_equal(store_held(f->store, STR("held 5 "), &f->arena, &held), 3);
    assert_true(str_is(held[0].mark, "held 5 a") && str_is(held[0].promise, "if"));
    assert_true(str_is(held[2].mark, "held 5 b") && str_is(held[2].promise, ""));
    assert_true(store_held_drop(f->store, STR("held 5 a"), &err));
    assert_int_equal(store_held(f->store, STR("held 5 "), &f->arena, &held), 2);
    assert_true(store_held_release(f->store, STR("held 5 a"), &err));
    assert_false(store_owed(f->store, 0, &f->arena, &pk, &message));
    assert_true(store_held_release(f->store, STR("held 5 "), &err));
    assert_true(store_owed(f->store, 0, &f->arena, &pk, &message));
    assert_true(str_is(message, "not that day"));
    assert_true(store_owed(f->store, pk, &f->arena, &pk, &message));
    assert_true(str_is(message, "nor that"));
    assert_false(store_owed(f->store, pk, &f->arena, &pk, &message));
    assert_int_equal(store_held(f->store, STR(STORE_HELD), &f->arena, &held), 1);
}

static void what_is_owed_survives(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int64_t pk = 0;
    struct str message;
    assert_true(store_begin(f->store, &err));
    assert_true(store_owe_held(f->store, STR("held 1"), STR("never"), STR(""), &err));
    assert_false(store_end(f->store, false, &err));
    assert_true(store_owe_held(f->store, STR("held 2"), STR("mail"), STR(""), &err));
    assert_true(store_held_release(f->store, STR(STORE_HELD), &err));
    reopen(f);
    assert_true(store_owed(f->store, 0, &f->arena, &pk, &message));
    assert_string_equal(arena_strdup(&f->arena, message), "mail");
    assert_true(store_owed_done(f->store, pk, &err));
    assert_false(store_owed(f->store, 0, &f->arena, &pk, &message));
}

/* A state.db of the first version: as it was then, from the part of the schema before the mark. */
static void an_old_state_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    struct buf path = {0};
    sqlite3 *db = NULL;
    PAGE(false, "c1", "a uid-a A1");
    store_close(&f->store);
    buf_printf(&path, "%s/state.db", f->dir);
    assert_int_equal(sqlite3_open(buf_z(&path), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "DROP TRIGGER resource_dropped; DROP TABLE resource; DROP TABLE resource_gone;"
            "DROP TABLE collection; DROP TABLE property; DROP TABLE owed; DROP TABLE append; DROP TABLE sent_copy;"
            "DROP INDEX item_by_message_id; ALTER TABLE item DROP COLUMN message_id;"
            "DROP TRIGGER made_dropped; DROP TABLE made; DROP TABLE moving; DROP TABLE unread;"
            "DROP TRIGGER item_left; DROP TABLE item_gone; DROP INDEX item_marked;"
            "ALTER TABLE journal DROP COLUMN asked; PRAGMA user_version = 1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    buf_done(&path);
    reopen(f);
    assert_resources(f, 0, "");
    PAGE(false, "c2", "b uid-b B1");
    assert_resources(f, 0, "uid-b.ics=B1 ");
}

/* What a sync page names is fetched again unless it is the very version that the list it goes to has. */
static void versions(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_resource r;
    const struct store_event e = {.ical_uid = STR("u"), .digest = STR("d"), .served = STR("s"), .from = 10, .to = 20};
    PAGE(false, "c1", "old u1 d1");
    assert_true(store_event_put(f->store, CAL, STR("id"), STR("k1"), STR("u"), &e, &r, &err));
    assert_true(store_event_is_version(f->store, CAL, STR("id"), STR("k1")));
    assert_false(store_event_is_version(f->store, CAL, STR("id"), STR("k2")));
    assert_false(store_event_is_version(f->store, CAL, STR("other"), STR("k1")));
    assert_false(store_event_is_version(f->store, CAL + 1, STR("id"), STR("k1")));
    /* the ChangeKey of an answer, whose content nobody has read */
    assert_true(store_event_renamed(f->store, r.pk, STR("id2"), STR("k2"), &err));
    assert_false(store_event_is_version(f->store, CAL, STR("id2"), STR("k2")));
    assert_true(store_event_put(f->store, CAL, STR("id2"), STR("k2"), STR("u"), &e, &r, &err));
    assert_true(store_event_is_version(f->store, CAL, STR("id2"), STR("k2")));
    /* a resync collects everything anew */
    assert_true(store_resync(f->store, CAL, &err));
    assert_false(store_event_is_version(f->store, CAL, STR("id2"), STR("k2")));
}

static void what_cannot_be_read_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct store_event e = {.ical_uid = STR("u"), .digest = STR("d"), .served = STR("d")};
    struct store_resource r;
    struct str *ids;
    struct err err = {0};
    int64_t now = time_wall_s();
    assert_true(store_unread_add(f->store, CAL, STR("a"), &err) && store_unread_add(f->store, CAL, STR("b"), &err));
    reopen(f);
    assert_int_equal(store_unread(f->store, 0, STR_NULL, 0), 2);
    assert_int_equal(store_unread(f->store, CAL, STR("a"), now), 1);
    assert_int_equal(store_unread(f->store, CAL, STR_NULL, now + 1000), 0);
    assert_int_equal(store_unread(f->store, CAL + 1, STR_NULL, 0), 0);
    assert_int_equal(store_unread_ids(f->store, CAL, 9, &f->arena, &ids), 2);
    assert_int_equal(store_unread_ids(f->store, CAL, 1, &f->arena, &ids), 1);
    assert_int_equal(store_unread_ids(f->store, CAL + 1, 9, &f->arena, &ids), 0);
    assert_true(store_event_put(f->store, CAL, STR("a"), STR_NULL, STR_NULL, &e, &r, &err));
    assert_int_equal(store_unread(f->store, CAL, STR_NULL, 0), 1);
    assert_true(store_unread_done(f->store, CAL, STR("b"), &err));
    assert_int_equal(store_unread(f->store, CAL, STR_NULL, 0), 0);
}

static bool find_moving(struct fixture *f, const char *name, struct moving *ret)
{
    return store_moving_find(f->store, CAL + 1, str_from(name), CAL, STR("x.ics"), &f->arena, ret);
}

static void a_move_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct moving m = {.folder_pk = CAL + 1, .to_pk = CAL, .name = STR("a.ics"), .to_name = STR("x.ics")}, got, *open;
    struct store_resource there;
    PAGE(false, "c1", "old u d1"); /* of that UID, but from before */
    m.replaces_pk = by_name(f, "u.ics").pk;
    m.ical_uid = STR("u");
    m.server_uid = STR("of the server");
    m.extra = str_of("\0x", 2);
    assert_true(store_moving_add(f->store, &m, &err) && store_moving_add(f->store, &m, &err));
    reopen(f);
    assert_true(find_moving(f, "a.ics", &got) && got.pk == m.pk && got.state == MOVING_ASKED);
    assert_true(got.replaces_pk == m.replaces_pk && str_eq(got.extra, m.extra));
    assert_false(find_moving(f, "b.ics", &got));
    assert_int_equal(store_moving_open(f->store, 0, &f->arena, &open), 1);
    assert_int_equal(store_moving_open(f->store, CAL, &f->arena, &open), 1);
    assert_int_equal(store_moving_open(f->store, CAL + 1, &f->arena, &open), 0);
    assert_false(store_moving_arrived(f->store, &m, &f->arena, &there));
    PAGE(true, "c2", "other v d1");
    assert_false(store_moving_arrived(f->store, &m, &f->arena, &there));
    const char *const lines[] = {"new of-the-server d1", NULL};
    m.server_uid = STR("of-the-server");
    assert_true(store_moving_add(f->store, &m, &err));
    page(f, lines, false, "c3");
    assert_true(store_moving_arrived(f->store, &m, &f->arena, &there) && str_is(there.server_id, "new"));
    m.state = MOVING_STUCK; /* waits for the client */
    m.item_pk = there.pk;
    m.place = there.name;
    assert_true(store_moving_set(f->store, &m, &err));
    assert_int_equal(store_moving_open(f->store, 0, &f->arena, &open), 0);
    assert_true(find_moving(f, "a.ics", &got) && got.item_pk == there.pk && str_eq(got.place, there.name));
    assert_true(store_moving_forget(f->store, m.pk, &err));
    assert_false(find_moving(f, "a.ics", &got));
}

/* An attempt whose outcome is unknown says what it asked for until it is over. */
static void what_an_attempt_asked_for(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct arena arena = {0};
    struct str asked;
    int64_t pk, other;
    const struct journal_key key = {STR("k"), STR(""), STR("")}, second = {STR("l"), STR(""), STR("")};
    assert_true(store_journal_add(f->store, &key, STR("token"), &pk, &err));
    assert_true(store_journal_add(f->store, &second, STR("token2"), &other, &err));
    assert_true(store_journal_asked(f->store, pk, &arena, &asked));
    assert_int_equal(asked.n, 0);
    assert_true(store_journal_ask(f->store, pk, STR("this"), &err));
    assert_true(store_journal_ask(f->store, other, STR("that"), &err));
    reopen(f);
    assert_true(store_journal_set(f->store, pk, JOURNAL_UNKNOWN, &err));
    assert_true(store_journal_asked(f->store, pk, &arena, &asked));
    assert_true(str_is(asked, "this"));
    for (int over = JOURNAL_SENT; over <= JOURNAL_REFUSED; over++) {
        assert_true(store_journal_set(f->store, over == JOURNAL_SENT ? pk : other, (enum journal_state)over, &err));
        assert_true(store_journal_asked(f->store, over == JOURNAL_SENT ? pk : other, &arena, &asked));
        assert_int_equal(asked.n, 0);
    }
    assert_false(store_journal_asked(f->store, other + 1, &arena, &asked));
    arena_done(&arena);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pages_make_resources),
        TEST(only_what_changed_gets_a_revision),
        TEST(vanished_names_are_told),
        TEST(equal_uids_get_names_of_their_own),
        TEST(a_resync_keeps_names_and_revisions),
        TEST(a_put_names_what_a_sync_brought),
        TEST(versions),
        TEST(what_an_attempt_asked_for),
        TEST(ranges),
        TEST(a_folder_takes_everything_along),
        TEST(a_move_is_remembered),
        TEST(what_cannot_be_read_is_remembered),
        TEST(what_is_held_waits),
        TEST(what_is_owed_survives),
        TEST(an_old_state_is_brought_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
