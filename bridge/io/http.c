/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/http.h"

#include <assert.h>
#include <sys/socket.h>
#include <time.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/io/http_private.h"

#define DEFAULT_STALL_S    60
#define DEFAULT_MAX_ANSWER ((uint64_t)64 << 20)
#define HEADERS_MAX        ((size_t)256 << 10)  /* bytes of all answer headers */
#define RATIO_FREE         ((uint64_t)1 << 20)  /* decompressed bytes before the ratio counts */
#define RATIO_SLACK        ((uint64_t)64 << 10) /* compressed bytes libcurl may hold that it has not counted yet */
#define RETRY_AFTER_MAX    86400

/* --- libcurl's callbacks of one request ---------------------------------------------------------- */

static void touch(struct http_request *r)
{
    r->active_ms = time_mono_ms();
}

static bool tell_head(struct http_request *r)
{
    if (r->head_told || r->dead)
        return !r->dead;
    r->head_told = true;
    if (r->ev.on_head && !r->ev.on_head(r->ud, r, r->status)) {
        if (!r->dead)
            err_set(&r->err, ERR_PROTOCOL, "unexpected answer, HTTP status %d", r->status);
        return false;
    }
    return !r->dead;
}

static bool has_handshake(const struct http_request *r)
{
    return r->auth == HTTP_AUTH_NTLM || r->auth == HTTP_AUTH_NEGOTIATE;
}

/* The status line begins a header block, an empty line ends it. Blocks that only prepare the real answer are passed
 * over: 1xx, and the 401 in the middle of a handshake (whose body libcurl drops); if it was the end after all, on_body
 * or http_request_finish() tells it. */
static size_t on_header(char *p, size_t size, size_t count, void *ud)
{
    struct http_request *r = ud;
    size_t n = size * count;
    struct str line = str_of(p, n);
    if (r->dead)
        return 0;
    touch(r);
    http_look(r, HTTP_ANSWERED_HEAD, line);
    r->header_bytes += n;
    if (r->header_bytes > HEADERS_MAX) {
        err_set(&r->err, ERR_TOO_BIG, "more than %zu bytes of HTTP headers", HEADERS_MAX);
        return 0;
    }
    if (str_starts(line, STR("HTTP/"))) {
        uint32_t status = 0;
        str_to_u32(str_sub(line, str_find_byte(line, ' ') + 1, 3), &status);
        r->status = (int)status;
        r->compressed = false;
        return n;
    }
    if (str_case_starts(line, STR("content-encoding:")))
        r->compressed = true;
    if (str_trim(line).n == 0 && r->status >= 200 && !(has_handshake(r) && r->status == 401))
        return tell_head(r) ? n : 0;
    return n;
}

static bool within_limits(struct http_request *r)
{
    if (r->received > r->max_answer)
        return err_set(&r->err, ERR_TOO_BIG, "answer of more than %llu bytes", (unsigned long long)r->max_answer);
    if (!r->compressed || r->received < RATIO_FREE)
        return true;
    curl_off_t wire = 0;
    curl_easy_getinfo(r->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    if (r->received > ((uint64_t)wire + RATIO_SLACK) * HTTP_RATIO_MAX)
        return err_set(&r->err, ERR_TOO_BIG, "answer compressed more than %d-fold", HTTP_RATIO_MAX);
    return true;
}

static size_t on_body(char *p, size_t size, size_t count, void *ud)
{
    struct http_request *r = ud;
    size_t n = size * count;
    touch(r);
    r->received += n;
    if (r->dead || !tell_head(r) || !within_limits(r))
        return 0;
    http_look(r, HTTP_ANSWERED_BODY, str_of(p, n));
    if (r->ev.on_body && !r->ev.on_body(r->ud, r, str_of(p, n))) {
        if (!r->dead)
            err_set(&r->err, ERR_PROTOCOL, "unexpected answer, HTTP status %d", r->status);
        return 0;
    }
    return r->dead ? 0 : n;
}

static size_t on_read(char *to, size_t size, size_t count, void *ud)
{
    struct http_request *r = ud;
    uint64_t left = r->body_size - r->body_at;
    size_t n = size * count;
    if (n > left)
        n = (size_t)left;
    if (r->dead)
        return CURL_READFUNC_ABORT;
    touch(r);
    if (n == 0)
        return 0;
    if (!http_request_has_ticket(r))
        return CURL_READFUNC_ABORT; /* libcurl would go on without; the server needs not see a message for that */
    if (r->read) {
        n = r->read(r->body_ud, to, n);
        if (r->dead)
            return CURL_READFUNC_ABORT;
        if (n == 0) {
            err_set(&r->err, ERR_INTERNAL, "the request body ended early");
            return CURL_READFUNC_ABORT;
        }
    } else if (r->blob) {
        if (!blob_read(r->blob, r->body_at, to, n, &r->err))
            return CURL_READFUNC_ABORT;
    } else {
        memcpy(to, r->body.p + r->body_at, n);
    }
    r->body_at += n;
    return n;
}

static int on_seek(void *ud, curl_off_t offset, int origin)
{
    struct http_request *r = ud;
    if (r->dead || origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->body_size)
        return CURL_SEEKFUNC_FAIL;
    if (r->once && r->body_at > 0) /* part of it went out already: see http.h */
        return CURL_SEEKFUNC_FAIL;
    if (r->read && (offset != 0 || !r->rewind || !r->rewind(r->body_ud)))
        return CURL_SEEKFUNC_FAIL;
    r->body_at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Children of ours (password-command) must not inherit connections to the server. */
static curl_socket_t on_open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)ud;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- the end of a request ------------------------------------------------------------------------ */

void http_request_free(struct http_request *r)
{
    list_remove(&r->link);
    if (r->added)
        curl_multi_remove_handle(r->pool->multi, r->easy);
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    loop_defer_cancel(&r->start);
    timer_free(&r->stall);
    buf_wipe(&r->body); /* may be a token request */
    blob_unref(&r->blob);
    if (r->pool->retired && list_empty(&r->pool->requests))
        loop_defer(r->client->loop, &r->client->tidy);
    mem_free(r);
}

static void note_sent(struct http_request *r)
{
    curl_off_t uploaded = 0;
    long request_bytes = 0;
    curl_easy_getinfo(r->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    r->sent = request_bytes > 0 && (uint64_t)uploaded >= r->body_size;
}

void http_request_finish(struct http_request *r, CURLcode result)
{
    struct http_client *c = r->client;
    if (r->dead)
        return; /* tidy() frees it */
    c->busy++;
    note_sent(r);
    if (result == CURLE_OK && r->err.code == ERR_NONE)
        tell_head(r); /* an answer without body */
    if (!r->dead) {
        struct err err;
        http_request_describe(r, result, &err);
        r->dead = true;
        list_remove(&r->link);
        if (has_handshake(r) && r->status == 401)
            http_client_forget_connections(c); /* a handshake that failed is not begun anew on its connection */
        http_look(r, HTTP_ENDED, str_from(err.code == ERR_NONE ? NULL : err.text));
        if (r->ev.on_done)
            r->ev.on_done(r->ud, r, &err);
        http_request_free(r);
    }
    http_client_leave(c);
}

static void on_stall(void *ud)
{
    struct http_request *r = ud;
    uint64_t quiet = time_mono_ms() - r->active_ms;
    if (quiet < r->stall_ms) {
        timer_start(r->stall, r->stall_ms - quiet);
        return;
    }
    err_set(&r->err, ERR_OFFLINE, "no byte for %llu seconds", (unsigned long long)(r->stall_ms / 1000));
    http_request_finish(r, CURLE_OPERATION_TIMEDOUT);
}

void http_abort(struct http_request **req)
{
    struct http_request *r = *req;
    *req = NULL;
    if (!r || r->dead)
        return;
    r->dead = true;
    http_look(r, HTTP_ENDED, STR_NULL);
    struct http_client *c = r->client;
    c->busy++;
    list_remove(&r->link);
    list_append(&c->dead, &r->link);
    http_client_leave(c);
}

bool http_hand_over(struct http_request *r, const struct http_events *ev, void *ud)
{
    if (!r || r->dead || !r->added || r->read || r->head_told)
        return false;
    note_sent(r);
    if (!r->sent)
        return false;
    r->ev = *ev;
    r->ud = ud;
    r->handed_over = true;
    return true;
}

/* --- the start of a request ---------------------------------------------------------------------- */

static void set_callbacks(struct http_request *r)
{
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->message);
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(r->easy, CURLOPT_SEEKDATA, r);
}

static void on_start(void *ud)
{
    struct http_request *r = ud;
    if (r->err.code != ERR_NONE) {
        http_request_finish(r, CURLE_FAILED_INIT);
        return;
    }
    touch(r);
    timer_start(r->stall, r->stall_ms);
    CURLMcode rc = curl_multi_add_handle(r->pool->multi, r->easy);
    if (rc == CURLM_OK) {
        r->added = true;
        return;
    }
    err_set(&r->err, ERR_INTERNAL, "%s", curl_multi_strerror(rc));
    http_request_finish(r, CURLE_FAILED_INIT);
}

struct http_request *http_start(struct http_client *c, const struct http_request_opts *opts,
                                const struct http_events *ev, void *ud)
{
    struct http_request *r = MEM_NEW(struct http_request);
    r->client = c;
    r->pool = c->pool;
    list_append(&c->pool->requests, &r->link);
    r->ev = *ev;
    r->ud = ud;
    r->max_answer = opts->max_answer ? opts->max_answer : DEFAULT_MAX_ANSWER;
    r->stall_ms = (uint64_t)(opts->stall_s ? opts->stall_s : DEFAULT_STALL_S) * 1000;
    r->stall = timer_new(c->loop, on_stall, r);
    deferred_init(&r->start, on_start, r);
    r->easy = curl_easy_init();
    assert(r->easy);
    set_callbacks(r);
    http_request_set_up(r, opts); /* r->err says what was wrong */
    http_look_begin(r);
    loop_defer(c->loop, &r->start);
    return r;
}

/* --- what callbacks ask -------------------------------------------------------------------------- */

int http_status(const struct http_request *req)
{
    return req->status;
}

const char *http_header_nth(const struct http_request *req, const char *name, size_t n)
{
    struct curl_header *h;
    return curl_easy_header(req->easy, name, n, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

const char *http_header(const struct http_request *req, const char *name)
{
    struct curl_header *h;
    if (curl_easy_header(req->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->amount > 1 ? http_header_nth(req, name, h->amount - 1) : h->value;
}

enum http_failure http_failure(const struct http_request *req)
{
    return req->failure;
}

bool http_request_was_sent(const struct http_request *req)
{
    return req->sent;
}

unsigned http_retry_after_s(const struct http_request *req)
{
    const char *value = http_header(req, "Retry-After");
    uint64_t seconds;
    if (!value)
        return 0;
    if (!str_to_u64(str_trim(str_from(value)), &seconds)) {
        time_t when = curl_getdate(value, NULL);
        int64_t now = time_wall_s();
        if (when < 0 || when <= now)
            return 0;
        seconds = (uint64_t)(when - now);
    }
    return seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (unsigned)seconds;
}
