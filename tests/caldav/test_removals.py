# SPDX-License-Identifier: Apache-2.0
"""What a client leaves out is taken away: from the server's item, and from what every client reads. Row by row, over EWS and over
each family of ActiveSync: up to 14.1 a Change takes away what it leaves out, from 16.0 on by an empty element (MS-ASCAL 3.1.5.3, 6)."""
import pytest

import kinds
from davtest import event, prop, todo
from fields import fields

KINDS = (kinds.EWS, kinds.EAS_16, kinds.EAS_14, kinds.EAS_12)
ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM")
GUEST = ("ORGANIZER:mailto:work@bridge.test", "ATTENDEE;CN=Bob:mailto:bob@example.com")
WEEKLY = ("RRULE:FREQ=WEEKLY;COUNT=4",)
OFF = (*WEEKLY, "EXDATE;TZID=Europe/Berlin:20261208T100000")
MOVED = ("END:VEVENT", "BEGIN:VEVENT", "UID:{uid}", "DTSTAMP:20261101T000000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000",
         "DTSTART;TZID=Europe/Berlin:20261208T140000", "DTEND;TZID=Europe/Berlin:20261208T150000", "SUMMARY:Meeting")
# what it is: (with, without, what the server's item says then and there, what of a client's view tells of it)
ROWS = {
    "location": (("LOCATION:Room",), (), "location", ("Room", ""), "LOCATION"),
    "description": (("DESCRIPTION:Words",), (), "body", ("Words", ""), "DESCRIPTION"),
    "categories": (("CATEGORIES:Red,Blue",), (), "categories", (["Red", "Blue"], []), "CATEGORIES"),
    "reminder": (ALARM, (), "reminder", (15, None), "TRIGGER"),
    "class": (("CLASS:PRIVATE",), (), "sensitivity", ("Private", "Normal"), "CLASS"),
    "guests": (GUEST, (), "attendees", (["bob@example.com"], []), "ATTENDEE"),
    "rule": (WEEKLY, (), "starts", (4, 1), "RRULE"),
    "rule and exceptions": (OFF, (), "starts", (3, 1), "EXDATE"),
    "deleted occurrence": (OFF, WEEKLY, "deleted", (["2026-12-08"], []), "EXDATE"),
    "changed occurrence": (WEEKLY + MOVED, WEEKLY, "exceptions", (["2026-12-08"], []), "RECURRENCE-ID"),
}


@pytest.fixture(scope="session", params=KINDS, ids=str)
def kind(request):
    return request.param


def starts(item):
    """How often the event happens."""
    if item["recurrence"] is None:
        return 1
    return item["recurrence"]["count"] - len(item["deleted"])


def said(item, name):
    """What the server's item says of it."""
    if name == "starts":
        return starts(item)
    if name == "body":
        return item["body"]["text"].strip()
    if name == "attendees":
        return [a["email"] for a in item["attendees"]]
    return sorted(item[name]) if name in ("exceptions", "deleted") else item[name]


def events(answer):
    """The object without its time zones, which have rules of their own."""
    text = answer.text()
    return text[text.index("BEGIN:VEVENT"):]


def the_one(exchange, before):
    """The item that was not there before."""
    item, = (e for e in exchange.events() if e["num"] not in before)
    return item


def lines_of(uid, lines):
    return [line.format(uid=uid) for line in lines]


@pytest.mark.parametrize("what", ROWS)
def test_what_is_left_out_is_gone(dav, exchange, kind, what):
    full, bare, name, (then, now), told = ROWS[what]
    uid = what.replace(" ", "-")
    path, before = f"{dav.calendar()}{uid}.ics", {e["num"] for e in exchange.events()}
    answer = dav.put(path, event(uid, *lines_of(uid, full)))
    assert answer.status == 201, answer.body
    assert said(the_one(exchange, before), name) == then
    assert prop(events(dav.get(path)), told) is not None
    answer = dav.put(path, event(uid, *lines_of(uid, bare)))
    assert answer.status == 204, answer.body
    assert said(the_one(exchange, before), name) == now
    text = events(dav.get(path))
    assert prop(text, told) is None and prop(text, "UID") == uid and prop(text, "SUMMARY") == "Meeting"


def test_the_subject(dav, exchange, kind):
    before = {e["num"] for e in exchange.events()}
    path = dav.calendar() + "subject.ics"
    assert dav.put(path, event("subject")).status == 201
    answer = dav.put(path, event("subject").replace("SUMMARY:Meeting\r\n", ""))
    assert answer.status == 204, answer.body
    assert the_one(exchange, before)["subject"] == ""
    assert prop(dav.get(path).text(), "SUMMARY") in (None, "")


OF_ONE = {"categories": ("CATEGORIES:Red", ["Red"], [], "categories"), "location": ("LOCATION:Room", "Room", "", "LOCATION"),
          "body": ("DESCRIPTION:Words", "Words", "", "DESCRIPTION"), "subject": ("SUMMARY:Other", "Other", "", "SUMMARY")}


@pytest.mark.parametrize("name", OF_ONE)
def test_what_one_occurrence_has_no_more(dav, exchange, kind, name):
    """Its series keeps it."""
    line, then, now, told = OF_ONE[name]
    uid, path, before = f"one-{name}", f"{dav.calendar()}one-{name}.ics", {e["num"] for e in exchange.events()}
    other = [] if name == "subject" else [line]
    override = [l.format(uid=uid) for l in MOVED]
    if name == "subject":
        override[-1] = line
    series = event(uid, *WEEKLY, *other, *override, *other)

    def of_server():
        own = the_one(exchange, before)["exceptions"]["2026-12-08"]
        return own["body"]["text"].strip() if name == "body" else own[name]

    assert dav.put(path, series).status == 201
    assert of_server() == then
    head, mark, tail = series.partition("RECURRENCE-ID")
    answer = dav.put(path, head + mark + tail.replace(line + "\r\n", ""))
    assert answer.status == 204, answer.body
    assert of_server() == now
    got = fields(dav.get(path).text())
    assert told not in got["changed"][0] and (name == "subject" or told in got)


TASK = {"categories": ("CATEGORIES:Red", "categories"), "due": ("DUE;VALUE=DATE:20261210", "DUE"), "body": ("DESCRIPTION:Words", "DESCRIPTION")}


@pytest.mark.parametrize("name", TASK)
def test_tasks(dav, exchange, kind, name):
    line, told = TASK[name]
    path, before = f"{dav.calendars()['Tasks']}{name}.ics", {e["num"] for e in exchange.events("tasks")}
    assert dav.put(path, todo(f"t-{name}", line)).status == 201
    answer = dav.put(path, todo(f"t-{name}"))
    assert answer.status == 204, answer.body
    item, = (e for e in exchange.events("tasks") if e["num"] not in before)
    assert not (item["body"]["text"].strip() if name == "body" else item[name])
    assert prop(dav.get(path).text(), told.upper()) is None
