/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_ITEMS_READ_H
#define EWS_ITEMS_READ_H
/*
 * GetItem (MS-OXWSCORE 3.1.4.4) in its three uses, and GetAttachment (MS-OXWSATT 3.1.4.3). Pure but for the blobs.
 * Content is decoded while it arrives and never held as a whole.
 *
 * Readers tell of each response message through `on_item`, with its place in the answer; what was read for it is valid
 * in the call. The id is the server's and has to be compared with the one that was asked for.
 */
#include "backends/ews/ews_answer.h"
#include "backends/ews/ews_props.h"
#include "bridge/base/text.h"
#include "bridge/formats/eol.h"
#include "bridge/io/blob.h"

/* --- base64 to bytes ----------------------------------------------------------------------------- */

struct ews_decoder {
    struct text_base64 base64;
    struct buf raw;
    /* Gets what was decoded; false ends it. */
    bool (*sink)(void *ud, struct str bytes);
    void *ud;
    bool failed;
};
void ews_decoder_init(struct ews_decoder *d, bool (*sink)(void *ud, struct str bytes), void *ud);
void ews_decoder_done(struct ews_decoder *d);
void ews_decoder_feed(struct ews_decoder *d, struct str base64);

/* --- MIME ---------------------------------------------------------------------------------------- */

struct ews_mime {
    /* set by the caller */
    const char *tmp_dir;
    uint64_t limit; /* bytes of one message */
    void (*on_item)(void *ud, size_t index, const struct ews_status *status, struct str id, struct blob *content,
                    const struct err *err);
    void *ud;
    /* private */
    struct ews_decoder decoder;
    struct eol_crlf eol;
    struct buf lines;
    struct blob *blob;
    struct err err;
    struct buf id;
};
void ews_mime_init(struct ews_mime *m, const char *tmp_dir, uint64_t limit);
void ews_mime_done(struct ews_mime *m);
/* on_item: content is a finished blob; NULL without an error of the item's own in err: the server has no MIME for it.
 */
extern const struct ews_reader ews_mime_reader;

/* --- properties ---------------------------------------------------------------------------------- */

struct ews_items {
    void (*on_item)(void *ud, size_t index, const struct ews_status *status, struct ews_props *props);
    void *ud;
    struct ews_props props;
};
extern const struct ews_reader ews_items_reader; /* ud: struct ews_items, props initialised */

/* --- an attachment ------------------------------------------------------------------------------- */

struct ews_attachment_content {
    bool (*sink)(void *ud, struct str bytes);
    void *ud;
    struct ews_outcome outcome; /* the result */
    /* private */
    struct ews_decoder decoder;
};
void ews_attachment_content_init(struct ews_attachment_content *c, bool (*sink)(void *ud, struct str bytes), void *ud);
void ews_attachment_content_done(struct ews_attachment_content *c);
extern const struct ews_reader ews_attachment_reader;

/* --- requests ------------------------------------------------------------------------------------ */

enum ews_get { EWS_GET_HEADER, EWS_GET_MIME, EWS_GET_PARTS };

/* Begins GetItem up to its list of ids; then ews_write_item_id() for each; then two xml_close(). */
void ews_items_write_begin(struct xml_writer *w, enum ews_get what);
void ews_attachment_write(struct xml_writer *w, struct str id);

#endif
