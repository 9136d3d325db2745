/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/str.h"

#include "bridge/base/mem.h"

#define NONE ((size_t)-1)

static inline unsigned char fold(char c)
{
    unsigned char u = (unsigned char)c;
    return (unsigned char)(u >= 'A' && u <= 'Z' ? u | 0x20 : u);
}

static bool fold_equal(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

bool str_case_eq(struct str a, struct str b)
{
    return a.n == b.n && fold_equal(a.p, b.p, a.n);
}

bool str_case_is(struct str a, const char *z)
{
    return str_case_eq(a, str_from(z));
}

bool str_among(struct str s, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(s, names[i]))
            return true;
    return false;
}

bool str_case_among(struct str s, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_case_is(s, names[i]))
            return true;
    return false;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;
    return d ? d : (a.n > b.n) - (a.n < b.n);
}

int str_case_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        int d = fold(a.p[i]) - fold(b.p[i]);
        if (d)
            return d;
    }
    return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_case_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && fold_equal(s.p, prefix.p, prefix.n);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t str_find(struct str hay, struct str needle)
{
    if (needle.n == 0)
        return 0;
    if (needle.n > hay.n)
        return NONE;
    const char *p = memmem(hay.p, hay.n, needle.p, needle.n);
    return p ? (size_t)(p - hay.p) : NONE;
}

/* Short texts (subjects, names): building a skip table would cost more than the search. */
static size_t case_find_plain(struct str hay, struct str needle)
{
    unsigned char first = fold(needle.p[0]);
    size_t last = hay.n - needle.n;
    for (size_t i = 0; i <= last; i++)
        if (fold(hay.p[i]) == first && fold_equal(hay.p + i + 1, needle.p + 1, needle.n - 1))
            return i;
    return NONE;
}

/* Horspool: look at the last byte of the window and skip by how far from the needle's end that byte occurs. */
static size_t case_find_skipping(struct str hay, struct str needle)
{
    unsigned char skip[256];
    size_t longest = needle.n < 255 ? needle.n : 255;
    memset(skip, (int)longest, sizeof(skip));
    for (size_t i = needle.n - longest; i + 1 < needle.n; i++) {
        unsigned char c = fold(needle.p[i]), distance = (unsigned char)(needle.n - 1 - i);
        skip[c] = distance;
        if (c >= 'a' && c <= 'z')
            skip[c - 0x20] = distance;
    }
    unsigned char final = fold(needle.p[needle.n - 1]);
    for (size_t i = needle.n - 1; i < hay.n;) {
        char c = hay.p[i];
        if (fold(c) == final && fold_equal(hay.p + i + 1 - needle.n, needle.p, needle.n - 1))
            return i + 1 - needle.n;
        i += skip[(unsigned char)c];
    }
    return NONE;
}

size_t str_case_find(struct str hay, struct str needle)
{
    if (needle.n == 0)
        return 0;
    if (needle.n > hay.n)
        return NONE;
    if (hay.n < 192 || needle.n < 2)
        return case_find_plain(hay, needle);
    return case_find_skipping(hay, needle);
}

size_t str_find_byte(struct str s, char c)
{
    const char *p = s.n ? memchr(s.p, c, s.n) : NULL;
    return p ? (size_t)(p - s.p) : NONE;
}

struct str str_skip(struct str s, size_t n)
{
    if (n >= s.n)
        return (struct str){s.p ? s.p + s.n : NULL, 0};
    return (struct str){s.p + n, s.n - n};
}

struct str str_sub(struct str s, size_t from, size_t n)
{
    s = str_skip(s, from);
    if (n < s.n)
        s.n = n;
    return s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_cut(struct str *s, char sep, struct str *ret_piece)
{
    if (!s->p)
        return false;
    size_t at = str_find_byte(*s, sep);
    if (at == NONE) {
        *ret_piece = *s;
        *s = STR_NULL;
    } else {
        *ret_piece = (struct str){s->p, at};
        *s = (struct str){s->p + at + 1, s->n - at - 1};
    }
    return true;
}

bool str_to_u64(struct str s, uint64_t *ret_n)
{
    if (s.n == 0)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)((unsigned char)s.p[i] - '0');
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret_n = v;
    return true;
}

bool str_to_u32(struct str s, uint32_t *ret_n)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v > UINT32_MAX)
        return false;
    *ret_n = (uint32_t)v;
    return true;
}

char *str_dup(struct str s)
{
    char *z = mem_alloc(s.n + 1);
    if (s.n)
        memcpy(z, s.p, s.n);
    return z;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t str_distance(struct str a, struct str b)
{
    size_t row[STR_DISTANCE_MAX];
    if (a.n >= STR_DISTANCE_MAX || b.n >= STR_DISTANCE_MAX)
        return STR_DISTANCE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t above = row[j];
            row[j] = least(least(row[j] + 1, row[j - 1] + 1), diagonal + (a.p[i - 1] != b.p[j - 1]));
            diagonal = above;
        }
    }
    return row[b.n];
}
