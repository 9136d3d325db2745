/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_IF_H
#define PROTOCOLS_CALDAV_DAV_IF_H
/*
 * The If header (RFC 4918 10.4): lists of conditions, about the resource that the request is about or about those that
 * it names. It holds when one list does, and a list when all of its conditions do. Pure; bounded by the size of a
 * request's headers.
 *
 *     If: (["5-17"])                               If: <https://localhost/dav/w/calendars/c/> (<urn:...:sync:5-20>)
 *     If: (<DAV:no-lock>) (Not ["5-17"] ["5-18"])
 */
#include <stdbool.h>

#include "bridge/base/str.h"

/* Who knows. `resource`: as the header writes it; empty: what the request is about. `tag` with its quotes and W/. */
struct dav_if {
    bool (*has_etag)(void *ud, struct str resource, struct str tag);
    bool (*has_token)(void *ud, struct str resource, struct str token);
    void *ud;
};
enum dav_if_result { DAV_IF_HOLDS, DAV_IF_FAILS, DAV_IF_WRONG /* no such header: 400 */ };
enum dav_if_result dav_if_check(struct str header, const struct dav_if *who);

#endif
