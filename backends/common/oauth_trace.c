/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/oauth_trace.h"

#include "backends/common/oauth_private.h"
#include "backends/common/trace_private.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"

#define BROWSER 0 /* a number that no request of ours has */

struct reader {
    struct trace_document *document;
    struct buf text;
    bool is_json;
};

/* --- parameters ----------------------------------------------------------------------------------------------------
 */

static bool is_shown(struct str name)
{
    static const char *const shown[] = {
        "client_id",        "correlation_id", "error",          "error_codes",
        "error_uri",        "expires_in",     "ext_expires_in", "grant_type",
        "interval",         "redirect_uri",   "scope",          "suberror",
        "timestamp",        "token_type",     "trace_id",       "verification_uri",
        "verification_url",
    };
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (str_is(name, shown[i]))
            return true;
    return false;
}

static void say(struct reader *r, struct str name, struct str value)
{
    trace_open(r->document, name, is_shown(name));
    trace_text(r->document, value);
    trace_close(r->document);
}

static void say_form(struct reader *r)
{
    struct str rest = buf_view(&r->text), field, name;
    while (str_cut(&rest, '&', &field)) {
        struct buf plain = BUF_INIT(OAUTH_ANSWER_MAX);
        struct str value = field;
        if (str_find_byte(field, '=') == (size_t)-1 || !str_cut(&value, '=', &name))
            name = STR("...");
        bool ok = text_percent_decode(&plain, value);
        say(r, name, ok ? buf_view(&plain) : value);
        buf_wipe(&plain);
    }
}

static void say_json(struct reader *r)
{
    json_t *root = oauth_json(buf_view(&r->text)), *value;
    const char *name;
    if (!root)
        trace_note(r->document, "%zu bytes that are no JSON", r->text.n);
    json_object_foreach(root, name, value)
    {
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        say(r, str_from(name), text ? str_from(text) : str_of(json_string_value(value), json_string_length(value)));
        mem_wipe_free(text);
    }
    oauth_json_free(root);
}

/* --- bodies --------------------------------------------------------------------------------------------------------
 */

static void *begin(struct trace_document *d, struct str content_type, bool whole)
{
    bool is_json = str_case_starts(content_type, STR("application/json"));
    if (!whole || (!is_json && !str_case_starts(content_type, STR("application/x-www-form-urlencoded"))))
        return NULL;
    struct reader *r = MEM_NEW(struct reader);
    r->document = d;
    r->is_json = is_json;
    buf_init(&r->text, OAUTH_ANSWER_MAX);
    trace_start(d);
    return r;
}

static void feed(void *reader, struct str bytes)
{
    struct reader *r = reader;
    buf_str(&r->text, bytes);
}

static void end(void *reader)
{
    struct reader *r = reader;
    if (r->text.failed)
        trace_note(r->document, "more than %zu bytes", OAUTH_ANSWER_MAX);
    else if (r->is_json)
        say_json(r);
    else
        say_form(r);
    buf_wipe(&r->text);
    mem_free(r);
}

const struct trace_format oauth_trace_format = {.label = "login-", .begin = begin, .feed = feed, .end = end};

/* --- the browser's steps -------------------------------------------------------------------------------------------
 */

void oauth_trace_authorize(struct trace *t, const char *url)
{
    struct buf head = BUF_INIT(0);
    buf_printf(&head, "GET %s HTTP/1.1\r\n", url);
    trace_see(t, BROWSER, HTTP_ASKED_HEAD, buf_view(&head));
    buf_wipe(&head);
}

void oauth_trace_redirect(struct trace *t, const struct oauth_redirect *r)
{
    const struct {
        const char *name;
        const struct buf *value;
    } fields[] = {
        {"code", &r->code}, {"error", &r->error}, {"error_description", &r->description}, {"state", &r->state}};
    struct buf head = BUF_INIT(0);
    buf_lit(&head, "GET /");
    for (size_t i = 0, n = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!fields[i].value->n)
            continue;
        buf_printf(&head, "%c%s=", n++ ? '&' : '?', fields[i].name);
        text_percent_add(&head, buf_view(fields[i].value), NULL);
    }
    buf_lit(&head, " HTTP/1.1\r\n");
    trace_see(t, BROWSER, HTTP_ANSWERED_HEAD, buf_view(&head));
    trace_see(t, BROWSER, HTTP_ENDED, STR_NULL);
    buf_wipe(&head);
}
