/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/run/run.h"

#define CLOSING_LOOK_MS 50
#define CLOSING_DROP_MS 5000 /* then clients that do not leave are cut off */
#define AGAIN_MS        (20 * 1000)

/* --- logins: one for all accounts that name a [login] section ----------------------------------------- */

static bool is_shared(const struct run_login *login)
{
    for (size_t i = 0; i < login->config->login_count; i++)
        if (&login->config->logins[i] == login->from)
            return true;
    return false;
}

static struct run_login *login_for(struct program *p, struct config *config, const struct config_account *a)
{
    bool shared = a->login != &a->own;
    LIST_EACH (&p->logins, l) {
        struct run_login *login = LIST_ITEM(l, struct run_login, link);
        if (shared && is_shared(login) && config_login_same(login->from, a->login)) {
            login->users++;
            return login;
        }
    }
    struct run_login *login = MEM_NEW(struct run_login);
    login->config = config;
    login->from = a->login;
    login->users = 1;
    login->login = config_login_open(config, a->login, p->loop, p->secrets);
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
    secrets_retry(p->secrets);
    LIST_EACH (&p->logins, l)
        login_reset(LIST_ITEM(l, struct run_login, link)->login);
}

/* --- accounts ------------------------------------------------------------------------------------------ */

/* What may be over by itself: its key is in the keyring, or the disk is full or failing. */
static bool waits(const struct run_account *slot)
{
    return !slot->account && !slot->closing && (slot->err.code == ERR_OFFLINE || slot->err.code == ERR_DISK);
}

static void open_slot(struct program *p, struct run_account *slot)
{
    struct err *err = &slot->err, before = slot->err;
    *err = (struct err){0};
    if (!slot->login) { /* once: the strings lie in the configuration's arena */
        slot->login = login_for(p, slot->config, slot->from);
        slot->opts = config_account_opts(slot->config, slot->from, p->loop, slot->login->login, p->secrets);
    }
    if (daemon_make_dir(slot->opts.state_dir, err) && daemon_make_dir(slot->opts.cache_dir, err))
        slot->account = account_open(p->accounts, &slot->opts, err);
    if (waits(slot)) {
        p->again_ms = time_mono_ms() + AGAIN_MS;
        timer_start(p->again_timer, AGAIN_MS);
    }
    if (slot->account || (err->code == before.code && strcmp(err->text, before.text) == 0))
        return;
    if (err->code == ERR_OFFLINE)
        log_warn("account", slot->from->name, "%s", err->text);
    else
        log_error("account", slot->from->name, "%s", err->text);
}

bool run_accounts_wait(const struct program *p)
{
    LIST_EACH (&p->slots, l)
        if (waits(LIST_ITEM(l, struct run_account, link)))
            return true;
    return false;
}

uint64_t run_account_again_in_ms(const struct program *p, const struct run_account *slot)
{
    uint64_t now = time_mono_ms();
    return !waits(slot) ? 0 : p->again_ms > now ? p->again_ms - now : 1;
}

static void open_waiting(void *ud)
{
    struct program *p = ud;
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        bool disk = slot->err.code == ERR_DISK;
        if (!waits(slot))
            continue;
        open_slot(p, slot);
        if (slot->account)
            log_info("account", slot->from->name, "opened: %s",
                     disk ? "the disk is in order again" : "the keyring has given its key");
    }
}

/* Somebody signs in to an account that is not open. */
static bool is_closed(void *ud, struct str name, struct err *err)
{
    struct program *p = ud;
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        if (slot->account || !(str_is(name, slot->from->name) || str_case_is(name, slot->from->email)))
            continue;
        *err = slot->err;
        if (err->code != ERR_DISK) /* our trouble, not a wrong password */
            err->code = ERR_OFFLINE;
        return true;
    }
    return false;
}

static void on_secrets_change(void *ud)
{
    struct program *p = ud;
    LIST_EACH (&p->logins, l)
        login_vault_changed(LIST_ITEM(l, struct run_login, link)->login);
    run_login_secrets_changed(p);
    open_waiting(p);
}

void run_open_account(struct program *p, struct config *config, const struct config_account *from)
{
    struct run_account *slot = MEM_NEW(struct run_account);
    slot->config = config;
    slot->from = from;
    list_append(&p->slots, &slot->link);
    open_slot(p, slot);
}

void run_open_accounts(struct program *p)
{
    p->secrets = config_secrets_open(p->config, p->loop, on_secrets_change, p);
    p->again_timer = timer_new(p->loop, open_waiting, p);
    p->accounts = accounts_new(p->loop);
    accounts_on_closed(p->accounts, is_closed, p);
    for (size_t i = 0; i < p->config->account_count; i++)
        run_open_account(p, p->config, &p->config->accounts[i]);
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

void run_reconnect_accounts(struct program *p)
{
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        if (slot->account)
            account_reconnect(slot->account);
    }
}

/* --- changes --------------------------------------------------------------------------------------------- */

static void slot_free(struct run_account *slot)
{
    list_remove(&slot->link);
    login_leave(slot->login);
    mem_free(slot);
}

static void end_closing(struct program *p, struct run_account *slot)
{
    slot->closing = false;
    if (slot->account)
        account_remove(&slot->account);
    if (!slot->next) {
        log_info("account", slot->from->name, "closed: it is not in the configuration any more");
        slot_free(slot);
        return;
    }
    login_leave(slot->login);
    slot->login = NULL;
    slot->config = slot->next_config;
    slot->from = slot->next;
    slot->err = (struct err){0};
    log_info("account", slot->from->name, "opened again with its new configuration");
    open_slot(p, slot);
}

/* Clients have their answers and their goodbye first; changes on their way to the server end in their own time. */
void run_look_at_closing(void *ud)
{
    struct program *p = ud;
    bool more = false;
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        if (!slot->closing)
            continue;
        bool patient = time_mono_ms() - slot->closing_ms < CLOSING_DROP_MS;
        if (!slot->account ||
            (servers_leave_account(p->servers, slot->account, !patient) && account_is_idle(slot->account)))
            end_closing(p, slot);
        else
            more = true;
    }
    run_drop_configs(p);
    if (more && !p->stopping)
        timer_start(p->closing_timer, CLOSING_LOOK_MS);
}

void run_change_account(struct program *p, struct run_account *slot, struct config *next_config,
                        const struct config_account *next)
{
    slot->next_config = next_config;
    slot->next = next;
    if (!slot->closing) {
        slot->closing = true;
        slot->closing_ms = time_mono_ms();
        run_login_drop(p, slot);
        run_trace_drop(p, slot);
        if (slot->account)
            account_shut(slot->account);
    }
    timer_start(p->closing_timer, 1);
}

void run_close_accounts(struct program *p)
{
    accounts_free(&p->accounts);
    while (!list_empty(&p->slots))
        slot_free(LIST_ITEM(p->slots.next, struct run_account, link));
    timer_free(&p->again_timer);
    secrets_close(&p->secrets);
}
