# SPDX-License-Identifier: Apache-2.0
"""Sync: keys, windows, what the server tells, what the client may change (MS-ASCMD 2.2.1.21)."""
import pytest

from eas_kit import *

DAY = 86400


# Keys


def test_key_zero_brings_a_key_and_nothing_else(exchange, fresh):
    exchange.deliver(subject="x")
    client = fresh()
    result = client.sync(inbox_of(client))
    assert result.status == "1" and result.key not in (None, "0") and not result.adds and not result.more


def test_wrong_keys(three):
    _, client, inbox, _ = three
    for key in ("12345", "x", ""):
        assert client.sync(inbox, key=key).status == "3"
    assert client.sync(inbox, key=client.keys[inbox]).status == "3", "a wrong key spoils the state"
    client.keys.pop(inbox)
    assert len(client.sync_all(inbox)) == 3


def test_a_key_of_another_folder(three):
    _, client, inbox, _ = three
    sent = client.folder(type="sent").id
    client.sync(sent)
    assert client.sync(inbox, key=client.keys[sent]).status == "3"


def test_one_step_back_is_told_again(exchange, fresh):
    for n in range(6):
        exchange.deliver(message(f"m{n}"))
    client = fresh()
    inbox = inbox_of(client)
    client.sync(inbox)
    first = client.keys[inbox]
    a = client.sync(inbox, window=2)
    again = client.sync(inbox, key=first, window=2)
    assert subjects(a.adds) == subjects(again.adds) and again.key != a.key
    assert client.sync(inbox, key=a.key).status == "3", "the lost answer's key never was"
    client.keys[inbox] = "0"
    client.sync(inbox)
    first = client.keys[inbox]
    second = client.sync(inbox, window=2)
    third = client.sync(inbox, window=2)
    assert third.status == "1"
    assert client.sync(inbox, key=first).status == "3", "two steps back"
    assert second.key != third.key


def test_a_lost_answer_with_commands(three):
    exchange, client, inbox, ids = three
    key = client.keys[inbox]
    commands = [
        E("AirSync:Change", E("ServerId", ids["one"]), E("ApplicationData", E("Email:Read", 1))),
        E("AirSync:Delete", E("ServerId", ids["two"])),
    ]
    exchange.fault(op="Sync", do="lose")
    client.close()
    with pytest.raises(OSError):
        client.sync(inbox, commands=commands)
    client.close()
    again = client.sync(inbox, key=key, commands=commands, as_moves=0)
    assert again.status == "1" and again.responses is None
    assert sorted(i["message_id"] for i in exchange.items()) == ["<one@test>", "<three@test>"]
    assert len(exchange.items("deleteditems")) == 1
    follow = client.sync(inbox)
    assert not follow.adds and not follow.changes and not follow.deletes


def test_own_changes_are_told_when_the_batch_is_not_repeated(three):
    _, client, inbox, ids = three
    key = client.keys[inbox]
    client.change(inbox, ids["one"], E("Email:Read", 1))
    result = client.sync(inbox, key=key)
    assert [c.value("ServerId") for c in result.changes] == [ids["one"]]


def test_invalidate(three):
    exchange, client, inbox, _ = three
    exchange.invalidate()
    assert client.sync(inbox).status == "3"
    with raises_status("9"):
        client.folder_sync()


def test_expired_by_rule(three):
    exchange, client, inbox, _ = three
    exchange.fault(op="Sync", do="expired")
    assert client.sync(inbox).status == "3"
    assert client.sync(inbox, key="0").status == "1"


@pytest.mark.parametrize("mode", ["stable", "remint", "reuse"])
def test_ids_after_key_zero(three, mode):
    exchange, client, inbox, _ = three
    exchange.options(eas_item_ids=mode)
    client.keys[inbox] = "0"
    before = client.sync_all(inbox)
    exchange.change("delete", num=exchange.items()[0]["num"])
    client.keys[inbox] = "0"
    after = client.sync_all(inbox)
    named = [{n: i.value("Email:Subject") for n, i in items.items()} for items in (before, after)]
    shared = set(named[0]) & set(named[1])
    if mode == "stable":
        assert len(shared) == 2 and all(named[0][n] == named[1][n] for n in shared)
    elif mode == "remint":
        assert not shared
    else:
        assert shared
    assert all(client.fetch(inbox, list(after))[n].startswith(b"From: Bob") for n in after)


# Windows


def test_windows(exchange, fresh):
    exchange.corpus(230, kinds="small")
    client = fresh()
    inbox = inbox_of(client)
    sizes = []
    client.sync(inbox)
    for window in (1, 0, 512):
        result = client.sync(inbox, window=window)
        sizes.append((len(result.adds), result.more))
    assert sizes == [(1, True), (229, False), (0, False)]
    client.keys[inbox] = "0"
    client.sync(inbox)
    result = collection_of(client, sync_tree(E("SyncKey", client.keys[inbox]), E("CollectionId", inbox)))
    assert len(result.all("Commands/Add")) == 100, "the default window"


def test_the_window_of_the_whole_sync(exchange, fresh):
    exchange.corpus(30, kinds="small")
    exchange.deliver(subject="s", folder="sentitems")
    client = fresh()
    inbox, sent = inbox_of(client), client.folder(type="sent").id
    client.sync(inbox), client.sync(sent)
    both = [E("Collection", E("SyncKey", client.keys[f]), E("CollectionId", f)) for f in (inbox, sent)]
    answer = client.command("Sync", E("AirSync:Sync", E("Collections", *both), E("WindowSize", 10)))
    first, second = answer.all("Collections/Collection")
    assert len(first.all("Commands/Add")) == 10 and first.has("MoreAvailable")
    assert not second.has("Commands") and second.has("MoreAvailable")


def test_more_available_without_items(exchange, fresh):
    exchange.options(eas_more_empty=True, eas_more_last=True)
    exchange.corpus(20, kinds="small")
    client = fresh()
    inbox = inbox_of(client)
    client.sync(inbox)
    pages = [client.sync(inbox, window=15) for _ in range(4)]
    assert [(len(p.adds), p.more) for p in pages] == [(0, True), (15, True), (0, True), (5, False)]
    assert len({p.key for p in pages}) == 4


def test_a_response_size_limit_ends_pages_early(exchange, fresh):
    exchange.options(eas_max_response_bytes=20000)
    for n in range(10):
        exchange.deliver(message(f"big{n}", size=9000))
    client = fresh()
    inbox = inbox_of(client)
    client.sync(inbox)
    result = client.sync(inbox, options=options_mime())
    assert len(result.adds) == 3 and result.more
    assert len(client.sync_all(inbox)) == 7


def test_nothing_new_is_an_empty_answer(three):
    exchange, client, inbox, _ = three
    key = client.keys[inbox]
    client.sync(inbox)
    assert client.last.status == 200 and client.last.body == b"" and client.keys[inbox] == key
    exchange.options(eas_empty_sync=False)
    assert client.sync(inbox).collection is not None


# What the server tells


def test_changes_carry_only_what_changed(three):
    exchange, client, inbox, ids = three
    by_id = {i["message_id"]: i["num"] for i in exchange.items()}
    one, two = by_id["<one@test>"], by_id["<two@test>"]
    exchange.change("update", num=one, read=True)
    (change,) = client.sync(inbox).changes
    assert [e.name for e in change.get("ApplicationData").elements] == ["Email:Read"]
    exchange.change("update", num=one, flag=2, categories=["Red", "Work"])
    (change,) = client.sync(inbox).changes
    data = change.get("ApplicationData")
    assert data.value("Email:Flag/Status") == "2"
    assert [c.text for c in data.all("Email:Categories/Category")] == ["Red", "Work"]
    exchange.change("update", num=one, flag=0, categories=[])
    data = client.sync(inbox).changes[0].get("ApplicationData")
    assert data.get("Email:Flag").elements == [] and data.get("Email:Categories").elements == []
    exchange.change("update", num=two, subject="new subject")
    data = client.sync(inbox).changes[0].get("ApplicationData")
    assert data.value("Email:Subject") == "new subject" and data.has("AirSyncBase:Body")
    exchange.change("delete", num=two)
    assert [d.value("ServerId") for d in client.sync(inbox).deletes] == [ids["two"]]


def test_moved_away_is_deleted_here_and_added_there(three):
    exchange, client, inbox, ids = three
    sent = client.folder(type="sent").id
    known = set(client.sync_all(sent))
    exchange.change("move", message_id="<one@test>", to="sentitems")
    assert [d.value("ServerId") for d in client.sync(inbox).deletes] == [ids["one"]]
    assert len(set(client.sync_all(sent)) - known) == 1


def test_what_came_and_went_is_not_told(three):
    exchange, client, inbox, _ = three
    exchange.change("delete", num=exchange.deliver(subject="short")[0]["num"])
    client.sync(inbox)
    assert client.last.body == b""


def test_properties(exchange, fresh):
    head = 'From: =?utf-8?Q?J=C3=B6rg?= <j@example.com>\r\nTo: a@x.example, "B, C" <b@x.example>\r\n'
    head += "Cc: c@x.example\r\n"
    head += "Reply-To: r@x.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nImportance: high\r\n\r\nbody\r\n"
    exchange.deliver(head.encode(), received=1767600000, last_verb=103, categories=["C1"])
    for version in ("12.1", "14.1", "16.1"):
        client = fresh(version)
        (data,) = client.sync_all(inbox_of(client)).values()
        assert "Jörg" in data.value("Email:From") and "b@x.example" in data.value("Email:To")
        assert data.value("Email:Subject") == "Grüße" and data.value("Email:Importance") == "2"
        assert data.value("Email:DateReceived") == "2026-01-05T08:00:00.000Z"
        assert data.value("Email:MessageClass") == "IPM.Note" and data.value("Email:ReplyTo") == "r@x.example"
        new = version != "12.1"
        assert data.has("Email2:ConversationId") == data.has("Email:Categories") == new
        assert data.value("Email2:LastVerbExecuted") == ("2" if new else None)
        assert data.has("Email2:IsDraft") == (version == "16.1")
        if new:
            assert data.get("Email2:ConversationId").opaque and len(data.get("Email2:ConversationId").bytes) == 16


def test_other_classes_are_empty(fresh):
    client = fresh()
    for kind in ("calendar", "tasks", 9):
        assert client.sync_all(client.folder(type=kind).id, E("AirSync:Options", E("FilterType", 0))) == {}


# Options


def body_of(item):
    return item.get("ApplicationData/AirSyncBase:Body")


def test_bodies(exchange, fresh):
    exchange.deliver(message("b", "line\r\n" * 100))
    client = fresh()
    inbox = inbox_of(client)

    def wanted(*options):
        client.sync(inbox, key="0")
        return body_of(client.sync(inbox, options=E("AirSync:Options", *options)).adds[0])

    mime = E("AirSyncBase:BodyPreference", E("Type", 4))
    cut = E("AirSyncBase:BodyPreference", E("Type", 4), E("TruncationSize", 300))
    assert wanted(E("MIMESupport", 2), mime).value("Type") == "4"
    assert wanted(mime).value("Type") == "1", "MIME needs MIMESupport 2"
    assert wanted(E("MIMESupport", 1), mime).value("Type") == "1", "1 is for S/MIME alone"
    body = wanted(E("MIMESupport", 2), cut)
    assert len(body.get("Data").bytes) == 300 and body.value("Truncated") == "1"
    exchange.options(eas_truncate="never")
    assert wanted(E("MIMESupport", 2), cut).value("Truncated") is None
    exchange.options(eas_truncate="level")
    assert wanted(E("MIMESupport", 2), cut).value("Truncated") is None
    assert len(wanted(E("MIMESupport", 2), E("MIMETruncation", 0), mime).value("Data", "")) == 0
    exchange.options(eas_truncate="both")
    whole = E("AirSyncBase:BodyPreference", E("Type", 1), E("TruncationSize", 50), E("AllOrNone", 1))
    body = wanted(whole)
    assert body.value("Truncated") == "1" and not body.has("Data")
    html = wanted(E("AirSyncBase:BodyPreference", E("Type", 2), E("TruncationSize", 20)))
    assert html.value("Type") == "2" and len(html.value("Data")) == 20


@pytest.mark.parametrize(
    "options",
    [
        [E("AirSync:FilterType", 6)],
        [E("AirSync:FilterType", "x")],
        [E("AirSync:MIMESupport", 3)],
        [E("AirSync:MIMETruncation", 9)],
        [E("AirSyncBase:BodyPreference", E("Type", 5))],
        [E("AirSyncBase:BodyPreference", E("Type", 1)), E("AirSyncBase:BodyPreference", E("Type", 1))],
        [E("AirSyncBase:BodyPreference", E("TruncationSize", 5), E("Type", 1))],
        [E("AirSync:FilterType", 0), E("AirSync:FilterType", 0)],
    ],
)
def test_bad_options(three, options):
    _, client, inbox, _ = three
    with raises_status("4"):
        client.sync(inbox, options=E("AirSync:Options", *options))


def test_options_are_sticky_and_replaced_as_a_whole(three):
    exchange, client, inbox, _ = three
    exchange.deliver(message("four"))
    assert body_of(client.sync(inbox).adds[0]).value("Type") == "4", "from the Options of before"
    exchange.deliver(message("five"))
    result = client.sync(inbox, options=E("AirSync:Options", E("Conflict", 1)))
    assert body_of(result.adds[0]).value("Type") == "1", "a block without BodyPreference takes it away"


def test_filter_and_soft_delete(exchange, fresh):
    now = exchange.call("GET", "clock")["now"]
    for days, name in ((0, "today"), (5, "days"), (40, "old")):
        exchange.deliver(message(name), received=now - days * DAY - 3600)
    client = fresh()
    inbox = inbox_of(client)
    client.sync(inbox)
    assert subjects(client.sync(inbox, options=options_mime(3)).adds) == ["today", "days"]
    assert subjects(client.sync(inbox, options=options_mime(0)).adds) == ["old"]
    result = client.sync(inbox, options=options_mime(1))
    assert len(result.softdeletes) == 2 and not result.deletes
    exchange.advance(2 * DAY)
    assert len(client.sync(inbox).softdeletes) == 1
    assert len(exchange.items()) == 3
    client.sync(inbox, options=options_mime(0))
    exchange.change("delete", nums=[i["num"] for i in exchange.items()])
    result = client.sync(inbox)
    assert len(result.deletes) == 3 and not result.softdeletes


# Requests that are malformed


def test_order_and_presence_in_a_collection(three):
    _, client, inbox, _ = three
    key, number = E("AirSync:SyncKey", client.keys[inbox]), E("AirSync:CollectionId", inbox)
    window, changes = E("AirSync:WindowSize", 10), E("AirSync:GetChanges")
    for fields in (
        (number, key),
        (key, number, window, changes),
        (key,),
        (key, number, number),
        (E("AirSync:Class", "Email"), key, number),
        (key, number, E("AirSync:ServerId", "1")),
    ):
        with raises_status("4"):
            client.checked("Sync", sync_tree(*fields))
    assert collection_of(client, sync_tree(key, number, changes, window)) is None


def test_key_zero_takes_no_changes_and_no_commands(three):
    _, client, inbox, ids = three
    start = (E("AirSync:SyncKey", 0), E("AirSync:CollectionId", inbox))
    delete = E("AirSync:Commands", E("Delete", E("ServerId", ids["one"])))
    for extra in (E("AirSync:GetChanges"), E("AirSync:GetChanges", 1), delete):
        with raises_status("4"):
            client.checked("Sync", sync_tree(*start, extra))
    assert collection_of(client, sync_tree(*start, E("AirSync:GetChanges", 0))).value("Status") == "1"


def test_limits_and_missing_things(three):
    exchange, client, inbox, ids = three
    with raises_status("13"):
        client.checked("Sync", None)
    with raises_status("12"):
        client.sync("99999")
    read = E("AirSync:Fetch", E("ServerId", ids["one"]))
    with raises_status("4"):
        client.sync(inbox, commands=[read] * 201)
    fields = (E("AirSync:SyncKey", client.keys[inbox]), E("AirSync:CollectionId", inbox))
    for more in ([E("AirSync:Wait", 1), E("AirSync:HeartbeatInterval", 60)],):
        with raises_status("4"):
            client.checked("Sync", sync_tree(*fields, more=more))
    for more in (E("AirSync:Wait", 0), E("AirSync:Wait", 60), E("AirSync:HeartbeatInterval", 59)):
        with raises_status("14"):
            client.checked("Sync", sync_tree(*fields, more=[more]))
        assert client.last.tree.has("Limit")
    exchange.options(eas_limits={"sync": 200, "fetch": 100, "move": 1000, "collections": 0})
    with raises_status("15"):
        client.sync(inbox)


def test_drafts_below_16_are_a_violation(exchange, fresh):
    client = fresh("14.1")
    client.sync_all(client.folder(type="drafts").id)
    assert [v["what"] for v in exchange.violations()] == ["Drafts synced below 16.0"] * 2


def attached(*leave_out, **other):
    fields = {"ClientId": "a1", "Content": b"\0\1", "DisplayName": "x.bin", "Method": "1", **other}
    return E("AirSyncBase:Add", *[E(name, value) for name, value in fields.items() if name not in leave_out])


def draft(client, *fields, client_id="c1"):
    folder = client.folder(type="drafts").id
    if folder not in client.keys:
        client.sync_all(folder)
    command = E("AirSync:Add", E("ClientId", client_id), E("ApplicationData", *fields))
    return client.sync(folder, commands=[command]).responses.get("Add")


def whole(kind, text):
    return E("AirSyncBase:Body", E("Type", kind), E("Data", text))


@pytest.mark.parametrize("version", ["16.0", "16.1"])
def test_drafts(exchange, fresh, version):
    """By their properties; MIME is for 16.1."""
    client = fresh(version)
    fields = [E("Email:To", '"Bob" <b@x.example>'), E("Email2:Bcc", "c@x.example"), E("Email:Subject", "Grüße"), whole(2, "<p>x</p>")]
    files = E("AirSyncBase:Attachments", attached(), attached(ClientId="a2", ContentId="pic", IsInline="1", ContentType="image/png"))
    answer = draft(client, *fields, files)
    assert answer.value("Status") == "1"
    made = answer.all("ApplicationData/AirSyncBase:Attachments/Attachment")
    assert [a.value("ClientId") for a in made] == ["a2", "a1"] and all(a.value("FileReference") for a in made)
    (item,) = exchange.items("drafts")
    mime = exchange.mime(item["num"])
    for piece in (b"b@x.example", b"Bcc: c@x.example", b"<p>x</p>", b"Content-ID: <pic>", b'filename="x.bin"'):
        assert piece in mime, mime
    status = draft(client, whole(4, "Subject: x\r\n\r\ny\r\n"), client_id="c2").value("Status")
    assert status == ("1" if version == "16.1" else "6")


@pytest.mark.parametrize(
    "wrong",
    [
        E("AirSyncBase:Attachments", attached("Method")),
        E("AirSyncBase:Attachments", attached("ClientId")),
        E("AirSyncBase:Attachments", attached(Method="5")),
        E("AirSyncBase:Attachments", attached(FileReference="1:2:3")),
        E("AirSyncBase:Attachments", E("Attachment", E("DisplayName", "x"))),
        E("Email:To"),
        E("Email2:IsDraft", 1),
        E("Email:From", "a@x.example"),
        E("Email:Importance", 3),
        whole(3, "rtf"),
    ],
)
def test_what_cannot_be_said_of_a_draft(exchange, fresh, wrong):
    assert draft(fresh("16.0"), wrong).value("Status") == "6"
    assert exchange.items("drafts") == []


# Other servers' ways


def test_the_same_in_more_words(exchange, fresh):
    exchange.deliver(message("long", "x" * 500))
    client = fresh()
    inbox = inbox_of(client)
    plain = client.sync_all(inbox)
    exchange.options(eas_wbxml="verbose", eas_top_status=True)
    client.keys[inbox] = "0"
    assert [i.bytes for i in client.sync_all(inbox).values()] == [i.bytes for i in plain.values()]
    assert len(client.last.body) == 0
    exchange.options(eas_data_opaque=True)
    client.keys[inbox] = "0"
    (item,) = client.sync_all(inbox, options_mime()).values()
    data = item.get("AirSyncBase:Body/Data")
    assert data.opaque and data.bytes == message("long", "x" * 500)


def test_own_changes_may_be_told_again(three):
    exchange, client, inbox, ids = three
    exchange.options(eas_echo_own=True)
    client.change(inbox, ids["one"], E("Email:Read", 1))
    assert [c.value("ServerId") for c in client.sync(inbox).changes] == [ids["one"]]


def test_changes_in_other_clothes(three):
    exchange, client, inbox, ids = three
    exchange.options(eas_change_as_add=True, eas_stray_change=True)
    exchange.change("update", message_id="<one@test>", read=True)
    result = client.sync(inbox)
    assert [a.value("ServerId") for a in result.adds] == [ids["one"]]
    assert [c.value("ServerId") for c in result.changes] == [f"{inbox}:987654321"]


def test_broken_requests_never_break_the_server(three):
    """Every byte of a Sync changed, and every cut: an answer, and no exception inside."""
    exchange, client, inbox, ids = three
    commands = E("Commands", E("Change", E("ServerId", ids["one"]), E("ApplicationData", E("Email:Read", 1))))
    fields = (E("SyncKey", client.keys[inbox]), E("CollectionId", inbox), options_mime(truncation=100), commands)
    good = encode(sync_tree(*fields))
    for place in range(len(good)):
        for body in (good[:place], good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :]):
            assert client.request("Sync", body=body or b"\x00").status in (200, 400)
    assert not [v for v in exchange.violations() if "exception" in v["what"]]
