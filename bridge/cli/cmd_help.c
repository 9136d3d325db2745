/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "bridge/cli/commands.h"

static int help(struct cli *c)
{
    struct buf text = BUF_INIT(0);
    const struct cli_command *about = NULL;
    for (size_t i = 0; c->arg_count && c->commands[i]; i++)
        if (strcmp(c->commands[i]->name, c->args[0]) == 0)
            about = c->commands[i];
    if (c->arg_count && !about)
        return cli_usage(c, "there is no command %s", c->args[0]);
    if (about)
        cli_help_command(about, &text);
    else
        cli_help(c, &text);
    fwrite(text.p, 1, text.n, stdout);
    buf_done(&text);
    return EX_OK;
}

const struct cli_command cli_help_ = {
    .name = "help",
    .summary = "more about a command",
    .args = "[COMMAND]",
    .max_args = 1,
    .fn = help,
};
