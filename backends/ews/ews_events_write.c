/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and changing calendar items and tasks.
 *
 *     [retry: FIND ->] MASTER (create, or what differs; else LOOK) -> its ATTACHMENTS -> DELETED occurrences -> CHANGED
 * occurrences
 *     -> their ATTACHMENTS -> READ BACK what the server made of it
 *
 * What FIND finds is told, and left alone (backend.h). A step with nothing to do is left out, so that an event without
 * exceptions costs two requests. Deletions come first, because a changed occurrence may lie where a deleted one was.
 * When the server refuses a later step of a new item, the item is taken back: whoever was told no must not find half of
 * a series. Exchange drops all exceptions when the recurrence or the times of a series are written
 * (MS-OXWSMTGS 3.1.4.9): then all of them are written again. An occurrence cannot be brought back otherwise: the
 * recurrence is written again for that, too.
 */
#include <string.h>

#include "backends/ews/ews_event_write.h"
#include "backends/ews/ews_events.h"
#include "backends/ews/ews_find.h"
#include "bridge/base/log.h"
#include "bridge/base/time.h"

#define PERSONAL   (EVENT_PART_REMINDER | EVENT_PART_CATEGORIES | EVENT_PART_BUSY) /* nobody else is told */
#define AGAINS_MAX 2 /* CreateItem once more, when a gateway's 503 was about nothing that the server has */
#define NOT_SENT   (EVENT_PART_MINE | EVENT_PART_RESPONSES | EVENT_PART_CANCELLED)

struct put_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct ews_getter getter;
    struct ews_look look;
    struct str folder_id, id, change, evidence, zone;
    enum folder_kind kind;
    struct event wanted, base;
    bool has_base, notify, retry, unknown, reset, made;
    unsigned agains;
    unsigned parts;
    size_t written;                                          /* updates of the request being made */
    size_t *changed, *deleted, changed_count, deleted_count; /* places in wanted.exceptions */
    struct ews_done_list answer;
    void (*next)(struct put_op *p);
    const struct ews_done *changed_ids; /* of the changed occurrences, in their order */
    size_t attached;                    /* changed occurrences whose attachments are done */
    struct holder {                     /* whose attachments are being written */
        struct str id;
        const struct event_fields *wanted, *base; /* base NULL: it had none */
        const struct event_fields *inherited;     /* the master's, which a new exception has by itself; or NULL */
        void (*then)(struct put_op *p);
    } holder;
    struct ews_find find;
    struct err refusal;
};

static void finish(struct put_op *p, const struct err *err)
{
    if (err->code != ERR_NONE) /* what was made and not taken back stays */
        p->op.reply->event_done.id = p->made ? p->id : STR_NULL;
    op_finish_err(&p->op, err);
}

static void begin_answer(struct put_op *p, const char *operation, size_t count)
{
    p->answer = (struct ews_done_list){.operation = operation,
                                       .arena = &p->op.arena,
                                       .list = arena_array(&p->op.arena, count + 1, sizeof(struct ews_done)),
                                       .count = count};
}

/* Does the server write to the guests? */
static bool is_sent(const struct put_op *p, unsigned parts)
{
    bool meeting = p->wanted.is_meeting || (p->has_base && p->base.is_meeting);
    return p->notify && meeting && parts & ~(unsigned)PERSONAL;
}

static const char *invitations(const struct put_op *p, unsigned parts)
{
    return is_sent(p, parts) ? "SendToAllAndSaveCopy" : "SendToNone";
}

static struct err first_error(const struct put_op *p, const struct err *err)
{
    struct err problem = *err;
    if (problem.code == ERR_NONE && ews_done_check(&p->answer, &problem))
        for (size_t i = 0; problem.code == ERR_NONE && i < p->answer.count; i++)
            problem = p->answer.list[i].err;
    return problem;
}

static void take_back(struct put_op *p, const struct err *refusal);

/* The server has understood, and said no: it is not that the answer was lost. */
static bool is_refusal(const struct err *err)
{
    return err->code == ERR_INVALID || err->code == ERR_UNSUPPORTED || err->code == ERR_TOO_BIG ||
           err->code == ERR_DENIED || err->code == ERR_QUOTA;
}

static void on_step(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct err problem = first_error(p, err);
    p->call = NULL;
    if (problem.code == ERR_NONE)
        p->next(p);
    else if (p->made && is_refusal(&problem))
        take_back(p, &problem);
    else
        finish(p, &problem);
}

/* What was to go and is not there: an earlier attempt of this request has done it, and its answer was lost. */
static void on_gone(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    for (size_t i = 0; err->code == ERR_NONE && i < p->answer.count; i++)
        if (p->answer.list[i].err.code == ERR_NOT_FOUND)
            p->answer.list[i].err = (struct err){0};
    on_step(p, err);
}

static void ask(struct put_op *p, const char *operation, size_t count, bool once,
                bool (*write)(void *ud, struct xml_writer *w, bool slow), void (*done)(void *ud, const struct err *err))
{
    begin_answer(p, operation, count);
    p->call = ews_call_start(p->ews, &(struct ews_call_opts){
                                         .operation = operation,
                                         .write = write,
                                         .reader = &ews_done_reader,
                                         .reader_ud = &p->answer,
                                         .on_done = done,
                                         .ud = p,
                                         .batch = true,
                                         .bulk = true,
                                         .once = once,
                                         .ret_unknown = once ? &p->unknown : NULL,
                                     });
}

/* --- taken back
 * --------------------------------------------------------------------------------------------------------------- */

static bool write_take_back(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:DeleteItem");
    xml_attr_lit(w, "DeleteType", "HardDelete");
    if (p->kind == FOLDER_CALENDAR) /* whoever was invited when the item was made is told */
        xml_attr_lit(w, "SendMeetingCancellations", p->notify && p->wanted.is_meeting ? "SendOnlyToAll" : "SendToNone");
    xml_attr_lit(w, "AffectedTaskOccurrences", "AllOccurrences");
    xml_open(w, "m:ItemIds");
    ews_write_item_id(w, p->id);
    xml_close(w);
    xml_close(w);
    return true;
}

static void on_taken_back(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct err problem = first_error(p, err);
    p->call = NULL;
    if (problem.code != ERR_NONE && problem.code != ERR_NOT_FOUND)
        log_warn("ews", p->ews->config.name, "an event that was refused could not be taken back and is half there: %s",
                 problem.text);
    else
        p->made = false;
    finish(p, &p->refusal);
}

static void take_back(struct put_op *p, const struct err *refusal)
{
    p->refusal = *refusal;
    ask(p, "DeleteItem", 1, false, write_take_back, on_taken_back);
}

/* --- read back
 * ---------------------------------------------------------------------------------------------------------------- */

/* What was read, into the answer. */
static bool told(struct put_op *p)
{
    const struct ews_got *g = p->getter.got[0];
    struct reply *r = p->op.reply;
    if (!g || g->err.code != ERR_NONE || !g->is_event)
        return false;
    r->event_done.id = g->id;
    r->event_done.change = g->change;
    r->event_done.event = &g->e;
    return true;
}

static void get(struct put_op *p, struct str id, void (*done)(void *ud, const struct err *err))
{
    p->id = id;
    ews_getter_start(&p->getter, p->ews, &p->op.arena, p->kind == FOLDER_TASKS, &p->id, 1, done, p);
}

static void on_read(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct err none = {0};
    p->op.reply->event_done.id = p->id;
    /* What was asked for is done: that it cannot be read now is no reason to deny it. The sync will bring it. */
    if (err->code == ERR_NONE)
        told(p);
    finish(p, &none);
}

static void read_back(struct put_op *p)
{
    get(p, p->id, on_read);
}

/* --- attachments
 * ------------------------------------------------------------------------------------------------------------------ */

static bool has_attachment(const struct event_fields *f, const struct event_attachment *a)
{
    for (size_t i = 0; f && i < f->attachment_count; i++) {
        const struct event_attachment *b = &f->attachments[i];
        if (a->id.n ? str_eq(a->id, b->id) : str_eq(a->name, b->name) && str_eq(a->data, b->data))
            return true;
    }
    return false;
}

static bool is_gone(const struct holder *h, const struct event_attachment *a)
{
    return a->id.n && !has_attachment(h->wanted, a);
}

static bool is_new(const struct holder *h, const struct event_attachment *a)
{
    return a->id.n == 0 && a->data.n && !has_attachment(h->inherited, a);
}

static size_t count_attachments(const struct holder *h, const struct event_fields *f,
                                bool (*counts)(const struct holder *h, const struct event_attachment *a))
{
    size_t n = 0;
    for (size_t i = 0; f && i < f->attachment_count; i++)
        n += counts(h, &f->attachments[i]);
    return n;
}

static bool write_gone(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:DeleteAttachment");
    xml_open(w, "m:AttachmentIds");
    for (size_t i = 0; i < p->holder.base->attachment_count; i++) {
        const struct event_attachment *a = &p->holder.base->attachments[i];
        if (!is_gone(&p->holder, a))
            continue;
        xml_open(w, "t:AttachmentId");
        xml_attr(w, "Id", a->id);
        xml_close(w);
    }
    xml_close(w);
    xml_close(w);
    return true;
}

static bool write_new(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:CreateAttachment");
    xml_open(w, "m:ParentItemId");
    xml_attr(w, "Id", p->holder.id);
    xml_close(w);
    xml_open(w, "m:Attachments");
    for (size_t i = 0; i < p->holder.wanted->attachment_count; i++)
        if (is_new(&p->holder, &p->holder.wanted->attachments[i]))
            ews_event_write_attachment(w, &p->holder.wanted->attachments[i]);
    xml_close(w);
    xml_close(w);
    return true;
}

static void add_attachments(struct put_op *p)
{
    size_t n = count_attachments(&p->holder, p->holder.wanted, is_new);
    p->next = p->holder.then;
    if (n)
        ask(p, "CreateAttachment", n, true, write_new, on_step);
    else
        p->next(p);
}

static void attach(struct put_op *p, const struct holder *holder)
{
    size_t n = count_attachments(holder, holder->base, is_gone);
    p->holder = *holder;
    p->next = add_attachments;
    if (n)
        ask(p, "DeleteAttachment", n, false, write_gone, on_gone);
    else
        add_attachments(p);
}

/* --- changed occurrences
 * --------------------------------------------------------------------------------------------------------- */

/* The occurrence as the rule makes it: what an exception has to differ from. */
static struct event_fields by_rule(const struct put_op *p, int64_t original)
{
    struct event_fields f = p->wanted.fields;
    f.end = original + (f.end - f.start);
    f.start = original;
    return f;
}

static const struct event_exception *known(const struct put_op *p, int64_t original)
{
    const struct event_exception *x = p->has_base && !p->reset ? event_exception(&p->base, original) : NULL;
    return x && !x->deleted ? x : NULL;
}

static unsigned parts_of(const struct put_op *p, const struct event_exception *x)
{
    const struct event_exception *was = known(p, x->original);
    struct event_fields rule = by_rule(p, x->original);
    return event_fields_differ(was ? &was->fields : &rule, &x->fields) & ~(unsigned)NOT_SENT;
}

static bool write_changed(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    size_t n;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:UpdateItem");
    xml_attr_lit(w, "ConflictResolution", "AlwaysOverwrite");
    xml_attr_lit(w, "MessageDisposition", "SaveOnly");
    xml_attr_lit(w, "SendMeetingInvitationsOrCancellations", invitations(p, EVENT_PART_EXCEPTIONS));
    xml_open(w, "m:ItemChanges");
    for (size_t i = 0; i < p->changed_count; i++) {
        const struct event_exception *x = &p->wanted.exceptions[p->changed[i]], *was = known(p, x->original);
        xml_open(w, "t:ItemChange");
        if (was && was->id.n)
            ews_write_item_id(w, was->id);
        else
            ews_event_write_occurrence_id(w, p->id, event_index_of(&p->wanted, x->original));
        xml_open(w, "t:Updates");
        unsigned parts = parts_of(p, x) & ~(unsigned)EVENT_PART_ATTACHMENTS;
        if (!parts) /* only its attachments differ: it has to be an exception to have some of its own */
            parts = EVENT_PART_SUBJECT;
        ews_event_write_updates(w, &p->wanted, &x->fields, p->zone, parts, true, &n);
        xml_close(w);
        xml_close(w);
    }
    xml_close(w);
    xml_close(w);
    return true;
}

static void attach_to_occurrences(struct put_op *p)
{
    if (p->attached == 0)
        p->changed_ids = p->answer.list; /* of UpdateItem */
    if (p->attached == p->changed_count) {
        read_back(p);
        return;
    }
    const struct event_exception *x = &p->wanted.exceptions[p->changed[p->attached]], *was = known(p, x->original);
    attach(p, &(struct holder){.id = p->changed_ids[p->attached++].id,
                               .wanted = &x->fields,
                               .base = was ? &was->fields : NULL,
                               .inherited = was ? NULL : &p->wanted.fields,
                               .then = attach_to_occurrences});
}

static void change_occurrences(struct put_op *p)
{
    p->next = attach_to_occurrences;
    if (p->changed_count) /* nothing of it compares ChangeKeys: a second time it would go to the guests again */
        ask(p, "UpdateItem", p->changed_count, is_sent(p, EVENT_PART_EXCEPTIONS), write_changed, on_step);
    else
        read_back(p);
}

/* --- deleted occurrences
 * -------------------------------------------------------------------------------------------------------- */

static bool write_deleted(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:DeleteItem");
    xml_attr_lit(w, "DeleteType", "MoveToDeletedItems");
    xml_attr_lit(w, "SendMeetingCancellations", invitations(p, EVENT_PART_EXCEPTIONS));
    xml_attr_lit(w, "AffectedTaskOccurrences", "SpecifiedOccurrenceOnly");
    xml_open(w, "m:ItemIds");
    for (size_t i = 0; i < p->deleted_count; i++)
        ews_event_write_occurrence_id(w, p->id,
                                      event_index_of(&p->wanted, p->wanted.exceptions[p->deleted[i]].original));
    xml_close(w);
    xml_close(w);
    return true;
}

/* What of the exceptions has to be told. */
static void plan_exceptions(struct put_op *p)
{
    p->changed = arena_array(&p->op.arena, p->wanted.exception_count + 1, sizeof(*p->changed));
    p->deleted = arena_array(&p->op.arena, p->wanted.exception_count + 1, sizeof(*p->deleted));
    for (size_t i = 0; i < p->wanted.exception_count; i++) {
        const struct event_exception *x = &p->wanted.exceptions[i];
        const struct event_exception *was = p->has_base && !p->reset ? event_exception(&p->base, x->original) : NULL;
        if (x->deleted && !(was && was->deleted))
            p->deleted[p->deleted_count++] = i;
        else if (!x->deleted && parts_of(p, x))
            p->changed[p->changed_count++] = i;
    }
}

static void delete_occurrences(struct put_op *p)
{
    plan_exceptions(p);
    p->next = change_occurrences;
    if (p->deleted_count)
        ask(p, "DeleteItem", p->deleted_count, false, write_deleted, on_gone);
    else
        change_occurrences(p);
}

static void attach_to_master(struct put_op *p)
{
    /* A new item has brought its own. */
    attach(p, &(struct holder){.id = p->id,
                               .wanted = &p->wanted.fields,
                               .base = p->has_base ? &p->base.fields : NULL,
                               .inherited = p->made ? &p->wanted.fields : NULL,
                               .then = delete_occurrences});
}

/* --- the master
 * ------------------------------------------------------------------------------------------------------------------------
 */

static bool write_create(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:CreateItem");
    if (p->kind == FOLDER_TASKS)
        xml_attr_lit(w, "MessageDisposition", "SaveOnly");
    else
        xml_attr_lit(w, "SendMeetingInvitations", invitations(p, EVENT_PART_TIME));
    xml_open(w, "m:SavedItemFolderId");
    ews_write_folder_id(w, p->folder_id);
    xml_close(w);
    xml_open(w, "m:Items");
    ews_event_write_item(w, &p->wanted, p->zone, p->evidence);
    xml_close(w);
    xml_close(w);
    return true;
}

static void find(struct put_op *p);
static void create(struct put_op *p);

/* ErrorInvalidCompleteDate, or what a server says that wants no date: done, then, when it hears of it. */
static bool forget_completed(struct put_op *p, const struct err *problem)
{
    bool dated = p->wanted.kind == EVENT_TASK && p->wanted.task.completed != TIME_NONE;
    bool again = dated && problem->code == ERR_INVALID;
    if (again)
        p->wanted.task.completed = TIME_NONE;
    return again;
}

static void on_created(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct err problem = first_error(p, err);
    p->call = NULL;
    if (forget_completed(p, &problem)) {
        create(p);
        return;
    }
    if (problem.code == ERR_NONE && p->answer.list[0].id.n == 0)
        err_set(&problem, ERR_PROTOCOL, "CreateItem: stored, but the server did not say under which id");
    if (problem.code != ERR_NONE && p->unknown && problem.retry_after_s && p->agains++ < AGAINS_MAX) {
        find(p);
        return;
    }
    if (problem.code != ERR_NONE) {
        finish(p, &problem);
        return;
    }
    p->id = p->answer.list[0].id;
    p->made = true;
    attach_to_master(p);
}

static bool write_update(void *ud, struct xml_writer *w, bool slow)
{
    struct put_op *p = ud;
    (void)slow;
    p->answer.answered = 0;
    xml_open(w, "m:UpdateItem");
    xml_attr_lit(w, "ConflictResolution", p->change.n ? "NeverOverwrite" : "AutoResolve");
    xml_attr_lit(w, "MessageDisposition", "SaveOnly");
    xml_attr_lit(w, "SendMeetingInvitationsOrCancellations", invitations(p, p->parts));
    xml_open(w, "m:ItemChanges");
    xml_open(w, "t:ItemChange");
    ews_write_item_version(w, p->id, p->change);
    xml_open(w, "t:Updates");
    ews_event_write_updates(w, &p->wanted, &p->wanted.fields, p->zone, p->parts, false, &p->written);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    return true;
}

static void on_updated(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct err problem = first_error(p, err);
    p->call = NULL;
    if (p->parts & EVENT_PART_TASK && forget_completed(p, &problem)) {
        ask(p, "UpdateItem", 1, false, write_update, on_updated); /* a task has no guests */
        return;
    }
    if (problem.code != ERR_NONE) {
        finish(p, &problem);
        return;
    }
    if (p->answer.list[0].id.n) /* of a task that recurs, the server may have made another item */
        p->id = p->answer.list[0].id;
    attach_to_master(p);
}

/* Is there an exception that the server has and that is wanted no more? */
static bool takes_back(const struct put_op *p)
{
    for (size_t i = 0; i < p->base.exception_count; i++) {
        const struct event_exception *was = &p->base.exceptions[i], *now = event_exception(&p->wanted, was->original);
        if (!now || (was->deleted && !now->deleted))
            return true;
    }
    return false;
}

static void on_looked(void *ud, const struct err *err)
{
    if (err->code != ERR_NONE)
        finish(ud, err);
    else
        attach_to_master(ud);
}

static void update(struct put_op *p)
{
    const unsigned series = EVENT_PART_RECURRENCE | EVENT_PART_TIME;
    /* That answers are wanted is written once, with a new meeting, and so no reason to write to the guests. */
    p->wanted.response_requested = p->base.response_requested;
    p->parts = event_differ(&p->base, &p->wanted) & ~(unsigned)NOT_SENT;
    p->reset = p->wanted.has_recurrence && (p->parts & series || takes_back(p));
    if (p->reset)
        p->parts |= series;
    if (p->parts & ~(unsigned)(EVENT_PART_EXCEPTIONS | EVENT_PART_ATTACHMENTS))
        ask(p, "UpdateItem", 1, is_sent(p, p->parts) && !p->change.n, write_update, on_updated);
    else if (p->change.n) /* nothing of it compares the series' ChangeKey */
        ews_look_start(&p->look, p->ews, &p->op.arena, p->id, p->change, on_looked, p);
    else
        attach_to_master(p);
}

static void create(struct put_op *p)
{
    ask(p, "CreateItem", 1, true, write_create, on_created);
}

/* --- looking for the item of an attempt whose outcome is unknown
 * ------------------------------------------------------------------- */

/* As long as nobody could look, the outcome of the earlier attempt is unknown: that is ERR_OFFLINE (backend.h). */
static void still_unknown(struct put_op *p, const struct err *why)
{
    struct err err = *why;
    err.code = ERR_OFFLINE;
    finish(p, &err);
}

static void on_found_read(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    const struct ews_got *g = p->getter.got[0];
    struct err problem = err->code != ERR_NONE || !g ? *err : g->err;
    if (problem.code == ERR_NOT_FOUND) {
        create(p);
        return;
    }
    if (problem.code == ERR_NONE && !told(p))
        err_set(&problem, ERR_PROTOCOL, "GetItem: the event is there, but the server does not say what it is");
    p->op.reply->event_done.found = problem.code == ERR_NONE;
    if (problem.code == ERR_NONE)
        finish(p, &problem);
    else
        still_unknown(p, &problem);
}

static void on_found(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct str id = p->find.found[0].id;
    if (err->code != ERR_NONE)
        still_unknown(p, err);
    else if (id.n)
        get(p, id, on_found_read);
    else
        create(p);
}

static void find(struct put_op *p)
{
    p->find = (struct ews_find){.ews = p->ews,
                                .arena = &p->op.arena,
                                .evidence = p->evidence,
                                .folder_id = p->folder_id,
                                .done = on_found,
                                .ud = p};
    ews_find_start(&p->find, p->unknown);
}

/* --- the op
 * --------------------------------------------------------------------------------------------------------------------------------
 */

static void start_put(struct op *op)
{
    struct put_op *p = (struct put_op *)op;
    if (p->has_base)
        update(p);
    else if (p->retry)
        find(p);
    else
        create(p);
}

struct op *ews_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud)
{
    /* Not abortable: what was begun is brought to an end. */
    static const struct op_class class = {"ews.event-put", sizeof(struct put_op), start_put, NULL};
    struct put_op *p = (struct put_op *)op_new(b->loop, &class, cb, ud);
    struct arena *arena = &p->op.arena;
    p->ews = (struct ews *)b;
    p->zone = tz_name(ews_zone(p->ews));
    p->folder_id = arena_str(arena, request->folder_id);
    p->kind = request->kind;
    p->id = arena_str(arena, request->id);
    p->change = arena_str(arena, request->change);
    p->evidence = arena_str(arena, request->evidence);
    p->notify = request->notify;
    p->retry = request->retry;
    event_copy(&p->wanted, request->wanted, arena);
    if (p->kind == FOLDER_TASKS && p->wanted.task.completed != TIME_NONE &&
        p->wanted.task.completed > time_wall_s()) /* a day that has not begun by the server's clock: refused */
        p->wanted.task.completed = TIME_NONE;
    p->has_base = request->id.n && request->base;
    if (p->has_base)
        event_copy(&p->base, request->base, arena);
    return &p->op;
}
