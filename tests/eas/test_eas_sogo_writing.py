# SPDX-License-Identifier: Apache-2.0
"""What the whole program writes over EAS is what SOGo's own CalDAV shows, field by field."""
import pytest

from test_eas_sogo_calendar import OBJECTS, PASSWORD, dav, sogo, user  # noqa: F401: fixtures; and the paths of the others

import davtest  # noqa: E402
from bridge import Account, Bridge  # noqa: E402
from davtest import event, todo  # noqa: E402
from fields import fields  # noqa: E402
from sogo_proc import poll_until  # noqa: E402


@pytest.fixture
def client(sogo, user, tmp_path):  # noqa: F811
    account = Account("work", url=sogo.eas_url, backend="eas", user=user, password=PASSWORD, email=sogo.address(user))
    with Bridge(tmp_path, [account], dav=True) as bridge:
        client = davtest.Dav(bridge)
        client.sign_in(sogo.address(user))
        yield client
        client.close()


def home(client, component):
    return poll_until(lambda: client.collections(component), 60, "no collection")[0]


def by_uid(dav):  # noqa: F811
    return {f["UID"]: f for f in map(fields, dav.objects().values())}


def test_events(dav, client):  # noqa: F811
    calendar = home(client, "VEVENT")
    answers = {}
    for name, text in OBJECTS.items():
        answers[name] = client.put(f"{calendar}{name}.ics", text)
        assert answers[name].status == 201, (name, answers[name].body)
    there = by_uid(dav)
    for name, text in OBJECTS.items():
        assert there[name] == fields(text), name
    other = event("plain", "LOCATION:Roof", "CATEGORIES:Green", summary="Other")
    assert client.put(f"{calendar}plain.ics", other).status == 204
    assert client.ask("DELETE", f"{calendar}day.ics").status == 204
    series = OBJECTS["exdate"].replace("EXDATE;TZID=Europe/Berlin:20261203T100000",
                                       "EXDATE;TZID=Europe/Berlin:20261203T100000\r\nEXDATE;TZID=Europe/Berlin:20261204T100000")
    assert client.put(f"{calendar}exdate.ics", series).status == 204
    there = by_uid(dav)
    assert "day" not in there and there["exdate"] == fields(series)
    assert there["plain"] == fields(other)


def test_tasks(dav, client):  # noqa: F811
    tasks = home(client, "VTODO")
    texts = {"t1": todo("t1", "DUE;VALUE=DATE:20261210", "DESCRIPTION:one", "CATEGORIES:Red", "PRIORITY:1"),
             "t2": todo("t2", summary="Some day")}
    for name, text in texts.items():
        assert client.put(f"{tasks}{name}.ics", text).status == 201
    wanted = {f["SUMMARY"]: f | {"UID": ""} for f in map(fields, texts.values())}
    own = {"STATUS": "IN-PROCESS", "PRIORITY": "5"}  # how SOGo words that it is not done, and no more important than others
    found = [{k: v for k, v in f.items() if own.get(k) != v} for f in map(fields, dav.objects().values())]
    due = [f.pop("due") for f in found if "due" in f]
    assert due in (["2026-12-10"], ["2026-12-10T00:00Z"]), due  # SOGo makes a time of the day
    assert wanted["Task"].pop("due") == "2026-12-10" and "DUE;VALUE=DATE:20261210" in client.get(f"{tasks}t1.ics").text()
    assert {f["SUMMARY"]: f | {"UID": ""} for f in found} == wanted
    assert client.put(f"{tasks}t2.ics", todo("t2", "STATUS:COMPLETED", "COMPLETED:20261102T120000Z", summary="Some day")).status == 204
    assert client.ask("DELETE", f"{tasks}t1.ics").status == 204
    left, = map(fields, dav.objects().values())
    assert (left["SUMMARY"], left["STATUS"]) == ("Some day", "COMPLETED")


def test_a_series_keeps_its_hours(dav, client):  # noqa: F811
    """SOGo puts it into the time zone of its user, which is UTC here: over the beginning of summer time that is refused."""
    calendar = home(client, "VEVENT")
    when = {"start": "DTSTART;TZID=Europe/Berlin:20270325T100000", "end": "DTEND;TZID=Europe/Berlin:20270325T110000"}
    answer = client.put(f"{calendar}s.ics", event("s", "RRULE:FREQ=DAILY;COUNT=5", **when))
    assert answer.status == 403 and b"in the time zone UTC" in answer.body, answer.body
    assert dav.objects() == {} and client.etags(calendar) == {}
    answer = client.put(f"{calendar}s.ics", event("s", "RRULE:FREQ=DAILY;COUNT=3", **when))
    assert answer.status == 201, answer.body
    assert client.put(f"{calendar}one.ics", event("one", **when)).status == 201
    assert {f["start"] for f in by_uid(dav).values()} == {"2027-03-25T09:00Z"}


def test_what_it_does_not_let_be_taken_away(dav, client):  # noqa: F811
    calendar, tasks = home(client, "VEVENT"), home(client, "VTODO")
    assert client.put(f"{calendar}c.ics", event("c", "CATEGORIES:Red", "LOCATION:Hall", "CLASS:PRIVATE")).status == 201
    answer = client.put(f"{calendar}c.ics", event("c"))
    assert answer.status == 403 and b"does not let the last category be taken away" in answer.body, answer.body
    assert by_uid(dav)["c"] == fields(event("c", "CATEGORIES:Red"))
    assert client.put(f"{tasks}t.ics", todo("t", "DUE;VALUE=DATE:20261210", "DESCRIPTION:x")).status == 201
    answer = client.put(f"{tasks}t.ics", todo("t"))
    assert answer.status == 403 and b"does not let the day that it is due on be taken away" in answer.body, answer.body
    poll_until(lambda: "20261210" in client.get(f"{tasks}t.ics").text(), 30, "the server's task does not come back")
