# SPDX-License-Identifier: Apache-2.0
"""Judge: Evolution's data server (evolution-ews) keeps a calendar and tasks in the stand-in."""
import time

import pytest

from eds import Eds, EdsError
from standin import PASSWORD, USER, Standin

EVENT = """BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:2026{day}T090000
DTEND;TZID=Europe/Berlin:2026{day}T100000
SUMMARY:{subject}
LOCATION:Room 1
TRANSP:OPAQUE
{more}END:VEVENT
"""


@pytest.fixture(scope="module")
def exchange():
    with Standin("--user", f"{USER}:{PASSWORD}") as server:
        yield server
        assert server.violations() == []


@pytest.fixture(scope="module")
def eds(exchange, tmp_path_factory):
    with Eds(str(tmp_path_factory.mktemp("eds")), exchange.url, USER, PASSWORD) as running:
        yield running


@pytest.fixture
def calendar(eds, exchange):
    for item in exchange.events():
        exchange.event("delete", num=item["num"])
    assert eds("open", kind="events") == "Calendar"
    until(eds, lambda listed: listed == [])
    return eds


def until(eds, holds, seconds=60):
    """The list of objects, as soon as holds(list); the server is asked for news meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        listed = [text.replace("\r\n ", "") for text in eds("list")]
        if holds(listed):
            return listed
        try:
            eds("refresh")
        except EdsError as error:
            assert "Busy" in str(error) or "busy" in str(error), error
        time.sleep(0.2)
    raise AssertionError(f"in vain: {listed}")


def ics(subject="From Evolution", day="0105", uid="evo-1", more=""):
    return EVENT.format(subject=subject, day=day, uid=uid, more=more).replace("\n", "\r\n")


def line(text, name):
    return next(part for part in text.split("\r\n") if part.startswith(name))


def test_a_series_with_exceptions(calendar, exchange):
    fields = {"subject": "Series", "start": "2026-01-05T09:00:00", "end": "2026-01-05T10:00:00"}
    daily = {"kind": "daily", "start": "2026-01-05", "count": 4}
    made = exchange.event("create", event={**fields, "zone": "W. Europe Standard Time", "recurrence": daily})
    exchange.event("cancel_occurrence", num=made["num"], day="2026-01-06")
    exchange.event("occurrence", num=made["num"], day="2026-01-07", event={"subject": "Other"})
    listed = until(calendar, lambda found: len(found) == 2)
    master = next(text for text in listed if "RECURRENCE-ID" not in text)
    other = next(text for text in listed if "RECURRENCE-ID" in text)
    assert line(master, "RRULE") == "RRULE:FREQ=DAILY;COUNT=4" and "20260106T090000" in line(master, "EXDATE")
    assert "20260107" in line(other, "RECURRENCE-ID") and line(other, "SUMMARY").endswith("Other")


def test_create_change_delete(calendar, exchange):
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM\n"
    uid = calendar("create", ics=ics(more="CATEGORIES:Blue\n" + alarm))
    found = exchange.events()[0]
    wanted = ("From Evolution", "2026-01-05T08:00:00Z", "W. Europe Standard Time", "Room 1", 10, ["Blue"])
    assert tuple(found[n] for n in ("subject", "start", "zone", "location", "reminder", "categories")) == wanted
    (listed,) = until(calendar, lambda found: len(found) == 1)
    changed = listed.replace("From Evolution", "Renamed").replace("CATEGORIES:Blue\r\n", "")
    calendar("modify", ics=changed)
    found = exchange.events()[0]
    assert (found["subject"], found["categories"]) == ("Renamed", [])
    calendar("remove", uid=uid)
    assert exchange.events() == []


def test_a_new_series_and_its_exceptions(calendar, exchange):
    uid = calendar("create", ics=ics(uid="evo-2", more="RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6\n"))
    days = [o["start"][:10] for o in exchange.occurrences("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")]
    assert days == ["2026-01-05", "2026-01-07", "2026-01-12", "2026-01-14", "2026-01-19", "2026-01-21"]
    (listed,) = until(calendar, lambda found: len(found) == 1)
    moved = "\r\n".join(p for p in listed.split("\r\n") if not p.startswith("RRULE"))
    moved = moved.replace("20260105T09", "20260112T14").replace("20260105T10", "20260112T15")
    rid = "RECURRENCE-ID;TZID=Europe/Berlin:20260112T090000\r\nSUMMARY"
    calendar("modify", ics=moved.replace("SUMMARY", rid, 1), mod="this")
    assert exchange.events()[0]["exceptions"]["2026-01-12"]["start"] == "2026-01-12T13:00:00Z"
    calendar("remove", uid=uid, rid="20260119T090000", mod="this")
    assert exchange.events()[0]["deleted"] == ["2026-01-19"]


def test_tasks(eds, exchange):
    assert eds("open", kind="tasks") == "Tasks"
    uid = eds(
        "create",
        ics="BEGIN:VTODO\r\nUID:todo-1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Write\r\nDUE;VALUE=DATE:20260110\r\n"
        "PRIORITY:1\r\nEND:VTODO\r\n",
    )
    found = exchange.events("tasks")[0]
    assert (found["subject"], found["due"], found["importance"]) == ("Write", "2026-01-10", "High")
    (listed,) = until(eds, lambda found: len(found) == 1)
    done = listed.replace("STATUS:NEEDS-ACTION", "STATUS:COMPLETED").replace(
        "PERCENT-COMPLETE:0", "PERCENT-COMPLETE:100"
    )
    if "STATUS:COMPLETED" not in done:
        done = done.replace("END:VTODO", "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nEND:VTODO")
    eds("modify", ics=done)
    assert exchange.events("tasks")[0]["status"] == "Completed"
    eds("remove", uid=uid)
    assert exchange.events("tasks") == []
