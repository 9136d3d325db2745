/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_guard.h"

#include <string.h>

/* "localhost:1443", the port left out where it is the scheme's own. */
static bool is_our_authority(const struct dav_guard *g, struct str authority)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i <= sizeof(names) / sizeof(names[0]); i++) {
        const char *name = i < sizeof(names) / sizeof(names[0]) ? names[i] : g->name;
        if (!name || !str_case_starts(authority, str_from(name)))
            continue;
        struct str rest = str_skip(authority, strlen(name));
        uint32_t port = g->tls ? 443 : 80;
        if (rest.n && (rest.p[0] != ':' || !str_to_u32(str_skip(rest, 1), &port)))
            continue;
        if (port == g->port)
            return true;
    }
    return false;
}

/* "https://localhost:1443" and for a Referer what follows it. */
static bool is_our_origin(const struct dav_guard *g, struct str origin, bool with_path)
{
    struct str scheme = g->tls ? STR("https://") : STR("http://");
    if (!str_case_starts(origin, scheme))
        return false;
    struct str authority = str_skip(origin, scheme.n);
    size_t slash = str_find_byte(authority, '/');
    if (slash != (size_t)-1) {
        if (!with_path)
            return false;
        authority = str_sub(authority, 0, slash);
    }
    return is_our_authority(g, authority);
}

static bool is_one_of(struct str s, const char *const *list)
{
    for (; *list; list++)
        if (str_case_is(s, *list))
            return true;
    return false;
}

static bool fits_sec_fetch(const struct dav_request *r)
{
    static const char *const sites[] = {"same-origin", "none", NULL};
    static const char *const modes[] = {"no-cors", "cors", "same-origin", NULL};
    struct str site = dav_header_get(r, "Sec-Fetch-Site"), mode = dav_header_get(r, "Sec-Fetch-Mode");
    struct str dest = dav_header_get(r, "Sec-Fetch-Dest");
    if (r->method == DAV_GET && str_is(r->target, "/")) /* a page that says what this port is */
        return !site.p || is_one_of(site, sites);
    return (!site.p || is_one_of(site, sites)) && (!mode.p || is_one_of(mode, modes)) &&
           (!dest.p || str_case_is(dest, "empty"));
}

/* What a page can have a browser send without asking first (CORS "simple" requests) has another type than ours. PUT is
 * none of those: it may come without a type (cadaver). */
static bool fits_type(const struct dav_request *r)
{
    static const char *const types[] = {"text/calendar", "application/xml", "text/xml", "application/ics", NULL};
    if (!r->has_body || (r->method != DAV_POST && r->method != DAV_PUT))
        return true;
    struct str type = dav_header_get(r, "Content-Type");
    size_t end = str_find_byte(type, ';');
    if (!type.p)
        return r->method == DAV_PUT;
    return is_one_of(str_trim(str_sub(type, 0, end == (size_t)-1 ? type.n : end)), types);
}

/* RFC 9110 8.4: what is packed is not what it says to be. */
static bool fits_coding(const struct dav_request *r)
{
    struct str coding = dav_header_get(r, "Content-Encoding");
    return !r->has_body || coding.n == 0 || str_case_is(coding, "identity");
}

static int check_target(const struct dav_guard *g, const struct dav_request *r, struct str host)
{
    struct str scheme = g->tls ? STR("https://") : STR("http://");
    if (r->target.p[0] == '/' || (str_is(r->target, "*") && r->method == DAV_OPTIONS))
        return 0;
    if (!str_case_starts(r->target, scheme)) /* RFC 9112 3.2.2: absolute-form, and it names the same host */
        return 400;
    struct str authority = str_skip(r->target, scheme.n);
    size_t slash = str_find_byte(authority, '/');
    return str_case_eq(str_sub(authority, 0, slash == (size_t)-1 ? authority.n : slash), host) ? 0 : 400;
}

int dav_guard_check(const struct dav_guard *g, const struct dav_request *r)
{
    struct str host = dav_header_get(r, "Host"), origin = dav_header_get(r, "Origin");
    struct str referer = dav_header_get(r, "Referer");
    if (!is_our_authority(g, host))
        return 421;
    int status = check_target(g, r, host);
    if (status)
        return status;
    if ((origin.p && !is_our_origin(g, origin, false)) || (referer.p && !is_our_origin(g, referer, true)) ||
        !fits_sec_fetch(r))
        return 403;
    return fits_type(r) && fits_coding(r) ? 0 : 415;
}
