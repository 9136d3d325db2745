/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_verdict.h"

#include <string.h>

/* --- HTTP ---------------------------------------------------------------------------------------- */

static const struct {
    int status;
    enum ews_action action;
    enum err_code code;
    bool slow;
    const char *text;
} statuses[] = {
    {400, EWS_FAIL, ERR_PROTOCOL, false, "the server calls the request malformed"},
    {401, EWS_AUTH, ERR_AUTH, false, "the server refused the credentials"},
    {404, EWS_FAIL, ERR_OFFLINE, false, "there is no EWS at this address; is url right? Has the mailbox moved?"},
    {405, EWS_FAIL, ERR_PROTOCOL, false, "there is no EWS at this address; is url right?"},
    {407, EWS_FAIL, ERR_OFFLINE, false, "the proxy asks for credentials; see proxy in the configuration"},
    {408, EWS_RETRY, ERR_OFFLINE, true, "the server gave up waiting"},
    {410, EWS_FAIL, ERR_OFFLINE, false, "EWS is gone from this address; has the mailbox moved?"},
    {413, EWS_FAIL, ERR_TOO_BIG, false, "the request is larger than the server accepts"},
    {429, EWS_BUSY, ERR_THROTTLED, false, "the server asks for a pause"},
    {440, EWS_RETRY, ERR_OFFLINE, false, "the server forgot the session"},
    {451, EWS_FAIL, ERR_OFFLINE, false, "the mailbox is on another server now"},
    {456, EWS_FAIL, ERR_DENIED, false, "the account is blocked"},
    {500, EWS_RETRY, ERR_OFFLINE, false, "the server failed"},
    {502, EWS_RETRY, ERR_OFFLINE, false, "a gateway got no proper answer from the server"},
    {503, EWS_BUSY, ERR_THROTTLED, false, "the server is not available now"},
    {504, EWS_RETRY, ERR_OFFLINE, true, "a gateway waited too long for the server"},
    {507, EWS_FAIL, ERR_QUOTA, false, "the mailbox is full"},
};

static bool contains(const char *hay, const char *needle)
{
    return hay && str_case_find(str_from(hay), str_from(needle)) != (size_t)-1;
}

static bool sample_has(const struct ews_http_answer *a, const char *needle)
{
    return str_case_find(a->sample, str_from(needle)) != (size_t)-1;
}

/* Where a redirect leads, without the query: it may carry what logs must not. */
static void redirect(const struct ews_http_answer *a, struct ews_verdict *v)
{
    if (contains(a->location, "genericerrorpage.htm")) {
        v->action = EWS_RETRY;
        err_set(&v->err, ERR_OFFLINE, "HTTP %d: the server shows its error page; it is starting or failing", a->status);
    } else if (contains(a->location, "internalerror.asp") || contains(a->location, "initparams.aspx")) {
        err_set(&v->err, ERR_PROTOCOL, "HTTP %d: the gateway in front of the server is not set up for EWS", a->status);
    } else {
        struct str to = str_from(a->location);
        size_t query = str_find_byte(to, '?');
        to = str_sub(to, 0, query == (size_t)-1 ? 120 : query < 120 ? query : 120);
        err_set(&v->err, ERR_PROTOCOL, "HTTP %d: redirected to %.*s, not followed; is url right?", a->status,
                STR_ARG(to));
    }
}

static void page_instead(const struct ews_http_answer *a, struct ews_verdict *v)
{
    if (ews_body_is_html(a->sample)) {
        err_set(
            &v->err, ERR_PROTOCOL,
            "HTTP %d: a web page came instead of an answer: a sign-in page of this network, a proxy, or a wrong url",
            a->status);
        return;
    }
    v->action = EWS_RETRY;
    err_set(&v->err, ERR_PROTOCOL, "HTTP %d: the answer is %s", a->status, a->sample.n ? "no XML" : "empty");
}

static void by_table(const struct ews_http_answer *a, struct ews_verdict *v)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].status != a->status)
            continue;
        v->action = statuses[i].action;
        v->slow = statuses[i].slow;
        err_set(&v->err, statuses[i].code, "HTTP %d: %s%s%s", a->status, statuses[i].text, a->cas_error ? ": " : "",
                a->cas_error ? a->cas_error : "");
        return;
    }
    v->action = a->status >= 500 ? EWS_RETRY : EWS_FAIL;
    err_set(&v->err, a->status >= 500 ? ERR_OFFLINE : ERR_PROTOCOL, "HTTP %d", a->status);
}

/*
 * Signed in, and kept out. Which of the administrator's switches it was is not told by Exchange: it says the same (403,
 * sometimes with ErrorAccessDenied) for EwsEnabled of the organisation and of the mailbox, and for
 * EwsApplicationAccessPolicy, which goes by our User-Agent. Exchange Online adds the licence (none for kiosk users) and
 * EwsAllowedAppIDs. What has other words has another remedy.
 */
static void closed(const struct ews_http_answer *a, struct ews_verdict *v)
{
    static const struct {
        const char *words, *text;
    } table[] = {
        {"not enough scope",
         "the token is not good for EWS: the app needs the permission EWS.AccessAsUser.All; see oauth-scope"},
        {"no permissions",
         "the token is not good for EWS: the app needs the permission EWS.AccessAsUser.All, and consent"},
        {"403.4", "the server wants https; is url right?"}, /* these are IIS's own: sub-status codes of 403 */
        {"403.6", "the server takes nobody from this network address; is there a VPN, or another url from outside?"},
        {"403.7", "the server demands a client certificate; see client-cert"},
        {"403.13", "the server calls the client certificate revoked; see client-cert"},
        {"403.16", "the server does not trust the client certificate; see client-cert"},
        {"403.17", "the client certificate has expired; see client-cert"},
    };
    const char *evidence = a->diagnostics ? a->diagnostics : a->cas_error ? a->cas_error : a->fault;
    const char *text = a->online ? "EWS is closed to this mailbox, licence or program (EwsEnabled, EwsAllowedAppIDs); "
                                   "Exchange Online ends it: use backend = eas"
                                 : "EWS is closed to this mailbox or program (EwsEnabled, EwsApplicationAccessPolicy): "
                                   "ask the administrator, or use backend = eas";
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (contains(a->diagnostics, table[i].words) || sample_has(a, table[i].words)) {
            text = table[i].text;
            break;
        }
    err_set(&v->err, ERR_DENIED, "HTTP 403: %s%s%.60s%s", text, evidence ? " (" : "", evidence ? evidence : "",
            evidence ? ")" : "");
}

void ews_verdict_http(const struct ews_http_answer *a, struct ews_verdict *ret_verdict)
{
    struct ews_verdict *v = ret_verdict;
    *v = (struct ews_verdict){.action = EWS_FAIL};
    if (a->status >= 200 && a->status < 300)
        page_instead(a, v);
    else if (a->status >= 300 && a->status < 400)
        redirect(a, v);
    else if (a->status == 403)
        closed(a, v);
    else
        by_table(a, v);
    /* IIS and WCF have limits of their own below Exchange's. A request above them is "not found" to IIS, which tells
     * its sub-status 404.13 to nobody outside, and "malformed" to WCF before .NET 4 (Exchange 2010, where both begin at
     * some 10 MB). */
    if (a->large && (a->status == 404 || a->status == 400))
        err_set(&v->err, ERR_TOO_BIG, "HTTP %d: the request is larger than the web server accepts", a->status);
    if (a->status == 500 && sample_has(a, "The specified server version is invalid"))
        v->action = EWS_LOWER;
    if (a->status == 401 && sample_has(a, "account is currently locked out")) {
        v->action = EWS_FAIL;
        err_set(&v->err, ERR_AUTH, "HTTP 401: the account is locked out");
    } else if (a->status == 401 && a->diagnostics) {
        err_set(&v->err, ERR_AUTH, "HTTP 401: the server refused the credentials: %s", a->diagnostics);
    }
    if (v->action == EWS_BUSY)
        v->pause_ms = a->retry_after_s > EWS_BACKOFF_MAX_MS / 1000 ? EWS_BACKOFF_MAX_MS : a->retry_after_s * 1000;
    v->not_begun = a->status == 429;
    v->err.status = a->status;
    v->err.retry_after_s = v->pause_ms / 1000;
}

/* --- EWS ----------------------------------------------------------------------------------------- */

void ews_verdict_status(const struct ews_status *s, const char *operation, bool alone, bool confirmed,
                        struct ews_verdict *ret_verdict)
{
    struct ews_verdict *v = ret_verdict;
    unsigned flags = s->code->flags;
    *v = (struct ews_verdict){.action = EWS_FAIL,
                              .not_begun = flags & (EWS_CODE_BUSY | EWS_CODE_NOT_DONE),
                              .moved = flags & EWS_CODE_MOVED,
                              .slow = flags & EWS_CODE_SLOW};
    ews_status_err(s, operation, &v->err);
    if (flags & EWS_CODE_BUSY || (s->backoff_ms && s->code->err != ERR_NONE))
        v->action = EWS_BUSY;
    else if (flags & EWS_CODE_VERSION)
        v->action = alone ? EWS_LOWER : EWS_FAIL;
    else if (alone && !confirmed && strcmp(s->code->name, "ErrorInvalidRequest") == 0)
        v->action = EWS_LOWER; /* how some builds put it */
    else if (flags & EWS_CODE_RETRY || (alone && flags & EWS_CODE_RETRY_ALONE))
        v->action = EWS_RETRY;
    if (v->action == EWS_BUSY) {
        v->pause_ms = s->backoff_ms;
        v->err.code = ERR_THROTTLED;
    }
}

/* --- what kind of body --------------------------------------------------------------------------- */

static struct str skip_blanks(struct str s)
{
    if (str_starts(s, STR("\xEF\xBB\xBF")))
        s = str_skip(s, 3);
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
        s = str_skip(s, 1);
    return s;
}

bool ews_body_is_html(struct str sample)
{
    struct str s = skip_blanks(sample);
    if (str_case_starts(s, STR("<!doctype html")) || str_case_starts(s, STR("<html")))
        return true;
    /* XHTML, or a page that begins with a comment */
    s = str_sub(s, 0, 1024);
    return s.n && s.p[0] == '<' && str_case_find(s, STR("<html")) != (size_t)-1;
}

enum ews_kind ews_body_kind(struct str begin, bool final)
{
    struct str s = skip_blanks(begin);
    if (s.n < 16 && !final && begin.n < EWS_SAMPLE_MAX)
        return EWS_KIND_UNDECIDED;
    if (s.n == 0 || s.p[0] != '<' || ews_body_is_html(s))
        return EWS_KIND_OTHER;
    return EWS_KIND_XML;
}

/* --- trying again -------------------------------------------------------------------------------- */

bool ews_retries_next(struct ews_retries *r, const struct ews_patience *p, const struct ews_verdict *v, uint32_t dice,
                      unsigned *ret_pause_ms)
{
    uint64_t pause;
    if (v->action == EWS_BUSY) {
        unsigned shift = r->busy < 5 ? r->busy : 5;
        r->busy++;
        pause = v->pause_ms ? v->pause_ms : (uint64_t)p->busy_ms << shift;
    } else {
        unsigned shift = 2 * (r->failed < 5 ? r->failed : 5);
        if (++r->failed >= p->tries) {
            *ret_pause_ms = 0;
            return false;
        }
        pause = (uint64_t)p->first_ms << shift;
    }
    /* Never less than asked for; a little more, so that what was stopped together does not start together. */
    pause += pause / 4 * (dice % 1024) / 1024;
    *ret_pause_ms = pause > EWS_BACKOFF_MAX_MS ? EWS_BACKOFF_MAX_MS : (unsigned)pause;
    if (r->waited_ms + pause > p->wait_max_ms || r->busy > 8)
        return false;
    r->waited_ms += pause;
    return true;
}
