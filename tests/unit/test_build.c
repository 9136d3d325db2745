/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/base/time.h"
#include "bridge/formats/build.h"
#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"

static const struct build_address from[] = {{STR("J\xc3\xbcrgen \"Q\" M\xc3\xbcller"), STR("j@example.com")}};
static const struct build_address to[] = {
    {STR("Anna"), STR("anna@example.com")}, {STR("Bob, Jr."), STR("bob@example.com")}, {STR("No Address"), STR("")}};

static struct build_message sample(void)
{
    return (struct build_message){
        .date_s = 1795442711,
        .zone_minutes = 60,
        .from = {from, 1},
        .to = {to, 3},
        .subject = STR("Gr\xc3\xbc\xc3\x9f"
                       "e\r\nBcc: x@y"),
        .message_id = STR("<a@b>"),
        .references = STR("<1@b>\r\n <2@b>"),
        .importance = 1,
        .extra = STR("X-One: 1\r\nContent-Type: evil/x\r\nbroken\r\nX-Two: a\r\n b\r\n"),
    };
}

static void header_is_safe(void **state)
{
    (void)state;
    struct build_message m = sample();
    struct buf out = BUF_INIT(0);
    assert_true(build_header(&m, &out));
    assert_string_equal(buf_z(&out),
                        "Date: Mon, 23 Nov 2026 15:05:11 +0100\r\n"
                        "From: =?utf-8?b?SsO8cmdlbiAiUSIgTcO8bGxlcg==?= <j@example.com>\r\n"
                        "To: Anna <anna@example.com>,\r\n \"Bob, Jr.\" <bob@example.com>,\r\n No Address:;\r\n"
                        "Subject: =?utf-8?b?R3LDvMOfZSAgQmNjOiB4QHk=?=\r\n"
                        "Message-ID: <a@b>\r\nReferences: <1@b>\r\n <2@b>\r\nImportance: high\r\n"
                        "X-One: 1\r\nX-Two: a b\r\n\r\n");
    buf_done(&out);
}

static void expect_decoded(struct arena *a, struct str message, const struct mime_part *part, struct str want)
{
    struct charset_cache *cs = charset_cache_new();
    struct buf text = BUF_INIT(0);
    struct mime_text t;
    mime_text_init(&t, cs, part);
    assert_true(mime_text_feed(&t, str_sub(message, part->body_at, part->end - part->body_at), &text));
    assert_true(mime_text_finish(&t, &text));
    mime_text_done(&t);
    charset_cache_free(cs);
    struct str got = arena_str(a, buf_view(&text));
    buf_done(&text);
    if (!str_eq(got, want))
        print_error("got [%.*s]\nwant [%.*s]\n", STR_ARG(got), STR_ARG(want));
    assert_true(str_eq(got, want));
}

/* Text of every kind comes back as it was, with CRLF. */
static void text_round_trip(void **state)
{
    (void)state;
    static const struct {
        struct str in, out;
    } texts[] = {
        {STR("plain\nlines\r\n"), STR("plain\r\nlines\r\n")},
        {STR("gr\xc3\xbc\xc3\x9f \n= trailing \t\n.dot\nFrom here\nlong long long long long long long long long long "
             "long long long "
             "long lo\xc3\xa4ng end\n"),
         STR("gr\xc3\xbc\xc3\x9f \r\n= trailing \t\r\n.dot\r\nFrom here\r\nlong long long long long long long long "
             "long long long long "
             "long long lo\xc3\xa4ng end\r\n")},
        {STR("\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\n"),
         STR("\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\n")},
        {STR("looks like --=_exb_ a boundary\n"), STR("looks like --=_exb_ a boundary\r\n")},
        {STR("bare\rcr and \x01 control\n"), STR("bare\rcr and \x01 control\r\n")},
        {STR(""), STR("")},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct build_message m = sample();
        struct arena a = {0};
        struct build b;
        struct buf out = BUF_INIT(0), header = BUF_INIT(0);
        m.text = texts[i].in;
        build_init(&b, &m);
        assert_true(build_begin(&b, &out) && build_end(&b, &out));
        struct mime_part *root = mime_parse(&a, buf_view(&out));
        assert_true(mime_is(root, "text", "plain"));
        expect_decoded(&a, buf_view(&out), root, texts[i].out);
        assert_true(build_header(&m, &header));
        assert_true(str_eq(buf_view(&header), str_sub(buf_view(&out), 0, root->body_at)));
        for (size_t at = 0, line = 0; at < out.n; at++) {
            line = out.p[at] == '\n' ? 0 : line + 1;
            assert_true(line <= 998);
        }
        buf_done(&out);
        buf_done(&header);
        arena_done(&a);
    }
}

static void attach(struct build *b, const struct build_attachment *att, struct str data, size_t step, struct buf *out)
{
    assert_true(build_attachment(b, att, out));
    while (data.n) {
        assert_true(build_attachment_data(b, str_sub(data, 0, step), out));
        data = str_skip(data, step);
    }
}

static void make_full(const struct build_message *m, struct str blob, size_t step, struct buf *out)
{
    struct build b;
    build_init(&b, m);
    assert_true(build_begin(&b, out));
    attach(&b,
           &(struct build_attachment){.name = STR("r\xc3\xa9sum\xc3\xa9.pdf"), .content_type = STR("application/pdf")},
           blob, step, out);
    attach(&b,
           &(struct build_attachment){.name = STR("a\"b\r\nX: y"),
                                      .content_type = STR("evil\r\nX: y"),
                                      .content_id = STR("c>id"),
                                      .is_inline = true},
           STR("xy"), step, out);
    attach(&b, &(struct build_attachment){.is_message = true}, STR("\nSubject: inner\n\nbody"), step, out);
    assert_true(build_end(&b, out));
}

static void attachments(void **state)
{
    (void)state;
    struct build_message m = sample();
    struct arena a = {0};
    struct charset_cache *cs = charset_cache_new();
    struct buf whole = BUF_INIT(0), pieces = BUF_INIT(0), blob = BUF_INIT(0), back = BUF_INIT(0);
    for (int i = 0; i < 1000; i++)
        buf_byte(&blob, (char)(i * 7));
    m.text = STR("hello");
    m.html = STR("<p>hello");
    m.attachment_count = 3;
    make_full(&m, buf_view(&blob), 1000, &whole);
    for (size_t step = 1; step < 130; step += 9) {
        buf_reset(&pieces);
        make_full(&m, buf_view(&blob), step, &pieces);
        assert_true(str_eq(buf_view(&whole), buf_view(&pieces)));
    }
    struct mime_part *root = mime_parse(&a, buf_view(&whole));
    assert_true(mime_is(root, "multipart", "mixed"));
    assert_int_equal(root->child_count, 4);
    struct mime_part *alternative = root->children, *pdf = alternative->next, *evil = pdf->next, *inner = evil->next;
    assert_true(mime_is(alternative, "multipart", "alternative"));
    assert_int_equal(alternative->child_count, 2);
    assert_true(mime_is(alternative->children->next, "text", "html"));
    assert_true(mime_is(pdf, "application", "pdf"));
    struct str name;
    assert_true(mime_file_name(&a, cs, pdf, &name));
    assert_true(str_is(name, "r\xc3\xa9sum\xc3\xa9.pdf"));
    struct mime_decoder d;
    mime_decoder_init(&d, mime_encoding_of(pdf));
    assert_true(mime_decoder_feed(&d, str_sub(buf_view(&whole), pdf->body_at, pdf->end - pdf->body_at), &back));
    assert_true(mime_decoder_finish(&d, &back));
    assert_false(d.damaged);
    mime_decoder_done(&d);
    assert_true(str_eq(buf_view(&blob), buf_view(&back)));
    assert_true(mime_is(evil, "application", "octet-stream"));
    assert_true(str_is(evil->id, "<cid>"));
    assert_true(str_is(evil->disposition, "inline"));
    assert_true(mime_file_name(&a, cs, evil, &name));
    assert_true(str_is(name, "a\"b  X: y"));
    assert_int_equal(inner->kind, MIME_MESSAGE);
    assert_true(str_is(inner->children->envelope->subject, "inner"));
    buf_done(&whole);
    buf_done(&pieces);
    buf_done(&blob);
    buf_done(&back);
    charset_cache_free(cs);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_safe),
        cmocka_unit_test(text_round_trip),
        cmocka_unit_test(attachments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
