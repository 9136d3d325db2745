/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/account.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/account_private.h"
#include "bridge/base/file.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/cache_file.h"
#include "bridge/calendar_private.h"
#include "bridge/content_engine.h"
#include "bridge/secrets.h"
#include "bridge/sync.h"

#define SWEEP_MS    (60 * 1000)
#define SWEEP_ITEMS 500 /* dropped items a sweep: short transactions */

/* --- host services of the backend ------------------------------------------------------------- */

static bool host_put(void *ud, struct str key, struct str value, struct err *err)
{
    struct account *a = ud;
    return store_persist_put(a->store, key, value, err);
}

static bool host_get(void *ud, struct str key, struct buf *out)
{
    struct account *a = ud;
    return store_persist_get(a->store, key, out);
}

static bool host_cursor(void *ud, struct str folder_id, struct buf *out)
{
    struct account *a = ud;
    if (folder_id.n == 0)
        return store_hierarchy_cursor(a->store, out) && out->n > 0;
    return store_cursor_by_id(a->store, folder_id, out);
}

static void marker_path(const struct account *a, struct buf *out)
{
    buf_printf(out, "%s/wiped", a->opts.state_dir);
}

static void key_record(const struct account *a, struct buf *out)
{
    buf_printf(out, "cache-%s", account_name(a));
}

/* Whatever copy of the cache there may be is worthless without it. */
static void forget_key(struct account *a)
{
    struct buf record = {0};
    key_record(a, &record);
    if (a->opts.secrets)
        secrets_remove(a->opts.secrets, buf_z(&record));
    buf_done(&record);
}

/* MS-ASPROV 3.1.5.2: destroy what came from the server. The marker comes first and outlives a crash; what it finds is
 * erased at the next start. Nothing outside the account's own two directories is touched. */
static void host_wipe(void *ud, const char *why)
{
    struct account *a = ud;
    struct buf path = {0};
    marker_path(a, &path);
    int fd = open(buf_z(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        struct buf text = {0};
        buf_printf(&text, "%s ", why);
        time_add_iso(&text, time_wall_s());
        buf_byte(&text, '\n');
        if (write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) != 0)
            log_error("account", account_name(a), "writing %s: %s", buf_z(&path), strerror(errno));
        buf_done(&text);
        close(fd);
    }
    buf_done(&path);
    a->wiped = true;
    log_error("account", account_name(a), "wiped by order of the server (%s): local state and cache are destroyed",
              why);
    struct err err = {0};
    err_set(&err, ERR_POLICY, "wiped by the administrator: %s", why);
    account_set_health(a, &err);
    /* We may be inside one of their ops, which still has to acknowledge the order: they stop, but are freed with the
     * account. */
    sync_stop(a->sync);
    content_engine_stop(a->content);
    LIST_EACH (&a->mailboxes, l)
        mailbox_folder_gone(mailbox_of_link(l));
    account_folders_done(a);
    a->folders_known = false;
    cache_destroy(a->cache);
    store_destroy(a->store);
    forget_key(a);
}

static void host_health(void *ud, const struct err *err)
{
    account_set_health(ud, err);
}

void account_set_health(struct account *a, const struct err *err)
{
    static const struct err fine;
    if (!err)
        err = &fine;
    if (a->wiped && err->code != ERR_POLICY)
        return;
    bool news = a->health.code != err->code;
    a->health = *err;
    if (err->code == ERR_NONE)
        account_ask_limit(a);
    if (err->code != ERR_NONE) {
        a->trouble = *err;
        a->trouble_s = time_wall_s();
    }
    if (!news)
        return;
    if (err->code == ERR_NONE)
        log_info("account", account_name(a), "connected");
    else if (err_is_transient(err->code))
        log_warn("account", account_name(a), "%s", err->text);
    else
        log_error("account", account_name(a), "%s", err->text);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* encrypt = yes: one key an account. One that is there and cannot be read is never replaced: things are sealed with it
 * that exist nowhere else. */
static bool load_key(const struct account *a, unsigned char key[CRYPTO_KEY_SIZE], struct err *err)
{
    struct secrets *secrets = a->opts.secrets;
    struct buf record = {0}, stored = {0};
    key_record(a, &record);
    enum secrets_result result = secrets_get(secrets, buf_z(&record), &stored, err);
    if (result == SECRETS_NONE) {
        rand_bytes(key, CRYPTO_KEY_SIZE);
        result = secrets_put(secrets, buf_z(&record), str_of(key, CRYPTO_KEY_SIZE), err);
    } else if (result == SECRETS_OK && stored.n == CRYPTO_KEY_SIZE) {
        memcpy(key, stored.p, CRYPTO_KEY_SIZE);
    } else if (result == SECRETS_OK) {
        err_set(err, ERR_INVALID, "%s: not a key", buf_z(&record));
        result = SECRETS_FAILED;
    }
    if (result == SECRETS_WAIT)
        err_set(err, ERR_OFFLINE, "waiting for the keyring");
    buf_done(&record);
    buf_wipe(&stored);
    return result == SECRETS_OK;
}

static bool open_state(struct account *a, struct err *err)
{
    bool rebuilt = false;
    if (!file_make_dirs(a->opts.state_dir, err) || !file_make_dirs(a->opts.cache_dir, err))
        return false;
    a->store = store_open(a->opts.state_dir, &rebuilt, err);
    if (!a->store)
        return false;
    if (rebuilt)
        log_error("store", account_name(a),
                  "state.db was damaged and is kept aside; begun anew with a higher UIDVALIDITY");
    unsigned char key[CRYPTO_KEY_SIZE];
    if (a->opts.encrypt && !load_key(a, key, err))
        return false;
    a->cache = cache_open(a->loop, a->opts.cache_dir, store_epoch(a->store), a->opts.encrypt ? key : NULL,
                          a->opts.cache_limit, err);
    mem_wipe(key, sizeof(key));
    return a->cache != NULL;
}

static bool open_backend(struct account *a, struct err *err)
{
    struct backend_config *c = &a->opts.backend_config;
    c->loop = a->loop;
    c->tmp_dir = cache_tmp_dir(a->cache);
    c->zone = calendar_zone().p;
    c->host = (struct backend_host){a, host_put, host_get, host_wipe, host_health, host_cursor};
    a->backend = a->opts.backend->open(c, err);
    return a->backend != NULL;
}

static void on_sweep(void *ud)
{
    struct account *a = ud;
    int64_t pks[SWEEP_ITEMS];
    mailbox_sweep(a, false);
    size_t n = a->wiped ? 0 : store_dropped(a->store, pks, SWEEP_ITEMS);
    for (size_t i = 0; i < n; i++)
        cache_drop(a->cache, pks[i]);
    struct err err = {0};
    if (n && !store_dropped_done(a->store, pks, n, &err))
        log_warn("store", account_name(a), "%s", err.text);
    timer_start(a->sweep, n == SWEEP_ITEMS ? 1000 : SWEEP_MS);
}

static void account_close(struct account *a)
{
    timer_free(&a->sweep);
    account_login_done(a);
    calendar_writes_done(a);
    account_quota_done(a);
    changes_done(a);
    calendar_mail_free(&a->calendar_mail);
    calendar_unread_free(&a->calendar_unread);
    calendar_own_free(&a->calendar_own);
    submits_done(a);
    sync_free(&a->sync);
    content_engine_free(&a->content);
    mailbox_sweep(a, true);
    if (a->backend)
        a->backend->ops->close(a->backend);
    account_folders_done(a);
    cache_close(&a->cache);
    store_close(&a->store);
    mem_free(a);
}

static bool was_wiped(const struct account *a)
{
    struct buf path = {0};
    marker_path(a, &path);
    bool there = access(buf_z(&path), F_OK) == 0;
    buf_done(&path);
    return there;
}

/* A tombstone: signs nobody in, says why. Finishes what a crash may have interrupted. */
static bool open_wiped(struct account *a)
{
    a->wiped = true;
    err_set(&a->health, ERR_POLICY,
            "wiped by the administrator; to use the account again remove %s/wiped and sign in anew", a->opts.state_dir);
    store_remove_files(a->opts.state_dir);
    cache_file_remove_tree(a->opts.cache_dir);
    forget_key(a);
    log_error("account", account_name(a), "%s", a->health.text);
    return true;
}

static bool start(struct account *a, struct err *err)
{
    if (was_wiped(a))
        return open_wiped(a);
    if (!open_state(a, err) || !open_backend(a, err) || !account_reload_folders(a, err))
        return false;
    a->calendar_own = calendar_own_new(a);
    a->content = content_engine_new(a);
    a->sync = sync_new(a);
    changes_start(a);
    if (a->opts.calendars) {
        a->calendar_mail = calendar_mail_new(a);
        calendar_moves_go_on(a, 0);
    }
    a->sweep = timer_new(a->loop, on_sweep, a);
    timer_start(a->sweep, SWEEP_MS);
    return true;
}

struct account *account_open(struct accounts *all, const struct account_opts *opts, struct err *err)
{
    struct account *a = MEM_NEW(struct account);
    a->all = all;
    a->loop = all->loop;
    a->opts = *opts;
    list_init(&a->waiters);
    list_init(&a->mailboxes);
    list_init(&a->changes);
    list_init(&a->receipts);
    list_init(&a->quota_waits);
    list_init(&a->submits);
    list_init(&a->calendar_writes);
    list_init(&a->logins);
    if (!start(a, err)) {
        err_prefix(err, "account \"%s\": ", opts->name);
        account_close(a);
        return NULL;
    }
    all->list = mem_realloc(all->list, (all->count + 1) * sizeof(struct account *));
    all->list[all->count++] = a;
    return a;
}

void account_shut(struct account *a)
{
    a->shut = true;
}

bool account_is_idle(const struct account *a)
{
    return list_empty(&a->changes) && list_empty(&a->submits) && a->login_count == 0;
}

void account_remove(struct account **account)
{
    struct account *a = *account;
    struct accounts *all = a->all;
    *account = NULL;
    size_t i = 0;
    while (all->list[i] != a)
        i++;
    memmove(&all->list[i], &all->list[i + 1], (all->count - i - 1) * sizeof(struct account *));
    all->count--;
    account_close(a);
}

struct accounts *accounts_new(struct loop *loop)
{
    struct accounts *all = MEM_NEW(struct accounts);
    all->loop = loop;
    rand_bytes(all->salt, sizeof(all->salt));
    return all;
}

void accounts_on_closed(struct accounts *all, accounts_closed_fn *fn, void *ud)
{
    all->closed = fn;
    all->closed_ud = ud;
}

void accounts_free(struct accounts **a)
{
    if (!*a)
        return;
    for (size_t i = 0; i < (*a)->count; i++)
        account_close((*a)->list[i]);
    mem_free((*a)->list);
    mem_free(*a);
    *a = NULL;
}

/* --- questions -------------------------------------------------------------------------------- */

size_t accounts_count(const struct accounts *a)
{
    return a->count;
}

struct account *accounts_at(const struct accounts *a, size_t i)
{
    return a->list[i];
}

const char *account_name(const struct account *a)
{
    return a->opts.name;
}

struct loop *account_loop(const struct account *a)
{
    return a->loop;
}

const char *account_tmp_dir(const struct account *a)
{
    return a->cache ? cache_tmp_dir(a->cache) : "/tmp";
}

bool account_exact_size(const struct account *a)
{
    return a->opts.exact_size;
}

unsigned account_caps(const struct account *a)
{
    return a->backend ? a->backend->caps : 0;
}

bool account_can_write(const struct account *a)
{
    return a->backend && a->backend->ops->flag;
}

const struct backend_limits *account_limits(const struct account *a)
{
    static const struct backend_limits none;
    return a->backend ? &a->backend->limits : &none;
}

const struct err *account_health(const struct account *a)
{
    return &a->health;
}
