/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CALENDAR_WRITE_PRIVATE_H
#define BRIDGE_CALENDAR_WRITE_PRIVATE_H
/*
 * What clients change in calendars, shared by the files that do it: calendar_write.c (life, turns, what is there, what
 * was confirmed), calendar_put.c, calendar_retry.c, calendar_answer.c, calendar_delete.c, calendar_copy.c,
 * calendar_move.c.
 *
 *   calendar_write_new() -> calendar_write_next() -> decide() -> ... -> calendar_write_end(), _fail() or _refuse()
 */
#include "bridge/calendar_private.h"
#include "bridge/store_write.h"

#define ROUNDS_MAX 8 /* changes of the server's item that one change of a client gives way to */

struct calendar_write {
    struct list link; /* account->calendar_writes, in the order asked */
    struct account *account;
    struct arena arena;
    calendar_done_cb *cb;
    void *ud;
    bool detached, running, base_asked;
    bool overtaken; /* the item changed here while the request waited for its turn: nothing was sent */
    bool refreshed; /* the server has said that its item is another version, which was brought in then */
    bool unseen;    /* ... and it says something else: no client can have known of it */
    unsigned rounds;
    void (*decide)(struct calendar_write *w); /* when its turn has come, and again when the base has been fetched */
    void (*then)(struct calendar_write *w);   /* when the object is stored, in place of the end */
    int64_t folder_pk, to_pk;
    struct str name, to_name, text;
    struct calendar_condition condition;
    bool schedule, move, overwrite;
    bool replaces, replaced_looked;
    struct store_resource replaced;    /* COPY and MOVE: what has their name, and has to go */
    int64_t made_pk;                   /* of what takes its place */
    struct event_attachment *contents; /* COPY: of the attachments, each once: id and data */
    size_t content_count, content_next;
    uint64_t content_bytes;
    struct moving moving;            /* MOVE: as it is written down */
    bool resumes;                    /* no client asks: what was begun is brought to its end */
    bool source_looked, made_looked; /* the server was asked for them */
    unsigned looks;                  /* at the target, for what has arrived */

    struct store_folder folder, to_folder;
    bool exists, has_base;
    bool adopted, must_be_equal; /* an earlier attempt made it; the client thinks that there is nothing */
    bool has_asked;              /* what that attempt asked for is known; attachments have hashes for data */
    bool yielded;                /* `wanted` has been adapted to the server's item */
    struct event asked;
    struct str first_digest, first_schedule; /* of the item when it was first looked at */
    struct store_resource known;
    struct event wanted, base;
    struct str extras;
    bool outdated; /* `base` is not what the server has by now: answers of ours have changed it */
    bool verbatim; /* the client's own bytes are what it gets back, if the server keeps what they say */
    size_t next_instance;
    bool answered;                 /* the user's answer for the whole series has gone out */
    struct calendar_answer answer; /* the one that is under way */
    struct calendar_held held;     /* the mail that waits for the request under way */

    int64_t journal_pk;
    struct op *op;
    struct calendar_get *get;
    struct sync_wait *fresh; /* the collection is read anew, and then it is decided again */
    struct timer *patience;
    struct deferred later;
    struct calendar_done done;
};

/* Differences that a client does not see as its own change undone. */
#define CALENDAR_NOT_OURS (EVENT_PART_RESPONSES | EVENT_PART_MINE | EVENT_PART_CANCELLED)

/* --- calendar_write.c */
struct calendar_write *calendar_write_new(struct account *a, int64_t pk, struct str name,
                                          const struct calendar_condition *condition, bool schedule,
                                          calendar_done_cb *cb, void *ud);
/* Start what waits for no other any more. */
void calendar_write_next(struct account *a);
void calendar_write_end(struct calendar_write *w);    /* the callback comes from the loop */
void calendar_write_stored(struct calendar_write *w); /* then(), or the end */
void calendar_write_fail(struct calendar_write *w, const struct err *err);
void calendar_write_refuse(struct calendar_write *w, enum calendar_refusal refusal, enum err_code code,
                           const char *text);
/* The server, or its protocol, cannot do it: the client gets the reason in words. Before calendar_write_fail(). */
void calendar_write_explain(struct calendar_write *w, struct err *err);
/* Folder, resource and base as they are now; false: it has ended, a condition failed. */
bool calendar_write_look(struct calendar_write *w);
/* True: the base is on its way (or cannot be had), and decide() is called again. */
bool calendar_write_fetch_base(struct calendar_write *w);
/* The server has confirmed: into store and cache; the mail that was held is due. */
bool calendar_write_down(struct calendar_write *w, struct str id, struct str change, const struct event *got,
                         struct err *err);
/* Nothing is asked of the server: only what it has no place for may have changed. */
void calendar_write_keep_extras(struct calendar_write *w);
bool calendar_is_organizer(const struct event *e);
bool calendar_server_schedules(const struct calendar_write *w);
bool calendar_writes_mail(const struct calendar_write *w); /* it is us who write to people, and we are to */
/* event_current_cb of backend.h. */
bool calendar_write_is_current(void *ud);
/*
 * Once more from the beginning, conditions included. False: it is as it is, or it does not come to rest.
 * - The item had changed before anything was sent.
 * - ERR_STALE: the collection is read anew first.
 * - ERR_CONFLICT: the server's item is another version than the one that we know, and nothing was done. That version is
 *   brought in first. A client that named a version is refused by its condition then; one that named none must not
 * change what it cannot know of either (`unseen`).
 */
bool calendar_write_again(struct calendar_write *w, const struct err *err);
/* decide() is called again when the collection has been read anew. False: it cannot be, or too often. */
bool calendar_write_await(struct calendar_write *w, int64_t folder_pk);
void calendar_write_conflict(struct calendar_write *w); /* the end: because of `unseen` */

/* --- calendar_retry.c */
/* An attempt to make an object of this UID has an unknown outcome: what has the UID may be its work. */
bool calendar_write_was_begun(struct calendar_write *w, int64_t folder_pk, struct str uid, struct journal_row *ret_row);
/* The row of this attempt, before the request goes out, or that of the attempt before (*row is JOURNAL_UNKNOWN). */
bool calendar_write_journal(struct calendar_write *w, struct journal_row *row, struct err *err);
/* Is `known` what an earlier attempt made? Then the client has made it just now, whatever it thinks that there is. */
void calendar_write_adopt(struct calendar_write *w);
/* ... and this, which a sync has brought under a name of ours: it gets the client's. False: it is something else. */
bool calendar_write_take_name(struct calendar_write *w, const struct store_resource *made);
/* The backend has found it: written down as it is, under the client's name. Then decide() once more. */
bool calendar_write_found(struct calendar_write *w, const struct reply *reply, struct err *err);
/* Of an adopted object: attachments in `wanted` that are there are not added again; and what the server has in its own
 * way, where the client asks for nothing new, is left to it (`yielded`). Before ical_settle(). */
void calendar_write_meet(struct calendar_write *w);
/* Somebody has changed it since it was made, and the client, who thinks that there is nothing, cannot know. */
bool calendar_write_is_overtaken(const struct calendar_write *w);

/* --- calendar_put.c */
void calendar_write_put(struct calendar_write *w); /* `wanted` goes to the server */
/* Somebody else's invitation that the server does not know becomes an appointment. */
void calendar_disinvite(struct event *e, struct arena *a);
/* SCHEDULE-AGENT: guests whom their client tells. False: it has ended, the server cannot spare them. */
void calendar_write_mark_elsewhere(struct calendar_write *w);
bool calendar_write_agents_fit(struct calendar_write *w, const struct event *e);

/* --- calendar_answer.c */
bool calendar_attendee_oversteps(const struct calendar_write *w);
void calendar_write_answer(struct calendar_write *w); /* the next answer, or the end */
void calendar_write_respond(struct calendar_write *w, const struct event_exception *x, enum event_response answer);

/* --- calendar_copy.c */
bool calendar_has_attachments(const struct event *e);
/* COPY, and a MOVE that was not begun yet. */
void calendar_write_relocate(struct calendar_write *w);
/* The new one is there (made_pk): what was in its place goes, and it gets the name. */
void calendar_write_take_place(struct calendar_write *w);

/* --- calendar_move.c */
void calendar_write_decide_move(struct calendar_write *w);
void calendar_write_move(struct calendar_write *w);  /* nothing is in the way but what is to be overwritten */
void calendar_write_heard(struct calendar_write *w); /* the client has the answer */

#endif
