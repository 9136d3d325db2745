/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_data.h"

#include <string.h>

void smtp_data_init(struct smtp_data *d, bool dots)
{
    *d = (struct smtp_data){.at = dots ? SMTP_DATA_LINE : SMTP_DATA_TEXT, .dots = dots};
}

/* A byte of the text; CR waits for what follows. */
static void text_byte(struct smtp_data *d, char c, struct buf *out)
{
    d->at = c == '\r' ? SMTP_DATA_CR : SMTP_DATA_TEXT;
    if (c == '\n')
        buf_lit(out, "\r\n");
    else if (c != '\r')
        buf_byte(out, c);
}

static void special_byte(struct smtp_data *d, char c, struct buf *out)
{
    switch (d->at) {
    case SMTP_DATA_LINE:
        if (c == '.')
            d->at = SMTP_DATA_DOT;
        else
            text_byte(d, c, out);
        break;
    case SMTP_DATA_DOT:
        if (c == '\r')
            d->at = SMTP_DATA_DOT_CR;
        else
            text_byte(d, c, out);
        break;
    case SMTP_DATA_DOT_CR:
        if (c == '\n') {
            d->at = SMTP_DATA_END;
        } else {
            buf_lit(out, "\r\n");
            text_byte(d, c, out);
        }
        break;
    case SMTP_DATA_CR:
        buf_lit(out, "\r\n");
        if (c == '\n')
            d->at = d->dots ? SMTP_DATA_LINE : SMTP_DATA_TEXT;
        else
            text_byte(d, c, out);
        break;
    case SMTP_DATA_TEXT:
        text_byte(d, c, out);
        break;
    case SMTP_DATA_END:
        break;
    }
}

static size_t plain_run(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
        n++;
    return n;
}

bool smtp_data_feed(struct smtp_data *d, struct str *in, struct buf *out)
{
    while (in->n && d->at != SMTP_DATA_END) {
        size_t n = d->at == SMTP_DATA_TEXT ? plain_run(*in) : 0;
        buf_add(out, in->p, n);
        if (n == 0) {
            special_byte(d, in->p[0], out);
            n = 1;
        }
        *in = str_skip(*in, n);
    }
    return d->at == SMTP_DATA_END;
}

void smtp_data_finish(struct smtp_data *d, struct buf *out)
{
    if (d->at == SMTP_DATA_CR)
        buf_lit(out, "\r\n");
    d->at = SMTP_DATA_END;
}
