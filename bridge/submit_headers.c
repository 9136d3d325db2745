/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/submit_headers.h"

#include "bridge/base/arena.h"
#include "bridge/formats/address.h"
#include "bridge/formats/header.h"

#define BCC_LINE 900 /* start a new line after so many bytes: RFC 5322 2.1.1 allows 998 */

struct rewrite {
    struct arena arena;
    struct buf *out;
    const struct str *recipients;
    size_t count;
    bool *named; /* by a To or Cc that stays */
    bool any_visible;
};

static struct str spec_of(struct rewrite *r, const struct address *a)
{
    struct buf b = {0};
    address_add_spec(&b, a);
    struct str s = arena_str(&r->arena, buf_view(&b));
    buf_done(&b);
    return s;
}

static bool is_mailbox(const struct address *a)
{
    return a->kind == ADDRESS_MAILBOX && !a->broken;
}

/* Marks the recipient as named. */
static bool is_recipient(struct rewrite *r, const struct address *a)
{
    struct str spec = spec_of(r, a);
    bool found = false;
    for (size_t i = 0; i < r->count; i++)
        if (str_case_eq(r->recipients[i], spec)) {
            r->named[i] = true;
            found = true;
        }
    return found;
}

static void add_line(struct rewrite *r, size_t *line, struct str item)
{
    if (*line && *line + item.n > BCC_LINE) {
        buf_lit(r->out, ",\r\n ");
        *line = 1;
    } else if (*line) {
        buf_lit(r->out, ", ");
    } else {
        *line = 1;
    }
    *line += item.n + 2;
    buf_str(r->out, item);
}

/* A name as it stood (encoded words included) and the address. */
static struct str as_header(struct rewrite *r, const struct address *a)
{
    struct buf b = {0};
    bool plain = a->name.p != NULL;
    for (size_t i = 0; plain && i < a->name.n; i++)
        plain = a->name.p[i] != '"' && a->name.p[i] != '\\' && a->name.p[i] != '\r' && a->name.p[i] != '\n';
    if (plain && a->name.n) {
        bool word = str_find(a->name, STR("=?")) != (size_t)-1; /* an encoded word loses its meaning inside quotes */
        buf_lit(&b, word ? "" : "\"");
        buf_str(&b, a->name);
        buf_lit(&b, word ? " <" : "\" <");
        buf_str(&b, spec_of(r, a));
        buf_byte(&b, '>');
    } else {
        buf_str(&b, spec_of(r, a));
    }
    struct str s = arena_str(&r->arena, buf_view(&b));
    buf_done(&b);
    return s;
}

static void visible_field(struct rewrite *r, const struct header_field *f)
{
    struct address_list list;
    address_parse(&r->arena, f->value, &list);
    size_t kept = 0, mailboxes = 0;
    bool *keep = arena_array(&r->arena, list.n + 1, sizeof(*keep));
    for (size_t i = 0; i < list.n; i++) {
        if (!is_mailbox(&list.items[i]))
            continue;
        mailboxes++;
        kept += keep[i] = is_recipient(r, &list.items[i]);
    }
    if (kept == mailboxes && !list.truncated) {
        r->any_visible |= mailboxes > 0;
        if (mailboxes)
            buf_str(r->out, f->raw);
        return;
    }
    if (kept == 0)
        return;
    r->any_visible = true;
    buf_str(r->out, f->name);
    buf_lit(r->out, ": ");
    size_t line = 0;
    for (size_t i = 0; i < list.n; i++)
        if (keep[i])
            add_line(r, &line, as_header(r, &list.items[i]));
    buf_lit(r->out, "\r\n");
}

static void add_hidden(struct rewrite *r)
{
    size_t line = 0;
    for (size_t i = 0; i < r->count; i++) {
        bool twice = false;
        for (size_t k = 0; k < i && !twice; k++)
            twice = str_case_eq(r->recipients[k], r->recipients[i]);
        if (r->named[i] || twice)
            continue;
        if (!line)
            buf_lit(r->out, "Bcc: ");
        add_line(r, &line, r->recipients[i]);
    }
    if (line)
        buf_lit(r->out, "\r\n");
    if (!r->any_visible)
        buf_lit(r->out, "To: undisclosed-recipients:;\r\n");
}

/* RFC 5322 3.6.8 */
static bool is_field_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 33 || name.p[i] > 126)
            return false;
    return name.n > 0;
}

static bool next_field(struct header_iter *it, struct header_field *ret)
{
    return header_next(it, ret) && is_field_name(ret->name);
}

/* "From alice Mon Jan  5 10:00:00 2026" above a field: of a mailbox in one file, or of a patch by git. */
static bool is_mailbox_line(struct str line, struct header_iter after)
{
    struct header_field next;
    return str_starts(line, STR("From ")) && next_field(&after, &next);
}

struct str submit_headers_block(struct str message, size_t *ret_text)
{
    struct header_iter it;
    struct header_field f;
    size_t n = 0;
    header_iter_init(&it, message);
    while (header_next(&it, &f) && (is_field_name(f.name) || is_mailbox_line(f.raw, it)))
        n += f.raw.n;
    struct str rest = str_skip(message, n);
    *ret_text = n + (str_starts(rest, STR("\r\n")) ? 2 : str_starts(rest, STR("\n")));
    return str_sub(message, 0, n);
}

bool submit_headers_rewrite(struct buf *out, struct str header, const struct str *recipients, size_t recipient_count)
{
    struct rewrite r = {.out = out, .recipients = recipients, .count = recipient_count};
    struct header_iter it;
    struct header_field f;
    r.named = arena_array(&r.arena, recipient_count + 1, sizeof(*r.named));
    header_iter_init(&it, header);
    while (header_next(&it, &f)) {
        if (str_case_is(f.name, "To") || str_case_is(f.name, "Cc"))
            visible_field(&r, &f);
        else if (is_field_name(f.name) && !str_case_is(f.name, "Bcc") && !str_case_is(f.name, "Resent-Bcc") &&
                 !str_case_is(f.name, "Return-Path"))
            buf_str(out, f.raw);
    }
    add_hidden(&r);
    buf_lit(out, "\r\n");
    arena_done(&r.arena);
    return !out->failed;
}
