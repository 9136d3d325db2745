/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/build.h"

#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/address.h"
#include "bridge/formats/date.h"
#include "bridge/formats/header.h"
#include "bridge/formats/rfc2047.h"
#include "bridge/formats/rfc822.h"

enum { LINE_MAX_7BIT = 998, BASE64_LINE = 76, QP_LINE = 75 };

/* ---- header ---- */

/* Printable ASCII of s, blanks (and line ends) as given places to fold: for message ids. */
static void add_ids(struct buf *out, const char *name, struct str s)
{
    bool any = false, blank = false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ') {
            blank = true;
            continue;
        }
        if (c >= 127)
            continue;
        if (!any)
            buf_printf(out, "%s: ", name);
        else if (blank)
            buf_lit(out, "\r\n ");
        any = true;
        blank = false;
        buf_byte(out, (char)c);
    }
    if (any)
        buf_lit(out, "\r\n");
}

static void add_addresses(struct buf *out, const char *name, const struct build_addresses *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct build_address *a = &list->items[i];
        if (i == 0)
            buf_printf(out, "%s: ", name);
        else
            buf_lit(out, ",\r\n ");
        if (a->spec.n) {
            address_add_header(out, a->name, a->spec);
        } else { /* somebody without an address: a group without members */
            rfc2047_add_phrase(out, a->name.n ? a->name : STR("unknown"), 0);
            buf_lit(out, ":;");
        }
    }
    if (list->n)
        buf_lit(out, "\r\n");
}

static bool is_extra_allowed(const struct header_field *f)
{
    if (!f->name.n || str_case_starts(f->name, STR("content-")) || str_case_is(f->name, "mime-version"))
        return false;
    for (size_t i = 0; i < f->name.n; i++) {
        if (f->name.p[i] <= ' ' || f->name.p[i] >= 127)
            return false;
    }
    for (size_t i = 0; i < f->value.n; i++) {
        unsigned char c = (unsigned char)f->value.p[i];
        if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c >= 127)
            return false;
    }
    return true;
}

static void add_extra(struct buf *out, struct str extra)
{
    struct header_iter it;
    struct header_field f;
    struct arena a = {0};
    header_iter_init(&it, extra);
    while (header_next(&it, &f)) {
        if (!is_extra_allowed(&f))
            continue;
        buf_str(out, f.name);
        buf_lit(out, ": ");
        buf_str(out, header_unfold(&a, f.value));
        buf_lit(out, "\r\n");
    }
    arena_done(&a);
}

static void add_fields(const struct build_message *m, struct buf *out)
{
    static const char *const importance[] = {"low", NULL, "high"};
    if (m->date_s != TIME_NONE) {
        buf_lit(out, "Date: ");
        date_add_rfc5322(out, m->date_s, m->zone_minutes);
        buf_lit(out, "\r\n");
    }
    add_addresses(out, "From", &m->from);
    add_addresses(out, "Sender", &m->sender);
    add_addresses(out, "Reply-To", &m->reply_to);
    add_addresses(out, "To", &m->to);
    add_addresses(out, "Cc", &m->cc);
    add_addresses(out, "Bcc", &m->bcc);
    if (m->subject.p) {
        buf_lit(out, "Subject: ");
        rfc2047_add_text(out, m->subject, sizeof("Subject: ") - 1);
        buf_lit(out, "\r\n");
    }
    add_ids(out, "Message-ID", m->message_id);
    add_ids(out, "In-Reply-To", m->in_reply_to);
    add_ids(out, "References", m->references);
    if (m->importance >= -1 && m->importance <= 1 && importance[m->importance + 1])
        buf_printf(out, "Importance: %s\r\n", importance[m->importance + 1]);
    add_extra(out, m->extra);
}

/* ---- text ---- */

struct text_facts {
    bool plain; /* 7bit will do */
    size_t high;
};

static struct text_facts look_at(struct str s)
{
    struct text_facts f = {.plain = str_find(s, STR("=_")) == (size_t)-1}; /* it could look like our boundary */
    size_t line = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        line = c == '\n' ? 0 : line + 1;
        if (c >= 127 || (c < ' ' && c != '\t' && c != '\n' && c != '\r') || line > LINE_MAX_7BIT ||
            (c == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')))
            f.plain = false;
        f.high += c >= 127;
    }
    return f;
}

static void qp_break(struct buf *out, size_t *column)
{
    buf_lit(out, "=\r\n");
    *column = 0;
}

/* RFC 2045 6.7. Line ends (LF or CRLF) are kept as CRLF. */
static void add_qp(struct buf *out, struct str s)
{
    size_t column = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\n' || (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')) {
            i += c == '\r';
            buf_lit(out, "\r\n");
            column = 0;
            continue;
        }
        bool at_end = i + 1 == s.n || s.p[i + 1] == '\n' || (s.p[i + 1] == '\r' && i + 2 < s.n && s.p[i + 2] == '\n');
        bool literal = (c > ' ' && c < 127 && c != '=' && !(column == 0 && (c == '.' || c == 'F'))) ||
                       ((c == ' ' || c == '\t') && !at_end);
        size_t width = literal ? 1 : 3;
        if (column + width > QP_LINE) {
            qp_break(out, &column);
            literal = literal && c != '.' && c != 'F';
            width = literal ? 1 : 3;
        }
        if (literal)
            buf_byte(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
        column += width;
    }
}

static void add_base64_text(struct buf *out, struct str s)
{
    while (s.n) {
        struct str line = str_sub(s, 0, BASE64_LINE / 4 * 3);
        text_base64_add(out, line);
        buf_lit(out, "\r\n");
        s = str_skip(s, line.n);
    }
}

static void add_crlf(struct buf *out, struct str s)
{
    struct eol_crlf e = {0};
    eol_crlf_feed(&e, s, out);
    eol_crlf_finish(&e, out);
}

static bool wants_base64(const struct text_facts *f, struct str text)
{
    return !f->plain && f->high * 3 > text.n;
}

static void add_text_fields(struct buf *out, const char *subtype, struct str text)
{
    struct text_facts f = look_at(text);
    const char *encoding = f.plain ? "7bit" : wants_base64(&f, text) ? "base64" : "quoted-printable";
    buf_printf(out, "Content-Type: text/%s; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", subtype,
               f.plain ? "us-ascii" : "utf-8", encoding);
}

static void add_text_part(struct buf *out, const char *subtype, struct str text)
{
    struct arena a = {0};
    text = text_utf8_repair(&a, text);
    struct text_facts f = look_at(text);
    add_text_fields(out, subtype, text);
    if (f.plain)
        add_crlf(out, text);
    else if (wants_base64(&f, text))
        add_base64_text(out, text);
    else
        add_qp(out, text);
    arena_done(&a);
}

/* ---- structure ---- */

static uint64_t mix(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return (h ^ s.n) * 0x9e3779b97f4a7c15u;
}

void build_init(struct build *b, const struct build_message *m)
{
    memset(b, 0, sizeof(*b));
    b->message = m;
    uint64_t h = mix(mix(mix(mix(14695981039346656037u, m->message_id), m->subject), m->text), m->html);
    h ^= (uint64_t)m->date_s;
    /* "=_" can be neither in quoted-printable nor in base64 */
    struct buf name = BUF_INIT(sizeof(b->boundary));
    buf_printf(&name, "=_exb_%016llx", (unsigned long long)h);
    memcpy(b->boundary, buf_z(&name), name.n);
    buf_done(&name);
}

static void add_multipart(const struct build *b, const char *subtype, const char *mark, struct buf *out)
{
    buf_printf(out, "Content-Type: multipart/%s;\r\n boundary=\"%s%s\"\r\n\r\n", subtype, mark, b->boundary);
}

/* What the message itself is: its last fields and the empty line. */
static void add_top_fields(const struct build *b, struct buf *out)
{
    const struct build_message *m = b->message;
    buf_lit(out, "MIME-Version: 1.0\r\n");
    if (m->attachment_count) {
        add_multipart(b, "mixed", "", out);
    } else if (m->text.p && m->html.p) {
        add_multipart(b, "alternative", "a", out);
    } else {
        struct arena a = {0};
        add_text_fields(out, m->html.p ? "html" : "plain", text_utf8_repair(&a, m->html.p ? m->html : m->text));
        arena_done(&a);
    }
}

static void add_alternative(const struct build *b, struct buf *out)
{
    buf_printf(out, "--a%s\r\n", b->boundary);
    add_text_part(out, "plain", b->message->text);
    buf_printf(out, "\r\n--a%s\r\n", b->boundary);
    add_text_part(out, "html", b->message->html);
    buf_printf(out, "\r\n--a%s--\r\n", b->boundary);
}

bool build_begin(struct build *b, struct buf *out)
{
    const struct build_message *m = b->message;
    bool both = m->text.p && m->html.p;
    add_fields(m, out);
    if (m->attachment_count || both) {
        add_top_fields(b, out);
        if (m->attachment_count)
            buf_printf(out, "--%s\r\n", b->boundary);
        if (m->attachment_count && both)
            add_multipart(b, "alternative", "a", out);
        if (both)
            add_alternative(b, out);
        else
            add_text_part(out, m->html.p ? "html" : "plain", m->html.p ? m->html : m->text);
    } else {
        buf_lit(out, "MIME-Version: 1.0\r\n");
        add_text_part(out, m->html.p ? "html" : "plain", m->html.p ? m->html : m->text);
        if (out->n && out->p[out->n - 1] != '\n')
            buf_lit(out, "\r\n");
    }
    return !out->failed;
}

static void end_base64(struct build *b, struct buf *out)
{
    if (b->tail_n) {
        text_base64_add(out, str_of(b->tail, b->tail_n));
        b->column += 4;
    }
    b->tail_n = 0;
    if (b->column)
        buf_lit(out, "\r\n");
    b->column = 0;
}

static void end_attachment(struct build *b, struct buf *out)
{
    if (b->in_attachment && b->is_message)
        eol_crlf_finish(&b->eol, out);
    else if (b->in_attachment)
        end_base64(b, out);
    b->in_attachment = false;
}

/* type/subtype and nothing else. */
static bool is_type(struct str s)
{
    size_t slash = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '/')
            slash = slash ? s.n : i;
        else if (!rfc822_is_token_byte(s.p[i]) || (unsigned char)s.p[i] >= 127)
            return false;
    }
    return slash > 0 && slash + 1 < s.n;
}

static struct str attachment_type(const struct build_attachment *att)
{
    struct str type = str_trim(att->content_type);
    size_t end = str_find_byte(type, ';');
    if (end != (size_t)-1)
        type = str_trim(str_sub(type, 0, end));
    if (att->is_message)
        return STR("message/rfc822");
    /* these have a meaning that base64 must not have (RFC 2045 6.4) */
    if (!is_type(type) || str_case_starts(type, STR("multipart/")) || str_case_starts(type, STR("message/")))
        return STR("application/octet-stream");
    return type;
}

bool build_attachment(struct build *b, const struct build_attachment *att, struct buf *out)
{
    end_attachment(b, out);
    b->in_attachment = true;
    b->is_message = att->is_message;
    b->eol = (struct eol_crlf){.message = true};
    buf_printf(out, "\r\n--%s\r\nContent-Type: ", b->boundary);
    buf_str(out, attachment_type(att));
    if (att->name.n && !att->is_message)
        rfc2231_add_param(out, "name", att->name);
    buf_printf(out, "\r\nContent-Transfer-Encoding: %s\r\n", att->is_message ? "8bit" : "base64");
    buf_printf(out, "Content-Disposition: %s", att->is_inline ? "inline" : "attachment");
    if (att->name.n)
        rfc2231_add_param(out, "filename", att->name);
    buf_lit(out, "\r\n");
    if (att->content_id.n) {
        struct buf id = BUF_INIT(0);
        buf_byte(&id, '<');
        for (size_t i = 0; i < att->content_id.n; i++) {
            if (!strchr("<> ", att->content_id.p[i]))
                buf_byte(&id, att->content_id.p[i]);
        }
        buf_byte(&id, '>');
        add_ids(out, "Content-ID", buf_view(&id));
        buf_done(&id);
    }
    return buf_lit(out, "\r\n");
}

bool build_attachment_data(struct build *b, struct str bytes, struct buf *out)
{
    if (b->is_message)
        return eol_crlf_feed(&b->eol, bytes, out);
    while (bytes.n && !out->failed) {
        size_t n = (BASE64_LINE - b->column) / 4 * 3; /* what the line still takes */
        if (b->tail_n || bytes.n < 3) {
            b->tail[b->tail_n++] = bytes.p[0];
            bytes = str_skip(bytes, 1);
            if (b->tail_n < 3)
                continue;
            text_base64_add(out, str_of(b->tail, 3));
            b->tail_n = 0;
            b->column += 4;
        } else {
            if (n > bytes.n)
                n = bytes.n - bytes.n % 3;
            text_base64_add(out, str_sub(bytes, 0, n));
            bytes = str_skip(bytes, n);
            b->column += n / 3 * 4;
        }
        if (b->column == BASE64_LINE) {
            buf_lit(out, "\r\n");
            b->column = 0;
        }
    }
    return !out->failed;
}

bool build_end(struct build *b, struct buf *out)
{
    end_attachment(b, out);
    if (b->message->attachment_count)
        buf_printf(out, "\r\n--%s--\r\n", b->boundary);
    return !out->failed;
}

bool build_header(const struct build_message *m, struct buf *out)
{
    struct build b;
    build_init(&b, m);
    add_fields(m, out);
    if (m->text.p || m->html.p || m->attachment_count)
        add_top_fields(&b, out);
    else
        buf_lit(out, "\r\n");
    return !out->failed;
}
