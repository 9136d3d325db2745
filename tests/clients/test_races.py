# SPDX-License-Identifier: Apache-2.0
"""Two sessions at one message while a request is on its way: what both were promised is true in the end."""
import re

import kinds
import pytest
from bridge import poll
from smtptest import message


def opened(stage, kind, count):
    exchange = kind.exchange(stage)
    for n in range(count):
        exchange.deliver(message(f"first{n}"))
    bridge = stage.bridge(kind.account("work", exchange))
    sessions = [bridge.login("work") for _ in range(2)]
    for imap in sessions:
        poll(60, lambda: imap.open("INBOX")["exists"] == count)
    sessions[0].ok("CREATE Elsewhere")
    return exchange, bridge, sessions


def begun(exchange, imap, command, **rule):
    """The command's request is at the server, which does nothing about it until the faults are cleared."""
    exchange.fault(do="pause", **rule)
    imap.send(f"x1 {command}\r\n")
    poll(60, lambda: exchange.faults()[0]["hits"], "nothing is on its way")


@pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16], ids=str)
def test_flags(stage, kind):
    """\\Deleted is kept here alone, and at once; \\Seen waits for the server, and was decided before."""
    exchange, bridge, (one, other) = opened(stage, kind, 1)
    rule = {"op": "UpdateItem"} if kind is kinds.EWS else {"op": "Sync", "where": {"commands": ["Change"]}}
    begun(exchange, one, r"STORE 1 +FLAGS (\Seen)", **rule)
    other.ok(r"STORE 1 +FLAGS (\Deleted)")
    exchange.clear_faults()
    assert one.finish("x1")[0].startswith("OK")
    for imap in (one, other, bridge.login("work")):
        imap.open("INBOX")
        [flags] = imap.flags().values()
        assert flags >= {"\\Seen", "\\Deleted"}, flags
    assert exchange.items("inbox")[0]["read"]


def test_moved_while_it_is_fetched(stage):
    """The server does not know it under its old id any more; that is not to say that it is gone."""
    exchange, bridge, (one, other) = opened(stage, kinds.EWS, 2)
    begun(exchange, one, "UID FETCH 1 (BODY.PEEK[])", op="GetItem")
    other.ok("UID MOVE 1 Elsewhere")
    look = bridge.login("work")
    poll(60, lambda: look.open("Elsewhere")["exists"] == 1)
    [uid] = look.uids()
    exchange.clear_faults()
    one.finish("x1")
    for imap in (one, other, bridge.login("work")):
        imap.open("Elsewhere")
        assert imap.uids() == [uid] and len(imap.bodies("1:*")) == 1
        assert imap.open("INBOX")["exists"] == 1


def test_expunged_while_it_is_moved(stage):
    """The server has moved it when it comes to delete it under its old id."""
    exchange, bridge, (one, other) = opened(stage, kinds.EWS, 2)
    other.ok(r"UID STORE 1 +FLAGS.SILENT (\Deleted)")
    begun(exchange, other, "UID EXPUNGE 1", op="DeleteItem")
    told = one.ok("UID MOVE 1 Elsewhere")
    uid = int(re.search(rb"\[COPYUID \d+ 1 (\d+)\]", b" ".join([*told, one.status.encode()])).group(1))
    exchange.clear_faults()
    assert other.finish("x1")[0].startswith("OK")
    look = bridge.login("work")
    poll(60, lambda: look.open("Elsewhere")["exists"] == len(exchange.items("Elsewhere")) == 1)
    assert look.uids() == [uid]
    poll(60, lambda: look.open("INBOX")["exists"] == 1)
