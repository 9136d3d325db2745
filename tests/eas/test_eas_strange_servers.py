# SPDX-License-Identifier: Apache-2.0
"""Servers that nobody here can run, by what is known of them: what the bridge must neither lose, double, nor do for ever."""
import email

import pytest

import wbxml
from easdriver import content
from test_eas_backend import deliver
from test_eas_sending import mail
from wbxml import E


def answer(exchange, op, tree, **rule):
    """The server answers this in place of carrying the command out."""
    body = wbxml.encode(tree).decode("ascii")
    rule = {"headers": {"Content-Type": "application/vnd.ms-sync.wbxml"}, **rule}
    return exchange.fault(protocol="eas", op=op, do="status", status=200, body=body, **rule)


@pytest.fixture
def synced(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    return d, inbox, last["cursor"]


def collection(*inside, key="k2", folder="5"):
    return E("AirSync:Sync", E("Collections", E("Collection", E("SyncKey", key), E("CollectionId", folder), E("Status", "1"), *inside)))


# --- Ping

def times(exchange, mark, op="Ping"):
    return [entry["t"] for entry in exchange.log(mark, op=op)]


@pytest.mark.parametrize("folders", [[], ["no-such-folder"]], ids=["nowhere", "unknown"])
def test_changes_that_are_in_no_folder_we_know(exchange, synced, folders):
    """Everything is looked at, but not in a loop."""
    d, inbox, _ = synced
    answer(exchange, "Ping", E("Ping:Ping", E("Status", "2"), *([E("Folders", *[E("Folder", f) for f in folders])] if folders else [])),
           times=0)
    mark = exchange.mark()
    for _ in range(6):
        d.watch(inbox)
        woken = d.wait("watch")
        assert woken["everything"] and woken["folders"] == []
    at = times(exchange, mark)
    assert at[5] - at[4] > 1.1  # 20 ms a second: a minute is 1.2 s


def test_changes_without_end(exchange, driver):
    """Each Ping ends at once and each Sync brings something, as when a server tells one item for ever."""
    exchange.options(eas_ping_false=True)
    d = driver(exchange, fast=False)
    inbox = d.folder()
    d.sync_all(inbox)
    mark = exchange.mark()
    for _ in range(32):
        d.watch(inbox)
        assert d.wait("watch")["folders"] == [inbox]
    at = times(exchange, mark)
    assert at[31] - at[30] > 4.5


def test_a_folder_list_that_is_new_for_ever(exchange, driver):
    """A server that minds no key has something to tell each time it is asked."""
    d = driver(exchange, fast=False)
    listed = d.folders()
    inbox = next(f["id"] for f in listed["list"] if f["use"] == "inbox")
    d.sync_all(inbox)
    folder = E("Add", E("ServerId", inbox), E("ParentId", "0"), E("DisplayName", "Inbox"), E("Type", "2"))
    answer(exchange, "FolderSync", E("FolderHierarchy:FolderSync", E("Status", "1"), E("SyncKey", "9"), E("Changes", E("Count", "1"), folder)),
           times=0)
    exchange.fault(protocol="eas", op="Ping", do="eas_status", code=7, times=0)
    mark = exchange.mark()
    for _ in range(32):
        d.watch(inbox)
        assert d.wait("watch")["hierarchy"]
        assert len(d.folders(listed["cursor"])["list"]) == 1
    at = times(exchange, mark)
    assert at[31] - at[30] > 4.5


def test_a_heartbeat_that_is_wrong_and_no_better_one(exchange, synced):
    d, inbox, _ = synced
    answer(exchange, "Ping", E("Ping:Ping", E("Status", "5")), times=2)
    d.watch(inbox)
    exchange.held("Ping", heartbeat="120")
    exchange.deliver(subject="new")
    assert d.wait("watch")["folders"] == [inbox]


def test_a_heartbeat_of_a_second(exchange, synced):
    exchange.options(eas_heartbeat_min=1, eas_heartbeat_max=1)
    d, inbox, _ = synced
    mark = exchange.mark()
    d.watch(inbox)
    assert exchange.held("Ping", heartbeat="1")
    exchange.held("Ping", since=times(exchange, mark) and exchange.mark(), heartbeat="1")
    at = times(exchange, mark)  # the first one is refused
    assert at[2] - at[1] > 1.15
    d.send("unwatch")


# --- Sync

def test_items_that_come_with_the_first_key(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    item = E("Add", E("ServerId", "5:77"), E("ApplicationData", E("Email:Subject", "early"), E("Email:Read", "1")))
    answer(exchange, "Sync", collection(E("Commands", item), folder=inbox))
    answer(exchange, "Sync", collection(key="k3", folder=inbox))
    page = d.sync(inbox)
    assert page["err"] == "none" and [i["id"] for i in page["list"]] == ["5:77"] and page["more"]
    page = d.sync(inbox, page["cursor"])
    assert page["err"] == "none" and page["list"] == [] and not page["more"]


@pytest.mark.parametrize("size", [20480, 20478, 10240, 4094])
def test_a_piece_that_does_not_say_so(exchange, synced, size):
    """It must not become the message for ever."""
    d, inbox, cursor = synced
    num = deliver(exchange, "large", 60000)
    mime = "From: a@example.com\r\nSubject: large\r\n\r\n" + "x" * 60000
    item = E("Add", E("ServerId", f"{inbox}:{num}"), E("ApplicationData", E("AirSyncBase:Body", E("Type", "4"), E("EstimatedDataSize", "61000"),
                                                                          E("Data", mime[:size]))))
    answer(exchange, "Sync", collection(E("Commands", item), folder=inbox))
    page = d.sync(inbox, cursor)
    assert page["err"] == "none" and len(page["list"]) == 1
    assert "message" not in page["list"][0] and "header" in page["list"][0]


@pytest.mark.parametrize("fault, errors", [
    ({"do": "eas_status", "eas": "collection", "code": 77}, ["unsupported"]),
    ({"do": "eas_status", "eas": "collection", "code": 7}, ["unsupported"]),
    ({"do": "eas_status", "eas": "collection", "code": 199}, ["unsupported"]),
    ({"do": "eas_status", "eas": "collection", "code": 16}, ["offline"] * 4 + ["unsupported"]),
    ({"do": "eas_status", "eas": "collection", "code": 110}, ["offline"] * 4 + ["unsupported"]),
    ({"do": "status", "status": 400}, ["unsupported"])], ids=lambda v: str(v.get("code", v.get("status"))) if isinstance(v, dict) else "")
def test_a_folder_that_the_server_refuses_is_alone_with_it(exchange, synced, fault, errors):
    """Any other error would stop the account for a while, and all its folders with it."""
    d, inbox, cursor = synced
    num = deliver(exchange, "new")
    exchange.fault(protocol="eas", op="Sync", times=0, **fault)
    assert [d.sync(inbox, cursor)["err"] for _ in errors] == errors
    exchange.clear_faults()
    assert [i["id"] for i in d.sync(inbox, cursor)["list"]] == [f"{inbox}:{num}"]


def test_a_folder_without_a_first_key(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    answer(exchange, "Sync", E("AirSync:Sync", E("Collections", E("Collection", E("CollectionId", inbox), E("Status", "1")))))
    assert d.sync(inbox)["err"] == "unsupported"
    assert d.sync(inbox)["err"] == "none"


def test_a_page_that_no_gateway_waits_for_gets_smaller(exchange, synced):
    d, inbox, cursor = synced
    deliver(exchange, "new")
    exchange.fault(protocol="eas", op="Sync", do="status", status=504, headers={"Retry-After": "1"}, times=4)
    assert d.sync(inbox, cursor)["err"] == "offline"
    mark = exchange.mark()
    assert len(d.sync(inbox, cursor)["list"]) == 1
    assert exchange.log(mark, op="Sync")[0]["detail"]["windows"] == ["10"]


# --- the folder list

def test_no_news_of_folders_in_no_words(exchange, driver):
    d = driver(exchange)
    first = d.folders()
    exchange.fault(protocol="eas", op="FolderSync", do="empty", times=2)
    again = d.folders(first["cursor"])
    assert again["err"] == "none" and again["list"] == [] and not again["full"] and again["cursor"] == first["cursor"]
    assert d.folders()["err"] == "protocol"  # but not as the whole list
    assert d.folders(again["cursor"])["err"] == "none"


def test_a_folder_list_without_a_status(exchange, driver):
    d = driver(exchange)
    folder = E("Add", E("ServerId", "5"), E("ParentId", "0"), E("DisplayName", "Inbox"), E("Type", "2"))
    answer(exchange, "FolderSync", E("FolderHierarchy:FolderSync", E("SyncKey", "1"), E("Changes", E("Count", "1"), folder)))
    listed = d.folders()
    assert listed["err"] == "none" and [f["use"] for f in listed["list"]] == ["inbox"]


# --- lost answers

@pytest.mark.parametrize("version", ["16.0", "14.1"])
def test_a_server_named_by_its_protocol_is_not_exchange(exchange, driver, version):
    """Horde calls itself 16.0 where it speaks that, and promises nothing of a ClientId."""
    exchange.options(eas_server_version=version, eas_server_name="Apache", eas_versions=["14.1", "16.0"], eas_remembers_sends=False)
    d = driver(exchange)
    assert d.folders()["err"] == "none"
    exchange.fault(protocol="eas", op="SendMail", do="lose")
    mark = exchange.mark()
    sent = d.mail(mail("once"))
    assert sent["err"] == "offline" and "twice" in sent["text"]
    assert exchange.counts(mark)["eas:SendMail"] == 1


def test_nothing_is_done_where_the_front_end_is_alone(exchange, driver):
    """Exchange Online's: 200 without a body, which is what a sent message looks like, too."""
    d = driver(exchange)
    assert d.folders()["err"] == "none"
    exchange.fault(protocol="eas", op="SendMail", do="empty", headers={"x-proxyerrormessage": "The network is busy."})
    sent = d.mail(mail("not lost"))
    assert sent["err"] == "none"
    assert [i["subject"] for i in exchange.items("sentitems", props=1)] == ["not lost"]


def test_an_upgrade_that_is_told_for_ever(exchange, synced):
    d, inbox, cursor = synced
    exchange.options(eas_rp="14.1,16.1", eas_rp_repeat=True)
    assert d.sync(inbox, cursor)["err"] == "stale"
    again = d.folders()
    assert again["err"] == "none" and again["full"]
    page = d.sync(inbox)
    assert page["err"] == "none" and page["restarted"]
    for _ in range(3):
        page = d.sync(inbox, page["cursor"])
        assert page["err"] == "none" and not page["restarted"]
        again = d.folders(again["cursor"])
        assert again["err"] == "none" and not again["full"]


# --- answers that do not say what was done

def test_folders_whose_changes_are_answered_in_no_words(exchange, driver):
    """The list says what has become of them."""
    d = driver(exchange)
    d.folders()
    exchange.fault(protocol="eas", op="FolderCreate", do="truncate", bytes=0)
    made = d.create("Fresh")
    assert made["err"] == "none" and made["id"]
    exchange.fault(protocol="eas", op="FolderDelete", do="truncate", bytes=0)
    assert d.delete_folder(made["id"])["err"] == "none"
    exchange.fault(protocol="eas", op="FolderCreate", do="empty")
    assert d.create("Never")["err"] == "offline"
    assert {f["name"] for f in exchange.folders()} & {"Fresh", "Never"} == set()


def test_moves_that_are_answered_in_no_words(exchange, synced):
    d, inbox, _ = synced
    items = [f"{inbox}:{i['num']}" for i in exchange.items()[:2]]
    exchange.fault(protocol="eas", op="MoveItems", do="truncate", bytes=0)
    moved = d.move(inbox, d.folder("trash"), *items)
    assert moved["err"] == "none" and [e["err"] for e in moved["each"]] == ["none"] * 2
    assert len(exchange.items("deleteditems")) == 2


def test_an_attachment_that_cannot_be_had_now(exchange, driver):
    """What is made of properties is the message for ever: not without what comes later."""
    mime = (b"From: Bob <bob@example.com>\r\nTo: alice@example.com\r\nSubject: with a file\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\n"
            b"Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nprecious\r\n--b--\r\n")
    num = exchange.deliver(mime=mime)[0]["num"]
    d = driver(exchange)
    inbox = d.folder()
    d.sync_all(inbox)

    def file_of(code):
        """The error, and what stands for the attachment; `code`: the status of the request for it."""
        exchange.fault(protocol="eas", op="ItemOperations", do="eas_status", eas="item", code=14)
        if code:
            exchange.fault(protocol="eas", op="ItemOperations", do="eas_status", eas="item", code=code, nth=2)
        got, _ = d.fetch(inbox, "message", f"{inbox}:{num}")
        exchange.clear_faults()
        (one,) = got.values()
        if one["err"] != "none":
            return one["err"], None
        files = [p for p in email.message_from_bytes(content(one["content"])).walk() if p.get_filename() == "a.pdf"]
        return one["err"], files[0].get_payload(decode=True)

    assert file_of(3) == ("offline", None)
    err, text = file_of(15)  # it is not there, and will not be
    assert err == "none" and b"did not give this attachment" in text
    assert file_of(None) == ("none", b"precious")
