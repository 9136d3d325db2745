/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SUBMIT_SOURCE_H
#define BRIDGE_SUBMIT_SOURCE_H
/*
 * Which message of the account an outgoing one answers or forwards, for servers that mark it themselves when they are
 * told and cannot be made to otherwise (ActiveSync). By In-Reply-To (RFC 5322 3.6.4), or X-Forwarded-Message-Id as
 * Thunderbird writes it. Signed and encrypted mail is left out: such a server may encode anew what it sends this way.
 */
#include "bridge/account.h"
#include "bridge/base/arena.h"

struct submit_source {
    struct str folder_id, item_id; /* server ids, in the arena */
    bool forwarded;
};
bool submit_find_source(struct account *a, const struct blob *message, struct arena *arena,
                        struct submit_source *ret_source);

#endif
