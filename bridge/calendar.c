/* SPDX-License-Identifier: Apache-2.0 */
/* Collections and what can be read of them without asking the server. */
#include "bridge/calendar.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/calendar_private.h"
#include "bridge/change_private.h"
#include "bridge/formats/timezone.h"
#include "bridge/sync.h"

#define DISPLAYNAME "{DAV:}displayname"

/* --- who and where
 * ---------------------------------------------------------------------------------------------------- */

const char *account_email(const struct account *a)
{
    return a->opts.email;
}

struct str calendar_zone(void)
{
    static char name[TZ_NAME_MAX + 1];
    char target[512];
    if (name[0])
        return str_from(name);
    const char *tz = getenv("TZ");
    struct str found = str_from(tz && *tz == ':' ? tz + 1 : tz);
    if (!tz || !*tz || !tz_by_name(found)) {
        ssize_t n = readlink("/etc/localtime", target, sizeof(target) - 1);
        found = n > 0 ? str_of(target, (size_t)n) : STR_NULL;
        size_t at = str_find(found, STR("/zoneinfo/"));
        found = at == (size_t)-1 ? STR_NULL : str_skip(found, at + strlen("/zoneinfo/"));
    }
    const struct tz *z = tz_by_name(found);
    struct str known = z ? tz_name(z) : STR_NULL;
    if (known.n == 0)
        known = STR("UTC");
    memcpy(name, known.p, known.n < TZ_NAME_MAX ? known.n : TZ_NAME_MAX);
    return str_from(name);
}

struct ical_options calendar_options(const struct account *a)
{
    const struct str *me;
    size_t count = account_addresses(a, &me);
    return (struct ical_options){.zone = calendar_zone(),
                                 .me = me,
                                 .me_count = count,
                                 .coarse = (account_caps(a) & CAP_COARSE) != 0,
                                 .cancels_meetings = true};
}

/* --- collections
 * ---------------------------------------------------------------------------------------------------------- */

static bool is_ours(const struct account *a, const struct store_folder *f)
{
    unsigned caps = account_caps(a);
    return !f->hidden &&
           ((f->kind == FOLDER_CALENDAR && caps & CAP_CALENDAR) || (f->kind == FOLDER_TASKS && caps & CAP_TASKS));
}

/* A calendar that was deleted lies in Deleted Items. */
static bool in_trash(const struct store_folder *list, size_t n, const struct store_folder *f)
{
    struct str parent = f->parent_id;
    for (size_t depth = 0; parent.n && depth < 64; depth++) {
        size_t i = 0;
        while (i < n && !str_eq(list[i].server_id, parent))
            i++;
        if (i == n)
            return false;
        if (list[i].use == USE_TRASH)
            return true;
        parent = list[i].parent_id;
    }
    return false;
}

bool calendar_folder(struct account *a, int64_t pk, struct arena *arena, struct store_folder *ret)
{
    struct store_folder *list;
    size_t n;
    if (a->wiped || !store_folders(a->store, arena, &list, &n, NULL))
        return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].pk == pk && is_ours(a, &list[i])) {
            *ret = list[i];
            return true;
        }
    return false;
}

struct find_prop {
    const char *name;
    struct arena *arena;
    struct str value;
};

static void on_prop(void *ud, struct str name, struct str value)
{
    struct find_prop *f = ud;
    if (str_is(name, f->name))
        f->value = arena_str(f->arena, value);
}

static void describe(struct account *a, const struct store_folder *f, bool is_default, struct arena *arena,
                     struct calendar *c)
{
    struct find_prop name = {DISPLAYNAME, arena, STR_NULL};
    struct store_counts counts = {0};
    *c = (struct calendar){
        .pk = f->pk, .name = f->name, .kind = f->kind, .is_default = is_default, .validity = f->uidvalidity};
    if (!store_collection_segment(a->store, f->pk, arena, &c->segment))
        c->segment = arena_printf(arena, "%s-%lld", f->kind == FOLDER_TASKS ? "tasks" : "calendar", (long long)f->pk);
    store_properties(a->store, f->pk, on_prop, &name, NULL);
    if (name.value.n)
        c->name = name.value;
    if (store_counts(a->store, f->pk, &counts, NULL))
        c->revision = counts.modseq;
    c->synced = f->synced && f->shown;
    c->read_only = !a->backend->ops->event_put;
}

bool calendar_list(struct account *a, struct arena *arena, struct calendar **ret_list, size_t *ret_count,
                   struct err *err)
{
    struct store_folder *folders;
    size_t n, count = 0;
    bool seen[2] = {false, false}; /* the first of each kind at the top level is the account's own */
    *ret_list = NULL;
    *ret_count = 0;
    if (a->wiped) {
        if (err)
            *err = a->health;
        return false;
    }
    if (!store_folders(a->store, arena, &folders, &n, err))
        return false;
    struct calendar *list = arena_array(arena, n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        if (!is_ours(a, &folders[i]) || in_trash(folders, n, &folders[i]))
            continue;
        bool *own = &seen[folders[i].kind == FOLDER_TASKS];
        describe(a, &folders[i], !*own, arena, &list[count++]);
        *own = true;
    }
    *ret_list = list;
    *ret_count = count;
    return true;
}

bool calendar_find(struct account *a, struct str segment, struct arena *arena, struct calendar *ret)
{
    struct calendar *list;
    size_t n;
    if (!calendar_list(a, arena, &list, &n, NULL))
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].segment, segment)) {
            *ret = list[i];
            return true;
        }
    return false;
}

/* --- waiting for the first sync
 * ------------------------------------------------------------------------------------------------ */

struct calendar_wait {
    struct account *account;
    struct sync_wait *wait;
    struct deferred later;
    struct err err;
    waiter_cb *cb;
    void *ud;
};

static void wait_end(struct calendar_wait *w)
{
    waiter_cb *cb = w->cb;
    void *ud = w->ud;
    struct err err = w->err;
    mem_free(w);
    cb(ud, &err);
}

static void on_ready(void *ud)
{
    wait_end(ud);
}

static void on_synced(void *ud, const struct err *err)
{
    struct calendar_wait *w = ud;
    w->wait = NULL;
    w->err = *err;
    wait_end(w);
}

struct calendar_wait *calendar_wait(struct account *a, int64_t pk, waiter_cb *cb, void *ud)
{
    struct calendar_wait *w = MEM_NEW(struct calendar_wait);
    struct arena arena = {0};
    struct store_folder f = {0};
    w->account = a;
    w->cb = cb;
    w->ud = ud;
    deferred_init(&w->later, on_ready, w);
    if (!calendar_folder(a, pk, &arena, &f)) {
        err_set(&w->err, ERR_NOT_FOUND, "there is no such calendar");
    } else if (f.synced && f.shown) {
        sync_want(a->sync, pk, SYNC_NOOP_MS);
    } else {
        w->wait = sync_wait(a->sync, pk, on_synced, w);
        if (!w->wait)
            w->err = *account_health(a);
    }
    arena_done(&arena);
    if (!w->wait)
        loop_defer(a->loop, &w->later);
    return w;
}

void calendar_wait_cancel(struct calendar_wait **w)
{
    if (!*w)
        return;
    sync_wait_cancel(&(*w)->wait);
    loop_defer_cancel(&(*w)->later);
    mem_free(*w);
    *w = NULL;
}

/* --- properties
 * ---------------------------------------------------------------------------------------------------------------- */

struct collect_props {
    struct arena *arena;
    struct calendar_prop *list;
    size_t count;
};

static void on_any_prop(void *ud, struct str name, struct str value)
{
    struct collect_props *c = ud;
    if (c->count < CALENDAR_PROPS_MAX)
        c->list[c->count++] = (struct calendar_prop){arena_str(c->arena, name), arena_str(c->arena, value)};
}

bool calendar_props(struct account *a, int64_t pk, struct arena *arena, struct calendar_prop **ret_list,
                    size_t *ret_count, struct err *err)
{
    struct collect_props c = {arena, arena_array(arena, CALENDAR_PROPS_MAX, sizeof(struct calendar_prop)), 0};
    if (a->wiped || !store_properties(a->store, pk, on_any_prop, &c, err))
        return false;
    *ret_list = c.list;
    *ret_count = c.count;
    return true;
}

static void count_prop(void *ud, struct str name, struct str value)
{
    (void)name;
    (void)value;
    ++*(size_t *)ud;
}

bool calendar_set_props(struct account *a, int64_t pk, const struct calendar_prop *list, size_t count, struct err *err)
{
    size_t n = 0;
    if (a->wiped || !store_begin(a->store, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = (list[i].name.n <= 1024 && list[i].value.n <= CALENDAR_PROP_BYTES)
                 ? store_property_put(a->store, pk, list[i].name, list[i].value, err)
                 : err_set(err, ERR_TOO_BIG, "a property is too big");
    ok = ok && store_properties(a->store, pk, count_prop, &n, err);
    if (ok && n > CALENDAR_PROPS_MAX)
        ok = err_set(err, ERR_TOO_BIG, "too many properties");
    return store_end(a->store, ok, err);
}

/* --- resources
 * ------------------------------------------------------------------------------------------------------------------ */

static struct resource public_of(const struct store_resource *r)
{
    return (struct resource){.pk = r->pk,
                             .name = r->name,
                             .uid = r->ical_uid,
                             .revision = r->modseq,
                             .schedule = r->schedule,
                             .kind = r->kind,
                             .from = r->from,
                             .to = r->to,
                             .size = r->size};
}

struct each {
    resource_cb *cb;
    void *ud;
};

static bool on_resource(void *ud, const struct store_resource *r)
{
    struct each *e = ud;
    struct resource shown = public_of(r);
    return e->cb(e->ud, &shown);
}

bool calendar_resources(struct account *a, int64_t pk, uint64_t since, int64_t from, int64_t to, resource_cb *cb,
                        void *ud, struct err *err)
{
    struct each e = {cb, ud};
    return !a->wiped && store_resources(a->store, pk, since, from, to, on_resource, &e, err);
}

bool calendar_resource(struct account *a, int64_t pk, struct str name, struct arena *arena, struct resource *ret)
{
    struct store_resource r;
    if (a->wiped || !store_resource_by_name(a->store, pk, name, arena, &r))
        return false;
    *ret = public_of(&r);
    return true;
}

bool calendar_resource_by_uid(struct account *a, int64_t pk, struct str uid, struct arena *arena, struct resource *ret)
{
    struct store_resource r;
    if (a->wiped || !store_resource_by_uid(a->store, pk, uid, arena, &r))
        return false;
    *ret = public_of(&r);
    return true;
}

bool calendar_gone_since(struct account *a, int64_t pk, uint64_t since, struct arena *arena, struct str **ret_names,
                         size_t *ret_count, bool *ret_complete, struct err *err)
{
    return !a->wiped && store_resources_gone(a->store, pk, since, arena, ret_names, ret_count, ret_complete, err);
}

bool calendar_text(struct account *a, int64_t resource_pk, struct arena *arena, struct str *ret_text)
{
    return !a->wiped && calendar_rendering(a, resource_pk, CALENDAR_R_SERVED, arena, ret_text);
}

/* --- making and removing collections
 * ------------------------------------------------------------------------------------------ */

static void on_made_listed(void *ud, const struct err *err)
{
    struct change *c = ud;
    struct err failed = *err;
    struct calendar there;
    struct store_folder *list;
    size_t n = 0;
    c->wait = NULL;
    if (failed.code == ERR_NONE && store_folders(c->account->store, &c->arena, &list, &n, &failed))
        for (size_t i = 0; i < n; i++)
            if (str_eq(list[i].server_id, c->made_id))
                c->result.folder_pk = list[i].pk;
    if (failed.code == ERR_NONE && !c->result.folder_pk)
        err_set(&failed, ERR_PROTOCOL, "the server made the calendar, but does not list it");
    /* One that was deleted may have had the segment; nobody sees that one any more. */
    if (failed.code == ERR_NONE && calendar_find(c->account, c->segment, &c->arena, &there) &&
        there.pk != c->result.folder_pk)
        err_set(&failed, ERR_EXISTS, "there is a calendar of that name already");
    if (failed.code == ERR_NONE)
        store_collection_set(c->account->store, c->result.folder_pk, c->segment, &failed);
    change_end(c, failed.code == ERR_NONE ? NULL : &failed);
}

static void list_then(struct change *c, sync_wait_cb *cb)
{
    c->wait = sync_folders_again(c->account->sync, cb, c);
    if (!c->wait)
        change_end(c, account_health(c->account));
}

static void on_made(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    c->op = NULL;
    if (reply->err.code != ERR_NONE) {
        change_end(c, &reply->err);
        return;
    }
    c->made_id = arena_str(&c->arena, reply->created.id);
    list_then(c, on_made_listed);
}

static void make_step(struct change *c)
{
    struct calendar there;
    struct err err = {0};
    if (calendar_find(c->account, c->segment, &c->arena, &there)) {
        err_set(&err, ERR_EXISTS, "there is a calendar of that name already");
        change_end(c, &err);
        return;
    }
    c->op = backend_folder_create(c->account->backend, STR_NULL, c->name, c->kind, on_made, c);
}

struct change *calendar_create(struct account *a, struct str segment, struct str name, enum folder_kind kind,
                               void (*cb)(void *ud, const struct change_result *result), void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    c->segment = arena_str(&c->arena, segment);
    c->name = arena_str(&c->arena, name.n ? name : segment);
    c->kind = kind;
    change_begin(c, make_step);
    return c;
}

static void on_gone_listed(void *ud, const struct err *err)
{
    struct change *c = ud;
    c->wait = NULL;
    change_end(c, err->code == ERR_NONE ? NULL : err);
}

static void on_removed(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    c->op = NULL;
    if (reply->err.code != ERR_NONE && reply->err.code != ERR_NOT_FOUND)
        change_end(c, &reply->err);
    else
        list_then(c, on_gone_listed);
}

static void remove_step(struct change *c)
{
    struct calendar *list;
    size_t n;
    struct err err = {0};
    struct store_folder f;
    if (!calendar_list(c->account, &c->arena, &list, &n, &err)) {
        change_end(c, &err);
        return;
    }
    err_set(&err, ERR_NOT_FOUND, "there is no such calendar");
    for (size_t i = 0; i < n; i++)
        if (list[i].pk == c->folder_pk && list[i].is_default)
            err_set(&err, ERR_DENIED, "the account's own calendar cannot be deleted");
        else if (list[i].pk == c->folder_pk)
            err.code = ERR_NONE;
    if (err.code != ERR_NONE || !calendar_folder(c->account, c->folder_pk, &c->arena, &f))
        change_end(c, &err);
    else
        c->op = backend_folder_remove(c->account->backend, f.server_id, on_removed, c);
}

struct change *calendar_remove(struct account *a, int64_t pk, void (*cb)(void *ud, const struct change_result *result),
                               void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    c->folder_pk = pk;
    change_begin(c, remove_step);
    return c;
}

/* --- people
 * ------------------------------------------------------------------------------------------------------------------------
 */

static struct op *wiped(struct account *a, op_cb *cb, void *ud)
{
    return op_fail(a->loop, account_health(a), cb, ud);
}

struct op *calendar_free_busy(struct account *a, const struct str *addresses, size_t count, int64_t from, int64_t to,
                              op_cb *cb, void *ud)
{
    return a->wiped ? wiped(a, cb, ud) : backend_free_busy(a->backend, addresses, count, from, to, cb, ud);
}

struct op *calendar_attachment(struct account *a, struct str attachment_id, op_cb *cb, void *ud)
{
    return a->wiped ? wiped(a, cb, ud) : backend_event_attachment(a->backend, STR(""), attachment_id, cb, ud);
}
