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
#include "bridge/secrets.h"

/* The store in the state directory. Whoever writes to it holds the directory's lock (daemon_lock). */
struct secrets *config_secrets_open(struct config *c, struct loop *loop, void (*on_change)(void *ud), void *ud);
/* Of a [login] section or an account's own. `secrets` must outlive it. */
struct login *config_login_open(struct config *c, const struct config_login *l, struct loop *loop,
                                struct secrets *secrets);
/* The same, not opened yet: without a vault. */
void config_login_opts(struct config *c, const struct config_login *l, struct login_opts *ret_opts);
const char *config_login_record(struct config *c, const struct config_login *l); /* its name in the store */
/* With auth = oauth: what to say to the login server, and how to reach it. */
struct oauth_config config_oauth(struct config *c, const struct config_login *l);
struct http_client_opts config_oauth_http(const struct config *c, const struct config_login *l);
unsigned config_tls_min(const struct config_account *a);
const struct backend_ops *config_backend_ops(const struct config_account *a);
struct backend_config config_backend_config(const struct config *c, const struct config_account *a, struct loop *loop,
                                            struct login *login);
/* Directories of the account are not made here; their names come from c->arena. */
struct account_opts config_account_opts(struct config *c, const struct config_account *a, struct loop *loop,
                                        struct login *login, struct secrets *secrets);

/* --- a backend without an account ------------------------------------------------------------- */
/*
 * For commands that look at a server: a loop, a login, a backend, and for the backend a memory that ends with the
 * process. (An EAS backend gets a device of its own there, unless the caller puts the account's values into it first,
 * with backend_alone_put() before it is opened: the struct is zeroed at the beginning, and opening keeps the memory.)
 * Nothing is asked of the server until an op is begun; run it to its end with backend_alone_wait().
 */
#define BACKEND_ALONE_EAS_STATE "eas.state" /* the device that an ActiveSync server knows, and its policy */
struct backend_alone {
    struct loop *loop;
    struct secrets *secrets;
    struct login *login;
    struct backend *backend;
    bool lent;                   /* private: loop and login are the caller's */
    struct memory_entry *memory; /* private */
    char *tmp_dir;               /* private */
    char *wiped;                 /* why the server ordered a wipe; NULL = it did not */
};
bool backend_alone_open(struct config *c, const struct config_account *a, struct backend_alone *ret, struct err *err);
/* With a loop and a login that stay the caller's. */
bool backend_alone_open_with(struct config *c, const struct config_account *a, struct loop *loop, struct login *login,
                             struct backend_alone *ret, struct err *err);
void backend_alone_put(struct backend_alone *b, struct str key, struct str value);
bool backend_alone_get(struct backend_alone *b, struct str key, struct buf *out);
/* Turn the loop until *done. */
void backend_alone_wait(struct backend_alone *b, const bool *done);
void backend_alone_close(struct backend_alone *b); /* no op may be alive */

#endif
