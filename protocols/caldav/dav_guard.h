/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_GUARD_H
#define PROTOCOLS_CALDAV_DAV_GUARD_H
/*
 * Against web pages in the user's browser, which can reach our port, too: DNS rebinding is caught by Host, cross-site
 * requests by Origin, Referer and Sec-Fetch-*. Looked at before anything else, authentication included, so that a
 * browser that was sent here never shows a password dialog. Calendar programs send none of these headers, or ones that
 * fit (Thunderbird). Pure.
 */
#include "protocols/caldav/dav_http.h"

struct dav_guard {
    bool tls;
    unsigned port;
    const char *name; /* a host name of our own besides localhost; NULL = none */
};
/* 0, or the status to refuse with: 421 for a Host that is not ours, 400, 403. */
int dav_guard_check(const struct dav_guard *g, const struct dav_request *r);

#endif
