/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/run/run.h"

static void make_logins(struct program *p)
{
    const struct config *c = p->config;
    p->login_count = c->login_count + c->account_count;
    p->logins = mem_array(p->login_count, sizeof(struct login *));
    for (size_t i = 0; i < c->login_count; i++)
        p->logins[i] = config_login_open(p->loop, &c->logins[i], false);
    for (size_t i = 0; i < c->account_count; i++)
        if (c->accounts[i].login == &c->accounts[i].own)
            p->logins[c->login_count + i] =
                config_login_open(p->loop, &c->accounts[i].own, c->accounts[i].local_auth == CONFIG_LOCAL_PASSTHROUGH);
}

static struct login *login_of(struct program *p, size_t account)
{
    const struct config *c = p->config;
    const struct config_account *a = &c->accounts[account];
    return p->logins[a->login == &a->own ? c->login_count + account : (size_t)(a->login - c->logins)];
}

static bool open_account(struct program *p, size_t account, struct err *err)
{
    struct account_opts o =
        config_account_opts(p->config, &p->config->accounts[account], p->loop, login_of(p, account));
    return daemon_make_dir(o.state_dir, err) && daemon_make_dir(o.cache_dir, err) &&
           account_open(p->accounts, &o, err) != NULL;
}

void run_open_accounts(struct program *p)
{
    make_logins(p);
    p->accounts = accounts_new(p->loop);
    for (size_t i = 0; i < p->config->account_count; i++) {
        struct err err;
        if (open_account(p, i, &err))
            p->opened++;
        else
            log_error("account", p->config->accounts[i].name, "%s", err.text);
    }
}

void run_close_accounts(struct program *p)
{
    accounts_free(&p->accounts);
    for (size_t i = 0; i < p->login_count; i++)
        login_free(&p->logins[i]);
    mem_free(p->logins);
}
