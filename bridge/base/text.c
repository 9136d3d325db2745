/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/text.h"

/* --- base64 -------------------------------------------------------------------------------------- */

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { B64_BAD = 0x80, B64_SPACE = 0x81, B64_PAD = 0x82 }; /* anything with the top bit is not a sextet */

#define BAD8  B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD
#define BAD64 BAD8, BAD8, BAD8, BAD8, BAD8, BAD8, BAD8, BAD8
/* clang-format off */
static const unsigned char base64_values[256] = {
    B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD,
    B64_BAD, B64_SPACE, B64_SPACE, B64_SPACE, B64_SPACE, B64_SPACE, B64_BAD, B64_BAD,
    BAD8, BAD8,
    B64_SPACE, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD,
    B64_BAD, B64_BAD, B64_BAD, 62, B64_BAD, B64_BAD, B64_BAD, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, B64_BAD, B64_BAD, B64_BAD, B64_PAD, B64_BAD, B64_BAD,
    B64_BAD, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD,
    B64_BAD, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, B64_BAD, B64_BAD, B64_BAD, B64_BAD, B64_BAD,
    BAD64, BAD64,
};
/* clang-format on */

static unsigned char base64_value(char c)
{
    return base64_values[(unsigned char)c];
}

bool text_base64_add(struct buf *out, struct str in)
{
    if (in.n > SIZE_MAX / 2)
        return false;
    size_t size = TEXT_BASE64_SIZE(in.n);
    char *to = buf_room(out, size);
    if (!to)
        return false;
    const unsigned char *p = (const unsigned char *)in.p;
    size_t n = in.n;
    for (; n >= 3; n -= 3, p += 3, to += 4) {
        unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        to[0] = base64_alphabet[v >> 18];
        to[1] = base64_alphabet[v >> 12 & 63];
        to[2] = base64_alphabet[v >> 6 & 63];
        to[3] = base64_alphabet[v & 63];
    }
    if (n) {
        unsigned v = (unsigned)p[0] << 16 | (n == 2 ? (unsigned)p[1] << 8 : 0);
        to[0] = base64_alphabet[v >> 18];
        to[1] = base64_alphabet[v >> 12 & 63];
        to[2] = n == 2 ? base64_alphabet[v >> 6 & 63] : '=';
        to[3] = '=';
    }
    out->n += size;
    return true;
}

bool text_base64_decode(struct buf *out, struct str in)
{
    if (in.n % 4)
        return false;
    size_t size = in.n / 4 * 3;
    if (size && in.p[in.n - 1] == '=')
        size -= in.p[in.n - 2] == '=' ? 2 : 1;
    char *to = buf_room(out, size);
    if (!to)
        return false;
    for (size_t i = 0, left = size; i < in.n; i += 4) {
        unsigned a = base64_value(in.p[i]), b = base64_value(in.p[i + 1]), c = base64_value(in.p[i + 2]),
                 d = base64_value(in.p[i + 3]);
        if (left < 3) { /* the padding counts as zero bits, and the bits it leaves over must be zero (RFC 4648 3.5) */
            d = 0;
            c = left == 1 ? 0 : c;
        }
        if ((a | b | c | d) & 0x80)
            return false;
        unsigned v = a << 18 | b << 12 | c << 6 | d;
        if (left < 3 && v & (left == 1 ? 0xffff : 0xff))
            return false;
        to[0] = (char)(v >> 16);
        if (left > 1)
            to[1] = (char)(v >> 8);
        if (left > 2)
            to[2] = (char)v;
        size_t made = left < 3 ? left : 3;
        to += made;
        left -= made;
    }
    out->n += size;
    return true;
}

bool text_base64url_add(struct buf *out, struct str in)
{
    size_t from = out->n;
    if (!text_base64_add(out, in))
        return false;
    while (out->n > from && out->p[out->n - 1] == '=')
        out->n--;
    for (size_t i = from; i < out->n; i++)
        out->p[i] = out->p[i] == '+' ? '-' : out->p[i] == '/' ? '_' : out->p[i];
    return true;
}

bool text_base64url_decode(struct buf *out, struct str in)
{
    struct buf plain = BUF_INIT(in.n + 4);
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '+' || in.p[i] == '/' || in.p[i] == '=')
            break; /* of the other alphabet */
        buf_byte(&plain, (char)(in.p[i] == '-' ? '+' : in.p[i] == '_' ? '/' : in.p[i]));
    }
    bool ok = plain.n == in.n;
    while (plain.n % 4)
        buf_byte(&plain, '=');
    ok = ok && text_base64_decode(out, buf_view(&plain));
    buf_wipe(&plain);
    return ok;
}

static void base64_one(struct text_base64 *d, char **to, char c)
{
    unsigned v = base64_value(c);
    if (v == B64_SPACE)
        return;
    if (v == B64_PAD) {
        if (d->count < 2 && !d->ended)
            d->bad = true;
        d->ended = true;
        return;
    }
    if (v == B64_BAD || d->ended) {
        d->bad = true;
        return;
    }
    d->bits = d->bits << 6 | v;
    /* A byte goes out as soon as its bits are here: the end may come without padding. */
    switch (d->count) {
    case 1:
        *(*to)++ = (char)(d->bits >> 4);
        break;
    case 2:
        *(*to)++ = (char)(d->bits >> 2);
        break;
    case 3:
        *(*to)++ = (char)d->bits;
        break;
    }
    d->count = (d->count + 1) & 3;
}

bool text_base64_feed(struct text_base64 *d, struct buf *out, struct str in)
{
    char *start = buf_room(out, in.n / 4 * 3 + 3), *to = start;
    if (!start)
        return false;
    const char *p = in.p, *end = in.p + in.n;
    while (p < end) {
        if (d->count == 0 && !d->ended) {
            while (end - p >= 4) {
                unsigned a = base64_value(p[0]), b = base64_value(p[1]), c = base64_value(p[2]), e = base64_value(p[3]);
                if ((a | b | c | e) & 0x80)
                    break;
                unsigned v = a << 18 | b << 12 | c << 6 | e;
                to[0] = (char)(v >> 16);
                to[1] = (char)(v >> 8);
                to[2] = (char)v;
                to += 3;
                p += 4;
            }
            if (p == end)
                break;
        }
        base64_one(d, &to, *p++);
    }
    out->n += (size_t)(to - start);
    return true;
}

/* --- hexadecimal and percent-encoding ------------------------------------------------------------ */

static const char hex_lower[] = "0123456789abcdef", hex_upper[] = "0123456789ABCDEF";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void text_hex_add(struct buf *out, struct str in)
{
    if (in.n > SIZE_MAX / 2 || !buf_room(out, in.n * 2)) {
        out->failed = true;
        return;
    }
    char *to = out->p + out->n;
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        *to++ = hex_lower[c >> 4];
        *to++ = hex_lower[c & 15];
    }
    out->n += in.n * 2;
}

bool text_hex_decode(struct buf *out, struct str in)
{
    char *to = in.n % 2 ? NULL : buf_room(out, in.n / 2);
    if (!to)
        return false;
    for (size_t i = 0; i < in.n; i += 2) {
        int high = hex_value(in.p[i]), low = hex_value(in.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *to++ = (char)(high << 4 | low);
    }
    out->n += in.n / 2;
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

void text_percent_add(struct buf *out, struct str in, const char *keep)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (is_unreserved(c) || (c && keep && strchr(keep, c))) {
            buf_byte(out, c);
        } else {
            unsigned char u = (unsigned char)c;
            char three[3] = {'%', hex_upper[u >> 4], hex_upper[u & 15]};
            buf_add(out, three, sizeof(three));
        }
    }
}

bool text_percent_decode(struct buf *out, struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1, low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!buf_byte(out, c))
            return false;
    }
    return true;
}

/* --- UTF-8 --------------------------------------------------------------------------------------- */

#define REPLACEMENT 0xfffdu

/* Length of the valid sequence at p (n > 0 bytes are there), or 0. RFC 3629 4. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte: no overlong form, no surrogate, <= U+10FFFF */
    size_t length;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        length = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        length = 3;
        if (p[0] == 0xe0)
            low = 0xa0;
        if (p[0] == 0xed)
            high = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        if (p[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (n < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* How many bytes from the start are valid. */
static size_t utf8_valid_prefix(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t eight;
        while (s.n - i >= sizeof(eight)) {
            memcpy(&eight, p + i, sizeof(eight));
            if (eight & 0x8080808080808080u)
                break;
            i += sizeof(eight);
        }
        if (i == s.n)
            break;
        size_t length = utf8_length(p + i, s.n - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

bool text_utf8_valid(struct str s)
{
    return utf8_valid_prefix(s) == s.n;
}

uint32_t text_utf8_next(struct str *s)
{
    const unsigned char *p = (const unsigned char *)s->p;
    size_t length = utf8_length(p, s->n);
    uint32_t c = REPLACEMENT;
    switch (length) {
    case 1:
        c = p[0];
        break;
    case 2:
        c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
        break;
    case 3:
        c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        break;
    case 4:
        c = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
        break;
    }
    *s = str_skip(*s, length ? length : 1);
    return c;
}

bool text_utf8_add(struct buf *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = REPLACEMENT;
    char to[4];
    size_t n;
    if (c < 0x80) {
        to[0] = (char)c;
        n = 1;
    } else if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        n = 2;
    } else if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        n = 3;
    } else {
        to[0] = (char)(0xf0 | c >> 18);
        to[1] = (char)(0x80 | (c >> 12 & 0x3f));
        to[2] = (char)(0x80 | (c >> 6 & 0x3f));
        to[3] = (char)(0x80 | (c & 0x3f));
        n = 4;
    }
    return buf_add(out, to, n);
}

struct str text_utf8_repair(struct arena *a, struct str s)
{
    size_t valid = utf8_valid_prefix(s), bad = 0;
    if (valid == s.n)
        return s;
    for (struct str rest = s; rest.n;) {
        valid = utf8_valid_prefix(rest);
        bad += valid < rest.n;
        rest = str_skip(rest, valid + 1);
    }
    char *start = arena_alloc(a, s.n + bad * 2 + 1), *to = start; /* U+FFFD has three bytes */
    for (struct str rest = s; rest.n;) {
        valid = utf8_valid_prefix(rest);
        memcpy(to, rest.p, valid);
        to += valid;
        if (valid < rest.n) {
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
        }
        rest = str_skip(rest, valid + 1);
    }
    return (struct str){start, (size_t)(to - start)};
}

void text_add_printable(struct buf *out, struct str s)
{
    char *to = buf_room(out, s.n);
    if (!to)
        return;
    for (size_t i = 0; i < s.n; i++)
        to[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
    out->n += s.n;
}
