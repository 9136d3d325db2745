/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_BACKEND_H
#define BACKENDS_EAS_BACKEND_H
/* What the parts of the ActiveSync backend share: the account, what is known of its server, and the queues. */
#include <stdbool.h>
#include <stdint.h>

#include "backends/eas/eas_call.h"
#include "backends/eas/eas_collection.h"
#include "backends/eas/eas_policy.h"
#include "backends/eas/eas_queue.h"
#include "backends/eas/eas_state.h"
#include "backends/eas/eas_sync_read.h"
#include "bridge/backend.h"
#include "bridge/base/list.h"
#include "bridge/io/http.h"

#define EAS_CONNECTIONS      6     /* one parked Ping, one Sync, fetches, setup */
#define EAS_FOLDERS_MAX      10000 /* folders remembered, and taken from one FolderSync answer */
#define EAS_WINDOW_DEFAULT   100
#define EAS_WINDOW_MAX       256 /* protocol: 512; more than this gains nothing and makes pages large */
#define EAS_FETCH_BATCH      25
#define EAS_BATCH            100 /* commands in one Sync; protocol: 200 (MS-ASCMD 3.1.5.10) */
#define EAS_BATCH_MAX        200
#define EAS_DRAFTS_SINCE     160
#define EAS_DRAFTS_MIME      161 /* the whole message as a draft: 16.0 takes its properties one by one (eas_draft.h) */
#define EAS_SCHEDULING_SINCE 160 /* the server sends invitations, updates and cancellations (MS-ASCMD 3.1.5.7) */
#define EAS_BUSY_SINCE       140 /* ResolveRecipients tells busy times */
#define EAS_DEVICE_TYPE      "exbridge"
#define EAS_FRUITLESS_MAX    3 /* wake-ups by Ping that brought nothing: the folder is not named for a while */

/* What this run has learned of a mail folder. */
struct eas_folder {
    struct list link;
    char *id;
    unsigned window;      /* WindowSize of the next page */
    unsigned failures;    /* pages in a row that could not be had */
    unsigned stale;       /* invalid sync states in the last hour */
    uint64_t stale_ms;    /* when that count began */
    unsigned empty_pages; /* MoreAvailable without commands, in a row */
    bool synced;          /* a page was had: may be named in a Ping */
    bool woken;           /* Ping named it and no Sync has looked since */
    char *heard;          /* the core has what the last change, of this event, did: eas_push_heard(); or NULL */
    unsigned fruitless;   /* wake-ups in a row that brought nothing */
    uint64_t muted_until_ms;
    unsigned moved;    /* wake-ups that brought no more than a new SyncKey, since moved_ms */
    uint64_t moved_ms; /* at most a minute ago */
};

enum eas_setup_step {
    EAS_SETUP_IDLE,
    EAS_SETUP_OPTIONS,
    EAS_SETUP_DEVICE,
    EAS_SETUP_ASK,
    EAS_SETUP_ACKNOWLEDGE,
    EAS_SETUP_WIPE
};

#define EAS_PROVISION_ROUNDS 2 /* an hour */

/* Getting ready: version, device information, policies. At most one run at a time; calls that need it wait in
 * `waiting`. */
struct eas_setup {
    struct eas_call call;
    struct eas_provision answer;
    struct list waiting; /* eas_call.waiting */
    struct deferred deferred;
    enum eas_setup_step step;
    bool need_policy;    /* the server said so */
    bool account_only;   /* the wipe that was ordered */
    bool wipe_asked;     /* ... and that data is to be destroyed: ask by an empty Provision */
    bool device_refused; /* DeviceInformation failed: not tried again in this run */
    bool restarted;      /* policy status 5 was answered with a new round once */
    enum eas_acknowledgement acknowledgement;
    struct eas_policy policy; /* of phase 1: phase 2 does not repeat it */
    char temporary_key[EAS_POLICY_KEY_MAX + 1];
    uint64_t rounds_ms[EAS_PROVISION_ROUNDS];
    struct err refused; /* why the last round ended without a key */
};

struct trace;
struct eas_backend {
    struct backend base;
    struct backend_config config;
    struct http_client *http;
    struct eas_state state;
    struct eas_setup setup;
    struct list calls; /* every call alive: eas_call.link */
    bool wiped;
    bool upgraded; /* X-MS-RP: sync states are void; the folders op says so to the core by its full list */
    bool was_upgraded;
    uint64_t upgraded_ms; /* when */
    bool hierarchy;       /* some status said that the folder list changed: the next watch ends at once */
    bool expiry_warned;
    unsigned second_ms;       /* how long a second of back-off is: 1000, less in tests */
    bool assumed;             /* the version, and no command was answered in it yet */
    unsigned refused_version; /* the one that was assumed last, and refused in a command; 0 = none was */
    unsigned hops;            /* moves since the last success */
    bool asks_home;           /* the configured address in place of the learned one: eas_address.c */
    unsigned addresses;       /* how often the address has changed: what was sent before says nothing of this one */
    uint64_t lost_ms;         /* since when there is no ActiveSync at the address; 0 = it is not known to be gone */
    unsigned busy;            /* 503 and the like in a row, for the back-off */
    enum err_code health;
    unsigned troubles;            /* how often it was bad: what was sent before that says nothing of it */
    struct list writes;           /* eas_write.link: changes under way */
    struct eas_queue syncs;       /* Sync and MoveItems */
    struct eas_queue hierarchies; /* FolderSync and the commands that change folders */
    bool remembers_sends;         /* the server is known to recognise a ClientId: Exchange 2013 and later */
    bool flag_dates;              /* a follow-up flag must come with dates */
    /* ItemOperations */
    bool multipart_refused;
    bool events_by_sync; /* ItemOperations is for mail only (SOGo): events are fetched in a Sync */
    bool event_fetch_works, event_fetch_failed;
    bool fetch_works; /* one fetch was answered: a 501 later means "no such item" (SOGo) */
    /* Ping */
    unsigned heartbeat_s, heartbeat_min_s, heartbeat_max_s;
    unsigned heartbeat_lost_s; /* one that did not live to its end, at heartbeat_lost_ms; 0 = none */
    uint64_t heartbeat_lost_ms;
    unsigned ping_folders_max; /* 0 = no limit known */
    unsigned ping_floor_s;     /* average time between two Pings is not less */
    struct list watches;       /* parked, or about to be */
    unsigned ping_hierarchies; /* Pings in a row that ended with a reason to look at all folders */
    unsigned wakes;            /* Pings that ended with news, since wakes_ms */
    uint64_t wakes_ms;         /* at most a minute ago */
    uint64_t ping_next_ms;     /* no Ping before */
    uint64_t ping_longest_ms;  /* that one was parked */
    struct err ping_err;       /* why the last one was lost; ERR_NONE: it was not */
    struct list folders;
    size_t folder_count;
    struct trace *trace, *login_trace; /* NULL: nobody looks on */
};

/* The folder's memory, made if it is not there; where there are too many, the oldest one's is given up for it. */
struct eas_folder *eas_folder_get(struct eas_backend *b, struct str id);
struct eas_folder *eas_folder_find(struct eas_backend *b, struct str id);

/* A page of this folder was had: Ping may name it from now on, after a restart too. */
void eas_folder_synced(struct eas_backend *b, struct eas_folder *f);
/* ... and a Ping that is parked without it starts anew. */
void eas_watch_refresh(struct eas_backend *b, struct str folder_id);
/* After a wipe: everything that is under way ends with ERR_POLICY. */
void eas_stop_calls(struct eas_backend *b);
/* Outlook.com's front end finds the mailbox by a cookie; harmless for other servers. After each change of the address.
 */
void eas_add_anchor_cookie(struct eas_backend *b);
/* Tell the account when signing in or provisioning fails or works again. */
void eas_health(struct eas_backend *b, const struct err *err);
/* Capabilities and limits follow the version. */
void eas_apply_version(struct eas_backend *b);
/* Sync states are void: no folder counts as synchronised. */
void eas_forget_synced(struct eas_backend *b);
/* The server forgot its partnership with us: all sync states are void. */
void eas_new_epoch(struct eas_backend *b);

/* --- eas_address.c -------------------------------------------------------------------------------------------------
 */
const char *eas_address(const struct eas_backend *b);
/* The server says that the mailbox is there (451). */
bool eas_address_move(struct eas_backend *b, struct str to, struct err *err);
/* There is ActiveSync where the call went. */
void eas_address_good(struct eas_call *call);
/* There is none, nor anything that could become one. True: another address is in use now, which the call may try. */
bool eas_address_lost(struct eas_call *call);

/* --- eas_options.c -------------------------------------------------------------------------------------------------
 */
/* Take the version from the headers of an answer; ERR_PROTOCOL when they are not there, ERR_UNSUPPORTED without common
 * version. */
bool eas_options_take(struct eas_backend *b, const struct http_request *http, struct err *err);
/* OPTIONS has failed with *err. True: because of its method, and there is a version to go on with; where none was
 * known, the next one that the server has not refused. */
bool eas_options_assume(struct eas_backend *b, const struct err *err);

/* --- eas_setup.c ---------------------------------------------------------------------------------------------------
 */
void eas_setup_init(struct eas_backend *b);
bool eas_setup_ready(const struct eas_backend *b);
/* Queue the call until the setup is complete (eas_call_resume), starting it if need be. */
void eas_setup_wait(struct eas_backend *b, struct eas_call *call);
void eas_setup_done(struct eas_backend *b);

/* --- operations ----------------------------------------------------------------------------------------------------
 */
void eas_push_facts(const struct eas_backend *b, struct backend_facts *ret); /* the part about push */
void eas_facts(const struct backend *b, struct backend_facts *ret);
extern const struct trace_format eas_trace_format; /* backends/common/trace.h */
void eas_trace(struct backend *b, const struct backend_trace *to);
struct op *eas_login(struct backend *b, struct str secret, op_cb *cb, void *ud);
struct op *eas_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud);
struct op *eas_sync(struct backend *b, struct str folder_id, struct str cursor, op_cb *cb, void *ud);
struct op *eas_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                           event_known_cb *is_known, op_cb *cb, void *ud);
struct op *eas_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                           size_t count, op_cb *cb, void *ud);
struct op *eas_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud);
struct op *eas_watch(struct backend *b, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud);

struct op *eas_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud);
/* The same as a part of another change, which has the turn of b->syncs and keeps it until the callback. */
struct op *eas_flag_in_turn(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud);
struct op *eas_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud);
struct op *eas_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud);
struct op *eas_move(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                    op_cb *cb, void *ud);
struct op *eas_folder_create(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind, op_cb *cb,
                             void *ud);
struct op *eas_folder_change(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                             void *ud);
struct op *eas_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud);
struct op *eas_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud);
struct op *eas_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                            struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud);
struct op *eas_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud);
struct op *eas_event_attachment(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb, void *ud);
struct op *eas_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                         op_cb *cb, void *ud);
struct op *eas_remove(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                      op_cb *cb, void *ud);

/* FilterType of a folder of this kind: how far back the policy lets it be seen. */
unsigned eas_filter(const struct eas_backend *b, enum folder_kind kind);
/* How answers of this server for a folder of this kind are to be read. */
struct eas_sync_options eas_sync_options(const struct eas_backend *b, enum folder_kind kind);

/* Cursors: "1 14.1 EPOCH FILTER KEY". False when it is of another version, epoch or filter. */
bool eas_cursor_read(const struct eas_backend *b, struct str cursor, struct str *ret_key);
struct str eas_cursor_write(const struct eas_backend *b, struct arena *arena, struct str key);

#endif
