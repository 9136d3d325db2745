/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <uv.h>

#include "bridge/base/mem.h"
#include "bridge/io/http_private.h"

struct socket {
    uv_poll_t poll;
    struct pool *pool;
    curl_socket_t fd;
};

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
        http_request_free(LIST_ITEM(c->dead.next, struct http_request, link));
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

void http_client_leave(struct http_client *c)
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
        http_request_finish(private, result);
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
    http_client_leave(c);
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

/* --- clients ---------------------------------------------------------------------------------- */

bool http_can(enum http_auth auth)
{
    static const int features[] = {[HTTP_AUTH_NONE] = 0,
                                   [HTTP_AUTH_BASIC] = 0,
                                   [HTTP_AUTH_NTLM] = CURL_VERSION_NTLM,
                                   [HTTP_AUTH_NEGOTIATE] = CURL_VERSION_SPNEGO,
                                   [HTTP_AUTH_BEARER] = 0};
    int need = features[auth];
    return (curl_version_info(CURLVERSION_NOW)->features & need) == need;
}

bool http_binds_tls(enum http_auth auth)
{
    if (auth == HTTP_AUTH_NEGOTIATE)
        return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080a00;
    return auth != HTTP_AUTH_NTLM;
}

struct http_client *http_client_new(struct loop *loop, const struct http_client_opts *opts)
{
    struct http_client *c = MEM_NEW(struct http_client);
    c->loop = loop;
    c->account = mem_strdup(opts->account);
    c->user_agent = mem_strdup(opts->user_agent);
    c->ca_file = mem_strdup(opts->ca_file);
    c->system_ca_too = opts->system_ca_too;
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
    list_init(&c->lookers);
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
            struct http_request *r = LIST_ITEM(p->requests.next, struct http_request, link), *ended = r;
            http_abort(&r);
            if (ended->handed_over) { /* its owner is not ours, and has not ended with us */
                struct err err;
                err_set(&err, ERR_OFFLINE, "the connections to the server were closed");
                ended->ev.on_done(ended->ud, ended, &err);
            }
        }
    }
    http_client_leave(c);
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
