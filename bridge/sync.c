/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/sync.h"

#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/calendar_private.h"
#include "bridge/content_engine.h"
#include "bridge/sent_copy.h"
#include "bridge/sync_private.h"

#define RESYNC_MAX 3 /* invalid sync states in a row before a folder is left alone for a while */

void sync_schedule(struct sync *s)
{
    if (!s->stopped)
        loop_defer(s->account->loop, &s->turn);
}

/* --- folders ---------------------------------------------------------------------------------- */

struct sync_folder *sync_find(struct sync *s, int64_t pk)
{
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (f->pk == pk)
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
        struct sync_folder *f = sync_find(s, rows[i].pk);
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
    sync_schedule(s);
}

/* --- errors ----------------------------------------------------------------------------------- */

uint64_t sync_back_off_ms(unsigned failures, const struct err *err)
{
    uint64_t asked = (uint64_t)err->retry_after_s * 1000;
    if (err->code == ERR_DISK)
        return SYNC_DISK_MS;
    /* Nothing is wrong with the account when a mailbox is too full to be read: it gets emptied. */
    if (!err_is_transient(err->code) && err->code != ERR_QUOTA)
        return asked ? asked : SYNC_STOPPED_MS;
    uint64_t ms = SYNC_RETRY_MIN_MS;
    for (unsigned i = 1; i < failures && ms < SYNC_RETRY_MAX_MS; i++)
        ms *= 2;
    if (ms > SYNC_RETRY_MAX_MS)
        ms = SYNC_RETRY_MAX_MS;
    ms = ms / 2 + rand_below(ms / 2 + 1); /* jitter: many clients of one server must not come back together */
    return ms > asked ? ms : asked;
}

static void account_trouble(struct sync *s, const struct err *err)
{
    s->failures++;
    s->failed_ms = time_mono_ms();
    s->not_before_ms = time_mono_ms() + sync_back_off_ms(s->failures, err);
    account_set_health(s->account, err);
    if (!s->account->folders_known)
        account_wake_waiters(s->account, err);
    wake_list(&s->listed_waits, err);
    wake_list(&s->listing_waits, err);
    LIST_EACH (&s->folders, l)
        wake(LIST_ITEM(l, struct sync_folder, link), err);
}

void sync_disk_failed(struct sync *s, const struct err *err)
{
    if (!s || s->stopped || err->code != ERR_DISK)
        return;
    s->disk_err = *err;
    sync_schedule(s);
}

/* The listing is what will tell that there is room again. */
static void tell_disk(struct sync *s)
{
    struct err err = s->disk_err;
    if (err.code == ERR_NONE)
        return;
    s->disk_err = (struct err){0};
    s->hierarchy_dirty = true;
    account_trouble(s, &err);
}

static void account_fine(struct sync *s)
{
    s->failures = 0;
    s->not_before_ms = 0;
    account_set_health(s->account, NULL);
}

/* --- the folder list -------------------------------------------------------------------------- */

static void folders_stale(struct sync *s, struct err *err)
{
    if (s->hierarchy_stale || !store_forget_hierarchy(s->account->store, err)) {
        account_trouble(s, err);
        return;
    }
    s->hierarchy_stale = true; /* once; a fresh cursor refused again is trouble */
    s->hierarchy_dirty = true;
    sync_schedule(s);
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
    sync_schedule(s);
}

/* --- one page of one folder ------------------------------------------------------------------- */

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
    else if ((!f->unread_ms || f->synced_ms - f->unread_ms >= SYNC_POLL_MS) && calendar_read_unread(s->account, f->pk))
        f->unread_ms = f->synced_ms;
}

static void page_applied(struct sync *s, struct sync_folder *f, const struct reply *reply,
                         const struct store_applied *done)
{
    f->failures = f->stale = 0;
    s->suspect_pk = 0;
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
    f->not_before_ms = time_mono_ms() + sync_back_off_ms(f->failures, err);
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
           code == ERR_TOO_BIG || code == ERR_QUOTA;
}

static bool is_account_error(enum err_code code)
{
    return code == ERR_AUTH || code == ERR_OFFLINE || code == ERR_THROTTLED || code == ERR_POLICY || code == ERR_DISK;
}

/* An answer that nobody can make sense of. It is the folder's, which waits while the others go on; when the next one
 * fails so too, it is the server's. */
static void strange_trouble(struct sync *s, struct sync_folder *f, const struct err *err)
{
    bool again = s->suspect_pk && s->suspect_pk != f->pk;
    s->suspect_pk = f->pk;
    folder_trouble(s, f, err);
    if (again)
        account_trouble(s, err);
}

static void on_page(void *ud, const struct reply *reply)
{
    struct sync *s = ud;
    struct sync_folder *f = s->current;
    struct err err = reply->err;
    struct store_applied done;
    s->page_op = NULL;
    s->current = NULL;
    sync_schedule(s);
    crash_point("sync.answered");
    if (err.code == ERR_NONE) {
        struct store_page page = {reply->items.list, reply->items.count, reply->items.cursor, reply->items.more, NULL};
        bool ok = f->kind == FOLDER_MAIL ? store_apply_page(s->account->store, f->pk, &page, f->announce, &done, &err)
                                         : calendar_take_page(s->account, f->pk, reply, f->announce, &done, &err);
        crash_point("sync.stored");
        if (ok)
            page_applied(s, f, reply, &done);
        else if (err.code == ERR_DISK)
            sync_disk_failed(s, &err);
        else
            folder_trouble(s, f, &err);
    } else if (err.code == ERR_STALE) {
        folder_stale(s, f, &err);
    } else if (err.code == ERR_NOT_FOUND) {
        s->hierarchy_dirty = true; /* it will tell that the folder is gone */
        folder_trouble(s, f, &err);
    } else if (is_folder_error(err.code)) {
        folder_trouble(s, f, &err);
    } else if (is_account_error(err.code)) {
        account_trouble(s, &err);
    } else {
        strange_trouble(s, f, &err);
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
        if (!f->dirty || (f->kind != FOLDER_MAIL && calendar_write_under_way(s->account, f->pk)))
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

static bool is_known(void *ud, struct str id, struct str change)
{
    struct sync *s = ud;
    struct err ignored = {0}; /* then it is listed, and that is written down with its page */
    return store_event_is_version(s->account->store, s->current->pk, id, change) &&
           store_sync_told(s->account->store, s->current->pk, id, &ignored);
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
        f->asked_ms = time_mono_ms();
        s->page_op = f->kind == FOLDER_MAIL
                         ? backend_sync(s->account->backend, f->server_id, buf_view(&cursor), on_page, s)
                         : backend_sync_events(s->account->backend, f->server_id, f->kind, buf_view(&cursor), is_known,
                                               on_page, s);
    }
    buf_done(&cursor);
}

/* --- the engine ------------------------------------------------------------------------------- */

static void on_turn(void *ud)
{
    struct sync *s = ud;
    uint64_t now = time_mono_ms(), wake_ms = now + SYNC_POLL_MS;
    if (s->stopped)
        return;
    tell_disk(s);
    sync_mark_due(s, now, &wake_ms);
    if (s->not_before_ms > now) {
        wake_ms = s->not_before_ms < wake_ms ? s->not_before_ms : wake_ms;
    } else {
        if (s->hierarchy_dirty && !s->folders_op) {
            struct buf cursor = BUF_INIT(BACKEND_CURSOR_MAX);
            store_hierarchy_cursor(s->account->store, &cursor);
            s->hierarchy_dirty = false;
            s->listing_asked_ms = now;
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
        sync_start_watch(s, now, &wake_ms);
        sync_follow_push(s, now, &wake_ms);
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
    sync_schedule(s);
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
    sync_schedule(s);
}
