# SPDX-License-Identifier: Apache-2.0
"""As test_retried.py, of objects with attachments: they are there once, whatever came of the attempts."""
import base64

import pytest

import kinds
from davtest import event
from retried import NEW, attempt, moved, rig, synced  # noqa: F401


@pytest.fixture(scope="session", params=(kinds.EWS, kinds.EAS_16), ids=str)
def kind(request):
    """ActiveSync up to 14.1 has no attachments in events."""
    return request.param


def file(name, content):
    return f"ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME={name}:{base64.b64encode(content).decode()}"


@synced
@pytest.mark.parametrize("content", [b"one", b"two"], ids=["same", "other"])
def test_attachments(attempt, synced, content):
    """What they say is what was asked for last."""
    attempt.lost(attempt.event(file("a.txt", b"one")), synced, **NEW)
    answer = attempt.put(attempt.event(file("a.txt", content)), **NEW)
    assert answer.status == 201, answer.body
    attempt.is_mine()
    assert [base64.b64decode(a["data_b64"]) for a in attempt.item()["attachments"]] == [content]
    attempt.done()


@synced
def test_those_of_an_occurrence(attempt, synced):
    """In EWS a request of their own, behind the one that changes it; in ActiveSync they come with it."""
    text = event(attempt.uid, "RRULE:FREQ=WEEKLY;COUNT=4", file("a.txt", b"all"),
                 *moved(attempt.uid, file("a.txt", b"all"), file("b.txt", b"third")), summary="mine")
    ews = attempt.rig.kind.backend == "ews"
    attempt.lost(text, synced, "attachments" if ews else "exceptions", **NEW)
    assert list(attempt.made["exceptions"]) == (["2026-12-15"] if ews else [])
    answer = attempt.put(text, **NEW)
    assert answer.status == 201, answer.body
    attempt.is_mine()
    there = attempt.item()
    assert [a["name"] for a in there["attachments"]] == ["a.txt"]
    assert sorted(a["name"] for a in there["exceptions"]["2026-12-15"]["attachments"]) == ["a.txt", "b.txt"]
