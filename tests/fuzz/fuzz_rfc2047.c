/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded words, charsets and comparison forms: always valid UTF-8; what is encoded decodes to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "bridge/formats/header.h"
#include "bridge/formats/rfc2047.h"
#include "bridge/formats/thread.h"
#include "bridge/formats/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_utf8(const struct buf *b)
{
    if (!text_utf8_valid(buf_view(b)))
        abort();
}

/* The first byte picks a charset; whole and in pieces must give the same. */
static void convert(struct charset_cache *cs, struct str s)
{
    static const char *const names[] = {"utf-8",  "",           "iso-2022-jp", "gb18030",      "utf-7",       "utf-16",
                                        "euc-kr", "big5-hkscs", "shift_jis",   "windows-1255", "iso-2022-kr", "euc-tw",
                                        "johab",  "viscii",     "iso-8859-1",  "utf-32"};
    struct buf one = BUF_INIT(0), two = BUF_INIT(0);
    struct charset_decoder d;
    struct str name = s.n ? str_from(names[(unsigned char)s.p[0] % 16]) : STR("utf-8");
    s = str_skip(s, 1);
    charset_to_utf8(cs, name, s, &one);
    must_be_utf8(&one);
    charset_decoder_init(&d, cs, name);
    for (size_t i = 0; i < s.n; i++)
        charset_decoder_feed(&d, str_sub(s, i, 1), &two);
    charset_decoder_finish(&d, &two);
    charset_decoder_done(&d);
    must_be_utf8(&two);
    /* glibc's converters with state lose it at a bad byte, more or less of it depending on the pieces */
    bool damaged = str_find(buf_view(&one), STR("\xef\xbf\xbd")) != (size_t)-1;
    if (!damaged && !str_eq(buf_view(&one), buf_view(&two)))
        abort();
    buf_done(&one);
    buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    static struct charset_cache *cs; /* opening converters is most of the time otherwise */
    struct str s = str_of(data, size), rest = s, id;
    struct buf out = BUF_INIT(0), again = BUF_INIT(0);
    if (!cs)
        cs = charset_cache_new();
    rfc2047_decode(cs, s, &out);
    must_be_utf8(&out);
    convert(cs, s);
    struct str text = header_text(&a, cs, s);
    if (!text_utf8_valid(text))
        abort();
    buf_reset(&out);
    rfc2047_add_text(&out, text, 9);
    rfc2047_decode(cs, buf_view(&out), &again);
    if (!str_eq(str_trim(buf_view(&again)), text))
        abort();
    rfc2047_add_phrase(&out, text, 0);
    rfc2231_add_param(&out, "x", s);
    buf_reset(&out);
    buf_reset(&again);
    unicode_fold_add(&out, s);
    must_be_utf8(&out);
    unicode_fold_add(&again, buf_view(&out));
    if (!str_eq(buf_view(&out), buf_view(&again)))
        abort();
    buf_reset(&out);
    buf_reset(&again);
    unicode_nfc_add(&out, s);
    must_be_utf8(&out);
    unicode_nfc_add(&again, buf_view(&out));
    if (!str_eq(buf_view(&out), buf_view(&again)))
        abort();
    buf_reset(&out);
    thread_base_subject(&out, s, NULL);
    while (thread_next_id(&a, &rest, &id)) {
    }
    buf_done(&out);
    buf_done(&again);
    arena_done(&a);
    return 0;
}
