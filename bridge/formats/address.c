/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/address.h"

#include "bridge/base/text.h"
#include "bridge/formats/header.h"
#include "bridge/formats/rfc2047.h"
#include "bridge/formats/rfc822.h"

/* Dovecot's words, which clients may know by now. */
#define MISSING_MAILBOX "MISSING_MAILBOX"
#define MISSING_DOMAIN  "MISSING_DOMAIN"
#define SYNTAX_ERROR    "SYNTAX_ERROR"

struct parser {
    struct arena *arena;
    struct rfc822 r;
    struct buf word;    /* what is being read */
    struct buf comment; /* the last comment */
    struct buf items;   /* struct address */
    struct address now; /* the mailbox being read */
    bool full;
};

static struct str word(struct parser *p)
{
    return arena_str(p->arena, buf_view(&p->word));
}

static void add(struct parser *p, enum address_kind kind)
{
    if (p->items.n / sizeof(struct address) >= ADDRESS_MAX) {
        p->full = true;
    } else {
        p->now.kind = kind;
        buf_add(&p->items, &p->now, sizeof(p->now));
    }
    memset(&p->now, 0, sizeof(p->now));
}

static void add_mailbox(struct parser *p)
{
    if (!p->now.mailbox.p) {
        p->now.mailbox = STR(MISSING_MAILBOX);
        p->now.broken = true;
    }
    if (!p->now.host.n) {
        p->now.host = STR(MISSING_DOMAIN);
        p->now.broken = true;
    }
    add(p, ADDRESS_MAILBOX);
}

static enum rfc822_next read_local_part(struct parser *p)
{
    buf_reset(&p->word);
    enum rfc822_next next = rfc822_local_part(&p->r, &p->word);
    if (next != RFC822_BAD)
        p->now.mailbox = word(p);
    return next;
}

static enum rfc822_next read_domain(struct parser *p)
{
    p->r.p++;
    buf_reset(&p->word);
    enum rfc822_next next = rfc822_domain(&p->r, &p->word);
    if (next != RFC822_BAD)
        p->now.host = word(p);
    return next;
}

/* "@a,@b" of an obsolete route, at '@' (RFC 5322 4.4); stops where it ends. */
static enum rfc822_next read_route(struct parser *p)
{
    buf_reset(&p->word);
    for (;;) {
        buf_byte(&p->word, '@');
        p->r.p++;
        enum rfc822_next next = rfc822_domain(&p->r, &p->word);
        if (next != RFC822_MORE)
            return next;
        while (*p->r.p == ',') {
            p->r.p++;
            next = rfc822_skip_blank(&p->r);
            if (next != RFC822_MORE)
                return next;
        }
        if (*p->r.p != '@') {
            p->now.route = word(p);
            return RFC822_MORE;
        }
        buf_byte(&p->word, ',');
    }
}

/* "<" [route ":"] local-part "@" domain ">", at '<'. */
static enum rfc822_next read_angle(struct parser *p)
{
    p->r.p++;
    if (rfc822_skip_blank(&p->r) != RFC822_MORE)
        return RFC822_BAD;
    if (*p->r.p == '@') {
        if (read_route(p) == RFC822_MORE && *p->r.p == ':') {
            p->r.p++;
        } else {
            p->now.route = STR("INVALID_ROUTE");
            p->now.broken = true;
        }
        if (rfc822_skip_blank(&p->r) != RFC822_MORE)
            return RFC822_BAD;
    }
    if (*p->r.p != '>') {
        enum rfc822_next next = read_local_part(p);
        if (next != RFC822_MORE)
            return RFC822_BAD;
        if (*p->r.p == '@' && read_domain(p) != RFC822_MORE)
            return RFC822_BAD;
    }
    if (*p->r.p != '>')
        return RFC822_BAD;
    p->r.p++;
    return rfc822_skip_blank(&p->r);
}

/* [phrase] angle-addr. False: it is something else, nothing was used up. */
static bool read_name_addr(struct parser *p, enum rfc822_next *ret_next)
{
    const char *start = p->r.p;
    buf_reset(&p->word);
    enum rfc822_next next = *start == '<' ? RFC822_MORE : rfc822_phrase(&p->r, &p->word);
    if (next != RFC822_MORE || *p->r.p != '<') {
        p->r.p = start;
        return false;
    }
    if (p->word.n)
        p->now.name = word(p);
    next = read_angle(p);
    if (next == RFC822_BAD) {
        p->now.host = STR(SYNTAX_ERROR);
        p->now.broken = true;
    }
    *ret_next = p->r.p < p->r.end ? RFC822_MORE : RFC822_END;
    return true;
}

/* local-part ["@" domain]; a comment after it is its name. Words without a domain are a name, a single one is a
 * mailbox. */
static enum rfc822_next read_addr_spec(struct parser *p)
{
    bool quoted = p->r.p < p->r.end && *p->r.p == '"', had_at = false;
    buf_reset(&p->comment);
    enum rfc822_next next = read_local_part(p);
    if (p->r.p < p->r.end && *p->r.p == '@') {
        had_at = true;
        next = read_domain(p);
    }
    if (p->comment.n) {
        p->now.name = arena_str(p->arena, buf_view(&p->comment));
    } else if (!had_at) {
        size_t n = p->word.n;
        buf_byte(&p->word, ' ');
        next = rfc822_skip_blank(&p->r);
        if (next == RFC822_MORE)
            next = rfc822_phrase(&p->r, &p->word);
        if (str_trim(buf_view(&p->word)).n > n) {
            p->now.mailbox = STR_NULL;
            p->now.name = arena_str(p->arena, str_trim(buf_view(&p->word)));
        }
    }
    if (quoted && !had_at && !p->now.name.p) {
        p->now.name = p->now.mailbox;
        p->now.mailbox = STR_NULL;
    }
    if (!had_at || next == RFC822_BAD)
        p->now.broken = true;
    return next;
}

static enum rfc822_next read_mailbox(struct parser *p)
{
    enum rfc822_next next;
    if (!read_name_addr(p, &next))
        next = read_addr_spec(p);
    add_mailbox(p);
    return next;
}

/* phrase ":" [mailbox-list] ";". False: it is no group, nothing was used up. */
static bool read_group(struct parser *p, enum rfc822_next *ret_next)
{
    const char *start = p->r.p;
    buf_reset(&p->word);
    if (rfc822_phrase(&p->r, &p->word) != RFC822_MORE || *p->r.p != ':') {
        p->r.p = start;
        return false;
    }
    p->r.p++;
    p->now.mailbox = word(p);
    enum rfc822_next next = rfc822_skip_blank(&p->r);
    add(p, ADDRESS_GROUP_START);
    if (next == RFC822_MORE && *p->r.p == ';') {
        /* nobody */
    } else {
        while (next == RFC822_MORE && !p->full) {
            read_mailbox(p);
            next = p->r.p < p->r.end ? RFC822_MORE : RFC822_END;
            if (next != RFC822_MORE || *p->r.p != ',')
                break;
            p->r.p++;
            next = rfc822_skip_blank(&p->r);
        }
    }
    if (next == RFC822_MORE && *p->r.p == ';') {
        p->r.p++;
        next = rfc822_skip_blank(&p->r);
    } else {
        next = RFC822_BAD;
    }
    add(p, ADDRESS_GROUP_END);
    *ret_next = next == RFC822_END ? RFC822_END : RFC822_MORE;
    return true;
}

static void read_list(struct parser *p)
{
    enum rfc822_next next = rfc822_skip_blank(&p->r);
    while (next == RFC822_MORE && !p->full) {
        if (!read_group(p, &next))
            next = read_mailbox(p);
        if (next == RFC822_END || p->r.p >= p->r.end || *p->r.p != ',')
            return;
        p->r.p++;
        next = rfc822_skip_blank(&p->r);
        if (next == RFC822_BAD) /* ends with a comment that is not closed */
            add_mailbox(p);
    }
}

/* Several fields, joined with ",\n" (mime_envelope_parse does), are read one by one: what is broken ends with its
 * field. */
static bool next_field(struct str *rest, struct str *ret_field)
{
    struct str s = *rest;
    size_t n = 0;
    if (!s.n)
        return false;
    for (;;) {
        const char *lf = memchr(s.p + n, '\n', s.n - n);
        if (!lf) {
            *ret_field = s;
            *rest = STR_NULL;
            return true;
        }
        n = (size_t)(lf - s.p) + 1;
        if (n < s.n && s.p[n] != ' ' && s.p[n] != '\t' && n > 1 && s.p[n - 2] == ',')
            break; /* no folding */
    }
    *ret_field = str_sub(s, 0, n - 2);
    *rest = str_skip(s, n);
    return true;
}

void address_parse(struct arena *a, struct str value, struct address_list *ret_list)
{
    struct parser p = {.arena = a,
                       .word = BUF_INIT(0),
                       .comment = BUF_INIT(0),
                       .items = BUF_INIT((size_t)ADDRESS_MAX * sizeof(struct address))};
    struct str field;
    while (next_field(&value, &field) && !p.full) {
        rfc822_init(&p.r, header_unfold(a, field), &p.comment);
        read_list(&p);
    }
    size_t n = p.items.n / sizeof(struct address);
    ret_list->items = n ? arena_array(a, n, sizeof(struct address)) : NULL;
    if (n)
        memcpy(ret_list->items, p.items.p, p.items.n);
    ret_list->n = n;
    ret_list->truncated = p.full;
    buf_done(&p.word);
    buf_done(&p.comment);
    buf_done(&p.items);
}

/* ---- writing ---- */

static bool needs_quotes(struct str local)
{
    if (!local.n || local.p[0] == '.' || local.p[local.n - 1] == '.')
        return true;
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '.' ? i + 1 < local.n && local.p[i + 1] == '.' : !rfc822_is_atom_byte(local.p[i]))
            return true;
    }
    return false;
}

void address_add_spec(struct buf *out, const struct address *a)
{
    if (needs_quotes(a->mailbox)) {
        buf_byte(out, '"');
        for (size_t i = 0; i < a->mailbox.n; i++) {
            if (a->mailbox.p[i] == '"' || a->mailbox.p[i] == '\\')
                buf_byte(out, '\\');
            buf_byte(out, a->mailbox.p[i]);
        }
        buf_byte(out, '"');
    } else {
        buf_str(out, a->mailbox);
    }
    if (a->host.n) {
        buf_byte(out, '@');
        buf_str(out, a->host);
    }
}

/* One of the words that stand for what was missing. */
static bool is_stand_in(const struct address *a, struct str half)
{
    return a->broken && (str_is(half, MISSING_MAILBOX) || str_is(half, MISSING_DOMAIN) || str_is(half, SYNTAX_ERROR));
}

void address_add_display(struct buf *out, struct charset_cache *cs, const struct address *a)
{
    if (a->kind != ADDRESS_MAILBOX)
        return;
    struct buf spec = BUF_INIT(0);
    struct address shown = *a;
    if (is_stand_in(a, a->host))
        shown.host = STR_NULL;
    if (!is_stand_in(a, a->mailbox))
        address_add_spec(&spec, &shown);
    else if (shown.host.n)
        buf_printf(&spec, "@%.*s", STR_ARG(shown.host));
    rfc2047_decode(cs, a->name, out);
    if (spec.n && a->name.n)
        buf_lit(out, " <");
    rfc2047_decode(cs, buf_view(&spec), out);
    if (spec.n && a->name.n)
        buf_byte(out, '>');
    buf_done(&spec);
}

void address_list_add_display(struct buf *out, struct charset_cache *cs, const struct address_list *list)
{
    bool first = true;
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i].kind != ADDRESS_MAILBOX)
            continue;
        if (!first)
            buf_lit(out, ", ");
        first = false;
        address_add_display(out, cs, &list->items[i]);
    }
}

/* Header values are one line of text: what would break that goes. Letters beyond ASCII stay (RFC 6532). */
static void add_safe_spec(struct buf *out, struct str spec)
{
    while (spec.n) {
        uint32_t c = text_utf8_next(&spec);
        if (c > ' ' && c != 127 && c != 0xfffd && c != '<' && c != '>' && c != ',')
            text_utf8_add(out, c);
    }
}

void address_add_header(struct buf *out, struct str name, struct str spec)
{
    if (name.n) {
        rfc2047_add_phrase(out, name, 0);
        buf_byte(out, ' ');
    }
    buf_byte(out, '<');
    add_safe_spec(out, spec);
    buf_byte(out, '>');
}
