/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_HTTP_H
#define BRIDGE_IO_HTTP_H
/*
 * HTTP towards the server: libcurl multi on our loop. One http_client an account: its own connections, cookie jar,
 * proxy, CA and TLS settings; nothing is shared between accounts. HTTP/1.1 only (NTLM is bound to a connection).
 * Redirects are never followed here: a 3xx is an answer like any other (MS servers redirect to error pages, and a
 * replayed body would carry mail and credentials to another host). Certificates are always verified; plain http:// only
 * for a loopback host (tests, local gateways), or as a mere look (http_request_opts.plain).
 *
 *   http_start() -> [on_head(status)] -> on_body(bytes)* -> on_done(err) exactly once, or nothing after http_abort()
 *
 * No callback from inside http_start(). Answers are decompressed (gzip, deflate) with a ratio limit of HTTP_RATIO_MAX.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"
#include "bridge/io/loop.h"

#define HTTP_RATIO_MAX 200 /* decompressed : compressed, once over 1 MiB */
#define HTTP_TICKET_RETRY_S                                                                                            \
    60 /* HTTP_AUTH_NEGOTIATE without a ticket: ERR_AUTH, to be looked at again after so long                          \
        */

enum http_auth { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_NTLM, HTTP_AUTH_NEGOTIATE, HTTP_AUTH_BEARER };

/* Is it in the libcurl we are linked to? (NTLM and Negotiate can be missing.) */
bool http_can(enum http_auth auth);
/* Does it bind this scheme to the TLS connection (RFC 5929 tls-server-end-point)? What servers with Extended Protection
 * demand; Negotiate does from libcurl 8.10 on, NTLM never, and who sends a password or a token has no need. */
bool http_binds_tls(enum http_auth auth);

struct http_client_opts {
    const char *account;     /* for logs */
    const char *user_agent;  /* constant for the life of the account: EAS blocks devices that change it */
    const char *ca_file;     /* instead of the system's; NULL = those */
    bool system_ca_too;      /* ... or besides them: a server that another organisation runs */
    const char *proxy;       /* NULL = environment, "" = none */
    const char *client_cert; /* PEM or NULL */
    const char *client_key;
    unsigned tls_min;         /* 0x0303 = TLS 1.2 */
    unsigned max_connections; /* to one host, parked requests included */
};
struct http_client;
struct http_client *http_client_new(struct loop *loop, const struct http_client_opts *opts);
void http_client_free(struct http_client **c);              /* aborts what is under way without callbacks */
void http_client_forget_connections(struct http_client *c); /* after suspend, network change, new credentials */
void http_client_forget_cookies(struct http_client *c);
void http_client_add_cookie(struct http_client *c, const char *set_cookie_line);

/*
 * Somebody looks on (exbridge trace): what goes over the wire for requests that begin from now on, and what is still to
 * come of answers under way. Heads hold credentials and bodies hold mail: to leave out what is not to be seen is the
 * looker's business. Called from inside libcurl: nothing of the client may be started, aborted or freed there.
 */
enum http_sight {
    HTTP_ASKED_HEAD,    /* the request's head in any number of lines; in a handshake it comes several times */
    HTTP_ASKED_BODY,    /* the next piece of the body */
    HTTP_ANSWERED_HEAD, /* one line of the answer's head */
    HTTP_ANSWERED_BODY, /* the next piece, decompressed */
    HTTP_ENDED          /* bytes: why there is no answer; empty: there is, or nobody wants it any more */
};
struct http_looker { /* the caller's, until http_look_away(), which comes before the client's end */
    struct list link;
    void (*fn)(void *ud, uint64_t request, enum http_sight sight, struct str bytes);
    void *ud;
};
void http_look_on(struct http_client *c, struct http_looker *l); /* any number of them */
void http_look_away(struct http_looker *l);

struct http_header {
    const char *name;
    const char *value; /* CR or LF in it: the request fails with ERR_INVALID */
};
struct http_request_opts {
    const char *method; /* "POST", "GET", "OPTIONS" */
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    struct str body;        /* copied; sent with Content-Length */
    struct blob *body_blob; /* instead of body: streamed */
    /* Instead of both: `body_size` bytes drawn from read(); rewind() for a second try (NTLM). */
    uint64_t body_size;
    size_t (*read)(void *ud, char *to, size_t n);
    bool (*rewind)(void *ud);
    void *body_ud; /* of read and rewind; NULL: the request's own */
    enum http_auth auth;
    const char *user;    /* BASIC, NTLM ("DOMAIN\\user") */
    const char *secret;  /* password or bearer token; libcurl's copy is out of our hands */
    uint64_t max_answer; /* bytes after decompression; 0 = 64 MiB */
    unsigned stall_s;    /* no byte for so long: ERR_OFFLINE; 0 = 60 */
    unsigned timeout_s;  /* whole request; 0 = none beyond stall */
    /* Not idempotent. On a connection of its own: libcurl sends a request again by itself when a kept connection turns
     * out to be dead, although the server may have carried it out. */
    bool once;
    bool no_compression; /* parked streams: gzip would hold events back */
    /* http:// to any host is allowed, for a GET without credentials: who redirects to where (autodiscover). Anybody on
     * the way may have written the answer. */
    bool plain;
};
struct http_request;
struct http_events {
    /* All headers are here. Return false to give up (on_done follows with ERR_PROTOCOL). May be NULL. */
    bool (*on_head)(void *ud, struct http_request *req, int status);
    bool (*on_body)(void *ud, struct http_request *req, struct str bytes);
    /* err->code is ERR_NONE when a complete answer arrived, whatever its status. *req is freed after this returns. */
    void (*on_done)(void *ud, struct http_request *req, const struct err *err);
};
struct http_request *http_start(struct http_client *c, const struct http_request_opts *opts,
                                const struct http_events *ev, void *ud);
void http_abort(struct http_request **req); /* no callback any more; NULL inside is fine */
/* Another owner: who asked hears nothing more, the new one hears what the server says, and on_done even when the client
 * is freed. False, and all is as before: the request has not gone out completely, or is drawn from the first owner's
 * read(), or its answer has begun, or is over. */
bool http_hand_over(struct http_request *req, const struct http_events *ev, void *ud);
int http_status(const struct http_request *req);
/* The last answer header of that name (case-insensitive); NULL when absent. Valid until the request ends. */
const char *http_header(const struct http_request *req, const char *name);
/* n-th header of that name, from 0: for WWW-Authenticate, MS-ASProtocolVersions. */
const char *http_header_nth(const struct http_request *req, const char *name, size_t n);
/* Why there is no answer: for people who look for the cause. Valid in on_done. */
enum http_failure {
    HTTP_FAILED_NOT,
    HTTP_FAILED_NAME,        /* no address for the host (or the proxy) */
    HTTP_FAILED_CONNECT,     /* refused, unreachable */
    HTTP_FAILED_TIMEOUT,     /* no answer in time: to the connection, or to the request */
    HTTP_FAILED_TLS,         /* no common version or cipher, no TLS at all */
    HTTP_FAILED_CERTIFICATE, /* not trusted, expired, another name */
    HTTP_FAILED_OTHER
};
enum http_failure http_failure(const struct http_request *req);
/* Puts the host's name before the text. (That of on_done's error is there already.) */
void http_name_host(const struct http_request *req, struct err *err);
bool http_request_was_sent(
    const struct http_request *req); /* the whole body went out: the outcome is unknown if no answer came */
/* "5", or an HTTP date, as seconds from now; bounded to a day; 0 = absent or senseless. */
unsigned http_retry_after_s(const struct http_request *req);

#endif
