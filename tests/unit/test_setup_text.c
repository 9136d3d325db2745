/* SPDX-License-Identifier: Apache-2.0 */
/* What setup writes is what the configuration reads, whatever the values are; and how it chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/common/autodiscover_probe.h"
#include "bridge/cli/setup.h"
#include "bridge/cli/setup_text.h"
#include "bridge/config.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct setup_server_values server = {
    .imap = 1993, .smtp = 1465, .dav = 1443, .secret_store = "file", .date = "2026-11-28"};

static struct config *read_back(const struct setup_values *v, struct str old)
{
    struct buf section = BUF_INIT(0), text = BUF_INIT(0), problems = BUF_INIT(0);
    struct err err;
    assert_true(setup_write_server(&section, &server, &err));
    buf_byte(&section, '\n');
    assert_true(setup_write_account(&section, v, &err));
    setup_append(&text, old, buf_view(&section));
    struct config *c = config_parse(buf_view(&text), "test", &problems);
    if (!c)
        fail_msg("%s\n%s", buf_z(&problems), buf_z(&text));
    buf_done(&section);
    buf_done(&text);
    buf_done(&problems);
    return c;
}

static void test_round_trip(void **state)
{
    const struct setup_values v = {
        .name = "work",
        .email = "alice@corp.test",
        .backend = "ews",
        .url = "https://mail.corp.test/EWS/Exchange.asmx",
        .auth = "basic",
        .user = "CORP\\alice",
        .why = "because",
        .password_command = "pass show 'a b' | head -n1 # not a comment; nor this",
        .mailbox = "team@corp.test",
        .access = "delegation",
        .ca_file = "/etc/ca.pem",
        .proxy = "none",
        .tls_min = "1.2",
    };
    (void)state;
    struct config *c = read_back(&v, STR_NULL);
    const struct config_account *a = &c->accounts[0];
    assert_int_equal(c->server.imap, 1993);
    assert_int_equal(c->server.secret_store, SECRET_STORE_FILE);
    assert_string_equal(a->name, v.name);
    assert_string_equal(a->email, v.email);
    assert_string_equal(a->url, v.url);
    assert_string_equal(a->login->user, v.user);
    assert_string_equal(a->login->password_command, v.password_command);
    assert_string_equal(a->mailbox, v.mailbox);
    assert_string_equal(a->proxy, "");
    config_free(&c);
}

static void test_odd_values(void **state)
{
    static const struct {
        const char *value;
        bool good;
    } rows[] = {
        {"plain", true},       {" blanks around ", true},
        {"a = b", true},       {"[account]", true},
        {"# hash", true},      {"\"half", true},
        {"\"a\" \"b\"", true}, {"a \"b\"", true},
        {"\"whole\"", false},  {" \"quoted\" inside ", false},
        {"two\nlines", false}, {"\x01", false},
        {"a\tb", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct setup_values v = {.name = "a",
                                 .email = "a@b.c",
                                 .backend = "ews",
                                 .url = "https://b.c/",
                                 .auth = "basic",
                                 .password_command = rows[i].value};
        struct buf out = BUF_INIT(0);
        struct err err;
        if (setup_write_account(&out, &v, &err) != rows[i].good)
            fail_msg("%s", rows[i].value);
        buf_done(&out);
        if (!rows[i].good)
            continue;
        struct config *c = read_back(&v, STR_NULL);
        assert_string_equal(c->accounts[0].login->password_command, rows[i].value);
        config_free(&c);
    }
}

static void test_login_section(void **state)
{
    const struct setup_values v = {
        .name = "svc", .backend = "ews", .url = "https://b.c/", .auth = "ntlm", .user = "C\\svc"};
    struct buf out = BUF_INIT(0), problems = BUF_INIT(0);
    struct err err;
    (void)state;
    buf_lit(&out, "[server]\n");
    assert_true(setup_write_login(&out, &v, &err));
    struct config *c = config_parse(buf_view(&out), "test", &problems);
    assert_non_null(c);
    assert_int_equal(c->account_count, 0);
    assert_string_equal(c->logins[0].user, "C\\svc");
    config_free(&c);
    buf_done(&out);
    buf_done(&problems);
}

static void test_append(void **state)
{
    static const struct {
        const char *old, *expected;
    } rows[] = {{"", "[x]\n"}, {"a\n", "a\n\n[x]\n"}, {"a", "a\n\n[x]\n"}, {"a\r\n\n", "a\r\n\n\n[x]\n"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(0);
        setup_append(&out, str_from(rows[i].old), STR("[x]\n"));
        assert_string_equal(buf_z(&out), rows[i].expected);
        buf_done(&out);
    }
}

static bool is_taken(void *ud, const char *name)
{
    for (const char *const *t = ud; *t; t++)
        if (strcmp(*t, name) == 0)
            return true;
    return false;
}

static void test_names(void **state)
{
    static const char *const taken[] = {"corp", "corp-2", NULL};
    static const struct {
        const char *email, *name;
    } rows[] = {
        {"alice@corp.test", "corp-3"},
        {"alice@Example.com", "example"},
        {"alice@--x.test", "x"},
        {"alice@_x_.test", "x"},
        {"alice", "mail"},
        {"alice@", "mail"},
        {"alice@\xc3\xbc.test", "mail"},
        {"a@1234567890123456789012345678901234567890123.test", "1234567890123456789012345678901234567890"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(0);
        setup_account_name(&out, str_from(rows[i].email), is_taken, (void *)taken);
        assert_string_equal(buf_z(&out), rows[i].name);
        buf_done(&out);
    }
}

static void test_schemes(void **state)
{
    enum { B = SCHEME_BASIC, N = SCHEME_NTLM, K = SCHEME_NEGOTIATE, T = SCHEME_BEARER };
    static const struct {
        unsigned schemes;
        bool ticket, cloud, eas;
        const char *auth;
    } rows[] = {
        {B | N | K, true, false, false, "kerberos"}, {B | N | K, false, false, false, "ntlm"},
        {B, false, false, false, "basic"},           {B | N, false, false, true, "basic"},
        {K, false, false, false, "kerberos"},        {T, false, false, false, "oauth"},
        {T | K, false, false, false, "oauth"},       {T | N, false, false, false, "ntlm"},
        {B | N | K, true, true, false, "oauth"},     {0, false, false, false, "basic"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(setup_choose_auth(rows[i].schemes, rows[i].ticket, rows[i].cloud, rows[i].eas),
                            rows[i].auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_odd_values), cmocka_unit_test(test_login_section),
        cmocka_unit_test(test_append),     cmocka_unit_test(test_names),      cmocka_unit_test(test_schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
