# SPDX-License-Identifier: Apache-2.0
"""What the server did and could not say, and what it said when nobody listened."""
import http.client
import signal

import kinds
import pytest
from bridge import poll
from davtest import Dav, event, prop

WRITES = {"ews": ["CreateItem", "UpdateItem"], "eas": ["Sync"]}


@pytest.fixture
def exchange(stage, kind):
    return kind.exchange(stage)


@pytest.fixture
def bridge(stage, kind, exchange):
    return stage.bridge(kind.account("work", exchange), dav=True)


@pytest.fixture
def dav(bridge):
    client = Dav(bridge)
    poll(60, lambda: "Calendar" in client.calendars(), "no calendar is shown")
    yield client
    client.close()


def warm_up(dav):
    """All is synchronised, and nothing is under way."""
    path = dav.calendar() + "warm.ics"
    assert dav.put(path, event("warm@test.example")).status == 201
    assert dav.ask("DELETE", path).status == 204


def put_in_vain(exchange, kind, dav, path, text):
    """Done by the server, whose answer does not come."""
    exchange.fault(op=WRITES[kind.backend], do="lose", times=1 if kind.backend == "ews" else 3)
    answer = dav.put(path, text, If_Match=dav.get(path).headers["ETag"])
    exchange.clear_faults()
    return answer.status


def test_a_retry_after_the_sync_brought_it(exchange, bridge, dav, kind):
    """The item came back as something new, and was given a name before its client asked again: it gets the client's."""
    path, text = dav.calendar() + "mine.ics", event("mine@test.example", summary="mine")
    warm_up(dav)
    exchange.fault(op=WRITES[kind.backend][0], where={} if kind.backend == "ews" else {"folder": "calendar"}, do="lose", times=0)
    assert dav.put(path, text, If_None_Match="*").status >= 500
    dav.close()
    bridge.kill()
    exchange.clear_faults()
    assert [e["subject"] for e in exchange.events()] == ["mine"]
    bridge.start()
    poll(60, lambda: len(dav.etags(dav.calendar())) == 1, "the event does not come back")
    answer = dav.put(path, text, If_None_Match="*")
    assert answer.status == 201, answer.body
    assert list(dav.etags(dav.calendar())) == [path] and len(exchange.events()) == 1
    changed_text = dav.get(path).text().replace("SUMMARY:mine", "SUMMARY:still mine")
    assert dav.put(path, changed_text, If_Match=dav.get(path).headers["ETag"]).status == 204
    assert [e["subject"] for e in exchange.events()] == ["still mine"]


def test_changed_before_a_folder_is_collected_anew(exchange, bridge, dav, kind):
    """In a page that is not the last one: what is served, and what the next change is compared with, is the new item."""
    exchange.event("fill", count=150, start="2026-12-01")
    calendar = dav.calendar()
    poll(60, lambda: len(dav.etags(calendar)) == 150, lambda: f"{len(dav.etags(calendar))} events")
    before = dav.etags(calendar)
    uid = {prop(props, "UID"): href for href, props in ((href, dav.get(href).text()) for href in list(before)[:60])}
    dav.close()
    bridge.stop()
    moved = [e for e in exchange.events() if e["uid"] in uid][:20]
    for e in moved:
        exchange.event("update", num=e["num"], event={"location": f"moved {e['num']}"})
    exchange.invalidate()
    bridge.start()
    for e in moved:
        poll(60, lambda: prop(dav.get(uid[e["uid"]]).text(), "LOCATION") == f"moved {e['num']}", lambda: dav.get(uid[e["uid"]]).text())
    assert set(before) == set(dav.etags(calendar))
    text = dav.get(uid[moved[0]["uid"]]).text()
    answer = dav.put(uid[moved[0]["uid"]], text.replace("LOCATION:moved", "LOCATION:left"))
    assert answer.status == 204
    assert next(e for e in exchange.events() if e["num"] == moved[0]["num"])["location"] == f"left {moved[0]['num']}"


def test_two_changes_the_first_unheard(exchange, bridge, dav, kind):
    """The second one's answer is heard; what became of the first, which the server does not tell of its own accord, is told
    all the same."""
    one, two = dav.calendar() + "one.ics", dav.calendar() + "two.ics"
    for path in (one, two):
        assert dav.put(path, event(path[-7:-4] + "@test.example", summary="first")).status == 201
    status = put_in_vain(exchange, kind, dav, one, event("one@test.example", summary="second"))
    assert status == 204 or (status == 503 and kind.backend == "eas")  # EWS says of the second attempt that it is too late
    assert poll(60, lambda: (s := dav.put(two, event("two@test.example", summary="second")).status) < 500 and s) in (201, 204)
    assert {e["subject"] for e in exchange.events()} == {"second"}
    poll(60, lambda: prop(dav.get(one).text(), "SUMMARY") == "second", lambda: dav.get(one).text())


def test_put_while_the_list_is_on_its_way(stage):
    """The folder is collected anew, and the list was made before the new event was: it stays, under its name, and no client
    hears that it went."""
    exchange = kinds.EWS.exchange(stage)
    exchange.event("fill", count=5, start="2026-12-01")
    bridge = stage.bridge(kinds.EWS.account("work", exchange), dav=True)
    dav = Dav(bridge)
    calendar = poll(60, lambda: len(dav.etags(c := dav.calendar())) == 5 and c, "the events do not come")
    _, _, token, _ = dav.sync(calendar)
    dav.close()
    bridge.stop()
    exchange.invalidate()
    exchange.event("update", num=exchange.events()[0]["num"], event={"location": "Attic"})
    mark = exchange.mark()
    exchange.fault(op="GetItem", do="pause")
    bridge.start()
    poll(60, lambda: "ews:GetItem" in exchange.counts(mark), "the list is not asked for")
    answer = dav.put(calendar + "new.ics", event("new@test.example"), If_None_Match="*")
    assert answer.status == 201, answer.body
    exchange.clear_faults()
    poll(60, lambda: any(prop(dav.get(href).text(), "LOCATION") == "Attic" for href in dav.etags(calendar)), "the list does not come")
    exchange.event("create", event={"subject": "last", "start": "2026-12-02T10:00:00Z", "end": "2026-12-02T11:00:00Z"})
    poll(60, lambda: len(dav.etags(calendar)) == 7, lambda: f"{dav.etags(calendar)}")
    changed, gone, _, _ = dav.sync(calendar, token)
    assert calendar + "new.ics" in changed and gone == [] and dav.get(calendar + "new.ics").headers["ETag"] == answer.headers["ETag"]
    exchange.event("delete", num=next(e["num"] for e in exchange.events() if e["subject"] == "Meeting"))
    poll(60, lambda: calendar + "new.ics" not in dav.etags(calendar), "it does not go")
    dav.close()


def two_calendars(dav):
    """A source and what it is to overwrite, of which clients have stored something beside."""
    source, target = dav.calendar() + "a.ics", dav.home + "second/x.ics"
    assert dav.ask("MKCALENDAR", dav.home + "second/").status == 201
    assert dav.put(target, event("old@test.example", summary="old")).status == 201
    assert dav.put(source, event("new@test.example", "X-MINE:yes", summary="new")).status == 201
    return source, target


@pytest.mark.parametrize("step", ["move", "delete"])
@pytest.mark.parametrize("retries", [True, False], ids=["asked again", "not asked again"])
def test_a_move_whose_answer_is_lost(exchange, dav, kind, step, retries):
    source, target = two_calendars(dav)
    etag = dav.get(source).headers["ETag"]
    ews = {"move": {"op": "MoveItem"}, "delete": {"op": "DeleteItem"}}
    eas = {"move": {"op": "MoveItems"}, "delete": {"op": "Sync", "where": {"commands": ["Delete"]}}}
    exchange.fault(**(ews if kind.backend == "ews" else eas)[step], do="lose", times=0)
    assert dav.ask("MOVE", source, headers={"Destination": target}).status >= 500
    exchange.clear_faults()
    if retries:
        assert dav.ask("MOVE", source, headers={"Destination": target, "If-Match": etag}).status == 204  # it was met then
    poll(60, lambda: [e["subject"] for e in exchange.events("second")] == ["new"], "it does not come to its end")
    assert exchange.events() == []
    poll(60, lambda: list(dav.etags(dav.home + "second/")) == [target] and dav.etags(dav.calendar()) == {}, "it is not shown")
    text = dav.get(target).text()
    assert (prop(text, "UID"), prop(text, "SUMMARY"), prop(text, "X-MINE")) == ("new@test.example", "new", "yes")


def test_what_was_to_be_overwritten_has_changed_since(exchange, bridge, dav, kind):
    """The process dies when the object has moved; before the next one somebody changes what was in its place: both stay."""
    source, target = two_calendars(dav)
    dav.close()
    bridge.stop()
    bridge.environment = {"EXBRIDGE_CRASH_AT": "event_moved.stored"}
    bridge.start()
    with pytest.raises((OSError, http.client.HTTPException)):
        dav.ask("MOVE", source, headers={"Destination": target})
    bridge.process.wait(60)
    bridge.process = None
    bridge.close_clients()
    dav.close()
    bridge.environment = {}
    old, = [e for e in exchange.events("second") if e["subject"] == "old"]
    exchange.event("update", num=old["num"], event={"subject": "older"})
    bridge.start()
    poll(60, lambda: "both stay" in bridge.log(now=True), "nothing is said of it")
    assert sorted(e["subject"] for e in exchange.events("second")) == ["new", "older"]
    assert dav.ask("MOVE", source, headers={"Destination": target}).status == 404
    assert sorted(prop(dav.get(path).text(), "SUMMARY") for path in dav.etags(dav.home + "second/")) == ["new", "older"]
    assert prop(dav.get(target).text(), "SUMMARY") == "older"


def test_a_copy_whose_answer_is_lost(exchange, dav, kind):
    """With what is attached, where the version has that; it is there once, and is not brought twice."""
    files = ["ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.txt:YWxs"] if kind.version != "14.1" else []
    second = dav.home + "second/"
    assert dav.ask("MKCALENDAR", second).status == 201
    assert dav.put(dav.calendar() + "a.ics", event("a@test.example", "X-MINE:yes", *files, summary="mine")).status == 201
    lost = {"op": "CreateItem"} if kind.backend == "ews" else {"op": "Sync", "where": {"commands": ["Add"]}}
    exchange.fault(**lost, do="lose", times=0)
    assert dav.ask("COPY", dav.calendar() + "a.ics", headers={"Destination": second + "c.ics"}).status >= 500
    exchange.clear_faults()
    mark = exchange.mark()
    assert dav.ask("COPY", dav.calendar() + "a.ics", headers={"Destination": second + "c.ics"}).status == 201
    asked = [e["op"] for e in exchange.log(mark)] + [c for e in exchange.log(mark) for c in e["detail"].get("commands", ())]
    assert not {"DeleteAttachment", "CreateAttachment", "UpdateItem", "Change", "CreateItem"} & set(asked), asked
    copy, = exchange.events("second")
    assert copy["subject"] == "mine" and [a["name"] for a in copy["attachments"]] == ["a.txt"] * len(files)
    assert list(dav.etags(second)) == [second + "c.ics"] and prop(dav.get(second + "c.ics").text(), "X-MINE") == "yes"


@pytest.mark.parametrize("point", ["event.journaled", "event.answered", "event.stored", "event_replaced.answered", "event_replaced.stored"])
def test_a_copy_that_nobody_asks_for_again(bridge, dav, exchange, kind, point):
    """Killed between the copy, the deletion of what it overwrites, and the name: it comes to its end by itself, or never happened.
    Where the server gives UIDs of its own, only the next attempt knows a copy again of which nothing was written down."""
    second = dav.home + "second/"
    assert dav.ask("MKCALENDAR", second).status == 201
    source, target = dav.calendar() + "a.ics", second + "x.ics"
    assert dav.put(source, event("a", "X-OURS:1", summary="a")).status == dav.put(target, event("x", summary="x")).status == 201
    dav.close()
    bridge.stop()
    bridge.environment = {"EXBRIDGE_CRASH_AT": point}
    bridge.start()
    dav.attempts = 1
    with pytest.raises((OSError, http.client.HTTPException)):
        dav.ask("COPY", source, headers={"Destination": target})
    dav.attempts = 2
    assert bridge.process.wait(60) == -signal.SIGKILL, bridge.tail()
    bridge.process, bridge.environment = None, {}
    bridge.start()
    beside = point == "event.answered" and kind.version == "16.1"
    name = "x" if beside or point == "event.journaled" else "a"
    poll(60, lambda: bridge.sql("work", "SELECT count(*) FROM moving WHERE state < 2") == [(0,)], bridge.tail)
    poll(60, lambda: len(dav.etags(second)) == 1 + beside and target in dav.etags(second), bridge.tail)
    assert sorted(e["subject"] for e in exchange.events("second")) == ["a"] * beside + [name]
    text = dav.get(target).text()
    assert (prop(text, "SUMMARY"), prop(text, "UID"), prop(text, "X-OURS")) == (name, name, "1" if name == "a" else None)
    assert list(dav.etags(dav.calendar())) == [source]
    assert dav.ask("COPY", source, headers={"Destination": target}).status == 204
    assert [e["subject"] for e in exchange.events("second")] == ["a"] and list(dav.etags(second)) == [target]
