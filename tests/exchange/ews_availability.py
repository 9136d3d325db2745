# SPDX-License-Identifier: Apache-2.0
"""GetUserAvailability (MS-OXWSAVAIL): merged digits and events, in the time zone that the request spells out."""
import datetime

import cal_busy
import cal_zones
from ews import operation
from ews_calendar import context_zone
from ews_calendar_schema import DAYS
from ews_calendar_write import number
from ews_schema import local, violation
from ews_write import children, words
from ews_xml import M, T, EwsError, boolean, esc

VIEWS = ("None", "MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged")
MAX_MAILBOXES = 100
# element -> its children in order; a question mark: may be missing
SHAPES = {
    "GetUserAvailabilityRequest": "TimeZone? MailboxDataArray FreeBusyViewOptions? SuggestionsViewOptions?",
    "TimeZone": "Bias StandardTime DaylightTime",
    "StandardTime": "Bias Time DayOrder Month DayOfWeek Year?",
    "DaylightTime": "Bias Time DayOrder Month DayOfWeek Year?",
    "MailboxData": "Email AttendeeType ExcludeConflicts?",
    "Email": "Name? Address RoutingType?",
    "FreeBusyViewOptions": "TimeWindow MergedFreeBusyIntervalInMinutes? RequestedView?",
    "TimeWindow": "StartTime EndTime",
}


def parts_of(element):
    """{local name: child}, after the children were compared with SHAPES."""
    found, names = {local(c): c for c in children(element)}, [local(c) for c in children(element)]
    rest = list(names)
    for word in SHAPES[local(element)].split():
        name = word.rstrip("?")
        if rest[:1] == [name]:
            rest.pop(0)
        elif not word.endswith("?"):
            raise violation(element, f"The element '{local(element)}' has incomplete content. Expected: '{name}'.")
    if rest:
        raise violation(element, f"The element '{local(element)}' has invalid content: '{rest[0]}'.")
    return found


def zone_of(element):
    """The zone of a SerializableTimeZone: both times must be there, even where there is no summer."""
    parts = parts_of(element)
    bias = number(parts["Bias"])
    standard, standard_bias = rule_of(parts["StandardTime"])
    daylight, daylight_bias = rule_of(parts["DaylightTime"])
    if standard is None or daylight is None or standard_bias == daylight_bias:
        return cal_zones.custom(cal_zones.Rules(bias + standard_bias, None, None, 0))
    return cal_zones.custom(cal_zones.Rules(bias + standard_bias, standard, daylight, daylight_bias - standard_bias))


def rule_of(element):
    """(Rule or None, bias)"""
    parts = parts_of(element)
    word, month, nth = words(parts["DayOfWeek"]), number(parts["Month"]), number(parts["DayOrder"])
    if word not in DAYS:
        raise violation(element, f"The 'DayOfWeek' element is invalid - The value '{word}'.")
    try:
        at = datetime.time.fromisoformat(words(parts["Time"]))
    except ValueError:
        raise violation(element, "The 'Time' element is invalid.") from None
    if not 0 <= month <= 12 or not 0 <= nth <= 5:
        raise EwsError("ErrorTimeZone", "The time zone is invalid.", fault=True)
    bias = number(parts["Bias"])
    return (cal_zones.Rule(month, DAYS.index(word), nth, at.hour, at.minute), bias) if month and nth else (None, bias)


def window_of(call, element, zone):
    """(begin, end, step in seconds, view)"""
    parts = parts_of(element)
    times = parts_of(parts["TimeWindow"])
    begin, end = (wall(times[n], zone) for n in ("StartTime", "EndTime"))
    if begin >= end:
        raise EwsError("ErrorInvalidTimeInterval", "StartTime is not before EndTime.", fault=True)
    if end - begin > cal_busy.MAX_WINDOW_S:
        raise EwsError("ErrorTimeIntervalTooBig", "The requested time duration is too long: 42 days.", fault=True)
    step = 30
    if "MergedFreeBusyIntervalInMinutes" in parts:
        step = number(parts["MergedFreeBusyIntervalInMinutes"])
        if not 5 <= step <= 1440:
            raise EwsError("ErrorInvalidMergedFreeBusyInterval", "The interval is 5 to 1440 minutes.", fault=True)
    asked = words(parts["RequestedView"]).split() if "RequestedView" in parts else ["FreeBusyMerged"]
    if not asked or any(word not in VIEWS for word in asked):
        raise EwsError("ErrorInvalidFreeBusyViewType", "The view type is not valid.", fault=True)
    return begin, end, step * 60, max(asked, key=VIEWS.index)


def wall(element, zone):
    """Times of the window are wall times of the zone; a Z or an offset does not change that they name an instant."""
    text = words(element)
    try:
        stamp = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise violation(element, f"The '{local(element)}' element is invalid - The value '{text}'.") from None
    if not cal_zones.possible(stamp):
        raise EwsError("ErrorInvalidTimeInterval", "The time is out of range.", fault=True)
    if stamp.tzinfo is not None:
        return int(stamp.timestamp())
    return zone.epoch(stamp)


@operation("GetUserAvailabilityRequest")
def get_user_availability(call):
    parts = parts_of(call.element)
    zone = zone_of(parts["TimeZone"]) if "TimeZone" in parts else context_zone(call)
    if zone is None:
        raise EwsError("ErrorTimeZone", "The request names no time zone.", fault=True)
    boxes = children(parts["MailboxDataArray"])
    if not boxes or len(boxes) > MAX_MAILBOXES:
        code = "ErrorIdentityArrayTooBig" if boxes else "ErrorIdentityArrayEmpty"
        raise EwsError(code, f"{len(boxes)} mailboxes were asked for.", fault=True)
    if "FreeBusyViewOptions" not in parts:
        raise EwsError("ErrorMissingArgument", "The stand-in makes no suggestions.", fault=True)
    begin, end, step, view = window_of(call, parts["FreeBusyViewOptions"], zone)
    call.detail.update(mailboxes=len(boxes), view=view)
    found = "".join(one(call, n, box, begin, end, step, view, zone) for n, box in enumerate(boxes))
    return (
        f'<m:GetUserAvailabilityResponse xmlns:m="{M}" xmlns:t="{T}"><m:FreeBusyResponseArray>{found}'
        f"</m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
    )


def refused(code, text):
    return (
        f'<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error"><m:MessageText>{esc(text)}</m:MessageText>'
        f"<m:ResponseCode>{code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey></m:ResponseMessage>"
        "<m:FreeBusyView><t:FreeBusyViewType>None</t:FreeBusyViewType></m:FreeBusyView></m:FreeBusyResponse>"
    )


def one(call, index, box, begin, end, step, view, zone):
    try:
        call.check_error_fault(index)
    except EwsError as error:
        return refused(error.code, error.text)
    address = words(parts_of(parts_of(box)["Email"])["Address"])
    mailbox = call.app.store.mailbox_of(address)
    if mailbox is None:
        return refused("ErrorMailRecipientNotFound", f"Unable to resolve e-mail address {address}.")
    if view.startswith("Detailed") and mailbox is not call.mailbox:
        view = view.replace("Detailed", "FreeBusy")  # others' calendars show times and nothing else
    inner = f"<t:FreeBusyViewType>{view}</t:FreeBusyViewType>"
    if "Merged" in view:
        inner += f"<t:MergedFreeBusy>{cal_busy.merged(mailbox, begin, end, step)}</t:MergedFreeBusy>"
    if view.startswith(("FreeBusy", "Detailed")):
        shown = "".join(event_xml(*e, zone, view) for e in cal_busy.events(mailbox, begin, end))
        inner += f"<t:CalendarEventArray>{shown}</t:CalendarEventArray>" if shown else ""
        inner += hours_xml(zone)
    return (
        '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"</m:ResponseMessage><m:FreeBusyView>{inner}</m:FreeBusyView></m:FreeBusyResponse>"
    )


def event_xml(start, end, cal, zone, view):
    times = "".join(
        f"<t:{name}>{zone.local(instant).isoformat()}</t:{name}>"
        for name, instant in (("StartTime", start), ("EndTime", end))
    )
    details = ""
    if view.startswith("Detailed"):
        private = cal.sensitivity == "Private"
        words_of = "" if private else f"<t:Subject>{esc(cal.subject)}</t:Subject>"
        words_of += f"<t:Location>{esc(cal.location)}</t:Location>" if cal.location and not private else ""
        details = (
            f"<t:CalendarEventDetails><t:ID>{cal.uid.encode().hex().upper()}</t:ID>{words_of}<t:IsMeeting>"
            f"{boolean(cal.is_meeting)}</t:IsMeeting><t:IsRecurring>{boolean(cal.original is not None)}</t:IsRecurring>"
            f"<t:IsException>{boolean(cal.edited)}</t:IsException><t:IsReminderSet>{boolean(cal.reminder is not None)}"
            f"</t:IsReminderSet><t:IsPrivate>{boolean(private)}</t:IsPrivate></t:CalendarEventDetails>"
        )
    return f"<t:CalendarEvent>{times}<t:BusyType>{cal.busy}</t:BusyType>{details}</t:CalendarEvent>"


def hours_xml(zone):
    rules = zone.rules
    return (
        f"<t:WorkingHours><t:TimeZone><t:Bias>{rules.bias if rules else 0}</t:Bias>"
        f"{time_xml('StandardTime', rules and rules.standard, 0)}"
        f"{time_xml('DaylightTime', rules and rules.daylight, rules.daylight_bias if rules else 0)}</t:TimeZone>"
        "<t:WorkingPeriodArray><t:WorkingPeriod><t:DayOfWeek>Monday Tuesday Wednesday Thursday Friday</t:DayOfWeek>"
        "<t:StartTimeInMinutes>480</t:StartTimeInMinutes><t:EndTimeInMinutes>1020</t:EndTimeInMinutes></t:WorkingPeriod>"
        "</t:WorkingPeriodArray></t:WorkingHours>"
    )


def time_xml(name, rule, bias):
    rule = rule or cal_zones.Rule(0, 0, 0, 0, 0)
    return (
        f"<t:{name}><t:Bias>{bias}</t:Bias><t:Time>{rule.hour:02d}:{rule.minute:02d}:00</t:Time><t:DayOrder>{rule.nth}"
        f"</t:DayOrder><t:Month>{rule.month}</t:Month><t:DayOfWeek>{DAYS[rule.weekday]}</t:DayOfWeek></t:{name}>"
    )
