/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_TIMEZONE_PRIVATE_H
#define BRIDGE_FORMATS_TIMEZONE_PRIVATE_H
/* Inside of timezone*.c. */
#include "bridge/formats/timezone.h"

#define TZ_DAY_S 86400

struct tz_type { /* a local time type (RFC 8536 3.2) */
    int offset;
    bool daylight;
    char abbreviation[8]; /* cut; "" unknown */
};
/* When in a year, in local time: Mm.w.d, Jn, n of POSIX, with its time of day (which may be negative or over a day). */
struct tz_onset {
    char form; /* 'M', 'J', or 'N' for zero-based days */
    unsigned month, week, day;
    int seconds;
};
/* The POSIX TZ string at the end of a file (RFC 8536 3.3). */
struct tz_posix {
    struct tz_type standard, daylight;
    bool has_daylight;
    struct tz_onset begin, end; /* of daylight time */
};
struct tz {
    struct tz *next; /* of the same hash */
    char name[TZ_NAME_MAX + 1];
    struct str windows;
    bool windows_known;
    struct tz_type *types;
    size_t type_count; /* at least 1 */
    int64_t *at;       /* changes, ascending; at[i] begins types[type_of[i]] */
    unsigned char *type_of;
    size_t count;
    bool has_rule; /* from at[count - 1] on (always, when count is 0) */
    struct tz_posix rule;
};

/* A TZif file into types, at and rule. False: it is none, with the reason. tz_unload() frees either way. */
bool tz_file_read(struct str bytes, struct tz *z, const char **ret_why);
bool tz_posix_read(struct str text, struct tz_posix *ret);
void tz_unload(struct tz *z);

/* Local time (before the change) of the onset in a year. */
int64_t tz_onset_local(const struct tz_onset *o, int year);
/* The two changes of a year by a rule, as instants. */
void tz_posix_year(const struct tz_posix *rule, int year, int64_t *ret_begin, int64_t *ret_end);
const struct tz_type *tz_type_at(const struct tz *z, int64_t instant);
int tz_year_of(int64_t local);
int64_t tz_year_start(int year); /* 1 January, 00:00, as local seconds */
int tz_month_days(int year, int month);
int tz_weekday(int64_t local); /* 0 = Sunday */

struct tz_change {
    int64_t at;
    int before, after;
};
#define TZ_CHANGES_MAX 16 /* in one year */
/* The changes of offset from the beginning of a local year (exclusive) to its end. */
size_t tz_changes(const struct tz *z, int year, struct tz_change ret[TZ_CHANGES_MAX]);
/* Which week a change's day is of its month (1 to 5, 5 the last): where a fourth one is a last one, too, what the zone
 * does in the years after it. `local`: time on the wall before the change. */
unsigned tz_week_of(const struct tz *z, int64_t local, int before);

/* A custom zone of this name and rule: registered, or found again. NULL: too many. */
const struct tz *tz_custom_zone(const struct tz_posix *rule, struct str name);
const struct tz *tz_custom_by_name(struct str name); /* "Custom/+0100+0200-M3.5.0.0200-M10.5.0.0300" */
const struct tz *tz_custom_rule(const struct tz_posix *rule);
/* The zone that does what `like` does in these years: `prefer`, else the first candidate; NULL: none. */
const struct tz *tz_like(const struct tz *like, int from_year, int to_year, const struct tz *prefer);
/* The same changes of the same offsets from the beginning of one year to the end of another. */
bool tz_same_years(const struct tz *a, const struct tz *b, int from_year, int to_year);
/* The zones that rules are compared with: first those of the Windows table, then all that CLDR knows (one without a
 * file has type_count 0). NULL: no more. */
const struct tz *tz_candidate(size_t index);

#endif
