/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_LOOP_PRIVATE_H
#define BRIDGE_IO_LOOP_PRIVATE_H
/* What the files of bridge/io share about the loop. For bridge/io only. */
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "bridge/io/loop.h"

#define LOOP_SCRATCH_SIZE ((size_t)64 * 1024)

struct loop {
    uv_loop_t uv;
    uv_idle_t idle; /* active while something is deferred: runs it, and keeps the poll from blocking */
    struct list deferred;
    char *scratch; /* LOOP_SCRATCH_SIZE bytes, see loop_scratch() */
    uint64_t last_id;
};

/* LOOP_SCRATCH_SIZE bytes to read into; whoever uses them is done before he returns to the loop or calls anybody. */
char *loop_scratch(struct loop *loop);
/* Numbers for logs: 1, 2, 3, ... */
uint64_t loop_next_id(struct loop *loop);

/* The end of a child process's handle; for loop_free(). */
void child_on_closed(uv_handle_t *handle);

#endif
