/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_SETUP_TEXT_H
#define BRIDGE_CLI_SETUP_TEXT_H
/*
 * What `setup` writes into the configuration file, as text. Pure. Every text is read back by config_parse() before it
 * goes anywhere, so nothing here needs to know what is valid.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

/* The values of one account and its login; NULL = the key is left out. Names are those of the file. */
struct setup_values {
    const char *name; /* of the section */
    const char *email;
    const char *backend, *url, *auth, *user;
    const char *why; /* a comment: why this backend */
    const char *password_command, *password_file, *token_command, *client_cert, *client_key;
    const char *oauth_client_id, *oauth_tenant, *oauth_login_host, *oauth_scope;
    const char *login; /* [login] section that has the keys of the two lines above, and user, auth */
    const char *mailbox, *access;
    const char *local_auth, *provision, *ca_file, *proxy, *tls_min;
};
struct setup_server_values {
    unsigned imap, smtp, dav;
    const char *secret_store, *state_dir, *cache_dir; /* NULL = the default */
    const char *date;                                 /* "2026-11-28": for the comment at the top */
};

/* False: a value that the file cannot hold (a line break, quotes around the whole of it). */
bool setup_write_server(struct buf *out, const struct setup_server_values *v, struct err *err);
bool setup_write_account(struct buf *out, const struct setup_values *v, struct err *err);
/* A [login] section, with a comment that shows how accounts use it (v->url, v->mailbox's domain are in it). */
bool setup_write_login(struct buf *out, const struct setup_values *v, struct err *err);

/* `old` with `section` after it; every byte of `old` stays where it is. */
void setup_append(struct buf *out, struct str old, struct str section);

/* A name for an account: what is before the first dot of the domain ("corp"), letters, digits and '-' alone, "mail"
 * when nothing is left; `taken` says which ones are in use. "corp", "corp-2", ... */
void setup_account_name(struct buf *out, struct str email, bool (*taken)(void *ud, const char *name), void *ud);

#endif
