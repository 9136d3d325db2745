/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_NAMES_H
#define PROTOCOLS_CALDAV_DAV_NAMES_H
/* XML names of WebDAV and CalDAV that we know, by id; one table for reading and writing. */
#include "bridge/base/str.h"
#include "bridge/formats/xml.h"

enum dav_ns { NS_DAV = 1, NS_CALDAV, NS_CALSERVER, NS_APPLE };
extern const char *const dav_namespaces[4];

/* X(id, namespace, local name, prefixed name as we write it) */
#define DAV_NAMES(X)                                                                                                   \
    /* requests */                                                                                                     \
    X(PROPFIND, NS_DAV, "propfind", "D:propfind")                                                                      \
    X(ALLPROP, NS_DAV, "allprop", "D:allprop")                                                                         \
    X(PROPNAME, NS_DAV, "propname", "D:propname")                                                                      \
    X(INCLUDE, NS_DAV, "include", "D:include")                                                                         \
    X(PROP, NS_DAV, "prop", "D:prop")                                                                                  \
    X(PROPERTYUPDATE, NS_DAV, "propertyupdate", "D:propertyupdate")                                                    \
    X(SET, NS_DAV, "set", "D:set")                                                                                     \
    X(REMOVE, NS_DAV, "remove", "D:remove")                                                                            \
    X(MKCOL, NS_DAV, "mkcol", "D:mkcol")                                                                               \
    X(MKCALENDAR, NS_CALDAV, "mkcalendar", "C:mkcalendar")                                                             \
    X(CALENDAR_QUERY, NS_CALDAV, "calendar-query", "C:calendar-query")                                                 \
    X(CALENDAR_MULTIGET, NS_CALDAV, "calendar-multiget", "C:calendar-multiget")                                        \
    X(FREE_BUSY_QUERY, NS_CALDAV, "free-busy-query", "C:free-busy-query")                                              \
    X(SYNC_COLLECTION, NS_DAV, "sync-collection", "D:sync-collection")                                                 \
    X(PRINCIPAL_SEARCH, NS_DAV, "principal-property-search", "D:principal-property-search")                            \
    X(PRINCIPAL_SEARCH_SET, NS_DAV, "principal-search-property-set", "D:principal-search-property-set")                \
    X(EXPAND_PROPERTY, NS_DAV, "expand-property", "D:expand-property")                                                 \
    X(HREF, NS_DAV, "href", "D:href")                                                                                  \
    X(SYNC_LEVEL, NS_DAV, "sync-level", "D:sync-level")                                                                \
    X(LIMIT, NS_DAV, "limit", "D:limit")                                                                               \
    X(NRESULTS, NS_DAV, "nresults", "D:nresults")                                                                      \
    X(FILTER, NS_CALDAV, "filter", "C:filter")                                                                         \
    X(COMP_FILTER, NS_CALDAV, "comp-filter", "C:comp-filter")                                                          \
    X(PROP_FILTER, NS_CALDAV, "prop-filter", "C:prop-filter")                                                          \
    X(PARAM_FILTER, NS_CALDAV, "param-filter", "C:param-filter")                                                       \
    X(IS_NOT_DEFINED, NS_CALDAV, "is-not-defined", "C:is-not-defined")                                                 \
    X(TIME_RANGE, NS_CALDAV, "time-range", "C:time-range")                                                             \
    X(TEXT_MATCH, NS_CALDAV, "text-match", "C:text-match")                                                             \
    X(TIMEZONE, NS_CALDAV, "timezone", "C:timezone")                                                                   \
    X(TIMEZONE_ID, NS_CALDAV, "timezone-id", "C:timezone-id")                                                          \
    X(COMP, NS_CALDAV, "comp", "C:comp")                                                                               \
    X(CALPROP, NS_CALDAV, "prop", "C:prop")                                                                            \
    X(ALLCOMP, NS_CALDAV, "allcomp", "C:allcomp")                                                                      \
    X(CALALLPROP, NS_CALDAV, "allprop", "C:allprop")                                                                   \
    X(EXPAND, NS_CALDAV, "expand", "C:expand")                                                                         \
    X(LIMIT_RECURRENCE, NS_CALDAV, "limit-recurrence-set", "C:limit-recurrence-set")                                   \
    X(LIMIT_FREEBUSY, NS_CALDAV, "limit-freebusy-set", "C:limit-freebusy-set")                                         \
    /* properties */                                                                                                   \
    X(RESOURCETYPE, NS_DAV, "resourcetype", "D:resourcetype")                                                          \
    X(COLLECTION, NS_DAV, "collection", "D:collection")                                                                \
    X(CALENDAR, NS_CALDAV, "calendar", "C:calendar")                                                                   \
    X(DISPLAYNAME, NS_DAV, "displayname", "D:displayname")                                                             \
    X(GETETAG, NS_DAV, "getetag", "D:getetag")                                                                         \
    X(GETCONTENTTYPE, NS_DAV, "getcontenttype", "D:getcontenttype")                                                    \
    X(GETCONTENTLENGTH, NS_DAV, "getcontentlength", "D:getcontentlength")                                              \
    X(GETLASTMODIFIED, NS_DAV, "getlastmodified", "D:getlastmodified")                                                 \
    X(CURRENT_USER_PRINCIPAL, NS_DAV, "current-user-principal", "D:current-user-principal")                            \
    X(PRINCIPAL_URL, NS_DAV, "principal-URL", "D:principal-URL")                                                       \
    X(PRINCIPAL_COLLECTION_SET, NS_DAV, "principal-collection-set", "D:principal-collection-set")                      \
    X(OWNER, NS_DAV, "owner", "D:owner")                                                                               \
    X(CURRENT_USER_PRIVILEGE_SET, NS_DAV, "current-user-privilege-set", "D:current-user-privilege-set")                \
    X(SUPPORTED_REPORT_SET, NS_DAV, "supported-report-set", "D:supported-report-set")                                  \
    X(SYNC_TOKEN, NS_DAV, "sync-token", "D:sync-token")                                                                \
    X(CALENDAR_HOME_SET, NS_CALDAV, "calendar-home-set", "C:calendar-home-set")                                        \
    X(CALENDAR_USER_ADDRESS_SET, NS_CALDAV, "calendar-user-address-set", "C:calendar-user-address-set")                \
    X(CALENDAR_USER_TYPE, NS_CALDAV, "calendar-user-type", "C:calendar-user-type")                                     \
    X(SCHEDULE_INBOX_URL, NS_CALDAV, "schedule-inbox-URL", "C:schedule-inbox-URL")                                     \
    X(SCHEDULE_OUTBOX_URL, NS_CALDAV, "schedule-outbox-URL", "C:schedule-outbox-URL")                                  \
    X(SCHEDULE_DEFAULT_URL, NS_CALDAV, "schedule-default-calendar-URL", "C:schedule-default-calendar-URL")             \
    X(SCHEDULE_TAG, NS_CALDAV, "schedule-tag", "C:schedule-tag")                                                       \
    X(CALENDAR_DATA, NS_CALDAV, "calendar-data", "C:calendar-data")                                                    \
    X(CALENDAR_TIMEZONE, NS_CALDAV, "calendar-timezone", "C:calendar-timezone")                                        \
    X(SUPPORTED_COMPONENTS, NS_CALDAV, "supported-calendar-component-set", "C:supported-calendar-component-set")       \
    X(SUPPORTED_DATA, NS_CALDAV, "supported-calendar-data", "C:supported-calendar-data")                               \
    X(SUPPORTED_COLLATIONS, NS_CALDAV, "supported-collation-set", "C:supported-collation-set")                         \
    X(MAX_RESOURCE_SIZE, NS_CALDAV, "max-resource-size", "C:max-resource-size")                                        \
    X(MAX_INSTANCES, NS_CALDAV, "max-instances", "C:max-instances")                                                    \
    X(MAX_ATTENDEES, NS_CALDAV, "max-attendees-per-instance", "C:max-attendees-per-instance")                          \
    X(MIN_DATE_TIME, NS_CALDAV, "min-date-time", "C:min-date-time")                                                    \
    X(MAX_DATE_TIME, NS_CALDAV, "max-date-time", "C:max-date-time")                                                    \
    X(GETCTAG, NS_CALSERVER, "getctag", "CS:getctag")

enum dav_id {
    DAV_ID_NONE,
#define X(id, ns, local, written) DAV_ID_##id,
    DAV_NAMES(X)
#undef X
        DAV_ID_MAX
};
extern const struct xml_tag dav_tags[DAV_ID_MAX - 1]; /* id n stands at n - 1 */
const char *dav_written(enum dav_id id);              /* "D:getetag" */
/* The prefix of a namespace of ours as multistatus declares it; NULL: another one. */
const char *dav_prefix_of(struct str uri);

#endif
