# SPDX-License-Identifier: Apache-2.0
"""Invitations: the server sends the mail, or (ActiveSync up to 14.1) we do: each exactly once, and answers reach the organiser."""
import re

import kinds
import pytest

from bridge import poll
from davtest import C, Dav, event, prop, todo

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


def sent(exchange, kind, *methods):
    """These have gone out, and no others."""
    by = "client" if kind.version == "14.1" else "server"
    poll(60, lambda: len(mails(exchange)) >= len(methods), f"{methods} were not sent")
    assert mails(exchange) == [(by, method) for method in methods]


def wait_for(dav, count=1):
    calendar = dav.calendar()
    return poll(60, lambda: len(dav.etags(calendar)) == count and dav.etags(calendar), f"not {count} objects")


def test_an_invitation_and_its_answer(exchange, people, kind):
    alice, bob = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting()).status == 201
    sent(exchange, kind, "REQUEST")
    there, = wait_for(bob)
    text = bob.get(there).text()
    assert prop(text, "SUMMARY") == "Meeting" and f"mailto:{ALICE}" in text
    before = text.count("NEEDS-ACTION")
    answer = bob.put(there, text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    assert before == 1 and answer.status == 204, (before, answer.status, answer.body)
    sent(exchange, kind, "REQUEST", "REPLY")
    poll(60, lambda: answer_of(alice.get(path).text(), BOB) == "ACCEPTED", "the answer did not reach the organiser")
    # an attendee may not move it
    refused = bob.put(there, bob.get(there).text().replace("T110000", "T130000").replace("T100000", "T120000"))
    assert (refused.status, refused.precondition()) == (403, "allowed-attendee-scheduling-object-change")


def test_an_answer_leaves_the_schedule_tag(exchange, people, kind):
    """RFC 6638 3.2.10: what guests answer is no news for an organiser who is changing the meeting, and stays when he has."""
    alice, bob = people
    path = alice.calendar() + "m.ics"
    put = alice.put(path, meeting())
    before = alice.get(path)
    tag = before.headers["Schedule-Tag"]
    assert put.status == 201 and put.headers["Schedule-Tag"] == tag != before.headers["ETag"]
    there, = wait_for(bob)
    assert bob.put(there, bob.get(there).text().replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")).status == 204
    after = poll(60, lambda: (a := alice.get(path)).headers["ETag"] != before.headers["ETag"] and answer_of(a.text(), BOB) == "ACCEPTED" and a)
    assert after.headers["Schedule-Tag"] == tag
    stale = before.text().replace("SUMMARY:Meeting", "SUMMARY:Later")
    assert alice.put(path, stale, If_Match=before.headers["ETag"]).status == 412
    answer = alice.put(path, stale, If_Schedule_Tag_Match=tag)
    assert answer.status == 204, answer.body
    now = alice.get(path)
    assert (prop(now.text(), "SUMMARY"), answer_of(now.text(), BOB)) == ("Later", "ACCEPTED")
    assert now.headers["Schedule-Tag"] == answer.headers["Schedule-Tag"] != tag
    assert alice.put(path, stale, If_Schedule_Tag_Match=tag).status == 412
    assert "ETag" not in answer.headers  # the answer is not in what was put: it has to be read again (RFC 4791 5.3.4)


@pytest.mark.parametrize("kind", [kinds.EWS], ids=str)  # ActiveSync takes no change before its Sync has told of the last one
def test_an_answer_that_nobody_has_seen_is_no_conflict(exchange, people, kind):
    """It came to the server after the last sync. The organiser's change goes through, with the ETag that he knows, and the answer stays."""
    alice, bob = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting()).status == 201
    wait_for(bob)
    exchange.fault(op="SyncFolderItems", do="pause", times=0)
    before = alice.get(path)
    item, = exchange.events(user=ALICE)
    exchange.event("attendee", user=ALICE, num=item["num"], email=BOB, response="Accept")
    answer = alice.put(path, before.text().replace("SUMMARY:Meeting", "SUMMARY:Later"), If_Match=before.headers["ETag"])
    assert answer.status == 204, answer.body
    exchange.clear_faults()
    poll(60, lambda: answer_of(alice.get(path).text(), BOB) == "ACCEPTED", lambda: alice.get(path).text())
    assert prop(alice.get(path).text(), "SUMMARY") == "Later"
    item, = exchange.events(user=ALICE)
    assert item["subject"] == "Later" and [a["response"] for a in item["attendees"] if a["email"] == BOB] == ["Accept"], item


def test_calling_it_off(exchange, people, kind):
    alice, bob = people
    path = alice.calendar() + "m.ics"
    alice.put(path, meeting())
    wait_for(bob)
    assert alice.ask("DELETE", path).status == 204
    sent(exchange, kind, "REQUEST", "CANCEL")


def test_news_go_to_those_who_are_told(exchange, people, kind):
    """A guest who is not invited any more is told so, the others get the news; what nobody sees is no news."""
    alice, bob = people
    path = alice.calendar() + "m.ics"
    alice.put(path, meeting("ATTENDEE:mailto:carol@example.com"))
    sent(exchange, kind, "REQUEST")
    wait_for(bob)
    text = alice.get(path).text()
    assert alice.put(path, text.replace("SUMMARY:Meeting", "SUMMARY:Other")).status == 204
    sent(exchange, kind, "REQUEST", "REQUEST")
    text = alice.get(path).text().replace("\r\n ", "")
    text = "\r\n".join(l for l in text.split("\r\n") if "carol@example.com" not in l)
    assert alice.put(path, text).status == 204
    poll(60, lambda: "CANCEL" in [m for _, m in mails(exchange)], "the guest was not told")
    cancel, = [s for s in exchange.submissions() if s.get("meeting") and s["meeting"]["method"] == "CANCEL"]
    assert cancel["recipients"] == ["carol@example.com"]


def test_the_last_guest_is_taken_away(exchange, people, kind):
    alice, bob = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting()).status == 201
    sent(exchange, kind, "REQUEST")
    answer = alice.put(path, event("m-1"))
    assert answer.status == 204, answer.body
    sent(exchange, kind, "REQUEST", "CANCEL")
    assert exchange.events(user=ALICE)[0]["attendees"] == [] and prop(alice.get(path).text(), "ATTENDEE") is None


def test_a_series_becomes_one_meeting(exchange, people, kind):
    """Nobody is uninvited, and everybody hears of it once."""
    alice, bob = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting("RRULE:FREQ=DAILY;COUNT=4")).status == 201
    sent(exchange, kind, "REQUEST")
    answer = alice.put(path, meeting())
    assert answer.status == 204, answer.body
    sent(exchange, kind, "REQUEST", "REQUEST")
    text = alice.get(path).text()
    assert "RRULE" not in text[text.index("BEGIN:VEVENT"):] and f"mailto:{BOB}" in text


def test_one_occurrence_is_declined(exchange, people, kind):
    alice, bob = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting("RRULE:FREQ=DAILY;COUNT=4")).status == 201
    there, = wait_for(bob)
    text = bob.get(there).text()
    start = re.search(r"DTSTART;TZID=Europe/Berlin:(\d{8})T(\d{6})", text)
    second = f"{int(start[1]) + 1}T{start[2]}"
    answer = bob.put(there, text.replace("END:VEVENT", f"EXDATE;TZID=Europe/Berlin:{second}\r\nEND:VEVENT"))
    assert answer.status == 204, answer.body
    sent(exchange, kind, "REQUEST", "REPLY")
    item, = exchange.events(user=BOB)
    assert item["deleted"] == [f"{second[:4]}-{second[4:6]}-{second[6:8]}"]


def test_who_invites_himself_is_left_to_it(exchange, people, kind):
    """SCHEDULE-AGENT=CLIENT (RFC 6638 7.1); ActiveSync 16 cannot be silent."""
    alice, bob = people
    path = alice.calendar() + "m.ics"
    answer = alice.put(path, meeting().replace("ATTENDEE;PARTSTAT=NEEDS-ACTION", "ATTENDEE;SCHEDULE-AGENT=CLIENT;PARTSTAT=NEEDS-ACTION"))
    if kind.version == "16.1":
        assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource")
        return
    assert answer.status == 201 and "SCHEDULE-AGENT=CLIENT" in alice.get(path).text()
    assert alice.ask("DELETE", path).status == 204
    assert alice.put(alice.calendar() + "n.ics", meeting().replace("UID:m-1", "UID:n-1")).status == 201
    sent(exchange, kind, "REQUEST")


def test_a_foreign_invitation_stays_an_appointment(exchange, people, kind):
    """Put, and changed later: the user does not become its organiser, and nobody is invited once more."""
    alice, _ = people
    path = alice.calendar() + "foreign.ics"
    text = event("m-2", "ORGANIZER;CN=Boss:mailto:boss@example.com", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}",
                 f"ATTENDEE;PARTSTAT=DECLINED:mailto:{BOB}")
    assert alice.put(path, text).status == 201
    assert alice.put(path, text.replace("SUMMARY:Meeting", "SUMMARY:Their meeting")).status == 204
    item, = exchange.events()
    assert (item["subject"], item["attendees"]) == ("Their meeting", [])
    assert alice.put(alice.calendar() + "m.ics", meeting()).status == 201
    sent(exchange, kind, "REQUEST")  # of this one


def test_a_copy_over_the_same_meeting(exchange, people, kind):
    """Nobody hears of a copy. Where the server has one object of a UID in a calendar, the one that is there is not lost over it."""
    alice, _ = people
    first, second = alice.calendar() + "m.ics", alice.home + "second/m.ics"
    assert alice.ask("MKCALENDAR", alice.home + "second/").status == 201
    assert alice.put(second, meeting(summary="there"), Schedule_Reply="F").status in (201, 403)  # 16.x invites, always
    if alice.get(second).status == 404:
        assert alice.put(second, meeting(summary="there")).status == 201
    assert alice.put(first, event("m-1", summary="here")).status == 201
    heard = mails(exchange)
    answer = alice.ask("COPY", first, headers={"Destination": second})
    if kind.version == "16.1":
        assert (answer.status, answer.precondition()) == (403, "no-uid-conflict")
    else:
        assert answer.status == 204
    there, = exchange.events("second", user=ALICE)
    assert there["subject"] == ("there" if kind.version == "16.1" else "here") and list(alice.etags(alice.home + "second/")) == [second]
    assert prop(alice.get(second).text(), "SUMMARY") == there["subject"] and mails(exchange) == heard


def unfolded(dav, path):
    return dav.get(path).text().replace("\r\n ", "")


def test_people_whom_only_the_client_knows(stage, exchange, kind):
    """Of somebody else's meeting that is an appointment here, of one that is off, of a task: kept without the cache, too."""
    bridge = stage.bridge(kind.account("alice", exchange, email=ALICE, user=ALICE), dav=True)
    alice = Dav(bridge, "alice")
    alice.sign_in(ALICE)
    people = [f"ORGANIZER;CN=Boss:mailto:boss@example.com", f"ATTENDEE;PARTSTAT=ACCEPTED;X-A=b:mailto:{ALICE}"]
    off = [f"ORGANIZER:mailto:{ALICE}", "STATUS:CANCELLED", f"ATTENDEE:mailto:{BOB}"]
    calendar, tasks = (alice.calendars()[name] for name in ("Calendar", "Tasks"))
    texts = {calendar + "a.ics": event("a", *people), calendar + "b.ics": event("b", *off), tasks + "c.ics": todo("c", *people),
             calendar + "d.ics": event("d", "STATUS:CANCELLED"), calendar + "e.ics": event("e", f"ATTENDEE:mailto:{BOB}")}
    for path, text in texts.items():
        assert alice.put(path, text).status == 201
    alice.close()
    bridge.stop()
    bridge.delete_cache()
    bridge.start()
    for path, text in texts.items():
        lost = {line for line in text.split("\r\n") if re.match("ORGANIZER|ATTENDEE|STATUS", line)} - set(unfolded(alice, path).split("\r\n"))
        assert not lost, path
    # what is served comes back with a change: still nobody is invited
    path = calendar + "a.ics"
    assert alice.put(path, alice.get(path).text().replace("SUMMARY:Meeting", "SUMMARY:Theirs")).status == 204
    assert {e["subject"]: e["attendees"] for e in exchange.events()} == {"Theirs": [], "Meeting": []}
    assert people[1] in unfolded(alice, path) and not mails(exchange)
    alice.close()


def test_a_meeting_is_called_off_by_its_deletion(exchange, people, kind):
    """STATUS:CANCELLED of an organiser is no word that a server takes: refused, not swallowed."""
    alice, _ = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting("RRULE:FREQ=DAILY;COUNT=3")).status == 201
    one = meeting("RECURRENCE-ID;TZID=Europe/Berlin:20261202T100000").replace("20261201T1", "20261202T1")
    one = re.search(r"BEGIN:VEVENT.*END:VEVENT\r\n", one, re.S)[0].replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY")
    for text in (meeting("RRULE:FREQ=DAILY;COUNT=3", "STATUS:CANCELLED"),
                 meeting("RRULE:FREQ=DAILY;COUNT=3").replace("END:VCALENDAR", one + "END:VCALENDAR")):
        answer = alice.put(path, text)
        assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource") and b"delete" in answer.body
    assert "CANCELLED" not in alice.get(path).text()
    sent(exchange, kind, "REQUEST")


def occurrence(text):
    """The second day of a daily series, two hours later, as a component."""
    one = re.search(r"BEGIN:VEVENT.*END:VEVENT\r\n", text, re.S)[0]
    one = one.replace("20261201T10", "20261202T12").replace("20261201T11", "20261202T13")
    return one.replace("SUMMARY", "RECURRENCE-ID;TZID=Europe/Berlin:20261202T100000\r\nSUMMARY")


def test_what_an_organizer_may_not(exchange, people, kind):
    """Give the meeting away (RFC 6638 3.2.4.3), and invite to one occurrence of a series that has no guests."""
    alice, _ = people
    path = alice.calendar() + "m.ics"
    assert alice.put(path, meeting()).status == 201
    other = event("m-1", "ORGANIZER:mailto:boss@example.com", f"ATTENDEE:mailto:{ALICE}", f"ATTENDEE:mailto:{BOB}")
    answer = alice.put(path, other)
    assert (answer.status, answer.precondition()) == (403, "allowed-organizer-scheduling-object-change")
    daily = event("s-1", "RRULE:FREQ=DAILY;COUNT=3")
    one = occurrence(event("s-1", f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE:mailto:{BOB}"))
    answer = alice.put(alice.calendar() + "s.ics", daily.replace("END:VCALENDAR", one + "END:VCALENDAR"))
    assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource")
    assert [e["organizer"]["email"] for e in exchange.events(user=ALICE)] == [ALICE]
    sent(exchange, kind, "REQUEST")


def test_a_copy_has_no_guests_in_its_occurrences_either(exchange, people):
    alice, _ = people
    assert alice.ask("MKCALENDAR", alice.home + "second/").status == 201
    first, second = alice.calendar() + "m.ics", alice.home + "second/m.ics"
    text = meeting("RRULE:FREQ=DAILY;COUNT=3")
    assert alice.put(first, text.replace("END:VCALENDAR", occurrence(meeting(summary="Moved")) + "END:VCALENDAR")).status == 201
    assert alice.ask("COPY", first, headers={"Destination": second}).status == 201
    copy, = exchange.events("second", user=ALICE)
    assert [e["subject"] for e in copy["exceptions"].values()] == ["Moved"]
    assert copy["attendees"] == [] == [a for e in copy["exceptions"].values() for a in e["attendees"]]


def test_a_guest_of_one_occurrence(exchange, people, kind):
    """Told by the server; where we write the mail, guests hear of the series as a whole, and this is refused."""
    alice, _ = people
    carol = "carol@example.com"
    one = occurrence(meeting(f"ATTENDEE:mailto:{carol}"))
    text = meeting("RRULE:FREQ=DAILY;COUNT=3").replace("END:VCALENDAR", one + "END:VCALENDAR")
    answer = alice.put(alice.calendar() + "m.ics", text)
    if kind.version == "14.1":
        assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource") and b"guests" in answer.body
        assert exchange.events(user=ALICE) == [] and not mails(exchange)
    else:
        assert answer.status == 201
        poll(60, lambda: any(carol in s["recipients"] for s in exchange.submissions()), "she was not invited")


def test_the_user_by_another_address(stage, exchange, kind):
    """The configuration has an alias. The server writes another address on the user's own meetings: it is the user's, too, for good.
    What ActiveSync up to 14.1 names may come from any phone, and is not believed."""
    exchange.event("create", user=ALICE, event={"subject": "There", "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T10:00:00Z",
                                                "attendees": [{"email": BOB}], "state": 1})
    alias = "al@example.com"
    bridge = stage.bridge(kind.account("alice", exchange, email=alias, user=ALICE), dav=True)
    dav = Dav(bridge, "alice")
    dav.sign_in(alias)
    wait_for(dav)

    def addresses():
        (_, props), = dav.propfind("/dav/alice/", "<C:calendar-user-address-set/>").responses().values()
        return {e.text for e in props[C, "calendar-user-address-set"]} - {"/dav/alice/"}

    believed = kind.version != "14.1"
    assert addresses() == {f"mailto:{alias}", *([f"mailto:{ALICE}"] if believed else [])}
    dav.close()
    bridge.stop()
    bridge.delete_cache()
    bridge.start()
    path = dav.calendar() + "m.ics"
    assert dav.put(path, meeting()).status == 201
    there, = (e for e in exchange.events(user=ALICE) if e["subject"] == "Meeting")
    assert [a["email"] for a in there["attendees"]] == ([BOB] if believed else [])
    if not believed:
        return
    sent(exchange, kind, "REQUEST")
    # whichever of them a client writes, it is no change and tells nobody anything
    for text in (meeting(), meeting().replace(f"ORGANIZER:mailto:{ALICE}", f"ORGANIZER:mailto:{alias}"), dav.get(path).text()):
        assert dav.put(path, text).status == 204
    assert len(exchange.events(user=ALICE)) == 2 and f"mailto:{ALICE}" in prop(dav.get(path).text(), "ORGANIZER")
    sent(exchange, kind, "REQUEST")
    dav.close()


def test_who_has_made_an_appointment(stage, exchange, kind):
    """ORGANIZER without guests: no server keeps it, and so it stays with us, whatever becomes of the cache or the item."""
    bridge = stage.bridge(kind.account("alice", exchange, email=ALICE, user=ALICE), dav=True)
    dav = Dav(bridge, "alice")
    dav.sign_in(ALICE)
    path = dav.calendar() + "m.ics"
    text = event("m-1", f"ORGANIZER;CN=Me;X-A=1:mailto:{ALICE}")
    etag = dav.put(path, text).headers["ETag"]
    assert etag and dav.get(path).text() == text
    dav.close()
    bridge.stop()
    bridge.delete_cache()
    bridge.start()
    assert prop(dav.get(path).text(), "ORGANIZER") == f"CN=Me;X-A=1:mailto:{ALICE}"
    num = exchange.events(user=ALICE)[0]["num"]
    exchange.event("update", user=ALICE, num=num, event={"subject": "Changed there"})
    poll(60, lambda: prop(dav.get(path).text(), "SUMMARY") == "Changed there", "the change did not come")
    assert prop(dav.get(path).text(), "ORGANIZER") == f"CN=Me;X-A=1:mailto:{ALICE}"
    dav.close()
