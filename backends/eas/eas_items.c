/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching headers and messages in batches by ItemOperations (MS-ASCMD 2.2.1.10). Multipart where the server can:
 * bodies go from the connection to blobs without passing through WBXML. What a batch fails on is isolated by halving
 * it.
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_items_read.h"
#include "backends/eas/eas_synth.h"
#include "bridge/base/mem.h"

#define BODY_MIME        4
#define MIME_SUPPORT_ALL 2
#define ASKED_MAX        2 /* how often one item is asked for before its absence from the answers is an error */

enum item_state { ITEM_WANTED, ITEM_SYNTHESIS, ITEM_DONE };

struct wanted {
    struct str id;
    enum item_state state;
    bool whole; /* a header was asked for, but the truncated message did not hold all of it */
    unsigned asked;
};

struct fetch_op {
    struct op op;
    struct eas_backend *b;
    struct eas_call call;
    struct eas_fetch_answer answer;
    struct eas_synth *synth;
    fetched_cb *on_item;
    void *ud;
    struct str folder_id;
    enum fetch_what what;
    struct wanted *items;
    size_t count;
    size_t batch;                  /* items in the next request */
    size_t asked[EAS_FETCH_BATCH]; /* indices of the items in the request that is under way */
    struct str asked_ids[EAS_FETCH_BATCH];
    struct eas_fetched fetched[EAS_FETCH_BATCH];
    size_t asked_count;
    bool suspicious; /* a request has failed on the server: no long retries while looking for the item */
    bool *gone;      /* set when the op is cancelled during a callback */
};

static void next(struct fetch_op *f);

/* --- results ----------------------------------------------------------------------------------------------------- */

/* False: the op was cancelled by the callback; do not touch it again. */
static bool deliver(struct fetch_op *f, size_t index, const struct err *err, enum fetch_what what, struct blob *content,
                    bool synthesised)
{
    struct fetched fetched = {.index = index, .err = err, .what = what, .content = content, .synthesised = synthesised};
    bool gone = false;

    f->items[index].state = ITEM_DONE;
    if (f->op.detached) /* nobody listens any more */
        return true;
    f->gone = &gone;
    f->on_item(f->ud, &fetched);
    if (gone)
        return false;
    f->gone = NULL;
    return true;
}

static bool deliver_blob(struct fetch_op *f, size_t index, enum fetch_what what, struct blob *content, bool synthesised)
{
    static const struct err none;
    bool alive = deliver(f, index, &none, what, content, synthesised);

    blob_unref(&content);
    return alive;
}

static void end(struct fetch_op *f, const struct err *err)
{
    eas_call_close(&f->call);
    eas_fetch_answer_done(&f->answer);
    f->op.reply->err = *err;
    op_finish(&f->op);
}

/* --- one answered item ------------------------------------------------------------------------------------------- */

static bool deliver_message(struct fetch_op *f, size_t index, struct eas_fetched *fetched, struct blob *blob)
{
    struct wanted *item = &f->items[index];
    struct blob *header;

    if (!fetched->truncated)
        return deliver_blob(f, index, FETCH_MESSAGE, blob, false);
    header = f->what == FETCH_HEADER ? eas_header_of(blob) : NULL;
    blob_unref(&blob);
    if (header)
        return deliver_blob(f, index, FETCH_HEADER, header, false);
    if (f->what == FETCH_HEADER && !item->whole)
        item->whole = true; /* again, all of it */
    else
        item->state = ITEM_SYNTHESIS; /* a server that gives no whole MIME */
    return true;
}

static bool take(struct fetch_op *f, size_t index, struct eas_fetched *fetched)
{
    struct wanted *item = &f->items[index];
    struct err err = {0};
    struct blob *blob;

    if (!fetched->answered && item->asked < ASKED_MAX)
        return true; /* asked again with the next batch */
    if (!fetched->answered) {
        err_set(&err, ERR_PROTOCOL, "Fetch: the server says nothing about an item");
        return deliver(f, index, &err, f->what, NULL, false);
    }
    if (fetched->status == EAS_FETCH_CONVERSION) {
        item->state = ITEM_SYNTHESIS;
        return true;
    }
    if (fetched->status != EAS_FETCH_OK && fetched->status != 0) {
        eas_fetch_status_err(fetched->status, &err);
        return deliver(f, index, &err, f->what, NULL, false);
    }
    blob = eas_body_finish(&fetched->body);
    if (fetched->body.err.code != ERR_NONE) {
        blob_unref(&blob);
        return deliver(f, index, &fetched->body.err, f->what, NULL, false);
    }
    if (!blob || fetched->type != EAS_BODY_MIME || blob_size(blob) == 0) {
        blob_unref(&blob);
        item->state = ITEM_SYNTHESIS;
        return true;
    }
    return deliver_message(f, index, fetched, blob);
}

static void take_all(struct fetch_op *f)
{
    struct eas_backend *b = f->b;

    for (size_t i = 0; i < f->asked_count; i++) {
        struct eas_fetched *fetched = &f->fetched[i];

        f->items[f->asked[i]].asked++;
        if (fetched->answered && (fetched->status == EAS_FETCH_OK || fetched->status == 0))
            b->fetch_works = true;
        if (!take(f, f->asked[i], fetched))
            return;
    }
    next(f);
}

/* --- failures of a whole request --------------------------------------------------------------------------------- */

/* The one item that the server chokes on. SOGo says 501 of an item that is gone. */
static void give_up_one(struct fetch_op *f, const struct err *err)
{
    struct err copy = *err;

    if (err->status == 501 && f->b->fetch_works)
        err_set(&copy, ERR_NOT_FOUND, "Fetch: the item is not there any more (HTTP status 501)");
    else if (err->status == 501)
        copy.code = ERR_UNSUPPORTED;
    f->batch = EAS_FETCH_BATCH;
    if (deliver(f, f->asked[0], &copy, f->what, NULL, false))
        next(f);
}

/* The server failed on the request, or its answer broke in the middle. A web page in its place says nothing about
 * items. */
static bool blames_an_item(const struct fetch_op *f, const struct err *err)
{
    if (err->status == 500 || err->status == 501)
        return true;
    return (err->code == ERR_PROTOCOL || err->code == ERR_TOO_BIG) && f->call.http_status == 200 && !f->call.empty &&
           (f->call.multipart || f->call.answer.wbxml.offset > EAS_HEADER_SIZE);
}

static void on_failure(struct fetch_op *f, const struct err *err)
{
    struct eas_backend *b = f->b;

    if (f->call.multipart && err->code == ERR_PROTOCOL && f->call.http_status == 200 && !b->multipart_refused) {
        log_info("eas", b->config.name, "ItemOperations: no multipart answers from this server (%s)", err->text);
        b->multipart_refused = true;
        next(f);
        return;
    }
    if (!blames_an_item(f, err)) {
        end(f, err);
        return;
    }
    f->suspicious = true;
    if (f->asked_count == 1) {
        give_up_one(f, err);
        return;
    }
    f->batch = (f->asked_count + 1) / 2;
    next(f);
}

static void on_done(void *ud, const struct err *err)
{
    struct fetch_op *f = ud;
    struct err copy = *err;

    if (copy.code == ERR_NONE && f->call.empty)
        err_set(&copy, ERR_PROTOCOL, "ItemOperations: the server gave an empty answer");
    if (copy.code == ERR_NONE && f->call.answer.status > EAS_FETCH_OK)
        eas_fetch_status_err(f->call.answer.status, &copy);
    if (copy.code != ERR_NONE)
        on_failure(f, &copy);
    else
        take_all(f);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void write_fetch(const struct fetch_op *f, const struct wanted *item, struct eas_writer *w)
{
    eas_write_open(w, ItemOperations_Fetch);
    eas_write_text(w, ItemOperations_Store, STR("Mailbox"));
    eas_write_text(w, AirSync_CollectionId, f->folder_id);
    eas_write_text(w, AirSync_ServerId, item->id);
    eas_write_open(w, ItemOperations_Options);
    eas_write_uint(w, AirSync_MIMESupport, MIME_SUPPORT_ALL);
    eas_write_open(w, AirSyncBase_BodyPreference);
    eas_write_uint(w, AirSyncBase_Type, BODY_MIME);
    if (f->what == FETCH_HEADER && !item->whole)
        eas_write_uint(w, AirSyncBase_TruncationSize, EAS_TRUNCATION);
    eas_write_close(w);
    eas_write_close(w);
    eas_write_close(w);
}

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct fetch_op *f = ud;

    (void)err;
    eas_fetch_answer_begin(&f->answer, f->asked_ids, f->asked_count);
    eas_write_open(w, ItemOperations_ItemOperations);
    for (size_t i = 0; i < f->asked_count; i++)
        write_fetch(f, &f->items[f->asked[i]], w);
    eas_write_close(w);
    return true;
}

static bool on_part(void *ud, unsigned part, struct str piece, bool last, struct err *err)
{
    struct fetch_op *f = ud;

    (void)last;
    (void)err;
    eas_fetch_answer_part(&f->answer, part, piece);
    return true;
}

static const struct eas_request request = {.command = EAS_ITEM_OPERATIONS,
                                           .rules = &eas_fetch_rules,
                                           .multipart = true,
                                           .streams = true,
                                           .write = write_request,
                                           .part = on_part,
                                           .done = on_done};

static size_t choose(struct fetch_op *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->count && n < f->batch; i++)
        if (f->items[i].state == ITEM_WANTED) {
            f->asked[n] = i;
            f->asked_ids[n++] = f->items[i].id;
        }
    return n;
}

static void on_synthesised(void *ud, struct blob *message, const struct err *err)
{
    struct fetch_op *f = ud;
    size_t index = f->asked[0];
    bool alive;

    eas_synth_free(&f->synth);
    alive = err->code == ERR_NONE ? deliver_blob(f, index, FETCH_MESSAGE, message, true)
                                  : deliver(f, index, err, f->what, NULL, false);
    if (alive)
        next(f);
}

static void next(struct fetch_op *f)
{
    static const struct err none;

    eas_call_close(&f->call);
    eas_fetch_answer_done(&f->answer);
    f->asked_count = choose(f);
    if (f->asked_count > 0) {
        eas_call_init(&f->call, f->b, &request, f);
        f->call.reader = &f->answer;
        if (f->suspicious)
            f->call.tries_server = EAS_RETRIES_SERVER;
        eas_call_start(&f->call);
        return;
    }
    for (size_t i = 0; i < f->count; i++)
        if (f->items[i].state == ITEM_SYNTHESIS) {
            f->asked[0] = i;
            f->synth = eas_synth_start(f->b, f->folder_id, f->items[i].id, on_synthesised, f);
            return;
        }
    end(f, &none);
}

static void start(struct op *op)
{
    struct fetch_op *f = (struct fetch_op *)op;

    f->answer = (struct eas_fetch_answer){.arena = &f->op.arena,
                                          .tmp_dir = f->b->config.tmp_dir,
                                          .message_limit = f->b->config.message_limit,
                                          .list = f->fetched};
    next(f);
}

static void stop(struct op *op)
{
    struct fetch_op *f = (struct fetch_op *)op;

    if (f->gone)
        *f->gone = true;
    eas_call_close(&f->call);
    eas_synth_free(&f->synth);
    eas_fetch_answer_done(&f->answer);
}

struct op *eas_fetch(struct backend *base, const struct fetch_request *r, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.fetch", sizeof(struct fetch_op), start, stop};
    struct op *op = op_new(base->loop, &class, cb, ud);
    struct fetch_op *f = (struct fetch_op *)op;

    f->b = (struct eas_backend *)base;
    f->folder_id = arena_str(&op->arena, r->folder_id);
    f->what = r->what;
    f->on_item = r->on_item;
    f->ud = ud;
    f->batch = EAS_FETCH_BATCH;
    f->count = r->count;
    f->items = arena_array(&op->arena, r->count, sizeof(*f->items));
    for (size_t i = 0; i < r->count; i++)
        f->items[i].id = arena_str(&op->arena, r->ids[i]);
    return op;
}
