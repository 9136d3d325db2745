/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_upload.h"

#include <string.h>

#include "backends/common/login.h"
#include "backends/ews/ews_call_private.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"

/*
 *   queue -> pass of the login (waits for the end of a throttle) -> request -> done
 *     ^ ^                                                             |
 *     | +------------------ pause <-----------------------------------+  passing failure, 401 to good credentials
 *     +---------------------------------------------------------------+  busy, version refused
 */

static void step(void *ud);
static void run_queue(struct ews *e);

/* --- life ---------------------------------------------------------------------------------------- */

static void attempt_end(struct ews_call *c)
{
    login_abandon(&c->pass, &c->request);
    ews_upload_free(&c->upload);
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

void ews_call_enter(struct ews_call *c)
{
    c->busy++;
}

/* False: the call is gone, with its memory perhaps. */
bool ews_call_leave(struct ews_call *c)
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

static void tell_health(struct ews_call *c, const struct err *err)
{
    struct ews *e = c->ews;
    bool healthy = err->code == ERR_NONE;
    if (healthy ? c->troubles != e->troubles : err->code != ERR_AUTH && err->code != ERR_DENIED)
        return;
    if (!healthy && (c->opts.secret.n || c->opts.aside))
        return; /* what a client offered is not the account's trouble */
    e->troubles += !healthy;
    if (e->told_health && e->healthy == healthy)
        return;
    e->told_health = true;
    e->healthy = healthy;
    if (e->config.host.health)
        e->config.host.health(e->config.host.ud, healthy ? NULL : err);
}

void ews_call_finish(struct ews_call *c, const struct err *err)
{
    struct err copy = *err;
    void (*on_done)(void *, const struct err *) = c->opts.on_done;
    void *ud = c->opts.ud;
    log_debug("ews", c->ews->config.name, "%s: %s, %u ms%s%s", c->opts.operation,
              copy.code ? err_name(copy.code) : "done", (unsigned)(time_mono_ms() - c->started_ms),
              copy.code ? ": " : "", copy.text);
    tell_health(c, &copy);
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
    ews_call_finish(c, &err);
}

static void lower_version(struct ews_call *c, const struct ews_verdict *v)
{
    struct ews *e = c->ews;
    /* A server whose build grows with each refusal must not lead us around for ever. */
    if (++c->lowered >= EWS_VERSION_COUNT || !ews_negotiation_refused(&e->negotiation, c->version)) {
        struct err err;
        err_set(&err, ERR_UNSUPPORTED, "the server does not speak EWS of Exchange 2010 or newer: %s", v->err.text);
        ews_call_finish(c, &err);
        return;
    }
    log_info("ews", e->config.name, "the server refused schema version %s; using %s", ews_version_name(c->version),
             ews_version_name(e->negotiation.now));
    ews_save_negotiation(e);
    attempt_end(c);
    queue(c);
}

static void finish_refused(struct ews_call *c, const struct ews_verdict *v)
{
    struct err err = v->err;
    if (v->action == EWS_AUTH && err.retry_after_s == 0)
        login_advise(c->ews->config.login, c->opts.secret.n > 0, &err);
    ews_call_finish(c, &err);
}

/* 401. With credentials that have worked it may be a symptom of throttling, or the password has just changed: whether
 * one more try is sensible, or could lock the account, is the login's to say. */
static void refused(struct ews_call *c, const struct ews_verdict *v)
{
    c->judged = true;
    bool again = login_result(c->pass, LOGIN_REFUSED);
    if (again && v->action == EWS_AUTH && ++c->refused < LOGIN_TRIES_MAX)
        pause_for(c, c->ews->tuning.auth_pause_ms);
    else
        finish_refused(c, v);
}

/* The whole request went out, and nothing says that it was turned down. */
static bool may_have_happened(const struct ews_call *c, const struct ews_verdict *v)
{
    return c->request && http_request_was_sent(c->request) && !v->not_begun;
}

static void finish_unknown(struct ews_call *c, const struct ews_verdict *v)
{
    struct err err = v->err;
    unsigned pause_ms;
    if (v->action == EWS_BUSY) { /* whoever looks what became of it waits, too */
        (void)ews_retries_next(&c->retries, &c->ews->tuning.patience, v, (uint32_t)rand_below(UINT32_MAX), &pause_ms);
        throttle(c, pause_ms);
        if (err.retry_after_s == 0)
            err.retry_after_s = (pause_ms + 999) / 1000;
    }
    err.code = ERR_OFFLINE;
    c->ews->lost_ms = time_mono_ms();
    if (c->opts.ret_unknown)
        *c->opts.ret_unknown = true;
    ews_call_finish(c, &err);
}

void ews_call_act(struct ews_call *c, const struct ews_verdict *v)
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
            ews_call_finish(c, &v->err);
        break;
    case EWS_RETRY:
    case EWS_BUSY:
        if (c->opts.once && may_have_happened(c, v))
            finish_unknown(c, v);
        else
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

/* A parked answer has no end; one that brings messages, or a request that takes one along, may be long under way. */
static unsigned whole_timeout_s(const struct ews_call *c)
{
    const struct ews_tuning *t = &c->ews->tuning;
    if (c->opts.on_document)
        return 0;
    return c->opts.bulk || c->opts.mime ? t->bulk_timeout_s : t->timeout_s;
}

static void send_request(struct ews_call *c, const char *secret)
{
    struct ews *e = c->ews;
    struct buf body = BUF_INIT(8 << 20), guid = BUF_INIT(64);
    c->version = e->negotiation.now;
    c->troubles = e->troubles;
    if (!write_envelope(c, &body)) {
        buf_done(&body);
        ews_call_finish(c, &(struct err){0});
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
        .timeout_s = whole_timeout_s(c),
        .no_compression = c->opts.on_document != NULL,
        .once = c->opts.once,
    };
    c->started_ms = time_mono_ms();
    c->kind = EWS_KIND_UNDECIDED;
    c->has_verdict = c->judged = false;
    if (c->opts.ret_flags)
        *c->opts.ret_flags = 0;
    c->read_err = (struct err){0};
    c->split = (struct xml_split){0};
    buf_reset(&c->sample);
    if (c->opts.mime) {
        c->upload = ews_upload_new(buf_view(&body), c->opts.mime);
        opts.body = STR_NULL;
        ews_upload_attach(c->upload, &opts);
    }
    if (c->opts.ret_unknown)
        *c->opts.ret_unknown = false;
    c->request = http_start(e->http, &opts, &ews_call_events, c);
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
    ews_call_finish(c, &problem);
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

void ews_call_write_mime(struct xml_writer *w)
{
    xml_open(w, "t:MimeContent");
    xml_attr_lit(w, "CharacterSet", "UTF-8");
    xml_raw(w, STR(EWS_UPLOAD_MARK));
    xml_close(w);
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
