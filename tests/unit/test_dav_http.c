/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "protocols/caldav/dav_guard.h"
#include "protocols/caldav/dav_http.h"
#include "protocols/caldav/dav_path.h"

static const struct dav_http_limits limits = {.request_line = 200, .headers = 1000, .header_count = 10, .body = 64};

/* What a stream of requests says, one line each; fed in pieces of `step` bytes. */
static void describe(struct str in, size_t step, struct buf *out)
{
    struct dav_http *h = dav_http_new(&limits);
    int status = 0;
    while (in.n) {
        struct str piece = str_sub(in, 0, step);
        in = str_skip(in, piece.n);
        for (enum dav_http_event ev; (ev = dav_http_read(h, &piece, &status)) != DAV_HTTP_MORE;) {
            if (ev == DAV_HTTP_BAD) {
                buf_printf(out, "BAD %d\n", status);
                dav_http_free(&h);
                return;
            }
            const struct dav_request *r = dav_http_request(h);
            if (ev == DAV_HTTP_HEAD) {
                buf_printf(out, "%s %.*s%s%s", r->method_name, STR_ARG(r->target), r->keep_alive ? "" : " close",
                           r->expects_continue ? " continue" : "");
                for (size_t i = 0; i < r->header_count; i++)
                    buf_printf(out, " %.*s=%.*s", STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value));
                buf_byte(out, '\n');
            } else {
                struct str body = dav_http_body(h);
                if (body.n)
                    buf_printf(out, "  [%.*s]\n", STR_ARG(body));
                dav_http_next(h);
            }
        }
        assert_int_equal(piece.n, 0);
    }
    if (!dav_http_is_idle(h))
        buf_lit(out, "...\n");
    dav_http_free(&h);
}

static const struct {
    const char *in, *out;
} requests[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / Host=x\n"},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n", "GET / Host=x\n"},
    {"PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nDepth:1\r\nX:\r\n\r\nGET /2 HTTP/1.1\r\nHost: y\r\n\r\n",
     "PROPFIND /dav/ Host=x Depth=1 X=\nGET /2 Host=y\n"},
    {"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "PUT /a Host=x Content-Length=5\n  [hello]\n"},
    {"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n",
     "PUT /a Host=x Transfer-Encoding=chunked\n  [abcde]\n"},
    {"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nz",
     "PUT /a continue Host=x Expect=100-continue Content-Length=1\n  [z]\n"},
    {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / close Host=x Connection=close\n"},
    {"REPORT /r HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "REPORT /r Host=x Content-Length=0\n"},
    {"GET / HTTP/1.1\r\nHo", "...\n"},
    /* refused */
    {"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "BAD 505\n"},
    {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "BAD 505\n"},
    {"GET /\r\n\r\n", "BAD 505\n"}, /* HTTP/0.9 */
    {"GET / HTTP/1.1\r\n\r\n", "BAD 400\n"},
    {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "BAD 400\n"},
    {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "BAD 400\n"},
    {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", "BAD 400\n"},
    {"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", "BAD 400\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nz", "BAD 400\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "BAD 400\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "BAD 400\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "BAD 501\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "BAD 400\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n", "BAD 413\n"},
    {"PUT / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", "BAD 417\n"},
    {"NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n", "BAD 501\n"},
    {"GETS / HTTP/1.1\r\nHost: x\r\n\r\n", "BAD 501\n"},
    {"get / HTTP/1.1\r\nHost: x\r\n\r\n", "BAD 501\n"},
    {"VERSION-CONTROL / HTTP/1.1\r\nHost: x\r\n\r\n", "BAD 501\n"},
    {"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", "BAD 400\n"},
    {"GE T / HTTP/1.1\r\nHost: x\r\n\r\n", "BAD 400\n"},
    {"\x16\x03\x01\x02", "BAD 400\n"},
};

static void tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        for (size_t step = 1; step < 40; step = step < 4 ? step + 1 : step * 3) {
            struct buf b = {0};
            describe(str_from(requests[i].in), step, &b);
            if (strcmp(buf_z(&b), requests[i].out) != 0)
                fail_msg("%s\nstep %zu: %s", requests[i].in, step, buf_z(&b));
            buf_done(&b);
        }
}

/* A body that grows over the limit while it comes, and heads that never end. */
static void endless(void **state)
{
    struct buf in = {0}, out = {0};
    (void)state;
    buf_lit(&in, "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++)
        buf_lit(&in, "5\r\nabcde\r\n");
    describe(buf_view(&in), 7, &out);
    assert_non_null(strstr(buf_z(&out), "BAD 413"));
    buf_reset(&in);
    buf_reset(&out);
    buf_lit(&in, "GET /");
    buf_fill(&in, 'a', 300);
    describe(buf_view(&in), 7, &out);
    assert_string_equal(buf_z(&out), "BAD 414\n");
    buf_reset(&in);
    buf_reset(&out);
    buf_lit(&in, "GET / HTTP/1.1\r\nX: ");
    buf_fill(&in, 'a', 3000);
    describe(buf_view(&in), 7, &out);
    assert_string_equal(buf_z(&out), "BAD 431\n");
    buf_reset(&in);
    buf_reset(&out);
    buf_lit(&in, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 30; i++)
        buf_lit(&in, "A: b\r\n");
    describe(buf_view(&in), 7, &out);
    assert_string_equal(buf_z(&out), "BAD 431\n");
    buf_done(&in);
    buf_done(&out);
}

/* --- who may ask
 * -------------------------------------------------------------------------------------------------------- */

static int guard(const char *head)
{
    static const struct dav_guard g = {.tls = true, .port = 1443, .name = NULL};
    static const struct dav_http_limits wide = {.request_line = 200, .headers = 1000, .header_count = 20, .body = 64};
    struct dav_http *h = dav_http_new(&wide);
    struct str in = str_from(head);
    int status = -1;
    if (dav_http_read(h, &in, &status) == DAV_HTTP_HEAD)
        status = dav_guard_check(&g, dav_http_request(h));
    dav_http_free(&h);
    return status;
}

#define GET(rest) "GET /dav/ HTTP/1.1\r\n" rest "\r\n"
#define US        "Host: localhost:1443\r\n"

static void guards(void **state)
{
    static const struct {
        const char *head;
        int status;
    } t[] = {
        {GET(US), 0},
        {GET("Host: 127.0.0.1:1443\r\n"), 0},
        {GET("Host: [::1]:1443\r\n"), 0},
        {GET("Host: LOCALHOST:1443\r\n"), 0},
        {GET("Host: localhost\r\n"), 421},
        {GET("Host: localhost:80\r\n"), 421},
        {GET("Host: localhost.evil.com:1443\r\n"), 421},
        {GET("Host: evil.com\r\n"), 421},
        {GET("Host: localhost:1443@evil.com\r\n"), 421},
        {GET(US "Origin: https://localhost:1443\r\n"), 0},
        {GET(US "Origin: http://localhost:1443\r\n"), 403},
        {GET(US "Origin: https://localhost:3000\r\n"), 403},
        {GET(US "Origin: null\r\n"), 403},
        {GET(US "Origin: https://evil.com\r\n"), 403},
        {GET(US "Origin: https://localhost:1443.evil.com\r\n"), 403},
        {GET(US "Referer: https://localhost:1443/dav/x\r\n"), 0},
        {GET(US "Referer: https://evil.com/\r\n"), 403},
        {GET(US "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: empty\r\n"), 0},
        {GET(US "Sec-Fetch-Site: none\r\n"), 0},
        {GET(US "Sec-Fetch-Site: same-site\r\n"), 403},
        {GET(US "Sec-Fetch-Site: cross-site\r\n"), 403},
        {GET(US "Sec-Fetch-Mode: navigate\r\n"), 403},
        {GET(US "Sec-Fetch-Dest: iframe\r\n"), 403},
        {"GET / HTTP/1.1\r\n" US "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n\r\n", 0},
        {"GET https://localhost:1443/dav/ HTTP/1.1\r\n" US "\r\n", 0},
        {"GET https://127.0.0.1:1443/dav/ HTTP/1.1\r\n" US "\r\n", 400},
        {"GET https://evil.com/dav/ HTTP/1.1\r\n" US "\r\n", 400},
        {"PUT /x HTTP/1.1\r\n" US "Content-Length: 1\r\nContent-Type: text/calendar; charset=utf-8\r\n\r\n", 0},
        {"PUT /x HTTP/1.1\r\n" US "Content-Length: 1\r\nContent-Type: text/plain\r\n\r\n", 415},
        {"PUT /x HTTP/1.1\r\n" US "Content-Length: 1\r\n\r\n", 0},
        {"POST /x HTTP/1.1\r\n" US "Content-Length: 1\r\n\r\n", 415},
        {"POST /x HTTP/1.1\r\n" US "Content-Length: 1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n", 415},
        {"OPTIONS * HTTP/1.1\r\n" US "\r\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (guard(t[i].head) != t[i].status)
            fail_msg("%s: %d instead of %d", t[i].head, guard(t[i].head), t[i].status);
}

/* --- where to
 * --------------------------------------------------------------------------------------------------------------- */

static void paths(void **state)
{
    static const struct {
        const char *target, *out;
    } t[] = {
        {"/", "1"},
        {"/.well-known/caldav", "2"},
        {"/dav", "3"},
        {"/dav/", "3"},
        {"/dav//", "3"},
        {"/dav/mine", "4 mine"},
        {"/dav/mine/calendars/", "5 mine"},
        {"/dav/mine/calendars/cal", "6 mine cal"},
        {"/dav/mine/calendars/cal/", "6 mine cal"},
        {"/dav/mine/calendars/cal/a%20b.ics", "7 mine cal a b.ics"},
        {"/dav/mine/calendars/cal/%C3%BC.ics?x=1", "7 mine cal \xc3\xbc.ics"},
        {"/dav/a%40b.c/inbox", "8 a@b.c"},
        {"/dav/mine/inbox/x.ics", "9 mine"},
        {"/dav/mine/outbox/", "10 mine"},
        {"/dav/mine/attachments/abcd", "11 mine abcd"},
        {"/dav/mine/attachments/x/abcd", "0 mine"},
        {"/dav/mine/calendars/cal/a/b", "0 mine"},
        {"/favicon.ico", "0"},
        {"https://localhost:1443/dav/mine/calendars/cal/x", "7 mine cal x"},
        {"https://LOCALHOST:1443", "1"},
        /* no paths at all */
        {"https://evil.com/dav/", "no"},
        {"dav/mine", "no"},
        {"", "no"},
        {"/dav/mine/calendars/cal/..", "no"},
        {"/dav/mine/calendars/cal/%2e%2e/x", "no"},
        {"/dav/mine/calendars/cal/a%2Fb", "no"},
        {"/dav/mine/calendars/cal/a%00b", "no"},
        {"/dav/mine/calendars/cal/a%0Ab", "no"},
        {"/dav/mine/calendars/cal/a%zz", "no"},
        {"/dav/mine/calendars/cal/%ff", "no"},
        {"/dav/mine/calendars/cal/x#y", "no"},
        {"/a/b/c/d/e/f/g", "no"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena arena = {0};
        struct buf b = {0};
        struct dav_path p;
        if (!dav_path_parse(str_from(t[i].target), STR("localhost:1443"), &arena, &p)) {
            buf_lit(&b, "no");
        } else {
            buf_printf(&b, "%d", p.place);
            const struct str parts[] = {p.account, p.segment, p.name};
            for (size_t k = 0; k < 3; k++)
                if (parts[k].n)
                    buf_printf(&b, " %.*s", STR_ARG(parts[k]));
        }
        if (strcmp(buf_z(&b), t[i].out) != 0)
            fail_msg("%s: %s", t[i].target, buf_z(&b));
        buf_done(&b);
        arena_done(&arena);
    }
}

static void paths_are_written_as_they_are_read(void **state)
{
    static const char *const t[] = {"/",
                                    "/dav/",
                                    "/dav/a@b.c/",
                                    "/dav/mine/calendars/",
                                    "/dav/mine/calendars/my%20cal/",
                                    "/dav/mine/calendars/cal/%C3%BC%25.ics",
                                    "/dav/mine/inbox/",
                                    "/dav/mine/outbox/"};
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct arena arena = {0};
        struct buf b = {0};
        struct dav_path p;
        assert_true(dav_path_parse(str_from(t[i]), STR_NULL, &arena, &p));
        dav_path_write(&b, &p);
        assert_string_equal(buf_z(&b), t[i]);
        buf_done(&b);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(endless),
        cmocka_unit_test(guards),
        cmocka_unit_test(paths),
        cmocka_unit_test(paths_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
