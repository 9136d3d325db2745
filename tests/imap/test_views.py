# SPDX-License-Identifier: Apache-2.0
"""Sequence numbers, and what several sessions are told when (RFC 3501 7.4, RFC 9051 7.5.1)."""
import random
import re

from imaptest import message


def settled(server, count):
    w = server.login()
    server.wait(lambda: b"MESSAGES %d)" % count in w.ok("STATUS INBOX (MESSAGES)")[0])
    w.close()


def test_no_expunge_during_fetch_and_search(inbox):
    c = inbox.login()
    c.select()
    inbox.do("rm inbox m2")
    settled(inbox, 4)
    assert len(c.no("FETCH 1:5 FLAGS", "EXPUNGEISSUED")) == 4
    assert not any(b"EXPUNGE" in x for x in c.ok("SEARCH ALL"))
    assert c.ok("NOOP") == [b"* 2 EXPUNGE"]
    assert b"* 4 FETCH" in c.ok("UID FETCH 5 FLAGS")[0]


def test_uid_commands_tell(inbox):
    c = inbox.login()
    c.select()
    inbox.do("rm inbox m2")
    inbox.do("rm inbox m4")
    settled(inbox, 3)
    lines = c.ok("UID FETCH 1 FLAGS")
    assert lines[1:] == [b"* 4 EXPUNGE", b"* 2 EXPUNGE"]


def test_flags_and_new_keywords(inbox):
    c, d = inbox.login(), inbox.login()
    c.select()
    d.select()
    inbox.change("inbox", "m1", "SF", ["Urgent"])
    for client in (c, d):
        inbox.wait(lambda: any(b"* 1 FETCH" in x and b"Urgent" in x for x in collect(client)))
        assert any(x.startswith(b"* FLAGS") and b"Urgent" in x for x in client.seen)


def collect(client):
    """All untagged answers so far, asked for by NOOP."""
    client.seen = getattr(client, "seen", []) + client.ok("NOOP")
    return client.seen


def test_three_sessions_see_the_same_in_the_end(inbox):
    """A model client in each session applies what it is told; in the end all agree with a new session."""
    rng = random.Random(5)
    clients = []
    for _ in range(3):
        c = inbox.login()
        c.select()
        c.uids = [int(re.search(rb"UID (\d+)", x).group(1)) for x in c.ok("FETCH 1:* UID")]
        clients.append(c)

    def apply(c, lines):
        for line in lines:
            m = re.match(rb"\* (\d+) (EXPUNGE|EXISTS)$", line)
            if m and m.group(2) == b"EXPUNGE":
                del c.uids[int(m.group(1)) - 1]
            elif m:
                c.uids += [None] * (int(m.group(1)) - len(c.uids))
            m = re.match(rb"\* (\d+) FETCH \(UID (\d+)", line)
            if m:
                at, uid = int(m.group(1)) - 1, int(m.group(2))
                assert c.uids[at] in (None, uid)
                c.uids[at] = uid

    alive = ["m%d" % i for i in range(1, 6)]
    number = 5
    for _ in range(40):
        what = rng.random()
        if what < 0.4 or not alive:
            number += 1
            alive.append("m%d" % number)
            inbox.item("inbox", alive[-1], message(subject=str(number)), received=1700000000 + number)
        elif what < 0.7:
            inbox.do("rm inbox " + alive.pop(rng.randrange(len(alive))))
        else:
            inbox.change("inbox", rng.choice(alive), rng.choice(["S", "F", "-"]))
        c = rng.choice(clients)
        apply(c, c.ok(rng.choice(["NOOP", "UID SEARCH ALL", "CHECK", "UID FETCH 1:* UID"])))
    settled(inbox, len(alive))
    fresh = inbox.login()
    fresh.select()
    truth = [int(re.search(rb"UID (\d+)", x).group(1)) for x in fresh.ok("FETCH 1:* UID")]
    for c in clients:
        apply(c, c.ok("NOOP"))
        apply(c, c.ok("UID FETCH 1:* UID"))
        assert c.uids == truth


def test_idle_without_a_mailbox_and_wrong_end(inbox):
    c = inbox.login()
    c.send("i IDLE\r\n")
    assert c.line().startswith(b"+ ")
    c.send("done\r\n")
    assert c.finish("i")[0].startswith("OK")
    c.select()
    c.send("i IDLE\r\n")
    assert c.line().startswith(b"+ ")
    c.send("i NOOP\r\n")
    assert c.finish("i")[0].startswith("BAD")
    c.send("i IDLE\r\n" + "x" * 5000 + "\r\nj NOOP\r\n")
    assert c.line().startswith(b"+ ")
    assert c.finish("i")[0].startswith("BAD")
    assert c.finish("j")[0].startswith("OK")


def test_pending_news_come_with_idle(inbox):
    c = inbox.login()
    c.select()
    inbox.item("inbox", "m6", message())
    settled(inbox, 6)
    c.send("i IDLE\r\nDONE\r\n")
    status, lines = c.finish("i")
    assert status.startswith("OK") and b"* 6 EXISTS" in lines


def test_recent_of_the_first_session(inbox):
    c = inbox.login()
    assert "* 5 RECENT" in c.select()
    c.ok("CLOSE")
    d = inbox.login()
    assert "* 0 RECENT" in d.select()
    assert b"Recent" not in d.ok("FETCH 1 FLAGS")[0]


def test_select_says_closed(inbox):
    c = inbox.login()
    c.select()
    lines = c.select("Work")
    assert lines[0].startswith("* OK [CLOSED]") and "* 0 EXISTS" in lines
    lines = [x.decode() for x in c.no("SELECT Nowhere")]
    assert lines[0].startswith("* OK [CLOSED]")
    c.bad("FETCH 1 FLAGS")
    c.ok("EXAMINE INBOX")
    assert c.status.startswith("OK [READ-ONLY]")


def test_empty_mailbox(server):
    c = server.login()
    lines = c.select("Work")
    assert "* 0 EXISTS" in lines
    assert c.ok("UID FETCH 1:* FLAGS") == [] and c.ok("SEARCH ALL") == [b"* SEARCH"]
    c.bad("FETCH 1 FLAGS")


def test_select_during_the_first_sync(start):
    s = start(open_now=False)
    s.do("bulk inbox b 1500 300")
    s.do("page 100")
    s.do("delay sync 100")
    s.do("open")
    c = s.login()
    assert "* 1500 EXISTS" in c.select()
    uids = [int(re.search(rb"UID (\d+)", x).group(1)) for x in c.ok("FETCH 1:* UID")]
    assert uids == list(range(1, 1501))


def test_select_tells_how_far_it_is(start):
    s = start(open_now=False)
    s.do("bulk inbox b 2600 300")
    s.do("page 200")
    s.do("delay sync 1000")
    s.do("open")
    c = s.login(timeout=60)
    lines = c.select()
    assert "* 2600 EXISTS" in lines
    assert any(re.match(r"\* OK Reading the list of messages from the server: \d+", x) for x in lines), lines


def test_server_away_after_the_first_sync(inbox):
    c = inbox.login()
    c.select()
    c.close()
    inbox.do("fail sync offline 1000")
    inbox.do("fail fetch offline 1000")
    c = inbox.login()
    assert "* 5 EXISTS" in c.select()
    assert len(c.ok("FETCH 1:* FLAGS")) == 5
    c.no("FETCH 1 BODY.PEEK[]", "UNAVAILABLE")


def test_restart_keeps_everything(start):
    s = start()
    for i in range(20):
        s.item("inbox", "m%d" % i, message(subject=str(i)), received=1700000000 + i)
    c = s.login()
    before = c.select()
    c.ok("FETCH 1:* BODY.PEEK[]")
    s.stop()
    s = start()
    for i in range(20):
        s.item("inbox", "m%d" % i, message(subject=str(i)), received=1700000000 + i)
    c = s.login()
    after = c.select()
    keep = ("UIDVALIDITY", "UIDNEXT", "MAILBOXID")
    assert [x for x in before if any(k in x for k in keep)] == [x for x in after if any(k in x for k in keep)]
    s.do("reset")
    assert len(c.ok("FETCH 1:* BODY.PEEK[]")) == 20
    assert s.counts()["fetch"] == 0
