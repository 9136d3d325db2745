# SPDX-License-Identifier: Apache-2.0
"""As test_retried.py, and the process is killed (bridge/base/crash.h) at every step of the repeated PUT as well: the attempt after
that one comes to the same end. And what a server did before it had no time any more is not done twice."""
import pytest

import kinds
from bridge import poll
from davtest import event, prop
from retried import NEW, attempt, moved, rig  # noqa: F401

PUT_OVER = ["event.journaled", "event.answered", "event_retry.found", "event.answered:2", "event.stored"]
TOLD = ["event.answered", "event_retry.found"]


@pytest.fixture(scope="session", params=(kinds.EWS, kinds.EAS_16), ids=str)
def kind(request):
    return request.param


def killed_twice(attempt, point, theirs):
    """Its first attempt has made the item; the second one ends at this point, and no sync has come to its end meanwhile."""
    rig = attempt.rig
    attempt.hold_syncs()
    rig.restart("event.answered")
    rig.dies(lambda: attempt.put(attempt.event(), **NEW))
    attempt.made = attempt.item()
    if theirs:
        rig.exchange.event("update", num=attempt.made["num"], event=theirs)
    rig.restart(point)
    rig.dies(lambda: attempt.put(attempt.event(summary="other"), **NEW))


@pytest.mark.parametrize("point", PUT_OVER)
def test_something_else_is_wanted(attempt, point):
    killed_twice(attempt, point, None)
    attempt.rig.restart()
    answer = attempt.put(attempt.event(summary="other"), **NEW)
    # a mistake of ours would be a 201: it has been written down, and nobody was told
    assert answer.status == (412 if point == "event.stored" else 201), answer.body
    assert prop(attempt.is_mine(), "SUMMARY") == attempt.item()["subject"] == "other"
    attempt.done()


@pytest.mark.parametrize("point", TOLD)
@pytest.mark.parametrize("synced", [False, True], ids=["before", "after"])
def test_somebody_has_changed_it(attempt, point, synced):
    killed_twice(attempt, point, {"location": "Attic"})
    attempt.rig.restart()
    if synced:
        attempt.rig.exchange.clear_faults()
        attempt.look()
    answer = attempt.put(attempt.event(summary="other"), **NEW)
    assert answer.status == 412, answer.body
    assert prop(attempt.is_mine(), "LOCATION") == attempt.item()["location"] == "Attic"
    assert attempt.item()["subject"] == "mine"
    attempt.done()


def test_no_time_half_way(attempt):
    """The server asks for a pause when the series is there, and its exceptions are not."""
    text = event(attempt.uid, "RRULE:FREQ=WEEKLY;COUNT=4", *moved(attempt.uid), summary="mine")
    exchange = attempt.rig.exchange
    rule = {"op": "UpdateItem"} if attempt.rig.kind.backend == "ews" else {"op": "Sync", "where": {"folder": "calendar", "commands": ["Change"]}}
    exchange.fault(do="status", status=503, headers={"Retry-After": "3600"}, times=0, **rule)
    assert attempt.put(text, **NEW).status == 503
    attempt.made = attempt.item()
    assert attempt.made["exceptions"] == {}
    exchange.clear_faults()
    attempt.rig.restart()
    answer = poll(60, lambda: (a := attempt.put(text, **NEW)).status < 500 and a)
    assert answer.status == 201, answer.body
    attempt.is_mine()
    assert list(attempt.item()["exceptions"]) == ["2026-12-15"]
