/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_server.h"

#include "bridge/base/mem.h"
#include "protocols/smtp/smtp_session.h"

static void set_limits(struct smtp_server_limits *l)
{
#define OR(field, otherwise) l->field = l->field ? l->field : (otherwise)
    OR(idle_timeout_s, 600);
    OR(line, SMTP_LINE_DEFAULT);
    OR(recipients, 1000);
    OR(message, (uint64_t)150 << 20);
#undef OR
}

struct server *smtp_server_new(const struct smtp_server_opts *opts)
{
    static const struct server_protocol protocol = {
        .area = "smtp",
        .name = "SMTP",
        .session_size = sizeof(struct smtp_session),
        .start = smtp_session_start,
        .read = smtp_session_read,
        .busy = smtp_session_busy,
        .goodbye = smtp_session_goodbye,
        .answer_first = smtp_session_sending,
        .stop = smtp_session_stop,
        .free = smtp_session_free,
        .done = mem_free,
    };
    struct smtp_server_opts *own = mem_dup(opts, sizeof(*opts));
    if (!own->tmp_dir)
        own->tmp_dir = "/tmp";
    set_limits(&own->limits);
    return server_new(&(struct server_opts){
        .all = opts->all, .protocol = &protocol, .idle_timeout_s = own->limits.idle_timeout_s, .ud = own});
}
