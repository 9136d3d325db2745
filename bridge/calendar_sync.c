/* SPDX-License-Identifier: Apache-2.0 */
/* From the server to store and cache: sync pages, and what was lost with the cache. */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/calendar_private.h"
#include "bridge/io/crypto.h"
#include "bridge/sync.h"

#define GET_BATCH 50 /* items in one event_fetch */

void calendar_digest(struct str text, char to[STORE_DIGEST_SIZE])
{
    struct crypto_hash h = crypto_sha256(text);
    memcpy(to, h.b, STORE_DIGEST_SIZE);
}

static struct str digest_of(struct str text, struct arena *arena)
{
    char d[STORE_DIGEST_SIZE];
    calendar_digest(text, d);
    return arena_str(arena, str_of(d, sizeof(d)));
}

struct str calendar_seal(struct account *a, struct str extras, struct arena *arena)
{
    struct buf b = {0};
    if (extras.n)
        cache_seal(a->cache, STR("extra"), extras, &b);
    struct str sealed = arena_str(arena, b.n ? buf_view(&b) : STR(""));
    buf_done(&b);
    return sealed;
}

struct str calendar_unseal(struct account *a, struct str extra, struct arena *arena)
{
    struct buf b = {0};
    struct str plain = STR("");
    if (extra.n == 0)
        return plain;
    if (cache_unseal(a->cache, STR("extra"), extra, &b))
        plain = arena_str(arena, buf_view(&b));
    else
        log_error("calendar", account_name(a),
                  "what a client had stored beside an event cannot be read: the account's key changed");
    buf_done(&b);
    return plain;
}

/* --- what is served
 * ----------------------------------------------------------------------------------------------------------- */

/* Attachments get an address of ours, under which calendar_attachment() has the content. */
static void address_attachments(struct account *a, struct event_fields *f, struct arena *arena)
{
    if (!a->opts.dav_url || !f->attachment_count)
        return;
    struct event_attachment *list = arena_array(arena, f->attachment_count, sizeof(*list));
    for (size_t i = 0; i < f->attachment_count; i++) {
        struct buf url = {0};
        list[i] = f->attachments[i];
        if (list[i].url.n || !list[i].id.n)
            continue;
        buf_printf(&url, "%s/attachments/", a->opts.dav_url);
        text_hex_add(&url, list[i].id);
        list[i].url = arena_str(arena, buf_view(&url));
        buf_done(&url);
    }
    f->attachments = list;
}

static struct event dressed(struct account *a, const struct event *e, const struct store_resource *known,
                            struct arena *arena)
{
    struct event shown = *e;
    if (known && known->ical_uid.n)
        shown.uid = known->ical_uid;
    address_attachments(a, &shown.fields, arena);
    struct event_exception *list = arena_array(arena, e->exception_count + 1, sizeof(*list));
    for (size_t i = 0; i < e->exception_count; i++) {
        list[i] = e->exceptions[i];
        address_attachments(a, &list[i].fields, arena);
    }
    shown.exceptions = list;
    return shown;
}

static struct str written(struct account *a, const struct event *e, struct str extras, struct arena *arena)
{
    struct ical_options options = calendar_options(a);
    struct buf b = BUF_INIT(64u << 20);
    ical_write(&b, e, &options, extras);
    struct str text = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return text;
}

struct str calendar_written(struct account *a, const struct event *e, struct arena *arena)
{
    return written(a, e, STR(""), arena);
}

bool calendar_read(struct account *a, struct str text, struct arena *arena, struct event *ret)
{
    struct str extras;
    struct ical_options options = calendar_options(a);
    struct ical_problem problem;
    return ical_read(text, &options, arena, ret, &extras, &problem);
}

static void forget_answers(struct event_fields *f, struct arena *arena)
{
    struct event_attendee *list = arena_array(arena, f->attendee_count + 1, sizeof(*list));
    for (size_t i = 0; i < f->attendee_count; i++) {
        list[i] = f->attendees[i];
        list[i].response = EVENT_NO_RESPONSE;
    }
    f->attendees = list;
}

/* What the schedule tag stands for: all that clients are served but the answers of guests, and when these came in. */
static struct str schedule_of(struct account *a, const struct event *e, struct str extras, struct arena *arena)
{
    struct event quiet = *e;
    if (!e->is_meeting)
        return STR("");
    struct event_exception *list = arena_array(arena, e->exception_count + 1, sizeof(*list));
    forget_answers(&quiet.fields, arena);
    for (size_t i = 0; i < e->exception_count; i++) {
        list[i] = e->exceptions[i];
        forget_answers(&list[i].fields, arena);
    }
    quiet.exceptions = list;
    quiet.modified = quiet.stamped = TIME_NONE;
    return digest_of(written(a, &quiet, extras, arena), arena);
}

void calendar_prepare(struct account *a, const struct event *e, const struct store_resource *known, struct arena *arena,
                      struct calendar_item *ret)
{
    *ret = (struct calendar_item){.canonical = calendar_written(a, e, arena)};
    struct store_event *row = &ret->row;
    row->ical_uid = known && known->ical_uid.n ? known->ical_uid : e->uid;
    row->digest = digest_of(ret->canonical, arena);
    row->kind = e->kind;
    event_span(e, &row->from, &row->to);
    if (known && known->pk && str_eq(known->digest, row->digest)) {
        ret->unchanged = true;
        row->served = known->served;
        row->size = known->size;
        row->schedule = known->schedule;
        return;
    }
    struct event shown = dressed(a, e, known, arena);
    struct str extras = known ? calendar_unseal(a, known->extra, arena) : STR("");
    row->schedule = schedule_of(a, &shown, extras, arena);
    ret->served = written(a, &shown, extras, arena);
    row->served = digest_of(ret->served, arena);
    row->size = ret->served.n;
}

void calendar_keep(struct account *a, int64_t pk, const struct calendar_item *item)
{
    cache_put_rendering(a->cache, pk, CALENDAR_R_CANONICAL, item->canonical);
    if (item->served.n)
        cache_put_rendering(a->cache, pk, CALENDAR_R_SERVED, item->served);
}

bool calendar_rendering(struct account *a, int64_t pk, unsigned which, struct arena *arena, struct str *ret_text)
{
    struct arena scratch = {0};
    struct arena *to = arena ? arena : &scratch;
    struct store_resource r;
    struct str text;
    char digest[STORE_DIGEST_SIZE];
    bool ok = store_resource_by_pk(a->store, pk, to, &r) && cache_rendering(a->cache, pk, which, to, &text);
    if (ok) {
        calendar_digest(text, digest);
        ok = str_eq(str_of(digest, sizeof(digest)), which == CALENDAR_R_SERVED ? r.served : r.digest);
    }
    if (ok && ret_text)
        *ret_text = text;
    arena_done(&scratch);
    return ok;
}

bool calendar_base(struct account *a, int64_t pk, struct arena *arena, struct event *ret)
{
    struct str text;
    return calendar_rendering(a, pk, CALENDAR_R_CANONICAL, arena, &text) && calendar_read(a, text, arena, ret);
}

/* What a page says of items that cannot be read. Inside its transaction. */
static bool note_unread(struct account *a, int64_t folder_pk, const struct reply *reply, struct err *err)
{
    bool ok = !reply->items.restarted || store_unread_forget(a->store, folder_pk, err);
    bool any = ok && store_unread(a->store, folder_pk, STR_NULL, 0) > 0;
    for (size_t i = 0; ok && i < reply->items.count; i++) {
        const struct item_info *item = &reply->items.list[i];
        if (item->unread)
            ok = store_unread_add(a->store, folder_pk, item->id, err);
        else if (any)
            ok = store_unread_done(a->store, folder_pk, item->id, err);
    }
    return ok;
}

/* --- pages
 * -----------------------------------------------------------------------------------------------------------------------
 */

bool calendar_take_page(struct account *a, int64_t folder_pk, const struct reply *reply, bool announce,
                        struct store_applied *done, struct err *err)
{
    size_t n = reply->items.count, count = 0;
    struct arena arena = {0};
    struct item_info *items = arena_array(&arena, n + 1, sizeof(*items));
    struct store_event *rows = arena_array(&arena, n + 1, sizeof(*rows));
    struct calendar_item *made = arena_array(&arena, n + 1, sizeof(*made));
    for (size_t i = 0; i < n; i++) {
        const struct item_info *item = &reply->items.list[i];
        struct store_resource known;
        if (!item->event && !item->gone && !item->left_window)
            continue; /* something else that lies in a calendar folder (MS-OXOCAL: a message) */
        items[count] = *item;
        items[count].received_ms = 0; /* whole items, matched by UID after a lost sync state */
        items[count].flags_known = 0;
        items[count].subject = STR_NULL;
        if (item->event) {
            calendar_own_learn(a, item->event);
            bool is_known = store_resource_of(a->store, folder_pk, item->id, item->event->uid, &arena, &known);
            items[count].message_id = item->event->uid;
            calendar_prepare(a, item->event, is_known ? &known : NULL, &arena, &made[count]);
            rows[count] = made[count].row;
        }
        count++;
    }
    struct store_page page = {items, count, reply->items.cursor, reply->items.more, rows};
    bool ok = store_begin(a->store, err);
    if (ok) {
        /* First what cannot be read: of a folder that was collected anew, what the pages did not tell goes. */
        ok = note_unread(a, folder_pk, reply, err) && store_apply_page(a->store, folder_pk, &page, announce, done, err);
        ok = store_end(a->store, ok, err);
    }
    for (size_t i = 0; ok && i < count; i++) {
        int64_t pk = items[i].event ? store_item_by_id(a->store, folder_pk, items[i].id) : 0;
        if (pk)
            calendar_keep(a, pk, &made[i]);
    }
    if (ok && !reply->items.more) {
        calendar_settle_held(a, folder_pk, true);
        calendar_moves_go_on(a, folder_pk);
    }
    arena_done(&arena);
    return ok;
}

/* --- lost with the cache
 * ----------------------------------------------------------------------------------------------------------- */

struct calendar_get {
    struct account *account;
    struct arena arena;
    int64_t folder_pk;
    struct store_folder folder;
    int64_t *pks;
    struct str *ids;
    size_t count, next, batch;
    bool again; /* whatever the cache has */
    struct op *op;
    struct deferred later;
    struct err err;
    waiter_cb *cb;
    void *ud;
};

static void get_free(struct calendar_get *g)
{
    loop_defer_cancel(&g->later);
    op_cancel(&g->op);
    arena_done(&g->arena);
    mem_free(g);
}

static void get_end(void *ud)
{
    struct calendar_get *g = ud;
    waiter_cb *cb = g->cb;
    void *cb_ud = g->ud;
    struct err err = g->err;
    get_free(g);
    cb(cb_ud, &err);
}

/* The item again. When it has changed meanwhile, this is as good as a sync page. What a client was served is written
 * anew only when it is not in the cache, or the server's item says something else. */
static void take_again(struct calendar_get *g, int64_t pk, const struct item_info *item)
{
    struct account *a = g->account;
    struct arena arena = {0};
    struct store_resource known, now;
    struct calendar_item made;
    struct err err = {0};
    if (store_resource_by_pk(a->store, pk, &arena, &known)) {
        struct str digest = known.digest;
        if (!g->again)
            known.digest = STR_NULL; /* so that the served text is written */
        calendar_own_learn(a, item->event);
        calendar_prepare(a, item->event, &known, &arena, &made);
        if (!g->again && str_eq(digest, made.row.digest) && str_eq(known.served, made.row.served))
            calendar_keep(a, pk, &made);
        else if (store_event_put(a->store, g->folder_pk, known.server_id, item->change, item->event->uid, &made.row,
                                 &now, &err))
            calendar_keep(a, pk, &made);
        else
            g->err = err;
    }
    arena_done(&arena);
}

static void get_step(void *ud);

static void on_fetched(void *ud, const struct reply *reply)
{
    struct calendar_get *g = ud;
    g->op = NULL;
    if (reply->err.code != ERR_NONE) {
        g->err = reply->err;
        get_end(g);
        return;
    }
    for (size_t i = 0; i < g->batch && i < reply->events.count; i++) {
        const struct err *err = &reply->events.each[i];
        int64_t pk = g->pks[g->next + i];
        if (err->code == ERR_NOT_FOUND)
            store_item_gone(g->account->store, g->folder_pk, pk, g->ids[g->next + i], &g->err);
        else if (err->code != ERR_NONE)
            g->err = *err;
        else if (reply->events.list[i].event)
            take_again(g, pk, &reply->events.list[i]);
    }
    g->next += g->batch;
    get_step(g);
}

static void get_step(void *ud)
{
    struct calendar_get *g = ud;
    if (g->err.code != ERR_NONE || g->next == g->count) {
        get_end(g);
        return;
    }
    g->batch = g->count - g->next < GET_BATCH ? g->count - g->next : GET_BATCH;
    g->op = backend_event_fetch(g->account->backend, g->folder.server_id, g->folder.kind, &g->ids[g->next], g->batch,
                                on_fetched, g);
}

static struct calendar_get *get_new(struct account *a, int64_t pk, bool again, const int64_t *resource_pks,
                                    size_t count, waiter_cb *cb, void *ud)
{
    struct calendar_get *g = MEM_NEW(struct calendar_get);
    g->account = a;
    g->folder_pk = pk;
    g->again = again;
    g->cb = cb;
    g->ud = ud;
    deferred_init(&g->later, get_step, g);
    if (!calendar_folder(a, pk, &g->arena, &g->folder)) {
        err_set(&g->err, ERR_NOT_FOUND, "there is no such calendar");
    } else {
        g->pks = arena_array(&g->arena, count + 1, sizeof(*g->pks));
        g->ids = arena_array(&g->arena, count + 1, sizeof(*g->ids));
        for (size_t i = 0; i < count; i++) {
            struct store_resource r;
            if ((!again && calendar_rendering(a, resource_pks[i], CALENDAR_R_SERVED, NULL, NULL)) ||
                !store_resource_by_pk(a->store, resource_pks[i], &g->arena, &r))
                continue;
            g->pks[g->count] = resource_pks[i];
            g->ids[g->count++] = r.server_id;
        }
    }
    loop_defer(a->loop, &g->later);
    return g;
}

struct calendar_get *calendar_get(struct account *a, int64_t pk, const int64_t *resource_pks, size_t count,
                                  waiter_cb *cb, void *ud)
{
    return get_new(a, pk, false, resource_pks, count, cb, ud);
}

struct calendar_get *calendar_get_again(struct account *a, int64_t pk, int64_t resource_pk, waiter_cb *cb, void *ud)
{
    return get_new(a, pk, true, &resource_pk, 1, cb, ud);
}

void calendar_get_cancel(struct calendar_get **g)
{
    if (*g)
        get_free(*g);
    *g = NULL;
}
