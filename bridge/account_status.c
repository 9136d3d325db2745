/* SPDX-License-Identifier: Apache-2.0 */
/* What an account tells about itself, and what a person may have it do (status, resync, another network). */
#include "bridge/account_private.h"
#include "bridge/store_calendar.h"
#include "bridge/sync.h"

static size_t length(const struct list *list)
{
    size_t n = 0;
    LIST_EACH (list, l)
        n++;
    return n;
}

static const char *state_of(const struct account *a, const struct sync_look *look)
{
    static const char *const names[ERR_MAX] = {
        [ERR_AUTH] = "needs-login",    [ERR_DENIED] = "needs-admin", [ERR_POLICY] = "needs-admin",
        [ERR_THROTTLED] = "throttled", [ERR_OFFLINE] = "offline",    [ERR_PROTOCOL] = "offline",
        [ERR_DISK] = "disk",
    };
    if (a->wiped)
        return "wiped";
    if (a->health.code != ERR_NONE)
        return names[a->health.code] ? names[a->health.code] : "trouble";
    if (!look->listed)
        return "starting";
    return look->complete < look->folders ? "syncing" : "online";
}

static const char *push_of(const struct sync_look *look)
{
    if (!look->watching)
        return "poll";
    return look->pushes_all ? "push" : "push+poll";
}

void account_status(struct account *a, struct account_status *ret)
{
    struct sync_look look = {.looked_ago_ms = UINT64_MAX};
    if (a->sync && !a->wiped)
        sync_look(a->sync, &look);
    const struct folder *current = look.current ? account_folder_by_pk(a, look.current) : NULL;
    *ret = (struct account_status){
        .state = state_of(a, &look),
        .health = a->health,
        .trouble = a->trouble,
        .trouble_s = a->trouble_s,
        .folders = look.folders,
        .complete = look.complete,
        .behind = look.dirty,
        .current = current ? current->name : STR_NULL,
        .progress = current ? sync_progress(a->sync, look.current) : 0,
        .push = push_of(&look),
        .retry_in_ms = look.retry_in_ms,
        .looked_ago_ms = look.looked_ago_ms,
        .cache_bytes = a->cache && !a->wiped ? cache_bytes(a->cache) : 0,
        .cache_limit = a->opts.cache_limit,
        .cache_trouble = a->cache && !a->wiped ? *cache_trouble(a->cache) : (struct err){0},
        .changes = length(&a->changes),
        .submits = length(&a->submits),
    };
    if (a->store && !a->wiped) {
        struct arena arena = {0};
        struct store_held *held;
        ret->unread = store_unread(a->store, 0, STR_NULL, 0);
        ret->held = store_held(a->store, STR(STORE_HELD), &arena, &held);
        arena_done(&arena);
    }
    if (a->backend && !a->wiped && a->backend->ops->facts)
        a->backend->ops->facts(a->backend, &ret->facts);
}

void account_reconnect(struct account *a)
{
    if (a->wiped || !a->backend)
        return;
    if (a->backend->ops->reconnect)
        a->backend->ops->reconnect(a->backend);
    sync_reconnect(a->sync);
}

bool account_resync(struct account *a, int64_t folder_pk, struct err *err)
{
    if (a->wiped) {
        *err = a->health;
        return false;
    }
    if (folder_pk)
        return sync_resync(a->sync, folder_pk, err);
    size_t n;
    const struct folder *const *folders = account_folders(a, &n);
    if (!store_forget_hierarchy(a->store, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (folders[i]->selectable && !sync_resync(a->sync, folders[i]->pk, err))
            return false;
    sync_reconnect(a->sync);
    return true;
}

bool account_trace(struct account *a, const struct backend_trace *to, struct err *err)
{
    if (to && (a->wiped || !a->backend)) {
        *err = a->health;
        return false;
    }
    if (!to && !a->backend)
        return true;
    if (!a->backend->ops->trace)
        return err_set(err, ERR_UNSUPPORTED, "%s cannot be traced", a->backend->ops->name);
    a->backend->ops->trace(a->backend, to);
    return true;
}
