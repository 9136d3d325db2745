/* SPDX-License-Identifier: Apache-2.0 */
/* PREVIEW (RFC 8970): the first words of a message. */
#include "bridge/base/text.h"
#include "protocols/imap/imap_render.h"

#define MAX_CHARACTERS 200
#define PIECE          4096
#define MAX_BYTES      (128 << 10) /* of a body that are looked at: HTML mail begins with long style sheets */

/* --- which part -------------------------------------------------------------------------------------------------- */

static const struct mime_part *next_part(const struct mime_part *root, const struct mime_part *p)
{
    if (p->children && p->kind == MIME_MULTIPART)
        return p->children;
    while (p != root && p->next == NULL)
        p = p->parent;
    return p == root ? NULL : p->next;
}

/* The first text that is no attachment; plain rather than HTML. */
static const struct mime_part *choose_part(const struct mime_part *root)
{
    const struct mime_part *html = NULL;
    for (const struct mime_part *p = root; p != NULL; p = next_part(root, p)) {
        if (p->kind != MIME_LEAF || str_case_is(p->disposition, "attachment") || p->end == p->body_at)
            continue;
        if (mime_is(p, "text", "plain"))
            return p;
        if (html == NULL && mime_is(p, "text", "html"))
            html = p;
    }
    return html;
}

/* --- HTML to text ------------------------------------------------------------------------------------------------ */

static const struct str hidden_elements[] = {{"style", 5}, {"script", 6}, {"title", 5}, {"head", 4}};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* s begins with "<": behind this tag, comment, or element without text. */
static struct str skip_tag(struct str s)
{
    if (str_starts(s, STR("<!--"))) {
        size_t end = str_find(str_skip(s, 4), STR("-->"));
        return end == (size_t)-1 ? STR_NULL : str_skip(s, end + 7);
    }
    struct str name = str_skip(s, 1);
    for (size_t i = 0; i < sizeof(hidden_elements) / sizeof(hidden_elements[0]); i++) {
        struct str hidden = hidden_elements[i];
        if (!str_case_starts(name, hidden) || (name.n > hidden.n && is_letter(name.p[hidden.n])))
            continue;
        struct buf end = BUF_INIT(0);
        buf_lit(&end, "</");
        buf_str(&end, hidden);
        size_t at = str_case_find(name, buf_view(&end));
        buf_done(&end);
        if (at == (size_t)-1)
            return STR_NULL;
        s = str_skip(name, at);
        break;
    }
    size_t gt = str_find_byte(s, '>');
    return gt == (size_t)-1 ? STR_NULL : str_skip(s, gt + 1);
}

static uint32_t take_entity(struct str *s)
{
    static const struct {
        const char *name;
        uint32_t c;
    } names[] = {{"amp", '&'},       {"lt", '<'},      {"gt", '>'},    {"quot", '"'},     {"apos", '\''},
                 {"nbsp", ' '},      {"zwnj", ' '},    {"shy", ' '},   {"ndash", 0x2013}, {"mdash", 0x2014},
                 {"hellip", 0x2026}, {"euro", 0x20ac}, {"auml", 0xe4}, {"ouml", 0xf6},    {"uuml", 0xfc},
                 {"szlig", 0xdf},    {"Auml", 0xc4},   {"Ouml", 0xd6}, {"Uuml", 0xdc},    {"eacute", 0xe9},
                 {"egrave", 0xe8},   {"agrave", 0xe0}, {"copy", 0xa9}, {"reg", 0xae}};
    size_t end = str_find_byte(str_sub(*s, 0, 12), ';');
    if (end == (size_t)-1)
        goto plain;
    struct str name = str_sub(*s, 1, end - 1);
    uint32_t c = 0;
    if (name.n > 1 && name.p[0] == '#') {
        bool hex = name.p[1] == 'x' || name.p[1] == 'X';
        for (size_t i = hex ? 2 : 1; i < name.n; i++) {
            char d = name.p[i];
            int v = d >= '0' && d <= '9' ? d - '0' : hex && is_letter(d) ? (d | 32) - 'a' + 10 : 99;
            if (v >= (hex ? 16 : 10))
                goto plain;
            c = c * (hex ? 16 : 10) + (uint32_t)v;
        }
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && c == 0; i++)
        if (str_is(name, names[i].name))
            c = names[i].c;
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        goto plain;
    *s = str_skip(*s, end + 1);
    return c;
plain:
    *s = str_skip(*s, 1);
    return '&';
}

/* --- the words --------------------------------------------------------------------------------------------------- */

static bool is_blank(uint32_t c)
{
    return c <= 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || (c >= 0x2000 && c <= 0x200f) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff || c == 0x34f;
}

static void add_words(struct buf *out, struct str text, bool html)
{
    size_t characters = 0;
    bool blank = false;
    while (text.n > 0 && characters < MAX_CHARACTERS) {
        uint32_t c;
        if (html && text.p[0] == '<') {
            text = skip_tag(text);
            c = ' ';
        } else if (html && text.p[0] == '&') {
            c = take_entity(&text);
        } else {
            c = text_utf8_next(&text);
        }
        if (is_blank(c)) {
            blank = characters > 0;
            continue;
        }
        if (blank && characters + 1 < MAX_CHARACTERS) {
            buf_byte(out, ' ');
            characters++;
        }
        blank = false;
        text_utf8_add(out, c);
        characters++;
    }
}

/* The beginning of the part in UTF-8. */
static bool read_text(struct buf *text, struct charset_cache *cs, const struct mime_part *part,
                      const struct imap_reader *reader)
{
    struct mime_text decoder;
    struct buf piece = BUF_INIT(PIECE);
    bool ok = true;
    mime_text_init(&decoder, cs, part);
    uint64_t end = part->end - part->body_at > MAX_BYTES ? part->body_at + MAX_BYTES : part->end;
    size_t enough = mime_is(part, "text", "html") ? MAX_BYTES : PIECE;
    for (uint64_t at = part->body_at; at < end && ok && text->n < enough; at += PIECE) {
        buf_reset(&piece);
        ok = reader->read(reader->ud, at, end - at < PIECE ? (size_t)(end - at) : PIECE, &piece);
        if (ok)
            mime_text_feed(&decoder, buf_view(&piece), text);
    }
    mime_text_finish(&decoder, text);
    mime_text_done(&decoder);
    buf_done(&piece);
    return ok;
}

bool imap_render_preview(struct buf *out, struct charset_cache *cs, const struct mime_part *root,
                         const struct imap_reader *reader)
{
    const struct mime_part *part = choose_part(root);
    if (part == NULL)
        return true;
    struct buf text = BUF_INIT(8 * MAX_BYTES);
    bool ok = read_text(&text, cs, part, reader);
    if (ok)
        add_words(out, buf_view(&text), mime_is(part, "text", "html"));
    buf_done(&text);
    return ok;
}
