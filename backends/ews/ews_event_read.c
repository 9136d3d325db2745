/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_event_read.h"

#include <string.h>

#include "bridge/base/time.h"
#include "bridge/io/crypto.h"

#define DAY 86400

/* Room for one more at the end of a list in the arena. */
static void *grown(struct arena *arena, void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 4;
    void *more = arena_array(arena, *room, size);
    if (count)
        memcpy(more, list, count * size);
    return more;
}

void ews_event_reading_init(struct ews_event_reading *r, struct arena *arena, size_t max, const struct tz *zone)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena;
    r->zone = zone;
    r->max = max;
    r->list = arena_array(arena, max + 1, sizeof(*r->list));
}

/* --- values
 * ----------------------------------------------------------------------------------------------------------- */

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

static int64_t instant(struct str text)
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

/* The day whose midnight this is on the item's wall; servers round, daylight saving does not always. */
static int64_t day_of(int64_t at, const struct tz *zone)
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

/* --- zones: by their name, else by their rules
 * ------------------------------------------------------------------------------ */

static void zone_begin(struct ews_event_reading *r, const struct xml_attr *attrs, size_t n)
{
    memset(&r->zone_reading, 0, sizeof(r->zone_reading));
    r->zone_reading.id = arena_str(r->arena, xml_attr_get(attrs, n, "Id"));
}

static void zone_period(struct ews_event_reading *r, const struct xml_attr *attrs, size_t n)
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

static const struct tz *zone_end(struct ews_event_reading *r)
{
    const struct tz *z = tz_find(r->zone_reading.id, r->zone);
    return z ? z : zone_by_rules(&r->zone_reading, r->at, r->zone);
}

static void zone_field(struct ews_event_reading *r, struct xml *x, enum ews_el el, struct str text)
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

/* --- items
 * ------------------------------------------------------------------------------------------------------------------------
 */

static void item_begin(struct ews_event_reading *r)
{
    struct ews_got *g = r->count < r->max ? &r->list[r->count] : &r->list[r->max];
    memset(g, 0, sizeof(*g));
    g->e.fields.mine = EVENT_NO_RESPONSE;
    g->e.fields.importance = EVENT_MEDIUM;
    g->e.fields.busy = EVENT_BUSY;
    g->e.task.completed = g->e.task.reminder_at = TIME_NONE;
    g->e.created = g->e.modified = g->e.stamped = g->e.fields.replied = TIME_NONE;
    r->item = g;
    r->attendees = NULL;
    r->attachments = NULL;
    r->categories = NULL;
    r->attendee_room = r->attachment_room = r->category_room = 0;
    r->body_type = r->body = r->text_body = r->item_class = STR_NULL;
    r->at = r->to = r->original = r->reminder_due = TIME_NONE;
    r->has_start = r->in_uid_property = false;
    r->start_zone = r->end_zone = NULL;
}

static void take_ids(struct ews_event_reading *r, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    struct str id = xml_attr_get(attrs, n, "Id"), change = xml_attr_get(attrs, n, "ChangeKey");
    int parent = xml_parent(x, 1);
    if (id.n > BACKEND_ID_MAX || change.n > BACKEND_ID_MAX) {
        xml_fail(x, ERR_PROTOCOL, "an item id of %zu bytes", id.n > change.n ? id.n : change.n);
    } else if (parent == EL_ITEM || parent == EL_ITEM_OTHER) {
        r->item->id = arena_str(r->arena, id);
        r->item->change = arena_str(r->arena, change);
    } else if (parent == EL_CAL_OCCURRENCE) {
        r->occurrence_id = arena_str(r->arena, id);
    }
}

static void begin_pattern(struct ews_event_reading *r, enum event_pattern pattern, unsigned interval, bool regenerates)
{
    struct event *e = &r->item->e;
    e->has_recurrence = true;
    e->recurrence.pattern = pattern;
    e->recurrence.interval = interval;
    e->recurrence.regenerates = regenerates;
    e->recurrence.first_day = 0;
}

static bool start_pattern(struct ews_event_reading *r, enum ews_el el)
{
    static const struct {
        enum ews_el el;
        enum event_pattern pattern;
        bool again;
    } patterns[] = {
        {EL_REC_DAILY, EVENT_DAILY, false},          {EL_REC_WEEKLY, EVENT_WEEKLY, false},
        {EL_REC_MONTHLY, EVENT_MONTHLY, false},      {EL_REC_MONTHLY_RELATIVE, EVENT_MONTHLY_RELATIVE, false},
        {EL_REC_YEARLY, EVENT_YEARLY, false},        {EL_REC_YEARLY_RELATIVE, EVENT_YEARLY_RELATIVE, false},
        {EL_REC_DAILY_AGAIN, EVENT_DAILY, true},     {EL_REC_WEEKLY_AGAIN, EVENT_WEEKLY, true},
        {EL_REC_MONTHLY_AGAIN, EVENT_MONTHLY, true}, {EL_REC_YEARLY_AGAIN, EVENT_YEARLY, true},
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (patterns[i].el == el) {
            begin_pattern(r, patterns[i].pattern, 1, patterns[i].again);
            return true;
        }
    return false;
}

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_event_reading *r = ud;
    if (el == EL_RESPONSE_MESSAGE) {
        item_begin(r);
        return XML_COLLECT;
    }
    if (start_pattern(r, el))
        return XML_COLLECT;
    switch (el) {
    case EL_MIME_CONTENT:
        return XML_SKIP;
    case EL_ITEM_ID:
        take_ids(r, x, attrs, n);
        break;
    case EL_ITEM_BODY:
        r->body_type = arena_str(r->arena, xml_attr_get(attrs, n, "BodyType"));
        break;
    case EL_CAL_ATTENDEE:
    case EL_CAL_ORGANIZER:
        memset(&r->person, 0, sizeof(r->person));
        r->routing = STR_NULL;
        break;
    case EL_CAL_OCCURRENCE:
    case EL_CAL_DELETED:
        r->occurrence_id = STR_NULL;
        r->original = TIME_NONE;
        break;
    case EL_FILE_ATTACHMENT:
    case EL_ITEM_ATTACHMENT:
    case EL_REFERENCE_ATTACHMENT:
        memset(&r->attachment, 0, sizeof(r->attachment));
        break;
    case EL_ATTACHMENT_ID:
        r->attachment.id = arena_str(r->arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
        break;
    case EL_CAL_START_ZONE:
    case EL_CAL_END_ZONE:
        zone_begin(r, attrs, n);
        break;
    case EL_ZONE_PERIOD:
        zone_period(r, attrs, n);
        break;
    case EL_EXTENDED:
        r->in_uid_property = false;
        break;
    case EL_EXTENDED_URI:
        r->in_uid_property = str_is(xml_attr_get(attrs, n, "PropertyName"), EWS_TASK_UID);
        break;
    default:
        break;
    }
    return XML_COLLECT;
}

static void end_attendee(struct ews_event_reading *r, struct xml *x)
{
    struct event_fields *f = &r->item->e.fields;
    int parent = xml_parent(x, 1);
    bool smtp = r->routing.n == 0 || str_case_is(r->routing, "SMTP");
    if (!smtp || str_find_byte(r->person.email, '@') == (size_t)-1 || f->attendee_count == EVENT_ATTENDEES_MAX)
        return; /* an address of the directory that nobody outside understands */
    r->person.role = parent == EL_CAL_OPTIONAL    ? EVENT_OPTIONAL
                     : parent == EL_CAL_RESOURCES ? EVENT_RESOURCE
                                                  : EVENT_REQUIRED;
    r->attendees = grown(r->arena, r->attendees, f->attendee_count, &r->attendee_room, sizeof(*r->attendees));
    r->attendees[f->attendee_count++] = r->person;
    f->attendees = r->attendees;
}

static void end_attachment(struct ews_event_reading *r)
{
    struct event_fields *f = &r->item->e.fields;
    if (f->attachment_count == EVENT_ATTACHMENTS_MAX || (r->attachment.id.n == 0 && r->attachment.url.n == 0))
        return;
    r->attachments = grown(r->arena, r->attachments, f->attachment_count, &r->attachment_room, sizeof(*r->attachments));
    r->attachments[f->attachment_count++] = r->attachment;
    f->attachments = r->attachments;
}

static void end_category(struct ews_event_reading *r, struct str text)
{
    struct event_fields *f = &r->item->e.fields;
    if (f->category_count == EVENT_CATEGORIES_MAX || str_trim(text).n == 0)
        return;
    r->categories = grown(r->arena, r->categories, f->category_count, &r->category_room, sizeof(*r->categories));
    r->categories[f->category_count++] = arena_str(r->arena, str_trim(text));
    f->categories = r->categories;
}

static void end_occurrence(struct ews_event_reading *r, bool deleted)
{
    struct ews_got *g = r->item;
    if (r->original == TIME_NONE || g->exception_count + g->occurrence_count >= EVENT_EXCEPTIONS_MAX)
        return;
    if (deleted) {
        g->exceptions = grown(r->arena, g->exceptions, g->exception_count, &g->exception_room, sizeof(*g->exceptions));
        g->exceptions[g->exception_count++] = (struct event_exception){.original = r->original, .deleted = true};
    } else if (r->occurrence_id.n) {
        g->occurrences =
            grown(r->arena, g->occurrences, g->occurrence_count, &g->occurrence_room, sizeof(*g->occurrences));
        g->occurrences[g->occurrence_count++] = (struct ews_occurrence){r->occurrence_id, r->original};
    }
}

static void recurrence_field(struct event_recurrence *p, enum ews_el el, struct str text)
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
        e->task.completed = date(text);
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
        r->at = instant(text);
        r->has_start = r->at != TIME_NONE;
        break;
    case EL_CAL_END:
        r->to = instant(text);
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
        f->replied = instant(text);
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

static void item_field(struct ews_event_reading *r, enum ews_el el, struct str text)
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
        r->reminder_due = instant(text);
        break;
    case EL_CREATED_AT:
        e->created = instant(text);
        break;
    case EL_MODIFIED_AT:
        e->modified = instant(text);
        break;
    case EL_CAL_STAMP:
        e->stamped = instant(text);
        break;
    default:
        calendar_field(r, el, text);
        break;
    }
}

static void mailbox_field(struct ews_event_reading *r, enum ews_el el, struct str text)
{
    if (el == EL_NAME)
        r->person.name = arena_str(r->arena, str_trim(text));
    else if (el == EL_ADDRESS)
        r->person.email = arena_str(r->arena, str_trim(text));
    else if (el == EL_ROUTING_TYPE)
        r->routing = arena_str(r->arena, str_trim(text));
}

static void attachment_field(struct ews_event_reading *r, enum ews_el el, struct str text)
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

static bool is_attachment(int el)
{
    return el == EL_FILE_ATTACHMENT || el == EL_ITEM_ATTACHMENT || el == EL_REFERENCE_ATTACHMENT;
}

static bool end_list_item(struct ews_event_reading *r, struct xml *x, enum ews_el el, struct str text)
{
    struct event *e = &r->item->e;
    int parent = xml_parent(x, 1);
    if (el == EL_CAL_ATTENDEE)
        end_attendee(r, x);
    else if (el == EL_CAL_ORGANIZER && str_find_byte(r->person.email, '@') != (size_t)-1) {
        e->organizer_email = r->person.email;
        e->organizer_name = r->person.name;
    } else if (is_attachment((int)el))
        end_attachment(r);
    else if (el == EL_STRING && parent == EL_CATEGORIES)
        end_category(r, text);
    else if (el == EL_CAL_OCCURRENCE && parent == EL_CAL_MODIFIED_LIST)
        end_occurrence(r, false);
    else if (el == EL_CAL_DELETED && parent == EL_CAL_DELETED_LIST)
        end_occurrence(r, true);
    else if (el == EL_CAL_START_ZONE)
        r->start_zone = zone_end(r);
    else if (el == EL_CAL_END_ZONE)
        r->end_zone = zone_end(r);
    else
        return false;
    return true;
}

static void on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_event_reading *r = ud;
    int parent = xml_parent(x, 1);
    if (end_list_item(r, x, el, text))
        return;
    if (xml_inside(x, EL_CAL_START_ZONE) || xml_inside(x, EL_CAL_END_ZONE))
        zone_field(r, x, el, text);
    else if (xml_inside(x, EL_CAL_RECURRENCE))
        recurrence_field(&r->item->e.recurrence, el, text);
    else if (parent == EL_MAILBOX)
        mailbox_field(r, el, text);
    else if (parent == EL_CAL_ATTENDEE && el == EL_CAL_RESPONSE)
        r->person.response = VALUE_OF(text, response_words, EVENT_NO_RESPONSE);
    else if ((parent == EL_CAL_OCCURRENCE && el == EL_CAL_ORIGINAL) || (parent == EL_CAL_DELETED && el == EL_CAL_START))
        r->original = instant(text);
    else if (parent == EL_EXTENDED && el == EL_VALUE && r->in_uid_property)
        r->item->e.uid = arena_str(r->arena, str_trim(text));
    else if (is_attachment(parent))
        attachment_field(r, el, text);
    else if (parent == EL_ITEM || parent == EL_ITEM_OTHER)
        item_field(r, el, text);
}

/* --- an item is complete
 * --------------------------------------------------------------------------------------------------------- */

static void finish_body(struct ews_event_reading *r)
{
    struct event_fields *f = &r->item->e.fields;
    bool html = str_case_is(r->body_type, "HTML");
    if (html && r->text_body.p) {
        f->html = r->body;
        f->text = event_lines(r->arena, r->text_body);
    } else {
        f->text = event_lines(r->arena, html ? STR_NULL : r->body);
        f->html = html ? r->body : STR_NULL;
    }
    if (f->html.n && f->text.n == 0 && str_find(f->html, STR("<img")) == (size_t)-1)
        f->html = STR_NULL; /* the empty page that Exchange makes of nothing */
}

static void finish_times(struct ews_event_reading *r)
{
    struct event *e = &r->item->e;
    struct event_fields *f = &e->fields;
    const struct tz *from = r->start_zone ? r->start_zone : r->zone, *to = r->end_zone ? r->end_zone : from;
    if (r->to == TIME_NONE || r->to < r->at)
        r->to = r->at;
    f->start = r->at;
    f->end = r->to;
    if (f->all_day) {
        f->start = day_of(r->at, from);
        f->end = day_of(r->to, from);
        if (f->end <= f->start)
            f->end = f->start + DAY;
    } else {
        f->start_zone = tz_name(from);
        if (to != from)
            f->end_zone = tz_name(to);
    }
    event_months_to_years(e, f->all_day ? f->start : tz_to_local(from, f->start));
    for (size_t i = 0; f->all_day && i < r->item->exception_count; i++)
        r->item->exceptions[i].original = day_of(r->item->exceptions[i].original, from);
    for (size_t i = 0; f->all_day && i < r->item->occurrence_count; i++)
        r->item->occurrences[i].original = day_of(r->item->occurrences[i].original, from);
}

static void finish_task(struct ews_event_reading *r)
{
    struct event *e = &r->item->e;
    e->kind = EVENT_TASK;
    e->fields.all_day = true;
    e->fields.busy = EVENT_FREE; /* a task takes no time */
    e->fields.start = r->at;
    e->fields.end = r->to;
    e->fields.mine = EVENT_NO_RESPONSE;
    event_months_to_years(e, r->at);
    if (e->fields.has_reminder)
        e->task.reminder_at = r->reminder_due;
    if (e->uid.n == 0) { /* tasks have none of their own */
        struct crypto_hash h = crypto_sha256(r->item->id);
        e->uid = arena_printf(r->arena, "task-%02x%02x%02x%02x%02x%02x%02x%02x@exchange", h.b[0], h.b[1], h.b[2],
                              h.b[3], h.b[4], h.b[5], h.b[6], h.b[7]);
    }
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_event_reading *r = ud;
    struct ews_got *g = r->item;
    (void)x;
    (void)index;
    if (!g)
        return;
    if (status->code->err != ERR_NONE) {
        ews_status_err(status, "GetItem", &g->err);
    } else {
        bool task = str_starts(r->item_class, STR("IPM.Task"));
        g->is_event = task || r->has_start;
        finish_body(r);
        if (task)
            finish_task(r);
        else if (r->has_start)
            finish_times(r);
        g->e.fields.attendee_count =
            event_drop_attendee(r->attendees, g->e.fields.attendee_count, g->e.organizer_email);
        if (!g->e.is_meeting) {
            g->e.organizer_email = g->e.organizer_name = STR_NULL;
            g->e.response_requested = false;
            if (!task)
                g->e.fields.mine = EVENT_ORGANIZER;
        }
    }
    if (r->count < r->max)
        r->count++;
}

const struct ews_reader ews_event_reader = {
    .on_start = on_start, .on_end = on_end, .on_message = on_message, .max_bytes = 64 << 20, .max_elements = 2000000};

/* --- series
 * ----------------------------------------------------------------------------------------------------------------------------
 */

void ews_event_adopt(struct ews_event_reading *masters, struct ews_got *master, const struct ews_occurrence *o,
                     const struct ews_got *changed)
{
    if (!changed->is_event || changed->err.code != ERR_NONE)
        return;
    master->exceptions = grown(masters->arena, master->exceptions, master->exception_count, &master->exception_room,
                               sizeof(*master->exceptions));
    master->exceptions[master->exception_count++] =
        (struct event_exception){.original = o->original, .id = changed->id, .fields = changed->e.fields};
}

void ews_event_complete(struct ews_got *master)
{
    master->exception_count = event_order_exceptions(master->exceptions, master->exception_count);
    master->e.exceptions = master->exceptions;
    master->e.exception_count = master->exception_count;
}

void ews_event_write_task_uid(struct xml_writer *w)
{
    xml_open(w, "t:ExtendedFieldURI");
    xml_attr_lit(w, "DistinguishedPropertySetId", "PublicStrings");
    xml_attr_lit(w, "PropertyName", EWS_TASK_UID);
    xml_attr_lit(w, "PropertyType", "String");
    xml_close(w);
}

/* --- what is asked for
 * ----------------------------------------------------------------------------------------------------------------- */

void ews_event_write_shape(struct xml_writer *w, bool task, bool is_15)
{
    static const char *const all[] = {
        "item:ItemClass",   "item:Subject",       "item:Body",        "item:Categories",      "item:Importance",
        "item:Sensitivity", "item:ReminderIsSet", "item:Attachments", "item:DateTimeCreated", "item:LastModifiedTime"};
    static const char *const events[] = {"item:ReminderMinutesBeforeStart",
                                         "calendar:UID",
                                         "calendar:DateTimeStamp",
                                         "calendar:Start",
                                         "calendar:End",
                                         "calendar:IsAllDayEvent",
                                         "calendar:LegacyFreeBusyStatus",
                                         "calendar:Location",
                                         "calendar:IsMeeting",
                                         "calendar:IsCancelled",
                                         "calendar:IsResponseRequested",
                                         "calendar:MyResponseType",
                                         "calendar:Organizer",
                                         "calendar:RequiredAttendees",
                                         "calendar:OptionalAttendees",
                                         "calendar:Resources",
                                         "calendar:AppointmentReplyTime",
                                         "calendar:AppointmentSequenceNumber",
                                         "calendar:Recurrence",
                                         "calendar:ModifiedOccurrences",
                                         "calendar:DeletedOccurrences",
                                         "calendar:StartTimeZone",
                                         "calendar:EndTimeZone"};
    static const char *const tasks[] = {"item:ReminderDueBy", "task:StartDate", "task:DueDate",
                                        "task:CompleteDate",  "task:Status",    "task:PercentComplete",
                                        "task:Recurrence"};
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_leaf_lit(w, "t:BodyType", "Best");
    xml_open(w, "t:AdditionalProperties");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        ews_write_field(w, all[i]);
    if (is_15)
        ews_write_field(w, "item:TextBody");
    for (size_t i = 0; !task && i < sizeof(events) / sizeof(events[0]); i++)
        ews_write_field(w, events[i]);
    for (size_t i = 0; task && i < sizeof(tasks) / sizeof(tasks[0]); i++)
        ews_write_field(w, tasks[i]);
    if (task)
        ews_event_write_task_uid(w);
    xml_close(w);
    xml_close(w);
}
