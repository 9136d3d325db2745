/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_LIST_H
#define PROTOCOLS_IMAP_IMAP_LIST_H
/*
 * Mailbox names against LIST patterns (RFC 3501 6.3.8, RFC 5258): "*" stands for anything, "%" for anything but the
 * separator
 * "/". Pure. INBOX, as the whole name or its first level, is compared without regard to case.
 */
#include <stdbool.h>

#include "bridge/base/str.h"
#include "protocols/imap/imap_command.h"

bool imap_list_match(struct str name, struct str pattern);
/* Does any pattern match? Patterns with NULL p match nothing. */
bool imap_list_match_any(struct str name, const struct imap_strs *patterns);

#endif
