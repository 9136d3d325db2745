# SPDX-License-Identifier: Apache-2.0
"""Where days and floating times are: RFC 4791 5.2.2, 7.3, 9.8. The zones here are so far apart that this machine's does not matter."""
import re

import pytest

from davtest import C, D, NS, event

AUCKLAND, LOS_ANGELES = "Pacific/Auckland", "America/Los_Angeles"
DAY = dict(start="DTSTART;VALUE=DATE:20261203", end="DTEND;VALUE=DATE:20261204")
FLOATING = dict(start="DTSTART:20261203T100000", end="DTEND:20261203T110000")


def zone(name):
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VTIMEZONE\r\nTZID:{name}\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n".replace("\r", "&#13;")


def patch(dav, path, value):
    prop = f"<C:calendar-timezone>{value}</C:calendar-timezone>"
    body = f"<D:set><D:prop>{prop}</D:prop></D:set>" if value else "<D:remove><D:prop><C:calendar-timezone/></D:prop></D:remove>"
    return dav.ask("PROPPATCH", path, f"<D:propertyupdate {NS}>{body}</D:propertyupdate>")


def query(dav, path, start, end, own=""):
    own = f"<C:timezone>{zone(own)}</C:timezone>" if own else ""
    return dav.ask("REPORT", path, f'''<C:calendar-query {NS}><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter
        name="VEVENT"><C:time-range start="{start}" end="{end}"/></C:comp-filter></C:comp-filter></C:filter>{own}</C:calendar-query>''', {"Depth": "1"})


def found(dav, path, start, end, own=""):
    answer = query(dav, path, start, end, own)
    assert answer.status == 207, answer.body
    return "".join(sorted(href[-5] for href in answer.responses()))


def busy(dav, path):
    answer = dav.ask("REPORT", path, f'<C:free-busy-query {NS}><C:time-range start="20261201T000000Z" end="20261208T000000Z"/></C:free-busy-query>')
    assert answer.status == 200, answer.body
    return re.findall(r"\d{8}T\d{6}Z/\d{8}T\d{6}Z", answer.text().replace("\r\n ", ""))


@pytest.fixture(params=("PROPPATCH", "MKCALENDAR"))
def calendar(request, dav):
    """One whose zone is Auckland, with a day, a floating time, and a time that is where it is."""
    if request.param == "PROPPATCH":
        path = dav.calendar()
        assert b"200 OK" in patch(dav, path, zone(AUCKLAND)).body
    else:
        path = dav.home + "far away/".replace(" ", "%20")
        answer = dav.ask("MKCALENDAR", path, f"<C:mkcalendar {NS}><D:set><D:prop><C:calendar-timezone>{zone(AUCKLAND)}</C:calendar-timezone>"
                         "</D:prop></D:set></C:mkcalendar>")
        assert answer.status == 201, answer.body
    for name, times in (("d", DAY), ("f", FLOATING), ("z", dict(start="DTSTART:20261203T173000Z", end="DTEND:20261203T174500Z"))):
        assert dav.put(f"{path}{name}.ics", event(name, "TRANSP:OPAQUE", **times)).status == 201
    yield path
    for href in dav.etags(path):
        assert dav.ask("DELETE", href).status == 204
    if request.param == "PROPPATCH":
        assert patch(dav, path, "").status == 207
    else:
        assert dav.ask("DELETE", path).status == 204


def test_the_zone_of_a_calendar(dav, calendar):
    # 3 December in Auckland: from 11 o'clock UTC of the day before; ten o'clock there is 21 o'clock UTC
    assert found(dav, calendar, "20261202T110000Z", "20261202T110001Z") == "d"
    assert found(dav, calendar, "20261202T210000Z", "20261202T210001Z") == "df"
    assert found(dav, calendar, "20261203T110000Z", "20261203T173001Z") == "z"
    assert busy(dav, calendar) == ["20261202T110000Z/20261203T110000Z", "20261203T173000Z/20261203T174500Z"]
    # what the request says is nearer
    assert found(dav, calendar, "20261203T080000Z", "20261203T080001Z", LOS_ANGELES) == "d"
    assert found(dav, calendar, "20261203T180000Z", "20261203T180001Z", LOS_ANGELES) == "df"
    assert found(dav, calendar, "20261202T200000Z", "20261202T220000Z", LOS_ANGELES) == ""
    assert found(dav, calendar, "20261203T235959Z", "20261204T000000Z", "UTC") == "d"
    assert found(dav, calendar, "20261203T100000Z", "20261203T100001Z", "UTC") == "df"
    # the same through a rule, and where the occurrences are told
    assert dav.put(calendar + "r.ics", event("r", "RRULE:FREQ=DAILY;COUNT=2", **FLOATING)).status == 201
    assert found(dav, calendar, "20261203T203000Z", "20261203T213000Z") == "r"
    answer = dav.multiget(calendar, [calendar + "r.ics"], '<C:calendar-data><C:expand start="20261203T203000Z" end="20261203T213000Z"/></C:calendar-data>')
    (_, props), = answer.responses().values()
    assert re.findall(r"\nDTSTART:(.*)\r", props[C, "calendar-data"].text) == ["20261203T210000Z"]


def test_what_is_no_zone(dav):
    """RFC 4791 5.3.1.1, 7.8: valid-calendar-data; one that nothing is known about is only not there."""
    calendar = dav.calendar()
    for value in ("x", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"):
        answer = patch(dav, calendar, value)
        assert answer.status == 207 and b"403" in answer.body and b"C:valid-calendar-data" in answer.body
        assert (C, "calendar-timezone") not in dav.propfind(calendar, "<C:calendar-timezone/>").responses()[calendar][1]
        answer = dav.ask("MKCALENDAR", dav.home + "never/", f"<C:mkcalendar {NS}><D:set><D:prop><D:displayname>N</D:displayname>"
                         f"<C:calendar-timezone>{value}</C:calendar-timezone></D:prop></D:set></C:mkcalendar>")
        stats = {stat[0][0].tag: stat.findtext(f"{{{D}}}status").split()[1] for stat in answer.xml().iter(f"{{{D}}}propstat")}
        assert (answer.status, stats) == (207, {f"{{{D}}}displayname": "424", f"{{{C}}}calendar-timezone": "403"})
        assert dav.ask("PROPFIND", dav.home + "never/", headers={"Depth": "0"}).status == 404
        answer = dav.ask("REPORT", calendar, f'<C:calendar-query {NS}><C:filter><C:comp-filter name="VCALENDAR"/></C:filter><C:timezone>{value}'
                         "</C:timezone></C:calendar-query>")
        assert (answer.status, answer.precondition()) == (403, "valid-calendar-data")
    assert query(dav, calendar, "20261203T000000Z", "20261204T000000Z", "Nowhere").status == 207
