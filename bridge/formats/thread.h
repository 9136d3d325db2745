/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_THREAD_H
#define BRIDGE_FORMATS_THREAD_H
/* What SORT and THREAD read from header fields (RFC 5256): the base subject and the message ids. */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

/* RFC 5256 2.1 on decoded, unfolded UTF-8: "Re: [list] Hello (fwd)" gives "Hello". Not case-folded. ret_is_reply (may
 * be NULL): a reply or forward mark was taken off. */
void thread_base_subject(struct buf *out, struct str subject_utf8, bool *ret_is_reply);

/* The next message id of *rest (References, In-Reply-To, Message-ID), advanced; without angle brackets, comments and
 * blanks, quotes undone ("a"@b is a@b). False at the end. Rubbish between the ids is skipped. */
bool thread_next_id(struct arena *a, struct str *rest, struct str *ret_id);

#endif
