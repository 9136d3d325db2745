# SPDX-License-Identifier: Apache-2.0
"""Calendars over EAS in all versions: what clients see, what they may write, and what both protocols make of it."""
import base64
import threading

import pytest

import cal_zones
from eas_cal_kit import (  # noqa: F401
    BERLIN,
    NEW,
    OLD,
    Cal,
    daily,
    empty,
    event,
    exchange,
    fresh,
    plain,
    running,
    times,
)
from wbxml import E

VERSIONS = ["12.1", "14.0", "14.1", "16.0", "16.1"]


def body(text, kind=1):
    return E("AirSyncBase:Body", E("Type", kind), E("Data", text))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_in_each_version(empty, fresh, version):
    cal = Cal(fresh(version))
    place = (
        E("AirSyncBase:Location", E("DisplayName", "Room 1")) if version >= "16" else E("Calendar:Location", "Room 1")
    )
    number, status, answer = cal.add(
        *event(
            E("Calendar:Reminder", 30),
            E("Calendar:BusyStatus", 3),
            E("Calendar:Sensitivity", 2),
            E("Calendar:Categories", E("Category", "Blue"), E("Category", "Später")),
            place,
            body("Bring tea\n"),
            version=version,
        )
    )
    assert status == "1"
    found = empty.events()[0]
    wanted = {
        "subject": "Talk",
        "start": "2026-01-05T08:00:00Z",
        "end": "2026-01-05T09:00:00Z",
        "zone": "W. Europe Standard Time",
        "reminder": 30,
        "busy": "OOF",
        "sensitivity": "Private",
        "categories": ["Blue", "Später"],
        "location": "Room 1",
    }
    assert {name: found[name] for name in wanted} == wanted
    assert (found["uid"] == "u1") == (version < "16")
    if version >= "16":
        assert answer.value("ApplicationData/Calendar:UID") == found["uid"] and found["client_uid"] == "u1"
    other = Cal(fresh(version)).pull()
    data = other[number]
    assert data.value("Calendar:UID") == found["uid"]
    assert cal_zones.from_blob(base64.b64decode(data.value("Calendar:Timezone")), 2026).id == wanted["zone"]
    assert data.value("AirSyncBase:Body/Data") == "Bring tea\n"
    assert data.has("Calendar:ResponseType") == (version >= "14")
    assert data.value("AirSyncBase:Location/DisplayName" if version >= "16" else "Calendar:Location") == "Room 1"
    assert cal.pull() == {}  # one's own is not told


def test_a_change_over_ews_is_seen(empty, fresh):
    cal = Cal(fresh(NEW))
    number, _, _ = cal.add(*event(version=NEW))
    empty.event("update", num=empty.events()[0]["num"], event={"subject": "Other"})
    assert cal.pull()[number].value("Calendar:Subject") == "Other"
    empty.event("delete", num=empty.events()[0]["num"])
    assert cal.pull() == {}


INVALID = {
    "end before start": (OLD, {"end": "20260105T070000Z"}, []),
    "before all time": (OLD, {"start": "00010101T000000Z"}, []),
    "no compact time": (OLD, {"start": "2026-01-05T08:00:00.000Z"}, []),
    "a zone that is none": (OLD, {"zone": base64.b64encode(b"x" * 171).decode()}, []),
    "busy beyond": (OLD, {}, [E("Calendar:BusyStatus", 7)]),
    "working elsewhere": (NEW, {}, [E("Calendar:BusyStatus", 4)]),
    "no reminder in 14.0": ("14.0", {}, [E("Calendar:Reminder")]),
    "an attachment without a name": (
        "16.0",
        {},
        [E("AirSyncBase:Attachments", E("Add", E("ClientId", "1"), E("Content", b"x")))],
    ),
    "a weekly pattern without days": (OLD, {}, [E("Calendar:Recurrence", E("Type", 1), E("Interval", 1))]),
    "a day of the month in a week": (
        OLD,
        {},
        [E("Calendar:Recurrence", E("Type", 1), E("DayOfWeek", 2), E("DayOfMonth", 3))],
    ),
    "a type that is none": (OLD, {}, [E("Calendar:Recurrence", E("Type", 4))]),
    "too many": (OLD, {}, [daily(1000)]),
    "uid in 16": (NEW, {}, [E("Calendar:UID", "x")]),
    "stamp in 16": (NEW, {}, [E("Calendar:DtStamp", "20260101T000000Z")]),
    "organizer in 16": (NEW, {}, [E("Calendar:OrganizerEmail", "a@b")]),
    "exceptions in 16": (NEW, {}, [daily(), E("Calendar:Exceptions", E("Exception", E("Deleted", 1)))]),
    "attendee status in 16": (
        NEW,
        {},
        [E("Calendar:Attendees", E("Attendee", E("Email", "b@c"), E("Name", "B"), E("AttendeeStatus", 3)))],
    ),
    "a rule without a type in 16": (NEW, {}, [E("Calendar:Recurrence")]),
    "zone of a day in 16": (NEW, {"start": "20260105T000000Z"}, [E("Calendar:AllDayEvent", 1)]),
    "a day that begins at eight in 16": (NEW, {"zone": None}, [E("Calendar:AllDayEvent", 1)]),
}


@pytest.mark.parametrize("what", INVALID)
def test_status_6(empty, fresh, what):
    version, how, more = INVALID[what]
    cal = Cal(fresh(version))
    assert cal.add(*event(*more, version=version, **how))[1] == "6"
    assert empty.events() == []


def test_tags_of_other_versions(empty, fresh):
    cal = Cal(fresh(NEW))
    with pytest.raises(Exception, match="103|Status 4"):
        cal.add(*event(E("Calendar:Location", "x"), version=NEW))


def test_all_day(empty, fresh):
    cal = Cal(fresh(NEW))
    day = {"start": "20260105T000000Z", "end": "20260107T000000Z", "zone": None, "version": NEW}
    number, status, _ = cal.add(*event(E("Calendar:AllDayEvent", 1), **day))
    assert status == "1"
    found = empty.events()[0]
    assert (found["start"], found["end"]) == ("2026-01-04T23:00:00Z", "2026-01-06T23:00:00Z")
    data = Cal(fresh(NEW)).pull()[number]
    assert (data.value("Calendar:StartTime"), data.value("Calendar:EndTime")) == (
        "20260105T000000Z",
        "20260107T000000Z",
    )
    assert not data.has("Calendar:Timezone")
    data = Cal(fresh(OLD)).pull()[number]
    assert data.value("Calendar:StartTime") == "20260104T230000Z" and data.has("Calendar:Timezone")


def test_a_day_of_an_old_client(empty, fresh):
    """Midnight in UTC and a zone of nothing but zeros: a day wherever one looks."""
    cal = Cal(fresh(OLD))
    zeros = base64.b64encode(bytes(172)).decode()
    fields = event(E("Calendar:AllDayEvent", 1), start="20260105T000000Z", end="20260106T000000Z", zone=zeros)
    number, _, _ = cal.add(*fields)
    data = Cal(fresh(NEW)).pull()[number]
    assert (data.value("Calendar:StartTime"), data.value("Calendar:EndTime")) == (
        "20260105T000000Z",
        "20260106T000000Z",
    )


# ---- series ----


PATTERNS = {
    "daily": [E("Type", 0), E("Interval", 2)],
    "weekly": [E("Type", 1), E("Interval", 2), E("DayOfWeek", 34)],
    "weekdays": [E("Type", 0), E("Interval", 1), E("DayOfWeek", 62)],
    "monthly": [E("Type", 2), E("Interval", 1), E("DayOfMonth", 31)],
    "last weekday": [E("Type", 3), E("Interval", 1), E("WeekOfMonth", 5), E("DayOfWeek", 62)],
    "yearly": [E("Type", 5), E("Interval", 1), E("DayOfMonth", 29), E("MonthOfYear", 2)],
    "thanksgiving": [E("Type", 6), E("Interval", 1), E("WeekOfMonth", 4), E("DayOfWeek", 16), E("MonthOfYear", 11)],
}


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("version", [OLD, NEW])
def test_patterns(empty, fresh, name, version):
    cal = Cal(fresh(version))
    until = E("Until", "20291231T080000Z")
    number, status, _ = cal.add(*event(E("Calendar:Recurrence", *PATTERNS[name], until), version=version))
    assert status == "1"
    window = "2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
    assert empty.occurrences(*window) == empty.occurrences(*window, by="server") != []
    shown = plain(Cal(fresh(version)).pull()[number].get("Calendar:Recurrence"))
    sent = {e.tag: e.text for e in E("Calendar:Recurrence", *PATTERNS[name]).elements}
    sent["Type"] = "1" if name == "weekdays" else sent["Type"]
    assert {k: v for k, v in shown.items() if k in sent} == sent
    assert shown["Until"][:8] == "20291231"


@pytest.fixture
def old(empty, fresh):
    """A series of five days made by a 14.1 client: (its folder, its ServerId)."""
    cal = Cal(fresh(OLD))
    number, status, _ = cal.add(*event(daily()))
    assert status == "1"
    return cal, number


@pytest.fixture
def new(empty, fresh):
    cal = Cal(fresh(NEW))
    number, status, _ = cal.add(*event(daily(), version=NEW))
    assert status == "1"
    return cal, number


def exception(start, *fields):
    return E("Exception", E("ExceptionStartTime", start), *fields)


def test_exceptions_inside(old, empty, fresh):
    cal, number = old
    moved = exception(
        "20260107T080000Z", *times("20260107T120000Z", "20260107T130000Z"), E("Calendar:Subject", "Later")
    )
    gone = exception("20260108T080000Z", E("Deleted", 1))
    whole = event(daily(), E("Calendar:Exceptions", moved, gone))
    assert cal.change(number, *whole) == "1"
    found = empty.events()[0]
    assert found["exceptions"]["2026-01-07"]["subject"] == "Later" and found["deleted"] == ["2026-01-08"]
    assert cal.change(number, *event(daily(), subject="Renamed")) == "1"  # exceptions not said: they stay
    assert empty.events()[0]["exceptions"] and empty.events()[0]["deleted"] == ["2026-01-08"]
    data = Cal(fresh(OLD)).pull()[number]
    inner = {plain(e)["ExceptionStartTime"]: plain(e) for e in data.get("Calendar:Exceptions").elements}
    assert inner["20260108T080000Z"] == {"Deleted": "1", "ExceptionStartTime": "20260108T080000Z"}
    later = inner["20260107T080000Z"]
    assert (later["StartTime"], later["Subject"]) == ("20260107T120000Z", "Later") and "BusyStatus" not in later
    data = Cal(fresh(NEW)).pull()[number]
    assert {e.value("AirSyncBase:InstanceId") for e in data.get("Calendar:Exceptions").elements} == set(inner)


def test_exceptions_that_are_refused(old, empty):
    cal, number = old
    beyond = exception("20260107T080000Z", *times("20260109T120000Z", "20260109T130000Z"))
    nowhere = exception("20260107T090000Z", E("Deleted", 1))
    for bad in (beyond, nowhere):
        assert cal.change(number, *event(daily(), E("Calendar:Exceptions", bad))) == "6"
    assert empty.events()[0]["exceptions"] == {}


def test_another_pattern_drops_them(old, empty):
    cal, number = old
    cal.change(number, *event(daily(), E("Calendar:Exceptions", exception("20260108T080000Z", E("Deleted", 1)))))
    assert cal.change(number, *event(daily(4))) == "1"
    assert empty.events()[0]["deleted"] == []


def test_what_is_left_out(empty, fresh):
    """Up to 14.1 it is taken away, except what the client does not know; from 16.0 on it stays."""
    full = [E("Calendar:Reminder", 5), E("Calendar:Sensitivity", 1)]
    cal = Cal(fresh(OLD))
    number, _, _ = cal.add(*event(*full, E("Calendar:Location", "there"), body("text")))
    assert cal.change(number, *event()) == "1"
    found = empty.events()[0]
    assert (found["reminder"], found["sensitivity"], found["location"]) == (None, "Normal", "")
    assert found["body"]["text"] == "text"
    cal = Cal(fresh(OLD), supported=[E("Calendar:Sensitivity")])
    number, _, _ = cal.add(*event(*full, uid="u2"))
    assert cal.change(number, *event(uid="u2")) == "1"
    found = [e for e in empty.events() if e["uid"] == "u2"][0]
    assert (found["reminder"], found["sensitivity"]) == (5, "Normal")
    cal = Cal(fresh(NEW))
    number, _, _ = cal.add(*event(*full, version=NEW, uid="u3"))
    assert cal.change(number, E("Calendar:Subject", "only this")) == "1"
    found = [e for e in empty.events() if e["client_uid"] == "u3"][0]
    assert (found["reminder"], found["sensitivity"], found["subject"]) == (5, "Personal", "only this")
    assert cal.change(number, E("Calendar:Reminder"), E("AirSyncBase:Location")) == "1"
    assert [e for e in empty.events() if e["client_uid"] == "u3"][0]["reminder"] is None


@pytest.mark.parametrize("option,code,left", [("taken", "1", False), ("refused", "6", True), ("kept", "1", True)])
def test_what_an_empty_element_takes_away(empty, fresh, option, code, left):
    """16.x: by the schema it is nothing; a server may see that otherwise."""
    cal = Cal(fresh(NEW))
    bob = E("Calendar:Attendees", E("Attendee", E("Email", "bob@example.com"), E("Name", "Bob")))
    red = E("Calendar:Categories", E("Category", "red"))
    number, _, _ = cal.add(*event(bob, red, daily(), version=NEW))
    empty.options(eas_empty=option)
    for name in ("Subject", "Categories", "Attendees"):
        assert cal.change(number, E("Calendar:" + name), instance="20260107T080000Z") == code
        assert cal.change(number, E("Calendar:" + name)) == code
    found = empty.events()[0]
    assert (bool(found["subject"]), bool(found["categories"]), bool(found["attendees"])) == (left, left, left)
    day = found["exceptions"].get("2026-01-07", found)
    assert (bool(day["subject"]), bool(day["categories"]), bool(day["attendees"])) == (left, left, left)


def test_attachments_of_one_occurrence(new, empty, fresh):
    cal, number = new
    new_file = E("AirSyncBase:Add", E("ClientId", "a"), E("Content", b"x"), E("DisplayName", "a.txt"), E("Method", 1))
    assert cal.change(number, E("AirSyncBase:Attachments", new_file), instance="20260107T080000Z") == "1"
    item = empty.events()[0]
    assert item["attachments"] == [] and [a["name"] for a in item["exceptions"]["2026-01-07"]["attachments"]] == ["a.txt"]
    data = Cal(fresh(NEW)).pull()[number]
    (exception,) = data.all("Calendar:Exceptions/Exception")
    reference = exception.value("AirSyncBase:Attachments/Attachment/FileReference")

    def delete(name, day):
        return cal.change(number, E("AirSyncBase:Attachments", E("AirSyncBase:Delete", E("FileReference", name))), instance=day)

    assert delete(reference, "20260108T080000Z") == delete(reference + "0", "20260107T080000Z") == "6"
    assert delete(reference, "20260107T080000Z") == "1"
    assert empty.events()[0]["exceptions"]["2026-01-07"]["attachments"] == []


def test_occurrences_by_instance(new, empty, fresh):
    cal, number = new
    fields = times("20260107T120000Z", "20260107T130000Z") + [E("Calendar:Subject", "Later")]
    assert cal.change(number, *fields, instance="20260107T080000Z") == "1"
    assert cal.delete(number, instance="20260108T080000Z") == "1"
    found = empty.events()[0]
    assert found["exceptions"]["2026-01-07"]["start"] == "2026-01-07T12:00:00Z" and found["deleted"] == ["2026-01-08"]
    assert cal.change(number, E("Calendar:Subject", "x"), instance="20260108T080000Z") == "6"  # it is gone
    assert cal.change(number, E("Calendar:Subject", "x"), instance="20260107T090000Z") == "6"  # never was
    assert cal.change(number, E("Calendar:Timezone", BERLIN), instance="20260107T080000Z") == "6"
    assert cal.change(number, *times("20260109T120000Z", "20260109T130000Z"), instance="20260107T080000Z") == "6"
    assert cal.change(number, daily(4)) == "1"
    assert empty.events()[0]["exceptions"] == {} and empty.events()[0]["deleted"] == []


def test_one_occurrence_in_a_request(new, empty):
    cal, number = new
    two = [
        E("AirSync:Delete", E("ServerId", number), E("AirSyncBase:InstanceId", f"2026010{day}T080000Z"))
        for day in (6, 7)
    ]
    answers = cal.send(*two).responses.elements
    assert [a.value("Status") for a in answers] == ["16"]
    assert answers[0].value("AirSyncBase:InstanceId") == "20260107T080000Z"
    assert empty.events()[0]["deleted"] == ["2026-01-06"]


def test_adds_are_not_doubled(empty, fresh):
    client = fresh(NEW)
    cal = Cal(client)
    key = client.keys[cal.id]
    first = cal.add(*event(version=NEW), client_id="same")
    client.keys[cal.id] = key  # the answer got lost
    assert cal.add(*event(version=NEW), client_id="same")[0] == first[0]
    assert cal.add(*event(version=NEW), client_id="other")[0] == first[0]  # the ClientUid tells
    assert len(empty.events()) == 1


def test_changes_are_not_made_twice(new, empty):
    cal, number = new
    key = cal.client.keys[cal.id]
    assert cal.delete(number, instance="20260106T080000Z") == "1"
    cal.client.keys[cal.id] = key
    assert cal.delete(number, instance="20260106T080000Z") == "1"
    assert empty.events()[0]["deleted"] == ["2026-01-06"]


def test_conflicts(new, empty):
    cal, number = new
    empty.event("update", num=empty.events()[0]["num"], event={"subject": "By others"})
    assert cal.change(number, E("Calendar:Subject", "Mine")) == "7"
    assert cal.pull()[number].value("Calendar:Subject") == "By others"
    assert cal.change(number, E("Calendar:Subject", "Mine")) == "1"
    assert cal.change("9:9", E("Calendar:Subject", "Mine")) == "8"


def test_the_window(empty, fresh):
    empty.call("POST", "clock", {"set": 1783000000})  # 2026-07-02
    cal = Cal(fresh(OLD))
    cal.add(*event(subject="over"))
    cal.add(*event(subject="soon", start="20260801T080000Z", end="20260801T090000Z", uid="u2"))
    cal.add(*event(E("Calendar:Recurrence", E("Type", 0), E("Interval", 1)), subject="for ever", uid="u3"))
    cal.add(*event(daily(), subject="was", uid="u4"))
    other = Cal(fresh(OLD))
    assert {d.value("Calendar:Subject") for d in other.pull(filter_type=4).values()} == {"soon", "for ever"}
    assert len(other.pull(filter_type=0)) == 4
    gone = other.client.sync(other.id, options=E("AirSync:Options", E("FilterType", 4)))
    assert len(gone.softdeletes) == 2
    empty.call("POST", "clock", {"set": 1767600000})


def test_ping_wakes(empty, fresh):
    cal = Cal(fresh(NEW))
    cal.pull()
    event_of = {"subject": "New", "start": "2026-01-05T09:00:00", "end": "2026-01-05T10:00:00"}
    timer = threading.Timer(0.3, lambda: empty.event("create", event=event_of))
    timer.start()
    assert cal.client.ping(60, [cal.id], "Calendar") == ("2", [cal.id])
    timer.join()


def test_fetch_and_estimate(old, fresh):
    _, number = old
    client = fresh(OLD)
    cal = Cal(client)
    assert client.estimate(cal.id) == 1
    fetch = E(
        "ItemOperations:ItemOperations",
        E("Fetch", E("Store", "Mailbox"), E("AirSync:CollectionId", cal.id), E("AirSync:ServerId", number)),
    )
    answer = client.command("ItemOperations", fetch).get("Response/Fetch")
    assert answer.value("Properties/Calendar:Subject") == "Talk" and answer.value("AirSync:Class") == "Calendar"
