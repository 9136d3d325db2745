/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/unicode.h"

#include "bridge/base/text.h"
#include "bridge/formats/unicode_data.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Hangul syllables are composed by arithmetic (Unicode 3.12). */
enum {
    HANGUL_S = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    HANGUL_LS = 19,
    HANGUL_VS = 21,
    HANGUL_TS = 28,
    HANGUL_SS = HANGUL_LS * HANGUL_VS * HANGUL_TS
};

/* ---- comparing ---- */

static void add_hangul(struct buf *out, uint32_t c)
{
    uint32_t i = c - HANGUL_S;
    text_utf8_add(out, HANGUL_L + i / (HANGUL_VS * HANGUL_TS));
    text_utf8_add(out, HANGUL_V + i / HANGUL_TS % HANGUL_VS);
    if (i % HANGUL_TS)
        text_utf8_add(out, HANGUL_T + i % HANGUL_TS);
}

static void add_folded(struct buf *out, uint32_t c)
{
    if (c - HANGUL_S < HANGUL_SS) {
        add_hangul(out, c);
        return;
    }
    size_t page = c >> 8;
    const uint8_t *entry = unicode_pool;
    if (page < COUNT(unicode_page))
        entry += unicode_fold[unicode_page[page] * 256u + (c & 255)];
    if (entry == unicode_pool)
        text_utf8_add(out, c);
    else
        buf_add(out, entry + 1, entry[0]);
}

bool unicode_fold_add(struct buf *out, struct str s)
{
    while (s.n && !out->failed) {
        size_t run = 0;
        while (run < s.n && (unsigned char)s.p[run] < 128)
            run++;
        char *to = run ? buf_room(out, run) : NULL;
        if (to) {
            for (size_t i = 0; i < run; i++)
                to[i] = (char)(s.p[i] >= 'a' && s.p[i] <= 'z' ? s.p[i] - 0x20 : s.p[i]);
            out->n += run;
        }
        s = str_skip(s, run);
        while (s.n && (unsigned char)s.p[0] >= 128 && !out->failed)
            add_folded(out, text_utf8_next(&s));
    }
    return !out->failed;
}

bool unicode_contains(struct str hay, struct str folded_needle, struct buf *scratch)
{
    buf_reset(scratch);
    unicode_fold_add(scratch, hay);
    return str_find(buf_view(scratch), folded_needle) != (size_t)-1;
}

/* ---- normalisation form C ---- */

static unsigned class_of(uint32_t c)
{
    size_t low = 0, high = COUNT(unicode_classes);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > unicode_classes[mid].to)
            low = mid + 1;
        else if (c < unicode_classes[mid].from)
            high = mid;
        else
            return unicode_classes[mid].class;
    }
    return 0;
}

static const struct unicode_pair *pair_of(uint32_t c)
{
    size_t low = 0, high = COUNT(unicode_pairs);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (unicode_pairs[mid].composed < c)
            low = mid + 1;
        else
            high = mid;
    }
    return low < COUNT(unicode_pairs) && unicode_pairs[low].composed == c ? &unicode_pairs[low] : NULL;
}

/* The character that two make, or 0. */
static uint32_t compose(uint32_t first, uint32_t second)
{
    if (first - HANGUL_L < HANGUL_LS && second - HANGUL_V < HANGUL_VS)
        return HANGUL_S + ((first - HANGUL_L) * HANGUL_VS + (second - HANGUL_V)) * HANGUL_TS;
    if (first - HANGUL_S < HANGUL_SS && (first - HANGUL_S) % HANGUL_TS == 0 && second - HANGUL_T - 1 < HANGUL_TS - 1)
        return first + (second - HANGUL_T);
    size_t low = 0, high = COUNT(unicode_compose);
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct unicode_pair *p = &unicode_pairs[unicode_compose[mid]];
        if (p->first < first || (p->first == first && p->second < second))
            low = mid + 1;
        else if (p->first == first && p->second == second)
            return p->composed;
        else
            high = mid;
    }
    return 0;
}

static void add_code(struct buf *codes, uint32_t c)
{
    buf_add(codes, &c, sizeof(c));
}

static void decompose(struct buf *codes, uint32_t c)
{
    uint32_t tail[8];
    size_t n = 0;
    if (c - HANGUL_S < HANGUL_SS) {
        uint32_t i = c - HANGUL_S;
        add_code(codes, HANGUL_L + i / (HANGUL_VS * HANGUL_TS));
        add_code(codes, HANGUL_V + i / HANGUL_TS % HANGUL_VS);
        if (i % HANGUL_TS)
            add_code(codes, HANGUL_T + i % HANGUL_TS);
        return;
    }
    for (const struct unicode_pair *p; (p = pair_of(c)) && n < COUNT(tail);) { /* the longest chain is three */
        if (p->second)
            tail[n++] = p->second;
        c = p->first;
    }
    add_code(codes, c);
    while (n)
        add_code(codes, tail[--n]);
}

/* Marks in the order of their classes (Unicode 3.11, D109); stable. */
static void order_marks(uint32_t *codes, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        unsigned class = class_of(codes[i]);
        uint32_t c = codes[i];
        size_t j = i;
        for (; class && j && class_of(codes[j - 1]) > class; j--)
            codes[j] = codes[j - 1];
        codes[j] = c;
    }
}

static size_t compose_all(uint32_t *codes, size_t n)
{
    size_t out = 0, starter = (size_t)-1;
    unsigned last = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned class = class_of(codes[i]);
        bool adjacent = starter != (size_t)-1 && (starter + 1 == out || last < class);
        uint32_t both = adjacent ? compose(codes[starter], codes[i]) : 0;
        if (both) {
            codes[starter] = both;
            continue;
        }
        if (!class)
            starter = out;
        last = class;
        codes[out++] = codes[i];
    }
    return out;
}

enum { MARKS_MAX = 256 }; /* between two starters: more is no text, and ordering them would cost the square */

bool unicode_nfc_add(struct buf *out, struct str s)
{
    struct buf codes = BUF_INIT(0);
    size_t marks = 0;
    while (s.n) {
        uint32_t c = text_utf8_next(&s);
        marks = class_of(c) ? marks + 1 : 0;
        if (marks <= MARKS_MAX)
            decompose(&codes, c);
    }
    uint32_t *list = (uint32_t *)(void *)codes.p;
    size_t n = codes.n / sizeof(*list);
    if (n) {
        order_marks(list, n);
        n = compose_all(list, n);
    }
    for (size_t i = 0; i < n; i++)
        text_utf8_add(out, list[i]);
    buf_done(&codes);
    return !out->failed;
}
