/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/setup_text.h"

#include <string.h>

/* --- a line -------------------------------------------------------------------------------------------- */

/* As ini.c reads: one pair of quotes around the whole goes, and keeps blanks. */
static bool add_key(struct buf *out, const char *key, const char *value, struct err *err)
{
    struct str s = str_from(value);
    if (!value)
        return true;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20)
            return err_set(err, ERR_INVALID, "%s: control characters cannot stand in the file", key);
    bool quotes = str_find_byte(s, '"') != (size_t)-1, blanks = str_trim(s).n != s.n;
    bool enclosed = s.n >= 2 && s.p[0] == '"' && str_find_byte(str_skip(s, 1), '"') == s.n - 2;
    if (enclosed || (blanks && quotes))
        return err_set(err, ERR_INVALID,
                       "%s: quotes around the whole, or blanks around quotes, cannot stand in the file", key);
    return buf_printf(out, blanks ? "%-7s = \"%s\"\n" : "%-7s = %s\n", key, value);
}

struct key {
    const char *name, *value;
};

static bool add_keys(struct buf *out, const struct key *keys, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!add_key(out, keys[i].name, keys[i].value, err))
            return false;
    return true;
}

/* --- sections ---------------------------------------------------------------------------------------------- */

bool setup_write_server(struct buf *out, const struct setup_server_values *v, struct err *err)
{
    const struct key keys[] = {
        {"secret-store", v->secret_store}, {"state-dir", v->state_dir}, {"cache-dir", v->cache_dir}};
    buf_printf(out,
               "# exbridge, made by `exbridge setup` on %s. `exbridge check-config` says whether it is right.\n"
               "# A comment stands on a line of its own.\n"
               "\n"
               "[server]\n"
               "# Mail programs on this machine connect to localhost, with TLS, on these ports (0 turns one off).\n"
               "listen  = localhost\n"
               "imap    = %u\n"
               "smtp    = %u\n"
               "dav     = %u\n",
               v->date, v->imap, v->smtp, v->dav);
    if (v->secret_store)
        buf_lit(out,
                "# Where passwords and sign-ins lie: file (in the state directory), or secret-service (the desktop's "
                "keyring).\n");
    return add_keys(out, keys, sizeof(keys) / sizeof(keys[0]), err);
}

static bool add_login_keys(struct buf *out, const struct setup_values *v, struct err *err)
{
    const struct key keys[] = {
        {"auth", v->auth},
        {"user", v->user},
        {"password-command", v->password_command},
        {"password-file", v->password_file},
        {"token-command", v->token_command},
        {"client-cert", v->client_cert},
        {"client-key", v->client_key},
        {"oauth-client-id", v->oauth_client_id},
        {"oauth-tenant", v->oauth_tenant},
        {"oauth-login-host", v->oauth_login_host},
        {"oauth-scope", v->oauth_scope},
    };
    bool kept = !v->password_command && !v->password_file && !v->token_command && v->auth &&
                (strcmp(v->auth, "basic") == 0 || strcmp(v->auth, "ntlm") == 0 || strcmp(v->auth, "oauth") == 0);
    if (!add_keys(out, keys, sizeof(keys) / sizeof(keys[0]), err))
        return false;
    if (kept && !(v->local_auth && strcmp(v->local_auth, "passthrough") == 0))
        buf_printf(out, "# The %s kept in the secret store; a new one: exbridge login %s\n",
                   strcmp(v->auth, "oauth") == 0 ? "sign-in is" : "password is", v->name);
    return true;
}

bool setup_write_account(struct buf *out, const struct setup_values *v, struct err *err)
{
    const struct key where[] = {{"backend", v->backend}, {"url", v->url}};
    const struct key rest[] = {
        {"login", v->login},         {"mailbox", v->mailbox}, {"access", v->access}, {"local-auth", v->local_auth},
        {"provision", v->provision}, {"ca-file", v->ca_file}, {"proxy", v->proxy},   {"tls-min", v->tls_min},
    };
    buf_printf(out, "[account \"%s\"]\n", v->name);
    if (!add_key(out, "email", v->email, err))
        return false;
    if (v->why)
        buf_printf(out, "# %s\n", v->why);
    return add_keys(out, where, 2, err) && (v->login || add_login_keys(out, v, err)) &&
           add_keys(out, rest, sizeof(rest) / sizeof(rest[0]), err);
}

bool setup_write_login(struct buf *out, const struct setup_values *v, struct err *err)
{
    buf_printf(out, "[login \"%s\"]\n", v->name);
    if (!add_login_keys(out, v, err))
        return false;
    buf_printf(out,
               "# A mailbox that this login opens (exbridge setup --login %s ADDRESS writes one):\n"
               "#   [account \"someone\"]\n"
               "#   email   = someone@example.com\n"
               "#   backend = %s\n"
               "#   url     = %s\n"
               "#   login   = %s\n"
               "#   mailbox = someone@example.com\n"
               "#   access  = %s\n",
               v->name, v->backend, v->url, v->name, v->access ? v->access : "delegation");
    return true;
}

void setup_append(struct buf *out, struct str old, struct str section)
{
    buf_str(out, old);
    if (old.n && old.p[old.n - 1] != '\n')
        buf_byte(out, '\n');
    if (old.n)
        buf_byte(out, '\n');
    buf_str(out, section);
}

/* --- names --------------------------------------------------------------------------------------------------- */

#define NAME_MAX_LEN 40

void setup_account_name(struct buf *out, struct str email, bool (*taken)(void *ud, const char *name), void *ud)
{
    struct buf base = BUF_INIT(0);
    size_t at = str_find_byte(email, '@');
    struct str domain = at < email.n ? str_skip(email, at + 1) : STR_NULL;
    domain = str_sub(domain, 0, str_find_byte(domain, '.'));
    for (size_t i = 0; i < domain.n && base.n < NAME_MAX_LEN; i++) {
        char c = domain.p[i] >= 'A' && domain.p[i] <= 'Z' ? (char)(domain.p[i] + 32) : domain.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && base.n))
            buf_byte(&base, c);
    }
    if (base.n == 0)
        buf_lit(&base, "mail");
    buf_str(out, buf_view(&base));
    for (unsigned n = 2; taken(ud, buf_z(out)); n++) {
        buf_reset(out);
        buf_printf(out, "%s-%u", buf_z(&base), n);
    }
    buf_done(&base);
}
