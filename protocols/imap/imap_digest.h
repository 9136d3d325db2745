/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_DIGEST_H
#define PROTOCOLS_IMAP_DIGEST_H
/*
 * What SEARCH, SORT and THREAD want to know of a header, decoded and folded once and kept (CONTENT_R_SEARCH): a few
 * hundred bytes instead of a header block of several KiB, so that SUBJECT, FROM, TO, CC, BCC and SENT* keys over a
 * large mailbox are searches in memory.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/charset.h"

/*
 * Keys point into the packed bytes. `folded` = unfolded, decoded (RFC 2047), UTF-8, in the comparison form of
 * unicode.h. Where a field occurs more than once, SEARCH looks into all of them (separated by LF); SORT and THREAD take
 * the first.
 */
struct imap_digest {
    bool has_date;
    int64_t date_s; /* the Date field, UTC */
    int32_t date_zone;
    bool is_reply;                                       /* the subject has a reply or forward mark (RFC 5256 2.1) */
    bool has_from, has_to, has_cc, has_bcc, has_subject; /* the field is there */
    struct str subject, from, to, cc, bcc;               /* folded, the whole field */
    struct str base_subject;                             /* folded base subject (RFC 5256 2.1) */
    struct str from_box, to_box, cc_box; /* folded local part of the first address: what SORT compares */
    struct str from_name, to_name;       /* folded display name, else address, of the first: RFC 5957 */
    struct str message_id;               /* normalised, without angle brackets; empty: none */
    struct str references; /* References, else the first of In-Reply-To: ids separated by LF, oldest first */
};
#define IMAP_DIGEST_REFERENCES 1000 /* ids kept of a References field: the first and the last ones */

/* Header block in, packed digest out (appended). */
void imap_digest_make(struct buf *out, struct charset_cache *cs, struct str header_block);
/* False: not one of ours, another version, or damaged: make it again. No allocation; d points into `packed`. */
bool imap_digest_read(struct str packed, struct imap_digest *d);

#endif
