/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CACHE_H
#define BRIDGE_CACHE_H
/*
 * What can be fetched again: header blocks, structures, complete messages, renderings. One directory an account;
 * anybody may delete it at any time, while we run too: then everything is simply "not here". Small things are rows of
 * cache.db (SQLite, synchronous = NORMAL), messages are files messages/XX/PK, written to a temporary name and renamed;
 * length and checksum are verified before a byte is served. Names are numbers of ours, never a server's or a client's
 * string.
 *
 * With a key everything is sealed (AES-256-GCM, labelled with what it is and whose), rows and files alike.
 * Items are named by the store's pk.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"
#include "bridge/io/loop.h"

struct cache;

/* epoch: of state.db; a cache of another epoch is emptied (pks mean something else). key: 32 bytes or NULL. limit:
 * bytes of messages kept, 0 = no limit; the least recently used go first. A damaged cache.db is deleted and begun anew,
 * whenever that is found.
 */
struct cache *cache_open(struct loop *loop, const char *dir, const char *epoch, const unsigned char *key,
                         uint64_t limit, struct err *err);
void cache_close(struct cache **c);
const char *cache_tmp_dir(const struct cache *c); /* for blobs on their way in */

enum cache_header_state { CACHE_NO_HEADER, CACHE_HEADER_INEXACT, CACHE_HEADER_EXACT };
/* NULL out: only ask. */
enum cache_header_state cache_header(struct cache *c, int64_t pk, struct arena *arena, struct str *ret_header);
bool cache_put_header(struct cache *c, int64_t pk, struct str header, bool exact, struct err *err);

bool cache_has_message(struct cache *c, int64_t pk);
bool cache_message_size(struct cache *c, int64_t pk, uint64_t *ret_size);
/* NULL: not here (or damaged: then it is forgotten). */
struct blob *cache_message(struct cache *c, int64_t pk);
/* The complete message with its header and packed structure; renderings made from an inexact header go. Does nothing
 * when a message is there already: the first one is the message for ever. */
bool cache_put_message(struct cache *c, int64_t pk, const struct blob *message, struct str header, struct str structure,
                       struct err *err);
bool cache_structure(struct cache *c, int64_t pk, struct arena *arena, struct str *ret_packed);

#define CACHE_RENDERINGS 8
/* NULL out: only ask. */
bool cache_rendering(struct cache *c, int64_t pk, unsigned which, struct arena *arena, struct str *ret_bytes);
void cache_put_rendering(struct cache *c, int64_t pk, unsigned which, struct str bytes);

/* What is kept elsewhere of this account (state.db: extra, owed) is sealed the same way where the cache is: with the
 * account's key, labelled; else it is copied as it is. cache_unseal() false: not ours, or damaged. */
void cache_seal(const struct cache *c, struct str label, struct str plain, struct buf *out);
bool cache_unseal(const struct cache *c, struct str label, struct str stored, struct buf *out);

void cache_drop(struct cache *c, int64_t pk);
uint64_t cache_bytes(const struct cache *c); /* of messages */
/* Something could not be kept. Callers of cache_put_*() report what those gave them; a full disk is logged when it
 * begins and when it is over. */
void cache_failed(struct cache *c, const struct err *err);
const struct err *cache_trouble(const struct cache *c); /* code ERR_NONE: none */
/* Overwrite nothing, delete everything: remote wipe. The cache is unusable after it. */
void cache_destroy(struct cache *c);

#endif
