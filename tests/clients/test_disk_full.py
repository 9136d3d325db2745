# SPDX-License-Identifier: Apache-2.0
"""A full disk: what needs room is refused and said why, what does not goes on, and when there is room again all goes on by
itself. Nothing is lost, nothing is there twice. The disk is a small tmpfs, so these tests need root."""
import errno
import json
import os
import re
import subprocess

import kinds
import pytest
from bridge import Account, literal, poll
from davtest import Dav, event
from smtptest import message, signed_in
from test_program import call

BOB = "bob@example.com"
DISK = "disk of this computer is full"


class Disk:
    def __init__(self, path, size):
        self.path = str(path)
        os.makedirs(self.path, mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", self.path], check=True)
        self.ballast = os.path.join(self.path, "ballast")

    def fill(self):
        """Not a byte is left; what files have already, they keep."""
        with open(self.ballast, "ab", buffering=0) as file:
            for piece in (bytes(1 << 20), bytes(4096)):
                try:
                    while True:
                        file.write(piece)
                except OSError as e:
                    assert e.errno == errno.ENOSPC

    def free(self):
        os.unlink(self.ballast)


@pytest.fixture
def disk(tmp_path):
    """disk("state", "8m"): that directory of the bridge lies on a disk of its own."""
    disks = []

    def make(name, size):
        disks.append(Disk(tmp_path / "bridge" / name, size))
        return disks[-1]

    yield make
    for one in disks:
        subprocess.run(["umount", "-l", one.path], check=True)


def told(bridge):
    [account] = json.loads(call("status", "--json", "-c", bridge.config_path).stdout)["accounts"]
    return account


def until_refused(attempt, most=3000):
    """What went well before, and the refusal: a database that has grown has some room inside."""
    done = []
    for n in range(most):
        answer = attempt(n)
        if not answer[0]:
            return done, answer[1]
        done.append(n)
    raise AssertionError("there is no end of room")


def append(imap, subject, body="Hello.\r\n", folder="INBOX"):
    mail = message(subject, body=body)
    imap.send(b"d1 APPEND %s {%d+}\r\n%s\r\n" % (folder.encode(), len(mail), mail))
    answer = imap.finish("d1")[0]
    return answer.startswith("OK"), answer


def subjects(exchange, folder):
    return sorted(re.sub(r"^<(.*)@.*", r"\1", i["message_id"] or "") for i in exchange.items(folder))


def seen(imap, folder="INBOX"):
    """What the client has, by Message-ID."""
    if not imap.open(folder)["exists"]:
        return []
    found = []
    for _, line in imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
        m = re.search(rb"<(.*)@", literal(line))
        found.append(m.group(1).decode() if m else "")
    return sorted(found)


@pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16], ids=str)
def test_state(disk, stage, kind):
    exchange = kind.exchange(stage)
    target = "INBOX" if kind.append else "Drafts"
    for n in range(3):
        exchange.deliver(message(f"first{n}"))
    full = disk("state", "6m")
    bridge = stage.bridge(kind.account("work", exchange), dav=True)
    imap, smtp, dav = bridge.login("work"), signed_in(bridge), Dav(bridge)
    poll(60, lambda: imap.open()["exists"] == 3)
    uids, calendar = imap.uids(), dav.calendar() if kind is kinds.EWS else None
    imap.status_of(target)
    imap.bodies("1")
    full.fill()
    done, answer = until_refused(lambda n: append(imap, f"append{n}", folder=target))
    assert answer.startswith("NO [UNAVAILABLE]") and DISK in answer, answer
    sent, answer = until_refused(lambda n: ((a := smtp.send([BOB], message(f"send{n}")))[0] == 250, a))
    assert answer[0] == 452 and answer[1].startswith("4.3.1 ") and DISK in answer[1], answer
    if calendar:
        stored, answer = until_refused(lambda n: ((a := dav.put(f"{calendar}e{n}.ics", event(f"e{n}"))).status == 201, a))
        assert answer.status == 507, (answer.status, answer.body)
    flags = until_refused(lambda n: ((s := imap.run(rf"UID STORE {uids[0]} {'+-'[n % 2]}FLAGS (\Flagged)")[0]).startswith("OK"), s))
    assert flags[1].startswith("NO [UNAVAILABLE]") and DISK in flags[1], flags
    assert b"first1" in imap.bodies(str(uids[1]))[uids[1]]  # reading goes on
    exchange.deliver(message("meanwhile"))
    poll(60, lambda: bridge.log_lines(r" (warn|error) .*full"), "nothing in the log")
    one = poll(60, lambda: (a := told(bridge))["state"] == "disk" and a, lambda: f"{told(bridge)}")
    assert "full" in one["text"] and one["next"], one
    assert "DISK" in call("status", "-c", bridge.config_path).stdout

    full.free()
    poll(90, lambda: told(bridge)["state"] == "online", lambda: f"{told(bridge)}\n{bridge.tail()}")
    again = bridge.login("work")
    inbox, appended = ["first0", "first1", "first2", "meanwhile"], [f"append{n}" for n in done]
    for folder, expected in {"INBOX": inbox, **({"INBOX": inbox + appended} if kind.append else {"Drafts": appended})}.items():
        poll(60, lambda: seen(again, folder) == sorted(expected) == subjects(exchange, folder.lower()),
             lambda: f"{seen(again, folder)}\n{expected}\n{subjects(exchange, folder.lower())}")
    again.open()
    assert append(again, f"append{len(done)}", folder=target)[0] and signed_in(bridge).send([BOB], message(f"send{len(sent)}"))[0] == 250
    if calendar:
        assert dav.put(f"{calendar}e{len(stored)}.ics", event(f"e{len(stored)}")).status == 201
        assert sorted(e["uid"] for e in exchange.events()) == sorted(f"e{n}" for n in range(len(stored) + 1))
    assert sorted(s["message_id"] for s in exchange.submissions()) == sorted(f"<send{n}@test.example>" for n in range(len(sent) + 1))
    assert subjects(exchange, "sentitems") == sorted(f"send{n}" for n in range(len(sent) + 1))
    before = {uid: literal(line) for uid, line in again.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")}
    assert again.uids()[:3] == uids
    bridge.kill()
    bridge.start()
    again = bridge.login("work")
    again.open()
    assert {uid: literal(line) for uid, line in again.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")} == before
    dav.close()


def test_state_in_a_first_synchronisation(disk, stage):
    exchange = stage.exchange("--corpus", "1500", "--kinds", "small")
    exchange.options(sync_page_max=50)
    exchange.fault(op="SyncFolderItems", do="pause", after=5, times=0)  # INBOX is the first to be read
    full = disk("state", "8m")
    bridge = stage.bridge(Account("work", exchange))
    first = poll(60, lambda: (told(bridge).get("syncing") or {}).get("messages"))
    full.fill()
    exchange.clear_faults()
    one = poll(60, lambda: (a := told(bridge))["state"] == "disk" and a, lambda: f"{told(bridge)}")
    assert "state.db" in one["text"] and "full" in one["text"] and bridge.log_lines(r"error account\[work\]: .*full")
    status = bridge.login("work").run("SELECT INBOX")[0]
    assert status.startswith("NO [UNAVAILABLE]") and DISK in status, status
    bridge.restart()  # what is here stays, what comes waits
    poll(60, lambda: told(bridge)["state"] == "disk", lambda: f"{told(bridge)}")
    full.free()
    poll(60, lambda: told(bridge)["state"] == "online", lambda: f"{told(bridge)}\n{bridge.tail()}")
    imap = bridge.login("work", timeout=90)
    assert imap.open()["exists"] == 1500 and first
    assert len(set(imap.field("1:*", "EMAILID").values())) == 1500 and imap.uids() == list(range(1, 1501))


def test_cache(disk, stage):
    """Only what does not fit in memory is refused; the rest is served without being kept."""
    exchange = stage.exchange("--corpus", "20", "--kinds", "small", "--big", "3000000")
    full = disk("cache", "12m")
    bridge = stage.bridge(Account("work", exchange), dav=True)
    imap, smtp, dav = bridge.login("work"), signed_in(bridge), Dav(bridge)
    assert poll(60, lambda: imap.open()["exists"]) == 21
    calendar = dav.calendar()
    full.fill()
    sizes = {i["message_id"]: len(exchange.mime(i["num"])) for i in exchange.items()}
    small = [n for n in range(1, 22) if sizes[literal_id(imap, n)] < 100_000]
    [big] = [n for n in range(1, 22) if sizes[literal_id(imap, n)] > 2_000_000]
    for _ in range(2):
        assert len(imap.fetch(",".join(map(str, small)), "(BODY.PEEK[])", uid=False)) == len(small)
    status = imap.run(f"FETCH {big} (BODY.PEEK[])")[0]
    assert status.startswith("NO [UNAVAILABLE]") and DISK in status, status
    assert append(imap, "small")[0] and smtp.send([BOB], message("small"))[0] == 250
    assert dav.put(f"{calendar}small.ics", event("small")).status == 201
    large = "0123456789" * 7 + "\r\n"
    ok, answer = append(imap, "large", large * 40_000)
    assert not ok and answer.startswith("NO [UNAVAILABLE]") and DISK in answer, answer
    code, text = smtp.send([BOB], message("large", body=large * 40_000))
    assert code == 452 and text.startswith("4.3.1 ") and DISK in text, text
    exchange.deliver(message("meanwhile"))
    poll(60, lambda: imap.ok("NOOP") is not None and imap.open()["exists"] == 23)
    assert len(bridge.log_lines(r"warn  ?cache.*full")) == 1, bridge.log_lines("warn")
    assert "full" in told(bridge)["cache"]["trouble"] and told(bridge)["state"] == "online"
    assert "full" in call("status", "-c", bridge.config_path).stdout

    full.free()
    assert len(imap.fetch(str(big), "(BODY.PEEK[])", uid=False)) == 1
    assert append(imap, "large", large * 20_000)[0] and smtp.send([BOB], message("large", body=large * 20_000))[0] == 250
    assert subjects(exchange, "inbox").count("large") == 1
    assert sorted(s["message_id"] for s in exchange.submissions()) == ["<large@test.example>", "<small@test.example>"]
    assert told(bridge)["cache"]["trouble"] is None and bridge.log_lines(r"info  ?cache.*again")
    dav.close()


def literal_id(imap, n):
    line = imap.fetch(str(n), "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", uid=False)[0][1]
    return literal(line).split(b":", 1)[1].strip().decode()
