# SPDX-License-Identifier: Apache-2.0
"""Events as EAS shows them (MS-ASCAL), in each version of the protocol."""
import base64
import datetime
import re

import cal_zones
import eas_items
from cal_recur import DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH
from ews_calendar_xml import to_text
from wbxml import E

KINDS = {DAILY: "0", WEEKLY: "1", MONTHLY: "2", MONTHLY_NTH: "3", YEARLY: "5", YEARLY_NTH: "6"}
BUSY = {"Free": "0", "Tentative": "1", "Busy": "2", "OOF": "3", "WorkingElsewhere": "4", "NoData": "0"}
SENSITIVITY = {"Normal": "0", "Personal": "1", "Private": "2", "Confidential": "3"}
ATTENDEE_STATUS = {"Tentative": "2", "Accept": "3", "Decline": "4", "NoResponseReceived": "5"}
RESPONSE_TYPE = {"Unknown": "0", "Organizer": "1", "Tentative": "2", "Accept": "3", "Decline": "4"}
ROLES = {"Required": "1", "Optional": "2", "Resource": "3"}
PLACE = (
    "Annotation Street City State Country PostalCode Latitude Longitude Accuracy Altitude AltitudeAccuracy LocationUri"
).split()


def compact(instant):
    """Compact DateTime of MS-ASDTYPE 2.7.2."""
    return (cal_zones.EPOCH + datetime.timedelta(seconds=instant)).strftime("%Y%m%dT%H%M%SZ")


def compact_day(day):
    return day.strftime("%Y%m%dT000000Z")


class Writer:
    """One event for one client: `floating` is how 16.x writes days, without a zone."""

    def __init__(self, ctx, item):
        self.ctx, self.item, self.cal = ctx, item, item.cal
        cal = item.cal
        self.at16, self.at14 = ctx.at_least("16.0"), ctx.at_least("14.0")
        self.floating = self.at16 and cal.all_day

    def moment(self, instant, end=False, floating=None):
        if self.floating if floating is None else floating:
            zone = self.cal.end_zone or self.cal.zone if end else self.cal.zone
            return compact_day(zone.local(instant).date())
        return compact(instant)

    def times(self, cal=None):
        cal = cal or self.cal
        floating = self.at16 and cal.all_day
        start = self.moment(cal.start, floating=floating)
        return [E("Calendar:StartTime", start), E("Calendar:EndTime", self.moment(cal.end, True, floating))]

    def place(self, cal):
        if not self.at16:
            return [E("Calendar:Location", eas_items.clean(cal.location))] if cal.location else []
        more = [E(name, value) for name, value in cal.place if name in PLACE]
        if not cal.location and not more:
            return []
        name = [E("DisplayName", eas_items.clean(cal.location))] if cal.location else []
        return [E("AirSyncBase:Location", *name, *more)]

    def attendees(self, cal):
        if not cal.attendees:
            return []
        found = []
        for one in cal.attendees:
            fields = [E("Email", one.email), E("Name", eas_items.clean(one.name or one.email))]
            if self.ctx.at_least("12.0"):
                fields.append(E("AttendeeStatus", ATTENDEE_STATUS.get(one.response, "0")))
                fields.append(E("AttendeeType", ROLES[one.role]))
            found.append(E("Attendee", *fields))
        return [E("Calendar:Attendees", *found)]

    def recurrence(self):
        r, cal = self.cal.recurrence, self.cal
        fields = [E("Type", KINDS[r.kind])]
        if r.count is not None:
            fields.append(E("Occurrences", r.count))
        elif r.end is not None:
            last = datetime.datetime.combine(r.end, cal.zone.local(cal.start).time())
            fields.append(E("Until", compact_day(r.end) if self.floating else compact(cal.zone.epoch(last))))
        fields.append(E("Interval", r.interval))
        if r.kind in (WEEKLY, MONTHLY_NTH, YEARLY_NTH):
            fields.append(E("DayOfWeek", r.days))
        if r.kind in (MONTHLY, YEARLY):
            fields.append(E("DayOfMonth", r.day))
        if r.kind in (MONTHLY_NTH, YEARLY_NTH):
            fields.append(E("WeekOfMonth", LAST if r.index == LAST else r.index))
        if r.kind in (YEARLY, YEARLY_NTH):
            fields.append(E("MonthOfYear", r.month))
        if r.kind not in (DAILY, WEEKLY) and self.at14:
            fields.append(E("CalendarType", r.calendar))
        if r.kind == WEEKLY and self.ctx.at_least("14.1"):
            fields.append(E("FirstDayOfWeek", r.first_day))
        return E("Calendar:Recurrence", *fields)

    def exceptions(self, wish):
        cal = self.cal
        found = [E("Exception", E("Deleted", 1), *self.instance_of(cal.regular(day)[0])) for day in sorted(cal.deleted)]
        found += [self.exception(day, wish) for day in sorted(cal.exceptions)]
        return E("Calendar:Exceptions", *found) if found else None

    def instance_of(self, original):
        name = "AirSyncBase:InstanceId" if self.at16 else "Calendar:ExceptionStartTime"
        return [E(name, self.moment(original))]

    def exception(self, day, wish):
        """What an occurrence has of its own, an empty element for what it has not; the rest is the series'."""
        cal, own = self.cal.occurrence(day), self.cal.exceptions[day]
        fields = self.instance_of(cal.original)
        if "subject" in own:
            fields.append(E("Calendar:Subject", eas_items.clean(cal.subject)))
        fields += self.times(cal)
        if "location" in own or "place" in own:
            fields += self.place(cal) or [E("AirSyncBase:Location" if self.at16 else "Calendar:Location")]
        fields += self.plain(cal, own)
        if "categories" in own:
            fields.append(E("Calendar:Categories", *[E("Category", c) for c in cal.categories]))
        if "body" in own:
            fields.append(body(self.ctx, cal, wish))
        if "attendees" in own and self.at14:
            fields += self.attendees(cal) or [E("Calendar:Attendees")]
        if "attachments" in own:
            fields += self.attachments(day)
        if "state" in own:
            fields.append(E("Calendar:MeetingStatus", meeting_status(cal)))
        if "my_response" in own and self.at14:
            fields.append(E("Calendar:ResponseType", response_type(cal)))
        fields.append(E("Calendar:DtStamp", compact(cal.stamp)))
        return E("Exception", *fields)

    def plain(self, cal, own):
        fields = []
        if "sensitivity" in own:
            fields.append(E("Calendar:Sensitivity", SENSITIVITY[cal.sensitivity]))
        if "busy" in own:
            elsewhere = cal.busy == "WorkingElsewhere" and not self.at16
            fields.append(E("Calendar:BusyStatus", "0" if elsewhere else BUSY[cal.busy]))
        if "all_day" in own:
            fields.append(E("Calendar:AllDayEvent", int(cal.all_day)))
        if "reminder" in own:
            fields.append(E("Calendar:Reminder", cal.reminder))
        return fields

    def all(self, wish):
        cal = self.cal
        fields = []
        if not self.floating:
            zone = base64.b64encode(cal_zones.blob(cal.zone, cal.zone.local(cal.start).year)).decode()
            fields.append(E("Calendar:Timezone", zone))
        fields.append(E("Calendar:DtStamp", compact(cal.stamp)))
        fields += self.times()
        if cal.subject:
            fields.append(E("Calendar:Subject", eas_items.clean(cal.subject)))
        fields.append(E("Calendar:UID", cal.uid))
        if cal.organizer:
            fields.append(E("Calendar:OrganizerName", eas_items.clean(cal.organizer.name)))
            fields.append(E("Calendar:OrganizerEmail", cal.organizer.email))
        fields += self.attendees(cal) + self.place(cal)
        if cal.recurrence is not None:
            fields.append(self.recurrence())
        fields.append(body(self.ctx, cal, wish))
        if cal.categories:
            fields.append(E("Calendar:Categories", *[E("Category", eas_items.clean(c)) for c in cal.categories]))
        fields += self.plain(
            cal, ("sensitivity", "busy", "all_day") + (("reminder",) if cal.reminder is not None else ())
        )
        exceptions = self.exceptions(wish) if cal.recurrence is not None else None
        if exceptions is not None:
            fields.append(exceptions)
        fields.append(E("Calendar:MeetingStatus", meeting_status(cal)))
        fields.append(E("AirSyncBase:NativeBodyType", eas_items.HTML if cal.body[0] == "HTML" else eas_items.TEXT))
        return fields + self.since14() + self.attachments()

    def since14(self):
        cal = self.cal
        if not self.at14:
            return []
        fields = []
        if cal.is_meeting:
            fields.append(E("Calendar:ResponseRequested", int(cal.response_requested)))
            fields.append(E("Calendar:DisallowNewTimeProposal", int(not cal.new_time_proposal)))
        if cal.reply_time is not None:
            fields.append(E("Calendar:AppointmentReplyTime", compact(cal.reply_time)))
        return fields + [E("Calendar:ResponseType", response_type(cal))]

    def attachments(self, day=None):
        """Of the item, or of an occurrence that has attachments of its own (MS-ASCAL 2.2.2.21)."""
        listed = self.cal.attachments if day is None else self.cal.exceptions[day]["attachments"]
        if not self.at16 or not listed:
            return []
        found = [
            E(
                "AirSyncBase:Attachment",
                E("DisplayName", eas_items.clean(a.name)),
                E("FileReference", file_reference(self.item, a, day)),
                E("Method", 1),
                E("EstimatedDataSize", len(a.data)),
            )
            for a in listed
        ]
        return [E("AirSyncBase:Attachments", *found)]


def file_reference(item, attachment, day=None):
    of_day = f"{day:%Y%m%d}:" if day is not None else ""
    return f"C{item.folder}:{item.num}:{of_day}{attachment.serial}"


def attachment(ctx, reference):
    """The Attachment that a FileReference names, or None."""
    found = re.fullmatch(r"C(\d+):(\d+):(?:(\d{8}):)?(\d+)", reference)
    item = ctx.mailbox.items.get(int(found.group(2))) if found else None
    if item is None or item.cal is None or item.folder != int(found.group(1)):
        return None
    listed = item.cal.attachments
    if found.group(3):
        day = datetime.datetime.strptime(found.group(3), "%Y%m%d").date()
        listed = item.cal.exceptions.get(day, {}).get("attachments", ())
    return next((a for a in listed if a.serial == int(found.group(4))), None)


def meeting_status(cal):
    """1: a meeting, 2: received, 4: canceled; an appointment has none of them."""
    return cal.state if cal.is_meeting else 0


def response_type(cal):
    if cal.is_organizer:
        return "1" if cal.is_meeting else "0"
    return RESPONSE_TYPE.get(cal.my_response, "5") if cal.my_response != "NoResponseReceived" else "5"


def body(ctx, cal, wish):
    """Plain text or HTML by what is asked for first; MIME there is none of an event."""
    kind, size, whole = next(
        (p for p in wish.preferences if p[0] in (eas_items.TEXT, eas_items.HTML)), ("1", None, False)
    )
    native, text = cal.body
    if kind == eas_items.HTML and native != "HTML":
        text = f"<html><body><pre>{eas_items.html.escape(text)}</pre></body></html>" if text else ""
    elif kind == eas_items.TEXT and native == "HTML":
        text = to_text(text)
    raw = eas_items.clean(text).encode()
    cut = size is not None and len(raw) > size
    data = (b"" if whole else eas_items.text_cut(raw, size, kind)) if cut else raw
    fields = [E("Type", kind), E("EstimatedDataSize", eas_items.estimate(ctx, len(raw)))]
    fields += [E("Truncated", 1)] if cut else []
    fields += [E("Data", data.decode())] if data else []
    return E("AirSyncBase:Body", *fields)


def event_data(ctx, item, wish, part=None):
    return Writer(ctx, item).all(wish)
