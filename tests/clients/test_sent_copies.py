# SPDX-License-Identifier: Apache-2.0
"""A sent message has one copy: the server files one, the client appends one, in any order and with any delay. Never two, and the
client is answered with the UID of the one that stays."""
import re

import kinds
import pytest
from bridge import literal, poll
from smtptest import message, signed_in

BOB = "bob@example.com"


def append(imap, data, wait=True):
    imap.send(b'h1 APPEND "Sent Items" (\\Seen) {%d+}\r\n%s\r\n' % (len(data), data))
    return uid_of(imap) if wait else None


def uid_of(imap):
    status = imap.finish("h1")[0]
    assert status.startswith("OK"), status
    found = re.search(r"APPENDUID \d+ (\d+)", status)
    return int(found.group(1)) if found else None


def send(bridge, data):
    assert signed_in(bridge).send([BOB], data)[0] == 250


def copies(exchange, subject):
    return [i for i in exchange.items("sentitems") if i["message_id"] == f"<{subject}@test.example>"]


def shown(bridge, subject):
    """UIDs in Sent."""
    imap = bridge.login("work")
    imap.open("Sent Items")
    lines = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    return [uid for uid, line in lines if f"<{subject}@test.example>".encode() in literal(line)]


@pytest.fixture(params=[kinds.EWS, kinds.EAS_16], ids=str)
def kind(request):
    return request.param


@pytest.fixture
def world(stage, kind):
    exchange = kind.exchange(stage)
    exchange.options(hold_sent_copies=True)
    bridge = stage.bridge(kind.account("work", exchange))
    imap = bridge.login("work")
    imap.open("Sent Items")
    return exchange, bridge, imap


def test_a_little_late(world):
    """The append waits for the server's copy."""
    exchange, bridge, imap = world
    send(bridge, message("late"))
    mark = exchange.mark()
    append(imap, message("late"), wait=False)
    poll(60, lambda: len([e for e in exchange.log(mark) if e["op"] in ("SyncFolderItems", "Sync")]) >= 2)
    assert exchange.file_sent_copies() == 1
    uid = uid_of(imap)
    assert len(copies(exchange, "late")) == 1 and shown(bridge, "late") == [uid]
    assert append(imap, message("late")) == uid and len(copies(exchange, "late")) == 1


def test_before_the_client(world):
    exchange, bridge, imap = world
    send(bridge, message("early"))
    assert exchange.file_sent_copies() == 1
    uid = append(imap, message("early"))
    assert uid and len(copies(exchange, "early")) == 1 and shown(bridge, "early") == [uid]


@pytest.mark.parametrize("kind", [kinds.EWS], ids=str, indirect=True)
def test_very_late(world):
    """The client is not kept waiting for ever: its own copy is the one, and the server's goes when it comes, whoever is there
    then. A restart in between forgets nothing."""
    exchange, bridge, imap = world
    send(bridge, message("slow"))
    uid = append(imap, message("slow"))
    assert uid and len(copies(exchange, "slow")) == 1
    bridge.restart()
    assert shown(bridge, "slow") == [uid]
    assert exchange.file_sent_copies() == 1
    poll(60, lambda: len(copies(exchange, "slow")) == 1 and shown(bridge, "slow") == [uid])
    assert bridge.login("work").open("Sent Items")["exists"] == 1


@pytest.mark.parametrize("kind", [kinds.EWS], ids=str, indirect=True)
@pytest.mark.parametrize("held", [False, True])
def test_the_client_first(world, held):
    """Clients that file before they send."""
    exchange, bridge, imap = world
    exchange.options(hold_sent_copies=held)
    uid = append(imap, message("first"))
    assert uid and shown(bridge, "first") == [uid]
    send(bridge, message("first"))
    assert exchange.file_sent_copies() == int(held)
    poll(60, lambda: len(copies(exchange, "first")) == 1 and shown(bridge, "first") == [uid])
    assert append(imap, message("first")) == uid
    assert len(copies(exchange, "first")) == 1
