/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/autodiscover_probe.h"

#include <string.h>

#include "backends/common/autodiscover_rules.h"
#include "bridge/base/mem.h"

#define SCHEME_HEADERS_MAX 16

/* --- words ----------------------------------------------------------------------------------------- */

const char *autodiscover_verdict_text(enum autodiscover_verdict v)
{
    static const char *const texts[] = {
        [VERDICT_PENDING] = "not looked at",
        [VERDICT_ASKS] = "there, and asks who we are",
        [VERDICT_ANSWERS] = "there, and answers",
        [VERDICT_LEADS] = "leads elsewhere",
        [VERDICT_BAD_LEAD] = "leads where nobody should follow",
        [VERDICT_OTHER_ADDRESS] = "knows the mailbox by another address",
        [VERDICT_NOTHING] = "nothing there",
        [VERDICT_FORBIDDEN] = "closed (403)",
        [VERDICT_NOT_EXCHANGE] = "something that is not Exchange",
        [VERDICT_BUSY] = "the server is in trouble",
        [VERDICT_NO_NAME] = "no such name",
        [VERDICT_NO_CONNECTION] = "no connection",
        [VERDICT_TIMEOUT] = "no answer",
        [VERDICT_NO_TLS] = "no TLS that we accept",
        [VERDICT_BAD_CERTIFICATE] = "the certificate is not to be trusted",
        [VERDICT_LEFT] = "not waited for",
    };
    _Static_assert(sizeof(texts) / sizeof(texts[0]) == VERDICT_MAX, "every verdict has its words");
    return texts[v];
}

static const struct {
    enum autodiscover_scheme scheme;
    const char *name;
} schemes_known[] = {
    {SCHEME_NEGOTIATE, "Negotiate"}, {SCHEME_NTLM, "NTLM"}, {SCHEME_BEARER, "Bearer"}, {SCHEME_BASIC, "Basic"}};
#define SCHEME_COUNT (sizeof(schemes_known) / sizeof(schemes_known[0]))

void autodiscover_schemes_text(unsigned schemes, struct buf *out)
{
    const char *comma = "";
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        if (!(schemes & schemes_known[i].scheme))
            continue;
        buf_printf(out, "%s%s", comma, schemes_known[i].name);
        comma = ", ";
    }
    if (!schemes)
        buf_lit(out, "none that we know");
}

/* The header's first word, and that of each challenge after a comma that looks like one (RFC 9110 11.6.1): Exchange
 * sends a header for each, proxies may join them. */
static unsigned schemes_of(struct str value)
{
    struct str piece;
    unsigned found = 0;
    while (str_cut(&value, ',', &piece)) {
        piece = str_trim(piece);
        struct str word = str_sub(piece, 0, str_find_byte(piece, ' '));
        for (size_t i = 0; i < SCHEME_COUNT; i++)
            if (str_case_is(word, schemes_known[i].name))
                found |= schemes_known[i].scheme;
    }
    return found;
}

unsigned autodiscover_schemes(const struct http_request *req)
{
    const char *value;
    unsigned found = 0;
    for (size_t i = 0; i < SCHEME_HEADERS_MAX && (value = http_header_nth(req, "WWW-Authenticate", i)); i++)
        found |= schemes_of(str_from(value));
    return found;
}

bool autodiscover_location(const char *base_url, const char *location, struct buf *out)
{
    struct autodiscover_url u;
    struct str base = str_from(base_url), to = str_from(location);
    if (!autodiscover_url_read(base, &u))
        return false;
    if (str_starts(to, STR("/")) && !str_starts(to, STR("//"))) {
        buf_lit(out, u.https ? "https://" : "http://");
        autodiscover_authority(&u, out);
    }
    buf_str(out, to);
    return autodiscover_url_read(buf_view(out), &u);
}

/* --- a request ----------------------------------------------------------------------------------------- */

struct autodiscover_probe {
    enum autodiscover_kind kind;
    char *url;
    autodiscover_probe_cb *cb;
    void *ud;
    struct http_request *req;
    struct arena arena;
    struct buf body; /* of the answer; POX is read as it comes */
    struct autodiscover_reader *reader;
    struct autodiscover_answer answer;
    bool readable; /* the answer is POX so far */
    struct buf lead;
};

static void take_answer(struct autodiscover_probe *p, struct autodiscover_probe_result *r)
{
    struct err err;
    if (!p->readable || !autodiscover_reader_finish(p->reader, &err)) {
        r->verdict = VERDICT_NOT_EXCHANGE;
        return;
    }
    r->verdict = VERDICT_ANSWERS;
    if (p->answer.action == AUTODISCOVER_REDIRECT_URL || p->answer.action == AUTODISCOVER_REDIRECT_ADDRESS) {
        buf_str(&p->lead, p->answer.redirect);
        r->lead = buf_z(&p->lead);
        r->verdict = p->answer.action == AUTODISCOVER_REDIRECT_URL ? VERDICT_LEADS : VERDICT_OTHER_ADDRESS;
    }
}

static void take_json(struct autodiscover_probe *p, struct autodiscover_probe_result *r)
{
    struct str url;
    struct err err;
    if (!autodiscover_read_json(buf_view(&p->body), &p->arena, &url, &err)) {
        r->verdict = err.code == ERR_NOT_FOUND ? VERDICT_NOTHING : VERDICT_NOT_EXCHANGE;
        return;
    }
    buf_str(&p->lead, url);
    r->lead = buf_z(&p->lead);
    r->verdict = VERDICT_ANSWERS;
}

static void take_success(struct autodiscover_probe *p, struct autodiscover_probe_result *r)
{
    switch (p->kind) {
    case PROBE_POX:
        take_answer(p, r);
        break;
    case PROBE_JSON:
        take_json(p, r);
        break;
    case PROBE_EAS:
        r->verdict = r->versions ? VERDICT_ANSWERS : VERDICT_NOT_EXCHANGE;
        break;
    default:
        r->verdict = p->kind == PROBE_PLAIN ? VERDICT_NOTHING : VERDICT_NOT_EXCHANGE;
        break;
    }
}

static void take_redirect(struct autodiscover_probe *p, struct autodiscover_probe_result *r)
{
    const char *location = http_header(p->req, "Location");
    bool ok = location && autodiscover_location(p->url, location, &p->lead);
    if (!ok) {
        buf_reset(&p->lead);
        buf_lit(&p->lead, location ? location : "");
    }
    r->lead = buf_z(&p->lead);
    r->verdict = ok ? VERDICT_LEADS : VERDICT_BAD_LEAD;
}

static void take_status(struct autodiscover_probe *p, struct autodiscover_probe_result *r)
{
    static const struct {
        int from, to;
        enum autodiscover_verdict verdict;
    } table[] = {
        {401, 401, VERDICT_ASKS},    {403, 403, VERDICT_FORBIDDEN}, {400, 499, VERDICT_NOTHING},
        {500, 501, VERDICT_NOTHING}, {502, 599, VERDICT_BUSY},      {0, 999, VERDICT_NOT_EXCHANGE},
    };
    if (r->status == 200) {
        take_success(p, r);
        return;
    }
    if (r->status == 301 || r->status == 302 || r->status == 303 || r->status == 307 || r->status == 308) {
        take_redirect(p, r);
        return;
    }
    for (size_t i = 0; r->verdict == VERDICT_PENDING; i++)
        if (r->status >= table[i].from && r->status <= table[i].to)
            r->verdict = table[i].verdict;
    if (p->kind == PROBE_PLAIN && r->verdict == VERDICT_ASKS) /* nobody will tell it */
        r->verdict = VERDICT_NOTHING;
    /* EWS answers nonsense with a SOAP fault: there it is. */
    const char *type = http_header(p->req, "Content-Type");
    if (p->kind == PROBE_EWS && r->status == 500 && type && str_case_starts(str_from(type), STR("text/xml")))
        r->verdict = VERDICT_ANSWERS;
}

static void take_failure(struct autodiscover_probe *p, struct autodiscover_probe_result *r)
{
    static const enum autodiscover_verdict verdicts[] = {
        [HTTP_FAILED_NOT] = VERDICT_NOT_EXCHANGE,
        [HTTP_FAILED_NAME] = VERDICT_NO_NAME,
        [HTTP_FAILED_CONNECT] = VERDICT_NO_CONNECTION,
        [HTTP_FAILED_TIMEOUT] = VERDICT_TIMEOUT,
        [HTTP_FAILED_TLS] = VERDICT_NO_TLS,
        [HTTP_FAILED_CERTIFICATE] = VERDICT_BAD_CERTIFICATE,
        [HTTP_FAILED_OTHER] = VERDICT_NO_CONNECTION,
    };
    r->verdict = verdicts[http_failure(p->req)];
    if (r->err->code == ERR_TOO_BIG || r->err->code == ERR_PROTOCOL)
        r->verdict = VERDICT_NOT_EXCHANGE;
}

static bool on_body(void *ud, struct http_request *req, struct str bytes)
{
    struct autodiscover_probe *p = ud;
    struct err err;
    (void)req;
    if (p->kind == PROBE_POX && p->readable)
        p->readable = autodiscover_reader_feed(p->reader, bytes, &err);
    else if (p->kind == PROBE_JSON)
        buf_str(&p->body, bytes);
    return true; /* what is no answer is read to its end (max_answer), so that the connection can be used again */
}

static void on_done(void *ud, struct http_request *req, const struct err *err)
{
    struct autodiscover_probe *p = ud;
    struct autodiscover_probe_result r = {.status = http_status(req), .err = err};
    p->req = req;
    if (err->code == ERR_NONE) {
        r.schemes = autodiscover_schemes(req);
        r.versions = http_header(req, "MS-ASProtocolVersions");
        r.date = http_header(req, "Date");
        r.frontend = http_header(req, "X-FEServer") || http_header(req, "X-OWA-Version") ||
                     http_header(req, "MS-Server-ActiveSync");
        take_status(p, &r);
    } else {
        take_failure(p, &r);
    }
    p->req = NULL; /* it ends by itself */
    p->cb(p->ud, &r);
    autodiscover_probe_free(&p);
}

struct autodiscover_probe *autodiscover_probe_start(struct http_client *client, enum autodiscover_kind kind,
                                                    const char *url, const char *email, autodiscover_probe_cb *cb,
                                                    void *ud)
{
    static const char *const methods[] = {[PROBE_POX] = "POST",
                                          [PROBE_PLAIN] = "GET",
                                          [PROBE_JSON] = "GET",
                                          [PROBE_EWS] = "POST",
                                          [PROBE_EAS] = "OPTIONS"};
    static const struct http_header xml[] = {{"Content-Type", "text/xml; charset=utf-8"}};
    static const struct http_events events = {.on_body = on_body, .on_done = on_done};
    struct autodiscover_probe *p = MEM_NEW(struct autodiscover_probe);
    struct buf question = BUF_INIT(0);
    p->kind = kind;
    p->url = mem_strdup(url);
    p->cb = cb;
    p->ud = ud;
    p->readable = true;
    p->reader = autodiscover_reader_new(&p->arena, &p->answer);
    bool post = strcmp(methods[kind], "POST") == 0;
    if (kind == PROBE_POX)
        autodiscover_write(&question, AUTODISCOVER_OUTLOOK, str_from(url), str_from(email));
    p->req = http_start(client,
                        &(struct http_request_opts){.method = methods[kind],
                                                    .url = url,
                                                    .headers = xml,
                                                    .header_count = post,
                                                    .body = buf_view(&question),
                                                    .plain = kind == PROBE_PLAIN,
                                                    .timeout_s = AUTODISCOVER_PROBE_S,
                                                    .max_answer = AUTODISCOVER_ANSWER_MAX},
                        &events, p);
    buf_done(&question);
    return p;
}

void autodiscover_probe_free(struct autodiscover_probe **probe)
{
    struct autodiscover_probe *p = *probe;
    *probe = NULL;
    if (!p)
        return;
    http_abort(&p->req);
    autodiscover_reader_free(&p->reader);
    buf_done(&p->body);
    buf_done(&p->lead);
    arena_done(&p->arena);
    mem_free(p->url);
    mem_free(p);
}
