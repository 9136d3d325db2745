/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of HTTP requests, in pieces whose size the first byte gives: the same requests as in one piece, and what is
 * checked of them holds whatever they are.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/buf.h"
#include "protocols/caldav/dav_guard.h"
#include "protocols/caldav/dav_http.h"
#include "protocols/caldav/dav_path.h"

static void look(struct dav_http *h, struct buf *out)
{
    static const struct dav_guard guard = {.tls = false, .port = 80, .name = NULL};
    const struct dav_request *r = dav_http_request(h);
    struct arena arena = {0};
    struct dav_path path;
    int status = dav_guard_check(&guard, r);
    buf_printf(out, "%s %.*s %d %zu;", r->method_name, STR_ARG(r->target), status, r->header_count);
    if (dav_path_parse(r->target, STR_NULL, &arena, &path)) {
        struct buf again = {0};
        struct dav_path same;
        dav_path_write(&again, &path);
        if (path.place != DAV_AT_NOWHERE && path.place != DAV_AT_WELL_KNOWN && path.place != DAV_AT_ATTACHMENT &&
            path.place != DAV_AT_INBOX_ITEM &&
            (!dav_path_parse(buf_view(&again), STR_NULL, &arena, &same) || same.place != path.place ||
             !str_eq(same.account, path.account) || !str_eq(same.segment, path.segment) ||
             !str_eq(same.name, path.name)))
            abort();
        buf_done(&again);
    }
    arena_done(&arena);
}

static void run(struct str in, size_t step, struct buf *out)
{
    static const struct dav_http_limits limits = {
        .request_line = 300, .headers = 2000, .header_count = 30, .body = 500};
    struct dav_http *h = dav_http_new(&limits);
    int status = 0;
    while (in.n) {
        struct str piece = str_sub(in, 0, step);
        in = str_skip(in, piece.n);
        enum dav_http_event ev;
        while ((ev = dav_http_read(h, &piece, &status)) == DAV_HTTP_HEAD || ev == DAV_HTTP_DONE) {
            if (ev == DAV_HTTP_HEAD) {
                look(h, out);
            } else {
                buf_str(out, dav_http_body(h));
                buf_byte(out, '\n');
                dav_http_next(h);
            }
        }
        if (ev == DAV_HTTP_BAD) {
            if (status < 400 || status > 505)
                abort();
            buf_lit(out, "bad"); /* which of two faults is seen first may depend on the pieces */
            break;
        }
        if (piece.n)
            abort();
    }
    dav_http_free(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(1 << 20), pieces = BUF_INIT(1 << 20);
    if (size == 0)
        return 0;
    struct str in = str_of(data + 1, size - 1);
    run(in, in.n ? in.n : 1, &whole);
    run(in, data[0] % 64 + 1, &pieces);
    if (!str_eq(buf_view(&whole), buf_view(&pieces)))
        abort();
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
