/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/eol.h"

static void end_line(struct eol_crlf *e, struct buf *out)
{
    buf_lit(out, "\r\n");
    e->at_line_start = true;
}

static void add_text(struct eol_crlf *e, const char *p, size_t n, struct buf *out)
{
    if (!n)
        return;
    buf_add(out, p, n);
    e->any = true;
    e->at_line_start = false;
}

bool eol_crlf_feed(struct eol_crlf *e, struct str in, struct buf *out)
{
    while (in.n && !out->failed) {
        if (e->message && !e->any && (in.p[0] == '\r' || in.p[0] == '\n')) { /* blank lines before the header */
            e->cr = in.p[0] == '\r';
            in = str_skip(in, 1);
            continue;
        }
        if (!e->any)
            e->cr = false;
        if (e->cr && in.p[0] != '\n') /* it was a bare one */
            add_text(e, "\r", 1, out);
        e->cr = false;
        const char *lf = memchr(in.p, '\n', in.n);
        size_t n = lf ? (size_t)(lf - in.p) : in.n, text = n;
        if (text && in.p[text - 1] == '\r') { /* part of a line end, or to be seen */
            text--;
            e->cr = !lf;
        }
        add_text(e, in.p, text, out);
        if (lf) {
            e->any = true;
            end_line(e, out);
        }
        in = str_skip(in, lf ? n + 1 : n);
        if (e->cr)
            e->any = true;
    }
    return !out->failed;
}

bool eol_crlf_finish(struct eol_crlf *e, struct buf *out)
{
    if (e->cr && e->any)
        add_text(e, "\r", 1, out);
    e->cr = false;
    if (e->message && e->any && !e->at_line_start)
        end_line(e, out);
    return !out->failed;
}
