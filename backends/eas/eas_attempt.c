/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a call: address, headers and body. */
#include <stdio.h>
#include <string.h>

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_call.h"
#include "backends/eas/eas_http.h"
#include "bridge/base/mem.h"

#define CONTENT_WBXML "application/vnd.ms-sync.wbxml"
#define CONTENT_MIME  "message/rfc822"
#define HEADERS_MAX   4

/* --- the body: what write() wrote, with the MIME in its place ---------------------------------------------------- */

void eas_call_write_mime(struct eas_call *call, struct eas_writer *w, enum eas_tag tag, enum eas_mime_form form)
{
    if (form == EAS_MIME_OPAQUE)
        eas_write_opaque_begin(w, tag, blob_size(call->mime));
    else
        eas_write_text_begin(w, tag);
    call->mime_at = w->out->n;
    if (form == EAS_MIME_OPAQUE)
        eas_write_opaque_end(w);
    else
        eas_write_text_end(w);
}

void eas_call_write_raw(struct eas_call *call, struct eas_writer *w)
{
    call->mime_at = w->out->n;
    if (w->page != 0)
        w->out->failed = true;
    w->page = EAS_PAGE_NONE;
}

/* Up to 12.1 a message is the whole body (MS-ASCMD 2.2.1.17). */
static bool is_bare(const struct eas_call *call)
{
    return call->request->message && call->b->state.version < 140;
}

static bool write_body(struct eas_call *call, struct err *err)
{
    struct eas_writer w;

    buf_reset(&call->body);
    call->mime_at = 0;
    if (!call->request->write || is_bare(call))
        return true;
    eas_writer_init(&w, &call->body);
    if (!call->request->write(call->ud, &w, err))
        return false;
    if (call->body.failed)
        return err_set(err, ERR_INVALID, "the request is too large or holds what cannot be sent");
    return true;
}

static size_t copy(char *to, size_t room, const char *from, uint64_t left)
{
    size_t n = left < room ? (size_t)left : room;

    memcpy(to, from, n);
    return n;
}

/* 0 before the end: the disk failed; the request then ends short and is refused. */
static size_t on_read(void *ud, char *to, size_t room)
{
    struct eas_call *call = ud;
    uint64_t mime_size = blob_size(call->mime), mime_end = call->mime_at + mime_size, at = call->upload_at;
    size_t n = 0;

    if (at < call->mime_at) {
        n = copy(to, room, call->body.p + at, call->mime_at - at);
    } else if (at < mime_end) {
        uint64_t left = mime_end - at;

        n = left < room ? (size_t)left : room;
        if (!blob_read(call->mime, at - call->mime_at, to, n, NULL))
            return 0;
    } else if (at < call->body.n + mime_size) {
        n = copy(to, room, call->body.p + (at - mime_size), call->body.n + mime_size - at);
    }
    call->upload_at += n;
    return n;
}

static bool on_rewind(void *ud)
{
    ((struct eas_call *)ud)->upload_at = 0;
    return true;
}

static void set_body(struct eas_call *call, struct http_request_opts *opts)
{
    if (!call->mime) {
        opts->body = buf_view(&call->body);
        return;
    }
    call->upload_at = 0;
    opts->body_size = call->body.n + blob_size(call->mime);
    opts->read = on_read;
    opts->rewind = on_rewind;
    opts->body_ud = call;
}

/* --- address and headers ----------------------------------------------------------------------------------------- */

static size_t add_headers(struct eas_call *call, struct http_header *h)
{
    const struct eas_backend *b = call->b;
    const char *key = call->policy_key ? call->policy_key : b->state.policy_key;
    size_t n = 0;

    snprintf(call->key_sent, sizeof(call->key_sent), "%s", key);
    if (call->request->command == EAS_OPTIONS)
        return 0;
    h[n++] = (struct http_header){"MS-ASProtocolVersion", eas_version_name(b->state.version)};
    if (call->body.n > 0 || is_bare(call))
        h[n++] = (struct http_header){"Content-Type", is_bare(call) ? CONTENT_MIME : CONTENT_WBXML};
    if (call->request->command !=
        EAS_PING) /* MS-ASPROV 3.1.5.1: on all commands but that one; "0" before there is a key */
        h[n++] = (struct http_header){"X-MS-PolicyKey", key};
    if (call->request->multipart && !b->multipart_refused)
        h[n++] = (struct http_header){"MS-ASAcceptMultiPart", "T"};
    return n;
}

static void add_address(const struct eas_call *call, struct buf *url)
{
    const struct eas_backend *b = call->b;
    const char *user = login_user(b->config.login);

    if (call->request->command == EAS_OPTIONS) {
        buf_lit(url, eas_address(b));
        return;
    }
    eas_http_address(url, &(struct eas_address){.url = eas_address(b),
                                                .command = eas_command_name(call->request->command),
                                                .user = user ? user : b->config.email,
                                                .device_id = b->state.device_id,
                                                .device_type = EAS_DEVICE_TYPE});
    if (call->query && is_bare(call)) /* later versions say it in the document */
        buf_lit(url, call->query);
}

bool eas_attempt_start(struct eas_call *call, const struct http_events *events, const char *secret, struct err *err)
{
    struct eas_backend *b = call->b;
    struct http_header headers[HEADERS_MAX];
    struct http_request_opts opts = {
        .method = call->request->command == EAS_OPTIONS ? "OPTIONS" : "POST",
        .headers = headers,
        .max_answer = call->request->streams ? EAS_STREAM_MAX : EAS_ANSWER_MAX,
        .stall_s = call->stall_s,
        .timeout_s = call->timeout_s,
        .auth = login_auth(b->config.login),
        .user = login_user(b->config.login),
        .secret = secret,
        .once = call->request->once,
    };
    struct buf url = BUF_INIT(8192);

    if (!write_body(call, err))
        return false;
    set_body(call, &opts);
    opts.header_count = add_headers(call, headers);
    add_address(call, &url);
    call->address = b->addresses;
    opts.url = buf_z(&url);
    call->http = http_start(b->http, &opts, events, call);
    buf_done(&url);
    return true;
}
