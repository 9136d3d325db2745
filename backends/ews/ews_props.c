/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_props.h"

#include <string.h>

#include "bridge/base/time.h"
#include "bridge/formats/address.h"
#include "bridge/formats/eol.h"
#include "bridge/formats/header.h"

static void clear(struct ews_props *p)
{
    struct arena arena = p->arena;
    struct buf headers = p->headers, body = p->body;
    memset(p, 0, sizeof(*p));
    p->arena = arena;
    p->headers = headers;
    p->body = body;
    p->sent_ms = p->received_ms = p->created_ms = TIME_NONE;
}

void ews_props_init(struct ews_props *p)
{
    memset(p, 0, sizeof(*p));
    buf_init(&p->headers, EWS_HEADERS_MAX);
    buf_init(&p->body, EWS_BODY_MAX);
    clear(p);
}

void ews_props_reset(struct ews_props *p)
{
    arena_done(&p->arena);
    buf_reset(&p->headers);
    buf_reset(&p->body);
    clear(p);
}

void ews_props_done(struct ews_props *p)
{
    arena_done(&p->arena);
    buf_done(&p->headers);
    buf_done(&p->body);
}

/* --- reading ------------------------------------------------------------------------------------- */

static bool is_item(int el)
{
    return el == EL_ITEM || el == EL_ITEM_OTHER;
}

static bool is_attachment(int el)
{
    return el == EL_FILE_ATTACHMENT || el == EL_ITEM_ATTACHMENT;
}

static bool address_field(int el, enum ews_address_field *ret_field)
{
    static const struct {
        int el;
        enum ews_address_field field;
    } fields[] = {{EL_FROM, EWS_FROM}, {EL_SENDER, EWS_SENDER}, {EL_TO, EWS_TO},
                  {EL_CC, EWS_CC},     {EL_BCC, EWS_BCC},       {EL_REPLY_TO, EWS_REPLY_TO}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].el == el) {
            *ret_field = fields[i].field;
            return true;
        }
    }
    return false;
}

enum xml_want ews_props_start(struct ews_props *p, struct xml *x, enum ews_el el, const struct xml_attr *attrs,
                              size_t n)
{
    int parent = xml_parent(x, 1);
    switch (el) {
    case EL_ITEM_ID:
        if (is_item(parent))
            p->id = arena_str(&p->arena, xml_attr_get(attrs, n, "Id"));
        return XML_COLLECT;
    case EL_MAILBOX:
        memset(&p->address, 0, sizeof(p->address));
        p->routing = STR_NULL;
        return XML_COLLECT;
    case EL_EXTENDED:
        p->tag = 0;
        return XML_COLLECT;
    case EL_EXTENDED_URI:
        p->tag = ews_xml_property_tag(xml_attr_get(attrs, n, "PropertyTag"));
        return XML_COLLECT;
    case EL_VALUE:
        return p->tag == EWS_TAG_HEADERS ? XML_STREAM : XML_COLLECT;
    case EL_ITEM_BODY:
        if (!is_item(parent))
            return XML_SKIP;
        p->has_body = true;
        p->body_is_html = !str_case_is(xml_attr_get(attrs, n, "BodyType"), "Text");
        return XML_STREAM;
    case EL_FILE_ATTACHMENT:
    case EL_ITEM_ATTACHMENT:
        memset(&p->attachment, 0, sizeof(p->attachment));
        p->attachment.is_item = el == EL_ITEM_ATTACHMENT;
        return XML_COLLECT;
    case EL_ATTACHMENT_ID:
        p->attachment.id = arena_str(&p->arena, xml_attr_get(attrs, n, "Id"));
        return XML_COLLECT;
    case EL_MIME_CONTENT:
    case EL_CONTENT:
        return XML_SKIP;
    default:
        /* An item inside an attached item is no business of ours. */
        return is_item(el) && is_attachment(parent) ? XML_SKIP : XML_COLLECT;
    }
}

void ews_props_text(struct ews_props *p, struct xml *x, struct str piece)
{
    int el = xml_parent(x, 0);
    if (el == EL_VALUE && p->tag == EWS_TAG_HEADERS)
        buf_str(&p->headers, piece);
    else if (el == EL_ITEM_BODY)
        buf_str(&p->body, piece);
}

static void take_time(struct str text, int64_t *to)
{
    int64_t ms;
    if (time_parse_iso(str_trim(text), &ms))
        *to = ms;
}

static void end_item_field(struct ews_props *p, enum ews_el el, struct str text)
{
    switch (el) {
    case EL_SUBJECT:
        p->subject = arena_str(&p->arena, text);
        break;
    case EL_MESSAGE_ID:
        p->message_id = arena_str(&p->arena, str_trim(text));
        break;
    case EL_IN_REPLY_TO:
        p->in_reply_to = arena_str(&p->arena, str_trim(text));
        break;
    case EL_REFERENCES:
        p->references = arena_str(&p->arena, str_trim(text));
        break;
    case EL_SENT:
        take_time(text, &p->sent_ms);
        break;
    case EL_RECEIVED:
        take_time(text, &p->received_ms);
        break;
    case EL_CREATED_AT:
        take_time(text, &p->created_ms);
        break;
    case EL_IMPORTANCE:
        p->importance = str_is(str_trim(text), "High") ? 1 : str_is(str_trim(text), "Low") ? -1 : 0;
        break;
    default:
        break;
    }
}

static void end_mailbox_field(struct ews_props *p, enum ews_el el, struct str text)
{
    text = str_trim(text);
    if (el == EL_NAME)
        p->address.name = arena_str(&p->arena, text);
    else if (el == EL_ADDRESS)
        p->address.spec = arena_str(&p->arena, text);
    else if (el == EL_ROUTING_TYPE)
        p->routing = arena_str(&p->arena, text);
}

/* An X.500 address of the directory ("/O=ORG/OU=...") means nothing outside of it. */
static bool is_internet_address(struct str spec, struct str routing)
{
    return (routing.n == 0 || str_case_is(routing, "SMTP")) && str_find_byte(spec, '@') != (size_t)-1;
}

static void end_mailbox(struct ews_props *p, int parent)
{
    enum ews_address_field field;
    if (!address_field(parent, &field))
        return;
    struct ews_addresses *list = &p->addresses[field];
    if (!is_internet_address(p->address.spec, p->routing)) {
        if (p->address.name.n == 0 && !str_starts(p->address.spec, STR("/")))
            p->address.name = p->address.spec;
        p->address.spec = STR_NULL;
    }
    if ((p->address.name.n == 0 && p->address.spec.n == 0) || list->n >= EWS_RECIPIENTS_MAX)
        return;
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 4;
        struct build_address *items = arena_array(&p->arena, room, sizeof(*items));
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
        list->room = room;
    }
    list->items[list->n++] = p->address;
}

static void end_attachment_field(struct ews_props *p, enum ews_el el, struct str text)
{
    struct ews_attachment *a = &p->attachment;
    switch (el) {
    case EL_NAME:
        a->name = arena_str(&p->arena, text);
        break;
    case EL_CONTENT_TYPE:
        a->content_type = arena_str(&p->arena, str_trim(text));
        break;
    case EL_CONTENT_ID:
        a->content_id = arena_str(&p->arena, str_trim(text));
        break;
    case EL_IS_INLINE:
        a->is_inline = ews_xml_bool(text);
        break;
    default:
        break;
    }
}

static void end_attachment(struct ews_props *p)
{
    if (p->attachment.id.n == 0 || p->attachment_count >= EWS_ATTACHMENTS_MAX)
        return;
    if (p->attachment_count == p->attachment_room) {
        size_t room = p->attachment_room ? p->attachment_room * 2 : 8;
        struct ews_attachment *items = arena_array(&p->arena, room, sizeof(*items));
        if (p->attachment_count)
            memcpy(items, p->attachments, p->attachment_count * sizeof(*items));
        p->attachments = items;
        p->attachment_room = room;
    }
    p->attachments[p->attachment_count++] = p->attachment;
}

static void end_property(struct ews_props *p, struct str text)
{
    text = str_trim(text);
    if (p->tag == EWS_TAG_SENDER_SMTP)
        p->sender_smtp = arena_str(&p->arena, text);
    else if (p->tag == EWS_TAG_FROM_SMTP)
        p->from_smtp = arena_str(&p->arena, text);
}

void ews_props_end(struct ews_props *p, struct xml *x, enum ews_el el, struct str text)
{
    int parent = xml_parent(x, 1);
    if (el == EL_MAILBOX)
        end_mailbox(p, parent);
    else if (is_attachment(el))
        end_attachment(p);
    else if (is_item(parent))
        end_item_field(p, el, text);
    else if (parent == EL_MAILBOX)
        end_mailbox_field(p, el, text);
    else if (is_attachment(parent))
        end_attachment_field(p, el, text);
    else if (parent == EL_EXTENDED && el == EL_VALUE)
        end_property(p, text);
}

/* --- asking -------------------------------------------------------------------------------------- */

void ews_props_write_header_fields(struct xml_writer *w)
{
    static const char *const fields[] = {
        "item:Subject",         "item:DateTimeSent",     "item:DateTimeReceived", "item:DateTimeCreated",
        "item:Importance",      "item:InReplyTo",        "message:Sender",        "message:ToRecipients",
        "message:CcRecipients", "message:BccRecipients", "message:From",          "message:InternetMessageId",
        "message:References",   "message:ReplyTo",
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        ews_write_field(w, fields[i]);
    ews_write_property(w, EWS_TAG_HEADERS, "String");
    ews_write_property(w, EWS_TAG_SENDER_SMTP, "String");
    ews_write_property(w, EWS_TAG_FROM_SMTP, "String");
}

void ews_props_write_body_fields(struct xml_writer *w)
{
    ews_write_field(w, "item:Body");
    ews_write_field(w, "item:Attachments");
}

/* --- making -------------------------------------------------------------------------------------- */

static void repair_address(struct ews_addresses *list, struct str smtp)
{
    if (list->n == 1 && list->items[0].spec.n == 0 && is_internet_address(smtp, STR_NULL))
        list->items[0].spec = smtp;
}

static bool same_address(const struct ews_addresses *a, const struct ews_addresses *b)
{
    return a->n == 1 && b->n == 1 && a->items[0].spec.n && str_case_eq(a->items[0].spec, b->items[0].spec);
}

static struct str angled(struct arena *arena, struct str id)
{
    if (id.n == 0 || id.p[0] == '<')
        return id;
    return arena_printf(arena, "<%.*s>", (int)(id.n > 1000 ? 1000 : id.n), id.p);
}

void ews_props_message(struct ews_props *p, struct build_message *ret_message)
{
    struct build_message *m = ret_message;
    memset(m, 0, sizeof(*m));
    repair_address(&p->addresses[EWS_FROM], p->from_smtp);
    repair_address(&p->addresses[EWS_SENDER], p->sender_smtp);
    struct build_addresses *const to[EWS_ADDRESS_FIELDS] = {&m->from, &m->sender, &m->to,
                                                            &m->cc,   &m->bcc,    &m->reply_to};
    for (size_t i = 0; i < EWS_ADDRESS_FIELDS; i++)
        *to[i] = (struct build_addresses){p->addresses[i].items, p->addresses[i].n};
    if (m->from.n == 0)
        m->from = m->sender;
    bool tells_nothing = p->addresses[EWS_FROM].n == 0 || (m->sender.n && m->sender.items[0].spec.n == 0);
    if (tells_nothing || same_address(&p->addresses[EWS_FROM], &p->addresses[EWS_SENDER]))
        m->sender = (struct build_addresses){NULL, 0}; /* RFC 5322 3.6.2 */
    int64_t date_ms = p->sent_ms != TIME_NONE       ? p->sent_ms
                      : p->received_ms != TIME_NONE ? p->received_ms
                                                    : p->created_ms;
    m->date_s = date_ms == TIME_NONE ? TIME_NONE : date_ms / 1000;
    m->subject = p->subject;
    m->message_id = angled(&p->arena, p->message_id);
    m->in_reply_to = angled(&p->arena, p->in_reply_to);
    m->references = p->references;
    m->importance = p->importance;
    if (p->has_body) {
        struct str body = p->body.n ? buf_view(&p->body) : STR("");
        if (p->body_is_html)
            m->html = body;
        else
            m->text = body;
    }
    m->attachment_count = p->attachment_count;
}

static struct str next_line(struct str *rest)
{
    struct str line = STR_NULL;
    str_cut(rest, '\n', &line);
    return line;
}

static bool is_blank(struct str line)
{
    return str_trim(line).n == 0;
}

bool ews_headers_clean(struct str raw, struct buf *out)
{
    if (str_starts(raw, STR("\xEF\xBB\xBF")))
        raw = str_skip(raw, 3);
    struct str rest = raw, line;
    struct str block = STR_NULL;
    bool has_message_id = false;
    /* The first line may be one of Exchange's own, and blank lines may stand around it; the block ends at the next one.
     */
    while (rest.n) {
        struct str before = rest;
        line = next_line(&rest);
        if (!block.p) {
            if (is_blank(line) || str_case_starts(line, STR("Microsoft Mail Internet Headers")))
                continue;
            block = str_of(before.p, 0);
        } else if (is_blank(line)) {
            break;
        }
        block.n = (size_t)(line.p + line.n - block.p) + (rest.p ? 1 : 0);
        has_message_id = has_message_id || str_case_starts(line, STR("message-id:"));
    }
    if (!has_message_id || memchr(block.p, '\0', block.n))
        return false;
    struct eol_crlf eol = {.message = true};
    return eol_crlf_feed(&eol, block, out) && eol_crlf_finish(&eol, out);
}

bool ews_props_header(struct ews_props *p, struct buf *out, bool *ret_built)
{
    struct build_message message;
    size_t start = out->n;
    ews_props_message(p, &message);
    if (!p->headers.failed && p->headers.n && ews_headers_clean(buf_view(&p->headers), out)) {
        struct str from;
        struct str block = str_of(out->p + start, out->n - start);
        if (!header_find(block, "From", &from) && message.from.n) {
            buf_lit(out, "From: ");
            address_add_header(out, message.from.items[0].name, message.from.items[0].spec);
            buf_lit(out, "\r\n");
        }
        *ret_built = false;
        return buf_lit(out, "\r\n");
    }
    if (out->failed)
        return false;
    out->n = start;
    message.text = message.html = STR_NULL;
    message.attachment_count = 0;
    *ret_built = true;
    return build_header(&message, out);
}
