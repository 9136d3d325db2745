/* SPDX-License-Identifier: Apache-2.0 */
/* The pure half of autodiscover: answers in every cut, whom to believe, which backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/common/autodiscover_read.h"
#include "backends/common/autodiscover_rules.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;

/* --- documents ----------------------------------------------------------------------------------- */

#define S       "http://schemas.microsoft.com/exchange/autodiscover/"
#define HEAD    "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"" S "responseschema/2006\">"
#define OUTLOOK HEAD "<Response xmlns=\"" S "outlook/responseschema/2006a\">"
#define MOBILE  HEAD "<Response xmlns=\"" S "mobilesync/responseschema/2006\">"
#define TAIL    "</Response></Autodiscover>"

/* As Exchange 2016 answers, shortened; the WEB section has protocols inside. */
#define FULL                                                                                                           \
    OUTLOOK                                                                                                            \
    "<User><DisplayName>Alice A</DisplayName><LegacyDN>/o=x</LegacyDN>"                                                \
    "<AutoDiscoverSMTPAddress>alice@corp.test</AutoDiscoverSMTPAddress></User>"                                        \
    "<Account><AccountType>email</AccountType><Action>settings</Action><MicrosoftOnline>False</MicrosoftOnline>"       \
    "<Protocol><Type>EXCH</Type><Server>guid@corp.test</Server><ASUrl>https://in.corp.test/EWS/Exchange.asmx</ASUrl>"  \
    "<EwsUrl>https://in.corp.test/EWS/Exchange.asmx</EwsUrl><OABUrl>https://in.corp.test/OAB/1/</OABUrl></Protocol>"   \
    "<Protocol><Type>EXPR</Type><Server>mail.corp.test</Server><AuthPackage>Ntlm</AuthPackage>"                        \
    "<EwsUrl>https://mail.corp.test/EWS/Exchange.asmx</EwsUrl></Protocol>"                                             \
    "<Protocol><Type>WEB</Type><Internal><OWAUrl AuthenticationMethod=\"Basic\">https://in.corp.test/owa/</OWAUrl>"    \
    "<Protocol><Type>EXCH</Type><ASUrl>https://other.corp.test/EWS/Exchange.asmx</ASUrl></Protocol></Internal>"        \
    "<External><OWAUrl AuthenticationMethod=\"Fba\">https://mail.corp.test/owa/</OWAUrl><Protocol><Type>EXPR</Type>"   \
    "<ASUrl>https://wrong.corp.test/EWS/Exchange.asmx</ASUrl></Protocol></External></Protocol>"                        \
    "<AlternativeMailbox><Type>Archive</Type><DisplayName>Archive - Alice</DisplayName><LegacyDN>/o=x</LegacyDN>"      \
    "<SmtpAddress>archive-1@corp.test</SmtpAddress></AlternativeMailbox>"                                              \
    "<AlternativeMailbox><Type>Delegate</Type><SmtpAddress>team@corp.test</SmtpAddress></AlternativeMailbox>"          \
    "<PublicFolderInformation><SmtpAddress>pf@corp.test</SmtpAddress></PublicFolderInformation></Account>" TAIL

#define SOAP_HEAD                                                                                                      \
    "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><GetUserSettingsResponseMessage "         \
    "xmlns='http://schemas.microsoft.com/exchange/2010/Autodiscover' xmlns:i='urn:i'><Response><ErrorCode>NoError"     \
    "</ErrorCode><UserResponses><UserResponse>"
#define SOAP_USER(code, rest)     "<ErrorCode>" code "</ErrorCode>" rest
#define SOAP_SETTING(name, value) "<UserSetting><Name>" name "</Name><Value>" value "</Value></UserSetting>"
#define SOAP_TAIL                 "</UserResponse></UserResponses></Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"

static const struct {
    const char *doc, *expected;
} answers[] = {
    {SOAP_HEAD SOAP_USER("NoError",
                         "<RedirectTarget i:nil='true'/><UserSettings>" SOAP_SETTING("ExternalEwsUrl", "https://a/E")
                             SOAP_SETTING("InternalEwsUrl", "https://b/E") SOAP_SETTING("Other", "x")
                                 SOAP_SETTING("AutoDiscoverSMTPAddress", "a@b") "</UserSettings>") SOAP_TAIL,
     "settings ews=https://a/E address=a@b"},
    {SOAP_HEAD SOAP_USER("NoError", "<UserSettings>" SOAP_SETTING("InternalEwsUrl", "https://b/E") "</UserSettings>")
         SOAP_TAIL,
     "settings ews=https://b/E"},
    {SOAP_HEAD SOAP_USER("RedirectUrl", "<RedirectTarget>https://c/x.svc</RedirectTarget>") SOAP_TAIL,
     "url https://c/x.svc"},
    {SOAP_HEAD SOAP_USER("RedirectAddress", "<RedirectTarget>a@c</RedirectTarget>") SOAP_TAIL, "address a@c"},
    {SOAP_HEAD SOAP_USER("InvalidUser", "") SOAP_TAIL, "error 500 InvalidUser"},
    {SOAP_HEAD SOAP_USER("NoError", "<UserSettingErrors><UserSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode>"
                                    "</UserSettingError></UserSettingErrors>") SOAP_TAIL,
     "protocol: not an autodiscover answer that mentions Exchange"},
    {FULL, "settings ews=https://mail.corp.test/EWS/Exchange.asmx owa=https://mail.corp.test/owa/ "
           "address=alice@corp.test name=Alice A auth=Ntlm Archive:archive-1@corp.test Delegate:team@corp.test "
           "pf=pf@corp.test"},
    {OUTLOOK "<Account><Action>settings</Action><Protocol><Type>EXPR</Type><Server>a</Server></Protocol><Protocol>"
             "<Type>EXCH</Type><ASUrl>https://in.corp.test/EWS/Exchange.asmx</ASUrl></Protocol></Account>" TAIL,
     "settings ews=https://in.corp.test/EWS/Exchange.asmx"},
    {OUTLOOK "<Account><Action>settings</Action><Protocol><Type>EXHTTP</Type><EwsUrl>https://i/</EwsUrl></Protocol>"
             "<Protocol><Type>EXHTTP</Type><EwsUrl> https://o/ </EwsUrl></Protocol></Account>" TAIL,
     "settings ews=https://o/"},
    {OUTLOOK "<Account><Action>settings</Action><MicrosoftOnline>True</MicrosoftOnline><Protocol><Type>WEB</Type>"
             "<Internal><OWAUrl>https://x/owa/</OWAUrl></Internal></Protocol></Account>" TAIL,
     "settings online owa=https://x/owa/"},
    {OUTLOOK "<Account><Action>redirectAddr</Action><RedirectAddr>alice@other.test</RedirectAddr></Account>" TAIL,
     "address alice@other.test"},
    {OUTLOOK "<Account><Action>redirectUrl</Action><RedirectUrl>https://x.test/a.xml</RedirectUrl></Account>" TAIL,
     "url https://x.test/a.xml"},
    {OUTLOOK "<Error Time=\"1\" Id=\"2\"><ErrorCode>500</ErrorCode><Message>The e-mail address cannot be "
             "found.</Message><DebugData/></Error>" TAIL,
     "error 500 The e-mail address cannot be found."},
    {HEAD "<Response><Error Time=\"1\" Id=\"2\"><ErrorCode>600</ErrorCode><Message>Invalid Request</Message>"
          "<DebugData /></Error>" TAIL,
     "error 600 Invalid Request"},
    {MOBILE "<Culture>en:us</Culture><User><DisplayName>Alice</DisplayName><EMailAddress>alice@corp.test</EMailAddress>"
            "</User><Action><Settings><Server><Type>CertEnroll</Type><Url>https://cert.test/</Url></Server><Server>"
            "<Type>MobileSync</Type><Url>https://mail.corp.test/Microsoft-Server-ActiveSync</Url>"
            "<Name>https://mail.corp.test/Microsoft-Server-ActiveSync</Name></Server></Settings></Action>" TAIL,
     "settings eas=https://mail.corp.test/Microsoft-Server-ActiveSync address=alice@corp.test name=Alice"},
    {MOBILE "<Action><Redirect>alice@other.test</Redirect></Action>" TAIL, "address alice@other.test"},
    {MOBILE "<Action><Error><Status>2</Status><Message>no</Message><DebugData>x</DebugData></Error></Action>" TAIL,
     "error 2 no"},
    {MOBILE
     "<Error Time=\"1\" Id=\"2\"><Status>1</Status><ErrorCode>601</ErrorCode><Message>gone</Message></Error>" TAIL,
     "error 601 gone"},
    /* what is no answer of Exchange: mail providers know this format, too */
    {OUTLOOK "<Account><AccountType>email</AccountType><Action>settings</Action><Protocol><Type>IMAP</Type>"
             "<Server>imap.example.com</Server></Protocol></Account>" TAIL,
     "protocol: not an autodiscover answer that mentions Exchange"},
    {HEAD "</Autodiscover>", "protocol: not an autodiscover answer that mentions Exchange"},
    {"<html><body>hello</body></html>", "protocol: not an autodiscover answer that mentions Exchange"},
    {"<Autodiscover xmlns=\"http://example.com/\"><Response><Account><Action>redirectUrl</Action><RedirectUrl>"
     "https://x/</RedirectUrl></Account></Response></Autodiscover>",
     "protocol: not an autodiscover answer that mentions Exchange"},
};

static void describe(const struct autodiscover_answer *a, struct buf *out)
{
    static const char *const actions[] = {"settings", "address", "url", "error"};
    const struct {
        const char *label;
        struct str value;
    } values[] = {
        {"ews", autodiscover_ews_url(a)}, {"eas", a->eas_url},
        {"owa", autodiscover_owa_url(a)}, {"address", a->address},
        {"name", a->display_name},        {"auth", a->sections[AUTODISCOVER_EXPR].auth_package},
    };
    buf_lit(out, actions[a->action]);
    if (a->action == AUTODISCOVER_ERROR) {
        buf_printf(out, " %u %.*s", a->error_code, STR_ARG(a->error_text));
        return;
    }
    if (a->action != AUTODISCOVER_SETTINGS) {
        buf_printf(out, " %.*s", STR_ARG(a->redirect));
        return;
    }
    if (a->microsoft_online)
        buf_lit(out, " online");
    for (size_t i = 0; i < COUNT(values); i++)
        if (values[i].value.n)
            buf_printf(out, " %s=%.*s", values[i].label, STR_ARG(values[i].value));
    for (size_t i = 0; i < a->mailbox_count; i++)
        buf_printf(out, " %.*s:%.*s", STR_ARG(a->mailboxes[i].type), STR_ARG(a->mailboxes[i].address));
    if (a->public_folders.n)
        buf_printf(out, " pf=%.*s", STR_ARG(a->public_folders));
}

static char *read_pieces(struct str doc, size_t first, size_t piece)
{
    struct autodiscover_answer a;
    struct err err = {0};
    struct buf out = BUF_INIT(0);
    struct autodiscover_reader *r = autodiscover_reader_new(&arena, &a);
    bool ok = autodiscover_reader_feed(r, str_sub(doc, 0, first), &err);
    for (size_t at = first; ok && at < doc.n; at += piece)
        ok = autodiscover_reader_feed(r, str_sub(doc, at, piece), &err);
    ok = ok && autodiscover_reader_finish(r, &err);
    autodiscover_reader_free(&r);
    if (ok)
        describe(&a, &out);
    else
        buf_printf(&out, "%s: %s", err_name(err.code), err.text);
    char *z = strdup(buf_z(&out));
    buf_done(&out);
    return z;
}

static void expect_pieces(struct str doc, size_t first, size_t piece, const char *expected)
{
    char *got = read_pieces(doc, first, piece);
    assert_string_equal(got, expected);
    free(got);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct str doc = str_from(answers[i].doc);
        expect_pieces(doc, doc.n, doc.n, answers[i].expected);
        expect_pieces(doc, 0, 1, answers[i].expected);
        for (size_t cut = 1; cut < doc.n; cut++)
            expect_pieces(doc, cut, doc.n, answers[i].expected);
        for (size_t end = 0; end < doc.n; end++) {
            char *got = read_pieces(str_sub(doc, 0, end), end, 1);
            assert_int_equal(strncmp(got, "protocol: ", 10), 0);
            free(got);
        }
    }
}

static void test_limits(void **state)
{
    struct buf doc = BUF_INIT(0);
    struct autodiscover_answer a;
    struct err err = {0};
    (void)state;
    buf_lit(&doc, OUTLOOK "<Account><Protocol><Type>EXPR</Type><EwsUrl>https://");
    buf_fill(&doc, 'x', AUTODISCOVER_VALUE_MAX);
    buf_lit(&doc, "</EwsUrl><ASUrl>https://short/</ASUrl></Protocol>");
    for (int i = 0; i < 100; i++)
        buf_lit(&doc, "<AlternativeMailbox><SmtpAddress>a@b</SmtpAddress></AlternativeMailbox>");
    buf_lit(&doc, "</Account>" TAIL);
    struct autodiscover_reader *r = autodiscover_reader_new(&arena, &a);
    assert_true(autodiscover_reader_feed(r, buf_view(&doc), &err));
    assert_true(autodiscover_reader_finish(r, &err));
    assert_true(str_is(autodiscover_ews_url(&a), "https://short/"));
    assert_int_equal(a.mailbox_count, AUTODISCOVER_MAILBOXES_MAX);
    autodiscover_reader_free(&r);

    r = autodiscover_reader_new(&arena, &a);
    bool ok = autodiscover_reader_feed(r, STR(OUTLOOK), &err);
    for (size_t n = 0; ok && n < 2 * AUTODISCOVER_ANSWER_MAX; n += 8)
        ok = autodiscover_reader_feed(r, STR("<x>y</x>"), &err);
    assert_false(ok);
    assert_int_equal(err.code, ERR_TOO_BIG);
    autodiscover_reader_free(&r);
    r = autodiscover_reader_new(&arena, &a);
    assert_false(autodiscover_reader_feed(r, STR("<!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>"), &err));
    autodiscover_reader_free(&r);
    buf_done(&doc);
}

static void test_requests(void **state)
{
    struct buf out = BUF_INIT(0);
    (void)state;
    autodiscover_write(&out, AUTODISCOVER_OUTLOOK, STR_NULL, STR("a&b@corp.test"));
    assert_string_equal(buf_z(&out),
                        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"" S
                        "outlook/requestschema/2006\"><Request><EMailAddress>a&amp;b@corp.test"
                        "</EMailAddress><AcceptableResponseSchema>" S
                        "outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>");
    buf_reset(&out);
    autodiscover_write(&out, AUTODISCOVER_MOBILE, STR_NULL, STR("a@corp.test"));
    assert_non_null(strstr(buf_z(&out), "xmlns=\"" S "mobilesync/requestschema/2006\""));
    assert_non_null(strstr(buf_z(&out), ">" S "mobilesync/responseschema/2006<"));
    buf_reset(&out);
    autodiscover_write(&out, AUTODISCOVER_SOAP, STR("https://corp.test/a.svc?x&y"), STR("a&b@corp.test"));
    assert_non_null(strstr(buf_z(&out), "<wsa:To>https://corp.test/a.svc?x&amp;y</wsa:To>"));
    assert_non_null(strstr(buf_z(&out), "<a:User><a:Mailbox>a&amp;b@corp.test</a:Mailbox></a:User>"));
    assert_non_null(strstr(buf_z(&out), "</soap:Body></soap:Envelope>"));
    buf_done(&out);
}

static void test_json(void **state)
{
    static const struct {
        const char *doc, *expected;
    } rows[] = {
        {"{\"Protocol\":\"EWS\",\"Url\":\"https://outlook.office365.com/EWS/Exchange.asmx\"}",
         "https://outlook.office365.com/EWS/Exchange.asmx"},
        {"\xef\xbb\xbf{}", "protocol: not an autodiscover answer in JSON"},
        {"{\"ErrorCode\":\"ProtocolNotSupported\",\"ErrorMessage\":\"The given protocol is not supported\"}",
         "not-found: ProtocolNotSupported: The given protocol is not supported"},
        {"{\"ErrorCode\":1}", "protocol: an autodiscover answer in JSON without an address"},
        {"{\"Url\":[\"https://x/\"]}", "protocol: an autodiscover answer in JSON without an address"},
        {"{\"Url\":\"https://x/\",\"Url\":\"https://y/\"}", "protocol: not an autodiscover answer in JSON"},
        {"[\"Url\"]", "protocol: not an autodiscover answer in JSON"},
        {"\"Url\"", "protocol: not an autodiscover answer in JSON"},
        {"", "protocol: not an autodiscover answer in JSON"},
        {"<html>", "protocol: not an autodiscover answer in JSON"},
        {"{\"Url\":\"https://x/\"} {}", "protocol: not an autodiscover answer in JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str url, doc = str_from(rows[i].doc);
        struct err err;
        struct buf out = BUF_INIT(0);
        if (autodiscover_read_json(doc, &arena, &url, &err))
            buf_str(&out, url);
        else
            buf_printf(&out, "%s: %s", err_name(err.code), err.text);
        assert_string_equal(buf_z(&out), rows[i].expected);
        buf_done(&out);
        for (size_t end = 0; i < 3 && end < doc.n; end++)
            assert_false(autodiscover_read_json(str_sub(doc, 0, end), &arena, &url, &err));
    }
}

/* --- rules ---------------------------------------------------------------------------------------- */

static void test_urls(void **state)
{
    static const struct {
        const char *url, *expected; /* NULL: not one */
    } rows[] = {
        {"https://mail.corp.test/EWS/Exchange.asmx", "mail.corp.test /EWS/Exchange.asmx"},
        {"HTTPS://Mail.Corp.Test:443", "Mail.Corp.Test /"},
        {"https://mail.corp.test:8443/x?y=z", "mail.corp.test:8443 /x?y=z"},
        {"http://mail.corp.test/", "mail.corp.test / plain"},
        {"http://mail.corp.test:443/", "mail.corp.test:443 / plain"},
        {"https://[2001:db8::1]:444/", "[2001:db8::1]:444 /"},
        {"https://192.0.2.1/", "192.0.2.1 /"},
        {"https://corp.test?x", "corp.test /"},
        {"https://corp.test#x", "corp.test /"},
        {"https://corp.test@evil.test/", NULL},
        {"https://corp.test:pw@evil.test/", NULL},
        {"https://corp.test\\@evil.test/", NULL},
        {"https://corp.test\t/", NULL},
        {"https://corp.test/\r\nX: y", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"https://:443/", NULL},
        {"https://corp.test:/", NULL},
        {"https://corp.test:0/", NULL},
        {"https://corp.test:65536/", NULL},
        {"https://corp.test:44x/", NULL},
        {"https://corp..test/", NULL},
        {"https://corp.test./", NULL},
        {"https://b\xc3\xbc.test/", NULL},
        {"https://[::1", NULL},
        {"https://[::1]x/", NULL},
        {"https://[corp.test]/", NULL},
        {"https://2130706433/", NULL}, /* 127.0.0.1 to some */
        {"https://0x7f.1/", NULL},
        {"https://127.1/", NULL},
        {"ftp://corp.test/", NULL},
        {"javascript:https://corp.test/", NULL},
        {"//corp.test/", NULL},
        {"/autodiscover/autodiscover.xml", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct autodiscover_url u;
        struct buf out = BUF_INIT(0);
        bool ok = autodiscover_url_read(str_from(rows[i].url), &u);
        if (ok != (rows[i].expected != NULL))
            fail_msg("%s", rows[i].url);
        if (!ok)
            continue;
        autodiscover_authority(&u, &out);
        buf_printf(&out, " %.*s%s", STR_ARG(u.path), u.https ? "" : " plain");
        assert_string_equal(buf_z(&out), rows[i].expected);
        buf_done(&out);
    }
}

static void test_domains(void **state)
{
    static const struct {
        const char *email, *domain;
    } rows[] = {
        {"alice@corp.test", "corp.test"},
        {"a@b@corp.test", "corp.test"},
        {"alice@sales.corp.test", "sales.corp.test"},
        {"alice", NULL},
        {"@corp.test", NULL},
        {"alice@", NULL},
        {"alice@com", NULL},
        {"alice@corp..test", NULL},
        {"alice@192.0.2.1", NULL},
        {"alice@corp.test ", NULL},
        {"alice@evil.test/.corp.test", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str domain = autodiscover_domain(str_from(rows[i].email));
        assert_int_equal(domain.p != NULL, rows[i].domain != NULL);
        assert_true(!domain.p || str_is(domain, rows[i].domain));
    }
}

static void test_trust(void **state)
{
    static const char *const confirmed[] = {"mail.hoster.test", "gate.corp.test:8443"};
    static const struct {
        const char *url;
        enum autodiscover_trust trust;
    } rows[] = {
        {"https://corp.test/", AUTODISCOVER_OWN},
        {"https://CORP.test/autodiscover/autodiscover.xml", AUTODISCOVER_OWN},
        {"https://autodiscover.corp.test/", AUTODISCOVER_OWN},
        {"https://a.b.corp.test/", AUTODISCOVER_OWN},
        {"https://autodiscover.corp.test:8443/", AUTODISCOVER_ASK_FIRST}, /* whose service is that? */
        {"http://corp.test/", AUTODISCOVER_NEVER},
        {"http://mail.hoster.test/", AUTODISCOVER_NEVER},
        {"https://evilcorp.test/", AUTODISCOVER_ASK_FIRST},
        {"https://corp.test.evil.test/", AUTODISCOVER_ASK_FIRST},
        {"https://test/", AUTODISCOVER_ASK_FIRST},
        {"https://autodiscover.test/", AUTODISCOVER_ASK_FIRST},
        {"https://192.0.2.1/", AUTODISCOVER_ASK_FIRST},
        {"https://mail.hoster.test/x", AUTODISCOVER_CONFIRMED},
        {"https://mail.hoster.test:444/x", AUTODISCOVER_ASK_FIRST},
        {"https://x.mail.hoster.test/x", AUTODISCOVER_ASK_FIRST},
        {"https://gate.corp.test:8443/x", AUTODISCOVER_CONFIRMED},
        {"https://autodiscover-s.outlook.com/autodiscover/autodiscover.xml", AUTODISCOVER_MICROSOFT},
        {"https://outlook.office365.com/", AUTODISCOVER_MICROSOFT},
        {"https://outlook.office365.us/", AUTODISCOVER_MICROSOFT},
        {"https://evil-outlook.com/", AUTODISCOVER_ASK_FIRST},
        {"https://outlook.com.evil.test/", AUTODISCOVER_ASK_FIRST},
        {"https://corp.test@outlook.com/", AUTODISCOVER_NEVER},
        {"mailto:alice@corp.test", AUTODISCOVER_NEVER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (autodiscover_trust(str_from(rows[i].url), STR("corp.test"), confirmed, 2) != rows[i].trust)
            fail_msg("%s", rows[i].url);
    assert_int_equal(autodiscover_trust(STR("https://x.test/"), STR_NULL, NULL, 0), AUTODISCOVER_ASK_FIRST);
}

static void test_clouds(void **state)
{
    static const struct {
        const char *mx, *name;
    } rows[] = {
        {"corp-test.mail.protection.outlook.com", "Exchange Online"},
        {"corp-test.p-v1.mx.microsoft", "Exchange Online"},
        {"outlook-com.olc.protection.outlook.com", "Outlook.com"},
        {"corp.mail.protection.office365.us", "Exchange Online (US Government)"},
        {"corp.mail.protection.partner.outlook.cn", "Exchange Online (China)"},
        {"mail.protection.outlook.com.evil.test", NULL},
        {"mx.corp.test", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct autodiscover_cloud *c = autodiscover_cloud_by_mx(str_from(rows[i].mx));
        assert_int_equal(c != NULL, rows[i].name != NULL);
        if (c) {
            assert_string_equal(c->name, rows[i].name);
            assert_int_equal(autodiscover_trust(str_from(c->eas_url), STR_NULL, NULL, 0), AUTODISCOVER_MICROSOFT);
        }
    }
    assert_true(autodiscover_cloud_by_host(STR("eas.outlook.com"))->consumer);
    assert_false(autodiscover_cloud_by_host(STR("autodiscover-s.outlook.com"))->consumer);
    assert_null(autodiscover_cloud_by_host(STR("corp.test")));
}

static void test_recommendations(void **state)
{
    static const struct {
        struct autodiscover_facts facts;
        enum autodiscover_choice choice;
        const char *why;
    } rows[] = {
        {{.cloud = true, .ews = true, .eas = true}, AUTODISCOVER_EAS, "2027-04-01"},
        {{.ews = true, .eas = true}, AUTODISCOVER_EWS, "more than ActiveSync"},
        {{.ews = true}, AUTODISCOVER_EWS, "no ActiveSync"},
        {{.eas = true}, AUTODISCOVER_EAS, "no EWS"},
        {{.ews = false}, AUTODISCOVER_NONE, "neither"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *why;
        assert_int_equal(autodiscover_recommend(&rows[i].facts, &why), rows[i].choice);
        assert_non_null(strstr(why, rows[i].why));
    }
}

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_limits), cmocka_unit_test(test_requests),
        cmocka_unit_test(test_json),    cmocka_unit_test(test_urls),   cmocka_unit_test(test_domains),
        cmocka_unit_test(test_trust),   cmocka_unit_test(test_clouds), cmocka_unit_test(test_recommendations),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
