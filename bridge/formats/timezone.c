/* SPDX-License-Identifier: Apache-2.0 */
/* Zones by name: IANA, Windows, and what else is found in their place. */
#include "bridge/formats/timezone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/formats/timezone_private.h"
#include "bridge/formats/timezone_table.h"

#define ROWS(table) (sizeof(table) / sizeof(*(table)))
#define BUCKETS     512
#define CUSTOM_MAX  1000 /* of TZ_ZONES_MAX: nobody's inventions can keep real zones out */

static const char *directory = "/usr/share/zoneinfo";
static struct tz *buckets[BUCKETS]; /* for ever */
static size_t zone_count, custom_count;

static struct tz utc = {.name = "",
                        .windows = {"UTC", 3},
                        .windows_known = true,
                        .types = &(struct tz_type){.abbreviation = "UTC"},
                        .type_count = 1};

/* --- the registry ---------------------------------------------------------------------------------------------------
 */

static struct tz **bucket(struct str name)
{
    uint32_t h = 2166136261u; /* FNV-1a of the name in lower case */
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        h = (h ^ (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c)) * 16777619u;
    }
    return &buckets[h % BUCKETS];
}

static struct tz *registered(struct str name)
{
    struct tz *z = *bucket(name);
    while (z && !str_case_is(name, z->name))
        z = z->next;
    return z;
}

static struct tz *add(const struct tz *made, struct str name)
{
    struct tz *z = mem_dup(made, sizeof(*made));
    memcpy(z->name, name.p, name.n);
    z->name[name.n] = 0;
    struct tz **head = bucket(name);
    z->next = *head;
    *head = z;
    zone_count++;
    return z;
}

void tz_set_directory(const char *path)
{
    directory = path;
}

/* Letters, digits, + - _ and single slashes: nothing that leaves the directory. */
static bool is_file_name(struct str name)
{
    if (!name.n || name.n > TZ_NAME_MAX || name.p[0] == '/' || name.p[name.n - 1] == '/')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '+' && c != '-' && c != '_' && (c != '/' || name.p[i + 1] == '/'))
            return false;
    }
    /* Other trees, one with leap seconds; and files that are no zones. */
    return !str_starts(name, STR("right/")) && !str_starts(name, STR("posix/")) && !str_is(name, "localtime") &&
           !str_is(name, "posixrules") && !str_is(name, "Factory");
}

static bool read_zone(struct str name, struct tz *z, const char **ret_why)
{
    char path[512], bytes[TZ_FILE_MAX];
    int n = snprintf(path, sizeof(path), "%s/%.*s", directory, STR_ARG(name));
    if (n < 0 || (size_t)n >= sizeof(path)) {
        *ret_why = "the path is too long";
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *ret_why = strerror(errno);
        return false;
    }
    size_t have = 0;
    ssize_t got;
    while (have < sizeof(bytes) && (got = read(fd, bytes + have, sizeof(bytes) - have)) > 0)
        have += (size_t)got;
    close(fd);
    if (tz_file_read(str_of(bytes, have), z, ret_why))
        return true;
    tz_unload(z);
    return false;
}

/* As tzdata spells it, where the table knows it. */
static struct str spelled(struct str name)
{
    for (size_t i = 0; i < ROWS(zone_rows); i++)
        if (str_case_is(name, zone_rows[i].zone))
            return str_from(zone_rows[i].zone);
    return name;
}

static bool means_utc(struct str name)
{
    static const char *const names[] = {
        "",          "UTC",   "Z",       "Etc/UTC",  "Etc/UCT",   "Etc/Universal", "Etc/Zulu",      "UCT",
        "Universal", "Zulu",  "Etc/GMT", "Etc/GMT0", "Etc/GMT+0", "Etc/GMT-0",     "Etc/Greenwich", "GMT",
        "GMT0",      "GMT+0", "GMT-0",   "Greenwich"};
    return str_case_among(name, names, ROWS(names));
}

const struct tz *tz_utc(void)
{
    return &utc;
}

bool tz_is_utc(const struct tz *z)
{
    return z == &utc;
}

const struct tz *tz_by_name(struct str name)
{
    struct tz *z = registered(name), made = {0};
    const char *why;
    if (z)
        return z;
    if (means_utc(name))
        return &utc;
    if (str_case_starts(name, STR("Custom/")))
        return tz_custom_by_name(name);
    name = spelled(name);
    if (!is_file_name(name) || zone_count - custom_count >= TZ_ZONES_MAX - CUSTOM_MAX || !read_zone(name, &made, &why))
        return NULL;
    return add(&made, name);
}

const struct tz *tz_custom_zone(const struct tz_posix *rule, struct str name)
{
    struct tz *z = registered(name), made = {.has_rule = true, .rule = *rule, .type_count = 1};
    if (z)
        return z;
    if (name.n > TZ_NAME_MAX || custom_count >= CUSTOM_MAX)
        return NULL;
    made.types = mem_dup(&rule->standard, sizeof(rule->standard));
    custom_count++;
    return add(&made, name);
}

bool tz_available(struct str *ret_why)
{
    static char text[600];
    struct tz z = {0};
    const char *why;
    bool ok = read_zone(STR("Europe/Berlin"), &z, &why);
    if (ok)
        tz_unload(&z);
    else
        snprintf(text, sizeof(text), "%s/Europe/Berlin: %s; install the package tzdata", directory, why);
    *ret_why = ok ? STR_NULL : str_from(text);
    return ok;
}

struct str tz_name(const struct tz *z)
{
    return str_from(z->name);
}

/* --- Windows --------------------------------------------------------------------------------------------------------
 */

const struct tz *tz_candidate(size_t index)
{
    static const struct tz none = {0}; /* a name without a file */
    const struct tz *z;
    if (index < ROWS(windows_rows))
        z = tz_by_name(str_from(windows_rows[index].zone));
    else if (index - ROWS(windows_rows) < ROWS(zone_rows))
        z = tz_by_name(str_from(zone_rows[index - ROWS(windows_rows)].zone));
    else
        return NULL;
    return z ? z : &none;
}

/* The decade whose rules decide which Windows id fits a zone that has none. */
#define DECADE_FROM 2025
#define DECADE_TO   2035

static struct str windows_by_rules(const struct tz *z)
{
    for (size_t i = 0; i < ROWS(windows_rows); i++)
        if (tz_same_years(z, tz_candidate(i), DECADE_FROM, DECADE_TO))
            return str_from(windows_rows[i].id);
    return STR_NULL;
}

struct str tz_windows(const struct tz *z)
{
    struct tz *own = (struct tz *)z; /* made by us; only what has been found out is kept */
    if (z->windows_known)
        return z->windows;
    own->windows_known = true;
    for (size_t i = 0; i < ROWS(zone_rows); i++)
        if (str_is(str_from(z->name), zone_rows[i].zone))
            return own->windows = str_from(windows_rows[zone_rows[i].windows].id);
    return own->windows = windows_by_rules(z);
}

const struct tz *tz_by_windows(struct str id, const struct tz *prefer)
{
    for (size_t i = 0; i < ROWS(windows_rows); i++) {
        if (!str_case_is(id, windows_rows[i].id))
            continue;
        if (prefer && str_eq(tz_windows(prefer), str_from(windows_rows[i].id)))
            return prefer;
        return tz_by_name(str_from(windows_rows[i].zone));
    }
    return NULL;
}

bool tz_same(struct str a, struct str b)
{
    if (str_eq(a, b))
        return true;
    const struct tz *x = tz_by_name(a), *y = tz_by_name(b);
    if (!x || !y || x == y)
        return x && x == y;
    struct str id = tz_windows(x);
    return id.n && str_eq(id, tz_windows(y));
}

/* --- anything -------------------------------------------------------------------------------------------------------
 */

static struct str strip(struct str s)
{
    for (;;) {
        size_t n = s.n;
        s = str_trim(s);
        while (s.n && (s.p[s.n - 1] == 0 || s.p[s.n - 1] == '"'))
            s.n--;
        while (s.n && s.p[0] == '"')
            s = str_skip(s, 1);
        if (s.n == n)
            return s;
    }
}

/* "UTC+02:00", "GMT-5", "UTC+0530": a fixed offset, as people write it (east is +). */
static const struct tz *by_offset(struct str name)
{
    if (!str_case_starts(name, STR("UTC")) && !str_case_starts(name, STR("GMT")))
        return NULL;
    struct str s = str_skip(name, 3), hours, minutes = STR("0");
    if (s.n < 2 || (s.p[0] != '+' && s.p[0] != '-'))
        return NULL;
    int sign = s.p[0] == '-' ? -1 : 1;
    hours = str_skip(s, 1);
    size_t colon = str_find_byte(hours, ':');
    if (colon != (size_t)-1) {
        minutes = str_skip(hours, colon + 1);
        hours = str_sub(hours, 0, colon);
    } else if (hours.n == 4) {
        minutes = str_skip(hours, 2);
        hours = str_sub(hours, 0, 2);
    }
    uint32_t h, m;
    if (!str_to_u32(hours, &h) || !str_to_u32(minutes, &m) || h > 14 || m > 59)
        return NULL;
    if (!m) {
        char text[16]; /* "Etc/GMT+5" is five hours west */
        int n = snprintf(text, sizeof(text), "Etc/GMT%c%u", sign < 0 ? '+' : '-', h);
        return tz_by_name(str_of(text, (size_t)n));
    }
    struct tz_rules rules = {.bias = -sign * (int)(h * 60 + m)};
    const struct tz *z = tz_by_rules(&rules, DECADE_FROM, NULL);
    return z ? z : tz_custom(&rules);
}

/* "W. Europe Daylight Time" */
static const struct tz *by_daylight_name(struct str name, const struct tz *prefer)
{
    char text[TZ_NAME_MAX];
    size_t at = str_case_find(name, STR(" Daylight Time"));
    if (at == (size_t)-1 || name.n > sizeof(text))
        return NULL;
    int n = snprintf(text, sizeof(text), "%.*s Standard Time", (int)at, name.p);
    return tz_by_windows(str_of(text, (size_t)n), prefer);
}

const struct tz *tz_find(struct str name, const struct tz *prefer)
{
    name = strip(name);
    if (!name.n)
        return NULL;
    if (str_case_is(name, "tzone://Microsoft/Utc"))
        return &utc;
    const struct tz *z = tz_by_windows(name, prefer);
    if (!z)
        z = tz_by_name(name);
    if (!z)
        z = by_daylight_name(name, prefer);
    if (!z)
        z = by_offset(name);
    while (!z && name.n) { /* behind each slash */
        size_t slash = str_find_byte(name, '/');
        name = slash == (size_t)-1 ? STR_NULL : str_skip(name, slash + 1);
        z = name.n ? tz_by_name(name) : NULL;
    }
    return z;
}
