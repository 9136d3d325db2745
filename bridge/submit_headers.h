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

/* The header block of a message as a client wrote it, without its empty line, and where its text begins. A line that is
 * no field (RFC 5322 2.2) ends the block as the empty line does, so that a text sent without a header (echo hello |
 * msmtp bob@example.com) is a text; but for a line "From alice Mon Jan ..." above a field, as mailboxes in one file and
 * git have it. RFC 6409 8 lets a submission server put such things right. */
struct str submit_headers_block(struct str message, size_t *ret_text);

/* header: the block, with its empty line or without; recipients: addr-specs of the envelope. Comparison: domain in any
 * case, local part ASCII case folded too (Exchange does not tell them apart). out gets an empty line at its end. False:
 * over out's limit. */
bool submit_headers_rewrite(struct buf *out, struct str header, const struct str *recipients, size_t recipient_count);

#endif
