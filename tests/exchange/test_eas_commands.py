# SPDX-License-Identifier: Apache-2.0
"""Sync: what the client may change, and statuses by rule."""
import base64

import pytest

from eas_kit import *


# The client's commands


def test_changes_by_the_client(three):
    exchange, client, inbox, ids = three
    flag = E("Email:Flag", E("Status", 2), E("FlagType", "Flag for follow up"))
    categories = E("Email:Categories", E("Category", "Blue"))
    assert client.change(inbox, ids["one"], E("Email:Read", 1), flag, categories) is None
    (item,) = [i for i in exchange.items() if i["message_id"] == "<one@test>"]
    assert (item["read"], item["flag"], item["categories"]) == (True, 2, ["Blue"])
    client.sync(inbox)
    assert client.last.body == b"", "our own change is not told"
    assert client.change(inbox, ids["one"], E("Email:Flag"), E("Email:Categories")) is None
    (item,) = [i for i in exchange.items() if i["message_id"] == "<one@test>"]
    assert (item["flag"], item["categories"]) == (0, [])


@pytest.mark.parametrize(
    "fields",
    [
        [E("Email:Subject", "no")],
        [E("Email:Read", "2")],
        [E("Email:Flag", E("Status", 3))],
        [E("Email:Flag", E("Status", 2))],
        [E("Email:Flag", E("Status", 1))],
        [E("Email2:LastVerbExecuted", 1)],
    ],
)
def test_changes_that_mail_does_not_take(three, fields):
    _, client, inbox, ids = three
    assert client.change(inbox, ids["one"], *fields) == "6"


def test_flags_may_need_dates(three):
    exchange, client, inbox, ids = three
    exchange.options(eas_flag_needs_dates=True)
    fields = [E("Status", 2), E("FlagType", "x")]
    assert client.change(inbox, ids["one"], E("Email:Flag", *fields)) == "6"
    names = ("StartDate", "UtcStartDate", "DueDate", "UtcDueDate")
    dates = [E(f"Tasks:{n}", "2026-01-05T08:00:00.000Z") for n in names]
    assert client.change(inbox, ids["one"], E("Email:Flag", *fields, *dates)) is None


def test_deletes(three):
    exchange, client, inbox, ids = three
    trash = len(exchange.items("deleteditems"))
    assert client.delete(inbox, ids["one"]) is None
    assert len(exchange.items("deleteditems")) == trash + 1
    assert client.delete(inbox, ids["two"], as_moves=0) is None
    assert len(exchange.items("deleteditems")) == trash + 1
    assert client.delete(inbox, ids["two"]) == "8"
    assert client.change(inbox, ids["two"], E("Email:Read", 1)) == "8"
    client.sync(inbox)
    assert client.last.body == b""


def test_success_may_be_echoed(three):
    exchange, client, inbox, ids = three
    exchange.options(eas_echo_success=True)
    assert client.change(inbox, ids["one"], E("Email:Read", 1)) == "1"


def test_get_changes_with_commands(three):
    exchange, client, inbox, ids = three
    exchange.deliver(message("four"))
    command = E("AirSync:Change", E("ServerId", ids["one"]), E("ApplicationData", E("Email:Read", 1)))
    result = client.sync(inbox, commands=[command], get_changes=0)
    assert not result.adds and result.key
    fields = (E("SyncKey", client.keys[inbox]), E("CollectionId", inbox), E("Commands", command))
    assert len(collection_of(client, sync_tree(*fields)).all("Commands/Add")) == 1, "the default is 1"


def test_fetch_by_sync(three):
    _, client, inbox, ids = three
    commands = [E("AirSync:Fetch", E("ServerId", n)) for n in (ids["one"], f"{inbox}:999999")]
    good, bad = client.sync(inbox, commands=commands).responses.elements
    assert good.value("Status") == "1" and good.value("ApplicationData/Email:Subject") == "one"
    assert bad.value("Status") == "8"


def test_adds(exchange, fresh):
    mime = message("draft")
    data = E("ApplicationData", E("AirSyncBase:Body", E("Type", 4), E("Data", mime.decode())))
    add = E("AirSync:Add", E("ClientId", "c1"), data)
    client = fresh("16.1")
    inbox, drafts = inbox_of(client), client.folder(type="drafts").id
    client.sync(inbox)
    assert client.sync(inbox, commands=[add]).responses.value("Add/Status") == "6"
    client.sync(drafts)
    key = client.keys[drafts]
    first = client.sync(drafts, commands=[add]).responses.get("Add")
    assert first.value("Status") == "1" and first.value("ClientId") == "c1"
    again = client.sync(drafts, key=key, commands=[add]).responses.get("Add")
    assert again.value("ServerId") == first.value("ServerId")
    (item,) = exchange.items("drafts")
    assert exchange.mime(item["num"]) == mime and item["draft"]
    client.sync(drafts)
    assert client.last.body == b""
    assert client.fetch(drafts, [first.value("ServerId")])[first.value("ServerId")] == mime
    assert client.delete(drafts, first.value("ServerId"), as_moves=0) is None
    plain = E("ApplicationData", E("Email:Subject", "s"), E("AirSyncBase:Body", E("Type", 1), E("Data", "text")))
    older = fresh("16.0")
    older.sync(drafts)
    wrong, right = older.sync(drafts, commands=[add, E("AirSync:Add", E("ClientId", "c2"), plain)]).responses.elements
    assert (wrong.value("Status"), right.value("Status")) == ("6", "1")


# Scripts


@pytest.mark.parametrize("code", [5, 8, 12, 13, 16, 110, 134, 177])
def test_status_of_the_whole_by_rule(three, code):
    exchange, client, inbox, _ = three
    exchange.fault(op="Sync", do="eas_status", code=code)
    with raises_status(str(code)):
        client.sync(inbox)
    assert client.sync(inbox).status == "1"


def test_status_of_the_collection_by_rule(three):
    exchange, client, inbox, _ = three
    exchange.fault(op="Sync", do="eas_status", eas="collection", code=5, where={"folder": "inbox"})
    result = client.sync(inbox)
    assert result.status == "5"
    assert client.sync(inbox).status == "1"


@pytest.mark.parametrize("code", [6, 7, 8, 9])
def test_status_of_an_item_by_rule(three, code):
    exchange, client, inbox, ids = three
    commands = [
        E("AirSync:Change", E("ServerId", ids[n]), E("ApplicationData", E("Email:Read", 1))) for n in ("one", "two")
    ]
    exchange.fault(op="Sync", do="eas_status", eas="item", index=1, code=code)
    (answer,) = client.sync(inbox, commands=commands).responses.elements
    assert (answer.value("ServerId"), answer.value("Status")) == (ids["two"], str(code))
    assert {i["message_id"] for i in exchange.items() if i["read"]} == {"<one@test>"}


def test_the_log_says_what_was_asked(three):
    exchange, client, inbox, ids = three
    mark = exchange.mark()
    client.change(inbox, ids["one"], E("Email:Read", 1))
    (entry,) = exchange.log(mark)
    assert entry["op"] == "Sync" and entry["detail"]["folder"] == "inbox"
    assert entry["detail"]["commands"] == ["Change"] and not entry["detail"]["key0"]


def test_raw_bytes_survive(exchange, fresh):
    mime = b"Subject: raw\r\n\r\n" + bytes(range(1, 256)) + b"\r\n"
    exchange.call("POST", "deliver", {"mime_b64": base64.b64encode(mime).decode()})
    client = fresh()
    inbox = inbox_of(client)
    (number,) = client.sync_all(inbox)
    assert client.fetch(inbox, [number], multipart=False)[number] == mime
