/* SPDX-License-Identifier: Apache-2.0 */
/* POST to the outbox: when are people busy (RFC 6638 5)? Invitations go out by themselves when an event is stored. */
#include <string.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical_query.h"
#include "protocols/caldav/dav_session.h"

#define SPAN_MAX_S ((int64_t)366 * 86400)

static void add_recipient(struct buf *out, struct str email, const char *status, struct str data)
{
    buf_lit(out, "<C:response><C:recipient><D:href>mailto:");
    xml_add_escaped(out, email);
    buf_printf(out, "</D:href></C:recipient><C:request-status>%s</C:request-status>", status);
    if (data.n) {
        buf_lit(out, "<C:calendar-data>");
        xml_add_escaped(out, data);
        buf_lit(out, "</C:calendar-data>");
    }
    buf_lit(out, "</C:response>\n");
}

static void add_busy(struct buf *out, struct dav_session *s, const struct ical_busy_request *q, size_t i,
                     const struct busy_list *busy)
{
    struct buf data = {0};
    struct ical_busy_list list = {arena_array(&s->arena, busy->count + 1, sizeof(struct ical_busy)), 0, busy->count};
    for (size_t k = 0; k < busy->count; k++)
        list.spans[list.count++] = (struct ical_busy){busy->spans[k].from, busy->spans[k].to, busy->spans[k].busy};
    ical_write_busy(&data, &list, &q->range, time_wall_s(), q->uid, q->organizer, q->attendees[i], "REPLY");
    add_recipient(out, q->attendees[i], "2.0;Success", buf_view(&data));
    buf_done(&data);
}

static void on_busy(void *ud, const struct reply *reply)
{
    struct dav_session *s = ud;
    const struct ical_busy_request *q = s->state;
    struct buf out = BUF_INIT(64u << 20);
    s->work.op = NULL;
    if (reply->err.code != ERR_NONE) {
        dav_answer_err(s, &reply->err);
        return;
    }
    buf_lit(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<C:schedule-response xmlns:D=\"DAV:\""
                  " xmlns:C=\"urn:ietf:params:xml:ns:caldav\">\n");
    for (size_t i = 0; i < q->attendee_count; i++) {
        enum err_code code = i < reply->free_busy.count ? reply->free_busy.each[i].code : ERR_NOT_FOUND;
        if (code == ERR_NONE)
            add_busy(&out, s, q, i, &reply->free_busy.list[i]);
        else
            add_recipient(&out, q->attendees[i],
                          code == ERR_NOT_FOUND ? "3.7;Invalid calendar user" : "5.3;No scheduling support for user",
                          STR_NULL);
    }
    buf_lit(&out, "</C:schedule-response>\n");
    dav_answer(s, 200, NULL, "application/xml; charset=utf-8", buf_view(&out));
    buf_done(&out);
}

static bool is_user(const struct dav_session *s, struct str email)
{
    const struct str *list;
    size_t n = account_addresses(s->client.account, &list);
    while (n > 0 && !str_case_eq(list[n - 1], email))
        n--;
    return n > 0;
}

static void ask(struct dav_session *s)
{
    struct ical_busy_request *q = arena_alloc(&s->arena, sizeof(*q));
    const char *why = NULL;
    s->state = q;
    if (!(account_caps(s->client.account) & CAP_FREE_BUSY)) {
        dav_answer_error(s, 403, "C:supported-calendar-component", NULL,
                         "this server does not tell when people are busy");
    } else if (!ical_read_busy_request(dav_http_body(s->http), &s->arena, q, &why)) {
        dav_answer_error(s, 403, "C:valid-calendar-data", NULL, why);
    } else if (q->range.to - q->range.from > SPAN_MAX_S) {
        dav_answer_error(s, 403, "C:valid-calendar-data", NULL, "busy times are told for a year at most");
    } else if (q->organizer.n && !is_user(s, q->organizer)) {
        dav_answer_error(s, 403, "C:organizer-allowed", NULL, "the organizer is somebody else");
    } else {
        s->waiting = true;
        s->work.op = calendar_free_busy(s->client.account, q->attendees, q->attendee_count, q->range.from, q->range.to,
                                        on_busy, s);
    }
}

void dav_post(struct dav_session *s)
{
    dav_when_it_holds(s, ask);
}
