/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_PATH_H
#define PROTOCOLS_CALDAV_DAV_PATH_H
/*
 * The URLs that we serve, and what stands behind them:
 *
 *     /                              a sign on the door; leads to the principal
 *     /.well-known/caldav            RFC 6764: redirects to /dav/
 *     /dav/                          what has a principal
 *     /dav/ACCOUNT/                  the principal
 *     /dav/ACCOUNT/calendars/        calendar-home-set
 *     /dav/ACCOUNT/calendars/SEG/    a calendar or task list
 *     /dav/ACCOUNT/calendars/SEG/X   an object; X is the client's own
 *     /dav/ACCOUNT/inbox/, outbox/   RFC 6638
 *     /dav/ACCOUNT/attachments/ID    content of an attachment
 *
 * Pure. Paths are decoded once; an encoded slash, a NUL, "." and ".." are refused, so that no name means two things.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

enum dav_place {
    DAV_AT_NOWHERE,
    DAV_AT_ROOT,
    DAV_AT_WELL_KNOWN,
    DAV_AT_TOP,
    DAV_AT_PRINCIPAL,
    DAV_AT_HOME,
    DAV_AT_COLLECTION,
    DAV_AT_RESOURCE,
    DAV_AT_INBOX,
    DAV_AT_INBOX_ITEM, /* there is none */
    DAV_AT_OUTBOX,
    DAV_AT_ATTACHMENT
};
#define DAV_SEGMENT_MAX 255 /* bytes, decoded */

struct dav_path {
    enum dav_place place;
    struct str account, segment, name; /* decoded; in the arena */
};
/* False: no path at all (400). A path that leads nowhere is DAV_AT_NOWHERE. Takes absolute URLs, too (Destination,
 * href): their authority has to be `host`, or empty. */
bool dav_path_parse(struct str target, struct str host, struct arena *arena, struct dav_path *ret);
/* An absolute URL of another server, or of another port. */
bool dav_path_is_elsewhere(struct str target, struct str host);
/* Append it, encoded. */
void dav_path_write(struct buf *out, const struct dav_path *p);

#endif
