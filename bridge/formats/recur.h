/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_RECUR_H
#define BRIDGE_FORMATS_RECUR_H
/*
 * Recurrence rules of iCalendar (RFC 5545 3.3.10) and of Exchange (struct event_recurrence, MS-OXOCAL 2.2.1.44), and
 * how one becomes the other.
 *
 * They do not say the same. Exchange has six patterns; iCalendar leaves out a month that has no 31st where Exchange
 * takes its last day. So a rule is translated by trying the patterns that could be meant and walking both over their
 * whole length (or until the calendar repeats): only when every date agrees it is accepted.
 *
 * Dates are days since 1970-01-01 here. Rules are bounded by their grammar; walking is bounded by RECUR_EMPTY_MAX.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/event.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/ical_tree.h"

/* --- RRULE ---------------------------------------------------------------------------------------------------------
 */

#define RECUR_LIST_MAX  64
#define RECUR_EMPTY_MAX 400 /* periods without a day: a rule that has none for so long has none */

enum recur_frequency { RECUR_DAILY, RECUR_WEEKLY, RECUR_MONTHLY, RECUR_YEARLY };
struct recur_day {
    int n; /* 0: every one; -1 the last */
    unsigned weekday;
};
struct recur {
    enum recur_frequency frequency;
    unsigned interval, count; /* count 0: none */
    bool has_until;
    int64_t until; /* seconds, of what until_kind says */
    enum ical_when until_kind;
    unsigned week_start; /* 0 = Sunday; iCalendar's default is Monday */
    unsigned months;     /* bit 1 to 12; 0: no BYMONTH */
    struct recur_day days[RECUR_LIST_MAX];
    int month_days[RECUR_LIST_MAX], positions[RECUR_LIST_MAX];
    int year_days[RECUR_LIST_MAX];
    unsigned day_count, month_day_count, year_day_count, position_count;
    /* BYHOUR, BYMINUTE, BYSECOND, a bit each; 0: not there. Walking looks at days only: see recur_keeps_clock(). */
    uint64_t hours, minutes, seconds;
    bool skip_backward; /* RFC 7529: a day that a month does not have is its last one, as Exchange does */
};
/* Reasons: ICAL_RULE_SYNTAX, _FREQUENCY, _PART, _SCALE. */
bool recur_parse(struct str text, struct recur *ret, enum ical_reason *ret_reason);
/* Does each day have one occurrence, at this second of the day? So it is unless the rule names other hours. */
bool recur_keeps_clock(const struct recur *r, int64_t clock);

/* The days of a rule in order, from the start day on; COUNT and UNTIL are not looked at. */
struct recur_walk {
    const struct recur *rule;
    int64_t start;
    int64_t period; /* number of the next one to be looked at */
    unsigned empty;
    unsigned at, n;
    int64_t days[366];
};
void recur_begin(struct recur_walk *w, const struct recur *rule, int64_t start_day);
bool recur_next(struct recur_walk *w, int64_t *ret_day);

/* --- Exchange's patterns ---------------------------------------------------------------------------------------------
 */

#define RECUR_YEARS_MAX 8 /* interval of years: Exchange counts 12 months each, up to 99 (MS-OXWSCDATA) */

/* The n-th day (from 0) of a pattern whose first possible day is `start`; closed form. INT64_MAX: beyond year 9999. */
int64_t pattern_day(const struct event_recurrence *p, int64_t start, int64_t n);
/* The number of the first day of the pattern that is not before `day`. */
int64_t pattern_find(const struct event_recurrence *p, int64_t start, int64_t day);
/* How many there are; INT64_MAX: no end. */
int64_t pattern_count(const struct event_recurrence *p, int64_t start);
/* Is it one that Exchange has: fields in range, days in the set that its kind allows? */
bool pattern_valid(const struct event_recurrence *p);
/* Counted in a calendar of the moon (EAS CalendarType): dates cannot be told from it here. */
bool pattern_is_foreign(const struct event_recurrence *p);

/* --- translation -----------------------------------------------------------------------------------------------------
 */

/* `until_day`: the last day on which an occurrence may begin, by the rule's UNTIL and the zone (unused without UNTIL).
 * Reasons: ICAL_RULE_*. */
bool recur_to_event(const struct recur *rule, int64_t start_day, int64_t until_day, struct event_recurrence *ret,
                    enum ical_reason *ret_reason);
/*
 * The RRULE text without UNTIL and COUNT ("FREQ=MONTHLY;BYDAY=2TU"), exactly what Exchange does. Where no text that
 * clients understand says that (every 30th, and in February its last day), it is the closest one, and *ret_clamps says
 * that days on which the month is too short have to be added (RDATE).
 */
void recur_from_event(const struct event_recurrence *p, int64_t start_day, struct buf *out, bool *ret_clamps);

#endif
