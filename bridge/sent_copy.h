/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SENT_COPY_H
#define BRIDGE_SENT_COPY_H
/*
 * One copy of what was sent. The server files one in Sent when it sends; clients append one of their own, after the
 * sending (change_append() answers with the server's), or before it, or when the server's is late: then the client's,
 * whose UID it knows, is kept, and the server's is removed when it comes, at most a day later. For the core only.
 */
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/str.h"

const struct folder *sent_copy_folder(const struct account *a); /* NULL: the server names none */
/* This item is the one to keep. Durable; a failure is logged. */
void sent_copy_keep(struct account *a, int64_t folder_pk, int64_t item_pk, struct str message_id_hash);
/* A message is about to be sent: if the client has put its copy into Sent already, that is the one to keep. */
void sent_copy_before_sending(struct account *a, struct str message_id_hash);
/* A sync has brought something, or the account was opened. */
void sent_copy_look(struct account *a);

#endif
