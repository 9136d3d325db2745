/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_GUARD_H
#define PROTOCOLS_GUARD_H
/*
 * What the text protocols share against clients that are none: a browser that was made to post a form to our port
 * (cross-protocol scripting; browsers block the well-known ports only, not ours).
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/str.h"

/* An HTTP request line, or a header field ("Host: ..."). Before sign-in the connection is dropped without an answer. */
bool guard_is_foreign(struct str line);

/* Warns about it, at most once a minute. */
struct guard_log {
    uint64_t logged_ms;
    unsigned count;
};
/* area: "imap"; protocol: "IMAP". */
void guard_log_foreign(struct guard_log *g, const char *area, const char *protocol, uint64_t conn_id);

#endif
