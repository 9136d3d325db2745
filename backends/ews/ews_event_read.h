/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_EVENT_READ_H
#define EWS_EVENT_READ_H
/*
 * GetItem answers with calendar items and tasks (MS-OXWSMTGS 2.2.4.3, MS-OXWSTASK 2.2.4.4) to struct event. Pure.
 *
 *     ews_event_reading_init -> read an answer with ews_event_reader -> look at list; masters name their changed
 * occurrences, which are asked for with GetItem in turn (another one, as `occurrences`) and put in by ews_event_adopt()
 *
 * Instants come in UTC; days are made of them by the item's own zone.
 */
#include "backends/ews/ews_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"
#include "bridge/formats/event.h"
#include "bridge/formats/timezone.h"

struct ews_occurrence { /* of ModifiedOccurrences */
    struct str id;
    int64_t original; /* instant */
};
struct ews_got {
    struct err err; /* of the response message */
    struct str id, change;
    bool is_event; /* a calendar item or a task: e is filled */
    struct event e;
    struct event_exception *exceptions; /* deleted ones; changed ones are adopted */
    size_t exception_count, exception_room;
    struct ews_occurrence *occurrences;
    size_t occurrence_count, occurrence_room;
};

struct ews_event_reading {
    struct ews_got *list; /* in the order asked */
    size_t count, max;
    struct arena *arena;
    const struct tz *zone; /* the user's, where an item has none */
    /* private: of the item that is being read */
    struct ews_got *item;
    struct event_attendee *attendees;
    size_t attendee_room;
    struct event_attachment *attachments;
    size_t attachment_room;
    struct str *categories;
    size_t category_room;
    struct event_attendee person;
    struct str routing, body_type, body, text_body, item_class, occurrence_id;
    int64_t at, to, original, reminder_due;
    bool has_start, in_uid_property;
    struct event_attachment attachment;
    struct ews_zone_reading {
        struct str id, periods[8], names[8];
        int bias[8];
        size_t period_count;
        struct {
            struct str to;
            struct tz_date date;
        } transitions[2], now;
        size_t transition_count;
    } zone_reading;
    const struct tz *start_zone, *end_zone;
};

extern const struct ews_reader ews_event_reader; /* its ud is a struct ews_event_reading */
void ews_event_reading_init(struct ews_event_reading *r, struct arena *arena, size_t max, const struct tz *zone);
/* A changed occurrence into its master. */
void ews_event_adopt(struct ews_event_reading *masters, struct ews_got *master, const struct ews_occurrence *o,
                     const struct ews_got *changed);
/* When all of them are in: e.exceptions, in order. */
void ews_event_complete(struct ews_got *master);
/* Tasks have no UID of their own: the property that DavMail and Exchange's WebDAV kept it in. */
#define EWS_TASK_UID "urn:schemas:calendar:uid"
void ews_event_write_task_uid(struct xml_writer *w); /* <t:ExtendedFieldURI> */
/* <m:ItemShape> with all properties of an event or task. */
void ews_event_write_shape(struct xml_writer *w, bool task, bool is_15);

#endif
