# SPDX-License-Identifier: Apache-2.0
"""Judge: Debian's python3-exchangelib reads the stand-in's mailbox."""
import threading

import exchangelib
import pytest
from exchangelib.errors import ErrorItemNotFound
from exchangelib.services import SyncFolderItems

import judge_mailbox
from standin import PASSWORD, USER


@pytest.fixture(scope="module")
def exchange():
    with judge_mailbox.start() as server:
        yield server
        assert server.violations() == []


@pytest.fixture(scope="module")
def account(exchange):
    credentials = exchangelib.Credentials(username=USER, password=PASSWORD)
    config = exchangelib.Configuration(
        service_endpoint=exchange.url, credentials=credentials, auth_type=exchangelib.BASIC, max_connections=4
    )
    found = exchangelib.Account(
        primary_smtp_address=USER, config=config, autodiscover=False, access_type=exchangelib.DELEGATE
    )
    yield found
    found.protocol.close()


def test_version(account):
    assert account.version.build.major_version == 15
    assert account.version.api_version.startswith("Exchange201")


def test_folders(account, exchange):
    top = account.msg_folder_root
    found = {f.name: f.total_count for f in top.walk()}
    for folder in exchange.folders():
        if not folder["hidden"]:
            assert found.get(folder["name"]) == folder["total"], folder["path"]


def test_inbox_subjects(account, exchange):
    assert account.inbox.all().count() == len(exchange.items())
    found = sorted(i.subject or "" for i in account.inbox.all().only("subject"))
    assert found == judge_mailbox.subjects(exchange)


def test_newest_message(account, exchange):
    item = account.inbox.all().order_by("-datetime_received")[0]
    assert item.subject == judge_mailbox.SUBJECT
    assert item.sender.email_address == "joerg@contoso.example" and item.sender.name == "Jörg Weiß"
    assert "Zażółć gęślą jaźń" in item.text_body
    assert item.mime_content == exchange.mime(exchange.items()[-1]["num"])
    assert not item.is_read and not item.is_draft


def test_every_message_as_delivered(account, exchange):
    served = {i.message_id: i.mime_content for i in account.inbox.all().only("message_id", "mime_content")}
    for item in exchange.items():
        if item["message_id"]:
            assert served[item["message_id"]] == exchange.mime(item["num"])


def test_restriction_and_sort(account, exchange):
    unread = list(account.inbox.filter(is_read=False).order_by("datetime_received").only("subject", "is_read"))
    assert len(unread) == sum(not i["read"] for i in exchange.items())
    one = list(account.inbox.filter(subject__icontains="judge was").only("subject"))
    assert one == []
    assert [i.subject for i in account.inbox.filter(subject=judge_mailbox.SUBJECT)] == [judge_mailbox.SUBJECT]


def test_attachments(account, exchange):
    seen = 0
    for item in account.inbox.all():
        for attachment in item.attachments:
            seen += 1
            if isinstance(attachment, exchangelib.FileAttachment):
                assert len(attachment.content) > 0
    assert seen > 0


def test_sync_states(account, exchange):
    inbox = account.inbox
    changes = list(inbox.sync_items(only_fields=["subject"], max_changes_returned=7))
    assert len(changes) == len(exchange.items()) and {c[0] for c in changes} == {"create"}
    state = inbox.item_sync_state
    assert list(inbox.sync_items(sync_state=state)) == []
    new = exchange.deliver(subject="To be synced")[0]
    exchange.change("update", num=exchange.items()[0]["num"], read=not exchange.items()[0]["read"])
    kinds = [c[0] for c in inbox.sync_items(sync_state=inbox.item_sync_state)]
    assert sorted(kinds) == sorted([SyncFolderItems.CREATE, SyncFolderItems.READ_FLAG_CHANGE])
    exchange.change("delete", num=new["num"])
    assert [c[0] for c in inbox.sync_items(sync_state=inbox.item_sync_state)] == [SyncFolderItems.DELETE]


def test_hierarchy_sync(account, exchange):
    root = account.msg_folder_root
    first = list(root.sync_hierarchy())
    names = {f.name for kind, f in first if kind == "create"}
    assert {"Inbox", "会議メモ", "Clients/Suppliers", "Größe & Änderung"} <= names
    exchange.folder("create", name="Made later", parent="inbox")
    later = list(root.sync_hierarchy(sync_state=root.folder_sync_state))
    assert ("create", "Made later") in [(kind, f.name) for kind, f in later]


def test_streaming_announces_new_mail(account, exchange):
    with account.inbox.streaming_subscription() as subscription:
        timer = threading.Timer(1.0, lambda: exchange.deliver(subject=judge_mailbox.NEW_SUBJECT))
        timer.start()
        events = []
        for notification in account.inbox.get_streaming_events(
            subscription, connection_timeout=1, max_notifications_returned=1
        ):
            events += notification.events
        timer.join()
    assert {"CreatedEvent", "NewMailEvent"} & {e.ELEMENT_NAME for e in events}
    newest = account.inbox.all().order_by("-datetime_received").only("subject")[0]
    assert newest.subject == judge_mailbox.NEW_SUBJECT


def test_pull_subscription(account, exchange):
    with account.inbox.pull_subscription() as (subscription, watermark):
        exchange.deliver(subject="Pulled")
        for notification in account.inbox.get_events(subscription, watermark):
            kinds = {e.ELEMENT_NAME for e in notification.events}
            assert {"CreatedEvent", "NewMailEvent"} <= kinds
            break
        else:
            raise AssertionError("no notification")


def test_write_cycle(account, exchange):
    item = account.inbox.all().order_by("datetime_received")[0]
    before = item.is_read
    item.is_read = not before
    item.categories = ["Blue", "Später"]
    item.save(update_fields=["is_read", "categories"])
    entry = next(i for i in exchange.items() if i["message_id"] == item.message_id)
    assert entry["read"] is not before and entry["categories"] == ["Blue", "Später"]
    old_id = item.id
    item.move(account.trash)
    assert item.id != old_id and item.folder.name == "Deleted Items"
    stale = list(account.fetch(ids=[(old_id, None)]))
    assert isinstance(stale[0], ErrorItemNotFound)


def test_send_and_folders(account, exchange):
    message = exchangelib.Message(
        account=account,
        folder=account.sent,
        subject="Sent by the judge",
        body="Hello",
        to_recipients=[exchangelib.Mailbox(email_address=USER)],
    )
    message.send_and_save()
    assert judge_mailbox.subjects(exchange).count("Sent by the judge") == 1
    assert judge_mailbox.subjects(exchange, "sentitems").count("Sent by the judge") == 1
    folder = exchangelib.Folder(parent=account.inbox, name="From the judge")
    folder.save()
    folder.name = "Renamed by the judge"
    folder.save(update_fields=["name"])
    assert "Inbox/Renamed by the judge" in [f["path"] for f in exchange.folders()]
    folder.delete()
    assert "Inbox/Renamed by the judge" not in [f["path"] for f in exchange.folders()]


@pytest.mark.parametrize(
    "version,api",
    [
        ("2010_SP2", "Exchange2010_SP2"),
        ("2013", "Exchange2013"),
        ("2013_SP1", "Exchange2013_SP1"),
        ("online", "Exchange2016"),
    ],
)
def test_other_server_versions(version, api):
    with judge_mailbox.start("--set", f"version={version}") as server:
        config = exchangelib.Configuration(
            service_endpoint=server.url,
            credentials=exchangelib.Credentials(USER, PASSWORD),
            auth_type=exchangelib.BASIC,
        )
        account = exchangelib.Account(USER, config=config, autodiscover=False, access_type=exchangelib.DELEGATE)
        assert account.version.api_version == api
        assert account.inbox.all().count() == len(server.items())
        newest = account.inbox.all().order_by("-datetime_received")[0]
        assert newest.subject == judge_mailbox.SUBJECT
        with account.inbox.streaming_subscription() as subscription:
            server.deliver(subject="Push")
            found = account.inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1)
            assert [n for n in found][0].events
        account.protocol.close()
        assert server.violations() == []
