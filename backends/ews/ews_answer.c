/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_answer.h"

#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"

struct ews_answer {
    const struct ews_reader *reader;
    void *ud;
    ews_answer_filter *filter;
    void *filter_ud;
    struct xml *xml;
    struct xml_spec spec;
    size_t messages;
    bool has_fault, has_server;
    struct ews_status fault;
    struct ews_status message; /* of the one that is open */
    struct ews_server server;
    char value_name[32]; /* of the open Value in a MessageXml */
};

static void copy_text(char *to, size_t size, struct str text)
{
    struct buf out = BUF_INIT(size * 4);
    text = str_trim(text);
    text_add_printable(&out, str_sub(text, 0, size - 1));
    size_t n = out.n < size ? out.n : size - 1;
    if (n)
        memcpy(to, out.p, n);
    to[n] = '\0';
    buf_done(&out);
}

static void status_code(struct ews_status *s, struct str text)
{
    text = str_trim(text);
    size_t colon = str_find_byte(text, ':');
    if (colon != (size_t)-1)
        text = str_skip(text, colon + 1);
    s->code = ews_code_find(text);
    copy_text(s->name, sizeof(s->name), text);
}

/* A Value of MessageXml tells more about the error: how long to wait, and what was behind an internal error. */
static void status_value(struct ews_status *s, const char *name, struct str text)
{
    uint64_t ms;
    text = str_trim(text);
    if (strcmp(name, "BackOffMilliseconds") == 0 && str_to_u64(text, &ms)) {
        s->backoff_ms = ms > EWS_BACKOFF_MAX_MS ? EWS_BACKOFF_MAX_MS : (unsigned)ms;
    } else if (strcmp(name, "InnerErrorResponseCode") == 0) {
        const struct ews_code *inner = ews_code_find(text);
        if (inner->err != ERR_NONE && inner->name[0])
            status_code(s, text);
    }
}

static void read_version(struct ews_answer *a, const struct xml_attr *attrs, size_t n)
{
    uint32_t major, minor = 0, build = 0;
    if (!str_to_u32(xml_attr_get(attrs, n, "MajorVersion"), &major))
        return;
    (void)str_to_u32(xml_attr_get(attrs, n, "MinorVersion"), &minor);
    (void)str_to_u32(xml_attr_get(attrs, n, "MajorBuildNumber"), &build);
    a->server = (struct ews_server){major, minor, build};
    a->has_server = true;
}

/* Where the open element stands decides who reads it: the fault, the message's own fields, or the operation. */
static bool is_own_field(struct xml *x, enum ews_el el)
{
    switch (el) {
    case EL_RESPONSE_CODE:
    case EL_MESSAGE_TEXT:
    case EL_MESSAGE_XML:
        return xml_parent(x, 1) == EL_RESPONSE_MESSAGE || xml_parent(x, 1) == EL_FB_STATUS;
    case EL_VALUE:
        return xml_parent(x, 1) == EL_MESSAGE_XML;
    default:
        return false;
    }
}

static enum xml_want start_outside(struct ews_answer *a, struct xml *x, enum ews_el el, const struct xml_attr *attrs,
                                   size_t n)
{
    if (xml_inside(x, EL_FAULT)) {
        if (el == EL_FAULT)
            a->has_fault = true;
        return XML_COLLECT;
    }
    switch (xml_depth(x)) {
    case 1:
        if (el != EL_ENVELOPE) {
            xml_fail(x, ERR_PROTOCOL, "the answer is not a SOAP envelope");
            return XML_SKIP;
        }
        return XML_COLLECT;
    case 2:
        return el == EL_HEADER || el == EL_BODY ? XML_COLLECT : XML_SKIP;
    case 3:
        if (el == EL_SERVER_VERSION)
            read_version(a, attrs, n);
        return xml_parent(x, 1) == EL_BODY ? XML_COLLECT : XML_SKIP; /* the ...Response element may have any name */
    default:
        return el == EL_RESPONSE_MESSAGES ? XML_COLLECT : XML_SKIP;
    }
}

static void note_value_name(struct ews_answer *a, const struct xml_attr *attrs, size_t n)
{
    copy_text(a->value_name, sizeof(a->value_name), xml_attr_get(attrs, n, "Name"));
}

static enum xml_want on_start(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n)
{
    struct ews_answer *a = ctx;
    enum ews_el el = (enum ews_el)name->id;
    if (el == EL_RESPONSE_MESSAGE && xml_parent(x, 1) == EL_RESPONSE_MESSAGES) {
        if (a->messages >= EWS_ANSWER_MESSAGES_MAX) {
            xml_fail(x, ERR_PROTOCOL, "more than %d response messages", EWS_ANSWER_MESSAGES_MAX);
            return XML_SKIP;
        }
        memset(&a->message, 0, sizeof(a->message));
    } else if (!xml_inside(x, EL_RESPONSE_MESSAGE)) {
        if (el == EL_VALUE)
            note_value_name(a, attrs, n);
        return start_outside(a, x, el, attrs, n);
    } else if (el == EL_NONE) {
        /* An unknown element of MessageXml can do no harm, and its text is not wanted either. */
        return XML_SKIP;
    } else if (is_own_field(x, el) || xml_inside(x, EL_MESSAGE_XML)) {
        if (el == EL_VALUE)
            note_value_name(a, attrs, n);
        return XML_COLLECT;
    }
    return a->reader->on_start ? a->reader->on_start(a->ud, x, el, attrs, n) : XML_COLLECT;
}

static void on_text(void *ctx, struct xml *x, struct str piece)
{
    struct ews_answer *a = ctx;
    if (a->reader->on_text)
        a->reader->on_text(a->ud, x, piece);
}

static void end_in_fault(struct ews_answer *a, enum ews_el el, struct str text)
{
    switch (el) {
    case EL_FAULT_CODE:
        if (!a->fault.code)
            status_code(&a->fault, text);
        break;
    case EL_FAULT_STRING:
        copy_text(a->fault.text, sizeof(a->fault.text), text);
        break;
    case EL_RESPONSE_CODE:
        status_code(&a->fault, text);
        break;
    case EL_VALUE:
        status_value(&a->fault, a->value_name, text);
        break;
    default:
        break;
    }
}

static void end_of_message(struct ews_answer *a, struct xml *x)
{
    if (!a->message.code) {
        /* A message without a code: nothing can be said for it. */
        status_code(&a->message, STR("(no response code)"));
    }
    size_t index = a->messages++;
    if (a->reader->on_message && (!a->filter || a->filter(a->filter_ud, &a->message)))
        a->reader->on_message(a->ud, x, index, &a->message);
}

static void on_end(void *ctx, struct xml *x, const struct xml_name *name, struct str text)
{
    struct ews_answer *a = ctx;
    enum ews_el el = (enum ews_el)name->id;
    if (xml_inside(x, EL_RESPONSE_MESSAGE)) {
        if (el == EL_RESPONSE_MESSAGE && xml_parent(x, 1) == EL_RESPONSE_MESSAGES)
            end_of_message(a, x);
        else if (el == EL_RESPONSE_CODE && is_own_field(x, el))
            status_code(&a->message, text);
        else if (el == EL_MESSAGE_TEXT && is_own_field(x, el))
            copy_text(a->message.text, sizeof(a->message.text), text);
        else if (el == EL_VALUE && is_own_field(x, el))
            status_value(&a->message, a->value_name, text);
        else if (a->reader->on_end && !xml_inside(x, EL_MESSAGE_XML))
            a->reader->on_end(a->ud, x, el, text);
    } else if (xml_inside(x, EL_FAULT)) {
        end_in_fault(a, el, text);
    }
}

struct ews_answer *ews_answer_new(const struct ews_reader *reader, void *ud)
{
    struct ews_answer *a = MEM_NEW(struct ews_answer);
    a->reader = reader;
    a->ud = ud;
    ews_xml_spec(&a->spec);
    a->spec.on_start = on_start;
    a->spec.on_text = on_text;
    a->spec.on_end = on_end;
    a->spec.max_text = EWS_ANSWER_TEXT_MAX;
    a->spec.max_bytes = reader->max_bytes;
    a->spec.max_elements = reader->max_elements;
    a->xml = xml_new(&a->spec, a);
    return a;
}

void ews_answer_free(struct ews_answer *a)
{
    if (!a)
        return;
    xml_free(a->xml);
    mem_free(a);
}

void ews_answer_set_filter(struct ews_answer *a, ews_answer_filter *filter, void *ud)
{
    a->filter = filter;
    a->filter_ud = ud;
}

void ews_answer_mute(struct ews_answer *a)
{
    static const struct ews_reader nobody = {0};
    a->reader = &nobody;
    a->filter = NULL;
}

bool ews_answer_feed(struct ews_answer *a, struct str bytes, struct err *err)
{
    return xml_feed(a->xml, bytes, err);
}

bool ews_answer_finish(struct ews_answer *a, struct err *err)
{
    return xml_finish(a->xml, err);
}

const struct ews_status *ews_answer_fault(const struct ews_answer *a)
{
    return a->has_fault && a->fault.code ? &a->fault : NULL;
}

size_t ews_answer_messages(const struct ews_answer *a)
{
    return a->messages;
}

bool ews_answer_server(const struct ews_answer *a, struct ews_server *ret_server)
{
    if (a->has_server)
        *ret_server = a->server;
    return a->has_server;
}

/* The way out, where it is for a person to go and the server's words do not name it. */
static const char *advice(const char *code)
{
    static const struct {
        const char *code, *text;
    } table[] = {
        {"ErrorImpersonateUserDenied",
         "; an administrator can give the role ApplicationImpersonation, or use access = delegation"},
        {"ErrorImpersonationDenied",
         "; an administrator can give the role ApplicationImpersonation, or use access = delegation"},
        {"ErrorImpersonationFailed", "; is mailbox the primary address of a mailbox?"},
        {"ErrorNonExistentMailbox", "; is mailbox (or email) the primary address of a mailbox?"},
        {"ErrorNonPrimarySmtpAddress", "; mailbox must be the primary address"},
        {"ErrorSendAsDenied", "; an administrator can give the permission Send As"},
        {"ErrorMissingEmailAddress", "; this user has no mailbox: set mailbox and access"},
        {"ErrorAccountDisabled", "; the account is disabled"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].code, code) == 0)
            return table[i].text;
    return "";
}

bool ews_status_err(const struct ews_status *s, const char *operation, struct err *err)
{
    const char *way_out = advice(s->name);
    err_set(err, s->code->err == ERR_NONE ? ERR_PROTOCOL : s->code->err, "%s: %s%s%.*s%s", operation, s->name,
            s->text[0] ? ": " : "", *way_out ? 80 : 200, s->text, way_out);
    if (err)
        err->retry_after_s = (s->backoff_ms + 999) / 1000;
    return false;
}

void ews_item_err(unsigned flags, struct err *err)
{
    if (flags & EWS_CODE_REBUILD && err->code != ERR_TOO_BIG)
        err->code = ERR_UNSUPPORTED;
}

void ews_outcome_take(struct ews_outcome *o, size_t index, const struct ews_status *status)
{
    if (index == 0)
        *o = (struct ews_outcome){.answered = true, .status = *status};
}

bool ews_outcome_check(const struct ews_outcome *o, const char *operation, struct err *err)
{
    if (!o->answered)
        return err_set(err, ERR_PROTOCOL, "%s: an answer without a response message", operation);
    return o->status.code->err == ERR_NONE || ews_status_err(&o->status, operation, err);
}
