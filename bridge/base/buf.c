/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/buf.h"

#include <stdio.h>
#include <string.h>

#include "bridge/base/mem.h"

#define FIRST_SIZE ((size_t)256)
#define KEEP_SIZE  ((size_t)64 << 10) /* what buf_reset() does not give back */

void buf_init(struct buf *b, size_t limit)
{
    *b = BUF_INIT(limit);
}

void buf_done(struct buf *b)
{
    mem_free(b->p);
    *b = BUF_INIT(b->limit);
}

void buf_wipe(struct buf *b)
{
    mem_wipe(b->p, b->size);
    buf_done(b);
}

void buf_reset(struct buf *b)
{
    if (b->size > KEEP_SIZE) {
        buf_done(b);
        return;
    }
    b->n = 0;
    b->failed = false;
}

static size_t limit_of(const struct buf *b)
{
    return b->limit ? b->limit : BUF_DEFAULT_LIMIT;
}

/* One byte more than asked is always kept for buf_z(). */
static char *grow(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    size_t limit = limit_of(b);
    if (b->n > limit || n > limit - b->n) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->n + n + 1, size = b->size ? b->size : FIRST_SIZE;
    while (size < need)
        size *= 2; /* at most twice the limit, far from overflow */
    if (size > limit + 1)
        size = limit + 1;
    b->p = mem_realloc(b->p, size);
    b->size = size;
    return b->p + b->n;
}

char *buf_room(struct buf *b, size_t n)
{
    if (n < b->size - b->n && b->n < b->size && !b->failed)
        return b->p + b->n;
    return grow(b, n);
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);
    if (!to)
        return false;
    if (n)
        memcpy(to, p, n);
    b->n += n;
    return true;
}

bool buf_str(struct buf *b, struct str s)
{
    return buf_add(b, s.p, s.n);
}

bool buf_lit(struct buf *b, const char *z)
{
    return buf_add(b, z, strlen(z));
}

bool buf_byte(struct buf *b, char c)
{
    char *to = buf_room(b, 1);
    if (!to)
        return false;
    *to = c;
    b->n++;
    return true;
}

bool buf_fill(struct buf *b, char c, size_t n)
{
    char *to = buf_room(b, n);
    if (!to)
        return false;
    memset(to, c, n);
    b->n += n;
    return true;
}

/* "00" "01" ... "99": two digits a division. */
static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

bool buf_u64(struct buf *b, uint64_t v)
{
    char digits[20], *at = digits + sizeof(digits);
    while (v >= 100) {
        const char *pair = digit_pairs + (v % 100) * 2;
        v /= 100;
        *--at = pair[1];
        *--at = pair[0];
    }
    if (v >= 10) {
        *--at = digit_pairs[v * 2 + 1];
        *--at = digit_pairs[v * 2];
    } else {
        *--at = (char)('0' + v);
    }
    return buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

bool buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    bool ok = false;
    char small[256];
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof(small)) {
        ok = buf_add(b, small, (size_t)n);
    } else if (buf_room(b, (size_t)n)) { /* room has one byte more, for the NUL */
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
        ok = true;
    }
    va_end(again);
    return ok;
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return ok;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    if (n) {
        memmove(b->p, b->p + n, b->n - n);
        b->n -= n;
    }
}

const char *buf_z(struct buf *b)
{
    if (b->failed)
        return "";
    if (!b->p && !grow(b, 0))
        return "";
    b->p[b->n] = '\0';
    return b->p;
}
