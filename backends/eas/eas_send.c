/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SendMail, and SmartReply and SmartForward with the whole message in them (MS-ASCMD 2.2.1.17, .19, .20).
 *
 * From 14.0 on a message carries a ClientId, and Exchange answers 118 when it has sent one of that id before: after a
 * lost answer the same bytes go out again. Up to 12.1, and with servers that are not known to remember (SOGo does not),
 * a lost answer is an unknown outcome: the client is told to try again later, and decides himself.
 */
#include "backends/eas/eas_status.h"
#include "backends/eas/eas_write.h"

#define TRIES          3 /* of a message whose answer was lost */
#define DUPLICATE      118
#define NOT_REPLIED    117
#define NOT_SUBMITTED  120
#define NOT_MADE       121
#define SOURCE_GONE    150
#define SMART_SINCE    140                 /* earlier versions add the original message to ours */
#define SUSPECT_SIZE   ((uint64_t)4 << 20) /* the smallest limit of a request that IIS and ASP.NET come with */
#define HTTP_NOT_FOUND 404
#define HTTP_FAILED    500

struct send_op {
    struct eas_write w;
    struct eas_call call;
    struct timer *pause;
    struct blob *message;
    struct str client_id;
    struct str source_folder_id, source_id;
    bool forward;
    bool smart; /* tell the server which message this one answers */
    unsigned tries;
};

static void ask(struct send_op *s);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct send_op *s)
{
    eas_write_leave(&s->w);
    eas_call_close(&s->call);
    timer_free(&s->pause);
    blob_unref(&s->message);
}

static void end(struct send_op *s, const struct err *err)
{
    struct err copy = *err;

    leave(s);
    op_finish_err(&s->w.op, &copy);
}

static void on_pause(void *ud)
{
    ask(ud);
}

static void ask_after(struct send_op *s, uint64_t after_s)
{
    eas_call_close(&s->call);
    if (!s->pause)
        s->pause = timer_new(s->w.b->base.loop, on_pause, s);
    timer_start(s->pause, after_s * s->w.b->second_ms);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

/* Refusals that are about the original message, or about putting the two together. */
static bool only_smart_failed(const struct err *err)
{
    return err->status == SOURCE_GONE || err->status == NOT_REPLIED || err->status == NOT_SUBMITTED ||
           err->status == NOT_MADE || err->status == HTTP_FAILED;
}

/* IIS says 404 to a body over its limit, ASP.NET fails; up to 12.1 a bad message is a bad request. */
static void explain(struct send_op *s, struct err *err)
{
    uint64_t size = blob_size(s->message);
    bool large = size > SUSPECT_SIZE;

    if (large && (err->status == HTTP_NOT_FOUND || (err->status == HTTP_FAILED && s->tries >= TRIES)))
        err_set(err, ERR_TOO_BIG, "SendMail: the server fails on a message of %llu bytes (HTTP status %d)",
                (unsigned long long)size, err->status);
    else if (err->status == 400 && s->w.b->state.version < 140)
        err_set(err, ERR_INVALID, "SendMail: the server refuses the message (HTTP status 400)");
}

static void on_unknown(struct send_op *s, const struct err *err)
{
    struct err copy = *err;

    if (!s->w.b->remembers_sends || s->w.b->state.version < 140) {
        err_set(&copy, ERR_OFFLINE,
                "SendMail: the answer was lost, and this server does not tell whether it has sent the message; sending "
                "it again may send it twice");
        end(s, &copy);
    } else if (s->tries < TRIES) {
        if (s->smart && err->status == HTTP_FAILED)
            s->smart = false;
        ask_after(s, s->tries == 1 ? 1 : 5);
    } else {
        explain(s, &copy);
        end(s, &copy);
    }
}

static void on_done(void *ud, const struct err *err)
{
    struct send_op *s = ud;
    struct err copy = *err;
    int status = s->call.answer.status;

    if (copy.code == ERR_NONE && !s->call.empty && status != 0 && status != 1)
        eas_status_err(&copy, "SendMail", status);
    if (copy.status == DUPLICATE) /* that was us, before the answer got lost */
        copy = (struct err){0};
    if (copy.code == ERR_NONE) {
        end(s, &copy);
    } else if (s->call.unknown) {
        on_unknown(s, &copy);
    } else if (s->smart && only_smart_failed(&copy)) {
        s->smart = false;
        ask_after(s, 0);
    } else {
        explain(s, &copy);
        end(s, &copy);
    }
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static enum eas_tag root(const struct send_op *s)
{
    if (!s->smart)
        return ComposeMail_SendMail;
    return s->forward ? ComposeMail_SmartForward : ComposeMail_SmartReply;
}

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct send_op *s = ud;

    (void)err;
    eas_write_open(w, root(s));
    eas_write_text(w, ComposeMail_ClientId, s->client_id);
    if (s->smart) {
        eas_write_open(w, ComposeMail_Source);
        eas_write_text(w, ComposeMail_FolderId, s->source_folder_id);
        eas_write_text(w, ComposeMail_ItemId, s->source_id);
        eas_write_close(w);
    }
    eas_write_empty(w, ComposeMail_SaveInSentItems);
    if (s->smart)
        eas_write_empty(w, ComposeMail_ReplaceMime);
    eas_call_write_mime(&s->call, w, ComposeMail_Mime, EAS_MIME_OPAQUE);
    eas_write_close(w);
    return true;
}

static const struct eas_rule rules[] = {
    {.tag = ComposeMail_SendMail}, {.tag = ComposeMail_SmartReply}, {.tag = ComposeMail_SmartForward}};
static const struct eas_rules answer_rules = {rules, sizeof(rules) / sizeof(rules[0])};

#define SEND_REQUEST(c)                                                                                                \
    {                                                                                                                  \
        .command = (c), .rules = &answer_rules, .once = true, .message = true, .write = write_request, .done = on_done \
    }

static void ask(struct send_op *s)
{
    static const struct eas_request plain = SEND_REQUEST(EAS_SEND_MAIL), reply = SEND_REQUEST(EAS_SMART_REPLY),
                                    forward = SEND_REQUEST(EAS_SMART_FORWARD);

    s->tries++;
    eas_call_close(&s->call);
    eas_call_init(&s->call, s->w.b, !s->smart ? &plain : s->forward ? &forward : &reply, s);
    s->call.mime = s->message;
    s->call.query = "&SaveInSent=T";
    eas_call_start(&s->call);
}

static void start(struct op *op)
{
    struct send_op *s = (struct send_op *)op;
    struct err ignored = {0};
    struct str cursor;

    /* Not by an id that may mean another item soon. */
    s->smart = s->source_id.n > 0 && s->w.b->state.version >= SMART_SINCE &&
               eas_write_cursor(&s->w, s->source_folder_id, &cursor, &ignored);
    ask(s);
}

static void stop(struct op *op)
{
    leave((struct send_op *)op);
}

struct op *eas_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.send", sizeof(struct send_op), start, stop};
    struct send_op *s = (struct send_op *)eas_write_new(b, &class, cb, ud);
    struct arena *arena = &s->w.op.arena;

    s->message = blob_ref(request->message);
    s->client_id = arena_str(arena, request->evidence);
    s->source_folder_id = arena_str(arena, request->source_folder_id);
    s->source_id = arena_str(arena, request->source_id);
    s->forward = request->source_forwarded;
    return &s->w.op;
}
