/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags, categories and deleting: Changes and Deletes in a Sync, many in one request (MS-ASCMD 2.2.1.21). What one
 * request refuses as a whole is halved until the item that spoils it stands alone.
 */
#include "backends/eas/eas_push.h"
#include "backends/eas/eas_write.h"
#include "bridge/base/time.h"

#define BATCH_BYTES  ((size_t)256 * 1024) /* of one request, roughly */
#define ITEM_BYTES   128                  /* tags and flags of one item */
#define TRIES        3                    /* of an item that the server fails on */
#define REJECTED_MAX 3                    /* items refused in a row: then it is us, not them */
#define FLAGGED      2                    /* Email:Flag/Status: active (MS-ASEMAIL 2.2.2.72) */
#define FLAG_TYPE    "Flag for follow up"
#define FLAG_DUE_MS  ((int64_t)7 * 24 * 3600 * 1000)
#define SERVER_FLAGS (ITEM_SEEN | ITEM_FLAGGED)

struct wanted {
    struct flag_change change; /* a Delete uses the id alone */
    struct err err;
    bool done, dates;
    unsigned tries;
};

struct change_op {
    struct eas_write w;
    struct eas_push push;
    struct timer *pause;
    struct str folder_id;
    struct wanted *items;
    size_t count;
    size_t *batch; /* indices of the items in the request that is under way */
    size_t batch_count, limit;
    struct err stale; /* why the ids are of no use */
    bool deleting, permanent;
    bool in_turn;      /* of somebody else */
    bool confirmed;    /* something was carried out: errors are told item by item from then on */
    bool failing;      /* the last batch had items to be tried again */
    unsigned rejected; /* single items in a row that the server found malformed */
};

static void next(struct change_op *o);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct change_op *o)
{
    eas_write_leave(&o->w);
    eas_push_close(&o->push);
    timer_free(&o->pause);
}

static void end(struct change_op *o, const struct err *err)
{
    struct reply *reply = o->w.op.reply;
    struct err *each = arena_array(&o->w.op.arena, o->count + 1, sizeof(*each));

    for (size_t i = 0; i < o->count; i++)
        each[i] = o->items[i].done ? o->items[i].err : *err;
    reply->items_done.each = each;
    reply->items_done.count = o->count;
    if (!o->confirmed)
        reply->err = *err;
    leave(o);
    op_finish(&o->w.op);
}

static void item_done(struct change_op *o, struct wanted *item, const struct err *err)
{
    item->done = true;
    item->err = *err;
    if (err->code == ERR_NONE)
        o->confirmed = true;
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void write_categories(struct eas_writer *w, const struct flag_change *c)
{
    if (c->category_count == 0) {
        eas_write_empty(w, Email_Categories);
        return;
    }
    eas_write_open(w, Email_Categories);
    for (size_t i = 0; i < c->category_count; i++)
        eas_write_text(w, Email_Category, c->categories[i]);
    eas_write_close(w);
}

static void write_change(struct eas_writer *w, const struct wanted *item)
{
    const struct flag_change *c = &item->change;
    unsigned both = c->set | c->clear;

    eas_write_open(w, AirSync_Change);
    eas_write_text(w, AirSync_ServerId, c->id);
    eas_write_open(w, AirSync_ApplicationData);
    if (both & ITEM_SEEN)
        eas_write_uint(w, Email_Read, (c->set & ITEM_SEEN) != 0);
    if (both & ITEM_FLAGGED)
        eas_write_flag(w, c->set & ITEM_FLAGGED, item->dates ? time_wall_ms() : TIME_NONE);
    if (c->categories_set)
        write_categories(w, c);
    eas_write_close(w);
    eas_write_close(w);
}

static void write_commands(void *ud, struct eas_writer *w)
{
    struct change_op *o = ud;

    for (size_t i = 0; i < o->batch_count; i++) {
        const struct wanted *item = &o->items[o->batch[i]];

        if (o->deleting) {
            eas_write_open(w, AirSync_Delete);
            eas_write_text(w, AirSync_ServerId, item->change.id);
            eas_write_close(w);
        } else {
            write_change(w, item);
        }
    }
}

static size_t bytes_of(const struct wanted *item)
{
    size_t n = ITEM_BYTES + item->change.id.n;

    for (size_t i = 0; i < item->change.category_count; i++)
        n += item->change.categories[i].n + 8;
    return n;
}

static void choose(struct change_op *o)
{
    size_t bytes = 0;

    o->batch_count = 0;
    for (size_t i = 0; i < o->count && o->batch_count < o->limit; i++) {
        if (o->items[i].done)
            continue;
        bytes += bytes_of(&o->items[i]);
        if (o->batch_count > 0 && bytes > BATCH_BYTES)
            break;
        o->batch[o->batch_count++] = i;
    }
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static bool try_again(struct change_op *o, struct wanted *item, const struct err *err)
{
    if (err->status == EAS_SYNC_INVALID && (item->change.set & ITEM_FLAGGED) && !item->dates) {
        item->dates = true;
        return true;
    }
    if ((err->status == EAS_SYNC_SERVER || err->status == EAS_SYNC_RETRY) && ++item->tries < TRIES) {
        o->failing = true;
        return true;
    }
    return false;
}

static void take_response(struct change_op *o, struct wanted *item)
{
    enum eas_tag command = o->deleting ? AirSync_Delete : AirSync_Change;
    struct err err = {0};

    if (!eas_push_status(eas_push_response(&o->push, command, item->change.id), &err) && try_again(o, item, &err))
        return;
    if (err.code == ERR_NONE && item->dates)
        o->w.b->flag_dates = true;
    item_done(o, item, &err);
}

static void on_pause(void *ud)
{
    next(ud);
}

/* Not understood, all of it: half of it may be. */
static void on_rejected(struct change_op *o, const struct err *err)
{
    if (o->batch_count > 1) {
        o->limit = o->batch_count / 2;
    } else {
        item_done(o, &o->items[o->batch[0]], err);
        o->rejected++;
    }
    if (o->rejected > REJECTED_MAX)
        end(o, err);
    else
        next(o);
}

static void on_batch(void *ud, const struct err *err)
{
    struct change_op *o = ud;

    if (err->status == EAS_SYNC_PROTOCOL && err->code == ERR_INVALID) {
        on_rejected(o, err);
        return;
    }
    if (err->code != ERR_NONE) {
        end(o, err);
        return;
    }
    o->rejected = 0;
    o->failing = false;
    for (size_t i = 0; i < o->batch_count; i++)
        take_response(o, &o->items[o->batch[i]]);
    if (!o->failing) {
        next(o);
        return;
    }
    if (!o->pause)
        o->pause = timer_new(o->w.b->base.loop, on_pause, o);
    timer_start(o->pause, o->w.b->second_ms);
}

/* --- the op ------------------------------------------------------------------------------------------------------ */

static void next(struct change_op *o)
{
    static const struct eas_push_batch changes = {.deletes_as_moves = -1, .write = write_commands},
                                       moves = {.deletes_as_moves = 1, .write = write_commands},
                                       deletes = {.deletes_as_moves = 0, .write = write_commands};
    struct err err = {0};
    struct str cursor;

    choose(o);
    if (o->batch_count == 0 || !eas_write_cursor(&o->w, o->folder_id, &cursor, &err)) {
        end(o, &err);
        return;
    }
    eas_push_send(&o->push, cursor, !o->deleting ? &changes : o->permanent ? &deletes : &moves, on_batch, o);
}

static void on_turn(void *ud)
{
    struct change_op *o = ud;

    eas_push_init(&o->push, o->w.b, o->folder_id, FOLDER_MAIL, &o->w.op.arena);
    next(o);
}

static void start(struct op *op)
{
    struct change_op *o = (struct change_op *)op;
    struct err err = {0};

    if (o->stale.code != ERR_NONE) {
        end(o, &o->stale);
        return;
    }
    for (size_t i = 0; i < o->count; i++) {
        struct wanted *item = &o->items[i];

        item->dates = o->w.b->flag_dates;
        if (!o->deleting && !((item->change.set | item->change.clear) & SERVER_FLAGS) && !item->change.categories_set)
            item_done(o, item, &err);
    }
    if (o->in_turn)
        on_turn(o);
    else
        eas_turn_wait(&o->w.turn, &o->w.b->syncs, true, on_turn, o);
}

static void stop(struct op *op)
{
    leave((struct change_op *)op);
}

static const struct op_class class = {"eas.change", sizeof(struct change_op), start, stop};

static struct change_op *change_new(struct backend *b, struct str folder_id, size_t count, op_cb *cb, void *ud)
{
    struct change_op *o = (struct change_op *)eas_write_new(b, &class, cb, ud);
    struct arena *arena = &o->w.op.arena;
    struct str cursor;

    o->folder_id = arena_str(arena, folder_id);
    o->items = arena_array(arena, count + 1, sizeof(*o->items));
    o->batch = arena_array(arena, EAS_BATCH, sizeof(*o->batch));
    o->count = count;
    o->limit = EAS_BATCH;
    /* Asked now, too: a folder that is being collected anew may be complete when the turn comes, and have other ids. */
    eas_write_cursor(&o->w, o->folder_id, &cursor, &o->stale);
    return o;
}

struct op *eas_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud)
{
    struct change_op *o = change_new(b, request->folder_id, request->count, cb, ud);
    struct arena *arena = &o->w.op.arena;

    for (size_t i = 0; i < request->count; i++) {
        const struct flag_change *from = &request->items[i];
        struct flag_change *to = &o->items[i].change;
        struct str *categories = arena_array(arena, from->category_count + 1, sizeof(*categories));

        for (size_t c = 0; c < from->category_count; c++)
            categories[c] = arena_str(arena, from->categories[c]);
        *to = *from;
        to->id = arena_str(arena, from->id);
        to->categories = categories;
        to->categories_set = from->categories_set && o->w.b->state.version >= 140;
    }
    return &o->w.op;
}

struct op *eas_flag_in_turn(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud)
{
    struct op *op = eas_flag(b, request, cb, ud);

    ((struct change_op *)op)->in_turn = true;
    return op;
}

struct op *eas_remove(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                      op_cb *cb, void *ud)
{
    struct change_op *o = change_new(b, folder_id, count, cb, ud);

    o->deleting = true;
    o->permanent = permanent;
    for (size_t i = 0; i < count; i++)
        o->items[i].change.id = arena_str(&o->w.op.arena, ids[i]);
    return &o->w.op;
}
