# SPDX-License-Identifier: Apache-2.0
"""Meetings over EWS between users of one server: who gets which mail, once, and what becomes of it."""
import pytest

from ews_cal_kit import (  # noqa: F401
    BOB,
    CAROL,
    NS,
    alice,
    attendee,
    bob,
    daily,
    event,
    exchange,
    id_of,
    instance,
    kinds,
    running,
    set_field,
    text,
)
from standin import USER

TO_ALL = "SendToAllAndSaveCopy"


def people(*emails):
    return f"<t:RequiredAttendees>{''.join(attendee(e) for e in emails)}</t:RequiredAttendees>"


class Post:
    """The mail that was sent since the last look."""

    def __init__(self, exchange):
        self.exchange, self.seen = exchange, len(exchange.submissions())

    def new(self):
        found = self.exchange.submissions()[self.seen :]
        self.seen += len(found)
        return [(m["meeting"]["method"], m["sender"], sorted(m["recipients"])) for m in found if m["meeting"]]


@pytest.fixture
def post(exchange):
    return Post(exchange)


@pytest.fixture
def meeting(alice, post):
    made = alice.made(event("Plan", middle="<t:Location>Here</t:Location>" + people(BOB, CAROL)), send=TO_ALL)
    assert post.new() == [("REQUEST", USER, [BOB, CAROL])]
    return made


def first(client, kind, folder="inbox"):
    """The first item of a folder of this kind, with all properties."""
    state, ids = client.sync("", f'<t:DistinguishedFolderId Id="{folder}"/>'), []
    for change in state.find(".//m:Changes"):
        if kinds(change[0]) == kind:
            return client.item(id_of(change[0]))
    raise AssertionError(f"no {kind} in {folder}: {ids}")


def test_nothing_is_sent_unasked(alice, post, exchange):
    made = alice.made(event(middle=people(BOB)))
    item = alice.item(made)
    assert text(item, "IsMeeting") == "true" and text(item, "MeetingRequestWasSent") == "false"
    assert post.new() == [] and exchange.events(user=BOB) == []


def test_an_invitation(alice, bob, meeting, exchange):
    item = alice.item(meeting)
    assert (text(item, "AppointmentState"), text(item, "MeetingRequestWasSent")) == ("1", "true")
    assert [m["class"] for m in exchange.items("sentitems")] == ["IPM.Schedule.Meeting.Request"]
    request = first(bob, "MeetingRequest")
    wanted = {
        "Subject": "Plan",
        "ItemClass": "IPM.Schedule.Meeting.Request",
        "MeetingRequestType": "NewMeetingRequest",
        "ResponseType": "NoResponseReceived",
        "IntendedFreeBusyStatus": "Busy",
        "Start": "2026-01-05T08:00:00Z",
        "Location": "Here",
        "UID": text(item, "UID"),
        "IsOutOfDate": "false",
    }
    assert {name: text(request, name) for name in wanted} == wanted
    event_id = request.find("t:AssociatedCalendarItemId", NS).get("Id")
    own = bob.item(event_id)
    wanted = {
        "MyResponseType": "NoResponseReceived",
        "LegacyFreeBusyStatus": "Tentative",
        "AppointmentState": "3",
        "IsOrganizer": "false",
        "UID": text(item, "UID"),
    }
    assert {name: text(own, name) for name in wanted} == wanted
    assert own.find("t:Organizer//t:EmailAddress", NS).text == USER


@pytest.mark.parametrize(
    "word,response,busy",
    [
        ("AcceptItem", "Accept", "Busy"),
        ("TentativelyAcceptItem", "Tentative", "Tentative"),
        ("DeclineItem", "Decline", None),
    ],
)
def test_answers(alice, bob, meeting, exchange, post, word, response, busy):
    request = first(bob, "MeetingRequest")
    answer = bob.respond(word, id_of(request), body='<t:Body BodyType="Text">See you</t:Body>')
    assert answer.codes == ["NoError"]
    assert post.new() == [("REPLY", BOB, [USER])]
    assert [i["class"] for i in exchange.items(user=BOB)] == []  # the request went to Deleted Items
    mine = exchange.events(user=BOB)
    if busy is None:
        assert mine == []
    else:
        assert (mine[0]["my_response"], mine[0]["busy"]) == (response, busy)
    people_of = {a["email"]: a for a in exchange.events()[0]["attendees"]}
    assert people_of[BOB]["response"] == response and people_of[BOB]["replied"]
    assert people_of[CAROL]["response"] == "Unknown"
    note = first(alice, "MeetingResponse")
    assert (text(note, "ResponseType"), text(note, "UID")) == (response, exchange.events()[0]["uid"])
    item = alice.item(meeting)
    assert item.find("t:RequiredAttendees/t:Attendee/t:ResponseType", NS).text == response


def test_the_event_itself_can_be_answered(bob, meeting, exchange, post):
    own = first(bob, "CalendarItem", "calendar")
    assert bob.respond("AcceptItem", id_of(own), "SaveOnly").codes == ["NoError"]
    assert post.new() == [] and exchange.events(user=BOB)[0]["my_response"] == "Accept"


def test_answers_that_are_refused(alice, bob, meeting, exchange):
    assert alice.respond("AcceptItem", id_of(alice.item(meeting))).codes == ["ErrorCalendarIsOrganizerForAccept"]
    own = first(bob, "CalendarItem", "calendar")
    ident, key = id_of(own)
    assert bob.respond("AcceptItem", (ident, "")).codes == ["ErrorChangeKeyRequired"]
    assert bob.respond("CancelCalendarItem", (ident, key)).codes == ["ErrorCalendarIsNotOrganizer"]
    bob.respond("AcceptItem", (ident, key))
    assert bob.respond("AcceptItem", (ident, key)).codes == ["ErrorIrresolvableConflict"]


def test_a_move_asks_again(alice, bob, meeting, exchange, post):
    bob.respond("AcceptItem", id_of(first(bob, "MeetingRequest")))
    post.new()
    later = (
        set_field("calendar:Start", "<t:Start>2026-01-06T09:00:00Z</t:Start>"),
        set_field("calendar:End", "<t:End>2026-01-06T10:00:00Z</t:End>"),
    )
    alice.update(meeting, *later, send=TO_ALL)
    assert post.new() == [("REQUEST", USER, [BOB, CAROL])]
    own = exchange.events(user=BOB)[0]
    assert (own["start"], own["my_response"], own["sequence"]) == ("2026-01-06T09:00:00Z", "NoResponseReceived", 1)
    assert {a["response"] for a in exchange.events()[0]["attendees"]} == {"Unknown"}
    assert text(first(bob, "MeetingRequest"), "MeetingRequestType") == "FullUpdate"
    alice.update(meeting, set_field("item:Subject", "<t:Subject>Renamed</t:Subject>"), send=TO_ALL)
    assert exchange.events(user=BOB)[0]["subject"] == "Renamed" and exchange.events(user=BOB)[0]["sequence"] == 1
    alice.update(meeting, set_field("item:Subject", "<t:Subject>Quiet</t:Subject>"))
    assert len(post.new()) == 1 and exchange.events(user=BOB)[0]["subject"] == "Renamed"


def test_people_come_and_go(alice, meeting, exchange, post):
    only = set_field("calendar:RequiredAttendees", people(CAROL))
    alice.update(meeting, only, send="SendToChangedAndSaveCopy")
    assert post.new() == [("CANCEL", USER, [BOB])]
    assert exchange.events(user=BOB)[0]["state"] == 7
    both = set_field("calendar:RequiredAttendees", people(CAROL, "guest@elsewhere.example"))
    alice.update(meeting, both, send="SendOnlyToChanged")
    assert post.new() == [("REQUEST", USER, ["guest@elsewhere.example"])]


def test_cancelling(alice, bob, meeting, exchange, post):
    assert alice.respond("CancelCalendarItem", id_of(alice.item(meeting))).codes == ["NoError"]
    assert post.new() == [("CANCEL", USER, [BOB, CAROL])] and exchange.events() == []
    own = exchange.events(user=BOB)[0]
    assert (own["subject"], own["busy"], own["state"]) == ("Canceled: Plan", "Free", 7)
    note = first(bob, "MeetingCancellation")
    assert text(note, "ItemClass") == "IPM.Schedule.Meeting.Canceled"
    item = first(bob, "CalendarItem", "calendar")
    assert text(item, "IsCancelled") == "true"
    assert bob.respond("AcceptItem", id_of(item)).codes == ["ErrorCalendarIsCancelledForAccept"]
    assert bob.respond("RemoveItem", id_of(note)).codes == ["NoError"]
    assert exchange.events(user=BOB) == []


def test_deleting_tells_only_when_asked(alice, meeting, exchange, post):
    assert alice.delete(meeting).codes == ["NoError"]
    assert post.new() == [] and exchange.events(user=BOB)[0]["state"] == 3


def test_a_series(alice, bob, exchange, post):
    made = alice.made(event("Daily", middle=people(BOB), after=daily()), send=TO_ALL)
    assert len(post.new()) == 1
    window = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    starts = [o["start"] for o in exchange.occurrences(*window, user=BOB)]
    assert starts == [o["start"] for o in exchange.occurrences(*window)] and len(starts) == 5
    third = id_of(alice.item(instance(made, 3)))
    later = (
        set_field("calendar:Start", "<t:Start>2026-01-07T12:00:00Z</t:Start>"),
        set_field("calendar:End", "<t:End>2026-01-07T13:00:00Z</t:End>"),
    )
    alice.update(third, *later, send=TO_ALL)
    assert post.new() == [("REQUEST", USER, [BOB])]
    assert exchange.events(user=BOB)[0]["exceptions"]["2026-01-07"]["start"] == "2026-01-07T12:00:00Z"
    alice.delete(instance(made, 4), send=TO_ALL)
    assert post.new() == [("CANCEL", USER, [BOB])]
    assert exchange.events(user=BOB)[0]["exceptions"]["2026-01-08"]["state"] == 7
    series = id_of(first(bob, "CalendarItem", "calendar"))
    fifth = id_of(bob.item(instance(series, 5)))
    assert bob.respond("DeclineItem", fifth).codes == ["NoError"]
    assert post.new() == [("REPLY", BOB, [USER])]
    assert exchange.events(user=BOB)[0]["deleted"] == ["2026-01-09"]
    answered = exchange.events()[0]["exceptions"]["2026-01-09"]["attendees"]
    assert answered[0]["response"] == "Decline" and exchange.events()[0]["attendees"][0]["response"] == "Unknown"


def test_mail_is_countable(meeting, exchange):
    last = exchange.submissions()[-1]
    assert last["by"] == "server" and last["meeting"]["uid"] == exchange.events()[0]["uid"]
    assert last["meeting"]["start"] == "2026-01-05T08:00:00Z"


ITIP = """BEGIN:VCALENDAR
METHOD:{method}
PRODID:-//test//EN
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Somewhere
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:outside-1
DTSTAMP:20260101T000000Z
DTSTART;TZID=Somewhere:20260105T090000
DTEND;TZID=Somewhere:20260105T100000
RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20260131T000000Z
SUMMARY:From outside\\, with a comma
SEQUENCE:{sequence}
ORGANIZER;CN=Guest:mailto:guest@elsewhere.example
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:alice@example.com
END:VEVENT
END:VCALENDAR
"""


def itip(method, sequence=0):
    return (
        "From: guest@elsewhere.example\nTo: alice@example.com\nSubject: Invitation\nMIME-Version: 1.0\n"
        f"Content-Type: text/calendar; charset=utf-8; method={method}\n\n"
        + ITIP.format(method=method, sequence=sequence)
    ).encode()


def test_invitations_from_outside(exchange, alice):
    exchange.deliver(itip("REQUEST"))
    found = exchange.events()[0]
    assert found["zone"] == "W. Europe Standard Time" and found["subject"] == "From outside, with a comma"
    assert (found["recurrence"]["days"], found["my_response"]) == (["Monday"], "NoResponseReceived")
    assert len(exchange.occurrences("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")) == 4
    exchange.deliver(itip("CANCEL", 1))
    assert exchange.events()[0]["state"] == 7
    exchange.deliver(itip("REQUEST", 0))
    assert text(alice.item(id_of(first(alice, "MeetingRequest"))), "IsOutOfDate") == "true"


def test_calendars_that_are_none(exchange):
    for broken in (b"x", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n"):
        exchange.deliver(b"Content-Type: text/calendar; method=REQUEST\n\n" + broken)
    whole = itip("REQUEST")
    for old, new in (
        (b"FREQ=WEEKLY", b"FREQ=HOURLY"),
        (b"FREQ=WEEKLY;BYDAY=MO", b"FREQ=MONTHLY;BYSETPOS=2"),
        (b"20260105T090000", b"00010105T090000"),
        (b"SEQUENCE:0", b"SEQUENCE:x"),
        (b"TZID=Somewhere", b"TZID=Nowhere"),
        (b"+0200", b"x"),
    ):
        exchange.deliver(whole.replace(old, new))
    assert exchange.events() == [] and len(exchange.items()) == 9
