/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_HTTP_H
#define PROTOCOLS_CALDAV_DAV_HTTP_H
/*
 * Requests of HTTP/1.1 (RFC 9112) from bytes, through llhttp, and the checks that llhttp leaves to us. Pure: bytes in,
 * requests out, no connection, no clock.
 *
 *     dav_http_read() -> DAV_HTTP_HEAD (look at dav_http_request(), decide) -> dav_http_read() ... -> DAV_HTTP_DONE
 *                                       (the request is whole, with its body) -> dav_http_next() -> ...
 *
 * After DAV_HTTP_BAD the connection is out of step: answer with `status` and close. A body that is not wanted is either
 * read into nothing (dav_http_drop_body) or the connection is closed instead.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

enum dav_method {
    DAV_OPTIONS,
    DAV_GET,
    DAV_HEAD,
    DAV_PUT,
    DAV_DELETE,
    DAV_POST,
    DAV_PROPFIND,
    DAV_PROPPATCH,
    DAV_REPORT,
    DAV_MKCOL,
    DAV_MKCALENDAR,
    DAV_COPY,
    DAV_MOVE,
    DAV_OTHER, /* a method that HTTP knows and we do not: 405 */
    DAV_METHOD_MAX
};

struct dav_header {
    struct str name, value; /* value without blanks at both ends */
};
struct dav_request {
    enum dav_method method;
    const char *method_name;
    struct str target; /* as it came */
    const struct dav_header *headers;
    size_t header_count;
    bool keep_alive;
    bool expects_continue; /* "Expect: 100-continue": the client waits for a word before it sends the body */
    bool has_body;
    uint64_t content_length; /* 0 when chunked */
};

struct dav_http_limits {
    size_t request_line; /* bytes of the target */
    size_t headers;      /* bytes of all names and values */
    size_t header_count;
    size_t body;
};

enum dav_http_event {
    DAV_HTTP_MORE, /* *in is used up */
    DAV_HTTP_HEAD,
    DAV_HTTP_DONE,
    DAV_HTTP_BAD
};

struct dav_http;
struct dav_http *dav_http_new(const struct dav_http_limits *limits);
void dav_http_free(struct dav_http **h);
/* Takes bytes from *in (advanced) up to the next event. *ret_status (BAD): 400, 413, 414, 417, 431, 501, 505. */
enum dav_http_event dav_http_read(struct dav_http *h, struct str *in, int *ret_status);
const struct dav_request *dav_http_request(const struct dav_http *h); /* from HEAD to dav_http_next() */
struct str dav_http_body(const struct dav_http *h);
void dav_http_drop_body(struct dav_http *h);
void dav_http_next(struct dav_http *h);
/* Is nothing of a request here yet? (between requests: the idle timeout is another one) */
bool dav_http_is_idle(const struct dav_http *h);

/* The one header of that name, ASCII case ignored; p NULL: there is none. */
struct str dav_header_get(const struct dav_request *r, const char *name);

#endif
