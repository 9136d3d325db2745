# SPDX-License-Identifier: Apache-2.0
"""Judge: Debian's python3-exchangelib keeps a calendar and tasks in the stand-in."""
import exchangelib
import pytest
from exchangelib import CalendarItem, EWSDate, EWSDateTime, EWSTimeZone
from exchangelib.errors import ErrorItemNotFound, ErrorOccurrenceCrossingBoundary
from exchangelib.items import MeetingRequest, SEND_ONLY_TO_ALL, SEND_TO_ALL_AND_SAVE_COPY, Task
from exchangelib.recurrence import DailyPattern, FirstOccurrence, Recurrence, RelativeMonthlyPattern, WeeklyPattern

from ews_cal_kit import BOB
from standin import PASSWORD, USER, Standin

BERLIN = EWSTimeZone("Europe/Berlin")


@pytest.fixture(scope="module")
def exchange():
    # exchangelib takes it for an error when the id of an occurrence changes.
    users = ("--user", f"{USER}:{PASSWORD}", "--user", f"{BOB}:{PASSWORD}")
    with Standin(*users, "--set", "ews_edited_ids=false") as server:
        yield server
        assert server.violations() == []


def open_account(exchange, user):
    config = exchangelib.Configuration(
        service_endpoint=exchange.url,
        credentials=exchangelib.Credentials(user, PASSWORD),
        auth_type=exchangelib.BASIC,
        max_connections=2,
    )
    return exchangelib.Account(
        user, config=config, autodiscover=False, access_type=exchangelib.DELEGATE, default_timezone=BERLIN
    )


@pytest.fixture(scope="module")
def account(exchange):
    found = open_account(exchange, USER)
    yield found
    found.protocol.close()


@pytest.fixture(scope="module")
def guest(exchange):
    found = open_account(exchange, BOB)
    yield found
    found.protocol.close()


def at(day, hour, month=1):
    return EWSDateTime(2026, month, day, hour, tzinfo=BERLIN)


def saved(account, **fields):
    fields = {"subject": "Talk", "start": at(5, 9), "end": at(5, 10), **fields}
    item = CalendarItem(account=account, folder=account.calendar, **fields)
    item.save()
    return item


def found(account, item):
    return account.calendar.get(id=item.id)


def test_create_read_update_delete(account, exchange):
    item = saved(account, location="Room 1", categories=["Blue"], reminder_minutes_before_start=30, body="Bring tea")
    again = found(account, item)
    assert (again.start, again.end, again.location, again.categories) == (at(5, 9), at(5, 10), "Room 1", ["Blue"])
    assert again.body == "Bring tea" and again.type == "Single" and again.my_response_type == "Organizer"
    assert again._start_timezone == BERLIN and again.uid
    item.start, item.end, item.location = at(5, 11), at(5, 12), None
    item.save(update_fields=["start", "end", "location"])
    again = found(account, item)
    assert (again.start, again.location) == (at(5, 11), None)
    assert exchange.events()[0]["start"] == "2026-01-05T10:00:00Z"
    item.delete()
    assert exchange.events() == []


def test_all_day(account):
    item = saved(account, start=EWSDate(2026, 1, 5), end=EWSDate(2026, 1, 6), is_all_day=True)
    again = found(account, item)
    assert again.is_all_day and (again.start, again.end) == (EWSDate(2026, 1, 5), EWSDate(2026, 1, 6))
    item.delete()


def test_a_series(account, exchange):
    item = saved(account, recurrence=Recurrence(pattern=DailyPattern(interval=1), start=EWSDate(2026, 1, 5), number=5))
    master = found(account, item)
    assert master.recurrence.pattern.interval == 1 and master.recurrence.boundary.number == 5
    assert master.first_occurrence.start == at(5, 9) and master.last_occurrence.end == at(9, 10)
    view = list(account.calendar.view(start=at(1, 0), end=at(31, 0)))
    assert [i.start for i in view] == [at(n, 9) for n in range(5, 10)]
    third = master.occurrence(index=3)
    third.refresh()
    third.start, third.end, third.subject = at(7, 14), at(7, 15), "Later"
    third.save(update_fields=["start", "end", "subject"])
    fourth = master.occurrence(index=4)
    fourth.refresh()
    fourth.delete()
    master = found(account, item)
    assert [(o.start, o.original_start) for o in master.modified_occurrences] == [(at(7, 14), at(7, 9))]
    assert [o.start for o in master.deleted_occurrences] == [at(8, 9)]
    second = master.occurrence(index=2)
    second.refresh()
    second.start, second.end = at(7, 8), at(7, 9)
    with pytest.raises(ErrorOccurrenceCrossingBoundary):
        second.save(update_fields=["start", "end"])
    listed = exchange.occurrences("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert [o["start"][8:13] for o in listed] == ["05T08", "06T08", "07T13", "09T08"]
    item.delete()


@pytest.mark.parametrize(
    "pattern",
    [
        WeeklyPattern(interval=2, weekdays=[1, 3], first_day_of_week=1),
        RelativeMonthlyPattern(interval=1, weekday=5, week_number=5),
    ],
)
def test_patterns(account, pattern):
    item = saved(account, recurrence=Recurrence(pattern=pattern, start=EWSDate(2026, 1, 5)))
    assert found(account, item).recurrence.pattern == pattern
    item.delete()


def test_the_first_occurrence_alone(account):
    item = saved(account, recurrence=Recurrence(pattern=DailyPattern(interval=1), start=EWSDate(2026, 1, 5), number=2))
    assert isinstance(found(account, item).first_occurrence, FirstOccurrence)
    item.delete()


def test_sync(account):
    list(account.calendar.sync_items(only_fields=["subject"]))
    item = saved(account, subject="To be synced")
    changes = list(account.calendar.sync_items(sync_state=account.calendar.item_sync_state, only_fields=["subject"]))
    assert [(kind, i.subject) for kind, i in changes] == [("create", "To be synced")]
    item.delete()
    changes = list(account.calendar.sync_items(sync_state=account.calendar.item_sync_state))
    assert [kind for kind, _ in changes] == ["delete"]


@pytest.mark.parametrize(
    "answer,response", [("accept", "Accept"), ("tentatively_accept", "Tentative"), ("decline", "Decline")]
)
def test_invitations(account, guest, exchange, answer, response):
    before = len(exchange.submissions())
    item = CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Plan",
        start=at(5, 9),
        end=at(5, 10),
        required_attendees=[BOB],
    )
    item.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    (request,) = [i for i in guest.inbox.all() if isinstance(i, MeetingRequest)]
    assert request.organizer.email_address == USER and request.start == at(5, 9)
    assert guest.calendar.get(id=request.associated_calendar_item_id.id).my_response_type == "NoResponseReceived"
    getattr(request, answer)(body="See you")
    sent = exchange.submissions()[before:]
    assert [m["meeting"]["method"] for m in sent] == ["REQUEST", "REPLY"]
    assert found(account, item).required_attendees[0].response_type == response
    item.delete(send_meeting_cancellations=SEND_ONLY_TO_ALL)
    assert exchange.submissions()[-1]["meeting"]["method"] == "CANCEL"
    for folder in (guest.calendar, guest.inbox, guest.trash, account.inbox):
        folder.all().delete(send_meeting_cancellations="SendToNone", affected_task_occurrences="AllOccurrences")


def test_cancel(account, guest, exchange):
    item = CalendarItem(
        account=account, folder=account.calendar, subject="Off", start=at(6, 9), end=at(6, 10), required_attendees=[BOB]
    )
    item.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    item.refresh()
    item.cancel(body="Sorry")
    assert exchange.submissions()[-1]["meeting"]["method"] == "CANCEL"
    assert exchange.events(user=BOB)[0]["state"] == 7 and exchange.events() == []


def test_files(account):
    item = saved(account)
    item.attach(exchangelib.FileAttachment(name="a.txt", content=b"content"))
    again = found(account, item)
    assert [(a.name, a.content) for a in again.attachments] == [("a.txt", b"content")]
    again.detach(again.attachments[0])
    assert found(account, item).attachments == []
    item.delete()


def test_free_and_busy(account):
    item = saved(account, start=at(7, 9), end=at(7, 10))
    (info,) = account.protocol.get_free_busy_info(
        accounts=[(account, "Organizer", False)], start=at(7, 8), end=at(7, 11), merged_free_busy_interval=30
    )
    assert info.view_type == "DetailedMerged" and info.merged == "002200"
    assert [(str(e.start), e.busy_type) for e in info.calendar_events] == [("2026-01-07 09:00:00", "Busy")]
    item.delete()


def test_zones(account):
    names = {zone.id for zone in account.protocol.get_timezones(return_full_timezone_data=True)}
    assert {"W. Europe Standard Time", "Lord Howe Standard Time"} <= names


def test_tasks(account, exchange):
    task = Task(account=account, folder=account.tasks, subject="Write", due_date=EWSDate(2026, 1, 10))
    task.save()
    again = account.tasks.get(id=task.id)
    assert again.due_date == EWSDate(2026, 1, 10) and again.status == "NotStarted"
    again.complete()
    again = account.tasks.get(id=task.id)
    assert (again.status, again.percent_complete) == ("Completed", 100) and again.complete_date
    assert exchange.events("tasks")[0]["status"] == "Completed"
    again.delete()
    assert isinstance(list(account.fetch(ids=[(task.id, None)]))[0], ErrorItemNotFound)
