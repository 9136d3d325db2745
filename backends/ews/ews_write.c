/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags, moving, copying, deleting: many items in one request, one response message each. Moving and copying are sent
 * once: a second move of the same ids finds nothing, and a second copy makes a second copy. So, when the server was
 * busy for some of the items, only those are asked for again.
 */
#include "backends/ews/ews_write.h"

#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"

/* --- the answer ------------------------------------------------------------------------------- */

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_done_list *d = ud;
    (void)x;
    if (el == EL_RESPONSE_MESSAGE) {
        d->id = d->change = STR_NULL;
    } else if ((el == EL_ITEM_ID || el == EL_FOLDER_ID) && d->id.n == 0) {
        struct str id = xml_attr_get(attrs, n, "Id"), change = xml_attr_get(attrs, n, "ChangeKey");
        if (id.n <= BACKEND_ID_MAX && change.n <= BACKEND_ID_MAX) {
            d->id = arena_str(d->arena, id);
            d->change = arena_str(d->arena, change);
        }
    }
    return XML_COLLECT;
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_done_list *d = ud;
    (void)x;
    d->answered = index + 1;
    if (index >= d->count)
        return;
    d->list[index] = (struct ews_done){.id = d->id, .change = d->change};
    if (status->code->err != ERR_NONE)
        ews_status_err(status, d->operation, &d->list[index].err);
}

const struct ews_reader ews_done_reader = {.on_start = on_start, .on_message = on_message, .max_bytes = 16 << 20};

bool ews_done_check(const struct ews_done_list *d, struct err *err)
{
    if (d->answered != d->count)
        return err_set(err, ERR_PROTOCOL, "%s: %zu answers to %zu questions", d->operation, d->answered, d->count);
    if (d->count == 1 && d->list[0].err.code != ERR_NONE) {
        *err = d->list[0].err;
        return false;
    }
    return true;
}

/* --- one op for all four ---------------------------------------------------------------------- */

struct write_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    const struct write_kind *kind;
    struct str to_id;
    struct flag_change *changes; /* flag; the others use the id alone */
    size_t count;
    bool *dealt;                /* the server has said what became of it, in this attempt or an earlier one */
    size_t *asked, asked_count; /* by place in this attempt's request: which item */
    size_t answered;            /* messages of this attempt's answer */
    size_t most;                /* to ask for at once: less after an attempt that took too long */
    bool permanent, versioned, unknown;
    struct ews_done_list done;
};

struct write_kind {
    const char *operation;
    bool once;
    void (*write)(struct write_op *o, struct xml_writer *w);
};

static bool on_write(void *ud, struct xml_writer *w, bool slow)
{
    struct write_op *o = ud;
    if (slow)
        o->most = ews_pace_slow(&o->ews->write_pace, o->asked_count);
    o->asked_count = o->answered = 0;
    for (size_t i = 0; i < o->count && o->asked_count < o->most; i++)
        if (!o->dealt[i])
            o->asked[o->asked_count++] = i;
    o->kind->write(o, w);
    return o->asked_count > 0;
}

static enum xml_want on_item_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    return ews_done_reader.on_start(&((struct write_op *)ud)->done, x, el, attrs, n);
}

static void on_item(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct write_op *o = ud;
    o->answered = index + 1;
    if (index >= o->asked_count)
        return;
    ews_done_reader.on_message(&o->done, x, o->asked[index], status);
    o->dealt[o->asked[index]] = true;
}

static const struct ews_reader item_reader = {.on_start = on_item_start, .on_message = on_item, .max_bytes = 16 << 20};

static size_t count_dealt(const struct write_op *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->count; i++)
        n += o->dealt[i];
    return n;
}

/* The call has failed. What the server said of items in earlier attempts stays true; of the others, what the failure is
 * to be. False: nothing is known of them, and so the whole has failed. */
static bool settle_rest(struct write_op *o, const struct err *err)
{
    if (count_dealt(o) == 0 || o->unknown)
        return false;
    for (size_t i = 0; i < o->count; i++)
        if (!o->dealt[i])
            o->done.list[i].err = *err;
    return true;
}

static void start(struct op *op);

static void on_done(void *ud, const struct err *err)
{
    struct write_op *o = ud;
    struct arena *arena = &o->op.arena;
    struct err problem = *err;
    o->call = NULL;
    bool complete = o->asked_count > 0 && o->answered == o->asked_count;
    if (problem.code == ERR_NONE && complete && count_dealt(o) != o->count) {
        start(&o->op); /* with the rest */
        return;
    }
    if (problem.code == ERR_NONE && (o->answered != o->asked_count || count_dealt(o) != o->count))
        err_set(&problem, ERR_PROTOCOL, "%s: %zu answers to %zu questions", o->kind->operation, o->answered,
                o->asked_count);
    else if (problem.code != ERR_NONE && settle_rest(o, &problem))
        problem = (struct err){0};
    struct err *each = arena_array(arena, o->count + 1, sizeof(*each));
    struct str *ids = arena_array(arena, o->count + 1, sizeof(*ids));
    struct str *keys = arena_array(arena, o->count + 1, sizeof(*keys));
    for (size_t i = 0; i < o->count; i++) {
        each[i] = o->done.list[i].err;
        ids[i] = o->done.list[i].id;
        keys[i] = o->done.list[i].change;
    }
    o->op.reply->items_done.each = each;
    o->op.reply->items_done.new_ids = ids;
    o->op.reply->items_done.changes = keys;
    o->op.reply->items_done.count = o->count;
    op_finish_err(&o->op, &problem);
}

static void start(struct op *op)
{
    struct write_op *o = (struct write_op *)op;
    o->call = ews_call_start(o->ews, &(struct ews_call_opts){
                                         .operation = o->kind->operation,
                                         .write = on_write,
                                         .reader = &item_reader,
                                         .reader_ud = o,
                                         .on_done = on_done,
                                         .ud = o,
                                         .batch = true,
                                         .once = o->kind->once,
                                         .ret_unknown = &o->unknown,
                                     });
}

/* Not abortable: what was asked for is carried out, whoever has gone meanwhile. */
static const struct op_class class = {"ews.write", sizeof(struct write_op), start, NULL};

static struct write_op *write_op_new(struct backend *b, const struct write_kind *kind, size_t count, op_cb *cb,
                                     void *ud)
{
    struct write_op *o = (struct write_op *)op_new(b->loop, &class, cb, ud);
    o->ews = (struct ews *)b;
    o->kind = kind;
    o->count = count;
    o->most = ews_pace_most(&o->ews->write_pace, count);
    o->changes = arena_array(&o->op.arena, count + 1, sizeof(*o->changes));
    o->dealt = arena_array(&o->op.arena, count + 1, sizeof(*o->dealt));
    o->asked = arena_array(&o->op.arena, count + 1, sizeof(*o->asked));
    o->done = (struct ews_done_list){
        .operation = kind->operation,
        .arena = &o->op.arena,
        .list = arena_array(&o->op.arena, count + 1, sizeof(*o->done.list)),
        .count = count,
    };
    return o;
}

/* --- flags: UpdateItem (MS-OXWSCORE 3.1.4.9) -------------------------------------------------- */

static void set_open(struct xml_writer *w)
{
    xml_open(w, "t:SetItemField");
}

static void set_value_open(struct xml_writer *w)
{
    xml_open(w, "t:Message");
}

static void set_close(struct xml_writer *w)
{
    xml_close(w);
    xml_close(w);
}

static void set_integer(struct xml_writer *w, uint32_t tag, unsigned value)
{
    set_open(w);
    ews_write_property(w, tag, "Integer");
    set_value_open(w);
    xml_open(w, "t:ExtendedProperty");
    ews_write_property(w, tag, "Integer");
    xml_leaf_u64(w, "t:Value", value);
    xml_close(w);
    set_close(w);
}

static void delete_property(struct xml_writer *w, uint32_t tag)
{
    xml_open(w, "t:DeleteItemField");
    ews_write_property(w, tag, "Integer");
    xml_close(w);
}

static void write_seen(struct xml_writer *w, bool seen)
{
    set_open(w);
    ews_write_field(w, "message:IsRead");
    set_value_open(w);
    xml_leaf_lit(w, "t:IsRead", seen ? "true" : "false");
    set_close(w);
}

/* One slot for both (MS-OXOMSG 2.2.1.41): the later one wins, and when it is taken away the other one is there again.
 * The icon is what Outlook shows. */
static void write_verb(struct xml_writer *w, const struct flag_change *c)
{
    unsigned latest = c->set & (ITEM_ANSWERED | ITEM_FORWARDED);
    if (!latest)
        latest = c->flags & (ITEM_ANSWERED | ITEM_FORWARDED);
    if (latest & ITEM_FORWARDED) {
        set_integer(w, EWS_TAG_LAST_VERB, 104);
        set_integer(w, EWS_TAG_ICON, 262);
    } else if (latest & ITEM_ANSWERED) {
        set_integer(w, EWS_TAG_LAST_VERB, 102);
        set_integer(w, EWS_TAG_ICON, 261);
    } else {
        delete_property(w, EWS_TAG_LAST_VERB);
        set_integer(w, EWS_TAG_ICON, 256);
    }
}

static void write_categories(struct xml_writer *w, const struct flag_change *c)
{
    if (c->category_count == 0) {
        xml_open(w, "t:DeleteItemField");
        ews_write_field(w, "item:Categories");
        xml_close(w);
        return;
    }
    set_open(w);
    ews_write_field(w, "item:Categories");
    set_value_open(w);
    xml_open(w, "t:Categories");
    for (size_t i = 0; i < c->category_count; i++)
        xml_leaf(w, "t:String", c->categories[i]);
    xml_close(w);
    set_close(w);
}

static void write_change(struct xml_writer *w, const struct flag_change *c, bool versioned)
{
    unsigned both = c->set | c->clear;
    xml_open(w, "t:ItemChange");
    ews_write_item_version(w, c->id, versioned ? c->change : STR_NULL);
    xml_open(w, "t:Updates");
    if (c->categories_set)
        write_categories(w, c);
    if (both & ITEM_FLAGGED) {
        if (c->set & ITEM_FLAGGED)
            set_integer(w, EWS_TAG_FLAG_STATUS, 2); /* PidTagFlagStatus followupFlagged, MS-OXOFLAG 2.2.1.1 */
        else
            delete_property(w, EWS_TAG_FLAG_STATUS);
    }
    if (both & (ITEM_ANSWERED | ITEM_FORWARDED))
        write_verb(w, c);
    if (both & ITEM_SEEN)
        write_seen(w, c->set & ITEM_SEEN);
    xml_close(w);
    xml_close(w);
}

/*
 * Flags overwrite: who sets last is right. Categories are a whole list, so another program's edit must not be lost:
 * with those the server compares ChangeKeys and answers ErrorIrresolvableConflict, and the core reads again and decides
 * anew.
 */
static void write_flags(struct write_op *o, struct xml_writer *w)
{
    xml_open(w, "m:UpdateItem");
    xml_attr_lit(w, "ConflictResolution", o->versioned ? "NeverOverwrite" : "AlwaysOverwrite");
    xml_attr_lit(w, "MessageDisposition", "SaveOnly");
    xml_attr_lit(w, "SendMeetingInvitationsOrCancellations", "SendToNone");
    if (ews_is_15(o->ews))
        xml_attr_lit(w, "SuppressReadReceipts", "true"); /* reading here is nobody's business */
    xml_open(w, "m:ItemChanges");
    for (size_t i = 0; i < o->asked_count; i++)
        write_change(w, &o->changes[o->asked[i]], o->versioned);
    xml_close(w);
    xml_close(w);
}

struct op *ews_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud)
{
    static const struct write_kind kind = {"UpdateItem", false, write_flags};
    struct write_op *o = write_op_new(b, &kind, request->count, cb, ud);
    struct arena *arena = &o->op.arena;
    for (size_t i = 0; i < request->count; i++) {
        const struct flag_change *from = &request->items[i];
        struct flag_change *to = &o->changes[i];
        struct str *categories = arena_array(arena, from->category_count + 1, sizeof(*categories));
        for (size_t k = 0; k < from->category_count; k++)
            categories[k] = arena_str(arena, from->categories[k]);
        *to = *from;
        to->id = arena_str(arena, from->id);
        to->change = arena_str(arena, from->change);
        to->categories = categories;
        o->versioned |= from->categories_set && from->change.n;
    }
    return &o->op;
}

/* --- move, copy, remove ----------------------------------------------------------------------- */

static void write_ids(struct write_op *o, struct xml_writer *w)
{
    xml_open(w, "m:ItemIds");
    for (size_t i = 0; i < o->asked_count; i++)
        ews_write_item_id(w, o->changes[o->asked[i]].id);
    xml_close(w);
}

static void write_move_or_copy(struct write_op *o, struct xml_writer *w)
{
    xml_open(w, strcmp(o->kind->operation, "MoveItem") == 0 ? "m:MoveItem" : "m:CopyItem");
    xml_open(w, "m:ToFolderId");
    ews_write_folder_id(w, o->to_id);
    xml_close(w);
    write_ids(o, w);
    xml_leaf_lit(w, "m:ReturnNewItemIds", "true");
    xml_close(w);
}

/* SoftDelete: out of every folder, but in Recoverable Items, where Outlook finds it. */
static void write_remove(struct write_op *o, struct xml_writer *w)
{
    xml_open(w, "m:DeleteItem");
    xml_attr_lit(w, "DeleteType", o->permanent ? "HardDelete" : "SoftDelete");
    xml_attr_lit(w, "SendMeetingCancellations", "SendToNone");
    xml_attr_lit(w, "AffectedTaskOccurrences", "AllOccurrences");
    write_ids(o, w);
    xml_close(w);
}

static struct write_op *with_ids(struct backend *b, const struct write_kind *kind, const struct str *ids, size_t count,
                                 op_cb *cb, void *ud)
{
    struct write_op *o = write_op_new(b, kind, count, cb, ud);
    for (size_t i = 0; i < count; i++)
        o->changes[i].id = arena_str(&o->op.arena, ids[i]);
    return o;
}

struct op *ews_move(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                    op_cb *cb, void *ud)
{
    static const struct write_kind kind = {"MoveItem", true, write_move_or_copy};
    struct write_op *o = with_ids(b, &kind, ids, count, cb, ud);
    (void)from_id;
    o->to_id = arena_str(&o->op.arena, to_id);
    return &o->op;
}

struct op *ews_copy(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                    op_cb *cb, void *ud)
{
    static const struct write_kind kind = {"CopyItem", true, write_move_or_copy};
    struct write_op *o = with_ids(b, &kind, ids, count, cb, ud);
    (void)from_id;
    o->to_id = arena_str(&o->op.arena, to_id);
    return &o->op;
}

struct op *ews_remove(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                      op_cb *cb, void *ud)
{
    static const struct write_kind kind = {"DeleteItem", false, write_remove};
    struct write_op *o = with_ids(b, &kind, ids, count, cb, ud);
    (void)folder_id;
    o->permanent = permanent;
    return &o->op;
}
