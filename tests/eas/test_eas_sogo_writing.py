# SPDX-License-Identifier: Apache-2.0
"""What the whole program writes over EAS is what SOGo's own CalDAV shows, field by field."""
import re

import pytest

import davtest
from bridge import Account, Bridge
from davtest import event, todo
from fields import fields
from sogo_proc import poll_until
from test_eas_sogo_calendar import OBJECTS, PASSWORD, dav, sogo, user  # noqa: F401: fixtures


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
    return [fields(dav.ask("GET", name)) for name in names]


def by_uid(found):
    return {f["UID"]: f for f in found}


def test_events(dav, client):  # noqa: F811
    calendar = home(client, "VEVENT")
    answers = {}
    for name, text in OBJECTS.items():
        answers[name] = client.put(f"{calendar}{name}.ics", text)
        assert answers[name].status == 201, (name, answers[name].body)
    there = by_uid(seen(dav))
    for name, text in OBJECTS.items():
        assert there[name] == fields(text), name
    assert client.put(f"{calendar}plain.ics", event("plain", "LOCATION:Roof", summary="Other")).status == 204
    assert client.ask("DELETE", f"{calendar}day.ics").status == 204
    series = OBJECTS["exdate"].replace("EXDATE;TZID=Europe/Berlin:20261203T100000",
                                       "EXDATE;TZID=Europe/Berlin:20261203T100000\r\nEXDATE;TZID=Europe/Berlin:20261204T100000")
    assert client.put(f"{calendar}exdate.ics", series).status == 204
    there = by_uid(seen(dav))
    assert "day" not in there and there["exdate"] == fields(series)
    assert there["plain"] == fields(event("plain", "LOCATION:Roof", summary="Other"))


def test_tasks(dav, client):  # noqa: F811
    tasks = home(client, "VTODO")
    texts = {"t1": todo("t1", "DUE;VALUE=DATE:20261210", "DESCRIPTION:one", "CATEGORIES:Red", "PRIORITY:1"),
             "t2": todo("t2", summary="Some day")}
    for name, text in texts.items():
        assert client.put(f"{tasks}{name}.ics", text).status == 201
    wanted = {f["SUMMARY"]: f | {"UID": ""} for f in map(fields, texts.values())}
    assert {f["SUMMARY"]: f | {"UID": ""} for f in seen(dav)} == wanted
    assert client.put(f"{tasks}t2.ics", todo("t2", "STATUS:COMPLETED", "COMPLETED:20261102T120000Z", summary="Some day")).status == 204
    assert client.ask("DELETE", f"{tasks}t1.ics").status == 204
    left, = seen(dav)
    assert (left["SUMMARY"], left["STATUS"]) == ("Some day", "COMPLETED")
