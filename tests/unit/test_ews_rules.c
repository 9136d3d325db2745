/* SPDX-License-Identifier: Apache-2.0 */
/* The tables the EWS backend decides by: response codes, schema versions, HTTP answers, pauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/ews/ews_codes.h"
#include "backends/ews/ews_verdict.h"
#include "backends/ews/ews_version.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- codes --------------------------------------------------------------------------------------- */

static void test_codes(void **state)
{
    static const struct {
        const char *name;
        enum err_code err;
        unsigned flags; /* that must be set */
    } rows[] = {
        {"NoError", ERR_NONE, 0},
        {"ErrorAccessDenied", ERR_DENIED, 0}, /* the first and the last of the table, and some between */
        {"ErrorWrongServerVersionDelegate", ERR_UNSUPPORTED, 0},
        {"ErrorItemNotFound", ERR_NOT_FOUND, 0},
        {"ErrorSyncFolderNotFound", ERR_NOT_FOUND, 0},
        {"ErrorInvalidSyncStateData", ERR_STALE, 0},
        {"ErrorServerBusy", ERR_THROTTLED, EWS_CODE_BUSY},
        {"a:ErrorServerBusy", ERR_THROTTLED, EWS_CODE_BUSY},
        {"ErrorExceededConnectionCount", ERR_THROTTLED, EWS_CODE_BUSY},
        {"ErrorInternalServerTransientError", ERR_OFFLINE, EWS_CODE_RETRY},
        {"ErrorInternalServerError", ERR_OFFLINE, EWS_CODE_RETRY_ALONE | EWS_CODE_REBUILD},
        {"ErrorInvalidServerVersion", ERR_UNSUPPORTED, EWS_CODE_VERSION},
        /* between servers: nothing that the user could sign in for */
        {"ErrorProxyTokenExpired", ERR_OFFLINE, EWS_CODE_RETRY},
        {"ErrorMailboxLogonFailed", ERR_OFFLINE, EWS_CODE_RETRY_ALONE},
        {"ErrorLogonAsNetworkServiceFailed", ERR_OFFLINE, EWS_CODE_RETRY_ALONE},
        {"ErrorSubscriptionNotFound", ERR_OFFLINE, EWS_CODE_RESUBSCRIBE},
        {"ErrorMailboxMoveInProgress", ERR_OFFLINE, EWS_CODE_MOVED | EWS_CODE_RESUBSCRIBE | EWS_CODE_RETRY},
        {"ErrorMimeContentConversionFailed", ERR_UNSUPPORTED, EWS_CODE_REBUILD},
        {"ErrorMessageSizeExceeded", ERR_TOO_BIG, EWS_CODE_REBUILD},
        {"ErrorQuotaExceeded", ERR_QUOTA, 0},
        {"ErrorTimeoutExpired", ERR_OFFLINE, EWS_CODE_SLOW | EWS_CODE_RETRY},
        {"ErrorSchemaValidation", ERR_INVALID, EWS_CODE_NO_STREAM},
        {"ErrorPasswordExpired", ERR_AUTH, 0},
        /* A mailbox that is not reached must not look like folders that are gone. */
        {"ErrorNonExistentMailbox", ERR_DENIED, 0},
        {"ErrorInvalidIdMalformed", ERR_INVALID, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct ews_code *c = ews_code_find(str_from(rows[i].name));
        assert_int_equal(c->err, rows[i].err);
        assert_int_equal(c->flags & rows[i].flags, rows[i].flags);
        assert_true(c->name[0]);
    }
    static const char *const unknown[] = {"", "Error", "NoErro", "NoErrorX", "errorservervusy", "ErrorZzz", "a:", "0"};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_int_equal(ews_code_find(str_from(unknown[i]))->err, ERR_PROTOCOL);
        assert_string_equal(ews_code_find(str_from(unknown[i]))->name, "");
    }
}

/* --- versions ------------------------------------------------------------------------------------ */

static void test_version_of_builds(void **state)
{
    static const struct {
        struct ews_server server;
        enum ews_version version;
    } rows[] = {
        {{14, 0, 639}, EWS_2010},     {{14, 1, 218}, EWS_2010_SP1},  {{14, 2, 247}, EWS_2010_SP2},
        {{14, 3, 123}, EWS_2010_SP2}, {{15, 0, 516}, EWS_2013},      {{15, 0, 846}, EWS_2013},
        {{15, 0, 847}, EWS_2013_SP1}, {{15, 1, 2507}, EWS_2013_SP1}, {{15, 2, 1748}, EWS_2013_SP1},
        {{15, 20, 1}, EWS_2013_SP1},  {{16, 0, 0}, EWS_2013_SP1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ews_negotiation n;
        ews_negotiation_init(&n, STR_NULL);
        assert_int_equal(n.now, EWS_2010_SP2);
        assert_true(ews_negotiation_seen(&n, rows[i].server));
        assert_int_equal(n.now, rows[i].version);
        assert_false(ews_negotiation_seen(&n, rows[i].server));
    }
    struct ews_negotiation n;
    ews_negotiation_init(&n, STR_NULL);
    assert_false(ews_negotiation_seen(&n, (struct ews_server){8, 3, 1})); /* no such thing: not believed */
    assert_int_equal(n.now, EWS_2010_SP2);
}

static void test_version_refused(void **state)
{
    (void)state;
    struct ews_negotiation n;
    ews_negotiation_init(&n, STR_NULL);
    struct ews_server front = {15, 2, 1000}, behind = {15, 0, 500};
    ews_negotiation_seen(&n, front);
    assert_int_equal(n.now, EWS_2013_SP1);
    assert_false(n.confirmed);
    /* Two requests were under way with it: they lower it once. */
    assert_true(ews_negotiation_refused(&n, EWS_2013_SP1));
    assert_int_equal(n.now, EWS_2013);
    assert_true(ews_negotiation_refused(&n, EWS_2013_SP1));
    assert_int_equal(n.now, EWS_2013);
    ews_negotiation_accepted(&n, EWS_2013_SP1); /* of before: says nothing */
    assert_false(n.confirmed);
    ews_negotiation_accepted(&n, EWS_2013);
    assert_true(n.confirmed);
    /* The same and older servers do not raise it again; a newer one does. */
    assert_false(ews_negotiation_seen(&n, front));
    assert_false(ews_negotiation_seen(&n, behind));
    assert_int_equal(n.now, EWS_2013);
    assert_true(ews_negotiation_seen(&n, (struct ews_server){15, 2, 1001}));
    assert_int_equal(n.now, EWS_2013_SP1);
    /* Down to the end. */
    for (int v = EWS_2013_SP1; v > EWS_2010; v--)
        assert_true(ews_negotiation_refused(&n, (enum ews_version)v));
    assert_int_equal(n.now, EWS_2010);
    assert_false(ews_negotiation_refused(&n, EWS_2010));
}

static void test_version_saved(void **state)
{
    (void)state;
    struct ews_negotiation n, again;
    struct buf out = BUF_INIT(256);
    ews_negotiation_init(&n, STR_NULL);
    ews_negotiation_seen(&n, (struct ews_server){15, 1, 2507});
    ews_negotiation_refused(&n, EWS_2013_SP1);
    ews_negotiation_save(&n, &out);
    assert_string_equal(buf_z(&out), "Exchange2013 Exchange2013 15.1.2507");
    ews_negotiation_init(&again, buf_view(&out));
    assert_int_equal(again.now, EWS_2013);
    assert_int_equal(again.ceiling, EWS_2013);
    assert_int_equal(again.server.build, 2507);
    assert_false(ews_negotiation_seen(&again, n.server));
    buf_done(&out);
    static const char *const broken[] = {
        "",
        "x",
        "Exchange2013",
        "Exchange2013 Exchange2013",
        "Exchange2013 Exchange2013 15.1",
        "V2_10 Exchange2013 15.1.1",
        "Exchange2013_SP1 Exchange2010 15.1.1",
        "Exchange2013 Exchange2013 15.1.x",
        "Exchange2013 Exchange2013 -1.1.1",
    };
    for (size_t i = 0; i < COUNT(broken); i++) {
        ews_negotiation_init(&again, str_from(broken[i]));
        assert_int_equal(again.now, EWS_2010_SP2);
        assert_int_equal(again.server.major, 0);
    }
}

/* --- HTTP ---------------------------------------------------------------------------------------- */

static void test_http(void **state)
{
    static const struct {
        int status;
        unsigned retry_after_s;
        const char *location, *sample;
        enum ews_action action;
        enum err_code err;
        unsigned pause_ms;
        const char *text; /* must be in the error */
    } rows[] = {
        {200, 0, NULL, "", EWS_RETRY, ERR_PROTOCOL, 0, "empty"},
        {200, 0, NULL, "hello", EWS_RETRY, ERR_PROTOCOL, 0, "no XML"},
        {200, 0, NULL, "<!DOCTYPE html><html><body>Sign in", EWS_FAIL, ERR_PROTOCOL, 0, "web page"},
        {200, 0, NULL, "\r\n<HTML>", EWS_FAIL, ERR_PROTOCOL, 0, "web page"},
        {302, 0, "/ews/genericerrorpage.htm?aspxerrorpath=/ews/exchange.asmx", "", EWS_RETRY, ERR_OFFLINE, 0,
         "error page"},
        {302, 0, "https://tmg/internalsite/internalerror.asp?x", "", EWS_FAIL, ERR_PROTOCOL, 0, "gateway"},
        {302, 0, "https://mail.example.com/owa/?token=secret", "", EWS_FAIL, ERR_PROTOCOL, 0,
         "https://mail.example.com/owa/"},
        {307, 0, NULL, "", EWS_FAIL, ERR_PROTOCOL, 0, "not followed"},
        {400, 0, NULL, "", EWS_FAIL, ERR_PROTOCOL, 0, ""},
        {401, 0, NULL, "", EWS_AUTH, ERR_AUTH, 0, "credentials"},
        {401, 0, NULL, "The referenced account is currently locked out", EWS_FAIL, ERR_AUTH, 0, "locked out"},
        {403, 0, NULL, "", EWS_FAIL, ERR_DENIED, 0, "backend = eas"},
        {404, 0, NULL, "", EWS_FAIL, ERR_OFFLINE, 0, "url"},
        {407, 0, NULL, "", EWS_FAIL, ERR_OFFLINE, 0, "proxy"},
        {413, 0, NULL, "", EWS_FAIL, ERR_TOO_BIG, 0, ""},
        {418, 0, NULL, "", EWS_FAIL, ERR_PROTOCOL, 0, "418"},
        {429, 7, NULL, "", EWS_BUSY, ERR_THROTTLED, 7000, ""},
        {429, 4000000, NULL, "", EWS_BUSY, ERR_THROTTLED, EWS_BACKOFF_MAX_MS, ""},
        {500, 0, NULL, "", EWS_RETRY, ERR_OFFLINE, 0, ""},
        {500, 0, NULL, "... The specified server version is invalid ...", EWS_LOWER, ERR_OFFLINE, 0, ""},
        {502, 0, NULL, "", EWS_RETRY, ERR_OFFLINE, 0, "gateway"},
        {503, 0, NULL, "<html>Service Unavailable", EWS_BUSY, ERR_THROTTLED, 0, ""},
        {503, 2, NULL, "", EWS_BUSY, ERR_THROTTLED, 2000, ""},
        {504, 0, NULL, "", EWS_RETRY, ERR_OFFLINE, 0, ""},
        {507, 0, NULL, "", EWS_FAIL, ERR_QUOTA, 0, "full"},
        {599, 0, NULL, "", EWS_RETRY, ERR_OFFLINE, 0, "599"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ews_verdict v;
        ews_verdict_http(&(struct ews_http_answer){.status = rows[i].status,
                                                   .retry_after_s = rows[i].retry_after_s,
                                                   .location = rows[i].location,
                                                   .sample = str_from(rows[i].sample)},
                         &v);
        assert_int_equal(v.action, rows[i].action);
        assert_int_equal(v.err.code, rows[i].err);
        assert_int_equal(v.err.status, rows[i].status);
        assert_int_equal(v.pause_ms, rows[i].pause_ms);
        assert_int_equal(v.not_begun, rows[i].status == 429);
        assert_non_null(strstr(v.err.text, rows[i].text));
        assert_null(strstr(v.err.text, "secret"));
    }
    struct ews_verdict v;
    ews_verdict_http(&(struct ews_http_answer){.status = 401, .diagnostics = "2000002;reason=\"token expired\""}, &v);
    assert_int_equal(v.action, EWS_AUTH);
    assert_non_null(strstr(v.err.text, "token expired"));
    ews_verdict_http(&(struct ews_http_answer){.status = 504}, &v);
    assert_true(v.slow);
    for (int status = 400; status <= 404; status += 4) {
        ews_verdict_http(&(struct ews_http_answer){.status = status, .large = true}, &v);
        assert_int_equal(v.action, EWS_FAIL);
        assert_int_equal(v.err.code, ERR_TOO_BIG);
    }
}

/* Signed in and kept out: who did it, and the way out. */
static void test_closed(void **state)
{
    static const struct {
        const char *diagnostics, *fault, *sample;
        bool online;
        const char *text, *evidence; /* both must be in the error */
    } rows[] = {
        {NULL, NULL, "", false, "EwsApplicationAccessPolicy", "backend = eas"},
        {NULL, NULL, "", true, "EwsAllowedAppIDs", "backend = eas"},
        {NULL, "ErrorAccessDenied", "<s:Envelope/>", false, "ask the administrator", "(ErrorAccessDenied)"},
        {NULL, "ErrorAccessDenied", "<s:Envelope/>", true, "Exchange Online ends it", "(ErrorAccessDenied)"},
        {"4000001;reason=\"EWS is not there\"", NULL, "", true, "backend = eas",
         "(4000001;reason=\"EWS is not there\")"},
        {"2000008;reason=\"The token contains not enough scope to make this call.\";error_category=\"invalid_grant\"",
         NULL, "", true, "EWS.AccessAsUser.All", "(2000008;reason="},
        {"2000012;reason=\"The token contains no permissions, or permissions can not be understood.\"", NULL, "", true,
         "consent", "(2000012;"},
        {NULL, NULL, "<html><h3>HTTP Error 403.4 - Forbidden</h3>", false, "https", "url"},
        {NULL, NULL, "<html><h3>HTTP Error 403.6 - Forbidden</h3>", false, "network address", "VPN"},
        {NULL, NULL, "<html><h3>HTTP Error 403.7 - Forbidden</h3>", false, "demands a client certificate",
         "client-cert"},
        {NULL, NULL, "<html><h3>HTTP Error 403.13 - Forbidden</h3>", false, "revoked", "client-cert"},
        {NULL, NULL, "<html><h3>HTTP Error 403.16 - Forbidden</h3>", false, "does not trust", "client-cert"},
        {NULL, NULL, "<html><h3>HTTP Error 403.17 - Forbidden</h3>", false, "expired", "client-cert"},
        {NULL, NULL, "<html><h2>403 - Forbidden: Access is denied.</h2>", false, "EwsEnabled", "administrator"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ews_verdict v;
        ews_verdict_http(&(struct ews_http_answer){.status = 403,
                                                   .diagnostics = rows[i].diagnostics,
                                                   .fault = rows[i].fault,
                                                   .online = rows[i].online,
                                                   .sample = str_from(rows[i].sample)},
                         &v);
        assert_int_equal(v.action, EWS_FAIL);
        assert_int_equal(v.err.code, ERR_DENIED);
        assert_int_equal(v.err.status, 403);
        assert_non_null(strstr(v.err.text, rows[i].text));
        assert_non_null(strstr(v.err.text, rows[i].evidence));
        assert_true(strlen(v.err.text) < 210); /* the operation and the host come before it */
    }
}

static void test_status(void **state)
{
    static const struct {
        const char *code;
        unsigned backoff_ms;
        bool alone, confirmed;
        enum ews_action action;
        enum err_code err;
    } rows[] = {
        {"ErrorServerBusy", 0, true, true, EWS_BUSY, ERR_THROTTLED},
        {"ErrorServerBusy", 297749, true, true, EWS_BUSY, ERR_THROTTLED},
        {"ErrorInternalServerError", 5000, true, true, EWS_BUSY,
         ERR_THROTTLED}, /* a pause is asked for whatever the name */
        {"ErrorInternalServerError", 0, true, true, EWS_RETRY, ERR_OFFLINE},
        {"ErrorInternalServerError", 0, false, true, EWS_FAIL, ERR_OFFLINE},
        {"ErrorInternalServerTransientError", 0, false, true, EWS_RETRY, ERR_OFFLINE},
        {"ErrorInvalidServerVersion", 0, true, false, EWS_LOWER, ERR_UNSUPPORTED},
        {"ErrorInvalidRequest", 0, true, false, EWS_LOWER, ERR_INVALID},
        {"ErrorInvalidRequest", 0, true, true, EWS_FAIL, ERR_INVALID},
        {"ErrorItemNotFound", 0, false, true, EWS_FAIL, ERR_NOT_FOUND},
        {"ErrorNobodyKnows", 0, true, true, EWS_FAIL, ERR_PROTOCOL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ews_status s = {.code = ews_code_find(str_from(rows[i].code)), .backoff_ms = rows[i].backoff_ms};
        struct ews_verdict v;
        strcpy(s.name, rows[i].code);
        ews_verdict_status(&s, "GetItem", rows[i].alone, rows[i].confirmed, &v);
        assert_int_equal(v.action, rows[i].action);
        assert_int_equal(v.err.code, rows[i].err);
        assert_int_equal(v.pause_ms, rows[i].action == EWS_BUSY ? rows[i].backoff_ms : 0);
        assert_non_null(strstr(v.err.text, rows[i].code));
    }
}

static void test_body_kind(void **state)
{
    static const struct {
        const char *begin;
        bool final;
        enum ews_kind kind;
    } rows[] = {
        {"", false, EWS_KIND_UNDECIDED},
        {"", true, EWS_KIND_OTHER},
        {"<?xml", false, EWS_KIND_UNDECIDED},
        {"<?xml", true, EWS_KIND_XML},
        {"<?xml version=\"1.0\" encoding=\"utf-8\"?>", false, EWS_KIND_XML},
        {"\xEF\xBB\xBF\r\n<s:Envelope xmlns:s=\"x\">", false, EWS_KIND_XML},
        {"<!DOCTYPE html><html lang=\"en\">", false, EWS_KIND_OTHER},
        {"<!doctype HTML PUBLIC \"-//W3C\">", false, EWS_KIND_OTHER},
        {"<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\">", false, EWS_KIND_OTHER},
        {"Service Unavailable ", false, EWS_KIND_OTHER},
        {"\x1f\x8b\x08 and then nonsense", false, EWS_KIND_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(ews_body_kind(str_from(rows[i].begin), rows[i].final), rows[i].kind);
}

/* --- pauses -------------------------------------------------------------------------------------- */

static void test_retries(void **state)
{
    (void)state;
    struct ews_patience p = {.tries = 3, .first_ms = 500, .busy_ms = 2000, .wait_max_ms = 20000};
    struct ews_verdict retry = {.action = EWS_RETRY}, busy = {.action = EWS_BUSY};
    struct ews_retries r = {0};
    unsigned ms;
    /* Passing failures: two more tries, then the end. */
    assert_true(ews_retries_next(&r, &p, &retry, 0, &ms));
    assert_int_equal(ms, 500);
    assert_true(ews_retries_next(&r, &p, &retry, 0, &ms));
    assert_int_equal(ms, 2000);
    assert_false(ews_retries_next(&r, &p, &retry, 0, &ms));
    /* Busy without a time: doubles, and never longer in all than our patience. */
    r = (struct ews_retries){0};
    assert_true(ews_retries_next(&r, &p, &busy, 0, &ms));
    assert_int_equal(ms, 2000);
    assert_true(ews_retries_next(&r, &p, &busy, 0, &ms));
    assert_int_equal(ms, 4000);
    assert_true(ews_retries_next(&r, &p, &busy, 0, &ms));
    assert_int_equal(ms, 8000);
    assert_false(ews_retries_next(&r, &p, &busy, 0, &ms));
    assert_int_equal(ms, 16000); /* the others of this login wait so long */
    assert_true(r.waited_ms <= p.wait_max_ms);
    /* With a time: at least that, at most a quarter more; too long: not at all. */
    busy.pause_ms = 4000;
    for (uint32_t dice = 0; dice < 5000; dice += 7) {
        r = (struct ews_retries){0};
        assert_true(ews_retries_next(&r, &p, &busy, dice, &ms));
        assert_in_range(ms, 4000, 5000);
    }
    r = (struct ews_retries){0};
    busy.pause_ms = 297749;
    assert_false(ews_retries_next(&r, &p, &busy, 0, &ms));
    assert_int_equal(ms, 297749);
    busy.pause_ms = EWS_BACKOFF_MAX_MS;
    assert_false(ews_retries_next(&r, &p, &busy, UINT32_MAX, &ms));
    assert_int_equal(ms, EWS_BACKOFF_MAX_MS);
    /* A server that is busy for a millisecond again and again is given up too. */
    r = (struct ews_retries){0};
    busy.pause_ms = 1;
    size_t tries = 0;
    while (ews_retries_next(&r, &p, &busy, 0, &ms))
        tries++;
    assert_in_range(tries, 3, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_version_of_builds),
        cmocka_unit_test(test_version_refused),
        cmocka_unit_test(test_version_saved),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_body_kind),
        cmocka_unit_test(test_retries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
