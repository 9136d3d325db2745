/* SPDX-License-Identifier: Apache-2.0 */
/* Events and other people: answers to meetings, busy times; and the content of attachments. */
#include <string.h>

#include "backends/eas/eas_event_write.h"
#include "backends/eas/eas_invitations.h"
#include "backends/eas/eas_items_read.h"
#include "backends/eas/eas_people_read.h"
#include "backends/eas/eas_write.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"

/* --- the user's answer to a meeting (MS-ASCMD 2.2.1.11) ---------------------------------------------------------- */

struct respond_op {
    struct eas_write w;
    struct eas_call call;
    struct eas_meeting_answer answer;
    struct str folder_id, id, comment;
    struct str inbox_id, uid; /* where and how the invitation is found, up to 14.0 */
    enum event_response response;
    bool has_instance, notify;
    struct event event; /* with has_instance */
    int64_t original;
};

static void leave_responding(struct respond_op *r)
{
    eas_write_leave(&r->w);
    eas_call_close(&r->call);
}

static void end_responding(struct respond_op *r, const struct err *err)
{
    struct err copy = *err;

    leave_responding(r);
    op_finish_err(&r->w.op, &copy);
}

static void write_send_response(const struct respond_op *r, struct eas_writer *w)
{
    if (r->comment.n == 0) {
        eas_write_empty(w, MeetingResponse_SendResponse);
        return;
    }
    eas_write_open(w, MeetingResponse_SendResponse);
    eas_write_open(w, AirSyncBase_Body);
    eas_write_uint(w, AirSyncBase_Type, EAS_BODY_TEXT);
    eas_write_text(w, AirSyncBase_Data, r->comment);
    eas_write_close(w);
    eas_write_close(w);
}

/* Up to 14.0 it is the mail in the Inbox that is answered, and as a whole (MS-ASCMD 2.2.3.92.1). */
static bool find_invitation(struct respond_op *r, struct str *ret_id, struct err *err)
{
    const char *version = eas_version_name(r->w.b->state.version);

    if (r->has_instance)
        return err_set(err, ERR_UNSUPPORTED, "with ActiveSync %s a series is answered as a whole only", version);
    *ret_id = eas_invitation_find(r->w.b, r->inbox_id, r->uid, &r->w.op.arena);
    return ret_id->n > 0 || err_set(err, ERR_UNSUPPORTED,
                                    "with ActiveSync %s a meeting is answered by its invitation, and that is not in "
                                    "the Inbox (any more): answer it in Outlook",
                                    version);
}

static bool write_response(void *ud, struct eas_writer *w, struct err *err)
{
    static const unsigned words[] = {[EVENT_ACCEPTED] = 1, [EVENT_TENTATIVELY_ACCEPTED] = 2, [EVENT_DECLINED] = 3};
    struct respond_op *r = ud;
    const struct backend_config *config = &r->w.b->config;
    struct eas_event_writing writing = {.version = r->w.b->state.version,
                                        .zone = str_from(config->zone ? config->zone : "")};

    struct str folder_id = r->folder_id, id = r->id;

    if (writing.version < EAS_ANSWER_BY_ITEM) {
        folder_id = r->inbox_id;
        if (!find_invitation(r, &id, err))
            return false;
    }
    r->answer = (struct eas_meeting_answer){.arena = &r->w.op.arena};
    eas_write_open(w, MeetingResponse_MeetingResponse);
    eas_write_open(w, MeetingResponse_Request);
    eas_write_uint(w, MeetingResponse_UserResponse, words[r->response]);
    eas_write_text(w, MeetingResponse_CollectionId, folder_id);
    eas_write_text(w, MeetingResponse_RequestId, id);
    if (r->has_instance)
        eas_write_text(w, MeetingResponse_InstanceId,
                       eas_event_instance_extended(&r->event, r->original, &writing, &r->w.op.arena));
    if (r->notify && writing.version >= EAS_SCHEDULING_SINCE)
        write_send_response(r, w);
    eas_write_close(w);
    eas_write_close(w);
    return true;
}

static void on_responded(void *ud, const struct err *err)
{
    struct respond_op *r = ud;
    struct err problem = *err;
    bool gone = r->response == EVENT_DECLINED && !r->has_instance;

    if (problem.code == ERR_NONE)
        eas_meeting_status(&r->answer, &problem);
    r->w.op.reply->event_done.id = r->answer.calendar_id.n > 0 ? r->answer.calendar_id : gone ? STR_NULL : r->id;
    end_responding(r, &problem);
}

static void on_responding_turn(void *ud)
{
    /* With 14.1 an answer says no more the second time; later the organiser would get it twice. What is gone after the
     * first time, an invitation or a meeting that was declined, would be missed the second time. */
    static const struct eas_request again = {.command = EAS_MEETING_RESPONSE,
                                             .rules = &eas_meeting_rules,
                                             .write = write_response,
                                             .done = on_responded},
                                    once = {.command = EAS_MEETING_RESPONSE,
                                            .rules = &eas_meeting_rules,
                                            .once = true,
                                            .write = write_response,
                                            .done = on_responded};
    struct respond_op *r = ud;
    unsigned version = r->w.b->state.version;
    bool leaves = version < EAS_ANSWER_BY_ITEM || (r->response == EVENT_DECLINED && !r->has_instance);

    eas_call_init(&r->call, r->w.b, leaves || version >= EAS_SCHEDULING_SINCE ? &once : &again, r);
    r->call.reader = &r->answer;
    eas_call_start(&r->call);
}

static void start_responding(struct op *op)
{
    struct respond_op *r = (struct respond_op *)op;
    struct err err = {0};

    if (r->response < EVENT_ACCEPTED || r->response > EVENT_DECLINED) {
        err_set(&err, ERR_INVALID, "an answer is yes, no or perhaps");
        end_responding(r, &err);
        return;
    }
    eas_turn_wait(&r->w.turn, &r->w.b->syncs, true, on_responding_turn, r);
}

static void stop_responding(struct op *op)
{
    leave_responding((struct respond_op *)op);
}

struct op *eas_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.event-respond", sizeof(struct respond_op), start_responding,
                                          stop_responding};
    struct respond_op *r = (struct respond_op *)eas_write_new(b, &class, cb, ud);
    struct arena *arena = &r->w.op.arena;

    r->folder_id = arena_str(arena, request->folder_id);
    r->id = arena_str(arena, request->id);
    r->inbox_id = arena_str(arena, request->inbox_id);
    r->uid = request->event ? arena_str(arena, request->event->uid) : STR_NULL;
    r->comment = arena_str(arena, request->comment);
    r->response = request->response;
    r->notify = request->notify;
    r->has_instance = request->has_instance && request->event;
    r->original = request->instance;
    if (r->has_instance)
        event_copy(&r->event, request->event, arena);
    return &r->w.op;
}

/* --- busy times (MS-ASCMD 2.2.1.15) ------------------------------------------------------------------------------ */

#define WINDOW_S  ((int64_t)42 * 86400) /* the longest the server answers for */
#define NAMES_MAX 100                   /* in one request */

struct busy_op {
    struct op op;
    struct eas_backend *b;
    struct eas_call call;
    struct eas_resolve_answer answer;
    struct str *addresses;
    size_t count, first, batch;
    int64_t from, to, at; /* at: of the window under way, on a half hour */
    struct err *each;
    struct busy_list *list;
};

static void ask_busy(struct busy_op *o);

static int64_t floor_slot(int64_t at)
{
    return at - ((at % EAS_BUSY_SLOT_S) + EAS_BUSY_SLOT_S) % EAS_BUSY_SLOT_S;
}

static int64_t window_end(const struct busy_op *o)
{
    int64_t end = floor_slot(o->to + EAS_BUSY_SLOT_S - 1);

    return end - o->at > WINDOW_S ? o->at + WINDOW_S : end;
}

static void end_busy(struct busy_op *o, const struct err *err)
{
    struct err copy = *err;

    eas_call_close(&o->call);
    o->op.reply->free_busy.each = o->each;
    o->op.reply->free_busy.list = o->list;
    o->op.reply->free_busy.count = o->count;
    op_finish_err(&o->op, &copy);
}

static void write_time(struct eas_writer *w, enum eas_tag tag, int64_t at)
{
    struct buf b = BUF_INIT(64);

    time_add_iso_ms(&b, at * 1000);
    eas_write_text(w, tag, buf_view(&b));
    buf_done(&b);
}

static bool write_busy(void *ud, struct eas_writer *w, struct err *err)
{
    struct busy_op *o = ud;

    if (o->b->state.version < EAS_BUSY_SINCE)
        return err_set(err, ERR_UNSUPPORTED, "ActiveSync %s knows no free/busy times",
                       eas_version_name(o->b->state.version));
    eas_resolve_begin(&o->answer, o->addresses + o->first, o->batch);
    eas_write_open(w, ResolveRecipients_ResolveRecipients);
    for (size_t i = 0; i < o->batch; i++)
        eas_write_text(w, ResolveRecipients_To, o->addresses[o->first + i]);
    eas_write_open(w, ResolveRecipients_Options);
    eas_write_open(w, ResolveRecipients_Availability);
    write_time(w, ResolveRecipients_StartTime, o->at);
    write_time(w, ResolveRecipients_EndTime, window_end(o));
    eas_write_close(w);
    eas_write_close(w);
    eas_write_close(w);
    return true;
}

static void take_busy(struct busy_op *o)
{
    for (size_t i = 0; i < o->batch; i++) {
        const struct eas_resolved *r = &o->answer.list[i];
        struct err *err = &o->each[o->first + i];

        if (err->code == ERR_NONE && eas_resolve_status(r, err) &&
            !eas_busy_add(&o->list[o->first + i], r->digits, o->at, o->from, o->to, &o->op.arena))
            err_set(err, ERR_DENIED, "the server has no free/busy times of this address");
    }
}

static void on_busy(void *ud, const struct err *err)
{
    struct busy_op *o = ud;
    struct err problem = *err;

    if (problem.code == ERR_NONE && o->call.answer.status != 1)
        err_set(&problem, ERR_PROTOCOL, "ResolveRecipients: the server does not understand it (status %d)",
                o->call.answer.status);
    if (problem.code != ERR_NONE) {
        end_busy(o, &problem);
        return;
    }
    take_busy(o);
    o->at = window_end(o);
    if (o->at >= o->to) {
        o->at = floor_slot(o->from);
        o->first += o->batch;
    }
    ask_busy(o);
}

static void ask_busy(struct busy_op *o)
{
    static const struct eas_request request = {
        .command = EAS_RESOLVE_RECIPIENTS, .rules = &eas_resolve_rules, .write = write_busy, .done = on_busy};
    struct err none = {0};

    eas_call_close(&o->call);
    if (o->first >= o->count || o->from >= o->to) {
        end_busy(o, &none);
        return;
    }
    o->batch = o->count - o->first < NAMES_MAX ? o->count - o->first : NAMES_MAX;
    eas_call_init(&o->call, o->b, &request, o);
    o->call.reader = &o->answer;
    eas_call_start(&o->call);
}

static void start_busy(struct op *op)
{
    ask_busy((struct busy_op *)op);
}

static void stop_busy(struct op *op)
{
    eas_call_close(&((struct busy_op *)op)->call);
}

struct op *eas_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                         op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.free-busy", sizeof(struct busy_op), start_busy, stop_busy};
    struct busy_op *o = (struct busy_op *)op_new(b->loop, &class, cb, ud);
    struct arena *arena = &o->op.arena;

    o->b = (struct eas_backend *)b;
    o->count = count;
    o->addresses = arena_array(arena, count + 1, sizeof(*o->addresses));
    o->each = arena_array(arena, count + 1, sizeof(*o->each));
    o->list = arena_array(arena, count + 1, sizeof(*o->list));
    o->answer.arena = arena;
    o->answer.list = arena_array(arena, NAMES_MAX, sizeof(*o->answer.list));
    for (size_t i = 0; i < count; i++)
        o->addresses[i] = arena_str(arena, addresses[i]);
    o->from = from;
    o->to = to;
    o->at = floor_slot(from);
    return &o->op;
}

/* --- content of an attachment (MS-ASCMD 2.2.3.69) ---------------------------------------------------------------- */

struct attachment_op {
    struct op op;
    struct eas_backend *b;
    struct eas_call call;
    struct eas_fetch_answer answer;
    struct eas_fetched fetched;
    struct str id;
};

static bool write_fetch(void *ud, struct eas_writer *w, struct err *err)
{
    struct attachment_op *a = ud;

    (void)err;
    eas_fetch_answer_begin(&a->answer, &a->id, 1);
    eas_write_open(w, ItemOperations_ItemOperations);
    eas_write_open(w, ItemOperations_Fetch);
    eas_write_text(w, ItemOperations_Store, STR("Mailbox"));
    eas_write_text(w, AirSyncBase_FileReference, a->id);
    eas_write_close(w);
    eas_write_close(w);
    return true;
}

struct decoding {
    struct text_base64 st;
    struct buf piece;
    struct blob *to;
    struct err *err;
};

static bool decode(void *ud, struct str piece)
{
    struct decoding *d = ud;

    buf_reset(&d->piece);
    if (!text_base64_feed(&d->st, &d->piece, piece))
        return err_set(d->err, ERR_TOO_BIG, "Fetch: the attachment is too large");
    return blob_add(d->to, buf_view(&d->piece), d->err);
}

/* It comes as base64, but for a part of its own. */
static struct blob *content(struct attachment_op *a, struct err *err)
{
    struct decoding d = {.piece = BUF_INIT(BUF_DEFAULT_LIMIT), .err = err};
    struct blob *raw = eas_body_finish(&a->fetched.body);

    if (!raw) {
        if (a->fetched.body.err.code != ERR_NONE)
            *err = a->fetched.body.err;
        else if (a->fetched.status == EAS_FETCH_OK) /* an empty file */
            return blob_from_str(STR(""));
        else
            err_set(err, ERR_NOT_FOUND, "Fetch: the server has no content of the attachment");
        return NULL;
    }
    d.to = blob_new(a->b->config.tmp_dir, a->b->config.message_limit);
    blob_each(raw, decode, &d, err);
    if (err->code == ERR_NONE)
        blob_finish(d.to, err);
    if (err->code != ERR_NONE)
        blob_unref(&d.to);
    buf_done(&d.piece);
    blob_unref(&raw);
    return d.to;
}

static void on_fetched(void *ud, const struct err *err)
{
    struct attachment_op *a = ud;
    struct err problem = *err;
    struct blob *blob = NULL;

    if (problem.code == ERR_NONE && a->fetched.status != EAS_FETCH_OK && a->fetched.status != 0)
        eas_fetch_status_err(a->fetched.status, &problem);
    if (problem.code == ERR_NONE)
        blob = content(a, &problem);
    eas_call_close(&a->call);
    eas_fetch_answer_done(&a->answer);
    a->op.reply->content = blob;
    op_finish_err(&a->op, &problem);
    blob_unref(&blob);
}

static void start_attachment(struct op *op)
{
    static const struct eas_request request = {.command = EAS_ITEM_OPERATIONS,
                                               .rules = &eas_fetch_rules,
                                               .streams = true,
                                               .write = write_fetch,
                                               .done = on_fetched};
    struct attachment_op *a = (struct attachment_op *)op;

    eas_call_init(&a->call, a->b, &request, a);
    a->call.reader = &a->answer;
    eas_call_start(&a->call);
}

static void stop_attachment(struct op *op)
{
    struct attachment_op *a = (struct attachment_op *)op;

    eas_call_close(&a->call);
    eas_fetch_answer_done(&a->answer);
}

struct op *eas_event_attachment(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.event-attachment", sizeof(struct attachment_op), start_attachment,
                                          stop_attachment};
    struct attachment_op *a = (struct attachment_op *)op_new(b->loop, &class, cb, ud);

    (void)item_id;
    a->b = (struct eas_backend *)b;
    a->id = arena_str(&a->op.arena, attachment_id);
    a->answer.arena = &a->op.arena;
    a->answer.list = &a->fetched;
    a->answer.tmp_dir = a->b->config.tmp_dir;
    a->answer.message_limit = a->b->config.message_limit;
    return &a->op;
}
