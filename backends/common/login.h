/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_LOGIN_H
#define BACKENDS_COMMON_LOGIN_H
/*
 * Who we are towards a server: user name, scheme, the secret and where it comes from; and what all requests in that
 * name share, whatever account they belong to: the throttle and the guard against locking the user out of his domain.
 *
 * Each HTTP request needs a pass:
 *
 *   login_ask(opts, cb) -> cb(err, secret) once -> send the request with login_auth(), login_user(), secret
 *        -> login_result(pass, accepted | refused) as soon as the answer's status is known -> login_end(&pass)
 *
 * cb never comes from inside login_ask(); login_end() at any moment takes everything back (no cb after it). A pass
 * comes when
 *   - the server's back-off (login_throttled) is over,
 *   - fewer than max_requests are under way (parked ones do not count),
 *   - the secret is at hand: password-command runs once and its answer is kept until the server refuses it,
 *   - the secret is proven: with one that no answer has confirmed yet, exactly one request goes out and the others wait
 * for its result, so that a stale password costs one failed attempt and not ten. A password is proven for
 * LOGIN_FRESH_MS after each answer: it may be changed at any time, and fifty mailboxes of a service account that come
 * back together after a network outage would lock it. When the one that went ahead has no answer, the next one does;
 * when that took longer than LOGIN_SILENCE_MS, those who waited for it are told ERR_OFFLINE, so that fifty time-outs do
 * not follow one after the other. Late ones go ahead only when nobody else waits; one that did counts as not refused
 * after LOGIN_SILENCE_MS, and the next goes ahead in its stead.
 *
 * The guard (password schemes only): a password that the server refused is remembered (as an HMAC, in memory) and never
 * sent again; at most LOGIN_REFUSALS_MAX refusals in LOGIN_REFUSALS_S, of whatever passwords, then ERR_THROTTLED until
 * the oldest is forgotten. (Active Directory locks accounts after 5 to 10.) A proven secret goes on: other people's
 * guesses do not stop the account, and its success is what the directory forgets them for. A proven secret that is
 * suddenly refused is read anew and tried once more before it is believed to be wrong: login_result() then says true,
 * and the caller asks again.
 *
 * OAuth: the tokens lie in the vault. A token is renewed in the background when OAUTH_RENEW_PERCENT of its life are
 * over, or when the server refuses it before that; one renewal at a time for all accounts. What the login server hands
 * out in exchange for a refresh token is in the vault before it is used: the old one may be worthless by then. Only a
 * person's new sign-in replaces tokens that the login server refuses; no failure deletes one.
 *
 * One login may serve several accounts ([login] sections). It lives longer than their backends.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/oauth.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/http.h"
#include "bridge/io/loop.h"

#define LOGIN_REFUSALS_MAX  3
#define LOGIN_REFUSALS_S    (30 * 60)
#define LOGIN_REREAD_S      30              /* a refused secret's source is asked again at most so often */
#define LOGIN_SECRET_MAX    ((size_t)65536) /* bytes of a secret (Kerberos-backed tokens are long) */
#define LOGIN_FRESH_MS      2000
#define LOGIN_SILENCE_MS    3000
#define LOGIN_COMMAND_S     120 /* for password-command: it may ask somebody for a passphrase */
#define LOGIN_BACKOFF_MAX_S 3600
#define LOGIN_TRIES_MAX     3 /* of one request: a server that takes the secret elsewhere and refuses it here, for ever */
#define OAUTH_RENEW_PERCENT 80
#define OAUTH_RETRY_MIN_S   5 /* after a renewal that failed for a passing reason; doubles */
#define OAUTH_RETRY_MAX_S   300

enum login_source {
    LOGIN_NO_SECRET,   /* Kerberos, client certificate */
    LOGIN_COMMAND,     /* first line of the output of password-command (or token-command) */
    LOGIN_FILE,        /* first line of password-file; must be ours and closed to others */
    LOGIN_PASSTHROUGH, /* what a client offered and the server accepted; memory only */
    LOGIN_STORED,      /* a password in the vault, put there by `exbridge login` */
    LOGIN_OAUTH        /* tokens in the vault, put there by `exbridge login` */
};

/* The core's secret store (bridge/secrets.h), lent. WAIT: it will be known later, login_vault_changed() says when. */
enum login_stored { LOGIN_STORED_OK, LOGIN_STORED_NONE, LOGIN_STORED_WAIT, LOGIN_STORED_FAILED };
struct login_vault {
    void *ud;
    enum login_stored (*get)(void *ud, const char *record, struct buf *out, struct err *err);
    enum login_stored (*put)(void *ud, const char *record, struct str value, struct err *err);
};

struct login;
struct login_pass;

struct login_opts {   /* copied */
    const char *name; /* section name: logs and error texts */
    const char *user;
    enum http_auth auth;
    enum login_source source;
    const char *command_or_file;
    unsigned command_ms;                /* how long the command may take; 0 = LOGIN_COMMAND_S */
    unsigned max_requests;              /* at once, over all accounts; 0 = no limit */
    struct login_vault vault;           /* LOGIN_STORED, LOGIN_OAUTH */
    const char *record;                 /* there */
    struct oauth_config oauth;          /* LOGIN_OAUTH */
    struct http_client_opts oauth_http; /* ... and how to reach its server */
};

struct login *login_new(struct loop *loop, const struct login_opts *opts);
void login_free(struct login **l); /* every pass must have been ended or abandoned */
const char *login_user(const struct login *l);
enum http_auth login_auth(const struct login *l);
enum login_source login_source(const struct login *l);

struct login_ask {
    struct str
        offered; /* a password to be tried instead of the login's own (passthrough, setup); copied. Empty = own */
    bool parked; /* a request that the server holds: takes no slot */
    bool late;   /* ... and may not answer at all for minutes: nobody can wait for its result */
    unsigned patience_s; /* wait at most so long for the end of a back-off, else ERR_THROTTLED with retry_after_s */
};
/* err->code ERR_NONE: `secret` (NULL with LOGIN_NO_SECRET) is valid until login_end(). Otherwise there is no pass, and
 * only login_end() is left to do. ERR_AUTH: no secret, or the guard knows that it is wrong: do not ask the server.
 * ERR_THROTTLED: back-off or guard. ERR_OFFLINE: the secret's source failed (keyring locked), or no server answers; try
 * later. */
typedef void login_cb(void *ud, const struct err *err, const char *secret);
struct login_pass *login_ask(struct login *l, const struct login_ask *opts, login_cb *cb, void *ud);

enum login_result {
    LOGIN_ACCEPTED,  /* an answer that only a signed-in user gets */
    LOGIN_REFUSED,   /* a definite 401, after all legs of the scheme */
    LOGIN_UNANSWERED /* no server, or none that answered */
};
/* Once a pass. True (after LOGIN_REFUSED only): end this pass, ask for another one and repeat the request, up to
 * LOGIN_TRIES_MAX attempts in all. */
bool login_result(struct login_pass *pass, enum login_result result);
void login_end(struct login_pass **pass); /* NULL inside is fine; without a result: nothing was learnt */
/* http_abort() and login_end() for an owner who wants no answer any more. When the request went ahead with an unproven
 * password and is out, it lives on without him until the server's status is known, for LOGIN_SILENCE_MS at most: the
 * others wait for it, and a refusal counts. Else whoever asks and hangs up, again and again, would have a wrong
 * password sent each time, with nobody counting. */
void login_abandon(struct login_pass **pass, struct http_request **request);

/* Puts the next step behind the text of an ERR_AUTH that came of LOGIN_REFUSED. offered: to login_ask's secret; who
 * offered it knows what to do. */
void login_advise(const struct login *l, bool offered, struct err *err);

/* The server asked for a pause (BackOffMilliseconds, Retry-After): nobody of this login sends before it is over. */
void login_throttled(struct login *l, unsigned seconds);
uint64_t login_wait_ms(const struct login *l); /* what is left of it */
/* The user changed something: forget refusals, the secret and the back-off. */
void login_reset(struct login *l);

/* `exbridge login` has a new password (LOGIN_STORED) or new tokens (LOGIN_OAUTH, as oauth_tokens_save writes them):
 * into the vault, and used from now on. OK, WAIT (nothing was done: again after the vault has changed) or FAILED. */
enum login_stored login_store(struct login *l, struct str secret, struct err *err);
/* The user wants this password to be tried although it was refused before (the account was locked, perhaps). The limit
 * of LOGIN_REFUSALS_MAX stands. */
void login_forgive(struct login *l, struct str password);
void login_vault_changed(struct login *l);
/* What keeps this login from working until a person does something, for status; code ERR_NONE = nothing known. */
const struct err *login_problem(const struct login *l);
/* For the trace() of a backend (trace.h): renewals of its login's tokens, too. *t is NULL before and after. */
struct trace;
struct backend_trace;
void login_trace(struct login *l, struct trace **t, const struct backend_trace *to);
/* Who signed in, as the login server calls him; NULL = unknown, or not OAuth. */
const char *login_signed_in(const struct login *l);

#endif
