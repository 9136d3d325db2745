/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/run/run.h"

/* --- logins: one for all accounts that name a [login] section ----------------------------------------- */

static struct run_login *login_for(struct program *p, struct config *config, const struct config_account *a)
{
    bool shared = a->login != &a->own;
    LIST_EACH (&p->logins, l) {
        struct run_login *login = LIST_ITEM(l, struct run_login, link);
        if (shared && login->from == a->login) {
            login->users++;
            return login;
        }
    }
    struct run_login *login = MEM_NEW(struct run_login);
    login->config = config;
    login->from = a->login;
    login->passthrough = a->local_auth == CONFIG_LOCAL_PASSTHROUGH;
    login->users = 1;
    login->login = config_login_open(p->loop, a->login, login->passthrough);
    list_append(&p->logins, &login->link);
    return login;
}

static void login_leave(struct run_login *login)
{
    if (--login->users)
        return;
    list_remove(&login->link);
    login_free(&login->login);
    mem_free(login);
}

void run_reset_logins(struct program *p)
{
    LIST_EACH (&p->logins, l)
        login_reset(LIST_ITEM(l, struct run_login, link)->login);
}

/* --- accounts ------------------------------------------------------------------------------------------ */

static void open_slot(struct program *p, struct run_account *slot)
{
    struct err *err = &slot->err;
    *err = (struct err){0};
    slot->login = login_for(p, slot->config, slot->from);
    struct account_opts o = config_account_opts(slot->config, slot->from, p->loop, slot->login->login);
    if (daemon_make_dir(o.state_dir, err) && daemon_make_dir(o.cache_dir, err))
        slot->account = account_open(p->accounts, &o, err);
    if (!slot->account)
        log_error("account", slot->from->name, "%s", err->text);
}

void run_open_accounts(struct program *p)
{
    p->accounts = accounts_new(p->loop);
    for (size_t i = 0; i < p->config->account_count; i++) {
        struct run_account *slot = MEM_NEW(struct run_account);
        slot->config = p->config;
        slot->from = &p->config->accounts[i];
        list_append(&p->slots, &slot->link);
        open_slot(p, slot);
    }
}

size_t run_accounts_open(const struct program *p)
{
    size_t n = 0;
    LIST_EACH (&p->slots, l)
        n += LIST_ITEM(l, struct run_account, link)->account != NULL;
    return n;
}

struct run_account *run_find_account(struct program *p, const char *name)
{
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        if (strcmp(slot->from->name, name) == 0)
            return slot;
    }
    return NULL;
}

void run_close_accounts(struct program *p)
{
    accounts_free(&p->accounts);
    while (!list_empty(&p->slots)) {
        struct run_account *slot = LIST_ITEM(p->slots.next, struct run_account, link);
        list_remove(&slot->link);
        login_leave(slot->login);
        mem_free(slot);
    }
}
