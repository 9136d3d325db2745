/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/buf.h"
#include "protocols/caldav/dav_body.h"

#define D "xmlns:D=\"DAV:\" "
#define C "xmlns:C=\"urn:ietf:params:xml:ns:caldav\" "

static void add_range(struct buf *out, const struct ical_range *r)
{
    if (!r)
        return;
    buf_lit(out, " range(");
    if (r->from != INT64_MIN)
        buf_printf(out, "%lld", (long long)r->from);
    buf_lit(out, ",");
    if (r->to != INT64_MAX)
        buf_printf(out, "%lld", (long long)r->to);
    buf_lit(out, ")");
}

static void add_match(struct buf *out, const struct ical_text_match *m)
{
    if (m)
        buf_printf(out, " %s%d'%.*s'", m->negate ? "not " : "", m->collation, STR_ARG(m->text));
}

static void add_filter(struct buf *out, const struct ical_comp_filter *f)
{
    buf_printf(out, "(%.*s%s", STR_ARG(f->name), f->is_not_defined ? " undefined" : "");
    add_range(out, f->range);
    for (size_t i = 0; i < f->prop_count; i++) {
        const struct ical_prop_filter *p = &f->props[i];
        buf_printf(out, " [%.*s%s", STR_ARG(p->name), p->is_not_defined ? " undefined" : "");
        add_range(out, p->range);
        add_match(out, p->match);
        for (size_t k = 0; k < p->param_count; k++) {
            buf_printf(out, " <%.*s%s", STR_ARG(p->params[k].name), p->params[k].is_not_defined ? " undefined" : "");
            add_match(out, p->params[k].match);
            buf_lit(out, ">");
        }
        buf_lit(out, "]");
    }
    for (size_t i = 0; i < f->comp_count; i++)
        add_filter(out, &f->comps[i]);
    buf_lit(out, ")");
}

static void add_select(struct buf *out, const struct ical_select *s)
{
    buf_printf(out, "{%.*s%s%s", STR_ARG(s->name), s->all_props ? " allprop" : "", s->all_comps ? " allcomp" : "");
    for (size_t i = 0; i < s->prop_count; i++)
        buf_printf(out, " %.*s%s", STR_ARG(s->props[i].name), s->props[i].no_value ? "?" : "");
    for (size_t i = 0; i < s->comp_count; i++)
        add_select(out, &s->comps[i]);
    buf_lit(out, "}");
}

static void describe(const char *xml, struct buf *out)
{
    struct arena arena = {0};
    struct dav_body b;
    struct dav_body_problem problem;
    if (!dav_body_read(str_from(xml), 3, &arena, &b, &problem)) {
        buf_printf(out, "%d %s", problem.status, problem.precondition ? problem.precondition : "");
        arena_done(&arena);
        return;
    }
    buf_lit(out, b.root ? dav_written(b.root) : b.unknown ? "unknown" : "none");
    if (b.all)
        buf_lit(out, " all");
    if (b.names)
        buf_lit(out, " names");
    for (size_t i = 0; i < b.prop_count; i++)
        buf_printf(out, " %.*s|%.*s%s", STR_ARG(b.props[i].ns), STR_ARG(b.props[i].local), b.props[i].id ? "" : "?");
    for (size_t i = 0; i < b.update_count; i++)
        buf_printf(out, " %s%.*s=%.*s", b.updates[i].remove ? "-" : "+", STR_ARG(b.updates[i].prop.local),
                   STR_ARG(b.updates[i].value));
    for (size_t i = 0; i < b.href_count; i++)
        buf_printf(out, " href %.*s", STR_ARG(b.hrefs[i]));
    if (b.has_sync_token)
        buf_printf(out, " token '%.*s'", STR_ARG(b.sync_token));
    if (b.limit)
        buf_printf(out, " limit %d", (int)b.limit);
    if (b.filter) {
        buf_byte(out, ' ');
        add_filter(out, b.filter);
    }
    if (b.shape.select) {
        buf_byte(out, ' ');
        add_select(out, b.shape.select);
    }
    if (b.shape.expand)
        buf_lit(out, " expand");
    add_range(out, b.shape.expand);
    if (b.has_range)
        add_range(out, &b.range);
    if (b.zone.n)
        buf_printf(out, " zone %.*s", STR_ARG(b.zone));
    if (b.has_comps)
        buf_printf(out, " comps%s%s", b.comp_event ? " event" : "", b.comp_task ? " task" : "");
    arena_done(&arena);
}

static const struct {
    const char *xml, *out;
} bodies[] = {
    {"", "none"},
    {" \r\n", "none"},
    {"<propfind xmlns='DAV:'><allprop/></propfind>", "D:propfind all"},
    {"<propfind xmlns='DAV:'><propname/></propfind>", "D:propfind names"},
    {"<D:propfind " D "><D:prop><D:getetag/><x xmlns='urn:y'/></D:prop></D:propfind>",
     "D:propfind DAV:|getetag urn:y|x?"},
    {"<D:propfind " D "><D:allprop/><D:include><D:owner/></D:include></D:propfind>", "D:propfind all DAV:|owner"},
    {"<x/>", "unknown"},
    {"<propfind/>", "unknown"}, /* without a namespace it is another element */
    {"<D:propertyupdate " D "><D:set><D:prop><D:displayname>a&amp;b</D:displayname></D:prop></D:set><D:remove><D:prop>"
     "<z xmlns='u'/></D:prop></D:remove></D:propertyupdate>",
     "D:propertyupdate +displayname=a&amp;b -z="},
    {"<D:propertyupdate " D "><D:set><D:prop><z xmlns='u'>1<y a='&quot;'>2</y></z></D:prop></D:set></D:propertyupdate>",
     "D:propertyupdate +z=1<y xmlns=\"u\" a=\"&quot;\">2</y>"},
    {"<C:mkcalendar " D C "><D:set><D:prop><C:supported-calendar-component-set><C:comp name='VTODO'/>"
     "</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>",
     "C:mkcalendar +supported-calendar-component-set=<comp xmlns=\"urn:ietf:params:xml:ns:caldav\" "
     "name=\"VTODO\"></comp>"
     " comps task"},
    {"<D:sync-collection " D
     "><D:sync-token/><D:sync-level>1</D:sync-level><D:limit><D:nresults>7</D:nresults></D:limit>"
     "<D:prop><D:getetag/></D:prop></D:sync-collection>",
     "D:sync-collection DAV:|getetag token '' limit 7"},
    {"<D:sync-collection " D "><D:limit><D:nresults>0</D:nresults></D:limit></D:sync-collection>", "400 "},
    {"<C:calendar-multiget " D C "><D:prop><D:getetag/></D:prop><D:href> /a </D:href><D:href>/b</D:href>"
     "</C:calendar-multiget>",
     "C:calendar-multiget DAV:|getetag href /a href /b"},
    {"<C:calendar-multiget " D C "><D:href>1</D:href><D:href>2</D:href><D:href>3</D:href><D:href>4</D:href>"
     "</C:calendar-multiget>",
     "403 D:number-of-matches-within-limits"},
    {"<C:calendar-query " D C "><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>"
     "<C:time-range start='19700101T000010Z' end='19700101T000020Z'/></C:comp-filter></C:comp-filter></C:filter>"
     "</C:calendar-query>",
     "C:calendar-query (VCALENDAR(VEVENT range(10,20)))"},
    {"<C:calendar-query " D C "><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VTODO'>"
     "<C:prop-filter name='COMPLETED'><C:is-not-defined/></C:prop-filter><C:prop-filter name='ATTENDEE'>"
     "<C:text-match collation='i;octet' negate-condition='yes'>x</C:text-match><C:param-filter name='PARTSTAT'>"
     "<C:text-match>y</C:text-match></C:param-filter></C:prop-filter></C:comp-filter></C:comp-filter></C:filter>"
     "</C:calendar-query>",
     "C:calendar-query (VCALENDAR(VTODO [COMPLETED undefined] [ATTENDEE not 1'x' <PARTSTAT 0'y'>]))"},
    {"<C:calendar-query " D C "><D:prop><C:calendar-data><C:comp name='VCALENDAR'><C:allprop/><C:comp name='VEVENT'>"
     "<C:prop name='UID' novalue='yes'/></C:comp></C:comp><C:expand start='19700101T000010Z' end='19700101T000020Z'/>"
     "</C:calendar-data></D:prop></C:calendar-query>",
     "C:calendar-query urn:ietf:params:xml:ns:caldav|calendar-data {VCALENDAR allprop{VEVENT UID?}} expand "
     "range(10,20)"},
    {"<C:calendar-query " D C "><C:timezone-id>Europe/Berlin</C:timezone-id></C:calendar-query>",
     "C:calendar-query zone Europe/Berlin"},
    {"<C:free-busy-query " C "><C:time-range start='19700101T000010Z' end='19700101T000020Z'/></C:free-busy-query>",
     "C:free-busy-query range(10,20)"},
    /* wrong */
    {"<propfind xmlns='DAV:'>", "400 "},
    {"<!DOCTYPE a><propfind xmlns='DAV:'/>", "400 "},
    {"no xml", "400 "},
    {"<C:free-busy-query " C "><C:time-range/></C:free-busy-query>", "400 "},
    {"<C:free-busy-query " C "><C:time-range start='19700101T000020Z' end='19700101T000010Z'/></C:free-busy-query>",
     "400 "},
    {"<C:calendar-query " C "><C:filter><C:comp-filter name='VEVENT'/></C:filter></C:calendar-query>",
     "403 C:valid-filter"},
    {"<C:calendar-query " C "><C:filter><C:comp-filter/></C:filter></C:calendar-query>", "403 C:valid-filter"},
    {"<C:calendar-query " C "><C:filter><C:prop-filter name='x'/></C:filter></C:calendar-query>", "403 C:valid-filter"},
    {"<C:calendar-query " C "><C:filter><C:comp-filter name='VCALENDAR'><C:prop-filter name='X'>"
     "<C:text-match collation='i;what'>x</C:text-match></C:prop-filter></C:comp-filter></C:filter></C:calendar-query>",
     "403 C:supported-collation"},
    {"<C:calendar-query " C "><C:filter><C:comp-filter name='VCALENDAR'><C:time-range start='2026'/></C:comp-filter>"
     "</C:filter></C:calendar-query>",
     "403 C:valid-filter"},
};

static void tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct buf b = {0};
        describe(bodies[i].xml, &b);
        if (strcmp(buf_z(&b), bodies[i].out) != 0)
            fail_msg("%s\n%s", bodies[i].xml, buf_z(&b));
        buf_done(&b);
    }
}

/* Cut anywhere: refused, and nothing is left behind (the sanitizers look). */
static void cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        for (size_t n = 0; n < strlen(bodies[i].xml); n++) {
            struct arena arena = {0};
            struct dav_body b;
            struct dav_body_problem problem;
            bool ok = dav_body_read(str_of(bodies[i].xml, n), 3, &arena, &b, &problem);
            if (ok)
                assert_true(str_trim(str_of(bodies[i].xml, n)).n == 0);
            else
                assert_true(problem.status >= 400);
            arena_done(&arena);
        }
}

static void bombs(void **state)
{
    struct buf in = {0};
    struct arena arena = {0};
    struct dav_body b;
    struct dav_body_problem problem;
    (void)state;
    buf_lit(&in, "<C:calendar-query " C "><C:filter>");
    for (int i = 0; i < 1000; i++)
        buf_lit(&in, "<C:comp-filter name='VCALENDAR'>");
    assert_false(dav_body_read(buf_view(&in), 3, &arena, &b, &problem));
    buf_reset(&in);
    buf_lit(&in, "<propfind xmlns='DAV:'><prop>");
    for (int i = 0; i < 1000; i++)
        buf_lit(&in, "<a/>");
    buf_lit(&in, "</prop></propfind>");
    assert_false(dav_body_read(buf_view(&in), 3, &arena, &b, &problem));
    assert_int_equal(problem.status, 413);
    buf_done(&in);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(cut), cmocka_unit_test(bombs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
