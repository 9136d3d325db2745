# SPDX-License-Identifier: Apache-2.0
"""A PUT that makes an object and whose answer is lost, repeated: before a sync has brought the item, and after it. Whoever names no
condition has the last word. Who says If-None-Match: * gets what he asks for unless somebody has changed the item meanwhile; then he is
told (412), the change stays, and the object is where he will look for it."""
import pytest

import kinds
from bridge import poll
from davtest import event, prop, todo
from retried import ALICE, BOB, NEW, Attempt, Rig, attempt, changed, moved, rig, synced  # noqa: F401

GUEST = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}")
SERIES = ("RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20261208T100000")


@pytest.fixture(scope="session", params=kinds.CALENDARS, ids=str)
def kind(request):
    return request.param


@synced
def test_nobody_has_changed_it(attempt, synced):
    attempt.lost(attempt.event("LOCATION:Room"), synced, **NEW)
    mark = attempt.rig.exchange.mark()
    answer = attempt.put(attempt.event("LOCATION:Room"), **NEW)
    assert answer.status == 201, answer.body
    assert attempt.is_mine() == attempt.event("LOCATION:Room")
    assert not {"ews:CreateItem", "ews:UpdateItem"} & set(attempt.rig.exchange.counts(mark))
    attempt.done()


@synced
def test_somebody_has_changed_it(attempt, synced):
    attempt.lost(attempt.event(), synced, theirs={"location": "Attic"}, **NEW)
    for _ in range(2):
        assert attempt.put(attempt.event(), **NEW).status == 412
    text = attempt.is_mine()
    assert (prop(text, "LOCATION"), prop(text, "SUMMARY"), attempt.item()["location"]) == ("Attic", "mine", "Attic")
    attempt.done()


@synced
@changed
def test_something_else_is_wanted(attempt, synced, changed):
    attempt.lost(attempt.event(), synced, theirs=changed and {"location": "Attic"}, **NEW)
    answer = attempt.put(attempt.event(summary="other"), **NEW)
    assert answer.status == (412 if changed else 201), answer.body
    text = attempt.is_mine()
    there = attempt.item()
    assert (there["subject"], there["location"]) == (("mine", "Attic") if changed else ("other", ""))
    assert (prop(text, "SUMMARY"), prop(text, "LOCATION")) == (("mine", "Attic") if changed else ("other", None))
    attempt.done()


@pytest.mark.parametrize("knows", [True, False], ids=["version", "no-condition"])
def test_another_client_has_changed_it(attempt, knows):
    """Under the name that a sync has given it: its maker has heard nothing yet, and learns of both when it tries again."""
    attempt.lost(attempt.event(), True, **NEW)
    (theirs,) = set(attempt.rig.dav.etags(attempt.home)) - attempt.before
    got = attempt.rig.dav.get(theirs)
    text = got.text().replace("SUMMARY:mine", "SUMMARY:other")
    answer = attempt.rig.dav.put(theirs, text, **({"If_Match": got.headers["ETag"]} if knows else {}))
    assert answer.status == 204, answer.body
    for _ in range(2):
        answer = attempt.put(attempt.event(), **NEW)
        assert answer.status == 412, answer.body
    assert prop(attempt.is_mine(), "SUMMARY") == attempt.item()["subject"] == "other"
    attempt.done()


@synced
def test_the_last_word(attempt, synced):
    """Without a condition."""
    attempt.lost(attempt.event(), synced, theirs={"location": "Attic"})
    answer = attempt.put(attempt.event("LOCATION:Room", summary="other"))
    assert answer.status == 201, answer.body
    assert attempt.is_mine() == attempt.event("LOCATION:Room", summary="other")
    there = attempt.item()
    assert (there["subject"], there["location"]) == ("other", "Room")
    attempt.done()


@synced
@changed
def test_half_a_series(attempt, synced, changed):
    """Its exceptions come after it: what is missing of them nobody has taken away."""
    text = event(attempt.uid, *SERIES, *moved(attempt.uid), summary="mine")
    attempt.lost(text, synced, "exceptions", theirs=changed and {"location": "Attic"}, **NEW)
    assert (attempt.made["deleted"], attempt.made["exceptions"]) == ([], {})
    answer = attempt.put(text, **NEW)
    assert answer.status == (412 if changed else 201), answer.body
    attempt.is_mine()
    there = attempt.item()
    assert there["location"] == ("Attic" if changed else "")
    assert list(there["exceptions"]) == ([] if changed else ["2026-12-15"])
    assert there["deleted"] == ["2026-12-08"] or changed  # what was on the wire already is brought to its end


@synced
@changed
def test_guests_hear_once(attempt, synced, changed):
    text = attempt.event(*GUEST)
    attempt.lost(text, synced, theirs=changed and {"location": "Attic"}, **NEW)
    answer = attempt.put(text, **NEW)
    assert answer.status == (412 if changed else 201), answer.body
    attempt.is_mine()
    attempt.rig.exchange.clear_faults()
    poll(60, lambda: not attempt.rig.bridge.sql("alice", "SELECT * FROM owed"), "something is still owed, or waits")
    assert attempt.mails() == ["REQUEST"]
    assert attempt.rig.dav.ask("DELETE", attempt.path).status == 204


@synced
def test_guests_hear_the_last_word(attempt, synced):
    attempt.lost(attempt.event(*GUEST), synced)
    answer = attempt.put(attempt.event(*GUEST, "LOCATION:Room"))
    assert answer.status == 201, answer.body
    attempt.is_mine()
    attempt.rig.exchange.clear_faults()
    poll(60, lambda: not attempt.rig.bridge.sql("alice", "SELECT * FROM owed"), "something is still owed, or waits")
    # who was invited already hears of the change; where it is us who write, and nobody has been told yet, once
    ours = attempt.rig.kind in (kinds.EAS_14, kinds.EAS_12)
    assert attempt.mails() == ["REQUEST"] * (1 if ours and not synced else 2)
    assert attempt.rig.dav.ask("DELETE", attempt.path).status == 204


@pytest.mark.parametrize("synced, changed", [(False, True), (True, False)], ids=["before-changed", "after-unchanged"])
def test_tasks(rig, attempt, synced, changed):
    attempt = Attempt(rig, "tasks")
    text = todo(attempt.uid, summary="mine")
    attempt.lost(text, synced, theirs=changed and {"due": "2026-12-10"}, **NEW)
    answer = attempt.put(text, **NEW)
    assert answer.status == (412 if changed else 201), answer.body
    assert ("20261210" in attempt.is_mine(), attempt.item()["due"]) == ((True, "2026-12-10") if changed else (False, None))
    attempt.done()


@synced
def test_what_servers_write_in_their_own_way(attempt, synced):
    """Nobody can tell that from a change: it stays, and the client, who gets no ETag, reads it (RFC 4791 5.3.4)."""
    attempt.lost(attempt.event("DESCRIPTION:Mine"), synced, theirs={"body": "Theirs", "categories": ["Red"]}, **NEW)
    answer = attempt.put(attempt.event("DESCRIPTION:Mine"), **NEW)
    assert (answer.status, answer.headers["ETag"]) == (201, None), answer.body
    text = attempt.is_mine()
    assert (prop(text, "DESCRIPTION"), prop(text, "CATEGORIES")) == ("Theirs", "Red")
    assert (attempt.item()["body"]["text"].strip(), attempt.item()["categories"]) == ("Theirs", ["Red"])
    attempt.done()


@synced
def test_a_part_that_both_have_changed(attempt, synced):
    attempt.lost(attempt.event("DESCRIPTION:Mine"), synced, theirs={"body": "Theirs"}, **NEW)
    assert attempt.put(attempt.event("DESCRIPTION:Other"), **NEW).status == 412
    assert (prop(attempt.is_mine(), "DESCRIPTION"), attempt.item()["body"]["text"].strip()) == ("Theirs", "Theirs")
    attempt.done()


def test_the_oldest_activesync(module_stage):
    rig = Rig(module_stage, kinds.EAS_12)
    for synced, theirs in ((False, None), (False, {"location": "Attic"}), (True, None), (True, {"location": "Attic"})):
        rig.exchange.clear_faults()
        attempt = Attempt(rig)
        attempt.lost(attempt.event(), synced, theirs=theirs, **NEW)
        answer = attempt.put(attempt.event(), **NEW)
        assert answer.status == (412 if theirs else 201), answer.body
        attempt.is_mine()
        attempt.done()
    rig.dav.close()
