/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_CALL_H
#define BACKENDS_EAS_CALL_H
/*
 * One command to the server: address and headers, sign-in, provisioning when the server wants it, throttling, retries,
 * moves to another server, and the statuses that all commands share. What comes out is either a complete answer, read
 * by the command's rules, or one error. (MS-ASHTTP; MS-ASCMD 2.2.2)
 *
 *   eas_call_start() -- [write() -- rules and part()]* -- done() exactly once, or nothing after eas_call_close()
 *
 * done() never comes from inside eas_call_start(). After done(), and whenever the owner dies, eas_call_close(). An
 * answer of 200 without a body is a success with `empty` set ("no change").
 *
 * A command is sent again with the same bytes when its answer was lost: that is how ActiveSync recovers (MS-ASCMD
 * 3.1.5.2: the same SyncKey gives the same answer again). Those that a server would carry out a second time say `once`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/login.h"
#include "backends/eas/eas_answer.h"
#include "backends/eas/eas_multipart.h"
#include "backends/eas/eas_policy.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/list.h"
#include "bridge/io/http.h"
#include "bridge/io/loop.h"

#define EAS_REQUEST_MAX    ((size_t)1 << 20)
#define EAS_ANSWER_MAX     ((uint64_t)16 << 20) /* bytes of an answer without bodies */
#define EAS_HOPS_MAX       5                    /* moves (451) without a success in between */
#define EAS_WAIT_MAX_S     20 /* longest pause inside a command; longer ones are an error with retry_after_s */
#define EAS_RETRIES_SERVER 3  /* HTTP 500 and statuses that ask for it */
#define EAS_RETRIES_BUSY   3  /* 502, 503, 504, 429 */
#define EAS_RETRIES_NET    1  /* connection lost before a complete answer */

struct eas_backend;
struct eas_call;

enum eas_command {
    EAS_OPTIONS, /* not a command but the HTTP method: versions, and proof of the credentials */
    EAS_PROVISION,
    EAS_SETTINGS,
    EAS_FOLDER_SYNC,
    EAS_SYNC,
    EAS_ITEM_OPERATIONS,
    EAS_PING,
    EAS_MOVE_ITEMS,
    EAS_FOLDER_CREATE,
    EAS_FOLDER_UPDATE,
    EAS_FOLDER_DELETE,
    EAS_SEND_MAIL,
    EAS_SMART_REPLY,
    EAS_SMART_FORWARD,
    EAS_MEETING_RESPONSE,
    EAS_RESOLVE_RECIPIENTS,
    EAS_COMMAND_MAX
};

struct eas_request {
    enum eas_command command;
    const struct eas_rules *rules; /* NULL: the answer's body is not read */
    bool setup;                    /* part of signing in: does not wait for that to be complete */
    bool multipart;                /* accepts application/vnd.ms-sync.multipart */
    bool streams;                  /* the answer carries message bodies: up to EAS_STREAM_MAX bytes */
    bool patient;                  /* parked: a lost connection is the owner's business, at once */
    /* Not to be carried out twice: never sent again when it may have been, not by libcurl either. The call then ends
     * with ERR_OFFLINE and `unknown` set. */
    bool once;
    bool message; /* the body is call->mime: up to 12.1 as it is (message/rfc822), later where write() puts it */
    /* Before each attempt: forget what an earlier one read, and write the request. The version is known and policies
     * are acknowledged by then. False: the call ends with *err. NULL: no body. */
    bool (*write)(void *ud, struct eas_writer *w, struct err *err);
    eas_part_fn *part; /* parts from 1 on */
    void (*done)(void *ud, const struct err *err);
};
#define EAS_STREAM_MAX ((uint64_t)2 << 30)

struct eas_call {
    const struct eas_request *request;
    struct eas_backend *b;
    void *ud;               /* of write, part and done */
    void *reader;           /* of the rules; NULL = ud */
    unsigned timeout_s;     /* 0 = none but the stall limit */
    unsigned stall_s;       /* 0 = default */
    struct str secret;      /* a password to prove instead of the login's own; empty = none */
    const char *policy_key; /* instead of the account's; NULL = that */
    struct blob *mime;      /* the owner's; streamed, see eas_call_write_mime() */
    const char *query;      /* "&SaveInSent=T": added to the address; NULL = nothing */
    /* of the last attempt, for done() */
    struct eas_answer answer; /* .status: the command's own, below 101 or without a meaning in common */
    bool empty;               /* 200 without a body */
    bool begun;               /* part of an answer's body had arrived */
    bool unknown;             /* after an error: it may have been carried out, by this attempt or one before */
    int http_status;
    struct http_request *http; /* during done(): for headers */
    /* private */
    struct list link, waiting;
    struct deferred deferred;
    struct timer *timer;
    struct login_pass *pass;
    struct eas_multipart *multipart;
    struct buf body;
    size_t mime_at;     /* where in `body` the MIME belongs */
    uint64_t upload_at; /* bytes of body and MIME that were given to the connection */
    struct err err;
    bool answering, answer_open, provisioned, rekeyed, ended;
    bool turned;                           /* to another address, as there was nothing at this one */
    unsigned address;                      /* of the backend's, in the last attempt */
    char key_sent[EAS_POLICY_KEY_MAX + 1]; /* X-MS-PolicyKey of the last attempt */
    unsigned tries_server, tries_busy, tries_net, refused;
    uint64_t sent_ms;
    unsigned troubles; /* of the backend, then */
};

void eas_call_init(struct eas_call *call, struct eas_backend *b, const struct eas_request *request, void *ud);
void eas_call_start(struct eas_call *call);
/* Stops what is under way and frees; harmless twice and on a call that was never started. */
void eas_call_close(struct eas_call *call);

/* In write(): <tag> with call->mime for content, which goes out straight from the blob. Once in a request. */
enum eas_mime_form { EAS_MIME_OPAQUE, EAS_MIME_TEXT /* no NUL in it */ };
void eas_call_write_mime(struct eas_call *call, struct eas_writer *w, enum eas_tag tag, enum eas_mime_form form);

/* In write(), where page 0 is selected: call->mime is WBXML that begins there, and goes in as it is. Once in a request.
 */
void eas_call_write_raw(struct eas_call *call, struct eas_writer *w);

/* eas_attempt.c, for eas_call.c: build the request of one attempt and start it. False: *err, and nothing was started.
 */
bool eas_attempt_start(struct eas_call *call, const struct http_events *events, const char *secret, struct err *err);

/* Between setup and its waiting calls: go on, or fail with *err. */
void eas_call_resume(struct eas_call *call, const struct err *err);
const char *eas_command_name(enum eas_command command);

/* eas_explain.c: the evidence that came along with a refusal, into the error's text. */
void eas_call_explain(const struct eas_call *call, struct err *err);

#endif
