/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/change.h"

#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/change_private.h"
#include "bridge/names.h"

#define FRESH_MS (60 * 1000) /* so long a change waits for a folder that is collected anew */

/* --- life ------------------------------------------------------------------------------------- */

/* Those that waited for c go on. */
static void wake_followers(const struct change *c)
{
    LIST_EACH (&c->account->changes, link) {
        struct change *other = LIST_ITEM(link, struct change, link);
        if (other->follows != c)
            continue;
        other->follows = NULL;
        change_begin(other, other->step);
    }
}

void change_free(struct change *c)
{
    list_remove(&c->link);
    wake_followers(c);
    append_done(c);
    loop_defer_cancel(&c->finish);
    op_detach(&c->op);
    sync_wait_cancel(&c->wait);
    timer_free(&c->timer);
    mailbox_unref(&c->mailbox);
    arena_done(&c->arena);
    mem_free(c);
}

static void on_finish(void *ud)
{
    struct change *c = ud;
    if (!c->detached) {
        c->result.items = c->items;
        c->result.count = c->count;
        if (!c->doubted)
            change_hold(c->account, c->result.receipt);
        c->cb(c->ud, &c->result);
    }
    change_free(c);
}

struct change *change_new(struct account *a, struct mailbox *m, change_cb *cb, void *ud)
{
    struct change *c = MEM_NEW(struct change);
    c->account = a;
    c->mailbox = m ? mailbox_ref(m) : NULL;
    c->cb = cb;
    c->ud = ud;
    list_init(&c->link);
    list_append(&a->changes, &c->link);
    deferred_init(&c->finish, on_finish, c);
    return c;
}

void change_end(struct change *c, const struct err *err)
{
    if (err) {
        c->result.err = *err;
        sync_disk_failed(c->account->sync, err);
    }
    deferred_init(&c->finish, on_finish, c);
    loop_defer(c->account->loop, &c->finish);
}

static void on_begin(void *ud)
{
    struct change *c = ud;
    if (c->account->wiped)
        change_end(c, &c->account->health);
    else
        c->step(c);
}

void change_begin(struct change *c, void (*step)(struct change *c))
{
    c->step = step;
    deferred_init(&c->finish, on_begin, c);
    loop_defer(c->account->loop, &c->finish);
}

void change_detach(struct change **c)
{
    if (*c)
        (*c)->detached = true;
    *c = NULL;
}

void change_doubt(struct change *c)
{
    c->doubted = true;
}

void changes_start(struct account *a)
{
    struct err err = {0};
    if (!store_append_recover(a->store, &err))
        log_error("append", account_name(a), "journal: %s", err.text);
    a->merging = true; /* perhaps: the first look will tell */
    append_pending(a);
}

void changes_done(struct account *a)
{
    append_receipts_done(a);
    timer_free(&a->again);
    while (!list_empty(&a->changes))
        change_free(LIST_ITEM(a->changes.next, struct change, link));
}

/* --- helpers ---------------------------------------------------------------------------------- */

void change_find(struct change *c, const uint32_t *uids, size_t count)
{
    c->items = arena_array(&c->arena, count + 1, sizeof(*c->items));
    c->todo = arena_array(&c->arena, count + 1, sizeof(*c->todo));
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        struct change_todo *t = &c->todo[c->todo_count];
        c->items[i].uid = uids[i];
        t->index = i;
        if (store_item_by_uid(c->account->store, mailbox_folder_pk(c->mailbox), uids[i], &c->arena, &t->row))
            c->todo_count++;
        else
            err_set(&c->items[i].err, ERR_NOT_FOUND, "the message is gone");
    }
}

struct str *change_batch(struct change *c)
{
    unsigned max = account_limits(c->account)->write_batch;
    size_t left = c->todo_count - c->next;
    c->batch = max && left > max ? max : left;
    struct str *ids = arena_array(&c->arena, c->batch + 1, sizeof(*ids));
    for (size_t i = 0; i < c->batch; i++)
        ids[i] = c->todo[c->next + i].row.server_id;
    return ids;
}

static void on_fresh(void *ud, const struct err *err)
{
    struct change *c = ud;
    size_t kept = c->next;
    c->wait = NULL;
    timer_free(&c->timer);
    if (err->code != ERR_NONE) {
        change_end(c, err);
        return;
    }
    for (size_t i = c->next; i < c->todo_count; i++) {
        struct change_todo t = c->todo[i];
        c->items[t.index].err = (struct err){0};
        if (store_item_by_uid(c->account->store, mailbox_folder_pk(c->mailbox), t.row.uid, &c->arena, &t.row))
            c->todo[kept++] = t;
        else
            err_set(&c->items[t.index].err, ERR_NOT_FOUND, "the message is gone");
    }
    c->todo_count = kept;
    c->step(c);
}

static void on_not_fresh(void *ud)
{
    struct change *c = ud;
    struct err err = {0};
    sync_wait_cancel(&c->wait);
    err_set(&err, ERR_STALE, "the folder is still being collected anew");
    change_end(c, &err);
}

bool change_after_resync(struct change *c, const struct reply *reply)
{
    if (reply->err.code != ERR_STALE || c->rounds++ >= CONFLICT_ROUNDS)
        return false;
    c->wait = sync_wait(c->account->sync, mailbox_folder_pk(c->mailbox), on_fresh, c);
    if (!c->wait)
        return false;
    timer_free(&c->timer);
    c->timer = timer_new(c->account->loop, on_not_fresh, c);
    timer_start(c->timer, FRESH_MS);
    return true;
}

struct err change_item_err(const struct reply *reply, size_t i)
{
    struct err err = reply->err;
    if (err.code == ERR_NONE && i >= reply->items_done.count)
        err_set(&err, ERR_PROTOCOL, "the server did not say what became of it");
    else if (err.code == ERR_NONE && reply->items_done.each)
        err = reply->items_done.each[i];
    return err;
}

void change_refresh(struct account *a, int64_t folder_pk)
{
    struct mailbox *m = mailbox_loaded(a, folder_pk);
    if (m)
        mailbox_refresh(m);
}

struct str change_join(struct arena *arena, const struct str *categories, size_t count)
{
    struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        buf_str(&b, categories[i]);
        buf_byte(&b, '\n');
    }
    struct str joined = arena_str(arena, b.n ? buf_view(&b) : STR(""));
    buf_done(&b);
    return joined;
}

/* --- flags ------------------------------------------------------------------------------------ */

#define TARGET_WAIT_MS (10 * 1000)

static void target_ready(struct change *c)
{
    struct err err = {0};
    timer_free(&c->timer);
    sync_wait_cancel(&c->wait);
    if (store_is_shown(c->account->store, c->target_pk) || sync_announce(c->account->sync, c->target_pk, &err))
        c->step(c);
    else
        change_end(c, &err);
}

static void on_target_timer(void *ud)
{
    target_ready(ud);
}

static void on_target_synced(void *ud, const struct err *err)
{
    struct change *c = ud;
    (void)err; /* the request itself will tell what is wrong */
    c->wait = NULL;
    target_ready(c);
}

void change_with_shown_target(struct change *c, int64_t folder_pk, void (*step)(struct change *c))
{
    c->step = step;
    c->target_pk = folder_pk;
    if (store_is_shown(c->account->store, folder_pk)) {
        step(c);
        return;
    }
    c->timer = timer_new(c->account->loop, on_target_timer, c);
    timer_start(c->timer, TARGET_WAIT_MS);
    c->wait = sync_wait(c->account->sync, folder_pk, on_target_synced, c);
    if (!c->wait)
        target_ready(c);
}

/* What the server can hold; the rest of what clients may set lives in the store alone. */
static unsigned server_flags(unsigned caps)
{
    unsigned mask = ITEM_SEEN | ITEM_FLAGGED;
    if (caps & CAP_ANSWERED)
        mask |= ITEM_ANSWERED | ITEM_FORWARDED;
    if (caps & CAP_DELETED)
        mask |= ITEM_DELETED;
    return mask;
}

static bool names_keyword_of(struct str category, struct str keyword)
{
    struct buf b = {0};
    names_keyword(&b, category);
    bool same = str_case_eq(buf_view(&b), keyword);
    buf_done(&b);
    return same;
}

static bool has_keyword(const struct str *categories, size_t count, struct str keyword)
{
    for (size_t i = 0; i < count; i++)
        if (names_keyword_of(categories[i], keyword))
            return true;
    return false;
}

static bool in_keywords(const struct change_flags *what, struct str category)
{
    for (size_t i = 0; i < what->keyword_count; i++)
        if (names_keyword_of(category, what->keywords[i]))
            return true;
    return names_mark(category) & what->flags;
}

/* The categories that are wanted: what is not mentioned survives ADD and REMOVE, in the server's own spelling. */
static void want_categories(struct change *c, struct change_todo *t)
{
    struct str rest = t->row.categories, one;
    size_t max = c->flags.keyword_count, old = 0;
    for (size_t i = 0; i < rest.n; i++)
        max += rest.p[i] == '\n';
    t->categories = arena_array(&c->arena, max + 1, sizeof(*t->categories));
    t->category_count = 0;
    t->categories_changed = false;
    while (str_cut(&rest, '\n', &one)) {
        if (one.n == 0)
            continue;
        old++;
        bool named = in_keywords(&c->flags, one);
        if (c->flags.mode == CHANGE_ADD || (c->flags.mode == CHANGE_REMOVE) != named)
            t->categories[t->category_count++] = one;
    }
    t->categories_changed = t->category_count != old;
    for (size_t i = 0; c->flags.mode != CHANGE_REMOVE && i < c->flags.keyword_count; i++) {
        if (has_keyword(t->categories, t->category_count, c->flags.keywords[i]))
            continue;
        struct buf b = {0};
        names_category(&b, c->flags.keywords[i]);
        t->categories[t->category_count++] = arena_str(&c->arena, buf_view(&b));
        t->categories_changed = true;
        buf_done(&b);
    }
}

static unsigned want_flags(const struct change_flags *what, unsigned old)
{
    unsigned named = what->flags & CHANGE_SETTABLE;
    switch (what->mode) {
    case CHANGE_ADD:
        return old | named;
    case CHANGE_REMOVE:
        return old & ~named;
    case CHANGE_REPLACE:
        break;
    }
    return (old & ~(unsigned)CHANGE_SETTABLE) | named;
}

/* Decide for each message what the server must be told; what concerns only us is written down at once. */
static bool decide(struct change *c, struct err *err)
{
    unsigned caps = account_caps(c->account), mask = server_flags(caps);
    struct store_flags *local = arena_array(&c->arena, c->todo_count + 1, sizeof(*local));
    size_t kept = 0, local_count = 0;
    for (size_t i = 0; i < c->todo_count; i++) {
        struct change_todo t = c->todo[i];
        if (c->flags.has_unchanged_since && t.row.modseq > c->flags.unchanged_since) {
            err_set(&c->items[t.index].err, ERR_CONFLICT, "changed meanwhile");
            continue;
        }
        t.flags = want_flags(&c->flags, t.row.flags);
        if (caps & CAP_KEYWORDS)
            want_categories(c, &t);
        if ((t.flags ^ t.row.flags) & mask || t.categories_changed)
            c->todo[kept++] = t;
        else if (t.flags != t.row.flags)
            local[local_count++] = (struct store_flags){.pk = t.row.pk, .was = t.row.flags, .flags = t.flags};
    }
    c->todo_count = kept;
    if (!local_count)
        return true;
    bool ok = store_flags_done(c->account->store, mailbox_folder_pk(c->mailbox), local, local_count, err);
    mailbox_refresh(c->mailbox);
    return ok;
}

static void on_resynced(void *ud, const struct err *err);

/* Somebody else was faster on some items: read the folder again and decide anew for those. */
static bool retry_conflicts(struct change *c)
{
    size_t n = 0;
    uint32_t *uids = arena_array(&c->arena, c->count + 1, sizeof(*uids));
    size_t *index = arena_array(&c->arena, c->count + 1, sizeof(*index));
    for (size_t i = 0; i < c->todo_count; i++) {
        size_t k = c->todo[i].index;
        if (c->items[k].err.code == ERR_CONFLICT) {
            index[n] = k;
            uids[n++] = c->items[k].uid;
        }
    }
    if (n == 0 || c->flags.has_unchanged_since || ++c->rounds > CONFLICT_ROUNDS)
        return false;
    for (size_t i = 0; i < n; i++)
        c->todo[i] = (struct change_todo){.index = index[i], .row = {.uid = uids[i]}};
    c->todo_count = n;
    c->next = 0;
    c->wait = sync_wait(c->account->sync, mailbox_folder_pk(c->mailbox), on_resynced, c);
    return c->wait != NULL;
}

static void flags_step(struct change *c);

static void on_resynced(void *ud, const struct err *err)
{
    struct change *c = ud;
    c->wait = NULL;
    if (err->code != ERR_NONE) {
        change_end(c, err);
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->todo_count; i++) {
        struct change_todo t = c->todo[i];
        c->items[t.index].err = (struct err){0};
        if (store_item_by_uid(c->account->store, mailbox_folder_pk(c->mailbox), t.row.uid, &c->arena, &t.row))
            c->todo[kept++] = t;
        else
            err_set(&c->items[t.index].err, ERR_NOT_FOUND, "the message is gone");
    }
    c->todo_count = kept;
    struct err failed = {0};
    if (decide(c, &failed))
        flags_step(c);
    else
        change_end(c, &failed);
}

/* The sync state is gone, and with it what was decided from it: as if somebody else had been faster on all of them. */
static bool decide_anew(struct change *c, const struct reply *reply)
{
    if (reply->err.code != ERR_STALE || c->flags.has_unchanged_since || c->rounds >= CONFLICT_ROUNDS)
        return false;
    for (size_t i = c->next; i < c->todo_count; i++)
        err_set(&c->items[c->todo[i].index].err, ERR_CONFLICT, "%s", reply->err.text);
    c->next = c->todo_count;
    return true;
}

static void on_flagged(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err err = {0};
    c->op = NULL;
    if (decide_anew(c, reply)) {
        flags_step(c);
        return;
    }
    crash_point("flags.answered");
    struct store_flags *done = arena_array(&c->arena, c->batch + 1, sizeof(*done));
    size_t n = 0;
    for (size_t i = 0; i < c->batch; i++) {
        struct change_todo *t = &c->todo[c->next + i];
        struct err item = change_item_err(reply, i);
        c->items[t->index].err = item;
        if (item.code != ERR_NONE)
            continue;
        done[n++] = (struct store_flags){
            .pk = t->row.pk,
            .was = t->row.flags,
            .flags = t->flags,
            .categories = t->categories_changed ? change_join(&c->arena, t->categories, t->category_count) : STR_NULL,
            .change = reply->items_done.changes ? arena_str(&c->arena, reply->items_done.changes[i]) : STR_NULL,
        };
    }
    c->next += c->batch;
    bool ok = n == 0 || store_flags_done(c->account->store, mailbox_folder_pk(c->mailbox), done, n, &err);
    crash_point("flags.stored");
    mailbox_refresh(c->mailbox);
    if (!ok)
        change_end(c, &err);
    else if (reply->err.code != ERR_NONE)
        change_end(c, &reply->err);
    else
        flags_step(c);
}

static void flags_step(struct change *c)
{
    if (c->next == c->todo_count) {
        if (!retry_conflicts(c))
            change_end(c, NULL);
        return;
    }
    change_batch(c);
    struct flag_change *list = arena_array(&c->arena, c->batch, sizeof(*list));
    unsigned mask = server_flags(account_caps(c->account));
    for (size_t i = 0; i < c->batch; i++) {
        const struct change_todo *t = &c->todo[c->next + i];
        list[i] = (struct flag_change){
            .id = t->row.server_id,
            .change = t->row.change,
            .set = t->flags & ~t->row.flags & mask,
            .clear = ~t->flags & t->row.flags & mask,
            .flags = t->flags,
            .categories_set = t->categories_changed,
            .categories = t->categories,
            .category_count = t->category_count,
        };
    }
    const struct folder *f = account_folder_by_pk(c->account, mailbox_folder_pk(c->mailbox));
    struct flag_request request = {f ? f->server_id : STR_NULL, list, c->batch};
    c->op = backend_flag(c->account->backend, &request, on_flagged, c);
}

static void flags_begin(struct change *c)
{
    struct err err = {0};
    if (decide(c, &err))
        flags_step(c);
    else
        change_end(c, &err);
}

struct change *change_flags(struct mailbox *m, const uint32_t *uids, size_t count, const struct change_flags *what,
                            change_cb *cb, void *ud)
{
    struct change *c = change_new(mailbox_account(m), m, cb, ud);
    struct str *keywords = arena_array(&c->arena, what->keyword_count + 1, sizeof(*keywords));
    for (size_t i = 0; i < what->keyword_count; i++)
        keywords[i] = arena_str(&c->arena, what->keywords[i]);
    c->flags = *what;
    c->flags.keywords = keywords;
    change_find(c, uids, count);
    change_begin(c, flags_begin);
    return c;
}
