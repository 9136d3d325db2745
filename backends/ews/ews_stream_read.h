/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_STREAM_READ_H
#define EWS_STREAM_READ_H
/*
 * Subscribe and GetStreamingEvents (MS-OXWSNTIF 3.1.4.3, 3.1.4.5): requests and answers. Pure. Events only say where
 * something happened; what it was is found by synchronising.
 */
#include "backends/ews/ews_answer.h"
#include "bridge/base/arena.h"
#include "bridge/base/buf.h"

#define EWS_SUBSCRIPTION_ID_MAX   4096
#define EWS_SUBSCRIBE_FOLDERS_MAX 100 /* folders named in a subscription to another mailbox */

struct ews_subscribed {
    struct buf id; /* the subscription */
    struct ews_outcome outcome;
};
extern const struct ews_reader ews_subscribe_reader; /* ud: struct ews_subscribed; the caller makes and frees id */
/* count 0: all folders of the own mailbox. */
void ews_subscribe_write(struct xml_writer *w, const struct str *folder_ids, size_t count);

#define EWS_EVENT_FOLDERS_MAX 64 /* folders of one envelope told apart in this way */

/*
 * One envelope of the stream. Exchange tells of a folder whose counts changed with each item that changes in it, in the
 * same words as of one that was renamed; so such an event is taken for a change of the tree only when nothing happened
 * in that folder.
 */
struct ews_events {
    void (*on_folder)(void *ud, struct str folder_id); /* something in it changed */
    void *ud;
    /* the result, to be reset by the caller before each envelope */
    bool hierarchy; /* folders were made, moved, renamed or deleted */
    bool closed;    /* the server ends the connection as agreed; ask again */
    size_t beats;   /* signs of life */
    size_t events;
    bool answered;
    struct ews_status status;
    /* private: of the event that is open */
    struct arena arena;
    struct str folder, parent, old_parent;
    bool is_item, counts_only;
    struct ews_folder_set {
        struct str *ids;
        size_t n;
        bool full;
    } told, counted; /* folders with changed items; with changed counts */
};
extern const struct ews_reader ews_events_reader;
void ews_events_reset(struct ews_events *e); /* keeps callback and memory */
void ews_events_done(struct ews_events *e);
void ews_events_write(struct xml_writer *w, struct str subscription_id, unsigned minutes);

#endif
