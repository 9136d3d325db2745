/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_answers.h"

#include <stdio.h>
#include <string.h>

/* AUTH here is Exchange refusing our credentials, never the client's local password: that one is cmd_auth.c's. */
static const struct imap_answer answers[] = {
    [ERR_NONE] = {NULL, "Done."},
    [ERR_AUTH] = {"UNAVAILABLE", "Exchange refuses the sign-in of %1$s; run: exbridge login %2$s"},
    [ERR_DENIED] = {"CONTACTADMIN", "Exchange does not let %1$s do this: an administrator has to allow it; see: "
                                    "exbridge status"},
    [ERR_NOT_FOUND] = {"NONEXISTENT", "That is not there (any more) in %1$s."},
    [ERR_EXISTS] = {"ALREADYEXISTS", "That name is taken in %1$s."},
    [ERR_CONFLICT] = {"INUSE", "Somebody else changed this in %1$s at the same time; try again."},
    [ERR_INVALID] = {"CANNOT", "That cannot be done in %1$s."},
    [ERR_UNSUPPORTED] = {"CANNOT", "The server of %1$s cannot do this."},
    [ERR_TOO_BIG] = {"LIMIT", "This is over a size limit of %1$s; see: exbridge status"},
    [ERR_QUOTA] = {"OVERQUOTA", "The mailbox of %1$s is full."},
    [ERR_THROTTLED] = {"UNAVAILABLE", "Exchange asks %1$s to slow down; it goes on by itself soon."},
    [ERR_OFFLINE] = {"UNAVAILABLE", "The server of %1$s cannot be reached now; see: exbridge status"},
    [ERR_PROTOCOL] = {"UNAVAILABLE", "The server of %1$s gave an answer that makes no sense; see: exbridge status"},
    [ERR_STALE] = {"UNAVAILABLE", "The mail of %1$s is being synchronised anew; try again soon."},
    [ERR_POLICY] = {"CONTACTADMIN", "A policy of the server stands in the way of %1$s; see: exbridge status"},
    [ERR_DISK] = {"UNAVAILABLE", "The disk of this computer is full or failing (%1$s); see: exbridge doctor"},
    [ERR_INTERNAL] = {"SERVERBUG", "Something unexpected happened in %1$s; the log has more."},
};
_Static_assert(sizeof(answers) / sizeof(answers[0]) == ERR_MAX, "every error has an answer");

const struct imap_answer *imap_answer_of(enum err_code code)
{
    return &answers[code < ERR_MAX ? code : ERR_INTERNAL];
}

void imap_answer_text(const struct err *err, const char *account, char *ret_text, size_t size)
{
    char who[100];
    snprintf(who, sizeof(who), "account %s", account);
    snprintf(ret_text, size < 201 ? size : 201, imap_answer_of(err->code)->text, *account ? who : "this account",
             *account ? account : "ACCOUNT");
}
