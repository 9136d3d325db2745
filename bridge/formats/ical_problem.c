/* SPDX-License-Identifier: Apache-2.0 */
/* Why objects are refused. */
#include <stdio.h>

#include "bridge/formats/ical_private.h"

static const struct {
    const char *name;
    enum ical_fault fault;
    const char *text;
} reasons[] = {
    [ICAL_NO_REASON] = {"none", ICAL_VALID_DATA, ""},
    [ICAL_TOO_BIG] = {"too-big", ICAL_SIZE, "the object is too large"},
    [ICAL_SYNTAX] = {"syntax", ICAL_VALID_DATA, "this is no iCalendar"},
    [ICAL_NO_CALENDAR] = {"no-calendar", ICAL_VALID_DATA, "not one VCALENDAR of version 2.0"},
    [ICAL_METHOD_PRESENT] = {"method", ICAL_VALID_OBJECT, "an object with METHOD cannot be stored"},
    [ICAL_NO_COMPONENT] = {"no-component", ICAL_VALID_OBJECT, "there is neither an event nor a task in it"},
    [ICAL_WRONG_COMPONENT] = {"wrong-component", ICAL_COMPONENT, "only events and tasks can be stored"},
    [ICAL_MIXED] = {"mixed", ICAL_VALID_OBJECT, "one object holds one event or one task"},
    [ICAL_NO_UID] = {"no-uid", ICAL_VALID_OBJECT, "UID is missing, empty, or longer than 300 bytes"},
    [ICAL_NO_MASTER] = {"no-master", ICAL_VALID_OBJECT, "changed occurrences without their series"},
    [ICAL_TWO_MASTERS] = {"two-masters", ICAL_VALID_OBJECT, "the same event twice"},
    [ICAL_NO_START] = {"no-start", ICAL_VALID_DATA, "an event without DTSTART"},
    [ICAL_BAD_VALUE] = {"bad-value", ICAL_VALID_DATA, "the value cannot be read, or is there twice"},
    [ICAL_END_BEFORE_START] = {"end-before-start", ICAL_VALID_DATA, "the end is before the start"},
    [ICAL_TOO_EARLY] = {"too-early", ICAL_DATE_MIN, "Exchange has no dates before 1900"},
    [ICAL_TOO_LATE] = {"too-late", ICAL_DATE_MAX, "Exchange has no dates after 4500-08-31"},
    [ICAL_BAD_ZONE] = {"bad-zone", ICAL_VALID_DATA, "the time zone is not known and not described"},
    [ICAL_RULE_SYNTAX] = {"rule-syntax", ICAL_VALID_DATA, "RRULE cannot be read"},
    [ICAL_RULE_TWO] = {"rule-two", ICAL_VALID_OBJECT, "Exchange has one rule for a series, and no EXRULE"},
    [ICAL_RULE_PART] = {"rule-part", ICAL_VALID_OBJECT, "Exchange has no pattern that does what this RRULE says"},
    [ICAL_RULE_FREQUENCY] = {"rule-frequency", ICAL_VALID_OBJECT, "Exchange has no series that repeat within a day"},
    [ICAL_RULE_INTERVAL] = {"rule-interval", ICAL_VALID_OBJECT,
                            "Exchange repeats within 999 days, 99 weeks, 99 months or 8 years"},
    [ICAL_RULE_COUNT] = {"rule-count", ICAL_VALID_OBJECT, "too many occurrences"},
    [ICAL_RULE_SKIPS] =
        {"rule-skips", ICAL_VALID_OBJECT,
         "RRULE leaves out months that are too short, where Exchange takes another day; choose the last "
         "day or week of the month"},
    [ICAL_RULE_START] = {"rule-start", ICAL_VALID_OBJECT, "DTSTART is not an occurrence of its RRULE"},
    [ICAL_RULE_UNTIL] = {"rule-until", ICAL_VALID_OBJECT, "UNTIL is before DTSTART"},
    [ICAL_RULE_SCALE] = {"rule-scale", ICAL_VALID_OBJECT, "only the Gregorian calendar can be used here"},
    [ICAL_RULE_OVERLAPS] = {"rule-overlaps", ICAL_VALID_OBJECT,
                            "an occurrence lasts longer than until the next one begins"},
    [ICAL_RDATE] = {"rdate", ICAL_VALID_OBJECT, "Exchange cannot add single dates (RDATE) to a series"},
    [ICAL_NOT_AN_OCCURRENCE] = {"not-an-occurrence", ICAL_VALID_OBJECT, "RECURRENCE-ID is no occurrence of the series"},
    [ICAL_THIS_AND_FUTURE] = {"this-and-future", ICAL_VALID_OBJECT,
                              "RANGE=THISANDFUTURE: end the series and make a new one"},
    [ICAL_OCCURRENCE_TWICE] = {"occurrence-twice", ICAL_VALID_OBJECT,
                               "one occurrence is changed, or changed and deleted, twice"},
    [ICAL_OCCURRENCE_CROSSES] = {"occurrence-crosses", ICAL_VALID_OBJECT,
                                 "Exchange does not move an occurrence onto the day of its neighbour, into or past it"},
    [ICAL_OCCURRENCE_KIND] = {"occurrence-kind", ICAL_VALID_OBJECT,
                              "an all-day occurrence in a series that has hours, or the other way round"},
    [ICAL_TASK_OCCURRENCE] = {"task-occurrence", ICAL_VALID_OBJECT,
                              "Exchange cannot change single occurrences of a task"},
    [ICAL_ALL_DELETED] = {"all-deleted", ICAL_VALID_OBJECT, "no occurrence is left of the series: delete it"},
    [ICAL_TOO_MANY_EXCEPTIONS] = {"too-many-exceptions", ICAL_INSTANCES, "too many changed and deleted occurrences"},
    [ICAL_TOO_MANY_ATTENDEES] = {"too-many-attendees", ICAL_ATTENDEES, "too many attendees"},
    [ICAL_TOO_MANY] = {"too-many", ICAL_VALID_OBJECT, "too many categories or attachments"},
    [ICAL_BAD_ATTACHMENT] = {"bad-attachment", ICAL_VALID_DATA, "the content of an attachment cannot be read"},
};
_Static_assert(sizeof(reasons) / sizeof(*reasons) == ICAL_REASON_MAX, "every reason has its row");

const char *ical_reason_name(enum ical_reason reason)
{
    return reason < ICAL_REASON_MAX ? reasons[reason].name : "";
}

enum ical_fault ical_reason_fault(enum ical_reason reason)
{
    return reason < ICAL_REASON_MAX ? reasons[reason].fault : ICAL_VALID_DATA;
}

bool ical_refuse(struct ical_reader *r, enum ical_reason reason, unsigned line, const char *what)
{
    struct ical_problem *p = r->problem;
    p->reason = reason;
    p->line = line;
    if (line)
        snprintf(p->text, sizeof(p->text), "line %u: %s%s%s", line, what ? what : "", what ? ": " : "",
                 reasons[reason].text);
    else
        snprintf(p->text, sizeof(p->text), "%s%s%s", what ? what : "", what ? ": " : "", reasons[reason].text);
    return false;
}

bool ical_once(struct ical_reader *r, const struct ical_comp *c, const char *name, const struct ical_prop **ret)
{
    const struct ical_prop *p = ical_prop(c, name), *again = p ? ical_prop_next(p, name) : NULL;
    *ret = p;
    return !again || ical_refuse(r, ICAL_BAD_VALUE, again->line, name);
}
