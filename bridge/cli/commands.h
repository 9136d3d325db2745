/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_COMMANDS_H
#define BRIDGE_CLI_COMMANDS_H
/* The commands, one a file (cmd_NAME.c; run is bridge/run/run.c). The table is in bridge/main.c, in the order of the
 * help. */
#include "bridge/cli/cli.h"

extern const struct cli_command cli_run;
extern const struct cli_command cli_status;
extern const struct cli_command cli_resync;
extern const struct cli_command cli_trace;
extern const struct cli_command cli_reload;
extern const struct cli_command cli_setup;
extern const struct cli_command cli_doctor;
extern const struct cli_command cli_password;
extern const struct cli_command cli_login;
extern const struct cli_command cli_client_settings;
extern const struct cli_command cli_trust;
extern const struct cli_command cli_check_config;
extern const struct cli_command cli_completion;
extern const struct cli_command cli_help_;

#endif
