/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_MEM_H
#define BRIDGE_BASE_MEM_H
/*
 * Allocation that does not fail: out of memory aborts the process with a line on stderr (state survives kill -9 by
 * design, so dying is the safe answer). Everything that a peer can grow is bounded by a named limit before it gets
 * here.
 */
#include <stddef.h>

void *mem_alloc(size_t n);                  /* zeroed; n = 0 is allowed */
void *mem_array(size_t count, size_t size); /* zeroed; overflow aborts */
void *mem_realloc(void *p, size_t n);       /* new bytes are not zeroed */
void *mem_dup(const void *p, size_t n);
char *mem_strdup(const char *z); /* NULL gives NULL */
void mem_free(void *p);          /* NULL is fine */
/* Overwrite, then free: for passwords, tokens and keys. */
void mem_wipe(void *p, size_t n);
void mem_wipe_free(char *z);

#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))

#endif
