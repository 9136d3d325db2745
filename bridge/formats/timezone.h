/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_TIMEZONE_H
#define BRIDGE_FORMATS_TIMEZONE_H
/*
 * Time zones: the system's tzdata (RFC 8536 files, read by us), the names that Windows has for them (a table made from
 * Unicode CLDR when the program is built), and the three ways in which a zone travels as rules instead of a name: the
 * 172 bytes of EAS (MS-ASDTYPE 2.7.6), the periods of an EWS TimeZoneDefinition (MS-OXWSGTZ), and VTIMEZONE (RFC 5545
 * 3.6.5).
 *
 * A zone in struct event is its name: an IANA name as tzdata spells it ("Europe/Berlin"), empty for UTC, or the name of
 * a zone that exists as a rule only ("Custom/...": see tz_custom()). Every such name can be given to tz_by_name().
 *
 * Life cycle: zones are loaded when first asked for, shared, never freed and never changed; a `const struct tz *` is
 * good for ever. One thread. There are at most TZ_ZONES_MAX of them; where tzdata is missing only UTC and custom zones
 * are left (tz_available() for the doctor).
 *
 * Units: instants are seconds since 1970 UTC. `local` is what the clock on the wall shows, as seconds since 1970 as if
 * it were UTC. Offsets are seconds east of UTC, of struct tz_rules minutes west (as Windows has them). Dates before the
 * first transition of a zone use its first offset; after the last one its rule for ever (RFC 8536 3.3).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define TZ_ZONES_MAX 2000 /* loaded ones, custom ones among them */
#define TZ_NAME_MAX  80   /* bytes of a zone's name */
#define TZ_FILE_MAX  65536

struct tz; /* libc has a `struct timezone` and a `timezone` of its own */

/* --- by name -------------------------------------------------------------------------------------------------------
 */

const struct tz *tz_utc(void);
/* An IANA name or alias, in any ASCII case; "", "UTC" and "Z" are UTC; "Custom/...". NULL: there is no such zone. */
const struct tz *tz_by_name(struct str name);
/* The zone that CLDR names for a Windows id ("W. Europe Standard Time": Europe/Berlin); when `prefer` (may be NULL) has
 * the same Windows id, it is `prefer`. NULL: no such id. */
const struct tz *tz_by_windows(struct str id, const struct tz *prefer);
/*
 * Whatever servers and clients put where a zone's name belongs: IANA names, Windows ids, either padded with blanks or
 * line ends, in quotes or behind a prefix ("/mozilla.org/20070129_1/Europe/Berlin", "/freeassociation.sourceforge.net/
 * Tzfile/Europe/Berlin"), "tzone://Microsoft/Utc", "W. Europe Daylight Time", "UTC+02:00". NULL: the name says nothing,
 * as "Customized Time Zone" and "tzone://Microsoft/Custom" do; look at the rules then.
 */
const struct tz *tz_find(struct str name, const struct tz *prefer);
/* Is tzdata there? Else the reason (a path and what is wrong with it) in *ret_why. */
bool tz_available(struct str *ret_why);
/* Another directory than /usr/share/zoneinfo (tests); before the first lookup. Must outlive the process. */
void tz_set_directory(const char *path);

/* As tz_by_name() takes it; "" for UTC. Lives for ever. */
struct str tz_name(const struct tz *z);
/* The Windows id: by CLDR, else that of the first zone with the same rules this decade, else (no zone of Windows fits)
 * empty: send the rules. */
struct str tz_windows(const struct tz *z);
bool tz_is_utc(const struct tz *z);
/* Do both names mean the same to Exchange: equal, aliases, the same Windows id, or both unknown and equal? What a
 * server returns for Europe/Vienna is Europe/Berlin, and that is no change. */
bool tz_same(struct str a, struct str b);

/* --- time on the wall ----------------------------------------------------------------------------------------------
 */

int tz_offset(const struct tz *z, int64_t instant);
int64_t tz_to_local(const struct tz *z, int64_t instant);
/* RFC 5545 3.3.5: a local time that comes twice is the first one; one that does not exist is taken with the offset
 * before the gap (02:30 of the night when clocks go from 02:00 to 03:00 is 03:30). */
int64_t tz_to_utc(const struct tz *z, int64_t local);
/* The first moment after `instant` at which the offset changes, and the offset then. False: never again. */
bool tz_next_change(const struct tz *z, int64_t instant, int64_t *ret_at, int *ret_offset);

/* --- as rules ------------------------------------------------------------------------------------------------------
 */

/* SYSTEMTIME as a transition date (MS-DTYP 2.3.13, MS-ASDTYPE 2.7.6): local time before the change. year 0: the
 * `day`-th `weekday` of the month, 5 = the last one; another year: that very day. month 0: there is none. */
struct tz_date {
    unsigned year, month, weekday, day, hour, minute, second; /* weekday 0 = Sunday */
};
/* UTC = local + bias + (standard_bias or daylight_bias); minutes. Without daylight time both dates are empty and the
 * biases 0. */
struct tz_rules {
    int bias, standard_bias, daylight_bias;
    struct tz_date standard; /* when standard time begins */
    struct tz_date daylight;
};
/* The rules in force in that year. A year with an odd set of changes has what two dates can say: the last two changes
 * of three (Morocco's Ramadan), and a change that does not go back begins with the other offset on 1 January. `year` is
 * always 0 here. */
void tz_rules(const struct tz *z, int year, struct tz_rules *ret);
/* A zone that has these rules in that year: `prefer` if it does, else the first one of the Windows table, else the
 * first of tzdata; NULL: none. */
const struct tz *tz_by_rules(const struct tz_rules *rules, int year, const struct tz *prefer);
/* A zone of its own made of rules that no zone has; its name describes it completely and survives restarts
 * ("Custom/+0530", "Custom/+0100+0200-M3.5.0.0200-M10.5.0.0300": offsets east, then month.week.weekday.time at which
 * daylight time begins and ends). Dates with a year are taken as the n-th weekday of their month. NULL: nonsense. */
const struct tz *tz_custom(const struct tz_rules *rules);

#define TZ_BLOB_SIZE 172
/* The 172 bytes of EAS (not base64 yet), with the zone's Windows id as StandardName and the rules of that year. */
void tz_blob_write(const struct tz *z, int year, unsigned char ret_blob[TZ_BLOB_SIZE]);
/*
 * And back: by StandardName (Windows id, else IANA name), else by the rules, else a custom zone. `prefer` (may be NULL)
 * wins among equals. False: not 172 bytes, or out of range. *ret_zone NULL: all zero, which says "unknown" (some
 * servers send nothing else): use the account's zone.
 */
bool tz_blob_read(struct str blob, int year, const struct tz *prefer, const struct tz **ret_zone);

/* --- VTIMEZONE -----------------------------------------------------------------------------------------------------
 */

/*
 * BEGIN:VTIMEZONE to END:VTIMEZONE with CRLF, TZID = tz_name(): right from the beginning of from_year on; to_year
 * INT_MAX: for ever. As few sub-components as say it: one pair of rules, or the single changes where the law changed or
 * never had a rule. Deterministic. Nothing for UTC, which needs none.
 */
void tz_write_vtimezone(const struct tz *z, int from_year, int to_year, struct buf *out);

/*
 * The zone that a client's VTIMEZONE means. By TZID (tz_find), else by X-LIC-LOCATION, else the zone whose local times
 * are the same from from_year to to_year, else a custom zone that is. `text` is the component alone, unfolded or not.
 * False: it cannot be read, or its changes of these years fit no rule of one standard and one daylight time (for a
 * single event, whose year alone counts, that does not happen); *ret_why is a static text.
 */
bool tz_read_vtimezone(struct str text, int from_year, int to_year, const struct tz *prefer, const struct tz **ret_zone,
                       const char **ret_why);

#endif
