/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calendars of the scripted backend: an item of a calendar or task folder is an iCalendar object, its version the
 * number of its last change. What cannot be read as one is something else that lies there.
 */
#include "bridge/base/mem.h"
#include "bridge/formats/ical.h"
#include "tests/imap/fake_private.h"

static const struct str me[] = {{"alice@example.com", 17}};
static const struct ical_options options = {.zone = {"UTC", 3}, .me = me, .me_count = 1};

static bool read_event(const struct fake_item *item, struct arena *a, struct event *ret)
{
    struct str extras;
    struct ical_problem problem;
    return ical_read(item->message, &options, a, ret, &extras, &problem);
}

static struct str version_of(const struct fake_item *item, struct arena *a)
{
    return arena_printf(a, "v%llu", (unsigned long long)item->changed);
}

/* Takes the place of what the item had. */
static void write_event(struct fake_op *o, struct fake_item *item, const struct event *e)
{
    struct buf b = BUF_INIT(1 << 20);
    ical_write(&b, e, &options, STR(""));
    mem_free((char *)item->message.p);
    item->message = str_from(str_dup(buf_view(&b)));
    buf_done(&b);
    fake_item_changed(o->fake, item);
}

/* --- reading */

bool fake_add_event(struct fake_op *o, const struct fake_item *item, struct item_info *info)
{
    struct arena *a = &o->op.arena;
    struct event *e = ARENA_NEW(a, struct event);
    if (item->gone)
        return true;
    info->change = version_of(item, a);
    if (o->is_known && o->is_known(o->ud, info->id, info->change))
        return false;
    if (read_event(item, a, e))
        info->event = e;
    return true;
}

struct op *fake_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                            event_known_cb *is_known, op_cb *cb, void *ud)
{
    (void)kind;
    struct fake_op *o = fake_new_op(b, FAKE_SYNC, cb, ud);
    o->folder = arena_str(&o->op.arena, folder_id);
    o->cursor = arena_str(&o->op.arena, cursor);
    o->events = true;
    o->is_known = is_known;
    return &o->op;
}

static void fetch_events(struct fake_op *o)
{
    struct arena *a = &o->op.arena;
    struct err *each = arena_array(a, o->id_n + 1, sizeof(*each));
    struct item_info *list = arena_array(a, o->id_n + 1, sizeof(*list));
    for (size_t i = 0; i < o->id_n; i++) {
        const struct fake_item *item = fake_find_item(o->fake, o->folder, o->ids[i]);
        struct event *e = ARENA_NEW(a, struct event);
        if (!item || item->gone || !read_event(item, a, e))
            err_set(&each[i], ERR_NOT_FOUND, "no such event");
        else
            list[i] = (struct item_info){.id = o->ids[i], .change = version_of(item, a), .event = e};
    }
    o->op.reply->events.each = each;
    o->op.reply->events.list = list;
    o->op.reply->events.count = o->id_n;
    op_finish(&o->op);
}

struct op *fake_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                            size_t count, op_cb *cb, void *ud)
{
    (void)kind;
    return fake_new_write(b, fetch_events, folder_id, ids, count, cb, ud);
}

static void free_busy(struct fake_op *o)
{
    o->op.reply->free_busy.each = arena_array(&o->op.arena, o->id_n + 1, sizeof(struct err));
    o->op.reply->free_busy.list = arena_array(&o->op.arena, o->id_n + 1, sizeof(struct busy_list));
    o->op.reply->free_busy.count = o->id_n;
    op_finish(&o->op);
}

struct op *fake_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                          op_cb *cb, void *ud)
{
    (void)from;
    (void)to;
    return fake_new_write(b, free_busy, STR_NULL, addresses, count, cb, ud);
}

/* --- writing */

static struct fake_item *item_of(struct fake_op *o, struct err *err)
{
    struct fake_item *item = fake_find_item(o->fake, o->folder, o->ids[0]);
    if (!item || item->gone)
        err_set(err, ERR_NOT_FOUND, "no such event");
    else if (o->name.n && !str_eq(o->name, version_of(item, &o->op.arena)))
        err_set(err, ERR_CONFLICT, "the event has changed");
    else
        return item;
    return NULL;
}

static void answer(struct fake_op *o, struct fake_item *item)
{
    struct event *e = ARENA_NEW(&o->op.arena, struct event);
    o->op.reply->event_done.id = arena_str(&o->op.arena, str_from(item->id));
    o->op.reply->event_done.change = version_of(item, &o->op.arena);
    o->op.reply->event_done.event = read_event(item, &o->op.arena, e) ? e : NULL;
    fake_finish_write(o);
}

static void put_event(struct fake_op *o)
{
    struct err err = {0};
    struct fake_item *item = o->retry ? fake_find_evidence(o) : NULL;
    if (item) {
        o->op.reply->event_done.found = true;
        answer(o, item);
        return;
    }
    if (o->id_n) {
        item = item_of(o, &err);
    } else {
        item = fake_add_item(o->fake, o->folder, fake_new_id(o), str_from(str_dup(STR(""))));
        item->evidence = str_dup(o->evidence);
    }
    if (!item) {
        op_finish_err(&o->op, &err);
        return;
    }
    write_event(o, item, &o->event);
    answer(o, item);
}

struct op *fake_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud)
{
    struct op *op = fake_new_write(b, put_event, request->folder_id, &request->id, request->id.n ? 1 : 0, cb, ud);
    struct fake_op *o = (struct fake_op *)op;
    o->name = arena_str(&op->arena, request->change);
    o->evidence = arena_str(&op->arena, request->evidence);
    o->retry = request->retry;
    event_copy(&o->event, request->wanted, &op->arena);
    return op;
}

static void respond(struct fake_op *o)
{
    struct err err = {0};
    struct fake_item *item = item_of(o, &err);
    if (item && !read_event(item, &o->op.arena, &o->event))
        err_set(&err, ERR_NOT_FOUND, "no such event");
    if (err.code != ERR_NONE) {
        op_finish_err(&o->op, &err);
        return;
    }
    o->event.fields.mine = (enum event_response)o->flags;
    write_event(o, item, &o->event);
    answer(o, item);
}

struct op *fake_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud)
{
    struct op *op = fake_new_write(b, respond, request->folder_id, &request->id, 1, cb, ud);
    ((struct fake_op *)op)->flags = request->response;
    return op;
}

static void remove_event(struct fake_op *o)
{
    struct err *each = arena_array(&o->op.arena, 1, sizeof(*each));
    struct fake_item *item = item_of(o, &each[0]);
    o->op.reply->items_done.each = each;
    o->op.reply->items_done.count = 1;
    if (!item) {
        op_finish_err(&o->op, &each[0]);
        return;
    }
    item->gone = true;
    fake_item_changed(o->fake, item);
    fake_finish_write(o);
}

struct op *fake_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                             struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud)
{
    (void)kind;
    (void)notify;
    (void)is_current;
    struct op *op = fake_new_write(b, remove_event, folder_id, &id, 1, cb, ud);
    ((struct fake_op *)op)->name = arena_str(&op->arena, change);
    return op;
}
