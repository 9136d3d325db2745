/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which function serves which command. Names, states and flags are in imap_commands.c.
 *
 * To add a command:
 *   1. imap_command.h: its verb in enum imap_verb, its arguments in the union of struct imap_command;
 *      imap_commands.c: its name, the states it is allowed in, its flags; imap_parse_*.c: how its arguments are read;
 *   2. a file cmd_NAME.c with cmd_NAME(session, command): check what depends on the session, then either answer with
 * imap_finish*() at once, or fill s->work and go on in a callback or in step(); stop() cancels everything that could
 * still call back;
 *   3. its line below, its prototype in imap_session.h;
 *   4. its capability in imap_write_capabilities() once it works completely;
 *   5. tests/imap/test_NAME.py: every answer it can give, each of its forms, and the client gone in the middle.
 */
#include "protocols/imap/imap_session.h"

static imap_handler *const handlers[IMAP_VERB_MAX] = {
    [IMAP_CAPABILITY] = cmd_capability,
    [IMAP_NOOP] = cmd_noop,
    [IMAP_LOGOUT] = cmd_logout,
    [IMAP_STARTTLS] = cmd_starttls,
    [IMAP_LOGIN] = cmd_login,
    [IMAP_AUTHENTICATE] = cmd_authenticate,
    [IMAP_ENABLE] = cmd_enable,
    [IMAP_ID] = cmd_id,
    [IMAP_NAMESPACE] = cmd_namespace,
    [IMAP_LIST] = cmd_list,
    [IMAP_LSUB] = cmd_lsub,
    [IMAP_SUBSCRIBE] = cmd_subscribe,
    [IMAP_UNSUBSCRIBE] = cmd_unsubscribe,
    [IMAP_SELECT] = cmd_select,
    [IMAP_EXAMINE] = cmd_examine,
    [IMAP_STATUS] = cmd_status,
    [IMAP_IDLE] = cmd_idle,
    [IMAP_CREATE] = cmd_create,
    [IMAP_DELETE] = cmd_delete,
    [IMAP_RENAME] = cmd_rename,
    [IMAP_APPEND] = cmd_append,
    [IMAP_GETQUOTA] = cmd_getquota,
    [IMAP_GETQUOTAROOT] = cmd_getquotaroot,
    [IMAP_SETQUOTA] = cmd_setquota,
    [IMAP_UNSELECT] = cmd_unselect,
    [IMAP_CLOSE] = cmd_close,
    [IMAP_CHECK] = cmd_check,
    [IMAP_FETCH] = cmd_fetch,
    [IMAP_SEARCH] = cmd_search,
    [IMAP_SORT] = cmd_sort,
    [IMAP_THREAD] = cmd_thread,
    [IMAP_STORE] = cmd_store,
    [IMAP_COPY] = cmd_copy,
    [IMAP_MOVE] = cmd_move,
    [IMAP_EXPUNGE] = cmd_expunge,
    [IMAP_REPLACE] = cmd_append,
};

imap_handler *imap_handler_of(enum imap_verb verb)
{
    return handlers[verb];
}
