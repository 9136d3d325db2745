/* SPDX-License-Identifier: Apache-2.0 */
/* VALARM. Exchange has one reminder, so many minutes before the start (of a task: at some moment). */
#include <stdio.h>

#include "bridge/formats/ical_private.h"

#define MINUTES_MAX 2629800 /* five years: more than anybody is offered */

static bool is_alarm(const struct ical_comp *c)
{
    return str_case_is(c->name, "VALARM");
}

static bool has_action(const struct ical_comp *alarm, const char *action)
{
    const struct ical_prop *p = ical_prop(alarm, "ACTION");
    return p && str_case_is(str_trim(p->value), action);
}

struct reminder {
    int minutes;
    int64_t at; /* of tasks */
};

/* When a task's trigger goes off: by itself, or counted from a date (its midnight in the account's zone). */
static bool task_trigger(const struct ical_prop *trigger, struct arena *a, const struct tz *zone, const struct event *e,
                         int64_t *ret)
{
    int64_t days, seconds;
    enum ical_when kind;
    if (ical_when(trigger->value, ret, &kind))
        return kind == ICAL_WHEN_UTC;
    bool from_end = str_case_is(ical_param(a, trigger, "RELATED"), "END");
    int64_t base = from_end ? e->fields.end : e->fields.start;
    if (base == TIME_NONE || !ical_duration(trigger->value, &days, &seconds))
        return false;
    *ret = tz_to_utc(zone, base + days * ICAL_DAY_S) + seconds;
    return true;
}

static bool event_trigger(const struct ical_prop *trigger, struct arena *a, int *ret_minutes)
{
    int64_t days, seconds;
    if (str_case_is(ical_param(a, trigger, "RELATED"), "END") || !ical_duration(trigger->value, &days, &seconds))
        return false;
    int64_t before = -(days * ICAL_DAY_S + seconds);
    if (before < 0 || before % 60 || before / 60 > MINUTES_MAX)
        return false;
    *ret_minutes = (int)(before / 60);
    return true;
}

/* Could this alarm be the reminder? */
static bool fits(struct arena *a, const struct tz *zone, const struct ical_comp *alarm, const struct event *e,
                 struct reminder *ret)
{
    const struct ical_prop *trigger = ical_prop(alarm, "TRIGGER");
    if (!trigger || (!has_action(alarm, "DISPLAY") && !has_action(alarm, "AUDIO")))
        return false;
    *ret = (struct reminder){0};
    return e->kind == EVENT_TASK ? task_trigger(trigger, a, zone, e, &ret->at)
                                 : event_trigger(trigger, a, &ret->minutes);
}

/* The one that is: the first that shows something, else the first that makes a sound. */
static const struct ical_comp *chosen(struct arena *a, const struct tz *zone, const struct ical_comp *c,
                                      const struct event *e, struct reminder *ret)
{
    const struct ical_comp *sound = NULL;
    struct reminder m;
    for (const struct ical_comp *at = c->comps; at; at = at->next) {
        if (!is_alarm(at) || !fits(a, zone, at, e, &m))
            continue;
        if (has_action(at, "DISPLAY")) {
            *ret = m;
            return at;
        }
        if (!sound) {
            sound = at;
            *ret = m;
        }
    }
    return sound;
}

bool ical_alarm_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct reminder m = {0};
    it->f->has_reminder = chosen(r->a, r->zone, c, it->e, &m) != NULL;
    if (it->e->kind == EVENT_TASK)
        it->e->task.reminder_at = it->f->has_reminder ? m.at : 0;
    else
        it->f->reminder_minutes = it->f->has_reminder ? m.minutes : 0;
    return true;
}

static void put_trigger(struct ical_maker *m, const struct ical_view *v)
{
    char text[32];
    unsigned minutes = (unsigned)v->f->reminder_minutes;
    ical_name(&m->w, "TRIGGER");
    if (v->e->kind == EVENT_TASK) {
        ical_param_add(&m->w, "VALUE", STR("DATE-TIME"));
        ical_when_add(&m->w, v->e->task.reminder_at, ICAL_WHEN_UTC);
        return;
    }
    if (minutes && minutes % 1440 == 0)
        snprintf(text, sizeof(text), "-P%uD", minutes / 1440);
    else if (minutes && minutes % 60 == 0)
        snprintf(text, sizeof(text), "-PT%uH", minutes / 60);
    else
        snprintf(text, sizeof(text), "%sPT%uM", minutes ? "-" : "", minutes);
    ical_value(&m->w, str_from(text));
}

static void put_alarm(struct ical_maker *m, const struct ical_view *v)
{
    ical_begin(&m->w, "VALARM");
    ical_put_word(m, "ACTION", "DISPLAY");
    put_trigger(m, v);
    ical_put_word(m, "DESCRIPTION", "Reminder"); /* 3.6.6 wants one; Exchange has none */
    ical_end(&m->w, "VALARM");
}

static bool can_be_written(const struct ical_view *v)
{
    return v->f->has_reminder &&
           (v->e->kind == EVENT_TASK || (v->f->reminder_minutes >= 0 && v->f->reminder_minutes <= MINUTES_MAX));
}

/* The reminder first, in the client's words if they mean that; then the alarms that only the client knows. Of these,
 * those that could be the reminder go when somebody took that away. */
void ical_alarm_write(struct ical_maker *m, const struct ical_view *v)
{
    struct reminder said = {0}, other;
    const struct ical_comp *mine =
        v->extra && ical_prop(v->extra, ICAL_SAID) ? chosen(m->a, m->zone, v->extra, v->e, &said) : NULL;
    bool has = can_be_written(v);
    bool same = v->e->kind == EVENT_TASK ? said.at == v->e->task.reminder_at : said.minutes == v->f->reminder_minutes;
    if (has && mine && same)
        ical_tree(&m->w, mine);
    else if (has)
        put_alarm(m, v);
    for (const struct ical_comp *at = v->extra ? v->extra->comps : NULL; at; at = at->next)
        if (is_alarm(at) && at != mine && (has || !fits(m->a, m->zone, at, v->e, &other)))
            ical_tree(&m->w, at);
}

void ical_alarm_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c, const struct ical_item *it)
{
    struct reminder said;
    const struct ical_comp *mine = chosen(r->a, r->zone, c, it->e, &said);
    const struct ical_view v = {.e = it->e, .f = it->f, .x = it->x};
    struct buf own = BUF_INIT(0), theirs = BUF_INIT(0);
    struct ical_maker o = {.w = {.out = &own}, .options = m->options, .a = m->a, .zone = m->zone};
    struct ical_writer t = {.out = &theirs};
    if (mine) {
        put_alarm(&o, &v);
        ical_tree(&t, mine);
        if (!str_eq(buf_view(&own), buf_view(&theirs))) {
            ical_put_word(m, ICAL_SAID, "TRUE");
            ical_tree(&m->w, mine);
        }
    }
    for (const struct ical_comp *at = c->comps; at; at = at->next)
        if (is_alarm(at) && at != mine)
            ical_tree(&m->w, at);
    buf_done(&own);
    buf_done(&theirs);
}
