/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/header.h"

#include "bridge/base/text.h"
#include "bridge/formats/rfc2047.h"

void header_iter_init(struct header_iter *it, struct str block)
{
    it->rest = block;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the first line with its LF. */
static size_t line_size(struct str s)
{
    const char *lf = memchr(s.p, '\n', s.n);
    return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

static size_t without_eol(const char *p, size_t n)
{
    if (n && p[n - 1] == '\n') {
        n--;
        if (n && p[n - 1] == '\r')
            n--;
    }
    return n;
}

/* A field as it stands in the block. */
struct raw_field {
    struct str bytes;
    size_t first_line; /* its length */
    bool crlf;         /* every line ends in CRLF */
};

/* Take the field at the start of *rest; false at the empty line or the end. */
static bool next_raw(struct str *rest, struct raw_field *ret)
{
    struct str s = *rest;
    if (!s.n || s.p[0] == '\n' || (s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n'))
        return false;
    size_t n = line_size(s);
    ret->first_line = n;
    ret->crlf = n > 1 && s.p[n - 1] == '\n' && s.p[n - 2] == '\r';
    while (n < s.n && is_blank(s.p[n])) {
        n += line_size((struct str){s.p + n, s.n - n});
        ret->crlf = ret->crlf && s.p[n - 1] == '\n' && s.p[n - 2] == '\r';
    }
    ret->bytes = (struct str){s.p, n};
    *rest = (struct str){s.p + n, s.n - n};
    return true;
}

/* The name at the start of a raw field; NULL p when it has none. *ret_colon: index of the colon. */
static struct str field_name(struct str raw, size_t first_line, size_t *ret_colon)
{
    const char *colon = memchr(raw.p, ':', first_line);
    if (!colon || is_blank(raw.p[0]))
        return STR_NULL;
    size_t n = (size_t)(colon - raw.p);
    *ret_colon = n;
    while (n && is_blank(raw.p[n - 1]))
        n--;
    return (struct str){raw.p, n};
}

bool header_next(struct header_iter *it, struct header_field *ret_field)
{
    struct raw_field field;
    size_t colon;
    if (!next_raw(&it->rest, &field))
        return false;
    struct str raw = field.bytes;
    struct str name = field_name(raw, field.first_line, &colon);
    size_t from = name.p ? colon + 1 : 0;
    while (from < raw.n && is_blank(raw.p[from]))
        from++;
    size_t end = without_eol(raw.p, raw.n);
    ret_field->name = name;
    ret_field->value = (struct str){raw.p + from, end > from ? end - from : 0};
    ret_field->raw = raw;
    return true;
}

bool header_find(struct str block, const char *name, struct str *ret_value)
{
    struct header_iter it = {block};
    struct header_field f;
    struct str want = str_from(name);
    while (header_next(&it, &f)) {
        if (f.name.n == want.n && f.name.n && str_case_eq(f.name, want)) {
            *ret_value = f.value;
            return true;
        }
    }
    return false;
}

size_t header_block_size(struct str message)
{
    size_t at = 0;
    while (at < message.n) {
        struct str rest = str_skip(message, at);
        size_t n = line_size(rest);
        at += n;
        if (rest.p[0] == '\n' || (n == 2 && rest.p[0] == '\r' && rest.p[1] == '\n'))
            break;
    }
    return at;
}

struct str header_unfold(struct arena *a, struct str value)
{
    size_t n = value.n;
    if (!n || (!memchr(value.p, '\n', n) && !memchr(value.p, '\r', n) && !memchr(value.p, 0, n)))
        return value;
    char *out = arena_alloc(a, n * 3 + 1);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        char c = value.p[i];
        if (c == '\n' || (c == '\r' && i + 1 < n && value.p[i + 1] == '\n'))
            continue;
        if (c == '\0') {
            memcpy(out + m, "\xEF\xBF\xBD", 3);
            m += 3;
        } else {
            out[m++] = c == '\r' ? ' ' : c;
        }
    }
    return (struct str){out, m};
}

struct str header_text(struct arena *a, struct charset_cache *cs, struct str value)
{
    struct buf text = BUF_INIT(0);
    rfc2047_decode(cs, header_unfold(a, value), &text);
    char *out = arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        out[i] = (unsigned char)text.p[i] < 32 || text.p[i] == 127 ? ' ' : text.p[i];
    struct str s = str_trim(str_of(out, text.n));
    buf_done(&text);
    return s;
}

/* ---- sets of names ---- */

enum { SLOTS = 64 };
struct header_names {
    size_t n;
    const struct str *names; /* lower case */
    uint16_t slot[SLOTS];    /* first of the chain, + 1 */
    uint16_t *next;          /* + 1 */
    size_t longest;
    uint64_t firsts; /* bit of each first letter: most fields are told apart by it */
};

static inline unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static inline uint64_t first_bit(char c)
{
    return (uint64_t)1 << (lower(c) & 63);
}

static inline size_t slot_of(struct str name)
{
    return (name.n * 7 + lower(name.p[0]) + 3u * lower(name.p[name.n - 1])) % SLOTS;
}

const struct header_names *header_names_new(struct arena *a, const struct str *names, size_t n)
{
    struct header_names *set = ARENA_NEW(a, struct header_names);
    if (n > UINT16_MAX - 1)
        n = UINT16_MAX - 1;
    struct str *copy = arena_array(a, n, sizeof(*copy));
    set->next = arena_array(a, n, sizeof(*set->next));
    for (size_t i = 0; i < n; i++) {
        struct str name = names[i];
        if (!name.n || memchr(name.p, ':', name.n) || memchr(name.p, '\n', name.n) || header_names_has(set, name))
            continue;
        char *p = arena_alloc(a, name.n);
        for (size_t j = 0; j < name.n; j++)
            p[j] = (char)lower(name.p[j]);
        copy[set->n] = (struct str){p, name.n};
        set->names = copy;
        size_t slot = slot_of(name);
        set->next[set->n] = set->slot[slot];
        set->slot[slot] = (uint16_t)++set->n;
        set->firsts |= first_bit(name.p[0]);
        if (name.n > set->longest)
            set->longest = name.n;
    }
    return set;
}

bool header_names_has(const struct header_names *set, struct str name)
{
    if (!name.n || name.n > set->longest)
        return false;
    for (size_t i = set->slot[slot_of(name)]; i; i = set->next[i - 1]) {
        struct str have = set->names[i - 1];
        if (have.n != name.n)
            continue;
        size_t j = 0;
        while (j < name.n && lower(name.p[j]) == (unsigned char)have.p[j])
            j++;
        if (j == name.n)
            return true;
    }
    return false;
}

/* Copy a field and make every line end CRLF. */
static void add_crlf(struct buf *out, struct str raw)
{
    while (raw.n) {
        size_t n = line_size(raw), text = without_eol(raw.p, n);
        if (n - text == 2) {
            buf_add(out, raw.p, n);
        } else {
            buf_add(out, raw.p, text);
            buf_add(out, "\r\n", 2);
        }
        raw = str_skip(raw, n);
    }
}

bool header_add_fields(struct buf *out, struct str block, const struct header_names *set, bool wanted)
{
    struct raw_field field;
    size_t colon;
    while (next_raw(&block, &field)) {
        bool has = (set->firsts & first_bit(field.bytes.p[0])) &&
                   header_names_has(set, field_name(field.bytes, field.first_line, &colon));
        if (has != wanted)
            continue;
        if (field.crlf)
            buf_str(out, field.bytes);
        else
            add_crlf(out, field.bytes);
    }
    return buf_add(out, "\r\n", 2);
}
