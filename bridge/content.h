/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CONTENT_H
#define BRIDGE_CONTENT_H
/*
 * Header blocks and complete messages: from the cache at once, or from the server in batches.
 *
 * The first complete MIME fetched for a message is the message for ever (Exchange makes MIME anew at each fetch): body,
 * structure and exact size come from those bytes. Before it is here a header block may be known by itself: `exact` is
 * false then, and structural fields in it (Content-*) may differ from the later message.
 *
 * A session walks its messages in order: what content_header()/content_message() have, it writes at once; for the first
 * one that is missing it calls content_get() with all that it will want next and goes on in the callback. Requests in
 * flight are shared by all sessions; a message asked for alone is fetched together with its uncached neighbours.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/formats/mime.h"
#include "bridge/io/blob.h"
#include "bridge/mailbox.h"

enum content_need { CONTENT_HEADER, CONTENT_MESSAGE };

/* --- from the cache, synchronous: false or NULL means "not here" ------------------------------ */

bool content_has(struct mailbox *m, const struct message *msg, enum content_need need);
/* The header block with its empty line. Lives in the arena. */
bool content_header(struct mailbox *m, const struct message *msg, struct arena *arena, struct str *ret_header,
                    bool *ret_exact);
/* The complete message; the caller unrefs. */
struct blob *content_message(struct mailbox *m, const struct message *msg);
/* The structure of the complete message. */
bool content_structure(struct mailbox *m, const struct message *msg, struct arena *arena, struct mime_part **ret_root);

/* What a protocol rendered from header or structure and wants to find again next time (ENVELOPE, BODYSTRUCTURE, ...).
 * The core does not look inside. Thrown away when the complete message replaces an inexact header. */
enum content_rendering {
    CONTENT_R_ENVELOPE,
    CONTENT_R_BODYSTRUCTURE,
    CONTENT_R_BODY,
    CONTENT_R_PREVIEW,
    CONTENT_R_SEARCH,
    CONTENT_R_MAX
};
bool content_rendering(struct mailbox *m, const struct message *msg, enum content_rendering which, struct arena *arena,
                       struct str *ret_bytes);
void content_keep_rendering(struct mailbox *m, const struct message *msg, enum content_rendering which,
                            struct str bytes);

/* --- from the server -------------------------------------------------------------------------- */

/* What came for the first of the UIDs asked. err ERR_NONE: header (CONTENT_HEADER) or message is set; valid during the
 * callback (blob_ref to keep), and normally in the cache too (not when the disk is full). ERR_NOT_FOUND: gone from the
 * server. */
struct content {
    struct err err;
    bool unreadable; /* the server answers, and cannot give this very message */
    uint32_t uid;
    struct blob *header; /* may be NULL when message is set */
    struct blob *message;
};
typedef void content_cb(void *ud, const struct content *content);

/* Calls back once uids[0] is here or has failed, never from inside. The others (up to CONTENT_AHEAD) are fetched too,
 * in as few and as parallel requests as the backend likes; with count 1 its uncached neighbours are. Cancel when the
 * session dies. */
#define CONTENT_AHEAD 256
struct content_get;
struct content_get *content_get(struct mailbox *m, const uint32_t *uids, size_t count, enum content_need need,
                                content_cb *cb, void *ud);
void content_get_cancel(struct content_get **g);

#endif
