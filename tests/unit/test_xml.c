/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bridge/base/arena.h"
#include "bridge/formats/xml.h"

enum { EL_ROOT = 1, EL_ITEM, EL_SUBJECT, EL_MIME, EL_PLAIN };
enum { NS_A = 1, NS_B };
static const char *const namespaces[] = {"urn:a", "urn:b"};
static const struct xml_tag tags[] = {
    {NS_A, "Root", EL_ROOT}, {NS_A, "Item", EL_ITEM}, {NS_A, "Subject", EL_SUBJECT},
    {NS_B, "Mime", EL_MIME}, {0, "Plain", EL_PLAIN},
};

/* A run writes down what it is told; two runs are equal when their logs are. */
struct record {
    struct buf log;
    bool streaming;
    bool fail_at_subject;
    size_t streamed;
};

static enum xml_want on_start(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n)
{
    struct record *r = ctx;
    buf_printf(&r->log, "<%d/%d:%.*s up=%d", name->ns, name->id, STR_ARG(name->local), xml_parent(x, 1));
    for (size_t i = 0; i < n; i++)
        buf_printf(&r->log, " %.*s='%.*s'", STR_ARG(attrs[i].name), STR_ARG(attrs[i].value));
    buf_lit(&r->log, ">");
    if (name->id == EL_SUBJECT && r->fail_at_subject) {
        xml_fail(x, ERR_CONFLICT, "callback says no");
        buf_printf(&r->log, "%.*s", STR_ARG(xml_attr_get(attrs, n, "a"))); /* still there */
    }
    if (str_is(name->local, "skip"))
        return XML_SKIP;
    return name->id == EL_MIME ? XML_STREAM : XML_COLLECT;
}

static void on_text(void *ctx, struct xml *x, struct str piece)
{
    struct record *r = ctx;
    (void)x;
    r->streamed += piece.n;
    if (!r->streaming)
        buf_str(&r->log, piece);
}

static void on_end(void *ctx, struct xml *x, const struct xml_name *name, struct str text)
{
    struct record *r = ctx;
    buf_printf(&r->log, "[%.*s]</%.*s depth=%zu>", STR_ARG(text), STR_ARG(name->local), xml_depth(x));
}

static const struct xml_spec strict = {.namespaces = namespaces,
                                       .namespace_count = 2,
                                       .tags = tags,
                                       .tag_count = sizeof(tags) / sizeof(*tags),
                                       .on_start = on_start,
                                       .on_text = on_text,
                                       .on_end = on_end};

static struct xml_spec server_spec(void)
{
    struct xml_spec s = strict;
    s.mode = XML_SERVER;
    return s;
}

/* Feed in pieces of 1 to `most` bytes (0: all at once). Returns success; the log is in r. */
static bool run(const struct xml_spec *spec, struct str doc, size_t most, struct record *r, struct err *e)
{
    struct xml *x = xml_new(spec, r);
    uint32_t seed = 12345;
    bool ok = true;
    buf_init(&r->log, 1 << 22);
    while (doc.n && ok) {
        seed = seed * 1103515245u + 12345u;
        size_t n = most ? 1 + (seed >> 16) % most : doc.n;
        struct str piece = str_sub(doc, 0, n);
        char *copy = malloc(piece.n ? piece.n : 1); /* so that reading past a piece is seen */
        memcpy(copy, piece.p, piece.n);
        ok = xml_feed(x, str_of(copy, piece.n), e);
        free(copy);
        doc = str_skip(doc, n);
    }
    ok = xml_finish(x, e) && ok;
    xml_free(x);
    return ok;
}

static void expect(const struct xml_spec *spec, struct str doc, bool want_ok, const char *want_log)
{
    static const size_t cuts[] = {0, 1, 2, 3, 7, 100};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        struct record r = {0};
        struct err e = {0};
        bool ok = run(spec, doc, cuts[i], &r, &e);
        if (ok != want_ok)
            print_error("%.*s: %s\n", STR_ARG(doc), e.text);
        assert_int_equal(ok, want_ok);
        assert_int_equal(e.code != ERR_NONE, !want_ok);
        if (want_log)
            assert_string_equal(buf_z(&r.log), want_log);
        buf_done(&r.log);
    }
}

static void names_text_attributes(void **state)
{
    (void)state;
    expect(&strict,
           STR("<?xml version=\"1.0\"?>\n<x:Root xmlns:x='urn:a' xmlns='urn:b'><x:Item Id='a&amp;b&#38;#38;' "
               "k=\"&#228;\">one"
               "<x:Subject>two &lt;&#x41;<![CDATA[<c>]]></x:Subject>three</x:Item><Mime>abc</Mime><q xmlns=''/>"
               "<Plain xmlns=''>p</Plain><skip><x:Item/>text</skip><!-- c --><?pi x?></x:Root>\n"),
           true,
           "<1/1:Root up=0><1/2:Item up=1 Id='a&b&#38;' k='\xc3\xa4'><1/3:Subject up=2>[two <A<c>]</Subject depth=3>"
           "[onethree]</Item depth=2><2/4:Mime up=1>abc[]</Mime depth=2><0/0:q up=1>[]</q depth=2><0/5:Plain up=1>[p]"
           "</Plain depth=2><2/0:skip up=1>[]</Root depth=1>");
}

static void refused_documents(void **state)
{
    (void)state;
    static const char *const docs[] = {
        "",
        " ",
        "text",
        "<a>",
        "<a><b></a>",
        "<a/><b/>",
        "<a>&foo;</a>",
        "<a>&#x1F;</a>",
        "<a>\x01</a>",
        "<a>\xff</a>",
        "<a b='1' b='2'/>",
        "<x:a/>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>",
        "<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><a>&b;</a>",
        "<!DOCTYPE html><html></html>",
        "<html><br></html>",
        "<a>cut in the mid",
        "\xff\xfe<\0a\0/\0>\0",
    };
    for (size_t i = 0; i < sizeof(docs) / sizeof(*docs); i++)
        expect(&strict, str_from(docs[i]), false, NULL);
    struct xml_spec server = server_spec();
    for (size_t i = 0; i < sizeof(docs) / sizeof(*docs); i++) {
        if (!strstr(docs[i], "x1F") && !strchr(docs[i], 1) && !strstr(docs[i], "<a>\xff"))
            expect(&server, str_from(docs[i]), false, NULL);
    }
}

static void what_exchange_sends(void **state)
{
    (void)state;
    struct xml_spec server = server_spec();
    expect(&server,
           STR("<Plain k='&#x1f;v'>a&#x1A;b&#0;c&#x0B;d&#xFFFF;e&#xD800;f\x01g&#9;&#x41;&amp;&#1114112;h&#31;</Plain>"),
           true, "<0/5:Plain up=0 k='v'>[abcdefg\tA&h]</Plain depth=1>");
    expect(&server, STR("<Plain>\xff\xc3(\xe2\x82\xac\xef\xbf\xbfx\xef\xbb\xbf.</Plain>"), true,
           "<0/5:Plain up=0>[\xef\xbf\xbd\xef\xbf\xbd(\xe2\x82\xacx\xef\xbb\xbf.]</Plain depth=1>");
    expect(&server, STR("<Plain>a &#x; b</Plain>"), false, NULL);
    expect(&server, STR("<Plain>a & b</Plain>"), false, NULL);
    expect(&server, STR("<Plain>&#x1F"), false, NULL);
    expect(&server, STR("\xef\xbb\xbf<Plain/>"), true, "<0/5:Plain up=0>[]</Plain depth=1>");
    expect(&server, STR("<?xml version='1.0' encoding='utf-16'?><Plain>\xc3\xa4</Plain>"), true,
           "<0/5:Plain up=0>[\xc3\xa4]</Plain depth=1>");
}

static void callbacks_can_fail(void **state)
{
    (void)state;
    struct record r = {.fail_at_subject = true};
    struct err e = {0};
    assert_false(
        run(&strict, STR("<Root xmlns='urn:a'><Subject a='long enough to see'>x</Subject><Item/></Root>"), 0, &r, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.text, "callback says no");
    assert_null(strstr(buf_z(&r.log), "Item"));
    assert_non_null(strstr(buf_z(&r.log), ">long enough to see"));
    buf_done(&r.log);
}

static void repeat(struct buf *b, const char *s, size_t n)
{
    while (n--)
        buf_lit(b, s);
}

static enum err_code code_of(const struct xml_spec *spec, struct str doc)
{
    struct record r = {.streaming = true};
    struct err e = {0};
    bool ok = run(spec, doc, 0, &r, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    buf_done(&r.log);
    return e.code;
}

static void limits(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    struct xml_spec spec = strict;
    repeat(&b, "<a>", 64);
    repeat(&b, "</a>", 64);
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_NONE);
    buf_reset(&b);
    repeat(&b, "<a>", 65);
    repeat(&b, "</a>", 65);
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    buf_reset(&b);
    buf_lit(&b, "<skip>"); /* skipped ones count too */
    repeat(&b, "<a>", 50000);
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    buf_reset(&b);
    spec.max_elements = 10;
    buf_lit(&b, "<r>");
    repeat(&b, "<a/>", 10);
    buf_lit(&b, "</r>");
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    spec.max_elements = 11;
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_NONE);
    buf_reset(&b);
    spec = strict;
    spec.max_text = 100;
    buf_lit(&b, "<r>");
    repeat(&b, "x", 101);
    buf_lit(&b, "</r>");
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    spec.max_text = 101;
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_NONE);
    spec.max_bytes = b.n - 1;
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    buf_reset(&b);
    spec = strict;
    buf_lit(&b, "<r");
    for (int i = 0; i < 65; i++)
        buf_printf(&b, " a%d=''", i);
    buf_lit(&b, "/>");
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    buf_reset(&b);
    buf_lit(&b, "<r a='");
    repeat(&b, "x", XML_MAX_ATTR_BYTES + 1);
    buf_lit(&b, "'/>");
    assert_int_equal(code_of(&spec, buf_view(&b)), ERR_TOO_BIG);
    buf_done(&b);
}

/* 20 MB of text in a streamed element: seen completely, never collected. */
static void big_text_is_streamed(void **state)
{
    (void)state;
    struct record r = {.streaming = true};
    struct err e = {0};
    struct xml_spec server = server_spec();
    char line[1000];
    buf_init(&r.log, 0);
    struct xml *x = xml_new(&server, &r);
    memset(line, 'A', sizeof(line));
    assert_true(xml_feed(x, STR("<Mime xmlns='urn:b'>"), &e));
    for (int i = 0; i < 20000; i++)
        assert_true(xml_feed(x, str_of(line, sizeof(line)), &e));
    assert_true(xml_feed(x, STR("</Mime>"), &e));
    assert_true(xml_finish(x, &e));
    xml_free(x);
    assert_int_equal(r.streamed, 20000000);
    buf_done(&r.log);
}

static void splitting(void **state)
{
    (void)state;
    static const char in[] = "\xef\xbb\xbf <?xml version=\"1.0\"?><Envelope><a>x</a></Envelope>\r\n"
                             "<s:Envelope xmlns:s='x'><s:Body></Envelope2></s:Body></s:Envelope >"
                             "<SOAP:Envelope></SOAP:EnvelopeX></Envelop></:Envelope\t\n>  <last>";
    static const char want[] = "<?xml version=\"1.0\"?><Envelope><a>x</a></Envelope>|"
                               "<s:Envelope xmlns:s='x'><s:Body></Envelope2></s:Body></s:Envelope >|"
                               "<SOAP:Envelope></SOAP:EnvelopeX></Envelop></:Envelope\t\n>|<last>";
    for (size_t step = 1; step <= sizeof(in); step++) {
        struct xml_split s = {0};
        struct buf out = BUF_INIT(0);
        for (size_t at = 0; at < sizeof(in) - 1; at += step) {
            struct str piece, left = str_sub(STR(in), at, step);
            bool ends;
            while (xml_split_next(&s, &left, &piece, &ends)) {
                assert_true(piece.n > 0);
                buf_str(&out, piece);
                if (ends)
                    buf_byte(&out, '|');
            }
            assert_int_equal(left.n, 0);
        }
        assert_string_equal(buf_z(&out), want);
        buf_done(&out);
    }
}

static void writing(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    struct xml_writer w;
    xml_writer_init(&w, &out);
    xml_declaration(&w);
    xml_open(&w, "s:Envelope");
    xml_attr_lit(&w, "xmlns:s", "urn:\"<&>\t");
    xml_leaf(&w, "t:Subject", STR("a<b>&\"c'\x01\x1f\x7f\r\n\t\xff\xef\xbf\xbf\xc2\x86\xc3\xa4\xf0\x9f\x98\x80"));
    xml_leaf_lit(&w, "t:Empty", "");
    xml_leaf_u64(&w, "t:N", 42);
    xml_open(&w, "t:E");
    xml_open(&w, "t:F");
    xml_close(&w);
    xml_raw(&w, STR("<raw/>"));
    xml_close(&w);
    xml_open(&w, "t:B");
    struct xml_base64 st = {0};
    xml_base64(&w, &st, STR("a"));
    xml_base64(&w, &st, STR(""));
    xml_base64(&w, &st, STR("bcde"));
    xml_base64(&w, &st, STR("fgh"));
    xml_base64_end(&w, &st);
    xml_close(&w);
    xml_close(&w);
    assert_string_equal(buf_z(&out),
                        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                        "<s:Envelope xmlns:s=\"urn:&quot;&lt;&amp;&gt;&#9;\"><t:Subject>a&lt;b&gt;&amp;\"c'&#13;\n\t"
                        "\xef\xbf\xbd\xc3\xa4\xf0\x9f\x98\x80</t:Subject><t:Empty/><t:N>42</t:N><t:E><t:F/><raw/>"
                        "</t:E><t:B>YWJjZGVmZ2g=</t:B></s:Envelope>");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_text_attributes),
        cmocka_unit_test(refused_documents),
        cmocka_unit_test(what_exchange_sends),
        cmocka_unit_test(callbacks_can_fail),
        cmocka_unit_test(limits),
        cmocka_unit_test(big_text_is_streamed),
        cmocka_unit_test(splitting),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
