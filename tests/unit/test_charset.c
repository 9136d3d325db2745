/* SPDX-License-Identifier: Apache-2.0 */
/* charset, rfc2047 and unicode: everything that ends in UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/base/text.h"
#include "bridge/formats/charset.h"
#include "bridge/formats/rfc2047.h"
#include "bridge/formats/unicode.h"

#define FFFD "\xef\xbf\xbd"

static const struct {
    const char *charset;
    struct str in;
    const char *want;
} charsets[] = {
    {"utf-8", STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"UTF-8", STR("\xff\xc3(\xed\xa0\x80\xe2\x82"), FFFD FFFD "(" FFFD FFFD FFFD FFFD},
    {"us-ascii", STR("a\xc3\xa4\xe4"), "a\xc3\xa4\xc3\xa4"},
    {"", STR("\x80\xe2\x82"), "\xe2\x82\xac\xc3\xa2\xe2\x80\x9a"},
    {"iso-8859-1", STR("\xe4\x80\x81"), "\xc3\xa4\xe2\x82\xac\xc2\x81"},
    {"\"ISO-8859-15\"", STR("\xa4"), "\xe2\x82\xac"},
    {"koi8-r", STR("\xd0\xd2\xc9"), "\xd0\xbf\xd1\x80\xd0\xb8"},
    {"windows-1251", STR("\xef\xf0\xe8"), "\xd0\xbf\xd1\x80\xd0\xb8"},
    {"iso-2022-jp", STR("\033$B2q5D\033(Bx"), "\xe4\xbc\x9a\xe8\xad\xb0x"},
    {"shift_jis", STR("\x89\xef\x8b\x63\x87\x40"), "\xe4\xbc\x9a\xe8\xad\xb0\xe2\x91\xa0"},
    {"gb2312", STR("\xbb\xe1\x81\x30\x84\x36"), "\xe4\xbc\x9a\xc2\xa5"},
    {"big5", STR("\xb7\x7c"), "\xe6\x9c\x83"},
    {"ks_c_5601-1987", STR("\xc8\xb8"), "\xed\x9a\x8c"},
    {"utf-7", STR("+ZeVnLIqe-!"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e!"},
    {"utf-16le", STR("a\0\xac\x20=\xd8\0\xde"), "a\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"euc-jp", STR("\xb2\xf1\xff\x8e"), "\xe4\xbc\x9a" FFFD FFFD},
    {"x-unknown", STR("\xe4\xc3\xa4"), "\xc3\xa4\xc3\xa4"},
    {"utf-8//TRANSLIT", STR("\xe4"), "\xc3\xa4"},
    {"ISO-2022-CN-EXT", STR("a"), "a"},
};

static void conversion(void **state)
{
    (void)state;
    struct charset_cache *cs = charset_cache_new();
    for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++) {
        for (size_t step = 1; step <= charsets[i].in.n; step++) {
            struct buf out = BUF_INIT(0);
            struct charset_decoder d;
            charset_decoder_init(&d, cs, str_from(charsets[i].charset));
            for (struct str in = charsets[i].in; in.n; in = str_skip(in, step))
                assert_true(charset_decoder_feed(&d, str_sub(in, 0, step), &out));
            assert_true(charset_decoder_finish(&d, &out));
            charset_decoder_done(&d);
            if (!str_is(buf_view(&out), charsets[i].want))
                print_error("%s step %zu: %s\n", charsets[i].charset, step, buf_z(&out));
            assert_string_equal(buf_z(&out), charsets[i].want);
            buf_done(&out);
        }
    }
    assert_true(charset_known(cs, STR("KOI8-R")));
    assert_true(charset_known(cs, STR("us-ascii")));
    assert_false(charset_known(cs, STR("x-unknown")));
    assert_false(charset_known(cs, STR("ISO-2022-CN-EXT")));
    charset_cache_free(cs);
}

/* More decoders open at once than the cache holds. */
static void many_decoders(void **state)
{
    (void)state;
    enum { N = 40 };
    struct charset_cache *cs = charset_cache_new();
    struct charset_decoder d[N];
    for (size_t i = 0; i < N; i++)
        charset_decoder_init(&d[i], cs, i % 2 ? STR("koi8-r") : STR("euc-jp"));
    for (size_t i = 0; i < N; i++) {
        struct buf out = BUF_INIT(0);
        assert_true(charset_decoder_feed(&d[i], i % 2 ? STR("\xd0") : STR("\xb2\xf1"), &out));
        assert_true(charset_decoder_finish(&d[i], &out));
        assert_string_equal(buf_z(&out), i % 2 ? "\xd0\xbf" : "\xe4\xbc\x9a");
        charset_decoder_done(&d[i]);
        buf_done(&out);
    }
    charset_cache_free(cs);
}

static void back(void **state)
{
    (void)state;
    struct charset_cache *cs = charset_cache_new();
    struct buf out = BUF_INIT(0);
    assert_true(charset_from_utf8(cs, STR("koi8-r"), STR("\xd0\xbf"), &out));
    assert_string_equal(buf_z(&out), "\xd0");
    assert_false(charset_from_utf8(cs, STR("koi8-r"), STR("ok \xe4\xbc\x9a"), &out));
    assert_false(charset_from_utf8(cs, STR("us-ascii"), STR("\xc3\xa4"), &out));
    assert_false(charset_from_utf8(cs, STR("utf-8"), STR("\xff"), &out));
    assert_false(charset_from_utf8(cs, STR("x-unknown"), STR("a"), &out));
    assert_string_equal(buf_z(&out), "\xd0");
    buf_done(&out);
    charset_cache_free(cs);
}

static const struct {
    const char *in, *want;
} words[] = {
    {"plain", "plain"},
    {"=?utf-8?q?J=C3=BCr_gen?=", "J\xc3\xbcr gen"},
    {"=?UTF-8?B?w7w=?= x", "\xc3\xbc x"},
    {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
    {"=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c"},
    {"=?utf-8?q?a?= c =?utf-8?q?b?=", "a c b"},
    {"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc"},
    {"=?utf-8?b?wx==?= =?utf-8?b?vA==?=", "\xc3\xbc"},
    {"=?utf-8?q?=C3?= =?iso-8859-1?q?=FC?=", FFFD "\xc3\xbc"},
    {"x=?utf-8?q?b?=y", "xby"},
    {"=?iso-2022-jp?b?GyRCMnE1RBsoQg==?=", "\xe4\xbc\x9a\xe8\xad\xb0"},
    {"=?utf-8*en?q?a?=", "a"},
    {"=?utf-8?q?a b?c?=", "a b?c"},
    {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
    {"=?utf-8?q?a", "=?utf-8?q?a"},
    {"=?utf-8?q?a?= =?utf-8?q?b", "a =?utf-8?q?b"},
    {"=?? =?=?q?", "=?? =?=?q?"},
    {"=?x-nope?q?=E4?=", "\xc3\xa4"},
    {"raw \xe4 and \xc3\xa4", "raw \xc3\xa4 and \xc3\xa4"},
    {"=?utf-8?q?=zz=4?=", "=zz=4"},
    {"=?utf-8?b?!!!?=", ""},
    {"=?utf-8?q?"
     "?=",
     ""},
    {"a\r\n b", "a b"},
};

static void encoded_words(void **state)
{
    (void)state;
    struct charset_cache *cs = charset_cache_new();
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        struct buf out = BUF_INIT(0);
        assert_true(rfc2047_decode(cs, str_from(words[i].in), &out));
        assert_string_equal(buf_z(&out), words[i].want);
        buf_done(&out);
    }
    /* 1 MB of beginnings without ends: linear */
    struct buf b = BUF_INIT(0), out = BUF_INIT(0);
    while (b.n < 1000000)
        buf_lit(&b, "=?a?q?b");
    assert_true(rfc2047_decode(cs, buf_view(&b), &out));
    assert_true(str_eq(buf_view(&b), buf_view(&out)));
    buf_done(&b);
    buf_done(&out);
    charset_cache_free(cs);
}

static void encoding(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "plain",
        "J\xc3\xbcrgen",
        "=?utf-8?q?looks encoded?=",
        "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 "
        "\xd0\xbf\xd1\x80\xd0\xb8"
        "\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 "
        "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
        "a long subject in plain words that must be folded because it does not fit in one line of a header at all, no",
        "long \xc3\xa4 a long subject in plain words that must be folded because it does not fit in a line",
    };
    struct charset_cache *cs = charset_cache_new();
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        for (size_t column = 0; column < 80; column += 9) {
            struct buf out = BUF_INIT(0), again = BUF_INIT(0);
            rfc2047_add_text(&out, str_from(texts[i]), column);
            size_t line = column;
            for (size_t j = 0; j < out.n; j++) {
                assert_true((unsigned char)out.p[j] < 127);
                line = out.p[j] == '\n' ? 0 : line + 1;
                assert_true(line <= 78 || column > 60);
            }
            assert_true(rfc2047_decode(cs, buf_view(&out), &again));
            assert_true(str_is(str_trim(buf_view(&again)), texts[i])); /* a fold before it all is allowed */
            buf_done(&out);
            buf_done(&again);
        }
    }
    struct buf out = BUF_INIT(0);
    rfc2231_add_param(&out, "filename", STR("a\"b.txt"));
    rfc2231_add_param(&out, "n", STR("\xe2\x82\xac"));
    assert_string_equal(buf_z(&out), ";\r\n filename=\"a\\\"b.txt\";\r\n n*=utf-8''%E2%82%AC");
    buf_reset(&out);
    rfc2231_add_param(&out, "n",
                      STR("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"));
    assert_string_equal(buf_z(&out),
                        ";\r\n n*0*=utf-8''%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC;\r\n n*1*=%E2%82%AC");
    buf_done(&out);
    charset_cache_free(cs);
}

static void folding(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"abc", "ABC"},
        {"Stra\xc3\x9f"
         "e",
         "STRA\xc3\x9f"
         "E"},
        {"\xc3\xa4", "\xc3\x84"},
        {"\xc3\xa4", "a\xcc\x88"},
        {"\xce\xa3", "\xcf\x83"},
        {"\xce\xa3", "\xcf\x82"},
        {"\xef\xac\x81", "FI"},
        {"\xd0\xbf", "\xd0\x9f"},
        {"\xed\x9a\x8c", "\xe1\x84\x92\xe1\x85\xac"},
        {"\xef\xbc\xa1", "a"},
        {"\xff", FFFD},
    };
    struct buf a = BUF_INIT(0), b = BUF_INIT(0);
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
        buf_reset(&a);
        buf_reset(&b);
        unicode_fold_add(&a, str_from(same[i][0]));
        unicode_fold_add(&b, str_from(same[i][1]));
        assert_string_equal(buf_z(&a), buf_z(&b));
        buf_reset(&b);
        unicode_fold_add(&b, buf_view(&a)); /* folding twice changes nothing */
        assert_string_equal(buf_z(&a), buf_z(&b));
        assert_true(text_utf8_valid(buf_view(&a)));
    }
    buf_reset(&a);
    unicode_fold_add(&a, STR("gr\xc3\xbc\xc3\x9f"));
    assert_true(unicode_contains(STR("Viele GR\xc3\x9c\xc3\x9f"
                                     "e"),
                                 buf_view(&a), &b));
    assert_false(unicode_contains(STR("Gruss"), buf_view(&a), &b));
    assert_true(unicode_contains(STR("x"), STR(""), &b));
    buf_done(&a);
    buf_done(&b);
}

static void composing(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"abc", "abc"},
        {"a\xcc\x88", "\xc3\xa4"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xe1\x84\x92\xe1\x85\xac\xe1\x86\xa8", "\xed\x9a\x8d"},
        {"\xe2\x84\xab", "\xc3\x85"},
        {"a\xcc\xa3\xcc\x82", "\xe1\xba\xad"},
        {"a\xcc\x82\xcc\xa3", "\xe1\xba\xad"},
        {"\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc"},
        {"\xcc\x88"
         "a",
         "\xcc\x88"
         "a"},
        {"", ""},
    };
    struct buf out = BUF_INIT(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        buf_reset(&out);
        assert_true(unicode_nfc_add(&out, str_from(cases[i][0])));
        assert_string_equal(buf_z(&out), cases[i][1]);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversion),    cmocka_unit_test(many_decoders), cmocka_unit_test(back),
        cmocka_unit_test(encoded_words), cmocka_unit_test(encoding),      cmocka_unit_test(folding),
        cmocka_unit_test(composing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
