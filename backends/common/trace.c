/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/trace.h"

#include <stdio.h>

#include "backends/common/trace_private.h"
#include "bridge/base/list.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define EXCHANGES_MAX 64 /* requests at once; more than any account has */
#define TYPE_MAX      127

/* One direction of a request. */
struct side {
    struct trace_document document;
    char content_type[TYPE_MAX + 1];
    void *reader;
    bool begun; /* a body */
    bool over;  /* the request was answered: what still goes out is the rest of one */
    uint64_t size, body_size;
};

struct exchange {
    struct list link;
    struct trace *trace;
    uint64_t number, started_ms;
    bool whole; /* seen from its beginning */
    struct side asked, answered;
};

struct trace {
    struct http_looker looker;
    const struct trace_format *format;
    struct backend_trace to;
    struct list exchanges;
    size_t count;
};

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void end_body(struct trace *t, struct side *s)
{
    if (s->reader)
        t->format->end(s->reader);
    else if (s->begun)
        trace_note(&s->document, "%llu bytes%s%s", (unsigned long long)s->body_size, *s->content_type ? " of " : "",
                   s->content_type);
    s->reader = NULL;
    s->begun = false;
    s->body_size = 0;
    trace_start(&s->document);
}

static void exchange_free(struct exchange *x)
{
    end_body(x->trace, &x->asked);
    end_body(x->trace, &x->answered);
    trace_document_done(&x->asked.document);
    trace_document_done(&x->answered.document);
    list_remove(&x->link);
    x->trace->count--;
    mem_free(x);
}

static struct exchange *find(struct trace *t, uint64_t number)
{
    LIST_EACH (&t->exchanges, link) {
        struct exchange *x = LIST_ITEM(link, struct exchange, link);
        if (x->number == number)
            return x;
    }
    return NULL;
}

static void set_side(struct trace *t, struct side *s, uint64_t number, char arrow)
{
    trace_document_init(&s->document, &t->to);
    snprintf(s->document.prefix, sizeof(s->document.prefix), "#%s%llu %c ", t->format->label,
             (unsigned long long)number, arrow);
}

/* NULL: too many. */
static struct exchange *begin(struct trace *t, uint64_t number, bool whole)
{
    if (t->count == EXCHANGES_MAX)
        return NULL;
    struct exchange *x = MEM_NEW(struct exchange);
    x->trace = t;
    x->number = number;
    x->started_ms = time_mono_ms();
    x->whole = whole;
    set_side(t, &x->asked, number, '>');
    set_side(t, &x->answered, number, '<');
    list_append(&t->exchanges, &x->link);
    t->count++;
    if (!whole)
        trace_line(&x->answered.document, STR("[more of an answer that began earlier]"));
    return x;
}

/* --- heads ------------------------------------------------------------------------------------------------------- */

#define IS_AMONG(name, names) str_case_among((name), (names), sizeof(names) / sizeof((names)[0]))

/* Of a query, what says which command it is, or what is asked of a login server; users, devices and codes are left
 * out. */
static void add_query(struct buf *out, struct str query)
{
    static const char *const shown[] = {"client_id",  "Cmd",          "code_challenge_method", "DeviceType",
                                        "error",      "redirect_uri", "response_mode",         "response_type",
                                        "SaveInSent", "scope"};
    struct str one, name;
    char sep = '?';
    while (str_cut(&query, '&', &one)) {
        struct str value = one;
        buf_byte(out, sep);
        sep = '&';
        bool has_value = str_find_byte(one, '=') != (size_t)-1 && str_cut(&value, '=', &name);
        if (has_value) {
            buf_str(out, str_sub(name, 0, TRACE_NAME_MAX));
            buf_byte(out, '=');
        }
        trace_add_value(out, value, value.n, has_value && IS_AMONG(name, shown));
    }
}

static void add_address(struct buf *out, struct str address)
{
    struct str path = address;
    if (str_find_byte(address, '?') == (size_t)-1) {
        buf_str(out, address);
        return;
    }
    str_cut(&address, '?', &path);
    buf_str(out, path);
    add_query(out, address);
}

static void add_header_value(struct buf *out, struct str name, struct str value)
{
    static const char *const shown[] = {
        "Accept",
        "Accept-Encoding",
        "Cache-Control",
        "client-request-id",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Date",
        "Expect",
        "Host",
        "MS-ASAcceptMultiPart",
        "MS-ASProtocolCommands",
        "MS-ASProtocolVersion",
        "MS-ASProtocolVersions",
        "MS-Server-ActiveSync",
        "Proxy-Connection",
        "request-id",
        "Retry-After",
        "return-client-request-id",
        "Server",
        "Transfer-Encoding",
        "User-Agent",
        "Via",
        "X-BEServer",
        "X-CalculatedBETarget",
        "X-FEServer",
        "X-MS-ASThrottle",
        "X-MS-Credential-Service-CredExpired",
        "X-MS-PolicyKey",
        "X-MS-RP",
        "X-PreferServerAffinity",
    };
    static const char *const schemes[] = {"Authorization", "Proxy-Authorization", "WWW-Authenticate",
                                          "Proxy-Authenticate"};
    static const char *const addresses[] = {"Location", "X-MS-Location"};
    struct str scheme;
    if (IS_AMONG(name, addresses)) {
        add_address(out, value);
    } else if (IS_AMONG(name, schemes) && str_find_byte(value, ' ') != (size_t)-1) {
        str_cut(&value, ' ', &scheme);
        buf_str(out, scheme);
        buf_lit(out, " [hidden]"); /* not even how long: that would tell the length of the password */
    } else {
        bool bare = str_case_is(name, "WWW-Authenticate"); /* "NTLM": an offer, no credentials */
        trace_add_value(out, value, value.n, bare || IS_AMONG(name, shown));
    }
}

/* A head begins: what came before it in this direction is over (another round of a handshake). */
static bool begins_head(struct str line)
{
    return str_starts(line, STR("HTTP/")) || str_find(line, STR(" HTTP/1.")) != (size_t)-1;
}

/* A status line, and not 100 (Continue), which comes before the body. */
static bool is_final(struct str line)
{
    struct str version;
    return str_starts(line, STR("HTTP/")) && str_cut(&line, ' ', &version) && !str_starts(line, STR("1"));
}

static void say_head_line(struct side *s, struct str line)
{
    struct buf out = BUF_INIT(16384);
    struct str name, value = line;
    bool is_status = str_starts(line, STR("HTTP/"));
    size_t colon = str_find_byte(line, ':'), blank = str_find_byte(line, ' ');
    if (!is_status && colon != (size_t)-1 && colon < blank) {
        str_cut(&value, ':', &name);
        value = str_trim(value);
        if (str_case_is(name, "Content-Type"))
            snprintf(s->content_type, sizeof(s->content_type), "%.*s", STR_ARG(value));
        buf_printf(&out, "%.*s: ", STR_ARG(name));
        add_header_value(&out, name, value);
    } else if (is_status) {
        buf_str(&out, line);
    } else if (begins_head(line)) {
        size_t end = line.n;
        while (line.p[end - 1] != ' ')
            end--;
        buf_str(&out, str_sub(line, 0, blank + 1));
        if (end > blank + 1)
            add_address(&out, str_sub(line, blank + 1, end - 1 - (blank + 1)));
        buf_printf(&out, " %.*s", STR_ARG(str_skip(line, end)));
    } else {
        trace_add_value(&out, STR_NULL, line.n, false);
    }
    trace_line(&s->document, buf_view(&out));
    buf_done(&out);
}

static void on_head(struct trace *t, struct side *s, struct str bytes)
{
    struct str line;
    s->size += bytes.n;
    while (str_cut(&bytes, '\n', &line)) {
        line = str_trim(line);
        if (begins_head(line)) {
            end_body(t, s);
            s->over = false;
            s->content_type[0] = '\0';
        }
        if (line.n)
            say_head_line(s, line);
    }
}

/* --- bodies ------------------------------------------------------------------------------------------------------ */

static void on_body(struct trace *t, struct exchange *x, struct side *s, struct str bytes)
{
    s->size += bytes.n;
    s->body_size += bytes.n;
    if (!s->begun) {
        s->begun = true;
        s->reader = t->format->begin(&s->document, str_from(s->content_type), x->whole && !s->over);
    }
    if (s->reader)
        t->format->feed(s->reader, bytes);
}

static void on_ended(struct trace *t, struct exchange *x, struct str why)
{
    struct buf line = BUF_INIT(2048);
    end_body(t, &x->asked);
    end_body(t, &x->answered);
    buf_printf(&line, "#%s%llu = %llu ms, %llu bytes asked, %llu answered", t->format->label,
               (unsigned long long)x->number, (unsigned long long)(time_mono_ms() - x->started_ms),
               (unsigned long long)x->asked.size, (unsigned long long)x->answered.size);
    if (why.n)
        buf_printf(&line, ": %.*s", STR_ARG(why));
    t->to.line(t->to.ud, buf_view(&line));
    buf_done(&line);
    exchange_free(x);
}

void trace_see(void *ud, uint64_t number, enum http_sight sight, struct str bytes)
{
    struct trace *t = ud;
    struct exchange *x = find(t, number);
    bool never_began = !x && sight == HTTP_ENDED;
    if (never_began && bytes.n == 0)
        return;
    if (!x && !(x = begin(t, number, never_began || sight == HTTP_ASKED_HEAD)))
        return;
    switch (sight) {
    case HTTP_ASKED_HEAD:
        on_head(t, &x->asked, bytes);
        break;
    case HTTP_ASKED_BODY:
        on_body(t, x, &x->asked, bytes);
        break;
    case HTTP_ANSWERED_HEAD:
        if (is_final(bytes)) {
            end_body(t, &x->asked);
            x->asked.over = true;
        }
        on_head(t, &x->answered, bytes);
        break;
    case HTTP_ANSWERED_BODY:
        on_body(t, x, &x->answered, bytes);
        break;
    case HTTP_ENDED:
        on_ended(t, x, bytes);
        break;
    }
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct trace *trace_new(struct http_client *http, const struct trace_format *format, const struct backend_trace *to)
{
    struct trace *t = MEM_NEW(struct trace);
    t->looker = (struct http_looker){.fn = trace_see, .ud = t};
    list_init(&t->looker.link);
    t->format = format;
    t->to = *to;
    list_init(&t->exchanges);
    if (http)
        http_look_on(http, &t->looker);
    return t;
}

static void say_nothing(void *ud, struct str line)
{
    (void)ud;
    (void)line;
}

/* Whoever listened has gone. */
void trace_free(struct trace **trace)
{
    struct trace *t = *trace;
    *trace = NULL;
    if (!t)
        return;
    http_look_away(&t->looker);
    t->to.line = say_nothing;
    while (!list_empty(&t->exchanges))
        exchange_free(LIST_ITEM(t->exchanges.next, struct exchange, link));
    mem_free(t);
}

void trace_replace(struct trace **t, struct http_client *http, const struct trace_format *format,
                   const struct backend_trace *to)
{
    trace_free(t);
    if (to)
        *t = trace_new(http, format, to);
}
