/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_OAUTH_H
#define BACKENDS_COMMON_OAUTH_H
/*
 * The words of OAuth 2.0 as a public client speaks them: addresses, request bodies, and what an authorization server's
 * answers mean (RFC 6749; PKCE RFC 7636; native apps RFC 8252; device code RFC 8628; id token OpenID Connect Core 1.0).
 * Pure: nothing here talks to anybody. oauth_signin.h gets the first tokens, login_oauth.c keeps them fresh.
 *
 * Tokens are secrets: no function here puts one into an error text, and what held one is wiped.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define OAUTH_ANSWER_MAX      ((size_t)256 << 10) /* bytes of an answer of the login server */
#define OAUTH_TOKEN_MAX       ((size_t)64 << 10)  /* bytes of a token */
#define OAUTH_LIFETIME_S      3600                /* of an access token that comes without expires_in */
#define OAUTH_LIFETIME_MAX_S  (7 * 24 * 3600)
#define OAUTH_VERIFIER_SIZE   43 /* characters of 256 random bits (RFC 7636 4.1) */
#define OAUTH_DEVICE_CODE_S   900
#define OAUTH_DEVICE_POLL_S   5                       /* RFC 8628 3.2: where the server names no interval */
#define OAUTH_DEVICE_SLOWER_S 5                       /* RFC 8628 3.5: added for each slow_down */
#define OAUTH_SCOPE_EWS       "/EWS.AccessAsUser.All" /* behind the cloud's resource (autodiscover_rules.h) */
#define OAUTH_SCOPE_EAS       "/EAS.AccessAsUser.All"
#define OAUTH_SCOPE_FOR_ALL   "offline_access openid profile" /* a refresh token; and who it was that signed in */

struct oauth_config { /* strings are borrowed */
    const char *host; /* of the login server; or http://127.0.0.1:PORT, for a test */
    const char *tenant;
    const char *client_id;
    const char *scope; /* separated by blanks */
    const char *user;  /* who is to sign in: a hint for the server; NULL = not known */
};

/* "authorize", "token", "devicecode". The tenant "adfs" has addresses of its own (AD FS has no v2.0 in them). */
void oauth_add_url(struct buf *out, const struct oauth_config *c, const char *what);

struct oauth_pkce {
    char verifier[OAUTH_VERIFIER_SIZE + 1];
    char challenge[OAUTH_VERIFIER_SIZE + 1]; /* S256: base64url of its SHA-256 */
};
void oauth_pkce_new(struct oauth_pkce *ret_pkce);
/* What the browser opens (RFC 6749 4.1.1). */
void oauth_add_authorize_url(struct buf *out, const struct oauth_config *c, const char *redirect_uri, const char *state,
                             const struct oauth_pkce *pkce);

/* Bodies of POST requests, application/x-www-form-urlencoded. */
void oauth_add_code_body(struct buf *out, const struct oauth_config *c, struct str code, const char *redirect_uri,
                         const struct oauth_pkce *pkce);
void oauth_add_refresh_body(struct buf *out, const struct oauth_config *c, const char *refresh_token);
void oauth_add_device_body(struct buf *out, const struct oauth_config *c);
void oauth_add_poll_body(struct buf *out, const struct oauth_config *c, const char *device_code);

struct oauth_tokens {            /* owns its strings; a zeroed one is empty */
    char *access, *refresh;      /* refresh: NULL where an answer had none (the old one stays good) */
    char *user;                  /* from the id token: how the server calls who signed in; NULL = not told */
    char *scope;                 /* that they were asked for with, and are to be renewed with; NULL = not known */
    int64_t issued_s, expires_s; /* of `access`, by our clock */
};
void oauth_tokens_done(struct oauth_tokens *t); /* wipes */
/* As JSON, for the secret store. */
void oauth_tokens_save(const struct oauth_tokens *t, struct buf *out);
bool oauth_tokens_load(struct oauth_tokens *ret_tokens, struct str json, struct err *err);

enum oauth_verdict {
    OAUTH_TOKENS,        /* tokens is filled */
    OAUTH_PENDING,       /* device code: not yet */
    OAUTH_SLOW_DOWN,     /* device code: not yet, and ask less often */
    OAUTH_SIGN_IN,       /* only a person can help: by signing in again. ERR_AUTH */
    OAUTH_MISCONFIGURED, /* client id, tenant, scope or host are wrong. ERR_INVALID */
    OAUTH_LATER          /* the server, or what stands before it, fails: the tokens are as good as before */
};
struct oauth_answer {
    enum oauth_verdict verdict;
    struct err err; /* unless OAUTH_TOKENS */
    struct oauth_tokens tokens;
};
/* What the token endpoint said. `now_s`: the wall clock when it was asked. */
void oauth_read_answer(int status, struct str body, int64_t now_s, struct oauth_answer *ret_answer);
/* A refusal at the authorize endpoint, as it comes back by redirect (RFC 6749 4.1.2.1). */
void oauth_read_refusal(struct str error, struct str description, struct err *ret_err);

struct oauth_device {  /* owns its strings */
    char *device_code; /* a secret */
    char *user_code, *url;
    unsigned expires_s, interval_s;
};
bool oauth_read_device(int status, struct str body, struct oauth_device *ret_device, struct err *err);
void oauth_device_done(struct oauth_device *d);

/* --- the browser's way back ------------------------------------------------------------------------------------- */

/* The answer of the authorize endpoint, out of the request line of a browser, or out of an address that was pasted. */
struct oauth_redirect { /* owns its buffers */
    struct buf code, state, error, description;
};
enum oauth_redirect_kind {
    OAUTH_REDIRECT_NOT,    /* something else (a favicon): answer 404 and go on waiting */
    OAUTH_REDIRECT_ANSWER, /* code and state, or error and state */
    OAUTH_REDIRECT_BAD     /* answer 400 */
};
/* `head`: an HTTP request's header block (or its first line). Only GET / with HTTP/1.x, a Host of loopback. */
enum oauth_redirect_kind oauth_read_redirect(struct str head, unsigned port, struct oauth_redirect *ret_redirect);
/* `line`: an address such as http://localhost:1234/?code=...&state=... */
enum oauth_redirect_kind oauth_read_pasted(struct str line, struct oauth_redirect *ret_redirect);
void oauth_redirect_done(struct oauth_redirect *r);

#endif
