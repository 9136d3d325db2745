# SPDX-License-Identifier: Apache-2.0
"""One mailbox, seen through EWS and through each version of EAS: the same objects, but for what a version cannot say."""
import base64
import re

import pytest

from bridge import poll
from counting import settle
from davtest import Dav
from kinds import EWS, Kind

VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")
BERLIN, NEW_YORK = "W. Europe Standard Time", "Eastern Standard Time"
ALICE, BOB = "alice@example.com", "bob@example.com"
WEEKLY = {"kind": "weekly", "start": "2026-03-02", "days": ["Monday", "Thursday"], "interval": 2, "first_day": 1}
NOON = {"start": "2026-03-02T12:00:00", "end": "2026-03-02T13:00:00", "zone": BERLIN}
GUESTS = [{"email": BOB, "name": "Bob", "response": "Accept"},
          {"email": "ann@example.com", "name": "Ann", "role": "Optional", "response": "Decline"},
          {"email": "room@example.com", "name": "Room 1", "role": "Resource", "response": "NoResponseReceived"}]


# What no name is known of: 1:15 east of Greenwich, 45 minutes more from March to October.
NOWHERE = {"bias": -75, "standard": [10, 2, 3, 3, 0], "daylight": [3, 4, 2, 2, 0], "daylight_bias": -45}


def every(kind, **more):
    return {"kind": kind, "start": "2026-03-02", **more}


EVENTS = {
    "plain": {"subject": "Plain", "location": "Hall", "body": "One\nTwo", "reminder": 10, "categories": ["Red", "A, b"]},
    "html": {"subject": "HTML", "body": {"type": "HTML", "text": "<html><body><p>It is <b>so</b></p></body></html>"}},
    "york": {"subject": "New York", "start": "2026-07-02T09:00:00", "end": "2026-07-02T17:30:00", "zone": NEW_YORK},
    "utc": {"subject": "UTC", "start": "2026-07-02T09:00:00Z", "end": "2026-07-02T10:00:00Z", "zone": "UTC"},
    "moment": {"subject": "A moment", "end": NOON["start"]},
    "day": {"subject": "A day", "start": "2026-03-02T00:00:00", "end": "2026-03-03T00:00:00", "all_day": True, "busy": "Free"},
    "days": {"subject": "Summer", "start": "2026-07-20T00:00:00", "end": "2026-08-10T00:00:00", "all_day": True, "busy": "OOF"},
    "days-york": {"subject": "There", "start": "2026-07-20T00:00:00", "end": "2026-07-22T00:00:00", "all_day": True,
                  "zone": NEW_YORK},
    "nowhere": {"subject": "A zone of rules", "zone": NOWHERE},
    "nowhere-series": {"subject": "A series there", "zone": NOWHERE, "start": "2026-03-05T12:00:00", "end": "2026-03-05T13:00:00",
                       "recurrence": every("weekly", days=["Thursday"], count=40)},
    "nowhere-days": {"subject": "Days there", "zone": NOWHERE, "start": "2026-07-20T00:00:00", "end": "2026-07-22T00:00:00",
                     "all_day": True},
    "always-so": {"subject": "One offset", "zone": {"bias": -77}},
    "no-subject": {},
    "no-organizer": {"subject": "Nobody's", "organizer": None},
    "begins-late": {"subject": "Before its first day", "recurrence": every("weekly", days=["Friday"], count=3)},
    "secret": {"subject": "Secret", "sensitivity": "Private", "busy": "Tentative"},
    "confidential": {"subject": "Confidential", "sensitivity": "Confidential", "busy": "WorkingElsewhere"},
    "unicode": {"subject": "会議 \U0001f600 <&>;,\\", "location": "Größe"},
    "file": {"subject": "File", "attachments": [{"name": "a.txt", "type": "text/plain",
                                                "data_b64": base64.b64encode(b"hello").decode()}]},
    "mine": {"subject": "Mine", "state": 1, "attendees": GUESTS, "sent": True},
    "theirs": {"subject": "Theirs", "state": 3, "my_response": "Tentative", "organizer": {"name": "Bob", "email": BOB},
               "attendees": [{"email": ALICE, "name": "Alice", "response": "Tentative"}]},
    "off": {"subject": "Called off", "state": 7, "my_response": "NoResponseReceived", "busy": "Free",
            "organizer": {"name": "Bob", "email": BOB}, "attendees": [{"email": ALICE, "name": "Alice"}]},
    "daily": {"subject": "Daily", "recurrence": every("daily", interval=3, count=10)},
    "weekly": {"subject": "Weekly", "recurrence": {**WEEKLY, "end": "2026-12-24"}},
    "31st": {"subject": "Monthly", "start": "2026-03-31T12:00:00", "end": "2026-03-31T13:00:00",
             "recurrence": {"kind": "monthly", "start": "2026-03-31", "day": 31}},
    "last-friday": {"subject": "Last Friday", "start": "2026-03-27T12:00:00", "end": "2026-03-27T13:00:00",
                    "recurrence": {"kind": "monthly_nth", "start": "2026-03-27", "days": ["Friday"], "index": 5, "count": 7}},
    "yearly": {"subject": "Leap day", "start": "2028-02-29T00:00:00", "end": "2028-03-01T00:00:00", "all_day": True,
               "recurrence": {"kind": "yearly", "start": "2028-02-29", "day": 29, "month": 2}},
    "mothers-day": {"subject": "Second Sunday", "start": "2026-05-10T00:00:00", "end": "2026-05-11T00:00:00",
                    "all_day": True, "recurrence": {"kind": "yearly_nth", "start": "2026-05-10", "days": ["Sunday"],
                                                    "index": 2, "month": 5}},
    "series": {"subject": "Series", "location": "Hall", "body": "all", "reminder": 5, "categories": ["Red"],
               "recurrence": every("daily", count=30)},
    "days-series": {"subject": "Days", "start": "2026-03-02T00:00:00", "end": "2026-03-03T00:00:00", "all_day": True,
                    "recurrence": every("weekly", days=["Monday"], end="2026-06-01")},
    "html-series": {"subject": "HTML series", "body": {"type": "HTML", "text": "<p>all</p>"},
                    "recurrence": every("daily", count=5)},
}
OCCURRENCES = {
    "series": {"2026-03-05": {"subject": "Other", "location": "", "body": "this one", "reminder": None, "busy": "Free"},
               "2026-03-10": {"start": "2026-03-10T16:00:00", "end": "2026-03-10T18:00:00", "categories": ["Blue"]},
               "2026-03-29": {"subject": "After the change of clocks"}},
    "days-series": {"2026-03-09": {"start": "2026-03-10T00:00:00", "end": "2026-03-12T00:00:00"},
                    "2026-04-06": {"subject": "Other"}},
    "html-series": {"2026-03-03": {"body": {"type": "HTML", "text": "<p>this</p>"}}},
}
DELETED = {"series": ["2026-03-04", "2026-03-30"], "days-series": ["2026-04-13"]}
TASKS = {
    "pay": {"subject": "Pay", "body": "rent", "start": "2026-03-09", "due": "2026-03-10", "importance": "High",
            "sensitivity": "Private", "categories": ["Home"], "reminder": "2026-03-09T08:00:00Z"},
    "some day": {"subject": "Some day", "importance": "Low"},
    "done": {"subject": "Done", "status": "Completed", "percent": 100, "completed": "2026-03-01T10:00:00Z",
             "due": "2026-03-01"},
    "often": {"subject": "Often", "start": "2026-03-02", "due": "2026-03-02", "recurrence": WEEKLY},
    "again": {"subject": "Again", "start": "2026-03-02", "due": "2026-03-02",
              "recurrence": every("daily", interval=3, regenerate=True)},
}
IGNORED = {"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "PRODID"}


@pytest.fixture(scope="module")
def exchange(module_stage):
    exchange = module_stage.exchange("--corpus", "0", "--user", f"{BOB}:canary-Exchange-9f31")
    for uid, event in EVENTS.items():
        num = exchange.event("create", event={**NOON, "uid": uid, **event})["num"]
        for day, changed in OCCURRENCES.get(uid, {}).items():
            exchange.event("occurrence", num=num, day=day, event=changed)
        for day in DELETED.get(uid, ()):
            exchange.event("cancel_occurrence", num=num, day=day)
    for task in TASKS.values():
        exchange.event("create", folder="tasks", event=task)
    return exchange


def lines(text):
    """The properties of each component, sorted: what two views must agree about."""
    found = []
    for component in re.findall(r"BEGIN:(?:VEVENT|VTODO)\r\n.*?END:(?:VEVENT|VTODO)\r\n", text.replace("\r\n ", ""), re.S):
        found.append(sorted(l for l in component.split("\r\n") if l and re.split("[;:]", l)[0] not in IGNORED))
    return sorted(found, key=lambda c: [l for l in c if l.startswith("RECURRENCE-ID")])


def seen(stage, exchange, kind, name):
    """{UID (of tasks: summary): lines} of what a client sees."""
    bridge = stage.bridge(kind.account("work", exchange, email=ALICE, user=ALICE), dav=True, name=name, start=False)
    bridge.environment["TZ"] = "Europe/Berlin"
    bridge.start()
    dav = Dav(bridge)
    dav.sign_in(ALICE)
    found = {}
    calendars = dav.calendars()
    for folder, count, key in (("Calendar", len(EVENTS), "UID"), ("Tasks", len(TASKS), "SUMMARY")):
        path = calendars[folder]
        hrefs = poll(60, lambda: len(dav.etags(path)) == count and dav.etags(path), f"not {count} objects in {folder}")
        for response in dav.multiget(path, hrefs).responses().values():
            text = response[1]["urn:ietf:params:xml:ns:caldav", "calendar-data"].text.replace("\r\n", "\n").replace("\n", "\r\n")
            found[re.search(rf"^{key}:(.*)\r$", text, re.M).group(1)] = lines(text)
    dav.close()
    bridge.stop()
    return found


@pytest.fixture(scope="module")
def views(module_stage, exchange):
    views = {"ews": seen(module_stage, exchange, EWS, "ews")}
    for version in VERSIONS:
        exchange.options(eas_versions=[version])
        views[version] = seen(module_stage, exchange, Kind(f"eas-{version}", "eas", version), version)
    return views


def without(view, pattern):
    """The same without the lines that match."""
    return {key: [[l for l in c if not re.match(pattern, l)] for c in parts] for key, parts in view.items()}


def what_differs(expected, got):
    """[(object, lines that are missing, lines that are too many)], for people."""
    flat = {name: {key: [l for c in parts for l in c] for key, parts in view.items()} for name, view in
            (("a", expected), ("b", got))}
    return [(key, [l for l in flat["a"].get(key, ()) if l not in flat["b"].get(key, ())],
             [l for l in flat["b"].get(key, ()) if l not in flat["a"].get(key, ())])
            for key in sorted(flat["a"].keys() | flat["b"].keys()) if expected.get(key) != got.get(key)]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_through_both_protocols(views, version):
    expected, got = views["ews"], dict(views[version])
    if version < "16":  # no attachments, and nobody works elsewhere
        got["file"] = [sorted(got["file"][0] + [l for l in expected["file"][0] if l.startswith("ATTACH")])]
        got["confidential"] = [sorted(got["confidential"][0] + ["X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE"])]
    if version < "14.1":  # nor with which day the week begins
        expected, got = ({key: [[l.replace(";WKST=SU", "") for l in c] for c in parts] for key, parts in view.items()}
                         for view in (expected, got))
    ids = r"X-EXBRIDGE-ID|ATTACH;|UID:(task|item)-\w+@exchange"  # the servers' own
    assert what_differs(without(expected, ids), without(got, ids)) == []


def test_what_is_seen(views):
    """The comparison would not see what both leave out."""
    view = views["14.1"]
    assert len(view["series"]) == 4 and len([l for l in view["series"][0] if l.startswith("EXDATE")]) >= 1
    assert any(l == "LOCATION:Hall" for l in view["series"][0]) and not any("LOCATION" in l for l in view["series"][1])
    assert "DTSTART;VALUE=DATE:20260720" in view["days-york"][0] and "DTEND;VALUE=DATE:20260810" in view["days"][0]
    assert any(l.startswith("ATTENDEE") and "PARTSTAT=DECLINED" in l and l.endswith("mailto:ann@example.com")
               for l in view["mine"][0])
    assert any(l.startswith("ATTENDEE") and "PARTSTAT=TENTATIVE" in l and l.endswith(f"mailto:{ALICE}")
               for l in view["theirs"][0])
    assert "STATUS:CANCELLED" in view["off"][0] and "DTSTART;TZID=America/New_York:20260702T090000" in view["york"][0]
    assert any("a.txt" in l for l in views["16.1"]["file"][0])
    assert any(re.fullmatch("DTSTART;TZID=Custom/[^:]*:20260302T120000", l) for l in view["nowhere"][0])
    assert "DTSTART;TZID=Custom/+0117:20260302T120000" in view["always-so"][0]
    assert "DTSTART;VALUE=DATE:20260720" in view["nowhere-days"][0]
    assert not any(l.startswith("SUMMARY") for l in view["no-subject"][0]) and "SUMMARY:Nobody's" in view["no-organizer"][0]
    assert any(l.startswith("X-ALT-DESC") and "<p>this</p>" in l for l in view["html-series"][1])
    assert "DUE;VALUE=DATE:20260310" in view["Pay"][0] and "STATUS:COMPLETED" in view["Done"][0]


def reads(exchange, mark):
    """Requests that read, without the parked one."""
    return {op: n for op, n in exchange.counts(mark, protocol="eas").items() if op != "eas:Ping"}


@pytest.fixture(params=("16.1", "14.1"))
def filled(stage, request):
    """(server, client, path of the calendar, its token) with 200 events that are here."""
    kind = Kind("eas", "eas", request.param)
    exchange = kind.exchange(stage, "--corpus", "0")
    exchange.event("fill", count=200)
    dav = Dav(stage.bridge(kind.account("work", exchange), dav=True))
    path = dav.calendar()
    poll(60, lambda: len(dav.etags(path)) == 200, "not 200 events")
    settle(exchange, "eas")
    yield exchange, dav, path, dav.sync(path)[2]
    dav.close()


def test_what_is_here_costs_no_request(filled):
    exchange, dav, path, token = filled
    mark = exchange.mark()
    for _ in range(5):
        assert dav.sync(path, token)[:2] == ({}, [])
        assert dav.propfind(path, "<CS:getctag/><D:sync-token/>").status == 207
    assert len(dav.query(path, "20260101T000000Z", "20270601T000000Z").responses()) == 200
    assert len(dav.multiget(path, dav.etags(path)).responses()) == 200
    assert reads(exchange, mark) == {}


def test_what_is_new_is_pushed(filled):
    exchange, dav, path, token = filled
    exchange.event("create", event={"subject": "New", "uid": "new", **NOON})
    changed, gone, _, _ = poll(60, lambda: dav.sync(path, token)[0] and dav.sync(path, token), "it did not come")
    assert list(changed) == [path + "new.ics"] and gone == []
    assert "SUMMARY:New" in dav.get(path + "new.ics").text()


def test_changes_and_deletions_come_by_themselves(filled):
    exchange, dav, path, token = filled
    changed, gone = exchange.events()[:2]
    exchange.event("update", num=changed["num"], event={"subject": "Changed"})
    exchange.event("delete", num=gone["num"])
    poll(90, lambda: dav.sync(path, token)[1], "nothing was deleted")
    found, missing, _, _ = dav.sync(path, token)
    assert len(found) == len(missing) == 1
    assert "SUMMARY:Changed" in dav.get(next(iter(found))).text()
