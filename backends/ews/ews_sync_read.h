/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_SYNC_READ_H
#define EWS_SYNC_READ_H
/*
 * SyncFolderItems (MS-OXWSSYNC 3.1.4.2): the request, and its answer as a list of struct item_info. Pure.
 *
 *     struct ews_page page; ews_page_init(&page, &arena); read an answer with ews_page_reader; look at page.
 *
 * Only items that can be shown as messages are listed; contacts, tasks and the like that lie in a mail folder are
 * counted in `skipped`, but deletions and read changes of unknown ids are listed (nobody can tell what they were).
 */
#include "backends/ews/ews_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

#define EWS_PAGE_CHANGES_MAX    4096 /* changes accepted in one answer; at most 512 are asked for */
#define EWS_ITEM_CATEGORIES_MAX 256

struct ews_page {
    /* the result */
    struct item_info *list;
    size_t count;
    size_t skipped;
    struct str cursor;
    bool more;
    struct ews_outcome outcome;
    bool ids_only;  /* set after ews_page_init(): nothing else was asked for */
    bool all_kinds; /* set after ews_page_init(): not only what can be shown as a message */
    /* private */
    struct arena *arena;
    size_t room;
    struct item_info item;
    struct str *categories;
    enum ews_el change;
    bool other, has_read;
    uint32_t tag;
    unsigned message_flags;
    bool has_message_flags;
};

extern const struct ews_reader ews_page_reader; /* its ud is a struct ews_page */

/* After an answer was read: is it a page? False: *ret_err says why not. */
bool ews_page_check(const struct ews_page *p, struct err *ret_err);

void ews_page_init(struct ews_page *page, struct arena *arena);

struct ews_sync_request {
    struct str folder_id, cursor;
    unsigned page; /* MaxChangesReturned, 1 to 512 */
    bool ids_only; /* calendars: the items themselves are asked for in full */
};
void ews_sync_write(struct xml_writer *w, const struct ews_sync_request *r);

#endif
