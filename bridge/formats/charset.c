/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/charset.h"

#include <errno.h>
#include <iconv.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"

enum mode {
    MODE_GUESS, /* UTF-8, and windows-1252 for the bytes that are not */
    MODE_UTF8,
    MODE_CP1252,
    MODE_ICONV
};

/*
 * The charsets of mail and what they are for iconv. An allow-list: the name comes from whoever sent the mail, and iconv
 * has many converters that nobody sends and that had bugs.
 */
static const struct {
    const char *name, *iconv;
} charsets[] = {
    {"iso-8859-2", "ISO-8859-2"},
    {"iso-8859-3", "ISO-8859-3"},
    {"iso-8859-4", "ISO-8859-4"},
    {"iso-8859-5", "ISO-8859-5"},
    {"iso-8859-6", "ISO-8859-6"},
    {"iso-8859-7", "ISO-8859-7"},
    {"iso-8859-8", "ISO-8859-8"},
    {"iso-8859-8-i", "ISO-8859-8"},
    {"iso-8859-9", "CP1254"},
    {"iso-8859-10", "ISO-8859-10"},
    {"iso-8859-11", "CP874"},
    {"iso-8859-13", "ISO-8859-13"},
    {"iso-8859-14", "ISO-8859-14"},
    {"iso-8859-15", "ISO-8859-15"},
    {"iso-8859-16", "ISO-8859-16"},
    {"latin2", "ISO-8859-2"},
    {"latin9", "ISO-8859-15"},
    {"windows-1250", "CP1250"},
    {"windows-1251", "CP1251"},
    {"windows-1253", "CP1253"},
    {"windows-1254", "CP1254"},
    {"windows-1255", "CP1255"},
    {"windows-1256", "CP1256"},
    {"windows-1257", "CP1257"},
    {"windows-1258", "CP1258"},
    {"windows-874", "CP874"},
    {"cp1250", "CP1250"},
    {"cp1251", "CP1251"},
    {"cp437", "CP437"},
    {"ibm437", "CP437"},
    {"cp850", "CP850"},
    {"ibm850", "CP850"},
    {"cp852", "CP852"},
    {"cp866", "CP866"},
    {"ibm866", "CP866"},
    {"koi8-r", "KOI8-R"},
    {"koi8-u", "KOI8-U"},
    {"macintosh", "MACINTOSH"},
    {"x-mac-cyrillic", "MAC-CYRILLIC"},
    {"tis-620", "CP874"},
    {"viscii", "VISCII"},
    {"utf-7", "UTF-7"},
    {"utf-16", "UTF-16"},
    {"utf-16le", "UTF-16LE"},
    {"utf-16be", "UTF-16BE"},
    {"utf-32", "UTF-32"},
    {"utf-32le", "UTF-32LE"},
    {"utf-32be", "UTF-32BE"},
    {"gb2312", "GB18030"},
    {"gbk", "GB18030"},
    {"cp936", "GB18030"},
    {"gb18030", "GB18030"},
    {"x-gbk", "GB18030"},
    {"big5", "CP950"},
    {"cp950", "CP950"},
    {"big5-hkscs", "BIG5-HKSCS"},
    {"shift_jis", "CP932"},
    {"shift-jis", "CP932"},
    {"x-sjis", "CP932"},
    {"sjis", "CP932"},
    {"windows-31j", "CP932"},
    {"cp932", "CP932"},
    {"euc-jp", "EUC-JP"},
    {"iso-2022-jp", "ISO-2022-JP"},
    {"iso-2022-jp-1", "ISO-2022-JP-2"},
    {"iso-2022-jp-2", "ISO-2022-JP-2"},
    {"iso-2022-kr", "ISO-2022-KR"},
    {"euc-kr", "CP949"},
    {"ks_c_5601-1987", "CP949"},
    {"ks_c_5601", "CP949"},
    {"cp949", "CP949"},
    {"windows-949", "CP949"},
    {"johab", "JOHAB"},
    {"euc-tw", "EUC-TW"},
};
static const struct {
    const char *name;
    enum mode mode;
} builtin[] = {
    {"", MODE_GUESS},
    {"us-ascii", MODE_GUESS},
    {"ascii", MODE_GUESS},
    {"ansi_x3.4-1968", MODE_GUESS},
    {"unknown-8bit", MODE_GUESS},
    {"utf-8", MODE_UTF8},
    {"utf8", MODE_UTF8},
    {"unicode-1-1-utf-8", MODE_UTF8},
    {"iso-8859-1", MODE_CP1252},
    {"iso8859-1", MODE_CP1252},
    {"iso_8859-1", MODE_CP1252},
    {"latin1", MODE_CP1252},
    {"windows-1252", MODE_CP1252},
    {"cp1252", MODE_CP1252},
};

enum { CACHE_SIZE = 16 };
struct charset_cache {
    struct {
        const char *name; /* of the table above */
        iconv_t cd;
        bool used;
    } slot[CACHE_SIZE];
    size_t hand; /* where to make room next */
};

/* windows-1252, 0x80 to 0x9f; the five holes are the C1 controls, as everybody reads them. */
static const unsigned short cp1252[32] = {
    0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178,
};

struct charset_cache *charset_cache_new(void)
{
    return MEM_NEW(struct charset_cache);
}

void charset_cache_free(struct charset_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        if (c->slot[i].name)
            iconv_close(c->slot[i].cd);
    }
    mem_free(c);
}

static struct str clean_name(struct str name)
{
    name = str_trim(name);
    while (name.n && (name.p[0] == '"' || name.p[0] == '\''))
        name = str_skip(name, 1);
    while (name.n && (name.p[name.n - 1] == '"' || name.p[name.n - 1] == '\''))
        name.n--;
    return name;
}

/* False: nobody knows it. *ret_iconv is NULL for what is built in. */
static bool look_up(struct str charset, enum mode *ret_mode, const char **ret_iconv)
{
    charset = clean_name(charset);
    *ret_iconv = NULL;
    for (size_t i = 0; i < sizeof(builtin) / sizeof(*builtin); i++) {
        if (str_case_is(charset, builtin[i].name)) {
            *ret_mode = builtin[i].mode;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++) {
        if (str_case_is(charset, charsets[i].name)) {
            *ret_mode = MODE_ICONV;
            *ret_iconv = charsets[i].iconv;
            return true;
        }
    }
    return false;
}

/* A descriptor in its initial state, or (iconv_t)-1. Give it back with put(). */
static iconv_t take(struct charset_cache *c, const char *name)
{
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        if (c->slot[i].name == name && !c->slot[i].used) {
            c->slot[i].used = true;
            iconv(c->slot[i].cd, NULL, NULL, NULL, NULL);
            return c->slot[i].cd;
        }
    }
    iconv_t cd = iconv_open("UTF-8", name);
    if (cd == (iconv_t)-1)
        return cd;
    for (size_t tries = 0; tries < CACHE_SIZE; tries++) {
        size_t i = c->hand++ % CACHE_SIZE;
        if (c->slot[i].used)
            continue;
        if (c->slot[i].name)
            iconv_close(c->slot[i].cd);
        c->slot[i].name = name;
        c->slot[i].cd = cd;
        c->slot[i].used = true;
        break;
    }
    return cd;
}

static void put(struct charset_cache *c, iconv_t cd)
{
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        if (c->slot[i].used && c->slot[i].cd == cd) {
            c->slot[i].used = false;
            return;
        }
    }
    iconv_close(cd); /* all slots were busy */
}

bool charset_known(struct charset_cache *c, struct str charset)
{
    enum mode mode;
    const char *name;
    if (!look_up(charset, &mode, &name))
        return false;
    if (mode != MODE_ICONV)
        return true;
    iconv_t cd = take(c, name);
    if (cd == (iconv_t)-1)
        return false;
    put(c, cd);
    return true;
}

/* ---- converting ---- */

void charset_decoder_init(struct charset_decoder *d, struct charset_cache *c, struct str charset)
{
    enum mode mode = MODE_GUESS;
    const char *name = NULL;
    memset(d, 0, sizeof(*d));
    d->cache = c;
    if (!look_up(charset, &mode, &name))
        mode = MODE_GUESS;
    if (mode == MODE_ICONV) {
        iconv_t cd = take(c, name);
        if (cd == (iconv_t)-1)
            mode = MODE_GUESS;
        else
            d->cd = cd;
    }
    d->mode = (int)mode;
}

void charset_decoder_done(struct charset_decoder *d)
{
    if (d->cd)
        put(d->cache, d->cd);
    d->cd = NULL;
}

static uint32_t cp1252_char(unsigned char c)
{
    return c >= 0x80 && c < 0xa0 ? cp1252[c - 0x80] : c;
}

static size_t ascii_run(struct str s)
{
    size_t i = 0;
    uint64_t word;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&word, s.p + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < s.n && (unsigned char)s.p[i] < 128)
        i++;
    return i;
}

static bool feed_cp1252(struct str in, struct buf *out)
{
    while (in.n) {
        size_t n = ascii_run(in);
        buf_add(out, in.p, n);
        in = str_skip(in, n);
        if (in.n) {
            text_utf8_add(out, cp1252_char((unsigned char)in.p[0]));
            in = str_skip(in, 1);
        }
    }
    return !out->failed;
}

/*
 * The character at the start of s (which begins with a byte >= 128): its length, 0 when it may go on behind the end of
 * s, or -1 when it is invalid (then one byte of it is).
 */
static int utf8_length(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    unsigned need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (c < 0xc2 || c > 0xf4)
        return -1;
    for (unsigned i = 1; i < need; i++) {
        if (i >= s.n)
            return 0;
        unsigned char next = (unsigned char)s.p[i];
        if (next < low || next > high)
            return -1;
        low = 0x80;
        high = 0xbf;
    }
    return (int)need;
}

/* What is left over (the beginning of a character) goes to *ret_rest. */
static bool feed_utf8(struct str in, bool guess, struct buf *out, struct str *ret_rest)
{
    while (in.n) {
        size_t n = ascii_run(in);
        buf_add(out, in.p, n);
        in = str_skip(in, n);
        if (!in.n)
            break;
        int length = utf8_length(in);
        if (length == 0)
            break;
        if (length < 0) {
            text_utf8_add(out, guess ? cp1252_char((unsigned char)in.p[0]) : 0xfffd);
            length = 1;
        } else {
            buf_add(out, in.p, (size_t)length);
        }
        in = str_skip(in, (size_t)length);
    }
    *ret_rest = in;
    return !out->failed;
}

static bool feed_iconv(iconv_t cd, struct str in, struct buf *out, struct str *ret_rest)
{
    char piece[4096];
    char *from = (char *)(uintptr_t)in.p;
    size_t left = in.n;
    while (left && !out->failed) {
        char *to = piece;
        size_t room = sizeof(piece);
        size_t r = iconv(cd, &from, &left, &to, &room);
        int why = errno;
        buf_add(out, piece, sizeof(piece) - room);
        if (r != (size_t)-1 || why == E2BIG)
            continue;
        if (why == EINVAL)
            break;
        text_utf8_add(out, 0xfffd);
        from++;
        left--;
    }
    *ret_rest = (struct str){from, left};
    return !out->failed;
}

static bool feed(struct charset_decoder *d, struct str in, struct buf *out, struct str *ret_rest)
{
    switch ((enum mode)d->mode) {
    case MODE_ICONV:
        return feed_iconv(d->cd, in, out, ret_rest);
    case MODE_CP1252:
        *ret_rest = STR_NULL;
        return feed_cp1252(in, out);
    case MODE_UTF8:
    case MODE_GUESS:
        break;
    }
    return feed_utf8(in, d->mode == MODE_GUESS, out, ret_rest);
}

/* The beginning of a character that nothing will follow. */
static void give_up_byte(struct charset_decoder *d, unsigned char c, struct buf *out)
{
    text_utf8_add(out, d->mode == MODE_GUESS ? cp1252_char(c) : 0xfffd);
}

bool charset_decoder_feed(struct charset_decoder *d, struct str in, struct buf *out)
{
    struct str rest;
    while (d->kept_n && in.n) { /* byte by byte until the character that was cut is complete */
        d->kept[d->kept_n++] = in.p[0];
        in = str_skip(in, 1);
        feed(d, str_of(d->kept, d->kept_n), out, &rest);
        if (rest.n == sizeof(d->kept)) {
            give_up_byte(d, (unsigned char)rest.p[0], out);
            rest = str_skip(rest, 1);
        }
        memmove(d->kept, rest.p ? rest.p : d->kept, rest.n);
        d->kept_n = rest.n;
    }
    while (in.n && !out->failed) {
        feed(d, in, out, &rest);
        if (rest.n < sizeof(d->kept)) {
            if (rest.n)
                memcpy(d->kept, rest.p, rest.n);
            d->kept_n = rest.n;
            break;
        }
        give_up_byte(d, (unsigned char)rest.p[0], out); /* no character is that long */
        in = str_skip(rest, 1);
    }
    return !out->failed;
}

bool charset_decoder_finish(struct charset_decoder *d, struct buf *out)
{
    if (d->mode == MODE_GUESS) {
        for (size_t i = 0; i < d->kept_n; i++)
            give_up_byte(d, (unsigned char)d->kept[i], out);
    } else if (d->kept_n) {
        text_utf8_add(out, 0xfffd);
    }
    d->kept_n = 0;
    if (d->cd) { /* what a stateful converter holds back (a base character that could be combined) */
        char piece[64], *to = piece;
        size_t room = sizeof(piece);
        iconv(d->cd, NULL, NULL, &to, &room);
        buf_add(out, piece, sizeof(piece) - room);
    }
    return !out->failed;
}

bool charset_to_utf8(struct charset_cache *c, struct str charset, struct str in, struct buf *out)
{
    struct charset_decoder d;
    charset_decoder_init(&d, c, charset);
    charset_decoder_feed(&d, in, out);
    bool ok = charset_decoder_finish(&d, out);
    charset_decoder_done(&d);
    return ok;
}

bool charset_from_utf8(struct charset_cache *c, struct str charset, struct str in, struct buf *out)
{
    (void)c;
    enum mode mode;
    const char *name;
    size_t before = out->n;
    if (!text_utf8_valid(in) || !look_up(charset, &mode, &name))
        return false;
    if (mode == MODE_UTF8)
        return buf_str(out, in);
    if (mode == MODE_GUESS)
        return ascii_run(in) == in.n && buf_str(out, in);
    iconv_t cd = iconv_open(mode == MODE_CP1252 ? "CP1252" : name, "UTF-8");
    if (cd == (iconv_t)-1)
        return false;
    char piece[4096];
    char *from = (char *)(uintptr_t)in.p;
    size_t left = in.n;
    bool ok = true, flushed = false;
    while (ok && !flushed) {
        char *to = piece;
        size_t room = sizeof(piece);
        flushed = left == 0;
        size_t r = flushed ? iconv(cd, NULL, NULL, &to, &room) : iconv(cd, &from, &left, &to, &room);
        ok = (r == 0 || (r == (size_t)-1 && errno == E2BIG)) && buf_add(out, piece, sizeof(piece) - room);
    }
    iconv_close(cd);
    if (!ok)
        out->n = before;
    return ok;
}
