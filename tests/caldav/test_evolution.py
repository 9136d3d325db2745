# SPDX-License-Identifier: Apache-2.0
"""Evolution's data server (the engine of Evolution and GNOME Calendar) keeps events and tasks in the bridge."""
import ssl

import pytest

from bridge import LOCAL_PASSWORD, poll
from davtest import event
from eds import Eds, EdsError
from fields import fields


@pytest.fixture(scope="module")
def eds(dav, tmp_path_factory):
    base = f"https://localhost:{dav.bridge.dav_port}"
    paths = dav.calendars()
    urls = {"events": base + paths["Calendar"], "tasks": base + paths["Tasks"]}
    with Eds(str(tmp_path_factory.mktemp("eds")), urls, dav.user, LOCAL_PASSWORD) as running:
        running("trust", host="localhost", pem=ssl.get_server_certificate(("localhost", dav.bridge.dav_port)))
        yield running


def listed(eds, holds):
    """What Evolution has, as soon as holds(list); it is told to look meanwhile."""

    def look():
        try:
            eds("refresh")
        except EdsError as error:
            assert "usy" in str(error), error
        found = eds("list")
        return holds(found) and found

    return poll(30, look, lambda: f"in vain: {eds('list')}")


def test_events(eds, dav, exchange):
    assert eds("open", kind="events") == "judge events"
    text = event("evo-1", "LOCATION:Room 1", "CATEGORIES:Blue", "DESCRIPTION:Two\\nlines\\, and more", "CLASS:PRIVATE",
                 "TRANSP:TRANSPARENT", "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM")
    inner = text[text.index("BEGIN:VEVENT"):text.index("END:VCALENDAR")]
    uid = eds("create", ics=inner)
    there, = exchange.events()
    assert (there["subject"], there["location"], there["reminder"], there["categories"]) == ("Meeting", "Room 1", 10, ["Blue"])
    path, = dav.etags(dav.calendar())
    assert fields(dav.get(path).text()) == fields(text)
    mine, = listed(eds, lambda found: len(found) == 1)
    assert fields(mine) == fields(text)
    eds("modify", ics=mine.replace("Meeting", "Renamed").replace("T110000", "T113000"))
    assert exchange.events()[0]["subject"] == "Renamed" and exchange.events()[0]["end"].startswith("2026-12-01T10:30")
    changed = fields(dav.get(path).text())
    assert changed == {**fields(text), "SUMMARY": "Renamed", "end": changed["end"]} and changed["end"].endswith("10:30Z")
    # what another client does shows here
    assert dav.put(path, dav.get(path).text().replace("Renamed", "By another")).status == 204
    listed(eds, lambda found: ["By another" in x for x in found] == [True])
    eds("remove", uid=uid)
    assert exchange.events() == [] and dav.etags(dav.calendar()) == {}


def test_a_series_with_an_exception(eds, dav, exchange):
    eds("open", kind="events")
    text = event("evo-2", "RRULE:FREQ=WEEKLY;COUNT=4")
    uid = eds("create", ics=text[text.index("BEGIN:VEVENT"):text.index("END:VCALENDAR")])
    mine, = listed(eds, lambda found: len(found) == 1)
    one = "\r\n".join(line for line in mine.split("\r\n") if not line.startswith("RRULE"))
    one = one.replace("20261201T10", "20261208T14").replace("20261201T11", "20261208T15")
    eds("modify", ics=one.replace("SUMMARY", "RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\r\nSUMMARY", 1), mod="this")
    eds("remove", uid=uid, rid="20261215T100000", mod="this")
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-08T13:00", "2026-12-22T09:00"]
    eds("remove", uid=uid)
    assert exchange.events() == []


def test_tasks(eds, dav, exchange):
    assert eds("open", kind="tasks") == "judge tasks"
    uid = eds("create", ics="BEGIN:VTODO\r\nUID:todo-1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Write\r\n"
              "DUE;VALUE=DATE:20260110\r\nPRIORITY:1\r\nDESCRIPTION:All of it\r\nEND:VTODO\r\n")
    there, = exchange.events("tasks")
    assert (there["subject"], there["due"], there["importance"]) == ("Write", "2026-01-10", "High")
    tasks = dav.calendars()["Tasks"]
    path, = dav.etags(tasks)
    mine, = listed(eds, lambda found: len(found) == 1)
    assert fields(mine) == fields(dav.get(path).text())
    done = mine.replace("END:VTODO", "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nCOMPLETED:20260109T080000Z\r\nEND:VTODO")
    eds("modify", ics=done)
    assert exchange.events("tasks")[0]["status"] == "Completed"
    assert fields(dav.get(path).text())["STATUS"] == "COMPLETED"
    eds("remove", uid=uid)
    assert exchange.events("tasks") == [] and dav.etags(tasks) == {}
