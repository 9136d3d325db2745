/* SPDX-License-Identifier: Apache-2.0 */
/* The groups of plain properties: texts, busy time, class, priority, categories, tasks, time stamps. */
#include <stdio.h>

#include "bridge/base/text.h"
#include "bridge/formats/ical_private.h"

void ical_put_text(struct ical_maker *m, const char *name, struct str text)
{
    if (!text.n)
        return;
    ical_name(&m->w, name);
    ical_text(&m->w, text);
}

void ical_put_word(struct ical_maker *m, const char *name, const char *word)
{
    ical_name(&m->w, name);
    ical_value(&m->w, str_from(word));
}

/* Reads one text that may be there once. */
static bool read_text(struct ical_reader *r, const struct ical_comp *c, const char *name, struct str *ret)
{
    const struct ical_prop *p;
    if (!ical_once(r, c, name, &p))
        return false;
    if (p)
        *ret = ical_unescape(r->a, p->value);
    return true;
}

static struct str word_of(const struct ical_comp *c, const char *name)
{
    const struct ical_prop *p = ical_prop(c, name);
    return p ? str_trim(p->value) : STR_NULL;
}

/* --- SUMMARY, LOCATION ----------------------------------------------------------------------------------------------
 */

static bool subject_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    return read_text(r, c, "SUMMARY", &it->f->subject);
}

static void subject_write(struct ical_maker *m, const struct ical_view *v)
{
    ical_put_text(m, "SUMMARY", v->f->subject);
}

static bool location_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    return read_text(r, c, "LOCATION", &it->f->location);
}

static void location_write(struct ical_maker *m, const struct ical_view *v)
{
    ical_put_text(m, "LOCATION", v->f->location);
}

/* --- DESCRIPTION ----------------------------------------------------------------------------------------------------
 */

/* The HTML of a text is given twice: as X-ALT-DESC, which Outlook and those that learned from it read, and as the data:
 * address of ALTREP, which Thunderbird reads and writes; that one not for texts that are large already. */
#define ALTREP_MAX 65536

static bool is_data_url(struct str s)
{
    return str_case_starts(s, STR("data:text/html"));
}

static bool decode_data_url(struct arena *a, struct str url, struct str *ret)
{
    size_t comma = str_find_byte(url, ',');
    if (comma == (size_t)-1)
        return false;
    struct str head = str_sub(url, 0, comma), body = str_skip(url, comma + 1);
    struct buf b = BUF_INIT(ICAL_TEXT_MAX);
    bool base64 = str_case_find(head, STR(";base64")) != (size_t)-1;
    bool ok = base64 ? text_base64_decode(&b, body) : text_percent_decode(&b, body);
    if (ok)
        *ret = text_utf8_repair(a, arena_str(a, buf_view(&b)));
    buf_done(&b);
    return ok;
}

static bool body_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    const struct ical_prop *p, *html = ical_prop(c, "X-ALT-DESC");
    if (!ical_once(r, c, "DESCRIPTION", &p))
        return false;
    if (html)
        it->f->html = ical_unescape(r->a, html->value);
    if (!p)
        return true;
    it->f->text = ical_unescape(r->a, p->value);
    struct str altrep = ical_param(r->a, p, "ALTREP");
    if (is_data_url(altrep))
        decode_data_url(r->a, altrep, &it->f->html);
    return true;
}

/* Parameters that we do not write ourselves. */
static bool is_foreign_param(struct arena *a, const struct ical_prop *p, const struct ical_param *param)
{
    return !str_case_is(param->name, "ALTREP") || !is_data_url(ical_param(a, p, "ALTREP"));
}

static void body_write(struct ical_maker *m, const struct ical_view *v)
{
    const struct event_fields *f = v->f;
    const struct ical_prop *extra = v->extra ? ical_prop(v->extra, "DESCRIPTION") : NULL;
    if (f->text.n) {
        ical_name(&m->w, "DESCRIPTION");
        bool altrep = f->html.n && f->html.n <= ALTREP_MAX;
        if (altrep) {
            struct buf b = BUF_INIT(0);
            buf_lit(&b, "data:text/html,");
            text_percent_add(&b, f->html, "!'()*");
            ical_param_add(&m->w, "ALTREP", buf_view(&b));
            buf_done(&b);
        }
        for (const struct ical_param *p = extra ? extra->params : NULL; p; p = p->next)
            if (!altrep || !str_case_is(p->name, "ALTREP"))
                ical_param_raw(&m->w, p);
        ical_text(&m->w, f->text);
    }
    if (f->html.n) {
        ical_name(&m->w, "X-ALT-DESC");
        ical_param_add(&m->w, "FMTTYPE", STR("text/html"));
        ical_text(&m->w, f->html);
    }
}

/* What is kept of a description is its foreign parameters: the text would be there twice. */
static void body_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                      const struct ical_item *it)
{
    const struct ical_prop *p = ical_prop(c, "DESCRIPTION");
    bool begun = false;
    for (const struct ical_param *param = p && it->f->text.n ? p->params : NULL; param; param = param->next) {
        if (!is_foreign_param(r->a, p, param))
            continue;
        if (!begun)
            ical_name(&m->w, "DESCRIPTION");
        begun = true;
        ical_param_raw(&m->w, param);
    }
    if (begun)
        ical_value(&m->w, STR_NULL);
}

/* --- STATUS, TRANSP, X-MICROSOFT-CDO-BUSYSTATUS (MS-OXCICAL 2.1.3.1.1.20)
 * -----------------------------------------------
 */

static const char *const busy_words[] = {"FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE"};

static bool is_away_from_time(enum event_busy b)
{
    return b == EVENT_FREE || b == EVENT_ELSEWHERE;
}

static bool busy_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct str transp = word_of(c, "TRANSP"), status = word_of(c, "STATUS");
    struct str word = word_of(c, "X-MICROSOFT-CDO-BUSYSTATUS");
    bool transparent = str_case_is(transp, "TRANSPARENT"), opaque = str_case_is(transp, "OPAQUE");
    const struct ical_prop *p;
    if (!ical_once(r, c, "STATUS", &p) || !ical_once(r, c, "TRANSP", &p))
        return false;
    enum event_busy b = transparent ? EVENT_FREE : EVENT_BUSY;
    for (unsigned i = 0; i < sizeof(busy_words) / sizeof(*busy_words); i++)
        if (str_case_is(word, busy_words[i]))
            b = (enum event_busy)i;
    /* A client that knows the standard's properties alone leaves Microsoft's as it was. */
    if (transparent && !is_away_from_time(b))
        b = EVENT_FREE;
    if (opaque && is_away_from_time(b))
        b = EVENT_BUSY;
    if (b == EVENT_BUSY && str_case_is(status, "TENTATIVE"))
        b = EVENT_TENTATIVE;
    else if (b == EVENT_TENTATIVE && str_case_is(status, "CONFIRMED"))
        b = EVENT_BUSY;
    it->f->busy = b;
    it->f->cancelled = str_case_is(status, "CANCELLED");
    if (r->options->cancels_meetings && it->f->cancelled && !it->e->is_meeting) {
        it->f->busy = EVENT_FREE;
        it->f->cancelled = false;
    }
    return true;
}

static void busy_write(struct ical_maker *m, const struct ical_view *v)
{
    enum event_busy b = v->f->busy;
    if (v->f->cancelled)
        ical_put_word(m, "STATUS", "CANCELLED");
    else if (b == EVENT_TENTATIVE)
        ical_put_word(m, "STATUS", "TENTATIVE");
    if (is_away_from_time(b))
        ical_put_word(m, "TRANSP", "TRANSPARENT");
    if (b == EVENT_OOF || b == EVENT_ELSEWHERE || (b == EVENT_TENTATIVE && v->f->cancelled))
        ical_put_word(m, "X-MICROSOFT-CDO-BUSYSTATUS", busy_words[b]);
}

/* --- CLASS ----------------------------------------------------------------------------------------------------------
 */

static bool class_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    const struct ical_prop *p;
    struct str word = word_of(c, "CLASS");
    if (!ical_once(r, c, "CLASS", &p))
        return false;
    if (!word.n || str_case_is(word, "PUBLIC"))
        it->f->sensitivity = EVENT_NORMAL;
    else if (str_case_is(word, "CONFIDENTIAL"))
        it->f->sensitivity = EVENT_CONFIDENTIAL;
    else /* PRIVATE, and what is not known counts as that (RFC 5545 3.8.1.3) */
        it->f->sensitivity =
            str_case_is(word, "X-PERSONAL") || str_case_is(word_of(c, "X-EXBRIDGE-SENSITIVITY"), "PERSONAL")
                ? EVENT_PERSONAL
                : EVENT_PRIVATE;
    return true;
}

static void class_write(struct ical_maker *m, const struct ical_view *v)
{
    enum event_sensitivity s = v->f->sensitivity;
    if (s != EVENT_NORMAL)
        ical_put_word(m, "CLASS", s == EVENT_CONFIDENTIAL ? "CONFIDENTIAL" : "PRIVATE");
    if (s == EVENT_PERSONAL)
        ical_put_word(m, "X-EXBRIDGE-SENSITIVITY", "PERSONAL");
}

/* --- PRIORITY -------------------------------------------------------------------------------------------------------
 */

static bool priority_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    const struct ical_prop *p;
    uint32_t n = 0;
    if (!ical_once(r, c, "PRIORITY", &p))
        return false;
    if (p && !str_to_u32(str_trim(p->value), &n))
        return ical_refuse(r, ICAL_BAD_VALUE, p->line, "PRIORITY");
    it->f->importance = n >= 1 && n <= 4 ? EVENT_HIGH : n >= 6 ? EVENT_LOW : EVENT_MEDIUM;
    if (r->options->coarse && it->e->kind == EVENT_APPOINTMENT)
        it->f->importance = EVENT_MEDIUM;
    return true;
}

static void priority_write(struct ical_maker *m, const struct ical_view *v)
{
    if (v->f->importance != EVENT_MEDIUM)
        ical_put_word(m, "PRIORITY", v->f->importance == EVENT_HIGH ? "1" : "9");
}

/* --- CATEGORIES -----------------------------------------------------------------------------------------------------
 */

static bool categories_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct str *list = arena_array(r->a, EVENT_CATEGORIES_MAX, sizeof(*list));
    size_t n = 0;
    for (const struct ical_prop *p = ical_prop(c, "CATEGORIES"); p; p = ical_prop_next(p, "CATEGORIES")) {
        struct str rest = p->value, item;
        while (ical_list_next(&rest, &item)) {
            item = str_trim(ical_unescape(r->a, item));
            bool known = !item.n;
            for (size_t i = 0; i < n && !known; i++)
                known = str_eq(list[i], item);
            if (known)
                continue;
            if (n == EVENT_CATEGORIES_MAX)
                return ical_refuse(r, ICAL_TOO_MANY, p->line, "CATEGORIES");
            list[n++] = item;
        }
    }
    it->f->categories = list;
    it->f->category_count = n;
    return true;
}

static void categories_write(struct ical_maker *m, const struct ical_view *v)
{
    if (!v->f->category_count)
        return;
    ical_name(&m->w, "CATEGORIES");
    ical_text_list(&m->w, v->f->categories, v->f->category_count);
}

/* --- tasks: STATUS, PERCENT-COMPLETE
 * ----------------------------------------------------------------------------------
 */

static const char *const task_words[] = {"NEEDS-ACTION", "IN-PROCESS", "COMPLETED", "WAITING", "DEFERRED"};

static enum event_task_status task_status(const struct ical_comp *c)
{
    struct str status = word_of(c, "STATUS"), own = word_of(c, "X-EXBRIDGE-STATUS");
    if (str_case_is(status, "COMPLETED"))
        return EVENT_COMPLETED;
    if (str_case_is(status, "IN-PROCESS"))
        return str_case_is(own, "WAITING") ? EVENT_WAITING : EVENT_IN_PROGRESS;
    if (str_case_is(status, "CANCELLED"))
        return EVENT_DEFERRED;
    if (!status.n && ical_prop(c, "COMPLETED"))
        return EVENT_COMPLETED;
    return str_case_is(own, "DEFERRED") ? EVENT_DEFERRED : EVENT_NOT_STARTED;
}

/* Exchange has one with the other: 100 is completed and nothing else is, 0 is not started. What a client says beside
 * that it gets back in its own words. */
static void make_agree(struct event_task *t, bool said)
{
    if (t->status == EVENT_NOT_STARTED && t->percent)
        t->status = t->percent == 100 && !said ? EVENT_COMPLETED : EVENT_IN_PROGRESS; /* RFC 5545 3.8.1.8 */
    if (t->status == EVENT_COMPLETED)
        t->percent = 100;
    else if (t->percent == 100)
        t->percent = 99;
}

static bool task_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    const struct ical_prop *p;
    uint32_t percent = 0;
    if (!ical_once(r, c, "STATUS", &p) || !ical_once(r, c, "PERCENT-COMPLETE", &p))
        return false;
    if (p && (!str_to_u32(str_trim(p->value), &percent) || percent > 100))
        return ical_refuse(r, ICAL_BAD_VALUE, p->line, "PERCENT-COMPLETE");
    it->e->task.status = task_status(c);
    it->e->task.percent = percent;
    make_agree(&it->e->task, word_of(c, "STATUS").n > 0);
    if (r->options->coarse) {
        bool done = it->e->task.status == EVENT_COMPLETED;
        it->e->task.status = done ? EVENT_COMPLETED : EVENT_NOT_STARTED;
        it->e->task.percent = done ? 100 : 0;
    }
    return true;
}

static void task_write(struct ical_maker *m, const struct ical_view *v)
{
    const struct event_task *t = &v->e->task;
    if (t->status == EVENT_WAITING || t->status == EVENT_DEFERRED) {
        ical_put_word(m, "STATUS", t->status == EVENT_WAITING ? "IN-PROCESS" : "NEEDS-ACTION");
        ical_put_word(m, "X-EXBRIDGE-STATUS", task_words[t->status]);
    } else if (t->status != EVENT_NOT_STARTED) {
        ical_put_word(m, "STATUS", task_words[t->status]);
    }
    if (t->percent == (t->status == EVENT_COMPLETED ? 100u : 0u))
        return;
    char text[16];
    snprintf(text, sizeof(text), "%u", t->percent);
    ical_put_word(m, "PERCENT-COMPLETE", text);
}

/* --- DTSTAMP, CREATED, LAST-MODIFIED, SEQUENCE
 * ------------------------------------------------------------------------
 */

/* These describe the object, not the event: what cannot be read is as good as not there. */
static int64_t stamp_of(const struct ical_comp *c, const char *name)
{
    const struct ical_prop *p = ical_prop(c, name);
    int64_t t;
    enum ical_when kind;
    return p && ical_when(p->value, &t, &kind) ? t : 0;
}

static bool stamps_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    (void)r;
    it->f->replied = stamp_of(c, "X-MICROSOFT-CDO-REPLYTIME");
    if (it->x)
        return true;
    uint32_t n;
    it->e->stamped = stamp_of(c, "DTSTAMP");
    it->e->created = stamp_of(c, "CREATED");
    it->e->modified = stamp_of(c, "LAST-MODIFIED");
    it->e->sequence = str_to_u32(word_of(c, "SEQUENCE"), &n) && n < INT32_MAX ? n : 0;
    return true;
}

static bool is_known(int64_t t)
{
    return t != 0 && t != TIME_NONE;
}

void ical_put_utc(struct ical_maker *m, const char *name, int64_t t)
{
    if (t == TIME_NONE)
        return;
    ical_name(&m->w, name);
    ical_when_add(&m->w, t, ICAL_WHEN_UTC);
}

static void stamps_write(struct ical_maker *m, const struct ical_view *v)
{
    char text[16];
    ical_put_utc(m, "DTSTAMP", is_known(v->e->stamped) ? v->e->stamped : 0); /* has to be there (3.6.1) */
    if (is_known(v->e->created))
        ical_put_utc(m, "CREATED", v->e->created);
    if (is_known(v->e->modified))
        ical_put_utc(m, "LAST-MODIFIED", v->e->modified);
    if (is_known(v->f->replied))
        ical_put_utc(m, "X-MICROSOFT-CDO-REPLYTIME", v->f->replied);
    if (!v->e->sequence)
        return;
    snprintf(text, sizeof(text), "%u", v->e->sequence);
    ical_put_word(m, "SEQUENCE", text);
}

/* --- what a server alone knows
 * ----------------------------------------------------------------------------------------
 */

static bool server_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    if (it->x)
        return read_text(r, c, "X-EXBRIDGE-ID", &it->x->id);
    it->e->join_url = word_of(c, "X-MICROSOFT-SKYPETEAMSMEETINGURL");
    return true;
}

static void server_write(struct ical_maker *m, const struct ical_view *v)
{
    if (v->x)
        ical_put_text(m, "X-EXBRIDGE-ID", v->x->id);
    else if (v->e->join_url.n) {
        ical_name(&m->w, "X-MICROSOFT-SKYPETEAMSMEETINGURL");
        ical_value(&m->w, v->e->join_url);
    }
}

/* --- the table
 * --------------------------------------------------------------------------------------------------------
 */

#define NAMES(...)                                                                                                     \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

static const struct ical_group stamps = {.names = NAMES("DTSTAMP", "CREATED", "LAST-MODIFIED",
                                                        "X-MICROSOFT-CDO-REPLYTIME", "SEQUENCE"),
                                         .events = true,
                                         .tasks = true,
                                         .spelling = ICAL_SPELL_NEVER,
                                         .read = stamps_read,
                                         .write = stamps_write},
                               subject = {.names = NAMES("SUMMARY"),
                                          .events = true,
                                          .tasks = true,
                                          .spelling = ICAL_SPELL_GROUP,
                                          .parts = EVENT_PART_SUBJECT,
                                          .read = subject_read,
                                          .write = subject_write},
                               location = {.names = NAMES("LOCATION"),
                                           .events = true,
                                           .spelling = ICAL_SPELL_GROUP,
                                           .parts = EVENT_PART_LOCATION,
                                           .read = location_read,
                                           .write = location_write},
                               body = {.names = NAMES("DESCRIPTION", "X-ALT-DESC"),
                                       .events = true,
                                       .tasks = true,
                                       .spelling = ICAL_SPELL_SELF,
                                       .read = body_read,
                                       .write = body_write,
                                       .keep = body_keep},
                               busy = {.names = NAMES("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS"),
                                       .events = true,
                                       .spelling = ICAL_SPELL_GROUP,
                                       .parts = EVENT_PART_BUSY | EVENT_PART_CANCELLED,
                                       .read = busy_read,
                                       .write = busy_write},
                               class = {.names = NAMES("CLASS", "X-EXBRIDGE-SENSITIVITY"),
                                        .events = true,
                                        .tasks = true,
                                        .spelling = ICAL_SPELL_GROUP,
                                        .parts = EVENT_PART_SENSITIVITY,
                                        .read = class_read,
                                        .write = class_write},
                               priority = {.names = NAMES("PRIORITY"),
                                           .events = true,
                                           .tasks = true,
                                           .spelling = ICAL_SPELL_GROUP,
                                           .parts = EVENT_PART_IMPORTANCE,
                                           .read = priority_read,
                                           .write = priority_write},
                               categories = {.names = NAMES("CATEGORIES"),
                                             .events = true,
                                             .tasks = true,
                                             .spelling = ICAL_SPELL_GROUP,
                                             .parts = EVENT_PART_CATEGORIES,
                                             .read = categories_read,
                                             .write = categories_write},
                               task = {.names = NAMES("STATUS", "X-EXBRIDGE-STATUS", "PERCENT-COMPLETE"),
                                       .tasks = true,
                                       .spelling = ICAL_SPELL_GROUP,
                                       .parts = EVENT_PART_TASK,
                                       .read = task_read,
                                       .write = task_write},
                               server = {.names = NAMES("X-EXBRIDGE-ID", "X-MICROSOFT-SKYPETEAMSMEETINGURL"),
                                         .events = true,
                                         .tasks = true,
                                         .spelling = ICAL_SPELL_NEVER,
                                         .read = server_read,
                                         .write = server_write};

const struct ical_group *const ical_groups[] = {&stamps,
                                                &ical_group_time,
                                                &ical_group_task_time,
                                                &ical_group_rule,
                                                &ical_group_exdates,
                                                &subject,
                                                &location,
                                                &body,
                                                &busy,
                                                &class,
                                                &priority,
                                                &categories,
                                                &task,
                                                &ical_group_people,
                                                &ical_group_attach,
                                                &server,
                                                NULL};

const struct ical_group *ical_group_of(struct str name, enum event_kind kind)
{
    for (const struct ical_group *const *g = ical_groups; *g; g++) {
        if (!(kind == EVENT_TASK ? (*g)->tasks : (*g)->events))
            continue;
        for (const char *const *n = (*g)->names; *n; n++)
            if (str_case_is(name, *n))
                return *g;
    }
    return NULL;
}
