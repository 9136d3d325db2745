/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_BUILD_H
#define BRIDGE_FORMATS_BUILD_H
/*
 * Making a message (RFC 5322, 2045) for an item that has none of its own: Exchange could not give its MIME, so it is
 * put together from its properties. The same properties always give the same bytes (no clock, no random), because a
 * client may ask again.
 *
 *     struct build b;
 *     build_init(&b, &message);
 *     build_begin(&b, out);                      header, text and HTML body
 *     for each attachment: build_attachment(&b, &att, out);
 *                          build_attachment_data(&b, bytes, out); ...    any number of pieces
 *     build_end(&b, out);
 *
 * `out` may be emptied by the caller between any two calls, so an attachment is never held in memory. The message must
 * outlive b. Every value from outside is made safe: no line end gets into a header.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/eol.h"

struct build_address {
    struct str name; /* UTF-8, may be empty */
    struct str spec; /* local@domain; empty: only the name is written, as an empty group */
};
struct build_addresses {
    const struct build_address *items;
    size_t n;
};
struct build_message {
    int64_t date_s; /* TIME_NONE: no Date field */
    int zone_minutes;
    struct build_addresses from, sender, reply_to, to, cc, bcc;
    struct str subject;                             /* UTF-8 */
    struct str message_id, in_reply_to, references; /* as they are in a header, with angle brackets */
    struct str text, html;                          /* UTF-8 bodies; NULL p: none. Both: multipart/alternative */
    size_t attachment_count;                        /* > 0 makes it multipart/mixed */
    int importance;                                 /* -1 low, 0 normal (no field), 1 high */
    struct str
        extra; /* complete header lines in ASCII ("X-Foo: bar\r\n"), checked; lines that are not fields are dropped */
};
struct build_attachment {
    struct str name;         /* UTF-8 */
    struct str content_type; /* "image/png"; empty or nonsense: application/octet-stream */
    struct str content_id;   /* without angle brackets; empty: none */
    bool is_inline;
    bool is_message; /* the bytes are a complete message: message/rfc822, not base64 (RFC 2046 5.2.1) */
};
struct build {
    const struct build_message *message;
    char boundary[32]; /* of the multipart/mixed; the alternative inside has "a" in front */
    bool in_attachment, is_message;
    struct eol_crlf eol; /* of an attached message */
    char tail[3];        /* of base64: bytes that make no group of three yet */
    size_t tail_n, column;
};

void build_init(struct build *b, const struct build_message *m);
bool build_begin(struct build *b, struct buf *out);
bool build_attachment(struct build *b, const struct build_attachment *att, struct buf *out);
bool build_attachment_data(struct build *b, struct str bytes, struct buf *out);
bool build_end(struct build *b, struct buf *out);

/* The header alone, byte for byte the one build_begin() makes; without bodies and attachments (they are not known yet)
 * it has no MIME fields. */
bool build_header(const struct build_message *m, struct buf *out);

#endif
