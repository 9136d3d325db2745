/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile calendar objects: what is read can be written, and what is written is read as the same event with the same
 * extras, and written with the same bytes. Nothing that a filter, an expansion or a message asks of it goes wrong.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/ical_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str me[] = {{"me@example.com", 14}};
static const struct ical_options options = {.zone = {"Europe/Berlin", 13}, .me = me, .me_count = 1};
static const struct ical_range year = {1767225600, 1798761600};

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static void ask(struct str text, const struct event *e, struct arena *a)
{
    struct ical_comp_filter alarm = {.name = STR("VALARM"), .range = &year};
    struct ical_comp_filter event = {.name = STR("VEVENT"), .range = &year, .comps = &alarm, .comp_count = 1};
    struct ical_comp_filter calendar = {.name = STR("VCALENDAR"), .comps = &event, .comp_count = 1};
    struct ical_shape expand = {.expand = &year}, limit = {.limit = &year, .limit_busy = &year};
    struct ical_busy_list busy = {0};
    struct buf out = BUF_INIT(64u << 20);
    int64_t from, to;
    ical_match(text, e, &calendar, options.zone, a);
    event.comp_count = 0;
    ical_match(text, e, &calendar, options.zone, a);
    ical_shape(&out, text, e, &expand, options.zone, 100, a);
    ical_shape(&out, text, e, &limit, options.zone, 0, a);
    ical_busy_of(e, &year, options.zone, 1000, a, &busy);
    ical_write_busy(&out, &busy, &year, 0, STR("u"), STR_NULL, STR_NULL, NULL);
    event_span(e, &from, &to);
    buf_done(&out);
}

static void message(const struct event *e)
{
    struct ical_message m = {.method = ICAL_REPLY, .from_email = me[0], .response = EVENT_ACCEPTED};
    struct buf out = BUF_INIT(64u << 20);
    struct err err;
    ical_write_message(&out, e, &m, &options, &err);
    m.method = ICAL_REQUEST;
    ical_write_message(&out, e, &m, &options, &err);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct event e, back;
    struct str extras, again = STR_NULL;
    struct ical_problem problem;
    struct ical_invitation invitation;
    struct ical_busy_request request;
    const char *why;
    struct buf out = BUF_INIT(64u << 20), second = BUF_INIT(64u << 20);
    struct str text = str_of(data, size);
    ical_read_message(text, &options, &a, &invitation, &problem);
    ical_read_busy_request(text, &a, &request, &why);
    if (ical_read(text, &options, &a, &e, &extras, &problem)) {
        ical_write(&out, &e, &options, extras);
        check(!out.failed, "it can be written");
        check(ical_read(buf_view(&out), &options, &a, &back, &again, &problem), "what is written can be read");
        check(event_differ(&e, &back) == 0, "the event is the same");
        check(str_eq(extras, again), "the extras are the same");
        ical_write(&second, &back, &options, again);
        check(str_eq(buf_view(&out), buf_view(&second)), "the bytes are the same");
        ask(buf_view(&out), &e, &a);
        message(&e);
    } else {
        check(problem.reason != ICAL_NO_REASON && problem.text[0], "there is a reason");
    }
    buf_done(&out);
    buf_done(&second);
    arena_done(&a);
    return 0;
}
