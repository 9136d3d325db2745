/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_SESSION_H
#define PROTOCOLS_IMAP_IMAP_SESSION_H
/*
 * One client. Shared by imap_session.c and the cmd_*.c files only.
 *
 *     bytes -> imap_parser -> s->command -> handler (imap_dispatch.c) -> ... -> imap_finish(): tagged answer, next
 * command
 *
 * One command at a time: while s->command is set nothing is read, unless the command itself waits for a line (IDLE,
 * AUTHENTICATE). A handler either finishes before it returns, or leaves in s->work what goes on later: a callback of
 * the core it is waiting for, or step() after client_yield(). When the client goes away stop() is called, and has to
 * cancel whatever could still call back. Memory of a command is in s->command->arena and goes with it.
 *
 * imap_finish*() end the command: arena and work are gone when they return, so they are the last thing a function does.
 * The connection, its time limits and its end are protocols/server.h's; s stays valid through any handler.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/formats/eol.h"
#include "bridge/io/conn.h"
#include "bridge/io/loop.h"
#include "bridge/mailbox.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_server.h"
#include "protocols/server.h"

struct imap_session;

struct imap_work {
    void (*step)(struct imap_session *s);                  /* go on: after client_yield() */
    void (*line)(struct imap_session *s, struct str line); /* after imap_expect_line(); p NULL: the line was too long */
    void (*stop)(struct imap_session *s);                  /* the session ends, or BYE was said */
    void (*change)(struct imap_session *s);                /* the view has news (IDLE) */
    bool changing;                                         /* something on the server: answered even at the end */
    void *ud;                                              /* the command's own, normally in its arena */
};

struct imap_session {
    struct client client;
    struct imap_parser *parser;
    enum imap_state state;
    bool utf8; /* UTF8=ACCEPT or IMAP4rev2 enabled: names and quoted strings are UTF-8 */
    bool utf8_accept;
    bool rev2;      /* IMAP4rev2 enabled: no \Recent, ESEARCH for SEARCH, LIST with SELECT (RFC 9051 Appendix E) */
    bool condstore; /* MODSEQ in the FETCH answers that nobody asked for (RFC 7162 3.1) */
    bool qresync;   /* VANISHED instead of EXPUNGE (RFC 7162 3.2) */
    bool alerted;   /* the account's trouble was shown */

    struct imap_command *command; /* running; NULL = ready for the next */
    struct imap_work work;
    struct timer *alive; /* "* OK still working" */

    struct mailbox *mailbox; /* selected */
    struct view *view;
    bool read_only;
    bool examined;
    size_t keywords_told;
    uint32_t *saved; /* SEARCHRES: UIDs, ascending */
    size_t saved_n;

    struct imap_incoming *incoming; /* APPEND: messages as they come (cmd_append.c) */
    size_t incoming_n, incoming_room;
    uint64_t incoming_bytes;
    int64_t *receipts; /* appends whose answer the client may not have heard */
    size_t receipt_n;
    bool receipts_quiet; /* nothing more was in the pipe at the last of them */
};

/* --- life -----------------------------------------------------------------------------------------------------------
 */

/* As struct server_protocol wants them. */
void imap_session_start(struct client *c);
bool imap_session_read(struct client *c, struct str *in);
bool imap_session_busy(const struct client *c);
void imap_session_turn(struct client *c);
void imap_session_goodbye(struct client *c, enum goodbye why, const char *text);
void imap_session_ended(struct client *c);
bool imap_session_changing(const struct client *c);
void imap_session_stop(struct client *c);
void imap_session_free(struct client *c);
/* Say BYE and close once it is sent. `text` for the client, `reason` for the debug log. */
void imap_bye(struct imap_session *s, const char *text, const char *reason);

/* --- answering ------------------------------------------------------------------------------------------------------
 */

/* Untagged `* OK [code] text`. */
void imap_untagged(struct imap_session *s, const char *response, const char *code, const char *text);
/* End the running command. The view's news go out first, as far as IMAP allows now. */
void imap_finish(struct imap_session *s, const char *response, const char *code, const char *text);
/* OK "NAME completed." */
void imap_finish_ok(struct imap_session *s);
/* NO with the answer of imap_answers.c. */
void imap_refuse(struct imap_session *s, const struct err *err);
/* The same, and logs err. */
void imap_finish_err(struct imap_session *s, const struct err *err);
/* BAD, and counted as a bad command. */
void imap_finish_bad(struct imap_session *s, const char *text);
/* The next line goes to work.line() instead of being a command. `continuation` is sent after "+ ". */
void imap_expect_line(struct imap_session *s, struct str continuation, size_t max);

/* --- state ----------------------------------------------------------------------------------------------------------
 */

void imap_signed_in(struct imap_session *s); /* client.account is set */
void imap_enable_utf8(struct imap_session *s);
/* First command that shows knowledge of MODSEQ: tells HIGHESTMODSEQ of the selected mailbox (RFC 7162 3.1). */
void imap_enable_condstore(struct imap_session *s);
/* Take over the mailbox's reference. The view is made here. */
void imap_select(struct imap_session *s, struct mailbox *mailbox, bool examine);
void imap_unselect(struct imap_session *s); /* nothing selected: nothing happens */
/* A message of the view, or NULL when it was expunged since. *hint speeds up walks in ascending order; start with 0. */
const struct message *imap_message_at(struct imap_session *s, uint32_t seq, size_t *hint);
/* Resolve a set of numbers (uid = false) or UIDs to ascending sequence numbers of the view, "$" included. The answer
 * lives in the command's arena. False: a number beyond the end (RFC 3501: BAD). Resolved UIDs that do not exist are
 * left out. */
bool imap_resolve(struct imap_session *s, const struct imap_seqset *set, bool uid, struct imap_seqset *ret_seqs);
/* Before the size of a message is told, or decides something: what is told once is told for ever, so it is written
 * down, and those of the messages that come next (iter stands before them) in the same transaction. Records move: find
 * them anew. */
bool imap_tell_sizes(struct imap_session *s, uint32_t uid, struct imap_seqset_iter iter, size_t hint, struct err *err);
/* `* n FETCH (...)` for a message whose flags changed. */
void imap_write_flag_news(struct imap_session *s, uint32_t seq, const struct message *m);
void imap_write_flags_of(struct imap_session *s, const struct message *m);
/* `* STATUS name (...)`. */
void imap_write_status_of(struct imap_session *s, int64_t folder_pk, struct str name, unsigned items,
                          const struct mailbox_status *status);
/* RFC 7162 3.2.5.1, 3.2.6: `* VANISHED (EARLIER) ...` for the UIDs of `known` (resolved; NULL = all) that went after
 * `modseq`. UIDs up to `intact` are known to be all there. False: err is set, nothing was written. */
bool imap_write_vanished(struct imap_session *s, const struct imap_seqset *known, uint64_t modseq, uint32_t intact,
                         struct err *err);
/* `* LIST (...) "/" name` with the attributes of the folder. */
void imap_write_folder(struct imap_session *s, const struct folder *f, const char *response, bool subscribed,
                       unsigned childinfo);
/* Tell EXISTS, EXPUNGE or VANISHED, and flags. */
void imap_tell_news(struct imap_session *s, bool expunges);
/* `* n EXISTS`, and RECENT where that is known. */
void imap_write_exists(struct imap_session *s);
/* `* FLAGS (...)` for the selected mailbox. */
void imap_write_all_flags(struct imap_session *s);
void imap_write_capabilities(const struct imap_session *s, struct buf *out); /* without "CAPABILITY" */
/* "work" or "": for logs and texts. */
const char *imap_account_name(const struct imap_session *s);

/* --- the server's part (imap_server.c) -------------------------------------------------------- */

struct imap_server {
    struct imap_server_opts opts;
    struct imap_limits preauth, authenticated;
    struct charset_cache *charsets;
};
static inline const struct imap_server *imap_server_of(const struct imap_session *s)
{
    return server_ud(s->client.server);
}

/* --- commands (cmd_*.c), one function a verb; the table is in imap_dispatch.c ----------------- */

typedef void imap_handler(struct imap_session *s, struct imap_command *c);
imap_handler *imap_handler_of(enum imap_verb verb);

imap_handler cmd_capability, cmd_noop, cmd_logout, cmd_starttls, cmd_login, cmd_authenticate;
imap_handler cmd_enable, cmd_id, cmd_namespace, cmd_list, cmd_lsub, cmd_subscribe, cmd_unsubscribe;
imap_handler cmd_select, cmd_examine, cmd_status, cmd_idle, cmd_unselect, cmd_close, cmd_check;
imap_handler cmd_fetch, cmd_search, cmd_sort, cmd_thread, cmd_getquota, cmd_getquotaroot, cmd_setquota;
imap_handler cmd_store, cmd_copy, cmd_move, cmd_expunge, cmd_append, cmd_create, cmd_rename, cmd_delete;
struct imap_incoming;
/* A message of APPEND is announced, before its bytes: take it, or answer and refuse it (cmd_append.c). */
void imap_append_begin(struct imap_session *s, const struct imap_command *c);
void imap_append_data(struct imap_session *s, struct str bytes);
void imap_incoming_drop(struct imap_session *s);
/* APPENDLIMIT (RFC 7889) of a mailbox; NULL: of the account. */
uint64_t imap_append_limit(const struct account *a, const struct folder *f);
/* The answer to an append goes out; the client sends another command; it has gone. */
void imap_append_told(struct imap_session *s, int64_t receipt);
void imap_append_heard(struct imap_session *s);
void imap_append_gone(struct imap_session *s);
/* CLOSE of a mailbox that can be written: expunge without a word, then go on with done(). False: nothing to expunge. */
bool imap_close_expunge(struct imap_session *s, void (*done)(struct imap_session *s));

#endif
