/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sync of a folder, one page an op (MS-ASCMD 2.2.1.21). A page is what one request brings; the very first one is
 * preceded by the request with key 0. A lost answer costs nothing: the core asks again with the cursor it has, and the
 * server repeats itself for the previous SyncKey. Of calendars and task lists a page is made complete (eas_events.h)
 * before it is told.
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_events.h"
#include "backends/eas/eas_invitations.h"
#include "backends/eas/eas_push.h"
#include "backends/eas/eas_status.h"
#include "backends/eas/eas_sync_read.h"
#include "bridge/base/time.h"

#define STALL_S         120
#define SERVER_RETRIES  2
#define RETRY_RETRIES   6
#define BAD_ANSWERS     3 /* undecodable answers: again, then by ten, then one by one */
#define WINDOW_CAREFUL  10
#define FAILURES_STALE  5 /* failed pages in a row before the sync state is given up */
#define STALE_AN_HOUR   3
#define HOUR_MS         ((uint64_t)3600 * 1000)
#define EMPTY_PAGES_MAX 20
#define MOVED_A_MINUTE  30 /* wake-ups by Ping that brought no more than a new SyncKey */
#define MINUTE_MS       ((uint64_t)60 * 1000)
#define ITEM_FAILURES   3 /* failed pages in a row before the item that cannot be fetched is left out */
#define FAST_PAGE_MS    2000
#define SMALL_PAGE      ((uint64_t)4 << 20)
#define LARGE_PAGE      ((uint64_t)64 << 20)

struct sync_op {
    struct op op;
    struct eas_turn turn;
    struct eas_backend *b;
    struct eas_call call;
    struct eas_push push; /* for what an earlier batch of ours has left behind */
    struct eas_sync_page *page;
    struct eas_completion completion;
    struct timer *timer;
    enum folder_kind kind;
    struct str folder_id, cursor, key; /* key empty: to be had by key 0, or not read from the cursor yet */
    unsigned window;
    unsigned bad_answers, server_errors, retries, handshakes;
    bool provisioned;
};

static void ask(struct sync_op *s);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct sync_op *s)
{
    eas_turn_end(&s->turn);
    eas_push_close(&s->push);
    eas_completion_close(&s->completion);
    eas_call_close(&s->call);
    timer_free(&s->timer);
}

static void end(struct sync_op *s, const struct err *err)
{
    struct eas_sync_page *page = s->page; /* the reply points into it, and outlives s */

    leave(s);
    s->op.reply->err = *err;
    op_finish(&s->op);
    eas_sync_page_free(&page);
}

static void fail(struct sync_op *s, enum err_code code, const char *text, int status)
{
    struct err err = {0};

    err_set(&err, code, "Sync: %s (status %d)", text, status);
    err.status = status;
    end(s, &err);
}

static void on_timer(void *ud)
{
    ask(ud);
}

static void ask_after(struct sync_op *s, uint64_t after_s)
{
    if (!s->timer)
        s->timer = timer_new(s->b->base.loop, on_timer, s);
    timer_start(s->timer, after_s * s->b->second_ms);
}

/* --- a good page ------------------------------------------------------------------------------------------------- */

static uint64_t page_bytes(const struct eas_sync_page *page)
{
    uint64_t sum = page->arena.total;

    for (size_t i = 0; i < page->count; i++) {
        sum += page->items[i].message ? blob_size(page->items[i].message) : 0;
        sum += page->items[i].header ? blob_size(page->items[i].header) : 0;
    }
    return sum;
}

/* Larger pages where they came full, quickly and small; smaller ones where the server does not truncate huge messages.
 */
static void adapt_window(struct sync_op *s, struct eas_folder *f)
{
    uint64_t bytes = page_bytes(s->page), took_ms = time_mono_ms() - s->call.sent_ms;

    if (s->window < EAS_WINDOW_DEFAULT)
        f->window = s->window * 2 < EAS_WINDOW_DEFAULT ? s->window * 2 : EAS_WINDOW_DEFAULT;
    else if (bytes > LARGE_PAGE)
        f->window = WINDOW_CAREFUL;
    else if (s->page->count >= s->window && took_ms < FAST_PAGE_MS && bytes < SMALL_PAGE)
        f->window = s->window * 2 < EAS_WINDOW_MAX ? s->window * 2 : EAS_WINDOW_MAX;
    else
        f->window = s->window < EAS_WINDOW_MAX ? s->window : EAS_WINDOW_MAX;
}

/* Is there really more? A server that says so for ever must not keep us busy for ever. */
static bool has_more(struct sync_op *s, struct eas_folder *f)
{
    const struct eas_sync_page *page = s->page;

    if (!page->more)
        return false;
    if (page->key.n == 0 || str_eq(page->key, s->key)) {
        log_warn("eas", s->b->config.name, "Sync: MoreAvailable with an unchanged SyncKey is not believed");
        return false;
    }
    f->empty_pages = page->count == 0 ? f->empty_pages + 1 : 0;
    if (f->empty_pages <= EMPTY_PAGES_MAX)
        return true;
    log_warn("eas", s->b->config.name, "Sync: MoreAvailable %u times without an item is not believed", f->empty_pages);
    f->empty_pages = 0;
    return false;
}

/* A Ping had named the folder: was there anything? A new SyncKey alone is a reason, too: SOGo gives one after each
 * change of ours, and for a task list after each change of its calendar. But not for ever. */
static void note_wake(struct sync_op *s, struct eas_folder *f)
{
    bool moved = s->page->key.n > 0 && !str_eq(s->page->key, s->key);
    uint64_t now = time_mono_ms();

    f->woken = false;
    if (s->page->count == 0 && !moved) {
        f->fruitless++;
        return;
    }
    f->fruitless = 0;
    if (s->page->count > 0)
        return;
    if (f->moved == 0 || now - f->moved_ms > MINUTE_MS) {
        f->moved_ms = now;
        f->moved = 0;
    }
    if (++f->moved < MOVED_A_MINUTE)
        return;
    f->moved = 0;
    f->fruitless = EAS_FRUITLESS_MAX;
}

static void note_page(struct sync_op *s, struct eas_folder *f)
{
    f->failures = 0;
    eas_folder_synced(s->b, f);
    if (f->woken)
        note_wake(s, f);
}

static struct item_info *own_effects(struct sync_op *s, size_t *ret_count)
{
    *ret_count = 0;
    if (s->cursor.n == 0 || !s->push.known)
        return NULL;
    return eas_record_effects(&s->push.record, s->b->state.version, &s->op.arena, ret_count);
}

/* What our own batch did comes first: the server's word is the later one. */
static void list_items(struct sync_op *s)
{
    struct reply *reply = s->op.reply;
    size_t n, count = s->page->count;
    struct item_info *effects = own_effects(s, &n), *all;

    reply->items.list = s->page->items;
    reply->items.count = count;
    if (n == 0)
        return;
    all = arena_array(&s->op.arena, n + count + 1, sizeof(*all));
    memcpy(all, effects, n * sizeof(*all));
    if (count > 0)
        memcpy(all + n, s->page->items, count * sizeof(*all));
    reply->items.list = all;
    reply->items.count = n + count;
}

static struct str newest_key(const struct sync_op *s)
{
    return s->page->key.n > 0 ? s->page->key : s->key;
}

static void tell_page(struct sync_op *s)
{
    struct eas_folder *f = eas_folder_get(s->b, s->folder_id);
    struct reply *reply = s->op.reply;
    struct err none = {0};

    reply->items.more = has_more(s, f);
    reply->items.restarted = s->cursor.n == 0;
    reply->items.cursor = eas_cursor_write(s->b, &s->op.arena, newest_key(s));
    note_page(s, f);
    adapt_window(s, f);
    end(s, &none);
}

static void end_failed(struct sync_op *s, const struct err *err);

static void on_complete(void *ud, const struct err *err)
{
    struct sync_op *s = ud;
    bool patient = eas_folder_get(s->b, s->folder_id)->failures < ITEM_FAILURES;
    struct err problem = *err;

    if (problem.code == ERR_NONE)
        eas_completion_finish(&s->completion, patient, &problem);
    if (problem.code == ERR_OFFLINE) {
        end_failed(s, &problem);
    } else if (problem.code != ERR_NONE) {
        end(s, &problem);
    } else {
        s->op.reply->items.list = s->completion.list;
        s->op.reply->items.count = s->completion.count;
        tell_page(s);
    }
}

static void end_page(struct sync_op *s)
{
    size_t n;
    struct item_info *effects;

    if (eas_is_mail(s->kind)) {
        list_items(s);
        eas_invitations_note(s->b, s->folder_id, s->op.reply->items.list, s->op.reply->items.count, s->page);
        tell_page(s);
        return;
    }
    effects = own_effects(s, &n);
    eas_completion_begin(&s->completion, s->b, s->folder_id, effects, n, s->page, newest_key(s), &s->op.arena,
                         on_complete, s);
}

/* --- statuses ---------------------------------------------------------------------------------------------------- */

static void stale(struct sync_op *s, int status)
{
    struct eas_folder *f = eas_folder_get(s->b, s->folder_id);
    uint64_t now = time_mono_ms();

    f->synced = false; /* and is not to be named in a Ping until it is */
    if (s->push.known)
        eas_record_drop(s->b, s->folder_id);
    s->push.known = false;
    if (s->cursor.n == 0) { /* on a key that was made just now: once more, then it is a loop */
        if (s->handshakes < 2) {
            s->key = STR_NULL;
            ask(s);
        } else {
            fail(s, ERR_UNSUPPORTED, "the server takes back every new sync state of this folder", status);
        }
        return;
    }
    if (f->stale_ms == 0 || now - f->stale_ms > HOUR_MS) {
        f->stale_ms = now;
        f->stale = 0;
    }
    if (++f->stale > STALE_AN_HOUR)
        fail(s, ERR_UNSUPPORTED, "the server invalidates the sync state of this folder again and again", status);
    else
        fail(s, ERR_STALE, "the sync state is not valid any more", status);
}

/*
 * The server failed on this page: the size may be the reason, so less the next time. When it says again and again that
 * it fails, the sync state is given up; and in the end it is this folder, and the others must not wait for it, as they
 * would for a server that is down.
 */
static void end_failed(struct sync_op *s, const struct err *err)
{
    struct eas_folder *f = eas_folder_get(s->b, s->folder_id);
    struct err copy = *err;

    f->window = s->window > WINDOW_CAREFUL ? WINDOW_CAREFUL : 1;
    f->failures++;
    if (f->failures == FAILURES_STALE && s->cursor.n > 0 && err->status == EAS_SYNC_SERVER)
        copy.code = ERR_STALE;
    else if (f->failures >= FAILURES_STALE)
        copy.code = ERR_UNSUPPORTED;
    end(s, &copy);
}

/* What a status of the collection says is of this folder alone: the others must not wait for it. */
static void end_status(struct sync_op *s, struct err *err)
{
    if (s->page->has_collection && err->code == ERR_PROTOCOL)
        err->code = ERR_UNSUPPORTED;
    if (err->code == ERR_OFFLINE)
        end_failed(s, err);
    else
        end(s, err);
}

static void server_error(struct sync_op *s, int status)
{
    static const uint64_t pauses_s[SERVER_RETRIES] = {1, 5};
    struct err err = {0};

    if (s->server_errors < SERVER_RETRIES) {
        ask_after(s, pauses_s[s->server_errors++]);
        return;
    }
    err_set(&err, ERR_OFFLINE, "Sync: the server failed (status %d)", status);
    err.status = status;
    end_failed(s, &err);
}

/* An answer that cannot be used: again, then in smaller pages, until the item that breaks it stands alone. */
static void bad_answer(struct sync_op *s, const struct err *err)
{
    struct eas_folder *f = eas_folder_get(s->b, s->folder_id);
    struct err copy = *err;

    if (s->window == 1 && s->key.n > 0 && s->page->key.n > 0 && !str_eq(s->page->key, s->key) &&
        (eas_sync_page_quarantine(s->page) || s->page->count > 0)) {
        log_warn("eas", s->b->config.name, "Sync: one item broke the answer (%s); it is taken as far as it was read",
                 err->text);
        s->page->more = true;
        end_page(s);
        return;
    }
    if (s->key.n > 0 && s->bad_answers < BAD_ANSWERS) {
        if (s->bad_answers++ > 0)
            s->window = s->window > WINDOW_CAREFUL ? WINDOW_CAREFUL : 1;
        ask(s);
        return;
    }
    /* Of this folder alone: the others must not wait for it, as they would for a server that answers nonsense. */
    copy.code = ERR_UNSUPPORTED;
    f->failures++;
    f->window = s->window;
    end(s, &copy);
}

static void common_status(struct sync_op *s, int status)
{
    const struct eas_status *entry = eas_status_find(status);
    struct err err = {0};

    if (entry && entry->action == EAS_ACTION_PROVISION && !s->provisioned) {
        s->provisioned = true;
        s->b->setup.need_policy = true;
        ask(s);
        return;
    }
    if (entry && entry->code == ERR_STALE) {
        stale(s, status);
        return;
    }
    eas_status_err(&err, "Sync", status);
    end_status(s, &err);
}

static void bad_status(struct sync_op *s, int status)
{
    struct err err = {0};

    switch (status) {
    case EAS_SYNC_KEY:
        stale(s, status);
        return;
    case EAS_SYNC_PROTOCOL:
        err_set(&err, ERR_PROTOCOL, "Sync: the server does not understand the request, or one item (status 4)");
        bad_answer(s, &err);
        return;
    case EAS_SYNC_SERVER:
        server_error(s, status);
        return;
    case EAS_SYNC_HIERARCHY:
        s->b->hierarchy = true;
        fail(s, ERR_NOT_FOUND, "the folders have changed", status);
        return;
    case EAS_SYNC_GONE:
        s->b->hierarchy = true;
        fail(s, ERR_NOT_FOUND, "the folder is gone", status);
        return;
    case EAS_SYNC_QUOTA:
        fail(s, ERR_QUOTA, "the mailbox is full", status);
        return;
    case EAS_SYNC_INCOMPLETE:
    case EAS_SYNC_RETRY:
        if (s->retries++ < (status == EAS_SYNC_RETRY ? RETRY_RETRIES : 1)) {
            ask_after(s, 1);
            return;
        }
        err_set(&err, ERR_OFFLINE, "Sync: the server asks to try again and again (status %d)", status);
        err.status = status;
        end_failed(s, &err);
        return;
    default:
        common_status(s, status);
    }
}

/* --- the call ---------------------------------------------------------------------------------------------------- */

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct sync_op *s = ud;

    if (s->cursor.n > 0 && !eas_cursor_read(s->b, s->cursor, &s->key))
        return err_set(err, ERR_STALE, "Sync: the sync state is of another protocol version or policy");
    if (s->cursor.n > 0 && s->push.known) /* changes of ours have moved it on */
        s->key = s->push.record.key;
    s->page->options.version = s->b->state.version;
    eas_sync_page_reset(s->page);
    eas_collection_open(w, s->key.n > 0 ? s->key : STR("0"), s->folder_id);
    if (s->key.n > 0) { /* with key 0 there must be none of these */
        eas_write_uint(w, AirSync_GetChanges, 1);
        eas_write_uint(w, AirSync_WindowSize, s->window);
        eas_collection_options(w, s->kind, eas_filter(s->b, s->kind));
    } else {
        s->handshakes++;
    }
    eas_collection_close(w);
    return true;
}

/* An answer without a body, or without our collection: nothing has changed. For the first request it means that there
 * is no such collection (SOGo). */
static void no_change(struct sync_op *s)
{
    s->page->more = false;
    if (s->key.n == 0)
        fail(s, ERR_NOT_FOUND, "the server knows no such folder", 0);
    else
        end_page(s);
}

static void on_answer(struct sync_op *s)
{
    struct eas_sync_page *page = s->page;
    int status = s->call.answer.status > EAS_SYNC_OK || !page->has_collection ? s->call.answer.status : page->status;

    if (s->call.empty || (!page->has_collection && (status == 0 || status == EAS_SYNC_OK)))
        no_change(s);
    else if (status != EAS_SYNC_OK && status != 0)
        bad_status(s, status);
    else if (s->key.n > 0)
        end_page(s);
    else if (page->key.n == 0 || str_is(page->key, "0"))
        fail(s, ERR_UNSUPPORTED, "the server gives no SyncKey for this folder", status);
    else if (page->count > 0) { /* items at once, which it will not tell again; and there may be others */
        page->more = true;
        end_page(s);
    } else {
        s->key = arena_str(&s->op.arena, page->key);
        ask(s);
    }
}

/* The others are asked for in the same words. */
static void refused(struct sync_op *s, const struct err *err)
{
    struct err copy = *err;

    copy.code = ERR_UNSUPPORTED;
    end(s, &copy);
}

/* A page that took longer than a gateway waits, or we, may be there in time if it is a smaller one. */
static void slow_or_gone(struct sync_op *s, const struct err *err)
{
    bool waited = s->call.unknown && time_mono_ms() - s->call.sent_ms >= (uint64_t)STALL_S * 1000;

    if (err->code == ERR_OFFLINE && (waited || err->status == 504))
        eas_folder_get(s->b, s->folder_id)->window = s->window > WINDOW_CAREFUL ? WINDOW_CAREFUL : 1;
    end(s, err);
}

static void on_done(void *ud, const struct err *err)
{
    struct sync_op *s = ud;
    bool decoding = s->call.answer.wbxml.offset > EAS_HEADER_SIZE; /* else it is a web page, or nothing */

    if (err->code == ERR_NONE)
        on_answer(s);
    else if ((err->code == ERR_PROTOCOL || err->code == ERR_TOO_BIG) && err->status == 0 && s->call.begun && decoding)
        bad_answer(s, err);
    else if (err->code == ERR_STALE && s->cursor.n == 0)
        stale(s, err->status);
    else if (err->code == ERR_OFFLINE && (s->call.begun || s->call.http_status == 500))
        end_failed(s, err);
    else if (err->code == ERR_PROTOCOL && err->status == 400)
        refused(s, err);
    else
        slow_or_gone(s, err);
}

static void ask(struct sync_op *s)
{
    static const struct eas_request mail = {.command = EAS_SYNC,
                                            .rules = &eas_sync_rules,
                                            .streams = true,
                                            .write = write_request,
                                            .done = on_done},
                                    events = {.command = EAS_SYNC,
                                              .rules = &eas_sync_event_rules,
                                              .streams = true,
                                              .write = write_request,
                                              .done = on_done};

    eas_call_close(&s->call);
    eas_call_init(&s->call, s->b, eas_is_mail(s->kind) ? &mail : &events, s);
    s->call.reader = s->page;
    s->call.stall_s = STALL_S;
    eas_call_start(&s->call);
}

static void on_settled(void *ud, const struct err *err)
{
    struct sync_op *s = ud;

    if (err->code == ERR_STALE)
        stale(s, err->status);
    else if (err->code != ERR_NONE)
        end(s, err);
    else
        ask(s);
}

static void on_turn(void *ud)
{
    struct sync_op *s = ud;

    s->window = eas_folder_get(s->b, s->folder_id)->window;
    eas_push_init(&s->push, s->b, s->folder_id, s->kind, &s->op.arena);
    if (s->cursor.n > 0 && eas_push_must_settle(&s->push, s->cursor))
        eas_push_settle(&s->push, on_settled, s);
    else
        ask(s);
}

static void start(struct op *op)
{
    struct sync_op *s = (struct sync_op *)op;
    struct eas_sync_options options = eas_sync_options(s->b, s->kind);

    s->page = eas_sync_page_new(&options);
    eas_turn_wait(&s->turn, &s->b->syncs, false, on_turn, s);
}

static void stop(struct op *op)
{
    struct sync_op *s = (struct sync_op *)op;

    leave(s);
    eas_sync_page_free(&s->page);
}

struct op *eas_sync_events(struct backend *base, struct str folder_id, enum folder_kind kind, struct str cursor,
                           event_known_cb *is_known, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.sync", sizeof(struct sync_op), start, stop};
    struct eas_backend *b = (struct eas_backend *)base;
    struct op *op = op_new(b->base.loop, &class, cb, ud);
    struct sync_op *s = (struct sync_op *)op;

    (void)is_known; /* items come with the page */
    s->b = b;
    s->kind = kind;
    s->folder_id = arena_str(&op->arena, folder_id);
    s->cursor = arena_str(&op->arena, cursor);
    return op;
}

struct op *eas_sync(struct backend *base, struct str folder_id, struct str cursor, op_cb *cb, void *ud)
{
    return eas_sync_events(base, folder_id, FOLDER_MAIL, cursor, NULL, cb, ud);
}
