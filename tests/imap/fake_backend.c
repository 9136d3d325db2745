/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/formats/header.h"
#include "tests/imap/fake_private.h"

/* --- the model
 * ---------------------------------------------------------------------------------------------------------- */

struct fake_folder *fake_find_folder(struct fake *f, struct str id)
{
    LIST_EACH (&f->folders, link) {
        struct fake_folder *folder = LIST_ITEM(link, struct fake_folder, link);
        if (str_is(id, folder->id))
            return folder;
    }
    return NULL;
}

struct fake_folder *fake_add_folder(struct fake *f, struct str id)
{
    struct fake_folder *folder = fake_find_folder(f, id);
    if (folder)
        return folder;
    folder = MEM_NEW(struct fake_folder);
    folder->id = str_dup(id);
    list_init(&folder->link);
    list_append(&f->folders, &folder->link);
    return folder;
}

static uint32_t hash_of(struct str id)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < id.n; i++)
        hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
    return hash % HASH_SIZE;
}

struct fake_item *fake_find_item(struct fake *f, struct str folder, struct str id)
{
    for (struct fake_item *item = f->by_id[hash_of(id)]; item; item = item->same_hash)
        if (str_is(id, item->id) && (folder.n == 0 || str_is(folder, item->folder)))
            return item;
    return NULL;
}

static void finish_watch(struct fake_op *o, const char *folder)
{
    struct str *ids = arena_array(&o->op.arena, 1, sizeof(*ids));
    list_remove(&o->link);
    ids[0] = arena_str(&o->op.arena, str_from(folder));
    o->op.reply->watch.folder_ids = ids;
    o->op.reply->watch.count = folder ? 1 : 0;
    o->op.reply->watch.hierarchy = !folder;
    timer_free(&o->timer);
    op_finish(&o->op);
}

void fake_wake(struct fake *f, const char *folder)
{
    while (!list_empty(&f->watches))
        finish_watch(LIST_ITEM(f->watches.next, struct fake_op, link), folder);
}

void fake_item_changed(struct fake *f, struct fake_item *item)
{
    item->changed = ++f->changes;
    list_remove(&item->link);
    list_append(&f->items, &item->link); /* kept in the order of their last change */
    if (!f->quiet)
        fake_wake(f, item->folder);
}

void fake_folder_changed(struct fake *f, struct fake_folder *folder)
{
    folder->changed = ++f->changes;
    fake_wake(f, NULL);
}

/* Takes the message's bytes. */
struct fake_item *fake_add_item(struct fake *f, struct str folder, struct str id, struct str message)
{
    struct fake_item *item = MEM_NEW(struct fake_item), **bucket = &f->by_id[hash_of(id)];
    item->folder = str_dup(folder);
    item->id = str_dup(id);
    item->message = message;
    item->same_hash = *bucket;
    *bucket = item;
    list_init(&item->link);
    return item;
}

void fake_free_categories(struct fake_item *item)
{
    for (size_t i = 0; i < item->category_n; i++)
        mem_free((char *)item->categories[i].p);
    mem_free(item->categories);
    item->categories = NULL;
    item->category_n = 0;
}

/* --- operations
 * --------------------------------------------------------------------------------------------------------- */

static bool take_failure(struct fake_op *o)
{
    struct fake *f = o->fake;
    if (f->ops[o->kind].fail_n == 0)
        return false;
    if (f->ops[o->kind].fail_after) {
        f->ops[o->kind].fail_after--;
        return false;
    }
    f->ops[o->kind].fail_n--;
    blob_unref(&o->message);
    struct err err = {0};
    err_set(&err, f->ops[o->kind].fail, "ordered by the test");
    if (err.code == ERR_THROTTLED)
        err.retry_after_s = 1;
    op_finish_err(&o->op, &err);
    return true;
}

void fake_finish_write(struct fake_op *o)
{
    struct err err = {0};
    if (o->fake->ops[FAKE_WRITE].lose_n == 0) {
        op_finish(&o->op);
        return;
    }
    if (o->fake->ops[FAKE_WRITE].lose_after) {
        o->fake->ops[FAKE_WRITE].lose_after--;
        op_finish(&o->op);
        return;
    }
    o->fake->ops[FAKE_WRITE].lose_n--;
    err_set(&err, ERR_OFFLINE, "the answer was lost by order of the test");
    op_finish_err(&o->op, &err);
}

static void run_folders(struct fake_op *o)
{
    struct fake *f = o->fake;
    struct folder_info *list;
    size_t n = 0;
    uint64_t since = 0;
    if (o->cursor.n)
        str_to_u64(o->cursor, &since);
    LIST_EACH (&f->folders, link)
        n++;
    list = arena_array(&o->op.arena, n, sizeof(*list));
    n = 0;
    LIST_EACH (&f->folders, link) {
        struct fake_folder *folder = LIST_ITEM(link, struct fake_folder, link);
        if (folder->changed <= since || (folder->gone && !o->cursor.n))
            continue;
        list[n++] = (struct folder_info){.id = str_from(folder->id),
                                         .parent_id = str_from(folder->parent),
                                         .name = str_from(folder->name),
                                         .kind = folder->kind,
                                         .use = folder->use,
                                         .gone = folder->gone};
    }
    o->op.reply->folders.list = list;
    o->op.reply->folders.count = n;
    o->op.reply->folders.full = o->cursor.n == 0;
    o->op.reply->folders.cursor = arena_printf(&o->op.arena, "%llu", (unsigned long long)f->changes);
    op_finish(&o->op);
}

static struct item_info info_of(const struct fake_item *item, struct arena *a)
{
    struct str id, subject;
    struct item_info info = {.id = str_from(item->id), .gone = item->gone};
    if (item->gone)
        return info;
    info.flags = item->flags;
    info.flags_known = ITEM_MARK_FIRST - 1; /* marks are no business of a server */
    info.categories_known = true;
    info.categories = item->categories;
    info.category_count = item->category_n;
    info.received_ms = item->received_s * 1000;
    info.size_estimate = item->message.n;
    if (header_find(item->message, "Message-ID", &id))
        info.message_id = str_trim(id);
    if (header_find(item->message, "Subject", &subject))
        info.subject = header_unfold(a, subject);
    return info;
}

static void run_sync(struct fake_op *o)
{
    struct fake *f = o->fake;
    struct fake_folder *folder = fake_find_folder(f, o->folder);
    struct err err = {0};
    uint64_t since = 0;
    if (!folder || folder->gone) {
        err_set(&err, ERR_NOT_FOUND, "no such folder");
        op_finish_err(&o->op, &err);
        return;
    }
    if (folder->stale && o->cursor.n) {
        folder->stale = false;
        err_set(&err, ERR_STALE, "ordered by the test");
        op_finish_err(&o->op, &err);
        return;
    }
    str_to_u64(o->cursor, &since);
    unsigned page = f->page;
    struct item_info *list = arena_array(&o->op.arena, page, sizeof(*list));
    size_t n = 0;
    uint64_t last = f->changes;
    bool more = false;
    LIST_EACH (&f->items, link) {
        struct fake_item *item = LIST_ITEM(link, struct fake_item, link);
        if (item->changed <= since || !str_is(o->folder, item->folder) || (item->gone && since == 0))
            continue;
        if (n == page) {
            more = true;
            break;
        }
        list[n] = info_of(item, &o->op.arena);
        if (o->events && !fake_add_event(o, item, &list[n]))
            continue;
        if (++n == page)
            last = item->changed;
    }
    o->op.reply->items.list = list;
    o->op.reply->items.count = n;
    o->op.reply->items.more = more;
    o->op.reply->items.restarted = o->cursor.n == 0;
    o->op.reply->items.cursor = arena_printf(&o->op.arena, "%llu", (unsigned long long)(more ? last : f->changes));
    op_finish(&o->op);
}

static void fetch_one(struct fake_op *o, size_t i)
{
    struct fake *f = o->fake;
    struct err err = {0};
    struct fetched fetched = {.index = i, .err = &err, .what = o->what};
    struct fake_item *item = fake_find_item(f, STR_NULL, o->ids[i]);
    if (!item || item->gone) {
        err_set(&err, ERR_NOT_FOUND, "no such item");
    } else if (item->fail_n > 0) {
        item->fail_n--;
        err_set(&err, item->fail, "ordered by the test");
    } else {
        struct str bytes = item->message;
        if (o->what == FETCH_HEADER) {
            bytes.n = header_block_size(bytes);
            f->headers++;
        } else {
            f->messages++;
        }
        fetched.content = blob_from_str(bytes);
    }
    o->on_item(o->ud, &fetched);
    blob_unref(&fetched.content);
}

static void run_fetch(struct fake_op *o)
{
    struct fake *f = o->fake;
    f->reporting = o;
    for (size_t i = 0; f->reporting && i < o->id_n; i++)
        fetch_one(o, i);
    if (!f->reporting)
        return;
    f->reporting = NULL;
    op_finish(&o->op);
}

static void run_op(void *ud)
{
    struct fake_op *o = ud;
    timer_free(&o->timer);
    if (take_failure(o))
        return;
    switch (o->kind) {
    case FAKE_LOGIN:
        if (o->cursor.n && !str_is(o->cursor, "right")) {
            struct err err = {0};
            err_set(&err, ERR_AUTH, "wrong password");
            op_finish_err(&o->op, &err);
            return;
        }
        op_finish(&o->op);
        break;
    case FAKE_FOLDERS:
        run_folders(o);
        break;
    case FAKE_SYNC:
        run_sync(o);
        break;
    case FAKE_FETCH:
        run_fetch(o);
        break;
    case FAKE_WRITE:
        o->write(o);
        break;
    case FAKE_WATCH:
        list_append(&o->fake->watches, &o->link);
        break;
    case FAKE_MAX:
        abort();
    }
}

static bool is_held(struct fake *f, enum fake_kind kind)
{
    if (f->ops[kind].held && f->ops[kind].held_after) {
        f->ops[kind].held_after--;
        return false;
    }
    return f->ops[kind].held;
}

static void start_op(struct op *op)
{
    struct fake_op *o = (struct fake_op *)op;
    o->fake->ops[o->kind].count++;
    o->timer = timer_new(op->loop, run_op, o);
    if (is_held(o->fake, o->kind))
        list_append(&o->fake->held, &o->link);
    else
        timer_start(o->timer, o->fake->ops[o->kind].delay_ms);
}

void fake_release(struct fake *f, enum fake_kind kind)
{
    struct list others;
    list_init(&others);
    f->ops[kind].held = false;
    while (!list_empty(&f->held)) {
        struct fake_op *o = LIST_ITEM(f->held.next, struct fake_op, link);
        list_remove(&o->link);
        if (o->kind == kind)
            timer_start(o->timer, 0);
        else
            list_append(&others, &o->link);
    }
    while (!list_empty(&others)) {
        struct list *l = others.next;
        list_remove(l);
        list_append(&f->held, l);
    }
}

static void abort_op(struct op *op)
{
    struct fake_op *o = (struct fake_op *)op;
    timer_free(&o->timer);
    list_remove(&o->link);
    blob_unref(&o->message);
    if (o->fake->reporting == o)
        o->fake->reporting = NULL;
}

static const struct op_class fake_class = {"fake", sizeof(struct fake_op), start_op, abort_op};

struct fake_op *fake_new_op(struct backend *b, enum fake_kind kind, op_cb *cb, void *ud)
{
    struct fake_op *o = (struct fake_op *)op_new(b->loop, &fake_class, cb, ud);
    o->fake = ((struct fake_backend *)b)->fake;
    o->kind = kind;
    o->ud = ud;
    list_init(&o->link);
    return o;
}

static struct op *fake_login(struct backend *b, struct str secret, op_cb *cb, void *ud)
{
    struct fake_op *o = fake_new_op(b, FAKE_LOGIN, cb, ud);
    o->cursor = arena_str(&o->op.arena, secret);
    return &o->op;
}

static struct op *fake_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud)
{
    struct fake_op *o = fake_new_op(b, FAKE_FOLDERS, cb, ud);
    o->cursor = arena_str(&o->op.arena, cursor);
    return &o->op;
}

static struct op *fake_sync(struct backend *b, struct str folder, struct str cursor, op_cb *cb, void *ud)
{
    struct fake_op *o = fake_new_op(b, FAKE_SYNC, cb, ud);
    o->folder = arena_str(&o->op.arena, folder);
    o->cursor = arena_str(&o->op.arena, cursor);
    return &o->op;
}

static struct op *fake_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud)
{
    struct fake_op *o = fake_new_op(b, FAKE_FETCH, cb, ud);
    o->ids = arena_array(&o->op.arena, request->count, sizeof(*o->ids));
    o->id_n = request->count;
    for (size_t i = 0; i < request->count; i++)
        o->ids[i] = arena_str(&o->op.arena, request->ids[i]);
    o->what = request->what;
    o->on_item = request->on_item;
    return &o->op;
}

static struct op *fake_watch(struct backend *b, const struct folder_ref *folders, size_t n, op_cb *cb, void *ud)
{
    (void)folders;
    (void)n;
    return &fake_new_op(b, FAKE_WATCH, cb, ud)->op;
}

static const struct backend_ops fake_write_ops;

static struct backend *fake_open(const struct backend_config *config, struct err *err)
{
    (void)err;
    struct fake_backend *b = MEM_NEW(struct fake_backend);
    b->base.loop = config->loop;
    b->base.limits = (struct backend_limits){.sync_page = 512,
                                             .fetch_header_batch = 100,
                                             .fetch_message_batch = 20,
                                             .fetch_message_bytes = 8u << 20,
                                             .fetch_parallel = 4,
                                             .write_batch = 100,
                                             .message_max = 36700160};
    b->fake = (struct fake *)(void *)config->login;
    b->base.caps = b->fake->caps;
    b->base.ops = b->fake->writes ? &fake_write_ops : &fake_backend_ops;
    return &b->base;
}

static void fake_close(struct backend *b)
{
    mem_free(b);
}

#define READING                                                                                                        \
    .name = "fake", .open = fake_open, .close = fake_close, .login = fake_login, .folders = fake_folders,              \
    .sync = fake_sync, .fetch = fake_fetch, .watch = fake_watch

const struct backend_ops fake_backend_ops = {READING};
static const struct backend_ops fake_write_ops = {READING,
                                                  .flag = fake_flag,
                                                  .move = fake_move,
                                                  .copy = fake_copy,
                                                  .remove = fake_remove,
                                                  .append = fake_append,
                                                  .find_appended = fake_find_appended,
                                                  .folder_create = fake_folder_create,
                                                  .folder_change = fake_folder_change,
                                                  .folder_remove = fake_folder_remove,
                                                  .sync_events = fake_sync_events,
                                                  .event_fetch = fake_event_fetch,
                                                  .event_put = fake_event_put,
                                                  .event_remove = fake_event_remove,
                                                  .event_respond = fake_event_respond,
                                                  .free_busy = fake_free_busy};

void fake_allow_writes(struct fake *f)
{
    f->writes = true;
}

void fake_set_caps(struct fake *f, unsigned caps)
{
    f->caps = caps;
}

struct fake *fake_new(void)
{
    struct fake *f = MEM_NEW(struct fake);
    list_init(&f->folders);
    list_init(&f->items);
    list_init(&f->watches);
    list_init(&f->held);
    f->page = 512;
    f->caps = CAP_PUSH_ALL | CAP_KEYWORDS | CAP_COPY | CAP_APPEND | CAP_ANSWERED;
    return f;
}

void fake_free(struct fake *f)
{
    LIST_EACH (&f->folders, link) {
        struct fake_folder *folder = LIST_ITEM(link, struct fake_folder, link);
        mem_free(folder->id);
        mem_free(folder->parent);
        mem_free(folder->name);
        mem_free(folder);
    }
    LIST_EACH (&f->items, link) {
        struct fake_item *item = LIST_ITEM(link, struct fake_item, link);
        fake_free_categories(item);
        mem_free((char *)item->message.p);
        mem_free(item->folder);
        mem_free(item->id);
        mem_free(item->evidence);
        mem_free(item);
    }
    mem_free(f);
}
