# SPDX-License-Identifier: Apache-2.0
"""Everything at once: several clients, random valid commands, a server that changes, fails, is slow; and clients that leave in
the middle. Nothing may crash, hang, leak, or get an answer out of step. CHAOS_S sets the seconds of one run (default 6)."""
import os
import random
import select
import socket
import time

import pytest

from imaptest import Client, Closed, message

SECONDS = float(os.environ.get("CHAOS_S", "6"))
ITEMS = ["FLAGS", "UID", "ENVELOPE", "BODYSTRUCTURE", "BODY", "RFC822.SIZE", "INTERNALDATE", "MODSEQ", "BODY.PEEK[]", "BODY[TEXT]",
         "BODY.PEEK[HEADER]", "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]", "BODY[1]", "BODY[1.MIME]", "BODY[]<5.100>", "BINARY[1]",
         "BINARY.SIZE[1]", "PREVIEW", "PREVIEW (LAZY)", "SAVEDATE", "EMAILID", "THREADID", "RFC822", "RFC822.HEADER", "BINARY[]<0.9>"]
KEYS = ["ALL", "SEEN", "UNSEEN", "SUBJECT 1", "BODY hello", "TEXT 2", "FROM bob", "SINCE 1-Jan-2020", "LARGER 100", "NOT SEEN", "UID 1:*",
        "OR SEEN SUBJECT 3", "HEADER Message-ID m", "MODSEQ 1", "$", "KEYWORD Red", "YOUNGER 100", "1:*", "SENTSINCE 1-Jan-2020"]
SETS = ["1:*", "*", "1", "2:3", "1,3", "*:2", "4294967295", "$", "1:2,*"]


def command(rng):
    uid = rng.choice(["", "UID "])
    return rng.choice([
        lambda: "%sFETCH %s (%s)" % (uid, rng.choice(SETS), " ".join(sorted(rng.sample(ITEMS, rng.randrange(1, 5)), key=len))),
        lambda: "%sFETCH %s FLAGS (CHANGEDSINCE %d)" % (uid, rng.choice(SETS), rng.randrange(1, 30)),
        lambda: "UID FETCH 1:* FLAGS (CHANGEDSINCE %d VANISHED)" % rng.randrange(1, 30),
        lambda: "%sSEARCH %s" % (uid, " ".join(rng.sample(KEYS, rng.randrange(1, 4)))),
        lambda: "%sSEARCH RETURN (%s) %s" % (uid, " ".join(rng.sample(["MIN", "MAX", "ALL", "COUNT", "SAVE"], 2)), rng.choice(KEYS)),
        lambda: "%sSORT (%s) UTF-8 %s" % (uid, rng.choice(["SUBJECT", "REVERSE DATE", "FROM SIZE", "ARRIVAL"]), rng.choice(KEYS)),
        lambda: "%sTHREAD %s UTF-8 %s" % (uid, rng.choice(["REFERENCES", "ORDEREDSUBJECT", "REFS"]), rng.choice(KEYS)),
        lambda: "SELECT %s%s" % (rng.choice(["INBOX", "Work", "Nowhere"]), rng.choice(["", " (CONDSTORE)", " (QRESYNC (1 2))"])),
        lambda: "EXAMINE INBOX", lambda: "NOOP", lambda: "NOOP", lambda: "CHECK", lambda: "CLOSE", lambda: "UNSELECT", lambda: "ENABLE QRESYNC",
        lambda: "ENABLE UTF8=ACCEPT", lambda: 'LIST "" "%" RETURN (STATUS (MESSAGES UNSEEN SIZE HIGHESTMODSEQ))',
        lambda: 'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', lambda: 'LSUB "" *', lambda: "STATUS INBOX (MESSAGES UIDNEXT)",
        lambda: "SUBSCRIBE Work", lambda: "UNSUBSCRIBE Work", lambda: "CAPABILITY", lambda: "%sSTORE %s %sFLAGS%s (%s)" % (uid, rng.choice(SETS), rng.choice(["", "+", "-"]), rng.choice(["", ".SILENT"]),
                                      rng.choice(["\\Seen", "\\Flagged", "\\Deleted", "Red", "$Forwarded"])),
        lambda: "STORE 1:2 +FLAGS (\\Seen)", lambda: "EXPUNGE", lambda: "UID EXPUNGE 1:*",
        lambda: "%sCOPY %s %s" % (uid, rng.choice(SETS), rng.choice(["Work", "INBOX", "Nowhere"])),
        lambda: "UID MOVE %s %s" % (rng.choice(["1", "2:3", "*"]), rng.choice(["Work", "INBOX"])),
        lambda: "APPEND %s {14+}\r\nSubject: a\r\n\r\n" % rng.choice(["INBOX", "Work", "Nowhere"]) if rng.random() < 0.3 else "NOOP",
        lambda: rng.choice(["CREATE New/Sub", "DELETE New/Sub", "RENAME New/Sub New/Other", "DELETE New/Other", "NOOP", "NOOP"]),
        lambda: "IDLE",
    ])()


class Agent:
    """A client that keeps a few commands in flight and checks that the tagged answers come in order."""

    def __init__(self, port, rng):
        self.c = Client(port)
        self.rng = rng
        self.c.ok("LOGIN work secret")
        self.waiting, self.idle, self.since = [], False, time.monotonic()

    def send(self):
        text = command(self.rng)
        tag = self.c.tag()
        self.c.send("%s %s\r\n" % (tag, text))
        self.waiting.append((tag, text, time.monotonic()))
        if text == "IDLE":
            self.c.send("DONE\r\n")

    def whole_line(self):
        """One answer if all of it is here, else None; nothing is waited for."""
        keep = self.c.buffer
        more, self.c.more = self.c.more, self.nothing_more
        try:
            return self.c.line()
        except BlockingIOError:
            self.c.buffer = keep
            return None
        finally:
            self.c.more = more

    @staticmethod
    def nothing_more():
        raise BlockingIOError()

    def read(self):
        while select.select([self.c.sock], [], [], 0)[0]:
            self.c.more()
        while b"\r\n" in self.c.buffer:
            line = self.whole_line()
            if line is None:
                break
            if not line.startswith((b"* ", b"+ ")):
                tag = line.split()[0].decode()
                assert self.waiting and tag == self.waiting[0][0], (tag, self.waiting)
                assert line.split()[1] in (b"OK", b"NO", b"BAD"), line
                self.waiting.pop(0)
                self.since = time.monotonic()
        if not self.waiting:
            self.since = time.monotonic()
        assert time.monotonic() - self.since < 120, self.waiting


def stir(server, rng, alive, n):
    """One change of the world."""
    what = rng.randrange(12)
    if what < 4 or not alive:
        alive.append("c%d" % n)
        server.item("inbox", alive[-1], message(subject=str(n), message_id="m%d@x" % n, body="hello %d\r\n" % n * rng.randrange(1, 3000)),
                    received=1700000000 + n, categories=rng.choice([(), ("Red",)]))
    elif what < 6:
        server.do("rm inbox " + alive.pop(rng.randrange(len(alive))))
    elif what < 8:
        server.change("inbox", rng.choice(alive), rng.choice(["S", "SF", "-"]), rng.choice([(), ("Red", "Bl%d" % (n % 5))]))
    elif what == 8:
        server.do("delay fetch %d" % rng.choice([0, 0, 5, 50]))
    elif what == 9:
        server.do("fail %s %s 1" % (rng.choice(["fetch", "sync", "fetch", "watch", "write", "write"]), rng.choice(["offline", "throttled", "protocol", "not_found"])))
    elif what == 10:
        server.do(rng.choice(["stale inbox", "page 3", "page 512", "delay sync 20", "delay sync 0"]))
    else:
        server.do(rng.choice(["quiet on", "quiet off", "wake inbox"]))


@pytest.mark.parametrize("seed", range(3))
def test_chaos(start, seed):
    seed = int(os.environ.get("CHAOS_SEED", "0")) + seed
    rng = random.Random(seed)
    server = start("writes" if seed % 3 else "debug-off", rng.choice(["exact-size", "prefetch=all", "prefetch=headers", "prefetch=none"]))
    alive, agents, n = [], [], 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        n += 1
        if rng.random() < 0.3:
            stir(server, rng, alive, n)
        if len(agents) < 5:
            agents.append(Agent(server.port, rng))
        agent = rng.choice(agents)
        try:
            if len(agent.waiting) < 4:
                agent.send()
            agent.read()
        except (Closed, ConnectionResetError, BrokenPipeError):
            agent.c.close()  # too many bad commands: BYE
            agents.remove(agent)
            continue
        if rng.random() < 0.02:
            if rng.random() < 0.5:
                agent.c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            agent.c.close()
            agents.remove(agent)
    for agent in agents:
        try:
            while agent.waiting:
                agent.read()
                time.sleep(0.01)
        except (Closed, ConnectionResetError):
            pass
        agent.c.close()
    server.wait(lambda: server.do("sessions") == "0")
