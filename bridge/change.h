/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CHANGE_H
#define BRIDGE_CHANGE_H
/*
 * Changing mail and folders, written through: a result without error means the server confirmed and the outcome (new
 * ids, UIDs) is committed. One request for a set of messages as far as the backend's batches go; messages fail one by
 * one.
 *
 * A change belongs to the account, not to the session that asked for it: when the session dies it calls change_detach()
 * and the change runs to its end. Exactly one callback, never from inside the call, none after change_detach().
 *
 * Capabilities (account_caps) say what the server can do; asking for more answers ERR_UNSUPPORTED and changes nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"
#include "bridge/mailbox.h"

struct change;

struct change_item {
    uint32_t uid;     /* as asked */
    uint32_t new_uid; /* move, copy, append: in the target; 0 = not (yet) known */
    struct err err;   /* ERR_CONFLICT: UNCHANGEDSINCE failed; ERR_NOT_FOUND: gone meanwhile */
};
struct change_result {
    struct err err; /* nothing was done at all, or the connection broke: items tell how far it came */
    const struct change_item *items;
    size_t count;
    uint32_t uidvalidity; /* of the target folder: move, copy, append */
    int64_t folder_pk;    /* folder_create */
    int64_t receipt;      /* append: see there; 0: none */
};
typedef void change_cb(void *ud, const struct change_result *result);

/* Flags that change_flags() changes, and for good; others it leaves alone. */
#define CHANGE_SETTABLE (ITEM_SEEN | ITEM_FLAGGED | ITEM_ANSWERED | ITEM_FORWARDED | ITEM_DELETED | ITEM_MARKS)
enum change_mode { CHANGE_ADD, CHANGE_REMOVE, CHANGE_REPLACE };
struct change_flags {
    enum change_mode mode;
    unsigned flags;             /* enum item_flag bits */
    const struct str *keywords; /* IMAP keywords as clients write them, without those that are flags of ours
                                   ($Forwarded, and the marks of names.h) */
    size_t keyword_count;
    bool has_unchanged_since;
    uint64_t unchanged_since; /* RFC 7162 */
};
/* Messages that have the wanted flags already cost no request. */
struct change *change_flags(struct mailbox *m, const uint32_t *uids, size_t count, const struct change_flags *what,
                            change_cb *cb, void *ud);
/* Delete for good from the client's view: recoverable on the server unless the account says `expunge = permanent`. */
struct change *change_expunge(struct mailbox *m, const uint32_t *uids, size_t count, change_cb *cb, void *ud);
struct change *change_move(struct mailbox *m, const uint32_t *uids, size_t count, int64_t to_folder_pk, change_cb *cb,
                           void *ud);
struct change *change_copy(struct mailbox *m, const uint32_t *uids, size_t count, int64_t to_folder_pk, change_cb *cb,
                           void *ud);

struct change_message {
    struct blob *message; /* finished; CRLF line ends */
    unsigned flags;
    const struct str *keywords;
    size_t keyword_count;
    int64_t received_s; /* TIME_NONE: now */
};
struct change_append {
    const struct change_message *messages;
    size_t count;                /* all of them are stored, or none (RFC 3502 6.3.11) */
    struct mailbox *replaces_in; /* REPLACE (RFC 8508): NULL, or where the message is that goes once the new one is */
    uint32_t replaces_uid;
};
/*
 * The appended bytes stay the message's bytes. A message in the Sent folder that was sent through us a little before is
 * answered with the server's own copy; where that one does not come in time the client's is stored, and the server's is
 * removed when it comes (sent_copy.h).
 *
 * Servers have no transactions: several messages are stored one by one, and taken back when one fails, after a crash
 * too.
 *
 * A repeated append is recognised (equal bytes, or equal Message-ID, recipients and body, in the same folder within 24
 * hours) as long as nobody is known to have heard the answer to the first: result.receipt stands for that. The session
 * says change_heard() when its client goes on, so that it may append the same message again on purpose, or
 * change_unheard() when the client went away first.
 */
struct change *change_append(struct account *a, int64_t folder_pk, const struct change_append *what, change_cb *cb,
                             void *ud);
void change_heard(struct account *a, int64_t receipt);   /* 0: nothing happens */
void change_unheard(struct account *a, int64_t receipt); /* 0: nothing happens */

/* Names are full IMAP paths. Parents that are missing are made. */
struct change *change_folder_create(struct account *a, struct str name, change_cb *cb, void *ud);
struct change *change_folder_rename(struct account *a, int64_t folder_pk, struct str new_name, change_cb *cb, void *ud);
struct change *change_folder_delete(struct account *a, int64_t folder_pk, change_cb *cb, void *ud);

void change_detach(struct change **c);
/* Its client will say no more, and may have gone: the callback comes, but whether it is heard is not known. */
void change_doubt(struct change *c);

#endif
