/* SPDX-License-Identifier: Apache-2.0 */
/* From [login] sections, and accounts that have their own, to logins; and to where their secrets lie. */
#include "bridge/cli/config_accounts.h"

#include "backends/common/autodiscover_rules.h"

#define LOGIN_PARALLEL 8 /* requests at once in one name */

/* --- the secret store ---------------------------------------------------------------------------- */

struct secrets *config_secrets_open(struct config *c, struct loop *loop, void (*on_change)(void *ud), void *ud)
{
    static const enum secrets_kind kinds[] = {
        [SECRET_STORE_FILE] = SECRETS_FILE, [SECRET_STORE_SERVICE] = SECRETS_SERVICE};
    return secrets_open(loop, &(struct secrets_opts){
                                  .dir = arena_printf(&c->arena, "%s/secrets", c->server.state_dir).p,
                                  .kind = kinds[c->server.secret_store],
                                  .on_change = on_change,
                                  .ud = ud,
                              });
}

static enum login_stored stored(enum secrets_result result)
{
    static const enum login_stored names[] = {[SECRETS_OK] = LOGIN_STORED_OK,
                                              [SECRETS_NONE] = LOGIN_STORED_NONE,
                                              [SECRETS_WAIT] = LOGIN_STORED_WAIT,
                                              [SECRETS_FAILED] = LOGIN_STORED_FAILED};
    return names[result];
}

static enum login_stored vault_get(void *ud, const char *record, struct buf *out, struct err *err)
{
    return stored(secrets_get(ud, record, out, err));
}

static enum login_stored vault_put(void *ud, const char *record, struct str value, struct err *err)
{
    return stored(secrets_put(ud, record, value, err));
}

/* An account and a [login] may have the same name. */
const char *config_login_record(struct config *c, const struct config_login *l)
{
    bool shared = l >= c->logins && l < c->logins + c->login_count;
    return arena_printf(&c->arena, "%s-%s", shared ? "login" : "account", l->name).p;
}

/* --- OAuth --------------------------------------------------------------------------------------- */

/* The first account that uses it, which says how its servers are reached. */
static const struct config_account *user_of(const struct config *c, const struct config_login *l)
{
    for (size_t i = 0; i < c->account_count; i++)
        if (c->accounts[i].login == l)
            return &c->accounts[i];
    return NULL;
}

/* By where the mailbox is. */
static const struct autodiscover_cloud *cloud_of(const struct config *c, const struct config_login *l)
{
    const struct config_account *a = user_of(c, l);
    return autodiscover_cloud_by_url(a ? str_from(a->url) : STR_NULL);
}

static const char *scope_of(struct config *c, const struct config_login *l)
{
    const char *resource = cloud_of(c, l)->resource;
    struct buf scope = BUF_INIT(0);
    bool ews = false, eas = false;
    if (l->oauth_scope)
        return l->oauth_scope;
    for (size_t i = 0; i < c->account_count; i++) {
        ews |= c->accounts[i].login == l && c->accounts[i].backend == BACKEND_EWS;
        eas |= c->accounts[i].login == l && c->accounts[i].backend == BACKEND_EAS;
    }
    if (ews)
        buf_printf(&scope, "%s" OAUTH_SCOPE_EWS " ", resource);
    if (eas)
        buf_printf(&scope, "%s" OAUTH_SCOPE_EAS " ", resource);
    buf_lit(&scope, OAUTH_SCOPE_FOR_ALL);
    const char *text = arena_strdup(&c->arena, buf_view(&scope));
    buf_done(&scope);
    return text;
}

struct oauth_config config_oauth(struct config *c, const struct config_login *l)
{
    return (struct oauth_config){
        .host = l->oauth_login_host ? l->oauth_login_host : cloud_of(c, l)->login_host,
        .tenant = l->oauth_tenant,
        .client_id = l->oauth_client_id,
        .scope = scope_of(c, l),
        .user = l->user,
    };
}

struct http_client_opts config_oauth_http(const struct config *c, const struct config_login *l)
{
    const struct config_account *a = user_of(c, l);
    return (struct http_client_opts){
        .account = l->name,
        .user_agent = "exbridge",
        .ca_file = a ? a->ca_file : NULL,
        .system_ca_too = true, /* the mailbox may be the company's, and the login server Microsoft's */
        .proxy = a ? a->proxy : NULL,
        .tls_min = a ? config_tls_min(a) : 0,
        .max_connections = 1,
    };
}

/* --- logins -------------------------------------------------------------------------------------- */

static bool is_passthrough(const struct config *c, const struct config_login *l)
{
    const struct config_account *a = user_of(c, l);
    return a && l == &a->own && a->local_auth == CONFIG_LOCAL_PASSTHROUGH;
}

static enum login_source source_of(const struct config *c, const struct config_login *l)
{
    if (is_passthrough(c, l))
        return LOGIN_PASSTHROUGH;
    if (l->auth == AUTH_OAUTH)
        return LOGIN_OAUTH;
    if (l->password_file)
        return LOGIN_FILE;
    if (l->password_command || l->token_command)
        return LOGIN_COMMAND;
    return l->auth == AUTH_BASIC || l->auth == AUTH_NTLM ? LOGIN_STORED : LOGIN_NO_SECRET;
}

void config_login_opts(struct config *c, const struct config_login *l, struct login_opts *ret_opts)
{
    static const enum http_auth schemes[] = {
        [AUTH_UNSET] = HTTP_AUTH_NONE,           [AUTH_BASIC] = HTTP_AUTH_BASIC,  [AUTH_NTLM] = HTTP_AUTH_NTLM,
        [AUTH_KERBEROS] = HTTP_AUTH_NEGOTIATE,   [AUTH_OAUTH] = HTTP_AUTH_BEARER, [AUTH_CERT] = HTTP_AUTH_NONE,
        [AUTH_TOKEN_COMMAND] = HTTP_AUTH_BEARER,
    };
    _Static_assert(sizeof(schemes) / sizeof(schemes[0]) == AUTH_MAX, "every scheme has an HTTP side");
    *ret_opts = (struct login_opts){
        .name = l->name,
        .user = l->user,
        .auth = schemes[l->auth],
        .source = source_of(c, l),
        .max_requests = LOGIN_PARALLEL,
        .record = config_login_record(c, l),
    };
    const char *const places[] = {l->password_file, l->password_command, l->token_command};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (places[i])
            ret_opts->command_or_file = places[i];
    if (ret_opts->source == LOGIN_OAUTH) {
        ret_opts->oauth = config_oauth(c, l);
        ret_opts->oauth_http = config_oauth_http(c, l);
    }
}

struct login *config_login_open(struct config *c, const struct config_login *l, struct loop *loop,
                                struct secrets *secrets)
{
    struct login_opts o;
    config_login_opts(c, l, &o);
    o.vault = (struct login_vault){secrets, vault_get, vault_put};
    return login_new(loop, &o);
}
