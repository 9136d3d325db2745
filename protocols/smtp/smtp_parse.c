/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_parse.h"

#include <string.h>

#include "bridge/base/text.h"
#include "bridge/formats/address.h"

/* --- lines ------------------------------------------------------------------------------------ */

void smtp_lines_init(struct smtp_lines *l, size_t limit)
{
    *l = (struct smtp_lines){.limit = limit};
}

void smtp_lines_done(struct smtp_lines *l)
{
    buf_wipe(&l->line);
}

static void begin_line(struct smtp_lines *l)
{
    if (l->line.n)
        memset(l->line.p, 0, l->line.n);
    buf_reset(&l->line);
    l->seen = 0;
    l->cr = l->ended = false;
}

static void line_byte(struct smtp_lines *l, char c)
{
    l->seen++;
    if (l->line.n < l->limit)
        buf_byte(&l->line, c);
}

enum smtp_line_status smtp_lines_feed(struct smtp_lines *l, struct str *in, struct str *ret_line)
{
    if (l->ended)
        begin_line(l);
    while (in->n) {
        char c = in->p[0];
        *in = str_skip(*in, 1);
        if (c == '\n') {
            l->ended = true;
            *ret_line = buf_view(&l->line);
            if (!l->cr)
                return SMTP_LINE_BARE_LF;
            return l->seen > l->limit ? SMTP_LINE_TOO_LONG : SMTP_LINE_DONE;
        }
        if (l->cr)
            line_byte(l, '\r');
        l->cr = c == '\r';
        if (!l->cr)
            line_byte(l, c);
        if (l->seen > SMTP_LINE_SKIP) {
            l->ended = true;
            *ret_line = buf_view(&l->line);
            return SMTP_LINE_ENDLESS;
        }
    }
    return SMTP_LINE_MORE;
}

/* --- replies ---------------------------------------------------------------------------------- */

static const struct smtp_reply unknown_command = {500, "5.5.1", "Command unknown."},
                               bad_characters = {500, "5.5.2", "A command is one line of printable characters."},
                               bad_syntax = {501, "5.5.4", "The arguments of this command are not understood."},
                               no_arguments = {501, "5.5.4", "This command takes no arguments."},
                               bad_from = {501, "5.1.7", "The sender's address is not understood."},
                               bad_to = {501, "5.1.3", "The recipient's address is not understood."},
                               no_domain = {553, "5.1.3", "An address needs a domain."},
                               too_long = {553, "5.1.3", "The address is too long."},
                               bad_parameter = {501, "5.5.4", "A parameter is malformed, or there twice."},
                               unknown_parameter = {555, "5.5.4", "A parameter is not known here."},
                               bad_body = {555, "5.5.4", "BODY is 7BIT or 8BITMIME here."};

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool is_atext(unsigned char c)
{
    return c > 0x7f || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Quoted-string (RFC 5321 4.1.2); *s stands behind it afterwards. */
static bool take_quoted(struct str *s, struct buf *out)
{
    *s = str_skip(*s, 1);
    while (s->n) {
        char c = s->p[0];
        *s = str_skip(*s, 1);
        if (c == '"')
            return true;
        if (c == '\\') {
            if (!s->n || (unsigned char)s->p[0] > 0x7e)
                return false;
            c = s->p[0];
            *s = str_skip(*s, 1);
        }
        buf_byte(out, c);
    }
    return false;
}

/* Dot-string, with dots wherever they are: addresses like "a..b@docomo" exist. */
static bool take_local(struct str *s, struct buf *out)
{
    if (s->n && s->p[0] == '"')
        return take_quoted(s, out) && out->n > 0;
    while (s->n && (is_atext((unsigned char)s->p[0]) || s->p[0] == '.')) {
        buf_byte(out, s->p[0]);
        *s = str_skip(*s, 1);
    }
    return out->n > 0;
}

static bool is_label_byte(unsigned char c)
{
    return c > 0x7f || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_';
}

static bool is_literal(struct str d)
{
    for (size_t i = 1; i + 1 < d.n; i++)
        if (!(is_atext((unsigned char)d.p[i]) && (unsigned char)d.p[i] < 0x80) && d.p[i] != '.' && d.p[i] != ':')
            return false;
    return d.n > 2 && d.p[0] == '[' && d.p[d.n - 1] == ']';
}

static bool is_domain(struct str d)
{
    bool label = false;
    if (d.n && d.p[0] == '[')
        return is_literal(d);
    for (size_t i = 0; i < d.n; i++) {
        bool dot = d.p[i] == '.';
        if (dot ? !label : !is_label_byte((unsigned char)d.p[i]))
            return false;
        label = !dot;
    }
    return label;
}

/* Source routes are taken off (RFC 5321 4.1.1.3). */
static bool skip_route(struct str *s)
{
    if (!s->n || s->p[0] != '@')
        return true;
    size_t colon = str_find_byte(*s, ':');
    if (colon == (size_t)-1)
        return false;
    *s = str_skip(*s, colon + 1);
    return true;
}

static const struct smtp_reply *parse_mailbox(struct str inside, const struct smtp_reply *bad, struct arena *arena,
                                              struct smtp_command *c)
{
    struct buf local = BUF_INIT(SMTP_ADDRESS_MAX), spec = {0};
    const struct smtp_reply *problem = NULL;
    if (!skip_route(&inside) || !take_local(&inside, &local))
        problem = local.failed ? &too_long : bad;
    else if (local.failed || inside.n > SMTP_ADDRESS_MAX)
        problem = &too_long;
    else if (!inside.n)
        problem = &no_domain;
    else if (inside.p[0] != '@' || !is_domain(str_skip(inside, 1)) || !text_utf8_valid(buf_view(&local)) ||
             !text_utf8_valid(inside))
        problem = bad;
    if (!problem) {
        struct address a = {.mailbox = buf_view(&local), .host = str_skip(inside, 1)};
        address_add_spec(&spec, &a);
        c->address = arena_str(arena, buf_view(&spec));
        for (size_t i = 0; i < spec.n; i++)
            c->address_utf8 |= (unsigned char)spec.p[i] > 0x7f;
        if (spec.n > SMTP_ADDRESS_MAX)
            problem = &too_long;
    }
    buf_done(&local);
    buf_done(&spec);
    return problem;
}

/* Where the path ends: a '>' outside quotes. */
static size_t path_end(struct str s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == '>')
            return i;
    }
    return (size_t)-1;
}

/* "FROM:<path>" or "TO:<path>"; *args is left at the parameters. A blank after the colon is taken, as by everybody. */
static const struct smtp_reply *parse_path(struct str *args, const char *keyword, const struct smtp_reply *bad,
                                           struct arena *arena, struct smtp_command *c)
{
    if (!str_case_starts(*args, str_from(keyword)))
        return &bad_syntax;
    struct str s = str_skip(*args, strlen(keyword));
    while (s.n && s.p[0] == ' ')
        s = str_skip(s, 1);
    size_t end = path_end(s);
    if (!s.n || s.p[0] != '<' || end == (size_t)-1)
        return bad;
    struct str inside = str_sub(s, 1, end - 1);
    *args = str_skip(s, end + 1);
    if (args->n && args->p[0] != ' ')
        return &bad_syntax;
    if (!inside.n)
        return c->verb == SMTP_MAIL ? NULL : bad;
    return parse_mailbox(inside, bad, arena, c);
}

/* --- parameters ------------------------------------------------------------------------------- */

typedef const struct smtp_reply *parameter_fn(struct str value, struct smtp_command *c);

static const struct smtp_reply *parameter_size(struct str value, struct smtp_command *c)
{
    c->has_size = true;
    if (!value.n || value.n > 20)
        return &bad_parameter;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < '0' || value.p[i] > '9')
            return &bad_parameter;
    if (!str_to_u64(value, &c->size)) /* 20 digits (RFC 1870 4) may be more than fits, and are too much in any case */
        c->size = UINT64_MAX;
    return NULL;
}

static const struct smtp_reply *parameter_body(struct str value, struct smtp_command *c)
{
    if (str_case_is(value, "8BITMIME"))
        c->body = SMTP_BODY_8BITMIME;
    else if (!str_case_is(value, "7BIT"))
        return &bad_body;
    return NULL;
}

static const struct smtp_reply *parameter_utf8(struct str value, struct smtp_command *c)
{
    c->utf8 = true;
    return value.p ? &bad_parameter : NULL;
}

/* Who says so does not matter to Exchange (RFC 4954 5): taken, and of no effect. */
static const struct smtp_reply *parameter_auth(struct str value, struct smtp_command *c)
{
    (void)c;
    return value.n ? NULL : &bad_parameter;
}

static const struct {
    const char *name;
    parameter_fn *fn;
} mail_parameters[] = {
    {"SIZE", parameter_size},
    {"BODY", parameter_body},
    {"SMTPUTF8", parameter_utf8},
    {"AUTH", parameter_auth},
};

static bool is_keyword(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= 'a' && s.p[i] <= 'z') || (i && s.p[i] == '-')))
            return false;
    return s.n > 0;
}

static const struct smtp_reply *parse_parameter(struct str word, struct smtp_command *c, unsigned *seen)
{
    size_t equals = str_find_byte(word, '=');
    struct str name = str_sub(word, 0, equals), value = equals == (size_t)-1 ? STR_NULL : str_skip(word, equals + 1);
    if (!is_keyword(name) || (value.p && !value.n))
        return &bad_parameter;
    for (size_t i = 0; c->verb == SMTP_MAIL && i < sizeof(mail_parameters) / sizeof(mail_parameters[0]); i++) {
        if (!str_case_is(name, mail_parameters[i].name))
            continue;
        if (*seen & 1u << i)
            return &bad_parameter;
        *seen |= 1u << i;
        return mail_parameters[i].fn(value, c);
    }
    return &unknown_parameter;
}

static const struct smtp_reply *parse_parameters(struct str args, struct smtp_command *c)
{
    unsigned seen = 0;
    struct str word;
    while (str_cut(&args, ' ', &word)) {
        const struct smtp_reply *problem = word.n ? parse_parameter(word, c, &seen) : NULL;
        if (problem)
            return problem;
    }
    return NULL;
}

/* --- arguments of each command ---------------------------------------------------------------- */

typedef const struct smtp_reply *parse_fn(struct str args, struct arena *arena, struct smtp_command *c);

static const struct smtp_reply *parse_none(struct str args, struct arena *arena, struct smtp_command *c)
{
    (void)arena;
    (void)c;
    return str_trim(args).n ? &no_arguments : NULL;
}

static const struct smtp_reply *parse_any(struct str args, struct arena *arena, struct smtp_command *c)
{
    c->argument = arena_str(arena, str_trim(args));
    return NULL;
}

static const struct smtp_reply *parse_some(struct str args, struct arena *arena, struct smtp_command *c)
{
    parse_any(args, arena, c);
    return c->argument.n ? NULL : &bad_syntax;
}

static const struct smtp_reply *parse_auth(struct str args, struct arena *arena, struct smtp_command *c)
{
    struct str rest = str_trim(args);
    size_t space = str_find_byte(rest, ' ');
    c->argument = arena_str(arena, str_sub(rest, 0, space));
    if (!c->argument.n)
        return &bad_syntax;
    c->has_initial = space != (size_t)-1;
    c->initial =
        c->has_initial ? str_skip(rest, space + 1) : STR_NULL; /* a secret: stays in the line, which is wiped */
    return str_find_byte(c->initial, ' ') == (size_t)-1 ? NULL : &bad_syntax;
}

static const struct smtp_reply *parse_mail(struct str args, struct arena *arena, struct smtp_command *c)
{
    const struct smtp_reply *problem = parse_path(&args, "FROM:", &bad_from, arena, c);
    return problem ? problem : parse_parameters(args, c);
}

static const struct smtp_reply *parse_rcpt(struct str args, struct arena *arena, struct smtp_command *c)
{
    const struct smtp_reply *problem = parse_path(&args, "TO:", &bad_to, arena, c);
    return problem ? problem : parse_parameters(args, c);
}

static const struct smtp_reply *parse_bdat(struct str args, struct arena *arena, struct smtp_command *c)
{
    (void)arena;
    struct str rest = str_trim(args), word;
    if (!str_cut(&rest, ' ', &word) || word.n > 19 || !str_to_u64(word, &c->size))
        return &bad_syntax;
    rest = str_trim(rest);
    c->last = str_case_is(rest, "LAST");
    return c->last || !rest.n ? NULL : &bad_syntax;
}

static const struct {
    const char *name;
    parse_fn *parse;
} verbs[SMTP_VERB_MAX] = {
    [SMTP_EHLO] = {"EHLO", parse_some}, [SMTP_HELO] = {"HELO", parse_some},        [SMTP_AUTH] = {"AUTH", parse_auth},
    [SMTP_MAIL] = {"MAIL", parse_mail}, [SMTP_RCPT] = {"RCPT", parse_rcpt},        [SMTP_DATA] = {"DATA", parse_none},
    [SMTP_BDAT] = {"BDAT", parse_bdat}, [SMTP_RSET] = {"RSET", parse_none},        [SMTP_NOOP] = {"NOOP", parse_any},
    [SMTP_QUIT] = {"QUIT", parse_none}, [SMTP_VRFY] = {"VRFY", parse_some},        [SMTP_EXPN] = {"EXPN", parse_some},
    [SMTP_HELP] = {"HELP", parse_any},  [SMTP_STARTTLS] = {"STARTTLS", parse_any},
};

const char *smtp_verb_name(enum smtp_verb verb)
{
    return verb < SMTP_VERB_MAX ? verbs[verb].name : "?";
}

const struct smtp_reply *smtp_parse(struct str line, struct arena *arena, struct smtp_command *ret_command)
{
    size_t n = 0;
    while (n < line.n && line.p[n] != ' ')
        n++;
    *ret_command = (struct smtp_command){.verb = SMTP_VERB_MAX};
    for (unsigned i = 0; i < SMTP_VERB_MAX; i++)
        if (str_case_is(str_sub(line, 0, n), verbs[i].name))
            ret_command->verb = (enum smtp_verb)i;
    for (size_t i = 0; i < line.n; i++)
        if (is_control((unsigned char)line.p[i]))
            return &bad_characters;
    if (ret_command->verb == SMTP_VERB_MAX)
        return &unknown_command;
    return verbs[ret_command->verb].parse(str_skip(line, n + 1), arena, ret_command);
}
