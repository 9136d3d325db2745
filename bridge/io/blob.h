/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_BLOB_H
#define BRIDGE_IO_BLOB_H
/*
 * Bytes of any size: in memory while small, in an unlinked temporary file (O_TMPFILE, mode 0600) once they grow.
 * Written once from front to back, sealed with blob_finish(), read many times by offset. Reference-counted; not shared
 * between threads.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define BLOB_MEMORY_LIMIT (128 * 1024) /* above it a file takes over */

struct blob;

struct blob *blob_new(const char *tmp_dir, uint64_t limit); /* limit in bytes: ERR_TOO_BIG above */
struct blob *blob_from_str(struct str bytes);               /* a finished copy in memory */
/* A finished blob over a range of an open file; takes the descriptor. */
struct blob *blob_from_fd(int fd, uint64_t offset, uint64_t size);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob **b);
bool blob_add(struct blob *b, struct str bytes, struct err *err);
bool blob_finish(struct blob *b, struct err *err); /* after this it is read-only */
uint64_t blob_size(const struct blob *b);
/* Exactly n bytes at offset, or ERR_DISK / ERR_INTERNAL. */
bool blob_read(const struct blob *b, uint64_t offset, void *to, size_t n, struct err *err);
/* Whole content when it lies in memory; false for files. */
bool blob_view(const struct blob *b, struct str *ret_view);
/* Feed the content in pieces of up to 64 KiB to fn until it returns false. */
bool blob_each(const struct blob *b, bool (*fn)(void *ud, struct str piece), void *ud, struct err *err);
/* Copy into the file `path` by way of path.tmp and rename; mode 0600, no fsync (the cache may be lost, but is never
 * half). */
bool blob_save(const struct blob *b, const char *path, struct err *err);

#endif
