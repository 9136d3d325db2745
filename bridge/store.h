/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_STORE_H
#define BRIDGE_STORE_H
/*
 * What an account must never lose: state.db (SQLite, WAL, synchronous = FULL). Folders, items, UIDs, UIDVALIDITY,
 * MODSEQ, sync state, the backend's small state. The only file that includes sqlite3.h besides cache.c.
 *
 * Every function is one transaction: it is durable when it returns true, and has changed nothing when it returns false
 * (ERR_DISK: full or failing; the store stays usable). UIDs are announced only from what was read back after the
 * commit.
 *
 * UIDVALIDITY only grows, also when state.db is lost or the clock goes back: the highest one given is mirrored in the
 * file `uidvalidity` beside state.db, written and fsynced before the folder row is committed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/backend.h"
#include "bridge/base/arena.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

struct store;

/* A damaged state.db is moved aside (state.db.damaged-TIME) and begun anew; *ret_rebuilt says so. Holds a lock on the
 * directory: a second process gets ERR_EXISTS. */
struct store *store_open(const char *dir, bool *ret_rebuilt, struct err *err);
void store_close(struct store **s);
/* Remote wipe: delete state.db and what belongs to it (not the `uidvalidity` mirror, not the lock). The store is
 * unusable after it, but for store_close(). */
void store_destroy(struct store *s);
void store_remove_files(const char *dir);       /* the same for a directory that is not open */
const char *store_epoch(const struct store *s); /* 8 hex digits, new with each new state.db */

bool store_persist_put(struct store *s, struct str key, struct str value, struct err *err);
bool store_persist_get(struct store *s, struct str key, struct buf *out);

/* --- folders ---------------------------------------------------------------------------------- */

struct store_folder {
    int64_t pk;
    struct str server_id, parent_id, name, label;
    enum folder_kind kind;
    enum folder_use use;
    bool hidden;
    uint32_t uidvalidity;
    bool synced, shown, resync;
};
/* All folders of the account, in pk order; strings in the arena. */
bool store_folders(struct store *s, struct arena *arena, struct store_folder **ret_list, size_t *ret_count,
                   struct err *err);
/* One hierarchy page together with its cursor. full: what is not in the list is gone (its items too). */
bool store_apply_folders(struct store *s, const struct folder_info *list, size_t count, bool full, struct str cursor,
                         struct err *err);
bool store_hierarchy_cursor(struct store *s, struct buf *out);
/* Forget the hierarchy cursor (not the folders): the next listing is complete. */
bool store_forget_hierarchy(struct store *s, struct err *err);

bool store_subscribe(struct store *s, struct str name, bool subscribed, struct err *err);
/* Names explicitly subscribed (`subscribed` true) or unsubscribed. */
bool store_subscriptions(struct store *s, bool subscribed, struct arena *arena, struct str **ret_names,
                         size_t *ret_count, struct err *err);

/* --- items ------------------------------------------------------------------------------------ */

struct store_event; /* bridge/store_calendar.h */
struct store_page {
    const struct item_info *items;
    size_t count;
    struct str cursor;
    bool more;
    const struct store_event *events; /* calendars, tasks: one for each item; NULL for mail */
};
struct store_applied {
    unsigned added, changed, gone, strange; /* strange: partial changes of unknown items, left alone */
    bool shown;                             /* UIDs were given or taken away: sessions have something to see */
};
/* The sync state to continue from; empty = from the start. */
bool store_cursor(struct store *s, int64_t folder_pk, struct buf *out);
/* The same by server id; false as well while the folder is being collected anew: old ids may mean other items then. */
bool store_cursor_by_id(struct store *s, struct str server_id, struct buf *out);
/* Apply a page and its cursor. New items get UIDs at once when the folder is shown already, else when the last page
 * (!more) is in, in received order. A resync takes over at its last page (see store_resync). `announce`: give UIDs now
 * even though pages are missing (a client has waited long enough); from then on the folder counts as shown. */
bool store_apply_page(struct store *s, int64_t folder_pk, const struct store_page *page, bool announce,
                      struct store_applied *ret_applied, struct err *err);
/* Have UIDs been given, so that a client may have seen the folder? */
bool store_is_shown(struct store *s, int64_t folder_pk);
/* UIDs for what is there, without a page. */
bool store_announce(struct store *s, int64_t folder_pk, struct err *err);
/* A page is about to be asked for. Items that store_moved() and store_created() put into the folder before this call
 * and that the pages up to the last one do not mention are gone then. */
bool store_sync_begins(struct store *s, int64_t folder_pk, struct err *err);
/* The server's page does mention this one, which is left out of it because all of it is known. */
bool store_sync_told(struct store *s, int64_t folder_pk, struct str server_id, struct err *err);
/* The sync state is invalid: collect the folder again beside the old list, which is served until the last page is in.
 * Then old and new are matched: by server id (where identity and date agree), then by identity, date and size where
 * that is unique on both sides; matched items keep UID and content, the others get new UIDs or vanish. */
bool store_resync(struct store *s, int64_t folder_pk, struct err *err);
/* Items known of a folder, UIDs or not: for progress. */
uint32_t store_item_count(struct store *s, int64_t folder_pk);
/* An item turned out to be gone from the server, under this id: one that was moved or got another id meanwhile is not.
 */
bool store_item_gone(struct store *s, int64_t folder_pk, int64_t item_pk, struct str server_id, struct err *err);

struct store_row { /* one announced message */
    int64_t pk;
    uint32_t uid;
    uint64_t modseq;
    unsigned flags;
    struct str categories; /* each followed by LF; valid during the callback */
    int64_t received_ms;
    uint32_t saved_s;
    uint32_t size;
    int size_state;
};
typedef void store_row_cb(void *ud, const struct store_row *row);
/* Messages changed after `modseq` (0 = all), in UID order. */
bool store_rows(struct store *s, int64_t folder_pk, uint64_t modseq, store_row_cb *cb, void *ud, struct err *err);
/* Vanished UIDs after `modseq`, ascending; *ret_complete: the log reaches back that far. */
bool store_expunged(struct store *s, int64_t folder_pk, uint64_t modseq, struct arena *arena, uint32_t **ret_uids,
                    size_t *ret_count, bool *ret_complete, struct err *err);

struct store_counts {
    uint32_t messages, unseen, deleted, recent, uidnext, uidvalidity;
    uint64_t modseq, size, deleted_size;
    uint32_t recent_from;
};
bool store_counts(struct store *s, int64_t folder_pk, struct store_counts *ret, struct err *err);
/* Everything below this UID has been announced as \Recent. */
bool store_recent_taken(struct store *s, int64_t folder_pk, uint32_t up_to, struct err *err);

/* The server id of an item; false: gone. */
bool store_item_id(struct store *s, int64_t item_pk, struct arena *arena, struct str *ret_id, uint64_t *ret_estimate);
uint32_t store_item_uid(struct store *s, int64_t item_pk); /* 0: none yet, or gone */
bool store_sizes_told(struct store *s, int64_t folder_pk, const uint32_t *uids, size_t count, struct err *err);
/* Complete messages are here: their lengths, except where another figure has been told already. */
struct item_size {
    int64_t folder_pk, item_pk;
    uint32_t size;
};
bool store_sizes_exact(struct store *s, const struct item_size *sizes, size_t count, struct err *err);
/* Up to `max` items whose cached content should go; forget them with store_dropped_done(). */
size_t store_dropped(struct store *s, int64_t *pks, size_t max);
bool store_dropped_done(struct store *s, const int64_t *pks, size_t count, struct err *err);
/* The item of this server id in the folder; 0 = none. For content that comes along with a sync page. */
int64_t store_item_by_id(struct store *s, int64_t folder_pk, struct str server_id);

/* Padding of an estimate so that it is practically never below the real size (RFC822.SIZE too small cuts messages in
 * some clients): base64 of what the server may keep decoded, plus headers. */
uint32_t store_pad_size(uint64_t estimate);

#endif
