# SPDX-License-Identifier: Apache-2.0
"""A PUT that makes an object and whose answer is lost: what the server has then, what a client sees of it, and what is to be true in
the end. Tests take their fixtures from here and say which kinds of servers (`kind`)."""
import contextlib
import http.client
import itertools
import signal

import pytest

from bridge import poll
from davtest import Dav, event, prop, todo

ALICE, BOB = "alice@example.com", "bob@example.com"
NEW = {"If_None_Match": "*"}


def moved(uid, *lines):
    """The third Tuesday of a series, an hour later."""
    return ("END:VEVENT", "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T000000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20261215T100000",
            "DTSTART;TZID=Europe/Berlin:20261215T110000", "DTEND;TZID=Europe/Berlin:20261215T120000", "SUMMARY:mine", *lines)


class Rig:
    """One bridge; each test has an object of its own."""

    def __init__(self, stage, kind):
        self.kind, self.numbers = kind, itertools.count(1)
        self.exchange = kind.exchange(stage, "--user", f"{BOB}:canary-Exchange-9f31", "--demo", "1")
        self.bridge = stage.bridge(kind.account("alice", self.exchange, email=ALICE, user=ALICE), dav=True, name=f"bridge-{kind}")
        self.dav = Dav(self.bridge, "alice")
        self.dav.sign_in(ALICE)
        poll(60, lambda: {"Calendar", "Tasks"} <= set(self.dav.calendars()), "no calendars are shown")
        for path, text in (("Calendar", event("warm")), ("Tasks", todo("warm"))):
            path = self.dav.calendars()[path] + "warm.ics"
            assert self.dav.put(path, text).status == 201 and self.dav.ask("DELETE", path).status == 204


    def restart(self, crash_at=None):
        """After kill -9."""
        self.dav.close()
        if self.bridge.process:
            self.bridge.kill()
        self.bridge.environment = {"EXBRIDGE_CRASH_AT": crash_at} if crash_at else {}
        self.bridge.start()
        poll(60, lambda: {"Calendar", "Tasks"} <= set(self.dav.calendars()), "no calendars are shown")

    def dies(self, action):
        """At the crash point that it was started with."""
        self.dav.attempts = 1
        with contextlib.suppress(OSError, EOFError, http.client.HTTPException):
            pytest.fail(f"it lives: {action().status}")
        self.dav.attempts = 2
        assert self.bridge.process.wait(60) == -signal.SIGKILL, self.bridge.tail()
        self.bridge.process = None


class Attempt:
    """An object of which the client has heard nothing."""

    def __init__(self, rig, folder="calendar"):
        self.rig, self.folder = rig, folder
        self.home = rig.dav.calendars()[folder.capitalize()]
        self.uid = f"retried-{next(rig.numbers)}"
        self.path = f"{self.home}{self.uid}-mine.ics"
        self.held = False
        self.mails_before = len(rig.exchange.submissions())
        _, _, self.token, _ = rig.dav.sync(self.home)
        self.before = set(rig.dav.etags(self.home))

    def event(self, *lines, summary="mine"):
        return event(self.uid, *lines, summary=summary)

    def put(self, text, **headers):
        return self.rig.dav.put(self.path, text, **headers)

    def hold_syncs(self):
        """What the server has comes to nobody until the faults are cleared."""
        self.held = True
        if self.rig.kind.backend == "ews":
            self.rig.exchange.fault(op="SyncFolderItems", do="pause", times=0)
        else:
            self.rig.exchange.fault(op="Sync", do="reset_before", times=0, where={"folder": self.folder, "commands": []})

    def requests(self, stage):
        if self.rig.kind.backend == "ews":
            return [{"op": {"make": "CreateItem", "exceptions": "DeleteItem", "attachments": "CreateAttachment"}[stage]}]
        commands = {"make": ["Add"], "exceptions": ["Change", "Delete"]}[stage]
        return [{"op": "Sync", "where": {"folder": self.folder, "commands": [command]}} for command in commands]

    def lost(self, text, synced, stage="make", theirs=None, **headers):
        """The server makes it (or does what comes before that stage), and says nothing any more. `theirs`: what somebody changes
        then."""
        exchange = self.rig.exchange
        if not synced:
            self.hold_syncs()
        rules = [exchange.fault(times=0, do="lose" if stage == "make" else "reset_before", **rule) for rule in self.requests(stage)]
        answer = self.put(text, **headers)
        assert answer.status == 503, (answer.status, answer.body)
        self.made = self.item()
        if theirs:
            exchange.event("update", num=self.made["num"], event=theirs)
        for rule in rules:
            exchange.call("DELETE", "faults", id=rule)
        if synced:
            self.look()

    def look(self):
        """A sync of the folder has come to its end: something new of somebody else's has been brought, which Ping tells of."""
        title = f"look {next(self.rig.numbers)}"
        day = {"start": "2026-12-24T10:00:00Z", "end": "2026-12-24T11:00:00Z"} if self.folder == "calendar" else {}
        self.rig.exchange.event("create", folder=self.folder, event={"subject": title, **day})
        new = poll(60, lambda: [p for p in set(self.rig.dav.etags(self.home)) - self.before if title in self.rig.dav.get(p).text()])
        self.before |= set(new)

    def item(self):
        found = [e for e in self.rig.exchange.events(folder=self.folder) if e["subject"] in ("mine", "other", "theirs")]
        assert len(found) == 1, found
        return found[0]

    def is_mine(self):
        """One item on the server, one object, under the client's name, with its UID; a client that looks finds it."""
        dav = self.rig.dav
        assert set(dav.etags(self.home)) == self.before | {self.path}
        text = dav.get(self.path).text()
        assert prop(text, "UID") == self.uid, text
        changed, _, _, _ = dav.sync(self.home, self.token)
        assert self.path in changed and set(changed) <= self.before | {self.path}, changed
        assert self.item()["num"] == self.made["num"]
        return text

    def done(self):
        """What comes later changes nothing, and the object can be changed and deleted as ever."""
        self.rig.exchange.clear_faults()
        if self.held:  # ActiveSync takes no change from whoever its Sync has not told of the last one
            if self.rig.kind.backend == "eas":  # whose syncs have failed until now: the next attempt would take its time
                self.rig.restart()
            self.look()
        dav = self.rig.dav
        got = dav.get(self.path)
        summary = prop(got.text(), "SUMMARY")
        answer = self.put(got.text().replace(f"SUMMARY:{summary}", "SUMMARY:theirs"), If_Match=got.headers["ETag"])
        assert answer.status == 204, answer.body
        assert self.item()["subject"] == "theirs"
        rows = self.rig.bridge.sql("alice", "SELECT state, length(asked) FROM journal ORDER BY pk DESC LIMIT 1")
        assert rows == [(2, 0)], rows
        assert dav.ask("DELETE", self.path).status == 204
        assert self.made["num"] not in [e["num"] for e in self.rig.exchange.events(folder=self.folder)]

    def mails(self):
        return [s["meeting"]["method"] for s in self.rig.exchange.submissions()[self.mails_before:] if s.get("meeting")]


@pytest.fixture(scope="module")
def rig(module_stage, kind):
    rig = Rig(module_stage, kind)
    yield rig
    rig.dav.close()


@pytest.fixture
def attempt(rig):
    rig.exchange.clear_faults()
    for folder in ("Calendar", "Tasks"):
        for left in rig.dav.etags(rig.dav.calendars()[folder]):
            assert rig.dav.ask("DELETE", left, headers={"Schedule-Reply": "F"}).status == 204
    return Attempt(rig)


synced = pytest.mark.parametrize("synced", [False, True], ids=["before", "after"])
changed = pytest.mark.parametrize("changed", [False, True], ids=["unchanged", "changed"])
