/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_EVENT_WRITE_H
#define BACKENDS_EAS_EVENT_WRITE_H
/*
 * Calendar items and tasks as ActiveSync wants them from a client (MS-ASCAL, MS-ASTASK): struct event -> what stands in
 * an ApplicationData. Pure.
 *
 * Up to 14.1 the client makes the UID, a Change carries the whole item (what it leaves out is taken away), and the
 * changed and deleted occurrences stand in the item of the series. From 16.0 on the server makes the UID, a Change
 * carries what is to change and nothing else (what it leaves out stays, MS-ASCAL 3.1.5.3), and each occurrence is a
 * command of its own, named by its original start. What is to be taken away is an empty element where the schema has
 * one (MS-ASCAL 6: Subject, Location, Reminder, Categories, Attendees, the Data of a Body). A task is whole in every
 * version.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/eas/eas_wbxml.h"
#include "bridge/base/arena.h"
#include "bridge/base/err.h"
#include "bridge/formats/event.h"

#define EAS_EVENTS_APART 160 /* the version from which on occurrences are commands of their own */
#define EAS_UID_MAX      300 /* characters (MS-ASCAL 2.2.2.46, 2.2.2.11) */

struct eas_event_writing {
    unsigned version;
    struct str zone;          /* the user's (IANA): where his days begin */
    int64_t stamped;          /* DtStamp */
    struct str email;         /* the user's own: the organiser of what he makes */
    bool with_exceptions;     /* up to 14.1: write the occurrences, too */
    const struct event *base; /* what the server has: a Change; NULL: an Add */
    unsigned parts;           /* 16.x: enum event_part, what a Change is to change */
};

/* Can a server of this version hold it? ERR_UNSUPPORTED with the reason: nothing of it is to be sent then. */
bool eas_event_check(const struct event *e, const struct eas_event_writing *o, struct err *err);
/* Some servers (SOGo) put an item into the zone of its owner, whatever zone it names: does a series that was read back
 * keep the hours it was to have, for ten years? */
bool eas_event_keeps_hours(const struct event *wanted, const struct event *got);
/* Is there an exception that the server has and that is wanted no more? None of its own can be taken back by itself. */
bool eas_event_takes_back(const struct event *wanted, const struct event *base);
/* Does the change give a series other times or another rule? Then the server forgets its exceptions (MS-ASCAL
 * 2.2.2.22). */
bool eas_event_moves(const struct event *wanted, const struct event *base);
/* 16.x: the same rule in other words (event_differ() sees no difference), which a server takes for another pattern;
 * false: there are none. */
bool eas_event_reword(const struct event_recurrence *r, struct event_recurrence *ret);
/* The first thing that a change from `base` to `wanted` takes away and that servers may want to keep, for people to
 * read; NULL: nothing. With `got`, what the server has after it: only what it kept all the same. */
const char *eas_event_taken_away(const struct event *base, const struct event *wanted, const struct event *got);
/* The content of the ApplicationData of an Add or Change of the item. */
void eas_event_write(struct eas_writer *w, const struct event *e, const struct eas_event_writing *o);
/* The n-th exception to be told: the deleted ones first, because another may take the day of one. */
const struct event_exception *eas_event_exception_at(const struct event *e, size_t n);
/* 16.x: what of the occurrence differs from what it is on the server (its exception in `base`, else the rule's). 0: it
 * is what is wanted. */
unsigned eas_event_occurrence_parts(const struct event *e, const struct event_exception *x, const struct event *base);
/* 16.x: the content of the ApplicationData of a Change of one occurrence. */
void eas_event_write_occurrence(struct eas_writer *w, const struct event *e, const struct event_exception *x,
                                const struct eas_event_writing *o, unsigned parts);
/* 16.x, eas_event_files.c: the attachments of an item, or of an occurrence. What of `was` is not wanted goes, what has
 * no id yet is added. write: nothing at all when nothing changes. */
struct eas_event_files {
    const struct event_fields *wanted, *was; /* was: what it has of its own on the server; NULL: nothing */
    const struct event_fields *series;       /* of an occurrence: what its series has on the server, or NULL */
    const struct event_fields *with; /* and what that is to have, if the occurrence has nothing of its own yet */
};
bool eas_event_is_new_attachment(const struct event_attachment *a);
struct eas_event_files eas_event_files_of(const struct event *e, const struct event_exception *x,
                                          const struct event *base);
bool eas_event_files_change(const struct eas_event_files *files);
void eas_event_write_files(struct eas_writer *w, const struct eas_event_files *files);
/* The occurrence's name. Compact in Sync (AirSyncBase:InstanceId), extended in MeetingResponse: 24 characters. */
struct str eas_event_instance_id(const struct event *e, int64_t original, const struct eas_event_writing *o,
                                 struct arena *arena);
struct str eas_event_instance_extended(const struct event *e, int64_t original, const struct eas_event_writing *o,
                                       struct arena *arena);

#endif
