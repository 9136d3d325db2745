/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_SYNC_READ_H
#define BACKENDS_EAS_SYNC_READ_H
/*
 * The answer to a Sync of one mail collection (MS-ASCMD 2.2.1.21), read as it streams in: one struct eas_sync_page,
 * emptied before every attempt. Pure but for the temporary files of large bodies.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/eas/eas_answer.h"
#include "backends/eas/eas_item.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

#define EAS_SYNC_ITEMS_MAX 8192 /* commands in one answer: 16 times the largest WindowSize */

struct eas_sync_options {
    const char *tmp_dir;
    uint64_t message_limit; /* bytes of one body */
    uint64_t truncation;    /* what was asked */
    unsigned version;       /* 121, 140, 141, 160, 161 */
};

/* What became of a command of ours; silence about one means that it was carried out (MS-ASCMD 2.2.3.154). */
struct eas_sync_response {
    enum eas_tag command; /* AirSync_Add, AirSync_Change, AirSync_Delete */
    struct str id;        /* ServerId */
    struct str client_id; /* Add */
    int status;           /* 0 = none */
};

struct eas_sync_page {
    struct eas_item item; /* the one that is open; first: the rules of eas_item work on it */
    struct eas_sync_options options;
    struct arena arena;
    bool has_collection, more;
    bool adding;    /* the command that is open is an Add */
    bool item_open; /* a command began and has not ended: after an error, the culprit */
    int status;     /* Collection/Status; 0 = none */
    struct str key;
    struct item_info current, *items;
    size_t count, size;
    struct eas_sync_response response, *responses;
    size_t response_count, response_size;
};

extern const struct eas_rules eas_sync_rules; /* ud is the page */

struct eas_sync_page *eas_sync_page_new(const struct eas_sync_options *options);
void eas_sync_page_reset(struct eas_sync_page *page);
/* Add the item that broke the answer, with what was read of it before and without content. False when there is none. */
bool eas_sync_page_quarantine(struct eas_sync_page *page);
void eas_sync_page_free(struct eas_sync_page **page); /* and the blobs of its items */

#endif
