/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_ITEM_H
#define BACKENDS_EAS_ITEM_H
/*
 * The properties of one mail item as they come in Sync's ApplicationData and in ItemOperations' Properties (MS-ASEMAIL,
 * MS-ASAIRS): read by the rules of EAS_ITEM_RULES, whose `ud` begins with a struct eas_item. Body/Data goes to a blob
 * in pieces; a body over the limit, or one that finds no room on the disk, is dropped and the rest of the item kept.
 *
 * Line ends: what the server sends is kept byte for byte, unless its first line ends in a bare LF: then the message has
 * been converted to local line ends on the way, and gets its CRLFs back.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/eas/eas_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"
#include "bridge/formats/eol.h"

#define EAS_ITEM_TEXT_MAX   ((size_t)32 * 1024) /* bytes kept of an address list or a subject; the rest is cut off */
#define EAS_CATEGORIES_MAX  64  /* of one item (Exchange allows 300; IMAP keywords get unusable before) */
#define EAS_CATEGORY_CHARS  255 /* of one; Exchange takes no longer ones */
#define EAS_CATEGORY_MAX    ((size_t)EAS_CATEGORY_CHARS * 4) /* bytes of one */
#define EAS_ATTACHMENTS_MAX 1000

enum eas_body_type { EAS_BODY_NONE = 0, EAS_BODY_TEXT = 1, EAS_BODY_HTML = 2, EAS_BODY_RTF = 3, EAS_BODY_MIME = 4 };

struct eas_attachment {
    struct str name, reference, type, content_id;
    uint64_t size;
    int method; /* 1 a file, 5 a message, 6 OLE */
    bool is_inline;
};

/* Writes a body as it arrives. */
struct eas_body_writer {
    const char *tmp_dir;
    uint64_t limit;
    struct blob *blob; /* NULL until the first byte, and after a failure */
    struct err err;    /* why the body was dropped */
    bool raw;          /* an attachment: line ends are content */
    struct eol_crlf crlf;
    uint8_t line_ends; /* enum of eas_item.c: not known yet, kept, converted */
    char last;
    uint64_t taken; /* bytes that came, before line ends were converted */
};
void eas_body_add(struct eas_body_writer *w, struct str piece);
/* The finished blob, now the caller's; NULL when there is none or it was dropped (see err). */
struct blob *eas_body_finish(struct eas_body_writer *w);
void eas_body_done(struct eas_body_writer *w);

struct eas_item {
    /* set by the owner */
    struct arena *arena; /* texts */
    bool all;            /* keep what only synthesis needs: addresses, attachments */
    struct eas_body_writer body;
    /* what was told; zero = not told */
    bool has_read, read, has_flag, flagged, has_verb, has_draft, draft, has_categories;
    int verb; /* Email2:LastVerbExecuted: 1 reply, 2 reply to all, 3 forward (MS-ASEMAIL 2.2.2.47) */
    struct str *categories;
    size_t category_count;
    int64_t received_ms; /* TIME_NONE = not told */
    struct str subject, from, sender, to, cc, bcc, reply_to;
    int importance; /* -1, 0, 1 */
    bool has_body, truncated;
    int body_type, part; /* part: of a multipart answer; 0 = none (the WBXML itself is part 0) */
    uint64_t estimated;
    struct eas_attachment *attachments, attachment;
    size_t attachment_count;
};

/* Before each item: forgets all but what the owner set. */
void eas_item_begin(struct eas_item *item);
/* The content as sync and fetch want it: exactly one of *ret_header, *ret_message or neither. Ends the body. A
 * truncated MIME gives the header block when the empty line is within it. */
void eas_item_content(struct eas_item *item, uint64_t truncation, struct blob **ret_header, struct blob **ret_message);
/* The header block of a (truncated) message as a blob of its own; NULL when its end is not there. */
struct blob *eas_header_of(const struct blob *mime);
/* Message-ID of a message or its header block, without <>; empty: none. Only what a Sync may bring is looked at, so
 * that a message has the same one however much of it came. */
struct str eas_message_id(const struct blob *mime, struct arena *arena);
/* Bytes of the header block of `mime` including its empty line; 0 when the end is not there. */
size_t eas_header_size(struct str mime);
void eas_item_done(struct eas_item *item);

bool eas_item_read(void *ud, struct str text, struct err *err);
bool eas_item_received(void *ud, struct str text, struct err *err);
bool eas_item_subject(void *ud, struct str text, struct err *err);
bool eas_item_from(void *ud, struct str text, struct err *err);
bool eas_item_sender(void *ud, struct str text, struct err *err);
bool eas_item_to(void *ud, struct str text, struct err *err);
bool eas_item_cc(void *ud, struct str text, struct err *err);
bool eas_item_bcc(void *ud, struct str text, struct err *err);
bool eas_item_reply_to(void *ud, struct str text, struct err *err);
bool eas_item_importance(void *ud, struct str text, struct err *err);
bool eas_item_flag_open(void *ud, struct err *err);
bool eas_item_flag_status(void *ud, struct str text, struct err *err);
bool eas_item_categories_open(void *ud, struct err *err);
bool eas_item_category(void *ud, struct str text, struct err *err);
bool eas_item_verb(void *ud, struct str text, struct err *err);
bool eas_item_draft(void *ud, struct str text, struct err *err);
bool eas_item_body_open(void *ud, struct err *err);
bool eas_item_body_type(void *ud, struct str text, struct err *err);
bool eas_item_body_size(void *ud, struct str text, struct err *err);
bool eas_item_body_truncated(void *ud, struct str text, struct err *err);
bool eas_item_body_data(void *ud, struct str piece, struct err *err);
bool eas_item_body_part(void *ud, struct str text, struct err *err);
bool eas_item_attachment_open(void *ud, struct err *err);
bool eas_item_attachment_name(void *ud, struct str text, struct err *err);
bool eas_item_attachment_reference(void *ud, struct str text, struct err *err);
bool eas_item_attachment_type(void *ud, struct str text, struct err *err);
bool eas_item_attachment_id(void *ud, struct str text, struct err *err);
bool eas_item_attachment_size(void *ud, struct str text, struct err *err);
bool eas_item_attachment_method(void *ud, struct str text, struct err *err);
bool eas_item_attachment_inline(void *ud, struct str text, struct err *err);
bool eas_item_attachment_close(void *ud, struct err *err);

/* clang-format off */
#define EAS_ITEM_RULES(PARENT)                                                                                          \
    {PARENT, Email_DateReceived, .text = eas_item_received},                                                            \
    {PARENT, Email_Subject, .text = eas_item_subject},                                                                  \
    {PARENT, Email_From, .text = eas_item_from},                                                                        \
    {PARENT, Email2_Sender, .text = eas_item_sender},                                                                   \
    {PARENT, Email_To, .text = eas_item_to},                                                                            \
    {PARENT, Email_Cc, .text = eas_item_cc},                                                                            \
    {PARENT, Email2_Bcc, .text = eas_item_bcc},                                                                         \
    {PARENT, Email_ReplyTo, .text = eas_item_reply_to},                                                                 \
    {PARENT, Email_Importance, .text = eas_item_importance},                                                            \
    {PARENT, Email_Read, .text = eas_item_read},                                                                        \
    {PARENT, Email_Flag, .open = eas_item_flag_open},                                                                   \
    {Email_Flag, Email_Status, .text = eas_item_flag_status},                                                           \
    {PARENT, Email_Categories, .open = eas_item_categories_open},                                                       \
    {Email_Categories, Email_Category, .text = eas_item_category},                                                      \
    {PARENT, Email2_LastVerbExecuted, .text = eas_item_verb},                                                           \
    {PARENT, Email2_IsDraft, .text = eas_item_draft},                                                                   \
    {PARENT, AirSyncBase_Body, .open = eas_item_body_open},                                                             \
    {AirSyncBase_Body, AirSyncBase_Type, .text = eas_item_body_type},                                                   \
    {AirSyncBase_Body, AirSyncBase_EstimatedDataSize, .text = eas_item_body_size},                                      \
    {AirSyncBase_Body, AirSyncBase_Truncated, .text = eas_item_body_truncated},                                         \
    {AirSyncBase_Body, AirSyncBase_Data, .data = eas_item_body_data},                                                   \
    {AirSyncBase_Body, ItemOperations_Part, .text = eas_item_body_part},                                                \
    EAS_CONTAINER(PARENT, AirSyncBase_Attachments),                                                                            \
    {AirSyncBase_Attachments, AirSyncBase_Attachment, .open = eas_item_attachment_open,                                 \
     .close = eas_item_attachment_close},                                                                               \
    {AirSyncBase_Attachment, AirSyncBase_DisplayName, .text = eas_item_attachment_name},                                \
    {AirSyncBase_Attachment, AirSyncBase_FileReference, .text = eas_item_attachment_reference},                         \
    {AirSyncBase_Attachment, AirSyncBase_ContentType, .text = eas_item_attachment_type},                                \
    {AirSyncBase_Attachment, AirSyncBase_ContentId, .text = eas_item_attachment_id},                                    \
    {AirSyncBase_Attachment, AirSyncBase_EstimatedDataSize, .text = eas_item_attachment_size},                          \
    {AirSyncBase_Attachment, AirSyncBase_Method, .text = eas_item_attachment_method},                                   \
    {AirSyncBase_Attachment, AirSyncBase_IsInline, .text = eas_item_attachment_inline}
/* clang-format on */

#endif
