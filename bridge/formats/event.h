/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_EVENT_H
#define BRIDGE_FORMATS_EVENT_H
/*
 * A calendar item or task as Exchange can hold it: the one model that EWS, EAS and iCalendar are mapped to and from.
 *
 *   client's iCalendar -- ical.h --> struct event -- backends/ews, backends/eas --> server, and back the same way
 *
 * What has no place here has no place in Exchange: a rule that cannot be expressed is refused by ical.h before any
 * server is asked, and properties of the client's own (X-MOZ-LASTACK, ...) stay beside the item (bridge/calendar.h).
 * Sources: MS-OXOCAL, MS-OXWSMTGS, MS-OXWSTASK, MS-ASCAL, MS-ASTASK; RFC 5545.
 *
 * Ownership: everything lives in the arena of whoever made the event; strings are UTF-8 without terminator; an empty
 * string is "none". Pure data, no life cycle. Zeroed memory is a valid empty event.
 *
 * Time: instants are seconds since 1970 UTC, of which the zone says how they look on the wall. In an all-day event
 * start, end and original are dates: midnight UTC of that date, no instant, no zone. `end` is exclusive.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/str.h"

#define EVENT_EXCEPTIONS_MAX  1000 /* of one series, changed and deleted ones together */
#define EVENT_ATTENDEES_MAX   2000
#define EVENT_CATEGORIES_MAX  100
#define EVENT_ATTACHMENTS_MAX 100
#define EVENT_COUNT_MAX       999 /* NumberedRecurrence, Occurrences */
#define EVENT_INTERVAL_MAX    999 /* days; 99 for weeks and months (MS-OXWSCDATA) */

enum event_kind { EVENT_APPOINTMENT, EVENT_TASK };

/* The values are those of EAS BusyStatus (MS-ASCAL 2.2.2.9). */
enum event_busy { EVENT_FREE, EVENT_TENTATIVE, EVENT_BUSY, EVENT_OOF, EVENT_ELSEWHERE };
/* Of EAS Sensitivity (MS-ASCAL 2.2.2.38). */
enum event_sensitivity { EVENT_NORMAL, EVENT_PERSONAL, EVENT_PRIVATE, EVENT_CONFIDENTIAL };
enum event_importance { EVENT_LOW, EVENT_MEDIUM, EVENT_HIGH };
/* Of an attendee, and the signed-in user's own. */
enum event_response {
    EVENT_NO_RESPONSE, /* none yet, or unknown */
    EVENT_ORGANIZER,
    EVENT_ACCEPTED,
    EVENT_TENTATIVELY_ACCEPTED,
    EVENT_DECLINED
};
enum event_role { EVENT_REQUIRED, EVENT_OPTIONAL, EVENT_RESOURCE };

struct event_attendee {
    struct str email, name;
    enum event_role role;
    enum event_response response; /* read; a server ignores what an organiser writes here */
    /* A client's object says that neither we nor the server are to tell him (SCHEDULE-AGENT, RFC 6638 7.1). Kept by no
     * server, and no difference between two events. */
    bool elsewhere;
};

struct event_attachment {
    struct str id; /* the server's; empty: to be added */
    struct str name, content_type;
    uint64_t size;   /* bytes, as far as known */
    struct str url;  /* an attachment by reference (or our own address of the content) */
    struct str data; /* content of one to be added; empty in what was read */
    bool is_inline;
};

enum event_pattern {
    EVENT_DAILY,            /* every `interval` days */
    EVENT_WEEKLY,           /* every `interval` weeks on `days` */
    EVENT_MONTHLY,          /* on day_of_month; in shorter months on the last day */
    EVENT_MONTHLY_RELATIVE, /* on the `week`-th of `days` */
    EVENT_YEARLY,           /* in `month` on day_of_month, every `interval` years */
    EVENT_YEARLY_RELATIVE   /* in `month` on the `week`-th of `days` */
};
enum event_days { /* EAS DayOfWeek (MS-ASCAL 2.2.2.13) */
                  EVENT_SUNDAY = 1,
                  EVENT_MONDAY = 2,
                  EVENT_TUESDAY = 4,
                  EVENT_WEDNESDAY = 8,
                  EVENT_THURSDAY = 16,
                  EVENT_FRIDAY = 32,
                  EVENT_SATURDAY = 64,
                  EVENT_WEEKDAYS = 62,
                  EVENT_WEEKEND = 65,
                  EVENT_EVERY_DAY = 127
};
#define EVENT_LAST_WEEK 5 /* `week`: the last one */

/* Dates of the pattern are local dates in the event's start zone. Occurrences: the first is the event itself. */
struct event_recurrence {
    enum event_pattern pattern;
    unsigned interval; /* from 1 */
    unsigned days;     /* enum event_days; WEEKLY: any set; RELATIVE: one day, WEEKDAYS, WEEKEND or EVERY_DAY */
    unsigned week;     /* 1 to 4, EVENT_LAST_WEEK */
    unsigned day_of_month;
    unsigned month;     /* 1 to 12 */
    unsigned first_day; /* of the week, 0 = Sunday */
    unsigned count;     /* occurrences; 0: see until */
    bool has_until;
    int64_t until; /* date (midnight UTC) of the last possible occurrence, in the start zone */
    /* Tasks only: each completion makes the next one (MS-ASTASK 2.2.2.22). */
    bool regenerates;
    unsigned calendar; /* EAS CalendarType, carried untouched (MS-ASCAL 2.2.2.10); 0 = default, 1 = Gregorian */
    bool leap_month;
};

/* What a single event, a master and a changed occurrence have in common. A changed occurrence is complete: what it
 * inherits from its master is filled in. */
struct event_fields {
    int64_t start, end;
    bool all_day;
    struct str subject, location;
    struct str text;       /* description as plain text, LF line ends */
    struct str html;       /* the same as HTML; empty: the server has plain text (or it was not asked for) */
    struct str start_zone; /* IANA name; empty = UTC. Unused when all_day */
    struct str end_zone;   /* empty: as start_zone */
    enum event_busy busy;
    enum event_sensitivity sensitivity;
    enum event_importance importance;
    bool has_reminder;
    int reminder_minutes; /* before start (a task: see reminder_at) */
    const struct str *categories;
    size_t category_count;
    const struct event_attendee *attendees; /* without the organiser */
    size_t attendee_count;
    const struct event_attachment *attachments;
    size_t attachment_count;
    bool cancelled; /* the organiser called it off */
    /* The signed-in user's answer; EVENT_ORGANIZER: it is his. EVENT_NO_RESPONSE where there is no meeting. */
    enum event_response mine;
    int64_t replied; /* when; TIME_NONE (base/time.h) or 0 = unknown */
};

struct event_exception {
    int64_t original; /* start of the occurrence by the rule; a date when the master is all-day */
    bool deleted;     /* then nothing else counts */
    struct str id;    /* the server's own for the occurrence (EWS), or empty */
    struct event_fields fields;
};

enum event_task_status { EVENT_NOT_STARTED, EVENT_IN_PROGRESS, EVENT_COMPLETED, EVENT_WAITING, EVENT_DEFERRED };
struct event_task { /* start (TIME_NONE: none) and end = due stand in fields, as dates (all_day) */
    enum event_task_status status;
    unsigned percent;    /* 0 to 100 */
    int64_t completed;   /* date; TIME_NONE = not */
    int64_t reminder_at; /* instant; with fields.has_reminder */
};

struct event {
    enum event_kind kind;
    struct str uid; /* iCalendar's; the server's own where it makes one (EAS 16.x): the core keeps the client's */
    struct event_fields fields;
    bool is_meeting; /* has attendees, or came as an invitation */
    struct str organizer_email, organizer_name;
    bool organizer_elsewhere; /* as event_attendee.elsewhere */
    bool response_requested;
    bool has_recurrence;
    struct event_recurrence recurrence;
    const struct event_exception *exceptions; /* ascending by `original`, each once */
    size_t exception_count;
    struct event_task task;
    struct str join_url;                /* online meeting, read only */
    unsigned sequence;                  /* AppointmentSequenceNumber; 0 where unknown */
    int64_t created, modified, stamped; /* instants; TIME_NONE or 0 = unknown */
};

/* --- comparing ------------------------------------------------------------------------------------------------------
 */

/* What differs, so that a backend sends no more than that, and the core sees whether a server's item is still what it
 * was made from. Text is compared as clients see it (line ends, trailing blanks), addresses without ASCII case. */
enum event_part {
    EVENT_PART_TIME = 1 << 0, /* start, end, zones, all_day */
    EVENT_PART_SUBJECT = 1 << 1,
    EVENT_PART_LOCATION = 1 << 2,
    EVENT_PART_BODY = 1 << 3,
    EVENT_PART_BUSY = 1 << 4,
    EVENT_PART_SENSITIVITY = 1 << 5,
    EVENT_PART_IMPORTANCE = 1 << 6,
    EVENT_PART_REMINDER = 1 << 7,
    EVENT_PART_CATEGORIES = 1 << 8,
    EVENT_PART_ATTENDEES = 1 << 9, /* who is invited and how, not what they answered */
    EVENT_PART_ATTACHMENTS = 1 << 10,
    EVENT_PART_RECURRENCE = 1 << 11,
    EVENT_PART_EXCEPTIONS = 1 << 12, /* of struct event only */
    EVENT_PART_TASK = 1 << 13,
    EVENT_PART_MINE = 1 << 14,      /* the user's own answer */
    EVENT_PART_RESPONSES = 1 << 15, /* answers of the attendees */
    EVENT_PART_CANCELLED = 1 << 16
};
unsigned event_fields_differ(const struct event_fields *a, const struct event_fields *b);
/* The exceptions are compared by their originals, whole: EVENT_PART_EXCEPTIONS; only what was answered in them is
 * EVENT_PART_MINE and EVENT_PART_RESPONSES as it is in the series. */
unsigned event_differ(const struct event *a, const struct event *b);
/* The exception of this original start; NULL. */
const struct event_exception *event_exception(const struct event *e, int64_t original);
/* Deep copy into another arena. */
void event_copy(struct event *to, const struct event *from, struct arena *arena);

/* --- reading --------------------------------------------------------------------------------------------------------
 */

/* What the readers of both servers have to do alike, so that an event looks the same from either. */

/* A description as struct event has it: LF line ends, nothing invisible at its end. A copy. */
struct str event_lines(struct arena *arena, struct str s);
/* Exchange keeps "every second year" as every 24 months (MS-OXWSCDATA 2.2.4.1): years again. local_start: of the first
 * occurrence, on the wall. */
void event_months_to_years(struct event *e, int64_t local_start);
/* Sorts by `original` and keeps each once: a deletion before a change, else the first. The number that is left. */
size_t event_order_exceptions(struct event_exception *list, size_t count);
/* Some servers list the organiser among the attendees: the list without him, in place. */
size_t event_drop_attendee(struct event_attendee *list, size_t count, struct str email);

/* --- occurrences ----------------------------------------------------------------------------------------------------
 */

/*
 * Walks a series as Exchange counts it: by the rule, in the start zone's local time, deleted ones left out, changed
 * ones with their own times (in the order of their originals). A single event is one occurrence. Bounded: at most
 * EVENT_WALK_MAX steps of the rule from the start; a rule that yields nothing ends.
 */
#define EVENT_WALK_MAX 40000
struct event_occurrence {
    int64_t original, start, end;          /* dates when all_day */
    const struct event_exception *changed; /* NULL: by the rule */
    unsigned index;                        /* 1-based, deleted ones counted: EWS InstanceIndex */
};
/* Calls fn for those that overlap [from, to) (0 or INT64_MAX: no end); until it returns false. Dates count as their
 * midnight in `zone` (IANA; of whoever asks). False: the walk was cut by EVENT_WALK_MAX. */
bool event_each(const struct event *e, int64_t from, int64_t to, struct str zone,
                bool (*fn)(void *ud, const struct event_occurrence *o), void *ud);
/* The same test for one occurrence's fields. */
bool event_fields_within(const struct event_fields *f, int64_t from, int64_t to, struct str zone);
/* The n-th occurrence (from 1); `changed` is its exception, a deleted one, too. False: there are not so many. */
bool event_occurrence_at(const struct event *e, unsigned index, struct event_occurrence *ret);
/* The n-th occurrence's original by the rule; false: there is none. */
bool event_original_at(const struct event *e, unsigned index, int64_t *ret_original);
/* Its index; 0: no occurrence of the rule starts there. */
unsigned event_index_of(const struct event *e, int64_t original);
/* Instants (or dates) between which anything of the event happens; *ret_to = INT64_MAX: for ever. For an index. */
void event_span(const struct event *e, int64_t *ret_from, int64_t *ret_to);

#endif
