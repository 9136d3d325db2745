/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_BODY_H
#define PROTOCOLS_CALDAV_DAV_BODY_H
/*
 * The XML bodies of requests (RFC 4918, 4791, 6578): PROPFIND, PROPPATCH, MKCALENDAR, MKCOL (RFC 5689) and REPORT.
 * Pure; everything lives in the arena. Elements that nobody knows are skipped, as RFC 4918 17 wants it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/formats/ical_query.h"
#include "protocols/caldav/dav_names.h"

#define DAV_PROPS_MAX   200 /* properties named in one request */
#define DAV_FILTERS_MAX 200 /* comp-, prop-, param-filters and comp, prop elements together */

struct dav_prop {
    enum dav_id id; /* DAV_ID_NONE: not one of ours */
    struct str ns, local;
};
struct dav_update { /* PROPPATCH, MKCALENDAR */
    struct dav_prop prop;
    bool remove;
    struct str value; /* content of the element as XML, namespaces declared in it; of text alone: escaped text */
    struct str text;  /* its text */
};

struct dav_body {
    enum dav_id root; /* DAV_ID_NONE: there was no body */
    bool unknown;     /* a root element that we do not know: no such report */
    bool all, names;  /* PROPFIND: allprop, propname */
    struct dav_prop *props;
    size_t prop_count;
    struct dav_update *updates;
    size_t update_count;
    struct str *hrefs; /* multiget */
    size_t href_count;
    struct str sync_token;
    bool has_sync_token;
    struct str sync_level;
    uint64_t limit;                  /* 0 = none */
    struct ical_comp_filter *filter; /* VCALENDAR's; NULL: none was given */
    struct ical_range range;         /* free-busy-query */
    bool has_range;
    bool wants_data; /* calendar-data is among the properties */
    struct ical_shape shape;
    struct str zone;                       /* name of C:timezone or C:timezone-id; p NULL: none that is known */
    bool has_comps, comp_event, comp_task; /* MKCALENDAR: supported-calendar-component-set */
};

struct dav_body_problem {
    int status;               /* 400, 403, 413, 415, 422 */
    const char *precondition; /* "C:valid-filter", "C:supported-collation", ...; NULL = none */
    char text[160];
};
/* hrefs_max: over it 413 (or DAV's number-of-matches-within-limits). False: *problem. */
bool dav_body_read(struct str body, size_t hrefs_max, struct arena *arena, struct dav_body *ret,
                   struct dav_body_problem *problem);

/* Is it an iCalendar object with a VTIMEZONE (C:timezone, C:calendar-timezone)? */
bool dav_has_zone(struct str text);
/* The zone that a stored C:calendar-timezone means, by its content as XML; p NULL: none that is known. */
struct str dav_zone_of(struct str value, struct arena *arena);

#endif
