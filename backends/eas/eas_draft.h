/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_DRAFT_H
#define BACKENDS_EAS_DRAFT_H
/*
 * A message as ActiveSync 16.0 takes drafts: not as MIME, which is for 16.1, but recipients, subject, importance, one
 * text and attachments (MS-ASEMAIL 2.2.2, MS-ASAIRS 2.2.2.2). The server makes a message of its own from them.
 *
 * Other header fields (Message-ID, In-Reply-To, ...) have no place there. What a person would miss is never left out:
 * such a message is refused, with a sentence.
 */
#include "bridge/base/err.h"
#include "bridge/io/blob.h"

/* The children of ApplicationData, to be put into a WBXML document where page 0 is selected (eas_call_write_raw).
 * NULL: *err; ERR_UNSUPPORTED: there are no words for this message, err->text is for its author. */
struct blob *eas_draft_properties(const struct blob *message, const char *tmp_dir, struct err *err);

#endif
