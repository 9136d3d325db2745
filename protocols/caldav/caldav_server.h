/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_CALDAV_SERVER_H
#define PROTOCOLS_CALDAV_CALDAV_SERVER_H
/*
 * CalDAV (RFC 4791) with scheduling (RFC 6638) and sync-collection (RFC 6578) over HTTP/1.1: calendars and task lists
 * of the accounts, as bridge/calendar.h has them. Listening, limits and the end are protocols/server.h's.
 *
 * Answers of many objects go out in chunks, as the client takes them. The scheduling inbox is there and empty: Exchange
 * puts an invitation into the calendar by itself, where it is answered as RFC 6638 3.2.2 has it, and the request itself
 * is mail in INBOX. Where a server schedules (calendar-auto-schedule), Thunderbird leaves the inbox alone; Evolution
 * and DAVx5 never look into one.
 *
 * Clients sign in with Basic authentication (RFC 7617), name and password as for IMAP, on every request; a connection
 * is one account's. Nothing but what dav_guard.h lets through is looked at.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/server.h"

struct caldav_limits {    /* 0 means the default in parentheses; names as in [limits] */
    size_t request_line;  /* http-request-line (8 KiB) */
    size_t headers;       /* http-headers (32 KiB) */
    size_t header_count;  /* http-header-count (100) */
    size_t body;          /* http-body (10 MiB): also max-resource-size */
    unsigned header_s;    /* http-header-timeout (10): from the first byte of a request to the end of its head */
    unsigned keepalive_s; /* http-keepalive (60): between two requests */
    size_t hrefs;         /* dav-hrefs (5000) in one multiget */
    size_t results;       /* dav-results (20000) in one answer */
};
struct caldav_server_opts {
    struct servers *all;
    bool tls;
    unsigned port;         /* as clients know it: Host is compared with it */
    const char *host_name; /* another name of this machine that clients may use; NULL: localhost only */
    struct caldav_limits limits;
};
/* opts is copied; never fails. */
struct server *caldav_server_new(const struct caldav_server_opts *opts);

#endif
