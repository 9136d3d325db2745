/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the configuration again while serving: what has not changed goes on undisturbed, a file with a mistake
 * changes nothing at all.
 */
#include <stdarg.h>
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/run/run.h"

/* --- configurations, the latest last ---------------------------------------------------------------------- */

static bool is_used(const struct program *p, const struct config *c)
{
    if (c == p->config)
        return true;
    LIST_EACH (&p->slots, l) {
        const struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        if (slot->config == c || (slot->closing && slot->next_config == c))
            return true;
    }
    LIST_EACH (&p->logins, l)
        if (LIST_ITEM(l, struct run_login, link)->config == c)
            return true;
    return false;
}

void run_drop_configs(struct program *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->config_count; i++) {
        if (is_used(p, p->configs[i]))
            p->configs[kept++] = p->configs[i];
        else
            config_free(&p->configs[i]);
    }
    p->config_count = kept;
}

/* --- what differs ------------------------------------------------------------------------------------------ */

static void add_name(struct buf *list, const char *name)
{
    buf_printf(list, list->n ? ", %s" : "%s", name);
}

static void note(struct run_changes *changes, const char *fmt, ...)
{
    struct err text;
    va_list ap;
    va_start(ap, fmt);
    err_vset(&text, ERR_INVALID, fmt, ap);
    va_end(ap);
    buf_printf(&changes->notes, "%s\n", text.text);
}

static const struct config_account *find(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->account_count; i++)
        if (strcmp(c->accounts[i].name, name) == 0)
            return &c->accounts[i];
    return NULL;
}

/* What an account is to become: of a change that is not through yet, its end counts. */
static const struct config_account *wanted(const struct run_account *slot)
{
    return slot->closing ? slot->next : slot->from;
}

static void change_accounts(struct program *p, struct run_changes *changes)
{
    struct config *c = p->config;
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        const struct config_account *next = find(c, slot->from->name), *now = wanted(slot);
        bool broken = !slot->account && !slot->closing; /* perhaps what was in the way is gone */
        if (!next && now) {
            add_name(&changes->removed, slot->from->name);
            run_change_account(p, slot, NULL, NULL);
        } else if (next && (!now || broken || !config_account_same(now, next))) {
            add_name(&changes->changed, slot->from->name);
            run_change_account(p, slot, c, next);
        }
    }
    for (size_t i = 0; i < c->account_count; i++) {
        struct run_account *slot = run_find_account(p, c->accounts[i].name);
        if (slot) { /* in the order of the file */
            list_remove(&slot->link);
            list_append(&p->slots, &slot->link);
            continue;
        }
        add_name(&changes->added, c->accounts[i].name);
        run_open_account(p, c, &c->accounts[i]);
    }
}

/* What cannot change under a running process. */
static bool check_fixed(const struct program *p, const struct config *next, struct buf *problems)
{
    const struct config_server *a = &p->config->server, *b = &next->server;
    if (strcmp(a->state_dir, b->state_dir) == 0 && strcmp(a->cache_dir, b->cache_dir) == 0 &&
        a->secret_store == b->secret_store)
        return true;
    buf_printf(problems, "%s: state-dir, cache-dir and secret-store cannot change while exbridge runs; restart it\n",
               next->path);
    return false;
}

static void apply(struct program *p, struct config *next, struct run_changes *changes)
{
    struct config *before = p->config;
    struct err err;
    p->configs = mem_realloc(p->configs, (p->config_count + 1) * sizeof(struct config *));
    p->configs[p->config_count++] = next;
    p->config = next;
    log_set_level(next->server.log_level);
    if (!run_load_certs(p, &err)) {
        note(changes, "%s; the certificate in use stays", err.text);
        log_error("certs", NULL, "%s", err.text);
    }
    if (!run_change_servers(p, &before->server, &err)) {
        note(changes, "%s; the listeners stay as they were", err.text);
        log_error("run", NULL, "%s; the listeners stay as they were", err.text);
    }
    if (!config_limits_same(&before->limits, &next->limits))
        note(changes, "[limits] count from the next start");
    run_reset_logins(p);
    change_accounts(p, changes);
    run_drop_configs(p);
}

bool run_reload(struct program *p, struct run_changes *ret)
{
    *ret = (struct run_changes){0};
    daemon_notify_reloading();
    struct config *next = config_load(p->config->path, &ret->problems);
    bool ok = next && check_fixed(p, next, &ret->problems);
    if (ok) {
        apply(p, next, ret);
        log_info("run", NULL, "configuration read again; accounts added: %s; removed: %s; changed: %s",
                 ret->added.n ? buf_z(&ret->added) : "none", ret->removed.n ? buf_z(&ret->removed) : "none",
                 ret->changed.n ? buf_z(&ret->changed) : "none");
    } else {
        config_free(&next);
        struct str rest = buf_view(&ret->problems), line;
        log_error("run", NULL, "the configuration has mistakes and was not taken over; it goes on as before");
        while (rest.n && str_cut(&rest, '\n', &line))
            log_error("run", NULL, "%.*s", STR_ARG(line));
    }
    daemon_notify("READY=1");
    return ok;
}

void run_changes_done(struct run_changes *c)
{
    buf_done(&c->added);
    buf_done(&c->removed);
    buf_done(&c->changed);
    buf_done(&c->notes);
    buf_done(&c->problems);
}
