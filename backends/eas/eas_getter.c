/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_getter.h"

#include "backends/eas/eas_items_read.h"
#include "backends/eas/eas_record.h"

#define ASKED_MAX 2 /* how often one item is asked for before its absence from the answers is an error */
#define BODY_TEXT 1
#define BODY_HTML 2

static void next(struct eas_getter *g);

static void end(struct eas_getter *g, const struct err *err)
{
    struct err copy = *err;

    eas_getter_close(g);
    g->done(g->ud, &copy);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void write_preference(struct eas_writer *w, const struct eas_got *got)
{
    eas_write_open(w, AirSyncBase_BodyPreference);
    eas_write_uint(w, AirSyncBase_Type, got->need == EAS_NEED_HTML ? BODY_HTML : BODY_TEXT);
    eas_write_close(w);
}

static void write_item(const struct eas_getter *g, struct eas_writer *w, const struct eas_got *got)
{
    eas_write_open(w, ItemOperations_Fetch);
    eas_write_text(w, ItemOperations_Store, STR("Mailbox"));
    eas_write_text(w, AirSync_CollectionId, g->folder_id);
    eas_write_text(w, AirSync_ServerId, got->id);
    eas_write_open(w, ItemOperations_Options);
    write_preference(w, got);
    eas_write_close(w);
    eas_write_close(w);
}

static void begin_answer(struct eas_getter *g)
{
    struct eas_sync_options options = eas_sync_options(g->b, g->kind);

    eas_event_answer_begin(&g->answer, g->arena, &options, g->asked, g->asked_count);
}

static bool write_items(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_getter *g = ud;

    (void)err;
    begin_answer(g);
    eas_write_open(w, ItemOperations_ItemOperations);
    for (size_t i = 0; i < g->asked_count; i++)
        write_item(g, w, g->asked[i]);
    eas_write_close(w);
    return true;
}

/* The newest SyncKey of the folder: the core's, or where changes of ours have led from there. */
static bool find_key(struct eas_getter *g, struct err *err)
{
    const struct backend_host *host = &g->b->config.host;
    struct buf cursor = BUF_INIT(BACKEND_CURSOR_MAX);
    struct eas_record record;
    bool found = host->cursor && host->cursor(host->ud, g->folder_id, &cursor) &&
                 eas_cursor_read(g->b, buf_view(&cursor), &g->key);

    if (found)
        g->key = eas_record_load(g->b, g->folder_id, buf_view(&cursor), g->arena, &record)
                     ? record.key
                     : arena_str(g->arena, g->key);
    buf_done(&cursor);
    return found || err_set(err, ERR_STALE, "Fetch: the folder is not synchronised at the moment");
}

static bool write_sync(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_getter *g = ud;

    if (g->key.n == 0 && !find_key(g, err))
        return false;
    begin_answer(g);
    eas_collection_open(w, g->key, g->folder_id);
    eas_write_uint(w, AirSync_GetChanges, 0);
    eas_collection_options(w, g->kind, eas_filter(g->b, g->kind));
    eas_write_open(w, AirSync_Commands);
    for (size_t i = 0; i < g->asked_count; i++) {
        eas_write_open(w, AirSync_Fetch);
        eas_write_text(w, AirSync_ServerId, g->asked[i]->id);
        eas_write_close(w);
    }
    eas_write_close(w);
    eas_collection_close(w);
    return true;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void give_up(struct eas_got *got, const struct err *err)
{
    if (got->need == EAS_NEED_ITEM)
        got->err = *err;
    got->need = EAS_NEED_NOTHING;
}

/* The one item that the server chokes on. SOGo says 501 of an item that is gone. */
static void give_up_one(struct eas_getter *g, const struct err *err)
{
    struct err copy = *err;

    if (err->status == 501 && g->b->event_fetch_works)
        err_set(&copy, ERR_NOT_FOUND, "Fetch: the item is not there any more (HTTP status 501)");
    give_up(g->asked[0], &copy);
}

/* What was seen to work is the way after a restart, too: there the first one asked for may be one that is gone. */
static void note_works(struct eas_getter *g)
{
    struct eas_backend *b = g->b;
    struct err err = {0};

    b->event_fetch_works = true;
    if (b->state.events_by_sync == g->by_sync)
        return;
    b->state.events_by_sync = g->by_sync;
    if (!eas_state_save(&b->state, &b->config, &err))
        log_warn("eas", b->config.name, "%s", err.text); /* it will be found out again */
}

static void take_all(struct eas_getter *g)
{
    struct err err = {0};

    for (size_t i = 0; i < g->asked_count; i++) {
        struct eas_got *got = g->asked[i];

        if (got->answered) {
            note_works(g);
        } else if (++got->asked == ASKED_MAX) {
            err_set(&err, ERR_PROTOCOL, "Fetch: the server says nothing about an item");
            give_up(got, &err);
        }
    }
    next(g);
}

/* The server failed on the request, or its answer broke in the middle. A web page in its place says nothing about
 * items. */
static bool blames_an_item(const struct eas_getter *g, const struct err *err)
{
    if (err->status == 500 || err->status == 501)
        return true;
    return (err->code == ERR_PROTOCOL || err->code == ERR_TOO_BIG) && g->call.http_status == 200 && !g->call.empty &&
           g->call.answer.wbxml.offset > EAS_HEADER_SIZE;
}

/* Before anything of the kind has worked: the command may be what it fails on, when it does so twice. Not on servers
 * that know 16.x, which Exchange alone does. */
static bool other_way(struct eas_getter *g, const struct err *err)
{
    struct eas_backend *b = g->b;

    if (g->by_sync || b->event_fetch_works || b->events_by_sync || b->state.version >= 160 ||
        (err->status != 500 && err->status != 501))
        return false;
    if (!b->event_fetch_failed) {
        b->event_fetch_failed = true;
        return true;
    }
    log_info("eas", b->config.name, "ItemOperations: not for events on this server; they are fetched by Sync");
    b->events_by_sync = true;
    return true;
}

static void on_failure(struct eas_getter *g, const struct err *err)
{
    if (g->by_sync && !g->b->event_fetch_works)
        g->b->events_by_sync = false; /* that is not it */
    if (other_way(g, err)) {
        next(g);
        return;
    }
    if (!blames_an_item(g, err)) {
        end(g, err);
        return;
    }
    g->suspicious = true;
    if (g->asked_count > 1) {
        g->batch = (g->asked_count + 1) / 2;
    } else {
        g->batch = EAS_BATCH;
        give_up_one(g, err);
    }
    next(g);
}

static void on_done(void *ud, const struct err *err)
{
    struct eas_getter *g = ud;
    struct err copy = *err;
    int status = g->call.answer.status;

    if (copy.code == ERR_NONE && g->call.empty)
        err_set(&copy, ERR_PROTOCOL, "Fetch: the server gave an empty answer");
    else if (copy.code == ERR_NONE && g->by_sync && (status > EAS_SYNC_OK || g->answer.collection > EAS_SYNC_OK))
        err_set(&copy, ERR_OFFLINE, "Sync: the server does not give items (status %d)",
                status > EAS_SYNC_OK ? status : g->answer.collection);
    else if (copy.code == ERR_NONE && !g->by_sync && status > EAS_FETCH_OK)
        eas_fetch_status_err(status, &copy);
    if (copy.code != ERR_NONE)
        on_failure(g, &copy);
    else
        take_all(g);
}

/* --- steps ------------------------------------------------------------------------------------------------------- */

/* SOGo looks at the last Fetch of a Sync alone; and there a body has the form that the folder's options say. */
static void choose(struct eas_getter *g)
{
    size_t max = g->by_sync ? 1 : g->batch;

    g->asked_count = 0;
    for (size_t i = 0; i < g->count && g->asked_count < max; i++) {
        if (g->by_sync && g->list[i].need == EAS_NEED_HTML)
            g->list[i].need = EAS_NEED_NOTHING;
        if (g->list[i].need != EAS_NEED_NOTHING)
            g->asked[g->asked_count++] = &g->list[i];
    }
}

static void next(struct eas_getter *g)
{
    static const struct eas_request items = {.command = EAS_ITEM_OPERATIONS,
                                             .rules = &eas_event_items_rules,
                                             .streams = true,
                                             .write = write_items,
                                             .done = on_done},
                                    sync = {.command = EAS_SYNC,
                                            .rules = &eas_event_fetch_rules,
                                            .streams = true,
                                            .write = write_sync,
                                            .done = on_done};
    struct err none = {0};

    eas_call_close(&g->call);
    g->by_sync = g->b->events_by_sync;
    choose(g);
    if (g->asked_count == 0) {
        end(g, &none);
        return;
    }
    eas_call_init(&g->call, g->b, g->by_sync ? &sync : &items, g);
    g->call.reader = &g->answer;
    if (g->suspicious || (!g->b->event_fetch_works && g->b->state.version < 160))
        g->call.tries_server = EAS_RETRIES_SERVER;
    eas_call_start(&g->call);
}

void eas_getter_init(struct eas_getter *g, struct eas_backend *b, struct str folder_id, enum folder_kind kind,
                     struct arena *arena, size_t count)
{
    *g = (struct eas_getter){.b = b, .arena = arena, .folder_id = folder_id, .kind = kind, .batch = EAS_BATCH};
    g->list = arena_array(arena, count + 1, sizeof(*g->list));
    g->count = count;
}

void eas_getter_start(struct eas_getter *g, void (*done)(void *ud, const struct err *err), void *ud)
{
    g->done = done;
    g->ud = ud;
    next(g);
}

void eas_getter_close(struct eas_getter *g)
{
    if (!g->b)
        return;
    eas_call_close(&g->call);
    eas_event_answer_done(&g->answer);
    g->answer = (struct eas_event_answer){0};
}
