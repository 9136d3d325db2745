/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_COLLECTION_H
#define BACKENDS_EAS_COLLECTION_H
/* What every Sync request for a folder has in common, whether it fetches or changes (MS-ASCMD 2.2.1.21). */
#include "backends/eas/eas_wbxml.h"
#include "bridge/backend.h"

#define EAS_TRUNCATION 20480 /* bytes of MIME asked for in a Sync: MIMETruncation 5 */

/* Sync's own statuses, of the collection and of its items (MS-ASCMD 2.2.3.177.17). */
enum eas_sync_status {
    EAS_SYNC_OK = 1,
    EAS_SYNC_KEY = 3, /* SyncKey invalid */
    EAS_SYNC_PROTOCOL = 4,
    EAS_SYNC_SERVER = 5,
    EAS_SYNC_INVALID = 6,  /* the item */
    EAS_SYNC_CONFLICT = 7, /* the server's copy won */
    EAS_SYNC_GONE = 8,
    EAS_SYNC_QUOTA = 9,
    EAS_SYNC_HIERARCHY = 12,
    EAS_SYNC_INCOMPLETE = 13,
    EAS_SYNC_RETRY = 16
};

/* Are its items messages? Else they are events or tasks. */
static inline bool eas_is_mail(enum folder_kind kind)
{
    return kind != FOLDER_CALENDAR && kind != FOLDER_TASKS;
}
/* Up to CollectionId; what follows must keep the order DeletesAsMoves, GetChanges, WindowSize, Options, Commands. */
void eas_collection_open(struct eas_writer *w, struct str key, struct str folder_id);
/* A block of options replaces the one before, on the server and for good: it is always the whole one. `filter`:
 * eas_filter() of the kind. Descriptions of events and tasks come as plain text. */
void eas_collection_options(struct eas_writer *w, enum folder_kind kind, unsigned filter);
/* Email:Flag of an item: raised or not; `since`: with dates from then on, TIME_NONE: without. */
void eas_write_flag(struct eas_writer *w, bool set, int64_t since_ms);
void eas_collection_close(struct eas_writer *w);

#endif
