/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_SOURCE_H
#define PROTOCOLS_IMAP_IMAP_SOURCE_H
/*
 * The content of one message after the other, for FETCH and SEARCH: from the cache, or what a content_get() just
 * brought (which normally is the same; but the disk may be full).
 *
 *     imap_source_init; for each message: imap_source_set, imap_source_header / _message / ... : false = not here:
 *     imap_source_ask, and in its callback imap_source_took, then imap_source_set again; at last imap_source_done
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/content.h"
#include "protocols/imap/imap_digest.h"
#include "protocols/imap/imap_render.h"
#include "protocols/imap/imap_session.h"

struct imap_source {
    struct imap_session *s;
    const struct message *m;
    uint32_t uid;
    struct arena arena; /* what the functions below return lives here, until the next but some imap_source_set() */
    struct buf tmp;     /* for whoever needs working memory */
    struct err err;     /* the last thing that went wrong */
    /* of this message, once asked for */
    struct str header;
    bool has_header, header_exact, has_digest;
    struct blob *message;
    struct mime_part *root;
    struct imap_digest digest;
    struct imap_reader reader;
    /* from the server */
    struct content_get *get;
    struct blob *given_header, *given_message;
    uint32_t given_uid, asked_uid;
    enum content_need asked_need;
};

void imap_source_init(struct imap_source *src, struct imap_session *s);
void imap_source_done(struct imap_source *src); /* cancels, too */
/* Go to a message (NULL: to none). The same one again, after a turn of the loop: what was loaded stays. */
void imap_source_set(struct imap_source *src, const struct message *m);
bool imap_source_header(struct imap_source *src);
/* The header of the very message that its text will come from (bridge/content.h: exact). */
bool imap_source_exact_header(struct imap_source *src);
bool imap_source_message(struct imap_source *src);
bool imap_source_structure(struct imap_source *src);
bool imap_source_digest(struct imap_source *src);
/* Bytes [at, end) of the message, which is here. */
bool imap_source_read(struct imap_source *src, uint64_t at, uint64_t end, struct str *ret_bytes);

/* uids[0] is the message at hand. False: it was asked for already and is still not there (err is set). */
bool imap_source_ask(struct imap_source *src, const uint32_t *uids, size_t n, enum content_need need, content_cb *cb);
/* First thing in the callback. */
void imap_source_took(struct imap_source *src, const struct content *content);

#endif
