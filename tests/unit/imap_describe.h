/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_IMAP_DESCRIBE_H
#define TESTS_UNIT_IMAP_DESCRIBE_H
/* Parsed IMAP commands and parser events as one line of text each, so that tests are tables. */
#include "bridge/base/buf.h"
#include "protocols/imap/imap_parse.h"

void imap_describe_command(struct buf *out, const struct imap_command *c);

enum imap_feeding { FEED_WHOLE, FEED_BYTES, FEED_CUT };
struct imap_describe_options {
    enum imap_feeding feeding;
    size_t cut;                       /* FEED_CUT: length of the first piece */
    enum imap_state state;            /* 0: signed in and selected */
    const struct imap_limits *limits; /* NULL: those of signed-in clients */
    bool utf8;
    bool refuse; /* message literals of APPEND */
};
/* Everything the parser says to `input`, one line an event. After AUTHENTICATE without initial response and after IDLE
 * a line is expected. */
void imap_describe_input(struct buf *out, struct str input, const struct imap_describe_options *options);

#endif
