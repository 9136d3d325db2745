/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CACHE_FILE_H
#define BRIDGE_CACHE_FILE_H
/*
 * A message as a file of the cache: plain bytes, or, with a key, a row of sealed frames of up to 64 KiB (4-byte length,
 * then nonce, ciphertext, tag), each labelled with the item and its position so that frames cannot be swapped or cut
 * off.
 */
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/io/blob.h"
#include "bridge/io/crypto.h"

/* Written to PATH.tmp and renamed; makes the directory it lies in. *ret_sum: checksum of the plain bytes. */
bool cache_file_write(const char *path, const unsigned char *key, int64_t pk, const struct blob *b, uint64_t *ret_sum,
                      struct err *err);
/* NULL when missing, of another length, or damaged. Plain files above BLOB_MEMORY_LIMIT are served from the open
 * descriptor and only their length is verified: clients read them in small pieces, and a whole pass for each would be
 * felt. */
struct blob *cache_file_read(const char *path, const unsigned char *key, int64_t pk, uint64_t size, uint64_t sum,
                             const char *tmp_dir);
void cache_file_remove_tree(const char *dir); /* the directory and all below it; symbolic links are not followed */

#endif
