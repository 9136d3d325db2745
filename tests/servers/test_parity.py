# SPDX-License-Identifier: Apache-2.0
"""The real server judges the stand-in: the same messages in SOGo and in the stand-in Exchange, read by one client."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "exchange")]

import corpus
from eas_client import E, EasClient, options_mime
from standin import Standin

COUNT = 40
# What one server says of a message and the other does not, by design: SOGo repeats From as ReplyTo and has no
# ConversationIndex; the stand-in tells LastVerbExecuted only when there was one.
EXTRA = {"Email:ReplyTo", "Email2:LastVerbExecuted", "Email2:ConversationIndex", "Email:ThreadTopic", "Email:DisplayTo"}
SAME = ("Email:Subject", "Email:From", "Email:To", "Email:Cc", "Email:Read", "Email:MessageClass", "Email:InternetCPID")


@pytest.fixture(scope="module")
def both(sogo):
    """[(client, inbox, [ServerIds in order]), ...] of SOGo and the stand-in."""
    source = corpus.Corpus(7)
    exact = ("text", "alternative", "attachments", "inline")  # what SOGo serves byte for byte
    numbers = [i for i in range(COUNT * 3) if source.kind(i) in exact][:COUNT]
    messages = [source.mime(i, 1767600000 + i * 600) for i in numbers]
    sogo.add_user("parity", "secret")
    sogo.append("parity", messages)
    with Standin("--user", "parity:secret:parity@example.test") as exchange:
        for mime in messages:
            exchange.deliver(mime)
        found = []
        for url in (sogo.eas_url, exchange.eas_url):
            client = EasClient(url, "parity", "secret", version="14.1")
            client.connect()
            inbox = client.folder(type="inbox").id
            items = client.sync_all(inbox, options_mime())
            order = sorted(items, key=lambda number: int(number.split(":")[-1]))
            found.append((client, inbox, [(number, items[number]) for number in order]))
        assert exchange.violations() == []
        yield found


def test_the_properties_agree(both):
    (_, _, theirs), (_, _, ours) = both
    assert len(theirs) == len(ours) == COUNT
    for (_, real), (_, made) in zip(theirs, ours):
        names = [{e.name for e in data.elements} - EXTRA for data in (real, made)]
        assert names[0] == names[1]
        for name in SAME:
            assert real.value(name) == made.value(name), name
        bodies = [data.get("AirSyncBase:Body") for data in (real, made)]
        assert bodies[0].get("Data").bytes == bodies[1].get("Data").bytes
        assert [b.value("Type") for b in bodies] == ["4", "4"]
        attachments = [data.all("AirSyncBase:Attachments/Attachment") for data in (real, made)]
        assert [a.value("DisplayName") for a in attachments[0]] == [a.value("DisplayName") for a in attachments[1]]


def test_the_same_flow_works_on_both(both):
    outcome = []
    for client, inbox, items in both:
        first, second = items[0][0], items[1][0]
        done = [client.fetch(inbox, [first, second])[first]]
        done.append(client.change(inbox, first, E("Email:Read", 1)) in (None, "1"))
        target = client.folder_create("Parity")
        client.folder_sync()
        client.sync_all(target)
        new = client.move(second, inbox, target)
        done.append([i for i in client.sync_all(target, items={})] == [new])
        rest = client.sync_all(inbox, items=dict(items))
        done.append((second in rest, rest[first].value("Email:Read")))
        client.folder_delete(target)
        client.folder_sync()
        done.append("Parity" in {f.name for f in client.folders.values()})
        outcome.append(done)
    assert outcome[0] == outcome[1]
