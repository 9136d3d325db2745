# SPDX-License-Identifier: Apache-2.0
"""STORE, COPY, MOVE, EXPUNGE, APPEND and the mailbox commands over a backend that can write: one dialogue each, what other sessions
are told, and what happens when the server says no. (What reading sees of it is in the other files.)"""
import re

import pytest

from imaptest import code, message

CAPS_NO_KEYWORDS = 1 | 2 | 16 | 64  # CAP_COPY, CAP_APPEND, CAP_ANSWERED, CAP_PUSH_ALL


@pytest.fixture
def s(start):
    server = start("writes")
    for i in range(1, 6):
        server.item("inbox", "m%d" % i, message(subject="Number %d" % i, message_id="m%d@x" % i), received=1700000000 + i)
    return server


@pytest.fixture
def c(s):
    client = s.login()
    lines = client.select()
    assert client.status.startswith("OK [READ-WRITE]")
    assert "\\Seen" in code(lines, "PERMANENTFLAGS")
    return client


def flags(client, seq):
    return set(re.search(rb"FLAGS \(([^)]*)\)", client.ok("FETCH %d FLAGS" % seq)[-1]).group(1).decode().split()) - {"\\Recent"}


def test_capabilities(c):
    words = c.ok("CAPABILITY")[0].decode().split()
    assert "UIDPLUS" in words and "MOVE" in words


def test_store(c, s):
    other = s.login()
    other.select()
    lines = c.ok("STORE 2 +FLAGS (\\Seen \\Flagged)")
    assert any(x.startswith(b"* 2 FETCH (") and b"\\Flagged \\Seen" in x for x in lines)
    assert flags(c, 2) == {"\\Seen", "\\Flagged"}
    assert not [x for x in c.ok("UID STORE 3 FLAGS.SILENT (\\Answered)") if b"FETCH (FLAGS" in x or b"UID 3 FLAGS" in x]
    assert flags(c, 3) == {"\\Answered"}
    c.ok("STORE 2 -FLAGS (\\Flagged)")
    assert flags(c, 2) == {"\\Seen"}
    seen = []
    s.wait(lambda: (seen.extend(other.ok("NOOP")) or any(x.startswith(b"* 2 FETCH") and b"Flagged" not in x for x in seen)))
    c.bad("STORE 9 +FLAGS (\\Seen)")
    s.do("fail write denied 1")
    c.no("STORE 1 +FLAGS (\\Seen)")
    assert flags(c, 1) == set()


def test_unchangedsince(c, s):
    modseq = int(re.search(rb"MODSEQ \((\d+)\)", c.ok("FETCH 1 (MODSEQ)")[-1]).group(1))
    c.ok("STORE 1 (UNCHANGEDSINCE %d) +FLAGS (\\Seen)" % modseq)
    status, _ = c.run("STORE 1 (UNCHANGEDSINCE %d) +FLAGS (\\Flagged)" % modseq)
    assert "[MODIFIED 1]" in status
    assert flags(c, 1) == {"\\Seen"}


def test_seen_by_fetch(c, s):
    assert flags(c, 4) == set()
    c.ok("FETCH 4 BODY.PEEK[]")
    assert flags(c, 4) == set()
    lines = c.ok("FETCH 4 BODY[TEXT]")
    assert any(b"\\Seen" in x for x in lines)
    assert flags(c, 4) == {"\\Seen"}
    s.do("reset")
    c.ok("FETCH 4 BODY[TEXT]<0.3>")
    assert s.counts()["write"] == 0
    c.ok("FETCH 1:3 (FLAGS BODY[HEADER.FIELDS (SUBJECT)])")
    assert s.counts()["write"] == 1 and flags(c, 3) == {"\\Seen"}
    lines = [x for x in c.ok("UID FETCH 5 BODY[TEXT]") if b"FETCH (" in x]  # RFC 3501 6.4.8: UID in whatever a UID command causes
    assert len(lines) == 2 and all(x.startswith(b"* 5 FETCH (UID 5 ") for x in lines)
    c.ok("STORE 5 -FLAGS (\\Seen)")
    s.do("fail write offline 1")
    c.ok("FETCH 5 BODY[]")
    assert flags(c, 5) == set()
    c.ok("EXAMINE INBOX")
    c.ok("FETCH 5 BODY[]")
    assert flags(c, 5) == set()
    c.no("STORE 5 +FLAGS (\\Seen)")


def test_copy_and_move(c, s):
    c.ok("UID COPY 1:2 Work")
    m = re.match(r"OK \[COPYUID (\d+) 1:2 (\S+)\]", c.status)
    assert m, c.status
    lines = c.ok("UID MOVE 3,5 Work")
    moved = [x for x in lines if b"COPYUID" in x] or [c.status.encode()]
    assert b"COPYUID" in moved[0]
    assert [x for x in lines if b"EXPUNGE" in x] in ([b"* 5 EXPUNGE", b"* 3 EXPUNGE"], [b"* 3 EXPUNGE", b"* 4 EXPUNGE"])
    status = c.ok("STATUS Work (MESSAGES UIDVALIDITY)")[0]
    assert b"MESSAGES 4" in status and m.group(1).encode() in status
    assert len(c.ok("FETCH 1:* UID")) == 3
    c.no("UID COPY 1 Nowhere", "TRYCREATE")
    c.no("UID MOVE 1 Nowhere", "TRYCREATE")
    s.do("fail write offline 1")
    c.no("UID MOVE 1 Work", "UNAVAILABLE")
    assert len(c.ok("FETCH 1:* UID")) == 3


def test_expunge(c, s):
    other = s.login()
    other.select()
    c.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    assert [x for x in c.ok("UID EXPUNGE 1:3") if b"EXPUNGE" in x] == [b"* 2 EXPUNGE"]
    assert [x for x in c.ok("EXPUNGE") if b"EXPUNGE" in x] == [b"* 3 EXPUNGE"]
    assert len(c.ok("FETCH 1:* UID")) == 3
    seen = []
    s.wait(lambda: seen.extend(x for x in other.ok("NOOP") if b"EXPUNGE" in x) or len(seen) == 2)
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    s.do("fail write offline 1")
    assert [x for x in c.ok("CLOSE") if x.startswith(b"* NO [UNAVAILABLE]")]  # nothing else could be said of it
    assert "* 3 EXISTS" in c.select()
    assert c.ok("CLOSE") == [] and "* 2 EXISTS" in c.select()


def test_append(c, s):
    raw = message(subject="appended", message_id="app@x")
    c.send(b'x APPEND INBOX (\\Seen $Forwarded) "23-Nov-2026 10:11:12 +0100" {%d}\r\n' % len(raw))
    assert c.line().startswith(b"+ ")
    c.send(raw + b"\r\n")
    status, lines = c.finish("x")
    m = re.match(r"OK \[APPENDUID (\d+) (\d+)\]", status)
    assert m and b"* 6 EXISTS" in lines + c.ok("NOOP"), (status, lines)
    got = c.ok("UID FETCH %s (FLAGS INTERNALDATE BODY.PEEK[])" % m.group(2))[0]
    assert raw in got and b'"23-Nov-2026 09:11:12 +0000"' in got and b"\\Seen" in got
    c.send(b"y APPEND Nowhere {%d+}\r\n" % len(raw) + raw + b"\r\n")
    assert c.finish("y")[0].startswith("NO [TRYCREATE]")
    s.do("fail write quota 1")
    c.send(b"z APPEND INBOX {%d+}\r\n" % len(raw) + raw + b"\r\n")
    assert c.finish("z")[0].startswith("NO [OVERQUOTA]")
    c.ok("NOOP")


def test_append_cut_off(s):
    raw = message(subject="cut")
    for n in (0, 1, len(raw) // 2, len(raw)):
        c = s.login()
        c.send(b"x APPEND INBOX {%d+}\r\n" % len(raw) + raw[:n])
        c.close()
    s.wait(lambda: s.do("sessions") == "0")
    assert "* 5 EXISTS" in s.login().select()


def test_mailboxes(c, s):
    c.ok("CREATE Projects/2026")
    names = [x.split(b'"/" ')[1] for x in c.ok('LIST "" "Projects*"')]
    assert names == [b"Projects", b"Projects/2026"]
    c.ok("RENAME Projects/2026 Projects/Old")
    assert b"Projects/Old" in b"".join(c.ok('LIST "" "Projects*"'))
    c.ok("DELETE Projects/Old")
    assert b"Old" not in b"".join(c.ok('LIST "" "Projects*"'))
    c.no("CREATE Work")
    c.no("DELETE INBOX", "CANNOT")
    c.no("DELETE Nowhere", "NONEXISTENT")
    c.no("RENAME Nowhere x", "NONEXISTENT")


def test_created_mailboxes_have_their_id(c):
    """RFC 8474 4.1."""
    c.ok("CREATE Projects/")
    made = re.match(r"OK \[MAILBOXID \((\S+)\)\]", c.status)
    assert made and b"MAILBOXID (%s)" % made.group(1).encode() in c.ok("STATUS Projects (MAILBOXID)")[0]


def test_names_that_no_mailbox_can_have(c):
    before = c.ok('LIST "" *')
    for name in ('/', '/a', 'a//b', 'a/', 'a//', 'a/../b', '.', 'a&b', ''):
        if name != 'a/':
            c.no('CREATE "%s"' % name, "CANNOT")
        if name not in ('a/', ''):
            c.no('RENAME Work "%s"' % name, "CANNOT")
    c.no("CREATE inbox", "ALREADYEXISTS")
    c.no("RENAME INBOX Old", "CANNOT")
    c.no("RENAME Work iNbox", "ALREADYEXISTS")
    c.no("RENAME Work Work/below/itself", "CANNOT")
    assert c.ok('LIST "" *') == before
    c.ok('CREATE "50% * \\"x\\\\"')
    c.ok('RENAME "50% * \\"x\\\\" Renamed/')
    assert b"".join(c.ok('LIST "" Renamed')).endswith(b"Renamed")


def test_deleting_what_is_selected(c, s):
    c.ok("CREATE Short")
    other = s.login()
    other.select("Short")
    c.select("Short")
    c.ok("DELETE Short")
    c.bad("FETCH 1 FLAGS")
    c.select()
    other.send("x NOOP\r\n")
    assert b"* BYE" in other.closed()


def test_expunge_tells_the_highest_modseq(c):
    """RFC 7162 3.2.7, 3.2.8: with QRESYNC only, and when something went."""
    c.ok("STORE 1:4 +FLAGS.SILENT (\\Deleted)")
    c.ok("UID EXPUNGE 1")
    assert "HIGHESTMODSEQ" not in c.status
    c.ok("ENABLE QRESYNC")
    for command in ("UID EXPUNGE 2", "EXPUNGE"):
        assert [x for x in c.ok(command) if b"VANISHED" in x]
        told = re.match(r"OK \[HIGHESTMODSEQ (\d+)\]", c.status)
        assert told and b"HIGHESTMODSEQ %s)" % told.group(1).encode() in c.ok("STATUS INBOX (HIGHESTMODSEQ)")[0]
    c.ok("EXPUNGE")
    assert "HIGHESTMODSEQ" not in c.status


def words(lines, name):
    return code(lines, name) if name == "PERMANENTFLAGS" else next(x for x in lines if x.startswith("* " + name))


@pytest.mark.parametrize("keywords", (True, False), ids=("categories", "none"))
def test_marks_of_programs(start, keywords):
    """What programs note for themselves is kept, on servers without categories too, and is no category: a client that cannot keep
    $MDNSent asks for the receipt again each time. A category of that name, made by another program, is the mark."""
    marks = ("$Junk", "$MDNSent", "$NotJunk", "$Phishing", "Junk", "NonJunk", "NotJunk", "JunkRecorded")
    server = start("writes", *(() if keywords else ("caps=%d" % CAPS_NO_KEYWORDS,)))
    server.item("inbox", "m1", message(), categories=("Red", "$Junk") if keywords else ())
    server.item("inbox", "m2", message())
    c = server.login()
    lines = c.select()
    for name in ("FLAGS", "PERMANENTFLAGS"):
        found = re.sub(r"[()]", " ", words(lines, name)).split()
        assert [x for x in found if x in marks] == list(marks)
    assert ("\\*" in words(lines, "PERMANENTFLAGS")) == keywords
    server.do("reset")
    c.ok("STORE 2 +FLAGS ($mdnsent NonJunk)")
    assert flags(c, 2) == {"$MDNSent", "NonJunk"} and server.counts()["write"] == 0
    assert c.ok("SEARCH KEYWORD $MDNSent UNKEYWORD Junk") == [b"* SEARCH 2"]
    c.ok("STORE 2 -FLAGS (NonJunk)")
    c.ok("STORE 2 +FLAGS (\\Seen)")
    if keywords:
        server.change("inbox", "m2", "S", categories=("Blue",))
        server.wait(lambda: c.ok("NOOP") is not None and "Blue" in flags(c, 2))
    assert flags(c, 2) == {"$MDNSent", "\\Seen"} | ({"Blue"} if keywords else set())
    c.ok("STORE 2 FLAGS ()")
    assert flags(c, 2) == set()
    if keywords:
        assert flags(c, 1) == {"Red", "$Junk"} and c.ok("SEARCH KEYWORD $junk") == [b"* SEARCH 1"]
        c.ok("STORE 1 -FLAGS ($Junk)")
        assert flags(c, 1) == {"Red"} and server.counts()["write"] > 1
        other = server.login()
        other.select()
        assert flags(other, 1) == {"Red"}


def test_leaving_during_a_write(s):
    """The write belongs to the account: it runs to its end."""
    c = s.login()
    c.select()
    s.do("hold write")
    c.send("x STORE 1 +FLAGS (\\Flagged)\r\n")
    c.send("y UID MOVE 2 Work\r\n")
    s.wait(lambda: s.counts()["write"] == 1)
    c.close()
    s.wait(lambda: s.do("sessions") == "0")
    s.do("release write")
    other = s.login()
    other.select()
    s.wait(lambda: other.ok("NOOP") is not None and "\\Flagged" in flags(other, 1))
