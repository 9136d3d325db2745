/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SMTP_SMTP_PARSE_H
#define PROTOCOLS_SMTP_SMTP_PARSE_H
/*
 * Command lines of a client (RFC 5321 4.1, with the parameters of RFC 1870, 3030, 4954, 6152, 6531): pure. Bytes become
 * lines (resumable at any byte), a line becomes a command with its addresses unquoted, or the reply that says what is
 * wrong with it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "protocols/smtp/smtp_answers.h"

/* --- lines ----------------------------------------------------------------------------------------------------------
 */

#define SMTP_LINE_DEFAULT 4096       /* bytes of a command line; RFC 5321 4.5.3.1.4 wants 512 and more for extensions */
#define SMTP_LINE_SKIP    (1u << 20) /* bytes of an over-long line that are read to its end, to stay in step */

enum smtp_line_status {
    SMTP_LINE_MORE,     /* all input is taken, the line goes on */
    SMTP_LINE_DONE,     /* ret_line: without CR LF, valid until the next call */
    SMTP_LINE_TOO_LONG, /* it has ended now; ret_line is its beginning */
    SMTP_LINE_BARE_LF,  /* LF without CR: no line end (RFC 5321 2.3.8), and no way to be sure where the peer sees one */
    SMTP_LINE_ENDLESS   /* over SMTP_LINE_SKIP */
};
struct smtp_lines {
    struct buf line;
    size_t limit; /* bytes without CR LF */
    size_t seen;
    bool cr, ended;
};
void smtp_lines_init(struct smtp_lines *l, size_t limit);
void smtp_lines_done(struct smtp_lines *l); /* wiped: may hold a password */
/* Takes at most one line from *in. After BARE_LF and ENDLESS the connection is good for nothing. */
enum smtp_line_status smtp_lines_feed(struct smtp_lines *l, struct str *in, struct str *ret_line);

/* --- commands -------------------------------------------------------------------------------------------------------
 */

enum smtp_verb {
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_AUTH,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BDAT,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_QUIT,
    SMTP_VRFY,
    SMTP_EXPN,
    SMTP_HELP,
    SMTP_STARTTLS,
    SMTP_VERB_MAX
};

#define SMTP_ADDRESS_MAX                                                                                               \
    512 /* bytes: Exchange's encapsulated addresses (IMCEAEX-...) are longer than RFC 5321 allows */

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_command {
    enum smtp_verb verb;
    struct str argument; /* AUTH: the mechanism */
    bool has_initial;    /* AUTH */
    struct str initial;
    struct str address; /* MAIL, RCPT: local@domain, quoted only where need be; empty for MAIL FROM:<> */
    bool address_utf8;  /* it has bytes over 127: SMTPUTF8 is needed */
    bool has_size, utf8;
    uint64_t size; /* MAIL SIZE=; BDAT */
    enum smtp_body body;
    bool last; /* BDAT */
};

/* NULL, or the reply; *ret_command (but for the verb, SMTP_VERB_MAX = unknown) is then of no use. Strings are in the
 * arena or in the line. */
const struct smtp_reply *smtp_parse(struct str line, struct arena *arena, struct smtp_command *ret_command);
const char *smtp_verb_name(enum smtp_verb verb);

#endif
