# SPDX-License-Identifier: Apache-2.0
"""CalDAV: discovery, objects, conditions, sync, and what the server has afterwards."""
import base64

import counting
import kinds
import pytest

from bridge import poll
from davtest import C, CS, D, Dav, event, prop, todo


@pytest.fixture
def exchange(stage, kind):
    return kind.exchange(stage, "--demo", "3")


@pytest.fixture
def dav(stage, kind, exchange):
    bridge = stage.bridge(kind.account("work", exchange), dav=True)
    client = Dav(bridge)
    yield client
    client.close()


def test_discovery_from_nothing(dav):
    answer = dav.ask("PROPFIND", "/.well-known/caldav", auth=False)
    assert (answer.status, answer.headers["Location"]) == (301, "/dav/")
    assert dav.ask("PROPFIND", "/dav/", auth=False).status == 401
    found = dav.propfind("/", "<D:current-user-principal/>").responses()["/"][1]
    principal = found[D, "current-user-principal"].findtext(f"{{{D}}}href")
    props = dav.propfind(principal, "<C:calendar-home-set/><C:calendar-user-address-set/><C:schedule-outbox-URL/>")
    props = props.responses()[principal][1]
    assert props[C, "calendar-home-set"].findtext(f"{{{D}}}href") == dav.home
    assert props[C, "calendar-user-address-set"].findtext(f"{{{D}}}href") == f"mailto:{dav.user}"
    assert {"Calendar", "Tasks"} <= set(dav.calendars())
    options = dav.ask("OPTIONS", dav.home)
    assert "calendar-access" in options.headers["DAV"] and "REPORT" in options.headers["Allow"]


def test_an_object_comes_back_as_it_was_stored(dav, exchange, kind):
    path = dav.calendar() + "my own name.ics".replace(" ", "%20")
    text = event("uid-1", "LOCATION:Room", "X-MOZ-LASTACK:20261101T000000Z", "CLASS:PRIVATE")
    answer = dav.put(path, text, If_None_Match="*")
    assert answer.status == 201, answer.body
    got = dav.get(path)
    assert (got.status, got.text()) == (200, text)
    assert got.headers["ETag"] == answer.headers["ETag"]
    there, = exchange.events()
    assert (there["location"], there["sensitivity"]) == ("Room", "Private")
    assert (there["uid"] == "uid-1") == (not kind.makes_uids)
    assert there["start"].startswith("2026-12-01T09:00:00")
    assert dav.etags(dav.calendar()) == {path: got.headers["ETag"]}


def test_a_sync_state_that_the_server_has_forgotten(stage, dav, exchange):
    """What a client asks is carried out when the collection has been read anew; the client sees nothing of it."""
    stage.expected = ("Ping of a folder that was never synced",)  # the bridge has not heard yet that it was forgotten
    path = dav.calendar() + "a.ics"
    exchange.invalidate()
    assert dav.put(path, event("uid-1")).status == 201
    exchange.invalidate()
    etag = dav.get(path).headers["ETag"]
    assert dav.put(path, event("uid-1", summary="Other"), If_Match=etag).status == 204
    assert [e["subject"] for e in exchange.events()] == ["Other"]
    exchange.invalidate()
    assert dav.ask("DELETE", path).status == 204
    assert exchange.events() == [] and dav.etags(dav.calendar()) == {}


def test_copy_and_move_when_the_server_has_forgotten(stage, dav, exchange):
    """As above: both collections are read anew, whichever step needs it."""
    stage.expected = ("Ping of a folder that was never synced",)
    calendar, second = dav.calendar(), dav.home + "second/"
    assert dav.ask("MKCALENDAR", second).status == 201
    for uid in "abc":
        assert dav.put(calendar + uid + ".ics", event(uid, summary=uid)).status == 201
    for method, name, status in (("COPY", "a", 201), ("COPY", "b", 204), ("MOVE", "a", 204), ("MOVE", "c", 204)):
        exchange.invalidate()
        answer = dav.ask(method, calendar + name + ".ics", headers={"Destination": second + "x.ics"})
        assert answer.status == status, answer.body
        assert [e["subject"] for e in exchange.events("second")] == [name] and list(dav.etags(second)) == [second + "x.ics"]
    assert list(dav.etags(calendar)) == [calendar + "b.ics"] and [e["subject"] for e in exchange.events()] == ["b"]


def test_changing_and_deleting(dav, exchange):
    path = dav.calendar() + "a.ics"
    first = dav.put(path, event("uid-1")).headers["ETag"]
    assert dav.put(path, event("uid-1", summary="Other"), If_Match='"1-1"').status == 412
    assert dav.put(path, event("uid-1", summary="Other"), If_None_Match="*").status == 412
    answer = dav.put(path, event("uid-1", summary="Other"), If_Match=first)
    assert answer.status == 204 and answer.headers["ETag"] != first
    assert exchange.events()[0]["subject"] == "Other"
    assert dav.get(path, If_None_Match=answer.headers["ETag"]).status == 304
    assert dav.ask("DELETE", path, headers={"If-Match": first}).status == 412
    assert dav.ask("DELETE", path, headers={"If-Match": answer.headers["ETag"]}).status == 204
    assert dav.get(path).status == 404
    assert exchange.events() == []


def test_sync_collection(dav, exchange):
    calendar = dav.calendar()
    changed, gone, token, _ = dav.sync(calendar)
    assert (changed, gone) == ({}, [])
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "b.ics", event("b"))
    changed, gone, token, _ = dav.sync(calendar, token)
    assert sorted(changed) == [calendar + "a.ics", calendar + "b.ics"]
    dav.ask("DELETE", calendar + "a.ics")
    changed, gone, later, _ = dav.sync(calendar, token)
    assert (changed, gone) == ({}, [calendar + "a.ics"])
    assert dav.sync(calendar, later)[:2] == ({}, [])
    dav.bridge.restart()
    dav.close()
    assert dav.sync(calendar, token)[:2] == ({}, [calendar + "a.ics"])
    assert dav.sync(calendar, "urn:exbridge:sync:1-1").precondition() == "valid-sync-token"
    assert dav.sync(calendar, "nonsense").precondition() == "valid-sync-token"


def test_the_servers_changes_arrive(dav, exchange):
    calendar = dav.calendar()
    path = calendar + "a.ics"
    dav.put(path, event("uid-1", "X-KEPT:yes"))
    _, _, token, _ = dav.sync(calendar)
    before = dav.bridge.log_lines("folder")
    num = exchange.events()[0]["num"]
    exchange.event("update", num=num, event={"subject": "Changed there"})
    exchange.event("create", event={"subject": "New there", "start": "2026-12-02T08:00:00Z",
                                                 "end": "2026-12-02T09:00:00Z", "uid": "from-server"})
    found = poll(60, lambda: len(dav.sync(calendar, token)[0]) == 2 and dav.sync(calendar, token), "no change came")
    assert set(found[0]) == {path, calendar + "from-server.ics"}
    text = dav.get(path).text()
    assert prop(text, "SUMMARY") == "Changed there" and prop(text, "X-KEPT") == "yes"
    assert prop(dav.get(calendar + "from-server.ics").text(), "SUMMARY") == "New there"
    assert before is not None


def test_queries(dav):
    calendar = dav.calendar()
    dav.put(calendar + "one.ics", event("one"))
    dav.put(calendar + "weekly.ics", event("weekly", "RRULE:FREQ=WEEKLY;COUNT=5"))
    dav.put(calendar + "day.ics", event("day", start="DTSTART;VALUE=DATE:20261224", end="DTEND;VALUE=DATE:20261225"))

    def names(*span):
        return sorted(h.rsplit("/")[-1] for h in dav.query(calendar, *span).responses())

    assert names() == ["day.ics", "one.ics", "weekly.ics"]
    assert names("20261201T000000Z", "20261202T000000Z") == ["one.ics", "weekly.ics"]
    assert names("20261208T090000Z", "20261208T100000Z") == ["weekly.ics"]
    assert names("20261208T100000Z", "20261209T100000Z") == []
    assert names("20261224T100000Z", "20261224T110000Z") == ["day.ics"]
    assert names("20261201T100000Z", "20261202T090000Z") == names("20261130T000000Z", "20261201T090000Z") == []
    assert names("20261201T095900Z", "20261202T090000Z") == names("20261130T000000Z", "20261201T090100Z") == ["one.ics", "weekly.ics"]
    answer = dav.multiget(calendar, [calendar + "one.ics", calendar + "nothing.ics", "/elsewhere"])
    statuses = {h: s for h, (s, _) in answer.responses().items()}
    assert statuses == {calendar + "one.ics": None, calendar + "nothing.ics": 404, "/elsewhere": 404}


def test_what_the_server_has_no_place_for_is_kept(dav, exchange):
    """Priority, and how far a task is, over ActiveSync too; the server's own changes do not take it away."""
    path = dav.calendar() + "p.ics"
    text = event("p", "PRIORITY:1", "LOCATION:Room")
    assert dav.put(path, text).status == 201 and dav.get(path).text() == text
    there, = exchange.events()
    exchange.event("update", num=there["num"], event={"location": "Hall"})
    poll(60, lambda: "LOCATION:Hall" in dav.get(path).text(), "the server's change did not arrive")
    assert prop(dav.get(path).text(), "PRIORITY") == "1"


def test_tasks(dav, exchange, kind):
    tasks = dav.calendars()["Tasks"]
    text = todo("t1", "DUE;VALUE=DATE:20261210", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40")
    answer = dav.put(tasks + "t.ics", text)
    assert answer.status == 201, answer.body
    there, = exchange.events("tasks")
    assert (there["status"], there["percent"]) == kind.progress("InProgress", 40)
    assert dav.get(tasks + "t.ics").text() == text
    assert dav.put(tasks + "e.ics", event("e")).precondition() == "supported-calendar-component"
    assert dav.put(dav.calendar() + "t.ics", todo("t2")).precondition() == "supported-calendar-component"


def test_series_with_exceptions(dav, exchange):
    path = dav.calendar() + "s.ics"
    override = ("BEGIN:VEVENT\nUID:s\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\n"
                "DTSTART;TZID=Europe/Berlin:20261208T140000\nDTEND;TZID=Europe/Berlin:20261208T150000\nSUMMARY:Later\nEND:VEVENT\n")
    text = event("s", "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20261215T100000")
    text = text.replace("END:VCALENDAR", override.replace("\n", "\r\n") + "END:VCALENDAR")
    answer = dav.put(path, text)
    assert answer.status == 201, answer.body
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-08T13:00", "2026-12-22T09:00", "2026-12-29T09:00"]
    assert dav.get(path).text() == text
    # the exception is taken back, another one deleted
    text = event("s", "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20261229T100000")
    assert dav.put(path, text).status == 204
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-08T09:00", "2026-12-15T09:00", "2026-12-22T09:00"]


OVERRIDE = ("BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID;TZID=Europe/Berlin:{}T100000\r\n"
            "DTSTART;TZID=Europe/Berlin:{}T140000\r\nDTEND;TZID=Europe/Berlin:{}T150000\r\nSUMMARY:Later\r\nEND:VEVENT\r\n")


def test_an_occurrence_moves_to_where_a_deleted_one_was(dav, exchange):
    text = event("s", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20261203T100000")
    answer = dav.put(dav.calendar() + "s.ics", text.replace("END:VCAL", OVERRIDE.format(20261202, 20261203, 20261203) + "END:VCAL"))
    assert answer.status == 201, answer.body
    found = exchange.occurrences("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z")
    assert [o["start"][:16] for o in found] == ["2026-12-01T09:00", "2026-12-03T13:00", "2026-12-04T09:00"]


def test_a_new_series_that_is_refused_half_way_is_not_there(stage):
    """Over EWS, where exceptions are requests of their own."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    exchange.fault(op="UpdateItem", do="error", code="ErrorOccurrenceCrossingBoundary")
    text = event("s", "RRULE:FREQ=WEEKLY;COUNT=4").replace("END:VCAL", OVERRIDE.format(*[20261208] * 3) + "END:VCAL")
    answer = dav.put(dav.calendar() + "s.ics", text)
    assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource"), answer.body
    assert exchange.events() == [] and dav.etags(dav.calendar()) == {}
    answer = dav.put(dav.calendar() + "s.ics", text)
    assert answer.status == 201, answer.body
    assert len(exchange.events()) == 1 and dav.get(dav.calendar() + "s.ics").text() == text
    dav.close()


def test_a_refusal_names_the_limit(dav, exchange):
    """RFC 4791 5.3.2.1: beside the properties of 5.2."""
    def when(year):
        return dict(start=f"DTSTART:{year}0101T100000Z", end=f"DTEND:{year}0101T110000Z")
    many = [f"ATTENDEE:mailto:g{i}@example.com" for i in range(2001)]
    without = ["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:" + ",".join(
        f"{2027 + i // 336}{i // 28 % 12 + 1:02}{i % 28 + 1:02}T100000" for i in range(1001))]
    for text, name in ((event("x", **when(1600)), "min-date-time"), (event("x", **when(9999)), "max-date-time"),
                       (event("x", *many), "max-attendees-per-instance"), (event("x", *without), "max-instances")):
        answer = dav.put(dav.calendar() + "x.ics", text)
        assert (answer.status, answer.precondition()) == (403, name), answer.body
    assert exchange.events() == []


def test_texts_of_several_lines(module_stage, exchange, kind):
    """A place's address has them; what a task has no place for, and how far it is, stays as the client says it."""
    bridge = module_stage.bridge(kind.account("work", exchange), dav=True, name=f"lines-{kind}")
    dav = Dav(bridge)
    calendars = dav.calendars()
    texts = {calendars["Calendar"] + "lines.ics": event("lines", "LOCATION:Hall\\nStreet 1\\n\\tTown", summary="one\\ntwo"),
             calendars["Tasks"] + "part.ics": todo("part", "LOCATION:Cellar", "PERCENT-COMPLETE:40"),
             calendars["Tasks"] + "due.ics": todo("due", "DUE;TZID=Europe/Berlin:20261201T103000", "RRULE:FREQ=WEEKLY")}
    for path, text in texts.items():
        assert dav.put(path, text).status == 201
    dav.close()
    bridge.stop()
    bridge.delete_cache()
    bridge.start()
    for path, text in texts.items():
        for name in ("SUMMARY", "LOCATION", "PERCENT-COMPLETE", "DUE"):
            assert prop(dav.get(path).text(), name) == prop(text, name), (path, name)
        dav.ask("DELETE", path)
    dav.close()


def test_a_line_folded_inside_of_a_character(dav):
    """RFC 5545 3.1; in XML such a text could not be."""
    path = dav.calendar() + "fold.ics"
    text = event("fold", summary="gr#n").encode().replace(b"gr#n", b"gr\xc3\r\n \xbcn")
    answer = dav.ask("PUT", path, text, type="text/calendar")
    assert (answer.status, answer.headers["ETag"]) == (201, None), answer.body
    (_, props), = dav.multiget(dav.calendar(), [path]).responses().values()
    assert prop(props[C, "calendar-data"].text, "SUMMARY") == "grün" == prop(dav.get(path).text(), "SUMMARY")
    dav.ask("DELETE", path)


@pytest.mark.parametrize("what", ["RRULE:FREQ=HOURLY", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15", "RDATE:20261205T100000Z"])
def test_what_exchange_cannot_hold_is_refused(dav, exchange, what):
    answer = dav.put(dav.calendar() + "x.ics", event("x", what))
    assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource"), answer.body
    assert exchange.events() == []


def test_uids(dav):
    calendar = dav.calendar()
    dav.put(calendar + "a.ics", event("a"))
    answer = dav.put(calendar + "b.ics", event("a"))
    assert (answer.status, answer.precondition()) == (403, "no-uid-conflict")
    assert answer.xml()[0].findtext(f"{{{D}}}href") == calendar + "a.ics"
    assert dav.put(calendar + "a.ics", event("b")).precondition() == "no-uid-conflict"


def test_properties_of_clients(dav):
    calendar = dav.calendar()
    patch = ('<D:propertyupdate xmlns:D="DAV:" xmlns:A="http://apple.com/ns/ical/"><D:set><D:prop><A:calendar-color>#FF0000FF'
             "</A:calendar-color><D:displayname>Mine &amp; yours</D:displayname></D:prop></D:set></D:propertyupdate>")
    assert dav.ask("PROPPATCH", calendar, patch).status == 207
    dav.bridge.restart()
    dav.close()
    props = dav.propfind(calendar, '<D:displayname/><A:calendar-color xmlns:A="http://apple.com/ns/ical/"/>')
    props = props.responses()[calendar][1]
    assert props[D, "displayname"].text == "Mine & yours"
    assert props["http://apple.com/ns/ical/", "calendar-color"].text == "#FF0000FF"
    refused = dav.ask("PROPPATCH", calendar, '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:getetag>x</D:getetag>'
                      '<z xmlns="u">1</z></D:prop></D:set></D:propertyupdate>')
    assert b"403" in refused.body and b"424" in refused.body


def test_calendars_are_made_and_removed(dav, exchange):
    path = dav.home + "second/"
    make = ('<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:displayname>Second'
            "</D:displayname></D:prop></D:set></C:mkcalendar>")
    answer = dav.ask("MKCALENDAR", path, make)
    assert answer.status == 201, answer.body
    assert dav.calendars()["Second"] == path
    assert dav.put(path + "a.ics", event("a")).status == 201
    assert dav.ask("MOVE", path + "a.ics", headers={"Destination": dav.calendar() + "moved.ics"}).status == 201
    assert prop(dav.get(dav.calendar() + "moved.ics").text(), "UID") == "a"
    assert dav.ask("DELETE", path).status == 204
    assert "Second" not in dav.calendars()
    assert dav.ask("DELETE", dav.calendar()).status == 403


def test_copy_and_move(dav, exchange, kind):
    calendar, tasks = dav.calendar(), dav.calendars()["Tasks"]
    second = dav.home + "second/"
    assert dav.ask("MKCALENDAR", second).status == 201
    for path in (calendar + "a.ics", calendar + "b.ics", second + "other.ics"):
        dav.put(path, event(path.split("/")[-1]))
    dav.put(tasks + "t.ics", todo("t"))

    def ask(method, source, to, **headers):
        headers = {"Destination": f"https://localhost:{dav.bridge.dav_port}{to}", **headers}
        return dav.ask(method, source, headers=headers)

    # UIDs are unique in a calendar: no copy beside the original; and nothing is overwritten by what is then refused
    for to in ("c.ics", "b.ics"):
        refused = ask("COPY", calendar + "a.ics", calendar + to)
        assert (refused.status, refused.precondition()) == (403, "no-uid-conflict")
        assert refused.xml()[0].findtext(f"{{{D}}}href") == calendar + "a.ics"
    assert ask("COPY", tasks + "t.ics", calendar + "b.ics").precondition() == "supported-calendar-component"
    assert ask("MOVE", calendar + "a.ics", calendar + "b.ics", **{"If-Match": '"1-1"'}).status == 412
    assert ask("MOVE", calendar + "a.ics", calendar + "b.ics", Overwrite="F").status == 412
    assert ask("COPY", calendar + "a.ics", calendar + "a.ics").status == 403
    assert ask("COPY", calendar + "a.ics", "/dav/elsewhere/calendars/x/a.ics").status == 403
    assert ask("COPY", calendar + "a.ics", dav.home + "nowhere/a.ics").status == 409
    assert sorted(dav.etags(calendar)) == [calendar + "a.ics", calendar + "b.ics"]
    assert prop(dav.get(calendar + "b.ics").text(), "UID") == "b.ics"
    # over another object, and into another calendar
    assert ask("COPY", calendar + "a.ics", second + "other.ics").status == 204
    assert prop(dav.get(second + "other.ics").text(), "UID") == "a.ics"
    refused = ask("MOVE", calendar + "a.ics", second + "more.ics")
    assert refused.precondition() == "no-uid-conflict"
    assert refused.xml()[0].findtext(f"{{{D}}}href") == second + "other.ics"
    assert ask("MOVE", calendar + "a.ics", calendar + "b.ics").status == 204
    assert list(dav.etags(calendar)) == [calendar + "b.ics"]
    assert prop(dav.get(calendar + "b.ics").text(), "UID") == "a.ics"
    there, = exchange.events()
    assert kind.makes_uids or there["uid"] == "a.ics"


def test_overwriting_loses_nothing(stage):
    """EWS: COPY and MOVE over another object, and the server fails at each step. What was there goes when its successor is there."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    calendar, second = dav.calendar(), dav.home + "second/"
    assert dav.ask("MKCALENDAR", second).status == 201
    for path, uid in ((calendar + "a.ics", "a"), (calendar + "b.ics", "b"), (second + "x.ics", "x")):
        assert dav.put(path, event(uid, summary=uid)).status == 201

    def ask(method, source, to):
        mark = exchange.mark()
        status = dav.ask(method, source, headers={"Destination": f"https://localhost:{dav.bridge.dav_port}{to}"}).status
        asked = [e["op"] for e in exchange.log(mark, protocol="ews") if e["op"] in ("CreateItem", "UpdateItem", "MoveItem", "DeleteItem")]
        return status, asked, sorted(e["subject"] for e in exchange.events("second"))

    exchange.fault(op="CreateItem", do="error", code="ErrorAccessDenied")
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (403, ["CreateItem"], ["x"])
    exchange.fault(op="DeleteItem", do="error", code="ErrorAccessDenied")
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (403, ["CreateItem", "DeleteItem"], ["a", "x"])
    assert prop(dav.get(second + "x.ics").text(), "UID") == "x" and dav.get(calendar + "a.ics").status == 200
    # once more: what was begun is brought to its end
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (204, ["DeleteItem"], ["a"])
    assert prop(dav.get(second + "x.ics").text(), "UID") == "a" and list(dav.etags(second)) == [second + "x.ics"]
    # the same UID: changed in its place
    assert dav.put(calendar + "a.ics", event("a", summary="later")).status == 204
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (204, ["UpdateItem"], ["later"])
    assert prop(dav.get(second + "x.ics").text(), "SUMMARY") == "later"
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (204, [], ["later"])
    exchange.fault(op="MoveItem", do="error", code="ErrorAccessDenied")
    assert ask("MOVE", calendar + "b.ics", second + "x.ics") == (403, ["MoveItem"], ["later"])
    exchange.fault(op="DeleteItem", do="error", code="ErrorAccessDenied")
    assert ask("MOVE", calendar + "b.ics", second + "x.ics") == (403, ["MoveItem", "DeleteItem"], ["b", "later"])
    assert sorted(prop(dav.get(path).text(), "UID") for path in dav.etags(second)) == ["a", "b"]
    assert ask("MOVE", next(p for p in dav.etags(second) if p != second + "x.ics"), second + "x.ics") == (204, ["DeleteItem"], ["b"])
    assert list(dav.etags(second)) == [second + "x.ics"] and prop(dav.get(second + "x.ics").text(), "UID") == "b"
    # a change of what is to be overwritten that nobody here has seen
    counting.deaf(exchange)
    exchange.event("update", num=next(e["num"] for e in exchange.events("second")), event={"subject": "Changed there"})
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (412, [], ["Changed there"])
    assert prop(dav.get(second + "x.ics").text(), "SUMMARY") == "Changed there"
    assert ask("COPY", calendar + "a.ics", second + "x.ics") == (204, ["CreateItem", "DeleteItem"], ["later"])
    dav.close()


def test_properties_of_objects(dav):
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a", "LAST-MODIFIED:20261105T101112Z")).headers["ETag"]
    props = dav.propfind(path, "<D:getlastmodified/><D:getetag/><D:getcontentlength/><D:getcontenttype/>").responses()[path][1]
    assert props[D, "getlastmodified"].text == "Thu, 05 Nov 2026 10:11:12 GMT"
    assert props[D, "getetag"].text == etag and int(props[D, "getcontentlength"].text) == len(dav.get(path).body)
    assert props[D, "getcontenttype"].text == "text/calendar; charset=utf-8; component=vevent"


def test_a_lost_cache_is_fetched_again(dav):
    calendar = dav.calendar()
    etag = dav.put(calendar + "a.ics", event("a", "X-KEPT:yes")).headers["ETag"]
    dav.bridge.stop()
    dav.bridge.delete_cache()
    dav.bridge.start()
    dav.close()
    text = dav.get(calendar + "a.ics").text()
    assert prop(text, "X-KEPT") == "yes" and prop(text, "UID") == "a"
    assert etag


def test_ctag_stands_still_while_nothing_happens(dav, exchange):
    calendar = dav.calendar()
    dav.put(calendar + "a.ics", event("a"))

    def ctag():
        return dav.propfind(calendar, "<CS:getctag/>").responses()[calendar][1][CS, "getctag"].text

    first = ctag()
    assert ctag() == first
    dav.put(calendar + "a.ics", event("a"))
    assert ctag() == first
    dav.put(calendar + "a.ics", event("a", summary="b"))
    assert ctag() != first


def test_browsers_are_kept_out(dav):
    assert dav.ask("GET", "/dav/", headers={"Origin": "https://evil.example"}, auth=False).status == 403
    assert dav.ask("GET", "/dav/", headers={"Host": "evil.example"}, auth=False).status == 421
    answer = dav.ask("PROPFIND", "/dav/", headers={"Sec-Fetch-Site": "cross-site"}, auth=False)
    assert answer.status == 403 and "WWW-Authenticate" not in answer.headers
    wrong = Dav(dav.bridge, password="wrong")
    assert wrong.ask("PROPFIND", "/dav/").status == 401
    wrong.close()
    assert dav.ask("PROPFIND", "/dav/other/").status == 404
    assert dav.ask("PROPFIND", dav.home, headers={"Depth": "infinity"}).status == 403


def attached(text):
    """[(in an occurrence of its own?, URL)] of the attachments."""
    found, inside = [], False
    for line in text.replace("\r\n ", "").split("\r\n"):
        inside = line.startswith("RECURRENCE-ID") or (inside and not line.startswith("BEGIN:VEVENT"))
        if line.startswith("ATTACH"):
            found.append((inside, line[line.index(":https:") + 1:]))
    return found


@pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16], ids=str)
def test_attachments_of_a_series_and_of_one_occurrence(stage, kind):
    """What is attached is kept by Exchange; clients get addresses, which they give back when they change something."""
    exchange = kind.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kind.account("work", exchange), dav=True))
    path = dav.calendar() + "s.ics"
    binary = "ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=text/plain;FILENAME={}:{}\r\n"
    mine, other = binary.format("all.txt", "YWxs"), binary.format("one.txt", "b25l")
    override = OVERRIDE.format(*[20261208] * 3)

    def content(url):
        answer = dav.get("/" + url.split("/", 3)[3])
        assert answer.headers["Content-Disposition"] == "attachment"
        return answer.body

    def stored():
        series, = exchange.events()
        return ([a["name"] for a in series["attachments"]], [a["name"] for a in series["exceptions"]["2026-12-08"]["attachments"]])

    text = event("s", "RRULE:FREQ=WEEKLY;COUNT=4", mine.strip())
    text = text.replace("END:VCAL", override.replace("SUMMARY", mine + other + "SUMMARY") + "END:VCAL")
    assert dav.put(path, text).status == 201
    assert stored() == (["all.txt"], ["all.txt", "one.txt"])
    got = dav.get(path).text()
    assert [(inside, content(url)) for inside, url in attached(got)] == [(False, b"all"), (True, b"all"), (True, b"one")]
    # given back as it came, nothing is asked of the server; without one of them, that one goes
    assert dav.put(path, got).status == 204 and stored() == (["all.txt"], ["all.txt", "one.txt"])
    lines = got.replace("\r\n ", "").split("\r\n")
    lines.remove(next(line for line in lines if "one.txt" in line))
    assert dav.put(path, "\r\n".join(lines)).status == 204
    assert stored() == (["all.txt"], ["all.txt"])
    # only the attachment makes an exception
    plain = override.replace("T14", "T10").replace("T15", "T11").replace("Later", "Meeting").replace("1208", "1215")
    got = dav.get(path).text()
    master = next(line for line in got.replace("\r\n ", "").split("\r\n") if line.startswith("ATTACH")) + "\r\n"
    text = got.replace("END:VCAL", plain.replace("SUMMARY", master + other + "SUMMARY") + "END:VCAL")
    assert dav.put(path, text).status == 204
    series, = exchange.events()
    assert [a["name"] for a in series["exceptions"]["2026-12-15"]["attachments"]] == ["all.txt", "one.txt"]
    if kind.backend == "eas":  # other times would cost it: the server forgets exceptions, and nobody else has the file
        answer = dav.put(path, dav.get(path).text().replace("COUNT=4", "COUNT=5"))
        assert answer.status == 403 and "attachment" in answer.text(), answer.body
        assert [a["name"] for a in exchange.events()[0]["exceptions"]["2026-12-15"]["attachments"]] == ["all.txt", "one.txt"]
    dav.close()


BINARY = "ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=text/plain;FILENAME={}:{}\r\n"


def contents(dav, path):
    """[(in an occurrence of its own?, content)] of the attachments."""
    return [(inside, dav.get("/" + url.split("/", 3)[3]).body) for inside, url in attached(dav.get(path).text())]


@pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16, kinds.EAS_16_0], ids=str)
def test_a_copy_has_the_attachments(stage, kind):
    exchange = kind.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kind.account("work", exchange), dav=True))
    calendar, second = dav.calendar(), dav.home + "second/"
    assert dav.ask("MKCALENDAR", second).status == 201

    def ask(method, source, to):
        return dav.ask(method, source, headers={"Destination": to})

    one, two = BINARY.format("all.txt", "YWxs"), BINARY.format("one.txt", "b25l")
    text = event("s", "RRULE:FREQ=WEEKLY;COUNT=4", one.strip(), summary="series")
    override = OVERRIDE.format(*[20261208] * 3).replace("SUMMARY", one + two + "SUMMARY")
    assert dav.put(calendar + "s.ics", text.replace("END:VCAL", override + "END:VCAL")).status == 201
    assert ask("COPY", calendar + "s.ics", second + "s.ics").status == 201
    everything = [(False, b"all"), (True, b"all"), (True, b"one")]
    assert contents(dav, second + "s.ics") == everything == contents(dav, calendar + "s.ics")
    copy, = exchange.events("second")
    assert [a["name"] for a in copy["exceptions"]["2026-12-08"]["attachments"]] == ["all.txt", "one.txt"]
    # they are the copy's own
    assert dav.ask("DELETE", calendar + "s.ics").status == 204 and contents(dav, second + "s.ics") == everything
    # over what has attachments, too: another object, and the copy of before
    for uid, summary in (("t", "first"), ("u", "second"), ("u", "third")):
        assert dav.put(calendar + uid + ".ics", event(uid, two.strip(), summary=summary)).status in (201, 204)
        assert ask("COPY", calendar + uid + ".ics", second + "s.ics").status == 204
        assert [e["subject"] for e in exchange.events("second")] == [summary] and list(dav.etags(second)) == [second + "s.ics"]
        assert contents(dav, second + "s.ics") == [(False, b"one")]
    assert ask("MOVE", calendar + "t.ics", second + "t.ics").status == 201 and contents(dav, second + "t.ics") == [(False, b"one")]
    dav.close()


@pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16], ids=str)
def test_attachments_that_a_copy_cannot_have(stage, kind):
    """What a client could not put, a copy cannot have: the request is refused in words, and nothing is made."""
    exchange = kind.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kind.account("work", exchange), dav=True))
    second, half = dav.home + "second/", base64.b64encode(bytes(4 << 20)).decode()
    assert dav.ask("MKCALENDAR", second).status == 201
    for name, files in (("empty", [""]), ("large", [half, half])):
        exchange.event("create", event={
            "subject": name, "uid": name, "start": "2026-12-02T08:00:00Z", "end": "2026-12-02T09:00:00Z",
            "attachments": [{"name": f"{n}.bin", "content_type": "application/octet-stream", "data_b64": data} for n, data in enumerate(files)]})
    paths = poll(60, lambda: len(dav.etags(dav.calendar())) == 2 and dav.etags(dav.calendar()), "they did not come")
    said = {prop(dav.get(path).text(), "SUMMARY"): dav.ask("COPY", path, headers={"Destination": second + "x.ics"}) for path in paths}
    assert {name: (a.status, a.precondition()) for name, a in said.items()} == {
        "empty": (403, "valid-calendar-object-resource"), "large": (403, "max-resource-size")}
    assert all("move the object" in a.text() for a in said.values())
    # one that goes away while it is read
    one = BINARY.format("a.txt", "YWxs").strip()
    assert dav.put(dav.calendar() + "a.ics", event("a", one)).status == 201
    exchange.fault(**({"op": "GetAttachment", "do": "error", "code": "ErrorItemNotFound"} if kind.backend == "ews" else
                      {"op": "ItemOperations", "do": "eas_status", "eas": "item", "code": 6}))
    assert dav.ask("COPY", dav.calendar() + "a.ics", headers={"Destination": second + "x.ics"}).status == 412
    assert exchange.events("second") == [] and dav.etags(second) == {}
    dav.close()


def test_attachments_where_the_version_has_none(stage):
    exchange = kinds.EAS_14.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EAS_14.account("work", exchange), dav=True))
    attached_text = "ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.txt:YWxs"
    answer = dav.put(dav.calendar() + "a.ics", event("a", attached_text))
    assert (answer.status, answer.precondition()) == (403, "valid-calendar-object-resource") and "16.0" in answer.text()
    text = event("s", "RRULE:FREQ=WEEKLY;COUNT=4")
    override = OVERRIDE.format(*[20261208] * 3).replace("SUMMARY", attached_text + "\r\nSUMMARY")
    answer = dav.put(dav.calendar() + "s.ics", text.replace("END:VCAL", override + "END:VCAL"))
    assert answer.status == 403 and "16.0" in answer.text() and exchange.events() == []
    dav.close()


def test_attachments_from_the_server_have_addresses(stage):
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    exchange.event("create", event={"subject": "With a file", "start": "2026-12-02T08:00:00Z", "end": "2026-12-02T09:00:00Z", "uid": "x",
                                    "attachments": [{"name": "a.txt", "content_type": "text/plain", "data_b64": "aGVsbG8="}]})
    path, = poll(60, lambda: dav.etags(dav.calendar()), "it did not come")
    (_, url), = attached(dav.get(path).text())
    assert dav.get("/" + url.split("/", 3)[3]).body == b"hello"
    assert [dav.get(f"/dav/{dav.account}/attachments/{name}").status for name in ("00ff", "xyz")] in ([403, 404], [404, 404])
    dav.close()


@pytest.mark.parametrize("rights", [["full"], []], ids=["allowed", "refused"])
def test_another_persons_calendar(stage, rights):
    """A mailbox that one may open is an account of its own: its calendars are read and written like one's own."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1", "--user", "bob@example.com:canary-Exchange-9f31")
    exchange.rights("alice@example.com", "bob@example.com", *rights)
    bridge = stage.bridge(kinds.EWS.account("work", exchange),
                          kinds.EWS.account("bob", exchange, mailbox="bob@example.com", access="delegation"), dav=True)
    dav = Dav(bridge, "bob")
    if not rights:
        assert dav.propfind(dav.home, "<D:displayname/>", 1).status in (403, 503)
    else:
        assert dav.put(dav.calendar() + "a.ics", event("a", summary="For Bob")).status == 201
        assert [e["subject"] for e in exchange.events(user="bob@example.com")] == ["For Bob"] and exchange.events() == []
        exchange.event("create", user="bob@example.com", event={"subject": "By Bob", "uid": "b", "start": "2026-12-02T08:00:00Z",
                                                                "end": "2026-12-02T09:00:00Z"})
        poll(60, lambda: len(dav.etags(dav.calendar())) == 2, "Bob's own event did not come")
    own = Dav(bridge)
    assert own.etags(own.calendar()) == {} and own.ask("PROPFIND", dav.home).status == 404
    own.close()
    dav.close()
