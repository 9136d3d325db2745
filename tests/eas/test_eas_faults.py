# SPDX-License-Identifier: Apache-2.0
"""Whatever the server does, the backend gives a clear answer, and the same cursor goes on afterwards."""
import pytest

from easdriver import content
from test_eas_backend import deliver, number

TRANSIENT = [
    {"do": "lose"}, {"do": "reset_before"}, {"do": "close_before"}, {"do": "reset_after"}, {"do": "cut", "bytes": 40},
    {"do": "cut", "bytes": 3}, {"do": "truncate"}, {"do": "truncate", "bytes": 2}, {"do": "status", "status": 500},
    {"do": "status", "status": 503, "headers": {"Retry-After": "1"}}, {"do": "eas_status", "code": 111},
    {"do": "eas_status", "code": 133}, {"do": "eas_status", "code": 132}, {"do": "close"}, {"do": "gzip"},
    {"do": "bad_length", "delta": 10, "seconds": 1}, {"do": "drip", "rate": 20000}, {"do": "deflate_garbage"}]
SYNC_TRANSIENT = [{"do": "eas_status", "eas": "collection", "code": c} for c in (5, 13, 16, 142, 4)] + [
    {"do": "eas_status", "code": c} for c in (5, 13, 16)] + [
    {"do": "nest"}, {"do": "wbxml_length"}, {"do": "wbxml_unknown"}, {"do": "bad_utf8"}, {"do": "control_chars"}]


def name(fault):
    return "-".join(str(v) for k, v in fault.items() if k != "headers")


@pytest.fixture
def synced(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    items, last, _ = d.sync_all(inbox)
    return d, inbox, items, last["cursor"]


@pytest.mark.parametrize("fault", TRANSIENT + SYNC_TRANSIENT, ids=name)
def test_sync_survives(exchange, synced, fault):
    d, inbox, _, cursor = synced
    nums = {deliver(exchange, f"n{i}") for i in range(3)}
    exchange.fault(protocol="eas", op="Sync", **fault)
    page = d.sync(inbox, cursor)
    assert page["err"] == "none", page
    assert {number(i["id"]) for i in page["list"]} == nums
    assert all("message" in i for i in page["list"])
    assert d.sync(inbox, page["cursor"])["list"] == []


@pytest.mark.parametrize("fault", TRANSIENT, ids=name)
def test_fetch_survives(exchange, synced, fault):
    d, inbox, items, _ = synced
    ids = sorted(items)[:6]
    exchange.fault(protocol="eas", op="ItemOperations", **fault)
    got, end = d.fetch(inbox, "message", *ids)
    assert end["err"] == "none", end
    for item_id in ids:
        assert got[item_id]["err"] == "none"
        assert content(got[item_id]["content"]) == exchange.mime(number(item_id), served=True)


@pytest.mark.parametrize("fault", TRANSIENT, ids=name)
def test_folders_survive(exchange, synced, fault):
    d, _, _, _ = synced
    exchange.fault(protocol="eas", op="FolderSync", **fault)
    answer = d.folders()
    assert answer["err"] == "none" and len(answer["list"]) > 5


WORDS = [  # what the text says besides
    ({"do": "eas_status", "code": 126}, "denied", "switched off for this user (ActiveSyncEnabled)"),
    ({"do": "eas_status", "code": 129}, "denied", "(DeviceId: "),
    ({"do": "eas_status", "code": 177}, "denied", "too many devices"),
    ({"do": "status", "status": 403, "headers": {"X-MS-Diagnostics": '4000000;reason="no"'}}, "denied", '(X-MS-Diagnostics: 4000000;reason="no")'),
    ({"do": "status", "status": 503, "headers": {"Retry-After": "900", "X-MS-ASThrottle": "CommandFrequency"}}, "throttled",
     "(X-MS-ASThrottle: CommandFrequency)"),
]


@pytest.mark.parametrize("fault, err, text", WORDS, ids=[str(w[0].get("code", w[0].get("status"))) for w in WORDS])
def test_words_of_a_refusal(exchange, driver, fault, err, text):
    d = driver(exchange)
    exchange.fault(protocol="eas", op="FolderSync", times=0, **fault)
    answer = d.folders()
    assert answer["err"] == err and text in answer["text"]


PERMANENT = [
    ({"do": "html"}, "protocol"), ({"do": "html", "status": 404}, "offline"), ({"do": "html", "status": 403}, "denied"),
    ({"do": "garbage"}, "protocol"), ({"do": "redirect"}, "protocol"), ({"do": "reset_before"}, "offline"),
    ({"do": "lose"}, "offline"), ({"do": "status", "status": 500}, "offline"), ({"do": "status", "status": 507}, "quota"),
    ({"do": "status", "status": 400}, "unsupported"), ({"do": "status", "status": 501}, "unsupported"),
    ({"do": "status", "status": 457}, "auth"), ({"do": "status", "status": 418}, "protocol"),
    ({"do": "status", "status": 503, "headers": {"Retry-After": "300"}}, "throttled"),
    ({"do": "bomb"}, "too-big|protocol"), ({"do": "eas_status", "code": 110}, "offline"),
    ({"do": "eas_status", "code": 111}, "offline"), ({"do": "eas_status", "code": 113}, "quota"),
    ({"do": "eas_status", "code": 126}, "denied"), ({"do": "eas_status", "code": 129}, "denied"),
    ({"do": "eas_status", "code": 134}, "stale"), ({"do": "eas_status", "code": 177}, "denied"),
    ({"do": "eas_status", "code": 142}, "policy"), ({"do": "eas_status", "code": 199}, "protocol"),
    ({"do": "nest"}, "unsupported"), ({"do": "cut", "bytes": 30}, "offline"),
    ({"do": "eas_status", "eas": "collection", "code": 3}, "stale"),
    ({"do": "eas_status", "eas": "collection", "code": 4}, "unsupported"),
    ({"do": "eas_status", "eas": "collection", "code": 5}, "offline"),
    ({"do": "eas_status", "eas": "collection", "code": 8}, "not-found"),
    ({"do": "eas_status", "eas": "collection", "code": 9}, "quota"),
    ({"do": "eas_status", "eas": "collection", "code": 12}, "not-found"),
    ({"do": "eas_status", "eas": "collection", "code": 16}, "offline"),
    ({"do": "eas_status", "code": 77}, "protocol")]


@pytest.mark.parametrize("fault, err", PERMANENT, ids=lambda v: name(v) if isinstance(v, dict) else v)
def test_sync_fails_clearly(exchange, synced, fault, err):
    d, inbox, _, cursor = synced
    num = deliver(exchange, "new")
    mark = exchange.mark()
    exchange.fault(protocol="eas", op="Sync", times=0, **fault)
    page = d.sync(inbox, cursor, timeout=60)
    assert page["err"] in err.split("|"), page
    assert "Sync" in page["text"] and len(page["text"]) < 256
    assert len(exchange.log(mark)) <= 12
    exchange.clear_faults()
    if page["err"] in ("throttled", "auth"):
        return
    page = d.sync(inbox, cursor)
    if page["err"] == "policy":  # two rounds an hour
        return
    assert page["err"] == "none" and [number(i["id"]) for i in page["list"]] == [num]


def test_throttled_for_the_whole_account(exchange, synced):
    d, inbox, _, cursor = synced
    exchange.fault(protocol="eas", op="Sync", do="status", status=503, headers={"Retry-After": "300"})
    page = d.sync(inbox, cursor)
    assert page["err"] == "throttled" and 290 <= page["retry_after"] <= 300
    mark = exchange.mark()
    again = d.folders()
    assert again["err"] == "throttled" and again["retry_after"] > 250
    assert exchange.counts(mark) == {}


def test_a_resync_loop_ends(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    exchange.fault(protocol="eas", op="Sync", do="eas_status", eas="collection", code=3, times=0)
    mark = exchange.mark()
    assert d.sync(inbox)["err"] == "unsupported"  # of this folder alone
    assert exchange.counts(mark)["eas:Sync"] <= 6


@pytest.mark.parametrize("fault, fifth", [({"do": "eas_status", "eas": "collection", "code": 5}, "stale"),
                                          ({"do": "status", "status": 500}, "unsupported")])
def test_a_folder_that_always_fails_stops_alone(exchange, synced, fault, fifth):
    d, inbox, _, cursor = synced
    exchange.fault(protocol="eas", op="Sync", times=0, **fault)
    errors = [d.sync(inbox, cursor)["err"] for _ in range(5)]
    assert errors == ["offline"] * 4 + [fifth]
    assert d.sync(inbox)["err"] == "unsupported"
    exchange.clear_faults()
    assert d.sync(inbox)["err"] == "none"


def test_stale_again_and_again(exchange, synced):
    d, inbox, _, cursor = synced
    exchange.fault(protocol="eas", op="Sync", do="eas_status", eas="collection", code=3, times=0)
    errors = [d.sync(inbox, cursor)["err"] for _ in range(4)]
    assert errors == ["stale"] * 3 + ["unsupported"]


def test_invalid_state_is_stale(exchange, synced):
    d, inbox, items, cursor = synced
    exchange.invalidate()
    assert d.sync(inbox, cursor)["err"] == "stale"
    again, last, _ = d.sync_all(inbox)
    assert len(again) == len(items)


@pytest.mark.parametrize("cursor", ["x", "1 16.1 1 0 ", "1 16.1 1 0 nonsense", "2 16.1 1 0 5", "1 14.1 1 0 5", "1 16.1 9 0 5", "\x7f" * 300])
def test_senseless_cursors(exchange, driver, cursor):
    d = driver(exchange)
    assert d.sync(d.folder(), cursor)["err"] in ("stale", "protocol")


def test_a_folder_that_is_gone(exchange, synced):
    d, _, _, _ = synced
    exchange.folder("create", name="Short-lived")
    folder = next(f["id"] for f in d.folders()["list"] if f["name"] == "Short-lived")
    cursor = d.sync(folder)["cursor"]
    exchange.folder("delete", folder=int(folder), how="hard")
    assert d.sync(folder, cursor)["err"] == "not-found"
    assert d.sync("no-such-folder")["err"] == "not-found"


def test_more_available_for_ever(exchange, synced):
    """Neither an unchanged key nor pages without items keep us busy for ever."""
    d, inbox, _, cursor = synced
    deliver(exchange, "new")
    exchange.fault(protocol="eas", op="Sync", do="same_state", times=0)
    pages = 0
    while pages < 40:
        page = d.sync(inbox, cursor)
        pages += 1
        if page["err"] != "none" or not page["more"]:
            break
        cursor = page["cursor"]
    assert pages < 40


def test_fetch_statuses(exchange, synced):
    d, inbox, items, _ = synced
    ids = sorted(items)[:3]
    for code, err in ((6, "not-found"), (3, "offline"), (5, "denied"), (11, "too-big"), (16, "denied"), (17, "protocol")):
        exchange.fault(protocol="eas", op="ItemOperations", do="eas_status", eas="item", index=1, code=code)
        got, end = d.fetch(inbox, "message", *ids)
        assert end["err"] == "none"
        assert [got[i]["err"] for i in ids] == ["none", err, "none"], code


def test_fetch_isolates_what_breaks_the_answer(exchange, synced):
    """SOGo says 501 of a whole batch when one item is gone."""
    d, inbox, items, _ = synced
    got, _ = d.fetch(inbox, "message", *sorted(items)[:2])
    exchange.fault(protocol="eas", op="ItemOperations", do="status", status=501, times=3)
    ids = sorted(items)[:4]
    got, end = d.fetch(inbox, "message", *ids)
    assert end["err"] == "none"
    assert sorted(e["err"] for e in got.values()) == ["none"] * 3 + ["not-found"]


@pytest.mark.parametrize("fault, err", [
    ({"do": "html"}, "protocol"), ({"do": "reset_before"}, "offline"), ({"do": "status", "status": 403}, "denied"),
    ({"do": "empty"}, "protocol"), ({"do": "garbage"}, "protocol")])
def test_fetch_fails_clearly(exchange, synced, fault, err):
    d, inbox, items, _ = synced
    exchange.fault(protocol="eas", op="ItemOperations", times=0, **fault)
    mark = exchange.mark()
    got, end = d.fetch(inbox, "message", *sorted(items)[:6])
    assert end["err"] == err and got == {}
    assert len(exchange.log(mark)) <= 4


def test_a_broken_multipart_falls_back(exchange, synced):
    d, inbox, items, _ = synced
    exchange.fault(protocol="eas", op="ItemOperations", do="replace", body="\x05\x00\x00\x00nonsense nonsense",
                   headers={"Content-Type": "application/vnd.ms-sync.multipart"})
    ids = sorted(items)[:6]
    got, end = d.fetch(inbox, "message", *ids)
    assert end["err"] == "none" and all(e["err"] == "none" for e in got.values())
    assert all(content(got[i]["content"]) == exchange.mime(number(i), served=True) for i in ids)


def test_a_page_that_breaks_again_and_again_gets_smaller(exchange, synced):
    d, inbox, _, cursor = synced
    nums = {deliver(exchange, f"n{i}") for i in range(5)}
    exchange.fault(protocol="eas", op="Sync", do="wbxml_length", times=2)
    got = set()
    for _ in range(10):
        page = d.sync(inbox, cursor)
        assert page["err"] == "none"
        got |= {number(i["id"]) for i in page["list"]}
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert got == nums


@pytest.mark.parametrize("fault", [{"do": "wbxml_length"}, {"do": "truncate", "bytes": 400}], ids=name)
def test_items_that_always_break_the_answer_are_passed(exchange, synced, fault):
    """One by one, with what can be read of them; the folder does not stop."""
    d, inbox, _, cursor = synced
    nums = {deliver(exchange, f"n{i}", 2000) for i in range(3)}
    exchange.fault(protocol="eas", op="Sync", times=0, **fault)
    got, pages = {}, 0
    while pages < 12:
        page = d.sync(inbox, cursor)
        pages += 1
        if page["err"] != "none":  # nothing is left, and even that answer is broken
            break
        got.update({number(i["id"]): i for i in page["list"]})
        cursor = page["cursor"]
    assert set(got) == nums
    exchange.clear_faults()
    assert d.sync(inbox, cursor)["list"] == []
    fetched, _ = d.fetch(inbox, "message", *[i["id"] for i in got.values()])
    assert all(content(e["content"]) == exchange.mime(number(k), served=True) for k, e in fetched.items())


def test_garbage_everywhere_at_the_start(exchange, driver):
    for fault in ({"do": "html"}, {"do": "garbage"}, {"do": "empty"}, {"do": "status", "status": 500}):
        exchange.fault(protocol="eas", times=0, **fault)
    d = driver(exchange)
    assert d.login()["err"] in ("protocol", "offline")
    assert d.folders()["err"] in ("protocol", "offline")
    exchange.clear_faults()
    assert d.folders()["err"] == "none"


def test_stalled_server_does_not_stop_other_commands(exchange, synced):
    d, inbox, items, cursor = synced
    exchange.fault(protocol="eas", op="Sync", do="pause")
    d.send("begin-sync", inbox, cursor)
    exchange.held("Sync")
    got, _ = d.fetch(inbox, "message", sorted(items)[0])
    assert len(got) == 1 and d.seen("sync") == []
    exchange.clear_faults()
    assert d.wait("sync")["err"] == "none"
