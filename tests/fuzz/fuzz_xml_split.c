/* SPDX-License-Identifier: Apache-2.0 */
/* The splitter of back-to-back envelopes: the cuts are the same whatever the pieces, and nothing but blanks between
 * documents is lost. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/formats/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct str s, size_t step, struct buf *out)
{
    struct xml_split split = {0};
    for (; s.n; s = str_skip(s, step)) {
        struct str left = str_sub(s, 0, step), piece;
        bool ends;
        while (xml_split_next(&split, &left, &piece, &ends)) {
            if (!piece.n)
                abort();
            buf_str(out, piece);
            if (ends)
                buf_lit(out, "\x01|\x01");
        }
        if (left.n)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf one = BUF_INIT(0), two = BUF_INIT(0);
    struct str s = str_of(data, size);
    run(s, size ? size : 1, &one);
    run(s, 1 + (size ? data[0] % 5 : 0), &two);
    if (!str_eq(buf_view(&one), buf_view(&two)))
        abort();
    buf_done(&one);
    buf_done(&two);
    return 0;
}
