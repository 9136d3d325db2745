/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_answers.h"

#include <stdio.h>

/* AUTH here is Exchange refusing our credentials, never the client's local password: that one is smtp_auth.c's. */
static const struct smtp_reply answers[] = {
    [ERR_NONE] = {250, "2.0.0", "Exchange has taken the message."},
    [ERR_AUTH] = {454, "4.7.0", "Exchange refuses the sign-in of %1$s; run: exbridge login %2$s"},
    [ERR_DENIED] = {550, "5.7.1",
                    "Exchange does not let %1$s send this, perhaps because of the address it is from; see: exbridge "
                    "status"},
    [ERR_NOT_FOUND] = {451, "4.4.0", "The mailbox of %1$s is not where it was; see: exbridge status"},
    [ERR_EXISTS] = {451, "4.3.0", "Exchange is busy with this message of %1$s already; try again."},
    [ERR_CONFLICT] = {451, "4.3.0", "Somebody else changed this in %1$s at the same time; try again."},
    [ERR_INVALID] = {554, "5.6.0", "Exchange refuses this message of %1$s, or one of its recipients."},
    [ERR_UNSUPPORTED] = {554, "5.3.3", "The server of %1$s cannot send this."},
    [ERR_TOO_BIG] = {552, "5.3.4", "This message is larger than the server of %1$s takes."},
    [ERR_QUOTA] = {452, "4.2.2", "The mailbox of %1$s is full."},
    [ERR_THROTTLED] = {451, "4.3.2", "Exchange asks %1$s to slow down; try again in a few minutes."},
    [ERR_OFFLINE] = {451, "4.4.1", "The server of %1$s cannot be reached now; try again later."},
    [ERR_PROTOCOL] = {451, "4.3.0", "The server of %1$s gave an answer that makes no sense; see: exbridge status"},
    [ERR_STALE] = {451, "4.3.0", "The mail of %1$s is being synchronised anew; try again soon."},
    [ERR_POLICY] = {550, "5.7.1", "A policy of the server stands in the way of %1$s; see: exbridge status"},
    [ERR_DISK] = {452, "4.3.1", "The disk of this computer is full or failing (%1$s); see: exbridge doctor"},
    [ERR_INTERNAL] = {451, "4.3.0", "Something unexpected happened in %1$s; the log has more."},
};
_Static_assert(sizeof(answers) / sizeof(answers[0]) == ERR_MAX, "every error has an answer");

const struct smtp_reply *smtp_answer_of(enum err_code code)
{
    return &answers[code < ERR_MAX ? code : ERR_INTERNAL];
}

void smtp_answer_text(const struct err *err, const char *account, char *ret_text, size_t size)
{
    char who[100];
    snprintf(who, sizeof(who), "account %s", account);
    snprintf(ret_text, size < 201 ? size : 201, smtp_answer_of(err->code)->text, *account ? who : "this account",
             *account ? account : "ACCOUNT");
}
