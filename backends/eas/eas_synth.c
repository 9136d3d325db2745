/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_synth.h"

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_items_read.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/address.h"
#include "bridge/formats/build.h"

#define BODY_MAX        ((size_t)8 << 20) /* bytes of text or HTML; the rest is cut off */
#define FLUSH_SIZE      ((size_t)256 << 10)
#define METHOD_EMBEDDED 5

struct eas_synth {
    struct eas_backend *b;
    eas_synth_cb *cb;
    void *ud;
    struct arena arena;
    struct eas_call call;
    struct eas_fetch_answer answer;
    struct eas_fetched fetched;
    struct str folder_id, id; /* of the item */
    struct str reference;     /* of the attachment that is asked for; empty = the item itself */
    struct eas_attachment *attachments;
    size_t attachment_count, attachment;
    struct buf body;
    struct build_message message;
    struct build build;
    struct buf out;
    struct blob *blob;
};

static void ask(struct eas_synth *s);

static void finish(struct eas_synth *s, const struct err *err)
{
    struct blob *blob = err->code == ERR_NONE ? s->blob : NULL;

    if (blob)
        s->blob = NULL;
    s->cb(s->ud, blob, err);
}

static bool flush(struct eas_synth *s, struct err *err)
{
    bool ok = s->out.failed ? err_set(err, ERR_TOO_BIG, "Fetch: a part of the message is too large")
                            : blob_add(s->blob, buf_view(&s->out), err);

    buf_reset(&s->out);
    return ok;
}

/* --- attachments ------------------------------------------------------------------------------------------------- */

struct feed {
    struct eas_synth *s;
    struct text_base64 base64;
    struct buf decoded;
    bool is_base64;
    struct err *err;
};

static bool feed_piece(void *ud, struct str piece)
{
    struct feed *f = ud;
    struct eas_synth *s = f->s;

    if (f->is_base64) {
        buf_reset(&f->decoded);
        if (!text_base64_feed(&f->base64, &f->decoded, piece))
            return err_set(f->err, ERR_TOO_BIG, "Fetch: an attachment is too large");
        piece = buf_view(&f->decoded);
    }
    build_attachment_data(&s->build, piece, &s->out);
    return s->out.n < FLUSH_SIZE && !s->out.failed ? true : flush(s, f->err);
}

static bool add_attachment(struct eas_synth *s, const struct eas_attachment *a, struct blob *data, bool is_base64,
                           struct err *err)
{
    struct build_attachment part = {.name = a->name,
                                    .content_type = a->type,
                                    .content_id = a->content_id,
                                    .is_inline = a->is_inline,
                                    .is_message = a->method == METHOD_EMBEDDED};
    struct feed f = {.s = s, .is_base64 = is_base64, .err = err, .decoded = BUF_INIT(FLUSH_SIZE)};
    bool ok;

    if (!data) {
        part.content_type = STR("text/plain; charset=utf-8");
        part.is_message = false;
    }
    build_attachment(&s->build, &part, &s->out);
    if (data)
        ok = blob_each(data, feed_piece, &f, err) && err->code == ERR_NONE;
    else
        ok = build_attachment_data(&s->build, STR("The server did not give this attachment.\r\n"), &s->out);
    buf_done(&f.decoded);
    return ok && flush(s, err);
}

static void end_message(struct eas_synth *s)
{
    struct err err = {0};

    build_end(&s->build, &s->out);
    if (flush(s, &err))
        blob_finish(s->blob, &err);
    finish(s, &err);
}

static void next_attachment(struct eas_synth *s)
{
    if (s->attachment == s->attachment_count) {
        end_message(s);
        return;
    }
    s->reference = s->attachments[s->attachment].reference;
    ask(s);
}

/* What is made here is the message for ever: it is not made without what can be had later. */
static bool is_refused_for_now(const struct eas_fetched *fetched, struct err *err)
{
    struct err refused = {0};

    if (!fetched->answered || fetched->status == 0 || fetched->status == EAS_FETCH_OK)
        return false;
    eas_fetch_status_err(fetched->status, &refused);
    if (refused.code == ERR_OFFLINE)
        *err = refused;
    return refused.code == ERR_OFFLINE;
}

static void take_attachment(struct eas_synth *s)
{
    struct blob *data = s->fetched.answered ? eas_body_finish(&s->fetched.body) : NULL;
    struct err err = {0};

    if (s->fetched.body.err.code == ERR_DISK)
        err = s->fetched.body.err;
    else if (!is_refused_for_now(&s->fetched, &err))
        add_attachment(s, &s->attachments[s->attachment], data, s->fetched.part == 0, &err);
    blob_unref(&data);
    s->attachment++;
    if (err.code != ERR_NONE)
        finish(s, &err);
    else
        next_attachment(s);
}

/* --- the item ---------------------------------------------------------------------------------------------------- */

static struct build_addresses addresses(struct arena *arena, struct str value)
{
    struct build_address *items;
    struct address_list list;
    size_t n = 0;

    address_parse(arena, value, &list);
    items = arena_array(arena, list.n, sizeof(*items));
    for (size_t i = 0; i < list.n; i++) {
        const struct address *a = &list.items[i];
        struct buf spec = BUF_INIT(4096);

        if (a->kind != ADDRESS_MAILBOX)
            continue;
        items[n].name = a->name;
        if (!a->broken) {
            address_add_spec(&spec, a);
            items[n].spec = arena_str(arena, buf_view(&spec));
        } else if (a->name.n == 0) {
            items[n].name = a->mailbox;
        }
        n++;
        buf_done(&spec);
    }
    return (struct build_addresses){items, n};
}

static bool add_body(void *ud, struct str piece)
{
    struct buf *body = ud;

    return buf_str(body, str_sub(piece, 0, BODY_MAX - body->n)) && body->n < BODY_MAX;
}

static void fill_message(struct eas_synth *s)
{
    struct eas_item *item = &s->answer.item;
    struct build_message *m = &s->message;
    struct str body = text_utf8_repair(&s->arena, buf_view(&s->body));

    *m = (struct build_message){
        .date_s = item->received_ms == TIME_NONE ? TIME_NONE : item->received_ms / 1000,
        .from = addresses(&s->arena, item->from),
        .sender = addresses(&s->arena, item->sender),
        .reply_to = addresses(&s->arena, item->reply_to),
        .to = addresses(&s->arena, item->to),
        .cc = addresses(&s->arena, item->cc),
        .bcc = addresses(&s->arena, item->bcc),
        .subject = text_utf8_repair(&s->arena, item->subject),
        .importance = item->importance,
        .attachment_count = item->attachment_count,
    };
    if (s->fetched.type == EAS_BODY_HTML)
        m->html = body;
    else
        m->text = body.p ? body : STR("");
}

static void take_item(struct eas_synth *s)
{
    struct eas_backend *b = s->b;
    struct blob *body;
    struct err err = {0};

    if (!s->fetched.answered)
        err_set(&err, ERR_PROTOCOL, "Fetch: the server says nothing about an item");
    else if (s->fetched.status != EAS_FETCH_OK && s->fetched.status != 0)
        eas_fetch_status_err(s->fetched.status, &err);
    if (err.code != ERR_NONE) {
        finish(s, &err);
        return;
    }
    body = eas_body_finish(&s->fetched.body);
    if (body)
        blob_each(body, add_body, &s->body, NULL);
    blob_unref(&body);
    fill_message(s);
    s->attachments = s->answer.item.attachments;
    s->attachment_count = s->answer.item.attachment_count;
    s->blob = blob_new(b->config.tmp_dir, b->config.message_limit);
    build_init(&s->build, &s->message);
    build_begin(&s->build, &s->out);
    if (flush(s, &err))
        next_attachment(s);
    else
        finish(s, &err);
}

/* What will not be different next time: the attachment is replaced by a text. */
static bool is_final(const struct err *err)
{
    return err->code == ERR_NOT_FOUND || err->code == ERR_UNSUPPORTED || err->code == ERR_TOO_BIG ||
           err->code == ERR_PROTOCOL || (err->code == ERR_OFFLINE && err->status == 500);
}

static void on_done(void *ud, const struct err *err)
{
    struct eas_synth *s = ud;

    if (s->reference.n > 0 && (err->code == ERR_NONE || is_final(err))) {
        if (err->code != ERR_NONE)
            s->fetched.answered = false;
        take_attachment(s);
    } else if (err->code != ERR_NONE) {
        finish(s, err);
    } else {
        take_item(s);
    }
}

static void write_item(struct eas_synth *s, struct eas_writer *w)
{
    eas_write_text(w, AirSync_CollectionId, s->folder_id);
    eas_write_text(w, AirSync_ServerId, s->id);
    eas_write_open(w, ItemOperations_Options);
    eas_write_uint(w, AirSync_MIMESupport, 0);
    eas_write_open(w, AirSyncBase_BodyPreference);
    eas_write_uint(w, AirSyncBase_Type, EAS_BODY_HTML);
    eas_write_close(w);
    eas_write_open(w, AirSyncBase_BodyPreference);
    eas_write_uint(w, AirSyncBase_Type, EAS_BODY_TEXT);
    eas_write_close(w);
    eas_write_close(w);
}

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_synth *s = ud;

    (void)err;
    s->answer.item.all = s->reference.n == 0;
    eas_fetch_answer_begin(&s->answer, s->reference.n > 0 ? &s->reference : &s->id, 1);
    eas_write_open(w, ItemOperations_ItemOperations);
    eas_write_open(w, ItemOperations_Fetch);
    eas_write_text(w, ItemOperations_Store, STR("Mailbox"));
    if (s->reference.n > 0)
        eas_write_text(w, AirSyncBase_FileReference, s->reference);
    else
        write_item(s, w);
    eas_write_close(w);
    eas_write_close(w);
    return true;
}

static bool on_part(void *ud, unsigned part, struct str piece, bool last, struct err *err)
{
    (void)last;
    (void)err;
    eas_fetch_answer_part(&((struct eas_synth *)ud)->answer, part, piece);
    return true;
}

static void ask(struct eas_synth *s)
{
    static const struct eas_request request = {.command = EAS_ITEM_OPERATIONS,
                                               .rules = &eas_fetch_rules,
                                               .multipart = true,
                                               .streams = true,
                                               .write = write_request,
                                               .part = on_part,
                                               .done = on_done};

    eas_call_close(&s->call);
    eas_call_init(&s->call, s->b, &request, s);
    s->call.reader = &s->answer;
    eas_call_start(&s->call);
}

struct eas_synth *eas_synth_start(struct eas_backend *b, struct str folder_id, struct str id, eas_synth_cb *cb,
                                  void *ud)
{
    struct eas_synth *s = MEM_NEW(struct eas_synth);

    s->b = b;
    s->cb = cb;
    s->ud = ud;
    s->folder_id = arena_str(&s->arena, folder_id);
    s->id = arena_str(&s->arena, id);
    s->body = BUF_INIT(BODY_MAX);
    s->answer = (struct eas_fetch_answer){.arena = &s->arena,
                                          .tmp_dir = b->config.tmp_dir,
                                          .message_limit = b->config.message_limit,
                                          .list = &s->fetched};
    ask(s);
    return s;
}

void eas_synth_free(struct eas_synth **s)
{
    struct eas_synth *o = *s;

    if (!o)
        return;
    *s = NULL;
    eas_call_close(&o->call);
    eas_fetch_answer_done(&o->answer);
    blob_unref(&o->blob);
    buf_done(&o->body);
    buf_done(&o->out);
    arena_done(&o->arena);
    mem_free(o);
}
