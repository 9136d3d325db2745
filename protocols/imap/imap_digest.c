/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_digest.h"

#include "bridge/formats/address.h"
#include "bridge/formats/date.h"
#include "bridge/formats/header.h"
#include "bridge/formats/rfc2047.h"
#include "bridge/formats/thread.h"
#include "bridge/formats/unicode.h"

/*
 * Packed form: "ID", version, flags, date (8 bytes), zone (4), then the strings in the order below, each after its
 * length in 4 bytes; numbers are little-endian. Nothing follows.
 */
#define VERSION 1
#define FIXED   16

enum flag { HAS_DATE = 1, IS_REPLY = 2, HAS_FROM = 4, HAS_TO = 8, HAS_CC = 16, HAS_BCC = 32, HAS_SUBJECT = 64 };

static const size_t strings[] = {offsetof(struct imap_digest, subject),   offsetof(struct imap_digest, from),
                                 offsetof(struct imap_digest, to),        offsetof(struct imap_digest, cc),
                                 offsetof(struct imap_digest, bcc),       offsetof(struct imap_digest, base_subject),
                                 offsetof(struct imap_digest, from_box),  offsetof(struct imap_digest, to_box),
                                 offsetof(struct imap_digest, cc_box),    offsetof(struct imap_digest, from_name),
                                 offsetof(struct imap_digest, to_name),   offsetof(struct imap_digest, message_id),
                                 offsetof(struct imap_digest, references)};
#define STRINGS (sizeof(strings) / sizeof(strings[0]))

static void put_number(struct buf *out, uint64_t n, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf_byte(out, (char)(n >> (8 * i) & 0xff));
}

static uint64_t get_number(const char *p, size_t size)
{
    uint64_t n = 0;
    for (size_t i = 0; i < size; i++)
        n |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return n;
}

static void pack(struct buf *out, const struct imap_digest *d)
{
    unsigned flags = (d->has_date ? HAS_DATE : 0u) | (d->is_reply ? IS_REPLY : 0u) | (d->has_from ? HAS_FROM : 0u) |
                     (d->has_to ? HAS_TO : 0u) | (d->has_cc ? HAS_CC : 0u) | (d->has_bcc ? HAS_BCC : 0u) |
                     (d->has_subject ? HAS_SUBJECT : 0u);
    buf_lit(out, "ID");
    put_number(out, VERSION, 1);
    put_number(out, flags, 1);
    put_number(out, (uint64_t)d->date_s, 8);
    put_number(out, (uint32_t)d->date_zone, 4);
    for (size_t i = 0; i < STRINGS; i++) {
        const struct str *s = (const void *)((const char *)d + strings[i]);
        put_number(out, s->n, 4);
        buf_str(out, *s);
    }
}

bool imap_digest_read(struct str packed, struct imap_digest *ret_digest)
{
    if (packed.n < FIXED || packed.p[0] != 'I' || packed.p[1] != 'D' || packed.p[2] != VERSION)
        return false;
    unsigned flags = (unsigned char)packed.p[3];
    struct imap_digest d = {.has_date = flags & HAS_DATE,
                            .is_reply = flags & IS_REPLY,
                            .has_from = flags & HAS_FROM,
                            .has_to = flags & HAS_TO,
                            .has_cc = flags & HAS_CC,
                            .has_bcc = flags & HAS_BCC,
                            .has_subject = flags & HAS_SUBJECT,
                            .date_s = (int64_t)get_number(packed.p + 4, 8),
                            .date_zone = (int32_t)get_number(packed.p + 12, 4)};
    struct str rest = str_skip(packed, FIXED);
    for (size_t i = 0; i < STRINGS; i++) {
        if (rest.n < 4)
            return false;
        size_t n = (size_t)get_number(rest.p, 4);
        rest = str_skip(rest, 4);
        if (n > rest.n)
            return false;
        *(struct str *)(void *)((char *)&d + strings[i]) = str_sub(rest, 0, n);
        rest = str_skip(rest, n);
    }
    if (rest.n > 0)
        return false;
    *ret_digest = d;
    return true;
}

/* --- making ----------------------------------------------------------------------------------- */

struct maker {
    struct arena arena;
    struct charset_cache *charsets;
    struct imap_digest d;
    struct buf subject, from, to, cc, bcc;
};

static struct str fold(struct maker *m, struct str utf8)
{
    struct buf folded = BUF_INIT(0);
    unicode_fold_add(&folded, utf8);
    struct str s = arena_str(&m->arena, buf_view(&folded));
    buf_done(&folded);
    return s;
}

/* One more occurrence of a field. */
static void add_text(struct maker *m, struct buf *text, bool *has, struct str value)
{
    if (*has)
        buf_byte(text, '\n');
    unicode_fold_add(text, header_text(&m->arena, m->charsets, value));
    *has = true;
}

static struct str decode(struct maker *m, struct str raw)
{
    struct buf text = BUF_INIT(0);
    rfc2047_decode(m->charsets, raw, &text);
    struct str s = arena_str(&m->arena, buf_view(&text));
    buf_done(&text);
    return s;
}

/* The first address of a field: its local part, and its display name or else the address. */
static void take_first_address(struct maker *m, struct str value, struct str *ret_box, struct str *ret_name)
{
    struct address_list list;
    address_parse(&m->arena, value, &list);
    if (list.n == 0)
        return;
    const struct address *first = &list.items[0];
    *ret_box = fold(m, first->mailbox);
    if (ret_name == NULL)
        return;
    struct buf spec = BUF_INIT(0);
    if (first->name.n > 0)
        *ret_name = fold(m, decode(m, first->name));
    else if (first->kind == ADDRESS_GROUP_START)
        *ret_name = *ret_box;
    else if (address_add_spec(&spec, first), spec.n > 0)
        *ret_name = fold(m, buf_view(&spec));
    buf_done(&spec);
}

static void take_subject(struct maker *m, struct str value)
{
    if (!m->d.has_subject) {
        struct buf base = BUF_INIT(0);
        thread_base_subject(&base, header_text(&m->arena, m->charsets, value), &m->d.is_reply);
        m->d.base_subject = fold(m, buf_view(&base));
        buf_done(&base);
    }
    add_text(m, &m->subject, &m->d.has_subject, value);
}

static bool next_id(struct maker *m, struct str *rest, struct str *ret_id)
{
    while (thread_next_id(&m->arena, rest, ret_id))
        if (ret_id->n > 0 && !memchr(ret_id->p, '\n', ret_id->n))
            return true;
    return false;
}

/* Over the limit the oldest but the first are left out: the first is the thread's root, the last ones are the nearest
 * parents. */
static void take_references(struct maker *m, struct str value)
{
    struct str ids[IMAP_DIGEST_REFERENCES];
    struct str id, rest = header_unfold(&m->arena, value);
    size_t n = 0, ring = IMAP_DIGEST_REFERENCES - 1;
    for (; next_id(m, &rest, &id); n++)
        ids[n == 0 ? 0 : 1 + (n - 1) % ring] = id;
    struct buf text = BUF_INIT(0);
    size_t skip = n > IMAP_DIGEST_REFERENCES ? n - IMAP_DIGEST_REFERENCES : 0;
    for (size_t i = 0; i < n; i = i == 0 ? 1 + skip : i + 1) {
        if (i > 0)
            buf_byte(&text, '\n');
        buf_str(&text, ids[i == 0 ? 0 : 1 + (i - 1) % ring]);
    }
    m->d.references = arena_str(&m->arena, buf_view(&text));
    buf_done(&text);
}

static struct str first_id(struct maker *m, struct str value)
{
    struct str id, rest = header_unfold(&m->arena, value);
    return next_id(m, &rest, &id) ? id : STR_NULL;
}

static void take_field(struct maker *m, const struct header_field *f, struct str *in_reply_to)
{
    struct imap_digest *d = &m->d;
    if (str_case_is(f->name, "Subject")) {
        take_subject(m, f->value);
    } else if (str_case_is(f->name, "From")) {
        if (!d->has_from)
            take_first_address(m, f->value, &d->from_box, &d->from_name);
        add_text(m, &m->from, &d->has_from, f->value);
    } else if (str_case_is(f->name, "To")) {
        if (!d->has_to)
            take_first_address(m, f->value, &d->to_box, &d->to_name);
        add_text(m, &m->to, &d->has_to, f->value);
    } else if (str_case_is(f->name, "Cc")) {
        if (!d->has_cc)
            take_first_address(m, f->value, &d->cc_box, NULL);
        add_text(m, &m->cc, &d->has_cc, f->value);
    } else if (str_case_is(f->name, "Bcc")) {
        add_text(m, &m->bcc, &d->has_bcc, f->value);
    } else if (str_case_is(f->name, "Date") && !d->has_date) {
        int zone = 0;
        d->has_date = date_parse(f->value, &d->date_s, &zone);
        d->date_zone = zone;
    } else if (str_case_is(f->name, "Message-ID") && d->message_id.n == 0) {
        d->message_id = first_id(m, f->value);
    } else if (str_case_is(f->name, "References") && d->references.n == 0) {
        take_references(m, f->value);
    } else if (str_case_is(f->name, "In-Reply-To") && in_reply_to->n == 0) {
        *in_reply_to = first_id(m, f->value);
    }
}

void imap_digest_make(struct buf *out, struct charset_cache *cs, struct str header_block)
{
    struct maker m = {.charsets = cs};
    struct header_iter it;
    struct header_field f;
    struct str in_reply_to = STR_NULL;
    header_iter_init(&it, header_block);
    while (header_next(&it, &f))
        if (f.name.n >= 2 && f.name.n <= 11)
            take_field(&m, &f, &in_reply_to);
    if (m.d.references.n == 0)
        m.d.references = in_reply_to;
    m.d.subject = buf_view(&m.subject);
    m.d.from = buf_view(&m.from);
    m.d.to = buf_view(&m.to);
    m.d.cc = buf_view(&m.cc);
    m.d.bcc = buf_view(&m.bcc);
    pack(out, &m.d);
    buf_done(&m.subject);
    buf_done(&m.from);
    buf_done(&m.to);
    buf_done(&m.cc);
    buf_done(&m.bcc);
    arena_done(&m.arena);
}
