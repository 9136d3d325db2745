/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_event_times.h"

#include "bridge/base/buf.h"
#include "bridge/base/time.h"

const struct tz *ews_zone_of(struct str name)
{
    const struct tz *z = tz_by_name(name);
    return z ? z : tz_utc();
}

void ews_write_date(struct xml_writer *w, const char *name, int64_t date)
{
    struct buf b = {0};
    time_add_iso(&b, date);
    xml_leaf(w, name, str_sub(buf_view(&b), 0, 10));
    buf_done(&b);
}

static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"",     "January", "February",  "March",   "April",    "May",     "June",
                                     "July", "August",  "September", "October", "November", "December"};
static const char *const weeks[] = {"First", "First", "Second", "Third", "Fourth", "Last"};

static void write_days(struct xml_writer *w, unsigned set)
{
    struct buf b = {0};
    for (unsigned i = 0; i < 7; i++)
        if (set & 1u << i)
            buf_printf(&b, "%s%s", b.n ? " " : "", days[i]);
    xml_leaf(w, "t:DaysOfWeek", buf_view(&b));
    buf_done(&b);
}

/* One day, or one of the three names for sets of them. */
static void write_day_kind(struct xml_writer *w, unsigned set)
{
    const char *name = set == EVENT_EVERY_DAY ? "Day" : set == EVENT_WEEKDAYS ? "Weekday" : "WeekendDay";
    for (unsigned i = 0; i < 7; i++)
        if (set == 1u << i)
            name = days[i];
    xml_leaf_lit(w, "t:DaysOfWeek", name);
}

/* --- recurrence ---------------------------------------------------------------------------------- */

static void write_pattern(struct xml_writer *w, const struct event_recurrence *p, bool years_as_months)
{
    static const char *const names[] = {[EVENT_DAILY] = "t:DailyRecurrence",
                                        [EVENT_WEEKLY] = "t:WeeklyRecurrence",
                                        [EVENT_MONTHLY] = "t:AbsoluteMonthlyRecurrence",
                                        [EVENT_MONTHLY_RELATIVE] = "t:RelativeMonthlyRecurrence",
                                        [EVENT_YEARLY] = "t:AbsoluteYearlyRecurrence",
                                        [EVENT_YEARLY_RELATIVE] = "t:RelativeYearlyRecurrence"};
    static const char *const again[] = {
        [EVENT_DAILY] = "t:DailyRegeneration",     [EVENT_WEEKLY] = "t:WeeklyRegeneration",
        [EVENT_MONTHLY] = "t:MonthlyRegeneration", [EVENT_MONTHLY_RELATIVE] = "t:MonthlyRegeneration",
        [EVENT_YEARLY] = "t:YearlyRegeneration",   [EVENT_YEARLY_RELATIVE] = "t:YearlyRegeneration"};
    enum event_pattern pattern = p->pattern;
    unsigned interval = p->interval ? p->interval : 1;
    if (years_as_months && (pattern == EVENT_YEARLY || pattern == EVENT_YEARLY_RELATIVE)) {
        pattern = pattern == EVENT_YEARLY ? EVENT_MONTHLY : EVENT_MONTHLY_RELATIVE;
        interval *= 12;
    }
    if (p->regenerates) {
        xml_open(w, again[p->pattern]);
        xml_leaf_u64(w, "t:Interval", p->interval ? p->interval : 1);
        xml_close(w);
        return;
    }
    xml_open(w, names[pattern]);
    if (pattern < EVENT_YEARLY)
        xml_leaf_u64(w, "t:Interval", interval);
    if (pattern == EVENT_WEEKLY) {
        write_days(w, p->days);
        xml_leaf_lit(w, "t:FirstDayOfWeek", days[p->first_day % 7]);
    } else if (pattern == EVENT_MONTHLY_RELATIVE || pattern == EVENT_YEARLY_RELATIVE) {
        write_day_kind(w, p->days);
        xml_leaf_lit(w, "t:DayOfWeekIndex", weeks[p->week <= EVENT_LAST_WEEK ? p->week : EVENT_LAST_WEEK]);
    } else if (pattern == EVENT_MONTHLY || pattern == EVENT_YEARLY) {
        xml_leaf_u64(w, "t:DayOfMonth", p->day_of_month);
    }
    if (pattern == EVENT_YEARLY || pattern == EVENT_YEARLY_RELATIVE)
        xml_leaf_lit(w, "t:Month", months[p->month <= 12 ? p->month : 1]);
    xml_close(w);
}

void ews_write_recurrence(struct xml_writer *w, const struct event_recurrence *p, int64_t first)
{
    xml_open(w, "t:Recurrence");
    write_pattern(w, p, p->interval > 1 && (p->pattern == EVENT_YEARLY || p->pattern == EVENT_YEARLY_RELATIVE));
    xml_open(w, p->count ? "t:NumberedRecurrence" : p->has_until ? "t:EndDateRecurrence" : "t:NoEndRecurrence");
    ews_write_date(w, "t:StartDate", first);
    if (p->count)
        xml_leaf_u64(w, "t:NumberOfOccurrences", p->count);
    else if (p->has_until)
        ews_write_date(w, "t:EndDate", p->until);
    xml_close(w);
    xml_close(w);
}

/* --- zones --------------------------------------------------------------------------------------- */

static void add_duration(struct buf *b, int minutes)
{
    unsigned m = (unsigned)(minutes < 0 ? -minutes : minutes);
    buf_printf(b, "%sPT%uH%uM", minutes < 0 ? "-" : "", m / 60, m % 60);
}

static void write_period(struct xml_writer *w, const char *id, int bias)
{
    struct buf b = {0};
    add_duration(&b, bias);
    xml_open(w, "t:Period");
    xml_attr(w, "Bias", buf_view(&b));
    xml_attr_lit(w, "Name", id);
    xml_attr_lit(w, "Id", id);
    xml_close(w);
    buf_done(&b);
}

static void write_to(struct xml_writer *w, const char *kind, const char *id)
{
    xml_open(w, "t:To");
    xml_attr_lit(w, "Kind", kind);
    xml_text(w, str_from(id));
    xml_close(w);
}

static void write_transition(struct xml_writer *w, const char *to, const struct tz_date *d)
{
    struct buf b = {0};
    xml_open(w, "t:RecurringDayTransition");
    write_to(w, "Period", to);
    add_duration(&b, (int)(d->hour * 60 + d->minute));
    xml_leaf(w, "t:TimeOffset", buf_view(&b));
    xml_leaf_u64(w, "t:Month", d->month);
    xml_leaf_lit(w, "t:DayOfWeek", days[d->weekday % 7]);
    xml_leaf_lit(w, "t:Occurrence", (const char *[]){"1", "1", "2", "3", "4", "-1"}[d->day <= 5 ? d->day : 5]);
    xml_close(w);
    buf_done(&b);
}

static void write_rules(struct xml_writer *w, const struct tz_rules *r)
{
    bool both = r->daylight.month != 0;
    xml_open(w, "t:Periods");
    write_period(w, "Standard", r->bias + r->standard_bias);
    if (both)
        write_period(w, "Daylight", r->bias + r->daylight_bias);
    xml_close(w);
    xml_open(w, "t:TransitionsGroups");
    xml_open(w, "t:TransitionsGroup");
    xml_attr_lit(w, "Id", "0");
    if (both) {
        write_transition(w, "Daylight", &r->daylight);
        write_transition(w, "Standard", &r->standard);
    } else {
        xml_open(w, "t:Transition");
        write_to(w, "Period", "Standard");
        xml_close(w);
    }
    xml_close(w);
    xml_close(w);
    xml_open(w, "t:Transitions");
    xml_open(w, "t:Transition");
    write_to(w, "Group", "0");
    xml_close(w);
    xml_close(w);
}

void ews_write_zone(struct xml_writer *w, const char *element, struct str name, int64_t at)
{
    const struct tz *z = ews_zone_of(name);
    struct str id = tz_is_utc(z) ? STR("UTC") : tz_windows(z);
    struct time_parts parts;
    struct tz_rules rules;
    xml_open(w, element);
    xml_attr(w, "Id", id.n ? id : tz_name(z));
    if (id.n == 0) {
        time_to_parts(at, 0, &parts);
        tz_rules(z, parts.year, &rules);
        xml_attr(w, "Name", tz_name(z));
        write_rules(w, &rules);
    }
    xml_close(w);
}
