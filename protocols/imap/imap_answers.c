/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_answers.h"

#include <stdio.h>
#include <string.h>

/* AUTH here is Exchange refusing our credentials, never the client's local password: that one is cmd_auth.c's. */
static const struct imap_answer answers[] = {
    [ERR_NONE] = {NULL, "Done."},
    [ERR_AUTH] = {"UNAVAILABLE", "Exchange refuses the sign-in of account %s; run: exbridge login %s"},
    [ERR_DENIED] = {"CONTACTADMIN", "Exchange does not let account %s do this: an administrator has to allow it; see: "
                                    "exbridge status"},
    [ERR_NOT_FOUND] = {"NONEXISTENT", "That is not there (any more) in account %s."},
    [ERR_EXISTS] = {"ALREADYEXISTS", "That name is taken in account %s."},
    [ERR_CONFLICT] = {"INUSE", "Somebody else changed this in account %s at the same time; try again."},
    [ERR_INVALID] = {"CANNOT", "That cannot be done in account %s."},
    [ERR_UNSUPPORTED] = {"CANNOT", "The server of account %s cannot do this."},
    [ERR_TOO_BIG] = {"LIMIT", "This is over a size limit of account %s; see: exbridge status"},
    [ERR_QUOTA] = {"OVERQUOTA", "The mailbox of account %s is full."},
    [ERR_THROTTLED] = {"UNAVAILABLE", "Exchange asks account %s to slow down; it goes on by itself soon."},
    [ERR_OFFLINE] = {"UNAVAILABLE", "The server of account %s cannot be reached now; see: exbridge status"},
    [ERR_PROTOCOL] = {"UNAVAILABLE",
                      "The server of account %s gave an answer that makes no sense; see: exbridge status"},
    [ERR_STALE] = {"UNAVAILABLE", "Account %s is being synchronised anew; try again soon."},
    [ERR_POLICY] = {"CONTACTADMIN", "A policy of the server stands in the way of account %s; see: exbridge status"},
    [ERR_DISK] = {"SERVERBUG", "The disk of this computer is full or failing (account %s); see: exbridge doctor"},
    [ERR_INTERNAL] = {"SERVERBUG", "Something unexpected happened in account %s; the log has more."},
};
_Static_assert(sizeof(answers) / sizeof(answers[0]) == ERR_MAX, "every error has an answer");

const struct imap_answer *imap_answer_of(enum err_code code)
{
    return &answers[code < ERR_MAX ? code : ERR_INTERNAL];
}

void imap_answer_text(const struct err *err, const char *account, char *ret_text, size_t size)
{
    snprintf(ret_text, size < 201 ? size : 201, imap_answer_of(err->code)->text, account, account);
}
