/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
    static const char text[] = "exbridge: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1); /* calloc checks the product */
    if (!p)
        out_of_memory();
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory();
    return q;
}

void *mem_dup(const void *p, size_t n)
{
    void *q = malloc(n ? n : 1);
    if (!q)
        out_of_memory();
    if (n)
        memcpy(q, p, n);
    return q;
}

char *mem_strdup(const char *z)
{
    return z ? mem_dup(z, strlen(z) + 1) : NULL;
}

void mem_free(void *p)
{
    free(p);
}

void mem_wipe(void *p, size_t n)
{
    if (p && n)
        explicit_bzero(p, n);
}

void mem_wipe_free(char *z)
{
    if (z)
        explicit_bzero(z, strlen(z));
    free(z);
}
