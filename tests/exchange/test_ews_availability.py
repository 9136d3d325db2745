# SPDX-License-Identifier: Apache-2.0
"""Free and busy times over both protocols, files of events, time zones and the user's own."""
import base64

import pytest
from lxml import etree

from eas_cal_kit import NEW, Cal
from eas_cal_kit import event as eas_event
from eas_kit import connect
from ews_cal_kit import (  # noqa: F401
    BOB,
    NS,
    ZONE,
    alice,
    daily,
    event,
    exchange,
    id_of,
    instance,
    running,
    set_field,
    text,
)
from standin import USER
from wbxml import E


def switch(name, bias, month, order, hour, day="Sunday"):
    return (
        f"<t:{name}><t:Bias>{bias}</t:Bias><t:Time>{hour}:00:00</t:Time><t:DayOrder>{order}</t:DayOrder><t:Month>{month}"
        f"</t:Month><t:DayOfWeek>{day}</t:DayOfWeek></t:{name}>"
    )


BERLIN = (
    "<t:TimeZone><t:Bias>-60</t:Bias>"
    + switch("StandardTime", 0, 10, 5, "03")
    + switch("DaylightTime", -60, 3, 5, "02")
    + "</t:TimeZone>"
)


def ask(client, boxes=(USER,), begin="2026-01-05T00:00:00", end="2026-01-06T00:00:00", zone=BERLIN, options=""):
    listed = "".join(
        f"<t:MailboxData><t:Email><t:Address>{b}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType>"
        "</t:MailboxData>"
        for b in boxes
    )
    return client.call(
        f"<m:GetUserAvailabilityRequest>{zone}<m:MailboxDataArray>{listed}</m:MailboxDataArray><t:FreeBusyViewOptions>"
        f"<t:TimeWindow><t:StartTime>{begin}</t:StartTime><t:EndTime>{end}</t:EndTime></t:TimeWindow>{options}"
        "</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
    )


def detailed(minutes):
    return (
        f"<t:MergedFreeBusyIntervalInMinutes>{minutes}</t:MergedFreeBusyIntervalInMinutes>"
        "<t:RequestedView>DetailedMerged</t:RequestedView>"
    )


@pytest.fixture
def busy(alice):
    alice.made(event("Busy"))
    alice.made(
        event(
            "Away",
            "2026-01-05T09:30:00",
            "2026-01-05T11:00:00",
            middle="<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus>",
        )
    )
    alice.made(
        event(
            "Maybe",
            "2026-01-05T13:10:00",
            "2026-01-05T13:20:00",
            middle="<t:LegacyFreeBusyStatus>Tentative</t:LegacyFreeBusyStatus>",
        )
    )
    alice.made(
        event(
            "Free",
            "2026-01-05T15:00:00",
            "2026-01-05T16:00:00",
            middle="<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus>",
        )
    )


def test_digits(alice, busy):
    answer = ask(alice)
    digits = answer.text(".//t:MergedFreeBusy")
    assert len(digits) == 48 and digits[18:28] == "2333000010" and digits.count("0") == 43
    assert [e.text[11:] for e in answer.all(".//t:CalendarEvent/t:StartTime")] == [
        "09:00:00",
        "09:30:00",
        "13:10:00",
        "15:00:00",
    ]


def test_details_of_ones_own_alone(alice, busy):
    answer = ask(alice, (USER, BOB, "nobody@example.com"), options=detailed(60))
    views = answer.all(".//m:FreeBusyResponse")
    assert [v.findtext(".//m:ResponseCode", None, NS) for v in views] == [
        "NoError",
        "NoError",
        "ErrorMailRecipientNotFound",
    ]
    assert [v.findtext(".//t:FreeBusyViewType", None, NS) for v in views] == [
        "DetailedMerged",
        "FreeBusyMerged",
        "None",
    ]
    assert [s.text for s in views[0].findall(".//t:Subject", NS)] == ["Busy", "Away", "Maybe", "Free"]
    assert views[1].findtext(".//t:MergedFreeBusy", None, NS) == "0" * 24


def test_series_in_another_zone(alice):
    alice.made(event("Daily", after=daily()))
    tokyo = (
        "<t:TimeZone><t:Bias>-540</t:Bias>"
        + switch("StandardTime", 0, 0, 0, "00")
        + switch("DaylightTime", 0, 0, 0, "00")
        + "</t:TimeZone>"
    )
    answer = ask(alice, begin="2026-01-06T00:00:00", end="2026-01-08T00:00:00", zone=tokyo, options=detailed(60))
    assert answer.text(".//t:MergedFreeBusy") == "0" * 17 + "2" + "0" * 23 + "2" + "0" * 6


@pytest.mark.parametrize(
    "how,code",
    [
        ({"zone": ""}, "ErrorTimeZone"),
        ({"zone": "<t:TimeZone><t:Bias>-60</t:Bias></t:TimeZone>"}, "ErrorSchemaValidation"),
        ({"zone": BERLIN.replace("DaylightTime", "SummerTime")}, "ErrorSchemaValidation"),
        ({"end": "2026-02-17T00:00:00"}, "ErrorTimeIntervalTooBig"),
        ({"end": "2026-01-05T00:00:00"}, "ErrorInvalidTimeInterval"),
        ({"options": detailed(4)}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"boxes": [f"u{n}@example.com" for n in range(101)]}, "ErrorIdentityArrayTooBig"),
        ({"boxes": []}, "ErrorIdentityArrayEmpty"),
    ],
)
def test_what_cannot_be_asked(alice, how, code):
    assert ask(alice, **how).fault == code


def test_a_mailbox_that_fails(alice, exchange):
    exchange.fault(op="GetUserAvailability", do="error", code="ErrorMailboxMoveInProgress", index=1)
    answer = ask(alice, (USER, BOB))
    assert answer.codes == ["NoError", "ErrorMailboxMoveInProgress"]


def test_resolve_recipients(alice, busy, exchange):
    client = connect(exchange, NEW, BOB)

    def resolve(*to, begin="2026-01-05T08:00:00.000Z", end="2026-01-05T10:00:00.000Z"):
        window = E("Availability", E("StartTime", begin), E("EndTime", end))
        tree = E("ResolveRecipients:ResolveRecipients", *[E("To", t) for t in to], E("Options", window))
        return client.command("ResolveRecipients", tree)

    answer = resolve(USER, "nobody@example.com")
    first, second = answer.all("Response")
    assert first.value("Recipient/Availability/MergedFreeBusy") == "2333" and second.value("Status") == "4"
    assert resolve(USER, end="2026-01-05T08:15:00.000Z").value("Status") == "5"
    assert resolve(USER, begin="2026-01-05T08:05:00.000Z").value("Status") == "5"
    assert resolve(USER, end="2026-03-05T08:00:00.000Z").value("Status") == "5"
    client.close()


# ---- files ----


def file(name, data):
    return f"<t:FileAttachment><t:Name>{name}</t:Name><t:Content>{base64.b64encode(data).decode()}</t:Content></t:FileAttachment>"


def attach(alice, ref, *files):
    return alice.call(
        f'<m:CreateAttachment><m:ParentItemId Id="{ref[0]}"/><m:Attachments>{"".join(files)}</m:Attachments>'
        "</m:CreateAttachment>"
    )


def fetch(alice, ident):
    return alice.call(
        f'<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id="{ident}"/></m:AttachmentIds></m:GetAttachment>'
    )


def test_files_of_an_event(alice, exchange):
    made = alice.made(event(before=f"<t:Attachments>{file('a.txt', b'first')}</t:Attachments>"))
    answer = attach(alice, made, file("b.bin", bytes(range(256))))
    assert answer.codes == ["NoError"]
    ident = answer.find(".//t:AttachmentId")
    assert ident.get("RootItemId") == made[0] and ident.get("RootItemChangeKey") != made[1]
    item = alice.item(made)
    assert [n.text for n in item.findall("t:Attachments/t:FileAttachment/t:Name", NS)] == ["a.txt", "b.bin"]
    assert text(item, "HasAttachments") == "true"
    content = fetch(alice, ident.get("Id")).text(".//t:Content")
    assert base64.b64decode(content) == bytes(range(256))
    gone = alice.call(
        f'<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id="{ident.get("Id")}"/></m:AttachmentIds></m:DeleteAttachment>'
    )
    assert gone.codes == ["NoError"] and fetch(alice, ident.get("Id")).codes == ["ErrorItemNotFound"]
    assert [a["name"] for a in exchange.events()[0]["attachments"]] == ["a.txt"]


def test_a_file_of_one_occurrence(alice, exchange):
    made = alice.made(event(after=daily()))
    second = id_of(alice.item(instance(made, 2)))
    assert attach(alice, second, file("only.txt", b"here")).codes == ["NoError"]
    found = exchange.events()[0]
    assert found["attachments"] == [] and found["exceptions"]["2026-01-06"]["attachments"][0]["name"] == "only.txt"


def test_files_over_eas(alice, exchange):
    client = connect(exchange, NEW)
    cal = Cal(client)
    new = E("Add", E("ClientId", "1"), E("Content", b"from the phone"), E("DisplayName", "p.txt"), E("Method", 1))
    number, status, _ = cal.add(*eas_event(E("AirSyncBase:Attachments", new), version=NEW))
    assert status == "1"
    shown = Cal(client).pull()[number].get("AirSyncBase:Attachments/Attachment")
    what = E("Fetch", E("Store", "Mailbox"), E("AirSyncBase:FileReference", shown.value("FileReference")))
    answer = client.command("ItemOperations", E("ItemOperations:ItemOperations", what)).get("Response/Fetch")
    assert base64.b64decode(answer.value("Properties/Data")) == b"from the phone"
    client.close()


# ---- zones ----


def test_every_zone_is_told(alice):
    answer = alice.call("<m:GetServerTimeZones/>")
    names = [e.get("Id") for e in answer.all(".//t:TimeZoneDefinition")]
    assert len(names) > 130 and {"UTC", ZONE, "Lord Howe Standard Time"} <= set(names)
    one = alice.call(
        f'<m:GetServerTimeZones ReturnFullTimeZoneData="true"><m:Ids><t:Id>{ZONE}</t:Id></m:Ids></m:GetServerTimeZones>'
    )
    assert [p.get("Bias") for p in one.all(".//t:Period")] == ["-PT1H", "-PT2H"]
    inner = "".join(etree.tostring(part, encoding="unicode") for part in one.find(".//t:TimeZoneDefinition"))
    times = event(zone=None, start="2026-07-01T09:00:00", end="2026-07-01T10:00:00")
    alice.made(times + f'<t:StartTimeZone Id="Mine">{inner}</t:StartTimeZone>', zone=ZONE)
    assert alice.view("2026-07-01T07:00:00Z", "2026-07-01T07:01:00Z").find(".//t:Items/t:CalendarItem") is not None


def test_the_users_zone(alice):
    def options(name, folder="root"):
        return alice.call(
            f'<m:GetUserConfiguration><m:UserConfigurationName Name="{name}"><t:DistinguishedFolderId Id="{folder}"/>'
            "</m:UserConfigurationName><m:UserConfigurationProperties>All</m:UserConfigurationProperties>"
            "</m:GetUserConfiguration>"
        )

    answer = options("OWA.UserOptions")
    assert [v.text for v in answer.all(".//t:Value")] == ["timezone", ZONE]
    assert options("Other").codes == ["ErrorItemNotFound"]


def test_an_event_as_icalendar(alice):
    made = alice.made(event("Series", after=daily(), middle="<t:Location>Here, there</t:Location>"))
    second = id_of(alice.item(instance(made, 2)))
    alice.update(second, set_field("item:Subject", "<t:Subject>Other</t:Subject>"))
    alice.delete(instance(made, 3))
    wish = "<t:IncludeMimeContent>true</t:IncludeMimeContent>"
    content = base64.b64decode(
        alice.item(made, shape="IdOnly", extra=wish).findtext("t:MimeContent", None, NS)
    ).decode()
    for line in (
        "RRULE:FREQ=DAILY;COUNT=5;INTERVAL=1",
        f"DTSTART;TZID={ZONE}:20260105T090000",
        f"EXDATE;TZID={ZONE}:20260107T090000",
        f"RECURRENCE-ID;TZID={ZONE}:20260106T090000",
        "LOCATION;LANGUAGE=en-US:Here\\, there",
        "END:VCALENDAR",
    ):
        assert line in content
