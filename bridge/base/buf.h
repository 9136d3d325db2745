/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_BUF_H
#define BRIDGE_BASE_BUF_H
/*
 * A growing byte buffer with a hard limit and a sticky failure: write much, test `failed` once. After a failure nothing
 * more is appended, what was there stays. Initialise with BUF_INIT(limit) or buf_init(); buf_done() frees and leaves an
 * empty, usable buffer with the same limit. `p` is not NUL-terminated unless buf_z() is called.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/str.h"

struct buf {
    char *p;
    size_t n, size;
    size_t limit; /* bytes; 0 means BUF_DEFAULT_LIMIT */
    bool failed;
};

#define BUF_DEFAULT_LIMIT ((size_t)64 << 20)
#define BUF_INIT(lim)     ((struct buf){.limit = (lim)})

void buf_init(struct buf *b, size_t limit);
void buf_done(struct buf *b);
void buf_wipe(struct buf *b);  /* overwrite what is there, then buf_done: secrets */
void buf_reset(struct buf *b); /* n = 0, failed = false; keeps the memory up to 64 KiB */
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_str(struct buf *b, struct str s);
bool buf_lit(struct buf *b, const char *z); /* a NUL-terminated string */
bool buf_byte(struct buf *b, char c);
bool buf_fill(struct buf *b, char c, size_t n);
bool buf_u64(struct buf *b, uint64_t v); /* decimal; the fast path of IMAP answers */
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* Make room for n more bytes and return where they go; the caller then adds to b->n. NULL over the limit. */
char *buf_room(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n); /* drop the first n bytes (memmove; callers batch) */
const char *buf_z(struct buf *b);          /* with a NUL after the content; never NULL ("" after failure) */
static inline struct str buf_view(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

#endif
