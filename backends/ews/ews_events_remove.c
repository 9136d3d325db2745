/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting calendar items and tasks, with all their occurrences: [LOOK ->] DELETE. */
#include "backends/ews/ews_events.h"

struct remove_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct ews_look look;
    struct str id, change;
    bool notify;
    struct ews_done done[1];
    struct ews_done_list answer;
};

static bool write_remove(void *ud, struct xml_writer *w, bool slow)
{
    struct remove_op *r = ud;
    (void)slow;
    r->answer.answered = 0;
    xml_open(w, "m:DeleteItem");
    xml_attr_lit(w, "DeleteType", "MoveToDeletedItems");
    xml_attr_lit(w, "SendMeetingCancellations", r->notify ? "SendToAllAndSaveCopy" : "SendToNone");
    xml_attr_lit(w, "AffectedTaskOccurrences", "AllOccurrences");
    xml_open(w, "m:ItemIds");
    ews_write_item_id(w, r->id);
    xml_close(w);
    xml_close(w);
    return true;
}

static void finish(struct remove_op *r, const struct err *err)
{
    struct err *each = arena_array(&r->op.arena, 1, sizeof(*each));
    each[0] = *err;
    r->op.reply->items_done.each = each;
    r->op.reply->items_done.count = 1;
    op_finish_err(&r->op, err);
}

static void on_removed(void *ud, const struct err *err)
{
    struct remove_op *r = ud;
    struct err problem = *err;
    r->call = NULL;
    if (problem.code == ERR_NONE)
        ews_done_check(&r->answer, &problem);
    finish(r, &problem);
}

static void remove_it(struct remove_op *r)
{
    r->answer = (struct ews_done_list){.operation = "DeleteItem", .arena = &r->op.arena, .list = r->done, .count = 1};
    r->call = ews_call_start(r->ews, &(struct ews_call_opts){.operation = "DeleteItem",
                                                             .write = write_remove,
                                                             .reader = &ews_done_reader,
                                                             .reader_ud = &r->answer,
                                                             .on_done = on_removed,
                                                             .ud = r,
                                                             .batch = true});
}

static void on_looked(void *ud, const struct err *err)
{
    if (err->code != ERR_NONE)
        finish(ud, err);
    else
        remove_it(ud);
}

static void start_remove(struct op *op)
{
    struct remove_op *r = (struct remove_op *)op;
    if (r->change.n)
        ews_look_start(&r->look, r->ews, &op->arena, r->id, r->change, on_looked, r);
    else
        remove_it(r);
}

struct op *ews_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                            struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud)
{
    static const struct op_class class = {"ews.event-remove", sizeof(struct remove_op), start_remove, NULL};
    struct remove_op *r = (struct remove_op *)op_new(b->loop, &class, cb, ud);
    (void)folder_id;
    (void)is_current; /* no page moves on what is compared here */
    r->ews = (struct ews *)b;
    r->id = arena_str(&r->op.arena, id);
    r->change = arena_str(&r->op.arena, change);
    r->notify = notify && kind == FOLDER_CALENDAR;
    return &r->op;
}
