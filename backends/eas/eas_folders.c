/* SPDX-License-Identifier: Apache-2.0 */
/* The folder list for the core. */
#include "backends/eas/eas_listing.h"

struct folders_op {
    struct op op;
    struct eas_backend *b;
    struct eas_turn turn;
    struct eas_listing listing;
    struct str cursor;
};

static void leave(struct folders_op *f)
{
    eas_turn_end(&f->turn);
    eas_listing_close(&f->listing);
}

/* A folder that is gone has no sync state that could have moved on. */
static void forget_records(struct folders_op *f)
{
    const struct eas_folder_changes *c = &f->listing.changes;
    struct eas_record ignored;

    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].gone)
            eas_record_load(f->b, c->list[i].id, STR_NULL, &f->op.arena, &ignored);
}

static void on_listed(void *ud, const struct err *err)
{
    struct folders_op *f = ud;
    struct eas_listing *l = &f->listing;
    struct reply *reply = f->op.reply;
    size_t n = 0;

    reply->err = *err;
    if (err->code == ERR_NONE) {
        struct folder_info *effects = NULL, *all;

        if (!l->full && l->known)
            effects = eas_listing_effects(f->b, &l->record, &f->op.arena, &n);
        all = arena_array(&f->op.arena, n + l->changes.count + 1, sizeof(*all));
        if (n > 0)
            memcpy(all, effects, n * sizeof(*all));
        if (l->changes.count > 0)
            memcpy(all + n, l->changes.list, l->changes.count * sizeof(*all));
        reply->folders.list = all;
        reply->folders.count = n + l->changes.count;
        reply->folders.full = l->full;
        reply->folders.cursor = eas_cursor_write(f->b, &f->op.arena, l->changes.key);
        forget_records(f);
        if (!l->full && l->changes.count > 0)
            f->b->ping_hierarchies = 0; /* it did help to look */
    }
    leave(f);
    op_finish(&f->op);
}

static void on_turn(void *ud)
{
    struct folders_op *f = ud;

    eas_listing_init(&f->listing, f->b, f->cursor, &f->op.arena);
    eas_listing_start(&f->listing, false, on_listed, f);
}

static void start(struct op *op)
{
    struct folders_op *f = (struct folders_op *)op;

    eas_turn_wait(&f->turn, &f->b->hierarchies, false, on_turn, f);
}

static void stop(struct op *op)
{
    leave((struct folders_op *)op);
}

struct op *eas_folders(struct backend *base, struct str cursor, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.folders", sizeof(struct folders_op), start, stop};
    struct op *op = op_new(base->loop, &class, cb, ud);
    struct folders_op *f = (struct folders_op *)op;

    f->b = (struct eas_backend *)base;
    f->cursor = arena_str(&op->arena, cursor);
    return op;
}
