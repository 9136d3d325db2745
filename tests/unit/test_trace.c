/* SPDX-License-Identifier: Apache-2.0 */
/* What `exbridge trace` shows of heads and bodies, and what it never shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/common/oauth_trace.h"
#include "backends/common/trace_private.h"
#include "backends/eas/eas_backend.h"
#include "backends/ews/ews_backend.h"

static void on_line(void *ud, struct str line)
{
    struct buf *out = ud;
    buf_str(out, line);
    buf_byte(out, '\n');
}

struct piece {
    enum http_sight sight;
    const char *text;
};

/* The lines, without that of the end; `step` bytes of a body at once. */
static void see(const struct trace_format *format, const struct piece *list, size_t step, struct buf *out)
{
    struct trace *t = trace_new(NULL, format, &(struct backend_trace){.line = on_line, .ud = out});
    for (; list->text; list++) {
        struct str rest = str_from(list->text);
        bool whole = list->sight != HTTP_ASKED_BODY && list->sight != HTTP_ANSWERED_BODY;
        do {
            trace_see(t, 7, list->sight, whole ? rest : str_sub(rest, 0, step));
            rest = str_skip(rest, whole ? rest.n : step);
        } while (rest.n);
    }
    trace_see(t, 7, HTTP_ENDED, STR_NULL);
    trace_free(&t);
    char last[32];
    snprintf(last, sizeof(last), "#%s7 = ", format->label);
    out->n = str_find(buf_view(out), str_from(last));
}

static void check(const struct trace_format *format, const struct piece *list, const char *wanted)
{
    static const size_t steps[] = {100000, 1, 7};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct buf out = BUF_INIT(0);
        see(format, list, steps[i], &out);
        assert_string_equal(buf_z(&out), wanted);
        buf_done(&out);
    }
}

static void test_heads(void **state)
{
    static const struct piece list[] = {
        {HTTP_ASKED_HEAD,
         "POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=alice%40example.com&DeviceId=0815&x HTTP/1.1\r\n"
         "Host: mail.example.com\r\nAuthorization: Negotiate c2VjcmV0\r\nAuthorization: c2VjcmV0\r\n"
         "Cookie: a=b\r\nX-Unknown: secret\r\nUser-Agent: exbridge\r\n\r\n"},
        {HTTP_ANSWERED_HEAD, "HTTP/1.1 302 Found\r\n"},
        {HTTP_ANSWERED_HEAD, "WWW-Authenticate: NTLM\r\n"},
        {HTTP_ANSWERED_HEAD, "WWW-Authenticate: Negotiate c2VjcmV0\r\n"},
        {HTTP_ANSWERED_HEAD, "Location: https://login.example.com/in?token=secret\r\n"},
        {HTTP_ANSWERED_HEAD, "Set-Cookie: secret\r\n"},
        {HTTP_ANSWERED_HEAD, "Content-Type: text/html\r\n"},
        {HTTP_ANSWERED_HEAD, "no header at all: secret\r\n"},
        {HTTP_ANSWERED_HEAD, "\r\n"},
        {HTTP_ANSWERED_BODY, "<p>secret</p>"},
        {0, NULL}};
    (void)state;
    check(&eas_trace_format, list,
          "#7 > POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=[19 bytes]&DeviceId=[4 bytes]&[1 bytes] HTTP/1.1\n"
          "#7 > Host: mail.example.com\n"
          "#7 > Authorization: Negotiate [hidden]\n"
          "#7 > Authorization: [8 bytes]\n"
          "#7 > Cookie: [3 bytes]\n"
          "#7 > X-Unknown: [6 bytes]\n"
          "#7 > User-Agent: exbridge\n"
          "#7 < HTTP/1.1 302 Found\n"
          "#7 < WWW-Authenticate: NTLM\n"
          "#7 < WWW-Authenticate: Negotiate [hidden]\n"
          "#7 < Location: https://login.example.com/in?token=[6 bytes]\n"
          "#7 < Set-Cookie: [6 bytes]\n"
          "#7 < Content-Type: text/html\n"
          "#7 < [24 bytes]\n"
          "#7 < [13 bytes of text/html]\n");
}

#define XML_HEAD                                                                                                       \
    {                                                                                                                  \
        HTTP_ASKED_HEAD, "POST /EWS/Exchange.asmx HTTP/1.1\r\nContent-Type: text/xml\r\n\r\n"                          \
    }
#define XML_SEEN "#7 > POST /EWS/Exchange.asmx HTTP/1.1\n#7 > Content-Type: text/xml\n"

static void test_ews(void **state)
{
    static const struct piece list[] = {
        XML_HEAD,
        {HTTP_ASKED_BODY,
         "<?xml version='1.0'?><s:Envelope xmlns:s='urn:s' xmlns:t='urn:t'><s:Body>\n <t:Subject>secret &amp; "
         "more</t:Subject>"
         "<t:ItemId "
         "Id='AAMkAD012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789AAA='"
         " ChangeKey='CQ=='/><t:Constant Value='secret'/><t:IsRead>true</t:IsRead><t:MessageText>no alice@example.com "
         "here</t:MessageText><t:Body BodyType='HTML'><![CDATA[secret]]>"
         "</t:Body><t:Empty></t:Empty>secret</s:Body></s:Envelope>"
         "<s:Envelope xmlns:s='urn:s'><a b='c'>"},
        {0, NULL}};
    static const struct piece bad[] = {
        XML_HEAD, {HTTP_ASKED_BODY, "<Envelope><a>secret</b>secret</Envelope><Envelope><x/></Envelope>"}, {0, NULL}};
    static const struct piece rest[] = {
        {HTTP_ANSWERED_BODY, "ret</Subject>secret</s:Envelope>\n<Envelope><Subject>secret</Subject></Envelope>"},
        {0, NULL}};
    struct buf out = BUF_INIT(0);
    (void)state;
    check(&ews_trace_format, list,
          XML_SEEN
          "#7 > <Envelope>\n"
          "#7 >   <Body>\n"
          "#7 >     <Subject>[13 bytes]</Subject>\n"
          "#7 >     <ItemId Id=\"AAMkAD01234567890123456789012345...01234567890123456789AAA=\" ChangeKey=\"CQ==\"/>\n"
          "#7 >     <Constant Value=\"[6 bytes]\"/>\n"
          "#7 >     <IsRead>true</IsRead>\n"
          "#7 >     <MessageText>[25 bytes]</MessageText>\n"
          "#7 >     <Body BodyType=\"[4 bytes]\">[6 bytes]</Body>\n"
          "#7 >     <Empty/>\n"
          "#7 >     [6 bytes]\n"
          "#7 >   </Body>\n"
          "#7 > </Envelope>\n"
          "#7 > <Envelope>\n"
          "#7 >   <a b=\"[1 bytes]\">\n"
          "#7 >     [it ends here]\n");
    see(&ews_trace_format, bad, 3, &out);
    assert_int_equal(str_find(buf_view(&out), STR("secret")), -1);
    assert_true(str_find(buf_view(&out), STR("[this is no XML: ")) != (size_t)-1);
    assert_true(str_ends(buf_view(&out), STR("#7 > <Envelope>\n#7 >   <x/>\n#7 > </Envelope>\n")));
    buf_done(&out);
    check(&ews_trace_format, rest,
          "#7 < [more of an answer that began earlier]\n#7 < <Envelope>\n#7 <   <Subject>[6 bytes]</Subject>\n"
          "#7 < </Envelope>\n");
}

static void test_eas(void **state)
{
    struct buf out = BUF_INIT(0), body = BUF_INIT(0);
    struct eas_writer w;
    (void)state;
    eas_writer_init(&w, &body);
    eas_write_open(&w, AirSync_Sync);
    eas_write_text(&w, AirSync_SyncKey, STR("17"));
    eas_write_text(&w, Email_Subject, STR("secret"));
    eas_write_opaque(&w, AirSyncBase_Data, ((struct str){"secret\0", 7}));
    eas_write_close(&w);
    for (size_t step = 1; step <= body.n; step++) {
        struct trace *t = trace_new(NULL, &eas_trace_format, &(struct backend_trace){.line = on_line, .ud = &out});
        trace_see(t, 1, HTTP_ASKED_HEAD, STR("POST / HTTP/1.1\r\n\r\n"));
        trace_see(t, 1, HTTP_ANSWERED_HEAD, STR("Content-Type: application/vnd.ms-sync.wbxml\r\n"));
        for (size_t at = 0; at < body.n; at += step)
            trace_see(t, 1, HTTP_ANSWERED_BODY, str_sub(buf_view(&body), at, step));
        trace_free(&t);
        assert_string_equal(buf_z(&out), "#1 > POST / HTTP/1.1\n"
                                         "#1 < Content-Type: application/vnd.ms-sync.wbxml\n"
                                         "#1 < <AirSync:Sync>\n"
                                         "#1 <   <AirSync:SyncKey>17</AirSync:SyncKey>\n"
                                         "#1 <   <Email:Subject>[6 bytes]</Email:Subject>\n"
                                         "#1 <   <AirSyncBase:Data>[7 bytes]</AirSyncBase:Data>\n"
                                         "#1 < </AirSync:Sync>\n");
        buf_reset(&out);
    }
    buf_done(&out);
    buf_done(&body);
}

/* A server that says too much: lines end, requests are not remembered for ever. */
static void test_bounds(void **state)
{
    struct buf out = BUF_INIT(0);
    size_t lines = 0;
    (void)state;
    struct trace *t = trace_new(NULL, &ews_trace_format, &(struct backend_trace){.line = on_line, .ud = &out});
    trace_see(t, 1, HTTP_ASKED_HEAD, STR("POST / HTTP/1.1\r\nContent-Type: text/xml\r\n\r\n"));
    trace_see(t, 1, HTTP_ASKED_BODY, STR("<Envelope>"));
    for (int i = 0; i < 5000; i++)
        trace_see(t, 1, HTTP_ASKED_BODY, STR("<a/>"));
    for (size_t i = 0; i < out.n; i++)
        lines += out.p[i] == '\n';
    assert_int_equal(lines, 2 + TRACE_LINES_MAX + 1);
    assert_true(str_ends(buf_view(&out), STR("[the rest of the document is left out]\n")));
    for (uint64_t number = 2; number < 1000; number++)
        trace_see(t, number, HTTP_ASKED_HEAD, STR("POST / HTTP/1.1\r\n\r\n"));
    buf_reset(&out);
    trace_see(t, 999, HTTP_ENDED, STR_NULL); /* too many: it was not seen */
    assert_int_equal(out.n, 0);
    trace_see(t, 1001, HTTP_ENDED, STR("mail.example.com: no route to host"));
    assert_int_equal(out.n, 0);
    trace_see(t, 2, HTTP_ENDED, STR_NULL);
    assert_true(str_starts(buf_view(&out), STR("#2 = ")));
    buf_reset(&out);
    trace_see(t, 1001, HTTP_ENDED, STR("mail.example.com: no route to host"));
    assert_true(str_ends(buf_view(&out), STR(" answered: mail.example.com: no route to host\n")));
    trace_free(&t);
    buf_done(&out);
}

/* Login servers: forms and JSON; what is secret is as long as it is, and no more is told. */
static void test_login_servers(void **state)
{
    static const struct {
        const char *type, *body, *wanted;
    } rows[] = {
        {"application/x-www-form-urlencoded",
         "client_id=5fd1&scope=https%3A%2F%2Foutlook.office365.com%2FEWS.AccessAsUser.All%20openid&grant_type="
         "authorization_code&code=0.AX-secret&redirect_uri=http%3A%2F%2Flocalhost%3A1234&code_verifier=verified&x&y=%"
         "zz",
         "<client_id>5fd1</client_id>\n"
         "<scope>https://outlook.office365.com/EWS.AccessAsUser.All openid</scope>\n"
         "<grant_type>authorization_code</grant_type>\n"
         "<code>[11 bytes]</code>\n"
         "<redirect_uri>http://localhost:1234</redirect_uri>\n"
         "<code_verifier>[8 bytes]</code_verifier>\n"
         "<...>[1 bytes]</...>\n"
         "<y>[3 bytes]</y>\n"},
        {"application/x-www-form-urlencoded",
         "grant_type=refresh_token&refresh_token=0.AX&login_hint=alice%40example.com",
         "<grant_type>refresh_token</grant_type>\n"
         "<refresh_token>[4 bytes]</refresh_token>\n"
         "<login_hint>[17 bytes]</login_hint>\n"},
        {"application/json; charset=utf-8",
         "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"at.1\",\"refresh_token\":\"rt.22\","
         "\"id_token\":\"a.b.c\",\"foci\":\"1\",\"nested\":{\"access_token\":\"deep\"}}",
         "<token_type>Bearer</token_type>\n"
         "<expires_in>3599</expires_in>\n"
         "<access_token>[4 bytes]</access_token>\n"
         "<refresh_token>[5 bytes]</refresh_token>\n"
         "<id_token>[5 bytes]</id_token>\n"
         "<foci>[1 bytes]</foci>\n"
         "<nested>[23 bytes]</nested>\n"},
        {"application/json",
         "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS50034: The user account alice does not exist\","
         "\"error_codes\":[50034],\"suberror\":null}",
         "<error>invalid_grant</error>\n"
         "<error_description>[50 bytes]</error_description>\n"
         "<error_codes>[50034]</error_codes>\n"
         "<suberror>null</suberror>\n"},
        {"application/json",
         "{\"device_code\":\"dc-1\",\"user_code\":\"ABCD\",\"verification_uri\":\"https://microsoft.com/devicelogin\","
         "\"interval\":5,\"message\":\"enter ABCD\"}",
         "<device_code>[4 bytes]</device_code>\n"
         "<user_code>[4 bytes]</user_code>\n"
         "<verification_uri>https://microsoft.com/devicelogin</verification_uri>\n"
         "<interval>5</interval>\n"
         "<message>[10 bytes]</message>\n"},
        {"application/json", "{\"access_token\":\"at.1", "[21 bytes that are no JSON]\n"},
        {"text/html", "<p>secret</p>", "[13 bytes of text/html]\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf head = BUF_INIT(0), wanted = BUF_INIT(0);
        buf_printf(&head, "POST /common/oauth2/v2.0/token HTTP/1.1\r\nContent-Type: %s\r\n\r\n", rows[i].type);
        buf_printf(&wanted, "#login-7 > POST /common/oauth2/v2.0/token HTTP/1.1\n#login-7 > Content-Type: %s\n",
                   rows[i].type);
        struct str rest = str_from(rows[i].wanted), line;
        while (str_cut(&rest, '\n', &line) && line.n)
            buf_printf(&wanted, "#login-7 > %.*s\n", STR_ARG(line));
        const struct piece list[] = {
            {HTTP_ASKED_HEAD, buf_z(&head)}, {HTTP_ASKED_BODY, rows[i].body}, {HTTP_ENDED, NULL}};
        check(&oauth_trace_format, list, buf_z(&wanted));
        buf_done(&head);
        buf_done(&wanted);
    }
}

/* The two steps of the browser. */
static void test_browser_steps(void **state)
{
    struct buf out = BUF_INIT(0);
    struct oauth_redirect r = {0};
    struct oauth_config config = {.host = "login.microsoftonline.com",
                                  .tenant = "corp.example",
                                  .client_id = "5fd1",
                                  .scope = "openid",
                                  .user = "alice@example.com"};
    struct oauth_pkce pkce = {.verifier = "verifier", .challenge = "challenge"};
    struct buf url = BUF_INIT(0);
    (void)state;
    oauth_add_authorize_url(&url, &config, "http://localhost:1", "the-state", &pkce);
    struct trace *t = trace_new(NULL, &oauth_trace_format, &(struct backend_trace){.line = on_line, .ud = &out});
    oauth_trace_authorize(t, buf_z(&url));
    buf_lit(&r.code, "the code");
    buf_lit(&r.state, "the-state");
    oauth_trace_redirect(t, &r);
    trace_free(&t);
    const char *wanted =
        "#login-0 > GET https://login.microsoftonline.com/corp.example/oauth2/v2.0/authorize?client_id=5fd1&"
        "response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A1&response_mode=query&scope=openid&state=[9 bytes]&"
        "code_challenge=[9 bytes]&code_challenge_method=S256&login_hint=[19 bytes] HTTP/1.1\n"
        "#login-0 < GET /?code=[10 bytes]&state=[9 bytes] HTTP/1.1\n";
    if (!str_starts(buf_view(&out), str_from(wanted)))
        assert_string_equal(buf_z(&out), wanted);
    oauth_redirect_done(&r);
    buf_done(&url);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),  cmocka_unit_test(test_ews),           cmocka_unit_test(test_eas),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_login_servers), cmocka_unit_test(test_browser_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
