/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_TRACE_H
#define BACKENDS_COMMON_TRACE_H
/*
 * `exbridge trace`: what an account says to its server and what it hears, as lines for people, without secrets and
 * without what messages say.
 *
 *     #3 > POST /EWS/Exchange.asmx HTTP/1.1
 *     #3 > Authorization: Basic [hidden]
 *     #3 > <ItemId Id="AAMkAD...BAAA="/>
 *     #3 < HTTP/1.1 200 OK
 *     #3 < <Subject>[18 bytes]</Subject>
 *     #3 = 41 ms, 812 bytes asked, 4711 answered
 *
 * What is not known to be harmless is not shown: names of elements and attributes are, values only of those that the
 * backend lists; of HTTP headers those listed in trace.c. Nothing is held but the element being written. A document
 * gives at most TRACE_LINES_MAX lines.
 *
 *   trace.c           requests and heads
 *   trace_document.c  elements as lines
 *   oauth_trace.c     what login servers are asked and answer: "#login-2 > <grant_type>refresh_token</grant_type>"
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/backend.h"
#include "bridge/base/str.h"
#include "bridge/io/http.h"

#define TRACE_LINES_MAX 1000
#define TRACE_VALUE_MAX 600 /* bytes of a value that is shown; of longer ones only the size is told */

/* --- a body, as its reader writes it ---------------------------------------------------------------------------- */

struct trace_document;

void trace_start(struct trace_document *d); /* of a document; one body may hold several */
/* `shown`: may its text be read by anybody? */
void trace_open(struct trace_document *d, struct str name, bool shown);
void trace_attr(struct trace_document *d, struct str name, struct str value, bool shown); /* right after trace_open */
void trace_text(struct trace_document *d, struct str piece);
void trace_close(struct trace_document *d);
/* A remark, in brackets: something that is no element. */
void trace_note(struct trace_document *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- a backend's ------------------------------------------------------------------------------------------------- */

struct trace_format {
    const char *label; /* before the numbers of its requests, where an account has several clients: "login-" */
    /* A reader for a body; NULL: only its size is told. `whole` is false for the rest of an answer. */
    void *(*begin)(struct trace_document *d, struct str content_type, bool whole);
    void (*feed)(void *reader, struct str bytes);
    void (*end)(void *reader); /* with or without a proper end; frees it */
};
struct trace;
/* `format` must outlive it; `to` is copied. `http` NULL: what is seen comes from elsewhere (tests). */
struct trace *trace_new(struct http_client *http, const struct trace_format *format, const struct backend_trace *to);
void trace_free(struct trace **t); /* before the client */
/* For the backend's trace(): what is at *t ends, and another begins where `to` is not NULL. */
void trace_replace(struct trace **t, struct http_client *http, const struct trace_format *format,
                   const struct backend_trace *to);

#endif
