# SPDX-License-Identifier: Apache-2.0
"""Mail about meetings that we send ourselves (ActiveSync up to 14.1): exactly once, whatever dies in between."""
import pytest

import kinds
from bridge import poll
from davtest import Dav
from test_meetings import ALICE, BOB, mails, meeting, wait_for

ACCEPTED = ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")


@pytest.fixture
def exchange(stage):
    return kinds.EAS_14.exchange(stage, "--user", f"{BOB}:canary-Exchange-9f31", "--demo", "1")


@pytest.fixture
def bridge(stage, exchange):
    kind = kinds.EAS_14
    return stage.bridge(kind.account("alice", exchange, email=ALICE, user=ALICE), kind.account("bob", exchange, email=BOB, user=BOB),
                        dav=True)


@pytest.fixture
def sign_in(bridge):
    made = []

    def client(name, address):
        made.append(Dav(bridge, name))
        made[-1].sign_in(address)
        return made[-1]

    yield client
    for one in made:
        one.close()


def no_faults(exchange):
    exchange.call("DELETE", "faults")


def test_an_invitation_outlives_a_crash(exchange, bridge, sign_in):
    alice = sign_in("alice", ALICE)
    exchange.fault(op="SendMail", do="reset_before", times=0)
    assert alice.put(alice.calendar() + "m.ics", meeting()).status == 201
    bridge.kill()
    no_faults(exchange)
    bridge.start()
    poll(60, lambda: mails(exchange), "the invitation was not sent")
    wait_for(sign_in("bob", BOB))
    assert mails(exchange) == [("client", "REQUEST")]


def test_an_invitation_whose_answer_is_lost_goes_once(exchange, bridge, sign_in):
    alice = sign_in("alice", ALICE)
    exchange.fault(op="SendMail", do="lose")
    assert alice.put(alice.calendar() + "m.ics", meeting()).status == 201
    wait_for(sign_in("bob", BOB))
    poll(60, lambda: not bridge.sql("alice", "SELECT * FROM owed"), "it is still owed")
    assert mails(exchange) == [("client", "REQUEST")]


@pytest.mark.parametrize("fault", ["lose", "reset_before"])
def test_an_answer_whose_outcome_is_unknown(exchange, bridge, sign_in, fault):
    """The server took it, or not; the program dies. The organiser hears exactly what the calendar says."""
    alice, bob = sign_in("alice", ALICE), sign_in("bob", BOB)
    alice.put(alice.calendar() + "m.ics", meeting())
    there, = wait_for(bob)
    text = bob.get(there).text()
    exchange.fault(op="MeetingResponse", do=fault, times=0)
    assert bob.put(there, text.replace(*ACCEPTED)).status >= 500
    bridge.kill()
    no_faults(exchange)
    bridge.start()
    bob = sign_in("bob", BOB)
    if fault == "lose":
        poll(60, lambda: bob.etags(bob.calendar()) and len(mails(exchange)) == 2, "the organiser was not told")
        poll(60, lambda: "PARTSTAT=ACCEPTED" in bob.get(there).text(), "the client was not told")
        assert bob.put(there, bob.get(there).text()).status == 204
    else:
        assert "PARTSTAT=ACCEPTED" not in bob.get(there).text() and len(mails(exchange)) == 1
        assert bob.put(there, text.replace(*ACCEPTED)).status == 204
    poll(60, lambda: not bridge.sql("bob", "SELECT * FROM owed"), "it is still owed")
    assert mails(exchange) == [("client", "REQUEST"), ("client", "REPLY")]


@pytest.mark.parametrize("fault", ["lose", "reset_before"])
def test_a_cancellation_whose_outcome_is_unknown(exchange, bridge, sign_in, fault):
    alice = sign_in("alice", ALICE)
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting()).status == 201
    poll(60, lambda: mails(exchange), "the invitation was not sent")
    exchange.fault(op="Sync", do=fault, times=0)
    assert alice.ask("DELETE", path).status >= 500
    bridge.kill()
    no_faults(exchange)
    bridge.start()
    alice = sign_in("alice", ALICE)
    if fault == "reset_before":
        poll(60, lambda: alice.ask("DELETE", path).status in (204, 404), "it cannot be deleted")
    poll(60, lambda: not alice.etags(alice.calendar()), "it is still there")
    poll(60, lambda: len(mails(exchange)) == 2, "nobody was told")
    assert mails(exchange) == [("client", "REQUEST"), ("client", "CANCEL")] and exchange.events() == []
