/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_PROPS_H
#define EWS_PROPS_H
/*
 * The properties of one item, as GetItem gives them, and what is made of them: a header block, or the frame of a
 * message that has no MIME on the server. Pure.
 *
 * A reader forwards what it sees inside an item to ews_props_start / _text / _end. One struct serves many items, one
 * after the other: ews_props_reset() before each.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/ews/ews_xml.h"
#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/formats/build.h"

#define EWS_HEADERS_MAX     (4 * 1024 * 1024)  /* a header block; longer ones are built from properties */
#define EWS_BODY_MAX        (32 * 1024 * 1024) /* a text body; the rest is cut off */
#define EWS_RECIPIENTS_MAX  10000              /* in one field */
#define EWS_ATTACHMENTS_MAX 1000

struct ews_attachment {
    struct str id, name, content_type, content_id;
    bool is_inline;
    bool is_item; /* an Exchange item: comes as MIME */
};

struct ews_addresses {
    struct build_address *items;
    size_t n, room;
};

enum ews_address_field { EWS_FROM, EWS_SENDER, EWS_TO, EWS_CC, EWS_BCC, EWS_REPLY_TO, EWS_ADDRESS_FIELDS };

struct ews_props {
    struct arena arena;
    struct str id;
    struct str subject, message_id, in_reply_to, references;
    int64_t sent_ms, received_ms, created_ms; /* TIME_NONE: not told */
    int importance;
    struct ews_addresses addresses[EWS_ADDRESS_FIELDS];
    struct str sender_smtp, from_smtp; /* where the address itself is an X.500 name */
    struct buf headers;                /* PidTagTransportMessageHeaders, raw */
    struct buf body;                   /* UTF-8 */
    bool has_body, body_is_html;
    struct ews_attachment *attachments;
    size_t attachment_count, attachment_room;
    /* private */
    uint32_t tag;
    struct build_address address;
    struct str routing;
    struct ews_attachment attachment;
};

void ews_props_init(struct ews_props *p);
void ews_props_reset(struct ews_props *p);
void ews_props_done(struct ews_props *p);

enum xml_want ews_props_start(struct ews_props *p, struct xml *x, enum ews_el el, const struct xml_attr *attrs,
                              size_t n);
void ews_props_text(struct ews_props *p, struct xml *x, struct str piece);
void ews_props_end(struct ews_props *p, struct xml *x, enum ews_el el, struct str text);

/* AdditionalProperties of GetItem for a header block, and what a whole message needs besides. */
void ews_props_write_header_fields(struct xml_writer *w);
void ews_props_write_body_fields(struct xml_writer *w);

/* The header block, with the empty line: the one the message came with where the server still has it, else built. */
bool ews_props_header(struct ews_props *p, struct buf *out, bool *ret_built);
/* The message for formats/build; points into p. */
void ews_props_message(struct ews_props *p, struct build_message *ret_message);

/*
 * A PidTagTransportMessageHeaders value (MS-OXOMSG 2.2.1.61) as a header block without the empty line, with CRLF. False
 * when it is not one: without a Message-ID it is known to be a fragment.
 */
bool ews_headers_clean(struct str raw, struct buf *out);

#endif
