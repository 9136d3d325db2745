# SPDX-License-Identifier: Apache-2.0
"""FETCH: every item, in every form, and messages that cannot be had."""
import base64
import re

import pytest

from imaptest import message

MULTI = (b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\nTo: Alice <alice@example.com>, bob@example.com\r\n"
         b"Cc: team: a@x.org, b@x.org;\r\nSubject: Parts\r\nDate: Tue, 24 Nov 2026 11:22:33 +0100\r\n"
         b"Message-ID: <multi@example.com>\r\nIn-Reply-To: <old@example.com>\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\npreamble\r\n"
         b"--b1\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n"
         b"--b2\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
         b"Gr=C3=BC=C3=9Fe=\r\n aus K=C3=B6ln\r\n"
         b"--b2\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi</p>\r\n--b2--\r\n"
         b"--b1\r\nContent-Type: application/octet-stream; name=\"x.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
         b"Content-Disposition: attachment; filename=\"x.bin\"\r\n\r\nAAECAwQF\r\nBgcICQ==\r\n"
         b"--b1\r\nContent-Type: message/rfc822\r\n\r\n"
         b"From: inner@example.com\r\nSubject: Inside\r\nContent-Type: text/plain\r\n\r\ninner body\r\n"
         b"--b1\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: x-strange\r\n\r\nstrange\r\n"
         b"--b1--\r\n")
HEADER = MULTI[:MULTI.index(b"\r\n\r\n") + 4]


@pytest.fixture
def c(server):
    server.item("inbox", "multi", MULTI, received=1795688400, flags="SA", categories=["Red Category", "plain"])
    client = server.login()
    client.select()
    return client


@pytest.fixture(scope="module")
def r(start_shared):
    """The same for reading only."""
    s = start_shared()
    s.item("inbox", "multi", MULTI, received=1795688400, flags="SA", categories=["Red Category", "plain"])
    client = s.login()
    client.select()
    return client


def value(client, item, name=None):
    """The bytes of a literal, quoted string or NIL that answers one item."""
    lines = client.ok("FETCH 1 (%s)" % item)
    assert len(lines) == 1, lines
    name = name or item.replace(".PEEK", "")
    m = re.match(rb"\* 1 FETCH \(" + re.escape(name.encode()) + rb" (.*)\)$", lines[0], re.S)
    assert m, lines[0]
    text = m.group(1)
    lit = re.match(rb"~?\{(\d+)\}\r\n(.*)$", text, re.S)
    if lit:
        assert len(lit.group(2)) == int(lit.group(1))
        return lit.group(2)
    return text


def test_plain_items(c):
    line = c.ok("FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)")
    line = [x for x in line if b"FETCH" in x][0].decode()
    assert re.match(r'\* 1 FETCH \(UID 1 FLAGS \([^)]*\) INTERNALDATE "26-Nov-2026 \d\d:\d\d:\d\d \+0000" RFC822.SIZE \d+ '
                    r'MODSEQ \(\d+\)\)$', line), line
    flags = re.search(r"FLAGS \(([^)]*)\)", line).group(1).split()
    assert {"\\Seen", "\\Answered", "\\Recent", "plain"} <= set(flags), flags
    assert len(flags) == 5


def test_macros(r):
    for macro, names in (("FAST", ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]),
                         ("ALL", ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"]),
                         ("FULL", ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"])):
        line = r.ok("FETCH 1 " + macro)[0].decode("utf-8", "replace")
        at = [line.index(" " + n + " ") if n != "FLAGS" else line.index("(FLAGS ") for n in names]
        assert at == sorted(at)


def test_sizes(c):
    told = int(re.search(rb"RFC822.SIZE (\d+)", c.ok("FETCH 1 RFC822.SIZE")[0]).group(1))
    assert told >= len(MULTI)
    assert len(value(c, "BODY.PEEK[]")) == len(MULTI)
    again = int(re.search(rb"RFC822.SIZE (\d+)", c.ok("FETCH 1 RFC822.SIZE")[0]).group(1))
    assert again == told


def test_exact_size(start):
    s = start("exact-size")
    s.item("inbox", "multi", MULTI)
    c = s.login()
    c.select()
    assert int(re.search(rb"RFC822.SIZE (\d+)", c.ok("FETCH 1 RFC822.SIZE")[0]).group(1)) == len(MULTI)


def test_envelope(r):
    line = r.ok("FETCH 1 ENVELOPE")[0]
    assert line.startswith(b'* 1 FETCH (ENVELOPE ("Tue, 24 Nov 2026 11:22:33 +0100" "Parts" (("=?utf-8?q?J=C3=B6rg?=" NIL "joerg" '
                           b'"example.com"))'), line
    assert b'(NIL NIL "team" NIL)' in line and line.endswith(b'"<old@example.com>" "<multi@example.com>"))')
    again = r.ok("FETCH 1 ENVELOPE")[0]
    assert again == line


def test_structure(r):
    line = r.ok("FETCH 1 BODYSTRUCTURE")[0]
    assert b'"multipart"' not in line.lower() and b'"alternative"' in line and b'"x.bin"' in line and b'"attachment"' in line
    body = r.ok("FETCH 1 BODY")[0]
    assert body.startswith(b'* 1 FETCH (BODY (((') and b'"attachment"' not in body
    assert r.ok("FETCH 1 BODYSTRUCTURE")[0] == line


@pytest.mark.parametrize("item,expected", [
    ("BODY.PEEK[]", MULTI), ("BODY[]", MULTI), ("BODY[HEADER]", HEADER), ("BODY[TEXT]", MULTI[len(HEADER):]),
    ("BODY[1.1]", b"Gr=C3=BC=C3=9Fe=\r\n aus K=C3=B6ln"), ("BODY[1.2]", b"<p>Hi</p>"),
    ("BODY[1.2.MIME]", b"Content-Type: text/html; charset=utf-8\r\n\r\n"), ("BODY[2]", b"AAECAwQF\r\nBgcICQ=="),
    ("BODY[3.HEADER]", b"From: inner@example.com\r\nSubject: Inside\r\nContent-Type: text/plain\r\n\r\n"),
    ("BODY[3.TEXT]", b"inner body"), ("BODY[3.1]", b"inner body"),
    ("BODY[3.HEADER.FIELDS (SUBJECT)]", b"Subject: Inside\r\n\r\n"), ("BODY[9]", b"NIL"), ("BODY[1.1.HEADER]", b"NIL"),
    ("BODY[HEADER.FIELDS (SUBJECT FROM NONE)]",
     b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\nSubject: Parts\r\n\r\n"),
    ("BODY[HEADER.FIELDS (NONE)]", b"\r\n"),
])
def test_sections(r, item, expected):
    assert value(r, item) == expected


def test_fields_not(r):
    got = value(r, "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT TO)]")
    assert b"Subject:" not in got and b"To:" not in got.replace(b"In-Reply-To:", b"") and b"Cc:" in got and got.endswith(b"\r\n\r\n")


def test_rfc822(r):
    assert value(r, "RFC822") == MULTI
    assert value(r, "RFC822.HEADER") == HEADER
    assert value(r, "RFC822.TEXT") == MULTI[len(HEADER):]


@pytest.mark.parametrize("partial,expected", [("0.10", MULTI[:10]), ("5.7", MULTI[5:12]), ("0.999999", MULTI),
                                              ("%d.5" % (len(MULTI) - 3), MULTI[-3:]), ("999999.5", b""), ("%d.1" % len(MULTI), b"")])
def test_partial(r, partial, expected):
    got = value(r, "BODY[]<%s>" % partial, "BODY[]<%s>" % partial.split(".")[0])
    assert (b"" if got == b'""' else got) == expected


def test_partial_of_fields(r):
    assert value(r, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]<2.4>", "BODY[HEADER.FIELDS (SUBJECT)]<2>") == b"bjec"


def test_nothing_becomes_seen(server):
    server.item("inbox", "m", message())
    c = server.login()
    c.select()
    c.ok("FETCH 1 BODY[]")
    c.ok("FETCH 1 BODY[TEXT]<0.5>")
    assert b"Seen" not in c.ok("FETCH 1 FLAGS")[0]


def test_binary(r):
    assert value(r, "BINARY.PEEK[2]", "BINARY[2]") == bytes(range(10))
    assert value(r, "BINARY[1.1]") == "Grüße aus Köln".encode()
    assert r.ok("FETCH 1 BINARY.SIZE[2]")[0] == b"* 1 FETCH (BINARY.SIZE[2] 10)"
    assert value(r, "BINARY[2]<3.4>", "BINARY[2]<3>") == bytes(range(3, 7))
    assert b"~{10}" in r.ok("FETCH 1 BINARY[2]")[0]
    assert value(r, "BINARY[]") == MULTI
    assert value(r, "BINARY[9]") == b"NIL"
    r.no("FETCH 1 BINARY[4]", "UNKNOWN-CTE")
    r.no("FETCH 1 BINARY.SIZE[4]", "UNKNOWN-CTE")


def test_preview(c):
    line = c.ok("FETCH 1 (PREVIEW)")[0].decode()
    assert "Grüße aus Köln" in line
    c.ok("ENABLE UTF8=ACCEPT")
    assert c.ok("FETCH 1 (PREVIEW)")[0].decode() == '* 1 FETCH (PREVIEW "Grüße aus Köln")'


def test_preview_lazy(c, server):
    server.do("reset")
    assert c.ok("FETCH 1 (PREVIEW (LAZY))")[0] == b"* 1 FETCH (PREVIEW NIL)"
    assert server.counts()["fetch"] == 0
    c.ok("FETCH 1 BODY.PEEK[]")
    assert b"aus" in c.ok("FETCH 1 (PREVIEW (LAZY))")[0]


def test_ids_and_savedate(r):
    line = r.ok("FETCH 1 (EMAILID THREADID SAVEDATE)")[0].decode()
    assert re.match(r'\* 1 FETCH \(EMAILID \([A-Za-z0-9_-]{1,64}\) THREADID NIL SAVEDATE ("[^"]+"|NIL)\)$', line), line


def test_uid_form(r):
    assert r.ok("UID FETCH 1 FLAGS")[0].startswith(b"* 1 FETCH (UID 1 FLAGS ")
    assert r.ok("UID FETCH 1 (FLAGS UID)")[0].count(b"UID") == 1
    assert r.ok("UID FETCH 77 FLAGS") == []
    assert len(r.ok("UID FETCH 77:* FLAGS")) == 1
    r.bad("FETCH 2 FLAGS")
    assert len(r.ok("FETCH *:1 FLAGS")) == 1


def test_nul_and_broken(server):
    server.item("inbox", "nul", b"Subject: x\r\n\r\na\0b\r\n")
    server.item("inbox", "empty", b"")
    server.item("inbox", "noheader", b"just text, no header\r\n")
    server.item("inbox", "lf", b"Subject: lf\n\nbody\n")
    c = server.login()
    c.select()
    lines = c.ok("FETCH 1:4 (BODY.PEEK[] ENVELOPE BODYSTRUCTURE)")
    assert len(lines) == 4
    assert b"a\x80b" in lines[0]
    assert b"~{" in c.ok("FETCH 1 BINARY[]")[0] and b"a\0b" in c.ok("FETCH 1 BINARY[]")[0]


def test_large_nul(server):
    body = (b"x" * 70 + b"\0\r\n") * 3000
    server.item("inbox", "nul", b"Subject: x\r\n\r\n" + body)
    c = server.login()
    c.select()
    assert value(c, "BODY[TEXT]") == body.replace(b"\0", b"\x80")
    assert value(c, "BINARY[1]") == body


def test_inexact_header_gives_way(inbox):
    """HEADER alone comes from the header block; together with the text, both come from one message."""
    c = inbox.login()
    c.select()
    alone = value(c, "BODY.PEEK[HEADER]")
    lines = c.ok("FETCH 2 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
    raw = message(subject="Number 2", message_id="m2@example.com")
    head, text = raw[:raw.index(b"\r\n\r\n") + 4], raw[raw.index(b"\r\n\r\n") + 4:]
    assert lines == [b"* 2 FETCH (BODY[HEADER] {%d}\r\n%s BODY[TEXT] {%d}\r\n%s)" % (len(head), head, len(text), text)]
    assert alone.startswith(b"From: ")


def test_a_header_block_is_better_than_nothing(inbox):
    """HEADER of a single message is that of the message, so that the text fits below; and when this cannot be had just now, the
    block that a list was made with."""
    c = inbox.login()
    c.select()
    inbox.do("fail-item m2 offline 100")
    c.no("FETCH 2 (BODY.PEEK[HEADER])", "UNAVAILABLE")
    inbox.do("fail-item m2 offline 0")
    blocks = dict(enumerate(c.ok("FETCH 1:5 (RFC822.HEADER)"), 1))
    inbox.do("fail-item m2 offline 100")
    assert c.ok("FETCH 2 (RFC822.HEADER)") == [blocks[2]]
    assert c.ok("UID FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    c.no("FETCH 2 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])", "UNAVAILABLE")
    c.no("FETCH 2 (BODY.PEEK[TEXT])", "UNAVAILABLE")


def test_huge_message_in_flat_memory(server, tmp_path):
    path = tmp_path / "huge"
    raw = bytes(range(256)) * 57 * 72  # whole lines of base64
    with open(path, "wb") as f:
        f.write(b"Subject: huge\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n")
        for _ in range(35):
            f.write(base64.encodebytes(raw).replace(b"\n", b"\r\n"))
    size = path.stat().st_size
    assert size > 45 << 20
    server.do("load inbox huge - 1700000000 " + str(path))
    c = server.login()
    c.select()
    c.ok("FETCH 1 BODY.PEEK[]<0.1>")
    before = int(server.do("memory"))
    assert len(value(c, "BODY.PEEK[]")) == size
    assert int(server.do("memory")) - before < 8 * 1024
    other = server.login()
    other.select()
    c.send("x FETCH 1 BINARY.SIZE[1]\r\n")
    other.ok("NOOP")
    assert c.finish("x")[1] == [b"* 1 FETCH (BINARY.SIZE[1] %d)" % (35 * len(raw))]
    assert int(server.do("memory")) - before < 8 * 1024
    assert value(c, "BINARY[1]<%d.256>" % (34 << 20), "BINARY[1]<%d>" % (34 << 20)) == bytes(range(256))


def test_missing_messages(inbox):
    c = inbox.login()
    c.select()
    inbox.do("fail-item m2 offline 100")
    lines = c.no("FETCH 1:5 (BODY.PEEK[])", "UNAVAILABLE")
    assert [int(x.split()[1]) for x in lines] == [1, 3, 4, 5]
    assert "work" in c.status and "1 of the messages" in c.status
    inbox.do("fail-item m2 offline 0")
    assert len(c.ok("FETCH 1:5 (BODY.PEEK[])")) == 5


def test_all_of_them_missing(inbox):
    c = inbox.login()
    c.select()
    inbox.do("fail fetch auth 50")
    lines = c.no("FETCH 1:5 (FLAGS ENVELOPE)", "UNAVAILABLE")
    assert lines == [x for x in lines if b"ALERT" in x]
    assert "exbridge login work" in c.status
    assert len(c.ok("FETCH 1:5 (FLAGS)")) == 5


def test_gone_on_the_server(inbox):
    inbox.do("quiet on")
    c = inbox.login()
    c.select()
    inbox.do("rm inbox m3")
    lines = c.no("FETCH 1:5 (BODY.PEEK[])", "EXPUNGEISSUED")
    assert len([x for x in lines if b"BODY[]" in x]) == 4


def test_expunged_meanwhile(inbox):
    c = inbox.login()
    c.select()
    c.ok("FETCH 1:5 BODY.PEEK[]")
    inbox.do("rm inbox m3")
    watcher = inbox.login()
    inbox.wait(lambda: b"MESSAGES 4" in watcher.ok("STATUS INBOX (MESSAGES)")[0])
    lines = c.no("FETCH 1:5 FLAGS", "EXPUNGEISSUED")
    assert [int(x.split()[1]) for x in lines] == [1, 2, 4, 5]
    assert c.ok("UID FETCH 1:5 FLAGS")[-1] == b"* 3 EXPUNGE"
    assert len(c.ok("FETCH 1:4 FLAGS")) == 4


def test_few_requests(server):
    server.do("bulk inbox b 200 2000")
    c = server.login()
    c.select()
    server.do("reset")
    assert len(c.ok("FETCH 1:100 (ENVELOPE FLAGS BODY.PEEK[HEADER.FIELDS (TO)])")) == 100
    assert server.counts()["fetch"] <= 3
    server.do("reset")
    assert len(c.ok("FETCH 1:100 (ENVELOPE FLAGS BODY.PEEK[HEADER])")) == 100
    assert server.counts()["fetch"] == 0
    assert len(c.ok("FETCH 1:100 (BODY.PEEK[])")) == 100
    assert server.counts()["fetch"] <= 12
    server.do("reset")
    for uid in range(101, 151):
        c.ok("UID FETCH %d BODY.PEEK[]" % uid)
    assert server.counts()["fetch"] <= 12
    c.ok("FETCH 1:150 (BODY.PEEK[] BODYSTRUCTURE PREVIEW RFC822.SIZE)")


def test_ten_thousand(server):
    server.do("bulk inbox b 10000 300")
    c = server.login(timeout=120)
    c.select()
    assert len(c.ok("UID FETCH 1:* (FLAGS)")) == 10000
    other = server.login()
    c.send("x UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)\r\n")
    other.ok("NOOP")
    status, lines = c.finish("x")
    assert status.startswith("OK") and len(lines) == 10000
