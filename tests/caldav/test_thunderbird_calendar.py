# SPDX-License-Identifier: Apache-2.0
"""Thunderbird's calendar in a real window: events and tasks in both directions; any dialog fails a test."""
import pytest

import screenshot
from bird import Bird
from bridge import poll
from davtest import event, todo
from fields import fields

WINDOWS = "return [...Services.wm.getEnumerator(null)].map(w => w.document.documentElement.getAttribute('windowtype'));"


@pytest.fixture(scope="module")
def bird(dav, tmp_path_factory):
    running = Bird(dav, tmp_path_factory.mktemp("thunderbird"))
    yield running
    running.close()


@pytest.fixture(autouse=True)
def no_dialog(bird):
    yield
    assert bird.js(WINDOWS) == ["mail:3pane"]


def shown(bird, calendar, holds):
    """What Thunderbird has, as soon as holds({uid: fields})."""

    def look():
        found = {f["UID"]: f for f in map(fields, bird.texts(calendar))}
        return (found,) if holds(found) else None

    return poll(60, look, lambda: f"in vain: {bird.texts(calendar)}")[0]


def test_the_servers_events_show(bird, dav, exchange):
    made = exchange.event("create", event={"subject": "On the server", "start": "2026-12-03T08:00:00Z", "uid": "tb-0",
                                           "end": "2026-12-03T09:00:00Z", "location": "Room 0"})
    found = shown(bird, "VEVENT", lambda f: len(f) == 1)["tb-0"]
    path, = dav.etags(dav.calendar())
    assert found == fields(dav.get(path).text())
    assert (found["SUMMARY"], found["LOCATION"], found["start"]) == ("On the server", "Room 0", "2026-12-03T08:00Z")
    exchange.event("update", num=made["num"], event={"subject": "Changed there"})
    shown(bird, "VEVENT", lambda f: f.get("tb-0", {}).get("SUMMARY") == "Changed there")
    exchange.event("delete", num=made["num"])
    shown(bird, "VEVENT", lambda f: f == {})


def test_events_reach_the_server(bird, dav, exchange, tmp_path):
    text = event("tb-1", "LOCATION:Room 1", "CATEGORIES:Blue,Green", "DESCRIPTION:Two\\nlines\\, and more", "CLASS:PRIVATE",
                 "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM", summary="Grüße")
    bird.create("VEVENT", text)
    there, = exchange.events()
    assert (there["subject"], there["location"], there["reminder"], there["categories"], there["sensitivity"]) == (
        "Grüße", "Room 1", 10, ["Blue", "Green"], "Private")
    path, = dav.etags(dav.calendar())
    assert fields(dav.get(path).text()) == fields(text) == shown(bird, "VEVENT", len)["tb-1"]
    bird.change("VEVENT", "tb-1", {"SUMMARY": "Renamed", "LOCATION": "Elsewhere"})
    assert (exchange.events()[0]["subject"], exchange.events()[0]["location"]) == ("Renamed", "Elsewhere")
    wanted = {**fields(text), "SUMMARY": "Renamed", "LOCATION": "Elsewhere"}
    assert fields(dav.get(path).text()) == wanted == shown(bird, "VEVENT", len)["tb-1"]
    bird.show("VEVENT")
    assert screenshot.colours(screenshot.take(bird.window.display, tmp_path / "calendar.png")) > 100
    bird.remove("VEVENT", "tb-1")
    assert exchange.events() == [] and dav.etags(dav.calendar()) == {}


def test_a_series_with_exceptions(bird, dav, exchange):
    text = event("tb-2", "RRULE:FREQ=WEEKLY;COUNT=4")
    bird.create("VEVENT", text)
    bird.make_exceptions("tb-2", "Another name")
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-08T13:00", "2026-12-22T09:00"]
    assert exchange.events()[0]["exceptions"]["2026-12-08"]["subject"] == "Another name"
    path, = dav.etags(dav.calendar())
    mine = fields(dav.get(path).text())
    assert mine["gone"] == ["2026-12-15T09:00Z"] and [c["SUMMARY"] for c in mine["changed"]] == ["Another name"]
    assert shown(bird, "VEVENT", lambda f: "changed" in f.get("tb-2", {}))["tb-2"] == mine
    bird.remove("VEVENT", "tb-2")
    assert exchange.events() == []


def test_tasks(bird, dav, exchange, kind):
    tasks = dav.calendars()["Tasks"]
    assert dav.put(tasks + "a.ics", todo("tb-3", "DUE;VALUE=DATE:20261210", summary="Theirs")).status == 201
    assert shown(bird, "VTODO", len)["tb-3"]["SUMMARY"] == "Theirs"
    text = todo("tb-4", "DTSTART;VALUE=DATE:20261201", "DUE;VALUE=DATE:20261210", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40")
    bird.create("VTODO", text)
    there = next(e for e in exchange.events("tasks") if e["subject"] == "Task")
    assert (there["due"], there["status"], there["percent"]) == ("2026-12-10", *kind.progress("InProgress", 40))
    path = next(p for p in dav.etags(tasks) if "tb-4" in p)
    assert fields(dav.get(path).text()) == fields(text) == shown(bird, "VTODO", lambda f: len(f) == 2)["tb-4"]
    for uid in ("tb-3", "tb-4"):
        bird.remove("VTODO", uid)
    assert exchange.events("tasks") == []
