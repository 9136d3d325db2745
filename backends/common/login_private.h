/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_LOGIN_PRIVATE_H
#define BACKENDS_COMMON_LOGIN_PRIVATE_H
/* Between login.c (passes, guard), login_source.c (where a secret comes from) and login_oauth.c (tokens). */
#include "backends/common/login.h"
#include "bridge/base/list.h"
#include "bridge/io/crypto.h"

#define REFUSED_KEPT 16 /* passwords known to be wrong; more than the guard lets through in days of trying */

struct login_oauth {
    struct oauth_config config; /* strings are ours */
    struct http_client *http;
    struct http_request *request; /* a renewal under way */
    struct buf answer;
    int64_t asked_s;
    struct oauth_tokens tokens;
    bool loaded;     /* from the vault */
    bool unsaved;    /* newer than what the vault has: not to be used yet */
    bool forced;     /* this token was fetched because the server refused the one before */
    struct err over; /* only a person can help */
    struct err later;
    uint64_t later_ms; /* no renewal before that time */
    unsigned failures; /* in a row */
};

struct login {
    struct loop *loop;
    char *name, *user, *command_or_file, *record;
    uint64_t command_ms;
    enum http_auth auth;
    enum login_source source;
    struct login_vault vault;
    struct login_oauth oauth;

    char *secret;    /* NULL: to be read */
    unsigned serial; /* of `secret`: a late answer may speak of an older one */
    bool proven;
    uint64_t accepted_ms; /* the last time that an answer proved it */
    bool doubted;         /* was proven, was refused: the next refusal is believed */
    struct child *child;
    uint64_t read_ms;    /* when read_err was set */
    struct err read_err; /* why the secret could not be had; believed for a while */
    uint64_t refused_ms; /* when the secret was found wrong; 0 = it was not */
    struct err problem;  /* the same, for people */

    struct crypto_hash key; /* of the HMACs */
    struct crypto_hash refused[REFUSED_KEPT];
    size_t refused_count; /* ever; the ring holds the last ones */
    uint64_t refusals_ms[LOGIN_REFUSALS_MAX];
    unsigned refusals;

    struct list waiting, granted;
    struct login_pass *trial; /* holds the one request with an unproven secret */
    uint64_t trial_ms;        /* since when */
    unsigned running, max_requests;
    uint64_t backoff_until_ms;
    struct timer *timer;
    struct deferred deferred;
};

/* login.c */
void login_wake(struct login *l);

/* login_source.c */
enum login_fetched {
    LOGIN_HERE,   /* l->secret is set */
    LOGIN_COMING, /* login_wake() when there is news */
    LOGIN_MISSING /* it cannot be had; err says why */
};
enum login_fetched login_fetch(struct login *l, struct err *err);
void login_set_secret(struct login *l, char *secret, bool proven); /* takes it */
void login_drop_secret(struct login *l);

/* login_oauth.c */
void login_oauth_open(struct login *l, const struct login_opts *opts);
void login_oauth_close(struct login *l);
enum login_fetched login_oauth_fetch(struct login *l, struct err *err);
/* Before a token that is at hand is given out: renewed in good time, and dropped when its time is over. */
void login_oauth_tend(struct login *l);
/* The server refused the token in use. True: a new one is worth a try. */
bool login_oauth_refused(struct login *l);
enum login_stored login_oauth_store(struct login *l, struct str json, struct err *err);
void login_oauth_reset(struct login *l);

#endif
