/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking with credentials. Two questions, the Outlook schema's and the mobile one's, each from the first URL on; where
 * that host answers neither about EWS, the SOAP service beside them. Each answer is read before anything else happens,
 * and the next request is a new decision about trust.
 */
#include <string.h>

#include "backends/common/autodiscover.h"
#include "bridge/base/mem.h"

#define TIMEOUT_S  60
#define PATIENCE_S 30 /* for the end of a back-off the server asked for */
#define SOAP_PATH  "/autodiscover/autodiscover.svc"

struct autodiscover_ask {
    struct autodiscover_ask_opts opts;
    autodiscover_ask_cb *cb;
    void *ud;
    struct arena arena;
    char *email, *first_url, *offered;
    struct str domain;
    struct http_client *client;
    struct login_pass *pass;
    struct http_request *req;
    struct deferred go;
    enum autodiscover_schema schema;
    char *url;
    unsigned hops;
    bool redirected, unknown; /* another host, or nobody, has the answer: SOAP would say no more */
    struct autodiscover_reader *reader;
    struct autodiscover_answer answer;
    struct err answer_err; /* what is wrong with the document */
    bool readable;
    struct autodiscover_ask_result result;
};

static void go(void *ud);

/* --- the end ------------------------------------------------------------------------------------------- */

static void stop_request(struct autodiscover_ask *a)
{
    http_abort(&a->req);
    login_end(&a->pass);
    autodiscover_reader_free(&a->reader);
}

static void finish(struct autodiscover_ask *a, enum autodiscover_outcome outcome)
{
    stop_request(a);
    a->result.outcome = outcome;
    a->cb(a->ud, &a->result);
}

static void fail(struct autodiscover_ask *a, const struct err *err)
{
    a->result.err = *err;
    finish(a, AUTODISCOVER_FAILED);
}

/* The service beside the first URL. */
static char *soap_url(const struct autodiscover_ask *a)
{
    struct autodiscover_url u;
    struct buf url = BUF_INIT(AUTODISCOVER_URL_MAX);
    if (autodiscover_url_read(str_from(a->first_url), &u)) {
        buf_lit(&url, "https://");
        autodiscover_authority(&u, &url);
        buf_lit(&url, SOAP_PATH);
    }
    char *z = mem_strdup(buf_z(&url));
    buf_done(&url);
    return z;
}

static bool asks_soap(const struct autodiscover_ask *a)
{
    return !a->result.ews_url && !a->redirected && !a->unknown && a->url[0];
}

/* This schema leads nowhere: the other one may. What the first said is told if both fail. */
static void give_up_schema(struct autodiscover_ask *a, const struct err *err)
{
    stop_request(a);
    if (a->result.err.code == ERR_NONE)
        a->result.err = *err;
    a->schema++;
    a->hops = 0;
    mem_free(a->url);
    a->url = a->schema == AUTODISCOVER_SOAP ? soap_url(a) : mem_strdup(a->first_url);
    if (a->schema < AUTODISCOVER_SOAP || (a->schema == AUTODISCOVER_SOAP && asks_soap(a))) {
        loop_defer(a->opts.net.loop, &a->go);
        return;
    }
    bool found = a->result.ews_url || a->result.eas_url;
    if (found)
        a->result.err = (struct err){.code = ERR_NONE};
    finish(a, found ? AUTODISCOVER_FOUND : AUTODISCOVER_FAILED);
}

static void end_schema(struct autodiscover_ask *a)
{
    give_up_schema(a, &(struct err){.code = ERR_NONE});
}

/* --- where it goes on ---------------------------------------------------------------------------------------- */

static void go_to(struct autodiscover_ask *a, struct str url)
{
    struct err err;
    a->redirected = true;
    if (++a->hops > AUTODISCOVER_HOPS_MAX) {
        err_set(&err, ERR_PROTOCOL, "autodiscover goes in circles: more than %d redirects", AUTODISCOVER_HOPS_MAX);
        give_up_schema(a, &err);
        return;
    }
    switch (autodiscover_trust(url, a->domain, a->opts.confirmed, a->opts.confirmed_count)) {
    case AUTODISCOVER_NEVER:
        err_set(&err, ERR_PROTOCOL, "autodiscover redirects to an address that is not https: %.*s",
                STR_ARG(str_sub(url, 0, 100)));
        give_up_schema(a, &err);
        break;
    case AUTODISCOVER_ASK_FIRST:
    case AUTODISCOVER_MICROSOFT:
        a->result.next = arena_strdup(&a->arena, url);
        finish(a, AUTODISCOVER_CONFIRM);
        break;
    case AUTODISCOVER_OWN:
    case AUTODISCOVER_CONFIRMED:
        stop_request(a);
        mem_free(a->url);
        a->url = str_dup(url);
        loop_defer(a->opts.net.loop, &a->go);
        break;
    }
}

static const char *keep(struct autodiscover_ask *a, struct str s)
{
    return s.n ? arena_strdup(&a->arena, s) : NULL;
}

static void take_settings(struct autodiscover_ask *a)
{
    if (a->schema != AUTODISCOVER_MOBILE) {
        a->result.outlook = a->answer;
        a->result.ews_url = keep(a, autodiscover_ews_url(&a->answer));
    } else {
        a->result.eas_url = keep(a, a->answer.eas_url);
    }
    end_schema(a);
}

static void take_error(struct autodiscover_ask *a)
{
    struct err err;
    struct str text = str_sub(a->answer.error_text, 0, 120);
    bool unknown = a->answer.error_code == 500 || a->answer.error_code == 501;
    a->unknown = a->unknown || unknown;
    err_set(&err, unknown ? ERR_NOT_FOUND : ERR_UNSUPPORTED, "autodiscover: error %u%s%.*s", a->answer.error_code,
            text.n ? ": " : "", STR_ARG(text));
    give_up_schema(a, &err);
}

static void take_answer(struct autodiscover_ask *a)
{
    struct err err = a->answer_err;
    if (!a->readable || !autodiscover_reader_finish(a->reader, &err)) {
        give_up_schema(a, &err);
        return;
    }
    switch (a->answer.action) {
    case AUTODISCOVER_SETTINGS:
        take_settings(a);
        break;
    case AUTODISCOVER_ERROR:
        take_error(a);
        break;
    case AUTODISCOVER_REDIRECT_URL:
        if (a->schema == AUTODISCOVER_SOAP && !str_ends(a->answer.redirect, STR(".svc")))
            end_schema(a); /* no SOAP there */
        else
            go_to(a, a->answer.redirect);
        break;
    case AUTODISCOVER_REDIRECT_ADDRESS:
        if (str_case_is(a->answer.redirect, a->email)) {
            err_set(&err, ERR_PROTOCOL, "autodiscover redirects to the same address");
            give_up_schema(a, &err);
            break;
        }
        a->result.next = keep(a, a->answer.redirect);
        finish(a, AUTODISCOVER_NEW_ADDRESS);
        break;
    }
}

static void take_location(struct autodiscover_ask *a)
{
    const char *location = http_header(a->req, "Location");
    struct buf url = BUF_INIT(AUTODISCOVER_URL_MAX);
    if (a->schema == AUTODISCOVER_SOAP && location && !str_ends(str_from(location), STR(".svc"))) {
        end_schema(a); /* no SOAP there */
        return;
    }
    if (!location || !autodiscover_location(a->url, location, &url)) {
        buf_reset(&url);
        buf_lit(&url, "(none)");
    }
    go_to(a, buf_view(&url));
    buf_done(&url);
}

/* --- a request --------------------------------------------------------------------------------------------------- */

/* Refused: the login says whether a newer secret is worth another request; else it is over, for both schemas. */
static void take_refusal(struct autodiscover_ask *a)
{
    struct err err;
    if (login_result(a->pass, LOGIN_REFUSED)) {
        stop_request(a);
        loop_defer(a->opts.net.loop, &a->go);
        return;
    }
    struct buf schemes = BUF_INIT(0);
    autodiscover_schemes_text(autodiscover_schemes(a->req), &schemes);
    err_set(&err, ERR_AUTH, "the server refused the name and password (it offers %s)", buf_z(&schemes));
    err.status = http_status(a->req);
    buf_done(&schemes);
    fail(a, &err);
}

static void on_done(void *ud, struct http_request *req, const struct err *err)
{
    struct autodiscover_ask *a = ud;
    struct err problem;
    int status = http_status(req);
    if (err->code != ERR_NONE) {
        problem = *err;
        a->req = NULL;
        if (err->code == ERR_AUTH)
            fail(a, &problem);
        else
            give_up_schema(a, &problem);
        return;
    }
    if (status == 401) {
        take_refusal(a);
    } else if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
        take_location(a); /* says nothing about the credentials */
    } else if (status == 200) {
        a->result.accepted = true;
        login_result(a->pass, LOGIN_ACCEPTED);
        take_answer(a);
    } else {
        err_set(&problem, status >= 500 ? ERR_OFFLINE : ERR_NOT_FOUND, "autodiscover answers HTTP status %d", status);
        problem.status = status;
        give_up_schema(a, &problem);
    }
}

static bool on_body(void *ud, struct http_request *req, struct str bytes)
{
    struct autodiscover_ask *a = ud;
    if (a->readable && http_status(req) == 200)
        a->readable = autodiscover_reader_feed(a->reader, bytes, &a->answer_err);
    return true;
}

static void on_pass(void *ud, const struct err *err, const char *secret)
{
    static const struct http_header headers[] = {{"Content-Type", "text/xml; charset=utf-8"}};
    static const struct http_events events = {.on_body = on_body, .on_done = on_done};
    struct autodiscover_ask *a = ud;
    struct buf question = BUF_INIT(0);
    if (err->code != ERR_NONE) {
        fail(a, err);
        return;
    }
    autodiscover_write(&question, a->schema, str_from(a->url), str_from(a->email));
    a->readable = true;
    a->reader = autodiscover_reader_new(&a->arena, &a->answer);
    a->req = http_start(a->client,
                        &(struct http_request_opts){.method = "POST",
                                                    .url = a->url,
                                                    .headers = headers,
                                                    .header_count = 1,
                                                    .body = buf_view(&question),
                                                    .auth = login_auth(a->opts.login),
                                                    .user = login_user(a->opts.login),
                                                    .secret = secret,
                                                    .timeout_s = TIMEOUT_S,
                                                    .max_answer = AUTODISCOVER_ANSWER_MAX},
                        &events, a);
    buf_done(&question);
}

static void go(void *ud)
{
    struct autodiscover_ask *a = ud;
    struct err err;
    if (autodiscover_trust(str_from(a->url), a->domain, a->opts.confirmed, a->opts.confirmed_count) <
        AUTODISCOVER_OWN) {
        err_set(&err, ERR_INVALID, "no credentials go to a host that was not confirmed");
        fail(a, &err);
        return;
    }
    a->pass = login_ask(a->opts.login, &(struct login_ask){.offered = str_from(a->offered), .patience_s = PATIENCE_S},
                        on_pass, a);
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

struct autodiscover_ask *autodiscover_ask(const struct autodiscover_ask_opts *opts, autodiscover_ask_cb *cb, void *ud)
{
    struct autodiscover_ask *a = MEM_NEW(struct autodiscover_ask);
    a->opts = *opts;
    a->cb = cb;
    a->ud = ud;
    a->email = mem_strdup(opts->email);
    a->domain = autodiscover_domain(str_from(a->email));
    a->first_url = mem_strdup(opts->url);
    a->url = mem_strdup(opts->url);
    a->offered = opts->offered.n ? str_dup(opts->offered) : NULL;
    a->client = autodiscover_client(&opts->net, 1);
    deferred_init(&a->go, go, a);
    loop_defer(opts->net.loop, &a->go);
    return a;
}

void autodiscover_ask_free(struct autodiscover_ask **ask)
{
    struct autodiscover_ask *a = *ask;
    *ask = NULL;
    if (!a)
        return;
    stop_request(a);
    loop_defer_cancel(&a->go);
    http_client_free(&a->client);
    arena_done(&a->arena);
    mem_wipe_free(a->offered);
    mem_free(a->email);
    mem_free(a->first_url);
    mem_free(a->url);
    mem_free(a);
}
