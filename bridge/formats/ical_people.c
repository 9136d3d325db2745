/* SPDX-License-Identifier: Apache-2.0 */
/* ORGANIZER and ATTENDEE. */
#include "bridge/base/text.h"
#include "bridge/formats/ical_private.h"

/* --- addresses ------------------------------------------------------------------------------------------------------
 */

#define MAILTO     "mailto:"
#define NO_ADDRESS "invalid:nomail" /* MS-OXCICAL 2.1.3.1.1.20.2: somebody who has a name only */

bool ical_address(struct arena *a, const struct ical_prop *p, struct str *ret)
{
    struct str value = str_trim(p->value), mail = ical_param(a, p, "EMAIL"); /* RFC 7986 6.2 */
    if (str_case_starts(value, STR(MAILTO)))
        mail = str_skip(value, sizeof(MAILTO) - 1);
    else if (!mail.n)
        return str_case_is(value, NO_ADDRESS);
    if (str_find_byte(mail, '%') != (size_t)-1) {
        struct buf b = BUF_INIT(0);
        if (text_percent_decode(&b, mail) && text_utf8_valid(buf_view(&b)))
            mail = arena_str(a, buf_view(&b));
        buf_done(&b);
    }
    *ret = str_trim(mail);
    return true;
}

void ical_put_address(struct ical_maker *m, struct str email)
{
    struct buf b = BUF_INIT(0);
    if (email.n) {
        buf_lit(&b, MAILTO);
        text_percent_add(&b, email, "@!#$&'*+/=?^`{|}");
    } else {
        buf_lit(&b, NO_ADDRESS);
    }
    ical_value(&m->w, buf_view(&b));
    buf_done(&b);
}

bool ical_is_me(const struct ical_options *o, struct str email)
{
    for (size_t i = 0; email.n && i < o->me_count; i++)
        if (str_case_eq(o->me[i], email))
            return true;
    return false;
}

/* --- words ----------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    enum event_response response;
} partstats[] = {
    {"NEEDS-ACTION", EVENT_NO_RESPONSE}, {"ACCEPTED", EVENT_ACCEPTED},  {"TENTATIVE", EVENT_TENTATIVELY_ACCEPTED},
    {"DECLINED", EVENT_DECLINED},        {"COMPLETED", EVENT_ACCEPTED}, {"IN-PROCESS", EVENT_ACCEPTED},
    {"ORGANIZER", EVENT_ORGANIZER}, /* of our own properties */
};

enum event_response ical_response(struct str partstat)
{
    for (size_t i = 0; i < sizeof(partstats) / sizeof(*partstats); i++)
        if (str_case_is(partstat, partstats[i].word))
            return partstats[i].response;
    return EVENT_NO_RESPONSE;
}

static struct str response_word(enum event_response response)
{
    for (size_t i = 0; i < sizeof(partstats) / sizeof(*partstats); i++)
        if (partstats[i].response == response)
            return str_from(partstats[i].word);
    return STR("NEEDS-ACTION");
}

struct str ical_partstat(enum event_response response)
{
    return response == EVENT_ORGANIZER ? STR("ACCEPTED") : response_word(response);
}

static enum event_role role_of(struct arena *a, const struct ical_prop *p)
{
    struct str role = ical_param(a, p, "ROLE"), type = ical_param(a, p, "CUTYPE");
    if (str_case_is(type, "RESOURCE") || str_case_is(type, "ROOM"))
        return EVENT_RESOURCE;
    return str_case_is(role, "OPT-PARTICIPANT") || str_case_is(role, "NON-PARTICIPANT") ? EVENT_OPTIONAL
                                                                                        : EVENT_REQUIRED;
}

/* --- reading --------------------------------------------------------------------------------------------------------
 */

/* RFC 6638 7.1: NONE and CLIENT, and (7.1: "MUST be treated as NONE") what is not known. */
static bool is_elsewhere(struct arena *a, const struct ical_prop *p)
{
    struct str agent = ical_param(a, p, "SCHEDULE-AGENT");
    return agent.n && !str_case_is(agent, "SERVER");
}

/* An attendee as one line says it. False: nobody with an address or name. */
static bool read_attendee(struct arena *a, const struct ical_prop *p, struct event_attendee *ret)
{
    struct event_attendee t = {0};
    if (!ical_address(a, p, &t.email))
        return false;
    t.name = ical_param(a, p, "CN");
    t.role = role_of(a, p);
    t.response = ical_response(ical_param(a, p, "PARTSTAT"));
    t.elsewhere = is_elsewhere(a, p);
    *ret = t;
    return t.email.n || t.name.n;
}

/* Whichever of the user's addresses it is, of somebody who is the organiser himself. */
static bool is_organizer(const struct ical_options *o, const struct event *e, struct str email)
{
    return email.n &&
           (str_case_eq(e->organizer_email, email) || (ical_is_me(o, email) && ical_is_me(o, e->organizer_email)));
}

static bool is_listed(const struct ical_options *o, const struct event_fields *f)
{
    for (size_t i = 0; i < f->attendee_count; i++)
        if (ical_is_me(o, f->attendees[i].email))
            return true;
    return false;
}

/* The user's own answer, as far as attendees and organiser tell it. */
static enum event_response own_response(const struct ical_options *o, const struct event *e,
                                        const struct event_fields *f)
{
    for (size_t i = 0; i < f->attendee_count; i++)
        if (ical_is_me(o, f->attendees[i].email))
            return f->attendees[i].response;
    return e->is_meeting && ical_is_me(o, e->organizer_email) ? EVENT_ORGANIZER : EVENT_NO_RESPONSE;
}

/* Once more the same address: the first line counts. */
static bool is_among(const struct event_attendee *list, size_t n, const struct event_attendee *t)
{
    for (size_t i = 0; t->email.n && i < n; i++)
        if (str_case_eq(list[i].email, t->email))
            return true;
    return false;
}

static bool read_attendees(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    size_t n = 0;
    for (const struct ical_prop *p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE"))
        if (++n > EVENT_ATTENDEES_MAX)
            return ical_refuse(r, ICAL_TOO_MANY_ATTENDEES, p->line, NULL);
    struct event_attendee *list = arena_array(r->a, n, sizeof(*list));
    n = 0;
    for (const struct ical_prop *p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE"))
        if (read_attendee(r->a, p, &list[n]) && !is_organizer(r->options, it->e, list[n].email) &&
            !is_among(list, n, &list[n]))
            n++;
    it->f->attendees = list;
    it->f->attendee_count = n;
    return true;
}

/* What a server's list says of the user himself can differ from his own answer: see put_attendee(). */
static void read_own_words(struct ical_reader *r, const struct ical_comp *c, struct event_fields *f)
{
    struct event_attendee *list = (struct event_attendee *)f->attendees; /* ours, of read_attendees() */
    for (const struct ical_prop *p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE")) {
        struct str word = ical_param(r->a, p, "X-EXBRIDGE-RESPONSE"), email;
        if (!word.n || !ical_address(r->a, p, &email))
            continue;
        for (size_t i = 0; i < f->attendee_count; i++)
            if (str_case_eq(list[i].email, email))
                list[i].response = ical_response(word);
    }
}

/* People whom only the client knows: of somebody else's meeting that the server has as an appointment. Their lines are
 * kept as they stand; this property beside them, which has the user's own answer, says that they make it no meeting. */
#define UNINVITED "X-EXBRIDGE-UNINVITED"

static bool is_uninvited(struct ical_reader *r, const struct ical_comp *c, const struct ical_item *it)
{
    struct str email = STR_NULL;
    const struct ical_prop *p = ical_prop(c, "ORGANIZER");
    if (it->x)
        return r->uninvited;
    bool mine = p && ical_address(r->a, p, &email) && ical_is_me(r->options, email);
    return r->uninvited = r->options->uninvited || (!mine && ical_prop(c, UNINVITED));
}

static bool people_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct event *e = it->e;
    const struct ical_prop *organizer, *own = ical_prop(c, "X-EXBRIDGE-RESPONSE"), *aside = ical_prop(c, UNINVITED);
    if (!ical_once(r, c, "ORGANIZER", &organizer))
        return false;
    if (is_uninvited(r, c, it)) {
        it->f->mine = aside ? ical_response(str_trim(aside->value)) : EVENT_NO_RESPONSE;
        return true;
    }
    if (organizer && !it->x) {
        e->organizer_email = e->organizer_name = STR_NULL;
        ical_address(r->a, organizer, &e->organizer_email);
        e->organizer_name = ical_param(r->a, organizer, "CN");
        e->organizer_elsewhere = is_elsewhere(r->a, organizer);
    }
    if (!read_attendees(r, c, it))
        return false;
    if (!it->x) {
        bool foreign = (e->organizer_email.n || e->organizer_name.n) && !ical_is_me(r->options, e->organizer_email);
        e->is_meeting = it->f->attendee_count || foreign || ical_prop(c, "X-EXBRIDGE-MEETING");
        if (!e->is_meeting) /* no server keeps who has made an appointment: see put_organizer() */
            e->organizer_email = e->organizer_name = STR_NULL;
        e->response_requested = ical_prop(c, "X-EXBRIDGE-RSVP") != NULL;
        for (const struct ical_prop *p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE"))
            if (str_case_is(ical_param(r->a, p, "RSVP"), "TRUE"))
                e->response_requested = true;
    }
    it->f->mine = own_response(r->options, e, it->f);
    enum event_response said = own ? ical_response(str_trim(own->value)) : EVENT_NO_RESPONSE;
    if (own && (!is_listed(r->options, it->f) || said == EVENT_ORGANIZER))
        it->f->mine = said;
    read_own_words(r, c, it->f);
    return true;
}

/* --- writing --------------------------------------------------------------------------------------------------------
 */

/* The extra's line of an address. Lines stand mostly in the order of the attendees: the search goes on where the last
 * one
 * (*hint) ended, and then from the beginning. */
static const struct ical_prop *extra_of(struct ical_maker *m, const struct ical_comp *extra, struct str email,
                                        const struct ical_prop **hint)
{
    struct str other;
    const struct ical_prop *first = extra && email.n ? ical_prop(extra, "ATTENDEE") : NULL;
    for (int round = *hint ? 0 : 1; round < 2; round++) {
        const struct ical_prop *p = round ? first : ical_prop_next(*hint, "ATTENDEE");
        for (; p && !(round && p == *hint); p = ical_prop_next(p, "ATTENDEE"))
            if (ical_address(m->a, p, &other) && str_case_eq(other, email))
                return *hint = p;
    }
    return NULL;
}

static bool is_written(struct str name)
{
    static const char *const names[] = {"CN",    "CUTYPE", "ROLE", "PARTSTAT", "RSVP", "X-EXBRIDGE-RESPONSE",
                                        "EMAIL", NULL};
    for (const char *const *n = names; *n; n++)
        if (str_case_is(name, *n))
            return true;
    return false;
}

static void put_foreign_params(struct ical_maker *m, const struct ical_prop *p)
{
    for (const struct ical_param *at = p ? p->params : NULL; at; at = at->next)
        if (!is_written(at->name))
            ical_param_raw(&m->w, at);
}

/* Does a client's line say exactly what the model has? */
static bool says(struct arena *a, const struct ical_prop *p, const struct event_attendee *t, bool rsvp,
                 enum event_response partstat)
{
    struct event_attendee other;
    return read_attendee(a, p, &other) && other.role == t->role && str_eq(other.name, t->name) &&
           other.response == partstat && partstat == t->response &&
           str_case_is(ical_param(a, p, "RSVP"), "TRUE") == rsvp;
}

static void put_attendee(struct ical_maker *m, const struct ical_view *v, const struct event_attendee *t,
                         const struct ical_prop **hint)
{
    /* The user's own line has his answer; what the server's list says of him, if that is something else, beside it. */
    bool me = ical_is_me(m->options, t->email) && v->f->mine != EVENT_ORGANIZER;
    enum event_response shown = me ? v->f->mine : t->response;
    const struct ical_prop *extra = extra_of(m, v->extra, t->email, hint);
    bool rsvp = v->e->response_requested;
    if (extra && says(m->a, extra, t, rsvp, shown)) {
        ical_line(&m->w, extra);
        return;
    }
    ical_name(&m->w, "ATTENDEE");
    if (t->name.n)
        ical_param_add(&m->w, "CN", t->name);
    if (t->role == EVENT_RESOURCE)
        ical_param_add(&m->w, "CUTYPE", STR("RESOURCE"));
    ical_param_add(&m->w, "ROLE",
                   t->role == EVENT_REQUIRED   ? STR("REQ-PARTICIPANT")
                   : t->role == EVENT_OPTIONAL ? STR("OPT-PARTICIPANT")
                                               : STR("NON-PARTICIPANT"));
    ical_param_add(&m->w, "PARTSTAT", ical_partstat(shown));
    if (rsvp)
        ical_param_add(&m->w, "RSVP", STR("TRUE"));
    if (t->response != shown || t->response == EVENT_ORGANIZER)
        ical_param_add(&m->w, "X-EXBRIDGE-RESPONSE", response_word(t->response));
    put_foreign_params(m, extra);
    ical_put_address(m, t->email);
}

static void put_organizer(struct ical_maker *m, const struct ical_view *v)
{
    const struct event *e = v->e;
    const struct ical_prop *extra = v->extra ? ical_prop(v->extra, "ORGANIZER") : NULL;
    struct str email = e->organizer_email, other = STR_NULL; /* empty: an address that is no mail address */
    if (extra)
        ical_address(m->a, extra, &other);
    bool nobody = extra && !other.n && !ical_param(m->a, extra, "CN").n;
    if (!e->is_meeting && extra && (nobody || ical_is_me(m->options, other))) { /* it makes no meeting: as it stands */
        ical_line(&m->w, extra);
        return;
    }
    bool same = extra && str_case_eq(other, email);
    if (same && str_eq(ical_param(m->a, extra, "CN"), e->organizer_name)) {
        ical_line(&m->w, extra);
        return;
    }
    if (!email.n && !e->organizer_name.n)
        return;
    ical_name(&m->w, "ORGANIZER");
    if (e->organizer_name.n)
        ical_param_add(&m->w, "CN", e->organizer_name);
    if (same)
        put_foreign_params(m, extra);
    ical_put_address(m, email);
}

/* Lines of the client's that are nobody whom the model has: the organiser once more, and people without an address. */
static bool is_beside(struct arena *a, const struct ical_options *o, const struct event *e, const struct ical_prop *p)
{
    struct str email = STR_NULL;
    struct event_attendee t;
    if (!ical_address(a, p, &email) || is_organizer(o, e, email))
        return true;
    return !read_attendee(a, p, &t);
}

static void put_uninvited(struct ical_writer *w, const struct ical_comp *c, enum event_response mine)
{
    for (const struct ical_prop *p = c->props; p; p = p->next)
        if (str_case_is(p->name, "ORGANIZER") || str_case_is(p->name, "ATTENDEE"))
            ical_line(w, p);
    ical_name(w, UNINVITED);
    ical_value(w, response_word(mine));
}

static void people_write(struct ical_maker *m, const struct ical_view *v)
{
    const struct event *e = v->e;
    const struct ical_prop *hint = NULL;
    if (!e->is_meeting && !v->f->attendee_count && v->extra && ical_prop(v->extra, UNINVITED)) {
        put_uninvited(&m->w, v->extra, v->f->mine);
        return;
    }
    put_organizer(m, v);
    for (size_t i = 0; i < v->f->attendee_count; i++)
        put_attendee(m, v, &v->f->attendees[i], &hint);
    for (const struct ical_prop *p = v->extra ? ical_prop(v->extra, "ATTENDEE") : NULL; p;
         p = ical_prop_next(p, "ATTENDEE"))
        if (is_beside(m->a, m->options, e, p))
            ical_line(&m->w, p);
    bool foreign = (e->organizer_email.n || e->organizer_name.n) && !ical_is_me(m->options, e->organizer_email);
    if (!v->x && e->is_meeting && !v->f->attendee_count && !foreign)
        ical_put_word(m, "X-EXBRIDGE-MEETING", "TRUE");
    if (!v->x && e->response_requested && !v->f->attendee_count)
        ical_put_word(m, "X-EXBRIDGE-RSVP", "TRUE");
    /* Shown by the user's own line, or by ORGANIZER, or else here. */
    enum event_response shown =
        e->is_meeting && ical_is_me(m->options, e->organizer_email) ? EVENT_ORGANIZER : EVENT_NO_RESPONSE;
    if (is_listed(m->options, v->f) ? v->f->mine == EVENT_ORGANIZER : v->f->mine != shown) {
        ical_name(&m->w, "X-EXBRIDGE-RESPONSE");
        ical_value(&m->w, response_word(v->f->mine));
    }
}

/* A client's line that we would write in another way. */
struct line_pair {
    struct ical_maker own;
    struct ical_writer theirs;
    struct buf own_text, their_text;
};

static void keep_if_different(struct ical_maker *m, struct line_pair *l, const struct ical_prop *p)
{
    ical_line(&l->theirs, p);
    if (!str_eq(buf_view(&l->own_text), buf_view(&l->their_text)))
        ical_line(&m->w, p);
    buf_reset(&l->own_text);
    buf_reset(&l->their_text);
}

/* As it will be written: an occurrence has the organiser of its series, whatever it says. */
static void keep_organizer(struct ical_maker *m, struct line_pair *l, const struct ical_view *v,
                           const struct ical_comp *c)
{
    struct ical_view with = *v;
    struct ical_maker theirs = l->own;
    with.extra = c;
    theirs.w = l->theirs;
    put_organizer(&l->own, v);
    put_organizer(&theirs, &with);
    if (!str_eq(buf_view(&l->own_text), buf_view(&l->their_text)))
        put_organizer(m, &with);
    buf_reset(&l->own_text);
    buf_reset(&l->their_text);
}

/* `seen` has a place for each attendee: of two lines for one address the first is his. */
static void keep_attendee(struct ical_reader *r, struct ical_maker *m, struct line_pair *l, const struct ical_view *v,
                          const struct ical_prop *p, bool *seen)
{
    struct event_attendee said;
    const struct ical_prop *none = NULL;
    if (is_beside(r->a, r->options, v->e, p) || !read_attendee(r->a, p, &said))
        return;
    size_t i = 0;
    while (i < v->f->attendee_count &&
           (!str_case_eq(v->f->attendees[i].email, said.email) || (!said.email.n && seen[i])))
        i++;
    if (i == v->f->attendee_count || seen[i])
        return;
    seen[i] = true;
    put_attendee(&l->own, v, &v->f->attendees[i], &none);
    keep_if_different(m, l, p);
}

static void people_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                        const struct ical_item *it)
{
    const struct ical_view v = {.e = it->e, .f = it->f, .x = it->x};
    const struct ical_prop *p = ical_prop(c, "ORGANIZER");
    if (r->uninvited) {
        put_uninvited(&m->w, c, it->f->mine);
        return;
    }
    bool *seen = arena_array(r->a, it->f->attendee_count, sizeof(*seen));
    struct line_pair l = {.own = {.w = {.out = &l.own_text}, .options = m->options, .a = m->a, .zone = m->zone},
                          .theirs = {.out = &l.their_text}};
    if (p)
        keep_organizer(m, &l, &v, c);
    /* In the order in which they are written again. */
    for (p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE"))
        keep_attendee(r, m, &l, &v, p, seen);
    for (p = ical_prop(c, "ATTENDEE"); p; p = ical_prop_next(p, "ATTENDEE"))
        if (is_beside(r->a, r->options, it->e, p))
            ical_line(&m->w, p);
    buf_done(&l.own_text);
    buf_done(&l.their_text);
}

const struct ical_group ical_group_people = {.names = (const char *const[]){"ORGANIZER", "ATTENDEE",
                                                                            "X-EXBRIDGE-MEETING", "X-EXBRIDGE-RSVP",
                                                                            "X-EXBRIDGE-RESPONSE", UNINVITED, NULL},
                                             .events = true,
                                             .tasks = true,
                                             .spelling = ICAL_SPELL_SELF,
                                             .read = people_read,
                                             .write = people_write,
                                             .keep = people_keep};
