/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command parser. The first byte chooses state, limits and what becomes of APPEND's messages; the rest is fed whole
 * and then in pieces cut by its own bytes: what it says must be the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "protocols/imap/imap_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct imap_parser *p;
    uint64_t hash; /* of everything said */
    bool refuse;
};

static void note(struct run *r, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->hash = (r->hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
}

static void note_str(struct run *r, struct str s)
{
    note(r, s.p, s.n);
    note(r, "", 1);
}

static void on_error(struct run *r, const struct imap_parse_error *e)
{
    if (e->response == NULL || e->text == NULL)
        abort();
    note_str(r, e->tag);
    note_str(r, str_from(e->response));
    note_str(r, str_from(e->code));
    note_str(r, str_from(e->text));
}

static void on_command(struct run *r, struct imap_command *c)
{
    note_str(r, c->tag);
    note(r, &c->verb, sizeof(c->verb));
    if (c->verb == IMAP_IDLE || c->verb == IMAP_AUTHENTICATE)
        imap_parser_expect_line(r->p, 20);
    imap_command_free(c);
}

/* False: the connection is over. */
static bool feed(struct run *r, struct str in)
{
    struct imap_parse_event ev;
    for (;;) {
        enum imap_parse_event_kind kind = imap_parser_feed(r->p, &in, &ev);
        if (kind == IMAP_PARSE_MORE)
            return true;
        if (kind != IMAP_PARSE_DATA)
            note(r, &kind, sizeof(kind));
        if (kind == IMAP_PARSE_ERROR)
            on_error(r, &ev.error);
        if (kind == IMAP_PARSE_ERROR && ev.error.fatal)
            return false;
        if (kind == IMAP_PARSE_COMMAND)
            on_command(r, ev.command);
        if (kind == IMAP_PARSE_DATA)
            note(r, ev.data.p, ev.data.n);
        if (kind == IMAP_PARSE_LINE)
            note_str(r, ev.data);
        if (kind == IMAP_PARSE_APPEND)
            (r->refuse ? imap_parser_refuse : imap_parser_take)(r->p);
    }
}

static uint64_t run(struct charset_cache *cs, uint8_t mode, struct str in, bool pieces)
{
    static const enum imap_state states[] = {IMAP_STATE_NOT_AUTHENTICATED, IMAP_STATE_AUTHENTICATED,
                                             IMAP_STATE_SELECTED, IMAP_STATE_SELECTED};
    struct run r = {.p = imap_parser_new(cs, mode & 3 ? &imap_limits_auth : &imap_limits_preauth), .refuse = mode & 4};
    imap_parser_set_state(r.p, states[mode & 3]);
    imap_parser_set_utf8(r.p, mode & 8);
    while (in.n > 0) {
        size_t n = pieces ? 1 + (unsigned char)in.p[0] % 5u : in.n;
        if (!feed(&r, str_sub(in, 0, n)))
            break;
        in = str_skip(in, n);
    }
    imap_parser_free(r.p);
    return r.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct charset_cache *cs;
    if (cs == NULL)
        cs = charset_cache_new();
    if (size == 0)
        return 0;
    struct str in = str_of(data + 1, size - 1);
    if (run(cs, data[0], in, false) != run(cs, data[0], in, true))
        abort();
    return 0;
}
