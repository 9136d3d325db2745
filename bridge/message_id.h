/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_MESSAGE_ID_H
#define BRIDGE_MESSAGE_ID_H
/* Recognising a message we hold as bytes: by Message-ID and subject, the way store.h recognises what a server lists. */
#include "bridge/base/arena.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"
#include "bridge/io/crypto.h"

struct message_identity {
    struct str message_id;      /* without <>; empty: the message has none */
    struct str subject;         /* decoded */
    struct str message_id_hash; /* of message_id; empty without one */
    struct str identity;        /* store_identity() of the two */
};
/* Strings in the arena. Reads the header block only. */
void message_identity(const struct blob *message, struct arena *arena, struct message_identity *ret);
struct crypto_hash blob_hash(const struct blob *b);

#endif
