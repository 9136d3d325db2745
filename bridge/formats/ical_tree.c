/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/ical_tree.h"

#include <string.h>

#include "bridge/base/text.h"
#include "bridge/base/time.h"

/* --- unfolding ------------------------------------------------------------------------------------------------------
 */

/* Content lines separated by LF, fold marks and control characters taken out. Where each line began in the input is
 * found again by counting: `folds` has the number of the input's lines up to each of ours. */
struct lines {
    struct str text;
    unsigned *number; /* of our line i in the input */
    size_t count;
};

static size_t count_lines(struct str s)
{
    size_t n = 1;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static void unfold(struct str in, struct arena *a, struct lines *ret)
{
    if (str_starts(in, STR("\xEF\xBB\xBF")))
        in = str_skip(in, 3);
    char *out = arena_alloc(a, in.n + 2), *at = out;
    *ret = (struct lines){.number = arena_array(a, count_lines(in) + 1, sizeof(unsigned))};
    unsigned number = 1;
    bool fresh = true; /* at the beginning of a line of ours */
    for (size_t i = 0; i < in.n;) {
        const char *end = memchr(in.p + i, '\n', in.n - i);
        size_t stop = end ? (size_t)(end - in.p) : in.n;
        if (!fresh && (in.p[i] == ' ' || in.p[i] == '\t')) {
            i++; /* goes on: 3.1 */
        } else {
            if (!fresh)
                *at++ = '\n';
            ret->number[ret->count++] = number;
        }
        for (; i < stop; i++)
            if (!is_control(in.p[i]))
                *at++ = in.p[i];
        fresh = false;
        i = stop + 1;
        number++;
    }
    *at = '\n';
    ret->text = str_of(out, (size_t)(at - out) + 1);
}

/* --- content lines --------------------------------------------------------------------------------------------------
 */

struct parser {
    struct arena *a;
    struct ical_comp *root, *at;
    struct ical_prop **prop_tail[ICAL_DEPTH_MAX];
    struct ical_comp **comp_tail[ICAL_DEPTH_MAX];
    unsigned depth; /* components open */
    size_t comps, props;
    const char *why;
};

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    return s.n > 0;
}

static bool fail(struct parser *p, const char *why)
{
    p->why = why;
    return false;
}

/* The end of a parameter's values: the ';' or ':' outside quotes. */
static size_t values_end(struct str s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && (s.p[i] == ';' || s.p[i] == ':'))
            return i;
    }
    return s.n;
}

static bool take_params(struct parser *p, struct str *rest, struct ical_prop *prop)
{
    struct ical_param **tail = &prop->params;
    unsigned count = 0;
    while (rest->n && rest->p[0] == ';') {
        *rest = str_skip(*rest, 1);
        size_t equals = 0;
        while (equals < rest->n && !strchr("=;:", rest->p[equals]))
            equals++;
        struct ical_param *param = ARENA_NEW(p->a, struct ical_param);
        param->name = str_sub(*rest, 0, equals);
        if (equals == rest->n || rest->p[equals] != '=' || !is_name(param->name))
            return fail(p, "a parameter without a name or value");
        *rest = str_skip(*rest, equals + 1);
        size_t end = values_end(*rest);
        if (end == rest->n)
            return fail(p, "a quotation mark that is not closed, or a property without a value");
        param->value = str_sub(*rest, 0, end);
        *rest = str_skip(*rest, end);
        if (++count > ICAL_PARAMS_MAX)
            return fail(p, "too many parameters");
        *tail = param;
        tail = &param->next;
    }
    return true;
}

static bool take_prop(struct parser *p, struct str line, struct ical_prop *prop)
{
    size_t end = 0;
    while (end < line.n && line.p[end] != ';' && line.p[end] != ':')
        end++;
    prop->name = str_sub(line, 0, end);
    if (end == line.n || !is_name(prop->name))
        return fail(p, "a line that is no property");
    struct str rest = str_skip(line, end);
    if (!take_params(p, &rest, prop))
        return false;
    prop->value = str_skip(rest, 1);
    return true;
}

/* --- components -----------------------------------------------------------------------------------------------------
 */

static bool open_component(struct parser *p, const struct ical_prop *begin)
{
    if (p->root && !p->at)
        return fail(p, "more than one object");
    if (p->depth == ICAL_DEPTH_MAX)
        return fail(p, "components nested too deeply");
    if (++p->comps > ICAL_COMPONENTS_MAX)
        return fail(p, "too many components");
    struct ical_comp *c = ARENA_NEW(p->a, struct ical_comp);
    c->name = str_trim(begin->value);
    if (!is_name(c->name))
        return fail(p, "a component without a name");
    c->line = begin->line;
    c->parent = p->at;
    c->text.p = begin->name.p;
    if (p->at) {
        *p->comp_tail[p->depth - 1] = c;
        p->comp_tail[p->depth - 1] = &c->next;
    } else {
        p->root = c;
    }
    p->prop_tail[p->depth] = &c->props;
    p->comp_tail[p->depth] = &c->comps;
    p->depth++;
    p->at = c;
    return true;
}

static bool close_component(struct parser *p, const struct ical_prop *end)
{
    if (!p->at || !str_case_eq(str_trim(end->value), p->at->name))
        return fail(p, "END without its BEGIN");
    p->at->text.n = (size_t)(end->value.p + end->value.n - p->at->text.p);
    p->at = p->at->parent;
    p->depth--;
    return true;
}

static bool add_line(struct parser *p, struct str line, unsigned number)
{
    struct ical_prop *prop = ARENA_NEW(p->a, struct ical_prop);
    prop->line = number;
    if (!take_prop(p, line, prop))
        return false;
    if (str_case_is(prop->name, "BEGIN"))
        return open_component(p, prop);
    if (str_case_is(prop->name, "END"))
        return close_component(p, prop);
    if (!p->at)
        return fail(p, "a property outside of a component");
    if (++p->props > ICAL_PROPERTIES_MAX)
        return fail(p, "too many properties");
    *p->prop_tail[p->depth - 1] = prop;
    p->prop_tail[p->depth - 1] = &prop->next;
    return true;
}

static bool parse_lines(struct parser *p, const struct lines *lines, unsigned *ret_line)
{
    struct str rest = lines->text, line;
    for (size_t i = 0; i < lines->count; i++) {
        if (!str_cut(&rest, '\n', &line))
            break;
        *ret_line = lines->number[i];
        if (str_trim(line).n && !add_line(p, line, *ret_line))
            return false;
    }
    if (p->at)
        return fail(p, "the object is cut short: END is missing");
    if (!p->root)
        return fail(p, "there is no component");
    return true;
}

bool ical_parse(struct str text, struct arena *a, struct ical_comp **ret_root, const char **ret_why, unsigned *ret_line)
{
    struct parser p = {.a = a};
    struct lines lines;
    *ret_line = 0;
    if (text.n > ICAL_TEXT_MAX) {
        *ret_why = "the object is too large";
        return false;
    }
    unfold(text, a, &lines);
    if (!text_utf8_valid(lines.text)) { /* a line may have been folded inside of a character (3.1) */
        *ret_why = "the object is not UTF-8";
        return false;
    }
    if (!parse_lines(&p, &lines, ret_line)) {
        *ret_why = p.why;
        return false;
    }
    *ret_root = p.root;
    return true;
}

/* --- looking things up ----------------------------------------------------------------------------------------------
 */

static const struct ical_prop *find(const struct ical_prop *p, const char *name)
{
    struct str s = str_from(name);
    while (p && !str_case_eq(p->name, s))
        p = p->next;
    return p;
}

const struct ical_prop *ical_prop(const struct ical_comp *c, const char *name)
{
    return find(c->props, name);
}

const struct ical_prop *ical_prop_next(const struct ical_prop *p, const char *name)
{
    return find(p->next, name);
}

const struct ical_comp *ical_comp(const struct ical_comp *c, const char *name)
{
    const struct ical_comp *at = c->comps;
    while (at && !str_case_is(at->name, name))
        at = at->next;
    return at;
}

/* RFC 6868: ^n ^^ ^' */
static struct str undo_carets(struct arena *a, struct str raw)
{
    if (str_find_byte(raw, '^') == (size_t)-1)
        return raw;
    char *out = arena_alloc(a, raw.n), *at = out;
    for (size_t i = 0; i < raw.n; i++) {
        char next = i + 1 < raw.n ? raw.p[i + 1] : 0;
        bool escape = raw.p[i] == '^' && (next == 'n' || next == '^' || next == '\'');
        *at++ = !escape ? raw.p[i] : next == 'n' ? '\n' : next == '^' ? '^' : '"';
        i += escape;
    }
    return str_of(out, (size_t)(at - out));
}

struct str ical_param(struct arena *a, const struct ical_prop *p, const char *name)
{
    for (const struct ical_param *at = p->params; at; at = at->next) {
        if (!str_case_is(at->name, name))
            continue;
        struct str v = str_trim(at->value);
        if (v.n >= 2 && v.p[0] == '"' && str_find_byte(str_skip(v, 1), '"') == v.n - 2)
            v = str_sub(v, 1, v.n - 2);
        return undo_carets(a, v);
    }
    return STR_NULL;
}

/* --- values ---------------------------------------------------------------------------------------------------------
 */

struct str ical_unescape(struct arena *a, struct str raw)
{
    if (str_find_byte(raw, '\\') == (size_t)-1)
        return raw;
    char *out = arena_alloc(a, raw.n), *at = out;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '\\' && i + 1 < raw.n) {
            c = raw.p[++i];
            if (c == 'n' || c == 'N')
                c = '\n';
        }
        *at++ = c;
    }
    return str_of(out, (size_t)(at - out));
}

bool ical_list_next(struct str *rest, struct str *ret_item)
{
    if (!rest->p)
        return false;
    size_t i = 0;
    while (i < rest->n && rest->p[i] != ',')
        i += rest->p[i] == '\\' && i + 1 < rest->n ? 2 : 1;
    *ret_item = str_sub(*rest, 0, i);
    *rest = i < rest->n ? str_skip(*rest, i + 1) : STR_NULL;
    return true;
}

static bool digits(struct str s, size_t from, size_t count, int *ret)
{
    int v = 0;
    for (size_t i = from; i < from + count; i++) {
        if (i >= s.n || s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *ret = v;
    return true;
}

bool ical_when(struct str raw, int64_t *ret_seconds, enum ical_when *ret_kind)
{
    struct time_parts p = {0}, back;
    raw = str_trim(raw);
    if (!digits(raw, 0, 4, &p.year) || !digits(raw, 4, 2, &p.month) || !digits(raw, 6, 2, &p.day))
        return false;
    enum ical_when kind = ICAL_WHEN_DATE;
    if (raw.n > 8) {
        kind = raw.n == 16 && (raw.p[15] == 'Z' || raw.p[15] == 'z') ? ICAL_WHEN_UTC : ICAL_WHEN_LOCAL;
        if ((raw.p[8] != 'T' && raw.p[8] != 't') || (kind == ICAL_WHEN_LOCAL && raw.n != 15) ||
            !digits(raw, 9, 2, &p.hour) || !digits(raw, 11, 2, &p.minute) || !digits(raw, 13, 2, &p.second))
            return false;
    }
    if (p.second == 60) /* a leap second (3.3.12), which nobody's clock has */
        p.second = 59;
    if (p.year < 1 || p.month < 1 || p.month > 12 || p.day < 1 || p.hour > 23 || p.minute > 59 || p.second > 59)
        return false;
    int64_t seconds = time_from_parts(&p);
    time_to_parts(seconds, 0, &back);
    if (back.day != p.day || back.month != p.month) /* 31 June */
        return false;
    *ret_seconds = seconds;
    *ret_kind = kind;
    return true;
}

/* One "15M" of a duration; the unit in *ret_unit. */
static bool take_amount(struct str *s, int64_t *ret_amount, char *ret_unit)
{
    int64_t v = 0;
    size_t i = 0;
    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
        if (i == 9)
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    if (i == 0 || i == s->n)
        return false;
    *ret_amount = v;
    *ret_unit = s->p[i];
    *s = str_skip(*s, i + 1);
    return true;
}

bool ical_duration(struct str raw, int64_t *ret_days, int64_t *ret_seconds)
{
    struct str s = str_trim(raw);
    int sign = s.n && s.p[0] == '-' ? -1 : 1;
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_skip(s, 1);
    if (s.n < 2 || (s.p[0] != 'P' && s.p[0] != 'p'))
        return false;
    s = str_skip(s, 1);
    int64_t days = 0, seconds = 0, amount;
    bool in_time = false;
    char unit;
    while (s.n) {
        if (!in_time && (s.p[0] == 'T' || s.p[0] == 't')) {
            in_time = true;
            s = str_skip(s, 1);
            continue;
        }
        if (!take_amount(&s, &amount, &unit))
            return false;
        unit = (char)(unit & ~0x20);
        int64_t scale = !in_time      ? (unit == 'W' ? 7 : unit == 'D')
                        : unit == 'H' ? 3600
                        : unit == 'M' ? 60
                                      : unit == 'S';
        if (!scale)
            return false;
        *(in_time ? &seconds : &days) += amount * scale;
    }
    *ret_days = sign * days;
    *ret_seconds = sign * seconds;
    return true;
}
