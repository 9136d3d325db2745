/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/xml.h"

static const char wanted[] = "Envelope";
enum { WANTED = sizeof(wanted) - 1, NO_MATCH = WANTED + 1 };
enum state {
    IN_TEXT,
    AFTER_LESS,  /* "<" */
    IN_NAME,     /* "</" and part of a name; `matched` letters of the local name are right */
    BEFORE_CLOSE /* the name is complete, blanks may follow */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* True: c ends the document. */
static bool step(struct xml_split *s, char c)
{
    switch ((enum state)s->state) {
    case IN_TEXT:
        break;
    case AFTER_LESS:
        if (c == '/') {
            s->state = IN_NAME;
            s->matched = 0;
            return false;
        }
        break;
    case IN_NAME:
        if (c == '>' || is_blank(c)) {
            if (s->matched == WANTED && c == '>')
                return true;
            s->state = s->matched == WANTED ? BEFORE_CLOSE : IN_TEXT;
            return false;
        }
        if (c == ':')
            s->matched = 0;
        else if (s->matched < WANTED && c == wanted[s->matched])
            s->matched++;
        else
            s->matched = NO_MATCH;
        return false;
    case BEFORE_CLOSE:
        if (c == '>')
            return true;
        if (is_blank(c))
            return false;
        break;
    }
    s->state = c == '<' ? AFTER_LESS : IN_TEXT;
    return false;
}

bool xml_split_next(struct xml_split *s, struct str *in, struct str *ret_piece, bool *ret_ends)
{
    if (!s->in_document) {
        while (in->n && (is_blank(in->p[0]) || strchr("\xef\xbb\xbf", in->p[0])))
            *in = str_skip(*in, 1);
        if (!in->n)
            return false;
        s->in_document = true;
        s->state = IN_TEXT;
    }
    size_t i = 0;
    while (i < in->n) {
        if (s->state == IN_TEXT) { /* nothing happens before the next tag */
            const char *less = memchr(in->p + i, '<', in->n - i);
            i = less ? (size_t)(less - in->p) : in->n;
            if (!less)
                break;
        }
        if (step(s, in->p[i++])) {
            s->in_document = false;
            *ret_piece = str_sub(*in, 0, i);
            *ret_ends = true;
            *in = str_skip(*in, i);
            return true;
        }
    }
    *ret_piece = *in;
    *ret_ends = false;
    *in = str_skip(*in, in->n);
    return ret_piece->n > 0;
}
