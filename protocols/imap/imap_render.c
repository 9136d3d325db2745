/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_render.h"

#include "bridge/formats/address.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_write.h"

#define MAX_ESCAPES 4 /* with more to escape a literal is shorter to read (Dovecot's number) */

/* --- strings ----------------------------------------------------------------------------------------------------- */

/* Quoted where it can be, as Dovecot does it: any 7-bit byte but CR and LF. */
static void render_string(struct buf *out, struct str s)
{
    size_t escapes = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        escapes += c == '"' || c == '\\';
        if (c >= 0x80 || c == '\r' || c == '\n' || c == '\0' || escapes > MAX_ESCAPES) {
            imap_write_literal(out, s);
            return;
        }
    }
    buf_byte(out, '"');
    if (escapes == 0) {
        buf_str(out, s);
    } else {
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] == '"' || s.p[i] == '\\')
                buf_byte(out, '\\');
            buf_byte(out, s.p[i]);
        }
    }
    buf_byte(out, '"');
}

/* For people's eyes (subjects, display names): white space in it is one blank, and none around it. */
static void render_words(struct buf *out, struct str s)
{
    if (s.p == NULL) {
        buf_lit(out, "NIL");
        return;
    }
    bool clean = true, blank = true;
    for (size_t i = 0; i < s.n && clean; i++) {
        char c = s.p[i];
        clean = c != '\t' && c != '\r' && c != '\n' && !(c == ' ' && blank);
        blank = c == ' ';
    }
    if (clean && (!blank || s.n == 0)) {
        render_string(out, s);
        return;
    }
    struct buf words = BUF_INIT(0);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c != '\t' && c != '\r' && c != '\n' && c != ' ')
            buf_byte(&words, c);
        else if (words.n > 0 && words.p[words.n - 1] != ' ')
            buf_byte(&words, ' ');
    }
    if (words.n > 0 && words.p[words.n - 1] == ' ')
        words.n--;
    render_string(out, buf_view(&words));
    buf_done(&words);
}

static void render_nstring(struct buf *out, struct str s)
{
    if (s.p == NULL)
        buf_lit(out, "NIL");
    else
        render_string(out, s);
}

/* --- ENVELOPE ---------------------------------------------------------------------------------------------------- */

static void render_address(struct buf *out, const struct address *a)
{
    buf_byte(out, '(');
    render_words(out, a->name);
    buf_byte(out, ' ');
    render_nstring(out, a->route);
    buf_byte(out, ' ');
    render_nstring(out, a->mailbox);
    buf_byte(out, ' ');
    render_nstring(out, a->host);
    buf_byte(out, ')');
}

/* False, and nothing written, when there is no address in it. */
static bool render_addresses(struct buf *out, struct arena *arena, struct str value)
{
    if (value.p == NULL)
        return false;
    struct address_list list;
    address_parse(arena, value, &list);
    if (list.n == 0)
        return false;
    buf_byte(out, '(');
    for (size_t i = 0; i < list.n; i++)
        render_address(out, &list.items[i]);
    buf_byte(out, ')');
    return true;
}

/* Without an address: what is in `out` already, n bytes at `from`, once more. */
static void render_addresses_or(struct buf *out, struct arena *arena, struct str value, size_t from, size_t n)
{
    buf_byte(out, ' ');
    if (render_addresses(out, arena, value))
        return;
    char *to = buf_room(out, n);
    if (to == NULL)
        return;
    memcpy(to, out->p + from, n);
    out->n += n;
}

void imap_render_envelope(struct buf *out, const struct mime_envelope *e)
{
    struct arena arena = {0};
    buf_byte(out, '(');
    render_nstring(out, e->date);
    buf_byte(out, ' ');
    render_words(out, e->subject);
    buf_byte(out, ' ');
    /* RFC 3501 7.4.2: Sender and Reply-To are From's when they are absent or empty. */
    size_t from = out->n;
    if (!render_addresses(out, &arena, e->from))
        buf_lit(out, "NIL");
    size_t from_n = out->n - from;
    render_addresses_or(out, &arena, e->sender, from, from_n);
    render_addresses_or(out, &arena, e->reply_to, from, from_n);
    const struct str others[] = {e->to, e->cc, e->bcc};
    for (size_t i = 0; i < 3; i++) {
        buf_byte(out, ' ');
        if (!render_addresses(out, &arena, others[i]))
            buf_lit(out, "NIL");
    }
    buf_byte(out, ' ');
    render_nstring(out, e->in_reply_to);
    buf_byte(out, ' ');
    render_nstring(out, e->message_id);
    buf_byte(out, ')');
    arena_done(&arena);
}

void imap_render_envelope_of(struct buf *out, struct str header_block)
{
    struct arena a = {0};
    struct mime_envelope envelope;
    mime_envelope_parse(&a, header_block, &envelope);
    imap_render_envelope(out, &envelope);
    arena_done(&a);
}

/* --- BODY and BODYSTRUCTURE -------------------------------------------------------------------------------------- */

/* A text part without a charset has this one (RFC 2045 5.2), and clients are told so. */
static void render_params(struct buf *out, const struct mime_param *params, size_t n, bool default_charset)
{
    if (n == 0 && !default_charset) {
        buf_lit(out, "NIL");
        return;
    }
    buf_byte(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_byte(out, ' ');
        default_charset = default_charset && !str_case_is(params[i].name, "charset");
        render_string(out, params[i].name);
        buf_byte(out, ' ');
        render_string(out, params[i].value);
    }
    if (default_charset) {
        if (n > 0)
            buf_byte(out, ' ');
        buf_lit(out, "\"charset\" \"us-ascii\"");
    }
    buf_byte(out, ')');
}

static void render_extension(struct buf *out, const struct mime_part *p)
{
    if (p->disposition.p == NULL) {
        buf_lit(out, " NIL");
    } else {
        buf_lit(out, " (");
        render_string(out, p->disposition);
        buf_byte(out, ' ');
        render_params(out, p->disposition_params, p->disposition_param_count, false);
        buf_byte(out, ')');
    }
    if (p->language_count == 0) {
        buf_lit(out, " NIL ");
    } else {
        for (size_t i = 0; i < p->language_count; i++) {
            buf_lit(out, i ? " " : " (");
            render_string(out, p->languages[i]);
        }
        buf_lit(out, ") ");
    }
    render_nstring(out, p->location);
}

/* What comes after the parts of a multipart. */
static void render_multipart_end(struct buf *out, const struct mime_part *p, bool extended)
{
    /* A multipart has at least one part in the grammar, whatever the message has. */
    if (p->children == NULL) {
        buf_lit(out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
        buf_lit(out, extended ? " NIL NIL NIL NIL)" : ")");
    }
    buf_byte(out, ' ');
    render_string(out, p->subtype);
    if (!extended)
        return;
    buf_byte(out, ' ');
    render_params(out, p->params, p->param_count, false);
    render_extension(out, p);
}

/* RFC 3501 gives message/rfc822 an envelope and a body and no other type; message/global has them since RFC 9051, and a
 * client that knows RFC 3501 alone would stumble over them. */
static bool is_message(const struct mime_part *p)
{
    return p->kind == MIME_MESSAGE && str_case_is(p->subtype, "rfc822");
}

/* Up to the size, which every part that is no multipart has. */
static void render_leaf_begin(struct buf *out, const struct mime_part *p)
{
    render_string(out, p->type);
    buf_byte(out, ' ');
    render_string(out, p->subtype);
    buf_byte(out, ' ');
    render_params(out, p->params, p->param_count, mime_is_text(p));
    buf_byte(out, ' ');
    render_nstring(out, p->id);
    buf_byte(out, ' ');
    render_nstring(out, p->description);
    buf_byte(out, ' ');
    if (p->encoding.p)
        render_string(out, p->encoding);
    else
        buf_lit(out, "\"7bit\"");
    buf_byte(out, ' ');
    buf_u64(out, p->end - p->body_at);
}

static void render_leaf_end(struct buf *out, const struct mime_part *p, bool extended)
{
    if (mime_is_text(p) || is_message(p)) {
        buf_byte(out, ' ');
        buf_u64(out, p->body_lines);
    }
    if (!extended)
        return;
    buf_byte(out, ' ');
    render_nstring(out, p->md5);
    render_extension(out, p);
}

static void enter_part(struct buf *out, const struct mime_part *p)
{
    buf_byte(out, '(');
    if (p->kind == MIME_MULTIPART)
        return;
    render_leaf_begin(out, p);
    if (!is_message(p))
        return;
    buf_byte(out, ' ');
    imap_render_envelope(out, p->children->envelope);
    buf_byte(out, ' ');
}

static void leave_part(struct buf *out, const struct mime_part *p, bool extended)
{
    if (p->kind == MIME_MULTIPART)
        render_multipart_end(out, p, extended);
    else
        render_leaf_end(out, p, extended);
    buf_byte(out, ')');
}

void imap_render_body(struct buf *out, const struct mime_part *root, bool extended)
{
    const struct mime_part *p = root;
    enter_part(out, p);
    while (p != NULL) { /* depth first, without recursion */
        if (p->children && (p->kind == MIME_MULTIPART || is_message(p))) {
            p = p->children;
            enter_part(out, p);
            continue;
        }
        leave_part(out, p, extended);
        while (p != root && p->next == NULL) {
            p = p->parent;
            leave_part(out, p, extended);
        }
        if (p == root)
            return;
        p = p->next;
        enter_part(out, p);
    }
}

/* --- sections ---------------------------------------------------------------------------------------------------- */

bool imap_render_section(const struct mime_part *root, const struct imap_fetch_item *item, struct mime_range *ret_range)
{
    static const enum mime_section sections[] = {
        [IMAP_SECTION_ALL] = MIME_SECTION_BODY,      [IMAP_SECTION_HEADER] = MIME_SECTION_HEADER,
        [IMAP_SECTION_FIELDS] = MIME_SECTION_HEADER, [IMAP_SECTION_FIELDS_NOT] = MIME_SECTION_HEADER,
        [IMAP_SECTION_TEXT] = MIME_SECTION_TEXT,     [IMAP_SECTION_MIME] = MIME_SECTION_MIME,
    };
    return mime_section(root, item->path, item->path_n, sections[item->section], ret_range);
}

void imap_render_partial(const struct imap_fetch_item *item, struct mime_range *range)
{
    if (!item->partial)
        return;
    uint64_t size = range->end - range->at;
    uint64_t offset = item->offset < size ? item->offset : size;
    uint64_t count = item->count < size - offset ? item->count : size - offset;
    range->at += offset;
    range->end = range->at + count;
}
