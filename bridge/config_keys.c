/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/config_private.h"

static const char *const allow_names[] = {[ALLOW_SELF] = "self", [ALLOW_ANY] = "any", ""};
static const char *const auth_names[] = {[AUTH_UNSET] = NULL,
                                         [AUTH_BASIC] = "basic",
                                         [AUTH_NTLM] = "ntlm",
                                         [AUTH_KERBEROS] = "kerberos",
                                         [AUTH_OAUTH] = "oauth",
                                         [AUTH_CERT] = "cert",
                                         [AUTH_TOKEN_COMMAND] = "token-command",
                                         ""};
static const char *const backend_names[] = {[BACKEND_UNSET] = NULL, [BACKEND_EWS] = "ews", [BACKEND_EAS] = "eas", ""};
static const char *const local_auth_names[] = {
    [CONFIG_LOCAL_PASSWORD] = "password", [CONFIG_LOCAL_PASSTHROUGH] = "passthrough", ""};
static const char *const prefetch_names[] = {[CONFIG_PREFETCH_NONE] = "none",
                                             [CONFIG_PREFETCH_HEADERS] = "headers",
                                             [CONFIG_PREFETCH_RECENT] = "recent",
                                             [CONFIG_PREFETCH_ALL] = "all",
                                             ""};
static const char *const access_names[] = {
    [ACCESS_DELEGATION] = "delegation", [ACCESS_IMPERSONATION] = "impersonation", ""};
static const char *const expunge_names[] = {
    [EXPUNGE_RECOVERABLE] = "recoverable", [EXPUNGE_PERMANENT] = "permanent", ""};
static const char *const provision_names[] = {
    [CONFIG_PROVISION_ASK] = "ask", [CONFIG_PROVISION_ACCEPT] = "accept", [CONFIG_PROVISION_REFUSE] = "refuse", ""};
static const char *const secret_store_names[] = {
    [SECRET_STORE_FILE] = "file", [SECRET_STORE_SERVICE] = "secret-service", ""};
static const char *const tls_min_names[] = {
    [TLS_MIN_1_2] = "1.2", [TLS_MIN_1_0] = "1.0", [TLS_MIN_1_1] = "1.1", [TLS_MIN_1_3] = "1.3", ""};
static const char *const log_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug", ""};
static const char *const on_off_names[] = {[false] = "off", [true] = "on", ""};

#define SERVER(field)           SECTION_SERVER, .offset = offsetof(struct config_server, field)
#define LIMITS(field)           SECTION_LIMITS, .offset = offsetof(struct config_limits, field)
#define LOGIN(field)            SECTION_LOGIN, .offset = offsetof(struct config_login, field)
#define ACCOUNT(field)          SECTION_ACCOUNT, .offset = offsetof(struct config_account, field)
#define RANGE(low, start, high) .min = (low), .initial = (start), .max = (high)
#define KIB                     1024ull
#define MIB                     (1024ull * KIB)

/* RFC 5321 4.5.3.2.7 asks for five minutes. Tests have not so long. */
#ifdef EXBRIDGE_SANITIZED
#define SMTP_IDLE_MIN 1
#else
#define SMTP_IDLE_MIN 300
#endif

/* clang-format off */
const struct config_key config_keys[] = {
    {"listen",     SERVER(listen),       .kind = KIND_TEXT},
    {"allow-remote", SERVER(allow_remote), .kind = KIND_YES_NO},
    {"imap",       SERVER(imap),         .kind = KIND_NUMBER, RANGE(0, 1993, 65535)},
    {"smtp",       SERVER(smtp),         .kind = KIND_NUMBER, RANGE(0, 1465, 65535)},
    {"dav",        SERVER(dav),          .kind = KIND_NUMBER, RANGE(0, 1443, 65535)},
    {"tls",        SERVER(tls),          .kind = KIND_YES_NO, .names = on_off_names},
    {"allow-uids", SERVER(allow_uids),   .kind = KIND_NAMES, .names = allow_names},
    {"state-dir",  SERVER(state_dir),    .kind = KIND_PATH},
    {"cache-dir",  SERVER(cache_dir),    .kind = KIND_PATH},
    {"secret-store", SERVER(secret_store), .kind = KIND_NAMES, .names = secret_store_names},
    {"log-level",  SERVER(log_level),    .kind = KIND_NAMES, .names = log_names},
    {"cert",       SERVER(cert),         .kind = KIND_FILE},
    {"key",        SERVER(key),          .kind = KIND_FILE},

    {"connections",                 LIMITS(connections),                 .kind = KIND_NUMBER, RANGE(1, 256, 10000)},
    {"connections-per-account",     LIMITS(connections_per_account),     .kind = KIND_NUMBER, RANGE(1, 64, 10000)},
    {"connections-unauthenticated", LIMITS(connections_unauthenticated), .kind = KIND_NUMBER, RANGE(1, 64, 10000)},
    {"preauth-timeout",     LIMITS(preauth_timeout_s),     .kind = KIND_SECONDS, RANGE(5, 60, 3600)},
    {"handshake-timeout",   LIMITS(handshake_timeout_s),   .kind = KIND_SECONDS, RANGE(1, 10, 600)},
    {"imap-idle-timeout",   LIMITS(imap_idle_timeout_s),   .kind = KIND_SECONDS, RANGE(1800, 1800, 604800)}, /* RFC 9051 5.4 */
    {"smtp-idle-timeout",   LIMITS(smtp_idle_timeout_s),   .kind = KIND_SECONDS, RANGE(SMTP_IDLE_MIN, 600, 86400)},
    {"http-header-timeout", LIMITS(http_header_timeout_s), .kind = KIND_SECONDS, RANGE(1, 10, 600)},
    {"http-keepalive",      LIMITS(http_keepalive_s),      .kind = KIND_SECONDS, RANGE(1, 60, 3600)},
    {"imap-line-preauth",   LIMITS(imap_line_preauth),     .kind = KIND_BYTES, RANGE(1 * KIB, 8 * KIB, 64 * KIB)},
    {"imap-line",           LIMITS(imap_line),             .kind = KIND_BYTES, RANGE(8 * KIB, 64 * KIB, 1 * MIB)}, /* RFC 7162 4 */
    {"imap-literal",        LIMITS(imap_literal),          .kind = KIND_BYTES, RANGE(4 * KIB, 128 * KIB, 16 * MIB)},
    {"imap-args",           LIMITS(imap_args),             .kind = KIND_BYTES, RANGE(64 * KIB, 1 * MIB, 64 * MIB)},
    {"smtp-line",           LIMITS(smtp_line),             .kind = KIND_BYTES, RANGE(1000, 4096, 64 * KIB)}, /* RFC 5321 4.5.3.1.6 */
    {"smtp-recipients",     LIMITS(smtp_recipients),       .kind = KIND_NUMBER, RANGE(100, 1000, 100000)}, /* RFC 5321 4.5.3.1.8 */
    {"http-request-line",   LIMITS(http_request_line),     .kind = KIND_BYTES, RANGE(1 * KIB, 8 * KIB, 64 * KIB)},
    {"http-headers",        LIMITS(http_headers),          .kind = KIND_BYTES, RANGE(4 * KIB, 32 * KIB, 1 * MIB)},
    {"http-header-count",   LIMITS(http_header_count),     .kind = KIND_NUMBER, RANGE(20, 100, 1000)},
    {"http-body",           LIMITS(http_body),             .kind = KIND_BYTES, RANGE(64 * KIB, 10 * MIB, 150 * MIB)},
    {"dav-hrefs",           LIMITS(dav_hrefs),             .kind = KIND_NUMBER, RANGE(1, 5000, 100000)},
    {"dav-results",         LIMITS(dav_results),           .kind = KIND_NUMBER, RANGE(100, 20000, 1000000)},
    {"message-size",        LIMITS(message_size),          .kind = KIND_BYTES, RANGE(1 * MIB, 150 * MIB, 2048 * MIB)},

    {"user",             LOGIN(user),             .kind = KIND_TEXT},
    {"auth",             LOGIN(auth),             .kind = KIND_NAMES, .names = auth_names},
    {"password-command", LOGIN(password_command), .kind = KIND_TEXT},
    {"password-file",    LOGIN(password_file),    .kind = KIND_FILE},
    {"token-command",    LOGIN(token_command),    .kind = KIND_TEXT},
    {"oauth-client-id",  LOGIN(oauth_client_id),  .kind = KIND_TEXT},
    {"oauth-tenant",     LOGIN(oauth_tenant),     .kind = KIND_TEXT},
    {"oauth-scope",      LOGIN(oauth_scope),      .kind = KIND_TEXT},
    {"oauth-login-host", LOGIN(oauth_login_host), .kind = KIND_TEXT},
    {"client-cert",      LOGIN(client_cert),      .kind = KIND_FILE},
    {"client-key",       LOGIN(client_key),       .kind = KIND_FILE},

    {"email",      ACCOUNT(email),      .kind = KIND_TEXT},
    {"backend",    ACCOUNT(backend),    .kind = KIND_NAMES, .names = backend_names},
    {"url",        ACCOUNT(url),        .kind = KIND_TEXT},
    {"host",       ACCOUNT(host),       .kind = KIND_TEXT},
    {"login",      ACCOUNT(login_name), .kind = KIND_TEXT},
    {"local-auth", ACCOUNT(local_auth), .kind = KIND_NAMES, .names = local_auth_names},
    {"local-password-command", ACCOUNT(local_password_command), .kind = KIND_TEXT},
    {"local-password-file",    ACCOUNT(local_password_file),    .kind = KIND_FILE},
    {"mailbox",     ACCOUNT(mailbox),     .kind = KIND_TEXT},
    {"access",      ACCOUNT(access),      .kind = KIND_NAMES, .names = access_names},
    {"prefetch",    ACCOUNT(prefetch),    .kind = KIND_NAMES, .names = prefetch_names},
    {"cache-limit", ACCOUNT(cache_limit), .kind = KIND_BYTES, RANGE(0, 0, UINT64_MAX >> 1)},
    {"exact-size",  ACCOUNT(exact_size),  .kind = KIND_YES_NO},
    {"encrypt",     ACCOUNT(encrypt),     .kind = KIND_YES_NO},
    {"expunge",     ACCOUNT(expunge),     .kind = KIND_NAMES, .names = expunge_names},
    {"provision",   ACCOUNT(provision),   .kind = KIND_NAMES, .names = provision_names},
    {"tls-min",     ACCOUNT(tls_min),     .kind = KIND_NAMES, .names = tls_min_names},
    {"ca-file",     ACCOUNT(ca_file),     .kind = KIND_FILE},
    {"proxy",       ACCOUNT(proxy),       .kind = KIND_TEXT},
    {"special-use.junk",    ACCOUNT(junk),    .kind = KIND_TEXT},
    {"special-use.archive", ACCOUNT(archive), .kind = KIND_TEXT},
};
/* clang-format on */
const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

const char *config_section_name(enum config_section section)
{
    static const char *const names[] = {[SECTION_NONE] = "",
                                        [SECTION_SERVER] = "server",
                                        [SECTION_LIMITS] = "limits",
                                        [SECTION_LOGIN] = "login",
                                        [SECTION_ACCOUNT] = "account"};
    return names[section];
}

/* --- suggestions --------------------------------------------------------------------------- */

/* What people write who come from other programs. */
static const struct {
    const char *written, *advice;
} habits[] = {
    {"password", "a password does not belong into this file; use password-command or password-file"},
    {"passwd", "a password does not belong into this file; use password-command or password-file"},
    {"local-password", "a password does not belong into this file; use local-password-command or local-password-file"},
    {"username", "did you mean 'user'?"},
    {"imaps", "did you mean 'imap'? (tls = on makes it IMAPS)"},
    {"imap-port", "did you mean 'imap'?"},
    {"submissions", "did you mean 'smtp'?"},
    {"smtp-port", "did you mean 'smtp'?"},
    {"https", "did you mean 'dav'?"},
    {"caldav", "did you mean 'dav'?"},
    {"type", "did you mean 'backend'?"},
    {"protocol", "did you mean 'backend'?"},
    {"server", "did you mean 'url' or 'host'?"},
    {"insecure", "certificates are always checked; ca-file names an authority of your own"},
    {"verify", "certificates are always checked; ca-file names an authority of your own"},
};

static bool fits(const struct config_key *k, enum config_section section)
{
    return k->section == section || (k->section == SECTION_LOGIN && section == SECTION_ACCOUNT);
}

void config_unknown_key(struct reading *r, unsigned line, enum config_section section, struct str key)
{
    const struct config_key *best = NULL;
    size_t best_distance = key.n / 3 + 2;
    char shown[41];
    size_t n = key.n < 40 ? key.n : 40;
    memcpy(shown, key.p, n);
    shown[n] = '\0';
    for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
        if (str_case_is(key, habits[i].written)) {
            config_problem(r, line, "unknown key '%s': %s", shown, habits[i].advice);
            return;
        }
    }
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        if (str_is(key, k->name)) {
            config_problem(r, line, "'%s' belongs into a [%s] section, not into [%s]", shown,
                           config_section_name(k->section), config_section_name(section));
            return;
        }
        size_t d = fits(k, section) ? str_distance(key, str_from(k->name)) : STR_DISTANCE_MAX;
        if (d < best_distance) {
            best = k;
            best_distance = d;
        }
    }
    if (best)
        config_problem(r, line, "unknown key '%s' in [%s]: did you mean '%s'?", shown, config_section_name(section),
                       best->name);
    else
        config_problem(r, line, "unknown key '%s' in [%s]", shown, config_section_name(section));
}
