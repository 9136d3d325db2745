/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/thread.h"

#include "bridge/base/text.h"

/* ---- base subject (RFC 5256 2.1) ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct str skip_blanks(struct str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_skip(s, 1);
    return s;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; the size, or 0. */
static size_t blob_size(struct str s)
{
    if (!s.n || s.p[0] != '[')
        return 0;
    size_t i = 1;
    while (i < s.n && s.p[i] != '[' && s.p[i] != ']')
        i++;
    if (i == s.n || s.p[i] != ']')
        return 0;
    i++;
    while (i < s.n && is_blank(s.p[i]))
        i++;
    return i;
}

/* subj-refwd = ("re" / "fw" ["d"]) *WSP [subj-blob] ":"; the size, or 0. */
static size_t refwd_size(struct str s)
{
    size_t i;
    if (str_case_starts(s, STR("re")))
        i = 2;
    else if (str_case_starts(s, STR("fwd")))
        i = 3;
    else if (str_case_starts(s, STR("fw")))
        i = 2;
    else
        return 0;
    while (i < s.n && is_blank(s.p[i]))
        i++;
    i += blob_size(str_skip(s, i));
    return i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

/* subj-leader = (*subj-blob subj-refwd) / WSP: take one off. */
static bool take_leader(struct str *s, bool *is_reply)
{
    struct str rest = *s;
    if (rest.n && is_blank(rest.p[0])) {
        *s = skip_blanks(rest);
        return true;
    }
    for (size_t n; (n = blob_size(rest));)
        rest = str_skip(rest, n);
    size_t n = refwd_size(rest);
    if (!n)
        return false;
    *s = str_skip(rest, n);
    *is_reply = true;
    return true;
}

/* subj-trailer = "(fwd)" / WSP */
static bool take_trailer(struct str *s, bool *is_reply)
{
    if (s->n && is_blank(s->p[s->n - 1])) {
        s->n--;
        return true;
    }
    if (s->n >= 5 && str_case_eq(str_skip(*s, s->n - 5), STR("(fwd)"))) {
        s->n -= 5;
        *is_reply = true;
        return true;
    }
    return false;
}

/* Blobs at the start go, unless nothing would be left. All at once: take_leader() has seen that no refwd follows them.
 */
static bool take_blobs(struct str *s)
{
    bool any = false;
    for (size_t n; (n = blob_size(*s)) && n < s->n; any = true)
        *s = str_skip(*s, n);
    return any;
}

static struct str base_of(struct str s, bool *is_reply)
{
    for (;;) {
        while (take_trailer(&s, is_reply)) {
        }
        while (take_leader(&s, is_reply) || take_blobs(&s)) {
        }
        /* "[fwd: ... ]" is taken off and what is inside looked at anew */
        if (!str_case_starts(s, STR("[fwd:")) || !str_ends(s, STR("]")))
            return s;
        s = str_sub(s, 5, s.n - 6);
        *is_reply = true;
    }
}

void thread_base_subject(struct buf *out, struct str subject_utf8, bool *ret_is_reply)
{
    struct buf flat = BUF_INIT(0);
    bool is_reply = false, blank = false;
    for (size_t i = 0; i < subject_utf8.n; i++) { /* runs of white space are one blank */
        char c = subject_utf8.p[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            blank = true;
            continue;
        }
        if (blank)
            buf_byte(&flat, ' ');
        blank = false;
        buf_byte(&flat, c);
    }
    if (blank)
        buf_byte(&flat, ' ');
    buf_str(out, base_of(buf_view(&flat), &is_reply));
    buf_done(&flat);
    if (ret_is_reply)
        *ret_is_reply = is_reply;
}

/* ---- message ids ---- */

/* At "<": the id up to ">", blanks and quotes taken out. An empty one is none. */
static bool read_id(struct arena *a, struct str *rest, struct str *ret_id)
{
    struct str s = str_skip(*rest, 1);
    size_t close = 0;
    while (close < s.n && s.p[close] != '>' && s.p[close] != '<')
        close++;
    if (close == s.n || s.p[close] == '<') { /* not closed before the next one begins */
        *rest = str_skip(s, close);
        return false;
    }
    char *p = arena_alloc(a, close + 1);
    size_t n = 0;
    bool quoted = false;
    for (size_t i = 0; i < close; i++) {
        char c = s.p[i];
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && c == '\\' && i + 1 < close)
            c = s.p[++i];
        else if (is_blank(c) || c == '\r' || c == '\n')
            continue;
        p[n++] = c;
    }
    *rest = str_skip(s, close + 1);
    *ret_id = (struct str){p, n};
    return n > 0;
}

bool thread_next_id(struct arena *a, struct str *rest, struct str *ret_id)
{
    while (rest->n) {
        size_t open = str_find_byte(*rest, '<');
        if (open == (size_t)-1) {
            *rest = STR_NULL;
            break;
        }
        *rest = str_skip(*rest, open);
        if (read_id(a, rest, ret_id))
            return true;
    }
    return false;
}
