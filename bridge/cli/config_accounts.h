/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_CONFIG_ACCOUNTS_H
#define BRIDGE_CLI_CONFIG_ACCOUNTS_H
/*
 * From sections of the configuration to what opens them: logins, backends, accounts. The daemon opens all of them;
 * setup, doctor and the like open one backend alone, without a store. Strings stay those of the configuration, which
 * must outlive what is made here.
 */
#include "backends/common/login.h"
#include "bridge/account.h"
#include "bridge/backend.h"
#include "bridge/config.h"
#include "bridge/io/loop.h"

/* Of a [login] section or an account's own; `passthrough` as local-auth says. */
struct login *config_login_open(struct loop *loop, const struct config_login *l, bool passthrough);
const struct backend_ops *config_backend_ops(const struct config_account *a);
struct backend_config config_backend_config(const struct config *c, const struct config_account *a, struct loop *loop,
                                            struct login *login);
/* Directories of the account are not made here; their names come from c->arena. */
struct account_opts config_account_opts(struct config *c, const struct config_account *a, struct loop *loop,
                                        struct login *login);

/* --- a backend without an account
 * --------------------------------------------------------------------------------------- */
/*
 * For commands that look at a server: a loop, a login, a backend, and for the backend a memory that ends with the
 * process. (An EAS backend gets a device of its own there, unless the caller puts the account's values into it first.)
 * Nothing is asked of the server until an op is begun; run it to its end with backend_alone_wait().
 */
struct backend_alone {
    struct loop *loop;
    struct login *login;
    struct backend *backend;
    struct memory_entry *memory; /* private */
    char *tmp_dir;               /* private */
    char *wiped;                 /* why the server ordered a wipe; NULL = it did not */
};
bool backend_alone_open(struct config *c, const struct config_account *a, struct backend_alone *ret, struct err *err);
void backend_alone_put(struct backend_alone *b, struct str key, struct str value);
/* Turn the loop until *done. */
void backend_alone_wait(struct backend_alone *b, const bool *done);
void backend_alone_close(struct backend_alone *b); /* no op may be alive */

#endif
