/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SUBMIT_HEADERS_H
#define BRIDGE_SUBMIT_HEADERS_H
/*
 * Exchange delivers to whom the headers name; SMTP's envelope must win (RFC 5321 3.3). So the header of an outgoing
 * message is rewritten:
 *   - recipients that To and Cc do not name become Bcc (Exchange delivers to them and strips the field);
 *   - addresses in To and Cc that are not in the envelope are taken out: nobody the sender excluded may get the
 * message;
 *   - Bcc, Resent-Bcc and Return-Path as the client wrote them go.
 * A field from which nothing is taken stays byte for byte. When To and Cc end up empty, "To: undisclosed-recipients:;"
 * says so.
 */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

/* header: the block with its empty line; recipients: addr-specs of the envelope. Comparison: domain in any case, local
 * part ASCII case folded too (Exchange does not tell them apart). False: over out's limit. */
bool submit_headers_rewrite(struct buf *out, struct str header, const struct str *recipients, size_t recipient_count);

#endif
