/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRIVER_WRITES_H
#define TESTS_DRIVER_WRITES_H
/*
 * The commands that change something, the same for every backend:
 *
 *   flag FOLDER ID,SET,CLEAR[,CATEGORIES]...   SET and CLEAR as enum item_flag; categories with | between, "-" = none
 *   move FROM TO ID...        copy FROM TO ID...        remove FOLDER recoverable|permanent ID...
 *   append FOLDER FILE FLAGS EVIDENCE [retry]
 *   send FILE EVIDENCE [retry] [reply|forward FOLDER ID]
 *   create PARENT KIND NAME   change ID PARENT NAME     delete ID          PARENT "-": the top; NAME: the rest
 *
 * Each answers with an event of its own name. Several may be under way.
 */
#include "tests/driver/driver_json.h"

struct driver_writes {
    struct backend *backend;
    void (*done)(void *ud); /* one has been answered; the event is out */
    void *ud;
    size_t running;
    /* for driver_events.h: whose account it is, and what to do with a page's cursor */
    const char *email;
    void (*commit)(void *ud, struct str folder_id, struct str cursor);
};
/* False: another command. */
bool driver_write(struct driver_writes *w, struct str line);

#endif
