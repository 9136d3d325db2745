/* SPDX-License-Identifier: Apache-2.0 */
/* TZif files (RFC 8536) and the POSIX TZ string at their end. */
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/formats/timezone_private.h"

#define HEADER_SIZE     44
#define TRANSITIONS_MAX 4000
#define OFFSET_MAX      (26 * 3600) /* RFC 8536 3.2: -25 to 26 hours */

/* --- POSIX TZ -------------------------------------------------------------------------------------------------------
 */

static bool take(struct str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

static bool take_number(struct str *s, int max, int *ret)
{
    int v = 0;
    size_t i = 0;
    for (; i < s->n && i < 4 && s->p[i] >= '0' && s->p[i] <= '9'; i++)
        v = v * 10 + (s->p[i] - '0');
    *s = str_skip(*s, i);
    *ret = v;
    return i > 0 && v <= max;
}

/* "CET", "<+0530>" */
static bool take_abbreviation(struct str *s, char ret[8])
{
    bool quoted = take(s, '<');
    size_t n = 0;
    while (n < s->n && (quoted ? s->p[n] != '>' : (s->p[n] | 0x20) >= 'a' && (s->p[n] | 0x20) <= 'z'))
        n++;
    struct str name = str_sub(*s, 0, n);
    *s = str_skip(*s, n);
    if (name.n < 3 || (quoted && !take(s, '>')))
        return false;
    for (size_t i = 0; i < 8; i++)
        ret[i] = i < 7 && i < name.n ? name.p[i] : 0;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct str *s, int max_hours, int *ret)
{
    int sign = take(s, '-') ? -1 : 1, hours, minutes = 0, seconds = 0;
    take(s, '+');
    if (!take_number(s, max_hours, &hours) || (take(s, ':') && !take_number(s, 59, &minutes)) ||
        (take(s, ':') && !take_number(s, 59, &seconds)))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool take_onset(struct str *s, struct tz_onset *o)
{
    int month = 0, week = 0, day = 0;
    o->form = 'N';
    if (take(s, 'M')) {
        o->form = 'M';
        if (!take_number(s, 12, &month) || !take(s, '.') || !take_number(s, 5, &week) || !take(s, '.') ||
            !take_number(s, 6, &day) || month < 1 || week < 1)
            return false;
    } else {
        o->form = take(s, 'J') ? 'J' : 'N';
        if (!take_number(s, 365, &day) || (o->form == 'J' && day < 1))
            return false;
    }
    o->month = (unsigned)month;
    o->week = (unsigned)week;
    o->day = (unsigned)day;
    o->seconds = 2 * 3600;
    return !take(s, '/') || take_time(s, 167, &o->seconds); /* RFC 8536 3.3.1 */
}

bool tz_posix_read(struct str text, struct tz_posix *ret)
{
    struct tz_posix r = {0};
    int west;
    if (!take_abbreviation(&text, r.standard.abbreviation) || !take_time(&text, 24, &west))
        return false;
    r.standard.offset = -west;
    if (text.n) {
        r.has_daylight = r.daylight.daylight = true;
        r.daylight.offset = r.standard.offset + 3600;
        if (!take_abbreviation(&text, r.daylight.abbreviation))
            return false;
        if (text.n && text.p[0] != ',') {
            if (!take_time(&text, 24, &west))
                return false;
            r.daylight.offset = -west;
        }
        if (!take(&text, ',') || !take_onset(&text, &r.begin) || !take(&text, ',') || !take_onset(&text, &r.end))
            return false;
    }
    *ret = r;
    return text.n == 0;
}

/* --- TZif -----------------------------------------------------------------------------------------------------------
 */

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

struct counts { /* RFC 8536 3.1 */
    uint32_t isutc, isstd, leap, time, type, character;
};

static bool read_header(struct str s, struct counts *c, char *ret_version)
{
    if (s.n < HEADER_SIZE || memcmp(s.p, "TZif", 4) != 0)
        return false;
    *ret_version = s.p[4];
    *c =
        (struct counts){be32(s.p + 20), be32(s.p + 24), be32(s.p + 28), be32(s.p + 32), be32(s.p + 36), be32(s.p + 40)};
    return c->time <= TRANSITIONS_MAX && c->type >= 1 && c->type <= 256 && c->character <= 1024 && c->leap <= 1000 &&
           c->isutc <= 256 && c->isstd <= 256;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return c->time * (time_size + 1) + c->type * 6 + c->character + c->leap * (time_size + 4) + c->isstd + c->isutc;
}

static bool read_type(const char *p, struct str names, struct tz_type *t)
{
    t->offset = (int32_t)be32(p);
    t->daylight = p[4] != 0;
    struct str name = str_skip(names, (unsigned char)p[5]);
    for (size_t i = 0; i < 7 && i < name.n && name.p[i]; i++)
        t->abbreviation[i] = name.p[i];
    return t->offset >= -OFFSET_MAX && t->offset <= OFFSET_MAX;
}

static bool read_block(struct str s, const struct counts *c, struct tz *z)
{
    const char *times = s.p, *indexes = times + c->time * 8, *types = indexes + c->time;
    struct str names = str_of(types + c->type * 6, c->character);
    z->types = mem_array(c->type, sizeof(*z->types));
    z->type_count = c->type;
    z->at = mem_array(c->time, sizeof(*z->at));
    z->type_of = mem_alloc(c->time);
    z->count = c->time;
    for (size_t i = 0; i < c->type; i++)
        if (!read_type(types + i * 6, names, &z->types[i]))
            return false;
    for (size_t i = 0; i < c->time; i++) {
        z->at[i] = be64(times + i * 8);
        z->type_of[i] = (unsigned char)indexes[i];
        if (z->type_of[i] >= c->type || (i && z->at[i] <= z->at[i - 1]))
            return false;
    }
    return true;
}

/* Years that were written out although the rule says the same ("fat" files) go: what is left is where the law changed.
 */
static void drop_what_the_rule_says(struct tz *z)
{
    while (z->count > 1) {
        size_t last = z->count - 1;
        z->count = last;
        int64_t next;
        int offset;
        bool same = tz_type_at(z, z->at[last - 1])->offset == z->types[z->type_of[last - 1]].offset &&
                    tz_next_change(z, z->at[last - 1], &next, &offset) && next == z->at[last] &&
                    offset == z->types[z->type_of[last]].offset;
        if (!same) {
            z->count = last + 1;
            return;
        }
    }
}

bool tz_file_read(struct str bytes, struct tz *z, const char **ret_why)
{
    struct counts c;
    char version;
    *ret_why = "no TZif file of version 2 or later";
    if (!read_header(bytes, &c, &version) || version < '2')
        return false;
    struct str rest = str_skip(bytes, HEADER_SIZE + block_size(&c, 4));
    if (!read_header(rest, &c, &version))
        return false;
    rest = str_skip(rest, HEADER_SIZE);
    *ret_why = "cut short, or out of range";
    size_t size = block_size(&c, 8);
    if (rest.n < size || c.leap || !read_block(str_sub(rest, 0, size), &c, z))
        return false;
    struct str footer = str_skip(rest, size), line;
    if (!take(&footer, '\n') || str_find_byte(footer, '\n') == (size_t)-1 || !str_cut(&footer, '\n', &line))
        return false;
    if (line.n && !tz_posix_read(line, &z->rule))
        return false;
    z->has_rule = line.n > 0;
    if (z->has_rule)
        drop_what_the_rule_says(z);
    return true;
}

void tz_unload(struct tz *z)
{
    mem_free(z->types);
    mem_free(z->at);
    mem_free(z->type_of);
    z->types = NULL;
    z->at = NULL;
    z->type_of = NULL;
    z->count = z->type_count = 0;
}
