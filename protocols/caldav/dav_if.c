/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_if.h"

struct reading {
    struct str rest, resource;
    const struct dav_if *who;
    bool holds;
};

static void skip_space(struct reading *r)
{
    while (r->rest.n && (r->rest.p[0] == ' ' || r->rest.p[0] == '\t'))
        r->rest = str_skip(r->rest, 1);
}

static bool at(struct reading *r, char c)
{
    skip_space(r);
    return r->rest.n && r->rest.p[0] == c;
}

/* <...>: what is inside, which is not empty and has no space. */
static bool in_angles(struct reading *r, struct str *ret)
{
    r->rest = str_skip(r->rest, 1);
    size_t end = str_find_byte(r->rest, '>');
    if (end == 0 || end == (size_t)-1)
        return false;
    *ret = str_sub(r->rest, 0, end);
    r->rest = str_skip(r->rest, end + 1);
    for (size_t i = 0; i < ret->n; i++)
        if ((unsigned char)ret->p[i] <= ' ' || ret->p[i] == '<')
            return false;
    return true;
}

/* ["..."] or [W/"..."]: the tag. */
static bool in_brackets(struct reading *r, struct str *ret)
{
    r->rest = str_skip(r->rest, 1);
    skip_space(r);
    struct str begin = r->rest;
    if (str_starts(r->rest, STR("W/")))
        r->rest = str_skip(r->rest, 2);
    if (!r->rest.n || r->rest.p[0] != '"')
        return false;
    size_t end = str_find_byte(str_skip(r->rest, 1), '"');
    if (end == (size_t)-1)
        return false;
    r->rest = str_skip(r->rest, end + 2);
    *ret = str_sub(begin, 0, begin.n - r->rest.n);
    if (!at(r, ']'))
        return false;
    r->rest = str_skip(r->rest, 1);
    return true;
}

static bool read_condition(struct reading *r, bool *ret_holds)
{
    struct str what;
    bool negated = r->rest.n >= 3 && str_case_is(str_sub(r->rest, 0, 3), "Not");
    if (negated)
        r->rest = str_skip(r->rest, 3);
    if (at(r, '<')) {
        if (!in_angles(r, &what))
            return false;
        *ret_holds = r->who->has_token(r->who->ud, r->resource, what) != negated;
        return true;
    }
    if (!at(r, '[') || !in_brackets(r, &what))
        return false;
    *ret_holds = r->who->has_etag(r->who->ud, r->resource, what) != negated;
    return true;
}

static bool read_list(struct reading *r)
{
    bool all = true, one;
    r->rest = str_skip(r->rest, 1);
    do {
        skip_space(r);
        if (!read_condition(r, &one))
            return false;
        all = all && one;
    } while (!at(r, ')'));
    r->rest = str_skip(r->rest, 1);
    r->holds = r->holds || all;
    return true;
}

/* All lists are tagged, or none is. */
enum dav_if_result dav_if_check(struct str header, const struct dav_if *who)
{
    struct reading r = {.rest = header, .who = who};
    bool tagged = at(&r, '<'), ok;
    do {
        ok = !tagged || (at(&r, '<') && in_angles(&r, &r.resource));
        ok = ok && at(&r, '(');
        while (ok && at(&r, '('))
            ok = read_list(&r);
    } while (ok && tagged && r.rest.n);
    if (!ok || r.rest.n)
        return DAV_IF_WRONG;
    return r.holds ? DAV_IF_HOLDS : DAV_IF_FAILS;
}
