/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of one attempt: read while it comes, judged when it is over. */
#include <string.h>

#include "backends/common/autodiscover_rules.h"
#include "backends/common/login.h"
#include "backends/ews/ews_call_private.h"

#define UPLOAD_SAFE ((uint64_t)7 << 20) /* bytes of a message, before base64, that every server takes */

static void evaluate(struct ews_call *c, const struct err *transport);

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
    /* The longest pause asked for counts; nothing was begun when nothing of any of them was. */
    bool not_begun = v.not_begun && (!c->has_verdict || c->verdict.not_begun);
    if (!c->has_verdict || v.pause_ms > c->verdict.pause_ms) {
        c->verdict = v;
        c->verdict_flags = status->code->flags;
    }
    c->verdict.not_begun = not_begun;
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
        ews_save_negotiation(e);
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
            ews_call_finish(c, &(struct err){0});
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
    ews_call_enter(c);
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
    return ews_call_leave(c) && go_on;
}

/* --- judging it ---------------------------------------------------------------------------------- */

static bool is_online(const struct ews *e)
{
    struct autodiscover_url url;
    return autodiscover_url_read(str_from(e->url), &url) && autodiscover_cloud_by_host(url.host);
}

static void judge_http(struct ews_call *c, struct ews_verdict *ret_verdict)
{
    struct ews_http_answer a = {
        .status = http_status(c->request),
        .retry_after_s = http_retry_after_s(c->request),
        .location = http_header(c->request, "Location"),
        .diagnostics = http_header(c->request, "X-MS-Diagnostics"),
        .cas_error = http_header(c->request, "X-CasErrorCode"),
        .fault = c->answer && ews_answer_fault(c->answer) ? ews_answer_fault(c->answer)->name : NULL,
        .online = is_online(c->ews),
        .large = c->ews->negotiation.confirmed && c->opts.mime && blob_size(c->opts.mime) >= UPLOAD_SAFE,
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
    http_name_host(c->request, &ret_verdict->err);
    err_prefix(&ret_verdict->err, "%s: ", c->opts.operation);
}

static void judge_transport(struct ews_call *c, const struct err *err, struct ews_verdict *ret_verdict)
{
    if (!c->judged && err->code == ERR_OFFLINE)
        login_result(c->pass, LOGIN_UNANSWERED);
    c->judged = true;
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
    if (c->opts.ret_flags)
        *c->opts.ret_flags = fault ? fault->code->flags : c->has_verdict ? c->verdict_flags : 0;
    int status = http_status(c->request);
    if (fault && status != 401 && !(status == 403 && strcmp(fault->name, "ErrorAccessDenied") == 0)) {
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
    ews_call_act(c, &v);
}

static void on_http_done(void *ud, struct http_request *req, const struct err *err)
{
    struct ews_call *c = ud;
    (void)req;
    ews_call_enter(c);
    if (c->kind == EWS_KIND_UNDECIDED)
        decide_kind(c, true);
    if (!c->gone && c->request) {
        if (err->code == ERR_NONE && c->answer && c->documents > 0 && !c->split.in_document) {
            ews_call_finish(c, &(struct err){0}); /* between two documents: a clean end */
        } else {
            if (c->answer && c->read_err.code == ERR_NONE && err->code == ERR_NONE)
                (void)ews_answer_finish(c->answer, &c->read_err);
            if (!c->gone)
                evaluate(c, err);
        }
    }
    ews_call_leave(c);
}

const struct http_events ews_call_events = {.on_body = on_body, .on_done = on_http_done};
