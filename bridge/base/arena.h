/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_ARENA_H
#define BRIDGE_BASE_ARENA_H
/*
 * A pool of memory that is freed as a whole: one per command, per operation. Zero-initialise, use, arena_done() (which
 * leaves it usable again). Blocks grow from 1 KiB to 64 KiB; larger requests get a block of their own. Never fails (see
 * mem.h).
 */
#include <stdarg.h>
#include <stddef.h>

#include "bridge/base/str.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    char *at, *end;
    size_t total; /* bytes handed out, for limits and statistics */
};

void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, struct str s);   /* NUL-terminated copy */
struct str arena_str(struct arena *a, struct str s); /* copy, with a NUL after it for convenience */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
