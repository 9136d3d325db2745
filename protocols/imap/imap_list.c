/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_list.h"

#define NOWHERE ((size_t)-1)

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* How many bytes at the front of a name ignore case. */
static size_t inbox_size(struct str name)
{
    static const struct str inbox = {"INBOX", 5};
    bool is = str_case_starts(name, inbox) && (name.n == inbox.n || name.p[inbox.n] == '/');
    return is ? inbox.n : 0;
}

/*
 * One pass with two places to come back to: the last "%", which may take one more byte of its level, and the last "*",
 * which may take one more of anything. Going back further never helps: what an earlier wildcard could still take, the
 * later one can take as well. So the time is at most length times length, without recursion.
 */
bool imap_list_match(struct str name, struct str pattern)
{
    size_t fold = inbox_size(name);
    size_t n = 0, p = 0;
    size_t star_p = NOWHERE, star_n = 0, percent_p = NOWHERE, percent_n = 0;
    for (;;) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star_p = ++p;
            star_n = n;
            percent_p = NOWHERE;
            continue;
        }
        if (p < pattern.n && pattern.p[p] == '%') {
            percent_p = ++p;
            percent_n = n;
            continue;
        }
        if (n == name.n && p == pattern.n)
            return true;
        if (n < name.n && p < pattern.n &&
            (name.p[n] == pattern.p[p] || (n < fold && upper(name.p[n]) == upper(pattern.p[p])))) {
            n++;
            p++;
        } else if (percent_p != NOWHERE && percent_n < name.n && name.p[percent_n] != '/') {
            n = ++percent_n;
            p = percent_p;
        } else if (star_p != NOWHERE && star_n < name.n) {
            n = ++star_n;
            p = star_p;
            percent_p = NOWHERE;
        } else {
            return false;
        }
    }
}

bool imap_list_match_any(struct str name, const struct imap_strs *patterns)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (patterns->items[i].p && imap_list_match(name, patterns->items[i]))
            return true;
    return false;
}
