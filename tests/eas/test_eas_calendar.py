# SPDX-License-Identifier: Apache-2.0
"""Calendars and task lists over EAS: pages, what they cost, what they bring, and what becomes of broken items."""
import base64
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "caldav"))

from fields import fields
from standin import Standin
from test_eas_faults import SYNC_TRANSIENT, TRANSIENT, name

VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")
BERLIN = "W. Europe Standard Time"
NOON = {"start": "2026-03-02T12:00:00", "end": "2026-03-02T13:00:00", "zone": BERLIN}
WEEKLY = {"kind": "weekly", "start": "2026-03-02", "days": ["Monday"], "count": 6}


SOME = [f for f in TRANSIENT if name(f) in ("lose", "reset_before", "cut-40", "status-500", "eas_status-111")]
SOME_SYNC = [f for f in SYNC_TRANSIENT if name(f) in ("eas_status-collection-5", "eas_status-collection-16", "wbxml_length", "bad_utf8")]


@pytest.fixture(scope="module")
def server():
    exchange = Standin("--corpus", "0")
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(server):
    """The same server with nothing in it."""
    server.reset()
    server.options(eas_stray_change=False, eas_policy={})
    for folder in ("calendar", "tasks"):
        if found := server.events(folder):
            server.change("delete", nums=[one["num"] for one in found])
    return server


def opened(exchange, driver, version="16.1", kind="calendar"):
    exchange.options(eas_versions=[version])
    d = driver(exchange)
    folder = d.folder(kind=kind)
    d.kind(kind)
    return d, folder


def subjects(items):
    return sorted(fields(i["ical"])["SUMMARY"] for i in items.values() if "ical" in i)


def counted(exchange, mark):
    """{command: how often}, of those that read."""
    counts = exchange.counts(mark, protocol="eas")
    return {op: counts["eas:" + op] for op in ("Sync", "ItemOperations") if "eas:" + op in counts}


def make(exchange, subject, **more):
    return exchange.event("create", event={"subject": subject, **NOON, **more})


@pytest.mark.parametrize("version", VERSIONS)
def test_200_events_cost_at_most_six_requests(exchange, driver, version):
    exchange.event("fill", count=120)
    for n in range(80):
        make(exchange, f"HTML {n}", body={"type": "HTML", "text": f"<p>No <b>{n}</b></p>"})
    d, calendar = opened(exchange, driver, version)
    mark = exchange.mark()
    items, last, _ = d.sync_all(calendar)
    assert len(items) == 200 and sum(counted(exchange, mark).values()) <= 6, exchange.counts(mark)
    assert len(subjects(items)) == 200
    html = [i["ical"] for i in items.values() if "SUMMARY:HTML 7\r\n" in i["ical"]]
    assert "DESCRIPTION" in html[0] and "<p>No <b>7</b></p>" in html[0].replace("\r\n ", "")
    mark = exchange.mark()
    assert d.sync(calendar, last["cursor"])["list"] == []
    assert counted(exchange, mark) == {"Sync": 1}
    assert exchange.violations() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_others_change(exchange, driver, version):
    talk = make(exchange, "Talk", uid="talk-1")
    series = make(exchange, "Series", recurrence=WEEKLY, uid="series-1")
    gone = make(exchange, "Gone")
    d, calendar = opened(exchange, driver, version)
    _, last, _ = d.sync_all(calendar)
    exchange.event("update", num=talk["num"], event={"subject": "Speech", "location": "Hall"})
    exchange.event("occurrence", num=series["num"], day="2026-03-09", event={"subject": "Other"})
    exchange.event("cancel_occurrence", num=series["num"], day="2026-03-16")
    exchange.event("delete", num=gone["num"])
    make(exchange, "New")
    page = d.sync(calendar, last["cursor"])
    assert page["err"] == "none"
    assert [i["id"].split(":")[-1] for i in page["list"] if i["gone"]] == [str(gone["num"])]
    told = {f["SUMMARY"]: f for f in (fields(i["ical"]) for i in page["list"] if not i["gone"])}
    assert set(told) == {"Speech", "Series", "New"} and told["Speech"]["LOCATION"] == "Hall"
    assert told["Speech"]["UID"] == "talk-1" and told["Series"]["UID"] == "series-1"
    assert told["Series"]["gone"] == ["2026-03-16T11:00Z"]
    assert [(c["of"], c["SUMMARY"]) for c in told["Series"]["changed"]] == [("2026-03-09T11:00Z", "Other")]
    assert d.sync(calendar, page["cursor"])["list"] == []


@pytest.mark.parametrize("version", ("12.1", "14.1", "16.1"))
def test_a_lost_sync_state(exchange, driver, version):
    for n in range(5):
        make(exchange, f"E{n}", uid=f"uid-{n}")
    d, calendar = opened(exchange, driver, version)
    before, last, _ = d.sync_all(calendar)
    exchange.invalidate(folder="calendar")
    assert d.sync(calendar, last["cursor"])["err"] == "stale"
    after, _, _ = d.sync_all(calendar)
    assert sorted(i["ical"] for i in after.values()) == sorted(i["ical"] for i in before.values())


@pytest.mark.parametrize("fault", SOME + SOME_SYNC, ids=name)
def test_pages_survive(exchange, driver, fault):
    d, calendar = opened(exchange, driver)
    _, last, _ = d.sync_all(calendar)
    for n in range(3):
        make(exchange, f"E{n}", body="text")
    exchange.fault(protocol="eas", op="Sync", **fault)
    page = d.sync(calendar, last["cursor"])
    assert page["err"] == "none", page
    assert sorted(fields(i["ical"])["SUMMARY"] for i in page["list"]) == ["E0", "E1", "E2"]
    assert d.sync(calendar, page["cursor"])["list"] == []


@pytest.mark.parametrize("fault", SOME, ids=name)
def test_fetching_survives(exchange, driver, fault):
    events = [make(exchange, f"E{n}", body={"type": "HTML", "text": f"<p>{n}</p>"}) for n in range(3)]
    d, calendar = opened(exchange, driver)
    exchange.fault(protocol="eas", op="ItemOperations", **fault)
    items, _, _ = d.sync_all(calendar)
    assert subjects(items) == ["E0", "E1", "E2"] and all("<p>" in i["ical"] for i in items.values())
    got = d.event_fetch(calendar, *items)
    assert all(got[number]["err"] == "none" and got[number]["ical"] == items[number]["ical"] for number in items)
    assert len(events) == 3


def test_again_by_id(exchange, driver):
    kept, gone = make(exchange, "Kept", recurrence=WEEKLY), make(exchange, "Gone")
    d, calendar = opened(exchange, driver)
    items, _, _ = d.sync_all(calendar)
    ids = {int(i.split(":")[-1]): i for i in items}
    exchange.event("delete", num=gone["num"])
    mark = exchange.mark()
    got = d.event_fetch(calendar, *items)
    assert counted(exchange, mark) == {"ItemOperations": 1}
    assert got[ids[kept["num"]]]["ical"] == items[ids[kept["num"]]]["ical"]
    assert got[ids[gone["num"]]]["err"] == "not-found"


def test_many_by_id(exchange, driver):
    exchange.event("fill", count=150)
    d, calendar = opened(exchange, driver)
    items, _, _ = d.sync_all(calendar)
    mark = exchange.mark()
    got = d.event_fetch(calendar, *items)
    assert {number: one["ical"] for number, one in got.items()} == {number: i["ical"] for number, i in items.items()}
    assert counted(exchange, mark) == {"ItemOperations": 2}


@pytest.mark.parametrize("code, err", (("3", "offline"), ("14", "protocol"), ("16", "denied"), ("6", "not-found")))
def test_one_that_cannot_be_had(exchange, driver, code, err):
    exchange.event("fill", count=5)
    d, calendar = opened(exchange, driver)
    items, _, _ = d.sync_all(calendar)
    exchange.fault(protocol="eas", op="ItemOperations", do="eas_status", code=int(code), eas="item", index=2, times=0)
    got = d.event_fetch(calendar, *items)
    assert [got[number]["err"] for number in items] == ["none", "none", err, "none", "none"]


def test_html_that_cannot_be_had(exchange, driver):
    make(exchange, "E", body={"type": "HTML", "text": "<p>what it is</p>"})
    d, calendar = opened(exchange, driver)
    exchange.fault(protocol="eas", op="ItemOperations", do="eas_status", code=14, eas="item", times=0)
    items, _, _ = d.sync_all(calendar)
    assert [fields(i["ical"])["DESCRIPTION"] for i in items.values()] == ["what it is"]


def test_a_change_of_what_nobody_knows(exchange, driver):
    """Half an item is no item: it is asked for, and not there."""
    d, calendar = opened(exchange, driver)
    _, last, _ = d.sync_all(calendar)
    make(exchange, "E")
    exchange.options(eas_stray_change=True)
    page = d.sync(calendar, last["cursor"])
    assert page["err"] == "none" and [fields(i["ical"])["SUMMARY"] for i in page["list"] if "ical" in i] == ["E"]
    assert all(i["gone"] for i in page["list"] if "ical" not in i)


def test_an_item_that_breaks_every_answer(exchange, driver):
    """It is found, and left out; what is before and behind it comes."""
    nums = [make(exchange, f"E{n}")["num"] for n in range(6)]
    d, calendar = opened(exchange, driver)
    exchange.event("update", num=nums[3], event={"subject": "E3 " + "x" * (1 << 20)})
    items, _, _ = d.sync_all(calendar)
    assert subjects(items) == ["E0", "E1", "E2", "E4", "E5"]
    exchange.event("update", num=nums[3], event={"subject": "E3"})
    items, last, _ = d.sync_all(calendar)
    assert subjects(items) == [f"E{n}" for n in range(6)]


def test_one_that_fails_for_ever_does_not_stop_the_others(exchange, driver):
    """What the page does not hold cannot be fetched: after some tries the page comes without it."""
    d, calendar = opened(exchange, driver)
    _, last, _ = d.sync_all(calendar)
    make(exchange, "E")
    exchange.options(eas_stray_change=True)
    exchange.fault(protocol="eas", op="ItemOperations", do="eas_status", code=3, eas="item", times=0)
    answers = [d.sync(calendar, last["cursor"]) for _ in range(4)]
    assert [a["err"] for a in answers] == ["offline"] * 3 + ["none"]
    assert sorted((i["unread"], fields(i["ical"])["SUMMARY"] if "ical" in i else "") for i in answers[-1]["list"]) == [(False, "E"), (True, "")]


@pytest.mark.parametrize("version", VERSIONS)
def test_tasks(exchange, driver, version):
    exchange.event("create", folder="tasks", event={
        "subject": "Pay", "body": "the rent", "due": "2026-03-10", "start": "2026-03-09", "importance": "High",
        "categories": ["Home"], "reminder": "2026-03-09T08:00:00Z"})
    exchange.event("create", folder="tasks", event={
        "subject": "Often", "start": "2026-03-02", "due": "2026-03-02",
        "recurrence": {"kind": "weekly", "start": "2026-03-02", "days": ["Monday"], "interval": 2, "count": 5}})
    exchange.event("create", folder="tasks", event={
        "subject": "Done", "status": "Completed", "completed": "2026-03-01T10:00:00Z"})
    d, tasks = opened(exchange, driver, version, "tasks")
    items, last, _ = d.sync_all(tasks)
    told = {f["SUMMARY"]: f for f in (fields(i["ical"]) for i in items.values())}
    assert told["Pay"] | {"UID": ""} == {
        "SUMMARY": "Pay", "DESCRIPTION": "the rent", "start": "2026-03-09", "due": "2026-03-10", "PRIORITY": "1",
        "categories": ["Home"], "alarms": ["20260309T080000Z"], "UID": ""}
    assert set(told["Often"]["RRULE"].split(";")) >= {"FREQ=WEEKLY", "INTERVAL=2", "BYDAY=MO", "COUNT=5"}
    assert told["Done"]["STATUS"] == "COMPLETED"
    num = exchange.events("tasks")[0]["num"]
    exchange.event("delete", num=num)
    page = d.sync(tasks, last["cursor"])
    assert [i["gone"] for i in page["list"]] == [True]
    assert exchange.violations() == []


def test_attachments_are_named_from_16_0_on(exchange, driver):
    make(exchange, "E", attachments=[{"name": "a.txt", "type": "text/plain", "data_b64": base64.b64encode(b"hello").decode()}])
    d, calendar = opened(exchange, driver, "16.1")
    items, _, _ = d.sync_all(calendar)
    text = next(iter(items.values()))["ical"].replace("\r\n ", "")
    assert "ATTACH" in text and "a.txt" in text


def test_the_policys_age_filter_is_obeyed(exchange, driver):
    """Of a series its last occurrence counts; tasks have no age."""
    make(exchange, "Old", start="2025-01-01T12:00:00", end="2025-01-01T13:00:00")
    make(exchange, "Series", start="2025-01-06T12:00:00", end="2025-01-06T13:00:00",
         recurrence={"kind": "weekly", "start": "2025-01-06", "days": ["Monday"]})
    exchange.event("create", folder="tasks", event={"subject": "Old", "due": "2025-01-01"})
    d, calendar = opened(exchange, driver)
    items, last, _ = d.sync_all(calendar)
    assert subjects(items) == ["Old", "Series"]
    exchange.options(eas_policy={"MaxCalendarAgeFilter": "4"}, eas_policy_serial=7)
    assert d.sync(calendar, last["cursor"])["err"] == "stale"
    items, _, _ = d.sync_all(calendar)
    assert subjects(items) == ["Series"]
    d.stop()
    d = driver(exchange)  # it is remembered
    d.kind("calendar")
    items, _, _ = d.sync_all(calendar)
    assert subjects(items) == ["Series"]
    tasks = d.folder(kind="tasks")
    d.kind("tasks")
    items, _, _ = d.sync_all(tasks)
    assert subjects(items) == ["Old"] and exchange.violations() == []


@pytest.mark.parametrize("kind", ("calendar", "tasks"))
def test_push(exchange, driver, kind):
    d, folder = opened(exchange, driver, kind=kind)
    _, last, _ = d.sync_all(folder)
    d.watch(folder)
    exchange.event("create", folder=kind, event={"subject": "New", **(NOON if kind == "calendar" else {"due": "2026-03-10"})})
    assert d.wait("watch")["folders"] == [folder]
    assert subjects({i["id"]: i for i in d.sync(folder, last["cursor"])["list"]}) == ["New"]


def test_one_failure_is_no_reason_to_fetch_otherwise(exchange, driver):
    """What SOGo's ItemOperations cannot do is asked of its Sync; a server that fails once can do it."""
    make(exchange, "E")
    d, calendar = opened(exchange, driver, "14.1")
    items, _, _ = d.sync_all(calendar)
    mark = exchange.mark()
    exchange.fault(protocol="eas", op="ItemOperations", do="status", status=500)
    assert [one["err"] for one in d.event_fetch(calendar, *items).values()] == ["none"]
    assert counted(exchange, mark) == {"ItemOperations": 2}


def test_where_item_operations_are_for_mail_only(exchange, driver):
    for n in range(3):
        make(exchange, f"E{n}")
    d, calendar = opened(exchange, driver, "14.1")
    items, last, _ = d.sync_all(calendar)
    exchange.fault(protocol="eas", op="ItemOperations", do="status", status=500, times=0)
    got = d.event_fetch(calendar, *items)
    assert {number: one["ical"] for number, one in got.items()} == {number: i["ical"] for number, i in items.items()}
    make(exchange, "New")
    assert subjects({i["id"]: i for i in d.sync(calendar, last["cursor"])["list"]}) == ["New"]  # that state still is good


def test_an_event_that_is_gone_is_the_first_that_is_asked_for_after_a_restart(exchange, driver):
    """SOGo says 501 of one; where events have been fetched in a Sync before, a restart does not make that an error of the server."""
    make(exchange, "E")
    d, calendar = opened(exchange, driver, "14.1")
    items, _, _ = d.sync_all(calendar)
    exchange.fault(protocol="eas", op="ItemOperations", do="status", status=501, times=0)
    assert [one["err"] for one in d.event_fetch(calendar, *items).values()] == ["none"]
    d.stop()
    d, calendar = opened(exchange, driver, "14.1")
    d.sync_all(calendar)
    exchange.fault(protocol="eas", op="Sync", do="status", status=501)
    assert [one["err"] for one in d.event_fetch(calendar, *items).values()] == ["not-found"]
    mark = exchange.mark()
    assert [one["err"] for one in d.event_fetch(calendar, *items).values()] == ["none"]
    assert counted(exchange, mark) == {"Sync": 1}
