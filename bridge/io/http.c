/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

#include "bridge/base/list.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define CONNECT_TIMEOUT_S  15L
#define CONNECTION_LIFE_S  3600L
#define KEEPALIVE_S        60L
#define DEFAULT_STALL_S    60
#define DEFAULT_MAX_ANSWER ((uint64_t)64 << 20)
#define HEADERS_MAX        ((size_t)256 << 10)  /* bytes of all answer headers */
#define RATIO_FREE         ((uint64_t)1 << 20)  /* decompressed bytes before the ratio counts */
#define RATIO_SLACK        ((uint64_t)64 << 10) /* compressed bytes libcurl may hold that it has not counted yet */
#define RETRY_AFTER_MAX    86400

/* A CURLM with its sockets and timer. http_client_forget_connections() makes a new one for what comes; the old one
 * lives until its last request has ended, and takes its idle connections with it. */
struct pool {
    struct list link; /* of client->pools */
    struct http_client *client;
    CURLM *multi;
    struct timer *timer;
    struct list requests;
    bool retired;
};

struct http_client {
    struct loop *loop;
    char *account, *user_agent, *ca_file, *proxy, *client_cert, *client_key;
    unsigned tls_min, max_connections;
    CURLSH *share; /* cookies and TLS sessions, for all requests of the account and nobody else */
    struct list pools;
    struct pool *pool;    /* for new requests */
    struct list dead;     /* requests aborted from inside libcurl's callbacks */
    struct deferred tidy; /* frees what could not be freed where it ended */
    unsigned busy;        /* > 0: inside libcurl or a callback of ours; nothing may be freed */
    bool closing;
};

struct socket {
    uv_poll_t poll;
    struct pool *pool;
    curl_socket_t fd;
};

struct http_request {
    struct list link; /* of pool->requests, or client->dead */
    struct http_client *client;
    struct pool *pool;
    CURL *easy;
    struct curl_slist *headers;
    struct http_events ev;
    void *ud;
    struct deferred start;
    struct timer *stall;
    uint64_t stall_ms, active_ms;

    struct buf body;
    struct blob *blob;
    uint64_t body_size, body_at;
    size_t (*read)(void *ud, char *to, size_t n);
    bool (*rewind)(void *ud);
    void *body_ud;

    enum http_auth auth;
    uint64_t max_answer, received;
    size_t header_bytes;
    int status;
    bool added, head_told, dead, compressed, sent;
    struct err err; /* why we ended it ourselves */
    char message[CURL_ERROR_SIZE];
};

static void request_free(struct http_request *r);
static void finish(struct http_request *r, CURLcode result);

/* --- libcurl on the loop ------------------------------------------------------------------------- */

static void pool_free(struct pool *p)
{
    list_remove(&p->link);
    curl_multi_cleanup(p->multi); /* closes idle connections; calls on_socket for those it still watched */
    timer_free(&p->timer);
    mem_free(p);
}

static void client_free(struct http_client *c)
{
    LIST_EACH (&c->pools, link)
        pool_free(LIST_ITEM(link, struct pool, link));
    loop_defer_cancel(&c->tidy);
    curl_share_cleanup(c->share);
    mem_free(c->account);
    mem_free(c->user_agent);
    mem_free(c->ca_file);
    mem_free(c->proxy);
    mem_free(c->client_cert);
    mem_free(c->client_key);
    mem_free(c);
}

/* Runs when neither libcurl nor a callback is on the stack. */
static void tidy(struct http_client *c)
{
    while (!list_empty(&c->dead))
        request_free(LIST_ITEM(c->dead.next, struct http_request, link));
    LIST_EACH (&c->pools, link) {
        struct pool *p = LIST_ITEM(link, struct pool, link);
        if (p->retired && list_empty(&p->requests))
            pool_free(p);
    }
    if (c->closing)
        client_free(c);
}

static void on_tidy(void *ud)
{
    tidy(ud);
}

static void leave(struct http_client *c)
{
    if (--c->busy == 0 && (c->closing || !list_empty(&c->dead)))
        tidy(c);
}

static void harvest(struct pool *p)
{
    CURLMsg *msg;
    int left;
    while (!p->client->closing && (msg = curl_multi_info_read(p->multi, &left))) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode result = msg->data.result; /* msg is gone after the next call */
        void *private = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
        finish(private, result);
    }
}

static void act(struct pool *p, curl_socket_t fd, int events)
{
    struct http_client *c = p->client;
    int running;
    c->busy++;
    curl_multi_socket_action(p->multi, fd, events, &running);
    harvest(p);
    if (p->retired && list_empty(&p->requests))
        loop_defer(c->loop, &c->tidy);
    leave(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct socket *s = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(s->pool, s->fd, flags);
}

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *socket_ud)
{
    (void)easy;
    struct pool *p = ud;
    struct socket *s = socket_ud;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            uv_poll_stop(&s->poll);
            uv_close((uv_handle_t *)&s->poll, on_poll_closed);
            curl_multi_assign(p->multi, fd, NULL);
        }
        return 0;
    }
    if (!s) {
        s = MEM_NEW(struct socket);
        s->pool = p;
        s->fd = fd;
        s->poll.data = s;
        if (uv_poll_init_socket(loop_uv(p->client->loop), &s->poll, fd) != 0) {
            mem_free(s);
            return -1;
        }
        curl_multi_assign(p->multi, fd, s);
    }
    uv_poll_start(&s->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
                  on_poll);
    return 0;
}

static int on_multi_timer(CURLM *multi, long timeout_ms, void *ud)
{
    (void)multi;
    struct pool *p = ud;
    if (timeout_ms < 0)
        timer_stop(p->timer);
    else
        timer_start(p->timer, (uint64_t)timeout_ms);
    return 0;
}

static void on_pool_timer(void *ud)
{
    act(ud, CURL_SOCKET_TIMEOUT, 0);
}

static struct pool *pool_new(struct http_client *c)
{
    struct pool *p = MEM_NEW(struct pool);
    p->client = c;
    p->timer = timer_new(c->loop, on_pool_timer, p);
    list_init(&p->requests);
    list_append(&c->pools, &p->link);
    p->multi = curl_multi_init();
    assert(p->multi);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_multi_timer);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    if (c->max_connections) {
        curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->max_connections);
        curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)c->max_connections);
    }
    return p;
}

/* --- clients
 * --------------------------------------------------------------------------------------------------------------------
 */

struct http_client *http_client_new(struct loop *loop, const struct http_client_opts *opts)
{
    struct http_client *c = MEM_NEW(struct http_client);
    c->loop = loop;
    c->account = mem_strdup(opts->account);
    c->user_agent = mem_strdup(opts->user_agent);
    c->ca_file = mem_strdup(opts->ca_file);
    c->proxy = mem_strdup(opts->proxy);
    c->client_cert = mem_strdup(opts->client_cert);
    c->client_key = mem_strdup(opts->client_key);
    c->tls_min = opts->tls_min;
    c->max_connections = opts->max_connections;
    c->share = curl_share_init();
    assert(c->share);
    curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    list_init(&c->pools);
    list_init(&c->dead);
    deferred_init(&c->tidy, on_tidy, c);
    c->pool = pool_new(c);
    return c;
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;
    *client = NULL;
    if (!c)
        return;
    c->closing = true;
    c->busy++;
    LIST_EACH (&c->pools, link) {
        struct pool *p = LIST_ITEM(link, struct pool, link);
        while (!list_empty(&p->requests)) {
            struct http_request *r = LIST_ITEM(p->requests.next, struct http_request, link);
            http_abort(&r);
        }
    }
    leave(c);
}

void http_client_forget_connections(struct http_client *c)
{
    c->pool->retired = true;
    c->pool = pool_new(c);
    loop_defer(c->loop, &c->tidy);
}

static void cookie_command(struct http_client *c, const char *command)
{
    CURL *easy = curl_easy_init();
    assert(easy);
    curl_easy_setopt(easy, CURLOPT_SHARE, c->share);
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
    curl_easy_setopt(easy, CURLOPT_COOKIELIST, command);
    curl_easy_cleanup(easy);
}

void http_client_forget_cookies(struct http_client *c)
{
    cookie_command(c, "ALL");
}

void http_client_add_cookie(struct http_client *c, const char *set_cookie_line)
{
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "Set-Cookie: %s", set_cookie_line);
    cookie_command(c, buf_z(&line));
    buf_wipe(&line);
}

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

/* The status line begins a header block, an empty line ends it. Blocks that only prepare the real answer are passed
 * over: 1xx, and the 401 in the middle of a handshake (whose body libcurl drops); if it was the end after all, on_body
 * or finish() tells it. */
static size_t on_header(char *p, size_t size, size_t count, void *ud)
{
    struct http_request *r = ud;
    size_t n = size * count;
    struct str line = str_of(p, n);
    if (r->dead)
        return 0;
    touch(r);
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
    bool handshake = r->auth == HTTP_AUTH_NTLM || r->auth == HTTP_AUTH_NEGOTIATE;
    if (str_trim(line).n == 0 && r->status >= 200 && !(handshake && r->status == 401))
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

static void request_free(struct http_request *r)
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

static enum err_code code_of(CURLcode result)
{
    static const struct {
        CURLcode result;
        enum err_code code;
    } table[] = {
        {CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID},
        {CURLE_URL_MALFORMAT, ERR_INVALID},
        {CURLE_SSL_CERTPROBLEM, ERR_INVALID},
        {CURLE_SSL_CACERT_BADFILE, ERR_INVALID},
        {CURLE_BAD_FUNCTION_ARGUMENT, ERR_INTERNAL},
        {CURLE_FAILED_INIT, ERR_INTERNAL},
        {CURLE_AUTH_ERROR, ERR_AUTH},
        {CURLE_LOGIN_DENIED, ERR_AUTH},
        {CURLE_PARTIAL_FILE, ERR_PROTOCOL},
        {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL},
        {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
        {CURLE_WRITE_ERROR, ERR_PROTOCOL},
        {CURLE_FILESIZE_EXCEEDED, ERR_TOO_BIG},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].result == result)
            return table[i].code;
    return ERR_OFFLINE;
}

static void describe(struct http_request *r, CURLcode result, struct err *ret_err)
{
    *ret_err = (struct err){.code = ERR_NONE};
    if (r->err.code != ERR_NONE) {
        *ret_err = r->err;
    } else if (result != CURLE_OK) {
        err_set(ret_err, code_of(result), "%s", r->message[0] ? r->message : curl_easy_strerror(result));
        if (result == CURLE_PEER_FAILED_VERIFICATION)
            err_prefix(ret_err, "the server's certificate is not trusted (see ca-file): ");
    }
    if (ret_err->code != ERR_NONE) {
        char *url = NULL, *host = NULL;
        CURLU *parts = curl_url();
        curl_easy_getinfo(r->easy, CURLINFO_EFFECTIVE_URL, &url);
        if (url && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
            curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
            err_prefix(ret_err, "%.100s: ", host);
        curl_free(host);
        curl_url_cleanup(parts);
    }
    ret_err->status = r->status;
}

static void note_sent(struct http_request *r)
{
    curl_off_t uploaded = 0;
    long request_bytes = 0;
    curl_easy_getinfo(r->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    r->sent = request_bytes > 0 && (uint64_t)uploaded >= r->body_size;
}

static void finish(struct http_request *r, CURLcode result)
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
        describe(r, result, &err);
        r->dead = true;
        list_remove(&r->link);
        if (r->ev.on_done)
            r->ev.on_done(r->ud, r, &err);
        request_free(r);
    }
    leave(c);
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
    finish(r, CURLE_OPERATION_TIMEDOUT);
}

void http_abort(struct http_request **req)
{
    struct http_request *r = *req;
    *req = NULL;
    if (!r || r->dead)
        return;
    r->dead = true;
    struct http_client *c = r->client;
    list_remove(&r->link);
    list_append(&c->dead, &r->link);
    if (c->busy == 0)
        tidy(c);
}

/* --- the start of a request ---------------------------------------------------------------------- */

static bool has_line_break(const char *z)
{
    return z && strpbrk(z, "\r\n") != NULL;
}

static bool add_header(struct http_request *r, const char *name, const char *value)
{
    if (has_line_break(name) || has_line_break(value))
        return err_set(&r->err, ERR_INVALID, "line break in an HTTP header");
    struct buf line = BUF_INIT(0);
    buf_printf(&line, *value ? "%s: %s" : "%s;", name, value); /* "name;": libcurl's way to send an empty one */
    r->headers = curl_slist_append(r->headers, buf_z(&line));
    buf_wipe(&line);
    return true;
}

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

/* https, or http to this machine only. */
static bool check_url(struct http_request *r, const char *url, bool *ret_loopback)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool ok = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    if (!ok)
        err_set(&r->err, ERR_INVALID, "not a URL");
    *ret_loopback = ok && is_loopback(host);
    if (ok && strcmp(scheme, "https") != 0 && !(strcmp(scheme, "http") == 0 && *ret_loopback))
        ok = err_set(&r->err, ERR_INVALID, "%s: only https is allowed", host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return ok;
}

static void set_tls(struct http_request *r)
{
    struct http_client *c = r->client;
    static const struct {
        unsigned wire;
        long option;
    } versions[] = {
        {0x0301, CURL_SSLVERSION_TLSv1_0},
        {0x0302, CURL_SSLVERSION_TLSv1_1},
        {0x0303, CURL_SSLVERSION_TLSv1_2},
        {0x0304, CURL_SSLVERSION_TLSv1_3},
    };
    long version = CURL_SSLVERSION_TLSv1_2;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (versions[i].wire == c->tls_min)
            version = versions[i].option;
    curl_easy_setopt(r->easy, CURLOPT_SSLVERSION, version);
    if (version == CURL_SSLVERSION_TLSv1_0 || version == CURL_SSLVERSION_TLSv1_1)
        curl_easy_setopt(r->easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0"); /* OpenSSL 3 refuses them otherwise */
    curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (c->ca_file)
        curl_easy_setopt(r->easy, CURLOPT_CAINFO, c->ca_file);
    if (c->client_cert)
        curl_easy_setopt(r->easy, CURLOPT_SSLCERT, c->client_cert);
    if (c->client_key)
        curl_easy_setopt(r->easy, CURLOPT_SSLKEY, c->client_key);
}

/* Exactly one scheme: libcurl must never choose a weaker one because a server asks for it. */
static void set_auth(struct http_request *r, const struct http_request_opts *opts)
{
    static const unsigned long schemes[] = {
        [HTTP_AUTH_NONE] = CURLAUTH_NONE,     [HTTP_AUTH_BASIC] = CURLAUTH_BASIC,
        [HTTP_AUTH_NTLM] = CURLAUTH_NTLM,     [HTTP_AUTH_NEGOTIATE] = CURLAUTH_NEGOTIATE,
        [HTTP_AUTH_BEARER] = CURLAUTH_BEARER,
    };
    r->auth = opts->auth;
    if (opts->auth == HTTP_AUTH_NONE)
        return;
    curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, (long)schemes[opts->auth]);
    if (opts->auth == HTTP_AUTH_BEARER) {
        curl_easy_setopt(r->easy, CURLOPT_XOAUTH2_BEARER, opts->secret ? opts->secret : "");
        return;
    }
    bool ticket = opts->auth == HTTP_AUTH_NEGOTIATE; /* Kerberos: who we are is in the credential cache */
    curl_easy_setopt(r->easy, CURLOPT_USERNAME, opts->user && !ticket ? opts->user : "");
    curl_easy_setopt(r->easy, CURLOPT_PASSWORD, opts->secret && !ticket ? opts->secret : "");
}

static void set_method(struct http_request *r, const struct http_request_opts *opts)
{
    r->read = opts->body_blob || opts->body.n ? NULL : opts->read;
    r->rewind = opts->rewind;
    r->body_ud = opts->body_ud ? opts->body_ud : r->ud;
    if (opts->body_blob) {
        r->blob = blob_ref(opts->body_blob);
        r->body_size = blob_size(opts->body_blob);
    } else if (opts->body.n) {
        buf_init(&r->body, opts->body.n);
        buf_str(&r->body, opts->body);
        r->body_size = opts->body.n;
    } else if (opts->read) {
        r->body_size = opts->body_size;
    }
    bool post = strcmp(opts->method, "POST") == 0;
    if (post || r->body_size) {
        curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
        curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
        curl_easy_setopt(r->easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(r->easy, CURLOPT_SEEKDATA, r);
    } else {
        curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L);
    }
    if (!post && strcmp(opts->method, "GET") != 0)
        curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, opts->method);
}

static void set_transport(struct http_request *r, const struct http_request_opts *opts, bool loopback)
{
    struct http_client *c = r->client;
    curl_easy_setopt(r->easy, CURLOPT_URL, opts->url);
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, loopback ? "https,http" : "https");
    curl_easy_setopt(r->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(r->easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(r->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(r->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(r->easy, CURLOPT_SHARE, c->share);
    curl_easy_setopt(r->easy, CURLOPT_COOKIEFILE, "");
    if (c->user_agent)
        curl_easy_setopt(r->easy, CURLOPT_USERAGENT, c->user_agent);
    if (c->proxy || loopback)
        curl_easy_setopt(r->easy, CURLOPT_PROXY, c->proxy ? c->proxy : "");
    curl_easy_setopt(r->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT, (long)opts->timeout_s);
    curl_easy_setopt(r->easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
    curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    if (!opts->no_compression)
        curl_easy_setopt(r->easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->message);
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
}

static bool set_up(struct http_request *r, const struct http_request_opts *opts)
{
    bool loopback;
    if (!check_url(r, opts->url, &loopback))
        return false;
    set_transport(r, opts, loopback);
    set_tls(r);
    set_auth(r, opts);
    set_method(r, opts);
    bool typed = false;
    for (size_t i = 0; i < opts->header_count; i++) {
        if (!add_header(r, opts->headers[i].name, opts->headers[i].value))
            return false;
        typed |= strcasecmp(opts->headers[i].name, "Content-Type") == 0;
    }
    if (!typed) /* libcurl would call it a form */
        r->headers = curl_slist_append(r->headers, "Content-Type:");
    /* Exchange answers "Expect: 100-continue" late or not at all; asking costs a second. */
    r->headers = curl_slist_append(r->headers, "Expect:");
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    return true;
}

static void on_start(void *ud)
{
    struct http_request *r = ud;
    if (r->err.code != ERR_NONE) {
        finish(r, CURLE_FAILED_INIT);
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
    finish(r, CURLE_FAILED_INIT);
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
    set_up(r, opts); /* r->err says what was wrong */
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
