/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SMTP_SMTP_ANSWERS_H
#define PROTOCOLS_SMTP_SMTP_ANSWERS_H
/*
 * What the client is told: reply codes (RFC 5321 4.2) with enhanced status codes (RFC 3463, RFC 5248), and one reply
 * for each error of the core. Texts are ours: no byte of the client or of the server is ever in one.
 */
#include <stddef.h>

#include "bridge/base/err.h"

struct smtp_reply {
    unsigned code;
    const char *enhanced; /* "5.5.2"; NULL = none (334, 354, greeting) */
    const char *text;     /* one line */
};

/* For a message that could not be sent. The text has %1$s for "account NAME" and %2$s for NAME. A 4xx means that the
 * same message may be sent again as it is; a 5xx that it would fail again. */
const struct smtp_reply *smtp_answer_of(enum err_code code);
/* The text for a person, at most 200 bytes. account may be "". */
void smtp_answer_text(const struct err *err, const char *account, char *ret_text, size_t size);

#endif
