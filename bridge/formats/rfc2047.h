/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_RFC2047_H
#define BRIDGE_FORMATS_RFC2047_H
/*
 * Encoded words in header fields (RFC 2047, RFC 2231 5). Decoding never fails: what is no encoded word stays as it is,
 * raw 8-bit text is taken as UTF-8 or else windows-1252, and the result is valid UTF-8. White space between two encoded
 * words goes; bytes of adjacent words of one charset are joined before conversion, because senders cut multi-byte
 * characters in two.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/charset.h"

/* in: an unfolded (or folded) field value or phrase. False only when `out` is at its limit. */
bool rfc2047_decode(struct charset_cache *cs, struct str in, struct buf *out);
/* Does it contain anything to decode (an encoded word or an 8-bit byte)? Cheap. */
bool rfc2047_is_encoded(struct str in);

/* UTF-8 to header text: as it is when it is printable ASCII, else encoded words of at most 75 bytes (UTF-8, B or Q,
 * whichever is shorter), folded with CRLF SP; `column` is where the line stands already. For unstructured fields
 * (Subject). */
void rfc2047_add_text(struct buf *out, struct str utf8, size_t column);
/* The same for a phrase (display name): plain atoms as they are, quoted string for other ASCII, else encoded words. */
void rfc2047_add_phrase(struct buf *out, struct str utf8, size_t column);
/* A parameter with its separator: `; name=value`, quoted, or RFC 2231 (name*=utf-8''...), continued in pieces when
 * long. */
void rfc2231_add_param(struct buf *out, const char *name, struct str utf8);

#endif
