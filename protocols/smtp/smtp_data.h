/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SMTP_SMTP_DATA_H
#define PROTOCOLS_SMTP_SMTP_DATA_H
/*
 * The bytes of a message on their way from the wire to the blob: pure and resumable at any byte.
 *
 * DATA (RFC 5321 4.5.2): the end is CR LF "." CR LF and nothing else; the CR LF of the DATA line counts as the first. A
 * dot that begins a line (after CR LF only) is taken away. Whatever a careless or a hostile peer sends instead (LF "."
 * LF, LF "." CR LF, CR "." CR, CR LF NUL "." CR LF ...) is content: two servers never disagree about where our message
 * ends. BDAT (RFC 3030): no end mark, no dots; the session counts.
 *
 * In both a bare CR or LF becomes CR LF, so that what goes on is one kind of line. NUL and 8-bit bytes stay.
 */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

enum smtp_data_at {
    SMTP_DATA_LINE,   /* after CR LF: a line begins */
    SMTP_DATA_DOT,    /* and its first byte was a dot */
    SMTP_DATA_DOT_CR, /* and then CR */
    SMTP_DATA_TEXT,
    SMTP_DATA_CR, /* CR in the text: the next byte tells what it was */
    SMTP_DATA_END
};
struct smtp_data {
    enum smtp_data_at at;
    bool dots; /* DATA */
};

void smtp_data_init(struct smtp_data *d, bool dots);
/* Takes from *in, adds to out (at most 2 * in->n + 2 bytes). True: the end mark was taken, and nothing after it. */
bool smtp_data_feed(struct smtp_data *d, struct str *in, struct buf *out);
/* After the last chunk of BDAT: a CR at the very end is a line end, too. */
void smtp_data_finish(struct smtp_data *d, struct buf *out);

#endif
