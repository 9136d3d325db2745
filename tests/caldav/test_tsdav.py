# SPDX-License-Identifier: Apache-2.0
"""tsdav, the npm client against the bridge."""
import pytest

from davtest import event, todo
from fields import fields
from tsdav import Tsdav


@pytest.fixture(scope="module")
def tsdav(dav):
    running = Tsdav(dav)
    found = running.calendars
    assert {(c["name"], *c["components"]) for c in found} == {("Calendar", "VEVENT"), ("Tasks", "VTODO")}
    assert all("syncCollection" in c["reports"] for c in found), found
    yield running
    running.close()


def test_events(tsdav, dav, exchange):
    calendar = dav.calendar()
    base = f"https://localhost:{dav.bridge.dav_port}"
    text = event("ts-1", "LOCATION:Room 1", "CATEGORIES:Blue", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert tsdav("sync", calendar="Calendar") == []
    assert tsdav("create", calendar="Calendar", name="mine.ics", ics=text) == 201
    there, = exchange.events()
    assert (there["subject"], there["location"], there["categories"]) == ("Meeting", "Room 1", ["Blue"])
    assert dav.get(calendar + "mine.ics").text() == text
    mine, = tsdav("list", calendar="Calendar")
    assert fields(mine["data"]) == fields(text) and mine["url"] == base + calendar + "mine.ics"
    assert tsdav("list", calendar="Calendar", **{"from": "2026-12-09T00:00:00Z", "to": "2026-12-14T00:00:00Z"}) == []
    one, = tsdav("list", calendar="Calendar", **{"from": "2026-12-08T00:00:00Z", "to": "2026-12-09T00:00:00Z"}, expand=True)
    assert "RRULE" not in one["data"] and "20261208T090000Z" in one["data"]
    assert tsdav("sync", calendar="Calendar")["created"] == [base + calendar + "mine.ics"]
    assert tsdav("update", calendar="Calendar", name="mine.ics", ics=text.replace("Room 1", "Room 2")) == 204
    assert exchange.events()[0]["location"] == "Room 2"
    dav.put(calendar + "other.ics", event("ts-2"))
    found = tsdav("sync", calendar="Calendar")
    assert found == {"created": [base + calendar + "other.ics"], "updated": [base + calendar + "mine.ics"], "deleted": []}
    assert tsdav("remove", calendar="Calendar", name="mine.ics") == 204
    assert tsdav("sync", calendar="Calendar")["deleted"] == [base + calendar + "mine.ics"]
    assert tsdav("remove", calendar="Calendar", name="other.ics") == 204
    assert exchange.events() == [] and dav.etags(calendar) == {}


def test_tasks(tsdav, dav, exchange, kind):
    text = todo("ts-3", "DUE;VALUE=DATE:20261210", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40")
    assert tsdav("create", calendar="Tasks", name="t.ics", ics=text) == 201
    assert (exchange.events("tasks")[0]["status"], exchange.events("tasks")[0]["percent"]) == kind.progress("InProgress", 40)
    assert dav.get(dav.calendars()["Tasks"] + "t.ics").text() == text
    mine, = tsdav("list", calendar="Tasks")
    assert mine["data"] == text.strip()
    assert tsdav("remove", calendar="Tasks", name="t.ics") == 204
    assert exchange.events("tasks") == []
