/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_source.h"

#define ARENA_KEEP (256 * 1024) /* memory of several messages is freed together: it is cheaper */

static bool read_some(void *ud, uint64_t at, size_t n, struct buf *out)
{
    struct imap_source *src = ud;
    char *to = buf_room(out, n);
    if (!to || !blob_read(src->message, at, to, n, &src->err))
        return false;
    out->n += n;
    return true;
}

void imap_source_init(struct imap_source *src, struct imap_session *s)
{
    *src = (struct imap_source){.s = s};
    buf_init(&src->tmp, 0);
    src->reader = (struct imap_reader){src, read_some};
}

static void forget_message(struct imap_source *src)
{
    blob_unref(&src->message);
    src->root = NULL;
    src->has_header = src->has_digest = false;
    src->header = STR_NULL;
}

void imap_source_done(struct imap_source *src)
{
    content_get_cancel(&src->get);
    forget_message(src);
    blob_unref(&src->given_header);
    blob_unref(&src->given_message);
    arena_done(&src->arena);
    buf_done(&src->tmp);
}

void imap_source_set(struct imap_source *src, const struct message *m)
{
    src->m = m;
    if (m && m->uid == src->uid)
        return;
    src->uid = m ? m->uid : 0;
    forget_message(src);
    if (src->arena.total > ARENA_KEEP)
        arena_done(&src->arena);
}

bool imap_source_read(struct imap_source *src, uint64_t at, uint64_t end, struct str *ret_bytes)
{
    char *p = arena_alloc(&src->arena, (size_t)(end - at) + 1);
    if (!blob_read(src->message, at, p, (size_t)(end - at), &src->err))
        return false;
    *ret_bytes = (struct str){p, (size_t)(end - at)};
    return true;
}

bool imap_source_message(struct imap_source *src)
{
    if (!src->message && src->given_message && src->given_uid == src->uid)
        src->message = blob_ref(src->given_message);
    if (!src->message)
        src->message = content_message(src->s->mailbox, src->m);
    return src->message;
}

static bool feed_parser(void *ud, struct str piece)
{
    mime_parser_feed(ud, piece);
    return true;
}

bool imap_source_structure(struct imap_source *src)
{
    if (src->root || content_structure(src->s->mailbox, src->m, &src->arena, &src->root))
        return true;
    if (!imap_source_message(src))
        return false;
    struct mime_parser *parser = mime_parser_new(&src->arena, NULL);
    bool ok = blob_each(src->message, feed_parser, parser, &src->err);
    struct mime_part *root = mime_parser_finish(parser);
    mime_parser_free(parser);
    if (ok)
        src->root = root;
    return ok;
}

static bool header_of_blob(struct imap_source *src, const struct blob *blob)
{
    size_t n = (size_t)blob_size(blob);
    char *p = arena_alloc(&src->arena, n + 1);
    src->header = (struct str){p, n};
    return blob_read(blob, 0, p, n, &src->err);
}

static bool header_of_message(struct imap_source *src)
{
    if (!imap_source_message(src) || !imap_source_structure(src))
        return false;
    src->has_header = src->header_exact = imap_source_read(src, 0, src->root->body_at, &src->header);
    return src->has_header;
}

bool imap_source_header(struct imap_source *src)
{
    if (src->has_header)
        return true;
    src->header_exact = false;
    if (content_header(src->s->mailbox, src->m, &src->arena, &src->header, &src->header_exact))
        src->has_header = true;
    else if (src->given_header && src->given_uid == src->uid)
        src->has_header = header_of_blob(src, src->given_header);
    else
        header_of_message(src);
    return src->has_header;
}

bool imap_source_exact_header(struct imap_source *src)
{
    return (imap_source_header(src) && src->header_exact) || header_of_message(src);
}

bool imap_source_digest(struct imap_source *src)
{
    struct mailbox *mailbox = src->s->mailbox;
    struct str packed;
    if (src->has_digest)
        return true;
    if (content_rendering(mailbox, src->m, CONTENT_R_SEARCH, &src->arena, &packed) &&
        imap_digest_read(packed, &src->digest))
        return src->has_digest = true;
    if (!imap_source_header(src))
        return false;
    buf_reset(&src->tmp);
    imap_digest_make(&src->tmp, imap_server_of(src->s)->charsets, src->header);
    packed = arena_str(&src->arena, buf_view(&src->tmp));
    content_keep_rendering(mailbox, src->m, CONTENT_R_SEARCH, packed);
    return src->has_digest = imap_digest_read(packed, &src->digest);
}

bool imap_source_ask(struct imap_source *src, const uint32_t *uids, size_t n, enum content_need need, content_cb *cb)
{
    if (src->asked_uid == uids[0] && src->asked_need >= need)
        return err_set(&src->err, ERR_INTERNAL, "a message was fetched and is still not there");
    src->asked_uid = uids[0];
    src->asked_need = need;
    client_flush(&src->s->client);
    src->get = content_get(src->s->mailbox, uids, n, need, cb, src->s);
    return true;
}

void imap_source_took(struct imap_source *src, const struct content *content)
{
    src->get = NULL;
    if (content->err.code != ERR_NONE) {
        src->err = content->err;
        return;
    }
    blob_unref(&src->given_header);
    blob_unref(&src->given_message);
    src->given_header = blob_ref(content->header);
    src->given_message = blob_ref(content->message);
    src->given_uid = content->uid;
    if (content->message && content->uid == src->uid) /* a header that was known by itself may differ from this one */
        src->has_header = src->has_digest = false;
}
