/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks: HEADER.FIELDS and HEADER.FIELDS.NOT of the same names share out the fields; line ends are made CRLF.
 * Headers of outgoing messages. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/formats/eol.h"
#include "bridge/formats/header.h"
#include "bridge/submit_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(struct str block)
{
    struct header_iter it;
    struct header_field f;
    size_t n = 0;
    header_iter_init(&it, block);
    while (header_next(&it, &f))
        n++;
    return n;
}

static void line_ends(struct str s, bool message)
{
    struct eol_crlf whole = {.message = message}, pieces = {.message = message};
    struct buf one = BUF_INIT(0), two = BUF_INIT(0);
    eol_crlf_feed(&whole, s, &one);
    eol_crlf_finish(&whole, &one);
    for (size_t i = 0; i < s.n; i++)
        eol_crlf_feed(&pieces, str_sub(s, i, 1), &two);
    eol_crlf_finish(&pieces, &two);
    if (!str_eq(buf_view(&one), buf_view(&two)))
        abort();
    for (size_t i = 0; i < one.n; i++) {
        if (one.p[i] == '\n' && (i == 0 || one.p[i - 1] != '\r'))
            abort();
    }
    buf_done(&one);
    buf_done(&two);
}

/* What goes out names nobody but the recipient, whatever stood there, and what is header stays so. */
static void outgoing(struct str message)
{
    static const struct str recipient[] = {STR("b@x")};
    struct buf out = BUF_INIT(0);
    size_t text, end;
    struct str block = submit_headers_block(message, &text);
    if (text > message.n || block.n > text || !submit_headers_rewrite(&out, block, recipient, 1))
        abort();
    block = submit_headers_block(buf_view(&out), &end);
    if (end != out.n || header_block_size(buf_view(&out)) != out.n)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str names[] = {STR("a"), STR("Subject"), STR("x-y"), STR("to")};
    struct arena a = {0};
    struct str block = str_of(data, size), value;
    struct buf with = BUF_INIT(0), without = BUF_INIT(0);
    const struct header_names *set = header_names_new(&a, names, 4);
    header_add_fields(&with, block, set, true);
    header_add_fields(&without, block, set, false);
    if (count(buf_view(&with)) + count(buf_view(&without)) != count(block))
        abort();
    if (header_find(buf_view(&without), "subject", &value) ||
        header_find(block, "SUBJECT", &value) != header_find(buf_view(&with), "Subject", &value))
        abort();
    if (header_block_size(block) > size)
        abort();
    header_unfold(&a, block);
    line_ends(block, false);
    line_ends(block, true);
    outgoing(block);
    buf_done(&with);
    buf_done(&without);
    arena_done(&a);
    return 0;
}
