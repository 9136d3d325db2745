/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/ini.h"

#include "bridge/base/text.h"

static bool bad(struct ini_line *line, const char *what)
{
    line->kind = INI_BAD;
    line->value = str_from(what);
    return true;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t')
            return true;
    return false;
}

static struct str unquote(struct str s)
{
    if (s.n >= 2 && s.p[0] == '"' && str_find_byte(str_skip(s, 1), '"') == s.n - 2)
        return str_sub(s, 1, s.n - 2);
    return s;
}

/* [section], [section name], [section "name"] */
static bool parse_section(struct str s, struct ini_line *line)
{
    if (s.p[s.n - 1] != ']')
        return bad(line, "a section ends with ']', and nothing may follow it");
    s = str_trim(str_sub(s, 1, s.n - 2));
    size_t end = 0;
    while (end < s.n && s.p[end] != ' ' && s.p[end] != '\t' && s.p[end] != '"')
        end++;
    line->kind = INI_SECTION;
    line->section = str_sub(s, 0, end);
    line->name = unquote(str_trim(str_skip(s, end)));
    if (line->section.n == 0)
        return bad(line, "a section needs a name, as in [server] or [account \"work\"]");
    if (str_find_byte(line->name, '"') != (size_t)-1)
        return bad(line, "quotes do not match");
    return true;
}

static bool parse_key(struct str s, struct ini_line *line)
{
    size_t equals = str_find_byte(s, '=');
    if (equals == (size_t)-1)
        return bad(line, "not a section, a comment or 'key = value'");
    line->kind = INI_KEY;
    line->key = str_trim(str_sub(s, 0, equals));
    line->value = unquote(str_trim(str_skip(s, equals + 1)));
    if (line->key.n == 0)
        return bad(line, "a key is missing before '='");
    return true;
}

bool ini_next(struct str *text, unsigned *number, struct ini_line *ret_line)
{
    struct str s;
    if (*number == 0 && str_starts(*text, STR("\xef\xbb\xbf"))) /* some editors put a byte order mark first */
        *text = str_skip(*text, 3);
    while (str_cut(text, '\n', &s)) {
        struct ini_line line = {.number = ++*number};
        bool told = false;
        size_t length = s.n;
        if (s.n && s.p[s.n - 1] == '\r')
            s.n--;
        s = str_trim(s);
        if (length > INI_LINE_MAX)
            told = bad(&line, "the line is longer than 8192 bytes");
        else if (s.n == 0 || s.p[0] == '#' || s.p[0] == ';')
            continue;
        else if (has_control(s) || !text_utf8_valid(s))
            told = bad(&line, "control characters, or not UTF-8");
        else
            told = s.p[0] == '[' ? parse_section(s, &line) : parse_key(s, &line);
        *ret_line = line;
        return told;
    }
    return false;
}
