/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_event_fields.h"

#include <string.h>

#include "bridge/base/time.h"

#define DAY 86400

/* --- values ----------------------------------------------------------------------------------- */

struct word {
    const char *name;
    unsigned value;
};

static unsigned value_of(struct str text, const struct word *words, size_t n, unsigned otherwise)
{
    text = str_trim(text);
    for (size_t i = 0; i < n; i++)
        if (str_is(text, words[i].name))
            return words[i].value;
    return otherwise;
}
#define VALUE_OF(text, words, otherwise) value_of(text, words, sizeof(words) / sizeof((words)[0]), otherwise)

static const struct word busy_words[] = {{"Free", EVENT_FREE},
                                         {"Tentative", EVENT_TENTATIVE},
                                         {"Busy", EVENT_BUSY},
                                         {"OOF", EVENT_OOF},
                                         {"WorkingElsewhere", EVENT_ELSEWHERE}};
static const struct word sensitivity_words[] = {{"Normal", EVENT_NORMAL},
                                                {"Personal", EVENT_PERSONAL},
                                                {"Private", EVENT_PRIVATE},
                                                {"Confidential", EVENT_CONFIDENTIAL}};
static const struct word importance_words[] = {{"Low", EVENT_LOW}, {"Normal", EVENT_MEDIUM}, {"High", EVENT_HIGH}};
static const struct word response_words[] = {{"Organizer", EVENT_ORGANIZER},
                                             {"Accept", EVENT_ACCEPTED},
                                             {"Tentative", EVENT_TENTATIVELY_ACCEPTED},
                                             {"Decline", EVENT_DECLINED}};
static const struct word day_words[] = {{"Sunday", EVENT_SUNDAY},     {"Monday", EVENT_MONDAY},
                                        {"Tuesday", EVENT_TUESDAY},   {"Wednesday", EVENT_WEDNESDAY},
                                        {"Thursday", EVENT_THURSDAY}, {"Friday", EVENT_FRIDAY},
                                        {"Saturday", EVENT_SATURDAY}, {"Day", EVENT_EVERY_DAY},
                                        {"Weekday", EVENT_WEEKDAYS},  {"WeekendDay", EVENT_WEEKEND}};
static const struct word week_words[] = {
    {"First", 1}, {"Second", 2}, {"Third", 3}, {"Fourth", 4}, {"Last", EVENT_LAST_WEEK}};
static const struct word month_words[] = {{"January", 1},   {"February", 2}, {"March", 3},     {"April", 4},
                                          {"May", 5},       {"June", 6},     {"July", 7},      {"August", 8},
                                          {"September", 9}, {"October", 10}, {"November", 11}, {"December", 12}};
static const struct word status_words[] = {{"NotStarted", EVENT_NOT_STARTED},
                                           {"InProgress", EVENT_IN_PROGRESS},
                                           {"Completed", EVENT_COMPLETED},
                                           {"WaitingOnOthers", EVENT_WAITING},
                                           {"Deferred", EVENT_DEFERRED}};

int64_t ews_event_instant(struct str text)
{
    int64_t ms;
    return time_parse_iso(str_trim(text), &ms) ? ms / 1000 : TIME_NONE;
}

/* "2014-07-02-07:00": what counts is the date. */
static int64_t date(struct str text)
{
    int64_t ms;
    text = str_trim(text);
    return text.n >= 10 && time_parse_iso(str_sub(text, 0, 10), &ms) ? ms / 1000 : TIME_NONE;
}

/* A date that is the midnight of some zone: of UTC, as we write it, or of the user's, as Outlook does (MS-OXOTASK,
 * PidLidTaskDateCompleted). Some servers tell the time as well. */
static int64_t done_on(struct str text, const struct tz *zone)
{
    int64_t at = ews_event_instant(text);
    if (at == TIME_NONE || at % DAY == 0)
        return at;
    int64_t local = tz_to_local(zone, at);
    return local - ((local % DAY) + DAY) % DAY;
}

int64_t ews_event_day(int64_t at, const struct tz *zone)
{
    int64_t local = tz_to_local(zone, at) + DAY / 2;
    return local - ((local % DAY) + DAY) % DAY;
}

static unsigned days_of(struct str text)
{
    unsigned days = 0;
    struct str one;
    text = str_trim(text);
    while (str_cut(&text, ' ', &one))
        days |= VALUE_OF(one, day_words, 0);
    return days;
}

/* "-PT1H", "PT5H30M", "PT0S": minutes. */
static int minutes_of(struct str text)
{
    int sign = 1, total = 0, number = 0;
    text = str_trim(text);
    if (text.n && text.p[0] == '-') {
        sign = -1;
        text = str_skip(text, 1);
    }
    for (size_t i = 0; i < text.n && number < 100000; i++) {
        char c = text.p[i];
        if (c >= '0' && c <= '9') {
            number = number * 10 + (c - '0');
            continue;
        }
        total += c == 'H' ? number * 60 : c == 'M' ? number : 0;
        number = 0;
    }
    return sign * total;
}

/* --- zones: by their name, else by their rules ------------------------------------------------ */

void ews_event_zone_begin(struct ews_event_reading *r, const struct xml_attr *attrs, size_t n)
{
    memset(&r->zone_reading, 0, sizeof(r->zone_reading));
    r->zone_reading.id = arena_str(r->arena, xml_attr_get(attrs, n, "Id"));
}

void ews_event_zone_period(struct ews_event_reading *r, const struct xml_attr *attrs, size_t n)
{
    struct ews_zone_reading *z = &r->zone_reading;
    if (z->period_count == sizeof(z->bias) / sizeof(z->bias[0]))
        return;
    z->periods[z->period_count] = arena_str(r->arena, xml_attr_get(attrs, n, "Id"));
    z->names[z->period_count] = arena_str(r->arena, xml_attr_get(attrs, n, "Name"));
    z->bias[z->period_count++] = minutes_of(xml_attr_get(attrs, n, "Bias"));
}

static bool bias_of(const struct ews_zone_reading *z, struct str period, int *ret)
{
    for (size_t i = 0; i < z->period_count; i++)
        if (str_eq(z->periods[i], period)) {
            *ret = z->bias[i];
            return true;
        }
    return false;
}

static const struct tz *zone_by_rules(const struct ews_zone_reading *z, int64_t at, const struct tz *prefer)
{
    struct tz_rules rules = {0};
    struct time_parts parts;
    int first, second;
    if (z->period_count == 0)
        return NULL;
    rules.bias = z->bias[0];
    if (z->transition_count == 2 && bias_of(z, z->transitions[0].to, &first) &&
        bias_of(z, z->transitions[1].to, &second) && first != second) {
        bool first_is_standard = first > second; /* minutes west: daylight time is less */
        rules.bias = first_is_standard ? first : second;
        rules.daylight_bias = first_is_standard ? second - first : first - second;
        rules.standard = z->transitions[first_is_standard ? 0 : 1].date;
        rules.daylight = z->transitions[first_is_standard ? 1 : 0].date;
    }
    time_to_parts(at == TIME_NONE ? time_wall_s() : at, 0, &parts);
    const struct tz *known = tz_by_rules(&rules, parts.year, prefer);
    return known ? known : tz_custom(&rules);
}

const struct tz *ews_event_zone_end(struct ews_event_reading *r)
{
    const struct tz *z = tz_find(r->zone_reading.id, r->zone);
    return z ? z : zone_by_rules(&r->zone_reading, r->at, r->zone);
}

void ews_event_zone_field(struct ews_event_reading *r, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_zone_reading *z = &r->zone_reading;
    uint32_t n;
    (void)x;
    switch (el) {
    case EL_ZONE_TO:
        z->now.to = arena_str(r->arena, str_trim(text));
        break;
    case EL_ZONE_TIME: {
        int minutes = minutes_of(text);
        z->now.date.hour = minutes > 0 ? (unsigned)minutes / 60 % 24 : 0;
        z->now.date.minute = minutes > 0 ? (unsigned)minutes % 60 : 0;
        break;
    }
    case EL_REC_MONTH:
        z->now.date.month = str_to_u32(str_trim(text), &n) && n <= 12 ? n : 0;
        break;
    case EL_ZONE_DAY: {
        unsigned bit = VALUE_OF(text, day_words, 1);
        for (z->now.date.weekday = 0; bit > 1; bit >>= 1)
            z->now.date.weekday++;
        break;
    }
    case EL_CAL_OCCURRENCE: /* -1 = the last one */
        z->now.date.day = str_to_u32(str_trim(text), &n) && n <= 5 ? n : 5;
        break;
    case EL_ZONE_DAY_TRANSITION:
        if (z->transition_count < 2) {
            z->transitions[z->transition_count].to = z->now.to;
            z->transitions[z->transition_count++].date = z->now.date;
        }
        memset(&z->now, 0, sizeof(z->now));
        break;
    default:
        break;
    }
}

/* --- fields ----------------------------------------------------------------------------------- */

void ews_event_recurrence_field(struct event_recurrence *p, enum ews_el el, struct str text)
{
    uint32_t n;
    switch (el) {
    case EL_REC_INTERVAL:
        p->interval = str_to_u32(str_trim(text), &n) && n > 0 && n <= EVENT_INTERVAL_MAX ? n : 1;
        break;
    case EL_REC_DAYS:
        p->days = days_of(text);
        break;
    case EL_REC_WEEK:
        p->week = VALUE_OF(text, week_words, 1);
        break;
    case EL_REC_DAY_OF_MONTH:
        p->day_of_month = str_to_u32(str_trim(text), &n) && n >= 1 && n <= 31 ? n : 1;
        break;
    case EL_REC_MONTH:
        p->month = VALUE_OF(text, month_words, 1);
        break;
    case EL_REC_FIRST_DAY: {
        unsigned bit = VALUE_OF(text, day_words, 1);
        for (p->first_day = 0; bit > 1; bit >>= 1)
            p->first_day++;
        break;
    }
    case EL_REC_COUNT:
        p->count = str_to_u32(str_trim(text), &n) && n <= EVENT_COUNT_MAX ? n : EVENT_COUNT_MAX;
        break;
    case EL_REC_END_DATE:
        p->until = date(text);
        p->has_until = p->until != TIME_NONE;
        break;
    default:
        break;
    }
}

static void task_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    struct event *e = &r->item->e;
    uint32_t n;
    switch (el) {
    case EL_REC_START_DATE:
        r->at = date(text);
        break;
    case EL_TASK_DUE:
        r->to = date(text);
        break;
    case EL_TASK_COMPLETED:
        e->task.completed = done_on(text, r->zone);
        break;
    case EL_TASK_PERCENT: { /* xs:double */
        size_t dot = str_find_byte(text, '.');
        e->task.percent =
            str_to_u32(str_trim(str_sub(text, 0, dot == (size_t)-1 ? text.n : dot)), &n) && n <= 100 ? n : 0;
        break;
    }
    case EL_TASK_STATUS:
        e->task.status = VALUE_OF(text, status_words, EVENT_NOT_STARTED);
        break;
    default:
        break;
    }
}

static void calendar_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    struct event *e = &r->item->e;
    struct event_fields *f = &e->fields;
    uint32_t n;
    switch (el) {
    case EL_CAL_UID:
        e->uid = arena_str(r->arena, str_trim(text));
        break;
    case EL_CAL_START:
        r->at = ews_event_instant(text);
        r->has_start = r->at != TIME_NONE;
        break;
    case EL_CAL_END:
        r->to = ews_event_instant(text);
        break;
    case EL_CAL_ALL_DAY:
        f->all_day = ews_xml_bool(text);
        break;
    case EL_CAL_BUSY:
        f->busy = VALUE_OF(text, busy_words, EVENT_BUSY);
        break;
    case EL_CAL_LOCATION:
        f->location = arena_str(r->arena, text);
        break;
    case EL_CAL_IS_MEETING:
        e->is_meeting = ews_xml_bool(text);
        break;
    case EL_CAL_IS_CANCELLED:
        f->cancelled = ews_xml_bool(text);
        break;
    case EL_CAL_RESPONSE_REQUESTED:
        e->response_requested = ews_xml_bool(text);
        break;
    case EL_CAL_MY_RESPONSE:
        f->mine = VALUE_OF(text, response_words, EVENT_NO_RESPONSE);
        break;
    case EL_CAL_REPLIED:
        f->replied = ews_event_instant(text);
        break;
    case EL_CAL_SEQUENCE:
        e->sequence = str_to_u32(str_trim(text), &n) ? n : 0;
        break;
    case EL_CAL_JOIN_URL:
        e->join_url = arena_str(r->arena, str_trim(text));
        break;
    default:
        task_field(r, el, text);
        break;
    }
}

void ews_event_item_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    struct event *e = &r->item->e;
    struct event_fields *f = &e->fields;
    uint32_t n;
    switch (el) {
    case EL_ITEM_CLASS:
        r->item_class = arena_str(r->arena, str_trim(text));
        break;
    case EL_SUBJECT:
        f->subject = arena_str(r->arena, text);
        break;
    case EL_ITEM_BODY:
        r->body = arena_str(r->arena, text);
        break;
    case EL_TEXT_BODY:
        r->text_body = arena_str(r->arena, text);
        break;
    case EL_SENSITIVITY:
        f->sensitivity = VALUE_OF(text, sensitivity_words, EVENT_NORMAL);
        break;
    case EL_IMPORTANCE:
        f->importance = VALUE_OF(text, importance_words, EVENT_MEDIUM);
        break;
    case EL_REMINDER_SET:
        f->has_reminder = ews_xml_bool(text);
        break;
    case EL_REMINDER_MINUTES:
        f->reminder_minutes = str_to_u32(str_trim(text), &n) && n <= 10 * 365 * 24 * 60 ? (int)n : 0;
        break;
    case EL_REMINDER_DUE:
        r->reminder_due = ews_event_instant(text);
        break;
    case EL_CREATED_AT:
        e->created = ews_event_instant(text);
        break;
    case EL_MODIFIED_AT:
        e->modified = ews_event_instant(text);
        break;
    case EL_CAL_STAMP:
        e->stamped = ews_event_instant(text);
        break;
    default:
        calendar_field(r, el, text);
        break;
    }
}

void ews_event_attendee_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    if (el == EL_CAL_RESPONSE)
        r->person.response = VALUE_OF(text, response_words, EVENT_NO_RESPONSE);
}

void ews_event_mailbox_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    if (el == EL_NAME)
        r->person.name = arena_str(r->arena, str_trim(text));
    else if (el == EL_ADDRESS)
        r->person.email = arena_str(r->arena, str_trim(text));
    else if (el == EL_ROUTING_TYPE)
        r->routing = arena_str(r->arena, str_trim(text));
}

void ews_event_attachment_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    if (el == EL_NAME)
        r->attachment.name = arena_str(r->arena, text);
    else if (el == EL_CONTENT_TYPE)
        r->attachment.content_type = arena_str(r->arena, str_trim(text));
    else if (el == EL_ATTACHMENT_URL)
        r->attachment.url = arena_str(r->arena, str_trim(text));
    else if (el == EL_IS_INLINE)
        r->attachment.is_inline = ews_xml_bool(text);
    else if (el == EL_SIZE && !str_to_u64(str_trim(text), &r->attachment.size))
        r->attachment.size = 0;
}
