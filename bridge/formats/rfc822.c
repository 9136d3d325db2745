/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/rfc822.h"

/* What a byte may be part of. Above 127 is atom and token text: RFC 6532, and what senders do anyway. */
enum { ATOM = 1, TOKEN = 2 };
static const unsigned char byte_class[128] = {
    /* clang-format off */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /*  ! " # $ % & ' ( ) * + , - . / */              0, 3, 0, 3, 3, 3, 3, 3, 0, 0, 3, 3, 0, 3, 2, 1,
    /* 0-9 : ; < = > ? */                             3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 1, 0, 1,
    /* @ A-O */                                       0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    /* P-Z [ \ ] ^ _ */                               3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 3, 3,
    /* ` a-o */                                       3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    /* p-z { | } ~ DEL */                             3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0,
    /* clang-format on */
};

bool rfc822_is_atom_byte(char c)
{
    return (unsigned char)c >= 128 || (byte_class[(unsigned char)c] & ATOM);
}

bool rfc822_is_token_byte(char c)
{
    return (unsigned char)c >= 128 || (byte_class[(unsigned char)c] & TOKEN);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void rfc822_init(struct rfc822 *r, struct str value, struct buf *comment)
{
    r->p = value.p ? value.p : "";
    r->end = r->p + value.n;
    r->comment = comment;
}

/* At '('. Comments nest; a backslash quotes. The text of the innermost levels is kept with its parentheses. */
static bool skip_comment(struct rfc822 *r)
{
    size_t depth = 0;
    if (r->comment)
        buf_reset(r->comment);
    while (r->p < r->end) {
        char c = *r->p++;
        if (c == '(') {
            if (depth++ == 0)
                continue;
        } else if (c == ')') {
            if (--depth == 0)
                return true;
        } else if (c == '\\' && r->p < r->end) {
            c = *r->p++;
        }
        if (r->comment)
            buf_byte(r->comment, c);
    }
    if (r->comment)
        buf_reset(r->comment);
    return false;
}

enum rfc822_next rfc822_skip_blank(struct rfc822 *r)
{
    for (;;) {
        while (r->p < r->end && is_blank(*r->p))
            r->p++;
        if (r->p == r->end)
            return RFC822_END;
        if (*r->p != '(')
            return RFC822_MORE;
        if (!skip_comment(r))
            return RFC822_BAD;
    }
}

static bool run_of(struct rfc822 *r, struct buf *out, bool (*is)(char))
{
    const char *start = r->p;
    while (r->p < r->end && is(*r->p))
        r->p++;
    if (r->p == start)
        return false;
    buf_add(out, start, (size_t)(r->p - start));
    return true;
}

enum rfc822_next rfc822_atom(struct rfc822 *r, struct buf *out)
{
    return run_of(r, out, rfc822_is_atom_byte) ? rfc822_skip_blank(r) : RFC822_BAD;
}

enum rfc822_next rfc822_mime_token(struct rfc822 *r, struct buf *out)
{
    return run_of(r, out, rfc822_is_token_byte) ? rfc822_skip_blank(r) : RFC822_BAD;
}

enum rfc822_next rfc822_quoted(struct rfc822 *r, struct buf *out)
{
    size_t before = out->n;
    r->p++;
    while (r->p < r->end) {
        const char *start = r->p;
        while (r->p < r->end && *r->p != '"' && *r->p != '\\')
            r->p++;
        buf_add(out, start, (size_t)(r->p - start));
        if (r->p == r->end)
            break;
        if (*r->p++ == '"')
            return rfc822_skip_blank(r);
        if (r->p < r->end)
            buf_byte(out, *r->p++);
    }
    out->n = before;
    return RFC822_BAD;
}

static bool is_atom_or_dot(char c)
{
    return c == '.' || rfc822_is_atom_byte(c);
}

enum rfc822_next rfc822_phrase(struct rfc822 *r, struct buf *out)
{
    if (r->p == r->end)
        return RFC822_END;
    if (*r->p == '.') /* it begins with a word (obs-phrase) */
        return RFC822_BAD;
    for (;;) {
        enum rfc822_next next;
        if (*r->p == '"') {
            next = rfc822_quoted(r, out);
        } else {
            run_of(r, out, is_atom_or_dot); /* there may be none: nothing, or a comment */
            next = rfc822_skip_blank(r);
        }
        if (next != RFC822_MORE || (!is_atom_or_dot(*r->p) && *r->p != '"'))
            return next;
        buf_byte(out, ' ');
    }
}

/* A quoted string, or a dot-atom that may begin, end or be sprinkled with dots (senders do that). */
enum rfc822_next rfc822_local_part(struct rfc822 *r, struct buf *out)
{
    enum rfc822_next next = RFC822_BAD;
    if (r->p == r->end)
        return RFC822_END;
    if (*r->p == '"')
        return rfc822_quoted(r, out);
    do {
        while (*r->p == '.') {
            buf_byte(out, '.');
            if (++r->p == r->end)
                return RFC822_END;
            next = RFC822_MORE;
        }
        if (*r->p == '@')
            break;
        next = rfc822_atom(r, out);
    } while (next == RFC822_MORE && *r->p == '.');
    return next;
}

static enum rfc822_next domain_literal(struct rfc822 *r, struct buf *out)
{
    const char *start = r->p++;
    while (r->p < r->end && *r->p != ']' && *r->p != '[')
        r->p += *r->p == '\\' && r->p + 1 < r->end ? 2 : 1;
    if (r->p < r->end && *r->p == '[')
        return RFC822_BAD;
    if (r->p == r->end)
        return RFC822_BAD;
    r->p++;
    buf_add(out, start, (size_t)(r->p - start));
    return rfc822_skip_blank(r);
}

enum rfc822_next rfc822_domain(struct rfc822 *r, struct buf *out)
{
    enum rfc822_next next = rfc822_skip_blank(r);
    if (next != RFC822_MORE)
        return RFC822_BAD;
    if (*r->p == '[')
        return domain_literal(r, out);
    for (;;) { /* dot-atom with the blanks RFC 822 allowed around dots */
        next = rfc822_atom(r, out);
        if (next != RFC822_MORE || *r->p != '.')
            return next;
        buf_byte(out, '.');
        r->p++;
        if (rfc822_skip_blank(r) != RFC822_MORE)
            return RFC822_BAD;
    }
}
