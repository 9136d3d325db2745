/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/mime_field.h"

#include <stdlib.h>

#include "bridge/formats/header.h"
#include "bridge/formats/rfc822.h"

/* ---- parameters (RFC 2045 5.1, RFC 2231) ---- */

struct raw_param {
    struct str name, value; /* the name without the RFC 2231 marks */
    uint32_t index;
    uint32_t order;
    bool extended;
};

/* One parameter at ';'. RFC822_BAD: what is here is none, try further on. */
static enum rfc822_next read_param(struct arena *a, struct rfc822 *r, struct buf *scratch, struct mime_param *ret)
{
    if (*r->p != ';')
        return RFC822_BAD;
    r->p++;
    if (rfc822_skip_blank(r) != RFC822_MORE)
        return RFC822_BAD;
    buf_reset(scratch);
    if (rfc822_mime_token(r, scratch) != RFC822_MORE || *r->p != '=')
        return RFC822_BAD;
    struct str name = arena_str(a, buf_view(scratch));
    r->p++;
    buf_reset(scratch);
    enum rfc822_next next = rfc822_skip_blank(r);
    if (next == RFC822_BAD)
        return RFC822_BAD;
    if (next == RFC822_END) {
        /* an empty value at the very end */
    } else if (*r->p == '"') {
        if (rfc822_quoted(r, scratch) == RFC822_BAD)
            return RFC822_BAD;
    } else if (*r->p == '=') {
        /* name==?utf-8?...?= without quotes, as some senders write: up to the next blank or semicolon */
        while (r->p < r->end && *r->p != ';' && *r->p != ' ' && *r->p != '\t')
            buf_byte(scratch, *r->p++);
    } else {
        rfc822_mime_token(r, scratch); /* there may be none: an empty value */
    }
    *ret = (struct mime_param){name, arena_str(a, buf_view(scratch))};
    return RFC822_MORE;
}

/* "name*3*" -> name, 3, extended. False: an ordinary name. */
static bool split_name(struct str full, struct raw_param *ret)
{
    size_t star = str_find_byte(full, '*');
    if (star == (size_t)-1 || star == 0)
        return false;
    uint64_t index = 0;
    size_t i = star + 1;
    while (i < full.n && full.p[i] >= '0' && full.p[i] <= '9') {
        index = index * 10 + (uint64_t)(full.p[i++] - '0');
        if (index > UINT32_MAX)
            return false;
    }
    bool digits = i > star + 1;
    bool extended = !digits;
    if (digits && i < full.n && full.p[i] == '*') {
        extended = true;
        i++;
    }
    if (i != full.n)
        return false;
    ret->name = (struct str){full.p, star};
    ret->index = (uint32_t)index;
    ret->extended = extended;
    return true;
}

static int by_name_and_index(const void *va, const void *vb)
{
    const struct raw_param *a = va, *b = vb;
    int c = str_cmp(a->name, b->name);
    if (c)
        return c;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void add_escaped(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c <= ' ' || c >= 127 || strchr("*'()<>@,;:\\\"/[]?=%", c))
            buf_printf(out, "%%%02X", c);
        else
            buf_byte(out, (char)c);
    }
}

/* Pieces [0, n) share a name. With all indexes from 0 there they become one parameter, else each stays as it was sent.
 */
static uint32_t join_pieces(struct arena *a, const struct raw_param *pieces, size_t n, struct mime_param *out)
{
    bool complete = true, extended = false;
    for (size_t i = 0; i < n; i++) {
        complete = complete && pieces[i].index == i;
        extended = extended || pieces[i].extended;
    }
    if (!complete) {
        for (size_t i = 0; i < n; i++) {
            out[i].name =
                arena_printf(a, "%.*s*%u%s", STR_ARG(pieces[i].name), pieces[i].index, pieces[i].extended ? "*" : "");
            out[i].value = pieces[i].value;
        }
        return (uint32_t)n;
    }
    struct buf joined = BUF_INIT(MIME_MAX_HEADER_BYTES * 4);
    if (extended && !pieces[0].extended)
        buf_lit(&joined, "''");
    for (size_t i = 0; i < n; i++) {
        if (extended && !pieces[i].extended)
            add_escaped(&joined, pieces[i].value);
        else
            buf_str(&joined, pieces[i].value);
    }
    out->name = extended ? arena_printf(a, "%.*s*", STR_ARG(pieces[0].name)) : pieces[0].name;
    out->value = arena_str(a, buf_view(&joined));
    buf_done(&joined);
    return 1;
}

bool mime_params_parse(struct arena *a, struct rfc822 *r, uint32_t max_params, struct mime_param **ret_params,
                       uint32_t *ret_count)
{
    struct buf scratch = BUF_INIT(MIME_MAX_HEADER_BYTES), plain = BUF_INIT(0), split = BUF_INIT(0);
    bool clean = true;
    uint32_t seen = 0;
    while (r->p < r->end && seen < max_params) {
        struct mime_param param;
        struct raw_param piece = {.order = seen};
        if (read_param(a, r, &scratch, &param) == RFC822_BAD) {
            clean = false; /* go on at the next byte that could begin one */
            if (r->p < r->end)
                r->p++;
            while (r->p < r->end && *r->p != ';')
                r->p++;
            continue;
        }
        seen++;
        if (split_name(param.name, &piece)) {
            piece.value = param.value;
            buf_add(&split, &piece, sizeof(piece));
        } else {
            buf_add(&plain, &param, sizeof(param));
        }
    }
    if (r->p < r->end)
        clean = false;
    size_t plain_n = plain.n / sizeof(struct mime_param), split_n = split.n / sizeof(struct raw_param);
    struct mime_param *out = plain_n + split_n ? arena_array(a, plain_n + split_n, sizeof(*out)) : NULL;
    uint32_t n = (uint32_t)plain_n;
    if (plain_n)
        memcpy(out, plain.p, plain.n);
    struct raw_param *pieces = (struct raw_param *)(void *)split.p;
    if (split_n)
        qsort(pieces, split_n, sizeof(*pieces), by_name_and_index);
    for (size_t i = 0; i < split_n;) {
        size_t j = i + 1;
        while (j < split_n && str_case_eq(pieces[i].name, pieces[j].name))
            j++;
        n += join_pieces(a, pieces + i, j - i, out + n);
        i = j;
    }
    buf_done(&scratch);
    buf_done(&plain);
    buf_done(&split);
    *ret_params = out;
    *ret_count = n;
    return clean;
}

/* ---- the Content-* fields ---- */

static void set_type(struct arena *a, struct mime_part *part, struct str value, uint32_t max_params,
                     struct str *ret_boundary)
{
    if (part->type_given)
        return;
    part->type_given = true;
    part->type = part->subtype = STR("");
    struct buf main = BUF_INIT(MIME_MAX_HEADER_BYTES), sub = BUF_INIT(MIME_MAX_HEADER_BYTES);
    struct rfc822 r;
    rfc822_init(&r, value, NULL);
    enum rfc822_next next = RFC822_BAD;
    if (rfc822_skip_blank(&r) == RFC822_MORE)
        next = rfc822_mime_token(&r, &main);
    if (next == RFC822_MORE) {
        next = RFC822_BAD;
        if (*r.p == '/') {
            r.p++;
            if (rfc822_skip_blank(&r) == RFC822_MORE)
                next = rfc822_mime_token(&r, &sub);
        }
        if (next == RFC822_MORE && *r.p != ';')
            next = RFC822_BAD;
    }
    if (next != RFC822_BAD) {
        part->type = arena_str(a, buf_view(&main));
        part->subtype = arena_str(a, buf_view(&sub));
        mime_params_parse(a, &r, max_params, &part->params, &part->param_count);
        if (str_case_is(part->type, "multipart"))
            *ret_boundary = mime_param_raw(part->params, part->param_count, "boundary");
    }
    buf_done(&main);
    buf_done(&sub);
}

static void set_token(struct arena *a, struct rfc822 *r, struct str *field, enum rfc822_next *ret_next)
{
    struct buf token = BUF_INIT(MIME_MAX_HEADER_BYTES);
    *ret_next = RFC822_BAD;
    if (rfc822_skip_blank(r) == RFC822_MORE)
        *ret_next = rfc822_mime_token(r, &token);
    if (*ret_next != RFC822_BAD)
        *field = arena_str(a, buf_view(&token));
    buf_done(&token);
}

static void set_encoding(struct arena *a, struct mime_part *part, struct str value)
{
    struct rfc822 r;
    enum rfc822_next next;
    if (part->encoding.p)
        return;
    rfc822_init(&r, value, NULL);
    set_token(a, &r, &part->encoding, &next);
    if (next != RFC822_END) /* rubbish after it: it says nothing */
        part->encoding = STR_NULL;
}

static void set_disposition(struct arena *a, struct mime_part *part, struct str value, uint32_t max_params)
{
    struct rfc822 r;
    enum rfc822_next next;
    if (part->disposition_param_count) /* of several, the first with parameters counts, else the last: as Dovecot has it
                                        */
        return;
    part->disposition = STR_NULL;
    rfc822_init(&r, value, NULL);
    set_token(a, &r, &part->disposition, &next);
    if (next == RFC822_BAD && r.p == r.end && value.n) /* a comment that is not closed has swallowed it */
        return;
    if (!part->disposition.p) /* unreadable, but its parameters may be good */
        part->disposition = STR("");
    mime_params_parse(a, &r, max_params, &part->disposition_params, &part->disposition_param_count);
}

static void set_languages(struct arena *a, struct mime_part *part, struct str value)
{
    if (part->languages)
        return;
    struct buf list = BUF_INIT(0);
    struct rfc822 r;
    rfc822_init(&r, value, NULL);
    enum rfc822_next next = rfc822_skip_blank(&r);
    while (next == RFC822_MORE && list.n / sizeof(struct str) < MIME_MAX_PARAMS) {
        struct buf tag = BUF_INIT(MIME_MAX_HEADER_BYTES);
        next = rfc822_atom(&r, &tag);
        struct str copy = arena_str(a, buf_view(&tag));
        if (tag.n)
            buf_add(&list, &copy, sizeof(copy));
        buf_done(&tag);
        if (next != RFC822_MORE || *r.p != ',')
            break;
        r.p++;
        next = rfc822_skip_blank(&r);
    }
    part->language_count = (uint32_t)(list.n / sizeof(struct str));
    if (part->language_count) {
        part->languages = arena_array(a, part->language_count, sizeof(struct str));
        memcpy(part->languages, list.p, list.n);
    }
    buf_done(&list);
}

static void set_once(struct arena *a, struct str *field, struct str value)
{
    if (!field->p)
        *field = arena_str(a, value.p ? value : STR(""));
}

void mime_field_content(struct arena *a, struct mime_part *part, struct str name, struct str raw_value,
                        uint32_t max_params, struct str *ret_boundary)
{
    struct str value = header_unfold(a, raw_value);
    name = str_skip(name, sizeof("content-") - 1);
    if (str_case_is(name, "type"))
        set_type(a, part, value, max_params, ret_boundary);
    else if (str_case_is(name, "transfer-encoding"))
        set_encoding(a, part, value);
    else if (str_case_is(name, "disposition"))
        set_disposition(a, part, value, max_params);
    else if (str_case_is(name, "language"))
        set_languages(a, part, value);
    else if (str_case_is(name, "id"))
        set_once(a, &part->id, value);
    else if (str_case_is(name, "description"))
        set_once(a, &part->description, value);
    else if (str_case_is(name, "md5"))
        set_once(a, &part->md5, value);
    else if (str_case_is(name, "location"))
        set_once(a, &part->location, value);
}

/* ---- envelope ---- */

#define FIELD(text, member, is_addresses)                                                                              \
    {                                                                                                                  \
        text, sizeof(text) - 1, offsetof(struct mime_envelope, member), is_addresses                                   \
    }
static const struct envelope_field {
    const char *name; /* lower case */
    size_t size, at;
    bool addresses;
} envelope_fields[] = {
    FIELD("date", date, false),
    FIELD("subject", subject, false),
    FIELD("from", from, true),
    FIELD("sender", sender, true),
    FIELD("reply-to", reply_to, true),
    FIELD("to", to, true),
    FIELD("cc", cc, true),
    FIELD("bcc", bcc, true),
    FIELD("in-reply-to", in_reply_to, false),
    FIELD("message-id", message_id, false),
};

static const struct envelope_field *find_envelope_field(struct str name)
{
    for (size_t i = 0; i < sizeof(envelope_fields) / sizeof(*envelope_fields); i++) {
        const struct envelope_field *f = &envelope_fields[i];
        if (f->size == name.n && (name.p[0] | 0x20) == f->name[0] && str_case_is(name, f->name))
            return f;
    }
    return NULL;
}

enum mime_field_kind mime_field_kind(struct str name)
{
    if (name.n > 8 && (name.p[0] | 0x20) == 'c' && str_case_starts(name, STR("content-")))
        return MIME_FIELD_CONTENT;
    return find_envelope_field(name) ? MIME_FIELD_ENVELOPE : MIME_FIELD_OTHER;
}

static size_t room_for(size_t n)
{
    size_t size = 64;
    while (size < n)
        size *= 2;
    return size;
}

/* Set, or join with ",\n" (see address_parse). Room grows by doubling, so that 100,000 To fields do not cost the square
 * of it. */
static void append_addresses(struct arena *a, struct str *field, struct str more)
{
    if (field->n)
        more = str_trim(more);
    size_t had = field->n, n = had + (had ? 2 : 0) + more.n;
    char *p = (char *)(uintptr_t)field->p;
    if (!p || room_for(had) < n) {
        p = arena_alloc(a, room_for(n));
        if (had)
            memcpy(p, field->p, had);
    }
    if (had)
        memcpy(p + had, ",\n", 2);
    if (more.n)
        memcpy(p + n - more.n, more.p, more.n);
    *field = (struct str){p, n};
}

void mime_field_envelope(struct arena *a, struct mime_envelope *env, struct str name, struct str raw_value)
{
    const struct envelope_field *f = find_envelope_field(name);
    if (!f)
        return;
    struct str *field = (struct str *)(void *)((char *)env + f->at);
    struct str value = header_unfold(a, raw_value);
    if (f->addresses)
        append_addresses(a, field, value);
    else
        *field = arena_str(a, value.p ? value : STR(""));
}

void mime_envelope_parse(struct arena *a, struct str header_block, struct mime_envelope *ret_envelope)
{
    struct header_iter it;
    struct header_field f;
    memset(ret_envelope, 0, sizeof(*ret_envelope));
    header_iter_init(&it, header_block);
    while (header_next(&it, &f)) {
        if (f.name.n)
            mime_field_envelope(a, ret_envelope, f.name, f.value);
    }
}
