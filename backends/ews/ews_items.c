/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks and messages, many in one request. Each answer is matched to its question by place and by id: a message
 * under another one's UID would be wrong for ever. Items without MIME are rebuilt afterwards, one by one.
 */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_items_read.h"
#include "backends/ews/ews_rebuild.h"

#define LOST_MAX 3

enum item_state {
    ITEM_WAITING,
    ITEM_FAILED,  /* an error in this attempt, not told yet */
    ITEM_REBUILD, /* no MIME */
    ITEM_FINISHED
};

struct fetch_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct ews_rebuild *rebuild;
    enum fetch_what what;
    fetched_cb *on_item;
    struct str *ids;
    enum item_state *states;
    struct ews_status *failures; /* of the failed ones */
    size_t *asked;               /* index into ids of each id of the current request */
    size_t count, asked_count, answers;
    size_t most;         /* to ask for at once */
    bool single;         /* one by one, because all at once fails */
    unsigned lost;       /* items asked for alone that failed, in a row */
    unsigned fail_flags; /* enum ews_code_flag of what a call failed with */
    size_t rebuilding;
    struct ews_items items; /* FETCH_HEADER */
    struct ews_mime mime;   /* FETCH_MESSAGE */
    bool *alive;            /* somewhere on the stack while on_item runs: cleared when the op goes */
};

/* --- telling ------------------------------------------------------------------------------------- */

/* False when the op was cancelled by what it told. */
static bool tell(struct fetch_op *f, struct fetched *item)
{
    bool alive = true, *outer = f->alive;
    f->states[item->index] = ITEM_FINISHED;
    if (f->op.detached || !f->on_item)
        return true;
    f->alive = &alive;
    f->on_item(f->op.ud, item);
    if (alive)
        f->alive = outer;
    else if (outer)
        *outer = false;
    return alive;
}

static bool tell_error(struct fetch_op *f, size_t index, const struct err *err)
{
    return tell(f, &(struct fetched){.index = index, .err = err, .what = f->what});
}

static bool tell_content(struct fetch_op *f, size_t index, struct blob *content, bool synthesised)
{
    struct err none = {0};
    return tell(f, &(struct fetched){
                       .index = index, .err = &none, .what = f->what, .content = content, .synthesised = synthesised});
}

/* Which of the ids asked for this answer is about. False: none. */
static bool match(struct fetch_op *f, size_t place, struct str id, size_t *ret_index)
{
    if (place < f->asked_count && str_eq(id, f->ids[f->asked[place]])) {
        *ret_index = f->asked[place];
        return true;
    }
    for (size_t i = 0; i < f->asked_count; i++) {
        if (str_eq(id, f->ids[f->asked[i]])) {
            *ret_index = f->asked[i];
            return true;
        }
    }
    return false;
}

/*
 * An error has no id with it: its place is all there is, and that is worth something only when the answer turns out to
 * have as many places as the question. Until then it is kept; "not found" under the wrong id would lose a message.
 */
static void keep_error(struct fetch_op *f, size_t place, const struct ews_status *status)
{
    if (place >= f->asked_count || f->states[f->asked[place]] != ITEM_WAITING)
        return;
    f->states[f->asked[place]] = ITEM_FAILED;
    f->failures[f->asked[place]] = *status;
}

/* False when the op was cancelled by what it told. */
static bool settle_errors(struct fetch_op *f)
{
    bool again = false;
    for (size_t i = 0; i < f->count; i++) {
        if (f->states[i] != ITEM_FAILED)
            continue;
        unsigned flags = f->failures[i].code->flags;
        if (f->answers != f->asked_count) {
            f->states[i] = ITEM_WAITING;
        } else if (flags & EWS_CODE_RETRY_ALONE && !f->single) {
            again = true; /* may pass: what is rebuilt now would stay so for ever */
        } else if (f->what == FETCH_MESSAGE && flags & EWS_CODE_REBUILD) {
            f->states[i] = ITEM_REBUILD;
        } else {
            struct err err = {0};
            ews_status_err(&f->failures[i], "GetItem", &err);
            ews_item_err(flags, &err);
            if (!tell_error(f, i, &err))
                return false;
        }
    }
    f->single = f->single || again;
    return true;
}

/* --- headers ------------------------------------------------------------------------------------- */

static void on_header(void *ud, size_t place, const struct ews_status *status, struct ews_props *props)
{
    struct fetch_op *f = ud;
    struct err err = {0};
    size_t index;
    f->answers = place + 1;
    if (status->code->err != ERR_NONE) {
        keep_error(f, place, status);
        return;
    }
    if (!match(f, place, props->id, &index) || f->states[index] != ITEM_WAITING)
        return; /* stays waiting: shares the op's end */
    struct buf out = BUF_INIT(2 * EWS_HEADERS_MAX + 65536);
    bool built;
    if (!ews_props_header(props, &out, &built)) {
        err_set(&err, ERR_TOO_BIG, "GetItem: a header block of more than %d bytes", EWS_HEADERS_MAX);
        buf_done(&out);
        tell_error(f, index, &err);
        return;
    }
    struct blob *content = blob_from_str(buf_view(&out));
    buf_done(&out);
    tell_content(f, index, content, built);
    blob_unref(&content);
}

/* --- messages ------------------------------------------------------------------------------------ */

static void on_mime(void *ud, size_t place, const struct ews_status *status, struct str id, struct blob *content,
                    const struct err *problem)
{
    struct fetch_op *f = ud;
    struct err err = *problem;
    size_t index;
    f->answers = place + 1;
    if (status->code->err != ERR_NONE) {
        keep_error(f, place, status);
    } else if (match(f, place, id, &index) && f->states[index] == ITEM_WAITING) {
        if (content)
            tell_content(f, index, content, false);
        else if (err.code != ERR_NONE)
            tell_error(f, index, &err);
        else
            f->states[index] = ITEM_REBUILD;
    }
}

/* --- rebuilding ---------------------------------------------------------------------------------- */

static void rebuild_next(struct fetch_op *f);
static void finish(struct fetch_op *f, const struct err *err);

static void on_rebuilt(void *ud, struct blob *content, const struct err *err)
{
    struct fetch_op *f = ud;
    size_t index = f->rebuilding;
    f->rebuild = NULL;
    f->lost = content ? 0 : f->lost + err_is_transient(err->code);
    if (f->lost >= LOST_MAX)
        finish(f, err);
    else if (content ? tell_content(f, index, content, true) : tell_error(f, index, err))
        rebuild_next(f);
}

static void finish(struct fetch_op *f, const struct err *err)
{
    ews_mime_done(&f->mime);
    ews_props_done(&f->items.props);
    op_finish_err(&f->op, err);
}

static void rebuild_next(struct fetch_op *f)
{
    struct err err = {0};
    for (size_t i = 0; i < f->count; i++) {
        if (f->states[i] == ITEM_REBUILD) {
            f->rebuilding = i;
            f->rebuild = ews_rebuild_start(f->ews, f->ids[i], on_rebuilt, f);
            return;
        }
    }
    for (size_t i = 0; i < f->count && err.code == ERR_NONE; i++)
        if (f->states[i] == ITEM_WAITING)
            err_set(&err, ERR_PROTOCOL, "GetItem: the answer leaves out items or has other ones");
    finish(f, &err);
}

/* --- the op -------------------------------------------------------------------------------------- */

static struct ews_pace *pace(struct fetch_op *f)
{
    return f->what == FETCH_HEADER ? &f->ews->header_pace : &f->ews->message_pace;
}

static bool write_request(void *ud, struct xml_writer *w, bool slow)
{
    struct fetch_op *f = ud;
    if (slow)
        f->most = ews_pace_slow(pace(f), f->asked_count);
    f->asked_count = f->answers = 0;
    ews_items_write_begin(w, f->what == FETCH_HEADER ? EWS_GET_HEADER : EWS_GET_MIME);
    for (size_t i = 0; i < f->count; i++)
        if (f->states[i] == ITEM_FAILED)
            f->states[i] = ITEM_WAITING;
    for (size_t i = 0; i < f->count && f->asked_count < (f->single ? 1 : f->most); i++) {
        if (f->states[i] != ITEM_WAITING)
            continue;
        f->asked[f->asked_count++] = i;
        ews_write_item_id(w, f->ids[i]);
    }
    xml_close(w);
    xml_close(w);
    return f->asked_count > 0;
}

static void ask(struct fetch_op *f);

static size_t count_waiting(const struct fetch_op *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += f->states[i] == ITEM_WAITING || f->states[i] == ITEM_FAILED;
    return n;
}

/* Is this what one item can do to the answer about all of them? */
static bool may_be_poison(const struct fetch_op *f, const struct err *err)
{
    return f->fail_flags & EWS_CODE_RETRY_ALONE || err->code == ERR_PROTOCOL || err->code == ERR_TOO_BIG ||
           err->code == ERR_INVALID || (err->code == ERR_OFFLINE && err->status == 500);
}

static void go_on(struct fetch_op *f)
{
    if (count_waiting(f))
        ask(f);
    else
        rebuild_next(f);
}

/* One item that the server cannot put into an answer must not take its neighbours with it for ever. But when one after
 * the other fails, it is the server that is in trouble, and not the items. */
static void on_failure(struct fetch_op *f, const struct err *err)
{
    bool alone = f->asked_count == 1;
    struct err of_item = *err;
    ews_item_err(f->fail_flags, &of_item);
    if (!may_be_poison(f, err) || (alone && ++f->lost >= LOST_MAX)) {
        finish(f, err);
    } else if (!alone) {
        f->single = true;
        ask(f);
    } else if (f->what == FETCH_MESSAGE && f->fail_flags & EWS_CODE_REBUILD) {
        f->states[f->asked[0]] = ITEM_REBUILD;
        go_on(f);
    } else if (!f->single && count_waiting(f) == 1 && of_item.code == err->code) {
        finish(f, err);
    } else if (tell_error(f, f->asked[0], &of_item)) {
        go_on(f);
    }
}

static void on_done(void *ud, const struct err *err)
{
    struct fetch_op *f = ud;
    f->call = NULL;
    if (err->code != ERR_NONE) {
        on_failure(f, err);
        return;
    }
    f->lost = 0;
    if (!settle_errors(f))
        return;
    for (size_t i = 0; i < f->asked_count; i++)
        if (f->states[f->asked[i]] == ITEM_WAITING) {
            rebuild_next(f); /* answered with something else: no use to go on asking */
            return;
        }
    go_on(f);
}

static void ask(struct fetch_op *f)
{
    bool header = f->what == FETCH_HEADER;
    f->call = ews_call_start(f->ews, &(struct ews_call_opts){
                                         .operation = "GetItem",
                                         .write = write_request,
                                         .reader = header ? &ews_items_reader : &ews_mime_reader,
                                         .reader_ud = header ? (void *)&f->items : (void *)&f->mime,
                                         .on_done = on_done,
                                         .ud = f,
                                         .ret_flags = &f->fail_flags,
                                         .bulk = true,
                                         .batch = !f->single,
                                     });
}

static void start(struct op *op)
{
    struct fetch_op *f = (struct fetch_op *)op;
    if (f->count)
        ask(f);
    else
        finish(f, &(struct err){0});
}

static void stop(struct op *op)
{
    struct fetch_op *f = (struct fetch_op *)op;
    if (f->alive)
        *f->alive = false;
    ews_call_abort(&f->call);
    ews_rebuild_abort(&f->rebuild);
    ews_mime_done(&f->mime);
    ews_props_done(&f->items.props);
}

static const struct op_class class = {"ews.fetch", sizeof(struct fetch_op), start, stop};

struct op *ews_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud)
{
    struct fetch_op *f = (struct fetch_op *)op_new(b->loop, &class, cb, ud);
    struct arena *arena = &f->op.arena;
    f->ews = (struct ews *)b;
    f->what = request->what;
    f->on_item = request->on_item;
    f->count = request->count;
    f->ids = arena_array(arena, f->count, sizeof(*f->ids));
    f->states = arena_array(arena, f->count, sizeof(*f->states));
    f->failures = arena_array(arena, f->count, sizeof(*f->failures));
    f->asked = arena_array(arena, f->count, sizeof(*f->asked));
    for (size_t i = 0; i < f->count; i++)
        f->ids[i] = arena_str(arena, request->ids[i]);
    f->most = ews_pace_most(pace(f), f->count);
    f->items.on_item = on_header;
    f->items.ud = f;
    ews_props_init(&f->items.props);
    ews_mime_init(&f->mime, f->ews->config.tmp_dir, f->ews->config.message_limit);
    f->mime.on_item = on_mime;
    f->mime.ud = f;
    return &f->op;
}
