/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/date.h"

#include "bridge/base/time.h"

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* RFC 5322 4.3 and the names that are met besides; minutes east. */
static const struct {
    const char *name;
    int minutes;
} zones[] = {
    {"UT", 0},      {"GMT", 0},    {"UTC", 0},    {"Z", 0},      {"EST", -300}, {"EDT", -240}, {"CST", -360},
    {"CDT", -300},  {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"BST", 60},   {"WET", 0},
    {"WEST", 60},   {"CET", 60},   {"CEST", 120}, {"MET", 60},   {"MEST", 120}, {"EET", 120},  {"EEST", 180},
    {"MSK", 180},   {"MSD", 240},  {"JST", 540},  {"KST", 540},  {"IST", 330},  {"HKT", 480},  {"AKST", -540},
    {"AKDT", -480}, {"HST", -600}, {"AEST", 600}, {"AEDT", 660}, {"NZST", 720}, {"NZDT", 780},
};

struct reader {
    const char *p, *end;
};

/* Blanks, commas and comments. */
static void skip_blank(struct reader *r)
{
    unsigned depth = 0;
    for (; r->p < r->end; r->p++) {
        char c = *r->p;
        if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (depth && c == '\\' && r->p + 1 < r->end)
            r->p++;
        else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ',')
            break;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Digits; their number in *ret_digits. False when there is none or they are more than 6. */
static bool read_number(struct reader *r, int *ret, int *ret_digits)
{
    int n = 0, digits = 0;
    for (; r->p < r->end && is_digit(*r->p); r->p++) {
        if (++digits > 6)
            return false;
        n = n * 10 + (*r->p - '0');
    }
    *ret = n;
    *ret_digits = digits;
    return digits > 0;
}

static struct str read_word(struct reader *r)
{
    const char *start = r->p;
    while (r->p < r->end && is_alpha(*r->p))
        r->p++;
    return str_of(start, (size_t)(r->p - start));
}

/* 1 to 12 from the first three letters, or 0. */
static int month_number(struct str name)
{
    for (int i = 0; i < 12; i++) {
        if (name.n >= 3 && str_case_is(str_sub(name, 0, 3), month_names[i]))
            return i + 1;
    }
    return 0;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* hh:mm[:ss[.fraction]], dots instead of colons taken too (RFC 5322 has no such thing, mail has). */
static bool read_time(struct reader *r, struct time_parts *t)
{
    int digits;
    if (!read_number(r, &t->hour, &digits) || digits > 2)
        return false;
    skip_blank(r);
    if (r->p == r->end || (*r->p != ':' && *r->p != '.'))
        return false;
    char separator = *r->p++;
    skip_blank(r);
    if (!read_number(r, &t->minute, &digits) || digits > 2)
        return false;
    skip_blank(r);
    if (r->p < r->end && *r->p == separator) {
        r->p++;
        skip_blank(r);
        if (!read_number(r, &t->second, &digits) || digits > 2)
            return false;
        if (r->p + 1 < r->end && *r->p == '.' && is_digit(r->p[1])) {
            r->p++;
            while (r->p < r->end && is_digit(*r->p))
                r->p++;
        }
    }
    if (t->second == 60) /* a leap second */
        t->second = 59;
    return t->hour < 24 && t->minute < 60 && t->second < 60;
}

static int read_zone(struct reader *r)
{
    if (r->p == r->end)
        return 0;
    if (*r->p == '+' || *r->p == '-') {
        int sign = *r->p == '-' ? -1 : 1, n, digits;
        r->p++;
        if (!read_number(r, &n, &digits))
            return 0;
        if (digits <= 2 && r->p < r->end && *r->p == ':') { /* +01:00 */
            int minutes;
            r->p++;
            n = read_number(r, &minutes, &digits) && digits == 2 ? n * 100 + minutes : n * 100;
        } else if (digits <= 2) {
            n *= 100;
        }
        n = n / 100 * 60 + n % 100;
        return n <= 24 * 60 ? sign * n : 0;
    }
    struct str name = read_word(r);
    for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++) {
        if (str_case_is(name, zones[i].name))
            return zones[i].minutes;
    }
    return 0; /* RFC 5322 4.3: unknown names and military letters say nothing */
}

static int full_year(int year, int digits)
{
    if (digits >= 4)
        return year;
    if (digits == 3)
        return 1900 + year;
    return year < 50 ? 2000 + year : 1900 + year;
}

bool date_parse(struct str value, int64_t *ret_wall_s, int *ret_zone_minutes)
{
    struct reader r = {value.p, value.p ? value.p + value.n : value.p};
    struct time_parts t = {0};
    int digits;
    bool year_last = false; /* Mon Nov 23 14:05:11 2026 */
    skip_blank(&r);
    if (r.p < r.end && is_alpha(*r.p)) { /* a weekday, or the month of the asctime form */
        struct str word = read_word(&r);
        t.month = month_number(word);
        skip_blank(&r);
        if (r.p < r.end && *r.p == '.')
            r.p++;
        skip_blank(&r);
        if (!t.month && r.p < r.end && is_alpha(*r.p))
            t.month = month_number(read_word(&r));
        year_last = t.month != 0;
        skip_blank(&r);
    }
    if (!read_number(&r, &t.day, &digits) || digits > 2)
        return false;
    skip_blank(&r);
    if (!t.month) {
        if (r.p < r.end && *r.p == '-')
            r.p++;
        t.month = month_number(read_word(&r));
        if (r.p < r.end && (*r.p == '-' || *r.p == '.'))
            r.p++;
        skip_blank(&r);
    }
    if (!t.month)
        return false;
    if (!year_last) {
        if (!read_number(&r, &t.year, &digits) || digits < 2)
            return false;
        t.year = full_year(t.year, digits);
        skip_blank(&r);
    }
    if (r.p < r.end && is_digit(*r.p) && !read_time(&r, &t))
        return false;
    skip_blank(&r);
    if (year_last) {
        if (r.p < r.end && is_alpha(*r.p)) {
            t.zone_minutes = read_zone(&r);
            skip_blank(&r);
        }
        if (!read_number(&r, &t.year, &digits) || digits < 4)
            return false;
        skip_blank(&r);
    }
    if (!t.zone_minutes)
        t.zone_minutes = read_zone(&r);
    if (t.year < 1 || t.year > 9999 || t.day < 1 || t.day > days_in_month(t.year, t.month))
        return false;
    *ret_wall_s = time_from_parts(&t);
    *ret_zone_minutes = t.zone_minutes;
    return true;
}

static void add_zone(struct buf *out, int minutes)
{
    int m = minutes < 0 ? -minutes : minutes;
    buf_printf(out, " %c%02d%02d", minutes < 0 ? '-' : '+', m / 60 % 100, m % 60);
}

void date_add_rfc5322(struct buf *out, int64_t wall_s, int zone_minutes)
{
    struct time_parts t;
    time_to_parts(wall_s, zone_minutes, &t);
    buf_printf(out, "%s, %d %s %04d %02d:%02d:%02d", day_names[t.weekday], t.day, month_names[t.month - 1], t.year,
               t.hour, t.minute, t.second);
    add_zone(out, zone_minutes);
}

void date_add_imap(struct buf *out, int64_t wall_s, int zone_minutes)
{
    struct time_parts t;
    time_to_parts(wall_s, zone_minutes, &t);
    buf_printf(out, "%2d-%s-%04d %02d:%02d:%02d", t.day, month_names[t.month - 1], t.year, t.hour, t.minute, t.second);
    add_zone(out, zone_minutes);
}

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool take_digits(struct reader *r, int count, int *ret)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (r->p == r->end || !is_digit(*r->p))
            return false;
        n = n * 10 + (*r->p++ - '0');
    }
    *ret = n;
    return true;
}

/* Mon-yyyy */
static bool take_month_year(struct reader *r, struct time_parts *t)
{
    struct str name = read_word(r);
    t->month = name.n == 3 ? month_number(name) : 0;
    return t->month && take(r, '-') && take_digits(r, 4, &t->year) && t->year > 0 && t->day > 0 &&
           t->day <= days_in_month(t->year, t->month);
}

bool date_parse_imap(struct str s, int64_t *ret_wall_s, int *ret_zone_minutes)
{
    struct reader r = {s.p, s.p ? s.p + s.n : s.p};
    struct time_parts t = {0};
    int zone;
    bool one = take(&r, ' ') || (r.end - r.p > 1 && r.p[1] == '-');
    if (!take_digits(&r, one ? 1 : 2, &t.day) || !take(&r, '-') || !take_month_year(&r, &t) || !take(&r, ' '))
        return false;
    if (!take_digits(&r, 2, &t.hour) || !take(&r, ':') || !take_digits(&r, 2, &t.minute) || !take(&r, ':') ||
        !take_digits(&r, 2, &t.second) || !take(&r, ' ') || t.hour > 23 || t.minute > 59 || t.second > 60)
        return false;
    bool west = r.p < r.end && *r.p == '-';
    if (!take(&r, west ? '-' : '+') || !take_digits(&r, 4, &zone) || r.p != r.end || zone % 100 > 59)
        return false;
    t.second = t.second == 60 ? 59 : t.second;
    zone = zone / 100 * 60 + zone % 100;
    t.zone_minutes = west ? -zone : zone;
    *ret_wall_s = time_from_parts(&t);
    *ret_zone_minutes = t.zone_minutes;
    return true;
}

int64_t date_day(int64_t wall_s, int zone_minutes)
{
    int64_t local = wall_s + (int64_t)zone_minutes * 60;
    return local >= 0 ? local / 86400 : -((-local + 86399) / 86400);
}

bool date_parse_imap_day(struct str s, int64_t *ret_day)
{
    struct reader r = {s.p, s.p ? s.p + s.n : s.p};
    struct time_parts t = {0};
    int digits;
    if (!read_number(&r, &t.day, &digits) || digits > 2 || !take(&r, '-') || !take_month_year(&r, &t) || r.p != r.end)
        return false;
    *ret_day = date_day(time_from_parts(&t), 0);
    return true;
}
