/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "bridge/cli/commands.h"

static int resync(struct cli *c)
{
    struct err err;
    if (!cli_config(c))
        return EX_CONFIG;
    const struct config_account *a = cli_account(c, c->args[0]);
    if (!a)
        return EX_NOINPUT;
    json_t *args = json_pack("{s:s}", "account", a->name);
    if (c->arg_count == 2 && json_object_set_new(args, "folder", json_string(c->args[1])) != 0) {
        json_decref(args);
        return cli_usage(c, "the folder's name is not UTF-8");
    }
    if (!cli_ask_daemon(c, "resync", args, NULL, &err))
        return cli_fail(&err);
    cli_say("%s: %s is being collected anew; exbridge status %s shows how far it is", a->name,
            c->arg_count == 2 ? c->args[1] : "every folder", a->name);
    return EX_OK;
}

const struct cli_command cli_resync = {
    .name = "resync",
    .summary = "collect a folder, or all of them, anew from the server",
    .args = "ACCOUNT [FOLDER]",
    .help = "Reads the list of messages anew, beside the one that mail clients go on seeing, and\n"
            "puts right what differs. Messages keep their UIDs, so clients need not fetch them\n"
            "again. FOLDER is the name that mail clients see, as \"INBOX\" or \"Archive/2026\".\n",
    .min_args = 1,
    .max_args = 2,
    .words = {CLI_WORD_ACCOUNT},
    .fn = resync,
};
