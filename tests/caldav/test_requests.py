# SPDX-License-Identifier: Apache-2.0
"""What calendar clients cost the server: requests are counted in the stand-in's log, start-up and push apart."""
import counting
import pytest

from davtest import Dav, event

COUNT = 200


@pytest.fixture(scope="module")
def exchange(module_stage, kind):
    server = kind.exchange(module_stage, "--demo", "1")
    for n in range(COUNT):
        start = f"2026-12-{n % 28 + 1:02}T{n % 20:02}"
        server.event("create", event={"subject": f"Event {n}", "uid": f"e-{n}", "start": f"{start}:00:00Z", "end": f"{start}:30:00Z",
                                      "location": "Room", "categories": ["Blue"]})
    return server


@pytest.fixture(scope="module")
def first(module_stage, kind, exchange):
    """The first sync of a client, from a bridge that knows nothing; (client, requests about the calendar)."""
    client = Dav(module_stage.bridge(kind.account("work", exchange), dav=True, name=f"bridge-{kind}"))
    calendar = client.calendar()
    changed, _, token, _ = client.sync(calendar, props="<D:getetag/><C:calendar-data/>")
    assert len(changed) == COUNT
    found = counting.entries(exchange, 0, kind.backend, folder="calendar")
    counting.settle(exchange, kind.backend)
    yield client, calendar, token, [(counting.name(e), e["detail"]) for e in found]
    client.close()


def cost(exchange, kind, do):
    """Requests while do() runs, without the sync that push asks for when it tells of our own change."""
    mark = counting.settle(exchange, kind.backend)
    do()
    names = [counting.name(e) for e in counting.entries(exchange, mark, kind.backend)]
    return names[: next((i for i, name in enumerate(names) if name in counting.SYNCS), None)] if kind.backend == "ews" else names


def test_first_sync(first):
    assert len(first[3]) <= 6, first[3]


def test_polls_cost_nothing(first, exchange, kind):
    dav, calendar, token, _ = first

    def poll_it():
        assert dav.propfind(calendar, "<CS:getctag/><D:sync-token/>").status == 207
        assert dav.sync(calendar, token)[:2] == ({}, [])
        assert dav.ask("OPTIONS", calendar).status == 200 and len(dav.calendars()) == 2

    assert cost(exchange, kind, lambda: [poll_it() for _ in range(5)]) == []


def test_reading_costs_nothing(first, exchange, kind):
    dav, calendar, _, _ = first

    def read():
        etags = dav.etags(calendar)
        assert len(etags) == COUNT == len(dav.query(calendar).responses())
        assert 0 < len(dav.query(calendar, "20261205T000000Z", "20261206T000000Z").responses()) < 20
        assert len(dav.query(calendar, inner='<C:prop-filter name="SUMMARY"><C:text-match>Event 77</C:text-match></C:prop-filter>')
                   .responses()) == 1
        assert len(dav.multiget(calendar, list(etags)).responses()) == COUNT
        assert dav.get(next(iter(etags))).status == 200

    assert cost(exchange, kind, read) == []


def test_writing(first, exchange, kind):
    """An event without exceptions, attendees and attachments: the change, and a look at what the server made of it. A deletion
    over EWS is preceded by a look at the ChangeKey, because DeleteItem compares none."""
    dav, calendar, _, _ = first
    path = calendar + "mine.ics"

    def status(wanted, text):
        def put():
            assert dav.put(path, text).status == wanted

        return put

    assert len(cost(exchange, kind, status(201, event("mine", "RRULE:FREQ=WEEKLY;COUNT=5", "LOCATION:Here")))) <= 2
    assert len(cost(exchange, kind, status(204, event("mine", "RRULE:FREQ=WEEKLY;COUNT=5", "LOCATION:There")))) <= 2
    assert cost(exchange, kind, status(204, event("mine", "RRULE:FREQ=WEEKLY;COUNT=5", "LOCATION:There", "X-OURS:1"))) == []
    deletion = cost(exchange, kind, lambda: dav.ask("DELETE", path))
    assert deletion == ["ews:GetItem", "ews:DeleteItem"] if kind.backend == "ews" else len(deletion) == 1


def test_the_echo_of_our_own_changes(first, exchange, kind):
    """Push tells of them, and the sync that it asks for brings the ChangeKey that our change was answered with: no item is
    fetched again."""
    dav, calendar, _, _ = first
    path = calendar + "echo.ics"
    for do in (lambda: dav.put(path, event("echo")), lambda: dav.put(path, event("echo", summary="Other")), lambda: dav.ask("DELETE", path)):
        mark = counting.settle(exchange, kind.backend)
        assert do().status in (201, 204)
        counting.settle(exchange, kind.backend)
        names = [counting.name(e) for e in counting.entries(exchange, mark, kind.backend)]
        if kind.backend == "ews":
            assert names.count("ews:SyncFolderItems") >= 1
            assert set(names[names.index("ews:SyncFolderItems"):]) == {"ews:SyncFolderItems"}, names
        else:
            assert len(names) <= 2, names
