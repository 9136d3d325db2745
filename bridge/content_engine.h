/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CONTENT_ENGINE_H
#define BRIDGE_CONTENT_ENGINE_H
/* The account's side of content.h: what fetches, and where content that came along with a sync page is put away. */
#include "bridge/content.h"

struct content_engine;

struct content_engine *content_engine_new(struct account *a);
void content_engine_stop(struct content_engine *e); /* as sync_stop() */
void content_engine_free(struct content_engine **e);
/* Put away what a sync page or a fetch brought for an item: header block or complete message. Errors are logged (a full
 * disk costs the cache, not the mail). folder_pk tells which loaded mailbox learns the exact size. */
void content_take_header(struct account *a, int64_t item_pk, struct blob *header);
void content_take_message(struct account *a, int64_t folder_pk, int64_t item_pk, struct blob *message);
/* The exact size of an item, which is written down with others of its kind: soon, and before a client is told
 * (mailbox_tell_sizes). Each by itself would cost a write to the disk that somebody waits for. */
void content_size_known(struct content_engine *e, int64_t folder_pk, int64_t item_pk, uint64_t size);
void content_flush_sizes(struct content_engine *e);
/* A folder has become clean: prefetch what the configuration wants. */
void content_prefetch(struct content_engine *e, int64_t folder_pk);

#endif
