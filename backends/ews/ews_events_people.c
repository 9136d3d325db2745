/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to invitations, contents of attachments, busy times. */
#include <string.h>

#include "backends/ews/ews_event_write.h"
#include "backends/ews/ews_events.h"
#include "backends/ews/ews_write.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"

/* --- answering: CreateItem of a response object (MS-OXWSMTGS 2.2.4.1) ------------------------- */

struct respond_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str master, id, change, comment;
    unsigned index; /* of the occurrence; 0 = the whole */
    enum event_response response;
    bool notify;
    struct str found, found_change;
    struct ews_done done[1];
    struct ews_done_list answer;
    struct err refused;
    bool answered; /* what was looked at has this response already */
    bool unknown;  /* it was sent, and nobody knows what became of it: */
    struct err lost;
};

static void look(struct respond_op *r);

static void end_respond(struct respond_op *r, bool gone, const struct err *err)
{
    r->op.reply->event_done.id = gone ? STR_NULL : r->master;
    op_finish_err(&r->op, err);
}

static bool write_response(void *ud, struct xml_writer *w, bool slow)
{
    static const char *const names[] = {[EVENT_ACCEPTED] = "t:AcceptItem",
                                        [EVENT_TENTATIVELY_ACCEPTED] = "t:TentativelyAcceptItem",
                                        [EVENT_DECLINED] = "t:DeclineItem"};
    struct respond_op *r = ud;
    (void)slow;
    r->answer.answered = 0;
    xml_open(w, "m:CreateItem");
    xml_attr_lit(w, "MessageDisposition", r->notify ? "SendAndSaveCopy" : "SaveOnly");
    xml_open(w, "m:Items");
    xml_open(w, names[r->response]);
    if (r->comment.n) {
        xml_open(w, "t:Body");
        xml_attr_lit(w, "BodyType", "Text");
        xml_text(w, r->comment);
        xml_close(w);
    }
    xml_open(w, "t:ReferenceItemId");
    xml_attr(w, "Id", r->id);
    if (r->change.n)
        xml_attr(w, "ChangeKey", r->change);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    return true;
}

static void on_responded(void *ud, const struct err *err)
{
    struct respond_op *r = ud;
    struct err problem = *err;
    r->call = NULL;
    if (problem.code == ERR_NONE)
        ews_done_check(&r->answer, &problem);
    if (r->unknown) {
        r->lost = problem;
        look(r);
        return;
    }
    /* A declined meeting goes to Deleted Items, the response takes the id of the item nowhere else. */
    end_respond(r, r->response == EVENT_DECLINED && r->index == 0, &problem);
}

static void respond(struct respond_op *r)
{
    r->answer = (struct ews_done_list){.operation = "CreateItem", .arena = &r->op.arena, .list = r->done, .count = 1};
    r->call = ews_call_start(r->ews, &(struct ews_call_opts){.operation = "CreateItem",
                                                             .write = write_response,
                                                             .reader = &ews_done_reader,
                                                             .reader_ud = &r->answer,
                                                             .on_done = on_responded,
                                                             .ud = r,
                                                             .once = true,
                                                             .ret_unknown = &r->unknown});
}

/*
 * A response names an item: which one the occurrence is has to be asked, and of the item the newest version. With it
 * comes the evidence: an item that has this response was answered, by an earlier attempt whose answer was lost or in
 * another program, and the organiser is not told again.
 */
static bool write_look(void *ud, struct xml_writer *w, bool slow)
{
    struct respond_op *r = ud;
    (void)slow;
    r->answer.answered = 0;
    r->answered = false;
    xml_open(w, "m:GetItem");
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_open(w, "t:AdditionalProperties");
    ews_write_field(w, "calendar:MyResponseType");
    xml_close(w);
    xml_close(w);
    xml_open(w, "m:ItemIds");
    if (r->index)
        ews_event_write_occurrence_id(w, r->master, r->index);
    else
        ews_write_item_id(w, r->master);
    xml_close(w);
    xml_close(w);
    return true;
}

static enum xml_want on_look_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    return ews_done_reader.on_start(&((struct respond_op *)ud)->answer, x, el, attrs, n);
}

static void on_look_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    static const char *const words[] = {
        [EVENT_ACCEPTED] = "Accept", [EVENT_TENTATIVELY_ACCEPTED] = "Tentative", [EVENT_DECLINED] = "Decline"};
    struct respond_op *r = ud;
    (void)x;
    if (el == EL_CAL_MY_RESPONSE)
        r->answered = str_is(str_trim(text), words[r->response]);
}

static void on_look_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    ews_done_reader.on_message(&((struct respond_op *)ud)->answer, x, index, status);
}

static void on_looked(void *ud, const struct err *err)
{
    struct respond_op *r = ud;
    struct err problem = *err;
    r->call = NULL;
    if (problem.code == ERR_NONE)
        ews_done_check(&r->answer, &problem);
    if (problem.code == ERR_NONE && r->answered) {
        end_respond(r, false, &problem);
    } else if (r->unknown && problem.code == ERR_NOT_FOUND && r->response == EVENT_DECLINED) {
        end_respond(r, r->index == 0, &(struct err){0}); /* that is what declining does */
    } else if (problem.code != ERR_NONE || r->unknown) {
        end_respond(r, false, problem.code != ERR_NONE ? &problem : &r->lost);
    } else {
        r->id = r->done[0].id;
        r->change = r->done[0].change;
        respond(r);
    }
}

static void look(struct respond_op *r)
{
    static const struct ews_reader reader = {
        .on_start = on_look_start, .on_end = on_look_end, .on_message = on_look_message, .max_bytes = 1 << 20};
    r->answer = (struct ews_done_list){.operation = "GetItem", .arena = &r->op.arena, .list = r->done, .count = 1};
    r->call = ews_call_start(r->ews, &(struct ews_call_opts){.operation = "GetItem",
                                                             .write = write_look,
                                                             .reader = &reader,
                                                             .reader_ud = r,
                                                             .on_done = on_looked,
                                                             .ud = r});
}

static void start_respond(struct op *op)
{
    struct respond_op *r = (struct respond_op *)op;
    if (r->refused.code != ERR_NONE)
        op_finish_err(op, &r->refused);
    else
        look(r);
}

struct op *ews_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud)
{
    static const struct op_class class = {"ews.event-respond", sizeof(struct respond_op), start_respond, NULL};
    struct respond_op *r = (struct respond_op *)op_new(b->loop, &class, cb, ud);
    r->ews = (struct ews *)b;
    r->master = arena_str(&r->op.arena, request->id);
    r->comment = arena_str(&r->op.arena, request->comment);
    r->response = request->response;
    r->notify = request->notify;
    if (request->response < EVENT_ACCEPTED || request->response > EVENT_DECLINED)
        err_set(&r->refused, ERR_INVALID, "an answer is yes, no or perhaps");
    if (request->has_instance) {
        r->index = request->event ? event_index_of(request->event, request->instance) : 0;
        if (!r->index)
            err_set(&r->refused, ERR_NOT_FOUND, "the series has no such occurrence");
    }
    return &r->op;
}

/* --- content of an attachment ----------------------------------------------------------------- */

struct attachment_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str id;
    struct blob *blob;
    struct text_base64 decoder;
    struct err err;
    bool answered;
};

static bool write_attachment(void *ud, struct xml_writer *w, bool slow)
{
    struct attachment_op *a = ud;
    (void)slow;
    blob_unref(&a->blob);
    a->blob = blob_new(a->ews->config.tmp_dir,
                       a->ews->config.message_limit ? a->ews->config.message_limit : EWS_MESSAGE_LIMIT);
    memset(&a->decoder, 0, sizeof(a->decoder));
    memset(&a->err, 0, sizeof(a->err));
    a->answered = false;
    xml_open(w, "m:GetAttachment");
    xml_open(w, "m:AttachmentIds");
    xml_open(w, "t:AttachmentId");
    xml_attr(w, "Id", a->id);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    return true;
}

static enum xml_want on_attachment_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs,
                                         size_t n)
{
    (void)ud;
    (void)x;
    (void)attrs;
    (void)n;
    return el == EL_CONTENT ? XML_STREAM : XML_COLLECT;
}

static void on_attachment_text(void *ud, struct xml *x, struct str piece)
{
    struct attachment_op *a = ud;
    struct buf b = {0};
    if (xml_parent(x, 0) == EL_CONTENT && a->err.code == ERR_NONE && text_base64_feed(&a->decoder, &b, piece))
        blob_add(a->blob, buf_view(&b), &a->err);
    buf_done(&b);
}

static void on_attachment_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct attachment_op *a = ud;
    (void)x;
    (void)index;
    a->answered = true;
    if (status->code->err != ERR_NONE)
        ews_status_err(status, "GetAttachment", &a->err);
}

static void on_attachment(void *ud, const struct err *err)
{
    struct attachment_op *a = ud;
    struct err problem = err->code != ERR_NONE ? *err : a->err;
    a->call = NULL;
    if (problem.code == ERR_NONE && !a->answered)
        err_set(&problem, ERR_PROTOCOL, "GetAttachment: an answer without a response message");
    if (problem.code == ERR_NONE)
        blob_finish(a->blob, &problem);
    struct blob *blob = a->blob;
    a->blob = NULL;
    a->op.reply->content = blob;
    op_finish_err(&a->op, &problem);
    blob_unref(&blob);
}

static void start_attachment(struct op *op)
{
    static const struct ews_reader reader = {.on_start = on_attachment_start,
                                             .on_text = on_attachment_text,
                                             .on_message = on_attachment_message,
                                             .max_bytes = UINT64_C(1) << 30};
    struct attachment_op *a = (struct attachment_op *)op;
    a->call = ews_call_start(a->ews, &(struct ews_call_opts){.operation = "GetAttachment",
                                                             .write = write_attachment,
                                                             .reader = &reader,
                                                             .reader_ud = a,
                                                             .on_done = on_attachment,
                                                             .ud = a,
                                                             .bulk = true});
}

static void stop_attachment(struct op *op)
{
    struct attachment_op *a = (struct attachment_op *)op;
    ews_call_abort(&a->call);
    blob_unref(&a->blob);
}

struct op *ews_event_attachment(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb, void *ud)
{
    static const struct op_class class = {"ews.event-attachment", sizeof(struct attachment_op), start_attachment,
                                          stop_attachment};
    struct attachment_op *a = (struct attachment_op *)op_new(b->loop, &class, cb, ud);
    (void)item_id;
    a->ews = (struct ews *)b;
    a->id = arena_str(&a->op.arena, attachment_id);
    return &a->op;
}

/* --- busy times: GetUserAvailability (MS-OXWSAVAIL 3.1.4.1) ----------------------------------- */

#define WINDOW_S    ((int64_t)42 * 86400) /* the longest the server answers for */
#define MAILBOX_MAX 100                   /* in one request */
#define SPANS_MAX   5000                  /* of one person */

struct busy_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str *addresses;
    size_t count, first, batch;
    int64_t from, to, at;
    struct err *each;
    struct person {
        struct busy_span *spans;
        size_t count, room;
    } * people;
    size_t answered;
    struct busy_span now;
};

static void write_no_daylight(struct xml_writer *w, const char *name)
{
    xml_open(w, name);
    xml_leaf_lit(w, "t:Bias", "0");
    xml_leaf_lit(w, "t:Time", "00:00:00");
    xml_leaf_lit(w, "t:DayOrder", "0");
    xml_leaf_lit(w, "t:Month", "0");
    xml_leaf_lit(w, "t:DayOfWeek", "Sunday");
    xml_close(w);
}

static void write_naive(struct xml_writer *w, const char *name, int64_t at)
{
    struct buf b = {0};
    time_add_iso(&b, at);
    xml_leaf(w, name, str_sub(buf_view(&b), 0, 19)); /* in the TimeZone given, which is UTC */
    buf_done(&b);
}

static int64_t window_end(const struct busy_op *o)
{
    return o->to - o->at > WINDOW_S ? o->at + WINDOW_S : o->to;
}

static bool write_busy(void *ud, struct xml_writer *w, bool slow)
{
    struct busy_op *o = ud;
    (void)slow;
    o->answered = 0;
    xml_open(w, "m:GetUserAvailabilityRequest");
    xml_open(w, "t:TimeZone");
    xml_leaf_lit(w, "t:Bias", "0");
    write_no_daylight(w, "t:StandardTime");
    write_no_daylight(w, "t:DaylightTime");
    xml_close(w);
    xml_open(w, "m:MailboxDataArray");
    for (size_t i = 0; i < o->batch; i++) {
        xml_open(w, "t:MailboxData");
        xml_open(w, "t:Email");
        xml_leaf(w, "t:Address", o->addresses[o->first + i]);
        xml_close(w);
        xml_leaf_lit(w, "t:AttendeeType", "Required");
        xml_close(w);
    }
    xml_close(w);
    xml_open(w, "t:FreeBusyViewOptions");
    xml_open(w, "t:TimeWindow");
    write_naive(w, "t:StartTime", o->at);
    write_naive(w, "t:EndTime", window_end(o));
    xml_close(w);
    xml_leaf_lit(w, "t:MergedFreeBusyIntervalInMinutes", "30");
    xml_leaf_lit(w, "t:RequestedView", "FreeBusy");
    xml_close(w);
    xml_close(w);
    return true;
}

static struct person *person(struct busy_op *o)
{
    return o->answered < o->batch ? &o->people[o->first + o->answered] : NULL;
}

static void add_span(struct busy_op *o)
{
    struct person *p = person(o);
    if (!p || o->now.busy == EVENT_FREE || o->now.to <= o->now.from || p->count == SPANS_MAX)
        return;
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        struct busy_span *more = arena_array(&o->op.arena, room, sizeof(*more));
        if (p->count)
            memcpy(more, p->spans, p->count * sizeof(*more));
        p->spans = more;
        p->room = room;
    }
    p->spans[p->count++] = o->now;
}

static void on_busy_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    static const struct {
        const char *name;
        enum event_busy busy;
    } words[] = {{"Tentative", EVENT_TENTATIVE},
                 {"Busy", EVENT_BUSY},
                 {"OOF", EVENT_OOF},
                 {"WorkingElsewhere", EVENT_ELSEWHERE}};
    struct busy_op *o = ud;
    int64_t ms;
    if (xml_parent(x, 1) == EL_FB_EVENT && (el == EL_FB_FROM || el == EL_FB_TO)) {
        if (time_parse_iso(str_trim(text), &ms))
            *(el == EL_FB_FROM ? &o->now.from : &o->now.to) = ms / 1000;
    } else if (xml_parent(x, 1) == EL_FB_EVENT && el == EL_FB_BUSY) {
        o->now.busy = EVENT_FREE;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (str_is(str_trim(text), words[i].name))
                o->now.busy = words[i].busy;
    } else if (el == EL_FB_EVENT) {
        add_span(o);
        memset(&o->now, 0, sizeof(o->now));
    }
}

static void on_busy_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct busy_op *o = ud;
    (void)x;
    (void)index;
    if (person(o) && status->code->err != ERR_NONE)
        ews_status_err(status, "GetUserAvailability", &o->each[o->first + o->answered]);
    o->answered++;
}

static void ask_busy(struct busy_op *o);

static void finish_busy(struct busy_op *o, const struct err *err)
{
    struct busy_list *list = arena_array(&o->op.arena, o->count + 1, sizeof(*list));
    for (size_t i = 0; i < o->count; i++)
        list[i] = (struct busy_list){o->people[i].spans, o->people[i].count};
    o->op.reply->free_busy.each = o->each;
    o->op.reply->free_busy.list = list;
    o->op.reply->free_busy.count = o->count;
    op_finish_err(&o->op, err);
}

static void on_busy(void *ud, const struct err *err)
{
    struct busy_op *o = ud;
    o->call = NULL;
    if (err->code != ERR_NONE) {
        finish_busy(o, err);
        return;
    }
    o->at = window_end(o);
    if (o->at >= o->to) {
        o->at = o->from;
        o->first += o->batch;
    }
    ask_busy(o);
}

static void ask_busy(struct busy_op *o)
{
    static const struct ews_reader reader = {
        .on_end = on_busy_end, .on_message = on_busy_message, .max_bytes = 32 << 20};
    struct err none = {0};
    if (o->first >= o->count || o->from >= o->to) {
        finish_busy(o, &none);
        return;
    }
    o->batch = o->count - o->first < MAILBOX_MAX ? o->count - o->first : MAILBOX_MAX;
    o->call = ews_call_start(o->ews, &(struct ews_call_opts){.operation = "GetUserAvailability",
                                                             .write = write_busy,
                                                             .reader = &reader,
                                                             .reader_ud = o,
                                                             .on_done = on_busy,
                                                             .ud = o,
                                                             .batch = true});
}

static void start_busy(struct op *op)
{
    ask_busy((struct busy_op *)op);
}

static void stop_busy(struct op *op)
{
    ews_call_abort(&((struct busy_op *)op)->call);
}

struct op *ews_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                         op_cb *cb, void *ud)
{
    static const struct op_class class = {"ews.free-busy", sizeof(struct busy_op), start_busy, stop_busy};
    struct busy_op *o = (struct busy_op *)op_new(b->loop, &class, cb, ud);
    o->ews = (struct ews *)b;
    o->count = count;
    o->addresses = arena_array(&o->op.arena, count + 1, sizeof(*o->addresses));
    o->people = arena_array(&o->op.arena, count + 1, sizeof(*o->people));
    o->each = arena_array(&o->op.arena, count + 1, sizeof(*o->each));
    for (size_t i = 0; i < count; i++)
        o->addresses[i] = arena_str(&o->op.arena, addresses[i]);
    o->from = o->at = from;
    o->to = to;
    return &o->op;
}
