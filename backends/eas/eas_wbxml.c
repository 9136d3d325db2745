/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_wbxml.h"

#include <inttypes.h>

enum state { HEADER, CONTENT, PAGE, STRING, LENGTH, OPAQUE, TRAILER };

enum token { TOKEN_SWITCH_PAGE = 0x00, TOKEN_END = 0x01, TOKEN_STR_I = 0x03, TOKEN_OPAQUE = 0xC3 };

#define HAS_CONTENT    0x40
#define HAS_ATTRIBUTES 0x80

/* WBXML 1.3, public identifier 1 (unknown), UTF-8 (106), string table of no bytes. */
static const uint8_t header[] = {0x03, 0x01, 0x6A, 0x00};

static bool bad(const struct eas_wbxml *d, struct err *err, const char *what)
{
    return err_set(err, ERR_PROTOCOL, "ActiveSync answer is not valid WBXML: %s at byte %" PRIu64, what, d->offset);
}

void eas_wbxml_init(struct eas_wbxml *d, const struct eas_wbxml_events *events, void *ud)
{
    *d = (struct eas_wbxml){.events = events, .ud = ud, .state = HEADER};
}

static bool close_element(struct eas_wbxml *d, struct err *err)
{
    d->depth--;
    if (d->depth == 0)
        d->state = TRAILER;
    return d->events->on_close(d->ud, err);
}

static bool feed_tag(struct eas_wbxml *d, uint8_t byte, struct err *err)
{
    unsigned token = byte & EAS_TOKEN_MAX;

    if ((byte & HAS_ATTRIBUTES) || token < EAS_TOKEN_MIN)
        return bad(d, err, "a token that ActiveSync does not use");
    if (d->depth == EAS_WBXML_DEPTH)
        return bad(d, err, "elements nested too deeply");
    d->depth++;
    if (!d->events->on_open(d->ud, (unsigned)d->page << 8 | token, err))
        return false;
    return (byte & HAS_CONTENT) ? true : close_element(d, err);
}

static bool feed_content(struct eas_wbxml *d, uint8_t byte, struct err *err)
{
    switch (byte) {
    case TOKEN_SWITCH_PAGE:
        d->state = PAGE;
        return true;
    case TOKEN_END:
        return d->depth ? close_element(d, err) : bad(d, err, "END without an element");
    case TOKEN_STR_I:
        d->state = STRING;
        return d->depth ? true : bad(d, err, "text outside of the root element");
    case TOKEN_OPAQUE:
        d->state = LENGTH;
        d->number = 0;
        d->count = 0;
        return d->depth ? true : bad(d, err, "data outside of the root element");
    default:
        return feed_tag(d, byte, err);
    }
}

/* mb_u_int32: seven bits a byte, most significant first, at most five bytes. */
static bool feed_length(struct eas_wbxml *d, uint8_t byte, struct err *err)
{
    if (++d->count > 5 || d->number > UINT32_MAX >> 7)
        return bad(d, err, "a length over 32 bits");
    d->number = d->number << 7 | (byte & 0x7F);
    if (!(byte & 0x80))
        d->state = d->number ? OPAQUE : CONTENT;
    return true;
}

static bool feed_byte(struct eas_wbxml *d, uint8_t byte, struct err *err)
{
    switch ((enum state)d->state) {
    case HEADER:
        if (byte != header[d->count])
            return err_set(err, ERR_PROTOCOL, "the server's answer is not WBXML (a web page or a proxy's error page?)");
        if (++d->count == sizeof(header))
            d->state = CONTENT;
        return true;
    case CONTENT:
        return feed_content(d, byte, err);
    case PAGE:
        d->page = byte;
        d->state = CONTENT;
        return true;
    case LENGTH:
        return feed_length(d, byte, err);
    case TRAILER:
        return bad(d, err, "bytes after the root element");
    case STRING:
    case OPAQUE:
        break;
    }
    return bad(d, err, "an impossible state");
}

/* As much text as is there; returns the number of bytes taken, terminator included, or 0 after an error. */
static size_t feed_text(struct eas_wbxml *d, struct str bytes, struct err *err)
{
    struct str text = bytes;
    size_t taken;

    if (d->state == STRING) {
        size_t nul = str_find_byte(bytes, '\0');

        text.n = nul < bytes.n ? nul : bytes.n;
        taken = nul < bytes.n ? nul + 1 : bytes.n;
        if (nul < bytes.n)
            d->state = CONTENT;
    } else {
        text.n = d->number < bytes.n ? d->number : bytes.n;
        taken = text.n;
        d->number -= (uint32_t)taken;
        if (d->number == 0)
            d->state = CONTENT;
    }
    return text.n == 0 || d->events->on_text(d->ud, text, err) ? taken : 0;
}

bool eas_wbxml_feed(struct eas_wbxml *d, struct str bytes, struct err *err)
{
    while (bytes.n > 0) {
        size_t taken = 1;

        if (d->state == STRING || d->state == OPAQUE) {
            taken = feed_text(d, bytes, err);
            if (taken == 0)
                return false;
        } else if (!feed_byte(d, (uint8_t)bytes.p[0], err)) {
            return false;
        }
        d->offset += taken;
        bytes = str_skip(bytes, taken);
    }
    return true;
}

bool eas_wbxml_end(const struct eas_wbxml *d, struct err *err)
{
    return d->state == TRAILER ? true : bad(d, err, "the document is cut short");
}

/* --- encoder ----------------------------------------------------------------------------------------------------- */

void eas_writer_init(struct eas_writer *w, struct buf *out)
{
    *w = (struct eas_writer){.out = out};
    buf_add(out, header, sizeof(header));
}

static void write_tag(struct eas_writer *w, enum eas_tag tag, unsigned content)
{
    uint8_t page = (uint8_t)((unsigned)tag >> 8);

    if (page != w->page) {
        buf_byte(w->out, TOKEN_SWITCH_PAGE);
        buf_byte(w->out, (char)page);
        w->page = page;
    }
    buf_byte(w->out, (char)(((unsigned)tag & EAS_TOKEN_MAX) | content));
}

void eas_write_open(struct eas_writer *w, enum eas_tag tag)
{
    if (w->depth == EAS_WBXML_DEPTH) {
        w->out->failed = true;
        return;
    }
    w->depth++;
    write_tag(w, tag, HAS_CONTENT);
}

void eas_write_close(struct eas_writer *w)
{
    if (w->depth == 0) {
        w->out->failed = true;
        return;
    }
    w->depth--;
    buf_byte(w->out, TOKEN_END);
}

void eas_write_empty(struct eas_writer *w, enum eas_tag tag)
{
    write_tag(w, tag, 0);
}

void eas_write_text(struct eas_writer *w, enum eas_tag tag, struct str text)
{
    if (text.n == 0) {
        eas_write_empty(w, tag);
        return;
    }
    if (str_find_byte(text, '\0') < text.n) {
        w->out->failed = true;
        return;
    }
    write_tag(w, tag, HAS_CONTENT);
    buf_byte(w->out, TOKEN_STR_I);
    buf_str(w->out, text);
    buf_byte(w->out, '\0');
    buf_byte(w->out, TOKEN_END);
}

void eas_write_uint(struct eas_writer *w, enum eas_tag tag, uint64_t n)
{
    struct buf digits = BUF_INIT(32);

    buf_u64(&digits, n);
    eas_write_text(w, tag, buf_view(&digits));
    buf_done(&digits);
}

void eas_write_opaque_begin(struct eas_writer *w, enum eas_tag tag, uint64_t size)
{
    if (size > UINT32_MAX) {
        w->out->failed = true;
        return;
    }
    write_tag(w, tag, HAS_CONTENT);
    buf_byte(w->out, (char)TOKEN_OPAQUE);
    for (int shift = 28; shift > 0; shift -= 7)
        if (size >> shift)
            buf_byte(w->out, (char)(0x80 | ((size >> shift) & 0x7F)));
    buf_byte(w->out, (char)(size & 0x7F));
}

void eas_write_opaque_end(struct eas_writer *w)
{
    buf_byte(w->out, TOKEN_END);
}

void eas_write_opaque(struct eas_writer *w, enum eas_tag tag, struct str bytes)
{
    eas_write_opaque_begin(w, tag, bytes.n);
    buf_str(w->out, bytes);
    eas_write_opaque_end(w);
}

void eas_write_text_begin(struct eas_writer *w, enum eas_tag tag)
{
    write_tag(w, tag, HAS_CONTENT);
    buf_byte(w->out, TOKEN_STR_I);
}

void eas_write_text_end(struct eas_writer *w)
{
    buf_byte(w->out, '\0');
    buf_byte(w->out, TOKEN_END);
}
