/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The occurrences of an iCalendar object as libical sees them: an independent witness of what we write.
 *
 *   libical_witness [FROM TO FILE]...     "START SUMMARY" of each occurrence that begins between two dates (yyyymmdd);
 * a line of one dot after each file. Zones are those of the file's VTIMEZONE.
 */
#include <libical/ical.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    return text;
}

static const char *utc(struct icaltimetype t)
{
    static char text[64];
    if (!t.is_date)
        t = icaltime_convert_to_zone(t, icaltimezone_get_utc_timezone());
    if (t.is_date)
        snprintf(text, sizeof(text), "%04d-%02d-%02d", t.year, t.month, t.day);
    else
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", t.year, t.month, t.day, t.hour, t.minute,
                 t.second);
    return text;
}

/* The zone of a property by the object's own VTIMEZONE. */
static struct icaltimetype in_zone(icalcomponent *calendar, icalproperty *p, struct icaltimetype t)
{
    icalparameter *id = icalproperty_get_first_parameter(p, ICAL_TZID_PARAMETER);
    icaltimezone *zone = id ? icalcomponent_get_timezone(calendar, icalparameter_get_tzid(id)) : NULL;
    if (id && !zone) {
        fprintf(stderr, "no VTIMEZONE %s\n", icalparameter_get_tzid(id));
        exit(1);
    }
    return zone ? icaltime_set_timezone(&t, zone), t : t;
}

#define EXCEPTIONS_MAX 1000

struct walk {
    icalcomponent *calendar, *master;
    struct icaltimetype from, to;
    struct icaltimetype exceptions[EXCEPTIONS_MAX]; /* EXDATE and RECURRENCE-ID */
    struct icaltimetype added[EXCEPTIONS_MAX];      /* RDATE */
    size_t exception_count, added_count;
};

static bool is_in(const struct walk *w, struct icaltimetype t)
{
    return icaltime_compare_date_only(t, w->from) >= 0 && icaltime_compare_date_only(t, w->to) < 0;
}

static void note_exception(struct walk *w, icalproperty *p, struct icaltimetype t)
{
    if (w->exception_count < EXCEPTIONS_MAX)
        w->exceptions[w->exception_count++] = in_zone(w->calendar, p, t);
}

/* Before anything is walked: libical's iterators are in the component, one at a time. */
static void find_lists(struct walk *w)
{
    for (icalcomponent *c = icalcomponent_get_first_component(w->calendar, ICAL_ANY_COMPONENT); c;
         c = icalcomponent_get_next_component(w->calendar, ICAL_ANY_COMPONENT)) {
        icalproperty *id = icalcomponent_get_first_property(c, ICAL_RECURRENCEID_PROPERTY);
        if (id)
            note_exception(w, id, icalproperty_get_recurrenceid(id));
        for (icalproperty *p = icalcomponent_get_first_property(c, ICAL_EXDATE_PROPERTY); p;
             p = icalcomponent_get_next_property(c, ICAL_EXDATE_PROPERTY))
            note_exception(w, p, icalproperty_get_exdate(p));
        for (icalproperty *p = icalcomponent_get_first_property(c, ICAL_RDATE_PROPERTY); p;
             p = icalcomponent_get_next_property(c, ICAL_RDATE_PROPERTY))
            if (w->added_count < EXCEPTIONS_MAX)
                w->added[w->added_count++] = in_zone(w->calendar, p, icalproperty_get_rdate(p).time);
    }
}

static bool is_exception(const struct walk *w, struct icaltimetype t)
{
    for (size_t i = 0; i < w->exception_count; i++)
        if (icaltime_compare(w->exceptions[i], t) == 0)
            return true;
    return false;
}

static void print(const struct walk *w, icalcomponent *c, struct icaltimetype t)
{
    if (is_in(w, t))
        printf("%s %s\n", utc(t), icalcomponent_get_summary(c) ? icalcomponent_get_summary(c) : "");
}

static void walk_master(const struct walk *w, struct icaltimetype start)
{
    icalproperty *rule = icalcomponent_get_first_property(w->master, ICAL_RRULE_PROPERTY);
    if (!rule && !is_exception(w, start))
        print(w, w->master, start);
    if (rule) {
        icalrecur_iterator *it = icalrecur_iterator_new(icalproperty_get_rrule(rule), start);
        struct icaltimetype t;
        while (it && !icaltime_is_null_time(t = icalrecur_iterator_next(it)) &&
               icaltime_compare_date_only(t, w->to) < 0)
            if (!is_exception(w, t))
                print(w, w->master, t);
        icalrecur_iterator_free(it);
    }
    for (size_t i = 0; i < w->added_count; i++)
        if (!is_exception(w, w->added[i]))
            print(w, w->master, w->added[i]);
}

static bool is_item(icalcomponent *c)
{
    return icalcomponent_isa(c) == ICAL_VEVENT_COMPONENT || icalcomponent_isa(c) == ICAL_VTODO_COMPONENT;
}

static void walk_file(struct walk *w)
{
    find_lists(w);
    for (icalcomponent *c = icalcomponent_get_first_component(w->calendar, ICAL_ANY_COMPONENT); c;
         c = icalcomponent_get_next_component(w->calendar, ICAL_ANY_COMPONENT)) {
        icalproperty *start = icalcomponent_get_first_property(c, ICAL_DTSTART_PROPERTY);
        icalproperty *due = icalcomponent_get_first_property(c, ICAL_DUE_PROPERTY);
        if (!is_item(c) || (!start && !due))
            continue;
        struct icaltimetype t = in_zone(w->calendar, start ? start : due,
                                        start ? icalproperty_get_dtstart(start) : icalproperty_get_due(due));
        if (icalcomponent_get_first_property(c, ICAL_RECURRENCEID_PROPERTY)) {
            print(w, c, t);
        } else {
            w->master = c;
            walk_master(w, t);
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 2 < argc; i += 3) {
        struct walk w = {.calendar = icalparser_parse_string(read_file(argv[i + 2])),
                         .from = icaltime_from_string(argv[i]),
                         .to = icaltime_from_string(argv[i + 1])};
        if (!w.calendar)
            return 1;
        walk_file(&w);
        printf(".\n");
        icalcomponent_free(w.calendar);
    }
    return 0;
}
