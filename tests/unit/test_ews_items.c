/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of EWS answers: messages, their headers and attachments. */
#include "backends/ews/ews_items_read.h"
#include "tests/unit/ews_doc.h"

/* --- GetItem ------------------------------------------------------------------------------------- */

struct mime_run {
    struct run run;
    struct ews_mime mime;
    bool initialised;
};

static void log_content(struct buf *log, const struct blob *content)
{
    char text[8192];
    struct err err;
    size_t n = (size_t)blob_size(content);
    assert_true(n < sizeof(text) && blob_read(content, 0, text, n, &err));
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\r')
            buf_lit(log, "\\r");
        else if (text[i] == '\n')
            buf_lit(log, "\\n");
        else
            buf_byte(log, text[i]);
}

static void on_mime(void *ud, size_t index, const struct ews_status *status, struct str id, struct blob *content,
                    const struct err *err)
{
    struct run *run = ud;
    buf_printf(&run->log, "%zu %s %.*s %s ", index, status->name, STR_ARG(id), err->code ? err_name(err->code) : "-");
    if (content)
        log_content(&run->log, content);
    buf_byte(&run->log, '\n');
}

static void mime_begin(struct run *run)
{
    struct mime_run *m = (struct mime_run *)run;
    if (m->initialised)
        ews_mime_done(&m->mime);
    m->initialised = true;
    ews_mime_init(&m->mime, "/tmp", 100);
    m->mime.on_item = on_mime;
    m->mime.ud = run;
    run->ud = &m->mime;
}

static void log_describe(struct run *run, struct buf *out)
{
    buf_str(out, buf_view(&run->log));
}

#define ITEM(element, content) OK("GetItem", "<m:Items><t:" element ">" content "</t:" element "></m:Items>")
#define MIME(text)             "<t:MimeContent CharacterSet=\"UTF-8\">" text "</t:MimeContent>"

static void test_mime(void **state)
{
    (void)state;
    struct mime_run m = {.run = {.reader = &ews_mime_reader, .begin = mime_begin, .describe = log_describe}};
    ews_doc_check(
        &m.run,
        ANSWER("GetItem", ITEM("Message", MIME("QTogYg0KDQpjDQo=") "<t:ItemId Id=\"I1\" ChangeKey=\"x\"/>") ITEM(
                              "MeetingRequest",
                              MIME("\n  QTog\r\n  YgoK\r\n Yw") "<t:ItemId Id=\"I2\"/>") /* folded, unpadded, bare LF */
               BAD("GetItem", "ErrorItemNotFound", "gone", "<m:Items/>") ITEM("CalendarItem", "<t:ItemId Id=\"I4\"/>")
                   ITEM("Message", MIME("") "<t:ItemId Id=\"I5\"/>")
                       ITEM("Message", "<t:ItemId Id=\"I6\"/>" MIME("Cgo6IHg=")) /* blank lines in front */),
        "15.1.2507 0 NoError I1 - A: b\\r\\n\\r\\nc\\r\\n\n1 NoError I2 - A: b\\r\\n\\r\\nc\\r\\n\n2 "
        "ErrorItemNotFound  - \n"
        "3 NoError I4 - \n4 NoError I5 - \n5 NoError I6 - : x\\r\\n\n");
    /* Over the limit: this one, not its neighbours. 160 bytes of it. */
    ews_doc_check(&m.run,
                  ANSWER("GetItem",
                         ITEM("Message", MIME("QTogYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiY"
                                              "mJiYmJiYmJiYmJiYmJiYm"
                                              "JiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJ"
                                              "iYmJiYmJiYmJiYmJi") "<t:ItemId Id=\"I1\"/>")
                             ITEM("Message", MIME("QTogYg0K") "<t:ItemId Id=\"I2\"/>")),
                  "15.1.2507 0 NoError I1 too-big \n1 NoError I2 - A: b\\r\\n\n");
    /* MimeContent where it does not belong: two of them, and one of an attached item. */
    ews_doc_check(
        &m.run,
        ANSWER("GetItem",
               ITEM("Message",
                    MIME("QTogYg0K")
                        MIME("QjogYw0K") "<t:ItemId Id=\"I1\"/><t:Attachments><t:ItemAttachment><t:Message>" MIME(
                            "QzogZA0K") "<t:ItemId Id=\"X\"/></t:Message></t:ItemAttachment></t:Attachments>")),
        "15.1.2507 0 NoError I1 - A: b\\r\\n\n");
    ews_mime_done(&m.mime);
    buf_done(&m.run.log);
}

struct header_run {
    struct run run;
    struct ews_items items;
    bool initialised;
};

static void on_header(void *ud, size_t index, const struct ews_status *status, struct ews_props *props)
{
    struct run *run = ud;
    struct buf out = BUF_INIT(0);
    bool built = false;
    buf_printf(&run->log, "%zu %s %.*s ", index, status->name, STR_ARG(props->id));
    if (status->code->err == ERR_NONE) {
        assert_true(ews_props_header(props, &out, &built));
        struct blob *content = blob_from_str(buf_view(&out));
        buf_lit(&run->log, built ? "built " : "given ");
        log_content(&run->log, content);
        blob_unref(&content);
    }
    buf_printf(&run->log, " body=%d/%d:%.*s attachments=%zu\n", props->has_body, props->body_is_html,
               STR_ARG(buf_view(&props->body)), props->attachment_count);
    for (size_t i = 0; i < props->attachment_count; i++) {
        const struct ews_attachment *a = &props->attachments[i];
        buf_printf(&run->log, " %.*s '%.*s' %.*s %.*s%s%s\n", STR_ARG(a->id), STR_ARG(a->name),
                   STR_ARG(a->content_type), STR_ARG(a->content_id), a->is_inline ? " inline" : "",
                   a->is_item ? " item" : "");
    }
    buf_done(&out);
}

static void header_begin(struct run *run)
{
    struct header_run *h = (struct header_run *)run;
    if (h->initialised)
        ews_props_done(&h->items.props);
    h->initialised = true;
    ews_props_init(&h->items.props);
    h->items.on_item = on_header;
    h->items.ud = run;
    run->ud = &h->items;
}

#define MAILBOX(name, address, type)                                                                                   \
    "<t:Mailbox><t:Name>" name "</t:Name><t:EmailAddress>" address "</t:EmailAddress><t:RoutingType>" type             \
    "</t:RoutingType></t:Mailbox>"

static void test_headers(void **state)
{
    (void)state;
    struct header_run h = {.run = {.reader = &ews_items_reader, .begin = header_begin, .describe = log_describe}};
    ews_doc_check(
        &h.run,
        ANSWER("GetItem", ITEM("Message", "<t:ItemId Id=\"I1\"/><t:Subject>Hi</t:Subject>" PROPERTY(
                                              "0x7d", "String",
                                              "Microsoft Mail Internet Headers Version 2.0&#xD;\nReceived: "
                                              "x&#xD;\n\ty&#xD;\nMessage-ID: &lt;a@b&gt;"
                                              "&#xD;\nFrom: c@d&#xD;\n&#xD;\n"))
                              ITEM("Message", "<t:ItemId Id=\"I2\"/>" PROPERTY(
                                                  "0x7d", "String",
                                                  "message-id: &lt;a@b&gt;") "<t:From>" MAILBOX("Bob", "b@example.com",
                                                                                                "SMTP") "</t:From>")),
        "15.1.2507 0 NoError I1 given Received: x\\r\\n\ty\\r\\nMessage-ID: <a@b>\\r\\nFrom: c@d\\r\\n\\r\\n body=0/0: "
        "attachments=0\n"
        "1 NoError I2 given message-id: <a@b>\\r\\nFrom: Bob <b@example.com>\\r\\n\\r\\n body=0/0: attachments=0\n");
    ews_props_done(&h.items.props);
    buf_done(&h.run.log);
}

// clang-format off
static const char sent_item[] = ANSWER("GetItem", ITEM("Message",
    "<t:ItemId Id=\"I1\"/><t:Subject>Hi</t:Subject><t:InReplyTo>&lt;r@s&gt;</t:InReplyTo>"
    "<t:DateTimeSent>2026-01-05T07:49:55Z</t:DateTimeSent>"
    PROPERTY("0x5d02", "String", "boss@example.com")
    "<t:Sender>" MAILBOX("Clerk", "/O=ORG/OU=X/CN=CLERK", "EX") "</t:Sender>"
    "<t:ToRecipients>" MAILBOX("A", "a@example.com", "SMTP") MAILBOX("Team", "/O=ORG/CN=TEAM", "EX") MAILBOX("", "", "")
    "</t:ToRecipients>"
    "<t:CcRecipients>" MAILBOX("", "c@example.com", "SMTP") "</t:CcRecipients>"
    "<t:BccRecipients>" MAILBOX("", "d@example.com", "SMTP") "</t:BccRecipients>"
    "<t:From>" MAILBOX("Boss", "/O=ORG/CN=BOSS", "EX") "</t:From>"
    "<t:InternetMessageId>m@n</t:InternetMessageId><t:References>&lt;q@s&gt;</t:References>"
    "<t:ReplyTo>" MAILBOX("", "e@example.com", "SMTP") "</t:ReplyTo>"
    PROPERTY("0x7d", "String", "Received: a fragment")));
// clang-format on

static void test_built_headers(void **state)
{
    static const char *const wanted[] = {
        "built ",
        "From: Boss <boss@example.com>",
        "To: A <a@example.com>",
        "Team",
        "Cc: <c@example.com>",
        "Bcc: <d@example.com>",
        "Reply-To: <e@example.com>",
        "Subject: Hi",
        "Date: Mon, 5 Jan 2026 07:49:55 +0000",
        "Message-ID: <m@n>",
        "In-Reply-To: <r@s>",
        "References: <q@s>",
        "\\r\\n\\r\\n",
    };
    (void)state;
    struct header_run h = {.run = {.reader = &ews_items_reader, .begin = header_begin, .describe = log_describe}};
    h.run.begin(&h.run);
    char *got = ews_doc_read(&h.run, str_from(sent_item), 1, 7);
    for (size_t i = 0; i < COUNT(wanted); i++)
        if (!strstr(got, wanted[i]))
            fail_msg("no '%s' in %s", wanted[i], got);
    assert_null(strstr(got, "/O="));
    assert_null(strstr(got, "fragment"));
    assert_null(strstr(got, "Sender:"));
    free(got);
    ews_props_done(&h.items.props);
    buf_done(&h.run.log);
}

static void test_parts(void **state)
{
    (void)state;
    struct header_run h = {.run = {.reader = &ews_items_reader, .begin = header_begin, .describe = log_describe}};
    ews_doc_check(
        &h.run,
        ANSWER(
            "GetItem",
            ITEM("Message",
                 "<t:ItemId Id=\"I1\"/><t:Body BodyType=\"HTML\">&lt;p&gt;x</t:Body><t:Attachments>"
                 "<t:FileAttachment><t:AttachmentId Id=\"A1\"/><t:Name>a.png</t:Name><t:ContentType>image/png"
                 "</t:ContentType><t:ContentId>c1</t:ContentId><t:Size>3</t:Size><t:IsInline>true</t:IsInline>"
                 "</t:FileAttachment><t:ItemAttachment><t:AttachmentId Id=\"A2\"/><t:Name>Fwd</t:Name><t:Message>"
                 "<t:ItemId Id=\"X\"/><t:Subject>inner</t:Subject></t:Message></t:ItemAttachment>"
                 "<t:ReferenceAttachment><t:AttachmentId Id=\"A3\"/></t:ReferenceAttachment></t:Attachments>" PROPERTY(
                     "0x7d", "String", "Message-ID: &lt;a@b&gt;\nFrom: x"))
                BAD("GetItem", "ErrorCorruptData", "x", "<m:Items/>")),
        "15.1.2507 0 NoError I1 given Message-ID: <a@b>\\r\\nFrom: x\\r\\n\\r\\n body=1/1:<p>x attachments=2\n"
        " A1 'a.png' image/png c1 inline\n A2 'Fwd'   item\n1 ErrorCorruptData   body=0/0: attachments=0\n");
    ews_props_done(&h.items.props);
    buf_done(&h.run.log);
}

static void test_headers_clean(void **state)
{
    static const struct {
        const char *raw, *clean; /* NULL: not one */
    } rows[] = {
        {"Message-ID: <a>\nX: y\n\nbody\n", "Message-ID: <a>\r\nX: y\r\n"},
        {"\r\n\r\nmessage-id: <a>\r\n\r\n", "message-id: <a>\r\n"},
        {"\xEF\xBB\xBFMicrosoft Mail Internet Headers Version 2.0\r\nMESSAGE-ID:a", "MESSAGE-ID:a\r\n"},
        {"X: message-id: no\r\n", NULL},
        {"X: y\r\n message-id: folded\r\n", NULL},
        {"", NULL},
        {"\n", NULL},
        {"X: y\n\nMessage-ID: in the body\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(0);
        bool ok = ews_headers_clean(str_from(rows[i].raw), &out);
        assert_int_equal(ok, rows[i].clean != NULL);
        if (ok)
            assert_string_equal(buf_z(&out), rows[i].clean);
        buf_done(&out);
    }
}

/* --- attachments --------------------------------------------------------------------------------- */

struct attachment_run {
    struct run run;
    struct ews_attachment_content content;
    bool initialised;
};

static bool attachment_sink(void *ud, struct str bytes)
{
    return buf_str(&((struct run *)ud)->log, bytes);
}

static void attachment_begin(struct run *run)
{
    struct attachment_run *a = (struct attachment_run *)run;
    if (a->initialised)
        ews_attachment_content_done(&a->content);
    a->initialised = true;
    ews_attachment_content_init(&a->content, attachment_sink, run);
    run->ud = &a->content;
}

static void attachment_describe(struct run *run, struct buf *out)
{
    struct attachment_run *a = (struct attachment_run *)run;
    buf_printf(out, "%s:", a->content.outcome.answered ? a->content.outcome.status.name : "?");
    buf_str(out, buf_view(&run->log));
}

static void test_attachments(void **state)
{
    (void)state;
    struct attachment_run a = {
        .run = {.reader = &ews_attachment_reader, .begin = attachment_begin, .describe = attachment_describe}};
    ews_doc_check(
        &a.run,
        ANSWER("GetAttachment",
               OK("GetAttachment", "<m:Attachments><t:FileAttachment><t:AttachmentId Id=\"A\"/><t:Name>n</t:Name>"
                                   "<t:Content>aGVsbG8gd29ybGQ=</t:Content></t:FileAttachment></m:Attachments>")),
        "15.1.2507 NoError:hello world");
    ews_doc_check(
        &a.run,
        ANSWER("GetAttachment",
               OK("GetAttachment", "<m:Attachments><t:ItemAttachment><t:AttachmentId Id=\"A\"/><t:Message>"
                                   "<t:MimeContent>QTogYg0K</t:MimeContent><t:ItemId Id=\"x\"/><t:Attachments>"
                                   "<t:FileAttachment><t:Content>eHh4</t:Content></t:FileAttachment></t:Attachments>"
                                   "</t:Message></t:ItemAttachment></m:Attachments>")),
        "15.1.2507 NoError:A: b\r\n");
    ews_doc_check(
        &a.run,
        ANSWER("GetAttachment", BAD("GetAttachment", "ErrorAttachmentSizeLimitExceeded", "x", "<m:Attachments/>")),
        "15.1.2507 ErrorAttachmentSizeLimitExceeded:");
    ews_attachment_content_done(&a.content);
    buf_done(&a.run.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mime),  cmocka_unit_test(test_headers),       cmocka_unit_test(test_built_headers),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_headers_clean), cmocka_unit_test(test_attachments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
