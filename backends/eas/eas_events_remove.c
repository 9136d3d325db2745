/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting calendar items and tasks: one Sync with one command, durable as eas_record.h says (MS-ASCMD 2.2.1.21). */
#include "backends/eas/eas_push.h"
#include "backends/eas/eas_write.h"

struct remove_op {
    struct eas_write w;
    struct eas_push push;
    struct eas_push_batch batch;
    struct str folder_id, id;
    enum folder_kind kind;
    event_current_cb *is_current;
};

static void leave_removing(struct remove_op *r)
{
    eas_write_leave(&r->w);
    eas_push_close(&r->push);
}

static void end_removing(struct remove_op *r, const struct err *err)
{
    struct err *each = arena_array(&r->w.op.arena, 1, sizeof(*each));

    each[0] = *err;
    r->w.op.reply->items_done.each = each;
    r->w.op.reply->items_done.count = 1;
    leave_removing(r);
    op_finish_err(&r->w.op, &each[0]);
}

static void write_removal(void *ud, struct eas_writer *w)
{
    struct remove_op *r = ud;

    eas_write_open(w, AirSync_Delete);
    eas_write_text(w, AirSync_ServerId, r->id);
    eas_write_close(w);
}

static void on_removed(void *ud, const struct err *err)
{
    struct remove_op *r = ud;
    struct err problem = *err;

    if (problem.code == ERR_NONE && eas_push_event_status(&r->push, &problem))
        eas_push_heard(&r->push, r->id);
    end_removing(r, &problem);
}

static void on_removing_turn(void *ud)
{
    struct remove_op *r = ud;
    struct err err = {0};
    struct str cursor;

    if (!eas_write_cursor(&r->w, r->folder_id, &cursor, &err) || !eas_write_is_current(&r->w, r->is_current, &err)) {
        end_removing(r, &err);
        return;
    }
    eas_push_init(&r->push, r->w.b, r->folder_id, r->kind, &r->w.op.arena);
    r->batch = (struct eas_push_batch){
        .deletes_as_moves = 1, .write = write_removal, .event = true, .gone = true, .event_id = r->id};
    eas_push_send(&r->push, cursor, &r->batch, on_removed, r);
}

static void start_removing(struct op *op)
{
    struct remove_op *r = (struct remove_op *)op;

    eas_turn_wait(&r->w.turn, &r->w.b->syncs, true, on_removing_turn, r);
}

static void stop_removing(struct op *op)
{
    leave_removing((struct remove_op *)op);
}

/* Whom to tell of it, and whether, is up to the server (16.x) or to the core (before). */
struct op *eas_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                            struct str change, bool notify, event_current_cb *current, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.event-remove", sizeof(struct remove_op), start_removing, stop_removing};
    struct remove_op *r = (struct remove_op *)eas_write_new(b, &class, cb, ud);

    (void)change;
    (void)notify;
    r->folder_id = arena_str(&r->w.op.arena, folder_id);
    r->kind = kind;
    r->is_current = current;
    r->id = arena_str(&r->w.op.arena, id);
    return &r->w.op;
}
