/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SMTP_SMTP_SESSION_H
#define PROTOCOLS_SMTP_SMTP_SESSION_H
/*
 * One client. Shared by the .c files of this folder only.
 *
 *     GREETING -> COMMAND <-> AUTH_LINE            a line each
 *                 COMMAND <-> CONTENT | CHUNK      bytes of a message, into a blob
 *                 COMMAND <-> BUSY                 the core works: nothing is read until it calls back
 *
 * A connection that ends while BUSY cancels a sign-in, and detaches from a message that is being sent: the attempt goes
 * on and its outcome is kept for the client's retry. The connection and its end are protocols/server.h's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/account.h"
#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/io/blob.h"
#include "bridge/io/loop.h"
#include "bridge/submit.h"
#include "protocols/sasl.h"
#include "protocols/server.h"
#include "protocols/smtp/smtp_data.h"
#include "protocols/smtp/smtp_parse.h"
#include "protocols/smtp/smtp_server.h"

enum smtp_mode {
    SMTP_MODE_GREETING, /* nothing said yet: who talks now is no mail client */
    SMTP_MODE_COMMAND,
    SMTP_MODE_AUTH_LINE,
    SMTP_MODE_CONTENT, /* after 354 */
    SMTP_MODE_CHUNK,   /* after BDAT */
    SMTP_MODE_BUSY
};

/* From MAIL to the answer, RSET or EHLO. */
struct smtp_mail {
    bool begun, utf8;
    struct arena arena;
    struct str sender;
    struct str *recipients;
    size_t recipient_n, recipient_room;
    struct blob *message; /* being received */
    struct smtp_data data;
    uint64_t received;  /* bytes of the message, taken or not */
    struct err problem; /* why it will be refused; the rest is read and dropped */
    uint64_t chunk_left;
    bool chunk_last, chunked, refused_chunk /* out of order: read and dropped */;
};

struct smtp_session {
    struct client client;
    enum smtp_mode mode;
    struct timer *greet;
    bool greet_again, said_hello;
    struct smtp_lines lines;
    bool pipelined; /* the client sent more behind the line that is being looked at */

    struct sasl sasl;
    struct smtp_mail mail;
    struct submit *submit;
};

static inline const struct smtp_server_opts *smtp_server_of(const struct smtp_session *s)
{
    return server_ud(s->client.server);
}

/* --- smtp_session.c -------------------------------------------------------------------------------------------------
 */
/* As struct server_protocol wants them. */
void smtp_session_start(struct client *c);
bool smtp_session_read(struct client *c, struct str *in);
bool smtp_session_busy(const struct client *c);
void smtp_session_goodbye(struct client *c, enum goodbye why, const char *text);
bool smtp_session_sending(const struct client *c);
void smtp_session_stop(struct client *c);
void smtp_session_free(struct client *c);
void smtp_say(struct smtp_session *s, unsigned code, const char *enhanced, const char *text);
void smtp_answer(struct smtp_session *s, const struct smtp_reply *reply);
void smtp_answer_err(struct smtp_session *s, const struct err *err); /* and logs it */
/* A command that makes no sense: too many end the connection. */
void smtp_answer_bad(struct smtp_session *s, const struct smtp_reply *reply);
/* Say this, then close: the peer is out of step, or done. `reason` is for the debug log. */
void smtp_end_with(struct smtp_session *s, const struct smtp_reply *reply, const char *reason);
/* BUSY is over: an answer was given from a callback. */
void smtp_go_on(struct smtp_session *s);
const char *smtp_account_name(const struct smtp_session *s);

/* --- smtp_commands.c ------------------------------------------------------------------------------------------------
 */
void smtp_dispatch(struct smtp_session *s, const struct smtp_command *c);
uint64_t smtp_size_limit(const struct smtp_session *s);

/* --- smtp_auth.c ----------------------------------------------------------------------------------------------------
 */
void smtp_cmd_auth(struct smtp_session *s, const struct smtp_command *c);
void smtp_auth_line(struct smtp_session *s, struct str line, bool too_long);

/* --- smtp_message.c -------------------------------------------------------------------------------------------------
 */
void smtp_mail_reset(struct smtp_session *s);
void smtp_mail_add(struct smtp_session *s, struct str recipient);
void smtp_cmd_data(struct smtp_session *s, const struct smtp_command *c);
void smtp_cmd_bdat(struct smtp_session *s, const struct smtp_command *c);
/* Bytes in CONTENT and CHUNK; takes what belongs to the message. */
void smtp_message_bytes(struct smtp_session *s, struct str *in);

#endif
