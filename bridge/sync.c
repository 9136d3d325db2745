/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/sync.h"

#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/calendar_private.h"
#include "bridge/content_engine.h"
#include "bridge/sent_copy.h"

#define PUSH_START_MS       30000 /* so long after a watch began push may still come to work */
#define PUSH_LOOK_MS        1000
#define SYNC_RETRY_ASKED_MS 5000 /* least time between attempts that clients cause */
#define RESYNC_MAX          3    /* invalid sync states in a row before a folder is left alone for a while */

struct sync_folder {
    struct list link;
    int64_t pk;
    struct str server_id; /* owned */
    enum folder_kind kind;
    enum folder_use use;
    bool synced;   /* complete once */
    bool dirty;    /* the server may know more */
    bool again;    /* became dirty while being synced */
    bool announce; /* give UIDs with the next page */
    bool hinted;   /* a client wants it although nobody waits (NOOP) */
    unsigned stale, failures;
    uint64_t synced_ms; /* monotonic; 0 = never in this process */
    uint64_t not_before_ms;
    struct list waits;
};

struct sync_wait {
    struct list link;
    sync_wait_cb *cb;
    void *ud;
};

struct sync {
    struct account *account;
    struct list folders;
    struct list listing_waits; /* for a listing that begins after they asked */
    struct list listed_waits;  /* for the one under way */
    struct op *folders_op, *page_op, *watch_op;
    struct sync_folder *current; /* of page_op */
    struct timer *timer;         /* back-off and safety poll */
    bool hierarchy_dirty, hierarchy_known, stopped;
    bool hierarchy_stale;
    unsigned failures, watch_failures;
    uint64_t not_before_ms, watch_not_before_ms, failed_ms;
    uint64_t listed_ms;  /* the folder list, as synced_ms of a folder */
    uint64_t watched_ms; /* when the running watch began */
    bool pushed;         /* what was synced is covered by a push of everything */
    size_t watched;      /* folders in the running watch */
    struct deferred turn;
};

static void on_turn(void *ud);

static void schedule(struct sync *s)
{
    if (!s->stopped)
        loop_defer(s->account->loop, &s->turn);
}

/* --- folders
 * ---------------------------------------------------------------------------------------------------------------- */

static struct sync_folder *find(struct sync *s, int64_t pk)
{
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (f->pk == pk)
            return f;
    }
    return NULL;
}

static struct sync_folder *find_server(struct sync *s, struct str id)
{
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (str_eq(f->server_id, id))
            return f;
    }
    return NULL;
}

static void wake_list(struct list *waits, const struct err *err)
{
    struct list woken;
    list_init(&woken);
    while (!list_empty(waits)) {
        struct list *l = waits->next;
        list_remove(l);
        list_append(&woken, l);
    }
    while (!list_empty(&woken)) {
        struct sync_wait *w = LIST_ITEM(woken.next, struct sync_wait, link);
        sync_wait_cb *cb = w->cb;
        void *ud = w->ud;
        list_remove(&w->link);
        mem_free(w);
        cb(ud, err);
    }
}

static void wake(struct sync_folder *f, const struct err *err)
{
    wake_list(&f->waits, err);
}

static void forget(struct sync *s, struct sync_folder *f)
{
    struct err gone = {0};
    err_set(&gone, ERR_NOT_FOUND, "the folder was deleted on the server");
    if (s->current == f) {
        op_cancel(&s->page_op);
        s->current = NULL;
    }
    struct mailbox *m = mailbox_loaded(s->account, f->pk);
    if (m)
        mailbox_folder_gone(m);
    list_remove(&f->link);
    wake(f, &gone);
    mem_free((char *)f->server_id.p);
    mem_free(f);
}

static bool is_kept(const struct sync *s, const struct store_folder *f)
{
    unsigned caps = s->account->backend->caps;
    bool calendars = s->account->opts.calendars;
    if (f->hidden)
        return false;
    return f->kind == FOLDER_MAIL || (f->kind == FOLDER_CALENDAR && calendars && caps & CAP_CALENDAR) ||
           (f->kind == FOLDER_TASKS && calendars && caps & CAP_TASKS);
}

void sync_folders_changed(struct sync *s)
{
    struct arena arena = {0};
    struct store_folder *rows;
    size_t n;
    if (!store_folders(s->account->store, &arena, &rows, &n, NULL)) {
        arena_done(&arena);
        return;
    }
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        size_t i = 0;
        while (i < n && !(rows[i].pk == f->pk && is_kept(s, &rows[i])))
            i++;
        if (i == n)
            forget(s, f);
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_kept(s, &rows[i]))
            continue;
        struct sync_folder *f = find(s, rows[i].pk);
        if (!f) {
            f = MEM_NEW(struct sync_folder);
            f->pk = rows[i].pk;
            f->server_id = str_from(str_dup(rows[i].server_id));
            f->kind = rows[i].kind;
            f->dirty = true;
            list_init(&f->waits);
            list_init(&f->link);
            list_append(&s->folders, &f->link);
        }
        f->use = rows[i].use;
        f->synced = rows[i].synced;
    }
    arena_done(&arena);
    schedule(s);
}

/* --- errors
 * ----------------------------------------------------------------------------------------------------------------- */

static uint64_t back_off_ms(unsigned failures, const struct err *err)
{
    if (!err_is_transient(err->code))
        return SYNC_STOPPED_MS;
    uint64_t ms = SYNC_RETRY_MIN_MS;
    for (unsigned i = 1; i < failures && ms < SYNC_RETRY_MAX_MS; i++)
        ms *= 2;
    if (ms > SYNC_RETRY_MAX_MS)
        ms = SYNC_RETRY_MAX_MS;
    ms = ms / 2 + rand_below(ms / 2 + 1); /* jitter: many clients of one server must not come back together */
    uint64_t asked = (uint64_t)err->retry_after_s * 1000;
    return ms > asked ? ms : asked;
}

static void account_trouble(struct sync *s, const struct err *err)
{
    s->failures++;
    s->failed_ms = time_mono_ms();
    s->not_before_ms = time_mono_ms() + back_off_ms(s->failures, err);
    account_set_health(s->account, err);
    if (!s->account->folders_known)
        account_wake_waiters(s->account, err);
    wake_list(&s->listed_waits, err);
    wake_list(&s->listing_waits, err);
    LIST_EACH (&s->folders, l)
        wake(LIST_ITEM(l, struct sync_folder, link), err);
}

static void account_fine(struct sync *s)
{
    s->failures = 0;
    s->not_before_ms = 0;
    account_set_health(s->account, NULL);
}

bool sync_is_down(const struct sync *s)
{
    return s->stopped || s->failures > 0;
}

bool sync_retry(struct sync *s)
{
    if (!sync_is_down(s))
        return true;
    uint64_t now = time_mono_ms();
    if (s->stopped || !err_is_transient(s->account->health.code) || s->account->health.code == ERR_THROTTLED ||
        now - s->failed_ms < SYNC_RETRY_ASKED_MS)
        return false;
    s->not_before_ms = 0;
    s->hierarchy_dirty |= !s->hierarchy_known;
    schedule(s);
    return true;
}

/* --- the folder list
 * -------------------------------------------------------------------------------------------------------- */

static void folders_stale(struct sync *s, struct err *err)
{
    if (s->hierarchy_stale || !store_forget_hierarchy(s->account->store, err)) {
        account_trouble(s, err);
        return;
    }
    s->hierarchy_stale = true; /* once; a fresh cursor refused again is trouble */
    s->hierarchy_dirty = true;
    schedule(s);
}

static void on_folders(void *ud, const struct reply *reply)
{
    struct sync *s = ud;
    struct err err = reply->err;
    s->folders_op = NULL;
    if (err.code == ERR_STALE) {
        folders_stale(s, &err);
        return;
    }
    if (err.code == ERR_NONE &&
        store_apply_folders(s->account->store, reply->folders.list, reply->folders.count, reply->folders.full,
                            reply->folders.cursor, &err) &&
        account_reload_folders(s->account, &err)) {
        crash_point("folders.stored");
        account_fine(s);
        s->hierarchy_dirty |= reply->folders.more;
        s->hierarchy_stale = false;
        s->hierarchy_known = true;
        s->listed_ms = time_mono_ms();
        sync_folders_changed(s);
        if (!reply->folders.more) {
            struct err none = {0};
            s->account->folders_known = true;
            account_wake_waiters(s->account, &none);
            wake_list(&s->listed_waits, &none);
        }
        return;
    }
    s->hierarchy_dirty = true;
    account_trouble(s, &err);
    schedule(s);
}

/* --- one page of one folder
 * ------------------------------------------------------------------------------------------------- */

static void take_content(struct sync *s, struct sync_folder *f, const struct reply *reply)
{
    for (size_t i = 0; i < reply->items.count; i++) {
        const struct item_info *item = &reply->items.list[i];
        if (item->gone || (!item->header && !item->message))
            continue;
        int64_t pk = store_item_by_id(s->account->store, f->pk, item->id);
        if (pk && item->message)
            content_take_message(s->account, f->pk, pk, item->message);
        else if (pk)
            content_take_header(s->account, pk, item->header);
    }
}

static void folder_done(struct sync *s, struct sync_folder *f)
{
    struct err none = {0};
    f->dirty = f->again;
    f->again = f->hinted = f->announce = false;
    f->synced = true;
    f->synced_ms = time_mono_ms();
    wake(f, &none);
    if (f->kind == FOLDER_MAIL)
        content_prefetch(s->account->content, f->pk);
}

static void page_applied(struct sync *s, struct sync_folder *f, const struct reply *reply,
                         const struct store_applied *done)
{
    f->failures = f->stale = 0;
    account_fine(s);
    if (done->strange)
        log_debug("sync", account_name(s->account), "folder %lld: %u changes of unknown items left alone",
                  (long long)f->pk, done->strange);
    take_content(s, f, reply);
    struct mailbox *m = mailbox_loaded(s->account, f->pk);
    if (m && done->shown)
        mailbox_refresh(m);
    sent_copy_look(s->account);
    if (!reply->items.more)
        folder_done(s, f);
}

static void folder_trouble(struct sync *s, struct sync_folder *f, const struct err *err)
{
    f->failures++;
    f->not_before_ms = time_mono_ms() + back_off_ms(f->failures, err);
    log_warn("sync", account_name(s->account), "folder %lld: %s", (long long)f->pk, err->text);
    wake(f, err);
}

/* The server does not know our sync state any more: collect the folder anew beside the old list. */
static void folder_stale(struct sync *s, struct sync_folder *f, struct err *err)
{
    if (++f->stale > RESYNC_MAX) {
        err->code = ERR_PROTOCOL;
        folder_trouble(s, f, err);
        return;
    }
    log_info("sync", account_name(s->account), "folder %lld: sync state invalid, collecting it anew (UIDs are kept)",
             (long long)f->pk);
    if (!store_resync(s->account->store, f->pk, err))
        folder_trouble(s, f, err);
}

static bool is_folder_error(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_DENIED || code == ERR_UNSUPPORTED || code == ERR_INTERNAL ||
           code == ERR_TOO_BIG;
}

static void on_page(void *ud, const struct reply *reply)
{
    struct sync *s = ud;
    struct sync_folder *f = s->current;
    struct err err = reply->err;
    struct store_applied done;
    s->page_op = NULL;
    s->current = NULL;
    schedule(s);
    crash_point("sync.answered");
    if (err.code == ERR_NONE) {
        struct store_page page = {reply->items.list, reply->items.count, reply->items.cursor, reply->items.more, NULL};
        bool ok = f->kind == FOLDER_MAIL ? store_apply_page(s->account->store, f->pk, &page, f->announce, &done, &err)
                                         : calendar_take_page(s->account, f->pk, reply, f->announce, &done, &err);
        crash_point("sync.stored");
        if (ok)
            page_applied(s, f, reply, &done);
        else
            folder_trouble(s, f, &err);
    } else if (err.code == ERR_STALE) {
        folder_stale(s, f, &err);
    } else if (err.code == ERR_NOT_FOUND) {
        s->hierarchy_dirty = true; /* it will tell that the folder is gone */
        folder_trouble(s, f, &err);
    } else if (is_folder_error(err.code)) {
        folder_trouble(s, f, &err);
    } else {
        account_trouble(s, &err);
    }
}

static int rank(const struct sync_folder *f)
{
    if (!list_empty(&f->waits))
        return 0;
    if (f->hinted)
        return 1;
    if (f->use == USE_INBOX)
        return 2;
    return f->use != USE_NONE ? 3 : 4;
}

static struct sync_folder *next_folder(struct sync *s, uint64_t now, uint64_t *wake_ms)
{
    struct sync_folder *best = NULL;
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (!f->dirty)
            continue;
        if (f->not_before_ms > now) {
            if (f->not_before_ms < *wake_ms)
                *wake_ms = f->not_before_ms;
            continue;
        }
        if (!best || rank(f) < rank(best))
            best = f;
    }
    return best;
}

static void start_page(struct sync *s, struct sync_folder *f)
{
    struct buf cursor = BUF_INIT(BACKEND_CURSOR_MAX);
    struct err err = {0};
    bool ok = store_cursor(s->account->store, f->pk, &cursor) || err_set(&err, ERR_DISK, "cannot read the sync state");
    if (!ok || !store_sync_begins(s->account->store, f->pk, &err)) {
        folder_trouble(s, f, &err);
    } else {
        s->current = f;
        s->page_op =
            f->kind == FOLDER_MAIL
                ? backend_sync(s->account->backend, f->server_id, buf_view(&cursor), on_page, s)
                : backend_sync_events(s->account->backend, f->server_id, f->kind, buf_view(&cursor), on_page, s);
    }
    buf_done(&cursor);
}

/* --- watching
 * --------------------------------------------------------------------------------------------------------------- */

static bool pushes_all(const struct sync *s)
{
    return (s->account->backend->caps & CAP_PUSH_ALL) != 0;
}

static void mark_all(struct sync *s)
{
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        f->again |= f == s->current;
        f->dirty = true;
    }
}

static void on_watch(void *ud, const struct reply *reply)
{
    struct sync *s = ud;
    s->watch_op = NULL;
    if (reply->err.code != ERR_NONE) {
        s->watch_failures++;
        s->watch_not_before_ms = time_mono_ms() + back_off_ms(s->watch_failures, &reply->err);
        log_debug("sync", account_name(s->account), "watch: %s", reply->err.text);
        schedule(s);
        return;
    }
    s->watch_failures = 0;
    s->hierarchy_dirty |= reply->watch.hierarchy || reply->watch.everything;
    if (reply->watch.everything)
        mark_all(s);
    for (size_t i = 0; i < reply->watch.count; i++) {
        struct sync_folder *f = find_server(s, reply->watch.folder_ids[i]);
        if (!f) {
            s->hierarchy_dirty = true;
            continue;
        }
        f->again |= f == s->current;
        f->dirty = true;
    }
    schedule(s);
}

static void start_watch(struct sync *s, uint64_t now, uint64_t *wake_ms)
{
    if (!s->hierarchy_known)
        return;
    if (s->watch_not_before_ms > now) {
        if (s->watch_not_before_ms < *wake_ms)
            *wake_ms = s->watch_not_before_ms;
        return;
    }
    struct arena arena = {0};
    size_t n = 0, max = 0;
    bool waiting = false;
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        waiting |= f->synced && f->dirty && f->not_before_ms <= now;
        max++;
    }
    struct folder_ref *folders = arena_array(&arena, max + 1, sizeof(*folders));
    for (int r = 2; r <= 4; r++)
        LIST_EACH (&s->folders, l) {
            struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
            int mine = f->use == USE_INBOX ? 2 : f->use != USE_NONE ? 3 : 4;
            if (mine == r && (pushes_all(s) || (f->synced && !f->dirty)))
                folders[n++] = (struct folder_ref){f->server_id, f->kind};
        }
    /* A new folder to watch is worth a new Ping; EWS watches everything anyway. */
    if (s->watch_op && !pushes_all(s) && n > s->watched && !waiting)
        op_cancel(&s->watch_op);
    if (!s->watch_op && n && (pushes_all(s) || !waiting)) {
        s->watched = n;
        s->watched_ms = now;
        s->watch_op = backend_watch(s->account->backend, folders, n, on_watch, s);
    }
    arena_done(&arena);
}

/* What changed between a folder's sync and the moment when push began to work is in neither: look once more then. */
static void follow_push(struct sync *s, uint64_t now, uint64_t *wake_ms)
{
    if (!pushes_all(s)) {
        s->pushed = false;
        if (s->watch_op && now - s->watched_ms < PUSH_START_MS && now + PUSH_LOOK_MS < *wake_ms)
            *wake_ms = now + PUSH_LOOK_MS;
    } else if (s->watch_op && !s->pushed) {
        s->pushed = true;
        mark_all(s);
        schedule(s);
    }
}

/* --- the engine
 * ------------------------------------------------------------------------------------------------------------- */

static bool is_due_for_poll(uint64_t seen_ms, uint64_t now, uint64_t *wake_ms)
{
    uint64_t due = seen_ms + SYNC_POLL_MS;
    if (due > now && due < *wake_ms)
        *wake_ms = due;
    return due <= now;
}

static void mark_due_for_poll(struct sync *s, uint64_t now, uint64_t *wake_ms)
{
    if (s->hierarchy_known && !s->folders_op)
        s->hierarchy_dirty |= is_due_for_poll(s->listed_ms, now, wake_ms);
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (f->dirty || !f->synced_ms)
            continue;
        f->dirty = is_due_for_poll(f->synced_ms, now, wake_ms);
    }
}

static void on_turn(void *ud)
{
    struct sync *s = ud;
    uint64_t now = time_mono_ms(), wake_ms = now + SYNC_POLL_MS;
    if (s->stopped)
        return;
    mark_due_for_poll(s, now, &wake_ms);
    if (s->not_before_ms > now) {
        wake_ms = s->not_before_ms < wake_ms ? s->not_before_ms : wake_ms;
    } else {
        if (s->hierarchy_dirty && !s->folders_op) {
            struct buf cursor = BUF_INIT(BACKEND_CURSOR_MAX);
            store_hierarchy_cursor(s->account->store, &cursor);
            s->hierarchy_dirty = false;
            while (!list_empty(&s->listing_waits)) {
                struct list *l = s->listing_waits.next;
                list_remove(l);
                list_append(&s->listed_waits, l);
            }
            s->folders_op = backend_folders(s->account->backend, buf_view(&cursor), on_folders, s);
            buf_done(&cursor);
        }
        struct sync_folder *f = s->page_op ? NULL : next_folder(s, now, &wake_ms);
        if (f)
            start_page(s, f);
        start_watch(s, now, &wake_ms);
        follow_push(s, now, &wake_ms);
    }
    timer_start(s->timer, wake_ms > now ? wake_ms - now : 1);
}

struct sync *sync_new(struct account *a)
{
    struct sync *s = MEM_NEW(struct sync);
    s->account = a;
    list_init(&s->folders);
    list_init(&s->listing_waits);
    list_init(&s->listed_waits);
    deferred_init(&s->turn, on_turn, s);
    s->timer = timer_new(a->loop, on_turn, s);
    s->hierarchy_dirty = true;
    sync_folders_changed(s);
    schedule(s);
    return s;
}

void sync_stop(struct sync *s)
{
    struct err err = {0};
    if (!s || s->stopped)
        return;
    s->stopped = true;
    err_set(&err, ERR_POLICY, "the account was wiped");
    op_detach(&s->folders_op);
    op_detach(&s->page_op);
    op_detach(&s->watch_op);
    s->current = NULL;
    loop_defer_cancel(&s->turn);
    timer_stop(s->timer);
    account_wake_waiters(s->account, &err);
    wake_list(&s->listed_waits, &err);
    wake_list(&s->listing_waits, &err);
    LIST_EACH (&s->folders, l)
        wake(LIST_ITEM(l, struct sync_folder, link), &err);
}

static void drop_waits(struct list *waits)
{
    while (!list_empty(waits)) {
        struct sync_wait *w = LIST_ITEM(waits->next, struct sync_wait, link);
        list_remove(&w->link);
        mem_free(w);
    }
}

void sync_free(struct sync **sp)
{
    struct sync *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    op_cancel(&s->folders_op);
    op_cancel(&s->page_op);
    op_cancel(&s->watch_op);
    loop_defer_cancel(&s->turn);
    timer_free(&s->timer);
    drop_waits(&s->listed_waits);
    drop_waits(&s->listing_waits);
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        drop_waits(&f->waits);
        mem_free((char *)f->server_id.p);
        mem_free(f);
    }
    mem_free(s);
}

void sync_kick(struct sync *s)
{
    s->failures = s->watch_failures = 0;
    s->not_before_ms = s->watch_not_before_ms = 0;
    s->hierarchy_dirty |= !s->hierarchy_known;
    schedule(s);
}

/* --- what the rest of the core asks
 * ------------------------------------------------------------------------------------------ */

bool sync_is_clean(struct sync *s, int64_t folder_pk, uint64_t max_age_ms)
{
    struct sync_folder *f = find(s, folder_pk);
    if (!f || f->dirty || !f->synced_ms)
        return false;
    return (s->watch_op && pushes_all(s)) || time_mono_ms() - f->synced_ms <= max_age_ms;
}

void sync_want(struct sync *s, int64_t folder_pk, uint64_t max_age_ms)
{
    struct sync_folder *f = find(s, folder_pk);
    if (!f || s->stopped || sync_is_clean(s, folder_pk, max_age_ms))
        return;
    f->hinted = true;
    if (s->current != f)
        f->dirty = true;
    schedule(s);
}

void sync_want_folders(struct sync *s, uint64_t max_age_ms)
{
    if (s->stopped || !s->hierarchy_known || s->folders_op || (s->watch_op && pushes_all(s)) ||
        time_mono_ms() - s->listed_ms <= max_age_ms)
        return;
    s->hierarchy_dirty = true;
    schedule(s);
}

struct sync_wait *sync_wait(struct sync *s, int64_t folder_pk, sync_wait_cb *cb, void *ud)
{
    struct sync_folder *f = find(s, folder_pk);
    if (!f || s->stopped)
        return NULL;
    struct sync_wait *w = MEM_NEW(struct sync_wait);
    w->cb = cb;
    w->ud = ud;
    list_init(&w->link);
    list_append(&f->waits, &w->link);
    if (s->current != f)
        f->dirty = true;
    f->not_before_ms = 0; /* a person waits: one more attempt */
    schedule(s);
    return w;
}

struct sync_wait *sync_folders_again(struct sync *s, sync_wait_cb *cb, void *ud)
{
    if (s->stopped)
        return NULL;
    struct sync_wait *w = MEM_NEW(struct sync_wait);
    w->cb = cb;
    w->ud = ud;
    list_init(&w->link);
    list_append(&s->listing_waits, &w->link);
    s->hierarchy_dirty = true;
    schedule(s);
    return w;
}

void sync_wait_cancel(struct sync_wait **w)
{
    if (!*w)
        return;
    list_remove(&(*w)->link);
    mem_free(*w);
    *w = NULL;
}

bool sync_announce(struct sync *s, int64_t folder_pk, struct err *err)
{
    struct sync_folder *f = find(s, folder_pk);
    if (f)
        f->announce = true;
    if (!store_announce(s->account->store, folder_pk, err))
        return false;
    struct mailbox *m = mailbox_loaded(s->account, folder_pk);
    if (m)
        mailbox_refresh(m);
    return true;
}

uint32_t sync_progress(struct sync *s, int64_t folder_pk)
{
    return store_item_count(s->account->store, folder_pk);
}

void sync_reconnect(struct sync *s)
{
    if (s->stopped)
        return;
    op_cancel(&s->folders_op);
    op_cancel(&s->page_op);
    op_cancel(&s->watch_op);
    s->current = NULL;
    s->hierarchy_dirty = true;
    mark_all(s);
    LIST_EACH (&s->folders, l)
        LIST_ITEM(l, struct sync_folder, link)->not_before_ms = 0;
    sync_kick(s);
}

bool sync_resync(struct sync *s, int64_t folder_pk, struct err *err)
{
    struct sync_folder *f = find(s, folder_pk);
    if (!f || s->stopped)
        return err_set(err, ERR_NOT_FOUND, "the folder is not synchronised");
    if (s->current == f) { /* a page that continues from the old sync state must not be applied any more */
        op_cancel(&s->page_op);
        s->current = NULL;
    }
    if (!store_resync(s->account->store, folder_pk, err))
        return false;
    f->dirty = f->hinted = true;
    f->stale = f->failures = 0;
    f->not_before_ms = 0;
    sync_kick(s);
    return true;
}

void sync_look(struct sync *s, struct sync_look *ret)
{
    uint64_t now = time_mono_ms(), latest = s->listed_ms;
    *ret = (struct sync_look){.current = s->current ? s->current->pk : 0,
                              .listed = s->hierarchy_known,
                              .watching = s->watch_op != NULL,
                              .pushes_all = pushes_all(s),
                              .watched = s->watch_op ? s->watched : 0,
                              .failures = s->failures,
                              .looked_ago_ms = UINT64_MAX};
    LIST_EACH (&s->folders, l) {
        const struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        ret->folders++;
        ret->complete += f->synced;
        ret->dirty += f->dirty;
        latest = f->synced_ms > latest ? f->synced_ms : latest;
    }
    if (latest)
        ret->looked_ago_ms = now - latest;
    if (s->failures && s->not_before_ms > now)
        ret->retry_in_ms = s->not_before_ms - now;
}
