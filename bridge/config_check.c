/* SPDX-License-Identifier: Apache-2.0 */
/* What the values of a configuration must be together, and the values that follow from others. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/config_private.h"
#include "bridge/formats/idna.h"

#define CONFIG_OAUTH_TENANT "common"

#define SECRET_KEYS "password-command password-file token-command"
#define OAUTH_KEYS  "oauth-client-id oauth-tenant oauth-scope oauth-login-host"
#define LOGIN_KEYS  "user auth client-cert client-key " SECRET_KEYS " " OAUTH_KEYS

/* Where keys of the section stand, or the section where they do not. */
static unsigned server_line(const struct reading *r, const char *keys)
{
    return config_key_line(r->config->server.key_lines, keys, 0);
}

static unsigned login_line(const struct config_login *l, const char *keys)
{
    return config_key_line(l->key_lines, keys, l->line);
}

static unsigned account_line(const struct config_account *a, const char *keys)
{
    return config_key_line(a->key_lines, keys, a->line);
}

/* --- [server] -------------------------------------------------------------------------------- */

static bool is_loopback(const char *address)
{
    return strcmp(address, "::1") == 0 || strncmp(address, "127.", 4) == 0;
}

static void add_address(struct reading *r, struct str s)
{
    struct config_server *v = &r->config->server;
    unsigned char parsed[16];
    const char *z = arena_strdup(&r->config->arena, s);
    if (inet_pton(AF_INET, z, parsed) != 1 && inet_pton(AF_INET6, z, parsed) != 1) {
        config_problem(r, server_line(r, "listen"), "listen: '%.60s' is neither 'localhost' nor a numeric address", z);
        return;
    }
    if (!is_loopback(z) && !v->allow_remote)
        config_problem(r, server_line(r, "listen"),
                       "listen: %s can be reached from other machines; that needs allow-remote = yes", z);
    if (!is_loopback(z) && !v->tls)
        config_problem(r, server_line(r, "listen"), "listen: %s needs tls = on", z);
    if (v->address_count == CONFIG_LISTEN_MAX)
        config_problem(r, server_line(r, "listen"), "listen: more than %d addresses", CONFIG_LISTEN_MAX);
    else
        v->addresses[v->address_count++] = z;
}

static const char *default_dir(struct reading *r, const char *variable, const char *below_home)
{
    const char *xdg = getenv(variable), *home = getenv("HOME");
    if (xdg && xdg[0] == '/') /* the XDG specification: a relative one is ignored */
        return arena_printf(&r->config->arena, "%s/exbridge", xdg).p;
    if (home && home[0] == '/')
        return arena_printf(&r->config->arena, "%s/%s/exbridge", home, below_home).p;
    config_problem(r, 0, "neither %s nor HOME is set; set state-dir and cache-dir", variable);
    return NULL;
}

static void check_server(struct reading *r)
{
    struct config_server *v = &r->config->server;
    struct str list = str_from(v->listen), piece;
    while (str_cut(&list, ',', &piece)) {
        piece = str_trim(piece);
        if (str_is(piece, "localhost")) {
            add_address(r, STR("127.0.0.1"));
            add_address(r, STR("::1"));
        } else {
            add_address(r, piece);
        }
    }
    if (v->imap && v->imap == v->smtp)
        config_problem(r, server_line(r, "imap smtp"), "imap and smtp need different ports");
    if (v->imap && v->imap == v->dav)
        config_problem(r, server_line(r, "imap dav"), "imap and dav need different ports");
    if (v->smtp && v->smtp == v->dav)
        config_problem(r, server_line(r, "smtp dav"), "smtp and dav need different ports");
    if (!v->cert != !v->key)
        config_problem(r, server_line(r, "cert key"), "cert and key go together");
    if (!v->state_dir)
        v->state_dir = default_dir(r, "XDG_STATE_HOME", ".local/state");
    if (!v->cache_dir)
        v->cache_dir = default_dir(r, "XDG_CACHE_HOME", ".cache");
}

/* --- logins ------------------------------------------------------------------------------------ */

/* What becomes part of an address, of a header or of a form. */
static bool is_plain(const char *z)
{
    return z[0] && strlen(z) <= 255 &&
           z[strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0';
}

/* A host, with a port perhaps; http:// for this machine only (a gateway, a test). */
static bool is_login_host(const char *z)
{
    struct str s = str_from(z);
    if (str_starts(s, STR("http://127.0.0.1:")) || str_starts(s, STR("http://localhost:")))
        return !strpbrk(z + strlen("http://"), "/?#@ ");
    return !strpbrk(z, "/?#@ \t\"'") && s.n <= 255;
}

static void check_oauth(struct reading *r, struct config_login *l)
{
    if (!l->oauth_client_id && EXBRIDGE_OAUTH_CLIENT_ID[0])
        l->oauth_client_id = EXBRIDGE_OAUTH_CLIENT_ID;
    if (!l->oauth_tenant)
        l->oauth_tenant = CONFIG_OAUTH_TENANT;
    if (!l->oauth_client_id)
        config_problem(r, login_line(l, "auth"),
                       "\"%s\": auth = oauth needs oauth-client-id: the application (client) id of a program that your "
                       "organisation has registered for this",
                       l->name);
    else if (!is_plain(l->oauth_client_id))
        config_problem(r, login_line(l, "oauth-client-id"),
                       "\"%s\": oauth-client-id is an id like 11111111-2222-3333-4444-555555555555", l->name);
    if (!is_plain(l->oauth_tenant))
        config_problem(r, login_line(l, "oauth-tenant"), "\"%s\": oauth-tenant is a domain, an id, or common", l->name);
    if (l->oauth_login_host && !is_login_host(l->oauth_login_host))
        config_problem(r, login_line(l, "oauth-login-host"),
                       "\"%s\": oauth-login-host is a name like login.microsoftonline.com, without https:// and path",
                       l->name);
}

static bool has_oauth_keys(const struct config_login *l)
{
    return l->oauth_client_id || l->oauth_tenant || l->oauth_scope || l->oauth_login_host;
}

/* `passthrough`: the secret may come from a client. */
static void check_login(struct reading *r, struct config_login *l, bool passthrough)
{
    unsigned secrets = (l->password_command != NULL) + (l->password_file != NULL) + (l->token_command != NULL);
    if (secrets > 1)
        config_problem(r, login_line(l, SECRET_KEYS),
                       "\"%s\": only one of password-command, password-file and token-command", l->name);
    if (passthrough && secrets)
        config_problem(r, login_line(l, SECRET_KEYS),
                       "\"%s\": with local-auth = passthrough the password comes from the mail client, not from a "
                       "command or file",
                       l->name);
    if (passthrough && l->auth != AUTH_BASIC && l->auth != AUTH_NTLM)
        config_problem(r, login_line(l, "local-auth"), "\"%s\": local-auth = passthrough needs auth = basic or ntlm",
                       l->name);
    switch (l->auth) {
    case AUTH_UNSET:
        config_problem(r, l->line, "\"%s\": auth is missing: basic, ntlm, kerberos, oauth, cert or token-command",
                       l->name);
        break;
    case AUTH_BASIC:
    case AUTH_NTLM:
        if (l->token_command)
            config_problem(r, login_line(l, "token-command"), "\"%s\": token-command needs auth = token-command",
                           l->name);
        break; /* without any: `exbridge login` takes the password, and it lies in the secret store */
    case AUTH_TOKEN_COMMAND:
        if (!secrets)
            config_problem(r, login_line(l, "auth"), "\"%s\": auth = token-command needs token-command", l->name);
        break;
    case AUTH_CERT:
        if (!l->client_cert)
            config_problem(r, login_line(l, "auth"), "\"%s\": auth = cert needs client-cert", l->name);
        break;
    case AUTH_OAUTH:
        if (secrets)
            config_problem(
                r, login_line(l, SECRET_KEYS),
                "\"%s\": auth = oauth gets its tokens from `exbridge login`; a program that prints one needs "
                "auth = token-command",
                l->name);
        break;
    case AUTH_KERBEROS:
    case AUTH_MAX:
        break;
    }
    if (l->auth != AUTH_OAUTH && has_oauth_keys(l))
        config_problem(r, login_line(l, OAUTH_KEYS), "\"%s\": oauth- keys need auth = oauth", l->name);
    else if (l->auth == AUTH_OAUTH)
        check_oauth(r, l);
    if (l->client_key && !l->client_cert)
        config_problem(r, login_line(l, "client-key"), "\"%s\": client-key without client-cert", l->name);
}

static bool has_login_keys(const struct config_login *l)
{
    return l->user || l->auth || l->password_command || l->password_file || l->token_command || has_oauth_keys(l) ||
           l->client_cert || l->client_key;
}

static void find_login(struct reading *r, struct config_account *a)
{
    struct config *c = r->config;
    a->login = &a->own;
    if (!a->login_name) {
        if (!a->own.user)
            a->own.user = a->email;
        check_login(r, &a->own, a->local_auth == CONFIG_LOCAL_PASSTHROUGH);
        return;
    }
    for (size_t i = 0; i < c->login_count; i++)
        if (strcmp(c->logins[i].name, a->login_name) == 0)
            a->login = &c->logins[i];
    if (a->login == &a->own)
        config_problem(r, account_line(a, "login"), "account \"%s\": there is no [login \"%.64s\"]", a->name,
                       a->login_name);
    else if (has_login_keys(&a->own))
        config_problem(r, account_line(a, LOGIN_KEYS),
                       "account \"%s\": user, auth and password come from [login \"%s\"]; remove them here", a->name,
                       a->login_name);
    if (a->local_auth == CONFIG_LOCAL_PASSTHROUGH)
        config_problem(r, account_line(a, "local-auth"),
                       "account \"%s\": local-auth = passthrough and a shared [login] exclude each other", a->name);
}

/* --- accounts -------------------------------------------------------------------------------------- */

static bool is_email(const char *z)
{
    const char *at = strchr(z, '@');
    return at && at != z && at[1] && !strchr(at + 1, '@') && !strpbrk(z, " \t<>\",");
}

/* What follows http://: this machine? Not localhost.example.com, and not 127.0.0.1.example.com. */
static bool names_loopback(struct str rest)
{
    size_t n = 0;
    if (str_starts(rest, STR("[::1]")))
        return rest.n == 5 || strchr(":/?#", rest.p[5]);
    while (n < rest.n && !strchr(":/?#", rest.p[n]))
        n++;
    rest = str_sub(rest, 0, n);
    if (str_case_is(rest, "localhost"))
        return true;
    for (n = 0; n < rest.n && strchr("0123456789.", rest.p[n]);)
        n++;
    return str_starts(rest, STR("127.")) && n == rest.n;
}

/* Names of hosts are written as people know them, or as the DNS has them. */
static void make_ascii(struct reading *r, struct config_account *a, const char *key, const char **url)
{
    struct buf ascii = BUF_INIT(8192);
    struct err err;
    if (!idna_url(&ascii, str_from(*url), &err))
        config_problem(r, account_line(a, key), "account \"%s\": %s: %s", a->name, key, err.text);
    else if (strcmp(*url, buf_z(&ascii)) != 0)
        *url = arena_strdup(&r->config->arena, buf_view(&ascii));
    buf_done(&ascii);
}

static void check_url(struct reading *r, struct config_account *a)
{
    static const char *const paths[] = {
        [BACKEND_UNSET] = "", [BACKEND_EWS] = "EWS/Exchange.asmx", [BACKEND_EAS] = "Microsoft-Server-ActiveSync"};
    if (a->url)
        make_ascii(r, a, "url", &a->url);
    if (a->host)
        make_ascii(r, a, "host", &a->host);
    struct str u = str_from(a->url);
    if (a->url && a->host)
        config_problem(r, account_line(a, "host url"), "account \"%s\": url or host, not both", a->name);
    if (!a->url && a->host) {
        if (strpbrk(a->host, "/ \t?#@"))
            config_problem(r, account_line(a, "host"),
                           "account \"%s\": host is a name without https:// and path; or use url", a->name);
        a->url = arena_printf(&r->config->arena, "https://%s/%s", a->host, paths[a->backend]).p;
    } else if (!a->url) {
        config_problem(r, a->line, "account \"%s\": url is missing (or host); `exbridge setup` finds it", a->name);
    } else if (str_case_starts(u, STR("http://"))) {
        if (!names_loopback(str_skip(u, 7)))
            config_problem(r, account_line(a, "url"), "account \"%s\": url must begin with https://", a->name);
    } else if (!str_case_starts(u, STR("https://")) || u.n < 9 || strpbrk(a->url, " \t")) {
        config_problem(r, account_line(a, "url"), "account \"%s\": url must look like https://mail.example.com/%s",
                       a->name, paths[a->backend]);
    }
}

/* What libcurl takes. */
bool config_is_proxy(const char *z)
{
    struct str url = str_from(z);
    static const char *const schemes[] = {"http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (str_case_starts(url, str_from(schemes[i])) && url.n > strlen(schemes[i]))
            return true;
    return false;
}

static void check_local_auth(struct reading *r, const struct config_account *a)
{
    unsigned sources = (a->local_password_command != NULL) + (a->local_password_file != NULL);
    if (sources > 1)
        config_problem(r, account_line(a, "local-password-command local-password-file"),
                       "account \"%s\": local-password-command or local-password-file, not both", a->name);
    if (a->local_auth == CONFIG_LOCAL_PASSTHROUGH && sources)
        config_problem(r, account_line(a, "local-password-command local-password-file"),
                       "account \"%s\": local-auth = passthrough has no local password", a->name);
}

static void check_account(struct reading *r, struct config_account *a)
{
    if (!a->email)
        config_problem(r, a->line, "account \"%s\": email is missing", a->name);
    else if (!is_email(a->email))
        config_problem(r, account_line(a, "email"), "account \"%s\": email is not an address like alice@example.com",
                       a->name);
    if (a->backend == BACKEND_UNSET)
        config_problem(r, a->line, "account \"%s\": backend is missing: ews or eas", a->name);
    check_url(r, a);
    check_local_auth(r, a);
    find_login(r, a);
    if (a->access == ACCESS_IMPERSONATION && !a->mailbox)
        config_problem(r, account_line(a, "access"), "account \"%s\": access needs mailbox", a->name);
    if (config_is_archive(a) && a->access == ACCESS_IMPERSONATION)
        config_problem(r, account_line(a, "access"), "account \"%s\": an archive is opened as oneself only", a->name);
    else if (a->mailbox && !config_is_archive(a) && !is_email(a->mailbox))
        config_problem(r, account_line(a, "mailbox"),
                       "account \"%s\": mailbox is an address like info@example.com, or archive", a->name);
    if (a->mailbox && a->backend == BACKEND_EAS)
        config_problem(r, account_line(a, "mailbox"),
                       "account \"%s\": ActiveSync opens one's own mailbox only; mailbox needs backend = ews", a->name);
    if (a->proxy && strcmp(a->proxy, "none") == 0)
        a->proxy = "";
    else if (a->proxy && !config_is_proxy(a->proxy))
        config_problem(r, account_line(a, "proxy"),
                       "account \"%s\": proxy is a URL like http://proxy.example.com:3128, or none", a->name);
}

void config_check(struct reading *r)
{
    struct config *c = r->config;
    check_server(r);
    for (size_t i = 0; i < c->login_count; i++) {
        check_login(r, &c->logins[i], false);
        if (!c->logins[i].user && c->logins[i].auth != AUTH_KERBEROS && c->logins[i].auth != AUTH_CERT)
            config_problem(r, c->logins[i].line, "login \"%s\": user is missing", c->logins[i].name);
    }
    for (size_t i = 0; i < c->account_count; i++)
        check_account(r, &c->accounts[i]);
    if (!c->account_count && !c->login_count && !r->problem_count) /* a login alone: accounts are to follow */
        config_problem(r, 0, "there is no [account \"NAME\"] section");
}

bool config_default_path(struct buf *out, struct err *err)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/')
        return buf_printf(out, "%s/exbridge/exbridge.conf", xdg);
    if (home && home[0] == '/')
        return buf_printf(out, "%s/.config/exbridge/exbridge.conf", home);
    return err_set(err, ERR_INVALID, "HOME is not set; name the configuration file with -c FILE");
}
