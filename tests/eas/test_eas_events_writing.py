# SPDX-License-Identifier: Apache-2.0
"""Making, changing and deleting events and tasks over EAS: the backend by itself against the stand-in, version by version."""
import itertools
import os

import pytest

from test_eas_writing import ALL, posts, quiet, start  # noqa: F401: a fixture

OLD, NEW = ["12.1", "14.0", "14.1"], ["16.0", "16.1"]
NINE = "DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=Europe/Berlin:20260105T100000\n"
TALK = NINE + "SUMMARY:Talk\n"
DAILY = TALK + "RRULE:FREQ=DAILY;COUNT=10\n"
GUESTS = "ORGANIZER:mailto:alice@example.com\nATTENDEE;CN=Bob:mailto:bob@example.com\n"


def event(*parts, uid="u1"):
    """A VEVENT, and for each further part one of an occurrence."""
    bodies = [f"BEGIN:VEVENT\nUID:{uid}\n{part}END:VEVENT\n" for part in parts]
    return ("BEGIN:VCALENDAR\n" + "".join(bodies) + "END:VCALENDAR\n").replace("\n", "\r\n")


def task(text, uid="t1"):
    return f"BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:{uid}\n{text}END:VTODO\nEND:VCALENDAR\n".replace("\n", "\r\n")


def moved(day, hour=11, more="SUMMARY:Talk\n"):
    """The occurrence of January `day`, at another hour."""
    return (f"RECURRENCE-ID;TZID=Europe/Berlin:202601{day:02}T090000\nDTSTART;TZID=Europe/Berlin:202601{day:02}T{hour}0000\n"
            f"DTEND;TZID=Europe/Berlin:202601{day:02}T{hour + 1}0000\n{more}")


def off(*days):
    return "".join(f"EXDATE;TZID=Europe/Berlin:202601{day:02}T090000\n" for day in days)


class Cal:
    """One folder, and what the core would know of it."""

    def __init__(self, exchange, driver, kind="calendar"):
        self.exchange, self.d, self.kind = exchange, driver, kind
        self.name = "calendar" if kind == "calendar" else "tasks"
        self.folder = next(f["id"] for f in driver.folders()["list"] if f["kind"] == kind)
        self.serial = itertools.count(1)
        self.page()

    def page(self):
        """The events of the next pages by id; None: gone."""
        found = {}
        while True:
            got = self.d.write("epage", self.folder, self.kind, self.cursor()) if self.cursor() else self.d.write(
                "epage", self.folder, self.kind)
            assert got["err"] == "none", got
            found.update({i["id"]: None if i["gone"] else i["text"] for i in got["list"]})
            if not got["more"]:
                return found

    def cursor(self):
        path = os.path.join(self.d.persist, f"cursor.{self.folder}")
        return open(path).read() if os.path.exists(path) else ""

    def put(self, text, number="-", base=None, evidence=None, *words):
        files = [self.d.file(t.encode()) if t else "-" for t in (text, base)]
        return self.d.write("eput", self.folder, self.kind, number, *files, evidence or f"e{next(self.serial)}", *words)

    def made(self, text):
        got = self.put(text)
        assert got["err"] == "none", got
        return got["id"], got["text"]

    def changed(self, number, base, text):
        got = self.put(text, number, base)
        assert got["err"] == "none" and got["id"] == number, got
        return got["text"]

    def items(self):
        return self.exchange.events(self.name)

    def one(self):
        (item,) = self.items()
        return item


@pytest.fixture
def calendar(start):  # noqa: F811
    def make(version="16.1", kind="calendar", *args, options=(), **settings):
        exchange, d, _, _ = start(version, *args, count=1, options=options, **settings)
        return Cal(exchange, d, kind)

    return make


# --- single events ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ALL)
def test_create_change_delete(calendar, version):
    """Two requests for a new event and for a change; the server's event is what was wanted, and is what comes back."""
    c = calendar(version)
    text = event(TALK + "LOCATION:Room\nDESCRIPTION:One\\ntwo\nCATEGORIES:A,B\nCLASS:PRIVATE\nTRANSP:TRANSPARENT\n"
                 "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nEND:VALARM\n")
    mark = c.exchange.mark()
    number, got = c.made(text)
    assert posts(c.exchange, mark) == ["Sync", "ItemOperations"]
    item = c.one()
    assert (item["subject"], item["location"], item["busy"], item["sensitivity"]) == ("Talk", "Room", "Free", "Private")
    assert (item["start"], item["end"], item["zone"]) == ("2026-01-05T08:00:00Z", "2026-01-05T09:00:00Z", "W. Europe Standard Time")
    assert item["reminder"] == 15 and item["categories"] == ["A", "B"] and item["body"]["text"] == "One\r\ntwo"
    assert "SUMMARY:Talk" in got and "DESCRIPTION:One\\ntwo" in got
    assert (item["uid"] == "u1") == (version in OLD)
    mark = c.exchange.mark()
    new = got.replace("SUMMARY:Talk", "SUMMARY:Other").replace("LOCATION:Room\r\n", "")
    got = c.changed(number, got, new)
    assert posts(c.exchange, mark) == ["Sync", "ItemOperations"]
    item = c.one()
    assert (item["subject"], item["location"], item["categories"], item["reminder"]) == ("Other", "", ["A", "B"], 15)
    assert "LOCATION" not in got
    mark = c.exchange.mark()
    assert c.d.write("eremove", c.folder, "calendar", number)["err"] == "none"
    assert posts(c.exchange, mark) == ["Sync"] and c.items() == []
    assert len(c.exchange.items("deleteditems")) == 1
    assert c.d.write("eremove", c.folder, "calendar", number)["err"] == "not-found"
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_whole_days(calendar, version):
    c = calendar(version)
    number, got = c.made(event("DTSTART;VALUE=DATE:20260329\nDTEND;VALUE=DATE:20260331\nSUMMARY:Days\n"))
    item = c.one()
    assert item["all_day"] and (item["start"], item["end"]) == ("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z")
    assert "DTSTART;VALUE=DATE:20260329" in got and "DTEND;VALUE=DATE:20260331" in got
    got = c.changed(number, got, event(TALK))
    assert not c.one()["all_day"] and "DTSTART;TZID=Europe/Berlin:20260105T090000" in got
    c.changed(number, got, event("DTSTART;VALUE=DATE:20260110\nDTEND;VALUE=DATE:20260111\nSUMMARY:Day\n"))
    assert c.one()["all_day"] and c.one()["start"] == "2026-01-09T23:00:00Z"
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_what_cannot_be_held_is_refused_and_nothing_sent(calendar, version):
    c = calendar(version)
    mark = c.exchange.mark()
    got = c.put(event("DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=Asia/Tokyo:20260105T180000\n"))
    assert got["err"] == "unsupported" and "another" in got["text"]
    assert posts(c.exchange, mark) == [] and c.items() == []


def test_attachments(calendar):
    c = calendar("16.1")
    number, got = c.made(event(TALK + "ATTACH;FILENAME=a.txt;VALUE=BINARY;ENCODING=BASE64:aGVsbG8=\n"))
    (attachment,) = c.one()["attachments"]
    assert attachment["name"] == "a.txt" and "FILENAME=a.txt" in got
    reference = got.split('MANAGED-ID="')[1].split('"')[0]
    assert c.d.write("eattachment", reference)["content"] == "hello"
    assert c.d.write("eattachment", reference + "0")["err"] == "not-found"
    c.changed(number, got, event(TALK))
    assert c.one()["attachments"] == []
    quiet(c.exchange)


# --- series -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ALL)
def test_a_series_with_exceptions(calendar, version):
    """16.x: k exceptions, k + 2 requests; before, three whatever their number."""
    c = calendar(version)
    mark = c.exchange.mark()
    number, got = c.made(event(DAILY + off(7, 8), moved(6), moved(9, 10, "SUMMARY:Other\n")))
    sent = posts(c.exchange, mark)
    assert sent == ["Sync"] * (5 if version in NEW else 2) + ["ItemOperations"]
    item = c.one()
    assert item["deleted"] == ["2026-01-07", "2026-01-08"] and sorted(item["exceptions"]) == ["2026-01-06", "2026-01-09"]
    assert item["exceptions"]["2026-01-06"]["start"] == "2026-01-06T10:00:00Z"
    assert item["exceptions"]["2026-01-09"]["subject"] == "Other" and item["exceptions"]["2026-01-06"]["subject"] == "Talk"
    assert got.count("RECURRENCE-ID") == 2 and got.count("EXDATE") >= 1
    # one more, one changed: nothing else is sent in 16.x
    mark = c.exchange.mark()
    got = c.changed(number, got, event(DAILY + off(7, 8, 10), moved(6, 12), moved(9, 10, "SUMMARY:Other\n")))
    assert posts(c.exchange, mark) == ["Sync"] * (2 if version in NEW else 1) + ["ItemOperations"]
    item = c.one()
    assert item["deleted"] == ["2026-01-07", "2026-01-08", "2026-01-10"]
    assert item["exceptions"]["2026-01-06"]["start"] == "2026-01-06T11:00:00Z"
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_exceptions_are_taken_back(calendar, version):
    """A deleted occurrence comes back, a changed one is as the rule says; the others stay."""
    c = calendar(version)
    number, got = c.made(event(DAILY + off(7, 8), moved(6), moved(9)))
    mark = c.exchange.mark()
    got = c.changed(number, got, event(DAILY + off(8), moved(9)))
    assert len(posts(c.exchange, mark)) <= 2 + 3
    item = c.one()
    assert item["deleted"] == ["2026-01-08"] and sorted(item["exceptions"]) == ["2026-01-09"]
    assert item["recurrence"]["interval"] == 1 and got.count("RECURRENCE-ID") == 1
    got = c.changed(number, got, event(DAILY))
    item = c.one()
    assert item["deleted"] == [] and item["exceptions"] == {}
    quiet(c.exchange)


# how often the guests hear of it
BACK = {"FREQ=DAILY": 1, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR": 1, "FREQ=WEEKLY;INTERVAL=2": 1, "FREQ=MONTHLY": 1,
        "FREQ=YEARLY;COUNT=9": 1, "FREQ=DAILY;INTERVAL=2": 2}


def test_guests_hear_once_that_an_occurrence_is_back(calendar):
    """16.x: the same rule in other words makes the server forget that it was deleted; again and again. Of a rule without other
    words the guests hear twice."""
    c = calendar("16.1")
    for n, (rule, mails) in enumerate(BACK.items()):
        series = TALK + GUESTS + f"RRULE:{rule}\n"
        number, got = c.made(event(series, uid=f"u{n}"))
        num = int(number.split(":")[1])
        second = c.exchange.occurrences("2026-01-05T00:00:00Z", "2028-01-01T00:00:00Z", num=num)[1]["start"]
        gone = f"EXDATE:{second.replace('-', '').replace(':', '')}\n"
        for _ in range(2):
            got = c.changed(number, got, event(series + gone, uid=f"u{n}"))
            assert len(c.items()[n]["deleted"]) == 1 and "EXDATE" in got
            before = len(c.exchange.submissions())
            got = c.changed(number, got, event(series, uid=f"u{n}"))
            assert c.items()[n]["deleted"] == [] and "EXDATE" not in got, rule
            sent = [s["meeting"]["method"] for s in c.exchange.submissions()[before:]]
            assert sent == ["REQUEST"] * mails, rule
    quiet(c.exchange)


@pytest.mark.parametrize("option", ["refused", "kept"])
def test_a_server_that_lets_nothing_be_taken_away(calendar, option):
    """16.x: what stays is no success, whether the server says so or not."""
    full = TALK + GUESTS + "CATEGORIES:Red\n"
    c = calendar("16.1")
    c.exchange.options(eas_empty=option)
    number, got = c.made(event(full))
    for what in ("SUMMARY", "CATEGORIES", "ATTENDEE"):
        without = "".join(line + "\n" for line in full.splitlines() if not line.startswith(what))
        answer = c.put(event(without), number, got)
        assert answer["err"] == "unsupported" and "taken away" in answer["text"], answer
        item = c.one()
        assert item["subject"] == "Talk" and item["categories"] == ["Red"] and len(item["attendees"]) == 1
        c.page()
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_a_series_moves_with_its_exceptions(calendar, version):
    """The server forgets exceptions when times or rule of a series change: they are told again."""
    c = calendar(version)
    number, got = c.made(event(DAILY + off(7), moved(6)))
    c.changed(number, got, event(DAILY.replace("COUNT=10", "COUNT=8") + off(7), moved(6)))
    item = c.one()
    assert item["deleted"] == ["2026-01-07"] and list(item["exceptions"]) == ["2026-01-06"] and item["recurrence"]["count"] == 8
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_a_new_series_that_is_refused_by_half_does_not_stay(calendar, version):
    """An occurrence that the server does not take: the item is taken back, and the client hears the reason."""
    c = calendar(version)
    c.exchange.fault(op="Sync", do="eas_status", eas="item", code=6, after=1)
    got = c.put(event(DAILY, moved(6)))
    assert got["err"] == "invalid", got
    assert c.items() == []
    quiet(c.exchange)


# --- tasks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_tasks(calendar, version):
    c = calendar(version, "tasks")
    mark = c.exchange.mark()
    number, got = c.made(task("SUMMARY:Do\nDTSTART;VALUE=DATE:20260105\nDUE;VALUE=DATE:20260110\nPRIORITY:1\nDESCRIPTION:x\n"))
    assert posts(c.exchange, mark) == ["Sync", "ItemOperations"]
    item = c.one()
    assert (item["subject"], item["start"], item["due"], item["importance"]) == ("Do", "2026-01-05", "2026-01-10", "High")
    assert "DUE;VALUE=DATE:20260110" in got and "PRIORITY:1" in got
    got = c.changed(number, got, task("SUMMARY:Done\nSTATUS:COMPLETED\nCOMPLETED:20260109T120000Z\nPERCENT-COMPLETE:100\n"))
    item = c.one()
    assert (item["subject"], item["status"], item["due"], item["start"]) == ("Done", "Completed", None, None)
    assert "STATUS:COMPLETED" in got
    assert c.d.write("eremove", c.folder, "tasks", number)["err"] == "none" and c.items() == []
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_a_task_that_recurs(calendar, version):
    c = calendar(version, "tasks")
    _, got = c.made(task("SUMMARY:Do\nDUE;VALUE=DATE:20260105\nDTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3\n"))
    assert c.one()["recurrence"]["count"] == 3 and "RRULE:FREQ=WEEKLY" in got
    quiet(c.exchange)


# --- conflicts, and what others do ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_a_conflict(calendar, version):
    """The server's change wins, and comes with the next page; then the client's can be made."""
    c = calendar(version)
    number, got = c.made(event(TALK))
    c.exchange.event("update", num=int(number.split(":")[1]), event={"subject": "Theirs"})
    assert c.put(event(TALK + "LOCATION:Mine\n"), number, got)["err"] == "conflict"
    assert c.one()["subject"] == "Theirs" and c.one()["location"] == ""
    got = c.page()[number]
    assert "SUMMARY:Theirs" in got
    c.changed(number, got, got.replace("SUMMARY:Theirs", "SUMMARY:Mine"))
    assert c.one()["subject"] == "Mine"
    c.exchange.event("delete", num=int(number.split(":")[1]))
    assert c.put(event(TALK), number, got)["err"] == "conflict"
    assert c.page() == {number: None}
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_changes_of_others_reach_the_core(calendar, version):
    """They stay due when a change of ours has gone out meanwhile."""
    c = calendar(version)
    number, got = c.made(event(TALK))
    c.exchange.event("create", event={"subject": "New", "start": "2026-02-01T10:00:00Z", "end": "2026-02-01T11:00:00Z"})
    c.changed(number, got, event(TALK + "LOCATION:Mine\n"))
    assert [t for t in c.page().values() if "SUMMARY:New" in t]
    assert c.page() == {}


# --- answers are lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["14.1", "16.1"])
@pytest.mark.parametrize("fault", ["lose", "reset_before"])
@pytest.mark.parametrize("what", ["add", "change", "occurrence", "remove"])
def test_one_answer_is_lost(calendar, version, fault, what):
    """The same bytes again: nothing is done twice."""
    c = calendar(version)
    if what != "add":
        number, got = c.made(event(DAILY))
    c.exchange.fault(op="Sync", do=fault)
    mark = c.exchange.mark()
    if what == "add":
        assert c.put(event(TALK))["err"] == "none"
    elif what == "change":
        c.changed(number, got, event(DAILY.replace("Talk", "Other")))
    elif what == "occurrence":
        c.changed(number, got, event(DAILY + off(7)))
    else:
        assert c.d.write("eremove", c.folder, "calendar", number)["err"] == "none"
    digests = [e["detail"]["digest"] for e in c.exchange.log(mark, protocol="eas", op="Sync")]
    assert len(digests) == 2 and len(set(digests)) == 1
    assert len(c.items()) == (0 if what == "remove" else 1)
    if what == "occurrence":
        assert c.one()["deleted"] == ["2026-01-07"]
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
@pytest.mark.parametrize("heard", ["by the next put", "by a page"])
@pytest.mark.parametrize("fault", ["lose", "reset_before"])
def test_the_outcome_of_an_add_stays_unknown(calendar, driver, version, heard, fault):
    """All attempts fail, the program ends; the client comes again with the same evidence. There is one item."""
    c = calendar(version)
    c.exchange.fault(op="Sync", do=fault, times=20)
    assert c.put(event(DAILY), "-", None, "token")["err"] == "offline"
    c.d.kill()
    c.exchange.faults() and c.exchange.call("DELETE", "faults")
    c.d = driver(c.exchange)
    known = c.page() if heard == "by a page" else {}
    assert len(known) == (1 if heard == "by a page" else 0)
    got = c.put(event(DAILY + off(7)), "-", None, "token", "retry")
    assert got["err"] == "none", got
    assert got["id"].endswith(f":{c.one()['num']}") and (not known or list(known) == [got["id"]])
    # What the attempt before has made is told, and left alone (backend.h): then it is a change like any other.
    assert c.one()["deleted"] == []
    c.changed(got["id"], got["text"], event(DAILY + off(7)))
    assert c.one()["deleted"] == ["2026-01-07"]
    c.page()
    assert c.page() == {}
    quiet(c.exchange)


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_what_was_done_is_told_when_nobody_heard(calendar, driver, version):
    """The core dies before it has written down what the put did."""
    c = calendar(version)
    number, got = c.made(event(TALK))
    c.page()
    c.changed(number, got, event(TALK + "LOCATION:Room\n"))
    c.d.kill()
    c.d = driver(c.exchange)
    assert "LOCATION:Room" in c.page()[number]
    c.d.write("eremove", c.folder, "calendar", number)
    c.d.kill()
    c.d = driver(c.exchange)
    assert c.page() == {number: None}
    quiet(c.exchange)


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status,err", [(6, "invalid"), (9, "quota"), (4, "invalid")])
def test_refusals(calendar, status, err):
    c = calendar()
    c.exchange.fault(op="Sync", do="eas_status", eas="item", code=status)
    assert c.put(event(TALK))["err"] == err
    assert c.items() == [] and c.page() == {}


@pytest.mark.parametrize("status", [5, 16])
def test_the_server_asks_for_patience(calendar, status):
    c = calendar()
    c.exchange.fault(op="Sync", do="eas_status", eas="item", code=status, times=2)
    c.made(event(TALK))
    assert len(c.items()) == 1
    quiet(c.exchange)


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_a_meeting(calendar, version):
    """From 16.0 on the server invites; before, it is left to the core."""
    c = calendar(version)
    number, got = c.made(event(TALK + GUESTS))
    assert [a["email"] for a in c.one()["attendees"]] == ["bob@example.com"] and c.one()["state"] & 1
    assert len(c.exchange.submissions()) == (version in NEW)
    c.exchange.event("attendee", num=int(number.split(":")[1]), email="bob@example.com", response="Accept")
    got = c.page()[number]
    assert "PARTSTAT=ACCEPTED" in got
    c.changed(number, got, got.replace("SUMMARY:Talk", "SUMMARY:Other"))
    assert [a["response"] for a in c.one()["attendees"]] == ["Accept"]
    quiet(c.exchange)


def test_guests_that_the_client_invites_itself(calendar):
    """16.x cannot be told to be silent."""
    c = calendar("16.1")
    got = c.put(event(TALK + GUESTS), "-", None, "e", "quiet")
    assert got["err"] == "unsupported" and c.items() == []


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_busy_times(calendar, version):
    c = calendar(version, "calendar", "--user", "alice@example.com:secret", "--user", "bob@example.com:secret")
    for begin, busy in ((8, "Busy"), (9, "OOF"), (12, "Tentative"), (15, "Free")):
        c.exchange.event("create", user="bob@example.com", event={"start": f"2026-01-05T{begin:02}:00:00Z", "busy": busy,
                                                                  "end": f"2026-01-05T{begin + 1:02}:00:00Z"})
    day = 1767571200
    got = c.d.write("ebusy", str(day + 600), str(day + 86400 * 50), "bob@example.com", "nobody@example.com")
    if version == "12.1":
        assert got["err"] == "unsupported"
        return
    bob, nobody = got["list"]
    assert bob["spans"] == [[day + 8 * 3600, day + 9 * 3600, 2], [day + 9 * 3600, day + 10 * 3600, 3],
                            [day + 12 * 3600, day + 13 * 3600, 1]]
    assert nobody["err"] == "not-found" and nobody["spans"] == []
    quiet(c.exchange)
