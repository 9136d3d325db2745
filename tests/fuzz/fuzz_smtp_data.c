/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: DATA or BDAT, second: where the input is cut in two; the rest: the bytes of a message. The result does
 * not depend on the cut, lines end in CR LF only, and DATA ends at the first CR LF "." CR LF and nowhere else. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "protocols/smtp/smtp_data.h"

static size_t run(bool dots, struct str in, size_t cut, struct buf *out)
{
    struct smtp_data d;
    struct str first = str_sub(in, 0, cut), second = str_skip(in, cut);
    smtp_data_init(&d, dots);
    bool over = smtp_data_feed(&d, &first, out);
    if (!over) {
        if (first.n)
            abort();
        over = smtp_data_feed(&d, &second, out);
    }
    if (!over && (first.n || second.n))
        abort();
    if (!dots)
        smtp_data_finish(&d, out);
    return over ? in.n - first.n - second.n : (size_t)-1;
}

static size_t end_of(struct str in)
{
    if (str_starts(in, STR(".\r\n")))
        return 3;
    size_t at = str_find(in, STR("\r\n.\r\n"));
    return at == (size_t)-1 ? at : at + 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    bool dots = data[0] & 1;
    struct str in = {(const char *)data + 2, size - 2};
    struct buf whole = {0}, halves = {0};
    size_t end = run(dots, in, in.n, &whole);
    if (run(dots, in, in.n * data[1] / 255, &halves) != end || !str_eq(buf_view(&whole), buf_view(&halves)))
        abort();
    if (end != (dots ? end_of(in) : (size_t)-1) || whole.n > 2 * in.n + 2)
        abort();
    for (size_t i = 0; i < whole.n; i++) {
        if (whole.p[i] == '\n' && (!i || whole.p[i - 1] != '\r'))
            abort();
        if (whole.p[i] == '\r' && (i + 1 == whole.n || whole.p[i + 1] != '\n'))
            abort();
    }
    buf_done(&whole);
    buf_done(&halves);
    return 0;
}
