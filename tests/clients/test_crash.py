# SPDX-License-Identifier: Apache-2.0
"""The process is killed at every named point (bridge/base/crash.h) between two steps of a change: after the restart the
server and the client's view agree, and what the client does again, because it got no answer, is not done twice."""
import pathlib
import re
import signal
import sys

import pytest

import bridge as rig
from bridge import Account, poll

sys.path.insert(0, str(pathlib.Path(rig.ROOT, "tests", "smtp")))
from smtptest import message, signed_in  # noqa: E402

CORPUS = 8


def points():
    """All that the sources have, by area: {"submit": ["answered", ...]}."""
    found = {}
    for path in sorted(pathlib.Path(rig.ROOT, "bridge").rglob("*.c")):
        for arguments in re.findall(r"crash_point\(([^;]*)\);", path.read_text()):
            for area, step in re.findall(r'"(\w+)\.(\w+)"', arguments):
                found.setdefault(area, []).append(step)
    return found


class Case:
    """One area on a server of its own: every point is a fresh bridge on the same state."""

    def __init__(self, stage, name):
        self.exchange = stage.exchange("--corpus", str(CORPUS))
        self.bridge = stage.bridge(Account("work", self.exchange), name=name, start=False)

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
        self.bridge.start()

    def same(self):
        """What a client sees in INBOX is what the server has there."""
        imap = self.imap()
        poll(60, lambda: len(imap.uids()) == len(self.exchange.items("inbox")))
        got = sorted(re.search(rb"(?i)message-id: (\S+)", h).group(1).decode()
                     for h in imap.bodies("1:*", "BODY.PEEK[HEADER]").values())
        assert got == sorted(i["message_id"] for i in self.exchange.items("inbox"))


@pytest.fixture
def case(stage, request):
    return Case(stage, request.node.name.split("[")[0])


def test_all_points_are_known():
    assert points() == {area: steps for area, (steps, _) in AREAS.items()}


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
    if point == "answered":
        case.bridge.start()
        case.imap().ok("CREATE Kept")
        case.bridge.stop()
    before = len(kept(case))
    case.crash("move." + point, lambda: case.imap().ok("MOVE 1:2 Kept"))
    case.same()
    imap = case.imap()
    imap.open("Kept")
    poll(60, lambda: len(imap.uids()) == before + 2)
    assert len(kept(case)) == before + 2


def copy(case, point):
    if point == "answered":
        case.bridge.start()
        case.imap().ok("CREATE Kept")
        case.bridge.stop()
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
}


@pytest.mark.parametrize("area", AREAS)
def test_killed_at_every_point(case, area):
    steps, scenario = AREAS[area]
    case.prepared()
    for point in sorted(steps):
        scenario(case, point)
        case.bridge.stop()


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
