# SPDX-License-Identifier: Apache-2.0
"""What the whole program writes over EAS is what SOGo's own CalDAV shows, field by field."""
import re

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


def homes(client, component):
    """The collections that take this component: SOGo's calendar and task list have one display name."""
    found = client.propfind(client.home, "<C:supported-calendar-component-set/>", 1).responses()
    return [p for p, (_, props) in found.items() for e in props.values() if any(c.get("name") == component for c in e)]


def home(client, component):
    return poll_until(lambda: homes(client, component), 60, "no collection")[0]


def seen(dav):  # noqa: F811
    """{UID or summary: fields} of everything in SOGo's calendar."""
    listing = dav.ask("PROPFIND", "")
    names = re.findall(r"/Calendar/personal/([^<]+\.ics)</", listing)
    return [fields(dav.ask("GET", name)) for name in sorted(set(names))]


def patiently(act):
    """SOGo's first sync state of an empty folder ends with the first item: it is read anew, and clients are asked to wait."""
    found = []

    def ask():
        found.append(act())
        return found[-1].status != 503

    poll_until(ask, 60, "the collection is read anew for ever")
    return found[-1]


def put(client, path, text):
    return patiently(lambda: client.put(path, text))


def delete(client, path):
    return patiently(lambda: client.ask("DELETE", path))


def by_uid(found):
    return {f["UID"]: f for f in found}


def test_events(dav, client):  # noqa: F811
    calendar = home(client, "VEVENT")
    answers = {}
    for name, text in OBJECTS.items():
        answers[name] = put(client, f"{calendar}{name}.ics", text)
        assert answers[name].status == 201, (name, answers[name].body)
    there = by_uid(seen(dav))
    for name, text in OBJECTS.items():
        assert there[name] == fields(text), name
    other = event("plain", "LOCATION:Roof", "CATEGORIES:Green", summary="Other")  # the last category SOGo does not give up
    assert put(client, f"{calendar}plain.ics", other).status == 204
    assert delete(client, f"{calendar}day.ics").status == 204
    series = OBJECTS["exdate"].replace("EXDATE;TZID=Europe/Berlin:20261203T100000",
                                       "EXDATE;TZID=Europe/Berlin:20261203T100000\r\nEXDATE;TZID=Europe/Berlin:20261204T100000")
    assert put(client, f"{calendar}exdate.ics", series).status == 204
    there = by_uid(seen(dav))
    assert "day" not in there and there["exdate"] == fields(series)
    assert there["plain"] == fields(other)


def test_tasks(dav, client):  # noqa: F811
    tasks = home(client, "VTODO")
    texts = {"t1": todo("t1", "DUE;VALUE=DATE:20261210", "DESCRIPTION:one", "CATEGORIES:Red", "PRIORITY:1"),
             "t2": todo("t2", summary="Some day")}
    for name, text in texts.items():
        assert put(client, f"{tasks}{name}.ics", text).status == 201
    wanted = {f["SUMMARY"]: f | {"UID": ""} for f in map(fields, texts.values())}
    own = {"STATUS": "IN-PROCESS", "PRIORITY": "5"}  # how SOGo words that it is not done, and no more important than others
    found = [{k: v for k, v in f.items() if own.get(k) != v} for f in seen(dav)]
    due = [f.pop("due") for f in found if "due" in f]
    assert due in (["2026-12-10"], ["2026-12-10T00:00Z"]), due  # SOGo makes a time of the day
    assert wanted["Task"].pop("due") == "2026-12-10" and "DUE;VALUE=DATE:20261210" in client.get(f"{tasks}t1.ics").text()
    assert {f["SUMMARY"]: f | {"UID": ""} for f in found} == wanted
    assert put(client, f"{tasks}t2.ics", todo("t2", "STATUS:COMPLETED", "COMPLETED:20261102T120000Z", summary="Some day")).status == 204
    assert delete(client, f"{tasks}t1.ics").status == 204
    left, = seen(dav)
    assert (left["SUMMARY"], left["STATUS"]) == ("Some day", "COMPLETED")
