/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_items_read.h"

#include <string.h>

#include "bridge/backend.h"

/* --- base64 to bytes ----------------------------------------------------------------------------- */

#define PIECE_MAX (48 * 1024) /* base64 decoded at a time */

void ews_decoder_init(struct ews_decoder *d, bool (*sink)(void *ud, struct str bytes), void *ud)
{
    memset(d, 0, sizeof(*d));
    buf_init(&d->raw, PIECE_MAX);
    d->sink = sink;
    d->ud = ud;
}

void ews_decoder_done(struct ews_decoder *d)
{
    buf_done(&d->raw);
}

void ews_decoder_feed(struct ews_decoder *d, struct str base64)
{
    while (base64.n && !d->failed) {
        struct str piece = str_sub(base64, 0, PIECE_MAX);
        base64 = str_skip(base64, piece.n);
        buf_reset(&d->raw);
        text_base64_feed(&d->base64, &d->raw, piece);
        if (d->raw.n && !d->sink(d->ud, buf_view(&d->raw)))
            d->failed = true;
    }
}

/* --- MIME ---------------------------------------------------------------------------------------- */

static bool mime_add_lines(struct ews_mime *m)
{
    bool ok = blob_add(m->blob, buf_view(&m->lines), &m->err);
    buf_reset(&m->lines);
    return ok;
}

static bool mime_sink(void *ud, struct str bytes)
{
    struct ews_mime *m = ud;
    eol_crlf_feed(&m->eol, bytes, &m->lines);
    return mime_add_lines(m);
}

static void mime_reset(struct ews_mime *m)
{
    blob_unref(&m->blob);
    ews_decoder_done(&m->decoder);
    ews_decoder_init(&m->decoder, mime_sink, m);
    m->eol = (struct eol_crlf){.message = true};
    m->err = (struct err){0};
    buf_reset(&m->id);
}

void ews_mime_init(struct ews_mime *m, const char *tmp_dir, uint64_t limit)
{
    memset(m, 0, sizeof(*m));
    m->tmp_dir = tmp_dir;
    m->limit = limit;
    buf_init(&m->lines, 2 * PIECE_MAX + 16); /* every byte may be a line end */
    buf_init(&m->id, BACKEND_ID_MAX);
    mime_reset(m);
}

void ews_mime_done(struct ews_mime *m)
{
    blob_unref(&m->blob);
    ews_decoder_done(&m->decoder);
    buf_done(&m->lines);
    buf_done(&m->id);
}

static enum xml_want mime_on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_mime *m = ud;
    bool of_item = xml_parent(x, 2) == EL_ITEMS;
    switch (el) {
    case EL_RESPONSE_MESSAGE:
        mime_reset(m);
        return XML_COLLECT;
    case EL_ITEMS:
    case EL_ITEM:
    case EL_ITEM_OTHER:
        return XML_COLLECT;
    case EL_ITEM_ID:
        if (of_item) {
            buf_reset(&m->id);
            buf_str(&m->id, xml_attr_get(attrs, n, "Id"));
        }
        return XML_COLLECT;
    case EL_MIME_CONTENT:
        if (!of_item || m->blob)
            return XML_SKIP;
        m->blob = blob_new(m->tmp_dir, m->limit);
        return XML_STREAM;
    default:
        return XML_SKIP;
    }
}

static void mime_on_text(void *ud, struct xml *x, struct str piece)
{
    struct ews_mime *m = ud;
    if (xml_parent(x, 0) == EL_MIME_CONTENT && m->blob)
        ews_decoder_feed(&m->decoder, piece);
}

static bool mime_finish(struct ews_mime *m)
{
    if (m->decoder.failed)
        return false;
    if (blob_size(m->blob) == 0)
        return true;
    eol_crlf_finish(&m->eol, &m->lines);
    return mime_add_lines(m) && blob_finish(m->blob, &m->err);
}

static void mime_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_mime *m = ud;
    struct blob *content = NULL;
    (void)x;
    if (status->code->err == ERR_NONE && m->blob && mime_finish(m) && blob_size(m->blob))
        content = m->blob;
    m->on_item(m->ud, index, status, buf_view(&m->id), content, &m->err);
}

const struct ews_reader ews_mime_reader = {
    .on_start = mime_on_start,
    .on_text = mime_on_text,
    .on_message = mime_on_message,
    .max_bytes = UINT64_C(4) << 30, /* the messages have limits of their own */
};

/* --- properties ---------------------------------------------------------------------------------- */

static enum xml_want items_on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_items *i = ud;
    if (el == EL_RESPONSE_MESSAGE) {
        ews_props_reset(&i->props);
        return XML_COLLECT;
    }
    return ews_props_start(&i->props, x, el, attrs, n);
}

static void items_on_text(void *ud, struct xml *x, struct str piece)
{
    ews_props_text(&((struct ews_items *)ud)->props, x, piece);
}

static void items_on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    ews_props_end(&((struct ews_items *)ud)->props, x, el, text);
}

static void items_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_items *i = ud;
    (void)x;
    i->on_item(i->ud, index, status, &i->props);
}

const struct ews_reader ews_items_reader = {
    .on_start = items_on_start,
    .on_text = items_on_text,
    .on_end = items_on_end,
    .on_message = items_on_message,
    .max_bytes = 256 << 20,
    .max_elements = 1000000, /* 50 messages with some thousand recipients each */
};

/* --- an attachment ------------------------------------------------------------------------------- */

void ews_attachment_content_init(struct ews_attachment_content *c, bool (*sink)(void *ud, struct str bytes), void *ud)
{
    memset(c, 0, sizeof(*c));
    c->sink = sink;
    c->ud = ud;
    ews_decoder_init(&c->decoder, sink, ud);
}

void ews_attachment_content_done(struct ews_attachment_content *c)
{
    ews_decoder_done(&c->decoder);
}

static enum xml_want attachment_on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs,
                                         size_t n)
{
    (void)ud;
    (void)attrs;
    (void)n;
    int parent = xml_parent(x, 1);
    switch (el) {
    case EL_CONTENT:
        return parent == EL_FILE_ATTACHMENT && xml_parent(x, 3) == EL_RESPONSE_MESSAGE ? XML_STREAM : XML_SKIP;
    case EL_MIME_CONTENT:
        return xml_parent(x, 2) == EL_ITEM_ATTACHMENT && xml_parent(x, 4) == EL_RESPONSE_MESSAGE ? XML_STREAM
                                                                                                 : XML_SKIP;
    case EL_RESPONSE_MESSAGE:
    case EL_ATTACHMENTS:
    case EL_FILE_ATTACHMENT:
    case EL_ITEM_ATTACHMENT:
    case EL_ITEM:
    case EL_ITEM_OTHER:
        return XML_COLLECT;
    default:
        return XML_SKIP;
    }
}

static void attachment_on_text(void *ud, struct xml *x, struct str piece)
{
    struct ews_attachment_content *c = ud;
    int el = xml_parent(x, 0);
    if (el == EL_CONTENT || el == EL_MIME_CONTENT)
        ews_decoder_feed(&c->decoder, piece);
}

static void attachment_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    (void)x;
    ews_outcome_take(&((struct ews_attachment_content *)ud)->outcome, index, status);
}

const struct ews_reader ews_attachment_reader = {
    .on_start = attachment_on_start,
    .on_text = attachment_on_text,
    .on_message = attachment_on_message,
    .max_bytes = UINT64_C(1) << 30,
};

/* --- requests ------------------------------------------------------------------------------------ */

void ews_items_write_begin(struct xml_writer *w, enum ews_get what)
{
    xml_open(w, "m:GetItem");
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    if (what == EWS_GET_MIME) {
        xml_leaf_lit(w, "t:IncludeMimeContent", "true");
    } else {
        if (what == EWS_GET_PARTS)
            xml_leaf_lit(w, "t:BodyType", "Best");
        xml_open(w, "t:AdditionalProperties");
        ews_props_write_header_fields(w);
        if (what == EWS_GET_PARTS)
            ews_props_write_body_fields(w);
        xml_close(w);
    }
    xml_close(w);
    xml_open(w, "m:ItemIds");
}

void ews_attachment_write(struct xml_writer *w, struct str id)
{
    xml_open(w, "m:GetAttachment");
    xml_open(w, "m:AttachmentShape");
    xml_leaf_lit(w, "t:IncludeMimeContent", "true");
    xml_close(w);
    xml_open(w, "m:AttachmentIds");
    xml_open(w, "t:AttachmentId");
    xml_attr(w, "Id", id);
    xml_close(w);
    xml_close(w);
    xml_close(w);
}
