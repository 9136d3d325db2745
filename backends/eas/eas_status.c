/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_status.h"

#include <stddef.h>

#define FAIL      EAS_ACTION_FAIL
#define RETRY     EAS_ACTION_RETRY
#define PROVISION EAS_ACTION_PROVISION

/* clang-format off */
static const struct eas_status table[] = {
    {101, FAIL, ERR_PROTOCOL, "the request was not understood (invalid content)"},
    {102, FAIL, ERR_PROTOCOL, "the request was not understood (invalid WBXML)"},
    {103, FAIL, ERR_PROTOCOL, "the request was not understood (invalid XML)"},
    {104, FAIL, ERR_PROTOCOL, "the request was not understood (invalid date)"},
    {105, FAIL, ERR_PROTOCOL, "the request was not understood (combination of ids)"},
    {106, FAIL, ERR_PROTOCOL, "the request was not understood (ids)"},
    {107, FAIL, ERR_INVALID, "the message is not valid MIME"},
    {108, FAIL, ERR_PROTOCOL, "the device id is missing or invalid"},
    {109, FAIL, ERR_PROTOCOL, "the device type is missing or invalid"},
    {110, FAIL, ERR_OFFLINE, "the server failed and says that trying again is of no use"},
    {111, RETRY, ERR_OFFLINE, "the server failed for the moment"},
    {112, FAIL, ERR_DENIED, "the directory denies access"},
    {113, FAIL, ERR_QUOTA, "the mailbox is full"},
    {114, RETRY, ERR_OFFLINE, "the mailbox server is offline"},
    {115, FAIL, ERR_QUOTA, "the mailbox is over its quota for sending"},
    {116, FAIL, ERR_INVALID, "a recipient could not be resolved"},
    {117, FAIL, ERR_DENIED, "this message may not be replied to"},
    {118, FAIL, ERR_EXISTS, "this message was sent before"},
    {119, FAIL, ERR_INVALID, "the message has no recipient"},
    {120, FAIL, ERR_DENIED, "the server could not submit the message"},
    {121, FAIL, ERR_INVALID, "the reply could not be made"},
    {122, FAIL, ERR_TOO_BIG, "an attachment is too large"},
    {123, FAIL, ERR_DENIED, "the user has no mailbox"},
    {124, FAIL, ERR_DENIED, "anonymous users cannot synchronise"},
    {125, FAIL, ERR_DENIED, "the user could not be found in the directory"},
    {126, FAIL, ERR_DENIED, "ActiveSync is switched off for this user (ActiveSyncEnabled)"},
    {127, FAIL, ERR_DENIED, "the user's mailbox is on a newer server; use that server's address"},
    {128, FAIL, ERR_DENIED, "the user's mailbox is on an older server; use that server's address"},
    {129, FAIL, ERR_DENIED, "this device is blocked or in quarantine; an administrator must allow it"},
    {130, FAIL, ERR_DENIED, "access is denied"},
    {131, FAIL, ERR_DENIED, "the account is disabled"},
    {132, RETRY, ERR_STALE, "the server cannot find its sync state"},
    {133, RETRY, ERR_OFFLINE, "the server's sync state is locked"},
    {134, FAIL, ERR_STALE, "the server's sync state is corrupt"},
    {135, RETRY, ERR_OFFLINE, "the server's sync state exists already"},
    {136, FAIL, ERR_STALE, "the server's sync state is of another version"},
    {137, FAIL, ERR_UNSUPPORTED, "the server does not know this command"},
    {138, EAS_ACTION_VERSION, ERR_UNSUPPORTED, "the server does not speak this protocol version"},
    {139, FAIL, ERR_POLICY, "the server's policy cannot be fully met by this device; an administrator must allow that"},
    {140, EAS_ACTION_WIPE, ERR_POLICY, "the administrator ordered the data of this device to be destroyed"},
    {141, PROVISION, ERR_POLICY, "the server demands a device policy"},
    {142, PROVISION, ERR_POLICY, "the server demands a device policy"},
    {143, PROVISION, ERR_POLICY, "the server's policy has changed"},
    {144, PROVISION, ERR_POLICY, "the policy key is not valid"},
    {145, FAIL, ERR_POLICY, "the server does not allow devices managed by others"},
    {146, FAIL, ERR_INVALID, "the event does not recur"},
    {147, FAIL, ERR_INVALID, "the item is of a class that cannot be used here"},
    {148, FAIL, ERR_OFFLINE, "a remote server has no TLS"},
    {149, FAIL, ERR_PROTOCOL, "the server has no stored request"},
    {150, FAIL, ERR_NOT_FOUND, "the item is not there any more"},
    {151, FAIL, ERR_TOO_BIG, "too many folders"},
    {152, FAIL, ERR_PROTOCOL, "no folders"},
    {153, FAIL, ERR_CONFLICT, "items were lost in a move"},
    {154, FAIL, ERR_OFFLINE, "the move failed"},
    {155, FAIL, ERR_UNSUPPORTED, "this move is not allowed"},
    {156, FAIL, ERR_INVALID, "the folder to move to is not valid"},
    {160, FAIL, ERR_TOO_BIG, "too many recipients"},
    {161, FAIL, ERR_TOO_BIG, "a distribution list is too large"},
    {162, RETRY, ERR_OFFLINE, "free/busy information cannot be had for the moment"},
    {163, FAIL, ERR_OFFLINE, "free/busy information cannot be had"},
    {164, FAIL, ERR_PROTOCOL, "the body type is not supported"},
    {165, PROVISION, ERR_POLICY, "the server wants to know the device"},
    {166, FAIL, ERR_INVALID, "the account id is not valid"},
    {167, FAIL, ERR_DENIED, "sending is disabled for this account"},
    {168, FAIL, ERR_UNSUPPORTED, "rights management is disabled"},
    {169, RETRY, ERR_OFFLINE, "rights management failed for the moment"},
    {170, FAIL, ERR_DENIED, "rights management failed"},
    {171, FAIL, ERR_INVALID, "the rights management template is not valid"},
    {172, FAIL, ERR_DENIED, "rights management does not allow this"},
    {173, FAIL, ERR_NOT_FOUND, "there is no picture"},
    {174, FAIL, ERR_TOO_BIG, "the picture is too large"},
    {175, FAIL, ERR_TOO_BIG, "there are too many pictures"},
    {176, FAIL, ERR_TOO_BIG, "the conversation is too large"},
    {177, FAIL, ERR_DENIED, "the user has too many devices; remove one in the server's settings"},
    {178, FAIL, ERR_PROTOCOL, "MIME and body do not go together"},
    {179, FAIL, ERR_PROTOCOL, "the parameters do not go together"},
    {183, FAIL, ERR_INVALID, "the draft has no valid recipients"},
    {184, FAIL, ERR_INVALID, "some exceptions of a series were not accepted"},
};
/* clang-format on */

static const struct eas_status unknown = {0, FAIL, ERR_PROTOCOL, "the server answered a status that is not known"};

const struct eas_status *eas_status_find(int status)
{
    if (status < 101)
        return NULL;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return &table[i];
    return &unknown;
}

bool eas_status_err(struct err *err, const char *command, int status)
{
    const struct eas_status *entry = eas_status_find(status);

    if (!entry)
        entry = &unknown;
    err_set(err, entry->code, "%s: %s (status %d)", command, entry->text, status);
    if (err)
        err->status = status;
    return false;
}
