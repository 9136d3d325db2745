# SPDX-License-Identifier: Apache-2.0
"""A message goes out once, to whom it should, and 250 means that the server has it."""
import base64
import os
import re

import bridge as rig
import pytest
from smtptest import ALICE, message, parse, signed_in, stuffed

BOB, CAROL, DAVE = "bob@example.com", "carol@example.com", "dave@example.com"


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange()


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(rig.Account("work", exchange))


@pytest.fixture
def smtp(bridge):
    client = signed_in(bridge)
    yield client
    client.close()


def submitted(exchange, subject):
    """[(recipients, bytes)] of the messages with this Message-ID that the server has sent."""
    return [(s["recipients"], base64.b64decode(s["mime_b64"])) for s in exchange.submissions()
            if s["message_id"] == f"<{subject}@test.example>"]


def sent_copies(exchange, subject):
    return [i for i in exchange.items("sentitems") if i["message_id"] == f"<{subject}@test.example>"]


def release():
    for path in [os.environ.get("EXBRIDGE", "")] + [os.path.join(rig.ROOT, d, "exbridge") for d in ("out/gcc", "build")]:
        if os.path.exists(path):
            with open(path, "rb") as file:
                if b"__asan_init" not in file.read():
                    return path
    pytest.fail("needs a build without sanitizers: scripts/check gcc")


def test_once_and_filed(smtp, exchange):
    mark = exchange.mark()
    data = message("simple", body="Hello,\r\n.\r\n..\r\n.dots\r\nbye\r\n")
    assert smtp.send([BOB], data) == (250, "2.0.0 Exchange has taken the message.")
    [(recipients, mime)] = submitted(exchange, "simple")
    assert recipients == [BOB]
    assert mime.endswith(b"\r\n\r\nHello,\r\n.\r\n..\r\n.dots\r\nbye\r\n")
    assert len(sent_copies(exchange, "simple")) == 1
    counts = exchange.counts(mark)
    assert counts.get("ews:CreateItem") == 1 and "ews:SendItem" not in counts, counts


def test_hidden_recipient(smtp, exchange):
    assert smtp.send([BOB, DAVE], message("hidden", to=BOB))[0] == 250
    [(recipients, mime)] = submitted(exchange, "hidden")
    assert sorted(recipients) == [BOB, DAVE]
    assert parse(mime)["To"] == BOB


def test_bcc_field_of_the_client(smtp, exchange):
    """A client that leaves its Bcc in gets it sent to whom the envelope names, and to nobody else."""
    assert smtp.send([BOB, CAROL], message("bcc", extra=f"Bcc: {CAROL}, {DAVE}\r\n"))[0] == 250
    [(recipients, _)] = submitted(exchange, "bcc")
    assert sorted(recipients) == [BOB, CAROL]


def test_excluded_recipient(smtp, exchange):
    """Who stands in To but not in the envelope gets nothing."""
    assert smtp.send([BOB], message("excluded", to=f"{BOB}, {CAROL}"))[0] == 250
    [(recipients, mime)] = submitted(exchange, "excluded")
    assert recipients == [BOB] and CAROL not in mime.decode()


def test_two_messages_in_one_connection(smtp, exchange):
    for name in ("first", "second"):
        assert smtp.send([BOB], message(name))[0] == 250
        assert len(submitted(exchange, name)) == 1


def test_same_bytes_twice(bridge, exchange):
    """What a client does that lost our answer."""
    data = message("twice")
    for _ in range(2):
        smtp = signed_in(bridge)
        assert smtp.send([BOB, CAROL], data)[0] == 250
        smtp.close()
    assert len(submitted(exchange, "twice")) == 1 and len(sent_copies(exchange, "twice")) == 1


def test_same_message_to_others(smtp, exchange):
    data = message("others")
    assert smtp.send([BOB], data)[0] == 250
    assert smtp.send([CAROL], data)[0] == 250
    assert [r for r, _ in submitted(exchange, "others")] == [[BOB], [CAROL]]


def test_chunks(smtp, exchange):
    data = message("chunks", body="".join(f"line {i}\r\n" for i in range(500)) + ".\r\nend\r\n")
    smtp.envelope([BOB])
    at = 0
    for size in (1, 10, 0, 700, 1):
        smtp.write(f"BDAT {size}\r\n".encode() + data[at : at + size])
        smtp.expect(250, "2.0.0")
        at += size
    smtp.write(f"BDAT {len(data) - at} LAST\r\n".encode() + data[at:])
    smtp.expect(250, "2.0.0")
    [(_, mime)] = submitted(exchange, "chunks")
    assert mime.endswith(b"line 499\r\n.\r\nend\r\n")


def test_everything_pipelined(smtp, exchange):
    """RFC 2920 and 3030: all in one write, two messages."""
    out = b""
    for name in ("pipe1", "pipe2"):
        data = message(name)
        out += (f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nRCPT TO:<broken>\r\nBDAT {len(data)} LAST\r\n").encode() + data
    smtp.write(out + b"NOOP\r\nQUIT\r\n")
    assert [smtp.answer()[0] for _ in range(10)] == [250, 250, 553, 250, 250, 250, 553, 250, 250, 221]
    assert len(submitted(exchange, "pipe1")) == len(submitted(exchange, "pipe2")) == 1


def test_group_up_to_data(smtp, exchange):
    smtp.write(f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n")
    assert [smtp.answer()[0] for _ in range(3)] == [250, 250, 354]
    smtp.write(stuffed(message("group")))
    smtp.expect(250)
    assert len(submitted(exchange, "group")) == 1


def test_utf8(smtp, exchange):
    smtp.check(f"MAIL FROM:<{ALICE}>", 250)
    smtp.check("RCPT TO:<j\u00f6rg@example.com>", 553, "5.6.7")
    smtp.check("RSET", 250)
    data = message("utf8", to="J\u00f6rg <j\u00f6rg@example.com>", body="Gr\u00fc\u00dfe\r\n")
    assert smtp.send(["j\u00f6rg@example.com"], data, parameters=" SMTPUTF8 BODY=8BITMIME")[0] == 250
    [(recipients, mime)] = submitted(exchange, "utf8")
    assert recipients == ["j\u00f6rg@example.com"] and "Gr\u00fc\u00dfe".encode() in mime


def test_bare_line_ends_become_lines(smtp, exchange):
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(message("bare", body="") + b"one\ntwo\rthree\r\n.\r\n")
    smtp.expect(250)
    [(_, mime)] = submitted(exchange, "bare")
    assert mime.endswith(b"one\r\ntwo\r\nthree\r\n")


ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n.\r\r\n"]


@pytest.mark.parametrize("number", range(len(ENDS)), ids=[repr(e) for e in ENDS])
def test_smuggling(smtp, exchange, number):
    """What is an end of data elsewhere is content here: no second message, no second answer."""
    name = f"smuggle{number}"
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    inner = f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<{CAROL}>\r\nDATA\r\n".encode() + message(name + "x")
    smtp.write(message(name, body="") + b"before" + ENDS[number] + inner + b"\r\n.\r\n")
    smtp.expect(250)
    assert smtp.do("NOOP")[0] == 250 and smtp.buffer == b""
    assert [r for r, _ in submitted(exchange, name)] == [[BOB]]
    assert not submitted(exchange, name + "x")


def test_many_recipients(smtp, exchange):
    """Up to the limit; the rest is told to come another time."""
    smtp.check(f"MAIL FROM:<{ALICE}>", 250)
    codes = []
    for at in range(0, 10000, 500):
        smtp.write("".join(f"RCPT TO:<r{i}@example.com>\r\n" for i in range(at, at + 500)))
        codes += [smtp.answer()[0] for _ in range(500)]
    assert codes == [250] * 1000 + [452] * 9000
    assert smtp.data(message("many", to="undisclosed-recipients:;"))[0] == 250
    [(recipients, _)] = submitted(exchange, "many")
    assert len(recipients) == 1000


def test_long_lines_of_a_message(smtp, exchange):
    """Longer than RFC 5322 2.1.1 allows: that is between the sender and the server."""
    body = "x" * 300_000 + "\r\n" + "." * 5_000 + "\r\n"
    assert smtp.send([BOB], message("long", body=body, extra="X-Long: " + "y" * 20_000 + "\r\n"))[0] == 250
    [(_, mime)] = submitted(exchange, "long")
    assert mime.endswith(body.encode()) and b"X-Long: " + b"y" * 20_000 in mime


def test_size_is_known_early(smtp):
    text = smtp.ok("EHLO x", 250)
    limit = int(re.search(r"SIZE (\d+)", text).group(1))
    smtp.check(f"MAIL FROM:<{ALICE}> SIZE={limit + 1}", 552, "5.3.4")
    smtp.check(f"MAIL FROM:<{ALICE}> SIZE=99999999999999999999", 552, "5.3.4")
    smtp.check(f"MAIL FROM:<{ALICE}> SIZE={limit}", 250)


def test_other_connection_goes_on(bridge, exchange):
    """One client that dawdles keeps nobody waiting."""
    slow, quick = signed_in(bridge), signed_in(bridge)
    slow.envelope([BOB])
    slow.check("DATA", 354)
    slow.write(b"Subject: half\r\n")
    assert quick.send([BOB], message("quick"))[0] == 250
    slow.close()
    quick.close()


def test_large_message_in_flat_memory(stage, monkeypatch):
    """Measured on a build as people run it: the sanitizers keep what is freed."""
    monkeypatch.setenv("EXBRIDGE", release())
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    smtp = signed_in(bridge)
    assert smtp.send([BOB], message("warm"))[0] == 250
    before = bridge.memory("VmHWM")
    body = ("0123456789" * 7 + "\r\n") * (35_000_000 // 72)
    data = stuffed(message("large", body=body))
    smtp.envelope([BOB], parameters=f" SIZE={len(data)}")
    smtp.check("DATA", 354)
    smtp.write(data)
    smtp.expect(250, "2.0.0")
    growth = bridge.memory("VmHWM") - before  # the highest it ever was
    [(_, mime)] = submitted(exchange, "large")
    assert len(mime) == len(data) - 3
    print(f"growth {growth >> 10} KB")
    assert growth < 20 << 20
