/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SASL_H
#define PROTOCOLS_SASL_H
/*
 * The server's side of SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), without I/O: the protocol hands in
 * what the client sent, still in base64, and sends what comes back. Name and password are then for account_login().
 *
 *     sasl_begin -> sasl_feed (with the initial response, or with an absent one) -> challenge -> sasl_feed ... ->
 * sasl_done
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define SASL_NAME_MAX 320  /* bytes of a user name */
#define SASL_LINE_MAX 8192 /* bytes of one response, in base64 */

enum sasl_mechanism { SASL_PLAIN, SASL_LOGIN, SASL_MECHANISM_MAX };

enum sasl_result {
    SASL_CONTINUE, /* send ret_challenge (base64, may be empty) and feed the answer */
    SASL_COMPLETE, /* user and password are there; nothing has been verified */
    SASL_ABORTED,  /* the client sent "*" */
    SASL_BROKEN,   /* not base64, not the mechanism's syntax, or over a limit */
    SASL_REFUSED   /* well-formed, but acting for somebody else (authorization id) is not offered */
};

struct sasl {
    enum sasl_mechanism mechanism;
    unsigned step;
    struct buf user, password;
};

/* False: no such mechanism (any case). */
bool sasl_begin(struct sasl *s, struct str mechanism);
/* Absent initial response: present = false. An initial response of "=" is an empty one (RFC 4422 4.3.b). */
enum sasl_result sasl_initial(struct sasl *s, bool present, struct str base64, struct str *ret_challenge);
enum sasl_result sasl_feed(struct sasl *s, struct str base64, struct str *ret_challenge);
/* Wipes the secrets; harmless when done already, or never begun on a zeroed struct. */
void sasl_done(struct sasl *s);
/* Name of a mechanism for capability lists: "PLAIN". */
const char *sasl_name(enum sasl_mechanism mechanism);

#endif
