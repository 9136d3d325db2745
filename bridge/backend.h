/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BACKEND_H
#define BRIDGE_BACKEND_H
/*
 * THE contract between the core and the servers' protocols (EWS, EAS, and the scripted one of the tests).
 *
 * A backend speaks server ids, RFC 5322 and iCalendar. It never sees UIDs, sequence numbers, MODSEQ, the store or a
 * client. The core (bridge/sync, bridge/content) calls it; protocols do not.
 *
 * Life: open() makes a backend for one account and does not talk to anybody. Then any number of ops, in any order,
 * several at once; a backend that must serialise (EAS: one Sync at a time) queues inside. close() comes when no op is
 * alive any more.
 *
 * Sign-in, token refresh, version and policy negotiation, throttling, back-off and retries happen inside the backend
 * (ews_call / eas_call), whenever an op needs them. An op fails only when that has been tried: its error is what the
 * account's state becomes. The core retries by its own slow schedule, never at once.
 *
 * To add an operation: its function below with a comment, its answer in struct reply, a capability bit when a server
 * may lack it; NULL in a table means ERR_UNSUPPORTED (callers use the backend_*() wrappers at the end, which check).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/log.h"
#include "bridge/base/str.h"
#include "bridge/formats/event.h"
#include "bridge/io/blob.h"
#include "bridge/io/loop.h"
#include "bridge/op.h"

/* --- what a server has ------------------------------------------------------------------------ */

enum folder_kind { FOLDER_MAIL, FOLDER_CALENDAR, FOLDER_TASKS, FOLDER_CONTACTS, FOLDER_OTHER };

/* RFC 6154 special uses, known by server id or type, never by a name in some language. */
enum folder_use { USE_NONE, USE_INBOX, USE_DRAFTS, USE_SENT, USE_TRASH, USE_JUNK, USE_ARCHIVE, USE_OUTBOX };

struct folder_info {
    struct str id;        /* the server's, opaque, case-sensitive, up to BACKEND_ID_MAX bytes */
    struct str parent_id; /* empty: top level */
    struct str name;      /* display name, UTF-8, any character; the core makes it an IMAP name */
    enum folder_kind kind;
    enum folder_use use;
    bool hidden; /* not for people (sync issues, recipient cache, ...) */
    bool gone;   /* deleted on the server; only id is set */
};

#define BACKEND_ID_MAX     1024          /* bytes of a server id */
#define BACKEND_CURSOR_MAX (1024 * 1024) /* bytes of a sync state */

enum item_flag {
    ITEM_SEEN = 1 << 0,
    ITEM_FLAGGED = 1 << 1,
    ITEM_ANSWERED = 1 << 2,
    ITEM_FORWARDED = 1 << 3, /* $Forwarded */
    ITEM_DRAFT = 1 << 4,
    ITEM_DELETED = 1 << 5, /* \Deleted, where the server can hold it */
    /* What programs note for themselves (names.h: marks): kept by the core alone, no server hears of them. */
    ITEM_MARK_FIRST = 1 << 6,
    ITEM_MARK_LAST = 1 << 13,
    ITEM_MARKS = 2 * ITEM_MARK_LAST - ITEM_MARK_FIRST
};

/* One change of one item, as a sync page tells it. Absent parts mean "unchanged", never "false" or "empty". */
struct item_info {
    struct str id;
    struct str change; /* ChangeKey or the like; empty where the protocol has none */
    bool gone;         /* deleted or moved away; only id is set */
    bool unread;       /* of a calendar: it is there and cannot be read (the backend has logged why); only id is set */
    bool left_window;  /* no longer covered by the age filter (SoftDelete): hidden here, not deleted there */
    bool content_changed; /* known id whose message may have new bytes (an edited draft): it gets a new UID */
    unsigned flags;       /* values, for the bits in flags_known */
    unsigned flags_known;
    bool categories_known;
    const struct str *categories; /* UTF-8, as the server has them */
    size_t category_count;
    int64_t received_ms;    /* TIME_NONE = not told */
    uint64_t size_estimate; /* the server's idea of the size in bytes, unpadded; 0 = not told */
    bool size_exact;        /* size_estimate is the exact size of the MIME that fetch will give */
    struct str message_id;  /* with or without <>; empty = not told */
    struct str subject;     /* decoded UTF-8, for matching after a lost sync state; empty = not told */
    /* Content that came along at no extra cost (EAS Type 4 truncated). header: the raw header block including the empty
     * line. message: the complete MIME. Either may be NULL. Owned by the reply; blob_ref to keep. */
    struct blob *header;
    struct blob *message;
    /* Calendar and task folders (sync_events): complete, with its changed and deleted occurrences. Of the reply. */
    const struct event *event;
};

/* A folder to be watched. */
struct folder_ref {
    struct str id;
    enum folder_kind kind;
};

/* --- what is asked ---------------------------------------------------------------------------- */

enum fetch_what {
    FETCH_HEADER, /* the header block, as close to the original as the server has it */
    FETCH_MESSAGE /* the whole message, RFC 5322 with CRLF */
};

/* One item's content has arrived (err->code ERR_NONE: `content` is a finished blob; blob_ref to keep) or failed
 * (ERR_NOT_FOUND: gone from the server; ERR_UNSUPPORTED, ERR_TOO_BIG, ERR_INVALID: it is there, and the server cannot
 * give it; others: not to be had now). Comes between start and the final callback, once for each item asked at most;
 * items not mentioned when the op ends share its error. For FETCH_HEADER `message` may come instead when the server
 * gave all. */
struct fetched {
    size_t index; /* into the request's ids */
    const struct err *err;
    enum fetch_what what; /* what `content` is; may be more than asked */
    struct blob *content;
    bool synthesised; /* built from properties: the server has no MIME for it */
};
typedef void fetched_cb(void *ud, const struct fetched *f);

/* For protocols that tell changes apart by the sync state and not by the item (EAS): asked with the op's ud when the op
 * has waited its turn, right before the first request goes out. False: a page that was committed meanwhile changed the
 * item, so what is to be written was made from something old; nothing is sent and the op ends with ERR_CONFLICT. NULL:
 * not asked. */
typedef bool event_current_cb(void *ud);

/* For protocols whose pages name versions and whose items are fetched apart (EWS): asked with the op's ud for each item
 * of a page before it is fetched. True: this very version is here already, as the echo of a change of ours is; it is
 * neither fetched nor listed. NULL: not asked. */
typedef bool event_known_cb(void *ud, struct str id, struct str change);

struct fetch_request {
    struct str folder_id;
    const struct str *ids; /* at most limits.fetch_*_batch */
    size_t count;
    enum fetch_what what;
    fetched_cb *on_item; /* called with the op's ud */
};

struct busy_span {
    int64_t from, to; /* instants */
    enum event_busy busy;
};
struct busy_list {
    const struct busy_span *spans; /* ascending, EVENT_FREE left out; neighbours of one kind joined */
    size_t count;
};

/* --- answers ---------------------------------------------------------------------------------- */

struct reply {
    struct err err; /* code ERR_NONE = done */
    union {
        struct {
            const struct folder_info *list; /* changes since the cursor; all of them when `full` */
            size_t count;
            struct str cursor;
            bool full; /* the list is complete: folders not in it are gone */
            bool more;
        } folders;
        struct {
            const struct item_info *list;
            size_t count;
            struct str cursor; /* to be committed together with the list */
            bool more;
            bool restarted; /* the backend had to begin anew (cursor was empty): items not mentioned until !more are
                               gone */
        } items;
        struct {
            const struct str *folder_ids; /* where something may have changed */
            size_t count;
            bool hierarchy;           /* the folder list may have changed */
            bool everything;          /* events were lost: look everywhere ... */
            uint64_t missed_until_ms; /* ... that was asked for before this moment (time_mono_ms); 0 = now */
        } watch;
        struct {
            struct str user;   /* as the server calls the signed-in person (primary address), or empty */
            struct str server; /* "Exchange 15.2 (EWS Exchange2013_SP1)": for status and logs */
        } login;
        struct { /* flag, move, copy, remove: one result an item, in the order asked */
            const struct err *each;
            const struct str *new_ids; /* move, copy; empty where unknown */
            const struct str *changes; /* the new ChangeKey, or empty */
            size_t count;
        } items_done;
        struct { /* append, folder_create, folder_move */
            struct str id;
            struct str change;
        } created;
        struct { /* event_fetch: in the order asked; each[i].code ERR_NONE: list[i] is complete */
            const struct err *each;
            const struct item_info *list;
            size_t count;
        } events;
        struct {           /* event_put, event_respond */
            struct str id; /* may differ from the one asked about; empty: the item is gone (a declined meeting) */
            struct str change;
            const struct event *event; /* as the server has it now; NULL: not told, the sync will */
            bool found; /* event_put: an earlier attempt had made it, and this call has changed nothing */
        } event_done;
        struct blob *content; /* event_attachment; blob_ref to keep */
        struct {
            uint64_t used, limit; /* bytes; limit 0: the server tells none (and then `used` is nothing) */
        } quota;
        uint64_t message_max;       /* send_limit: bytes; 0: the server tells none */
        struct {                    /* free_busy: in the order asked */
            const struct err *each; /* of an address: unknown, not allowed */
            const struct busy_list *list;
            size_t count;
        } free_busy;
    };
};

/* --- one account's backend -------------------------------------------------------------------- */

enum backend_cap {
    CAP_COPY = 1 << 0,         /* copy() */
    CAP_APPEND = 1 << 1,       /* append() to any mail folder */
    CAP_APPEND_DRAFT = 1 << 2, /* append() to the drafts folder only */
    CAP_KEYWORDS = 1 << 3,     /* categories can be read and set */
    CAP_ANSWERED = 1 << 4,     /* ITEM_ANSWERED/FORWARDED can be set by flag() */
    CAP_DELETED = 1 << 5,      /* ITEM_DELETED is kept by the server */
    CAP_PUSH_ALL = 1 << 6,     /* watch() reports every change, not additions alone */
    CAP_CALENDAR = 1 << 7,     /* sync_events and the event_*() operations on calendar folders */
    CAP_TASKS = 1 << 8,        /* the same on task folders */
    CAP_SCHEDULING = 1 << 9,   /* the server sends invitations, updates, cancellations and answers; else we send iTIP */
    CAP_FREE_BUSY = 1 << 10,   /* free_busy() */
    CAP_TELLS_OWN = 1 << 11,   /* sync() tells of what append() and copy() made, too */
    CAP_SENDS_ONCE = 1 << 12,  /* send() finds out by its evidence whether an earlier attempt went through */
    CAP_QUOTA = 1 << 13,       /* quota() */
    CAP_COARSE = 1 << 14 /* events have no importance there, tasks are done or not: no status or percent between */
};

struct backend_limits {
    unsigned sync_page;           /* items in a page, for progress texts */
    unsigned fetch_header_batch;  /* ids in one FETCH_HEADER */
    unsigned fetch_message_batch; /* ids in one FETCH_MESSAGE */
    uint64_t fetch_message_bytes; /* stop filling a FETCH_MESSAGE batch above this (estimated) */
    unsigned fetch_parallel;      /* fetch ops worth running at once */
    unsigned write_batch;         /* ids in one flag/move/remove */
    uint64_t message_max;         /* bytes of a message that can be sent or appended; 0 = unknown */
};

/* What the account lends its backend. Functions are called on the loop thread, never after close(). */
struct backend_host {
    void *ud;
    /* Small state that must outlive a crash (policy key, device id, negotiated version, an EAS batch on the wire, a
     * send in flight): opaque bytes by key, committed with synchronous=FULL before put returns. An empty value deletes.
     */
    bool (*persist_put)(void *ud, struct str key, struct str value, struct err *err);
    bool (*persist_get)(void *ud, struct str key, struct buf *out); /* false: no such key */
    /* The server orders the account's data destroyed (remote wipe): marks it durably, then erases state and cache. */
    void (*wipe)(void *ud, const char *why);
    /* The outcome of signing in or provisioning changed: shown by status. err NULL or ERR_NONE = all is well. */
    void (*health)(void *ud, const struct err *err);
    /* The sync state of a folder as it is committed: what sync() would be called with now; empty id: the folder list's,
     * for folders(). False: there is none that the ids of items known here belong to (never synchronised, or being
     * collected anew). For protocols whose changes need the sync state (EAS). */
    bool (*cursor)(void *ud, struct str folder_id, struct buf *out);
};

struct login; /* backends/common/login.h: credentials, throttle and lock-out guard, shared by accounts of one [login] */

/* Filled by main from the configuration; strings live as long as the backend. */
struct backend_config {
    const char *name; /* the account's section name: logs */
    const char *email;
    const char *url; /* endpoint */
    struct login *login;
    const char *mailbox; /* another mailbox, or NULL */
    bool impersonate;    /* with mailbox: impersonation instead of delegation */
    bool archive;        /* the archive of the own mailbox, a second tree of folders (EWS) */
    const char *user_agent;
    const char *ca_file, *proxy, *client_cert, *client_key;
    unsigned tls_min;
    const char *tmp_dir;                  /* for blobs */
    int provision;                        /* enum provision_answer */
    uint64_t message_limit;               /* largest message accepted from the server */
    const char *zone;                     /* the user's (IANA): where his days begin; NULL = UTC */
    const char *junk_name, *archive_name; /* special-use.junk / .archive: display names, or NULL (EAS cannot tell) */
    struct loop *loop;
    struct backend_host host;
};
enum provision_answer { PROVISION_ASK, PROVISION_ACCEPT, PROVISION_REFUSE };

/* Where the lines of a trace go: printable or not, without line break, valid until it returns. */
struct backend_trace {
    void (*line)(void *ud, struct str line);
    void *ud;
};

/* How news comes just now, and what else only the backend knows of the server: for status and doctor. */
struct backend_facts {
    const char *push;    /* the means: "a stream of events", "Ping" */
    bool push_open;      /* a request is parked at the server, and it is known to be content with it */
    unsigned push_s;     /* ... for so long */
    unsigned longest_s;  /* the longest that one was parked since the start */
    unsigned asked_s;    /* how long we ask the server to park it */
    struct err push_err; /* why not, when something stands in the way; ERR_NONE: nothing does */
    const char *policy;  /* the server's rules for devices, as far as they are known; NULL: the protocol has none */
    const char *device;  /* the id that the administrator sees of us; NULL: the protocol has none */
};

struct flag_request;
struct append_request;
struct send_request;
struct event_put;
struct event_reply;
struct backend; /* each implementation embeds this as the first member of its own */
struct backend_ops {
    const char *name; /* "ews", "eas" */
    struct backend *(*open)(const struct backend_config *config, struct err *err);
    void (*close)(struct backend *b);
    /* The network has changed, or we have slept: kept connections are not used again. Ops under way go on. May be NULL.
     */
    void (*reconnect)(struct backend *b);
    /* May be NULL. Strings are constants, or the backend's until it is next used. */
    void (*facts)(const struct backend *b, struct backend_facts *ret);
    /* Show what goes to the server and comes from it, without secrets and without what messages say, from now on; NULL:
     * no longer (close() ends it, too). May be NULL. */
    void (*trace)(struct backend *b, const struct backend_trace *to);

    /* Prove that the credentials work; for passthrough, `secret` is the password a client offered (kept in memory by
     * the login when accepted). Empty secret: use what the login has. reply.login */
    struct op *(*login)(struct backend *b, struct str secret, op_cb *cb, void *ud);
    /* Changes of the folder hierarchy since `cursor` (empty: all). reply.folders */
    struct op *(*folders)(struct backend *b, struct str cursor, op_cb *cb, void *ud);
    /* One page of changes of a mail folder since `cursor` (empty: from the start). reply.items. ERR_STALE: cursor
     * unusable, begin with an empty one. ERR_NOT_FOUND: the folder is gone. */
    struct op *(*sync)(struct backend *b, struct str folder_id, struct str cursor, op_cb *cb, void *ud);
    struct op *(*fetch)(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud);
    /* Ends when something may have changed since the last watch() ended (the first call: since it began). Holds one
     * parked request; renewals are internal. `folders`: those of interest, most important first. reply.watch */
    struct op *(*watch)(struct backend *b, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud);

    /* Writing (write-through: an answer without error means the server confirmed). reply.items_done */
    struct op *(*flag)(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud);
    struct op *(*move)(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                       op_cb *cb, void *ud);
    struct op *(*copy)(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                       op_cb *cb, void *ud);
    struct op *(*remove)(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                         op_cb *cb, void *ud);
    /* Unknown outcomes are resolved inside where the server gives evidence; else ERR_OFFLINE. reply.created */
    struct op *(*append)(struct backend *b, const struct append_request *request, op_cb *cb, void *ud);
    /* Is there an item with this evidence? ERR_NOT_FOUND: no. For an append that is to be taken back after its answer
     * was lost. reply.created. NULL: the server keeps no evidence (EAS); after a lost answer the core synchronises the
     * folder and looks for the Message-ID among what has come. */
    struct op *(*find_appended)(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud);
    struct op *(*send)(struct backend *b, const struct send_request *request, op_cb *cb, void *ud);
    /* kind: mail, calendar or tasks. reply.created */
    /* How full the mailbox is. reply.quota */
    struct op *(*quota)(struct backend *b, op_cb *cb, void *ud);
    /* How large a message may be. limits.message_max follows, and is what the server told last in later lives, too.
     * reply.message_max. NULL: the protocol has no word for it */
    struct op *(*send_limit)(struct backend *b, op_cb *cb, void *ud);
    struct op *(*folder_create)(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind,
                                op_cb *cb, void *ud);
    struct op *(*folder_change)(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                                void *ud);
    struct op *(*folder_remove)(struct backend *b, struct str id, op_cb *cb, void *ud);

    /* Calendars and tasks. As sync(), of a folder of that kind; every item that is not gone comes complete (an EWS page
     * takes its items and exceptions along in as few requests as the server allows). reply.items */
    struct op *(*sync_events)(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                              event_known_cb *is_known, op_cb *cb, void *ud);
    /* Again, when the cache was deleted. reply.events */
    struct op *(*event_fetch)(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                              size_t count, op_cb *cb, void *ud);
    /* Create (id empty) or change an item so that it is `wanted`, exceptions included. ERR_CONFLICT: the server's item
     * is not `base` any more, nothing was changed. ERR_UNSUPPORTED, ERR_INVALID: refused, with the reason. ERR_OFFLINE:
     * unknown how far it came. reply.event_done
     *
     * A create with `retry` looks for what the earlier attempt made (by `evidence`). When that is there, it is left as
     * it is and told, whole, with event_done.found: somebody may have changed it since, and what is to be done is the
     * caller's to decide. When a create fails and the item, or a part of it, stays on the server, event_done.id names
     * it beside the error. */
    struct op *(*event_put)(struct backend *b, const struct event_put *request, op_cb *cb, void *ud);
    /* Delete, if the server's item is still the version `change` (empty: whichever there is); ERR_CONFLICT: it is not,
     * nothing was done. With `notify` the organiser's cancellation (or the attendee's decline) goes out where the
     * server does that. A recoverable deletion where the server has one. reply.items_done with one entry */
    struct op *(*event_remove)(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                               struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud);
    /* The user's answer to somebody else's meeting. reply.event_done */
    struct op *(*event_respond)(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud);
    /* The content of an attachment. reply.content */
    struct op *(*event_attachment)(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb,
                                   void *ud);
    /* Busy times of people between two instants. reply.free_busy */
    struct op *(*free_busy)(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                            op_cb *cb, void *ud);
};

struct backend {
    const struct backend_ops *ops;
    unsigned caps; /* may grow or shrink with the negotiated version; read when needed */
    struct backend_limits limits;
    struct loop *loop;
};

/* Set and clear flag bits; replace the categories where categories_set. */
struct flag_change {
    struct str id;
    struct str change; /* last known ChangeKey */
    unsigned set, clear;
    unsigned flags; /* all that the message has afterwards, for what shares a place on the server */
    bool categories_set;
    const struct str *categories;
    size_t category_count;
};
struct flag_request {
    struct str folder_id;
    const struct flag_change *items;
    size_t count;
};
struct append_request {
    struct str folder_id;
    struct blob *message;
    unsigned flags;
    const struct str *categories;
    size_t category_count;
    int64_t received_ms; /* TIME_NONE = now */
    struct str evidence; /* unique token, put on the item where the server can hold it; the same again after a crash */
    bool retry;          /* an earlier attempt with this evidence has an unknown outcome: look before storing */
};
struct send_request {
    struct blob *message;
    struct str sender;
    const struct str *recipients;
    size_t recipient_count;
    struct str evidence; /* EAS ClientId; EWS: journal property. At most 40 ASCII characters */
    bool retry;          /* an earlier attempt with this evidence has an unknown outcome: look before sending */
    /* The item that this message answers or forwards, so that a server can mark it; empty: none, or not known. */
    struct str source_folder_id, source_id;
    bool source_forwarded;
};

struct event_put {
    struct str folder_id;
    enum folder_kind kind;
    struct str id;     /* empty: create */
    struct str change; /* last known ChangeKey */
    const struct event *wanted;
    const struct event *base;     /* what the server had when `wanted` was made; NULL on create */
    bool notify;                  /* invitations, updates and cancellations go out where the server sends them */
    struct str evidence;          /* unique token: ClientId; the same again after a crash */
    bool retry;                   /* an earlier attempt has an unknown outcome: look before creating */
    event_current_cb *is_current; /* with `base` */
};
struct event_reply {
    struct str folder_id, id, change;
    struct str inbox_id; /* where invitations arrive; empty: not known */
    bool has_instance;
    int64_t instance;          /* original start of the one occurrence it is about */
    const struct event *event; /* as the server had it when it was last seen */
    enum event_response response;
    bool notify; /* tell the organiser, where the server does that */
    struct str comment;
};

/* Wrappers: an op that fails with ERR_UNSUPPORTED where the table has NULL. */
struct op *backend_login(struct backend *b, struct str secret, op_cb *cb, void *ud);
struct op *backend_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud);
struct op *backend_sync(struct backend *b, struct str folder_id, struct str cursor, op_cb *cb, void *ud);
struct op *backend_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud);
struct op *backend_watch(struct backend *b, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud);
struct op *backend_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud);
struct op *backend_move(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                        op_cb *cb, void *ud);
struct op *backend_copy(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                        op_cb *cb, void *ud);
struct op *backend_remove(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                          op_cb *cb, void *ud);
struct op *backend_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud);
struct op *backend_find_appended(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud);
struct op *backend_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud);
struct op *backend_quota(struct backend *b, op_cb *cb, void *ud);
struct op *backend_send_limit(struct backend *b, op_cb *cb, void *ud);
struct op *backend_folder_create(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind,
                                 op_cb *cb, void *ud);
struct op *backend_folder_change(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                                 void *ud);
struct op *backend_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud);
struct op *backend_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                               event_known_cb *is_known, op_cb *cb, void *ud);
struct op *backend_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                               size_t count, op_cb *cb, void *ud);
struct op *backend_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud);
struct op *backend_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                                struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud);
struct op *backend_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud);
struct op *backend_event_attachment(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb,
                                    void *ud);
struct op *backend_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                             op_cb *cb, void *ud);

#endif
