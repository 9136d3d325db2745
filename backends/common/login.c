/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/login.h"

#include <assert.h>

#include "backends/common/login_private.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"

struct login_pass {
    struct list link;
    struct login *login;
    login_cb *cb;
    void *ud;
    char *offered;
    bool parked, late, granted, told, resolved;
    bool forsaken; /* it waited for one that had no answer for long */
    unsigned patience_s, serial;
    char *value;                    /* what was handed out */
    struct http_request *abandoned; /* login_abandon() */
    struct timer *silence;
};

void login_wake(struct login *l)
{
    loop_defer(l->loop, &l->deferred);
}

/* --- the guard ----------------------------------------------------------------------------------- */

static bool is_guarded(const struct login *l)
{
    return l->auth == HTTP_AUTH_BASIC || l->auth == HTTP_AUTH_NTLM;
}

static struct crypto_hash fingerprint(const struct login *l, const char *secret)
{
    return crypto_hmac_sha256(str_of(l->key.b, sizeof(l->key.b)), str_from(secret));
}

static void remember_refused(struct login *l, const char *secret)
{
    l->refused[l->refused_count++ % REFUSED_KEPT] = fingerprint(l, secret);
    if (l->refusals == LOGIN_REFUSALS_MAX) {
        memmove(l->refusals_ms, l->refusals_ms + 1, sizeof(l->refusals_ms) - sizeof(l->refusals_ms[0]));
        l->refusals--;
    }
    l->refusals_ms[l->refusals++] = time_mono_ms();
}

static bool was_refused(const struct login *l, const char *secret)
{
    struct crypto_hash hash = fingerprint(l, secret);
    size_t n = l->refused_count < REFUSED_KEPT ? l->refused_count : REFUSED_KEPT;
    for (size_t i = 0; i < n; i++)
        if (memcmp(l->refused[i].b, hash.b, sizeof(hash.b)) == 0)
            return true;
    return false;
}

/* May this secret go to the server? One that it has accepted before is not held back by what others guessed. */
static bool guard_allows(const struct login *l, const char *secret, bool proven, struct err *err)
{
    if (was_refused(l, secret))
        return err_set(err, ERR_AUTH, "%s: the server has refused this %s; it is not sent again", l->name,
                       is_guarded(l) ? "password" : "token");
    if (!is_guarded(l) || proven || l->refusals < LOGIN_REFUSALS_MAX)
        return true;
    uint64_t age_ms = time_mono_ms() - l->refusals_ms[0], span_ms = (uint64_t)LOGIN_REFUSALS_S * 1000;
    if (age_ms >= span_ms)
        return true;
    unsigned left_s = (unsigned)((span_ms - age_ms + 999) / 1000);
    err_set(err, ERR_THROTTLED,
            "%s: %d wrong passwords within %d minutes; waiting %u s, so that the account is not locked", l->name,
            LOGIN_REFUSALS_MAX, LOGIN_REFUSALS_S / 60, left_s);
    err->retry_after_s = left_s;
    return false;
}

/* --- giving passes out --------------------------------------------------------------------------- */

static void tell(struct login_pass *p, const struct err *err)
{
    list_remove(&p->link);
    list_append(&p->login->granted, &p->link);
    p->told = true;
    p->cb(p->ud, err, p->value);
}

static void grant(struct login_pass *p, const char *secret, bool trial)
{
    struct login *l = p->login;
    struct err none = {.code = ERR_NONE};
    p->granted = true;
    p->serial = l->serial;
    p->value = mem_strdup(secret);
    if (trial) {
        l->trial = p;
        l->trial_ms = time_mono_ms();
    }
    if (!p->parked)
        l->running++;
    tell(p, &none);
}

/* How long the others still wait for the one that went ahead. A parked request that was not refused by then waits at
 * the server, and may do so for minutes. */
static uint64_t trial_left_ms(const struct login *l)
{
    if (!l->trial)
        return 0;
    if (!l->trial->late)
        return UINT64_MAX;
    uint64_t age_ms = time_mono_ms() - l->trial_ms;
    return age_ms < LOGIN_SILENCE_MS ? LOGIN_SILENCE_MS - age_ms : 0;
}

/* Who may have to wait for minutes lets them go ahead who will know at once whether the secret is good. */
static bool gives_way(const struct login_pass *p)
{
    struct login *l = p->login;
    LIST_EACH (&l->waiting, link) {
        const struct login_pass *other = LIST_ITEM(link, struct login_pass, link);
        if (p->late && !other->late && !other->offered)
            return true;
    }
    return false;
}

/* True: something was said to the pass's owner, who may have changed everything. */
static bool serve(struct login_pass *p)
{
    struct login *l = p->login;
    struct err err;
    if (p->forsaken) {
        err_set(&err, ERR_OFFLINE, "%s: the server did not answer the request that went ahead", l->name);
        tell(p, &err);
        return true;
    }
    if (!p->parked && l->max_requests && l->running >= l->max_requests)
        return false;
    if (l->source == LOGIN_OAUTH)
        login_oauth_tend(l);
    const char *secret = p->offered ? p->offered : l->secret;
    if (l->source == LOGIN_NO_SECRET && !p->offered) {
        grant(p, NULL, false);
        return true;
    }
    bool fresh = !is_guarded(l) || p->late || time_mono_ms() - l->accepted_ms < LOGIN_FRESH_MS;
    if (!p->offered && l->proven && fresh) {
        grant(p, secret, false);
        return true;
    }
    if (!secret) {
        enum login_fetched fetched = login_fetch(l, &err);
        if (fetched == LOGIN_MISSING) {
            tell(p, &err);
            return true;
        }
        if (fetched == LOGIN_COMING)
            return false;
        secret = l->secret;
    }
    if (trial_left_ms(l) || gives_way(p))
        return false;
    if (!guard_allows(l, secret, !p->offered && l->proven, &err)) {
        if (!p->offered && err.code == ERR_AUTH) {
            login_drop_secret(l);
            l->refused_ms = time_mono_ms();
        }
        tell(p, &err);
        return true;
    }
    grant(p, secret, true);
    return true;
}

static bool serve_somebody(struct login *l, uint64_t wait_ms)
{
    LIST_EACH (&l->waiting, link) {
        struct login_pass *p = LIST_ITEM(link, struct login_pass, link);
        if (wait_ms == 0) {
            if (serve(p))
                return true;
        } else if (wait_ms > (uint64_t)p->patience_s * 1000) {
            struct err err;
            err_set(&err, ERR_THROTTLED, "%s: the server asked for a pause", l->name);
            err.retry_after_s = (unsigned)((wait_ms + 999) / 1000);
            tell(p, &err);
            return true;
        }
    }
    return false;
}

static void advance(void *ud)
{
    struct login *l = ud;
    while (serve_somebody(l, login_wait_ms(l)))
        ;
    uint64_t backoff_ms = login_wait_ms(l), wait_ms = backoff_ms ? backoff_ms : trial_left_ms(l);
    if (wait_ms && wait_ms != UINT64_MAX && !list_empty(&l->waiting))
        timer_start(l->timer, wait_ms);
}

struct login_pass *login_ask(struct login *l, const struct login_ask *opts, login_cb *cb, void *ud)
{
    struct login_pass *p = MEM_NEW(struct login_pass);
    p->login = l;
    p->cb = cb;
    p->ud = ud;
    p->parked = opts->parked;
    p->late = opts->late;
    p->patience_s = opts->patience_s;
    p->offered = opts->offered.n ? str_dup(opts->offered) : NULL;
    list_append(&l->waiting, &p->link);
    login_wake(l);
    return p;
}

/* --- what the server said ------------------------------------------------------------------------ */

/* An answer to the secret of before, which came late, says nothing of the one that is being read or renewed. */
static void accepted(struct login_pass *p)
{
    struct login *l = p->login;
    bool current = !p->offered && p->serial == l->serial && (l->secret || l->source == LOGIN_NO_SECRET);
    l->refusals = 0; /* the directory forgets failures too when a sign-in succeeds */
    if (p->offered && l->source == LOGIN_PASSTHROUGH) {
        login_set_secret(l, mem_strdup(p->offered), true);
        current = true;
    }
    if (!current)
        return;
    l->proven = l->secret != NULL;
    l->accepted_ms = time_mono_ms();
    l->problem = (struct err){.code = ERR_NONE};
    l->doubted = false;
    l->oauth.forced = false;
}

/* Nothing is left to be tried. */
static bool believe(struct login *l)
{
    l->refused_ms = time_mono_ms();
    l->doubted = false;
    err_set(&l->problem, ERR_AUTH, "%s: the server refused %s; run: exbridge login %s", l->name,
            l->auth == HTTP_AUTH_BEARER ? "a token that was new" : "the password", l->name);
    return false;
}

static bool refused(struct login_pass *p, bool trial)
{
    struct login *l = p->login;
    if (!p->value)
        return false; /* Kerberos and certificates: nothing to read anew */
    if (p->offered) {
        remember_refused(l, p->offered);
        return false;
    }
    if (p->serial != l->serial || !l->secret)
        return l->secret || l->doubted; /* there is a newer one, or will be */
    if (l->source == LOGIN_OAUTH) {
        l->doubted = login_oauth_refused(l);
        return l->doubted || believe(l);
    }
    if (l->proven) {
        l->proven = false;
        l->doubted = true;
        if (l->source != LOGIN_PASSTHROUGH) { /* to be read again, now */
            login_drop_secret(l);
            l->refused_ms = 0;
            l->read_err = (struct err){.code = ERR_NONE};
        }
        return true;
    }
    if (!trial)
        return true; /* went out while it was proven: the trial will tell */
    remember_refused(l, l->secret);
    login_drop_secret(l);
    return believe(l);
}

/* Nothing was learnt of the secret, and the next one goes ahead; but nobody waits for one silence after the other. */
static void unanswered(struct login *l, bool trial)
{
    if (!trial || time_mono_ms() - l->trial_ms < LOGIN_SILENCE_MS)
        return;
    LIST_EACH (&l->waiting, link) {
        struct login_pass *p = LIST_ITEM(link, struct login_pass, link);
        p->forsaken = !p->offered && !p->late;
    }
}

bool login_result(struct login_pass *p, enum login_result result)
{
    struct login *l = p->login;
    if (!p->granted || p->resolved)
        return false;
    p->resolved = true;
    bool trial = l->trial == p, again = false;
    if (trial)
        l->trial = NULL;
    switch (result) {
    case LOGIN_ACCEPTED:
        accepted(p);
        break;
    case LOGIN_REFUSED:
        again = refused(p, trial);
        break;
    case LOGIN_UNANSWERED:
        unanswered(l, trial);
        break;
    }
    login_wake(l);
    return again;
}

void login_end(struct login_pass **pass)
{
    struct login_pass *p = *pass;
    *pass = NULL;
    if (!p)
        return;
    struct login *l = p->login;
    if (l->trial == p)
        l->trial = NULL; /* the next one goes ahead */
    if (p->granted && !p->parked)
        l->running--;
    list_remove(&p->link);
    mem_wipe_free(p->offered);
    mem_wipe_free(p->value);
    mem_free(p);
    login_wake(l);
}

/* --- an owner who leaves ------------------------------------------------------------------------- */

static void abandoned_end(struct login_pass *p)
{
    http_abort(&p->abandoned);
    timer_free(&p->silence);
    login_end(&p);
}

/* A refusal counts. Anything else is left to the next one, who goes ahead and can read what his answer says. */
static bool on_abandoned_head(void *ud, struct http_request *req, int status)
{
    struct login_pass *p = ud;
    (void)req;
    if (status == 401)
        login_result(p, LOGIN_REFUSED);
    else
        abandoned_end(p);
    return status == 401;
}

static void on_abandoned_done(void *ud, struct http_request *req, const struct err *err)
{
    struct login_pass *p = ud;
    (void)req;
    (void)err;
    login_result(p, LOGIN_UNANSWERED); /* unless its head has said more */
    p->abandoned = NULL;
    abandoned_end(p);
}

static void on_abandoned_silence(void *ud)
{
    struct login_pass *p = ud;
    login_result(p, LOGIN_UNANSWERED);
    abandoned_end(p);
}

void login_abandon(struct login_pass **pass, struct http_request **request)
{
    static const struct http_events events = {.on_head = on_abandoned_head, .on_done = on_abandoned_done};
    struct login_pass *p = *pass;
    if (!p || p->login->trial != p || !is_guarded(p->login) || !http_hand_over(*request, &events, p)) {
        http_abort(request);
        login_end(pass);
        return;
    }
    p->abandoned = *request;
    p->silence = timer_new(p->login->loop, on_abandoned_silence, p);
    timer_start(p->silence, LOGIN_SILENCE_MS);
    *request = NULL;
    *pass = NULL;
}

/* --- the rest --------------------------------------------------------------------------------- */

struct login *login_new(struct loop *loop, const struct login_opts *opts)
{
    struct login *l = MEM_NEW(struct login);
    l->loop = loop;
    l->name = mem_strdup(opts->name);
    l->user = mem_strdup(opts->user);
    l->auth = opts->auth;
    l->source = opts->source;
    l->command_or_file = mem_strdup(opts->command_or_file);
    l->command_ms = opts->command_ms ? opts->command_ms : (uint64_t)LOGIN_COMMAND_S * 1000;
    l->record = mem_strdup(opts->record);
    l->vault = opts->vault;
    l->max_requests = opts->max_requests;
    rand_bytes(l->key.b, sizeof(l->key.b));
    list_init(&l->waiting);
    list_init(&l->granted);
    deferred_init(&l->deferred, advance, l);
    l->timer = timer_new(loop, advance, l);
    if (l->source == LOGIN_OAUTH)
        login_oauth_open(l, opts);
    return l;
}

void login_free(struct login **login)
{
    struct login *l = *login;
    *login = NULL;
    if (!l)
        return;
    LIST_EACH (&l->granted, link) {
        struct login_pass *p = LIST_ITEM(link, struct login_pass, link);
        if (p->abandoned)
            abandoned_end(p);
    }
    assert(list_empty(&l->waiting) && list_empty(&l->granted));
    child_free(&l->child);
    if (l->source == LOGIN_OAUTH)
        login_oauth_close(l);
    loop_defer_cancel(&l->deferred);
    timer_free(&l->timer);
    mem_wipe_free(l->secret);
    mem_free(l->name);
    mem_free(l->user);
    mem_free(l->command_or_file);
    mem_free(l->record);
    mem_wipe(l, sizeof(*l));
    mem_free(l);
}

const char *login_user(const struct login *l)
{
    return l->user;
}

enum http_auth login_auth(const struct login *l)
{
    return l->auth;
}

enum login_source login_source(const struct login *l)
{
    return l->source;
}

void login_advise(const struct login *l, bool offered, struct err *err)
{
    struct err said = *err;
    bool typed = offered || l->source == LOGIN_PASSTHROUGH || l->source == LOGIN_NO_SECRET;
    if (!typed)
        err_set(err, said.code, "%s; run: exbridge login %s", said.text, l->name);
    if (l->auth == HTTP_AUTH_NONE)
        err_set(err, said.code, "%s; does it know the client certificate? See client-cert", said.text);
    else if (l->auth == HTTP_AUTH_NEGOTIATE)
        err_set(err, said.code, "%s; look at the ticket: klist", said.text);
    if (!http_binds_tls(l->auth))
        err_set(err, said.code,
                "%s. Or it demands Extended Protection, which this libcurl does not have: auth = basic%s", err->text,
                l->auth == HTTP_AUTH_NTLM && http_binds_tls(HTTP_AUTH_NEGOTIATE) ? " or kerberos" : "");
    err->status = said.status;
}

void login_throttled(struct login *l, unsigned seconds)
{
    if (seconds > LOGIN_BACKOFF_MAX_S)
        seconds = LOGIN_BACKOFF_MAX_S;
    uint64_t until_ms = time_mono_ms() + (uint64_t)seconds * 1000;
    if (until_ms > l->backoff_until_ms)
        l->backoff_until_ms = until_ms;
    login_wake(l);
}

uint64_t login_wait_ms(const struct login *l)
{
    uint64_t now = time_mono_ms();
    return l->backoff_until_ms > now ? l->backoff_until_ms - now : 0;
}

/* There may be another secret now. */
static void read_anew(struct login *l)
{
    l->refused_ms = 0;
    l->read_err = (struct err){.code = ERR_NONE};
    l->problem = (struct err){.code = ERR_NONE};
    l->doubted = false;
    login_drop_secret(l);
    if (l->source == LOGIN_OAUTH)
        login_oauth_reset(l);
    login_wake(l);
}

void login_reset(struct login *l)
{
    l->refused_count = 0;
    l->refusals = 0;
    l->backoff_until_ms = 0;
    read_anew(l);
}

enum login_stored login_store(struct login *l, struct str secret, struct err *err)
{
    enum login_stored result = LOGIN_STORED_FAILED;
    if (l->source == LOGIN_OAUTH)
        result = login_oauth_store(l, secret, err);
    else if (l->source == LOGIN_STORED)
        result = l->vault.put(l->vault.ud, l->record, secret, err);
    else
        err_set(err, ERR_UNSUPPORTED, "%s: the configuration says that the secret comes from elsewhere", l->name);
    if (result == LOGIN_STORED_OK)
        read_anew(l);
    return result;
}

void login_forgive(struct login *l, struct str password)
{
    struct crypto_hash hash = crypto_hmac_sha256(str_of(l->key.b, sizeof(l->key.b)), password);
    for (size_t i = 0; i < REFUSED_KEPT; i++)
        if (memcmp(l->refused[i].b, hash.b, sizeof(hash.b)) == 0)
            memset(l->refused[i].b, 0, sizeof(l->refused[i].b)); /* the HMAC of nothing known */
}

void login_vault_changed(struct login *l)
{
    if (l->source != LOGIN_STORED && l->source != LOGIN_OAUTH)
        return;
    l->read_err = (struct err){.code = ERR_NONE};
    login_wake(l);
}

const struct err *login_problem(const struct login *l)
{
    return l->oauth.over.code != ERR_NONE ? &l->oauth.over : &l->problem;
}
