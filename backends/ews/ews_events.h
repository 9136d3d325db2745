/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_EVENTS_H
#define EWS_EVENTS_H
/*
 * Calendar items and tasks of the account: what the files ews_events*.c share.
 *
 * Items are asked for by GetItem in batches; series name their changed occurrences, which are asked for in one more
 * request for all series together (MS-OXWSMTGS 3.1.4.4).
 */
#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_event_read.h"
#include "backends/ews/ews_write.h"

#define EWS_EVENT_BATCH 100 /* items of one GetItem */

/* The user's zone. */
const struct tz *ews_zone(const struct ews *e);

struct ews_getter {
    struct ews *ews;
    struct arena *arena;
    bool task;
    const struct str *ids;
    size_t count, next, batch;
    struct ews_call *call;
    struct ews_event_reading part; /* of the batch under way */
    struct ews_got **got;          /* in the order asked */
    struct {
        struct ews_got *master;
        struct ews_occurrence occurrence;
    } * changed;
    size_t changed_count, changed_next;
    void (*done)(void *ud, const struct err *err);
    void *ud;
};
/* ids and everything that comes live in `arena`. done() once, never from inside, none after ews_getter_abort(). */
void ews_getter_start(struct ews_getter *g, struct ews *e, struct arena *arena, bool task, const struct str *ids,
                      size_t count, void (*done)(void *ud, const struct err *err), void *ud);
void ews_getter_abort(struct ews_getter *g);

/*
 * Is the server's item still the version of that ChangeKey? For what compares none itself: DeleteItem ignores the
 * ChangeKey (MS-OXWSCORE 3.1.4.3), and occurrences are written by their series' id and an index. GetItem with IdOnly is
 * the cheapest question there is. UpdateItem with NeverOverwrite would compare as well, but has to change something,
 * which other clients then fetch; and neither holds the item until the next request. What is left is the time between
 * these two, on one connection; what is deleted in it lies in Deleted Items with its last change.
 */
struct ews_look {
    struct ews_call *call;
    struct str id, change;
    struct ews_done done[1];
    struct ews_done_list answer;
    void (*then)(void *ud, const struct err *err); /* ERR_CONFLICT: another version; ERR_NOT_FOUND */
    void *ud;
};
void ews_look_start(struct ews_look *l, struct ews *e, struct arena *arena, struct str id, struct str change,
                    void (*then)(void *ud, const struct err *err), void *ud);

struct op *ews_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                           event_known_cb *is_known, op_cb *cb, void *ud);
struct op *ews_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                           size_t count, op_cb *cb, void *ud);
struct op *ews_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud);
struct op *ews_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                            struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud);
struct op *ews_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud);
struct op *ews_event_attachment(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb, void *ud);
struct op *ews_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                         op_cb *cb, void *ud);

#endif
