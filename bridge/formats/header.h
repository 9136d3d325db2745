/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_HEADER_H
#define BRIDGE_FORMATS_HEADER_H
/*
 * A raw header block (RFC 5322 2.2): field by field, by name, or the subset IMAP asks for with HEADER.FIELDS. Nothing
 * is copied; everything points into the block. The block ends with its empty line or with its last byte, whichever
 * comes first. Lines may end in CRLF or LF. A line without a colon that continues nothing is a field with an empty
 * name; it is never found by name.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

struct header_field {
    struct str name; /* without blanks before the colon */
    struct str
        value;      /* after the colon and the blanks that follow it, folding inside kept, without the last line end */
    struct str raw; /* the whole field with its line ends */
};
struct header_iter {
    struct str rest;
};
void header_iter_init(struct header_iter *it, struct str block);
bool header_next(struct header_iter *it, struct header_field *ret_field);
/* The first field of that name (any case). */
bool header_find(struct str block, const char *name, struct str *ret_value);
/* Where the header of a message ends: length including the empty line, or all of it. */
size_t header_block_size(struct str message);

/* Remove folding: each line end that white space follows is taken out (RFC 5322 2.2.3); NUL becomes U+FFFD. The value
 * itself when there is nothing to do, else a copy in the arena. */
struct str header_unfold(struct arena *a, struct str value);
/* Unfold, decode RFC 2047, repair to UTF-8, controls to blanks, trim: a line to show or search. */
struct charset_cache;
struct str header_text(struct arena *a, struct charset_cache *cs, struct str value);

/* A set of field names, folded once and looked up fast. Lives in the arena. Names with bytes that cannot be in a field
 * name match nothing. */
struct header_names;
const struct header_names *header_names_new(struct arena *a, const struct str *names, size_t n);
bool header_names_has(const struct header_names *set, struct str name);
/* HEADER.FIELDS (wanted = true) or HEADER.FIELDS.NOT (false) of the block, with the empty line at the end, in the order
 * of the message, line ends made CRLF. */
bool header_add_fields(struct buf *out, struct str block, const struct header_names *set, bool wanted);

#endif
