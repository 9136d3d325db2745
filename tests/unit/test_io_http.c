/* SPDX-License-Identifier: Apache-2.0 */
/* http.h: requests and answers. */
#include "tests/unit/http_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/io/tls.h"
#include "certs/certs.h"

static void get_and_reuse(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct answer a = {.f = f};
        http_kit_start(&a, "POST", "/echo", STR("hello"));
        assert_int_equal(a.dones, 0);
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, ERR_NONE);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.heads, 1);
        assert_true(a.sent);
        assert_string_equal(buf_z(&a.body), "hello");
        assert_string_equal(a.header, "two/one");
        buf_done(&a.body);
    }
    assert_int_equal(f->server.connections, 1);
    http_kit_expect_head(f, "user-agent: exbridge-test\r\n");
    http_kit_expect_head(f, "accept-encoding: gzip, deflate\r\n");
    assert_int_equal(str_case_find(buf_view(&f->server.head), STR("content-type")), (size_t)-1);
    assert_int_equal(str_case_find(buf_view(&f->server.head), STR("expect")), (size_t)-1);
}

static void forget_connections(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct answer a = {.f = f};
        http_kit_start(&a, "GET", "/", STR_NULL);
        TURN_UNTIL(f->loop, a.dones);
        buf_done(&a.body);
        http_client_forget_connections(f->client);
    }
    assert_int_equal(f->server.connections, 2);
    struct answer parked = {.f = f}, other = {.f = f};
    http_kit_start(&parked, "GET", "/park", STR_NULL);
    TURN_UNTIL(f->loop, parked.body.n == 5);
    http_client_forget_connections(f->client); /* what is under way goes on */
    http_kit_start(&other, "GET", "/", STR_NULL);
    TURN_UNTIL(f->loop, other.dones);
    conn_write(f->server.parked, STR("1\r\n!\r\n0\r\n\r\n"));
    TURN_UNTIL(f->loop, parked.dones);
    assert_int_equal(parked.err.code, ERR_NONE);
    assert_string_equal(buf_z(&parked.body), "hello!");
    buf_done(&parked.body);
    buf_done(&other.body);
}

static void methods(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"GET", "OPTIONS", "POST"};
    for (size_t i = 0; i < 3; i++) {
        struct answer a = {.f = f};
        http_kit_start(&a, names[i], "/method", STR_NULL);
        TURN_UNTIL(f->loop, a.dones);
        assert_string_equal(buf_z(&a.body), names[i]);
        assert_true(a.sent);
        buf_done(&a.body);
    }
}

static void odd_answers(void **state)
{
    static const struct {
        const char *path;
        enum err_code code;
        int status;
        unsigned retry_after_s;
    } table[] = {
        {"/cut", ERR_PROTOCOL, 200, 0},   {"/reset", ERR_OFFLINE, 0, 0}, {"/garbage", ERR_INVALID, 0, 0},
        {"/redirect", ERR_NONE, 302, 0},  {"/busy", ERR_NONE, 503, 7},   {"/headers", ERR_TOO_BIG, 200, 0},
        {"/unzip", ERR_PROTOCOL, 200, 0}, {"/ntlm", ERR_NONE, 401, 0},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        http_kit_start(&a, "GET", table[i].path, STR_NULL);
        TURN_UNTIL(f->loop, a.dones);
        if (strcmp(table[i].path, "/garbage") == 0) /* HTTP/0.9 and the like */
            assert_true(a.err.code == ERR_PROTOCOL || a.err.code == ERR_INVALID);
        else if (a.err.code != table[i].code || a.status != table[i].status)
            fail_msg("%s: %s %d %s", table[i].path, err_name(a.err.code), a.status, a.err.text);
        assert_int_equal(a.retry_after_s, table[i].retry_after_s);
        assert_int_equal(a.dones, 1);
        buf_done(&a.body);
    }
    assert_int_equal(f->server.requests, sizeof(table) / sizeof(table[0])); /* nothing followed, nothing sent twice */
}

/* A mere look over http:// is allowed to any host, but nothing may go along. */
static void plain_look(void **state)
{
    struct fixture *f = *state;
    const struct http_request_opts table[] = {
        {.method = "GET", .plain = true},
        {.method = "GET"},
        {.method = "POST", .plain = true},
        {.method = "GET", .plain = true, .body = STR("x")},
        {.method = "GET", .plain = true, .auth = HTTP_AUTH_BASIC, .user = "u", .secret = "p"},
        {.method = "GET", .plain = true, .auth = HTTP_AUTH_BEARER, .secret = "t"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        struct http_request_opts opts = table[i];
        opts.url = "http://[::ffff:127.0.0.1]:1/"; /* this machine by a name that does not count as such; no server */
        a.req = http_start(f->client, &opts, &http_kit_events, &a);
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, i == 0 ? ERR_OFFLINE : ERR_INVALID);
        if (i == 0)
            assert_int_equal(a.failure, HTTP_FAILED_CONNECT);
    }
}

static void refused_before_sending(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *url, *header;
    } table[] = {
        {"http://example.com/", "x"},
        {"ftp://127.0.0.1/", "x"},
        {"not a url at all", "x"},
        {"http://127.0.0.1.example.com/", "x"},
        {"http://127.0.0.1/", "x\r\nEvil: yes"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        struct http_header h = {"X-Test", table[i].header};
        struct http_request_opts opts = {.method = "GET", .url = table[i].url, .headers = &h, .header_count = 1};
        a.req = http_start(f->client, &opts, &http_kit_events, &a);
        assert_int_equal(a.dones, 0);
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, ERR_INVALID);
        assert_false(a.sent);
    }
    struct answer a = {.f = f};
    struct http_request_opts opts = {.method = "GET", .url = "http://127.0.0.1:1/"};
    a.req = http_start(f->client, &opts, &http_kit_events, &a);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_OFFLINE);
    assert_non_null(strstr(a.err.text, "127.0.0.1: "));
}

static void compressed(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f};
    http_kit_start(&a, "GET", "/gzip", STR_NULL);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_string_equal(buf_z(&a.body), "The view exareal messag");
    buf_done(&a.body);
}

static void authentication(void **state)
{
    static const struct {
        enum http_auth auth;
        const char *expected;
        int status;
    } table[] = {
        {HTTP_AUTH_BASIC, "authorization: Basic RVhBTVBMRVxhbGljZTpwOnc=\r\n", 200},
        {HTTP_AUTH_BEARER, "authorization: Bearer p:w\r\n", 200},
        {HTTP_AUTH_NONE, "GET /method HTTP/1.1\r\n", 200},
        {HTTP_AUTH_NTLM, "authorization: NTLM TlRMTVNTUA", 200},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        struct http_request_opts opts = {
            .method = "GET", .auth = table[i].auth, .user = "EXAMPLE\\alice", .secret = "p:w"};
        http_kit_start_with(&a, &opts, "/method");
        TURN_UNTIL(f->loop, a.dones);
        assert_int_equal(a.err.code, ERR_NONE);
        http_kit_expect_head(f, table[i].expected);
        if (table[i].auth == HTTP_AUTH_NONE)
            assert_int_equal(str_case_find(buf_view(&f->server.head), STR("authorization")), (size_t)-1);
        buf_done(&a.body);
    }
    /* Never a scheme that was not chosen, whatever the server offers. */
    struct answer a = {.f = f};
    struct http_request_opts opts = {.method = "GET", .auth = HTTP_AUTH_BASIC, .user = "alice", .secret = "pw"};
    unsigned before = f->server.requests;
    http_kit_start_with(&a, &opts, "/ntlm");
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_int_equal(a.status, 401);
    assert_int_equal(a.heads, 1);
    assert_int_equal(f->server.requests, before + 1);
    assert_string_equal(buf_z(&a.body), "who are you?");
    buf_done(&a.body);
}

static void cookies(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.f = f}, b = {.f = f}, c = {.f = f};
    http_kit_start(&a, "GET", "/cookie", STR_NULL);
    TURN_UNTIL(f->loop, a.dones);
    http_kit_start(&b, "GET", "/method", STR_NULL);
    TURN_UNTIL(f->loop, b.dones);
    http_kit_expect_head(f, "cookie: X-BackEndCookie=abc\r\n");
    http_client_forget_cookies(f->client);
    http_client_add_cookie(f->client, "exchangecookie=1; domain=127.0.0.1; path=/");
    http_kit_start(&c, "GET", "/method", STR_NULL);
    TURN_UNTIL(f->loop, c.dones);
    http_kit_expect_head(f, "cookie: exchangecookie=1\r\n");
    buf_done(&a.body);
    buf_done(&b.body);
    buf_done(&c.body);
}

static size_t read_body(void *ud, char *to, size_t n)
{
    struct answer *a = ud;
    if (n > 10000)
        n = 10000;
    if (a->cut_at && a->cut_at < n)
        n = 0;
    memset(to, 'r', n);
    if (a->cut_at)
        a->cut_at -= n;
    return n;
}

static void uploads(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new("/tmp", 20 << 20);
    char piece[10000];
    memset(piece, 'b', sizeof(piece));
    for (int i = 0; i < 500; i++)
        assert_true(blob_add(blob, str_of(piece, sizeof(piece)), NULL));
    assert_true(blob_finish(blob, NULL));
    struct answer a = {.f = f}, b = {.f = f}, c = {.f = f, .cut_at = 45000};
    struct http_request_opts opts = {.method = "POST", .body_blob = blob};
    http_kit_start_with(&a, &opts, "/method");
    blob_unref(&blob);
    TURN_UNTIL(f->loop, a.dones);
    assert_int_equal(a.err.code, ERR_NONE);
    assert_true(a.sent);
    assert_int_equal(f->server.body_bytes, 5000000);
    opts = (struct http_request_opts){.method = "POST", .read = read_body, .body_size = 123456};
    http_kit_start_with(&b, &opts, "/method");
    TURN_UNTIL(f->loop, b.dones);
    assert_int_equal(b.err.code, ERR_NONE);
    assert_int_equal(f->server.body_bytes, 123456);
    http_kit_start_with(&c, &opts, "/method");
    TURN_UNTIL(f->loop, c.dones);
    assert_int_equal(c.err.code, ERR_INTERNAL);
    assert_false(c.sent);
    buf_done(&a.body);
    buf_done(&b.body);
}

/* OpenSSL's, as libcurl calls it for the folder of the system's authorities: counted, and nothing is loaded. */
int X509_STORE_load_path(void *store, const char *path);
static int system_loaded;
int X509_STORE_load_path(void *store, const char *path)
{
    (void)store;
    (void)path;
    system_loaded++;
    return 1;
}

/* Certificates are always checked, names too; against ca-file alone, where there is one and nobody asks for more. */
static void https(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/exbridge-test-https-XXXXXX", command[64];
    struct certs certs;
    struct err err;
    assert_non_null(mkdtemp(dir));
    assert_true(certs_ensure(dir, &certs, &err));
    struct tls_server *tls = tls_server_new("http/1.1");
    assert_true(tls_server_load(tls, certs.chain_file, certs.key_file, &err));
    struct conn_listen_opts o = {
        .name = "stub", .address = "127.0.0.1", .max_connections = 9, .tls = tls, .input_limit = 1 << 20};
    struct conn_listener *l = conn_listen(f->loop, &o, http_kit_on_accept, &f->server, &err);
    assert_non_null(l);
    const struct {
        const char *host, *ca;
        unsigned tls_min;
        enum err_code code;
        bool too, system; /* wanted besides ca; asked then */
    } table[] = {
        {"localhost", certs.ca_file, 0x0303, ERR_NONE, false, false},
        {"127.0.0.1", certs.ca_file, 0x0304, ERR_NONE, true, true},
        {"localhost", NULL, 0x0303, ERR_OFFLINE, false, true},
        {"127.0.0.2", certs.ca_file, 0x0303, ERR_OFFLINE, false, false},
        {"localhost", "/nonexistent", 0, ERR_INVALID, false, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a = {.f = f};
        char url[100];
        http_client_free(&f->client);
        system_loaded = 0;
        f->client = http_client_new(f->loop, &(struct http_client_opts){.ca_file = table[i].ca,
                                                                        .system_ca_too = table[i].too,
                                                                        .tls_min = table[i].tls_min,
                                                                        .max_connections = 2,
                                                                        .proxy = ""});
        snprintf(url, sizeof(url), "https://%s:%u/method", table[i].host, conn_listener_port(l));
        struct http_request_opts opts = {
            .method = "GET", .url = url, .auth = HTTP_AUTH_BASIC, .user = "u", .secret = "p"};
        a.req = http_start(f->client, &opts, &http_kit_events, &a);
        TURN_UNTIL(f->loop, a.dones);
        /* 127.0.0.2: nobody listens there, or the name is not in the certificate. */
        if (a.err.code != table[i].code)
            fail_msg("row %zu: %s %s", i, err_name(a.err.code), a.err.text);
        if (i == 2)
            assert_int_equal(a.failure, HTTP_FAILED_CERTIFICATE);
        if (i == 2)
            assert_non_null(strstr(a.err.text, "not trusted (see ca-file)"));
        assert_int_equal(a.sent, a.err.code == ERR_NONE);
        assert_int_equal(system_loaded > 0, table[i].system);
        buf_done(&a.body);
    }
    conn_listener_free(&l);
    tls_server_free(&tls);
    certs_done(&certs);
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_kit_set_up, http_kit_tear_down)
    const struct CMUnitTest tests[] = {
        T(get_and_reuse), T(forget_connections), T(methods), T(odd_answers), T(plain_look), T(refused_before_sending),
        T(compressed),    T(authentication),     T(cookies), T(uploads),     T(https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
