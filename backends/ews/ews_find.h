/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_FIND_H
#define EWS_FIND_H
/*
 * Looking for what a request made whose outcome is unknown. Every item that we store or send bears our evidence, a
 * property of its own; FindItem asks for it (MS-OXWSSRCH 3.1.4.2).
 *
 * What is there is told at once, unless it may be there for a moment only. That nothing is there counts only when the
 * server has had the time to come to the request: a connection that breaks, or a process that is killed, takes nothing
 * out of the queue of a busy server. As long as less than tuning.settle_ms have passed since the account last lost an
 * answer, or was opened (the process before may have lost one), it is looked again, after pauses that grow.
 */
#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "bridge/base/arena.h"

#define EWS_FIND_PLACES 3

struct ews_found {
    struct str id, change; /* empty: not there */
};

struct ews_find {
    /* The caller's. */
    struct ews *ews;
    struct arena *arena;            /* where what is found is kept */
    struct str evidence, folder_id; /* borrowed until done() */
    const char *const *well_known;  /* distinguished folders to look in, instead of folder_id; or NULL */
    size_t well_known_count;        /* at most EWS_FIND_PLACES */
    size_t passing;                 /* the last so many of them are on the way of what the server still works at */
    void (*done)(void *ud, const struct err *err);
    void *ud;
    /* The answer: by place. An error: the server could not be asked, or nothing was found and not every place could be
     * searched. A folder that is not there holds nothing. */
    struct ews_found found[EWS_FIND_PLACES];
    /* private */
    struct ews_call *call;
    struct timer *pause;
    unsigned pause_ms;
    uint64_t settled_ms;
    size_t at; /* the place whose answer is being read; at its end, how many were */
    struct err blind;
};

/* done() once, never from inside. `lost`: the answer was lost just now, the first look has a pause before it. */
void ews_find_start(struct ews_find *f, bool lost);

/* <t:ExtendedFieldURI .../> of the property: PS_PUBLIC_STRINGS, "exbridge-journal". */
void ews_write_journal_field(struct xml_writer *w);

#endif
