/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_server.h"

#include "bridge/base/mem.h"
#include "bridge/formats/charset.h"
#include "protocols/imap/imap_session.h"

static void set_default(size_t *value, size_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_limits(struct imap_server *server)
{
    struct imap_server_limits *l = &server->opts.limits;
    if (l->idle_timeout_s == 0)
        l->idle_timeout_s = 1800;
    server->preauth = imap_limits_preauth;
    server->authenticated = imap_limits_auth;
    set_default(&l->line_preauth, server->preauth.line);
    set_default(&l->line, server->authenticated.line);
    set_default(&l->literal, server->authenticated.literal);
    set_default(&l->args, server->authenticated.arguments);
    server->preauth.line = l->line_preauth;
    server->authenticated.line = l->line;
    server->authenticated.literal = l->literal;
    server->authenticated.arguments = l->args;
}

static void done(void *ud)
{
    struct imap_server *server = ud;
    charset_cache_free(server->charsets);
    mem_free(server);
}

struct server *imap_server_new(const struct imap_server_opts *opts)
{
    static const struct server_protocol protocol = {
        .area = "imap",
        .name = "IMAP",
        .session_size = sizeof(struct imap_session),
        .start = imap_session_start,
        .read = imap_session_read,
        .busy = imap_session_busy,
        .turn = imap_session_turn,
        .goodbye = imap_session_goodbye,
        .answer_first = imap_session_changing,
        .ended = imap_session_ended,
        .stop = imap_session_stop,
        .free = imap_session_free,
        .done = done,
    };
    struct imap_server *server = MEM_NEW(struct imap_server);
    server->opts = *opts;
    if (!server->opts.tmp_dir)
        server->opts.tmp_dir = "/tmp";
    set_limits(server);
    server->charsets = charset_cache_new();
    return server_new(&(struct server_opts){
        .all = opts->all, .protocol = &protocol, .idle_timeout_s = server->opts.limits.idle_timeout_s, .ud = server});
}
