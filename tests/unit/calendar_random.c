/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/calendar_random.h"

#include "bridge/base/time.h"
#include "bridge/formats/recur.h"
#include "bridge/formats/timezone.h"

#define DAY_S 86400

unsigned random_below(struct random *r, unsigned limit)
{
    r->state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (unsigned)(z % limit);
}

static bool often(struct random *r)
{
    return random_below(r, 2);
}

static struct str any_of(struct random *r, const char *const *list, size_t n)
{
    return str_from(list[random_below(r, (unsigned)n)]);
}
#define ANY_OF(r, list) any_of((r), (list), sizeof(list) / sizeof(*(list)))

bool random_pattern(struct random *r, struct event_recurrence *ret)
{
    static const unsigned sets[] = {1, 2, 4, 8, 16, 32, 64, EVENT_WEEKDAYS, EVENT_WEEKEND, EVENT_EVERY_DAY};
    struct event_recurrence p = {.pattern = (enum event_pattern)random_below(r, 6), .interval = 1};
    if (often(r))
        p.interval = 1 + random_below(r, p.pattern == EVENT_DAILY ? 999 : p.pattern >= EVENT_YEARLY ? 8 : 99);
    switch (p.pattern) {
    case EVENT_DAILY:
        break;
    case EVENT_WEEKLY:
        p.days = 1 + random_below(r, 127);
        p.first_day = random_below(r, 7);
        break;
    case EVENT_YEARLY:
        p.month = 1 + random_below(r, 12);
        /* fall through */
    case EVENT_MONTHLY:
        p.day_of_month = often(r) ? 28 + random_below(r, 4) : 1 + random_below(r, 31);
        break;
    case EVENT_YEARLY_RELATIVE:
        p.month = 1 + random_below(r, 12);
        /* fall through */
    case EVENT_MONTHLY_RELATIVE:
        p.days = sets[random_below(r, 10)];
        p.week = 1 + random_below(r, 5);
        break;
    }
    *ret = p;
    return pattern_valid(&p);
}

#define LONG_TEXT                                                                                                      \
    "\xF0\x9F\x93\x85 \xE4\xBC\x9A\xE8\xAE\xAE with a text that has to be folded because it is longer than a line of " \
    "seventy-five bytes"

static const char *const texts[] = {"",
                                    "Meeting",
                                    "Besprechung \xC3\xBC.",
                                    "a; b, c \\ d: \"e\" ^f^n",
                                    LONG_TEXT,
                                    "two\nlines",
                                    "\n\n  leading\ttab",
                                    "BEGIN:VEVENT",
                                    "back\\nslash \\; \\,"};

static void random_attendees(struct random *r, struct arena *a, struct event_fields *f)
{
    static const char *const names[] = {"", "Bob", "Bob, \"the\" Builder", "B\xC3\xB6.b; x:y", "line\nbreak ^' caret"};
    unsigned n = random_below(r, 4);
    struct event_attendee *list = arena_array(a, n, sizeof(*list));
    for (unsigned i = 0; i < n; i++) {
        list[i].email = arena_printf(a, "%s%u@example.com", i % 2 ? "O'Hara+x%y" : "p", i);
        list[i].name = ANY_OF(r, names);
        list[i].role = (enum event_role)random_below(r, 3);
        list[i].response = (enum event_response)random_below(r, 5);
    }
    if (n && often(r))
        list[0].email = STR("me@example.com");
    f->attendees = list;
    f->attendee_count = n;
}

static void random_attachments(struct random *r, struct arena *a, struct event_fields *f)
{
    unsigned n = random_below(r, 3);
    struct event_attachment *list = arena_array(a, n, sizeof(*list));
    for (unsigned i = 0; i < n; i++) {
        struct event_attachment *t = &list[i];
        t->name = ANY_OF(r, texts);
        if (often(r))
            t->content_type = STR("text/plain; charset=\"utf-8\"");
        t->is_inline = often(r);
        if (often(r)) {
            t->id = arena_printf(a, "AAMk/%u+x=", i);
            t->size = random_below(r, 100000);
            if (often(r))
                t->url = STR("https://localhost:1443/a/1;x,y");
        } else {
            t->data = arena_printf(a, "%.*s", (int)random_below(r, 60),
                                   "some content with \001 bytes of any kind, long enough");
            t->size = t->data.n;
        }
    }
    f->attachments = list;
    f->attachment_count = n;
}

static void random_fields(struct random *r, struct arena *a, struct event_fields *f)
{
    static const char *const categories[] = {"Red", "A, B; C", "\xC3\xBC"};
    f->subject = ANY_OF(r, texts);
    f->location = ANY_OF(r, texts);
    f->text = ANY_OF(r, texts);
    if (often(r))
        f->html = STR("<html><body><p>x &amp; y, \"z\"; 100%</p>\n</body></html>");
    f->busy = (enum event_busy)random_below(r, 5);
    f->sensitivity = (enum event_sensitivity)random_below(r, 4);
    f->importance = (enum event_importance)random_below(r, 3);
    f->has_reminder = often(r);
    if (f->has_reminder)
        f->reminder_minutes = (int)(often(r) ? random_below(r, 100) : random_below(r, 10) * 60);
    f->category_count = random_below(r, 4);
    struct str *list = arena_array(a, f->category_count, sizeof(*list));
    for (size_t i = 0; i < f->category_count; i++)
        list[i] = str_from(categories[i]);
    f->categories = list;
    random_attendees(r, a, f);
    random_attachments(r, a, f);
    f->cancelled = random_below(r, 5) == 0;
    f->mine = (enum event_response)random_below(r, 5);
    f->replied = often(r) ? 1700000000 + (int64_t)random_below(r, 1000000) : 0;
}

static void random_time(struct random *r, struct event_fields *f)
{
    static const char *const zones[] = {"",
                                        "Europe/Berlin",
                                        "America/New_York",
                                        "Asia/Jerusalem",
                                        "Africa/Casablanca",
                                        "Australia/Lord_Howe",
                                        "America/St_Johns",
                                        "Custom/+0100+0200-M3.5.0.0200-M9.1.0.0300"};
    int64_t day = (int64_t)random_below(r, 40000) * DAY_S;
    f->all_day = random_below(r, 4) == 0;
    f->start = day;
    f->end = day + (int64_t)(1 + random_below(r, 3)) * DAY_S;
    f->start_zone = f->end_zone = STR_NULL;
    if (f->all_day)
        return;
    f->start = day + (int64_t)random_below(r, 96) * 900;
    f->end = f->start + (int64_t)random_below(r, 20) * 900;
    f->start_zone = ANY_OF(r, zones);
    if (f->end > f->start && random_below(r, 4) == 0)
        f->end_zone = STR("Asia/Tokyo");
}

/* The event begins on a day of its pattern, at an hour that is there once. */
static bool begin_series(struct random *r, struct event *e)
{
    struct event_fields *f = &e->fields;
    const struct tz *z = f->all_day ? NULL : tz_by_name(f->start_zone);
    int64_t length = f->end - f->start, local = z ? tz_to_local(z, f->start) : f->start;
    int64_t day = (local - local % DAY_S) / DAY_S, first;
    if (!random_pattern(r, &e->recurrence))
        return false;
    first = pattern_day(&e->recurrence, day, 0);
    local += (first - day) * DAY_S;
    f->start = z ? tz_to_utc(z, local) : local;
    f->end = f->start + (length > DAY_S ? DAY_S : length);
    e->has_recurrence = true;
    if (often(r)) {
        e->recurrence.count = 1 + random_below(r, often(r) ? 5 : 999);
    } else if (often(r)) {
        e->recurrence.has_until = true;
        e->recurrence.until = (first + (int64_t)random_below(r, 5000)) * DAY_S;
    }
    return !z || tz_to_local(z, f->start) == local;
}

static void rename_me(struct event_fields *f)
{
    struct event_attendee *list = (struct event_attendee *)f->attendees;
    if (f->attendee_count)
        list[0].email = STR("p0@example.com");
}

static void random_exceptions(struct random *r, struct arena *a, struct event *e)
{
    struct event_exception *list = arena_array(a, 8, sizeof(*list));
    size_t n = 0;
    for (unsigned index = 2; n < 8 && index < 40; index += 2 + random_below(r, 9)) {
        struct event_occurrence o;
        if (!event_occurrence_at(e, index, &o))
            break;
        list[n].original = o.original;
        list[n].deleted = often(r);
        if (!list[n].deleted) {
            struct event_fields *f = &list[n].fields;
            random_fields(r, a, f);
            if (!e->is_meeting) { /* nobody else is asked to one occurrence */
                f->attendee_count = 0;
                f->mine = EVENT_NO_RESPONSE;
            }
            if (str_is(e->organizer_email, "me@example.com"))
                rename_me(f);
            f->all_day = e->fields.all_day;
            f->start_zone = e->fields.start_zone;
            f->end_zone = e->fields.end_zone;
            f->start = o.start;
            f->end = o.end;
            list[n].id = arena_printf(a, "AAMkOcc/%u==", index);
        }
        n++;
    }
    e->exceptions = list;
    e->exception_count = n;
}

static void random_task(struct random *r, struct event *e)
{
    struct event_fields *f = &e->fields;
    int64_t day = (int64_t)random_below(r, 30000) * DAY_S;
    f->all_day = true;
    f->start_zone = f->end_zone = STR_NULL;
    f->start = often(r) ? day : TIME_NONE;
    f->end = often(r) ? day + (int64_t)random_below(r, 5) * DAY_S : TIME_NONE;
    f->busy = EVENT_FREE;
    f->location = STR_NULL;
    f->cancelled = false;
    f->reminder_minutes = 0;
    e->task.status = (enum event_task_status)random_below(r, 5);
    e->task.percent = e->task.status == EVENT_COMPLETED     ? 100
                      : e->task.status == EVENT_NOT_STARTED ? 0
                                                            : random_below(r, 100);
    e->task.completed = e->task.status == EVENT_COMPLETED ? day : TIME_NONE;
    e->task.reminder_at = f->has_reminder ? day + 3600 : 0;
    if ((f->start != TIME_NONE || f->end != TIME_NONE) && often(r) && random_pattern(r, &e->recurrence)) {
        int64_t base = f->start != TIME_NONE ? f->start : f->end;
        int64_t shift = pattern_day(&e->recurrence, base / DAY_S, 0) * DAY_S - base;
        f->start += f->start != TIME_NONE ? shift : 0;
        f->end += f->end != TIME_NONE ? shift : 0;
        e->has_recurrence = true;
        e->recurrence.regenerates = often(r);
    }
}

void random_event(struct random *r, struct arena *a, struct event *ret)
{
    struct event e = {.uid = arena_printf(a, "uid-%u,;\\@example.com", random_below(r, 1000000)),
                      .task.completed = TIME_NONE};
    random_fields(r, a, &e.fields);
    if (often(r))
        e.created = 1600000000 + (int64_t)random_below(r, 100000000);
    if (often(r))
        e.modified = 1600000000 + (int64_t)random_below(r, 100000000);
    e.stamped = often(r) ? 1600000000 + (int64_t)random_below(r, 100000000) : 0;
    e.sequence = random_below(r, 3);
    if (often(r)) {
        e.organizer_email = often(r) ? STR("boss@example.com") : STR("me@example.com");
        e.organizer_name = ANY_OF(r, texts);
    }
    if (str_is(e.organizer_email, "me@example.com")) /* the organiser is not among the attendees */
        rename_me(&e.fields);
    if (e.fields.attendee_count && !e.organizer_email.n)
        e.organizer_email = STR("boss@example.com");
    bool foreign = e.organizer_email.n && !str_is(e.organizer_email, "me@example.com");
    e.is_meeting = e.fields.attendee_count || foreign || often(r);
    if (!e.is_meeting)
        e.organizer_email = e.organizer_name = STR_NULL;
    e.response_requested = often(r);
    if (often(r))
        e.join_url = STR("https://teams.example.com/l/meetup-join/19%3ax?context=%7b%22y,z%22%7d");
    if (random_below(r, 5) == 0) {
        e.kind = EVENT_TASK;
        random_task(r, &e);
    } else {
        do
            random_time(r, &e.fields);
        while (!e.fields.all_day && often(r) && !begin_series(r, &e));
        if (e.has_recurrence)
            random_exceptions(r, a, &e);
    }
    *ret = e;
}

/* --- equality
 * ---------------------------------------------------------------------------------------------------------
 */

#define UNEQUAL(what, condition)                                                                                       \
    do {                                                                                                               \
        if (condition)                                                                                                 \
            return what;                                                                                               \
    } while (0)

static const char *lists_unequal(const struct event_fields *a, const struct event_fields *b)
{
    UNEQUAL("category_count", a->category_count != b->category_count);
    for (size_t i = 0; i < a->category_count; i++)
        UNEQUAL("category", !str_eq(a->categories[i], b->categories[i]));
    UNEQUAL("attendee_count", a->attendee_count != b->attendee_count);
    for (size_t i = 0; i < a->attendee_count; i++) {
        const struct event_attendee *x = &a->attendees[i], *y = &b->attendees[i];
        UNEQUAL("attendee email", !str_eq(x->email, y->email));
        UNEQUAL("attendee name", !str_eq(x->name, y->name));
        UNEQUAL("attendee role", x->role != y->role);
        UNEQUAL("attendee response", x->response != y->response);
    }
    UNEQUAL("attachment_count", a->attachment_count != b->attachment_count);
    for (size_t i = 0; i < a->attachment_count; i++) {
        const struct event_attachment *x = &a->attachments[i], *y = &b->attachments[i];
        UNEQUAL("attachment id", !str_eq(x->id, y->id));
        UNEQUAL("attachment name", !str_eq(x->name, y->name));
        UNEQUAL("attachment type", !str_eq(x->content_type, y->content_type));
        UNEQUAL("attachment size", x->size != y->size);
        UNEQUAL("attachment url", !str_eq(x->url, y->url));
        UNEQUAL("attachment data", !str_eq(x->data, y->data));
        UNEQUAL("attachment inline", x->is_inline != y->is_inline);
    }
    return NULL;
}

static const char *fields_unequal(const struct event_fields *a, const struct event_fields *b)
{
    UNEQUAL("start", a->start != b->start);
    UNEQUAL("end", a->end != b->end);
    UNEQUAL("all_day", a->all_day != b->all_day);
    UNEQUAL("subject", !str_eq(a->subject, b->subject));
    UNEQUAL("location", !str_eq(a->location, b->location));
    UNEQUAL("text", !str_eq(a->text, b->text));
    UNEQUAL("html", !str_eq(a->html, b->html));
    UNEQUAL("start_zone", !str_eq(a->start_zone, b->start_zone));
    UNEQUAL("end_zone", !str_eq(a->end_zone, b->end_zone));
    UNEQUAL("busy", a->busy != b->busy);
    UNEQUAL("sensitivity", a->sensitivity != b->sensitivity);
    UNEQUAL("importance", a->importance != b->importance);
    UNEQUAL("has_reminder", a->has_reminder != b->has_reminder);
    UNEQUAL("reminder_minutes", a->reminder_minutes != b->reminder_minutes);
    UNEQUAL("cancelled", a->cancelled != b->cancelled);
    UNEQUAL("mine", a->mine != b->mine);
    UNEQUAL("replied", a->replied != b->replied);
    return lists_unequal(a, b);
}

static const char *recurrence_unequal(const struct event_recurrence *a, const struct event_recurrence *b)
{
    UNEQUAL("pattern", a->pattern != b->pattern);
    UNEQUAL("interval", a->interval != b->interval);
    UNEQUAL("days", a->days != b->days);
    UNEQUAL("week", a->week != b->week);
    UNEQUAL("day_of_month", a->day_of_month != b->day_of_month);
    UNEQUAL("month", a->month != b->month);
    UNEQUAL("first_day", a->first_day != b->first_day);
    UNEQUAL("count", a->count != b->count);
    UNEQUAL("has_until", a->has_until != b->has_until);
    UNEQUAL("until", a->has_until && a->until != b->until);
    UNEQUAL("regenerates", a->regenerates != b->regenerates);
    UNEQUAL("calendar", a->calendar != b->calendar || a->leap_month != b->leap_month);
    return NULL;
}

const char *events_unequal(const struct event *a, const struct event *b)
{
    const char *what = fields_unequal(&a->fields, &b->fields);
    if (!what && a->has_recurrence && b->has_recurrence)
        what = recurrence_unequal(&a->recurrence, &b->recurrence);
    if (what)
        return what;
    UNEQUAL("kind", a->kind != b->kind);
    UNEQUAL("uid", !str_eq(a->uid, b->uid));
    UNEQUAL("is_meeting", a->is_meeting != b->is_meeting);
    UNEQUAL("organizer", !str_eq(a->organizer_email, b->organizer_email));
    UNEQUAL("organizer name", !str_eq(a->organizer_name, b->organizer_name));
    UNEQUAL("response_requested", a->response_requested != b->response_requested);
    UNEQUAL("has_recurrence", a->has_recurrence != b->has_recurrence);
    UNEQUAL("task status", a->task.status != b->task.status);
    UNEQUAL("task percent", a->task.percent != b->task.percent);
    UNEQUAL("task completed", a->task.completed != b->task.completed);
    UNEQUAL("task reminder", a->task.reminder_at != b->task.reminder_at);
    UNEQUAL("join_url", !str_eq(a->join_url, b->join_url));
    UNEQUAL("sequence", a->sequence != b->sequence);
    UNEQUAL("created", a->created != b->created);
    UNEQUAL("modified", a->modified != b->modified);
    UNEQUAL("stamped", a->stamped != b->stamped);
    UNEQUAL("exception_count", a->exception_count != b->exception_count);
    for (size_t i = 0; i < a->exception_count && !what; i++) {
        const struct event_exception *x = &a->exceptions[i], *y = &b->exceptions[i];
        UNEQUAL("original", x->original != y->original);
        UNEQUAL("deleted", x->deleted != y->deleted);
        UNEQUAL("exception id", !str_eq(x->id, y->id));
        what = x->deleted ? NULL : fields_unequal(&x->fields, &y->fields);
    }
    return what;
}
