/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_upload.h"

#include <string.h>

#include "bridge/base/buf.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"

#define PIECE (48 * 1024) /* of the message at a time; a multiple of 3 */

struct ews_upload {
    char *xml;
    size_t before, after; /* bytes of XML before the mark and after it */
    size_t after_at;
    struct blob *mime;
    uint64_t base64_size, at; /* at: into the whole body */
    struct buf piece;         /* base64 of one piece of the message ... */
    uint64_t piece_at;        /* ... and where it begins in the base64 */
};

struct ews_upload *ews_upload_new(struct str xml, struct blob *mime)
{
    struct ews_upload *u = MEM_NEW(struct ews_upload);
    size_t mark = str_find(xml, STR(EWS_UPLOAD_MARK));
    u->xml = mem_dup(xml.p, xml.n);
    u->before = mark == (size_t)-1 ? xml.n : mark;
    u->after_at = mark == (size_t)-1 ? xml.n : mark + strlen(EWS_UPLOAD_MARK);
    u->after = xml.n - u->after_at;
    u->mime = blob_ref(mime);
    u->base64_size = mark == (size_t)-1 ? 0 : TEXT_BASE64_SIZE(blob_size(mime));
    u->piece_at = UINT64_MAX;
    return u;
}

void ews_upload_free(struct ews_upload **u)
{
    if (!*u)
        return;
    blob_unref(&(*u)->mime);
    buf_done(&(*u)->piece);
    mem_free((*u)->xml);
    mem_free(*u);
    *u = NULL;
}

/* The base64 of the piece that holds this offset. */
static bool load_piece(struct ews_upload *u, uint64_t offset)
{
    uint64_t index = offset / TEXT_BASE64_SIZE(PIECE), from = index * PIECE;
    if (u->piece_at == index * TEXT_BASE64_SIZE(PIECE))
        return true;
    uint64_t left = blob_size(u->mime) - from;
    size_t n = left < PIECE ? (size_t)left : PIECE;
    char *raw = mem_alloc(n);
    buf_reset(&u->piece);
    bool ok = blob_read(u->mime, from, raw, n, NULL) && text_base64_add(&u->piece, str_of(raw, n));
    mem_free(raw);
    u->piece_at = ok ? index * TEXT_BASE64_SIZE(PIECE) : UINT64_MAX;
    return ok;
}

static size_t copy(char *to, size_t room, const char *from, uint64_t left)
{
    size_t n = left < room ? (size_t)left : room;
    memcpy(to, from, n);
    return n;
}

/* 0 before the end: the disk failed; the request then ends short and is refused. */
static size_t on_read(void *ud, char *to, size_t room)
{
    struct ews_upload *u = ud;
    uint64_t base64_end = u->before + u->base64_size;
    size_t n = 0;
    if (u->at < u->before) {
        n = copy(to, room, u->xml + u->at, u->before - u->at);
    } else if (u->at < base64_end) {
        uint64_t offset = u->at - u->before;
        if (load_piece(u, offset))
            n = copy(to, room, u->piece.p + (offset - u->piece_at), u->piece.n - (offset - u->piece_at));
    } else if (u->at < base64_end + u->after) {
        n = copy(to, room, u->xml + u->after_at + (u->at - base64_end), base64_end + u->after - u->at);
    }
    u->at += n;
    return n;
}

static bool on_rewind(void *ud)
{
    ((struct ews_upload *)ud)->at = 0;
    return true;
}

void ews_upload_attach(struct ews_upload *u, struct http_request_opts *opts)
{
    opts->body_size = u->before + u->base64_size + u->after;
    opts->read = on_read;
    opts->rewind = on_rewind;
    opts->body_ud = u;
}
