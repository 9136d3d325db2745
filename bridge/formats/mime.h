/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_MIME_H
#define BRIDGE_FORMATS_MIME_H
/*
 * The structure of a message (RFC 2045, 2046, 2231, 5322) as IMAP wants it: which parts there are and at which byte
 * each header and body begins and ends, in the message exactly as it is stored.
 *
 * The parser takes the message in chunks of any size and keeps none of it but the header fields named below, so a 50 MB
 * message costs a few hundred bytes. It never fails: what cannot be understood is a leaf, and what is over a limit is a
 * leaf with `overflow` set. Edge cases (missing, duplicate, nested and prefix-sharing boundaries, boundaries with
 * trailing blanks, mixed line ends) are decided as Dovecot decides them.
 *
 *     struct mime_parser *p = mime_parser_new(&arena, NULL);
 *     while (read(...)) mime_parser_feed(p, chunk);
 *     struct mime_part *root = mime_parser_finish(p);   (lives in the arena)
 *     mime_parser_free(p);
 *
 * Strings hold what the message had (any byte but NUL, CR, LF; folding removed, a NUL becomes U+FFFD); encoded words
 * are not decoded. A str whose p is NULL means "the field is not there", as opposed to an empty one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/base/text.h"
#include "bridge/formats/charset.h"

enum mime_kind {
    MIME_LEAF,
    MIME_MULTIPART, /* children are its parts; there may be none (no boundary line was found) */
    MIME_MESSAGE    /* message/rfc822 or message/global: `children` is the root of the message inside, exactly one */
};

struct mime_param {
    struct str name, value;
};

/*
 * Field values of a message's own header, unfolded but otherwise raw, as ENVELOPE needs them (RFC 3501 7.4.2). Of a
 * repeated field the last counts; repeated address fields are joined with ",\n", which address_parse() understands. In
 * ENVELOPE, From stands in for a Sender or Reply-To without any address.
 */
struct mime_envelope {
    struct str date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id;
};

struct mime_part {
    struct mime_part *parent, *next, *children;
    enum mime_kind kind;
    bool overflow; /* a limit was hit: what is inside was not looked at, or part of its header was left out */
    bool has_nul;  /* the body has a NUL byte (BODY[] must then be answered with BINARY or the NUL replaced) */
    uint32_t child_count;
    uint64_t
        header_at;    /* byte offsets in the stored message: header is [header_at, body_at), the empty line included, */
    uint64_t body_at; /* body is [body_at, end), without the line end that belongs to the boundary after it */
    uint64_t end;
    uint32_t header_lines, body_lines; /* LF bytes in them */

    /* From the Content-* fields; the first of each counts. Case is kept as written. */
    struct str type,
        subtype; /* never NULL: "text"/"plain", or "message"/"rfc822" below multipart/digest, when absent or broken */
    bool type_given; /* type and subtype are from the message, not the default */
    struct mime_param
        *params; /* as BODYSTRUCTURE shows them: continuations joined; name "x*" keeps charset''%XX form (RFC 2231) */
    uint32_t param_count;
    struct str encoding; /* Content-Transfer-Encoding; NULL when absent ("7bit") */
    struct str id, description, md5, location;
    struct str disposition;
    struct mime_param *disposition_params;
    uint32_t disposition_param_count;
    struct str *languages;
    uint32_t language_count;

    struct mime_envelope *envelope; /* of the root and of the child of a MIME_MESSAGE; NULL elsewhere */
};

/* Limits; 0 means the default. What lies beyond is not parsed, never an error. */
struct mime_limits {
    uint32_t depth;            /* 100: parts inside each other, the message itself included */
    uint32_t parts;            /* 10,000 */
    uint32_t params;           /* 1,000 per part */
    uint32_t header_bytes;     /* 1 MiB: one field */
    uint32_t all_header_bytes; /* 4 MiB: kept of all headers of the message together */
};

#define MIME_MAX_DEPTH            100
#define MIME_MAX_PARTS            10000
#define MIME_MAX_PARAMS           1000
#define MIME_MAX_HEADER_BYTES     (1u << 20)
#define MIME_MAX_ALL_HEADER_BYTES (4u << 20)

struct mime_parser;
struct mime_parser *mime_parser_new(struct arena *a,
                                    const struct mime_limits *limits); /* limits: NULL = defaults; copied */
void mime_parser_feed(struct mime_parser *p, struct str chunk);
/* The end of the message: the root part, in the arena. Call once. */
struct mime_part *mime_parser_finish(struct mime_parser *p);
void mime_parser_free(struct mime_parser *p);
/* All at once. */
struct mime_part *mime_parse(struct arena *a, struct str message);

/*
 * The tree as bytes, for the cache: versioned, with a checksum, and checked in every respect when it is read (a cache
 * file may be corrupt): offsets in order and inside the parent, depth and counts within the limits.
 */
void mime_pack(const struct mime_part *root, struct buf *out);
/* Strings point into `bytes`, which must outlive the tree. False: not ours, another version, or damaged: parse the
 * message again. */
bool mime_unpack(struct arena *a, struct str bytes, struct mime_part **ret_root);

/*
 * IMAP section numbers (RFC 3501 6.4.5). path {} is the message itself; {1} of a message that is not a multipart is its
 * body; numbers below a MIME_MESSAGE part go on inside it.
 */
enum mime_section {
    MIME_SECTION_BODY,   /* BODY[] (path empty: header and body) or BODY[1.2] */
    MIME_SECTION_HEADER, /* BODY[HEADER] or BODY[1.2.HEADER]: of the message itself or of a MIME_MESSAGE; also for
                            HEADER.FIELDS */
    MIME_SECTION_TEXT,   /* BODY[TEXT], BODY[1.2.TEXT]: the same restriction */
    MIME_SECTION_MIME    /* BODY[1.2.MIME]: path not empty */
};
struct mime_range {
    uint64_t at, end;
};
/* The part a path leads to, or NULL. For {1} of a single-part message this is the root itself. */
const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t path_n);
/* False: there is no such section (IMAP then answers with NIL or an empty string). */
bool mime_section(const struct mime_part *root, const uint32_t *path, size_t path_n, enum mime_section what,
                  struct mime_range *ret_range);
/* "1.2.3" -> numbers (no zero, no sign, at most max). */
bool mime_path_parse(struct str s, uint32_t *path, size_t max, size_t *ret_n);

/* Parameters for display: RFC 2231 and (as everybody writes it) RFC 2047 decoded to UTF-8. The first of that name, any
 * case. */
bool mime_param_text(struct arena *a, struct charset_cache *cs, const struct mime_param *params, uint32_t count,
                     const char *name, struct str *ret_value);
/* The name of an attachment: disposition "filename", else type "name"; control characters and path separators replaced.
 */
bool mime_file_name(struct arena *a, struct charset_cache *cs, const struct mime_part *part, struct str *ret_name);
/* Raw parameter by name (no decoding): "charset", "boundary". NULL p when absent. */
struct str mime_param_raw(const struct mime_param *params, uint32_t count, const char *name);
bool mime_is_text(const struct mime_part *part);                                   /* text/anything */
bool mime_is(const struct mime_part *part, const char *type, const char *subtype); /* any case; subtype NULL = any */

/* Fill an envelope from a complete raw header block; strings are in the arena. */
void mime_envelope_parse(struct arena *a, struct str header_block, struct mime_envelope *ret_envelope);

/*
 * Decoding a body, in pieces: Content-Transfer-Encoding (BINARY, RFC 3516), then charset (SEARCH, PREVIEW).
 */
enum mime_encoding {
    MIME_ENC_IDENTITY, /* absent, 7bit, 8bit, binary */
    MIME_ENC_BASE64,
    MIME_ENC_QP,
    MIME_ENC_UNKNOWN /* BINARY answers NO [UNKNOWN-CTE]; decodes as identity */
};
enum mime_encoding mime_encoding_of(const struct mime_part *part);

struct mime_decoder {
    enum mime_encoding encoding;
    bool damaged; /* something was skipped or cut */
    struct text_base64 b64;
    int state;       /* of quoted-printable */
    char first;      /* hex digit of =XY */
    struct buf held; /* white space that may be at the end of a quoted-printable line */
};
void mime_decoder_init(struct mime_decoder *d, enum mime_encoding encoding);
/* False when `out` is full (its limit). */
bool mime_decoder_feed(struct mime_decoder *d, struct str in, struct buf *out);
bool mime_decoder_finish(struct mime_decoder *d, struct buf *out);
void mime_decoder_done(struct mime_decoder *d);

/* Body bytes of a text part to UTF-8: transfer decoding and charset together. `cs` must outlive it. */
struct mime_text {
    struct mime_decoder decoder;
    struct charset_decoder charset;
    struct buf raw;
};
void mime_text_init(struct mime_text *t, struct charset_cache *cs, const struct mime_part *part);
bool mime_text_feed(struct mime_text *t, struct str in, struct buf *out);
bool mime_text_finish(struct mime_text *t, struct buf *out);
void mime_text_done(struct mime_text *t);

#endif
