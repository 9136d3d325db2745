/* SPDX-License-Identifier: Apache-2.0 */
/* Modified UTF-7: what decodes has one form only, and what encodes decodes to itself. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "protocols/imap/imap_utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    struct buf a = BUF_INIT(0), b = BUF_INIT(0);
    if (imap_utf7_decode(&a, in) && (!imap_utf7_encode(&b, buf_view(&a)) || !str_eq(buf_view(&b), in)))
        abort();
    buf_reset(&a);
    buf_reset(&b);
    bool valid = text_utf8_valid(in);
    if (imap_utf7_encode(&a, in) != valid)
        abort();
    if (valid && (!imap_utf7_decode(&b, buf_view(&a)) || !str_eq(buf_view(&b), in)))
        abort();
    struct arena arena = {0};
    struct str name = imap_name_decode(&arena, in, size % 2);
    if (name.p && !text_utf8_valid(name))
        abort();
    imap_name_check(in);
    arena_done(&arena);
    buf_done(&a);
    buf_done(&b);
    return 0;
}
