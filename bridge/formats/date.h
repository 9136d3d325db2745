/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_DATE_H
#define BRIDGE_FORMATS_DATE_H
/*
 * The dates of mail (RFC 5322 3.3 and 4.3) and of IMAP (RFC 3501 date, date-time). Times are seconds since 1970 UTC,
 * zones are minutes east.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

/* Tolerant: the weekday may be missing or wrong, seconds may be missing, years may have two or three digits, zones may
 * be names (unknown ones count as +0000), comments and rubbish after it are ignored. False when there is no date in it.
 */
bool date_parse(struct str value, int64_t *ret_wall_s, int *ret_zone_minutes);
/* Mon, 23 Nov 2026 14:05:11 +0100 */
void date_add_rfc5322(struct buf *out, int64_t wall_s, int zone_minutes);

/* 23-Nov-2026 14:05:11 +0100 (day padded with a blank: " 1-Nov-2026"), without quotes */
void date_add_imap(struct buf *out, int64_t wall_s, int zone_minutes);
/* The same back, strictly: " 1-Nov-2026 14:05:11 +0100" or "01-...", and "1-...", which some programs write and Dovecot
 * takes, too; for APPEND. */
bool date_parse_imap(struct str s, int64_t *ret_wall_s, int *ret_zone_minutes);
/* d-Mon-yyyy of SEARCH, one or two digits, without quotes; gives the day number (days since 1970-01-01). */
bool date_parse_imap_day(struct str s, int64_t *ret_day);
/* The day number of a moment as its own zone shows it: SENTON and SENTSINCE look at the date only (RFC 3501 6.4.4). */
int64_t date_day(int64_t wall_s, int zone_minutes);

#endif
