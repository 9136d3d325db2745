# SPDX-License-Identifier: Apache-2.0
"""Calendar programs that people use, against the bridge; the server's state is compared afterwards."""
import datetime
import re

import pytest

from bridge import poll
from davtest import Dav, event
from programs import Cadaver, PythonCaldav, Vdirsyncer


@pytest.fixture(scope="module")
def exchange(module_stage, kind):
    return kind.exchange(module_stage, "--demo", "3")


@pytest.fixture(scope="module")
def bridge(module_stage, kind, exchange):
    return module_stage.bridge(kind.account("work", exchange), dav=True, name=f"bridge-{kind}")


def remove_all(exchange):
    for item in exchange.events():
        exchange.event("delete", num=item["num"])


def test_python_caldav(bridge, exchange):
    client = PythonCaldav(Dav(bridge)).client
    principal = client.principal()
    calendar = next(c for c in principal.calendars() if c.name == "Calendar")
    made = calendar.save_event(event("pc-1", summary="From Python"))
    assert exchange.events()[0]["subject"] == "From Python"
    found = calendar.date_search(datetime.datetime(2026, 12, 1), datetime.datetime(2026, 12, 2), expand=False)
    assert [e.vobject_instance.vevent.summary.value for e in found] == ["From Python"]
    token = calendar.objects_by_sync_token(load_objects=True)
    made.vobject_instance.vevent.summary.value = "Changed"
    made.save()
    assert exchange.events()[0]["subject"] == "Changed"
    changed = calendar.objects_by_sync_token(sync_token=token.sync_token, load_objects=True)
    assert [o.vobject_instance.vevent.summary.value for o in changed] == ["Changed"]
    second = principal.make_calendar(name="Second", cal_id="second")
    assert "Second" in [c.name for c in principal.calendars()]
    second.delete()
    made.delete()
    assert exchange.events() == []


def test_vdirsyncer_and_khal(bridge, exchange, tmp_path):
    dav = Dav(bridge)
    exchange.event("create", event={"subject": "On the server", "uid": "v-1", "start": "2026-12-03T08:00:00Z",
                                    "end": "2026-12-03T09:00:00Z"})
    poll(60, lambda: len(dav.etags(dav.calendar())) == 1, "the server's event did not come")
    dav.close()
    vdirsyncer = Vdirsyncer(dav, tmp_path)
    folder = vdirsyncer.folders["VEVENT"]
    assert ["On the server" in p.read_text() for p in folder.glob("*.ics")] == [True]
    (folder / "mine.ics").write_bytes(event("v-2", summary="Written here").encode())
    vdirsyncer.sync()
    assert sorted(e["subject"] for e in exchange.events()) == ["On the server", "Written here"]
    listed = vdirsyncer.khal("list", "2026-12-01", "7d")
    assert "On the server" in listed and "Written here" in listed and "10:00-11:00" in listed
    (folder / "mine.ics").unlink()
    vdirsyncer.sync()
    assert [e["subject"] for e in exchange.events()] == ["On the server"]
    remove_all(exchange)


def test_cadaver(module_stage, kind, exchange, tmp_path):
    plain = module_stage.bridge(kind.account("work", exchange), dav=True, tls=False, name=f"plain-{kind}")
    dav = Dav(plain)
    calendar, text = dav.calendar(), event("ca-1", summary="From cadaver")
    (tmp_path / "mine.ics").write_bytes(text.encode())
    run = Cadaver(dav, tmp_path)
    said = run("put mine.ics", "ls", "get mine.ics back.ics", "propset . note hello", "propget . note")
    assert (tmp_path / "back.ics").read_bytes() == text.encode()
    assert re.search(rf"mine\.ics +{len(text.encode())}  Nov  1 ", said), said
    assert "Value of note is: hello" in said
    assert [e["subject"] for e in exchange.events()] == ["From cadaver"]
    dav.put(calendar + "mine.ics", text.replace("From cadaver", "By another"))
    said = run("cat mine.ics", "move mine.ics other.ics", "ls", "copy other.ics third.ics", "delete other.ics", "ls")
    assert "SUMMARY:By another" in said and "other.ics" in said and "failed:\n403" in said and "collection is empty" in said
    assert exchange.events() == []
    dav.close()
