# SPDX-License-Identifier: Apache-2.0
"""Calendar items in CreateItem, UpdateItem, DeleteItem, GetItem, FindItem and SyncFolderItems; FindItem's CalendarView.

The operations themselves are in ews_write and ews_read; they hand over what is a calendar item.
"""
import base64
import dataclasses

import cal_ics
import cal_meet
import cal_model
import cal_zones
import ews_calendar_schema  # noqa: F401 (it fills the tables of ews_schema)
import ews_calendar_shape as shapes
from cal_model import MEETING, RECEIVED, Appointment
from ews_calendar_write import (
    EventChange,
    TaskChange,
    apply_update,
    attachment_of,
    moment,
    organizer,
    zone_of,
)
from ews_schema import local, violation
from ews_tasks import advanced, finish_task, regenerated
from ews_shape import View
from ews_write import CREATORS, HANDLERS, HOW, children
from ews_xml import EwsError, success

TWO_YEARS_S = 2 * 366 * 86400
ATTRIBUTES = {
    "create": ("SendMeetingInvitations", "ErrorSendMeetingInvitationsRequired"),
    "update": ("SendMeetingInvitationsOrCancellations", "ErrorSendMeetingInvitationsOrCancellationsRequired"),
    "delete": ("SendMeetingCancellations", "ErrorSendMeetingCancellationsRequired"),
}


def wish(call, what):
    """How meeting mail is to be sent; the attribute must be there as soon as a calendar item is touched."""
    name, code = ATTRIBUTES[what]
    value = call.element.get(name)
    if value is None:
        raise EwsError(code, f"The attribute {name} is required.")
    return value


def context_zone(call):
    """The Zone of TimeZoneContext, or None."""
    header = call.headers.get("TimeZoneContext")
    if header is None:
        return None
    found = children(header)
    if len(found) != 1 or local(found[0]) != "TimeZoneDefinition":
        raise violation(header, "TimeZoneContext wants one TimeZoneDefinition.")
    try:
        return zone_of(found[0])
    except EwsError as error:
        raise EwsError(error.code, error.text, fault=True) from None


def maker(call):
    """item, day -> the view of a message, a calendar item, a task, or a message about a meeting"""
    zone = context_zone(call)
    calendar = shapes.views(call.mailbox, call.options, call.version, zone)

    def make(item, day=None):
        if item.cal is not None:
            return calendar(item, day)
        if item.meeting is not None:
            return MEETINGS["view"](call.mailbox, item, call.options, call.version, zone)
        return View(call.mailbox, item, call.options, call.version)

    return make


MEETINGS = {}  # "view": of a message about a meeting; ews_meeting fills it


def shown(call, item, day=None):
    """<m:Items> with the id and nothing else."""
    view = maker(call)(item, day)
    return f"<m:Items><t:{view.element}>{view.id_xml()}</t:{view.element}></m:Items>"


# ---- creating ----


def create_event(call, element, target):
    send = wish(call, "create")
    folder = call.folder(target[0]) if target is not None else call.mailbox.kinds["calendar"]
    change = EventChange(context_zone(call), call.version)
    attachments, imported = [], None
    for part in children(element):
        if local(part) == "Attachments":
            for one in children(part):
                attachments.append(attachment_of(one, len(attachments) + 1))
        elif local(part) == "MimeContent":
            imported = from_mime(call, part)
        elif local(part) == "ItemClass":
            if not (part.text or "").startswith(cal_model.EVENT_CLASS):
                raise EwsError("ErrorObjectTypeChanged", "The class is not one of calendar items.")
        else:
            change.set(part)
    fields = change.finish()
    if imported is not None:
        given = {
            n: v for n, v in fields.items() if n not in ("zone", "reminder") or n in change.fields and n != "reminder"
        }
        fields = {**imported, **given}
        fields["reminder"] = change.fields["reminder"] if change.reminder else imported["reminder"]
    if ("start" in fields) != ("end" in fields):
        raise EwsError("ErrorCalendarInvalidPropertyValue", "Start and End come together.")
    if "start" not in fields:
        now = call.app.clock.now()
        fields["start"] = now - now % 1800 + 1800
        fields["end"] = fields["start"] + 1800
    fields.setdefault("organizer", organizer(call.mailbox))
    appt = Appointment(attachments=tuple(attachments), **fields)
    item = cal_model.add(call.mailbox, folder, appt, change.set_ext or None)
    cal_meet.organized(call.app, call.mailbox, item, None, send)
    return success("CreateItem", shown(call, item))


def from_mime(call, element):
    """The fields of an iCalendar object."""
    try:
        data = base64.b64decode("".join((element.text or "").split()), validate=True)
        _, events = cal_ics.events_of(data, context_zone(call) or cal_zones.utc())
        appt = next(event.appointment for event in events if event.original is None)
    except (ValueError, StopIteration) as error:
        raise EwsError("ErrorMimeContentInvalid", f"The MIME content is invalid: {error}") from None
    names = "zone start end end_zone subject body location all_day sensitivity importance uid recurrence reminder"
    fields = {name: getattr(appt, name) for name in names.split()}
    own = call.mailbox.email.casefold()
    if appt.organizer is not None and appt.organizer.email.casefold() != own:
        me = next((a for a in appt.attendees if a.email.casefold() == own), None)
        fields.update(organizer=appt.organizer, attendees=appt.attendees, state=MEETING | RECEIVED)
        fields["my_response"] = me.response if me and me.response != "Unknown" else "NoResponseReceived"
    elif appt.attendees:
        fields.update(attendees=appt.attendees, state=MEETING)
    return fields


def finished(call, task, fields):
    now = call.app.clock.now()
    if call.options.ews_complete_date == "refused" or (fields.get("completed") or now) > now:
        if fields.get("completed") is not None:
            raise EwsError("ErrorInvalidCompleteDate", "The date of completion is not one of the past.")
    return finish_task(now, task, fields)


def create_task(call, element, target):
    if call.element.get("MessageDisposition") not in (None, "SaveOnly"):
        raise EwsError("ErrorInvalidOperation", "A task cannot be sent.")
    folder = call.folder(target[0]) if target is not None else call.mailbox.kinds["tasks"]
    change = TaskChange(context_zone(call), call.version)
    for part in children(element):
        if local(part) != "ItemClass":
            change.set(part)
    task = finished(call, cal_model.Task(), change.finish())
    item = cal_model.add(call.mailbox, folder, task, change.set_ext or None)
    return success("CreateItem", shown(call, item))


CREATORS.update({"CalendarItem": create_event, "Task": create_task})


# ---- updating ----


def update(call, item, day, updates):
    """Of a calendar item or task; returns the content of the response message."""
    if cal_model.is_task(item):
        return update_task(call, item, updates)
    send = wish(call, "update")
    before = item.cal
    change = EventChange(context_zone(call), call.version, before if day is None else before.occurrence(day))
    for one in updates:
        apply_update(one, change, shapes.PATHS["CalendarItem"], day is not None)
    fields = change.finish()
    trash = call.mailbox.is_below(item.folder, call.mailbox.kinds["deleteditems"].num)
    if trash and send != "SendToNone":
        raise EwsError("ErrorCalendarCannotUpdateDeletedItem", "The item is in Deleted Items.")
    if day is None:
        cal_model.save(call.mailbox, item, cal_model.changed(before, fields), **ext_changes(item, change))
    else:
        if change.set_ext or change.del_ext:
            kept = {k: v for k, v in change.before.ext if k not in change.del_ext}
            fields["ext"] = tuple({**kept, **change.set_ext}.items())
        cal_model.save(call.mailbox, item, cal_model.changed_occurrence(before, day, fields))
    cal_meet.organized(call.app, call.mailbox, item, before, send, day)
    return shown(call, item, day)


def update_task(call, item, updates):
    change = TaskChange(context_zone(call), call.version, item.cal)
    for one in updates:
        apply_update(one, change, shapes.PATHS["Task"], False)
    before = item.cal
    task = finished(call, before, change.finish())
    if before.recurrence is not None and task.status == "Completed" and before.status != "Completed":
        return occurrence_done(call, item, task)
    cal_model.save(call.mailbox, item, task, **ext_changes(item, change))
    return shown(call, item)


def occurrence_done(call, item, task):
    """A recurring task is done once: that one stays as a task of its own, with an id of its own, and the series goes on."""
    once = cal_model.add(
        call.mailbox, call.mailbox.folder(item.folder), dataclasses.replace(task, recurrence=None), item.ext
    )
    today = cal_zones.utc().local(task.completed).date()
    following = regenerated(task, today) if task.recurrence.regenerate else advanced(task)
    if following is None:
        call.mailbox.delete_item(item)
    else:
        cal_model.save(call.mailbox, item, following)
    return shown(call, once)


def ext_changes(item, change):
    """Extended properties under one spelling of their names."""
    if not change.set_ext and not change.del_ext:
        return {}
    kept = {shapes.canonical(k): v for k, v in (item.ext or {}).items()}
    return {"ext": {**{k: v for k, v in kept.items() if k not in change.del_ext}, **change.set_ext}}


def organizer_only(call, item, code):
    if not cal_model.is_event(item) or not item.cal.is_organizer:
        raise EwsError(code, "Only the organizer can do this.")


# ---- deleting ----


def delete(call, item, day):
    how = HOW[call.element.get("DeleteType")]
    if cal_model.is_task(item):
        if call.element.get("AffectedTaskOccurrences") is None:
            raise EwsError("ErrorAffectedTaskOccurrencesRequired", "AffectedTaskOccurrences is required.")
        return delete_task(call, item, how)
    send = wish(call, "delete")
    if day is None:
        cal_meet.cancelled(call.app, call.mailbox, item.cal, send)
        call.mailbox.delete_item(item, how)
        return
    occurrence = item.cal.occurrence(day)
    left = cal_model.without_occurrence(item.cal, day)
    cal_meet.cancelled(call.app, call.mailbox, occurrence, send)
    if left is None:
        call.mailbox.delete_item(item, how)
    else:
        cal_model.save(call.mailbox, item, left)


def delete_task(call, item, how):
    """Of a recurring task one occurrence can go: the next one takes its place."""
    if item.cal.recurrence is not None and call.element.get("AffectedTaskOccurrences") == "SpecifiedOccurrenceOnly":
        following = advanced(item.cal)
        if following is not None:
            cal_model.save(call.mailbox, item, following)
            return
    call.mailbox.delete_item(item, how)


HANDLERS.update({"update": update, "delete": delete})


# ---- the calendar view ----


def calendar_view(call, folder, shape):
    """(written items, attributes of RootFolder) of FindItem with CalendarView."""
    element = call.child("CalendarView")
    if not folder.cls.startswith("IPF.Appointment"):
        raise EwsError("ErrorCalendarFolderIsInvalidForCalendarView", "CalendarView is for calendar folders.")
    if any(call.child(n) is not None for n in ("Restriction", "SortOrder", "QueryString", "GroupBy")):
        raise EwsError("ErrorInvalidRequest", "Restrictions and sort order may not be specified for a CalendarView.")
    zone = context_zone(call) or cal_zones.utc()
    begin, end = (moment(Literal(element, element.get(name)), zone) for name in ("StartDate", "EndDate"))
    if end < begin:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
    if end - begin > TWO_YEARS_S:
        raise EwsError(
            "ErrorCalendarViewRangeTooBig", "The specified view range exceeds the maximum range of two years."
        )
    limit = int(element.get("MaxEntriesReturned") or 1 << 30)
    if limit < 1:
        raise EwsError("ErrorInvalidPagingMaxRows", "The MaxEntriesReturned value is not valid.")
    view = maker(call)
    found = [view(item, day) for item, day in expand(folder, begin, end)]
    page = found[:limit]
    last = len(page) == len(found)
    attributes = f'TotalItemsInView="{len(page)}" IncludesLastItemInRange="{"true" if last else "false"}"'
    return [shapes.write(shape, v) for v in page], attributes


class Literal:
    """An attribute that is read like an element."""

    def __init__(self, element, text):
        self.tag, self.text, self.sourceline = element.tag, text, element.sourceline


def expand(folder, begin, end):
    """[(item, date or None)] of what overlaps [begin, end), by start."""
    found = []
    for item in folder.items.values():
        if not cal_model.is_event(item):
            continue
        cal = item.cal
        if cal.recurrence is not None:
            found += [(cal.span(day)[0], item.num, item, day) for day in cal.between(begin, end)]
        elif cal_model.overlaps((cal.start, cal.end), begin, end):
            found.append((cal.start, item.num, item, None))
    return [(item, day) for _, _, item, day in sorted(found, key=lambda f: f[:2])]
