/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_RECORD_H
#define BACKENDS_EAS_RECORD_H
/*
 * What became of a folder's SyncKey since the sync state that the core has committed, because changes of ours went out
 * meanwhile: kept durably, one record a folder.
 *
 * A batch of commands is written down before it goes out (`wire`), with the bytes of the request: after a lost answer
 * or a crash it is sent again unchanged with the SyncKey it had, and the server, which knows that key, tells the
 * outcome again instead of doing it twice (MS-ASCMD 3.1.5.2). When it is answered the record leads from the core's sync
 * state to the new SyncKey, and what the batch did is told to the core with the next page: servers do not repeat to us
 * what we did, and the core may have died before it heard. The record is over when the core comes with a newer sync
 * state.
 */
#include <stdbool.h>
#include <stddef.h>

#include "backends/eas/eas_sync_read.h"
#include "bridge/base/arena.h"
#include "bridge/base/err.h"

#define EAS_RECORD_MAX ((size_t)1 << 20) /* bytes of one */

struct eas_backend;

struct eas_record {
    struct str from;    /* the core's sync state: a whole cursor */
    struct str key;     /* the SyncKey to go on with; `wire`: the one the batch was sent with */
    bool wire;          /* no answer yet */
    struct str request; /* the batch: a whole WBXML document; empty: none, or an Add of a message */
    size_t *failed;     /* positions in `request` of commands that were refused, ascending */
    size_t failed_count;
    struct str client_id, added_id; /* an Add: its ClientId; what became of it, or empty */
    unsigned added_flags;           /* of a message (which is not kept), enum item_flag */
    /* Calendars and task lists: `request` is one command on one item, an Add as well. What changed is not read from it
     * but named, because servers make of events what they like: the core gets these items fetched anew. */
    bool event;
    struct eas_touched *touched; /* since `from`, each once; the last one is that of `request` */
    size_t touched_count;
};
struct eas_touched {
    struct str id;
    bool gone;
};

/* Of items whose change the core has not heard of: forget, add or correct one. At most EAS_BATCH_MAX: then the oldest
 * goes, whose outcome was found out long before. */
void eas_record_touch(struct eas_record *r, struct str id, bool gone, struct arena *arena);
void eas_record_forget(struct eas_record *r, struct str id);

void eas_record_write(const struct eas_record *r, struct buf *out);
/* Strings in the arena. False: not a record. */
bool eas_record_read(struct eas_record *r, struct str bytes, struct arena *arena);
/* What the answered batch did, as the server would have told it; count 0 while it is not answered. In the arena. */
struct item_info *eas_record_effects(const struct eas_record *r, unsigned version, struct arena *arena,
                                     size_t *ret_count);

/* --- in the account's persistent storage --- */
/* The folder's record, if it begins at this sync state; one that begins elsewhere is over, and is deleted. */
bool eas_record_load(struct eas_backend *b, struct str folder_id, struct str cursor, struct arena *arena,
                     struct eas_record *ret);
bool eas_record_save(struct eas_backend *b, struct str folder_id, const struct eas_record *r, struct err *err);
void eas_record_drop(struct eas_backend *b, struct str folder_id);

/* What became of the last Adds, of drafts and events, by their ClientId: an attempt that is repeated when the record is
 * over long since finds the item that it made. */
#define EAS_MADE_MAX 32
void eas_made_note(struct eas_backend *b, struct str client_id, struct str id);
struct str eas_made_find(struct eas_backend *b, struct str client_id, struct arena *arena); /* empty: not known */

#endif
