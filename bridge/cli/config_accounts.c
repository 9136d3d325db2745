/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/config_accounts.h"

#include "backends/eas/eas.h"
#include "backends/ews/ews.h"

#define LOGIN_PARALLEL 8 /* requests at once in one name */

struct login *config_login_open(struct loop *loop, const struct config_login *l, bool passthrough)
{
    static const enum http_auth schemes[] = {
        [AUTH_UNSET] = HTTP_AUTH_NONE,           [AUTH_BASIC] = HTTP_AUTH_BASIC,  [AUTH_NTLM] = HTTP_AUTH_NTLM,
        [AUTH_KERBEROS] = HTTP_AUTH_NEGOTIATE,   [AUTH_OAUTH] = HTTP_AUTH_BEARER, [AUTH_CERT] = HTTP_AUTH_NONE,
        [AUTH_TOKEN_COMMAND] = HTTP_AUTH_BEARER,
    };
    _Static_assert(sizeof(schemes) / sizeof(schemes[0]) == AUTH_MAX, "every scheme has an HTTP side");
    struct login_opts o = {.name = l->name, .user = l->user, .auth = schemes[l->auth], .max_requests = LOGIN_PARALLEL};
    if (passthrough) {
        o.source = LOGIN_PASSTHROUGH;
    } else if (l->password_file) {
        o.source = LOGIN_FILE;
        o.command_or_file = l->password_file;
    } else if (l->password_command || l->token_command) {
        o.source = LOGIN_COMMAND;
        o.command_or_file = l->password_command ? l->password_command : l->token_command;
    } else {
        o.source = LOGIN_NO_SECRET;
    }
    return login_new(loop, &o);
}

const struct backend_ops *config_backend_ops(const struct config_account *a)
{
    return a->backend == BACKEND_EWS ? &ews_ops : &eas_backend_ops;
}

struct backend_config config_backend_config(const struct config *c, const struct config_account *a, struct loop *loop,
                                            struct login *login)
{
    static const unsigned tls_versions[] = {
        [TLS_MIN_1_2] = 0x0303, [TLS_MIN_1_0] = 0x0301, [TLS_MIN_1_1] = 0x0302, [TLS_MIN_1_3] = 0x0304};
    static const enum provision_answer provisions[] = {[CONFIG_PROVISION_ASK] = PROVISION_ASK,
                                                       [CONFIG_PROVISION_ACCEPT] = PROVISION_ACCEPT,
                                                       [CONFIG_PROVISION_REFUSE] = PROVISION_REFUSE};
    return (struct backend_config){
        .name = a->name,
        .email = a->email,
        .url = a->url,
        .login = login,
        .mailbox = a->mailbox,
        .impersonate = a->access == ACCESS_IMPERSONATION,
        .user_agent = "exbridge", /* without version: ActiveSync servers know a device by it */
        .ca_file = a->ca_file,
        .proxy = a->proxy,
        .client_cert = a->login->client_cert,
        .client_key = a->login->client_key,
        .tls_min = tls_versions[a->tls_min],
        .tmp_dir = c->server.cache_dir,
        .provision = provisions[a->provision],
        .message_limit = c->limits.message_size,
        .junk_name = a->junk,
        .archive_name = a->archive,
        .loop = loop,
    };
}

static const char *account_dir(struct config *c, const char *top, const char *name)
{
    return arena_printf(&c->arena, "%s/accounts/%s", top, name).p;
}

struct account_opts config_account_opts(struct config *c, const struct config_account *a, struct loop *loop,
                                        struct login *login)
{
    static const enum account_prefetch prefetches[] = {[CONFIG_PREFETCH_NONE] = PREFETCH_NONE,
                                                       [CONFIG_PREFETCH_HEADERS] = PREFETCH_HEADERS,
                                                       [CONFIG_PREFETCH_RECENT] = PREFETCH_RECENT,
                                                       [CONFIG_PREFETCH_ALL] = PREFETCH_ALL};
    return (struct account_opts){
        .name = a->name,
        .email = a->email,
        .state_dir = account_dir(c, c->server.state_dir, a->name),
        .cache_dir = account_dir(c, c->server.cache_dir, a->name),
        .local_auth = a->local_auth == CONFIG_LOCAL_PASSTHROUGH ? LOCAL_AUTH_PASSTHROUGH : LOCAL_AUTH_PASSWORD,
        .local_password_command = a->local_password_command,
        .local_password_file = a->local_password_file,
        .prefetch = prefetches[a->prefetch],
        .cache_limit = a->cache_limit,
        .exact_size = a->exact_size,
        .encrypt = a->encrypt,
        .expunge_permanent = a->expunge == EXPUNGE_PERMANENT,
        .backend = config_backend_ops(a),
        .backend_config = config_backend_config(c, a, loop, login),
    };
}
