/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_PUSH_H
#define BACKENDS_EAS_PUSH_H
/*
 * One batch of commands to a folder: a Sync with Commands and without GetChanges (MS-ASCMD 2.2.3.33), on the sync state
 * that the core has committed, durable as eas_record.h says. To be used by whoever has the turn of b->syncs.
 *
 *   eas_push_send()   -- [settle -> ] request -> done()      first, what an earlier batch left open is brought to an
 * end eas_push_settle() -- request -> done()                   only that
 *
 * done() comes exactly once, never from inside, or not at all after eas_push_close(). Without an error the batch was
 * answered: `responses` tells what was refused, all else was carried out. With ERR_OFFLINE the outcome may be unknown;
 * the record keeps it, and the next Sync of the folder finds it out. EAS_SYNC_PROTOCOL in err->status: the server does
 * not like the request, or one item of it.
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_record.h"

struct eas_push_batch {
    int deletes_as_moves; /* -1: no Deletes in it */
    /* The commands; called once for a batch, later attempts repeat the bytes. An Add, whose message is not kept, is
     * written for each attempt, and must be the same each time. */
    void (*write)(void *ud, struct eas_writer *w);
    struct str client_id; /* of an Add */
    unsigned added_flags;
    struct blob *mime; /* of an Add of a message; NULL otherwise */
    /* Calendars and task lists: one command on this item (empty: an Add, by its client_id), kept as it is. Its answer
     * is eas_push_event_status(). */
    bool event, gone;
    struct str event_id;
};

struct eas_push {
    struct eas_backend *b;
    struct arena *arena;
    struct str folder_id, cursor;
    enum folder_kind kind;
    const struct eas_push_batch *batch; /* NULL: settle only */
    void (*done)(void *ud, const struct err *err);
    void *ud;
    /* for done() */
    struct eas_sync_page *page; /* .responses */
    /* private */
    struct eas_call call;
    struct timer *timer;
    struct eas_record record;
    bool known;    /* there was a record already */
    bool settling; /* the request under way is an earlier batch */
    unsigned server_errors, retries;
};

/* `arena`: of the op, for all texts. */
void eas_push_init(struct eas_push *p, struct eas_backend *b, struct str folder_id, enum folder_kind kind,
                   struct arena *arena);
/* `cursor`: the core's sync state, from the account's host. */
void eas_push_send(struct eas_push *p, struct str cursor, const struct eas_push_batch *batch,
                   void (*done)(void *ud, const struct err *err), void *ud);
/* Is a batch of this folder, sent from this sync state, still open? */
bool eas_push_must_settle(struct eas_push *p, struct str cursor);
void eas_push_settle(struct eas_push *p, void (*done)(void *ud, const struct err *err), void *ud);
/* The response to a command, or NULL: it was carried out. */
const struct eas_sync_response *eas_push_response(const struct eas_push *p, enum eas_tag command, struct str id);
/* Of the one command on an event: false with *err when it was refused. */
bool eas_push_event_status(const struct eas_push *p, struct err *err);
/* The core has (or will have, when the callback that is about to come returns) what this push did to the event: the
 * next page need not tell it again. What became of others, by a batch of before a crash, is still to be told. */
void eas_push_heard(struct eas_push *p, struct str id);
/* False with *err when the status of a command means that it was refused. */
bool eas_push_status(const struct eas_sync_response *response, struct err *err);
void eas_push_close(struct eas_push *p);

#endif
