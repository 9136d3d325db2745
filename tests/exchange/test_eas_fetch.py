# SPDX-License-Identifier: Apache-2.0
"""ItemOperations, Ping, sending, searching."""
import http.client
import struct
import threading
import time

import pytest

from eas_kit import *

MIXED = (
    b"From: a@x.example\r\nTo: b@x.example\r\nSubject: mixed\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n'
    b'--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nUERGLWRhdGE=\r\n--b--\r\n"
)


@pytest.fixture
def inbox(exchange, fresh):
    """(client, folder id, deliver(mime, **fields) -> ServerId)"""
    client = fresh()
    number = client.folder(type="inbox").id

    def deliver(mime, **fields):
        return f"{number}:{exchange.deliver(mime, **fields)[0]['num']}"

    return client, number, deliver


# ItemOperations


def test_status_of_each_fetch(inbox):
    client, number, deliver = inbox
    good, broken, dead = (
        deliver(message("a")),
        deliver(message("b"), traits=["mime-error"]),
        deliver(message("c"), traits=["dead"]),
    )
    found = client.fetch(number, [good, f"{number}:99999", broken, dead, "nonsense"])
    assert found == {good: message("a"), f"{number}:99999": "6", broken: "14", dead: "6", "nonsense": "6"}


def test_fetch_status_by_rule(exchange, inbox):
    client, number, deliver = inbox
    items = [deliver(message(str(n))) for n in range(3)]
    exchange.fault(op="ItemOperations", do="eas_status", eas="item", index=1, code=11)
    assert client.fetch(number, items)[items[1]] == "11"
    exchange.fault(op="ItemOperations", do="eas_status", code=3)
    with raises_status("3"):
        client.fetch(number, items)


def test_limits_of_item_operations(inbox):
    client, number, deliver = inbox
    item = deliver(message("a"))
    with raises_status("11"):
        client.checked("ItemOperations", client.fetch_tree(number, [item] * 101))
    with raises_status("2"):
        client.checked("ItemOperations", E("ItemOperations:ItemOperations", E("Fetch", E("AirSync:ServerId", item))))
    tree = E("ItemOperations:ItemOperations", E("Fetch", E("Store", "Nowhere"), E("AirSync:ServerId", item)))
    assert client.checked("ItemOperations", tree).value("Response/Fetch/Status") == "9"


def test_items_without_mime_come_as_text(inbox):
    client, number, deliver = inbox
    item = deliver(message("a"), traits=["no-mime"])
    answer = client.command("ItemOperations", client.fetch_tree(number, [item]))
    body = answer.get("Response/Fetch/Properties/AirSyncBase:Body")
    assert (body.value("Type"), body.value("Data")) == ("1", "Hello\r\n")


def test_multipart_only_when_asked(inbox):
    client, number, deliver = inbox
    item = deliver(b"Subject: z\r\n\r\na\0b\xff\r\n")
    assert client.fetch(number, [item])[item] == b"Subject: z\r\n\r\na\0b\xff\r\n"
    assert client.last.headers["content-type"] == "application/vnd.ms-sync.multipart" and len(client.last.parts) == 2
    client.fetch(number, [item], multipart=False)
    assert client.last.headers["content-type"] == "application/vnd.ms-sync.wbxml"


def test_attachments(inbox):
    client, number, deliver = inbox
    deliver(MIXED)
    (data,) = client.sync_all(number).values()
    attachment = data.get("AirSyncBase:Attachments/Attachment")
    assert (attachment.value("DisplayName"), attachment.value("Method")) == ("a.pdf", "1")
    reference = attachment.value("FileReference")

    def fetch(reference, *options):
        what = E("Options", *options) if options else None
        tree = E("Fetch", E("Store", "Mailbox"), E("AirSyncBase:FileReference", reference), what)
        return client.command("ItemOperations", E("ItemOperations:ItemOperations", tree)).get("Response/Fetch")

    whole = fetch(reference)
    assert whole.value("Properties/Data") == "UERGLWRhdGE="
    part = fetch(reference, E("Range", "4-100"))
    assert part.value("Properties/Range") == "4-7" and part.value("Properties/Total") == "8"
    assert fetch(reference, E("Range", "8-9")).value("Status") == "8"
    assert fetch("1:2:3").value("Status") == "15"


def test_get_attachment_up_to_12_1(exchange, inbox, fresh):
    client, number, deliver = inbox
    deliver(MIXED)
    (data,) = client.sync_all(number).values()
    reference = data.value("AirSyncBase:Attachments/Attachment/FileReference")
    old = fresh("12.1")
    reply = old.request("GetAttachment", params="&AttachmentName=" + reference)
    assert reply.status in (200, 400)


def test_emptying_a_folder(exchange, inbox):
    client, number, deliver = inbox
    deliver(message("a"))
    tree = E("ItemOperations:ItemOperations", E("EmptyFolderContents", E("AirSync:CollectionId", number)))
    assert client.checked("ItemOperations", tree).value("Response/EmptyFolderContents/Status") == "1"
    assert exchange.items() == []


def test_regenerated_mime(exchange, inbox):
    client, number, deliver = inbox
    item = deliver(MIXED)
    exchange.options(regenerate_mime=True)
    first, second = (client.fetch(number, [item])[item] for _ in range(2))
    assert first == second != MIXED
    exchange.options(volatile_mime=True)
    assert len({client.fetch(number, [item])[item] for _ in range(3)}) == 3


@pytest.mark.parametrize("how", ["count", "offset", "length"])
def test_multipart_tables_that_lie(exchange, inbox, how):
    client, number, deliver = inbox
    item = deliver(message("a"))
    exchange.fault(op="ItemOperations", do="multipart", text=how)
    with pytest.raises((EasError, struct.error)):
        client.fetch(number, [item])
    assert client.fetch(number, [item])[item] == message("a")


def test_how_answers_are_matched(exchange, inbox):
    client, number, deliver = inbox
    items = [deliver(message(str(n))) for n in range(3)]
    for how, expected in (("reversed", items[::-1]), ("none", [None] * 3)):
        exchange.options(eas_fetch_echo=how)
        answer = client.command("ItemOperations", client.fetch_tree(number, items))
        assert [f.value("AirSync:ServerId") for f in answer.all("Response/Fetch")] == expected


# Ping


@pytest.fixture
def pinging(exchange, inbox):
    exchange.options(eas_heartbeat_min=1)
    client, number, deliver = inbox
    deliver(message("old"))
    client.sync_all(number)
    return exchange, client, number, deliver


def later(call, *arguments, **more):
    timer = threading.Timer(0.3, call, arguments, more)
    timer.start()
    return timer


def test_ping_wakes_at_once(pinging):
    exchange, client, number, deliver = pinging
    timer = later(deliver, message("new"))
    assert client.ping(600, [number]) == ("2", [number])
    timer.join()
    assert client.ping(60, [number])[0] == "2", "as long as it is not synced"
    client.sync_all(number)
    assert client.ping(1, [number]) == ("1", [])


def test_ping_and_time(pinging):
    exchange, client, number, _ = pinging
    timer = later(exchange.advance, 500)
    assert client.ping(480, [number]) == ("1", [])
    timer.join()


@pytest.mark.parametrize("reports,answer", [("all", "2"), ("adds", "1")])
def test_ping_may_report_additions_only(pinging, reports, answer):
    exchange, client, number, _ = pinging
    exchange.options(eas_ping_reports=reports)
    timer = later(exchange.change, "update", message_id="<old@test>", read=True)
    assert client.ping(2, [number])[0] == answer
    timer.join()
    assert len(client.sync(number).changes) == 1


def test_ping_folder_forms(pinging):
    exchange, client, number, deliver = pinging
    deliver(message("new"))
    client.ping(5, [number])
    assert client.last.tree.get("Folders/Folder").elements == []
    exchange.options(eas_ping_folder="nested")
    assert client.ping(5, [number]) == ("2", [number])
    assert client.last.tree.value("Folders/Folder/Id") == number


def test_ping_bounds(pinging):
    exchange, client, number, deliver = pinging
    exchange.options(eas_heartbeat_min=60, eas_heartbeat_max=900, eas_ping_max_folders=1)
    for asked, nearest in ((10, "60"), (3000, "900")):
        assert client.ping(asked, [number])[0] == "5"
        assert client.last.tree.value("HeartbeatInterval") == nearest
    assert client.ping(60, [number, client.folder(type="sent").id])[0] == "6"
    assert client.last.tree.value("MaxFolders") == "1"
    assert client.ping(60, ["99999"])[0] == "7"


def test_ping_remembers_its_parameters(pinging):
    exchange, client, number, deliver = pinging
    with raises_status("3"):
        client.checked("Ping", None)
    client.ping(1, [number])
    assert client.command("Ping").value("Status") == "1"
    deliver(message("new"))
    assert client.command("Ping").value("Status") == "2"


def test_ping_of_an_unsynced_folder(pinging):
    exchange, client, number, _ = pinging
    sent = client.folder(type="sent").id
    assert client.ping(1, [sent]) == ("1", [])
    assert exchange.violations()[0]["what"] == "Ping of a folder that was never synced"
    exchange.options(eas_ping_needs_sync=True)
    assert client.ping(1, [sent])[0] == "7"


def test_ping_may_lie(pinging):
    exchange, client, number, _ = pinging
    exchange.options(eas_ping_false=True)
    assert client.ping(60, [number]) == ("2", [number])
    client.sync(number)
    assert client.last.body == b""


def test_ping_ends_when_its_folder_goes(pinging):
    exchange, client, _, _ = pinging
    made = exchange.folder("create", name="Gone")["num"]
    client.folder_sync()
    client.sync_all(str(made))
    timer = later(exchange.folder, "delete", folder=made)
    assert client.ping(30, [str(made)])[0] == "7"
    timer.join()


def test_ping_needs_no_policy_key(pinging):
    _, client, number, _ = pinging
    client.policy_key = "wrong"
    assert client.ping(1, [number])[0] == "1"


def test_own_changes_do_not_wake(pinging):
    exchange, client, number, _ = pinging
    item = f"{number}:{exchange.items()[0]['num']}"
    timer = later(client.change, number, item, E("Email:Read", 1))
    other = EasClient(exchange.eas_url, USER, PASSWORD, client.version, client.device_id, policy_key=client.policy_key)
    assert other.ping(2, [number]) == ("1", [])
    timer.join()
    assert exchange.items()[0]["read"]


def test_a_client_that_goes_away_frees_the_ping(pinging):
    exchange, client, number, deliver = pinging
    mark = exchange.mark()
    client.close()
    client.timeout = 0.5
    with pytest.raises(OSError):
        folders = E("Folders", E("Folder", E("Id", number), E("Class", "Email")))
        client.command("Ping", E("Ping:Ping", E("HeartbeatInterval", 600), folders))
    client.close()
    deadline = time.monotonic() + 60
    while not any(e["detail"].get("gone") for e in exchange.log(mark)):
        assert time.monotonic() < deadline, "the Ping is still parked"
        time.sleep(0.05)


def test_a_hanging_sync(pinging):
    exchange, client, number, deliver = pinging
    timer = later(deliver, message("new"))
    fields = (E("SyncKey", client.keys[number]), E("CollectionId", number))
    tree = E("AirSync:Sync", E("Collections", E("Collection", *fields)), E("HeartbeatInterval", 60))
    answer = client.command("Sync", tree)
    assert len(answer.all("Collections/Collection/Commands/Add")) == 1
    timer.join()


# Sending


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_sending(exchange, fresh, version):
    client = fresh(version)
    text = message("out").replace(b"To: alice@", b"Bcc: hidden@x.example\r\nTo: bob@")
    before = len(exchange.submissions())
    client.send_mail(text)
    sent = exchange.submissions()[before:]
    assert [(s["sender"], s["recipients"]) for s in sent] == [(USER, ["bob@example.com", "hidden@x.example"])]
    (copy,) = exchange.items("sentitems")
    assert exchange.mime(copy["num"]).startswith(b"From: Alice <alice@example.com>\r\n"), "the sender is the mailbox"
    bob = connect(exchange, version, "bob@example.com")
    items = bob.sync_all(bob.folder(type="inbox").id)
    assert [i.value("Email:Subject") for i in items.values()] == ["out"]
    received = list(bob.fetch(bob.folder(type="inbox").id, list(items)).values())[0]
    assert b"Bcc" not in received
    for item in items:
        bob.delete(bob.folder(type="inbox").id, item, as_moves=0)
    bob.close()


def test_the_same_client_id_is_sent_once(exchange, fresh):
    client = fresh()
    before = len(exchange.submissions())
    exchange.fault(op="SendMail", do="lose")
    client.close()
    with pytest.raises((OSError, http.client.HTTPException)):
        client.send_mail(message("once"), "id-1")
    with raises_status("118"):
        client.send_mail(message("once"), "id-1")
    assert len(exchange.submissions()) == before + 1


def test_messages_that_cannot_be_sent(exchange, fresh):
    client = fresh()
    for code, mime in (
        ("119", message("x").replace(b"To:", b"X-To:")),
        ("107", b"not a message"),
        ("122", message("big", size=200000)),
    ):
        exchange.options(eas_max_send_bytes=100000)
        with raises_status(code):
            client.send_mail(mime)
    with raises_status("103"):
        client.send_mail(message("x"), "i" * 41)
    tree = E("ComposeMail:SendMail", E("ClientId", "a"), E("Mime", message("x").decode()))
    with raises_status("103"):
        client.checked("SendMail", tree)


def test_replies_and_forwards(exchange, inbox):
    client, number, deliver = inbox
    item = deliver(message("question"))
    source = E("Source", E("FolderId", number), E("ItemId", item))
    for command, verb in (("SmartReply", 102), ("SmartForward", 104)):
        for replace in (E("ReplaceMime"), None):
            tree = E(
                f"ComposeMail:{command}",
                E("ClientId", f"{command}{replace}"[:40]),
                source,
                E("SaveInSentItems"),
                replace,
                E("Mime", message("answer")),
            )
            assert client.command(command, tree) is None
            sent = exchange.mime(exchange.items("sentitems")[-1]["num"])
            assert (b"Subject: question" in sent) == (replace is None)
        assert exchange.items()[0]["last_verb"] == verb
    gone = E("Source", E("FolderId", number), E("ItemId", f"{number}:99999"))
    with raises_status("150"):
        client.checked("SmartReply", E("ComposeMail:SmartReply", E("ClientId", "z"), gone, E("Mime", message("a"))))


# Searching


@pytest.fixture
def searching(exchange, inbox):
    client, number, deliver = inbox
    for n in range(5):
        deliver(message(f"needle{n}", "some straw and a pin\r\n"), received=1767600000 + n * 3600)
    deliver(message("other", "nothing\r\n"))
    return client, number


def search(client, text, number, *more, span="0-99"):
    query = E("And", E("AirSync:Class", "Email"), E("AirSync:CollectionId", number), E("FreeText", text), *more)
    options = E("Options", E("Range", span), E("AirSync:MIMESupport", 2), E("AirSyncBase:BodyPreference", E("Type", 4)))
    tree = E("Search:Search", E("Store", E("Name", "Mailbox"), E("Query", query), options))
    return client.checked("Search", tree).get("Response/Store")


def test_search(searching):
    client, number = searching
    store = search(client, "straw pin", number)
    names = [r.value("Properties/Email:Subject") for r in store.all("Result")]
    assert names == [f"needle{n}" for n in (4, 3, 2, 1, 0)]
    assert (store.value("Range"), store.value("Total")) == ("0-4", "5")
    store = search(client, "straw", number, span="3-9")
    assert store.value("Range") == "3-4" and len(store.all("Result")) == 2
    assert search(client, "straw", number, span="5-9").value("Status") == "12"
    assert not search(client, "absent", number).get("Result").elements
    after = E("GreaterThan", E("Email:DateReceived"), E("Value", "2026-01-05T09:30:00.000Z"))
    assert len(search(client, "straw", number, after).all("Result")) == 3
    long_id = store.value("Result/LongId")
    fetch = E("Fetch", E("Store", "Mailbox"), E("Search:LongId", long_id))
    answer = client.command("ItemOperations", E("ItemOperations:ItemOperations", fetch))
    assert answer.value("Response/Fetch/Status") == "1"


def test_find(searching):
    client, number = searching
    query = E("Query", E("AirSync:Class", "Email"), E("AirSync:CollectionId", number), E("FreeText", "straw"))
    search_for = E("ExecuteSearch", E("MailBoxSearchCriterion", query, E("Options", E("Range", "0-2"))))
    answer = client.checked("Find", E("Find:Find", E("SearchId", "1"), search_for))
    results = answer.all("Response/Result")
    assert [r.value("Properties/Email:Subject") for r in results] == ["needle4", "needle3", "needle2"]
    assert answer.value("Response/Total") == "5"
