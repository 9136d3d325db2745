/* SPDX-License-Identifier: Apache-2.0 */
/* The TimeZone structure of EAS (MS-ASDTYPE 2.7.6): little-endian
 *   0 Bias  4 StandardName  68 StandardDate  84 StandardBias  88 DaylightName  152 DaylightDate  168 DaylightBias */
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/timezone_private.h"

#define NAME_UNITS 32

static void put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, int v)
{
    put16(p, (unsigned)v & 0xFFFF);
    put16(p + 2, (unsigned)v >> 16);
}

static unsigned get16(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static int get32(const unsigned char *p)
{
    return (int)(get16(p) | get16(p + 2) << 16);
}

/* ids and zone names are ASCII; one character and a NUL at least are left over */
static void put_name(unsigned char *p, struct str name)
{
    for (size_t i = 0; i < name.n && i < NAME_UNITS - 1; i++)
        p[2 * i] = (unsigned char)name.p[i];
}

static void put_date(unsigned char *p, const struct tz_date *d)
{
    const unsigned v[] = {d->year, d->month, d->weekday, d->day, d->hour, d->minute, d->second, 0};
    for (size_t i = 0; i < 8; i++)
        put16(p + 2 * i, v[i]);
}

static struct tz_date get_date(const unsigned char *p)
{
    return (struct tz_date){.year = get16(p),
                            .month = get16(p + 2),
                            .weekday = get16(p + 4),
                            .day = get16(p + 6),
                            .hour = get16(p + 8),
                            .minute = get16(p + 10),
                            .second = get16(p + 12)};
}

void tz_blob_write(const struct tz *z, int year, unsigned char ret_blob[TZ_BLOB_SIZE])
{
    struct tz_rules r;
    tz_rules(z, year, &r);
    memset(ret_blob, 0, TZ_BLOB_SIZE);
    struct str name = tz_windows(z);
    put32(ret_blob, r.bias);
    put_name(ret_blob + 4, name.n ? name : tz_name(z));
    put_date(ret_blob + 68, &r.standard);
    put32(ret_blob + 84, r.standard_bias);
    put_date(ret_blob + 152, &r.daylight);
    put32(ret_blob + 168, r.daylight_bias); /* 0 without dates: a bias alone made servers have it all year */
    size_t standard = str_find(name, STR(" Standard Time"));
    if (standard == (size_t)-1) {
        put_name(ret_blob + 88, name);
        return;
    }
    put_name(ret_blob + 88, str_sub(name, 0, standard));
    put_name(ret_blob + 88 + 2 * standard, STR(" Daylight Time"));
    put16(ret_blob + 88 + 2 * (NAME_UNITS - 1), 0);
}

/* UTF-16 up to NUL, ASCII alone: no other name is ever found. */
static struct str get_name(const unsigned char *p, char ret[NAME_UNITS])
{
    size_t n = 0;
    for (; n < NAME_UNITS; n++) {
        unsigned unit = get16(p + 2 * n);
        if (!unit || unit > 0x7E)
            break;
        ret[n] = (char)unit;
    }
    return str_of(ret, n);
}

/* Windows ids and IANA names with a slash say what is meant; "EST" is five hours west all year in tzdata, and not what
 * a blob with daylight time means by it. */
static const struct tz *by_name(struct str name, const struct tz *prefer)
{
    const struct tz *z = tz_by_windows(str_trim(name), prefer);
    return z || str_find_byte(name, '/') == (size_t)-1 ? z : tz_find(name, prefer);
}

bool tz_blob_read(struct str blob, int year, const struct tz *prefer, const struct tz **ret_zone)
{
    const unsigned char *p = (const unsigned char *)blob.p;
    char name[NAME_UNITS];
    if (blob.n != TZ_BLOB_SIZE)
        return false;
    *ret_zone = NULL;
    bool empty = true;
    for (size_t i = 0; i < blob.n; i++)
        empty = empty && !p[i];
    if (empty)
        return true;
    *ret_zone = by_name(get_name(p + 4, name), prefer);
    if (*ret_zone)
        return true;
    struct tz_rules r = {.bias = get32(p),
                         .standard = get_date(p + 68),
                         .standard_bias = get32(p + 84),
                         .daylight = get_date(p + 152),
                         .daylight_bias = get32(p + 168)};
    *ret_zone = tz_by_rules(&r, year, prefer);
    if (!*ret_zone)
        *ret_zone = tz_custom(&r);
    return *ret_zone != NULL;
}
