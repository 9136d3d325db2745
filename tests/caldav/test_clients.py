# SPDX-License-Identifier: Apache-2.0
"""Calendar programs that people use, against the bridge; the server's state is compared afterwards."""
import datetime
import os
import re
import subprocess

import caldav
import pytest

from bridge import LOCAL_PASSWORD, poll
from davtest import Dav, event


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
    client = caldav.DAVClient(f"https://localhost:{bridge.dav_port}/", username="work@bridge.test", password=LOCAL_PASSWORD,
                              ssl_verify_cert=bridge.ca_file)
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


VDIRSYNCER = """
[general]
status_path = "{dir}/status"
[pair cal]
a = "local"
b = "remote"
collections = ["from b"]
conflict_resolution = "b wins"
metadata = ["displayname", "color"]
[storage local]
type = "filesystem"
path = "{dir}/calendars"
fileext = ".ics"
[storage remote]
type = "caldav"
url = "https://localhost:{port}/"
username = "work@bridge.test"
password = "{password}"
verify = "{ca}"
"""


def test_vdirsyncer_and_khal(bridge, exchange, tmp_path):
    config = tmp_path / "config"
    config.write_text(VDIRSYNCER.format(dir=tmp_path, port=bridge.dav_port, password=LOCAL_PASSWORD, ca=bridge.ca_file))
    env = dict(os.environ, HOME=str(tmp_path), LC_ALL="C.UTF-8")

    def run(*command):
        done = subprocess.run(command, env=env, capture_output=True, text=True, input="y\n" * 20, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dav = Dav(bridge)
    segment = dav.calendar().rstrip("/").split("/")[-1]
    exchange.event("create", event={"subject": "On the server", "uid": "v-1", "start": "2026-12-03T08:00:00Z",
                                    "end": "2026-12-03T09:00:00Z"})
    poll(60, lambda: len(dav.etags(dav.calendar())) == 1, "the server's event did not come")
    dav.close()
    run("vdirsyncer", "-c", str(config), "discover", "cal")
    run("vdirsyncer", "-c", str(config), "sync")
    folder = tmp_path / "calendars" / segment
    assert ["On the server" in p.read_text() for p in folder.glob("*.ics")] == [True]
    (folder / "mine.ics").write_bytes(event("v-2", summary="Written here").encode())
    run("vdirsyncer", "-c", str(config), "sync")
    assert sorted(e["subject"] for e in exchange.events()) == ["On the server", "Written here"]
    khal = tmp_path / "khal.conf"
    khal.write_text(f"[calendars]\n[[one]]\npath = {folder}\n[locale]\ndefault_timezone = Europe/Berlin\nlocal_timezone = Europe/Berlin\n"
                    f"timeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\n"
                    f"longdatetimeformat = %Y-%m-%d %H:%M\n[sqlite]\npath = {tmp_path}/khal.db\n")
    listed = run("khal", "-c", str(khal), "list", "2026-12-01", "7d")
    assert "On the server" in listed and "Written here" in listed and "10:00-11:00" in listed
    (folder / "mine.ics").unlink()
    run("vdirsyncer", "-c", str(config), "sync")
    assert [e["subject"] for e in exchange.events()] == ["On the server"]
    remove_all(exchange)


def test_cadaver(module_stage, kind, exchange, tmp_path):
    """A WebDAV client that knows nothing of calendars. Over plain TCP: it trusts no certificate without a terminal."""
    plain = module_stage.bridge(kind.account("work", exchange), dav=True, tls=False, name=f"plain-{kind}")
    dav = Dav(plain)
    calendar, text = dav.calendar(), event("ca-1", summary="From cadaver")
    (tmp_path / "mine.ics").write_bytes(text.encode())
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine localhost\nlogin {dav.user}\npassword {LOCAL_PASSWORD}\n")
    netrc.chmod(0o600)

    def run(*commands):
        done = subprocess.run(["cadaver", f"http://localhost:{plain.dav_port}{calendar}"], text=True, capture_output=True,
                              input="\n".join([f"lcd {tmp_path}", *commands, "quit", ""]), timeout=60,
                              env=dict(os.environ, HOME=str(tmp_path), LC_ALL="C.UTF-8"))
        assert done.returncode == 0, done.stderr
        return done.stdout

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
