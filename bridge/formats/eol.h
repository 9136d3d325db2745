/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_EOL_H
#define BRIDGE_FORMATS_EOL_H
/*
 * Line ends to CRLF, in pieces: a bare LF becomes CRLF, a bare CR stays (it is content), and CRLF stays. With `message`
 * set also: blank lines before the first header go, and the last line gets its CRLF. Zero-initialise.
 */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

struct eol_crlf {
    bool message;                /* set by the caller before the first feed */
    bool cr, at_line_start, any; /* of the converter */
};
/* False when `out` is at its limit. */
bool eol_crlf_feed(struct eol_crlf *e, struct str in, struct buf *out);
bool eol_crlf_finish(struct eol_crlf *e, struct buf *out);

#endif
