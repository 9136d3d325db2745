# SPDX-License-Identifier: Apache-2.0
"""The day that a task was done: the client's, not the one on which the server heard of it."""
import kinds
import pytest
from bridge import poll
from davtest import Dav, prop, todo

DONE = ("STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20200105T101112Z")


@pytest.fixture
def tasks(stage):
    """(exchange, client, the path of the task list)"""
    exchange = kinds.EWS.exchange(stage)
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    yield exchange, dav, poll(60, lambda: dav.calendars().get("Tasks"), lambda: f"{dav.calendars()}")
    dav.close()


def the_task(exchange):
    task, = exchange.events("tasks")
    return task["status"], (task["completed"] or "")[:10]


@pytest.mark.parametrize("how", ["new", "done later"])
def test_the_day_is_kept(tasks, how):
    exchange, dav, path = tasks
    path += "t.ics"
    if how == "done later":
        assert dav.put(path, todo("t@test.example")).status == 201
        assert the_task(exchange) == ("NotStarted", "")
    text = todo("t@test.example", *DONE)
    assert dav.put(path, text).status in (201, 204)
    assert the_task(exchange) == ("Completed", "2020-01-05")
    assert dav.get(path).text() == text
    later = text.replace("20200105", "20200106")
    assert dav.put(path, later).status == 204
    assert the_task(exchange) == ("Completed", "2020-01-06") and dav.get(path).text() == later
    assert dav.put(path, todo("t@test.example", "STATUS:NEEDS-ACTION")).status == 204
    assert the_task(exchange) == ("NotStarted", "")


@pytest.mark.parametrize("how", ["new", "done later"])
@pytest.mark.parametrize("why", ["the server takes none", "tomorrow"])
def test_a_day_that_the_server_does_not_take(tasks, how, why):
    """The task is done all the same; the server says when."""
    exchange, dav, path = tasks
    path += "t.ics"
    if how == "done later":
        assert dav.put(path, todo("t@test.example")).status == 201
    if why == "the server takes none":
        exchange.options(ews_complete_date="refused")
    text = todo("t@test.example", *DONE).replace("20200105", "20200105" if why != "tomorrow" else "29991231")
    assert dav.put(path, text).status in (201, 204)
    status, day = the_task(exchange)
    assert status == "Completed" and day not in ("", "2020-01-05", "2999-12-31")
    assert prop(dav.get(path).text(), "COMPLETED")[:8] == day.replace("-", "")
