/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_OAUTH_SIGNIN_H
#define BACKENDS_COMMON_OAUTH_SIGNIN_H
/*
 * A person signs in, and we get the first tokens.
 *
 *   with a browser (RFC 6749 4.1, RFC 7636, RFC 8252): on_prompt(url) -> the browser, wherever it runs, comes back to a
 *       port of this machine (127.0.0.1 and ::1, any free one), or its last address is pasted -> on_done
 *   by device code (RFC 8628): on_prompt(url, code) -> on_done. For machines without any browser; organisations often
 *       forbid it.
 *
 * The port answers GET / with the right state, once, and nothing else; it closes with the answer, or after
 * OAUTH_SIGNIN_S. on_done comes exactly once, never from inside a call, unless oauth_signin_free() comes first.
 */
#include "backends/common/oauth.h"
#include "bridge/backend.h"
#include "bridge/io/http.h"
#include "bridge/io/loop.h"

#define OAUTH_SIGNIN_S     300                /* for the whole of it; a device code has its own time */
#define OAUTH_REQUEST_MAX  ((size_t)64 << 10) /* bytes of a browser's request: a code can be long, so can cookies */
#define OAUTH_VISITORS_MAX 16
#define OAUTH_VISITOR_MS   10000

struct oauth_prompt {
    const char *url;       /* to be opened */
    const char *user_code; /* to be entered there; NULL with a browser */
};

struct oauth_signin_opts {             /* what it points to must outlive the sign-in */
    const struct oauth_config *config; /* user: whoever signs in must be him, when the server says who it was */
    const struct http_client_opts *http;
    bool device;
    const struct backend_trace *trace; /* exbridge login --trace; NULL: nobody looks on */
    void (*on_prompt)(void *ud, const struct oauth_prompt *prompt);
    /* err->code ERR_NONE: tokens are valid until it returns. ERR_AUTH: nobody signed in, or it was declined. */
    void (*on_done)(void *ud, const struct err *err, const struct oauth_tokens *tokens);
    void *ud;
};
struct oauth_signin;
struct oauth_signin *oauth_signin_new(struct loop *loop, const struct oauth_signin_opts *opts);
/* The address that the browser could not open (it runs elsewhere). False: that is none, or of another sign-in; err says
 * so, and the sign-in goes on. */
bool oauth_signin_paste(struct oauth_signin *s, struct str line, struct err *err);
void oauth_signin_free(struct oauth_signin **s); /* NULL inside is fine */

#endif
