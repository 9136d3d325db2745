# SPDX-License-Identifier: Apache-2.0
"""Sync states of the EWS half: complete, exact, and refused when they are not ours."""
import pytest

from ewsclient import Client
from standin import Standin

COUNT = 1300


@pytest.fixture(scope="module")
def exchange():
    with Standin("--corpus", COUNT, "--kinds", "small") as server:
        yield server


@pytest.fixture
def client(exchange):
    exchange.reset()
    return Client(exchange)


def test_first_sync_newest_first_in_pages_of_512(client, exchange):
    mark = exchange.mark()
    extra = '<t:AdditionalProperties><t:FieldURI FieldURI="item:DateTimeReceived"/></t:AdditionalProperties>'
    state, seen, dates = "", [], []
    while True:
        answer = client.sync(state, extra=extra)
        state = answer.text(".//m:SyncState")
        seen += answer.ids()
        dates += [e.text for e in answer.all(".//t:DateTimeReceived")]
        if answer.text(".//m:IncludesLastItemInRange") == "true":
            break
    assert len(seen) == len(set(seen)) == len(exchange.items())
    assert dates == sorted(dates, reverse=True)
    pages = exchange.log(mark, op="SyncFolderItems")
    assert [p["detail"]["changes"] for p in pages] == [512, 512, len(seen) - 1024]
    assert client.sync_all(state)[1] == []


def test_increments(client, exchange):
    state, seen = client.sync_all()
    known = {i for _, i in seen}
    items = exchange.items()
    exchange.change("update", num=items[0]["num"], read=not items[0]["read"])
    exchange.change("update", num=items[1]["num"], flag=2)
    exchange.change("update", num=items[2]["num"], read=not items[2]["read"])
    exchange.change("update", num=items[2]["num"], categories=["Blue"])
    exchange.change("delete", num=items[3]["num"])
    exchange.change("move", num=items[4]["num"], to="junkemail")
    exchange.deliver(subject="New")
    flash = exchange.deliver(subject="Came and went")[0]
    exchange.change("delete", num=flash["num"])
    state, found = client.sync_all(state)
    assert [k for k, _ in found] == ["ReadFlagChange", "Update", "Update", "Delete", "Delete", "Create"]
    assert all((i in known) == (k != "Create") for k, i in found)
    assert client.sync_all(state)[1] == []


def test_increments_in_small_pages(client, exchange):
    state, _ = client.sync_all()
    made = exchange.deliver(subject="Page %d", count=7)
    for item in made[:3]:
        exchange.change("update", num=item["num"], flag=2)
    kinds = [k for k, _ in client.sync_all(state, limit=2)[1]]
    assert kinds == ["Create"] * 7


def test_arrivals_while_the_first_sync_runs(client, exchange):
    first = client.sync(limit=512)
    state, seen = first.text(".//m:SyncState"), first.ids()
    exchange.deliver(subject="In the middle")
    exchange.change("delete", num=exchange.items()[0]["num"])
    state, rest = client.sync_all(state)
    later = client.sync_all(state)[1]
    live = set(seen) | {i for k, i in rest if k == "Create"}
    for kind, ident in later:
        live = live | {ident} if kind == "Create" else live - {ident} if kind == "Delete" else live
    assert len(live) == len(exchange.items())


def test_states_that_are_not_ours(client, exchange):
    state, _ = client.sync_all()
    junk = '<t:DistinguishedFolderId Id="junkemail"/>'
    assert client.sync(state, folder=junk).codes == ["ErrorInvalidSyncStateData"]
    middle = len(state) // 2
    broken = state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1 :]
    for bad in (broken, "rubbish", state[:40], "QUJD"):
        assert client.sync(bad).codes == ["ErrorInvalidSyncStateData"]
    assert client.sync(state).codes == ["NoError"]
    exchange.invalidate()
    assert client.sync(state).codes == ["ErrorInvalidSyncStateData"]


def test_new_ids_for_all(client, exchange):
    _, before = client.sync_all()
    exchange.invalidate(new_ids=True)
    _, after = client.sync_all()
    assert len(before) == len(after) and not {i for _, i in before} & {i for _, i in after}


def test_scripted_expiry(client, exchange):
    state, _ = client.sync_all()
    exchange.fault(op="SyncFolderItems", do="expired")
    assert client.sync(state).codes == ["ErrorInvalidSyncStateData"]
    assert client.sync(state).codes == ["NoError"]


def test_dead_items_are_announced_for_ever(client, exchange):
    exchange.deliver(subject="Dead", traits=["dead"])
    exchange.options(dead_items=True)
    state, found = client.sync_all()
    dead = found[0][1]
    for _ in range(3):
        state, again = client.sync_all(state)
        assert again == [("Update", dead)]
        assert client.items([dead]).codes == ["ErrorItemNotFound"]
    exchange.options(dead_items=False)


def hierarchy(client, state=""):
    given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
    return client.post(
        "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape>"
        f'<m:SyncFolderId><t:DistinguishedFolderId Id="msgfolderroot"/></m:SyncFolderId>{given}'
        "</m:SyncFolderHierarchy>"
    )


def test_hierarchy(client, exchange):
    outer = exchange.folder("create", name="Outer")
    inner = exchange.folder("create", name="Inner/with slash", parent=outer["num"])
    first = hierarchy(client)
    names = [e.text for e in first.all(".//t:DisplayName")]
    assert names.index("Outer") < names.index("Inner/with slash")
    state = first.text(".//m:SyncState")
    assert hierarchy(client, state).find(".//m:Changes").getchildren() == []
    exchange.folder("rename", folder=inner["num"], name="Renamed")
    answer = hierarchy(client, state)
    assert [e.text for e in answer.all(".//t:Update//t:DisplayName")] == ["Renamed"]
    exchange.folder("delete", folder=outer["num"])
    gone = hierarchy(client, answer.text(".//m:SyncState"))
    assert len(gone.all(".//t:Delete")) == 2
    exchange.fault(op="SyncFolderHierarchy", do="expired")
    assert hierarchy(client, state).codes == ["ErrorInvalidSyncStateData"]


def test_deleted_folder(client, exchange):
    made = exchange.folder("create", name="Short-lived")
    answer = hierarchy(client)
    names = [e.text for e in answer.all(".//t:DisplayName")]
    ident = answer.ids("FolderId")[names.index("Short-lived")]
    folder = f'<t:FolderId Id="{ident}"/>'
    assert client.sync(folder=folder).codes == ["NoError"]
    exchange.folder("delete", folder=made["num"])
    assert client.sync(folder=folder).codes == ["ErrorSyncFolderNotFound"]


def test_a_restart_keeps_ids_and_states():
    with Standin("--corpus", 40) as server:
        state, seen = Client(server).sync_all()
        first = Client(server).items([i for _, i in seen], mime=True).data
        server.stop()
        server.start()
        again = Client(server)
        assert again.sync_all(state)[1] == [] and again.sync_all()[1] == seen
        assert again.items([i for _, i in seen], mime=True).data == first


def test_generic_updates(client, exchange):
    state, _ = client.sync_all()
    exchange.change("update", num=exchange.items()[5]["num"], categories=["Green"])
    exchange.options(generic_updates=True)
    answer = client.sync(state)
    exchange.options(generic_updates=False)
    assert answer.find(".//t:Update/t:Item/t:ItemId") is not None and answer.find(".//t:Message") is None
