/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SUBMIT_H
#define BRIDGE_SUBMIT_H
/*
 * Sending a message through the account's server: a positive answer means that Exchange has taken it (RFC 6409; SMTP
 * 250).
 *
 * A journal row is committed before the request goes out. An attempt whose outcome is unknown (connection lost after
 * the request, crash) is resolved by evidence, never by sending again blindly: EAS by the same ClientId, EWS by a
 * property of the item that is looked up. The client's own retry is recognised (equal bytes and recipients, or equal
 * Message-ID and recipients, within 24 hours) and answered with the first outcome. Where a server gives no evidence the
 * answer is ERR_OFFLINE and a retry may send twice; the man page says so.
 *
 * Recipients of the envelope that no header names become Bcc. A header recipient missing from the envelope must not get
 * the message: it is taken out of the headers.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"

struct submit;
typedef void submit_cb(void *ud, const struct err *err);
struct submit_request {
    struct blob *message; /* finished; CRLF line ends, no dot-stuffing */
    struct str sender;    /* MAIL FROM without <>; may be empty */
    const struct str *recipients;
    size_t recipient_count;
};
/* One callback, never from inside; submit_detach() when the session dies: the attempt goes on and its outcome is kept
 * for the retry. */
struct submit *submit_start(struct account *a, const struct submit_request *request, submit_cb *cb, void *ud);
void submit_detach(struct submit **s);
/* Largest message the server takes, in bytes: SIZE of EHLO. 0 = unknown. */
uint64_t submit_size_limit(const struct account *a);

#endif
