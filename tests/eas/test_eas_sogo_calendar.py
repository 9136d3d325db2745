# SPDX-License-Identifier: Apache-2.0
"""Calendars and task lists of SOGo: what its own CalDAV stores is what the EAS backend reads."""
import itertools
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, folder) for folder in ("caldav", "clients")]

import davtest
from bridge import Account, Bridge
from davtest import event, todo
from easdriver import Driver
from fields import fields
from sogo import Sogo, missing
from sogo_dav import SogoDav
from sogo_proc import poll_until

NAMES = itertools.count(1)
PASSWORD = "pässword"


@pytest.fixture(scope="module")
def sogo():
    lacking = missing()
    if lacking:
        pytest.fail("SOGo rig: missing " + ", ".join(lacking))
    with Sogo(debug=bool(os.environ.get("SOGO_DEBUG"))) as rig:
        yield rig


@pytest.fixture
def user(sogo):
    name = f"easc{next(NAMES)}"
    sogo.add_user(name, PASSWORD)
    return name


@pytest.fixture
def dav(sogo, user):
    return SogoDav(sogo, user)


@pytest.fixture
def driver(sogo, user, tmp_path):
    d = Driver(sogo.eas_url, tmp_path, user=user, password=PASSWORD, email=sogo.address(user))
    yield d
    if d.process.poll() is None:
        d.stop()


ROOT = "DTSTART;TZID=Europe/Berlin:20261201T100000"
RULES = {
    "daily": "FREQ=DAILY;COUNT=5;INTERVAL=3",
    "until": "FREQ=DAILY;UNTIL=20261210T090000Z",
    "weekly": "FREQ=WEEKLY;COUNT=9;INTERVAL=2;BYDAY=TU,TH",
    "monthly": "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1",
    "nth": "FREQ=MONTHLY;COUNT=4;BYDAY=1TU",
    "yearly": "FREQ=YEARLY;COUNT=3;BYMONTHDAY=1;BYMONTH=12",
}
OVERRIDE = "\r\n".join(["BEGIN:VEVENT", "UID:series", "RECURRENCE-ID;TZID=Europe/Berlin:20261203T100000",
                        "DTSTAMP:20261101T000000Z", "DTSTART;TZID=Europe/Berlin:20261203T140000",
                        "DTEND;TZID=Europe/Berlin:20261203T153000", "SUMMARY:Other", "LOCATION:Attic", "END:VEVENT", "END:VCALENDAR"])
OBJECTS = {
    "plain": event("plain", "LOCATION:Hall", "DESCRIPTION:One\\nTwo", "CATEGORIES:Red,Blue", "CLASS:PRIVATE"),
    "alarm": event("alarm", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:x", "END:VALARM"),
    "utc": event("utc", start="DTSTART:20261201T090000Z", end="DTEND:20261201T100000Z"),
    "day": event("day", start="DTSTART;VALUE=DATE:20261201", end="DTEND;VALUE=DATE:20261203"),
    "summer": event("summer", start="DTSTART;VALUE=DATE:20270701", end="DTEND;VALUE=DATE:20270702"),
    "unicode": event("unicode", summary="会議 \U0001f600 Größe \\, <&>"),
    **{f"rule-{name}": event(f"rule-{name}", f"RRULE:{rule}") for name, rule in RULES.items()},
    "last": event("last", "RRULE:FREQ=MONTHLY;COUNT=4;BYDAY=-1FR", start="DTSTART;TZID=Europe/Berlin:20261225T100000",
                  end="DTEND;TZID=Europe/Berlin:20261225T110000"),
    "exdate": event("exdate", "RRULE:FREQ=DAILY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20261203T100000"),
    "series": event("series", "RRULE:FREQ=DAILY;COUNT=5", "LOCATION:Hall").replace("END:VCALENDAR", OVERRIDE),
}


def told(page):
    return {f["UID"]: f for f in (fields(i["ical"]) for i in page["list"] if "ical" in i)}


def next_page(driver, calendar, cursor, wanted):
    """Pages until `wanted` things were told: SOGo looks at the second in which something changed."""
    found = {"cursor": cursor, "list": []}

    def look():
        page = driver.sync(calendar, found["cursor"])
        assert page["err"] == "none", page
        found.update(cursor=page["cursor"], list=found["list"] + page["list"])
        return len(found["list"]) >= wanted

    poll_until(look, 30, "SOGo does not tell")
    return found


def test_what_sogo_has(sogo, dav, driver):
    stored = {name: dav.put(name + ".ics", text) for name, text in OBJECTS.items()}
    calendar = driver.folder(kind="calendar")
    driver.kind("calendar")
    items, _, _ = driver.sync_all(calendar)
    assert told({"list": items.values()}) == stored
    plain = next(i["ical"] for i in items.values() if "UID:plain\r\n" in i["ical"])
    assert ROOT in plain and "DTEND;TZID=Europe/Berlin:20261201T110000" in plain
    # once more, each by its id: SOGo's ItemOperations does not do that, its Sync does
    again = driver.event_fetch(calendar, *list(items)[:4], timeout=120)
    assert {number: one["ical"] for number, one in again.items()} == {n: items[n]["ical"] for n in list(items)[:4]}


def test_what_changes_there(sogo, dav, driver):
    dav.put("a.ics", event("a"))
    dav.put("b.ics", event("b"))
    calendar = driver.folder(kind="calendar")
    driver.kind("calendar")
    items, last, _ = driver.sync_all(calendar)
    assert len(items) == 2
    dav.next_second()
    dav.put("a.ics", event("a", "LOCATION:Elsewhere", summary="Changed"))
    dav.put("c.ics", event("c", "RRULE:FREQ=DAILY;COUNT=3"))
    dav.ask("DELETE", "b.ics")
    page = next_page(driver, calendar, last["cursor"], 3)
    assert {f["SUMMARY"] for f in told(page).values()} == {"Changed", "Meeting"} and set(told(page)) == {"a", "c"}
    gone, = {i["id"] for i in page["list"] if i["gone"]}
    assert "UID:b\r\n" in items[gone]["ical"]


def test_meetings(sogo, user, dav, driver):
    me = sogo.address(user)
    dav.put("mine.ics", event("mine", f"ORGANIZER;CN=Me:mailto:{me}",
                              "ATTENDEE;CN=Ann;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:ann@elsewhere.test",
                              "ATTENDEE;CN=Ben;PARTSTAT=NEEDS-ACTION;ROLE=OPT-PARTICIPANT:mailto:ben@elsewhere.test"))
    calendar = driver.folder(kind="calendar")
    driver.kind("calendar")
    items, _, _ = driver.sync_all(calendar)
    text, = (i["ical"].replace("\r\n ", "") for i in items.values())
    people = {l.rsplit(":", 1)[1]: l for l in text.split("\r\n") if l.startswith("ATTENDEE")}
    assert set(people) == {"ann@elsewhere.test", "ben@elsewhere.test"}, text
    assert "PARTSTAT=ACCEPTED" in people["ann@elsewhere.test"] and "ROLE=OPT-PARTICIPANT" in people["ben@elsewhere.test"]
    assert f"mailto:{me}" in next(l for l in text.split("\r\n") if l.startswith("ORGANIZER"))


def test_tasks(sogo, dav, driver):
    stored = {name: dav.put(name + ".ics", text) for name, text in {
        "t1": todo("t1", "DUE;VALUE=DATE:20261210", "DESCRIPTION:one", "CATEGORIES:Red", "PRIORITY:1"),
        "t2": todo("t2", summary="Some day"),
        "t3": todo("t3", "STATUS:COMPLETED", "COMPLETED:20261102T120000Z"),
    }.items()}
    tasks = driver.folder(kind="tasks")
    driver.kind("tasks")
    items, _, _ = driver.sync_all(tasks)
    seen = sorted((f | {"UID": ""} for f in told({"list": items.values()}).values()), key=str)  # tasks have no UID in EAS
    assert seen == sorted((f | {"UID": ""} for f in stored.values()), key=str)


def test_through_the_whole_program(sogo, user, dav, tmp_path):
    stored = {name: dav.put(name + ".ics", OBJECTS[name]) for name in ("plain", "day", "exdate", "series", "unicode")}
    account = Account("work", url=sogo.eas_url, backend="eas", user=user, password=PASSWORD, email=sogo.address(user))
    with Bridge(tmp_path, [account], dav=True) as bridge:
        client = davtest.Dav(bridge)
        client.sign_in(sogo.address(user))

        def full():  # the calendar and the task list have one display name
            homes = client.propfind(client.home, "<D:resourcetype/>", 1).responses()
            return next((p for p in homes if p != client.home and len(client.etags(p)) == len(stored)), None)

        path = poll_until(full, 60, bridge.tail)
        assert {name: fields(client.get(f"{path}{name}.ics").text()) for name in stored} == stored
        client.close()
