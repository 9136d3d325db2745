/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_path.h"

#include <string.h>

#include "bridge/base/text.h"

#define DEPTH_MAX 6

static bool decode(struct str piece, struct arena *arena, struct str *ret)
{
    struct buf b = {0};
    bool ok = text_percent_decode(&b, piece) && b.n <= DAV_SEGMENT_MAX * 4;
    if (ok) {
        *ret = arena_str(arena, b.n ? buf_view(&b) : STR(""));
        ok = !memchr(ret->p, '\0', ret->n) && str_find_byte(*ret, '/') == (size_t)-1 && !str_is(*ret, ".") &&
             !str_is(*ret, "..") && text_utf8_valid(*ret);
        for (size_t i = 0; ok && i < ret->n; i++)
            ok = (unsigned char)ret->p[i] >= 0x20 && ret->p[i] != 0x7f;
    }
    buf_done(&b);
    return ok;
}

/* Empty pieces do not count: "//" is not a name, and a slash at the end is no difference. */
static bool split(struct str path, struct arena *arena, struct str *pieces, size_t *ret_count)
{
    struct str piece;
    size_t n = 0;
    while (str_cut(&path, '/', &piece)) {
        if (piece.n == 0)
            continue;
        if (n == DEPTH_MAX || !decode(piece, arena, &pieces[n]))
            return false;
        n++;
    }
    *ret_count = n;
    return true;
}

/* False: neither a path nor an absolute URL. */
static bool split_origin(struct str target, struct str *ret_authority, struct str *ret_path)
{
    size_t at = str_find(target, STR("://"));
    *ret_authority = STR_NULL;
    *ret_path = target;
    if (target.n && target.p[0] == '/')
        return true;
    if (at == (size_t)-1)
        return false;
    struct str rest = str_skip(target, at + 3);
    size_t slash = str_find_byte(rest, '/');
    *ret_authority = str_sub(rest, 0, slash == (size_t)-1 ? rest.n : slash);
    *ret_path = slash == (size_t)-1 ? STR("/") : str_skip(rest, slash);
    return true;
}

bool dav_path_is_elsewhere(struct str target, struct str host)
{
    struct str authority, path;
    return split_origin(target, &authority, &path) && authority.n && host.n && !str_case_eq(authority, host);
}

static enum dav_place place_of(const struct str *p, size_t n, struct dav_path *path)
{
    if (n == 0)
        return DAV_AT_ROOT;
    if (n == 2 && str_is(p[0], ".well-known") && str_is(p[1], "caldav"))
        return DAV_AT_WELL_KNOWN;
    if (!str_is(p[0], "dav"))
        return DAV_AT_NOWHERE;
    if (n == 1)
        return DAV_AT_TOP;
    path->account = p[1];
    if (n == 2)
        return DAV_AT_PRINCIPAL;
    if (str_is(p[2], "inbox"))
        return n == 3 ? DAV_AT_INBOX : n == 4 ? DAV_AT_INBOX_ITEM : DAV_AT_NOWHERE;
    if (str_is(p[2], "outbox"))
        return n == 3 ? DAV_AT_OUTBOX : DAV_AT_NOWHERE;
    if (str_is(p[2], "attachments") && n == 4) {
        path->name = p[3];
        return DAV_AT_ATTACHMENT;
    }
    if (!str_is(p[2], "calendars") || n > 5)
        return DAV_AT_NOWHERE;
    if (n > 3)
        path->segment = p[3];
    if (n > 4)
        path->name = p[4];
    return n == 3 ? DAV_AT_HOME : n == 4 ? DAV_AT_COLLECTION : DAV_AT_RESOURCE;
}

bool dav_path_parse(struct str target, struct str host, struct arena *arena, struct dav_path *ret)
{
    struct str pieces[DEPTH_MAX] = {{0}};
    size_t n = 0;
    *ret = (struct dav_path){.place = DAV_AT_NOWHERE};
    struct str authority;
    if (dav_path_is_elsewhere(target, host) || !split_origin(target, &authority, &target))
        return false;
    size_t end = str_find_byte(target, '?');
    if (end != (size_t)-1)
        target = str_sub(target, 0, end);
    if (str_find_byte(target, '#') != (size_t)-1 || !split(target, arena, pieces, &n))
        return false;
    ret->place = place_of(pieces, n, ret);
    return ret->segment.n <= DAV_SEGMENT_MAX && (ret->place != DAV_AT_RESOURCE || ret->name.n <= DAV_SEGMENT_MAX);
}

static void add_segment(struct buf *out, struct str s, bool slash)
{
    text_percent_add(out, s, "@!$&'()*+,;=:");
    if (slash)
        buf_byte(out, '/');
}

void dav_path_write(struct buf *out, const struct dav_path *p)
{
    if (p->place == DAV_AT_ROOT) {
        buf_byte(out, '/');
        return;
    }
    buf_lit(out, "/dav/");
    if (p->place == DAV_AT_TOP)
        return;
    add_segment(out, p->account, true);
    if (p->place == DAV_AT_INBOX)
        buf_lit(out, "inbox/");
    if (p->place == DAV_AT_OUTBOX)
        buf_lit(out, "outbox/");
    if (p->place != DAV_AT_HOME && p->place != DAV_AT_COLLECTION && p->place != DAV_AT_RESOURCE)
        return;
    buf_lit(out, "calendars/");
    if (p->place != DAV_AT_HOME)
        add_segment(out, p->segment, true);
    if (p->place == DAV_AT_RESOURCE)
        add_segment(out, p->name, false);
}
