/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_SYNC_READ_H
#define BACKENDS_EAS_SYNC_READ_H
/*
 * The answer to a Sync of one collection (MS-ASCMD 2.2.1.21), read as it streams in: one struct eas_sync_page, emptied
 * before every attempt. Pure but for the temporary files of large bodies.
 *
 * Of calendars and task lists an item comes as event of its item_info; where it does not come whole, `needs` says so.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/eas/eas_answer.h"
#include "backends/eas/eas_event_read.h"
#include "backends/eas/eas_item.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

#define EAS_SYNC_ITEMS_MAX    8192               /* commands in one answer: 16 times the largest WindowSize */
#define EAS_SYNC_EVENT_BYTES  ((size_t)64 << 20) /* of all events in one answer */
#define EAS_SYNC_INSTANCE_MAX 64                 /* bytes of an InstanceId: a date and time */

struct eas_sync_options {
    enum folder_kind kind;
    const char *tmp_dir;
    uint64_t message_limit; /* bytes of one body */
    uint64_t truncation;    /* what was asked */
    unsigned version;       /* 121, 140, 141, 160, 161 */
    const struct tz *zone;  /* calendars and tasks: see eas_event_options */
    struct str me;
};

/* What an item of a calendar or task list needs in addition. */
enum eas_sync_need {
    EAS_NEED_NOTHING,
    EAS_NEED_HTML, /* event is there, its description as HTML is not */
    EAS_NEED_ITEM  /* event is NULL: one occurrence alone was told (16.x), or the item could not be read */
};

/* What became of a command of ours; silence about one means that it was carried out (MS-ASCMD 2.2.3.154). */
struct eas_sync_response {
    enum eas_tag command; /* AirSync_Add, AirSync_Change, AirSync_Delete */
    struct str id;        /* ServerId */
    struct str client_id; /* Add */
    struct str instance;  /* InstanceId of an occurrence (16.x), as it was sent */
    struct str uid;       /* Add of an event, from 16.0 on: the server's UID */
    int status;           /* 0 = none */
};

/* A mail that invites to a meeting (MS-ASEMAIL 2.2.2.48), as a whole: not to one occurrence alone. */
struct eas_sync_invitation {
    struct str id, uid; /* ServerId; iCalendar UID */
};

struct eas_sync_page {
    union { /* the one that is open, by options.kind; first: the rules of eas_item and eas_event work on it */
        struct eas_item item;
        struct eas_event event;
    };
    struct eas_sync_options options;
    struct arena arena;
    bool has_collection, more;
    bool adding;    /* the command that is open is an Add */
    bool item_open; /* a command began and has not ended: after an error, the culprit */
    bool instance;  /* the command is about one occurrence */
    int status;     /* Collection/Status; 0 = none */
    struct str key;
    struct item_info current, *items;
    enum eas_sync_need need, *needs; /* one for each of items */
    size_t count, size;
    struct eas_sync_response response, *responses;
    size_t response_count, response_size;
    struct {
        bool request, one_occurrence;
        struct str uid;
    } meeting; /* of the mail that is open */
    struct eas_sync_invitation *invitations;
    size_t invitation_count, invitation_size;
};

extern const struct eas_rules eas_sync_rules;       /* of mail; ud is the page */
extern const struct eas_rules eas_sync_event_rules; /* of calendars and tasks */

/* How the events of such an answer are read. */
struct eas_event_options eas_sync_event_options(const struct eas_sync_options *o);

struct eas_sync_page *eas_sync_page_new(const struct eas_sync_options *options);
void eas_sync_page_reset(struct eas_sync_page *page);
/* Add the item that broke the answer, with what was read of it before and without content. False when there is none. */
bool eas_sync_page_quarantine(struct eas_sync_page *page);
void eas_sync_page_free(struct eas_sync_page **page); /* and the blobs of its items */

#endif
