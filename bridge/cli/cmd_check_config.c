/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/commands.h"

static int check_config(struct cli *c)
{
    struct config *config = cli_config(c);
    if (!config)
        return EX_CONFIG;
    cli_say("%s: fine, %zu account%s", config->path, config->account_count, config->account_count == 1 ? "" : "s");
    return EX_OK;
}

const struct cli_command cli_check_config = {
    .name = "check-config",
    .summary = "read the configuration file and say what is wrong with it",
    .fn = check_config,
};
