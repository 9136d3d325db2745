# SPDX-License-Identifier: Apache-2.0
"""Mail about meetings that we send ourselves (ActiveSync up to 14.1), the process killed at every named point on its way
(bridge/base/crash.h): whoever is to be told hears what the server's calendar says, once, whether the client asks again or not,
and whether it does so before or after the calendar was looked at. No client has to come for it."""
import concurrent.futures
import contextlib
import os
import re
import signal
import sqlite3
import subprocess

import pytest

import kinds
from bridge import imaptest, poll, program
from davtest import Dav, event
from test_meetings import ALICE, BOB

PUT = ["held.written", "batch.written", "batch.answered", "batch.recorded", "event.answered", "event.stored"]
MAIL = ["owed.due", "submit.journaled", "submit.marked", "submit.answered", "submit.settled", "owed.answered", "owed.done"]
WALKS = {
    "invite": ["event.journaled", *PUT, *MAIL],
    "update": ["held.written", "batch.answered", "event.answered", "event.stored"],
    "uninvite": ["held.written", "event.answered"],
    "disband": ["event.answered"],
    "cancel": ["held.written", "batch.answered", "event_gone.answered", "event_gone.stored"],
    "answer": ["held.written", "event_reply.answered", "event_reply.stored", "owed.answered"],
}
METHOD = {"invite": "REQUEST", "update": "REQUEST", "uninvite": "CANCEL", "disband": "CANCEL", "cancel": "CANCEL", "answer": "REPLY"}


def meeting(uid, summary, *guests):
    return event(uid, f"ORGANIZER:mailto:{ALICE}", *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{g}" for g in guests), summary=summary)


class Rig:
    def __init__(self, stage):
        self.exchange = kinds.EAS_14.exchange(stage, "--user", f"{BOB}:canary-Exchange-9f31", "--demo", "1")
        self.bridge = stage.bridge(kinds.EAS_14.account("alice", self.exchange, email=ALICE, user=ALICE), dav=True)
        self.clients = []

    def dav(self):
        dav = Dav(self.bridge, "alice")
        dav.sign_in(ALICE)
        self.clients.append(dav)
        return dav

    def path(self, dav, uid):
        return poll(60, lambda: dav.calendars().get("Calendar")) + uid + ".ics"

    def leave(self):
        for client in self.clients:
            client.close()
        self.clients.clear()

    def restart(self, crash_at=None):
        self.leave()
        self.bridge.environment = {"EXBRIDGE_CRASH_AT": crash_at} if crash_at else {}
        self.bridge.start(ready=not crash_at)
        if crash_at:
            poll(60, lambda: "ready: " in self.bridge.log(now=True) or self.bridge.process.poll() is not None)

    def dies(self):
        assert self.bridge.process.wait(60) == -signal.SIGKILL, self.bridge.tail()
        self.bridge.process = None
        self.bridge.close_clients()

    def crash(self, point, action):
        self.leave()
        self.bridge.stop()
        self.restart(point)
        with contextlib.suppress(OSError, EOFError, imaptest.Closed):
            action()
        self.dies()

    def event(self, uid):
        return next((e for e in self.exchange.events(user=ALICE) if e["uid"] == uid), None)

    def mails(self, uid):
        return [s["meeting"]["method"] for s in self.exchange.submissions()
                if s.get("meeting") and s["meeting"]["uid"] == uid and s["by"] == "client"]

    def settled(self):
        poll(60, lambda: not self.bridge.sql("alice", "SELECT * FROM owed"), "something is still owed, or waits")


@pytest.fixture(scope="module")
def rig(module_stage):
    rig = Rig(module_stage)
    yield rig
    rig.leave()


class Change:
    """One thing that a client does, on an object of its own."""

    def __init__(self, rig, what, uid):
        self.rig, self.what, self.uid = rig, what, uid
        self.headers = {}
        if what == "answer":
            self.invited()
        elif what != "invite":
            self.prepared()
        self.told = len(rig.mails(uid))

    def prepared(self):
        dav = self.rig.dav()
        path = self.rig.path(dav, self.uid)
        assert dav.put(path, meeting(self.uid, "Old", BOB, "carol@example.com")).status == 201
        poll(60, lambda: self.rig.mails(self.uid), "the invitation was not sent")
        self.rig.settled()
        self.headers = {"If_Match": dav.etags(path.rsplit("/", 1)[0] + "/")[path]}

    def invited(self):
        there = {"subject": "Old", "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z", "uid": self.uid,
                 "attendees": [{"email": ALICE}], "state": 1}
        made = self.rig.exchange.event("create", user=BOB, event=there)
        self.rig.exchange.event("update", user=BOB, num=made["num"], event={"location": "Here"}, mail=True)
        poll(60, lambda: self.rig.event(self.uid), "the request did not arrive")

    def invitation(self, dav):
        """(path, text) as the client sees it."""
        home = self.rig.path(dav, "")[: -len(".ics")]
        for path in dav.etags(home):
            text = dav.get(path).text()
            if f"UID:{self.uid}\r\n" in text:
                return path, text
        return None

    def act(self, conditional=False):
        """The status, None where there is nothing left to do."""
        dav, what = self.rig.dav(), self.what
        path = self.rig.path(dav, self.uid)
        headers = self.headers if conditional else {}
        if what == "answer":
            path, text = poll(60, lambda: self.invitation(dav))
            if "PARTSTAT=ACCEPTED" in text:
                return None
            return dav.put(path, text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")).status
        if what == "cancel":
            return dav.ask("DELETE", path, headers={k.replace("_", "-"): v for k, v in headers.items()}).status
        guests = [BOB] if what == "uninvite" else [BOB, "carol@example.com"]
        text = meeting(self.uid, "New" if what == "update" else "Old", *guests)
        return dav.put(path, event(self.uid, summary="Old") if what == "disband" else text, **headers).status

    def happened(self):
        e = self.rig.event(self.uid)
        if self.what == "answer":
            return e["my_response"] == "Accept"
        if self.what == "cancel":
            return e is None
        if self.what in ("uninvite", "disband"):
            return len(e["attendees"]) == (self.what == "uninvite")
        return e is not None and (self.what == "invite" or e["subject"] == "New")

    def news(self):
        return self.rig.mails(self.uid)[self.told :]

    def again(self, conditional):
        """412: the object is not what it was, and it is for the client to look; here it looks, and finds its own change."""
        status = poll(60, lambda: (s := self.act(conditional)) in (None, 201, 204, 404, 412) and (s or 1))
        if status == 412:
            poll(60, lambda: self.act() in (201, 204, 404))

    def once(self):
        self.rig.settled()
        assert self.happened() and self.news() == [METHOD[self.what]], (self.happened(), self.news())


def name_of(*words):
    return re.sub(r"\W", "-", "-".join(words))


@pytest.mark.parametrize("what", WALKS)
def test_told_once(rig, what):
    """Nobody comes until all is settled; then the client asks again, as if nothing had happened."""
    for point in WALKS[what]:
        if rig.bridge.process is None:
            rig.restart()
        change = Change(rig, what, name_of(what, point))
        rig.crash(point, change.act)
        rig.restart()
        if what != "answer" or change.happened():
            rig.settled()
        assert change.news() == [METHOD[what]] * change.happened(), point
        change.again(conditional=point.startswith("event"))
        change.once()


@pytest.mark.parametrize("what", ["invite", "update", "cancel"])
def test_told_once_though_asked_at_once(rig, what):
    """The client is back before the calendar was looked at."""
    for point in ("held.written", "batch.answered", "event_gone.stored" if what == "cancel" else "event.answered"):
        change = Change(rig, what, name_of("soon", what, point))
        rig.crash(point, change.act)
        rig.restart()
        change.again(conditional=False)
        change.once()


def test_killed_while_it_is_settled(rig):
    """What happened, and what did not."""
    for point, happened in (("event.answered", True), ("event.journaled", False), ("held.written", False)):
        change = Change(rig, "invite", name_of("settled", point))
        rig.crash(point, change.act)
        if point != "event.journaled":
            rig.restart("held.settled")
            rig.dies()
        rig.restart()
        rig.settled()
        assert change.happened() == happened and change.news() == ["REQUEST"] * happened
        change.again(conditional=False)
        change.once()


def test_asked_while_the_calendar_is_looked_at(rig):
    """The repeated change waits behind the page that shows what became of the first one, and finds that nothing is left to do."""
    if rig.bridge.process is None:
        rig.restart()
    change = Change(rig, "update", "looked-at")
    rig.crash("event.answered", change.act)
    mark = rig.exchange.mark()
    rig.exchange.fault(op="Sync", do="pause", times=0, where={"folder": "calendar", "commands": []})
    rig.restart()
    poll(60, lambda: any(e["detail"].get("folder") == "calendar" for e in rig.exchange.log(mark, op="Sync")), "the calendar is not looked at")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(change.act)
        poll(60, lambda: len(rig.bridge.sql("alice", "SELECT * FROM owed")) == 2, "the change does not wait")
        rig.exchange.clear_faults()
        assert answer.result() == 204
    change.once()


def test_half_a_series(rig):
    """What a series leaves out comes with a second request: nobody is told of half of it."""
    if rig.bridge.process is None:
        rig.restart()
    uid = "half-a-series"
    text = event(uid, f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE:mailto:{BOB}", "RRULE:FREQ=DAILY;COUNT=4",
                 "EXDATE;TZID=Europe/Berlin:20261202T100000")

    def store():
        dav = rig.dav()
        return dav.put(rig.path(dav, uid), text).status

    rig.crash("batch.recorded", store)
    rig.restart()
    dav = rig.dav()
    poll(60, lambda: uid in str(dav.etags(rig.path(dav, "")[: -len(".ics")])), "it did not come back")
    assert rig.event(uid)["deleted"] == [] and rig.mails(uid) == []
    assert len(rig.bridge.sql("alice", "SELECT * FROM owed")) == 1
    poll(60, lambda: store() in (201, 204))
    rig.settled()
    assert rig.event(uid)["deleted"] == ["2026-12-02"] and rig.mails(uid) == ["REQUEST"]


@pytest.mark.parametrize("what", ["invite", "update"])
def test_an_item_that_cannot_be_read(rig, what):
    """The server has taken the change, and nobody can read what the calendar has now: the mail waits, and that is told."""
    if rig.bridge.process is None:
        rig.restart()
    change = Change(rig, what, name_of("unreadable", what))
    rig.crash("event.answered", change.act)
    there = rig.event(change.uid)
    rig.exchange.event("update", user=ALICE, num=there["num"], event={"subject": there["subject"] + "x" * (1 << 20)})
    rig.restart()
    poll(60, lambda: "it may be the meeting" in rig.bridge.log(now=True), lambda: rig.bridge.tail())
    assert rig.bridge.sql("alice", "SELECT evidence LIKE 'held %' FROM owed") == [(1,)] and change.news() == []
    status = subprocess.run([program(), "status", "-c", rig.bridge.config_path], capture_output=True, text=True, timeout=60).stdout
    assert "items of calendars that cannot be read: 1 " in status and "wait for what the server says of them: 1\n" in status
    rig.exchange.event("update", user=ALICE, num=there["num"], event={"subject": there["subject"]})
    change.once()
    assert rig.bridge.sql("alice", "SELECT * FROM unread") == []


def test_a_mail_of_which_nobody_will_know(rig):
    """After a week it is given up, and said so."""
    change = Change(rig, "answer", "given-up")
    rig.crash("held.written", change.act)
    with contextlib.closing(sqlite3.connect(os.path.join(rig.bridge.account_dir("alice"), "state.db"))) as db, db:
        assert db.execute("UPDATE owed SET created = created - 8 * 86400").rowcount == 1
    rig.restart()
    rig.settled()
    poll(60, lambda: "for a week the server did not tell" in rig.bridge.log(now=True), rig.bridge.tail)
    assert change.news() == []


def test_an_answer_that_never_arrived(rig):
    """It may be late, so its mail waits for a while; then it is no longer waited for."""
    change = Change(rig, "answer", "never-answered")
    rig.crash("held.written", change.act)
    with contextlib.closing(sqlite3.connect(os.path.join(rig.bridge.account_dir("alice"), "state.db"))) as db, db:
        assert db.execute("UPDATE owed SET created = created - 3600").rowcount == 1
    rig.restart()
    rig.settled()
    assert not change.happened() and change.news() == []
