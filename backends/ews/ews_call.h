/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_CALL_H
#define EWS_CALL_H
/*
 * One SOAP call. Everything that has to happen around the request happens here and nowhere else: waiting for its turn
 * and for the end of a throttle, credentials, envelope and HTTP headers, schema version, HTTP status, faults, trying
 * again.
 *
 *     ews_call_start() -- [write() -> request -> reader...]* -- on_done() exactly once, or nothing after
 * ews_call_abort()
 *
 * write() begins each attempt: it has to put the reader's state back and write the body's one element; what was dealt
 * with in an earlier attempt it may leave out. Errors in response messages that are worth another try do not reach the
 * reader's on_message(); the attempt ends, and the next write() comes. on_done() with ERR_NONE: a complete answer was
 * read. No callback from inside ews_call_start(). ews_call_abort() may be called from any callback.
 */
#include <stdbool.h>

#include "backends/ews/ews_answer.h"
#include "backends/ews/ews_backend.h"

struct ews_call;

struct ews_call_opts {
    const char *operation; /* "GetItem": errors and logs */
    /* slow: the attempt before took too long. False: nothing is left to ask for, the call is done. */
    bool (*write)(void *ud, struct xml_writer *w, bool slow);
    const struct ews_reader *reader;
    void *reader_ud;
    void (*on_done)(void *ud, const struct err *err);
    void *ud;
    bool bulk;     /* carries messages: may take long */
    bool batch;    /* each response message speaks for one item */
    bool sync;     /* counts against the limit of concurrent synchronisations */
    bool affinity; /* subscriptions live on one server */
    /* A parked request whose answer is many documents: called after each; false ends the call well. No second try once
     * one has been read. */
    bool (*on_document)(void *ud);
    /* Not idempotent: a request that may have been carried out is never sent again. When its outcome is unknown
     * on_done() gets ERR_OFFLINE and *ret_unknown (may be NULL) is true; with retry_after_s: somebody on the way was
     * busy, so it is likely that nothing was done. */
    bool once;
    bool *ret_unknown;
    /* Streamed as base64 into the place where write() called ews_call_write_mime(): a message of any size costs a few
     * KB. */
    struct blob *mime;
    unsigned stall_s; /* 0 = the usual */
    /* May be NULL. enum ews_code_flag of the fault or of the response message that it failed with, 0 = none; set before
     * on_done(). */
    unsigned *ret_flags;
    bool aside;        /* nobody waits for it: that it is refused says nothing of the account's health */
    struct str secret; /* a password somebody offers, to be tried instead of the login's own */
};

/* <t:MimeContent> with the call's blob. At most once in a request. */
void ews_call_write_mime(struct xml_writer *w);
struct ews_call *ews_call_start(struct ews *e, const struct ews_call_opts *opts);
void ews_call_abort(struct ews_call **call); /* NULL inside is fine; clears the pointer */
/* Calls that exist: for tests. */
size_t ews_call_count(const struct ews *e);

#endif
