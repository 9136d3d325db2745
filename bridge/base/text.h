/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_TEXT_H
#define BRIDGE_BASE_TEXT_H
/*
 * Small text codecs that several folders need: base64 (RFC 4648 4), hexadecimal, percent-encoding (RFC 3986 2.1), UTF-8
 * (RFC 3629). All are bounded by their input; none allocates but through the buf or arena given.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define TEXT_BASE64_SIZE(n) ((((n) + 2) / 3) * 4)

bool text_base64_add(struct buf *out, struct str in); /* with padding, no line breaks */
/* Strict: false on any foreign byte or wrong padding. */
bool text_base64_decode(struct buf *out, struct str in);
/* The alphabet for addresses and file names, without padding (RFC 4648 5). */
bool text_base64url_add(struct buf *out, struct str in);
bool text_base64url_decode(struct buf *out, struct str in);
/* Incremental and lenient (white space skipped, missing padding taken): for MimeContent and MIME bodies. */
struct text_base64 {
    uint32_t bits;
    unsigned count; /* sextets waiting in bits */
    bool ended;     /* padding seen */
    bool bad;       /* a byte that is neither alphabet nor white space was skipped */
};
bool text_base64_feed(struct text_base64 *d, struct buf *out, struct str in);

void text_hex_add(struct buf *out, struct str in); /* lower case */
bool text_hex_decode(struct buf *out, struct str in);
/* Percent-encode all but unreserved characters (and those in `keep`, NULL = none). */
void text_percent_add(struct buf *out, struct str in, const char *keep);
bool text_percent_decode(struct buf *out, struct str in); /* false on %zz and on a cut sequence */

bool text_utf8_valid(struct str s); /* no surrogates, no overlong forms, up to U+10FFFF; NUL is valid */
/* Next code point from *s (advanced), or U+FFFD for an invalid byte (one byte consumed). *s must not be empty. */
uint32_t text_utf8_next(struct str *s);
bool text_utf8_add(struct buf *out, uint32_t code_point);
/* Copy with every invalid byte replaced by U+FFFD; `s` itself when it is valid already. */
struct str text_utf8_repair(struct arena *a, struct str s);
/* Append s with C0 controls and DEL replaced by '?': for logs and one-line texts. */
void text_add_printable(struct buf *out, struct str s);

#endif
