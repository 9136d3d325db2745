/* SPDX-License-Identifier: Apache-2.0 */
/* Watching for changes, and the safety poll for what push does not promise. */
#include "bridge/base/log.h"
#include "bridge/base/time.h"
#include "bridge/sync_private.h"

#define PUSH_START_MS 30000 /* so long after a watch began push may still come to work */
#define PUSH_LOOK_MS  1000

static struct sync_folder *find_server(struct sync *s, struct str id)
{
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (str_eq(f->server_id, id))
            return f;
    }
    return NULL;
}

bool sync_pushes_all(const struct sync *s)
{
    return (s->account->backend->caps & CAP_PUSH_ALL) != 0;
}

static void mark(struct sync *s, struct sync_folder *f)
{
    f->again |= f == s->current;
    f->dirty = true;
}

void sync_mark_all(struct sync *s)
{
    LIST_EACH (&s->folders, l)
        mark(s, LIST_ITEM(l, struct sync_folder, link));
}

/* No event tells what happened until then: an answer to what was asked before may not have it. */
static void mark_missed(struct sync *s, uint64_t until_ms)
{
    s->hierarchy_dirty |= s->listing_asked_ms <= until_ms;
    LIST_EACH (&s->folders, l) {
        struct sync_folder *f = LIST_ITEM(l, struct sync_folder, link);
        if (f->asked_ms <= until_ms)
            mark(s, f);
    }
}

static void on_watch(void *ud, const struct reply *reply)
{
    struct sync *s = ud;
    s->watch_op = NULL;
    if (reply->err.code != ERR_NONE) {
        s->watch_failures++;
        s->watch_not_before_ms = time_mono_ms() + sync_back_off_ms(s->watch_failures, &reply->err);
        log_debug("sync", account_name(s->account), "watch: %s", reply->err.text);
        sync_schedule(s);
        return;
    }
    s->watch_failures = 0;
    s->hierarchy_dirty |= reply->watch.hierarchy;
    if (reply->watch.everything)
        mark_missed(s, reply->watch.missed_until_ms ? reply->watch.missed_until_ms : time_mono_ms());
    for (size_t i = 0; i < reply->watch.count; i++) {
        struct sync_folder *f = find_server(s, reply->watch.folder_ids[i]);
        if (!f) {
            s->hierarchy_dirty = true;
            continue;
        }
        mark(s, f);
    }
    sync_schedule(s);
}

void sync_start_watch(struct sync *s, uint64_t now, uint64_t *wake_ms)
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
            if (mine == r && (sync_pushes_all(s) || (f->synced && !f->dirty)))
                folders[n++] = (struct folder_ref){f->server_id, f->kind};
        }
    /* A new folder to watch is worth a new Ping; EWS watches everything anyway. */
    if (s->watch_op && !sync_pushes_all(s) && n > s->watched && !waiting)
        op_cancel(&s->watch_op);
    if (!s->watch_op && n && (sync_pushes_all(s) || !waiting)) {
        s->watched = n;
        s->watched_ms = now;
        s->watch_op = backend_watch(s->account->backend, folders, n, on_watch, s);
    }
    arena_done(&arena);
}

/* What changed between a folder's sync and the moment when push began to work is in neither: look once more then. */
void sync_follow_push(struct sync *s, uint64_t now, uint64_t *wake_ms)
{
    if (!sync_pushes_all(s)) {
        s->pushed = false;
        if (s->watch_op && now - s->watched_ms < PUSH_START_MS && now + PUSH_LOOK_MS < *wake_ms)
            *wake_ms = now + PUSH_LOOK_MS;
    } else if (s->watch_op && !s->pushed) {
        s->pushed = true;
        sync_mark_all(s);
        sync_schedule(s);
    }
}

static bool is_due_for_poll(uint64_t seen_ms, uint64_t now, uint64_t *wake_ms)
{
    uint64_t due = seen_ms + SYNC_POLL_MS;
    if (due > now && due < *wake_ms)
        *wake_ms = due;
    return due <= now;
}

void sync_mark_due(struct sync *s, uint64_t now, uint64_t *wake_ms)
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
