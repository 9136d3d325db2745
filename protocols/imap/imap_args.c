/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_args.h"

#include "bridge/base/text.h"
#include "protocols/imap/imap_utf7.h"
#include "protocols/imap/imap_write.h"

/* --- failing ----------------------------------------------------------------------------------------------------- */

bool imap_args_fail_with(struct imap_args *a, const char *response, const char *code, const char *text)
{
    if (a->text == NULL && !a->wants_literal) {
        a->response = response;
        a->code = code;
        a->text = text;
    }
    return false;
}

bool imap_args_fail(struct imap_args *a, const char *text)
{
    return imap_args_fail_with(a, "BAD", NULL, text);
}

bool imap_args_ok(const struct imap_args *a)
{
    return a->text == NULL && !a->wants_literal;
}

/* --- single bytes ------------------------------------------------------------------------------------------------ */

bool imap_args_is(const struct imap_args *a, char c)
{
    return a->rest.n > 0 && a->rest.p[0] == c;
}

bool imap_args_char(struct imap_args *a, char c)
{
    if (!imap_args_is(a, c))
        return false;
    a->rest = str_skip(a->rest, 1);
    return true;
}

bool imap_args_expect(struct imap_args *a, char c, const char *text)
{
    return imap_args_char(a, c) || imap_args_fail(a, text);
}

static void skip_blanks(struct imap_args *a)
{
    while (imap_args_char(a, ' '))
        ;
}

bool imap_args_space(struct imap_args *a)
{
    if (!imap_args_char(a, ' '))
        return imap_args_fail(a, a->rest.n == 0 ? "Missing argument" : "A space is missing between arguments");
    skip_blanks(a);
    if (a->rest.n == 0)
        return imap_args_fail(a, "Missing argument");
    return true;
}

bool imap_args_end(struct imap_args *a)
{
    skip_blanks(a);
    return a->rest.n == 0 || imap_args_fail(a, "Too many arguments");
}

/* --- atoms and names --------------------------------------------------------------------------------------------- */

static bool is_atom_char(unsigned char c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

/* What clients send as an unquoted astring: ASTRING-CHAR, and also the wildcards and 8-bit bytes, which are somebody
 * else's to judge (a name or a password that nobody quoted). */
static bool is_loose_char(unsigned char c)
{
    return c > 0x20 && c != 0x7f && !strchr("(){\"\\", c);
}

static struct str take_while(struct imap_args *a, bool (*is)(unsigned char))
{
    size_t n = 0;
    while (n < a->rest.n && is((unsigned char)a->rest.p[n]))
        n++;
    struct str s = str_sub(a->rest, 0, n);
    a->rest = str_skip(a->rest, n);
    return s;
}

bool imap_args_atom(struct imap_args *a, struct str *ret_atom)
{
    *ret_atom = take_while(a, is_atom_char);
    return ret_atom->n > 0 || imap_args_fail(a, "Expected an atom");
}

static bool is_name_char(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

struct str imap_args_upper(struct imap_args *a, struct str s)
{
    char *upper = arena_strdup(a->arena, s);
    for (size_t i = 0; i < s.n; i++)
        upper[i] = (char)(upper[i] >= 'a' && upper[i] <= 'z' ? upper[i] - 'a' + 'A' : upper[i]);
    return str_of(upper, s.n);
}

bool imap_args_name(struct imap_args *a, struct str *ret_name)
{
    struct str s = take_while(a, is_name_char);
    if (s.n == 0)
        return imap_args_fail(a, "Expected a name");
    *ret_name = imap_args_upper(a, s);
    return true;
}

bool imap_args_word(struct imap_args *a, const struct imap_word *table, size_t n, const char *text, unsigned *ret_value)
{
    struct str name = take_while(a, is_name_char);
    for (size_t i = 0; i < n; i++) {
        if (str_case_is(name, table[i].name)) {
            *ret_value = table[i].value;
            return true;
        }
    }
    return imap_args_fail(a, text);
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

bool imap_literal_find(struct str line, struct imap_literal *ret_literal)
{
    struct imap_literal l = {.sync = true};
    size_t i = line.n;
    if (i == 0 || line.p[--i] != '}')
        return false;
    if (i > 0 && line.p[i - 1] == '+') {
        l.sync = false;
        i--;
    }
    size_t digits_end = i;
    while (i > 0 && line.p[i - 1] >= '0' && line.p[i - 1] <= '9')
        i--;
    if (i == digits_end || i == 0 || line.p[i - 1] != '{')
        return false;
    if (!str_to_u64(str_of(line.p + i, digits_end - i), &l.size) || l.size > INT64_MAX)
        l.too_large = true;
    i--;
    if (i > 0 && line.p[i - 1] == '~') {
        l.binary = true;
        i--;
    }
    l.head = line.n - i;
    *ret_literal = l;
    return true;
}

static bool take_quoted(struct imap_args *a, struct str *ret_s)
{
    size_t n = 1, escapes = 0;
    while (n < a->rest.n && a->rest.p[n] != '"') {
        if (a->rest.p[n] == '\r' || a->rest.p[n] == '\n')
            break;
        if (a->rest.p[n] == '\\') {
            n++;
            escapes++;
            if (n >= a->rest.n || (a->rest.p[n] != '"' && a->rest.p[n] != '\\'))
                return imap_args_fail(a, "Only \\\" and \\\\ may be escaped in a quoted string");
        }
        n++;
    }
    if (n >= a->rest.n || a->rest.p[n] != '"')
        return imap_args_fail(a, "A quoted string does not end");
    struct str s = str_sub(a->rest, 1, n - 1);
    a->rest = str_skip(a->rest, n + 1);
    if (escapes > 0) {
        char *p = arena_alloc(a->arena, s.n - escapes + 1);
        size_t k = 0;
        for (size_t i = 0; i < s.n; i++) {
            i += s.p[i] == '\\';
            p[k++] = s.p[i];
        }
        s = str_of(p, k);
    }
    *ret_s = s;
    return true;
}

static bool take_literal(struct imap_args *a, struct str *ret_s)
{
    size_t line_end = str_find_byte(a->rest, '\n');
    struct imap_literal l;
    if (line_end == (size_t)-1)
        return imap_args_fail(a, "Wrong literal");
    struct str head = str_sub(a->rest, 0, line_end);
    if (head.n > 0 && head.p[head.n - 1] == '\r')
        head.n--;
    if (!imap_literal_find(head, &l) || l.head != head.n || l.binary)
        return imap_args_fail(a, "Wrong literal");
    struct str after = str_skip(a->rest, line_end + 1);
    if (a->partial && after.n == 0) {
        a->wants_literal = a->text == NULL;
        return false;
    }
    if (l.too_large || after.n < l.size)
        return imap_args_fail(a, "Wrong literal");
    *ret_s = str_sub(after, 0, (size_t)l.size);
    if (l.size > 0 && memchr(ret_s->p, '\0', ret_s->n))
        return imap_args_fail(a, "NUL is not allowed in a literal");
    a->rest = str_skip(after, (size_t)l.size);
    return true;
}

bool imap_args_string(struct imap_args *a, struct str *ret_s)
{
    if (imap_args_is(a, '"'))
        return take_quoted(a, ret_s);
    if (imap_args_is(a, '{'))
        return take_literal(a, ret_s);
    return imap_args_fail(a, "Expected a string");
}

bool imap_args_astring(struct imap_args *a, struct str *ret_s)
{
    if (imap_args_is(a, '"') || imap_args_is(a, '{'))
        return imap_args_string(a, ret_s);
    *ret_s = take_while(a, is_loose_char);
    return ret_s->n > 0 || imap_args_fail(a, "Expected a string");
}

bool imap_args_nstring(struct imap_args *a, struct str *ret_s)
{
    if (imap_args_is(a, '"') || imap_args_is(a, '{'))
        return imap_args_string(a, ret_s);
    struct str s = take_while(a, is_atom_char);
    if (!str_case_is(s, "NIL"))
        return imap_args_fail(a, "Expected a string or NIL");
    *ret_s = STR_NULL;
    return true;
}

bool imap_args_mailbox(struct imap_args *a, struct str *ret_name)
{
    struct str wire;
    if (!imap_args_astring(a, &wire))
        return false;
    a->mailbox_wire = wire;
    *ret_name = imap_name_decode(a->arena, wire, a->utf8);
    return true;
}

/* --- numbers, sets, flags ---------------------------------------------------------------------------------------- */

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

bool imap_args_u64(struct imap_args *a, uint64_t *ret_n)
{
    uint64_t n;
    if (!str_to_u64(take_while(a, is_digit), &n) || n > INT64_MAX)
        return imap_args_fail(a, "Expected a number");
    *ret_n = n;
    return true;
}

bool imap_args_u32(struct imap_args *a, uint32_t *ret_n)
{
    uint64_t n;
    if (!imap_args_u64(a, &n))
        return false;
    if (n > UINT32_MAX)
        return imap_args_fail(a, "A number is too large");
    *ret_n = (uint32_t)n;
    return true;
}

static bool is_set_char(unsigned char c)
{
    return is_digit(c) || c == ',' || c == ':' || c == '*' || c == '$';
}

bool imap_args_seqset(struct imap_args *a, struct imap_seqset *ret_set)
{
    return imap_seqset_parse(a->arena, take_while(a, is_set_char), ret_set) || imap_args_fail(a, "Wrong sequence set");
}

void imap_strs_add(struct arena *arena, struct imap_strs_builder *b, struct str s)
{
    if (b->n == b->size) {
        size_t size = b->size ? b->size * 2 : 4;
        struct str *items = arena_array(arena, size, sizeof(*items));
        if (b->n > 0)
            memcpy(items, b->items, b->n * sizeof(*items));
        b->items = items;
        b->size = size;
    }
    b->items[b->n++] = s;
}

static bool take_flag(struct imap_args *a, struct imap_flags *flags, struct imap_strs_builder *keywords)
{
    struct str name = a->rest;
    bool system = imap_args_char(a, '\\');
    struct str atom;
    if (!imap_args_atom(a, &atom))
        return imap_args_fail(a, "Wrong flag");
    name.n = atom.n + system;
    unsigned bit = imap_flag_bit(name);
    if (bit != 0)
        flags->bits |= bit;
    else if (str_case_is(name, "\\Recent"))
        flags->recent = true;
    else if (system)
        flags->unknown = true;
    else
        imap_strs_add(a->arena, keywords, name);
    return true;
}

bool imap_args_flags(struct imap_args *a, bool bare, struct imap_flags *ret_flags)
{
    struct imap_flags flags = {0};
    struct imap_strs_builder keywords = {0};
    size_t count = 0;
    if (bare && !imap_args_is(a, '(')) {
        do {
            if (++count > a->limits->items)
                return imap_args_fail(a, "Too many items in a list");
            if (!take_flag(a, &flags, &keywords))
                return false;
        } while (imap_args_is(a, ' ') && imap_args_space(a));
    } else {
        if (!imap_args_open(a))
            return false;
        while (imap_args_more(a, &count))
            take_flag(a, &flags, &keywords);
    }
    flags.keywords = (struct imap_strs){keywords.items, keywords.n};
    *ret_flags = flags;
    return imap_args_ok(a);
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

bool imap_args_open(struct imap_args *a)
{
    if (!imap_args_char(a, '('))
        return imap_args_fail(a, "Expected a list in parentheses");
    if (a->depth >= a->limits->depth)
        return imap_args_fail(a, "Lists are nested too deep");
    a->depth++;
    skip_blanks(a);
    return true;
}

bool imap_args_more(struct imap_args *a, size_t *count)
{
    if (!imap_args_ok(a))
        return false;
    if (*count > 0 && !imap_args_is(a, ')') && !imap_args_space(a))
        return false;
    if (imap_args_char(a, ')')) {
        a->depth--;
        return false;
    }
    if (++*count > a->limits->items)
        return imap_args_fail(a, "Too many items in a list");
    return a->rest.n > 0 || imap_args_fail(a, "A list does not end");
}
