/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CALENDAR_PRIVATE_H
#define BRIDGE_CALENDAR_PRIVATE_H
/* Shared by the calendar*.c files, and what the sync engine calls of them. */
#include "bridge/account_private.h"
#include "bridge/calendar.h"
#include "bridge/formats/ical.h"
#include "bridge/store_calendar.h"

/* What the cache keeps of an item, beside the renderings of messages (content.h). */
enum calendar_rendering { CALENDAR_R_CANONICAL = CONTENT_R_MAX, CALENDAR_R_SERVED, CALENDAR_R_MAX };
_Static_assert(CALENDAR_R_MAX <= CACHE_RENDERINGS, "the cache has a place for each");

#define CALENDAR_VERBATIM_MAX (256 * 1024) /* bytes of a client's own text that are kept to be served */

/* Where floating times are, and who the user is; good until the next event is learnt from. */
struct ical_options calendar_options(const struct account *a);

/* An item as the server has it, ready for the store: texts for the cache, and the row. All in the arena. */
struct calendar_item {
    struct str canonical, served;
    struct store_event row;
    bool unchanged; /* the server says what it said before: `served` is empty, the cached one stays */
};
/* known: the resource as it is; NULL for a new one. Its extra goes into what is served. */
void calendar_prepare(struct account *a, const struct event *e, const struct store_resource *known, struct arena *arena,
                      struct calendar_item *ret);
void calendar_keep(struct account *a, int64_t pk, const struct calendar_item *item); /* into the cache */
/* CALENDAR_R_*, if the cache has the one that the store speaks of: it is written after the store, so that after a
 * crash, or for a folder that was collected anew, the one of before may still be there. */
bool calendar_rendering(struct account *a, int64_t pk, unsigned which, struct arena *arena, struct str *ret_text);
/* The server's item as it was last seen, from the cache; false: to be fetched. */
bool calendar_base(struct account *a, int64_t pk, struct arena *arena, struct event *ret);
void calendar_digest(struct str text, char to[STORE_DIGEST_SIZE]);
/* extra, sealed and back. */
struct str calendar_seal(struct account *a, struct str extras, struct arena *arena);
struct str calendar_unseal(struct account *a, struct str extra, struct arena *arena);

/* A page of sync_events(): store and cache. */
bool calendar_take_page(struct account *a, int64_t folder_pk, const struct reply *reply, bool announce,
                        struct store_applied *done, struct err *err);

/* As calendar_get() of one resource, whatever the cache has: a change of the server's that no sync has brought yet is
 * here afterwards, with its ChangeKey. */
struct calendar_get *calendar_get_again(struct account *a, int64_t pk, int64_t resource_pk, waiter_cb *cb, void *ud);

/* The server's folder of a collection; false: it is gone. Strings in the arena. */
bool calendar_folder(struct account *a, int64_t pk, struct arena *arena, struct store_folder *ret);

/* The canonical text of an event, and back. */
struct str calendar_written(struct account *a, const struct event *e, struct arena *arena);
bool calendar_read(struct account *a, struct str text, struct arena *arena, struct event *ret);

/* --- calendar_mail.c: invitations that we send ourselves */

/* What guests are told about. */
#define CALENDAR_NEWS                                                                                                  \
    (EVENT_PART_TIME | EVENT_PART_SUBJECT | EVENT_PART_LOCATION | EVENT_PART_BODY | EVENT_PART_RECURRENCE |            \
     EVENT_PART_EXCEPTIONS | EVENT_PART_ATTACHMENTS)

struct calendar_answer {
    bool has_instance; /* of one occurrence */
    int64_t instance;
    enum event_response response;
};
/* Where a mail waits: see store_owe_held(). */
struct calendar_due {
    struct str mark, promise;
};
/* The mails about a change (`before` NULL: the object is new), the attendee's answer, a removal (the organiser's
 * cancellation, or the attendee's no): written down as held, inside the caller's transaction. None, when nobody is to
 * be told. */
bool calendar_owe_put(struct account *a, const struct calendar_due *due, const struct event *before,
                      const struct event *after, struct err *err);
bool calendar_owe_reply(struct account *a, const struct calendar_due *due, const struct event *e,
                        const struct calendar_answer *answer, struct err *err);
bool calendar_owe_removal(struct account *a, const struct calendar_due *due, const struct event *e, struct err *err);

/* --- calendar_held.c: ... of which each waits for the server's word */

/* What one request to the server holds back. Zeroed: nothing. */
struct calendar_held {
    int64_t folder_pk;
    struct str uid; /* borrowed */
    char token[17]; /* empty: nothing */
    char matter[48];
};
/* Before the server is asked. `before`: what the guests know, as far as the caller knows. */
bool calendar_hold_put(struct account *a, int64_t folder_pk, const struct event *before, const struct event *after,
                       struct calendar_held *ret, struct err *err);
bool calendar_hold_reply(struct account *a, int64_t folder_pk, struct str uid, const struct event *e,
                         const struct calendar_answer *answer, struct calendar_held *ret, struct err *err);
bool calendar_hold_removal(struct account *a, int64_t folder_pk, struct str uid, const struct event *e,
                           struct calendar_held *ret, struct err *err);
/* Done: the mail is due, and what earlier attempts at the same held back is over. Inside the transaction that writes
 * the outcome down. */
bool calendar_held_confirmed(struct account *a, const struct calendar_held *h, struct err *err);
/* Behind that transaction (ERR_NONE), or instead of it: dropped when the server has refused; else the calendar is asked
 * for, and tells. */
void calendar_held_ends(struct account *a, struct calendar_held *h, enum err_code code);
/* Refused: nothing has happened. Other errors leave it open: an answer may have been lost before the one that came, or
 * our own disk is full. */
bool calendar_is_final(enum err_code code);
/* The calendar is known as the server has it: let go what has happened, drop what has not. `fetch`: objects that are
 * not in the cache are asked for, and looked at then. */
void calendar_settle_held(struct account *a, int64_t folder_pk, bool fetch);
/* At the start: what was left open by the process before is looked at first. */
void calendar_held_begin(struct account *a);

/* --- calendar_mail.c */
/* Send what is owed, one after the other; again after a failure. */
struct calendar_mail *calendar_mail_new(struct account *a);
void calendar_mail_free(struct calendar_mail **m);
void calendar_mail_kick(struct account *a);
/* Objects that mail waits for, lost with the cache: calendar_settle_held() once more when they are here again. */
void calendar_mail_fetch(struct account *a, int64_t folder_pk, const int64_t *pks, size_t count);

void calendar_writes_done(struct account *a); /* the account goes away */
/* --- calendar_own.c: account_addresses() */
struct calendar_own *calendar_own_new(struct account *a);
void calendar_own_free(struct calendar_own **o);
/* The server's own item, before anything else is made of it: the organiser of the user's meetings is the user. */
void calendar_own_learn(struct account *a, const struct event *e);

/* --- calendar_unread.c */
/* Ask again for what could not be read of this folder. False: not now. */
bool calendar_read_unread(struct account *a, int64_t folder_pk);
void calendar_unread_free(struct calendar_unread **u);

/* Objects that were on their way into this folder (0: into any) when an answer was lost, or the process before ended.
 */
void calendar_moves_go_on(struct account *a, int64_t to_pk);
/* A change of ours is at the server: what a sync told of this collection now would be told again. */
bool calendar_write_under_way(const struct account *a, int64_t pk);

#endif
