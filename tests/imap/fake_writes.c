/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted backend's writing half: each call copies what it is asked, waits its delay, then changes the model. */
#include <stdio.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "tests/imap/fake_private.h"

static struct str *copied(struct arena *a, const struct str *list, size_t n)
{
    struct str *to = arena_array(a, n, sizeof(*to));
    for (size_t i = 0; i < n; i++)
        to[i] = arena_str(a, list[i]);
    return to;
}

static struct fake_op *new_write(struct backend *b, void (*write)(struct fake_op *o), op_cb *cb, void *ud)
{
    struct fake_op *o = fake_new_op(b, FAKE_WRITE, cb, ud);
    o->write = write;
    return o;
}

static void set_ids(struct fake_op *o, struct str folder, const struct str *ids, size_t n)
{
    o->folder = arena_str(&o->op.arena, folder);
    o->ids = copied(&o->op.arena, ids, n);
    o->id_n = n;
}

struct op *fake_new_write(struct backend *b, void (*write)(struct fake_op *o), struct str folder, const struct str *ids,
                          size_t n, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, write, cb, ud);
    set_ids(o, folder, ids, n);
    return &o->op;
}

struct str fake_new_id(struct fake_op *o)
{
    return arena_printf(&o->op.arena, "w%llu", (unsigned long long)++o->fake->made);
}

static void set_item_categories(struct fake_item *item, const struct str *list, size_t n)
{
    fake_free_categories(item);
    item->categories = mem_array(n + 1, sizeof(*item->categories));
    for (size_t i = 0; i < n; i++)
        item->categories[i] = str_from(str_dup(list[i]));
    item->category_n = n;
}

/* Which of the ids are there; the others fail by themselves. */
static struct fake_item *item_at(struct fake_op *o, size_t i, struct err *each)
{
    struct fake_item *item = fake_find_item(o->fake, o->folder, o->ids[i]);
    if (item && !item->gone)
        return item;
    err_set(&each[i], ERR_NOT_FOUND, "no such item");
    return NULL;
}

static struct err *begin_answer(struct fake_op *o)
{
    struct err *each = arena_array(&o->op.arena, o->id_n, sizeof(*each));
    o->op.reply->items_done.each = each;
    o->op.reply->items_done.count = o->id_n;
    return each;
}

static void write_flags(struct fake_op *o)
{
    struct err *each = begin_answer(o);
    for (size_t i = 0; i < o->id_n; i++) {
        struct fake_item *item = item_at(o, i, each);
        if (!item)
            continue;
        item->flags = (item->flags | o->changes[i].set) & ~o->changes[i].clear;
        if (o->changes[i].categories_set)
            set_item_categories(item, o->changes[i].categories, o->changes[i].category_count);
        fake_item_changed(o->fake, item);
    }
    fake_finish_write(o);
}

struct op *fake_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, write_flags, cb, ud);
    struct str *ids = arena_array(&o->op.arena, request->count, sizeof(*ids));
    o->changes = arena_array(&o->op.arena, request->count, sizeof(*o->changes));
    for (size_t i = 0; i < request->count; i++) {
        ids[i] = request->items[i].id;
        o->changes[i] = request->items[i];
        o->changes[i].categories = copied(&o->op.arena, request->items[i].categories, request->items[i].category_count);
    }
    set_ids(o, request->folder_id, ids, request->count);
    return &o->op;
}

static struct fake_item *duplicate(struct fake_op *o, const struct fake_item *item, struct str id)
{
    struct str bytes = {mem_dup(item->message.p, item->message.n ? item->message.n : 1), item->message.n};
    struct fake_item *made = fake_add_item(o->fake, o->to, id, bytes);
    made->flags = item->flags;
    made->received_s = item->received_s;
    set_item_categories(made, item->categories, item->category_n);
    return made;
}

static void write_copies(struct fake_op *o)
{
    struct err *each = begin_answer(o);
    struct str *ids = arena_array(&o->op.arena, o->id_n, sizeof(*ids));
    o->op.reply->items_done.new_ids = ids;
    for (size_t i = 0; i < o->id_n; i++) {
        struct fake_item *item = item_at(o, i, each);
        if (!item)
            continue;
        ids[i] = fake_new_id(o);
        fake_item_changed(o->fake, duplicate(o, item, ids[i]));
        if (o->flags) { /* a move */
            item->gone = true;
            fake_item_changed(o->fake, item);
        }
    }
    fake_finish_write(o);
}

static struct op *copy_or_move(struct backend *b, struct str from, struct str to, const struct str *ids, size_t n,
                               bool move, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, write_copies, cb, ud);
    set_ids(o, from, ids, n);
    o->to = arena_str(&o->op.arena, to);
    o->flags = move;
    return &o->op;
}

struct op *fake_move(struct backend *b, struct str from, struct str to, const struct str *ids, size_t n, op_cb *cb,
                     void *ud)
{
    return copy_or_move(b, from, to, ids, n, true, cb, ud);
}

struct op *fake_copy(struct backend *b, struct str from, struct str to, const struct str *ids, size_t n, op_cb *cb,
                     void *ud)
{
    return copy_or_move(b, from, to, ids, n, false, cb, ud);
}

static void write_removals(struct fake_op *o)
{
    struct err *each = begin_answer(o);
    for (size_t i = 0; i < o->id_n; i++) {
        struct fake_item *item = item_at(o, i, each);
        if (!item)
            continue;
        item->gone = true;
        fake_item_changed(o->fake, item);
    }
    fake_finish_write(o);
}

struct op *fake_remove(struct backend *b, struct str folder, const struct str *ids, size_t n, bool permanent, op_cb *cb,
                       void *ud)
{
    (void)permanent;
    struct fake_op *o = new_write(b, write_removals, cb, ud);
    set_ids(o, folder, ids, n);
    return &o->op;
}

struct fake_item *fake_find_evidence(struct fake_op *o)
{
    LIST_EACH (&o->fake->items, link) {
        struct fake_item *item = LIST_ITEM(link, struct fake_item, link);
        if (item->evidence && str_is(o->evidence, item->evidence) && str_is(o->folder, item->folder) && !item->gone)
            return item;
    }
    return NULL;
}

static bool answer_found(struct fake_op *o)
{
    const struct fake_item *item = fake_find_evidence(o);
    if (!item)
        return false;
    blob_unref(&o->message);
    o->op.reply->created.id = arena_str(&o->op.arena, str_from(item->id));
    op_finish(&o->op);
    return true;
}

static void find_message(struct fake_op *o)
{
    struct err err = {0};
    if (answer_found(o))
        return;
    err_set(&err, ERR_NOT_FOUND, "nothing with this evidence");
    op_finish_err(&o->op, &err);
}

struct op *fake_find_appended(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, find_message, cb, ud);
    o->folder = arena_str(&o->op.arena, folder_id);
    o->evidence = arena_str(&o->op.arena, evidence);
    return &o->op;
}

static void write_message(struct fake_op *o)
{
    if (o->retry && answer_found(o))
        return;
    size_t n = (size_t)blob_size(o->message);
    char *bytes = mem_alloc(n + 1);
    struct err err = {0};
    if (!blob_read(o->message, 0, bytes, n, &err)) {
        mem_free(bytes);
        blob_unref(&o->message);
        op_finish_err(&o->op, &err);
        return;
    }
    blob_unref(&o->message);
    struct str id = fake_new_id(o);
    struct fake_item *item = fake_add_item(o->fake, o->folder, id, (struct str){bytes, n});
    item->flags = o->flags;
    item->evidence = str_dup(o->evidence);
    item->received_s = o->received_ms == TIME_NONE ? time_wall_s() : o->received_ms / 1000;
    set_item_categories(item, o->categories, o->category_n);
    fake_item_changed(o->fake, item);
    o->op.reply->created.id = id;
    fake_finish_write(o);
}

struct op *fake_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, write_message, cb, ud);
    o->folder = arena_str(&o->op.arena, request->folder_id);
    o->message = blob_ref(request->message);
    o->flags = request->flags;
    o->evidence = arena_str(&o->op.arena, request->evidence);
    o->retry = request->retry;
    o->received_ms = request->received_ms;
    o->categories = copied(&o->op.arena, request->categories, request->category_count);
    o->category_n = request->category_count;
    return &o->op;
}

static void write_folder(struct fake_op *o)
{
    struct str id = o->folder.n ? o->folder : fake_new_id(o);
    struct fake_folder *folder = fake_add_folder(o->fake, id);
    if (!o->folder.n)
        folder->kind = (enum folder_kind)o->flags;
    mem_free(folder->parent);
    mem_free(folder->name);
    folder->parent = str_dup(o->to);
    folder->name = str_dup(o->name);
    fake_folder_changed(o->fake, folder);
    o->op.reply->created.id = id;
    fake_finish_write(o);
}

struct op *fake_folder_create(struct backend *b, struct str parent, struct str name, enum folder_kind kind, op_cb *cb,
                              void *ud)
{
    struct op *op = fake_folder_change(b, STR_NULL, parent, name, cb, ud);
    ((struct fake_op *)op)->flags = kind;
    return op;
}

struct op *fake_folder_change(struct backend *b, struct str id, struct str parent, struct str name, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, write_folder, cb, ud);
    o->folder = arena_str(&o->op.arena, id);
    o->to = arena_str(&o->op.arena, parent);
    o->name = arena_str(&o->op.arena, name);
    return &o->op;
}

static void write_folder_removal(struct fake_op *o)
{
    struct fake_folder *folder = fake_find_folder(o->fake, o->folder);
    if (folder) {
        folder->gone = true;
        fake_folder_changed(o->fake, folder);
    }
    fake_finish_write(o);
}

struct op *fake_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud)
{
    struct fake_op *o = new_write(b, write_folder_removal, cb, ud);
    o->folder = arena_str(&o->op.arena, id);
    return &o->op;
}
