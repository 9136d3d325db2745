/* SPDX-License-Identifier: Apache-2.0 */
/* One page of changes of a folder. */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_sync_read.h"

/* A server that says "more" and brings nothing would keep us busy for ever. */
#define EMPTY_PAGES_MAX 16

/* What a page is cut down to when an item in it is more than the server can tell. */
#define SMALL_PAGE 32

struct sync_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str folder_id, cursor;
    bool restarted;
    unsigned empty_pages;
    unsigned most; /* changes in the page; 0: as usual */
    bool ids_only;
    struct ews_page page;
};

static bool write_request(void *ud, struct xml_writer *w, bool slow)
{
    struct sync_op *s = ud;
    struct ews *e = s->ews;
    if (slow && e->sync_page > EWS_SYNC_PAGE_MIN)
        e->sync_page /= 2;
    ews_page_init(&s->page, &s->op.arena);
    s->page.ids_only = s->ids_only;
    ews_sync_write(w,
                   &(struct ews_sync_request){s->folder_id, s->cursor, s->most ? s->most : e->sync_page, s->ids_only});
    return true;
}

static void begin(struct sync_op *s);

/*
 * The server fails over the page, and not over the request: an item in it has a property that it cannot read. A smaller
 * page leaves the item to the next one, and in a page of its own it is told without its properties, which is better
 * than a folder that stands still. False: nothing helps, and so it is this folder; the others can go on.
 */
static bool step_down(struct sync_op *s, struct err *err)
{
    const struct ews_outcome *o = &s->page.outcome;
    if (!o->answered)
        return false;
    if (!(o->status.code->flags & (EWS_CODE_RETRY_ALONE | EWS_CODE_REBUILD))) {
        if (err->code == ERR_OFFLINE)
            err->code = ERR_PROTOCOL; /* it was reached, and what passes has passed: whose trouble it is will show */
        return false;
    }
    if (s->ids_only) {
        err->code = ERR_INTERNAL;
        return false;
    }
    s->ids_only = s->most == 1;
    s->most = s->most == 0 ? SMALL_PAGE : 1;
    return true;
}

static void on_done(void *ud, const struct err *err)
{
    struct sync_op *s = ud;
    struct ews_page *p = &s->page;
    struct err e = *err;
    s->call = NULL;
    if (e.code == ERR_NONE && !ews_page_check(p, &e) && step_down(s, &e)) {
        log_debug("ews", s->ews->config.name, "a smaller page: %s", e.text);
        begin(s);
        return;
    }
    if (e.code != ERR_NONE) {
        op_finish_err(&s->op, &e);
        return;
    }
    bool stands_still = str_eq(p->cursor, s->cursor);
    if (p->more && p->count == 0 && !stands_still && ++s->empty_pages < EMPTY_PAGES_MAX) {
        s->cursor = p->cursor;
        begin(s);
        return;
    }
    struct reply *r = s->op.reply;
    r->items.list = p->list;
    r->items.count = p->count;
    r->items.cursor = p->cursor;
    r->items.more = p->more && !stands_still && s->empty_pages < EMPTY_PAGES_MAX;
    r->items.restarted = s->restarted;
    op_finish(&s->op);
}

static void begin(struct sync_op *s)
{
    s->call = ews_call_start(s->ews, &(struct ews_call_opts){
                                         .operation = "SyncFolderItems",
                                         .write = write_request,
                                         .reader = &ews_page_reader,
                                         .reader_ud = &s->page,
                                         .on_done = on_done,
                                         .ud = s,
                                         .batch = true, /* what it says is about the page; see step_down() */
                                         .sync = true,
                                     });
}

static void start(struct op *op)
{
    begin((struct sync_op *)op);
}

static void stop(struct op *op)
{
    ews_call_abort(&((struct sync_op *)op)->call);
}

static const struct op_class class = {"ews.sync", sizeof(struct sync_op), start, stop};

struct op *ews_sync(struct backend *b, struct str folder_id, struct str cursor, op_cb *cb, void *ud)
{
    struct sync_op *s = (struct sync_op *)op_new(b->loop, &class, cb, ud);
    s->ews = (struct ews *)b;
    s->folder_id = arena_str(&s->op.arena, folder_id);
    s->cursor = arena_str(&s->op.arena, cursor);
    s->restarted = cursor.n == 0;
    return &s->op;
}
