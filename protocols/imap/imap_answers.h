/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_ANSWERS_H
#define PROTOCOLS_IMAP_IMAP_ANSWERS_H
/*
 * From what went wrong to what the client is told: a response code (RFC 5530, RFC 9051 7.1) and one line for people, at
 * most 200 characters, that names the account and the next step. What the server said goes to the log only.
 */
#include <stddef.h>

#include "bridge/base/err.h"

struct imap_answer {
    const char *code;
    const char *text; /* %1$s is "account NAME" or "this account", %2$s the name for a command line */
};
const struct imap_answer *imap_answer_of(enum err_code code);
/* account: its name, or "" when it is not known yet (signing in). */
void imap_answer_text(const struct err *err, const char *account, char *ret_text, size_t size);

#define IMAP_READ_ONLY_TEXT                                                                                            \
    "Mail of this account can only be read through exbridge for now: nothing on the server is changed."

#endif
