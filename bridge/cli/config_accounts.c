/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/config_accounts.h"

#include "backends/eas/eas.h"
#include "backends/ews/ews.h"
#include "bridge/base/text.h"

const struct backend_ops *config_backend_ops(const struct config_account *a)
{
    return a->backend == BACKEND_EWS ? &ews_ops : &eas_backend_ops;
}

unsigned config_tls_min(const struct config_account *a)
{
    static const unsigned versions[] = {
        [TLS_MIN_1_2] = 0x0303, [TLS_MIN_1_0] = 0x0301, [TLS_MIN_1_1] = 0x0302, [TLS_MIN_1_3] = 0x0304};
    return versions[a->tls_min];
}

struct backend_config config_backend_config(const struct config *c, const struct config_account *a, struct loop *loop,
                                            struct login *login)
{
    static const enum provision_answer provisions[] = {[CONFIG_PROVISION_ASK] = PROVISION_ASK,
                                                       [CONFIG_PROVISION_ACCEPT] = PROVISION_ACCEPT,
                                                       [CONFIG_PROVISION_REFUSE] = PROVISION_REFUSE};
    return (struct backend_config){
        .name = a->name,
        .email = a->email,
        .url = a->url,
        .login = login,
        .mailbox = config_is_archive(a) ? NULL : a->mailbox,
        .archive = config_is_archive(a),
        .impersonate = a->access == ACCESS_IMPERSONATION,
        .user_agent = "exbridge", /* without version: ActiveSync servers know a device by it */
        .ca_file = a->ca_file,
        .proxy = a->proxy,
        .client_cert = a->login->client_cert,
        .client_key = a->login->client_key,
        .tls_min = config_tls_min(a),
        .tmp_dir = c->server.cache_dir,
        .provision = provisions[a->provision],
        .message_limit = c->limits.message_size,
        .junk_name = a->junk,
        .archive_name = a->archive,
        .loop = loop,
    };
}

/* Where clients find the account's calendars, for addresses of attachments. */
static const char *dav_url(struct config *c, const char *name)
{
    struct buf encoded = {0};
    text_percent_add(&encoded, str_from(name), "@");
    const char *url = arena_printf(&c->arena, "%s://localhost:%u/dav/%s", c->server.tls ? "https" : "http",
                                   (unsigned)c->server.dav, buf_z(&encoded))
                          .p;
    buf_done(&encoded);
    return url;
}

static const char *account_dir(struct config *c, const char *top, const char *name)
{
    return arena_printf(&c->arena, "%s/accounts/%s", top, name).p;
}

struct account_opts config_account_opts(struct config *c, const struct config_account *a, struct loop *loop,
                                        struct login *login, struct secrets *secrets)
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
        .secrets = secrets,
        .expunge_permanent = a->expunge == EXPUNGE_PERMANENT,
        .calendars = c->server.dav != 0,
        .dav_url = c->server.dav ? dav_url(c, a->name) : NULL,
        .backend = config_backend_ops(a),
        .backend_config = config_backend_config(c, a, loop, login),
    };
}
