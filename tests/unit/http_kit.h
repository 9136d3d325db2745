/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_HTTP_KIT_H
#define TESTS_UNIT_HTTP_KIT_H
/* For tests of http.h: a small server made of conn.h, whose answers are chosen by the path, and a client on the same
 * loop. */
#include "bridge/base/buf.h"
#include "bridge/io/blob.h"
#include "bridge/io/conn.h"
#include "bridge/io/http.h"
#include "tests/unit/test_loop.h"

struct server {
    struct loop *loop;
    struct conn_listener *listener;
    unsigned requests, connections, open;
    size_t body_bytes; /* of the last request */
    struct buf head;   /* of the last request */
    struct blob *big;
    struct conn *parked;
    void *now; /* struct served */
};

struct fixture {
    struct loop *loop;
    struct server server;
    struct http_client *client;
    char url[128];
};

/* What a request came to, and what its callbacks are to do. */
enum on_what { NEVER, ON_HEAD, ON_BODY, ON_DONE };

struct answer {
    struct fixture *f;
    struct http_request *req;
    struct buf body;
    int status, heads, dones;
    unsigned retry_after_s;
    enum http_failure failure;
    bool sent, refuse_head, refuse_body, in_start;
    char header[64];
    struct err err;
    enum on_what abort_when, free_client_when, start_when;
    struct answer *abort_also, *start_also;
    size_t cut_at;
};

extern const struct http_events http_kit_events; /* ud is the struct answer */
/* Of a listener of one's own; ud is the struct server. */
void http_kit_on_accept(void *ud, struct conn *c);
/* The setup and teardown of a test; *state is a struct fixture. */
int http_kit_set_up(void **state);
int http_kit_tear_down(void **state);
/* a->f is set. `path`: at the server of the fixture. */
void http_kit_start(struct answer *a, const char *method, const char *path, struct str body);
void http_kit_start_with(struct answer *a, struct http_request_opts *opts, const char *path);
/* The head of the last request has it, whatever its case. */
void http_kit_expect_head(struct fixture *f, const char *text);

#endif
