/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_MESSAGE_ID_H
#define BRIDGE_MESSAGE_ID_H
/* Recognising a message we hold as bytes: by its Message-ID, the way the store does. */
#include "bridge/base/arena.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"
#include "bridge/io/crypto.h"

struct message_identity {
    struct str message_id;      /* without <>; empty: the message has none */
    struct str subject;         /* decoded */
    struct str message_id_hash; /* as the store has it; empty without one */
};
/* Strings in the arena. Reads the header block only. */
void message_identity(const struct blob *message, struct arena *arena, struct message_identity *ret);
/* The header block with its empty line, up to a megabyte of it; in the arena. */
struct str message_header(const struct blob *message, struct arena *arena);
struct crypto_hash blob_hash(const struct blob *b);
/* A hash of what a client's second attempt leaves as it was, although it may stamp a new Date or add fields of its own:
 * Message-ID, recipients, body. Empty without a Message-ID. */
struct str message_attempt(const struct blob *message, struct arena *arena);

#endif
