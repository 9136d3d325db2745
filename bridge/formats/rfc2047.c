/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/rfc2047.h"

#include "bridge/base/text.h"
#include "bridge/formats/rfc822.h"

/* ---- decoding ---- */

struct decoding {
    struct charset_cache *cs;
    struct buf *out;
    struct buf raw; /* bytes of words of one charset, not converted yet */
    struct str charset;
    bool no_more_ends; /* there is no "?=" ahead, so there are no words */
};

static void flush(struct decoding *d)
{
    if (d->raw.n)
        charset_to_utf8(d->cs, d->charset, buf_view(&d->raw), d->out);
    buf_reset(&d->raw);
    d->charset = STR_NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode_q(struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '=' && i + 2 < in.n && hex_digit(in.p[i + 1]) >= 0 && hex_digit(in.p[i + 2]) >= 0) {
            c = (char)(hex_digit(in.p[i + 1]) * 16 + hex_digit(in.p[i + 2]));
            i += 2;
        } else if (c == '_') {
            c = ' ';
        }
        buf_byte(out, c);
    }
}

struct word {
    struct str charset, text;
    char encoding; /* 'b' or 'q' */
    size_t size;   /* of the whole word */
};

/* An encoded word at the start of s ("=?"). The end is the first "?=" behind the encoding. */
static bool read_word(struct decoding *d, struct str s, struct word *ret)
{
    size_t i = 2;
    while (i < s.n && i < 2 + 64 && s.p[i] != '?' && (unsigned char)s.p[i] > ' ')
        i++;
    if (i + 3 > s.n || i == 2 || s.p[i] != '?' || s.p[i + 2] != '?' || d->no_more_ends)
        return false;
    ret->charset = (struct str){s.p + 2, i - 2};
    ret->encoding = (char)(s.p[i + 1] | 0x20);
    if (ret->encoding != 'b' && ret->encoding != 'q')
        return false;
    struct str text = str_skip(s, i + 3);
    size_t n = str_find(text, STR("?="));
    if (n == (size_t)-1) {
        d->no_more_ends = true;
        return false;
    }
    ret->text = (struct str){text.p, n};
    ret->size = i + 3 + n + 2;
    size_t language = str_find_byte(ret->charset, '*'); /* RFC 2231 5 */
    if (language != (size_t)-1)
        ret->charset.n = language;
    return true;
}

static void take_word(struct decoding *d, const struct word *w)
{
    if (!str_case_eq(w->charset, d->charset))
        flush(d);
    d->charset = w->charset;
    if (w->encoding == 'q') {
        decode_q(w->text, &d->raw);
    } else {
        struct text_base64 b64 = {0};
        text_base64_feed(&b64, &d->raw, w->text);
    }
}

static size_t blanks(struct str s)
{
    size_t n = 0;
    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r' || s.p[n] == '\n'))
        n++;
    return n;
}

/* Text that is not encoded, up to the next "=?". Line ends of folding go. */
static void take_text(struct decoding *d, struct str text)
{
    flush(d);
    while (text.n) {
        size_t n = 0;
        while (n < text.n && text.p[n] != '\r' && text.p[n] != '\n')
            n++;
        charset_to_utf8(d->cs, STR(""), str_sub(text, 0, n), d->out);
        text = str_skip(text, n);
        while (text.n && (text.p[0] == '\r' || text.p[0] == '\n'))
            text = str_skip(text, 1);
    }
}

bool rfc2047_decode(struct charset_cache *cs, struct str in, struct buf *out)
{
    struct decoding d = {.cs = cs, .out = out, .raw = BUF_INIT(0)};
    if (!rfc2047_is_encoded(in) && !memchr(in.p ? in.p : "", '\n', in.n))
        return buf_str(out, in);
    while (in.n && !out->failed) {
        struct word w;
        size_t gap = d.charset.p ? blanks(in) : 0; /* between two words it goes */
        struct str at = str_skip(in, gap);
        if (str_starts(at, STR("=?")) && read_word(&d, at, &w)) {
            take_word(&d, &w);
            in = str_skip(at, w.size);
            continue;
        }
        size_t n = in.n > gap + 1 ? str_find(str_skip(in, gap + 1), STR("=?")) : (size_t)-1;
        n = n == (size_t)-1 || d.no_more_ends ? in.n : n + gap + 1;
        take_text(&d, str_sub(in, 0, n));
        in = str_skip(in, n);
    }
    flush(&d);
    buf_done(&d.raw);
    return !out->failed;
}

bool rfc2047_is_encoded(struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        if ((unsigned char)in.p[i] >= 128 || (in.p[i] == '=' && i + 1 < in.n && in.p[i + 1] == '?'))
            return true;
    }
    return false;
}

/* ---- encoding ---- */

enum { WORD_MAX = 75, LINE_MAX = 76, UTF8_OVERHEAD = 12 /* =?utf-8?b??= */ };

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] >= 127)
            return false;
    }
    return str_find(s, STR("=?")) == (size_t)-1;
}

static bool is_q_plain(unsigned char c) /* what a phrase allows (RFC 2047 5 (3)) */
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!*+-/", c));
}

static size_t q_cost(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += is_q_plain((unsigned char)s.p[i]) || s.p[i] == ' ' ? 1 : 3;
    return n;
}

static void add_q(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == ' ')
            buf_byte(out, '_');
        else if (is_q_plain(c))
            buf_byte(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
    }
}

/* UTF-8 without control characters. */
static struct str make_clean(struct arena *a, struct str s)
{
    s = text_utf8_repair(a, s);
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (unsigned char)s.p[i] < ' ' || s.p[i] == 127 ? ' ' : s.p[i];
    return (struct str){p, s.n};
}

static void fold(struct buf *out, size_t *column)
{
    buf_lit(out, "\r\n ");
    *column = 1;
}

static void add_words(struct buf *out, struct str s, size_t column)
{
    bool use_q = q_cost(s) <= TEXT_BASE64_SIZE(s.n);
    bool first = true;
    while (s.n) {
        if (!first)
            fold(out, &column);
        else if (column + UTF8_OVERHEAD + 12 > WORD_MAX)
            fold(out, &column);
        first = false;
        size_t room = (size_t)WORD_MAX - UTF8_OVERHEAD - column, n = 0;
        for (;;) { /* whole characters while they fit */
            struct str rest = str_skip(s, n);
            if (!rest.n)
                break;
            struct str next = rest;
            text_utf8_next(&next);
            size_t more = rest.n - next.n;
            struct str piece = {s.p, n + more};
            if (n && (use_q ? q_cost(piece) : TEXT_BASE64_SIZE(piece.n)) > room)
                break;
            n += more;
        }
        buf_lit(out, use_q ? "=?utf-8?q?" : "=?utf-8?b?");
        if (use_q)
            add_q(out, str_sub(s, 0, n));
        else
            text_base64_add(out, str_sub(s, 0, n));
        buf_lit(out, "?=");
        s = str_skip(s, n);
    }
}

/* ASCII, folded before words that would pass the end of the line. */
static void add_folded(struct buf *out, struct str s, size_t column)
{
    while (s.n) {
        size_t n = 0;
        while (n < s.n && s.p[n] == ' ')
            n++;
        size_t gap = n;
        while (n < s.n && s.p[n] != ' ')
            n++;
        if (gap && n > gap && column > 1 && column + n > LINE_MAX) {
            buf_lit(out, "\r\n");
            column = 0;
        }
        buf_add(out, s.p, n);
        column += n;
        s = str_skip(s, n);
    }
}

void rfc2047_add_text(struct buf *out, struct str utf8, size_t column)
{
    struct arena a = {0};
    utf8 = make_clean(&a, utf8);
    if (is_plain(utf8))
        add_folded(out, utf8, column);
    else
        add_words(out, utf8, column);
    arena_done(&a);
}

static bool is_atoms(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ' ' ? i == 0 || i + 1 == s.n || s.p[i + 1] == ' ' : !rfc822_is_atom_byte(s.p[i]))
            return false;
    }
    return s.n > 0;
}

void rfc2047_add_phrase(struct buf *out, struct str utf8, size_t column)
{
    struct arena a = {0};
    utf8 = make_clean(&a, utf8);
    if (!is_plain(utf8)) {
        add_words(out, utf8, column);
    } else if (is_atoms(utf8)) {
        buf_str(out, utf8);
    } else {
        buf_byte(out, '"');
        for (size_t i = 0; i < utf8.n; i++) {
            if (utf8.p[i] == '"' || utf8.p[i] == '\\')
                buf_byte(out, '\\');
            buf_byte(out, utf8.p[i]);
        }
        buf_byte(out, '"');
    }
    arena_done(&a);
}

static bool is_attribute_byte(unsigned char c) /* RFC 2231 7, attribute-char */
{
    return c < 127 && rfc822_is_token_byte((char)c) && c != '*' && c != '\'' && c != '%';
}

void rfc2231_add_param(struct buf *out, const char *name, struct str utf8)
{
    struct arena a = {0};
    utf8 = make_clean(&a, utf8);
    enum { PIECE = 54 };
    if (is_plain(utf8) && utf8.n <= PIECE) {
        buf_printf(out, ";\r\n %s=\"", name);
        for (size_t i = 0; i < utf8.n; i++) {
            if (utf8.p[i] == '"' || utf8.p[i] == '\\')
                buf_byte(out, '\\');
            buf_byte(out, utf8.p[i]);
        }
        buf_byte(out, '"');
        arena_done(&a);
        return;
    }
    struct buf value = BUF_INIT(0);
    for (size_t i = 0; i < utf8.n; i++) {
        unsigned char c = (unsigned char)utf8.p[i];
        if (is_attribute_byte(c))
            buf_byte(&value, (char)c);
        else
            buf_printf(&value, "%%%02X", c);
    }
    struct str rest = buf_view(&value);
    bool pieces = rest.n > PIECE;
    for (unsigned i = 0; i == 0 || rest.n; i++) {
        size_t n = rest.n < PIECE ? rest.n : PIECE;
        while (n < rest.n && n && (rest.p[n - 1] == '%' || (n > 1 && rest.p[n - 2] == '%')))
            n--; /* not inside %XX */
        buf_printf(out, pieces ? ";\r\n %s*%u*=" : ";\r\n %s*=", name, i);
        if (i == 0)
            buf_lit(out, "utf-8''");
        buf_add(out, rest.p, n);
        rest = str_skip(rest, n);
    }
    buf_done(&value);
    arena_done(&a);
}
