/* SPDX-License-Identifier: Apache-2.0 */
/* From a whole request to the function that answers it, and what several of them need. */
#include "protocols/caldav/dav_session.h"

/* Which methods there are at a place: Allow, and 405 for the others. */
#define BIT(m)  (1u << DAV_##m)
#define READING (BIT(OPTIONS) | BIT(PROPFIND))
static const unsigned allowed[] = {
    [DAV_AT_NOWHERE] = BIT(MKCALENDAR) | BIT(MKCOL),
    [DAV_AT_ROOT] = READING | BIT(GET) | BIT(HEAD),
    [DAV_AT_WELL_KNOWN] = READING | BIT(GET) | BIT(HEAD),
    [DAV_AT_TOP] = READING | BIT(REPORT),
    [DAV_AT_PRINCIPAL] = READING | BIT(REPORT) | BIT(PROPPATCH),
    [DAV_AT_HOME] = READING | BIT(REPORT) | BIT(PROPPATCH),
    [DAV_AT_COLLECTION] =
        READING | BIT(REPORT) | BIT(PROPPATCH) | BIT(DELETE) | BIT(MKCALENDAR) | BIT(MKCOL) | BIT(GET) | BIT(HEAD),
    [DAV_AT_RESOURCE] = READING | BIT(GET) | BIT(HEAD) | BIT(PUT) | BIT(DELETE) | BIT(COPY) | BIT(MOVE) | BIT(REPORT) |
                        BIT(PROPPATCH) | BIT(MKCALENDAR) | BIT(MKCOL),
    [DAV_AT_INBOX] = READING | BIT(REPORT) | BIT(PROPPATCH),
    [DAV_AT_INBOX_ITEM] = READING,
    [DAV_AT_OUTBOX] = READING | BIT(POST) | BIT(PROPPATCH),
    [DAV_AT_ATTACHMENT] = BIT(OPTIONS) | BIT(GET) | BIT(HEAD),
};

void dav_add_allow(struct buf *out, enum dav_place place)
{
    static const char *const names[] = {[DAV_OPTIONS] = "OPTIONS",
                                        [DAV_GET] = "GET",
                                        [DAV_HEAD] = "HEAD",
                                        [DAV_PUT] = "PUT",
                                        [DAV_DELETE] = "DELETE",
                                        [DAV_POST] = "POST",
                                        [DAV_PROPFIND] = "PROPFIND",
                                        [DAV_PROPPATCH] = "PROPPATCH",
                                        [DAV_REPORT] = "REPORT",
                                        [DAV_MKCOL] = "MKCOL",
                                        [DAV_MKCALENDAR] = "MKCALENDAR",
                                        [DAV_COPY] = "COPY",
                                        [DAV_MOVE] = "MOVE"};
    buf_lit(out, "Allow: OPTIONS");
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (allowed[place] & 1u << i)
            buf_printf(out, ", %s", names[i]);
    buf_lit(out, "\r\n");
}

static void options(struct dav_session *s)
{
    struct buf b = {0};
    dav_add_allow(&b, s->path.place);
    /* Some clients ask before they sign in, at the door alone (Thunderbird): it says what it would say inside. */
    if (!s->client.account)
        buf_lit(&b, "DAV: 1, 3, extended-mkcol, calendar-access, calendar-auto-schedule\r\n");
    dav_answer(s, 200, buf_z(&b), NULL, STR_NULL);
    buf_done(&b);
}

static void well_known(struct dav_session *s)
{
    dav_answer(s, 301, "Location: /dav/\r\n", NULL, STR_NULL); /* RFC 6764 5 */
}

static bool is_own(const struct dav_session *s)
{
    return s->path.account.n == 0 || (s->client.account && str_is(s->path.account, account_name(s->client.account)));
}

void dav_dispatch(struct dav_session *s)
{
    static void (*const functions[])(struct dav_session *
                                     s) = {[DAV_OPTIONS] = options,       [DAV_GET] = dav_get,
                                           [DAV_HEAD] = dav_get,          [DAV_PUT] = dav_put,
                                           [DAV_DELETE] = dav_delete,     [DAV_POST] = dav_post,
                                           [DAV_PROPFIND] = dav_propfind, [DAV_PROPPATCH] = dav_proppatch,
                                           [DAV_REPORT] = dav_report,     [DAV_MKCOL] = dav_make,
                                           [DAV_MKCALENDAR] = dav_make,   [DAV_COPY] = dav_copy_or_move,
                                           [DAV_MOVE] = dav_copy_or_move, [DAV_OTHER] = NULL};
    _Static_assert(sizeof(functions) / sizeof(functions[0]) == DAV_METHOD_MAX, "every method has its function");
    enum dav_method m = s->request->method;
    s->client.bad_count = 0;
    if (s->path.place == DAV_AT_WELL_KNOWN)
        well_known(s);
    else if (str_is(s->request->target, "*"))
        options(s);
    else if (!is_own(s)) /* another account's, or none's: no difference is told */
        dav_answer_status(s, 404);
    else if (s->path.place == DAV_AT_NOWHERE && !(allowed[DAV_AT_NOWHERE] & 1u << m))
        dav_answer_status(s, 404);
    else if (dav_if_is_wrong(s))
        dav_answer_error(s, 400, NULL, NULL, "the If header cannot be read (RFC 4918 10.4)");
    else if (!(allowed[s->path.place] & 1u << m))
        dav_answer_status(s, 405);
    else
        functions[m](s);
}

bool dav_read_body(struct dav_session *s)
{
    struct dav_body_problem problem;
    if (dav_body_read(dav_http_body(s->http), dav_server_of(s)->limits.hrefs, &s->arena, &s->body, &problem))
        return true;
    dav_answer_error(s, problem.status, problem.precondition, NULL, problem.text);
    return false;
}

bool dav_depth(struct dav_session *s, int otherwise, int *ret_depth)
{
    struct str depth = dav_header_get(s->request, "Depth");
    *ret_depth = otherwise;
    if (!depth.p)
        return true;
    if (str_is(depth, "0") || str_is(depth, "1")) {
        *ret_depth = depth.p[0] - '0';
        return true;
    }
    *ret_depth = -1;
    if (str_case_is(depth, "infinity"))
        return true;
    dav_answer_error(s, 400, NULL, NULL, "Depth is 0, 1 or infinity");
    return false;
}

/* --- waiting until a calendar can be looked at
 * --------------------------------------------------------------------------------- */

/* What reads or changes one object looks at If when it knows the object (dav_condition). */
static bool looks_itself(const struct dav_session *s)
{
    static const unsigned methods = BIT(GET) | BIT(HEAD) | BIT(PUT) | BIT(DELETE) | BIT(COPY) | BIT(MOVE);
    return s->path.place == DAV_AT_RESOURCE && methods & 1u << s->request->method;
}

static void go_on(struct dav_session *s)
{
    if (looks_itself(s) || dav_if_holds(s))
        s->then(s);
    else
        dav_answer_status(s, 412);
}

static void on_calendar(void *ud, const struct err *err)
{
    struct dav_session *s = ud;
    s->work.calendar = NULL;
    if (err->code != ERR_NONE) {
        dav_answer_err(s, err);
        return;
    }
    /* Anew: the first sync has given it revisions. */
    if (!calendar_find(s->client.account, s->path.segment, &s->arena, &s->calendar))
        dav_answer_status(s, 404);
    else
        go_on(s);
}

static void on_folders(void *ud, const struct err *err)
{
    struct dav_session *s = ud;
    s->work.folders = NULL;
    if (err->code != ERR_NONE)
        dav_answer_err(s, err);
    else if (s->path.place != DAV_AT_COLLECTION && s->path.place != DAV_AT_RESOURCE)
        go_on(s);
    else if (!calendar_find(s->client.account, s->path.segment, &s->arena, &s->calendar))
        dav_answer_status(s, s->request->method == DAV_PUT ? 409 : 404); /* RFC 4918 9.7.1 */
    else
        s->work.calendar = calendar_wait(s->client.account, s->calendar.pk, on_calendar, s);
}

void dav_with_calendar(struct dav_session *s, void (*then)(struct dav_session *s))
{
    s->then = then;
    s->waiting = true;
    account_poke_folders(s->client.account);
    s->work.folders = account_wait_folders(s->client.account, on_folders, s);
}

void dav_when_it_holds(struct dav_session *s, void (*then)(struct dav_session *s))
{
    if (dav_header_get(s->request, "If").p)
        dav_with_calendar(s, then);
    else
        then(s);
}
