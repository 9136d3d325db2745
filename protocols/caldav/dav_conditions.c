/* SPDX-License-Identifier: Apache-2.0 */
/* Entity tags, sync-tokens, and the headers that ask for them. */
#include <inttypes.h>
#include <string.h>

#include "bridge/base/text.h"
#include "protocols/caldav/dav_if.h"
#include "protocols/caldav/dav_session.h"

/* --- tags
 * -------------------------------------------------------------------------------------------------------------------------
 */

#define TOKEN "urn:exbridge:sync:"

void dav_add_etag(struct buf *out, const struct calendar *c, uint64_t revision)
{
    buf_printf(out, "\"%" PRIu32 "-%" PRIu64 "\"", c->validity, revision);
}

void dav_add_schedule_tag(struct buf *out, const struct calendar *c, const struct resource *r)
{
    if (r->schedule.n == 0) {
        dav_add_etag(out, c, r->revision);
        return;
    }
    buf_printf(out, "\"%" PRIu32 "-s", c->validity);
    text_hex_add(out, r->schedule);
    buf_lit(out, "\"");
}

/* "VALIDITY-REVISION" of this collection. */
static bool read_pair(struct str s, const struct calendar *c, uint64_t *ret_revision)
{
    struct str validity;
    uint32_t v;
    return str_cut(&s, '-', &validity) && str_to_u32(validity, &v) && v == c->validity && str_to_u64(s, ret_revision);
}

static bool read_etag(struct str tag, const struct calendar *c, uint64_t *ret_revision)
{
    tag = str_trim(tag);
    if (str_starts(tag, STR("W/")))
        tag = str_skip(tag, 2);
    return tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"' &&
           read_pair(str_sub(tag, 1, tag.n - 2), c, ret_revision);
}

/* It is the tag of now, or an entity tag of now: what schedule tags were in earlier versions. */
static bool match_schedule(struct str tag, const struct calendar *c, const struct resource *r)
{
    struct buf now = {0};
    uint64_t revision;
    dav_add_schedule_tag(&now, c, r);
    bool fits = str_eq(str_trim(tag), buf_view(&now)) || (read_etag(tag, c, &revision) && revision == r->revision);
    buf_done(&now);
    return fits;
}

/* A list in which one has to fit: the object's own revision, if it is there. */
static bool match_list(struct str list, const struct calendar *c, uint64_t now, bool exists)
{
    struct str tag;
    uint64_t revision;
    while (str_cut(&list, ',', &tag))
        if (exists && read_etag(tag, c, &revision) && revision == now)
            return true;
    return false;
}

/* The list may come in several lines (RFC 9110 5.3). */
static bool match_lists(const struct dav_session *s, const char *name, uint64_t now, bool exists)
{
    for (size_t i = 0; i < s->request->header_count; i++)
        if (str_case_is(s->request->headers[i].name, name) &&
            match_list(s->request->headers[i].value, &s->calendar, now, exists))
            return true;
    return false;
}

/* --- If (dav_if.h)
 * ---------------------------------------------------------------------------------------------------------------- */

/* The calendar of a resource, and which one; false: none that has tags. */
static bool find_tagged(const struct dav_session *s, struct str resource, struct arena *arena,
                        struct dav_path *ret_path, struct calendar *ret_calendar)
{
    *ret_path = s->path;
    return (resource.n == 0 || dav_path_parse(resource, dav_header_get(s->request, "Host"), arena, ret_path)) &&
           (ret_path->place == DAV_AT_RESOURCE || ret_path->place == DAV_AT_COLLECTION) &&
           str_is(ret_path->account, account_name(s->client.account)) &&
           calendar_find(s->client.account, ret_path->segment, arena, ret_calendar);
}

static bool has_etag(void *ud, struct str resource, struct str tag)
{
    const struct dav_session *s = ud;
    struct arena arena = {0};
    struct dav_path path;
    struct calendar c;
    struct resource r;
    uint64_t revision;
    bool has = find_tagged(s, resource, &arena, &path, &c) && path.place == DAV_AT_RESOURCE &&
               calendar_resource(s->client.account, c.pk, path.name, &arena, &r) && read_etag(tag, &c, &revision) &&
               revision == r.revision;
    arena_done(&arena);
    return has;
}

/* The state of a collection is its sync-token (RFC 6578 5); there are no locks. */
static bool has_token(void *ud, struct str resource, struct str token)
{
    const struct dav_session *s = ud;
    struct arena arena = {0};
    struct dav_path path;
    struct calendar c;
    struct dav_known known;
    bool has = find_tagged(s, resource, &arena, &path, &c) && path.place == DAV_AT_COLLECTION &&
               dav_read_sync_token(token, &c, &known) && known.revision == c.revision && known.gone == c.revision;
    arena_done(&arena);
    return has;
}

bool dav_if_holds(const struct dav_session *s)
{
    struct str header = dav_header_get(s->request, "If");
    const struct dav_if who = {has_etag, has_token, (void *)s};
    return !header.p || dav_if_check(header, &who) == DAV_IF_HOLDS;
}

static bool nobody_has(void *ud, struct str resource, struct str what)
{
    (void)ud;
    (void)resource;
    (void)what;
    return false;
}

bool dav_if_is_wrong(const struct dav_session *s)
{
    static const struct dav_if nobody = {nobody_has, nobody_has, NULL};
    struct str header = dav_header_get(s->request, "If");
    return header.p && dav_if_check(header, &nobody) == DAV_IF_WRONG;
}

/* --- If-Match and the like
 * ------------------------------------------------------------------------------------------------------------ */

bool dav_condition(const struct dav_session *s, struct calendar_condition *ret)
{
    struct str match = dav_header_get(s->request, "If-Match"), none = dav_header_get(s->request, "If-None-Match");
    struct str schedule = dav_header_get(s->request, "If-Schedule-Tag-Match");
    struct arena arena = {0};
    struct resource r = {0};
    bool exists = calendar_resource(s->client.account, s->calendar.pk, s->path.name, &arena, &r);
    bool ok = true;
    *ret = (struct calendar_condition){0};
    if (match.p && str_is(match, "*")) {
        ret->must_exist = true;
    } else if (match.p) {
        ok = match_lists(s, "If-Match", r.revision, exists);
        ret->has_revision = true;
        ret->revision = r.revision;
    }
    if (dav_header_get(s->request, "If").p) { /* what it says of the object is to hold when the turn has come */
        bool holds = dav_if_holds(s);
        ok = ok && holds;
        ret->has_revision = exists || !holds;
        ret->revision = r.revision;
        ret->must_not_exist = holds && !exists && s->request->method == DAV_PUT;
    }
    if (schedule.p) {
        ok = ok && exists && match_schedule(schedule, &s->calendar, &r);
        ret->has_revision = ret->despite_answers = true;
        ret->revision = r.revision;
    }
    if (none.p && str_is(none, "*"))
        ret->must_not_exist = true;
    else if (none.p)
        ok = ok && !match_lists(s, "If-None-Match", r.revision, exists);
    arena_done(&arena);
    return ok;
}

/* --- sync-tokens
 * ----------------------------------------------------------------------------------------------------------------------
 */

struct dav_known dav_known_now(const struct calendar *c)
{
    return (struct dav_known){.revision = c->revision, .gone = c->revision};
}

/* "VALIDITY-REVISION", and in the middle of a long answer "VALIDITY-REVISION-PK-GONE". */
void dav_add_sync_token(struct buf *out, const struct calendar *c, const struct dav_known *known)
{
    buf_printf(out, TOKEN "%" PRIu32 "-%" PRIu64, c->validity, known->revision);
    if (known->pk || known->gone != known->revision)
        buf_printf(out, "-%" PRId64 "-%" PRIu64, known->pk, known->gone);
}

bool dav_read_sync_token(struct str token, const struct calendar *c, struct dav_known *ret)
{
    struct str piece[4] = {{0}};
    uint64_t pk = 0;
    size_t n = 0;
    uint32_t validity;
    *ret = (struct dav_known){0};
    if (token.n == 0)
        return true;
    if (!str_starts(token, STR(TOKEN)))
        return false;
    token = str_skip(token, strlen(TOKEN));
    while (n < 4 && str_cut(&token, '-', &piece[n]))
        n++;
    if ((n != 2 && n != 4) || token.p || !str_to_u32(piece[0], &validity) || validity != c->validity ||
        !str_to_u64(piece[1], &ret->revision))
        return false;
    ret->gone = ret->revision;
    if (n == 4 && (!str_to_u64(piece[2], &pk) || pk > INT64_MAX || !str_to_u64(piece[3], &ret->gone)))
        return false;
    ret->pk = (int64_t)pk;
    return ret->revision <= c->revision && ret->gone <= c->revision;
}
