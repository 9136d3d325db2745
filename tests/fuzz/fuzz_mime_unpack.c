/* SPDX-License-Identifier: Apache-2.0 */
/* A packed structure from a damaged cache. The checksum is made right first, or nothing would get past it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/formats/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As in mime_pack.c. */
static uint64_t checksum(const char *p, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct mime_part *root;
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    mime_unpack(&a, str_of(copy, size), &root);
    if (size >= 11) {
        uint64_t sum = checksum(copy + 11, size - 11);
        memcpy(copy, "XM\1", 3);
        memcpy(copy + 3, &sum, sizeof(sum));
        if (mime_unpack(&a, str_of(copy, size), &root)) {
            struct buf again = BUF_INIT(0);
            struct mime_part *back;
            mime_pack(root, &again);
            if (!mime_unpack(&a, buf_view(&again), &back))
                abort();
            buf_done(&again);
        }
    }
    free(copy);
    arena_done(&a);
    return 0;
}
