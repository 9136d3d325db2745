/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SYNC_H
#define BRIDGE_SYNC_H
/*
 * Keeps an account's folders current: watch -> page through sync -> store -> mailbox -> views. One a account, started
 * with it.
 *
 * A folder is `dirty` when the server may know more than the store: at start, when watch() says so, when the safety
 * poll is due, when a client asks. Dirty folders are synced one at a time, a page at a time, the most wanted first
 * (somebody waits for it, INBOX, special use, the rest), so that a SELECT never waits for another folder's 100,000
 * messages. Each page is committed with its sync state; kill -9 resumes at the last page.
 *
 * watch() runs all the time where it reports every change (CAP_PUSH_ALL), else whenever no synced folder is dirty (an
 * EAS Ping over a folder with changes waiting would return at once). What it does not promise is found by the safety
 * poll.
 *
 * Errors: transient ones are retried with exponential back-off (SYNC_RETRY_MIN_MS to SYNC_RETRY_MAX_MS, or what the
 * server asks for); a full disk of our own is tried every SYNC_DISK_MS; ERR_AUTH, ERR_DENIED, ERR_POLICY stop the
 * engine until sync_kick() or SYNC_STOPPED_MS has passed (retry_after_s where a Kerberos ticket is missing). Every
 * outcome goes to the account's health, logged when it changes.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/account.h"

#define SYNC_RETRY_MIN_MS (5 * 1000)
#define SYNC_RETRY_MAX_MS (5 * 60 * 1000)
#define SYNC_STOPPED_MS   (15 * 60 * 1000)
#define SYNC_DISK_MS      (10 * 1000)     /* while our own disk is full */
#define SYNC_POLL_MS      (5 * 60 * 1000) /* safety poll of every folder, and of the folder list */
#define SYNC_NOOP_MS      (30 * 1000)     /* the selected folder (the list, on LIST), at most, when a client asks */

struct sync;
struct sync_wait;

struct sync *sync_new(struct account *a);
void sync_free(struct sync **s);
/* Nothing new begins, ops under way end without effect, waiters get ERR_POLICY. May be called from inside a backend's
 * op. */
void sync_stop(struct sync *s);
/* Credentials are there, the network is back: forget back-off and try now. */
void sync_kick(struct sync *s);
/* The state could not be written (ERR_DISK; other errors are left alone): the account's health says so until a listing
 * of the folders has been committed. May be called from inside any callback. */
void sync_disk_failed(struct sync *s, const struct err *err);
/* The account's folder list was reloaded: take up new folders, forget gone ones. */
void sync_folders_changed(struct sync *s);
/* Look at this folder now; `max_age_ms`: unless it was synced so recently, or a watch covers it and it is clean. */
void sync_want(struct sync *s, int64_t folder_pk, uint64_t max_age_ms);
void sync_want_folders(struct sync *s, uint64_t max_age_ms); /* the same for the folder list */
bool sync_is_clean(struct sync *s, int64_t folder_pk, uint64_t max_age_ms);
/* Is the server known to be unreachable or refusing at the moment? */
bool sync_is_down(const struct sync *s);
/* A client asks for something that is not here: end the back-off after a transient failure, unless the last attempt is
 * only just over. False: still down. */
bool sync_retry(struct sync *s);
/* Called back once when the folder has been synced (or, with `shown`, at least announced), or that failed. Wants it,
 * and raises its priority as long as it waits. Never from inside. */
typedef void sync_wait_cb(void *ud, const struct err *err);
struct sync_wait *sync_wait(struct sync *s, int64_t folder_pk, sync_wait_cb *cb, void *ud);
void sync_wait_cancel(struct sync_wait **w);
/* Read the folder list anew; the callback comes when that is done or has failed. Cancelled by sync_wait_cancel(). */
struct sync_wait *sync_folders_again(struct sync *s, sync_wait_cb *cb, void *ud);
/* A client has waited long enough for the first sync: give UIDs to what is there, the rest comes as new messages. */
bool sync_announce(struct sync *s, int64_t folder_pk, struct err *err);
/* Messages of a running first sync so far. */
uint32_t sync_progress(struct sync *s, int64_t folder_pk);
/* Another network, or a long sleep: connections under way are not waited for, back-off is over, every folder is looked
 * at. */
void sync_reconnect(struct sync *s);
/* Collect a folder anew beside the old list, as after an invalid sync state; UIDs are kept where messages match. */
bool sync_resync(struct sync *s, int64_t folder_pk, struct err *err);

/* How it stands, for `exbridge status`. */
struct sync_look {
    size_t folders, complete, dirty; /* complete: synced once; dirty: the server may know more */
    int64_t current;                 /* pk of the folder whose page is on its way; 0 = none */
    bool listed;                     /* the folder list was read in this process's life */
    bool watching, pushes_all;       /* a watch runs; it reports every change */
    size_t watched;                  /* folders in it */
    unsigned failures;               /* in a row */
    uint64_t retry_in_ms;            /* until the next attempt after failures; 0 = none is waited for */
    uint64_t looked_ago_ms;          /* since the server last answered; UINT64_MAX = never */
};
void sync_look(struct sync *s, struct sync_look *ret);

#endif
