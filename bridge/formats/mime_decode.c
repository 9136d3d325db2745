/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"
#include "bridge/formats/rfc2047.h"

/* ---- transfer encoding ---- */

static const struct {
    const char *name;
    enum mime_encoding encoding;
} encodings[] = {
    {"7bit", MIME_ENC_IDENTITY}, {"8bit", MIME_ENC_IDENTITY},       {"binary", MIME_ENC_IDENTITY},
    {"base64", MIME_ENC_BASE64}, {"quoted-printable", MIME_ENC_QP},
};

enum mime_encoding mime_encoding_of(const struct mime_part *part)
{
    if (!part->encoding.n)
        return MIME_ENC_IDENTITY;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
        if (str_case_is(part->encoding, encodings[i].name))
            return encodings[i].encoding;
    }
    return MIME_ENC_UNKNOWN;
}

enum qp_state { QP_TEXT, QP_EQUALS, QP_HEX, QP_SOFT /* "=" and blanks: a line end should follow */, QP_SOFT_CR };
enum { QP_HELD_MAX = 4096 };

void mime_decoder_init(struct mime_decoder *d, enum mime_encoding encoding)
{
    memset(d, 0, sizeof(*d));
    d->encoding = encoding;
    buf_init(&d->held, QP_HELD_MAX + 2);
}

void mime_decoder_done(struct mime_decoder *d)
{
    buf_done(&d->held);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void release_held(struct mime_decoder *d, struct buf *out)
{
    buf_str(out, buf_view(&d->held));
    buf_reset(&d->held);
}

/* A byte of ordinary text. Blanks wait, because at the end of a line they are not part of it (RFC 2045 6.7 (3)). */
static void qp_text(struct mime_decoder *d, char c, struct buf *out)
{
    if (c == '=') {
        release_held(d, out);
        d->state = QP_EQUALS;
    } else if (c == ' ' || c == '\t' || c == '\r') {
        if (c == '\r' && d->held.n && d->held.p[d->held.n - 1] == '\r')
            release_held(d, out);
        if (d->held.n >= QP_HELD_MAX)
            release_held(d, out);
        buf_byte(&d->held, c);
    } else if (c == '\n') {
        bool cr = d->held.n && d->held.p[d->held.n - 1] == '\r';
        buf_reset(&d->held);
        buf_lit(out, cr ? "\r\n" : "\n");
    } else {
        release_held(d, out);
        buf_byte(out, c);
    }
}

static void qp_byte(struct mime_decoder *d, char c, struct buf *out)
{
    switch ((enum qp_state)d->state) {
    case QP_TEXT:
        qp_text(d, c, out);
        return;
    case QP_EQUALS:
        if (hex_digit(c) >= 0) {
            d->first = c;
            d->state = QP_HEX;
            return;
        }
        d->state = QP_SOFT;
        break;
    case QP_HEX:
        d->state = QP_TEXT;
        if (hex_digit(c) >= 0) {
            buf_byte(out, (char)(hex_digit(d->first) * 16 + hex_digit(c)));
            return;
        }
        d->damaged = true;
        buf_byte(out, '=');
        buf_byte(out, d->first);
        qp_text(d, c, out);
        return;
    case QP_SOFT:
    case QP_SOFT_CR:
        break;
    }
    if (c == '\n') {
        buf_reset(&d->held);
        d->state = QP_TEXT;
    } else if (d->state == QP_SOFT && (c == ' ' || c == '\t' || c == '\r')) {
        d->state = c == '\r' ? QP_SOFT_CR : QP_SOFT;
        if (d->held.n < QP_HELD_MAX)
            buf_byte(&d->held, c);
    } else { /* neither hexadecimal nor a line end: what was there stays as it is */
        d->damaged = true;
        buf_byte(out, '=');
        d->state = QP_TEXT;
        qp_text(d, c, out);
    }
}

static bool is_qp_plain(char c)
{
    return c != '=' && c != ' ' && c != '\t' && c != '\r' && c != '\n';
}

bool mime_decoder_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
    if (d->encoding == MIME_ENC_BASE64) {
        bool ok = text_base64_feed(&d->b64, out, in);
        d->damaged = d->damaged || d->b64.bad;
        return ok;
    }
    if (d->encoding != MIME_ENC_QP)
        return buf_str(out, in);
    for (size_t i = 0; i < in.n && !out->failed;) {
        size_t run = i;
        if (d->state == QP_TEXT && !d->held.n) {
            while (run < in.n && is_qp_plain(in.p[run]))
                run++;
        }
        if (run > i)
            buf_add(out, in.p + i, run - i);
        else
            qp_byte(d, in.p[run++], out);
        i = run;
    }
    return !out->failed;
}

bool mime_decoder_finish(struct mime_decoder *d, struct buf *out)
{
    if (d->encoding == MIME_ENC_QP) {
        if (d->state == QP_HEX) {
            buf_byte(out, '=');
            buf_byte(out, d->first);
        }
        if (d->state != QP_TEXT) /* cut inside "=XY", or a soft line end at the very end */
            d->damaged = d->damaged || d->state == QP_HEX;
        buf_reset(&d->held);
        d->state = QP_TEXT;
    } else if (d->encoding == MIME_ENC_BASE64 && d->b64.count == 1) {
        d->damaged = true;
    }
    return !out->failed;
}

/* ---- text ---- */

enum { TEXT_STEP = 16384 };

void mime_text_init(struct mime_text *t, struct charset_cache *cs, const struct mime_part *part)
{
    mime_decoder_init(&t->decoder, mime_encoding_of(part));
    charset_decoder_init(&t->charset, cs, mime_param_raw(part->params, part->param_count, "charset"));
    buf_init(&t->raw, 4 * TEXT_STEP + QP_HELD_MAX);
}

bool mime_text_feed(struct mime_text *t, struct str in, struct buf *out)
{
    while (in.n && !out->failed) {
        struct str piece = str_sub(in, 0, TEXT_STEP);
        buf_reset(&t->raw);
        mime_decoder_feed(&t->decoder, piece, &t->raw);
        charset_decoder_feed(&t->charset, buf_view(&t->raw), out);
        in = str_skip(in, piece.n);
    }
    return !out->failed;
}

bool mime_text_finish(struct mime_text *t, struct buf *out)
{
    buf_reset(&t->raw);
    mime_decoder_finish(&t->decoder, &t->raw);
    charset_decoder_feed(&t->charset, buf_view(&t->raw), out);
    return charset_decoder_finish(&t->charset, out);
}

void mime_text_done(struct mime_text *t)
{
    mime_decoder_done(&t->decoder);
    charset_decoder_done(&t->charset);
    buf_done(&t->raw);
}

/* ---- parameters for people ---- */

/* charset'language'%XX text */
static struct str decode_extended(struct arena *a, struct charset_cache *cs, struct str value)
{
    struct str charset = STR(""), text = value;
    size_t one = str_find_byte(value, '\'');
    size_t two = one == (size_t)-1 ? one : str_find_byte(str_skip(value, one + 1), '\'');
    if (two != (size_t)-1) {
        charset = str_sub(value, 0, one);
        text = str_skip(value, one + 1 + two + 1);
    }
    struct buf raw = BUF_INIT(0), utf8 = BUF_INIT(0);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && i + 2 < text.n && hex_digit(text.p[i + 1]) >= 0 && hex_digit(text.p[i + 2]) >= 0) {
            buf_byte(&raw, (char)(hex_digit(text.p[i + 1]) * 16 + hex_digit(text.p[i + 2])));
            i += 2;
        } else {
            buf_byte(&raw, text.p[i]);
        }
    }
    charset_to_utf8(cs, charset, buf_view(&raw), &utf8);
    struct str s = arena_str(a, buf_view(&utf8));
    buf_done(&raw);
    buf_done(&utf8);
    return s;
}

bool mime_param_text(struct arena *a, struct charset_cache *cs, const struct mime_param *params, uint32_t count,
                     const char *name, struct str *ret_value)
{
    struct str want = str_from(name);
    const struct mime_param *plain = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct str have = params[i].name;
        if (have.n == want.n + 1 && have.p[want.n] == '*' && str_case_starts(have, want)) {
            *ret_value = decode_extended(a, cs, params[i].value);
            return true;
        }
        if (!plain && str_case_eq(have, want))
            plain = &params[i];
    }
    if (plain)
        *ret_value = header_text(a, cs, plain->value);
    return plain != NULL;
}

bool mime_file_name(struct arena *a, struct charset_cache *cs, const struct mime_part *part, struct str *ret_name)
{
    struct str name;
    if (!mime_param_text(a, cs, part->disposition_params, part->disposition_param_count, "filename", &name) &&
        !mime_param_text(a, cs, part->params, part->param_count, "name", &name))
        return false;
    name = str_trim(name);
    char *p = arena_alloc(a, name.n + 1);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        p[i] = (unsigned char)c < ' ' || c == 127 || c == '/' || c == '\\' || (c == '.' && i == 0) ? '_' : c;
    }
    *ret_name = (struct str){p, name.n};
    return name.n > 0;
}
