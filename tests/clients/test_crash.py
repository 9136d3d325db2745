# SPDX-License-Identifier: Apache-2.0
"""The process is killed at every named point (bridge/base/crash.h) between two steps of a change: after the restart the
server and the client's view agree, and what the client does again, because it got no answer, is not done twice."""
import pathlib
import re
import signal
import sys

import pytest

import bridge as rig
import kinds
from bridge import Account, poll

sys.path[:0] = [str(pathlib.Path(rig.ROOT, "tests", name)) for name in ("smtp", "caldav")]
from davtest import Dav, event  # noqa: E402
from smtptest import message, signed_in  # noqa: E402

CORPUS = 8


def points():
    """All that the sources have, by area: {"submit": {"answered", ...}}."""
    found = {}
    for folder in ("bridge", "backends", "protocols", "certs"):
        for path in sorted(pathlib.Path(rig.ROOT, folder).rglob("*.c")):
            for arguments in re.findall(r"\bcrash_point\(([^;]*)\);", path.read_text()):
                names = re.findall(r'"(\w+)\.(\w+)"', arguments)
                assert names, f"{path}: a point without a name: {arguments}"
                for area, step in names:
                    found.setdefault(area, set()).add(step)
    return found


class Case:
    """One area on a server of its own: every point is a fresh bridge on the same state."""

    def __init__(self, stage, name, kind):
        self.kind = kind
        self.exchange = kind.exchange(stage, "--corpus", str(CORPUS))
        self.bridge = stage.bridge(kind.account("work", self.exchange, email="alice@example.com"), name=name, start=False, dav=True)
        self.first = True

    def imap(self):
        imap = self.bridge.login("work")
        imap.open("INBOX")
        return imap

    def prepared(self):
        """Running, and in step with the server: what comes next is the action's."""
        self.bridge.start()
        imap = self.imap()
        poll(60, lambda: len(imap.uids()) == len(self.exchange.items("inbox")))
        self.bridge.stop()

    def crash(self, point, action):
        self.crash_only(point, action)
        self.bridge.start()

    def crash_only(self, point, action):
        self.bridge.environment = {"EXBRIDGE_CRASH_AT": point}
        self.bridge.start(ready=False)
        try:
            poll(60, lambda: "ready: " in self.bridge.log(now=True) or self.bridge.process.poll() is not None)
            action()
        except (OSError, EOFError, rig.imaptest.Closed):
            pass
        assert self.bridge.process.wait(60) == -signal.SIGKILL, self.bridge.tail()
        self.bridge.process = None
        self.bridge.close_clients()
        self.bridge.environment = {}

    def same(self):
        """What a client sees in INBOX is what the server has there."""
        imap = self.imap()
        poll(60, lambda: len(imap.uids()) == len(self.exchange.items("inbox")))
        got = sorted(re.search(rb"(?i)message-id: (\S+)", h).group(1).decode()
                     for h in imap.bodies("1:*", "BODY.PEEK[HEADER]").values())
        assert got == sorted(i["message_id"] for i in self.exchange.items("inbox"))


    def once(self, command):
        """Said before the first point of an area."""
        if self.first:
            self.bridge.start()
            self.imap().ok(command)
            self.bridge.stop()
        self.first = False

    def dav(self):
        dav = Dav(self.bridge)
        dav.sign_in("alice@example.com")
        self.calendars = poll(60, lambda: dav.calendars())
        return dav


def test_all_points_are_known():
    """Whoever writes a new one adds it below, or to the test that has its own way to arrive there."""
    walked = {area: set(steps) for area, (steps, _) in AREAS.items()}
    elsewhere = pathlib.Path(rig.ROOT, "tests", "auth", "test_oauth_renewal.py").read_text()
    walked["oauth"] = set(re.findall(r'"oauth\.(\w+)"', elsewhere))
    retried = pathlib.Path(rig.ROOT, "tests", "caldav", "test_retried_points.py").read_text()
    walked["event_retry"] = set(re.findall(r'"event_retry\.(\w+)"', retried))
    meetings = pathlib.Path(rig.ROOT, "tests", "caldav", "test_meetings_points.py").read_text()
    for area in ("held", "owed", "event_reply"):
        walked[area] = set(re.findall(rf'"{area}\.(\w+)"', meetings))
    assert points() == walked
    assert set(AREAS) == set().union(*WALKS.values())


def submit(case, point):
    def send():
        return signed_in(case.bridge, timeout=150).send(["bob@example.com"], message(point))[0]

    case.crash("submit." + point, send)
    poll(60, lambda: send() == 250)
    message_id = f"<{point}@test.example>"
    assert sum(s["message_id"] == message_id for s in case.exchange.submissions()) == 1
    assert sum(i["message_id"] == message_id for i in case.exchange.items("sentitems")) == 1


def append(case, point):
    data = message("append-" + point)

    def store():
        return command(case.imap(), b"APPEND INBOX (\\Seen)", data)

    case.crash("append." + point, store)
    answer = store()
    uid = int(re.search(r"^OK \[APPENDUID \d+ (\d+)\]", answer).group(1))
    case.same()
    assert case.imap().bodies(str(uid)) == {uid: data}
    assert with_id(case, f"append-{point}") == 1
    several(case, point)


def command(imap, head, *messages):
    imap.send(b"ap1 " + head + b"".join(b" {%d+}\r\n" % len(m) + m for m in messages) + b"\r\n")
    return imap.finish("ap1")[0]


def with_id(case, name, folder="inbox"):
    return sum(i["message_id"] == f"<{name}@test.example>" for i in case.exchange.items(folder))


def several(case, point):
    """MULTIAPPEND: all or none is there after the restart, and all after the client's second attempt."""
    names = [f"{letter}-{point}" for letter in "abc"]

    def store():
        return command(case.imap(), b"APPEND INBOX", *(message(name) for name in names))

    case.bridge.stop()
    case.crash("append." + point + (":2" if point == "answered" else ""), store)
    poll(60, lambda: [with_id(case, name) for name in names] == [1 if point in ("stored", "done") else 0] * 3)
    assert re.search(r"^OK \[APPENDUID \d+ [\d:,]+\]", store())
    assert [with_id(case, name) for name in names] == [1] * 3
    case.same()


def replace(case, point):
    case.bridge.start()
    imap = case.imap()
    old = re.search(r"APPENDUID \d+ (\d+)", command(imap, b"APPEND Drafts (\\Draft)", message("old-" + point))).group(1)
    case.bridge.stop()

    def again():
        imap = case.imap()
        imap.open("Drafts")
        return command(imap, b"UID REPLACE %s Drafts (\\Draft)" % old.encode(), message("new-" + point))

    case.crash("replace." + point, again)
    poll(60, lambda: with_id(case, "old-" + point, "drafts") == 0)
    assert with_id(case, "new-" + point, "drafts") == 1
    assert re.match(r"OK|NO \[NONEXISTENT\]", again())
    assert with_id(case, "new-" + point, "drafts") == 1


def merge(case, point):
    """The client files its copy before it sends: the server's goes, and the client's stays."""
    data = message("merge-" + point)

    def save_and_send():
        command(case.imap(), b"APPEND \"Sent Items\" (\\Seen)", data)
        signed_in(case.bridge, timeout=150).send(["bob@example.com"], data)
        poll(60, lambda: case.bridge.process.poll() is not None)
        raise EOFError

    case.crash("merge." + point, save_and_send)
    poll(60, lambda: with_id(case, "merge-" + point, "sentitems") == 1)


def flags(case, point):
    seq = 1 if point == "answered" else 2
    case.crash("flags." + point, lambda: case.imap().ok(rf"STORE {seq} +FLAGS (\Flagged own-{point})"))
    imap = case.imap()
    poll(60, lambda: rb"\Flagged" in imap.ok(f"FETCH {seq} (FLAGS)")[0])
    imap.ok(rf"STORE {seq} +FLAGS (\Flagged own-{point})")
    assert sum(f"own-{point}" in i["categories"] for i in case.exchange.items("inbox")) == 1
    case.same()


def kept(case):
    return case.exchange.items(next(f["path"] for f in case.exchange.folders() if f["name"] == "Kept"))


def move(case, point):
    case.once("CREATE Kept")
    before = len(kept(case))
    case.crash("move." + point, lambda: case.imap().ok("MOVE 1:2 Kept"))
    case.same()
    imap = case.imap()
    imap.open("Kept")
    poll(60, lambda: len(imap.uids()) == before + 2)
    assert len(kept(case)) == before + 2


def copy(case, point):
    case.once("CREATE Kept")
    before = len(kept(case))
    case.crash("copy." + point, lambda: case.imap().ok("COPY 1:2 Kept"))
    case.same()
    imap = case.imap()
    imap.open("Kept")
    poll(60, lambda: len(imap.uids()) == len(kept(case)) == before + 2)


def expunge(case, point):
    before = len(case.exchange.items("inbox"))

    def action():
        imap = case.imap()
        imap.ok(r"STORE 1:2 +FLAGS.SILENT (\Deleted)")
        imap.ok("EXPUNGE")

    case.crash("expunge." + point, action)
    case.same()
    assert len(case.exchange.items("inbox")) == before - 2


def names(case, pattern="%"):
    imap = case.bridge.login("work")
    answer = b"".join(imap.ok(f'LIST "" "{pattern}"')).decode()
    imap.close()
    return answer


def create(case, point):
    case.crash("create." + point, lambda: case.imap().ok(f"CREATE New-{point}"))
    poll(60, lambda: f"New-{point}" in names(case))
    case.imap().no(f"CREATE New-{point}", "ALREADYEXISTS")


def rename(case, point):
    case.bridge.start()
    case.imap().ok(f"CREATE Old-{point}")
    case.bridge.stop()
    case.crash("rename." + point, lambda: case.imap().ok(f"RENAME Old-{point} Young-{point}"))
    poll(60, lambda: f"Young-{point}" in names(case) and f"Old-{point}" not in names(case))


def delete(case, point):
    case.bridge.start()
    case.imap().ok(f"CREATE Gone-{point}")
    case.bridge.stop()
    case.crash("delete." + point, lambda: case.imap().ok(f"DELETE Gone-{point}"))
    poll(60, lambda: f"Gone-{point}" not in names(case))


def sync(case, point):
    """New mail arrives, and the page that brings it is the last thing the process does."""
    case.exchange.deliver(subject="while it was away")
    case.crash(f"sync.{point}", lambda: case.imap().ok("NOOP"))
    case.same()


def folders(case, point):
    case.exchange.folder("create", name="FromOutlook-" + point)
    case.crash("folders." + point, lambda: names(case))
    poll(60, lambda: "FromOutlook-" + point in names(case))
    case.same()


def batch(case, point):
    """ActiveSync: changes, and a draft, on a SyncKey that is written down before they go out."""
    seq = {"answered": 1, "recorded": 2, "written": 3}[point]
    case.crash("batch." + point, lambda: case.imap().ok(rf"STORE {seq} +FLAGS (\Flagged own-{point})"))
    imap = case.imap()
    imap.ok(rf"STORE {seq} +FLAGS (\Flagged own-{point})")
    assert sum(f"own-{point}" in i["categories"] for i in case.exchange.items("inbox")) == 1
    case.same()
    if not case.kind.draft:
        return
    case.bridge.stop()

    def store():
        return command(case.imap(), b"APPEND Drafts (\\Draft)", message("draft-" + point))

    case.crash("batch." + point, store)
    uid = int(re.search(r"^OK \[APPENDUID \d+ (\d+)\]", poll(60, store)).group(1))
    assert len(case.exchange.items("drafts")) == seq
    imap = case.bridge.login("work")
    imap.open("Drafts")
    poll(60, lambda: imap.uids()[-1:] == [uid] and len(imap.uids()) == seq)


def events(case, folder="calendar"):
    return [e["subject"] for e in case.exchange.events(folder)]


def put(case, point):
    """Stored, then changed. The client's name for it is not what a sync would make of its UID."""
    name = "event-" + point

    def store(summary):
        dav = case.dav()
        return dav.put(case.calendars["Calendar"] + name + ".ics", event("uid-" + name, summary=summary)).status

    for n, summary in enumerate((name, "changed-" + point)):
        if n and point == "journaled":  # a change needs no journal
            break
        case.crash("event." + point, lambda: store(summary))
        assert store(summary) in (201, 204)  # though our own change, of which nobody lived to hear, may not be back yet
        assert events(case).count(summary) == 1 and len([s for s in events(case) if s.endswith("-" + point)]) == 1
        dav = case.dav()
        assert f"SUMMARY:{summary}\r\n" in dav.get(case.calendars["Calendar"] + name + ".ics").text()
        case.bridge.stop()


def put_away(case, point):
    case.bridge.start()
    dav, name = case.dav(), "gone-" + point
    assert dav.put(case.calendars["Calendar"] + name + ".ics", event(name, summary=name)).status == 201
    case.bridge.stop()
    case.crash("event_gone." + point, lambda: case.dav().ask("DELETE", case.calendars["Calendar"] + name + ".ics"))
    dav = case.dav()
    assert dav.ask("DELETE", case.calendars["Calendar"] + name + ".ics").status in (204, 404)
    poll(60, lambda: name not in str(dav.etags(case.calendars["Calendar"])))
    assert name not in events(case)


def put_elsewhere(case, point):
    if case.first:
        case.exchange.folder("create", name="Elsewhere", **{"class": "IPF.Appointment"})
    case.first = False
    case.bridge.start()
    dav, name = case.dav(), "moved-" + point
    poll(60, lambda: "Elsewhere" in case.calendars or case.dav() and False)
    assert dav.put(case.calendars["Calendar"] + name + ".ics", event(name, summary=name)).status == 201
    case.bridge.stop()

    def move_it():
        dav = case.dav()
        target = f"https://localhost:{case.bridge.dav_port}{case.calendars['Elsewhere']}{name}.ics"
        return dav.ask("MOVE", case.calendars["Calendar"] + name + ".ics", headers={"Destination": target, "Overwrite": "F"})

    case.crash("event_moved." + point, move_it)
    again, dav, path = move_it(), case.dav(), case.calendars["Elsewhere"] + name + ".ics"
    assert again.status == 201 and name in events(case, "Elsewhere") and events(case) == []
    assert f"SUMMARY:{name}\r\n" in dav.get(path).text() and dav.etags(case.calendars["Calendar"]) == {}
    poll(60, lambda: len(dav.etags(case.calendars["Elsewhere"])) == len(events(case, "Elsewhere")))
    assert move_it().status == 404  # the answer was heard


def put_over(case, point):
    """COPY and MOVE over another object: whatever dies, neither the new one nor (before the new one is there) the old one is lost.
    What the client asks again is done once, and answered as if nothing had happened; a MOVE comes to its end without being asked."""
    if case.first:
        case.exchange.folder("create", name="Elsewhere", **{"class": "IPF.Appointment"})
    case.first = False
    point = point if "." in point else "event_replaced." + point
    case.bridge.start()
    for method, asks in (("COPY", True), ("MOVE", True), ("MOVE", False)):
        if point.startswith("event." if method == "MOVE" else "event_moved."):
            continue
        dav, name = case.dav(), f"{method}-{point}-{asks}".lower()
        poll(60, lambda: "Elsewhere" in case.calendars or case.dav() and False)
        source, target = (case.calendars[c] + name + ".ics" for c in ("Calendar", "Elsewhere"))
        assert dav.put(source, event("new-" + name, "X-MINE:yes", summary="new")).status == 201
        assert dav.put(target, event("old-" + name, summary="old")).status == 201
        case.bridge.stop()

        def overwrite():
            headers = {"Destination": f"https://localhost:{case.bridge.dav_port}{target}"}
            return case.dav().ask(method, source, headers=headers).status

        case.crash_only(point, overwrite)
        assert events(case, "Elsewhere").count("new") + events(case).count("new") >= 1
        assert "new" in events(case, "Elsewhere") or "old" in events(case, "Elsewhere")
        case.bridge.start()
        never = point == "event_moved.journaled"  # the server was not asked
        if asks:
            assert overwrite() in ((201, 204) if (method, point) == ("COPY", "event_replaced.answered") else (204,))
        dav = case.dav()
        if not asks:
            poll(60, lambda: events(case, "Elsewhere") == (["old"] if never else ["new"]))
        else:
            assert events(case, "Elsewhere") == ["new"]
        assert events(case) == (["new"] if method == "COPY" or (never and not asks) else [])
        poll(60, lambda: list(dav.etags(case.calendars["Elsewhere"])) == [target])
        if asks or not never:
            text = dav.get(target).text()
            assert "SUMMARY:new" in text and "UID:new-" in text and "X-MINE:yes" in text
        poll(60, lambda: len(dav.etags(case.calendars["Calendar"])) == len(events(case)))
        if method == "MOVE" and asks:
            assert overwrite() == 404  # the answer was heard
        for path in [*dav.etags(case.calendars["Elsewhere"]), *dav.etags(case.calendars["Calendar"])]:
            assert dav.ask("DELETE", path).status == 204


REPLACING = ["event.journaled", "event.answered", "event.stored", "event_moved.journaled", "event_moved.answered",
             "event_moved.stored"]


AREAS = {
    "submit": (["answered", "settled", "marked", "journaled"], submit),
    "append": (["journaled", "done", "stored", "answered"], append),
    "replace": (["answered", "stored"], replace),
    "merge": (["answered"], merge),
    "flags": (["answered", "stored"], flags),
    "move": (["answered", "stored"], move),
    "copy": (["answered", "stored"], copy),
    "expunge": (["answered", "stored"], expunge),
    "create": (["listed", "answered"], create),
    "rename": (["listed", "answered"], rename),
    "delete": (["listed", "answered"], delete),
    "sync": (["answered", "stored"], sync),
    "folders": (["stored"], folders),
    "batch": (["written", "answered", "recorded"], batch),
    "event": (["journaled", "answered", "stored"], put),
    "event_gone": (["answered", "stored"], put_away),
    "event_moved": (["journaled", "answered", "stored"], put_elsewhere),
    "event_replaced": (["answered", "stored"], put_over),
}


# Which of them each kind of server has.
WALKS = {
    kinds.EWS: set(AREAS) - {"batch"},
    kinds.EAS_16: {"submit", "flags", "move", "expunge", "create", "rename", "delete", "sync", "folders", "batch", "replace",
                   "event_moved", "event_replaced"},
    kinds.EAS_14: {"submit", "batch", "move", "event_moved", "event_replaced"},
}


@pytest.mark.parametrize("kind,area", [pytest.param(k, a, id=f"{k}-{a}") for k in WALKS for a in AREAS if a in WALKS[k]])
def test_killed_at_every_point(stage, kind, area):
    steps, scenario = AREAS[area]
    steps = [*steps, *(REPLACING if area == "event_replaced" else ())]
    case = Case(stage, area, kind)
    case.prepared()
    for point in sorted(steps):
        scenario(case, point)
        case.bridge.stop()


def test_taken_back_late(stage):
    """Half a MULTIAPPEND that could not be taken back at once, because the server has forgotten the sync state, and that a page
    shows meanwhile: it goes from here, too."""
    case = Case(stage, "late", kinds.EAS_16)
    stage.expected = ("Ping of a folder that was never synced",)
    case.prepared()
    case.crash_only("append.answered:3", lambda: command(case.imap(), b"APPEND Drafts (\\Draft)", *(message(n) for n in "abc")))
    assert len(case.exchange.items("drafts")) == 3
    case.exchange.invalidate()

    def shown():
        imap = case.bridge.login("work")
        imap.open("Drafts")
        count = len(imap.uids())
        imap.close()
        return count

    case.bridge.start()
    poll(60, lambda: shown() == 3)
    case.bridge.restart()
    poll(60, lambda: not case.exchange.items("drafts"))
    poll(60, lambda: shown() == 0)


def test_first_sync(stage):
    """Killed page by page, from nothing: UIDs are given once, in the order of arrival."""
    exchange = stage.exchange("--corpus", "60")
    bridge = stage.bridge(Account("work", exchange), start=False)
    for point in ("folders.stored", "sync.answered", "sync.stored", "sync.stored:2", "sync.answered:3"):
        bridge.environment = {"EXBRIDGE_CRASH_AT": point}
        bridge.start(ready=False)
        assert bridge.process.wait(60) == -signal.SIGKILL, bridge.tail()
        bridge.process = None
    bridge.environment = {}
    bridge.start()
    imap = bridge.login("work")
    imap.open("INBOX")
    order = sorted(exchange.items("inbox"), key=lambda i: (i["received"], i["num"]))
    assert imap.uids() == list(range(1, len(order) + 1))
    bodies = imap.bodies("1:*", "BODY.PEEK[HEADER]")
    got = [re.search(rb"(?i)message-id: (\S+)", bodies[uid]).group(1).decode() for uid in sorted(bodies)]
    assert got == [i["message_id"] for i in order]
