/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MoveItems (MS-ASCMD 2.2.1.12). There is no key and no id of the command in it: sent a second time it finds the items
 * gone. So after a lost answer it is sent once more, and an item that is not in the source any more then counts as
 * moved, under an id that the next Sync of the target tells. Whether we moved it or somebody else took it away, it is
 * not where it was.
 */
#include "backends/eas/eas_move_read.h"
#include "backends/eas/eas_write.h"

#define TRIES 3 /* of items that are locked, and of a lost answer */

struct move_op {
    struct eas_write w;
    struct eas_call call;
    struct timer *pause;
    struct eas_move_answer answer;
    struct str from_id, to_id;
    struct str *ids, *new_ids;
    struct err *each;
    bool *done;
    size_t count;
    size_t *batch; /* indices of the items in the request that is under way */
    struct str *batch_ids;
    size_t batch_count;
    struct err stale;
    bool confirmed, lost;
    unsigned tries;
};

static void next(struct move_op *m);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct move_op *m)
{
    eas_write_leave(&m->w);
    eas_call_close(&m->call);
    timer_free(&m->pause);
}

static void end(struct move_op *m, const struct err *err)
{
    struct reply *reply = m->w.op.reply;

    for (size_t i = 0; i < m->count; i++)
        if (!m->done[i])
            m->each[i] = *err;
    reply->items_done.each = m->each;
    reply->items_done.new_ids = m->new_ids;
    reply->items_done.count = m->count;
    if (!m->confirmed)
        reply->err = *err;
    leave(m);
    op_finish(&m->w.op);
}

static void on_pause(void *ud)
{
    next(ud);
}

static void next_later(struct move_op *m)
{
    eas_call_close(&m->call);
    if (!m->pause)
        m->pause = timer_new(m->w.b->base.loop, on_pause, m);
    timer_start(m->pause, m->w.b->second_ms);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static bool moved(struct move_op *m, const struct eas_moved *answer, struct err *err)
{
    const char *text = "the server answered a status that is not known";
    enum err_code code = ERR_PROTOCOL;

    switch (answer->status) {
    case EAS_MOVE_OK:
        return true;
    case EAS_MOVE_NO_SOURCE:
        if (m->lost)
            return true;
        code = ERR_NOT_FOUND;
        text = "the item is gone";
        break;
    case EAS_MOVE_NO_TARGET:
        m->w.b->hierarchy = true;
        code = ERR_NOT_FOUND;
        text = "the folder to move to is not there";
        break;
    case EAS_MOVE_SAME:
        code = ERR_INVALID;
        text = "the item is in this folder already";
        break;
    case EAS_MOVE_FAILED:
    case EAS_MOVE_LOCKED:
        code = ERR_OFFLINE;
        text = "the server cannot move the item now";
        break;
    case 0:
        text = "the server says nothing about an item";
        break;
    default:
        break;
    }
    err_set(err, code, "MoveItems: %s (status %d)", text, answer->status);
    err->status = answer->status;
    return false;
}

static void on_answer(struct move_op *m)
{
    bool again = false;

    for (size_t i = 0; i < m->batch_count; i++) {
        const struct eas_moved *answer = &m->answer.list[i];
        size_t k = m->batch[i];
        struct err err = {0};
        bool ok = moved(m, answer, &err), silent = answer->status == 0;

        if (!ok && (err.code == ERR_OFFLINE || silent) && m->tries < TRIES) {
            m->lost |= silent; /* done or not, it does not say */
            again = true;
            continue;
        }
        m->done[k] = true;
        m->each[k] = err;
        m->confirmed |= ok;
        if (ok)
            m->new_ids[k] = answer->new_id;
    }
    if (again)
        next_later(m);
    else
        next(m);
}

static void on_done(void *ud, const struct err *err)
{
    struct move_op *m = ud;

    if (err->code == ERR_NONE) {
        on_answer(m);
    } else if (m->call.unknown && m->tries < TRIES) {
        m->lost = true;
        next_later(m);
    } else {
        end(m, err);
    }
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct move_op *m = ud;

    (void)err;
    eas_move_answer_begin(&m->answer, m->batch_ids, m->batch_count);
    eas_write_open(w, Move_MoveItems);
    for (size_t i = 0; i < m->batch_count; i++) {
        eas_write_open(w, Move_Move);
        eas_write_text(w, Move_SrcMsgId, m->batch_ids[i]);
        eas_write_text(w, Move_SrcFldId, m->from_id);
        eas_write_text(w, Move_DstFldId, m->to_id);
        eas_write_close(w);
    }
    eas_write_close(w);
    return true;
}

static const struct eas_request request = {
    .command = EAS_MOVE_ITEMS, .rules = &eas_move_rules, .once = true, .write = write_request, .done = on_done};

static void next(struct move_op *m)
{
    struct err none = {0};

    m->batch_count = 0;
    for (size_t i = 0; i < m->count; i++)
        if (!m->done[i]) {
            m->batch[m->batch_count] = i;
            m->batch_ids[m->batch_count++] = m->ids[i];
        }
    if (m->batch_count == 0) {
        end(m, &none);
        return;
    }
    m->tries++;
    eas_call_close(&m->call);
    eas_call_init(&m->call, m->w.b, &request, m);
    m->call.reader = &m->answer;
    eas_call_start(&m->call);
}

static void on_turn(void *ud)
{
    struct move_op *m = ud;
    struct str cursor;

    if (eas_write_cursor(&m->w, m->from_id, &cursor, &m->stale))
        next(m);
    else
        end(m, &m->stale);
}

static void start(struct op *op)
{
    struct move_op *m = (struct move_op *)op;

    if (m->stale.code == ERR_NONE)
        eas_turn_wait(&m->w.turn, &m->w.b->syncs, true, on_turn, m);
    else
        end(m, &m->stale);
}

static void stop(struct op *op)
{
    leave((struct move_op *)op);
}

struct op *eas_move(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                    op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.move", sizeof(struct move_op), start, stop};
    struct move_op *m = (struct move_op *)eas_write_new(b, &class, cb, ud);
    struct arena *arena = &m->w.op.arena;
    struct str cursor;

    m->from_id = arena_str(arena, from_id);
    m->to_id = arena_str(arena, to_id);
    m->ids = arena_array(arena, count + 1, sizeof(*m->ids));
    m->new_ids = arena_array(arena, count + 1, sizeof(*m->new_ids));
    m->each = arena_array(arena, count + 1, sizeof(*m->each));
    m->done = arena_array(arena, count + 1, sizeof(*m->done));
    m->batch = arena_array(arena, count + 1, sizeof(*m->batch));
    m->batch_ids = arena_array(arena, count + 1, sizeof(*m->batch_ids));
    m->count = count;
    m->answer.arena = arena;
    for (size_t i = 0; i < count; i++)
        m->ids[i] = arena_str(arena, ids[i]);
    /* As in eas_change.c: ids of a folder that is being collected anew may mean other items soon. */
    eas_write_cursor(&m->w, m->from_id, &cursor, &m->stale);
    return &m->w.op;
}
