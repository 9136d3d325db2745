/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: where the input is cut in two; the rest: what a client sends. Lines and commands do not depend on the
 * cut, and an address that is accepted is one line without controls. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "protocols/smtp/smtp_parse.h"

static void check(const struct smtp_command *c)
{
    for (size_t i = 0; i < c->address.n; i++)
        if ((unsigned char)c->address.p[i] < 0x20 || c->address.p[i] == 0x7f)
            abort();
    if (c->address.n > SMTP_ADDRESS_MAX || !text_utf8_valid(c->address))
        abort();
    if (c->address.n && str_find_byte(c->address, '@') == (size_t)-1)
        abort();
}

static void one_line(struct buf *out, enum smtp_line_status status, struct str line)
{
    struct arena arena = {0};
    struct smtp_command c;
    const struct smtp_reply *problem = smtp_parse(line, &arena, &c);
    if (!problem && c.verb >= SMTP_VERB_MAX)
        abort();
    if (!problem && (c.verb == SMTP_MAIL || c.verb == SMTP_RCPT))
        check(&c);
    buf_printf(out, "%d %u %d\n", (int)status, problem ? problem->code : 0, (int)c.verb);
    arena_done(&arena);
}

static void feed(struct smtp_lines *l, struct str in, struct buf *out)
{
    struct str line;
    enum smtp_line_status status;
    while ((status = smtp_lines_feed(l, &in, &line)) != SMTP_LINE_MORE)
        one_line(out, status, line);
    if (in.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    size_t cut = in.n * data[0] / 255;
    struct buf whole = {0}, halves = {0};
    struct smtp_lines l;
    smtp_lines_init(&l, 600);
    feed(&l, in, &whole);
    smtp_lines_done(&l);
    smtp_lines_init(&l, 600);
    feed(&l, str_sub(in, 0, cut), &halves);
    feed(&l, str_skip(in, cut), &halves);
    smtp_lines_done(&l);
    if (!str_eq(buf_view(&whole), buf_view(&halves)))
        abort();
    buf_done(&whole);
    buf_done(&halves);
    return 0;
}
