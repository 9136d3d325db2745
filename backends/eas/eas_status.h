/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_STATUS_H
#define BACKENDS_EAS_STATUS_H
/*
 * The common status codes 101 to 184, which any command of protocol 14.0 and newer may answer (MS-ASCMD 2.2.2), in one
 * table: what each means, and what to do. Codes below 100 mean something else in each command.
 */
#include <stdbool.h>

#include "bridge/base/err.h"

enum eas_action {
    EAS_ACTION_FAIL,      /* an error of this request; nothing to repeat */
    EAS_ACTION_RETRY,     /* the server is busy or has stumbled: again, a few times */
    EAS_ACTION_PROVISION, /* a policy must be acknowledged first, then again */
    EAS_ACTION_WIPE,      /* the administrator orders the data destroyed */
    EAS_ACTION_VERSION    /* negotiate the protocol version again */
};

struct eas_status {
    int status;
    enum eas_action action;
    enum err_code code;
    const char *text;
};

/* NULL: not a common status. Unknown codes from 101 on get the entry of a general failure. */
const struct eas_status *eas_status_find(int status);
/* Always false, *err set from the table: "Sync: the device is blocked (status 129)". For codes that are not in it:
 * ERR_PROTOCOL. */
bool eas_status_err(struct err *err, const char *command, int status);

#endif
