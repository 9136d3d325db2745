/* SPDX-License-Identifier: Apache-2.0 */
/* What is written down of appends and of the copies of what was sent (bridge/store_write.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/time.h"
#include "bridge/db.h"
#include "bridge/store_private.h"
#include "bridge/store_write.h"
#include "tests/unit/temp_dir.h"

struct fixture {
    char *dir;
    struct store *store;
    struct arena arena;
};

static void reopen(struct fixture *f)
{
    struct err err = {0};
    bool rebuilt;
    store_close(&f->store);
    f->store = store_open(f->dir, &rebuilt, &err);
    if (!f->store)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    static struct fixture f;
    static const struct folder_info folders[] = {{.id = {"f1", 2}, .name = {"Inbox", 5}, .use = USE_INBOX},
                                                 {.id = {"f2", 2}, .name = {"Sent", 4}, .use = USE_SENT}};
    struct err err = {0};
    f = (struct fixture){.dir = temp_dir_new()};
    reopen(&f);
    assert_true(store_apply_folders(f.store, folders, 2, true, STR("h"), &err));
    struct store_page page = {NULL, 0, STR("k"), false, NULL};
    struct store_applied done;
    for (int64_t folder = 1; folder <= 2; folder++)
        assert_true(store_apply_page(f.store, folder, &page, true, &done, &err));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    arena_done(&f->arena);
    temp_dir_done(&f->dir);
    return 0;
}

static bool anybody(void *ud, int64_t pk, int64_t batch)
{
    const int64_t *not = ud;
    (void)pk;
    return !not || batch != *not ;
}

static struct append_key key(const char *content, const char *identity)
{
    return (struct append_key){str_from(content), str_from(identity)};
}

static int64_t add(struct fixture *f, size_t n, const char *const *contents, int64_t *ret_pks)
{
    struct append_new rows[8] = {0};
    struct err err = {0};
    int64_t batch;
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct append_new){.key = key(contents[i], ""), .evidence = str_from(contents[i])};
    assert_true(store_append_add(f->store, 1, rows, n, &batch, &err));
    for (size_t i = 0; i < n; i++)
        ret_pks[i] = rows[i].pk;
    assert_int_equal(batch, rows[0].pk);
    return batch;
}

static bool find(struct fixture *f, const char *content, const char *identity, struct append_row *row)
{
    struct append_key k = key(content, identity);
    return store_append_find(f->store, 1, &k, anybody, NULL, &f->arena, row, NULL) && row->pk;
}

static int64_t store_item(struct fixture *f, int64_t folder, const char *id, const char *message_id, int64_t append_pk,
                          uint32_t *ret_uid)
{
    struct store_created made = {.server_id = str_from(id),
                                 .change = STR("c"),
                                 .categories = STR(""),
                                 .received_ms = 1,
                                 .message_id = str_from(message_id),
                                 .append_pk = append_pk};
    struct err err = {0};
    assert_true(store_created(f->store, folder, &made, 1, &err));
    if (ret_uid)
        *ret_uid = made.new_uid;
    return made.pk;
}

static void life_of_a_row(void **state)
{
    struct fixture *f = *state;
    struct append_row row;
    struct err err = {0};
    int64_t pk;
    uint32_t uid;
    int64_t batch = add(f, 1, (const char *const[]){"one"}, &pk);
    assert_true(find(f, "one", "", &row));
    assert_int_equal(row.state, APPEND_ASKED);
    assert_string_equal(row.evidence, "one");
    assert_int_equal(row.uid, 0);
    assert_false(find(f, "two", "", &row));
    struct append_key k = key("one", "");
    assert_true(store_append_find(f->store, 1, &k, anybody, &batch, &f->arena, &row, &err) && row.pk == 0);
    assert_true(store_append_find(f->store, 2, &k, anybody, NULL, &f->arena, &row, &err) &&
                row.pk == 0); /* another folder */
    store_item(f, 1, "i1", "", pk, &uid);
    reopen(f);
    assert_true(find(f, "one", "", &row));
    assert_int_equal(row.state, APPEND_DONE);
    assert_int_equal(row.uid, uid);
    assert_true(str_is(row.server_id, "i1"));
    assert_true(store_items_gone(f->store, 1, &row.item_pk, 1, &err));
    assert_true(find(f, "one", "", &row));
    assert_int_equal(row.uid, 0);
    assert_int_equal(row.item_pk, 0);
    assert_true(store_append_forget(f->store, batch, &err));
    assert_false(find(f, "one", "", &row));
}

static void found_by_identity(void **state)
{
    struct fixture *f = *state;
    struct append_new rows[] = {{.key = key("a", "same"), .evidence = STR("e1")},
                                {.key = key("b", ""), .evidence = STR("e2")}};
    struct append_row row;
    struct err err = {0};
    int64_t batch;
    assert_true(store_append_add(f->store, 1, rows, 2, &batch, &err));
    assert_true(find(f, "z", "same", &row));
    assert_int_equal(row.pk, rows[0].pk);
    assert_int_equal(row.batch, batch);
    assert_false(find(f, "z", "", &row)); /* no identity is nobody's */
    assert_true(store_append_forget_row(f->store, rows[0].pk, &err));
    assert_false(find(f, "a", "same", &row));
    assert_true(find(f, "b", "same", &row));
}

static void half_a_command(void **state)
{
    struct fixture *f = *state;
    struct append_row row;
    struct err err = {0};
    int64_t pks[3], single;
    int64_t batch = add(f, 3, (const char *const[]){"a", "b", "c"}, pks);
    add(f, 1, (const char *const[]){"single"}, &single);
    assert_true(store_append_taken(f->store, pks[0], STR("i1"), &err));
    assert_false(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_true(store_append_recover(f->store, &err)); /* the process has died here */
    assert_false(find(f, "a", "", &row));
    assert_true(find(f, "single", "", &row)); /* a single one waits for its client */
    assert_false(store_append_pending(f->store, anybody, &batch, &f->arena, &row));
    assert_true(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_int_equal(row.pk, pks[0]);
    assert_int_equal(row.state, APPEND_UNDO);
    assert_true(str_is(row.server_id, "i1"));
    assert_true(store_append_forget_row(f->store, row.pk, &err));
    assert_true(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_int_equal(row.server_id.n, 0);
    assert_string_equal(row.evidence, "b");
}

static void whole_command_survives(void **state)
{
    struct fixture *f = *state;
    struct append_row row;
    struct err err = {0};
    int64_t pks[2];
    add(f, 2, (const char *const[]){"a", "b"}, pks);
    store_item(f, 1, "i1", "", pks[0], NULL);
    store_item(f, 1, "i2", "", pks[1], NULL);
    assert_true(store_append_recover(f->store, &err));
    assert_false(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_true(find(f, "b", "", &row));
    assert_int_equal(row.state, APPEND_DONE);
}

static void replacing(void **state)
{
    struct fixture *f = *state;
    struct append_row row;
    struct err err = {0};
    int64_t old = store_item(f, 2, "old", "", 0, NULL), batch;
    struct append_new new = {.key = key("new", ""), .evidence = STR("e"), .replaces_pk = old};
    assert_true(store_append_add(f->store, 1, &new, 1, &batch, &err));
    assert_false(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    store_item(f, 1, "new", "", new.pk, NULL);
    assert_true(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_int_equal(row.replaces_pk, old);
    assert_int_equal(row.replaces_folder, 2);
    assert_true(str_is(row.replaces_id, "old"));
    assert_true(store_append_replaced(f->store, new.pk, &err));
    assert_false(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_true(store_append_undo(f->store, batch, &err));
    assert_true(store_append_pending(f->store, anybody, NULL, &f->arena, &row));
    assert_true(row.item_pk != 0);
}

static void a_day_later(void **state)
{
    struct fixture *f = *state;
    struct append_row row;
    struct err err = {0};
    int64_t pk;
    add(f, 1, (const char *const[]){"one"}, &pk);
    assert_true(store_run1(f->store, "UPDATE append SET created = ?1", time_wall_s() - 25 * 3600, &err));
    assert_false(find(f, "one", "", &row));
    assert_true(store_append_undo(f->store, pk, &err));
    assert_true(store_run1(f->store, "UPDATE append SET created = ?1", time_wall_s() - 8 * 86400, &err));
    assert_true(store_append_recover(f->store, &err));
    assert_true(store_append_pending(f->store, anybody, NULL, &f->arena, &row)); /* however old */
}

static struct str hash(const char *message_id)
{
    static char to[IDENTITY_SIZE];
    return store_message_id(str_from(message_id), to);
}

/* What became of a request whose answer was lost: only what has come since, of this Message-ID, and nobody else's. */
static void seen_since(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct sent_found found;
    int64_t batch, older = store_item(f, 1, "older", "<a@x>", 0, NULL), newer;
    struct append_new rows[] = {
        {.key = key("one", ""), .evidence = STR("e1"), .message_id_hash = hash("a@x")},
        {.key = key("two", ""), .evidence = STR("e2"), .message_id_hash = hash("a@x")},
        {.key = key("three", ""), .evidence = STR("e3")},
    };
    assert_true(store_append_add(f->store, 1, rows, 3, &batch, &err));
    assert_true(store_append_seen(f->store, rows[0].pk, &f->arena, &found, &err) && found.pk == 0);
    store_item(f, 1, "other", "<b@x>", 0, NULL);
    store_item(f, 2, "elsewhere", "<a@x>", 0, NULL);
    store_item(f, 1, "nameless", "", 0, NULL);
    assert_true(store_append_seen(f->store, rows[0].pk, &f->arena, &found, &err) && found.pk == 0);
    newer = store_item(f, 1, "newer", "<a@x>", 0, NULL);
    assert_true(newer > older);
    assert_true(store_append_seen(f->store, rows[0].pk, &f->arena, &found, &err) && found.pk);
    assert_int_equal(found.pk, newer);
    assert_true(str_is(found.server_id, "newer"));
    assert_true(store_append_done(f->store, rows[0].pk, found.server_id, found.pk, &err));
    assert_true(store_append_seen(f->store, rows[0].pk, &f->arena, &found, &err) && found.pk);
    assert_true(store_append_seen(f->store, rows[1].pk, &f->arena, &found, &err) &&
                found.pk == 0); /* that was the first one */
    assert_true(store_append_seen(f->store, rows[2].pk, &f->arena, &found, &err) &&
                found.pk == 0); /* it has no Message-ID */
}

/* The client has repeated what is still to be taken back, and has heard that it is there: it stays. */
static void seen_but_promised(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct sent_found found;
    int64_t first, second, made;
    struct append_new half[] = {{.key = key("one", ""), .evidence = STR("e1"), .message_id_hash = hash("a@x")}};
    struct append_new again[] = {{.key = key("one", ""), .evidence = STR("e2"), .message_id_hash = hash("a@x")}};
    assert_true(store_append_add(f->store, 1, half, 1, &first, &err));
    assert_true(store_append_undo(f->store, first, &err));
    assert_true(store_append_add(f->store, 1, again, 1, &second, &err));
    made = store_item(f, 1, "made", "<a@x>", 0, NULL);
    assert_true(store_append_done(f->store, again[0].pk, STR("made"), made, &err));
    assert_true(store_append_seen(f->store, half[0].pk, &f->arena, &found, &err) && found.pk == 0);
    assert_true(store_append_forget(f->store, second, &err));
    assert_true(store_append_seen(f->store, half[0].pk, &f->arena, &found, &err) && found.pk == 0);
    made = store_item(f, 1, "late", "<a@x>", 0, NULL); /* the one that was half of a command, after all */
    assert_true(store_append_seen(f->store, half[0].pk, &f->arena, &found, &err) && found.pk);
    assert_int_equal(found.pk, made);
}

static void copies_of_what_was_sent(void **state)
{
    struct fixture *f = *state;
    struct sent_found found;
    struct err err = {0};
    bool waiting;
    int64_t kept;
    assert_true(store_sent_find(f->store, 2, hash("<a@x>"), 0, 0, &f->arena, &found, &err) && found.pk == 0);
    int64_t mine = store_item(f, 2, "mine", "a@x", 0, NULL);
    store_item(f, 2, "other", "b@x", 0, NULL);
    store_item(f, 2, "none", "", 0, NULL);
    assert_true(store_sent_find(f->store, 2, hash("<a@x>"), 0, 0, &f->arena, &found, &err) && found.pk);
    assert_int_equal(found.pk, mine);
    assert_true(store_sent_find(f->store, 2, hash("<a@x>"), mine, 0, &f->arena, &found, &err) && found.pk == 0);
    assert_true(store_sent_find(f->store, 2, hash("<a@x>"), 0, time_wall_s() + 100, &f->arena, &found, &err) &&
                found.pk == 0);
    assert_true(store_sent_find(f->store, 2, STR_NULL, 0, 0, &f->arena, &found, &err) && found.pk == 0);
    assert_false(store_sent_pair(f->store, 2, &f->arena, &kept, &found, &waiting));
    assert_false(waiting);
    assert_true(store_sent_keep(f->store, 2, mine, hash("a@x"), &err));
    assert_true(store_sent_keep(f->store, 2, mine, hash("a@x"), &err));
    assert_false(store_sent_pair(f->store, 2, &f->arena, &kept, &found, &waiting));
    assert_true(waiting);
    int64_t servers = store_item(f, 2, "server's", "a@x", 0, NULL);
    assert_true(store_sent_pair(f->store, 2, &f->arena, &kept, &found, &waiting));
    assert_int_equal(kept, mine);
    assert_int_equal(found.pk, servers);
    assert_true(str_is(found.server_id, "server's"));
    assert_true(store_sent_kept(f->store, mine, &err));
    assert_false(store_sent_pair(f->store, 2, &f->arena, &kept, &found, &waiting));
    assert_false(waiting);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(life_of_a_row),     TEST(seen_since),     TEST(seen_but_promised),
        TEST(found_by_identity), TEST(half_a_command), TEST(whole_command_survives),
        TEST(replacing),         TEST(a_day_later),    TEST(copies_of_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
