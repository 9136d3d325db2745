# SPDX-License-Identifier: Apache-2.0
"""Calendar items over EWS: singles, series, occurrences, views, what is refused."""
import re

import pytest
from lxml import etree

from ews_cal_kit import (  # noqa: F401
    NS,
    ZONE,
    CalClient,
    alice,
    attendee,
    daily,
    event,
    exchange,
    id_of,
    instance,
    kinds,
    running,
    set_field,
    text,
)


def test_a_single_event_as_sent(alice, exchange):
    before = (
        '<t:Sensitivity>Private</t:Sensitivity><t:Body BodyType="HTML">&lt;b&gt;Bring&lt;/b&gt; tea</t:Body><t:Categories>'
        "<t:String>Blue</t:String></t:Categories><t:Importance>High</t:Importance><t:ReminderIsSet>true</t:ReminderIsSet>"
        "<t:ReminderMinutesBeforeStart>30</t:ReminderMinutesBeforeStart>"
    )
    middle = "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>Room 1</t:Location>"
    made = alice.made(event(before=before, middle=middle))
    item = alice.item(made)
    assert kinds(item) == "CalendarItem" and text(item, "CalendarItemType") == "Single"
    assert (text(item, "Start"), text(item, "End")) == ("2026-01-05T08:00:00Z", "2026-01-05T09:00:00Z")
    wanted = {
        "Subject": "Talk",
        "Sensitivity": "Private",
        "Importance": "High",
        "ReminderIsSet": "true",
        "ReminderMinutesBeforeStart": "30",
        "LegacyFreeBusyStatus": "OOF",
        "Location": "Room 1",
        "ItemClass": "IPM.Appointment",
        "IsAllDayEvent": "false",
        "IsMeeting": "false",
        "MyResponseType": "Organizer",
        "AppointmentState": "0",
    }
    assert {name: text(item, name) for name in wanted} == wanted
    assert item.find("t:Body", NS).text == "<b>Bring</b> tea"
    assert item.find("t:StartTimeZone", NS).get("Id") == ZONE
    assert re.fullmatch("040000008200E00074C5B7101A82E008[0-9A-F]{80}", text(item, "UID"))
    plain = alice.item(made, extra="<t:BodyType>Text</t:BodyType>")
    assert plain.find("t:Body", NS).text == "Bring tea"
    assert exchange.events()[0]["reminder"] == 30


def test_the_clients_uid_is_kept(alice, exchange):
    made = alice.made("<t:Subject>s</t:Subject><t:UID>a-b@c</t:UID>" + event().split("</t:Subject>")[1])
    goid = '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="3" PropertyType="Binary"/>'
    item = alice.item(made, extra=f"<t:AdditionalProperties>{goid}</t:AdditionalProperties>")
    assert text(item, "UID") == "a-b@c"
    assert "dkNhbC1VaWQ" in item.find(".//t:Value", NS).text or item.find(".//t:Value", NS).text


@pytest.mark.parametrize(
    "what,start,zone,context,seen",
    [
        ("in UTC", "2026-07-01T09:00:00Z", ZONE, None, "2026-07-01T09:00:00Z"),
        ("with an offset", "2026-07-01T09:00:00+05:00", ZONE, None, "2026-07-01T04:00:00Z"),
        ("in the item's zone", "2026-07-01T09:00:00", ZONE, "Tokyo Standard Time", "2026-07-01T07:00:00Z"),
        ("in the request's zone", "2026-07-01T09:00:00", None, "Tokyo Standard Time", "2026-07-01T00:00:00Z"),
        ("without any", "2026-07-01T09:00:00", None, None, "2026-07-01T09:00:00Z"),
    ],
)
def test_what_a_time_means(alice, what, start, zone, context, seen):
    made = alice.made(event(start=start, end=start.replace("T09", "T10"), zone=zone), zone=context)
    assert text(alice.item(made), "Start") == seen


def test_answers_in_the_zone_of_the_request(alice):
    made = alice.made(event())
    item = alice.item(made, zone="Tokyo Standard Time")
    assert text(item, "Start") == "2026-01-05T17:00:00+09:00"


def test_zones_that_are_not_known(alice):
    answer = alice.create(event(zone="Europe/Berlin"))
    assert answer.codes == ["ErrorTimeZone"]
    assert alice.get("x", zone="Nowhere").fault == "ErrorTimeZone"
    custom = (
        '<t:StartTimeZone Id="Mine" Name="Mine"><t:Periods><t:Period Bias="-PT2H" Name="Standard" Id="s"/></t:Periods>'
        '<t:TransitionsGroups><t:TransitionsGroup Id="0"><t:Transition><t:To Kind="Period">s</t:To></t:Transition>'
        '</t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To>'
        "</t:Transition></t:Transitions></t:StartTimeZone>"
    )
    made = alice.made(event(zone=None, end="2026-01-05T08:00:00Z") + custom)
    item = alice.item(made)
    assert text(item, "Start") == "2026-01-05T07:00:00Z" and item.find("t:StartTimeZone/t:Periods", NS) is not None


def test_all_day(alice):
    made = alice.made(event(end="2026-01-06T11:00:00", middle="<t:IsAllDayEvent>true</t:IsAllDayEvent>"))
    item = alice.item(made)
    assert (text(item, "Start"), text(item, "End")) == ("2026-01-04T23:00:00Z", "2026-01-06T23:00:00Z")


def test_defaults(alice):
    item = alice.item(alice.made("<t:Subject>Nothing else</t:Subject>"))
    assert text(item, "ReminderMinutesBeforeStart") == "15" and text(item, "LegacyFreeBusyStatus") == "Busy"
    assert text(item, "Start") < text(item, "End")


def test_required_attributes(alice):
    assert alice.create(event(), send=None).codes == ["ErrorSendMeetingInvitationsRequired"]
    made = alice.made(event())
    assert alice.update(made, set_field("item:Subject", "<t:Subject>x</t:Subject>"), send=None).codes == [
        "ErrorSendMeetingInvitationsOrCancellationsRequired"
    ]
    assert alice.delete(made, send=None).codes == ["ErrorSendMeetingCancellationsRequired"]
    assert alice.delete(made).codes == ["NoError"]
    assert alice.get(made).codes == ["ErrorItemNotFound"]


def test_order_of_elements(alice):
    wrong = "<t:Start>2026-01-05T09:00:00Z</t:Start><t:Subject>x</t:Subject>"
    assert alice.create(wrong).fault == "ErrorSchemaValidation"
    zone_first = (
        f'<t:StartTimeZone Id="{ZONE}"/><t:Start>2026-01-05T09:00:00Z</t:Start><t:End>2026-01-05T10:00:00Z</t:End>'
    )
    assert alice.create(zone_first).fault == "ErrorSchemaValidation"
    assert alice.create(event(start="0001-01-01T00:00:00Z", zone=None)).codes == ["ErrorCalendarOutOfRange"]
    assert alice.create(event(start="tomorrow")).fault == "ErrorSchemaValidation"
    assert (
        alice.create(event(middle="<t:LegacyFreeBusyStatus>busy</t:LegacyFreeBusyStatus>")).fault
        == "ErrorSchemaValidation"
    )


def test_what_cannot_be_set(alice):
    organizer = "<t:Organizer><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:Organizer>"
    assert alice.create(event(middle=organizer)).codes == ["ErrorInvalidPropertySet"]
    assert alice.create(event(end="2026-01-05T08:00:00")).codes == ["ErrorCalendarEndDateIsEarlierThanStartDate"]
    made = alice.made(event())
    cancelled = set_field("calendar:IsCancelled", "<t:IsCancelled>true</t:IsCancelled>")
    assert alice.update(made, cancelled).codes == ["ErrorInvalidPropertySet"]
    empty = '<t:DeleteItemField><t:FieldURI FieldURI="calendar:Start"/></t:DeleteItemField>'
    assert alice.update(made, empty).codes == ["ErrorInvalidPropertyDelete"]
    inbox = alice.create(event(), folder='<t:DistinguishedFolderId Id="inbox"/>')
    assert inbox.codes == ["ErrorCannotCreateCalendarItemInNonCalendarFolder"]


def test_updates(alice, exchange):
    made = alice.made(event(middle="<t:Location>There</t:Location>"))
    changes = (
        set_field("item:Subject", "<t:Subject>New</t:Subject>"),
        set_field("calendar:Start", "<t:Start>2026-01-05T11:00:00</t:Start>"),
        set_field("calendar:End", "<t:End>2026-01-05T12:00:00</t:End>"),
        set_field("item:ReminderIsSet", "<t:ReminderIsSet>false</t:ReminderIsSet>"),
        '<t:DeleteItemField><t:FieldURI FieldURI="calendar:Location"/></t:DeleteItemField>',
    )
    answer = alice.update(made, *changes, zone=ZONE)
    assert answer.codes == ["NoError"] and id_of(answer)[0] == made[0] and id_of(answer)[1] != made[1]
    found = exchange.events()[0]
    assert (found["subject"], found["start"], found["reminder"]) == ("New", "2026-01-05T10:00:00Z", None)
    assert found["location"] == ""
    stale = alice.update(made, changes[0], conflict="AutoResolve")
    assert stale.codes == ["ErrorIrresolvableConflict"]
    assert alice.update((made[0], ""), changes[0], conflict="AutoResolve").codes == ["ErrorChangeKeyRequired"]


def test_another_zone_keeps_the_clock(alice, exchange):
    made = alice.made(event())
    alice.update(made, set_field("calendar:StartTimeZone", '<t:StartTimeZone Id="Tokyo Standard Time"/>'))
    assert exchange.events()[0]["start"] == "2026-01-05T00:00:00Z"


# ---- series ----


@pytest.fixture
def series(alice):
    return alice.made(event("Series", after=daily()))


def test_a_series(alice, series, exchange):
    item = alice.item(series)
    assert text(item, "CalendarItemType") == "RecurringMaster" and text(item, "IsRecurring") == "false"
    assert item.find("t:Recurrence/t:NumberedRecurrence/t:NumberOfOccurrences", NS).text == "5"
    assert item.find("t:Recurrence/t:NumberedRecurrence/t:StartDate", NS).text == "2026-01-05+01:00"
    assert item.find("t:LastOccurrence/t:Start", NS).text == "2026-01-09T08:00:00Z"
    assert item.find("t:ModifiedOccurrences", NS) is None
    listed = exchange.occurrences("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert [o["start"][8:10] for o in listed] == ["05", "06", "07", "08", "09"]


PATTERNS = [
    "<t:DailyRecurrence><t:Interval>2</t:Interval></t:DailyRecurrence>",
    "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday Friday</t:DaysOfWeek>"
    "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>",
    "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
    "<t:RelativeMonthlyRecurrence><t:Interval>3</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek>"
    "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
    "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>29</t:DayOfMonth><t:Month>February</t:Month></t:AbsoluteYearlyRecurrence>",
    "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Thursday</t:DaysOfWeek><t:DayOfWeekIndex>Fourth</t:DayOfWeekIndex>"
    "<t:Month>November</t:Month></t:RelativeYearlyRecurrence>",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_come_back(alice, pattern, exchange):
    whole = (
        f"<t:Recurrence>{pattern}<t:EndDateRecurrence><t:StartDate>2026-01-05</t:StartDate><t:EndDate>2030-12-31</t:EndDate>"
        "</t:EndDateRecurrence></t:Recurrence>"
    )
    item = alice.item(alice.made(event(after=whole)))
    found = [(e.tag, (e.text or "").strip()) for e in item.find("t:Recurrence", NS)[0].iter()]
    sent = etree.fromstring(f'<x xmlns:t="{NS["t"]}">{pattern}</x>')[0]
    assert found == [(e.tag, (e.text or "").strip()) for e in sent.iter()]
    window = "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z"
    assert exchange.occurrences(*window) == exchange.occurrences(*window, by="server") != []


@pytest.mark.parametrize(
    "pattern,code",
    [
        (PATTERNS[0].replace("2", "1000"), "ErrorCalendarInvalidRecurrence"),
        (PATTERNS[2].replace("31", "32"), "ErrorCalendarInvalidRecurrence"),
        (PATTERNS[1].replace("Monday Friday", "Weekday"), "ErrorCalendarInvalidDayForWeeklyRecurrence"),
    ],
)
def test_patterns_that_are_refused(alice, pattern, code):
    reach = "<t:NoEndRecurrence><t:StartDate>2026-01-05</t:StartDate></t:NoEndRecurrence>"
    assert alice.create(event(after=f"<t:Recurrence>{pattern}{reach}</t:Recurrence>")).codes == [code]


def test_an_exception(alice, series, exchange):
    third = alice.item(instance(series, 3))
    assert text(third, "CalendarItemType") == "Occurrence" and text(third, "Start") == "2026-01-07T08:00:00Z"
    changes = (
        set_field("calendar:Start", "<t:Start>2026-01-07T12:00:00Z</t:Start>"),
        set_field("calendar:End", "<t:End>2026-01-07T13:00:00Z</t:End>"),
        set_field("item:Subject", "<t:Subject>Later</t:Subject>"),
    )
    old = id_of(third)
    answer = alice.update(old, *changes)
    new = id_of(answer)
    assert answer.codes == ["NoError"] and new[0] != old[0]
    assert alice.get(old).codes == ["ErrorItemNotFound"]
    item = alice.item(new)
    assert text(item, "CalendarItemType") == "Exception" and text(item, "OriginalStart") == "2026-01-07T08:00:00Z"
    assert text(item, "Subject") == "Later" and text(item, "RecurrenceId") == "2026-01-07T08:00:00Z"
    master = alice.item(f'<t:RecurringMasterItemId OccurrenceId="{new[0]}"/>')
    listed = master.find("t:ModifiedOccurrences/t:Occurrence", NS)
    assert listed.find("t:ItemId", NS).get("Id") == new[0]
    assert [listed.findtext(f"t:{n}", None, NS)[8:13] for n in ("Start", "End", "OriginalStart")] == [
        "07T12",
        "07T13",
        "07T08",
    ]
    again = alice.update(new, set_field("item:Subject", "<t:Subject>Latest</t:Subject>"))
    assert id_of(again)[0] == new[0]
    assert exchange.events()[0]["exceptions"]["2026-01-07"]["subject"] == "Latest"


def test_boundaries(alice, series):
    third = id_of(alice.item(instance(series, 3)))
    for start, end, code in (
        ("2026-01-08T07:00:00Z", "2026-01-08T08:00:00Z", "ErrorOccurrenceCrossingBoundary"),
        ("2026-01-06T10:00:00Z", "2026-01-06T11:00:00Z", "ErrorOccurrenceCrossingBoundary"),
        ("2026-01-07T10:00:00Z", "2026-01-08T09:00:00Z", "ErrorOccurrenceTimeSpanTooBig"),
    ):
        times = set_field("calendar:Start", f"<t:Start>{start}</t:Start>"), set_field(
            "calendar:End", f"<t:End>{end}</t:End>"
        )
        assert alice.update(third, *times).codes == [code]


def test_what_an_occurrence_has_not(alice, series):
    third = id_of(alice.item(instance(series, 3)))
    assert alice.update(third, set_field("calendar:Recurrence", daily(2))).codes == ["ErrorInvalidPropertySet"]
    assert alice.update(third, set_field("calendar:UID", "<t:UID>x</t:UID>")).codes == ["ErrorInvalidPropertySet"]
    move = (
        '<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="deleteditems"/></m:ToFolderId><m:ItemIds>'
        f'<t:ItemId Id="{third[0]}"/></m:ItemIds></m:MoveItem>'
    )
    assert alice.call(move).codes == ["ErrorCalendarCannotMoveOrCopyOccurrence"]


def test_deleted_occurrences(alice, series, exchange):
    assert alice.delete(instance(series, 2)).codes == ["NoError"]
    assert alice.get(instance(series, 2)).codes == ["ErrorCalendarOccurrenceIsDeletedFromRecurrence"]
    assert alice.get(instance(series, 6)).codes == ["ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"]
    assert alice.get(instance(id_of(alice.item(instance(series, 3))), 1)).codes == [
        "ErrorCalendarCannotUseIdForOccurrenceId"
    ]
    master = alice.item(series)
    assert master.findtext("t:DeletedOccurrences/t:DeletedOccurrence/t:Start", None, NS) == "2026-01-06T08:00:00Z"
    alice.update(id_of(alice.item(instance(series, 3))), set_field("item:Subject", "<t:Subject>x</t:Subject>"))
    alice.update(series, set_field("calendar:Recurrence", daily(4)))
    found = exchange.events()[0]
    assert found["exceptions"] == {} and found["deleted"] == [] and found["recurrence"]["count"] == 4


def test_a_corrupt_series(alice, exchange):
    fields = {"start": "2026-01-05T09:00:00", "end": "2026-01-05T10:00:00", "zoneless": True, "subject": "Birthday"}
    exchange.event("create", event={**fields, "recurrence": {"kind": "daily", "start": "2026-01-05"}})
    state, found = sync(alice)
    ident = found[0][1]
    assert alice.get(ident).codes == ["ErrorCorruptData"]
    without = '<t:AdditionalProperties><t:FieldURI FieldURI="calendar:Start"/></t:AdditionalProperties>'
    assert text(alice.item(ident, shape="IdOnly", extra=without), "Start") == "2026-01-05T09:00:00Z"


# ---- lists ----


def sync(client, state="", folder="calendar"):
    answer = client.sync(state, f'<t:DistinguishedFolderId Id="{folder}"/>')
    assert answer.codes == ["NoError"], answer.data
    changes = [(re.sub("{.*}", "", c.tag), c.find(".//t:ItemId", NS).get("Id"), c) for c in answer.find(".//m:Changes")]
    return answer.text(".//m:SyncState"), changes


def test_sync_lists_masters_and_singles(alice, series, exchange):
    single = alice.made(event("Single"))
    state, found = sync(alice)
    assert sorted(i for _, i, _ in found) == sorted((series[0], single[0]))
    assert all(re.sub("{.*}", "", c[0].tag) == "CalendarItem" for _, _, c in found)
    alice.update(id_of(alice.item(instance(series, 2))), set_field("item:Subject", "<t:Subject>x</t:Subject>"))
    state, found = sync(alice, state)
    assert [(k, i) for k, i, _ in found] == [("Update", series[0])]
    alice.delete(instance(series, 4))
    alice.delete(single)
    state, found = sync(alice, state)
    assert sorted((k, i) for k, i, _ in found) == sorted([("Update", series[0]), ("Delete", single[0])])
    exchange.event("update", uid=exchange.events()[0]["uid"], event={"subject": "By others"})
    assert [k for k, _, _ in sync(alice, state)[1]] == ["Update"]


def test_a_filled_calendar(alice, exchange):
    exchange.event("fill", count=120)
    _, found = sync(alice)
    assert len(found) == 120
    year = "2026-01-01T00:00:00Z", "2027-06-01T00:00:00Z"
    assert exchange.occurrences(*year) == exchange.occurrences(*year, by="server")
    assert len(alice.view(*year).find(".//t:Items")) == len(exchange.occurrences(*year))


def test_calendar_view(alice, series):
    alice.made(event("Single", "2026-01-06T08:30:00Z", "2026-01-06T08:45:00Z"))
    times = set_field("calendar:Start", "<t:Start>2026-01-07T20:00:00Z</t:Start>"), set_field(
        "calendar:End", "<t:End>2026-01-07T21:00:00Z</t:End>"
    )
    alice.update(id_of(alice.item(instance(series, 3))), *times)
    answer = alice.view("2026-01-06T08:00:00Z", "2026-01-08T00:00:00Z")
    items = list(answer.find(".//t:Items"))
    assert [(text(i, "CalendarItemType"), text(i, "Start")) for i in items] == [
        ("Occurrence", "2026-01-06T08:00:00Z"),
        ("Single", "2026-01-06T08:30:00Z"),
        ("Exception", "2026-01-07T20:00:00Z"),
    ]
    assert items[0].find("t:Recurrence", NS) is None and items[0].find("t:Body", NS) is None
    assert alice.item(id_of(items[0])) is not None
    local = alice.view("2026-01-06T09:00:00", "2026-01-06T10:00:00", zone=ZONE)
    assert len(local.find(".//t:Items")) == 2


def test_calendar_view_refusals(alice):
    assert alice.view("2026-01-06T00:00:00Z", "2026-01-05T00:00:00Z").codes == [
        "ErrorCalendarEndDateIsEarlierThanStartDate"
    ]
    assert alice.view("2026-01-06T00:00:00Z", "2029-01-05T00:00:00Z").codes == ["ErrorCalendarViewRangeTooBig"]
    inbox = '<t:DistinguishedFolderId Id="inbox"/>'
    assert alice.view("2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", inbox).codes == [
        "ErrorCalendarFolderIsInvalidForCalendarView"
    ]
    order = '<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder></m:SortOrder>'
    assert alice.view("2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", more=order).codes == ["ErrorInvalidRequest"]


def test_unknown_properties(alice):
    made = alice.made(event())
    unknown = '<t:AdditionalProperties><t:FieldURI FieldURI="calendar:Colour"/></t:AdditionalProperties>'
    assert alice.get(made, extra=unknown).fault == "ErrorSchemaValidation"
    newer = '<t:AdditionalProperties><t:FieldURI FieldURI="calendar:StartTimeZoneId"/></t:AdditionalProperties>'
    assert alice.get(made, extra=newer, version="Exchange2010_SP2").fault == "ErrorInvalidPropertyRequest"


def test_extended_properties(alice):
    uri = '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="X-MOZ-LASTACK" PropertyType="String"/>'
    prop = f"<t:ExtendedProperty>{uri}<t:Value>20260105T080000Z</t:Value></t:ExtendedProperty>"
    made = alice.made(event(before=prop))
    wish = f"<t:AdditionalProperties>{uri}</t:AdditionalProperties>"
    assert alice.item(made, extra=wish).findtext("t:ExtendedProperty/t:Value", None, NS) == "20260105T080000Z"
    alice.update(made, f"<t:DeleteItemField>{uri}</t:DeleteItemField>")
    assert alice.item(made, extra=wish).find("t:ExtendedProperty", NS) is None


def test_folders_of_calendars(alice, exchange):
    answer = alice.call(
        '<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderId><m:Folders>'
        "<t:CalendarFolder><t:DisplayName>Team</t:DisplayName></t:CalendarFolder></m:Folders></m:CreateFolder>"
    )
    folder = answer.find(".//t:FolderId")
    made = alice.made(event(), folder=f'<t:FolderId Id="{folder.get("Id")}"/>')
    assert [e["subject"] for e in exchange.events("Calendar/Team")] == ["Talk"]
    assert alice.delete(made, how="MoveToDeletedItems").codes == ["NoError"]
    assert len(exchange.items("deleteditems")) == 1
    exchange.folder("delete", folder="Calendar/Team")


def test_events_are_announced(alice, exchange):
    exchange.options(affinity=False)
    kinds_wanted = "".join(f"<t:EventType>{k}Event</t:EventType>" for k in ("Created", "Modified", "Deleted"))
    pull = alice.call(
        '<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id="calendar"/></t:FolderIds>'
        f"<t:EventTypes>{kinds_wanted}</t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
    )
    made = alice.made(event(after=daily()))
    alice.delete(instance(made, 2))
    alice.delete(made)
    asked = alice.call(
        f'<m:GetEvents><m:SubscriptionId>{pull.text(".//m:SubscriptionId")}</m:SubscriptionId>'
        f'<m:Watermark>{pull.text(".//m:Watermark")}</m:Watermark></m:GetEvents>'
    )
    found = [kinds(e) for e in asked.find(".//m:Notification") if kinds(e).endswith("Event")]
    assert found == ["CreatedEvent", "ModifiedEvent", "DeletedEvent"]
    exchange.options(affinity=True)
