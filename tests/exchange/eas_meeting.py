# SPDX-License-Identifier: Apache-2.0
"""Meetings in EAS: the request as a message shows it (MS-ASEMAIL 2.2.2.48), MeetingResponse (MS-ASCMD 2.2.1.11)."""
import base64
import datetime
import re

import cal_meet
import cal_model
import cal_zones
import eas_calendar
import eas_items
from cal_model import CANCELED
from cal_recur import LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH
from eas_sync import class_of, find_folder
from model import ModelError
from wbxml import E

INVALID, FAILED, NOT_RECURRING, BAD_DATE = "2", "4", "146", "104"
ANSWERS = {"1": "Accept", "2": "Tentative", "3": "Decline"}
INSTANCE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}Z")
KINDS = {"NewMeetingRequest": "1", "FullUpdate": "2", "InformationalUpdate": "3", "Outdated": "4"}


def request_data(ctx, item):
    """The email:MeetingRequest of a request or a cancellation."""
    meeting = item.meeting
    cal = meeting.appointment
    fields = [
        E("Email:AllDayEvent", int(cal.all_day)),
        E("Email:StartTime", eas_items.stamp(cal.start)),
        E("Email:DtStamp", eas_items.stamp(cal.stamp)),
        E("Email:EndTime", eas_items.stamp(cal.end)),
        E("Email:InstanceType", instance_type(meeting)),
    ]
    if cal.location:
        place = eas_items.clean(cal.location)
        if ctx.at_least("16.0"):
            fields.append(E("AirSyncBase:Location", E("DisplayName", place)))
        else:
            fields.append(E("Email:Location", place))
    if cal.organizer:
        fields.append(E("Email:Organizer", eas_items.shown([cal.organizer])))
    if meeting.original is not None:
        fields.append(E("Email:RecurrenceId", eas_items.stamp(meeting.original)))
    fields.append(E("Email:ResponseRequested", 1))
    if cal.recurrence is not None:
        fields.append(E("Email:Recurrences", recurrence(ctx, cal)))
    fields.append(E("Email:Sensitivity", eas_calendar.SENSITIVITY[cal.sensitivity]))
    fields.append(E("Email:BusyStatus", eas_calendar.BUSY[meeting.intended]))
    zone = cal_zones.blob(cal.zone, cal.zone.local(cal.start).year)
    fields.append(E("Email:TimeZone", base64.b64encode(zone).decode()))
    if ctx.at_least("16.0"):
        fields.append(E("Calendar:UID", cal.uid))
    else:
        fields.append(E("Email:GlobalObjId", base64.b64encode(cal_model.goid_of(cal.uid)).decode()))
    if ctx.at_least("14.0"):
        fields.append(E("Email:DisallowNewTimeProposal", 0))
    if ctx.at_least("14.1"):
        fields.append(E("Email2:MeetingMessageType", KINDS.get(meeting.kind, "0")))
    return E("Email:MeetingRequest", *fields)


def instance_type(meeting):
    """0 single, 1 series, 2 one occurrence."""
    if meeting.original is not None:
        return 2
    return 1 if meeting.appointment.recurrence is not None else 0


def recurrence(ctx, cal):
    r = cal.recurrence
    fields = [E("Type", eas_calendar.KINDS[r.kind]), E("Interval", r.interval)]
    if r.count is not None:
        fields.append(E("Occurrences", r.count))
    elif r.end is not None:
        fields.append(E("Until", eas_calendar.compact(cal.zone.midnight(r.end))))
    if r.kind in (WEEKLY, MONTHLY_NTH, YEARLY_NTH):
        fields.append(E("DayOfWeek", r.days))
    if r.kind in (MONTHLY, YEARLY):
        fields.append(E("DayOfMonth", r.day))
    if r.kind in (MONTHLY_NTH, YEARLY_NTH):
        fields.append(E("WeekOfMonth", LAST if r.index == LAST else r.index))
    if r.kind in (YEARLY, YEARLY_NTH):
        fields.append(E("MonthOfYear", r.month))
    if ctx.at_least("14.1") and r.kind == WEEKLY:
        fields.append(E("Email2:FirstDayOfWeek", r.first_day))
    return E("Email:Recurrence", *fields)


# ---- MeetingResponse ----


def meeting_response(ctx, tree):
    answers = []
    with ctx.device.lock, ctx.mailbox.lock:
        for index, request in enumerate(tree.all("Request")):
            forced = ctx.scripted("item") if ctx.forced and ctx.forced.get("index", index) == index else None
            code, more = (forced, []) if forced else one(ctx, request)
            number = request.value("RequestId")
            named = [E("RequestId", number)] if number is not None else []
            answers.append(E("Result", *named, E("Status", code), *more))
    return E("MeetingResponse:MeetingResponse", *answers)


def one(ctx, request):
    """(Status, [CalendarId])"""
    response = ANSWERS.get(request.value("UserResponse"))
    folder = find_folder(ctx, request.value("CollectionId"))
    if response is None or folder in (None, "RI") or class_of(folder) not in ("Email", "Calendar"):
        return INVALID, []
    if not ctx.at_least("14.1") and folder is not ctx.mailbox.kinds["inbox"]:
        return INVALID, []  # up to 14.0 only requests in the inbox can be answered (MS-ASCMD 2.2.1.11)
    state = ctx.device.collection(folder)
    found = folder.items.get(state.ids.num_of(request.value("RequestId", ""), state.mode))
    if found is None:
        return INVALID, []
    message = found if found.meeting is not None else None
    if message is not None and message.meeting.method != "REQUEST" or message is None and not cal_model.is_event(found):
        return INVALID, []
    item, day = cal_meet.event_of_message(ctx.mailbox, message) if message is not None else (found, None)
    if item is None or item.cal.is_organizer or item.cal.state & CANCELED:
        return INVALID, []
    if request.has("InstanceId"):
        code, day = instance(item.cal, request.value("InstanceId"))
        if code:
            return code, []
    try:
        return respond(ctx, item, day, message, response, request)
    except ModelError:
        return FAILED, []


def instance(cal, text):
    """(Status or None, date)"""
    found = INSTANCE.fullmatch(text)
    if not found:
        return BAD_DATE, None
    if cal.recurrence is None:
        return NOT_RECURRING, None
    try:
        naive = datetime.datetime.fromisoformat(f"{found.group(1)}T{found.group(2)}")
    except ValueError:
        return BAD_DATE, None
    day = cal.date_of_original(cal_zones.seconds(naive)) if cal_zones.possible(naive) else None
    return (None, day) if day is not None and day not in cal.deleted else (INVALID, None)


def respond(ctx, item, day, message, response, request):
    """From 16.0 on the server answers the organizer if it is asked to; before, that is the client's task."""
    wish = request.get("SendResponse")
    words = wish.value("AirSyncBase:Body/Data") if wish is not None else None
    left = cal_meet.respond(ctx.app, ctx.mailbox, item, day, response, wish is not None, words)
    if message is not None:
        ctx.mailbox.delete_item(message, "trash")
    if left is None or response == "Decline":
        return "1", []
    if ctx.options.eas_response_new_id and day is None:
        left = ctx.mailbox.move_item(left, ctx.mailbox.folder(left.folder))
    state = ctx.device.collection(ctx.mailbox.folder(left.folder))
    return "1", [E("CalendarId", state.ids.id_of(left.num, state.mode))]


eas_items.DATA["meeting"] = request_data
COMMANDS = {"MeetingResponse": meeting_response}
