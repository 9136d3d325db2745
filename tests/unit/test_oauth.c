/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/text.h"
#include "bridge/io/crypto.h"

static const struct oauth_config config = {
    .host = "login.example.com", .tenant = "common", .client_id = "id-1", .scope = "a b", .user = "al&ice@example.com"};

/* --- what we say --------------------------------------------------------------------------------- */

static void addresses(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(2048);
    struct oauth_config adfs = {.host = "sts.example.com", .tenant = "adfs"};
    struct oauth_config local = {.host = "http://127.0.0.1:8080", .tenant = "../x"};
    oauth_add_url(&b, &config, "token");
    assert_string_equal(buf_z(&b), "https://login.example.com/common/oauth2/v2.0/token");
    buf_reset(&b);
    oauth_add_url(&b, &adfs, "authorize");
    assert_string_equal(buf_z(&b), "https://sts.example.com/adfs/oauth2/authorize");
    buf_reset(&b);
    oauth_add_url(&b, &local, "token");
    assert_string_equal(buf_z(&b), "http://127.0.0.1:8080/..%2Fx/oauth2/v2.0/token");
    buf_reset(&b);
    struct oauth_pkce pkce = {.verifier = "v", .challenge = "c"};
    oauth_add_authorize_url(&b, &config, "http://localhost:1234", "s+t", &pkce);
    assert_string_equal(buf_z(&b), "https://login.example.com/common/oauth2/v2.0/authorize?client_id=id-1"
                                   "&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A1234&response_mode=query"
                                   "&scope=a%20b&state=s%2Bt&code_challenge=c&code_challenge_method=S256"
                                   "&login_hint=al%26ice%40example.com");
    buf_reset(&b);
    oauth_add_code_body(&b, &config, STR("c&d"), "http://localhost:1234", &pkce);
    assert_string_equal(buf_z(&b), "client_id=id-1&scope=a%20b&grant_type=authorization_code&code=c%26d"
                                   "&redirect_uri=http%3A%2F%2Flocalhost%3A1234&code_verifier=v");
    buf_reset(&b);
    oauth_add_refresh_body(&b, &config, "r=");
    assert_string_equal(buf_z(&b), "client_id=id-1&scope=a%20b&grant_type=refresh_token&refresh_token=r%3D");
    buf_reset(&b);
    oauth_add_poll_body(&b, &config, "d");
    assert_string_equal(buf_z(&b), "client_id=id-1&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
                                   "&device_code=d");
    buf_done(&b);
}

static void pkce(void **state)
{
    (void)state;
    struct oauth_pkce a, b;
    struct buf text = BUF_INIT(128);
    oauth_pkce_new(&a);
    oauth_pkce_new(&b);
    assert_int_equal(strlen(a.verifier), 43);
    assert_string_not_equal(a.verifier, b.verifier);
    struct crypto_hash hash = crypto_sha256(str_from(a.verifier));
    text_base64url_add(&text, str_of(hash.b, sizeof(hash.b)));
    assert_string_equal(buf_z(&text), a.challenge);
    buf_done(&text);
}

/* --- what the server says ------------------------------------------------------------------------ */

static void tokens(void **state)
{
    (void)state;
    /* The id token's middle: {"preferred_username":"alice@example.com"} */
    static const char body[] =
        "{\"token_type\":\"Bearer\",\"expires_in\":\"3599\",\"access_token\":\"at.1\",\"refresh_token\":\"rt-1\","
        "\"id_token\":\"e30.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhbGljZUBleGFtcGxlLmNvbSJ9.sig\"}";
    struct oauth_answer a;
    oauth_read_answer(200, str_from(body), 1000, &a);
    assert_int_equal(a.verdict, OAUTH_TOKENS);
    assert_string_equal(a.tokens.access, "at.1");
    assert_string_equal(a.tokens.refresh, "rt-1");
    assert_string_equal(a.tokens.user, "alice@example.com");
    assert_int_equal(a.tokens.expires_s, 1000 + 3599);
    struct buf saved = BUF_INIT(4096);
    struct oauth_tokens again;
    struct err err;
    oauth_tokens_save(&a.tokens, &saved);
    assert_true(oauth_tokens_load(&again, buf_view(&saved), &err));
    assert_string_equal(again.access, "at.1");
    assert_string_equal(again.refresh, "rt-1");
    assert_string_equal(again.user, "alice@example.com");
    assert_int_equal(again.issued_s, 1000);
    assert_int_equal(again.expires_s, 4599);
    /* Cut anywhere, it is not taken for tokens. */
    for (size_t n = 0; n < saved.n; n++) {
        struct oauth_tokens none;
        assert_false(oauth_tokens_load(&none, str_of(saved.p, n), &err));
        oauth_tokens_done(&none);
    }
    /* Times that nobody can have written. */
    static const char *const times[] = {"-1,\"expires\":9", "9,\"expires\":1", "0,\"expires\":9223372036854775807"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct oauth_tokens none;
        buf_reset(&saved);
        buf_printf(&saved, "{\"version\":1,\"refresh_token\":\"r\",\"issued\":%s}", times[i]);
        assert_false(oauth_tokens_load(&none, buf_view(&saved), &err));
    }
    oauth_tokens_done(&again);
    oauth_tokens_done(&a.tokens);
    buf_wipe(&saved);
    for (size_t n = 0; n < sizeof(body) - 1; n++) {
        oauth_read_answer(200, str_of(body, n), 1000, &a);
        assert_int_equal(a.verdict, OAUTH_LATER);
    }
}

static void odd_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool good;
        int64_t lifetime_s;
    } cases[] = {
        {"{\"access_token\":\"a\"}", true, OAUTH_LIFETIME_S},
        {"{\"access_token\":\"a\",\"expires_in\":0}", true, 0},
        {"{\"access_token\":\"a\",\"expires_in\":-5}", true, OAUTH_LIFETIME_S},
        {"{\"access_token\":\"a\",\"expires_in\":99999999999}", true, OAUTH_LIFETIME_MAX_S},
        {"{\"access_token\":\"a\",\"token_type\":\"bearer\"}", true, OAUTH_LIFETIME_S},
        {"{\"access_token\":\"a\",\"token_type\":\"pop\"}", false, 0},
        {"{\"access_token\":\"a\\r\\nX: y\"}", false, 0},
        {"{\"access_token\":\"a b\"}", false, 0},
        {"{\"access_token\":\"a\",\"refresh_token\":\"\\u00e4\"}", false, 0},
        {"{\"access_token\":\"a\",\"access_token\":\"b\"}", false, 0},
        {"{\"access_token\":7}", false, 0},
        {"[]", false, 0},
        {"<html>", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_answer a;
        oauth_read_answer(200, str_from(cases[i].body), 50, &a);
        if ((a.verdict == OAUTH_TOKENS) != cases[i].good || (!cases[i].good && a.verdict != OAUTH_LATER))
            fail_msg("%s: verdict %d", cases[i].body, (int)a.verdict);
        if (cases[i].good)
            assert_int_equal(a.tokens.expires_s, 50 + cases[i].lifetime_s);
        oauth_tokens_done(&a.tokens);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum oauth_verdict verdict;
        enum err_code code;
        const char *text;
    } cases[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS70008: It has expired. Trace ID: 12\"}",
         OAUTH_SIGN_IN, ERR_AUTH, "the sign-in is over or was revoked (AADSTS70008: It has expired.)"},
        {400, "{\"error\":\"interaction_required\",\"error_description\":\"AADSTS50076: Due to x\\r\\nTrace ID: 1\"}",
         OAUTH_SIGN_IN, ERR_AUTH, "a second factor is asked for (AADSTS50076)"},
        {400, "{\"error\":\"invalid_grant\"}", OAUTH_SIGN_IN, ERR_AUTH,
         "the sign-in is over or was revoked (invalid_grant)"},
        {401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000218: The request body...\"}",
         OAUTH_MISCONFIGURED, ERR_INVALID,
         "the app of oauth-client-id is not a public client: allow public client flows in its registration "
         "(AADSTS7000218)"},
        {400, "{\"error\":\"authorization_pending\"}", OAUTH_PENDING, ERR_AUTH, NULL},
        {400, "{\"error\":\"slow_down\"}", OAUTH_SLOW_DOWN, ERR_AUTH, NULL},
        {400, "{\"error\":\"never_heard_of\"}", OAUTH_SIGN_IN, ERR_AUTH, "the login server refused (never_heard_of)"},
        {400, "{\"error\":\"temporarily_unavailable\"}", OAUTH_LATER, ERR_OFFLINE, NULL},
        {500, "{\"error\":\"invalid_grant\"}", OAUTH_LATER, ERR_OFFLINE, NULL}, /* a failing server revokes nothing */
        {429, "{\"error\":\"invalid_grant\"}", OAUTH_LATER, ERR_THROTTLED, NULL},
        {400, "<html>", OAUTH_LATER, ERR_OFFLINE, NULL},
        {404, "", OAUTH_MISCONFIGURED, ERR_INVALID, NULL},
        {302, "", OAUTH_LATER, ERR_PROTOCOL, NULL},
        {503, "", OAUTH_LATER, ERR_OFFLINE, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_answer a;
        oauth_read_answer(cases[i].status, str_from(cases[i].body), 0, &a);
        if (a.verdict != cases[i].verdict || a.err.code != cases[i].code)
            fail_msg("%d %s: verdict %d, %s", cases[i].status, cases[i].body, (int)a.verdict, err_name(a.err.code));
        if (cases[i].text)
            assert_string_equal(a.err.text, cases[i].text);
        assert_int_equal(a.err.status, cases[i].status);
    }
}

/* Each of Entra's numbers that people meet is answered with what they can do. */
static void hints(void **state)
{
    static const struct {
        const char *number, *way_out;
    } rows[] = {
        {"AADSTS50011", "needs the redirect URI http://localhost"},
        {"AADSTS500113", "needs the redirect URI http://localhost"},
        {"AADSTS9002327", "mobile and desktop"},
        {"AADSTS50194", "oauth-tenant must be"},
        {"AADSTS50020", "see oauth-tenant"},
        {"AADSTS50034", "see user"},
        {"AADSTS50105", "an administrator must assign"},
        {"AADSTS500011", "oauth-scope"},
        {"AADSTS50053", "wait, or ask an administrator"},
        {"AADSTS50057", "ask an administrator"},
        {"AADSTS50199", "sign in with the browser"},
        {"AADSTS53003", "without"},
        {"AADSTS530034", "without"},
        {"AADSTS530036", "sign in without --device"},
        {"AADSTS53000", "ask an administrator"},
        {"AADSTS53001", "ask an administrator"},
        {"AADSTS65001", "sign in and agree, or ask an administrator"},
        {"AADSTS90094", "an administrator must consent"},
        {"AADSTS700016", "see oauth-tenant"},
        {"AADSTS7000218", "allow public client flows"},
        {"AADSTS90002", "it is a domain of your organisation"},
        {"AADSTS900023", "oauth-tenant"},
        {"AADSTS70011", "oauth-scope"},
        {"AADSTS70043", "a new sign-in"},
        {"AADSTS50173", "the password has changed"},
        {"AADSTS700082", "not used for too long"},
        {"AADSTS50076", "a second factor"},
        {"AADSTS50079", "a second factor"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char description[200], body[400], number[40];
        struct oauth_answer a;
        struct err err;
        snprintf(description, sizeof(description), "%s: Alice's secrets. Trace ID: 1", rows[i].number);
        snprintf(number, sizeof(number), " (%s)", rows[i].number);
        snprintf(body, sizeof(body), "{\"error\":\"invalid_grant\",\"error_description\":\"%s\"}", description);
        oauth_read_answer(400, str_from(body), 1000, &a);
        oauth_read_refusal(STR("access_denied"), str_from(description), &err);
        if (!strstr(a.err.text, rows[i].way_out) || !strstr(a.err.text, number) || strstr(a.err.text, "Alice"))
            fail_msg("%s: %s", rows[i].number, a.err.text);
        assert_string_equal(err.text, a.err.text); /* told by the browser or by the token endpoint: the same */
        oauth_tokens_done(&a.tokens);
    }
}

static void device(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"device_code\":\"d\",\"user_code\":\"A\\u001b[2J\",\"verification_uri\":\"https://x/\"}",
        "{\"device_code\":\"d\",\"user_code\":\"A\",\"verification_uri\":\"file:///etc\"}",
        "{\"device_code\":\"d e\",\"user_code\":\"A\",\"verification_uri\":\"https://x/\"}",
        "{\"device_code\":\"d\",\"user_code\":\"A\"}",
        "{}",
    };
    struct oauth_device d;
    struct err err;
    assert_true(oauth_read_device(200,
                                  STR("{\"device_code\":\"d\",\"user_code\":\"AB-1\",\"verification_uri\":"
                                      "\"https://login.example.com/device\",\"expires_in\":600,\"interval\":7}"),
                                  &d, &err));
    assert_string_equal(d.user_code, "AB-1");
    assert_string_equal(d.url, "https://login.example.com/device");
    assert_int_equal(d.expires_s, 600);
    assert_int_equal(d.interval_s, 7);
    oauth_device_done(&d);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (oauth_read_device(200, str_from(bad[i]), &d, &err))
            fail_msg("%s was taken", bad[i]);
        oauth_device_done(&d);
    }
    assert_false(oauth_read_device(400, STR("{\"error\":\"invalid_client\"}"), &d, &err));
    assert_int_equal(err.code, ERR_INVALID);
    oauth_device_done(&d);
}

/* --- the way back -------------------------------------------------------------------------------- */

static void redirects(void **state)
{
    (void)state;
#define HOST "\r\nHost: localhost:99\r\n\r\n"
    static const struct {
        const char *head;
        enum oauth_redirect_kind kind;
        const char *code, *state, *error;
    } cases[] = {
        {"GET /?code=a%2Bb+c&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_ANSWER, "a+b c", "s", ""},
        {"GET /?state=s&session_state=x&code=c HTTP/1.1\r\nhost: 127.0.0.1:99\r\n\r\n", OAUTH_REDIRECT_ANSWER, "c", "s",
         ""},
        {"GET /?error=access_denied&error_description=no+way&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_ANSWER, "", "s",
         "access_denied"},
        {"GET /favicon.ico HTTP/1.1" HOST, OAUTH_REDIRECT_NOT, "", "", ""},
        {"GET / HTTP/1.1" HOST, OAUTH_REDIRECT_NOT, "", "", ""},
        {"GET /x?code=c&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_NOT, "", "", ""},
        {"POST /?code=c&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_BAD, "", "", ""},
        {"GET /?code=c&state=s HTTP/2" HOST, OAUTH_REDIRECT_BAD, "", "", ""},
        {"GET /?code=c&state=s HTTP/1.1\r\nHost: evil.example.com:99\r\n\r\n", OAUTH_REDIRECT_BAD, "", "", ""},
        {"GET /?code=c&state=s HTTP/1.1\r\nHost: localhost:98\r\n\r\n", OAUTH_REDIRECT_BAD, "", "", ""},
        {"GET /?code=c&state=s HTTP/1.1\r\n\r\n", OAUTH_REDIRECT_BAD, "", "", ""},
        {"GET /?code=c&state=s HTTP/1.1\r\nHost: localhost:99" HOST, OAUTH_REDIRECT_BAD, "", "", ""},
        {"GET /?code=c HTTP/1.1" HOST, OAUTH_REDIRECT_BAD, "c", "", ""},
        {"GET /?code=c&error=e&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_BAD, "c", "s", "e"},
        {"GET /?code=c&code=d&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_BAD, "c", "", ""},
        {"GET /?code=%zz&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_BAD, NULL, "", ""},
        {"GET /?code=a%00b&state=s HTTP/1.1" HOST, OAUTH_REDIRECT_BAD, NULL, "", ""},
        {"", OAUTH_REDIRECT_BAD, "", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oauth_redirect r;
        enum oauth_redirect_kind kind = oauth_read_redirect(str_from(cases[i].head), 99, &r);
        if (kind != cases[i].kind)
            fail_msg("%s: kind %d", cases[i].head, (int)kind);
        if (cases[i].code)
            assert_string_equal(buf_z(&r.code), cases[i].code);
        assert_string_equal(buf_z(&r.state), cases[i].state);
        assert_string_equal(buf_z(&r.error), cases[i].error);
        oauth_redirect_done(&r);
    }
    for (size_t n = 0; n < strlen(cases[0].head); n++) {
        struct oauth_redirect r;
        oauth_read_redirect(str_of(cases[0].head, n), 99, &r);
        oauth_redirect_done(&r);
    }
}

static void pasted(void **state)
{
    (void)state;
    struct oauth_redirect r;
    assert_int_equal(oauth_read_pasted(STR("  http://localhost:1/?code=c&state=s#\n"), &r), OAUTH_REDIRECT_ANSWER);
    assert_string_equal(buf_z(&r.code), "c");
    assert_string_equal(buf_z(&r.state), "s");
    oauth_redirect_done(&r);
    assert_int_equal(oauth_read_pasted(STR("http://localhost:1/"), &r), OAUTH_REDIRECT_NOT);
    oauth_redirect_done(&r);
    assert_int_equal(oauth_read_pasted(STR("http://localhost:1/?code=c"), &r), OAUTH_REDIRECT_BAD);
    oauth_redirect_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),  cmocka_unit_test(pkce),     cmocka_unit_test(tokens),
        cmocka_unit_test(odd_tokens), cmocka_unit_test(refusals), cmocka_unit_test(device),
        cmocka_unit_test(redirects),  cmocka_unit_test(pasted),   cmocka_unit_test(hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
