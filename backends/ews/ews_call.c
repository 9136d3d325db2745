/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_call.h"

#include <string.h>

#include "backends/common/login.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"

/*
 *   queue -> pass of the login (waits for the end of a throttle) -> request -> done
 *     ^ ^                                                             |
 *     | +------------------ pause <-----------------------------------+  passing failure, 401 to good credentials
 *     +---------------------------------------------------------------+  busy, version refused
 */

struct ews_call {
    struct list link;       /* ews.calls */
    struct list queue_link; /* ews.queue, while QUEUED */
    struct ews *ews;
    struct ews_call_opts opts;
    bool counted;  /* in ews.running */
    unsigned busy; /* inside a callback: freeing has to wait */
    bool gone;     /* aborted or finished meanwhile */
    struct timer *pause;
    struct deferred step;
    struct ews_retries retries;
    unsigned lowered; /* schema versions refused */
    bool slow;        /* the attempt before took too long */
    size_t documents; /* read so far, of a parked request */
    /* the attempt */
    struct login_pass *pass;
    bool judged; /* the login knows how its secret was taken */
    struct http_request *request;
    enum ews_version version;
    uint64_t started_ms;
    enum ews_kind kind;
    struct buf sample;
    struct ews_answer *answer;
    struct ews_answer *stale; /* one that is still on the stack */
    struct xml_split split;
    struct err read_err; /* the first that reading the answer met */
    bool has_verdict;    /* a response message asks for another try */
    struct ews_verdict verdict;
};

static void step(void *ud);
static void run_queue(struct ews *e);
static void evaluate(struct ews_call *c, const struct err *transport);

/* --- life ---------------------------------------------------------------------------------------- */

static void attempt_end(struct ews_call *c)
{
    http_abort(&c->request);
    login_end(&c->pass);
    if (c->busy && c->answer) {
        ews_answer_mute(c->answer);
        c->stale = c->answer;
    } else {
        ews_answer_free(c->answer);
    }
    c->answer = NULL;
    if (c->counted) {
        c->counted = false;
        c->ews->running--;
        if (c->opts.sync)
            c->ews->running_sync--;
    }
}

static void release(struct ews_call *c)
{
    ews_answer_free(c->answer);
    ews_answer_free(c->stale);
    buf_done(&c->sample);
    mem_free(c);
}

/* Takes the call out of everything; its memory goes when nothing on the stack uses it any more. */
static void leave(struct ews_call *c)
{
    struct ews *e = c->ews;
    attempt_end(c);
    list_remove(&c->link);
    list_remove(&c->queue_link);
    timer_free(&c->pause);
    loop_defer_cancel(&c->step);
    c->gone = true;
    if (c->busy == 0)
        release(c);
    run_queue(e);
}

static void enter_callback(struct ews_call *c)
{
    c->busy++;
}

/* False: the call is gone, with its memory perhaps. */
static bool leave_callback(struct ews_call *c)
{
    if (--c->busy == 0) {
        ews_answer_free(c->stale);
        c->stale = NULL;
    }
    if (!c->gone)
        return true;
    if (c->busy == 0)
        release(c);
    return false;
}

static void tell_health(struct ews *e, const struct err *err)
{
    bool healthy = err->code == ERR_NONE;
    if (!healthy && err->code != ERR_AUTH && err->code != ERR_DENIED)
        return;
    if (e->told_health && e->healthy == healthy)
        return;
    e->told_health = true;
    e->healthy = healthy;
    if (e->config.host.health)
        e->config.host.health(e->config.host.ud, healthy ? NULL : err);
}

static void finish(struct ews_call *c, const struct err *err)
{
    struct err copy = *err;
    void (*on_done)(void *, const struct err *) = c->opts.on_done;
    void *ud = c->opts.ud;
    struct ews *e = c->ews;
    log_debug("ews", e->config.name, "%s: %s, %u ms%s%s", c->opts.operation, copy.code ? err_name(copy.code) : "done",
              (unsigned)(time_mono_ms() - c->started_ms), copy.code ? ": " : "", copy.text);
    tell_health(e, &copy);
    leave(c);
    on_done(ud, &copy);
}

/* --- trying again -------------------------------------------------------------------------------- */

static void queue(struct ews_call *c)
{
    list_append(&c->ews->queue, &c->queue_link);
    run_queue(c->ews);
}

static void on_pause_over(void *ud)
{
    queue(ud);
}

static void pause_for(struct ews_call *c, unsigned ms)
{
    struct ews *e = c->ews;
    attempt_end(c);
    timer_start(c->pause, ms);
    run_queue(e);
}

/* A pause for everybody with this login: resending only prolongs it. */
static void throttle(struct ews_call *c, unsigned ms)
{
    unsigned seconds = (ms + 999) / 1000;
    if (seconds == 0)
        return;
    log_info("ews", c->ews->config.name, "%s: the server asks for a pause of %u s", c->opts.operation, seconds);
    login_throttled(c->ews->config.login, seconds);
}

static void try_again(struct ews_call *c, const struct ews_verdict *v)
{
    unsigned pause_ms;
    bool again =
        ews_retries_next(&c->retries, &c->ews->tuning.patience, v, (uint32_t)rand_below(UINT32_MAX), &pause_ms);
    struct err err = v->err;
    if (v->action == EWS_BUSY)
        throttle(c, pause_ms);
    if (again && c->documents == 0) {
        log_debug("ews", c->ews->config.name, "%s: again in %u ms: %s", c->opts.operation, pause_ms, err.text);
        if (v->action == EWS_BUSY) {
            attempt_end(c);
            queue(c); /* the login holds it back */
        } else {
            pause_for(c, pause_ms);
        }
        return;
    }
    if (v->action == EWS_BUSY && err.retry_after_s == 0)
        err.retry_after_s = (pause_ms + 999) / 1000;
    finish(c, &err);
}

static void save_negotiation(struct ews *e)
{
    struct buf value = BUF_INIT(256);
    struct err err;
    ews_negotiation_save(&e->negotiation, &value);
    if (e->config.host.persist_put &&
        !e->config.host.persist_put(e->config.host.ud, STR("ews.version"), buf_view(&value), &err))
        log_warn("ews", e->config.name, "%s", err.text); /* only costs a request after the next start */
    buf_done(&value);
}

static void lower_version(struct ews_call *c, const struct ews_verdict *v)
{
    struct ews *e = c->ews;
    /* A server whose build grows with each refusal must not lead us around for ever. */
    if (++c->lowered >= EWS_VERSION_COUNT || !ews_negotiation_refused(&e->negotiation, c->version)) {
        struct err err;
        err_set(&err, ERR_UNSUPPORTED, "the server does not speak EWS of Exchange 2010 or newer: %s", v->err.text);
        finish(c, &err);
        return;
    }
    log_info("ews", e->config.name, "the server refused schema version %s; using %s", ews_version_name(c->version),
             ews_version_name(e->negotiation.now));
    save_negotiation(e);
    attempt_end(c);
    queue(c);
}

/* 401. With credentials that have worked it may be a symptom of throttling, or the password has just changed: whether
 * one more try is sensible, or could lock the account, is the login's to say. */
static void refused(struct ews_call *c, const struct ews_verdict *v)
{
    c->judged = true;
    bool again = login_result(c->pass, LOGIN_REFUSED);
    if (again && v->action == EWS_AUTH)
        pause_for(c, c->ews->tuning.auth_pause_ms);
    else
        finish(c, &v->err);
}

static void act(struct ews_call *c, const struct ews_verdict *v)
{
    struct ews *e = c->ews;
    uint64_t took = time_mono_ms() - c->started_ms;
    c->slow = v->slow || (v->action == EWS_RETRY && took >= e->tuning.slow_ms);
    if (v->moved)
        http_client_forget_cookies(e->http);
    switch (v->action) {
    case EWS_FAIL:
        if (v->err.code == ERR_AUTH && v->err.status == 401)
            refused(c, v);
        else
            finish(c, &v->err);
        break;
    case EWS_RETRY:
    case EWS_BUSY:
        try_again(c, v);
        break;
    case EWS_AUTH:
        refused(c, v);
        break;
    case EWS_LOWER:
        lower_version(c, v);
        break;
    }
}

/* --- reading the answer -------------------------------------------------------------------------- */

/* Too many at once for this user: fewer from now on. */
static void note_connection_count(struct ews_call *c, const struct ews_status *status)
{
    if (strcmp(status->code->name, "ErrorExceededConnectionCount") == 0 && c->ews->calls_max > 1)
        c->ews->calls_max--;
}

static bool filter(void *ud, const struct ews_status *status)
{
    struct ews_call *c = ud;
    struct ews_verdict v;
    if (status->code->err == ERR_NONE || c->documents > 0)
        return true;
    ews_verdict_status(status, c->opts.operation, !c->opts.batch, c->ews->negotiation.confirmed, &v);
    note_connection_count(c, status);
    if (v.moved)
        http_client_forget_cookies(c->ews->http);
    if (v.action == EWS_FAIL)
        return true;
    /* The longest pause asked for counts. */
    if (!c->has_verdict || v.pause_ms > c->verdict.pause_ms)
        c->verdict = v;
    c->has_verdict = true;
    return false;
}

static void new_answer(struct ews_call *c)
{
    ews_answer_free(c->answer);
    c->answer = ews_answer_new(c->opts.reader, c->opts.reader_ud);
    ews_answer_set_filter(c->answer, filter, c);
}

static void note_server(struct ews_call *c)
{
    struct ews_server server;
    struct ews *e = c->ews;
    if (ews_answer_server(c->answer, &server) && ews_negotiation_seen(&e->negotiation, server))
        save_negotiation(e);
}

/* The end of one document of a parked request. False: the call is over, one way or the other. */
static bool end_document(struct ews_call *c)
{
    struct err err = {0};
    if (!ews_answer_finish(c->answer, &err) || ews_answer_fault(c->answer) || c->has_verdict) {
        if (err.code != ERR_NONE && c->read_err.code == ERR_NONE)
            c->read_err = err;
        evaluate(c, &(struct err){0});
        return false;
    }
    note_server(c);
    c->documents++;
    c->retries = (struct ews_retries){0};
    if (!c->opts.on_document(c->opts.ud)) {
        if (!c->gone)
            finish(c, &(struct err){0});
        return false;
    }
    if (c->gone)
        return false;
    new_answer(c);
    return true;
}

static bool feed_documents(struct ews_call *c, struct str bytes)
{
    struct str piece;
    bool ends;
    while (xml_split_next(&c->split, &bytes, &piece, &ends)) {
        if (!ews_answer_feed(c->answer, piece, &c->read_err)) {
            if (!c->gone)
                evaluate(c, &(struct err){0});
            return false;
        }
        if (c->gone || (ends && !end_document(c)))
            return false;
    }
    return true;
}

static bool feed(struct ews_call *c, struct str bytes)
{
    if (c->read_err.code != ERR_NONE)
        return http_status(c->request) != 200; /* else the status tells more than the rubbish does */
    if (c->opts.on_document && http_status(c->request) == 200)
        return feed_documents(c, bytes);
    bool ok = ews_answer_feed(c->answer, bytes, &c->read_err);
    return !c->gone && (ok || http_status(c->request) != 200);
}

static bool decide_kind(struct ews_call *c, bool final)
{
    c->kind = ews_body_kind(buf_view(&c->sample), final);
    if (c->kind != EWS_KIND_XML)
        return true;
    if (http_status(c->request) == 200 && !c->judged) {
        c->judged = true;
        login_result(c->pass, LOGIN_ACCEPTED); /* early: others wait for it, and a parked answer has no end */
    }
    new_answer(c);
    return feed(c, buf_view(&c->sample));
}

static bool on_body(void *ud, struct http_request *req, struct str bytes)
{
    struct ews_call *c = ud;
    (void)req;
    enter_callback(c);
    enum ews_kind before = c->kind;
    size_t room = EWS_SAMPLE_MAX - c->sample.n;
    size_t kept = before == EWS_KIND_XML ? 0 : bytes.n < room ? bytes.n : room;
    buf_add(&c->sample, bytes.p, kept);
    bool go_on = true;
    if (before == EWS_KIND_UNDECIDED) {
        go_on = decide_kind(c, false);
        bytes = str_skip(bytes, kept);
    }
    if (go_on && c->kind == EWS_KIND_XML && bytes.n)
        go_on = feed(c, bytes);
    return leave_callback(c) && go_on;
}

/* --- judging it ---------------------------------------------------------------------------------- */

static void judge_http(struct ews_call *c, struct ews_verdict *ret_verdict)
{
    struct ews_http_answer a = {
        .status = http_status(c->request),
        .retry_after_s = http_retry_after_s(c->request),
        .location = http_header(c->request, "Location"),
        .diagnostics = http_header(c->request, "X-MS-Diagnostics"),
        .cas_error = http_header(c->request, "X-CasErrorCode"),
        .sample = buf_view(&c->sample),
    };
    ews_verdict_http(&a, ret_verdict);
    if (a.status >= 200 && a.status < 300 && c->read_err.code != ERR_NONE && !ews_body_is_html(a.sample)) {
        *ret_verdict = (struct ews_verdict){
            .action = c->read_err.code == ERR_PROTOCOL ? EWS_RETRY : EWS_FAIL,
            .err = c->read_err,
        };
        ret_verdict->err.status = a.status;
    }
    err_prefix(&ret_verdict->err, "%s: ", c->opts.operation);
}

static void judge_transport(struct ews_call *c, const struct err *err, struct ews_verdict *ret_verdict)
{
    *ret_verdict = (struct ews_verdict){.action = err_is_transient(err->code) ? EWS_RETRY : EWS_FAIL, .err = *err};
    err_prefix(&ret_verdict->err, "%s: ", c->opts.operation);
}

/* The attempt is over: what now? */
static void evaluate(struct ews_call *c, const struct err *transport)
{
    struct ews *e = c->ews;
    const struct ews_status *fault = c->answer ? ews_answer_fault(c->answer) : NULL;
    struct ews_verdict v;
    if (c->answer)
        note_server(c);
    if (c->opts.ret_fault_flags)
        *c->opts.ret_fault_flags = fault ? fault->code->flags : 0;
    int status = http_status(c->request);
    if (fault && status != 401) {
        ews_verdict_status(fault, c->opts.operation, true, e->negotiation.confirmed, &v);
        note_connection_count(c, fault);
        if (v.action == EWS_BUSY && v.pause_ms == 0)
            v.pause_ms = http_retry_after_s(c->request) * 1000;
        v.err.status = status;
    } else if (transport->code != ERR_NONE && c->read_err.code == ERR_NONE) {
        judge_transport(c, transport, &v);
    } else if (status != 200 || !c->answer || c->read_err.code != ERR_NONE) {
        judge_http(c, &v);
    } else if (c->has_verdict) {
        v = c->verdict;
    } else {
        v = (struct ews_verdict){.action = EWS_FAIL}; /* nothing wrong */
    }
    if (v.err.code == ERR_NONE && v.action != EWS_LOWER)
        ews_negotiation_accepted(&e->negotiation, c->version);
    if (fault && status != 401 && !c->judged) {
        c->judged = true;
        login_result(c->pass, LOGIN_ACCEPTED); /* EWS itself answered: the web server let us in */
    }
    act(c, &v);
}

static void on_http_done(void *ud, struct http_request *req, const struct err *err)
{
    struct ews_call *c = ud;
    (void)req;
    enter_callback(c);
    if (c->kind == EWS_KIND_UNDECIDED)
        decide_kind(c, true);
    if (!c->gone && c->request) {
        if (err->code == ERR_NONE && c->answer && c->documents > 0 && !c->split.in_document) {
            finish(c, &(struct err){0}); /* between two documents: a clean end */
        } else {
            if (c->answer && c->read_err.code == ERR_NONE && err->code == ERR_NONE)
                (void)ews_answer_finish(c->answer, &c->read_err);
            if (!c->gone)
                evaluate(c, err);
        }
    }
    leave_callback(c);
}

/* --- asking -------------------------------------------------------------------------------------- */

/* False: nothing to ask. */
static bool write_envelope(struct ews_call *c, struct buf *out)
{
    struct ews *e = c->ews;
    struct xml_writer w;
    struct ews_envelope envelope = {
        .version = ews_version_name(c->version),
        .impersonate = e->config.impersonate ? e->config.mailbox : NULL,
    };
    xml_writer_init(&w, out);
    ews_write_begin(&w, &envelope);
    bool wanted = c->opts.write(c->opts.ud, &w, c->slow);
    ews_write_end(&w);
    return wanted;
}

static void send_request(struct ews_call *c, const char *secret)
{
    static const struct http_events events = {.on_body = on_body, .on_done = on_http_done};
    struct ews *e = c->ews;
    struct buf body = BUF_INIT(8 << 20), guid = BUF_INIT(64);
    c->version = e->negotiation.now;
    if (!write_envelope(c, &body)) {
        buf_done(&body);
        finish(c, &(struct err){0});
        return;
    }
    rand_add_guid(&guid);
    const char *anchor = e->config.mailbox ? e->config.mailbox : e->config.email;
    struct http_header headers[] = {
        {"Content-Type", "text/xml; charset=utf-8"},
        {"Accept", "text/xml"},
        {"X-AnchorMailbox", anchor},
        {"client-request-id", buf_z(&guid)},
        {"return-client-request-id", "true"},
        {"X-PreferServerAffinity", "true"},
    };
    size_t count = sizeof(headers) / sizeof(headers[0]);
    struct http_request_opts opts = {
        .method = "POST",
        .url = e->url,
        .headers = headers,
        .header_count = c->opts.affinity ? count : count - 1,
        .body = buf_view(&body),
        .auth = login_auth(e->config.login),
        .user = login_user(e->config.login),
        .secret = secret,
        .max_answer = c->opts.reader->max_bytes ? c->opts.reader->max_bytes : XML_MAX_BYTES,
        .stall_s = c->opts.stall_s ? c->opts.stall_s : e->tuning.stall_s,
        .timeout_s = c->opts.on_document ? 0
                     : c->opts.bulk      ? e->tuning.bulk_timeout_s
                                         : e->tuning.timeout_s,
        .no_compression = c->opts.on_document != NULL,
    };
    c->started_ms = time_mono_ms();
    c->kind = EWS_KIND_UNDECIDED;
    c->has_verdict = c->judged = false;
    if (c->opts.ret_fault_flags)
        *c->opts.ret_fault_flags = 0;
    c->read_err = (struct err){0};
    c->split = (struct xml_split){0};
    buf_reset(&c->sample);
    c->request = http_start(e->http, &opts, &events, c);
    buf_done(&body);
    buf_done(&guid);
}

static void on_pass(void *ud, const struct err *err, const char *secret)
{
    struct ews_call *c = ud;
    struct err problem = *err;
    if (problem.code == ERR_NONE) {
        send_request(c, secret);
        return;
    }
    err_prefix(&problem, "%s: ", c->opts.operation);
    finish(c, &problem);
}

/* Its turn has come. */
static void step(void *ud)
{
    struct ews_call *c = ud;
    struct ews *e = c->ews;
    struct login_ask ask = {
        .offered = c->opts.secret,
        .parked = c->opts.on_document != NULL,
        .patience_s = (e->tuning.patience.wait_max_ms + 999) / 1000,
    };
    c->pass = login_ask(e->config.login, &ask, on_pass, c);
}

static bool may_run(const struct ews *e, const struct ews_call *c)
{
    if (c->opts.on_document)
        return true;
    return e->running < e->calls_max && (!c->opts.sync || e->running_sync < EWS_SYNC_CALLS_MAX);
}

static void run_queue(struct ews *e)
{
    LIST_EACH (&e->queue, link) {
        struct ews_call *c = LIST_ITEM(link, struct ews_call, queue_link);
        if (!may_run(e, c))
            continue;
        list_remove(&c->queue_link);
        if (!c->opts.on_document) {
            c->counted = true;
            e->running++;
            if (c->opts.sync)
                e->running_sync++;
        }
        loop_defer(e->base.loop, &c->step);
    }
}

struct ews_call *ews_call_start(struct ews *e, const struct ews_call_opts *opts)
{
    struct ews_call *c = MEM_NEW(struct ews_call);
    c->ews = e;
    c->opts = *opts;
    list_init(&c->queue_link);
    list_append(&e->calls, &c->link);
    c->pause = timer_new(e->base.loop, on_pause_over, c);
    deferred_init(&c->step, step, c);
    buf_init(&c->sample, EWS_SAMPLE_MAX);
    c->started_ms = time_mono_ms();
    queue(c);
    return c;
}

void ews_call_abort(struct ews_call **call)
{
    struct ews_call *c = *call;
    *call = NULL;
    if (c && !c->gone)
        leave(c);
}

size_t ews_call_count(const struct ews *e)
{
    size_t n = 0;
    for (const struct list *l = e->calls.next; l != &e->calls; l = l->next)
        n++;
    return n;
}
