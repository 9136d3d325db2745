# SPDX-License-Identifier: Apache-2.0
"""Changing mail over EAS when things go wrong: nothing is lost, nothing happens twice, and the core hears of all of it."""
import os
import time

import pytest

from easdriver import FLAGGED, SEEN, Driver
from test_eas_writing import ALL, DRAFT, committed, item, posts, quiet, start  # noqa: F401: a fixture


def until(look, seconds=60):
    end = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value


def syncs(exchange, mark, commands=True):
    """Sync requests since a mark; with commands: those that change something."""
    return [e for e in exchange.log(mark, protocol="eas", op="Sync") if bool(e["detail"].get("commands")) == commands]


def record(d, folder):
    path = os.path.join(d.persist, f"eas.batch.{folder}")
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def num(number):
    return int(number.split(":")[1])


LOST = [dict(do="lose"), dict(do="reset_after"), dict(do="reset_before"), dict(do="close_before"), dict(do="cut", bytes=20),
        dict(do="status", status=500), dict(do="bad_length"), dict(do="truncate", bytes=30), dict(do="wbxml_length"),
        dict(do="status", status=502), dict(do="html")]


def name_of(fault):
    return fault["do"] + str(fault.get("status", ""))


# --- flags and deleting: one answer is lost ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault", LOST, ids=name_of)
@pytest.mark.parametrize("what", ["flag", "remove"])
def test_one_answer_is_lost(start, fault, what):
    """The same bytes again, with the same SyncKey: the server recognises them."""
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", **fault)
    done = d.flag(inbox, {i: (FLAGGED, 0) for i in ids[:3]}) if what == "flag" else d.remove(inbox, *ids[:3])
    assert done["err"] == "none" and [e["err"] for e in done["each"]] == ["none"] * 3
    sent = syncs(exchange, mark)
    assert len(sent) == 2 and len({e["detail"]["digest"] for e in sent}) == 1
    if what == "flag":
        assert [item(exchange, i)["flag"] for i in ids[:4]] == [2, 2, 2, 0]
    else:
        assert len(exchange.items("inbox")) == 7 and len(exchange.items("deleteditems")) == 3
    page = d.sync(inbox, committed(d, inbox))
    assert page["err"] == "none" and {i["id"] for i in page["list"]} == set(ids[:3])
    assert d.sync(inbox, page["cursor"])["list"] == []
    assert record(d, inbox) is None
    quiet(exchange)


@pytest.mark.parametrize("fault", ["lose", "reset_before"])
@pytest.mark.parametrize("what", ["flag", "remove"])
@pytest.mark.parametrize("next_is", ["sync", "write", "restart"])
def test_all_answers_are_lost(start, driver, fault, what, next_is):
    """The outcome stays open until the next Sync of the folder, whichever it is; then the core is told."""
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do=fault, times=0)
    done = d.flag(inbox, {i: (FLAGGED, 0) for i in ids[:3]}) if what == "flag" else d.remove(inbox, *ids[:3])
    assert done["err"] == "offline" and [e["err"] for e in done["each"]] == ["offline"] * 3
    assert b"\nwire 1\n" in record(d, inbox)
    before = len(syncs(exchange, mark))  # two of ours, and those that libcurl repeats by itself
    exchange.clear_faults()
    if next_is == "restart":
        d.stop()
        d = driver(exchange)
    if next_is == "write":
        assert d.flag(inbox, {ids[5]: (FLAGGED, 0)})["err"] == "none"
        assert item(exchange, ids[5])["flag"] == 2
    sent = syncs(exchange, mark)
    if next_is == "write":
        assert len(sent) == before + 2 and len({e["detail"]["digest"] for e in sent[: before + 1]}) == 1
    page = d.sync(inbox, committed(d, inbox))
    sent = syncs(exchange, mark)
    assert page["err"] == "none" and len({e["detail"]["digest"] for e in sent[: before + 1]}) == 1
    if next_is != "write":
        assert len(sent) == before + 1
        told = {i["id"]: i for i in page["list"]}
        assert set(told) == set(ids[:3])
        assert all(i["gone"] if what == "remove" else i["flags"] & FLAGGED for i in told.values())
    if what == "flag":
        assert [item(exchange, i)["flag"] for i in ids[:4]] == [2, 2, 2, 0]
    else:
        assert len(exchange.items("inbox")) == 7 and len(exchange.items("deleteditems")) == 3
    page = d.sync(inbox, page["cursor"])
    assert page["list"] == [] and record(d, inbox) is None
    quiet(exchange)


@pytest.mark.parametrize("fault", ["hold", "hang"])
@pytest.mark.parametrize("what", ["flag", "remove"])
@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_killed_before_the_answer(start, driver, fault, what, version):
    """kill -9 when the request is out: it is repeated unchanged, whether the server had carried it out or not."""
    exchange, d, inbox, ids = start(version)
    mark = exchange.mark()
    exchange.fault(op="Sync", do=fault)
    if what == "flag":
        d.send("flag", inbox, *[f"{i},{SEEN | FLAGGED},0" for i in ids[:3]])
    else:
        d.send("remove", inbox, "permanent", *ids[:3])
    until(lambda: syncs(exchange, mark))
    if fault == "hold":
        until(lambda: all(i["flag"] == 2 for i in exchange.items("inbox")[:3]) or len(exchange.items("inbox")) == 7)
    d.kill()
    assert b"\nwire 1\n" in record(d, inbox)
    d = driver(exchange)
    page = d.sync(inbox, committed(d, inbox))
    assert page["err"] == "none"
    sent = syncs(exchange, mark)
    assert len(sent) == 2 and len({e["detail"]["digest"] for e in sent}) == 1
    told = {i["id"]: i for i in page["list"]}
    assert set(told) == set(ids[:3])
    if what == "flag":
        assert all(i["flags"] & (SEEN | FLAGGED) == SEEN | FLAGGED for i in told.values())
        assert all(item(exchange, i)["flag"] == 2 and item(exchange, i)["read"] for i in ids[:3])
    else:
        assert all(i["gone"] for i in told.values()) and len(exchange.items("inbox")) == 7
    assert d.sync(inbox, page["cursor"])["list"] == []
    quiet(exchange)


def test_killed_before_the_core_has_written_it_down(start, driver):
    """Answered, but the core's commit never came: its older sync state leads on, and it is told."""
    exchange, d, inbox, ids = start()
    cursor = committed(d, inbox)
    for number in ids[:3]:
        assert d.flag(inbox, {number: (FLAGGED, 0)})["err"] == "none"
    d.kill()
    exchange.deliver(subject="later")
    d = driver(exchange)
    page = d.sync(inbox, cursor)
    assert page["err"] == "none" and not page["restarted"]
    assert ids[2] in {i["id"] for i in page["list"] if i["flags"] & FLAGGED}
    assert "later" in {i["subject"] for i in page["list"]}
    quiet(exchange)


def test_a_page_that_the_core_could_not_commit(start):
    """Then a change goes out on the older state, and the page comes again."""
    exchange, d, inbox, ids = start()
    exchange.deliver(subject="news")
    d.send("no-commit")
    cursor = committed(d, inbox)
    assert [i["subject"] for i in d.sync(inbox, cursor)["list"]] == ["news"]
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "none"
    d.send("commit")
    page = d.sync(inbox, cursor)
    assert page["err"] == "none" and {i["subject"] for i in page["list"]} >= {"news"}
    assert item(exchange, ids[0])["flag"] == 2
    assert d.sync(inbox, page["cursor"])["list"] == []
    quiet(exchange)


# --- what a server answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, err", [(6, "invalid"), (7, "conflict"), (8, "not-found"), (9, "quota"), (4, "invalid"),
                                       (166, "invalid"), (77, "protocol")])
def test_one_item_is_refused(start, code, err):
    """The others go through, and what was refused is not told as done."""
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do="eas_status", eas="item", code=code, index=1)
    done = d.flag(inbox, {i: (SEEN, 0, ["Red"]) for i in ids[:3]})
    assert done["err"] == "none" and [e["err"] for e in done["each"]] == ["none", err, "none"]
    assert len(syncs(exchange, mark)) == 1
    assert [item(exchange, i)["categories"] for i in ids[:3]] == [["Red"], [], ["Red"]]
    page = d.sync(inbox, committed(d, inbox))
    assert {i["id"] for i in page["list"]} == {ids[0], ids[2]}


@pytest.mark.parametrize("code", [5, 16])
def test_one_item_is_tried_again(start, code):
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do="eas_status", eas="item", code=code, index=1)
    done = d.flag(inbox, {i: (FLAGGED, 0) for i in ids[:3]})
    assert [e["err"] for e in done["each"]] == ["none"] * 3
    assert [e["detail"]["commands"] for e in syncs(exchange, mark)] == [["Change"] * 3, ["Change"]]
    exchange.fault(op="Sync", do="eas_status", eas="item", code=code, times=0)
    done = d.flag(inbox, {ids[0]: (0, FLAGGED)})
    assert done["each"][0]["err"] == "offline"


def test_flags_that_need_dates(start):
    """Asked for without first; a server that insists gets them, from then on at once."""
    exchange, d, inbox, ids = start()
    exchange.options(eas_flag_needs_dates=True)
    mark = exchange.mark()
    done = d.flag(inbox, {ids[0]: (FLAGGED, 0), ids[1]: (SEEN, 0), ids[2]: (SEEN | FLAGGED, 0)})
    assert [e["err"] for e in done["each"]] == ["none"] * 3
    assert [e["detail"]["commands"] for e in syncs(exchange, mark)] == [["Change"] * 3, ["Change"] * 2]
    mark = exchange.mark()
    assert d.flag(inbox, {ids[3]: (FLAGGED, 0)})["each"][0]["err"] == "none"
    assert len(syncs(exchange, mark)) == 1
    assert [item(exchange, i)["flag"] == 2 for i in ids[:4]] == [True, False, True, True]
    quiet(exchange)


def test_malformed_batch_is_halved(start):
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do="eas_status", eas="command", code=4, times=2)
    done = d.flag(inbox, {i: (FLAGGED, 0) for i in ids[:8]})
    assert [e["err"] for e in done["each"]] == ["none"] * 8
    assert [len(e["detail"]["commands"]) for e in syncs(exchange, mark)] == [8, 4, 2, 2, 2, 2]
    mark = exchange.mark()
    exchange.fault(op="Sync", do="eas_status", eas="command", code=4, times=0)
    done = d.flag(inbox, {i: (0, FLAGGED) for i in ids[:8]})
    assert [e["err"] for e in done["each"]] == ["invalid"] * 8 and len(syncs(exchange, mark)) < 10
    exchange.clear_faults()
    assert d.sync(inbox, committed(d, inbox))["err"] == "none"


@pytest.mark.parametrize("code, err, requests", [(12, "not-found", 1), (9, "quota", 1), (113, "quota", 1), (129, "denied", 1),
                                                 (110, "offline", 1)])
def test_a_batch_is_refused(start, code, err, requests):
    """Nothing was done, so nothing is left to find out."""
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do="eas_status", eas="collection" if code < 100 else "command", code=code)
    done = d.flag(inbox, {ids[0]: (FLAGGED, 0)})
    assert done["err"] == err and done["each"][0]["err"] == err
    assert len(syncs(exchange, mark)) == requests and record(d, inbox) is None
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "none"
    assert item(exchange, ids[0])["flag"] == 2
    if code == 12:  # and somebody looks at the folder list
        d.watch(inbox)
        assert d.wait("watch")["hierarchy"]


@pytest.mark.parametrize("code", [5, 16, 13, 111])
def test_a_batch_is_tried_again(start, code):
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do="eas_status", eas="collection" if code < 100 else "command", code=code)
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "none"
    sent = syncs(exchange, mark)
    assert len(sent) == 2 and len({e["detail"]["digest"] for e in sent}) == 1


def test_sync_state_is_not_valid_any_more(start):
    """The core collects the folder anew; until it has, changes are refused without a request."""
    exchange, d, inbox, ids = start()
    exchange.invalidate()
    done = d.flag(inbox, {ids[0]: (FLAGGED, 0)})
    assert done["err"] == "stale" and record(d, inbox) is None
    assert d.sync(inbox, committed(d, inbox))["err"] == "stale"
    os.unlink(f"{d.persist}/cursor.{inbox}")
    mark = exchange.mark()
    for answer in (d.flag(inbox, {ids[0]: (FLAGGED, 0)}), d.remove(inbox, ids[0]), d.move(inbox, inbox, ids[0])):
        assert answer["err"] == "stale"
    assert posts(exchange, mark) == []
    d.sync_all(inbox)
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "none"
    assert item(exchange, ids[0])["flag"] == 2


def test_open_batch_and_lost_sync_state(start):
    """What became of it will never be known from its answer: the folder as a whole tells."""
    exchange, d, inbox, ids = start()
    exchange.fault(op="Sync", do="lose", times=0)
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "offline"
    exchange.clear_faults()
    exchange.invalidate()
    assert d.sync(inbox, committed(d, inbox))["err"] == "stale"
    assert record(d, inbox) is None
    items, _, _ = d.sync_all(inbox)
    assert items[ids[0]]["flags"] & FLAGGED


@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_throttled(start, version):
    exchange, d, inbox, ids = start(version)
    mark = exchange.mark()
    exchange.fault(op="Sync", do="throttle", backoff_ms=120000)
    done = d.flag(inbox, {ids[0]: (FLAGGED, 0)})
    assert done["err"] == "throttled" and done["retry_after"] > 60
    assert len(syncs(exchange, mark)) == 1 and record(d, inbox) is None and not item(exchange, ids[0])["flag"]


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("what", ["flag", "move", "folder"])
def test_policy_comes_in_between(start, version, what):
    """The same request again once the policy is acknowledged: not done twice, for it was not done before."""
    exchange, d, inbox, ids = start(version)
    trash = d.folder("trash")
    mark = exchange.mark()
    exchange.options(eas_policy_serial=2)
    if what == "flag":
        assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "none" and item(exchange, ids[0])["flag"] == 2
        wanted = "Sync"
    elif what == "move":
        assert d.move(inbox, trash, ids[1])["each"][0]["err"] == "none" and len(exchange.items("deleteditems")) == 1
        wanted = "MoveItems"
    else:
        assert d.create("T-one")["err"] == "none" and names(exchange) == ["T-one"]
        wanted = "FolderCreate"
    assert posts(exchange, mark) == [wanted, "Provision", "Provision", wanted]


def test_mailbox_moves_in_between(start):
    exchange, d, inbox, ids = start()
    for op in ("Sync", "MoveItems", "FolderCreate"):
        exchange.fault(op=op, do="status", status=451, headers={"X-MS-Location": exchange.eas_url})
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0)})["err"] == "none"
    assert d.move(inbox, d.folder("trash"), ids[1])["err"] == "none"
    assert d.create("Made")["err"] == "none"


@pytest.mark.parametrize("options", [dict(eas_echo_own=True), dict(eas_full_changes=True), dict(eas_echo_success=True),
                                     dict(eas_change_as_add=True), dict(eas_always_changes=True), dict(eas_wbxml="verbose"),
                                     dict(eas_move_echo=False), dict(eas_more_empty=True)], ids=lambda o: next(iter(o)))
def test_servers_that_behave_differently(start, options):
    """Whatever a server adds or leaves out: after the next pages the core has what the server has."""
    exchange, d, inbox, ids = start()
    exchange.options(**options)
    state = {i: {"flags": 0} for i in ids}
    exchange.change("update", num=num(ids[4]), flag=2)
    exchange.deliver(subject="news")
    assert d.flag(inbox, {ids[0]: (FLAGGED, 0), ids[1]: (SEEN, 0)})["err"] == "none"
    assert d.remove(inbox, ids[2])["err"] == "none"
    exchange.change("update", num=num(ids[5]), flag=2)
    trash = d.folder("trash")
    d.sync_all(trash)
    moved = d.move(inbox, trash, ids[3])["each"][0]["new_id"]
    assert moved
    state[ids[0]] = {"flags": FLAGGED}
    for _ in range(4):
        page = d.sync(inbox, committed(d, inbox))
        assert page["err"] == "none" and not page["restarted"]
        for i in page["list"]:
            if i["gone"]:
                state.pop(i["id"], None)
            elif i["id"] in state or i["subject"]:
                old = state.get(i["id"], {"flags": 0})["flags"]
                state[i["id"]] = {"flags": (old & ~i["known"]) | (i["flags"] & i["known"])}
    state.pop(ids[3], None)  # the core knows by the answer to the move
    wanted = {f"{inbox}:{i['num']}": FLAGGED if i["flag"] == 2 else 0 for i in exchange.items("inbox")}
    assert {i: s["flags"] & FLAGGED for i, s in state.items()} == wanted
    quiet(exchange)


# --- one at a time ------------------------------------------------------------------------------------------------------


def test_one_sync_at_a_time(start):
    exchange, d, inbox, ids = start(count=60)
    trash = d.folder("trash")
    d.sync_all(trash)
    mark = exchange.mark()
    exchange.options(delay_s=0.02)
    d.send("begin-sync", inbox, committed(d, inbox))
    for i in range(10):
        d.send("begin", "flag", inbox, f"{ids[i]},{FLAGGED},0")
        d.send("begin", "move", inbox, trash, ids[20 + i])
        d.send("begin", "remove", inbox, "permanent", ids[40 + i])
        d.send("begin", "create", "-", "mail", f"Folder {i}")
    for i in range(10):
        for name in ("flag", "move", "remove", "create"):
            assert d.wait(name)["err"] == "none"
    assert d.wait("sync")["err"] == "none"
    log = exchange.log(mark, protocol="eas")
    assert not [e for e in log if e["detail"].get("concurrent")]
    assert len([e for e in log if e["op"] == "Sync"]) == 21
    assert [item(exchange, i)["flag"] for i in ids[:10]] == [2] * 10
    assert len(exchange.items("inbox")) == 40 and len(exchange.items("deleteditems")) == 10
    quiet(exchange)


def test_changes_go_before_pages(start):
    """Somebody waits for a change, and nobody for the next page of a long first synchronisation."""
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    exchange.fault(op="Sync", do="pause")  # until all of it waits
    d.send("begin", "flag", inbox, f"{ids[0]},{FLAGGED},0")
    d.send("begin-sync", inbox, committed(d, inbox))
    d.send("begin", "flag", inbox, f"{ids[1]},{FLAGGED},0")
    d.folders()  # the driver has read all three
    exchange.clear_faults()
    assert d.wait("sync")["err"] == d.wait("flag")["err"] == d.wait("flag")["err"] == "none"
    assert [e["detail"]["commands"] for e in exchange.log(mark, op="Sync")] == [["Change"], ["Change"], []]


# --- moving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", LOST, ids=name_of)
def test_lost_answer_to_a_move(start, fault):
    """Sent again knowingly: what is gone from the source then has moved, under an id that the target tells."""
    exchange, d, inbox, ids = start()
    trash = d.folder("trash")
    d.sync_all(trash)
    wanted = sorted(item(exchange, i)["message_id"] for i in ids[:3])
    mark = exchange.mark()
    exchange.fault(op="MoveItems", **fault)
    done = d.move(inbox, trash, *ids[:3])
    assert done["err"] == "none" and [e["err"] for e in done["each"]] == ["none"] * 3
    assert exchange.counts(mark)["eas:MoveItems"] == 2
    there = exchange.items("deleteditems")
    assert sorted(i["message_id"] for i in there) == wanted and len(exchange.items("inbox")) == 7
    known = [e["new_id"] for e in done["each"] if e["new_id"]]
    assert known == [] or sorted(known) == sorted(f"{trash}:{i['num']}" for i in there)
    page = d.sync(trash, committed(d, trash))
    assert {i["id"] for i in page["list"]} == {f"{trash}:{i['num']}" for i in there}


def test_all_answers_to_a_move_are_lost(start):
    exchange, d, inbox, ids = start()
    trash = d.folder("trash")
    d.sync_all(trash)
    exchange.fault(op="MoveItems", do="lose", times=0)
    done = d.move(inbox, trash, *ids[:2])
    assert done["err"] == "offline"
    exchange.clear_faults()
    assert {i["id"] for i in d.sync(inbox, committed(d, inbox))["list"] if i["gone"]} == set(ids[:2])
    assert len(d.sync(trash, committed(d, trash))["list"]) == 2


@pytest.mark.parametrize("code, err", [(1, "not-found"), (2, "not-found"), (4, "invalid"), (99, "protocol")])
def test_a_move_is_refused(start, code, err):
    exchange, d, inbox, ids = start()
    trash = d.folder("trash")
    exchange.fault(op="MoveItems", do="eas_status", eas="item", code=code, index=1)
    done = d.move(inbox, trash, *ids[:3])
    assert [e["err"] for e in done["each"]] == ["none", err, "none"]
    assert len(exchange.items("deleteditems")) == 2


@pytest.mark.parametrize("code", [5, 7])
def test_a_locked_item_is_moved_a_little_later(start, code):
    exchange, d, inbox, ids = start()
    trash = d.folder("trash")
    mark = exchange.mark()
    exchange.fault(op="MoveItems", do="eas_status", eas="item", code=code, index=1)
    done = d.move(inbox, trash, *ids[:3])
    assert [e["err"] for e in done["each"]] == ["none"] * 3 and all(e["new_id"] for e in done["each"])
    assert exchange.counts(mark)["eas:MoveItems"] == 2
    exchange.fault(op="MoveItems", do="eas_status", eas="item", code=code, index=0, times=0)
    done = d.move(inbox, trash, *ids[3:5])
    assert done["err"] == "none" and [e["err"] for e in done["each"]] == ["offline", "none"]


def test_a_folder_to_move_to_that_is_gone(start):
    exchange, d, inbox, ids = start()
    assert [e["err"] for e in d.move(inbox, "98765", *ids[:2])["each"]] == ["not-found"] * 2
    d.watch(inbox)
    assert d.wait("watch")["hierarchy"]


# --- folders ----------------------------------------------------------------------------------------------------------


def names(exchange):
    return sorted(f["path"] for f in exchange.folders() if f["name"].startswith("T-"))


@pytest.mark.parametrize("fault", [dict(do="lose"), dict(do="reset_after"), dict(do="cut", bytes=20), dict(do="truncate", bytes=9)],
                         ids=name_of)
def test_lost_answers_about_folders(start, fault):
    """The list tells that it was done."""
    exchange, d, _, _ = start()
    cursor = d.folders()["cursor"]
    exchange.fault(op="FolderCreate", **fault)
    made = d.create("T-one")
    assert made["err"] == "none" and names(exchange) == ["T-one"]
    assert made["id"] in {str(f["num"]) for f in exchange.folders() if f["name"] == "T-one"}
    answer = d.folders(cursor)
    assert [f["name"] for f in answer["list"] if f["name"].startswith("T-")] == ["T-one"]
    exchange.fault(op="FolderUpdate", **fault)
    assert d.change_folder(made["id"], "T-two")["err"] == "none" and names(exchange) == ["T-two"]
    answer = d.folders(answer["cursor"])
    assert [f["name"] for f in answer["list"] if f["name"].startswith("T-")] == ["T-two"]
    exchange.fault(op="FolderDelete", **fault)
    assert d.delete_folder(made["id"])["err"] == "none" and names(exchange) == []
    answer = d.folders(answer["cursor"])
    assert answer["full"] or [f["id"] for f in answer["list"] if f["gone"]] == [made["id"]]
    quiet(exchange)


@pytest.mark.parametrize("fault", [dict(do="reset_before"), dict(do="status", status=500), dict(do="status", status=504)],
                         ids=name_of)
def test_it_was_not_done_to_folders(start, fault):
    """The list tells that, too; it is said, and trying again works."""
    exchange, d, _, _ = start()
    cursor = d.folders()["cursor"]
    exchange.fault(op="FolderCreate", **fault)
    assert d.create("T-one")["err"] == "offline" and names(exchange) == []
    made = d.create("T-one")
    assert made["err"] == "none"
    exchange.fault(op="FolderUpdate", **fault)
    assert d.change_folder(made["id"], "T-two")["err"] == "offline"
    exchange.fault(op="FolderDelete", **fault)
    assert d.delete_folder(made["id"])["err"] == "offline" and names(exchange) == ["T-one"]
    answer = d.folders(cursor)
    assert [f["name"] for f in answer["list"] if f["name"].startswith("T-")] == ["T-one"]


def test_key_of_the_folder_list_is_too_old(start):
    exchange, d, _, _ = start()
    cursor = d.folders()["cursor"]
    exchange.fault(op="FolderCreate", do="eas_status", code=9)
    mark = exchange.mark()
    assert d.create("T-one")["err"] == "none"
    assert posts(exchange, mark) == ["FolderCreate", "FolderSync", "FolderCreate"]
    assert d.create("T-two")["err"] == "none"
    answer = d.folders(cursor)
    assert answer["full"] and {"T-one", "T-two"} <= {f["name"] for f in answer["list"]}
    exchange.fault(op="FolderDelete", do="eas_status", code=9, times=0)
    assert d.delete_folder(next(f["id"] for f in answer["list"] if f["name"] == "T-one"))["err"] == "protocol"


@pytest.mark.parametrize("code, err", [(2, "exists"), (3, "unsupported"), (5, "not-found"), (10, "invalid"), (77, "protocol")])
def test_a_folder_is_refused(start, code, err):
    exchange, d, _, _ = start()
    exchange.fault(op="FolderCreate", do="eas_status", code=code)
    assert d.create("T-one")["err"] == err and names(exchange) == []


@pytest.mark.parametrize("code", [6, 11, 12, 111])
def test_a_folder_is_tried_again(start, code):
    exchange, d, _, _ = start()
    exchange.fault(op="FolderCreate", do="eas_status", code=code)
    assert d.create("T-one")["err"] == "none" and names(exchange) == ["T-one"]


def test_killed_after_a_folder_was_made(start, driver):
    """Before anything of it was written down: the older key of the list still tells."""
    exchange, d, _, _ = start()
    cursor = d.folders()["cursor"]
    exchange.fault(op="FolderCreate", do="hold")
    d.send("create", "-", "mail", "T-one")
    until(lambda: names(exchange) == ["T-one"])
    d.kill()
    d = driver(exchange)
    answer = d.folders(cursor)
    assert answer["err"] == "none" and "T-one" in {f["name"] for f in answer["list"]}
    quiet(exchange)


def test_restart_between_a_folder_and_the_next_list(start, driver):
    exchange, d, _, _ = start()
    cursor = d.folders()["cursor"]
    made = d.create("T-one")
    d.kill()
    d = driver(exchange)
    below = d.create("T-two", made["id"])
    assert below["err"] == "none"
    d.kill()
    d = driver(exchange)
    answer = d.folders(cursor)
    assert not answer["full"] and [(f["id"], f["parent"]) for f in answer["list"]] == [(made["id"], ""), (below["id"], made["id"])]
    quiet(exchange)


def test_many_folders_between_two_lists(start):
    """More than are remembered: then the whole list is asked for."""
    exchange, d, _, _ = start()
    cursor = d.folders()["cursor"]
    for i in range(203):
        assert d.create(f"T-{i}")["err"] == "none"
    answer = d.folders(cursor)
    assert answer["full"] and len([f for f in answer["list"] if f["name"].startswith("T-")]) == 203
    quiet(exchange)


# --- drafts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def drafting(start):
    exchange, d, _, _ = start()
    drafts = d.folder("drafts")
    d.sync_all(drafts)
    return exchange, d, drafts


@pytest.mark.parametrize("fault", LOST, ids=name_of)
def test_lost_answer_about_a_draft(drafting, fault):
    exchange, d, drafts = drafting
    mark = exchange.mark()
    exchange.fault(op="Sync", **fault)
    made = d.append(drafts, DRAFT)
    assert made["err"] == "none" and len({e["detail"]["digest"] for e in syncs(exchange, mark)}) == 1
    assert [f"{drafts}:{i['num']}" for i in exchange.items("drafts")] == [made["id"]]
    page = d.sync(drafts, committed(d, drafts))
    assert [i["id"] for i in page["list"]] == [made["id"]]
    assert d.sync(drafts, page["cursor"])["list"] == []
    quiet(exchange)


@pytest.mark.parametrize("fault", ["lose", "reset_before"])
def test_the_client_tries_again_with_a_draft(drafting, driver, fault):
    """The same evidence on the same sync state: the server knows it, or takes it now."""
    exchange, d, drafts = drafting
    exchange.fault(op="Sync", do=fault, times=0)
    assert d.append(drafts, DRAFT)["err"] == "offline"
    exchange.clear_faults()
    d.kill()
    d = driver(exchange)
    made = d.append(drafts, DRAFT, retry=True)
    assert made["err"] == "none"
    assert [f"{drafts}:{i['num']}" for i in exchange.items("drafts")] == [made["id"]]


def test_a_draft_that_nobody_heard_of(drafting, driver):
    """Without a retry the folder tells that it is there."""
    exchange, d, drafts = drafting
    exchange.fault(op="Sync", do="hold")
    d.send("append", drafts, d.file(DRAFT), "0", "evidence-1")
    until(lambda: exchange.items("drafts"))
    d.kill()
    d = driver(exchange)
    page = d.sync(drafts, committed(d, drafts))
    assert [i["id"] for i in page["list"]] == [f"{drafts}:{i['num']}" for i in exchange.items("drafts")]
    assert page["list"][0]["subject"] == "A draft"


def test_a_draft_whose_answer_was_written_down(drafting, driver):
    exchange, d, drafts = drafting
    made = d.append(drafts, DRAFT)
    d.kill()
    d = driver(exchange)
    mark = exchange.mark()
    again = d.append(drafts, DRAFT, retry=True)
    assert again["id"] == made["id"] and posts(exchange, mark) == [] and len(exchange.items("drafts")) == 1


@pytest.mark.parametrize("code, err", [(6, "invalid"), (9, "quota"), (5, "offline")])
def test_a_draft_is_refused(drafting, code, err):
    exchange, d, drafts = drafting
    exchange.fault(op="Sync", do="eas_status", eas="item", code=code, times=0)
    assert d.append(drafts, DRAFT)["err"] == err
    exchange.clear_faults()
    assert exchange.items("drafts") == []
    assert d.sync(drafts, committed(d, drafts))["list"] == []
