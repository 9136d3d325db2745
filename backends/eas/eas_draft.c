/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_draft.h"

#include "backends/eas/eas_item.h"
#include "backends/eas/eas_wbxml.h"
#include "bridge/base/mem.h"
#include "bridge/formats/address.h"
#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"
#include "bridge/formats/rfc2047.h"

#define FLUSH_SIZE      ((size_t)64 << 10)
#define ADDRESSES_MAX   ((size_t)32768) /* of one field (MS-ASEMAIL 2.2.2.79) */
#define ATTACHMENTS_MAX 250
#define HEADER_MAX      ((size_t)1 << 20)
#define METHOD_FILE     1 /* MS-ASAIRS 2.2.2.31.1 */

struct draft {
    const struct blob *message;
    const char *tmp_dir;
    struct arena arena;
    struct charset_cache *charsets;
    struct mime_part *root;
    const struct mime_part *text; /* NULL: none */
    const struct mime_part *attachments[ATTACHMENTS_MAX];
    size_t attachment_count;
    struct buf buf;
    struct eas_writer w;
    struct blob *out;
    struct err *err;
};

static bool refuse(struct draft *d, const char *why)
{
    return err_set(d->err, ERR_UNSUPPORTED, "Exchange ActiveSync 16.0 cannot store this draft: %s.", why);
}

/* --- what is what ------------------------------------------------------------------------------------------------ */

static bool is_text(const struct mime_part *part)
{
    return part->kind == MIME_LEAF && (mime_is(part, "text", "plain") || mime_is(part, "text", "html"));
}

static bool is_attached(struct draft *d, const struct mime_part *part)
{
    struct str name;

    return str_case_is(part->disposition, "attachment") || mime_file_name(&d->arena, d->charsets, part, &name);
}

static bool take_attachment(struct draft *d, const struct mime_part *part)
{
    if (part->kind == MIME_MESSAGE)
        return refuse(d, "another message is attached to it");
    if (part->kind != MIME_LEAF)
        return refuse(d, "it is put together of parts in a way that the server has no words for");
    if (is_text(part) && !is_attached(d, part))
        return refuse(d, "it has more than one text");
    if (mime_encoding_of(part) == MIME_ENC_UNKNOWN)
        return refuse(d, "an attachment is encoded in a way that is not known");
    if (d->attachment_count == ATTACHMENTS_MAX)
        return refuse(d, "it has too many attachments");
    d->attachments[d->attachment_count++] = part;
    return true;
}

static bool take_attachments(struct draft *d, const struct mime_part *part)
{
    for (; part; part = part->next)
        if (!take_attachment(d, part))
            return false;
    return true;
}

/* The text, with its pictures if it has any. Of two versions the HTML; the server makes the plain one of it. */
static bool take_text(struct draft *d, const struct mime_part *part)
{
    if (is_text(part)) {
        struct str charset = mime_param_raw(part->params, part->param_count, "charset");

        d->text = part;
        if (mime_encoding_of(part) == MIME_ENC_UNKNOWN || (charset.n > 0 && !charset_known(d->charsets, charset)))
            return refuse(d, "its text is encoded in a way that is not known");
        return true;
    }
    if (part->kind == MIME_MULTIPART && part->children && mime_is(part, "multipart", "related"))
        return take_text(d, part->children) && take_attachments(d, part->children->next);
    if (part->kind == MIME_MULTIPART && part->child_count == 2 && mime_is(part, "multipart", "alternative") &&
        is_text(part->children) && mime_is(part->children, "text", "plain"))
        return take_text(d, part->children->next);
    if (mime_is(part, "multipart", "signed") || mime_is(part, "multipart", "encrypted"))
        return refuse(d, "it is signed or encrypted");
    return refuse(d, "it is put together of parts in a way that the server has no words for");
}

static bool take_message(struct draft *d)
{
    const struct mime_part *part = d->root;

    if (part->overflow)
        return refuse(d, "it has too many parts");
    if (mime_is(part, "multipart", "mixed"))
        part = part->children;
    if (!part)
        return true;
    if (part->kind == MIME_LEAF && (!is_text(part) || is_attached(d, part)))
        return take_attachments(d, part);
    return take_text(d, part) && take_attachments(d, part->next);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static bool flush(struct draft *d)
{
    if (d->buf.failed)
        return err_set(d->err, ERR_INVALID, "the draft holds what cannot be sent");
    if (!blob_add(d->out, buf_view(&d->buf), d->err))
        return false;
    buf_reset(&d->buf);
    return true;
}

/* "Name" <address>: the name always quoted, and never an encoded word. */
static void add_address(struct draft *d, struct buf *out, const struct address *a)
{
    struct buf name = BUF_INIT(0);

    rfc2047_decode(d->charsets, a->name, &name);
    if (out->n > 0)
        buf_lit(out, ", ");
    if (name.n > 0) {
        buf_byte(out, '"');
        for (size_t i = 0; i < name.n; i++) {
            if (name.p[i] == '"' || name.p[i] == '\\')
                buf_byte(out, '\\');
            buf_byte(out, name.p[i]);
        }
        buf_lit(out, "\" <");
    }
    address_add_spec(out, a);
    if (name.n > 0)
        buf_byte(out, '>');
    buf_done(&name);
}

static bool write_addresses(struct draft *d, enum eas_tag tag, struct str value)
{
    struct address_list list;
    struct buf text = BUF_INIT(ADDRESSES_MAX);
    bool ok = true;

    address_parse(&d->arena, value, &list);
    for (size_t i = 0; i < list.n && ok; i++) {
        if (list.items[i].kind != ADDRESS_MAILBOX)
            continue;
        if (list.items[i].broken)
            ok = refuse(d, "what stands for a recipient is not an address");
        else
            add_address(d, &text, &list.items[i]);
    }
    if (ok && (text.failed || list.truncated))
        ok = refuse(d, "it has too many recipients");
    if (ok && text.n > 0)
        eas_write_text(&d->w, tag, buf_view(&text));
    buf_done(&text);
    return ok;
}

/* Email:Importance (MS-ASEMAIL 2.2.2.38); -1: not said. */
static int importance(struct str header)
{
    static const struct {
        const char *name, *value;
        int importance;
    } words[] = {{"Importance", "low", 0}, {"Importance", "normal", 1}, {"Importance", "high", 2},
                 {"X-Priority", "1", 2},   {"X-Priority", "2", 2},      {"X-Priority", "3", 1},
                 {"X-Priority", "4", 0},   {"X-Priority", "5", 0}};
    struct str value;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (header_find(header, words[i].name, &value)) {
            struct str word = str_trim(value);

            if (words[i].value[1] == '\0' && word.n > 1) /* "1 (Highest)" */
                word.n = 1;
            if (str_case_is(word, words[i].value))
                return words[i].importance;
        }
    return -1;
}

static bool write_header(struct draft *d)
{
    const struct mime_envelope *e = d->root->envelope;
    size_t size = d->root->body_at < HEADER_MAX ? (size_t)d->root->body_at : HEADER_MAX;
    char *header = arena_array(&d->arena, size + 1, 1);
    struct str subject;
    int important;

    if (!blob_read(d->message, 0, header, size, d->err))
        return false;
    important = importance(str_of(header, size));
    subject = header_text(&d->arena, d->charsets, e->subject);
    if (!write_addresses(d, Email_To, e->to) || !write_addresses(d, Email_Cc, e->cc) ||
        !write_addresses(d, Email2_Bcc, e->bcc) || !write_addresses(d, Email_ReplyTo, e->reply_to))
        return false;
    if (subject.n > 0)
        eas_write_text(&d->w, Email_Subject, subject);
    if (important >= 0)
        eas_write_uint(&d->w, Email_Importance, (unsigned)important);
    return flush(d);
}

/* The bytes of a part's body, in pieces, until fn is not content. */
static bool each_piece(struct draft *d, const struct mime_part *part, bool (*fn)(struct draft *d, void *ud, struct str),
                       void *ud)
{
    char *piece = arena_array(&d->arena, FLUSH_SIZE, 1);

    for (uint64_t at = part->body_at; at < part->end;) {
        size_t n = part->end - at < FLUSH_SIZE ? (size_t)(part->end - at) : FLUSH_SIZE;

        if (!blob_read(d->message, at, piece, n, d->err) || !fn(d, ud, str_of(piece, n)))
            return false;
        at += n;
    }
    return true;
}

/* What text was decoded: there must be no NUL in it, and then it goes to the blob. */
static bool flush_text(struct draft *d)
{
    if (str_find_byte(buf_view(&d->buf), '\0') < d->buf.n)
        return refuse(d, "there are NUL bytes in its text");
    return flush(d);
}

static bool on_text(struct draft *d, void *ud, struct str piece)
{
    return mime_text_feed(ud, piece, &d->buf) && flush_text(d);
}

static bool write_text(struct draft *d)
{
    struct mime_text text;
    bool ok;

    if (!d->text || d->text->body_at == d->text->end) /* there must be no empty elements */
        return true;
    eas_write_open(&d->w, AirSyncBase_Body);
    eas_write_uint(&d->w, AirSyncBase_Type, mime_is(d->text, "text", "html") ? EAS_BODY_HTML : EAS_BODY_TEXT);
    eas_write_text_begin(&d->w, AirSyncBase_Data);
    if (!flush(d))
        return false;
    mime_text_init(&text, d->charsets, d->text);
    ok = each_piece(d, d->text, on_text, &text) && mime_text_finish(&text, &d->buf) && flush_text(d);
    mime_text_done(&text);
    eas_write_text_end(&d->w);
    eas_write_close(&d->w);
    return ok;
}

struct content {
    struct mime_decoder decoder;
    struct blob *blob;
    struct buf out;
};

static bool on_content(struct draft *d, void *ud, struct str piece)
{
    struct content *c = ud;
    bool ok = mime_decoder_feed(&c->decoder, piece, &c->out) && blob_add(c->blob, buf_view(&c->out), d->err);

    buf_reset(&c->out);
    return ok;
}

/* Decoded, for its size has to be said first. */
static struct blob *content_of(struct draft *d, const struct mime_part *part)
{
    struct content c = {.blob = blob_new(d->tmp_dir, blob_size(d->message))};
    bool ok;

    mime_decoder_init(&c.decoder, mime_encoding_of(part));
    ok = each_piece(d, part, on_content, &c) && mime_decoder_finish(&c.decoder, &c.out) &&
         blob_add(c.blob, buf_view(&c.out), d->err) && blob_finish(c.blob, d->err);
    if (ok && c.decoder.damaged)
        ok = refuse(d, "an attachment is damaged");
    mime_decoder_done(&c.decoder);
    buf_done(&c.out);
    if (!ok)
        blob_unref(&c.blob);
    return c.blob;
}

static bool copy_content(void *ud, struct str piece)
{
    struct draft *d = ud;

    return blob_add(d->out, piece, d->err);
}

static bool write_attachment(struct draft *d, size_t number)
{
    const struct mime_part *part = d->attachments[number];
    struct blob *content = content_of(d, part);
    struct str name, id = str_trim(part->id);
    bool ok;

    if (!content)
        return false;
    if (!mime_file_name(&d->arena, d->charsets, part, &name))
        name = arena_printf(&d->arena, "attachment-%zu", number + 1);
    eas_write_open(&d->w, AirSyncBase_Add);
    eas_write_uint(&d->w, AirSyncBase_ClientId, number + 1);
    eas_write_opaque_begin(&d->w, AirSyncBase_Content, blob_size(content));
    ok = flush(d) && blob_each(content, copy_content, d, d->err) && d->err->code == ERR_NONE;
    blob_unref(&content);
    eas_write_opaque_end(&d->w);
    eas_write_text(&d->w, AirSyncBase_DisplayName, name);
    eas_write_uint(&d->w, AirSyncBase_Method, METHOD_FILE);
    if (id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
        id = str_of(id.p + 1, id.n - 2);
    if (id.n > 0)
        eas_write_text(&d->w, AirSyncBase_ContentId, id);
    eas_write_text(&d->w, AirSyncBase_ContentType,
                   arena_printf(&d->arena, "%.*s/%.*s", STR_ARG(part->type), STR_ARG(part->subtype)));
    if (id.n > 0 && str_case_is(part->disposition, "inline"))
        eas_write_uint(&d->w, AirSyncBase_IsInline, 1);
    eas_write_close(&d->w);
    return ok;
}

static bool write_attachments(struct draft *d)
{
    bool ok = true;

    if (d->attachment_count == 0)
        return true;
    eas_write_open(&d->w, AirSyncBase_Attachments);
    for (size_t i = 0; i < d->attachment_count && ok; i++)
        ok = write_attachment(d, i);
    eas_write_close(&d->w);
    return ok;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static bool feed(void *ud, struct str piece)
{
    mime_parser_feed(ud, piece);
    return true;
}

static bool parse(struct draft *d)
{
    struct mime_parser *parser = mime_parser_new(&d->arena, NULL);
    bool ok = blob_each(d->message, feed, parser, d->err);

    d->root = mime_parser_finish(parser);
    mime_parser_free(parser);
    return ok;
}

struct blob *eas_draft_properties(const struct blob *message, const char *tmp_dir, struct err *err)
{
    struct draft *d = MEM_NEW(struct draft);
    struct blob *out;
    bool ok;

    /* Text may grow threefold on its way to UTF-8. */
    *d = (struct draft){.message = message,
                        .tmp_dir = tmp_dir,
                        .charsets = charset_cache_new(),
                        .out = blob_new(tmp_dir, 4 * blob_size(message) + FLUSH_SIZE),
                        .err = err};
    eas_writer_init(&d->w, &d->buf);
    buf_reset(&d->buf); /* not a document */
    ok = parse(d) && take_message(d) && write_header(d) && write_text(d) && write_attachments(d) && flush(d) &&
         blob_finish(d->out, err);
    out = ok ? blob_ref(d->out) : NULL;
    if (!ok && err->code == ERR_NONE)
        err_set(err, ERR_INVALID, "the draft cannot be read");
    blob_unref(&d->out);
    buf_done(&d->buf);
    charset_cache_free(d->charsets);
    arena_done(&d->arena);
    mem_free(d);
    return out;
}
