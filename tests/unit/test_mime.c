/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"

#define CRLF "\r\n"

/* A tree in one line: (type/subtype header-bytes+body-bytes header-lines+body-lines [children]) with flags. */
static void show(struct buf *out, const struct mime_part *p)
{
    buf_printf(out, "(%.*s/%.*s @%llu %llu+%llu %u+%u", STR_ARG(p->type), STR_ARG(p->subtype),
               (unsigned long long)p->header_at, (unsigned long long)(p->body_at - p->header_at),
               (unsigned long long)(p->end - p->body_at), p->header_lines, p->body_lines);
    if (p->overflow)
        buf_lit(out, " over");
    if (p->has_nul)
        buf_lit(out, " nul");
    if (p->kind == MIME_MULTIPART)
        buf_lit(out, " multi");
    if (p->kind == MIME_MESSAGE)
        buf_lit(out, " message");
    for (const struct mime_part *c = p->children; c; c = c->next) {
        assert_ptr_equal(c->parent, p);
        show(out, c);
    }
    buf_byte(out, ')');
}

/* All the strings too: what pack and unpack must keep. */
static void show_all(struct buf *out, const struct mime_part *p)
{
    show(out, p);
    mime_pack(p, out);
}

static struct mime_part *parse_in_pieces(struct arena *a, struct str message, size_t most,
                                         const struct mime_limits *limits)
{
    struct mime_parser *p = mime_parser_new(a, limits);
    uint32_t seed = 99;
    while (message.n) {
        seed = seed * 1103515245u + 12345u;
        struct str piece = str_sub(message, 0, 1 + (seed >> 16) % most);
        char *copy = malloc(piece.n);
        memcpy(copy, piece.p, piece.n);
        mime_parser_feed(p, str_of(copy, piece.n));
        free(copy);
        message = str_skip(message, piece.n);
    }
    struct mime_part *root = mime_parser_finish(p);
    mime_parser_free(p);
    return root;
}

static void expect(struct str message, const char *want)
{
    struct arena a = {0};
    struct buf whole = BUF_INIT(0), pieces = BUF_INIT(0), line = BUF_INIT(0);
    const struct mime_part *root = mime_parse(&a, message);
    show(&line, root);
    assert_string_equal(buf_z(&line), want);
    show_all(&whole, root);
    for (size_t most = 1; most < 40; most += 3) {
        buf_reset(&pieces);
        show_all(&pieces, parse_in_pieces(&a, message, most, NULL));
        assert_true(str_eq(buf_view(&whole), buf_view(&pieces)));
    }
    buf_done(&whole);
    buf_done(&pieces);
    buf_done(&line);
    arena_done(&a);
}

/* What Dovecot 2.3.19 says of the same messages. */
static const struct {
    struct str message;
    const char *want;
} structures[] = {
    {STR(""), "(text/plain @0 0+0 0+0)"},
    {STR("Subject: x"), "(text/plain @0 10+0 0+0)"},
    {STR("\r\nbody\r\n"), "(text/plain @0 2+6 1+1)"},
    {STR("Subject: x\n\nbody"), "(text/plain @0 12+4 2+0)"},
    {STR("Content-Type: text/html charset=x\r\n\r\nx"), "(/ @0 37+1 2+0)"},
    {STR("Content-Type: multipart/mixed\r\n\r\n--foo\r\n\r\nx\r\n"), "(multipart/mixed @0 33+12 2+3 multi)"},
    {STR("Content-Type: multipart\r\n\r\nx"), "(application/octet-stream @0 27+1 2+0)"},
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\ntwo\r\n"
         "--b--\r\nepi\r\n"),
     "(multipart/mixed @0 45+66 2+10 multi(text/plain @55 2+3 1+0)(text/html @67 27+3 2+0))"},
    /* no final boundary; the last line end is content then */
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"),
     "(multipart/mixed @0 45+12 2+3 multi(text/plain @50 2+5 1+1))"},
    /* a boundary line at the very end begins nothing, with its line end it does */
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b"),
     "(multipart/mixed @0 45+15 2+3 multi(text/plain @50 2+3 1+0))"},
    {STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n"),
     "(multipart/mixed @0 43+13 2+4 multi(text/plain @47 1+3 1+0)(text/plain @56 0+0 0+0))"},
    /* LF and CRLF mixed */
    {STR("Content-Type: multipart/mixed; boundary=b\n\r\n--b\r\n\none\n\r\n--b--"),
     "(multipart/mixed @0 44+17 2+4 multi(text/plain @49 1+4 1+1))"},
    /* boundary lines: a prefix is enough, blanks after it too, not before; the longest match wins, the innermost first
     */
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--bar\r\n\r\none\r\n --b\r\n--b  \r\n\r\ntwo\r\n--b-- "
         "x\r\n--b\r\n"),
     "(multipart/mixed @0 45+48 2+9 multi(text/plain @52 2+9 1+1)(text/plain @72 2+3 1+0))"},
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/x; "
         "boundary=bar\r\n\r\n--bar\r\n\r\none\r\n--b\r\n"
         "\r\ntwo\r\n--bar\r\n\r\nthree\r\n--b--\r\n"),
     "(multipart/mixed @0 45+97 2+13 multi(multipart/x @50 43+12 2+2 multi(text/plain @100 2+3 1+0))(text/plain @112 "
     "2+3 1+0)(text/plain @126 2+5 1+0))"},
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/x; "
         "boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"
         "\r\n--b--\r\n"),
     "(multipart/mixed @0 45+74 2+9 multi(multipart/x @50 41+19 2+4 multi(text/plain @96 2+3 1+0)))"},
    /* a boundary in the middle of a header */
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: "
         "x\r\n--b\r\n"
         "Content-Type: message/rfc822\r\n--b--\r\n"),
     "(multipart/mixed @0 45+91 2+7 multi(message/rfc822 @50 32+12 2+1 message(text/plain @82 12+0 1+0))"
     "(message/rfc822 @99 30+0 1+0 message(text/plain @129 0+0 0+0)))"},
    {STR("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nin\r\n--b\r\nContent-Type: "
         "text/plain\r\n\r\nx\r\n--b--"),
     "(multipart/digest @0 46+66 2+9 multi(message/rfc822 @51 2+16 1+2 message(text/plain @53 14+2 2+0))(text/plain "
     "@76 28+1 2+0))"},
    {STR("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nfoo\r\nbar"),
     "(message/rfc822 @0 32+23 2+3 message(text/plain @32 15+8 2+1))"},
    {STR("Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nfoo"),
     "(message/global @0 32+18 2+2 message(text/plain @32 15+3 2+0))"},
    /* duplicates: the first counts; an empty boundary is one */
    {STR("Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"),
     "(text/plain @0 71+17 3+4)"},
    {STR("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n"),
     "(multipart/mixed @0 46+15 2+4 multi(text/plain @50 2+1 1+0))"},
    {STR("Content-Type: text/plain\r\n\r\na\0b\r\n"), "(text/plain @0 28+5 2+1 nul)"},
    {STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\na\r--b\r\n-\0-\r\n--b\r\n\r\nok\r\n--b--"),
     "(multipart/mixed @0 45+35 2+7 multi(text/plain @50 2+10 1+1 nul)(text/plain @69 2+2 1+0))"},
    {STR("junk\r\nSubject : x\r\n y\r\n junk2\r\nContent-Type : text/html\r\n\r\nx"), "(text/html @0 59+1 6+0)"},
};

static void structure(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(structures) / sizeof(*structures); i++)
        expect(structures[i].message, structures[i].want);
}

static const char *text_of(struct arena *a, struct str s)
{
    return s.p ? arena_strdup(a, s) : "NIL";
}

static void params_show(struct buf *out, const struct mime_param *params, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        buf_printf(out, "%s%.*s=%.*s", i ? "|" : "", STR_ARG(params[i].name), STR_ARG(params[i].value));
}

static void parameters(void **state)
{
    (void)state;
    static const struct {
        const char *field, *want, *file_name;
    } cases[] = {
        {"text/plain; charset=utf-8; name=\"a \\\"b\"", "charset=utf-8|name=a \"b", "a \"b"},
        {"image/png; name*0=\"a b\"; name*1=c", "name=a bc", "a bc"},
        {"image/png; name*1=c; name*0=\"a b\"", "name=a bc", "a bc"},
        {"image/png; name*=utf-8''%e2%82%ac.png", "name*=utf-8''%e2%82%ac.png", "\xe2\x82\xac.png"},
        {"image/png; name*0*=utf-8''%e2%82; name*1*=%ac; name*2=\" x%\"", "name*=utf-8''%e2%82%ac%20x%25",
         "\xe2\x82\xac x%"},
        {"image/png; name*0=a; name*2=b", "name*0=a|name*2=b", NULL},
        {"image/png; name==?utf-8?q?=e2=82=ac?=; x=y", "name==?utf-8?q?=e2=82=ac?=|x=y", "\xe2\x82\xac"},
        {"image/png; name=\"=?utf-8?q?=e2=82?= =?utf-8?q?=ac?=\"",
         "name==?utf-8?q?=e2=82?= =?utf-8?q?=ac?=", "\xe2\x82\xac"},
        {"image/png; name=foo bar.png; x=y", "name=foo|x=y", "foo"},
        {"image/png (c); name = \"foo\" (c2) ; ; x=", "name=foo", "foo"},
        {"image/png;x=", "x=", NULL},
        {"image/png; name=\"../../etc/passwd\x01\"", "name=../../etc/passwd\x01", "_.__.._etc_passwd"},
        {"image/png; name=\"un", "", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = {0};
        struct charset_cache *cs = charset_cache_new();
        struct str message = arena_printf(&a, "MIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n", cases[i].field),
                   name = STR_NULL;
        const struct mime_part *p = mime_parse(&a, message);
        struct buf out = BUF_INIT(0);
        params_show(&out, p->params, p->param_count);
        assert_string_equal(buf_z(&out), cases[i].want);
        bool has = mime_file_name(&a, cs, p, &name);
        assert_int_equal(has, cases[i].file_name != NULL);
        if (has && i != 11)
            assert_string_equal(text_of(&a, name), cases[i].file_name);
        if (i == 11) /* separators and controls are gone */
            assert_null(strpbrk(text_of(&a, name), "/\\\x01"));
        buf_done(&out);
        charset_cache_free(cs);
        arena_done(&a);
    }
}

static void fields(void **state)
{
    (void)state;
    struct arena a = {0};
    const struct mime_part *p = mime_parse(
        &a,
        STR("From: a@b\r\nFROM: c@d\r\nSubject: one\r\nSubject: two\r\n words \r\nDate:\r\n x\r\nMIME-Version: 1.0\r\n"
            "Content-ID:  <foo> (x)\r\n b\r\nContent-Id: no\r\nContent-Description: d\0e\r\nContent-MD5: abc==\r\n"
            "Content-Location: http://x/\r\n y\r\nContent-Language: en, de\r\n"
            "Content-Disposition: attachment; filename=x\r\nContent-Transfer-Encoding: BASE64 (c)\r\n\r\n"));
    assert_string_equal(text_of(&a, p->envelope->from), "a@b,\nc@d");
    assert_string_equal(text_of(&a, p->envelope->subject), "two words ");
    assert_string_equal(text_of(&a, p->envelope->date), " x");
    assert_null(p->envelope->to.p);
    assert_string_equal(text_of(&a, p->id), "<foo> (x) b");
    assert_string_equal(text_of(&a, p->description), "d\xef\xbf\xbd"
                                                     "e");
    assert_string_equal(text_of(&a, p->md5), "abc==");
    assert_string_equal(text_of(&a, p->location), "http://x/ y");
    assert_string_equal(text_of(&a, p->disposition), "attachment");
    assert_string_equal(text_of(&a, mime_param_raw(p->disposition_params, p->disposition_param_count, "FileName")),
                        "x");
    assert_int_equal(p->language_count, 2);
    assert_string_equal(text_of(&a, p->languages[1]), "de");
    assert_string_equal(text_of(&a, p->encoding), "BASE64");
    assert_int_equal(mime_encoding_of(p), MIME_ENC_BASE64);
    /* without MIME-Version and Content-Type there are no MIME fields */
    p = mime_parse(&a, STR("Content-Transfer-Encoding: base64\r\nContent-ID: <x>\r\n\r\n"));
    assert_null(p->encoding.p);
    assert_null(p->id.p);
    p = mime_parse(&a, STR("MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64;\r\nContent-Disposition: \"x\"; "
                           "filename=y\r\n\r\n"));
    assert_null(p->encoding.p);
    assert_string_equal(text_of(&a, p->disposition), "");
    assert_int_equal(p->disposition_param_count, 1);
    arena_done(&a);
}

static void deep(struct buf *b, int levels)
{
    for (int i = 0; i < levels; i++)
        buf_printf(b, "Content-Type: multipart/mixed; boundary=b%04d" CRLF CRLF "--b%04d" CRLF, i, i);
}

static void limits(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf b = BUF_INIT(0);
    uint32_t depth = 0, parts = 0;
    deep(&b, 5000);
    const struct mime_part *p = mime_parse(&a, buf_view(&b));
    for (; p->children; p = p->children)
        depth++;
    assert_int_equal(depth, MIME_MAX_DEPTH - 1);
    assert_true(p->overflow);
    assert_true(mime_is(p, "application", "octet-stream"));
    assert_int_equal(p->end, b.n);
    buf_reset(&b);
    buf_lit(&b, "Content-Type: multipart/mixed; boundary=b" CRLF CRLF);
    for (int i = 0; i < 30000; i++)
        buf_lit(&b, "--b" CRLF CRLF "x" CRLF);
    p = mime_parse(&a, buf_view(&b));
    assert_int_equal(p->child_count, MIME_MAX_PARTS - 1);
    for (p = p->children; p->next; p = p->next)
        parts++;
    assert_true(p->overflow);
    assert_int_equal(p->end, b.n);
    struct buf packed = BUF_INIT(0);
    struct mime_part *back;
    while (p->parent)
        p = p->parent;
    mime_pack(p, &packed);
    assert_true(mime_unpack(&a, buf_view(&packed), &back));
    assert_int_equal(back->child_count, MIME_MAX_PARTS - 1);
    buf_done(&packed);
    buf_reset(&b);
    buf_lit(&b, "Content-Type: text/plain");
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "; p%d=x", i);
    buf_lit(&b, CRLF CRLF);
    p = mime_parse(&a, buf_view(&b));
    assert_int_equal(p->param_count, MIME_MAX_PARAMS);
    buf_done(&b);
    arena_done(&a);
}

/* A field over the limit is cut, all headers over their limit are left out; what comes after is still understood. */
static void header_limits(void **state)
{
    (void)state;
    static const struct mime_limits small = {.header_bytes = 100, .all_header_bytes = 300};
    struct arena a = {0};
    struct buf b = BUF_INIT(0), whole = BUF_INIT(0), pieces = BUF_INIT(0);
    buf_lit(&b, "Subject: ");
    buf_fill(&b, 's', 500);
    for (int i = 0; i < 50; i++) {
        buf_lit(&b, "\r\n ");
        buf_fill(&b, 't', (size_t)i);
    }
    buf_lit(&b, "\r\nX-Long: ");
    buf_fill(&b, 'x', 500);
    buf_lit(&b, "\r\nTo: kept@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n");
    for (int i = 0; i < 20; i++)
        buf_lit(&b, "Content-ID: abcdefghijklmnopqrstuvwxyz\r\n\r\nx\r\n--b\r\n");
    const struct mime_part *root = parse_in_pieces(&a, buf_view(&b), 1 << 20, &small);
    assert_int_equal(root->child_count, 21);
    assert_true(root->overflow);
    assert_int_equal(root->envelope->subject.n, 100 - strlen("Subject: "));
    assert_true(str_is(root->envelope->to, "kept@x"));
    size_t ids = 0;
    for (const struct mime_part *p = root->children; p; p = p->next)
        ids += p->id.p != NULL;
    assert_true(ids > 0 && ids < 10);
    mime_pack(root, &whole);
    for (size_t most = 1; most < 200; most += 13) {
        buf_reset(&pieces);
        mime_pack(parse_in_pieces(&a, buf_view(&b), most, &small), &pieces);
        assert_true(str_eq(buf_view(&whole), buf_view(&pieces)));
    }
    buf_done(&b);
    buf_done(&whole);
    buf_done(&pieces);
    arena_done(&a);
}

/* 100,000 To fields: linear. */
static void many_address_fields(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf b = BUF_INIT(0);
    for (int i = 0; i < 100000; i++)
        buf_lit(&b, "To: a@b\r\n");
    buf_lit(&b, "\r\n");
    const struct mime_part *root = mime_parse(&a, buf_view(&b));
    assert_int_equal(root->envelope->to.n, 100000 * 5 - 2);
    assert_true(a.total < 8 * b.n);
    buf_done(&b);
    arena_done(&a);
}

/* 50 MB go through, and next to nothing is kept of them. */
static void big_message(void **state)
{
    (void)state;
    struct arena a = {0};
    struct mime_parser *p = mime_parser_new(&a, NULL);
    char chunk[16384];
    for (size_t i = 0; i < sizeof(chunk); i++)
        chunk[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : 'A';
    mime_parser_feed(p, STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n"
                            "Content-Transfer-Encoding: base64\r\n\r\n"));
    for (int i = 0; i < 3200; i++)
        mime_parser_feed(p, str_of(chunk, sizeof(chunk)));
    mime_parser_feed(p, STR("\r\n--b--\r\n"));
    const struct mime_part *root = mime_parser_finish(p);
    mime_parser_free(p);
    assert_int_equal(root->child_count, 1);
    assert_int_equal(root->children->end - root->children->body_at, 3200 * sizeof(chunk));
    assert_true(a.total < 4096);
    arena_done(&a);
}

static const char nested[] =
    "Subject: top\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\none\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in2\r\nContent-Type: multipart/x; boundary=c\r\n\r\n"
    "--c\r\n\r\nx\r\n--c\r\nContent-Type: text/html\r\n\r\ny\r\n--c--\r\n"
    "--b--\r\n";

static void sections(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum mime_section what;
        const char *want; /* NULL: there is none */
    } cases[] = {
        {"1", MIME_SECTION_BODY, "one"},
        {"1", MIME_SECTION_MIME, "\r\n"},
        {"1", MIME_SECTION_HEADER, NULL},
        {"1.1", MIME_SECTION_BODY, NULL},
        {"2", MIME_SECTION_BODY, "Subject: in\r\n\r\ninner"},
        {"2", MIME_SECTION_HEADER, "Subject: in\r\n\r\n"},
        {"2", MIME_SECTION_TEXT, "inner"},
        {"2", MIME_SECTION_MIME, "Content-Type: message/rfc822\r\n\r\n"},
        {"2.1", MIME_SECTION_BODY, "inner"},
        {"2.1", MIME_SECTION_MIME, "Subject: in\r\n\r\n"},
        {"2.2", MIME_SECTION_BODY, NULL},
        {"2.1.1", MIME_SECTION_BODY, NULL},
        {"3.1", MIME_SECTION_BODY, "x"},
        {"3.2", MIME_SECTION_BODY, "y"},
        {"3.2", MIME_SECTION_MIME, "Content-Type: text/html\r\n\r\n"},
        {"3.3", MIME_SECTION_BODY, NULL},
        {"4", MIME_SECTION_BODY, NULL},
        {"", MIME_SECTION_HEADER, "Subject: top\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"},
        {"", MIME_SECTION_MIME, NULL},
    };
    struct arena a = {0};
    const struct mime_part *root = mime_parse(&a, STR(nested));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint32_t path[8];
        size_t n;
        struct mime_range r;
        assert_true(mime_path_parse(str_from(cases[i].path), path, 8, &n));
        bool found = mime_section(root, path, n, cases[i].what, &r);
        assert_int_equal(found, cases[i].want != NULL);
        if (found)
            assert_string_equal(text_of(&a, str_sub(STR(nested), r.at, r.end - r.at)), cases[i].want);
    }
    uint32_t one[] = {1, 1};
    struct mime_range r;
    root = mime_parse(&a, STR("Subject: x\r\n\r\nbody"));
    assert_true(mime_section(root, one, 1, MIME_SECTION_BODY, &r));
    assert_int_equal(r.at, 14);
    assert_false(mime_section(root, one, 2, MIME_SECTION_BODY, &r));
    assert_true(mime_section(root, one, 0, MIME_SECTION_BODY, &r));
    assert_int_equal(r.at, 0);
    uint32_t path[2];
    size_t n;
    static const char *const bad[] = {"0", "1.", ".1", "1..2", "01", "4294967296", "1.2.3", "a", "-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(mime_path_parse(str_from(bad[i]), path, 2, &n));
    arena_done(&a);
}

static void packing(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf packed = BUF_INIT(0), again = BUF_INIT(0);
    struct mime_part *back = NULL;
    mime_pack(mime_parse(&a, STR(nested)), &packed);
    assert_true(mime_unpack(&a, buf_view(&packed), &back));
    mime_pack(back, &again);
    assert_true(str_eq(buf_view(&packed), buf_view(&again)));
    /* every cut and every flipped bit is seen */
    for (size_t n = 0; n < packed.n; n++)
        assert_false(mime_unpack(&a, str_sub(buf_view(&packed), 0, n), &back));
    for (size_t i = 0; i < packed.n * 8; i++) {
        packed.p[i / 8] ^= (char)(1 << i % 8);
        assert_false(mime_unpack(&a, buf_view(&packed), &back));
        packed.p[i / 8] ^= (char)(1 << i % 8);
    }
    assert_true(mime_unpack(&a, buf_view(&packed), &back));
    buf_done(&packed);
    buf_done(&again);
    arena_done(&a);
}

static void decode(enum mime_encoding e, struct str in, size_t step, struct buf *out, bool *ret_damaged)
{
    struct mime_decoder d;
    mime_decoder_init(&d, e);
    while (in.n) {
        assert_true(mime_decoder_feed(&d, str_sub(in, 0, step), out));
        in = str_skip(in, step);
    }
    assert_true(mime_decoder_finish(&d, out));
    *ret_damaged = d.damaged;
    mime_decoder_done(&d);
}

static void decoding(void **state)
{
    (void)state;
    static const struct {
        enum mime_encoding encoding;
        struct str in, want;
        bool damaged;
    } cases[] = {
        {MIME_ENC_IDENTITY, STR("a=41\r\n"), STR("a=41\r\n"), false},
        {MIME_ENC_BASE64, STR("aGVs\r\nbG8=\r\n"), STR("hello"), false},
        {MIME_ENC_BASE64, STR("aGVsbG8"), STR("hello"), false},
        {MIME_ENC_BASE64, STR("aG!VsbG8="), STR("hello"), true},
        {MIME_ENC_QP, STR("a=3D=\r\nb  \r\nc=20\r\n=e4=E4"), STR("a=b\r\nc \r\n\xe4\xe4"), false},
        {MIME_ENC_QP, STR("a= \t\r\nb=\nc\t\nd"), STR("abc\nd"), false},
        {MIME_ENC_QP, STR("a=zz b=4 c="), STR("a=zz b=4 c"), true},
        {MIME_ENC_QP, STR("a\rb \r c\r\r\n"), STR("a\rb \r c\r\r\n"), false},
        {MIME_ENC_QP, STR("trailing   "), STR("trailing"), false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= cases[i].in.n; step++) {
            struct buf out = BUF_INIT(0);
            bool damaged;
            decode(cases[i].encoding, cases[i].in, step, &out, &damaged);
            if (!str_eq(buf_view(&out), cases[i].want))
                print_error("case %zu step %zu: [%s]\n", i, step, buf_z(&out));
            assert_true(str_eq(buf_view(&out), cases[i].want));
            assert_int_equal(damaged, cases[i].damaged);
            buf_done(&out);
        }
    }
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *header, *body, *want;
    } cases[] = {
        {"Content-Type: text/plain; charset=iso-8859-15\r\nContent-Transfer-Encoding: quoted-printable\r\n",
         "=A4=\r\n=E4", "\xe2\x82\xac\xc3\xa4"},
        {"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n", "4oKs", "\xe2\x82\xac"},
        {"Content-Type: text/plain; charset=iso-2022-jp\r\n", "\033$B2q5D\033(B!", "\xe4\xbc\x9a\xe8\xad\xb0!"},
        {"Content-Type: text/plain\r\n", "\xe4\xc3\xa4", "\xc3\xa4\xc3\xa4"},
        {"Content-Type: text/plain; charset=x-nonsense\r\n", "\x80", "\xe2\x82\xac"},
    };
    struct charset_cache *cs = charset_cache_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = {0};
        const struct mime_part *p = mime_parse(&a, arena_printf(&a, "%s\r\n%s", cases[i].header, cases[i].body));
        size_t n = strlen(cases[i].body);
        for (size_t step = 1; step <= n; step++) {
            struct buf out = BUF_INIT(0);
            struct mime_text t;
            mime_text_init(&t, cs, p);
            for (struct str in = str_from(cases[i].body); in.n; in = str_skip(in, step))
                assert_true(mime_text_feed(&t, str_sub(in, 0, step), &out));
            assert_true(mime_text_finish(&t, &out));
            mime_text_done(&t);
            assert_string_equal(buf_z(&out), cases[i].want);
            buf_done(&out);
        }
        arena_done(&a);
    }
    charset_cache_free(cs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure),   cmocka_unit_test(parameters),    cmocka_unit_test(fields),
        cmocka_unit_test(limits),      cmocka_unit_test(header_limits), cmocka_unit_test(many_address_fields),
        cmocka_unit_test(big_message), cmocka_unit_test(sections),      cmocka_unit_test(packing),
        cmocka_unit_test(decoding),    cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
