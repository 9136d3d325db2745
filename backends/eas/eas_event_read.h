/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_EVENT_READ_H
#define BACKENDS_EAS_EVENT_READ_H
/*
 * Calendar items and tasks as they come in Sync's ApplicationData and in ItemOperations' Properties (MS-ASCAL,
 * MS-ASTASK, MS-ASAIRS), to struct event. Pure.
 *
 *   eas_event_begin() -> the rules of EAS_EVENT_RULES, whose `ud` begins with a struct eas_event -> eas_event_make()
 *
 * Elements are kept as they came, of the item and of each of its exceptions, because they come in any order: only at
 * the end are zone and all-day known, by which instants become dates, and what exceptions inherit. Values that make no
 * sense are as if they had not been sent; what is too long is cut.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/eas/eas_answer.h"
#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/formats/event.h"
#include "bridge/formats/timezone.h"

#define EAS_EVENT_BODY_MAX ((size_t)1 << 20)  /* bytes kept of a description */
#define EAS_EVENT_TEXT_MAX ((size_t)8 * 1024) /* of a subject, a location, a name */
#define EAS_EVENT_UID_MAX  ((size_t)1024)     /* MS-ASCAL 2.2.2.46: 300 */

struct eas_event_options {
    unsigned version;      /* 121, 140, 141, 160, 161 */
    bool task;             /* the folder is one of tasks */
    const struct tz *zone; /* the user's: where an item names none */
    struct str me;         /* the user's address: his own answer, where the server does not tell it (12.1) */
};

/* Which elements were there (an empty one counts), so that an exception knows what it inherits. */
enum eas_told {
    EAS_TOLD_START = 1 << 0,
    EAS_TOLD_END = 1 << 1,
    EAS_TOLD_ALL_DAY = 1 << 2,
    EAS_TOLD_SUBJECT = 1 << 3,
    EAS_TOLD_LOCATION = 1 << 4,
    EAS_TOLD_BODY = 1 << 5,
    EAS_TOLD_BUSY = 1 << 6,
    EAS_TOLD_SENSITIVITY = 1 << 7,
    EAS_TOLD_REMINDER = 1 << 8,
    EAS_TOLD_CATEGORIES = 1 << 9,
    EAS_TOLD_ATTENDEES = 1 << 10,
    EAS_TOLD_ATTACHMENTS = 1 << 11,
    EAS_TOLD_MEETING = 1 << 12,
    EAS_TOLD_RESPONSE = 1 << 13,
    EAS_TOLD_REPLIED = 1 << 14
};

/* The item, or one exception, as it came. fields: start and end are instants as sent; text or html by body_type. */
struct eas_event_part {
    unsigned told; /* enum eas_told */
    struct event_fields fields;
    int64_t original; /* ExceptionStartTime or InstanceId */
    bool deleted;
    unsigned meeting;  /* MeetingStatus: 1 a meeting, 2 received, 4 cancelled */
    unsigned response; /* ResponseType */
    int body_type;     /* enum eas_body_type; 0 = none */
    bool truncated;
    struct str street, city, state, country, postal_code, annotation; /* of airsyncbase:Location */
    struct event_attendee *attendees;
    struct event_attachment *attachments;
    struct str *categories;
    size_t attendee_room, attachment_room, category_room;
};

struct eas_event {
    /* set by the owner */
    struct arena *arena;
    struct eas_event_options options;
    /* private: the item that is being read */
    struct eas_event_part item, exception, *now; /* now: one of the two */
    struct eas_event_part *exceptions;
    size_t exception_count, exception_room;
    struct event e; /* uid, organiser, recurrence, task: what an exception does not have */
    struct event_attendee attendee;
    struct event_attachment attachment;
    struct buf body;
    struct str zone_blob;
    int64_t until, rule_start, utc_start, utc_due, local_start, local_due;
    unsigned rule_type;
    int native_type; /* NativeBodyType; 0 = not told */
    bool dead;       /* DeadOccur */
    bool completes;  /* Complete was told */
};
#define EAS_RULE_UNKNOWN 4 /* no Type of a Recurrence */

enum eas_event_made {
    EAS_EVENT_WHOLE,
    EAS_EVENT_PARTIAL, /* no item (or not all of it): to be fetched by its id */
};

/* Before each item: forgets all but what the owner set. */
void eas_event_begin(struct eas_event *r);
/* The item into *ret, in the arena. server_id: where it has no UID, one is made of this. */
enum eas_event_made eas_event_make(struct eas_event *r, struct str server_id, struct event *ret);
/* The server made the plain text out of something else: ask for the item once more with HTML, and put it in by
 * eas_event_add_html(). Servers give one form at a time (MS-ASAIRS 2.2.2.12). */
bool eas_event_wants_html(const struct eas_event *r);
/* `html`: the same item with descriptions in HTML. `to` is one that eas_event_make() has made. */
void eas_event_add_html(struct event *to, const struct event *html);
void eas_event_done(struct eas_event *r);

bool eas_event_start(void *ud, struct str text, struct err *err);
bool eas_event_end(void *ud, struct str text, struct err *err);
bool eas_event_replied(void *ud, struct str text, struct err *err);
bool eas_event_all_day(void *ud, struct str text, struct err *err);
bool eas_event_subject(void *ud, struct str text, struct err *err);
bool eas_event_location(void *ud, struct str text, struct err *err);
bool eas_event_busy(void *ud, struct str text, struct err *err);
bool eas_event_sensitivity(void *ud, struct str text, struct err *err);
bool eas_event_meeting(void *ud, struct str text, struct err *err);
bool eas_event_response(void *ud, struct str text, struct err *err);
bool eas_event_original(void *ud, struct str text, struct err *err);
bool eas_event_instance(void *ud, struct str text, struct err *err);
bool eas_event_deleted(void *ud, struct str text, struct err *err);
bool eas_event_zone(void *ud, struct str text, struct err *err);
bool eas_event_uid(void *ud, struct str text, struct err *err);
bool eas_event_stamp(void *ud, struct str text, struct err *err);
bool eas_event_organizer_name(void *ud, struct str text, struct err *err);
bool eas_event_organizer_email(void *ud, struct str text, struct err *err);
bool eas_event_response_requested(void *ud, struct str text, struct err *err);
bool eas_event_native_type(void *ud, struct str text, struct err *err);
bool eas_event_join_url(void *ud, struct str text, struct err *err);
bool eas_event_reminder(void *ud, struct str text, struct err *err);
bool eas_event_street(void *ud, struct str text, struct err *err);
bool eas_event_city(void *ud, struct str text, struct err *err);
bool eas_event_state(void *ud, struct str text, struct err *err);
bool eas_event_country(void *ud, struct str text, struct err *err);
bool eas_event_postal_code(void *ud, struct str text, struct err *err);
bool eas_event_annotation(void *ud, struct str text, struct err *err);
bool eas_event_rule_type(void *ud, struct str text, struct err *err);
bool eas_event_rule_interval(void *ud, struct str text, struct err *err);
bool eas_event_rule_days(void *ud, struct str text, struct err *err);
bool eas_event_rule_day(void *ud, struct str text, struct err *err);
bool eas_event_rule_week(void *ud, struct str text, struct err *err);
bool eas_event_rule_month(void *ud, struct str text, struct err *err);
bool eas_event_rule_count(void *ud, struct str text, struct err *err);
bool eas_event_rule_until(void *ud, struct str text, struct err *err);
bool eas_event_rule_first_day(void *ud, struct str text, struct err *err);
bool eas_event_rule_calendar(void *ud, struct str text, struct err *err);
bool eas_event_rule_leap_month(void *ud, struct str text, struct err *err);
bool eas_event_rule_start(void *ud, struct str text, struct err *err);
bool eas_event_rule_regenerates(void *ud, struct str text, struct err *err);
bool eas_event_rule_dead(void *ud, struct str text, struct err *err);
bool eas_event_task_complete(void *ud, struct str text, struct err *err);
bool eas_event_task_completed(void *ud, struct str text, struct err *err);
bool eas_event_task_start(void *ud, struct str text, struct err *err);
bool eas_event_task_utc_start(void *ud, struct str text, struct err *err);
bool eas_event_task_due(void *ud, struct str text, struct err *err);
bool eas_event_task_utc_due(void *ud, struct str text, struct err *err);
bool eas_event_task_reminder_set(void *ud, struct str text, struct err *err);
bool eas_event_task_reminder(void *ud, struct str text, struct err *err);
bool eas_event_importance(void *ud, struct str text, struct err *err);
bool eas_event_attendee_name(void *ud, struct str text, struct err *err);
bool eas_event_attendee_email(void *ud, struct str text, struct err *err);
bool eas_event_attachment_name(void *ud, struct str text, struct err *err);
bool eas_event_attachment_type(void *ud, struct str text, struct err *err);
bool eas_event_attachment_reference(void *ud, struct str text, struct err *err);
bool eas_event_attachment_inline(void *ud, struct str text, struct err *err);
bool eas_event_attachment_size(void *ud, struct str text, struct err *err);
bool eas_event_body_type(void *ud, struct str text, struct err *err);
bool eas_event_body_truncated(void *ud, struct str text, struct err *err);
bool eas_event_category(void *ud, struct str text, struct err *err);
bool eas_event_attendee_status(void *ud, struct str text, struct err *err);
bool eas_event_attendee_type(void *ud, struct str text, struct err *err);
bool eas_event_body_data(void *ud, struct str text, struct err *err);
bool eas_event_location_open(void *ud, struct err *err);
bool eas_event_rule_open(void *ud, struct err *err);
bool eas_event_categories_open(void *ud, struct err *err);
bool eas_event_attendees_open(void *ud, struct err *err);
bool eas_event_attendee_open(void *ud, struct err *err);
bool eas_event_attendee_close(void *ud, struct err *err);
bool eas_event_attachments_open(void *ud, struct err *err);
bool eas_event_attachment_open(void *ud, struct err *err);
bool eas_event_attachment_close(void *ud, struct err *err);
bool eas_event_body_open(void *ud, struct err *err);
bool eas_event_body_close(void *ud, struct err *err);
bool eas_event_exception_open(void *ud, struct err *err);
bool eas_event_exception_close(void *ud, struct err *err);

/* clang-format off */
#define EAS_EVENT_FIELD_RULES(PARENT)                                                                                  \
    {PARENT, Calendar_StartTime, .text = eas_event_start},                                                             \
    {PARENT, Calendar_EndTime, .text = eas_event_end},                                                                 \
    {PARENT, Calendar_AllDayEvent, .text = eas_event_all_day},                                                         \
    {PARENT, Calendar_Subject, .text = eas_event_subject},                                                             \
    {PARENT, Calendar_Location, .text = eas_event_location},                                                           \
    {PARENT, AirSyncBase_Location, .open = eas_event_location_open},                                                   \
    {PARENT, Calendar_BusyStatus, .text = eas_event_busy},                                                             \
    {PARENT, Calendar_Sensitivity, .text = eas_event_sensitivity},                                                     \
    {PARENT, Calendar_Reminder, .text = eas_event_reminder},                                                           \
    {PARENT, Calendar_MeetingStatus, .text = eas_event_meeting},                                                       \
    {PARENT, Calendar_ResponseType, .text = eas_event_response},                                                       \
    {PARENT, Calendar_AppointmentReplyTime, .text = eas_event_replied},                                                \
    {PARENT, Calendar_Categories, .open = eas_event_categories_open},                                                  \
    {PARENT, Calendar_Attendees, .open = eas_event_attendees_open},                                                    \
    {PARENT, AirSyncBase_Attachments, .open = eas_event_attachments_open},                                             \
    {PARENT, AirSyncBase_Body, .open = eas_event_body_open, .close = eas_event_body_close}
#define EAS_EVENT_RULES(PARENT)                                                                                        \
    {PARENT, Calendar_Timezone, .text = eas_event_zone},                                                               \
    {PARENT, Calendar_UID, .text = eas_event_uid},                                                                     \
    {PARENT, Calendar_DtStamp, .text = eas_event_stamp},                                                               \
    {PARENT, Calendar_OrganizerName, .text = eas_event_organizer_name},                                                \
    {PARENT, Calendar_OrganizerEmail, .text = eas_event_organizer_email},                                              \
    {PARENT, Calendar_ResponseRequested, .text = eas_event_response_requested},                                        \
    {PARENT, Calendar_OnlineMeetingExternalLink, .text = eas_event_join_url},                                          \
    {PARENT, Calendar_OnlineMeetingConfLink, .text = eas_event_join_url},                                              \
    {PARENT, AirSyncBase_NativeBodyType, .text = eas_event_native_type},                                               \
    {PARENT, Calendar_Recurrence, .open = eas_event_rule_open},                                                        \
    EAS_CONTAINER(PARENT, Calendar_Exceptions),                                                                        \
    {Calendar_Exceptions, Calendar_Exception, .open = eas_event_exception_open, .close = eas_event_exception_close},   \
    {Calendar_Exception, Calendar_ExceptionStartTime, .text = eas_event_original},                                     \
    {Calendar_Exception, AirSyncBase_InstanceId, .text = eas_event_instance},                                          \
    {Calendar_Exception, Calendar_Deleted, .text = eas_event_deleted},                                                 \
    EAS_EVENT_FIELD_RULES(PARENT),                                                                                     \
    EAS_EVENT_FIELD_RULES(Calendar_Exception),                                                                         \
    {Calendar_Recurrence, Calendar_Type, .text = eas_event_rule_type},                                                 \
    {Calendar_Recurrence, Calendar_Interval, .text = eas_event_rule_interval},                                         \
    {Calendar_Recurrence, Calendar_DayOfWeek, .text = eas_event_rule_days},                                            \
    {Calendar_Recurrence, Calendar_DayOfMonth, .text = eas_event_rule_day},                                            \
    {Calendar_Recurrence, Calendar_WeekOfMonth, .text = eas_event_rule_week},                                          \
    {Calendar_Recurrence, Calendar_MonthOfYear, .text = eas_event_rule_month},                                         \
    {Calendar_Recurrence, Calendar_Occurrences, .text = eas_event_rule_count},                                         \
    {Calendar_Recurrence, Calendar_Until, .text = eas_event_rule_until},                                               \
    {Calendar_Recurrence, Calendar_FirstDayOfWeek, .text = eas_event_rule_first_day},                                  \
    {Calendar_Recurrence, Calendar_CalendarType, .text = eas_event_rule_calendar},                                     \
    {Calendar_Recurrence, Calendar_IsLeapMonth, .text = eas_event_rule_leap_month},                                    \
    {Tasks_Recurrence, Tasks_Type, .text = eas_event_rule_type},                                                       \
    {Tasks_Recurrence, Tasks_Interval, .text = eas_event_rule_interval},                                               \
    {Tasks_Recurrence, Tasks_DayOfWeek, .text = eas_event_rule_days},                                                  \
    {Tasks_Recurrence, Tasks_DayOfMonth, .text = eas_event_rule_day},                                                  \
    {Tasks_Recurrence, Tasks_WeekOfMonth, .text = eas_event_rule_week},                                                \
    {Tasks_Recurrence, Tasks_MonthOfYear, .text = eas_event_rule_month},                                               \
    {Tasks_Recurrence, Tasks_Occurrences, .text = eas_event_rule_count},                                               \
    {Tasks_Recurrence, Tasks_Until, .text = eas_event_rule_until},                                                     \
    {Tasks_Recurrence, Tasks_FirstDayOfWeek, .text = eas_event_rule_first_day},                                        \
    {Tasks_Recurrence, Tasks_CalendarType, .text = eas_event_rule_calendar},                                           \
    {Tasks_Recurrence, Tasks_IsLeapMonth, .text = eas_event_rule_leap_month},                                          \
    {Tasks_Recurrence, Tasks_Start, .text = eas_event_rule_start},                                                     \
    {Tasks_Recurrence, Tasks_Regenerate, .text = eas_event_rule_regenerates},                                          \
    {Tasks_Recurrence, Tasks_DeadOccur, .text = eas_event_rule_dead},                                                  \
    {Calendar_Categories, Calendar_Category, .text = eas_event_category},                                              \
    {Tasks_Categories, Tasks_Category, .text = eas_event_category},                                                    \
    {Calendar_Attendees, Calendar_Attendee, .open = eas_event_attendee_open, .close = eas_event_attendee_close},       \
    {Calendar_Attendee, Calendar_Email, .text = eas_event_attendee_email},                                             \
    {Calendar_Attendee, Calendar_Name, .text = eas_event_attendee_name},                                               \
    {Calendar_Attendee, Calendar_AttendeeStatus, .text = eas_event_attendee_status},                                   \
    {Calendar_Attendee, Calendar_AttendeeType, .text = eas_event_attendee_type},                                       \
    {AirSyncBase_Location, AirSyncBase_DisplayName, .text = eas_event_location},                                       \
    {AirSyncBase_Location, AirSyncBase_Annotation, .text = eas_event_annotation},                                      \
    {AirSyncBase_Location, AirSyncBase_Street, .text = eas_event_street},                                              \
    {AirSyncBase_Location, AirSyncBase_City, .text = eas_event_city},                                                  \
    {AirSyncBase_Location, AirSyncBase_State, .text = eas_event_state},                                                \
    {AirSyncBase_Location, AirSyncBase_Country, .text = eas_event_country},                                            \
    {AirSyncBase_Location, AirSyncBase_PostalCode, .text = eas_event_postal_code},                                     \
    {AirSyncBase_Attachments, AirSyncBase_Attachment, .open = eas_event_attachment_open, .close = eas_event_attachment_close},\
    {AirSyncBase_Attachment, AirSyncBase_DisplayName, .text = eas_event_attachment_name},                              \
    {AirSyncBase_Attachment, AirSyncBase_FileReference, .text = eas_event_attachment_reference},                       \
    {AirSyncBase_Attachment, AirSyncBase_ContentType, .text = eas_event_attachment_type},                              \
    {AirSyncBase_Attachment, AirSyncBase_EstimatedDataSize, .text = eas_event_attachment_size},                        \
    {AirSyncBase_Attachment, AirSyncBase_IsInline, .text = eas_event_attachment_inline},                               \
    {AirSyncBase_Body, AirSyncBase_Type, .text = eas_event_body_type},                                                 \
    {AirSyncBase_Body, AirSyncBase_Truncated, .text = eas_event_body_truncated},                                       \
    {AirSyncBase_Body, AirSyncBase_Data, .data = eas_event_body_data},                                                 \
    {PARENT, Tasks_Subject, .text = eas_event_subject},                                                                \
    {PARENT, Tasks_Importance, .text = eas_event_importance},                                                          \
    {PARENT, Tasks_Sensitivity, .text = eas_event_sensitivity},                                                        \
    {PARENT, Tasks_Complete, .text = eas_event_task_complete},                                                         \
    {PARENT, Tasks_DateCompleted, .text = eas_event_task_completed},                                                   \
    {PARENT, Tasks_StartDate, .text = eas_event_task_start},                                                           \
    {PARENT, Tasks_UtcStartDate, .text = eas_event_task_utc_start},                                                    \
    {PARENT, Tasks_DueDate, .text = eas_event_task_due},                                                               \
    {PARENT, Tasks_UtcDueDate, .text = eas_event_task_utc_due},                                                        \
    {PARENT, Tasks_ReminderSet, .text = eas_event_task_reminder_set},                                                  \
    {PARENT, Tasks_ReminderTime, .text = eas_event_task_reminder},                                                     \
    {PARENT, Tasks_Categories, .open = eas_event_categories_open},                                                     \
    {PARENT, Tasks_Recurrence, .open = eas_event_rule_open}
/* clang-format on */

#endif
