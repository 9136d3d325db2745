/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can be wrong with a value, for every key of the table: file and line, what is wrong, what would be
 * right. What the table says of a key (numbers, names, yes or no, paths) makes its cases; of texts each key must stand
 * in `texts` below, so that a new one is not forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "bridge/config_private.h"
#include "bridge/ini.h"

#define FILE_NAME "/etc/x.conf"

static int set_up(void **state)
{
    (void)state;
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CACHE_HOME");
    return setenv("HOME", "/home/alice", 1);
}

/* --- a file with one wrong key ----------------------------------------------------------------------------------- */

/* Sections that are right, without the key that is to be wrong; *ret_line is its line. */
static void write_file(struct buf *out, const struct config_key *k, const char *key_line, unsigned *ret_line)
{
    static const struct {
        enum config_section section;
        const char *head;
        const char *keys[8];
    } sections[] = {
        {SECTION_SERVER, "[server]", {"log-level = info"}},
        {SECTION_LIMITS, "[limits]", {"connections = 17"}},
        {SECTION_LOGIN, "[login \"corp\"]", {"user = svc", "auth = basic"}},
        {SECTION_ACCOUNT,
         "[account \"work\"]",
         {"email = alice@example.com", "backend = ews", "url = https://mail.example.com/EWS/Exchange.asmx",
          "auth = basic"}},
    };
    unsigned line = 0;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        buf_printf(out, "%s\n", sections[i].head);
        line++;
        for (size_t j = 0; sections[i].keys[j]; j++) {
            const char *text = sections[i].keys[j];
            bool is_wrong_one = sections[i].section == k->section && str_starts(str_from(text), str_from(k->name)) &&
                                text[strlen(k->name)] == ' ';
            if (is_wrong_one)
                continue;
            buf_printf(out, "%s\n", text);
            line++;
        }
        if (sections[i].section == k->section) {
            buf_printf(out, "%s\n", key_line);
            *ret_line = ++line;
        }
    }
}

/* The file with this line in place of the key's own is refused, and one of the problems is in that line and holds the
 * words. */
static void refuse(const struct config_key *k, const char *key_line, const char *words)
{
    struct buf text = BUF_INIT(0), problems = BUF_INIT(0), place = BUF_INIT(0);
    struct str rest, line;
    unsigned number = 0;
    bool found = false;
    write_file(&text, k, key_line, &number);
    struct config *c = config_parse(buf_view(&text), FILE_NAME, &problems);
    if (c)
        fail_msg("accepted: %s", key_line);
    buf_printf(&place, FILE_NAME ":%u: ", number);
    rest = buf_view(&problems);
    while (str_cut(&rest, '\n', &line) && line.n)
        found |= str_starts(line, buf_view(&place)) && str_find(line, str_from(words)) != (size_t)-1;
    if (!found)
        fail_msg("%s: no problem in line %u with the words \"%s\", but:\n%s", key_line, number, words,
                 buf_z(&problems));
    buf_done(&text);
    buf_done(&problems);
    buf_done(&place);
}

static void refuse_value(const struct config_key *k, const char *value, const char *words)
{
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "%s = %s", k->name, value);
    refuse(k, buf_z(&line), words);
    buf_done(&line);
}

/* --- by kind ------------------------------------------------------------------------------------------------------ */

static void wrong_names(const struct config_key *k)
{
    static const char *const yes_no[] = {"no", "yes", ""};
    const char *const *names = k->names ? k->names : yes_no;
    struct buf right = BUF_INIT(0);
    buf_printf(&right, "%s: must be one of: ", k->name);
    bool first = true;
    for (size_t i = 0; !names[i] || names[i][0]; i++)
        if (names[i]) {
            buf_printf(&right, first ? "%s" : ", %s", names[i]);
            first = false;
        }
    static const char *const values[] = {"nonsense", "YES", "true", "1", "0", "yes # so", "basic, ntlm", "-"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        refuse_value(k, values[i], buf_z(&right));
    refuse_value(k, "info # so", "(a comment stands on its own line)");
    buf_done(&right);
}

static void wrong_numbers(const struct config_key *k)
{
    static const char *const values[] = {"x", "-1", "1.5", "0x10", "1 000", "+5", "99999999999999999999999"};
    static const char *const forms[] = {
        [KIND_NUMBER] = "a number", [KIND_BYTES] = "a size like 64K or 25M", [KIND_SECONDS] = "a time like 90s or 30m"};
    char text[64], words[128];
    snprintf(words, sizeof(words), "%s: not %s", k->name, forms[k->kind]);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        refuse_value(k, values[i], words);
    refuse_value(k, k->kind == KIND_BYTES ? "5s" : k->kind == KIND_SECONDS ? "5K" : "5M", words);
    refuse_value(k, "5 # so", "(a comment stands on its own line)");
    snprintf(words, sizeof(words), "%s: must be between %llu and %llu", k->name, (unsigned long long)k->min,
             (unsigned long long)k->max);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)k->max + 1);
    refuse_value(k, text, words);
    if (k->min > 0) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)k->min - 1);
        refuse_value(k, text, words);
    }
}

static void wrong_paths(const struct config_key *k)
{
    static const char *const values[] = {"relative/path", "./here", "~bob/x", "$HOME/x", "C:\\x"};
    char words[128];
    snprintf(words, sizeof(words), "%s: a path is absolute, or begins with ~/", k->name);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        refuse_value(k, values[i], words);
}

/* What texts must be. `value` NULL: anything goes. */
static const struct {
    const char *key, *value, *words;
} texts[] = {
    {"listen", "mail.example.com", "neither 'localhost' nor a numeric address"},
    {"listen", "localhost, 300.1.2.3", "neither 'localhost' nor a numeric address"},
    {"listen", "192.0.2.1", "allow-remote = yes"},
    {"listen", "0.0.0.0", "allow-remote = yes"},
    {"listen", "::", "allow-remote = yes"},
    {"user", NULL, NULL},
    {"password-command", NULL, NULL},
    {"token-command", "print-token", "token-command needs auth = token-command"},
    {"oauth-client-id", "some-id", "oauth- keys need auth = oauth"},
    {"oauth-tenant", "corp.example.com", "oauth- keys need auth = oauth"},
    {"oauth-scope", "openid", "oauth- keys need auth = oauth"},
    {"oauth-login-host", "login.example.com", "oauth- keys need auth = oauth"},
    {"email", "alice", "not an address like alice@example.com"},
    {"email", "@example.com", "not an address like alice@example.com"},
    {"email", "alice@", "not an address like alice@example.com"},
    {"email", "a@b@c", "not an address like alice@example.com"},
    {"email", "Alice <alice@example.com>", "not an address like alice@example.com"},
    {"url", "mail.example.com", "must look like https://mail.example.com/EWS/Exchange.asmx"},
    {"url", "http://mail.example.com/EWS/Exchange.asmx", "must begin with https://"},
    {"url", "http://localhost.example.com/", "must begin with https://"},
    {"url", "http://127.0.0.1.example.com/", "must begin with https://"},
    {"url", "http://[::1].example.com/", "must begin with https://"},
    {"url", "ftp://mail.example.com/", "must look like https://"},
    {"url", "https://", "must look like https://"},
    {"url", "https://mail example.com/", "must look like https://"},
    {"url", "https://-\xc3\xbc.example/EWS/Exchange.asmx", "cannot be the name of a host"},
    {"host", "mail.example.com", "url or host, not both"},
    {"host", "b\xc3\xbc..example", "cannot be the name of a host"},
    {"login", "nobody", "there is no [login \"nobody\"]"},
    {"local-password-command", NULL, NULL},
    {"mailbox", "Bob", "mailbox is an address like info@example.com, or archive"},
    {"proxy", "proxy.example.com:3128", "a URL like http://proxy.example.com:3128, or none"},
    {"proxy", "gopher://proxy.example.com", "a URL like http://proxy.example.com:3128, or none"},
    {"special-use.junk", NULL, NULL},
    {"special-use.archive", NULL, NULL},
};

static void wrong_texts(const struct config_key *k)
{
    bool known = false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].key, k->name) != 0)
            continue;
        known = true;
        if (texts[i].value)
            refuse_value(k, texts[i].value, texts[i].words);
    }
    if (!known)
        fail_msg("what is a wrong value of %s? put it into this table", k->name);
}

static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        switch (k->kind) {
        case KIND_TEXT:
            wrong_texts(k);
            break;
        case KIND_PATH:
        case KIND_FILE:
            wrong_paths(k);
            break;
        case KIND_NAMES:
        case KIND_YES_NO:
            wrong_names(k);
            break;
        case KIND_NUMBER:
        case KIND_BYTES:
        case KIND_SECONDS:
            wrong_numbers(k);
            break;
        }
    }
}

/* --- by key, whatever its kind ---------------------------------------------------------------------------------- */

static void keys(void **state)
{
    struct buf line = BUF_INIT(0);
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        char words[160];
        size_t n = strlen(k->name);

        snprintf(words, sizeof(words), "%s: a value is missing", k->name);
        refuse_value(k, "", words);
        refuse_value(k, "\"\"", words);
        refuse_value(k, "\xff\xfe", "not UTF-8");
        refuse_value(k, "a\x01z", "control characters");

        buf_reset(&line); /* a letter is missing */
        buf_printf(&line, "%.*s = 1", (int)n - 1, k->name);
        bool is_another = false; /* "cert" of "certs" */
        for (size_t j = 0; j < config_key_count; j++)
            is_another |= strlen(config_keys[j].name) == n - 1 && strncmp(config_keys[j].name, k->name, n - 1) == 0;
        if (!is_another)
            refuse(k, buf_z(&line), "did you mean '");

        buf_reset(&line); /* capitals: keys are small */
        buf_printf(&line, "%c%s = 1", k->name[0] - 32, k->name + 1);
        snprintf(words, sizeof(words), "did you mean '%s'?", k->name);
        refuse(k, buf_z(&line), words);

        buf_reset(&line);
        buf_lit(&line, k->name); /* no '=' */
        refuse(k, buf_z(&line), "not a section, a comment or 'key = value'");
    }
    buf_done(&line);
}

/* Twice, and in a section where it does not belong. */
static void places(void **state)
{
    static const char *const heads[] = {[SECTION_SERVER] = "[server]",
                                        [SECTION_LIMITS] = "[limits]",
                                        [SECTION_LOGIN] = "[login \"l\"]",
                                        [SECTION_ACCOUNT] = "[account \"a\"]"};
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        for (enum config_section s = SECTION_SERVER; s <= SECTION_ACCOUNT; s++) {
            bool fits = s == k->section || (k->section == SECTION_LOGIN && s == SECTION_ACCOUNT);
            struct buf text = BUF_INIT(0), problems = BUF_INIT(0), words = BUF_INIT(0);
            buf_printf(&text, "%s\n%s = 1\n\n# a comment\n%s = 2\n", heads[s], k->name, k->name);
            if (fits)
                buf_printf(&words, FILE_NAME ":5: %s was set before, in line 2\n", k->name);
            else
                buf_printf(&words, FILE_NAME ":2: '%s' belongs into a [%s] section, not into [%s]\n", k->name,
                           config_section_name(k->section), config_section_name(s));
            assert_null(config_parse(buf_view(&text), FILE_NAME, &problems));
            if (str_find(buf_view(&problems), buf_view(&words)) == (size_t)-1)
                fail_msg("%s in %s: %s", k->name, heads[s], buf_z(&problems));
            buf_done(&text);
            buf_done(&problems);
            buf_done(&words);
        }
    }
}

/* --- the file as a whole ---------------------------------------------------------------------------------------- */

#define ACCOUNT                                                                                                        \
    "[account \"work\"]\nemail = alice@example.com\nbackend = ews\nurl = https://mail.example.com/EWS/Exchange.asmx\n" \
    "auth = basic\n"

static void check(struct str text, const char *words)
{
    struct buf problems = BUF_INIT(0);
    struct config *c = config_parse(text, FILE_NAME, &problems);
    if (!words && !c)
        fail_msg("refused: %s", buf_z(&problems));
    if (words && c)
        fail_msg("accepted: %.200s", text.p);
    if (words && str_find(buf_view(&problems), str_from(words)) == (size_t)-1)
        fail_msg("\"%s\" is not in:\n%s", words, buf_z(&problems));
    config_free(&c);
    buf_done(&problems);
}

static void whole_files(void **state)
{
    static const struct {
        const char *text, *words;
    } table[] = {
        {"", "there is no [account \"NAME\"] section"},
        {"# nothing\n", "there is no [account \"NAME\"] section"},
        {"email = alice@example.com\n" ACCOUNT, ":1: a key before the first section"},
        {"[acount \"work\"]\nemail = a@b\n", ":1: unknown section [acount]: there are [server]"},
        {"[account]\nemail = a@b\n", ":1: a name is needed, as in [account \"work\"]"},
        {"[account \"a/b\"]\n", ":1: a name is needed, as in [account \"work\"]"},
        {"[account \"..\"]\n", ":1: a name is needed"},
        {"[account \"work\"\n", ":1: a section ends with ']'"},
        {"[account \"work\" \"x\"]\n", ":1: "},
        {"[server \"x\"]\n" ACCOUNT, ":1: [server] has no name"},
        {"[server]\n[server]\n" ACCOUNT, ":2: [server] was there before, in line 1"},
        {ACCOUNT ACCOUNT, ":6: account \"work\" was there before, in line 1"},
        {ACCOUNT "[account \"WORK\"]\n", ":6: account \"work\" was there before, in line 1"},
        {"[login \"l\"]\nuser = u\nauth = basic\n[login \"l\"]\n", ":4: login \"l\" was there before, in line 1"},
        {ACCOUNT "= x\n", ":6: a key is missing before '='"},
        {ACCOUNT "user = \"a\n", NULL}, /* one quote is a letter like any other */
        {"\xef\xbb\xbf" ACCOUNT, NULL}, /* a byte order mark */
        {"[server]\r\nimap = 1\r\n" ACCOUNT, NULL},
        {"[server]\rimap = 1\r" ACCOUNT, ":1: "}, /* lines of an old Macintosh */
        {"[server]\nimap = 1993\nsmtp = 1993\n" ACCOUNT, ":3: imap and smtp need different ports"},
        {"[server]\nimap = 1993\ndav = 1993\n" ACCOUNT, ":3: imap and dav need different ports"},
        {"[server]\ndav = 1993\nimap = 1\nsmtp = 1993\n" ACCOUNT, ":4: smtp and dav need different ports"},
        {"[server]\nimap = 0\nsmtp = 0\ndav = 0\n" ACCOUNT, NULL},
        {"[server]\ncert = /a\n" ACCOUNT, ":2: cert and key go together"},
        {"[server]\nkey = /a\n" ACCOUNT, ":2: cert and key go together"},
        {"[server]\ntls = off\nallow-remote = yes\nlisten = 192.0.2.1\n" ACCOUNT,
         ":4: listen: 192.0.2.1 needs tls = on"},
        {ACCOUNT "password-command = x\npassword-file = /x\n", ":7: \"work\": only one of password-command"},
        {ACCOUNT "local-password-command = x\nlocal-password-file = /x\n",
         ":7: account \"work\": local-password-command or"},
        {ACCOUNT "local-auth = passthrough\npassword-file = /x\n",
         ":7: \"work\": with local-auth = passthrough the password"},
        {ACCOUNT "local-auth = passthrough\nlocal-password-file = /x\n",
         ":7: account \"work\": local-auth = passthrough has no"},
        {ACCOUNT "access = impersonation\n", ":6: account \"work\": access needs mailbox"},
        {ACCOUNT "client-key = /x\n", ":6: \"work\": client-key without client-cert"},
        {"[login \"l\"]\nauth = basic\n", ":1: login \"l\": user is missing"},
        {"[login \"l\"]\nauth = basic\nuser = u\n" ACCOUNT "login = l\n",
         ":8: account \"work\": user, auth and password come"},
        {"[account \"a\"]\n", ":1: account \"a\": email is missing"},
        {"[account \"a\"]\n", ":1: account \"a\": backend is missing: ews or eas"},
        {"[account \"a\"]\n", ":1: account \"a\": url is missing (or host); `exbridge setup` finds it"},
        {"[account \"a\"]\n", ":1: \"a\": auth is missing: basic, ntlm"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = basic\nmailbox = x@b.c\n",
         ":6: account \"a\": ActiveSync opens one's own mailbox only"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = https://h/\nauth = basic\n",
         ":4: account \"a\": host is a name"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = oauth\noauth-client-id = a b\n",
         ":6: \"a\": oauth-client-id is an id like"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = oauth\noauth-client-id = x\noauth-tenant = "
         "a/b\n",
         ":7: \"a\": oauth-tenant is a domain, an id, or common"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = oauth\noauth-client-id = x\noauth-login-host "
         "= "
         "https://x/\n",
         ":7: \"a\": oauth-login-host is a name like"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = cert\n",
         ":5: \"a\": auth = cert needs client-cert"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = token-command\n",
         ":5: \"a\": auth = token-command needs token-command"},
        {"[account \"a\"]\nemail = a@b.c\nbackend = eas\nhost = h\nauth = oauth\noauth-client-id = x\npassword-file = "
         "/x\n",
         ":7: \"a\": auth = oauth gets its tokens from `exbridge login`"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        check(str_from(table[i].text), table[i].words);
    check(STR("[server]\nimap = 1\0993\n" ACCOUNT), ":2: control characters");
    check(STR(ACCOUNT "\0"), ":6: control characters");
}

/* Two accounts of one address are allowed: mail programs sign in with the section's name then. */
static void one_address_twice(void **state)
{
    (void)state;
    check(STR(ACCOUNT "[account \"phone\"]\nemail = alice@example.com\nbackend = eas\nhost = h\nauth = basic\n"), NULL);
}

/* check-config looks for the files that are named: all of them, each with its line. */
static void missing_files(void **state)
{
    struct buf text = BUF_INIT(0), problems = BUF_INIT(0), words = BUF_INIT(0);
    size_t count = 0, login_keys = 0;
    unsigned line = 1;
    (void)state;
    buf_lit(&text, "[server]\n");
    for (enum config_section s = SECTION_SERVER; s <= SECTION_ACCOUNT; s++) {
        if (s == SECTION_LOGIN) {
            buf_lit(&text, "[login \"corp\"]\nuser = svc\nauth = basic\n");
            line += 3;
        } else if (s == SECTION_ACCOUNT) {
            buf_lit(&text, ACCOUNT);
            line += 5;
        }
        for (size_t i = 0; i < config_key_count; i++) {
            const struct config_key *k = &config_keys[i];
            if (k->kind != KIND_FILE || k->section != s)
                continue;
            buf_printf(&text, "%s = /nonexistent/%s\n", k->name, k->name);
            buf_printf(&words, FILE_NAME ":%u: %s: /nonexistent/%s: No such file or directory\n", ++line, k->name,
                       k->name);
            count++;
            login_keys += s == SECTION_LOGIN;
        }
    }
    struct config *c = config_parse(buf_view(&text), FILE_NAME, &problems);
    if (!c)
        fail_msg("%s", buf_z(&problems));
    assert_int_equal(config_missing_files(c, &problems), count);
    assert_string_equal(buf_z(&problems), buf_z(&words));
    assert_true(count > 5 && login_keys > 2);
    config_free(&c);
    buf_reset(&problems);
    c = config_parse(STR(ACCOUNT "ca-file = /dev/null\n"), FILE_NAME, &problems);
    assert_int_equal(config_missing_files(c, &problems), 0);
    config_free(&c);
    buf_done(&text);
    buf_done(&problems);
    buf_done(&words);
}

static void long_lines(void **state)
{
    struct buf text = BUF_INIT(0);
    (void)state;
    buf_lit(&text, ACCOUNT "user = ");
    buf_fill(&text, 'a', INI_LINE_MAX);
    check(buf_view(&text), ":6: the line is longer than 8192 bytes");
    buf_reset(&text);
    buf_lit(&text, ACCOUNT "# ");
    buf_fill(&text, 'a', INI_LINE_MAX);
    check(buf_view(&text), ":6: the line is longer than 8192 bytes");
    buf_reset(&text);
    buf_lit(&text, ACCOUNT "user = ");
    buf_fill(&text, 'a', 8000);
    check(buf_view(&text), NULL);
    buf_reset(&text);
    buf_lit(&text, "[");
    buf_fill(&text, 'a', 5000);
    buf_lit(&text, "]\n");
    check(buf_view(&text), ":1: unknown section");
    buf_reset(&text);
    buf_lit(&text, ACCOUNT);
    buf_fill(&text, 'k', 5000);
    buf_lit(&text, " = 1\n");
    check(buf_view(&text), ":6: unknown key 'kkkkkkkk");
    buf_done(&text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {T(values),        T(keys),      T(places), T(whole_files), T(one_address_twice),
                                       T(missing_files), T(long_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
