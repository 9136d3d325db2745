/* SPDX-License-Identifier: Apache-2.0 */
/* Address lists: every group that begins ends, every mailbox has both halves, what is shown is UTF-8. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "bridge/formats/address.h"
#include "bridge/formats/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    static struct charset_cache *cs; /* opening converters is most of the time otherwise */
    struct address_list list;
    bool in_group = false;
    if (!cs)
        cs = charset_cache_new();
    address_parse(&a, str_of(data, size), &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.items[i];
        if (x->kind == ADDRESS_MAILBOX && (!x->mailbox.p || !x->host.p))
            abort();
        if (x->kind == ADDRESS_GROUP_START && (in_group || !x->mailbox.p))
            abort();
        if (x->kind == ADDRESS_GROUP_END && !in_group)
            abort();
        in_group = x->kind == ADDRESS_MAILBOX ? in_group : x->kind == ADDRESS_GROUP_START;
    }
    if (in_group && !list.truncated)
        abort();
    address_list_add_display(&out, cs, &list);
    if (!text_utf8_valid(buf_view(&out)))
        abort();
    buf_reset(&out);
    address_add_header(&out, str_of(data, size / 2), str_of(data + size / 2, size - size / 2));
    for (size_t i = 0; i < out.n; i++) { /* a line end is a fold */
        if (out.p[i] == '\n' && (i + 1 == out.n || out.p[i + 1] != ' '))
            abort();
    }
    buf_done(&out);
    arena_done(&a);
    return 0;
}
