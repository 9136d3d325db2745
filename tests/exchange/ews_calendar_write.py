# SPDX-License-Identifier: Apache-2.0
"""From the elements of a request to fields of appointments and tasks: times and zones, recurrences, people, updates."""
import base64
import dataclasses
import datetime
import re

import cal_zones
import mimeinfo
from cal_model import BUSY, DEFAULT_REMINDER, MEETING, Attachment, Attendee
from cal_recur import BadRecurrence, DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH, Recurrence
from ews_calendar_schema import DAYS, MONTHS
from ews_calendar_shape import ROLE_LISTS, canonical
from ews_schema import local, violation
from ews_shape import extended_key
from ews_write import children, extended, truth, words
from ews_xml import T, EwsError

STAMP = re.compile(r"(-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
DATE = re.compile(r"(\d{4,}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?")
LENGTH = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")
SETS = {"Day": 127, "Weekday": 62, "WeekendDay": 65}
NTH = ("First", "Second", "Third", "Fourth", "Last")
ROLES = {name: role for role, name in ROLE_LISTS.items()}


# ---- simple values ----


def invalid(element, text):
    name = local(element)
    return violation(
        element, f"The '{name}' element is invalid - The value '{text}' is invalid according to its datatype."
    )


def moment(element, zone):
    """Seconds since 1970 of an xs:dateTime; without an offset it is wall time of `zone`."""
    found = STAMP.fullmatch(words(element))
    try:
        naive = datetime.datetime.fromisoformat(found.group(1))
    except (AttributeError, ValueError):
        raise invalid(element, words(element)) from None
    if not cal_zones.possible(naive):
        raise EwsError("ErrorCalendarOutOfRange", "The time is out of range.")
    if found.group(2) is None:
        return zone.epoch(naive)
    return cal_zones.seconds(naive) - offset_of(found.group(2))


def offset_of(text):
    if text == "Z":
        return 0
    hours, minutes = text[1:].split(":")
    return (-1 if text[0] == "-" else 1) * (int(hours) * 3600 + int(minutes) * 60)


def day_of(element):
    """xs:date; a zone behind it says nothing about the day."""
    found = DATE.fullmatch(words(element))
    try:
        day = datetime.date.fromisoformat(found.group(1))
    except (AttributeError, ValueError):
        raise invalid(element, words(element)) from None
    if day.year < 1602:
        raise EwsError("ErrorCalendarOutOfRange", "The day is out of range.")
    return day


def number(element):
    try:
        return int(words(element))
    except ValueError:
        raise invalid(element, words(element)) from None


def minutes_of(text, element):
    """xs:duration in minutes."""
    found = LENGTH.fullmatch(text or "")
    if not found:
        raise invalid(element, text)
    sign, days, hours, minutes, seconds = found.groups()
    total = int(days or 0) * 1440 + int(hours or 0) * 60 + int(minutes or 0) + int(seconds or 0) // 60
    return -total if sign else total


# ---- zones ----


def zone_of(element):
    """The Zone of a TimeZoneDefinition: a known id is enough, another one needs periods and transitions."""
    ident = element.get("Id")
    known = cal_zones.find(ident) if ident else None
    if known is not None:
        return known
    parts = {local(c): c for c in children(element)}
    if not {"Periods", "TransitionsGroups", "Transitions"} <= set(parts):
        raise EwsError("ErrorTimeZone", "The time zone is not known, and it is not defined.")
    periods = {p.get("Id"): minutes_of(p.get("Bias"), p) for p in children(parts["Periods"])}
    groups = {g.get("Id"): children(g) for g in children(parts["TransitionsGroups"])}
    target = children(children(parts["Transitions"])[-1])[0]
    kind, name = target.get("Kind"), words(target)
    group = groups.get(name) if kind == "Group" else None
    if group is None:
        raise EwsError("ErrorTimeZone", "A transition names no group.")
    return cal_zones.custom(rules_of(group, periods), ident or cal_zones.CUSTOM_ID, element.get("Name"))


def rules_of(group, periods):
    try:
        found = sorted((periods[words(children(t)[0])], t) for t in group)
    except KeyError:
        raise EwsError("ErrorTimeZone", "A transition names no period.") from None
    except TypeError:
        raise EwsError("ErrorTimeZone", "Two transitions lead to the same period.") from None
    if len(found) == 1:
        return cal_zones.Rules(found[0][0], None, None, 0)
    if len(found) != 2 or any(local(t) != "RecurringDayTransition" for _, t in found):
        raise EwsError("ErrorTimeZone", "The transitions cannot be understood.")
    (summer, to_summer), (winter, to_winter) = found  # more west is the larger bias
    return cal_zones.Rules(winter, rule_of(to_winter), rule_of(to_summer), summer - winter)


def rule_of(transition):
    parts = {local(c): c for c in children(transition)}
    at = minutes_of(words(parts["TimeOffset"]), parts["TimeOffset"])
    nth, word = number(parts["Occurrence"]), words(parts["DayOfWeek"])
    if word not in DAYS or nth not in (-1, 1, 2, 3, 4, 5):
        raise EwsError("ErrorTimeZone", "The transitions cannot be understood.")
    return cal_zones.Rule(number(parts["Month"]), DAYS.index(word), LAST if nth == -1 else nth, at // 60, at % 60)


# ---- recurrences ----


def recurrence_of(element):
    pattern, reach = children(element)
    kind, parts = local(pattern), {local(c): c for c in children(pattern)}
    limits = {local(c): c for c in children(reach)}
    fields = {"interval": number(parts["Interval"]) if "Interval" in parts else 1}
    if "DayOfMonth" in parts:
        fields["day"] = number(parts["DayOfMonth"])
    if "DaysOfWeek" in parts:
        fields["days"] = days_of(parts["DaysOfWeek"])
    if "DayOfWeekIndex" in parts:
        fields["index"] = NTH.index(words(parts["DayOfWeekIndex"])) + 1
    if "Month" in parts:
        fields["month"] = MONTHS.index(words(parts["Month"])) + 1
    if "FirstDayOfWeek" in parts:
        fields["first_day"] = DAYS.index(words(parts["FirstDayOfWeek"]))
    if "EndDate" in limits:
        fields["end"] = day_of(limits["EndDate"])
    if "NumberOfOccurrences" in limits:
        fields["count"] = number(limits["NumberOfOccurrences"])
    made = Recurrence(KINDS[kind], day_of(limits["StartDate"]), regenerate=kind.endswith("Regeneration"), **fields)
    if made.end is not None and made.end < made.start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "The recurrence ends before it starts.")
    try:
        if not made.regenerate:
            made.check()
    except BadRecurrence as error:
        raise EwsError(error.code, error.text) from None
    return made


KINDS = {
    "DailyRecurrence": DAILY,
    "WeeklyRecurrence": WEEKLY,
    "AbsoluteMonthlyRecurrence": MONTHLY,
    "RelativeMonthlyRecurrence": MONTHLY_NTH,
    "AbsoluteYearlyRecurrence": YEARLY,
    "RelativeYearlyRecurrence": YEARLY_NTH,
    "DailyRegeneration": DAILY,
    "WeeklyRegeneration": WEEKLY,
    "MonthlyRegeneration": MONTHLY,
    "YearlyRegeneration": YEARLY,
}


def days_of(element):
    found = 0
    for word in words(element).split():
        if word in SETS:
            if found or local(element.getparent()) == "WeeklyRecurrence":
                raise EwsError(
                    "ErrorCalendarInvalidDayForWeeklyRecurrence", f"{word} is no day of a weekly recurrence."
                )
            found = SETS[word]
        elif word in DAYS:
            found |= 1 << DAYS.index(word)
        else:
            raise invalid(element, words(element))
    return found


# ---- the properties ----


def body_of(element):
    kind = element.get("BodyType")
    if kind not in ("HTML", "Text"):
        raise violation(element, "The required attribute 'BodyType' is missing.")
    return kind, element.text or ""


def attendees_of(element):
    role, found = ROLES[local(element)], []
    for one in children(element):
        box = children(one)[0]
        address = (box.findtext(f"{{{T}}}EmailAddress") or "").strip()
        if "@" not in address:
            raise EwsError("ErrorInvalidRecipients", "At least one recipient is not valid.")
        found.append(Attendee(address, box.findtext(f"{{{T}}}Name") or address, role))
    return tuple(found)


def strings(element):
    return tuple(s.text or "" for s in children(element))


def attachment_of(element, serial):
    if local(element) != "FileAttachment":
        code = "ErrorInvalidItemForOperationCreateItemAttachment"
        raise EwsError(code, f"The stand-in stores no {local(element)}.")
    parts = {local(c): c for c in children(element)}
    if "Name" not in parts or "Content" not in parts:
        raise EwsError("ErrorRequiredPropertyMissing", "A file needs a Name and a Content.")
    try:
        data = base64.b64decode("".join(words(parts["Content"]).split()), validate=True)
    except ValueError:
        raise invalid(parts["Content"], "") from None

    def text(name, default=None):
        return words(parts[name]) if name in parts else default

    return Attachment(
        serial,
        parts["Name"].text or "",
        text("ContentType", "application/octet-stream"),
        data,
        text("ContentId"),
        text("IsInline", "false") in ("true", "1"),
    )


def next_serial(attachments):
    return max((a.serial for a in attachments), default=0) + 1


# property -> (fields that it sets, reader); a reader gets the element and returns the value
TEXTS = {
    "Subject": ("subject", lambda e: e.text or ""),
    "Location": ("location", lambda e: e.text or ""),
    "Body": ("body", body_of),
    "Sensitivity": ("sensitivity", words),
    "Importance": ("importance", words),
    "Categories": ("categories", strings),
}
EVENT = {
    **TEXTS,
    "UID": ("uid", words),
    "IsAllDayEvent": ("all_day", truth),
    "LegacyFreeBusyStatus": ("busy", words),
    "IsResponseRequested": ("response_requested", truth),
    "AllowNewTimeProposal": ("new_time_proposal", truth),
    "Recurrence": ("recurrence", recurrence_of),
    "StartTimeZone": ("zone", zone_of),
    "EndTimeZone": ("end_zone", zone_of),
    "ReminderIsSet": ("reminder_set", truth),
    "ReminderMinutesBeforeStart": ("reminder_minutes", number),
    "EnhancedLocation": ("location", lambda e: children(e)[0].text or ""),
}
# May be there or not, and are not kept here: taking them away changes nothing.
NOT_KEPT = {"InReplyTo", "Culture", "MeetingTimeZone", "ReminderDueBy", "Flag", "ConferenceType"}
IGNORED = {"Culture", "ConferenceType", "IsOnlineMeeting", "ReminderDueBy", "MeetingTimeZone", "Flag"}
TIMES = {"Start": "start", "End": "end"}
ONLINE = {"MeetingWorkspaceUrl", "NetShowUrl"}
CLEARED = {
    "subject": "",
    "location": "",
    "body": ("Text", ""),
    "categories": (),
    "recurrence": None,
    "end_zone": None,
    "sensitivity": "Normal",
    "importance": "Normal",
}
SERIES_ONLY = {"Recurrence", "UID"}


# MAPI properties that are another way to say a property of the item: (type, field, value, without it)
SAME_AS = {
    ("tag", 0x0037): ("String", "subject", str, ""),
    ("tag", 0x1000): ("String", "body", lambda text: ("Text", text), ("Text", "")),
    ("appointment", 0x8208): ("String", "location", str, ""),
    ("appointment", 0x8205): ("Integer", "busy", lambda text: BUSY[int(text)], "Busy"),
    ("appointment", 0x8215): ("Boolean", "all_day", lambda text: text in ("true", "1"), False),
    ("appointment", 0x8217): ("Integer", "state", lambda text: int(text) & 7, 0),
}


class EventChange:
    """What one request does to an event: `fields` for cal_model, extended properties apart."""

    def __init__(self, context_zone, version, before=None):
        self.context, self.version, self.before = context_zone, version, before
        self.fields, self.times = {}, {}
        self.people = list(getattr(before, "attendees", ()))
        self.set_ext, self.del_ext = {}, []
        self.reminder = {}
        self.names = set()

    def set(self, element, name=None):
        name = name or local(element)
        self.names.add(name)
        if name == "ExtendedProperty":
            self.set_extended(*extended(element))
        elif name in TIMES:
            self.times[TIMES[name]] = element
        elif name in ROLES:
            self.replace_people(name, attendees_of(element))
        elif name in ONLINE:
            self.fields["online"] = tuple({**dict(self.get("online", ())), name: words(element)}.items())
        elif name in ("ReminderIsSet", "ReminderMinutesBeforeStart"):
            self.reminder[name] = EVENT[name][1](element)
        elif name in EVENT:
            self.check_version(name)
            field, reader = EVENT[name]
            self.fields[field] = reader(element)
        elif name not in IGNORED:
            raise EwsError("ErrorInvalidPropertySet", f"The property {name} cannot be set.")

    def set_extended(self, key, kind, value):
        key = canonical(key)
        if key not in SAME_AS:
            self.set_ext[key] = (kind, value)
            return
        wanted, field, read, _ = SAME_AS[key]
        if kind != wanted:
            raise EwsError("ErrorInvalidExtendedProperty", "The property has another type.")
        try:
            self.fields[field] = read(value)
        except (ValueError, IndexError):
            raise EwsError("ErrorInvalidExtendedPropertyValue", "The value does not fit the property.") from None

    def delete_extended(self, key):
        key = canonical(key)
        if key in SAME_AS:
            self.fields[SAME_AS[key][1]] = SAME_AS[key][3]
        else:
            self.del_ext.append(key)

    def get(self, field, default=None):
        return self.fields.get(field, getattr(self.before, field) if self.before is not None else default)

    def check_version(self, name):
        if (
            name in ("StartTimeZone", "EndTimeZone")
            and self.version < 2
            or name == "EnhancedLocation"
            and self.version < 5
        ):
            raise EwsError("ErrorInvalidPropertyRequest", f"{name} needs a newer RequestServerVersion.")

    def append(self, element):
        name = local(element)
        if name == "Body":
            kind, text = body_of(element)
            before = self.get("body", (kind, ""))
            self.fields["body"] = (before[0], before[1] + text)
        elif name in ROLES:
            self.people = self.people + list(attendees_of(element))
            self.names.add(name)
        else:
            raise EwsError("ErrorInvalidPropertyAppend", f"Nothing can be appended to {name}.")

    def delete(self, name):
        self.names.add(name)
        if name in ROLES:
            return self.replace_people(name, ())
        if name in ONLINE:
            self.fields["online"] = tuple(p for p in self.get("online", ()) if p[0] != name)
            return None
        if name in NOT_KEPT:
            return None
        field = EVENT.get(name, (None,))[0]
        if field not in CLEARED:
            raise EwsError("ErrorInvalidPropertyDelete", f"The property {name} cannot be deleted.")
        self.fields[field] = CLEARED[field]
        return None

    def replace_people(self, name, found):
        old = {a.email.casefold(): a for a in self.people}
        kept = [a for a in self.people if a.role != ROLES[name]]
        for one in found:
            known = old.get(one.email.casefold())
            kept.append(dataclasses.replace(known, role=one.role, name=one.name) if known else one)
        self.people = kept

    def finish(self):
        """The fields with times, zones and reminders worked out."""
        fields = self.fields
        before = self.before
        zone = fields.get("zone")
        start_zone = zone or self.context or cal_zones.utc()
        end_zone = fields.get("end_zone") or self.context or cal_zones.utc()
        for name, element in self.times.items():
            fields[name] = moment(element, start_zone if name == "start" else end_zone)
        if before is None:
            fields.setdefault("zone", self.context or cal_zones.utc())
        elif zone is not None and "start" not in fields:  # the clock stays, the instant moves
            fields["start"] = zone.epoch(before.zone.local(before.start))
            if "end" not in fields:
                fields["end"] = (fields.get("end_zone") or zone).epoch(
                    (before.end_zone or before.zone).local(before.end)
                )
        if self.names & set(ROLES):
            fields["attendees"] = tuple(self.people)
            state = before.state if before is not None else 0
            fields["state"] = state | MEETING if self.people else state
        self.finish_reminder(fields)
        return fields

    def finish_reminder(self, fields):
        wish, minutes = self.reminder.get("ReminderIsSet"), self.reminder.get("ReminderMinutesBeforeStart")
        if wish is False:
            fields["reminder"] = None
        elif minutes is not None and (wish or self.before is None or self.before.reminder is not None):
            fields["reminder"] = minutes
        elif wish:
            fields["reminder"] = self.get("reminder") if self.get("reminder") is not None else DEFAULT_REMINDER
        elif self.before is None:
            fields["reminder"] = DEFAULT_REMINDER


# ---- tasks ----

TASK = {
    **TEXTS,
    "Status": ("status", words),
    "Recurrence": ("recurrence", recurrence_of),
    "ReminderIsSet": ("reminder_set", truth),
}
del TASK["Location"]
TASK_DAYS = {"StartDate": "start", "DueDate": "due"}
TASK_KEPT = "ActualWork BillingInformation Mileage TotalWork".split()
TASK_LISTS = ("Companies", "Contacts")
TASK_CLEARED = {**{n: CLEARED[n] for n in ("subject", "body", "categories", "recurrence")}, "start": None, "due": None}


class TaskChange(EventChange):
    def set(self, element, name=None):
        name = name or local(element)
        self.names.add(name)
        if name == "ExtendedProperty":
            self.set_extended(*extended(element))
        elif name in TASK_DAYS:
            # the day that it is in the zone of the request; the time is dropped
            zone = self.context or cal_zones.utc()
            self.fields[TASK_DAYS[name]] = zone.local(moment(element, zone)).date()
        elif name == "ReminderDueBy":
            self.reminder["due"] = moment(element, self.context or cal_zones.utc())
        elif name == "ReminderIsSet":
            self.reminder["set"] = truth(element)
        elif name == "PercentComplete":
            self.fields["percent"] = self.percent(element)
        elif name == "CompleteDate":
            self.fields.pop("completed", None)  # the order counts
            self.fields["completed"] = moment(element, self.context or cal_zones.utc())
        elif name in TASK_KEPT + list(TASK_LISTS):
            value = strings(element) if name in TASK_LISTS else words(element)
            self.fields["more"] = tuple({**dict(self.get("more", ())), name: value}.items())
        elif name in TASK:
            field, reader = TASK[name]
            self.fields[field] = reader(element)
        elif name not in ("Culture", "ReminderMinutesBeforeStart"):
            raise EwsError("ErrorInvalidPropertySet", f"The property {name} cannot be set.")

    @staticmethod
    def percent(element):
        try:
            value = float(words(element))
        except ValueError:
            raise invalid(element, words(element)) from None
        if not 0 <= value <= 100:
            raise EwsError("ErrorInvalidValueForProperty", "PercentComplete is 0 to 100.")
        return int(value)

    def delete(self, name):
        self.names.add(name)
        if name in TASK_KEPT + list(TASK_LISTS):
            self.fields["more"] = tuple(p for p in self.get("more", ()) if p[0] != name)
            return
        if name == "CompleteDate":
            self.fields.update(completed=None)
            self.fields.setdefault("status", "NotStarted")
            return
        if name == "ReminderDueBy":
            self.reminder["set"] = False
            return
        if name in NOT_KEPT:
            return
        field = TASK_DAYS.get(name) or TASK.get(name, (None,))[0]
        if field not in TASK_CLEARED:
            raise EwsError("ErrorInvalidPropertyDelete", f"The property {name} cannot be deleted.")
        self.fields[field] = TASK_CLEARED[field]

    def finish(self):
        fields = self.fields
        if self.reminder.get("set") is False:
            fields["reminder"] = None
        elif "due" in self.reminder:
            fields["reminder"] = self.reminder["due"]
        elif self.reminder.get("set") and self.get("reminder") is None:
            due = self.get("due") or self.get("start")
            fields["reminder"] = cal_zones.seconds(datetime.datetime.combine(due, datetime.time(8))) if due else None
        return fields


# ---- one SetItemField, AppendToItemField or DeleteItemField ----


def apply_update(update, change, paths, occurrence):
    parts = children(update)
    path, kind = parts[0], local(update)
    if local(path) == "ExtendedFieldURI":
        key, property_type = extended_key(path)
        if kind == "DeleteItemField":
            change.delete_extended(key)
            return
        inner = children(parts[1])
        if len(inner) != 1 or local(inner[0]) != "ExtendedProperty":
            raise EwsError("ErrorIncorrectUpdatePropertyCount", "One property per SetItemField.")
        if extended(inner[0])[:2] != (key, property_type):
            raise EwsError("ErrorUpdatePropertyMismatch", "The path and the value name different properties.")
        change.set(inner[0])
        return
    uri = path.get("FieldURI")
    name = paths.get(uri)
    if name is None or (occurrence and name in SERIES_ONLY):
        raise EwsError("ErrorInvalidPropertySet", f"The property {uri} cannot be set.")
    if kind == "DeleteItemField":
        change.delete(name)
        return
    inner = children(parts[1])
    if len(inner) != 1:
        raise EwsError("ErrorIncorrectUpdatePropertyCount", "One property per SetItemField.")
    if local(inner[0]) != name:
        raise EwsError("ErrorUpdatePropertyMismatch", "The path and the value name different properties.")
    if kind == "AppendToItemField":
        change.append(inner[0])
    else:
        change.set(inner[0], name)


def organizer(mailbox):
    return mimeinfo.Address(mailbox.display_name, mailbox.email)
