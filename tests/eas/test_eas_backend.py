# SPDX-License-Identifier: Apache-2.0
"""The EAS backend against the stand-in Exchange: what it reads, in how many requests, in every protocol version."""
import math
import time

import pytest

from easdriver import ANSWERED, DRAFT, FLAGGED, FORWARDED, SEEN, content

VERSIONS = ["12.1", "14.0", "14.1", "16.0", "16.1"]


def number(item_id):
    return int(item_id.split(":")[1])


def deliver(exchange, subject, size=0, **fields):
    body = "x" * 70 + "\r\n"
    mime = (f"From: Bob <bob@example.com>\r\nTo: alice@example.com\r\nSubject: {subject}\r\nMessage-ID: <{subject}@test>\r\n"
            "Date: Mon, 05 Jan 2026 08:00:00 +0000\r\n\r\n" + body * (1 + size // 72)).encode()
    return exchange.deliver(mime=mime, **fields)[0]["num"]


@pytest.mark.parametrize("version", VERSIONS)
def test_reads_everything(exchange, driver, version):
    exchange.options(eas_versions=["2.5", "12.0", version])
    d = driver(exchange)
    assert version in d.login()["server"]
    inbox = d.folder()
    items, last, _ = d.sync_all(inbox)
    expected = {i["num"]: i for i in exchange.items()}
    assert {number(i) for i in items} == set(expected)
    assert not last["more"]
    for item_id, item in items.items():
        theirs = expected[number(item_id)]
        assert bool(item["flags"] & SEEN) == theirs["read"]
        assert bool(item["flags"] & FLAGGED) == (theirs["flag"] == 2)
        assert item["known"] & (SEEN | FLAGGED) == SEEN | FLAGGED
        assert "header" in item or "message" in item
        mime = exchange.mime(number(item_id), served=True)
        if "message" in item:
            assert content(item["message"]) == mime and item["size_exact"] and item["size"] == len(mime)
        else:
            head = content(item["header"])
            assert mime.startswith(head) and head.endswith(b"\r\n\r\n") and not item["size_exact"]
    got, end = d.fetch_all("message")
    assert end["err"] == "none" and len(got) == len(expected)
    for item_id, event in got.items():
        assert event["err"] == "none" and not event["synthesised"]
        assert content(event["content"]) == exchange.mime(number(item_id), served=True)
    assert exchange.violations() == []


def test_folders(exchange, driver):
    exchange.folder("create", parent="inbox", name="Ünder/tax")
    exchange.folder("create", name="Spam")
    d = driver(exchange, "--junk", "spam", "--archive", "Old mail")
    first = d.folders()
    assert first["full"]
    by_use = {f["use"]: f for f in first["list"] if f["use"]}
    assert {"inbox", "drafts", "sent", "trash", "junk"} <= set(by_use)
    assert by_use["junk"]["name"] == "Spam"
    under = next(f for f in first["list"] if f["name"] == "Ünder/tax")
    assert under["parent"] == by_use["inbox"]["id"] and under["kind"] == "mail"
    assert {f["kind"] for f in first["list"]} >= {"mail", "calendar", "tasks", "contacts"}
    assert all(f["hidden"] for f in first["list"] if f["kind"] == "other")
    again = d.folders(first["cursor"])
    assert again["list"] == [] and not again["full"]
    exchange.folder("rename", folder=int(under["id"]), name="Over")
    exchange.folder("delete", folder=int(by_use["junk"]["id"]))
    changed = d.folders(again["cursor"])
    assert {(f["name"], f["gone"]) for f in changed["list"]} >= {("Over", False)}
    d.folders("1 16.1 1 0 bogus")["full"]
    assert exchange.violations() == []


def test_drafts_are_hidden_before_16(exchange, driver):
    exchange.options(eas_versions=["14.1"])
    assert next(f for f in driver(exchange).folders()["list"] if f["use"] == "drafts")["hidden"]


def test_an_invalid_folder_key_starts_over(exchange, driver):
    d = driver(exchange)
    cursor = d.folders()["cursor"]
    exchange.invalidate()
    answer = d.folders(cursor)
    assert answer["err"] == "none" and answer["full"] and len(answer["list"]) > 5


def test_number_of_requests(standin, driver):
    count = 1000
    exchange = standin("--corpus", count, "--mean", 4000)
    d = driver(exchange)
    inbox = d.folder()
    mark = exchange.mark()
    items, last, pages = d.sync_all(inbox)
    assert len(items) == count
    assert exchange.counts(mark) == {"eas:Sync": pages + 1}
    assert pages + 1 <= math.ceil(count / 100) + 5
    mark = exchange.mark()
    assert d.sync(inbox, last["cursor"])["list"] == []
    assert exchange.counts(mark) == {"eas:Sync": 1}


def test_a_hundred_messages_in_few_requests(exchange, driver):
    for i in range(100):
        deliver(exchange, f"s{i}", 50_000, folder="sentitems")
    d = driver(exchange)
    sent = d.folder("sent")
    items, _, _ = d.sync_all(sent)
    assert all("header" in i and "message" not in i for i in items.values())
    mark = exchange.mark()
    got, _ = d.fetch_all("message")
    assert len(got) == 100 and all(e["err"] == "none" for e in got.values())
    assert exchange.counts(mark)["eas:ItemOperations"] <= 6
    mark = exchange.mark()
    got, _ = d.fetch_all("header")
    assert all(e["what"] == "header" for e in got.values()) and exchange.counts(mark)["eas:ItemOperations"] <= 6


def test_restart_keeps_device_and_version(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    d.stop()
    mark = exchange.mark()
    num = deliver(exchange, "later")
    d = driver(exchange)
    page = d.sync(inbox, last["cursor"])
    assert [number(i["id"]) for i in page["list"]] == [num]
    assert exchange.counts(mark) == {"eas:Sync": 1}
    assert len(exchange.devices()) == 1


def test_a_lost_page_is_told_again(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    nums = {deliver(exchange, f"n{i}") for i in range(3)}
    for _ in range(3):
        assert {number(i["id"]) for i in d.sync(inbox, last["cursor"])["list"]} == nums


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_changes(exchange, driver, version, full):
    exchange.options(eas_versions=[version], eas_full_changes=full)
    nums = [deliver(exchange, f"c{i}") for i in range(5)]
    d = driver(exchange)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)

    def changed():
        nonlocal last
        last = d.sync(inbox, last["cursor"])
        assert last["err"] == "none"
        return {number(i["id"]): i for i in last["list"]}

    exchange.change("update", num=nums[0], read=True)
    exchange.change("update", num=nums[1], flag=2)
    item = changed()
    assert item[nums[0]]["flags"] & SEEN and item[nums[0]]["known"] & SEEN
    assert item[nums[1]]["flags"] & FLAGGED and item[nums[1]]["known"] & FLAGGED
    assert not any(i["content_changed"] for i in item.values())
    if not full:
        assert item[nums[0]]["known"] == SEEN and item[nums[1]]["known"] == FLAGGED
    exchange.change("update", num=nums[0], read=False)
    exchange.change("update", num=nums[1], flag=0)
    item = changed()
    assert not item[nums[0]]["flags"] & SEEN and item[nums[0]]["known"] & SEEN
    assert not item[nums[1]]["flags"] & FLAGGED and item[nums[1]]["known"] & FLAGGED
    if version != "12.1":
        exchange.change("update", num=nums[2], categories=["Red", "Grün"])
        assert changed()[nums[2]]["categories"] == ["Red", "Grün"]
        exchange.change("update", num=nums[2], categories=[])
        assert changed()[nums[2]]["categories"] == []
    exchange.change("delete", num=nums[3])
    exchange.change("move", num=nums[4], to="deleteditems")
    item = changed()
    assert item[nums[3]]["gone"] and item[nums[4]]["gone"]
    assert exchange.violations() == []


@pytest.mark.parametrize("option", [
    {"eas_truncate": "size"}, {"eas_truncate": "level"}, {"eas_truncate": "never"}, {"eas_wbxml": "verbose"},
    {"eas_data_opaque": True}, {"eas_top_status": True}, {"eas_more_last": True}, {"eas_empty_sync": False},
    {"eas_more_empty": True}, {"eas_max_response_bytes": 30000}, {"eas_attachments": False}, {"eas_rough_sizes": False},
    {"eas_options": "duplicate"}, {"gzip": True}, {"eas_require_policy_header": False}])
def test_ways_of_servers(exchange, driver, option):
    exchange.options(**option)
    deliver(exchange, "large", 200_000)
    d = driver(exchange)
    inbox = d.folder()
    items, last, _ = d.sync_all(inbox)
    assert len(items) == 31
    for item_id, item in items.items():
        mime = exchange.mime(number(item_id), served=True)
        if "message" in item:
            assert content(item["message"]) == mime
        else:
            assert mime.startswith(content(item["header"]))
    if option.get("eas_truncate") == "never":
        assert all("message" in i for i in items.values())
    got, _ = d.fetch_all("message")
    assert all(content(e["content"]) == exchange.mime(number(i), served=True) for i, e in got.items())
    assert d.sync(inbox, last["cursor"])["list"] == []
    assert exchange.violations() == []


def test_drafts_change_their_content(exchange, driver):
    num = deliver(exchange, "draft one", folder="drafts", draft=True)
    d = driver(exchange)
    drafts = d.folder("drafts")
    items, last, _ = d.sync_all(drafts)
    assert next(iter(items.values()))["flags"] & DRAFT
    mime = exchange.mime(num).replace(b"draft one", b"draft two")
    exchange.change("update", num=num, mime=mime)
    page = d.sync(drafts, last["cursor"])
    if page["list"][0]["gone"] is False:
        assert page["list"][0]["content_changed"] or number(page["list"][0]["id"]) != num


def test_fetch_of_what_is_gone(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    items, _, _ = d.sync_all(inbox)
    ids = sorted(items)[:5]
    exchange.change("delete", num=number(ids[2]), how="hard")
    got, end = d.fetch(inbox, "message", *ids)
    assert end["err"] == "none"
    assert got[ids[2]]["err"] == "not-found"
    assert [got[i]["err"] for i in ids if i != ids[2]] == ["none"] * 4


def test_items_without_mime_are_made(exchange, driver):
    num = exchange.deliver(subject="Grüße", text="Hello\nWorld", traits=["no-mime"])[0]["num"]
    error = exchange.deliver(subject="broken", text="Hello", traits=["mime-error"])[0]["num"]
    d = driver(exchange)
    inbox = d.folder()
    items, _, _ = d.sync_all(inbox)
    item = next(i for i in items.values() if number(i["id"]) == num)
    assert "message" not in item and "header" not in item
    got, _ = d.fetch(inbox, "message", *[i for i in items if number(i) in (num, error)])
    for event in got.values():
        assert event["err"] == "none" and event["synthesised"], event
        text = content(event["content"])
        assert b"Hello" in text and b"Subject: " in text and b"From: " in text
    assert exchange.violations() == []


def test_a_body_over_the_limit(exchange, driver):
    deliver(exchange, "huge", 3_000_000)
    d = driver(exchange, "--limit", 1_000_000)
    inbox = d.folder()
    items, _, _ = d.sync_all(inbox)
    assert len(items) == 31
    got, end = d.fetch_all("message")
    assert end["err"] == "none"
    assert sorted(e["err"] for e in got.values()) == ["none"] * 30 + ["too-big"]


def rss(driver):
    with open(f"/proc/{driver.process.pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["RssAnon"].split()[0])


@pytest.mark.parametrize("truncate", ["both", "never"])
def test_a_large_message_is_not_held_in_memory(exchange, driver, truncate):
    exchange.options(eas_truncate=truncate)
    num = deliver(exchange, "huge", 50_000_000)
    d = driver(exchange)
    inbox = d.folder()
    before = rss(d)
    items, _, _ = d.sync_all(inbox)
    got, _ = d.fetch(inbox, "message", next(i for i in items if number(i) == num))
    assert content(next(iter(got.values()))["content"]) == exchange.mime(num, served=True)
    assert rss(d) - before < 30_000  # KiB; the sanitizers' quarantine is part of it


def test_cancelled_in_the_middle(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    items, last, _ = d.sync_all(inbox)
    d.send("cancel-on-item")
    _, end = d.fetch(inbox, "message", *sorted(items)[:10])
    assert end == {"event": "fetched", "err": "cancelled", "ops": 0}
    d.send("begin-sync", inbox, last["cursor"])
    d.send("cancel-sync")
    num = deliver(exchange, "after")
    assert [number(i["id"]) for i in d.sync(inbox, last["cursor"])["list"]] == [num]
    mark = exchange.mark()
    exchange.fault(op="Sync", do="hang")
    d.send("begin-sync", inbox, last["cursor"])
    exchange.held("Sync", mark)
    d.send("cancel-sync")
    assert [number(i["id"]) for i in d.sync(inbox, last["cursor"])["list"]] == [num]
    d.watch(inbox)
    d.send("unwatch")
    d.stop()


def test_one_sync_at_a_time(exchange, driver):
    d = driver(exchange)
    inbox, sent = d.folder(), d.folder("sent")
    exchange.options(delay_s=0.05)
    d.send("begin-sync", inbox)
    page = d.sync(sent)
    assert d.wait("sync")["err"] == page["err"] == "none"
    log = [e for e in exchange.log() if e.get("op") == "Sync"]
    assert len(log) == 4 and all(e.get("at_once", 1) == 1 for e in log)


def test_verbs(exchange, driver):
    """\\Answered and $Forwarded come from LastVerbExecuted, which tells the later of the two; the other one is as it was noted here."""
    numbers = [i["num"] for i in exchange.items("inbox")[:2]]
    for number, verb in zip(numbers, (102, 104)):
        exchange.change("update", num=number, last_verb=verb)
    d = driver(exchange)
    inbox = d.folder()
    items, _, _ = d.sync_all(inbox)
    for number, flag in zip(numbers, (ANSWERED, FORWARDED)):
        item = items.pop(f"{inbox}:{number}")
        assert item["known"] & (ANSWERED | FORWARDED) == item["flags"] & (ANSWERED | FORWARDED) == flag
    assert any(not item["known"] & (ANSWERED | FORWARDED) for item in items.values())


def test_login_reports_refusal(exchange, driver):
    d = driver(exchange, password="wrong")
    assert d.login()["err"] == "auth"
    assert d.wait("health")["err"] == "auth"
    requests = len(exchange.log())
    assert d.folders()["err"] == "auth"
    assert len(exchange.log()) == requests  # a refused password is not sent again
    d.stop()


def test_passthrough(exchange, driver):
    d = driver(exchange, "--passthrough")
    assert d.folders()["err"] == "auth"
    assert d.login("wrong")["err"] == "auth"
    assert d.login("secret")["err"] == "none"
    assert d.folders()["err"] == "none"
