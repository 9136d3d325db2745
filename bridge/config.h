/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H
/*
 * The configuration file, read and checked as a whole. Every problem is told, with file, line and what would be right;
 * a file with a problem is not used. Syntax: ini.h. Keys, their values and defaults: the tables in config_keys.c.
 *
 * Yes/no values: yes, no. Sizes: bytes, or 25M (K, M, G: powers of 1024). Times: seconds, or 90s, 30m, 2h. Paths are
 * absolute or begin with
 * ~/. No secret stands in the file: commands and files that give it do.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/log.h"

#define CONFIG_ACCOUNTS_MAX 256
#define CONFIG_PATH_MAX     3500 /* bytes; what is below it has to fit into PATH_MAX */
#define CONFIG_LISTEN_MAX   8

enum config_allow { ALLOW_SELF, ALLOW_ANY };
enum config_auth {
    AUTH_UNSET,
    AUTH_BASIC,
    AUTH_NTLM,
    AUTH_KERBEROS,
    AUTH_OAUTH,
    AUTH_CERT,
    AUTH_TOKEN_COMMAND,
    AUTH_MAX
};
enum config_backend { BACKEND_UNSET, BACKEND_EWS, BACKEND_EAS };
enum config_local_auth { CONFIG_LOCAL_PASSWORD, CONFIG_LOCAL_PASSTHROUGH };
enum config_prefetch { CONFIG_PREFETCH_NONE, CONFIG_PREFETCH_HEADERS, CONFIG_PREFETCH_RECENT, CONFIG_PREFETCH_ALL };
enum config_access { ACCESS_DELEGATION, ACCESS_IMPERSONATION };
enum config_expunge { EXPUNGE_RECOVERABLE, EXPUNGE_PERMANENT };
enum config_provision { CONFIG_PROVISION_ASK, CONFIG_PROVISION_ACCEPT, CONFIG_PROVISION_REFUSE };
enum config_secret_store { SECRET_STORE_FILE, SECRET_STORE_SERVICE };       /* see secrets.h */
enum config_tls_min { TLS_MIN_1_2, TLS_MIN_1_0, TLS_MIN_1_1, TLS_MIN_1_3 }; /* 1.2 is the default */

/* [login "name"], or an account's own. */
struct config_login {
    const char *name;
    unsigned line;
    const unsigned *key_lines; /* where its keys stand; config_key_line() */
    const char *user;
    enum config_auth auth;
    const char *password_command, *password_file, *token_command;
    /* With auth = oauth, after checking, id and tenant are there; the others follow from the accounts' servers unless
     * the file says more (config_oauth()). */
    const char *oauth_client_id, *oauth_tenant, *oauth_scope, *oauth_login_host;
    const char *client_cert, *client_key;
};

struct config_account {
    const char *name;
    unsigned line;
    const unsigned *key_lines;
    const char *email;
    enum config_backend backend;
    const char *url, *host; /* after checking: url is always there */
    struct config_login own;
    const char *login_name;
    const struct config_login *login; /* after checking: a [login], or &own */
    enum config_local_auth local_auth;
    const char *local_password_command, *local_password_file;
    const char *mailbox;
    enum config_access access;
    enum config_prefetch prefetch;
    uint64_t cache_limit; /* bytes; 0 = none */
    bool exact_size, encrypt;
    enum config_expunge expunge;
    enum config_provision provision;
    enum config_tls_min tls_min;
    const char *ca_file, *proxy; /* proxy: NULL = environment, "" = none */
    const char *junk, *archive;  /* special-use.junk, special-use.archive */
};

struct config_server {
    const unsigned *key_lines;
    const char *listen;
    const char *addresses[CONFIG_LISTEN_MAX]; /* numeric, made from `listen` */
    size_t address_count;
    bool allow_remote;
    uint64_t imap, smtp, dav; /* ports; 0 = off */
    bool tls;
    enum config_allow allow_uids;
    const char *state_dir, *cache_dir;
    enum config_secret_store secret_store;
    enum log_level log_level;
    const char *cert, *key; /* instead of the ones we make */
};

/* [limits] */
struct config_limits {
    uint64_t connections, connections_per_account, connections_unauthenticated;
    uint64_t preauth_timeout_s, handshake_timeout_s, imap_idle_timeout_s, smtp_idle_timeout_s;
    uint64_t http_header_timeout_s, http_keepalive_s;
    uint64_t imap_line_preauth, imap_line, imap_literal, imap_args;
    uint64_t smtp_line, smtp_recipients;
    uint64_t http_request_line, http_headers, http_header_count, http_body, dav_hrefs, dav_results;
    uint64_t message_size;
};

struct config {
    struct arena arena; /* all strings */
    const char *path;
    struct config_server server;
    struct config_limits limits;
    struct config_login *logins;
    size_t login_count;
    struct config_account *accounts;
    size_t account_count;
};

/* $XDG_CONFIG_HOME/exbridge/exbridge.conf, and so on; false (with a text in err) when $HOME is unset. */
bool config_default_path(struct buf *out, struct err *err);
/* Read and check `path`. NULL: `problems` has one "file:line: text" line for each (at most 50). The file must be ours
 * (or root's) and not writable by others: it names commands that we run. */
struct config *config_load(const char *path, struct buf *problems);
/* The same from memory; `path` is for the texts. */
struct config *config_parse(struct str text, const char *path, struct buf *problems);
/* The state-dir, as far as that can be told: also of a file with mistakes, to ask the daemon that runs with what it
 * was. False: it cannot be told. */
bool config_state_dir(const char *path, struct buf *out);
void config_free(struct config **c);

/* A URL as `proxy` wants it. */
bool config_is_proxy(const char *url);

/* mailbox = archive: the own mailbox's */
static inline bool config_is_archive(const struct config_account *a)
{
    return a->mailbox && strcmp(a->mailbox, "archive") == 0;
}

/* The last line in which one of these keys ("cert key") is set, else `otherwise`: for texts about what values mean. */
unsigned config_key_line(const unsigned *key_lines, const char *keys, unsigned otherwise);
/* Files that the configuration names and that cannot be read: a line for each, as config_load() tells problems; how
 * many. They are no problem of the file itself: a disk that is mounted later may have them. */
size_t config_missing_files(const struct config *c, struct buf *problems);

/* Do two readings say the same? An account's answer includes the login that it uses. */
bool config_login_same(const struct config_login *a, const struct config_login *b);
bool config_account_same(const struct config_account *a, const struct config_account *b);
bool config_limits_same(const struct config_limits *a, const struct config_limits *b);

#endif
