/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SMTP_SMTP_SERVER_H
#define PROTOCOLS_SMTP_SMTP_SERVER_H
/*
 * Message submission (RFC 6409): one session for each connection (smtp_session.h). Listening, limits over all protocols
 * and the end are those of every server (protocols/server.h).
 *
 * At servers_shutdown() every client is told 421; one whose message is on its way to Exchange is answered first. After
 * server_free() an attempt to send under way goes on without the client (bridge/submit.h).
 */
#include <stddef.h>
#include <stdint.h>

#include "protocols/server.h"

/* Limits; 0 means the default in parentheses. Names are those of the [limits] section. */
struct smtp_server_limits {
    unsigned idle_timeout_s; /* no byte from the client (600; RFC 5321 4.5.3.2.7 asks for 5 minutes) */
    size_t line;             /* bytes of a command line (4096) */
    size_t recipients;       /* of one message (1000) */
    uint64_t message;        /* bytes of a message, where the server says nothing else (150 MiB) */
};

struct smtp_server_opts {
    struct servers *all;
    const char *tmp_dir; /* for messages on their way; NULL = /tmp */
    struct smtp_server_limits limits;
};

/* opts is copied; strings must outlive the server. Never fails. Goes with server_free(). */
struct server *smtp_server_new(const struct smtp_server_opts *opts);

#endif
