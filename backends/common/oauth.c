/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/oauth.h"

#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/text.h"
#include "bridge/io/crypto.h"

/* --- addresses and bodies ------------------------------------------------------------------------ */

void oauth_add_url(struct buf *out, const struct oauth_config *c, const char *what)
{
    bool adfs = strcmp(c->tenant, "adfs") == 0;
    if (!strstr(c->host, "://"))
        buf_lit(out, "https://");
    buf_lit(out, c->host);
    buf_byte(out, '/');
    text_percent_add(out, str_from(c->tenant), NULL);
    buf_lit(out, adfs ? "/oauth2/" : "/oauth2/v2.0/");
    buf_lit(out, what);
}

void oauth_pkce_new(struct oauth_pkce *ret_pkce)
{
    unsigned char random[32];
    struct buf text = BUF_INIT(128);
    rand_bytes(random, sizeof(random));
    text_base64url_add(&text, str_of(random, sizeof(random)));
    memcpy(ret_pkce->verifier, buf_z(&text), OAUTH_VERIFIER_SIZE + 1);
    buf_wipe(&text);
    struct crypto_hash hash = crypto_sha256(str_from(ret_pkce->verifier));
    text_base64url_add(&text, str_of(hash.b, sizeof(hash.b)));
    memcpy(ret_pkce->challenge, buf_z(&text), OAUTH_VERIFIER_SIZE + 1);
    buf_done(&text);
    mem_wipe(random, sizeof(random));
}

static void add_field(struct buf *out, const char *name, struct str value)
{
    if (out->n && out->p[out->n - 1] != '?')
        buf_byte(out, '&');
    buf_lit(out, name);
    buf_byte(out, '=');
    text_percent_add(out, value, NULL);
}

void oauth_add_authorize_url(struct buf *out, const struct oauth_config *c, const char *redirect_uri, const char *state,
                             const struct oauth_pkce *pkce)
{
    oauth_add_url(out, c, "authorize");
    buf_byte(out, '?');
    add_field(out, "client_id", str_from(c->client_id));
    add_field(out, "response_type", STR("code"));
    add_field(out, "redirect_uri", str_from(redirect_uri));
    add_field(out, "response_mode", STR("query"));
    add_field(out, "scope", str_from(c->scope));
    add_field(out, "state", str_from(state));
    add_field(out, "code_challenge", str_from(pkce->challenge));
    add_field(out, "code_challenge_method", STR("S256"));
    if (c->user)
        add_field(out, "login_hint", str_from(c->user));
}

static void add_common(struct buf *out, const struct oauth_config *c)
{
    add_field(out, "client_id", str_from(c->client_id));
    add_field(out, "scope", str_from(c->scope));
}

void oauth_add_code_body(struct buf *out, const struct oauth_config *c, struct str code, const char *redirect_uri,
                         const struct oauth_pkce *pkce)
{
    add_common(out, c);
    add_field(out, "grant_type", STR("authorization_code"));
    add_field(out, "code", code);
    add_field(out, "redirect_uri", str_from(redirect_uri));
    add_field(out, "code_verifier", str_from(pkce->verifier));
}

void oauth_add_refresh_body(struct buf *out, const struct oauth_config *c, const char *refresh_token)
{
    add_common(out, c);
    add_field(out, "grant_type", STR("refresh_token"));
    add_field(out, "refresh_token", str_from(refresh_token));
}

void oauth_add_device_body(struct buf *out, const struct oauth_config *c)
{
    add_common(out, c);
}

void oauth_add_poll_body(struct buf *out, const struct oauth_config *c, const char *device_code)
{
    add_field(out, "client_id", str_from(c->client_id));
    add_field(out, "grant_type", STR("urn:ietf:params:oauth:grant-type:device_code"));
    add_field(out, "device_code", str_from(device_code));
}

/* --- the browser's way back ------------------------------------------------------------------------ */

void oauth_redirect_done(struct oauth_redirect *r)
{
    buf_wipe(&r->code);
    buf_wipe(&r->state);
    buf_wipe(&r->error);
    buf_wipe(&r->description);
}

/* application/x-www-form-urlencoded: a plus is a blank. */
static bool decode_value(struct buf *out, struct str value)
{
    struct buf plain = BUF_INIT(OAUTH_TOKEN_MAX);
    buf_str(&plain, value);
    for (size_t i = 0; i < plain.n; i++)
        if (plain.p[i] == '+')
            plain.p[i] = ' ';
    bool ok =
        !plain.failed && text_percent_decode(out, buf_view(&plain)) && str_find_byte(buf_view(out), '\0') == (size_t)-1;
    buf_wipe(&plain);
    return ok;
}

static enum oauth_redirect_kind read_query(struct str query, struct oauth_redirect *r)
{
    const struct {
        const char *name;
        struct buf *to;
    } fields[] = {
        {"code", &r->code}, {"state", &r->state}, {"error", &r->error}, {"error_description", &r->description}};
    struct str field;
    while (str_cut(&query, '&', &field)) {
        size_t equal = str_find_byte(field, '=');
        if (equal == (size_t)-1)
            continue;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            if (!str_is(str_sub(field, 0, equal), fields[i].name))
                continue;
            if (fields[i].to->n || !decode_value(fields[i].to, str_skip(field, equal + 1)))
                return OAUTH_REDIRECT_BAD;
        }
    }
    return r->state.n && (r->code.n > 0) != (r->error.n > 0) ? OAUTH_REDIRECT_ANSWER : OAUTH_REDIRECT_BAD;
}

/* Against a page that made its own name point to this machine. */
static bool host_is_loopback(struct str head, unsigned port)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    struct str line;
    unsigned hosts = 0;
    bool good = false;
    while (str_cut(&head, '\n', &line)) {
        if (!str_case_starts(line, STR("host:")))
            continue;
        struct str value = str_trim(str_skip(line, 5));
        hosts++;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            char expected[32];
            struct buf b = BUF_INIT(sizeof(expected));
            buf_printf(&b, "%s:%u", names[i], port);
            good |= str_case_is(value, buf_z(&b));
            buf_done(&b);
        }
    }
    return hosts == 1 && good;
}

enum oauth_redirect_kind oauth_read_redirect(struct str head, unsigned port, struct oauth_redirect *ret_redirect)
{
    struct str rest = head, line, method, target, version;
    *ret_redirect = (struct oauth_redirect){0};
    if (!str_cut(&rest, '\n', &line) || !str_cut(&line, ' ', &method) || !str_cut(&line, ' ', &target) ||
        !str_cut(&line, ' ', &version) || line.p || !str_is(method, "GET") || !str_starts(version, STR("HTTP/1.")) ||
        !host_is_loopback(rest, port))
        return OAUTH_REDIRECT_BAD;
    size_t mark = str_find_byte(target, '?');
    if (!str_is(str_sub(target, 0, mark), "/") || mark == (size_t)-1)
        return OAUTH_REDIRECT_NOT;
    return read_query(str_skip(target, mark + 1), ret_redirect);
}

enum oauth_redirect_kind oauth_read_pasted(struct str line, struct oauth_redirect *ret_redirect)
{
    *ret_redirect = (struct oauth_redirect){0};
    line = str_trim(line);
    size_t mark = str_find_byte(line, '?'), end = str_find_byte(line, '#');
    if (mark == (size_t)-1)
        return OAUTH_REDIRECT_NOT;
    return read_query(str_skip(str_sub(line, 0, end), mark + 1), ret_redirect);
}
