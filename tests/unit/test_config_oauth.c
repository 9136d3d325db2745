/* SPDX-License-Identifier: Apache-2.0 */
/* Where people sign in, and for what: Microsoft's clouds have login servers and scopes of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/common/autodiscover_rules.h"
#include "bridge/cli/config_accounts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SIDE     " offline_access openid profile"

static struct config *parse(const char *accounts)
{
    struct buf text = BUF_INIT(0), problems = BUF_INIT(0);
    buf_printf(&text, "[login \"shared\"]\nuser = a@b.test\nauth = oauth\noauth-client-id = x\n%s", accounts);
    struct config *c = config_parse(buf_view(&text), "test", &problems);
    if (!c)
        fail_msg("%s\n%s", buf_z(&problems), buf_z(&text));
    buf_done(&text);
    buf_done(&problems);
    return c;
}

static void check(const char *accounts, const char *host, const char *scope)
{
    struct config *c = parse(accounts);
    struct oauth_config o = config_oauth(c, c->accounts[0].login);
    assert_string_equal(o.host, host);
    assert_string_equal(o.scope, scope);
    assert_string_equal(o.tenant, "common");
    config_free(&c);
}

static void test_clouds(void **state)
{
    static const struct {
        const char *host, *login_host, *resource;
    } rows[] = {
        {"outlook.office365.com", "login.microsoftonline.com", "https://outlook.office365.com"},
        {"outlook.office.com", "login.microsoftonline.com", "https://outlook.office365.com"},
        {"OUTLOOK.office365.US", "login.microsoftonline.us", "https://outlook.office365.us"},
        {"outlook-dod.office365.us", "login.microsoftonline.us", "https://outlook-dod.office365.us"},
        {"partner.outlook.cn", "login.partner.microsoftonline.cn", "https://partner.outlook.cn"},
        {"eas.outlook.com", "login.microsoftonline.com", "https://outlook.office.com"},
        {"mail.corp.test", "login.microsoftonline.com", "https://outlook.office365.com"},
        {"outlook.office365.us.corp.test", "login.microsoftonline.com", "https://outlook.office365.com"},
    };
    static const char *const backends[] = {"ews", "eas"}, *const scopes[] = {"EWS", "EAS"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        struct buf account = BUF_INIT(0), scope = BUF_INIT(0);
        buf_printf(&account,
                   "[account \"a\"]\nemail = a@b.test\nbackend = %s\nurl = https://%s/x\nauth = oauth\n"
                   "oauth-client-id = x\n",
                   backends[i % 2], rows[i / 2].host);
        buf_printf(&scope, "%s/%s.AccessAsUser.All" SIDE, rows[i / 2].resource, scopes[i % 2]);
        check(buf_z(&account), rows[i / 2].login_host, buf_z(&scope));
        buf_done(&account);
        buf_done(&scope);
    }
}

/* What autodiscover says of a cloud is what signing in makes of its addresses. */
static void test_found_clouds(void **state)
{
    static const char *const mx[] = {"mail.protection.outlook.com", "mail.protection.office365.us",
                                     "mail.protection.partner.outlook.cn", "olc.protection.outlook.com"};
    (void)state;
    for (size_t i = 0; i < COUNT(mx); i++) {
        const struct autodiscover_cloud *cloud = autodiscover_cloud_by_mx(str_from(mx[i]));
        assert_ptr_equal(autodiscover_cloud_by_url(str_from(cloud->eas_url)), cloud);
    }
    assert_string_equal(autodiscover_cloud_by_host(STR("autodiscover-s-dod.office365.us"))->host,
                        "outlook-dod.office365.us");
}

static void test_said_by_the_file(void **state)
{
    (void)state;
    check("[account \"a\"]\nemail = a@b.test\nbackend = ews\nurl = https://partner.outlook.cn/x\nauth = oauth\n"
          "oauth-client-id = x\noauth-login-host = login.chinacloudapi.cn\noauth-scope = one two\n",
          "login.chinacloudapi.cn", "one two");
    check("[account \"a\"]\nemail = a@b.test\nbackend = ews\nurl = https://outlook.office365.us/x\nlogin = shared\n"
          "[account \"b\"]\nemail = b@b.test\nbackend = eas\nurl = https://outlook.office365.us/y\nlogin = shared\n",
          "login.microsoftonline.us",
          "https://outlook.office365.us/EWS.AccessAsUser.All https://outlook.office365.us/EAS.AccessAsUser.All" SIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clouds),
        cmocka_unit_test(test_found_clouds),
        cmocka_unit_test(test_said_by_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
