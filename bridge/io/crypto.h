/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_CRYPTO_H
#define BRIDGE_IO_CRYPTO_H
/* The few primitives we need from OpenSSL: SHA-256, HMAC, AES-256-GCM sealing of blobs, comparison in constant time. */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define CRYPTO_HASH_SIZE  32
#define CRYPTO_KEY_SIZE   32
#define CRYPTO_SEAL_EXTRA (12 + 16) /* nonce before, tag after */

struct crypto_hash {
    unsigned char b[CRYPTO_HASH_SIZE];
};
struct crypto_sha256; /* incremental */
struct crypto_sha256 *crypto_sha256_new(void);
void crypto_sha256_add(struct crypto_sha256 *h, struct str s);
void crypto_sha256_done(struct crypto_sha256 **h, struct crypto_hash *ret_hash); /* frees */
struct crypto_hash crypto_sha256(struct str s);
struct crypto_hash crypto_hmac_sha256(struct str key, struct str s);
bool crypto_equal(struct str a, struct str b); /* time depends on the lengths only */

/* AES-256-GCM with a random nonce; `label` is authenticated with it (what the blob is and whose), so that blobs cannot
 * be swapped. */
void crypto_seal(struct buf *out, const unsigned char key[CRYPTO_KEY_SIZE], struct str label, struct str plain);
bool crypto_open(struct buf *out, const unsigned char key[CRYPTO_KEY_SIZE], struct str label, struct str sealed);

#endif
