/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_TIME_H
#define BRIDGE_BASE_TIME_H
/*
 * Clocks and the time format of XML and EAS. Timers and durations use the monotonic clock in milliseconds; wall-clock
 * times are seconds or milliseconds since 1970-01-01T00:00:00Z as int64_t. TIME_NONE says "unknown".
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define TIME_NONE INT64_MIN

uint64_t time_mono_ms(void);
int64_t time_wall_s(void);
int64_t time_wall_ms(void);

struct time_parts {
    int year, month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                                /* 0 = Sunday */
    int zone_minutes;                           /* east of UTC */
};
/* Proleptic Gregorian, years 1 to 9999 (clamped outside). */
void time_to_parts(int64_t wall_s, int zone_minutes, struct time_parts *ret_parts);
int64_t time_from_parts(const struct time_parts *parts); /* uses zone_minutes, ignores weekday */
/* xs:dateTime and EAS forms: 2026-11-23T14:05:11Z, ...11.123Z, ...+01:00, 20261123T140511Z, without zone = UTC. */
bool time_parse_iso(struct str s, int64_t *ret_wall_ms);
void time_add_iso(struct buf *out, int64_t wall_s);     /* 2026-11-23T14:05:11Z */
void time_add_iso_ms(struct buf *out, int64_t wall_ms); /* 2026-11-23T14:05:11.123Z */

#endif
