/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_BACKEND_H
#define EWS_BACKEND_H
/*
 * What the files of this folder share: the account's state, and the operations the table in ews.c is made of.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/ews/ews_pace.h"
#include "backends/ews/ews_verdict.h"
#include "backends/ews/ews_version.h"
#include "bridge/backend.h"
#include "bridge/base/list.h"
#include "bridge/io/http.h"

#define EWS_SYNC_PAGE      512 /* MaxSyncChangesReturnedType, MS-OXWSSYNC 2.2.5.1 */
#define EWS_SYNC_PAGE_MIN  32
#define EWS_HEADER_BATCH   50
#define EWS_MESSAGE_BATCH  10
#define EWS_MESSAGE_BYTES  (8 * 1024 * 1024)
#define EWS_FETCH_PARALLEL 4
#define EWS_WRITE_BATCH    200 /* items in one change: a request may take a minute */
#define EWS_SEND_LIMIT                                                                                                 \
    ((uint64_t)48 << 20) /* what fits into 64 MiB of request as base64: the default of Exchange 2013 and later */
#define EWS_CALLS_MAX                                                                                                  \
    5 /* at once, besides the parked one; Exchange 2010 lets a user have 10, shared with his other programs */
#define EWS_SYNC_CALLS_MAX 2                     /* ConcurrentSyncCalls of Exchange 2016 */
#define EWS_MESSAGE_LIMIT  (UINT64_C(512) << 20) /* where the configuration sets none */

/* Times that tests shorten. */
struct ews_tuning {
    struct ews_patience patience;
    unsigned stall_s;         /* no byte of an answer for so long */
    unsigned timeout_s;       /* the whole answer: a server that drips bytes must not hold a client for ever */
    unsigned bulk_timeout_s;  /* ... where it carries messages */
    unsigned slow_ms;         /* an attempt that failed after so long asked for too much */
    unsigned stream_minutes;  /* ConnectionTimeout, 1 to 30 */
    unsigned stream_grace_s;  /* the server's own end of a parked request may be late by this */
    unsigned stream_first_ms; /* Exchange answers a parked request at once with an empty document; later than this: held
                                 back */
    unsigned stream_gap_ms;   /* least time between two answers of watch() */
    unsigned stream_linger_ms; /* how long the stream stays open when nobody watches */
    unsigned stream_retry_ms;  /* where streaming does not work: look everywhere so often */
    unsigned stream_again_ms;  /* ... and try streaming again after this */
    unsigned auth_pause_ms;    /* before the second try after a 401 to good credentials */
    unsigned settle_ms;        /* so long a server may be at a request whose sender is gone: ews_find.h */
};

struct ews_watch;
struct trace;

struct ews {
    struct backend base;
    struct backend_config config; /* its strings are borrowed */
    char *url;
    struct http_client *http;
    struct ews_tuning tuning;
    struct ews_negotiation negotiation;
    /* calls, see ews_call.c */
    struct list calls; /* all */
    struct list queue; /* those that wait for their turn */
    unsigned running, running_sync, calls_max;
    bool told_health; /* host.health was told something */
    bool healthy;
    unsigned troubles; /* how often it was not: what was sent before that says nothing of it */
    uint64_t lost_ms;  /* when the last answer was lost whose request may have been carried out */
    /* folders known by role: filled by the first folders(), see ews_folders.c */
    bool has_roles, roles_is_15;
    char *roles[16];
    unsigned sync_page; /* smaller after a timeout */
    struct ews_pace header_pace, message_pace, event_pace, write_pace;
    struct ews_watch *watch;
    struct trace *trace, *login_trace; /* NULL: nobody looks on */
};

static inline bool ews_is_15(const struct ews *e)
{
    return e->negotiation.now >= EWS_2013;
}
/* The other mailbox in folder names: delegation. NULL: the own one, or the impersonated user's. */
static inline const char *ews_delegate(const struct ews *e)
{
    return e->config.impersonate ? NULL : e->config.mailbox;
}

static inline struct ews_place ews_place(const struct ews *e)
{
    return (struct ews_place){.mailbox = ews_delegate(e), .archive = e->config.archive};
}
/* A subscription to all folders is to the own mailbox without its archive; elsewhere it names them. */
static inline bool ews_names_folders(const struct ews *e)
{
    return ews_delegate(e) || e->config.archive;
}

void ews_save_negotiation(struct ews *e);

struct op *ews_login(struct backend *b, struct str secret, op_cb *cb, void *ud);
struct op *ews_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud);
struct op *ews_sync(struct backend *b, struct str folder_id, struct str cursor, op_cb *cb, void *ud);
struct op *ews_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud);
struct op *ews_watch_op(struct backend *b, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud);
struct op *ews_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud);
struct op *ews_move(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                    op_cb *cb, void *ud);
struct op *ews_copy(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                    op_cb *cb, void *ud);
struct op *ews_remove(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                      op_cb *cb, void *ud);
struct op *ews_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud);
struct op *ews_find_appended(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud);
struct op *ews_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud);
struct op *ews_quota(struct backend *b, op_cb *cb, void *ud);
struct op *ews_send_limit(struct backend *b, op_cb *cb, void *ud);
void ews_limit_load(struct ews *e); /* what the server told last */
struct op *ews_folder_create(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind, op_cb *cb,
                             void *ud);
struct op *ews_folder_change(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                             void *ud);
struct op *ews_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud);
void ews_facts(const struct backend *b, struct backend_facts *ret);
extern const struct trace_format ews_trace_format; /* backends/common/trace.h */
void ews_trace(struct backend *b, const struct backend_trace *to);
void ews_watch_reconnect(struct ews *e); /* what is parked is asked for again, on a new connection */
void ews_watch_close(struct ews *e);

#endif
