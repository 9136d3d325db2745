# SPDX-License-Identifier: Apache-2.0
"""Meetings over EAS: from 16.0 on the server sends, before that the client does; either way each mail once."""
import base64

import pytest

from eas_cal_kit import BOB, NEW, OLD, Cal, daily, empty, event, exchange, fresh, running, times  # noqa: F401
from eas_kit import connect
from standin import USER
from wbxml import E


def attendees(*emails):
    return E("Calendar:Attendees", *[E("Attendee", E("Email", e), E("Name", e.split("@")[0])) for e in emails])


def post(empty):
    """(method, sender, recipients, by) of every message about a meeting."""
    found = [m for m in empty.submissions() if m["meeting"]]
    return [(m["meeting"]["method"], m["sender"], m["recipients"], m["by"]) for m in found]


@pytest.fixture
def sent(empty):
    """post() of this test alone."""
    before = len(post(empty))
    return lambda: post(empty)[before:]


@pytest.fixture
def bob(empty):
    made = []

    def make(version):
        made.append(connect(empty, version, BOB))
        return made[-1]

    yield make
    for client in made:
        client.close()


def invite(client, *more, uid="u1"):
    cal = Cal(client)
    number, status, _ = cal.add(
        *event(attendees(BOB), E("Calendar:MeetingStatus", 1), *more, version=client.version, uid=uid)
    )
    assert status == "1"
    return cal, number


def mail_of(client):
    """(folder id, ServerId, ApplicationData) of the newest message in the inbox."""
    inbox = client.folder(type="inbox").id
    items = client.sync_all(inbox)
    number = max(items, key=lambda n: int(n.split(":")[1]))
    return inbox, number, items[number]


def answer(client, folder, number, word=1, instance=None, send=True):
    fields = [E("UserResponse", word), E("CollectionId", folder), E("RequestId", number)]
    fields += [E("InstanceId", instance)] if instance else []
    fields += [E("SendResponse")] if send and client.version >= "16" else []
    result = client.command("MeetingResponse", E("MeetingResponse:MeetingResponse", E("Request", *fields))).get(
        "Result"
    )
    return result.value("Status"), result.value("CalendarId")


def test_the_server_invites(empty, fresh, sent):
    cal, number = invite(fresh(NEW))
    assert sent() == [("REQUEST", USER, [BOB], "server")]
    assert empty.events(user=BOB)[0]["my_response"] == "NoResponseReceived"
    assert cal.change(number, E("Calendar:Reminder", 5)) == "1" and len(sent()) == 1  # nobody's business
    assert cal.change(number, E("Calendar:Subject", "New name")) == "1" and len(sent()) == 2
    assert empty.events(user=BOB)[0]["subject"] == "New name"
    assert cal.delete(number) == "1"
    assert sent()[2:] == [("CANCEL", USER, [BOB], "server")] and empty.events(user=BOB)[0]["state"] == 7


def test_the_client_invites(empty, fresh, sent):
    client = fresh(OLD)
    cal, number = invite(client)
    assert sent() == [] and empty.events(user=BOB) == []
    calendar = (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART:20260105T080000Z\r\nDTEND:20260105T090000Z\r\nSUMMARY:Talk\r\nORGANIZER:mailto:alice@example.com\r\n"
        "ATTENDEE;RSVP=TRUE:mailto:bob@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    head = f"To: {BOB}\r\nSubject: Talk\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n"
    client.send_mail((head + calendar).encode())
    assert sent() == [("REQUEST", USER, [BOB], "client")]
    own = empty.events(user=BOB)[0]
    assert (own["uid"], own["my_response"], own["busy"]) == ("u1", "NoResponseReceived", "Tentative")


@pytest.mark.parametrize("version", ["12.1", "14.0", OLD, "16.0", NEW])
def test_a_request_as_mail(empty, fresh, bob, version):
    invite(fresh(NEW), daily())
    client = bob(version)
    _, _, data = mail_of(client)
    assert data.value("Email:MessageClass") == "IPM.Schedule.Meeting.Request"
    assert data.value("Email:ContentClass") == "urn:content-classes:calendarmessage"
    request = data.get("Email:MeetingRequest")
    assert request.value("StartTime") == "2026-01-05T08:00:00.000Z" and request.value("InstanceType") == "1"
    assert request.value("Recurrences/Recurrence/Occurrences") == "5"
    uid = empty.events()[0]["uid"]
    if version >= "16":
        assert request.value("Calendar:UID") == uid
    else:
        assert base64.b64decode(request.value("GlobalObjId")) == bytes.fromhex(uid)


@pytest.mark.parametrize("version,mails", [("14.0", 0), (OLD, 0), (NEW, 1)])
@pytest.mark.parametrize("word,response", [(1, "Accept"), (2, "Tentative"), (3, "Decline")])
def test_an_answer(empty, fresh, bob, sent, version, mails, word, response):
    invite(fresh(NEW))
    client = bob(version)
    cal = Cal(client)
    (before,) = cal.pull()
    inbox, number, _ = mail_of(client)
    status, calendar_id = answer(client, inbox, number, word)
    assert status == "1"
    assert sent()[1:] == [("REPLY", BOB, [USER], "server")] * mails
    found = empty.events(user=BOB)
    if word == 3:
        assert calendar_id is None and found == [] and cal.pull() == {}
    else:
        assert found[0]["my_response"] == response and calendar_id != before
        assert list(cal.pull()) == [calendar_id]
    assert client.sync_all(inbox) == {}
    assert empty.events()[0]["attendees"][0]["response"] == (response if mails else "Unknown")


def test_an_old_client_answers_by_mail(empty, fresh, bob, sent):
    invite(fresh(NEW))
    client = bob(OLD)
    inbox, number, _ = mail_of(client)
    assert answer(client, inbox, number)[0] == "1"
    uid = empty.events()[0]["uid"]
    calendar = (
        f"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
        "DTSTAMP:20260105T090000Z\r\nDTSTART:20260105T080000Z\r\nORGANIZER:mailto:alice@example.com\r\n"
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    head = f"To: {USER}\r\nSubject: Accepted\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method=REPLY\r\n\r\n"
    client.send_mail((head + calendar).encode())
    assert sent()[1:] == [("REPLY", BOB, [USER], "client")]
    assert empty.events()[0]["attendees"][0]["response"] == "Accept"


def test_without_being_asked_nobody_is_told(empty, fresh, bob, sent):
    invite(fresh(NEW))
    client = bob(NEW)
    inbox, number, _ = mail_of(client)
    assert answer(client, inbox, number, send=False)[0] == "1" and len(sent()) == 1


def test_one_occurrence(empty, fresh, bob, sent):
    invite(fresh(NEW), daily())
    client = bob(NEW)
    inbox, number, _ = mail_of(client)
    assert answer(client, inbox, number, 3, "20260107T080000Z")[0] == "104"
    assert answer(client, inbox, number, 3, "2026-01-07T08:00:00.000Z") == ("1", None)
    assert empty.events(user=BOB)[0]["deleted"] == ["2026-01-07"]
    assert empty.events()[0]["exceptions"]["2026-01-07"]["attendees"][0]["response"] == "Decline"


def test_answers_that_are_refused(empty, fresh, bob):
    organizer = fresh(NEW)
    cal, number = invite(organizer)
    assert answer(organizer, cal.id, number)[0] == "2"
    client = bob(NEW)
    own = Cal(client)
    (event_id,) = own.pull()
    assert answer(client, own.id, "9:999")[0] == "2"
    assert answer(client, own.id, event_id, 4)[0] == "2"
    assert answer(client, own.id, event_id, 1, "2026-01-07T08:00:00.000Z")[0] == "146"
    older = bob("14.0")
    again = Cal(older)
    (event_id,) = again.pull()
    assert answer(older, again.id, event_id)[0] == "2"  # the calendar's own items only from 14.1 on
    assert answer(client, own.id, event_id)[0] == "1"


@pytest.mark.parametrize("version", ["12.1", "14.0"])
def test_old_versions_answer_the_invitation_in_the_inbox(empty, fresh, bob, version):
    """MS-ASCMD 2.2.1.11"""
    invite(fresh(NEW), daily())
    client = bob(version)
    inbox, number, _ = mail_of(client)
    assert answer(client, inbox, number, 2)[0] == "1"
    trash = client.folder(type="deleted").id
    moved = max(client.sync_all(trash), key=lambda n: int(n.split(":")[1]))
    assert answer(client, trash, moved)[0] == "2"


def test_occurrences_are_told(empty, fresh, sent):
    cal, number = invite(fresh(NEW), daily())
    moved = times("20260107T120000Z", "20260107T130000Z")
    assert cal.change(number, *moved, instance="20260107T080000Z") == "1"
    assert cal.delete(number, instance="20260108T080000Z") == "1"
    assert [m[0] for m in sent()] == ["REQUEST", "REQUEST", "CANCEL"]
    own = empty.events(user=BOB)[0]["exceptions"]
    assert own["2026-01-07"]["start"] == "2026-01-07T12:00:00Z" and own["2026-01-08"]["state"] == 7


def test_who_changes_anothers_meeting_takes_it_over(empty, fresh, bob, sent):
    invite(fresh(NEW))
    own = Cal(bob(NEW))
    (number,) = own.pull()
    assert own.change(number, E("Calendar:Reminder", 60)) == "1"
    assert empty.events(user=BOB)[0]["organizer"]["email"] == USER and empty.violations() == []
    assert own.change(number, E("Calendar:Subject", "Mine now")) == "1"
    assert empty.events(user=BOB)[0]["organizer"]["email"] == BOB
    assert [v["what"] for v in empty.violations()] == ["an attendee changed the meeting and is its organizer now"]


def test_a_lost_answer_does_not_send_twice(empty, fresh, sent):
    client = fresh(NEW)
    cal, number = invite(client)
    key = client.keys[cal.id]
    cal.change(number, E("Calendar:Subject", "Once"))
    client.keys[cal.id] = key
    cal.change(number, E("Calendar:Subject", "Once"))
    assert [m[0] for m in sent()] == ["REQUEST", "REQUEST"]
