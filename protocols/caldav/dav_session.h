/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_CALDAV_DAV_SESSION_H
#define PROTOCOLS_CALDAV_DAV_SESSION_H
/*
 * One connection, one request at a time. Shared by the .c files of this folder only.
 *
 *     HEAD of a request -> guard -> sign in -> its body -> dav_dispatch() -> a method's function in dav_get.c,
 *     dav_propfind.c, ... -> dav_answer() (at once, or from a callback of the core) -> the next request
 *
 * A method reads s->request, s->path, s->body and ends in exactly one dav_answer*(). What it waits for stands in
 * `work`, so that a connection that goes away takes it along: reads are cancelled, writes are detached.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/calendar.h"
#include "bridge/change.h"
#include "bridge/io/crypto.h"
#include "protocols/caldav/caldav_server.h"
#include "protocols/caldav/dav_body.h"
#include "protocols/caldav/dav_http.h"
#include "protocols/caldav/dav_path.h"
#include "protocols/server.h"

struct dav_session;

struct dav_work { /* at most one of them */
    struct waiter *folders;
    struct calendar_wait *calendar;
    struct calendar_get *get;
    struct calendar_write *write;
    struct change *change;
    struct op *op;
};

struct dav_stream { /* a multistatus on its way */
    struct buf out; /* what has not gone out yet */
    bool begun;     /* the head and some of it have */
    bool (*step)(struct dav_session *s);
};

struct dav_session {
    struct client client;
    struct dav_http *http;
    const struct dav_request *request;
    bool refused;                /* the answer has been given, the body is only read to get past it */
    bool closing;                /* after the answer */
    bool waiting;                /* for the core */
    bool answered;               /* this request */
    bool over;                   /* answered, and not forgotten yet */
    struct deferred later;       /* on to what the client has sent meanwhile */
    struct crypto_hash accepted; /* Authorization that was right on this connection, salted */
    bool has_accepted;
    unsigned char salt[16];

    struct arena arena; /* of the request */
    struct dav_path path;
    struct dav_body body;
    struct calendar calendar; /* of a collection or resource, once dav_with_calendar() has been */
    void (*then)(struct dav_session *s);
    struct dav_work work;
    struct dav_stream stream;
    struct timer *head_timer; /* runs while the head of a request is incomplete */
    bool has_head_begun;
    void *state; /* the method's own, in the arena */
};

static inline const struct caldav_server_opts *dav_server_of(const struct dav_session *s)
{
    return server_ud(s->client.server);
}

/* --- answers (dav_answer.c)
 * ------------------------------------------------------------------------------------------- */

/* Extra header lines, each with CRLF; body may be empty. The last thing a method does. */
void dav_answer(struct dav_session *s, int status, const char *headers, const char *type, struct str body);
void dav_answer_status(struct dav_session *s, int status);
/* The head of an answer in chunks (RFC 9112 7.1), which follow; dav_stream.c's. */
void dav_answer_chunked(struct dav_session *s, int status, const char *type);
/* With an error document (RFC 4918 16): precondition is "C:valid-filter"; content: XML inside of it, or NULL; text for
 * people, may be NULL. */
void dav_answer_error(struct dav_session *s, int status, const char *precondition, const char *content,
                      const char *text);
/* An error of the core: one table from err code to status. */
void dav_answer_err(struct dav_session *s, const struct err *err);
const char *dav_reason(int status);
bool dav_wants_minimal(const struct dav_session *s);

/* --- session (dav_session.c)
 * -------------------------------------------------------------------------------------------- */

void dav_session_start(struct client *c);
bool dav_session_read(struct client *c, struct str *in);
void dav_stream_turn(struct client *c);
bool dav_session_busy(const struct client *c);
void dav_session_goodbye(struct client *c, enum goodbye why, const char *text);
void dav_session_stop(struct client *c);
void dav_session_free(struct client *c);
/* The answer has been written: on to the next request. Called by dav_answer(). */
void dav_request_over(struct dav_session *s);

/* --- methods (dav_dispatch.c and one file a group)
 * ---------------------------------------------------------------------- */

void dav_dispatch(struct dav_session *s);
void dav_add_allow(struct buf *out, enum dav_place place); /* the line of the header */
/* Parse the XML body into s->body; answers and returns false when it is wrong. */
bool dav_read_body(struct dav_session *s);
/* Go on in `then` when the folder list is known and, for a collection or what is in it, s->calendar is filled and its
 * first sync is done, and the If header holds (of an object dav_condition() has it to look at); answers 404, 412 (or
 * why not) itself otherwise. */
void dav_with_calendar(struct dav_session *s, void (*then)(struct dav_session *s));
/* The same where no calendar is needed: at once, unless an If header may speak of one. */
void dav_when_it_holds(struct dav_session *s, void (*then)(struct dav_session *s));
/* Depth: 0, 1; -1 = infinity; `otherwise` when absent. False: 400 has been answered. */
bool dav_depth(struct dav_session *s, int otherwise, int *ret_depth);

void dav_get(struct dav_session *s);
void dav_put(struct dav_session *s);
void dav_delete(struct dav_session *s);
void dav_copy_or_move(struct dav_session *s);
void dav_propfind(struct dav_session *s);
void dav_proppatch(struct dav_session *s);
void dav_make(struct dav_session *s); /* MKCALENDAR, MKCOL */
void dav_report(struct dav_session *s);
void dav_add_reports(struct buf *out, enum dav_place place); /* content of supported-report-set */
void dav_post(struct dav_session *s);

/* --- conditions and tags (dav_conditions.c)
 * ---------------------------------------------------------------------------------------------------- */

void dav_add_etag(struct buf *out, const struct calendar *c, uint64_t revision); /* with quotes */
/* With quotes. The entity tag where the object has none of its own. */
void dav_add_schedule_tag(struct buf *out, const struct calendar *c, const struct resource *r);
bool dav_if_is_wrong(const struct dav_session *s); /* 400 */
/* If (RFC 4918 10.4), or there is none. The calendar list is known. */
bool dav_if_holds(const struct dav_session *s);
/* If, If-Match, If-None-Match, If-Schedule-Tag-Match. False: they can never hold (412), or are nonsense. */
bool dav_condition(const struct dav_session *s, struct calendar_condition *ret);
/* How far a client knows a collection: objects up to that revision, of the one after it those up to `pk`, and what had
 * gone when it was `gone`. All 0: not at all. */
struct dav_known {
    uint64_t revision, gone;
    int64_t pk;
};
void dav_add_sync_token(struct buf *out, const struct calendar *c, const struct dav_known *known);
/* Of this collection? */
bool dav_read_sync_token(struct str token, const struct calendar *c, struct dav_known *ret);
/* It knows all of it, as it is now. */
struct dav_known dav_known_now(const struct calendar *c);

/* --- multistatus (dav_stream.c)
 * ----------------------------------------------------------------------------------------------------------- */

#define DAV_XML_TYPE "application/xml; charset=utf-8"

/* Begin one; responses go into the buffer. Then dav_stream_run() or dav_stream_end(), or an error's answer instead. */
struct buf *dav_stream_begin(struct dav_session *s);
/* Called from a callback of the core. step() adds the next response to s->stream.out, or what comes after the last one
 * and returns false. It is called in slices, as the client takes what there is; the request's arena and s->state live
 * as long. A short answer goes out whole, with its length. */
void dav_stream_run(struct dav_session *s, bool (*step)(struct dav_session *s));
void dav_stream_end(struct dav_session *s); /* nothing is missing but the end */
void dav_stream_drop(struct dav_session *s);

struct dav_found { /* resources as they are now, in the request's arena; without their UIDs */
    struct resource *list;
    size_t count, next;
    bool truncated; /* there are more than that */
    /* private */
    struct arena *arena;
    size_t room, max;
};
/* As calendar_resources(); max 0: dav-results. */
bool dav_gather(struct dav_session *s, uint64_t since, int64_t from, int64_t to, size_t max, struct dav_found *ret,
                struct err *err);

/* --- properties and multistatus (dav_props.c)
 * -------------------------------------------------------------------------------- */

struct dav_item { /* what a response is about */
    struct dav_path path;
    const struct calendar *calendar;  /* NULL above collections */
    const struct resource *resource;  /* NULL: the collection itself */
    const struct calendar_prop *dead; /* properties of clients: NULL for resources */
    size_t dead_count;
    struct str data; /* calendar-data as asked for; p NULL: none */
};
/* One response with a propstat of what is there and one of what is not. */
void dav_add_response(struct dav_session *s, struct buf *out, const struct dav_item *item,
                      const struct dav_body *asked);
void dav_add_status_response(struct buf *out, const struct dav_path *path, int status, const char *precondition);
void dav_add_href(struct buf *out, const struct dav_path *path);
bool dav_is_protected(const struct dav_prop *p);               /* PROPPATCH may not touch it */
void dav_dead_name(struct buf *out, const struct dav_prop *p); /* "{ns}local" */

#endif
