# SPDX-License-Identifier: Apache-2.0
"""Judge: Debian's DavMail shows the stand-in's calendar over CalDAV and changes it."""
import base64
import http.client
import re

import pytest

from davmail import Davmail
from ews_cal_kit import BOB
from standin import PASSWORD, USER, Standin

HOME = f"/users/{USER}/calendar/"
EVENT = """BEGIN:VCALENDAR
PRODID:-//judge//EN
VERSION:2.0
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260105T{hour:02d}0000
DTEND;TZID=Europe/Berlin:20260105T{end:02d}0000
SUMMARY:{subject}
LOCATION:Room 1
TRANSP:OPAQUE
{more}
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture(scope="module")
def exchange():
    with Standin("--user", f"{USER}:{PASSWORD}", "--user", f"{BOB}:{PASSWORD}") as server:
        yield server
        assert server.violations() == []


@pytest.fixture(scope="module")
def davmail(exchange, tmp_path_factory):
    with Davmail(str(tmp_path_factory.mktemp("davmail")), exchange.url) as running:
        yield running


@pytest.fixture
def dav(davmail, exchange):
    for item in exchange.events():
        exchange.event("delete", num=item["num"])
    connection = http.client.HTTPConnection("127.0.0.1", davmail.caldav_port, timeout=60)
    auth = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def request(method, path, body=None, kind="text/calendar", **headers):
        given = {"Authorization": auth, "Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    yield request
    connection.close()


def ics(uid="judge-1", hour=9, subject="From the judge", more=""):
    return EVENT.format(uid=uid, hour=hour, end=hour + 1, subject=subject, more=more).replace("\n\n", "\n")


def listed(dav):
    """{path: etag} of the calendar."""
    wish = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
    status, text = dav("PROPFIND", HOME, wish, "text/xml", Depth="1")
    assert status == 207
    found = re.findall(r"<D:href>([^<]*)</D:href>.*?<D:getetag>([^<]*)</D:getetag>", text)
    return {path: etag for path, etag in found if path != HOME}


def test_a_series_with_exceptions(dav, exchange):
    fields = {"subject": "Series", "start": "2026-01-05T09:00:00", "end": "2026-01-05T10:00:00"}
    daily = {"kind": "daily", "start": "2026-01-05", "count": 3}
    made = exchange.event("create", event={**fields, "zone": "W. Europe Standard Time", "recurrence": daily})
    exchange.event("cancel_occurrence", num=made["num"], day="2026-01-06")
    exchange.event("occurrence", num=made["num"], day="2026-01-07", event={"subject": "Other"})
    (path,) = listed(dav)
    status, text = dav("GET", path)
    assert status == 200
    text = text.replace("\r\n ", "")
    assert "RRULE:FREQ=DAILY;COUNT=3;INTERVAL=1" in text and re.search(
        'EXDATE;TZID="?Europe/Berlin"?:20260106T090000', text
    )
    assert "RECURRENCE-ID:20260107T080000Z" in text and "Other" in text and made["uid"] in text


def test_create_change_delete(dav, exchange):
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM"
    status, _ = dav("PUT", HOME + "judge-1.ics", ics(more=alarm))
    assert status == 201
    found = exchange.events()[0]
    wanted = ("From the judge", "2026-01-05T08:00:00Z", "W. Europe Standard Time", "Room 1", 10, "judge-1")
    assert tuple(found[n] for n in ("subject", "start", "zone", "location", "reminder", "uid")) == wanted
    (path,) = listed(dav)
    # DavMail hands the name of the zone on as it is: an IANA name is none for Exchange.
    changed = ics(subject="Renamed", hour=11).replace("Europe/Berlin", "W. Europe Standard Time")
    status, text = dav("PUT", path, changed)
    assert status in (200, 204), text
    found = exchange.events()[0]
    assert (found["subject"], found["start"]) == ("Renamed", "2026-01-05T10:00:00Z")
    status, _ = dav("DELETE", path)
    assert status == 200 and exchange.events() == []


def test_a_new_series(dav, exchange):
    assert dav("PUT", HOME + "weekly.ics", ics("weekly", more="RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4"))[0] == 201
    listed_days = [o["start"][:10] for o in exchange.occurrences("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")]
    assert listed_days == ["2026-01-05", "2026-01-07", "2026-01-12", "2026-01-14"]


def test_an_invitation(dav, exchange):
    before = len(exchange.submissions())
    people = f"ORGANIZER:mailto:{USER}\nATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    assert dav("PUT", HOME + "plan.ics", ics("plan", more=people))[0] == 201
    assert [m["meeting"]["method"] for m in exchange.submissions()[before:]] == ["REQUEST"]
    assert exchange.events(user=BOB)[0]["my_response"] == "NoResponseReceived"
