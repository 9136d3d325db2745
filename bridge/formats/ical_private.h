/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_ICAL_PRIVATE_H
#define BRIDGE_FORMATS_ICAL_PRIVATE_H
/*
 * Inside of ical*.c. What a component says is divided into groups of properties that mean something together
 * (ical_groups): each can be read into the model and written from it. What a client wrote differently from what we
 * would write of the same meaning ("spelling") is kept in the extras, and written again as long as it still means what
 * the event says.
 */
#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/ical_tree.h"
#include "bridge/formats/recur.h"
#include "bridge/formats/timezone.h"

#define ICAL_DAY_S 86400

/* --- reading --------------------------------------------------------------------------------------------------------
 */

struct ical_zone_memo;
struct ical_reader {
    struct arena *a;
    const struct ical_options *options;
    struct ical_problem *problem;
    const struct ical_comp *calendar; /* for its VTIMEZONEs; NULL in extras */
    const struct tz *zone;            /* the account's */
    int from_year, to_year;           /* between which zones are used */
    struct ical_zone_memo *zones;
    bool times_may_be_missing; /* messages */
    bool uninvited;            /* the people of the series are not the event's */
};
/* A component being read: the master (x is NULL) or a changed occurrence. */
struct ical_item {
    struct event *e;
    struct event_fields *f;
    struct event_exception *x;
};
/* False, with the reason and the table's sentence; `what` (may be NULL) is put before it. */
bool ical_refuse(struct ical_reader *r, enum ical_reason reason, unsigned line, const char *what);
/* The property that may be there once: *ret is NULL when it is not; false when it is there twice. */
bool ical_once(struct ical_reader *r, const struct ical_comp *c, const char *name, const struct ical_prop **ret);

struct ical_moment {
    enum ical_when kind;
    int64_t seconds;       /* as written */
    int64_t instant;       /* a date: its midnight as if UTC */
    const struct tz *zone; /* NULL for a date; UTC for ...Z; the account's when floating */
    bool floating;
};
/* One value (of a list, perhaps) with the property's TZID. */
bool ical_moment(struct ical_reader *r, const struct ical_prop *p, struct str value, struct ical_moment *ret);
/* A period: "start/end" or "start/duration". */
bool ical_period(struct ical_reader *r, const struct ical_prop *p, struct str value, struct ical_moment *ret_from,
                 struct ical_moment *ret_to);

/* DTSTART is a local time of no zone. */
bool ical_is_floating(struct arena *a, const struct ical_comp *c);

/* --- writing --------------------------------------------------------------------------------------------------------
 */

struct ical_maker {
    struct ical_writer w;
    const struct ical_options *options;
    struct arena *a;       /* for what is needed while writing */
    const struct tz *zone; /* the account's */
};
struct ical_view { /* a component to be written */
    const struct event *e;
    const struct event_fields *f;
    const struct event_exception *x;
    const struct ical_comp *extra; /* what belongs to it; NULL: nothing */
    bool floating;                 /* local times without a zone */
    bool floating_series;          /* the same of the master: for RECURRENCE-ID */
};
/* NAME;TZID=...:20261123T140511, or ...Z, or ;VALUE=DATE:20261123 */
void ical_put_moment(struct ical_maker *m, const char *name, int64_t t, const struct tz *zone, bool floating);
void ical_put_utc(struct ical_maker *m, const char *name, int64_t t); /* nothing for TIME_NONE */
void ical_put_text(struct ical_maker *m, const char *name, struct str text);
void ical_put_word(struct ical_maker *m, const char *name, const char *word);

/* --- groups ---------------------------------------------------------------------------------------------------------
 */

enum ical_spelling {
    ICAL_SPELL_NEVER, /* always as we write it */
    ICAL_SPELL_GROUP, /* all lines of the group, when reading them gives what the event has */
    ICAL_SPELL_SELF   /* the group looks after its extras itself */
};
struct ical_group {
    const char *const *names; /* ends with NULL */
    bool events, tasks;       /* in which components */
    enum ical_spelling spelling;
    unsigned parts; /* enum event_part that its spelling is compared by; of fields */
    bool (*read)(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it);
    void (*write)(struct ical_maker *m, const struct ical_view *v);
    /* ICAL_SPELL_SELF: the lines of c that are to be kept. */
    void (*keep)(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c, const struct ical_item *it);
};
#define ICAL_GROUPS_MAX 24
extern const struct ical_group *const ical_groups[]; /* in the order of writing; ends with NULL */
/* The group of a property in a component of that kind; NULL: nobody's. */
const struct ical_group *ical_group_of(struct str name, enum event_kind kind);

extern const struct ical_group ical_group_time, ical_group_task_time, ical_group_rule, ical_group_exdates,
    ical_group_people, ical_group_attach;
/* The alarms are components: same division of work. This property in the extras says that the first alarm there which
 * could be the reminder is it, in the client's words. */
#define ICAL_SAID "X-EXBRIDGE-REMINDER"
bool ical_alarm_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it);
void ical_alarm_write(struct ical_maker *m, const struct ical_view *v);
void ical_alarm_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                     const struct ical_item *it);

/* --- pieces that several need ----------------------------------------------------------------- */

/* "mailto:a@b", percent-encoding undone; false: no mail address. */
bool ical_address(struct arena *a, const struct ical_prop *p, struct str *ret);
void ical_put_address(struct ical_maker *m, struct str email); /* ends the line */
bool ical_is_me(const struct ical_options *o, struct str email);
struct str ical_partstat(enum event_response response);
enum event_response ical_response(struct str partstat);
/* The original start that a RECURRENCE-ID means in the series; false: none. */
bool ical_original(struct ical_reader *r, const struct event *e, const struct ical_prop *p, int64_t *ret);
/* One component (VEVENT or VTODO) with everything of it; messages add lines of their own by `more`. */
void ical_write_component(struct ical_maker *m, const struct ical_view *v, void (*more)(struct ical_maker *m, void *ud),
                          void *ud);
/* BEGIN:VCALENDAR with its head; method "" for none. */
void ical_write_head(struct ical_maker *m, const char *method);
/* VTIMEZONE of every zone that the event (and its extras) names. */
void ical_write_zones(struct ical_maker *m, const struct event *e, const struct ical_comp *extras);
/* Components of one object into an event; the calendar is checked already. */
struct ical_parts {
    const struct ical_comp *master;
    const struct ical_comp **overrides;
    size_t override_count;
};
bool ical_find_parts(struct ical_reader *r, struct ical_parts *ret); /* one UID, one kind */
bool ical_read_event(struct ical_reader *r, const struct ical_parts *parts, struct event *ret);
bool ical_read_component(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it);
/* VCALENDAR of a text, with the reader set up for its zones. */
bool ical_open(struct ical_reader *r, struct str text);
struct str ical_keep(struct ical_reader *r, const struct ical_parts *parts, const struct event *e);

#endif
