# SPDX-License-Identifier: Apache-2.0
"""Shorthands of the test_eas_calendar*.py files: events and tasks as EAS clients write them."""
import base64

import pytest

import cal_zones
from eas_kit import EasError, exchange, fresh, running  # noqa: F401
from standin import USER
from wbxml import E

BERLIN = base64.b64encode(cal_zones.blob(cal_zones.find("W. Europe Standard Time"), 2026)).decode()
BOB = "bob@example.com"
OLD, NEW = "14.1", "16.1"


@pytest.fixture
def empty(exchange):
    """The stand-in with nothing in the calendars and task folders of both users."""
    for user in (USER, BOB):
        for folder in ("calendar", "tasks", "inbox", "sentitems", "deleteditems"):
            numbers = [i["num"] for i in exchange.items(folder, user=user)]
            if numbers:
                exchange.change("delete", nums=numbers, user=user)
    return exchange


class Cal:
    """One folder of one client."""

    def __init__(self, client, kind="calendar", supported=None):
        self.client, self.id = client, client.folder(type=kind).id
        self.serial = 0
        first = [] if supported is None else [E("Supported", *supported)]
        fields = [E("SyncKey", "0"), E("CollectionId", self.id), *first]
        client.keys[self.id] = client.checked(
            "Sync", E("AirSync:Sync", E("Collections", E("Collection", *fields)))
        ).value("Collections/Collection/SyncKey")
        self.items = {}

    def pull(self, filter_type=0, kind=1):
        options = E("AirSync:Options", E("FilterType", filter_type), E("AirSyncBase:BodyPreference", E("Type", kind)))
        return self.client.sync_all(self.id, options=options, items=self.items)

    def send(self, *commands, **more):
        return self.client.must(self.client.sync(self.id, commands=commands, **more))

    def add(self, *fields, client_id=None):
        """(ServerId or None, Status, response)"""
        self.serial += 1
        command = E("AirSync:Add", E("ClientId", client_id or f"c{self.serial}"), E("ApplicationData", *fields))
        found = self.send(command).responses.get("Add")
        return found.value("ServerId"), found.value("Status"), found

    def change(self, number, *fields, instance=None):
        """The Status; "1" when there is no answer."""
        named = [E("AirSyncBase:InstanceId", instance)] if instance else []
        return self.status(E("AirSync:Change", E("ServerId", number), *named, E("ApplicationData", *fields)))

    def delete(self, number, instance=None):
        named = [E("AirSyncBase:InstanceId", instance)] if instance else []
        return self.status(E("AirSync:Delete", E("ServerId", number), *named))

    def status(self, command):
        answer = self.send(command).responses
        return answer.elements[0].value("Status") if answer else "1"


def times(start="20260105T080000Z", end="20260105T090000Z"):
    return [E("Calendar:StartTime", start), E("Calendar:EndTime", end)]


def event(*more, subject="Talk", version=OLD, start="20260105T080000Z", end="20260105T090000Z", zone=BERLIN, uid="u1"):
    """What a client of this version sends for an event."""
    fields = [E("Calendar:Timezone", zone)] if zone else []
    fields += [E("Calendar:AllDayEvent", 0)] if not any(e.name == "Calendar:AllDayEvent" for e in more) else []
    fields += times(start, end) + [E("Calendar:Subject", subject)]
    if version < "16":
        fields += [E("Calendar:UID", uid), E("Calendar:DtStamp", "20260101T000000Z")]
    else:
        fields += [E("Calendar:ClientUid", uid)]
    return fields + list(more)


def daily(count=5):
    return E("Calendar:Recurrence", E("Type", 0), E("Occurrences", count), E("Interval", 1))


def plain(element):
    """{tag: text} of the children that hold text."""
    return {e.tag: e.text for e in element.elements if not e.elements}
