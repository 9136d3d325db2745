/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/oauth_port.h"

#include "backends/common/oauth_signin.h"
#include "bridge/base/list.h"
#include "bridge/base/mem.h"
#include "bridge/io/conn.h"

struct oauth_port {
    struct loop *loop;
    struct conn_listener *v4, *v6;
    oauth_redirect_cb *cb;
    void *ud;
    struct list visitors;
};

struct visitor { /* freed at CONN_CLOSED */
    struct list link;
    struct oauth_port *port; /* NULL: gone, or it has been answered */
    struct conn *conn;
};

#define PAGE(status, text)                                                                                             \
    "HTTP/1.1 " status "\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"                     \
    "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"          \
    "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"                                                     \
    "<!DOCTYPE html><html lang=\"en\"><head><title>exbridge</title></head><body><p>" text "</p></body></html>\n"

static const char *const pages[] = {
    [OAUTH_REDIRECT_NOT] = PAGE("404 Not Found", "exbridge is waiting for a sign-in here, and for nothing else."),
    [OAUTH_REDIRECT_ANSWER] =
        PAGE("200 OK", "exbridge has got your answer; the terminal says how it went. You can close "
                       "this page."),
    [OAUTH_REDIRECT_BAD] =
        PAGE("400 Bad Request", "This is not the answer to the sign-in that exbridge is waiting for."),
};

static void answer(struct visitor *v, struct str head)
{
    struct oauth_port *p = v->port;
    struct oauth_redirect r;
    enum oauth_redirect_kind kind = oauth_read_redirect(head, oauth_port_number(p), &r);
    v->port = NULL;
    if (kind == OAUTH_REDIRECT_ANSWER && !p->cb(p->ud, &r))
        kind = OAUTH_REDIRECT_BAD;
    oauth_redirect_done(&r);
    conn_write(v->conn, str_from(pages[kind]));
    conn_close(v->conn, "answered");
}

static void on_event(void *ud, struct conn *conn, enum conn_event event)
{
    struct visitor *v = ud;
    struct str input = conn_input(conn);
    size_t end;
    switch (event) {
    case CONN_DATA:
        if (!v->port)
            return; /* what follows a request is of no interest */
        end = str_find(input, STR("\r\n\r\n"));
        if (end != (size_t)-1)
            answer(v, str_sub(input, 0, end + 4));
        else if (input.n >= OAUTH_REQUEST_MAX)
            conn_abort(conn, "request too long");
        break;
    case CONN_TIMEOUT:
        conn_abort(conn, "too slow");
        break;
    case CONN_DRAINED:
        break;
    case CONN_ENDED:
        conn_close(conn, "ended by the peer");
        break;
    case CONN_CLOSED:
        list_remove(&v->link);
        mem_free(v);
        break;
    }
}

static void on_accept(void *ud, struct conn *conn)
{
    struct oauth_port *p = ud;
    struct visitor *v = MEM_NEW(struct visitor);
    v->port = p;
    v->conn = conn;
    list_append(&p->visitors, &v->link);
    conn_set_handler(conn, on_event, v);
    conn_set_timeout(conn, OAUTH_VISITOR_MS);
}

struct oauth_port *oauth_port_new(struct loop *loop, oauth_redirect_cb *cb, void *ud, struct err *err)
{
    struct oauth_port *p = MEM_NEW(struct oauth_port);
    struct conn_listen_opts opts = {.name = "sign-in",
                                    .address = "127.0.0.1",
                                    .max_connections = OAUTH_VISITORS_MAX,
                                    .input_limit = OAUTH_REQUEST_MAX};
    p->loop = loop;
    p->cb = cb;
    p->ud = ud;
    list_init(&p->visitors);
    p->v4 = conn_listen(loop, &opts, on_accept, p, err);
    if (!p->v4) {
        oauth_port_free(&p);
        return NULL;
    }
    opts.address = "::1";
    opts.port = conn_listener_port(p->v4);
    p->v6 = conn_listen(loop, &opts, on_accept, p, NULL); /* browsers try the other address when there is none */
    return p;
}

unsigned oauth_port_number(const struct oauth_port *p)
{
    return conn_listener_port(p->v4);
}

void oauth_port_free(struct oauth_port **port)
{
    struct oauth_port *p = *port;
    *port = NULL;
    if (!p)
        return;
    conn_listener_free(&p->v4);
    conn_listener_free(&p->v6);
    LIST_EACH (&p->visitors, link) {
        struct visitor *v = LIST_ITEM(link, struct visitor, link);
        list_remove(&v->link);
        if (v->port)
            conn_abort(v->conn, "sign-in over");
        v->port = NULL;
    }
    mem_free(p);
}
