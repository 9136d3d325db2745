/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_SERVER_H
#define PROTOCOLS_IMAP_IMAP_SERVER_H
/*
 * The IMAP side of the bridge: one session for each connection (imap_session.h). Listening, limits over all protocols
 * and the end are those of every server (protocols/server.h).
 *
 * At servers_shutdown() every client is told "* BYE"; a change under way is answered first. server_free() cancels every
 * read that a session had under way.
 */
#include <stddef.h>

#include "protocols/server.h"

/* Limits; 0 means the default in parentheses. Names are those of the [limits] section. */
struct imap_server_limits {
    unsigned idle_timeout_s;   /* no command, or no end of IDLE (1800; RFC 9051 5.4 asks for 30 minutes) */
    size_t line_preauth, line; /* bytes of a command line (8 KiB; 64 KiB) */
    size_t literal;            /* bytes of one literal (128 KiB) */
    size_t args;               /* bytes of all arguments of a command (1 MiB) */
};

struct imap_server_opts {
    struct servers *all;
    const char *version; /* of the program, for ID; "1.0" */
    const char *tmp_dir; /* for decoded parts of large messages; NULL = /tmp */
    struct imap_server_limits limits;
};

/* opts is copied; strings must outlive the server. Never fails. Goes with server_free(). */
struct server *imap_server_new(const struct imap_server_opts *opts);

#endif
