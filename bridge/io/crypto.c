/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/base/rand.h"

#define NONCE_SIZE 12
#define TAG_SIZE   16

struct crypto_sha256 {
    EVP_MD_CTX *ctx;
};

/* The primitives fail only without memory or with a broken OpenSSL; neither leaves anything sensible to do. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

struct crypto_sha256 *crypto_sha256_new(void)
{
    struct crypto_sha256 *h = MEM_NEW(struct crypto_sha256);
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    must(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
    return h;
}

void crypto_sha256_add(struct crypto_sha256 *h, struct str s)
{
    must(EVP_DigestUpdate(h->ctx, s.p, s.n));
}

void crypto_sha256_done(struct crypto_sha256 **h, struct crypto_hash *ret_hash)
{
    if (!*h)
        return;
    if (ret_hash)
        must(EVP_DigestFinal_ex((*h)->ctx, ret_hash->b, NULL));
    EVP_MD_CTX_free((*h)->ctx);
    mem_free(*h);
    *h = NULL;
}

struct crypto_hash crypto_sha256(struct str s)
{
    struct crypto_hash hash;
    must(EVP_Digest(s.p ? s.p : "", s.n, hash.b, NULL, EVP_sha256(), NULL));
    return hash;
}

struct crypto_hash crypto_hmac_sha256(struct str key, struct str s)
{
    assert(key.n <= INT_MAX);
    struct crypto_hash hash;
    must(HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n, (const unsigned char *)(s.p ? s.p : ""), s.n, hash.b,
              NULL) != NULL);
    return hash;
}

bool crypto_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void crypto_seal(struct buf *out, const unsigned char key[CRYPTO_KEY_SIZE], struct str label, struct str plain)
{
    assert(plain.n <= INT_MAX - CRYPTO_SEAL_EXTRA && label.n <= INT_MAX);
    unsigned char *to = (unsigned char *)buf_room(out, plain.n + CRYPTO_SEAL_EXTRA);
    if (!to)
        return;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    rand_bytes(to, NONCE_SIZE);
    must(ctx != NULL);
    must(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, to));
    if (label.n)
        must(EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)label.p, (int)label.n));
    if (plain.n)
        must(EVP_EncryptUpdate(ctx, to + NONCE_SIZE, &n, (const unsigned char *)plain.p, (int)plain.n));
    must(EVP_EncryptFinal_ex(ctx, to + NONCE_SIZE + plain.n, &n));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, to + NONCE_SIZE + plain.n));
    EVP_CIPHER_CTX_free(ctx);
    out->n += plain.n + CRYPTO_SEAL_EXTRA;
}

bool crypto_open(struct buf *out, const unsigned char key[CRYPTO_KEY_SIZE], struct str label, struct str sealed)
{
    if (sealed.n < CRYPTO_SEAL_EXTRA || sealed.n > INT_MAX || label.n > INT_MAX)
        return false;
    size_t size = sealed.n - CRYPTO_SEAL_EXTRA;
    unsigned char *to = (unsigned char *)buf_room(out, size + 1);
    if (!to)
        return false;
    const unsigned char *from = (const unsigned char *)sealed.p;
    unsigned char tag[TAG_SIZE];
    memcpy(tag, from + NONCE_SIZE + size, TAG_SIZE);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    must(ctx != NULL);
    must(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, from));
    if (label.n)
        must(EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)label.p, (int)label.n));
    if (size)
        must(EVP_DecryptUpdate(ctx, to, &n, from + NONCE_SIZE, (int)size));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag));
    bool genuine = EVP_DecryptFinal_ex(ctx, to + size, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (genuine)
        out->n += size;
    else
        mem_wipe(to, size);
    return genuine;
}
