/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "bridge/base/text.h"

void rand_bytes(void *p, size_t n)
{
    unsigned char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* no secrets without randomness */
        at += got;
        n -= (size_t)got;
    }
}

uint64_t rand_below(uint64_t bound)
{
    uint64_t threshold = (0 - bound) % bound; /* 2^64 mod bound: values under it would make small results likelier */
    uint64_t v;
    do
        rand_bytes(&v, sizeof(v));
    while (v < threshold);
    return v % bound;
}

void rand_add_hex(struct buf *out, size_t bytes)
{
    unsigned char piece[64];
    while (bytes) {
        size_t n = bytes < sizeof(piece) ? bytes : sizeof(piece);
        rand_bytes(piece, n);
        text_hex_add(out, str_of(piece, n));
        bytes -= n;
    }
}

void rand_add_guid(struct buf *out)
{
    static const unsigned char group_ends[] = {4, 6, 8, 10, 16};
    unsigned char b[16];
    rand_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562 5.4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    size_t from = 0;
    for (size_t i = 0; i < sizeof(group_ends); i++) {
        if (i)
            buf_byte(out, '-');
        text_hex_add(out, str_of(b + from, group_ends[i] - from));
        from = group_ends[i];
    }
}
