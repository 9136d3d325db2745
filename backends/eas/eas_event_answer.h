/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_EVENT_ANSWER_H
#define BACKENDS_EAS_EVENT_ANSWER_H
/* Events and tasks that were asked for by their ids, as the answers to ItemOperations (MS-ASCMD 2.2.1.10) and to a Sync
 * with Fetch commands (MS-ASCMD 2.2.3.63.2) bring them. Pure. */
#include <stdbool.h>
#include <stddef.h>

#include "backends/eas/eas_answer.h"
#include "backends/eas/eas_event_read.h"
#include "backends/eas/eas_sync_read.h"

/* One that is asked for. */
struct eas_got {
    struct str id;
    enum eas_sync_need need;
    unsigned asked; /* how often */
    bool answered;  /* by the answer that is being read */
    struct err err;
    struct event *event; /* NULL: none yet */
};

struct eas_event_answer {
    struct eas_event event; /* first: the rules of eas_event_read work on it */
    /* what was asked: answers are matched by id, and by position only where they have none */
    struct eas_got **asked;
    size_t count;
    int collection; /* Sync: the status of the collection; 0 = none */
    /* the Fetch that is open */
    size_t position;
    int status;
    struct str id;
};
extern const struct eas_rules eas_event_items_rules; /* ItemOperations; ud is the answer */
extern const struct eas_rules eas_event_fetch_rules; /* Sync */

/* Before each attempt; the arena takes everything. */
void eas_event_answer_begin(struct eas_event_answer *a, struct arena *arena, const struct eas_sync_options *options,
                            struct eas_got **asked, size_t count);
void eas_event_answer_done(struct eas_event_answer *a);

#endif
