/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_RFC822_H
#define BRIDGE_FORMATS_RFC822_H
/*
 * Tokens of structured header fields (RFC 5322 3.2, RFC 2045 5.1), for the parsers of this folder. The input is an
 * unfolded value (header_unfold). Bytes above 127 are atom text (RFC 6532). Each rfc822_* reader appends what it read
 * to `out`, skips the white space and comments after it, and says what is next:
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

enum rfc822_next {
    RFC822_BAD = -1, /* what was asked for is not there, or is not closed */
    RFC822_END = 0,  /* read, and the value ends here */
    RFC822_MORE = 1  /* read, and more follows */
};

struct rfc822 {
    const char *p, *end;
    struct buf *comment; /* NULL, or where the text of the last comment goes */
};

void rfc822_init(struct rfc822 *r, struct str value, struct buf *comment);
enum rfc822_next rfc822_skip_blank(struct rfc822 *r);
enum rfc822_next rfc822_atom(struct rfc822 *r, struct buf *out);
enum rfc822_next rfc822_quoted(struct rfc822 *r, struct buf *out); /* at '"' */
enum rfc822_next rfc822_phrase(struct rfc822 *r, struct buf *out); /* words joined by one blank; obsolete dots taken */
enum rfc822_next rfc822_local_part(struct rfc822 *r, struct buf *out);
enum rfc822_next rfc822_domain(struct rfc822 *r, struct buf *out); /* after '@' */
enum rfc822_next rfc822_mime_token(struct rfc822 *r, struct buf *out);
bool rfc822_is_atom_byte(char c);
bool rfc822_is_token_byte(char c);

#endif
