/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical_tree.h"

#define FOLD_AT 75 /* bytes, without the line end (3.1) */

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* Bytes without control characters, folded; a character of several bytes stays whole. */
static void put(struct ical_writer *w, struct str s)
{
    while (s.n) {
        size_t n = FOLD_AT > w->column ? FOLD_AT - w->column : 0;
        if (n > s.n)
            n = s.n;
        for (size_t back = 0; n < s.n && n && back < 3 && ((unsigned char)s.p[n] & 0xC0) == 0x80; back++)
            n--;
        if (n == 0 && w->column > 1) {
            buf_add(w->out, "\r\n ", 3);
            w->column = 1;
            continue;
        }
        buf_add(w->out, s.p, n);
        w->column += n;
        s = str_skip(s, n);
    }
}

/* As put(), of bytes that may have control characters in them. */
static void put_clean(struct ical_writer *w, struct str s)
{
    size_t from = 0, i;
    for (i = 0; i < s.n; i++) {
        if (!is_control(s.p[i]))
            continue;
        put(w, str_sub(s, from, i - from));
        from = i + 1;
    }
    put(w, str_skip(s, from));
}

static void end_line(struct ical_writer *w)
{
    buf_add(w->out, "\r\n", 2);
    w->column = 0;
}

void ical_begin(struct ical_writer *w, const char *component)
{
    ical_name(w, "BEGIN");
    ical_value(w, str_from(component));
}

void ical_end(struct ical_writer *w, const char *component)
{
    ical_name(w, "END");
    ical_value(w, str_from(component));
}

void ical_name(struct ical_writer *w, const char *name)
{
    put(w, str_from(name));
}

void ical_param_add(struct ical_writer *w, const char *name, struct str value)
{
    bool quote = false;
    for (size_t i = 0; i < value.n; i++)
        quote = quote || value.p[i] == ':' || value.p[i] == ';' || value.p[i] == ',';
    put(w, STR(";"));
    put(w, str_from(name));
    put(w, quote ? STR("=\"") : STR("="));
    size_t from = 0;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c != '^' && c != '"' && c != '\n')
            continue;
        put_clean(w, str_sub(value, from, i - from));
        put(w, c == '^' ? STR("^^") : c == '"' ? STR("^'") : STR("^n"));
        from = i + 1;
    }
    put_clean(w, str_skip(value, from));
    if (quote)
        put(w, STR("\""));
}

void ical_param_raw(struct ical_writer *w, const struct ical_param *p)
{
    put(w, STR(";"));
    put(w, p->name);
    put(w, STR("="));
    put_clean(w, p->value);
}

void ical_value(struct ical_writer *w, struct str raw)
{
    put(w, STR(":"));
    put_clean(w, raw);
    end_line(w);
}

static void put_text(struct ical_writer *w, struct str text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c != '\\' && c != ';' && c != ',' && c != '\n' && !is_control(c))
            continue;
        put(w, str_sub(text, from, i - from));
        from = i + 1;
        if (c == '\n')
            put(w, STR("\\n"));
        else if (!is_control(c))
            put(w, c == '\\' ? STR("\\\\") : c == ';' ? STR("\\;") : STR("\\,"));
    }
    put(w, str_skip(text, from));
}

void ical_text(struct ical_writer *w, struct str text)
{
    ical_text_list(w, &text, 1);
}

void ical_text_list(struct ical_writer *w, const struct str *items, size_t count)
{
    put(w, STR(":"));
    for (size_t i = 0; i < count; i++) {
        if (i)
            put(w, STR(","));
        put_text(w, items[i]);
    }
    end_line(w);
}

void ical_when_add(struct ical_writer *w, int64_t seconds, enum ical_when kind)
{
    struct time_parts p;
    char text[64];
    time_to_parts(seconds, 0, &p);
    int n = snprintf(text, sizeof(text), "%04d%02d%02d", p.year, p.month, p.day);
    if (kind != ICAL_WHEN_DATE)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "T%02d%02d%02d%s", p.hour, p.minute, p.second,
                      kind == ICAL_WHEN_UTC ? "Z" : "");
    ical_value(w, str_of(text, (size_t)n));
}

void ical_line(struct ical_writer *w, const struct ical_prop *p)
{
    put(w, p->name);
    for (const struct ical_param *at = p->params; at; at = at->next)
        ical_param_raw(w, at);
    ical_value(w, p->value);
}

/* Depth is bounded by the parser. */
void ical_tree(struct ical_writer *w, const struct ical_comp *c)
{
    put(w, STR("BEGIN"));
    ical_value(w, c->name);
    for (const struct ical_prop *p = c->props; p; p = p->next)
        ical_line(w, p);
    for (const struct ical_comp *at = c->comps; at; at = at->next)
        ical_tree(w, at);
    put(w, STR("END"));
    ical_value(w, c->name);
}
