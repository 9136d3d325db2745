/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of a login: out of the vault, renewed before their time is over (RFC 6749 6), and back into it. */
#include <string.h>

#include "backends/common/login_private.h"
#include "backends/common/oauth_post.h"
#include "backends/common/oauth_trace.h"
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define END_MARGIN_S 30 /* before its end a token is not given out: the way to the server takes time */

/* --- time ---------------------------------------------------------------------------------------- */

static int64_t lifetime_s(const struct oauth_tokens *t)
{
    return t->expires_s > t->issued_s ? t->expires_s - t->issued_s : 0;
}

/* A clock that was set back makes ages meaningless: then it is renewed. */
static bool is_usable(const struct oauth_tokens *t)
{
    int64_t now = time_wall_s(), margin = lifetime_s(t) / 10;
    if (margin > END_MARGIN_S)
        margin = END_MARGIN_S;
    return t->access && now >= t->issued_s && now < t->expires_s - margin;
}

static bool is_due(const struct oauth_tokens *t)
{
    return time_wall_s() - t->issued_s >= lifetime_s(t) * OAUTH_RENEW_PERCENT / 100;
}

/* --- the vault ----------------------------------------------------------------------------------- */

static void say_sign_in(const struct login *l, struct err *err)
{
    struct err why = *err;
    err_set(err, ERR_AUTH, "%s: %s; run: exbridge login %s", l->name, why.text, l->name);
    err->status = why.status;
}

static enum login_fetched load(struct login *l, struct err *err)
{
    struct login_oauth *o = &l->oauth;
    struct buf text = BUF_INIT(0);
    enum login_fetched result = LOGIN_MISSING;
    switch (l->vault.get(l->vault.ud, l->record, &text, err)) {
    case LOGIN_STORED_OK:
        oauth_tokens_done(&o->tokens);
        o->loaded = oauth_tokens_load(&o->tokens, buf_view(&text), err);
        result = o->loaded ? LOGIN_HERE : LOGIN_MISSING;
        if (!o->loaded)
            say_sign_in(l, err);
        break;
    case LOGIN_STORED_NONE:
        err_set(err, ERR_AUTH, "%s: nobody has signed in yet; run: exbridge login %s", l->name, l->name);
        break;
    case LOGIN_STORED_WAIT:
        result = LOGIN_COMING;
        break;
    case LOGIN_STORED_FAILED:
        err_prefix(err, "%s: ", l->name);
        break;
    }
    buf_wipe(&text);
    return result;
}

static enum login_stored save(struct login *l, struct err *err)
{
    struct login_oauth *o = &l->oauth;
    struct buf text = BUF_INIT(0);
    oauth_tokens_save(&o->tokens, &text);
    enum login_stored result = l->vault.put(l->vault.ud, l->record, buf_view(&text), err);
    buf_wipe(&text);
    if (result == LOGIN_STORED_OK)
        o->unsaved = false;
    return result;
}

/* What is not on the disk must not be used: a crash would leave us with what the server takes for spent. */
static enum login_fetched settle(struct login *l, struct err *err)
{
    if (!l->oauth.unsaved)
        return LOGIN_HERE;
    enum login_stored result = save(l, err);
    if (result == LOGIN_STORED_OK)
        return LOGIN_HERE;
    if (result == LOGIN_STORED_WAIT)
        return LOGIN_COMING;
    err_prefix(err, "%s: the new token cannot be stored, and so not be used: ", l->name);
    if (err->code == ERR_DISK)
        err->code = ERR_OFFLINE; /* it is tried again and again: as soon as there is room, all goes on */
    return LOGIN_MISSING;
}

/* --- renewal ------------------------------------------------------------------------------------- */

static void take_renewed(struct login *l, struct oauth_tokens *fresh)
{
    struct login_oauth *o = &l->oauth;
    if (!fresh->refresh) { /* the old one stays good (RFC 6749 6) */
        fresh->refresh = o->tokens.refresh;
        o->tokens.refresh = NULL;
    }
    if (!fresh->user) {
        fresh->user = o->tokens.user;
        o->tokens.user = NULL;
    }
    fresh->scope = o->tokens.scope;
    o->tokens.scope = NULL;
    oauth_tokens_done(&o->tokens);
    o->tokens = *fresh;
    *fresh = (struct oauth_tokens){0};
    o->unsaved = true;
    o->failures = 0;
    o->later_ms = 0;
    struct err err = {0};
    crash_point("oauth.answered");
    enum login_fetched result = settle(l, &err);
    crash_point("oauth.stored");
    log_debug("login", l->name, "token renewed");
    if (result == LOGIN_HERE)
        login_set_secret(l, mem_strdup(o->tokens.access), false);
    else if (result == LOGIN_MISSING && l->secret)
        log_warn("login", l->name, "%s", err.text); /* else who asks is told */
}

static void put_off(struct login *l, const struct err *err)
{
    struct login_oauth *o = &l->oauth;
    unsigned wait_s = OAUTH_RETRY_MIN_S << (o->failures < 8 ? o->failures : 8);
    if (err->retry_after_s > wait_s)
        wait_s = err->retry_after_s;
    if (wait_s > OAUTH_RETRY_MAX_S)
        wait_s = OAUTH_RETRY_MAX_S;
    o->failures++;
    o->later = *err;
    o->later.retry_after_s = wait_s;
    o->later_ms = time_mono_ms() + (uint64_t)wait_s * 1000;
    log_debug("login", l->name, "token not renewed, again in %u s: %s", wait_s, err->text);
}

/* Another program of ours (doctor, beside the daemon) may have renewed them: then the refresh token we know is spent,
 * and what it stored counts. */
static bool adopt_newer(struct login *l)
{
    struct login_oauth *o = &l->oauth;
    struct oauth_tokens stored = {0};
    struct buf text = BUF_INIT(0);
    bool news = !o->unsaved && l->vault.get(l->vault.ud, l->record, &text, NULL) == LOGIN_STORED_OK &&
                oauth_tokens_load(&stored, buf_view(&text), NULL) && stored.refresh &&
                (!o->tokens.refresh || strcmp(stored.refresh, o->tokens.refresh) != 0);
    buf_wipe(&text);
    if (news) {
        oauth_tokens_done(&o->tokens);
        o->tokens = stored;
    } else {
        oauth_tokens_done(&stored);
    }
    return news;
}

static void give_up(struct login *l, const struct err *err)
{
    struct login_oauth *o = &l->oauth;
    o->over = *err;
    say_sign_in(l, &o->over);
    if (l->secret)
        log_warn("login", l->name, "%s", o->over.text);
}

static void on_done(void *ud, struct http_request *req, const struct err *err)
{
    struct login *l = ud;
    struct login_oauth *o = &l->oauth;
    struct oauth_answer answer = {0};
    if (err->code != ERR_NONE) {
        answer.verdict = OAUTH_LATER;
        answer.err = *err;
    } else {
        oauth_read_answer(http_status(req), buf_view(&o->answer), o->asked_s, &answer);
        answer.err.retry_after_s = http_retry_after_s(req);
    }
    o->request = NULL;
    buf_wipe(&o->answer);
    switch (answer.verdict) {
    case OAUTH_TOKENS:
        take_renewed(l, &answer.tokens);
        break;
    case OAUTH_SIGN_IN:
    case OAUTH_MISCONFIGURED:
    case OAUTH_PENDING:
    case OAUTH_SLOW_DOWN:
        if (!adopt_newer(l))
            give_up(l, &answer.err);
        break;
    case OAUTH_LATER:
        put_off(l, &answer.err);
        break;
    }
    oauth_tokens_done(&answer.tokens);
    l->read_err = (struct err){0};
    login_wake(l);
}

static bool on_body(void *ud, struct http_request *req, struct str bytes)
{
    struct login *l = ud;
    (void)req;
    return buf_str(&l->oauth.answer, bytes);
}

static void ask_for_tokens(struct login *l)
{
    static const struct http_events events = {.on_body = on_body, .on_done = on_done};
    struct login_oauth *o = &l->oauth;
    struct buf body = BUF_INIT(0);
    struct oauth_config config = o->config;
    if (o->tokens.scope)
        config.scope = o->tokens.scope; /* more was not granted, even if the configuration has changed since */
    oauth_add_refresh_body(&body, &config, o->tokens.refresh);
    buf_init(&o->answer, OAUTH_ANSWER_MAX);
    o->asked_s = time_wall_s();
    o->request = oauth_post(o->http, &config, "token", buf_view(&body), &events, l);
    buf_wipe(&body);
}

/* Afterwards a renewal is under way, or a newer token is in use. */
static void renew(struct login *l)
{
    struct login_oauth *o = &l->oauth;
    if (adopt_newer(l) && is_usable(&o->tokens))
        login_set_secret(l, mem_strdup(o->tokens.access), false);
    else
        ask_for_tokens(l);
}

static bool may_renew(const struct login *l)
{
    const struct login_oauth *o = &l->oauth;
    return o->loaded && !o->request && !o->unsaved && o->over.code == ERR_NONE && o->tokens.refresh &&
           time_mono_ms() >= o->later_ms;
}

/* --- for the rest of the login ------------------------------------------------------------------- */

enum login_fetched login_oauth_fetch(struct login *l, struct err *err)
{
    struct login_oauth *o = &l->oauth;
    if (o->request)
        return LOGIN_COMING;
    enum login_fetched result = o->loaded ? settle(l, err) : load(l, err);
    if (result != LOGIN_HERE)
        return result;
    if (is_usable(&o->tokens)) {
        login_set_secret(l, mem_strdup(o->tokens.access), false);
        return LOGIN_HERE;
    }
    if (may_renew(l)) {
        renew(l);
        return l->secret ? LOGIN_HERE : LOGIN_COMING;
    }
    if (o->over.code != ERR_NONE) {
        *err = o->over;
    } else if (!o->tokens.refresh) {
        err_set(err, ERR_AUTH,
                "the token has expired, and there is no refresh token (is offline_access in oauth-scope?)");
        say_sign_in(l, err);
    } else {
        *err = o->later;
        err_prefix(err, "%s: the token cannot be renewed now: ", l->name);
    }
    return LOGIN_MISSING;
}

void login_oauth_tend(struct login *l)
{
    struct login_oauth *o = &l->oauth;
    if (!l->secret || !o->loaded || o->unsaved)
        return;
    if (!is_usable(&o->tokens))
        login_drop_secret(l);
    else if (is_due(&o->tokens) && may_renew(l))
        renew(l);
}

bool login_oauth_refused(struct login *l)
{
    struct login_oauth *o = &l->oauth;
    bool again = !o->forced;
    o->forced = true;
    login_drop_secret(l);
    mem_wipe_free(o->tokens.access);
    o->tokens.access = NULL;
    return again;
}

enum login_stored login_oauth_store(struct login *l, struct str json, struct err *err)
{
    struct login_oauth *o = &l->oauth;
    struct oauth_tokens tokens;
    if (!oauth_tokens_load(&tokens, json, err))
        return LOGIN_STORED_FAILED;
    enum login_stored result = l->vault.put(l->vault.ud, l->record, json, err);
    if (result != LOGIN_STORED_OK) {
        oauth_tokens_done(&tokens);
        return result;
    }
    http_abort(&o->request); /* it renews what is no longer wanted */
    buf_wipe(&o->answer);
    oauth_tokens_done(&o->tokens);
    o->tokens = tokens;
    o->loaded = true;
    o->unsaved = false;
    return LOGIN_STORED_OK;
}

void login_oauth_reset(struct login *l)
{
    struct login_oauth *o = &l->oauth;
    if (!o->unsaved && !o->request)
        o->loaded = false; /* somebody may have put other tokens there */
    o->forced = false;
    o->over = (struct err){0};
    o->later_ms = 0;
    o->failures = 0;
}

void login_oauth_open(struct login *l, const struct login_opts *opts)
{
    struct login_oauth *o = &l->oauth;
    o->config = (struct oauth_config){
        .host = mem_strdup(opts->oauth.host),
        .tenant = mem_strdup(opts->oauth.tenant),
        .client_id = mem_strdup(opts->oauth.client_id),
        .scope = mem_strdup(opts->oauth.scope),
        .user = mem_strdup(opts->oauth.user),
    };
    o->http = http_client_new(l->loop, &opts->oauth_http);
}

void login_oauth_close(struct login *l)
{
    struct login_oauth *o = &l->oauth;
    http_abort(&o->request);
    buf_wipe(&o->answer);
    http_client_free(&o->http);
    oauth_tokens_done(&o->tokens);
    mem_free((char *)o->config.host);
    mem_free((char *)o->config.tenant);
    mem_free((char *)o->config.client_id);
    mem_free((char *)o->config.scope);
    mem_free((char *)o->config.user);
}

void login_trace(struct login *l, struct trace **t, const struct backend_trace *to)
{
    if (l->source == LOGIN_OAUTH)
        trace_replace(t, l->oauth.http, &oauth_trace_format, to);
}

const char *login_signed_in(const struct login *l)
{
    return l->oauth.tokens.user;
}
