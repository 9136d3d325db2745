/* SPDX-License-Identifier: Apache-2.0 */
/* The synchronous half of content.h: what the cache has. */
#include "bridge/content.h"

#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/content_engine.h"

static struct cache *cache_of(struct mailbox *m)
{
    return mailbox_account(m)->cache;
}

bool content_has(struct mailbox *m, const struct message *msg, enum content_need need)
{
    if (need == CONTENT_MESSAGE)
        return cache_has_message(cache_of(m), msg->pk);
    return cache_header(cache_of(m), msg->pk, NULL, NULL) != CACHE_NO_HEADER;
}

bool content_header(struct mailbox *m, const struct message *msg, struct arena *arena, struct str *ret_header,
                    bool *ret_exact)
{
    enum cache_header_state state = cache_header(cache_of(m), msg->pk, arena, ret_header);
    *ret_exact = state == CACHE_HEADER_EXACT;
    return state != CACHE_NO_HEADER;
}

struct blob *content_message(struct mailbox *m, const struct message *msg)
{
    return cache_message(cache_of(m), msg->pk);
}

bool content_structure(struct mailbox *m, const struct message *msg, struct arena *arena, struct mime_part **ret_root)
{
    struct str packed;
    return cache_structure(cache_of(m), msg->pk, arena, &packed) && mime_unpack(arena, packed, ret_root);
}

_Static_assert((int)CONTENT_R_MAX <= CACHE_RENDERINGS, "the cache has room for every rendering");

bool content_rendering(struct mailbox *m, const struct message *msg, enum content_rendering which, struct arena *arena,
                       struct str *ret_bytes)
{
    return cache_rendering(cache_of(m), msg->pk, which, arena, ret_bytes);
}

void content_keep_rendering(struct mailbox *m, const struct message *msg, enum content_rendering which,
                            struct str bytes)
{
    cache_put_rendering(cache_of(m), msg->pk, which, bytes);
}

/* --- putting away ----------------------------------------------------------------------------- */

static bool read_range(const struct blob *b, uint64_t n, struct buf *out, struct err *err)
{
    char *room = n <= MIME_MAX_ALL_HEADER_BYTES ? buf_room(out, (size_t)n) : NULL;
    if (!room)
        return err_set(err, ERR_TOO_BIG, "header of %llu bytes", (unsigned long long)n);
    if (n && !blob_read(b, 0, room, (size_t)n, err))
        return false;
    out->n += (size_t)n;
    return true;
}

void content_take_header(struct account *a, int64_t item_pk, struct blob *header)
{
    struct err err = {0};
    struct buf bytes = {0};
    if (cache_header(a->cache, item_pk, NULL, NULL) == CACHE_NO_HEADER &&
        (!read_range(header, blob_size(header), &bytes, &err) ||
         !cache_put_header(a->cache, item_pk, buf_view(&bytes), false, &err)))
        cache_failed(a->cache, &err);
    buf_done(&bytes);
}

static bool on_piece(void *ud, struct str piece)
{
    mime_parser_feed(ud, piece);
    return true;
}

void content_take_message(struct account *a, int64_t folder_pk, int64_t item_pk, struct blob *message)
{
    struct arena arena = {0};
    struct err err = {0};
    struct buf header = {0}, packed = {0};
    if (cache_has_message(a->cache, item_pk))
        return; /* the first one is the message for ever */
    struct mime_parser *parser = mime_parser_new(&arena, NULL);
    bool ok = blob_each(message, on_piece, parser, &err);
    struct mime_part *root = mime_parser_finish(parser);
    mime_parser_free(parser);
    mime_pack(root, &packed);
    ok = ok && read_range(message, root->body_at, &header, &err) &&
         cache_put_message(a->cache, item_pk, message, buf_view(&header), buf_view(&packed), &err);
    if (ok)
        content_size_known(a->content, folder_pk, item_pk, blob_size(message));
    else
        cache_failed(a->cache, &err);
    buf_done(&header);
    buf_done(&packed);
    arena_done(&arena);
}
