# SPDX-License-Identifier: Apache-2.0
"""Evolution's data server (the engine of Evolution and GNOME Calendar) keeps events and tasks in the bridge."""
import pytest

from bridge import poll
from davtest import event
from evolution import Evolution
from fields import fields
from programs import component


@pytest.fixture(scope="module")
def evolution(dav, tmp_path_factory):
    running = Evolution(dav, tmp_path_factory.mktemp("eds"))
    yield running
    running.close()


@pytest.fixture
def eds(evolution):
    return evolution.eds


def listed(evolution, kind, holds):
    """What Evolution has, as soon as holds(list)."""

    def look():
        found = evolution.texts(kind)
        return holds(found) and found

    return poll(60, look, lambda: f"in vain: {evolution.texts(kind)}")


def test_events(evolution, eds, dav, exchange):
    evolution.open("VEVENT")
    text = event("evo-1", "LOCATION:Room 1", "CATEGORIES:Blue", "DESCRIPTION:Two\\nlines\\, and more", "CLASS:PRIVATE",
                 "TRANSP:TRANSPARENT", "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM")
    uid = eds("create", ics=component(text))
    there, = exchange.events()
    assert (there["subject"], there["location"], there["reminder"], there["categories"]) == ("Meeting", "Room 1", 10, ["Blue"])
    path, = dav.etags(dav.calendar())
    assert fields(dav.get(path).text()) == fields(text)
    mine, = listed(evolution, "VEVENT", lambda found: len(found) == 1)
    assert fields(mine) == fields(text)
    eds("modify", ics=mine.replace("Meeting", "Renamed").replace("T110000", "T113000"))
    assert exchange.events()[0]["subject"] == "Renamed" and exchange.events()[0]["end"].startswith("2026-12-01T10:30")
    changed = fields(dav.get(path).text())
    assert changed == {**fields(text), "SUMMARY": "Renamed", "end": changed["end"]} and changed["end"].endswith("10:30Z")
    # what another client does shows here
    assert dav.put(path, dav.get(path).text().replace("Renamed", "By another")).status == 204
    listed(evolution, "VEVENT", lambda found: ["By another" in x for x in found] == [True])
    eds("remove", uid=uid)
    assert exchange.events() == [] and dav.etags(dav.calendar()) == {}


def test_a_series_with_an_exception(evolution, eds, dav, exchange):
    evolution.open("VEVENT")
    text = event("evo-2", "RRULE:FREQ=WEEKLY;COUNT=4")
    uid = eds("create", ics=component(text))
    listed(evolution, "VEVENT", lambda found: len(found) == 1)
    evolution.make_exceptions(uid, "Later")
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-08T13:00", "2026-12-22T09:00"]
    eds("remove", uid=uid)
    assert exchange.events() == []


def test_tasks(evolution, eds, dav, exchange):
    evolution.open("VTODO")
    uid = eds("create", ics="BEGIN:VTODO\r\nUID:todo-1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Write\r\n"
              "DUE;VALUE=DATE:20260110\r\nPRIORITY:1\r\nDESCRIPTION:All of it\r\nEND:VTODO\r\n")
    there, = exchange.events("tasks")
    assert (there["subject"], there["due"], there["importance"]) == ("Write", "2026-01-10", "High")
    tasks = dav.calendars()["Tasks"]
    path, = dav.etags(tasks)
    mine, = listed(evolution, "VTODO", lambda found: len(found) == 1)
    assert fields(mine) == fields(dav.get(path).text())
    done = mine.replace("END:VTODO", "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nCOMPLETED:20260109T080000Z\r\nEND:VTODO")
    eds("modify", ics=done)
    assert exchange.events("tasks")[0]["status"] == "Completed"
    assert fields(dav.get(path).text())["STATUS"] == "COMPLETED"
    eds("remove", uid=uid)
    assert exchange.events("tasks") == [] and dav.etags(tasks) == {}
