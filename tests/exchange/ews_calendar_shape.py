# SPDX-License-Identifier: Apache-2.0
"""Calendar items and tasks as EWS shows them: ids of occurrences, properties, shapes."""
import base64
import datetime
import html
import struct

import cal_zones
from cal_model import EVENT_CLASS, TASK_CLASS, Appointment, goid_of, with_date
from clock import iso
from ews_calendar_schema import CALENDAR_ORDER, TASK_ORDER
from ews_calendar_xml import offset_text, recurrence_xml, to_text, zone_xml
from ews_schema import violation
from ews_shape import (
    CHECKS,
    ITEM_PROPS,
    NOT_IN_LISTS,
    V2007,
    V2010,
    V2013,
    View,
    extended_value,
    extended_xml,
)
from ews_xml import (
    EwsError,
    boolean,
    esc,
    folder_element,
    item_id,
    item_key,
    occurrence_id,
)

ROLE_LISTS = {"Required": "RequiredAttendees", "Optional": "OptionalAttendees", "Resource": "Resources"}


class CalView(View):
    """A single event, a series or one occurrence being looked at. `day` names an occurrence."""

    def __init__(self, mailbox, item, options, version, day=None, zone=None, full_zones=False):
        super().__init__(mailbox, item, options, version)
        self.series = item.cal
        self.day = day
        self.cal = item.cal.occurrence(day) if day is not None else item.cal
        self.zone = zone  # of TimeZoneContext
        self.full_zones = full_zones
        self.element = "CalendarItem"

    # what the table of all items asks for

    def subject(self):
        return self.cal.subject

    def body(self, name="Body", kind=None):
        return body_xml(self, self.cal.body, name, kind)

    def attachments(self):
        return attachments_xml(self)

    def headers(self):
        return None

    def conversation(self):
        return item_id(self.mailbox, self.item.num)

    @property
    def info(self):
        return CalInfo(self.cal)

    @property
    def structure(self):
        kind, text = self.cal.body
        return (to_text(text), text, []) if kind == "HTML" else (text, None, [])

    def written(self, shape, mime=None):
        return write(shape, self, mime)

    # ids

    def id_xml(self, name="ItemId", day=None):
        day = self.day if day is None else day
        key = item_key(self.mailbox, self.item)
        if day is None:
            ident = item_id(self.mailbox, self.item.num)
        else:
            edited = self.options.ews_edited_ids and day in self.series.exceptions
            ident = occurrence_id(self.mailbox, self.item.num, day, edited)
        return f'<t:{name} Id="{ident}" ChangeKey="{key}"/>'

    # values

    def time(self, name, instant):
        return None if instant is None else f"<t:{name}>{self.stamp(instant)}</t:{name}>"

    def stamp(self, instant):
        """Times are UTC unless the request named a zone; then they carry its offset."""
        if self.zone is None:
            return iso(instant)
        offset = self.zone.offset(instant)
        local_time = (cal_zones.EPOCH + datetime.timedelta(seconds=instant + offset)).isoformat()
        return local_time + offset_text(offset)

    @property
    def kind(self):
        if self.day is not None:
            return "Exception" if self.cal.edited else "Occurrence"
        return "RecurringMaster" if self.cal.recurrence is not None else "Single"


class CalInfo:
    """The few things that the table of all items reads from a message's headers."""

    def __init__(self, cal):
        self.importance = cal.importance
        self.in_reply_to = self.date = None
        self.to, self.cc, self.bcc, self.headers = [], [], [], []
        self.has_attachments = bool(cal.attachments)
        self.conversation_topic = cal.subject
        if isinstance(cal, Appointment):
            self.to = [a for a in cal.attendees if a.role == "Required"]
            self.cc = [a for a in cal.attendees if a.role == "Optional"]


def body_xml(view, body, name, kind):
    kind = kind or view.body_type
    native, text = body
    if kind == "Best":
        kind = native
    if kind == "HTML" and native != "HTML":
        text = f"<html><body><pre>{html.escape(text)}</pre></body></html>"
    elif kind == "Text" and native == "HTML":
        text = to_text(text)
    return f'<t:{name} BodyType="{kind}">{view.esc(text)}</t:{name}>'


def attachments_xml(view):
    out = []
    for found in view.cal.attachments:
        ident = cal_attachment_id(view.mailbox, view.item, view.day, found.serial)
        content_id = f"<t:ContentId>{view.esc(found.content_id)}</t:ContentId>" if found.content_id else ""
        more = (
            f"<t:Size>{len(found.data) + 300}</t:Size><t:LastModifiedTime>{iso(view.item.modified)}"
            f"</t:LastModifiedTime><t:IsInline>{boolean(found.inline)}</t:IsInline>"
            if view.version >= V2010
            else ""
        )
        out.append(
            f'<t:FileAttachment><t:AttachmentId Id="{ident}"/><t:Name>{view.esc(found.name)}</t:Name>'
            f"<t:ContentType>{esc(found.content_type)}</t:ContentType>{content_id}{more}</t:FileAttachment>"
        )
    return f"<t:Attachments>{''.join(out)}</t:Attachments>" if out else None


def cal_attachment_id(mailbox, item, day, serial):
    raw = base64.b64decode(item_id(mailbox, item.num))
    return base64.b64encode(raw + b"CAT" + struct.pack(">IH", day.toordinal() if day else 0, serial)).decode()


# ---- calendar items ----


def _flag(name, value):
    return lambda v: f"<t:{name}>{boolean(value(v))}</t:{name}>"


def _word(name, value):
    return lambda v: v.text(name, value(v))


def _number(name, value):
    return lambda v: None if value(v) is None else f"<t:{name}>{value(v)}</t:{name}>"


def _time(name, value):
    return lambda v: v.time(name, value(v))


def people_of(role):
    return lambda v: attendees_xml(v, role)


def attendees_xml(v, role):
    found = [a for a in v.cal.attendees if a.role == role]
    if not found:
        return None
    out = []
    for one in found:
        replied = v.time("LastResponseTime", one.replied) or ""
        out.append(f"<t:Attendee>{v.person(one)}<t:ResponseType>{one.response}</t:ResponseType>{replied}</t:Attendee>")
    return f"<t:{ROLE_LISTS[role]}>{''.join(out)}</t:{ROLE_LISTS[role]}>"


def organizer_xml(v):
    return f"<t:Organizer>{v.person(v.cal.organizer)}</t:Organizer>" if v.cal.organizer else None


def recurrence_of(v):
    if v.cal.recurrence is None:
        return None
    if v.cal.zoneless:
        raise EwsError("ErrorCorruptData", "The recurrence of the item is corrupt.")
    zone = v.cal.zone
    return recurrence_xml(v.cal.recurrence, lambda day: day.isoformat() + offset_text(zone.offset(zone.midnight(day))))


def occurrence_info(v, name, day):
    start, end = v.series.span(day)
    original = v.series.regular(day)[0]
    return (
        f"<t:{name}>{v.id_xml(day=day)}{v.time('Start', start)}{v.time('End', end)}"
        f"{v.time('OriginalStart', original)}</t:{name}>"
    )


def edge_occurrence(name, last):
    def write(v):
        if v.cal.recurrence is None or (last and v.cal.recurrence.last() is None):
            return None
        days = list(v.series.dates()) if last else [next(v.series.dates(), None)]
        return occurrence_info(v, name, days[-1]) if days and days[-1] else None

    return write


def modified_occurrences(v):
    if v.cal.recurrence is None or not v.cal.exceptions:
        return None
    found = "".join(occurrence_info(v, "Occurrence", day) for day in sorted(v.cal.exceptions))
    return f"<t:ModifiedOccurrences>{found}</t:ModifiedOccurrences>"


def deleted_occurrences(v):
    if v.cal.recurrence is None or not v.cal.deleted:
        return None
    found = "".join(
        f"<t:DeletedOccurrence>{v.time('Start', v.series.regular(day)[0])}</t:DeletedOccurrence>"
        for day in sorted(v.cal.deleted)
    )
    return f"<t:DeletedOccurrences>{found}</t:DeletedOccurrences>"


def zone_of(name, end):
    def write(v):
        zone = v.cal.end_zone or v.cal.zone if end else v.cal.zone
        return None if v.cal.zoneless else zone_xml(name, zone, v.full_zones, v.cal.zone.local(v.cal.start).year)

    return write


def wall_clock(name, end):
    def write(v):
        zone, instant = (v.cal.end_zone or v.cal.zone, v.cal.end) if end else (v.cal.zone, v.cal.start)
        return f"<t:{name}>{zone.local(instant).isoformat()}{offset_text(zone.offset(instant))}</t:{name}>"

    return write


def enhanced_location(v):
    if not v.cal.location:
        return None
    return (
        f"<t:EnhancedLocation><t:DisplayName>{v.esc(v.cal.location)}</t:DisplayName><t:PostalAddress><t:Type>Business"
        f"</t:Type><t:LocationSource>None</t:LocationSource></t:PostalAddress></t:EnhancedLocation>"
    )


def length_text(v):
    minutes = (v.cal.end - v.cal.start) // 60
    days, rest = divmod(minutes, 1440)
    clock = "".join(f"{n}{u}" for n, u in ((rest // 60, "H"), (rest % 60, "M")) if n)
    return f"P{days}D" + (f"T{clock}" if clock else "") if days else f"PT{clock or '0S'}"


def reminder_due(v):
    return v.time("ReminderDueBy", v.cal.start) if v.cal.reminder is not None else None


def minutes_before(v):
    return f"<t:ReminderMinutesBeforeStart>{v.cal.reminder or 0}</t:ReminderMinutesBeforeStart>"


def in_utc_words(v):
    return f"{iso(v.cal.start)} - {iso(v.cal.end)}"


OVERRIDES = {
    "ItemId": ("item:ItemId", lambda v: v.id_xml(), V2007),
    "ParentFolderId": (
        "item:ParentFolderId",
        lambda v: folder_element(v.mailbox, v.mailbox.folders[v.item.folder], "ParentFolderId"),
        V2007,
    ),
    "Sensitivity": ("item:Sensitivity", _word("Sensitivity", lambda v: v.cal.sensitivity), V2007),
    "Categories": (
        "item:Categories",
        lambda v: "<t:Categories>%s</t:Categories>"
        % "".join(f"<t:String>{v.esc(c)}</t:String>" for c in v.cal.categories)
        if v.cal.categories
        else None,
        V2007,
    ),
    "ReminderIsSet": ("item:ReminderIsSet", _flag("ReminderIsSet", lambda v: v.cal.reminder is not None), V2007),
}
EVENT_PROPS = {
    **ITEM_PROPS,
    **OVERRIDES,
    "ItemClass": (
        "item:ItemClass",
        _word("ItemClass", lambda v: EVENT_CLASS if v.day is None else "IPM.Appointment.Occurrence"),
        V2007,
    ),
    "ReminderDueBy": ("item:ReminderDueBy", reminder_due, V2007),
    "ReminderMinutesBeforeStart": ("item:ReminderMinutesBeforeStart", minutes_before, V2007),
    "UID": ("calendar:UID", _word("UID", lambda v: v.cal.uid), V2007),
    "RecurrenceId": ("calendar:RecurrenceId", _time("RecurrenceId", lambda v: v.cal.original), V2007),
    "DateTimeStamp": ("calendar:DateTimeStamp", _time("DateTimeStamp", lambda v: v.cal.stamp), V2007),
    "Start": ("calendar:Start", _time("Start", lambda v: v.cal.start), V2007),
    "End": ("calendar:End", _time("End", lambda v: v.cal.end), V2007),
    "OriginalStart": ("calendar:OriginalStart", _time("OriginalStart", lambda v: v.cal.original), V2007),
    "IsAllDayEvent": ("calendar:IsAllDayEvent", _flag("IsAllDayEvent", lambda v: v.cal.all_day), V2007),
    "LegacyFreeBusyStatus": (
        "calendar:LegacyFreeBusyStatus",
        _word(
            "LegacyFreeBusyStatus",
            lambda v: "Free" if v.cal.busy == "WorkingElsewhere" and v.version < V2013 else v.cal.busy,
        ),
        V2007,
    ),
    "Location": ("calendar:Location", _word("Location", lambda v: v.cal.location or None), V2007),
    "When": ("calendar:When", _word("When", in_utc_words), V2007),
    "IsMeeting": ("calendar:IsMeeting", _flag("IsMeeting", lambda v: v.cal.is_meeting), V2007),
    "IsCancelled": ("calendar:IsCancelled", _flag("IsCancelled", lambda v: bool(v.cal.state & 4)), V2007),
    "IsRecurring": ("calendar:IsRecurring", _flag("IsRecurring", lambda v: v.day is not None), V2007),
    "MeetingRequestWasSent": (
        "calendar:MeetingRequestWasSent",
        _flag("MeetingRequestWasSent", lambda v: v.cal.sent),
        V2007,
    ),
    "IsResponseRequested": (
        "calendar:IsResponseRequested",
        _flag("IsResponseRequested", lambda v: v.cal.response_requested),
        V2007,
    ),
    "CalendarItemType": ("calendar:CalendarItemType", _word("CalendarItemType", lambda v: v.kind), V2007),
    "MyResponseType": ("calendar:MyResponseType", _word("MyResponseType", lambda v: v.cal.my_response), V2007),
    "Organizer": ("calendar:Organizer", organizer_xml, V2007),
    "RequiredAttendees": ("calendar:RequiredAttendees", people_of("Required"), V2007),
    "OptionalAttendees": ("calendar:OptionalAttendees", people_of("Optional"), V2007),
    "Resources": ("calendar:Resources", people_of("Resource"), V2007),
    "Duration": ("calendar:Duration", _word("Duration", length_text), V2007),
    "TimeZone": ("calendar:TimeZone", _word("TimeZone", lambda v: v.cal.zone.name), V2007),
    "AppointmentReplyTime": (
        "calendar:AppointmentReplyTime",
        _time("AppointmentReplyTime", lambda v: v.cal.reply_time),
        V2007,
    ),
    "AppointmentSequenceNumber": (
        "calendar:AppointmentSequenceNumber",
        _number("AppointmentSequenceNumber", lambda v: v.cal.sequence),
        V2007,
    ),
    "AppointmentState": ("calendar:AppointmentState", _number("AppointmentState", lambda v: v.cal.state), V2007),
    "Recurrence": ("calendar:Recurrence", recurrence_of, V2007),
    "FirstOccurrence": ("calendar:FirstOccurrence", edge_occurrence("FirstOccurrence", False), V2007),
    "LastOccurrence": ("calendar:LastOccurrence", edge_occurrence("LastOccurrence", True), V2007),
    "ModifiedOccurrences": ("calendar:ModifiedOccurrences", modified_occurrences, V2007),
    "DeletedOccurrences": ("calendar:DeletedOccurrences", deleted_occurrences, V2007),
    "StartTimeZone": ("calendar:StartTimeZone", zone_of("StartTimeZone", False), V2010),
    "EndTimeZone": ("calendar:EndTimeZone", zone_of("EndTimeZone", True), V2010),
    "ConferenceType": ("calendar:ConferenceType", _number("ConferenceType", lambda v: 0), V2007),
    "AllowNewTimeProposal": (
        "calendar:AllowNewTimeProposal",
        _flag("AllowNewTimeProposal", lambda v: v.cal.new_time_proposal),
        V2007,
    ),
    "IsOnlineMeeting": ("calendar:IsOnlineMeeting", _flag("IsOnlineMeeting", lambda v: False), V2007),
    "EnhancedLocation": ("calendar:EnhancedLocation", enhanced_location, V2013),
    "StartWallClock": ("calendar:StartWallClock", wall_clock("StartWallClock", False), V2013),
    "EndWallClock": ("calendar:EndWallClock", wall_clock("EndWallClock", True), V2013),
    "StartTimeZoneId": (
        "calendar:StartTimeZoneId",
        _word("StartTimeZoneId", lambda v: None if v.cal.zoneless else v.cal.zone.id),
        V2013,
    ),
    "EndTimeZoneId": (
        "calendar:EndTimeZoneId",
        _word("EndTimeZoneId", lambda v: None if v.cal.zoneless else (v.cal.end_zone or v.cal.zone).id),
        V2013,
    ),
    "IsOrganizer": ("calendar:IsOrganizer", _flag("IsOrganizer", lambda v: v.cal.is_organizer), V2013),
}
ONLINE = ("MeetingWorkspaceUrl", "NetShowUrl")
for _name in ONLINE:
    EVENT_PROPS[_name] = (
        "calendar:" + _name,
        (lambda name: lambda v: v.text(name, dict(v.cal.online).get(name)))(_name),
        V2007,
    )


# ---- tasks ----


class TaskView(CalView):
    def __init__(self, mailbox, item, options, version, zone=None):
        super().__init__(mailbox, item, options, version, None, zone)
        self.element = "Task"

    def date(self, name, day):
        """Dates are midnight of the zone of the request."""
        if day is None:
            return None
        zone = self.zone or cal_zones.utc()
        return self.time(name, zone.midnight(day))


def task_recurrence(v):
    r = v.cal.recurrence
    return None if r is None else recurrence_xml(r, lambda day: day.isoformat() + "Z")


TASK_PROPS = {
    **ITEM_PROPS,
    **OVERRIDES,
    "ItemClass": ("item:ItemClass", _word("ItemClass", lambda v: TASK_CLASS), V2007),
    "ReminderDueBy": ("item:ReminderDueBy", _time("ReminderDueBy", lambda v: v.cal.reminder), V2007),
    "ChangeCount": ("task:ChangeCount", _number("ChangeCount", lambda v: v.item.seq), V2007),
    "CompleteDate": ("task:CompleteDate", _time("CompleteDate", lambda v: v.cal.completed), V2007),
    "DelegationState": ("task:DelegationState", _word("DelegationState", lambda v: "NoMatch"), V2007),
    "DueDate": ("task:DueDate", lambda v: v.date("DueDate", v.cal.due), V2007),
    "IsComplete": ("task:IsComplete", _flag("IsComplete", lambda v: v.cal.status == "Completed"), V2007),
    "IsRecurring": ("task:IsRecurring", _flag("IsRecurring", lambda v: v.cal.recurrence is not None), V2007),
    "IsTeamTask": ("task:IsTeamTask", _flag("IsTeamTask", lambda v: False), V2007),
    "Owner": ("task:Owner", _word("Owner", lambda v: v.mailbox.display_name), V2007),
    "PercentComplete": ("task:PercentComplete", _number("PercentComplete", lambda v: v.cal.percent), V2007),
    "Recurrence": ("task:Recurrence", task_recurrence, V2007),
    "StartDate": ("task:StartDate", lambda v: v.date("StartDate", v.cal.start), V2007),
    "Status": ("task:Status", _word("Status", lambda v: v.cal.status), V2007),
    "StatusDescription": ("task:StatusDescription", _word("StatusDescription", lambda v: None), V2007),
}
KEPT = "ActualWork BillingInformation Mileage TotalWork".split()
for _name in KEPT:
    TASK_PROPS[_name] = (
        "task:" + _name,
        (lambda name: lambda v: v.text(name, dict(v.cal.more).get(name)))(_name),
        V2007,
    )
for _name in ("Companies", "Contacts"):
    TASK_PROPS[_name] = (
        "task:" + _name,
        (
            lambda name: lambda v: f"<t:{name}>%s</t:{name}>"
            % "".join(f"<t:String>{v.esc(s)}</t:String>" for s in dict(v.cal.more)[name])
            if dict(v.cal.more).get(name)
            else None
        )(_name),
        V2007,
    )

KINDS = {"CalendarItem": (CALENDAR_ORDER, EVENT_PROPS), "Task": (TASK_ORDER, TASK_PROPS)}
DEFAULT_SHAPES = {
    "CalendarItem": """ItemId Subject HasAttachments Start End LegacyFreeBusyStatus Location CalendarItemType Organizer
IsMeeting MyResponseType Sensitivity Body Attachments""".split(),
    "Task": """ItemId Subject HasAttachments DueDate PercentComplete StartDate Status Sensitivity Body
Attachments""".split(),
}
NOT_IN_ALL = {"UniqueBody", "TextBody", "Preview"}
# A series in a list has neither pattern nor exceptions, nor people (MS-OXWSCORE 3.1.4.4, MS-OXWSSYNC).
NOT_IN_LISTED = NOT_IN_LISTS | set(
    "RequiredAttendees OptionalAttendees Resources Recurrence FirstOccurrence LastOccurrence ModifiedOccurrences "
    "DeletedOccurrences StartTimeZone EndTimeZone".split()
)
EMPTY = set(
    """calendar:ConflictingMeetingCount calendar:AdjacentMeetingCount calendar:ConflictingMeetings
calendar:AdjacentMeetings calendar:InboxReminders calendar:MeetingTimeZone calendar:JoinOnlineMeetingUrl
calendar:OnlineMeetingSettings calendar:CalendarActivityData calendar:IntendedFreeBusyStatus task:AssignedTime
task:Delegator task:IsAssignmentEditable meeting:ProposedStart meeting:ProposedEnd meetingRequest:ChangeHighlights
meetingRequest:MeetingRequestType meetingRequest:IntendedFreeBusyStatus meeting:AssociatedCalendarItemId
meeting:IsDelegated meeting:IsOutOfDate meeting:HasBeenProcessed meeting:ResponseType""".split()
)
NOT_SEARCHABLE = set(
    "calendar:RequiredAttendees calendar:OptionalAttendees calendar:Resources calendar:Recurrence "
    "calendar:FirstOccurrence calendar:LastOccurrence calendar:ModifiedOccurrences calendar:DeletedOccurrences "
    "calendar:UID calendar:When task:Recurrence".split()
)
PATHS = {name: {path: n for n, (path, _, _) in props.items()} for name, (_, props) in KINDS.items()}
KNOWN = EMPTY | set(PATHS["CalendarItem"]) | set(PATHS["Task"])
SINCE = {path: since for _, props in KINDS.values() for path, _, since in props.values()}


def add_kind(element, order, props, default):
    """Another element that is written by these tables: messages about meetings."""
    KINDS[element] = order, props
    PATHS[element] = {path: name for name, (path, _, _) in props.items()}
    DEFAULT_SHAPES[element] = default
    KNOWN.update(PATHS[element])


def check_path(path, uri, version):
    """A property of calendar items, tasks or meetings in a request's shape."""
    if uri not in KNOWN:
        raise violation(path, f"The 'FieldURI' attribute is invalid - The value '{uri}' is not known.")
    if SINCE.get(uri, V2007) > version:
        raise EwsError("ErrorInvalidPropertyRequest", f"The property {uri} needs a newer RequestServerVersion.")


CHECKS["path"] = check_path


def names_of(shape, element):
    order, props = KINDS[element]
    names = {"ItemId"}
    if shape.base == "Default":
        names.update(DEFAULT_SHAPES[element])
    elif shape.base == "AllProperties":
        names.update(n for n, (_, _, since) in props.items() if since <= shape.version and n not in NOT_IN_ALL)
    names |= {PATHS[element][uri] for uri in shape.uris if uri in PATHS[element]}
    if shape.listing:
        names -= NOT_IN_LISTED
    return [n for n in order if n in names or n == "ExtendedProperty"]


def write(shape, view, mime=None):
    """The item as an ItemShape wants it."""
    view.body_type = shape.body_type
    props = KINDS[view.element][1]
    out = [f"<t:{view.element}>"]
    if mime is not None:
        out.append(f'<t:MimeContent CharacterSet="UTF-8">{base64.b64encode(mime).decode()}</t:MimeContent>')
    for name in names_of(shape, view.element):
        if name == "ExtendedProperty":
            for key, kind, uri in shape.extended:
                value = cal_extended(view, key, kind)
                if value is not None:
                    out.append(extended_xml(uri, value, view.esc))
        else:
            text = props[name][1](view)
            if text is not None:
                out.append(text)
    out.append(f"</t:{view.element}>")
    return "".join(out)


# ---- MAPI properties by name ----

SETS_OF = {
    "appointment": "00062002-0000-0000-c000-000000000046",
    "meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "common": "00062008-0000-0000-c000-000000000046",
    "task": "00062003-0000-0000-c000-000000000046",
    "publicstrings": "00020329-0000-0000-c000-000000000046",
}
NAMED = {
    ("meeting", 0x03): ("Binary", lambda v: goid(v, True)),
    ("meeting", 0x23): ("Binary", lambda v: goid(v, False)),
    ("appointment", 0x8223): ("Boolean", lambda v: boolean(v.cal.recurrence is not None)),
    ("appointment", 0x820D): ("SystemTime", lambda v: iso(v.cal.start)),
    ("appointment", 0x820E): ("SystemTime", lambda v: iso(v.cal.end)),
    ("appointment", 0x8208): ("String", lambda v: v.cal.location or None),
    ("appointment", 0x8205): (
        "Integer",
        lambda v: str(("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere").index(v.cal.busy)),
    ),
    ("appointment", 0x8215): ("Boolean", lambda v: boolean(v.cal.all_day)),
    ("appointment", 0x8217): ("Integer", lambda v: str(v.cal.state)),
    ("appointment", 0x8201): ("Integer", lambda v: str(v.cal.sequence)),
    ("common", 0x8503): ("Boolean", lambda v: boolean(v.cal.reminder is not None)),
}


def goid(v, with_day):
    data = goid_of(v.cal.uid)
    return base64.b64encode(with_date(data, v.day) if with_day and v.day else data).decode()


def canonical(key):
    """Property sets by their short name, whichever way the request writes them."""
    return next((name for name, guid in SETS_OF.items() if guid == key[0]), key[0]), key[1]


def cal_extended(view, key, kind):
    if view.item.cal is None:
        return extended_value(view, key, kind)
    key = canonical(key)
    stored = dict(view.cal.ext).get(key) if view.day is not None else None
    if stored is not None:
        return stored[1] if stored[0] == kind else None
    if key in NAMED and view.element == "CalendarItem":
        wanted, value = NAMED[key]
        return value(view) if wanted == kind else None
    if key == ("publicstrings", "Keywords"):
        return list(view.cal.categories) or None
    found = {k: v for k, v in (view.item.ext or {}).items() if canonical(k) == key}
    for kind_stored, value in found.values():
        return value if kind_stored == kind else None
    return extended_value(view, key, kind) if key[0] == "tag" else None


def views(mailbox, options, version, zone=None):
    """item, day -> the view that fits it."""

    def make(item, day=None):
        if isinstance(item.cal, Appointment):
            return CalView(mailbox, item, options, version, day, zone, options.ews_full_zones)
        return TaskView(mailbox, item, options, version, zone)

    return make
