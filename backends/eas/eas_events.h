/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_EVENTS_H
#define BACKENDS_EAS_EVENTS_H
/*
 * A page of a calendar or task list, made complete: what the server told as an occurrence alone, could not be read, or
 * was changed by ourselves is fetched, and so are descriptions in HTML.
 *
 *   eas_completion_begin() -> done() -> eas_completion_finish(); eas_completion_close() at any time
 */
#include "backends/eas/eas_getter.h"

struct eas_completion {
    struct eas_getter getter;
    struct item_info *list; /* each item once, as it was told last */
    struct eas_got **got;   /* one for each of list: what it needs, or NULL */
    size_t count;
};

/* effects: items that changes of ours have touched (eas_record.h), told before the page. key: the page's SyncKey. All
 * live until the end in page and arena. done() may come from inside. */
void eas_completion_begin(struct eas_completion *c, struct eas_backend *b, struct str folder_id,
                          const struct item_info *effects, size_t effect_count, const struct eas_sync_page *page,
                          struct str key, struct arena *arena, void (*done)(void *ud, const struct err *err), void *ud);
/* What is left of list is told. False with *err: an item cannot be had just now, and `patient` says that the page is
 * worth another try; else it is left out. */
bool eas_completion_finish(struct eas_completion *c, bool patient, struct err *err);
void eas_completion_close(struct eas_completion *c);

#endif
