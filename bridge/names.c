/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/names.h"

#include "bridge/backend.h"
#include "bridge/base/text.h"
#include "bridge/formats/unicode.h"

static const struct {
    const char *keyword, *category;
} labels[] = {
    {"$label1", "Important"}, {"$label2", "Work"}, {"$label3", "Personal"}, {"$label4", "To Do"}, {"$label5", "Later"},
};

static void add_escape(struct buf *out, uint32_t cp)
{
    if (cp > 0xffff) {
        uint32_t v = cp - 0x10000;
        buf_printf(out, "_x%04X_", 0xd800 + (unsigned)(v >> 10));
        cp = 0xdc00 + (v & 0x3ff);
    }
    buf_printf(out, "_x%04X_", (unsigned)cp);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* "_xHHHH_" at the front of s. */
static bool read_unit(struct str s, uint32_t *ret_unit)
{
    if (s.n < 7 || s.p[0] != '_' || s.p[1] != 'x' || s.p[6] != '_')
        return false;
    uint32_t v = 0;
    for (size_t i = 2; i < 6; i++) {
        int d = hex_digit(s.p[i]);
        if (d < 0)
            return false;
        v = v * 16 + (uint32_t)d;
    }
    *ret_unit = v;
    return true;
}

static void escape(struct buf *out, struct str s, bool (*plain)(uint32_t cp))
{
    while (s.n) {
        struct str at = s;
        uint32_t unit, cp = text_utf8_next(&s);
        if (cp == '_' && read_unit(at, &unit))
            add_escape(out, cp);
        else if (plain(cp))
            text_utf8_add(out, cp);
        else
            add_escape(out, cp);
    }
}

static void unescape(struct buf *out, struct str s)
{
    while (s.n) {
        uint32_t unit, low;
        if (!read_unit(s, &unit)) {
            buf_byte(out, s.p[0]);
            s = str_skip(s, 1);
            continue;
        }
        s = str_skip(s, 7);
        if (unit >= 0xd800 && unit < 0xdc00 && read_unit(s, &low) && low >= 0xdc00 && low < 0xe000) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            s = str_skip(s, 7);
        }
        if (unit != 0 && (unit < 0xd800 || unit > 0xdfff))
            text_utf8_add(out, unit);
    }
}

static bool plain_in_label(uint32_t cp)
{
    return cp >= 0x20 && cp != 0x7f && cp != '/' && !(cp >= 0x80 && cp < 0xa0);
}

/* RFC 9051 atom: no specials, and ASCII only, so that every client can show and store it. */
static bool plain_in_keyword(uint32_t cp)
{
    return cp > 0x20 && cp < 0x7f && !strchr("(){%*\"\\]", (int)cp);
}

void names_label(struct buf *out, struct str display_name)
{
    struct buf nfc = BUF_INIT(64 * 1024);
    unicode_nfc_add(&nfc, str_sub(display_name, 0, 16 * 1024));
    struct str s = buf_view(&nfc);
    if (s.n > NAMES_LABEL_MAX) {
        size_t n = NAMES_LABEL_MAX;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
        s.n = n;
    }
    if (s.n == 0)
        add_escape(out, 0);
    else
        escape(out, s, plain_in_label);
    buf_done(&nfc);
}

void names_display(struct buf *out, struct str label)
{
    unescape(out, label);
}

bool names_is_below(struct str path, struct str parent)
{
    return path.n > parent.n && path.p[parent.n] == '/' && str_starts(path, parent);
}

void names_keyword(struct buf *out, struct str category)
{
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        if (str_is(category, labels[i].category)) {
            buf_lit(out, labels[i].keyword);
            return;
        }
    escape(out, category, plain_in_keyword);
}

void names_category(struct buf *out, struct str keyword)
{
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        if (str_case_is(keyword, labels[i].keyword)) {
            buf_lit(out, labels[i].category);
            return;
        }
    unescape(out, keyword);
}

/* Of the registry of RFC 5788; then what Thunderbird and Apple Mail wrote before there was one, and still do. */
const char *const names_marks[NAMES_MARKS] = {"$Junk", "$MDNSent", "$NotJunk", "$Phishing",
                                              "Junk",  "NonJunk",  "NotJunk",  "JunkRecorded"};
_Static_assert(ITEM_MARK_FIRST << (NAMES_MARKS - 1) == ITEM_MARK_LAST, "a bit for each");

unsigned names_mark(struct str keyword)
{
    for (size_t i = 0; i < NAMES_MARKS; i++)
        if (str_case_is(keyword, names_marks[i]))
            return (unsigned)ITEM_MARK_FIRST << i;
    return 0;
}
