# SPDX-License-Identifier: Apache-2.0
"""Servers, and what stands in front of them, that fail over a part of what is asked: what they have done is not done once more,
what they can do is had, and what they cannot do does not hold up the rest."""
import contextlib
import http.client
import json
import subprocess
import threading

import kinds
import pytest
from bridge import poll, program
from davtest import Dav, event
from driver import FLAGGED

standin = pytest.mark.standin


def slow_above(exchange, op, most, up_to):
    """A gateway that waits for no answer about more than `most` items."""
    for n in range(most + 1, up_to + 1):
        exchange.fault(op=op, do="status", status=504, where={"ids": n}, times=0)


# --- reading mail -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", ["header", "message"])
@pytest.mark.parametrize("most", [1, 3])
def test_a_gateway_with_little_patience(exchange, driver, what, most):
    """The same request again would never be answered: less is asked for, and remembered."""
    asked = [i["id"] for i in driver.sync(driver.folder())["list"]][:10]
    slow_above(exchange, "GetItem", most, 10)
    got = {}
    for _ in range(3):
        items, _ = driver.fetch(what, *[i for i in asked if i not in got])
        got.update({i: item for i, item in items.items() if item["err"] == "none"})
        if len(got) == 10:
            break
    assert len(got) == 10 and not any(i["synthesised"] for i in got.values() if what == "message")
    mark = exchange.mark()
    driver.fetch(what, *asked)
    assert max(e["detail"]["ids"] for e in exchange.log(mark)) <= most


def test_internal_errors_about_several(exchange, driver):
    """Each of them is asked for alone before it is rebuilt from its properties."""
    asked = [i["id"] for i in driver.sync(driver.folder())["list"]][:6]
    exchange.fault(op="GetItem", do="error", code="ErrorInternalServerError", index=[1, 3, 4])
    items, end = driver.fetch("message", *asked)
    assert end["err"] == "none" and [items[i]["err"] for i in asked] == ["none"] * 6
    assert not any(items[i]["synthesised"] for i in asked)


@standin("--corpus", "1100")
def test_an_item_that_spoils_its_page(exchange, driver):
    """It is told without its properties; before it and after it all is as ever."""
    nums = [i["num"] for i in exchange.items("inbox")]
    for num in (nums[10], nums[700]):
        exchange.change("update", num=num, traits=["poison"])
    inbox, found, cursor = driver.folder(), {}, None
    while True:
        page = driver.sync(inbox, cursor)
        assert page["err"] == "none" and not found.keys() & {i["id"] for i in page["list"]}, page
        found.update({i["id"]: i for i in page["list"]})
        cursor = page["cursor"]
        if not page["more"]:
            break
    bare = [i for i in found.values() if not i["known"]]
    assert len(found) == 1100 and len(bare) == 2 and not any(i["message_id"] or i["subject"] or i["size"] for i in bare)
    items, end = driver.fetch("message", *[i["id"] for i in bare])
    assert end["err"] == "none" and all(i["err"] == "none" for i in items.values())


@pytest.mark.parametrize("code", ["ErrorItemCorrupt", "ErrorMimeContentConversionFailed", "ErrorItemPropertyRequestFailed",
                                  "ErrorMessageSizeExceeded", "ErrorInternalServerError"])
def test_a_search_over_messages_that_cannot_be_read(stage, code):
    """It answers what it can and says what is missing, however many they are; when the server is away, it is no answer."""
    exchange = kinds.EWS.exchange(stage)
    for n in range(1 if code == "ErrorInternalServerError" else 5):
        exchange.deliver(subject=f"bad {n}", text="needle", traits=[code])
        exchange.deliver(subject=f"good {n}", text="needle")
    count = len(exchange.items("inbox"))
    imap = stage.bridge(kinds.EWS.account("work", exchange, prefetch="none")).login("work", timeout=120)
    poll(60, lambda: imap.open("INBOX")["exists"] == count)
    good = list(range(2, count + 1, 2))
    for keys in ("SUBJECT o", "NOT SUBJECT x", "BODY needle", "TEXT needle", "OR DELETED NOT BODY x"):
        imap.send(f"s1 SEARCH {keys}\r\n")
        answer, lines = imap.finish("s1")
        assert answer == f"OK SEARCH completed; {count // 2} of the messages could not be read.", (keys, answer)
        assert [int(n) for line in lines if line.startswith(b"* SEARCH") for n in line.split()[2:]] == good, keys
    imap.ok("FETCH 2 BODY.PEEK[]")
    exchange.fault(op="GetItem", do="status", status=502, times=0)
    imap.send("s2 SEARCH SUBJECT o\r\n")
    assert imap.finish("s2")[0].startswith("NO [UNAVAILABLE]")


# --- changing mail ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def mailbox(stage):
    """(exchange, a signed-in client with 40 messages in its inbox, and a folder Target)"""
    exchange = kinds.EWS.exchange(stage, "--corpus", "40")
    exchange.folder("create", name="Target")
    bridge = stage.bridge(kinds.EWS.account("work", exchange))
    imap = bridge.login("work", timeout=120)
    poll(60, lambda: imap.open("INBOX")["exists"] == 40)
    poll(60, lambda: imap.status_of("Target"))
    return exchange, imap


def test_flags_of_many_at_an_impatient_gateway(mailbox):
    exchange, imap = mailbox
    slow_above(exchange, "UpdateItem", 12, 40)
    imap.ok(r"STORE 1:40 +FLAGS.SILENT (\Flagged)")
    assert [i["flag"] for i in exchange.items("inbox")] == [FLAGGED] * 40


@pytest.mark.parametrize("command,op", [("MOVE", "MoveItem"), ("COPY", "CopyItem")])
def test_a_batch_that_is_stopped(mailbox, command, op):
    """The server says of which items it has not done anything: those are asked for again, and no others."""
    exchange, imap = mailbox
    mark = exchange.mark()
    exchange.fault(op=op, do="error", code="ErrorBatchProcessingStopped", index=[3, 4, 5])
    imap.ok(f"{command} 1:6 Target")
    assert [e["detail"]["ids"] for e in exchange.log(mark, op=op)] == [6, 3]
    assert len({i["message_id"] for i in exchange.items("Target")}) == len(exchange.items("Target")) == 6
    poll(60, lambda: imap.status_of("Target")["MESSAGES"] == 6)


@pytest.mark.parametrize("rule", [dict(do="gateway"), dict(do="error", code="ErrorInternalServerTransientError", index=[3])],
                         ids=["gateway", "one of them"])
def test_copies_that_may_have_been_made(mailbox, rule):
    """Nobody knows, or not of all of them: they are looked for, and none is made twice."""
    exchange, imap = mailbox
    exchange.fault(op="CopyItem", **rule)
    imap.send("c1 COPY 1:6 Target\r\n")
    answer = imap.finish("c1")[0]
    assert answer.startswith("OK" if rule["do"] == "gateway" else "NO [UNAVAILABLE]"), answer
    copies = [i["message_id"] for i in exchange.items("Target")]
    assert len(set(copies)) == len(copies)


def test_a_folder_that_cannot_be_read(stage):
    """The others go on, and hear of what comes."""
    exchange = kinds.EWS.exchange(stage, "--corpus", "3")
    for name in ("Ash", "Birch", "Cedar"):
        exchange.folder("create", name=name)
        exchange.deliver(subject="first", folder=name)
    bad, = exchange.items("Birch")
    exchange.change("update", num=bad["num"], traits=["unreadable"])
    imap = stage.bridge(kinds.EWS.account("work", exchange)).login("work", timeout=120)
    for name in ("Ash", "Cedar"):
        poll(60, lambda: imap.status_of(name)["MESSAGES"] == 1, name)
    exchange.deliver(subject="second", folder="Cedar")
    poll(60, lambda: imap.status_of("Cedar")["MESSAGES"] == 2)
    imap.send("s1 SELECT Birch\r\n")
    assert imap.finish("s1")[0].startswith("NO [SERVERBUG]")


@pytest.mark.parametrize("code", ["ErrorFolderCorrupt", "ErrorIrresolvableConflict", "ErrorPublicFolderOperationFailed"])
def test_a_folder_that_fails_strangely(stage, code):
    """Nobody knows what its error means: the folder waits, and the others go on although it would be first."""
    exchange = kinds.EWS.exchange(stage, "--corpus", "3")
    exchange.folder("create", name="Cedar")
    bad, = exchange.deliver(subject="bad", traits=[f"Sync:{code}"])
    imap = stage.bridge(kinds.EWS.account("work", exchange)).login("work", timeout=120)
    for n in range(1, 4):
        exchange.deliver(subject="news")
        exchange.deliver(subject="news", folder="Cedar")
        poll(60, lambda: imap.status_of("Cedar")["MESSAGES"] == n, n)
    exchange.change("update", num=bad["num"], traits=[])
    poll(90, lambda: imap.run("SELECT INBOX")[0].startswith("OK") and imap.status_of("INBOX")["MESSAGES"] == 7)


def state_of(bridge):
    told = subprocess.run([program(), "status", "--json", "-c", bridge.config_path], capture_output=True, text=True, check=False)
    return json.loads(told.stdout)["accounts"][0]["state"]


def test_a_server_that_fails_strangely(stage):
    """One folder after the other: it is the account, and says so."""
    exchange = kinds.EWS.exchange(stage, "--corpus", "3")
    exchange.fault(op="SyncFolderItems", do="error", code="ErrorFolderCorrupt", times=0)
    bridge = stage.bridge(kinds.EWS.account("work", exchange))
    poll(60, lambda: state_of(bridge) == "offline", bridge.tail)


# --- calendars ----------------------------------------------------------------------------------------------------------------

@pytest.fixture
def calendar(stage):
    exchange = kinds.EWS.exchange(stage)
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    poll(60, lambda: "Calendar" in dav.calendars(), "no calendar is shown")
    yield exchange, dav
    dav.close()


@pytest.mark.parametrize("blind", [dict(do="error", code="ErrorAccessDenied"), dict(do="status", status=403),
                                   dict(do="replace", body="<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'>"
                                        "<s:Body/></s:Envelope>")], ids=["no access", "closed", "nothing"])
def test_a_search_that_fails_proves_nothing(calendar, blind):
    """Of the event that an earlier attempt made: it is not made again because nobody could look for it."""
    exchange, dav = calendar
    path, text = dav.calendar() + "mine.ics", event("mine@test.example", summary="mine")
    exchange.fault(op="CreateItem", do="lose")
    exchange.fault(op="SyncFolderItems", do="status", status=500, times=0)  # nor does the calendar tell of it
    assert dav.put(path, text, If_None_Match="*").status == 503
    exchange.fault(op="FindItem", times=0, **blind)
    for _ in range(2):
        assert dav.put(path, text, If_None_Match="*").status == 503
    exchange.clear_faults()
    assert poll(60, lambda: (s := dav.put(path, text, If_None_Match="*").status) < 500 and s) == 201
    assert [e["subject"] for e in exchange.events()] == ["mine"]


@pytest.mark.parametrize("fault", [dict(do="gateway"), dict(do="status", status=503)], ids=["gateway", "away"])
def test_an_event_and_a_gateway(calendar, fault):
    """It may have reached the server or not: it is there once, and the client hears so at once."""
    exchange, dav = calendar
    exchange.fault(op="CreateItem", **fault)
    answer = dav.put(dav.calendar() + "mine.ics", event("mine@test.example", summary="mine"), If_None_Match="*")
    assert answer.status == 201, answer.body
    assert [e["subject"] for e in exchange.events()] == ["mine"]


def test_an_event_that_waits_in_the_queue(calendar):
    """Of a bridge that was killed: the repeated request, which finds nothing yet, does not make it again."""
    exchange, dav = calendar
    path, text, answers = dav.calendar() + "mine.ics", event("mine@test.example", summary="mine"), []

    def put():
        with contextlib.suppress(OSError, EOFError, http.client.HTTPException):
            answers.append(dav.put(path, text, If_None_Match="*").status)
    first, again = threading.Thread(target=put), threading.Thread(target=put)
    queued, mark = exchange.fault(op="CreateItem", do="queue"), exchange.mark()
    dav.attempts = 1
    first.start()
    exchange.held("CreateItem", mark)
    dav.bridge.kill()
    first.join(60)
    assert not answers
    dav.bridge.start()
    mark = exchange.mark()
    again.start()
    poll(60, lambda: exchange.counts(mark).get("ews:FindItem"), "nobody looks")
    exchange.clear_faults(queued)
    again.join(60)
    assert (answers, [e["subject"] for e in exchange.events()]) == ([201], ["mine"])


@pytest.mark.parametrize("code", ["ErrorInternalServerError", "ErrorItemPropertyRequestFailed", "ErrorCorruptData"])
def test_an_event_that_cannot_be_read(stage, code):
    """It does not hold up its calendar; when it can be read, it is there."""
    exchange = kinds.EWS.exchange(stage)
    exchange.event("fill", count=6, start="2026-12-01")
    exchange.fault(op="GetItem", do="error", code=code, index=2, times=0)
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    calendar = poll(60, lambda: len(dav.etags(c := dav.calendar())) == 5 and c, "no calendar is shown")
    exchange.clear_faults()
    for e in exchange.events():
        exchange.event("update", num=e["num"], event={"location": "Attic"})
    poll(60, lambda: len(dav.etags(calendar)) == 6, lambda: f"{dav.etags(calendar)}")
    dav.close()


def series(uid, *lines):
    return event(uid, "RRULE:FREQ=WEEKLY;COUNT=4", *lines, summary="mine")


def third(uid, hour, *lines):
    """The occurrence of the third week at another hour."""
    return ("END:VEVENT", "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T000000Z",
            "RECURRENCE-ID;TZID=Europe/Berlin:20261215T100000", f"DTSTART;TZID=Europe/Berlin:20261215T{hour}0000",
            f"DTEND;TZID=Europe/Berlin:20261215T{hour + 1}0000", "SUMMARY:mine", *lines)


@pytest.fixture
def meeting(stage):
    """(exchange, client, path of a series to which bob is invited, its lines about people)"""
    exchange = kinds.EWS.exchange(stage, "--user", "bob@example.com:canary-Exchange-9f31")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange, email="alice@example.com", user="alice@example.com"), dav=True))
    dav.sign_in("alice@example.com")
    path = poll(60, lambda: dav.calendars().get("Calendar"), "no calendar is shown") + "m.ics"
    people = ("ORGANIZER:mailto:alice@example.com", "ATTENDEE:mailto:alice@example.com", "ATTENDEE:mailto:bob@example.com")
    assert dav.put(path, series("m@test.example", *people)).status == 201
    assert len(exchange.submissions()) == 1
    yield exchange, dav, path, people
    dav.close()


@pytest.fixture
def invited(stage):
    """(exchange, client of bob, path of the meeting that alice has invited him to; his calendar tells of nothing more)"""
    exchange = kinds.EWS.exchange(stage, "--user", "bob@example.com:canary-Exchange-9f31")
    names = {name: f"{name}@example.com" for name in ("alice", "bob")}
    bridge = stage.bridge(*[kinds.EWS.account(name, exchange, email=address, user=address) for name, address in names.items()],
                          dav=True)
    alice, bob = (Dav(bridge, name) for name in names)
    for client, address in zip((alice, bob), names.values()):
        client.sign_in(address)
    people = ("ORGANIZER:mailto:alice@example.com", "ATTENDEE:mailto:alice@example.com", "ATTENDEE:mailto:bob@example.com")
    path = poll(60, lambda: alice.calendars().get("Calendar"), "no calendar is shown") + "m.ics"
    assert alice.put(path, event("m@test.example", *people)).status == 201
    calendar = poll(60, lambda: bob.calendars().get("Calendar"), "no calendar is shown")
    there, = poll(60, lambda: bob.etags(calendar), "no invitation")
    exchange.fault(op="SyncFolderItems", do="status", status=500, times=0)
    yield exchange, bob, there
    alice.close()
    bob.close()


def replies(exchange):
    return [s for s in exchange.submissions() if s.get("meeting") and s["meeting"]["method"] == "REPLY"]


@pytest.mark.parametrize("answer", ["ACCEPTED", "TENTATIVE", "DECLINED"])
def test_an_answer_to_an_invitation_is_looked_for(invited, answer):
    """What the server said of it was lost: the item has the response, and the client hears so."""
    exchange, bob, path = invited
    exchange.fault(op="CreateItem", do="lose")
    said = bob.put(path, bob.get(path).text().replace("PARTSTAT=NEEDS-ACTION", f"PARTSTAT={answer}"))
    assert (said.status, len(replies(exchange))) == (204, 1), said.body


@pytest.mark.parametrize("fault,before", [("lose", 1), ("gateway", 1), ("status", 0)])
def test_an_answer_to_an_invitation_is_sent_once(invited, fault, before):
    """The server is away after that, or has not got it: the client tries again, and the organiser hears it once."""
    exchange, bob, path = invited
    text = bob.get(path).text().replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    exchange.fault(op="CreateItem", do=fault, **({} if fault == "lose" else {"status": 503}))
    exchange.fault(op="GetItem", do="status", status=502, after=1, times=0)
    assert (bob.put(path, text).status, len(replies(exchange))) == (503, before)
    exchange.clear_faults()
    exchange.fault(op="SyncFolderItems", do="status", status=500, times=0)
    assert poll(60, lambda: (s := bob.put(path, text).status) < 500 and s) == 204
    assert len(replies(exchange)) == 1


@pytest.mark.parametrize("rsvp", ["TRUE", "FALSE"])
def test_whether_answers_are_wanted(meeting, rsvp):
    """Exchange would ask for them by itself; what the organiser's program says of it is what guests are told."""
    exchange, dav, path, people = meeting
    *others, guest = people
    other = path.replace("m.ics", "n.ics")
    assert dav.put(other, event("n@test.example", *others, guest.replace("ATTENDEE", f"ATTENDEE;RSVP={rsvp}"))).status == 201
    made, = [e for e in exchange.events() if e["uid"] == "n@test.example"]
    assert made["response_requested"] is (rsvp == "TRUE")


def test_guests_hear_of_changes_only(meeting):
    """What is stored once more as it is, by a client that does not say whether it wants answers, is no news."""
    exchange, dav, path, people = meeting
    for _ in range(2):
        assert dav.put(path, series("m@test.example", *people)).status == 204
    assert len(exchange.submissions()) == 1
    assert dav.put(path, series("m@test.example", *people, "LOCATION:Attic")).status == 204
    assert len(exchange.submissions()) == 2


def test_a_changed_occurrence_is_told_once(meeting):
    """The answer is lost: guests hear of it once, and the client hears what there is."""
    exchange, dav, path, people = meeting
    exchange.fault(op="UpdateItem", do="lose")
    assert dav.put(path, series("m@test.example", *people, *third("m@test.example", 11, *people))).status in (204, 412, 503)
    poll(60, lambda: "T110000" in dav.get(path).text(), lambda: dav.get(path).text())
    assert [s["meeting"]["original"] for s in exchange.submissions()[1:]] == ["2026-12-15T09:00:00Z"]


@pytest.mark.parametrize("what", ["occurrence", "attachment"])
def test_what_is_gone_already(calendar, what):
    """The answer to its deletion was lost, and the request is repeated by itself: it is gone, as wanted."""
    exchange, dav = calendar
    path, file = dav.calendar() + "m.ics", "ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.txt:YWxs"
    assert dav.put(path, series("m@test.example", *([file] if what == "attachment" else []))).status == 201
    exchange.fault(op="DeleteItem" if what == "occurrence" else "DeleteAttachment", do="lose")
    without = ["EXDATE;TZID=Europe/Berlin:20261215T100000"] if what == "occurrence" else []
    answer = dav.put(path, series("m@test.example", *without))
    assert answer.status == 204, answer.body
    kept, = exchange.events()
    assert len(kept["deleted"]) == len(without) and kept["attachments"] == []
