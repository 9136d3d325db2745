/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence sets: resolving gives sorted ranges apart from each other, which are written and read back as they are. */
#include <stdint.h>
#include <stdlib.h>

#include "protocols/imap/imap_seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, const struct imap_seqset *set)
{
    struct imap_seqset again, resolved;
    struct buf text = BUF_INIT(0);
    for (size_t i = 0; i < set->n; i++) {
        if (set->ranges[i].from == 0 || set->ranges[i].from > set->ranges[i].to)
            abort();
        if (i > 0 && set->ranges[i].from <= (uint64_t)set->ranges[i - 1].to + 1)
            abort();
        if (!imap_seqset_has(set, set->ranges[i].from) || !imap_seqset_has(set, set->ranges[i].to))
            abort();
    }
    imap_seqset_add(&text, set);
    if (set->n > 0) {
        if (!imap_seqset_parse(a, buf_view(&text), &again))
            abort();
        imap_seqset_resolve(a, &again, 1, &resolved);
        if (resolved.n != set->n || imap_seqset_count(&resolved) != imap_seqset_count(set))
            abort();
    }
    struct imap_seqset_iter it;
    uint32_t n, last = 0;
    imap_seqset_iter_init(&it, set);
    for (int i = 0; i < 100 && imap_seqset_iter_next(&it, &n); i++) {
        if (n <= last || !imap_seqset_has(set, n))
            abort();
        last = n;
        imap_seqset_iter_seek(&it, n + (uint32_t)i);
    }
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct imap_seqset set, resolved;
    if (imap_seqset_parse(&a, str_of(data, size), &set)) {
        static const uint32_t maxima[] = {0, 1, 17, UINT32_MAX};
        for (size_t i = 0; i < 4; i++) {
            imap_seqset_resolve(&a, &set, maxima[i], &resolved);
            check(&a, &resolved);
        }
    }
    arena_done(&a);
    return 0;
}
