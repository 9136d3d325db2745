/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/oauth_signin.h"

#include <string.h>

#include "backends/common/oauth_port.h"
#include "backends/common/oauth_post.h"
#include "backends/common/oauth_trace.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/io/crypto.h"

#define STATE_SIZE 32 /* hexadecimal digits: 128 random bits */

struct oauth_signin {
    struct loop *loop;
    struct oauth_signin_opts opts;
    struct http_client *http;
    struct trace *trace; /* NULL: nobody looks on */
    struct http_request *request;
    struct buf answer;
    int64_t asked_s;
    struct timer *timer; /* the end of all patience; between two polls */
    struct deferred deferred;
    struct err err;    /* what on_deferred tells */
    struct buf prompt; /* the URL for the browser, until on_deferred shows it */
    /* with a browser */
    struct oauth_port *port;
    struct oauth_pkce pkce;
    char state[STATE_SIZE + 1];
    struct buf redirect_uri;
    /* by device code */
    struct oauth_device device;
    uint64_t device_ends_ms;
    unsigned failures; /* of polls, in a row */
};

/* --- the end ------------------------------------------------------------------------------------- */

static void finish(struct oauth_signin *s, const struct err *err, const struct oauth_tokens *tokens)
{
    timer_stop(s->timer);
    oauth_port_free(&s->port);
    s->opts.on_done(s->opts.ud, err, tokens);
}

static void finish_err(struct oauth_signin *s, const struct err *err)
{
    finish(s, err, &(struct oauth_tokens){0});
}

static bool check_tokens(const struct oauth_signin *s, struct oauth_tokens *t, struct err *err)
{
    const char *user = s->opts.config->user;
    t->scope = mem_strdup(s->opts.config->scope);
    if (!t->refresh)
        return err_set(err, ERR_INVALID,
                       "the login server gave no refresh token; offline_access must be in oauth-scope, and the app be "
                       "allowed to have it");
    if (t->user && user && strchr(user, '@') && !str_case_is(str_from(t->user), user))
        return err_set(
            err, ERR_DENIED,
            "it was %s who signed in, and not %s; sign in as that user, or write user = %s if both are the same",
            t->user, user, t->user);
    return true;
}

/* --- asking the login server --------------------------------------------------------------------- */

typedef void answer_fn(struct oauth_signin *s, int status, struct str body, unsigned retry_after_s);
static answer_fn on_code_answer, on_device_answer, on_poll_answer;

static bool on_body(void *ud, struct http_request *req, struct str bytes)
{
    struct oauth_signin *s = ud;
    (void)req;
    return buf_str(&s->answer, bytes);
}

static void hand_over(struct oauth_signin *s, struct http_request *req, answer_fn *fn)
{
    struct buf answer = s->answer;
    unsigned retry_after_s = http_retry_after_s(req);
    int status = http_status(req);
    s->answer = (struct buf){0};
    s->request = NULL;
    fn(s, status, buf_view(&answer), retry_after_s); /* may be the end of `s` */
    buf_wipe(&answer);
}

static void on_code_done(void *ud, struct http_request *req, const struct err *err)
{
    struct oauth_signin *s = ud;
    if (err->code == ERR_NONE) {
        hand_over(s, req, on_code_answer);
        return;
    }
    s->request = NULL;
    finish_err(s, err);
}

static void on_device_done(void *ud, struct http_request *req, const struct err *err)
{
    struct oauth_signin *s = ud;
    if (err->code == ERR_NONE) {
        hand_over(s, req, on_device_answer);
        return;
    }
    s->request = NULL;
    finish_err(s, err);
}

static void poll_again(struct oauth_signin *s);

/* A network that is away for a moment ends nothing (RFC 8628 3.5). */
static void on_poll_done(void *ud, struct http_request *req, const struct err *err)
{
    struct oauth_signin *s = ud;
    if (err->code == ERR_NONE) {
        hand_over(s, req, on_poll_answer);
        return;
    }
    s->request = NULL;
    s->failures++;
    poll_again(s);
}

static void post(struct oauth_signin *s, const char *what, struct str body,
                 void (*on_done)(void *ud, struct http_request *req, const struct err *err))
{
    const struct http_events events = {.on_body = on_body, .on_done = on_done};
    buf_wipe(&s->answer);
    buf_init(&s->answer, OAUTH_ANSWER_MAX);
    s->asked_s = time_wall_s();
    s->request = oauth_post(s->http, s->opts.config, what, body, &events, s);
}

/* --- with a browser ------------------------------------------------------------------------------ */

static void on_code_answer(struct oauth_signin *s, int status, struct str body, unsigned retry_after_s)
{
    struct oauth_answer a;
    (void)retry_after_s;
    oauth_read_answer(status, body, s->asked_s, &a);
    if (a.verdict == OAUTH_TOKENS)
        check_tokens(s, &a.tokens, &a.err);
    finish(s, &a.err, &a.tokens);
    oauth_tokens_done(&a.tokens);
}

static void redeem(struct oauth_signin *s, struct str code)
{
    struct buf body = BUF_INIT(0);
    oauth_add_code_body(&body, s->opts.config, code, buf_z(&s->redirect_uri), &s->pkce);
    mem_wipe(&s->pkce, sizeof(s->pkce));
    post(s, "token", buf_view(&body), on_code_done);
    buf_wipe(&body);
}

/* The state is ours: the answer counts, and no second one will. */
static bool take_redirect(struct oauth_signin *s, struct oauth_redirect *r)
{
    if (s->request || s->err.code != ERR_NONE || !s->state[0] || !crypto_equal(buf_view(&r->state), str_from(s->state)))
        return false;
    s->state[0] = '\0';
    if (s->trace)
        oauth_trace_redirect(s->trace, r);
    if (r->code.n) {
        redeem(s, buf_view(&r->code));
    } else {
        oauth_read_refusal(buf_view(&r->error), buf_view(&r->description), &s->err);
        loop_defer(s->loop, &s->deferred); /* the browser gets its page first */
    }
    return true;
}

static bool on_redirect(void *ud, struct oauth_redirect *r)
{
    return take_redirect(ud, r);
}

bool oauth_signin_paste(struct oauth_signin *s, struct str line, struct err *err)
{
    struct oauth_redirect r;
    bool ok = false;
    if (s->opts.device || oauth_read_pasted(line, &r) != OAUTH_REDIRECT_ANSWER)
        err_set(err, ERR_INVALID, "that is not the address which the browser shows at the end of the sign-in");
    else if (!(ok = take_redirect(s, &r)))
        err_set(err, ERR_INVALID, "that is the address of another sign-in");
    if (!s->opts.device)
        oauth_redirect_done(&r);
    return ok;
}

static void begin_with_browser(struct oauth_signin *s)
{
    struct buf state = BUF_INIT(0);
    rand_add_hex(&state, STATE_SIZE / 2);
    memcpy(s->state, buf_z(&state), STATE_SIZE + 1);
    buf_done(&state);
    oauth_pkce_new(&s->pkce);
    s->port = oauth_port_new(s->loop, on_redirect, s, &s->err);
    if (s->port) {
        /* Not 127.0.0.1: Entra lets a registered http://localhost have any port. */
        buf_printf(&s->redirect_uri, "http://localhost:%u", oauth_port_number(s->port));
        oauth_add_authorize_url(&s->prompt, s->opts.config, buf_z(&s->redirect_uri), s->state, &s->pkce);
        timer_start(s->timer, (uint64_t)OAUTH_SIGNIN_S * 1000);
    }
    loop_defer(s->loop, &s->deferred);
}

/* --- by device code ------------------------------------------------------------------------------ */

static void ask_for_device(struct oauth_signin *s)
{
    struct buf body = BUF_INIT(0);
    oauth_add_device_body(&body, s->opts.config);
    post(s, "devicecode", buf_view(&body), on_device_done);
    buf_done(&body);
}

static void on_device_answer(struct oauth_signin *s, int status, struct str body, unsigned retry_after_s)
{
    struct err err;
    (void)retry_after_s;
    if (!oauth_read_device(status, body, &s->device, &err)) {
        finish_err(s, &err);
        return;
    }
    s->device_ends_ms = time_mono_ms() + (uint64_t)s->device.expires_s * 1000;
    poll_again(s);
    s->opts.on_prompt(s->opts.ud, &(struct oauth_prompt){s->device.url, s->device.user_code});
}

static void poll_again(struct oauth_signin *s)
{
    unsigned shift = s->failures < 4 ? s->failures : 4;
    timer_start(s->timer, (uint64_t)s->device.interval_s * 1000 << shift);
}

static void on_poll_answer(struct oauth_signin *s, int status, struct str body, unsigned retry_after_s)
{
    struct oauth_answer a;
    oauth_read_answer(status, body, s->asked_s, &a);
    switch (a.verdict) {
    case OAUTH_SLOW_DOWN:
        s->device.interval_s += OAUTH_DEVICE_SLOWER_S;
        poll_again(s);
        return;
    case OAUTH_PENDING:
        s->failures = 0;
        poll_again(s);
        return;
    case OAUTH_LATER:
        s->failures++;
        if (retry_after_s > s->device.interval_s && retry_after_s < OAUTH_SIGNIN_S)
            s->device.interval_s = retry_after_s;
        poll_again(s);
        return;
    case OAUTH_TOKENS:
        check_tokens(s, &a.tokens, &a.err);
        break;
    case OAUTH_SIGN_IN:
    case OAUTH_MISCONFIGURED:
        break;
    }
    finish(s, &a.err, &a.tokens);
    oauth_tokens_done(&a.tokens);
}

static void poll_now(struct oauth_signin *s)
{
    struct buf body = BUF_INIT(0);
    oauth_add_poll_body(&body, s->opts.config, s->device.device_code);
    post(s, "token", buf_view(&body), on_poll_done);
    buf_wipe(&body);
}

/* --- life ---------------------------------------------------------------------------------------- */

static void on_timer(void *ud)
{
    struct oauth_signin *s = ud;
    if (s->opts.device && time_mono_ms() < s->device_ends_ms) {
        poll_now(s);
        return;
    }
    struct err err;
    err_set(&err, ERR_AUTH, "nobody signed in in time");
    finish_err(s, &err);
}

static void on_deferred(void *ud)
{
    struct oauth_signin *s = ud;
    if (s->err.code != ERR_NONE) {
        struct err err = s->err;
        finish_err(s, &err);
    } else if (s->prompt.n) {
        struct buf url = s->prompt;
        s->prompt = (struct buf){0};
        if (s->trace)
            oauth_trace_authorize(s->trace, buf_z(&url));
        s->opts.on_prompt(s->opts.ud, &(struct oauth_prompt){.url = buf_z(&url)});
        buf_wipe(&url);
    }
}

struct oauth_signin *oauth_signin_new(struct loop *loop, const struct oauth_signin_opts *opts)
{
    struct oauth_signin *s = MEM_NEW(struct oauth_signin);
    s->loop = loop;
    s->opts = *opts;
    s->timer = timer_new(loop, on_timer, s);
    deferred_init(&s->deferred, on_deferred, s);
    s->http = http_client_new(loop, opts->http);
    trace_replace(&s->trace, s->http, &oauth_trace_format, opts->trace);
    if (opts->device)
        ask_for_device(s);
    else
        begin_with_browser(s);
    return s;
}

void oauth_signin_free(struct oauth_signin **signin)
{
    struct oauth_signin *s = *signin;
    *signin = NULL;
    if (!s)
        return;
    http_abort(&s->request);
    trace_free(&s->trace);
    http_client_free(&s->http);
    oauth_port_free(&s->port);
    timer_free(&s->timer);
    loop_defer_cancel(&s->deferred);
    oauth_device_done(&s->device);
    buf_wipe(&s->answer);
    buf_wipe(&s->prompt);
    buf_done(&s->redirect_uri);
    mem_wipe(s, sizeof(*s));
    mem_free(s);
}
