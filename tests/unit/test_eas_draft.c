/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts by their properties: what a message becomes, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/eas/eas_draft.h"
#include "backends/eas/eas_wbxml.h"

static bool on_open(void *ud, unsigned tag, struct err *err)
{
    (void)err;
    return tag == AirSync_Sync || buf_printf(ud, "<%s>", eas_tag_name(tag));
}

static bool on_text(void *ud, struct str piece, struct err *err)
{
    (void)err;
    return buf_str(ud, piece);
}

static bool on_close(void *ud, struct err *err)
{
    (void)err;
    return buf_lit(ud, "</>");
}

static bool feed(void *ud, struct str piece)
{
    return eas_wbxml_feed(ud, piece, NULL);
}

/* In a document of its own, as events; "" when it was refused. */
static void take_apart(struct str message, struct buf *out, struct err *err)
{
    static const struct eas_wbxml_events events = {.on_open = on_open, .on_text = on_text, .on_close = on_close};
    struct blob *blob = blob_from_str(message), *properties = eas_draft_properties(blob, "/tmp", err);
    struct eas_wbxml d;

    blob_unref(&blob);
    if (!properties)
        return;
    eas_wbxml_init(&d, &events, out);
    assert_true(eas_wbxml_feed(&d, STR("\3\1\x6A\0\x45"), NULL));
    if (blob_size(properties) > 0)
        assert_true(blob_each(properties, feed, &d, NULL));
    assert_true(eas_wbxml_feed(&d, STR("\1"), NULL));
    assert_true(eas_wbxml_end(&d, NULL));
    blob_unref(&properties);
}

#define MIXED(rest) "Content-Type: multipart/mixed; boundary=b\n\n--b\n" rest "--b--\n"
#define ALTERNATIVE(one, two)                                                                                          \
    "Content-Type: multipart/alternative; boundary=a\n\n--a\nContent-Type: " one "\n\nA\n--a\nContent-Type: " two      \
    "\n\nB\n--a--\n"

static void becomes(void **state)
{
    static const struct {
        const char *message, *wanted;
    } table[] = {
        {"", "</>"},
        {"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nText\n", "<Subject>Grüße</><Body><Type>1</><Data>Text\n</></></>"},
        {"To: \"A, B\" <a@x>,\n c@x\nCc: Group: d@x;\nBcc: =?utf-8?q?=C3=84?= <e@x>\nReply-To: \"q\\\"q\" <f@x>\n\n",
         "<To>\"A, B\" <a@x>, c@x</><Cc>d@x</><Bcc>\"Ä\" <e@x></><ReplyTo>\"q\\\"q\" <f@x></></>"},
        {"X-Priority: 5 (Lowest)\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: "
         "quoted-printable\n\n=FC",
         "<Importance>0</><Body><Type>2</><Data>ü</></></>"},
        {ALTERNATIVE("text/plain", "text/html"), "<Body><Type>2</><Data>B</></></>"},
        {MIXED("\nA\n--b\nContent-Type: image/png; name=p.png\nContent-Transfer-Encoding: base64\nContent-ID: "
               "<i>\nContent-Disposition: inline\n\nUE5H\n"),
         "<Body><Type>1</><Data>A</></><Attachments><Add><ClientId>1</><Content>PNG</><DisplayName>p.png</><Method>1</>"
         "<ContentId>i</><ContentType>image/png</><IsInline>1</></></></>"},
        {MIXED("Content-Type: application/x\n\nA\n"),
         "<Attachments><Add><ClientId>1</><Content>A</><DisplayName>attachment-1</><Method>1</><ContentType>"
         "application/x</></></></>"},
        {"Content-Type: text/plain\nContent-Disposition: attachment; filename=t.txt\n\nA",
         "<Attachments><Add><ClientId>1</><Content>A</><DisplayName>t.txt</><Method>1</><ContentType>text/plain</></>"
         "</></>"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf out = BUF_INIT(0);
        struct err err = {0};

        take_apart(str_from(table[i].message), &out, &err);
        assert_int_equal(err.code, ERR_NONE);
        assert_string_equal(buf_z(&out), table[i].wanted);
        buf_done(&out);
    }
}

static void is_refused(void **state)
{
    static const struct {
        const char *message, *why;
    } table[] = {
        {"To: bob\n\n", "not an address"},
        {"Content-Type: text/plain; charset=nobodys\n\nx", "encoded in a way that is not known"},
        {"Content-Type: text/plain\nContent-Transfer-Encoding: x-own\n\nx", "encoded in a way that is not known"},
        {"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nAA==", "NUL"},
        {"Content-Type: message/rfc822\n\nSubject: x\n\ny", "in a way that the server has no words for"},
        {MIXED("\nA\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n"), "another message"},
        {MIXED("\nA\n--b\n\nB\n"), "more than one text"},
        {MIXED("\nA\n--b\n" ALTERNATIVE("text/plain", "text/html")), "in a way that the server has no words for"},
        {MIXED("\nA\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n!!\n"), "damaged"},
        {ALTERNATIVE("text/html", "text/plain"), "in a way that the server has no words for"},
        {ALTERNATIVE("text/plain", "text/calendar"), "in a way that the server has no words for"},
        {"Content-Type: multipart/signed; boundary=b\n\n--b\n\nA\n--b\n\nB\n--b--\n", "signed or encrypted"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf out = BUF_INIT(0);
        struct err err = {0};

        take_apart(str_from(table[i].message), &out, &err);
        if (err.code != ERR_UNSUPPORTED)
            fail_msg("%zu: %d %s", i, err.code, buf_z(&out));
        assert_non_null(strstr(err.text, "Exchange ActiveSync 16.0 cannot store this draft: "));
        if (!strstr(err.text, table[i].why))
            fail_msg("%zu: %s", i, err.text);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes),
        cmocka_unit_test(is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
