/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_LISTING_H
#define BACKENDS_EAS_LISTING_H
/*
 * FolderSync (MS-ASCMD 2.2.1.5): what changed in the folder list since a sync state of the core, or all of it. To be
 * used by whoever has the turn of b->hierarchies.
 *
 * Changes of ours have keys of their own (MS-ASCMD 2.2.3.181.4): as with batches of a folder (eas_record.h), a record
 * leads from the core's sync state to the newest key, and holds as a FolderSync document what we did, because the
 * server does not tell us. Key "0" in it: begin anew.
 *
 *   eas_listing_start() -> done() exactly once, or nothing after eas_listing_close()
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_folders_read.h"
#include "backends/eas/eas_record.h"

struct eas_listing {
    struct eas_backend *b;
    struct str cursor;
    void (*done)(void *ud, const struct err *err);
    void *ud;
    /* for done() */
    struct eas_folder_changes changes; /* .key, .list: what the server said */
    bool full;                         /* from key 0 */
    struct eas_record record;          /* as it was when the listing began */
    bool known;                        /* there was one */
    /* private */
    struct eas_call call;
    struct str asked; /* the key in the request; empty: 0 */
    bool restarted;   /* key 0 after an invalid one: not twice */
    unsigned server_errors;
};

/* `arena`: of the op. */
void eas_listing_init(struct eas_listing *l, struct eas_backend *b, struct str cursor, struct arena *arena);
void eas_listing_start(struct eas_listing *l, bool full, void (*done)(void *ud, const struct err *err), void *ud);
void eas_listing_close(struct eas_listing *l);

/* What the record's document says. In the arena. */
struct folder_info *eas_listing_effects(struct eas_backend *b, const struct eas_record *r, struct arena *arena,
                                        size_t *ret_count);
/* Add changes to the record and move it on to `key`. Too many of them: begin anew. */
bool eas_listing_note(struct eas_backend *b, struct eas_record *r, const struct folder_info *list, size_t count,
                      struct str key, struct arena *arena, struct err *err);

#endif
