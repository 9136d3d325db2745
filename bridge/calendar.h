/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CALENDAR_H
#define BRIDGE_CALENDAR_H
/*
 * Calendars and task lists of an account as CalDAV sees them: collections of resources, each one iCalendar object.
 *
 *   server -- sync_events --> struct event -- canonical text (formats/ical.h) --> cache; digest, name, revision -->
 * store client -- calendar_put --> event + extra -- event_put --> server -- confirmed --> store, cache --> the client's
 * answer
 *
 * What is kept where. The canonical text (the server's item written as iCalendar) and the text that clients are served
 * are content: the cache has them, and they are fetched again when it was deleted. The store has what must not be lost:
 * each resource's name (the client's own, or one made from the UID), its revision, the digest of the canonical text,
 * and `extra`: what the client stored and Exchange has no place for, sealed when the account is.
 *
 * The served text is the client's own bytes as long as the server's item says the same; once the server's item changes
 * it is the canonical text with `extra` merged in. The revision (ETag) changes exactly when the served bytes change.
 * Revisions are MODSEQs of the collection, so one number serves as ETag, CTag and sync token; they survive restarts, an
 * invalid sync state and a deleted cache. A lost state.db means a new `validity`, and with it new tokens.
 *
 * All functions run on the loop thread; callbacks come exactly once, never from inside the call, and never after the
 * cancel or detach function. Strings handed out live in the arena given, or during the callback.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/arena.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/formats/event.h"
#include "bridge/op.h"

/* --- collections ----------------------------------------------------------------------------------------------------
 */

struct calendar { /* a folder of kind calendar or tasks */
    int64_t pk;
    struct str segment; /* of its URL, decoded: stable, unique in the account */
    struct str name;    /* what people call it: the client's own (PROPPATCH) or the server's */
    enum folder_kind kind;
    bool is_default; /* the account's own calendar or task list: cannot be deleted */
    bool read_only;
    uint32_t validity;
    uint64_t revision; /* of the newest change: CTag, sync token */
    bool synced;       /* the first sync is complete */
};

/* In the order of the server's list. Waits for nothing; account_wait_folders() first. */
bool calendar_list(struct account *a, struct arena *arena, struct calendar **ret_list, size_t *ret_count,
                   struct err *err);
bool calendar_find(struct account *a, struct str segment, struct arena *arena, struct calendar *ret);
/* Wait for the first sync; a collection that was synced once is ready at once, and looked at again when the last look
 * is old (SYNC_NOOP_MS), without waiting for it. */
struct calendar_wait;
struct calendar_wait *calendar_wait(struct account *a, int64_t pk, waiter_cb *cb, void *ud);
void calendar_wait_cancel(struct calendar_wait **w);

/* Make a calendar or a task list on the server / delete one with all that is in it. A new one keeps the segment that
 * the client asked for. Through change_*() like mail folders: change.h says what the callback gets. */
struct change;
struct change_result;
struct change *calendar_create(struct account *a, struct str segment, struct str name, enum folder_kind kind,
                               void (*cb)(void *ud, const struct change_result *result), void *ud);
struct change *calendar_remove(struct account *a, int64_t pk, void (*cb)(void *ud, const struct change_result *result),
                               void *ud);

/* Properties that clients store (calendar-color, calendar-order, displayname, ...): ours alone, by collection (pk 0:
 * the account's home) and name "{namespace}local". A value with p NULL deletes. Bounded: CALENDAR_PROPS_MAX of
 * CALENDAR_PROP_BYTES each. */
#define CALENDAR_PROPS_MAX  64
#define CALENDAR_PROP_BYTES (64 * 1024)
struct calendar_prop {
    struct str name, value; /* value: the XML of the element's content, as the client wrote it */
};
bool calendar_props(struct account *a, int64_t pk, struct arena *arena, struct calendar_prop **ret_list,
                    size_t *ret_count, struct err *err);
/* All or none. */
bool calendar_set_props(struct account *a, int64_t pk, const struct calendar_prop *list, size_t count, struct err *err);

/* --- resources ------------------------------------------------------------------------------------------------------
 */

struct resource {
    int64_t pk;        /* of the store, and names it in the cache */
    struct str name;   /* last segment of its URL, as the client chose it */
    struct str uid;    /* iCalendar's */
    uint64_t revision; /* ETag: "VALIDITY-REVISION" */
    /* Of meetings: stays as it is when guests answer, and nothing else happens (RFC 6638 3.2.10); bytes. Else empty. */
    struct str schedule;
    enum event_kind kind;
    int64_t from, to; /* event_span(): it happens nowhere outside; to INT64_MAX: for ever */
    uint64_t size;    /* of the served text in bytes; 0 = not known without fetching */
};
typedef bool resource_cb(void *ud, const struct resource *r); /* false: enough */

/* Those changed after `since` (0: all) that overlap [from, to) (INT64_MIN, INT64_MAX: all), in the order of their pk.
 */
bool calendar_resources(struct account *a, int64_t pk, uint64_t since, int64_t from, int64_t to, resource_cb *cb,
                        void *ud, struct err *err);
bool calendar_resource(struct account *a, int64_t pk, struct str name, struct arena *arena, struct resource *ret);
bool calendar_resource_by_uid(struct account *a, int64_t pk, struct str uid, struct arena *arena, struct resource *ret);
/* Names that are gone since then and have not come back. *ret_complete false: the log does not reach back so far, or
 * the number is none of ours: the client has to begin anew (valid-sync-token). */
bool calendar_gone_since(struct account *a, int64_t pk, uint64_t since, struct arena *arena, struct str **ret_names,
                         size_t *ret_count, bool *ret_complete, struct err *err);
/* The served text from the cache; false: calendar_get() fetches it. */
bool calendar_text(struct account *a, int64_t resource_pk, struct arena *arena, struct str *ret_text);

/* Bring the texts of these resources into the cache, in few requests. Done when all are there or have failed (those
 * that are gone from the server vanish from the collection). */
struct calendar_get;
struct calendar_get *calendar_get(struct account *a, int64_t pk, const int64_t *resource_pks, size_t count,
                                  waiter_cb *cb, void *ud);
void calendar_get_cancel(struct calendar_get **g);

/* --- changing -------------------------------------------------------------------------------------------------------
 */

enum calendar_refusal { /* which precondition of RFC 4791, 6638 the request failed; with err ERR_INVALID */
                        CALENDAR_FINE,
                        CALENDAR_BAD_DATA,   /* valid-calendar-data */
                        CALENDAR_BAD_OBJECT, /* valid-calendar-object-resource: Exchange cannot hold it; err says why */
                        CALENDAR_BAD_COMPONENT,      /* supported-calendar-component */
                        CALENDAR_UID_CONFLICT,       /* no-uid-conflict; `name` is the resource that has it */
                        CALENDAR_TOO_BIG,            /* max-resource-size */
                        CALENDAR_TOO_EARLY,          /* min-date-time */
                        CALENDAR_TOO_LATE,           /* max-date-time */
                        CALENDAR_TOO_MANY_INSTANCES, /* max-instances */
                        CALENDAR_TOO_MANY_ATTENDEES, /* max-attendees-per-instance */
                        CALENDAR_NOT_ORGANIZER,      /* allowed-attendee-scheduling-object-change */
                        CALENDAR_OTHER_ORGANIZER,    /* allowed-organizer-scheduling-object-change */
                        CALENDAR_REFUSAL_MAX
};
struct calendar_condition {          /* If-Match, If-None-Match: looked at when the turn has come */
    bool must_exist, must_not_exist; /* "*" */
    bool has_revision;
    uint64_t revision;
    bool despite_answers; /* the client may not have seen what guests have answered: it keeps that */
};
struct calendar_done {
    struct err err; /* ERR_CONFLICT: the condition failed, or the server's item changed meanwhile */
    enum calendar_refusal refusal;
    struct str name; /* of the resource */
    bool created;
    uint64_t revision; /* 0: the served text is not the client's, so that it has to be read again (RFC 4791 5.3.4) */
};
typedef void calendar_done_cb(void *ud, const struct calendar_done *done);
struct calendar_write;
/* A write belongs to the account: when the client is gone it goes on (calendar_detach). Writes to one resource are done
 * one after the other. `schedule` false: no invitations (Schedule-Reply: F, SCHEDULE-AGENT in the object is seen to
 * here). An attendee's PUT of somebody else's meeting becomes the answer (RFC 6638 3.2.2). */
struct calendar_write *calendar_put(struct account *a, int64_t pk, struct str name, struct str text,
                                    const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                    void *ud);
struct calendar_write *calendar_delete(struct account *a, int64_t pk, struct str name,
                                       const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                       void *ud);
/* COPY and MOVE between collections of one kind. What has the name there is overwritten or (ERR_CONFLICT) stays; it
 * goes when the server has confirmed what takes its place, so that no failure loses either. A copy has its own
 * attachments, as many as a PUT could bring. A MOVE that is cut off comes to its end by itself, and the same one asked
 * again has the same answer. Within one collection an object can only be moved, that is, renamed: UIDs are unique. */
struct calendar_write *calendar_copy(struct account *a, int64_t pk, struct str name, int64_t to_pk, struct str to_name,
                                     bool move, bool overwrite, const struct calendar_condition *condition,
                                     calendar_done_cb *cb, void *ud);
void calendar_detach(struct calendar_write **w);

/* --- people ---------------------------------------------------------------------------------------------------------
 */

/* Busy times: reply.free_busy of backend.h. Cancel with op_cancel(). */
struct op *calendar_free_busy(struct account *a, const struct str *addresses, size_t count, int64_t from, int64_t to,
                              op_cb *cb, void *ud);
/* The account's own address. */
const char *account_email(const struct account *a);
/* The user's addresses (calendar-user-address-set): account_email() first, then the mailbox that is opened and those by
 * which the server names the user. Good until the loop goes on. */
size_t account_addresses(const struct account *a, const struct str **ret_list);
/* The zone of floating and all-day times (IANA): this machine's. Lives for ever. */
struct str calendar_zone(void);
/* The content of an attachment by the address that the served text gives (account_opts.dav_url, then
 * /attachments/ID with ID in hexadecimal). reply.content of backend.h. Cancel with op_cancel(). */
struct op *calendar_attachment(struct account *a, struct str attachment_id, op_cb *cb, void *ud);

#endif
