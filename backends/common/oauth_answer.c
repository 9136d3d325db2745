/* SPDX-License-Identifier: Apache-2.0 */
/* What a login server answers: JSON in, tokens or a verdict out. */
#include <stdlib.h>
#include <string.h>

#include "backends/common/oauth_private.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"

/* --- JSON ---------------------------------------------------------------------------------------- */

json_t *oauth_json(struct str text)
{
    json_error_t where;
    json_t *root = text.n ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (root && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

static struct str text_of(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR_NULL;
}

/* jansson does not wipe what it frees. */
void oauth_json_free(json_t *root)
{
    static const char *const secrets[] = {"access_token", "refresh_token", "id_token", "device_code"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        struct str s = text_of(root, secrets[i]);
        mem_wipe((void *)s.p, s.n);
    }
    json_decref(root);
}

/* A number; older servers put it into quotes. */
static bool seconds_of(const json_t *root, const char *name, unsigned max, unsigned *ret_s)
{
    const json_t *value = json_object_get(root, name);
    uint64_t n = 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        n = (uint64_t)json_integer_value(value);
    else if (!str_to_u64(text_of(root, name), &n))
        return false;
    *ret_s = n > max ? max : (unsigned)n;
    return true;
}

/* --- errors -------------------------------------------------------------------------------------- */

/* RFC 6749 5.2, RFC 8628 3.5, OpenID Connect Core 3.1.2.6, and what Entra adds. */
static const struct {
    const char *name;
    enum oauth_verdict verdict;
    const char *text;
} refusals[] = {
    {"authorization_pending", OAUTH_PENDING, "nobody has signed in yet"},
    {"slow_down", OAUTH_SLOW_DOWN, "nobody has signed in yet"},
    {"invalid_grant", OAUTH_SIGN_IN, "the sign-in is over or was revoked"},
    {"interaction_required", OAUTH_SIGN_IN, "the organisation asks for a new sign-in"},
    {"login_required", OAUTH_SIGN_IN, "a new sign-in is asked for"},
    {"consent_required", OAUTH_SIGN_IN,
     "consent for this program is missing: sign in and agree, or ask an administrator for it"},
    {"access_denied", OAUTH_SIGN_IN, "the sign-in was declined"},
    {"authorization_declined", OAUTH_SIGN_IN, "the sign-in was declined"},
    {"expired_token", OAUTH_SIGN_IN, "nobody signed in in time"},
    {"code_expired", OAUTH_SIGN_IN, "nobody signed in in time"},
    {"bad_verification_code", OAUTH_SIGN_IN, "the code is not known"},
    {"invalid_client", OAUTH_MISCONFIGURED,
     "the server does not take oauth-client-id (the app must be a public client, without a secret)"},
    {"unauthorized_client", OAUTH_MISCONFIGURED,
     "the app of oauth-client-id may not sign people in here; see oauth-tenant"},
    {"invalid_scope", OAUTH_MISCONFIGURED, "the server does not know oauth-scope"},
    {"invalid_resource", OAUTH_MISCONFIGURED, "the server does not know oauth-scope"},
    {"invalid_request", OAUTH_MISCONFIGURED, "the server does not accept the request"},
    {"unsupported_grant_type", OAUTH_MISCONFIGURED, "the server does not offer this way to sign in"},
    {"unsupported_response_type", OAUTH_MISCONFIGURED, "the server does not offer this way to sign in"},
    {"temporarily_unavailable", OAUTH_LATER, "the login server is not available now"},
    {"server_error", OAUTH_LATER, "the login server failed"},
};

/* Entra's numbers that have a way out which its own words do not name. */
static const struct {
    const char *number, *text;
} hints[] = {
    {"AADSTS50011",
     "the app of oauth-client-id needs the redirect URI http://localhost (platform: mobile and desktop)"},
    {"AADSTS500113",
     "the app of oauth-client-id needs the redirect URI http://localhost (platform: mobile and desktop)"},
    {"AADSTS9002327", "the app of oauth-client-id has the redirect URI http://localhost for a single-page application: "
                      "it belongs to the "
                      "platform mobile and desktop"},
    {"AADSTS50194", "the app of oauth-client-id is one organisation's: oauth-tenant must be its domain or id"},
    {"AADSTS50020", "this user is not in the organisation of oauth-tenant; see oauth-tenant and user"},
    {"AADSTS50034", "the organisation of oauth-tenant does not know this user; see user and oauth-tenant"},
    {"AADSTS50105", "an administrator must assign this user to the app of oauth-client-id"},
    {"AADSTS500011",
     "this organisation does not have what oauth-scope names; is url in another of Microsoft's clouds?"},
    {"AADSTS50053", "the account is locked after too many wrong passwords: wait, or ask an administrator"},
    {"AADSTS50057", "the account is disabled: ask an administrator"},
    {"AADSTS50199", "the server wants a person to confirm; sign in with the browser, without --device"},
    {"AADSTS53003", "blocked by the organisation's conditional access; with --device: try without it"},
    {"AADSTS530034", "blocked by the organisation's conditional access; with --device: try without it"},
    {"AADSTS530036", "signing in with a device code is blocked by the organisation; sign in without --device"},
    {"AADSTS53000", "the organisation demands a managed device: sign in on one, or ask an administrator"},
    {"AADSTS53001", "the organisation demands a joined device: sign in on one, or ask an administrator"},
    {"AADSTS65001", "consent for this program is missing: sign in and agree, or ask an administrator for it"},
    {"AADSTS90094", "an administrator must consent to this program: ask for it"},
    {"AADSTS700016", "oauth-client-id is not known in this organisation; see oauth-tenant"},
    {"AADSTS7000218",
     "the app of oauth-client-id is not a public client: allow public client flows in its registration"},
    {"AADSTS90002", "oauth-tenant does not exist: it is a domain of your organisation, or its id"},
    {"AADSTS900023", "oauth-tenant is not a domain or an id, nor common"},
    {"AADSTS70011", "oauth-scope is not valid"},
    {"AADSTS70043", "the organisation asks for a new sign-in from time to time"},
    {"AADSTS50173", "the password has changed"},
    {"AADSTS700082", "the sign-in was not used for too long"},
    {"AADSTS50076", "a second factor is asked for"},
    {"AADSTS50079", "a second factor must be set up"},
};

/* "AADSTS" and digits at the beginning. */
static struct str number_of(struct str description)
{
    size_t n = 6;
    if (!str_starts(description, STR("AADSTS")))
        return STR_NULL;
    while (n < description.n && description.p[n] >= '0' && description.p[n] <= '9')
        n++;
    return str_sub(description, 0, n);
}

/* The first sentence; trace numbers and times follow it. */
static struct str words_of(struct str description)
{
    static const char *const ends[] = {"\r", "\n", " Trace ID:", " Trace id:"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        description = str_sub(description, 0, str_find(description, str_from(ends[i])));
    return str_sub(description, 0, 150);
}

static enum oauth_verdict judge(struct str error, struct str description, struct err *ret_err)
{
    enum oauth_verdict verdict = OAUTH_SIGN_IN; /* a name that nobody knows: a person must look at it */
    const char *text = "the login server refused";
    struct str number = number_of(description), words = words_of(description);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (!str_is(error, refusals[i].name))
            continue;
        verdict = refusals[i].verdict;
        text = refusals[i].text;
    }
    for (size_t i = 0; number.n && i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (!str_is(number, hints[i].number))
            continue;
        text = hints[i].text;
        words = number;
    }
    enum err_code code = verdict == OAUTH_MISCONFIGURED ? ERR_INVALID : verdict == OAUTH_LATER ? ERR_OFFLINE : ERR_AUTH;
    if (words.n == 0)
        words = str_sub(error, 0, 60);
    err_set(ret_err, code, "%s (%.*s)", text, STR_ARG(words));
    return verdict;
}

void oauth_read_refusal(struct str error, struct str description, struct err *ret_err)
{
    judge(error, description, ret_err);
}

static enum oauth_verdict no_json(int status, struct err *ret_err)
{
    if (status >= 200 && status < 300)
        err_set(ret_err, ERR_PROTOCOL, "HTTP %d: the login server's answer is no JSON; a sign-in page of this network?",
                status);
    else if (status >= 300 && status < 400)
        err_set(ret_err, ERR_PROTOCOL, "HTTP %d: redirected, not followed; is oauth-login-host right?", status);
    else if (status == 404 || status == 405)
        err_set(ret_err, ERR_INVALID, "HTTP %d: no login server is there; see oauth-login-host and oauth-tenant",
                status);
    else
        err_set(ret_err, status == 429 ? ERR_THROTTLED : ERR_OFFLINE, "HTTP %d from the login server", status);
    return ret_err->code == ERR_INVALID ? OAUTH_MISCONFIGURED : OAUTH_LATER;
}

static enum oauth_verdict refusal(int status, const json_t *root, struct err *ret_err)
{
    struct str error = text_of(root, "error");
    enum oauth_verdict verdict;
    if (error.n == 0 || status >= 500 || status == 429)
        verdict = no_json(status, ret_err); /* whatever it says, it is a passing thing */
    else
        verdict = judge(error, text_of(root, "error_description"), ret_err);
    ret_err->status = status;
    return verdict;
}

/* --- tokens -------------------------------------------------------------------------------------- */

void oauth_tokens_done(struct oauth_tokens *t)
{
    mem_wipe_free(t->access);
    mem_wipe_free(t->refresh);
    mem_free(t->user);
    mem_free(t->scope);
    *t = (struct oauth_tokens){0};
}

/* RFC 6749 A.12 and A.17: visible ASCII. Anything else could not stand in a header either. */
static bool is_token(struct str s)
{
    if (s.n == 0 || s.n > OAUTH_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > '~')
            return false;
    return true;
}

/* Who signed in, out of the id token's claims. It came over TLS from the server that made it: its signature says no
 * more than that (OpenID Connect Core 3.1.3.7, 6). */
static char *user_of(struct str id_token)
{
    static const char *const claims[] = {"preferred_username", "upn", "unique_name", "email"};
    struct str head, body;
    struct buf text = BUF_INIT(OAUTH_TOKEN_MAX);
    char *user = NULL;
    json_t *root = NULL;
    if (str_cut(&id_token, '.', &head) && str_cut(&id_token, '.', &body) && text_base64url_decode(&text, body))
        root = oauth_json(buf_view(&text));
    for (size_t i = 0; root && !user && i < sizeof(claims) / sizeof(claims[0]); i++) {
        struct str value = text_of(root, claims[i]);
        if (value.n && value.n <= 320 && text_utf8_valid(value) && str_find_byte(value, '\0') == (size_t)-1)
            user = str_dup(value);
    }
    json_decref(root);
    buf_wipe(&text);
    return user;
}

static enum oauth_verdict take_tokens(const json_t *root, int64_t now_s, struct oauth_tokens *t, struct err *err)
{
    struct str access = text_of(root, "access_token"), refresh = text_of(root, "refresh_token");
    struct str type = text_of(root, "token_type");
    unsigned lifetime_s = OAUTH_LIFETIME_S;
    seconds_of(root, "expires_in", OAUTH_LIFETIME_MAX_S, &lifetime_s);
    if (!is_token(access) || (refresh.n && !is_token(refresh)) || (type.n && !str_case_is(type, "bearer"))) {
        err_set(err, ERR_PROTOCOL, "the login server's answer holds no usable token");
        return OAUTH_LATER;
    }
    *t = (struct oauth_tokens){
        .access = str_dup(access),
        .refresh = refresh.n ? str_dup(refresh) : NULL,
        .user = user_of(text_of(root, "id_token")),
        .issued_s = now_s,
        .expires_s = now_s + lifetime_s,
    };
    return OAUTH_TOKENS;
}

void oauth_read_answer(int status, struct str body, int64_t now_s, struct oauth_answer *ret_answer)
{
    struct oauth_answer *a = ret_answer;
    json_t *root = oauth_json(body);
    *a = (struct oauth_answer){0};
    if (status == 200 && root && text_of(root, "access_token").n)
        a->verdict = take_tokens(root, now_s, &a->tokens, &a->err);
    else
        a->verdict = refusal(status, root, &a->err);
    oauth_json_free(root);
}

/* --- for the secret store ------------------------------------------------------------------------ */

void oauth_tokens_save(const struct oauth_tokens *t, struct buf *out)
{
    json_t *root = json_object();
    json_object_set_new(root, "version", json_integer(1));
    if (t->access)
        json_object_set_new(root, "access_token", json_string(t->access));
    if (t->refresh)
        json_object_set_new(root, "refresh_token", json_string(t->refresh));
    if (t->user)
        json_object_set_new(root, "user", json_string(t->user));
    if (t->scope)
        json_object_set_new(root, "scope", json_string(t->scope));
    json_object_set_new(root, "issued", json_integer(t->issued_s));
    json_object_set_new(root, "expires", json_integer(t->expires_s));
    char *text = json_dumps(root, JSON_COMPACT);
    if (text) {
        buf_lit(out, text);
        mem_wipe(text, strlen(text));
        free(text);
    }
    oauth_json_free(root);
}

bool oauth_tokens_load(struct oauth_tokens *ret_tokens, struct str text, struct err *err)
{
    json_t *root = oauth_json(text);
    struct str access = text_of(root, "access_token"), refresh = text_of(root, "refresh_token");
    struct str user = text_of(root, "user"), scope = text_of(root, "scope");
    *ret_tokens = (struct oauth_tokens){0};
    json_int_t issued_s = json_integer_value(json_object_get(root, "issued"));
    json_int_t expires_s = json_integer_value(json_object_get(root, "expires"));
    bool sane = issued_s >= 0 && expires_s >= issued_s && expires_s - issued_s <= OAUTH_LIFETIME_MAX_S;
    bool ok = root && sane && json_integer_value(json_object_get(root, "version")) == 1 &&
              (!access.n || is_token(access)) && (!refresh.n || is_token(refresh)) && (access.n || refresh.n);
    if (ok)
        *ret_tokens = (struct oauth_tokens){
            .access = access.n ? str_dup(access) : NULL,
            .refresh = refresh.n ? str_dup(refresh) : NULL,
            .user = user.n ? str_dup(user) : NULL,
            .scope = scope.n ? str_dup(scope) : NULL,
            .issued_s = issued_s,
            .expires_s = expires_s,
        };
    else
        err_set(err, ERR_INVALID, "what is stored are no tokens");
    oauth_json_free(root);
    return ok;
}

/* --- device code --------------------------------------------------------------------------------- */

void oauth_device_done(struct oauth_device *d)
{
    mem_wipe_free(d->device_code);
    mem_free(d->user_code);
    mem_free(d->url);
    *d = (struct oauth_device){0};
}

/* Shown to a person, who types it: nothing that a terminal would take for a command. */
static bool is_showable(struct str s)
{
    return s.n <= 512 && is_token(s);
}

static bool is_web_address(struct str s)
{
    return is_showable(s) && (str_case_starts(s, STR("https://")) || str_case_starts(s, STR("http://")));
}

bool oauth_read_device(int status, struct str body, struct oauth_device *ret_device, struct err *err)
{
    json_t *root = oauth_json(body);
    *ret_device = (struct oauth_device){.expires_s = OAUTH_DEVICE_CODE_S, .interval_s = OAUTH_DEVICE_POLL_S};
    bool ok = status == 200 && root && text_of(root, "device_code").n;
    if (!ok) {
        refusal(status, root, err);
    } else {
        struct str url = text_of(root, "verification_uri");
        if (!url.n)
            url = text_of(root, "verification_url"); /* as some servers spell it */
        struct str code = text_of(root, "device_code"), user_code = text_of(root, "user_code");
        ok = is_token(code) && is_showable(user_code) && is_web_address(url);
        if (!ok)
            err_set(err, ERR_PROTOCOL, "the login server's answer holds no usable device code");
        seconds_of(root, "expires_in", 3600, &ret_device->expires_s);
        seconds_of(root, "interval", 60, &ret_device->interval_s);
        if (ok) {
            ret_device->device_code = str_dup(code);
            ret_device->user_code = str_dup(user_code);
            ret_device->url = str_dup(url);
        }
    }
    oauth_json_free(root);
    return ok;
}
