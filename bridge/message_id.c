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

struct str message_header(const struct blob *message, struct arena *arena)
{
    uint64_t n = blob_size(message) < HEADER_MAX ? blob_size(message) : HEADER_MAX;
    char *bytes = arena_alloc(arena, (size_t)n + 1);
    if (n == 0 || !blob_read(message, 0, bytes, (size_t)n, NULL))
        return STR("");
    return str_of(bytes, header_block_size(str_of(bytes, (size_t)n)));
}

static struct str message_id_of(struct str header, struct arena *arena)
{
    struct str value;
    if (!header_find(header, "Message-ID", &value))
        return STR("");
    struct str id = str_trim(header_unfold(arena, value));
    return id.n > 1 && id.p[0] == '<' && id.p[id.n - 1] == '>' ? str_sub(id, 1, id.n - 2) : id;
}

void message_identity(const struct blob *message, struct arena *arena, struct message_identity *ret)
{
    struct str header = message_header(message, arena), value;
    struct charset_cache *cs = charset_cache_new();
    char hash[IDENTITY_SIZE];
    ret->subject = header_find(header, "Subject", &value) ? header_text(arena, cs, value) : STR("");
    charset_cache_free(cs);
    ret->message_id = message_id_of(header, arena);
    ret->message_id_hash = arena_str(arena, store_message_id(ret->message_id, hash));
}

struct skipping {
    struct crypto_sha256 *hash;
    uint64_t skip;
};

static bool on_body(void *ud, struct str piece)
{
    struct skipping *s = ud;
    size_t skip = s->skip < piece.n ? (size_t)s->skip : piece.n;
    s->skip -= skip;
    crypto_sha256_add(s->hash, str_skip(piece, skip));
    return true;
}

struct str message_attempt(const struct blob *message, struct arena *arena)
{
    static const char *const fields[] = {"To", "Cc", "Bcc"};
    struct str header = message_header(message, arena), value;
    struct str id = message_id_of(header, arena);
    struct skipping s = {crypto_sha256_new(), header.n};
    struct crypto_hash hash;
    crypto_sha256_add(s.hash, id);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        crypto_sha256_add(s.hash, str_of("", 1)); /* a NUL keeps them apart */
        if (header_find(header, fields[i], &value))
            crypto_sha256_add(s.hash, str_trim(header_unfold(arena, value)));
    }
    crypto_sha256_add(s.hash, str_of("", 1));
    bool whole = blob_each(message, on_body, &s, NULL);
    crypto_sha256_done(&s.hash, &hash);
    return whole && id.n ? arena_str(arena, str_of(hash.b, sizeof(hash.b))) : STR("");
}
