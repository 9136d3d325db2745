/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_utf7.h"

#include "bridge/base/text.h"
#include "bridge/formats/unicode.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static bool is_direct(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* --- decoding ---------------------------------------------------------------------------------------------------- */

/* One UTF-16 unit of a shifted piece. *high is a high surrogate that waits for its partner, or 0. */
static bool add_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
    if (*high != 0) {
        if (unit < 0xdc00 || unit > 0xdfff)
            return false;
        text_utf8_add(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
        *high = 0;
        return true;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        *high = unit;
        return true;
    }
    /* What can stand for itself must (RFC 3501 5.1.3), so that a name has one form only. */
    if ((unit >= 0xdc00 && unit <= 0xdfff) || (unit < 0x80 && is_direct((unsigned char)unit)))
        return false;
    return text_utf8_add(out, unit);
}

/* What is between "&" and "-". */
static bool decode_shifted(struct buf *out, struct str s)
{
    uint32_t bits = 0, high = 0;
    unsigned count = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = sextet(s.p[i]);
        if (v < 0)
            return false;
        bits = (bits << 6) | (uint32_t)v;
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        if (!add_unit(out, (bits >> count) & 0xffff, &high))
            return false;
        bits &= (1u << count) - 1;
    }
    /* Fewer than six bits are left, and they are zero; a surrogate is not left alone. */
    return high == 0 && count < 6 && bits == 0;
}

bool imap_utf7_decode(struct buf *out, struct str in)
{
    size_t start = out->n;
    bool after_shift = false; /* the piece before ended in "-": another shift right here should have been one with it */
    for (size_t i = 0; i < in.n; i++) {
        if (!is_direct((unsigned char)in.p[i]))
            goto bad;
        if (in.p[i] != '&') {
            buf_byte(out, in.p[i]);
            after_shift = false;
            continue;
        }
        size_t length = str_find_byte(str_skip(in, i + 1), '-');
        if (length == (size_t)-1)
            goto bad;
        if (length == 0) {
            buf_byte(out, '&');
            after_shift = false;
        } else if (after_shift || !decode_shifted(out, str_sub(in, i + 1, length))) {
            goto bad;
        } else {
            after_shift = true;
        }
        i += length + 1;
    }
    return !out->failed;
bad:
    out->n = start;
    return false;
}

/* --- encoding ---------------------------------------------------------------------------------------------------- */

struct shift {
    uint32_t bits;
    unsigned count;
    bool open;
};

static void put_unit(struct buf *out, struct shift *s, uint32_t unit)
{
    s->bits = (s->bits << 16) | unit;
    s->count += 16;
    while (s->count >= 6) {
        s->count -= 6;
        buf_byte(out, alphabet[(s->bits >> s->count) & 0x3f]);
    }
    s->bits &= (1u << s->count) - 1;
}

static void end_shift(struct buf *out, struct shift *s)
{
    if (!s->open)
        return;
    if (s->count > 0)
        buf_byte(out, alphabet[(s->bits << (6 - s->count)) & 0x3f]);
    buf_byte(out, '-');
    *s = (struct shift){0};
}

bool imap_utf7_encode(struct buf *out, struct str utf8)
{
    if (!text_utf8_valid(utf8))
        return false;
    struct shift s = {0};
    while (utf8.n > 0) {
        uint32_t c = text_utf8_next(&utf8);
        if (c < 0x80 && is_direct((unsigned char)c)) {
            end_shift(out, &s);
            buf_byte(out, (char)c);
            if (c == '&')
                buf_byte(out, '-');
            continue;
        }
        if (!s.open)
            buf_byte(out, '&');
        s.open = true;
        if (c >= 0x10000) {
            put_unit(out, &s, 0xd800 + ((c - 0x10000) >> 10));
            put_unit(out, &s, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            put_unit(out, &s, c);
        }
    }
    end_shift(out, &s);
    return !out->failed;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static bool has_controls(struct str s)
{
    while (s.n > 0) {
        uint32_t c = text_utf8_next(&s);
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029)
            return true;
    }
    return false;
}

static size_t depth_of(struct str name)
{
    size_t depth = 1;
    for (size_t i = 0; i < name.n; i++)
        depth += name.p[i] == '/';
    return depth;
}

/* "inbox" and "Inbox/x" are INBOX and INBOX/x: it is one folder in any case (RFC 3501 5.1). */
static void fold_inbox(char *p, size_t n)
{
    if (n >= 5 && (n == 5 || p[5] == '/') && strncasecmp(p, "INBOX", 5) == 0)
        memcpy(p, "INBOX", 5);
}

struct str imap_name_decode(struct arena *a, struct str wire, bool utf8)
{
    if (wire.n > 4 * IMAP_NAME_MAX)
        return STR_NULL;
    struct buf plain = BUF_INIT(16 * IMAP_NAME_MAX), nfc = BUF_INIT(16 * IMAP_NAME_MAX);
    struct str name = STR_NULL;
    bool ok = utf8 ? text_utf8_valid(wire) && buf_str(&plain, wire) : imap_utf7_decode(&plain, wire);
    if (ok && !has_controls(buf_view(&plain)) && unicode_nfc_add(&nfc, buf_view(&plain)) && nfc.n <= IMAP_NAME_MAX &&
        depth_of(buf_view(&nfc)) <= IMAP_NAME_DEPTH) {
        if (nfc.n > 0)
            fold_inbox(nfc.p, nfc.n);
        name = arena_str(a, buf_view(&nfc));
        if (name.p == NULL)
            name.p = "";
    }
    buf_done(&plain);
    buf_done(&nfc);
    return name;
}

bool imap_name_encode(struct buf *out, struct str name, bool utf8)
{
    return utf8 ? buf_str(out, name) : imap_utf7_encode(out, name);
}

const char *imap_name_check(struct str name)
{
    if (name.n == 0)
        return "A mailbox needs a name";
    if (name.n > IMAP_NAME_MAX)
        return "The mailbox name is too long";
    if (!text_utf8_valid(name) || has_controls(name))
        return "The mailbox name has characters that are not allowed";
    if (depth_of(name) > IMAP_NAME_DEPTH)
        return "The mailbox name has too many levels";
    for (size_t i = 0, start = 0; i <= name.n; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        struct str level = str_sub(name, start, i - start);
        if (level.n == 0)
            return "The mailbox name has an empty level";
        if (str_is(level, ".") || str_is(level, ".."))
            return "The mailbox name has a level that is not allowed";
        start = i + 1;
    }
    return NULL;
}
