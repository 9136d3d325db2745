# SPDX-License-Identifier: Apache-2.0
"""Changing mail over EAS: the backend by itself against the stand-in, operation by operation and version by version."""
import pytest

from easdriver import DRAFT as DRAFT_FLAG
from easdriver import FLAGGED, SEEN, content

ALL = ["12.1", "14.0", "14.1", "16.0", "16.1"]
SINCE_14 = ALL[1:]


@pytest.fixture
def start(standin, driver):
    """start("14.1", "--corpus", 10): (exchange, driver, inbox, ids, oldest first)"""

    def make(version="16.1", *args, count=10, options=(), **settings):
        exchange = standin("--corpus", count, "--set", f"eas_versions=[\"{version}\"]", *args)
        d = driver(exchange, *options, **settings)
        inbox = d.folder()
        d.sync_all(inbox)
        ids = [f"{inbox}:{i['num']}" for i in exchange.items("inbox")]
        return exchange, d, inbox, ids

    return make


def item(exchange, number, folder="inbox"):
    return next(i for i in exchange.items(folder) if i["num"] == int(number.split(":")[1]))


def posts(exchange, mark):
    """Requests since a mark, in order."""
    return [e["op"] for e in exchange.log(mark, protocol="eas")]


def quiet(exchange):
    """The stand-in has nothing to object to."""
    assert exchange.violations() == []


@pytest.mark.parametrize("version", ALL)
def test_flags(start, version):
    exchange, d, inbox, ids = start(version)
    for number in ids[:4]:
        exchange.change("update", num=int(number.split(":")[1]), read=False)
    mark = exchange.mark()
    done = d.flag(inbox, {ids[0]: (SEEN, 0), ids[1]: (FLAGGED, 0), ids[2]: (SEEN | FLAGGED, 0), ids[3]: (0, 0)})
    assert done["err"] == "none" and [e["err"] for e in done["each"]] == ["none"] * 4
    assert posts(exchange, mark) == ["Sync"]
    seen = [item(exchange, i) for i in ids[:4]]
    assert [i["read"] for i in seen] == [True, False, True, False] and [i["flag"] == 2 for i in seen[:3]] == [False, True, True]
    assert d.flag(inbox, {ids[1]: (0, FLAGGED), ids[2]: (0, SEEN | FLAGGED)})["err"] == "none"
    assert not item(exchange, ids[1])["flag"] and not item(exchange, ids[2])["flag"]
    assert not item(exchange, ids[2])["read"]
    quiet(exchange)


@pytest.mark.parametrize("version", SINCE_14)
def test_categories(start, version):
    exchange, d, inbox, ids = start(version)
    assert d.flag(inbox, {ids[0]: (SEEN, 0, ["Important", "Grün"]), ids[1]: (0, 0, ["One"])})["err"] == "none"
    assert item(exchange, ids[0])["categories"] == ["Important", "Grün"] and item(exchange, ids[0])["read"]
    assert item(exchange, ids[1])["categories"] == ["One"]
    assert d.flag(inbox, {ids[0]: (0, 0, ["Grün"]), ids[1]: (0, 0, [])})["err"] == "none"
    assert item(exchange, ids[0])["categories"] == ["Grün"] and item(exchange, ids[1])["categories"] == []
    quiet(exchange)


def test_no_request_for_nothing(start):
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    assert d.flag(inbox, {ids[0]: (0, 0), ids[1]: (0, 0)})["err"] == "none"
    assert posts(exchange, mark) == []


def test_what_we_did_is_told_once_more_and_then_over(start):
    """With the next page, in case that the core did not hear it; the page after that is empty."""
    exchange, d, inbox, ids = start()
    read = item(exchange, ids[0])["read"]
    d.flag(inbox, {ids[0]: (FLAGGED, 0)})
    d.remove(inbox, ids[1])
    exchange.change("update", num=int(ids[2].split(":")[1]), flag=2)
    page = d.sync(inbox, committed(d, inbox))
    assert page["err"] == "none"
    told = {i["id"]: i for i in page["list"]}
    assert set(told) == {ids[1], ids[2]} and told[ids[1]]["gone"] and told[ids[2]]["flags"] & FLAGGED
    assert item(exchange, ids[0])["read"] == read
    mark = exchange.mark()
    page = d.sync(inbox, page["cursor"])
    assert page["list"] == [] and posts(exchange, mark) == ["Sync"]
    quiet(exchange)


def committed(d, folder):
    with open(f"{d.persist}/cursor.{folder}") as file:
        return file.read()


@pytest.mark.parametrize("permanent, trash", [(False, 2), (True, 0)])
def test_delete(start, permanent, trash):
    exchange, d, inbox, ids = start()
    mark = exchange.mark()
    done = d.remove(inbox, *ids[:2], f"{inbox}:987654", permanent=permanent)
    assert done["err"] == "none" and [e["err"] for e in done["each"]] == ["none", "none", "not-found"]
    assert posts(exchange, mark) == ["Sync"]
    assert len(exchange.items("inbox")) == 8 and len(exchange.items("deleteditems")) == trash
    quiet(exchange)


def test_delete_in_the_trash_is_for_good(start):
    exchange, d, inbox, ids = start()
    d.remove(inbox, ids[0])
    trash = d.folder("trash")
    items, _, _ = d.sync_all(trash)
    assert d.remove(trash, *items)["err"] == "none"
    assert exchange.items("deleteditems") == [] and len(exchange.items("inbox")) == 9


@pytest.mark.parametrize("version", ALL)
def test_move(start, version):
    exchange, d, inbox, ids = start(version)
    trash = d.folder("trash")
    d.sync_all(trash)
    wanted = [item(exchange, i)["message_id"] for i in ids[:3]]
    mark = exchange.mark()
    done = d.move(inbox, trash, *ids[:3], f"{inbox}:987654")
    assert posts(exchange, mark) == ["MoveItems"]
    assert [e["err"] for e in done["each"]] == ["none"] * 3 + ["not-found"]
    there = {f"{trash}:{i['num']}": i["message_id"] for i in exchange.items("deleteditems")}
    assert [there[e["new_id"]] for e in done["each"][:3]] == wanted
    # the echo: gone from here, and there under the id that we know already
    page = d.sync(inbox, committed(d, inbox))
    assert {i["id"] for i in page["list"] if i["gone"]} == set(ids[:3])
    page = d.sync(trash, committed(d, trash))
    assert {i["id"] for i in page["list"]} == set(there)
    quiet(exchange)


def test_requests_for_many(start):
    exchange, d, inbox, ids = start(count=300)
    trash = d.folder("trash")
    d.sync_all(trash)
    mark = exchange.mark()
    assert d.flag(inbox, {i: (FLAGGED, 0) for i in ids[:50]})["err"] == "none"
    assert posts(exchange, mark) == ["Sync"]
    mark = exchange.mark()
    assert d.move(inbox, trash, *ids[:100])["err"] == "none"
    assert posts(exchange, mark) == ["MoveItems"]
    mark = exchange.mark()
    assert d.remove(inbox, *ids[100:200])["err"] == "none"
    assert posts(exchange, mark) == ["Sync"]
    assert len(exchange.items("inbox")) == 100 and len(exchange.items("deleteditems")) == 200
    quiet(exchange)


@pytest.mark.parametrize("version", ALL)
def test_folders(start, version):
    exchange, d, _, _ = start(version)
    cursor = d.folders()["cursor"]
    made = d.create("Projects")
    assert made["err"] == "none"
    below = d.create("Grüße & more", made["id"])
    assert below["err"] == "none"
    assert d.create("projects")["err"] == "exists"
    names = {str(f["num"]): (f["name"], f["path"]) for f in exchange.folders()}
    assert names[made["id"]][0] == "Projects" and names[below["id"]][1] == "Projects/Grüße & more"
    # the core's older sync state leads to all of it
    answer = d.folders(cursor)
    assert not answer["full"]
    assert [(f["id"], f["parent"], f["name"], f["kind"]) for f in answer["list"]] == [
        (made["id"], "", "Projects", "mail"), (below["id"], made["id"], "Grüße & more", "mail")]
    cursor = answer["cursor"]
    assert d.change_folder(below["id"], "Plans")["err"] == "none"
    answer = d.folders(cursor)
    assert "Plans" in {f["path"] for f in exchange.folders()}
    assert answer["full"] or [(f["id"], f["parent"], f["name"]) for f in answer["list"]] == [(below["id"], "", "Plans")]
    assert d.delete_folder(made["id"])["err"] == "none"
    answer = d.folders(answer["cursor"])
    assert [(f["id"], f["gone"]) for f in answer["list"]] == [(made["id"], True)]
    assert d.folders(answer["cursor"])["list"] == []
    assert d.delete_folder("98765")["err"] == "not-found"
    assert d.change_folder(d.folder(), "Other")["err"] in ("exists", "unsupported")
    quiet(exchange)


# --- drafts -------------------------------------------------------------------------------------------------------------

DRAFT = (b"From: alice@example.com\r\nTo: bob@fabrikam.example\r\nBcc: carol@fabrikam.example\r\nSubject: A draft\r\n"
         b"Message-ID: <draft-1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
         + "Grüße\r\n  ]]>\r\n.\r\n".encode())


def test_a_draft_is_stored(start):
    exchange, d, _, _ = start()
    drafts = d.folder("drafts")
    d.sync_all(drafts)
    mark = exchange.mark()
    made = d.append(drafts, DRAFT, SEEN | FLAGGED)
    assert made["err"] == "none" and posts(exchange, mark) == ["Sync"]
    (stored,) = exchange.items("drafts", props=1)
    assert made["id"] == f"{drafts}:{stored['num']}" and stored["subject"] == "A draft"
    assert stored["draft"] and stored["read"] and stored["flag"] == 2
    assert exchange.mime(stored["num"]) == DRAFT
    # told once more, as a message that is there
    page = d.sync(drafts, committed(d, drafts))
    assert [(i["id"], i["flags"] & i["known"]) for i in page["list"]] == [(made["id"], SEEN | FLAGGED | DRAFT_FLAG)]
    assert d.sync(drafts, page["cursor"])["list"] == []
    got, _ = d.fetch(drafts, "message", made["id"])
    assert content(got[made["id"]]["content"]) == DRAFT
    quiet(exchange)


def test_a_draft_is_replaced_and_deleted(start):
    exchange, d, _, _ = start()
    drafts = d.folder("drafts")
    d.sync_all(drafts)
    first = d.append(drafts, DRAFT)["id"]
    second = d.append(drafts, DRAFT.replace(b"A draft", b"Better"), evidence="evidence-2")["id"]
    assert d.remove(drafts, first, permanent=True)["each"][0]["err"] == "none"
    assert [f"{drafts}:{i['num']}" for i in exchange.items("drafts")] == [second]
    page = d.sync(drafts, committed(d, drafts))
    assert {i["id"]: i["gone"] for i in page["list"]}.get(second, False) is False
    quiet(exchange)


@pytest.mark.parametrize("version", ["12.1", "14.0", "14.1"])
def test_no_drafts_before_16(start, version):
    exchange, d, inbox, _ = start(version)
    mark = exchange.mark()
    assert d.append(inbox, DRAFT)["err"] == "unsupported" and posts(exchange, mark) == []


def test_what_cannot_be_a_draft(start):
    exchange, d, inbox, _ = start()
    drafts = d.folder("drafts")
    d.sync_all(drafts)
    mark = exchange.mark()
    assert d.append(drafts, DRAFT + b"\0")["err"] == "invalid" and posts(exchange, mark) == []
    assert d.append(inbox, DRAFT)["err"] == "invalid"  # the server: no mail can be added here
    assert d.append(drafts, DRAFT, evidence="evidence-2")["err"] == "none"


def test_a_large_draft(start):
    exchange, d, _, _ = start()
    drafts = d.folder("drafts")
    d.sync_all(drafts)
    large = DRAFT + (b"y" * 76 + b"\r\n") * 130_000
    assert d.append(drafts, large, timeout=120)["err"] == "none"
    assert exchange.mime(exchange.items("drafts")[0]["num"]) == large
