# SPDX-License-Identifier: Apache-2.0
"""How many requests reach Exchange, prefetch = none, INBOX of 10,000 messages, the last 100 of 50 KB: no more than stands here."""
import json
import math
import subprocess
import time

import pytest

import counting
from bridge import Account, poll, program
from smtptest import message, signed_in

N = 10_000
KINDS = ("ews", "eas")
FIRST_SELECT = {"ews": math.ceil(N / 512) + 3, "eas": math.ceil(N / 100) + 5}
HEADERS = {"ews": 3, "eas": 0}
BODIES = {"ews": 12, "eas": 6}
IDLE_S = 8


class Big:
    """A bridge over the big mailbox, right after its first SELECT, which was counted."""

    def __init__(self, stage, kind):
        self.kind = kind
        self.exchange = stage.exchange("--corpus", str(N - 100), "--kinds", "small")
        self.exchange.corpus(100, mean=50_000, kinds="text", start=N - 100)
        self.bridge = stage.bridge(Account("work", self.exchange, kind), name="big-" + kind)
        # A SELECT before its end shows after a minute what is there, and how much that is depends on the machine.
        poll(400, self.complete, "the first synchronisation does not end")
        imap = self.bridge.login("work", timeout=300)
        self.exists = imap.open("INBOX")["exists"]
        self.first_select = counting.count(self.exchange, 0, kind, folder="inbox")
        self.first_table = counting.table(self.exchange, 0, kind)
        self.uids = imap.uids()
        imap.close()
        counting.settle(self.exchange, kind)

    def complete(self):
        time.sleep(0.3)  # asking is work, too
        out = subprocess.check_output([program(), "status", "--json", "-c", self.bridge.config_path])
        return json.loads(out)["accounts"][0]["state"] == "online"

    def range(self, first, last):
        return f"{self.uids[first]}:{self.uids[last]}"

    def cost(self, command):
        """command(imap) -> its value, and the number of requests it caused."""
        imap = self.bridge.login("work", timeout=120)
        imap.open("INBOX")
        mark = counting.settle(self.exchange, self.kind)
        value = command(imap)
        return value, counting.count(self.exchange, mark, self.kind), mark


@pytest.fixture(scope="module", params=KINDS)
def big(request, module_stage):
    return Big(module_stage, request.param)


def test_first_select(big):
    assert big.exists == N and len(set(big.uids)) == N
    assert big.first_select <= FIRST_SELECT[big.kind], big.first_table


def test_select_again(big):
    mark = counting.settle(big.exchange, big.kind)
    imap = big.bridge.login("work")
    for command in ("SELECT", "EXAMINE"):
        assert imap.open("INBOX", command)["exists"] == N
        assert counting.count(big.exchange, mark, big.kind) <= 1, counting.table(big.exchange, mark, big.kind)
        mark = counting.settle(big.exchange, big.kind)


def test_headers_of_100_messages(big):
    found, requests, mark = big.cost(
        lambda imap: imap.fetch(big.range(2000, 2099), "(FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    assert len(found) == 100 and all(b"ENVELOPE (" in line for _, line in found)
    assert requests <= HEADERS[big.kind], counting.table(big.exchange, mark, big.kind)


def test_flags_and_uids_of_all_messages_cost_nothing(big):
    found, requests, _ = big.cost(lambda imap: imap.fetch("1:*", "(FLAGS INTERNALDATE UID)"))
    assert len(found) == N and requests == 0


def test_headers_again_cost_nothing(big):
    big.cost(lambda imap: imap.fetch(big.range(3000, 3099), "(ENVELOPE)"))
    found, requests, _ = big.cost(lambda imap: imap.fetch(big.range(3000, 3099), "(ENVELOPE BODY.PEEK[HEADER])"))
    assert len(found) == 100 and requests == 0


def test_bodies_of_100_messages(big):
    bodies, requests, mark = big.cost(lambda imap: imap.bodies(big.range(N - 100, N - 1)))
    assert len(bodies) == 100 and 15_000 < sum(map(len, bodies.values())) / 100 < 150_000
    assert requests <= BODIES[big.kind], counting.table(big.exchange, mark, big.kind)
    at_once = max((e["at_once"] for e in counting.entries(big.exchange, mark, big.kind)), default=0)
    assert at_once <= 4
    again, requests, _ = big.cost(lambda imap: imap.fetch(big.range(N - 100, N - 1), "(BODY.PEEK[] BODYSTRUCTURE ENVELOPE RFC822.SIZE)"))
    assert len(again) == 100 and requests == 0


def test_bodies_one_by_one(big):
    """As mbsync and mutt ask: a message at a time."""
    def read(imap):
        return [imap.bodies(str(uid)) for uid in big.uids[5000:5160]]

    bodies, requests, mark = big.cost(read)
    assert len(bodies) == 160 and requests <= 160 / 8, counting.table(big.exchange, mark, big.kind)


def test_nothing_happens_nothing_is_sent(big):
    imap = big.bridge.login("work")
    imap.open("INBOX")
    imap.idle()
    mark = counting.settle(big.exchange, big.kind)
    end = time.monotonic() + IDLE_S
    while time.monotonic() < end:
        assert counting.count(big.exchange, mark, big.kind, start_up=True) == 0, counting.table(big.exchange, mark, big.kind)
        time.sleep(0.5)


def test_select_after_a_restart(big):
    big.bridge.restart()
    mark = big.exchange.mark()
    imap = big.bridge.login("work", timeout=120)
    assert imap.open("INBOX")["exists"] == N
    # start-up looks at each folder, and once more when push has begun; SELECT may want a look of its own
    assert counting.count(big.exchange, mark, big.kind, folder="inbox") <= 3, counting.table(big.exchange, mark, big.kind)
    mark = counting.settle(big.exchange, big.kind)
    assert imap.open("INBOX")["exists"] == N
    assert counting.count(big.exchange, mark, big.kind) <= 1, counting.table(big.exchange, mark, big.kind)
    assert imap.uids() == big.uids


# ---- changing mail; INBOX is not N messages any more, and flags are not the corpus's ----


def changes(big, command):
    """What a command, or several, in INBOX asks of the server."""
    imap = big.bridge.login("work", timeout=120)
    imap.open("INBOX")
    mark = big.exchange.mark()
    command(imap)
    return counting.changes(big.exchange, mark, big.kind)


def test_store_on_50_messages(big):
    def store(what):
        return len(changes(big, lambda imap: imap.ok(f"UID STORE {big.range(1000, 1049)} {what}")))

    assert store(r"FLAGS (\Flagged)") == 1
    assert store(r"+FLAGS.SILENT (\Seen \Flagged)") == 1
    for nothing in (r"FLAGS (\Seen \Flagged)", r"+FLAGS (\Flagged)", r"-FLAGS.SILENT (\Answered $label2)", r"+FLAGS (\Deleted)"):
        assert store(nothing) == 0, nothing
    found, requests, _ = big.cost(lambda imap: imap.flags(big.range(1000, 1049)))
    assert requests == 0 and all({"\\Seen", "\\Flagged", "\\Deleted"} <= flags for flags in found.values())
    assert store(r"FLAGS ()") == 1


def test_move_of_100_messages(big):
    big.bridge.login("work").ok("CREATE Moved")
    assert len(changes(big, lambda imap: imap.ok(f"UID MOVE {big.range(1100, 1199)} Moved"))) == 1
    assert len(big.exchange.items("Moved")) == 100


def test_expunge_of_100_messages(big):
    def expunge(imap):
        imap.ok(rf"UID STORE {big.range(1200, 1299)} +FLAGS.SILENT (\Deleted)")
        imap.ok("EXPUNGE")

    before = len(big.exchange.items("inbox"))
    assert 1 <= len(changes(big, expunge)) <= 2
    assert len(big.exchange.items("inbox")) == before - 100


def test_send(big):
    def send(_):
        assert signed_in(big.bridge).send(["bob@example.com"], message("counted"))[0] == 250

    assert 1 <= len(changes(big, send)) <= 2
    assert [s["message_id"] for s in big.exchange.submissions()] == ["<counted@test.example>"]
