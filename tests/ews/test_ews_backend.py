# SPDX-License-Identifier: Apache-2.0
"""The EWS backend by itself against the stand-in: what it reads, and in how many requests."""
import email
import subprocess
import time

import pytest

from bridge import poll
from driver import ANSWERED, DRAFT, FLAGGED, FORWARDED, SEEN, Driver
from standin import Standin

standin = pytest.mark.standin


def crlf(data):
    """What the bridge makes of served bytes: line ends CRLF, the last line ended, no blank lines in front."""
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").lstrip(b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def served(exchange):
    return {i["message_id"]: crlf(exchange.mime(i["num"], served=True)) for i in exchange.items("inbox")}


def ids(page):
    return [i["id"] for i in page["list"] if not i["gone"]]


# --- signing in -----------------------------------------------------------------------------------------------------------

def test_login(driver):
    answer = driver.login()
    assert answer["err"] == "none"
    assert answer["user"] == "alice@example.com"
    assert answer["server"].startswith("Exchange 15.1.") and "Exchange2013_SP1" in answer["server"]
    assert driver.wait("health")["err"] == "none"


@standin("--set", "version=2010_SP2")
def test_login_2010(exchange, driver):
    answer = driver.login()
    assert answer["err"] == "none" and "Exchange2010_SP2" in answer["server"]
    assert driver.folders()["err"] == "none"


def test_version_survives_a_restart(exchange, tmp_path):
    with Driver(exchange.url, tmp_path) as d:
        d.login()
    with open(tmp_path / "persist" / "ews.version") as file:
        assert file.read().startswith("Exchange2013_SP1 ")


def test_wrong_password_is_tried_once(exchange, tmp_path):
    with Driver(exchange.url, tmp_path, password="wrong") as d:
        answer = d.login()
        assert answer["err"] == "auth" and answer["status"] == 401
        mark = exchange.mark()
        for _ in range(5):
            assert d.login()["err"] == "auth"
        assert len(exchange.log(mark)) == 0    # the guard knows it is wrong
        assert d.wait("health")["err"] == "auth"


def test_passthrough(exchange, tmp_path):
    with Driver(exchange.url, tmp_path, "--passthrough") as d:
        assert d.folders()["err"] == "auth"       # nobody has given a password yet
        assert d.login("wrong")["err"] == "auth"
        assert d.folders()["err"] == "auth"
        assert d.login("secret")["err"] == "none"
        assert d.folders()["err"] == "none"       # kept


def test_password_changes(exchange, tmp_path):
    with Driver(exchange.url, tmp_path) as d:
        assert d.login()["err"] == "none"
        exchange.call("POST", "password", {"user": "alice@example.com", "password": "new"})
        d.set_password("new")
        assert d.folders()["err"] == "none"       # refused once, read anew, accepted


# --- folders -----------------------------------------------------------------------------------------------------------------

def test_folders(exchange, driver):
    answer = driver.folders()
    assert answer["err"] == "none" and answer["full"]
    by_name = {f["name"]: f for f in answer["list"]}
    for name, use in (("Inbox", "inbox"), ("Drafts", "drafts"), ("Sent Items", "sent"), ("Deleted Items", "trash"),
                      ("Junk Email", "junk"), ("Outbox", "outbox")):
        assert by_name[name]["use"] == use and by_name[name]["kind"] == "mail" and by_name[name]["parent"] == ""
    assert by_name["Calendar"]["kind"] == "calendar" and by_name["Tasks"]["kind"] == "tasks"
    assert by_name["Contacts"]["kind"] == "contacts" and by_name["Notes"]["kind"] == "other"
    assert by_name["Sync Issues"]["hidden"]
    exchange.folder("create", parent="inbox", name="a/b & <ü>")
    later = driver.folders(answer["cursor"])
    assert not later["full"]
    made = later["list"][0]
    assert made["name"] == "a/b & <ü>" and made["parent"] == by_name["Inbox"]["id"] and made["kind"] == "mail"
    exchange.folder("rename", folder=made_number(exchange), name="c")
    later = driver.folders(later["cursor"])
    assert [(f["id"], f["name"]) for f in later["list"]] == [(made["id"], "c")]
    exchange.folder("delete", folder=made_number(exchange, "c"), how="hard")
    later = driver.folders(later["cursor"])
    assert [(f["id"], f["gone"]) for f in later["list"]] == [(made["id"], True)]


def made_number(exchange, name="a/b & <ü>"):
    return next(f["num"] for f in exchange.folders() if f["name"] == name)


def test_folders_with_a_stale_state(exchange, driver):
    cursor = driver.folders()["cursor"]
    exchange.fault(op="SyncFolderHierarchy", do="expired")
    assert driver.folders(cursor)["err"] == "stale"


# --- synchronisation -----------------------------------------------------------------------------------------------------------

@standin("--corpus", "1100")
def test_first_sync_costs_one_request_a_page(exchange, patient):
    inbox = patient.folder()
    mark = exchange.mark()
    answer = patient.syncall(inbox)
    assert answer["err"] == "none" and answer["count"] == 1100 and answer["pages"] == 3
    assert exchange.counts(mark) == {"ews:SyncFolderItems": 3}


def test_changes(exchange, driver):
    inbox = driver.folder()
    page = driver.sync(inbox)
    assert page["restarted"] and not page["more"] and len(page["list"]) == 30
    num = exchange.items("inbox")[0]["num"]
    cursor = page["cursor"]
    exchange.deliver(subject="Ärger \u263a", read=False, flag=2, categories=["Red", "To Do"])
    page = driver.sync(inbox, cursor)
    assert not page["restarted"]
    (new,) = page["list"]
    assert new["subject"] == "Ärger \u263a" and new["categories"] == ["Red", "To Do"]
    assert new["flags"] & (SEEN | FLAGGED) == FLAGGED and new["known"] & SEEN
    assert new["size"] > 0 and new["received"] > 0 and new["message_id"].startswith("<")
    read = next(i for i in exchange.items("inbox") if i["num"] == num)["read"]
    exchange.change("update", num=num, read=not read)
    page = driver.sync(inbox, page["cursor"])
    (change,) = page["list"]
    assert change["known"] == SEEN and bool(change["flags"] & SEEN) == (not read) and "categories" not in change
    exchange.change("update", num=num, flag=2)
    page = driver.sync(inbox, page["cursor"])
    (change,) = page["list"]
    assert change["flags"] & FLAGGED and not change["content_changed"]
    exchange.change("delete", num=num, how="hard")
    page = driver.sync(inbox, page["cursor"])
    assert [i["gone"] for i in page["list"]] == [True]
    again = driver.sync(inbox, page["cursor"])
    assert again["list"] == [] and not again["more"]


def test_drafts_that_are_edited_are_new_content(exchange, driver):
    drafts = driver.folder("drafts")
    exchange.deliver(subject="one", folder="drafts", draft=True)
    page = driver.sync(drafts)
    assert page["list"][0]["flags"] & DRAFT and not page["list"][0]["content_changed"]
    num = exchange.items("drafts")[0]["num"]
    exchange.change("update", num=num, mime=b"Subject: two\r\nFrom: a@example.com\r\n\r\nbody\r\n")
    page = driver.sync(drafts, page["cursor"])
    assert page["list"] and all(i["content_changed"] for i in page["list"])


def test_stale_state_and_missing_folder(exchange, driver):
    inbox = driver.folder()
    cursor = driver.sync(inbox)["cursor"]
    exchange.fault(op="SyncFolderItems", do="expired")
    assert driver.sync(inbox, cursor)["err"] == "stale"
    assert driver.sync(inbox, "bm9uc2Vuc2U=")["err"] == "stale"
    exchange.folder("create", parent="inbox", name="short-lived")
    folder = next(f["id"] for f in driver.folders()["list"] if f["name"] == "short-lived")
    exchange.folder("delete", folder=made_number(exchange, "short-lived"), how="hard")
    assert driver.sync(folder)["err"] == "not-found"


def test_state_that_stands_still(exchange, driver):
    """A server that says there is more and does not move must not keep anybody busy for ever."""
    inbox = driver.folder()
    cursor = driver.sync(inbox)["cursor"]
    exchange.fault(op="SyncFolderItems", do="same_state", times=0)
    mark = exchange.mark()
    answer = driver.sync(inbox, cursor)
    assert answer["err"] == "none" and not answer["more"]
    assert exchange.counts(mark)["ews:SyncFolderItems"] == 1
    exchange.clear_faults()
    exchange.fault(op="SyncFolderItems", do="no_last_flag")
    assert not driver.sync(inbox, cursor)["more"]


# --- headers and messages ---------------------------------------------------------------------------------------------------------

@standin("--corpus", "100")
def test_request_counts(exchange, patient):
    patient.syncall(patient.folder())
    mark = exchange.mark()
    items, _ = patient.fetchall("header")
    assert len(items) == 100 and all(i["err"] == "none" for i in items.values())
    assert exchange.counts(mark)["ews:GetItem"] <= 3
    mark = exchange.mark()
    items, _ = patient.fetchall("message")
    assert len(items) == 100 and all(i["err"] == "none" for i in items.values())
    assert exchange.counts(mark)["ews:GetItem"] <= 12


@standin("--corpus", "120", "--kinds", "mixed")
def test_messages_are_what_the_server_serves(exchange, patient):
    page = patient.sync(patient.folder())
    wanted = served(exchange)
    patient.syncall(patient.folder())
    items, _ = patient.fetchall("message")
    by_id = {i["id"]: i for i in page["list"]}
    assert len(items) == 120
    for item in items.values():
        assert item["err"] == "none" and not item["synthesised"]
        assert patient.content(item) == wanted[by_id[item["id"]]["message_id"]]


@standin("--corpus", "60", "--kinds", "odd")
def test_odd_messages(exchange, patient):
    wanted = sorted(served(exchange).values())
    patient.syncall(patient.folder())
    items, _ = patient.fetchall("message")
    assert sorted(patient.content(i) for i in items.values() if i["err"] == "none") == wanted


@standin("--corpus", "40")
def test_headers(exchange, patient):
    page = patient.sync(patient.folder())
    patient.syncall(patient.folder())
    items, _ = patient.fetchall("header")
    for info in page["list"]:
        block = patient.content(items[info["id"]])
        assert block.endswith(b"\r\n\r\n") and b"\n" not in block.replace(b"\r\n", b"")
        assert block.count(b"\r\n\r\n") == 1
        message = email.message_from_bytes(block)
        assert info["message_id"] in message["Message-ID"]
        assert message["From"] and message["Date"]


def test_header_of_a_message_that_was_never_in_transport(exchange, driver):
    """Sent items and drafts have no transport headers: built from properties, with Bcc."""
    exchange.deliver(b"From: Alice Example <alice@example.com>\r\nTo: Bob <bob@example.com>\r\nCc: c@example.com\r\n"
                     b"Bcc: hidden@example.com\r\nReply-To: r@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
                     b"Date: Mon, 5 Jan 2026 07:49:55 +0100\r\nMessage-ID: <sent@example.com>\r\n"
                     b"In-Reply-To: <r@example.com>\r\nReferences: <q@example.com> <r@example.com>\r\n\r\nbody\r\n",
                     folder="sentitems", traits=["no-transport"])
    folder = driver.folder("sent")
    (info,) = driver.sync(folder)["list"]
    items, _ = driver.fetch("header", info["id"])
    item = items[info["id"]]
    assert item["synthesised"]
    message = email.message_from_bytes(driver.content(item))
    decoded = str(email.header.make_header(email.header.decode_header(message["Subject"])))
    assert decoded == "Grüße" and "alice@example.com" in message["From"] and "bob@example.com" in message["To"]
    assert message["Message-ID"] == "<sent@example.com>" and message["In-Reply-To"] == "<r@example.com>"
    assert email.utils.parsedate_to_datetime(message["Date"]).timestamp() == 1767595795


def test_items_that_are_gone(exchange, driver):
    page = driver.sync(driver.folder())
    victims = [i for n, i in enumerate(page["list"]) if n in (0, 4, 9)]
    for info in victims:
        exchange.change("delete", message_id=info["message_id"], how="hard")
    for what in ("header", "message"):
        asked = [i["id"] for i in page["list"][:10]]
        items, end = driver.fetch(what, *asked)
        assert end["err"] == "none" and len(items) == 10
        for info in page["list"][:10]:
            gone = any(info["id"] == v["id"] for v in victims)
            assert items[info["id"]]["err"] == ("not-found" if gone else "none")


@pytest.mark.parametrize("trait", ["no-mime", "mime-error"])
def test_rebuilt_messages(exchange, driver, trait):
    original = (b"From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: with parts\r\nDate: Mon, 5 Jan 2026 07:49:55 "
                b"+0000\r\nMessage-ID: <parts@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
                b"\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello there\r\n--b\r\nContent-Type: application/pdf; "
                b"name=\"x.pdf\"\r\nContent-Disposition: attachment; filename=\"x.pdf\"\r\nContent-Transfer-Encoding: base64\r\n"
                b"\r\nJVBERi0xLjQKJcOkw7zDtsOf\r\n--b--\r\n")
    exchange.deliver(original, traits=[trait])
    exchange.deliver(subject="ordinary")
    folder = driver.folder()
    asked = ids(driver.sync(folder))[:2]
    items, end = driver.fetch("message", *asked)
    assert end["err"] == "none" and all(items[i]["err"] == "none" for i in asked)
    (rebuilt,) = [i for i in items.values() if i["synthesised"]]
    message = email.message_from_bytes(driver.content(rebuilt))
    assert message["Message-ID"] == "<parts@example.com>" and message["Subject"] == "with parts"
    parts = {p.get_content_type(): p for p in message.walk()}
    texts = [p.get_payload(decode=True) for p in message.walk() if p.get_content_maintype() == "text"]
    assert any(b"Hello there" in t for t in texts)
    assert parts["application/pdf"].get_payload(decode=True).startswith(b"%PDF-1.4")
    assert parts["application/pdf"].get_filename() == "x.pdf"
    # a client may ask again and must get the same bytes
    again, _ = driver.fetch("message", rebuilt["id"])
    assert driver.content(again[rebuilt["id"]]) == driver.content(rebuilt)


def test_control_characters(exchange, driver):
    exchange.deliver(subject="bell", traits=["control-chars"])
    folder = driver.folder()
    page = driver.sync(folder)
    assert page["err"] == "none" and len(page["list"]) == 31
    assert any(i["subject"].startswith("bell") for i in page["list"])
    items, _ = driver.fetch("header", page["list"][0]["id"])
    assert items[page["list"][0]["id"]]["err"] == "none"


@standin("--corpus", "2", "--big", str(50 << 20))
def test_a_big_message_flows_through(exchange, tmp_path):
    with Driver(exchange.url, tmp_path, fast=False) as d:
        info = max(d.sync(d.folder())["list"], key=lambda i: i["size"])
        before = peak(d)
        items, end = d.fetch("message", info["id"])
        item = items[info["id"]]
        assert item["err"] == "none" and item["size"] > 49 << 20
        num = next(i["num"] for i in exchange.items("inbox") if i["message_id"] == info["message_id"])
        assert d.content(item) == crlf(exchange.mime(num, served=True))
        assert peak(d) - before < 24 << 10, "kB of memory"


def peak(driver):
    with open(f"/proc/{driver.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


@standin("--corpus", "3", "--big", str(3 << 20))
def test_a_message_over_the_limit(exchange, tmp_path):
    with Driver(exchange.url, tmp_path, "--limit", str(1 << 20)) as d:
        page = d.sync(d.folder())
        items, end = d.fetch("message", *ids(page))
        errors = sorted(i["err"] for i in items.values())
        assert end["err"] == "none" and errors == ["none", "none", "none", "too-big"]


def test_cancel_in_the_middle(exchange, driver):
    driver.syncall(driver.folder())
    for what in ("message", "header"):
        driver.send("cancel-on-item")
        driver.send("fetchall", what, "5")
        assert driver.wait("cancelled")["ops"] == 0
    items, end = driver.fetchall("message", 5)
    assert len([i for i in items.values() if i["err"] == "none"]) == 5


# --- push ---------------------------------------------------------------------------------------------------------------------------

def watch(driver, *folders):
    driver.send("watch", *folders)


def settled(exchange, mark=0):
    """The stream is open: all that happens from now on is told."""
    exchange.held("GetStreamingEvents", mark)


def closed(exchange, mark):
    """The stream is not open any more."""
    poll(60, lambda: all(e["done"] for e in exchange.log(mark, op="GetStreamingEvents")), lambda: str(exchange.log(mark)))


def test_push(exchange, driver):
    inbox = driver.folder()
    mark = exchange.mark()
    watch(driver, inbox)
    settled(exchange, mark)
    exchange.deliver(subject="news")
    answer = driver.wait("watch")
    assert answer["err"] == "none" and answer["folders"] == [inbox] and not answer["everything"]
    # between two watches nothing is lost, and the stream stays open
    exchange.deliver(subject="more news")
    time.sleep(0.3)
    watch(driver, inbox)
    assert driver.wait("watch")["folders"] == [inbox]
    exchange.folder("create", parent="inbox", name="made")
    watch(driver, inbox)
    assert driver.wait("watch")["hierarchy"]
    counts = exchange.counts(mark)
    assert counts == {"ews:Subscribe": 1, "ews:GetStreamingEvents": 1}


@standin("--corpus", "3", "--set", "minute_s=1.0", "--set", "heartbeat_s=0.2")
def test_push_is_renewed(exchange, driver):
    """The server closes the parked request when its time is over: opened again, with the same subscription."""
    inbox = driver.folder()
    mark = exchange.mark()
    watch(driver, inbox)
    poll(60, lambda: exchange.counts(mark).get("ews:GetStreamingEvents", 0) > 1)
    assert not driver.has("watch")
    exchange.deliver(subject="late")
    assert driver.wait("watch")["folders"] == [inbox]
    first, second = [e["t"] for e in exchange.log(mark, op="GetStreamingEvents")][:2]
    assert exchange.counts(mark)["ews:Subscribe"] == 1 and second - first > 0.5


@pytest.mark.parametrize("how", ["fault", "expired"])
def test_lost_subscription(exchange, driver, how):
    """Events were lost with it: everything may have changed."""
    inbox = driver.folder()
    mark = exchange.mark()
    if how == "fault":
        exchange.fault(op="GetStreamingEvents", do="soap_fault", code="ErrorSubscriptionNotFound")
        watch(driver, inbox)
    else:
        watch(driver, inbox)
        settled(exchange, mark)
        driver.send("unwatch")
        closed(exchange, mark)
        exchange.advance(3600)   # the server forgets the subscription
        exchange.deliver(subject="not heard")
        watch(driver, inbox)
    answer = driver.wait("watch")
    assert answer["err"] == "none" and answer["everything"]
    mark = exchange.mark()
    watch(driver, inbox)
    exchange.deliver(subject="again")
    answer = driver.wait("watch")
    assert answer["folders"] == [inbox] and not answer["everything"]
    assert "ews:Subscribe" not in exchange.counts(mark)


def test_push_over_a_broken_connection(exchange, driver):
    inbox = driver.folder()
    mark = exchange.mark()
    watch(driver, inbox)
    settled(exchange, mark)
    time.sleep(0.2)
    exchange.call("POST", "drop_connections")
    time.sleep(0.3)
    exchange.deliver(subject="after the break")
    answer = driver.wait("watch")
    assert answer["err"] == "none" and (answer["folders"] == [inbox] or answer["everything"])


def test_without_push(exchange, driver):
    """No streaming here: from time to time everything may have changed."""
    inbox = driver.folder()
    exchange.fault(op="Subscribe", do="error", code="ErrorInvalidSubscriptionRequest", times=0)
    for _ in range(2):
        watch(driver, inbox)
        assert driver.wait("watch")["everything"]
    exchange.clear_faults()
    end = time.monotonic() + 60
    watching = False
    while "ews:GetStreamingEvents" not in exchange.counts():      # tried again after a while
        assert time.monotonic() < end
        if not watching:
            watch(driver, inbox)
            watching = True
        if driver.has("watch"):
            driver.wait("watch")
            watching = False
        time.sleep(0.05)
    settled(exchange)
    exchange.deliver(subject="pushed")
    if not watching:
        watch(driver, inbox)
    while inbox not in (answer := driver.wait("watch"))["folders"]:  # of what may have been missed before
        assert answer["everything"]
        watch(driver, inbox)


def test_nobody_watches(exchange, driver):
    """A cancelled watch leaves the stream open for a while only."""
    inbox = driver.folder()
    mark = exchange.mark()
    watch(driver, inbox)
    settled(exchange, mark)
    driver.send("unwatch")
    closed(exchange, mark)
    exchange.deliver(subject="meanwhile")      # kept by the server for the subscription
    watch(driver, inbox)
    answer = driver.wait("watch")
    assert answer["folders"] == [inbox]
    assert exchange.counts(mark) == {"ews:Subscribe": 1, "ews:GetStreamingEvents": 2}


# --- servers of other kinds -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version,schema", [("2013", "Exchange2013"), ("2013_SP1", "Exchange2013_SP1"), ("2019", "Exchange2013_SP1"),
                                            ("online", "Exchange2013_SP1")])
def test_versions(tmp_path, version, schema):
    with Standin("--corpus", "5", "--set", f"version={version}", "--set", "gzip=true") as exchange:
        with Driver(exchange.url, tmp_path) as d:
            inbox = d.folder()
            assert len(d.sync(inbox)["list"]) == 5
            watch(d, inbox)
            settled(exchange)
            exchange.deliver(subject="news")
            assert d.wait("watch")["folders"] == [inbox]
            assert f"(EWS {schema})" in d.login()["server"]
        assert exchange.violations() == []


@standin("--corpus", "10", "--set", "read_changes_announced=false", "--set", "raw_control_chars=false")
def test_read_changes_as_updates(exchange, driver):
    inbox = driver.folder()
    cursor = driver.sync(inbox)["cursor"]
    item = exchange.items("inbox")[0]
    exchange.change("update", num=item["num"], read=not item["read"])
    (change,) = driver.sync(inbox, cursor)["list"]
    assert change["known"] & SEEN and bool(change["flags"] & SEEN) == (not item["read"]) and not change["content_changed"]


def test_last_verb(exchange, driver):
    inbox = driver.folder()
    cursor = driver.sync(inbox)["cursor"]
    for verb, flag in ((102, ANSWERED), (103, ANSWERED), (104, FORWARDED), (0, 0)):
        exchange.change("update", num=exchange.items("inbox")[0]["num"], last_verb=verb)
        page = driver.sync(inbox, cursor)
        cursor = page["cursor"]
        assert page["list"][0]["flags"] & (ANSWERED | FORWARDED) == flag


@standin("--corpus", "10", "--user", "alice@example.com:secret", "--user", "boss@example.com:other")
def test_another_mailbox(exchange, tmp_path):
    """Delegation: the other's folders, by name; impersonation: as the other. The stand-in grants neither: a clear refusal."""
    for access in ([], ["--impersonate"]):
        with Driver(exchange.url, tmp_path, "--mailbox", "boss@example.com", *access) as d:
            answer = d.folders()
            if answer["err"] == "none":
                assert any(f["use"] == "inbox" for f in answer["list"])
            else:
                assert answer["err"] == "denied" and ("Impersonat" in answer["text"]) == bool(access)


def test_single_folders_of_another_mailbox(exchange, tmp_path):
    """The tree may not be seen, but some folders may."""
    with Driver(exchange.url, tmp_path, "--mailbox", "alice@example.com") as d:
        exchange.fault(op="SyncFolderHierarchy", do="error", code="ErrorAccessDenied", times=2)
        exchange.fault(op="GetFolder", do="error", code="ErrorAccessDenied", index=0)
        exchange.fault(op="GetFolder", do="error", code="ErrorAccessDenied", index=0)
        for cursor in (None, "single folders"):
            answer = d.folders(cursor)
            assert answer["err"] == "none" and answer["full"] and answer["cursor"] == "single folders"
            inbox = next(f for f in answer["list"] if f["use"] == "inbox")
            assert inbox["name"] == "Inbox" and inbox["parent"] == "" and inbox["kind"] == "mail"
        assert len(d.sync(inbox["id"])["list"]) == 30
        watch(d, inbox["id"])
        settled(exchange)
        exchange.deliver(subject="news")
        assert d.wait("watch")["folders"] == [inbox["id"]]
        answer = d.folders("single folders")        # the right was given meanwhile
        assert answer["full"] and any(f["name"] == "Calendar" for f in answer["list"])


# --- away ---------------------------------------------------------------------------------------------------------------------------

def test_nobody_there(tmp_path):
    with Driver("http://127.0.0.1:9/EWS/Exchange.asmx", tmp_path) as d:
        answer = d.login()
        assert answer["err"] == "offline" and "127.0.0.1" in answer["text"]
        watch(d, "x")
        assert d.wait("watch")["err"] == "offline"


def test_only_https(tmp_path):
    with Driver("http://mail.example.com/EWS/Exchange.asmx", tmp_path) as d:
        answer = d.login()
        assert answer["err"] == "invalid" and "https" in answer["text"]


def test_certificates(tmp_path):
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with Standin("--corpus", "3", "--tls", cert, key) as exchange:
        with Driver(exchange.url, tmp_path) as d:
            answer = d.login()
            assert answer["err"] == "offline" and "certificate" in answer["text"]
            assert exchange.log(0) == []          # nothing was said to a stranger
        with Driver(exchange.url, tmp_path, "--ca-file", cert) as d:
            inbox = d.folder()
            watch(d, inbox)
            settled(exchange)
            exchange.deliver(subject="news")
            assert d.wait("watch")["folders"] == [inbox]


def test_the_server_restarts(tmp_path):
    with Standin("--corpus", "5") as exchange, Driver(exchange.url, tmp_path) as d:
        inbox = d.folder()
        watch(d, inbox)
        settled(exchange)
        exchange.stop()
        answer = d.wait("watch")
        assert answer["err"] == "none" and answer["everything"]      # what was sent into the dead connection is lost
        watch(d, inbox)
        assert d.wait("watch")["err"] == "offline"
        exchange.start()
        watch(d, inbox)
        answer = d.wait("watch")
        assert answer["err"] == "none" and answer["everything"]      # the subscription died with it
        assert len(d.sync(inbox)["list"]) == 5
