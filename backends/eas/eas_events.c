/* SPDX-License-Identifier: Apache-2.0 */
/* Reading calendars and task lists: what is not mail's way of doing it. */
#include "backends/eas/eas_events.h"

#include "bridge/base/time.h"

/* --- a page made complete ---------------------------------------------------------------------------------------- */

static void add(struct eas_completion *c, const struct item_info *item, enum eas_sync_need need)
{
    struct eas_got *got = NULL;

    if (need != EAS_NEED_NOTHING) {
        got = &c->getter.list[c->getter.count++];
        *got = (struct eas_got){.id = item->id, .need = need, .event = (struct event *)item->event};
    }
    c->list[c->count] = *item;
    c->got[c->count++] = got;
}

static bool is_told_later(const struct eas_sync_page *page, size_t from, struct str id)
{
    for (size_t i = from; i < page->count; i++)
        if (str_eq(page->items[i].id, id))
            return true;
    return false;
}

void eas_completion_begin(struct eas_completion *c, struct eas_backend *b, struct str folder_id,
                          const struct item_info *effects, size_t effect_count, const struct eas_sync_page *page,
                          struct str key, struct arena *arena, void (*done)(void *ud, const struct err *err), void *ud)
{
    size_t max = effect_count + page->count;

    *c = (struct eas_completion){.list = arena_array(arena, max + 1, sizeof(*c->list)),
                                 .got = arena_array(arena, max + 1, sizeof(struct eas_got *))};
    eas_getter_init(&c->getter, b, folder_id, page->options.kind, arena, max);
    c->getter.count = 0;
    c->getter.key = key;
    for (size_t i = 0; i < effect_count; i++)
        if (!is_told_later(page, 0, effects[i].id))
            add(c, &effects[i], effects[i].gone ? EAS_NEED_NOTHING : EAS_NEED_ITEM);
    for (size_t i = 0; i < page->count; i++)
        if (!is_told_later(page, i + 1, page->items[i].id))
            add(c, &page->items[i], page->needs[i]);
    eas_getter_start(&c->getter, done, ud);
}

bool eas_completion_finish(struct eas_completion *c, bool patient, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++) {
        const struct eas_got *got = c->got[i];
        struct item_info item = c->list[i];

        if (got && got->err.code == ERR_NOT_FOUND) { /* between the page and now */
            item = (struct item_info){.id = item.id, .gone = true, .received_ms = item.received_ms};
        } else if (got && got->err.code != ERR_NONE) {
            if (patient && (got->err.code == ERR_OFFLINE || got->err.code == ERR_THROTTLED)) {
                *err = got->err;
                return false;
            }
            log_warn("eas", c->getter.b->config.name, "an item of a calendar or task list is left out: %s",
                     got->err.text);
            item = (struct item_info){.id = item.id, .unread = true, .received_ms = TIME_NONE}; /* the others go on */
        } else if (got) {
            item.event = got->event;
        }
        c->list[n++] = item;
    }
    c->count = n;
    return true;
}

void eas_completion_close(struct eas_completion *c)
{
    eas_getter_close(&c->getter);
}

/* --- again, by id ------------------------------------------------------------------------------------------------ */

struct fetch_op {
    struct op op;
    struct eas_backend *b;
    struct eas_getter getter;
};

static void on_fetched(void *ud, const struct err *err)
{
    struct fetch_op *f = ud;
    size_t count = f->getter.count;
    struct err *each = arena_array(&f->op.arena, count + 1, sizeof(*each));
    struct item_info *list = arena_array(&f->op.arena, count + 1, sizeof(*list));

    for (size_t i = 0; i < count; i++) {
        each[i] = f->getter.list[i].err;
        list[i] =
            (struct item_info){.id = f->getter.list[i].id, .event = f->getter.list[i].event, .received_ms = TIME_NONE};
    }
    f->op.reply->events.each = each;
    f->op.reply->events.list = list;
    f->op.reply->events.count = count;
    op_finish_err(&f->op, err);
}

static void start(struct op *op)
{
    struct fetch_op *f = (struct fetch_op *)op;

    eas_getter_start(&f->getter, on_fetched, f);
}

static void stop(struct op *op)
{
    eas_getter_close(&((struct fetch_op *)op)->getter);
}

struct op *eas_event_fetch(struct backend *base, struct str folder_id, enum folder_kind kind, const struct str *ids,
                           size_t count, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.event-fetch", sizeof(struct fetch_op), start, stop};
    struct fetch_op *f = (struct fetch_op *)op_new(base->loop, &class, cb, ud);

    f->b = (struct eas_backend *)base;
    eas_getter_init(&f->getter, f->b, arena_str(&f->op.arena, folder_id), kind, &f->op.arena, count);
    for (size_t i = 0; i < count; i++)
        f->getter.list[i] = (struct eas_got){.id = arena_str(&f->op.arena, ids[i]), .need = EAS_NEED_ITEM};
    return &f->op;
}
