# SPDX-License-Identifier: Apache-2.0
"""A client that hangs up in the middle of a MOVE, an APPEND or a send loses nothing, and what it does again is not done twice."""
import re
import signal

import kinds
import pytest
from bridge import poll
from smtptest import message, signed_in, stuffed

MAIL = message("hangup")
BOB = "bob@example.com"
appending = pytest.mark.parametrize("kind", [k for k in kinds.WRITING if k.append], ids=str)
writing = pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16], ids=str)


def start(stage, kind, count=6):
    exchange = kind.exchange(stage)
    exchange.folder("create", name="Kept")
    for n in range(count):
        exchange.deliver(subject=f"mail {n}")
    return exchange, stage.bridge(kind.account("work", exchange))


def opened(bridge):
    imap = bridge.login("work")
    imap.open("INBOX")
    return imap


def appended(exchange):
    return [i for i in exchange.items("inbox") if i["message_id"] == "<hangup@test.example>"]


def append(data=MAIL):
    return b"h1 APPEND INBOX (\\Seen) {%d+}\r\n%s\r\n" % (len(data), data)


def hang_up(bridge, imap):
    """The bridge knows of it afterwards."""
    closed = len(bridge.log_lines(r"connection \d+ closed"))
    imap.close()
    poll(60, lambda: len(bridge.log_lines(r"connection \d+ closed")) > closed, bridge.tail)


def append_until_ok(bridge, held=None):
    """As a client does that was not answered; the UID. held: its first attempt is still at that server, and then is not."""
    def again():
        imap = opened(bridge)
        asked = len(bridge.log_lines("APPEND"))
        imap.send(append())
        if held:
            poll(60, lambda: len(bridge.log_lines("APPEND")) > asked)
            held.clear_faults()
        status = imap.finish("h1")[0]
        assert status.startswith(("OK [APPENDUID ", "NO [INUSE]")), status
        return re.search(r"APPENDUID \d+ (\d+)", status)

    return int(poll(60, again)[1])


@appending
def test_append_under_way(stage, kind):
    """The client comes back while its first attempt is still on the wire."""
    exchange, bridge = start(stage, kind)
    exchange.fault(op="CreateItem", do="pause", times=0)
    imap = opened(bridge)
    imap.send(append())
    exchange.held("CreateItem")
    hang_up(bridge, imap)
    uid = append_until_ok(bridge, exchange)
    assert len(appended(exchange)) == 1 and opened(bridge).bodies(str(uid)) == {uid: MAIL}


@appending
def test_append_done_and_not_heard(stage, kind):
    """Done after the client had gone: its retry is answered with the message that is there."""
    exchange, bridge = start(stage, kind)
    exchange.fault(op="CreateItem", do="pause", times=0)
    imap = opened(bridge)
    imap.send(append())
    exchange.held("CreateItem")
    hang_up(bridge, imap)
    exchange.clear_faults()
    [item] = poll(60, lambda: appended(exchange))
    poll(60, lambda: 7 == opened(bridge).status_of("INBOX")["MESSAGES"])
    uid = append_until_ok(bridge)
    assert [i["num"] for i in appended(exchange)] == [item["num"]]
    assert opened(bridge).bodies(str(uid)) == {uid: MAIL}
    again = append_until_ok(bridge)  # that one was heard: whoever appends now wants another
    assert again > uid and len(appended(exchange)) == 2


@appending
def test_append_cut_anywhere(stage, kind):
    exchange, bridge = start(stage, kind)
    data = append()
    for cut in [*range(0, 40, 3), *range(40, len(data), 41), len(data) - 2, len(data) - 1]:
        imap = opened(bridge)
        imap.send(data[:cut])
        imap.close()
    assert opened(bridge).status_of("INBOX")["MESSAGES"] == 6 and not appended(exchange)
    append_until_ok(bridge)
    assert len(appended(exchange)) == 1


@writing
def test_move(stage, kind):
    """Before the request, while it is on its way, and after it: no message is lost, none is there twice."""
    op = "MoveItem" if kind.backend == "ews" else "MoveItems"
    exchange, bridge = start(stage, kind, 30)
    ids = sorted(i["message_id"] for i in exchange.items("inbox"))
    asked = []  # a move that is still under way asks the server for nothing when it is asked for once more
    for n in range(10):
        imap = opened(bridge)
        uids = [uid for uid in imap.uids() if uid not in asked][:2]
        asked += uids
        exchange.fault(op=op, delay_s=0.3 * (n % 2))
        mark = exchange.mark()
        command = b"h1 UID MOVE %d,%d Kept\r\n" % tuple(uids)
        imap.send(command[: len(command) if n < 6 else len(command) - 1 - n % 2])
        if n % 3 == 0 and n < 6:
            poll(60, lambda: exchange.log(mark, op=op))
        imap.close()
        exchange.clear_faults()

    def same():
        kept, inbox = bridge.login("work"), opened(bridge)
        kept.open("Kept")
        here, there = len(inbox.uids()), len(kept.uids())
        return (here, there) == (len(exchange.items("inbox")), len(exchange.items("Kept"))) and here + there == 30

    poll(60, same)
    assert sorted(i["message_id"] for f in ("inbox", "Kept") for i in exchange.items(f)) == ids


@writing
@pytest.mark.parametrize("twice", [False, True])
def test_end_with_a_change_under_way(stage, kind, twice):
    """SIGTERM while a change is on its way whose client has gone: it is waited for, but not by somebody in a hurry."""
    op = "MoveItem" if kind.backend == "ews" else "MoveItems"
    exchange, bridge = start(stage, kind)
    exchange.fault(op=op, do="hold" if twice else "pause", times=0)
    imap = opened(bridge)
    imap.send("h1 UID MOVE 1:3 Kept\r\n")
    exchange.held(op)
    bridge.process.send_signal(signal.SIGTERM)
    poll(60, lambda: bridge.log_lines("stopping"))
    if twice:
        bridge.process.send_signal(signal.SIGTERM)
    imap.close()
    exchange.clear_faults()
    assert bridge.process.wait(60) == 0
    bridge.process = None
    assert bool(bridge.log_lines("ended before 1 changes were answered")) == twice
    poll(60, lambda: len(exchange.items("Kept")) == 3)
    bridge.start()
    poll(60, lambda: opened(bridge).status_of("Kept")["MESSAGES"] == 3)
    assert opened(bridge).status_of("INBOX")["MESSAGES"] == 3


@writing
@pytest.mark.parametrize("left", [0, 1, 5])
def test_send(stage, kind, left):
    """The end of the data came, or did not; the retry is the only one that is sent."""
    exchange, bridge = start(stage, kind, 0)
    smtp = signed_in(bridge)
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    data = stuffed(MAIL)
    smtp.write(data[: len(data) - left])
    smtp.close()

    def again():
        code = signed_in(bridge).send([BOB], MAIL)[0]
        assert code in (250, 451)
        return code == 250

    poll(60, again)
    assert [s["message_id"] for s in exchange.submissions()] == ["<hangup@test.example>"]
    assert len(exchange.items("sentitems")) == 1
