/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_scan.h"

#include "bridge/formats/header.h"
#include "bridge/formats/rfc2047.h"
#include "bridge/formats/unicode.h"

#define PIECE ((size_t)64 << 10)

void imap_scan_init(struct imap_scan *s, struct charset_cache *charsets)
{
    *s = (struct imap_scan){.charsets = charsets};
}

void imap_scan_done(struct imap_scan *s)
{
    buf_done(&s->raw);
    buf_done(&s->text);
    buf_done(&s->folded);
}

/* --- header fields ----------------------------------------------------------------------------------------------- */

/* Take folding out: the line end goes, the blank after it stays. */
static void unfold(struct buf *out, struct str value, bool (*add)(struct buf *out, struct str s))
{
    struct str line;
    while (value.n > 0 && str_cut(&value, '\n', &line)) {
        if (value.p != NULL && line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        add(out, line);
    }
}

static void blank_controls(struct buf *b, size_t from)
{
    for (size_t i = from; i < b->n; i++)
        if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7f)
            b->p[i] = ' ';
}

/* The value as people read it (as header_text() gives it, without its allocations), in the comparison form, appended to
 * s->folded. */
static void fold_value(struct imap_scan *s, struct str value)
{
    value = str_trim(value);
    if (!rfc2047_is_encoded(value)) {
        size_t from = s->folded.n;
        unfold(&s->folded, value, unicode_fold_add);
        blank_controls(&s->folded, from);
        return;
    }
    buf_reset(&s->raw);
    buf_reset(&s->text);
    unfold(&s->raw, value, buf_str);
    rfc2047_decode(s->charsets, buf_view(&s->raw), &s->text);
    blank_controls(&s->text, 0);
    unicode_fold_add(&s->folded, str_trim(buf_view(&s->text)));
}

bool imap_scan_field(struct imap_scan *s, struct str header_block, struct str name, struct str folded_needle)
{
    struct header_iter it;
    struct header_field f;
    header_iter_init(&it, header_block);
    while (header_next(&it, &f)) {
        if (f.name.n != name.n || name.n == 0 || !str_case_eq(f.name, name))
            continue;
        if (folded_needle.n == 0)
            return true;
        buf_reset(&s->folded);
        fold_value(s, f.value);
        if (str_find(buf_view(&s->folded), folded_needle) != (size_t)-1)
            return true;
    }
    return false;
}

bool imap_scan_header(struct imap_scan *s, struct str header_block, struct str folded_needle)
{
    struct header_iter it;
    struct header_field f;
    buf_reset(&s->folded);
    header_iter_init(&it, header_block);
    while (header_next(&it, &f)) {
        unicode_fold_add(&s->folded, f.name);
        buf_lit(&s->folded, ": ");
        fold_value(s, f.value);
        buf_byte(&s->folded, '\n');
    }
    return str_find(buf_view(&s->folded), folded_needle) != (size_t)-1;
}

/* --- bodies ----------------------------------------------------------------------------------- */

/* s->folded holds the end of what was looked at before, as long as a match may reach over the cut; add s->text to it.
 */
static bool look(struct imap_scan *s, struct str needle)
{
    unicode_fold_add(&s->folded, buf_view(&s->text));
    buf_reset(&s->text);
    if (str_find(buf_view(&s->folded), needle) != (size_t)-1)
        return true;
    if (s->folded.n >= needle.n)
        buf_consume(&s->folded, s->folded.n - (needle.n - 1));
    return false;
}

static bool scan_body(struct imap_scan *s, const struct mime_part *p, const struct imap_reader *reader,
                      struct str needle, bool *ret_found)
{
    struct mime_text decoder;
    bool ok = true, found = false;
    buf_reset(&s->folded);
    buf_reset(&s->text);
    mime_text_init(&decoder, s->charsets, p);
    for (uint64_t at = p->body_at; at < p->end && ok && !found; at += PIECE) {
        buf_reset(&s->raw);
        ok = reader->read(reader->ud, at, p->end - at < PIECE ? (size_t)(p->end - at) : PIECE, &s->raw);
        if (ok) {
            mime_text_feed(&decoder, buf_view(&s->raw), &s->text);
            found = look(s, needle);
        }
    }
    if (ok && !found) {
        mime_text_finish(&decoder, &s->text);
        found = look(s, needle);
    }
    mime_text_done(&decoder);
    *ret_found = found;
    return ok;
}

static bool scan_part_header(struct imap_scan *s, const struct mime_part *p, const struct imap_reader *reader,
                             struct str needle, bool *ret_found)
{
    *ret_found = false;
    struct buf header = BUF_INIT(0);
    bool ok = p->body_at == p->header_at ||
              reader->read(reader->ud, p->header_at, (size_t)(p->body_at - p->header_at), &header);
    if (ok && header.n > 0)
        *ret_found = imap_scan_header(s, buf_view(&header), needle);
    buf_done(&header);
    return ok;
}

/* text parts, and what delivery reports and the like are made of */
static bool is_searchable(const struct mime_part *p)
{
    return p->kind == MIME_LEAF && (mime_is_text(p) || mime_is(p, "message", NULL));
}

bool imap_scan_message(struct imap_scan *s, const struct mime_part *root, const struct imap_reader *reader,
                       bool headers, struct str folded_needle, bool *ret_found)
{
    bool found = folded_needle.n == 0;
    for (const struct mime_part *p = root; p && !found;) {
        if (headers && p != root && !scan_part_header(s, p, reader, folded_needle, &found))
            return false;
        if (!found && is_searchable(p) && !scan_body(s, p, reader, folded_needle, &found))
            return false;
        if (p->children) {
            p = p->children;
            continue;
        }
        while (p != root && p->next == NULL)
            p = p->parent;
        p = p == root ? NULL : p->next;
    }
    *ret_found = found;
    return true;
}
