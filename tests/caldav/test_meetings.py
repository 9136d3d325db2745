# SPDX-License-Identifier: Apache-2.0
"""Invitations: Exchange sends the mail: each exactly once, and answers reach the organiser."""
import re

import pytest

from bridge import poll
from davtest import Dav, event, prop

ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture
def exchange(stage, kind):
    return kind.exchange(stage, "--user", f"{BOB}:canary-Exchange-9f31", "--demo", "1")


@pytest.fixture
def people(stage, kind, exchange):
    bridge = stage.bridge(kind.account("alice", exchange, email=ALICE, user=ALICE),
                          kind.account("bob", exchange, email=BOB, user=BOB), dav=True)
    clients = []
    for name, address in (("alice", ALICE), ("bob", BOB)):
        client = Dav(bridge, name)
        client.sign_in(address)
        clients.append(client)
    yield clients
    for client in clients:
        client.close()


def meeting(*more, summary="Meeting"):
    return event("m-1", f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}",
                 f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{BOB}", *more, summary=summary)


def answer_of(text, address):
    line, = (l for l in text.replace("\r\n ", "").split("\r\n") if l.startswith("ATTENDEE") and l.endswith(f":mailto:{address}"))
    return re.search(r"PARTSTAT=([A-Z-]+)", line).group(1)


def mails(exchange):
    return [(s["by"], s["meeting"]["method"]) for s in exchange.submissions() if s.get("meeting")]


def wait_for(dav, count=1):
    calendar = dav.calendar()
    return poll(60, lambda: len(dav.etags(calendar)) == count and dav.etags(calendar), f"not {count} objects")


def test_an_invitation_and_its_answer(exchange, people):
    alice, bob = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting()).status == 201
    assert mails(exchange) == [("server", "REQUEST")]
    there, = wait_for(bob)
    text = bob.get(there).text()
    assert prop(text, "SUMMARY") == "Meeting" and f"mailto:{ALICE}" in text
    before = text.count("NEEDS-ACTION")
    answer = bob.put(there, text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    assert before == 1 and answer.status == 204, (before, answer.status, answer.body)
    assert mails(exchange) == [("server", "REQUEST"), ("server", "REPLY")]
    poll(60, lambda: answer_of(alice.get(path).text(), BOB) == "ACCEPTED", "the answer did not reach the organiser")
    # an attendee may not move it
    refused = bob.put(there, bob.get(there).text().replace("T110000", "T130000").replace("T100000", "T120000"))
    assert (refused.status, refused.precondition()) == (403, "allowed-attendee-scheduling-object-change")


def test_calling_it_off(exchange, people):
    alice, bob = people
    path = alice.calendar() + "m.ics"
    alice.put(path, meeting())
    wait_for(bob)
    assert alice.ask("DELETE", path).status == 204
    assert [m for _, m in mails(exchange)] == ["REQUEST", "CANCEL"]
