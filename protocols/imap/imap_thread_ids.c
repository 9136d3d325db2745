/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_thread_ids.h"

#include "bridge/base/mem.h"
#include "bridge/base/rand.h"

struct slot {
    struct str s; /* NULL p: free */
    uint32_t hash, value;
};

/* --- SipHash-1-3 (Aumasson, Bernstein) --------------------------------------------------------------------------- */

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint32_t hash_of(const uint64_t key[2], struct str s)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};
    uint64_t word = 0;
    size_t at = 0;
    for (; s.n - at >= 8; at += 8) {
        memcpy(&word, s.p + at, 8);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    word = (uint64_t)s.n << 56;
    for (size_t i = 0; at + i < s.n; i++)
        word |= (uint64_t)(unsigned char)s.p[at + i] << (8 * i);
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(hash ^ hash >> 32);
}

/* --- the table -------------------------------------------------------------------------------- */

void imap_thread_ids_init(struct imap_thread_ids *t)
{
    *t = (struct imap_thread_ids){.size = 256};
    t->slots = mem_array(t->size, sizeof(*t->slots));
    rand_bytes(t->key, sizeof(t->key));
}

void imap_thread_ids_done(struct imap_thread_ids *t)
{
    mem_free(t->slots);
    t->slots = NULL;
}

static struct slot *find(struct slot *slots, size_t size, uint32_t hash, struct str s)
{
    size_t i = hash & (size - 1);
    while (slots[i].s.p && (slots[i].hash != hash || !str_eq(slots[i].s, s)))
        i = (i + 1) & (size - 1);
    return &slots[i];
}

static void grow(struct imap_thread_ids *t)
{
    size_t size = t->size * 2;
    struct slot *slots = mem_array(size, sizeof(*slots));
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].s.p)
            *find(slots, size, t->slots[i].hash, t->slots[i].s) = t->slots[i];
    mem_free(t->slots);
    t->slots = slots;
    t->size = size;
}

uint32_t *imap_thread_ids_at(struct imap_thread_ids *t, struct str s)
{
    if (t->n >= t->size / 2)
        grow(t);
    if (s.p == NULL)
        s = STR("");
    uint32_t hash = hash_of(t->key, s);
    struct slot *slot = find(t->slots, t->size, hash, s);
    if (slot->s.p == NULL) {
        *slot = (struct slot){s, hash, IMAP_THREAD_NONE};
        t->n++;
    }
    return &slot->value;
}
