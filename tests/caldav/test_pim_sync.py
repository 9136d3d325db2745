# SPDX-License-Identifier: Apache-2.0
"""Two programs that keep calendars of their own beside the server's: SyncEvolution, which makes an item of each changed
occurrence, and calcurse, which replaces objects instead of changing them."""
import os
import re
import subprocess
import sys

import pytest

from bridge import LOCAL_PASSWORD, poll
from davtest import event, prop

UTC = dict(start="DTSTART:20261205T100000Z", end="DTEND:20261205T110000Z")
MOVED = ("BEGIN:VEVENT\r\nUID:series\r\nRECURRENCE-ID:20261206T100000Z\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261206T120000Z\r\n"
         "DTEND:20261206T130000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\n")


@pytest.fixture
def calendar(dav):
    path = dav.calendar()
    yield path
    for href in dav.etags(path):
        assert dav.ask("DELETE", href).status == 204


def summaries(dav, path):
    found = dav.multiget(path, list(dav.etags(path))).responses().values()
    texts = [text for _, props in found for (_, name), element in props.items() if name == "calendar-data" for text in [element.text]]
    return sorted(re.findall(r"^SUMMARY:(.*?)\r?$", "".join(texts), re.M))


class SyncEvolution:
    """Two-way between files, one a component, and the calendar."""

    def __init__(self, dav, path, directory):
        self.files = directory / "files"
        self.files.mkdir()
        names = ("CONFIG", "DATA", "CACHE")
        self.env = {**os.environ, "HOME": str(directory), **{f"XDG_{n}_HOME": str(directory / n) for n in names}}
        base = f"https://localhost:{dav.bridge.dav_port}"
        # Its WebDAV library trusts what the system trusts, and nothing that it is told.
        self.run("--configure", "--keyring=no", "backend=caldav", f"database={base}{path}", f"username={dav.user}",
                 f"password={LOCAL_PASSWORD}", f"syncURL={base}/", "SSLVerifyServer=0", "target-config@bridge", "calendar")
        self.run("--configure", "backend=file", f"database=file://{self.files}", "databaseFormat=text/calendar", "@default",
                 "calendar")
        self.run("--configure", "--template", "SyncEvolution_Client", "syncURL=local://@bridge", "username=", "password=",
                 "sync=two-way", "bridge@default", "calendar")

    def run(self, *args):
        done = subprocess.run(["syncevolution", "--daemon=no", *args], env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def sync(self, *args):
        self.run(*args, "bridge")

    def texts(self):
        return {file: file.read_text() for file in self.files.iterdir()}

    def file(self, summary):
        found, = (file for file, text in self.texts().items() if f"SUMMARY:{summary}" in text)
        return found


def test_syncevolution(dav, calendar, exchange, tmp_path):
    assert dav.put(calendar + "single.ics", event("single", summary="Single", **UTC)).status == 201
    series = event("series", "RRULE:FREQ=DAILY;COUNT=5", summary="Series", **UTC)
    assert dav.put(calendar + "series.ics", series.replace("END:VCALENDAR", MOVED + "END:VCALENDAR")).status == 201
    program = SyncEvolution(dav, calendar, tmp_path)
    program.sync("--sync", "slow")
    assert len(program.texts()) == 3
    changed, moved = program.file("Single"), program.file("Moved")
    changed.write_text(changed.read_text().replace("SUMMARY:Single", "SUMMARY:Changed"))
    moved.write_text(moved.read_text().replace("SUMMARY:Moved", "SUMMARY:Moved again"))
    (program.files / "new").write_text(event("new", summary="New", **UTC))
    program.sync()
    assert summaries(dav, calendar) == ["Changed", "Moved again", "New", "Series"]
    assert {e["subject"] for e in exchange.events()} == {"Changed", "New", "Series"}
    # and the other way: somebody changes one, the occurrence goes back to its place, one goes
    num, = (e["num"] for e in exchange.events() if e["subject"] == "New")
    exchange.event("update", num=num, event={"subject": "From Outlook"})
    assert dav.put(calendar + "series.ics", series).status == 204
    assert dav.ask("DELETE", calendar + "single.ics").status == 204
    poll(90, lambda: "From Outlook" in summaries(dav, calendar), "the change did not come")
    program.sync()
    found = [prop(text, "SUMMARY").strip() for text in program.texts().values()]
    assert sorted(found) == ["From Outlook", "Series"]


class Calcurse:
    def __init__(self, dav, path, directory):
        self.directory = directory
        (directory / "config").write_text(
            f"[General]\nHostname = localhost:{dav.bridge.dav_port}\nPath = {path}\nHTTPS = Yes\nInsecureSSL = No\nSyncFilter = cal\n"
            f"DryRun = No\n[Auth]\nUsername = {dav.user}\nPassword = {LOCAL_PASSWORD}\n")
        self.env = {**os.environ, "HOME": str(directory), "HTTPLIB2_CA_CERTS": dav.bridge.ca_file}

    def run(self, *command):
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def sync(self, *args):
        at = {name: str(self.directory / name) for name in ("config", "lock", "syncdb")}
        self.run(sys.executable, "/usr/bin/calcurse-caldav", "--config", at["config"], "--datadir", str(self.directory),
                 "--lockfile", at["lock"], "--syncdb", at["syncdb"], *args)

    def add(self, text):
        (self.directory / "new.ics").write_text(text)
        self.run("calcurse", "-D", str(self.directory), "-C", str(self.directory), "-q", "-i", str(self.directory / "new.ics"))

    def appointments(self):
        return (self.directory / "apts").read_text()


def test_calcurse(dav, calendar, tmp_path):
    assert dav.put(calendar + "a.ics", event("a", summary="From the server", **UTC)).status == 201
    program = Calcurse(dav, calendar, tmp_path)
    program.sync("--init", "keep-remote")
    assert "From the server" in program.appointments()
    program.add(event("b", "RRULE:FREQ=WEEKLY;COUNT=4", summary="From calcurse", start="DTSTART;VALUE=DATE:20261204",
                      end="DTEND;VALUE=DATE:20261205"))
    (tmp_path / "apts").write_text(program.appointments().replace("From the server", "Changed here"))
    program.sync()
    assert summaries(dav, calendar) == ["Changed here", "From calcurse"]
    for path in dav.etags(calendar):
        if "Changed here" in dav.get(path).text():
            assert dav.ask("DELETE", path).status == 204
    program.sync()
    assert "Changed here" not in program.appointments() and "From calcurse" in program.appointments()
