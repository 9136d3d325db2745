# SPDX-License-Identifier: Apache-2.0
"""Thunderbird's calendar in a real window: events and tasks in both directions; any dialog fails a test."""
import os

import pytest

import screenshot
from bridge import LOCAL_PASSWORD, poll
from davtest import event, todo
from fields import fields
from thunderbird import Thunderbird, caldav_calendars, trust

PRELUDE = """const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CalTodo } = ChromeUtils.importESModule("resource:///modules/CalTodo.sys.mjs");
const calendar = cal.manager.getCalendars().find(c => c.name == arguments[0]);
const items = () => calendar.getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
const whole = item => { const s = Cc["@mozilla.org/calendar/ics-serializer;1"].createInstance(Ci.calIIcsSerializer);
    s.addItems([item]);
    return s.serializeToString(); };
"""
READY = PRELUDE + """const end = Date.now() + 30000;
while ((!calendar || calendar.readOnly || calendar.getProperty("currentStatus")) && Date.now() < end) await sleep(50);
return [calendar.readOnly, calendar.getProperty("currentStatus")];"""
LIST = PRELUDE + "calendar.refresh(); return (await items()).map(whole);"
ADD = PRELUDE + """const item = arguments[2] ? new CalTodo(arguments[1]) : new CalEvent(arguments[1]);
return (await calendar.addItem(item)).id;"""
CHANGE = PRELUDE + """const old = (await items()).find(i => i.id == arguments[1]), item = old.clone();
item.title = arguments[2]; item.setProperty("LOCATION", arguments[3]);
return (await calendar.modifyItem(item, old)).title;"""
MOVE_ONE = PRELUDE + """const series = (await items()).find(i => i.id == arguments[1]), old = series.clone(), item = series.clone();
const when = cal.createDateTime(arguments[2]);
const one = item.recurrenceInfo.getOccurrenceFor(when.getInTimezone(item.startDate.timezone)).clone();
one.title = arguments[3];
item.recurrenceInfo.modifyException(one, true);
item.recurrenceInfo.removeOccurrenceAt(cal.createDateTime(arguments[4]).getInTimezone(item.startDate.timezone));
await calendar.modifyItem(item, old);"""
REMOVE = PRELUDE + "await calendar.deleteItem((await items()).find(i => i.id == arguments[1]));"
SHOW = PRELUDE + """window.document.getElementById("tabmail").openTab("calendar");
window.switchToView("month"); window.currentView().goToDay(cal.createDateTime("20261203T120000Z")); await sleep(1500);"""
WINDOWS = "return [...Services.wm.getEnumerator(null)].map(w => w.document.documentElement.getAttribute('windowtype'));"


@pytest.fixture(scope="module")
def bird(dav, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("thunderbird"))
    trust(folder, dav.bridge.ca_file)
    origin = f"https://localhost:{dav.bridge.dav_port}"
    urls = {name: origin + dav.calendars()[name] for name in ("Calendar", "Tasks")}
    password = (origin, dav.user, LOCAL_PASSWORD, "exbridge")
    with Thunderbird(folder, caldav_calendars(urls, dav.user), [password], any_certificate=False) as running:
        for name in urls:
            assert running.js(READY, name) == [False, 0], open(os.path.join(folder, "stdout.txt")).read()[-2000:]
        yield running


@pytest.fixture(autouse=True)
def no_dialog(bird):
    yield
    assert bird.js(WINDOWS) == ["mail:3pane"]


def shown(bird, calendar, holds):
    """What Thunderbird has, as soon as holds({uid: fields})."""

    def look():
        found = {f["UID"]: f for f in map(fields, bird.js(LIST, calendar))}
        return (found,) if holds(found) else None

    return poll(60, look, lambda: f"in vain: {bird.js(LIST, calendar)}")[0]


def inner(text):
    return text[text.index("BEGIN:V", 15):text.index("END:VCALENDAR")]


def test_the_servers_events_show(bird, dav, exchange):
    made = exchange.event("create", event={"subject": "On the server", "start": "2026-12-03T08:00:00Z", "uid": "tb-0",
                                           "end": "2026-12-03T09:00:00Z", "location": "Room 0"})
    found = shown(bird, "Calendar", lambda f: len(f) == 1)["tb-0"]
    path, = dav.etags(dav.calendar())
    assert found == fields(dav.get(path).text())
    assert (found["SUMMARY"], found["LOCATION"], found["start"]) == ("On the server", "Room 0", "2026-12-03T08:00Z")
    exchange.event("update", num=made["num"], event={"subject": "Changed there"})
    shown(bird, "Calendar", lambda f: f.get("tb-0", {}).get("SUMMARY") == "Changed there")
    exchange.event("delete", num=made["num"])
    shown(bird, "Calendar", lambda f: f == {})


def test_events_reach_the_server(bird, dav, exchange, tmp_path):
    text = event("tb-1", "LOCATION:Room 1", "CATEGORIES:Blue,Green", "DESCRIPTION:Two\\nlines\\, and more", "CLASS:PRIVATE",
                 "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM", summary="Grüße")
    bird.js(ADD, "Calendar", text, False)
    there, = exchange.events()
    assert (there["subject"], there["location"], there["reminder"], there["categories"], there["sensitivity"]) == (
        "Grüße", "Room 1", 10, ["Blue", "Green"], "Private")
    path, = dav.etags(dav.calendar())
    assert fields(dav.get(path).text()) == fields(text) == shown(bird, "Calendar", len)["tb-1"]
    assert bird.js(CHANGE, "Calendar", "tb-1", "Renamed", "Elsewhere") == "Renamed"
    assert (exchange.events()[0]["subject"], exchange.events()[0]["location"]) == ("Renamed", "Elsewhere")
    wanted = {**fields(text), "SUMMARY": "Renamed", "LOCATION": "Elsewhere"}
    assert fields(dav.get(path).text()) == wanted == shown(bird, "Calendar", len)["tb-1"]
    bird.js(SHOW, "Calendar")
    assert screenshot.colours(screenshot.take(bird.display, tmp_path / "calendar.png")) > 100
    bird.js(REMOVE, "Calendar", "tb-1")
    assert exchange.events() == [] and dav.etags(dav.calendar()) == {}


def test_a_series_with_exceptions(bird, dav, exchange):
    text = event("tb-2", "RRULE:FREQ=WEEKLY;COUNT=4")
    bird.js(ADD, "Calendar", text, False)
    bird.js(MOVE_ONE, "Calendar", "tb-2", "20261208T090000Z", "Another name", "20261215T090000Z")
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-08T09:00", "2026-12-22T09:00"]
    assert exchange.events()[0]["exceptions"]["2026-12-08"]["subject"] == "Another name"
    path, = dav.etags(dav.calendar())
    mine = fields(dav.get(path).text())
    assert mine["gone"] == ["2026-12-15T09:00Z"] and [c["SUMMARY"] for c in mine["changed"]] == ["Another name"]
    assert shown(bird, "Calendar", lambda f: "changed" in f.get("tb-2", {}))["tb-2"] == mine
    bird.js(REMOVE, "Calendar", "tb-2")
    assert exchange.events() == []


def test_tasks(bird, dav, exchange, kind):
    tasks = dav.calendars()["Tasks"]
    assert dav.put(tasks + "a.ics", todo("tb-3", "DUE;VALUE=DATE:20261210", summary="Theirs")).status == 201
    assert shown(bird, "Tasks", len)["tb-3"]["SUMMARY"] == "Theirs"
    text = todo("tb-4", "DTSTART;VALUE=DATE:20261201", "DUE;VALUE=DATE:20261210", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40")
    bird.js(ADD, "Tasks", text, True)
    there = next(e for e in exchange.events("tasks") if e["subject"] == "Task")
    assert (there["due"], there["status"], there["percent"]) == ("2026-12-10", *kind.progress("InProgress", 40))
    path = next(p for p in dav.etags(tasks) if "tb-4" in p)
    assert fields(dav.get(path).text()) == fields(text) == shown(bird, "Tasks", lambda f: len(f) == 2)["tb-4"]
    for uid in ("tb-3", "tb-4"):
        bird.js(REMOVE, "Tasks", uid)
    assert exchange.events("tasks") == []
