# SPDX-License-Identifier: Apache-2.0
"""Calendar items and tasks under both protocols: what they hold and what Exchange lets be done with them.

An Appointment is a single event or a whole series; it hangs on a model.Item as `item.cal`, and so does a Task. Both are
values: a change makes a new one and stores it with `save()`, which gives the item its next sequence number. So a sync
state sees a changed calendar item exactly as it sees a changed message.

A series is never expanded in the store. An occurrence is named by the date on which the pattern puts it, in the time zone
of the series; `exceptions` holds what differs from the series ({date: {field: value}}), `deleted` the dates taken out.

Errors: ModelError with the EWS response code, as in model.py.
"""
import dataclasses
import datetime
import functools
import uuid

import cal_zones
import mimeinfo
from cal_recur import BadRecurrence
from model import ModelError

BUSY = ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData")
SENSITIVITY = ("Normal", "Personal", "Private", "Confidential")
IMPORTANCE = ("Low", "Normal", "High")
MEETING, RECEIVED, CANCELED = 1, 2, 4  # AppointmentState
ROLES = ("Required", "Optional", "Resource")
FIVE_YEARS_S = 5 * 366 * 86400
DEFAULT_REMINDER = 15
GOID_HEAD = bytes.fromhex("040000008200E00074C5B7101A82E008")
EVENT_CLASS, TASK_CLASS = "IPM.Appointment", "IPM.Task"


@dataclasses.dataclass(frozen=True)
class Attendee:
    email: str
    name: str = ""
    role: str = "Required"
    response: str = "Unknown"  # Unknown Organizer Tentative Accept Decline NoResponseReceived
    replied: int = None


@dataclasses.dataclass(frozen=True)
class Attachment:
    serial: int  # unique in the item, for ids
    name: str
    content_type: str = "application/octet-stream"
    data: bytes = b""
    content_id: str = None
    inline: bool = False
    is_message: bool = False


@dataclasses.dataclass(frozen=True)
class Appointment:
    zone: cal_zones.Zone  # of the start, and of the whole series
    start: int = 0
    end: int = 0
    end_zone: cal_zones.Zone = None
    subject: str = ""
    body: tuple = ("Text", "")
    location: str = ""
    all_day: bool = False
    busy: str = "Busy"
    sensitivity: str = "Normal"
    importance: str = "Normal"
    categories: tuple = ()
    reminder: int = None  # minutes before the start; None: no reminder
    uid: str = ""
    stamp: int = 0
    sequence: int = 0
    state: int = 0
    my_response: str = "Organizer"
    reply_time: int = None
    organizer: mimeinfo.Address = None
    attendees: tuple = ()
    response_requested: bool = True
    new_time_proposal: bool = True
    sent: bool = False  # a meeting request went out
    recurrence: object = None
    exceptions: dict = dataclasses.field(default_factory=dict)
    deleted: frozenset = frozenset()
    attachments: tuple = ()
    place: tuple = ()  # EAS 16.x and EnhancedLocation: (name, value) of everything but DisplayName
    ext: tuple = ()  # extended properties of an occurrence; those of other items are on the Item
    client_uid: str = None  # EAS 16.x: how the client named it when it added it
    original: int = None  # of an occurrence: the start that the pattern gives it
    original_date: datetime.date = None  # set when this is an occurrence
    edited: bool = False  # an occurrence that differs from the series
    online: tuple = ()  # MeetingWorkspaceUrl, NetShowUrl, ConferenceType as given
    zoneless: bool = False  # scripted: a series whose zone is lost, which Exchange calls corrupt

    # ---- a series ----

    @property
    def is_meeting(self):
        return bool(self.state & MEETING)

    @property
    def is_organizer(self):
        return not self.state & RECEIVED

    def local_span(self):
        """(local start, wall time from start to end)"""
        first = self.zone.local(self.start)
        return first, (self.end_zone or self.zone).local(self.end) - first

    def regular(self, day):
        """(start, end) that the pattern gives the occurrence of a date."""
        first, length = self.local_span()
        begin = datetime.datetime.combine(day, first.time())
        return self.zone.epoch(begin), (self.end_zone or self.zone).epoch(begin + length)

    def span(self, day):
        """(start, end) of the occurrence of a date as it is now."""
        start, end = self.regular(day)
        changed = self.exceptions.get(day, {})
        return changed.get("start", start), changed.get("end", end)

    def occurrence(self, day):
        """The occurrence as an Appointment of its own; `day` must be one of the pattern's that is not deleted."""
        start, end = self.regular(day)
        changed = self.exceptions.get(day, {})
        fields = {"start": start, "end": end, **changed}
        return dataclasses.replace(
            self,
            **fields,
            recurrence=None,
            exceptions={},
            deleted=frozenset(),
            original=start,
            original_date=day,
            edited=day in self.exceptions,
        )

    def dates(self):
        """The dates that are not deleted, in the order of the pattern."""
        return (day for day in self.recurrence.dates() if day not in self.deleted)

    def between(self, begin, end):
        """Dates of the occurrences that overlap [begin, end), in order of their start."""
        horizon = self.zone.local(end).date() + datetime.timedelta(days=1)
        over = self.zone.local(begin).date() - self.local_span()[1] - datetime.timedelta(days=1)
        found = []
        for day in self.recurrence.dates():
            if day > horizon:
                break
            if day < over:
                continue
            if day not in self.deleted and day not in self.exceptions and overlaps(self.regular(day), begin, end):
                found.append(day)
        found += [day for day in self.exceptions if overlaps(self.span(day), begin, end)]
        return sorted(found, key=lambda day: (self.span(day)[0], day))

    def date_of_index(self, index):
        """The date of the index-th occurrence of the pattern, counted from 1, deleted ones included."""
        for number, day in enumerate(self.recurrence.dates(), 1):
            if number == index:
                if day in self.deleted:
                    raise ModelError("ErrorCalendarOccurrenceIsDeletedFromRecurrence", "The occurrence was deleted.")
                return day
        raise ModelError("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", "There is no such occurrence.")

    def date_of_original(self, instant):
        """The date of the occurrence whose original start is this instant, or None."""
        day = self.zone.local(instant).date()
        for found in self.recurrence.dates():
            if found >= day:
                return found if found == day and self.regular(day)[0] == instant else None
        return None

    def neighbours(self, day):
        """The dates before and after in the pattern that are not deleted; None where there is none."""
        before = None
        for found in self.dates():
            if found > day:
                return before, found
            if found < day:
                before = found
        return before, None


@dataclasses.dataclass(frozen=True)
class Task:
    subject: str = ""
    body: tuple = ("Text", "")
    start: datetime.date = None
    due: datetime.date = None
    completed: int = None
    status: str = "NotStarted"  # NotStarted InProgress Completed WaitingOnOthers Deferred
    percent: int = 0
    importance: str = "Normal"
    sensitivity: str = "Normal"
    categories: tuple = ()
    reminder: int = None  # an instant, or None
    recurrence: object = None
    dead: bool = False  # the last of its series is done
    attachments: tuple = ()
    more: tuple = ()  # (name, value) of what is only kept: ActualWork, Companies, ...


def overlaps(span, begin, end):
    """A moment without length counts as there."""
    start, stop = span
    return start < end and stop > begin or start == stop and begin <= start < end


# ---- identity ----


def goid_of(uid):
    """PidLidGlobalObjectId of a UID: Exchange's own are its bytes in hex, others are wrapped (MS-OXCICAL 2.1.3.1.1.20.26)."""
    if uid.upper().startswith(GOID_HEAD.hex().upper()):
        try:
            return bytes.fromhex(uid)
        except ValueError:
            pass
    data = b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\x00"
    return GOID_HEAD + bytes(20) + len(data).to_bytes(4, "little") + data


def with_date(goid, day):
    """The Global Object Id of one occurrence: the date stands in bytes 17 to 20."""
    return goid[:16] + day.year.to_bytes(2, "big") + bytes((day.month, day.day)) + goid[20:]


def new_uid(mailbox):
    """As Outlook and Exchange make them."""
    ticks = (mailbox.clock.now() + 11644473600) * 10_000_000
    unique = uuid.uuid5(mailbox.guid, f"event {mailbox.next_num} {mailbox.seq}").bytes
    data = GOID_HEAD + bytes(4) + ticks.to_bytes(8, "little") + bytes(8) + (16).to_bytes(4, "little") + unique
    return data.hex().upper()


# ---- rules ----


def checked(appt):
    """The appointment as it is stored, or ModelError: rounding of all-day events, order and length of times, the pattern."""
    if appt.end_zone == appt.zone:
        appt = dataclasses.replace(appt, end_zone=None)
    if appt.all_day:
        appt = rounded(appt)
    if appt.end < appt.start:
        raise ModelError("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
    if appt.end - appt.start > FIVE_YEARS_S:
        raise ModelError("ErrorCalendarDurationIsTooLong", "The duration is longer than five years.")
    if appt.recurrence is not None:
        appt = anchored(appt)
    return appt


def rounded(appt):
    """Start and end at midnight of the zone, outwards; at least one day."""
    zone, end_zone = appt.zone, appt.end_zone or appt.zone
    first, last = zone.local(appt.start).date(), end_zone.local(appt.end)
    stop = last.date() + datetime.timedelta(days=last.time() != datetime.time())
    if stop <= first:
        stop = first + datetime.timedelta(days=1)
    return dataclasses.replace(appt, start=zone.midnight(first), end=end_zone.midnight(stop))


def anchored(appt):
    """The series begins with its first occurrence, whatever date the start had."""
    try:
        appt.recurrence.check()
    except BadRecurrence as error:
        raise ModelError(error.code, error.text) from None
    recurrence = appt.recurrence.anchored()
    start, end = dataclasses.replace(appt, recurrence=recurrence).regular(recurrence.start)
    appt = dataclasses.replace(appt, recurrence=recurrence, start=start, end=end)
    before = None
    for number, day in enumerate(recurrence.dates()):
        span = appt.regular(day)
        if before is not None and before[1] > span[0]:
            raise ModelError("ErrorOccurrenceTimeSpanTooBig", "The occurrences overlap.")
        before = span
        if number == 100:
            break
    return appt


def check_place(master, day, occurrence):
    """An occurrence stays between its neighbours: later than the day before it, earlier than the day after it
    (MS-OXOCAL 2.2.1.44.1, MS-ASCAL 2.2.2.21); those are taken as they are now, moved or not."""
    before, after = master.neighbours(day)
    here = master.zone.local(occurrence.start).date()
    if before is not None:
        start, end = master.span(before)
        if here <= master.zone.local(start).date():
            raise crossing()
        if occurrence.start < end:
            raise overlapping()
    if after is not None:
        start, _ = master.span(after)
        if here >= master.zone.local(start).date():
            raise crossing()
        if occurrence.end > start:
            raise overlapping()


def crossing():
    text = "Modified occurrence is crossing or overlapping adjacent occurrence."
    return ModelError("ErrorOccurrenceCrossingBoundary", text)


def overlapping():
    return ModelError("ErrorOccurrenceTimeSpanTooBig", "Modified occurrence is overlapping adjacent occurrence.")


TIMING = ("start", "end", "all_day", "zone", "end_zone", "recurrence")
NOT_OF_OCCURRENCES = ("uid", "recurrence", "client_uid", "organizer")


def changed(appt, fields):
    """The appointment with some fields set. A series whose pattern, start, end or zone changes forgets its exceptions and
    deleted occurrences; setting `recurrence` does so even when it is the same."""
    new = dataclasses.replace(appt, **fields)
    if new.end_zone == new.zone:
        new = dataclasses.replace(new, end_zone=None)
    if appt.recurrence is not None and new.recurrence is not None:
        moved = any(getattr(new, name) != getattr(appt, name) for name in TIMING)
        if moved and "recurrence" not in fields:
            new = dataclasses.replace(new, recurrence=shifted(appt, new))
        if moved or "recurrence" in fields:
            new = dataclasses.replace(new, exceptions={}, deleted=frozenset())
    elif new.recurrence is None:
        new = dataclasses.replace(new, exceptions={}, deleted=frozenset())
    return checked(new)


def shifted(old, new):
    """The pattern starts on the new date of the start, where that has moved."""
    before, after = old.zone.local(old.start).date(), new.zone.local(new.start).date()
    if before == after:
        return old.recurrence
    return dataclasses.replace(old.recurrence, start=after)


def changed_occurrence(master, day, fields):
    """The series with fields of one occurrence set."""
    for name in fields:
        if name in NOT_OF_OCCURRENCES:
            raise ModelError("ErrorCalendarInvalidPropertyState", f"{name} belongs to the series.")
    if day in master.deleted:
        raise ModelError("ErrorItemNotFound", "The occurrence was deleted.")
    occurrence = checked(dataclasses.replace(master.occurrence(day), **fields))
    kept = {**master.exceptions.get(day, {}), **fields}
    if "start" in fields or "end" in fields or "all_day" in fields:
        kept.update(start=occurrence.start, end=occurrence.end)
        check_place(master, day, occurrence)
    return dataclasses.replace(master, exceptions={**master.exceptions, day: kept})


def without_occurrence(master, day):
    """The series without one occurrence; None when it was the last."""
    if day in master.deleted:
        raise ModelError("ErrorItemNotFound", "The occurrence was deleted.")
    exceptions = {d: e for d, e in master.exceptions.items() if d != day}
    new = dataclasses.replace(master, exceptions=exceptions, deleted=master.deleted | {day})
    return new if next(new.dates(), None) is not None else None


def last_end(cal):
    """When the last occurrence ends; None: never."""
    if cal.recurrence is None:
        return cal.end
    last = cal.recurrence.last()
    if last is None:
        return None
    return max([cal.regular(last)[1]] + [cal.span(day)[1] for day in cal.exceptions])


# ---- the store ----


def is_event(item):
    return isinstance(item.cal, Appointment)


def is_task(item):
    return isinstance(item.cal, Task)


def store_size(cal):
    return 2000 + 2 * len(cal.subject) + 2 * len(cal.body[1]) + sum(len(a.data) for a in cal.attachments)


def source_of(mailbox, cal):
    """What Item.source is: the iCalendar or message form, made when somebody asks for it."""
    return functools.partial(render, mailbox, cal)


def render(mailbox, cal):
    import cal_ics  # it needs this module

    if isinstance(cal, Appointment):
        return cal_ics.document(cal_ics.with_exceptions(cal))
    kind = "html" if cal.body[0] == "HTML" else "plain"
    head = f"From: {mailbox.email}\r\nMIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n"
    return (head + cal.body[1]).encode()


def add(mailbox, folder, cal, ext=None):
    """Puts an appointment or a task into a folder of its kind; returns the Item."""
    event = isinstance(cal, Appointment)
    trash = mailbox.is_below(folder.num, mailbox.kinds["deleteditems"].num)
    if not folder.cls.startswith("IPF.Appointment" if event else "IPF.Task") and not trash:
        raise ModelError(
            "ErrorCannotCreateCalendarItemInNonCalendarFolder" if event else "ErrorCannotCreateTaskInNonTaskFolder",
            "The folder holds other items.",
        )
    with mailbox.lock:
        if event:
            cal = checked(
                dataclasses.replace(cal, uid=cal.uid or new_uid(mailbox), stamp=cal.stamp or mailbox.clock.now())
            )
        return mailbox.add_item(
            folder,
            source_of(mailbox, cal),
            size=store_size(cal),
            message_id=None,
            item_class=EVENT_CLASS if event else TASK_CLASS,
            read=True,
            cal=cal,
            categories=cal.categories,
            importance=cal.importance,
            overrides={"subject": cal.subject},
            ext=ext,
            traits=frozenset(("no-transport",)),
        )


def save(mailbox, item, cal, **more):
    """The item holds this from now on."""
    mailbox.clock.tick()
    return mailbox.update_item(
        item,
        cal=cal,
        source=source_of(mailbox, cal),
        size=store_size(cal),
        categories=cal.categories,
        importance=cal.importance,
        overrides={"subject": cal.subject},
        **more,
    )


def find_uid(mailbox, uid):
    """The item of an event by its UID, not looked for among deleted ones; None when there is none."""
    trash = mailbox.kinds["deleteditems"].num
    root = mailbox.kinds["msgfolderroot"].num
    for item in mailbox.items.values():
        if is_event(item) and item.cal.uid == uid:
            if mailbox.is_below(item.folder, root) and not mailbox.is_below(item.folder, trash):
                return item
    return None
