/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_command.h"

#include "bridge/base/mem.h"
#include "protocols/imap/imap_args.h"

#define ANY      (IMAP_STATE_NOT_AUTHENTICATED | IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED)
#define NOT_YET  IMAP_STATE_NOT_AUTHENTICATED
#define SIGNED   (IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED)
#define SELECTED IMAP_STATE_SELECTED

/* The commands: RFC 3501 6, and the extension that brought each of the others. */
static const struct imap_verb_info verbs[] = {
    [IMAP_CAPABILITY] = {"CAPABILITY", ANY, 0, NULL},
    [IMAP_NOOP] = {"NOOP", ANY, 0, NULL},
    [IMAP_LOGOUT] = {"LOGOUT", ANY, 0, NULL},
    [IMAP_STARTTLS] = {"STARTTLS", NOT_YET, 0, NULL},
    [IMAP_LOGIN] = {"LOGIN", NOT_YET, 0, imap_parse_login},
    [IMAP_AUTHENTICATE] = {"AUTHENTICATE", NOT_YET, 0, imap_parse_authenticate},
    [IMAP_ENABLE] = {"ENABLE", SIGNED, 0, imap_parse_enable},
    [IMAP_ID] = {"ID", ANY, 0, imap_parse_id},
    [IMAP_NAMESPACE] = {"NAMESPACE", SIGNED, 0, NULL},
    [IMAP_LIST] = {"LIST", SIGNED, 0, imap_parse_list},
    [IMAP_LSUB] = {"LSUB", SIGNED, 0, imap_parse_lsub},
    [IMAP_SUBSCRIBE] = {"SUBSCRIBE", SIGNED, 0, imap_parse_one_mailbox},
    [IMAP_UNSUBSCRIBE] = {"UNSUBSCRIBE", SIGNED, 0, imap_parse_one_mailbox},
    [IMAP_SELECT] = {"SELECT", SIGNED, 0, imap_parse_select},
    [IMAP_EXAMINE] = {"EXAMINE", SIGNED, 0, imap_parse_select},
    [IMAP_STATUS] = {"STATUS", SIGNED, 0, imap_parse_status},
    [IMAP_IDLE] = {"IDLE", SIGNED, 0, NULL},
    [IMAP_CREATE] = {"CREATE", SIGNED, IMAP_WRITES, imap_parse_create},
    [IMAP_DELETE] = {"DELETE", SIGNED, IMAP_WRITES, imap_parse_one_mailbox},
    [IMAP_RENAME] = {"RENAME", SIGNED, IMAP_WRITES, imap_parse_rename},
    [IMAP_APPEND] = {"APPEND", SIGNED, IMAP_WRITES | IMAP_STREAMS, imap_parse_append},
    [IMAP_GETQUOTA] = {"GETQUOTA", SIGNED, 0, imap_parse_quota},
    [IMAP_GETQUOTAROOT] = {"GETQUOTAROOT", SIGNED, 0, imap_parse_one_mailbox},
    [IMAP_SETQUOTA] = {"SETQUOTA", SIGNED, IMAP_WRITES, imap_parse_quota},
    [IMAP_UNSELECT] = {"UNSELECT", SELECTED, 0, NULL},
    [IMAP_CLOSE] = {"CLOSE", SELECTED, 0, NULL},
    [IMAP_CHECK] = {"CHECK", SELECTED, 0, NULL},
    [IMAP_FETCH] = {"FETCH", SELECTED, IMAP_UID_FORM | IMAP_NUMBERS, imap_parse_fetch},
    [IMAP_SEARCH] = {"SEARCH", SELECTED, IMAP_UID_FORM | IMAP_NUMBERS, imap_parse_search},
    [IMAP_SORT] = {"SORT", SELECTED, IMAP_UID_FORM | IMAP_NUMBERS, imap_parse_sort},
    [IMAP_THREAD] = {"THREAD", SELECTED, IMAP_UID_FORM | IMAP_NUMBERS, imap_parse_thread},
    [IMAP_STORE] = {"STORE", SELECTED, IMAP_UID_FORM | IMAP_NUMBERS | IMAP_WRITES, imap_parse_store},
    [IMAP_COPY] = {"COPY", SELECTED, IMAP_UID_FORM | IMAP_WRITES, imap_parse_copy},
    [IMAP_MOVE] = {"MOVE", SELECTED, IMAP_UID_FORM | IMAP_WRITES, imap_parse_copy},
    [IMAP_EXPUNGE] = {"EXPUNGE", SELECTED, IMAP_UID_FORM | IMAP_WRITES, imap_parse_expunge},
    [IMAP_REPLACE] = {"REPLACE", SELECTED, IMAP_UID_FORM | IMAP_WRITES | IMAP_STREAMS, imap_parse_append},
};
_Static_assert(sizeof(verbs) / sizeof(verbs[0]) == IMAP_VERB_MAX, "a line for each verb");

const struct imap_verb_info *imap_verb_info(enum imap_verb verb)
{
    return &verbs[verb];
}

bool imap_verb_find(struct str name, enum imap_verb *ret_verb)
{
    for (size_t i = 0; i < IMAP_VERB_MAX; i++) {
        if (str_case_is(name, verbs[i].name)) {
            *ret_verb = (enum imap_verb)i;
            return true;
        }
    }
    return false;
}

void imap_command_free(struct imap_command *c)
{
    if (c == NULL)
        return;
    if ((c->verb == IMAP_LOGIN || c->verb == IMAP_AUTHENTICATE) && c->bytes.n > 0)
        explicit_bzero((char *)c->bytes.p, c->bytes.n);
    if (c->verb == IMAP_LOGIN && c->login.password.n > 0)
        explicit_bzero((char *)c->login.password.p, c->login.password.n);
    arena_done(&c->arena);
    mem_free(c);
}
