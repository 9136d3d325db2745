/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/config_private.h"
#include "bridge/ini.h"
#include "tests/unit/test_loop.h"

#define TEN(s) s s s s s s s s s s
#define LONG   TEN(TEN(TEN("abcd")))

#define GOOD_ACCOUNT                                                                                                   \
    "[account \"work\"]\nemail = alice@example.com\nbackend = ews\nurl = https://mail.example.com/EWS/Exchange.asmx\n" \
    "auth = basic\npassword-command = pass show work\nlocal-password-file = /etc/pw\n"

static int set_up(void **state)
{
    (void)state;
    setenv("HOME", "/home/alice", 1);
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
    setenv("XDG_CACHE_HOME", "relative", 1);
    return 0;
}

static struct config *parse(const char *text, struct buf *problems)
{
    return config_parse(str_from(text), "x.conf", problems);
}

static struct config *good(const char *text)
{
    struct buf problems = BUF_INIT(0);
    struct config *c = parse(text, &problems);
    if (!c)
        fail_msg("%s", buf_z(&problems));
    buf_done(&problems);
    return c;
}

/* The example of the documentation, with what setup would have added. */
static void everything(void **state)
{
    (void)state;
    struct config *c = good("\xef\xbb\xbf# a comment; with = signs\r\n"
                            "[server]\r\n"
                            "listen     = localhost\n"
                            "imap       = 2993\n"
                            "smtp = 0\n dav\t= 0 \n"
                            "tls        = off\n"
                            "allow-uids = any\n"
                            "state-dir  = ~/state\n"
                            "cache-dir  = /var/cache/x\n"
                            "log-level  = debug\n"
                            "; another\n"
                            "[limits]\n"
                            "imap-line = 128K\nimap-idle-timeout = 40m\nconnections = 17\n"
                            "[login \"corp\"]\n"
                            "user     = EXAMPLE\\svc\n"
                            "auth     = ntlm\n"
                            "password-command = pass show corp/exchange | head -1 ; true # no comment\n"
                            "[account \"work\"]\n"
                            "email    = alice@example.com\n"
                            "backend  = ews\n"
                            "url      = https://mail.example.com/EWS/Exchange.asmx\n"
                            "auth     = basic\n"
                            "user     = EXAMPLE\\alice\n"
                            "password-command = \"pass show work/exchange\"\n"
                            "local-auth = password\n"
                            "local-password-file = ~/.pw\n"
                            "prefetch = all\ncache-limit = 2G\nexact-size = yes\n"
                            "tls-min = 1.0\nproxy = none\nspecial-use.junk = Junk-E-Mail\n"
                            "[account \"shared\"]\n"
                            "email = info@example.com\nbackend = ews\nhost = mail.example.com\nlogin = corp\n"
                            "mailbox = info@example.com\naccess = impersonation\n"
                            "local-password-command = echo x\n"
                            "[account phone]\nemail=bob@example.com\nbackend=eas\nhost=eas.example.com\nauth=basic\n"
                            "local-auth = passthrough");
    assert_int_equal(c->server.address_count, 2);
    assert_string_equal(c->server.addresses[0], "127.0.0.1");
    assert_string_equal(c->server.addresses[1], "::1");
    assert_int_equal(c->server.imap, 2993);
    assert_int_equal(c->server.smtp + c->server.dav, 0);
    assert_false(c->server.tls);
    assert_int_equal(c->server.allow_uids, ALLOW_ANY);
    assert_string_equal(c->server.state_dir, "/home/alice/state");
    assert_int_equal(c->server.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->limits.imap_line, 131072);
    assert_int_equal(c->limits.imap_idle_timeout_s, 2400);
    assert_int_equal(c->limits.connections, 17);
    assert_int_equal(c->limits.imap_literal, 131072);
    assert_int_equal(c->account_count, 3);
    const struct config_account *a = c->accounts;
    assert_string_equal(a[0].login->user, "EXAMPLE\\alice");
    assert_string_equal(a[0].login->password_command, "pass show work/exchange");
    assert_string_equal(a[0].local_password_file, "/home/alice/.pw");
    assert_int_equal(a[0].cache_limit, 2ull << 30);
    assert_true(a[0].exact_size && !a[0].encrypt);
    assert_int_equal(a[0].prefetch, CONFIG_PREFETCH_ALL);
    assert_int_equal(a[0].tls_min, TLS_MIN_1_0);
    assert_string_equal(a[0].proxy, "");
    assert_string_equal(a[0].junk, "Junk-E-Mail");
    assert_ptr_equal(a[1].login, &c->logins[0]);
    assert_string_equal(a[1].login->password_command, "pass show corp/exchange | head -1 ; true # no comment");
    assert_string_equal(a[1].url, "https://mail.example.com/EWS/Exchange.asmx");
    assert_int_equal(a[1].access, ACCESS_IMPERSONATION);
    assert_int_equal(a[1].prefetch, CONFIG_PREFETCH_RECENT);
    assert_string_equal(a[2].url, "https://eas.example.com/Microsoft-Server-ActiveSync");
    assert_string_equal(a[2].login->user, "bob@example.com");
    assert_int_equal(a[2].local_auth, CONFIG_LOCAL_PASSTHROUGH);
    config_free(&c);
}

static void defaults(void **state)
{
    (void)state;
    struct config *c = good(GOOD_ACCOUNT);
    assert_int_equal(c->server.imap, 1993);
    assert_int_equal(c->server.smtp, 1465);
    assert_int_equal(c->server.dav, 1443);
    assert_true(c->server.tls);
    assert_int_equal(c->server.allow_uids, ALLOW_SELF);
    assert_int_equal(c->server.log_level, LOG_LEVEL_INFO);
    assert_string_equal(c->server.state_dir, "/home/alice/.local/state/exbridge");
    assert_string_equal(c->server.cache_dir, "/home/alice/.cache/exbridge"); /* a relative XDG directory is ignored */
    assert_int_equal(c->accounts[0].tls_min, TLS_MIN_1_2);
    assert_null(c->accounts[0].proxy);
    config_free(&c);
}

/* One problem each: the line, and what would be right. */
static void problems(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } table[] = {
        {"", "x.conf: there is no [account"},
        {"[server]\nimapp = 1\n" GOOD_ACCOUNT, "x.conf:2: unknown key 'imapp' in [server]: did you mean 'imap'?"},
        {"[server]\nimaps = 1\n" GOOD_ACCOUNT, "did you mean 'imap'?"},
        {"[server]\nzzzzzzzzzz = 1\n" GOOD_ACCOUNT, "x.conf:2: unknown key 'zzzzzzzzzz' in [server]\n"},
        {"[server]\nprefetch = all\n" GOOD_ACCOUNT, "x.conf:2: 'prefetch' belongs into a [account] section"},
        {GOOD_ACCOUNT "password = secret\n", "x.conf:8: unknown key 'password': a password does not belong"},
        {GOOD_ACCOUNT "local-atuh = password\n", "did you mean 'local-auth'?"},
        {GOOD_ACCOUNT "auth = ntlm\n", "x.conf:8: auth was set before, in line 5"},
        {GOOD_ACCOUNT "prefetch = some\n", "x.conf:8: prefetch: must be one of: none, headers, recent, all"},
        {GOOD_ACCOUNT "exact-size = true\n", "exact-size: must be one of: no, yes"},
        {GOOD_ACCOUNT "exact-size = yes # really\n", "(a comment stands on its own line)"},
        {GOOD_ACCOUNT "cache-limit = 2 GB\n", "cache-limit: not a size like"},
        {GOOD_ACCOUNT "cache-limit = 99999999999999999999\n", "cache-limit: not a size"},
        {GOOD_ACCOUNT "cache-limit = 18446744073709551615G\n", "cache-limit: not a size"},
        {GOOD_ACCOUNT "ca-file = ca.pem\n", "x.conf:8: ca-file: a path is absolute"},
        {GOOD_ACCOUNT "ca-file = /" LONG "\n", "x.conf:8: ca-file: a path of more than 3500 bytes"},
        {GOOD_ACCOUNT "mailbox =\n", "x.conf:8: mailbox: a value is missing"},
        {GOOD_ACCOUNT "what is this\n", "x.conf:8: not a section, a comment or 'key = value'"},
        {GOOD_ACCOUNT "= x\n", "a key is missing"},
        {GOOD_ACCOUNT "mailbox = a\001b\n", "control characters"},
        {GOOD_ACCOUNT "mailbox = \xff\n", "not UTF-8"},
        {GOOD_ACCOUNT "[account \"work\"]\n", "x.conf:8: account \"work\" was there before, in line 1"},
        {GOOD_ACCOUNT "[account]\n", "x.conf:8: a name is needed"},
        {GOOD_ACCOUNT "[account \"../x\"]\n", "a name is needed"},
        {GOOD_ACCOUNT "[acount \"x\"]\nemail = 1\n", "x.conf:8: unknown section [acount]"},
        {GOOD_ACCOUNT "[server\n", "a section ends with ']'"},
        {GOOD_ACCOUNT "[]\n", "a section needs a name"},
        {GOOD_ACCOUNT "[server]\n[server]\n", "x.conf:9: [server] was there before, in line 8"},
        {"imap = 1\n" GOOD_ACCOUNT, "x.conf:1: a key before the first section"},
        {"[server]\nimap = 70000\n" GOOD_ACCOUNT, "imap: must be between 0 and 65535"},
        {"[server]\nimap = -1\n" GOOD_ACCOUNT, "imap: not a number"},
        {"[server]\nimap = 1465\n" GOOD_ACCOUNT, "different ports"},
        {"[server]\ntls = yes\n" GOOD_ACCOUNT, "tls: must be one of: off, on"},
        {"[server]\nlisten = 0.0.0.0\n" GOOD_ACCOUNT, "needs allow-remote = yes"},
        {"[server]\nlisten = 10.0.0.1\nallow-remote = yes\ntls = off\n" GOOD_ACCOUNT, "10.0.0.1 needs tls = on"},
        {"[server]\nlisten = example.com\n" GOOD_ACCOUNT, "neither 'localhost' nor a numeric address"},
        {"[server]\ncert = /x\n" GOOD_ACCOUNT, "cert and key go together"},
        {"[server]\nlog-level = verbose\n" GOOD_ACCOUNT, "log-level: must be one of: error, warn, info, debug"},
        {"[limits]\nimap-idle-timeout = 5m\n" GOOD_ACCOUNT, "imap-idle-timeout: must be between 1800"},
        {"[limits]\nimap-line = 1x\n" GOOD_ACCOUNT, "imap-line: not a size"},
        {"[account \"a\"]\n", "account \"a\": email is missing"},
        {"[account \"a\"]\n", "account \"a\": url is missing (or host); `exbridge setup` finds it"},
        {"[account \"a\"]\n", "backend is missing: ews or eas"},
        {"[account \"a\"]\n", "auth is missing: basic"},
        {"[account \"a\"]\nemail = alice\n", "email is not an address"},
        {"[account \"a\"]\nurl = http://mail.example.com/\n", "must begin with https://"},
        {"[account \"a\"]\nurl = mail.example.com\n", "must look like https://"},
        {"[account \"a\"]\nhost = https://x/\n", "host is a name without"},
        {"[account \"a\"]\nauth = oauth\n", "auth = oauth needs oauth-client-id"},
        {"[account \"a\"]\nauth = oauth\noauth-client-id = a b\n", "oauth-client-id is an id like"},
        {"[account \"a\"]\nauth = oauth\noauth-client-id = x\noauth-tenant = a/b\n", "oauth-tenant is a domain"},
        {"[account \"a\"]\nauth = oauth\noauth-client-id = x\noauth-login-host = https://x/\n",
         "oauth-login-host is a name like"},
        {"[account \"a\"]\nauth = oauth\noauth-client-id = x\noauth-login-host = http://login.example.com:80\n",
         "oauth-login-host is a name like"},
        {"[account \"a\"]\nauth = oauth\noauth-client-id = x\npassword-command = y\n",
         "gets its tokens from `exbridge login`"},
        {"[account \"a\"]\nauth = basic\noauth-tenant = x\n", "oauth- keys need auth = oauth"},
        {"[account \"a\"]\nauth = cert\n", "auth = cert needs client-cert"},
        {"[account \"a\"]\nauth = basic\nlocal-auth = passthrough\npassword-file = /x\n", "comes from the mail client"},
        {"[account \"a\"]\nauth = oauth\nlocal-auth = passthrough\n", "needs auth = basic or ntlm"},
        {"[account \"a\"]\npassword-file = /x\npassword-command = y\n", "only one of"},
        {"[account \"a\"]\nlogin = nobody\n", "there is no [login \"nobody\"]"},
        {"[login \"l\"]\nauth = basic\npassword-file = /x\nuser = u\n[account \"a\"]\nlogin = l\nuser = v\n",
         "come from [login \"l\"]"},
        {"[login \"l\"]\nauth = basic\n", "login \"l\": user is missing"},
        {GOOD_ACCOUNT "proxy = localhost\n", "proxy is a URL"},
        {GOOD_ACCOUNT "access = impersonation\n", "access needs mailbox"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf b = BUF_INIT(0);
        struct config *c = parse(table[i].text, &b);
        if (c || !strstr(buf_z(&b), table[i].expected))
            fail_msg("'%s' is not in:\n%s", table[i].expected, buf_z(&b));
        buf_done(&b);
    }
}

static void bounded(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(0), b = BUF_INIT(0);
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "[account \"a%d\"]\nfoo = bar\n", i);
    assert_null(config_parse(buf_view(&text), "x", &b));
    assert_non_null(strstr(buf_z(&b), " more\n"));
    assert_true(b.n < 30000);
    buf_reset(&b);
    buf_fill(&text, 'x', 10000);
    assert_null(config_parse(buf_view(&text), "x", &b));
    buf_reset(&b);
    buf_fill(&text, '\n', INI_FILE_MAX);
    assert_null(config_parse(buf_view(&text), "x", &b));
    assert_non_null(strstr(buf_z(&b), "larger than"));
    buf_done(&b);
    buf_done(&text);
}

/* Every prefix of a good file: no crash, and an answer. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "[server]\nlisten = ::1, 127.0.0.1\n[limits]\nconnections = 3\n" GOOD_ACCOUNT;
    for (size_t n = 0; n <= sizeof(text) - 1; n++) {
        struct buf b = BUF_INIT(0);
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        struct config *c = config_parse(str_of(copy, n), "x", &b);
        assert_true((c == NULL) == (b.n > 0));
        config_free(&c);
        free(copy);
        buf_done(&b);
    }
}

static void files(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "/tmp/exbridge-test-config-%d", (int)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(GOOD_ACCOUNT, f);
    fclose(f);
    static const struct {
        mode_t mode;
        const char *problem;
    } table[] = {{0600, NULL}, {0644, NULL}, {0664, "chmod go-w"}, {0602, "chmod go-w"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf b = BUF_INIT(0);
        assert_int_equal(chmod(path, table[i].mode), 0);
        struct config *c = config_load(path, &b);
        assert_true((c != NULL) == (table[i].problem == NULL));
        if (table[i].problem)
            assert_non_null(strstr(buf_z(&b), table[i].problem));
        config_free(&c);
        buf_done(&b);
    }
    unlink(path);
    struct buf b = BUF_INIT(0);
    assert_null(config_load(path, &b));
    assert_non_null(strstr(buf_z(&b), "No such file"));
    assert_null(config_load("/tmp", &b));
    buf_reset(&b);
    assert_true(config_default_path(&b, NULL));
    assert_string_equal(buf_z(&b), "/home/alice/.config/exbridge/exbridge.conf");
    buf_done(&b);
}

/* Another value of a key, in place. */
static void alter(const struct config_key *k, void *base)
{
    void *to = (char *)base + k->offset;
    switch (k->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_FILE:
        *(const char **)to = *(const char **)to ? NULL : "x";
        break;
    case KIND_NAMES:
        *(unsigned *)to += 1;
        break;
    case KIND_YES_NO:
        *(bool *)to = !*(bool *)to;
        break;
    case KIND_NUMBER:
    case KIND_BYTES:
    case KIND_SECONDS:
        *(uint64_t *)to += 1;
        break;
    }
}

/* Each key, changed alone, is a difference. */
static void same(void **state)
{
    (void)state;
    struct config *a = good(GOOD_ACCOUNT), *b = good(GOOD_ACCOUNT);
    assert_true(config_account_same(&a->accounts[0], &b->accounts[0]));
    assert_true(config_limits_same(&a->limits, &b->limits));
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        struct config_account saved = b->accounts[0];
        struct config_limits limits = b->limits;
        if (k->section == SECTION_LIMITS) {
            alter(k, &b->limits);
            assert_false(config_limits_same(&a->limits, &b->limits));
        } else if (k->section != SECTION_SERVER) {
            alter(k, k->section == SECTION_LOGIN ? (void *)&b->accounts[0].own : (void *)&b->accounts[0]);
            if (config_account_same(&a->accounts[0], &b->accounts[0]))
                fail_msg("%s", k->name);
        }
        b->accounts[0] = saved;
        b->limits = limits;
    }
    config_free(&a);
    config_free(&b);
    static const char corp[] = "[login \"corp\"]\nuser = u\nauth = basic\npassword-command = x\n"
                               "[account \"work\"]\nemail = alice@example.com\nbackend = ews\nurl = "
                               "https://mail.example.com/EWS/Exchange.asmx\nlogin = corp\n";
    a = good(corp);
    b = good(corp);
    assert_true(config_account_same(&a->accounts[0], &b->accounts[0]));
    b->logins[0].user = "v"; /* of the section that the account names */
    assert_false(config_account_same(&a->accounts[0], &b->accounts[0]));
    config_free(&a);
    config_free(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {T(everything),   T(defaults), T(problems), T(bounded),
                                       T(cut_anywhere), T(files),    T(same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
