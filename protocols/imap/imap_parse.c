/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of commands: lines and literals are gathered until a command is complete, then parsed in one go by the
 * functions of imap_args.h, so how the bytes were cut can make no difference. Before a literal is gathered the command
 * is parsed as far as it is known: a command that is wrong already is refused before the client sends it.
 *
 *      LINE --line--> command / CONTINUE --> LITERAL --+     EXPECT --line--> LINE
 *       ^  \--error--> SKIP_LITERAL <-> SKIP_LINE      |     APPEND_WAIT --take--> APPEND_DATA --> LINE (rest of the
 * command)
 *       +----------------------------------------------+                 \-refuse-> SKIP_LITERAL or LINE
 */
#include "protocols/imap/imap_parse.h"

#include <assert.h>

#include "bridge/base/buf.h"
#include "bridge/base/mem.h"
#include "protocols/guard.h"
#include "protocols/imap/imap_args.h"

const struct imap_limits imap_limits_preauth = {.line = 8 << 10,
                                                .literal = 8 << 10,
                                                .arguments = 16 << 10,
                                                .literals = 8,
                                                .depth = 1,
                                                .items = 100,
                                                .skip = 64 << 10};
const struct imap_limits imap_limits_auth = {.line = 64 << 10,
                                             .literal = 128 << 10,
                                             .arguments = 1 << 20,
                                             .literals = 1000,
                                             .depth = 32,
                                             .items = 10000,
                                             .skip = 256 << 20};

/* Literals of one command before which it is parsed as far as it is known. Each costs a pass over the command; who
 * sends more learns of errors at the end. */
#define EARLY_CHECKS 8
#define TAG_MAX      256 /* bytes of a tag */
#define TAIL         32  /* of a skipped line: where a literal's head may be */

enum mode { LINE, LITERAL, SKIP_LINE, SKIP_LITERAL, EXPECT, APPEND_WAIT, APPEND_DATA, DEAD };

struct imap_parser {
    struct charset_cache *charsets;
    const struct imap_limits *limits;
    enum imap_state state;
    bool utf8;
    enum mode mode;
    struct buf raw;  /* the command so far */
    size_t line_at;  /* where its current line begins */
    uint64_t left;   /* bytes to come of a literal */
    size_t literals; /* of this command, so far */
    uint64_t skipped;
    size_t expect_max;
    char tail[TAIL]; /* SKIP_LINE: the end of the line so far */
    size_t tail_n;
    struct imap_command *append; /* at or after a message literal of this command */
    bool line_given;             /* raw is an expected line that the session has seen */
    char tag[TAG_MAX];
    size_t tag_n;
};

struct imap_parser *imap_parser_new(struct charset_cache *charsets, const struct imap_limits *limits)
{
    struct imap_parser *p = MEM_NEW(struct imap_parser);
    p->charsets = charsets;
    p->limits = limits;
    p->state = IMAP_STATE_NOT_AUTHENTICATED;
    buf_init(&p->raw, 0);
    return p;
}

void imap_parser_free(struct imap_parser *p)
{
    if (p == NULL)
        return;
    imap_command_free(p->append);
    buf_wipe(&p->raw);
    mem_free(p);
}

void imap_parser_set_limits(struct imap_parser *p, const struct imap_limits *limits)
{
    p->limits = limits;
}

void imap_parser_set_state(struct imap_parser *p, enum imap_state state)
{
    p->state = state;
}

void imap_parser_set_utf8(struct imap_parser *p, bool utf8)
{
    p->utf8 = utf8;
}

/* The command is over, whatever its end was. */
static void begin_command(struct imap_parser *p)
{
    p->mode = LINE;
    if (p->state == IMAP_STATE_NOT_AUTHENTICATED)
        buf_wipe(&p->raw); /* there may have been a password in it */
    else
        buf_reset(&p->raw);
    p->line_at = p->literals = 0;
    p->left = p->skipped = 0;
    p->append = NULL;
    p->line_given = false;
}

void imap_parser_reset(struct imap_parser *p)
{
    imap_command_free(p->append);
    begin_command(p);
}

bool imap_parser_busy(const struct imap_parser *p)
{
    return (p->raw.n > 0 && !p->line_given) || p->append != NULL || (p->mode != LINE && p->mode != EXPECT);
}

void imap_parser_expect_line(struct imap_parser *p, size_t max)
{
    assert(p->mode == LINE && p->append == NULL);
    begin_command(p);
    p->mode = EXPECT;
    p->expect_max = max;
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

/* RFC 3501 9: tag = 1*<any ASTRING-CHAR except "+"> */
static bool is_tag_char(unsigned char c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\+", c);
}

static struct str find_tag(struct str line)
{
    size_t n = 0;
    while (n < line.n && n < TAG_MAX && is_tag_char((unsigned char)line.p[n]))
        n++;
    bool ends = n < line.n && (line.p[n] == ' ' || line.p[n] == '\r' || line.p[n] == '\n');
    return n > 0 && (n == line.n || ends) ? str_sub(line, 0, n) : STR_NULL;
}

static enum imap_parse_event_kind report(struct imap_parser *p, struct imap_parse_event *ev, const char *response,
                                         const char *code, const char *text)
{
    struct str tag = p->append ? p->append->tag : find_tag(buf_view(&p->raw));
    p->tag_n = tag.n;
    if (tag.n > 0)
        memcpy(p->tag, tag.p, tag.n);
    ev->error = (struct imap_parse_error){.tag = {p->tag, p->tag_n}, .response = response, .code = code, .text = text};
    if (p->state == IMAP_STATE_NOT_AUTHENTICATED && p->append == NULL)
        ev->error.foreign = guard_is_foreign(buf_view(&p->raw));
    return IMAP_PARSE_ERROR;
}

/* Is a literal of a refused command worth reading to its end? If not, the connection cannot be kept in step. */
static bool can_skip(struct imap_parser *p, const struct imap_literal *l)
{
    return !l->too_large && l->size <= p->limits->skip && p->skipped + l->size <= p->limits->skip;
}

static void skip_literal(struct imap_parser *p, uint64_t size)
{
    p->skipped += size;
    p->left = size;
    p->tail_n = 0;
    p->mode = size > 0 ? SKIP_LITERAL : SKIP_LINE;
}

/* The command at hand is refused; `l` is the literal its line ends with, or NULL. */
static enum imap_parse_event_kind refuse(struct imap_parser *p, const struct imap_literal *l,
                                         struct imap_parse_event *ev, const char *response, const char *code,
                                         const char *text)
{
    enum imap_parse_event_kind kind = report(p, ev, response, code, text);
    imap_command_free(p->append);
    begin_command(p);
    if (l == NULL || l->sync) /* the client does not send a literal it was not asked for */
        return kind;
    if (can_skip(p, l)) {
        skip_literal(p, l->size);
    } else {
        ev->error.fatal = true;
        p->mode = DEAD;
    }
    return kind;
}

/* --- a line or a command is complete ----------------------------------------------------------------------------- */

static bool parse_verb(struct imap_args *a, struct imap_parser *p, struct imap_command *c)
{
    struct str name;
    if (!imap_args_space(a) || !imap_args_name(a, &name))
        return imap_args_fail(a, "Unknown command");
    if (str_is(name, "UID")) {
        c->uid = true;
        if (!imap_args_space(a) || !imap_args_name(a, &name))
            return imap_args_fail(a, "Unknown command");
    }
    if (!imap_verb_find(name, &c->verb))
        return imap_args_fail(a, "Unknown command");
    const struct imap_verb_info *info = imap_verb_info(c->verb);
    if (c->uid && !(info->flags & IMAP_UID_FORM))
        return imap_args_fail(a, "Unknown command");
    if (!(info->states & p->state))
        return imap_args_fail(a, "The command is not allowed now");
    return true;
}

static bool parse_all(struct imap_args *a, struct imap_parser *p, struct imap_command *c)
{
    c->tag = find_tag(a->rest);
    if (c->tag.n == 0)
        return imap_args_fail(a, "A command begins with a tag");
    a->rest = str_skip(a->rest, c->tag.n);
    if (!parse_verb(a, p, c))
        return false;
    imap_parse_fn *parse = imap_verb_info(c->verb)->parse;
    return parse ? parse(a, c) : imap_args_end(a);
}

/* Parse p->raw into c (which gets a copy of the bytes). partial: the bytes end with the head of a literal. */
static bool parse_raw(struct imap_parser *p, struct imap_args *a, struct imap_command *c, bool partial)
{
    struct str bytes = arena_str(&c->arena, buf_view(&p->raw));
    *a = (struct imap_args){.rest = bytes,
                            .arena = &c->arena,
                            .limits = p->limits,
                            .charsets = p->charsets,
                            .utf8 = p->utf8,
                            .partial = partial};
    if (!partial) { /* the line end goes, but not what belongs to a literal before it */
        a->rest.n--;
        if (a->rest.n > p->line_at && a->rest.p[a->rest.n - 1] == '\r')
            a->rest.n--;
    }
    if (p->append)
        return imap_parse_append_more(a, c);
    c->bytes = bytes;
    return parse_all(a, p, c);
}

static struct imap_command *command_for(struct imap_parser *p)
{
    return p->append ? p->append : MEM_NEW(struct imap_command);
}

static enum imap_parse_event_kind end_command(struct imap_parser *p, struct imap_parse_event *ev)
{
    struct imap_args a;
    struct imap_command *c = command_for(p);
    if (!parse_raw(p, &a, c, false)) {
        if (c != p->append)
            imap_command_free(c);
        return refuse(p, NULL, ev, a.response, a.code, a.text);
    }
    begin_command(p);
    ev->command = c;
    return IMAP_PARSE_COMMAND;
}

/* APPEND's message literal is next. */
static enum imap_parse_event_kind begin_message(struct imap_parser *p, struct imap_command *c,
                                                struct imap_parse_event *ev)
{
    p->append = c;
    p->mode = APPEND_WAIT;
    buf_reset(&p->raw);
    p->line_at = 0;
    ev->command = c;
    return IMAP_PARSE_APPEND;
}

static enum imap_parse_event_kind gather(struct imap_parser *p, const struct imap_literal *l)
{
    p->literals++;
    p->left = l->size;
    p->line_at = p->raw.n;
    p->mode = l->size > 0 ? LITERAL : LINE;
    return l->sync ? IMAP_PARSE_CONTINUE : IMAP_PARSE_MORE;
}

/* The line ended with a literal's head. */
static enum imap_parse_event_kind end_at_literal(struct imap_parser *p, const struct imap_literal *l,
                                                 struct imap_parse_event *ev)
{
    struct imap_args a = {0};
    if (p->literals >= p->limits->literals)
        return refuse(p, l, ev, "BAD", "TOOBIG", "Too many literals");
    if (p->append && p->append->arena.total > p->limits->arguments)
        return refuse(p, l, ev, "BAD", "TOOBIG", "The command is too long");
    if (p->append || p->literals < EARLY_CHECKS) {
        struct imap_command *c = command_for(p);
        bool done = parse_raw(p, &a, c, true);
        if (done && a.at_message)
            return begin_message(p, c, ev);
        if (c != p->append)
            imap_command_free(c);
        if (done)
            return refuse(p, l, ev, "BAD", NULL, "Too many arguments");
        if (!a.wants_literal)
            return refuse(p, l, ev, a.response, a.code, a.text);
    }
    if (l->too_large || l->size > p->limits->literal)
        return refuse(p, l, ev, "BAD", "TOOBIG", "A literal is too large");
    if (p->raw.n + l->size > p->limits->arguments)
        return refuse(p, l, ev, "BAD", "TOOBIG", "The command is too long");
    return gather(p, l);
}

static const char *find_bad_byte(struct str line)
{
    if (memchr(line.p, '\0', line.n))
        return "NUL is not allowed";
    return memchr(line.p, '\r', line.n) ? "CR is not allowed without LF" : NULL;
}

/* p->raw ends with LF. */
static enum imap_parse_event_kind end_line(struct imap_parser *p, struct imap_parse_event *ev)
{
    struct str line = str_skip(buf_view(&p->raw), p->line_at);
    line.n--;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n == 0 && p->line_at == 0 && p->append == NULL) { /* an empty line between commands: some clients */
        begin_command(p);
        return IMAP_PARSE_MORE;
    }
    struct imap_literal l;
    bool literal = imap_literal_find(line, &l);
    const char *bad = line.n > 0 ? find_bad_byte(line) : NULL;
    if (bad)
        return refuse(p, literal ? &l : NULL, ev, "BAD", NULL, bad);
    if (p->state == IMAP_STATE_NOT_AUTHENTICATED && p->line_at == 0 && guard_is_foreign(line))
        return refuse(p, literal ? &l : NULL, ev, "BAD", NULL, "This is an IMAP server");
    return literal ? end_at_literal(p, &l, ev) : end_command(p, ev);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void keep_tail(struct imap_parser *p, struct str s)
{
    if (s.n >= TAIL) {
        memcpy(p->tail, s.p + s.n - TAIL, TAIL);
        p->tail_n = TAIL;
        return;
    }
    if (s.n == 0)
        return;
    size_t keep = p->tail_n < TAIL - s.n ? p->tail_n : TAIL - s.n;
    memmove(p->tail, p->tail + p->tail_n - keep, keep);
    memcpy(p->tail + keep, s.p, s.n);
    p->tail_n = keep + s.n;
}

/* Up to and including the next LF, but at most `max` bytes. */
static struct str take_line(struct str *in, size_t max)
{
    size_t n = in->n < max ? in->n : max;
    const char *lf = memchr(in->p, '\n', n);
    struct str piece = str_sub(*in, 0, lf ? (size_t)(lf - in->p) + 1 : n);
    *in = str_skip(*in, piece.n);
    return piece;
}

static bool ends_line(struct str s)
{
    return s.n > 0 && s.p[s.n - 1] == '\n';
}

static enum imap_parse_event_kind feed_line(struct imap_parser *p, struct str *in, struct imap_parse_event *ev)
{
    size_t have = p->raw.n - p->line_at;
    size_t max = p->limits->line > have ? p->limits->line - have : 0;
    if (p->raw.n + max > p->limits->arguments)
        max = p->limits->arguments > p->raw.n ? p->limits->arguments - p->raw.n : 0;
    struct str piece = take_line(in, max);
    buf_str(&p->raw, piece);
    if (ends_line(piece))
        return end_line(p, ev);
    if (piece.n < max || in->n == 0)
        return IMAP_PARSE_MORE;
    p->tail_n = 0;
    keep_tail(p, str_skip(buf_view(&p->raw), p->line_at));
    char tail[TAIL];
    size_t tail_n = p->tail_n;
    memcpy(tail, p->tail, tail_n);
    enum imap_parse_event_kind kind = refuse(p, NULL, ev, "BAD", "TOOBIG", "The line is too long");
    memcpy(p->tail, tail, tail_n);
    p->tail_n = tail_n;
    p->mode = SKIP_LINE;
    return kind;
}

static enum imap_parse_event_kind feed_literal(struct imap_parser *p, struct str *in)
{
    size_t n = in->n < p->left ? in->n : (size_t)p->left;
    buf_str(&p->raw, str_sub(*in, 0, n));
    *in = str_skip(*in, n);
    p->left -= n;
    if (p->left == 0) {
        p->mode = LINE;
        p->line_at = p->raw.n;
    }
    return IMAP_PARSE_MORE;
}

static enum imap_parse_event_kind feed_dead(struct imap_parse_event *ev)
{
    ev->error = (struct imap_parse_error){
        .response = "BAD", .code = "TOOBIG", .text = "The command is too long", .fatal = true};
    return IMAP_PARSE_ERROR;
}

static enum imap_parse_event_kind feed_skip_line(struct imap_parser *p, struct str *in, struct imap_parse_event *ev)
{
    struct str piece = take_line(in, in->n);
    keep_tail(p, piece);
    if (!ends_line(piece))
        return IMAP_PARSE_MORE;
    struct str line = str_of(p->tail, p->tail_n - 1);
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    struct imap_literal l;
    if (!imap_literal_find(line, &l) || l.sync) {
        begin_command(p);
        return IMAP_PARSE_MORE;
    }
    if (can_skip(p, &l)) {
        skip_literal(p, l.size);
        return IMAP_PARSE_MORE;
    }
    p->mode = DEAD;
    return feed_dead(ev);
}

static enum imap_parse_event_kind feed_skip_literal(struct imap_parser *p, struct str *in)
{
    size_t n = in->n < p->left ? in->n : (size_t)p->left;
    *in = str_skip(*in, n);
    p->left -= n;
    if (p->left == 0)
        p->mode = SKIP_LINE;
    return IMAP_PARSE_MORE;
}

static enum imap_parse_event_kind feed_expected(struct imap_parser *p, struct str *in, struct imap_parse_event *ev)
{
    struct str piece = take_line(in, p->expect_max + 2 - p->raw.n);
    buf_str(&p->raw, piece);
    struct str line = buf_view(&p->raw);
    bool ended = ends_line(line);
    if (ended)
        line.n--;
    if (ended && line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (ended ? line.n > p->expect_max : p->raw.n == p->expect_max + 2) {
        ev->error = (struct imap_parse_error){.response = "BAD", .code = "TOOBIG", .text = "The line is too long"};
        begin_command(p);
        p->tail_n = 0;
        if (!ended)
            p->mode = SKIP_LINE;
        return IMAP_PARSE_ERROR;
    }
    if (!ended)
        return IMAP_PARSE_MORE;
    p->mode = LINE;
    p->line_given = true; /* raw keeps the line until the next feed */
    ev->data = line;
    return IMAP_PARSE_LINE;
}

static enum imap_parse_event_kind feed_append(struct imap_parser *p, struct str *in, struct imap_parse_event *ev)
{
    size_t n = in->n < p->left ? in->n : (size_t)p->left;
    ev->data = str_sub(*in, 0, n);
    *in = str_skip(*in, n);
    p->left -= n;
    if (p->left == 0)
        p->mode = LINE;
    return IMAP_PARSE_DATA;
}

static enum imap_parse_event_kind feed(struct imap_parser *p, struct str *in, struct imap_parse_event *ev)
{
    switch (p->mode) {
    case LINE:
        return feed_line(p, in, ev);
    case LITERAL:
        return feed_literal(p, in);
    case SKIP_LINE:
        return feed_skip_line(p, in, ev);
    case SKIP_LITERAL:
        return feed_skip_literal(p, in);
    case EXPECT:
        return feed_expected(p, in, ev);
    case APPEND_DATA:
        return feed_append(p, in, ev);
    case DEAD:
        *in = str_skip(*in, in->n);
        return feed_dead(ev);
    case APPEND_WAIT:
        break;
    }
    assert(!"fed while a decision about a message literal is due");
    return IMAP_PARSE_MORE;
}

enum imap_parse_event_kind imap_parser_feed(struct imap_parser *p, struct str *in, struct imap_parse_event *ret_event)
{
    *ret_event = (struct imap_parse_event){0};
    if (p->line_given)
        begin_command(p);
    while (in->n > 0) {
        enum imap_parse_event_kind kind = feed(p, in, ret_event);
        if (kind != IMAP_PARSE_MORE)
            return kind;
    }
    return IMAP_PARSE_MORE;
}

/* --- the session's decision about a message literal -------------------------------------------------------------- */

void imap_parser_take(struct imap_parser *p)
{
    assert(p->mode == APPEND_WAIT);
    p->left = p->append->append.size;
    p->literals++;
    p->mode = p->left > 0 ? APPEND_DATA : LINE;
}

void imap_parser_refuse(struct imap_parser *p)
{
    assert(p->mode == APPEND_WAIT);
    struct imap_literal l = {.size = p->append->append.size, .sync = p->append->append.sync};
    imap_command_free(p->append);
    begin_command(p);
    if (l.sync)
        return;
    if (can_skip(p, &l))
        skip_literal(p, l.size);
    else
        p->mode = DEAD;
}
