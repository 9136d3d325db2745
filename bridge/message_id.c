/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/message_id.h"

#include "bridge/formats/charset.h"
#include "bridge/formats/header.h"
#include "bridge/store_private.h"

#define HEADER_MAX (1 << 20)

static bool on_piece(void *ud, struct str piece)
{
    crypto_sha256_add(ud, piece);
    return true;
}

struct crypto_hash blob_hash(const struct blob *b)
{
    struct crypto_sha256 *h = crypto_sha256_new();
    struct crypto_hash hash;
    blob_each(b, on_piece, h, NULL);
    crypto_sha256_done(&h, &hash);
    return hash;
}

void message_identity(const struct blob *message, struct arena *arena, struct message_identity *ret)
{
    uint64_t n = blob_size(message) < HEADER_MAX ? blob_size(message) : HEADER_MAX;
    char *bytes = arena_alloc(arena, (size_t)n + 1);
    *ret = (struct message_identity){{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    if (n && !blob_read(message, 0, bytes, (size_t)n, NULL))
        return;
    struct str block = str_of(bytes, header_block_size(str_of(bytes, (size_t)n))), value;
    struct charset_cache *cs = charset_cache_new();
    if (header_find(block, "Subject", &value))
        ret->subject = header_text(arena, cs, value);
    charset_cache_free(cs);
    if (header_find(block, "Message-ID", &value)) {
        struct str id = str_trim(header_unfold(arena, value));
        if (id.n > 1 && id.p[0] == '<' && id.p[id.n - 1] == '>')
            id = str_sub(id, 1, id.n - 2);
        ret->message_id = id;
    }
    if (ret->message_id.n) {
        struct crypto_hash h = crypto_sha256(ret->message_id);
        ret->message_id_hash = arena_str(arena, str_of(h.b, IDENTITY_SIZE));
    }
    char hash[IDENTITY_SIZE];
    struct item_info who = {.message_id = ret->message_id, .subject = ret->subject};
    ret->identity = arena_str(arena, store_identity(&who, hash));
}
