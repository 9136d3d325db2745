/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_ICAL_H
#define BRIDGE_FORMATS_ICAL_H
/*
 * iCalendar objects (RFC 5545) to events and back, and the messages between organisers and attendees (RFC 5546).
 *
 *   client's object --ical_read--> struct event + extras          event + extras --ical_write--> the object again
 *
 * An object read is one event or task of one UID with its changed occurrences, as CalDAV has it (RFC 4791 4.1). What
 * Exchange cannot express is refused with a reason; nothing is changed silently. What Exchange has no place for (a
 * second alarm, X- properties, floating times, GEO, ...) comes back as `extras`: a text of its own, to be kept beside
 * the item and merged into what is written later.
 *
 * Promises, which the tests check: ical_write() gives the same bytes for the same arguments (no clock); and
 *     ical_read(ical_write(e, extras)) == (e, extras)
 * for every event that Exchange can hold, so that an event can be stored as its iCalendar. What RFC 5545 has no
 * property for stands in X-MICROSOFT- and X-EXBRIDGE- properties then.
 *
 * Pure functions; results live in the caller's arena; all input is bounded (ical_tree.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/formats/event.h"

/* --- why an object is refused --------------------------------------------------------------------------------------
 */

/* The precondition that a CalDAV server names (RFC 4791 5.3.2.1). */
enum ical_fault {
    ICAL_VALID_DATA,   /* valid-calendar-data: no iCalendar, or values that mean nothing */
    ICAL_VALID_OBJECT, /* valid-calendar-object-resource: not one event; or one that Exchange cannot express */
    ICAL_COMPONENT,    /* supported-calendar-component */
    ICAL_SIZE,         /* max-resource-size */
    ICAL_DATE_MIN,     /* min-date-time */
    ICAL_DATE_MAX,     /* max-date-time */
    ICAL_INSTANCES,    /* max-instances */
    ICAL_ATTENDEES     /* max-attendees-per-instance */
};
/* Each has a name ("rule-two"), a fault and a sentence; see the table in ical_problem.c. */
enum ical_reason {
    ICAL_NO_REASON,
    ICAL_TOO_BIG,         /* over ICAL_TEXT_MAX or another limit of ical_tree.h */
    ICAL_SYNTAX,          /* content lines, nesting, UTF-8 */
    ICAL_NO_CALENDAR,     /* not one VCALENDAR with VERSION:2.0 */
    ICAL_METHOD_PRESENT,  /* a stored object has no METHOD (RFC 4791 4.1) */
    ICAL_NO_COMPONENT,    /* neither event nor task in it */
    ICAL_WRONG_COMPONENT, /* VJOURNAL, VFREEBUSY, ... */
    ICAL_MIXED,           /* events and tasks, or several UIDs, in one object */
    ICAL_NO_UID,          /* or an empty, or too long one */
    ICAL_NO_MASTER,       /* changed occurrences without their series */
    ICAL_TWO_MASTERS,
    ICAL_NO_START,  /* an event without DTSTART */
    ICAL_BAD_VALUE, /* a date, duration, number that is none; twice what may be once */
    ICAL_END_BEFORE_START,
    ICAL_TOO_EARLY, /* before 1900: FILETIME and EAS begin there, min-date-time */
    ICAL_TOO_LATE,  /* after 4500-08-31, where Outlook's calendar ends (MS-OXOCAL 2.2.1.44.1) */
    ICAL_BAD_ZONE,  /* TZID that is neither known nor described */
    ICAL_RULE_SYNTAX,
    ICAL_RULE_TWO,       /* several RRULE, or EXRULE */
    ICAL_RULE_PART,      /* BYWEEKNO, hours besides DTSTART's, or a combination that no pattern has */
    ICAL_RULE_FREQUENCY, /* SECONDLY, MINUTELY, HOURLY */
    ICAL_RULE_INTERVAL,  /* over EVENT_INTERVAL_MAX or 99 */
    ICAL_RULE_COUNT,     /* over EVENT_COUNT_MAX */
    ICAL_RULE_SKIPS,     /* the 29th to 31st, the fifth Monday: iCalendar leaves out months where Exchange has a day */
    ICAL_RULE_START,     /* DTSTART is not an occurrence of the rule */
    ICAL_RULE_UNTIL,     /* UNTIL of another type than DTSTART, or before it */
    ICAL_RULE_SCALE,     /* RSCALE other than GREGORIAN */
    ICAL_RULE_OVERLAPS,  /* an occurrence lasts longer than until the next (ErrorOccurrenceTimeSpanTooBig) */
    ICAL_RDATE,
    ICAL_NOT_AN_OCCURRENCE, /* RECURRENCE-ID where the rule has nothing (an EXDATE there says nothing) */
    ICAL_THIS_AND_FUTURE,
    ICAL_OCCURRENCE_TWICE,   /* two overrides of one occurrence */
    ICAL_OCCURRENCE_CROSSES, /* moved onto or past its neighbour: Exchange refuses it (MS-OXOCAL 3.1.4.7.2) */
    ICAL_OCCURRENCE_KIND,    /* all-day and timed in one series */
    ICAL_TASK_OCCURRENCE,    /* changed or deleted occurrences of a task */
    ICAL_ALL_DELETED,        /* a series without any occurrence left */
    ICAL_TOO_MANY_EXCEPTIONS,
    ICAL_TOO_MANY_ATTENDEES,
    ICAL_TOO_MANY,       /* categories, attachments */
    ICAL_BAD_ATTACHMENT, /* base64 that is none */
    ICAL_REASON_MAX
};
struct ical_problem {
    enum ical_reason reason;
    unsigned line;  /* of the text, from 1; 0: the whole */
    char text[200]; /* a sentence for a person, with names of properties but no content; one line */
};
const char *ical_reason_name(enum ical_reason reason);
enum ical_fault ical_reason_fault(enum ical_reason reason);

/* --- objects -------------------------------------------------------------------------------------------------------
 */

struct ical_options {
    struct str zone;      /* the account's (IANA): where floating times are, and what wins among equal zones */
    const struct str *me; /* the user's addresses: which ATTENDEE is he, is the ORGANIZER himself */
    size_t me_count;
    struct str own_urls; /* what our addresses of attachments begin with; empty: none known */
    /* The server knows neither the priority of an event nor how far a task is (EAS): what a client says of them is an
     * extra, and stands as long as the rest does. */
    bool coarse;
    /* The server cancels meetings and nothing else: STATUS:CANCELLED of another event is an extra, and its time free.
     */
    bool cancels_meetings;
    /* The server has this meeting (somebody else's, or one that is off) as an appointment: who is in it is an extra. */
    bool uninvited;
};

/*
 * One object as a client stores it. *ret lives in `a`; *ret_extras, too (empty: nothing left over). Tolerates what real
 * clients send wrong and what cannot be misunderstood (missing PRODID, LF line ends, DTEND equal to DTSTART of an
 * all-day event, EXDATE as a date in a timed series, properties of a wrong component); see ical_read.c.
 *  - is_meeting when there is an ATTENDEE or a foreign ORGANIZER; fields.mine from the user's own PARTSTAT;
 *    response_requested from RSVP; attendees without the organiser.
 *  - html from X-ALT-DESC, or from DESCRIPTION's ALTREP="data:text/html,..." (Thunderbird).
 *  - DTSTART;VALUE=DATE: all_day; a floating time: in options->zone, and an extra that makes it floating again.
 *  - exceptions: EXDATE and overrides; an override equal to its occurrence is kept.
 *  - attachments: inline base64 -> data; MANAGED-ID (RFC 8607) -> id, or an address that begins with own_urls -> url;
 *    with FILENAME, FMTTYPE, SIZE. Any other URL is an extra: Exchange keeps no links.
 */
bool ical_read(struct str text, const struct ical_options *options, struct arena *a, struct event *ret,
               struct str *ret_extras, struct ical_problem *ret_problem);

/*
 * The object of an event: VCALENDAR, VTIMEZONEs needed, master, changed occurrences. `extras` (may be empty) as
 * ical_read() gave them: each goes back into its component; those of occurrences that are no more are left out.
 * An attachment without url and data gets `attachment:ID` as its address: callers set url before they write for a
 * client.
 */
void ical_write(struct buf *out, const struct event *e, const struct ical_options *options, struct str extras);

/*
 * A client edits what it shows and carries the rest along. Puts right in `wanted` what it cannot have meant:
 *  - the plain text changed but the HTML stands as it was: the HTML is dropped (and the other way round);
 *  - an attachment known by id or url keeps id, name, type and size of `base`;
 *  - exceptions get the server's ids of `base`;
 *  - the sequence number does not go back.
 * Both in `a`. Call it after ical_read() of a change, before event_differ().
 */
void ical_settle(struct event *wanted, const struct event *base, struct arena *a);

/* --- scheduling messages (RFC 5546) ----------------------------------------------------------------------------------
 */

enum ical_method {
    ICAL_NO_METHOD,
    ICAL_REQUEST,
    ICAL_REPLY,
    ICAL_CANCEL,
    ICAL_COUNTER,
    ICAL_DECLINECOUNTER,
    ICAL_PUBLISH,
    ICAL_ADD,
    ICAL_REFRESH
};
const char *ical_method_name(enum ical_method method); /* "REQUEST"; "" for none */

struct ical_message {
    enum ical_method method;
    const struct str *to; /* attendees whom it goes to: only they are in a CANCEL; others stay listed in a REQUEST */
    size_t to_count;
    bool has_instance; /* about one occurrence: RECURRENCE-ID; else the whole event with its changed occurrences */
    int64_t instance;  /* its original start */
    /* REPLY: the one who answers, and what. */
    struct str from_email, from_name;
    enum event_response response;
    struct str comment;
    int64_t stamped; /* DTSTAMP */
};
/* The text/calendar part (the caller makes a message of it, method=... in its type). False: REPLY without from_email or
 * response, an instance that is none of the event's. */
bool ical_write_message(struct buf *out, const struct event *e, const struct ical_message *m,
                        const struct ical_options *options, struct err *ret_err);

/* A text/calendar part of a mail. More tolerant than ical_read(): an override without its series is an event with
 * has_instance. */
struct ical_invitation {
    enum ical_method method;
    struct event event; /* fields of the whole series, or of the one occurrence when has_instance */
    bool has_instance;
    int64_t instance;
    /* Of a REPLY: who, what, and with which words. */
    struct str from_email, from_name, comment;
    enum event_response response;
};
bool ical_read_message(struct str text, const struct ical_options *options, struct arena *a,
                       struct ical_invitation *ret, struct ical_problem *ret_problem);

#endif
