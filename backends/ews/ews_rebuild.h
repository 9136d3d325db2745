/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_REBUILD_H
#define EWS_REBUILD_H
/*
 * A message out of its properties, for an item whose MIME the server cannot give: GetItem for header fields, body and
 * the list of attachments, then GetAttachment for each, one after the other. Attachments pass through and are never
 * held.
 */
#include "backends/ews/ews_backend.h"

struct ews_rebuild;

/* on_done: content is a finished blob (borrowed), or NULL with err saying why (backend.h: struct fetched). Comes once,
 * or never after ews_rebuild_abort(). */
struct ews_rebuild *ews_rebuild_start(struct ews *e, struct str id,
                                      void (*on_done)(void *ud, struct blob *content, const struct err *err), void *ud);
void ews_rebuild_abort(struct ews_rebuild **r);

#endif
