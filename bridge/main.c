/* SPDX-License-Identifier: Apache-2.0 */
/* The program: the table of commands. `run` is put together in bridge/run/, which alone knows protocols and backends.
 */
#include "bridge/cli/commands.h"

/* clang-format off */
static const struct cli_command *const commands[] = {
    &cli_setup,
    &cli_run,
    &cli_status,
    &cli_doctor,
    &cli_login,
    &cli_resync,
    &cli_trace,
    &cli_reload,
    &cli_password,
    &cli_client_settings,
    &cli_trust,
    &cli_check_config,
    &cli_completion,
    &cli_help_,
    NULL,
};
/* clang-format on */

int main(int argc, char **argv)
{
    return cli_main(commands, argc, argv);
}
