# SPDX-License-Identifier: Apache-2.0
"""APPEND and its relatives over a backend that can write: several messages, replacing, binary, and what a client's second attempt
finds after it did not hear the answer to its first."""
import re

import pytest

from imaptest import message, nameless_files

CAPS_DRAFTS_ONLY = 4 | 16 | 64  # CAP_APPEND_DRAFT, CAP_ANSWERED, CAP_PUSH_ALL


@pytest.fixture
def s(start):
    server = start("writes")
    for i in range(1, 4):
        server.item("inbox", "m%d" % i, message(subject="Number %d" % i, message_id="m%d@x" % i), received=1700000000 + i)
    return server


@pytest.fixture
def c(s):
    client = s.login()
    client.select()
    return client


def mail(name, body="Hello there.\r\n", **kwargs):
    return message(subject=name, message_id=name + "@x", body=body, **kwargs)


def command(tag, head, *messages, literal=b"{%d+}"):
    """The bytes of APPEND or REPLACE; a message is bytes, or (what stands before it, bytes)."""
    out = tag.encode() + b" " + head.encode()
    for m in messages:
        before, data = m if isinstance(m, tuple) else ("", m)
        out += b" " + before.encode() + literal % len(data) + b"\r\n" + data
    return out + b"\r\n"


def do(c, head, *messages, **kwargs):
    tag = c.tag()
    c.send(command(tag, head, *messages, **kwargs))
    return c.finish(tag)


def appenduid(text):
    m = re.search(r"\[APPENDUID (\d+) ([\d:,]+)\]", text)
    assert m, text
    return m.group(2)


def ids(s, folder="inbox"):
    return s.do("ids " + folder).split()


def subjects(c):
    """None while something is going away."""
    status, lines = c.run("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return None if not status.startswith("OK") else [re.search(rb"Subject: (.*?)\r\n", x).group(1).decode() for x in lines if b"FETCH" in x]


# ---- several at once ----


def test_multiappend(c, s):
    status, lines = do(c, "APPEND INBOX", ('(\\Seen) "23-Nov-2026 10:11:12 +0100" ', mail("a")), mail("b"), ("($label1) ", mail("c")))
    assert appenduid(status) == "4:6" and b"* 6 EXISTS" in lines + c.ok("NOOP")
    assert subjects(c)[3:] == ["a", "b", "c"]
    got = c.ok("FETCH 4:6 (FLAGS INTERNALDATE)")
    assert b"\\Seen" in got[0] and b'"23-Nov-2026 09:11:12 +0000"' in got[0]
    assert b"\\Seen" not in got[1] and b"$label1" in got[2]
    words = c.ok("CAPABILITY")[0].decode().split()
    assert {"MULTIAPPEND", "REPLACE", "BINARY", "LITERAL+", "APPENDLIMIT=36700160"} <= set(words)


def test_multiappend_with_waiting_literals(c):
    a, b = mail("a"), mail("b")
    c.send(b"x APPEND INBOX {%d}\r\n" % len(a))
    assert c.line().startswith(b"+ ")
    c.send(a + b" {%d}\r\n" % len(b))
    assert c.line().startswith(b"+ ")
    c.send(b + b"\r\n")
    assert appenduid(c.finish("x")[0]) == "4:5"


@pytest.mark.parametrize("good", [0, 1, 2])
def test_one_of_them_fails(c, s, good):
    """None of them stays, whichever it is."""
    s.do("fail write quota 1 %d" % good)
    status, _ = do(c, "APPEND INBOX", mail("a"), mail("b"), mail("c"))
    assert status.startswith("NO [OVERQUOTA]")
    assert ids(s) == ["m1", "m2", "m3"]
    c.ok("NOOP")
    assert len(subjects(c)) == 3
    assert appenduid(do(c, "APPEND INBOX", mail("a"), mail("b"), mail("c"))[0])
    assert len(ids(s)) == 6


def test_silent_in_the_middle(start):
    """A message whose rest does not come is dropped with its file when the client has been silent for too long."""
    server = start("writes", "idle_timeout_s=2")
    client = server.login()
    client.send(b"x APPEND INBOX {2000000}\r\n")
    assert client.line().startswith(b"+ ")
    client.send(b"y" * 1000000)
    server.wait(lambda: nameless_files(server.process.pid) == 1)
    assert b"* BYE" in client.closed()
    server.wait(lambda: nameless_files(server.process.pid) == 0)
    assert ids(server) == []


def test_one_answer_is_lost(c, s):
    """It was stored, nobody knows: found by its evidence, and taken back with the others."""
    s.do("lose 1 1")
    c.send(command("x", "APPEND INBOX", mail("a"), mail("b"), mail("c")))
    assert c.finish("x")[0].startswith("NO [UNAVAILABLE]")
    s.wait(lambda: ids(s) == ["m1", "m2", "m3"])


def test_taken_back_later(c, s):
    """The server is away when half a command is to be taken back."""
    s.do("fail write offline 9 1")
    status, _ = do(c, "APPEND INBOX", mail("a"), mail("b"))
    assert status.startswith("NO [UNAVAILABLE]")
    assert len(ids(s)) == 4
    s.do("fail write offline 0")
    assert appenduid(do(c, "APPEND Work", mail("c"))[0])
    s.wait(lambda: ids(s) == ["m1", "m2", "m3"])


@pytest.mark.parametrize("rest, answer", [(b" (\\Seen {5}\r\n", "BAD"), (b" x\r\n", "BAD"), (b" {40000000+}\r\n", "NO [TOOBIG]"),
                                          (b" {0+}\r\n", "NO"), (b" (\\Nonsense \r\n", "BAD")])
def test_wrong_in_the_middle(c, s, rest, answer):
    s.do("reset")
    c.send(command("x", "APPEND INBOX", mail("a"))[:-2] + rest)
    if b"40000000" in rest:
        left = 40000000
        while left:
            left -= c.sock.send(b"x" * min(left, 1 << 20))
        c.send(b"\r\n")
    elif b"{0+}" in rest:
        c.send(b"\r\n")
    status = c.finish("x")[0]
    assert status.startswith(answer), status
    assert s.counts()["write"] == 0 and len(ids(s)) == 3
    c.ok("NOOP")


def test_client_leaves_in_the_middle(s):
    data = command("x", "APPEND INBOX", mail("a"), mail("b"))
    for n in list(range(0, len(data) - 2, 37)) + [len(data) - 3]:
        c = s.login()
        c.send(data[:n])
        c.close()
    s.wait(lambda: s.do("sessions") == "0")
    assert len(ids(s)) == 3 and s.counts()["write"] == 0


def test_many(c, s):
    status, _ = do(c, "APPEND Work", *[mail("n%d" % i) for i in range(300)])
    assert appenduid(status) == "1:300"
    c.select("Work")
    assert subjects(c) == ["n%d" % i for i in range(300)]


# ---- once and once more ----


def test_twice_on_purpose(c, s):
    """Somebody who heard the answer and says it again means it."""
    first, second = [appenduid(do(c, "APPEND INBOX", mail("a"))[0]) for _ in range(2)]
    assert (first, second) == ("4", "5") and len(ids(s)) == 5
    status, _ = do(c, "APPEND INBOX", mail("b"), mail("b"))
    assert appenduid(status) == "6:7"
    other = s.login()
    assert appenduid(do(other, "APPEND INBOX", mail("a"))[0]) == "8"


def leave(s, *args, when=0):
    """A client that hangs up while the server works on its command."""
    c = s.login()
    s.do("hold write")
    c.send(command("x", *args))
    s.wait(lambda: s.counts()["write"] > when)
    c.close()
    s.do("release write")


@pytest.mark.parametrize("messages", [1, 3])
def test_second_attempt(s, messages):
    args = ["APPEND INBOX"] + [mail("n%d" % i) for i in range(messages)]
    leave(s, *args)
    c = s.login()
    status, _ = do(c, *args)
    assert len(ids(s)) == 3 + messages
    assert appenduid(status) == ("4" if messages == 1 else "4:6")
    assert appenduid(do(c, *args)[0]) == ("5" if messages == 1 else "7:9")  # heard, and meant


def test_second_attempt_while_the_first_runs(s):
    c = s.login()
    leave(s, "APPEND INBOX", mail("a"))
    assert appenduid(do(c, "APPEND INBOX", mail("a"))[0]) == "4"
    assert len(ids(s)) == 4


def test_two_clients_want_the_same(s):
    """Both are there, and both get one."""
    s.do("delay write 100")
    clients = [s.login(), s.login()]
    for c in clients:
        c.send(command("x", "APPEND INBOX", mail("a")))
    assert {appenduid(c.finish("x")[0]) for c in clients} == {"4", "5"}
    assert len(ids(s)) == 5


def test_second_attempt_with_another_date(s):
    """Message-ID, recipients and body are the same: so is the message. Another body is another message."""
    leave(s, "APPEND INBOX", mail("a"))
    c = s.login()
    again = mail("a", date="Tue, 24 Nov 2026 10:00:00 +0000", extra="X-TUID: abc\r\n")
    assert appenduid(do(c, "APPEND INBOX", again)[0]) == "4"
    leave(s, "APPEND INBOX", mail("b"), when=s.counts()["write"])
    assert appenduid(do(c, "APPEND INBOX", mail("b", body="Another.\r\n"))[0]) in ("5", "6")
    s.wait(lambda: len(ids(s)) == 6)


def test_second_attempt_after_a_lost_answer(s):
    c = s.login()
    s.do("lose 1")
    assert do(c, "APPEND INBOX", mail("a"))[0].startswith("NO [UNAVAILABLE]")
    assert len(ids(s)) == 4
    assert appenduid(do(c, "APPEND INBOX", mail("a"))[0])
    assert len(ids(s)) == 4


def test_second_attempt_after_it_was_deleted(s):
    leave(s, "APPEND INBOX", mail("a"))
    s.wait(lambda: len(ids(s)) == 4)
    c = s.login()
    c.select()
    s.wait(lambda: b"MESSAGES 4" in c.ok("STATUS INBOX (MESSAGES)")[0])
    s.do("rm inbox " + ids(s)[-1])
    s.wait(lambda: b"MESSAGES 3" in c.ok("STATUS INBOX (MESSAGES)")[0])
    assert appenduid(do(c, "APPEND INBOX", mail("a"))[0]) == "5"


def test_pipelined(c, s):
    """What is said in one breath is heard when the client comes back."""
    data = b"".join(command("t%d" % i, "APPEND INBOX", mail("n%d" % i)) for i in range(20))
    c.send(data)
    assert [appenduid(c.finish("t%d" % i)[0]) for i in range(20)] == [str(4 + i) for i in range(20)]
    c.ok("NOOP")
    assert appenduid(do(c, "APPEND INBOX", mail("n3"))[0]) == "24"


# ---- REPLACE ----


def test_replace(c, s):
    other = s.login()
    other.select()
    status, lines = do(c, "REPLACE 2 INBOX", ("(\\Seen) ", mail("new")))
    assert status == "OK REPLACE completed."
    told = [x for x in lines if x.startswith(b"* ")]
    assert told[0].startswith(b"* OK [APPENDUID ") and told[0].split()[4] == b"4]"
    assert b"* 2 EXPUNGE" in told and told.index(b"* 2 EXPUNGE") > 0
    assert subjects(c) == ["Number 1", "Number 3", "new"]
    assert len(ids(s)) == 3 and "m2" not in ids(s)
    s.wait(lambda: other.ok("NOOP") is not None and subjects(other) == ["Number 1", "Number 3", "new"])
    status, lines = do(c, "UID REPLACE 3 Work", mail("away"))
    assert status.startswith("OK") and subjects(c) == ["Number 1", "new"]
    assert len(ids(s, "work")) == 1
    assert do(c, "REPLACE * INBOX", mail("last"))[0].startswith("OK")
    assert subjects(c) == ["Number 1", "last"]


def test_replace_refused(c, s):
    s.do("reset")
    assert do(c, "REPLACE 9 INBOX", mail("a"))[0].startswith("BAD")
    assert do(c, "UID REPLACE 9 INBOX", mail("a"))[0].startswith("NO [NONEXISTENT]")
    assert do(c, "REPLACE 1 Nowhere", mail("a"))[0].startswith("NO [TRYCREATE]")
    assert do(c, "REPLACE 1 INBOX", mail("a"), mail("b"))[0].startswith("BAD")
    assert do(c, "REPLACE 0 INBOX", mail("a"))[0].startswith("BAD")
    c.ok("EXAMINE INBOX")
    assert do(c, "REPLACE 1 INBOX", mail("a"))[0].startswith("NO")
    c.ok("UNSELECT")
    assert do(c, "REPLACE 1 INBOX", mail("a"))[0].startswith("BAD")
    assert s.counts()["write"] == 0
    c.select()
    assert subjects(c) == ["Number 1", "Number 2", "Number 3"]


def test_replace_keeps_the_old_one(c, s):
    """The new one is refused, or the old one cannot be removed: the old one is there, and nothing else."""
    s.do("fail write quota 1")
    assert do(c, "REPLACE 2 INBOX", mail("a"))[0].startswith("NO [OVERQUOTA]")
    s.do("fail write denied 1 1")
    assert do(c, "REPLACE 2 INBOX", mail("b"))[0].startswith("NO [CONTACTADMIN]")
    s.wait(lambda: c.ok("NOOP") is not None and subjects(c) == ["Number 1", "Number 2", "Number 3"])
    assert ids(s) == ["m1", "m2", "m3"]


def test_replace_does_not_lose_both(c, s):
    """Nobody knows whether the old one is gone: the new one stays."""
    s.do("lose 1 1")
    c.send(command("x", "REPLACE 2 INBOX", mail("a")))
    assert c.finish("x")[0].startswith("NO [UNAVAILABLE]")
    s.wait(lambda: c.ok("NOOP") is not None and subjects(c) == ["Number 1", "Number 3", "a"])


def test_replace_again(s):
    """The client went away after the old one was removed; its second attempt finds everything done."""
    c = s.login()
    c.select()
    s.do("hold write 1")
    c.send(command("x", "UID REPLACE 2 INBOX", mail("a")))
    s.wait(lambda: s.counts()["write"] == 2)
    c.close()
    s.do("release write")
    c = s.login()
    c.select()
    s.wait(lambda: c.ok("NOOP") is not None and subjects(c) == ["Number 1", "Number 3", "a"])
    assert do(c, "UID REPLACE 2 INBOX", mail("a"))[0].startswith("NO [NONEXISTENT]")
    assert appenduid(do(c, "APPEND INBOX", mail("a"))[0]) == "4"


# ---- binary ----


def test_literal8(c):
    status, _ = do(c, "APPEND INBOX", mail("eight", body="gr\xfc\xdfe\r\n".encode("latin-1")), literal=b"~{%d+}")
    uid = appenduid(status)
    assert b"gr\xfc\xdfe\r\n" in c.ok("UID FETCH %s BODY.PEEK[TEXT]" % uid)[0]


@pytest.mark.parametrize("data", [mail("nul", body=b"a\0b\r\n"),
                                  message(subject="binary", content_type="text/plain", extra="Content-Transfer-Encoding: binary\r\n"),
                                  message(subject="inside", content_type='multipart/mixed; boundary="b"',
                                          body="--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding:  BINARY\r\n\r\nz\r\n--b--\r\n")])
def test_what_exchange_cannot_store(c, s, data):
    s.do("reset")
    assert do(c, "APPEND INBOX", data, literal=b"~{%d+}")[0].startswith("NO [UNKNOWN-CTE]")
    assert do(c, "APPEND INBOX", mail("good"), data, literal=b"~{%d+}")[0].startswith("NO [UNKNOWN-CTE]")
    assert s.counts()["write"] == 0


# ---- servers that take drafts only ----


def test_drafts_only(start):
    s = start("writes", "caps=%d" % CAPS_DRAFTS_ONLY)
    c = s.login()
    words = c.ok("CAPABILITY")[0].decode().split()
    assert "APPENDLIMIT" in words and not [w for w in words if w.startswith("APPENDLIMIT=")]
    assert b"APPENDLIMIT 36700160" in c.ok("STATUS Drafts (APPENDLIMIT)")[0]
    assert b"APPENDLIMIT 0" in c.ok("STATUS INBOX (APPENDLIMIT)")[0]
    assert appenduid(do(c, "APPEND Drafts", mail("a"), mail("b"))[0]) == "1:2"
    assert do(c, "APPEND INBOX", mail("a"))[0].startswith("NO [CANNOT]")
    assert do(c, "APPEND Drafts", ("", mail("a")))[0].startswith("OK")
    c.select("Drafts")
    assert do(c, "REPLACE 1 INBOX", mail("c"))[0].startswith("NO [CANNOT]")
    assert do(c, "REPLACE 1 Drafts", mail("c"))[0].startswith("OK")
    assert subjects(c) == ["b", "a", "c"]
