/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/store_calendar.h"
#include "bridge/sync.h"

#define FOLDER_DEPTH_MAX 64

struct waiter {
    struct list link;
    struct account *account;
    waiter_cb *cb;
    void *ud;
    struct deferred later; /* the answer is known already: */
    struct err err;
};

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_later(void *ud)
{
    struct waiter *w = ud;
    waiter_cb *cb = w->cb;
    void *who = w->ud;
    struct err err = w->err;
    mem_free(w);
    cb(who, &err);
}

struct waiter *account_wait_folders(struct account *a, waiter_cb *cb, void *ud)
{
    struct waiter *w = MEM_NEW(struct waiter);
    w->account = a;
    w->cb = cb;
    w->ud = ud;
    list_init(&w->link);
    deferred_init(&w->later, on_later, w);
    if (!a->folders_known && !sync_retry(a->sync)) /* nobody is going to ask the server now */
        w->err = a->health;
    if (a->folders_known || w->err.code != ERR_NONE)
        loop_defer(a->loop, &w->later);
    else
        list_append(&a->waiters, &w->link);
    return w;
}

void account_poke_folders(struct account *a)
{
    if (!a->wiped)
        sync_want_folders(a->sync, SYNC_NOOP_MS);
}

void waiter_cancel(struct waiter **w)
{
    if (!*w)
        return;
    loop_defer_cancel(&(*w)->later);
    list_remove(&(*w)->link);
    mem_free(*w);
    *w = NULL;
}

void account_wake_waiters(struct account *a, const struct err *err)
{
    struct list woken;
    list_init(&woken);
    while (!list_empty(&a->waiters)) { /* a callback may wait again */
        struct list *l = a->waiters.next;
        list_remove(l);
        list_append(&woken, l);
    }
    while (!list_empty(&woken)) {
        struct waiter *w = LIST_ITEM(woken.next, struct waiter, link);
        waiter_cb *cb = w->cb;
        void *who = w->ud;
        list_remove(&w->link);
        mem_free(w);
        cb(who, err);
    }
}

/* --- the list --------------------------------------------------------------------------------- */

static const struct store_folder *by_server_id(const struct store_folder *list, size_t n, struct str id)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].server_id, id))
            return &list[i];
    return NULL;
}

/* Is its parent not listed, or does the way up come back to it? */
static bool is_adrift(const struct store_folder *list, size_t n, const struct store_folder *f)
{
    const struct store_folder *at = f;
    for (size_t steps = 0; steps < FOLDER_DEPTH_MAX; steps++) {
        if (at->parent_id.n == 0 || at->use == USE_INBOX)
            return false;
        at = by_server_id(list, n, at->parent_id);
        if (!at || at == f)
            return at == f || steps == 0;
    }
    return false; /* it is below a loop, which another one opens */
}

static bool is_top_label(const struct store_folder *list, size_t n, const struct store_folder *but, struct str label)
{
    if (str_case_is(label, "INBOX"))
        return true;
    for (size_t i = 0; i < n; i++)
        if (&list[i] != but && list[i].parent_id.n == 0 && str_case_eq(list[i].label, label))
            return true;
    return false;
}

/* Those are shown at the top, with what is below them; under a name that nothing else has, and that stays. */
static size_t moor(struct store_folder *list, size_t n, struct arena *arena)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct store_folder *f = &list[i];
        if (f->hidden || !is_adrift(list, n, f))
            continue;
        while (is_top_label(list, n, f, f->label))
            f->label = arena_printf(arena, "%.*s (%lld)", STR_ARG(f->label), (long long)f->pk);
        f->parent_id = STR_NULL;
        count++;
    }
    return count;
}

/* Path from the labels of the folder and those above it; INBOX's children stay under INBOX. */
static bool path_of(const struct store_folder *list, size_t n, const struct store_folder *f, struct buf *out)
{
    const struct store_folder *chain[FOLDER_DEPTH_MAX];
    size_t depth = 0;
    for (; f && depth < FOLDER_DEPTH_MAX; f = f->parent_id.n ? by_server_id(list, n, f->parent_id) : NULL) {
        chain[depth++] = f;
        if (f->use == USE_INBOX)
            break;
    }
    if (depth == FOLDER_DEPTH_MAX)
        return false; /* nobody can type it */
    while (depth-- > 0) {
        buf_str(out, chain[depth]->label);
        if (depth)
            buf_byte(out, '/');
    }
    return true;
}

static bool is_mail(const struct store_folder *f)
{
    return f->kind == FOLDER_MAIL && !f->hidden;
}

static int compare(const void *a, const void *b)
{
    const struct folder *x = *(struct folder *const *)a, *y = *(struct folder *const *)b;
    bool ix = str_is(x->name, "INBOX"), iy = str_is(y->name, "INBOX");
    return ix != iy ? (ix ? -1 : 1) : str_cmp(x->name, y->name);
}

static bool contains(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static bool holds_mail(const struct store_folder *list, size_t n, const struct store_folder *parent, unsigned depth)
{
    for (size_t i = 0; depth < FOLDER_DEPTH_MAX && i < n; i++)
        if (str_eq(list[i].parent_id, parent->server_id) &&
            (is_mail(&list[i]) || holds_mail(list, n, &list[i], depth + 1)))
            return true;
    return false;
}

static struct folder *make(struct account *a, struct arena *arena, const struct store_folder *list, size_t n,
                           const struct store_folder *f)
{
    struct buf path = {0};
    struct folder *to = NULL;
    bool selectable = is_mail(f);
    if ((selectable || (!f->hidden && holds_mail(list, n, f, 0))) && path_of(list, n, f, &path)) {
        to = ARENA_NEW(arena, struct folder);
        *to = (struct folder){
            .pk = f->pk,
            .server_id = arena_str(arena, f->server_id),
            .name = arena_str(arena, buf_view(&path)),
            .use = f->use,
            .selectable = selectable,
            .subscribed = selectable,
            .uidvalidity = selectable ? f->uidvalidity : 0,
        };
    }
    buf_done(&path);
    (void)a;
    return to;
}

static void mark_children(struct folder **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n && !list[i]->has_children; j++)
            list[i]->has_children = list[j]->name.n > list[i]->name.n + 1 && list[j]->name.p[list[i]->name.n] == '/' &&
                                    str_starts(list[j]->name, list[i]->name);
}

static bool apply_subscriptions(struct account *a, struct arena *arena, struct folder **list, size_t n, struct err *err)
{
    struct str *yes = NULL, *no = NULL;
    size_t yes_n = 0, no_n = 0;
    if (!store_subscriptions(a->store, true, arena, &yes, &yes_n, err) ||
        !store_subscriptions(a->store, false, arena, &no, &no_n, err))
        return false;
    a->lost = arena_array(arena, yes_n + 1, sizeof(*a->lost));
    a->lost_count = 0;
    for (size_t i = 0; i < n; i++)
        if (contains(no, no_n, list[i]->name))
            list[i]->subscribed = false;
    for (size_t k = 0; k < yes_n; k++) {
        size_t i = 0;
        while (i < n && !str_eq(list[i]->name, yes[k]))
            i++;
        if (i < n)
            list[i]->subscribed = true;
        else
            a->lost[a->lost_count++] = yes[k];
    }
    return true;
}

/* --- special uses that only we know of -------------------------------------------------------- */

#define USE_PROPERTY "exbridge:special-use"

static const struct {
    enum folder_use use;
    const char *name;
} own_uses[] = {{USE_JUNK, "junk"}, {USE_ARCHIVE, "archive"}}; /* every server has the others */

static void on_property(void *ud, struct str name, struct str value)
{
    for (size_t i = 0; str_is(name, USE_PROPERTY) && i < sizeof(own_uses) / sizeof(own_uses[0]); i++)
        if (str_is(value, own_uses[i].name))
            *(enum folder_use *)ud = own_uses[i].use;
}

static bool is_taken(struct folder *const *list, size_t n, enum folder_use use)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->use == use)
            return true;
    return false;
}

static bool apply_own_uses(struct account *a, struct folder **list, size_t n, struct err *err)
{
    if (is_taken(list, n, USE_JUNK) && is_taken(list, n, USE_ARCHIVE))
        return true;
    for (size_t i = 0; i < n; i++) {
        enum folder_use use = USE_NONE;
        if (list[i]->use != USE_NONE || !list[i]->selectable)
            continue;
        if (!store_properties(a->store, list[i]->pk, on_property, &use, err))
            return false;
        if (use == USE_NONE || is_taken(list, n, use))
            continue;
        list[i]->use = use;
        list[i]->own_use = true;
    }
    return true;
}

bool account_set_use(struct account *a, int64_t folder_pk, enum folder_use use, struct err *err)
{
    if (is_taken(a->folders, a->folder_count, use))
        return err_set(err, ERR_EXISTS, "there is a mailbox of this special use already");
    for (size_t i = 0; i < sizeof(own_uses) / sizeof(own_uses[0]); i++)
        if (own_uses[i].use == use)
            return store_property_put(a->store, folder_pk, STR(USE_PROPERTY), str_from(own_uses[i].name), err) &&
                   account_reload_folders(a, err);
    return err_set(err, ERR_UNSUPPORTED, "this special use is the server's to give");
}

bool account_reload_folders(struct account *a, struct err *err)
{
    struct arena scratch = {0}, arena = {0};
    struct store_folder *rows;
    size_t n, count = 0;
    if (!store_folders(a->store, &scratch, &rows, &n, err)) {
        arena_done(&scratch);
        return false;
    }
    size_t adrift = moor(rows, n, &scratch);
    if (adrift > a->adrift)
        log_warn("account", account_name(a),
                 "%zu folders have no way to the top (their parents are a loop, or are not "
                 "listed): they are shown there",
                 adrift);
    a->adrift = adrift;
    struct folder **list = mem_array(n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        struct folder *f = make(a, &arena, rows, n, &rows[i]);
        if (f)
            list[count++] = f;
    }
    arena_done(&scratch);
    qsort(list, count, sizeof(*list), compare);
    mark_children(list, count);
    if (!apply_own_uses(a, list, count, err) || !apply_subscriptions(a, &arena, list, count, err)) {
        mem_free(list);
        arena_done(&arena);
        return false;
    }
    account_folders_done(a);
    a->folder_arena = arena;
    a->folders = list;
    a->folder_count = count;
    a->folders_known = n > 0;
    return true;
}

void account_folders_done(struct account *a)
{
    arena_done(&a->folder_arena);
    mem_free(a->folders);
    a->folders = NULL;
    a->folder_count = 0;
}

const struct folder *const *account_folders(const struct account *a, size_t *ret_count)
{
    *ret_count = a->folder_count;
    return (const struct folder *const *)a->folders;
}

const struct folder *account_folder_by_name(const struct account *a, struct str name)
{
    bool inbox = str_case_is(name, "INBOX");
    struct str below = inbox ? STR_NULL : name;
    for (size_t i = 0; i < a->folder_count; i++) {
        struct str f = a->folders[i]->name;
        if (inbox ? str_is(f, "INBOX") : str_eq(f, below))
            return a->folders[i];
        /* RFC 9051 5.1: INBOX in any case, also as the first part of a path. */
        if (!inbox && f.n == name.n && f.n > 6 && str_case_starts(name, STR("INBOX/")) &&
            str_starts(f, STR("INBOX/")) && str_eq(str_skip(f, 6), str_skip(name, 6)))
            return a->folders[i];
    }
    return NULL;
}

const struct folder *account_folder_by_pk(const struct account *a, int64_t pk)
{
    for (size_t i = 0; i < a->folder_count; i++)
        if (a->folders[i]->pk == pk)
            return a->folders[i];
    return NULL;
}

bool account_subscribe(struct account *a, struct str name, bool subscribe, struct err *err)
{
    const struct folder *f = account_folder_by_name(a, name);
    return store_subscribe(a->store, f ? f->name : name, subscribe, err) && account_reload_folders(a, err);
}

const struct str *account_lost_subscriptions(const struct account *a, size_t *ret_count)
{
    *ret_count = a->lost_count;
    return a->lost;
}
