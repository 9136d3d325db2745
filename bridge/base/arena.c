/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "bridge/base/mem.h"

#define FIRST_BLOCK ((size_t)1 << 10)
#define LAST_BLOCK  ((size_t)64 << 10)

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_EACH 1
#endif
#endif
#ifndef ONE_BLOCK_EACH
#define ONE_BLOCK_EACH 0
#endif

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    _Alignas(max_align_t) char data[];
};

static struct arena_block *block_new(size_t size)
{
    struct arena_block *b = mem_realloc(NULL, sizeof(*b) + size);
    b->size = size;
    b->next = NULL;
    return b;
}

/* A request that does not fit gets a block of its own, put behind the current one so that the rest of that stays in
 * use. With the address sanitizer everything does, so that it sees overruns inside an arena. */
static void *take_own_block(struct arena *a, size_t n)
{
    struct arena_block *b = block_new(n);
    if (a->blocks && !ONE_BLOCK_EACH) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
        a->at = a->end = b->data + n;
    }
    return b->data;
}

/* Not zeroed. `align` is a power of two up to that of max_align_t. */
static void *take(struct arena *a, size_t n, size_t align)
{
    a->total += n;
    size_t pad = (size_t)(-(uintptr_t)a->at & (align - 1));
    if (a->at && !ONE_BLOCK_EACH && pad <= (size_t)(a->end - a->at) && n <= (size_t)(a->end - a->at) - pad) {
        char *p = a->at + pad;
        a->at = p + n;
        return p;
    }
    if (ONE_BLOCK_EACH || n > LAST_BLOCK / 4)
        return take_own_block(a, n);
    size_t next = FIRST_BLOCK;
    if (a->blocks)
        next = a->blocks->size >= LAST_BLOCK / 2 ? LAST_BLOCK : a->blocks->size * 2;
    while (next < FIRST_BLOCK || (next < n * 4 && next < LAST_BLOCK))
        next *= 2;
    struct arena_block *b = block_new(next);
    b->next = a->blocks;
    a->blocks = b;
    a->at = b->data + n;
    a->end = b->data + next;
    return b->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(take(a, n, _Alignof(max_align_t)), 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        mem_array(count, size); /* aborts */
    return arena_alloc(a, n);
}

char *arena_strdup(struct arena *a, struct str s)
{
    char *p = take(a, s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_strdup(a, s), s.n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    char small[512];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    struct str s = STR_NULL;
    if (n >= 0) {
        char *p = take(a, (size_t)n + 1, 1);
        if ((size_t)n < sizeof(small))
            memcpy(p, small, (size_t)n + 1);
        else
            vsnprintf(p, (size_t)n + 1, fmt, again);
        s = (struct str){p, (size_t)n};
    }
    va_end(again);
    return s;
}

void arena_done(struct arena *a)
{
    struct arena_block *b = a->blocks;
    while (b) {
        struct arena_block *next = b->next;
        mem_free(b);
        b = next;
    }
    *a = (struct arena){0};
}
