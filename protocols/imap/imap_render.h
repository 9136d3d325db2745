/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_RENDER_H
#define PROTOCOLS_IMAP_RENDER_H
/*
 * ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 7.4.2, RFC 9051 7.5.2) from what formats/mime.h found. Byte for byte what
 * Dovecot answers wherever Dovecot is right, so that clients meet nothing new. Encoded words stay encoded; 8-bit bytes
 * make a literal (never quoted, whatever is enabled: old mail is not always UTF-8), so the result is the same for every
 * session and may be kept (content_keep_rendering).
 */
#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/mime.h"

/* "(date subject (from) ... )", without the name of the item. */
void imap_render_envelope(struct buf *out, const struct mime_envelope *envelope);
/* The same from a raw header block. */
void imap_render_envelope_of(struct buf *out, struct str header_block);
/* extended: BODYSTRUCTURE, else BODY. */
void imap_render_body(struct buf *out, const struct mime_part *root, bool extended);

/*
 * Which bytes a section of FETCH is (RFC 3501 6.4.5). FALSE: there is no such part; the answer is NIL.
 * For IMAP_SECTION_FIELDS and _NOT the range is the whole header: the session runs header_add_fields() over it.
 */
struct imap_fetch_item;
bool imap_render_section(const struct mime_part *root, const struct imap_fetch_item *item,
                         struct mime_range *ret_range);
/* Cut a range (or any length, at = 0) to item's partial <offset.count>. */
void imap_render_partial(const struct imap_fetch_item *item, struct mime_range *range);

/* RFC 8970 PREVIEW from a complete message: up to 200 characters of UTF-8 text, white space folded, HTML made text.
 * `read` gives bytes of the message. Empty when there is nothing to show. */
struct imap_reader {
    void *ud;
    /* Append n bytes at offset `at` (both inside the message). False: not readable. */
    bool (*read)(void *ud, uint64_t at, size_t n, struct buf *out);
};
bool imap_render_preview(struct buf *out, struct charset_cache *cs, const struct mime_part *root,
                         const struct imap_reader *reader);

#endif
