/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_CALL_PRIVATE_H
#define EWS_CALL_PRIVATE_H
/* What ews_call.c (turns, passes, tries) and ews_call_answer.c (reading and judging an attempt's answer) share. */
#include "backends/ews/ews_call.h"

struct ews_call {
    struct list link;       /* ews.calls */
    struct list queue_link; /* ews.queue, while QUEUED */
    struct ews *ews;
    struct ews_call_opts opts;
    bool counted;  /* in ews.running */
    unsigned busy; /* inside a callback: freeing has to wait */
    bool gone;     /* aborted or finished meanwhile */
    struct timer *pause;
    struct deferred step;
    struct ews_retries retries;
    unsigned lowered; /* schema versions refused */
    unsigned refused; /* attempts answered 401 */
    bool slow;        /* the attempt before took too long */
    size_t documents; /* read so far, of a parked request */
    /* the attempt */
    struct login_pass *pass;
    bool judged; /* the login knows how its secret was taken */
    struct http_request *request;
    struct ews_upload *upload; /* the body, when it holds a message */
    enum ews_version version;
    uint64_t started_ms;
    unsigned troubles; /* of the backend, then */
    enum ews_kind kind;
    struct buf sample;
    struct ews_answer *answer;
    struct ews_answer *stale; /* one that is still on the stack */
    struct xml_split split;
    struct err read_err; /* the first that reading the answer met */
    bool has_verdict;    /* a response message asks for another try */
    struct ews_verdict verdict;
    unsigned verdict_flags; /* of the code it is about */
};

/* Around what may lead to ews_call_abort(): ews_call_leave() is false when the call is gone, with its memory perhaps.
 */
void ews_call_enter(struct ews_call *c);
bool ews_call_leave(struct ews_call *c);
void ews_call_finish(struct ews_call *c, const struct err *err);
/* Carry out a verdict: finish, wait and try again, lower the version. */
void ews_call_act(struct ews_call *c, const struct ews_verdict *v);

extern const struct http_events ews_call_events; /* their ud is the call */

#endif
