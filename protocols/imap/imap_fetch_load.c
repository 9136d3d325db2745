/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/time.h"
#include "protocols/imap/imap_fetch.h"
#include "protocols/imap/imap_render.h"
#include "protocols/imap/imap_write.h"

#define DECODE_PIECE (64 * 1024)
#define DECODE_MS    10 /* a large part is decoded over several turns of the loop */

typedef enum fetch_ready load_item(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v);

static enum fetch_ready fail(struct fetch *f, enum err_code code, const char *text)
{
    err_set(&f->src.err, code, "%s", text);
    return FETCH_FAILED;
}

/* --- items ------------------------------------------------------------------------------------ */

static enum fetch_ready load_nothing(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    (void)f;
    (void)item;
    (void)v;
    return FETCH_READY;
}

static enum fetch_ready load_size(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    (void)item;
    if (f->src.m->size_exact || !account_exact_size(f->s->client.account))
        return FETCH_READY;
    if (!imap_source_message(&f->src))
        return FETCH_NEEDS_MESSAGE;
    v->size = blob_size(f->src.message);
    return FETCH_READY;
}

static void keep(struct fetch *f, enum content_rendering which, struct fetch_value *v)
{
    v->bytes = arena_str(&f->src.arena, buf_view(&f->src.tmp));
    content_keep_rendering(f->s->mailbox, f->src.m, which, v->bytes);
}

static enum fetch_ready load_envelope(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    (void)item;
    v->form = FETCH_FORM_PLAIN;
    if (content_rendering(f->s->mailbox, f->src.m, CONTENT_R_ENVELOPE, &f->src.arena, &v->bytes))
        return FETCH_READY;
    if (!imap_source_header(&f->src))
        return FETCH_NEEDS_HEADER;
    buf_reset(&f->src.tmp);
    imap_render_envelope_of(&f->src.tmp, f->src.header);
    if (f->src.tmp.failed)
        return fail(f, ERR_TOO_BIG, "the envelope is over the limit");
    keep(f, CONTENT_R_ENVELOPE, v);
    return FETCH_READY;
}

static enum fetch_ready load_bodystructure(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    bool extended = item->kind == IMAP_FETCH_BODYSTRUCTURE;
    enum content_rendering which = extended ? CONTENT_R_BODYSTRUCTURE : CONTENT_R_BODY;
    v->form = FETCH_FORM_PLAIN;
    if (content_rendering(f->s->mailbox, f->src.m, which, &f->src.arena, &v->bytes))
        return FETCH_READY;
    if (!imap_source_structure(&f->src))
        return FETCH_NEEDS_MESSAGE;
    buf_reset(&f->src.tmp);
    imap_render_body(&f->src.tmp, f->src.root, extended);
    if (f->src.tmp.failed)
        return fail(f, ERR_TOO_BIG, "the structure is over the limit");
    keep(f, which, v);
    return FETCH_READY;
}

static enum fetch_ready load_preview(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    v->form = FETCH_FORM_TEXT;
    if (content_rendering(f->s->mailbox, f->src.m, CONTENT_R_PREVIEW, &f->src.arena, &v->bytes))
        return FETCH_READY;
    if (!imap_source_message(&f->src) || !imap_source_structure(&f->src)) {
        v->form = FETCH_FORM_NIL; /* RFC 8970 3.2: LAZY takes no for an answer */
        return item->lazy ? FETCH_READY : FETCH_NEEDS_MESSAGE;
    }
    buf_reset(&f->src.tmp);
    if (!imap_render_preview(&f->src.tmp, imap_server_of(f->s)->charsets, f->src.root, &f->src.reader))
        return fail(f, ERR_DISK, "the message cannot be read for its preview");
    keep(f, CONTENT_R_PREVIEW, v);
    return FETCH_READY;
}

static void cut(const struct imap_fetch_item *item, struct str *bytes)
{
    struct mime_range range = {0, bytes->n};
    if (!item->partial)
        return;
    imap_render_partial(item, &range);
    *bytes = str_sub(*bytes, (size_t)range.at, (size_t)(range.end - range.at));
}

static enum fetch_ready load_fields(struct fetch *f, const struct imap_fetch_item *item, struct str header,
                                    struct fetch_value *v)
{
    buf_reset(&f->src.tmp);
    if (!header_add_fields(&f->src.tmp, header, item->names, item->section == IMAP_SECTION_FIELDS))
        return fail(f, ERR_TOO_BIG, "the header is over the limit");
    struct str bytes = buf_view(&f->src.tmp);
    cut(item, &bytes);
    v->form = FETCH_FORM_LITERAL;
    v->bytes = f->args->n > 1 ? arena_str(&f->src.arena, bytes) : bytes;
    return FETCH_READY;
}

/* Does the message have a NUL anywhere? Only then is it copied; hardly any message does. */
static bool has_nul(const struct mime_part *part)
{
    const struct mime_part *p = part;
    while (p) {
        if (p->has_nul)
            return true;
        if (p->children) {
            p = p->children;
            continue;
        }
        while (p != part && !p->next)
            p = p->parent;
        p = p == part ? NULL : p->next;
    }
    return false;
}

static bool add_without_nul(void *ud, struct str piece)
{
    struct fetch_value *v = ud;
    char copy[DECODE_PIECE];
    while (piece.n > 0) {
        size_t n = piece.n < sizeof(copy) ? piece.n : sizeof(copy);
        for (size_t i = 0; i < n; i++)
            copy[i] = piece.p[i] ? piece.p[i] : (char)0x80;
        if (!blob_add(v->blob, (struct str){copy, n}, NULL))
            return false;
        piece = str_skip(piece, n);
    }
    return true;
}

/* Large literals go straight from the blob to the connection, so the NULs have to go before. */
static enum fetch_ready replace_nul(struct fetch *f, struct fetch_value *v)
{
    v->blob = blob_new(imap_server_of(f->s)->opts.tmp_dir, blob_size(f->src.message));
    v->owned = true;
    if (!blob_each(f->src.message, add_without_nul, v, &f->src.err) || !blob_finish(v->blob, &f->src.err))
        return fail(f, ERR_DISK, "no room to prepare a message with NUL bytes");
    return FETCH_READY;
}

static enum fetch_ready load_section(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    bool fields = item->section == IMAP_SECTION_FIELDS || item->section == IMAP_SECTION_FIELDS_NOT;
    /* A header block that is known by itself will do: clients list mail with it. Its Content-* fields may differ from
     * those of the message that is fetched later (Exchange makes MIME anew); when this command fetches that too, it
     * counts. But who takes the whole block of one message puts the text below it next, and the boundary must fit. */
    if (item->path_n == 0 && (fields || item->section == IMAP_SECTION_HEADER)) {
        if (!fields && f->alone && !f->header_will_do && !imap_source_exact_header(&f->src))
            return FETCH_NEEDS_MESSAGE;
        if (!imap_source_header(&f->src))
            return FETCH_NEEDS_HEADER;
        if (fields)
            return load_fields(f, item, f->src.header, v);
        v->form = FETCH_FORM_LITERAL;
        v->bytes = f->src.header;
        cut(item, &v->bytes);
        return FETCH_READY;
    }
    if (!imap_source_message(&f->src))
        return FETCH_NEEDS_MESSAGE;
    struct mime_range range = {0, blob_size(f->src.message)};
    if (item->path_n > 0 || item->section != IMAP_SECTION_ALL) {
        if (!imap_source_structure(&f->src))
            return fail(f, ERR_DISK, "the message cannot be read");
        if (!imap_render_section(f->src.root, item, &range)) {
            v->form = FETCH_FORM_NIL;
            return FETCH_READY;
        }
    }
    if (fields) {
        struct str header;
        if (!imap_source_read(&f->src, range.at, range.end, &header))
            return FETCH_FAILED;
        return load_fields(f, item, header, v);
    }
    if (item->partial)
        imap_render_partial(item, &range);
    v->form = FETCH_FORM_BLOB;
    v->blob = f->src.message;
    v->at = range.at;
    v->end = range.end;
    if (v->end - v->at > DECODE_PIECE && imap_source_structure(&f->src) && has_nul(f->src.root))
        return replace_nul(f, v);
    return FETCH_READY;
}

/* --- BINARY (RFC 3516) ------------------------------------------------------------------------ */

static bool begin_decode(struct fetch *f, struct fetch_decode *d, const struct mime_part *part, bool keep_bytes)
{
    enum mime_encoding encoding = part->kind == MIME_LEAF ? mime_encoding_of(part) : MIME_ENC_IDENTITY;
    if (encoding == MIME_ENC_UNKNOWN)
        return false;
    *d = (struct fetch_decode){.active = true, .part = part, .at = part->body_at};
    mime_decoder_init(&d->decoder, encoding);
    buf_init(&d->piece, 0);
    if (keep_bytes)
        d->out = blob_new(imap_server_of(f->s)->opts.tmp_dir, part->end - part->body_at + 1);
    return true;
}

static bool take_decoded(struct fetch *f, struct fetch_decode *d)
{
    d->size += d->piece.n;
    d->has_nul |= d->piece.n > 0 && memchr(d->piece.p, '\0', d->piece.n);
    bool ok = !d->piece.failed && (!d->out || blob_add(d->out, buf_view(&d->piece), &f->src.err));
    buf_reset(&d->piece);
    return ok;
}

static enum fetch_ready decode_some(struct fetch *f, struct fetch_decode *d)
{
    char raw[DECODE_PIECE];
    uint64_t started = time_mono_ms();
    while (d->at < d->part->end) {
        if (time_mono_ms() - started >= DECODE_MS)
            return FETCH_AGAIN;
        size_t n = d->part->end - d->at < sizeof(raw) ? (size_t)(d->part->end - d->at) : sizeof(raw);
        if (!blob_read(f->src.message, d->at, raw, n, &f->src.err))
            return FETCH_FAILED;
        mime_decoder_feed(&d->decoder, (struct str){raw, n}, &d->piece);
        if (!take_decoded(f, d))
            return FETCH_FAILED;
        d->at += n;
    }
    mime_decoder_finish(&d->decoder, &d->piece);
    if (!take_decoded(f, d) || (d->out && !blob_finish(d->out, &f->src.err)))
        return FETCH_FAILED;
    d->done = true;
    return FETCH_READY;
}

static enum fetch_ready load_binary(struct fetch *f, const struct imap_fetch_item *item, struct fetch_value *v)
{
    struct fetch_decode *d = &f->decodes[item - f->args->items];
    bool sizes = item->kind == IMAP_FETCH_BINARY_SIZE;
    struct mime_range range;
    if (!imap_source_message(&f->src))
        return FETCH_NEEDS_MESSAGE;
    if (!imap_source_structure(&f->src))
        return fail(f, ERR_DISK, "the message cannot be read");
    const struct mime_part *part = item->path_n ? mime_find(f->src.root, item->path, item->path_n) : NULL;
    if (item->path_n > 0 &&
        (!part || !mime_section(f->src.root, item->path, item->path_n, MIME_SECTION_BODY, &range))) {
        v->form = FETCH_FORM_NIL;
        return FETCH_READY;
    }
    v->form = FETCH_FORM_BLOB;
    v->blob = f->src.message;
    v->end = v->size = blob_size(f->src.message);
    if (part) { /* without a part number it is the message as it is */
        if (!d->active && !begin_decode(f, d, part, !sizes))
            return FETCH_UNDECODABLE;
        enum fetch_ready ready = d->done ? FETCH_READY : decode_some(f, d);
        if (ready != FETCH_READY)
            return ready;
        v->blob = d->out;
        v->end = v->size = d->size;
    }
    v->binary = part ? d->has_nul : has_nul(f->src.root);
    if (item->partial) {
        struct mime_range cut_range = {0, v->end};
        imap_render_partial(item, &cut_range);
        v->at = cut_range.at;
        v->end = cut_range.end;
    }
    return FETCH_READY;
}

/* --- all together ----------------------------------------------------------------------------- */

static load_item *const loaders[] = {
    [IMAP_FETCH_UID] = load_nothing,          [IMAP_FETCH_FLAGS] = load_nothing,
    [IMAP_FETCH_INTERNALDATE] = load_nothing, [IMAP_FETCH_RFC822_SIZE] = load_size,
    [IMAP_FETCH_ENVELOPE] = load_envelope,    [IMAP_FETCH_BODYSTRUCTURE] = load_bodystructure,
    [IMAP_FETCH_BODY] = load_bodystructure,   [IMAP_FETCH_MODSEQ] = load_nothing,
    [IMAP_FETCH_SAVEDATE] = load_nothing,     [IMAP_FETCH_EMAILID] = load_nothing,
    [IMAP_FETCH_THREADID] = load_nothing, /* NIL: Exchange's conversations do not span the bridge's accounts */
    [IMAP_FETCH_PREVIEW] = load_preview,      [IMAP_FETCH_SECTION] = load_section,
    [IMAP_FETCH_BINARY] = load_binary,        [IMAP_FETCH_BINARY_SIZE] = load_binary,
};

enum fetch_ready imap_fetch_load(struct fetch *f)
{
    enum fetch_ready worst = FETCH_READY;
    for (size_t i = 0; i < f->args->n; i++) {
        const struct imap_fetch_item *item = &f->args->items[i];
        if (f->values[i].owned)
            continue;
        f->values[i] = (struct fetch_value){0};
        enum fetch_ready ready = loaders[item->kind](f, item, &f->values[i]);
        if (ready == FETCH_FAILED || ready == FETCH_UNDECODABLE)
            return ready;
        if (ready > worst)
            worst = ready;
        if (ready == FETCH_AGAIN)
            break;
    }
    return worst;
}

void imap_fetch_unload(struct fetch *f)
{
    for (size_t i = 0; i < f->args->n; i++) {
        if (f->values[i].owned)
            blob_unref(&f->values[i].blob);
        f->values[i] = (struct fetch_value){0};
        if (f->decodes && f->decodes[i].active) {
            mime_decoder_done(&f->decodes[i].decoder);
            buf_done(&f->decodes[i].piece);
            blob_unref(&f->decodes[i].out);
            f->decodes[i] = (struct fetch_decode){0};
        }
    }
}
