/* SPDX-License-Identifier: Apache-2.0 */
/* Reading calendars and task lists. */
#include "backends/ews/ews_events.h"

#include <string.h>

#include "backends/ews/ews_sync_read.h"
#include "bridge/base/log.h"

#define TROUBLE_MIN     3  /* items that fail, all of a page */
#define EMPTY_PAGES_MAX 16 /* a server that says "more" and brings nothing would keep us busy for ever */

const struct tz *ews_zone(const struct ews *e)
{
    const struct tz *z = tz_by_name(str_from(e->config.zone));
    return z ? z : tz_utc();
}

/* --- the getter
 * --------------------------------------------------------------------------------------------------------- */

static void get_more(struct ews_getter *g);

static void end(struct ews_getter *g, const struct err *err)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->got[i])
            ews_event_complete(g->got[i]);
    g->done(g->ud, err);
}

static bool write_get(struct ews_getter *g, struct xml_writer *w, const struct str *first, size_t stride)
{
    xml_open(w, "m:GetItem");
    ews_event_write_shape(w, g->task, ews_is_15(g->ews));
    xml_open(w, "m:ItemIds");
    for (size_t i = 0; i < g->batch; i++)
        ews_write_item_id(w, *(const struct str *)((const char *)first + i * stride));
    xml_close(w);
    xml_close(w);
    return true;
}

static bool write_masters(void *ud, struct xml_writer *w, bool slow)
{
    struct ews_getter *g = ud;
    if (slow)
        g->batch = ews_pace_slow(&g->ews->event_pace, g->batch);
    ews_event_reading_init(&g->part, g->arena, g->batch, ews_zone(g->ews));
    return write_get(g, w, &g->ids[g->next], sizeof(struct str));
}

static bool write_changed(void *ud, struct xml_writer *w, bool slow)
{
    struct ews_getter *g = ud;
    if (slow)
        g->batch = ews_pace_slow(&g->ews->event_pace, g->batch);
    ews_event_reading_init(&g->part, g->arena, g->batch, ews_zone(g->ews));
    return write_get(g, w, &g->changed[g->changed_next].occurrence.id, sizeof(g->changed[0]));
}

static bool is_complete(const struct ews_getter *g, struct err *err)
{
    return g->part.count == g->batch ||
           err_set(err, ERR_PROTOCOL, "GetItem: %zu answers to %zu questions", g->part.count, g->batch);
}

static void on_masters(void *ud, const struct err *err)
{
    struct ews_getter *g = ud;
    struct err problem = *err;
    g->call = NULL;
    if (problem.code != ERR_NONE || !is_complete(g, &problem)) {
        end(g, &problem);
        return;
    }
    for (size_t i = 0; i < g->batch; i++)
        g->got[g->next + i] = &g->part.list[i];
    g->next += g->batch;
    get_more(g);
}

static void on_changed(void *ud, const struct err *err)
{
    struct ews_getter *g = ud;
    struct err problem = *err;
    g->call = NULL;
    if (problem.code != ERR_NONE || !is_complete(g, &problem)) {
        end(g, &problem);
        return;
    }
    for (size_t i = 0; i < g->batch; i++)
        ews_event_adopt(&g->part, g->changed[g->changed_next + i].master, &g->changed[g->changed_next + i].occurrence,
                        &g->part.list[i]);
    g->changed_next += g->batch;
    get_more(g);
}

static void call(struct ews_getter *g, bool (*write)(void *ud, struct xml_writer *w, bool slow),
                 void (*done)(void *ud, const struct err *err))
{
    g->call = ews_call_start(g->ews, &(struct ews_call_opts){
                                         .operation = "GetItem",
                                         .write = write,
                                         .reader = &ews_event_reader,
                                         .reader_ud = &g->part,
                                         .on_done = done,
                                         .ud = g,
                                         .batch = true,
                                         .bulk = true,
                                     });
}

static void list_changed(struct ews_getter *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++)
        n += g->got[i]->occurrence_count;
    g->changed = arena_array(g->arena, n + 1, sizeof(*g->changed));
    for (size_t i = 0; i < g->count; i++)
        for (size_t k = 0; k < g->got[i]->occurrence_count; k++) {
            g->changed[g->changed_count].master = g->got[i];
            g->changed[g->changed_count++].occurrence = g->got[i]->occurrences[k];
        }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void get_more(struct ews_getter *g)
{
    struct err none = {0};
    if (g->next < g->count) {
        g->batch = ews_pace_most(&g->ews->event_pace, least(EWS_EVENT_BATCH, g->count - g->next));
        call(g, write_masters, on_masters);
        return;
    }
    if (!g->changed)
        list_changed(g);
    if (g->changed_next == g->changed_count) {
        end(g, &none);
        return;
    }
    g->batch = ews_pace_most(&g->ews->event_pace, least(EWS_EVENT_BATCH, g->changed_count - g->changed_next));
    call(g, write_changed, on_changed);
}

void ews_getter_start(struct ews_getter *g, struct ews *e, struct arena *arena, bool task, const struct str *ids,
                      size_t count, void (*done)(void *ud, const struct err *err), void *ud)
{
    memset(g, 0, sizeof(*g));
    g->ews = e;
    g->arena = arena;
    g->task = task;
    g->ids = ids;
    g->count = count;
    g->done = done;
    g->ud = ud;
    g->got = arena_array(arena, count + 1, sizeof(struct ews_got *));
    get_more(g);
}

void ews_getter_abort(struct ews_getter *g)
{
    ews_call_abort(&g->call);
}

/* --- sync: a page of ids, then the items
 * ------------------------------------------------------------------------------------ */

struct sync_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct ews_getter getter;
    enum folder_kind kind;
    struct str folder_id, cursor;
    struct ews_page page;
    event_known_cb *is_known;
    struct str *ids; /* of what is fetched */
    size_t id_count;
    unsigned empty_pages;
    bool restarted;
};

static void begin(struct sync_op *s);

static bool write_page(void *ud, struct xml_writer *w, bool slow)
{
    struct sync_op *s = ud;
    struct ews *e = s->ews;
    if (slow && e->sync_page > EWS_SYNC_PAGE_MIN)
        e->sync_page /= 2;
    ews_page_init(&s->page, &s->op.arena);
    s->page.all_kinds = true;
    ews_sync_write(w, &(struct ews_sync_request){s->folder_id, s->cursor, e->sync_page, true});
    return true;
}

/* One item that the server fails over is left out, and asked for now and then; else it would hold up its calendar for
 * ever. When it fails over all of them, it is the server that is in trouble: the same page again, later. */
static bool in_trouble(const struct sync_op *s, struct err *err)
{
    size_t failed = 0;
    for (size_t i = 0; i < s->id_count; i++) {
        const struct err *e = &s->getter.got[i]->err;
        if (e->code == ERR_THROTTLED || (e->code == ERR_OFFLINE && ++failed == s->id_count && failed >= TROUBLE_MIN)) {
            *err = *e;
            return true;
        }
    }
    return false;
}

static void finish(struct sync_op *s, const struct err *err)
{
    struct reply *r = s->op.reply;
    const struct ews_page *p = &s->page;
    bool stands_still = str_eq(p->cursor, s->cursor);
    struct item_info *list = arena_array(&s->op.arena, p->count + 1, sizeof(*list));
    size_t n = 0, at = 0;
    for (size_t i = 0; err->code == ERR_NONE && i < p->count; i++) {
        struct item_info item = {.id = p->list[i].id, .gone = p->list[i].gone};
        if (!item.gone) {
            const struct ews_got *g = s->getter.got[at++];
            if (g->err.code == ERR_NOT_FOUND) {
                item.gone = true; /* between the page and now */
            } else if (g->err.code != ERR_NONE) {
                log_warn("ews", s->ews->config.name, "GetItem: an item of a calendar is left out: %s", g->err.text);
                item.unread = true; /* the others go on */
            } else if (!g->is_event) {
                continue; /* a message that lies here */
            } else {
                item.event = &g->e;
            }
            item.change = g->change;
        }
        list[n++] = item;
    }
    r->items.list = list;
    r->items.count = n;
    r->items.cursor = p->cursor;
    r->items.more = p->more && !stands_still && s->empty_pages < EMPTY_PAGES_MAX;
    r->items.restarted = s->restarted;
    op_finish_err(&s->op, err);
}

static void on_got(void *ud, const struct err *err)
{
    struct sync_op *s = ud;
    struct err problem = *err;
    if (problem.code == ERR_NONE && in_trouble(s, &problem))
        op_finish_err(&s->op, &problem);
    else
        finish(s, &problem);
}

/* What we wrote ourselves comes back with the ChangeKey that the server answered then. */
static void leave_known_out(struct sync_op *s)
{
    struct ews_page *p = &s->page;
    size_t kept = 0;
    if (!s->is_known || s->op.detached) /* whoever would be asked has gone */
        return;
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].gone || !p->list[i].change.n || !s->is_known(s->op.ud, p->list[i].id, p->list[i].change))
            p->list[kept++] = p->list[i];
    p->count = kept;
}

static void on_page(void *ud, const struct err *err)
{
    struct sync_op *s = ud;
    struct ews_page *p = &s->page;
    struct err e = *err;
    s->call = NULL;
    if (e.code != ERR_NONE || !ews_page_check(p, &e)) {
        op_finish_err(&s->op, &e);
        return;
    }
    if (p->more && p->count == 0 && !str_eq(p->cursor, s->cursor) && ++s->empty_pages < EMPTY_PAGES_MAX) {
        s->cursor = p->cursor;
        begin(s);
        return;
    }
    leave_known_out(s);
    s->ids = arena_array(&s->op.arena, p->count + 1, sizeof(*s->ids));
    s->id_count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (!p->list[i].gone)
            s->ids[s->id_count++] = p->list[i].id;
    ews_getter_start(&s->getter, s->ews, &s->op.arena, s->kind == FOLDER_TASKS, s->ids, s->id_count, on_got, s);
}

static void begin(struct sync_op *s)
{
    s->call = ews_call_start(s->ews, &(struct ews_call_opts){
                                         .operation = "SyncFolderItems",
                                         .write = write_page,
                                         .reader = &ews_page_reader,
                                         .reader_ud = &s->page,
                                         .on_done = on_page,
                                         .ud = s,
                                         .sync = true,
                                     });
}

static void start_sync(struct op *op)
{
    begin((struct sync_op *)op);
}

static void stop_sync(struct op *op)
{
    struct sync_op *s = (struct sync_op *)op;
    ews_call_abort(&s->call);
    ews_getter_abort(&s->getter);
}

struct op *ews_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                           event_known_cb *is_known, op_cb *cb, void *ud)
{
    static const struct op_class class = {"ews.sync-events", sizeof(struct sync_op), start_sync, stop_sync};
    struct sync_op *s = (struct sync_op *)op_new(b->loop, &class, cb, ud);
    s->ews = (struct ews *)b;
    s->kind = kind;
    s->folder_id = arena_str(&s->op.arena, folder_id);
    s->cursor = arena_str(&s->op.arena, cursor);
    s->is_known = is_known;
    s->restarted = cursor.n == 0;
    return &s->op;
}

/* --- again, by id
 * ------------------------------------------------------------------------------------------------------------- */

struct fetch_op {
    struct op op;
    struct ews *ews;
    struct ews_getter getter;
    bool task;
    struct str *ids;
    size_t count;
};

static void on_fetched(void *ud, const struct err *err)
{
    struct fetch_op *f = ud;
    struct err *each = arena_array(&f->op.arena, f->count + 1, sizeof(*each));
    struct item_info *list = arena_array(&f->op.arena, f->count + 1, sizeof(*list));
    for (size_t i = 0; err->code == ERR_NONE && i < f->count; i++) {
        const struct ews_got *g = f->getter.got[i];
        each[i] = g->err;
        if (g->err.code == ERR_NONE && !g->is_event)
            err_set(&each[i], ERR_NOT_FOUND, "GetItem: this is no calendar item");
        list[i] = (struct item_info){.id = f->ids[i], .change = g->change, .event = &g->e};
    }
    f->op.reply->events.each = each;
    f->op.reply->events.list = list;
    f->op.reply->events.count = f->count;
    op_finish_err(&f->op, err);
}

static void start_fetch(struct op *op)
{
    struct fetch_op *f = (struct fetch_op *)op;
    ews_getter_start(&f->getter, f->ews, &op->arena, f->task, f->ids, f->count, on_fetched, f);
}

static void stop_fetch(struct op *op)
{
    ews_getter_abort(&((struct fetch_op *)op)->getter);
}

struct op *ews_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                           size_t count, op_cb *cb, void *ud)
{
    static const struct op_class class = {"ews.event-fetch", sizeof(struct fetch_op), start_fetch, stop_fetch};
    struct fetch_op *f = (struct fetch_op *)op_new(b->loop, &class, cb, ud);
    (void)folder_id;
    f->ews = (struct ews *)b;
    f->task = kind == FOLDER_TASKS;
    f->count = count;
    f->ids = arena_array(&f->op.arena, count + 1, sizeof(*f->ids));
    for (size_t i = 0; i < count; i++)
        f->ids[i] = arena_str(&f->op.arena, ids[i]);
    return &f->op;
}
