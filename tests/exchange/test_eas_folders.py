# SPDX-License-Identifier: Apache-2.0
"""FolderSync and its relatives, MoveItems, GetItemEstimate."""
import pytest

from eas_kit import *


@pytest.fixture(autouse=True)
def only_default_folders(exchange):
    for folder in sorted(exchange.folders(), key=lambda f: -len(f["path"])):
        if not folder["kind"]:
            exchange.folder("delete", folder=folder["num"])


def test_the_default_folders(fresh):
    client = fresh()
    names = {f.type: f.name for f in client.folders.values()}
    assert names[2] == "Inbox" and names[4] == "Deleted Items" and names[19] == "Recipient Information Cache"
    assert {3, 5, 6, 7, 8, 9, 10, 11, 12} <= set(names)
    assert all(f.parent == "0" for f in client.folders.values())
    assert "Sync Issues" not in names.values()
    assert 19 not in {f.type for f in fresh("12.1").folders.values()}


def test_changes_of_the_list(exchange, fresh):
    client = fresh()
    assert client.folder_sync().elements[0].text == "0"
    made = exchange.folder("create", name="Projects")["num"]
    inner = exchange.folder("create", name="Übung", parent=made)["num"]
    changes = client.folder_sync()
    assert changes.value("Count") == "2" and [c.tag for c in changes.elements] == ["Count", "Add", "Add"]
    assert client.folder("Übung").parent == str(made) and client.folder("Projects").type == 12
    exchange.folder("rename", folder=inner, name="Renamed")
    exchange.folder("move", folder=inner, parent="inbox")
    changes = client.folder_sync()
    assert [c.tag for c in changes.elements] == ["Count", "Update"]
    assert client.folder("Renamed").parent == client.folder(type="inbox").id
    exchange.folder("delete", folder=made)
    changes = client.folder_sync()
    assert [c.tag for c in changes.elements] == ["Count", "Delete"]


def test_folder_keys(exchange, fresh):
    client = fresh()
    with raises_status("9"):
        client.folder_sync("nonsense")
    first = client.folder_key
    exchange.folder("create", name="A")
    client.folder_sync()
    second = client.folder_key
    assert second != first
    again = client.folder_sync(first)
    assert again.value("Count") == "1", "the answer was lost: told again"
    exchange.folder("create", name="B")
    client.folder_sync()
    with raises_status("9"):
        client.folder_sync(first)
    ids = set(client.folders)
    client.folder_sync("0")
    assert set(client.folders) == ids, "ids stay"


def test_classes_of_user_folders(exchange, fresh):
    exchange.folder("create", name="Cal", **{"class": "IPF.Appointment"})
    client = fresh()
    assert client.folder("Cal").type == 13


def test_create_update_delete(exchange, fresh):
    client = fresh()
    inbox = client.folder(type="inbox").id
    number = client.folder_create("Made", inbox)
    assert client.folder_sync().value("Count") == "0", "the client knows its own change"
    assert any(f["path"] == "Inbox/Made" and str(f["num"]) == number for f in exchange.folders())
    client.folder_update(number, "Other", "0")
    assert any(f["path"] == "Other" for f in exchange.folders())
    client.folder_delete(number)
    assert not any(f["path"] == "Other" for f in exchange.folders())


def test_folder_commands_that_fail(fresh):
    client = fresh()
    inbox = client.folder(type="inbox").id
    client.folder_create("Twice")
    for code, call in (
        ("2", lambda: client.folder_create("twice")),
        ("5", lambda: client.folder_create("x", "99999")),
        ("10", lambda: client.folder_create("x", type=2)),
        ("10", lambda: client.folder_create("")),
        ("10", lambda: client.folder_create("x" * 257)),
        ("2", lambda: client.folder_update(inbox, "Eingang")),
        ("4", lambda: client.folder_update("99999", "x")),
        ("3", lambda: client.folder_delete(inbox)),
        ("4", lambda: client.folder_delete("99999")),
    ):
        with raises_status(code):
            call()
    client.folder_key = "old"
    with raises_status("9"):
        client.folder_create("y")


def test_a_change_by_others_is_not_swallowed(exchange, fresh):
    client = fresh()
    exchange.folder("create", name="Theirs")
    client.folder_create("Mine")
    changes = client.folder_sync()
    assert [c.value("DisplayName") for c in changes.all("Add")] == ["Theirs"]


@pytest.fixture
def moving(exchange, fresh):
    exchange.folder("create", name="Target")
    exchange.deliver(message("m"))
    client = fresh()
    inbox, target = client.folder(type="inbox").id, client.folder("Target").id
    (item,) = client.sync_all(inbox)
    client.sync_all(target)
    return exchange, client, inbox, target, item


def test_moves(moving):
    exchange, client, inbox, target, item = moving
    new = client.move(item, inbox, target)
    assert [d.value("ServerId") for d in client.sync(inbox).deletes] == [item]
    assert [a.value("ServerId") for a in client.sync(target).adds] == [new]
    assert client.fetch(target, [new])[new] == message("m")
    exchange.options(eas_move_echo=False)
    back = client.move(new, target, inbox)
    client.sync(target)
    assert client.last.body == b""
    client.sync(inbox)
    assert client.last.body == b""
    assert client.change(inbox, back, E("Email:Read", 1)) is None


def test_moves_that_fail(moving):
    exchange, client, inbox, target, item = moving
    for code, arguments in (
        ("1", (f"{inbox}:99999", inbox, target)),
        ("1", (item, "99999", target)),
        ("2", (item, inbox, "99999")),
        ("4", (item, inbox, inbox)),
        ("2", (item, inbox, client.folder(type="calendar").id)),
    ):
        with raises_status(code):
            client.move(*arguments)
    exchange.fault(op="MoveItems", do="eas_status", eas="item", code=7)
    with raises_status("7"):
        client.move(item, inbox, target)
    client.move(item, inbox, target)


def test_too_many_moves(moving):
    exchange, client, inbox, target, item = moving
    exchange.options(eas_limits={"sync": 200, "fetch": 100, "move": 2, "collections": 300})
    move = E("Move:Move", E("SrcMsgId", item), E("SrcFldId", inbox), E("DstFldId", target))
    with raises_status("103"):
        client.checked("MoveItems", E("Move:MoveItems", *[move] * 3))


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_estimates(exchange, fresh, version):
    exchange.corpus(5, kinds="small")
    client = fresh(version)
    inbox = client.folder(type="inbox").id
    client.sync(inbox)
    assert client.estimate(inbox) == 5
    client.sync(inbox, window=2)
    assert client.estimate(inbox) == 3
    good = client.keys[inbox]
    client.keys[inbox] = "123"
    with pytest.raises(TypeError):
        client.estimate(inbox)
    assert client.last.tree.value("Response/Status") == "4"
    client.keys[inbox] = good
