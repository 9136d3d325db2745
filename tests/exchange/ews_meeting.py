# SPDX-License-Identifier: Apache-2.0
"""Meeting requests, responses and cancellations in the mailbox, and the user's answers to them (MS-OXWSMTGS)."""
import copy

import cal_meet
import cal_model
import ews_calendar_shape as shapes
from cal_model import CANCELED
from ews_calendar import MEETINGS, maker, organizer_only
from ews_calendar_schema import CANCELLATION_ORDER, REQUEST_ORDER, RESPONSE_ORDER
from ews_calendar_shape import CalView, _flag, _number, _time, _word
from ews_schema import local
from ews_shape import ITEM_PROPS, V2007, V2010, V2013, View
from ews_write import CREATORS, children
from ews_xml import EwsError, boolean, id_element, item_key, success

ELEMENTS = {"REQUEST": "MeetingRequest", "REPLY": "MeetingResponse", "CANCEL": "MeetingCancellation"}


class MeetingView(View):
    """A message about a meeting; `event` is how it was sent."""

    def __init__(self, mailbox, item, options, version, zone=None):
        super().__init__(mailbox, item, options, version)
        self.meeting = item.meeting
        self.element = ELEMENTS[item.meeting.method]
        self.event = CalView(mailbox, as_sent(item), options, version, None, zone, options.ews_full_zones)

    def written(self, shape, mime=None):
        return shapes.write(shape, self, mime)

    def time(self, name, instant):
        return self.event.time(name, instant)

    def known(self):
        """(Item, date or None) of the event in the calendar."""
        found = cal_model.find_uid(self.mailbox, self.meeting.uid)
        if found is None or self.meeting.original is None or found.cal.recurrence is None:
            return found, None
        return found, found.cal.date_of_original(self.meeting.original)


def as_sent(item):
    """The message as if it were the event."""
    found = copy.copy(item)
    found.cal = item.meeting.appointment
    return found


def associated(v):
    item, day = v.known()
    if item is None:
        return None
    view = CalView(v.mailbox, item, v.options, v.version, day)
    return view.id_xml("AssociatedCalendarItemId")


def response_type(v):
    if v.meeting.response:
        return v.meeting.response
    item, day = v.known()
    if item is None:
        return "Unknown"
    return (item.cal if day is None else item.cal.occurrence(day)).my_response


def out_of_date(v):
    item, _ = v.known()
    return v.meeting.kind == "Outdated" or item is not None and item.cal.sequence > v.meeting.appointment.sequence


def of_event(name):
    return lambda v: shapes.EVENT_PROPS[name][1](v.event)


MEETING_PROPS = {
    **ITEM_PROPS,
    "AssociatedCalendarItemId": ("meeting:AssociatedCalendarItemId", associated, V2007),
    "IsDelegated": ("meeting:IsDelegated", _flag("IsDelegated", lambda v: False), V2007),
    "IsOutOfDate": ("meeting:IsOutOfDate", _flag("IsOutOfDate", out_of_date), V2007),
    "HasBeenProcessed": ("meeting:HasBeenProcessed", _flag("HasBeenProcessed", lambda v: True), V2007),
    "ResponseType": ("meeting:ResponseType", _word("ResponseType", response_type), V2007),
    "UID": ("calendar:UID", _word("UID", lambda v: v.meeting.uid), V2007),
    "RecurrenceId": ("calendar:RecurrenceId", _time("RecurrenceId", lambda v: v.meeting.original), V2007),
    "DateTimeStamp": ("calendar:DateTimeStamp", _time("DateTimeStamp", lambda v: v.meeting.appointment.stamp), V2007),
}
TIMES = {name: (f"calendar:{name}", of_event(name), V2010) for name in ("Start", "End", "Location")}
REQUEST_PROPS = {
    **MEETING_PROPS,
    "MeetingRequestType": (
        "meetingRequest:MeetingRequestType",
        _word("MeetingRequestType", lambda v: v.meeting.kind),
        V2007,
    ),
    "IntendedFreeBusyStatus": (
        "meetingRequest:IntendedFreeBusyStatus",
        _word("IntendedFreeBusyStatus", lambda v: v.meeting.intended),
        V2007,
    ),
    **{
        name: (f"calendar:{name}", of_event(name), shapes.EVENT_PROPS[name][2])
        for name in (
            "Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location When IsMeeting IsRecurring Organizer "
            "RequiredAttendees OptionalAttendees Resources Duration TimeZone AppointmentSequenceNumber AppointmentState "
            "Recurrence StartTimeZone EndTimeZone EnhancedLocation StartTimeZoneId EndTimeZoneId"
        ).split()
    },
    "IsCancelled": ("calendar:IsCancelled", _flag("IsCancelled", lambda v: False), V2007),
    "MeetingRequestWasSent": (
        "calendar:MeetingRequestWasSent",
        _flag("MeetingRequestWasSent", lambda v: True),
        V2007,
    ),
    "CalendarItemType": (
        "calendar:CalendarItemType",
        _word("CalendarItemType", lambda v: "Exception" if v.meeting.original is not None else v.event.kind),
        V2007,
    ),
    "MyResponseType": ("calendar:MyResponseType", _word("MyResponseType", response_type), V2007),
    "ConferenceType": ("calendar:ConferenceType", _number("ConferenceType", lambda v: 0), V2007),
    "AllowNewTimeProposal": (
        "calendar:AllowNewTimeProposal",
        lambda v: f"<t:AllowNewTimeProposal>{boolean(True)}</t:AllowNewTimeProposal>",
        V2007,
    ),
}
ANSWER_PROPS = {
    **MEETING_PROPS,
    **TIMES,
    "Recurrence": ("calendar:Recurrence", of_event("Recurrence"), V2010),
    "CalendarItemType": (
        "calendar:CalendarItemType",
        _word("CalendarItemType", lambda v: "Exception" if v.meeting.original is not None else v.event.kind),
        V2010,
    ),
    "IsOrganizer": ("calendar:IsOrganizer", _flag("IsOrganizer", lambda v: v.meeting.method == "REPLY"), V2013),
}
BASE = "ItemId Subject Sensitivity HasAttachments Body Attachments AssociatedCalendarItemId IsDelegated IsOutOfDate ".split()
for _element, _order, _props in (
    ("MeetingRequest", REQUEST_ORDER, REQUEST_PROPS),
    ("MeetingResponse", RESPONSE_ORDER, ANSWER_PROPS),
    ("MeetingCancellation", CANCELLATION_ORDER, ANSWER_PROPS),
):
    shapes.add_kind(_element, _order, _props, BASE + ["HasBeenProcessed", "ResponseType", "From", "IsRead"])


# ---- answers ----

ANSWERS = {"AcceptItem": "Accept", "TentativelyAcceptItem": "Tentative", "DeclineItem": "Decline"}
NOTHING_THERE = {
    "AcceptItem": "ErrorInvalidItemForOperationAcceptItem",
    "TentativelyAcceptItem": "ErrorInvalidItemForOperationTentative",
    "DeclineItem": "ErrorInvalidItemForOperationDeclineItem",
}
SUFFIX = {"AcceptItem": "Accept", "TentativelyAcceptItem": "Tentative", "DeclineItem": "Decline"}


def reference(call, element):
    """(Item, date or None) that ReferenceItemId names, as it is now."""
    ref = next((c for c in children(element) if local(c) == "ReferenceItemId"), None)
    if ref is None:
        raise EwsError("ErrorInvalidRequest", "A response needs a ReferenceItemId.")
    if not ref.get("ChangeKey"):
        raise EwsError("ErrorChangeKeyRequired", "The change key is required for this operation.")
    item, day = call.target(ref)
    if ref.get("ChangeKey") != item_key(call.mailbox, item):
        raise EwsError("ErrorIrresolvableConflict")
    return item, day


def words_of(element):
    body = next((c for c in children(element) if local(c) in ("Body", "NewBodyContent")), None)
    return None if body is None else body.text or ""


def answer(call, element, target):
    """AcceptItem, TentativelyAcceptItem, DeclineItem: of a request in the inbox, or of the event itself."""
    disposition = call.element.get("MessageDisposition")
    if disposition is None:
        raise EwsError("ErrorMessageDispositionRequired", "Message disposition is required.")
    suffix = SUFFIX[local(element)]
    item, day = reference(call, element)
    message = None
    if item.meeting is not None and item.meeting.method == "REQUEST":
        message = item
        if item.meeting.kind == "Outdated":
            raise EwsError("ErrorCalendarMeetingRequestIsOutOfDate", "The meeting request is out of date.")
        item, day = cal_meet.event_of_message(call.mailbox, message)
    if item is None or not cal_model.is_event(item):
        raise EwsError(NOTHING_THERE[local(element)], "There is no meeting to answer.")
    cal = item.cal if day is None else item.cal.occurrence(day)
    if cal.is_organizer:
        raise EwsError(f"ErrorCalendarIsOrganizerFor{suffix}", "The organizer cannot answer.")
    if cal.state & CANCELED:
        raise EwsError(f"ErrorCalendarIsCancelledFor{suffix}", "The meeting was cancelled.")
    sends = disposition != "SaveOnly"
    left = cal_meet.respond(call.app, call.mailbox, item, day, ANSWERS[local(element)], sends, words_of(element))
    shown = []
    if message is not None:
        moved = call.mailbox.delete_item(message, "trash")
        shown.append(f"<t:MeetingRequest>{id_element(call.mailbox, moved)}</t:MeetingRequest>" if moved else "")
    if left is not None:
        view = maker(call)(left, day)
        shown.insert(0, f"<t:CalendarItem>{view.id_xml()}</t:CalendarItem>")
    return success("CreateItem", f"<m:Items>{''.join(shown)}</m:Items>")


def cancel(call, element, target):
    """CancelCalendarItem: the organizer's; the event is deleted, the attendees are told."""
    if call.element.get("MessageDisposition") is None:
        raise EwsError("ErrorMessageDispositionRequired", "Message disposition is required.")
    item, day = reference(call, element)
    organizer_only(call, item, "ErrorCalendarIsNotOrganizer")
    cal = item.cal if day is None else item.cal.occurrence(day)
    cal_meet.cancelled(call.app, call.mailbox, cal, "SendToAllAndSaveCopy")
    left = cal_model.without_occurrence(item.cal, day) if day is not None else None
    if left is not None:
        cal_model.save(call.mailbox, item, left)
        return success("CreateItem", "<m:Items/>")
    moved = call.mailbox.delete_item(item, "trash")
    inner = f"<t:CalendarItem>{id_element(call.mailbox, moved)}</t:CalendarItem>" if moved else ""
    return success("CreateItem", f"<m:Items>{inner}</m:Items>")


def remove(call, element, target):
    """RemoveItem: takes a cancelled meeting and its message away."""
    item, _ = reference(call, element)
    message = item if item.meeting is not None else None
    if message is not None:
        if message.meeting.method != "CANCEL":
            raise EwsError("ErrorCalendarIsOrganizerForRemove", "Only cancelled meetings can be removed.")
        item, _ = cal_meet.event_of_message(call.mailbox, message)
        call.mailbox.delete_item(message, "trash")
    if item is not None and cal_model.is_event(item):
        call.mailbox.delete_item(item, "trash")
    return success("CreateItem", "<m:Items/>")


MEETINGS["view"] = MeetingView
CREATORS.update({**{name: answer for name in ANSWERS}, "CancelCalendarItem": cancel, "RemoveItem": remove})
