/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_SCAN_H
#define PROTOCOLS_IMAP_SCAN_H
/*
 * Looking for a text in headers and bodies, decoded and without regard to case: RFC 2047, transfer encodings and
 * charsets to UTF-8, then the comparison form of unicode.h. Needles are folded already. A part of any size goes through
 * in pieces.
 */
#include <stdbool.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/charset.h"
#include "bridge/formats/mime.h"
#include "protocols/imap/imap_render.h"

struct imap_scan {
    struct charset_cache *charsets;
    struct buf raw, text, folded; /* used again and again */
};
void imap_scan_init(struct imap_scan *s, struct charset_cache *charsets);
void imap_scan_done(struct imap_scan *s);

/* Is the needle in any field of that name? An empty needle: is there such a field? */
bool imap_scan_field(struct imap_scan *s, struct str header_block, struct str name, struct str folded_needle);
/* Is it anywhere in a header block ("Name: value")? */
bool imap_scan_header(struct imap_scan *s, struct str header_block, struct str folded_needle);
/* Is it in a text part? headers: or in the header of a part (those of messages inside included, the message's own not).
 * False: could not be read. */
bool imap_scan_message(struct imap_scan *s, const struct mime_part *root, const struct imap_reader *reader,
                       bool headers, struct str folded_needle, bool *ret_found);

#endif
