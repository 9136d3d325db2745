/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_PARSE_H
#define PROTOCOLS_IMAP_PARSE_H
/*
 * Bytes from a client to commands (RFC 3501 9, RFC 9051 9 and the extensions of imap_command.h). Pure: no socket, no
 * session. Bytes may come in pieces of any size; the events are the same.
 *
 *     struct imap_parser *p = imap_parser_new(charsets, &imap_limits_preauth);
 *     on data: while (in.n > 0) switch (imap_parser_feed(p, &in, &ev)) ...     `in` is advanced
 *
 * The session feeds only when it is ready for the next event: while a command runs it leaves the bytes where they are.
 *
 * A syntax error never ends the connection: the parser has already arranged to skip what belongs to the bad command
 * (the rest of its line, its non-synchronising literals) and the next event is the next command's. `ev.error.fatal` is
 * the exception: a client that announces more bytes than are worth skipping, or that speaks another protocol (HTTP).
 *
 * Lines end with CRLF; a bare LF is taken too (people with netcat). NUL anywhere but in a literal8, and a bare CR, are
 * errors.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/str.h"
#include "bridge/formats/charset.h"
#include "protocols/imap/imap_command.h"

/* All sizes in bytes. Over `line`, `literal` or `arguments`: BAD [TOOBIG]; over depth or items: BAD. */
struct imap_limits {
    size_t line;      /* one line of a command, literals apart */
    size_t literal;   /* one literal; APPEND's message literal is the session's to judge */
    size_t arguments; /* a whole command: lines and literals together */
    size_t literals;  /* number of literals in a command */
    unsigned depth;   /* nesting of lists, of parentheses, NOT and OR in SEARCH */
    size_t items;     /* elements of one list, keys of one search program */
    uint64_t skip; /* non-synchronising literals of a refused command are read and dropped up to here; beyond: fatal */
};
extern const struct imap_limits imap_limits_preauth; /* 8 KiB, 8 KiB, 16 KiB, 8, 1, 100, 64 KiB */
extern const struct imap_limits imap_limits_auth;    /* 64 KiB, 128 KiB, 1 MiB, 1,000, 32, 10,000, 256 MiB */

enum imap_parse_event_kind {
    IMAP_PARSE_MORE,     /* all input is used */
    IMAP_PARSE_CONTINUE, /* the client waits before it sends a literal: send "+ OK\r\n" and go on feeding */
    IMAP_PARSE_COMMAND,  /* ev.command is complete; it belongs to the caller now */
    IMAP_PARSE_APPEND,   /* a message literal of APPEND or REPLACE comes: ev.command (borrowed, see below) */
    IMAP_PARSE_DATA,     /* ev.data: bytes of that literal, valid until the input is released */
    IMAP_PARSE_LINE,     /* after imap_parser_expect_line(): ev.data is the line without its end */
    IMAP_PARSE_ERROR     /* ev.error: answer it and go on */
};

struct imap_parse_error {
    struct str tag;       /* empty: no usable tag, answer "* BAD" */
    const char *response; /* "BAD" or "NO" */
    const char *code;     /* "TOOBIG", "CANNOT", "BADCHARSET (US-ASCII UTF-8)", "CLIENTBUG" or NULL */
    const char *text;     /* fixed or made of our own words: never echoes the client */
    bool fatal;           /* close after answering (BYE) */
    bool foreign; /* an HTTP request or a mail header where a command should be, before sign-in: close without answering
                   */
};
struct imap_parse_event {
    struct imap_command *command;
    struct str data;
    struct imap_parse_error error; /* strings live until the next feed */
};

struct imap_parser;
/* charsets: for SEARCH CHARSET; must outlive the parser. limits: must outlive it, normally one of the two above. */
struct imap_parser *imap_parser_new(struct charset_cache *charsets, const struct imap_limits *limits);
void imap_parser_free(struct imap_parser *p);

/* `states`: enum imap_state, the one the session is in: a command that is not allowed in it is an error ("BAD ... not
 * allowed now"), found before its literals are asked for. utf8: UTF8=ACCEPT is on. May be changed between commands. */
void imap_parser_set_limits(struct imap_parser *p, const struct imap_limits *limits);
void imap_parser_set_state(struct imap_parser *p, enum imap_state state);
void imap_parser_set_utf8(struct imap_parser *p, bool utf8);
/* Forget a half-read command and everything expected (STARTTLS). */
void imap_parser_reset(struct imap_parser *p);
/* Is a command half read? (for the choice of timeout) */
bool imap_parser_busy(const struct imap_parser *p);

/* One event from *in, which is advanced past what was used. With empty input: IMAP_PARSE_MORE. */
enum imap_parse_event_kind imap_parser_feed(struct imap_parser *p, struct str *in, struct imap_parse_event *ret_event);

/* The next line is no command but an answer: to a SASL challenge, or DONE after IDLE. Over max bytes: IMAP_PARSE_ERROR
 * (TOOBIG, with an empty tag; the session knows which command it is answering). Lines that come while nothing is
 * expected are commands. */
void imap_parser_expect_line(struct imap_parser *p, size_t max);

/*
 * IMAP_PARSE_APPEND. The command stays the parser's until the end of the command, when it comes once more as
 * IMAP_PARSE_COMMAND and is the caller's; `append` describes the message at hand. Decide at once, or later, without
 * feeding in between.
 * - take: the literal's bytes come as IMAP_PARSE_DATA. The session itself sends "+ OK" first when append.sync is set.
 * - refuse: the command is over for the parser (ev.command is freed); what the client sends of it anyway is skipped in
 *   silence. The session gives the tagged answer (copy the tag first).
 *
 * After an error in a later part of the command (MULTIAPPEND) the event is IMAP_PARSE_ERROR as usual, and the command
 * is freed.
 */
void imap_parser_take(struct imap_parser *p);
void imap_parser_refuse(struct imap_parser *p);

#endif
