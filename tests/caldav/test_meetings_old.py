# SPDX-License-Identifier: Apache-2.0
"""Up to ActiveSync 14.0 the mail in the Inbox is answered and not the item of the calendar, the meeting as a whole, and the organiser
hears of it from us (MS-ASCMD 2.2.1.11, 2.2.3.92.1)."""
import re

import pytest

from bridge import Account, poll
from davtest import Dav
from test_meetings import ALICE, BOB


class Rig:
    def __init__(self, stage, version):
        self.exchange = stage.exchange("--user", f"{BOB}:canary-Exchange-9f31", "--demo", "1")
        self.exchange.options(eas_versions=[version])
        account = Account("alice", self.exchange, "eas", email=ALICE, user=ALICE, provision="accept")
        self.bridge = stage.bridge(account, dav=True, name=f"bridge-{version}")
        self.dav = Dav(self.bridge, "alice")
        self.dav.sign_in(ALICE)

    def invite(self, **event):
        """Bob's meeting: (path, text) as Alice's client sees it, its UID, and the invitation is in her Inbox."""
        had = len(self.inbox())
        event = {"subject": "Talk", "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z", "state": 1,
                 "attendees": [{"email": ALICE}], **event}
        made = self.exchange.event("create", user=BOB, event=event)
        self.exchange.event("update", user=BOB, num=made["num"], event={"location": "Here"}, mail=True)
        poll(60, lambda: len(self.inbox()) > had)
        poll(60, lambda: self.known() == len(self.exchange.items("inbox")), "the mail was not synchronised")
        path, text = poll(60, lambda: self.find(made["uid"]), "the meeting did not come")
        return path, text, made["uid"]

    def inbox(self):
        return [i for i in self.exchange.items("inbox") if i["class"] == "IPM.Schedule.Meeting.Request"]

    def known(self):
        query = "SELECT count(*) FROM item JOIN folder ON folder.pk = item.folder WHERE folder.use = 1"
        return self.bridge.sql("alice", query)[0][0]

    def find(self, uid):
        home = poll(60, lambda: self.dav.calendars().get("Calendar"))
        for path in self.dav.etags(home):
            text = self.dav.get(path).text()
            if uid in text.replace("\r\n ", ""):
                return path, text
        return None

    def replies(self, uid):
        return [s["by"] for s in self.exchange.submissions() if s.get("meeting") and s["meeting"]["uid"] == uid
                and s["meeting"]["method"] == "REPLY"]

    def answer_of(self, uid, user):
        return next((e["my_response"] if user == ALICE else e["attendees"][0]["response"]
                     for e in self.exchange.events(user=user) if e["uid"] == uid), None)

    def settled(self):
        poll(60, lambda: not self.bridge.sql("alice", "SELECT * FROM owed"), "something is still owed, or waits")


@pytest.fixture(scope="module", params=["14.0", "12.1"])
def rig(module_stage, request):
    rig = Rig(module_stage, request.param)
    yield rig
    rig.dav.close()


@pytest.mark.parametrize("partstat,response", [("ACCEPTED", "Accept"), ("TENTATIVE", "Tentative"), ("DECLINED", "Decline")])
def test_the_invitation_is_answered(rig, partstat, response):
    made = {"uid": f"made-by-a-client-{partstat}"} if partstat == "TENTATIVE" else {}
    path, text, uid = rig.invite(**made)
    if partstat == "ACCEPTED":  # what invites to what is known after a restart, too
        rig.dav.close()
        rig.bridge.restart()
        path, text = poll(60, lambda: rig.find(uid))
    answer = rig.dav.put(path, text.replace("PARTSTAT=NEEDS-ACTION", f"PARTSTAT={partstat}"))
    assert answer.status == 204, answer.body
    rig.settled()
    assert rig.replies(uid) == ["client"]
    assert rig.answer_of(uid, ALICE) == (None if partstat == "DECLINED" else response)
    poll(60, lambda: rig.answer_of(uid, BOB) == response, "the organiser does not know")
    assert rig.inbox() == []


def test_one_occurrence_cannot_be_answered(rig):
    path, text, uid = rig.invite(recurrence={"kind": "daily", "start": "2026-12-01", "count": 4})
    start = "20261202T090000Z" if "DTSTART:20261201T090000Z" in text else None
    assert start, text
    answer = rig.dav.put(path, text.replace("END:VEVENT", f"EXDATE:{start}\r\nEND:VEVENT"))
    assert answer.status == 403 and b"as a whole" in answer.body
    rig.settled()
    assert rig.replies(uid) == []
    assert rig.dav.put(path, text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")).status == 204
    rig.settled()
    assert rig.replies(uid) == ["client"]


@pytest.mark.parametrize("partstat,response", [("ACCEPTED", "Accept"), ("DECLINED", None)])
def test_a_lost_answer(rig, partstat, response):
    """The invitation is gone after the first attempt: whether that one went through, the calendar tells."""
    path, text, uid = rig.invite()
    rig.exchange.fault(op="MeetingResponse", do="lose")
    assert rig.dav.put(path, text.replace("PARTSTAT=NEEDS-ACTION", f"PARTSTAT={partstat}")).status >= 500
    rig.settled()
    assert rig.replies(uid) == ["client"] and rig.answer_of(uid, ALICE) == response
    if partstat == "ACCEPTED":
        path, text = rig.find(uid)
        assert "PARTSTAT=ACCEPTED" in text and rig.dav.put(path, text).status == 204
        rig.settled()
    assert rig.replies(uid) == ["client"]


def test_without_the_invitation(rig):
    path, text, uid = rig.invite()
    for item in rig.inbox():
        rig.exchange.call("POST", "items", {"do": "delete", "num": item["num"]})
    answer = rig.dav.put(path, text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    # whether the bridge has heard of the deletion yet or the server says so
    assert answer.status == 403 and re.search(rb"not in\s+the Inbox|cannot be answered", answer.body), answer.body
    rig.settled()
    assert rig.replies(uid) == [] and rig.answer_of(uid, ALICE) == "NoResponseReceived"
