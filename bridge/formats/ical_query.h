/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_ICAL_QUERY_H
#define BRIDGE_FORMATS_ICAL_QUERY_H
/*
 * What CalDAV reports ask of calendar objects (RFC 4791 9.6 to 9.9): does one match a filter, and what of it is wanted.
 * Pure functions over the object's text as ical_write() made it (stored events) and, where recurrence counts, the event
 * itself, so that a rule is walked once and in one place (event_each). The protocol fills these structs from its XML.
 * Whoever has an index of event_span() asks ical_match() only about the rest.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "bridge/formats/event.h"
#include "bridge/formats/ical_tree.h"

/* [from, to) in instants; INT64_MIN and INT64_MAX: open. */
struct ical_range {
    int64_t from, to;
};

/* --- filter (9.7) --------------------------------------------------------------------------------------------------
 */

enum ical_collation { ICAL_ASCII_CASEMAP, ICAL_OCTET, ICAL_UNICODE_CASEMAP }; /* 7.5; the first is the default */
struct ical_text_match {
    struct str text; /* contains it */
    enum ical_collation collation;
    bool negate;
};
struct ical_param_filter {
    struct str name;
    bool is_not_defined;
    const struct ical_text_match *match; /* NULL: it is there */
};
struct ical_prop_filter {
    struct str name;
    bool is_not_defined;
    const struct ical_range *range; /* 9.9: properties with a date or date-time value */
    const struct ical_text_match *match;
    const struct ical_param_filter *params;
    size_t param_count;
};
struct ical_comp_filter {
    struct str name; /* the outermost is VCALENDAR */
    bool is_not_defined;
    const struct ical_range *range; /* VEVENT, VTODO, VALARM: 9.9; recurrences count */
    const struct ical_prop_filter *props;
    size_t prop_count;
    const struct ical_comp_filter *comps;
    size_t comp_count;
};
/* `e` is the event of `text`; `zone` (IANA): where all-day events and floating times are (9.8, else the account's). */
bool ical_match(struct str text, const struct event *e, const struct ical_comp_filter *filter, struct str zone,
                struct arena *scratch);
/* Does any occurrence of it overlap? The time-range test of VEVENT and VTODO alone (9.9), without its text. */
bool ical_in_range(const struct event *e, const struct ical_range *range, struct str zone);

/* --- calendar-data (9.6) ---------------------------------------------------------------------------------------------
 */

struct ical_select_prop {
    struct str name;
    bool no_value;
};
struct ical_select { /* C:comp */
    struct str name;
    bool all_props, all_comps;
    const struct ical_select_prop *props;
    size_t prop_count;
    const struct ical_select *comps;
    size_t comp_count;
};
struct ical_shape {
    const struct ical_select *select;    /* NULL: everything */
    const struct ical_range *expand;     /* 9.6.5: every occurrence by itself, in UTC, no rule, no zones */
    const struct ical_range *limit;      /* 9.6.6: only the overrides that matter there; not with expand */
    const struct ical_range *limit_busy; /* 9.6.7: FREEBUSY periods of VFREEBUSY */
};
/* False: more than `instances_max` occurrences (0: no limit) would come of expand. */
bool ical_shape(struct buf *out, struct str text, const struct event *e, const struct ical_shape *shape,
                struct str zone, size_t instances_max, struct arena *scratch);

/* --- free/busy (7.10, RFC 6638 3.3) ----------------------------------------------------------- */

struct ical_busy {
    int64_t from, to;
    enum event_busy busy; /* EVENT_FREE and EVENT_ELSEWHERE are not written */
};
struct ical_busy_list {
    struct ical_busy *spans;
    size_t count, size;
};
/* What an event adds to the busy time of a range; transparent and cancelled ones nothing. In `a`; unsorted. False: over
 * `max` spans. */
bool ical_busy_of(const struct event *e, const struct ical_range *range, struct str zone, size_t max, struct arena *a,
                  struct ical_busy_list *list);
/* VCALENDAR with one VFREEBUSY: sorted, overlapping ones of a kind joined, the busiest kind wins. organizer, attendee
 * and uid may be empty (7.10 has none of them). `method`: "REPLY" of a scheduling outbox, NULL otherwise. */
void ical_write_busy(struct buf *out, const struct ical_busy_list *list, const struct ical_range *range,
                     int64_t stamped, struct str uid, struct str organizer, struct str attendee, const char *method);
/* The VFREEBUSY request posted to an outbox: whom it asks about, from when to when. */
struct ical_busy_request {
    struct ical_range range;
    struct str uid, organizer; /* addresses without "mailto:" */
    const struct str *attendees;
    size_t attendee_count;
};
bool ical_read_busy_request(struct str text, struct arena *a, struct ical_busy_request *ret, const char **ret_why);

#endif
