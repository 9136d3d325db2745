# SPDX-License-Identifier: Apache-2.0
"""Fixtures and shorthands of the test_ews_calendar*.py files: one stand-in for a module, empty calendars for each test."""
import base64

import pytest
from lxml import etree

from ewsclient import DECLARATIONS, NS, Client
from standin import PASSWORD, USER, Standin

BOB = "bob@example.com"
CAROL = "carol@example.com"
ZONE = "W. Europe Standard Time"


@pytest.fixture(scope="module")
def running():
    users = [f"{who}:{PASSWORD}" for who in (USER, BOB, CAROL)]
    with Standin("--user", users[0], "--user", users[1], "--user", users[2]) as exchange:
        yield exchange


@pytest.fixture
def exchange(running):
    running.reset()
    for user in (USER, BOB, CAROL):
        for folder in ("calendar", "tasks", "inbox", "sentitems", "deleteditems"):
            numbers = [i["num"] for i in running.items(folder, user=user)]
            if numbers:
                running.change("delete", nums=numbers, user=user)
    yield running
    assert not [v for v in running.violations() if "our answer" in v["what"] or "exception in" in v["what"]]


@pytest.fixture
def alice(exchange):
    return CalClient(exchange)


@pytest.fixture
def bob(exchange):
    return CalClient(exchange, BOB)


def attendee(email):
    return f"<t:Attendee><t:Mailbox><t:EmailAddress>{email}</t:EmailAddress></t:Mailbox></t:Attendee>"


def event(
    subject="Talk", start="2026-01-05T09:00:00", end="2026-01-05T10:00:00", zone=ZONE, before="", middle="", after=""
):
    """The content of a CalendarItem: `before` goes behind Subject, `middle` behind the times, `after` before the zone."""
    zones = f'<t:StartTimeZone Id="{zone}"/><t:EndTimeZone Id="{zone}"/>' if zone else ""
    return (
        f"<t:Subject>{subject}</t:Subject>{before}<t:Start>{start}</t:Start><t:End>{end}</t:End>{middle}{after}{zones}"
    )


def daily(count=5, start="2026-01-05"):
    return (
        "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
        f"<t:StartDate>{start}</t:StartDate><t:NumberOfOccurrences>{count}</t:NumberOfOccurrences></t:NumberedRecurrence>"
        "</t:Recurrence>"
    )


def set_field(uri, content, kind="CalendarItem"):
    return f'<t:SetItemField><t:FieldURI FieldURI="{uri}"/><t:{kind}>{content}</t:{kind}></t:SetItemField>'


class CalClient(Client):
    def __init__(self, exchange, user=USER):
        super().__init__(exchange, "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode())
        self.user = user

    def call(self, body, version="Exchange2013_SP1", zone=None):
        header = f'<t:RequestServerVersion Version="{version}"/>'
        if zone:
            header += f'<t:TimeZoneContext><t:TimeZoneDefinition Id="{zone}"/></t:TimeZoneContext>'
        return self.raw(f"<s:Envelope {DECLARATIONS}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>")

    def create(self, content, send="SendToNone", kind="CalendarItem", folder="", **how):
        wish = f' SendMeetingInvitations="{send}"' if send else ""
        where = f"<m:SavedItemFolderId>{folder}</m:SavedItemFolderId>" if folder else ""
        return self.call(
            f"<m:CreateItem{wish}>{where}<m:Items><t:{kind}>{content}</t:{kind}></m:Items></m:CreateItem>", **how
        )

    def made(self, *args, **kinds):
        """Creates; the new item's (id, change key)."""
        answer = self.create(*args, **kinds)
        assert answer.codes == ["NoError"], answer.data
        return id_of(answer)

    def update(self, ref, *updates, send="SendToNone", conflict="AlwaysOverwrite", **how):
        wish = f' SendMeetingInvitationsOrCancellations="{send}"' if send else ""
        return self.call(
            f'<m:UpdateItem ConflictResolution="{conflict}" MessageDisposition="SaveOnly"{wish}><m:ItemChanges>'
            f"<t:ItemChange>{ref_of(ref)}<t:Updates>{''.join(updates)}</t:Updates></t:ItemChange></m:ItemChanges>"
            "</m:UpdateItem>",
            **how,
        )

    def delete(self, ref, send="SendToNone", how="HardDelete", more=""):
        wish = f' SendMeetingCancellations="{send}"' if send else ""
        return self.call(
            f'<m:DeleteItem DeleteType="{how}"{wish}{more}><m:ItemIds>{ref_of(ref)}</m:ItemIds></m:DeleteItem>'
        )

    def get(self, *refs, shape="AllProperties", extra="", **how):
        """The item elements of GetItem."""
        listed = "".join(ref_of(r) for r in refs)
        answer = self.call(
            f"<m:GetItem><m:ItemShape><t:BaseShape>{shape}</t:BaseShape>{extra}</m:ItemShape><m:ItemIds>{listed}"
            "</m:ItemIds></m:GetItem>",
            **how,
        )
        return answer

    def item(self, ref, **how):
        answer = self.get(ref, **how)
        assert answer.codes == ["NoError"], answer.data
        return answer.find(".//m:Items")[0]

    def view(
        self, begin, end, folder='<t:DistinguishedFolderId Id="calendar"/>', shape="AllProperties", more="", **how
    ):
        answer = self.call(
            f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>{shape}</t:BaseShape></m:ItemShape>'
            f'<m:CalendarView StartDate="{begin}" EndDate="{end}"/>{more}<m:ParentFolderIds>{folder}</m:ParentFolderIds>'
            "</m:FindItem>",
            **how,
        )
        return answer

    def respond(self, word, ref, disposition="SendAndSaveCopy", body=""):
        ident, key = ref
        return self.call(
            f'<m:CreateItem MessageDisposition="{disposition}"><m:Items><t:{word}>{body}<t:ReferenceItemId Id="{ident}" '
            f'ChangeKey="{key}"/></t:{word}></m:Items></m:CreateItem>'
        )


def ref_of(ref):
    if isinstance(ref, str):
        return ref if ref.startswith("<") else f'<t:ItemId Id="{ref}"/>'
    return f'<t:ItemId Id="{ref[0]}" ChangeKey="{ref[1]}"/>'


def instance(master, index):
    return f'<t:OccurrenceItemId RecurringMasterId="{master[0]}" InstanceIndex="{index}"/>'


def id_of(answer):
    element = answer if isinstance(answer, etree._Element) else answer.tree
    found = element.find(".//t:ItemId", NS)
    return found.get("Id"), found.get("ChangeKey")


def text(item, name):
    return item.findtext(f"t:{name}", None, NS)


def kinds(item):
    return etree.QName(item).localname
