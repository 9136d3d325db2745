/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "bridge/base/text.h"
#include "bridge/formats/xml.h"

void xml_writer_init(struct xml_writer *w, struct buf *out)
{
    memset(w, 0, sizeof(*w));
    w->out = out;
}

void xml_declaration(struct xml_writer *w)
{
    buf_lit(w->out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
}

static void end_tag(struct xml_writer *w)
{
    if (w->in_tag)
        buf_byte(w->out, '>');
    w->in_tag = false;
}

void xml_open(struct xml_writer *w, const char *name)
{
    assert(w->depth < XML_MAX_DEPTH);
    end_tag(w);
    buf_byte(w->out, '<');
    buf_lit(w->out, name);
    w->open[w->depth++] = name;
    w->in_tag = true;
}

/* Characters that XML 1.0 forbids or discourages, and that Exchange refuses. */
static bool is_dropped(uint32_t c)
{
    if (c < 0x20)
        return c != '\t' && c != '\n' && c != '\r';
    return (c >= 0x7f && c <= 0x9f && c != 0x85) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static const char *escape_of(char c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r': /* would become a line feed */
        return "&#13;";
    case '"':
        return attribute ? "&quot;" : NULL;
    case '\n': /* would become a blank */
        return attribute ? "&#10;" : NULL;
    case '\t':
        return attribute ? "&#9;" : NULL;
    default:
        return NULL;
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '&' && c != '<' && c != '>' && c != '"';
}

static void add_escaped(struct buf *out, struct str s, bool attribute)
{
    while (s.n && !out->failed) {
        size_t run = 0;
        while (run < s.n && is_plain((unsigned char)s.p[run]))
            run++;
        if (run) {
            buf_add(out, s.p, run);
            s = str_skip(s, run);
            continue;
        }
        const char *escape = escape_of(s.p[0], attribute);
        uint32_t c = text_utf8_next(&s);
        if (escape)
            buf_lit(out, escape);
        else if (!is_dropped(c))
            text_utf8_add(out, c);
    }
}

void xml_add_escaped(struct buf *out, struct str text)
{
    add_escaped(out, text, true);
}

void xml_attr(struct xml_writer *w, const char *name, struct str value)
{
    assert(w->in_tag);
    buf_byte(w->out, ' ');
    buf_lit(w->out, name);
    buf_lit(w->out, "=\"");
    add_escaped(w->out, value, true);
    buf_byte(w->out, '"');
}

void xml_attr_lit(struct xml_writer *w, const char *name, const char *value)
{
    xml_attr(w, name, str_from(value));
}

void xml_text(struct xml_writer *w, struct str text)
{
    end_tag(w);
    add_escaped(w->out, text, false);
}

void xml_raw(struct xml_writer *w, struct str xml)
{
    end_tag(w);
    buf_str(w->out, xml);
}

void xml_close(struct xml_writer *w)
{
    assert(w->depth > 0);
    const char *name = w->open[--w->depth];
    if (w->in_tag) {
        buf_lit(w->out, "/>");
        w->in_tag = false;
        return;
    }
    buf_lit(w->out, "</");
    buf_lit(w->out, name);
    buf_byte(w->out, '>');
}

void xml_leaf(struct xml_writer *w, const char *name, struct str text)
{
    xml_open(w, name);
    if (text.n)
        xml_text(w, text);
    xml_close(w);
}

void xml_leaf_lit(struct xml_writer *w, const char *name, const char *text)
{
    xml_leaf(w, name, str_from(text));
}

void xml_leaf_u64(struct xml_writer *w, const char *name, uint64_t value)
{
    xml_open(w, name);
    end_tag(w);
    buf_u64(w->out, value);
    xml_close(w);
}

void xml_base64(struct xml_writer *w, struct xml_base64 *st, struct str bytes)
{
    end_tag(w);
    while (st->n && bytes.n) { /* complete what the last piece left over */
        st->kept[st->n++] = (unsigned char)bytes.p[0];
        bytes = str_skip(bytes, 1);
        if (st->n == 3) {
            text_base64_add(w->out, str_of(st->kept, 3));
            st->n = 0;
        }
    }
    size_t whole = bytes.n - bytes.n % 3;
    text_base64_add(w->out, str_sub(bytes, 0, whole));
    bytes = str_skip(bytes, whole);
    if (bytes.n)
        memcpy(st->kept + st->n, bytes.p, bytes.n);
    st->n += bytes.n;
}

void xml_base64_end(struct xml_writer *w, struct xml_base64 *st)
{
    end_tag(w);
    text_base64_add(w->out, str_of(st->kept, st->n));
    st->n = 0;
}
