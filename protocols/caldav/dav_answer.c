/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "bridge/base/log.h"
#include "bridge/base/time.h"
#include "protocols/caldav/dav_session.h"

const char *dav_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {204, "No Content"},
                   {207, "Multi-Status"},
                   {301, "Moved Permanently"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {422, "Unprocessable Content"},
                   {424, "Failed Dependency"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

/* An item's HTML must never run as ours, and no page may frame or keep what is here. */
#define SAFETY                                                                                                         \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n"                                 \
    "Cache-Control: no-store\r\n"
#define DAV_CLASSES "DAV: 1, 3, extended-mkcol, calendar-access, calendar-auto-schedule\r\n"

static void add_head(struct dav_session *s, int status, const char *headers, const char *type)
{
    struct buf *out = &s->client.out;
    s->answered = true;
    buf_printf(out, "HTTP/1.1 %d %s\r\n", status, dav_reason(status));
    buf_lit(out, SAFETY);
    if (status != 401 && s->client.account)
        buf_lit(out, DAV_CLASSES);
    if (status == 405) /* RFC 9110 15.5.6 */
        dav_add_allow(out, s->path.place);
    if (headers)
        buf_lit(out, headers);
    if (type)
        buf_printf(out, "Content-Type: %s\r\n", type);
    if (!s->request || !s->request->keep_alive || s->closing)
        buf_lit(out, "Connection: close\r\n");
}

void dav_answer_chunked(struct dav_session *s, int status, const char *type)
{
    add_head(s, status, NULL, type);
    buf_lit(&s->client.out, "Transfer-Encoding: chunked\r\n\r\n");
}

void dav_answer(struct dav_session *s, int status, const char *headers, const char *type, struct str body)
{
    struct buf *out = &s->client.out;
    bool head = s->request && s->request->method == DAV_HEAD;
    if (s->answered)
        return;
    add_head(s, status, headers, body.n ? type : NULL);
    if (status != 204 && status != 304)
        buf_printf(out, "Content-Length: %zu\r\n", body.n);
    buf_lit(out, "\r\n");
    if (!head) {
        client_flush(&s->client); /* long bodies go past the limit of `out` */
        if (body.n)
            conn_write(s->client.conn, body);
    }
    dav_request_over(s);
}

void dav_answer_status(struct dav_session *s, int status)
{
    dav_answer(s, status, NULL, NULL, STR_NULL);
}

void dav_answer_error(struct dav_session *s, int status, const char *precondition, const char *content,
                      const char *text)
{
    struct buf b = {0};
    buf_lit(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\" "
                "xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:E=\"urn:exbridge:dav\">");
    if (precondition && content)
        buf_printf(&b, "<%s>%s</%s>", precondition, content, precondition);
    else if (precondition)
        buf_printf(&b, "<%s/>", precondition);
    if (text) {
        buf_lit(&b, "<E:reason>");
        xml_add_escaped(&b, str_from(text));
        buf_lit(&b, "</E:reason>");
    }
    buf_lit(&b, "</D:error>\n");
    dav_answer(s, status, NULL, "application/xml; charset=utf-8", buf_view(&b));
    buf_done(&b);
}

/* RFC 8144 2: nothing about what is not there, and of a change no more than that it was made. */
bool dav_wants_minimal(const struct dav_session *s)
{
    for (size_t i = 0; i < s->request->header_count; i++) {
        struct str list = s->request->headers[i].value, preference, name;
        while (str_case_is(s->request->headers[i].name, "Prefer") && str_cut(&list, ',', &preference))
            if (str_cut(&preference, ';', &name) && str_case_is(str_trim(name), "return=minimal"))
                return true;
    }
    return false;
}

static const struct {
    int status;
    const char *text; /* for people; the log has the cause */
} answers[] = {
    [ERR_NONE] = {500, "No error"},
    [ERR_AUTH] = {503, "Exchange refuses the account's credentials; see exbridge status"},
    [ERR_DENIED] = {403, "Exchange does not allow it"},
    [ERR_NOT_FOUND] = {404, "There is no such thing"},
    [ERR_EXISTS] = {409, "The name is taken"},
    [ERR_CONFLICT] = {412, "It was changed meanwhile"},
    [ERR_INVALID] = {403, "Exchange cannot hold this"},
    [ERR_UNSUPPORTED] = {403, "This server cannot do that"},
    [ERR_TOO_BIG] = {413, "It is too big"},
    [ERR_QUOTA] = {507, "The mailbox is full"},
    [ERR_THROTTLED] = {503, "Exchange asks for a pause"},
    [ERR_OFFLINE] = {503, "Exchange cannot be reached"},
    [ERR_PROTOCOL] = {502, "Exchange gave an answer that cannot be understood"},
    [ERR_STALE] = {503, "The calendar is being read anew"},
    [ERR_POLICY] = {403, "A policy of the server stands in the way; see exbridge status"},
    [ERR_DISK] = {507, "This machine's disk is full or failing"},
    [ERR_INTERNAL] = {500, "Something went wrong here; see the log"},
};
_Static_assert(sizeof(answers) / sizeof(answers[0]) == ERR_MAX, "every error has an answer");

void dav_answer_err(struct dav_session *s, const struct err *err)
{
    char retry[48] = "";
    int status = answers[err->code].status;
    if (err->code != ERR_NOT_FOUND && err->code != ERR_CONFLICT && err->code != ERR_INVALID)
        log_warn("caldav", client_account_name(&s->client), "%s %.200s: %s", s->request->method_name,
                 s->request->target.n ? arena_strdup(&s->arena, s->request->target) : "", err->text);
    if (status == 503) {
        unsigned after = err->retry_after_s ? err->retry_after_s : 30;
        snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", after);
        struct buf b = {0};
        buf_printf(&b, "%s\n", answers[err->code].text);
        dav_answer(s, status, retry, "text/plain; charset=utf-8", buf_view(&b));
        buf_done(&b);
        return;
    }
    dav_answer_error(s, status, NULL, NULL, answers[err->code].text);
}
