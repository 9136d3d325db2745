# SPDX-License-Identifier: Apache-2.0
"""Events as EAS clients write them (MS-ASCAL): what a request may hold in each version, and what becomes of it.

Up to 14.1 the client makes the UID, and a series carries its exceptions inside. From 16.0 on the server makes the UID, an
occurrence is changed by a command of its own (airsyncbase:InstanceId), and what is left out stays as it is.
"""
import base64
import dataclasses
import datetime
import re

import cal_model
import cal_zones
import eas_schema
from cal_model import MEETING, Appointment, Attachment, Attendee
from cal_recur import ALL_DAYS, DAILY, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH, Recurrence
from eas_calendar import PLACE
from mimeinfo import Address
from model import ModelError

COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
HALF_HOUR_S = 1800
RULES = eas_schema.parse(
    {
        "AirSync:ApplicationData": (
            "all Timezone? AllDayEvent? StartTime? EndTime? DtStamp? Subject? Location? AirSyncBase:Location? "
            "AirSyncBase:Body? Reminder? BusyStatus? Sensitivity? MeetingStatus? Attendees? OrganizerName? "
            "OrganizerEmail? Categories? UID? ClientUid? Recurrence? Exceptions? ResponseRequested? "
            "DisallowNewTimeProposal? AirSyncBase:Attachments?"
        )
        .replace(" ", " Calendar:")
        .replace("Calendar:AirSyncBase:", "AirSyncBase:"),
        "Calendar:Attendees": "seq Attendee*",
        "Calendar:Attendee": "all Email Name AttendeeStatus? AttendeeType?",
        "Calendar:Categories": "seq Category*",
        "Calendar:Recurrence": (
            "all Type Until? Occurrences? Interval? DayOfWeek? DayOfMonth? WeekOfMonth? MonthOfYear? CalendarType? "
            "IsLeapMonth? FirstDayOfWeek?"
        ),
        "Calendar:Exceptions": "seq Exception*",
        "Calendar:Exception": (
            "all Deleted? ExceptionStartTime? Subject? StartTime? EndTime? Location? AirSyncBase:Body? Categories? "
            "Sensitivity? BusyStatus? AllDayEvent? Reminder? DtStamp? MeetingStatus? Attendees? "
            "AppointmentReplyTime? ResponseType? OnlineMeetingConfLink? OnlineMeetingExternalLink?"
        ),
        "AirSyncBase:Body": "all Type EstimatedDataSize? Truncated? Data?",
        "AirSyncBase:Location": "all DisplayName? " + " ".join(name + "?" for name in PLACE),
        "AirSyncBase:Attachments": "any Add Delete",
        "AirSyncBase:Add": "all ClientId Content DisplayName Method? ContentType? ContentId? IsInline?",
        "AirSyncBase:Delete": "all FileReference",
    }
)
NOT_FROM_CLIENTS_16 = ("UID", "DtStamp", "OrganizerName", "OrganizerEmail", "Exceptions")
# 16.x: what the schema lets be empty (MS-ASCAL 6). Of Location and Reminder the text says so, too (MS-ASAIRS 2.2.2.28,
# MS-ASCAL 2.2.2.38); the others a server may see otherwise (option eas_empty).
MAY_BE_EMPTY_16 = ("AirSyncBase:Location", "Calendar:Reminder")
EMPTY_BY_SCHEMA_16 = {"Calendar:Subject": "subject", "Calendar:Categories": "categories", "Calendar:Attendees": "attendees"}
BUSY = ("Free", "Tentative", "Busy", "OOF")  # 4, elsewhere, is for servers to say
ATTENDEE_STATUS = {"0": "Unknown", "2": "Tentative", "3": "Accept", "4": "Decline", "5": "NoResponseReceived"}
STATES = {"0", "1", "3", "5", "7", "9", "11", "13", "15"}
# Up to 14.1: what a Change leaves out is taken away, unless the client said that it does not know the property.
CLEARED = {
    "Subject": {"subject": ""},
    "Location": {"location": "", "place": ()},
    "Categories": {"categories": ()},
    "Reminder": {"reminder": None},
    "Recurrence": {"recurrence": None},
    "Attendees": {"attendees": ()},
    "Sensitivity": {"sensitivity": "Normal"},
    "BusyStatus": {"busy": "Busy"},
    "AllDayEvent": {"all_day": False},
    "ResponseRequested": {"response_requested": True},
    "DisallowNewTimeProposal": {"new_time_proposal": True},
}
NEVER_GHOSTED = {"Location"}


class Invalid(Exception):
    """Status 6: the client sent what is no event."""


def word(element, name, allowed, default=None):
    text = element.value("Calendar:" + name)
    if text is None:
        return default
    if text not in allowed:
        raise Invalid(f"{name} is {text!r}")
    return text


def number(element, name, low, high, default=None):
    text = element.value("Calendar:" + name)
    if text is None:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise Invalid(f"{name} is {text!r}")
    return int(text)


def naive(text, what):
    found = COMPACT.fullmatch(text or "")
    try:
        made = datetime.datetime(*(int(n) for n in found.groups()))
    except (AttributeError, ValueError):
        raise Invalid(f"{what} is {text!r}, not a Compact DateTime") from None
    if not cal_zones.possible(made):
        raise Invalid(f"{what} is {text}, out of range")
    return made


class Reader:
    """The fields of one ApplicationData or Exception."""

    def __init__(self, ctx, data, before=None, inside_exception=False):
        self.ctx, self.data, self.before = ctx, data, before
        self.at16 = ctx.at_least("16.0")
        self.exception = inside_exception
        self.fields = {}
        self.home = home_zone(ctx)

    def check(self, instance):
        """What the version does not allow."""
        wrong = eas_schema.mismatch(self.data, RULES)
        if wrong:
            raise Invalid(wrong)
        if self.at16:
            for name in NOT_FROM_CLIENTS_16:
                if self.data.has("Calendar:" + name):
                    raise Invalid(f"{name} from a client in 16.x")
            if self.data.has("Calendar:Attendees/Attendee/AttendeeStatus"):
                raise Invalid("AttendeeStatus from a client in 16.x")
            self.check_empty()
            if instance:
                for name in ("Timezone", "Recurrence", "ClientUid"):
                    if self.data.has("Calendar:" + name):
                        raise Invalid(f"{name} in the command of an occurrence")
        elif self.data.has("AirSyncBase:Attachments"):
            raise Invalid("Attachments before 16.0")
        if self.data.has("Calendar:Deleted") and instance:
            raise Invalid("Deleted in a Change")

    def check_empty(self):
        empty = MAY_BE_EMPTY_16 if self.ctx.options.eas_empty == "refused" else (*MAY_BE_EMPTY_16, *EMPTY_BY_SCHEMA_16)
        stack = [e for e in self.data.elements if e.name not in empty]
        while stack:
            e = stack.pop()
            if not e.elements and e.text == "" and e.tag != "Data":
                raise Invalid(f"{e.name} is empty")
            stack += e.elements

    def read(self):
        data, fields = self.data, self.fields
        if data.has("Calendar:AllDayEvent"):
            fields["all_day"] = word(data, "AllDayEvent", ("0", "1")) == "1"
        self.zone()
        self.times()
        if data.has("Calendar:Subject"):
            fields["subject"] = data.value("Calendar:Subject")
        self.place()
        self.body()
        self.reminder()
        if data.has("Calendar:BusyStatus"):
            fields["busy"] = BUSY[int(word(data, "BusyStatus", ("0", "1", "2", "3")))]
        if data.has("Calendar:Sensitivity"):
            fields["sensitivity"] = cal_model.SENSITIVITY[int(word(data, "Sensitivity", ("0", "1", "2", "3")))]
        if data.has("Calendar:Categories"):
            fields["categories"] = tuple(c.text for c in data.all("Calendar:Categories/Category"))
        if data.has("Calendar:ResponseRequested"):
            fields["response_requested"] = word(data, "ResponseRequested", ("0", "1")) == "1"
        if data.has("Calendar:DisallowNewTimeProposal"):
            fields["new_time_proposal"] = word(data, "DisallowNewTimeProposal", ("0", "1")) == "0"
        self.people()
        if data.has("Calendar:Recurrence"):
            fields["recurrence"] = self.recurrence(data.get("Calendar:Recurrence"))
        self.identity()
        if self.at16 and self.before is not None and self.ctx.options.eas_empty == "kept":
            for name in EMPTY_BY_SCHEMA_16.values():
                if name in fields and not fields[name]:
                    del fields[name]
                    fields.pop("state" if name == "attendees" else name, None)
        return fields

    def get(self, name, default=None):
        return self.fields.get(name, getattr(self.before, name) if self.before is not None else default)

    def zone(self):
        data = self.data
        if data.has("Calendar:Timezone"):
            if self.at16 and self.get("all_day"):
                raise Invalid("Timezone of an all-day event in 16.x")
            try:
                raw = base64.b64decode(data.value("Calendar:Timezone"), validate=True)
            except ValueError:
                raise Invalid("Timezone is no base64") from None
            start = data.value("Calendar:StartTime")
            year = naive(start, "StartTime").year if start else 2026
            found = cal_zones.from_blob(raw, year)
            if found is None:
                raise Invalid("Timezone is no such structure")
            if self.before is None or found != self.before.zone:
                self.fields.update(zone=found, end_zone=None)
        elif self.before is None:
            self.fields["zone"] = self.home

    def moment(self, text, what):
        local = naive(text, what)
        if self.at16 and self.get("all_day"):
            if local.time() != datetime.time():
                raise Invalid(f"{what} of an all-day event is {text}")
            return self.get("zone", self.home).epoch(local)
        return cal_zones.seconds(local)

    def times(self):
        start, end = self.data.value("Calendar:StartTime"), self.data.value("Calendar:EndTime")
        if start is not None:
            self.fields["start"] = self.moment(start, "StartTime")
        if end is not None:
            self.fields["end"] = self.moment(end, "EndTime")
        if self.before is None:
            now = self.ctx.now()
            if start is None and end is not None and self.fields["end"] < now:
                raise Invalid("EndTime in the past without StartTime")
            self.fields.setdefault("start", now - now % HALF_HOUR_S)
            self.fields.setdefault("end", self.fields["start"] + HALF_HOUR_S)
        if "start" in self.fields and "end" in self.fields and self.fields["end"] < self.fields["start"]:
            raise Invalid("EndTime before StartTime")

    def place(self):
        if self.data.has("Calendar:Location"):
            self.fields["location"] = self.data.value("Calendar:Location")
        element = self.data.get("AirSyncBase:Location")
        if element is not None:
            self.fields["location"] = element.value("DisplayName", "")
            self.fields["place"] = tuple((e.tag, e.text) for e in element.elements if e.tag in PLACE)

    def body(self):
        element = self.data.get("AirSyncBase:Body")
        if element is None:
            return
        kind = element.value("Type")
        if kind not in ("1", "2"):
            raise Invalid(f"Body of Type {kind}")
        if element.has("Data"):
            self.fields["body"] = ("HTML" if kind == "2" else "Text", element.value("Data"))

    def reminder(self):
        text = self.data.value("Calendar:Reminder")
        if text is None:
            return
        if text == "":
            if not self.ctx.at_least("14.1"):
                raise Invalid("Reminder is empty")
            self.fields["reminder"] = None
        elif text.isdigit():
            self.fields["reminder"] = int(text)
        else:
            raise Invalid(f"Reminder is {text!r}")

    def people(self):
        element = self.data.get("Calendar:Attendees")
        if element is not None:
            if self.exception and not self.ctx.at_least("14.0"):
                raise Invalid("Attendees in an Exception before 14.0")
            self.fields["attendees"] = tuple(self.attendee(e) for e in element.elements)
        status = word(self.data, "MeetingStatus", STATES)
        if status is not None:
            self.fields["state"] = int(status) & 7
        elif element is not None and self.fields["attendees"]:
            self.fields["state"] = self.get("state", 0) | MEETING

    def attendee(self, element):
        email = element.value("Email")
        if "@" not in email:
            raise Invalid(f"Email is {email!r}")
        role = word(element, "AttendeeType", ("1", "2", "3"), "1")
        known = {a.email.casefold(): a for a in self.get("attendees", ())}.get(email.casefold())
        status = ATTENDEE_STATUS[word(element, "AttendeeStatus", tuple(ATTENDEE_STATUS), "0")]
        response = known.response if known and (self.at16 or status == "Unknown") else status
        return Attendee(
            email, element.value("Name"), cal_model.ROLES[int(role) - 1], response, known.replied if known else None
        )

    def identity(self):
        data = self.data
        if data.has("Calendar:UID"):
            if not 0 < len(data.value("Calendar:UID")) <= 300:
                raise Invalid("UID has no length of 1 to 300")
            if self.before is None:
                self.fields["uid"] = data.value("Calendar:UID")
        if data.has("Calendar:ClientUid"):
            if not 0 < len(data.value("Calendar:ClientUid")) <= 300:
                raise Invalid("ClientUid has no length of 1 to 300")
            self.fields["client_uid"] = data.value("Calendar:ClientUid")
        if data.has("Calendar:DtStamp"):
            self.fields["stamp"] = cal_zones.seconds(naive(data.value("Calendar:DtStamp"), "DtStamp"))
        if data.has("Calendar:OrganizerEmail") and self.before is None:
            name = data.value("Calendar:OrganizerName", "")
            self.fields["organizer"] = Address(name, data.value("Calendar:OrganizerEmail"))

    def recurrence(self, element):
        kind = TYPES[word(element, "Type", tuple(TYPES))]
        given = {e.tag for e in element.elements}
        needs, allows = QUALIFIERS[kind]
        if not needs <= given or given & {"DayOfWeek", "DayOfMonth", "WeekOfMonth", "MonthOfYear"} - needs - allows:
            raise Invalid(f"Recurrence of Type {element.value('Type')} with {' '.join(sorted(given))}")
        if "FirstDayOfWeek" in given and not self.ctx.at_least("14.1"):
            raise Invalid("FirstDayOfWeek before 14.1")
        zone, start, old = self.get("zone", self.home), self.get("start"), self.get("recurrence")
        fields = {
            "interval": number(element, "Interval", 0, 999, 1) or 1,
            "days": number(element, "DayOfWeek", 1, ALL_DAYS, 0),
            "day": number(element, "DayOfMonth", 1, 31, 0),
            "index": number(element, "WeekOfMonth", 1, 5, 0),
            "month": number(element, "MonthOfYear", 1, 12, 0),
            "calendar": number(element, "CalendarType", 0, 23, 0),
            "first_day": number(element, "FirstDayOfWeek", 0, 6, old.first_day if old else 0),
            "count": number(element, "Occurrences", 1, 999),
        }
        if "Until" in given and fields["count"] is None:
            local = naive(element.value("Until"), "Until")
            in_days = self.get("all_day") and local.time() == datetime.time()
            fields["end"] = local.date() if in_days else zone.local(cal_zones.seconds(local)).date()
        if kind == DAILY and fields["days"]:
            kind = WEEKLY  # every weekday, and the like
        return Recurrence(kind, zone.local(start).date(), **fields)


TYPES = {"0": DAILY, "1": WEEKLY, "2": MONTHLY, "3": MONTHLY_NTH, "5": YEARLY, "6": YEARLY_NTH}
QUALIFIERS = {  # needed, allowed
    DAILY: (set(), {"DayOfWeek"}),
    WEEKLY: ({"DayOfWeek"}, set()),
    MONTHLY: ({"DayOfMonth"}, set()),
    MONTHLY_NTH: ({"WeekOfMonth", "DayOfWeek"}, set()),
    YEARLY: ({"DayOfMonth", "MonthOfYear"}, set()),
    YEARLY_NTH: ({"DayOfWeek", "WeekOfMonth", "MonthOfYear"}, set()),
}


def home_zone(ctx):
    """The zone of the mailbox, in which days without a zone are meant."""
    return cal_zones.find(ctx.options.mailbox_zone)


# ---- whole commands ----


def added(ctx, data):
    """The Appointment of an Add."""
    reader = Reader(ctx, data)
    reader.check(False)
    fields = reader.read()
    me = Address(ctx.mailbox.display_name, ctx.mailbox.email)
    fields.setdefault("organizer", me)
    if ctx.at_least("16.0"):
        fields["attachments"] = attachments(data, ())
    appt = guarded(cal_model.checked, Appointment(**fields))
    return with_exceptions(ctx, appt, data)


def updated(ctx, before, data, supported):
    """The Appointment after a Change. `supported`: None (all are known), or the names the client said it knows."""
    reader = Reader(ctx, data, before)
    reader.check(False)
    fields = reader.read()
    if not ctx.at_least("16.0"):
        given = {e.tag for e in data.elements}
        for name, empty in CLEARED.items():
            ghosted = supported is not None and name not in supported and name not in NEVER_GHOSTED
            if name not in given and not ghosted:
                fields.update(empty)
    else:
        found = attachments(data, before.attachments)
        if found != before.attachments:
            fields["attachments"] = found
    if fields.get("attendees") == () and "state" not in fields:
        fields["state"] = before.state & ~MEETING
    if same_recurrence(fields.get("recurrence"), before.recurrence):
        fields.pop("recurrence")
    return with_exceptions(ctx, guarded(cal_model.changed, before, fields), data)


def same_recurrence(new, old):
    """Said again: the start of the pattern is not the client's to say."""
    return new is not None and old is not None and dataclasses.replace(new, start=old.start) == old


def with_exceptions(ctx, appt, data):
    for element in data.all("Calendar:Exceptions/Exception"):
        if appt.recurrence is None:
            raise Invalid("Exceptions without Recurrence")
        text = element.value("ExceptionStartTime")
        if text is None:
            raise Invalid("Exception without ExceptionStartTime")
        day = instance_date(appt, cal_zones.seconds(naive(text, "ExceptionStartTime")))
        if element.value("Deleted") == "1":
            if day not in appt.deleted:
                appt = guarded(cal_model.without_occurrence, appt, day)
            if appt is None:
                raise Invalid("no occurrence is left")
            continue
        reader = Reader(ctx, element, appt.occurrence(day) if day not in appt.deleted else None, True)
        if day in appt.deleted:
            raise Invalid("the occurrence was deleted")
        fields = {k: v for k, v in reader.read().items() if k not in ("zone", "end_zone", "uid")}
        appt = guarded(cal_model.changed_occurrence, appt, day, fields)
    return appt


def instance_date(appt, instant):
    day = appt.date_of_original(instant)
    if day is None:
        raise Invalid("there is no such occurrence")
    return day


def instance_of(ctx, appt, text):
    """The date that airsyncbase:InstanceId names."""
    if appt.recurrence is None:
        raise Invalid("InstanceId of a single event")
    local = naive(text, "InstanceId")
    instant = appt.zone.epoch(local) if appt.all_day else cal_zones.seconds(local)
    day = instance_date(appt, instant)
    if day in appt.deleted:
        raise Invalid("the occurrence was deleted")
    return day


def instance_changed(ctx, before, day, data):
    """The series after the Change of one occurrence (16.x)."""
    reader = Reader(ctx, data, before.occurrence(day))
    reader.check(True)
    fields = reader.read()
    listed = before.occurrence(day).attachments
    found = attachments(data, listed, before.exceptions.get(day, {}).get("attachments") is not None and day)
    if found != listed:
        fields["attachments"] = found
    return guarded(cal_model.changed_occurrence, before, day, fields)


def guarded(act, *args):
    try:
        return act(*args)
    except ModelError as error:
        raise Invalid(str(error)) from None


def attachments(data, before, day=None):
    """Attachments of 16.x: Add and Delete. `day`: of an occurrence with some of its own; False: of one that has its
    series', which have no names there."""
    found = list(before)
    for element in data.all("AirSyncBase:Attachments/Delete"):
        head, _, serial = element.value("FileReference").rpartition(":")
        named = day is not False and (head.count(":") == 1 if day is None else head.endswith(f":{day:%Y%m%d}"))
        if not named or serial not in [str(a.serial) for a in found]:
            raise Invalid("FileReference of what is not there")
        found = [a for a in found if str(a.serial) != serial]
    for element in data.all("AirSyncBase:Attachments/Add"):
        serial = max((a.serial for a in found), default=0) + 1
        kind = element.value("ContentType", "application/octet-stream")
        found.append(Attachment(serial, element.value("DisplayName"), kind, element.get("Content").bytes))
    return tuple(found)
