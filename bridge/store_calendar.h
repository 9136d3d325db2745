/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_STORE_CALENDAR_H
#define BRIDGE_STORE_CALENDAR_H
/*
 * The store's side of calendars: resources beside items, collections' own names and properties, mail that is owed. The
 * same rules as in store.h: one transaction a call, durable when it returns true.
 */
#include "bridge/store.h"

#define STORE_DIGEST_SIZE 16
#define STORE_NAME_MAX    255 /* bytes of a resource's name */

/* Beside an item_info that brings an event (store_page.events), or one that was put. */
struct store_event {
    struct str ical_uid; /* as clients see it */
    struct str name;     /* empty, or taken: one is made from ical_uid. An existing resource keeps its own */
    struct str digest, served, schedule; /* schedule: empty where there is none */
    enum event_kind kind;
    int64_t from, to;
    uint64_t size;
    struct str extra; /* p NULL: unchanged */
    bool told_again;  /* of a new item: the next sync tells of it, as of everybody's; see store_sync_begins() */
};

struct store_resource {
    int64_t pk;
    struct str name, ical_uid, digest, served, schedule, extra; /* in the arena; extra as it was given */
    struct str server_id, change;
    uint64_t modseq; /* the revision */
    enum event_kind kind;
    int64_t from, to;
    uint64_t size;
};
/* NULL arena: without strings. Those announced only. */
bool store_resource_by_name(struct store *s, int64_t folder_pk, struct str name, struct arena *arena,
                            struct store_resource *ret);
/* Announced or not, of this server id; else, with a UID, the one that has this UID. For what comes with a page. */
bool store_resource_of(struct store *s, int64_t folder_pk, struct str server_id, struct str ical_uid,
                       struct arena *arena, struct store_resource *ret);
bool store_resource_by_uid(struct store *s, int64_t folder_pk, struct str ical_uid, struct arena *arena,
                           struct store_resource *ret);
bool store_resource_by_pk(struct store *s, int64_t pk, struct arena *arena, struct store_resource *ret);
/* Changed after `modseq` and overlapping [from, to); strings are valid during the callback. False from it: enough. */
typedef bool store_resource_cb(void *ud, const struct store_resource *r);
bool store_resources(struct store *s, int64_t folder_pk, uint64_t modseq, int64_t from, int64_t to,
                     store_resource_cb *cb, void *ud, struct err *err);
/* As store_expunged(), by name; names that exist again are left out. */
bool store_resources_gone(struct store *s, int64_t folder_pk, uint64_t modseq, struct arena *arena,
                          struct str **ret_names, size_t *ret_count, bool *ret_complete, struct err *err);

/* An item that was put: the row is made or changed, together with its resource. identity_uid: the UID that the server
 * tells for it, empty = not known. *ret: as it is now. */
bool store_event_put(struct store *s, int64_t folder_pk, struct str server_id, struct str change,
                     struct str identity_uid, const struct store_event *event, struct store_resource *ret,
                     struct err *err);
/* Another name for a resource; ERR_EXISTS: it is taken. The revision goes up, the old name is gone. */
bool store_resource_rename(struct store *s, int64_t folder_pk, int64_t item_pk, struct str name, uint64_t *ret_modseq,
                           struct err *err);
/* Is this version of the item what the store has, in the list that pages go to just now? Not when only its ChangeKey is
 * known (store_event_renamed). */
bool store_event_is_version(struct store *s, int64_t folder_pk, struct str server_id, struct str change);
/* The same item under a new server id or ChangeKey (an answered meeting). What it says now has yet to be read: its
 * digest is empty until then. */
bool store_event_renamed(struct store *s, int64_t item_pk, struct str server_id, struct str change, struct err *err);

/* --- collections ------------------------------------------------------------------------------ */

bool store_collection_segment(struct store *s, int64_t folder_pk, struct arena *arena, struct str *ret_segment);
/* Another collection that had it has none any more. */
bool store_collection_set(struct store *s, int64_t folder_pk, struct str segment, struct err *err);
typedef void store_property_cb(void *ud, struct str name, struct str value);
bool store_properties(struct store *s, int64_t folder_pk, store_property_cb *cb, void *ud, struct err *err);
/* p NULL: away with it. */
bool store_property_put(struct store *s, int64_t folder_pk, struct str name, struct str value, struct err *err);
/* Several calls as one transaction; store_end() without ok undoes them. They nest. */
bool store_begin(struct store *s, struct err *err);
bool store_end(struct store *s, bool ok, struct err *err);

/* --- objects that move (store_moving.c) ------------------------------------------------------- */

/*
 * A row for each MOVE, from before the server is asked until the client is known to have heard the answer:
 *
 *     ASKED -> THERE -> DONE -> (forgotten)
 *          \->(forgotten)  \-> STUCK -> DONE
 */
enum moving_state {
    MOVING_ASKED, /* the server may have moved it */
    MOVING_THERE, /* it has; what was in its place is still to be deleted */
    MOVING_STUCK, /* the server has refused that: tried again when the client asks again */
    MOVING_DONE
};
struct moving {
    int64_t pk; /* 0: none */
    int64_t folder_pk, to_pk;
    struct str name, to_name;
    enum moving_state state;
    int64_t item_pk;     /* in the first folder, from MOVING_THERE on in the second; 0: of a COPY, not known yet */
    struct str place;    /* from MOVING_THERE on: its name there, until it gets to_name */
    int64_t replaces_pk; /* 0: nothing */
    struct str digest;   /* of that, as it was looked at */
    struct str ical_uid, server_uid, extra;
};
/* ret_pk: in m. What of before is of the same names is forgotten. */
bool store_moving_add(struct store *s, struct moving *m, struct err *err);
/* state, item_pk, place. */
bool store_moving_set(struct store *s, const struct moving *m, struct err *err);
bool store_moving_forget(struct store *s, int64_t pk, struct err *err);
/* Of these four names; MOVING_DONE for a day only. */
bool store_moving_find(struct store *s, int64_t folder_pk, struct str name, int64_t to_pk, struct str to_name,
                       struct arena *arena, struct moving *ret);
/* ASKED and THERE, into this folder (0: into any), the oldest first; at most 100. */
size_t store_moving_open(struct store *s, int64_t to_pk, struct arena *arena, struct moving **ret);
/* What has come into the second folder since, announced, and is it by its UID. */
bool store_moving_arrived(struct store *s, const struct moving *m, struct arena *arena, struct store_resource *ret);

/* --- the user's addresses --------------------------------------------------------------------- */

/* As they were set, one a line; nothing when none ever were. */
void store_own_addresses(struct store *s, struct buf *out);
bool store_set_own_addresses(struct store *s, struct str lines, struct err *err);

/* --- items that cannot be read (store_unread.c) ----------------------------------------------- */

/* They are on the server, and what they say is not known: what is not in the store may be one of them. Until a page
 * tells of the item again, or of the whole folder (forget). What the store has of them from before stays when the
 * folder was collected anew. */
bool store_unread_add(struct store *s, int64_t folder_pk, struct str server_id, struct err *err);
bool store_unread_done(struct store *s, int64_t folder_pk, struct str server_id, struct err *err);
bool store_unread_forget(struct store *s, int64_t folder_pk, struct err *err);
/* How many in the folder (0: in all), of this server id (empty: of any), told since then. */
size_t store_unread(struct store *s, int64_t folder_pk, struct str server_id, int64_t since_s);
/* Some of the folder's, in no order that means anything, so that each has its turn; in the arena. */
size_t store_unread_ids(struct store *s, int64_t folder_pk, size_t max, struct arena *arena, struct str **ret_ids);

/* --- mail that is owed ------------------------------------------------------------------------ */

/*
 * A mail that becomes due only when the server has done something else: kept under a mark (STORE_HELD and words), and
 * not among those that are owed until it is released. `promise` is what has to be true then, as the caller words it.
 * Several mails may have one mark, or marks that begin alike.
 */
#define STORE_HELD "held "
struct store_held {
    struct str mark, promise;
    int64_t created_s;
};
bool store_owe_held(struct store *s, struct str mark, struct str message, struct str promise, struct err *err);
bool store_held_release(struct store *s, struct str mark_begins, struct err *err);
bool store_held_drop(struct store *s, struct str mark_begins, struct err *err);
/* Those whose mark begins so, the oldest first, at most 1000; in the arena. */
size_t store_held(struct store *s, struct str mark_begins, struct arena *arena, struct store_held **ret);
/* The oldest that is due; false: nothing is. */
bool store_owed(struct store *s, int64_t after_pk, struct arena *arena, int64_t *ret_pk, struct str *ret_message);
bool store_owed_done(struct store *s, int64_t pk, struct err *err);

/* Between store_items.c, store_match.c and store_calendar.c, inside a transaction. */
struct folder_state;
bool store_event_insert(struct store *s, int64_t folder_pk, int64_t item_pk, bool hidden,
                        const struct store_event *event, struct err *err);
bool store_event_update(struct store *s, int64_t folder_pk, int64_t item_pk, uint64_t modseq,
                        const struct store_event *event, bool *ret_changed, struct err *err);
bool store_match_events(struct store *s, int64_t folder_pk, uint64_t modseq, struct err *err); /* pairs are known */
bool store_reveal_events(struct store *s, int64_t folder_pk, struct err *err); /* the old ones are gone */

#endif
