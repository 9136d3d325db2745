# SPDX-License-Identifier: Apache-2.0
"""Tasks over EWS and EAS: one model, dates without time, what completes what."""
import pytest

from eas_cal_kit import NEW, OLD, Cal
from eas_kit import connect
from ews_cal_kit import NS, alice, exchange, id_of, running, set_field, text  # noqa: F401
from wbxml import E

DAILY = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
    "<t:StartDate>2026-01-05</t:StartDate><t:NumberOfOccurrences>2</t:NumberOfOccurrences></t:NumberedRecurrence>"
    "</t:Recurrence>"
)


def task(subject="Write", before="", after=""):
    return f"<t:Subject>{subject}</t:Subject>{before}{after}"


@pytest.fixture
def make(alice):
    return lambda content: alice.made(content, kind="Task", send=None)


def done(alice, ref, name="Status", value="Completed"):
    return alice.update(ref, set_field(f"task:{name}", f"<t:{name}>{value}</t:{name}>", "Task"), send=None)


def test_a_task(alice, make, exchange):
    made = make(
        task(
            before='<t:Body BodyType="Text">All of it</t:Body><t:Importance>High</t:Importance>',
            after="<t:DueDate>2026-01-10T00:00:00Z</t:DueDate><t:StartDate>2026-01-08T15:00:00Z</t:StartDate>",
        )
    )
    item = alice.item(made)
    assert (text(item, "StartDate"), text(item, "DueDate")) == ("2026-01-08T00:00:00Z", "2026-01-10T00:00:00Z")
    assert (text(item, "Status"), text(item, "PercentComplete"), text(item, "IsComplete")) == (
        "NotStarted",
        "0",
        "false",
    )
    assert text(item, "Importance") == "High" and text(item, "Owner")
    assert exchange.events("tasks")[0]["due"] == "2026-01-10"


def test_dates_of_the_requests_zone(alice, exchange):
    content = task(after="<t:DueDate>2026-01-10T00:00:00+01:00</t:DueDate>")
    alice.made(content, kind="Task", send=None, zone="W. Europe Standard Time")
    assert exchange.events("tasks")[0]["due"] == "2026-01-10"


def test_complete_and_not(alice, make, exchange):
    made = make(task())
    assert done(alice, made, "PercentComplete", 50).codes == ["NoError"]
    assert exchange.events("tasks")[0]["status"] == "InProgress"
    done(alice, made)
    item = alice.item(made)
    assert text(item, "PercentComplete") == "100" and text(item, "CompleteDate")
    done(alice, made, "PercentComplete", 20)
    assert text(alice.item(made), "Status") == "InProgress" and text(alice.item(made), "CompleteDate") is None
    assert done(alice, made, "PercentComplete", 120).codes == ["ErrorInvalidValueForProperty"]
    assert done(alice, made, "IsComplete", "true").codes == ["ErrorInvalidPropertySet"]


def test_a_recurring_task_goes_on(alice, make, exchange):
    made = make(task(after=f"<t:DueDate>2026-01-05T00:00:00Z</t:DueDate>{DAILY}"))
    answer = done(alice, made)
    assert id_of(answer)[0] != made[0]
    first, second = sorted(exchange.events("tasks"), key=lambda t: t["due"])
    assert (first["due"], first["status"], first["recurrence"]) == ("2026-01-05", "Completed", None)
    assert (second["due"], second["status"]) == ("2026-01-06", "NotStarted")
    assert text(alice.item(made), "DueDate") == "2026-01-06T00:00:00Z"
    done(alice, made)
    assert {t["status"] for t in exchange.events("tasks")} == {"Completed"}


def test_deleting_wants_to_know_which(alice, make, exchange):
    made = make(task(after=f"<t:DueDate>2026-01-05T00:00:00Z</t:DueDate>{DAILY}"))
    assert alice.delete(made, send=None).codes == ["ErrorAffectedTaskOccurrencesRequired"]
    one = ' AffectedTaskOccurrences="SpecifiedOccurrenceOnly"'
    assert alice.delete(made, send=None, more=one).codes == ["NoError"]
    assert [t["due"] for t in exchange.events("tasks")] == ["2026-01-06"]
    every = ' AffectedTaskOccurrences="AllOccurrences"'
    assert alice.delete(made, send=None, more=every).codes == ["NoError"]
    assert exchange.events("tasks") == []


def test_in_another_folder(alice):
    calendar = '<t:DistinguishedFolderId Id="calendar"/>'
    answer = alice.create(task(), kind="Task", send=None, folder=calendar)
    assert answer.codes == ["ErrorCannotCreateTaskInNonTaskFolder"]


# ---- EAS ----


def dates(name, day, utc):
    return [E(f"Tasks:Utc{name}", f"{utc}.000Z"), E(f"Tasks:{name}", f"{day}T00:00:00.000Z")]


def eas_task(*more, subject="Call"):
    return [E("Tasks:Subject", subject), E("Tasks:Importance", 2), E("Tasks:Complete", 0), *more]


@pytest.fixture
def tasks(exchange):
    made = []

    def make(version):
        made.append(connect(exchange, version))
        return Cal(made[-1], "tasks")

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("version", ["12.1", OLD, NEW])
def test_a_task_over_eas(tasks, exchange, alice, version):
    folder = tasks(version)
    due = dates("DueDate", "2026-01-10", "2026-01-09T23:00:00")
    remind = [E("Tasks:ReminderSet", 1), E("Tasks:ReminderTime", "2026-01-09T08:00:00.000Z")]
    number, status, _ = folder.add(*eas_task(*due, *remind))
    assert status == "1"
    found = exchange.events("tasks")[0]
    assert (found["subject"], found["due"], found["importance"]) == ("Call", "2026-01-10", "High")
    assert found["reminder"] == "2026-01-09T08:00:00Z"
    data = tasks(version).pull()[number]
    assert data.value("Tasks:DueDate") == "2026-01-10T00:00:00.000Z"
    assert data.value("Tasks:UtcDueDate") == "2026-01-09T23:00:00.000Z"
    complete = [
        E("Tasks:Subject", "Call"),
        E("Tasks:Complete", 1),
        E("Tasks:DateCompleted", "2026-01-09T09:00:00.000Z"),
    ]
    assert folder.change(number, *complete) == "1"
    found = exchange.events("tasks")[0]
    assert (found["status"], found["completed"], found["due"]) == ("Completed", "2026-01-09T09:00:00Z", None)


@pytest.mark.parametrize(
    "fields",
    [
        [E("Tasks:Complete", 1)],
        [E("Tasks:ReminderSet", 1)],
        [E("Tasks:DueDate", "2026-01-10T00:00:00.000Z")],
        [E("Tasks:Importance", 3)],
        dates("DueDate", "2026-01-01", "2026-01-01T00:00:00") + dates("StartDate", "2026-01-02", "2026-01-02T00:00:00"),
        [E("Tasks:Recurrence", E("Type", 1), E("Start", "2026-01-05T00:00:00.000Z"), E("Interval", 1))],
    ],
)
def test_tasks_that_are_refused(tasks, exchange, fields):
    assert tasks(OLD).add(E("Tasks:Subject", "x"), *fields)[1] == "6"
    assert exchange.events("tasks") == []


def test_a_recurring_task_over_eas(tasks, exchange):
    start = E("Start", "2026-01-05T00:00:00.000Z")
    pattern = E("Tasks:Recurrence", E("Type", 1), start, E("Interval", 2), E("DayOfWeek", 2), E("Occurrences", 3))
    folder = tasks(OLD)
    number, status, _ = folder.add(*eas_task(*dates("DueDate", "2026-01-05", "2026-01-04T23:00:00"), pattern))
    assert status == "1" and exchange.events("tasks")[0]["recurrence"]["days"] == ["Monday"]
    shown = tasks(NEW).pull()[number].get("Tasks:Recurrence")
    assert (shown.value("DayOfWeek"), shown.value("Occurrences"), shown.value("Start")[:10]) == ("2", "3", "2026-01-05")


def test_only_what_is_to_be_done(tasks, exchange, alice, make):
    make(task("open"))
    done(alice, make(task("done")))
    folder = tasks(OLD)
    assert [d.value("Tasks:Subject") for d in folder.pull(filter_type=8).values()] == ["open"]
    assert len(tasks(OLD).pull().values()) == 2
    assert alice.get(id_of(alice.sync("", '<t:DistinguishedFolderId Id="tasks"/>'))).codes == ["NoError"]
