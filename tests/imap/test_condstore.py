# SPDX-License-Identifier: Apache-2.0
"""CONDSTORE and QRESYNC (RFC 7162)."""
import re

import pytest

from imaptest import code, message
from test_views import settled


def modseqs(lines):
    """{uid or seq: modseq} of FETCH answers"""
    out = {}
    for line in lines:
        m = re.match(rb"\* (\d+) FETCH \((.*)\)$", line)
        if m:
            uid = re.search(rb"UID (\d+)", m.group(2))
            out[int(uid.group(1) if uid else m.group(1))] = int(re.search(rb"MODSEQ \((\d+)\)", m.group(2)).group(1))
    return out


def highest(client):
    return int(re.search(rb"HIGHESTMODSEQ (\d+)", client.ok("STATUS INBOX (HIGHESTMODSEQ)")[0]).group(1))


def test_modseq_grows(inbox):
    c = inbox.login()
    lines = c.select(extra=" (CONDSTORE)")
    first = int(code(lines, "HIGHESTMODSEQ"))
    old = modseqs(c.ok("FETCH 1:* (UID MODSEQ)"))
    assert len(old) == 5 and max(old.values()) <= first
    inbox.change("inbox", "m3", "SF")
    inbox.wait(lambda: highest(c) > first)
    new = modseqs(c.ok("FETCH 1:* (UID MODSEQ)"))
    assert new[3] > first and all(new[u] == old[u] for u in (1, 2, 4, 5))
    changed = c.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % first)
    assert list(modseqs(changed)) == [3]
    changed = c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % first)
    assert list(modseqs(changed)) == [3]
    assert c.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % new[3]) == []


@pytest.mark.parametrize("command", ["SELECT INBOX (CONDSTORE)", "ENABLE CONDSTORE", "FETCH 1 (MODSEQ)", "FETCH 1 FLAGS (CHANGEDSINCE 1)",
                                     "STATUS INBOX (HIGHESTMODSEQ)", "SEARCH MODSEQ 1"])
def test_enabling_commands(inbox, command):
    c = inbox.login()
    c.select()
    plain = inbox.login()
    plain.select()
    lines = c.ok(command)
    if not command.startswith("SELECT"):
        assert code(lines, "HIGHESTMODSEQ")
    inbox.change("inbox", "m4", "SF")
    inbox.wait(lambda: any(b"FETCH" in x and b"MODSEQ" in x for x in c.ok("NOOP")))
    inbox.wait(lambda: any(b"FETCH" in x and b"MODSEQ" not in x for x in plain.ok("NOOP")))


def test_enable_answers(inbox):
    c = inbox.login()
    assert c.ok("ENABLE QRESYNC UTF8=ACCEPT NONSENSE") == [b"* ENABLED QRESYNC UTF8=ACCEPT"]
    assert c.ok("ENABLE QRESYNC CONDSTORE") == [b"* ENABLED"]


def test_qresync_wants_enable(inbox):
    c = inbox.login()
    c.bad("SELECT INBOX (QRESYNC (1 1))")
    c.select()
    c.bad("UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)")
    c.ok("ENABLE QRESYNC")
    c.bad("FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)")


def test_vanished_instead_of_expunge(inbox):
    c = inbox.login()
    c.ok("ENABLE QRESYNC")
    c.select()
    for m in ("m2", "m3", "m5"):
        inbox.do("rm inbox " + m)
    settled(inbox, 2)
    assert c.ok("NOOP") == [b"* VANISHED 2:3,5"]
    inbox.change("inbox", "m4", "F")
    inbox.wait(lambda: any(re.match(rb"\* 2 FETCH \(UID 4 FLAGS .* MODSEQ", x) for x in c.ok("NOOP")))


def resync(server, uidvalidity, modseq, more=""):
    c = server.login()
    c.ok("ENABLE QRESYNC")
    return c, c.select(extra=" (QRESYNC (%s %s%s))" % (uidvalidity, modseq, more))


def test_qresync(inbox):
    c = inbox.login()
    c.ok("ENABLE QRESYNC")
    lines = c.select()
    validity, modseq = code(lines, "UIDVALIDITY"), code(lines, "HIGHESTMODSEQ")
    c.close()
    inbox.do("rm inbox m2")
    inbox.change("inbox", "m4", "F")
    inbox.item("inbox", "m6", message(subject="six"))
    settled(inbox, 5)
    c, lines = resync(inbox, validity, modseq)
    assert "* VANISHED (EARLIER) 2" in lines
    fetched = [x for x in lines if "FETCH" in x]
    assert [re.match(r"\* (\d+) FETCH \(UID (\d+)", x).groups() for x in fetched] == [("3", "4"), ("5", "6")], fetched
    assert lines.index("* VANISHED (EARLIER) 2") < lines.index(fetched[0])
    now = code(lines, "HIGHESTMODSEQ")
    c.close()
    c, lines = resync(inbox, validity, now)
    assert not [x for x in lines if "FETCH" in x or "VANISHED" in x]
    c.close()
    c, lines = resync(inbox, validity, modseq, " 1,4:5")
    assert not [x for x in lines if "VANISHED" in x] and len([x for x in lines if "FETCH" in x]) == 1
    c.close()
    c, lines = resync(inbox, validity, modseq, " 1:5 (1,3 1,3)")
    assert "* VANISHED (EARLIER) 2" in lines
    c.close()
    c, lines = resync(inbox, int(validity) - 1, modseq)
    assert not [x for x in lines if "FETCH" in x or "VANISHED" in x]


def test_vanished_in_fetch(inbox):
    c = inbox.login()
    c.ok("ENABLE QRESYNC")
    lines = c.select()
    modseq = code(lines, "HIGHESTMODSEQ")
    inbox.do("rm inbox m2")
    inbox.do("rm inbox m5")
    inbox.change("inbox", "m1", "F")
    settled(inbox, 3)
    c.ok("NOOP")
    lines = c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %s VANISHED)" % modseq)
    assert lines[0].startswith(b"* VANISHED (EARLIER) 2")
    assert list(modseqs(lines)) == [1]
    lines = c.ok("UID FETCH 3:4 (FLAGS) (CHANGEDSINCE %s VANISHED)" % modseq)
    assert lines == []


def test_qresync_after_a_restart(start):
    s = start()
    for i in range(1, 11):
        s.item("inbox", "m%d" % i, message(subject=str(i)), received=1700000000 + i)
    c = s.login()
    c.ok("ENABLE QRESYNC")
    lines = c.select()
    validity, modseq = code(lines, "UIDVALIDITY"), code(lines, "HIGHESTMODSEQ")
    s.do("rm inbox m3")
    s.do("rm inbox m4")
    settled(s, 8)
    s.stop()
    s = start()
    for i in range(1, 11):
        if i not in (3, 4):
            s.item("inbox", "m%d" % i, message(subject=str(i)), received=1700000000 + i)
    c, lines = resync(s, validity, modseq)
    assert "* VANISHED (EARLIER) 3:4" in lines
    c.close()
    c, lines = resync(s, validity, 1)  # older than everything: what is not there counts as vanished
    assert any(x.startswith("* VANISHED (EARLIER)") and "3:4" in x for x in lines)


def test_large_qresync_is_sliced(server):
    server.do("bulk inbox b 20000 200")
    c = server.login(timeout=100)
    lines = c.select()
    c.ok("ENABLE QRESYNC")
    other = server.login()
    c.send("x SELECT INBOX (QRESYNC (%s 1))\r\n" % code(lines, "UIDVALIDITY"))
    other.ok("NOOP")
    status, lines = c.finish("x")
    assert status.startswith("OK") and len([x for x in lines if b"FETCH" in x]) >= 19000
