/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_HTTP_PRIVATE_H
#define BRIDGE_IO_HTTP_PRIVATE_H
/*
 * Between http_client.c (libcurl on the loop, connections, cookies), http_setup.c (options of a request), http.c (its
 * life), http_failure.c (why there is no answer) and http_look.c (who looks on). For bridge/io only.
 *
 * libcurl forbids to remove a transfer from inside its callbacks, and our users may abort, or free the client, in
 * theirs. So whoever calls libcurl or a user's callback raises client->busy; what ends meanwhile goes to client->dead
 * and is freed when busy is 0 again (http_client_leave).
 */
#include <curl/curl.h>

#include "bridge/base/list.h"
#include "bridge/io/http.h"

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
    bool system_ca_too;
    unsigned tls_min, max_connections;
    CURLSH *share; /* cookies and TLS sessions, for all requests of the account and nobody else */
    struct list pools;
    struct pool *pool;    /* for new requests */
    struct list dead;     /* requests aborted from inside libcurl's callbacks */
    struct deferred tidy; /* frees what could not be freed where it ended */
    unsigned busy;        /* > 0: inside libcurl or a callback of ours; nothing may be freed */
    bool closing;
    uint64_t request_count;
    struct list lookers;
};

struct http_request {
    struct list link; /* of pool->requests, or client->dead */
    struct http_client *client;
    struct pool *pool;
    uint64_t number; /* for who looks on */
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
    bool added, head_told, dead, compressed, sent, once, ticket_shown, handed_over;
    enum http_failure failure;
    struct err err; /* why we ended it ourselves */
    char message[CURL_ERROR_SIZE];
    char no_ticket[160]; /* why GSSAPI gave none; empty: nothing went wrong there */
};

/* http_client.c */
void http_client_leave(struct http_client *c); /* after c->busy++ */

/* http.c */
void http_request_free(struct http_request *r);
void http_request_finish(struct http_request *r, CURLcode result);

/* http_setup.c: everything but callbacks. False: r->err says why. */
bool http_request_set_up(struct http_request *r, const struct http_request_opts *opts);

/* http_look.c */
void http_look(const struct http_request *r, enum http_sight sight, struct str bytes);
void http_look_begin(struct http_request *r); /* before the transfer starts */

/* http_failure.c */
void http_request_note(struct http_request *r, curl_infotype type, struct str text); /* what libcurl says on the way */
bool http_request_has_ticket(struct http_request *r); /* False: r->err says what was missing */
void http_request_describe(struct http_request *r, CURLcode result, struct err *ret_err);

#endif
