/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/commands.h"

static int check_config(struct cli *c)
{
    struct config *config = cli_config(c);
    struct buf problems = BUF_INIT(0);
    struct str rest, line;
    if (!config)
        return EX_CONFIG;
    size_t missing = config_missing_files(config, &problems);
    rest = buf_view(&problems);
    while (str_cut(&rest, '\n', &line) && line.n)
        cli_complain("%.*s", STR_ARG(line));
    buf_done(&problems);
    if (missing)
        return EX_CONFIG;
    cli_say("%s: fine, %zu account%s", config->path, config->account_count, config->account_count == 1 ? "" : "s");
    return EX_OK;
}

const struct cli_command cli_check_config = {
    .name = "check-config",
    .summary = "read the configuration file and say what is wrong with it",
    .help = "Every problem is told with its line and what would be right. Files that it names and that\n"
            "cannot be read are problems here; for run they are one only where they are needed.\n",
    .fn = check_config,
};
