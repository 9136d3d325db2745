/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Push. One streaming subscription an account and one parked request, which live longer than the watch() ops that wait
 * for them: what happens between two ops is kept and answered at once.
 *
 *     IDLE -> SUBSCRIBING -> STREAMING <-> (connection ended as agreed: ask again)
 *       ^          |             |
 *       |          v             v  subscription lost: subscribe anew, "everything" may have changed
 *       +----- RESTING  <--------+  streaming does not work here: "everything" at intervals, and try again later
 *                                   (PAUSED: streams that end as soon as they are open are opened with growing pauses)
 */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_stream_read.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define DIRTY_MAX 500 /* folders remembered; more: everything */
#define BARREN_MAX                                                                                                     \
    3 /* streams in a row that ended without any document: something between us and the server breaks them */
#define SHORT_MS 10000 /* a stream that ends sooner was not worth opening: the next one waits */
#define LOOK_MS                                                                                                        \
    60000 /* after a broken stream everything is looked at, at most so often; the safety poll finds the rest */

enum state { STATE_IDLE, STATE_SUBSCRIBING, STATE_STREAMING, STATE_PAUSED, STATE_RESTING };

struct watch_op {
    struct op op;
    struct ews *ews;
};

struct ews_watch {
    struct ews *ews;
    enum state state;
    struct watch_op *waiting; /* the op that gets the next answer */
    struct ews_call *call;
    struct timer *gap;    /* the next answer must not come before it */
    struct timer *linger; /* nobody watches: the stream ends */
    struct timer *rest;   /* RESTING: time for another look; PAUSED: for another stream */
    struct timer *pulse;  /* no sign of life for too long */
    struct ews_subscribed subscribed;
    struct ews_events events;
    /* what has happened and was not told yet */
    struct arena arena;
    struct str *dirty;
    size_t dirty_count;
    bool hierarchy, everything;
    uint64_t missed_until_ms; /* of everything: see struct reply */
    /* folders of a subscription to another mailbox */
    char **folders;
    size_t folder_count;
    uint64_t told_ms;  /* when the last answer was given */
    uint64_t tried_ms; /* when streaming was last tried */
    uint64_t broke_ms; /* when everything was last asked for because a stream broke */
    uint64_t beat_ms;  /* last sign of life, and the longest time between two */
    uint64_t beat_longest_ms;
    unsigned beats;
    size_t documents; /* in the stream that is open */
    unsigned barren, shorts;
    uint64_t opened_ms, longest_ms;
    struct err why; /* there is no stream */
    bool lost;
    unsigned fault_flags;
};

static const struct err nothing_to_name = {.code = ERR_NOT_FOUND, .text = "there is no folder yet to be watched"};

static void stream(struct ews_watch *w);
static void rest(struct ews_watch *w, const struct err *why);

/* --- what has happened --------------------------------------------------------------------------- */

static void forget_dirty(struct ews_watch *w)
{
    arena_done(&w->arena);
    w->dirty = NULL;
    w->dirty_count = 0;
    w->hierarchy = w->everything = false;
    w->missed_until_ms = 0;
}

static void miss(struct ews_watch *w, uint64_t until_ms)
{
    w->everything = true;
    w->missed_until_ms = until_ms;
}

static void on_folder(void *ud, struct str id)
{
    struct ews_watch *w = ud;
    for (size_t i = 0; i < w->dirty_count; i++)
        if (str_eq(w->dirty[i], id))
            return;
    if (w->dirty_count >= DIRTY_MAX) {
        miss(w, 0);
        return;
    }
    if (!w->dirty)
        w->dirty = arena_array(&w->arena, DIRTY_MAX, sizeof(*w->dirty));
    w->dirty[w->dirty_count++] = arena_str(&w->arena, id);
}

static bool has_news(const struct ews_watch *w)
{
    return w->dirty_count || w->hierarchy || w->everything;
}

/* --- telling it ---------------------------------------------------------------------------------- */

static void tell(struct ews_watch *w)
{
    struct watch_op *o = w->waiting;
    struct arena *arena = &o->op.arena;
    struct reply *r = o->op.reply;
    struct str *ids = arena_array(arena, w->dirty_count, sizeof(*ids));
    for (size_t i = 0; i < w->dirty_count; i++)
        ids[i] = arena_str(arena, w->dirty[i]);
    r->watch.folder_ids = ids;
    r->watch.count = w->dirty_count;
    r->watch.hierarchy = w->hierarchy;
    r->watch.everything = w->everything;
    r->watch.missed_until_ms = w->missed_until_ms;
    if (w->dirty_count || w->hierarchy || !w->missed_until_ms) /* else no event has been told yet */
        w->told_ms = time_mono_ms();
    forget_dirty(w);
    w->waiting = NULL;
    timer_start(w->linger, w->ews->tuning.stream_linger_ms);
    op_finish(&o->op);
}

/* The first event is told at once; a storm of them in answers of some distance. */
static void tell_if_due(struct ews_watch *w)
{
    if (!w->waiting || !has_news(w) || timer_active(w->gap))
        return;
    uint64_t since = time_mono_ms() - w->told_ms, gap = w->ews->tuning.stream_gap_ms;
    if (w->told_ms && since < gap)
        timer_start(w->gap, gap - since);
    else
        tell(w);
}

static void on_gap(void *ud)
{
    tell_if_due(ud);
}

static void fail_waiting(struct ews_watch *w, const struct err *err)
{
    struct watch_op *o = w->waiting;
    w->waiting = NULL;
    timer_start(w->linger, w->ews->tuning.stream_linger_ms);
    if (o)
        op_finish_err(&o->op, err);
}

/* --- subscribing --------------------------------------------------------------------------------- */

static bool write_subscribe(void *ud, struct xml_writer *x, bool slow)
{
    struct ews_watch *w = ud;
    struct str ids[EWS_SUBSCRIBE_FOLDERS_MAX];
    size_t count = 0;
    (void)slow;
    w->subscribed.outcome = (struct ews_outcome){0};
    if (ews_names_folders(w->ews))
        for (; count < w->folder_count && count < EWS_SUBSCRIBE_FOLDERS_MAX; count++)
            ids[count] = str_from(w->folders[count]);
    ews_subscribe_write(x, ids, count);
    return true;
}

static void on_subscribed(void *ud, const struct err *err)
{
    struct ews_watch *w = ud;
    struct err e = *err;
    unsigned flags = 0;
    w->call = NULL;
    w->state = STATE_IDLE;
    if (e.code == ERR_NONE && !ews_outcome_check(&w->subscribed.outcome, "Subscribe", &e))
        flags = w->subscribed.outcome.answered ? w->subscribed.outcome.status.code->flags : 0;
    else if (e.code == ERR_NONE && (w->subscribed.id.n == 0 || w->subscribed.id.failed))
        err_set(&e, ERR_PROTOCOL, "Subscribe: an answer without a subscription");
    if (e.code == ERR_NONE) {
        miss(w, time_mono_ms()); /* what happened before it was made is in no event */
        stream(w);
        tell_if_due(w);
        return;
    }
    buf_reset(&w->subscribed.id);
    flags |= w->fault_flags;
    if (flags & EWS_CODE_NO_STREAM || e.code == ERR_INVALID || e.code == ERR_UNSUPPORTED) {
        log_warn("ews", w->ews->config.name, "no push, looking for changes from time to time: %s", e.text);
        rest(w, &e);
        return;
    }
    fail_waiting(w, &e);
}

static void subscribe(struct ews_watch *w)
{
    w->state = STATE_SUBSCRIBING;
    w->tried_ms = time_mono_ms();
    buf_reset(&w->subscribed.id);
    w->call = ews_call_start(w->ews, &(struct ews_call_opts){
                                         .operation = "Subscribe",
                                         .write = write_subscribe,
                                         .reader = &ews_subscribe_reader,
                                         .reader_ud = &w->subscribed,
                                         .on_done = on_subscribed,
                                         .ret_flags = &w->fault_flags,
                                         .ud = w,
                                         .affinity = true,
                                     });
}

/* --- the stream ---------------------------------------------------------------------------------- */

static bool write_stream(void *ud, struct xml_writer *x, bool slow)
{
    struct ews_watch *w = ud;
    (void)slow;
    ews_events_reset(&w->events);
    w->documents = 0;
    w->lost = false;
    ews_events_write(x, buf_view(&w->subscribed.id), w->ews->tuning.stream_minutes);
    return true;
}

/* Exchange sends a sign of life every so often, but not everywhere. Where it does, its absence tells of a dead
 * connection long before the request's own end. */
static void feel_pulse(struct ews_watch *w)
{
    uint64_t now = time_mono_ms();
    if (w->beat_ms && w->events.beats && now - w->beat_ms > w->beat_longest_ms)
        w->beat_longest_ms = now - w->beat_ms;
    w->beat_ms = now;
    if (w->events.beats)
        w->beats++;
    if (w->beats >= 3 && w->beat_longest_ms)
        timer_start(w->pulse, w->beat_longest_ms * 3 + 30000);
    else
        timer_stop(w->pulse);
}

static bool on_document(void *ud)
{
    struct ews_watch *w = ud;
    struct ews_events *e = &w->events;
    w->documents++;
    w->barren = 0;
    w->why.code = ERR_NONE;
    if (!ews_names_folders(w->ews))
        w->ews->base.caps |= CAP_PUSH_ALL; /* of another mailbox only the named folders are watched */
    w->hierarchy = w->hierarchy || e->hierarchy;
    feel_pulse(w);
    bool failed = e->answered && e->status.code->err != ERR_NONE;
    w->lost = failed && (e->status.code->flags & EWS_CODE_RESUBSCRIBE);
    bool go_on = !failed && !e->closed;
    if (failed && !w->lost)
        log_warn("ews", w->ews->config.name, "GetStreamingEvents: %s", e->status.name);
    ews_events_reset(e);
    if (go_on)
        tell_if_due(w);
    return go_on;
}

/* The stream broke, nobody knows when: what the server has sent into a dead connection it does not send again. */
static void broke(struct ews_watch *w)
{
    uint64_t now = time_mono_ms();
    if (w->broke_ms && now - w->broke_ms < LOOK_MS)
        return;
    w->broke_ms = now;
    miss(w, 0);
}

/* On with the subscription, or with a new one where it is gone. */
static void go_on(struct ews_watch *w)
{
    unsigned shift = w->shorts < 8 ? w->shorts : 8;
    if (w->shorts > 1) {
        w->state = STATE_PAUSED;
        timer_start(w->rest, (uint64_t)w->ews->tuning.stream_gap_ms << (shift - 1));
    } else if (w->subscribed.id.n) {
        stream(w);
    } else {
        subscribe(w);
    }
}

static void note_length(struct ews_watch *w)
{
    uint64_t length = time_mono_ms() - w->opened_ms;
    if (w->documents && length > w->longest_ms)
        w->longest_ms = length;
}

static void on_stream_done(void *ud, const struct err *err)
{
    struct ews_watch *w = ud;
    w->call = NULL;
    w->state = STATE_IDLE;
    timer_stop(w->pulse);
    w->beat_ms = 0;
    if (!w->waiting && !timer_active(w->linger)) {
        return; /* nobody is interested: the next watch() goes on with this subscription */
    }
    w->lost = w->lost || (w->fault_flags & EWS_CODE_RESUBSCRIBE);
    note_length(w);
    bool is_short = time_mono_ms() - w->opened_ms < SHORT_MS;
    w->shorts = is_short ? w->shorts + 1 : 0;
    if (err->code == ERR_AUTH || err->code == ERR_DENIED || err->code == ERR_THROTTLED ||
        (err->code == ERR_OFFLINE && w->documents == 0 && !w->lost)) {
        w->shorts = 0; /* no stream at all; who watches waits before the next attempt */
        fail_waiting(w, err);
    } else if (w->documents == 0 && !w->lost && ++w->barren >= BARREN_MAX) {
        struct err why;
        err_set(&why, ERR_OFFLINE, "connections break off%s%s", err->code ? ": " : "", err->text);
        log_warn("ews", w->ews->config.name, "no push, %s", why.text);
        rest(w, &why);
    } else if (w->lost || w->documents == 0) {
        /* Without a document the answer was no stream: the subscription may be what it is about. */
        log_info("ews", w->ews->config.name, "the push subscription was lost; making a new one");
        miss(w, 0);
        buf_reset(&w->subscribed.id);
        go_on(w);
    } else {
        if (err->code != ERR_NONE)
            broke(w);
        go_on(w);
    }
    if (w->state != STATE_SUBSCRIBING)
        tell_if_due(w);
}

static void stream(struct ews_watch *w)
{
    const struct ews_tuning *t = &w->ews->tuning;
    w->state = STATE_STREAMING;
    w->opened_ms = time_mono_ms();
    timer_start(w->pulse, t->stream_first_ms);
    w->call = ews_call_start(w->ews, &(struct ews_call_opts){
                                         .operation = "GetStreamingEvents",
                                         .write = write_stream,
                                         .reader = &ews_events_reader,
                                         .reader_ud = &w->events,
                                         .on_done = on_stream_done,
                                         .on_document = on_document,
                                         .ret_flags = &w->fault_flags,
                                         .ud = w,
                                         .affinity = true,
                                         .stall_s = t->stream_minutes * 60 + t->stream_grace_s,
                                     });
}

static void on_pulse(void *ud)
{
    struct ews_watch *w = ud;
    if (w->state != STATE_STREAMING)
        return;
    bool held_back = w->documents == 0;
    log_info("ews", w->ews->config.name, "no sign of life in the push connection; opening it again");
    ews_call_abort(&w->call);
    w->beat_ms = 0;
    if (held_back && ++w->barren >= BARREN_MAX) {
        struct err why;
        err_set(&why, ERR_OFFLINE, "something on the way holds the answers back");
        log_warn("ews", w->ews->config.name, "no push: %s", why.text);
        rest(w, &why);
    } else {
        if (!held_back)
            broke(w);
        stream(w);
        tell_if_due(w);
    }
}

/* --- without push -------------------------------------------------------------------------------- */

static void on_rest(void *ud)
{
    struct ews_watch *w = ud;
    if (w->state == STATE_PAUSED) {
        w->state = STATE_IDLE;
        if (w->subscribed.id.n)
            stream(w);
        else
            subscribe(w);
        return;
    }
    miss(w, 0);
    if (time_mono_ms() - w->tried_ms >= w->ews->tuning.stream_again_ms) {
        w->barren = 0;
        subscribe(w);
    } else {
        timer_start(w->rest, w->ews->tuning.stream_retry_ms);
    }
    tell_if_due(w);
}

static void rest(struct ews_watch *w, const struct err *why)
{
    w->why = *why;
    w->ews->base.caps &= ~(unsigned)CAP_PUSH_ALL;
    w->state = STATE_RESTING;
    buf_reset(&w->subscribed.id);
    timer_start(w->rest, w->ews->tuning.stream_retry_ms);
}

/* Nobody has watched for a while. */
static void on_linger(void *ud)
{
    struct ews_watch *w = ud;
    if (w->state == STATE_STREAMING) {
        ews_call_abort(&w->call);
        w->state = STATE_IDLE;
        timer_stop(w->pulse);
        w->beat_ms = 0;
    } else if (w->state == STATE_RESTING || w->state == STATE_PAUSED) {
        timer_stop(w->rest);
        if (w->state == STATE_RESTING)
            miss(w, 0);
        w->state = STATE_IDLE;
    }
}

/* --- the op -------------------------------------------------------------------------------------- */

static void forget_folders(struct ews_watch *w)
{
    for (size_t i = 0; i < w->folder_count; i++)
        mem_free(w->folders[i]);
    mem_free(w->folders);
    w->folders = NULL;
    w->folder_count = 0;
}

static bool same_folders(const struct ews_watch *w, const struct folder_ref *folders, size_t count)
{
    if (count != w->folder_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!str_is(folders[i].id, w->folders[i]))
            return false;
    return true;
}

/* A subscription to another mailbox names its folders; when they are other ones, it is void. */
static void set_folders(struct ews_watch *w, const struct folder_ref *folders, size_t count)
{
    if (count > EWS_SUBSCRIBE_FOLDERS_MAX)
        count = EWS_SUBSCRIBE_FOLDERS_MAX;
    if (!ews_names_folders(w->ews) || same_folders(w, folders, count))
        return;
    bool had = w->subscribed.id.n > 0;
    forget_folders(w);
    w->folders = mem_array(count, sizeof(*w->folders));
    for (; w->folder_count < count; w->folder_count++)
        w->folders[w->folder_count] = str_dup(folders[w->folder_count].id);
    buf_reset(&w->subscribed.id);
    if (w->state == STATE_STREAMING || w->state == STATE_SUBSCRIBING) {
        ews_call_abort(&w->call);
        w->state = STATE_IDLE;
    }
    if (had)
        miss(w, 0);
}

static void start(struct op *op)
{
    struct watch_op *o = (struct watch_op *)op;
    struct ews_watch *w = o->ews->watch;
    if (w->waiting) {
        struct err err;
        err_set(&err, ERR_INVALID, "two watches at once");
        op_finish_err(op, &err);
        return;
    }
    w->waiting = o;
    timer_stop(w->linger);
    if (w->state == STATE_IDLE) {
        if (ews_names_folders(o->ews) && w->folder_count == 0)
            rest(w, &nothing_to_name);
        else if (w->subscribed.id.n)
            stream(w);
        else
            subscribe(w);
    }
    if (w->state != STATE_SUBSCRIBING)
        tell_if_due(w);
}

static void stop(struct op *op)
{
    struct watch_op *o = (struct watch_op *)op;
    struct ews_watch *w = o->ews->watch;
    if (w->waiting != o)
        return;
    w->waiting = NULL;
    timer_start(w->linger, o->ews->tuning.stream_linger_ms);
}

static const struct op_class class = {"ews.watch", sizeof(struct watch_op), start, stop};

static struct ews_watch *watch_new(struct ews *e)
{
    struct ews_watch *w = MEM_NEW(struct ews_watch);
    struct loop *loop = e->base.loop;
    w->ews = e;
    w->gap = timer_new(loop, on_gap, w);
    w->linger = timer_new(loop, on_linger, w);
    w->rest = timer_new(loop, on_rest, w);
    w->pulse = timer_new(loop, on_pulse, w);
    buf_init(&w->subscribed.id, EWS_SUBSCRIPTION_ID_MAX);
    w->events.on_folder = on_folder;
    w->events.ud = w;
    return w;
}

struct op *ews_watch_op(struct backend *b, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud)
{
    struct ews *e = (struct ews *)b;
    if (!e->watch)
        e->watch = watch_new(e);
    set_folders(e->watch, folders, count);
    struct watch_op *o = (struct watch_op *)op_new(b->loop, &class, cb, ud);
    o->ews = e;
    return &o->op;
}

/* What is parked may be parked on a connection that nobody will ever close. */
void ews_watch_reconnect(struct ews *e)
{
    struct ews_watch *w = e->watch;
    if (!w)
        return;
    bool streaming = w->state == STATE_STREAMING;
    if (streaming || w->state == STATE_SUBSCRIBING)
        ews_call_abort(&w->call);
    timer_stop(w->rest);
    timer_stop(w->pulse);
    w->barren = w->shorts = 0;
    w->beat_ms = 0;
    miss(w, 0);
    w->state = STATE_IDLE; /* the next watch() begins */
    if (w->waiting && streaming)
        stream(w);
    else if (w->waiting && ews_names_folders(e) && w->folder_count == 0)
        rest(w, &nothing_to_name);
    else if (w->waiting)
        subscribe(w);
}

void ews_watch_close(struct ews *e)
{
    struct ews_watch *w = e->watch;
    if (!w)
        return;
    e->watch = NULL;
    ews_call_abort(&w->call);
    timer_free(&w->gap);
    timer_free(&w->linger);
    timer_free(&w->rest);
    timer_free(&w->pulse);
    ews_events_done(&w->events);
    buf_done(&w->subscribed.id);
    forget_dirty(w);
    forget_folders(w);
    mem_free(w);
}

void ews_facts(const struct backend *b, struct backend_facts *ret)
{
    const struct ews *e = (const struct ews *)b;
    const struct ews_watch *w = e->watch;
    *ret = (struct backend_facts){.push = "a stream of events", .asked_s = e->tuning.stream_minutes * 60};
    if (!w)
        return;
    uint64_t open_ms = time_mono_ms() - w->opened_ms;
    ret->push_open = w->state == STATE_STREAMING && w->documents > 0;
    ret->push_s = ret->push_open ? (unsigned)(open_ms / 1000) : 0;
    ret->longest_s = (unsigned)(w->longest_ms / 1000);
    ret->push_err = w->why;
}
