/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_CODES_H
#define EWS_CODES_H
/*
 * The ResponseCode of an EWS answer (MS-OXWSCDATA 2.2.5.24 ResponseCodeType): what it means to the rest of the program
 * and what the backend does about it by itself. One table, sorted by name.
 */
#include <stdbool.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"

enum ews_code_flag {
    EWS_CODE_BUSY = 1 << 0,  /* the account is throttled: everybody waits */
    EWS_CODE_RETRY = 1 << 1, /* goes away by itself: worth another try, also for one item of a batch */
    EWS_CODE_RETRY_ALONE =
        1 << 2, /* may go away when it answers the whole request; about one item of a batch it is final */
    EWS_CODE_VERSION = 1 << 3,     /* RequestServerVersion too new */
    EWS_CODE_MOVED = 1 << 4,       /* another server has the mailbox now: routing cookies are void */
    EWS_CODE_RESUBSCRIBE = 1 << 5, /* the subscription is lost, with events perhaps */
    EWS_CODE_REBUILD = 1 << 6,     /* no MIME for this item; its properties may still be readable */
    EWS_CODE_SLOW = 1 << 7,        /* asked for too much at once */
    EWS_CODE_NO_STREAM = 1 << 8,   /* as an answer to Subscribe: streaming is not to be had here */
    EWS_CODE_NOT_DONE = 1 << 9     /* another try, and certainly nothing of this item was done in this one */
};

struct ews_code {
    const char *name;
    enum err_code err; /* ERR_NONE for NoError alone */
    unsigned flags;
};

/* Never NULL: a code that is not in the table is one named "" with ERR_PROTOCOL. A namespace prefix ("a:") is ignored.
 */
const struct ews_code *ews_code_find(struct str name);

#endif
