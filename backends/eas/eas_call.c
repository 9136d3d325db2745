/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_call.h"

#include <stdio.h>

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_http.h"
#include "backends/eas/eas_status.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"

#define CONTENT_MULTIPART "application/vnd.ms-sync.multipart"
#define BUSY_MIN_S        5
#define BUSY_MAX_S        1800
#define DEVICE_WANTED     165

#define EXCHANGE_SINCE_2013 15
#define UPGRADE_MS          ((uint64_t)24 * 3600 * 1000) /* so long after an upgrade another one is not believed */

static const char *const names[EAS_COMMAND_MAX] = {
    [EAS_OPTIONS] = "OPTIONS",
    [EAS_PROVISION] = "Provision",
    [EAS_SETTINGS] = "Settings",
    [EAS_FOLDER_SYNC] = "FolderSync",
    [EAS_SYNC] = "Sync",
    [EAS_ITEM_OPERATIONS] = "ItemOperations",
    [EAS_PING] = "Ping",
    [EAS_MOVE_ITEMS] = "MoveItems",
    [EAS_FOLDER_CREATE] = "FolderCreate",
    [EAS_FOLDER_UPDATE] = "FolderUpdate",
    [EAS_FOLDER_DELETE] = "FolderDelete",
    [EAS_SEND_MAIL] = "SendMail",
    [EAS_SMART_REPLY] = "SmartReply",
    [EAS_SMART_FORWARD] = "SmartForward",
    [EAS_MEETING_RESPONSE] = "MeetingResponse",
    [EAS_RESOLVE_RECIPIENTS] = "ResolveRecipients",
};

const char *eas_command_name(enum eas_command command)
{
    return names[command];
}

static void advance(struct eas_call *call);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void stop_attempt(struct eas_call *call)
{
    if (call->answer_open)
        eas_answer_done(&call->answer);
    call->answer_open = false;
    mem_free(call->multipart);
    call->multipart = NULL;
}

static void finish(struct eas_call *call, const struct err *err)
{
    static const struct err none;
    struct err copy = err ? *err : none;

    list_remove(&call->waiting);
    login_end(&call->pass);
    bool late = copy.code == ERR_NONE && call->troubles != call->b->troubles;
    if (!call->request->setup && !late) /* a step of the setup may be refused, and the next one make it right */
        eas_health(call->b, &copy);
    if (copy.code != ERR_NONE && !str_starts(str_from(copy.text), str_from(names[call->request->command])))
        err_prefix(&copy, "%s: ", names[call->request->command]);
    call->request->done(call->ud, &copy);
}

static void on_deferred(void *ud)
{
    struct eas_call *call = ud;

    if (call->err.code != ERR_NONE)
        finish(call, &call->err);
    else
        advance(call);
}

static void fail_later(struct eas_call *call, const struct err *err)
{
    call->err = *err;
    loop_defer(call->b->base.loop, &call->deferred);
}

static void on_timer(void *ud)
{
    advance(ud);
}

static void again_after(struct eas_call *call, uint64_t after_ms)
{
    login_end(&call->pass);
    if (!call->timer)
        call->timer = timer_new(call->b->base.loop, on_timer, call);
    timer_start(call->timer, after_ms);
}

/* --- what to do with an outcome ---------------------------------------------------------------------------------- */

/* A second, four seconds, ten: with jitter, so that many clients do not come back together. */
static bool retry(struct eas_call *call, unsigned *tries, unsigned max)
{
    static const uint64_t pauses_s[] = {1, 4, 10};
    uint64_t pause_ms = pauses_s[*tries < 3 ? *tries : 2] * call->b->second_ms;

    if (*tries >= max)
        return false;
    again_after(call, pause_ms + rand_below(pause_ms / 4 + 1));
    ++*tries;
    return true;
}

/* Once more after provisioning; when the server is still not content, that is the answer. */
static bool provision(struct eas_call *call, const char *why)
{
    struct eas_backend *b = call->b;

    if (call->request->setup || call->provisioned)
        return false;
    if (!call->rekeyed &&
        strcmp(call->key_sent, b->state.policy_key) != 0) { /* another call has seen to it meanwhile */
        call->rekeyed = true;
        again_after(call, 0);
        return true;
    }
    log_info("eas", b->config.name, "%s: %s; provisioning", names[call->request->command], why);
    call->provisioned = true;
    b->setup.need_policy = true;
    eas_setup_wait(b, call);
    return true;
}

static void fail(struct eas_call *call, enum err_code code, const char *text, int status)
{
    struct err err = {0};

    err_set(&err, code, "%s (HTTP status %d)", text, status);
    err.status = status;
    if (call->http)
        http_name_host(call->http, &err);
    err_prefix(&err, "%s: ", names[call->request->command]);
    eas_call_explain(call, &err);
    if (status == 401)
        login_advise(call->b->config.login, call->secret.n > 0, &err);
    finish(call, &err);
}

/* It went out, or the server says that it failed on it: done or not, who knows. */
static void finish_unknown(struct eas_call *call, const struct err *why)
{
    struct err err = *why;

    err.code = ERR_OFFLINE;
    err_prefix(&err, "%s: whether it was done is unknown: ", names[call->request->command]);
    finish(call, &err);
}

static void unknown_status(struct eas_call *call, const struct eas_http_status *status)
{
    struct err err = {0};

    err_set(&err, status->code, "%s (HTTP status %d)", status->text, call->http_status);
    err.status = call->http_status;
    finish_unknown(call, &err);
}

static void busy(struct eas_call *call, const struct eas_http_status *status)
{
    struct eas_backend *b = call->b;
    unsigned wait_s = call->http ? http_retry_after_s(call->http) : 0;
    struct err err = {0};

    if (wait_s == 0) {
        wait_s = BUSY_MIN_S << (b->busy < 9 ? b->busy : 9);
        wait_s = wait_s < BUSY_MAX_S ? wait_s : BUSY_MAX_S;
        b->busy++;
    }
    login_throttled(b->config.login, wait_s);
    if (wait_s <= EAS_WAIT_MAX_S && call->tries_busy < EAS_RETRIES_BUSY && !call->request->patient) {
        call->tries_busy++;
        again_after(call, rand_below(500)); /* the pass that it needs comes when the pause is over */
        return;
    }
    err_set(&err, status->code, "%s: %s, again in %u s (HTTP status %d)", names[call->request->command], status->text,
            wait_s, status->status);
    err.status = status->status;
    err.retry_after_s = wait_s;
    eas_call_explain(call, &err);
    finish(call, &err);
}

/* The mailbox lives on another server: from now on everything goes there (MS-ASHTTP 3.1.5.2.2). */
static void moved(struct eas_call *call, const struct eas_http_status *status)
{
    struct str to = str_from(http_header(call->http, "X-MS-Location"));
    struct err err = {0};

    if (to.n == 0) {
        fail(call, ERR_OFFLINE,
             "the mailbox is on another server, and the server does not say which; run exbridge setup", status->status);
        return;
    }
    if (eas_address_move(call->b, to, &err)) {
        again_after(call, 0);
        return;
    }
    err.status = status->status;
    finish(call, &err);
}

static void unsupported_version(struct eas_call *call, const char *text, int status)
{
    struct eas_backend *b = call->b;
    struct err err = {0};

    b->refused_version = b->assumed ? b->state.version : 0;
    b->state.version = 0;
    if (eas_state_save(&b->state, &b->config, &err))
        err_set(&err, ERR_OFFLINE, "%s: %s; it will be negotiated again (status %d)", names[call->request->command],
                text, status);
    err.status = status;
    finish(call, &err);
}

static void refused(struct eas_call *call, const struct eas_http_status *status)
{
    struct eas_backend *b = call->b;

    /* 12.1 says 403 where later versions say 142. */
    if (b->state.version == 121 && strcmp(b->state.policy_key, "0") == 0 && provision(call, status->text))
        return;
    fail(call, status->code, status->text, status->status);
}

/* Believed only when the login says so: it may know a newer password or get a new token. */
static void unauthorized(struct eas_call *call, const struct eas_http_status *status)
{
    if (status->status == 401 && login_result(call->pass, LOGIN_REFUSED) && ++call->refused < LOGIN_TRIES_MAX) {
        again_after(call, 0);
        return;
    }
    fail(call, status->code, status->text, status->status);
}

static void on_http_error(struct eas_call *call, const struct eas_http_status *status)
{
    const struct eas_backend *b = call->b;

    switch (status->action) {
    case EAS_HTTP_AUTH:
        unauthorized(call, status);
        return;
    case EAS_HTTP_FORBIDDEN:
        refused(call, status);
        return;
    case EAS_HTTP_PROVISION:
        if (!provision(call, status->text))
            fail(call, status->code, status->text, status->status);
        return;
    case EAS_HTTP_MOVED:
        moved(call, status);
        return;
    case EAS_HTTP_RETRY:
        call->unknown = true;
        if (call->request->once)
            unknown_status(call, status);
        else if (!retry(call, &call->tries_server, call->request->patient ? 0 : EAS_RETRIES_SERVER))
            fail(call, status->code, status->text, call->http_status);
        return;
    case EAS_HTTP_BUSY:
        /* A gateway that does not wait for as long as the request is parked: nobody is busy. */
        if (status->code == ERR_OFFLINE && call->request->patient)
            break;
        /* 503 and 429 refuse before anything is done; gateways speak of what is behind them. */
        call->unknown = call->unknown || status->code == ERR_OFFLINE;
        if (call->request->once && status->code == ERR_OFFLINE)
            unknown_status(call, status);
        else
            busy(call, status);
        return;
    case EAS_HTTP_VERSION:
        unsupported_version(call, status->text, status->status);
        return;
    case EAS_HTTP_GONE:
        /* Of OPTIONS 405 is a proxy's word, which lets POST alone through. */
        if ((call->request->command != EAS_OPTIONS || status->status != 405) && eas_address_lost(call)) {
            again_after(call, 0);
            return;
        }
        break;
    case EAS_HTTP_FAIL:
        if (status->status == 400 && b->assumed && !call->request->setup) {
            unsupported_version(call, status->text, call->http_status);
            return;
        }
        break;
    case EAS_HTTP_READ:
        break;
    }
    fail(call, status->code, status->text, call->http_status);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

/* The statuses that all commands share. False: the command's own, or none. */
static bool common_status(struct eas_call *call)
{
    const struct eas_status *status = eas_status_find(call->answer.status);
    struct eas_backend *b = call->b;
    struct err err = {0};

    if (!status)
        return false;
    switch (status->action) {
    case EAS_ACTION_PROVISION:
        if (status->status == DEVICE_WANTED) /* up to 14.0 it is no part of provisioning */
            b->state.device_told = b->setup.device_refused = false;
        if (provision(call, status->text))
            return true;
        break;
    case EAS_ACTION_RETRY:
        if (retry(call, &call->tries_server, call->request->patient ? 0 : EAS_RETRIES_SERVER))
            return true;
        break;
    case EAS_ACTION_WIPE:
        if (!call->request->setup && !call->provisioned) {
            call->provisioned = true;
            b->setup.wipe_asked = true;
            eas_setup_wait(b, call);
            return true;
        }
        break;
    case EAS_ACTION_VERSION:
        unsupported_version(call, status->text, status->status);
        return true;
    case EAS_ACTION_FAIL:
        break;
    }
    eas_status_err(&err, names[call->request->command], call->answer.status);
    eas_call_explain(call, &err);
    finish(call, &err);
    return true;
}

/* A server that says so in each answer would have everything synchronised for ever. One that was upgraded twice a day
 * says in the statuses of the commands what has become void. */
static bool is_upgrade(struct eas_backend *b)
{
    uint64_t now = time_mono_ms();

    if (b->upgraded || (b->was_upgraded && now - b->upgraded_ms < UPGRADE_MS))
        return false;
    b->was_upgraded = true;
    b->upgraded_ms = now;
    return true;
}

/* X-MS-RP: the server was upgraded, and forgot us (MS-ASHTTP 2.2.2.1.2.4). */
static bool forgotten(struct eas_call *call)
{
    struct eas_backend *b = call->b;
    enum eas_command command = call->request->command;
    struct err err = {0};

    if (!http_header(call->http, "X-MS-RP") || command == EAS_OPTIONS || !is_upgrade(b))
        return false;
    log_warn("eas", b->config.name, "the server was upgraded and wants all sync states anew");
    b->upgraded = true;
    if (!eas_options_take(b, call->http, NULL))
        b->state.version = 0;
    eas_new_epoch(b);
    if (command != EAS_SYNC && command != EAS_FOLDER_SYNC)
        return false;
    err_set(&err, ERR_STALE, "%s: the server was upgraded; all sync states are void", names[command]);
    finish(call, &err);
    return true;
}

/* The password will expire in so many days (MS-ASHTTP 2.2.2.1.2.6): said once a run. */
static void warn_of_expiry(struct eas_call *call)
{
    const char *days = http_header(call->http, "X-MS-Credentials-Expire");
    uint32_t n;

    if (!days || call->b->expiry_warned || !str_to_u32(str_trim(str_from(days)), &n))
        return;
    call->b->expiry_warned = true;
    log_warn("eas", call->b->config.name, "the password of this account expires in %u days", n);
}

static void on_success(struct eas_call *call)
{
    struct eas_backend *b = call->b;
    struct err err = {0};

    b->hops = 0;
    b->busy = 0;
    warn_of_expiry(call);
    if (call->request->rules && call->begun &&
        ((call->multipart && !eas_multipart_end(call->multipart, &err)) || !eas_answer_end(&call->answer, &err))) {
        call->unknown = true;
        if (call->request->once)
            finish_unknown(call, &err);
        else if (!retry(call, &call->tries_net, call->request->patient ? 0 : EAS_RETRIES_NET))
            finish(call, &err);
        return;
    }
    call->empty = !call->begun;
    b->assumed = b->assumed && (call->request->command == EAS_OPTIONS || call->answer.status == 138);
    log_debug("eas", b->config.name, "%s: status %d after %u ms", names[call->request->command],
              call->empty ? 0 : call->answer.status, (unsigned)(time_mono_ms() - call->sent_ms));
    if (!forgotten(call) && (call->empty || !call->request->rules || !common_status(call)))
        finish(call, NULL);
}

/* An answer that nobody gets who is not signed in, and that no web page or captive portal gives. */
static bool proves_login(const struct http_request *http, int status)
{
    const char *type = http_header(http, "Content-Type");

    return status == 449 ||
           (status == 200 && ((type && str_case_starts(str_from(type), STR("application/vnd.ms-sync"))) ||
                              http_header(http, "MS-Server-ActiveSync") || http_header(http, "MS-ASProtocolVersions")));
}

/* Exchange, and one that says 118 to a ClientId that it has seen: others speak the same protocol versions, and some
 * send twice. Exchange calls itself by its own version, which is 15.x since 2013; others by that of the protocol
 * (Horde: 16.0). */
static void learn_server(struct eas_backend *b, const struct http_request *http)
{
    struct str version = str_from(http_header(http, "MS-Server-ActiveSync")), major;
    struct str server = str_from(http_header(http, "Server"));
    uint32_t n;

    if (!str_cut(&version, '.', &major) || !str_to_u32(str_trim(major), &n))
        return;
    b->remembers_sends = n == EXCHANGE_SINCE_2013 || str_case_starts(server, STR("Microsoft-IIS"));
    eas_apply_version(b);
}

static bool on_head(void *ud, struct http_request *http, int status)
{
    struct eas_call *call = ud;
    const char *type = http_header(http, "Content-Type");

    /* Exchange's front end, which did not get through, and says so with 200 and no body: what "done" looks like. */
    if (status == 200 && http_header(http, "X-ProxyErrorMessage") && call->request->command != EAS_OPTIONS)
        status = 502;
    call->http_status = status;
    learn_server(call->b, http);
    if (proves_login(http, status)) {
        login_result(call->pass, LOGIN_ACCEPTED);
        eas_address_good(call);
    }
    call->answering = status == 200 && call->request->rules;
    if (call->answering && call->request->multipart && type && str_case_starts(str_from(type), STR(CONTENT_MULTIPART)))
        call->multipart = MEM_NEW(struct eas_multipart);
    return true;
}

static bool on_part(void *ud, unsigned part, struct str piece, bool last, struct err *err)
{
    struct eas_call *call = ud;

    if (part > 0)
        return call->request->part(call->ud, part, piece, last, err);
    return eas_answer_feed(&call->answer, piece, err) && (!last || eas_answer_end(&call->answer, err));
}

static bool on_body(void *ud, struct http_request *http, struct str bytes)
{
    struct eas_call *call = ud;

    (void)http;
    if (!call->answering || bytes.n == 0)
        return true;
    if (!call->begun && call->multipart)
        eas_multipart_init(call->multipart, on_part, call);
    call->begun = true;
    return call->multipart ? eas_multipart_feed(call->multipart, bytes, &call->err)
                           : eas_answer_feed(&call->answer, bytes, &call->err);
}

static void on_done(void *ud, struct http_request *http, const struct err *err)
{
    struct eas_call *call = ud;
    struct err copy = call->err.code != ERR_NONE ? call->err : *err;
    bool lost = copy.code == ERR_OFFLINE || copy.code == ERR_PROTOCOL; /* or broken on the way */
    call->ended = true;
    if (call->err.code == ERR_NONE && copy.code == ERR_PROTOCOL && call->begun)
        copy.code = ERR_OFFLINE; /* cut off by the connection, not by the server's reason */
    call->err = (struct err){0};
    if (copy.code == ERR_OFFLINE)
        login_result(call->pass, LOGIN_UNANSWERED); /* unless its head has said more */
    if (call->http_status != 401 || copy.code != ERR_NONE)
        login_end(&call->pass);
    if (copy.code != ERR_NONE && http_request_was_sent(http))
        call->unknown = true;
    if (copy.code == ERR_NONE && call->http_status == 200)
        on_success(call);
    else if (copy.code == ERR_NONE)
        on_http_error(call, eas_http_status_find(call->http_status));
    else if (call->unknown && call->request->once)
        finish_unknown(call, &copy);
    else if (lost && !http_request_was_sent(http) && eas_address_lost(call))
        again_after(call, 0);
    else if (!lost || !retry(call, &call->tries_net, call->request->patient ? 0 : EAS_RETRIES_NET))
        finish(call, &copy);
    /* The call may be gone by now. */
}

/* --- attempts ---------------------------------------------------------------------------------------------------- */

static void send_request(struct eas_call *call, const char *secret)
{
    static const struct http_events events = {.on_head = on_head, .on_body = on_body, .on_done = on_done};
    struct err err = {0};

    stop_attempt(call);
    call->begun = call->empty = call->answering = call->ended = false;
    call->http_status = 0;
    call->http = NULL;
    call->err = (struct err){0};
    if (call->request->rules) {
        eas_answer_init(&call->answer, *call->request->rules, call->reader ? call->reader : call->ud);
        call->answer_open = true;
    }
    call->sent_ms = time_mono_ms();
    call->troubles = call->b->troubles;
    if (!eas_attempt_start(call, &events, secret, &err))
        finish(call, &err);
}

static void on_pass(void *ud, const struct err *err, const char *secret)
{
    struct eas_call *call = ud;
    struct err copy = *err;

    if (copy.code == ERR_NONE)
        send_request(call, secret);
    else
        finish(call, &copy);
}

static void advance(struct eas_call *call)
{
    struct eas_backend *b = call->b;
    struct login_ask ask = {.offered = call->secret,
                            .parked = call->request->patient,
                            .late = call->request->patient,
                            .patience_s = EAS_WAIT_MAX_S};
    struct err err = {0};

    login_end(&call->pass);

    if (b->wiped && call != &b->setup.call) { /* the acknowledgement alone may still go out */
        err_set(&err, ERR_POLICY, "the administrator ordered the data of this account to be destroyed");
        finish(call, &err);
        return;
    }
    if (!call->request->setup && !eas_setup_ready(b)) {
        eas_setup_wait(b, call);
        return;
    }
    call->pass = login_ask(b->config.login, &ask, on_pass, call);
}

void eas_call_init(struct eas_call *call, struct eas_backend *b, const struct eas_request *request, void *ud)
{
    *call = (struct eas_call){.b = b, .request = request, .ud = ud, .body = BUF_INIT(EAS_REQUEST_MAX)};
    list_init(&call->link);
    list_init(&call->waiting);
    deferred_init(&call->deferred, on_deferred, call);
}

void eas_call_start(struct eas_call *call)
{
    list_append(&call->b->calls, &call->link);
    loop_defer(call->b->base.loop, &call->deferred);
}

void eas_stop_calls(struct eas_backend *b)
{
    struct err err = {0};

    err_set(&err, ERR_POLICY, "the administrator ordered the data of this account to be destroyed");
    LIST_EACH (&b->calls, link) {
        struct eas_call *call = LIST_ITEM(link, struct eas_call, link);

        if (call->request->setup)
            continue;
        list_remove(&call->waiting);
        if (call->timer)
            timer_stop(call->timer);
        if (!call->ended)
            http_abort(&call->http);
        call->ended = true;
        login_end(&call->pass);
        fail_later(call, &err);
    }
}

void eas_call_resume(struct eas_call *call, const struct err *err)
{
    list_remove(&call->waiting);
    if (err->code != ERR_NONE)
        call->err = *err;
    loop_defer(call->b->base.loop, &call->deferred);
}

void eas_call_close(struct eas_call *call)
{
    if (!call->b)
        return;
    list_remove(&call->link);
    list_remove(&call->waiting);
    loop_defer_cancel(&call->deferred);
    timer_free(&call->timer);
    if (call->ended) /* it is freed */
        call->http = NULL;
    login_abandon(&call->pass, &call->http);
    stop_attempt(call);
    buf_done(&call->body);
    call->b = NULL;
}
