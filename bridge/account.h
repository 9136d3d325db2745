/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_ACCOUNT_H
#define BRIDGE_ACCOUNT_H
/*
 * Accounts at run time: one mailbox on one server, with its backend, store, cache, sync engine and folders. Protocols
 * find an account by signing in, then work on its folders (here), mailboxes (mailbox.h) and message content
 * (content.h). They never see server ids or the backend.
 *
 * All functions run on the loop thread. An account lives until the configuration does without it (account_shut, then
 * account_remove) or the process ends; a wiped one stays as a tombstone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/backend.h"
#include "bridge/base/err.h"
#include "bridge/base/list.h"
#include "bridge/base/str.h"
#include "bridge/io/loop.h"

struct account;
struct accounts;
struct secrets;

enum account_local_auth { LOCAL_AUTH_PASSWORD, LOCAL_AUTH_PASSTHROUGH };
enum account_prefetch { PREFETCH_NONE, PREFETCH_HEADERS, PREFETCH_RECENT, PREFETCH_ALL };

/* Made by main from the configuration. Strings must outlive the account. */
struct account_opts {
    const char *name; /* section name */
    const char *email;
    const char *state_dir; /* of this account: state.db lives here; made if missing, mode 0700 */
    const char *cache_dir;
    enum account_local_auth local_auth;
    const char *local_password_command, *local_password_file;
    enum account_prefetch prefetch;
    uint64_t cache_limit; /* bytes; 0 = none */
    bool exact_size;
    bool encrypt;            /* the key lies in `secrets` */
    struct secrets *secrets; /* must outlive the accounts */
    bool expunge_permanent;  /* expunge = permanent */
    bool calendars;          /* calendars and tasks are kept, too: somebody may ask for them (dav is on) */
    const char *dav_url;     /* "https://localhost:1443/dav/ACCOUNT": where clients find them; NULL = unknown */
    const struct backend_ops *backend;
    struct backend_config backend_config; /* `host` and `loop` are filled in by account_open() */
};

struct accounts *accounts_new(struct loop *loop);
void accounts_free(struct accounts **a); /* closes all */
/* Who signs in to an account of the configuration that is not open hears why (*err: ERR_DISK, ERR_OFFLINE), not that
 * the name is wrong. */
typedef bool accounts_closed_fn(void *ud, struct str name, struct err *err);
void accounts_on_closed(struct accounts *a, accounts_closed_fn *fn, void *ud);
/* Opens state.db (creating or repairing it), the cache and the backend, and starts the sync engine. ERR_DISK when the
 * state directory cannot be used; nothing is lost then: try again later. ERR_OFFLINE: the key of an encrypted account
 * is not to be had now (secrets.h, SECRETS_WAIT): try again when the secrets have changed. */
struct account *account_open(struct accounts *a, const struct account_opts *opts, struct err *err);
/* The configuration has changed: nobody signs in any more (ERR_OFFLINE). What clients asked for goes on. */
void account_shut(struct account *a);
/* Nothing that a client asked for is under way, and nobody is signing in. */
bool account_is_idle(const struct account *a);
/* Close an idle account that no session uses; its state stays on disk. */
void account_remove(struct account **a);
size_t accounts_count(const struct accounts *a);
struct account *accounts_at(const struct accounts *a, size_t i);

const char *account_name(const struct account *a);
struct loop *account_loop(const struct account *a);
const char *account_tmp_dir(const struct account *a); /* for blobs on their way to the server */
bool account_exact_size(const struct account *a);
unsigned account_caps(const struct account *a); /* enum backend_cap bits, as known now */
/* Can mail be changed at all with this backend? (what exactly: account_caps) */
bool account_can_write(const struct account *a);
const struct backend_limits *account_limits(const struct account *a);
/* What is wrong with the server side now (code ERR_NONE = all is well): shown by status, and as one ALERT a session. */
const struct err *account_health(const struct account *a);

/* Another network, or a long sleep: connect anew and look at everything. */
void account_reconnect(struct account *a);
/* Collect a folder (0: the folder list and all of them) anew from the server; UIDs are kept where messages match. */
bool account_resync(struct account *a, int64_t folder_pk, struct err *err);

/* What goes over the wire, as lines (backend.h); NULL: no longer. False: there is nothing to look at. */
bool account_trace(struct account *a, const struct backend_trace *to, struct err *err);

/* How an account stands, for `exbridge status`; strings are the account's, or constants. */
struct account_status {
    const char *state;  /* "online", "syncing" (a first sync is under way), "starting", "offline", "throttled",
                           "needs-login",  "needs-admin", "wiped", "disk", "trouble" */
    struct err health;  /* what is wrong now; ERR_NONE = nothing */
    struct err trouble; /* the latest that was wrong, */
    int64_t trouble_s;  /* and when (wall clock); 0 = nothing yet */
    size_t folders, complete, behind;
    struct str current;     /* the folder being synced; empty = none */
    uint32_t progress;      /* messages of it that are known */
    const char *push;       /* "push" (every change), "push+poll" (additions), "poll" (nothing watches now) */
    uint64_t retry_in_ms;   /* next attempt after a failure; 0 = none is waited for */
    uint64_t looked_ago_ms; /* since the server last answered; UINT64_MAX = never in this process's life */
    uint64_t cache_bytes, cache_limit;
    struct err cache_trouble; /* code ERR_NONE: what is read is kept */
    size_t changes, submits;  /* of clients, on their way to the server */
    size_t unread;            /* items of calendars that are on the server and cannot be read */
    size_t held;              /* mails about meetings that wait until it is known what the server has done */
    struct backend_facts facts;
};
void account_status(struct account *a, struct account_status *ret);

/* How full the mailbox is (CAP_QUOTA), as of at most five minutes ago. Exactly one callback, never from inside; none
 * after account_quota_cancel(). */
struct account_quota {
    uint64_t used, limit; /* bytes; limit 0: the server tells none */
};
struct quota_wait;
typedef void account_quota_cb(void *ud, const struct account_quota *quota, const struct err *err);
struct quota_wait *account_get_quota(struct account *a, account_quota_cb *cb, void *ud);
void account_quota_cancel(struct quota_wait **w);

/* --- signing in ------------------------------------------------------------------------------- */
/*
 * `name` is the account's e-mail address (ASCII case ignored) or its section name. Local password: one that `exbridge
 * password` has made (local_passwords.h) or that of local-password-file or -command, compared in constant time.
 * Passthrough: the password goes to Exchange, once; when the server cannot be asked, the last password it accepted in
 * this process's life is compared instead. Failures answer after one second; more than 10 a minute slow everybody down.
 * err codes: ERR_AUTH (wrong name or password, indistinguishable), ERR_OFFLINE/ERR_THROTTLED (passthrough, server
 * away), ERR_POLICY (wiped account). Exactly one callback, or none after account_login_cancel().
 */
struct account_login;
typedef void account_login_cb(void *ud, struct account *account, const struct err *err);
struct account_login *account_login(struct accounts *a, struct str name, struct str password, account_login_cb *cb,
                                    void *ud);
void account_login_cancel(struct account_login **l);

/* Are these the right credentials? `secret`: a password that is not stored yet; empty: what the account's login has.
 * reply.login. NULL: the account has no server any more (wiped). The op ends before the account does. */
struct op *account_prove(struct account *a, struct str secret, op_cb *cb, void *ud);
/* There is hope that what failed works now (a new sign-in): try again at once instead of by the slow schedule. */
void account_retry(struct account *a);

/* --- folders ---------------------------------------------------------------------------------- */
/*
 * A folder as clients see it. `name` is the full IMAP path in UTF-8, NFC, separator '/', with a '/' inside a display
 * name written _x002F_ (and a literal "_x" as _x005F_x); INBOX is "INBOX"; equal names get a stable suffix. Only
 * folders of kind mail are listed by account_folder_*(); a parent that is not a mail folder appears with selectable =
 * false.
 */
struct folder {
    int64_t pk;           /* of the store; never reused */
    struct str server_id; /* for bridge/ only */
    struct str name;
    enum folder_use use;
    bool own_use; /* the server does not know of it: account_set_use() */
    bool selectable;
    bool subscribed;
    bool has_children;
    uint32_t uidvalidity; /* 0 when not selectable */
    struct list link;     /* private */
};

/* Wait until the folder list is known (at once when state.db has one). Calls back with the error when the very first
 * hierarchy sync fails. Exactly one callback, never from inside; cancel with waiter_cancel(). */
struct waiter;
typedef void waiter_cb(void *ud, const struct err *err);
struct waiter *account_wait_folders(struct account *a, waiter_cb *cb, void *ud);
void waiter_cancel(struct waiter **w);
/* The client lists folders: look at the server's list if nothing watches it and the last look is 30 s old. Does not
 * wait. */
void account_poke_folders(struct account *a);

/* Mail folders in the order of their names (INBOX first, bytewise after). The array and its folders are valid until
 * control returns to the loop; remember pk or name, not pointers. */
const struct folder *const *account_folders(const struct account *a, size_t *ret_count);
const struct folder *account_folder_by_name(const struct account *a, struct str name); /* INBOX in any case; NULL */
const struct folder *account_folder_by_pk(const struct account *a, int64_t pk);
/* Local state, committed before it returns. A name that is no folder may be subscribed too (RFC 9051 6.3.7). */
bool account_subscribe(struct account *a, struct str name, bool subscribe, struct err *err);
/* A special use that the server does not know of (RFC 6154 3): kept here, and void as soon as the server has a folder
 * of that use. ERR_EXISTS: there is one. */
bool account_set_use(struct account *a, int64_t folder_pk, enum folder_use use, struct err *err);
/* Subscribed names that are no folder any more, for LSUB and LIST (SUBSCRIBED). */
const struct str *account_lost_subscriptions(const struct account *a, size_t *ret_count);

#endif
