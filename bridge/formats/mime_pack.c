/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed structure: "XM", version, 8 bytes checksum of what follows, then the parts, each before its children.
 * Numbers are LEB128; a string is its length + 1 (0: NULL) and its bytes.
 */
#include "bridge/formats/mime.h"

enum { VERSION = 1, HEAD = 11 };
enum { KIND_MASK = 3, OVERFLOWED = 4, HAS_NUL = 8, TYPE_GIVEN = 16, HAS_ENVELOPE = 32, FLAGS_MAX = 63 };

/* Against damage, not against an enemy. */
static uint64_t checksum(const char *p, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

/* ---- writing ---- */

static void put_number(struct buf *out, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        buf_byte(out, (char)(v | 128));
    buf_byte(out, (char)v);
}

static void put_str(struct buf *out, struct str s)
{
    put_number(out, s.p ? (uint64_t)s.n + 1 : 0);
    if (s.p)
        buf_add(out, s.p, s.n);
}

static void put_params(struct buf *out, const struct mime_param *params, uint32_t n)
{
    put_number(out, n);
    for (uint32_t i = 0; i < n; i++) {
        put_str(out, params[i].name);
        put_str(out, params[i].value);
    }
}

/* The fields of a part and of an envelope that are plain strings, in the order they are written. */
static const size_t part_strings[] = {
    offsetof(struct mime_part, type),     offsetof(struct mime_part, subtype),     offsetof(struct mime_part, encoding),
    offsetof(struct mime_part, id),       offsetof(struct mime_part, description), offsetof(struct mime_part, md5),
    offsetof(struct mime_part, location), offsetof(struct mime_part, disposition),
};
static const size_t envelope_strings[] = {
    offsetof(struct mime_envelope, date),        offsetof(struct mime_envelope, subject),
    offsetof(struct mime_envelope, from),        offsetof(struct mime_envelope, sender),
    offsetof(struct mime_envelope, reply_to),    offsetof(struct mime_envelope, to),
    offsetof(struct mime_envelope, cc),          offsetof(struct mime_envelope, bcc),
    offsetof(struct mime_envelope, in_reply_to), offsetof(struct mime_envelope, message_id),
};
enum {
    PART_STRINGS = sizeof(part_strings) / sizeof(size_t),
    ENVELOPE_STRINGS = sizeof(envelope_strings) / sizeof(size_t)
};

static struct str *str_at(void *base, size_t at)
{
    return (struct str *)(void *)((char *)base + at);
}

static const struct str *const_str_at(const void *base, size_t at)
{
    return (const struct str *)(const void *)((const char *)base + at);
}

static void put_part(struct buf *out, const struct mime_part *p)
{
    put_number(out, (uint64_t)p->kind | (p->overflow ? OVERFLOWED : 0) | (p->has_nul ? HAS_NUL : 0) |
                        (p->type_given ? TYPE_GIVEN : 0) | (p->envelope ? HAS_ENVELOPE : 0));
    put_number(out, p->child_count);
    put_number(out, p->header_at);
    put_number(out, p->body_at - p->header_at);
    put_number(out, p->end - p->body_at);
    put_number(out, p->header_lines);
    put_number(out, p->body_lines);
    for (size_t i = 0; i < PART_STRINGS; i++)
        put_str(out, *const_str_at(p, part_strings[i]));
    put_params(out, p->params, p->param_count);
    put_params(out, p->disposition_params, p->disposition_param_count);
    put_number(out, p->language_count);
    for (uint32_t i = 0; i < p->language_count; i++)
        put_str(out, p->languages[i]);
    for (size_t i = 0; p->envelope && i < ENVELOPE_STRINGS; i++)
        put_str(out, *const_str_at(p->envelope, envelope_strings[i]));
}

void mime_pack(const struct mime_part *root, struct buf *out)
{
    size_t start = out->n;
    char head[HEAD] = {'X', 'M', VERSION};
    buf_add(out, head, sizeof(head));
    for (const struct mime_part *p = root; p;) {
        put_part(out, p);
        if (p->children) {
            p = p->children;
            continue;
        }
        while (p && p != root && !p->next)
            p = p->parent;
        p = p && p != root ? p->next : NULL;
    }
    if (out->failed)
        return;
    uint64_t sum = checksum(out->p + start + HEAD, out->n - start - HEAD);
    memcpy(out->p + start + 3, &sum, sizeof(sum));
}

/* ---- reading ---- */

struct reader {
    struct arena *arena;
    struct str rest;
    bool bad;
    uint32_t parts;
};

static uint64_t get_number(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 63 && r->rest.n; shift += 7) {
        unsigned char c = (unsigned char)r->rest.p[0];
        r->rest = str_skip(r->rest, 1);
        v |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return v;
    }
    r->bad = true;
    return 0;
}

static uint64_t get_at_most(struct reader *r, uint64_t max)
{
    uint64_t v = get_number(r);
    if (v > max) {
        r->bad = true;
        return 0;
    }
    return v;
}

static struct str get_str(struct reader *r)
{
    uint64_t n = get_number(r);
    if (n == 0)
        return STR_NULL;
    if (--n > r->rest.n) {
        r->bad = true;
        return STR_NULL;
    }
    struct str s = {r->rest.p, (size_t)n};
    r->rest = str_skip(r->rest, s.n);
    return s;
}

/* How many things of at least `size` bytes each follow: never more than there can be. */
static uint32_t get_count(struct reader *r, size_t size)
{
    return (uint32_t)get_at_most(r, r->rest.n / size < UINT32_MAX ? r->rest.n / size : UINT32_MAX);
}

static void get_params(struct reader *r, struct mime_param **ret_params, uint32_t *ret_n)
{
    uint32_t n = get_count(r, 2);
    *ret_params = n ? arena_array(r->arena, n, sizeof(struct mime_param)) : NULL;
    *ret_n = n;
    for (uint32_t i = 0; i < n && !r->bad; i++) {
        (*ret_params)[i].name = get_str(r);
        (*ret_params)[i].value = get_str(r);
        if (!(*ret_params)[i].name.p || !(*ret_params)[i].value.p)
            r->bad = true;
    }
}

static void get_languages(struct reader *r, struct mime_part *p)
{
    p->language_count = get_count(r, 1);
    if (p->language_count)
        p->languages = arena_array(r->arena, p->language_count, sizeof(struct str));
    for (uint32_t i = 0; i < p->language_count && !r->bad; i++)
        p->languages[i] = get_str(r);
}

/* Offsets must be in order and inside the parent, and each kind must have the children it can have. */
static bool is_consistent(const struct mime_part *p, const struct mime_part *previous)
{
    const struct mime_part *parent = p->parent;
    uint64_t from = previous ? previous->end : parent ? parent->body_at : 0;
    if (p->header_at < from || (parent && p->end > parent->end) || (!parent && p->header_at != 0))
        return false;
    if (!p->envelope != (parent && parent->kind != MIME_MESSAGE) || !p->type.p || !p->subtype.p)
        return false;
    return p->kind == MIME_MULTIPART || p->child_count == (p->kind == MIME_MESSAGE ? 1u : 0u);
}

static struct mime_part *get_part(struct reader *r, struct mime_part *parent, const struct mime_part *previous)
{
    const uint64_t far = (uint64_t)1 << 62;
    struct mime_part *p = ARENA_NEW(r->arena, struct mime_part);
    uint64_t flags = get_at_most(r, FLAGS_MAX);
    p->parent = parent;
    if ((flags & KIND_MASK) > MIME_MESSAGE || ++r->parts > MIME_MAX_PARTS + 1)
        r->bad = true;
    else
        p->kind = (enum mime_kind)(flags & KIND_MASK);
    p->overflow = flags & OVERFLOWED;
    p->has_nul = flags & HAS_NUL;
    p->type_given = flags & TYPE_GIVEN;
    p->child_count = get_count(r, PART_STRINGS);
    p->header_at = get_at_most(r, far);
    p->body_at = p->header_at + get_at_most(r, far);
    p->end = p->body_at + get_at_most(r, far);
    p->header_lines = (uint32_t)get_at_most(r, UINT32_MAX);
    p->body_lines = (uint32_t)get_at_most(r, UINT32_MAX);
    for (size_t i = 0; i < PART_STRINGS; i++)
        *str_at(p, part_strings[i]) = get_str(r);
    get_params(r, &p->params, &p->param_count);
    get_params(r, &p->disposition_params, &p->disposition_param_count);
    get_languages(r, p);
    if (flags & HAS_ENVELOPE) {
        p->envelope = ARENA_NEW(r->arena, struct mime_envelope);
        for (size_t i = 0; i < ENVELOPE_STRINGS; i++)
            *str_at(p->envelope, envelope_strings[i]) = get_str(r);
    }
    if (!is_consistent(p, previous))
        r->bad = true;
    return p;
}

/* All parts, without recursion: `left` counts the children that each open ancestor still lacks. */
static struct mime_part *get_tree(struct reader *r)
{
    struct mime_part *root = get_part(r, NULL, NULL), *open = root, *previous = NULL;
    uint32_t left[MIME_MAX_DEPTH + 1], depth = 0;
    left[0] = root->child_count;
    while (!r->bad) {
        if (!left[depth]) {
            if (!depth)
                break;
            depth--;
            previous = open;
            open = open->parent;
            continue;
        }
        left[depth]--;
        struct mime_part *p = get_part(r, open, previous);
        if (previous)
            previous->next = p;
        else
            open->children = p;
        previous = p;
        if (p->child_count) {
            if (++depth > MIME_MAX_DEPTH) {
                r->bad = true;
                break;
            }
            left[depth] = p->child_count;
            open = p;
            previous = NULL;
        }
    }
    return root;
}

bool mime_unpack(struct arena *a, struct str bytes, struct mime_part **ret_root)
{
    uint64_t sum;
    if (bytes.n < HEAD || memcmp(bytes.p, "XM", 2) != 0 || bytes.p[2] != VERSION)
        return false;
    memcpy(&sum, bytes.p + 3, sizeof(sum));
    struct reader r = {.arena = a, .rest = str_skip(bytes, HEAD)};
    if (sum != checksum(r.rest.p, r.rest.n))
        return false;
    struct mime_part *root = get_tree(&r);
    if (r.bad || r.rest.n)
        return false;
    *ret_root = root;
    return true;
}
