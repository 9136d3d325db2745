/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/caldav_server.h"

#include "bridge/base/mem.h"
#include "protocols/caldav/dav_session.h"

static void set_limits(struct caldav_limits *l)
{
#define OR(field, otherwise) l->field = l->field ? l->field : (otherwise)
    OR(request_line, 8192);
    OR(headers, 32768);
    OR(header_count, 100);
    OR(body, (size_t)10 << 20);
    OR(header_s, 10);
    OR(keepalive_s, 60);
    OR(hrefs, 5000);
    OR(results, 20000);
#undef OR
}

struct server *caldav_server_new(const struct caldav_server_opts *opts)
{
    static const struct server_protocol protocol = {
        .area = "caldav",
        .name = "CalDAV",
        .session_size = sizeof(struct dav_session),
        .start = dav_session_start,
        .read = dav_session_read,
        .busy = dav_session_busy,
        .turn = dav_stream_turn,
        .goodbye = dav_session_goodbye,
        .stop = dav_session_stop,
        .free = dav_session_free,
        .done = mem_free,
    };
    struct caldav_server_opts *own = mem_dup(opts, sizeof(*opts));
    set_limits(&own->limits);
    return server_new(&(struct server_opts){
        .all = opts->all, .protocol = &protocol, .idle_timeout_s = own->limits.keepalive_s, .ud = own});
}
