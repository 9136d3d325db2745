/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_GETTER_H
#define BACKENDS_EAS_GETTER_H
/*
 * Events and tasks by their ids, whole, in as few requests as the server allows: by ItemOperations (MS-ASCMD 2.2.1.10),
 * or, where that is for mail only (SOGo), by Fetch in a Sync (MS-ASCMD 2.2.3.63.2).
 *
 *   eas_getter_init() -> fill list -> eas_getter_start() -> done() exactly once, or nothing after eas_getter_close()
 *
 * What a whole request fails on is halved until the item that spoils it stands alone, and gets the error.
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_event_answer.h"

struct eas_getter {
    struct eas_backend *b;
    struct arena *arena; /* of the op: texts and events */
    struct str folder_id;
    enum folder_kind kind;
    struct str key; /* SyncKey, for a Fetch in a Sync; empty: the account's host is asked for it */
    /* Filled by the caller up to done(): id and need; with EAS_NEED_HTML the event, too. Afterwards each is
     * EAS_NEED_NOTHING with an event or an error. */
    struct eas_got *list;
    size_t count;
    void (*done)(void *ud, const struct err *err);
    void *ud;
    /* private */
    struct eas_call call;
    struct eas_event_answer answer;
    size_t batch;
    size_t asked_count;
    struct eas_got *asked[EAS_BATCH];
    bool by_sync; /* the request under way */
    bool suspicious;
};

/* list has room for `count`. */
void eas_getter_init(struct eas_getter *g, struct eas_backend *b, struct str folder_id, enum folder_kind kind,
                     struct arena *arena, size_t count);
/* When nothing is needed done() comes from inside. */
void eas_getter_start(struct eas_getter *g, void (*done)(void *ud, const struct err *err), void *ud);
void eas_getter_close(struct eas_getter *g);

#endif
