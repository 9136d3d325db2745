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

/* Where floating times are, and who the user is. */
struct ical_options calendar_options(const struct account *a, struct str me[1]);

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

/* The server's folder of a collection; false: it is gone. Strings in the arena. */
bool calendar_folder(struct account *a, int64_t pk, struct arena *arena, struct store_folder *ret);

/* Invitations that we send ourselves (calendar_mail.c). `before` NULL: new; `after` NULL: deleted. Adds what is owed
 * inside the caller's transaction. */
bool calendar_owe(struct account *a, const struct event *before, const struct event *after, struct err *err);
/*
 * Mails that are due only when the server has confirmed what they speak of are written down before it is asked, and
 * wait: hold, ask, then confirmed (inside the transaction that writes the outcome down) or failed. When the outcome
 * stays unknown, the sync tells what has happened to the item, and calendar_settle_held() lets them go.
 */
struct calendar_answer {
    bool has_instance; /* of one occurrence */
    int64_t instance;
    enum event_response response;
};
/* The attendee's answer to the organiser. */
bool calendar_hold_reply(struct account *a, struct str uid, const struct event *e, const struct calendar_answer *answer,
                         struct err *err);
/* Of a meeting that is to be deleted: the organiser's cancellation, or the attendee's no. */
bool calendar_hold_removal(struct account *a, struct str uid, const struct event *e, struct err *err);
/* answer NULL: the removal. */
bool calendar_held_confirmed(struct account *a, struct str uid, const struct calendar_answer *answer, struct err *err);
bool calendar_held_failed(struct account *a, struct str uid, const struct calendar_answer *answer, struct err *err);
bool calendar_any_held(struct account *a);
/* The object as the server has it now; NULL: it is gone. */
void calendar_settle_held(struct account *a, struct str uid, const struct event *now);
/* Send what is owed, one after the other; again after a failure. */
struct calendar_mail *calendar_mail_new(struct account *a);
void calendar_mail_free(struct calendar_mail **m);
void calendar_mail_kick(struct account *a);

void calendar_writes_done(struct account *a); /* the account goes away */

#endif
