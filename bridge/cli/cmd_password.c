/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cli/commands.h"
#include "bridge/daemon.h"
#include "bridge/local_passwords.h"

static const char *state_dir(struct cli *c, const struct config_account *a)
{
    return arena_printf(&c->config->arena, "%s/accounts/%s", c->config->server.state_dir, a->name).p;
}

/* The password alone on stdout, so that a script can take it. */
static int make(const struct config_account *a, const char *dir, const char *label)
{
    struct buf password;
    struct err err;
    if (!daemon_make_dir(dir, &err) || !local_passwords_new(dir, label, &password, &err))
        return cli_fail(&err);
    fprintf(stderr, "The password \"%s\" of %s, for mail clients on this machine. It is shown only this once:\n", label,
            a->name);
    fwrite(password.p, 1, password.n, stdout);
    fputc('\n', stdout);
    buf_wipe(&password);
    return EX_OK;
}

static int revoke(const struct config_account *a, const char *dir, const char *label)
{
    struct err err;
    if (!local_passwords_revoke(dir, label, &err))
        return cli_fail(&err);
    cli_say("%s: the password \"%s\" is not accepted any more", a->name, label);
    return EX_OK;
}

static json_t *as_json(const struct local_passwords *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < all->count; i++) {
        struct buf made = BUF_INIT(0);
        time_add_iso(&made, all->list[i].made_s);
        json_array_append_new(list, json_pack("{s:s, s:s}", "label", all->list[i].label, "made", buf_z(&made)));
        buf_done(&made);
    }
    return list;
}

static int show(struct cli *c, const struct config_account *a, const char *dir)
{
    struct local_passwords *all = MEM_NEW(struct local_passwords);
    struct err err;
    int code = EX_OK;
    if (!local_passwords_load(dir, all, &err)) {
        code = cli_fail(&err);
    } else if (cli_flag(c, "--json")) {
        cli_say_json(as_json(all));
    } else {
        for (size_t i = 0; i < all->count; i++) {
            struct buf made = BUF_INIT(0);
            time_add_iso(&made, all->list[i].made_s);
            cli_say("%-20s made %s", all->list[i].label, buf_z(&made));
            buf_done(&made);
        }
        if (a->local_password_file || a->local_password_command)
            cli_say("%-20s %s", "(configuration)",
                    a->local_password_file ? a->local_password_file : "local-password-command");
        else if (!all->count)
            cli_say("%s has no password for mail clients yet; run: exbridge password %s --new", a->name, a->name);
    }
    mem_free(all);
    return code;
}

static int password(struct cli *c)
{
    const char *label = cli_flag(c, "--label"), *revoked = cli_flag(c, "--revoke");
    bool new = cli_flag(c, "--new") != NULL;
    if (new &&revoked)
        return cli_usage(c, "--new or --revoke, one at a time");
    if (label && !new)
        return cli_usage(c, "--label goes with --new");
    if (!cli_config(c))
        return EX_CONFIG;
    const struct config_account *a = cli_account(c, c->arg_count ? c->args[0] : NULL);
    if (!a)
        return EX_NOINPUT;
    if (a->local_auth == CONFIG_LOCAL_PASSTHROUGH) {
        cli_complain("%s: with local-auth = passthrough mail clients sign in with the Exchange password", a->name);
        return EX_CONFIG;
    }
    if (new)
        return make(a, state_dir(c, a), label ? label : "default");
    return revoked ? revoke(a, state_dir(c, a), revoked) : show(c, a, state_dir(c, a));
}

static const struct cli_flag flags[] = {
    {"--new", NULL, "make one, and print it"},
    {"--label", "NAME", "its name, so that it can be ended alone; \"default\" without"},
    {"--revoke", "NAME", "end one: it is not accepted from now on"},
    {"--json", NULL, "the list as JSON"},
    {0},
};

const struct cli_command cli_password = {
    .name = "password",
    .summary = "passwords for mail clients on this machine: list, make, end",
    .args = "[ACCOUNT]",
    .help = "Mail clients sign in to exbridge with a password of this machine, not with that of\n"
            "Exchange. There may be several, one for each client. They are kept as hashes and\n"
            "shown once. A change counts at once, without a restart.\n",
    .flags = flags,
    .max_args = 1,
    .words = {CLI_WORD_ACCOUNT},
    .fn = password,
};
