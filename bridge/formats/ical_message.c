/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between organisers and attendees (RFC 5546). */
#include <string.h>

#include "bridge/formats/ical_private.h"

static const char *const method_names[] = {"",        "REQUEST", "REPLY",  "CANCEL", "COUNTER", "DECLINECOUNTER",
                                           "PUBLISH", "ADD",     "REFRESH"};

const char *ical_method_name(enum ical_method method)
{
    return method_names[method];
}

static enum ical_method method_of(struct str word)
{
    for (unsigned i = 1; i < sizeof(method_names) / sizeof(*method_names); i++)
        if (str_case_is(word, method_names[i]))
            return (enum ical_method)i;
    return ICAL_NO_METHOD;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* What others are told of an event: not the user's own reminders, categories and answers, and no address of ours. */
static void make_public(struct event_fields *f)
{
    f->has_reminder = false;
    f->categories = NULL;
    f->category_count = 0;
    f->attachments = NULL;
    f->attachment_count = 0;
    f->mine = EVENT_NO_RESPONSE;
    f->replied = 0;
    f->busy = f->busy == EVENT_OOF || f->busy == EVENT_TENTATIVE ? EVENT_BUSY
              : f->busy == EVENT_ELSEWHERE                       ? EVENT_FREE
                                                                 : f->busy;
    if (f->sensitivity == EVENT_PERSONAL)
        f->sensitivity = EVENT_PRIVATE;
}

static void public_event(struct arena *a, const struct event *e, const struct ical_message *m,
                         const struct ical_options *options, struct event *ret)
{
    *ret = *e;
    make_public(&ret->fields);
    struct event_exception *list = arena_array(a, e->exception_count, sizeof(*list));
    for (size_t i = 0; i < e->exception_count; i++) {
        list[i] = e->exceptions[i];
        list[i].id = STR_NULL;
        make_public(&list[i].fields);
    }
    ret->exceptions = list;
    ret->is_meeting = false; /* that it is one is seen by its attendees */
    ret->response_requested = m->method == ICAL_REQUEST;
    ret->created = ret->modified = 0;
    ret->stamped = m->stamped;
    ret->join_url = STR_NULL;
    if (!ret->organizer_email.n && options->me_count)
        ret->organizer_email = options->me[0];
}

static bool is_told(const struct ical_message *m, struct str email)
{
    for (size_t i = 0; i < m->to_count; i++)
        if (str_case_eq(m->to[i], email))
            return true;
    return false;
}

/* A cancellation names those whom it is for, and says CANCELLED only when nobody is left (RFC 5546 3.2.5). */
static void cancel(struct arena *a, const struct ical_message *m, struct event_fields *f)
{
    struct event_attendee *list = arena_array(a, m->to_count, sizeof(*list));
    bool all = true;
    for (size_t i = 0; i < m->to_count; i++) {
        list[i].email = m->to[i];
        for (size_t k = 0; k < f->attendee_count; k++)
            if (str_case_eq(f->attendees[k].email, m->to[i]))
                list[i] = f->attendees[k];
    }
    for (size_t i = 0; i < f->attendee_count; i++)
        all = all && is_told(m, f->attendees[i].email);
    f->cancelled = all && f->attendee_count;
    f->attendees = list;
    f->attendee_count = m->to_count;
}

/* The occurrence that a message is about, complete. */
static bool find_instance(const struct event *e, int64_t original, struct event_exception *ret)
{
    struct event_occurrence o;
    const struct event_exception *x = event_exception(e, original);
    unsigned index = event_index_of(e, original);
    struct event plain = *e;
    plain.exception_count = 0;
    *ret = (struct event_exception){.original = original, .fields = e->fields};
    if (x && !x->deleted) {
        *ret = *x;
        return true;
    }
    if (!e->has_recurrence || !event_occurrence_at(&plain, index, &o))
        return false;
    ret->fields.start = o.start;
    ret->fields.end = o.end;
    return true;
}

/* REPLY has the one who answers as its only attendee (RFC 5546 3.2.3). */
static void reply(struct arena *a, const struct ical_message *m, struct event_fields *f)
{
    struct event_attendee *one = ARENA_NEW(a, struct event_attendee);
    for (size_t i = 0; i < f->attendee_count; i++)
        if (str_case_eq(f->attendees[i].email, m->from_email))
            *one = f->attendees[i];
    one->email = m->from_email;
    if (m->from_name.n)
        one->name = m->from_name;
    one->response = m->response;
    f->attendees = one;
    f->attendee_count = 1;
    f->text = f->html = STR_NULL;
}

static void put_comment(struct ical_maker *m, void *ud)
{
    const struct ical_message *message = ud;
    ical_put_text(m, "COMMENT", message->comment);
}

static void put_message(struct ical_maker *m, const struct event *e, const struct ical_message *message,
                        const struct event_exception *instance)
{
    struct event copy = *e;
    if (instance || message->method == ICAL_REPLY)
        copy.exception_count = 0;
    ical_write_head(m, ical_method_name(message->method));
    ical_write_zones(m, &copy, NULL);
    struct ical_view v = {.e = &copy, .f = instance ? &instance->fields : &copy.fields, .x = instance};
    ical_write_component(m, &v, put_comment, (void *)message);
    for (size_t i = 0; i < copy.exception_count; i++) {
        v.x = &copy.exceptions[i];
        v.f = &v.x->fields;
        if (!v.x->deleted)
            ical_write_component(m, &v, NULL, NULL);
    }
    ical_end(&m->w, "VCALENDAR");
}

bool ical_write_message(struct buf *out, const struct event *e, const struct ical_message *message,
                        const struct ical_options *options, struct err *ret_err)
{
    struct arena a = {0};
    struct ical_options nobody = {.zone = options->zone};
    struct ical_maker m = {.w = {.out = out}, .options = &nobody, .a = &a, .zone = tz_by_name(options->zone)};
    struct event copy;
    struct event_exception x;
    bool answers = message->response >= EVENT_ACCEPTED && message->response <= EVENT_DECLINED;
    if (message->method == ICAL_REPLY && (!message->from_email.n || !answers))
        return err_set(ret_err, ERR_INVALID, "an answer to an invitation needs who answers, and what");
    if (message->method != ICAL_REQUEST && message->method != ICAL_REPLY && message->method != ICAL_CANCEL)
        return err_set(ret_err, ERR_UNSUPPORTED, "calendar messages of this kind are not sent");
    if (!m.zone)
        m.zone = tz_utc();
    public_event(&a, e, message, options, &copy);
    bool ok = !message->has_instance || find_instance(&copy, message->instance, &x);
    struct event_fields *f = message->has_instance ? &x.fields : &copy.fields;
    if (ok && message->method == ICAL_CANCEL)
        cancel(&a, message, f);
    if (ok && message->method == ICAL_REPLY)
        reply(&a, message, f);
    if (ok)
        put_message(&m, &copy, message, message->has_instance ? &x : NULL);
    arena_done(&a);
    return ok || err_set(ret_err, ERR_NOT_FOUND, "the series has no occurrence at that time");
}

/* --- reading ---------------------------------------------------------------------------------- */

/* One component by itself: an occurrence without its series, or an answer, which need not have times. */
static bool read_alone(struct ical_reader *r, const struct ical_comp *c, struct ical_invitation *ret)
{
    struct event *e = &ret->event;
    struct event_exception x = {0};
    struct ical_item it = {e, &x.fields, &x};
    const struct ical_prop *id = ical_prop(c, "RECURRENCE-ID"), *uid = ical_prop(c, "UID"),
                           *organizer = ical_prop(c, "ORGANIZER"), *p = ical_prop(c, "SEQUENCE");
    struct ical_moment t;
    uint32_t sequence = 0;
    *e = (struct event){.kind = str_case_is(c->name, "VTODO") ? EVENT_TASK : EVENT_APPOINTMENT};
    e->uid = str_trim(ical_unescape(r->a, uid->value));
    e->task.completed = TIME_NONE;
    if (organizer) {
        ical_address(r->a, organizer, &e->organizer_email);
        e->organizer_name = ical_param(r->a, organizer, "CN");
    }
    r->times_may_be_missing = true;
    if (!ical_read_component(r, c, &it) || (id && !ical_moment(r, id, id->value, &t)))
        return false;
    e->fields = x.fields;
    e->is_meeting = true;
    e->sequence = p && str_to_u32(str_trim(p->value), &sequence) ? sequence : 0;
    ret->has_instance = id != NULL;
    ret->instance = id ? t.instant : 0;
    return true;
}

static void read_answer(struct ical_reader *r, const struct ical_comp *c, struct ical_invitation *ret)
{
    const struct ical_prop *p = ical_prop(c, "ATTENDEE"), *comment = ical_prop(c, "COMMENT");
    if (p) {
        ical_address(r->a, p, &ret->from_email);
        ret->from_name = ical_param(r->a, p, "CN");
        ret->response = ical_response(ical_param(r->a, p, "PARTSTAT"));
    }
    if (comment)
        ret->comment = ical_unescape(r->a, comment->value);
}

bool ical_read_message(struct str text, const struct ical_options *options, struct arena *a,
                       struct ical_invitation *ret, struct ical_problem *ret_problem)
{
    struct ical_reader r = {.a = a, .options = options, .problem = ret_problem};
    struct ical_parts parts;
    *ret_problem = (struct ical_problem){.reason = ICAL_NO_REASON};
    *ret = (struct ical_invitation){0};
    if (!ical_open(&r, text) || !ical_find_parts(&r, &parts))
        return false;
    const struct ical_prop *method = ical_prop(r.calendar, "METHOD");
    const struct ical_comp *first = parts.master ? parts.master : parts.overrides[0];
    ret->method = method ? method_of(str_trim(method->value)) : ICAL_NO_METHOD;
    read_answer(&r, first, ret);
    if (parts.master && (ret->method == ICAL_REQUEST || ret->method == ICAL_PUBLISH || ret->method == ICAL_CANCEL)) {
        r.times_may_be_missing = ret->method == ICAL_CANCEL; /* RFC 5546 3.2.5 */
        return ical_read_event(&r, &parts, &ret->event);
    }
    return read_alone(&r, first, ret);
}
