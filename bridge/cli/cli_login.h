/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_CLI_LOGIN_H
#define BRIDGE_CLI_CLI_LOGIN_H
/* Signing in, for `login` and `setup`. */
#include "bridge/cli/cli.h"
#include "bridge/cli/config_accounts.h"

struct cli_sign_in {
    bool device;  /* by code */
    bool browser; /* open one, too */
    bool trace;   /* show what goes to the login server and comes from it, without secrets */
};
/* Show the person where to sign in, and wait until it is done. `tokens` gets what login_store() takes; wipe it. */
bool cli_sign_in(struct config *config, const struct config_login *l, const struct cli_sign_in *how, struct buf *tokens,
                 struct err *err);
/* Call `again` until it has something else to say than SECRETS_WAIT. When that takes long, the person is told what is
 * waited for; a signal that is blocked ends it (SECRETS_FAILED). */
enum secrets_result cli_wait_for_secrets(struct loop *loop, enum secrets_result (*again)(void *ud, struct err *err),
                                         void *ud, struct err *err);
/* Into the secret store, when no daemon is running (ERR_EXISTS: there is one; it must do it). */
bool cli_store_secret(struct config *config, const struct config_login *l, struct str secret, struct err *err);

#endif
