/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_CLI_TRUST_H
#define BRIDGE_CLI_CLI_TRUST_H
/* Having programs trust the certificate of this machine, for `trust` and `setup`. */
#include "bridge/cli/cli.h"
#include "bridge/cli/profiles.h"

/* The file of the authority that mail programs should trust; in the configuration's arena. It may not be there yet. */
const char *cli_trust_ca(struct config *c);
/* One profile trusts it from now on (`undo`: no longer). What happened is said; false: it could not be. */
bool cli_trust_profile(const struct profile *p, const char *ca, bool undo);

#endif
